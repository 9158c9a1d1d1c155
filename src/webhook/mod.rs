//! One push, one run, one answer: endpoints, handlers and a store under WeChat's five-second rule.
//!
//! ```text
//!  account ──▶ delivery ──▶ watch ──▶ run ◀── task
//!     ▲                                         handler, store, late, failed
//!  webhooks, threads: how they are made
//! ```
//!
//! | word | is |
//! |---|---|
//! | push | what WeChat has to tell, known by the digest of its bytes |
//! | delivery | one request with a push; WeChat makes up to three, until one is answered |
//! | schedule | when deliveries come, and how long WeChat waits for the answer: a row of data |
//! | run | one call of the handler for a push, and what it and its deliveries tell each other |
//! | task | what drives a run: it begins in the delivery, and goes on by itself once it has to wait |
//! | watch | what sees to a push for a delivery, or after one was answered: claims, joins, takes over |
//! | hold, acknowledge | keep silent so that WeChat delivers again; answer `success` so that it does not |
//! | carry | a delivery takes the reply along |
//! | late | a reply that no delivery can carry any more |

mod account;
mod blocking;
mod delivery;
mod guard;
#[cfg(feature = "http")]
mod http;
mod run;
mod schedule;
mod settings;
mod shared;
mod span;
mod task;
#[cfg(feature = "threads")]
mod threads;
mod watch;
mod webhooks;

pub use account::Webhook;
pub use blocking::Blocking;
#[cfg(feature = "http")]
pub use http::{ResponseBody, WebhookService};
pub use settings::{OnError, Policy};
#[cfg(feature = "threads")]
pub use threads::{ThreadedWebhook, ThreadedWebhooks};
pub use webhooks::{Webhooks, WebhooksBuilder};
