//! What Redis's failures cost: kills, hangs, broken connections, lost answers.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use wechat_events::DedupKey;
use wechat_events::store::{
    Attempt, Carrier, Claimed, Lost, MAX_RUNS, Outcome, Redis, Refusal, Status, Store, Waited, WhenDown,
};

use super::{PREFIX, answer, ask, key, ms, name, new, node, record, take_over, up};
use crate::redis_server::Server;
use crate::redis_way::way;

#[tokio::test]
async fn redis_is_killed_and_comes_back_empty() {
    let Some(mut server) = Server::start() else { return };
    let statuses = Arc::new(Mutex::new(vec![]));
    let told = statuses.clone();
    let a = Redis::builder(PREFIX).on_status(move |status| told.lock().unwrap().push(status.clone()));
    let a = Arc::new(a.connect(&server.url()).unwrap());
    a.check().await.unwrap();
    let b = node(&server.url()).await;
    let (renewed, finished) = (new(a.claim(key(1), 0).await), new(a.claim(key(2), 0).await));
    server.kill();
    let renewing = a.clone();
    let renewal = tokio::spawn(async move { renewing.renew(&renewed, 500).await });
    let start = Instant::now();
    a.finish(&finished, &answer("meanwhile"), None, 500).await.unwrap();
    assert!(start.elapsed() < ms(2_000), "{:?}", start.elapsed());
    let alone = new(a.claim(key(3), 500).await); // handled in this process
    assert!(matches!(a.claim(key(3), 501).await, Claimed::Running { .. }), "which knows its own");
    a.finish(&alone, &answer("alone"), Some(Carrier::Delivery), 600).await.unwrap();

    server.restart();
    up(&a).await;
    up(&b).await;
    renewal.await.unwrap().unwrap(); // it has gone on asking
    let Claimed::Running { age, .. } = b.claim(key(1), 0).await else { panic!("it was made running again") };
    assert!((500..2_000).contains(&age), "{age}: with its old age");
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
    assert!((ms(190)..ms(2_000)).contains(&together), "{together:?}");
    let start = Instant::now();
    for n in 50..250 {
        claimed.push(new(a.claim(key(n), 0).await));
    }
    for claim in &claimed {
        a.finish(claim, &answer("alone"), None, 0).await.unwrap();
    }
    let afterwards = start.elapsed();
    eprintln!("stopped: 50 claims at once {together:?}, then 200 claims and 250 finishes {afterwards:?}");
    assert!(afterwards < ms(2_000), "{afterwards:?}, and not 200 limits");

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

/// The question that each machine asks twice a second finds it out. It must not wait for what its own task is to make.
#[tokio::test]
async fn a_connection_that_is_cut_while_nobody_asks_is_replaced_at_once() {
    let Some(server) = Server::start() else { return };
    let limit = ms(1_000);
    let redis = Redis::builder(PREFIX).limit(limit).when_down(WhenDown::Refuse).connect(&server.url()).unwrap();
    redis.check().await.unwrap();
    let _: u64 = ask(&server, &[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]).await;
    sleep(ms(700)).await;
    let start = Instant::now();
    new(redis.claim(key(1), 0).await);
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_step_whose_answer_is_lost_is_recognised_when_it_is_repeated() {
    let Some(server) = Server::start() else { return };
    let way = way(server.port, ms(0)).await;
    let (a, b) = (node(&way.url).await, node(&server.url()).await);
    let lose = || way.lose.store(true, Ordering::SeqCst);

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
    assert!(start.elapsed() < ms(2_000), "{:?}", start.elapsed());
    // Of what is carried here meanwhile nobody else has to be asked.
    sleep(ms(300)).await;
    assert!(a.carry(key(2), Carrier::Delivery, 15_000).await);
    let (carries, took) = owed.await.unwrap();
    assert!(carries);
    assert!((ms(4_900)..ms(8_000)).contains(&took), "{took:?}");
    assert!(!overtaken.await.unwrap().0);
}

#[tokio::test]
async fn redis_is_told_what_is_known_here_when_it_is_back_and_not_what_was_true_before() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let carried = new(a.claim(key(1), 0).await);
    let failed = new(a.claim(key(2), 0).await);
    let elsewhere = new(b.claim(key(3), 0).await);
    b.finish(&elsewhere, &answer("reply"), None, 0).await.unwrap();
    assert!(matches!(a.claim(key(3), 0).await, Claimed::Done { carrier: None, .. }));
    server.signal("STOP");
    a.finish(&carried, &answer("reply"), None, 0).await.unwrap();
    assert!(a.carry(key(1), Carrier::Delivery, 0).await);
    a.release(&failed, Attempt::Failed, 0).await.unwrap();
    assert!(a.carry(key(3), Carrier::Delivery, 0).await);
    server.signal("CONT");
    up(&a).await;
    up(&b).await;
    sleep(ms(300)).await;
    for (n, state) in [(1, "1 d 1 "), (2, "1 x 1 "), (3, "1 d 1 ")] {
        assert!(record(&server, key(n)).await.starts_with(state), "{n}");
    }
    assert!(!b.carry(key(1), Carrier::Late, 0).await);
    assert!(!b.carry(key(3), Carrier::Late, 0).await);
}

/// With an outbox, a claim of another machine that was given back stood in the place of a run that lived.
#[tokio::test]
async fn in_a_redis_that_was_emptied_only_those_that_run_write() {
    let Some(server) = Server::start() else { return };
    let (a, b, c) = (node(&server.url()).await, node(&server.url()).await, node(&server.url()).await);
    let (released, owed) = (new(b.claim(key(1), 0).await), new(b.claim(key(2), 0).await));
    b.finish(&owed, &answer("reply"), None, 0).await.unwrap();
    let runs = new(a.claim(key(3), 0).await);
    let _: () = ask(&server, &[b"FLUSHALL"]).await;
    b.release(&released, Attempt::NotMade, 0).await.unwrap();
    assert!(b.carry(key(2), Carrier::Delivery, 0).await);
    a.renew(&runs, 1_000).await.unwrap();
    let mut keys: Vec<String> = ask(&server, &[b"KEYS", b"*"]).await;
    keys.retain(|key| !key.contains("test:"));
    assert_eq!(keys, [String::from_utf8(name(key(3))).unwrap()]);
    assert!(matches!(c.claim(key(3), 0).await, Claimed::Running { age: 1_000..2_000, .. }));
}

#[tokio::test]
async fn who_waits_for_a_run_that_redis_forgot_gives_its_owner_the_time_to_tell() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let run = new(a.claim(key(1), 0).await);
    let waiting = b.clone();
    let wait = tokio::spawn(async move { waiting.wait(key(1), 0).await });
    sleep(ms(300)).await;
    let _: u64 = ask(&server, &[b"DEL", &name(key(1))]).await;
    sleep(ms(1_000)).await;
    assert!(!wait.is_finished());
    a.renew(&run, 1_000).await.unwrap();
    sleep(ms(500)).await;
    // Unless it is dead.
    let _: u64 = ask(&server, &[b"DEL", &name(key(1))]).await;
    let start = Instant::now();
    assert_eq!(wait.await.unwrap(), Waited::Lapsed);
    assert!((ms(1_200)..ms(4_000)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

/// An owner has lost its push only to another that has it.
#[tokio::test]
async fn what_another_owner_gave_back_is_no_loss() {
    let Some(server) = Server::start() else { return };
    let (a, b, c) = (node(&server.url()).await, node(&server.url()).await, node(&server.url()).await);
    for n in [1, 2] {
        let run = new(a.claim(key(n), 0).await);
        let _: u64 = ask(&server, &[b"DEL", &name(key(n))]).await;
        let another = new(b.claim(key(n), 0).await);
        assert_eq!(a.renew(&run, 0).await, Err(Lost), "it lives");
        b.release(&another, Attempt::Failed, 0).await.unwrap();
        if n == 1 {
            a.finish(&run, &answer("reply"), None, 0).await.unwrap();
            assert!(matches!(c.claim(key(n), 0).await, Claimed::Done { answer, .. } if *answer == *b"reply"));
        } else {
            a.renew(&run, 0).await.unwrap();
            assert!(matches!(c.claim(key(n), 0).await, Claimed::Running { .. }));
            a.release(&run, Attempt::Failed, 0).await.unwrap();
            assert_eq!(new(c.claim(key(n), 0).await).run, 2);
        }
    }
}

/// Whatever Redis says: else a second run of it could begin beside the first, in one process.
#[tokio::test]
async fn a_run_that_lives_here_is_known_here_until_it_ends() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let run = new(a.claim(key(1), 0).await);
    let _: u64 = ask(&server, &[b"DEL", &name(key(1))]).await;
    let another = new(b.claim(key(1), 0).await);
    assert_eq!(a.renew(&run, 1_000).await, Err(Lost));
    for now in [1_000, 60_000, 1_000_000] {
        assert!(matches!(a.claim(key(1), now), Outcome::Now(Claimed::Running { lease_left: 4_000, .. })), "{now}");
    }
    b.release(&another, Attempt::Failed, 0).await.unwrap();
    assert!(matches!(a.claim(key(1), 1_000_000), Outcome::Now(Claimed::Running { .. })));
    // Where another's answer counts, those who wait here get that one.
    let waiting = a.clone();
    let wait = tokio::spawn(async move { waiting.wait(key(1), 1_000_000).await });
    let another = new(b.claim(key(1), 0).await);
    b.finish(&another, &answer("another's"), None, 0).await.unwrap();
    assert_eq!(a.finish(&run, &answer("reply"), None, 1_000_000).await, Err(Lost));
    assert_eq!(wait.await.unwrap(), Waited::Done { answer: answer("another's"), carrier: None });
}

/// Redis's clock goes on while it hangs, and nobody can renew.
#[tokio::test]
async fn a_hang_of_redis_takes_no_push_from_an_owner_that_lives() {
    let Some(server) = Server::start() else { return };
    let refusing = async || {
        let redis = Redis::builder(PREFIX).when_down(WhenDown::Refuse).connect(&server.url()).unwrap();
        redis.check().await.unwrap();
        Arc::new(redis)
    };
    let (a, b, c) = (refusing().await, refusing().await, refusing().await);
    let run = new(a.claim(key(1), 0).await);
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Running { .. }));
    let waiting = b.clone();
    let wait = tokio::spawn(async move { waiting.wait(key(1), 0).await });
    sleep(ms(1_000)).await;
    server.signal("STOP");
    let renewing = a.clone();
    let renewal = tokio::spawn(async move { renewing.renew(&run, 1_000).await });
    sleep(ms(500)).await;
    assert_eq!(b.claim(key(1), 0).await, Claimed::Refused(Refusal::Down));
    sleep(ms(3_500)).await; // longer than the lease
    server.signal("CONT");
    // Who waits, who comes, and who had no part in it: none of them takes it.
    let start = Instant::now();
    while start.elapsed() < ms(2_000) {
        for node in [&b, &c] {
            let claimed = node.claim(key(1), 0).await;
            assert!(matches!(claimed, Claimed::Running { .. } | Claimed::Refused(Refusal::Down)), "{claimed:?}");
        }
        sleep(ms(20)).await;
    }
    assert_eq!(timeout(ms(10), renewal).await.unwrap().unwrap(), Ok(()), "at once");
    assert!(!wait.is_finished());
    // And if it is dead after all, its lease counts from that renewal.
    drop(a);
    assert_eq!(take_over(&b, key(1)).await.run, 2);
}

#[tokio::test]
async fn a_lease_that_is_over_is_taken_by_who_has_watched_it_and_not_by_who_has_just_come() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    new(a.claim(key(1), 0).await);
    new(a.claim(key(2), 0).await);
    drop(a);
    sleep(ms(4_100)).await;
    assert_eq!(new(b.claim(key(1), 0).await).run, 2);
    let c = node(&server.url()).await;
    let Claimed::Running { lease_left, .. } = c.claim(key(2), 0).await else { panic!("it has just come") };
    assert!((1_300..=1_500).contains(&lease_left), "{lease_left}");
    let start = Instant::now();
    assert_eq!(c.wait(key(2), 0).await, Waited::Lapsed);
    assert!((ms(1_200)..ms(3_500)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(new(c.claim(key(2), 0).await).run, 2);
}

#[tokio::test]
async fn a_claim_that_redis_could_not_answer_is_given_back_there_when_it_is_refused_here() {
    let Some(server) = Server::start() else { return };
    let a = Redis::builder(PREFIX).when_down(WhenDown::Refuse).connect(&server.url()).unwrap();
    a.check().await.unwrap();
    let b = node(&server.url()).await;
    server.signal("STOP");
    assert_eq!(a.claim(key(1), 0).await, Claimed::Refused(Refusal::Down));
    server.signal("CONT");
    up(&a).await;
    up(&b).await;
    sleep(ms(100)).await;
    assert_eq!(new(b.claim(key(1), 0).await).run, 1);
}

#[tokio::test]
async fn each_round_trip_has_the_limit_for_itself() {
    let Some(server) = Server::start() else { return };
    let way = way(server.port, ms(180)).await;
    let a = node(&server.url()).await;
    let b = Redis::builder(PREFIX).limit(ms(700)).connect(&way.url).unwrap();
    up(&b).await;
    new(a.claim(key(1), 0).await);
    // Two of them, of 360 ms each: `SET NX` and `EVALSHA`.
    let start = Instant::now();
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Running { .. }));
    assert!(start.elapsed() >= ms(720), "{:?}: more than one limit", start.elapsed());
}

#[tokio::test]
async fn a_connection_that_is_open_on_this_side_only_costs_one_limit() {
    let Some(server) = Server::start() else { return };
    let way = way(server.port, ms(0)).await;
    let (a, b) = (node(&way.url).await, node(&server.url()).await);
    way.silent.store(true, Ordering::SeqCst);
    let start = Instant::now();
    let run = new(a.claim(key(1), 0).await);
    assert!((ms(190)..ms(2_000)).contains(&start.elapsed()), "{:?}", start.elapsed());
    up(&a).await;
    a.renew(&run, 0).await.unwrap();
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Running { .. }), "on another connection");
}

/// Of a run that was made anew in an emptied Redis, and of those that another machine counted meanwhile.
#[tokio::test]
async fn runs_that_failed_are_counted_wherever_they_were() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let first = new(a.claim(key(1), 0).await);
    let _: u64 = ask(&server, &[b"DEL", &name(key(1))]).await;
    let mut runs = 0;
    for _ in 0..2 {
        let another = new(b.claim(key(1), 0).await);
        runs = another.run;
        b.release(&another, Attempt::Failed, 0).await.unwrap();
    }
    assert_eq!(runs, 2);
    a.renew(&first, 0).await.unwrap(); // its first run, when two others are known to have failed
    a.release(&first, Attempt::Failed, 0).await.unwrap();
    assert_eq!(new(b.claim(key(1), 0).await).run, MAX_RUNS);
}
