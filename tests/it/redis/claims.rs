//! Whose is a push, who waits for it, and who carries its answer.

use tokio::time::{Instant, sleep, timeout};
use wechat_events::store::{
    Attempt, Carrier, Claimed, Lost, MAX_RUNS, Outcome, Redis, Refusal, Store, Waited, WhenDown,
};

use super::{PREFIX, answer, ask, key, ms, name, new, node, record, take_over};
use crate::redis_server::Server;

#[tokio::test]
async fn a_push_that_runs_here_is_answered_here() {
    let Some(mut server) = Server::start() else { return };
    let redis = Redis::builder(PREFIX).when_down(WhenDown::Refuse).connect(&server.url()).unwrap();
    redis.check().await.unwrap();
    let claim = new(redis.claim(key(1), 0).await);
    server.kill(); // so nobody can be asked
    assert!(matches!(redis.claim(key(1), 3_999), Outcome::Now(Claimed::Running { age: 3_999, lease_left: 4_000, .. })));
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
    let second = take_over(&b, key(1)).await;
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
    assert_eq!(take_over(&c, key(3)).await.run, 2);
}

#[tokio::test]
async fn a_claim_that_was_given_back_does_not_come_back_to_life() {
    let Some(server) = Server::start() else { return };
    // The second knows of the claim what Redis knows, and has no memory of its own of it.
    let (a, same, b) = (node(&server.url()).await, node(&server.url()).await, node(&server.url()).await);
    for (n, attempt, run) in [(1, Attempt::Failed, 2), (2, Attempt::NotMade, 1)] {
        let claim = new(a.claim(key(n), 0).await);
        // A renewal is on its way meanwhile, and reaches Redis behind it.
        let (released, renewed) =
            tokio::join!(a.release(&claim, attempt, 0).into_future(), a.renew(&claim, 0).into_future());
        assert_eq!((released, renewed), (Ok(()), Err(Lost)));
        for node in [&a, &same] {
            assert_eq!(node.renew(&claim, 0).await, Err(Lost));
            assert_eq!(node.finish(&claim, &answer("stale"), None, 0).await, Err(Lost));
        }
        let next = new(b.claim(key(n), 0).await);
        assert_eq!(next.run, run);
        for node in [&a, &same] {
            assert_eq!(node.renew(&claim, 0).await, Err(Lost));
        }
        b.finish(&next, &answer("fresh"), None, 0).await.unwrap();
    }
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

    let alone = Redis::builder(PREFIX).when_down(WhenDown::Refuse).connect("redis://127.0.0.1:1/").unwrap();
    let refused = Claimed::Refused(Refusal::Down);
    assert_eq!(both(&alone, 4).await, (refused.clone(), refused));
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

#[tokio::test]
async fn a_waiter_on_another_machine_learns_of_the_answer_within_a_quarter_of_a_second() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let mut latencies = vec![];
    for n in 0..20 {
        let claim = new(a.claim(key(n), 0).await);
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
    assert!(latencies[10] < ms(250), "{latencies:?}");
}

/// What one wait for another machine costs Redis.
#[tokio::test]
async fn a_waiter_asks_five_times_a_second() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    new(a.claim(key(1), 0).await);
    let asked = async |waiters: usize| {
        let _: () = ask(&server, &[b"CONFIG", b"RESETSTAT"]).await;
        let waits = (0..waiters).map(|_| timeout(ms(2_050), b.wait(key(1), 0).into_future()));
        futures_util::future::join_all(waits).await;
        sleep(ms(if waiters == 0 { 2_050 } else { 0 })).await;
        let stats: String = ask(&server, &[b"INFO", b"commandstats"]).await;
        stats.split_once("cmdstat_evalsha:calls=").unwrap().1.split_once(',').unwrap().0.parse::<usize>().unwrap()
    };
    let beats = asked(0).await;
    assert!(beats <= 2 * 16 * 5, "{beats}");
    let looks = asked(50).await - beats;
    assert!((8 * 50 - 32..=11 * 50 + 32).contains(&looks), "{looks}");
}

/// As far as Redis can tell, too: by another machine, or in a store that was emptied, it would be run again.
#[tokio::test]
async fn a_claim_that_nobody_used_leaves_no_trace_but_its_age() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let claim = new(a.claim(key(1), 0).await);
    a.release(&claim, Attempt::NotMade, 0).await.unwrap();
    assert!(record(&server, key(1)).await.starts_with("1 x 0 "));
    assert_eq!(new(b.claim(key(1), 0).await).run, 1);
}
