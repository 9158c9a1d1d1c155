//! Endpoints, handlers and a store under WeChat's five-second rule: one push, one run, one answer.
//!
//! ```text
//!  account ──▶ delivery ──▶ watch ──▶ run ◀── task
//!     ▲                                         handler, store, late, failed
//!  webhooks, threads: how they are made
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | push | one thing that WeChat has to say, identified by the digest of its bytes |
//! | delivery | one request with a push; WeChat makes up to three, until one is answered |
//! | schedule | when deliveries come, and how long WeChat waits for an answer: a row of data |
//! | run | one call of the handler for a push, and the state that it shares with its deliveries |
//! | task | what drives a run: starts within the delivery, and is spawned once it has to wait |
//! | owner | what is still to do for a run, also when its task is dropped: give it back, tell, report |
//! | watch | looks after a push for a delivery, or after one was answered: claims, joins, takes over |
//! | hold, acknowledge | keep silent so that WeChat delivers again; answer `success` so that it does not |
//! | carry | to answer a delivery with the reply |
//! | late | a reply that no delivery can carry any more |

mod account;
mod blocking;
mod delivery;
mod guard;
#[cfg(feature = "http")]
mod http;
mod owner;
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
