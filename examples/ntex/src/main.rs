//! An Official Account behind ntex: `WECHAT_TOKEN=… cargo run --release -p wechat-events-ntex -- 127.0.0.1:8080`.

use std::net::TcpListener;

use ntex::http::StatusCode;
use ntex::util::Bytes;
use ntex::web::types::{PayloadConfig, State};
use ntex::web::{App, HttpRequest, HttpResponse, HttpServer, resource};
use tokio::runtime::{Handle, Runtime};
use tokio_util::context::TokioContext;
use wechat_events::Webhook;

async fn wechat(state: State<(Webhook, Handle)>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let (webhook, runtime) = &*state;
    let call = webhook.call(request.method().as_str(), request.query_string(), &body);
    // A worker's own runtime ends with it, and would take the handlers along that WeChat no longer waits for.
    let response = TokioContext::new(call, runtime.clone()).await;
    HttpResponse::build(StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type(response.content_type)
        .body(response.body)
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = Webhook::builder(shop::endpoint()?, shop::Shop::default()).build();
    let runtime = Runtime::new()?;
    let state = (webhook.clone(), runtime.handle().clone());
    let listener = TcpListener::bind(shop::address())?;
    println!("http://{}/wechat waits for WeChat", listener.local_addr()?);
    ntex::rt::System::new("wechat", ntex::rt::DefaultRuntime).block_on(async move {
        let runtime = state.1.clone();
        let server = HttpServer::new(async move || {
            App::new().state(PayloadConfig::new(1 << 20)).state(state.clone()).service(resource("/wechat").to(wechat))
        });
        // Deliveries are held for up to 6 s; ntex's own time is 30.
        let server = server.disable_signals().shutdown_timeout(ntex::time::Seconds(10)).listen(listener)?.run();
        let controller = server.clone();
        runtime.spawn(async move {
            shop::asked_to_end().await;
            controller.stop(true).await;
        });
        server.await
    })?;
    runtime.block_on(webhook.shutdown(shop::GRACE));
    Ok(())
}
