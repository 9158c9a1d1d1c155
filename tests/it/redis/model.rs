//! Random steps on two machines say what a naive model says: one map, and no time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::time::timeout;
use wechat_events::DedupKey;
use wechat_events::store::{Attempt, Carrier, Claim, Claimed, Lost, MAX_RUNS, Redis, Store, Waited};

use super::{answer, ms, node};
use crate::redis_server::Server;

#[derive(Clone, Debug)]
enum Op {
    Claim(usize, u8),
    Renew(usize),
    Finish(usize, Option<Carrier>),
    Release(usize, Attempt),
    Carry(usize, u8, Carrier),
    Wait(usize, u8),
}

fn op() -> impl Strategy<Value = Op> {
    let (node, key, nth) = (0..2_usize, 0..3_u8, any::<usize>());
    let by = || prop_oneof![Just(Carrier::Delivery), Just(Carrier::Late)];
    let attempt = prop_oneof![4 => Just(Attempt::Failed), 1 => Just(Attempt::NotMade)];
    prop_oneof![
        6 => (node.clone(), key.clone()).prop_map(|(node, key)| Op::Claim(node, key)),
        1 => nth.prop_map(Op::Renew),
        3 => (nth, proptest::option::of(by())).prop_map(|(nth, by)| Op::Finish(nth, by)),
        3 => (nth, attempt).prop_map(|(nth, attempt)| Op::Release(nth, attempt)),
        2 => (node.clone(), key.clone(), by()).prop_map(|(node, key, by)| Op::Carry(node, key, by)),
        2 => (node, key).prop_map(|(node, key)| Op::Wait(node, key)),
    ]
}

/// What is slow and obvious: one map, and no time.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Running(u128),
    Released,
    Done(Arc<[u8]>, Option<Carrier>),
}

async fn two_nodes(nodes: &[Arc<Redis>; 2], sequence: u64, ops: Vec<Op>) -> Result<(), TestCaseError> {
    let key = |id: u8| DedupKey::from_bytes((u128::from(sequence) << 8 | u128::from(id)).to_be_bytes());
    let mut pushes: HashMap<DedupKey, (u8, State)> = HashMap::new();
    let mut claims: Vec<(usize, Claim)> = vec![];
    for (step, op) in ops.into_iter().enumerate() {
        let nth = |n: usize| (!claims.is_empty()).then(|| claims[n % claims.len()]);
        // Whether the claim holds; then the push gets its new run and state.
        let mut end = |claim: &Claim, run: u8, state: State| {
            let push = pushes.get_mut(&claim.key).unwrap();
            if push.1 != State::Running(claim.owner) {
                return Err(Lost);
            }
            *push = (run, state);
            Ok(())
        };
        match op {
            Op::Claim(node, id) => match (nodes[node].claim(key(id), 0).await, pushes.get(&key(id)).cloned()) {
                (Claimed::New(claim), before) => {
                    let run = match before {
                        None => 1,
                        Some((run, State::Released)) if run < MAX_RUNS => run + 1,
                        other => return Err(TestCaseError::fail(format!("new, though {other:?}"))),
                    };
                    prop_assert_eq!(claim.run, run);
                    pushes.insert(key(id), (run, State::Running(claim.owner)));
                    claims.push((node, claim));
                }
                (Claimed::Running { .. }, Some((_, State::Running(_)))) => {}
                (Claimed::Exhausted { .. }, Some((MAX_RUNS, State::Released))) => {}
                (Claimed::Done { answer, carrier, .. }, Some((_, State::Done(expected, carries)))) => {
                    prop_assert_eq!(answer, expected);
                    prop_assert!(carrier.is_none() || carrier == carries, "{:?}, though {:?}", carrier, carries);
                }
                other => prop_assert!(false, "step {}: {:?}", step, other),
            },
            Op::Renew(n) => {
                if let Some((node, claim)) = nth(n) {
                    let expected = end(&claim, claim.run, State::Running(claim.owner));
                    prop_assert_eq!(nodes[node].renew(&claim, 0).await, expected);
                }
            }
            Op::Finish(n, by) => {
                if let Some((node, claim)) = nth(n) {
                    let text = answer(&step.to_string());
                    let expected = end(&claim, claim.run, State::Done(text.clone(), by));
                    prop_assert_eq!(nodes[node].finish(&claim, &text, by, 0).await, expected);
                }
            }
            Op::Release(n, attempt) => {
                if let Some((node, claim)) = nth(n) {
                    let run = claim.run - u8::from(attempt == Attempt::NotMade);
                    let expected = end(&claim, run, State::Released);
                    prop_assert_eq!(nodes[node].release(&claim, attempt, 0).await, expected);
                }
            }
            Op::Carry(node, id, by) => {
                let expected = match pushes.get_mut(&key(id)) {
                    Some((_, State::Done(_, carrier @ None))) => {
                        *carrier = Some(by);
                        true
                    }
                    Some((_, State::Done(_, Some(carrier)))) => {
                        (*carrier, by) == (Carrier::Delivery, Carrier::Delivery)
                    }
                    _ => true,
                };
                prop_assert_eq!(nodes[node].carry(key(id), by, 0).await, expected, "step {}", step);
            }
            Op::Wait(node, id) => {
                let waited = timeout(ms(5), nodes[node].wait(key(id), 0).into_future()).await.ok();
                let matches = match (&waited, pushes.get(&key(id))) {
                    (None, Some((_, State::Running(_)))) => true,
                    (Some(Waited::Lapsed), None) | (Some(Waited::Released), Some((_, State::Released))) => true,
                    (Some(Waited::Done { answer, .. }), Some((_, State::Done(expected, _)))) => answer == expected,
                    _ => false,
                };
                prop_assert!(matches || waited.is_none(), "step {}: {:?}", step, waited);
            }
        }
    }
    Ok(())
}

#[test]
fn two_machines_say_what_the_naive_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _in = runtime.enter();
    let Some(server) = Server::start() else { return };
    let nodes = runtime.block_on(async { [node(&server.url()).await, node(&server.url()).await] });
    let sequence = Mutex::new(0);
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let tested = runner.run(&proptest::collection::vec(op(), 1..60), |ops| {
        let number = {
            let mut sequence = sequence.lock().unwrap_or_else(PoisonError::into_inner);
            *sequence += 1;
            *sequence
        };
        runtime.block_on(two_nodes(&nodes, number, ops))
    });
    tested.unwrap();
}
