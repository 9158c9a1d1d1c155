//! An Official Account behind Viz: `WECHAT_TOKEN=… cargo run --release -p wechat-events-viz -- 127.0.0.1:8080`.

use http_body_util::Full;
use viz::types::State;
use viz::{Body, Bytes, Request, RequestExt, RequestLimitsExt, Response, Router};
use wechat_events::Webhook;

async fn wechat(mut request: Request) -> viz::Result<Response> {
    let body = request.bytes_with(None, 1 << 20).await?;
    let State(webhook) = request.extract::<State<Webhook>>().await?;
    let query = request.query_string().unwrap_or_default();
    let response = webhook.call(request.method().as_str(), query, &body).await;
    Ok(Response::<Full<Bytes>>::from(response).map(Body::from))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = Webhook::new(shop::endpoint()?, shop::Shop::default());
    let app = Router::new().any("/wechat", wechat).with(State::new(webhook.clone()));
    let listener = tokio::net::TcpListener::bind(shop::address()).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    viz::serve(listener, app).signal(shop::asked_to_end()).await?;
    webhook.shutdown(shop::GRACE).await;
    Ok(())
}
