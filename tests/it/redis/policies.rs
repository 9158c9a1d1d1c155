//! The table of the policies, as in `dedup_policies`, on two machines in real time.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use wechat_events::DedupKey;
use wechat_events::store::{Attempt, Carrier, Claim, Claimed, Redis, Store, Waited};

use super::{Clock, answer, key, ms, node};
use crate::dedup_policies::{Handler, Policy, Said, cases};
use crate::redis_server::Server;

/// One push through the trait, in real time: deliveries go to the two machines in turn.
async fn push(policy: Policy, handler: Handler, nodes: [Arc<Redis>; 3], key: DedupKey) -> (u8, Vec<Said>) {
    struct Push {
        policy: Policy,
        handler: Handler,
        nodes: [Arc<Redis>; 3],
        key: DedupKey,
        clock: Clock,
        runs: AtomicU8,
        acknowledged: AtomicBool,
        said: Mutex<Vec<Said>>,
    }

    impl Push {
        fn say(&self, said: Said) {
            self.said.lock().unwrap().push(said);
        }

        async fn until(&self, at: u64) {
            sleep_until(self.clock.0 + ms(at)).await;
        }

        async fn run(&self, node: &dyn Store, claim: Claim) {
            self.runs.store(claim.run, Ordering::Relaxed);
            let takes = match self.handler {
                Handler::Answers(takes) | Handler::Fails(takes) | Handler::Killed(_, takes) => takes,
            };
            let dies = match self.handler {
                Handler::Killed(at, _) if claim.run == 1 => at,
                _ => u64::MAX,
            };
            let ends = self.clock.now() + takes;
            let mut renews = self.clock.now();
            loop {
                renews += 1_000;
                self.until(renews.min(ends).min(dies)).await;
                let now = self.clock.now();
                match () {
                    () if now >= dies => return,
                    () if now < ends => node.renew(&claim, now).await.unwrap(),
                    () => break,
                }
            }
            let now = self.clock.now();
            if let Handler::Fails(_) = self.handler {
                return node.release(&claim, Attempt::Failed, now).await.unwrap();
            }
            let late = self.acknowledged.load(Ordering::Relaxed) || now > 15_600;
            node.finish(&claim, &answer("reply"), late.then_some(Carrier::Late), now).await.unwrap();
            if late {
                return self.say(Said::Late(self.clock.now()));
            }
            self.until(15_600).await;
            if node.carry(self.key, Carrier::Late, self.clock.now()).await {
                self.say(Said::Late(self.clock.now()));
            }
        }

        /// Until it is answered, with the reply or not; for ever if it is held, in `failed` because its run failed.
        async fn deliver(self: &Arc<Self>, number: usize, acknowledged_at: u64, failed: &AtomicBool) {
            // A machine that was killed is another process afterwards.
            let was_killed = number == 3 && matches!(self.handler, Handler::Killed(..));
            let store = &self.nodes[if was_killed { 2 } else { number % 2 }];
            let mut runs = false;
            loop {
                let lease_left = match store.claim(self.key, self.clock.now()).await {
                    Claimed::New(claim) => {
                        let (push, store) = (self.clone(), store.clone());
                        tokio::spawn(async move { push.run(&*store, claim).await });
                        runs = true;
                        4_000
                    }
                    Claimed::Running { lease_left, .. } => lease_left,
                    Claimed::Done { carrier: Some(Carrier::Late), .. } => panic!("late, but WeChat still asks"),
                    Claimed::Done { .. } => break,
                    Claimed::Exhausted { .. } => std::future::pending().await,
                    other => panic!("{other:?}"),
                };
                let wait = store.wait(self.key, self.clock.now()).into_future();
                match timeout(ms(lease_left), wait).await {
                    Ok(Waited::Done { .. }) => break,
                    Ok(Waited::Released) if runs && (number == 3 || self.clock.now() >= acknowledged_at) => {
                        return self.say(Said::Success(number, self.clock.now()));
                    }
                    Ok(Waited::Released) if runs => {
                        failed.store(true, Ordering::Relaxed);
                        std::future::pending().await
                    }
                    _ => {}
                }
            }
            assert!(store.carry(self.key, Carrier::Delivery, self.clock.now()).await);
            self.say(Said::Reply(number, self.clock.now()));
        }
    }

    let clock = Clock(Instant::now());
    let (runs, acknowledged, said) = Default::default();
    let push = Arc::new(Push { policy, handler, nodes, key, clock, runs, acknowledged, said });
    let wechat = push.clone();
    let deliveries = async {
        for (number, came) in [(1, 0), (2, 5_070), (3, 10_080)] {
            wechat.until(came).await;
            let acknowledged_at = match wechat.policy {
                Policy::Hold if number < 3 => came + 5_000,
                Policy::Hold => came + 4_500,
                Policy::Acknowledge => came.max(4_500),
            };
            // It is claimed before it is acknowledged.
            let hangs_up = wechat.clock.0 + ms(acknowledged_at.max(came + 100));
            let killed = match wechat.handler {
                Handler::Killed(at, _) if number == 1 => wechat.clock.0 + ms(at),
                _ => hangs_up,
            };
            let failed = AtomicBool::new(false);
            if timeout_at(hangs_up.min(killed), wechat.deliver(number, acknowledged_at, &failed)).await.is_ok() {
                return;
            }
            if killed >= hangs_up && acknowledged_at < came + 5_000 && !failed.into_inner() {
                wechat.acknowledged.store(true, Ordering::Relaxed);
                return wechat.say(Said::Success(number, acknowledged_at));
            }
        }
    };
    deliveries.await;
    push.until(25_500).await;
    let said = std::mem::take(&mut *push.said.lock().unwrap());
    (push.runs.load(Ordering::Relaxed), said)
}

#[tokio::test]
async fn what_is_said_to_whom_and_when_is_as_on_one_machine() {
    let Some(server) = Server::start() else { return };
    let nodes = [node(&server.url()).await, node(&server.url()).await, node(&server.url()).await];
    let mut pushes = vec![];
    for policy in [Policy::Hold, Policy::Acknowledge] {
        for case in cases(policy) {
            let (key, nodes) = (key(pushes.len().try_into().unwrap()), nodes.clone());
            let handler = case.0;
            pushes.push((policy, case, tokio::spawn(push(policy, handler, nodes, key))));
        }
    }
    for (policy, (handler, runs, expected), push) in pushes {
        let (ran, said) = push.await.unwrap();
        assert_eq!(ran, runs, "{policy:?} {handler:?}");
        let parts = |said: &[Said]| -> Vec<_> {
            let parts = said.iter().map(|said| match *said {
                Said::Reply(number, at) => ("reply", number, at),
                Said::Success(number, at) => ("success", number, at),
                Said::Late(at) => ("late", 0, at),
            });
            parts.collect()
        };
        let (said, expected) = (parts(&said), parts(&expected));
        // Who waits for another machine asks five times a second.
        let same = said.len() == expected.len()
            && said
                .iter()
                .zip(&expected)
                .all(|(a, b)| a.0 == b.0 && a.1 == b.1 && (b.2..b.2 + 400).contains(&(a.2 + 1)));
        assert!(same, "{policy:?} {handler:?}: expected {expected:?}, found {said:?}");
    }
}
