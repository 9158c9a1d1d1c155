//! The webhook of one account.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::Delivery;
use super::settings::Settings;
use super::shared::{Shared, within};
use super::task::{Account, Typed};
use crate::endpoint::{Endpoint, Received, Response};
use crate::handler::AsyncHandler;
use crate::store::Memory;

/// Runs each push once under WeChat's five-second rule, and answers its retries with the same reply.
///
/// A webhook is an [`Endpoint`] and a handler. WeChat hangs up after 5 s and retries, with three deliveries in all. The
/// first one runs the handler, which becomes a task as soon as it has to wait. The other deliveries join it, and
/// whichever is waiting when the reply is ready carries it. So a handler has about 14 s, or with a customer-service API
/// as long as it likes.
///
/// Cloning is cheap. Call it from any HTTP server that runs on tokio, one [`call`](Webhook::call) for each request.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use wechat_events::event::Text;
/// use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhooks};
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
/// let webhooks = Webhooks::builder().wall_clock(|| 1714037060).build();
/// let webhook = webhooks.account(Endpoint::plain("AAAAA")?, Slow);
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let body = b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName>\
///              <CreateTime>1714037059</CreateTime><MsgType>text</MsgType><Content>hi</Content></xml>";
///
/// // WeChat hangs up after five seconds and retries, and the handler is not run again:
/// let hung_up = tokio::time::timeout(Duration::from_secs(5), webhook.call("POST", query, body)).await;
/// assert!(hung_up.is_err());
/// let response = webhook.call("POST", query, body).await;
/// assert_eq!((response.status, response.content_type), (200, "text/xml"));
/// # Ok::<(), wechat_events::ConfigError>(())
/// # }).unwrap();
/// ```
///
/// # What is guaranteed
/// With the defaults, a store that keeps its entries, and WeChat's usual schedule:
///
/// | situation | runs | answer |
/// |---|---|---|
/// | ready within 5 s | 1 | the reply, to the first delivery |
/// | ready within 10 s | 1 | the reply, to the second; WeChat saw one timeout |
/// | ready within 14.5 s | 1 | the reply, to the third; WeChat saw two timeouts |
/// | ready later | 1 | `success` or the [interim](crate::WebhooksBuilder::interim) reply to the third; the reply goes to the handler's [`late`](AsyncHandler::late), once |
/// | a push that takes no reply, not ready in 4.5 s | 1 | `success` after 4.5 s; the handler keeps running |
/// | [`Policy::Acknowledge`](crate::Policy::Acknowledge), not ready in 4.5 s | 1 | `success` after 4.5 s; the reply goes to `late`, once |
/// | a delivery or its answer is lost, or repeated by a proxy | 1 | each delivery gets the same reply, encrypted anew |
/// | no second delivery comes, and the first ended before the reply was ready | 1 | none; the reply goes to `late` 15.6 s after the push was first seen |
/// | the handler fails, panics, or takes longer than [`max_run`](crate::WebhooksBuilder::max_run) | up to 3 | none, so that the next delivery runs it again; `success` after the last. Each failure goes to the handler's [`failed`](AsyncHandler::failed) |
/// | a handler is done, but another run has taken over its push | +1 | the other run's reply; this one goes to `failed`, as [`Cause::Superseded`](crate::Cause::Superseded) |
/// | a payment (`xpay_…`, `minigame_…`), not ready in 2.5 s, or failed | 1 for each delivery that finds none | a code that makes WeChat push again: after 2.5 s, or at once on failure. The next delivery joins the run or starts one; a finished answer waits for the next delivery, and never goes to `late` |
/// | authentic, but not a valid push | 0 | `success`; it goes to `failed` |
/// | the process dies | +1 | with a shared store, a waiting or later delivery runs it again; if the last one was acknowledged, the process that did so runs it, and the reply goes to its `late` |
/// | the process dies after the last delivery | 1 | the reply is lost |
///
/// Each reply is either carried by a delivery or goes to `late`, never both: the store decides it in one atomic step.
/// WeChat may still hang up at the very moment in which a delivery answers. Then it retries and gets the reply again;
/// after the last delivery it does not retry, and nothing shows that the reply was lost.
///
/// A store that forgets may repeat a run: see [`Store`](crate::store::Store) for what that costs.
///
/// # Spans
/// With the feature `tracing` each delivery is a span `wechat_push`, in which the handler of its run is called. The
/// first three fields are set before that, so that the handler's own logs have them, the others at the end. None
/// contains a token, a key, a text or an OpenID:
///
/// | field | meaning |
/// |---|---|
/// | `kind` | the event's [name](crate::Event::name) on the wire; absent if it is not a valid push |
/// | `push` | the first 8 digits of its [key](crate::DedupKey): the same for all its deliveries, on all machines |
/// | `account` | ToUserName, `gh_…`; absent if the push has none |
/// | `delivery` | which delivery of the push this seems to be: 1, 2 or 3; for a payment one more than its `RetryTimes`, absent if it has none |
/// | `joined` | `true` if another delivery started the run that this one waited for, or the answer was known; else absent |
/// | `outcome` | how the delivery ended, see below |
/// | `left_ms` | milliseconds until WeChat hangs up; negative if it has |
///
/// | outcome | how it was answered |
/// |---|---|
/// | `answered` | with the handler's reply |
/// | `acknowledged` | with `success`, the interim reply, or a payment's "not yet", because there was no reply yet |
/// | `late` | with `success`, because the reply goes to `late` |
/// | `held` | 503 after WeChat had hung up, so that it retries |
/// | `hung up` | 503: there was a reply, but WeChat had hung up |
/// | `failed` | as [`OnError`](crate::OnError) says |
/// | `busy`, `refused`, `too many joiners`, `closing` | 503, at once |
/// | `gone` | not answered: the future was dropped |
///
/// # Events
/// With the feature `tracing` and the target `wechat_events`. Events of `DEBUG` are for counters: see the
/// [recipe](crate::guide::recipes#logs-and-metrics). The others are [reports](crate::Report), and do not become events
/// if a [hook](Endpoint::on_report) takes them.
///
/// | name | level | fields | when |
/// |---|---|---|---|
/// | `wechat_refused` | `INFO` | `error`, `status`, `reason` | a request was refused; `error` is the name of the [`RequestError`](crate::RequestError)'s variant |
/// | `wechat_run` | `DEBUG` | `kind`, `run`, `result`, `seconds` | a handler ended: `replied`, `failed`, `panicked`, `too long` or `cancelled` |
/// | `wechat_late` | `DEBUG` | `kind` | a reply is too late for any delivery, and goes to `late` |
/// | `wechat_unwritten` | `WARN` | `kind`, `reason` | a reply was not written as asked |
/// | `wechat_failed` | `ERROR` | `kind`, `reason` | a handler failed, and `failed` did not take it |
/// | `wechat_lost` | `ERROR` | `kind` | a reply was too late, and `late` did not take it |
/// | `wechat_unparsable` | `ERROR` | `bytes`, `reason` | authentic, but not a valid push, and `failed` did not take it |
/// | `wechat_unsealed` | `ERROR` | `kind`, `reason` | a reply could not be encrypted |
///
/// # What it does not do
/// - **Serverless platforms** freeze a process once it has answered, and with it any run or late reply. Use
///   [`Endpoint::respond_async`] there.
/// - **A double tap** on a menu button within one second sends the same bytes twice: one push, one run, and both taps
///   get the reply.
/// - **Subscribe, unsubscribe, subscribe within one second** is the one case handled wrongly: the second subscribe has
///   the same bytes as the first, and is taken for its retry.
/// - **Clocks:** a push whose CreateTime is 9 s ago or more is taken for its last delivery and not held. On a machine
///   whose clock is that fast nothing is ever held: synchronise it.
/// - **A runtime for each worker**, as some servers have: a run is a task of the runtime that its call was polled in,
///   and dies with it, which at a shutdown is before the run has ended. Give the builder a
///   [runtime](crate::WebhooksBuilder::runtime) that stays.
/// - **Handlers that block their thread** with file IO or long computations belong in
///   [`Blocking`](struct@crate::Blocking) or `tokio::task::spawn_blocking`: the claim is not renewed while they block,
///   so with a shared store another machine takes over the push after 4 s.
/// - **Task-locals** of the server are available until the handler first waits, and not afterwards.
#[doc(alias("重试", "五秒"))]
#[derive(Clone)]
pub struct Webhook(Arc<dyn Account>);

impl Webhook {
    /// A webhook for a service with one account and one machine, with the default settings. For other settings or
    /// several accounts, see [`Webhooks`](crate::Webhooks).
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
    ///
    /// Wrap a [`Handler`](crate::Handler) in [`Blocking`](struct@crate::Blocking). Without it:
    /// ```compile_fail,E0277
    /// # use wechat_events::{Endpoint, Handler, Webhook};
    /// struct Silent;
    /// impl Handler for Silent {}
    ///
    /// let webhook = Webhook::new(Endpoint::plain("token")?, Silent);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn new(endpoint: Endpoint, handler: impl AsyncHandler + 'static) -> Webhook {
        let shared = Shared::new(Box::new(Memory::new()), Settings::default(), None);
        Webhook::of(endpoint, Arc::new(shared), handler)
    }

    pub(super) fn of(endpoint: Endpoint, shared: Arc<Shared>, handler: impl AsyncHandler + 'static) -> Webhook {
        Webhook(Arc::new(Typed { endpoint, shared, handler }))
    }

    /// Answers a request, given its method, the part of its URL after the `?`, and its whole body.
    ///
    /// May take up to 6 s. Drop the future when the client hangs up, as HTTP servers do by themselves: the handler
    /// keeps running. Never fails; reasons go to the handler's [`failed`](crate::AsyncHandler::failed) and to the
    /// endpoint's [report](Endpoint::on_report), not to the sender.
    ///
    /// | answer | when |
    /// |---|---|
    /// | 200 and the reply, `success` or nothing | the push is handled, or acknowledged |
    /// | 503, no body | nobody should read it: WeChat has hung up; or too many handlers, too many joiners, a store that refuses, a shutdown |
    /// | 500, no body | the handler failed, with [`OnError::Status500`](crate::OnError::Status500) |
    /// | 400, 403, 405, 413, no body | not from WeChat: see [`Endpoint::receive`] |
    ///
    /// # Panics
    /// Outside a tokio runtime with timers enabled, unless the builder was given
    /// [one](crate::WebhooksBuilder::runtime).
    pub async fn call(&self, method: &str, query: &str, body: &[u8]) -> Response {
        let (endpoint, settings) = (self.0.endpoint(), &self.0.shared().settings);
        let wall = settings.wall();
        match endpoint.receive(method, query, body, wall) {
            Ok(Received::Push(push)) => {
                let mut delivery = Delivery::new(&self.0, &push, wall);
                let span = delivery.span();
                let mut response = pin!(delivery.respond());
                let runtime = settings.runtime.as_ref();
                poll_fn(|context| within(runtime, || span.in_scope(|| response.as_mut().poll(context)))).await
            }
            Ok(Received::Answer(answer)) => answer,
            Err(error) => endpoint.refuse(&error),
        }
    }

    #[cfg(feature = "http")]
    pub(super) fn endpoint(&self) -> &Endpoint {
        self.0.endpoint()
    }

    #[cfg(feature = "http")]
    pub(super) fn runtime(&self) -> Option<&tokio::runtime::Handle> {
        self.0.shared().settings.runtime.as_ref()
    }

    /// [`Webhooks::shutdown`](crate::Webhooks::shutdown) for a service with one account. It also ends all other
    /// webhooks that share its settings.
    ///
    /// ```standalone_crate
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # use std::time::Duration;
    /// # use wechat_events::{AsyncHandler, Endpoint, Webhook};
    /// # struct Silent;
    /// # impl AsyncHandler for Silent {}
    /// let webhook = Webhook::new(Endpoint::plain("AAAAA")?, Silent);
    /// webhook.shutdown(Duration::from_secs(10)).await;
    /// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
    /// assert_eq!(webhook.call("POST", query, include_bytes!("../../tests/pushes/text.xml")).await.status, 503);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// # }).unwrap();
    /// ```
    pub async fn shutdown(&self, grace: Duration) {
        self.0.shared().shutdown(grace).await;
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("endpoint", self.0.endpoint()).finish_non_exhaustive()
    }
}
