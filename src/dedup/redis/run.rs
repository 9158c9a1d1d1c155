//! Ends of runs: stored here and in Redis, which is told later what it has missed.

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;
use tokio::time::{Instant, timeout};

use super::link::Away;
use super::script::carrier;
use super::{Shared, here, millis};
use crate::dedup::DedupKey;
use crate::dedup::store::{Attempt, Carrier, Claim, Lost, Waited};

/// For how long Redis is told what it has missed: WeChat does not retry for longer.
const MISSED: Duration = Duration::from_secs(16);

/// For how long to ask who carries an answer before it is given out as late: nobody waits for that, and a delivery to
/// another machine may have carried it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The caller's clock, which continues by itself.
#[derive(Clone, Copy)]
struct Clock {
    then: u64,
    started: Instant,
}

impl Clock {
    fn from(now: u64) -> Clock {
        Clock { then: now, started: Instant::now() }
    }

    fn now(&self) -> u64 {
        self.then.saturating_add(millis(self.started.elapsed()))
    }

    fn age(&self, claim: &Claim) -> u64 {
        self.now().saturating_sub(claim.first_seen).max(claim.age)
    }
}

impl Shared {
    /// Keeps asking while Redis is down, so that Redis learns of the run as soon as it is back.
    pub(super) async fn renew(&self, claim: Claim, now: u64) -> Result<(), Lost> {
        self.memory.renew(&self.local(&claim), here(now))?;
        let clock = Clock::from(now);
        let told = timeout(MISSED, self.link.insist(|| self.script.renew(&claim, clock.age(&claim)))).await;
        if let Ok(false) = told { Err(Lost) } else { Ok(()) }
    }

    pub(super) async fn finish(
        self: &Arc<Self>,
        claim: Claim,
        answer: Arc<[u8]>,
        carrier: Option<Carrier>,
        now: u64,
    ) -> Result<(), Lost> {
        let (local, here) = (self.local(&claim), here(now));
        self.memory.renew(&local, here)?; // or it is over
        let question = self.script.finish(&claim, Clock::from(now).age(&claim), &answer, carrier);
        match self.link.ask(&question).await {
            Ok(false) => {
                // Waiters here must ask Redis.
                let _ = self.memory.release(&local, Attempt::NotMade, here);
                Err(Lost)
            }
            Ok(true) => self.memory.finish(&local, &answer, carrier, here),
            Err(Away) => {
                let finished = self.memory.finish(&local, &answer, carrier, here);
                self.catch_up(claim.key, Some((claim, Attempt::Failed)), now);
                finished
            }
        }
    }

    pub(super) async fn release(self: &Arc<Self>, claim: Claim, attempt: Attempt, now: u64) -> Result<(), Lost> {
        let (local, here) = (self.local(&claim), here(now));
        self.memory.renew(&local, here)?; // or it is over
        let told = self.link.ask(&self.script.release(&claim, attempt)).await;
        let released = self.memory.release(&local, attempt, here);
        match told {
            Ok(true) => released,
            Ok(false) => Err(Lost),
            Err(Away) => {
                self.catch_up(claim.key, Some((claim, attempt)), now);
                released
            }
        }
    }

    pub(super) async fn carry(self: &Arc<Self>, key: DedupKey, by: Carrier, now: u64) -> bool {
        let clock = Clock::from(now);
        let question = self.script.carry(key, by, self.number());
        let told: Result<(String, bool), Away> = match by {
            Carrier::Delivery => self.link.ask(&question).await,
            Carrier::Late => timeout(PATIENCE, self.link.insist(|| question.clone())).await.map_err(|_| Away),
        };
        let now = clock.now();
        match told {
            Ok((letter, carries)) if carrier(&letter).is_some() => {
                if let Some(carrier) = carrier(&letter) {
                    self.memory.carry(key, carrier, here(now));
                }
                carries
            }
            // Redis may not even know yet that it is done.
            Ok(_) => self.memory.carry(key, by, here(now)),
            Err(Away) => {
                let carries = self.memory.carry(key, by, here(now));
                if carries {
                    self.catch_up(key, None, now);
                }
                carries
            }
        }
    }

    /// Tells Redis, as soon as it is up, what the memory in front says then about a push: how the run of `claim` ended,
    /// or who carries the answer.
    ///
    /// It does not tell a queue of steps, which could be out of date: the final state is enough.
    pub(super) fn catch_up(self: &Arc<Self>, key: DedupKey, claim: Option<(Claim, Attempt)>, now: u64) {
        let Ok(place) = Arc::clone(&self.missed).try_acquire_owned() else { return };
        let (shared, clock) = (Arc::clone(self), Clock::from(now));
        let number = self.number();
        self.runtime.spawn(async move {
            let question = || shared.missed_step(key, claim, number, clock);
            let _ = timeout(MISSED, shared.link.insist::<redis::Value>(question)).await;
            drop(place);
        });
    }

    fn missed_step(&self, key: DedupKey, claim: Option<(Claim, Attempt)>, number: u128, clock: Clock) -> Cmd {
        match (self.peek(key, here(clock.now())), claim) {
            (Some(Waited::Done { answer, carrier }), Some((claim, _))) => {
                self.script.finish(&claim, clock.age(&claim), &answer, carrier)
            }
            (Some(Waited::Done { carrier: Some(carrier), .. }), None) => self.script.carry(key, carrier, number),
            (_, Some((claim, attempt))) => self.script.release(&claim, attempt),
            (_, None) => self.script.look(key), // forgotten: there is nothing to tell
        }
    }
}
