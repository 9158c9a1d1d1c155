//! Claims: asks the memory in front, and Redis if that does not know.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::link::Away;
use super::script::{Said, carrier};
use super::{LEASE, Shared, WhenDown, here, millis};
use crate::dedup::DedupKey;
use crate::dedup::store::{Attempt, Claim, Claimed, Outcome, Refusal};

/// Pushes that are being claimed now: one claim per push and process at a time, and the others learn from it.
///
/// While Redis is asked, the memory in front says that the push runs here, since now. That only keeps a second claim
/// from being made, and must not be told to a delivery.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<DedupKey, watch::Sender<Option<Claimed>>>>);

/// The right to claim. Dropping it lets the next one claim.
struct Turn<'a> {
    turns: &'a Turns,
    key: DedupKey,
    /// For those who wait for it. If it is empty, they claim themselves.
    found: Option<Claimed>,
}

impl Turns {
    fn take(&self, key: DedupKey) -> Result<Turn<'_>, watch::Receiver<Option<Claimed>>> {
        match self.lock().entry(key) {
            Entry::Vacant(place) => {
                place.insert(watch::Sender::new(None));
                Ok(Turn { turns: self, key, found: None })
            }
            Entry::Occupied(place) => Err(place.get().subscribe()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DedupKey, watch::Sender<Option<Claimed>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let sender = self.turns.lock().remove(&self.key);
        if let (Some(sender), Some(found)) = (sender, self.found.take()) {
            sender.send_replace(Some(found));
        }
    }
}

/// A push that is claimed in the memory in front while Redis is asked. May be dropped at any time.
struct Asking<'a> {
    shared: &'a Arc<Shared>,
    /// The claim as the memory in front knows it.
    local: Claim,
    now: u64,
    decided: bool,
    /// Dropped last.
    turn: Turn<'a>,
}

impl Asking<'_> {
    /// The claim as Redis knows it.
    fn claim(&self) -> Claim {
        let Claim { owner, age, .. } = self.local;
        Claim { owner: owner | self.shared.process, first_seen: self.now.saturating_sub(age), ..self.local }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.decided {
            let _ = self.shared.memory.release(&self.local, Attempt::NotMade, here(self.now));
            self.shared.catch_up(self.local.key, Some((self.claim(), Attempt::NotMade)), self.now);
        }
    }
}

impl Shared {
    pub(super) fn claim(self: &Arc<Self>, key: DedupKey, now: u64) -> Outcome<'_, Claimed> {
        let mut turn = match self.turns.take(key) {
            Ok(turn) => turn,
            Err(another) => return Outcome::later(self.after(another, key, now)),
        };
        match self.memory.claim(key, here(now)) {
            Claimed::New(local) => {
                Outcome::later(self.claim_there(Asking { shared: self, local, now, decided: false, turn }))
            }
            known => {
                let known = self.counted(key, known);
                turn.found = Some(known.clone());
                Outcome::Now(known)
            }
        }
    }

    async fn after(
        self: &Arc<Self>,
        mut another: watch::Receiver<Option<Claimed>>,
        key: DedupKey,
        now: u64,
    ) -> Claimed {
        let found = another.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        match found {
            Some(found) => self.counted(key, found),
            None => self.claim(key, now).await,
        }
    }

    /// Adds the number of local waiters, and a lease as other machines would grant it.
    fn counted(&self, key: DedupKey, mut claimed: Claimed) -> Claimed {
        if let Claimed::Running { waiting, lease_left, .. } = &mut claimed {
            *waiting = self.waiting.of(key);
            *lease_left = millis(LEASE).min(*lease_left);
        }
        claimed
    }

    async fn claim_there(self: &Arc<Self>, mut asking: Asking<'_>) -> Claimed {
        let claim = asking.claim();
        let told = self.ask_for(&claim).await;
        asking.decided = true;
        let (local, here) = (asking.local, here(asking.now));
        let give_back = || {
            let _ = self.memory.release(&local, Attempt::NotMade, here);
        };
        let (letter, run, age, left, answer) = match told {
            // The memory in front knows all of it already.
            Ok(None) => return Claimed::New(claim),
            Ok(Some(said)) => said,
            Err(Away) if self.when_down == WhenDown::Handle => return Claimed::New(claim),
            Err(Away) => {
                give_back();
                self.catch_up(claim.key, Some((claim, Attempt::NotMade)), asking.now);
                asking.turn.found = Some(Claimed::Refused(Refusal::Down));
                return Claimed::Refused(Refusal::Down);
            }
        };
        // Gives the memory in front the push's age and number of runs.
        let mut learn = |run| {
            asking.local = Claim { run, age, first_seen: here.saturating_sub(age), ..local };
            let _ = self.memory.renew(&asking.local, here);
        };
        let found = match letter.as_str() {
            "n" => {
                learn(run);
                // Those who wait for this turn ask the memory in front, which knows now.
                return Claimed::New(Claim { run, age, first_seen: asking.now.saturating_sub(age), ..claim });
            }
            "r" => {
                learn(local.run);
                give_back();
                let unwatched = self.watch().saturating_sub(self.link.steady_for());
                let lease_left = left.max(millis(unwatched)).max(1);
                Claimed::Running { age, lease_left, waiting: self.waiting.of(claim.key) }
            }
            "e" => {
                learn(local.run);
                give_back();
                Claimed::Exhausted { age }
            }
            done => {
                let (answer, carrier) = (Arc::from(answer), carrier(done));
                learn(local.run);
                let _ = self.memory.finish(&local, &answer, carrier, here);
                Claimed::Done { answer, carrier, age }
            }
        };
        asking.turn.found = Some(found.clone());
        found
    }

    /// `None` if this is the push's first claim.
    async fn ask_for(&self, claim: &Claim) -> Result<Option<Said>, Away> {
        if self.link.ask(&self.script.fresh(claim)).await? {
            return Ok(None);
        }
        self.link.ask(&self.script.claim(claim, self.may_take_over())).await.map(Some)
    }
}
