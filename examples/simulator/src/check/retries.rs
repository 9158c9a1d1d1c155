//! The same push once more, as after an answer that was lost.

use super::receiver::{Exchange, Receiver};
use super::{ALL, Check, Group, Level, Miss, Outcome, fail, skip};
use crate::account::now;

pub const CHECKS: &[Check] = &[Check {
    id: "retry-once",
    group: Group::Retries,
    level: Level::Must,
    modes: ALL,
    sends: "a text twice",
    passes: "the same reply twice, or `success` the second time",
    means: "what a slow handler does it does up to three times: orders, payments, messages",
    run: |receiver| Box::pin(once(receiver)),
}];

/// A push and its second delivery, when the first has been answered.
async fn twice(receiver: &Receiver) -> Result<[Exchange; 2], Miss> {
    receiver.needs_genuine()?;
    let text = if receiver.knows.number { "number" } else { "hello" };
    let deliveries = receiver.text(text).deliver(now(), |_| None).attempts;
    let mut deliveries = deliveries.into_iter().map(|(request, _)| receiver.exchange(request));
    let (Some(first), Some(second)) = (deliveries.next(), deliveries.next()) else { return skip("not sent") };
    Ok([first.await, second.await])
}

async fn once(receiver: &Receiver) -> Outcome {
    let [first, second] = twice(receiver).await?;
    match (first.content(), second.content()) {
        (Some(first), Some(second)) if first != second => {
            fail(format!("first `{first}`, then `{second}`: the handler ran twice"))
        }
        _ if !receiver.knows.number => skip("the receiver does not know `number`"),
        _ => Ok(String::new()),
    }
}
