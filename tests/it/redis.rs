//! `store::Redis` against a real server. Two stores are two machines: they share nothing else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::{Client, FromRedisValue, cmd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use wechat_events::DedupKey;
use wechat_events::store::{
    Attempt, Carrier, Claim, Claimed, Lost, MAX_RUNS, Outcome, Redis, RedisError, Refusal, Status, Store, Waited,
    WhenDown,
};

use crate::dedup_policies::{Handler, Policy, Said, cases};
use crate::redis_server::Server;

const PREFIX: &str = "t:";

fn key(n: u8) -> DedupKey {
    DedupKey::from_bytes([n; 16])
}

fn answer(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

async fn node(url: &str) -> Arc<Redis> {
    let redis = Redis::connect(url, PREFIX).unwrap();
    redis.check().await.unwrap();
    Arc::new(redis)
}

/// A command besides the stores'.
async fn ask<T: FromRedisValue>(server: &Server, words: &[&[u8]]) -> T {
    let mut connection = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut command = cmd(std::str::from_utf8(words[0]).unwrap());
    for word in &words[1..] {
        command.arg(word);
    }
    command.query_async(&mut connection).await.unwrap()
}

fn name(key: DedupKey) -> Vec<u8> {
    format!("{PREFIX}{key}").into_bytes()
}

fn new(claimed: Claimed) -> Claim {
    let Claimed::New(claim) = claimed else { panic!("expected a new push, found {claimed:?}") };
    claim
}

/// Milliseconds since the test began, as a caller's clock.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> u64 {
        self.0.elapsed().as_millis().try_into().unwrap()
    }
}

#[tokio::test]
async fn the_record_is_what_the_docs_say() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let name = name(key(1));
    let record = async || -> (String, Vec<u8>, Vec<u8>) {
        let value: Vec<u8> = ask(&server, &[b"GET", &name]).await;
        (String::from_utf8(value[..11].into()).unwrap(), value[19..35].into(), value[35..].into())
    };
    let ttl = async || ask::<u64>(&server, &[b"PTTL", &name]).await;

    let claim = new(a.claim(key(1), 0).await);
    let owner = claim.owner.to_be_bytes().to_vec();
    assert_eq!(record().await, ("1r10000fa00".into(), owner.clone(), vec![]));
    assert!((62_000..=64_000).contains(&ttl().await));
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Running { .. }));
    assert_eq!(record().await, ("1w10000fa00".into(), owner.clone(), vec![]));
    a.release(&claim, Attempt::Failed, 0).await.unwrap();
    assert_eq!(record().await, ("1x10000ea60".into(), owner, vec![]));
    assert!((58_000..=60_000).contains(&ttl().await));
    let claim = new(b.claim(key(1), 0).await);
    let owner = claim.owner.to_be_bytes().to_vec();
    assert_eq!(record().await, ("1r20000fa00".into(), owner.clone(), vec![]));
    b.finish(&claim, &answer("<xml/>"), None, 0).await.unwrap();
    assert_eq!(record().await, ("1o20000ea60".into(), owner.clone(), b"<xml/>".into()));
    assert!(a.carry(key(1), Carrier::Delivery, 0).await);
    assert_eq!(record().await, ("1d20000ea60".into(), owner, b"<xml/>".into()));

    let claim = new(a.claim(key(2), 0).await);
    a.finish(&claim, &answer(""), Some(Carrier::Late), 0).await.unwrap();
    let value: Vec<u8> = ask(&server, &[b"GET", &self::name(key(2))]).await;
    assert!(value.starts_with(b"1l1") && value.len() == 35);
}

#[tokio::test]
async fn what_is_no_record_of_this_version_counts_as_absent() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let odd: [&[&[u8]]; 4] = [
        &[b"SET", &name(key(0)), b"2r10000fa0000000000################"],
        &[b"SET", &name(key(1)), b"1r1"],
        &[b"SET", &name(key(2)), b"1rx0000fa00zzzzzzzz################"],
        &[b"RPUSH", &name(key(3)), b"a list"],
    ];
    for (n, command) in (0..).zip(odd) {
        let _: redis::Value = ask(&server, command).await;
        assert_eq!(a.wait(key(n), 0).await, Waited::Lapsed, "{n}");
        assert!(a.carry(key(n), Carrier::Delivery, 0).await, "{n}");
        let claim = new(a.claim(key(n), 0).await);
        assert_eq!((claim.run, claim.age), (1, 0), "{n}");
        assert!(matches!(b.claim(key(n), 0).await, Claimed::Running { .. }), "{n}");
        // And under an owner's hands.
        let _: redis::Value = ask(&server, &[b"DEL", &name(key(n))]).await;
        let _: redis::Value = ask(&server, command).await;
        a.finish(&claim, &answer("yes"), None, 0).await.unwrap();
        assert!(matches!(b.claim(key(n), 0).await, Claimed::Done { answer, .. } if *answer == *b"yes"), "{n}");
    }
}

/// One push through the trait, in real time: deliveries go to the two machines in turn.
async fn push(policy: Policy, handler: Handler, nodes: [Arc<Redis>; 2], key: DedupKey) -> (u8, Vec<Said>) {
    struct Push {
        policy: Policy,
        handler: Handler,
        nodes: [Arc<Redis>; 2],
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
            let store = &self.nodes[number % 2];
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

/// The table of the policies, as in `dedup_policies`, on two machines: what is said, to whom, and when.
#[tokio::test]
async fn policies() {
    let Some(server) = Server::start() else { return };
    let nodes = [node(&server.url()).await, node(&server.url()).await];
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
        // The wake-up is a message and not the look twice a second.
        let same = said.len() == expected.len()
            && said
                .iter()
                .zip(&expected)
                .all(|(a, b)| a.0 == b.0 && a.1 == b.1 && (b.2..b.2 + 400).contains(&(a.2 + 1)));
        assert!(same, "{policy:?} {handler:?}: expected {expected:?}, found {said:?}");
    }
}

#[tokio::test]
async fn a_push_that_runs_here_is_answered_here() {
    let Some(mut server) = Server::start() else { return };
    let redis = Redis::builder(&server.url(), PREFIX).when_down(WhenDown::Refuse).connect().unwrap();
    redis.check().await.unwrap();
    let claim = new(redis.claim(key(1), 0).await);
    server.kill(); // so nobody can be asked
    assert!(matches!(redis.claim(key(1), 3_999), Outcome::Now(Claimed::Running { age: 3_999, lease_left: 1, .. })));
    let _ = redis.finish(&claim, &answer("yes"), Some(Carrier::Delivery), 4_000).await;
    assert!(matches!(redis.claim(key(1), 5_070), Outcome::Now(Claimed::Done { age: 5_070, .. })));
    assert!(matches!(redis.carry(key(1), Carrier::Late, 5_070), Outcome::Now(false)));
}

#[tokio::test]
async fn age_and_run_go_along_to_the_other_machine() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let claim = new(a.claim(key(1), 90_000).await);
    sleep(ms(300)).await;
    a.release(&claim, Attempt::Failed, 90_300).await.unwrap();
    let claim = new(b.claim(key(1), 10).await); // its clock is younger than the push
    assert!((300..500).contains(&claim.age), "{claim:?}");
    assert_eq!((claim.run, claim.first_seen), (2, 0));
    let Outcome::Now(Claimed::Running { age, .. }) = b.claim(key(1), 1_010) else { panic!() };
    assert_eq!(age, claim.age + 1_000, "a joiner is told the same");
    b.finish(&claim, &answer("yes"), None, 1_010).await.unwrap();
    let Claimed::Done { age, .. } = a.claim(key(1), 90_400).await else { panic!() };
    assert!((300..600).contains(&age), "{age}");
}

#[tokio::test]
async fn a_dead_machines_push_is_taken_over_when_its_lease_is_over() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let start = Instant::now();
    let first = new(a.claim(key(1), 0).await);
    drop(a);
    let Claimed::Running { lease_left, .. } = b.claim(key(1), 0).await else { panic!() };
    assert!((3_500..=4_000).contains(&lease_left), "{lease_left}");
    let wait = timeout(ms(lease_left), b.wait(key(1), 0).into_future()).await;
    assert!(matches!(wait, Err(_) | Ok(Waited::Lapsed)));
    let second = loop {
        match b.claim(key(1), 4_000).await {
            Claimed::New(claim) => break claim,
            Claimed::Running { lease_left, .. } if lease_left < 50 => sleep(ms(lease_left)).await,
            other => panic!("{other:?}"),
        }
    };
    assert!(start.elapsed() < ms(4_400), "{:?}", start.elapsed());
    assert_eq!((second.run, second.age / 1_000), (2, 4));

    // It was only slow.
    let a = node(&server.url()).await;
    assert_eq!(a.renew(&first, 4_500).await, Err(Lost));
    assert_eq!(a.finish(&first, &answer("stale"), None, 4_500).await, Err(Lost));
    assert_eq!(a.release(&first, Attempt::Failed, 4_500).await, Err(Lost));
    b.finish(&second, &answer("fresh"), None, 4_500).await.unwrap();
    assert_eq!(b.finish(&second, &answer("fresh"), None, 4_500).await, Err(Lost), "twice");
    assert!(matches!(a.claim(key(1), 5_070).await, Claimed::Done { answer, .. } if *answer == *b"fresh"));
}

#[tokio::test]
async fn a_run_that_lives_counts_when_the_one_that_replaced_it_has_died() {
    let Some(server) = Server::start() else { return };
    let (a, b, c) = (node(&server.url()).await, node(&server.url()).await, node(&server.url()).await);
    let mut runs = vec![];
    for n in [1, 2, 3] {
        let first = new(a.claim(key(n), 0).await);
        a.release(&first, Attempt::Failed, 0).await.unwrap();
        let second = new(a.claim(key(n), 0).await);
        // Redis forgets it, and learns of another run before the next renewal.
        let _: u64 = ask(&server, &[b"DEL", &name(key(n))]).await;
        assert_eq!(new(b.claim(key(n), 0).await).run, 1);
        assert_eq!(a.renew(&second, 1_000).await, Err(Lost));
        runs.push(second);
    }
    drop(b);
    assert_eq!(a.finish(&runs[0], &answer("reply"), None, 2_000).await, Err(Lost), "it may live");
    sleep(ms(4_100)).await;
    a.finish(&runs[0], &answer("reply"), None, 5_000).await.unwrap();
    assert!(matches!(c.claim(key(1), 0).await, Claimed::Done { answer, carrier: None, .. } if *answer == *b"reply"));
    assert!(a.carry(key(1), Carrier::Late, 5_000).await);

    a.renew(&runs[1], 5_000).await.unwrap();
    assert!(matches!(c.claim(key(2), 0).await, Claimed::Running { lease_left: 3_500.., .. }));
    a.release(&runs[1], Attempt::Failed, 5_000).await.unwrap();
    assert_eq!(new(c.claim(key(2), 0).await).run, MAX_RUNS, "two runs are known to have failed");

    // To give back is no news of what another has.
    assert_eq!(a.release(&runs[2], Attempt::Failed, 5_000).await, Err(Lost));
    assert_eq!(new(c.claim(key(3), 0).await).run, 2);
}

#[tokio::test]
async fn an_answer_is_carried_by_a_delivery_or_late_never_both() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    for n in 0..100 {
        let claim = new(a.claim(key(n), 0).await);
        a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
        let (late, delivery) = tokio::join!(
            a.carry(key(n), Carrier::Late, 0).into_future(),
            b.carry(key(n), Carrier::Delivery, 0).into_future(),
        );
        assert_ne!(late, delivery, "{n}");
        for node in [&a, &b] {
            assert!(!node.carry(key(n), Carrier::Late, 1).await);
            assert_eq!(node.carry(key(n), Carrier::Delivery, 1).await, delivery);
        }
    }
}

#[tokio::test]
async fn a_late_decision_outlasts_a_hiccup_of_redis() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let claim = new(a.claim(key(1), 0).await);
    a.finish(&claim, &answer("reply"), None, 5_900).await.unwrap();
    assert!(b.carry(key(1), Carrier::Delivery, 6_000).await);
    server.signal("STOP");
    let late = tokio::spawn(async move { a.carry(key(1), Carrier::Late, 15_600).await });
    sleep(ms(1_000)).await;
    server.signal("CONT");
    assert!(!late.await.unwrap(), "it was carried, as only Redis knows");
}

#[tokio::test]
async fn without_redis_a_delivery_decides_at_once_and_late_within_seconds() {
    let Some(server) = Server::start() else { return };
    let a = node(&server.url()).await;
    for n in 1..=3 {
        let claim = new(a.claim(key(n), 0).await);
        a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
    }
    server.signal("STOP");
    let start = Instant::now();
    let late = |n| {
        let a = a.clone();
        tokio::spawn(async move { (a.carry(key(n), Carrier::Late, 15_000).await, start.elapsed()) })
    };
    let (owed, overtaken) = (late(1), late(2));
    assert!(a.carry(key(3), Carrier::Delivery, 10_000).await);
    assert!(start.elapsed() < ms(400), "{:?}", start.elapsed());
    // Of what is carried here meanwhile nobody else has to be asked.
    sleep(ms(300)).await;
    assert!(a.carry(key(2), Carrier::Delivery, 15_000).await);
    let (carries, took) = owed.await.unwrap();
    assert!(carries);
    assert!((ms(4_900)..ms(5_600)).contains(&took), "{took:?}");
    assert!(!overtaken.await.unwrap().0);
}

#[tokio::test]
async fn what_redis_missed_of_a_push_is_told_in_the_order_in_which_it_was() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let claim = new(a.claim(key(1), 0).await);
    // So that the server knows the script that carries, and not the one that finishes: it could overtake.
    assert!(b.carry(key(2), Carrier::Delivery, 0).await);
    server.signal("STOP");
    a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
    assert!(a.carry(key(1), Carrier::Delivery, 0).await);
    server.signal("CONT");
    up(&a).await;
    up(&b).await;
    sleep(ms(300)).await;
    let record: Vec<u8> = ask(&server, &[b"GET", &name(key(1))]).await;
    assert_eq!(String::from_utf8_lossy(&record[..3]), "1d1");
    assert!(!b.carry(key(1), Carrier::Late, 0).await);
}

#[tokio::test]
async fn who_waits_for_another_machine_is_counted_and_told_the_age() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let claim = new(a.claim(key(1), 0).await);
    let waits: Vec<_> = (0..8)
        .map(|_| {
            let b = b.clone();
            tokio::spawn(async move { b.wait(key(1), 0).await })
        })
        .collect();
    sleep(ms(300)).await;
    // The first asks Redis. What the second is told must not be what the memory in front makes of that.
    let (one, other) = tokio::join!(b.claim(key(1), 0).into_future(), b.claim(key(1), 0).into_future());
    for claimed in [one, other] {
        let Claimed::Running { age, lease_left, waiting } = claimed else { panic!("{claimed:?}") };
        assert_eq!(waiting, 8);
        assert!((300..600).contains(&age), "{age}");
        assert!((3_400..=3_700).contains(&lease_left), "{lease_left}");
    }
    a.finish(&claim, &answer("reply"), None, 300).await.unwrap();
    for wait in waits {
        assert!(matches!(wait.await.unwrap(), Waited::Done { .. }));
    }
}

#[tokio::test]
async fn who_follows_a_claim_learns_what_came_of_it() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let both = async |node: &Redis, n| {
        tokio::join!(node.claim(key(n), 1_000).into_future(), node.claim(key(n), 1_000).into_future())
    };

    let (one, other) = both(&a, 1).await;
    let claim = new(one);
    assert!(matches!(other, Claimed::Running { age: 0, lease_left: 4_000, waiting: 0 }), "{other:?}");
    a.finish(&claim, &answer("reply"), None, 1_000).await.unwrap();
    let (Claimed::Done { answer: one, .. }, Claimed::Done { answer: other, .. }) = both(&b, 1).await else { panic!() };
    assert_eq!((&*one, &*other), (&b"reply"[..], &b"reply"[..]));

    for run in 1..=MAX_RUNS {
        let claim = new(a.claim(key(2), 0).await);
        assert_eq!(claim.run, run);
        a.release(&claim, Attempt::Failed, 0).await.unwrap();
    }
    assert!(matches!(both(&b, 2).await, (Claimed::Exhausted { .. }, Claimed::Exhausted { .. })));

    // Nobody may come of it: then the one that follows asks.
    let (first, second) = (a.claim(key(3), 0), a.claim(key(3), 0));
    drop(first);
    assert_eq!(new(second.await).run, 1);

    let alone = Redis::builder("redis://127.0.0.1:1/", PREFIX).when_down(WhenDown::Refuse).connect().unwrap();
    let refused = Claimed::Refused(Refusal::Down);
    assert_eq!(both(&alone, 4).await, (refused.clone(), refused));
}

/// Two servers that are one cluster, each in charge of half of the keys.
async fn cluster() -> Option<[Server; 2]> {
    let [one, other] = [Server::start_in_cluster()?, Server::start_in_cluster()?];
    for (server, from, to) in [(&one, "0", "8191"), (&other, "8192", "16383")] {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let _: () = ask(server, &[b"CLUSTER", b"ADDSLOTSRANGE", from, to]).await;
    }
    let (port, bus) = (other.port.to_string(), other.bus.to_string());
    let _: () = ask(&one, &[b"CLUSTER", b"MEET", b"127.0.0.1", port.as_bytes(), bus.as_bytes()]).await;
    for server in [&one, &other] {
        while !ask::<String>(server, &[b"CLUSTER", b"INFO"]).await.contains("cluster_state:ok") {
            sleep(ms(50)).await;
        }
    }
    Some([one, other])
}

#[tokio::test]
async fn one_node_of_a_cluster_says_moved_and_goes_on_saying_it() {
    let Some(servers) = cluster().await else { return };
    let moved = "MOVED: this is one node of a Redis Cluster, and others hold some of the pushes; see «Redis Cluster» in \
                 the documentation of store::Redis";
    for server in &servers {
        let statuses = Arc::new(Mutex::new(vec![]));
        let told = statuses.clone();
        let redis = Redis::builder(&server.url(), PREFIX);
        let redis = redis.on_status(move |status| told.lock().unwrap().push(status.clone())).connect().unwrap();
        assert_eq!(redis.check().await, Err(RedisError::Away(moved.into())));
        for n in 0..50 {
            new(redis.claim(key(n), 0).await); // in this process
            sleep(ms(10)).await;
        }
        assert_eq!(*statuses.lock().unwrap(), [Status::Down { reason: moved.into() }], "once, and never up");
    }

    // A hash tag brings all keys to one of them.
    let mut refuse = 0;
    for server in &servers {
        let redis = Redis::connect(&server.url(), "{t}:").unwrap();
        match redis.check().await {
            Ok(()) => {
                let claim = new(redis.claim(key(1), 0).await);
                redis.finish(&claim, &answer("reply"), None, 0).await.unwrap();
                assert!(!ask::<Vec<u8>>(server, &[b"GET", format!("{{t}}:{}", key(1)).as_bytes()]).await.is_empty());
            }
            Err(error) => {
                assert_eq!(error, RedisError::Away(moved.into()));
                refuse += 1;
            }
        }
    }
    assert_eq!(refuse, 1);
}

#[tokio::test]
async fn a_waiter_on_another_machine_is_woken_by_a_message() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let mut latencies = vec![];
    for n in 0..40 {
        let claim = new(a.claim(key(n), 0).await);
        assert!(matches!(b.claim(key(n), 0).await, Claimed::Running { .. }));
        let b = b.clone();
        let wait = tokio::spawn(async move { (b.wait(key(n), 0).await, Instant::now()) });
        sleep(ms(20)).await;
        let start = Instant::now();
        a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
        let (waited, end) = wait.await.unwrap();
        assert_eq!(waited, Waited::Done { answer: answer("reply"), carrier: None });
        latencies.push(end - start);
    }
    latencies.sort();
    eprintln!("from finish to the waiter elsewhere: median {:?}, longest {:?}", latencies[20], latencies[39]);
    assert!(latencies[20] < ms(100), "{latencies:?}");
}

#[tokio::test]
async fn a_waiter_that_may_not_listen_looks_twice_a_second() {
    let Some(server) = Server::start() else { return };
    let deaf = b"ACL SETUSER deaf on >pw ~* +@all resetchannels".split(|byte| *byte == b' ').collect::<Vec<_>>();
    let _: () = ask(&server, &deaf).await;
    let (a, b) = (node(&server.url()).await, node(&format!("redis://deaf:pw@127.0.0.1:{}/", server.port)).await);
    let claim = new(a.claim(key(1), 0).await);
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Running { waiting: 0, .. }));
    let waiter = b.clone();
    let wait = tokio::spawn(async move { waiter.wait(key(1), 0).await });
    sleep(ms(100)).await;
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Running { waiting: 1, .. }));
    a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
    let start = Instant::now();
    assert!(matches!(wait.await.unwrap(), Waited::Done { .. }));
    assert!((ms(100)..ms(700)).contains(&start.elapsed()), "{:?}", start.elapsed());
    // Nor may it publish: finishing does not fail for that.
    let claim = new(b.claim(key(2), 0).await);
    assert!(matches!(a.claim(key(2), 0).await, Claimed::Running { .. }));
    b.finish(&claim, &answer("reply"), None, 0).await.unwrap();
}

#[tokio::test]
async fn joiners_on_both_machines_all_get_the_answer() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let claim = new(a.claim(key(1), 0).await);
    let waits: Vec<_> = (0..200)
        .map(|n| {
            let node = if n % 2 == 0 { a.clone() } else { b.clone() };
            tokio::spawn(async move {
                assert!(matches!(node.claim(key(1), 0).await, Claimed::Running { .. }));
                loop {
                    // Many claim at once: one of them asks, the others wait for what it finds.
                    match node.wait(key(1), 0).await {
                        Waited::Done { answer, .. } => break answer,
                        Waited::Released | Waited::Lapsed => match node.claim(key(1), 0).await {
                            Claimed::Running { .. } => {}
                            Claimed::Done { answer, .. } => break answer,
                            other => panic!("{other:?}"),
                        },
                        other => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    sleep(ms(300)).await;
    a.finish(&claim, &answer("reply"), None, 300).await.unwrap();
    for wait in waits {
        assert_eq!(wait.await.unwrap(), answer("reply"));
    }
}

#[tokio::test]
async fn redis_is_killed_and_comes_back_empty() {
    let Some(mut server) = Server::start() else { return };
    let statuses = Arc::new(Mutex::new(vec![]));
    let told = statuses.clone();
    let a = Redis::builder(&server.url(), PREFIX);
    let a = Arc::new(a.on_status(move |status| told.lock().unwrap().push(status.clone())).connect().unwrap());
    a.check().await.unwrap();
    let b = node(&server.url()).await;
    let (renewed, finished) = (new(a.claim(key(1), 0).await), new(a.claim(key(2), 0).await));
    server.kill();
    let start = Instant::now();
    a.renew(&renewed, 500).await.unwrap();
    a.finish(&finished, &answer("meanwhile"), None, 500).await.unwrap();
    assert!(start.elapsed() < ms(500), "{:?}", start.elapsed());
    let alone = new(a.claim(key(3), 500).await); // handled in this process
    assert!(matches!(a.claim(key(3), 501).await, Claimed::Running { .. }), "which knows its own");
    a.finish(&alone, &answer("alone"), Some(Carrier::Delivery), 600).await.unwrap();

    server.restart();
    up(&a).await;
    up(&b).await;
    a.renew(&renewed, 1_500).await.unwrap();
    let Claimed::Running { age, .. } = b.claim(key(1), 0).await else { panic!("it was made running again") };
    assert!((1_500..2_500).contains(&age), "{age}: with its old age");
    // What was missed is told.
    sleep(ms(200)).await;
    assert!(matches!(b.claim(key(2), 0).await, Claimed::Done { answer, .. } if *answer == *b"meanwhile"));
    let Claimed::Done { answer: found, carrier, .. } = b.claim(key(3), 0).await else { panic!() };
    assert_eq!((&*found, carrier), (&b"alone"[..], Some(Carrier::Delivery)));
    a.finish(&renewed, &answer("reply"), None, 1_600).await.unwrap();
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Done { .. }));
    let statuses = statuses.lock().unwrap();
    assert!(matches!(statuses[..], [Status::Down { .. }, Status::Up]), "told once each: {statuses:?}");
}

async fn up(redis: &Redis) {
    let start = Instant::now();
    while redis.check().await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(5), "it does not reconnect");
        sleep(ms(20)).await;
    }
}

#[tokio::test]
async fn a_redis_that_hangs_costs_one_limit_and_not_one_per_push() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    server.signal("STOP");
    let start = Instant::now();
    let claims: Vec<_> = (0..50)
        .map(|n| {
            let a = a.clone();
            tokio::spawn(async move { new(a.claim(key(n), 0).await) })
        })
        .collect();
    let mut claimed = vec![];
    for claim in claims {
        claimed.push(claim.await.unwrap());
    }
    let together = start.elapsed();
    assert!((ms(190)..ms(400)).contains(&together), "{together:?}");
    let start = Instant::now();
    for n in 50..250 {
        claimed.push(new(a.claim(key(n), 0).await));
    }
    for claim in &claimed {
        a.finish(claim, &answer("alone"), None, 0).await.unwrap();
    }
    let afterwards = start.elapsed();
    eprintln!("stopped: 50 claims at once {together:?}, then 200 claims and 250 finishes {afterwards:?}");
    assert!(afterwards < ms(200), "{afterwards:?}");

    server.signal("CONT");
    up(&a).await;
    up(&b).await;
    sleep(ms(300)).await;
    for claim in &claimed {
        assert!(matches!(b.claim(claim.key, 0).await, Claimed::Done { answer, .. } if *answer == *b"alone"));
    }
}

#[tokio::test]
async fn connections_are_cut_and_nobody_notices() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let (cut, mut is_cut) = watch::channel(0);
    let knife = async {
        for n in 1..=20 {
            sleep(ms(100)).await;
            let _: u64 = ask(&server, &[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]).await;
            let _: u64 = ask(&server, &[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]).await;
            cut.send_replace(n);
        }
    };
    let pushes = async {
        let mut n = 0_u128;
        while *is_cut.borrow_and_update() < 20 {
            n += 1;
            let key = DedupKey::from_bytes(n.to_be_bytes());
            let (one, other) = tokio::join!(a.claim(key, 0).into_future(), b.claim(key, 0).into_future());
            let (owner, claim, joiner) = match (one, other) {
                (Claimed::New(claim), Claimed::Running { .. }) => (&a, claim, &b),
                (Claimed::Running { .. }, Claimed::New(claim)) => (&b, claim, &a),
                found => panic!("not one owner: {found:?}"),
            };
            assert_eq!(claim.run, 1);
            owner.renew(&claim, 0).await.unwrap();
            owner.finish(&claim, &answer("reply"), None, 0).await.unwrap();
            assert!(matches!(joiner.claim(key, 0).await, Claimed::Done { .. }));
            assert!(joiner.carry(key, Carrier::Delivery, 0).await);
            assert!(!owner.carry(key, Carrier::Late, 0).await);
        }
        n
    };
    let ((), pushes) = tokio::join!(knife, pushes);
    eprintln!("{pushes} pushes while 20 connections were cut");
    assert!(pushes > 100);
}

/// A way to the server that loses the next answer and breaks, when told so.
async fn leaky(server: &Server) -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (lose, server) = (Arc::new(AtomicBool::new(false)), server.port);
    let losing = lose.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let losing = losing.clone();
            tokio::spawn(async move {
                let (mut from, mut to) = client.into_split();
                let (mut back, mut forth) = TcpStream::connect(("127.0.0.1", server)).await.unwrap().into_split();
                let questions = tokio::io::copy(&mut from, &mut forth);
                let answers = async {
                    let mut buffer = [0; 4096];
                    while let Ok(n @ 1..) = back.read(&mut buffer).await {
                        if losing.swap(false, Ordering::SeqCst) || to.write_all(&buffer[..n]).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! { _ = questions => {}, () = answers => {} }
            });
        }
    });
    (format!("redis://127.0.0.1:{port}/"), lose)
}

#[tokio::test]
async fn a_step_whose_answer_is_lost_is_recognised_when_it_is_repeated() {
    let Some(server) = Server::start() else { return };
    let (url, lose) = leaky(&server).await;
    let (a, b) = (node(&url).await, node(&server.url()).await);
    let lose = || lose.store(true, Ordering::SeqCst);

    lose();
    let claim = new(a.claim(key(1), 0).await);
    assert_eq!(claim.run, 1);
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Running { .. }));
    lose();
    a.renew(&claim, 0).await.unwrap();
    lose();
    a.release(&claim, Attempt::Failed, 0).await.unwrap();
    lose();
    let claim = new(a.claim(key(1), 0).await);
    assert_eq!(claim.run, 2);
    lose();
    a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
    assert_eq!(a.finish(&claim, &answer("reply"), None, 0).await, Err(Lost), "no repetition but a second time");
    lose();
    assert!(a.carry(key(1), Carrier::Late, 0).await);
    assert!(!a.carry(key(1), Carrier::Late, 0).await);
    assert!(!b.carry(key(1), Carrier::Late, 0).await);

    // Not everything that is repeated was done: another may have come in between.
    let claim = new(a.claim(key(2), 0).await);
    a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
    assert!(b.carry(key(2), Carrier::Late, 0).await);
    lose();
    assert!(!a.carry(key(2), Carrier::Late, 0).await);
}

#[tokio::test]
async fn a_claim_whose_delivery_is_gone_before_the_answer_comes_is_given_back() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    drop(a.claim(key(1), 0));
    tokio::select! {
        biased;
        _ = a.claim(key(2), 0).into_future() => panic!("it has to be asked for"),
        () = std::future::ready(()) => {} // it is under way
    }
    for n in [1, 2] {
        let claim = loop {
            match b.claim(key(n), 0).await {
                Claimed::New(claim) => break claim,
                Claimed::Running { .. } => sleep(ms(20)).await, // at the latest until the lease is over, with run 2
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(claim.run, 1, "{n}");
    }
}

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
