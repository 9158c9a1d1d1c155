//! An Official Account behind actix-web: `WECHAT_TOKEN=… cargo run --release -p wechat-events-actix-web -- 127.0.0.1:8080`.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, PayloadConfig, resource};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use tokio::runtime::Handle;
use tokio_util::context::TokioContext;
use wechat_events::Webhook;

async fn wechat(webhook: Data<Webhook>, runtime: Data<Handle>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let call = webhook.call(request.method().as_str(), request.query_string(), &body);
    // A worker's own runtime ends with it, and would take the handlers along that WeChat no longer waits for.
    let response = TokioContext::new(call, Handle::clone(&runtime)).await;
    HttpResponse::build(StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type(response.content_type)
        .body(response.body)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = Webhook::builder(shop::endpoint()?, shop::Shop::default()).build();
    let (state, runtime) = (Data::new(webhook.clone()), Data::new(Handle::current()));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(PayloadConfig::new(1 << 20))
            .app_data(state.clone())
            .app_data(runtime.clone())
            .service(resource("/wechat").to(wechat))
    });
    // actix's own time is 30 s.
    let server =
        server.shutdown_timeout(shop::GRACE.as_secs()).shutdown_signal(shop::asked_to_end()).bind(shop::address())?;
    println!("http://{}/wechat waits for WeChat", server.addrs()[0]);
    server.run().await?;
    webhook.shutdown(shop::GRACE).await;
    Ok(())
}
