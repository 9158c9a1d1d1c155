//! The settings of the store, and the task that keeps it connected.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisResult};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::claim::Turns;
use super::link::{Connect, Connection, Link};
use super::script::Script;
use super::wait::Waiting;
use super::{Redis, RedisError, Shared, Status, millis};
use crate::dedup::memory::{Memory, MemoryBuilder};
#[cfg(doc)]
use crate::dedup::store::Refusal;

/// A run is known here until it ends. This lease only ends leaked claims: each renewal restarts it.
const FRONT_LEASE: Duration = Duration::from_secs(3_600);

/// Number of ended pushes that Redis is told about later: each task is small, but there may be many.
const MISSED: usize = 1_024;

/// The shortest and the longest `keep`.
const KEEP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30 * 24 * 3_600));

/// Builds and connects a [`Redis`] store.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wechat_events::store::RedisError> {
/// use std::time::Duration;
/// use wechat_events::store::{Memory, Redis, WhenDown};
///
/// let redis = Redis::builder("shop:push:")
///     .memory(Memory::builder().entries(8_192))
///     .keep(Duration::from_secs(120))
///     .limit(Duration::from_millis(50))
///     .when_down(WhenDown::Refuse)
///     .connect("redis://127.0.0.1:1/")?;
/// # drop(redis);
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it is connected"]
pub struct RedisBuilder {
    prefix: String,
    memory: MemoryBuilder,
    keep: Duration,
    limit: Duration,
    when_down: WhenDown,
    on_status: Box<dyn Fn(&Status) + Send + Sync>,
}

/// What to do with a push while Redis is down.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wechat_events::store::RedisError> {
/// use wechat_events::DedupKey;
/// use wechat_events::store::{Claimed, Redis, Refusal, Store, WhenDown};
///
/// let redis = Redis::builder("").when_down(WhenDown::Refuse).connect("redis://127.0.0.1:1/")?;
/// let claimed = redis.claim(DedupKey::of_body(b"<xml/>"), 0).await;
/// assert_eq!(claimed, Claimed::Refused(Refusal::Down));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WhenDown {
    /// Handles it as a store of one machine does: once on each machine that a delivery of it reaches.
    #[default]
    Handle,
    /// Refuses it with [`Refusal::Down`]: for handlers that must not run twice, and should rather not run at all.
    Refuse,
}

impl RedisBuilder {
    pub(super) fn new(prefix: &str) -> RedisBuilder {
        RedisBuilder {
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

    /// The limits of the memory in front. Default: [`MemoryBuilder`]'s, except for its lease and its `keep`.
    ///
    /// It holds the pushes that run or ended on this machine, and all pushes while Redis is down.
    ///
    /// ```
    /// # use wechat_events::store::{Memory, Redis};
    /// let builder = Redis::builder("shop:push:").memory(Memory::builder().entries(8_192));
    /// # drop(builder);
    /// ```
    pub fn memory(mut self, memory: MemoryBuilder) -> Self {
        self.memory = memory;
        self
    }

    /// How long to keep a push after its end, here and in Redis. Default: 60 s, like [`MemoryBuilder::keep`].
    ///
    /// At least one second and at most 30 days; other values are clamped.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wechat_events::store::Redis;
    /// let builder = Redis::builder("shop:push:").keep(Duration::from_secs(120));
    /// # drop(builder);
    /// ```
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep.clamp(KEEP.0, KEEP.1);
        self
    }

    /// How long to wait for each answer from Redis. Default: 200 ms.
    ///
    /// A claim asks once if the push is new and twice otherwise, and answering asks once more, so this must be well
    /// below the 500 ms between an acknowledgement after 4.5 s and WeChat's five seconds. A server in the same data
    /// centre answers in less than 1 ms. If a round trip is slow, use three times its duration.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wechat_events::store::Redis;
    /// let builder = Redis::builder("shop:push:").limit(Duration::from_millis(50));
    /// # drop(builder);
    /// ```
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What to do with a push while Redis is down. Default: handle it.
    ///
    /// ```
    /// # use wechat_events::store::{Redis, WhenDown};
    /// let builder = Redis::builder("shop:push:").when_down(WhenDown::Refuse);
    /// # drop(builder);
    /// ```
    pub fn when_down(mut self, when_down: WhenDown) -> Self {
        self.when_down = when_down;
        self
    }

    /// Sets a function that is called once when Redis goes down, and once when it is back. Default: a warning of
    /// `tracing`.
    ///
    /// It is called in the task that connects, so it should not take long.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use std::sync::mpsc;
    /// use wechat_events::store::{Redis, Status};
    ///
    /// let (told, statuses) = mpsc::channel();
    /// let redis = Redis::builder("").on_status(move |status| told.send(status.clone()).unwrap());
    /// let redis = redis.connect("redis://127.0.0.1:1/")?;
    /// assert!(redis.check().await.is_err());
    /// assert!(matches!(statuses.try_recv(), Ok(Status::Down { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_status(mut self, on_status: impl Fn(&Status) + Send + Sync + 'static) -> Self {
        self.on_status = Box::new(on_status);
        self
    }

    /// Connects to one server in a background task, and reconnects as long as the store lives.
    ///
    /// See [`Redis::connect`], also for TLS. Uses `TCP_NODELAY`, keepalive probes after 5 s, and a new connection after
    /// every question that is not answered within the [`limit`](RedisBuilder::limit), so that a connection that is dead
    /// on the other side is noticed.
    ///
    /// # Errors
    ///
    /// [`RedisError::Url`] for text that is not a URL (`localhost`), for schemes other than `redis`, `redis+unix` and
    /// `valkey`, for a database that is not a number, and for `rediss` unless the build has TLS.
    /// [`RedisError::NoRuntime`] outside a tokio runtime.
    ///
    /// ```
    /// use wechat_events::store::{Redis, RedisError};
    ///
    /// assert!(matches!(Redis::builder("").connect("localhost"), Err(RedisError::Url(_))));
    /// ```
    pub fn connect(self, url: &str) -> Result<Redis, RedisError> {
        let url_error = |error: redis::RedisError| RedisError::Url(error.to_string());
        let info = url.into_connection_info().map_err(url_error)?;
        let alive = TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(1));
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true).set_keepalive(alive));
        let client = Client::open(info).map_err(url_error)?;
        // The store has its own time limits.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        self.connect_with(move || {
            let (client, config) = (client.clone(), config.clone());
            async move { client.get_multiplexed_async_connection_with_config(&config).await }
        })
    }

    /// Uses an existing connection of the service, and clones of it.
    ///
    /// # Errors
    ///
    /// [`RedisError::NoRuntime`] outside a tokio runtime.
    ///
    /// ```no_run
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// use wechat_events::store::Redis;
    ///
    /// let manager = redis::Client::open("redis://10.0.0.5/")?.get_connection_manager().await?;
    /// let redis = Redis::builder("shop:push:").connection(manager)?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connection(
        self,
        connection: impl ConnectionLike + Clone + Send + Sync + 'static,
    ) -> Result<Redis, RedisError> {
        let connection = Connection::new(connection);
        self.start(Box::new(move || {
            let connection = connection.clone();
            Box::pin(async { Ok(connection) })
        }))
    }

    /// Uses connections made by `connect`, which is called at once and again after each failure.
    ///
    /// Each call has one second. While it fails, it is called ten times a second.
    ///
    /// # Errors
    ///
    /// [`RedisError::NoRuntime`] outside a tokio runtime.
    ///
    /// # Example: a primary that Sentinel names
    ///
    /// ```no_run
    /// # fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use redis::sentinel::{SentinelClient, SentinelServerType};
    /// use tokio::sync::Mutex;
    /// use wechat_events::store::Redis;
    ///
    /// let sentinels = vec!["redis://10.0.0.5:26379/", "redis://10.0.0.6:26379/", "redis://10.0.0.7:26379/"];
    /// let sentinel = SentinelClient::build(sentinels, "mymaster", None, SentinelServerType::Master)?;
    /// let sentinel = Arc::new(Mutex::new(sentinel));
    /// let redis = Redis::builder("shop:push:").connect_with(move || {
    ///     let sentinel = Arc::clone(&sentinel);
    ///     async move { sentinel.lock().await.get_async_connection().await }
    /// })?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_with<C, F>(self, connect: impl Fn() -> F + Send + Sync + 'static) -> Result<Redis, RedisError>
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
        F: Future<Output = RedisResult<C>> + Send + 'static,
    {
        self.start(Box::new(move || {
            let connecting = connect();
            Box::pin(async { connecting.await.map(Connection::new) })
        }))
    }

    fn start(self, connect: Connect) -> Result<Redis, RedisError> {
        let RedisBuilder { prefix, memory, keep, limit, when_down, on_status } = self;
        let runtime = Handle::try_current().map_err(|_| RedisError::NoRuntime)?;
        let script = Script::new(&prefix, millis(keep));
        let (tests, beats) = script.tests();
        let shared = Arc::new(Shared {
            memory: memory.lease(FRONT_LEASE).keep(keep).build(),
            link: Link::new(connect, limit, on_status),
            tests,
            script,
            turns: Turns::default(),
            waiting: Waiting::default(),
            missed: Arc::new(Semaphore::new(MISSED)),
            when_down,
            limit,
            // Random for each process, from the standard library's hash keys.
            process: u128::from(RandomState::new().hash_one(0)) << 64,
            calls: AtomicU64::new(1 << 63), // out of the way of the owners' numbers
            runtime,
        });
        let keeps_up = shared.runtime.spawn({
            let shared = Arc::clone(&shared);
            async move { shared.link.keep_up(&shared.tests, &beats).await }
        });
        Ok(Redis { shared, keeps_up: keeps_up.abort_handle() })
    }
}
