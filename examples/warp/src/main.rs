//! An Official Account behind warp: `WECHAT_TOKEN=… cargo run --release -p wechat-events-warp -- 127.0.0.1:8080`.

use std::pin::pin;

use bytes::{Buf, BufMut};
use futures_util::{Stream, StreamExt};
use warp::Filter;
use warp::http::{Method, Response, StatusCode};
use wechat_events::Webhook;

async fn wechat(
    webhook: Webhook,
    method: Method,
    query: String,
    chunks: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Response<Vec<u8>>, StatusCode> {
    // Not `warp::body::content_length_limit`, which refuses the address check: a GET has no `Content-Length`.
    let (mut chunks, mut body) = (pin!(chunks), Vec::new());
    // The endpoint takes 1 MiB, and refuses what is longer.
    while body.len() <= 1 << 20
        && let Some(chunk) = chunks.next().await
    {
        body.put(chunk.map_err(|_| StatusCode::BAD_REQUEST)?);
    }
    Ok(webhook.call(method.as_str(), &query, &body).await.into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = Webhook::new(shop::endpoint()?, shop::Shop::default());
    let state = webhook.clone();
    let route = warp::path!("wechat")
        .map(move || state.clone())
        .and(warp::method())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::body::stream())
        .then(wechat);
    let listener = tokio::net::TcpListener::bind(shop::address()).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    tokio::select! {
        () = warp::serve(route).incoming(listener).graceful(shop::asked_to_end()).run() => {}
        // A client that announces a body and sends half of it would be waited for without end.
        () = async { shop::asked_to_end().await; tokio::time::sleep(shop::GRACE).await } => {}
    }
    webhook.shutdown(shop::GRACE).await;
    Ok(())
}
