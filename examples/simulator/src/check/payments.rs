//! Payments of mini programs and mini games, which ask for a code where other events ask for `success`.
//!
//! Most receivers have nothing to sell. So these are checks of those that answer a payment with a code, right or wrong,
//! and of all for which they are asked for: with `--payments`, or by name with `--only`.

use wechat_events::event::{Group as Page, KINDS, KindInfo, Takes};
use wechat_events::testing::{Draft, Reason, Verdict};

use super::receiver::{Exchange, Receiver, shortened};
use super::retries::twice;
use super::{ALL, Check, Group, Level, Miss, Outcome, doubt, fail, json, kinds, skip};
use crate::account::now;
use crate::hint::hint_to;
use crate::kinds as by_name;
use crate::wire::Silence;

/// The kind by which it is found out whether a receiver knows payments.
pub const GOODS: &str = "xpay_goods_deliver_notify";

const CODE: &str = "code 0 in the push's format, within 3 s; a warning for another code, since the order is made up";
const AGAIN: &str = "WeChat pushes it again, up to 15 times in 18 hours, and the buyer waits for the goods";

pub const CHECKS: &[Check] = &[
    Check {
        id: "pay-code",
        group: Group::Payments,
        level: Level::Must,
        modes: ALL,
        sends: "each virtual payment event (xpay_…) that takes a code",
        passes: CODE,
        means: AGAIN,
        run: |receiver| Box::pin(code(receiver)),
    },
    Check {
        id: "pay-again",
        group: Group::Payments,
        level: Level::Must,
        modes: ALL,
        sends: "a paid order, and the same again with RetryTimes 1",
        passes: "code 0 again if it was code 0, though the body differs",
        means: "WeChat keeps pushing an order that is delivered already: it did not see the first answer",
        run: |receiver| Box::pin(again(receiver)),
    },
    Check {
        id: "pay-json",
        group: Group::Payments,
        level: Level::Should,
        modes: ALL,
        sends: "the same two in JSON",
        passes: "code 0 in JSON, both times; skipped where JSON is not accepted at all",
        means: AGAIN,
        run: |receiver| Box::pin(in_json(receiver)),
    },
    Check {
        id: "pay-missing-fields",
        group: Group::Payments,
        level: Level::Should,
        modes: ALL,
        sends: "each virtual payment event with nothing but its header",
        passes: "any code: the order cannot be delivered",
        means: "nothing known: WeChat sends all fields; but `success` says nothing here, and an error fills your logs",
        run: |receiver| Box::pin(missing_fields(receiver)),
    },
    Check {
        id: "pay-unknown",
        group: Group::Payments,
        level: Level::Should,
        modes: ALL,
        sends: "a virtual payment event that does not exist yet",
        passes: "any code",
        means: "as soon as WeChat adds one, it pushes it again for hours",
        run: |receiver| Box::pin(unknown(receiver)),
    },
    Check {
        id: "pay-game",
        group: Group::Payments,
        level: Level::Should,
        modes: ALL,
        sends: "each mini game payment event (minigame_…), as the console's test sends it; signed, with --app-key",
        passes: "an unencrypted code, in safe mode too; with --app-key code 0",
        means: "nothing, unless you run a mini game: then WeChat pushes it again for a day, and the player waits",
        run: |receiver| Box::pin(game(receiver)),
    },
];

/// The kinds of a page that take a code.
fn with_code(page: Page) -> impl Iterator<Item = &'static KindInfo> {
    KINDS.iter().filter(move |kind| kind.group() == page && kind.takes() == Takes::Code)
}

/// A payment that nobody has seen.
fn payment<'r>(receiver: &'r Receiver, kind: &KindInfo) -> Draft<'r> {
    let draft = receiver.push(kind.name());
    let draft = by_name::ordered(draft, kind, &receiver.user(), &receiver.mark(), receiver.number());
    by_name::set_known(draft, kind, &[("RetryTimes", "0"), ("MiniGame/IsMock", "true")])
}

/// Fails unless each is answered with a code; and which is not code 0.
async fn codes(receiver: &Receiver, drafts: Vec<(String, Draft<'_>)>) -> Result<Option<String>, Miss> {
    receiver.needs_payments()?;
    let requests = drafts.into_iter().map(|(name, draft)| (name, draft.request(now())));
    let exchanges = kinds::exchanges(receiver, requests).await;
    match kinds::told(&exchanges, |exchange| code_of(exchange).is_none()) {
        Some(seen) => {
            let bad = exchanges.iter().map(|(_, exchange)| exchange).find(|exchange| code_of(exchange).is_none());
            failed(seen, bad)
        }
        None => Ok(kinds::told(&exchanges, |exchange| !exchange.is_taken())),
    }
}

/// What was seen, and what to do about the first that was not right.
fn failed<T>(seen: String, first: Option<&Exchange>) -> Result<T, Miss> {
    let hint = first.and_then(|exchange| {
        let lost = exchange.came.as_ref().err().and_then(Silence::lost);
        hint_to(Takes::Code, &exchange.verdict, lost.as_ref())
    });
    fail(hint.map_or(seen.clone(), |hint| format!("{seen}\n{hint}")))
}

/// The code that it is answered with, in time.
fn code_of(exchange: &Exchange) -> Option<i64> {
    match exchange.verdict {
        Verdict::Silent => Some(0),
        Verdict::PushedAgain(Reason::Code { err_code, .. }) => Some(err_code),
        _ => None,
    }
}

async fn code(receiver: &Receiver) -> Outcome {
    let drafts = with_code(Page::Payment).map(|kind| (kind.name().to_owned(), payment(receiver, kind)));
    match codes(receiver, drafts.collect()).await? {
        None => Ok(String::new()),
        Some(seen) => doubt(format!("{seen}\nWhether a real order gets code 0 cannot be seen.")),
    }
}

/// Goods, twice: the code of each.
async fn goods_twice(receiver: &Receiver, in_json: bool) -> Outcome {
    receiver.needs_payments()?;
    let Some(goods) = with_code(Page::Payment).find(|kind| kind.name() == GOODS) else { return skip("not sent") };
    let draft = payment(receiver, goods);
    let [first, second] = twice(receiver, &if in_json { draft.json() } else { draft }).await?;
    match (code_of(&first), code_of(&second)) {
        (None, _) if in_json => failed(first.seen(), Some(&first)),
        (None, _) => skip("the first is not answered with a code: see pay-code"),
        (_, None) => failed(format!("the second time: {}", second.seen()), Some(&second)),
        (Some(0), Some(0)) => Ok(String::new()),
        (Some(0), Some(_)) => fail(format!("first code 0, then {}", second.seen())),
        (Some(_), Some(_)) => doubt(format!("{}: whether a real order gets code 0 cannot be seen", first.seen())),
    }
}

async fn again(receiver: &Receiver) -> Outcome {
    goods_twice(receiver, false).await
}

async fn in_json(receiver: &Receiver) -> Outcome {
    receiver.needs_payments()?;
    json::taken(receiver).await?;
    goods_twice(receiver, true).await
}

async fn missing_fields(receiver: &Receiver) -> Outcome {
    let drafts = with_code(Page::Payment).map(|kind| (kind.name().to_owned(), kinds::bare(receiver, kind)));
    codes(receiver, drafts.collect()).await.map(|_| String::new())
}

async fn unknown(receiver: &Receiver) -> Outcome {
    let name = "xpay_brand_new_notify";
    let draft = receiver.push(name).set("OutTradeNo", &receiver.mark());
    codes(receiver, vec![(name.to_owned(), draft)]).await.map(|_| String::new())
}

async fn game(receiver: &Receiver) -> Outcome {
    let signed = |kind: &KindInfo| receiver.account.signed(payment(receiver, kind));
    let drafts = with_code(Page::MiniGame).map(|kind| Ok((kind.name().to_owned(), signed(kind)?)));
    let drafts =
        drafts.collect::<Result<Vec<_>, crate::Problem>>().map_err(|problem| Miss::Failed(problem.to_string()))?;
    match codes(receiver, drafts).await? {
        Some(seen) if receiver.account.app_key.is_some() => fail(seen),
        Some(seen) => {
            Ok(format!("{}\nWithout --app-key the signature is wrong, which may be the reason.", shortened(&seen)))
        }
        None => Ok(String::new()),
    }
}
