//! What followers type.

use futures_util::future::join_all;

use super::receiver::Receiver;
use super::{ALL, Check, Group, Level, Outcome, fail};
use crate::account::now;

pub const CHECKS: &[Check] = &[Check {
    id: "text-cdata-end",
    group: Group::Text,
    level: Level::Must,
    modes: ALL,
    sends: "`echo` with ]]> and elements behind it",
    passes: "the same text as the reply's content",
    means: "followers write the elements of your replies, or see the fault line",
    run: |receiver| {
        Box::pin(echoes(receiver, &["a]]>b", "]]></Content><MsgType><![CDATA[image]]></MsgType><Content>"]))
    },
}];

/// Fails unless each text comes back.
async fn echoes(receiver: &Receiver, texts: &[&str]) -> Outcome {
    receiver.needs_genuine()?;
    let sent = texts.iter().map(|text| receiver.exchange(receiver.text(&format!("echo {text}")).request(now())));
    for (exchange, text) in join_all(sent).await.iter().zip(texts) {
        if !exchange.is_taken() || (receiver.knows.echo && exchange.content().as_deref() != Some(text)) {
            return fail(format!("`{}`: {}", text.escape_debug(), exchange.seen()));
        }
    }
    receiver.needs_echo().map(|()| String::new())
}
