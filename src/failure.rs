//! A push that was not handled, and why: the argument of a handler's method `failed`.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::error::ParseError;
use crate::reply::Reply;
use crate::shown;
use crate::store::Refusal;

/// A push that was not handled, as given to a handler's method [`failed`](crate::AsyncHandler::failed).
///
/// `Display` writes one line, with nothing that users wrote unless the handler's error quotes it.
///
/// ```standalone_crate
/// # #[cfg(feature = "tokio")]
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::error::Error;
/// use wechat_events::{AsyncHandler, Endpoint, Event, Failure, HandlerResult, OnError, Webhooks};
///
/// struct Broken(tokio::sync::mpsc::UnboundedSender<Failure>);
///
/// impl AsyncHandler for Broken {
///     async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
///         Err("no connection".into())
///     }
///
///     async fn failed(&self, failure: &Failure) -> Result<(), Box<dyn Error + Send + Sync>> {
///         Ok(self.0.send(failure.clone())?)
///     }
/// }
///
/// let (failures, mut kept) = tokio::sync::mpsc::unbounded_channel();
/// let webhooks = Webhooks::builder().on_error(OnError::Status500).build();
/// let webhook = webhooks.account(Endpoint::plain("AAAAA")?, Broken(failures));
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let body = include_bytes!("../tests/pushes/text.xml");
/// assert_eq!(webhook.call("POST", query, body).await.status, 500);
///
/// let failure = kept.recv().await.unwrap();
/// assert_eq!((&*failure.body, failure.run), (&body[..], 1));
/// assert_eq!(failure.cause.to_string(), "no connection");
/// # Ok::<(), wechat_events::ConfigError>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failure {
    /// The plaintext bytes of the push, for [`parse_event`](crate::parse_event).
    pub body: Arc<[u8]>,
    /// The number of the run, from 1 to [`MAX_RUNS`](crate::store::MAX_RUNS); 0 if the handler was not run.
    pub run: u8,
    /// What went wrong.
    pub cause: Cause,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, cause) = (self.body.len(), shown::chain(&self.cause));
        f.write_str(&match self.run {
            0 => shown::line(format_args!("push of {bytes} bytes not run: {cause}")),
            run => shown::line(format_args!("push of {bytes} bytes failed in run {run}: {cause}")),
        })
    }
}

/// Why a push was not handled, or its reply was not sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// WeChat sent something that is not a valid push. It was answered `success` and is not delivered again.
    #[error("authentic, but not a valid push")]
    Unparsable(#[source] ParseError),
    /// The handler's `Err`.
    #[error(transparent)]
    Handler(Arc<dyn Error + Send + Sync>),
    /// The handler panicked.
    #[error("the handler panicked: {message}")]
    Panicked {
        /// The panic message, if it was a string.
        message: String,
    },
    /// The webhook or the runtime was shut down before the handler was done. Or the runtime was shut down while the
    /// reply was being sent, too late to ask a remote store whether it had been.
    #[error("the handler was cancelled")]
    Cancelled,
    /// The handler did not end within `max_run`, and was cancelled.
    #[error("the handler did not end within {} s", limit.as_secs_f64())]
    TooLong {
        /// How long a handler may take.
        limit: Duration,
    },
    /// As many handlers as `max_running` allows are running already; answered 503.
    #[error("{limit} handlers are running already")]
    Busy {
        /// How many may run.
        limit: usize,
    },
    /// The store did not accept the push; answered 503.
    #[error(transparent)]
    Refused(Refusal),
    /// The handler was done, but another run had taken over its push: that run's reply is sent, this one is not.
    #[error("another run took over the push: this reply is not sent")]
    Superseded {
        /// What the handler returned.
        reply: Reply,
    },
    /// WeChat hung up at the moment of the answer. The reply is sent if WeChat retries.
    #[error("WeChat hung up before the reply was sent: it is sent if WeChat retries")]
    HungUp {
        /// What the handler returned.
        reply: Reply,
    },
}

impl Cause {
    fn panicked(payload: &(dyn Any + Send)) -> Cause {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(message), _) => (*message).to_owned(),
            (None, Some(message)) => message.clone(),
            (None, None) => "the message is not a string".to_owned(),
        };
        Cause::Panicked { message }
    }
}

/// The only way that user code is called: no push and no task dies of its panics.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Cause> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let cause = Cause::panicked(&*payload);
        // The payload may panic when it is dropped, with a payload that may panic again.
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(another);
        }
        cause
    })
}
