//! What all accounts of a service share, and its builder.

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

/// What all accounts of a service share: the store, the limits, the policy and the shutdown.
///
/// Making an account costs next to nothing, so you can make one for each request, from credentials that you look up.
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
    /// A builder with the defaults, which suit one machine.
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

    /// Ends all accounts: accepts no new push, and waits for what is running.
    ///
    /// New pushes are answered 503, so that WeChat asks another machine; retries of running and finished pushes are
    /// answered as usual. Handlers have `grace` to end. Then the remaining ones are cancelled, which gives their pushes
    /// back and calls [`failed`](AsyncHandler::failed), and replies that wait for a delivery go to
    /// [`late`](AsyncHandler::late). The shutdown waits for both, and takes at most a second longer than `grace`.
    ///
    /// It also waits for a handler that blocks its thread. After `grace` that handler is cancelled when it next waits;
    /// one that never waits is left to answer its delivery.
    ///
    /// Call it while the HTTP server still answers, or right afterwards.
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
    /// The store in which deliveries meet. Default: [`Memory`], for one process.
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
    /// The reason for the default: after an acknowledgement only the customer-service API can reply, which personal
    /// accounts do not have.
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// What to do when the handler fails. Default: [`OnError::Hold`]; on threads [`OnError::Acknowledge`].
    pub fn on_error(self, on_error: OnError) -> Self {
        Self { on_error: Some(on_error), ..self }
    }

    /// Acknowledges a push whose reply is not ready with this reply instead of `success`. None by default.
    ///
    /// Only for pushes that take a reply. The user sees it at once, and the reply goes to [`late`](AsyncHandler::late)
    /// afterwards: if the account has no customer-service API, keep it there for the user's next message.
    pub fn interim(self, reply: Reply) -> Self {
        self.interim_with(move |_| Some(reply.clone()))
    }

    /// Chooses the interim reply for each push; `None` is `success`.
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

    /// The time after which a delivery that is not held is acknowledged. Default and maximum: 4.5 s.
    ///
    /// WeChat hangs up after 5 s; half a second is for the network. Choose less for a slow path, such as a chain of
    /// proxies.
    pub fn acknowledge_after(self, time: Duration) -> Self {
        self.set(|settings| settings.acknowledge_after = Some(time))
    }

    /// How many deliveries may be held at a time; more are acknowledged. Default: 256.
    ///
    /// A push that takes its 14 s holds one connection for 10 s and causes two timeouts, which WeChat counts. So 256
    /// mean 25 slow pushes and 51 timeouts a second: a backend that hangs must neither make WeChat pause the account
    /// (its limit is not published) nor take the connections away from fast pushes. Chosen as half of nginx's 512
    /// `worker_connections`.
    ///
    /// With 0 nothing is held, neither slow pushes nor failed ones.
    pub fn max_held(self, deliveries: usize) -> Self {
        self.set(|settings| settings.max_held = deliveries)
    }

    /// How many deliveries of one push may wait for its run besides the one that runs it; more are answered 503.
    /// Default: 8.
    ///
    /// WeChat makes three, with at most two open at a time; a proxy that tries each request on three upstreams, as
    /// nginx's `proxy_next_upstream` does, makes nine in all. Without a limit, anyone who knows the bytes of a push and
    /// a signature could hold any number of connections by repeating it.
    ///
    /// A delivery that was acknowledged during another machine's run counts until that run ends: it is still being
    /// waited for, in case that machine dies.
    pub fn max_joiners(self, deliveries: usize) -> Self {
        self.set(|settings| settings.max_joiners = deliveries)
    }

    /// How many handlers may run at a time; more pushes are answered 503. Default: 1024.
    ///
    /// Each has a copy of its push, and usually a connection to a backend: 1024 is the usual soft limit of open files.
    /// At 1 s each it is 1024 pushes a second. A refused push goes to [`failed`](AsyncHandler::failed) as
    /// [`Cause::Busy`](crate::Cause::Busy).
    pub fn max_running(self, handlers: usize) -> Self {
        self.set(|settings| settings.max_running = handlers)
    }

    /// How long a handler, and each call of its `late` and `failed`, may run before it is cancelled. Default: 10
    /// minutes.
    ///
    /// A handler that never ends keeps its place forever, and with all of [`max_running`](Self::max_running) taken no
    /// push is handled any more. With the defaults, 1024 places that are freed after 600 s withstand 1.7 hanging pushes
    /// a second. A user does not wait 10 minutes, but the reply can still be sent: the customer-service API accepts one
    /// within 48 hours of a message.
    ///
    /// The push goes to [`failed`](AsyncHandler::failed) as [`Cause::TooLong`](crate::Cause::TooLong). A handler that
    /// blocks its thread cannot be cancelled.
    pub fn max_run(self, time: Duration) -> Self {
        self.set(|settings| settings.max_run = time)
    }

    /// The runtime of the runs and the timers. Default: the one that polls the call.
    ///
    /// For servers with a runtime for each worker, such as actix-web and ntex: that runtime ends with its worker, and
    /// so do the handlers that WeChat no longer waits for. Pass one that stays until [`shutdown`](Webhooks::shutdown).
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

    /// The time in seconds since 1970, for tests. Default: the system's clock.
    ///
    /// Replies are dated with it, and CreateTime and timestamps are compared with it. Timeouts are measured on tokio's
    /// monotonic clock instead.
    pub fn wall_clock(self, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.wall_clock = Some(Box::new(now)))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Builds what the accounts share.
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
