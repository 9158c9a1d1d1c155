//! Whose is a push? Asked of the memory in front, and of Redis where that does not know.

use std::sync::Arc;

use super::ask::{Claiming, Settled, Told};
use super::link::Away;
use super::missed::Step;
use super::turns::{Following, Turn};
use super::{EPOCH, Shared, WhenDown};
use crate::dedup::DedupKey;
use crate::dedup::store::{Attempt, Claim, Claimed, Refusal};

/// How a claim begins.
pub(super) enum Begun<'a> {
    Known(Claimed),
    Asking(Held<'a>),
    Following(Following),
}

/// A push that is claimed in the memory in front, while Redis is asked. Whoever asks may be dropped any time.
pub(super) struct Held<'a> {
    shared: &'a Arc<Shared>,
    local: Claim,
    now: u64,
    decided: bool,
    /// Over when all else is.
    turn: Turn<'a>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Held { shared, local, now, decided, .. } = self;
        if !*decided {
            let _ = shared.memory.release(local, Attempt::NotMade, now.saturating_add(EPOCH));
            let first_seen = now.saturating_sub(local.age);
            shared.give_back(&Claim { owner: local.owner | shared.node, first_seen, ..*local }, *now);
        }
    }
}

impl Shared {
    pub(super) fn begin(self: &Arc<Self>, key: DedupKey, now: u64) -> Begun<'_> {
        let mut turn = match self.turns.take(key) {
            Ok(turn) => turn,
            Err(following) => return Begun::Following(following),
        };
        match self.memory.claim(key, now.saturating_add(EPOCH)) {
            Claimed::New(local) => Begun::Asking(Held { shared: self, local, now, decided: false, turn }),
            known => {
                let known = self.counted(key, known);
                turn.found = Some(known.clone());
                Begun::Known(known)
            }
        }
    }

    /// With all who wait here: not all of them wait in the memory in front.
    fn counted(&self, key: DedupKey, mut claimed: Claimed) -> Claimed {
        if let Claimed::Running { waiting, .. } = &mut claimed {
            *waiting = self.hints.waiting(key);
        }
        claimed
    }

    pub(super) async fn follow(self: &Arc<Self>, key: DedupKey, now: u64, mut following: Following) -> Claimed {
        loop {
            if let Some(found) = following.found().await {
                return self.counted(key, found);
            }
            match self.begin(key, now) {
                Begun::Known(known) => return known,
                Begun::Asking(held) => return self.claim(held).await,
                Begun::Following(another) => following = another,
            }
        }
    }

    pub(super) async fn claim(self: &Arc<Self>, mut held: Held<'_>) -> Claimed {
        let claimed = self.ask(&mut held).await;
        // Who follows a new claim is told by the memory in front, which knows now.
        held.turn.found = Some(claimed.clone()).filter(|claimed| !matches!(claimed, Claimed::New(_)));
        claimed
    }

    async fn ask(self: &Arc<Self>, held: &mut Held<'_>) -> Claimed {
        let Held { local, now, .. } = *held;
        let (here, owner) = (now.saturating_add(EPOCH), local.owner | self.node);
        let Claim { key, run, age, .. } = local;
        let question = Claiming { wire: &self.wire, key: self.key(key), owner, run, age };
        let told = self.link.ask(&question, false).await;
        held.decided = true;

        // The memory in front learns how old the push is and how often it was run.
        let learn = |run: u8, age: u64| {
            let known = Claim { run, age, first_seen: here.saturating_sub(age), ..local };
            let _ = self.memory.renew(&known, here);
            known
        };
        let give_back = |known: &Claim| {
            let _ = self.memory.release(known, Attempt::NotMade, here);
        };
        match told {
            Ok(Told::New { run, age }) => {
                if (run, age) != (local.run, local.age) {
                    learn(run, age);
                }
                Claimed::New(Claim { key: local.key, owner, run, first_seen: now.saturating_sub(age), age })
            }
            Ok(Told::Running { age, left }) => {
                give_back(&learn(local.run, age));
                Claimed::Running { age, lease_left: left.max(1), waiting: self.hints.waiting(local.key) }
            }
            Ok(Told::Done { answer, carrier, age }) => {
                let known = learn(local.run, age);
                let _ = self.memory.finish(&known, &answer, carrier, here);
                Claimed::Done { answer, carrier, age }
            }
            Ok(Told::Exhausted { age }) => {
                give_back(&learn(local.run, age));
                Claimed::Exhausted { age }
            }
            Err(Away) => {
                let claim = Claim { owner, first_seen: now.saturating_sub(local.age), ..local };
                match self.when_down {
                    WhenDown::Handle => Claimed::New(claim),
                    WhenDown::Refuse => {
                        give_back(&local);
                        self.give_back(&claim, now);
                        Claimed::Refused(Refusal::Down)
                    }
                }
            }
        }
    }

    /// For a claim that may have been made in Redis, and that nobody will run.
    fn give_back(self: &Arc<Self>, claim: &Claim, now: u64) {
        let released = self.settling(claim, Settled::Released, claim.run.saturating_sub(1), now);
        self.mend(claim.key, Step::Settled(Arc::new(released)));
    }
}
