//! What became of a run? Written down here and in Redis, which is told later what it missed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::ask::{Settled, Settling};
use super::link::Away;
use super::missed::Step;
use super::{EPOCH, PAUSE, Shared};
use crate::dedup::DedupKey;
use crate::dedup::store::{Attempt, Claim, Lost};

/// For how long Redis is told what it missed: WeChat asks for a push no longer than this.
const MEND: Duration = Duration::from_secs(16);

impl Shared {
    pub(super) fn settling(&self, claim: &Claim, to: Settled, run: u8, now: u64) -> Settling {
        let Claim { key, owner, first_seen, .. } = *claim;
        let age = now.saturating_sub(first_seen).max(claim.age);
        Settling { wire: Arc::clone(&self.wire), key: self.key(key), push: *key.as_bytes(), owner, to, run, age }
    }

    pub(super) async fn settle(self: &Arc<Self>, claim: Claim, to: Settled, run: u8, now: u64) -> Result<(), Lost> {
        let question = self.settling(&claim, to.clone(), run, now);
        let told = self.link.ask(&question, false).await;
        let (here, local) = (now.saturating_add(EPOCH), self.local(&claim));
        let ends = !matches!(to, Settled::Running);
        let settle_here = || match to {
            Settled::Running => self.memory.renew(&local, here),
            // The run that is written down is the claim's or one less.
            Settled::Released if run < claim.run => self.memory.release(&local, Attempt::NotMade, here),
            Settled::Released => self.memory.release(&local, Attempt::Failed, here),
            Settled::Done(answer, carrier) => self.memory.finish(&local, &answer, carrier, here),
        };
        let settled = match told {
            Ok(true) => {
                // It may have been given up here, after a lapse that Redis has not seen. That is no loss.
                let _ = settle_here();
                Ok(())
            }
            Ok(false) => {
                // Who waits here has to look there.
                let _ = self.memory.release(&local, Attempt::NotMade, here);
                Err(Lost)
            }
            Err(Away) => {
                let settled = settle_here();
                if ends && settled.is_ok() {
                    self.mend(claim.key, Step::Settled(Arc::new(question)));
                }
                settled
            }
        };
        if ends || settled.is_err() {
            self.hints.wake(claim.key);
        }
        settled
    }

    /// Tells Redis what it has missed, as soon as it is there: of one push one after the other, since a step is void
    /// before the one that leads to it.
    pub(super) fn mend(self: &Arc<Self>, key: DedupKey, step: Step) {
        if !self.missed.add(key, step, Instant::now() + MEND) {
            return;
        }
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            while let Some((step, until)) = shared.missed.first(key) {
                let told = async {
                    loop {
                        shared.link.up().await;
                        match step.tell(&shared.link).await {
                            Ok(()) => return,
                            Err(Away) => sleep(PAUSE).await,
                        }
                    }
                };
                let _ = timeout_at(until, told).await;
                if !shared.missed.next(key) {
                    return;
                }
            }
        });
    }
}
