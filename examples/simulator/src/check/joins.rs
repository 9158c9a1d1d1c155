//! Many requests at the same time.

use futures_util::future::{join, join_all};
use wechat_events::testing::Verdict;

use super::receiver::{Exchange, Genuine, Receiver, shortened};
use super::{ALL, Check, Group, Level, Outcome, fail, skip};
use crate::account::now;

/// Deliveries at once.
const CROWD: usize = 50;
/// Handlers that are slow at once.
const SLOW: usize = 4;

pub const CHECKS: &[Check] = &[
    Check {
        id: "joins-answered",
        group: Group::Joins,
        level: Level::Must,
        modes: ALL,
        sends: "50 deliveries of one text at the same time",
        passes: "at least one reply; the others the same, `success`, an empty body or status 503",
        means: "in a busy minute users see the fault line",
        run: |receiver| Box::pin(answered(receiver)),
    },
    Check {
        id: "joins-once",
        group: Group::Joins,
        level: Level::Must,
        modes: ALL,
        sends: "50 deliveries of `wait 1`, or else `number`, at the same time",
        passes: "no two different replies",
        means: "a retry that comes while the handler runs makes it run again: orders, payments, messages",
        run: |receiver| Box::pin(once(receiver)),
    },
    Check {
        id: "joins-others",
        group: Group::Joins,
        level: Level::Should,
        modes: ALL,
        sends: "a text, while the handler waits 3 seconds for each of four other users",
        passes: "a reply within 5 seconds",
        means: "a few slow answers make every user wait, until WeChat times out",
        run: |receiver| Box::pin(others(receiver)),
    },
];

/// The answers to so many deliveries of a text at once.
async fn crowd(receiver: &Receiver, text: &str) -> Vec<Exchange> {
    let request = receiver.text(text).request(now());
    join_all((0..CROWD).map(|_| receiver.exchange_at_once(request.clone()))).await
}

/// The replies that differ.
fn replies(came: &[Exchange]) -> Vec<String> {
    let mut replies = Vec::new();
    for content in came.iter().filter_map(Exchange::content) {
        if !replies.contains(&content) {
            replies.push(content);
        }
    }
    replies
}

/// One that has an answer which it may not have, or none.
fn bad(came: &[Exchange]) -> Option<&Exchange> {
    let is_busy = |exchange: &Exchange| exchange.came.as_ref().is_ok_and(|answered| answered.status == 503);
    came.iter().find(|exchange| !exchange.is_taken() && !is_busy(exchange))
}

async fn answered(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let came = crowd(receiver, &format!("echo {}", receiver.mark())).await;
    if let Some(bad) = bad(&came) {
        return fail(bad.seen());
    }
    let replied = came.iter().any(|exchange| matches!(exchange.verdict, Verdict::Accepted(_)));
    match receiver.genuine {
        Genuine::Reply if !replied => fail("none of the 50 gets a reply"),
        _ => Ok(String::new()),
    }
}

async fn once(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let text = match receiver.knows {
        knows if knows.wait => "wait 1",
        knows if knows.number => "number",
        _ => return skip("the receiver does not know `number`"),
    };
    let came = crowd(receiver, text).await;
    let count = came.iter().filter_map(Exchange::content).count();
    // Whatever became of the others: replies that differ tell how often the handler ran.
    match (&*replies(&came), bad(&came)) {
        (several @ [_, _, ..], _) => {
            fail(format!("{} different replies: `{}`", several.len(), shortened(&several.join(", "))))
        }
        (_, Some(bad)) if count < 2 => skip(format!("too few replies to compare: {}", bad.seen())),
        ([], _) => skip("none of the 50 gets a reply: see joins-answered"),
        ([_], _) => Ok(String::new()),
    }
}

async fn others(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    receiver.needs_wait()?;
    let slow = join_all((0..SLOW).map(|_| receiver.exchange_at_once(receiver.text("wait 3").request(now()))));
    let other = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        receiver.exchange_at_once(receiver.text("hello").request(now())).await
    };
    let (_, other) = join(slow, other).await;
    if other.is_taken() { Ok(String::new()) } else { fail(other.seen()) }
}
