//! The store that machines share: a key of Redis for each push, with a [`Memory`] in front.
//!
//! ```text
//! claim ─▶ memory: runs or ended here? ─▶ answered at once
//!   │ no: `claim.rs`, one of a process at a time
//!   ▼
//! SET NX, then push.lua ─▶ new: run it ─▶ renew, finish, release, carry: `run.rs`
//!   │                      elsewhere: wait, asking five times a second: `wait.rs`
//!   ▼
//! `link.rs`: any connection; away, until one stands its test
//! ```

mod builder;
mod claim;
mod link;
mod run;
mod script;
mod status;
mod wait;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::Cmd;
use redis::aio::ConnectionLike;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

pub use self::builder::{RedisBuilder, WhenDown};
use self::claim::Turns;
use self::link::Link;
use self::script::Script;
pub use self::status::{RedisError, Status};
use self::wait::Waiting;
use super::DedupKey;
use super::memory::Memory;
use super::store::{Attempt, Carrier, Claim, Claimed, Lost, Outcome, Store, Waited};

/// How soon a dead machine's pushes may be taken over. Each machine judges others by it: it is no setting.
const LEASE: Duration = Duration::from_secs(4);

/// The clock of the memory in front begins here, so that it can hold a push that is older than this process.
const EPOCH: u64 = 1 << 40;

/// A [`Store`] that machines share through Redis.
///
/// Redis 5 or newer, or what speaks as it does, with `EVAL`: one server, a Redis Cluster, a primary with replicas under
/// Sentinel. A new push costs a `SET NX`, and a script on its one key when it ends; what ran on this machine is known
/// here and costs its duplicates nothing. A delivery that waits for another machine asks five times a second, so it
/// learns of the answer after 100 ms on average, and 1,000 of them are 5,000 `EVALSHA` a second. Besides, each machine
/// asks 16 small questions twice a second: so it notices that Redis hangs even if it has nothing to ask.
///
/// # How to connect
///
/// | to | by |
/// |---|---|
/// | one server | [`Redis::connect`] and its URL. Every connection that breaks, hangs or becomes read-only is replaced |
/// | a Redis Cluster | [`Redis::new`] and a `redis::cluster_async::ClusterConnection`, which follows moved keys |
/// | a primary that Sentinel names | [`RedisBuilder::connect_with`] and a function that asks Sentinel: it is called again after each failure |
/// | what your service has already | [`Redis::new`] and its `ConnectionManager`. A bare `MultiplexedConnection` never comes back once it broke |
///
/// All types are those of the crate `redis` 1.x: add it to your own dependencies, with its features `cluster-async`,
/// `sentinel`, `connection-manager` or those of TLS as needed. An ACL user needs no more than this:
///
/// ```text
/// ACL SETUSER push on >password ~shop:push:* +set +get +pttl +eval +evalsha
/// ```
///
/// # What is in Redis
///
/// One key per push, the prefix and 32 hexadecimal digits ([`DedupKey`]'s `Display`). Its value is
/// `1 STATE RUNS TTL AGE OWNER`, a line feed, and the answer if there is one: a reply's XML, which quotes no more of the
/// push than the reply does. TTL is the time to live with which the value was written, AGE how old the push was then, in
/// milliseconds; OWNER is 32 hexadecimal digits, the first half of which are the process. What is left of the time to
/// live says when it was written, so ages and leases are judged by Redis's clock and no other. Any other value counts
/// as absent, and is overwritten by a claim.
///
/// | state | is written by | on a record that is |
/// |---|---|---|
/// | `r` running | a claim | absent; `x`; `r` of its own process; `r` with its lease over, where Redis has answered whatever this process asked for 1.5 s, so that an owner that lives could have renewed it |
/// | | a renewal, each second; at once when Redis is back | `r` of its own; absent; `x` of another owner; `r` of another with its lease over |
/// | `o` done, owed; `d` carried by a delivery; `l` late | the end of a run that lives | the same; `d` and `l` also on its own `o` |
/// | `d`, `l` | whoever carries the answer | `o` |
/// | `x` released | the owner that gives its run back | `r` of its own |
///
/// `r` lives for the lease of 4 s and [`keep`](RedisBuilder::keep), the others for `keep`. A step that finds anything
/// else writes nothing. An owner has [`Lost`] its push where it finds a living `r` or an answer of another owner.
/// Each step is atomic and touches one key. Besides, 16 keys `<prefix>test:…` live for a second after each connection.
///
/// # What a failure costs
///
/// | what | cost |
/// |---|---|
/// | a machine is killed | its pushes are run again by a delivery that waits or comes, 4 s after it was last heard of. If meanwhile an earlier run ends elsewhere, that one's answer counts |
/// | a connection breaks | the question is put again on the next one, for which it waits three limits at most; one that had been understood is recognised |
/// | Redis is dead or hangs | whoever asks at that moment waits for [`limit`](RedisBuilder::limit); then nobody asks until it stands a test, within 0.1 s of being back. See [`WhenDown`]. A run that lives is not run twice by machines that [refuse](WhenDown::Refuse), if the hang is shorter than the lease less a second. What ended meanwhile Redis is told as it is by then, for 16 s, for 1,024 pushes: what it never learns, a retry on another machine runs again |
/// | the same, when a reply becomes late | it is asked for 5 s, since a delivery to another machine may have carried the reply. Then it is late if no delivery to this machine carried it |
/// | Redis is back, empty | running pushes are there again with the next renewal, within a second. One that is done is known where it was run: its retry on another machine runs it again, and a reply that another machine carried may be given out as late besides |
/// | a replica takes over | it lacks the last writes: for those pushes the same. Ages are off by the difference of the clocks |
/// | a node of a cluster is dead | all of Redis counts as away until another has taken its place |
/// | Redis's clock is set | forward: leases end early, and pushes are forgotten early. Back: both late |
/// | Redis is full | by its `maxmemory-policy`. `noeviction` refuses writes: as if it were dead. `volatile-ttl` forgets what would be forgotten soonest, which is right. Not `allkeys-…`, which may forget a push that ended and keep others' caches |
///
/// Persistence is not needed. About 200 bytes of Redis's memory per push: 12 MB for 1,000 a second.
///
/// # Handlers that block
///
/// A claim is renewed by the task that runs its handler. **A handler that keeps its thread for longer than the lease of
/// 4 s without an `.await`** (by the standard library's IO, or by computing) is taken for dead: another machine runs its
/// push again. Wrap such a handler in `Blocking` (feature `tokio`), or put what blocks into
/// `tokio::task::spawn_blocking`.
///
/// # Example: going on without Redis
///
/// ```
/// use wechat_events::DedupKey;
/// use wechat_events::store::{Claimed, Redis, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wechat_events::store::RedisError> {
/// let redis = Redis::connect("redis://127.0.0.1:1/", "shop:push:")?; // nobody there
/// assert!(redis.check().await.is_err());
/// assert!(matches!(redis.claim(DedupKey::of_body(b"<xml/>"), 0).await, Claimed::New(_)));
/// # Ok(())
/// # }
/// ```
pub struct Redis {
    shared: Arc<Shared>,
    keeps_up: AbortHandle,
}

struct Shared {
    /// What runs here and what ended here. A run is known here until it ends, whatever Redis says.
    memory: Memory,
    link: Link,
    script: Script,
    tests: Arc<[Cmd]>,
    turns: Turns,
    waiting: Waiting,
    /// Places for those pushes of whose end Redis has to be told.
    missed: Arc<Semaphore>,
    when_down: WhenDown,
    limit: Duration,
    /// The high half of every number that this process gives out.
    process: u128,
    calls: AtomicU64,
    runtime: Handle,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time of the memory in front.
fn here(now: u64) -> u64 {
    now.saturating_add(EPOCH)
}

impl Redis {
    /// The store behind one server's `url`, such as `redis://:password@10.0.0.5:6379/0`, with the default settings.
    ///
    /// All keys begin with `prefix`: machines with the same one are one. Accounts may share it. It does not wait: a
    /// service that is restarted while Redis is away is to come up. [`check`](Redis::check) waits.
    ///
    /// # TLS
    ///
    /// For `rediss://` add the crate `redis` to your own dependencies with its feature `tokio-native-tls-comp` (the
    /// system's TLS), or `tokio-rustls-comp`: features unite. rustls must be told whose cryptography to use, before this
    /// is called, with `rustls = { version = "0.23", default-features = false, features = ["ring"] }`:
    ///
    /// ```
    /// let _ = rustls::crypto::ring::default_provider().install_default();
    /// ```
    ///
    /// Where that was forgotten, connecting panics: [`Status::Down`] says so, and it is tried again every 5 s. The system's
    /// authorities are trusted; with rustls a file of others, in their place, is named by the variable `SSL_CERT_FILE`.
    ///
    /// # Errors
    ///
    /// Those of [`RedisBuilder::connect`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use wechat_events::store::Redis;
    ///
    /// let redis = Redis::connect("redis://127.0.0.1:1/", "shop:push:")?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect(url: &str, prefix: &str) -> Result<Redis, RedisError> {
        Redis::builder(prefix).connect(url)
    }

    /// The store behind a connection of the service's own, with the default settings; `prefix` as in
    /// [`connect`](Redis::connect).
    ///
    /// # Errors
    ///
    /// [`RedisError::NoRuntime`] outside of a tokio runtime.
    ///
    /// # Example: a Redis Cluster
    ///
    /// ```no_run
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// use redis::cluster::ClusterClient;
    /// use wechat_events::store::Redis;
    ///
    /// let client = ClusterClient::new(["redis://10.0.0.5:6379/", "redis://10.0.0.6:6379/"])?;
    /// let redis = Redis::new(client.get_async_connection().await?, "shop:push:")?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(
        connection: impl ConnectionLike + Clone + Send + Sync + 'static,
        prefix: &str,
    ) -> Result<Redis, RedisError> {
        Redis::builder(prefix).connection(connection)
    }

    /// Other settings; `prefix` as in [`connect`](Redis::connect).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use wechat_events::store::{Redis, WhenDown};
    ///
    /// let redis = Redis::builder("shop:push:").when_down(WhenDown::Refuse).connect("redis://127.0.0.1:1/")?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(prefix: &str) -> RedisBuilder {
        RedisBuilder::new(prefix)
    }

    /// Whether Redis is there and lets this store do what it needs: for the start of a service, and for health checks.
    ///
    /// # Errors
    ///
    /// [`RedisError::Away`] if it cannot be reached, does not answer within the limit, wants a (different) password, is
    /// a read-only replica, or one node of a cluster of which others hold some of the keys, has no memory left, or
    /// forbids a command.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use wechat_events::store::{Redis, RedisError};
    ///
    /// let redis = Redis::connect("redis://127.0.0.1:1/", "shop:push:")?;
    /// assert!(matches!(redis.check().await, Err(RedisError::Away(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check(&self) -> Result<(), RedisError> {
        self.shared.link.check(&self.shared.tests).await.map_err(RedisError::Away)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.keeps_up.abort();
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the address, which may hold a password.
        f.debug_struct("Redis").field("memory", &self.shared.memory).finish_non_exhaustive()
    }
}

impl Shared {
    /// A number that no other call and no other process has.
    fn number(&self) -> u128 {
        self.process | u128::from(self.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// The claim as the memory in front knows it.
    fn local(&self, claim: &Claim) -> Claim {
        Claim { owner: claim.owner ^ self.process, first_seen: here(claim.first_seen), ..*claim }
    }
}

impl Store for Redis {
    fn lease(&self) -> Duration {
        LEASE
    }

    fn claim(&self, key: DedupKey, now: u64) -> Outcome<'_, Claimed> {
        self.shared.claim(key, now)
    }

    fn renew(&self, claim: &Claim, now: u64) -> Outcome<'_, Result<(), Lost>> {
        Outcome::later(self.shared.renew(*claim, now))
    }

    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        Outcome::later(self.shared.finish(*claim, Arc::from(answer), carrier, now))
    }

    fn release(&self, claim: &Claim, attempt: Attempt, now: u64) -> Outcome<'_, Result<(), Lost>> {
        Outcome::later(self.shared.release(*claim, attempt, now))
    }

    fn wait(&self, key: DedupKey, now: u64) -> Outcome<'_, Waited> {
        Outcome::later(self.shared.wait(key, now))
    }

    fn carry(&self, key: DedupKey, by: Carrier, now: u64) -> Outcome<'_, bool> {
        match self.shared.peek(key, here(now)) {
            // Once it is known who carries it, that does not change any more.
            Some(Waited::Done { carrier: Some(_), .. }) => Outcome::Now(self.shared.memory.carry(key, by, here(now))),
            _ => Outcome::later(self.shared.carry(key, by, now)),
        }
    }
}
