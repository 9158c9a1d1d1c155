//! An Official Account behind axum: `WECHAT_TOKEN=… cargo run --release -p wechat-events-axum -- 127.0.0.1:8080`.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{Method, Response};
use axum::routing::any;
use wechat_events::Webhook;

/// axum reads at most 2 MB into `Bytes` by default, and the endpoint takes 1 MiB of them.
async fn wechat(State(webhook): State<Webhook>, method: Method, query: RawQuery, body: Bytes) -> Response<Body> {
    webhook.call(method.as_str(), query.0.as_deref().unwrap_or_default(), &body).await.into()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = Webhook::new(shop::endpoint()?, shop::Shop::default());
    let app = Router::new().route("/wechat", any(wechat)).with_state(webhook.clone());
    let listener = tokio::net::TcpListener::bind(shop::address()).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(shop::asked_to_end()) => served?,
        // A client that announces a body and sends half of it would be waited for without end.
        () = async { shop::asked_to_end().await; tokio::time::sleep(shop::GRACE).await } => {}
    }
    webhook.shutdown(shop::GRACE).await;
    Ok(())
}
