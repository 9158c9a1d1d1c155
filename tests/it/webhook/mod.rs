//! `Webhook` against WeChat's schedule, to the millisecond, on a clock that is moved by hand.
//!
//! A case is a line: what the handler does, when deliveries come, and all that happens, in order.

mod calls;
mod left;
mod machines;
mod payments;
mod schedule;
mod shutdown;
#[cfg(feature = "tracing")]
mod spanned;
mod wrong;

use std::error::Error;
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
    Response, Webhook, Webhooks, WebhooksBuilder, parse_event,
};

use crate::wire::query;

const EPOCH: i64 = 1_700_000_000;

/// A clock, and all that happened, with times.
#[derive(Clone)]
struct Log {
    start: Instant,
    lines: Arc<Mutex<Vec<(u64, String)>>>,
    /// Set if the account is in safe mode.
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
    /// A reply that need not be carried.
    Succeeds(u64),
    /// Answers, and blocks the thread until then.
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

    async fn late(&self, event: &Event<'_>, reply: &Reply) -> Told {
        let Reply::Text(text) = reply else { panic!() };
        assert!(text.content.starts_with("of run") && event.from_user == "o_1");
        self.log.add("late");
        Ok(())
    }

    async fn failed(&self, failure: &Failure) -> Told {
        match &failure.cause {
            Cause::Handler(_) | Cause::Panicked { .. } => self.log.add("failed"),
            cause => self.log.add(format!("failed: {}", crate::errors::whole(cause))),
        }
        Ok(())
    }
}

type Told = Result<(), Box<dyn Error + Send + Sync>>;

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

/// A store like one behind a network: it never answers at once.
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
            // The first to ask may be answered last.
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

/// The answer as a word; the reply is compared byte by byte.
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

/// With the clock of the log.
fn builder(log: &Log) -> WebhooksBuilder {
    let clock = log.clone();
    Webhooks::builder().wall_clock(move || clock.wall())
}

fn script(log: &Log, does: &'static [Does]) -> Script {
    Script { does, runs: AtomicUsize::new(0), log: log.clone() }
}

/// With a store that answers at once, or with one that does not.
fn on_store(builder: WebhooksBuilder, remote: bool) -> WebhooksBuilder {
    if remote { builder.store(Remote(Memory::new())) } else { builder }
}

/// Of the account of the log.
fn webhook(builder: WebhooksBuilder, log: &Log, does: &'static [Does]) -> Webhook {
    builder.build().account(endpoint(log), script(log, does))
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

/// WeChat: delivers until it is answered 200, and hangs up by dropping the future.
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // A paused clock jumps here if nothing else is due, so a lost wake-up fails instead of hanging.
    runtime.block_on(async { timeout(Duration::from_secs(1_000_000), test).await.expect("it waits for ever") })
}

type Settings = fn(WebhooksBuilder) -> WebhooksBuilder;

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
                let webhook = webhook(on_store(settings(builder(&log)), remote), &log, does);
                deliver(webhook, log.clone(), push(kind), schedule).await;
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

/// Forwards what a push asks, and forgets the rest.
struct Forwards(Script);

impl AsyncHandler for Forwards {
    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        event.dispatch_async(&self.0).await
    }
}
