//! Waits for a push that runs here or on another machine.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::script::{Said, carrier};
use super::{LEASE, Shared, here};
use crate::dedup::DedupKey;
use crate::dedup::store::{Claim, Claimed, Waited};

/// How often to ask about a push that runs elsewhere.
const LOOK: Duration = Duration::from_millis(200);

/// The pushes that somebody in this process waits for, once for each who does.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Vec<DedupKey>>);

/// One who waits. Dropping it stops the counting.
struct Waiter<'a>(&'a Waiting, DedupKey);

impl Waiting {
    pub(super) fn of(&self, key: DedupKey) -> usize {
        self.lock().iter().filter(|waiting| **waiting == key).count()
    }

    fn count(&self, key: DedupKey) -> Waiter<'_> {
        self.lock().push(key);
        Waiter(self, key)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<DedupKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        if let Some(place) = waiting.iter().position(|key| *key == self.1) {
            waiting.swap_remove(place);
        }
    }
}

impl Shared {
    pub(super) async fn wait(&self, key: DedupKey, now: u64) -> Waited {
        let _counted = self.waiting.count(key);
        let here = here(now);
        let mut ran = None;
        loop {
            // While it runs here, the end of the run also ends this wait.
            let ran_here = self.peek(key, here).is_none();
            let waited = self.memory.wait(key, here).await;
            if let Waited::Done { .. } = waited {
                return waited;
            }
            let told: Result<Said, _> = self.link.ask(&self.script.look(key)).await;
            match told {
                Ok((letter, _, _, left, _)) if letter == "r" => {
                    if left == 0 && self.may_take_over() {
                        return Waited::Lapsed;
                    }
                    ran = Some(Instant::now());
                }
                Ok((letter, ..)) if letter == "-" => {
                    // If Redis has forgotten a run, a living owner is about to tell it again.
                    let is_over = |at: Instant| at.elapsed() >= self.watch() && self.may_take_over();
                    if ran.is_none_or(is_over) {
                        return Waited::Lapsed;
                    }
                }
                Ok((letter, ..)) if letter == "x" => return Waited::Released,
                Ok((letter, _, age, _, answer)) => {
                    let (answer, carrier) = (Arc::from(answer), carrier(&letter));
                    // So that the next delivery need not ask, and knows who carries it.
                    if let Claimed::New(local) = self.memory.claim(key, here) {
                        let known = Claim { age, first_seen: here.saturating_sub(age), ..local };
                        let _ = self.memory.renew(&known, here);
                        let _ = self.memory.finish(&known, &answer, carrier, here);
                    }
                    return Waited::Done { answer, carrier };
                }
                Err(_) if ran_here => return waited,
                Err(_) => {}
            }
            sleep(LOOK).await;
        }
    }

    /// How long Redis must have answered without interruption before an expired lease may be taken over. A living owner
    /// could have renewed it in that time: it does so every quarter of the lease, and at once when Redis is back.
    pub(super) fn watch(&self) -> Duration {
        LEASE / 4 + 2 * self.limit + super::link::RETRY
    }

    pub(super) fn may_take_over(&self) -> bool {
        self.link.steady_for() >= self.watch()
    }

    /// What the memory in front knows to be over.
    pub(super) fn peek(&self, key: DedupKey, here: u64) -> Option<Waited> {
        match pin!(self.memory.wait(key, here)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(waited) => Some(waited),
            Poll::Pending => None,
        }
    }
}
