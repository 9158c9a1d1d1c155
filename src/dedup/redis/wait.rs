//! Is it over? Asked by those who wait for a push that runs here or on another machine.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::timeout;

use super::ask::{Looking, Seen};
use super::link::Away;
use super::{EPOCH, Shared};
use crate::dedup::DedupKey;
use crate::dedup::store::Waited;

/// How often a waiter looks by itself, since wake-ups are hints.
const LOOK: Duration = Duration::from_millis(500);

impl Shared {
    pub(super) async fn wait(&self, key: DedupKey, now: u64) -> Waited {
        let here = now.saturating_add(EPOCH);
        let looking = Looking { wire: Arc::clone(&self.wire), key: self.key(key) };
        let watch = self.hints.watch(key);
        loop {
            let mut hint = pin!(watch.notify.notified());
            hint.as_mut().enable(); // from now on, so that no hint falls between the look and the wait
            // While it runs here, what ends the run also ends this.
            let ran_here = self.peek(key, here).is_none();
            let waited = self.memory.wait(key, here).await;
            if let Waited::Done { .. } = waited {
                return waited;
            }
            match self.link.ask(&looking, false).await {
                Ok(Seen::Done(answer, carrier)) => return Waited::Done { answer, carrier },
                Ok(Seen::Released) => return Waited::Released,
                Ok(Seen::Nothing) => return Waited::Lapsed,
                Err(Away) if ran_here => return waited,
                Ok(Seen::Running) | Err(Away) => {
                    let _ = timeout(LOOK, hint).await;
                }
            }
        }
    }

    /// What the memory in front knows to be over.
    pub(super) fn peek(&self, key: DedupKey, here: u64) -> Option<Waited> {
        match pin!(self.memory.wait(key, here)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(waited) => Some(waited),
            Poll::Pending => None,
        }
    }
}
