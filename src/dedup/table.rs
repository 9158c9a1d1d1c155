//! One shard of a [`Memory`](super::Memory): the states of its pushes, without lock or clock.
//!
//! A push whose affairs are open stands in a slot that is used again and again, linked into one of three queues. Once it
//! is settled it moves to the [log](super::log). Queues and log are in the order in which their pushes can be let go, so
//! that eviction looks at fronts only.

use std::hash::BuildHasher;
use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::DedupKey;
use super::answers::{Answers, Place};
use super::hashed::{Hashed, Key, Salt};
use super::index::Index;
use super::log::{Log, Record};
use super::spot::{MOST, NIL, Numbers, Spot, owner, slot_of};
use super::store::{Attempt, Carrier, Claim, Claimed, Lost, MAX_RUNS, Refusal, Waited};

pub(super) struct Table {
    /// The numbers of their spots.
    index: Index,
    numbers: Numbers,
    salt: Salt,
    slots: Vec<Slot>,
    settled: Log,
    answers: Answers,
    /// How many slots are not vacant.
    open: usize,
    /// The first vacant slot; the others follow by `next`.
    vacant: usize,
    running: Queue,
    owed: Queue,
    released: Queue,
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
    prev: usize,
    next: usize,
}

enum Phase {
    Vacant,
    Running {
        waiters: Vec<Waiter>,
    },
    Released {
        /// Where it would stand in the log.
        turn: u32,
    },
    /// Done, and nobody has carried the answer.
    Owed {
        answer: Place,
    },
}

struct Waiter {
    id: u64,
    /// Not the delivery that runs the push.
    joined: bool,
    waker: Waker,
}

struct Queue {
    head: usize,
    tail: usize,
}

impl Queue {
    const EMPTY: Queue = Queue { head: NIL, tail: NIL };

    fn head(&self) -> Option<Spot> {
        (self.head != NIL).then_some(Spot::Open(self.head))
    }
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

    fn answer(&self) -> Place {
        match self.phase {
            Phase::Owed { answer } => answer,
            Phase::Vacant | Phase::Running { .. } | Phase::Released { .. } => Place::default(),
        }
    }
}

/// How many times a full table makes room until all that is in it has gone.
const BATCHES: usize = 256;

/// What a claim is to the push that it names.
enum Standing {
    Owner(usize),
    Absent,
}

impl Table {
    pub(super) fn new(limits: Limits, salt: Salt) -> Table {
        let most = usize::try_from(MOST).unwrap_or(usize::MAX);
        let limits = Limits { entries: limits.entries.min(most), ..limits };
        let numbers = Numbers::of(limits.entries);
        Table {
            index: Index::new(numbers.mask()),
            numbers,
            salt,
            slots: Vec::new(),
            settled: Log::new(numbers.last),
            answers: Answers::default(),
            open: 0,
            vacant: NIL,
            running: Queue::EMPTY,
            owed: Queue::EMPTY,
            released: Queue::EMPTY,
            bytes: 0,
            tokens: 0,
            limits,
            woken: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open + self.settled.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn claim(&mut self, id: DedupKey, key: Hashed, now: u64) -> Claimed {
        self.sweep(now);
        let spot = self.at(key);
        let at = match spot.filter(|spot| self.is_known(*spot, now)) {
            Some(Spot::Open(at)) => at,
            Some(Spot::Settled(number)) => {
                let Some((record, answer)) = self.done(number) else { return Claimed::Refused(Refusal::Full) };
                let age = now.saturating_sub(record.first_seen);
                return Claimed::Done { answer, carrier: Some(record.carrier), age };
            }
            None => {
                let token = self.token();
                return match self.insert(key, spot, |at| owner(at, token), 1, now, now) {
                    Some(at) => {
                        let owner = owner(at, token);
                        Claimed::New(Claim { key: id, owner, run: 1, first_seen: now, age: 0 })
                    }
                    None => Claimed::Refused(Refusal::Full),
                };
            }
        };
        // The index names no slot that is not there; the same holds wherever this pattern returns below.
        let Some(slot) = self.slots.get(at) else { return Claimed::Refused(Refusal::Full) };
        let (age, run, first_seen) = (slot.age(now), slot.run, slot.first_seen);
        match &slot.phase {
            Phase::Owed { answer } => {
                return Claimed::Done { answer: Arc::from(self.answers.read(*answer)), carrier: None, age };
            }
            Phase::Running { waiters } if slot.until > now => {
                let lease_left = slot.until.saturating_sub(now);
                let waiting = waiters.iter().filter(|waiter| waiter.joined).count();
                return Claimed::Running { age, lease_left, waiting };
            }
            Phase::Running { .. } | Phase::Released { .. } | Phase::Vacant => {}
        }
        if run >= MAX_RUNS {
            return Claimed::Exhausted { age };
        }
        let (owner, run) = (owner(at, self.token()), run.saturating_add(1));
        self.change(at, now, |slot| {
            (slot.owner, slot.run) = (owner, run);
            // Who waits goes on waiting, for the new owner.
            if !matches!(slot.phase, Phase::Running { .. }) {
                slot.phase = Phase::Running { waiters: Vec::new() };
            }
        });
        Claimed::New(Claim { key: id, owner, run, first_seen, age })
    }

    fn done(&self, number: u32) -> Option<(&Record, Arc<[u8]>)> {
        self.settled.get(number).map(|record| (record, Arc::from(self.answers.read(record.answer))))
    }

    pub(super) fn renew(&mut self, claim: &Claim, key: Hashed, now: u64) -> Result<(), Lost> {
        match self.standing(claim, key, now)? {
            // In front of a shared store a claim may learn from it how old the push is, and how often it was run.
            Standing::Owner(at) => self.change(at, now, |slot| {
                slot.first_seen = slot.first_seen.min(claim.first_seen);
                slot.run = slot.run.max(claim.run);
            }),
            Standing::Absent => {
                self.restore(claim, key, now);
            }
        }
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        claim: &Claim,
        key: Hashed,
        answer: &[u8],
        carrier: Option<Carrier>,
        now: u64,
    ) -> Result<(), Lost> {
        let at = match self.standing(claim, key, now)? {
            Standing::Owner(at) => Some(at),
            Standing::Absent => self.restore(claim, key, now),
        };
        match (at, carrier) {
            (Some(at), Some(carrier)) => self.settle(at, key, answer, carrier, now),
            (Some(at), None) => {
                let answer = self.write(answer, Spot::Open(at));
                self.change(at, now, |slot| slot.phase = Phase::Owed { answer });
            }
            (None, _) => {}
        }
        Ok(())
    }

    pub(super) fn release(&mut self, claim: &Claim, key: Hashed, attempt: Attempt, now: u64) -> Result<(), Lost> {
        let run = match attempt {
            Attempt::Failed => claim.run,
            Attempt::NotMade => claim.run.saturating_sub(1),
        };
        let at = match self.standing(claim, key, now)? {
            Standing::Owner(at) => Some(at),
            Standing::Absent => self.restore(claim, key, now),
        };
        if let Some(at) = at {
            let turn = self.settled.next();
            self.change(at, now, |slot| (slot.run, slot.phase) = (run, Phase::Released { turn }));
        }
        Ok(())
    }

    pub(super) fn carry(&mut self, key: Hashed, by: Carrier, now: u64) -> bool {
        match self.find(key, now) {
            None => true,
            Some(Spot::Settled(number)) => {
                let carrier = self.settled.get(number).map(|record| record.carrier);
                carrier.is_none_or(|carrier| carrier == Carrier::Delivery && by == Carrier::Delivery)
            }
            Some(Spot::Open(at)) => {
                if let Some(&Slot { phase: Phase::Owed { answer }, .. }) = self.slots.get(at) {
                    // It is written anew, since its segment knows the push by the number that it gives up.
                    let written = self.answers.read(answer).to_vec();
                    self.settle(at, key, &written, by, now);
                }
                true
            }
        }
    }

    /// Looks, and registers `waker` while the push runs. A waker that is no longer needed is left in `waker`, to be
    /// dropped outside the lock.
    pub(super) fn wait(
        &mut self,
        key: Hashed,
        now: u64,
        joined: bool,
        id: &mut Option<u64>,
        waker: &mut Waker,
    ) -> Poll<Waited> {
        let next = self.tokens.saturating_add(1);
        let at = match self.find(key, now) {
            Some(Spot::Open(at)) => at,
            Some(Spot::Settled(number)) => {
                let Some((record, answer)) = self.done(number) else { return Poll::Ready(Waited::Lapsed) };
                return Poll::Ready(Waited::Done { answer, carrier: Some(record.carrier) });
            }
            None => return Poll::Ready(Waited::Lapsed),
        };
        let Some(slot) = self.slots.get_mut(at) else { return Poll::Ready(Waited::Lapsed) };
        match &mut slot.phase {
            Phase::Running { waiters } if slot.until > now => {
                match waiters.iter_mut().find(|waiter| Some(waiter.id) == *id) {
                    Some(waiter) => mem::swap(&mut waiter.waker, waker),
                    None => {
                        let waker = mem::replace(waker, Waker::noop().clone());
                        waiters.push(Waiter { id: *id.insert(next), joined, waker });
                        self.tokens = next;
                    }
                }
                Poll::Pending
            }
            Phase::Owed { answer } => {
                Poll::Ready(Waited::Done { answer: Arc::from(self.answers.read(*answer)), carrier: None })
            }
            Phase::Released { .. } => Poll::Ready(Waited::Released),
            Phase::Running { .. } | Phase::Vacant => Poll::Ready(Waited::Lapsed),
        }
    }

    /// Takes a waiter off the list, and hands its waker back to be dropped outside the lock.
    pub(super) fn leave(&mut self, key: Hashed, id: u64) -> Option<Waker> {
        let Spot::Open(at) = self.at(key)? else { return None };
        let Phase::Running { waiters } = &mut self.slots.get_mut(at)?.phase else { return None };
        let place = waiters.iter().position(|waiter| waiter.id == id)?;
        Some(waiters.swap_remove(place).waker)
    }

    fn token(&mut self) -> u64 {
        self.tokens = self.tokens.saturating_add(1);
        self.tokens
    }

    fn key_of(&self, spot: Spot) -> Option<Key> {
        match spot {
            Spot::Open(at) => self.slots.get(at).map(|slot| slot.key),
            Spot::Settled(number) => self.settled.get(number).map(|record| record.key),
        }
    }

    /// Where a push stands, be it forgotten or not.
    fn at(&self, key: Hashed) -> Option<Spot> {
        let is_of = |number| self.key_of(self.numbers.spot(number)) == Some(key.key);
        self.index.find(key.hash, is_of).map(|number| self.numbers.spot(number))
    }

    fn is_known(&self, spot: Spot, now: u64) -> bool {
        match spot {
            Spot::Open(at) => self.slots.get(at).is_some_and(|slot| !slot.forgotten(now, self.limits.keep)),
            Spot::Settled(number) => self.settled.get(number).is_some_and(|record| record.until > now),
        }
    }

    fn find(&self, key: Hashed, now: u64) -> Option<Spot> {
        self.at(key).filter(|spot| self.is_known(*spot, now))
    }

    fn standing(&self, claim: &Claim, key: Hashed, now: u64) -> Result<Standing, Lost> {
        let at = slot_of(claim.owner);
        if let Some(slot) = self.slots.get(at)
            && slot.key == key.key
            && slot.owner == claim.owner
            && matches!(slot.phase, Phase::Running { .. })
            && !slot.forgotten(now, self.limits.keep)
        {
            return Ok(Standing::Owner(at));
        }
        // It was taken away, or is a claim on a shared store, of which this one is in front.
        let at = match self.find(key, now) {
            Some(Spot::Open(at)) => at,
            Some(Spot::Settled(_)) => return Err(Lost),
            None => return Ok(Standing::Absent),
        };
        match self.slots.get(at) {
            Some(Slot { owner, phase: Phase::Running { .. }, .. }) if *owner == claim.owner => Ok(Standing::Owner(at)),
            _ => Err(Lost),
        }
    }

    /// Makes a push anew that vanished under its owner. If there is no room it stays away: the owner is right all the
    /// same.
    fn restore(&mut self, claim: &Claim, key: Hashed, now: u64) -> Option<usize> {
        self.insert(key, self.at(key), |_| claim.owner, claim.run, claim.first_seen, now)
    }

    /// Keeps an answer for a push that is to stand there.
    fn write(&mut self, answer: &[u8], spot: Spot) -> Place {
        if self.answers.is_sparse(self.limits.bytes) {
            self.make_room();
        }
        let place = self.answers.write(answer, self.numbers.of_spot(spot));
        self.bytes = self.bytes.saturating_add(place.length());
        place
    }

    /// Frees two segments, since it may take one to hold what is wanted of both.
    #[cold]
    fn make_room(&mut self) {
        for _ in 0..2 {
            let Some(taken) = self.answers.take_sparsest() else { return };
            for number in taken.pushes() {
                let answer = match self.numbers.spot(*number) {
                    Spot::Open(at) => match self.slots.get_mut(at) {
                        Some(Slot { phase: Phase::Owed { answer }, .. }) => Some(answer),
                        _ => None,
                    },
                    Spot::Settled(number) => self.settled.get_mut(number).map(|record| &mut record.answer),
                };
                if let Some(answer) = answer
                    && let Some(bytes) = taken.read(*answer)
                {
                    *answer = self.answers.write(bytes, *number);
                }
            }
            self.answers.give_back(taken);
        }
    }

    /// Puts down a push that runs, in place of one that is forgotten.
    fn insert(
        &mut self,
        key: Hashed,
        forgotten: Option<Spot>,
        owner: impl FnOnce(usize) -> u128,
        run: u8,
        first_seen: u64,
        now: u64,
    ) -> Option<usize> {
        if let Some(spot) = forgotten {
            self.remove(spot);
        }
        // With a clock that goes back gaps may stay behind what is never let go.
        if self.len() >= self.limits.entries || self.settled.span() / 2 >= self.limits.entries {
            self.make_way(now)?;
        }
        let (phase, until) = (Phase::Running { waiters: Vec::new() }, now.saturating_add(self.limits.lease));
        let slot = |at| Slot { key: key.key, first_seen, until, owner: owner(at), run, phase, prev: NIL, next: NIL };
        let at = match self.slots.get_mut(self.vacant) {
            Some(vacant) => {
                let at = mem::replace(&mut self.vacant, vacant.next);
                *vacant = slot(at);
                at
            }
            None => {
                let at = self.slots.len();
                self.slots.push(slot(at));
                at
            }
        };
        self.open += 1;
        if self.index.is_short(self.len(), self.limits.entries) {
            self.grow_index();
        } else {
            self.note(key.hash, Spot::Open(at));
        }
        self.link(at);
        self.keep_to_limit(Spot::Open(at), now);
        Some(at)
    }

    fn note(&mut self, hash: u64, spot: Spot) {
        let (numbers, is_past) = (self.numbers, self.settled.past());
        self.index.insert(hash, numbers.of_spot(spot), |number| numbers.is_settled(number) && is_past(number));
    }

    #[cold]
    fn grow_index(&mut self) {
        let Table { index, slots, settled, numbers, salt, limits, .. } = self;
        index.grow(limits.entries);
        let open = slots.iter().enumerate().filter(|(_, slot)| !matches!(slot.phase, Phase::Vacant));
        let open = open.map(|(at, slot)| (slot.key, Spot::Open(at)));
        let settled = settled.iter().map(|(number, record)| (record.key, Spot::Settled(number)));
        for (key, spot) in open.chain(settled) {
            index.insert(salt.hash_one(key), numbers.of_spot(spot), |_| false);
        }
    }

    /// From state to state within the slots: keeps queue, time and waiters in step with the phase.
    fn change(&mut self, at: usize, now: u64, change: impl FnOnce(&mut Slot)) {
        self.unlink(at);
        let Limits { keep, lease, .. } = self.limits;
        let Some(slot) = self.slots.get_mut(at) else { return };
        let waiters = match &mut slot.phase {
            Phase::Running { waiters } => mem::take(waiters),
            _ => Vec::new(),
        };
        change(slot);
        slot.until = now.saturating_add(if let Phase::Running { .. } = slot.phase { lease } else { keep });
        match &mut slot.phase {
            Phase::Running { waiters: still } => *still = waiters,
            _ => self.woken.extend(waiters.into_iter().map(|waiter| waiter.waker)),
        }
        self.link(at);
        self.keep_to_limit(Spot::Open(at), now);
    }

    /// From its slot to the log.
    fn settle(&mut self, at: usize, key: Hashed, answer: &[u8], carrier: Carrier, now: u64) {
        let spot = Spot::Settled(self.settled.next());
        self.index.replace(key.hash, self.numbers.of_spot(Spot::Open(at)), Some(self.numbers.of_spot(spot)));
        let Some(first_seen) = self.vacate(at) else { return };
        let answer = self.write(answer, spot);
        let until = now.saturating_add(self.limits.keep);
        self.settled.push(Record { key: key.key, first_seen, until, answer, carrier });
        self.keep_to_limit(spot, now);
    }

    fn keep_to_limit(&mut self, newest: Spot, now: u64) {
        while self.bytes > self.limits.bytes {
            // The newest answer stays, even where it alone is too large.
            let heads = [self.forgotten(now), self.oldest_settled(), self.owed.head()];
            match heads.into_iter().flatten().find(|head| *head != newest) {
                Some(oldest) => self.remove(oldest),
                None => break,
            }
        }
    }

    /// Lets up to two forgotten pushes go: one claim adds one at most, so this keeps up.
    fn sweep(&mut self, now: u64) {
        for _ in 0..2 {
            match self.forgotten(now) {
                Some(spot) => self.remove(spot),
                None => break,
            }
        }
    }

    fn oldest_settled(&self) -> Option<Spot> {
        let front = self.settled.front().map(|(number, _)| Spot::Settled(number));
        match self.slots.get(self.released.head) {
            Some(&Slot { phase: Phase::Released { turn }, .. }) if self.settled.are_after(turn) => self.released.head(),
            _ => front,
        }
    }

    fn forgotten(&self, now: u64) -> Option<Spot> {
        if let Some((number, record)) = self.settled.front()
            && record.until <= now
        {
            return Some(Spot::Settled(number));
        }
        let (heads, keep) = ([self.released.head, self.owed.head, self.running.head], self.limits.keep);
        let is_so = |at: &usize| self.slots.get(*at).is_some_and(|slot| slot.forgotten(now, keep));
        heads.into_iter().find(is_so).map(Spot::Open)
    }

    /// Whom to evict: the forgotten, the oldest settled, the oldest owed, the longest lapsed. Never who is running.
    fn victim(&self, now: u64) -> Option<Spot> {
        let lapsed = || self.slots.get(self.running.head).is_some_and(|slot| slot.until <= now);
        self.forgotten(now)
            .or_else(|| self.oldest_settled())
            .or_else(|| self.owed.head())
            .or_else(|| self.running.head().filter(|_| lapsed()))
    }

    /// Evicts one at least, if there is any to evict: in a large table many, of those that are settled. What little is
    /// known of each lies far apart, and is fetched for all of them at once.
    fn make_way(&mut self, now: u64) -> Option<()> {
        self.victim(now).map(|spot| self.remove(spot))?;
        for _ in 1..self.limits.entries / BATCHES {
            match self.oldest_settled() {
                Some(spot) => self.remove(spot),
                None => break,
            }
        }
        Some(())
    }

    fn remove(&mut self, spot: Spot) {
        match spot {
            Spot::Open(at) => {
                if let Some(key) = self.key_of(spot) {
                    self.index.replace(self.salt.hash_one(key), self.numbers.of_spot(spot), None);
                }
                self.vacate(at);
            }
            Spot::Settled(number) => {
                if let Some(record) = self.settled.remove(number) {
                    self.forget(record.answer);
                }
            }
        }
    }

    fn forget(&mut self, answer: Place) {
        self.bytes = self.bytes.saturating_sub(answer.length());
        self.answers.forget(answer);
    }

    /// Clears a slot, and says when its push was first seen.
    fn vacate(&mut self, at: usize) -> Option<u64> {
        self.unlink(at);
        let slot = self.slots.get_mut(at)?;
        let (first_seen, answer) = (slot.first_seen, slot.answer());
        if let Phase::Running { waiters } = mem::replace(&mut slot.phase, Phase::Vacant) {
            self.woken.extend(waiters.into_iter().map(|waiter| waiter.waker));
        }
        slot.next = mem::replace(&mut self.vacant, at);
        self.open = self.open.saturating_sub(1);
        self.forget(answer);
        Some(first_seen)
    }

    fn queue(&mut self, at: usize) -> Option<&mut Queue> {
        match self.slots.get(at)?.phase {
            Phase::Vacant => None,
            Phase::Running { .. } => Some(&mut self.running),
            Phase::Released { .. } => Some(&mut self.released),
            Phase::Owed { .. } => Some(&mut self.owed),
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
