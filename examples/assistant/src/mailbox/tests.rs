use super::*;

/// A mailbox and the time, in milliseconds; messages are named, and come when they ask.
#[derive(Default)]
struct User {
    mailbox: Mailbox,
    now: u64,
}

impl User {
    /// Asks, and has the answer at once.
    fn told(&mut self, push: &str, answer: &str) {
        assert!(self.mailbox.ask(push, push));
        let job = self.mailbox.jobs(self.now).pop().unwrap();
        self.mailbox.answer(job.number, answer);
    }

    /// What a message gets that came so many milliseconds ago.
    fn gets(&mut self, push: &str, ago: u64) -> Option<String> {
        // As Redis has it.
        let written = serde_json::to_string(&self.mailbox).unwrap();
        self.mailbox = serde_json::from_str(&written).unwrap();
        self.mailbox.give(push, self.now - ago, self.now)
    }
}

/// Long enough for all that was given before to be sure.
const LATER: u64 = 100_000;

#[test]
fn answers_leave_in_the_order_of_their_questions_whichever_is_ready_first() {
    let mut user = User { now: LATER, ..User::default() };
    assert!(user.mailbox.ask("one", "First?") && user.mailbox.ask("two", "Second?"));
    let jobs = user.mailbox.jobs(user.now);
    let job = |number, question: &str| Job { number, question: question.to_owned() };
    assert_eq!(jobs, [job(1, "First?"), job(2, "Second?")]);
    user.mailbox.answer(2, "Two.");
    assert_eq!(user.gets("two", 0), None);
    user.mailbox.answer(1, "One.");
    assert_eq!(user.gets("two", 0), Some(format!("「First?」\nOne.{HINT}")));
    user.now += APART;
    assert_eq!(user.gets("one", 0).as_deref(), Some("「Second?」\nTwo."));
    user.now += APART;
    assert_eq!(user.gets("three", 0), None);
    assert!(user.mailbox.is_done(user.now));
}

#[test]
fn a_question_that_carries_its_own_answer_is_not_quoted() {
    let mut user = User::default();
    user.told("one", " One.\n");
    assert_eq!(user.gets("one", 0).as_deref(), Some("One."));
}

#[test]
fn the_same_push_is_one_question_and_gets_the_same_piece_again() {
    let mut user = User::default();
    user.told("one", "One.");
    assert!(user.mailbox.ask("one", "one"));
    assert_eq!(user.mailbox.jobs(user.now), []);
    let given = user.gets("one", 0);
    assert!(user.mailbox.ask("one", "one"));
    assert_eq!(user.mailbox.jobs(user.now), []);
    assert_eq!((user.gets("one", 0), given.as_deref()), (given.clone(), Some("One.")));
}

#[test]
fn a_piece_that_came_too_late_stands_where_it_stood() {
    let mut user = User { now: LATER, ..User::default() };
    user.told("one", &"一\n".repeat(800));
    user.told("two", "Two.");
    let first = user.gets("one", 14_000).unwrap();
    user.mailbox.take_back("one");
    let again = user.gets("more", 0).unwrap();
    assert_eq!(again, format!("「one」\n{first}"));
    user.now += APART;
    assert!(user.gets("more still", 0).unwrap().starts_with("一\n"));
    user.mailbox.take_back("more still");
    user.mailbox.take_back("more");
    user.now += APART;
    assert_eq!(user.gets("and more", 0), Some(again));
    // What was never given is nothing to take back.
    user.mailbox.take_back("two");
    assert_eq!(user.mailbox.line.len(), 2);
}

#[test]
fn nothing_is_given_while_what_was_given_before_may_come_back() {
    let mut user = User { now: LATER, ..User::default() };
    user.told("one", "One.");
    user.told("two", "Two.");
    assert!(user.gets("one", 8_000).is_some());
    user.now += DELIVERIES - 8_001;
    assert_eq!(user.gets("two", 0), None);
    user.now += 1;
    assert_eq!(user.gets("two", 0).as_deref(), Some("Two."));
    assert!(!user.mailbox.is_done(user.now));
    assert!(user.mailbox.is_done(user.now + APART));
}

#[test]
fn pieces_fit_a_message_with_all_that_stands_around_them_and_make_up_the_answer() {
    let link = format!("<a href=\"https://e.com/{}\">link</a>", "x".repeat(1_900));
    let answers = ["长".repeat(3_000), "A line of a poem\n".repeat(400), format!("{link}{link}"), "👨‍👩‍👧".repeat(300)];
    for answer in answers {
        let mut user = User { now: LATER, ..User::default() };
        let question = "🀄".repeat(QUOTED + 1);
        assert!(user.mailbox.ask("one", &question) && user.mailbox.ask("two", "Second?"));
        user.mailbox.jobs(user.now);
        user.mailbox.answer(1, &answer);
        let quote = format!("「{}…」\n", "🀄".repeat(QUOTED));
        let mut seen = String::new();
        for message in 0.. {
            user.now += APART;
            let Some(text) = user.gets(&message.to_string(), 0) else { break };
            assert!(text.len() <= 2047, "{}", text.len());
            assert!(message > 0 || text.starts_with(&quote), "{text}");
            seen.push_str(text.strip_suffix(HINT).unwrap());
        }
        assert_eq!(seen, quote + answer.trim());
    }
}

#[test]
fn no_more_than_so_many_questions_wait_and_an_answer_makes_room() {
    let mut user = User { now: LATER, ..User::default() };
    for number in 0..MOST_QUESTIONS {
        assert!(user.mailbox.ask(&number.to_string(), "Why?"));
    }
    assert!(!user.mailbox.ask("one more", "Why?"));
    user.mailbox.jobs(user.now);
    user.mailbox.answer(1, &"长".repeat(1_000));
    assert!(!user.mailbox.ask("one more", "Why?"));
    for message in ["a", "b"] {
        assert!(user.gets(message, 0).is_some());
        user.now += APART;
    }
    assert!(user.mailbox.ask("one more", "Why?"));
}

#[test]
fn a_question_whose_machine_has_died_is_asked_again_once_and_then_given_up() {
    let mut user = User { now: LATER, ..User::default() };
    assert!(user.mailbox.ask("one", "Why?"));
    for _ in 0..MOST_TRIES {
        assert_eq!(user.mailbox.jobs(user.now).len(), 1);
        user.now += LEASE - 1;
        user.mailbox.keep(1, user.now);
        user.now += LEASE - 1;
        assert_eq!(user.mailbox.jobs(user.now), []);
        user.now += 1;
    }
    assert_eq!(user.mailbox.jobs(user.now), []);
    assert_eq!(user.gets("more", 0), Some(format!("「Why?」\n{LOST}")));
    // Whom everybody took for dead.
    user.mailbox.answer(1, "Because.");
    assert_eq!(user.mailbox.line, []);
}

#[test]
fn an_answer_of_nothing_is_not_silence() {
    let mut user = User::default();
    user.told("one", " \n");
    assert_eq!(user.gets("one", 0).as_deref(), Some(LOST));
}

#[test]
fn the_last_piece_can_be_seen_again_for_as_long_as_the_mailbox_is_there() {
    let mut user = User { now: LATER, ..User::default() };
    assert_eq!(user.mailbox.last(), None);
    user.told("one", "One.");
    user.told("two", "Two.");
    user.gets("one", 0);
    assert_eq!(user.mailbox.last(), Some(&*format!("One.{HINT}")));
    user.now += LATER;
    user.gets("two", 0);
    assert_eq!(user.mailbox.last(), Some("Two."));
    assert_eq!(user.mailbox.given.len(), 1);
    assert!(!user.mailbox.is_forgotten(user.now));
    assert!(user.mailbox.is_forgotten(user.now + REPEATED));
}
