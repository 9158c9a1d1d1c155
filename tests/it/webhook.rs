//! `Webhook` against WeChat's schedule, to the millisecond, on a clock that is moved by hand.
//!
//! A case is a line: what the handler does, when deliveries come, and all that happens, in order.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wechat_events::store::{Attempt, Carrier, Claim, Claimed, Lost, Memory, Outcome, Refusal, Store, Waited};
#[cfg(feature = "testing")]
use wechat_events::testing::{Verdict, WeChat};
use wechat_events::{
    AsyncHandler, Blocking, Cause, DedupKey, Endpoint, Event, Failure, Handler, HandlerResult, OnError, Policy, Reply,
    Response, Webhook, WebhookBuilder, parse_event,
};

#[cfg(feature = "tracing")]
use crate::spans::Spans;
use crate::wire::query;

const EPOCH: i64 = 1_700_000_000;

/// A clock, and all that happened by it.
#[derive(Clone)]
struct Log {
    start: Instant,
    lines: Arc<Mutex<Vec<(u64, String)>>>,
    /// There if the account is in safe mode.
    #[cfg(feature = "testing")]
    wechat: Option<Arc<WeChat>>,
}

impl Log {
    fn new() -> Log {
        Log {
            start: Instant::now(),
            lines: Arc::default(),
            #[cfg(feature = "testing")]
            wechat: None,
        }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis().try_into().unwrap()
    }

    fn wall(&self) -> i64 {
        EPOCH + i64::try_from(self.start.elapsed().as_secs()).unwrap()
    }

    fn add(&self, what: impl Into<String>) {
        self.lines.lock().unwrap().push((self.now(), what.into()));
    }

    /// By time, and what happens in the same millisecond by name.
    fn text(&self) -> String {
        let mut lines = self.lines.lock().unwrap().clone();
        lines.sort();
        lines.iter().map(|(at, what)| format!("{at} {what}")).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Clone, Copy)]
enum Does {
    Answers(u64),
    Fails(u64),
    Panics(u64),
    /// Nothing that has to be carried.
    Succeeds(u64),
    /// Answers, but keeps the thread until then.
    Blocks(u64),
}
use Does::{Answers, Blocks, Fails, Panics, Succeeds};

/// Does one thing in each run, and the last of them from then on.
struct Script {
    does: &'static [Does],
    runs: AtomicUsize,
    log: Log,
}

impl AsyncHandler for Script {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        self.log.add("run");
        let does = self.does[run.min(self.does.len() - 1)];
        let (Answers(takes) | Fails(takes) | Panics(takes) | Succeeds(takes) | Blocks(takes)) = does;
        if let Blocks(_) = does {
            // The clock is moved in the first poll.
            let mut advance = pin!(tokio::time::advance(Duration::from_millis(takes)));
            poll_fn(|context| Poll::Ready(advance.as_mut().poll(context).is_ready())).await;
        } else if takes > 0 {
            sleep(Duration::from_millis(takes)).await;
        }
        match does {
            Answers(_) | Blocks(_) => Ok(Reply::text(format!("of run {} at {}", run + 1, self.log.now()))),
            Fails(_) => Err("out of stock".into()),
            Panics(_) => panic!("out of luck"),
            Succeeds(_) => Ok(Reply::Success),
        }
    }
}

fn push(kind: &str) -> String {
    let rest = match kind {
        "text" => "<MsgType>text</MsgType><Content>hi</Content><MsgId>1</MsgId>",
        "VIEW" => "<MsgType>event</MsgType><Event>VIEW</Event><EventKey>https://e.com</EventKey>",
        _ => panic!("{kind}"),
    };
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>{EPOCH}</CreateTime>{rest}</xml>"
    )
}

/// A store that is asked over a network, so to speak: it never answers at once.
struct Remote(Memory);

fn later<'a, T: Send + 'a>(outcome: impl FnOnce() -> T + Send + 'a) -> Outcome<'a, T> {
    Outcome::later(async {
        tokio::task::yield_now().await;
        let value = outcome();
        tokio::task::yield_now().await;
        value
    })
}

impl Store for Remote {
    fn lease(&self) -> Duration {
        Store::lease(&self.0)
    }
    fn claim(&self, key: DedupKey, now: u64) -> Outcome<'_, Claimed> {
        later(move || self.0.claim(key, now))
    }
    fn renew(&self, claim: &Claim, now: u64) -> Outcome<'_, Result<(), Lost>> {
        let claim = *claim;
        later(move || self.0.renew(&claim, now))
    }
    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        let (claim, answer) = (*claim, answer.to_vec());
        later(move || self.0.finish(&claim, &answer, carrier, now))
    }
    fn release(&self, claim: &Claim, attempt: Attempt, now: u64) -> Outcome<'_, Result<(), Lost>> {
        let claim = *claim;
        later(move || self.0.release(&claim, attempt, now))
    }
    fn wait(&self, key: DedupKey, now: u64) -> Outcome<'_, Waited> {
        Outcome::later(self.0.wait(key, now))
    }
    fn carry(&self, key: DedupKey, by: Carrier, now: u64) -> Outcome<'_, bool> {
        Outcome::later(async move {
            // Who asks first may be told last.
            for _ in 0..if by == Carrier::Delivery { 8 } else { 0 } {
                tokio::task::yield_now().await;
            }
            later(move || self.0.carry(key, by, now)).await
        })
    }
}

/// When deliveries come, and when WeChat hangs up on each, in milliseconds.
type Schedule = &'static [(u64, u64)];

const USUAL: Schedule = &[(0, 5_000), (5_070, 10_070), (10_080, 15_080)];

/// What came back, as a word; the reply is compared to the byte.
fn told(log: &Log, body: &str, response: &Response) -> String {
    let text = std::str::from_utf8(&response.body).unwrap();
    match (response.status, text) {
        (200, "success") => "success".to_owned(),
        (200, "") => "nothing".to_owned(),
        (200, _) => {
            let event = parse_event(body.as_bytes()).unwrap();
            let matches = |said: &str, at: i64| Reply::text(said).write(&event, at).body == text;
            if matches("one moment", log.wall()) {
                return "interim".to_owned();
            }
            let ended = |run: usize, at: u64| {
                matches(&format!("of run {run} at {at}"), EPOCH + i64::try_from(at / 1_000).unwrap())
            };
            match (1..=3).find(|run| (0..=log.now()).rev().any(|at| ended(*run, at))) {
                Some(1) => "reply".to_owned(),
                Some(run) => format!("reply of run {run}"),
                None => panic!("{text}"),
            }
        }
        (status, "") => status.to_string(),
        other => panic!("{other:?}"),
    }
}

#[cfg(feature = "testing")]
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

fn endpoint(log: &Log) -> Endpoint {
    let endpoint = Endpoint::plain("token").unwrap();
    #[cfg(feature = "testing")]
    let endpoint = match &log.wechat {
        Some(_) => Endpoint::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap(),
        None => endpoint,
    };
    let log = log.clone();
    endpoint.on_report(move |report| log.add(format!("report: {report}")))
}

/// With hooks and clock that write to the log.
fn builder<H: AsyncHandler + 'static>(log: &Log, handler: H) -> WebhookBuilder<H> {
    let (late, failures, clock) = (log.clone(), log.clone(), log.clone());
    Webhook::builder(endpoint(log), handler)
        .on_late(move |event, reply| {
            let Reply::Text(text) = reply else { panic!() };
            assert!(text.content.starts_with("of run") && event.from_user == "o_1");
            late.add("late");
        })
        .on_failure(move |failure: Failure| match failure.cause {
            Cause::Handler(_) | Cause::Panicked { .. } => failures.add("failed"),
            cause => failures.add(format!("failed: {cause}")),
        })
        .wall_clock(move || clock.wall())
}

async fn call(webhook: &Webhook, body: &str) -> Response {
    // In plaintext mode all deliveries have the same query.
    webhook.call("POST", &query("token", "1700000000", "486452656"), body.as_bytes()).await
}

/// A delivery in the account's mode, and its answer in the clear. In safe mode each has its own nonce and ciphertext.
async fn ask(log: &Log, webhook: &Webhook, body: &str) -> Response {
    #[cfg(feature = "testing")]
    if let Some(wechat) = &log.wechat {
        let request = wechat.raw(body).request(log.wall());
        let mut response = webhook.call(request.method, &request.query, &request.body).await;
        if let Verdict::Accepted(accepted) = wechat.judge(&request, &response) {
            assert!(accepted.sealed);
            response.body = accepted.message;
        }
        return response;
    }
    let _ = log;
    call(webhook, body).await
}

/// WeChat: asks until it is answered 200, and hangs up by dropping the future.
async fn deliver(webhook: Webhook, log: Log, body: String, schedule: Schedule) {
    let settled = Arc::new(AtomicBool::new(false));
    let deliveries = schedule.iter().enumerate().map(|(n, (comes, hangs_up))| {
        let (webhook, log, body, settled) = (webhook.clone(), log.clone(), body.clone(), Arc::clone(&settled));
        tokio::spawn(async move {
            sleep_until(log.start + Duration::from_millis(*comes)).await;
            if settled.load(Ordering::Relaxed) {
                return;
            }
            let answer = timeout(Duration::from_millis(hangs_up - comes), ask(&log, &webhook, &body)).await;
            let said = match &answer {
                Ok(response) => told(&log, &body, response),
                Err(_) => "gone".to_owned(),
            };
            settled.fetch_or(answer.is_ok_and(|response| response.status == 200), Ordering::Relaxed);
            log.add(format!("#{} {said}", n + 1));
        })
    });
    for delivery in deliveries.collect::<Vec<_>>() {
        delivery.await.unwrap();
    }
    // Whatever is still to come.
    sleep(Duration::from_secs(60)).await;
}

fn paused<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

type Settings = fn(WebhookBuilder<Script>) -> WebhookBuilder<Script>;

/// All that happens to one push: with a store that answers at once and with one that does not, in plaintext mode and
/// in safe mode.
fn check(kind: &str, settings: Settings, cases: &[(&'static [Does], Schedule, &str)]) {
    let mut wrong = Vec::new();
    let modes: &[bool] = if cfg!(feature = "testing") { &[false, true] } else { &[false] };
    for (does, schedule, expected) in cases {
        for (remote, safe) in [false, true].into_iter().flat_map(|remote| modes.iter().map(move |safe| (remote, *safe)))
        {
            let found = paused(async {
                let log = Log::new();
                #[cfg(feature = "testing")]
                let log = Log {
                    wechat: safe.then(|| Arc::new(WeChat::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap())),
                    ..log
                };
                let script = Script { does, runs: AtomicUsize::new(0), log: log.clone() };
                let mut builder = settings(builder(&log, script));
                if remote {
                    builder = builder.store(Remote(Memory::new()));
                }
                deliver(builder.build(), log.clone(), push(kind), schedule).await;
                log.text()
            });
            if found != *expected {
                wrong.push(format!("remote {remote}, safe {safe}\nexpected {expected}\n   found {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Without its message on standard error.
fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let expected = ["out of luck", "a hook panics"];
            if !info.payload().downcast_ref::<&str>().is_some_and(|message| expected.contains(message)) {
                before(info);
            }
        }));
    });
}

#[test]
fn held_pushes_are_run_once_and_the_delivery_that_waits_gets_the_reply() {
    check(
        "text",
        |builder| builder,
        &[
            (&[Answers(0)], USUAL, "0 #1 reply, 0 run"),
            (&[Answers(1_000)], USUAL, "0 run, 1000 #1 reply"),
            (&[Answers(4_400)], USUAL, "0 run, 4400 #1 reply"),
            (&[Answers(4_600)], USUAL, "0 run, 4600 #1 reply"),
            (&[Answers(4_999)], USUAL, "0 run, 4999 #1 reply"),
            (&[Answers(5_030)], USUAL, "0 run, 5000 #1 gone, 5070 #2 reply"),
            (&[Answers(6_000)], USUAL, "0 run, 5000 #1 gone, 6000 #2 reply"),
            (&[Answers(9_000)], USUAL, "0 run, 5000 #1 gone, 9000 #2 reply"),
            (&[Answers(12_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 12000 #3 reply"),
            (&[Answers(14_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14000 #3 reply"),
            (&[Answers(14_579)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14579 #3 reply"),
            (&[Answers(14_581)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 success, 14581 late"),
            (&[Answers(20_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 success, 20000 late"),
            (&[Succeeds(0)], USUAL, "0 #1 success, 0 run"),
            (&[Succeeds(6_000)], USUAL, "0 run, 5000 #1 gone, 6000 #2 success"),
            (&[Succeeds(20_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 success"),
        ],
    );
}

#[test]
fn a_failure_is_a_second_chance_for_the_next_delivery() {
    quiet_panics();
    check(
        "text",
        |builder| builder,
        &[
            (
                &[Fails(0)],
                USUAL,
                "0 failed, 0 run, 5000 #1 gone, 5070 failed, 5070 run, 10070 #2 gone, 10080 #3 success, 10080 failed, 10080 run",
            ),
            (
                &[Panics(0)],
                USUAL,
                "0 failed, 0 run, 5000 #1 gone, 5070 failed, 5070 run, 10070 #2 gone, 10080 #3 success, 10080 failed, 10080 run",
            ),
            (
                &[Fails(1_000)],
                USUAL,
                "0 run, 1000 failed, 5000 #1 gone, 5070 run, 6070 failed, 10070 #2 gone, 10080 run, 11080 #3 success, 11080 failed",
            ),
            (
                &[Panics(1_000)],
                USUAL,
                "0 run, 1000 failed, 5000 #1 gone, 5070 run, 6070 failed, 10070 #2 gone, 10080 run, 11080 #3 success, 11080 failed",
            ),
            // The second delivery waits for the first one's run, and begins its own when that has failed.
            (
                &[Fails(6_000), Answers(1_000)],
                USUAL,
                "0 run, 5000 #1 gone, 6000 failed, 6000 run, 7000 #2 reply of run 2",
            ),
            (
                &[Fails(6_000)],
                USUAL,
                "0 run, 5000 #1 gone, 6000 failed, 6000 run, 10070 #2 gone, 12000 failed, 12000 run, 14580 #3 success, 18000 failed",
            ),
            (&[Panics(0), Answers(0)], USUAL, "0 failed, 0 run, 5000 #1 gone, 5070 #2 reply of run 2, 5070 run"),
            (
                &[Fails(0), Fails(0), Answers(6_000)],
                USUAL,
                "0 failed, 0 run, 5000 #1 gone, 5070 failed, 5070 run, 10070 #2 gone, 10080 run, 14580 #3 success, 16080 late",
            ),
        ],
    );
    check(
        "text",
        |builder| builder.on_error(OnError::Status500),
        &[
            (
                &[Fails(0)],
                USUAL,
                "0 #1 500, 0 failed, 0 run, 5070 #2 500, 5070 failed, 5070 run, 10080 #3 500, 10080 failed, 10080 run",
            ),
            (&[Panics(1_000), Answers(0)], USUAL, "0 run, 1000 #1 500, 1000 failed, 5070 #2 reply of run 2, 5070 run"),
        ],
    );
    check(
        "text",
        |builder| builder.on_error(OnError::Acknowledge),
        &[
            (&[Fails(0)], USUAL, "0 #1 success, 0 failed, 0 run"),
            (
                &[Fails(6_000)],
                USUAL,
                "0 run, 5000 #1 gone, 6000 failed, 6000 run, 10070 #2 gone, 12000 failed, 12000 run, 14580 #3 success, 18000 failed",
            ),
        ],
    );
    // A failure is held whatever the push: silence is what makes WeChat ask again.
    check(
        "VIEW",
        |builder| builder,
        &[(&[Fails(0), Succeeds(0)], USUAL, "0 failed, 0 run, 5000 #1 gone, 5070 #2 success, 5070 run")],
    );
}

#[test]
fn acknowledged_pushes_are_answered_in_time_and_the_reply_comes_late() {
    quiet_panics();
    check(
        "text",
        |builder| builder.policy(Policy::Acknowledge),
        &[
            (&[Answers(0)], USUAL, "0 #1 reply, 0 run"),
            (&[Answers(1_000)], USUAL, "0 run, 1000 #1 reply"),
            (&[Answers(4_400)], USUAL, "0 run, 4400 #1 reply"),
            (&[Answers(4_600)], USUAL, "0 run, 4500 #1 success, 4600 late"),
            (&[Answers(6_000)], USUAL, "0 run, 4500 #1 success, 6000 late"),
            (&[Answers(9_000)], USUAL, "0 run, 4500 #1 success, 9000 late"),
            (&[Answers(12_000)], USUAL, "0 run, 4500 #1 success, 12000 late"),
            (&[Answers(14_000)], USUAL, "0 run, 4500 #1 success, 14000 late"),
            (&[Answers(20_000)], USUAL, "0 run, 4500 #1 success, 20000 late"),
            (&[Succeeds(6_000)], USUAL, "0 run, 4500 #1 success"),
            (&[Fails(6_000)], USUAL, "0 run, 4500 #1 success, 6000 failed"),
            (&[Panics(6_000)], USUAL, "0 run, 4500 #1 success, 6000 failed"),
            // What failed is asked for again all the same; 4.5 s after the first delivery are over by then.
            (&[Fails(0), Answers(1_000)], USUAL, "0 failed, 0 run, 5000 #1 gone, 5070 #2 success, 5070 run, 6070 late"),
            (&[Answers(6_000)], &[(3_000, 8_000)], "3000 run, 7500 #1 success, 9000 late"),
        ],
    );
}

#[test]
fn acknowledged_deliveries_may_be_lost_repeated_early_and_missing_too() {
    const FIRST_LOST: Schedule = &[(5_070, 10_070), (10_080, 15_080)];
    const ONLY_THE_LAST: Schedule = &[(10_080, 15_080)];
    const GONE_AT_ONCE: Schedule = &[(0, 100)];
    const REPEATED: Schedule = &[(0, 5_000), (20, 5_000)];
    const EARLY: Schedule = &[(0, 4_400), (4_470, 8_870), (8_940, 13_340)];
    check(
        "text",
        |builder| builder.policy(Policy::Acknowledge),
        &[
            (&[Answers(3_000)], FIRST_LOST, "5070 run, 8070 #1 reply"),
            (&[Answers(6_000)], FIRST_LOST, "5070 run, 9570 #1 success, 11070 late"),
            (&[Answers(6_000)], ONLY_THE_LAST, "10080 run, 14580 #1 success, 16080 late"),
            (&[Answers(1_000)], GONE_AT_ONCE, "0 run, 100 #1 gone, 15600 late"),
            (&[Answers(20_000)], GONE_AT_ONCE, "0 run, 100 #1 gone, 20000 late"),
            (&[Answers(1_000)], REPEATED, "0 run, 1000 #1 reply, 1000 #2 reply"),
            (&[Answers(6_000)], REPEATED, "0 run, 4500 #1 success, 4500 #2 success, 6000 late"),
            // The second comes 0.03 s before the first would have been acknowledged.
            (&[Answers(4_499)], EARLY, "0 run, 4400 #1 gone, 4499 #2 reply"),
            (&[Answers(6_000)], EARLY, "0 run, 4400 #1 gone, 4500 #2 success, 6000 late"),
        ],
    );
}

#[test]
fn a_handler_that_keeps_its_thread_until_wechat_has_hung_up_has_answered_nobody() {
    const ONE: Schedule = &[(0, 60_000)];
    check(
        "text",
        |builder| builder,
        &[
            // Replies are dated when the push came, if the handler never waits.
            (&[Blocks(999)], ONE, "0 run, 999 #1 reply"),
            (&[Blocks(5_000)], ONE, "0 run, 5000 #1 503, 15600 late"),
            (&[Blocks(15_500)], ONE, "0 run, 15500 #1 503, 15600 late"),
        ],
    );
}

#[test]
fn what_is_seen_for_7_5_s_or_made_9_s_ago_is_not_held() {
    const PROXY: u64 = 60_000;
    check(
        "text",
        |builder| builder,
        &[
            (&[Answers(60_000)], &[(0, 5_000), (7_499, PROXY)], "0 run, 5000 #1 gone, 13499 #2 503, 60000 late"),
            (&[Answers(60_000)], &[(0, 5_000), (7_500, PROXY)], "0 run, 5000 #1 gone, 12000 #2 success, 60000 late"),
            // CreateTime is of the moment 0.
            (&[Answers(30_000)], &[(8_999, PROXY)], "8999 run, 14999 #1 503, 38999 late"),
            (&[Answers(30_000)], &[(9_000, PROXY)], "9000 run, 13500 #1 success, 39000 late"),
        ],
    );
}

#[test]
fn webhooks_with_a_store_in_common_count_from_the_same_moment() {
    paused(async {
        let log = Log::new();
        let store = Arc::new(Memory::builder().shards(1).build());
        let webhook = || {
            let script = Script { does: &[Answers(0)], runs: AtomicUsize::new(0), log: log.clone() };
            builder(&log, script).store(Arc::clone(&store)).build()
        };
        let old = webhook();
        sleep(Duration::from_secs(61)).await;
        let new = webhook();
        let first = call(&new, &push("text")).await;
        // One push more makes the store look for what is to be forgotten.
        call(&old, &push("VIEW")).await;
        assert_eq!(call(&new, &push("text")).await, first);
        assert_eq!(call(&old, &push("text")).await, first);
        assert_eq!(log.text().matches("61000 run").count(), 2, "{}", log.text());
    });
}

#[test]
fn a_clock_may_be_behind_that_of_the_first_webhook() {
    // Whichever test made it, in these runtimes it is as good as now.
    for seconds in [100_000, 0] {
        paused(async {
            sleep(Duration::from_secs(seconds)).await;
            let log = Log::new();
            let script = Script { does: &[Answers(6_000)], runs: AtomicUsize::new(0), log: log.clone() };
            deliver(builder(&log, script).build(), log.clone(), push("text"), USUAL).await;
            assert_eq!(log.text(), "0 run, 5000 #1 gone, 6000 #2 reply");
        });
    }
}

#[test]
fn pushes_that_take_no_reply_are_never_held() {
    for settings in [(|builder| builder) as Settings, |builder| builder.policy(Policy::Acknowledge)] {
        check(
            "VIEW",
            settings,
            &[
                (&[Succeeds(0)], USUAL, "0 #1 success, 0 run"),
                (&[Succeeds(4_400)], USUAL, "0 run, 4400 #1 success"),
                (&[Succeeds(6_000)], USUAL, "0 run, 4500 #1 success"),
                (
                    &[Answers(6_000)],
                    USUAL,
                    "0 run, 4500 #1 success, 6000 report: reply to `VIEW` not written as asked: WeChat takes no reply to `VIEW`",
                ),
            ],
        );
    }
}

#[cfg(feature = "testing")]
#[test]
fn each_delivery_of_a_sealed_push_gets_the_reply_sealed_for_itself() {
    paused(async {
        let log = Log::new();
        let wechat = WeChat::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap();
        let script = Script { does: &[Answers(1_000)], runs: AtomicUsize::new(0), log: log.clone() };
        let log = Log { wechat: Some(Arc::new(WeChat::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap())), ..log };
        let webhook = builder(&log, script).build();
        let push = wechat.raw(push("text"));
        let mut answers = Vec::new();
        for _ in 0..3 {
            let request = push.request(log.wall());
            let response = webhook.call(request.method, &request.query, &request.body).await;
            let Verdict::Accepted(accepted) = wechat.judge(&request, &response) else { panic!() };
            answers.push((response.body, accepted.message));
        }
        assert!(answers.iter().all(|(_, message)| *message == answers[0].1));
        let mut sealed: Vec<_> = answers.into_iter().map(|(sealed, _)| sealed).collect();
        sealed.sort();
        sealed.dedup();
        assert_eq!((sealed.len(), log.text().matches("run").count()), (3, 1));
    });
}

#[test]
fn deliveries_may_be_lost_repeated_early_and_missing() {
    const FIRST_LOST: Schedule = &[(5_070, 10_070), (10_080, 15_080)];
    const ONLY_THE_LAST: Schedule = &[(10_080, 15_080)];
    const ONLY_THE_FIRST: Schedule = &[(0, 5_000)];
    const SECOND_LOST: Schedule = &[(0, 5_000), (10_080, 15_080)];
    const REPEATED: Schedule = &[(0, 5_000), (20, 5_000), (5_070, 10_070), (5_090, 10_070)];
    const EARLY: Schedule = &[(0, 4_400), (4_470, 8_870), (8_940, 13_340)];
    check(
        "text",
        |builder| builder,
        &[
            (&[Answers(3_000)], FIRST_LOST, "5070 run, 8070 #1 reply"),
            // Seen first here, and the last by its CreateTime: not held.
            (&[Answers(3_000)], ONLY_THE_LAST, "10080 run, 13080 #1 reply"),
            (&[Answers(6_000)], ONLY_THE_LAST, "10080 run, 14580 #1 success, 16080 late"),
            (&[Answers(6_000)], ONLY_THE_FIRST, "0 run, 5000 #1 gone, 15600 late"),
            (&[Answers(20_000)], ONLY_THE_FIRST, "0 run, 5000 #1 gone, 20000 late"),
            (&[Fails(6_000)], ONLY_THE_FIRST, "0 run, 5000 #1 gone, 6000 failed"),
            (&[Answers(6_000)], SECOND_LOST, "0 run, 5000 #1 gone, 10080 #2 reply"),
            (&[Answers(12_000)], SECOND_LOST, "0 run, 5000 #1 gone, 12000 #2 reply"),
            (&[Answers(1_000)], REPEATED, "0 run, 1000 #1 reply, 1000 #2 reply"),
            (&[Answers(6_000)], REPEATED, "0 run, 5000 #1 gone, 5000 #2 gone, 6000 #3 reply, 6000 #4 reply"),
            // A failure, seen by a repetition that waits, is its second chance.
            (&[Fails(10), Answers(10)], REPEATED, "0 run, 10 failed, 20 run, 30 #2 reply of run 2, 5000 #1 gone"),
            (&[Fails(50), Answers(10)], REPEATED, "0 run, 50 failed, 50 run, 60 #2 reply of run 2, 5000 #1 gone"),
            (&[Answers(4_399)], EARLY, "0 run, 4399 #1 reply"),
            (&[Answers(4_450)], EARLY, "0 run, 4400 #1 gone, 4470 #2 reply"),
            (&[Answers(6_000)], EARLY, "0 run, 4400 #1 gone, 6000 #2 reply"),
            (&[Answers(12_000)], EARLY, "0 run, 4400 #1 gone, 8870 #2 gone, 12000 #3 reply"),
            (&[Answers(14_000)], EARLY, "0 run, 4400 #1 gone, 8870 #2 gone, 13340 #3 gone, 15600 late"),
        ],
    );
}

#[test]
fn a_connection_that_outlives_wechat_gets_503_and_takes_no_reply_along() {
    const HELD_BY_A_PROXY: Schedule = &[(0, 60_000), (5_070, 60_000), (10_080, 60_000)];
    check(
        "text",
        |builder| builder,
        &[
            (&[Answers(5_030)], HELD_BY_A_PROXY, "0 run, 5030 #1 503, 5070 #2 reply"),
            (&[Answers(9_000)], HELD_BY_A_PROXY, "0 run, 6000 #1 503, 9000 #2 reply"),
            (&[Answers(20_000)], HELD_BY_A_PROXY, "0 run, 6000 #1 503, 11070 #2 503, 14580 #3 success, 20000 late"),
            (
                &[Fails(0)],
                HELD_BY_A_PROXY,
                "0 failed, 0 run, 5070 failed, 5070 run, 6000 #1 503, 10080 #3 success, 10080 failed, 10080 run, 11070 #2 503",
            ),
            (&[Answers(5_500)], &[(0, 60_000)], "0 run, 5500 #1 503, 15600 late"),
        ],
    );
}

#[test]
fn an_interim_reply_stands_for_success_where_a_reply_is_taken() {
    let settings: Settings = |builder| builder.interim(Reply::text("one moment"));
    check(
        "text",
        settings,
        &[
            (&[Answers(20_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 interim, 20000 late"),
            (&[Answers(1_000)], USUAL, "0 run, 1000 #1 reply"),
            (
                &[Fails(11_000)],
                USUAL,
                "0 run, 5000 #1 gone, 10070 #2 gone, 11000 failed, 11000 run, 14580 #3 interim, 22000 failed",
            ),
        ],
    );
    check("VIEW", settings, &[(&[Succeeds(6_000)], USUAL, "0 run, 4500 #1 success")]);
    check(
        "text",
        |builder| builder.interim(Reply::text("one moment")).policy(Policy::Acknowledge),
        &[(&[Answers(6_000)], USUAL, "0 run, 4500 #1 interim, 6000 late")],
    );
}

#[test]
fn beyond_the_bound_of_held_deliveries_pushes_are_acknowledged() {
    check(
        "text",
        |builder| builder.max_held(0),
        &[
            (&[Answers(4_400)], USUAL, "0 run, 4400 #1 reply"),
            (&[Answers(6_000)], USUAL, "0 run, 4500 #1 success, 6000 late"),
            (&[Fails(1_000)], USUAL, "0 run, 1000 #1 success, 1000 failed"),
        ],
    );
    const REPEATED: Schedule = &[(0, 5_000), (20, 5_000)];
    check(
        "text",
        |builder| builder.max_held(1),
        &[
            (&[Answers(4_800)], REPEATED, "0 run, 4520 #2 success, 4800 #1 reply"),
            // The place is free again when the second one's 4.5 s are over.
            (
                &[Fails(1_000), Answers(4_000)],
                &[(0, 1_500), (20, 5_000)],
                "0 run, 1000 failed, 1000 run, 1500 #1 gone, 5000 #2 gone, 15600 late",
            ),
        ],
    );
}

#[test]
fn one_joiner_too_many_is_turned_away() {
    const SIX: Schedule = &[(0, 5_000), (1, 5_000), (2, 5_000), (3, 5_000), (4, 5_000)];
    check(
        "text",
        |builder| builder.max_joiners(3),
        &[(&[Answers(100)], SIX, "0 run, 4 #5 503, 100 #1 reply, 100 #2 reply, 100 #3 reply, 100 #4 reply")],
    );
}

#[test]
fn one_handler_too_many_is_turned_away_and_its_push_is_new_to_the_next_delivery() {
    paused(async {
        let log = Log::new();
        let script = Script { does: &[Answers(1_000)], runs: AtomicUsize::new(0), log: log.clone() };
        let webhook = builder(&log, script).max_running(1).build();
        let running = tokio::spawn({
            let webhook = webhook.clone();
            async move { call(&webhook, &push("text")).await.status }
        });
        sleep(Duration::from_millis(1)).await;
        assert_eq!(call(&webhook, &push("VIEW")).await.status, 503);
        assert_eq!(running.await.unwrap(), 200);
        assert_eq!(call(&webhook, &push("VIEW")).await.status, 200);
        assert!(log.text().starts_with("0 run, 1 failed: 1 handlers run already, 1000 run"), "{}", log.text());
    });
}

#[test]
fn a_store_that_refuses_makes_503_and_a_failure() {
    paused(async {
        let log = Log::new();
        let script = Script { does: &[Answers(1_000)], runs: AtomicUsize::new(0), log: log.clone() };
        let webhook = builder(&log, script).store(Memory::builder().entries(1).build()).build();
        let (first, second) = (push("text"), push("VIEW"));
        let (first, second) = tokio::join!(call(&webhook, &first), call(&webhook, &second));
        assert_eq!((first.status, second.status), (200, 503));
        assert_eq!(log.text(), format!("0 failed: {}, 0 run", Refusal::Full));
    });
}

#[cfg(feature = "redis")]
#[test]
fn without_its_redis_a_push_is_handled_or_refused_as_the_store_is_told() {
    use wechat_events::store::{Redis, WhenDown};

    for (when_down, status, runs, failures) in [
        (None, 200, 1, &[] as &[_]),
        (Some(WhenDown::Handle), 200, 1, &[]),
        (Some(WhenDown::Refuse), 503, 0, &["run 0: Refused(Down)"]),
    ] {
        // Not paused: there are sockets.
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let log = Log::new();
            let script = Script { does: &[Answers(0)], runs: AtomicUsize::new(0), log: log.clone() };
            // Nobody listens there, and no other test's server will.
            let redis = Redis::builder("").on_status(|_| {});
            let redis = when_down.into_iter().fold(redis, |redis, when_down| redis.when_down(when_down));
            let causes = Arc::new(Mutex::new(Vec::new()));
            let failed = Arc::clone(&causes);
            let webhook = builder(&log, script)
                .on_failure(move |failure| {
                    failed.lock().unwrap().push(format!("run {}: {:?}", failure.run, failure.cause));
                })
                .store(redis.connect("redis://127.0.0.1:1/").unwrap())
                .build();
            let response = call(&webhook, &push("text")).await;
            assert_eq!(response.status, status, "{when_down:?}");
            assert_eq!(response.body.starts_with(b"<xml>"), status == 200, "{when_down:?}");
            assert_eq!(log.text().matches("run").count(), runs, "{when_down:?}");
            assert_eq!(*causes.lock().unwrap(), failures, "{when_down:?}");
        });
    }
}

#[test]
fn an_authentic_push_that_is_none_is_answered_success_and_reported_once() {
    for body in ["", "hello", "<xml><a></xml>", "<xml><ToUserName>gh_1</ToUserName></xml>"] {
        paused(async {
            let log = Log::new();
            let script = Script { does: &[Answers(0)], runs: AtomicUsize::new(0), log: log.clone() };
            let webhook = builder(&log, script).build();
            for _ in 0..2 {
                let response = call(&webhook, body).await;
                assert_eq!((response.status, &*response.body), (200, &b"success"[..]));
            }
            let error = parse_event(body.as_bytes()).unwrap_err();
            assert_eq!(log.text(), format!("0 failed: authentic, but no push: {error}"));
        });
    }
}

#[test]
fn what_is_no_push_is_answered_as_the_endpoint_answers_it() {
    paused(async {
        let log = Log::new();
        let script = Script { does: &[Answers(0)], runs: AtomicUsize::new(0), log: log.clone() };
        let webhook = builder(&log, script).build();
        let query = query("token", "1700000000", "486452656");
        let check = webhook.call("GET", &format!("{query}&echostr=7159843612345678901"), b"").await;
        assert_eq!((check.status, &*check.body), (200, &b"7159843612345678901"[..]));
        let probe = webhook.call("POST", "", b"<xml><action>CheckContainerPath</action></xml>").await;
        assert_eq!((probe.status, &*probe.body), (200, &b"success"[..]));
        assert_eq!(webhook.call("POST", &query.replace("nonce=4", "nonce=5"), b"<xml/>").await.status, 403);
        assert_eq!(webhook.call("PUT", &query, b"<xml/>").await.status, 405);
        let report = "0 report: request refused with status";
        assert!(log.text().starts_with(report) && !log.text().contains("run"), "{}", log.text());
    });
}

#[test]
fn without_hooks_late_replies_and_failures_are_reported() {
    quiet_panics();
    for (does, reported) in [
        (&[Answers(6_000)] as &[_], "6000 report: reply to `text` lost: it came too late"),
        (&[Fails(6_000)], "6000 report: handler failed on `text`: out of stock"),
        (&[Panics(6_000)], "6000 report: handler failed on `text`: the handler panicked: out of luck"),
    ] {
        paused(async {
            let log = Log::new();
            let script = Script { does, runs: AtomicUsize::new(0), log: log.clone() };
            let webhook = Webhook::builder(endpoint(&log), script).policy(Policy::Acknowledge).build();
            assert_eq!(call(&webhook, &push("text")).await.body, b"success");
            sleep(Duration::from_secs(60)).await;
            assert_eq!(log.text(), format!("0 run, {reported}"));
        });
    }
}

#[test]
fn a_hook_that_panics_harms_nobody() {
    quiet_panics();
    for does in [&[Answers(6_000)] as &[_], &[Fails(6_000)], &[Fails(0)]] {
        paused(async {
            let log = Log::new();
            let script = Script { does, runs: AtomicUsize::new(0), log: log.clone() };
            let webhook = Webhook::builder(Endpoint::plain("token").unwrap(), script)
                .policy(Policy::Acknowledge)
                .on_error(OnError::Acknowledge)
                .on_late(|_, _| panic!("a hook panics"))
                .on_failure(|_| panic!("a hook panics"))
                .build();
            assert_eq!(call(&webhook, &push("text")).await.body, b"success");
            sleep(Duration::from_secs(60)).await;
            webhook.shutdown(Duration::ZERO).await;
        });
    }
}

#[test]
fn a_shutdown_waits_for_handlers_then_cancels_them_and_hands_over_what_is_owed() {
    let cases: [(&'static [Does], u64, &str); 5] = [
        (&[Answers(2_000)], 5_000, "0 run, 2000 #1 reply, 2000 down"),
        (&[Answers(4_000)], 2_000, "0 run, 3000 #1 503, 3000 down, 3000 failed: the handler was cancelled"),
        (&[Succeeds(0)], 2_000, "0 #1 success, 0 run, 1000 down"),
        // The reply waits for the second delivery, which this machine will not see.
        (&[Answers(5_200)], 5_000, "0 run, 5000 #1 gone, 5700 down, 5700 late"),
        (&[Answers(9_000)], 5_000, "0 run, 5000 #1 gone, 6000 down, 6000 failed: the handler was cancelled"),
    ];
    for ((does, grace, expected), remote) in cases.into_iter().flat_map(|case| [(case, false), (case, true)]) {
        let found = paused(async {
            let log = Log::new();
            let script = Script { does, runs: AtomicUsize::new(0), log: log.clone() };
            let builder = builder(&log, script);
            let builder = if remote { builder.store(Remote(Memory::new())) } else { builder };
            let webhook = builder.build();
            let wechat = tokio::spawn(deliver(webhook.clone(), log.clone(), push("text"), &[(0, 5_000)]));
            sleep(Duration::from_millis(1_000)).await;
            webhook.shutdown(Duration::from_millis(grace)).await;
            log.add("down");
            assert_eq!(call(&webhook, &push("VIEW")).await.status, 503);
            wechat.await.unwrap();
            log.text()
        });
        assert_eq!(found, expected, "remote {remote}");
    }
}

/// Keeps its thread in its first poll until it is let go, and waits afterwards if it is to.
struct Keeps {
    begins: mpsc::Sender<()>,
    let_go: Mutex<mpsc::Receiver<()>>,
    then_waits: bool,
}

impl AsyncHandler for Keeps {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        self.begins.send(())?;
        self.let_go.lock().unwrap().recv()?;
        if self.then_waits {
            sleep(Duration::from_millis(100)).await;
        }
        Ok(Reply::text("at last"))
    }
}

/// A delivery whose handler keeps its thread, on a runtime with others, until something is sent.
async fn kept(store: &Arc<Memory>, then_waits: bool) -> (Webhook, JoinHandle<Response>, mpsc::Sender<()>) {
    let (begins, begun) = mpsc::channel();
    let (lets_go, let_go) = mpsc::channel();
    let handler = Keeps { begins, let_go: Mutex::new(let_go), then_waits };
    let builder = Webhook::builder(Endpoint::plain("token").unwrap(), handler).on_failure(|_| {});
    let webhook = builder.wall_clock(|| EPOCH).store(Arc::clone(store)).build();
    let delivery = tokio::spawn({
        let webhook = webhook.clone();
        async move { call(&webhook, &push("text")).await }
    });
    begun.recv().unwrap();
    (webhook, delivery, lets_go)
}

fn on_two_threads<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(test)
}

#[test]
fn a_shutdown_waits_for_a_handler_that_keeps_its_thread_in_its_first_poll() {
    for then_waits in [false, true] {
        on_two_threads(async {
            let store = Arc::new(Memory::new());
            let (webhook, delivery, lets_go) = kept(&store, then_waits).await;
            let shutdown = tokio::spawn({
                let webhook = webhook.clone();
                async move { webhook.shutdown(Duration::from_secs(30)).await }
            });
            sleep(Duration::from_millis(300)).await;
            assert!(!shutdown.is_finished(), "the handler has not ended");
            lets_go.send(()).unwrap();
            shutdown.await.unwrap();
            let claimed = Memory::claim(&store, DedupKey::of_body(push("text").as_bytes()), 0);
            assert!(matches!(claimed, Claimed::Done { .. }), "{claimed:?}");
            assert_eq!(delivery.await.unwrap().content_type, "text/xml");
        });
    }
}

#[test]
fn a_handler_that_keeps_its_thread_for_longer_than_the_grace_is_answered_unless_it_waits_afterwards() {
    for (then_waits, status) in [(false, 200), (true, 503)] {
        on_two_threads(async {
            let (webhook, delivery, lets_go) = kept(&Arc::new(Memory::new()), then_waits).await;
            webhook.shutdown(Duration::from_millis(50)).await;
            lets_go.send(()).unwrap();
            assert_eq!(delivery.await.unwrap().status, status);
        });
    }
}

#[test]
fn the_second_after_the_grace_is_for_a_handler_that_keeps_its_thread_too() {
    on_two_threads(async {
        let store = Arc::new(Memory::new());
        let (webhook, delivery, lets_go) = kept(&store, false).await;
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(250));
            lets_go.send(()).unwrap();
        });
        webhook.shutdown(Duration::from_millis(50)).await;
        let claimed = Memory::claim(&store, DedupKey::of_body(push("text").as_bytes()), 0);
        assert!(matches!(claimed, Claimed::Done { .. }), "{claimed:?}");
        assert_eq!(delivery.await.unwrap().content_type, "text/xml");
    });
}

#[test]
fn retries_of_what_is_done_are_answered_during_a_shutdown() {
    paused(async {
        let log = Log::new();
        let script = Script { does: &[Answers(0)], runs: AtomicUsize::new(0), log: log.clone() };
        let webhook = builder(&log, script).build();
        let first = call(&webhook, &push("text")).await;
        webhook.shutdown(Duration::ZERO).await;
        assert_eq!(call(&webhook, &push("text")).await, first);
    });
}

#[test]
fn a_runtime_that_ends_hands_over_what_is_owed() {
    for (remote, expected) in [(false, "late"), (true, "failed: the handler was cancelled")] {
        let log = paused(async { Log::new() });
        paused(async {
            let script = Script { does: &[Answers(5_200)], runs: AtomicUsize::new(0), log: log.clone() };
            let builder = builder(&log, script);
            let builder = if remote { builder.store(Remote(Memory::new())) } else { builder };
            let webhook = builder.build();
            assert!(timeout(Duration::from_secs(5), call(&webhook, &push("text"))).await.is_err());
            sleep(Duration::from_secs(1)).await;
        });
        let text = log.text();
        assert!(text.ends_with(expected) && text.matches(',').count() == 1, "{text}");
    }
}

#[test]
fn a_runtime_that_ends_gives_its_pushes_back() {
    let log = paused(async { Log::new() });
    let store = Arc::new(Memory::new());
    let body = push("text");
    paused(async {
        let script = Script { does: &[Answers(60_000)], runs: AtomicUsize::new(0), log: log.clone() };
        let webhook = builder(&log, script).store(Arc::clone(&store)).build();
        assert!(timeout(Duration::from_secs(5), call(&webhook, &body)).await.is_err());
    });
    assert!(log.text().ends_with("failed: the handler was cancelled"), "{}", log.text());
    let claimed = Memory::claim(&store, DedupKey::of_body(body.as_bytes()), 5_070);
    assert!(matches!(claimed, Claimed::New(claim) if claim.run == 2), "{claimed:?}");
}

/// One machine's way to a store, until it is killed.
#[derive(Clone)]
struct Node {
    store: Arc<Memory>,
    killed: Arc<AtomicBool>,
}

impl Node {
    fn alive<'a, T: Send + 'a>(&self, then: impl FnOnce() -> T, otherwise: T) -> Outcome<'a, T> {
        Outcome::Now(if self.killed.load(Ordering::Relaxed) { otherwise } else { then() })
    }
}

impl Store for Node {
    fn lease(&self) -> Duration {
        Duration::from_secs(4)
    }
    fn claim(&self, key: DedupKey, now: u64) -> Outcome<'_, Claimed> {
        self.alive(|| Memory::claim(&self.store, key, now), Claimed::Refused(Refusal::Down))
    }
    fn renew(&self, claim: &Claim, now: u64) -> Outcome<'_, Result<(), Lost>> {
        self.alive(|| Memory::renew(&self.store, claim, now), Err(Lost))
    }
    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        self.alive(|| Memory::finish(&self.store, claim, answer, carrier, now), Err(Lost))
    }
    fn release(&self, claim: &Claim, attempt: Attempt, now: u64) -> Outcome<'_, Result<(), Lost>> {
        self.alive(|| Memory::release(&self.store, claim, attempt, now), Err(Lost))
    }
    fn wait(&self, key: DedupKey, now: u64) -> Outcome<'_, Waited> {
        Outcome::later(Memory::wait(&self.store, key, now))
    }
    fn carry(&self, key: DedupKey, by: Carrier, now: u64) -> Outcome<'_, bool> {
        self.alive(|| Memory::carry(&self.store, key, by, now), false)
    }
}

/// Two machines with a store in common. The first is to be killed while it runs the push, which takes it 40 s.
struct Two {
    log: Log,
    body: String,
    first: Node,
    second: Node,
    one: Webhook,
    two: Webhook,
}

impl Two {
    /// The settings are the second machine's, and so is what its handler does.
    fn new(does: &'static [Does], settings: impl FnOnce(WebhookBuilder<Script>) -> WebhookBuilder<Script>) -> Two {
        let log = Log::new();
        let store = Arc::new(Memory::builder().lease(Duration::from_secs(4)).build());
        let node = || Node { store: Arc::clone(&store), killed: Arc::default() };
        let (first, second) = (node(), node());
        let script = |does| Script { does, runs: AtomicUsize::new(0), log: log.clone() };
        let one = builder(&log, script(&[Answers(40_000)])).on_failure(|_| {}).store(first.clone()).build();
        let two = settings(builder(&log, script(does))).store(second.clone()).build();
        Two { log, body: push("text"), first, second, one, two }
    }

    async fn until(&self, at: u64) {
        sleep_until(self.log.start + Duration::from_millis(at)).await;
    }

    async fn kill_at(&self, at: u64) {
        self.until(at).await;
        self.first.killed.store(true, Ordering::Relaxed);
        self.log.add("killed");
    }

    /// The push comes to the first machine, which has not answered when WeChat hangs up.
    async fn begin(&self, hangs_up: u64) {
        assert!(timeout(Duration::from_millis(hangs_up), call(&self.one, &self.body)).await.is_err());
    }

    /// The first machine is killed, and the second acknowledges the second delivery.
    async fn acknowledge(&self) {
        self.begin(3_500).await;
        self.kill_at(3_500).await;
        self.until(5_070).await;
        let response = call(&self.two, &self.body).await;
        self.log.add(format!("#2 {}", told(&self.log, &self.body, &response)));
    }
}

#[test]
fn a_push_whose_machine_is_killed_is_taken_over_by_another() {
    use Policy::{Acknowledge, Hold};
    // How, when the first machine is killed, what the second one's handler does, and all that happens then.
    let cases: [(Policy, u64, &'static [Does], &str); 11] = [
        // The lease, renewed at 0 s, was over at 4 s.
        (Hold, 500, &[Answers(1_000)], "0 run, 500 killed, 5070 run, 6070 #2 reply"),
        // Renewed at 3 s: the second delivery, which waits, takes it over at 7 s.
        (Hold, 3_500, &[Answers(1_000)], "0 run, 3500 killed, 7000 run, 8000 #2 reply"),
        (Hold, 3_500, &[Answers(6_000)], "0 run, 3500 killed, 7000 run, 10070 #2 gone, 13000 #3 reply"),
        (Hold, 8_500, &[Answers(1_000)], "0 run, 5000 #1 gone, 8500 killed, 10070 #2 gone, 12000 run, 13000 #3 reply"),
        (
            Hold,
            8_500,
            &[Answers(9_000)],
            "0 run, 5000 #1 gone, 8500 killed, 10070 #2 gone, 12000 run, 14580 #3 success, 21000 late",
        ),
        // Renewed at 11 s: when it is over, at 15 s, the last delivery has been acknowledged.
        (
            Hold,
            11_500,
            &[Answers(1_000)],
            "0 run, 5000 #1 gone, 10070 #2 gone, 11500 killed, 14580 #3 success, 15000 run, 16000 late",
        ),
        (
            Hold,
            11_500,
            &[Fails(1_000)],
            "0 run, 5000 #1 gone, 10070 #2 gone, 11500 killed, 14580 #3 success, 15000 run, 16000 failed",
        ),
        (Acknowledge, 500, &[Answers(1_000)], "0 run, 500 killed, 5070 #2 success, 5070 run, 6070 late"),
        (Acknowledge, 500, &[Answers(0)], "0 run, 500 killed, 5070 #2 reply, 5070 run"),
        (Acknowledge, 3_500, &[Answers(1_000)], "0 run, 3500 killed, 5070 #2 success, 7000 run, 8000 late"),
        (Acknowledge, 3_500, &[Answers(0)], "0 run, 3500 killed, 5070 #2 success, 7000 late, 7000 run"),
    ];
    for (policy, killed_at, does, expected) in cases {
        let found = paused(async {
            let nodes = Two::new(does, |builder| builder.policy(policy));
            nodes.begin(killed_at.min(5_000)).await;
            if killed_at >= 5_000 {
                nodes.log.add("#1 gone");
            }
            let settled = AtomicBool::new(false);
            let retry = |number: usize, comes: u64| {
                let (nodes, settled) = (&nodes, &settled);
                let Two { two, log, body, .. } = nodes;
                async move {
                    nodes.until(comes).await;
                    if settled.load(Ordering::Relaxed) {
                        return;
                    }
                    match timeout(Duration::from_millis(5_000), call(two, body)).await {
                        Ok(response) => {
                            settled.store(true, Ordering::Relaxed);
                            log.add(format!("#{number} {}", told(log, body, &response)));
                        }
                        Err(_) => log.add(format!("#{number} gone")),
                    }
                }
            };
            tokio::join!(nodes.kill_at(killed_at), retry(2, 5_070), retry(3, 10_080));
            sleep(Duration::from_secs(15)).await;
            nodes.log.text()
        });
        assert_eq!(found, expected, "{policy:?}");
    }
}

#[test]
fn the_last_delivery_leaves_an_heir_also_when_it_is_dropped_and_no_other_does() {
    // When the only delivery to the second machine comes, when WeChat hangs up on it, and what happens.
    let cases = [
        ((10_080, 13_340), "0 run, 11500 killed, 13340 gone, 15000 run, 16000 late"),
        ((5_070, 8_000), "0 run, 8000 gone, 11500 killed"),
    ];
    for ((comes, hangs_up), expected) in cases {
        let found = paused(async {
            let nodes = Two::new(&[Answers(1_000)], |builder| builder);
            nodes.begin(5_000).await;
            let other = async {
                nodes.until(comes).await;
                let delivered = timeout(Duration::from_millis(hangs_up - comes), call(&nodes.two, &nodes.body)).await;
                assert!(delivered.is_err());
                nodes.log.add("gone");
            };
            tokio::join!(nodes.kill_at(11_500), other);
            sleep(Duration::from_secs(30)).await;
            nodes.log.text()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn an_heir_without_a_place_reports_the_push_and_one_that_is_stopped_leaves_it() {
    for (settings, ends, expected) in [
        (
            (|builder| builder.max_running(0)) as Settings,
            30_000,
            "0 run, 3500 killed, 5070 #2 success, 7000 failed: 0 handlers run already",
        ),
        (|builder| builder, 6_000, "0 run, 3500 killed, 5070 #2 success, 6000 down"),
    ] {
        let found = paused(async {
            let nodes = Two::new(&[Answers(0)], |builder| settings(builder.policy(Policy::Acknowledge)));
            nodes.acknowledge().await;
            nodes.until(ends).await;
            nodes.two.shutdown(Duration::ZERO).await;
            if ends < 30_000 {
                nodes.log.add("down");
                sleep(Duration::from_secs(30)).await;
            }
            nodes.log.text()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn an_heir_asks_again_while_the_store_refuses_and_reports_the_push_in_the_end() {
    for (back_at, expected) in [
        (7_500, "0 run, 3500 killed, 5070 #2 success, 8000 late, 8000 run"),
        (60_000, "0 run, 3500 killed, 5070 #2 success, 21200 failed: the store cannot be reached"),
    ] {
        let found = paused(async {
            let nodes = Two::new(&[Answers(0)], |builder| builder.policy(Policy::Acknowledge));
            nodes.acknowledge().await;
            nodes.second.killed.store(true, Ordering::Relaxed);
            nodes.until(back_at).await;
            nodes.second.killed.store(false, Ordering::Relaxed);
            sleep(Duration::from_secs(30)).await;
            nodes.log.text()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn accounts_share_the_store_the_bounds_and_the_shutdown_but_not_the_handler() {
    paused(async {
        let log = Log::new();
        let script = |does| Script { does, runs: AtomicUsize::new(0), log: log.clone() };
        let shop = builder(&log, script(&[Answers(1_000)])).max_running(1).build();
        let other = Endpoint::plain("other").unwrap();
        let support = shop.with(other, script(&[Succeeds(0)]));
        let query = query("other", "1700000000", "486452656");
        let busy = tokio::spawn({
            let shop = shop.clone();
            async move { call(&shop, &push("text")).await }
        });
        sleep(Duration::from_millis(1)).await;
        assert_eq!(support.call("POST", &query, push("VIEW").as_bytes()).await.status, 503);
        assert_eq!(busy.await.unwrap().status, 200);
        assert_eq!(support.call("POST", &query, push("VIEW").as_bytes()).await.body, b"success");
        assert_eq!(call(&support, &push("VIEW")).await.status, 403);
        support.shutdown(Duration::ZERO).await;
        let another = push("text").replace("hi", "ho");
        assert_eq!(call(&shop, &another).await.status, 503);
    });
}

struct Sync;

impl Handler for Sync {
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        match event.field("Content").as_deref() {
            Some("hi") => Ok(Reply::text(std::thread::current().name().unwrap_or_default())),
            Some("fail") => Err("out of\nstock".into()),
            _ => panic!("out of luck"),
        }
    }
}

#[test]
fn a_blocking_handler_runs_on_another_thread_and_its_errors_and_panics_are_its_own() {
    quiet_panics();
    // Not paused: blocking threads have a clock of their own.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().thread_name("for blocking work").build().unwrap().block_on(async {
        let log = Log::new();
        let (causes, taken) = (Arc::new(Mutex::new(Vec::new())), Log::new());
        let into = Arc::clone(&causes);
        let webhook = Webhook::builder(endpoint(&log), Blocking(Sync))
            .on_error(OnError::Status500)
            .on_failure(move |failure| into.lock().unwrap().push(failure.to_string()))
            .wall_clock(|| EPOCH)
            .build();
        let response = call(&webhook, &push("text")).await;
        let event = push("text");
        let expected = Reply::text("for blocking work").write(&parse_event(event.as_bytes()).unwrap(), EPOCH).body;
        assert_eq!(String::from_utf8(response.body).unwrap(), expected);
        for word in ["fail", "panic"] {
            assert_eq!(call(&webhook, &push("text").replace("hi", word)).await.status, 500);
        }
        assert_eq!(call(&webhook, "hello").await.status, 200);
        let length = push("text").len() - "hi".len();
        assert_eq!(
            *causes.lock().unwrap(),
            [
                format!(r"push of {} bytes failed in run 1: out of\nstock", length + 4),
                format!("push of {} bytes failed in run 1: the handler panicked: out of luck", length + 5),
                format!("push of 5 bytes not run: authentic, but no push: {}", parse_event(b"hello").unwrap_err()),
            ]
        );
        assert_eq!(taken.text() + &log.text(), "");
    });
}

#[test]
fn no_task_outlives_a_run_whose_reply_its_delivery_has_carried() {
    for remote in [false, true] {
        paused(async {
            let log = Log::new();
            let script = Script { does: &[Answers(1_000)], runs: AtomicUsize::new(0), log: log.clone() };
            let builder = builder(&log, script);
            let builder = if remote { builder.store(Remote(Memory::new())) } else { builder };
            let webhook = builder.build();
            assert!(call(&webhook, &push("text")).await.body.starts_with(b"<xml>"));
            drop(webhook);
            sleep(Duration::from_millis(1)).await;
            // The handler has one, and so have its hooks.
            assert_eq!((log.now(), Arc::strong_count(&log.lines)), (1_001, 1));
        });
    }
}

#[test]
fn no_task_outlives_a_run_whose_reply_another_delivery_of_its_process_has_carried() {
    for remote in [false, true] {
        paused(async {
            let log = Log::new();
            let script = Script { does: &[Answers(6_000)], runs: AtomicUsize::new(0), log: log.clone() };
            let builder = builder(&log, script);
            let builder = if remote { builder.store(Remote(Memory::new())) } else { builder };
            let webhook = builder.build();
            assert!(timeout(Duration::from_secs(5), call(&webhook, &push("text"))).await.is_err());
            assert!(call(&webhook, &push("text")).await.body.starts_with(b"<xml>"));
            drop(webhook);
            sleep(Duration::from_millis(1)).await;
            assert_eq!((log.now(), Arc::strong_count(&log.lines)), (6_001, 1));
        });
    }
}

#[test]
fn many_deliveries_of_one_push_on_many_threads_are_one_run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        for takes in [0, 20] {
            let log = Log::new();
            let does: &'static [Does] = if takes == 0 { &[Answers(0)] } else { &[Answers(20)] };
            let script = Script { does, runs: AtomicUsize::new(0), log: log.clone() };
            let webhook = builder(&log, script).max_joiners(1_000).build();
            let calls = (0..200).map(|_| {
                let webhook = webhook.clone();
                tokio::spawn(async move { call(&webhook, &push("text")).await.body })
            });
            let mut bodies = Vec::new();
            for call in calls.collect::<Vec<_>>() {
                bodies.push(call.await.unwrap());
            }
            bodies.dedup();
            assert_eq!((bodies.len(), log.text().matches("run").count()), (1, 1));
            assert!(bodies[0].starts_with(b"<xml>"));
        }
    });
}

#[cfg(feature = "tracing")]
#[test]
fn a_span_for_each_delivery_says_what_became_of_it_and_no_secret() {
    let spans = Spans::default();
    spans.of(|| {
        paused(async {
            let log = Log::new();
            let script = Script { does: &[Fails(0), Answers(6_000)], runs: AtomicUsize::new(0), log: log.clone() };
            let webhook = builder(&log, script).on_error(OnError::Status500).build();
            deliver(webhook, log, push("text"), USUAL).await;
        });
    });
    assert_eq!(
        spans.lines(),
        [
            r#"wechat_push kind="text" delivery=1 outcome="failed" left_ms=5000"#,
            r#"wechat_push kind="text" delivery=2 outcome="gone" left_ms=0"#,
            r#"wechat_push kind="text" delivery=3 outcome="answered" left_ms=4010"#,
        ]
    );
}

#[cfg(feature = "tracing")]
#[test]
fn what_is_seen_for_2_5_s_is_at_its_second_delivery() {
    const EARLY: Schedule = &[(0, 100), (2_499, 7_000)];
    const LATE: Schedule = &[(0, 100), (2_500, 7_000)];
    for (schedule, second) in [
        (EARLY, r#"delivery=1 outcome="answered" left_ms=4499"#),
        (LATE, r#"delivery=2 outcome="answered" left_ms=4500"#),
    ] {
        let spans = Spans::default();
        spans.of(|| {
            paused(async {
                let log = Log::new();
                let script = Script { does: &[Answers(3_000)], runs: AtomicUsize::new(0), log: log.clone() };
                deliver(builder(&log, script).build(), log, push("text"), schedule).await;
            });
        });
        assert_eq!(
            spans.lines(),
            [
                r#"wechat_push kind="text" delivery=1 outcome="gone" left_ms=4900"#,
                &format!(r#"wechat_push kind="text" {second}"#),
            ]
        );
    }
}

/// Notes the spans that it is within, before it waits and afterwards.
#[cfg(feature = "tracing")]
struct Looks(Spans, Arc<Mutex<Vec<Vec<u64>>>>);

#[cfg(feature = "tracing")]
impl AsyncHandler for Looks {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        let Looks(spans, seen) = self;
        seen.lock().unwrap().push(spans.within());
        sleep(Duration::from_millis(5_500)).await;
        seen.lock().unwrap().push(spans.within());
        Ok(Reply::text("of run 1"))
    }
}

#[cfg(feature = "tracing")]
#[test]
fn a_handler_runs_within_the_span_of_its_delivery_and_goes_on_there_when_another_has_joined() {
    let (spans, seen) = (Spans::default(), Arc::default());
    spans.of(|| {
        paused(async {
            let log = Log::new();
            let webhook = builder(&log, Looks(spans.clone(), Arc::clone(&seen))).build();
            let body = push("text");
            let second = async {
                sleep(Duration::from_millis(5_070)).await;
                call(&webhook, &body).await
            };
            tokio::join!(call(&webhook, &body), second);
        });
    });
    assert_eq!(*seen.lock().unwrap(), [[1], [1]]);
    assert_eq!(
        spans.lines(),
        [
            r#"wechat_push kind="text" delivery=1 outcome="hung up" left_ms=-500"#,
            r#"wechat_push kind="text" delivery=2 outcome="answered" left_ms=4570"#,
        ]
    );
}

#[test]
fn a_store_keeps_the_bytes_of_the_answer_and_a_retry_gets_every_one_of_them() {
    const XML: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1&lt;]]&gt;</FromUserName>\
                       <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>NAME</Content></xml>";
    #[cfg(feature = "json")]
    const JSON: &str =
        r#"{"ToUserName":"gh_1","FromUserName":"o\"1","CreateTime":1,"MsgType":"text","Content":"NAME"}"#;

    /// Answers with the reply that the text names.
    struct Names;
    impl Handler for Names {
        fn text(&self, _: &Event<'_>, text: &wechat_events::event::Text<'_>) -> HandlerResult {
            Ok(match &*text.content {
                "text" => Reply::text("<b> ]]> 你好"),
                "image" => Reply::image("7")?,
                "transfer" => Reply::transfer_customer_service(),
                "success" => Reply::Success,
                _ => Reply::Empty,
            })
        }
    }

    paused(async {
        for name in ["text", "image", "transfer", "success", "empty"] {
            #[cfg(feature = "json")]
            let pushes = [XML, JSON];
            #[cfg(not(feature = "json"))]
            let pushes = [XML];
            for push in pushes {
                let (memory, wall) = (Arc::new(Memory::new()), AtomicI64::new(EPOCH));
                let webhook = Webhook::builder(Endpoint::plain("token").unwrap(), Blocking(Names));
                let webhook = webhook.store(Arc::clone(&memory));
                let webhook = webhook.wall_clock(move || wall.fetch_add(1, Ordering::Relaxed)).build();
                let body = push.replace("NAME", name);
                let first = call(&webhook, &body).await;
                assert_eq!(call(&webhook, &body).await, first);
                assert_eq!(memory.bytes(), first.body.len());
            }
        }
    });
}
