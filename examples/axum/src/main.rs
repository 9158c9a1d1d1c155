//! An Official Account behind axum: `WECHAT_TOKEN=… cargo run --release -- 127.0.0.1:8080`.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::any;
use wechat_events::event::Text;
use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};

struct Account;

impl AsyncHandler for Account {
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(Reply::text(format!("You said: {}", text.content)))
    }
}

async fn wechat(State(webhook): State<Webhook>, method: Method, query: RawQuery, body: Bytes) -> impl IntoResponse {
    let response = webhook.call(method.as_str(), query.0.as_deref().unwrap_or_default(), &body).await;
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, response.content_type)], response.body)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let webhook = Webhook::builder(Endpoint::plain(std::env::var("WECHAT_TOKEN")?)?, Account).build();
    let app =
        Router::new().route("/wechat", any(wechat)).layer(DefaultBodyLimit::max(1 << 20)).with_state(webhook.clone());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    webhook.shutdown(Duration::from_secs(10)).await;
    Ok(())
}
