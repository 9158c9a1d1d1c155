use super::*;

/// A mailbox and the time, in milliseconds; messages are named, and come when they ask.
#[derive(Default)]
struct Follower {
    mailbox: Mailbox,
    now: u64,
}

impl Follower {
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
    let mut follower = Follower { now: LATER, ..Follower::default() };
    assert!(follower.mailbox.ask("one", "First?") && follower.mailbox.ask("two", "Second?"));
    let jobs = follower.mailbox.jobs(follower.now);
    let job = |number, question: &str| Job { number, question: question.to_owned() };
    assert_eq!(jobs, [job(1, "First?"), job(2, "Second?")]);
    follower.mailbox.answer(2, "Two.");
    assert_eq!(follower.gets("two", 0), None);
    follower.mailbox.answer(1, "One.");
    assert_eq!(follower.gets("two", 0), Some(format!("「First?」\nOne.{HINT}")));
    follower.now += APART;
    assert_eq!(follower.gets("one", 0).as_deref(), Some("「Second?」\nTwo."));
    follower.now += APART;
    assert_eq!(follower.gets("three", 0), None);
    assert!(follower.mailbox.is_done(follower.now));
}

#[test]
fn a_question_that_carries_its_own_answer_is_not_quoted() {
    let mut follower = Follower::default();
    follower.told("one", " One.\n");
    assert_eq!(follower.gets("one", 0).as_deref(), Some("One."));
}

#[test]
fn the_same_push_is_one_question_and_gets_the_same_piece_again() {
    let mut follower = Follower::default();
    follower.told("one", "One.");
    assert!(follower.mailbox.ask("one", "one"));
    assert_eq!(follower.mailbox.jobs(follower.now), []);
    let given = follower.gets("one", 0);
    assert!(follower.mailbox.ask("one", "one"));
    assert_eq!(follower.mailbox.jobs(follower.now), []);
    assert_eq!((follower.gets("one", 0), given.as_deref()), (given.clone(), Some("One.")));
}

#[test]
fn a_piece_that_came_too_late_stands_where_it_stood() {
    let mut follower = Follower { now: LATER, ..Follower::default() };
    follower.told("one", &"一\n".repeat(800));
    follower.told("two", "Two.");
    let first = follower.gets("one", 14_000).unwrap();
    follower.mailbox.take_back("one");
    let again = follower.gets("more", 0).unwrap();
    assert_eq!(again, format!("「one」\n{first}"));
    follower.now += APART;
    assert!(follower.gets("more still", 0).unwrap().starts_with("一\n"));
    follower.mailbox.take_back("more still");
    follower.mailbox.take_back("more");
    follower.now += APART;
    assert_eq!(follower.gets("and more", 0), Some(again));
    // What was never given is nothing to take back.
    follower.mailbox.take_back("two");
    assert_eq!(follower.mailbox.line.len(), 2);
}

#[test]
fn nothing_is_given_while_what_was_given_before_may_come_back() {
    let mut follower = Follower { now: LATER, ..Follower::default() };
    follower.told("one", "One.");
    follower.told("two", "Two.");
    assert!(follower.gets("one", 8_000).is_some());
    follower.now += DELIVERIES - 8_001;
    assert_eq!(follower.gets("two", 0), None);
    follower.now += 1;
    assert_eq!(follower.gets("two", 0).as_deref(), Some("Two."));
    assert!(!follower.mailbox.is_done(follower.now));
    assert!(follower.mailbox.is_done(follower.now + APART));
}

#[test]
fn pieces_fit_a_message_with_all_that_stands_around_them_and_make_up_the_answer() {
    let link = format!("<a href=\"https://e.com/{}\">link</a>", "x".repeat(1_900));
    let answers = ["长".repeat(3_000), "A line of a poem\n".repeat(400), format!("{link}{link}"), "👨‍👩‍👧".repeat(300)];
    for answer in answers {
        let mut follower = Follower { now: LATER, ..Follower::default() };
        let question = "🀄".repeat(QUOTED + 1);
        assert!(follower.mailbox.ask("one", &question) && follower.mailbox.ask("two", "Second?"));
        follower.mailbox.jobs(follower.now);
        follower.mailbox.answer(1, &answer);
        let quote = format!("「{}…」\n", "🀄".repeat(QUOTED));
        let mut seen = String::new();
        for message in 0.. {
            follower.now += APART;
            let Some(text) = follower.gets(&message.to_string(), 0) else { break };
            assert!(text.len() <= 2047, "{}", text.len());
            assert!(message > 0 || text.starts_with(&quote), "{text}");
            seen.push_str(text.strip_suffix(HINT).unwrap());
        }
        assert_eq!(seen, quote + answer.trim());
    }
}

#[test]
fn no_more_than_so_many_questions_wait_and_an_answer_makes_room() {
    let mut follower = Follower { now: LATER, ..Follower::default() };
    for number in 0..MOST_QUESTIONS {
        assert!(follower.mailbox.ask(&number.to_string(), "Why?"));
    }
    assert!(!follower.mailbox.ask("one more", "Why?"));
    follower.mailbox.jobs(follower.now);
    follower.mailbox.answer(1, &"长".repeat(1_000));
    assert!(!follower.mailbox.ask("one more", "Why?"));
    for message in ["a", "b"] {
        assert!(follower.gets(message, 0).is_some());
        follower.now += APART;
    }
    assert!(follower.mailbox.ask("one more", "Why?"));
}

#[test]
fn a_question_whose_machine_has_died_is_asked_again_once_and_then_given_up() {
    let mut follower = Follower { now: LATER, ..Follower::default() };
    assert!(follower.mailbox.ask("one", "Why?"));
    for _ in 0..MOST_TRIES {
        assert_eq!(follower.mailbox.jobs(follower.now).len(), 1);
        follower.now += LEASE - 1;
        follower.mailbox.keep(1, follower.now);
        follower.now += LEASE - 1;
        assert_eq!(follower.mailbox.jobs(follower.now), []);
        follower.now += 1;
    }
    assert_eq!(follower.mailbox.jobs(follower.now), []);
    assert_eq!(follower.gets("more", 0), Some(format!("「Why?」\n{LOST}")));
    // Whom everybody took for dead.
    follower.mailbox.answer(1, "Because.");
    assert_eq!(follower.mailbox.line, []);
}

#[test]
fn an_answer_of_nothing_is_not_silence() {
    let mut follower = Follower::default();
    follower.told("one", " \n");
    assert_eq!(follower.gets("one", 0).as_deref(), Some(LOST));
}

#[test]
fn the_last_piece_can_be_seen_again_for_as_long_as_the_mailbox_is_there() {
    let mut follower = Follower { now: LATER, ..Follower::default() };
    assert_eq!(follower.mailbox.last(), None);
    follower.told("one", "One.");
    follower.told("two", "Two.");
    follower.gets("one", 0);
    assert_eq!(follower.mailbox.last(), Some(&*format!("One.{HINT}")));
    follower.now += LATER;
    follower.gets("two", 0);
    assert_eq!(follower.mailbox.last(), Some("Two."));
    assert_eq!(follower.mailbox.given.len(), 1);
    assert!(!follower.mailbox.is_forgotten(follower.now));
    assert!(follower.mailbox.is_forgotten(follower.now + REPEATED));
}
