//! Handlers that block, on tokio's threads for blocking work.

use std::error::Error;
use std::panic::resume_unwind;
use std::sync::Arc;

use super::span::Span;
use crate::event::Event;
use crate::failure::Failure;
use crate::handler::{AsyncHandler, Handler, HandlerResult};
use crate::reply::Reply;

/// A [`Handler`] that may block its thread, as the handler of a [`Webhook`](crate::Webhook).
///
/// Each call runs on tokio's threads for blocking work, with its own copy of the event. Errors and panics are the
/// handler's. A running call is not cancelled by a shutdown or by `max_run`: threads cannot be.
///
/// ```standalone_crate
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use wechat_events::event::Text;
/// use wechat_events::{Blocking, Endpoint, Event, Handler, HandlerResult, Reply, Webhook};
///
/// struct Files;
///
/// impl Handler for Files {
///     fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
///         Ok(Reply::text(std::fs::read_to_string("Cargo.toml")?))
///     }
/// }
///
/// let webhook = Webhook::new(Endpoint::plain("AAAAA")?, Blocking(Files));
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let response = webhook.call("POST", query, include_bytes!("../../tests/pushes/text.xml")).await;
/// assert_eq!((response.status, response.content_type), (200, "text/xml"));
/// # Ok::<(), wechat_events::ConfigError>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Blocking<H> {
    /// Shared with the threads that run it.
    handler: Arc<H>,
}

/// Wraps a handler, like the constructor of a tuple struct. See the [type](struct@Blocking).
///
/// ```
/// # use wechat_events::{Blocking, Handler};
/// # struct Silent;
/// # impl Handler for Silent {}
/// let handler = Blocking(Silent);
/// ```
#[allow(non_snake_case, reason = "it makes a `Blocking`, and is written as one")]
#[must_use]
pub fn Blocking<H: Handler + Send + Sync + 'static>(handler: H) -> Blocking<H> {
    Blocking { handler: Arc::new(handler) }
}

impl<H: Handler + Send + Sync + 'static> Blocking<H> {
    async fn on_a_thread<T: Send + 'static>(
        &self,
        call: impl FnOnce(&H) -> Result<T, Box<dyn Error + Send + Sync>> + Send + 'static,
    ) -> Result<T, Box<dyn Error + Send + Sync>> {
        let (handler, span) = (Arc::clone(&self.handler), Span::current());
        match tokio::task::spawn_blocking(move || span.in_scope(|| call(&handler))).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(cancelled) => Err(cancelled.into()),
            },
        }
    }
}

impl<H: Handler + Send + Sync + 'static> AsyncHandler for Blocking<H> {
    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        let event = event.clone().into_owned();
        self.on_a_thread(move |handler| event.dispatch(handler)).await
    }

    async fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (event, reply) = (event.clone().into_owned(), reply.clone());
        self.on_a_thread(move |handler| handler.late(&event, &reply)).await
    }

    async fn failed(&self, failure: &Failure) -> Result<(), Box<dyn Error + Send + Sync>> {
        let failure = failure.clone();
        self.on_a_thread(move |handler| handler.failed(&failure)).await
    }
}
