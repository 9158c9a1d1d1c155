//! The one door to locks and threads, so that a model checker (`--cfg wechat_events_loom`) can stand in for them.

#[cfg(wechat_events_loom)]
pub(super) use loom::sync::Mutex;
#[cfg(wechat_events_loom)]
pub(super) use loom::thread::{Thread, current};
#[cfg(not(wechat_events_loom))]
pub(super) use std::sync::Mutex;
#[cfg(not(wechat_events_loom))]
pub(super) use std::thread::{Thread, current};

use std::time::Duration;

/// Parks the thread until it is unparked or `timeout` is over; the model knows no time and waits on.
#[cfg_attr(
    not(wechat_events_loom),
    expect(clippy::disallowed_methods, reason = "the blocking twin waits in its thread")
)]
pub(super) fn park(timeout: Duration) {
    #[cfg(wechat_events_loom)]
    {
        let _ = timeout;
        loom::thread::park();
    }
    #[cfg(not(wechat_events_loom))]
    std::thread::park_timeout(timeout);
}
