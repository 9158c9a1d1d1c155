//! An AI assistant on an account without the customer-service API: see README.md beside this folder.
//!
//! ```text
//! cargo run -p wechat-events-assistant --bin fake-model -- 127.0.0.1:9000
//! export WECHAT_TOKEN=… ASSISTANT_URL=http://127.0.0.1:9000/v1
//! cargo run -p wechat-events-assistant -- 127.0.0.1:8080
//! ```

mod assistant;
mod mailbox;
mod mailboxes;
mod model;

use std::env;
use std::error::Error;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use wechat_events::store::Redis;
use wechat_events::{Endpoint, Reply, Webhooks};

use assistant::{Assistant, INTERIM};
use mailboxes::Mailboxes;
use model::Model;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let name = env::var("ASSISTANT_MODEL").unwrap_or_else(|_| "default".to_owned());
    let model = Model::new(&variable("ASSISTANT_URL")?, name, env::var("ASSISTANT_KEY").ok())?;
    let settings = Webhooks::builder().interim_with(|event| event.msg_id().map(|_| Reply::text(INTERIM)));
    // Where retries meet, and what users wait for: both are shared, or neither.
    let (webhooks, mailboxes) = match env::var("REDIS_URL") {
        Ok(url) => {
            let store = Redis::connect(&url, "assistant:push:")?;
            (settings.store(store).build(), Mailboxes::in_redis(&url).await?)
        }
        Err(_) => (settings.build(), Mailboxes::in_memory()),
    };
    let assistant = Assistant::new(mailboxes, model);
    let webhook = webhooks.account(endpoint()?, assistant.clone());
    let app = Router::new().route_service("/wechat", webhook.service());
    let listener = TcpListener::bind(address()).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(asked_to_end()) => served?,
        // A client that sends half of a request would be waited for without end.
        () = async { asked_to_end().await; tokio::time::sleep(Duration::from_secs(10)).await } => {}
    }
    webhooks.shutdown(Duration::from_secs(15)).await;
    // What is done by then is in its mailbox: of use where that is in Redis.
    assistant.finish(Duration::from_secs(10)).await;
    Ok(())
}

/// With a key in safe mode, which serves compatible mode too; else in plaintext mode.
fn endpoint() -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    let endpoint = match variable("WECHAT_AES_KEY") {
        Ok(key) => Endpoint::safe(variable("WECHAT_TOKEN")?, variable("WECHAT_APP_ID")?, key)?,
        Err(_) => Endpoint::plain(variable("WECHAT_TOKEN")?)?,
    };
    Ok(endpoint.on_report(|report| eprintln!("{report}")))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

/// Where to listen: the first argument, or port 8080 of this machine alone.
fn address() -> String {
    env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned())
}

/// Ctrl-C, or SIGTERM, by which containers are ended.
async fn asked_to_end() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = terminate.recv() => {} }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
