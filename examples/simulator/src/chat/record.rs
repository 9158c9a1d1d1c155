//! What the page is told of a push and its deliveries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderMap};
use serde::Serialize;
use wechat_events::event::Takes;
use wechat_events::testing::{Reason, Request, Verdict};
use wechat_events::{Event, Kind, parse_event};

use super::chinese;
use crate::account::Account;
use crate::hint::hint_to;
use crate::shown::{Shown, takes_as_word};
use crate::wire::{Answered, Lost, Silence, Target};
use crate::words::Words;

/// Bytes of a body that the page shows, and that are kept for it.
const KEPT: usize = 32 << 10;

/// A push, or a check of the address.
#[derive(Debug, Clone, Serialize)]
pub struct Push {
    pub id: u64,
    /// When it was changed last, in changes of the conversation.
    pub revision: u64,
    /// No push, but the console's check.
    address_check: bool,
    /// The kind's name on the wire; empty for what is none.
    name: String,
    takes_reply: bool,
    #[serde(serialize_with = "takes_as_word")]
    pub takes: Takes,
    /// What tells it from others of its kind.
    summary: String,
    /// What stands in the chat for it.
    said: Option<Said>,
    message: Body,
    /// When it was first sent, in milliseconds since 1970.
    pub begun: u64,
    pub attempts: Vec<Attempt>,
    pub outcome: Option<Outcome>,
    /// For sending it again; the page has `message`.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// What users see of their own message.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "said", rename_all = "snake_case")]
enum Said {
    Text { content: String },
    Image,
    Voice { recognition: String },
    Video { short: bool },
    Location { label: String, latitude: String, longitude: String },
    Link { title: String, description: String },
    File { title: String, bytes: String },
    MiniprogramPage { title: String },
}

/// One of up to three deliveries, of a payment of up to sixteen.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// Milliseconds from the push's first moment.
    sent: u64,
    ended: Option<u64>,
    request: Head,
    /// The body as sent.
    body: Body,
    answer: Option<Answer>,
    /// Why there is no answer.
    silence: Option<Words>,
    /// It is the time that was short.
    is_late: bool,
    outcome: Option<Outcome>,
}

/// A request's or an answer's first line and headers.
#[derive(Debug, Clone, Serialize)]
struct Head {
    line: String,
    headers: Vec<(String, String)>,
}

#[derive(Debug, Clone, Serialize)]
struct Answer {
    head: Head,
    /// Milliseconds it took.
    after: f64,
    body: Body,
    /// What a sealed answer says.
    opened: Option<Body>,
}

/// A body, or the beginning of one.
#[derive(Debug, Clone, Serialize)]
struct Body {
    text: String,
    /// Of all of it.
    bytes: usize,
    whole: bool,
}

impl Body {
    fn of(bytes: &[u8]) -> Body {
        let kept = bytes.get(..KEPT).unwrap_or(bytes);
        Body { text: String::from_utf8_lossy(kept).into_owned(), bytes: bytes.len(), whole: kept.len() == bytes.len() }
    }
}

/// What WeChat makes of it.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// In a line, with the reason.
    verdict: Words,
    /// What to look at first.
    hint: Option<Words>,
    tone: Tone,
    #[serde(flatten)]
    shown: Shown,
    /// Milliseconds from the push's first moment.
    at: u64,
}

/// Whether all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Tone {
    /// The follower sees what was answered, or the address is confirmed.
    Good,
    /// There is nothing to see, as was asked.
    Quiet,
    /// What was answered is lost.
    Bad,
    /// No answer in time, or not the code that was asked for: WeChat delivers again.
    Silent,
}

impl Outcome {
    /// Upon an answer to what takes that; `lost` is why there is no answer, if it was not only late.
    pub fn of(takes: Takes, verdict: &Verdict, lost: Option<&Lost>, at: Duration) -> Outcome {
        let tone = match verdict {
            Verdict::Accepted(_) | Verdict::Confirmed => Tone::Good,
            Verdict::Silent => Tone::Quiet,
            Verdict::PushedAgain(_) | Verdict::Ignored(Reason::Silence | Reason::TooLate { .. }) => Tone::Silent,
            _ => Tone::Bad,
        };
        Outcome {
            verdict: chinese::told(verdict, lost),
            hint: hint_to(takes, verdict, lost),
            tone,
            shown: Shown::of(takes, verdict, lost),
            at: millis(at),
        }
    }
}

impl Push {
    /// Before it is sent; the conversation gives it its number.
    pub fn new(message: Vec<u8>) -> Push {
        let event = parse_event(&message).ok();
        let takes = event.as_ref().map_or(Takes::Success, Event::takes);
        Push {
            name: event.as_ref().map(|event| event.name().to_owned()).unwrap_or_default(),
            takes_reply: takes == Takes::Reply,
            takes,
            summary: event.as_ref().map(summary).unwrap_or_default(),
            said: event.as_ref().and_then(Said::of),
            message: Body::of(&message),
            bytes: message,
            address_check: false,
            ..Push::address_check()
        }
    }

    /// The console's button.
    pub fn address_check() -> Push {
        Push {
            id: 0,
            revision: 0,
            address_check: true,
            name: String::new(),
            takes_reply: false,
            takes: Takes::Success,
            summary: String::new(),
            said: None,
            message: Body::of(b""),
            begun: epoch_millis(),
            attempts: Vec::new(),
            outcome: None,
            bytes: Vec::new(),
        }
    }

    /// Whether the sender follows the account from now on; `None` if that is as before.
    pub fn follows(&self) -> Option<bool> {
        match parse_event(&self.bytes).ok()?.kind {
            Kind::Subscribe(_) => Some(true),
            Kind::Unsubscribe(_) => Some(false),
            _ => None,
        }
    }
}

impl Said {
    fn of(event: &Event<'_>) -> Option<Said> {
        let field = |path| event.field(path).map(String::from).unwrap_or_default();
        Some(match &event.kind {
            Kind::Text(_) => Said::Text { content: field("Content") },
            Kind::Image(_) => Said::Image,
            Kind::Voice(_) => Said::Voice { recognition: field("Recognition") },
            Kind::Video(_) => Said::Video { short: false },
            Kind::ShortVideo(_) => Said::Video { short: true },
            Kind::LocationMessage(_) => {
                Said::Location { label: field("Label"), latitude: field("Location_X"), longitude: field("Location_Y") }
            }
            Kind::Link(_) => Said::Link { title: field("Title"), description: field("Description") },
            Kind::File(_) => Said::File { title: field("Title"), bytes: field("FileTotalLen") },
            Kind::MiniprogramPage(_) => Said::MiniprogramPage { title: field("Title") },
            _ => return None,
        })
    }
}

/// What a person would name it by.
fn summary(event: &Event<'_>) -> String {
    let telling = [
        "Content",
        "ScanCodeInfo/ScanResult",
        "SendLocationInfo/Label",
        "EventKey",
        "Label",
        "Recognition",
        "Title",
        "Latitude",
        "Status",
        "status",
        "CardId",
    ];
    let texts = telling.iter().filter_map(|path| event.field(path)).map(String::from);
    texts.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default().chars().take(120).collect()
}

impl Attempt {
    pub fn sent(target: &Target, request: &Request, at: Duration) -> Attempt {
        let builder = target.head(request);
        let mut headers = builder.headers_ref().map(pairs).unwrap_or_default();
        if !request.body.is_empty() {
            headers.push((title_case(CONTENT_LENGTH.as_str()), request.body.len().to_string()));
        }
        let line = format!("{} {} HTTP/1.1", request.method, target.path(&request.query));
        Attempt {
            sent: millis(at),
            ended: None,
            request: Head { line, headers },
            body: Body::of(&request.body),
            answer: None,
            silence: None,
            is_late: false,
            outcome: None,
        }
    }

    pub fn end(
        &mut self,
        account: &Account,
        takes: Takes,
        came: &Result<Answered, Silence>,
        verdict: &Verdict,
        at: Duration,
    ) {
        self.ended = Some(millis(at));
        self.outcome = Some(Outcome::of(takes, verdict, came.as_ref().err().and_then(Silence::lost).as_ref(), at));
        match came {
            Ok(answered) => self.answer = Some(Answer::of(account, answered, verdict)),
            Err(silence) => {
                self.silence = Some(silence.words());
                self.is_late = silence.is_late();
            }
        }
    }
}

impl Answer {
    fn of(account: &Account, answered: &Answered, verdict: &Verdict) -> Answer {
        let opened = match verdict {
            Verdict::Accepted(reply) if reply.sealed => Some(Body::of(&reply.message)),
            Verdict::Accepted(_) => None,
            _ => account.open(&answered.body).map(|message| Body::of(&message)),
        };
        let reason = StatusCode::from_u16(answered.status).ok().and_then(|status| status.canonical_reason());
        let line = format!("{:?} {} {}", answered.version, answered.status, reason.unwrap_or_default());
        Answer {
            head: Head { line: line.trim_end().to_owned(), headers: pairs(&answered.headers) },
            after: answered.after.as_secs_f64() * 1e3,
            body: Body::of(&answered.body),
            opened,
        }
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (title_case(name.as_str()), text(value))).collect()
}

/// As headers are usually written; hyper tells them in small letters.
fn title_case(name: &str) -> String {
    let part = |part: &str| {
        let mut chars = part.chars();
        chars.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + chars.as_str())
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub fn epoch_millis() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_written_as_people_write_them() {
        assert_eq!(title_case("content-length"), "Content-Length");
    }
}
