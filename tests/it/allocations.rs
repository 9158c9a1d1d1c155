//! Allocations, counted exactly.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::{AllocationInfo, measure};
use wechat_events::event::Text;
use wechat_events::store::{Carrier, Claimed, Memory, Outcome};
use wechat_events::{Dedup, DedupKey, Endpoint, Event, Handler, HandlerResult, Limits, Reply};

use crate::wire;

fn allocations(run: impl FnOnce()) -> AllocationInfo {
    measure(run)
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

/// Neither their lines nor their fields.
#[test]
fn a_report_that_nobody_listens_to_builds_nothing() {
    struct Fails;
    impl Handler for Fails {
        fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
            match &*text.content {
                "fail" => Err(wechat_events::ConfigError::EmptyToken.into()),
                _ => Ok(Reply::text("")),
            }
        }
    }
    let silent = Endpoint::plain("token").unwrap();
    let told = silent.clone().on_report(|report| drop(black_box(report.to_string())));
    let query = wire::query("token", "1714037059", "486452656");
    let body = |content: &str| {
        format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1714037059</CreateTime>\
             <MsgType>text</MsgType><Content>{content}</Content><MsgId>1</MsgId></xml>"
        )
    };
    for (claim, query, body, answer) in [
        ("a request is refused", "signature=0", body("hi"), 0),
        ("a handler fails: its error is boxed", &*query, body("fail"), 1),
        ("a reply is not written", &*query, body("hi"), 1),
    ] {
        let respond = |endpoint: &Endpoint| {
            let call = || drop(black_box(endpoint.respond("POST", query, body.as_bytes(), 1_714_037_060, &Fails)));
            allocations(call).count_total
        };
        assert_eq!(respond(&silent), answer, "{claim}");
        assert!(respond(&told) > answer, "{claim}, and somebody listens");
    }
}

#[cfg(feature = "tokio")]
#[test]
fn a_webhook_allocates_for_what_outlives_the_request_and_for_the_answer() {
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
    let (new, spare) = call(100);
    assert!(
        new <= 8 && spare == Some(0),
        "{new} for the push, its run, what the store keeps, and the answer: {spare:?}"
    );
    let (repeated, spare) = call(100);
    assert!(repeated <= 3 && spare == Some(0), "{repeated} for the answer: {spare:?}");
}

#[test]
fn an_outcome_that_is_there_is_awaited_without_allocating() {
    let counted = allocations(|| {
        let mut outcome = pin!(Outcome::Now(2));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(outcome.as_mut().poll(&mut context), Poll::Ready(2));
        assert_eq!(outcome.as_mut().poll(&mut context), Poll::Pending, "it says so once");
    });
    assert_eq!(counted.count_total, 0);
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
fn a_push_costs_the_memory_store_at_most_300_bytes_beside_its_answer_however_many_have_gone_through() {
    // The second just overflows its map, which is then the largest for its number of pushes.
    for entries in [4_096, 3_585] {
        let memory = Memory::builder().entries(entries).shards(1).build();
        let counted = allocations(|| {
            let key = |number: usize| DedupKey::of_body(&number.to_le_bytes());
            let claim = |number| match memory.claim(key(number), 0) {
                Claimed::New(claim) => claim,
                other => panic!("{number}: {other:?}"),
            };
            // All of them run at once; then they come one by one.
            let running: Vec<_> = (0..entries).map(claim).collect();
            running.iter().for_each(|claim| memory.finish(claim, b"success", None, 0).unwrap());
            drop(running);
            for number in entries..30 * entries {
                memory.finish(&claim(number), b"success", Some(Carrier::Delivery), 0).unwrap();
            }
        });
        assert_eq!(memory.entries(), entries);
        let each = (counted.bytes_current as f64 - memory.bytes() as f64) / entries as f64;
        assert!(each <= 300.0, "{each} with {entries}");
    }
}
