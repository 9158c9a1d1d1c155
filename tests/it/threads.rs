//! `ThreadedWebhook` in real time, with several tests at once.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use wechat_events::{
    Endpoint, Event, Failure, Handler, HandlerResult, OnError, Policy, Reply, Response, ThreadedWebhook, Webhooks,
    WebhooksBuilder, parse_event,
};

use crate::wire::query;

const EPOCH: i64 = 1_700_000_000;

type Run = dyn Fn(usize) -> HandlerResult + Send + Sync;

/// Does what the script says for the run with this number.
struct Does {
    seen: Arc<Seen>,
    run: Box<Run>,
}

/// What a handler has seen.
#[derive(Default)]
struct Seen {
    runs: AtomicUsize,
    told: Mutex<Vec<String>>,
}

impl Seen {
    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// What came late, and what failed.
    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

impl Handler for Does {
    fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        (self.run)(1 + self.seen.runs.fetch_add(1, Ordering::SeqCst))
    }

    fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.seen.told.lock().unwrap().push(format!("late for {}: {reply:?}", event.from_user));
        Ok(())
    }

    fn failed(&self, failure: &Failure) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.seen.told.lock().unwrap().push(format!("failed: {failure}"));
        Ok(())
    }
}

fn does(run: impl Fn(usize) -> HandlerResult + Send + Sync + 'static) -> (Does, Arc<Seen>) {
    let seen = Arc::default();
    (Does { seen: Arc::clone(&seen), run: Box::new(run) }, seen)
}

fn late(content: &str) -> String {
    format!("late for o_1: {:?}", Reply::text(content))
}

fn endpoint() -> Endpoint {
    Endpoint::plain("token").unwrap().on_report(|report| panic!("{report}"))
}

type Settings = fn(WebhooksBuilder) -> WebhooksBuilder;

fn threaded(settings: Settings, handler: Does) -> ThreadedWebhook {
    let builder = settings(Webhooks::builder().wall_clock(|| EPOCH));
    builder.build_threaded().unwrap().account(endpoint(), handler)
}

fn push(content: &str) -> String {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>{EPOCH}</CreateTime>\
         <MsgType>text</MsgType><Content>{content}</Content></xml>"
    )
}

fn call(webhook: &ThreadedWebhook, body: &str) -> Response {
    webhook.call("POST", &query("token", "1700000000", "486452656"), body.as_bytes())
}

fn shown(response: &Response) -> (u16, &str) {
    (response.status, std::str::from_utf8(&response.body).unwrap())
}

fn reply(content: &str) -> String {
    let body = push("hi");
    Reply::text(content).write(&parse_event(body.as_bytes()).unwrap(), EPOCH).body
}

fn wait(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

#[test]
fn a_payment_that_fails_is_asked_for_again_at_once_and_a_slow_one_before_wechat_hangs_up() {
    let goods = |order: &str| {
        format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>{EPOCH}</CreateTime>\
             <MsgType>event</MsgType><Event>xpay_goods_deliver_notify</Event><OpenId>o_1</OpenId>\
             <OutTradeNo>{order}</OutTradeNo></xml>"
        )
    };
    let code =
        |code: &str, said: &str| format!("<xml><ErrCode>{code}</ErrCode><ErrMsg><![CDATA[{said}]]></ErrMsg></xml>");
    let (handler, seen) = does(|run| match run {
        1 => Err("the database is down".into()),
        2 => panic!("out of luck"),
        _ => {
            wait(3_000);
            Ok(Reply::Success)
        }
    });
    let endpoint = Endpoint::plain("token").unwrap().on_report(|_| {});
    let webhook = Webhooks::builder().wall_clock(|| EPOCH).build_threaded().unwrap().account(endpoint, handler);
    let begun = Instant::now();
    for _ in ["fails", "panics"] {
        assert_eq!(shown(&call(&webhook, &goods("7"))), (200, &*code("-1", "not handled")));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(shown(&call(&webhook, &goods("7"))), (200, &*code("-1", "not yet")));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(shown(&call(&webhook, &goods("7"))), (200, &*code("0", "success")));
    assert_eq!(seen.runs(), 3);
}

#[test]
fn deliveries_of_one_push_on_many_threads_are_one_run_and_get_one_reply() {
    let (handler, seen) = does(|run| {
        wait(50);
        Ok(Reply::text(format!("run {run}")))
    });
    let webhook = threaded(|builder| builder, handler);
    thread::scope(|scope| {
        let deliveries: Vec<_> = (0..8).map(|_| scope.spawn(|| call(&webhook, &push("hi")))).collect();
        for delivery in deliveries {
            assert_eq!(shown(&delivery.join().unwrap()), (200, &*reply("run 1")));
        }
    });
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, &*reply("run 1")));
    assert_eq!(seen.runs(), 1);
}

#[test]
fn no_thread_outlives_a_run_whose_reply_its_delivery_has_carried() {
    let (handler, seen) = does(|run| Ok(Reply::text(format!("run {run}"))));
    let webhook = threaded(|builder| builder, handler);
    for n in 0..100 {
        assert_eq!(call(&webhook, &push(&n.to_string())).content_type, "text/xml");
    }
    drop(webhook);
    let dropped = Instant::now();
    // The handler has one.
    while Arc::strong_count(&seen) > 1 {
        assert!(dropped.elapsed() < Duration::from_secs(10), "it waits until the reply would be late, at 15.6 s");
        wait(10);
    }
}

#[test]
fn failures_are_acknowledged_by_default_and_else_run_again() {
    let settings: [(Settings, _); 2] =
        [(|builder| builder, (200, "success")), (|builder| builder.on_error(OnError::Status500), (500, ""))];
    for (settings, expected) in settings {
        let (handler, seen) = does(|run| if run < 3 { Err("out of stock".into()) } else { Ok(Reply::text("at last")) });
        let webhook = threaded(settings, handler);
        for _ in 0..2 {
            assert_eq!(shown(&call(&webhook, &push("hi"))), expected);
        }
        assert_eq!(shown(&call(&webhook, &push("hi"))), (200, &*reply("at last")));
        webhook.shutdown(Duration::from_secs(5));
        let bytes = push("hi").len();
        let line = |run| format!("failed: push of {bytes} bytes failed in run {run}: out of stock");
        assert_eq!(seen.told(), [line(1), line(2)]);
    }
}

#[test]
fn a_slow_handler_is_acknowledged_and_its_reply_is_late() {
    let (handler, seen) = does(|_| {
        wait(4_800);
        Ok(Reply::text("at last"))
    });
    let webhook = threaded(|builder| builder, handler);
    let begun = Instant::now();
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, "success"));
    assert!(begun.elapsed() >= Duration::from_millis(4_500));
    while seen.told().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(15), "at once, and not when all hope is gone");
        wait(10);
    }
    assert_eq!(seen.told(), [late("at last")]);
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, "success"), "late has it");
    assert_eq!(seen.runs(), 1);
}

#[test]
fn a_held_push_is_answered_by_its_second_delivery() {
    let (handler, seen) = does(|_| {
        wait(5_500);
        Ok(Reply::text("at last"))
    });
    let webhook = threaded(|builder| builder.policy(Policy::Hold), handler);
    thread::scope(|scope| {
        let first = scope.spawn(|| call(&webhook, &push("hi")));
        wait(5_070);
        assert_eq!(shown(&call(&webhook, &push("hi"))), (200, &*reply("at last")));
        let first = first.join().unwrap();
        // It comes after WeChat has hung up; the second delivery may carry it first.
        assert!([(503, ""), (200, &*reply("at last"))].contains(&shown(&first)), "{first:?}");
    });
    webhook.shutdown(Duration::from_secs(5));
    assert_eq!((seen.runs(), seen.told()), (1, vec![]));
}

#[test]
fn a_shutdown_waits_for_handlers_and_hands_over_what_is_owed() {
    let (handler, seen) = does(|_| {
        wait(5_300);
        Ok(Reply::text("at last"))
    });
    let webhook = threaded(|builder| builder, handler);
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, "success"));
    webhook.shutdown(Duration::from_secs(10));
    assert_eq!(seen.told(), [late("at last")]);
}

#[test]
fn in_a_shutdown_too_the_delivery_that_waits_carries_the_reply() {
    let (begins, begun) = mpsc::channel();
    let (handler, seen) = does(move |_| {
        begins.send(()).unwrap();
        wait(200);
        Ok(Reply::text("at last"))
    });
    let webhook = threaded(|builder| builder, handler);
    thread::scope(|scope| {
        let delivery = scope.spawn(|| call(&webhook, &push("hi")));
        begun.recv_timeout(Duration::from_secs(30)).unwrap();
        webhook.shutdown(Duration::from_secs(10));
        assert_eq!(shown(&delivery.join().unwrap()), (200, &*reply("at last")));
    });
    assert_eq!(seen.told(), [""; 0]);
}

#[test]
fn accounts_share_the_store_and_the_bounds_and_threads_stand_in_for_tasks() {
    let (slow, _) = does(|_| {
        wait(1_000);
        Ok(Reply::Success)
    });
    let (other, seen) = does(|_| Ok(Reply::Success));
    let webhooks = Webhooks::builder().max_running(1).build_threaded().unwrap();
    let slow = webhooks.account(endpoint(), slow);
    let other = webhooks.account(endpoint(), other);
    thread::scope(|scope| {
        let running = scope.spawn(|| call(&slow, &push("hi")).status);
        wait(200);
        assert_eq!(shown(&call(&other, &push("ho"))), (503, ""));
        assert_eq!(running.join().unwrap(), 200);
    });
    assert_eq!(shown(&call(&other, &push("ho"))), (200, "success"));
    webhooks.shutdown(Duration::from_secs(10));
    assert_eq!(shown(&call(&slow, &push("ha"))), (503, ""), "this is the end");
    let bytes = push("ho").len();
    assert_eq!(seen.told(), [format!("failed: push of {bytes} bytes not run: 1 handlers are running already")]);
}

#[test]
fn an_answered_delivery_wakes_no_other_runs_wait() {
    // Many replies wait for their second delivery, and each is woken only by its own: the last is carried as
    // soon as the first, and none is late.
    let (handler, seen) = does(|_| {
        wait(5_100);
        Ok(Reply::text("at last"))
    });
    let webhook = threaded(|builder| builder.policy(Policy::Hold), handler);
    thread::scope(|scope| {
        for n in 0..16 {
            let webhook = webhook.clone();
            scope.spawn(move || {
                let body = push(&n.to_string());
                let first = thread::scope(|scope| {
                    let first = scope.spawn(|| call(&webhook, &body).status);
                    wait(5_400);
                    assert_eq!(call(&webhook, &body).content_type, "text/xml");
                    first.join().unwrap()
                });
                assert_eq!(first, 503);
            });
        }
    });
    let begun = Instant::now();
    webhook.shutdown(Duration::from_secs(20));
    assert!(begun.elapsed() < Duration::from_secs(5), "nothing is owed");
    assert_eq!(seen.told(), [""; 0]);
}

#[cfg(feature = "tracing")]
#[test]
fn a_handler_runs_within_the_span_of_its_delivery_on_a_thread_of_its_own() {
    use crate::spans::Spans;

    let (spans, seen) = (Spans::default(), Arc::new(Mutex::new(Vec::new())));
    let (within, into) = (spans.clone(), Arc::clone(&seen));
    let (handler, _) = does(move |_| {
        into.lock().unwrap().push((thread::current().name().map(str::to_owned), within.within()));
        Ok(Reply::Success)
    });
    let webhook = threaded(|builder| builder, handler);
    spans.of(|| ["hi", "ho"].map(|content| call(&webhook, &push(content))));
    let name = Some("wechat-events".to_owned());
    assert_eq!(*seen.lock().unwrap(), [(name.clone(), vec![1]), (name, vec![2])]);
    assert_eq!(spans.lines().len(), 2);
}
