//! What a `Webhook` adds to a push, and what a thousand deliveries at once cost.
//!
//! `cargo bench --features tokio --bench webhook`. Baseline in the same run: the bare `Endpoint` with the same handler,
//! which verifies, parses, dispatches and writes, and knows no retries. Joins are measured from the first call to the
//! last answer, on one thread and on two.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha1::{Digest, Sha1};
use tokio::runtime::{Builder, Runtime};
use wechat_events::store::Memory;
use wechat_events::{AsyncHandler, Endpoint, Event, Handler, HandlerResult, Reply, Webhook, Webhooks};

mod inputs;

const TOKEN: &str = "a token of usual length";
const DELIVERIES: usize = 1_000;

/// Answers each push with a short text, at once.
struct Greeter;

impl Handler for Greeter {
    fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        Ok(Reply::text("欢迎！"))
    }
}

impl AsyncHandler for Greeter {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        Ok(Reply::text("欢迎！"))
    }
}

/// The same, but in its own task, once all deliveries have come.
struct Waits(Arc<tokio::sync::Semaphore>);

impl AsyncHandler for Waits {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        let _ = self.0.acquire().await?;
        Ok(Reply::text("欢迎！"))
    }
}

fn query() -> String {
    let (timestamp, nonce) = ("1714037059", "486452656");
    let mut parts = [TOKEN, timestamp, nonce];
    parts.sort_unstable();
    let signature = hex::encode(Sha1::digest(parts.concat()));
    format!("signature={signature}&timestamp={timestamp}&nonce={nonce}&openid=oQ7tTwK2mVbX9hJ4sLrYc8NfEzUg")
}

fn endpoint() -> Endpoint {
    Endpoint::plain(TOKEN).unwrap().on_report(|_| {})
}

/// A new push for each call: from the mix, made distinct by a number in a harmless place.
struct Pushes {
    bodies: Vec<Vec<u8>>,
    next: usize,
}

impl Pushes {
    fn new() -> Pushes {
        Pushes { bodies: inputs::mix(256), next: 0 }
    }

    fn next(&mut self) -> &[u8] {
        let (number, count) = (self.next, self.bodies.len());
        self.next += 1;
        let body = &mut self.bodies[number % count];
        // Digits of the sender's OpenID: it begins with `oQ7tT`.
        let at = body.windows(5).position(|window| window == b"oQ7tT").unwrap() + 5;
        body[at..at + 16].copy_from_slice(format!("{number:016x}").as_bytes());
        body
    }
}

fn push(criterion: &mut Criterion) {
    let (query, endpoint) = (query(), endpoint());
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let mut group = criterion.benchmark_group("push/new");
    group.throughput(Throughput::Elements(1));
    group.bench_function("Endpoint::respond", |bencher| {
        let mut pushes = Pushes::new();
        bencher.iter(|| black_box(endpoint.respond("POST", &query, pushes.next(), 1_714_037_060, &Greeter)).status);
    });
    // The same work and clock, with the handler in an async block: the cost for any service that awaits.
    group.bench_function("receive, dispatch_async, respond", |bencher| {
        let mut pushes = Pushes::new();
        runtime.block_on(async {
            bencher.iter(|| {
                let now = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
                let Ok(wechat_events::Received::Push(push)) = endpoint.receive("POST", &query, pushes.next(), now)
                else {
                    panic!()
                };
                let event = push.event().unwrap();
                let reply = ready(event.dispatch_async(&Greeter)).unwrap();
                black_box(push.respond(&event, &reply, now)).status
            });
        });
    });
    for (name, entries) in [("Webhook, store fills", 1 << 20), ("Webhook, store is full", 65_536)] {
        group.bench_function(name, |bencher| {
            let mut pushes = Pushes::new();
            runtime.block_on(async {
                let store = Memory::builder().entries(entries).build();
                let webhook = Webhooks::builder().store(store).build().account(endpoint.clone(), Greeter);
                for _ in 0..if entries == 65_536 { 80_000 } else { 0 } {
                    ready(webhook.call("POST", &query, pushes.next()));
                }
                bencher.iter(|| black_box(ready(webhook.call("POST", &query, pushes.next()))).status);
            });
        });
    }
    group.finish();

    criterion.benchmark_group("push/repeated").bench_function("Webhook", |bencher| {
        let body = &inputs::each()[0].1;
        runtime.block_on(async {
            let webhook = Webhook::new(endpoint.clone(), Greeter);
            ready(webhook.call("POST", &query, body));
            bencher.iter(|| black_box(ready(webhook.call("POST", &query, body))).status);
        });
    });
}

/// The result of a future that never waits, without the cost of a runtime.
fn ready<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

/// A thousand calls, each in a task as in a server, until the last is answered.
async fn joined(query: &Arc<String>, bodies: &[Arc<Vec<u8>>]) -> Duration {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let webhooks = Webhooks::builder().max_joiners(DELIVERIES).build();
    let webhook = webhooks.account(endpoint(), Waits(Arc::clone(&gate)));
    let begun = Instant::now();
    let calls: Vec<_> = bodies
        .iter()
        .map(|body| {
            let (webhook, query, body) = (webhook.clone(), Arc::clone(query), Arc::clone(body));
            tokio::spawn(async move { webhook.call("POST", &query, &body).await.status })
        })
        .collect();
    // So that all of them do wait.
    tokio::task::yield_now().await;
    gate.add_permits(calls.len());
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
    begun.elapsed()
}

fn joins(criterion: &mut Criterion) {
    let query = Arc::new(query());
    let runtimes: [(&str, Runtime); 2] = [
        ("1 thread", Builder::new_current_thread().enable_time().build().unwrap()),
        ("2 threads", Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()),
    ];
    let mut pushes = Pushes::new();
    let distinct: Vec<_> = (0..DELIVERIES).map(|_| Arc::new(pushes.next().to_vec())).collect();
    let one = vec![Arc::clone(&distinct[0]); DELIVERIES];
    let mut group = criterion.benchmark_group(format!("joins/{DELIVERIES} deliveries at once"));
    group.throughput(Throughput::Elements(u64::try_from(DELIVERIES).unwrap()));
    for (threads, runtime) in &runtimes {
        for (name, bodies) in [("of distinct pushes", &distinct), ("of one push", &one)] {
            group.bench_function(BenchmarkId::new(name, threads), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| runtime.block_on(joined(&query, bodies))).sum());
            });
        }
    }
    group.finish();
}

/// The cost of making an account for each request.
fn account(criterion: &mut Criterion) {
    let webhooks = Webhooks::builder().build();
    let mut group = criterion.benchmark_group("account");
    group.bench_function("plain", |bencher| {
        bencher.iter(|| webhooks.account(Endpoint::plain(black_box(TOKEN)).unwrap(), Greeter));
    });
    #[cfg(feature = "aes")]
    group.bench_function("safe", |bencher| {
        let key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
        bencher.iter(|| {
            let endpoint = Endpoint::safe(black_box(TOKEN), "wx5823bf96d3bd56c7", black_box(key)).unwrap();
            webhooks.account(endpoint, Greeter)
        });
    });
    group.finish();
}

criterion_group!(benches, push, account, joins);
criterion_main!(benches);
