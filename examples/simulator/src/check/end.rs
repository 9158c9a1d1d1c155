//! After all that.

use super::receiver::Receiver;
use super::{ALL, Check, Group, Level, Outcome, address};
use crate::account::now;

pub const CHECKS: &[Check] = &[Check {
    id: "still-there",
    group: Group::End,
    level: Level::Must,
    modes: ALL,
    sends: "the address check and a text, after everything else",
    passes: "the same as at the start",
    means: "a stranger can take your service down",
    run: |receiver| Box::pin(still_there(receiver)),
}];

async fn still_there(receiver: &Receiver) -> Outcome {
    if receiver.confirms {
        address::right(receiver).await?;
    }
    receiver.needs_genuine()?;
    receiver.takes(receiver.text("hello").request(now())).await.map(|_| String::new())
}
