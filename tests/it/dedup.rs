//! `Dedup` and `DedupKey` against time, threads and floods.

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use wechat_events::{Dedup, DedupKey, parse_event};

fn key(number: u64) -> DedupKey {
    DedupKey::of_body(&number.to_le_bytes())
}

#[test]
fn the_digest_is_the_one_every_machine_and_version_computes() {
    // Computed by Python's xxhash package: xxh3_128_hexdigest.
    for (body, digest) in [
        (&b""[..], "99aa06d3014798d86001c324468d497f"),
        (b"<xml/>", "d715ddea725819418a335b54829c1beb"),
        (include_bytes!("../pushes/scan.first_seed.xml"), "8a4d4c2340a15bae50d243be8c9b57c9"),
    ] {
        assert_eq!(DedupKey::of_body(body).to_string(), digest);
    }
}

/// A push of an account in compatible mode, as a plain endpoint reads it.
#[test]
fn what_was_sealed_anew_for_a_retry_does_not_count() {
    let xml = |encrypt: &str, rest: &str| {
        format!("<xml><MsgType>text</MsgType><Content>hi</Content><Encrypt><![CDATA[{encrypt}]]></Encrypt>{rest}</xml>")
    };
    let of = |body: &str| DedupKey::of_body(body.as_bytes());
    assert_eq!(of(&xml("q1w2", "")), of(&xml("e3r4", "")));
    // By the digest of the rest, which is unchanged.
    assert_eq!(of(&xml("q1w2", "")), of(&xml("", "")));
    assert_eq!(of(&xml("q1w2", "")).to_string(), "b059a2e0be528fc5cda2fc347e8fb65f");
    assert_ne!(of(&xml("q1w2", "")), of(&xml("q1w2", "<Idx>1</Idx>")));
    assert_ne!(of(&xml("q1w2", "")), of("<xml><MsgType>text</MsgType><Content>hi</Content></xml>"));

    let typed = |word: &str| format!("<xml><Content><![CDATA[<Encrypt>{word}</Encrypt>]]></Content></xml>");
    assert_ne!(of(&typed("q1w2")), of(&typed("e3r4")), "the follower's own words count");
    let nested = |word: &str| format!("<xml><Part><Encrypt>{word}</Encrypt></Part></xml>");
    assert_ne!(of(&nested("q1w2")), of(&nested("e3r4")), "it is not the root's");
    assert_ne!(of("<Encrypt>"), of("<Encrypt/>"), "no push at all");

    let json = |encrypt: &str| format!(r#"{{"MsgType":"text","Content":"hi","Encrypt":"{encrypt}"}}"#);
    assert_eq!(of(&json("q1w2")) == of(&json("e3r4")), cfg!(feature = "json"));
    assert_eq!(of(&json("q1w2")) == of(&json(r"e3\/r4")), cfg!(feature = "json"), "as PHP writes it");
}

#[test]
fn pushes_that_the_sender_rule_confuses_have_keys_of_their_own() {
    let push = |event: &str, rest: &str| {
        let body = format!(
            "<xml><FromUserName>mphelper</FromUserName><CreateTime>7</CreateTime><MsgType>event</MsgType>\
             <Event>{event}</Event>{rest}</xml>"
        );
        parse_event(body.as_bytes()).unwrap().into_owned()
    };
    let pushes = [
        push("wxa_media_check", "<trace_id>1</trace_id>"),
        push("wxa_media_check", "<trace_id>2</trace_id>"),
        push("LOCATION", "<Latitude>1</Latitude><Longitude>2</Longitude>"),
        push("VIEW", "<EventKey>u</EventKey>"),
        push("user_get_card", "<CardId>a</CardId>"),
        push("user_get_card", "<CardId>b</CardId>"),
    ];
    let distinct: std::collections::BTreeSet<_> = pushes.iter().map(wechat_events::Event::dedup_key).collect();
    assert_eq!(distinct.len(), pushes.len());
    let by_sender: std::collections::BTreeSet<_> = pushes.iter().map(DedupKey::of_sender).collect();
    assert_eq!(by_sender.len(), 1);
}

#[test]
fn the_sender_key_is_pinned_and_parts_do_not_run_together() {
    let of = |from: &str, time: i64| {
        let body = format!(
            "<xml><FromUserName>{from}</FromUserName><CreateTime>{time}</CreateTime><MsgType>text</MsgType></xml>"
        );
        DedupKey::of_sender(&parse_event(body.as_bytes()).unwrap())
    };
    assert_eq!(of("o_1", 7), DedupKey::of_body(b"o_1\x007"));
    assert_ne!(of("o_1", 17), of("o_11", 7));
    // A name may contain the separator, and look like a push.
    assert_ne!(of("<![CDATA[o\x001]]>", 7), of("o", 17));
    let sealed = |encrypt: &str| of(&format!("<![CDATA[<xml><Encrypt>{encrypt}</Encrypt></xml>]]>"), 7);
    assert_ne!(sealed("a"), sealed("b"));
}

#[test]
fn exactly_one_of_many_threads_is_first_for_each_key_and_time_to_live() {
    const THREADS: usize = 8;
    const KEYS: u64 = 2_000;
    let dedup = Dedup::new();
    for round in 0..3 {
        let now = round * 60;
        let firsts: Vec<AtomicUsize> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (dedup, firsts, start) = (&dedup, &firsts, &start);
                scope.spawn(move || {
                    start.wait();
                    for step in 0..KEYS {
                        // Each thread in another order, so that they meet.
                        let number = (step + thread as u64 * 250) % KEYS;
                        if dedup.first(&key(number), now) {
                            firsts[usize::try_from(number).unwrap()].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!(firsts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "round {round}");
    }
}

#[test]
fn a_key_is_forgotten_on_request_and_only_that_one() {
    let dedup = Dedup::new();
    assert!(dedup.first(&key(1), 0) && dedup.first(&key(2), 0));
    dedup.forget(&key(1));
    dedup.forget(&key(3));
    assert!(dedup.first(&key(1), 1));
    assert!(!dedup.first(&key(2), 1));
}

#[test]
fn forgetting_reaches_a_key_of_the_generation_before() {
    let dedup = Dedup::with_bounds(Duration::from_secs(60), 1024);
    assert!(dedup.first(&key(1), 59));
    // The generation that began at 59 is followed by another.
    assert!(dedup.first(&key(2), 119));
    assert!(dedup.first(&key(3), 118));
    dedup.forget(&key(1));
    assert!(dedup.first(&key(1), 118));
}

#[test]
fn a_flood_forgets_the_oldest_and_never_the_newest_half_of_the_bound() {
    // One shard, so that the halves are exact.
    let bound = 512;
    let dedup = Dedup::with_bounds(Duration::from_secs(60), bound);
    for number in 0..100_000 {
        assert!(dedup.first(&key(number), 0), "{number}");
        if number >= 256 {
            assert!(!dedup.first(&key(number - 255), 0), "{number}: of the newest 256");
        }
    }
    let held = (0..100_000).filter(|number| !dedup.first(&key(99_999 - number), 0)).count();
    assert!((256..=bound).contains(&held), "{held}");
}

#[test]
fn a_clock_that_steps_back_lets_no_retry_through() {
    let dedup = Dedup::new();
    assert!(dedup.first(&key(1), 1_000));
    assert!(!dedup.first(&key(1), 990));
    assert!(dedup.first(&key(2), 990));
    assert!(!dedup.first(&key(2), 1_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn within_the_bound_it_is_a_map_of_times(
        steps in proptest::collection::vec((0u64..40, 0i64..25, any::<bool>()), 1..300)
    ) {
        let dedup = Dedup::with_bounds(Duration::from_secs(60), 4096);
        let mut model: HashMap<u64, i64> = HashMap::new();
        let mut now = 0;
        for (number, later, forget) in steps {
            now += later;
            if forget {
                dedup.forget(&key(number));
                model.remove(&number);
                continue;
            }
            let first = model.get(&number).is_none_or(|seen| now - seen >= 60);
            if first {
                model.insert(number, now);
            }
            prop_assert_eq!(dedup.first(&key(number), now), first, "key {} at {}", number, now);
        }
    }
}
