//! Many Official Accounts behind axum, each at `/wechat/{name}`, with their credentials in a file of SQLite:
//!
//! ```text
//! cargo run -p wechat-events-accounts -- accounts.db add shop TOKEN                    in plaintext mode
//! cargo run -p wechat-events-accounts -- accounts.db add support TOKEN APP_ID AES_KEY  in safe or compatible mode
//! cargo run -p wechat-events-accounts -- accounts.db remove shop
//! cargo run -p wechat-events-accounts -- accounts.db serve 127.0.0.1:8080
//! ```
//!
//! All of it while it serves: an account that is added is there at once, what is changed or removed is so within a
//! minute. An account that is added again keeps its previous token and key beside the new ones, so that no push is lost:
//! add it, wait for a minute, and then change WeChat's console.
//!
//! With `WECHAT_TOKEN`, `WECHAT_APP_ID` and `WECHAT_AES_KEY` it is a third-party platform (第三方平台) as well, which gets
//! the pushes of the accounts that have authorized it at `/{app_id}/callback`.

mod accounts;
#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::any;
use tokio::net::TcpListener;
use wechat_events::event::{Subscribe, Text};
use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhooks};

use accounts::Accounts;

/// The code of every account: it knows which one it is.
struct Shop {
    account: String,
}

impl AsyncHandler for Shop {
    async fn subscribe(&self, _: &Event<'_>, _: &Subscribe<'_>) -> HandlerResult {
        Ok(Reply::text(format!("Welcome to {}!", self.account)))
    }

    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(Reply::text(format!("{} heard: {}", self.account, text.content)))
    }
}

async fn wechat(State(accounts): State<Arc<Accounts>>, Path(name): Path<String>, request: Request) -> Response<Body> {
    match accounts.find(&name).await {
        Ok(Some(webhook)) => webhook.handle(request).await.map(Body::new),
        Ok(None) => status(StatusCode::NOT_FOUND),
        Err(error) => {
            eprintln!("{name}: {error}");
            // WeChat asks again.
            status(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// One token and one key for the pushes of all accounts. The path says which of them it is, and is not signed: before
/// more than a greeting depends on it, hold it against the push's `to_user`, which is.
async fn callback(
    State((webhooks, platform)): State<(Webhooks, Endpoint)>,
    Path(account): Path<String>,
    request: Request,
) -> Response<Body> {
    webhooks.account(platform, Shop { account }).handle(request).await.map(Body::new)
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [file, "add", name, token] => accounts::add(file, name, token, None),
        [file, "add", name, token, app_id, key] => accounts::add(file, name, token, Some((app_id, key))),
        [file, "remove", name] => accounts::remove(file, name),
        [file, "serve", address] => serve(file, address).await,
        _ => Err("usage: FILE add NAME TOKEN [APP_ID AES_KEY] | FILE remove NAME | FILE serve ADDRESS:PORT".into()),
    }
}

async fn serve(file: &str, address: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let webhooks = Webhooks::builder().build();
    let accounts = Accounts::open(file, webhooks.clone())?;
    let mut app = Router::new().route("/wechat/{name}", any(wechat)).with_state(Arc::new(accounts));
    if let Ok(token) = env::var("WECHAT_TOKEN") {
        let platform = Endpoint::safe(token, env::var("WECHAT_APP_ID")?, env::var("WECHAT_AES_KEY")?)?;
        app = app.route("/{app_id}/callback", any(callback).with_state((webhooks.clone(), platform)));
    }
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/wechat/{{name}} waits for WeChat", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(asked_to_end()) => served?,
        // A client that sends half of a request would be waited for without end.
        () = async { asked_to_end().await; tokio::time::sleep(Duration::from_secs(10)).await } => {}
    }
    webhooks.shutdown(Duration::from_secs(15)).await;
    Ok(())
}

/// Ctrl-C, or SIGTERM, by which containers are ended.
async fn asked_to_end() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = terminate.recv() => {} }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
