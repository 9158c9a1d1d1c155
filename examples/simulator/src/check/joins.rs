//! Many deliveries of one push at the same time.

use futures_util::future::join_all;

use super::receiver::Receiver;
use super::{ALL, Check, Group, Level, Outcome, fail, skip};
use crate::account::now;

/// Deliveries at once.
const CROWD: usize = 50;

pub const CHECKS: &[Check] = &[Check {
    id: "joins-once",
    group: Group::Joins,
    level: Level::Must,
    modes: ALL,
    sends: "50 deliveries of one text at the same time",
    passes: "one reply, in one answer or more; the others `success`, nothing, or status 503",
    means: "retries that meet the first delivery run the handler again",
    run: |receiver| Box::pin(once(receiver)),
}];

async fn once(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let text = match receiver.knows {
        knows if knows.wait => "wait 1",
        knows if knows.number => "number",
        _ => return skip("the receiver does not know `number`"),
    };
    let draft = receiver.text(text);
    let request = draft.request(now());
    let came = join_all((0..CROWD).map(|_| receiver.exchange_at_once(request.clone()))).await;
    let mut replies: Vec<String> = Vec::new();
    for exchange in &came {
        match exchange.content() {
            Some(content) if !replies.contains(&content) => replies.push(content),
            Some(_) => {}
            None if exchange.is_taken() => {}
            None if exchange.came.as_ref().is_ok_and(|answered| answered.status == 503) => {}
            None => return fail(exchange.seen()),
        }
    }
    match &*replies {
        [] => fail("no reply at all"),
        [_] => Ok(String::new()),
        _ => fail(format!("{} different replies: {}", replies.len(), replies.join(", "))),
    }
}
