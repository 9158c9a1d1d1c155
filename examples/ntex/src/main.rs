//! An Official Account behind ntex: `WECHAT_TOKEN=… cargo run --release -p wechat-events-ntex -- 127.0.0.1:8080`.

use std::net::TcpListener;

use ntex::http::StatusCode;
use ntex::util::Bytes;
use ntex::web::types::{PayloadConfig, State};
use ntex::web::{App, HttpRequest, HttpResponse, HttpServer, resource};
use tokio::runtime::Runtime;
use wechat_events::{Webhook, Webhooks};

async fn wechat(webhook: State<Webhook>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let response = webhook.call(request.method().as_str(), request.query_string(), &body).await;
    HttpResponse::build(StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type(response.content_type)
        .body(response.body)
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A worker's own runtime ends with it, and would take the handlers along that WeChat no longer waits for.
    let runtime = Runtime::new()?;
    let webhooks = Webhooks::builder().runtime(runtime.handle().clone()).build();
    let webhook = webhooks.account(shop::endpoint()?, shop::Shop::default());
    let spawner = runtime.handle().clone();
    let listener = TcpListener::bind(shop::address())?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    ntex::rt::System::new("wechat", ntex::rt::DefaultRuntime).block_on(async move {
        let server = HttpServer::new(async move || {
            App::new().state(PayloadConfig::new(1 << 20)).state(webhook.clone()).service(resource("/wechat").to(wechat))
        });
        // Deliveries are held for up to 6 s; ntex's own time is 30.
        let server = server.disable_signals().shutdown_timeout(ntex::time::Seconds(10)).listen(listener)?.run();
        let controller = server.clone();
        spawner.spawn(async move {
            shop::asked_to_end().await;
            controller.stop(true).await;
        });
        server.await
    })?;
    runtime.block_on(webhooks.shutdown(shop::GRACE));
    Ok(())
}
