//! Allocations, counted exactly.

use std::fs;
use std::hint::black_box;

use allocation_counter::{AllocationInfo, measure};
use wechat_events::event::Text;
use wechat_events::store::{Carrier, Claimed, Memory};
use wechat_events::{Dedup, DedupKey, Endpoint, Event, Handler, HandlerResult, Limits, Reply, parse_event, readers};

use crate::{files, wire};

fn allocations(run: impl FnOnce()) -> AllocationInfo {
    measure(run)
}

#[test]
fn a_push_in_wechats_dialect_without_repeated_parts_is_read_without_allocating() {
    let mut counted = 0;
    for (name, path) in files("pushes", "xml") {
        let body = fs::read(path).unwrap();
        let Ok(text) = std::str::from_utf8(&body) else { continue };
        let event = parse_event(&body).unwrap();
        let repeats = format!("{:?}", event.kind).contains('[');
        if readers::flat(text).is_some() && !repeats {
            let count = allocations(|| drop(black_box(parse_event(&body)))).count_total;
            assert_eq!(count, 0, "{name}");
            counted += 1;
        }
    }
    assert!(counted > 50, "{counted}");
}

#[test]
fn a_plaintext_push_is_answered_with_the_reply_and_its_bytes_allocated() {
    struct Echo;
    impl Handler for Echo {
        fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
            Ok(Reply::text(&*text.content))
        }
    }
    let endpoint = Endpoint::plain("token").unwrap();
    let query = wire::query("token", "1714037059", "486452656");
    let body = include_bytes!("../pushes/text.xml");
    let respond = |handler: &dyn Handler| {
        allocations(|| drop(black_box(endpoint.respond("POST", &query, body, 1_714_037_060, handler))))
    };
    assert_eq!(respond(&Echo).count_total, 2, "the handler's text, and the answer");
    struct Silent;
    impl Handler for Silent {}
    assert_eq!(respond(&Silent).count_total, 1, "`success`");
}

#[cfg(feature = "tokio")]
#[test]
fn a_webhook_allocates_for_what_outlives_the_request_and_for_the_answer() {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use wechat_events::{AsyncHandler, Webhooks};

    struct Echo;
    impl AsyncHandler for Echo {
        async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
            Ok(Reply::text(&*text.content))
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    // One shard, so that it grows at the same pushes in every run.
    let store = Memory::builder().shards(1).build();
    let webhook = Webhooks::builder().store(store).build().account(Endpoint::plain("token").unwrap(), Echo);
    let query = wire::query("token", "1714037059", "486452656");
    let body = include_str!("../pushes/text.xml");
    let call = |number: u32| {
        let body = body.replace("</xml>", &format!("<Number>{number}</Number></xml>"));
        runtime.block_on(async {
            let mut call = pin!(webhook.call("POST", &query, body.as_bytes()));
            let mut spare = None;
            let count = allocations(|| {
                let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                let Poll::Ready(response) = polled else { panic!() };
                spare = Some(response.body.capacity() - response.body.len());
            })
            .count_total;
            (count, spare)
        })
    };
    for number in 0..100 {
        call(number);
    }
    assert_eq!(call(100), (6, Some(0)), "the push, its run, its task, the handler's text, the answer kept and given");
    assert_eq!(call(100), (3, Some(0)), "the push, what the store kept, and the answer");
}

#[test]
fn an_oversize_body_costs_nothing() {
    let body = vec![b'<'; 1 << 21];
    let counted = allocations(|| drop(black_box(Limits::default().parse_event(&body))));
    assert_eq!(counted.bytes_total, 0);
}

#[test]
fn a_million_keys_cost_at_most_40_bytes_each() {
    let dedup = Dedup::new();
    let counted = allocations(|| {
        for number in 0..1_000_000_u64 {
            assert!(dedup.first(&DedupKey::of_body(&number.to_le_bytes()), 0));
        }
    });
    let each = counted.bytes_current as f64 / 1e6;
    assert!(each <= 40.0, "{each}");
    for number in 0..1_000_000_u64 {
        assert!(!dedup.first(&DedupKey::of_body(&number.to_le_bytes()), 59), "{number} is remembered");
    }
}

#[test]
fn a_settled_push_costs_the_memory_store_at_most_90_bytes_beside_its_answer_or_twice_that() {
    // Of the latter a shard's part is a little more than a power of two.
    for (entries, most) in [(8 * 8_192, 90.0), (8 * 4_100, 180.0)] {
        let memory = Memory::builder().entries(entries).shards(8).build();
        let counted = allocations(|| {
            for number in 0..200_000_u64 {
                let key = DedupKey::of_body(&number.to_le_bytes());
                let Claimed::New(claim) = memory.claim(key, 0) else { panic!("{number}") };
                memory.finish(&claim, b"success", Some(Carrier::Delivery), 0).unwrap();
            }
        });
        let each = (counted.bytes_current as f64 - memory.bytes() as f64) / entries as f64;
        assert!(each <= most, "{each} with {entries}");
    }
}
