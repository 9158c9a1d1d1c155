//! How long WeChat waits for an answer, and when it delivers a push again.

use std::time::Duration;

use super::{DELIVERIES, PATIENCE};
use crate::event::{Event, Takes};

/// WeChat's plan for a push: how long it waits for an answer, and when the next delivery comes.
///
/// | push | waits | retries |
/// |---|---|---|
/// | messages and other events | 5 s | if unanswered: at once, twice |
/// | `xpay_…` | 3 s | unless answered with code 0: after 2 s, 4 s, 8 s and so on, 15 times in 18 h |
/// | `minigame_…goods…` except gifts, `minigame_deliver_h5_pay_products` | 3 s | unless answered with code 0: after 15 s, 15 s, 30 s, 3 min and so on, 15 times in 24 h |
/// | other `minigame_…` | 3 s | unless answered with code 0: by the same plan, 13 times in 12 h |
/// | `minigame_deliver_goods` | 3 s | unless answered with code 0: after 2 min, 4 min, 8 min and so on, 8 times in 8 h |
/// | `xpay_subscribe_ios_refund_query_notify` | 3 s | never: Apple asks three times in all, whatever the answers |
///
/// For coins and refunds of mini games only the number and the 12 h are documented, and for gifts only the first
/// pauses. When a pause starts is not documented: here at the end of the delivery, by an answer or by WeChat hanging
/// up.
///
/// ```
/// use std::time::Duration;
/// use wechat_events::testing::WeChat;
///
/// let plan = WeChat::plain("token")?.push("xpay_goods_deliver_notify").plan();
/// assert_eq!((plan.patience, plan.pauses.len()), (Duration::from_secs(3), 15));
/// assert_eq!(plan.pauses[..3], [2, 4, 8].map(Duration::from_secs));
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// How long WeChat waits for an answer.
    pub patience: Duration,
    /// The pauses between the end of each delivery and the next delivery.
    pub pauses: &'static [Duration],
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn minutes(minutes: u64) -> Duration {
    seconds(60 * minutes)
}

const fn hours(hours: u64) -> Duration {
    minutes(60 * hours)
}

const MESSAGE: &[Duration] =
    &[DELIVERIES[1].saturating_sub(PATIENCE), DELIVERIES[2].saturating_sub(DELIVERIES[1]).saturating_sub(PATIENCE)];

const PAYMENT: &[Duration] = &[
    seconds(2),
    seconds(4),
    seconds(8),
    seconds(16),
    seconds(32),
    seconds(64),
    seconds(128),
    seconds(256),
    seconds(512),
    seconds(1_024),
    seconds(2_048),
    seconds(4_096),
    seconds(8_192),
    seconds(16_384),
    seconds(32_768),
];

const GAME_GOODS: &[Duration] = &[
    seconds(15),
    seconds(15),
    seconds(30),
    minutes(3),
    minutes(10),
    minutes(20),
    minutes(30),
    minutes(30),
    minutes(30),
    minutes(60),
    hours(3),
    hours(3),
    hours(3),
    hours(6),
    hours(6),
];

/// Goods too have thirteen in twelve hours, before their two of six hours.
const GAME: &[Duration] = GAME_GOODS.split_at(13).0;

const GIFT: &[Duration] =
    &[minutes(2), minutes(4), minutes(8), minutes(16), minutes(32), minutes(64), minutes(128), minutes(256)];

impl Plan {
    /// `None` for an invalid push.
    pub(super) fn of(event: Option<&Event<'_>>) -> Plan {
        let takes = event.map_or(Takes::Success, Event::takes);
        let pauses = match (takes, event) {
            (Takes::IosRefund, _) => &[],
            (Takes::Code, Some(event)) if event.is_mini_game() => match event.name() {
                "minigame_h5_goods_deliver_notify"
                | "minigame_deliver_h5_pay_products"
                | "minigame_game_pay_goods_deliver_notify" => GAME_GOODS,
                "minigame_deliver_goods" => GIFT,
                _ => GAME,
            },
            (Takes::Code, _) => PAYMENT,
            (Takes::Reply | Takes::Success, _) => MESSAGE,
        };
        Plan { patience: takes.deadline(), pauses }
    }
}
