//! An Official Account behind Rocket: `WECHAT_TOKEN=… cargo run --release -p wechat-events-rocket -- 127.0.0.1:8080`.

use std::io::Cursor;
use std::net::SocketAddr;

use rocket::data::ToByteUnit;
use rocket::fairing::AdHoc;
use rocket::http::{Method, Status};
use rocket::route::{Handler, Outcome, Route};
use rocket::{Config, Data, Request, Response};
use wechat_events::Webhook;

#[derive(Clone)]
struct WeChat(Webhook);

#[rocket::async_trait]
impl Handler for WeChat {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        // The endpoint takes 1 MiB, and refuses what is a byte longer.
        let Ok(body) = data.open(1.mebibytes() + 1).into_bytes().await else {
            return Outcome::Error(Status::BadRequest);
        };
        let query = request.uri().query().map(|query| query.as_str()).unwrap_or_default();
        let answer = self.0.call(request.method().as_str(), query, &body).await;
        let mut response = Response::build();
        response.status(Status::new(answer.status)).raw_header("Content-Type", answer.content_type);
        Outcome::Success(response.sized_body(answer.body.len(), Cursor::new(answer.body)).finalize())
    }
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    use Method::{Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace};
    let webhook = Webhook::new(shop::endpoint()?, shop::Shop::default());
    let address: SocketAddr = shop::address().parse()?;
    let config = Config::figment().merge(("address", address.ip())).merge(("port", address.port()));
    // Deliveries are held for up to 6 s; Rocket's own grace is 2.
    let config = config.merge(("shutdown.grace", 6));
    let methods = [Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace];
    let routes = methods.map(|method| Route::new(method, "/wechat", WeChat(webhook.clone())));
    let waits = AdHoc::on_liftoff("Address", |rocket| {
        let (ip, port) = (rocket.config().address, rocket.config().port);
        Box::pin(async move { println!("http://{}/wechat waits for WeChat", SocketAddr::new(ip, port)) })
    });
    rocket::custom(config).mount("/", routes).attach(waits).launch().await?;
    webhook.shutdown(shop::GRACE).await;
    Ok(())
}
