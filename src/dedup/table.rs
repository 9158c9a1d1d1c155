//! One shard of a [`Memory`](super::Memory): the states of its pushes, without lock or clock.
//!
//! Pushes stand in slots that are reused, found by a hash map and linked into one of three queues. Each queue is in the
//! order in which its pushes can be let go, so that eviction looks at heads only.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};

use hashbrown::HashTable;

use super::DedupKey;
use super::answers::{Answers, Place};
use super::store::{Attempt, Carrier, Claim, Claimed, Lost, MAX_RUNS, Refusal, Waited};

/// No slot: an index that no `Vec` has.
const NIL: usize = usize::MAX;

pub(super) struct Table {
    /// Numbers of slots, by the hash of their keys: four bytes each, so that all of it stays in the cache.
    index: HashTable<u32>,
    salt: Salt,
    slots: Vec<Slot>,
    answers: Answers,
    /// The first vacant slot; the others follow by `next`.
    vacant: usize,
    running: Queue,
    owed: Queue,
    settled: Queue,
    /// The answers' bytes.
    bytes: usize,
    /// The last number given to an owner or a waiter.
    tokens: u64,
    limits: Limits,
    /// Who has to be woken once the lock is given back.
    pub(super) woken: Vec<Waker>,
}

#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    /// Milliseconds.
    pub(super) keep: u64,
    /// Milliseconds.
    pub(super) lease: u64,
}

struct Slot {
    key: Key,
    first_seen: u64,
    /// Running: the end of the lease. Else: when it is forgotten.
    until: u64,
    owner: u128,
    run: u8,
    phase: Phase,
    /// Of a push that is done.
    answer: Place,
    prev: usize,
    next: usize,
}

enum Phase {
    Vacant,
    Running { waiters: Vec<Waiter> },
    Released,
    Done { carrier: Option<Carrier> },
}

struct Waiter {
    id: u64,
    waker: Waker,
}

struct Queue {
    head: usize,
    tail: usize,
}

impl Queue {
    const EMPTY: Queue = Queue { head: NIL, tail: NIL };
}

impl Slot {
    /// Whether to treat the push as absent. A claim that leaked is kept as long after its lease as others after their
    /// end.
    fn forgotten(&self, now: u64, keep: u64) -> bool {
        match self.phase {
            Phase::Running { .. } => self.until.saturating_add(keep) <= now,
            _ => self.until <= now,
        }
    }

    fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.first_seen)
    }

    fn bytes(&self) -> usize {
        match self.phase {
            Phase::Done { .. } => self.answer.length(),
            Phase::Vacant | Phase::Running { .. } | Phase::Released => 0,
        }
    }
}

/// A slot by its number in the index.
fn slot_at(slots: &[Slot], number: u32) -> Option<(usize, &Slot)> {
    let at = usize::try_from(number).ok()?;
    slots.get(at).map(|slot| (at, slot))
}

/// What a claim is to the push that it names.
enum Standing {
    Owner(usize),
    Absent,
}

impl Table {
    pub(super) fn new(limits: Limits, salt: Salt) -> Table {
        // The index counts in 32 bits.
        let limits = Limits { entries: limits.entries.min(1 << 31), ..limits };
        Table {
            index: HashTable::new(),
            salt,
            slots: Vec::new(),
            answers: Answers::default(),
            vacant: NIL,
            running: Queue::EMPTY,
            owed: Queue::EMPTY,
            settled: Queue::EMPTY,
            bytes: 0,
            tokens: 0,
            limits,
            woken: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn claim(&mut self, id: DedupKey, key: Key, now: u64) -> Claimed {
        self.sweep(now);
        let Some(at) = self.find(key, now) else {
            let owner = self.token().into();
            let run = |slot: &mut Slot| slot.phase = Phase::Running { waiters: Vec::new() };
            return match self.insert(key, owner, 1, now, now, run) {
                Some(_) => Claimed::New(Claim { key: id, owner, run: 1, first_seen: now, age: 0 }),
                None => Claimed::Refused(Refusal::Full),
            };
        };
        // The index names no slot that is not there; the same holds wherever this pattern returns below.
        let Some(slot) = self.slots.get(at) else { return Claimed::Refused(Refusal::Full) };
        let (age, run, first_seen) = (slot.age(now), slot.run, slot.first_seen);
        match &slot.phase {
            Phase::Done { carrier } => {
                return Claimed::Done { answer: Arc::from(self.answers.read(slot.answer)), carrier: *carrier, age };
            }
            Phase::Running { waiters } if slot.until > now => {
                let lease_left = slot.until.saturating_sub(now);
                return Claimed::Running { age, lease_left, waiting: waiters.len() };
            }
            Phase::Running { .. } | Phase::Released | Phase::Vacant => {}
        }
        if run >= MAX_RUNS {
            return Claimed::Exhausted { age };
        }
        let (owner, run) = (self.token().into(), run.saturating_add(1));
        self.change(at, now, |slot| {
            (slot.owner, slot.run) = (owner, run);
            // Who waits goes on waiting, for the new owner.
            if !matches!(slot.phase, Phase::Running { .. }) {
                slot.phase = Phase::Running { waiters: Vec::new() };
            }
        });
        Claimed::New(Claim { key: id, owner, run, first_seen, age })
    }

    pub(super) fn renew(&mut self, claim: &Claim, key: Key, now: u64) -> Result<(), Lost> {
        match self.standing(claim, key, now)? {
            // In front of a shared store a claim may learn from it how old the push is, and how often it was run.
            Standing::Owner(at) => self.change(at, now, |slot| {
                slot.first_seen = slot.first_seen.min(claim.first_seen);
                slot.run = slot.run.max(claim.run);
            }),
            Standing::Absent => {
                self.restore(claim, key, now, |slot| slot.phase = Phase::Running { waiters: Vec::new() });
            }
        }
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        claim: &Claim,
        key: Key,
        answer: &[u8],
        carrier: Option<Carrier>,
        now: u64,
    ) -> Result<(), Lost> {
        let run = |slot: &mut Slot| slot.phase = Phase::Running { waiters: Vec::new() };
        let at = match self.standing(claim, key, now)? {
            Standing::Owner(at) => Some(at),
            Standing::Absent => self.restore(claim, key, now, run),
        };
        if let Some(at) = at {
            let answer = self.write(answer, at);
            self.change(at, now, |slot| (slot.phase, slot.answer) = (Phase::Done { carrier }, answer));
        }
        Ok(())
    }

    pub(super) fn release(&mut self, claim: &Claim, key: Key, attempt: Attempt, now: u64) -> Result<(), Lost> {
        let run = match attempt {
            Attempt::Failed => claim.run,
            Attempt::NotMade => claim.run.saturating_sub(1),
        };
        match self.standing(claim, key, now)? {
            Standing::Owner(at) => self.change(at, now, |slot| (slot.run, slot.phase) = (run, Phase::Released)),
            Standing::Absent => {
                self.restore(&Claim { run, ..*claim }, key, now, |slot| slot.phase = Phase::Released);
            }
        }
        Ok(())
    }

    pub(super) fn carry(&mut self, key: Key, by: Carrier, now: u64) -> bool {
        let Some(at) = self.find(key, now) else { return true };
        let Some(Slot { phase: Phase::Done { carrier }, .. }) = self.slots.get(at) else { return true };
        match carrier {
            Some(carrier) => *carrier == Carrier::Delivery && by == Carrier::Delivery,
            None => {
                self.change(at, now, |slot| {
                    if let Phase::Done { carrier } = &mut slot.phase {
                        *carrier = Some(by);
                    }
                });
                true
            }
        }
    }

    /// Looks, and registers `waker` while the push runs. A waker that is no longer needed is left in `waker`, to be
    /// dropped outside the lock.
    pub(super) fn wait(&mut self, key: Key, now: u64, id: &mut Option<u64>, waker: &mut Waker) -> Poll<Waited> {
        let next = self.tokens.saturating_add(1);
        let Some(at) = self.find(key, now) else { return Poll::Ready(Waited::Lapsed) };
        let Some(slot) = self.slots.get_mut(at) else { return Poll::Ready(Waited::Lapsed) };
        match &mut slot.phase {
            Phase::Running { waiters } if slot.until > now => {
                match waiters.iter_mut().find(|waiter| Some(waiter.id) == *id) {
                    Some(waiter) => mem::swap(&mut waiter.waker, waker),
                    None => {
                        let waker = mem::replace(waker, Waker::noop().clone());
                        waiters.push(Waiter { id: *id.insert(next), waker });
                        self.tokens = next;
                    }
                }
                Poll::Pending
            }
            Phase::Done { carrier } => {
                Poll::Ready(Waited::Done { answer: Arc::from(self.answers.read(slot.answer)), carrier: *carrier })
            }
            Phase::Released => Poll::Ready(Waited::Released),
            Phase::Running { .. } | Phase::Vacant => Poll::Ready(Waited::Lapsed),
        }
    }

    /// Takes a waiter off the list, and hands its waker back to be dropped outside the lock.
    pub(super) fn leave(&mut self, key: Key, id: u64) -> Option<Waker> {
        let at = self.at(key)?;
        let Phase::Running { waiters } = &mut self.slots.get_mut(at)?.phase else { return None };
        let place = waiters.iter().position(|waiter| waiter.id == id)?;
        Some(waiters.swap_remove(place).waker)
    }

    fn token(&mut self) -> u64 {
        self.tokens = self.tokens.saturating_add(1);
        self.tokens
    }

    /// The slot of a push, be it forgotten or not.
    fn at(&self, key: Key) -> Option<usize> {
        let is_of = |number: &u32| slot_at(&self.slots, *number).is_some_and(|(_, slot)| slot.key == key);
        let number = self.index.find(self.salt.hash_one(key), is_of)?;
        slot_at(&self.slots, *number).map(|(at, _)| at)
    }

    fn find(&self, key: Key, now: u64) -> Option<usize> {
        let at = self.at(key)?;
        self.slots.get(at).is_some_and(|slot| !slot.forgotten(now, self.limits.keep)).then_some(at)
    }

    fn standing(&self, claim: &Claim, key: Key, now: u64) -> Result<Standing, Lost> {
        let Some(at) = self.find(key, now) else { return Ok(Standing::Absent) };
        match self.slots.get(at) {
            Some(Slot { owner, phase: Phase::Running { .. }, .. }) if *owner == claim.owner => Ok(Standing::Owner(at)),
            _ => Err(Lost),
        }
    }

    /// Makes a push anew that vanished under its owner. If there is no room it stays away: the owner is right all the
    /// same.
    fn restore(&mut self, claim: &Claim, key: Key, now: u64, change: impl FnOnce(&mut Slot)) -> Option<usize> {
        self.insert(key, claim.owner, claim.run, claim.first_seen, now, change)
    }

    /// Keeps an answer for a slot.
    fn write(&mut self, answer: &[u8], at: usize) -> Place {
        if self.answers.is_sparse(self.limits.bytes) {
            self.make_room();
        }
        self.answers.write(answer, u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// Frees two segments, since it may take one to hold what is wanted of both.
    #[cold]
    fn make_room(&mut self) {
        for _ in 0..2 {
            let Some(taken) = self.answers.take_sparsest() else { return };
            for number in taken.slots() {
                let slot = usize::try_from(*number).ok().and_then(|at| self.slots.get_mut(at));
                let Some(slot) = slot else { continue };
                if let Some(answer) = taken.read(slot.answer) {
                    slot.answer = self.answers.write(answer, *number);
                }
            }
            self.answers.give_back(taken);
        }
    }

    fn insert(
        &mut self,
        key: Key,
        owner: u128,
        run: u8,
        first_seen: u64,
        now: u64,
        change: impl FnOnce(&mut Slot),
    ) -> Option<usize> {
        // One that stands here is forgotten, or `find` had found it.
        if let Some(at) = self.at(key) {
            self.remove(at);
        }
        while self.index.len() >= self.limits.entries {
            match self.victim(now) {
                NIL => return None,
                at => self.remove(at),
            }
        }
        let (phase, answer) = (Phase::Vacant, Place::default());
        let slot = Slot { key, first_seen, until: 0, owner, run, phase, answer, prev: NIL, next: NIL };
        let at = match self.slots.get_mut(self.vacant) {
            Some(vacant) => {
                let at = mem::replace(&mut self.vacant, vacant.next);
                *vacant = slot;
                at
            }
            None => {
                self.slots.push(slot);
                self.slots.len().saturating_sub(1)
            }
        };
        let (slots, salt) = (&self.slots, self.salt);
        let hash = |number: &u32| slot_at(slots, *number).map_or(0, |(_, slot)| salt.hash_one(slot.key));
        self.index.insert_unique(salt.hash_one(key), u32::try_from(at).unwrap_or(u32::MAX), hash);
        self.change(at, now, change);
        Some(at)
    }

    /// The one way from state to state: keeps queue, time, bytes and waiters in step with the phase.
    fn change(&mut self, at: usize, now: u64, change: impl FnOnce(&mut Slot)) {
        self.unlink(at);
        let Limits { keep, lease, .. } = self.limits;
        let Some(slot) = self.slots.get_mut(at) else { return };
        let before = slot.bytes();
        let waiters = match &mut slot.phase {
            Phase::Running { waiters } => mem::take(waiters),
            _ => Vec::new(),
        };
        change(slot);
        slot.until = now.saturating_add(if let Phase::Running { .. } = slot.phase { lease } else { keep });
        let after = slot.bytes();
        match &mut slot.phase {
            Phase::Running { waiters: still } => *still = waiters,
            _ => self.woken.extend(waiters.into_iter().map(|waiter| waiter.waker)),
        }
        self.link(at);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
        while self.bytes > self.limits.bytes {
            // The newest answer stays, even where it alone is too large.
            let heads = [self.forgotten(now), self.settled.head, self.owed.head];
            match heads.into_iter().find(|head| ![NIL, at].contains(head)) {
                Some(oldest) => self.remove(oldest),
                None => break,
            }
        }
    }

    /// Lets up to two forgotten pushes go: one claim adds one at most, so this keeps up.
    fn sweep(&mut self, now: u64) {
        for _ in 0..2 {
            match self.forgotten(now) {
                NIL => break,
                at => self.remove(at),
            }
        }
    }

    fn forgotten(&self, now: u64) -> usize {
        let heads = [self.settled.head, self.owed.head, self.running.head];
        let keep = self.limits.keep;
        heads.into_iter().find(|at| self.slots.get(*at).is_some_and(|slot| slot.forgotten(now, keep))).unwrap_or(NIL)
    }

    /// Whom to evict: the forgotten, the oldest settled, the oldest owed, the longest lapsed. Never who is running.
    fn victim(&self, now: u64) -> usize {
        let lapsed = self.slots.get(self.running.head).is_some_and(|slot| slot.until <= now);
        let lapsed = if lapsed { self.running.head } else { NIL };
        [self.forgotten(now), self.settled.head, self.owed.head, lapsed]
            .into_iter()
            .find(|at| *at != NIL)
            .unwrap_or(NIL)
    }

    fn remove(&mut self, at: usize) {
        self.unlink(at);
        let Some(slot) = self.slots.get_mut(at) else { return };
        self.bytes = self.bytes.saturating_sub(slot.bytes());
        if let Phase::Running { waiters } = mem::replace(&mut slot.phase, Phase::Vacant) {
            self.woken.extend(waiters.into_iter().map(|waiter| waiter.waker));
        }
        self.answers.forget(mem::take(&mut slot.answer));
        slot.next = mem::replace(&mut self.vacant, at);
        let (number, hash) = (u32::try_from(at).unwrap_or(u32::MAX), self.salt.hash_one(slot.key));
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
    }

    fn queue(&mut self, at: usize) -> Option<&mut Queue> {
        match self.slots.get(at)?.phase {
            Phase::Vacant => None,
            Phase::Running { .. } => Some(&mut self.running),
            Phase::Done { carrier: None } => Some(&mut self.owed),
            Phase::Released | Phase::Done { .. } => Some(&mut self.settled),
        }
    }

    fn unlink(&mut self, at: usize) {
        let Some(&Slot { prev, next, .. }) = self.slots.get(at) else { return };
        let Some(queue) = self.queue(at) else { return };
        if prev == NIL {
            queue.head = next;
        }
        if next == NIL {
            queue.tail = prev;
        }
        if let Some(slot) = self.slots.get_mut(prev) {
            slot.next = next;
        }
        if let Some(slot) = self.slots.get_mut(next) {
            slot.prev = prev;
        }
    }

    fn link(&mut self, at: usize) {
        let Some(queue) = self.queue(at) else { return };
        let tail = mem::replace(&mut queue.tail, at);
        if tail == NIL {
            queue.head = at;
        }
        if let Some(slot) = self.slots.get_mut(tail) {
            slot.next = at;
        }
        if let Some(slot) = self.slots.get_mut(at) {
            (slot.prev, slot.next) = (tail, NIL);
        }
    }
}

/// A key as the table holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64, u64);

impl From<DedupKey> for Key {
    fn from(key: DedupKey) -> Key {
        let bits = u128::from_ne_bytes(*key.as_bytes());
        Key(low(bits), low(bits >> 64))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
        state.write_u64(self.1);
    }
}

/// Two secret words that keep strangers from choosing where their pushes land in the table.
///
/// Keys are digests, but unkeyed ones: bodies whose digests share their low bits can be searched for beforehand. Two
/// folded multiplications take 2 ns where the standard library's SipHash takes 10.
#[derive(Clone, Copy)]
pub(super) struct Salt(u64, u64);

impl Salt {
    pub(super) fn new() -> Salt {
        let random = RandomState::new();
        Salt(random.hash_one(0), random.hash_one(1) | 1)
    }
}

impl BuildHasher for Salt {
    type Hasher = Salted;

    fn build_hasher(&self) -> Salted {
        Salted { state: self.0, factor: self.1 }
    }
}

pub(super) struct Salted {
    state: u64,
    factor: u64,
}

impl Hasher for Salted {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.state ^ word).wrapping_mul(self.factor.into());
        self.state = low(product) ^ low(product >> 64);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

fn low(bits: u128) -> u64 {
    u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default()
}
