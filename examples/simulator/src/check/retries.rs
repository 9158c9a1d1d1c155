//! The same push once more, as after an answer that was lost.

use wechat_events::testing::{Draft, Verdict};

use super::receiver::{Exchange, Receiver, shortened};
use super::{ALL, Check, Group, Level, Miss, Outcome, fail, skip};
use crate::account::now;

pub const CHECKS: &[Check] = &[
    Check {
        id: "retry-taken",
        group: Group::Retries,
        level: Level::Must,
        modes: ALL,
        sends: "a text, a click and a scan, each twice; in plain mode with the same nonce, as WeChat does",
        passes: "an answer that WeChat accepts, both times",
        means: "retries are refused, as by a nonce cache: the user sees the fault line after each slow answer",
        run: |receiver| Box::pin(taken(receiver)),
    },
    Check {
        id: "retry-once",
        group: Group::Retries,
        level: Level::Must,
        modes: ALL,
        sends: "`number` twice",
        passes: "the same reply twice, or `success` the second time",
        means: "a slow handler does everything up to three times: orders, payments, messages",
        run: |receiver| Box::pin(once(receiver)),
    },
    Check {
        id: "retry-same-id",
        group: Group::Retries,
        level: Level::Should,
        modes: ALL,
        sends: "texts of two users with the same MsgId (observed)",
        passes: "each gets the reply to its own text",
        means: "the second user gets the first one's answer, or none: the MsgId alone identifies no message",
        run: |receiver| Box::pin(same_id(receiver)),
    },
    Check {
        id: "retry-same-second",
        group: Group::Retries,
        level: Level::Should,
        modes: ALL,
        sends: "LOCATION and two clicks of one user in the same second (observed)",
        passes: "each click gets its own reply",
        means: "an event is mistaken for a retry of another, and lost: FromUserName + CreateTime is not unique, though the \
                official page says so",
        run: |receiver| Box::pin(same_second(receiver)),
    },
];

/// A push and its second delivery, when the first has been answered.
pub async fn twice(receiver: &Receiver, draft: &Draft<'_>) -> Result<[Exchange; 2], Miss> {
    receiver.needs_genuine()?;
    let deliveries = draft.deliver(now(), |_| None).attempts;
    let mut deliveries = deliveries.into_iter().map(|attempt| receiver.exchange(attempt.request));
    match (deliveries.next(), deliveries.next()) {
        (Some(first), Some(second)) => Ok([first.await, second.await]),
        _ => skip("not sent"),
    }
}

async fn taken(receiver: &Receiver) -> Outcome {
    for draft in [receiver.text("hello"), receiver.push("CLICK"), receiver.push("SCAN")] {
        // What fails at the first delivery is told by the checks of kinds.
        let [first, second] = twice(receiver, &draft).await?;
        if first.is_taken() && !second.is_taken() {
            return fail(format!("at the second delivery: {}", second.seen()));
        }
    }
    Ok(String::new())
}

async fn once(receiver: &Receiver) -> Outcome {
    if !receiver.knows.number {
        return skip("the receiver does not know `number`");
    }
    let [first, second] = twice(receiver, &receiver.text("number")).await?;
    match (first.content(), second.content(), &second.verdict) {
        (Some(first), Some(second), _) if first == second => Ok(String::new()),
        (Some(first), Some(second), _) => {
            fail(format!("first `{}`, then `{}`: the handler ran twice", shortened(&first), shortened(&second)))
        }
        (Some(_), None, Verdict::Silent) => Ok("the second delivery gets `success`".to_owned()),
        (Some(_), None, _) => skip("the second is refused: see retry-taken"),
        (None, ..) => fail(first.seen()),
    }
}

async fn same_id(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    receiver.needs_echo()?;
    let msg_id = receiver.msg_id();
    for mark in [receiver.mark(), receiver.mark()] {
        let exchange =
            receiver.exchange(receiver.text(&format!("echo {mark}")).set("MsgId", &msg_id).request(now())).await;
        if exchange.content().as_deref() != Some(&*mark) {
            return fail(format!("for `echo {mark}`: {}", exchange.seen()));
        }
    }
    Ok(String::new())
}

async fn same_second(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let click = |user: &str, key: &str, created: &str| {
        receiver.push("CLICK").set("FromUserName", user).set("EventKey", key).set("CreateTime", created).request(now())
    };
    let created = now().to_string();
    let mut alone = Vec::new();
    for key in ["first", "second", "first"] {
        match receiver.exchange(click(&receiver.user(), key, &created)).await.content() {
            Some(content) => alone.push(content),
            None => return skip("the receiver does not reply to clicks with a text"),
        }
    }
    // A reply with the time or the user in it is another each time.
    let steady = alone.first() == alone.last();
    let user = receiver.user();
    let location = receiver.push("LOCATION").set("FromUserName", &user).set("CreateTime", &created);
    receiver.exchange(location.request(now())).await;
    for (key, expected) in ["first", "second"].into_iter().zip(alone) {
        let exchange = receiver.exchange(click(&user, key, &created)).await;
        if exchange.content().is_none_or(|content| steady && content != expected) {
            return fail(format!(
                "for the {key} click, which alone gets `{}`: {}",
                shortened(&expected),
                exchange.seen()
            ));
        }
    }
    Ok(String::new())
}
