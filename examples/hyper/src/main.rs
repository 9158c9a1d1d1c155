//! An Official Account behind hyper: `WECHAT_TOKEN=… cargo run --release -p wechat-events-hyper -- 127.0.0.1:8080`.

use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use wechat_events::Webhook;

async fn wechat(webhook: Webhook, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let (method, query) = (head.method.as_str(), head.uri.query().unwrap_or_default());
    let mut response = Response::default();
    match Limited::new(body, 1 << 20).collect().await {
        _ if head.uri.path() != "/wechat" => *response.status_mut() = StatusCode::NOT_FOUND,
        Err(_) => *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE,
        Ok(body) => response = webhook.call(method, query, &body.to_bytes()).await.into(),
    }
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = Webhook::new(shop::endpoint()?, shop::Shop::default());
    let listener = tokio::net::TcpListener::bind(shop::address()).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    let (graceful, mut end) = (GracefulShutdown::new(), pin!(shop::asked_to_end()));
    loop {
        let accepted = tokio::select! { accepted = listener.accept() => accepted, () = &mut end => break };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, say; others are closing meanwhile.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let webhook = webhook.clone();
        let service = service_fn(move |request| wechat(webhook.clone(), request));
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(graceful.watch(connection));
    }
    drop(tokio::time::timeout(shop::GRACE, graceful.shutdown()).await);
    webhook.shutdown(shop::GRACE).await;
    Ok(())
}
