//! Awaits user code: no push and no task dies of its panics.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::failure::{Cause, guarded};

/// Waits for a user's future, unless `end` comes first. `end` is not polled before the future has to wait.
pub(super) async fn guarded_until<T>(
    mut work: Pin<&mut Option<impl Future<Output = T>>>,
    mut end: Pin<&mut impl Future<Output = Cause>>,
) -> Result<T, Cause> {
    let result = poll_fn(|context| {
        let polled = guarded(|| match work.as_mut().as_pin_mut() {
            Some(work) => work.poll(context),
            None => Poll::Pending,
        });
        match polled {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => end.as_mut().poll(context).map(Err),
            Err(cause) => Poll::Ready(Err(cause)),
        }
    })
    .await;
    // A future that panicked or is cancelled may panic again as it is dropped.
    let _ = guarded(|| work.set(None));
    result
}
