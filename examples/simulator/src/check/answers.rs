//! What holds for every answer.

use wechat_events::testing::Verdict;

use super::receiver::{Exchange, Genuine, NOTHING_TO_COMPARE, Receiver};
use super::{ALL, Check, Group, Level, Miss, Outcome, SEALED, address, doubt, fail, skip};
use crate::account::now;
use crate::wire::Silence;

/// The check without which most others tell nothing.
pub const GENUINE: &str = "answer-text";

/// Seconds that the receiver's clock may be off; a reply that has the push's own CreateTime is off by less.
const CLOCKS_APART: u64 = 5 * 60;

pub const CHECKS: &[Check] = &[
    Check {
        id: GENUINE,
        group: Group::Answers,
        level: Level::Must,
        modes: ALL,
        sends: "a text, and again if need be, up to three times",
        passes: "an answer that WeChat accepts, in time, to one of them",
        means: "users see the fault line; and without one good answer, the other checks say nothing",
        run: |receiver| Box::pin(async { genuine(receiver) }),
    },
    Check {
        id: "answer-length",
        group: Group::Answers,
        level: Level::Must,
        modes: ALL,
        sends: "a text and an event that takes no reply",
        passes: "answers with Content-Length, not chunked",
        means: "WeChat rejects the answer (observed): the user sees the fault line",
        run: |receiver| Box::pin(length(receiver)),
    },
    Check {
        id: "answer-content-type",
        group: Group::Answers,
        level: Level::Should,
        modes: ALL,
        sends: "a text",
        passes: "a reply as text/xml or application/xml",
        means: "nothing known in WeChat; but as text/html, what a user typed is served as a page",
        run: |receiver| Box::pin(content_type(receiver)),
    },
    Check {
        id: "answer-time",
        group: Group::Answers,
        level: Level::Should,
        modes: ALL,
        sends: "a text",
        passes: "a reply whose CreateTime is now, in seconds",
        means: "nothing known in WeChat; the official page asks for seconds since 1970: milliseconds do not fit a 32-bit \
                number, and local time is hours off",
        run: |receiver| Box::pin(create_time(receiver)),
    },
    Check {
        id: "answer-encrypted-afresh",
        group: Group::Answers,
        level: Level::Must,
        modes: SEALED,
        sends: "the same text from one user in two pushes",
        passes: "replies that are not encrypted to the same bytes",
        means: "an eavesdropper sees which users get the same reply: the 16 random bytes are not random",
        run: |receiver| Box::pin(seal_fresh(receiver)),
    },
    Check {
        id: "answer-encrypted",
        group: Group::Answers,
        level: Level::Should,
        modes: SEALED,
        sends: "an encrypted text",
        passes: "an encrypted reply",
        means: "in safe mode the fault line; in compatible mode nothing, until the console is set to safe mode",
        run: |receiver| Box::pin(sealed(receiver)),
    },
];

fn genuine(receiver: &Receiver) -> Outcome {
    match &receiver.genuine {
        Genuine::Bad { seen, hint: Some(hint) } => fail(format!("{seen}\n{hint}")),
        Genuine::Bad { seen, hint: None } => fail(seen),
        Genuine::Reply | Genuine::Silent(_) => Ok(String::new()),
    }
}

async fn length(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    for name in ["text", "unsubscribe"] {
        address::has_length(&receiver.exchange(receiver.push(name).request(now())).await)?;
    }
    Ok(String::new())
}

/// A reply that WeChat takes.
async fn reply(receiver: &Receiver) -> Result<Exchange, Miss> {
    receiver.needs_genuine()?;
    let exchange = receiver.exchange(receiver.text(&format!("echo {}", receiver.mark())).request(now())).await;
    match exchange.verdict {
        Verdict::Accepted(_) => Ok(exchange),
        Verdict::Silent => skip("the receiver does not reply to texts"),
        _ => fail(exchange.seen()),
    }
}

async fn content_type(receiver: &Receiver) -> Outcome {
    let exchange = reply(receiver).await?;
    let Ok(answered) = &exchange.came else { return fail(exchange.seen()) };
    let found = answered.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/xml" | "application/xml" => Ok(String::new()),
        "" => fail("no Content-Type"),
        _ => fail(format!("Content-Type: {found}")),
    }
}

async fn create_time(receiver: &Receiver) -> Outcome {
    let exchange = reply(receiver).await?;
    let found = exchange.verdict.field("CreateTime").unwrap_or_default();
    match found.trim().parse::<i64>() {
        Ok(seconds) if seconds.abs_diff(now()) <= CLOCKS_APART => Ok(String::new()),
        _ => fail(format!("CreateTime is {found}, and now is {}", now())),
    }
}

async fn seal_fresh(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let (mark, user, created) = (receiver.mark(), receiver.user(), now().to_string());
    let draft = |msg_id: &str| {
        let text = receiver.text(&format!("echo {mark}")).set("FromUserName", &user);
        text.set("CreateTime", &created).set("MsgId", msg_id).request(now())
    };
    let mut came = Vec::new();
    for msg_id in [receiver.msg_id(), receiver.msg_id()] {
        let exchange = receiver.ask(|| draft(&msg_id), Exchange::is_in_time).await;
        match (&exchange.came, exchange.encrypt()) {
            (_, Some(encrypt)) => came.push(encrypt),
            (Ok(_), None) => return skip("replies are not encrypted"),
            (Err(silence), None) if silence.is_late() => return doubt(NOTHING_TO_COMPARE),
            (Err(Silence::Broken(_) | Silence::TooLong), None) => return fail(exchange.seen()),
            // A refused connection says nothing about encryption.
            (Err(_), None) => return doubt(exchange.seen()),
        }
    }
    if came.first() == came.last() { fail("both have the same Encrypt") } else { Ok(String::new()) }
}

async fn sealed(receiver: &Receiver) -> Outcome {
    match reply(receiver).await?.verdict {
        Verdict::Accepted(reply) if reply.sealed => Ok(String::new()),
        _ => fail("it is not encrypted"),
    }
}
