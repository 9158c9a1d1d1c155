//! What the service chose.

use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;

use crate::event::Event;
use crate::failure::guarded;
use crate::reply::Reply;

/// What to do with a delivery whose reply is not ready in time.
///
/// Only pushes that take a reply are held; the others are acknowledged in any case.
#[doc(alias("重试", "客服消息"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Keeps silent on the first two deliveries, so that WeChat asks again: a handler has about 14 s.
    ///
    /// WeChat sees one or two time-outs for each slow push; they raise an alarm, and many of them a pause of one
    /// minute. The last delivery is acknowledged 4.5 s after it came.
    #[default]
    Hold,
    /// Answers `success` 4.5 s after the first delivery came: a later reply goes to the handler's method `late`.
    ///
    /// For accounts with the customer-service API, and for handlers that are often slow.
    Acknowledge,
}

/// What to do with a delivery whose handler failed.
///
/// Each further delivery is a second chance, up to [`MAX_RUNS`](crate::store::MAX_RUNS) runs.
#[doc(alias("重试"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Keeps silent, since only silence is documented to make WeChat ask again; the last is answered `success`.
    ///
    /// Whatever the push, also one that takes no reply, and whatever the [`Policy`]; but a payment is answered with a code
    /// at once, whatever is set here.
    #[default]
    Hold,
    /// Keeps silent on the last delivery too, so that `success` never stands for a push that was not handled.
    ///
    /// For a handler that hands pushes on, to a queue: see the [recipe](crate::guide::recipes#a-queue). After the last
    /// delivery WeChat gives the push up, and shows a user who waits its fault line. A delivery for which no place is free
    /// ([`max_held`](crate::WebhooksBuilder::max_held)) is answered 503 at once.
    HoldAlways,
    /// Status 500 without a body, at once. WeChat may ask again, and may show its fault line.
    Status500,
    /// `success`, at once: WeChat does not ask again.
    Acknowledge,
}

type Interim = dyn Fn(&Event<'_>) -> Option<Reply> + Send + Sync;

/// What all accounts share, but for the store. Each field is a method of the builder, which says what it is for.
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
