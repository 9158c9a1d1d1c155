//! Handlers that take longer than WeChat waits, and retries that come late.

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};
use wechat_events::testing::{DELIVERIES, Draft, Request, Verdict};

use super::receiver::{Exchange, Receiver, shortened};
use super::{ALL, Check, Group, Level, Miss, Outcome, fail, skip};
use crate::account::now;

const REPLY: &str = "the reply in a later delivery, from a single run; or `success` in the first, when the handler was \
                     given up";
const LOST: &str = "the handler runs three times, or its answer is lost: the user sees the fault line, or nothing";

pub const CHECKS: &[Check] = &[
    Check {
        id: "slow-second",
        group: Group::Slow,
        level: Level::Must,
        modes: ALL,
        sends: "`wait 6`, or the first time of `--slow`, as WeChat does: at 0, 5.07 and 10.08 s, for 5 s each",
        passes: REPLY,
        means: LOST,
        run: |receiver| Box::pin(slow(receiver, receiver.slow[0])),
    },
    Check {
        id: "slow-third",
        group: Group::Slow,
        level: Level::Must,
        modes: ALL,
        sends: "`wait 12`, or the second time of `--slow`, as WeChat does",
        passes: REPLY,
        means: LOST,
        run: |receiver| Box::pin(slow(receiver, receiver.slow[1])),
    },
    Check {
        id: "slow-late",
        group: Group::Slow,
        level: Level::Should,
        modes: ALL,
        sends: "`wait 20`, or the third time of `--slow`, as WeChat does: longer than all three deliveries",
        passes: "`success` or an empty body in one of the deliveries",
        means: "the user sees the fault line, though the service works",
        run: |receiver| Box::pin(late(receiver)),
    },
    Check {
        id: "slow-kept",
        group: Group::Slow,
        level: Level::Must,
        modes: ALL,
        sends: "`number`, answered at once, yet delivered again at 5.07 and 10.08 s",
        passes: "the same reply each time, or `success`",
        means: "the push is forgotten before WeChat gives up: the third delivery runs the handler again",
        run: |receiver| Box::pin(kept(receiver)),
    },
];

/// The requests of all three deliveries.
fn deliveries(draft: &Draft<'_>) -> Vec<Request> {
    draft.deliver(now(), |_| None).attempts.into_iter().map(|attempt| attempt.request).collect()
}

/// What came of a push on WeChat's schedule.
struct Delivered {
    /// Which delivery was answered in time, from 1.
    attempt: usize,
    exchange: Exchange,
    /// Of a delivery more.
    again: Request,
}

/// Delivers until there is an answer in time, as WeChat does; `None`: there is none.
async fn delivered(receiver: &Receiver, text: &str) -> Result<Option<Delivered>, Miss> {
    let begun = Instant::now();
    let draft = receiver.text(text);
    let requests = deliveries(&draft);
    let again = requests.last().cloned();
    for ((request, due), attempt) in requests.into_iter().zip(DELIVERIES).zip(1..) {
        sleep_until(begun + due).await;
        let exchange = receiver.exchange_at_once(request).await;
        match (&exchange.verdict, &again) {
            _ if !exchange.is_in_time() => {}
            (Verdict::Accepted(_) | Verdict::Silent, Some(again)) => {
                return Ok(Some(Delivered { attempt, exchange, again: again.clone() }));
            }
            _ => return fail(format!("delivery {attempt}: {}", exchange.seen())),
        }
    }
    Ok(None)
}

async fn slow(receiver: &Receiver, seconds: f64) -> Outcome {
    receiver.needs_genuine()?;
    receiver.needs_wait()?;
    let Some(Delivered { attempt, exchange, again }) = delivered(receiver, &format!("wait {seconds}")).await? else {
        return fail("no delivery is answered in time");
    };
    let Some(content) = exchange.content() else {
        return match attempt {
            1 => {
                Ok("`success` in the first delivery: the reply has to be sent through the customer-service API"
                    .to_owned())
            }
            _ => fail(format!("delivery {attempt} gets `success`, and the reply is lost")),
        };
    };
    let once_more = receiver.exchange_at_once(again).await;
    match once_more.content() {
        Some(other) if other != content => fail(format!(
            "`{}` in delivery {attempt}, `{}` in one more: the handler runs each time",
            shortened(&content),
            shortened(&other)
        )),
        _ => Ok(format!("the reply in delivery {attempt}")),
    }
}

async fn late(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    receiver.needs_wait()?;
    match delivered(receiver, &format!("wait {}", receiver.slow[2])).await? {
        None => fail("no delivery is answered in time"),
        Some(Delivered { attempt, exchange, .. }) => match exchange.content() {
            None => Ok(format!("`success` in delivery {attempt}")),
            Some(content) => Ok(format!("`{}` in delivery {attempt}", shortened(&content))),
        },
    }
}

async fn kept(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    if !receiver.knows.number {
        return skip("the receiver does not know `number`");
    }
    let begun = Instant::now();
    let draft = receiver.text("number");
    let sent = deliveries(&draft).into_iter().zip(DELIVERIES).map(|(request, due)| async move {
        sleep_until(begun + due).await;
        receiver.exchange_at_once(request).await
    });
    let mut first: Option<String> = None;
    for (exchange, attempt) in join_all(sent).await.iter().zip(1..) {
        match (exchange.content(), &first) {
            (Some(content), Some(first)) if content != *first => {
                return fail(format!("`{}` first, `{}` in delivery {attempt}", shortened(first), shortened(&content)));
            }
            (None, _) if !exchange.is_taken() => return fail(format!("delivery {attempt}: {}", exchange.seen())),
            (content, _) => first = first.or(content),
        }
    }
    Ok(String::new())
}

/// Seconds that the handler is made to wait, if nothing else is asked for.
pub const SECONDS: &str = "6,12,20";

/// Reads such a number.
pub fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(seconds),
        _ => Err("it is not a number of seconds, such as 6".to_owned()),
    }
}
