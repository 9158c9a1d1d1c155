//! Handlers that block, on tokio's threads for them.

use std::panic::resume_unwind;
use std::sync::Arc;

use crate::event::Event;
use crate::handler::{AsyncHandler, Handler, HandlerResult};

/// A [`Handler`], which may block its thread, for a [`Webhook`](crate::Webhook).
///
/// Each call runs on tokio's threads for blocking work, with an event of its own. Errors and panics are those of the
/// handler. A call that has begun is not cancelled by a shutdown: threads cannot be.
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
/// let webhook = Webhook::builder(Endpoint::plain("AAAAA")?, Blocking(Files)).build();
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

/// Wraps a handler: `Blocking(handler)`, as if the type were a tuple of it. See the [type](struct@Blocking).
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

impl<H: Handler + Send + Sync + 'static> AsyncHandler for Blocking<H> {
    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        let (handler, event) = (Arc::clone(&self.handler), event.clone().into_owned());
        match tokio::task::spawn_blocking(move || event.dispatch(&*handler)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(cancelled) => Err(cancelled.into()),
            },
        }
    }
}
