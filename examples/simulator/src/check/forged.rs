//! What an attacker sends, who has no token; and who has, by whatever way, one part of the secrets.

use wechat_events::testing::Request;

use super::receiver::{Receiver, altered, parameter, sha1, with};
use super::{Check, Group, Level, Outcome, PLAIN};
use crate::account::now;

pub const CHECKS: &[Check] = &[
    Check {
        id: "forged-wrong-signature",
        group: Group::Forged,
        level: Level::Must,
        modes: PLAIN,
        sends: "a text whose signature is wrong in one digit, cut short, or made with no token",
        passes: "anything but a reply; a status of 4xx is best",
        means: "anybody can write in the name of any follower",
        run: |receiver| Box::pin(wrong_signature(receiver)),
    },
    Check {
        id: "forged-no-signature",
        group: Group::Forged,
        level: Level::Must,
        modes: PLAIN,
        sends: "a text without signature, without timestamp, without nonce, without any of them",
        passes: "anything but a reply; a status of 4xx is best",
        means: "anybody can write in the name of any follower",
        run: |receiver| Box::pin(no_signature(receiver)),
    },
];

/// A text that a reply would show, under another query.
fn text(receiver: &Receiver, query: impl FnOnce(&str) -> String) -> Request {
    let mut request = receiver.text(&format!("echo {}", receiver.mark())).request(now());
    request.query = query(&request.query);
    request
}

async fn wrong_signature(receiver: &Receiver) -> Outcome {
    let in_one_digit = |query: &str| with(query, "signature", Some(&altered(parameter(query, "signature"))));
    let short = |query: &str| with(query, "signature", parameter(query, "signature").get(..8));
    let nobodys =
        |query: &str| with(query, "signature", Some(&sha1([parameter(query, "timestamp"), parameter(query, "nonce")])));
    receiver.refuses(text(receiver, in_one_digit)).await?;
    receiver.refuses(text(receiver, short)).await?;
    receiver.refuses(text(receiver, nobodys)).await
}

async fn no_signature(receiver: &Receiver) -> Outcome {
    for name in ["signature", "timestamp", "nonce"] {
        receiver.refuses(text(receiver, |query| with(query, name, None))).await?;
    }
    receiver.refuses(text(receiver, |_| String::new())).await
}
