//! One push through the trait `Store`, for every row of the policies.
//!
//! WeChat, the nodes and their handlers are a loop over milliseconds; the store is `Memory` with a shared one's lease.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wechat_events::DedupKey;
use wechat_events::store::{Attempt, Carrier, Claim, Claimed, Memory, Outcome, Store, Waited};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    Hold,
    Acknowledge,
}

#[derive(Clone, Copy, Debug)]
pub enum Handler {
    Answers(u64),
    Fails(u64),
    /// The node of the first run dies at this time; later runs answer after the second number.
    Killed(u64, u64),
}

#[derive(Debug, PartialEq)]
pub enum Said {
    /// Which delivery, at which time, got the reply.
    Reply(usize, u64),
    Success(usize, u64),
    Late(u64),
}
use Said::{Late, Reply, Success};

struct Delivery<'a> {
    number: usize,
    came: u64,
    /// When it gives up: held to its deadline, or acknowledged.
    acknowledged_at: Option<u64>,
    /// Its own run failed: it is held, so that WeChat retries.
    failed: bool,
    runs: bool,
    waits: Option<(Outcome<'a, Waited>, u64)>,
}

struct Run {
    claim: Claim,
    ends: u64,
    renews: u64,
    killed: bool,
}

fn now<T>(outcome: Outcome<'_, T>) -> T {
    let Outcome::Now(value) = outcome else { panic!("the memory store answers at once") };
    value
}

/// The number of runs, and each answer with its time.
fn push(policy: Policy, handler: Handler) -> (u8, Vec<Said>) {
    let memory = Memory::builder().lease(Duration::from_secs(4)).build();
    let store: &dyn Store = &memory;
    let (key, answer): (_, Arc<[u8]>) = (DedupKey::from_bytes([1; 16]), Arc::from(*b"reply"));
    let mut deliveries: Vec<Delivery<'_>> = vec![];
    let (mut runs, mut said, mut count) = (vec![], vec![], 0);
    let (mut settled, mut acknowledged, mut owed): (bool, bool, Option<Claim>) = (false, false, None);
    for t in 0..40_000 {
        // The owners.
        let mut over = vec![];
        for (n, run) in runs.iter_mut().enumerate() {
            let Run { claim, ends, renews, killed } = run;
            *killed |= matches!(handler, Handler::Killed(at, _) if claim.run == 1 && at == t);
            if *killed {
                continue;
            }
            if t == *renews {
                now(store.renew(claim, t)).unwrap();
                *renews += 1_000;
            }
            if t == *ends {
                over.push(n);
                if let Handler::Fails(_) = handler {
                    now(store.release(claim, Attempt::Failed, t)).unwrap();
                } else {
                    let late = acknowledged || t > claim.first_seen + 15_600;
                    now(store.finish(claim, &answer, late.then_some(Carrier::Late), t)).unwrap();
                    match late {
                        true => said.push(Late(t)),
                        false => owed = Some(*claim),
                    }
                }
            }
        }
        for n in over.into_iter().rev() {
            runs.swap_remove(n);
        }

        // WeChat retries 70 and 80 ms after it hung up.
        for (number, came) in [0, 5_070, 10_080].into_iter().enumerate() {
            if t == came && !settled {
                let first_two = policy == Policy::Hold && number < 2;
                let acknowledged_at = (!first_two).then_some(match policy {
                    Policy::Hold => came + 4_500,
                    Policy::Acknowledge => 4_500.max(came),
                });
                deliveries.push(Delivery {
                    number: number + 1,
                    came,
                    acknowledged_at,
                    failed: false,
                    runs: false,
                    waits: None,
                });
            }
        }
        let dies = matches!(handler, Handler::Killed(at, _) if at == t);
        deliveries.retain(|delivery| t < delivery.came + 5_000 && !(dies && delivery.number == 1));

        // The deliveries: claim, wait, claim again when the wait or the lease is over.
        let mut answered = vec![];
        for delivery in &mut deliveries {
            loop {
                let carrier = match &mut delivery.waits {
                    None if delivery.failed => break,
                    None => match now(store.claim(key, t)) {
                        Claimed::New(claim) => {
                            assert_eq!(claim.age, t, "judged from when it was first seen");
                            let takes = match handler {
                                Handler::Answers(takes) | Handler::Fails(takes) | Handler::Killed(_, takes) => takes,
                            };
                            runs.push(Run { claim, ends: t + takes.max(1), renews: t + 1_000, killed: false });
                            count = claim.run;
                            delivery.runs = true;
                            delivery.waits = Some((store.wait(key, t), t + 4_000));
                            continue;
                        }
                        Claimed::Running { lease_left, .. } => {
                            delivery.waits = Some((store.wait(key, t), t + lease_left));
                            continue;
                        }
                        Claimed::Done { carrier, .. } => carrier,
                        Claimed::Exhausted { .. } => break,
                        other => panic!("{other:?}"),
                    },
                    Some((wait, lease_over)) => match Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Pending if t < *lease_over => break,
                        Poll::Ready(Waited::Done { carrier, .. }) => carrier,
                        ended => {
                            delivery.failed = delivery.runs && ended == Poll::Ready(Waited::Released);
                            delivery.waits = None;
                            if delivery.failed {
                                delivery.acknowledged_at = (delivery.number == 3).then_some(t);
                            }
                            continue;
                        }
                    },
                };
                assert_ne!(carrier, Some(Carrier::Late));
                assert!(now(store.carry(key, Carrier::Delivery, t)));
                said.push(Reply(delivery.number, t));
                answered.push(delivery.number);
                break;
            }
            if !answered.contains(&delivery.number) && delivery.acknowledged_at == Some(t) {
                said.push(Success(delivery.number, t));
                answered.push(delivery.number);
                acknowledged = true;
            }
        }
        settled |= !answered.is_empty();
        deliveries.retain(|delivery| !answered.contains(&delivery.number));

        // The owner checks for a reply that nobody carried.
        if let Some(claim) = owed
            && t == claim.first_seen + 15_600
            && now(store.carry(key, Carrier::Late, t))
        {
            said.push(Late(t));
        }
    }
    (count, said)
}

/// A handler, how often it is run, and the answers.
pub type Case = (Handler, u8, Vec<Said>);

pub fn cases(policy: Policy) -> Vec<Case> {
    use Handler::{Answers, Fails, Killed};
    match policy {
        Policy::Hold => vec![
            (Answers(0), 1, vec![Reply(1, 1)]),
            (Answers(1_000), 1, vec![Reply(1, 1_000)]),
            (Answers(4_400), 1, vec![Reply(1, 4_400)]),
            (Answers(4_600), 1, vec![Reply(1, 4_600)]),
            (Answers(5_030), 1, vec![Reply(2, 5_070)]), // ready while nobody asks
            (Answers(6_000), 1, vec![Reply(2, 6_000)]),
            (Answers(9_000), 1, vec![Reply(2, 9_000)]),
            (Answers(12_000), 1, vec![Reply(3, 12_000)]),
            (Answers(14_000), 1, vec![Reply(3, 14_000)]),
            (Answers(20_000), 1, vec![Success(3, 14_580), Late(20_000)]),
            (Fails(0), 3, vec![Success(3, 10_081)]),
            (Fails(1_000), 3, vec![Success(3, 11_080)]),
            (Fails(6_000), 3, vec![Success(3, 14_580)]), // the second and third run begin when the one before has failed
            (Fails(12_000), 2, vec![Success(3, 14_580)]),
            (Killed(500, 1_000), 2, vec![Reply(2, 6_070)]), // the lease was over at 4 s
            (Killed(3_500, 6_000), 2, vec![Reply(3, 13_000)]), // renewed at 3 s: taken over at 7 s
            (Killed(9_000, 12_000), 2, vec![Success(3, 14_580), Late(24_000)]),
        ],
        Policy::Acknowledge => vec![
            (Answers(0), 1, vec![Reply(1, 1)]),
            (Answers(1_000), 1, vec![Reply(1, 1_000)]),
            (Answers(4_400), 1, vec![Reply(1, 4_400)]),
            (Answers(4_600), 1, vec![Success(1, 4_500), Late(4_600)]),
            (Answers(14_000), 1, vec![Success(1, 4_500), Late(14_000)]),
            (Answers(20_000), 1, vec![Success(1, 4_500), Late(20_000)]),
            (Fails(0), 2, vec![Success(2, 5_070)]),
            (Fails(1_000), 2, vec![Success(2, 5_070)]), // silence, WeChat asks again, and 4.5 s are over
            (Killed(500, 1_000), 2, vec![Success(2, 5_070), Late(6_070)]),
        ],
    }
}

#[test]
fn hold() {
    for (n, (handler, runs, said)) in cases(Policy::Hold).into_iter().enumerate() {
        assert_eq!(push(Policy::Hold, handler), (runs, said), "case {n}");
    }
}

#[test]
fn acknowledge() {
    for (n, (handler, runs, said)) in cases(Policy::Acknowledge).into_iter().enumerate() {
        assert_eq!(push(Policy::Acknowledge, handler), (runs, said), "case {n}");
    }
}
