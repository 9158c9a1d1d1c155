//! An Official Account on AWS Lambda, behind a function URL, API Gateway or a load balancer: `cargo lambda build`.
//!
//! On [`Endpoint::respond_async`], without a `Webhook`: Lambda freezes the process once it has answered, and runs retries
//! in other processes. The handler has to be done within WeChat's five seconds, and what is delivered again runs it again.

use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::http::Response;
use lambda_http::{Body, Request, run, service_fn};
use wechat_events::event::{Click, Subscribe, Text};
use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply};

async fn wechat(endpoint: &Endpoint, shop: &Shop, request: Request) -> Result<Response<Body>, lambda_http::Error> {
    let (head, body) = request.into_parts();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let query = head.uri.query().unwrap_or_default();
    Ok(endpoint.respond_async(head.method.as_str(), query, &body, now, shop).await.into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let (endpoint, shop) = (endpoint()?, Shop::default());
    run(service_fn(async |request| wechat(&endpoint, &shop, request).await)).await
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

    /// After `wait 3` it answers in 3 seconds.
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        let number = self.texts.fetch_add(1, Ordering::Relaxed) + 1;
        let wait = text.content.strip_prefix("wait ").and_then(|seconds| seconds.parse().ok());
        if let Some(Ok(wait)) = wait.map(Duration::try_from_secs_f64) {
            tokio::time::sleep(wait).await;
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
