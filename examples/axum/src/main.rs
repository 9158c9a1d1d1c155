//! An Official Account behind axum: `WECHAT_TOKEN=… cargo run --release -p wechat-events-axum -- 127.0.0.1:8080`.

use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use wechat_events::event::{Click, Subscribe, Text};
use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let webhook = Webhook::new(endpoint()?, Shop::default());
    let app = Router::new().route_service("/wechat", webhook.service());
    let listener = TcpListener::bind(address()).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(asked_to_end()) => served?,
        // A client that sends half of a request would be waited for without end.
        () = async { asked_to_end().await; tokio::time::sleep(Duration::from_secs(10)).await } => {}
    }
    webhook.shutdown(Duration::from_secs(15)).await;
    Ok(())
}

/// Your account's own code.
#[derive(Default)]
struct Shop {
    texts: AtomicU64,
}

impl AsyncHandler for Shop {
    async fn subscribe(&self, _: &Event<'_>, subscribe: &Subscribe<'_>) -> HandlerResult {
        Ok(Reply::text(match subscribe.scene() {
            Some(scene) => format!("Welcome to table {scene}!"),
            None => "Welcome!".to_owned(),
        }))
    }

    async fn click(&self, _: &Event<'_>, click: &Click<'_>) -> HandlerResult {
        Ok(Reply::text(format!("You pressed {}.", click.event_key)))
    }

    /// After `wait 8` it answers in 8 seconds: that arrives too, and is counted once.
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        let number = self.texts.fetch_add(1, Ordering::Relaxed) + 1;
        let wait = text.content.strip_prefix("wait ").and_then(|seconds| seconds.parse().ok());
        if let Some(Ok(wait)) = wait.map(Duration::try_from_secs_f64) {
            tokio::time::sleep(wait).await;
        }
        Ok(Reply::text(format!("{number}. You said: {}", text.content)))
    }
}

/// With a key in safe mode, which serves compatible mode too; else in plaintext mode.
fn endpoint() -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    let variable = |name| env::var(name).map_err(|error| format!("{name}: {error}"));
    let endpoint = match variable("WECHAT_AES_KEY") {
        Ok(key) => Endpoint::safe(variable("WECHAT_TOKEN")?, variable("WECHAT_APP_ID")?, key)?,
        Err(_) => Endpoint::plain(variable("WECHAT_TOKEN")?)?,
    };
    Ok(endpoint.on_report(|report| eprintln!("{report}")))
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
