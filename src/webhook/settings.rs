//! The settings of webhooks.

use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;

use crate::event::Event;
use crate::failure::guarded;
use crate::reply::Reply;

/// How to answer a delivery whose reply is not ready in time.
///
/// Only pushes that take a reply are held; the others are always acknowledged.
#[doc(alias("重试", "客服消息"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Answers the first two deliveries only once the reply is ready, so that WeChat retries: a handler has about 14 s.
    ///
    /// WeChat counts one or two timeouts for each slow push. They raise an alarm, and many of them pause the account
    /// for one minute. The last delivery is acknowledged 4.5 s after it came.
    #[default]
    Hold,
    /// Answers `success` 4.5 s after the first delivery came. A later reply goes to the handler's method `late`.
    ///
    /// For accounts with the customer-service API, and for handlers that are often slow.
    Acknowledge,
}

/// How to answer a delivery whose handler failed.
///
/// Each further delivery runs the handler again, up to [`MAX_RUNS`](crate::store::MAX_RUNS) runs.
#[doc(alias("重试"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Leaves deliveries unanswered, the only documented way to make WeChat retry; the last is answered `success`.
    ///
    /// This applies to all pushes, also those that take no reply, and under any [`Policy`]. Only a payment is always
    /// answered with a code at once.
    #[default]
    Hold,
    /// Leaves the last delivery unanswered too, so that no push that was not handled is ever answered `success`.
    ///
    /// For a handler that passes pushes to a queue: see the [recipe](crate::guide::recipes#a-queue). After the last
    /// delivery WeChat gives up, and shows its error message to a waiting user. If no place is free
    /// ([`max_held`](crate::WebhooksBuilder::max_held)), a delivery is answered 503 at once.
    HoldAlways,
    /// Answers status 500 without a body, at once. WeChat may retry, and may show its error message.
    Status500,
    /// Answers `success`, at once: WeChat does not retry.
    Acknowledge,
}

type Interim = dyn Fn(&Event<'_>) -> Option<Reply> + Send + Sync;

/// The settings that all accounts share, except the store. The builder's methods document them.
pub(super) struct Settings {
    pub(super) policy: Policy,
    pub(super) on_error: OnError,
    pub(super) interim: Option<Box<Interim>>,
    pub(super) acknowledge_after: Option<Duration>,
    pub(super) max_held: usize,
    pub(super) max_joiners: usize,
    pub(super) max_running: usize,
    pub(super) max_run: Duration,
    pub(super) runtime: Option<Handle>,
    pub(super) wall_clock: Option<Box<dyn Fn() -> i64 + Send + Sync>>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            policy: Policy::default(),
            on_error: OnError::default(),
            interim: None,
            acknowledge_after: None,
            max_held: 256,
            max_joiners: 8,
            max_running: 1_024,
            max_run: Duration::from_secs(600),
            runtime: None,
            wall_clock: None,
        }
    }
}

impl Settings {
    /// Seconds since 1970.
    pub(super) fn wall(&self) -> i64 {
        self.wall_clock.as_ref().and_then(|clock| guarded(clock).ok()).unwrap_or_else(system_time)
    }

    pub(super) fn interim(&self, event: &Event<'_>) -> Option<Reply> {
        let interim = self.interim.as_ref()?;
        guarded(|| interim(event)).ok().flatten()
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock that a webhook has unless it is given another")]
fn system_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
