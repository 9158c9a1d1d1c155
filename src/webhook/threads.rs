//! The webhook for servers with one thread per request and no runtime: the thread waits.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::account::Webhook;
use super::blocking::Blocking;
use super::settings::{OnError, Policy};
use super::webhooks::{Webhooks, WebhooksBuilder};
use crate::endpoint::{Endpoint, Response};
use crate::handler::Handler;

/// [`Webhook`] for servers with one thread per request: it does the same, and blocks.
///
/// Handlers run on threads of their own, so that a delivery can be answered before its handler is done; one more thread
/// runs the timers. The defaults differ: [`Policy::Acknowledge`] and [`OnError::Acknowledge`]. A held delivery blocks
/// its thread, and in a pool of threads it could block the very retries it is held for: set [`Policy::Hold`] only if
/// [`max_held`](WebhooksBuilder::max_held) is well below the server's number of threads. So a handler has 4.5 s here,
/// and a slower one needs the method [`late`](Handler::late).
///
/// Cloning is cheap.
///
/// ```standalone_crate
/// use wechat_events::event::Text;
/// use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply, ThreadedWebhook};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
///         Ok(Reply::text(&*text.content))
///     }
/// }
///
/// let webhook = ThreadedWebhook::new(Endpoint::plain("AAAAA")?, Echo)?;
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let body = include_bytes!("../../tests/pushes/text.xml");
/// let response = webhook.call("POST", query, body);
/// assert_eq!((response.status, response.content_type), (200, "text/xml"));
/// assert_eq!(webhook.call("POST", query, body), response); // a retry gets the same, and runs nothing
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ThreadedWebhook {
    webhook: Webhook,
    runtime: Handle,
}

impl ThreadedWebhook {
    /// A webhook for a service with one account, with the defaults, which never block a thread for longer than 4.5 s.
    ///
    /// # Errors
    /// The system cannot start the thread for the timers.
    pub fn new(endpoint: Endpoint, handler: impl Handler + Send + Sync + 'static) -> io::Result<ThreadedWebhook> {
        Ok(Webhooks::builder().build_threaded()?.account(endpoint, handler))
    }

    /// Answers a request like [`Webhook::call`]. Blocks until then, at most 4.5 s with the defaults, otherwise 6 s.
    ///
    /// # Panics
    /// In an async task: use a [`Webhook`] there.
    #[must_use]
    pub fn call(&self, method: &str, query: &str, body: &[u8]) -> Response {
        self.runtime.block_on(self.webhook.call(method, query, body))
    }

    /// Accepts no new push, and waits for what is running, like [`Webhooks::shutdown`].
    ///
    /// Handlers that still run after `grace` keep running, since threads cannot be cancelled, but their pushes are
    /// given back.
    ///
    /// # Panics
    /// In an async task.
    ///
    /// ```standalone_crate
    /// # use std::time::Duration;
    /// # use wechat_events::{Endpoint, Handler, ThreadedWebhook};
    /// # struct Silent;
    /// # impl Handler for Silent {}
    /// let webhook = ThreadedWebhook::new(Endpoint::plain("AAAAA")?, Silent)?;
    /// webhook.shutdown(Duration::from_secs(10));
    /// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
    /// assert_eq!(webhook.call("POST", query, include_bytes!("../../tests/pushes/text.xml")).status, 503);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self, grace: Duration) {
        self.runtime.block_on(self.webhook.shutdown(grace));
    }
}

/// [`Webhooks`] for servers with one thread per request; made by [`WebhooksBuilder::build_threaded`].
#[derive(Clone, Debug)]
pub struct ThreadedWebhooks {
    webhooks: Webhooks,
    runtime: Handle,
}

impl ThreadedWebhooks {
    /// The webhook of an account, like [`Webhooks::account`].
    #[must_use]
    pub fn account(&self, endpoint: Endpoint, handler: impl Handler + Send + Sync + 'static) -> ThreadedWebhook {
        let webhook = self.webhooks.account(endpoint, Blocking(handler));
        ThreadedWebhook { webhook, runtime: self.runtime.clone() }
    }

    /// [`ThreadedWebhook::shutdown`] for all accounts.
    pub fn shutdown(&self, grace: Duration) {
        self.runtime.block_on(self.webhooks.shutdown(grace));
    }
}

impl WebhooksBuilder {
    /// Builds webhooks for servers with one thread per request, with the defaults described at [`ThreadedWebhook`].
    ///
    /// [`runtime`](WebhooksBuilder::runtime) is not used: they have their own small one.
    ///
    /// ```
    /// use wechat_events::{Endpoint, Handler, Policy, Webhooks};
    ///
    /// struct Silent;
    /// impl Handler for Silent {}
    ///
    /// let webhooks = Webhooks::builder().policy(Policy::Hold).max_held(16).build_threaded()?;
    /// let webhook = webhooks.account(Endpoint::plain("token")?, Silent);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The system cannot start the thread for the timers.
    pub fn build_threaded(self) -> io::Result<ThreadedWebhooks> {
        // A handler that never ends keeps its thread.
        let threads = self.max_running_set().clamp(1, 1 << 16);
        let runtime = Builder::new_current_thread()
            .enable_all() // a store may have sockets
            .thread_name("wechat-events")
            .max_blocking_threads(threads)
            .build()?;
        let handle = runtime.handle().clone();
        // Dropped with the last account and the last run, which ends the thread.
        let (in_use, unused) = oneshot::channel::<()>();
        thread::Builder::new().name("wechat-events-timers".to_owned()).spawn(move || runtime.block_on(unused))?;
        let webhooks = self.build_on(handle.clone(), Policy::Acknowledge, OnError::Acknowledge, in_use);
        Ok(ThreadedWebhooks { webhooks, runtime: handle })
    }
}
