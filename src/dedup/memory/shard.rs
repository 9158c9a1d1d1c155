//! One shard of a [`Memory`](super::Memory): its pushes, without lock or clock.
//!
//! Three maps in insertion order. A push that enters a state is put at the end of that state's map, so the first one of
//! each map is the next to be evicted.

use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};

use hashlink::{DefaultHashBuilder, LinkedHashMap};

use crate::dedup::DedupKey;
use crate::dedup::store::{Attempt, Carrier, Claim, Claimed, Lost, MAX_RUNS, Refusal, Waited};

/// The hasher for keys: foldhash, salted for each [`Memory`](super::Memory).
///
/// Keys are digests, but unkeyed ones: someone who can forge pushes could search for keys that collide in the maps. A
/// salt is enough against that; the standard library's SipHash takes five times as long.
pub(super) type Salt = DefaultHashBuilder;

type Map<V> = LinkedHashMap<DedupKey, V, Salt>;

pub(super) struct Shard {
    running: Map<Run>,
    /// Answered, and nobody has carried the answer yet.
    owed: Map<Ended>,
    /// Carried or released.
    settled: Map<Ended>,
    /// Number of bytes of all answers.
    bytes: usize,
    /// The last number given to an owner or a waiter.
    last_id: u64,
    bounds: Bounds,
    /// Wakers to be called after the lock is released.
    pub(super) woken: Vec<Waker>,
}

#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    /// In milliseconds.
    pub(super) keep: u64,
    /// In milliseconds.
    pub(super) lease: u64,
}

struct Run {
    first_seen: u64,
    /// The end of the lease.
    until: u64,
    owner: u128,
    number: u8,
    waiters: Vec<Waiter>,
}

struct Waiter {
    id: u64,
    waker: Waker,
}

struct Ended {
    first_seen: u64,
    /// When it expires.
    until: u64,
    how: How,
}

enum How {
    Answered(Arc<[u8]>, Option<Carrier>),
    /// With the number of runs that count.
    Released(u8),
}

impl How {
    fn bytes(&self) -> usize {
        match self {
            How::Answered(answer, _) => answer.len(),
            How::Released(_) => 0,
        }
    }
}

impl Shard {
    pub(super) fn new(bounds: Bounds, salt: &Salt) -> Shard {
        Shard {
            running: Map::with_hasher(salt.clone()),
            owed: Map::with_hasher(salt.clone()),
            settled: Map::with_hasher(salt.clone()),
            bytes: 0,
            last_id: 0,
            bounds,
            woken: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.running.len() + self.owed.len() + self.settled.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn claim(&mut self, key: DedupKey, now: u64) -> Claimed {
        self.forget(key, now);
        let age_since = |first_seen| now.saturating_sub(first_seen);
        let (first_seen, runs) = match (self.running.get(&key), self.ended(key)) {
            (Some(run), _) if run.until > now => {
                return Claimed::Running {
                    age: age_since(run.first_seen),
                    lease_left: run.until.saturating_sub(now),
                    waiting: run.waiters.len(),
                };
            }
            (Some(run), _) => (run.first_seen, run.number),
            (None, Some(Ended { first_seen, how: How::Answered(answer, carrier), .. })) => {
                return Claimed::Done { answer: Arc::clone(answer), carrier: *carrier, age: age_since(*first_seen) };
            }
            (None, Some(Ended { first_seen, how: How::Released(runs), .. })) => (*first_seen, *runs),
            (None, None) => (now, 0),
        };
        let age = age_since(first_seen);
        if runs >= MAX_RUNS {
            return Claimed::Exhausted { age };
        }
        let claim = Claim { key, owner: self.next_id().into(), run: runs.saturating_add(1), first_seen, age };
        if self.run(&claim, now) { Claimed::New(claim) } else { Claimed::Refused(Refusal::Full) }
    }

    pub(super) fn renew(&mut self, claim: &Claim, now: u64) -> Result<(), Lost> {
        self.forget(claim.key, now);
        self.check(claim)?;
        self.run(claim, now);
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        claim: &Claim,
        answer: Arc<[u8]>,
        carrier: Option<Carrier>,
        now: u64,
    ) -> Result<(), Lost> {
        self.end(claim, How::Answered(answer, carrier), now)
    }

    pub(super) fn release(&mut self, claim: &Claim, attempt: Attempt, now: u64) -> Result<(), Lost> {
        let runs = match attempt {
            Attempt::Failed => claim.run,
            Attempt::NotMade => claim.run.saturating_sub(1),
        };
        self.end(claim, How::Released(runs), now)
    }

    pub(super) fn carry(&mut self, key: DedupKey, by: Carrier, now: u64) -> bool {
        self.forget(key, now);
        if let Some(Ended { first_seen, how: How::Answered(answer, _), .. }) = self.owed.remove(&key) {
            self.bytes = self.bytes.saturating_sub(answer.len());
            self.keep(key, first_seen, How::Answered(answer, Some(by)), now);
            return true;
        }
        match self.settled.get(&key) {
            Some(Ended { how: How::Answered(_, carrier), .. }) => {
                (*carrier, by) == (Some(Carrier::Delivery), Carrier::Delivery)
            }
            _ => true,
        }
    }

    /// Checks the push, and registers `waker` while it runs. A waker that is no longer needed is left in `waker`, to be
    /// dropped outside the lock.
    pub(super) fn wait(&mut self, key: DedupKey, now: u64, id: &mut Option<u64>, waker: &mut Waker) -> Poll<Waited> {
        self.forget(key, now);
        let next = self.next_id();
        if let Some(run) = self.running.get_mut(&key) {
            if run.until <= now {
                return Poll::Ready(Waited::Lapsed);
            }
            match run.waiters.iter_mut().find(|waiter| Some(waiter.id) == *id) {
                Some(waiter) => mem::swap(&mut waiter.waker, waker),
                None => {
                    let waker = mem::replace(waker, Waker::noop().clone());
                    run.waiters.push(Waiter { id: *id.insert(next), waker });
                }
            }
            return Poll::Pending;
        }
        Poll::Ready(match self.ended(key) {
            Some(Ended { how: How::Answered(answer, carrier), .. }) => {
                Waited::Done { answer: Arc::clone(answer), carrier: *carrier }
            }
            Some(Ended { how: How::Released(_), .. }) => Waited::Released,
            None => Waited::Lapsed,
        })
    }

    /// Removes a waiter, and returns its waker to be dropped outside the lock.
    pub(super) fn leave(&mut self, key: DedupKey, id: u64) -> Option<Waker> {
        let waiters = &mut self.running.get_mut(&key)?.waiters;
        let place = waiters.iter().position(|waiter| waiter.id == id)?;
        Some(waiters.swap_remove(place).waker)
    }

    fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    fn ended(&self, key: DedupKey) -> Option<&Ended> {
        self.owed.get(&key).or_else(|| self.settled.get(&key))
    }

    /// Whether the claim owns the push: it runs, or has vanished, which leaves its owner in the right.
    fn check(&self, claim: &Claim) -> Result<(), Lost> {
        let is_owner = match self.running.get(&claim.key) {
            Some(run) => run.owner == claim.owner,
            None => self.ended(claim.key).is_none(),
        };
        if is_owner { Ok(()) } else { Err(Lost) }
    }

    /// Starts a run or renews its lease, if there is room. Waiters keep waiting.
    fn run(&mut self, claim: &Claim, now: u64) -> bool {
        let Claim { key, owner, run: mut number, mut first_seen, .. } = *claim;
        let mut waiters = Vec::new();
        if let Some(run) = self.running.remove(&key) {
            // In front of a shared store, a claim may report a greater age and more runs.
            (number, first_seen) = (number.max(run.number), first_seen.min(run.first_seen));
            waiters = run.waiters;
        }
        self.settled.remove(&key);
        let has_room = self.make_room(0, now);
        if has_room {
            let until = now.saturating_add(self.bounds.lease);
            self.running.insert(key, Run { first_seen, until, owner, number, waiters });
        }
        has_room
    }

    fn end(&mut self, claim: &Claim, how: How, now: u64) -> Result<(), Lost> {
        self.forget(claim.key, now);
        self.check(claim)?;
        let run = self.running.remove_entry(&claim.key);
        let first_seen = run.as_ref().map_or(claim.first_seen, |(_, run)| run.first_seen);
        self.wake(run);
        self.keep(claim.key, first_seen, how, now);
        Ok(())
    }

    fn keep(&mut self, key: DedupKey, first_seen: u64, how: How, now: u64) {
        if !self.make_room(how.bytes(), now) {
            return;
        }
        self.bytes = self.bytes.saturating_add(how.bytes());
        let map = if let How::Answered(_, None) = how { &mut self.owed } else { &mut self.settled };
        map.insert(key, Ended { first_seen, until: now.saturating_add(self.bounds.keep), how });
    }

    /// Makes room for one more push with an answer of so many bytes; the answer is accepted even if it alone is too
    /// large. Fails only if all pushes are running.
    fn make_room(&mut self, bytes: usize, now: u64) -> bool {
        while self.bytes.saturating_add(bytes) > self.bounds.bytes && (self.forget_one(now) || self.evict_ended()) {}
        self.len() < self.bounds.entries || self.forget_one(now) || self.evict_ended() || self.evict_lapsed(now)
    }

    fn evict_ended(&mut self) -> bool {
        let oldest = self.settled.pop_front().or_else(|| self.owed.pop_front());
        self.drop_ended(oldest)
    }

    fn evict_lapsed(&mut self, now: u64) -> bool {
        let is_lapsed = self.running.front().is_some_and(|(_, run)| run.until <= now);
        let lapsed = if is_lapsed { self.running.pop_front() } else { None };
        self.wake(lapsed)
    }

    /// Evicts this push if its time to keep has passed, so that later lookups need not check, and up to two others. A
    /// claim adds at most one, so this keeps up.
    fn forget(&mut self, key: DedupKey, now: u64) {
        let _ = self.forget_one(now) && self.forget_one(now);
        if self.running.get(&key).is_some_and(|run| self.is_leaked(run, now)) {
            let run = self.running.remove_entry(&key);
            self.wake(run);
        }
        if self.ended(key).is_some_and(|ended| ended.until <= now) {
            let ended = self.owed.remove_entry(&key).or_else(|| self.settled.remove_entry(&key));
            self.drop_ended(ended);
        }
    }

    fn forget_one(&mut self, now: u64) -> bool {
        let is_over = |map: &Map<Ended>| map.front().is_some_and(|(_, ended)| ended.until <= now);
        if is_over(&self.settled) {
            let ended = self.settled.pop_front();
            self.drop_ended(ended)
        } else if is_over(&self.owed) {
            let ended = self.owed.pop_front();
            self.drop_ended(ended)
        } else if self.running.front().is_some_and(|(_, run)| self.is_leaked(run, now)) {
            let run = self.running.pop_front();
            self.wake(run)
        } else {
            false
        }
    }

    /// A leaked claim is kept as long after its lease as others after their end.
    fn is_leaked(&self, run: &Run, now: u64) -> bool {
        run.until.saturating_add(self.bounds.keep) <= now
    }

    /// Frees the bytes of a push taken from a map; returns whether there was one.
    fn drop_ended(&mut self, ended: Option<(DedupKey, Ended)>) -> bool {
        let Some((_, ended)) = ended else { return false };
        self.bytes = self.bytes.saturating_sub(ended.how.bytes());
        true
    }

    /// Wakes the waiters of a run taken from a map; returns whether there was one.
    fn wake(&mut self, run: Option<(DedupKey, Run)>) -> bool {
        let Some((_, run)) = run else { return false };
        self.woken.extend(run.waiters.into_iter().map(|waiter| waiter.waker));
        true
    }
}
