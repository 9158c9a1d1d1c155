//! `store::Redis` against real servers. Two stores are two machines: they share nothing else.

mod claims;
mod connections;
mod faults;
mod model;
mod policies;
mod record;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use redis::{Client, FromRedisValue, cmd};
use tokio::time::{Instant, sleep};
use wechat_events::DedupKey;
use wechat_events::store::{Claim, Claimed, Redis, Store};

use crate::redis_server::Server;

const PREFIX: &str = "t:";

fn key(n: u8) -> DedupKey {
    DedupKey::from_bytes([n; 16])
}

fn answer(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

async fn node(url: &str) -> Arc<Redis> {
    let redis = Redis::connect(url, PREFIX).unwrap();
    redis.check().await.unwrap();
    Arc::new(redis)
}

/// A command besides the stores'.
async fn ask<T: FromRedisValue>(server: &Server, words: &[&[u8]]) -> T {
    let mut connection = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut command = cmd(std::str::from_utf8(words[0]).unwrap());
    for word in &words[1..] {
        command.arg(word);
    }
    command.query_async(&mut connection).await.unwrap()
}

async fn record(server: &Server, key: DedupKey) -> String {
    String::from_utf8(ask(server, &[b"GET", &name(key)]).await).unwrap()
}

fn name(key: DedupKey) -> Vec<u8> {
    format!("{PREFIX}{key}").into_bytes()
}

fn new(claimed: Claimed) -> Claim {
    let Claimed::New(claim) = claimed else { panic!("expected a new push, found {claimed:?}") };
    claim
}

/// Claims until the push is new, for as long as it may take at most until a lease is over and was watched.
async fn take_over(node: &Redis, key: DedupKey) -> Claim {
    let start = Instant::now();
    loop {
        match node.claim(key, 0).await {
            Claimed::New(claim) => return claim,
            Claimed::Running { .. } => sleep(ms(100)).await,
            other => panic!("{other:?}"),
        }
        assert!(start.elapsed() < Duration::from_secs(8), "it is not taken over");
    }
}

/// Until the store has found a Redis that is back.
async fn up(redis: &Redis) {
    let start = Instant::now();
    while redis.check().await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(5), "it does not reconnect");
        sleep(ms(20)).await;
    }
}

/// Milliseconds since the test began, as a caller's clock.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> u64 {
        self.0.elapsed().as_millis().try_into().unwrap()
    }
}
