//! What all accounts of a service share, and how it is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
#[cfg(feature = "threads")]
use tokio::sync::oneshot;

use super::account::Webhook;
use super::settings::{OnError, Policy, Settings};
use super::shared::Shared;
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::handler::AsyncHandler;
use crate::reply::Reply;
use crate::store::{Memory, Store};

/// What all accounts of a service share: the store, the bounds, the policy and the shutdown.
///
/// An account costs next to nothing to make, so it may be made for each request, from credentials that are looked up.
/// Cloning is cheap.
///
/// ```
/// use wechat_events::{AsyncHandler, Endpoint, Webhooks};
///
/// struct Shop(&'static str);
/// impl AsyncHandler for Shop {}
///
/// let webhooks = Webhooks::builder().build();
/// let books = webhooks.account(Endpoint::plain("the token of the book shop")?, Shop("books"));
/// let flowers = webhooks.account(Endpoint::plain("the token of the flower shop")?, Shop("flowers"));
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Webhooks(Arc<Shared>);

impl Webhooks {
    /// With the defaults, which suit one machine.
    ///
    /// ```
    /// let webhooks = wechat_events::Webhooks::builder().build();
    /// ```
    pub fn builder() -> WebhooksBuilder {
        WebhooksBuilder { store: Box::new(Memory::new()), settings: Settings::default(), policy: None, on_error: None }
    }

    /// The webhook of an account.
    #[must_use]
    pub fn account(&self, endpoint: Endpoint, handler: impl AsyncHandler + 'static) -> Webhook {
        Webhook::of(endpoint, Arc::clone(&self.0), handler)
    }

    /// Ends all accounts: takes no new push, and waits for what runs.
    ///
    /// New pushes are answered 503, so that WeChat asks another machine; retries of what runs or is done are answered
    /// as ever. Handlers have `grace` to end. Then those that still run are cancelled, which gives their pushes back
    /// and calls [`failed`](AsyncHandler::failed), and the replies that wait for a delivery go to
    /// [`late`](AsyncHandler::late). Both are waited for. Takes at most a second more than `grace`.
    ///
    /// A handler that keeps its thread is waited for like any other. After `grace` it is cancelled once it waits; one
    /// that never does is left to answer its delivery.
    ///
    /// Call it while the HTTP server still answers, or right after.
    ///
    /// ```standalone_crate
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # use std::time::Duration;
    /// # use wechat_events::Webhooks;
    /// let webhooks = Webhooks::builder().build();
    /// webhooks.shutdown(Duration::from_secs(10)).await;
    /// # });
    /// ```
    pub async fn shutdown(&self, grace: Duration) {
        self.0.shutdown(grace).await;
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").finish_non_exhaustive()
    }
}

/// The settings of [`Webhooks`].
///
/// ```
/// use std::time::Duration;
/// use wechat_events::store::Memory;
/// use wechat_events::{OnError, Policy, Reply, Webhooks};
///
/// let webhooks = Webhooks::builder()
///     .store(Memory::builder().entries(1 << 20).build())
///     .policy(Policy::Hold)
///     .interim(Reply::text("One moment, please. Send anything to see the answer."))
///     .on_error(OnError::Hold)
///     .max_run(Duration::from_secs(60))
///     .build();
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct WebhooksBuilder {
    store: Box<dyn Store>,
    settings: Settings,
    policy: Option<Policy>,
    on_error: Option<OnError>,
}

impl WebhooksBuilder {
    /// Where deliveries meet. Default: [`Memory`], for one process.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use wechat_events::Webhooks;
    /// # use wechat_events::store::Memory;
    /// let store = Arc::new(Memory::new()); // to be asked for its numbers
    /// let webhooks = Webhooks::builder().store(Arc::clone(&store)).build();
    /// assert_eq!(store.entries(), 0);
    /// ```
    pub fn store(self, store: impl Store + 'static) -> Self {
        Self { store: Box::new(store), ..self }
    }

    /// What to do when the reply is not ready. Default: [`Policy::Hold`]; on threads [`Policy::Acknowledge`].
    ///
    /// Why that: what is acknowledged can be answered with the customer-service API only, which personal accounts do
    /// not have.
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// What to do when the handler fails. Default: [`OnError::Hold`]; on threads [`OnError::Acknowledge`].
    pub fn on_error(self, on_error: OnError) -> Self {
        Self { on_error: Some(on_error), ..self }
    }

    /// What to acknowledge a push with whose reply is not ready, instead of `success`. None by default.
    ///
    /// Only where a reply is taken. The follower sees it at once, and the reply goes to
    /// [`late`](AsyncHandler::late) afterwards: keep it there for the follower's next message if the account has no
    /// customer-service API.
    pub fn interim(self, reply: Reply) -> Self {
        self.interim_with(move |_| Some(reply.clone()))
    }

    /// The same, chosen for each push; `None` is `success`.
    ///
    /// ```
    /// use wechat_events::{Reply, Webhooks};
    ///
    /// let webhooks = Webhooks::builder()
    ///     .interim_with(|event| (event.name() == "text").then(|| Reply::text("Let me think.")))
    ///     .build();
    /// ```
    pub fn interim_with(self, interim: impl Fn(&Event<'_>) -> Option<Reply> + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.interim = Some(Box::new(interim)))
    }

    /// How long after a delivery came it is acknowledged, unless it is held. Default, and most: 4.5 s.
    ///
    /// WeChat hangs up after 5 s; half a second is for the way there and back. Less suits a slow way, such as a chain
    /// of proxies.
    pub fn acknowledge_after(self, time: Duration) -> Self {
        self.set(|settings| settings.acknowledge_after = Some(time))
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
        self.set(|settings| settings.max_held = deliveries)
    }

    /// How many deliveries of one push may wait for its run beside the one that runs it; one more is answered 503.
    /// Default: 8.
    ///
    /// WeChat makes three, of which two at most are open at a time; a proxy that tries each request on three upstreams,
    /// as nginx's `proxy_next_upstream` does, makes nine in all. Who knows the bytes of a push, and a signature, could
    /// otherwise hold any number of connections by repeating it.
    ///
    /// One that was acknowledged while another machine's run was at it counts until that ends: somebody still waits for
    /// it, should that machine die.
    pub fn max_joiners(self, deliveries: usize) -> Self {
        self.set(|settings| settings.max_joiners = deliveries)
    }

    /// How many handlers may run at a time; beyond it pushes are answered 503. Default: 1024.
    ///
    /// Each has a copy of its push, and usually a connection to a backend: 1024 is the usual soft limit of open files.
    /// At 1 s each it is 1024 pushes a second. What is refused goes to [`failed`](AsyncHandler::failed) as
    /// [`Cause::Busy`](crate::Cause::Busy).
    pub fn max_running(self, handlers: usize) -> Self {
        self.set(|settings| settings.max_running = handlers)
    }

    /// How long a handler may run, and each call of its `late` and `failed`; then it is cancelled. Default: 10 minutes.
    ///
    /// A handler that never ends keeps its place for ever, and with all of [`max_running`](Self::max_running) taken the
    /// receiver is off. With the defaults 1024 places that come free after 600 s bear 1.7 pushes a second that hang.
    /// A handler that waits 10 minutes for its backend is far beyond what a follower waits for, but its reply can still
    /// be sent: the customer-service API takes one within 48 hours of a message.
    ///
    /// It goes to [`failed`](AsyncHandler::failed) as [`Cause::TooLong`](crate::Cause::TooLong). What keeps its thread
    /// cannot be cancelled.
    pub fn max_run(self, time: Duration) -> Self {
        self.set(|settings| settings.max_run = time)
    }

    /// The runtime of the runs and the timers. Default: the one in which a call is polled.
    ///
    /// For servers that have a runtime for each worker, such as actix-web and ntex: that ends with its worker, and
    /// takes along the handlers that WeChat no longer waits for. Give one that stays until
    /// [`shutdown`](Webhooks::shutdown).
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    /// use wechat_events::Webhooks;
    ///
    /// let webhooks = Webhooks::builder().runtime(runtime.handle().clone()).build();
    /// ```
    pub fn runtime(self, runtime: Handle) -> Self {
        self.set(|settings| settings.runtime = Some(runtime))
    }

    /// The time in seconds since 1970, for tests. Default: the system's.
    ///
    /// It is what replies are dated with, and what CreateTime and timestamps are compared with. Time-outs are measured
    /// on tokio's monotonic clock instead.
    pub fn wall_clock(self, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.wall_clock = Some(Box::new(now)))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Makes what the accounts share.
    #[must_use]
    pub fn build(self) -> Webhooks {
        let WebhooksBuilder { store, mut settings, policy, on_error } = self;
        settings.policy = policy.unwrap_or(Policy::Hold);
        settings.on_error = on_error.unwrap_or(OnError::Hold);
        Webhooks(Arc::new(Shared::new(store, settings, None)))
    }

    #[cfg(feature = "threads")]
    pub(super) fn max_running_set(&self) -> usize {
        self.settings.max_running
    }

    /// The same on a runtime that ends once `in_use` is dropped, with other defaults.
    #[cfg(feature = "threads")]
    pub(super) fn build_on(
        self,
        runtime: Handle,
        policy: Policy,
        on_error: OnError,
        in_use: oneshot::Sender<()>,
    ) -> Webhooks {
        let WebhooksBuilder { store, mut settings, policy: chosen, on_error: chosen_on_error } = self;
        settings.policy = chosen.unwrap_or(policy);
        settings.on_error = chosen_on_error.unwrap_or(on_error);
        settings.runtime = Some(runtime);
        Webhooks(Arc::new(Shared::new(store, settings, Some(in_use))))
    }
}

impl fmt::Debug for WebhooksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhooksBuilder").finish_non_exhaustive()
    }
}
