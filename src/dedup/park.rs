//! Waiting for a future in a thread that has nothing else to do.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::sync::{self, Thread};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `future` in this thread for at most `timeout`.
///
/// An unpark between the poll and the park is kept by the thread's token, so no wake-up is lost; a token left over from
/// elsewhere costs one poll.
#[expect(clippy::disallowed_methods, reason = "a thread that waits needs a clock; nothing is decided by it")]
pub(super) fn park_on<F: Future>(future: F, timeout: Duration) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(sync::current())));
    let mut context = Context::from_waker(&waker);
    let start = Instant::now();
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let left = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
        sync::park(left);
    }
}
