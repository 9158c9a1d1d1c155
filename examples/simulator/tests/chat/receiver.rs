//! A receiver to push to: the examples' own, which can be broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::{Method, Response};
use axum::routing::any;
use tokio::net::TcpListener;
use wechat_events::{AsyncHandler, Endpoint, Webhook};

use crate::shop::Shop;

pub const TOKEN: &str = "a-token-that-nobody-guesses";
pub const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const APP_ID: &str = "wx5823bf96d3bd56c7";

pub struct Receiver {
    pub address: String,
    /// What `wechat-simulator` has to know of it.
    pub options: Vec<String>,
    broken: Arc<AtomicBool>,
    seen: Arc<AtomicUsize>,
}

impl Receiver {
    pub async fn plain() -> Receiver {
        Receiver::plain_with(Shop::default()).await
    }

    pub async fn plain_with(handler: impl AsyncHandler + 'static) -> Receiver {
        Receiver::start(Endpoint::plain(TOKEN).unwrap(), handler, &["--token", TOKEN]).await
    }

    pub async fn safe() -> Receiver {
        Receiver::safe_with(Shop::default()).await
    }

    pub async fn safe_with(handler: impl AsyncHandler + 'static) -> Receiver {
        let options = ["--token", TOKEN, "--app-id", APP_ID, "--aes-key", KEY];
        Receiver::start(Endpoint::safe(TOKEN, APP_ID, KEY).unwrap(), handler, &options).await
    }

    async fn start(endpoint: Endpoint, handler: impl AsyncHandler + 'static, options: &[&str]) -> Receiver {
        let webhook = Webhook::new(endpoint, handler);
        let (broken, seen) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let shared = (Arc::clone(&broken), Arc::clone(&seen));
        let answer = async move |method: Method, RawQuery(query): RawQuery, body: Bytes| -> Response<Body> {
            shared.1.fetch_add(1, Ordering::SeqCst);
            if shared.0.load(Ordering::SeqCst) {
                return Response::new(Body::from(r#"{"errcode":0,"errmsg":"ok"}"#));
            }
            webhook.call(method.as_str(), query.as_deref().unwrap_or_default(), &body).await.into()
        };
        let app = Router::new().route("/wechat", any(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/wechat", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Receiver { address, options: options.iter().map(|&option| option.to_owned()).collect(), broken, seen }
    }

    /// From now on it answers what WeChat does not take.
    pub fn break_it(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// How many requests came.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}
