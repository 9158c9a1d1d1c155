//! Claims per second on a Redis of this machine, against `SET NX` alone, in turns in one run.
//!
//! `cargo bench --features redis --bench redis`. The server is started here; clients and server share the machine.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, cmd};
use wechat_events::DedupKey;
use wechat_events::store::{Carrier, Claimed, Redis, Store};

#[path = "../tests/it/redis_server.rs"]
#[allow(dead_code, reason = "nothing is killed here")]
mod redis_server;
use redis_server::Server;

const CONNECTIONS: usize = 64;

/// A key like a digest, new with each call.
fn key() -> DedupKey {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    DedupKey::from_bytes(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_d1b5_4a32_d192_ed03).to_be_bytes())
}

async fn set(connection: &mut MultiplexedConnection) {
    let mut set = cmd("SET");
    // Key and value as long as those of a claim.
    set.arg(format!("bench:{}", key())).arg([b'1'; 35].as_slice()).arg("NX").arg("PX").arg(64_000);
    assert!(set.query_async::<bool>(connection).await.unwrap());
}

async fn claim(store: &dyn Store, now: u64, finish: bool) {
    let Claimed::New(claim) = store.claim(key(), now).await else { panic!("not new") };
    if finish {
        store.finish(&claim, b"success", Some(Carrier::Delivery), now).await.unwrap();
    }
}

/// Claims per second, by 64 tasks that each make one after the other.
async fn rate<S: Clone + Send + 'static>(time: Duration, states: &[S], work: impl AsyncWork<S>) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            let (mut state, work) = (states[n % states.len()].clone(), work.clone());
            tokio::spawn(async move {
                let mut count = 0.0;
                while start.elapsed() < time {
                    work.once(&mut state).await;
                    count += 1.0;
                }
                count
            })
        })
        .collect();
    let mut count: f64 = 0.0;
    for task in tasks {
        count += task.await.unwrap();
    }
    count / start.elapsed().as_secs_f64()
}

trait AsyncWork<S>: Clone + Send + Sync + 'static {
    fn once(&self, state: &mut S) -> impl Future<Output = ()> + Send;
}

#[derive(Clone)]
struct SetNx;

impl AsyncWork<MultiplexedConnection> for SetNx {
    async fn once(&self, connection: &mut MultiplexedConnection) {
        set(connection).await;
    }
}

/// A store in its steady state: by its clock a push comes every second, so it forgets as many as come, and 64
/// of them together hold what one holds in production.
#[derive(Clone)]
struct Machine(Arc<Redis>, Arc<AtomicU64>);

#[derive(Clone)]
struct Claims {
    finish: bool,
}

impl AsyncWork<Machine> for Claims {
    async fn once(&self, Machine(store, clock): &mut Machine) {
        claim(&**store, clock.fetch_add(1_000, Ordering::Relaxed), self.finish).await;
    }
}

async fn empty(client: &Client) {
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await.unwrap();
    let _: () = cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[tokio::main]
async fn main() {
    // `cargo test` only checks that it runs.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let (rounds, time) = if measured { (15, Duration::from_secs(1)) } else { (1, Duration::from_millis(20)) };
    let Some(server) = Server::start() else { return };
    let client = Client::open(server.url()).unwrap();
    for connections in [CONNECTIONS, 1] {
        let (mut plain, mut stores) = (vec![], vec![]);
        for _ in 0..connections {
            plain.push(client.get_multiplexed_async_connection().await.unwrap());
            let store = Redis::connect(&server.url(), "bench:").unwrap();
            store.check().await.unwrap();
            stores.push(Machine(Arc::new(store), Arc::default()));
        }
        let (mut sets, mut claims, mut pushes) = (vec![], vec![], vec![]);
        for _ in 0..rounds {
            empty(&client).await;
            sets.push(rate(time, &plain, SetNx).await);
            empty(&client).await;
            claims.push(rate(time, &stores, Claims { finish: false }).await);
            empty(&client).await;
            pushes.push(rate(time, &stores, Claims { finish: true }).await);
        }
        // In alternating rounds, since the load of a shared machine changes from one to the next.
        let ratio = median(claims.iter().zip(&sets).map(|(claims, sets)| claims / sets).collect());
        let (sets, claims, pushes) = (median(sets), median(claims), median(pushes));
        println!("{CONNECTIONS} tasks on {connections} connection(s), median of {rounds} rounds of {time:?}");
        println!("  SET NX           {sets:8.0} a second");
        println!("  claim            {claims:8.0} a second, {ratio:.2} of that");
        println!("  claim and finish {pushes:8.0} a second");
    }
    empty(&client).await;
    let store = Redis::connect(&server.url(), "bench:").unwrap();
    let mut plain = client.get_multiplexed_async_connection().await.unwrap();
    let used = async |plain: &mut MultiplexedConnection| {
        let text: String = cmd("INFO").arg("memory").query_async(plain).await.unwrap();
        text.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse::<u64>().unwrap()
    };
    let before = used(&mut plain).await;
    for _ in 0..10_000 {
        claim(&store, 0, true).await;
    }
    let bytes = (used(&mut plain).await - before) / 10_000;
    println!("a push that was answered `success` takes {bytes} bytes of the server's memory");
}
