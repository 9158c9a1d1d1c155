//! `Memory` compared with a slow and obvious model: a list of pushes, searched from end to end.

use std::collections::HashSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;
use wechat_events::DedupKey;
use wechat_events::store::{Attempt, Carrier, Claim, Claimed, Lost, MAX_RUNS, Memory, Refusal, Wait, Waited};

const ENTRIES: usize = 4;
const BYTES: usize = 20;
const KEEP: u64 = 60_000;
const LEASE: u64 = 20_000;

#[derive(Clone, Debug)]
enum Op {
    Claim(u8),
    Renew(usize),
    Finish(usize, usize, Option<Carrier>),
    Release(usize, Attempt),
    Carry(u8, Carrier),
    Wait(u8),
    Poll(usize),
    Leave(usize),
    Step(u64),
}

fn carrier() -> impl Strategy<Value = Carrier> {
    prop_oneof![Just(Carrier::Delivery), Just(Carrier::Late)]
}

fn op() -> impl Strategy<Value = Op> {
    let (key, nth) = (0..6u8, any::<usize>());
    let attempt = prop_oneof![4 => Just(Attempt::Failed), 1 => Just(Attempt::NotMade)];
    prop_oneof![
        6 => key.clone().prop_map(Op::Claim),
        1 => nth.prop_map(Op::Renew),
        4 => (nth, 0..25usize, proptest::option::of(carrier())).prop_map(|(n, len, by)| Op::Finish(n, len, by)),
        2 => (nth, attempt).prop_map(|(n, a)| Op::Release(n, a)),
        2 => (key.clone(), carrier()).prop_map(|(key, by)| Op::Carry(key, by)),
        2 => key.prop_map(Op::Wait),
        1 => nth.prop_map(Op::Poll),
        1 => nth.prop_map(Op::Leave),
        3 => prop_oneof![0..3u64, Just(5_000), Just(LEASE - 1), Just(LEASE), Just(KEEP - 1), Just(KEEP), 0..100_000u64]
            .prop_map(Op::Step),
    ]
}

#[derive(Clone, Debug)]
struct Push {
    key: u8,
    first_seen: u64,
    until: u64,
    owner: u128,
    run: u8,
    state: State,
    /// When it entered its state, which is the order of eviction.
    since: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Running(Vec<usize>),
    Released,
    Done(Arc<[u8]>, Option<Carrier>),
}

#[derive(Default)]
struct Model {
    pushes: Vec<Push>,
    steps: usize,
    woken: Vec<usize>,
    /// Waiters of a push that was forgotten while running: woken whenever it is cleared away.
    stray: HashSet<usize>,
}

impl Model {
    fn forget(&mut self, now: u64) {
        for push in &self.pushes {
            if let State::Running(waiters) = &push.state
                && push.until + KEEP <= now
            {
                self.stray.extend(waiters);
            }
        }
        self.pushes.retain(|push| match push.state {
            State::Running(_) => push.until + KEEP > now,
            _ => push.until > now,
        });
    }

    fn find(&mut self, key: u8) -> Option<&mut Push> {
        self.pushes.iter_mut().find(|push| push.key == key)
    }

    fn oldest(&self, which: impl Fn(&Push) -> bool) -> Option<usize> {
        (0..self.pushes.len()).filter(|at| which(&self.pushes[*at])).min_by_key(|at| self.pushes[*at].since)
    }

    fn victim(&self, spared: Option<u8>) -> Option<usize> {
        let free = |push: &Push| Some(push.key) != spared;
        let settled = |push: &Push| matches!(push.state, State::Released | State::Done(_, Some(_))) && free(push);
        let owed = |push: &Push| matches!(push.state, State::Done(_, None)) && free(push);
        self.oldest(settled).or_else(|| self.oldest(owed))
    }

    fn set(&mut self, key: u8, state: State, now: u64) {
        self.steps += 1;
        let since = self.steps;
        let push = self.pushes.iter_mut().find(|push| push.key == key).unwrap();
        push.since = since;
        push.until = now + if matches!(state, State::Running(_)) { LEASE } else { KEEP };
        if let State::Running(waiters) = std::mem::replace(&mut push.state, state)
            && !matches!(push.state, State::Running(_))
        {
            self.woken.extend(waiters);
        }
        let bytes = |push: &Push| if let State::Done(answer, _) = &push.state { answer.len() } else { 0 };
        while self.pushes.iter().map(bytes).sum::<usize>() > BYTES {
            // As in the store the newest is last in its queue: it is skipped only if it is also first.
            let Some(at) = self.victim(Some(key)) else { break };
            self.pushes.remove(at);
        }
    }

    fn insert(&mut self, push: Push, now: u64) -> bool {
        if self.pushes.len() == ENTRIES {
            let lapsed = |push: &Push| matches!(push.state, State::Running(_)) && push.until <= now;
            let Some(at) = self.victim(None).or_else(|| self.oldest(lapsed)) else { return false };
            if let State::Running(waiters) = self.pushes.remove(at).state {
                self.woken.extend(waiters);
            }
        }
        let (key, state) = (push.key, push.state.clone());
        self.pushes.push(push);
        self.set(key, state, now);
        true
    }

    /// The expected answer of the store; `owner` is the number that it gave to a new owner.
    fn claim(&mut self, id: u8, owner: u128, now: u64) -> Claimed {
        let key = DedupKey::from_bytes([id; 16]);
        let Some(push) = self.find(id) else {
            let state = State::Running(vec![]);
            let push = Push { key: id, first_seen: now, until: 0, owner, run: 1, state, since: 0 };
            return match self.insert(push, now) {
                true => Claimed::New(Claim::new(key, owner, 1, now, now)),
                false => Claimed::Refused(Refusal::Full),
            };
        };
        let (first_seen, age) = (push.first_seen, now - push.first_seen);
        let waiters = match &push.state {
            State::Done(answer, carrier) => {
                return Claimed::Done { answer: answer.clone(), carrier: *carrier, age };
            }
            State::Running(waiters) if push.until > now => {
                return Claimed::Running { age, lease_left: push.until - now, waiting: waiters.len() };
            }
            State::Running(waiters) => waiters.clone(),
            State::Released => vec![],
        };
        if push.run == MAX_RUNS {
            return Claimed::Exhausted { age };
        }
        push.run += 1;
        push.owner = owner;
        let run = push.run;
        self.set(id, State::Running(waiters), now);
        Claimed::New(Claim::new(key, owner, run, first_seen, now))
    }

    fn end(&mut self, claim: &Claim, run: u8, state: Option<State>, now: u64) -> Result<(), Lost> {
        let id = claim.key.as_bytes()[0];
        match self.find(id) {
            None => {
                let state = state.unwrap_or(State::Running(vec![]));
                let (first_seen, owner) = (claim.first_seen, claim.owner);
                self.insert(Push { key: id, first_seen, until: 0, owner, run, state, since: 0 }, now);
                Ok(())
            }
            Some(Push { owner, state: before @ State::Running(_), run: runs, .. }) if *owner == claim.owner => {
                *runs = run;
                let state = state.unwrap_or_else(|| before.clone());
                self.set(id, state, now);
                Ok(())
            }
            Some(_) => Err(Lost),
        }
    }

    fn carry(&mut self, id: u8, by: Carrier, now: u64) -> bool {
        match self.find(id).map(|push| push.state.clone()) {
            Some(State::Done(answer, None)) => {
                self.set(id, State::Done(answer, Some(by)), now);
                true
            }
            Some(State::Done(_, Some(carrier))) => (carrier, by) == (Carrier::Delivery, Carrier::Delivery),
            _ => true,
        }
    }

    /// What a waiter sees.
    fn look(&mut self, id: u8, now: u64) -> Poll<Waited> {
        match self.find(id) {
            Some(Push { state: State::Running(_), until, .. }) if *until > now => Poll::Pending,
            None | Some(Push { state: State::Running(_), .. }) => Poll::Ready(Waited::Lapsed),
            Some(Push { state: State::Released, .. }) => Poll::Ready(Waited::Released),
            Some(Push { state: State::Done(answer, carrier), .. }) => {
                Poll::Ready(Waited::Done { answer: answer.clone(), carrier: *carrier })
            }
        }
    }

    fn leave(&mut self, number: usize) {
        for push in &mut self.pushes {
            if let State::Running(waiters) = &mut push.state {
                waiters.retain(|waiter| *waiter != number);
            }
        }
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Waiter<'a> {
    number: usize,
    key: u8,
    wakes: Arc<Count>,
    future: Pin<Box<Wait<'a>>>,
}

impl Waiter<'_> {
    fn poll(&mut self) -> Poll<Waited> {
        self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(self.wakes.clone())))
    }
}

fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let settings = Memory::builder().entries(ENTRIES).bytes(BYTES);
    let memory = settings.keep(Duration::from_millis(KEEP)).lease(Duration::from_millis(LEASE)).build();
    let mut model = Model::default();
    let mut claims: Vec<Claim> = vec![];
    let mut waiters: Vec<Waiter<'_>> = vec![];
    let mut now = 1_000;
    for (number, op) in ops.into_iter().enumerate() {
        model.forget(now);
        let nth = |n: usize| (!claims.is_empty()).then(|| claims[n % claims.len()]);
        match op {
            Op::Claim(id) => {
                let claimed = memory.claim(DedupKey::from_bytes([id; 16]), now);
                let owner = if let Claimed::New(claim) = &claimed { claim.owner } else { 0 };
                prop_assert_eq!(&claimed, &model.claim(id, owner, now));
                if let Claimed::New(claim) = claimed {
                    let same = |other: &Claim| (other.key, other.owner) == (claim.key, claim.owner);
                    prop_assert!(claim.owner != 0 && !claims.iter().any(same), "an owner's number was used again");
                    claims.push(claim);
                }
            }
            Op::Renew(n) => {
                if let Some(claim) = nth(n) {
                    prop_assert_eq!(memory.renew(&claim, now), model.end(&claim, claim.run, None, now));
                }
            }
            Op::Finish(n, len, by) => {
                if let Some(claim) = nth(n) {
                    let answer: Arc<[u8]> = vec![number as u8; len].into();
                    let state = State::Done(answer.clone(), by);
                    let expected = model.end(&claim, claim.run, Some(state), now);
                    prop_assert_eq!(memory.finish(&claim, &answer, by, now), expected);
                }
            }
            Op::Release(n, attempt) => {
                if let Some(claim) = nth(n) {
                    let run = claim.run - u8::from(attempt == Attempt::NotMade);
                    let expected = model.end(&claim, run, Some(State::Released), now);
                    prop_assert_eq!(memory.release(&claim, attempt, now), expected);
                }
            }
            Op::Carry(id, by) => {
                prop_assert_eq!(memory.carry(DedupKey::from_bytes([id; 16]), by, now), model.carry(id, by, now));
            }
            Op::Wait(id) => {
                let future = Box::pin(memory.wait(DedupKey::from_bytes([id; 16]), now));
                let mut waiter = Waiter { number, key: id, wakes: Arc::default(), future };
                let seen = waiter.poll();
                prop_assert_eq!(&seen, &model.look(id, now));
                if seen.is_pending() {
                    if let State::Running(list) = &mut model.find(id).unwrap().state {
                        list.push(number);
                    }
                    waiters.push(waiter);
                }
            }
            Op::Poll(n) if !waiters.is_empty() => {
                let n = n % waiters.len();
                if !model.stray.contains(&waiters[n].number) {
                    waiters[n].wakes = Arc::default(); // moved to another task: only the new waker counts
                    prop_assert_eq!(waiters[n].poll(), Poll::Pending, "not woken, so it must still run");
                }
            }
            Op::Leave(n) if !waiters.is_empty() => {
                let waiter = waiters.swap_remove(n % waiters.len());
                model.leave(waiter.number);
            }
            Op::Poll(_) | Op::Leave(_) => {}
            Op::Step(ms) => now += ms,
        }

        let mut woken: Vec<usize> = vec![];
        for waiter in &waiters {
            let wakes = waiter.wakes.0.load(Ordering::Relaxed);
            prop_assert!(wakes <= 1, "woken twice for one registration");
            if wakes == 1 && !model.stray.contains(&waiter.number) {
                woken.push(waiter.number);
            }
        }
        let mut expected = std::mem::take(&mut model.woken);
        woken.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(&woken, &expected);
        for mut waiter in std::mem::take(&mut waiters) {
            if model.stray.contains(&waiter.number) {
                continue; // dropped
            }
            if woken.contains(&waiter.number) {
                prop_assert_eq!(waiter.poll(), model.look(waiter.key, now));
                prop_assert!(model.look(waiter.key, now).is_ready(), "woken for nothing");
            } else {
                waiters.push(waiter);
            }
        }
        prop_assert!(memory.entries() <= ENTRIES && (memory.bytes() <= BYTES || memory.bytes() < 25));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_says_what_the_naive_model_says(ops in proptest::collection::vec(op(), 1..120)) {
        run(ops)?;
    }
}

#[test]
fn answers_stay_their_pushes_own_and_in_bounded_room_while_others_come_and_go_around_them() {
    const BYTES: usize = 1 << 20;
    let memory = Memory::builder().shards(1).entries(4_000).bytes(BYTES).build();
    let key = |n: u32| DedupKey::from_bytes(u128::from(n).to_be_bytes());
    let answer = |n: u32| format!("{n} ").repeat(if n.is_multiple_of(97) { 10_000 } else { 60 }).into_bytes();
    let is_owed = |n: &u32| n.is_multiple_of(70);
    let room = allocation_counter::measure(|| {
        for n in 1..=50_000 {
            let Claimed::New(claim) = memory.claim(key(n), 0) else { panic!() };
            let carrier = if is_owed(&n) { None } else { Some(Carrier::Delivery) };
            memory.finish(&claim, &answer(n), carrier, 0).unwrap();
        }
    });
    assert!(memory.bytes() > BYTES - 60_000, "it is full, and all that is owed has its place");
    for n in (1..=50_000).filter(is_owed) {
        let Claimed::Done { answer: found, carrier: None, .. } = memory.claim(key(n), 0) else { panic!("{n}") };
        assert!(*found == *answer(n), "{n} has another's answer");
    }
    // The bytes, and 300 for each push beside them.
    let most = u64::try_from(BYTES + 300 * 4_000).unwrap();
    assert!(room.bytes_max < most, "{room:?}");
}

#[test]
fn a_full_store_knows_as_many_of_the_newest_pushes_as_it_is_allowed() {
    const ENTRIES: u128 = 5_000;
    let memory = Memory::builder().shards(1).entries(5_000).build();
    let key = |n: u128| DedupKey::from_bytes(n.to_be_bytes());
    let look = |n: u128| match pin!(memory.wait(key(n), 1)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(waited) => waited,
        Poll::Pending => panic!("{n} runs"),
    };
    for n in 0..40_000 {
        let Claimed::New(claim) = memory.claim(key(n), 0) else { panic!("{n}") };
        memory.finish(&claim, n.to_string().as_bytes(), Some(Carrier::Delivery), 0).unwrap();
        let held = ENTRIES.min(n + 1);
        assert_eq!(u128::try_from(memory.entries()), Ok(held));
        let first = n + 1 - held;
        if n % 997 == 0 {
            for other in first.saturating_sub(9)..=n {
                let expected = match other < first {
                    true => Waited::Lapsed,
                    false => {
                        Waited::Done { answer: other.to_string().as_bytes().into(), carrier: Some(Carrier::Delivery) }
                    }
                };
                assert_eq!(look(other), expected, "{other} of {first}..={n}");
            }
        }
    }
}

#[test]
fn a_run_whose_lease_has_no_end_is_known_until_it_ends() {
    const LAST: u64 = u64::MAX - 1;
    let memory = Memory::builder().entries(2).lease(Duration::MAX).keep(Duration::from_millis(KEEP)).build();
    let key = |n: u8| DedupKey::from_bytes([n; 16]);
    let Claimed::New(claim) = memory.claim(key(1), 1_000) else { panic!() };
    assert_eq!(memory.renew(&claim, 5_000), Ok(()));
    for n in 2..100 {
        let Claimed::New(other) = memory.claim(key(n), LAST) else { panic!("{n}") };
        memory.finish(&other, &[n; 9], None, LAST).unwrap();
    }
    let running = Claimed::Running { age: LAST - 1_000, lease_left: 1, waiting: 0 };
    assert_eq!(memory.claim(key(1), LAST), running);
    assert!(matches!(memory.claim(key(2), LAST), Claimed::New(_)));
    assert_eq!(memory.claim(key(3), LAST), Claimed::Refused(Refusal::Full), "running pushes are never evicted");
    assert_eq!(memory.finish(&claim, b"hello", None, LAST), Ok(()));
    assert!(matches!(memory.claim(key(1), LAST), Claimed::Done { .. }));
}

#[test]
fn a_long_run_keeps_none_behind_it_that_has_ended() {
    let memory = Memory::builder().shards(1).keep(Duration::from_millis(KEEP)).build();
    let key = |n: u64| DedupKey::from_bytes(u128::from(n).to_be_bytes());
    let Claimed::New(long) = memory.claim(key(0), 0) else { panic!() };
    for n in 1..=10_000 {
        let now = n * 100;
        memory.renew(&long, now).unwrap();
        let Claimed::New(claim) = memory.claim(key(n), now) else { panic!("{n}") };
        memory.finish(&claim, b"hello", Some(Carrier::Delivery), now).unwrap();
        // Those of the last minute, and the long one.
        let held = usize::try_from(n.min(KEEP / 100)).unwrap() + 1;
        assert_eq!((memory.entries(), memory.bytes()), (held, 5 * (held - 1)), "{n}");
    }
}

#[test]
fn a_vanished_push_comes_back_to_its_owner_and_learns_what_a_shared_store_knows_of_it() {
    let memory = Memory::builder().entries(1).lease(Duration::from_millis(LEASE)).build();
    let key = |n: u8| DedupKey::from_bytes([n; 16]);
    let Claimed::New(claim) = memory.claim(key(1), 1_000) else { panic!() };
    // Evicted, since its lease was over; then the other ends and makes way.
    let Claimed::New(other) = memory.claim(key(2), 1_000 + LEASE) else { panic!() };
    memory.release(&other, Attempt::Failed, 1_000 + LEASE).unwrap();
    let mut shared = claim;
    shared.owner |= 7 << 64;
    assert_eq!(memory.renew(&shared, 30_000), Ok(()));
    assert_eq!(memory.renew(&claim, 30_000), Err(Lost), "it has its owner again, who is another");

    let mut older = shared;
    (older.first_seen, older.run) = (400, 2);
    assert_eq!(memory.renew(&older, 30_000), Ok(()));
    assert_eq!(memory.renew(&shared, 30_000), Ok(()), "which makes it neither younger nor less often run");
    let Claimed::New(next) = memory.claim(key(1), 30_000 + LEASE) else { panic!() };
    assert_eq!((next.run, next.first_seen, next.age), (3, 400, 29_600 + LEASE));
    assert_eq!(next.owner >> 63, 0, "there is room for a shared store's own bits");
}

#[test]
fn a_claim_that_was_given_back_does_not_come_back_to_life() {
    for (attempt, run) in [(Attempt::Failed, 2), (Attempt::NotMade, 1)] {
        let (memory, key) = (Memory::new(), DedupKey::from_bytes([1; 16]));
        let Claimed::New(claim) = memory.claim(key, 0) else { panic!() };
        memory.release(&claim, attempt, 1).unwrap();
        let over = || {
            assert_eq!(memory.renew(&claim, 2), Err(Lost));
            assert_eq!(memory.finish(&claim, b"stale", None, 2), Err(Lost));
            assert_eq!(memory.release(&claim, attempt, 2), Err(Lost));
        };
        over();
        let Claimed::New(next) = memory.claim(key, 3) else { panic!() };
        assert_eq!((next.run, next.owner == claim.owner), (run, false));
        over();
        assert_eq!(memory.finish(&next, b"fresh", None, 4), Ok(()));
    }
}

#[test]
fn an_answer_beyond_the_bound_goes_with_the_next_claim() {
    let memory = Memory::builder().bytes(10).shards(1).build();
    let key = |n: u8| DedupKey::from_bytes([n; 16]);
    let Claimed::New(claim) = memory.claim(key(1), 0) else { panic!() };
    memory.finish(&claim, &[1; 11], None, 0).unwrap();
    assert_eq!((memory.entries(), memory.bytes()), (1, 11));
    assert!(memory.carry(key(1), Carrier::Delivery, 0));
    assert_eq!((memory.entries(), memory.bytes()), (1, 11), "it is still the newest");
    memory.claim(key(2), 0);
    assert_eq!((memory.entries(), memory.bytes()), (1, 0));
}
