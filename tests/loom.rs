//! Every interleaving of the memory store's steps, by loom.
//!
//! `RUSTFLAGS="--cfg wechat_events_loom" cargo test --release --test loom` takes some five seconds; with
//! `LOOM_MAX_PREEMPTIONS=100`, which lifts the bound of the two largest models, three minutes.
#![cfg(wechat_events_loom)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use loom::future::block_on;
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::thread;
use wechat_events::DedupKey;
use wechat_events::store::{Attempt, Carrier, Claimed, Lost, Memory, Waited};

const LEASE: u64 = 10;

/// All interleavings with at most five preemptions, where all of them would take minutes: threads that are switched at
/// will between their steps, and five times in the middle of one.
fn model_of_three(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(5));
    model.check(test);
}

fn key() -> DedupKey {
    DedupKey::from_bytes([1; 16])
}

fn memory(entries: usize) -> Arc<Memory> {
    Arc::new(Memory::builder().entries(entries).lease(Duration::from_millis(LEASE)).shards(1).build())
}

fn answer(word: &str) -> Arc<[u8]> {
    Arc::from(word.as_bytes())
}

/// How a delivery gets its answer: run it, join it, or run it because the other failed. `fails` are the failing runs.
fn deliver(memory: &Memory, busy: &AtomicBool, runs: &AtomicUsize, fails: u8) -> Arc<[u8]> {
    loop {
        match memory.claim(key(), 0) {
            Claimed::New(claim) => {
                assert!(!busy.swap(true, Ordering::SeqCst), "two owners at once");
                runs.fetch_add(1, Ordering::SeqCst);
                busy.store(false, Ordering::SeqCst);
                if claim.run <= fails {
                    assert_eq!(memory.release(&claim, Attempt::Failed, 0), Ok(()));
                } else {
                    assert_eq!(memory.finish(&claim, &answer("one"), Some(Carrier::Delivery), 0), Ok(()));
                    return answer("one");
                }
            }
            Claimed::Running { .. } => {
                if let Waited::Done { answer, .. } = block_on(memory.wait(key(), 0)) {
                    return answer;
                }
            }
            Claimed::Done { answer, .. } => return answer,
            other => unreachable!("{other:?}"),
        }
    }
}

#[test]
fn three_deliveries_make_one_run_and_get_one_answer() {
    model_of_three(|| {
        let memory = memory(8);
        let (busy, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (memory, busy, runs) = (memory.clone(), busy.clone(), runs.clone());
                thread::spawn(move || deliver(&memory, &busy, &runs, 0))
            })
            .collect();
        assert_eq!(deliver(&memory, &busy, &runs, 0), answer("one"));
        for other in others {
            assert_eq!(other.join().unwrap(), answer("one"));
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_failed_run_wakes_a_delivery_that_runs_it_again() {
    loom::model(|| {
        let memory = memory(8);
        let (busy, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let other = {
            let (memory, busy, runs) = (memory.clone(), busy.clone(), runs.clone());
            thread::spawn(move || deliver(&memory, &busy, &runs, 1))
        };
        assert_eq!(deliver(&memory, &busy, &runs, 1), answer("one"));
        assert_eq!(other.join().unwrap(), answer("one"));
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn of_a_stalled_owner_and_who_takes_over_exactly_one_finishes_and_a_waiter_gets_that_answer() {
    loom::model(|| {
        let memory = memory(8);
        let Claimed::New(stalled) = memory.claim(key(), 0) else { unreachable!() };
        let waiter = {
            let memory = memory.clone();
            thread::spawn(move || block_on(memory.wait(key(), 0)))
        };
        let taker = {
            let memory = memory.clone();
            thread::spawn(move || match memory.claim(key(), LEASE) {
                Claimed::New(claim) => Some(memory.finish(&claim, &answer("second"), None, LEASE)),
                Claimed::Done { answer: first, .. } => {
                    assert_eq!(first, answer("first"));
                    None
                }
                other => unreachable!("{other:?}"),
            })
        };
        let first = memory.finish(&stalled, &answer("first"), None, LEASE);
        let won = match (first, taker.join().unwrap()) {
            (Ok(()), None) => "first",
            // Taken over, yet the second had not finished either when the first came: the first is refused.
            (Err(Lost), Some(Ok(()))) => "second",
            other => unreachable!("{other:?}"),
        };
        assert_eq!(waiter.join().unwrap(), Waited::Done { answer: answer(won), carrier: None });
    });
}

#[test]
fn a_renewal_and_a_take_over_do_not_both_succeed() {
    loom::model(|| {
        let memory = memory(8);
        let Claimed::New(owner) = memory.claim(key(), 0) else { unreachable!() };
        let taker = {
            let memory = memory.clone();
            thread::spawn(move || matches!(memory.claim(key(), LEASE), Claimed::New(claim) if claim.run == 2))
        };
        let renewed = memory.renew(&owner, LEASE);
        let taken = taker.join().unwrap();
        assert_eq!(renewed, if taken { Err(Lost) } else { Ok(()) });
        assert_eq!(memory.finish(&owner, &answer("one"), None, LEASE), renewed);
    });
}

#[test]
fn a_release_and_a_take_over_leave_one_owner() {
    loom::model(|| {
        let memory = memory(8);
        let Claimed::New(first) = memory.claim(key(), 0) else { unreachable!() };
        let claims = |memory: Arc<Memory>| thread::spawn(move || memory.claim(key(), LEASE));
        let (one, two) = (claims(memory.clone()), claims(memory.clone()));
        let released = memory.release(&first, Attempt::Failed, LEASE);
        let claimed = [one.join().unwrap(), two.join().unwrap()];
        let owners =
            claimed.iter().filter_map(|claimed| if let Claimed::New(claim) = claimed { Some(claim) } else { None });
        let owners: Vec<_> = owners.collect();
        assert_eq!(owners.len(), 1);
        assert_eq!(owners[0].run, 2);
        assert!(released == Ok(()) || released == Err(Lost));
        assert_eq!(memory.finish(owners[0], &answer("one"), None, LEASE), Ok(()));
    });
}

#[test]
fn an_answer_is_carried_or_late_never_both_never_neither() {
    model_of_three(|| {
        let memory = memory(8);
        let Claimed::New(claim) = memory.claim(key(), 0) else { unreachable!() };
        let delivery = |memory: Arc<Memory>| {
            thread::spawn(move || match block_on(memory.wait(key(), 0)) {
                Waited::Done { .. } => memory.carry(key(), Carrier::Delivery, 0),
                other => unreachable!("{other:?}"),
            })
        };
        let (one, two) = (delivery(memory.clone()), delivery(memory.clone()));
        assert_eq!(memory.finish(&claim, &answer("one"), None, 0), Ok(()));
        let late = memory.carry(key(), Carrier::Late, 0);
        let (one, two) = (one.join().unwrap(), two.join().unwrap());
        assert_eq!(one, two, "retries of one push get the same");
        assert_ne!(late, one);
        assert_eq!(memory.carry(key(), Carrier::Delivery, 0), one, "and so do those that come later");
        assert!(!memory.carry(key(), Carrier::Late, 0), "late gets it once");
    });
}

#[test]
fn late_gets_an_answer_once() {
    loom::model(|| {
        let memory = memory(8);
        let Claimed::New(claim) = memory.claim(key(), 0) else { unreachable!() };
        assert_eq!(memory.finish(&claim, &answer("one"), None, 0), Ok(()));
        let other = {
            let memory = memory.clone();
            thread::spawn(move || memory.carry(key(), Carrier::Late, 0))
        };
        assert_ne!(memory.carry(key(), Carrier::Late, 0), other.join().unwrap());
    });
}

#[test]
fn a_waiter_that_is_dropped_takes_no_wake_up_along() {
    loom::model(|| {
        let memory = memory(8);
        let Claimed::New(claim) = memory.claim(key(), 0) else { unreachable!() };
        let dropped = {
            let memory = memory.clone();
            thread::spawn(move || {
                let mut wait = Box::pin(memory.wait(key(), 0));
                let noop = std::task::Waker::noop();
                let _ = wait.as_mut().poll(&mut std::task::Context::from_waker(noop));
            })
        };
        let waiter = {
            let memory = memory.clone();
            thread::spawn(move || block_on(memory.wait(key(), 0)))
        };
        assert_eq!(memory.finish(&claim, &answer("one"), None, 0), Ok(()));
        dropped.join().unwrap();
        assert_eq!(waiter.join().unwrap(), Waited::Done { answer: answer("one"), carrier: None });
    });
}

#[test]
fn evicting_a_lapsed_push_wakes_who_waits_for_it() {
    loom::model(|| {
        let memory = memory(1);
        let Claimed::New(_) = memory.claim(key(), 0) else { unreachable!() };
        let waiter = {
            let memory = memory.clone();
            thread::spawn(move || block_on(memory.wait(key(), 0)))
        };
        assert!(matches!(memory.claim(DedupKey::from_bytes([2; 16]), LEASE), Claimed::New(_)));
        assert_eq!(waiter.join().unwrap(), Waited::Lapsed);
    });
}
