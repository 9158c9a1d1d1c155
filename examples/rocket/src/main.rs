//! An Official Account behind Rocket: `WECHAT_TOKEN=… cargo run --release -p wechat-events-rocket -- 127.0.0.1:8080`.

use std::env;
use std::error::Error;
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rocket::data::ToByteUnit;
use rocket::fairing::AdHoc;
use rocket::http::{Method, Status};
use rocket::route::{Handler, Outcome, Route};
use rocket::{Config, Data, Request, Response};
use wechat_events::event::{Click, Subscribe, Text};
use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};

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
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    use Method::{Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace};
    let webhook = Webhook::new(endpoint()?, Shop::default());
    let address: SocketAddr = address().parse()?;
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
    webhook.shutdown(Duration::from_secs(15)).await;
    Ok(())
}

/// Your account's own code.
#[derive(Default)]
struct Shop {
    texts: AtomicU64,
}

impl AsyncHandler for Shop {
    async fn subscribe(&self, _: &Event<'_>, subscribe: &Subscribe<'_>) -> HandlerResult {
        Ok(Reply::text(match subscribe.scene() {
            Some(scene) => format!("Welcome to table {scene}!"),
            None => "Welcome!".to_owned(),
        }))
    }

    async fn click(&self, _: &Event<'_>, click: &Click<'_>) -> HandlerResult {
        Ok(Reply::text(format!("You pressed {}.", click.event_key)))
    }

    /// After `wait 8` it answers in 8 seconds: that arrives too, and is counted once.
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        let number = self.texts.fetch_add(1, Ordering::Relaxed) + 1;
        let wait = text.content.strip_prefix("wait ").and_then(|seconds| seconds.parse().ok());
        if let Some(Ok(wait)) = wait.map(Duration::try_from_secs_f64) {
            rocket::tokio::time::sleep(wait).await;
        }
        Ok(Reply::text(format!("{number}. You said: {}", text.content)))
    }
}

/// With a key in safe mode, which serves compatible mode too; else in plaintext mode.
fn endpoint() -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    let variable = |name| env::var(name).map_err(|error| format!("{name}: {error}"));
    let endpoint = match variable("WECHAT_AES_KEY") {
        Ok(key) => Endpoint::safe(variable("WECHAT_TOKEN")?, variable("WECHAT_APP_ID")?, key)?,
        Err(_) => Endpoint::plain(variable("WECHAT_TOKEN")?)?,
    };
    Ok(endpoint.on_report(|report| eprintln!("{report}")))
}

/// Where to listen: the first argument, or port 8080 of this machine alone.
fn address() -> String {
    env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned())
}
