//! Every kind of push.

use futures_util::future::join_all;
use wechat_events::event::{Group as Page, KINDS, KindInfo};

use super::receiver::Receiver;
use super::{ALL, Check, Group, Level, Outcome, fail};
use crate::account::now;

pub const CHECKS: &[Check] = &[Check {
    id: "kinds-message",
    group: Group::Kinds,
    level: Level::Must,
    modes: ALL,
    sends: "each kind of message",
    passes: "a reply that WeChat takes, `success`, or nothing",
    means: "followers see the fault line (该公众号提供的服务出现故障)",
    run: |receiver| Box::pin(page(receiver, Page::Message)),
}];

async fn page(receiver: &Receiver, page: Page) -> Outcome {
    let kinds: Vec<&KindInfo> = KINDS.iter().filter(|kind| kind.group() == page).collect();
    let sent = kinds.iter().map(|kind| receiver.exchange(receiver.push(kind.name()).request(now())));
    let bad: Vec<String> = join_all(sent)
        .await
        .iter()
        .zip(&kinds)
        .filter(|(exchange, _)| !exchange.is_taken())
        .map(|(exchange, kind)| format!("{}: {}", kind.name(), exchange.seen()))
        .collect();
    if bad.is_empty() { Ok(String::new()) } else { fail(bad.join("\n")) }
}
