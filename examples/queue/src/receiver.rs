//! WeChat's side: a push goes to the broker, and is answered when it is there.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, cmd};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, OnError, Reply, Webhooks};

use crate::{Failure, STREAM, metrics, variable};

/// Marks the push and adds it, both or neither; nothing if it is marked already.
const ADD: &str = "if redis.call('SET', KEYS[2], '', 'NX', 'EX', ARGV[3]) then
    redis.call('XADD', KEYS[1], '*', 'key', ARGV[1], 'event', ARGV[2])
end";

/// Longer than WeChat repeats anything.
const MARKED: Duration = Duration::from_secs(2 * 24 * 3600);

/// For the broker. Well below the 4.5 s after which a delivery is answered `success` though its handler is still at work.
const PATIENCE: Duration = Duration::from_secs(3);

/// Until the broker is asked again.
const AGAIN: Duration = Duration::from_millis(200);

struct ToBroker(ConnectionManager);

impl AsyncHandler for ToBroker {
    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        let key = event.dedup_key().to_string();
        let mut add = cmd("EVAL");
        add.arg(ADD).arg(2).arg(STREAM).arg(format!("wechat:seen:{key}"));
        add.arg(&key).arg(serde_json::to_string(event)?).arg(MARKED.as_secs());
        let mut broker = self.0.clone();
        let mut said = None;
        // It may be added twice: then nothing is the second time.
        let adding = async {
            while let Err(error) = add.exec_async(&mut broker).await {
                said = Some(error);
                sleep(AGAIN).await;
            }
        };
        match timeout(PATIENCE, adding).await {
            Ok(()) => Ok(Reply::Success),
            Err(elapsed) => Err(said.map_or_else(|| elapsed.into(), Failure::from)),
        }
    }
}

#[tokio::main]
pub async fn run(broker: &Client, wechat: &str, prometheus: &str) -> Result<(), Failure> {
    let recorder = metrics::recorder()?;
    let page = recorder.handle();
    ::metrics::set_global_recorder(recorder)?;
    let print = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(print).with(metrics::layer()).init();

    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(Duration::from_secs(1)))
        .set_response_timeout(Some(Duration::from_secs(1)));
    let handler = ToBroker(ConnectionManager::new_lazy_with_config(broker.clone(), config)?);
    let webhooks = Webhooks::builder().on_error(OnError::HoldAlways).build();
    let webhook = webhooks.account(endpoint()?, handler);
    let app = Router::new().route_service("/wechat", webhook.service());
    let listener = TcpListener::bind(wechat).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    // Elsewhere: what WeChat reaches, everybody does.
    let numbers = Router::new().route("/metrics", get(async move || page.render()));
    let scraped = TcpListener::bind(prometheus).await?;
    println!("http://{}/metrics waits for Prometheus", scraped.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(asked_to_end()) => served?,
        served = axum::serve(scraped, numbers) => served?,
        // A client that sends half of a request would be waited for without end.
        () = async { asked_to_end().await; sleep(Duration::from_secs(10)).await } => {}
    }
    webhook.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

/// With a key in safe mode, which serves compatible mode too; else in plaintext mode.
fn endpoint() -> Result<Endpoint, Failure> {
    Ok(match variable("WECHAT_AES_KEY") {
        Ok(key) => Endpoint::safe(variable("WECHAT_TOKEN")?, variable("WECHAT_APP_ID")?, key)?,
        Err(_) => Endpoint::plain(variable("WECHAT_TOKEN")?)?,
    })
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
