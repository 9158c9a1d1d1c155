//! One push, one run, one answer: an endpoint, a handler and a store under WeChat's five-second rule.
//!
//! ```text
//!  call ──▶ delivery  claim: new? running? done?  wait, hold, acknowledge, carry
//!            │  │ new
//!            │  ▼
//!            │ run      the handler, at first in place, then in a task of its own: renew, finish, release, late
//!            │  ▲ new
//!            ▼  │
//!           heir        left where nobody may ask again for a push that still runs: wait, claim
//! ```
//!
//! `threads` is the same for servers without a runtime.

mod arrival;
#[cfg(feature = "tokio")]
mod blocking;
#[cfg(feature = "tokio")]
mod delivery;
#[cfg(all(feature = "http", feature = "tokio"))]
mod http;
mod rules;
#[cfg(feature = "tokio")]
mod run;
mod span;
#[cfg(feature = "tokio")]
mod tasks;
#[cfg(feature = "threads")]
mod threads;

use std::fmt;

use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::reply::Reply;
use crate::store::Store;
#[cfg(feature = "tokio")]
pub use blocking::Blocking;
#[cfg(all(feature = "http", feature = "tokio"))]
pub use http::{ResponseBody, WebhookService};
use rules::{Bound, Rules};
pub use rules::{Cause, Failure, OnError, Policy};
#[cfg(feature = "tokio")]
pub use tasks::{Webhook, Webhooks, WebhooksBuilder};
#[cfg(feature = "threads")]
pub use threads::ThreadedWebhook;

/// The settings of a [`Webhook`](crate::Webhook), or of a [`ThreadedWebhook`](crate::ThreadedWebhook).
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use wechat_events::store::Memory;
/// use wechat_events::{AsyncHandler, Endpoint, OnError, Policy, Reply, Webhook};
///
/// struct Silent;
/// impl AsyncHandler for Silent {}
///
/// let webhook = Webhook::builder(Endpoint::plain("token")?, Silent)
///     .store(Memory::builder().entries(1 << 20).build())
///     .policy(Policy::Hold)
///     .interim(Reply::text("One moment, please. Send anything to see the answer."))
///     .on_error(OnError::Hold)
///     .on_late(|event, reply| {
///         tokio::spawn(async move { println!("customer service: to {}, {reply:?}", event.from_user) });
///     })
///     .on_failure(|failure| eprintln!("{failure}"))
///     .build();
/// # }
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct WebhookBuilder<H, S = Box<dyn Store>> {
    endpoint: Endpoint,
    handler: H,
    store: S,
    rules: Rules,
}

impl<H, S> WebhookBuilder<H, S> {
    /// What to do when the reply is not ready. Default: [`Policy::Hold`]; on threads [`Policy::Acknowledge`].
    ///
    /// Why that: what is acknowledged can be answered with the customer-service API only, which personal accounts do
    /// not have.
    pub fn policy(self, policy: Policy) -> Self {
        self.rule(|rules| rules.policy = policy)
    }

    /// What to acknowledge a push with whose reply is not ready, instead of `success`. None by default.
    ///
    /// Only where a reply is taken. The follower sees it at once, and the reply goes to
    /// [`on_late`](Self::on_late) afterwards: keep it there for the follower's next message if the account has no
    /// customer-service API.
    pub fn interim(self, reply: Reply) -> Self {
        self.rule(|rules| rules.interim = Some(reply))
    }

    /// What to do when the handler fails. Default: [`OnError::Hold`]; on threads [`OnError::Acknowledge`].
    pub fn on_error(self, on_error: OnError) -> Self {
        self.rule(|rules| rules.on_error = on_error)
    }

    /// Takes the replies that no delivery carries, each once. By default they are [reported](crate::Report::Late) as lost.
    ///
    /// Called in the task or thread of the run: return soon, and spawn what takes time. A panic in it is caught.
    ///
    /// ```standalone_crate
    /// # #[cfg(feature = "tokio")]
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// # use std::time::Duration;
    /// # use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Policy, Reply, Webhook};
    /// # struct Slow;
    /// # impl AsyncHandler for Slow {
    /// #     async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
    /// #         tokio::time::sleep(Duration::from_secs(30)).await;
    /// #         Ok(Reply::text("at last"))
    /// #     }
    /// # }
    /// let (late, mut outbox) = tokio::sync::mpsc::unbounded_channel();
    /// let webhook = Webhook::builder(Endpoint::plain("AAAAA")?, Slow)
    ///     .policy(Policy::Acknowledge)
    ///     .on_late(move |event, reply| late.send((event, reply)).unwrap_or_default())
    ///     .build();
    /// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
    /// let response = webhook.call("POST", query, include_bytes!("../../tests/pushes/text.xml")).await;
    /// assert_eq!(response.body, b"success");
    /// let (event, reply) = outbox.recv().await.unwrap();
    /// assert_eq!((&*event.from_user, reply), ("oqi1rLPx-bJ18oxc49j8USAghBVe", Reply::text("at last")));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// # }).unwrap();
    /// ```
    pub fn on_late(self, hook: impl Fn(Event<'static>, Reply) + Send + Sync + 'static) -> Self {
        self.rule(|rules| rules.on_late = Some(Box::new(hook)))
    }

    /// Takes what was not handled, with the reason. By default it goes to the endpoint's [report](Endpoint::on_report).
    ///
    /// Called for each run that fails, so up to three times for a push, and for a push that was not run at all. Return
    /// soon, and spawn what takes time. A panic in it is caught.
    ///
    /// See [`Failure`] for an example.
    pub fn on_failure(self, hook: impl Fn(Failure) + Send + Sync + 'static) -> Self {
        self.rule(|rules| rules.on_failure = Some(Box::new(hook)))
    }

    /// How many deliveries may be held at a time; beyond it pushes are acknowledged. Default: 256.
    ///
    /// A push that takes its 14 s holds one connection for 10 s and makes two time-outs, which WeChat counts. So 256
    /// are 25 slow pushes a second and 51 time-outs: a backend that hangs must not make WeChat pause the account
    /// (its bound is not published), nor take the connections away from who is fast. Chosen as half of nginx's
    /// 512 `worker_connections`.
    ///
    /// 0 holds none, neither slow pushes nor failed ones.
    pub fn max_held(self, deliveries: usize) -> Self {
        self.rule(|rules| rules.held = Bound::new(deliveries))
    }

    /// How many deliveries of one push may wait for its run; one more is answered 503. Default: 8.
    ///
    /// WeChat makes three, of which two at most are open at a time; a proxy that tries each request on three upstreams,
    /// as nginx's `proxy_next_upstream` does, makes nine in all. Who knows the bytes of a push, and a signature, could
    /// otherwise hold any number of connections by repeating it.
    ///
    /// One that was acknowledged while another's run was at it counts until that ends: somebody still waits for it, should
    /// the machine of the run die.
    pub fn max_joiners(self, deliveries: usize) -> Self {
        self.rule(|rules| rules.max_joiners = deliveries)
    }

    /// How many handlers may run at a time; beyond it pushes are answered 503. Default: 1024.
    ///
    /// Each that waits has a task, a copy of its push, and usually a connection to a backend: 1024 is the usual soft
    /// limit of open files. At 1 s each it is 1024 pushes a second. What is refused goes to
    /// [`on_failure`](Self::on_failure) as [`Cause::Busy`].
    ///
    /// A handler of a [`Webhook`](crate::Webhook) counts from when it first waits, so one for each thread of the runtime
    /// may come on top.
    pub fn max_running(self, handlers: usize) -> Self {
        self.rule(|rules| rules.running = Bound::new(handlers))
    }

    /// The time in seconds since 1970, for tests. Default: the system's.
    ///
    /// It is what replies are dated with, and what CreateTime and timestamps are compared with. Time-outs are measured
    /// on a monotonic clock instead: tokio's, on threads std's.
    pub fn wall_clock(self, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.rule(|rules| rules.wall_clock = Box::new(now))
    }

    fn rule(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(&mut self.rules);
        self
    }
}

impl<H, S> fmt::Debug for WebhookBuilder<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookBuilder").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
