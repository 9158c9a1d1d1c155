//! How the store is connected: its settings, and the task that keeps the connection up.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::runtime::Handle;

use super::ask::Wire;
use super::link::{Hints, Link};
use super::missed::Missed;
use super::turns::Turns;
use super::{LEASE, Redis, RedisError, Shared, Status};
use crate::dedup::memory::{Memory, MemoryBuilder};
#[cfg(doc)]
use crate::dedup::store::Refusal;

/// How a [`Redis`] is connected.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wechat_events::store::RedisError> {
/// use wechat_events::store::{Redis, WhenDown};
///
/// let redis = Redis::builder("redis://127.0.0.1:1/", "shop:push:").when_down(WhenDown::Refuse).connect()?;
/// # drop(redis);
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `connect`"]
pub struct RedisBuilder {
    url: String,
    prefix: String,
    memory: MemoryBuilder,
    keep: Duration,
    limit: Duration,
    when_down: WhenDown,
    on_status: Box<dyn Fn(&Status) + Send + Sync>,
}

/// What becomes of a push while Redis is away.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wechat_events::store::RedisError> {
/// use wechat_events::DedupKey;
/// use wechat_events::store::{Claimed, Redis, Refusal, Store, WhenDown};
///
/// let redis = Redis::builder("redis://127.0.0.1:1/", "").when_down(WhenDown::Refuse).connect()?;
/// let claimed = redis.claim(DedupKey::of_body(b"<xml/>"), 0).await;
/// assert_eq!(claimed, Claimed::Refused(Refusal::Down));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WhenDown {
    /// It is handled, as by a store of one machine: once for each machine that a delivery of it reaches.
    #[default]
    Handle,
    /// It is refused, with [`Refusal::Down`]: for handlers that must not run twice, and rather not at all.
    Refuse,
}

impl RedisBuilder {
    pub(super) fn new(url: &str, prefix: &str) -> RedisBuilder {
        RedisBuilder {
            url: url.into(),
            prefix: prefix.into(),
            memory: Memory::builder(),
            keep: Duration::from_secs(60),
            limit: Duration::from_millis(200),
            when_down: WhenDown::Handle,
            on_status: Box::new(|_status| {
                #[cfg(feature = "tracing")]
                tracing::warn!(target: "wechat_events", status = %_status, "store::Redis");
            }),
        }
    }

    /// The bounds of the memory in front. Default: [`MemoryBuilder`]'s, except for its lease and its `keep`.
    ///
    /// It holds what runs on this machine and what ended here, and everything while Redis is away.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use wechat_events::store::{Memory, Redis};
    ///
    /// let memory = Memory::builder().entries(8_192);
    /// let redis = Redis::builder("redis://127.0.0.1:1/", "").memory(memory).connect()?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn memory(mut self, memory: MemoryBuilder) -> Self {
        self.memory = memory;
        self
    }

    /// How long to keep a push after its end, here and in Redis. Default: 60 s, as [`MemoryBuilder::keep`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use std::time::Duration;
    /// use wechat_events::store::Redis;
    ///
    /// let redis = Redis::builder("redis://127.0.0.1:1/", "").keep(Duration::from_secs(120)).connect()?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// How long to wait for an answer of Redis's, whatever it takes to get it. Default: 200 ms.
    ///
    /// A push asks twice before it is answered, so this is well below the 500 ms that WeChat's five seconds leave
    /// beside the 4.5 s after which a push is acknowledged; a server in the same data centre answers in less than one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use std::time::Duration;
    /// use wechat_events::store::Redis;
    ///
    /// let redis = Redis::builder("redis://127.0.0.1:1/", "").limit(Duration::from_millis(50)).connect()?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What becomes of a push while Redis is away. Default: it is handled.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use wechat_events::store::{Redis, WhenDown};
    ///
    /// let redis = Redis::builder("redis://127.0.0.1:1/", "").when_down(WhenDown::Refuse).connect()?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn when_down(mut self, when_down: WhenDown) -> Self {
        self.when_down = when_down;
        self
    }

    /// Who is told, once each, that Redis is away and there again. Default: a warning of the crate `tracing`.
    ///
    /// It is called in the task that connects: it should not take long.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use std::sync::mpsc;
    /// use wechat_events::store::{Redis, Status};
    ///
    /// let (told, statuses) = mpsc::channel();
    /// let redis = Redis::builder("redis://127.0.0.1:1/", "");
    /// let redis = redis.on_status(move |status| told.send(status.clone()).unwrap()).connect()?;
    /// assert!(redis.check().await.is_err());
    /// assert!(matches!(statuses.try_recv(), Ok(Status::Down { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_status(mut self, on_status: impl Fn(&Status) + Send + Sync + 'static) -> Self {
        self.on_status = Box::new(on_status);
        self
    }

    /// Begins to connect, in a task of its own, and goes on for as long as the store lives.
    ///
    /// It does not wait: a service that is restarted while Redis is away is to come up. [`Redis::check`] waits.
    ///
    /// # Errors
    ///
    /// [`RedisError::Url`] for text that is no URL (`localhost`), for another scheme than `redis`, `redis+unix` and
    /// `valkey`, for a database that is no number, and for `rediss` unless the build has TLS (see [`Redis::connect`]).
    /// [`RedisError::NoRuntime`] outside of a tokio runtime.
    ///
    /// ```
    /// use wechat_events::store::{Redis, RedisError};
    ///
    /// assert!(matches!(Redis::builder("localhost", "").connect(), Err(RedisError::Url(_))));
    /// ```
    pub fn connect(self) -> Result<Redis, RedisError> {
        let RedisBuilder { url, prefix, memory, keep, limit, when_down, on_status } = self;
        let client = redis::Client::open(url).map_err(|error| RedisError::Url(error.to_string()))?;
        let runtime = Handle::try_current().map_err(|_| RedisError::NoRuntime)?;
        let shared = Arc::new(Shared {
            memory: memory.lease(LEASE).keep(keep).build(),
            link: Link::new(client, limit, on_status),
            hints: Hints::default(),
            turns: Turns::default(),
            missed: Missed::default(),
            wire: Arc::new(Wire::new(&prefix, keep)),
            when_down,
            // Random for each, by the standard library's own keys.
            node: u128::from(RandomState::new().hash_one(0)) << 64,
            calls: AtomicU64::new(1 << 63), // out of the way of the owners' numbers
            runtime,
        });
        let keeps_up = shared.runtime.spawn({
            let shared = Arc::clone(&shared);
            async move { shared.link.keep_up(&shared.test(), &shared.wire.channel, &shared.hints).await }
        });
        Ok(Redis { shared, keeps_up: keeps_up.abort_handle() })
    }
}
