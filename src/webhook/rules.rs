//! What WeChat's schedule demands, and what the service chose: numbers, bounds, hooks.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

pub(super) use crate::endpoint::quietly;
use crate::endpoint::{Endpoint, Push, Report, Response};
use crate::error::ParseError;
use crate::event::Event;
use crate::reply::Reply;
use crate::shown::line;
use crate::store::Refusal;

// WeChat asks at 0, 5.07 and 10.08 s (seen), and hangs up 5 s after each. In milliseconds:

/// A push seen for less than this is at its first delivery: half way to the second.
const SECOND: u64 = 2_500;
/// Half way from the second delivery to the third.
const LAST: u64 = 7_500;
/// In seconds. The same by WeChat's own clock, for a push whose first deliveries were not seen here.
const LAST_BY_CREATE_TIME: i64 = 9;
/// Half a second before WeChat hangs up: for the way there and back.
pub(super) const ACKNOWLEDGE: u64 = 4_500;
/// WeChat has hung up, so that what is answered now reaches nobody.
pub(super) const HUNG_UP: u64 = 5_000;
/// A second after WeChat must have hung up, for when it is a proxy that holds the connection.
pub(super) const GIVE_UP: u64 = 6_000;
/// Half a second after WeChat has hung up on the last delivery, counted from the first.
pub(super) const LATE: u64 = 15_600;
/// What a delivery that waits has, in a shutdown, to take the reply: it has been woken, but asks only when it is its turn.
pub(super) const MOMENT: Duration = Duration::from_millis(500);
/// After a shutdown's grace, to write down what became of the runs: some operations of a store.
pub(super) const WIND_UP: Duration = Duration::from_secs(1);

/// What to do with a delivery whose reply is not ready in time.
///
/// Only pushes that take a reply are held; the others are acknowledged in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Keeps silent on the first two deliveries, so that WeChat asks again: a handler has about 14 s.
    ///
    /// WeChat sees one or two time-outs for each slow push; they raise an alarm, and many of them a pause of one
    /// minute. The last delivery is acknowledged 4.5 s after it came.
    #[default]
    Hold,
    /// Answers `success` 4.5 s after the first delivery came: a later reply goes to `on_late`.
    ///
    /// For accounts with the customer-service API, and for handlers that are often slow.
    Acknowledge,
}

/// What to do with a delivery whose handler failed.
///
/// Each further delivery is a second chance, up to [`MAX_RUNS`](crate::store::MAX_RUNS) runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Keeps silent, since only silence is documented to make WeChat ask again; the last is answered `success`.
    ///
    /// Whatever the push, also one that takes no reply, and whatever the [`Policy`].
    #[default]
    Hold,
    /// Status 500 without a body, at once. WeChat may ask again, and may show its fault line.
    Status500,
    /// `success`, at once: WeChat does not ask again.
    Acknowledge,
}

/// A push that was not handled, for the hook [`on_failure`](crate::WebhookBuilder::on_failure).
///
/// Its `Display` is one line of at most 1024 bytes, without what users wrote unless the handler's error says it.
///
/// ```standalone_crate
/// # #[cfg(feature = "tokio")]
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, OnError, Webhook};
///
/// struct Broken;
///
/// impl AsyncHandler for Broken {
///     async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
///         Err("no connection".into())
///     }
/// }
///
/// let (failures, mut kept) = tokio::sync::mpsc::unbounded_channel();
/// let webhook = Webhook::builder(Endpoint::plain("AAAAA")?, Broken)
///     .on_error(OnError::Status500)
///     .on_failure(move |failure| failures.send(failure).unwrap_or_default())
///     .build();
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let body = include_bytes!("../../tests/pushes/text.xml");
/// assert_eq!(webhook.call("POST", query, body).await.status, 500);
///
/// let failure = kept.recv().await.unwrap();
/// assert_eq!((failure.body, failure.run), (body.to_vec(), 1));
/// assert_eq!(failure.cause.to_string(), "no connection");
/// # Ok::<(), wechat_events::ConfigError>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The plaintext bytes of the push, for [`parse_event`](crate::parse_event).
    pub body: Vec<u8>,
    /// Which run of the push it was, from 1 to [`MAX_RUNS`](crate::store::MAX_RUNS); 0 if no handler was run.
    pub run: u8,
    /// What went wrong.
    pub cause: Cause,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, cause) = (self.body.len(), &self.cause);
        f.write_str(&match self.run {
            0 => line(format_args!("push of {bytes} bytes not run: {cause}")),
            run => line(format_args!("push of {bytes} bytes failed in run {run}: {cause}")),
        })
    }
}

/// Why a push was not handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// WeChat sent something that is no push. It was answered `success`, and does not come again.
    #[error("authentic, but no push: {0}")]
    Unparsable(ParseError),
    /// The handler's `Err`.
    #[error("{0}")]
    Handler(Box<dyn Error + Send + Sync>),
    /// The handler panicked.
    #[error("the handler panicked: {message}")]
    Panicked {
        /// What it panicked with, if that was a text.
        message: String,
    },
    /// A shutdown, of the webhook or of the runtime, came before the handler was done. Or that of the runtime came while
    /// its reply was to be carried, and a store that takes time could not be asked any more whether it had been.
    #[error("the handler was cancelled")]
    Cancelled,
    /// As many handlers as [`max_running`](crate::WebhookBuilder::max_running) allows run already; answered 503.
    #[error("{limit} handlers run already")]
    Busy {
        /// How many may.
        limit: usize,
    },
    /// The store did not take the push; answered 503.
    #[error(transparent)]
    Refused(Refusal),
}

impl Cause {
    pub(super) fn panicked(payload: &(dyn Any + Send)) -> Cause {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(message), _) => (*message).to_owned(),
            (None, Some(message)) => message.clone(),
            (None, None) => "not with a text".to_owned(),
        };
        Cause::Panicked { message }
    }
}

type LateHook = dyn Fn(Event<'static>, Reply) + Send + Sync;
type FailureHook = dyn Fn(Failure) + Send + Sync;

/// What the accounts of a webhook share but for its tasks.
pub(super) struct Rules {
    pub(super) policy: Policy,
    pub(super) interim: Option<Reply>,
    pub(super) on_error: OnError,
    pub(super) on_late: Option<Box<LateHook>>,
    pub(super) on_failure: Option<Box<FailureHook>>,
    pub(super) max_joiners: usize,
    pub(super) held: Bound,
    pub(super) running: Bound,
    pub(super) wall_clock: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            policy: Policy::default(),
            interim: None,
            on_error: OnError::default(),
            on_late: None,
            on_failure: None,
            max_joiners: 8,
            held: Bound::new(256),
            running: Bound::new(1024),
            wall_clock: Box::new(system_time),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock that a webhook has unless it is given another")]
fn system_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl Rules {
    /// Whether a delivery is held when its reply is not ready, if there is a place.
    pub(super) fn may_hold(&self, facts: Facts) -> bool {
        self.policy == Policy::Hold && facts.takes_reply && facts.which != Which::Last
    }

    /// When a delivery that is not held is acknowledged; `came` as the answer, `age` when it came.
    pub(super) fn acknowledge_at(&self, came: u64, age: u64) -> u64 {
        came.saturating_add(match self.policy {
            Policy::Hold => ACKNOWLEDGE,
            Policy::Acknowledge => ACKNOWLEDGE.saturating_sub(age),
        })
    }

    /// What a push is acknowledged with.
    pub(super) fn acknowledgement(&self, endpoint: &Endpoint, push: &Push<'_>, facts: Facts) -> Response {
        let interim = self.interim.as_ref().filter(|_| facts.takes_reply);
        let (Some(reply), Ok(event)) = (interim, push.event()) else { return Response::success() };
        let now = (self.wall_clock)();
        let written = reply.write(&event, now);
        if let Some(refused) = &written.refused {
            endpoint.report(&Report::Refused { event: &event, reply, refused });
        }
        push.answer(written.body.into_bytes(), now)
    }

    /// Hands over a reply that no delivery carries; `body` is its push.
    pub(super) fn late(&self, endpoint: &Endpoint, body: &[u8], reply: Reply) {
        // It was read before, by the same limits.
        let Ok(event) = endpoint.parse_event(body) else { return };
        quietly(|| match &self.on_late {
            Some(hook) => hook(event.into_owned(), reply),
            None => endpoint.report(&Report::Late { event: &event, reply: &reply }),
        });
    }

    pub(super) fn failed(&self, endpoint: &Endpoint, body: &[u8], run: u8, cause: Cause) {
        let run = if let Cause::Unparsable(_) = cause { 0 } else { run };
        quietly(|| match (&self.on_failure, cause) {
            (Some(hook), cause) => hook(Failure { body: body.to_vec(), run, cause }),
            (None, Cause::Unparsable(error)) => endpoint.report(&Report::Unparsable { body, error: &error }),
            (None, cause) => match endpoint.parse_event(body) {
                Ok(event) => match cause {
                    Cause::Handler(error) => endpoint.report(&Report::Failed { event: &event, error: &*error }),
                    cause => endpoint.report(&Report::Failed { event: &event, error: &cause }),
                },
                Err(error) => endpoint.report(&Report::Unparsable { body, error: &error }),
            },
        });
    }
}

/// A number of places.
pub(super) struct Bound {
    pub(super) limit: usize,
    taken: AtomicUsize,
}

impl Bound {
    pub(super) fn new(limit: usize) -> Bound {
        Bound { limit, taken: AtomicUsize::new(0) }
    }

    /// Takes a place, to be [given back](Bound::give_back), if one is free.
    pub(super) fn take(&self) -> bool {
        let free = self.taken.fetch_add(1, Ordering::Relaxed) < self.limit;
        if !free {
            self.give_back();
        }
        free
    }

    #[cfg(feature = "tokio")]
    pub(super) fn is_full(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.limit
    }

    /// Takes a place, be one free or not.
    #[cfg(feature = "tokio")]
    pub(super) fn enter(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A delivery's place among those that are held.
pub(super) struct Held<'r>(&'r Bound);

impl<'r> Held<'r> {
    pub(super) fn take(bound: &'r Bound) -> Option<Held<'r>> {
        bound.take().then(|| Held(bound))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// What a push says of itself, and of its delivery.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) takes_reply: bool,
    pub(super) which: Which,
}

impl Facts {
    /// `wall` in seconds since 1970 and `age` in milliseconds, both when the delivery came.
    pub(super) fn of(push: &Push<'_>, wall: i64, age: u64) -> Facts {
        let event = push.event().ok();
        let create_time = event.as_ref().map(|event| event.create_time).filter(|seconds| *seconds > 0);
        let since = create_time.map(|seconds| wall.saturating_sub(seconds));
        Facts { takes_reply: event.is_some_and(|event| event.takes_reply()), which: Which::by_age(age, since) }
    }
}

/// Which of the three deliveries this is, and so what may become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    First,
    Second,
    Last,
}

impl Which {
    #[cfg(feature = "tracing")]
    pub(super) fn number(self) -> u8 {
        match self {
            Which::First => 1,
            Which::Second => 2,
            Which::Last => 3,
        }
    }

    /// `age` in milliseconds since the push was first seen, `since_create_time` in seconds.
    ///
    /// Deliveries are not counted: one may be lost, and a proxy may repeat one.
    pub(super) fn by_age(age: u64, since_create_time: Option<i64>) -> Which {
        if age >= LAST || since_create_time.is_some_and(|seconds| seconds >= LAST_BY_CREATE_TIME) {
            Which::Last
        } else if age >= SECOND {
            Which::Second
        } else {
            Which::First
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
