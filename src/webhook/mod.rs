//! One push, one run, one answer: an [`Endpoint`], a handler and a [`Store`] under WeChat's five-second rule.
//!
//! ```text
//!  call ──▶ delivery  claim: new? running? done?  wait, hold, acknowledge, carry
//!               │ new
//!               ▼
//!              run    the handler, polled once in place, then in a task of its own: renew, finish, release, late
//! ```

mod delivery;
mod rules;
mod run;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::endpoint::{Endpoint, Received, Report, Response};
use crate::event::Event;
use crate::handler::AsyncHandler;
use crate::reply::Reply;
use crate::store::{Memory, Store};
use delivery::Delivery;
use rules::{Bound, Rules};
pub use rules::{Cause, Failure, OnError, Policy};
pub use run::Blocking;
use run::{Account, Clock};

/// After a shutdown's grace, for tasks to write down what became of them: some operations of a store.
const WIND_UP: Duration = Duration::from_secs(1);

/// An [`Endpoint`] and a handler, under WeChat's five-second rule: each push is run once, and its retries get its reply.
///
/// WeChat hangs up after 5 s and asks again, three times in all. The first delivery runs the handler, in a task of its
/// own as soon as it has to wait for anything; the others join, and whichever is waiting when the reply is ready
/// carries it. So a handler has some 14 s without a customer-service API, and as long as it likes with one.
///
/// Cloning is cheap. Call it from any HTTP server that runs on tokio, one [`call`](Webhook::call) for each request.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use wechat_events::event::Text;
/// use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};
///
/// struct Slow;
///
/// impl AsyncHandler for Slow {
///     async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
///         tokio::time::sleep(Duration::from_secs(8)).await;
///         Ok(Reply::text(format!("After some thought: {}", text.content)))
///     }
/// }
///
/// let webhook = Webhook::builder(Endpoint::plain("AAAAA")?, Slow).wall_clock(|| 1714037060).build();
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let body = b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName>\
///              <CreateTime>1714037059</CreateTime><MsgType>text</MsgType><Content>hi</Content></xml>";
///
/// // WeChat hangs up after five seconds and asks again, and the handler is not run again:
/// let hung_up = tokio::time::timeout(Duration::from_secs(5), webhook.call("POST", query, body)).await;
/// assert!(hung_up.is_err());
/// let response = webhook.call("POST", query, body).await;
/// assert_eq!((response.status, response.content_type), (200, "text/xml"));
/// # Ok::<(), wechat_events::ConfigError>(())
/// # }).unwrap();
/// ```
///
/// # What is guaranteed
/// With the defaults, a store that remembers, and WeChat's usual schedule:
///
/// | situation | runs | answer |
/// |---|---|---|
/// | ready within 5 s | 1 | the reply, to the first delivery |
/// | ready within 10 s | 1 | the reply, to the second; WeChat saw one time-out |
/// | ready within 14.5 s | 1 | the reply, to the third; WeChat saw two |
/// | ready later | 1 | `success` or the [interim](WebhookBuilder::interim) reply to the third; the reply goes to [`on_late`](WebhookBuilder::on_late), once |
/// | a push that takes no reply, not ready in 4.5 s | 1 | `success` after 4.5 s; the handler goes on |
/// | [`Policy::Acknowledge`], not ready in 4.5 s | 1 | `success` after 4.5 s; the reply goes to `on_late`, once |
/// | a delivery or its answer is lost, or repeated by a proxy | 1 | each delivery gets the same reply, sealed for itself |
/// | no delivery after the first, not ready when it ended | 1 | none; the reply goes to `on_late` 15.6 s after the push was first seen |
/// | the handler fails or panics | up to 3 | silence, so that the next delivery runs it again; after the last `success`. Each failure goes to [`on_failure`](WebhookBuilder::on_failure) |
/// | authentic, but no push | 0 | `success`; it goes to `on_failure` |
/// | the process dies | +1 | with a shared store the next delivery, or one that waits, runs it again |
/// | the process dies after the last delivery | 1 | the reply is lost |
///
/// «Carried by a delivery» and «late» are one atomic step of the store: never both. WeChat may still have hung up in the
/// very moment in which a delivery answers; then it asks again and gets the reply again. On the last delivery it does
/// not ask again, and nobody learns of it.
///
/// A run may be repeated by a store that forgets: see [`Store`] for what that costs.
///
/// # What it does not do
/// - **Serverless platforms** freeze a process once it has answered: nothing goes on, neither a run nor a late reply.
///   Use [`Endpoint::respond`] there.
/// - **A double tap** on a menu button within one second sends the same bytes twice: one push, one run, and both taps
///   get the reply.
/// - **Subscribe, unsubscribe, subscribe within one second** is the one case taken wrongly: the second subscribe has
///   the bytes of the first, and is taken for its retry.
/// - **Clocks:** a push whose CreateTime is 9 s ago or more is taken for its last delivery and no longer held. A
///   machine whose clock is fast by so much never holds: keep it set.
/// - **Task-locals** of the server are there until the handler first waits, and not afterwards.
#[derive(Clone)]
pub struct Webhook(Arc<dyn Account>);

struct Typed<H> {
    endpoint: Endpoint,
    shared: Arc<Shared>,
    handler: H,
}

/// What all accounts of a webhook have in common.
struct Shared {
    rules: Rules,
    clock: Clock,
    /// No new pushes.
    closing: AtomicBool,
    /// True when there is no more time. Every task has a receiver.
    stop: watch::Sender<bool>,
    /// Every task has a receiver while its handler works.
    working: watch::Sender<()>,
}

impl Shared {
    /// Milliseconds.
    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn instant(&self, at: u64) -> Instant {
        self.clock.instant(at)
    }

    /// Seconds since 1970.
    fn wall(&self) -> i64 {
        (self.rules.wall_clock)()
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

impl Webhook {
    /// With the defaults, which suit one machine and an account without a customer-service API.
    ///
    /// ```
    /// use wechat_events::{AsyncHandler, Endpoint, Webhook};
    ///
    /// struct Silent;
    /// impl AsyncHandler for Silent {}
    ///
    /// let webhook = Webhook::builder(Endpoint::plain("token")?, Silent).build();
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn builder<H: AsyncHandler + 'static>(endpoint: Endpoint, handler: H) -> WebhookBuilder<H> {
        WebhookBuilder {
            endpoint,
            handler,
            rules: Rules {
                store: Box::new(Memory::new()),
                policy: Policy::default(),
                interim: None,
                on_error: OnError::default(),
                on_late: None,
                on_failure: None,
                max_joiners: 8,
                held: Bound::new(256),
                running: Bound::new(1024),
                wall_clock: Box::new(system_time),
            },
        }
    }

    /// The same for another account: its own endpoint and handler, on the same store, bounds and hooks.
    ///
    /// ```
    /// use wechat_events::{AsyncHandler, Endpoint, Webhook};
    ///
    /// struct Silent;
    /// impl AsyncHandler for Silent {}
    ///
    /// let shop = Webhook::builder(Endpoint::plain("the shop's token")?, Silent).build();
    /// let support = shop.with(Endpoint::plain("the support's token")?, Silent);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with<H: AsyncHandler + 'static>(&self, endpoint: Endpoint, handler: H) -> Webhook {
        Webhook(Arc::new(Typed { endpoint, handler, shared: Arc::clone(self.0.shared()) }))
    }

    /// Answers a request: its method, what follows the `?` of its address, and its whole body.
    ///
    /// May take up to 6 s. Drop the future when the peer hangs up, as HTTP servers do by themselves: the handler goes on.
    /// Never fails; what the network is not told goes to the hooks and to the endpoint's
    /// [report](Endpoint::on_report).
    ///
    /// | answer | when |
    /// |---|---|
    /// | 200 and the reply, `success` or nothing | the push is handled, or acknowledged |
    /// | 503, no body | nobody is to read it: held until WeChat had hung up; or too many handlers, too many joiners, a store that refuses, a shutdown |
    /// | 500, no body | the handler failed, with [`OnError::Status500`] |
    /// | 400, 403, 405, 413, no body | not WeChat's: see [`Endpoint::receive`] |
    ///
    /// # Panics
    /// Outside of a tokio runtime with its timers enabled.
    pub async fn call(&self, method: &str, query: &str, body: &[u8]) -> Response {
        let (endpoint, wall) = (self.0.endpoint(), self.0.shared().wall());
        match endpoint.receive(method, query, body, wall) {
            Ok(Received::Push(push)) => self.deliver(&push, wall).await,
            Ok(Received::Answer(answer)) => answer,
            Err(error) => {
                endpoint.report(&Report::Rejected { error: &error });
                Response::status(error.status())
            }
        }
    }

    #[cfg(not(feature = "tracing"))]
    async fn deliver(&self, push: &crate::endpoint::Push<'_>, wall: i64) -> Response {
        Delivery::new(self, push, wall).answer().await
    }

    #[cfg(feature = "tracing")]
    async fn deliver(&self, push: &crate::endpoint::Push<'_>, wall: i64) -> Response {
        use tracing::field::Empty;
        let span = tracing::info_span!("wechat_push", kind = Empty, delivery = Empty, outcome = Empty, left_ms = Empty);
        let delivery = Delivery::new(self, push, wall, span.clone());
        tracing::Instrument::instrument(delivery.answer(), span).await
    }

    /// Ends all accounts of this webhook: takes no new push, and waits for what runs.
    ///
    /// New pushes are answered 503, so that WeChat asks another machine; retries of what runs or is done are answered
    /// as ever. Handlers have `grace` to end. Then those that still run are cancelled, which gives their pushes back
    /// and calls [`on_failure`](WebhookBuilder::on_failure), and the replies that wait for a delivery go to
    /// [`on_late`](WebhookBuilder::on_late). Takes at most a second more than `grace`.
    ///
    /// Call it while the HTTP server still answers, or right after. What a hook has spawned is not waited for.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # use std::time::Duration;
    /// # use wechat_events::{AsyncHandler, Endpoint, Webhook};
    /// # struct Silent;
    /// # impl AsyncHandler for Silent {}
    /// let webhook = Webhook::builder(Endpoint::plain("AAAAA")?, Silent).build();
    /// webhook.shutdown(Duration::from_secs(10)).await;
    /// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
    /// assert_eq!(webhook.call("POST", query, include_bytes!("../../tests/pushes/text.xml")).await.status, 503);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// # }).unwrap();
    /// ```
    pub async fn shutdown(&self, grace: Duration) {
        let shared = self.0.shared();
        shared.closing.store(true, Ordering::Release);
        // Both ways out of the wait lead on.
        let _ = timeout(grace, shared.working.closed()).await;
        shared.stop.send_replace(true);
        let _ = timeout(WIND_UP, shared.stop.closed()).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock that a webhook has unless it is given another")]
fn system_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("endpoint", self.0.endpoint()).finish_non_exhaustive()
    }
}

/// The settings of a [`Webhook`].
///
/// ```
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
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct WebhookBuilder<H> {
    endpoint: Endpoint,
    handler: H,
    rules: Rules,
}

impl<H: AsyncHandler + 'static> WebhookBuilder<H> {
    /// Where deliveries meet. Default: [`Memory`], for one process.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use wechat_events::store::Memory;
    /// # use wechat_events::{AsyncHandler, Endpoint, Webhook};
    /// # struct Silent;
    /// # impl AsyncHandler for Silent {}
    /// let store = Arc::new(Memory::new()); // to be asked for its numbers
    /// let webhook = Webhook::builder(Endpoint::plain("token")?, Silent).store(Arc::clone(&store)).build();
    /// assert_eq!(store.entries(), 0);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn store(self, store: impl Store + 'static) -> Self {
        self.rule(|rules| rules.store = Box::new(store))
    }

    /// What to do when the reply is not ready. Default: [`Policy::Hold`].
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

    /// What to do when the handler fails. Default: [`OnError::Hold`].
    pub fn on_error(self, on_error: OnError) -> Self {
        self.rule(|rules| rules.on_error = on_error)
    }

    /// Takes the replies that no delivery carries, each once. By default they are [reported](Report::Late) as lost.
    ///
    /// Called in the task of the run: return soon, and spawn what takes time. A panic in it is caught.
    ///
    /// ```
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
    pub fn max_joiners(self, deliveries: usize) -> Self {
        self.rule(|rules| rules.max_joiners = deliveries)
    }

    /// How many handlers may run at a time; beyond it pushes are answered 503. Default: 1024.
    ///
    /// Each that waits has a task, a copy of its push, and usually a connection to a backend: 1024 is the usual soft
    /// limit of open files. At 1 s each it is 1024 pushes a second. What is refused goes to
    /// [`on_failure`](Self::on_failure) as [`Cause::Busy`].
    pub fn max_running(self, handlers: usize) -> Self {
        self.rule(|rules| rules.running = Bound::new(handlers))
    }

    /// The time in seconds since 1970, for tests. Default: the system's.
    ///
    /// It is what replies are dated with, and what CreateTime and timestamps are compared with. Time-outs are measured
    /// on tokio's clock instead.
    pub fn wall_clock(self, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.rule(|rules| rules.wall_clock = Box::new(now))
    }

    /// Makes the webhook.
    #[must_use]
    pub fn build(self) -> Webhook {
        let WebhookBuilder { endpoint, handler, rules } = self;
        let shared = Shared {
            rules,
            clock: Clock::new(),
            closing: AtomicBool::new(false),
            stop: watch::Sender::new(false),
            working: watch::Sender::new(()),
        };
        Webhook(Arc::new(Typed { endpoint, handler, shared: Arc::new(shared) }))
    }

    fn rule(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(&mut self.rules);
        self
    }
}

impl<H> fmt::Debug for WebhookBuilder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookBuilder").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
