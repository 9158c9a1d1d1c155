//! Pushes through a broker: a receiver puts them into a stream of Redis, workers handle them and answer by
//! customer-service messages (客服消息). Nothing that WeChat was answered `success` for is lost, whichever of the three dies.
//!
//! ```text
//! redis-server --appendonly yes --appendfsync always
//! WECHAT_TOKEN=… cargo run -p wechat-events-queue -- receive 127.0.0.1:8080 127.0.0.1:9090
//! SEND_URL='https://api.weixin.qq.com/cgi-bin/message/custom/send?access_token=…' cargo run -p wechat-events-queue -- work one
//! ```
//!
//! # What is guaranteed
//! - **`success` means that the push is on the broker's disk.** That needs `appendonly yes` and `appendfsync always`: with
//!   Redis's default, `everysec`, a crash loses the last second. If the broker does not answer, nothing is answered either
//!   ([`OnError::HoldAlways`](wechat_events::OnError::HoldAlways)), and WeChat delivers again, three times within 10 s. A
//!   broker that is away for longer than those costs the push, and the user sees WeChat's fault line: he may write again.
//! - **A push is in the stream once**, however often it is delivered, for two days: its key is marked in the same step.
//! - **What is in the stream is handled**: an entry leaves it when its messages are sent. What a dead worker has left
//!   behind, another takes over after `IDLE_SECONDS` (30).
//! - **What may happen twice:** a worker that dies between sending a message and writing that down has it sent again, and
//!   so has one that is stopped for longer than `IDLE_SECONDS`. WeChat's API has no key that would prevent it. The handler
//!   is run again too: what it writes has to be written once for the entry's `key`.
//! - **What cannot be sent** (the user left, or wrote more than 48 hours ago) goes to the stream `wechat:dead` with the
//!   reason. An entry whose handler fails is tried until it is 48 hours old.
//!
//! The order of a user's messages is kept as long as there is one worker.

mod metrics;
mod receiver;
#[cfg(test)]
mod tests;
mod worker;

use std::env;
use std::error::Error;

type Failure = Box<dyn Error + Send + Sync>;

/// The stream of pushes. Each entry is the event as JSON, and its key.
const STREAM: &str = "wechat:pushes";

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let broker = redis::Client::open(variable("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379/".to_owned()))?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receive", wechat, prometheus] => receiver::run(&broker, wechat, prometheus),
        ["work", name] => worker::run(&broker, name),
        _ => Err("usage: receive ADDRESS:PORT METRICS_ADDRESS:PORT | work NAME".into()),
    }
}

fn variable(name: &str) -> Result<String, Failure> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
