//! The webhook on tokio: tasks and timers.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::WebhookBuilder;
use super::arrival::Clock;
use super::delivery::{Delivery, Step};
use super::rules::{self, Rules, WIND_UP};
use super::run::Account;
use super::span::Span;
use crate::dedup::DedupKey;
use crate::endpoint::{Endpoint, Push, Received, Report, Response};
use crate::handler::AsyncHandler;
use crate::store::{Memory, Store};

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
/// | [`Policy::Acknowledge`](crate::Policy::Acknowledge), not ready in 4.5 s | 1 | `success` after 4.5 s; the reply goes to `on_late`, once |
/// | a delivery or its answer is lost, or repeated by a proxy | 1 | each delivery gets the same reply, sealed for itself |
/// | no delivery after the first, not ready when it ended | 1 | none; the reply goes to `on_late` 15.6 s after the push was first seen |
/// | the handler fails or panics | up to 3 | silence, so that the next delivery runs it again; after the last `success`. Each failure goes to [`on_failure`](WebhookBuilder::on_failure) |
/// | authentic, but no push | 0 | `success`; it goes to `on_failure` |
/// | the process dies | +1 | with a shared store a delivery that waits or comes runs it again; where the last one was acknowledged, whoever did that does so, and the reply goes to its `on_late` |
/// | the process dies after the last delivery | 1 | the reply is lost |
///
/// «Carried by a delivery» and «late» are one atomic step of the store: never both. WeChat may still have hung up in the
/// very moment in which a delivery answers; then it asks again and gets the reply again. On the last delivery it does
/// not ask again, and nobody learns of it.
///
/// A run may be repeated by a store that forgets: see [`Store`] for what that costs.
///
/// # Spans
/// With the feature `tracing` each delivery is a span `wechat_push`, in which the handler and the hooks of its run are
/// called. Its fields are told when the delivery ends, and none has a token, a key, a text or an OpenID:
///
/// | field | |
/// |---|---|
/// | `kind` | the event's [name](crate::Event::name) on the wire; absent if it is no push |
/// | `delivery` | which of WeChat's it is taken for: 1, 2 or 3 |
/// | `outcome` | what became of it, below |
/// | `left_ms` | milliseconds until WeChat hangs up; negative if it has |
///
/// | outcome | |
/// |---|---|
/// | `answered` | with what the handler said |
/// | `acknowledged` | with `success` or the interim reply, for there was no reply yet |
/// | `late` | with `success`, for the reply is one for `on_late` |
/// | `held` | 503, when WeChat had hung up, so that it asks again |
/// | `hung up` | 503: there was a reply, but WeChat had hung up |
/// | `failed` | as [`OnError`](crate::OnError) has it |
/// | `busy`, `refused`, `too many joiners`, `closing` | 503, at once |
/// | `gone` | not at all: the future was dropped |
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
/// - **A runtime for each worker**, as some servers have: a run is a task of the runtime that its call was polled in,
///   and dies with it. At a shutdown that is before the run has ended: poll calls in a runtime that stays, as the
///   example for actix-web does.
/// - **Handlers that keep their thread**, by file IO or long computations, belong into [`Blocking`](struct@crate::Blocking)
///   or `tokio::task::spawn_blocking`: a claim is not renewed meanwhile, so that on a shared store another machine takes
///   the push over after 4 s.
/// - **Task-locals** of the server are there until the handler first waits, and not afterwards.
#[derive(Clone)]
pub struct Webhook(pub(super) Arc<dyn Account>);

pub(super) struct Typed<H> {
    pub(super) endpoint: Endpoint,
    pub(super) shared: Arc<Shared>,
    pub(super) handler: H,
}

/// What all accounts of a webhook have in common.
pub(super) struct Shared {
    pub(super) store: Box<dyn Store>,
    pub(super) rules: Rules,
    /// [`START`], which is [`ZERO`].
    start: Instant,
    /// No new pushes.
    closing: AtomicBool,
    /// Of the runs that have begun, and have no task yet: how many.
    in_place: [Line; LINES],
    /// Tells a shutdown that one of them is no longer.
    left: Notify,
    /// True when there is no more time. Every task has a receiver.
    pub(super) stop: watch::Sender<bool>,
    /// Every task has a receiver while its handler works.
    pub(super) working: watch::Sender<()>,
    /// Of the runs that have a task, where these learn that a delivery was answered.
    runs: Mutex<HashMap<DedupKey, Arc<Answered>>>,
}

/// A count on a line of the cache of its own.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicUsize);

/// So many threads count their pushes without a line in common.
const LINES: usize = 16;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of this thread, among those that have run a push.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// A run that has no task yet, for which a shutdown waits until this is dropped.
pub(super) struct InPlace<'s> {
    shared: &'s Shared,
    line: &'s Line,
}

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        self.line.0.fetch_sub(1, Ordering::SeqCst);
        if self.shared.is_closing() {
            self.shared.left.notify_waiters();
        }
    }
}

/// From when webhooks count: all of a process alike, for they may have a store in common.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// That moment in milliseconds. Not 0: of two runtimes whose clocks are paused one may be behind it.
const ZERO: u64 = 1 << 40;

/// tokio's.
impl Clock for Shared {
    fn now(&self) -> u64 {
        let now = Instant::now();
        match now.checked_duration_since(self.start) {
            Some(since) => ZERO.saturating_add(rules::millis(since)),
            None => ZERO.saturating_sub(rules::millis(self.start - now + Duration::from_nanos(999_999))),
        }
    }
}

impl Shared {
    pub(super) fn instant(&self, at: u64) -> Instant {
        let before = Duration::from_millis(ZERO.saturating_sub(at));
        let moment = self.start + Duration::from_millis(at.saturating_sub(ZERO));
        moment.checked_sub(before).unwrap_or(moment)
    }

    /// Seconds since 1970.
    pub(super) fn wall(&self) -> i64 {
        (self.rules.wall_clock)()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Lets a run begin in place, unless it is too late for new ones.
    ///
    /// It is counted before it looks: either it sees the shutdown, or the shutdown sees it.
    pub(super) fn begin(&self) -> Option<InPlace<'_>> {
        let [first, ..] = &self.in_place;
        let line = self.in_place.get(THREAD.with(|thread| thread % LINES)).unwrap_or(first);
        line.0.fetch_add(1, Ordering::SeqCst);
        Some(InPlace { shared: self, line }).filter(|_| !self.is_closing())
    }

    /// Ends, in a shutdown, when no run is in place any more: all are done, or have tasks.
    async fn none_in_place(&self) {
        loop {
            let left = self.left.notified();
            if self.in_place.iter().all(|line| line.0.load(Ordering::SeqCst) == 0) {
                return;
            }
            left.await;
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<DedupKey, Arc<Answered>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the task that runs a push, if this process has one, that a delivery was answered, with its reply or without.
    pub(super) fn tell(&self, key: DedupKey) {
        if let Some(answered) = self.runs().get(&key) {
            answered.tell();
        }
    }
}

/// Where the task of a run learns that a delivery was answered. Without the reply, if there is none yet.
#[derive(Default)]
struct Answered {
    is_so: AtomicBool,
    told: Notify,
}

impl Answered {
    fn tell(&self) {
        self.is_so.store(true, Ordering::Release);
        self.told.notify_one();
    }
}

/// A run's place among those that deliveries can [tell](Shared::tell) something.
pub(super) struct Listed {
    shared: Arc<Shared>,
    key: DedupKey,
    answered: Arc<Answered>,
}

impl Listed {
    pub(super) fn new(shared: &Arc<Shared>, key: DedupKey) -> Listed {
        let answered = Arc::default();
        shared.runs().insert(key, Arc::clone(&answered));
        Listed { shared: Arc::clone(shared), key, answered }
    }

    pub(super) fn tell(&self) {
        self.answered.tell();
    }

    pub(super) fn was_answered(&self) -> bool {
        self.answered.is_so.load(Ordering::Acquire)
    }

    /// Ends once somebody has told it.
    pub(super) async fn told(&self) {
        self.answered.told.notified().await;
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut runs = self.shared.runs();
        // Another run may stand there, which has taken the push over.
        if runs.get(&self.key).is_some_and(|listed| Arc::ptr_eq(listed, &self.answered)) {
            runs.remove(&self.key);
        }
    }
}

impl Webhook {
    /// One account, with the defaults.
    ///
    /// ```
    /// use wechat_events::{AsyncHandler, Endpoint, Webhook};
    ///
    /// struct Silent;
    /// impl AsyncHandler for Silent {}
    ///
    /// let webhook = Webhook::new(Endpoint::plain("token")?, Silent);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn new(endpoint: Endpoint, handler: impl AsyncHandler + 'static) -> Webhook {
        Webhook::builder(endpoint, handler).build()
    }

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
        WebhookBuilder { endpoint, handler, store: Box::new(Memory::new()), rules: Rules::default() }
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
    /// | 500, no body | the handler failed, with [`OnError::Status500`](crate::OnError::Status500) |
    /// | 400, 403, 405, 413, no body | not WeChat's: see [`Endpoint::receive`] |
    ///
    /// # Panics
    /// Outside of a tokio runtime with its timers enabled.
    pub async fn call(&self, method: &str, query: &str, body: &[u8]) -> Response {
        let (endpoint, wall) = (self.0.endpoint(), self.0.shared().wall());
        match endpoint.receive_here(method, query, body, wall) {
            Ok(Received::Push(push)) => self.deliver(&push, wall).await,
            Ok(Received::Answer(answer)) => answer,
            Err(error) => {
                endpoint.report(&Report::Rejected { error: &error });
                Response::status(error.status())
            }
        }
    }

    async fn deliver(&self, push: &Push<'_>, wall: i64) -> Response {
        let mut delivery = Delivery::new(self, push, wall);
        let span = delivery.span();
        match poll_fn(|context| Poll::Ready(span.in_scope(|| delivery.begin(context)))).await {
            Step::Answer(response) => response,
            step => boxed(span, delivery, step).await,
        }
    }

    /// Ends all accounts of this webhook: takes no new push, and waits for what runs.
    ///
    /// New pushes are answered 503, so that WeChat asks another machine; retries of what runs or is done are answered
    /// as ever. Handlers have `grace` to end. Then those that still run are cancelled, which gives their pushes back
    /// and calls [`on_failure`](WebhookBuilder::on_failure), and the replies that wait for a delivery go to
    /// [`on_late`](WebhookBuilder::on_late). Takes at most a second more than `grace`.
    ///
    /// A handler that keeps its thread is waited for like any other. After `grace` it is cancelled once it waits; one that
    /// never does is left to answer its delivery.
    ///
    /// Call it while the HTTP server still answers, or right after. What a hook has spawned is not waited for.
    ///
    /// ```standalone_crate
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
        shared.closing.store(true, Ordering::SeqCst);
        // Both ways out of a wait lead on.
        let _ = timeout(grace, async {
            shared.none_in_place().await;
            shared.working.closed().await;
        })
        .await;
        shared.stop.send_replace(true);
        let _ = timeout(WIND_UP, async {
            shared.none_in_place().await;
            shared.stop.closed().await;
        })
        .await;
    }
}

/// What all accounts of a service share.
///
/// ```
/// use wechat_events::{AsyncHandler, Endpoint, Webhooks};
///
/// struct Silent;
/// impl AsyncHandler for Silent {}
///
/// let webhook = Webhooks::builder().build().account(Endpoint::plain("token")?, Silent);
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Webhooks(Webhook);

/// Makes `Webhooks`.
#[derive(Debug)]
pub struct WebhooksBuilder;

impl WebhooksBuilder {
    /// Makes them.
    #[must_use]
    pub fn build(self) -> Webhooks {
        struct Nobody;
        impl AsyncHandler for Nobody {}
        #[expect(clippy::unwrap_used, reason = "a shim")]
        Webhooks(Webhook::new(Endpoint::plain("shim").unwrap(), Nobody))
    }
}

impl Webhooks {
    /// With the defaults.
    #[must_use]
    pub fn builder() -> WebhooksBuilder {
        WebhooksBuilder
    }

    /// One account.
    #[must_use]
    pub fn account(&self, endpoint: Endpoint, handler: impl AsyncHandler + 'static) -> Webhook {
        self.0.with(endpoint, handler)
    }

    /// As [`Webhook::shutdown`].
    pub async fn shutdown(&self, grace: Duration) {
        self.0.shutdown(grace).await;
    }
}

/// What waits, elsewhere: a server carries no room for it around with every request, nor does the stack.
#[inline(never)]
fn boxed<'w>(span: Span, delivery: Delivery<'w>, step: Step<'w>) -> Pin<Box<impl Future<Output = Response>>> {
    Box::pin(span.instrument(delivery.go_on(step)))
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("endpoint", self.0.endpoint()).finish_non_exhaustive()
    }
}

impl<H: AsyncHandler + 'static> WebhookBuilder<H, Box<dyn Store>> {
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
        Self { store: Box::new(store), ..self }
    }

    /// Makes the webhook.
    #[must_use]
    pub fn build(self) -> Webhook {
        let WebhookBuilder { endpoint, handler, store, rules } = self;
        let shared = Shared {
            store,
            rules,
            start: *START,
            closing: AtomicBool::new(false),
            in_place: Default::default(),
            left: Notify::new(),
            stop: watch::Sender::new(false),
            working: watch::Sender::new(()),
            runs: Mutex::default(),
        };
        Webhook(Arc::new(Typed { endpoint, handler, shared: Arc::new(shared) }))
    }
}
