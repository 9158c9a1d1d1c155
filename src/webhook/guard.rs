//! What is the user's and takes time: whatever it does, no push and no task dies of it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::failure::{Cause, guarded};

/// Waits for a future of the user's, unless `end` comes first; `end` is not looked at before the future has to wait.
pub(super) async fn guarded_until<T>(
    work: impl Future<Output = T>,
    end: impl Future<Output = Cause>,
) -> Result<T, Cause> {
    let (mut work, mut end) = (pin!(Some(work)), pin!(end));
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
    // What is left of one that panicked or is cancelled may panic as it is dropped.
    let _ = guarded(|| work.set(None));
    result
}
