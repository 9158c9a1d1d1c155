//! An Official Account behind poem: `WECHAT_TOKEN=… cargo run --release -p wechat-events-poem -- 127.0.0.1:8080`.

use poem::http::{Method, StatusCode, Uri};
use poem::listener::TcpAcceptor;
use poem::web::Data;
use poem::{Body, EndpointExt, Response, Route, Server, handler};
use wechat_events::Webhook;

#[handler]
async fn wechat(webhook: Data<&Webhook>, method: Method, uri: &Uri, body: Body) -> poem::Result<Response> {
    let body = body.into_bytes_limit(1 << 20).await?;
    let response = webhook.call(method.as_str(), uri.query().unwrap_or_default(), &body).await;
    Ok(Response::builder()
        .status(StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type(response.content_type)
        .body(response.body))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = Webhook::new(shop::endpoint()?, shop::Shop::default());
    let app = Route::new().at("/wechat", wechat.data(webhook.clone()));
    let listener = tokio::net::TcpListener::bind(shop::address()).await?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    let acceptor = TcpAcceptor::from_tokio(listener)?;
    Server::new_with_acceptor(acceptor)
        .run_with_graceful_shutdown(app, shop::asked_to_end(), Some(shop::GRACE))
        .await?;
    webhook.shutdown(shop::GRACE).await;
    Ok(())
}
