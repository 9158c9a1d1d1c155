//! Receives WeChat Official Account (公众号) pushes: verified, typed, handled once, and answered within WeChat's limits.
//!
#![cfg_attr(all(feature = "aes", feature = "http", feature = "tokio"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "aes", feature = "http", feature = "tokio")), doc = "```ignore")]
//! use wechat_events::event::{Click, Text};
//! use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};
//!
//! struct Shop;
//!
//! impl AsyncHandler for Shop {
//!     async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
//!         Ok(Reply::text(format!("You said: {}", text.content)))
//!     }
//!     async fn click(&self, _: &Event<'_>, click: &Click<'_>) -> HandlerResult {
//!         Ok(match click.event_key.as_str() {
//!             "DISHES" => "Noodles and dumplings".into(),
//!             _ => Reply::Success, // no reply
//!         })
//!     }
//!     // Every push without a method above, such as a scanned QR code with a scene.
//!     async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
//!         Ok(match event.scene() {
//!             Some(table) => Reply::text(format!("Welcome to table {table}!")),
//!             None => Reply::Success,
//!         })
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let var = std::env::var;
//!     let endpoint = Endpoint::safe(
//!         var("WECHAT_TOKEN")?,
//!         var("WECHAT_APP_ID")?,
//!         var("WECHAT_AES_KEY")?,
//!     )?;
//!     let webhook = Webhook::new(endpoint.on_report(|report| eprintln!("{report}")), Shop);
//!     let app = axum::Router::new().route_service("/wechat", webhook.service());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!     Ok(axum::serve(listener, app).await?)
//! }
//! ```
//!
//! Needs the features `http` and `tokio`, and the crates axum and tokio as dependencies. Continue with the [`guide`]: how
//! to try it without an account, what to enter in WeChat's console, and recipes for common tasks. 中文：[`guide::zh`]。
//!
//! | For | See |
//! |---|---|
//! | one account, several accounts, or threads instead of tokio | [`Webhook`], [`Webhooks`], [`ThreadedWebhook`] |
//! | verifying requests; serverless platforms | [`Endpoint`] |
//! | your code | [`AsyncHandler`], [`Handler`], [`HandlerResult`] |
//! | what was pushed, and all kinds of push | [`Event`], [`Kind`], [`event`] |
//! | replies | [`Reply`], [`reply`] |
//! | several machines; de-duplication alone | [`store`], [`Dedup`] |
//! | testing your handler | [`testing`] |
//! | single building blocks | [`parse_event`], [`verify_signature`], [`cipher`] |
//!
//! # Features
//!
//! | Feature | Adds |
//! |---|---|
//! | `aes`, by default | safe and compatible mode: `Endpoint::safe`, and the module `cipher` |
//! | `http` | with `tokio`: `Webhook::service` for a router and `Webhook::handle` for one request; without it: `http::Response` from a `Response` |
//! | `json` | JSON pushes, as mini programs and cloud hosting receive them: the same events, fields and replies |
//! | `minigame` | `Event::mini_game_payload`: checks the signature of a mini game's payment and reads what was paid |
//! | `redis` | `store::Redis`, a store shared by several machines |
//! | `serde` | `Event`, `DedupKey` and `Reply` for queues and logs; `Event::to` for your own structs |
//! | `testing` | `testing::WeChat` for your tests: sends pushes and retries, and judges answers |
//! | `threads` | `ThreadedWebhook`, for servers with one thread per request |
//! | `tokio` | `Webhook`: retries join the running handler, and a slow handler's reply still arrives |
//! | `tracing`, by default | reports as events, and a span for each delivery; your subscriber decides what is printed |
//!
// Without these features the items do not exist, and links to them lead to the table of features.
#![cfg_attr(
    not(all(
        feature = "aes",
        feature = "http",
        feature = "json",
        feature = "redis",
        feature = "serde",
        feature = "testing",
        feature = "threads",
        feature = "tokio"
    )),
    doc = "[`guide`]: #features\n[`guide::zh`]: #features\n[`Webhook`]: #features\n[`Webhooks`]: #features\n\
           [`ThreadedWebhook`]: #features\n[`testing`]: #features\n[`cipher`]: #features"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs, clippy::missing_errors_doc)]
// Input is hostile: nothing that could panic on it is allowed.
#![deny(clippy::as_conversions, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
// Sans-IO: time and bytes are parameters. clippy.toml has the list of what is disallowed.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

#[cfg(feature = "aes")]
pub mod cipher;
mod dedup;
mod endpoint;
mod error;
pub mod event;
mod failure;
mod fields;
// Compiled only with all features that its programs use.
#[cfg(all(
    any(doc, doctest),
    feature = "http",
    feature = "redis",
    feature = "serde",
    feature = "json",
    feature = "testing",
    feature = "tokio"
))]
pub mod guide;
mod handler;
#[cfg(feature = "minigame")]
mod pay_event;
pub mod reply;
#[cfg(feature = "serde")]
mod serde;
mod shown;
mod signature;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
#[cfg(feature = "tokio")]
mod webhook;

pub use dedup::{Dedup, DedupKey, DedupKeyError, store};
pub use endpoint::{Doubt, Endpoint, Push, Received, Report, Response};
pub use error::{ConfigError, ParseError, RequestError};
pub use event::{Event, Kind, parse_event};
pub use failure::{Cause, Failure};
pub use fields::Limits;
pub use handler::{AsyncHandler, Handler, HandlerResult};
#[cfg(feature = "minigame")]
pub use pay_event::{AppKeys, PayEventError};
pub use reply::Reply;
#[cfg(feature = "serde")]
pub use serde::ToError;
pub use signature::verify_signature;
pub use text::Str;
#[cfg(feature = "tokio")]
pub use webhook::{Blocking, OnError, Policy, Webhook, Webhooks, WebhooksBuilder};
#[cfg(all(feature = "http", feature = "tokio"))]
pub use webhook::{ResponseBody, WebhookService};
#[cfg(feature = "threads")]
pub use webhook::{ThreadedWebhook, ThreadedWebhooks};

#[cfg(all(doctest, feature = "aes", feature = "http", feature = "tokio"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../README.zh-CN.md")]
struct Readme;
