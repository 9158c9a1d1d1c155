//! Payments.

use std::time::Duration;

use tokio::time::sleep;

use super::Behaviour::{Answers, Changes, Serves};
use super::{Fault, QUICK, fault};
use crate::receiver::Mode::{Compatible, Plain, Safe};
use crate::receiver::{Answer, Asked};

pub const FAULTS: &[Fault] = &[
    fault(
        "answers a payment as any other event",
        Plain,
        &["--payments", "--skip", "slow,joins,hostile"],
        &["pay-code", "pay-json", "pay-missing-fields", "pay-unknown", "pay-game"],
        Answers(|_, asked| is_payment(asked).then(|| Answer::new(200, "success"))),
    ),
    fault(
        "takes four seconds for a payment",
        Plain,
        QUICK,
        &["pay-code", "pay-json", "pay-missing-fields", "pay-unknown"],
        Serves(|stand, asked| {
            Box::pin(async move {
                if asked.field("Event").starts_with("xpay_") {
                    sleep(Duration::from_secs(4)).await;
                }
                stand.good(&asked).await
            })
        }),
    ),
    fault(
        "knows no order",
        Compatible,
        QUICK,
        &["pay-code", "pay-again", "pay-json"],
        Answers(|_, asked| is_payment(asked).then(|| code(asked, -1))),
    ),
    fault(
        "answers success to a payment that was done before",
        Safe,
        QUICK,
        &["pay-again", "pay-json"],
        Answers(|_, asked| (asked.field("RetryTimes") == "1").then(|| Answer::new(200, "success"))),
    ),
    fault(
        "fails on a payment that was done before",
        Plain,
        QUICK,
        &["pay-again", "pay-json"],
        Answers(|_, asked| (asked.field("RetryTimes") == "1").then(|| code(asked, 7))),
    ),
    fault(
        "answers payments in XML alone",
        Plain,
        QUICK,
        &["pay-json"],
        Answers(|_, asked| {
            (is_payment(asked) && asked.message().starts_with(b"{"))
                .then(|| Answer::new(200, "<xml><ErrCode>0</ErrCode></xml>"))
        }),
    ),
    fault(
        "fails on a payment without its fields",
        Safe,
        QUICK,
        &["pay-missing-fields"],
        Answers(|_, asked| {
            let apple = "AppleSubscriptionInfo/OriginalTransactionId";
            let keys = ["OutTradeNo", "WxRefundId", "ComplaintId", "BusinessCode", apple];
            let has_none = || keys.iter().all(|key| asked.field(key).is_empty());
            (asked.field("Event").starts_with("xpay_") && has_none()).then(|| Answer::new(500, "no order"))
        }),
    ),
    fault(
        "knows the payments of today alone",
        Plain,
        QUICK,
        &["pay-unknown"],
        Answers(|_, asked| asked.field("Event").contains("brand_new").then(|| Answer::new(200, "success"))),
    ),
    fault(
        "seals what it answers to a mini game",
        Safe,
        QUICK,
        &["pay-game"],
        Changes(|stand, asked, answer| match asked.field("Event").starts_with("minigame_") {
            true => stand.written(&answer.text(), None),
            false => answer,
        }),
    ),
    fault(
        "finds every mini game's signature wrong",
        Plain,
        &["--app-key", "app key", "--only", "payments"],
        &["pay-game"],
        Answers(|_, asked| asked.field("Event").starts_with("minigame_").then(|| code(asked, -1))),
    ),
];

fn is_payment(asked: &Asked) -> bool {
    ["xpay_", "minigame_"].iter().any(|begin| asked.field("Event").starts_with(begin))
}

/// In the form of the push.
fn code(asked: &Asked, code: i64) -> Answer {
    Answer::new(
        200,
        match asked.message().starts_with(b"{") {
            true => format!(r#"{{"ErrCode":{code},"ErrMsg":"no"}}"#),
            false => format!("<xml><ErrCode>{code}</ErrCode><ErrMsg>no</ErrMsg></xml>"),
        },
    )
}
