//! `ThreadedWebhook` in real time: a few of WeChat's seconds, several at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use wechat_events::{
    Endpoint, Event, Failure, Handler, HandlerResult, OnError, Policy, Reply, Response, ThreadedWebhook, parse_event,
};

use crate::wire::query;

const EPOCH: i64 = 1_700_000_000;

type Run = dyn Fn(usize) -> HandlerResult + Send + Sync;

/// Does what it is told for the run of this number.
struct Does {
    runs: Arc<AtomicUsize>,
    run: Box<Run>,
}

impl Handler for Does {
    fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        (self.run)(1 + self.runs.fetch_add(1, Ordering::SeqCst))
    }
}

fn does(run: impl Fn(usize) -> HandlerResult + Send + Sync + 'static) -> (Does, Arc<AtomicUsize>) {
    let runs = Arc::default();
    (Does { runs: Arc::clone(&runs), run: Box::new(run) }, runs)
}

fn endpoint() -> Endpoint {
    Endpoint::plain("token").unwrap().on_report(|report| panic!("{report}"))
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
fn deliveries_of_one_push_on_many_threads_are_one_run_and_get_one_reply() {
    let (handler, runs) = does(|run| {
        wait(50);
        Ok(Reply::text(format!("run {run}")))
    });
    let webhook = ThreadedWebhook::builder(endpoint(), handler).wall_clock(|| EPOCH).build();
    thread::scope(|scope| {
        let deliveries: Vec<_> = (0..8).map(|_| scope.spawn(|| call(&webhook, &push("hi")))).collect();
        for delivery in deliveries {
            assert_eq!(shown(&delivery.join().unwrap()), (200, &*reply("run 1")));
        }
    });
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, &*reply("run 1")));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn no_thread_outlives_a_run_whose_reply_its_delivery_has_carried() {
    let (handler, runs) = does(|run| Ok(Reply::text(format!("run {run}"))));
    let webhook = ThreadedWebhook::builder(endpoint(), handler).wall_clock(|| EPOCH).build();
    for n in 0..100 {
        assert_eq!(call(&webhook, &push(&n.to_string())).content_type, "text/xml");
    }
    drop(webhook);
    let dropped = Instant::now();
    // The handler has one.
    while Arc::strong_count(&runs) > 1 {
        assert!(dropped.elapsed() < Duration::from_secs(10), "it waits until the reply would be late, at 15.6 s");
        wait(10);
    }
}

#[test]
fn failures_are_acknowledged_by_default_and_else_run_again() {
    for (on_error, expected) in [(OnError::Acknowledge, (200, "success")), (OnError::Status500, (500, ""))] {
        let failures = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&failures);
        let (handler, _) = does(|run| if run < 3 { Err("out of stock".into()) } else { Ok(Reply::text("at last")) });
        let builder = ThreadedWebhook::builder(endpoint(), handler).wall_clock(|| EPOCH);
        let builder = if on_error == OnError::Acknowledge { builder } else { builder.on_error(on_error) };
        let webhook =
            builder.on_failure(move |failure: Failure| into.lock().unwrap().push(failure.to_string())).build();
        for _ in 0..2 {
            assert_eq!(shown(&call(&webhook, &push("hi"))), expected);
        }
        assert_eq!(shown(&call(&webhook, &push("hi"))), (200, &*reply("at last")));
        webhook.shutdown(Duration::from_secs(5));
        let bytes = push("hi").len();
        let line = |run| format!("push of {bytes} bytes failed in run {run}: out of stock");
        assert_eq!(*failures.lock().unwrap(), [line(1), line(2)]);
    }
}

#[test]
fn a_slow_handler_is_acknowledged_and_its_reply_is_late() {
    let (late, outbox) = mpsc::channel();
    let (handler, runs) = does(|_| {
        wait(4_800);
        Ok(Reply::text("at last"))
    });
    let webhook = ThreadedWebhook::builder(endpoint(), handler)
        .on_late(move |event, reply| late.send((event.from_user.to_string(), reply)).unwrap())
        .wall_clock(|| EPOCH)
        .build();
    let begun = Instant::now();
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, "success"));
    assert!(begun.elapsed() >= Duration::from_millis(4_500));
    let late = outbox.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(late, ("o_1".to_owned(), Reply::text("at last")));
    assert!(begun.elapsed() < Duration::from_secs(15), "at once, and not when all hope is gone");
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, "success"), "late has it");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn a_held_push_is_answered_by_its_second_delivery() {
    let (handler, runs) = does(|_| {
        wait(5_500);
        Ok(Reply::text("at last"))
    });
    let builder = ThreadedWebhook::builder(endpoint(), handler).policy(Policy::Hold);
    let webhook = builder.on_late(|_, _| panic!("it was carried")).wall_clock(|| EPOCH).build();
    thread::scope(|scope| {
        let first = scope.spawn(|| call(&webhook, &push("hi")));
        wait(5_070);
        assert_eq!(shown(&call(&webhook, &push("hi"))), (200, &*reply("at last")));
        let first = first.join().unwrap();
        // It comes after WeChat has hung up; if the second one carries it first, it may still be told.
        assert!([(503, ""), (200, &*reply("at last"))].contains(&shown(&first)), "{first:?}");
    });
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn beyond_the_bound_of_held_deliveries_pushes_are_acknowledged() {
    let (late, outbox) = mpsc::channel();
    let (begins, begun) = mpsc::channel();
    let (handler, _) = does(move |run| {
        begins.send(()).unwrap();
        wait(5_900);
        Ok(Reply::text(format!("run {run}")))
    });
    let builder = ThreadedWebhook::builder(endpoint(), handler).policy(Policy::Hold).max_held(1);
    let webhook = builder.on_late(move |_, reply| late.send(reply).unwrap()).wall_clock(|| EPOCH).build();
    thread::scope(|scope| {
        let held = scope.spawn(|| call(&webhook, &push("hi")));
        begun.recv().unwrap();
        wait(500);
        assert_eq!(shown(&call(&webhook, &push("ho"))), (200, "success"), "before its handler has ended");
        assert_eq!(shown(&held.join().unwrap()), (503, ""), "with its handler, when WeChat had hung up");
    });
    assert_eq!(outbox.recv_timeout(Duration::from_secs(10)), Ok(Reply::text("run 2")));
    webhook.shutdown(Duration::ZERO);
    assert_eq!(outbox.try_recv(), Ok(Reply::text("run 1")));
}

#[test]
fn a_failure_is_acknowledged_at_once_where_none_may_be_held() {
    let (handler, runs) = does(|_| Err("out of stock".into()));
    let builder = ThreadedWebhook::builder(endpoint(), handler).on_error(OnError::Hold).on_failure(|_| {});
    let webhook = builder.max_held(0).wall_clock(|| EPOCH).build();
    let begun = Instant::now();
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, "success"));
    assert!(begun.elapsed() < Duration::from_secs(5), "it would be held for 6 s");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn a_hook_that_panics_harms_nobody() {
    let (begins, begun) = mpsc::channel();
    let (handler, _) = does(move |run| match run {
        1 => Err("out of stock".into()),
        2 => {
            begins.send(()).unwrap();
            wait(4_800);
            Ok(Reply::text("too late"))
        }
        _ => Ok(Reply::text("at once")),
    });
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (lates, failures) = (Arc::clone(&calls), Arc::clone(&calls));
    let webhook = ThreadedWebhook::builder(endpoint(), handler)
        .max_running(1)
        .on_late(move |_, _| {
            lates.lock().unwrap().push("late".to_owned());
            panic!("a hook panics");
        })
        .on_failure(move |failure: Failure| {
            failures.lock().unwrap().push(failure.cause.to_string());
            panic!("a hook panics");
        })
        .wall_clock(|| EPOCH)
        .build();
    assert_eq!(shown(&call(&webhook, &push("fails"))), (200, "success"));
    thread::scope(|scope| {
        let slow = scope.spawn(|| call(&webhook, &push("is slow")));
        begun.recv().unwrap();
        assert_eq!(shown(&call(&webhook, &push("hi"))), (503, ""), "one too many");
        assert_eq!(shown(&slow.join().unwrap()), (200, "success"));
    });
    wait(2_000);
    assert_eq!(shown(&call(&webhook, &push("ho"))), (200, &*reply("at once")), "its place is free again");
    // A thread that is still counted is waited for during a second each time; a busy machine is not slow each time.
    let shutdowns = std::iter::repeat_with(|| {
        let begun = Instant::now();
        webhook.shutdown(Duration::from_secs(30));
        begun.elapsed()
    });
    assert!(shutdowns.take(5).any(|time| time < Duration::from_millis(900)), "nothing is left to wait for");
    assert_eq!(*calls.lock().unwrap(), ["out of stock", "1 handlers run already", "late"]);
}

#[test]
fn what_is_no_push_and_one_handler_too_many_are_failures() {
    let failures = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&failures);
    let (handler, _) = does(|_| {
        wait(300);
        Ok(Reply::Success)
    });
    let webhook = ThreadedWebhook::builder(endpoint(), handler)
        .max_running(1)
        .on_failure(move |failure: Failure| into.lock().unwrap().push(failure.to_string()))
        .build();
    for _ in 0..2 {
        assert_eq!(shown(&call(&webhook, "hello")), (200, "success"));
    }
    thread::scope(|scope| {
        let running = scope.spawn(|| call(&webhook, &push("hi")));
        wait(100);
        assert_eq!(shown(&call(&webhook, &push("ho"))), (503, ""));
        assert_eq!(shown(&running.join().unwrap()), (200, "success"));
    });
    webhook.shutdown(Duration::from_secs(5));
    assert_eq!(shown(&call(&webhook, &push("ho"))), (503, ""), "it was given back, but this is the end");
    let error = parse_event(b"hello").unwrap_err();
    let expected = [
        format!("push of 5 bytes not run: authentic, but no push: {error}"),
        format!("push of {} bytes not run: 1 handlers run already", push("ho").len()),
    ];
    assert_eq!(*failures.lock().unwrap(), expected);
}

#[test]
fn one_joiner_too_many_is_turned_away_and_the_delivery_that_runs_is_none() {
    for max in [0, 2] {
        let (handler, _) = does(|_| {
            wait(1_000);
            Ok(Reply::Success)
        });
        let webhook = ThreadedWebhook::builder(endpoint(), handler).max_joiners(max).build();
        let mut statuses: Vec<_> = thread::scope(|scope| {
            let deliveries: Vec<_> = (0..max + 3)
                .map(|_| {
                    wait(60);
                    scope.spawn(|| call(&webhook, &push("hi")).status)
                })
                .collect();
            deliveries.into_iter().map(|delivery| delivery.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![200; max + 1], vec![503; 2]].concat());
    }
}

#[test]
fn a_shutdown_waits_for_handlers_and_hands_over_what_is_owed() {
    let (late, outbox) = mpsc::channel();
    let (handler, _) = does(|_| {
        wait(5_300);
        Ok(Reply::text("at last"))
    });
    let webhook = ThreadedWebhook::builder(endpoint(), handler)
        .policy(Policy::Hold)
        .on_late(move |_, reply| late.send(reply).unwrap())
        .build();
    // The system's clock says that this is the last delivery of an old push.
    assert_eq!(shown(&call(&webhook, &push("hi"))), (200, "success"));
    webhook.shutdown(Duration::from_secs(10));
    assert_eq!(outbox.try_recv(), Ok(Reply::text("at last")));
}

#[test]
fn in_a_shutdown_too_the_delivery_that_waits_carries_the_reply() {
    let (begins, begun) = mpsc::channel();
    let (handler, _) = does(move |_| {
        begins.send(()).unwrap();
        wait(200);
        Ok(Reply::text("at last"))
    });
    let builder = ThreadedWebhook::builder(endpoint(), handler).on_late(|_, _| panic!("it was carried"));
    let webhook = builder.wall_clock(|| EPOCH).build();
    thread::scope(|scope| {
        let delivery = scope.spawn(|| call(&webhook, &push("hi")));
        begun.recv().unwrap();
        webhook.shutdown(Duration::from_secs(10));
        assert_eq!(shown(&delivery.join().unwrap()), (200, &*reply("at last")));
    });
}

#[cfg(feature = "tracing")]
mod spans {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use wechat_events::WebhookBuilder;
    use wechat_events::store::Memory;

    use super::*;
    use crate::spans::Spans;

    type Builder = WebhookBuilder<Does, Memory>;

    /// Another delivery while a handler runs, which ends afterwards.
    fn beside_a_run(settings: fn(Builder) -> Builder, delivery: fn(&ThreadedWebhook)) {
        let (begins, begun) = mpsc::channel();
        let (ends, ended) = mpsc::channel::<()>();
        let ended = Mutex::new(ended);
        let (handler, _) = does(move |_| {
            begins.send(()).unwrap();
            ended.lock().unwrap().recv().unwrap_err();
            Ok(Reply::Success)
        });
        let webhook = settings(ThreadedWebhook::builder(endpoint(), handler).on_failure(|_| {})).build();
        thread::scope(|scope| {
            scope.spawn(|| call(&webhook, &push("hi")));
            begun.recv().unwrap();
            delivery(&webhook);
            drop(ends);
        });
    }

    /// After a delivery of a push whose handler takes so many milliseconds.
    fn slow(takes: u64, policy: Policy) -> ThreadedWebhook {
        let (handler, _) = does(move |_| {
            wait(takes);
            Ok(Reply::text("at last"))
        });
        let builder = ThreadedWebhook::builder(endpoint(), handler).policy(policy).on_late(|_, _| {});
        let webhook = builder.wall_clock(|| EPOCH).build();
        call(&webhook, &push("hi"));
        webhook.shutdown(Duration::from_secs(20));
        webhook
    }

    /// What is done, and of each delivery what its span says, with the most milliseconds that are left: a machine may
    /// be late.
    type Case = (fn(), &'static [(&'static str, i64)]);

    const CASES: &[Case] = &[
        (
            || {
                let does = does(|run| if run == 1 { Err("out of stock".into()) } else { Ok(Reply::text("at last")) }).0;
                let builder = ThreadedWebhook::builder(endpoint(), does).on_error(OnError::Status500);
                let webhook = builder.on_failure(|_| {}).wall_clock(|| EPOCH).build();
                for body in [&*push("hi"), &*push("hi"), "hello"] {
                    call(&webhook, body);
                }
            },
            &[
                (r#"wechat_push kind="text" delivery=1 outcome="failed""#, 5_000),
                (r#"wechat_push kind="text" delivery=1 outcome="answered""#, 5_000),
                (r#"wechat_push delivery=1 outcome="answered""#, 5_000),
            ],
        ),
        (
            || {
                call(&slow(5_500, Policy::Acknowledge), &push("hi"));
            },
            &[
                (r#"wechat_push kind="text" delivery=1 outcome="acknowledged""#, 500),
                (r#"wechat_push kind="text" delivery=2 outcome="late""#, 5_000),
            ],
        ),
        (|| drop(slow(5_100, Policy::Hold)), &[(r#"wechat_push kind="text" delivery=1 outcome="hung up""#, -100)]),
        (|| drop(slow(7_000, Policy::Hold)), &[(r#"wechat_push kind="text" delivery=1 outcome="held""#, -1_000)]),
        (
            || beside_a_run(|builder| builder.max_running(1), |webhook| drop(call(webhook, &push("ho")))),
            &[(r#"wechat_push kind="text" delivery=3 outcome="busy""#, 5_000)],
        ),
        (
            || {
                let settings = |builder: Builder| builder.memory(Memory::builder().entries(1).build());
                beside_a_run(settings, |webhook| drop(call(webhook, &push("ho"))));
            },
            &[(r#"wechat_push kind="text" delivery=3 outcome="refused""#, 5_000)],
        ),
        (
            || beside_a_run(|builder| builder.max_joiners(0), |webhook| drop(call(webhook, &push("hi")))),
            &[(r#"wechat_push kind="text" delivery=3 outcome="too many joiners""#, 5_000)],
        ),
        (
            || {
                beside_a_run(
                    |builder| builder,
                    |webhook| {
                        webhook.shutdown(Duration::ZERO);
                        call(webhook, &push("ho"));
                    },
                );
            },
            &[(r#"wechat_push kind="text" delivery=3 outcome="closing""#, 5_000)],
        ),
        (
            || {
                let asked = AtomicUsize::new(0);
                // Once as the request comes, once for the reply, and once on the way out.
                let clock = move || if asked.fetch_add(1, Ordering::SeqCst) == 2 { panic!("no clock") } else { EPOCH };
                let (handler, _) = does(|_| Ok(Reply::text("at last")));
                let webhook = ThreadedWebhook::builder(endpoint(), handler).wall_clock(clock).build();
                catch_unwind(AssertUnwindSafe(|| call(&webhook, &push("hi")))).unwrap_err();
            },
            &[(r#"wechat_push kind="text" delivery=1 outcome="gone""#, 5_000)],
        ),
    ];

    #[test]
    fn a_span_for_each_delivery_says_what_became_of_it_and_no_secret() {
        thread::scope(|scope| {
            for (deliver, expected) in CASES {
                scope.spawn(move || {
                    let spans = Spans::default();
                    spans.of(deliver);
                    let lines = spans.lines();
                    assert_eq!(lines.len(), expected.len(), "{lines:?}");
                    for (line, (expected, most)) in lines.iter().zip(*expected) {
                        let (told, left) = line.split_once(" left_ms=").unwrap();
                        assert_eq!(told, *expected);
                        assert!(left.parse::<i64>().unwrap() <= *most, "{line}");
                    }
                });
            }
        });
    }

    #[test]
    fn a_handler_runs_within_the_span_of_its_delivery_on_a_thread_of_its_own() {
        let (spans, seen) = (Spans::default(), Arc::new(Mutex::new(Vec::new())));
        let (within, into) = (spans.clone(), Arc::clone(&seen));
        let (handler, _) = does(move |_| {
            into.lock().unwrap().push((thread::current().name().map(str::to_owned), within.within()));
            Ok(Reply::Success)
        });
        let webhook = ThreadedWebhook::builder(endpoint(), handler).build();
        spans.of(|| ["hi", "ho"].map(|content| call(&webhook, &push(content))));
        let name = Some("wechat-events".to_owned());
        assert_eq!(*seen.lock().unwrap(), [(name.clone(), vec![1]), (name, vec![2])]);
        assert_eq!(spans.lines().len(), 2);
    }
}
