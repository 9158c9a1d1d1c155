//! What stands in Redis, letter by letter.

use wechat_events::store::{Attempt, Carrier, Claimed, Lost, Redis, Store, Waited};

use super::{PREFIX, answer, ask, key, name, new, node, record};
use crate::redis_server::Server;

#[tokio::test]
async fn the_record_is_what_the_docs_say() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let ttl = async |n| ask::<u64>(&server, &[b"PTTL", &name(key(n))]).await;

    let claim = new(a.claim(key(1), 0).await);
    assert_eq!(record(&server, key(1)).await, format!("1 r 1 64000 0 {:032x}\n", claim.owner));
    assert!((62_000..=64_000).contains(&ttl(1).await));
    a.release(&claim, Attempt::Failed, 0).await.unwrap();
    let of = |record: String, owner: u128| {
        let (head, answer) = record.split_once('\n').unwrap();
        let words: Vec<_> = head.split(' ').collect();
        let [version, state, runs, ttl, age, by] = words[..] else { panic!("{head}") };
        assert!(age.parse::<u64>().unwrap() < 1_000, "{head}");
        assert_eq!(by, format!("{owner:032x}"), "{head}");
        format!("{version} {state} {runs} {ttl} {answer}")
    };
    assert_eq!(of(record(&server, key(1)).await, claim.owner), "1 x 1 60000 ");
    assert!((58_000..=60_000).contains(&ttl(1).await));
    let claim = new(b.claim(key(1), 0).await);
    assert_eq!(of(record(&server, key(1)).await, claim.owner), "1 r 2 64000 ");
    b.finish(&claim, &answer("<xml>\n\0</xml>"), None, 0).await.unwrap();
    assert_eq!(of(record(&server, key(1)).await, claim.owner), "1 o 2 60000 <xml>\n\0</xml>");
    assert!(a.carry(key(1), Carrier::Delivery, 0).await);
    assert_eq!(of(record(&server, key(1)).await, claim.owner), "1 d 2 60000 <xml>\n\0</xml>");

    let claim = new(a.claim(key(2), 0).await);
    a.finish(&claim, &answer(""), Some(Carrier::Late), 0).await.unwrap();
    assert_eq!(of(record(&server, key(2)).await, claim.owner), "1 l 1 60000 ");
}

#[tokio::test]
async fn what_is_no_record_counts_as_absent_and_is_overwritten_by_a_claim() {
    let Some(server) = Server::start() else { return };
    let (a, b) = (node(&server.url()).await, node(&server.url()).await);
    let owner = "0123456789abcdef0123456789abcdef";
    let odd = [
        format!("2 r 1 64000 0 {owner}\n"),
        format!("1 q 1 64000 0 {owner}\nanother's value"),
        format!("1 w 1 64000 0 {owner}\n"),
        format!("1 d 4 64000 0 {owner}\nreply"),
        format!("1 d 1 64000 9999999999999 {owner}\nreply"),
        format!("1 d 1 64000 0 {owner}0\nreply"),
        format!("1 d 1 64000 0 {owner}"),
        format!(" 1 d 1 64000 0 {owner}\nreply"),
        "1d10000ea6000000000################<xml/>".into(),
        "1".into(),
        String::new(),
    ];
    let odd = odd.iter().map(|value| (&b"SET"[..], value.as_bytes())).chain([(&b"RPUSH"[..], &b"a list"[..])]);
    for (n, (verb, value)) in (0..).zip(odd) {
        let put = async || -> redis::Value {
            let _: redis::Value = ask(&server, &[b"DEL", &name(key(n))]).await;
            ask(&server, &[verb, &name(key(n)), value]).await
        };
        put().await;
        assert_eq!(a.wait(key(n), 0).await, Waited::Lapsed, "{n}");
        assert!(a.carry(key(n), Carrier::Delivery, 0).await, "{n}");
        let claim = new(a.claim(key(n), 0).await);
        assert_eq!((claim.run, claim.age), (1, 0), "{n}");
        assert!(matches!(b.claim(key(n), 0).await, Claimed::Running { .. }), "{n}");
        // And under an owner's hands.
        put().await;
        a.finish(&claim, &answer("yes"), None, 0).await.unwrap();
        assert!(matches!(b.claim(key(n), 0).await, Claimed::Done { answer, .. } if *answer == *b"yes"), "{n}");
    }
}

/// A record with a longer life than 49.7 days was once read as one that is much older than it is.
#[tokio::test]
async fn what_is_kept_for_ever_is_kept_for_a_month_and_answered_meanwhile() {
    let Some(server) = Server::start() else { return };
    let store = || Redis::builder(PREFIX).keep(std::time::Duration::MAX).connect(&server.url()).unwrap();
    let (a, b) = (store(), store());
    a.check().await.unwrap();
    b.check().await.unwrap();
    let claim = new(a.claim(key(1), 0).await);
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Running { lease_left: 3_000..=4_000, .. }));
    a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
    assert!(matches!(b.claim(key(1), 0).await, Claimed::Done { age: 0..1_000, .. }));
    let ttl: u64 = ask(&server, &[b"PTTL", &name(key(1))]).await;
    assert!((2_591_999_000..=2_592_000_000).contains(&ttl), "{ttl}");
}

/// Of a claim whose answer came too late, or of a run whose end could not be told yet.
#[tokio::test]
async fn what_a_process_left_behind_itself_needs_no_lease_to_end() {
    let Some(server) = Server::start() else { return };
    let a = node(&server.url()).await;
    let process = format!("{:032x}", new(a.claim(key(0), 0).await).owner)[..16].to_owned();
    let leave = async |n, runs: u8| {
        let value = format!("1 r {runs} 64000 0 {process}ffffffffffffffff\n");
        let _: () = ask(&server, &[b"SET", &name(key(n)), value.as_bytes(), b"PX", b"64000"]).await;
    };
    leave(1, 2).await;
    assert_eq!(new(a.claim(key(1), 0).await).run, 2);

    let failed = new(a.claim(key(2), 0).await);
    a.release(&failed, Attempt::Failed, 0).await.unwrap();
    leave(2, 1).await;
    assert_eq!(new(a.claim(key(2), 0).await).run, 2, "one has failed, as is known here");
}

/// Its first attempt was understood, and this process has given the answer out since.
#[tokio::test]
async fn an_end_that_is_told_again_is_no_loss_when_the_answer_went_late() {
    let Some(server) = Server::start() else { return };
    let a = node(&server.url()).await;
    let claim = new(a.claim(key(1), 0).await);
    let late = async |n, by: String| {
        let value = format!("1 l 1 60000 0 {by}\nreply");
        let _: () = ask(&server, &[b"SET", &name(key(n)), value.as_bytes(), b"PX", b"60000"]).await;
    };
    late(1, format!("{}{}", &format!("{:032x}", claim.owner)[..16], "f".repeat(16))).await;
    assert_eq!(a.finish(&claim, &answer("reply"), None, 0).await, Ok(()));
    assert!(!a.carry(key(1), Carrier::Late, 0).await);

    // Of another machine, which had taken the push over.
    let claim = new(a.claim(key(2), 0).await);
    late(2, "f".repeat(32)).await;
    assert_eq!(a.finish(&claim, &answer("reply"), Some(Carrier::Late), 0).await, Err(Lost));
}
