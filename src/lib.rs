//! Receives WeChat Official Account (公众号) pushes: verified, typed, handled once, answered as WeChat accepts.
//!
//! ```text
//!  GET/POST  query + body
//!     │
//!     ▼  signature   is it WeChat?              token, timestamp, nonce → yes/no, in constant time
//!     ▼  cipher      what did it say?           Encrypt ⇄ plaintext              (feature `aes`)
//!     ▼  fields      which fields?              bytes → names and values, nothing lost
//!     ▼  event       what happened?             fields → Event { header, kind }
//!     ▼  dedup       have we seen it?           new, or a retry
//!     ▼  handler     what do we say?            Event → Reply            ← your code
//!     ▼  reply       how is it written?         Reply → XML
//!     ▲  cipher      sealed again if need be
//!     │
//!  200 text|xml + body
//! ```
//!
//! [`Endpoint`] is those stations tied together, without IO: bytes and the time go in, a [`Response`] comes out, and
//! any HTTP stack carries both. `Webhook` (feature `tokio`) is the endpoint with a clock, a handler and a [`store`], under
//! WeChat's five-second rule: retries join, and a slow handler's reply still arrives. `testing` (feature of that name) is
//! WeChat's side of the wire, for your own tests.
//!
//! The module `guide`, which the documentation of all features has, begins with the first program to paste, and goes on
//! with recipes, what is guaranteed, and why it is as it is.
//!
//! ```standalone_crate
//! use wechat_events::event::{Subscribe, Text};
//! use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply};
//!
//! struct Shop;
//!
//! impl Handler for Shop {
//!     fn subscribe(&self, _: &Event<'_>, subscribe: &Subscribe<'_>) -> HandlerResult {
//!         Ok(Reply::text(format!("欢迎！ {}", subscribe.scene().unwrap_or_default())))
//!     }
//!     fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
//!         Ok(Reply::text(format!("You said: {}", text.content)))
//!     }
//! }
//!
//! let endpoint = Endpoint::plain("AAAAA")?;
//! // From the HTTP stack: method, query, body, and the time in seconds since 1970.
//! let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
//! let response = endpoint.respond("POST", query, include_bytes!("../tests/pushes/text.xml"), 1714037060, &Shop);
//! assert_eq!((response.status, response.content_type), (200, "text/xml"));
//! # Ok::<(), wechat_events::ConfigError>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs, clippy::missing_errors_doc)]
// Input is hostile: whatever could panic on it is written another way.
#![deny(clippy::as_conversions, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
// Sans-IO: time is a parameter and bytes are arguments; the list is in clippy.toml.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

#[cfg(feature = "aes")]
pub mod cipher;
mod dedup;
mod endpoint;
mod error;
pub mod event;
mod failure;
mod fields;
// Its programs are compiled where everything that they use is there.
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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
