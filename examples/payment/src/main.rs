//! A mini program's virtual payment (虚拟支付) behind axum: what is paid for is delivered once, into a file of SQLite.
//!
//! ```text
//! export WECHAT_TOKEN=… WECHAT_APP_ID=… WECHAT_AES_KEY=…
//! cargo run --release -p wechat-events-payment -- shop.db 127.0.0.1:8080
//! ```
//!
//! WeChat pushes an order again for hours, until it is answered with code 0. So it is the database that knows what was
//! delivered, and 0 is answered once that is safely there. Several of these processes may share the file.

mod shop;

use std::env;
use std::error::Error;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use wechat_events::{Blocking, Endpoint, Webhook};

use shop::Shop;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [file, address] = &*arguments else { return Err("usage: FILE ADDRESS:PORT".into()) };
    // SQLite keeps its thread waiting.
    let webhook = Webhook::new(endpoint()?, Blocking(Shop::open(file)?));
    let app = Router::new().route_service("/wechat", webhook.service());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(asked_to_end()) => served?,
        // A client that sends half of a request would be waited for without end.
        () = async { asked_to_end().await; tokio::time::sleep(Duration::from_secs(10)).await } => {}
    }
    webhook.shutdown(Duration::from_secs(15)).await;
    Ok(())
}

/// In safe mode alone: the signature of plaintext mode is not of the body, so whoever has seen a push could write orders.
fn endpoint() -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    let variable = |name| env::var(name).map_err(|error| format!("{name}: {error}"));
    let endpoint = Endpoint::safe(variable("WECHAT_TOKEN")?, variable("WECHAT_APP_ID")?, variable("WECHAT_AES_KEY")?)?;
    Ok(endpoint.on_report(|report| eprintln!("{report}")))
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
