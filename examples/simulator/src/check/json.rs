//! Pushes in JSON, as mini programs and cloud hosting choose them in the console. Official Accounts get XML.

use serde_json::json;
use wechat_events::testing::Verdict;

use super::receiver::{Exchange, Genuine, Receiver};
use super::{ALL, Check, Group, Level, Miss, Outcome, doubt, fail, skip};
use crate::account::now;
use crate::wire::Silence;

pub const CHECKS: &[Check] = &[
    Check {
        id: "json-text",
        group: Group::Json,
        level: Level::Should,
        modes: ALL,
        sends: "a text in JSON",
        passes: "a reply in JSON, `success` or an empty body; skipped where JSON is not accepted at all",
        means: "the user of a mini program sees the fault line, or nothing",
        run: |receiver| Box::pin(text(receiver)),
    },
    Check {
        id: "json-event",
        group: Group::Json,
        level: Level::Should,
        modes: ALL,
        sends: "an event in JSON, with a list and a number",
        passes: "`success` or an empty body; skipped where JSON is not accepted at all",
        means: "an alarm, and the event is lost",
        run: |receiver| Box::pin(event(receiver)),
    },
];

/// A text in JSON; `Skipped` if the receiver takes none.
pub async fn taken(receiver: &Receiver) -> Result<Exchange, Miss> {
    receiver.needs_genuine()?;
    let push = json!({
        "ToUserName": "gh_ebc88566ca2e",
        "FromUserName": receiver.user(),
        "CreateTime": now(),
        "MsgType": "text",
        "Content": format!("echo {}", receiver.mark()),
        "MsgId": 1_u64 << 54 | receiver.number() << 3 | 1,
    });
    let request = || receiver.wechat.raw(push.to_string()).request(now());
    let exchange = receiver.ask(request, Exchange::is_in_time).await;
    let is_reply = exchange.is_reply();
    match (&exchange.came, &receiver.genuine) {
        (Ok(answered), _) if answered.status != 200 => skip(format!("JSON is not accepted: {}", exchange.seen())),
        (Err(Silence::Broken(_) | Silence::TooLong), _) => skip(format!("JSON is not accepted: {}", exchange.seen())),
        (Err(Silence::TimedOut | Silence::Unreachable(_)), _) => {
            doubt(format!("{}: whether JSON is taken cannot be told", exchange.seen()))
        }
        (Ok(_), Genuine::Reply) if !is_reply => skip(format!("JSON is not accepted: {}", exchange.seen())),
        _ => Ok(exchange),
    }
}

async fn text(receiver: &Receiver) -> Outcome {
    let exchange = taken(receiver).await?;
    match exchange.verdict {
        Verdict::Accepted(_) | Verdict::Silent => Ok(String::new()),
        _ => fail(exchange.seen()),
    }
}

async fn event(receiver: &Receiver) -> Outcome {
    taken(receiver).await?;
    let push = json!({
        "ToUserName": "gh_ebc88566ca2e",
        "FromUserName": receiver.user(),
        "CreateTime": now(),
        "MsgType": "event",
        "Event": "subscribe_msg_popup_event",
        "List": [{ "TemplateId": "VRR0UEO9VJOLs0MHlU0OilqX6MVFDwH3_3gz3Oc0NIc", "SubscribeStatusString": "accept", "PopupScene": 2 }],
    });
    let request = || receiver.wechat.raw(push.to_string()).request(now());
    let exchange = receiver.ask(request, Exchange::is_in_time).await;
    match exchange.is_taken() {
        true => Ok(String::new()),
        false if exchange.is_in_time() => fail(exchange.seen()),
        false => doubt(format!("{}: whether the event is taken cannot be told", exchange.seen())),
    }
}
