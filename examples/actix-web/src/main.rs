//! An Official Account behind actix-web: `WECHAT_TOKEN=… cargo run --release -p wechat-events-actix-web -- 127.0.0.1:8080`.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, PayloadConfig, resource};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use tokio::runtime::Handle;
use wechat_events::{Webhook, Webhooks};

async fn wechat(webhook: Data<Webhook>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let response = webhook.call(request.method().as_str(), request.query_string(), &body).await;
    HttpResponse::build(StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type(response.content_type)
        .body(response.body)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A worker's own runtime ends with it, and would take the handlers along that WeChat no longer waits for.
    let webhooks = Webhooks::builder().runtime(Handle::current()).build();
    let state = Data::new(webhooks.account(shop::endpoint()?, shop::Shop::default()));
    let server = HttpServer::new(move || {
        App::new().app_data(PayloadConfig::new(1 << 20)).app_data(state.clone()).service(resource("/wechat").to(wechat))
    });
    // actix's own time is 30 s.
    let server =
        server.shutdown_timeout(shop::GRACE.as_secs()).shutdown_signal(shop::asked_to_end()).bind(shop::address())?;
    println!("http://{}/wechat waits for WeChat", server.addrs()[0]);
    server.run().await?;
    webhooks.shutdown(shop::GRACE).await;
    Ok(())
}
