//! What one user has asked, and the pieces of the answers that he has not been given yet.
//!
//! ```text
//! ask ──▶ line: thinking ──answer──▶ pieces ──give──▶ given ──▶ with a reply to the user
//!                                      ▲                │
//!                                      └──take_back─────┘  the reply came too late
//! ```
//!
//! Any message carries the piece that stands first, so answers leave in the order of their questions, and a piece is in
//! one place at a time. No clock and no IO here; times are in milliseconds since 1970.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use wechat_events::reply::split_text;

/// Of which the answers are not all given.
pub const MOST_QUESTIONS: usize = 5;

/// Behind what is not the last.
pub const HINT: &str = "\n\n（后面还有，回复「继续」查看）";

/// In place of an answer that nobody is at any more.
pub const LOST: &str = "抱歉，这个问题没有得到回答，请过一会儿再问。";

/// After which a question of which nothing is heard is asked again, by whichever machine looks.
pub const LEASE: u64 = 30_000;

/// How often a question is put to the model, should machines die over it.
const MOST_TRIES: u8 = 2;

/// Bytes of a message that are left for the quote and the hint.
const ROOM: usize = 160;

/// Characters of a question that stand before its answer.
const QUOTED: usize = 20;

/// As long as a run of a push may be repeated. It has to find the piece that it was given.
const REPEATED: u64 = 60_000;

/// As long as a push is in its first delivery, which takes along what is there by then.
const FIRST_DELIVERY: u64 = 4_000;

/// After which it is known whether a push has had a delivery for its reply: `late` is called by then.
const DELIVERIES: u64 = 16_500;

/// Between two pieces, lest the second overtake the first on its way.
const APART: u64 = 1_000;

/// Pushes by which a question came are remembered, so that a repeated run does not ask it again.
const ASKED: usize = 2 * MOST_QUESTIONS;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mailbox {
    /// In the order in which they leave.
    line: Vec<Item>,
    /// What left of late; the last of them whenever it was.
    given: Vec<Given>,
    /// The pushes that brought the last questions.
    asked: Vec<String>,
    /// Questions so far.
    questions: u64,
}

/// A question that the model is at, or a piece of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    question: u64,
    piece: usize,
    /// The push that brought the question.
    asked_by: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Content {
    Thinking { question: String, tries: u8, until: u64 },
    Text { quote: String, text: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Given {
    /// The push whose reply it is.
    push: String,
    /// As the user sees it.
    text: String,
    item: Item,
    at: u64,
    /// Until then it may come back, or still be on its way.
    unsure_until: u64,
}

/// A question for the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub number: u64,
    pub question: String,
}

impl Mailbox {
    /// Puts a question in line, once for each push; says whether there is room for it.
    pub fn ask(&mut self, push: &str, question: &str) -> bool {
        if self.asked.iter().any(|asked| asked == push) {
            return true;
        }
        let mut waiting: Vec<u64> = self.line.iter().map(|item| item.question).collect();
        waiting.dedup();
        if waiting.len() >= MOST_QUESTIONS {
            return false;
        }
        if self.asked.len() >= ASKED {
            self.asked.remove(0);
        }
        self.asked.push(push.to_owned());
        self.questions += 1;
        let content = Content::Thinking { question: question.to_owned(), tries: 0, until: 0 };
        self.line.push(Item { question: self.questions, piece: 0, asked_by: push.to_owned(), content });
        true
    }

    /// The questions that nobody is at. The caller is, from now on: he [keeps](Mailbox::keep) them and
    /// [answers](Mailbox::answer) them.
    pub fn jobs(&mut self, now: u64) -> Vec<Job> {
        let mut jobs = Vec::new();
        for item in &mut self.line {
            let Content::Thinking { question, tries, until } = &mut item.content else { continue };
            if now < *until {
                continue;
            }
            if *tries >= MOST_TRIES {
                item.content = Content::Text { quote: quote(question), text: LOST.to_owned() };
                continue;
            }
            *tries += 1;
            *until = now + LEASE;
            jobs.push(Job { number: item.question, question: question.clone() });
        }
        jobs
    }

    /// Somebody is still at the question.
    pub fn keep(&mut self, number: u64, now: u64) {
        for item in &mut self.line {
            if let Content::Thinking { until, .. } = &mut item.content
                && item.question == number
            {
                *until = now + LEASE;
            }
        }
    }

    /// The answer to a question, if it has none yet.
    pub fn answer(&mut self, number: u64, answer: &str) {
        let is_open = |item: &Item| item.question == number && matches!(item.content, Content::Thinking { .. });
        let Some(at) = self.line.iter().position(is_open) else { return };
        let asked = self.line.remove(at);
        let Content::Thinking { question, .. } = &asked.content else { return };
        let answer = if answer.trim().is_empty() { LOST } else { answer.trim() };
        let pieces = pieces(answer).into_iter().enumerate().map(|(piece, text)| {
            let quote = if piece == 0 { quote(question) } else { String::new() };
            Item { piece, content: Content::Text { quote, text }, ..asked.clone() }
        });
        self.line.splice(at..at, pieces);
    }

    /// The piece for the reply to a push that came at that time, if one is ready: the same one for the same push.
    pub fn give(&mut self, push: &str, came: u64, now: u64) -> Option<String> {
        if let Some(given) = self.given.iter().find(|given| given.push == push) {
            return Some(given.text.clone());
        }
        if self.is_unsure(now) || !matches!(self.line.first()?.content, Content::Text { .. }) {
            return None;
        }
        let item = self.line.remove(0);
        let text = item.shown_by(push, !self.line.is_empty());
        let is_first_delivery = now.saturating_sub(came) < FIRST_DELIVERY;
        let unsure_until = if is_first_delivery { now + APART } else { came + DELIVERIES };
        self.given.retain(|given| now < given.at + REPEATED);
        self.given.push(Given { push: push.to_owned(), text: text.clone(), item, at: now, unsure_until });
        Some(text)
    }

    /// What was given to this push has not gone out: it stands in line again, where it stood.
    pub fn take_back(&mut self, push: &str) {
        let Some(at) = self.given.iter().position(|given| given.push == push) else { return };
        let Given { item, .. } = self.given.remove(at);
        let place = |item: &Item| (item.question, item.piece);
        let at = self.line.partition_point(|other| place(other) < place(&item));
        self.line.insert(at, item);
    }

    /// The last piece that was given.
    pub fn last(&self) -> Option<&str> {
        self.given.last().map(|given| &*given.text)
    }

    /// Whether there is nothing to wait for.
    pub fn is_done(&self, now: u64) -> bool {
        self.line.is_empty() && !self.is_unsure(now)
    }

    /// Whether nobody asks for anything of it, but for the last piece.
    pub fn is_forgotten(&self, now: u64) -> bool {
        self.line.is_empty() && self.given.iter().all(|given| now >= given.at + REPEATED)
    }

    fn is_unsure(&self, now: u64) -> bool {
        self.given.iter().any(|given| now < given.unsure_until)
    }
}

impl Item {
    /// As a reply to that push, with more behind it or not.
    fn shown_by(&self, push: &str, more: bool) -> String {
        let Content::Text { quote, text } = &self.content else { return String::new() };
        let quote = if self.asked_by == push { "" } else { quote };
        format!("{quote}{text}{}", if more { HINT } else { "" })
    }
}

/// Which question it is that is answered, where another message carries the answer.
fn quote(question: &str) -> String {
    let line = question.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("「{}…」\n", &line[..end]),
        None => format!("「{line}」\n"),
    }
}

/// An answer as pieces that fit a message each, with the quote and the hint.
fn pieces(answer: &str) -> Vec<String> {
    // `split_text` fills messages to the brim: what stands in front of the text is the room.
    let room = " ".repeat(ROOM);
    let (mut pieces, mut rest) = (Vec::new(), answer);
    while !rest.is_empty() {
        let padded = format!("{room}{rest}");
        let length = split_text(&padded).next().map_or(0, |piece| piece.len().saturating_sub(ROOM));
        // It would rather not split a link that fits a message, though not beside the room.
        let length = if length > 0 { length } else { rest.char_indices().nth(400).map_or(rest.len(), |(end, _)| end) };
        let (piece, behind) = rest.split_at(length);
        pieces.push(piece.to_owned());
        rest = behind;
    }
    pieces
}
