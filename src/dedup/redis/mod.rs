//! The store that machines share: one Redis key for each push, with a [`Memory`] in front.
//!
//! ```text
//! claim ─▶ memory: runs or ended here? ─▶ answered at once
//!   │ no: `claim.rs`, one of a process at a time
//!   ▼
//! SET NX, then push.lua ─▶ new: run it ─▶ renew, finish, release, carry: `run.rs`
//!   │                      elsewhere: wait, asking five times a second: `wait.rs`
//!   ▼
//! `link.rs`: any connection; away, until one passes its test
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

/// How soon a dead machine's pushes may be taken over. Not a setting: all machines judge each other by it.
const LEASE: Duration = Duration::from_secs(4);

/// Start of the clock of the memory in front, late enough for pushes that are older than this process.
const EPOCH: u64 = 1 << 40;

/// A [`Store`] that machines share through Redis.
///
/// Works with Redis 5 or newer, or a compatible server with `EVAL`: one server, a Redis Cluster, or a primary with
/// replicas under Sentinel. A new push costs one `SET NX`, and a script on its key when it ends. Duplicates of what ran
/// on this machine cost nothing. A delivery that waits for another machine asks five times a second, so it gets the
/// answer after 100 ms on average, and 1,000 of them send 5,000 `EVALSHA` a second. Besides, each machine asks 16 small
/// questions twice a second, so it notices that Redis hangs even if it has nothing else to ask.
///
/// # How to connect
///
/// | for | use |
/// |---|---|
/// | one server | [`Redis::connect`] with its URL. Every connection that breaks, hangs or becomes read-only is replaced |
/// | a Redis Cluster | [`Redis::new`] with a `redis::cluster_async::ClusterConnection`, which follows moved keys |
/// | a primary behind Sentinel | [`RedisBuilder::connect_with`] with a function that asks Sentinel: it is called again after each failure |
/// | an existing connection of your service | [`Redis::new`] with its `ConnectionManager`. A bare `MultiplexedConnection` never reconnects once it broke |
///
/// All types are those of the crate `redis` 1.x: add it to your own dependencies, with its features `cluster-async`,
/// `sentinel`, `connection-manager` or a TLS feature as needed. An ACL user needs only these permissions:
///
/// ```text
/// ACL SETUSER push on >password ~shop:push:* +set +get +pttl +eval +evalsha
/// ```
///
/// # What is in Redis
///
/// One key per push: the prefix and 32 hexadecimal digits ([`DedupKey`]'s `Display`). Its value is
/// `1 STATE RUNS TTL AGE OWNER`, a line feed, and the answer if there is one: a reply's XML, which contains no more of
/// the push than the reply does. TTL is the time to live with which the value was written, AGE is how old the push was
/// then, in milliseconds; OWNER is 32 hexadecimal digits, of which the first half identifies the process. The remaining
/// time to live tells when it was written, so ages and leases are judged by Redis's clock only. Any other value counts
/// as absent, and is overwritten by a claim.
///
/// | state | is written by | on a record that is |
/// |---|---|---|
/// | `r` running | a claim | absent; `x`; `r` of its own process; `r` with an expired lease, if Redis has answered all questions of this process for 1.5 s, so that a living owner could have renewed it |
/// | | a renewal, each second; at once when Redis is back | its own `r`; absent; `x` of another owner; `r` of another with an expired lease |
/// | `o` done, owed; `d` carried by a delivery; `l` late | the end of a living run | the same; `d` and `l` also on its own `o` |
/// | `d`, `l` | whoever carries the answer | `o` |
/// | `x` released | the owner that gives its run back | its own `r` |
///
/// `r` lives for the lease of 4 s plus [`keep`](RedisBuilder::keep), the others for `keep`. A step that finds anything
/// else writes nothing. An owner has [`Lost`] its push if it finds a living `r` or an answer of another owner. Each
/// step is atomic and touches one key. Besides, 16 keys `<prefix>test:…` live for a second after each connection.
///
/// # What a failure costs
///
/// | what | cost |
/// |---|---|
/// | a machine is killed | its pushes are run again by a waiting or later delivery, 4 s after the machine's last renewal. If an earlier run ends elsewhere meanwhile, its answer counts |
/// | a connection breaks | the question is repeated on the next one, for which it waits three limits at most; a repeated question that had been understood is recognised |
/// | Redis is dead or hangs | those who are asking wait for the [`limit`](RedisBuilder::limit); then nobody asks until it passes a test, within 0.1 s of being back. See [`WhenDown`]. A living run is not repeated by machines that [refuse](WhenDown::Refuse), if the hang is shorter than the lease less a second. Redis is told about runs that ended meanwhile for 16 s and up to 1,024 pushes, with their state by then: what it never learns, a retry on another machine runs again |
/// | the same, when a reply becomes late | it is asked for 5 s, since a delivery to another machine may have carried the reply. Then the reply is late if no delivery to this machine carried it |
/// | Redis is back, empty | running pushes are restored by the next renewal, within a second. A finished one is known only where it was run: its retry on another machine runs it again, and a reply that another machine carried may be given out as late too |
/// | a replica takes over | it lacks the last writes: the same for those pushes. Ages are off by the difference of the clocks |
/// | a node of a cluster is dead | all of Redis counts as down until another has taken its place |
/// | Redis's clock is changed | forward: leases and pushes expire early. Back: both expire late |
/// | Redis is full | depends on its `maxmemory-policy`. `noeviction` refuses writes: as if it were dead. `volatile-ttl` forgets what expires soonest, which is right. Not `allkeys-…`, which may forget a finished push and keep caches of others |
///
/// Persistence is not needed. Redis needs about 200 bytes of memory per push: 12 MB for 1,000 a second.
///
/// # Handlers that block
///
/// A claim is renewed by the task that runs its handler. **A handler that blocks its thread for longer than the lease
/// of 4 s without an `.await`** (with the standard library's IO, or by computing) is taken for dead: another machine
/// runs its push again. Wrap such a handler in `Blocking` (feature `tokio`), or put the blocking part into
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
    /// The pushes that run here or ended here. A run is known here until it ends, whatever Redis says.
    memory: Memory,
    link: Link,
    script: Script,
    tests: Arc<[Cmd]>,
    turns: Turns,
    waiting: Waiting,
    /// Places for pushes whose end Redis has yet to be told.
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

/// Time on the clock of the memory in front.
fn here(now: u64) -> u64 {
    now.saturating_add(EPOCH)
}

impl Redis {
    /// A store on one server, with a `url` such as `redis://:password@10.0.0.5:6379/0` and the default settings.
    ///
    /// All keys begin with `prefix`: machines with the same prefix share their pushes. Accounts may share it too. It
    /// does not wait for the connection, so that a service can start while Redis is down. [`check`](Redis::check)
    /// waits.
    ///
    /// # TLS
    ///
    /// For `rediss://` add the crate `redis` to your own dependencies with its feature `tokio-native-tls-comp` (the
    /// system's TLS), or `tokio-rustls-comp`: Cargo unites features. rustls must be told which cryptography to use
    /// before this is called, with `rustls = { version = "0.23", default-features = false, features = ["ring"] }`:
    ///
    /// ```
    /// let _ = rustls::crypto::ring::default_provider().install_default();
    /// ```
    ///
    /// Without this, connecting panics: [`Status::Down`] says so, and it is retried every 5 s.
    /// The system's certificate authorities are trusted; with rustls, `SSL_CERT_FILE` names a file of others to trust instead.
    ///
    /// # Errors
    ///
    /// The same as [`RedisBuilder::connect`].
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

    /// A store on an existing connection of the service, with the default settings; `prefix` as in
    /// [`connect`](Redis::connect).
    ///
    /// # Errors
    ///
    /// [`RedisError::NoRuntime`] outside a tokio runtime.
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

    /// A builder for other settings; `prefix` as in [`connect`](Redis::connect).
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

    /// Checks that Redis is up and allows all that this store needs: for the start of a service, and for health checks.
    ///
    /// # Errors
    ///
    /// [`RedisError::Away`] if it cannot be reached, does not answer within the limit, requires another password, is a
    /// read-only replica or a single node of a cluster, is out of memory, or forbids a command.
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
    /// A number that is unique over all calls and processes.
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
            // Once it is known who carries it, that does not change.
            Some(Waited::Done { carrier: Some(_), .. }) => Outcome::Now(self.shared.memory.carry(key, by, here(now))),
            _ => Outcome::later(self.shared.carry(key, by, now)),
        }
    }
}
