//! The store that machines share: a key of a Redis server for each push, with a [`Memory`] in front.

mod ask;
mod builder;
mod carry;
mod claim;
mod link;
mod missed;
mod settle;
mod status;
mod turns;
mod wait;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use self::ask::{Claiming, Settled, Testing, Wire};
pub use self::builder::{RedisBuilder, WhenDown};
use self::claim::Begun;
use self::link::{Away, Hints, Link};
use self::missed::Missed;
pub use self::status::{RedisError, Status};
use self::turns::Turns;
use super::DedupKey;
use super::memory::Memory;
use super::store::{Attempt, Carrier, Claim, Claimed, Lost, Outcome, Store, Waited};

/// How soon a dead node's pushes may be taken over. Part of the record's format: each node judges others by it.
const LEASE: Duration = Duration::from_secs(4);

/// Between two attempts to tell or ask what is not urgent.
const PAUSE: Duration = Duration::from_millis(20);

/// The clock of the memory in front begins here, so that it can hold a push that is older than this process.
const EPOCH: u64 = 1 << 40;

/// A [`Store`] that machines share through a Redis server.
///
/// Redis 5 or newer, or what speaks as it does, with `EVAL`. A new push costs a `SET NX` and, when it is finished, a
/// script of some 10 commands on the one key; duplicates of a push that ran on this machine cost nothing until they
/// carry its answer. Waiters are woken by a message and look twice a second besides.
///
/// # What is in Redis
///
/// One key per push, the prefix and 32 hexadecimal digits ([`DedupKey`]'s `Display`), with this value:
///
/// | bytes | what |
/// |---|---|
/// | 0 | `1`, the version. A value with another one counts as absent, and is overwritten |
/// | 1 | `r` running, `w` running with somebody waiting on another machine, `x` released, `o` done and owed, `d` carried by a delivery, `l` late |
/// | 2 | how many runs, one digit |
/// | 3 to 10 | the time to live it was written with, in milliseconds, hexadecimal |
/// | 11 to 18 | how old the push was when it was written, in milliseconds, hexadecimal |
/// | 19 to 34 | the owner: 8 random bytes of its process, then its number there. If late: whose call made it so |
/// | 35 … | the answer, if done: a reply's XML, which quotes no more of the push than the reply does |
///
/// A running push lives for 64 s (the lease of 4 s, and what others are kept), others for [`keep`](RedisBuilder::keep).
/// How much of that is left says when the value was written, so ages and leases are judged by Redis's clock and no
/// other. Besides these there is `<prefix>test:…` for 64 s after each connection is made, and the channel
/// `<prefix>wake`. Each step is atomic and touches one key.
///
/// # What a failure costs
///
/// | what | cost |
/// |---|---|
/// | a machine is killed | its pushes are run again by a delivery that waits or comes, 4 s after it was last heard of; if meanwhile an earlier run of one ends elsewhere, that one's answer counts |
/// | a connection breaks | the question is put again on the next one, within its limit; one that had been understood is recognised |
/// | Redis is dead or hangs | whoever asks at that moment waits for [`limit`](RedisBuilder::limit); then nobody asks until it stands a test. See [`WhenDown`]. What it missed of the ends of pushes it is told later, in order, for 16 s. Of 1,024 steps: what is more it never learns, and a retry on another machine runs such a push again |
/// | the same, when a reply becomes late | it is asked for 5 s, since a delivery to another machine may have carried the reply and nobody waits. Then it is late if no delivery to this machine carried it |
/// | Redis is back, empty | running pushes are there again with the next renewal, within a second. One that is done is known where it was run: its retry on another machine runs it again, and a reply that another machine carried may be given out as late besides |
/// | a replica takes over | it lacks the last writes: for those pushes the same. Ages are off by the difference of the clocks |
/// | Redis's clock is set | forward: leases end early, and pushes are forgotten early. Back: both late |
/// | Redis is full | by its `maxmemory-policy`. `noeviction` refuses writes: as if it were dead. `volatile-ttl` forgets what would be forgotten soonest, which is right. Not `allkeys-…`, which may forget a running push and keep others' caches |
///
/// Persistence is not needed. About 200 bytes of Redis's memory per push: 12 MB for 1,000 a second.
///
/// # Handlers that block
///
/// A claim is renewed by the task that runs its handler. **A handler that keeps its thread for longer than the lease of
/// 4 s without an `.await`** (by the standard library's IO, or by computing) is taken for dead: another machine runs its
/// push again, and what the first run answers is thrown away. Wrap such a handler in `Blocking` (feature `tokio`), or
/// put what blocks into `tokio::task::spawn_blocking`.
///
/// # Redis Cluster
///
/// This store speaks to one server. A node of a cluster answers `MOVED` for what other nodes hold; to this store it is
/// away, and [`Status::Down`] and [`check`](Redis::check) say `MOVED`. There are three ways out:
/// - a server of its own, outside of the cluster: it has little to hold;
/// - an address behind which a proxy or the provider finds the right node, if what is there speaks as one server does;
/// - a prefix with a hash tag, such as `{shop}push:`, and the URL of the node that is in charge of its slot
///   (`CLUSTER KEYSLOT {shop}push:`). All keys are there then. It is the wrong node again once the slot has moved or
///   its replica has taken over.
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
    memory: Memory,
    link: Link,
    hints: Hints,
    turns: Turns,
    missed: Missed,
    wire: Arc<Wire>,
    when_down: WhenDown,
    /// The high half of every number that this process gives out.
    node: u128,
    calls: AtomicU64,
    runtime: Handle,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Redis {
    /// The store behind `url`, such as `redis://:password@10.0.0.5:6379/0`, with the default settings.
    ///
    /// All keys begin with `prefix`: machines with the same one are one. Accounts may share it. It does not wait, see
    /// [`RedisBuilder::connect`]. For `rediss://`, TLS, add the crate `redis` to your own dependencies with its feature
    /// `tokio-rustls-comp` or `tokio-native-tls-comp`: features unite.
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
        Redis::builder(url, prefix).connect()
    }

    /// Other settings; `url` and `prefix` as in [`connect`](Redis::connect).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wechat_events::store::RedisError> {
    /// use wechat_events::store::Redis;
    ///
    /// let redis = Redis::builder("redis://127.0.0.1:1/", "shop:push:").connect()?;
    /// # drop(redis);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(url: &str, prefix: &str) -> RedisBuilder {
        RedisBuilder::new(url, prefix)
    }

    /// Whether Redis is there and lets this store do what it needs: for the start of a service, and for health checks.
    ///
    /// # Errors
    ///
    /// [`RedisError::Away`] if it cannot be reached, does not answer within the limit, wants a (different) password, is
    /// a read-only replica or a node of a [cluster](Redis#redis-cluster) of which others hold some of the keys, has no
    /// memory left, or forbids `EVAL`.
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
        match self.shared.link.ask(&self.shared.test(), false).await {
            Ok(_) => Ok(()),
            Err(Away) => {
                let reason = self.shared.link.reason();
                Err(RedisError::Away(
                    reason.map_or_else(|| "the connection broke".into(), |reason| reason.as_ref().into()),
                ))
            }
        }
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
    fn key(&self, key: DedupKey) -> Vec<u8> {
        self.wire.key(key)
    }

    fn number(&self) -> u128 {
        self.node | u128::from(self.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// A claim of its own on a key of its own: the scripts run, and what they write is accepted.
    fn test(&self) -> Testing<'_> {
        let key = self.wire.key(format_args!("test:{:016x}", self.node >> 64));
        Testing(Claiming { wire: &self.wire, key, owner: self.number(), run: 0, age: 0 })
    }

    /// The claim as the memory in front knows it.
    fn local(&self, claim: &Claim) -> Claim {
        Claim { owner: claim.owner ^ self.node, first_seen: claim.first_seen.saturating_add(EPOCH), ..*claim }
    }
}

impl Store for Redis {
    fn lease(&self) -> Duration {
        LEASE
    }

    fn claim(&self, key: DedupKey, now: u64) -> Outcome<'_, Claimed> {
        match self.shared.begin(key, now) {
            Begun::Known(known) => Outcome::Now(known),
            Begun::Asking(held) => Outcome::later(self.shared.claim(held)),
            Begun::Following(following) => Outcome::later(self.shared.follow(key, now, following)),
        }
    }

    fn renew(&self, claim: &Claim, now: u64) -> Outcome<'_, Result<(), Lost>> {
        Outcome::later(self.shared.settle(*claim, Settled::Running, claim.run, now))
    }

    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        Outcome::later(self.shared.settle(*claim, Settled::Done(Arc::from(answer), carrier), claim.run, now))
    }

    fn release(&self, claim: &Claim, attempt: Attempt, now: u64) -> Outcome<'_, Result<(), Lost>> {
        let run = match attempt {
            Attempt::Failed => claim.run,
            Attempt::NotMade => claim.run.saturating_sub(1),
        };
        Outcome::later(self.shared.settle(*claim, Settled::Released, run, now))
    }

    fn wait(&self, key: DedupKey, now: u64) -> Outcome<'_, Waited> {
        Outcome::later(self.shared.wait(key, now))
    }

    fn carry(&self, key: DedupKey, by: Carrier, now: u64) -> Outcome<'_, bool> {
        let here = now.saturating_add(EPOCH);
        match self.shared.peek(key, here) {
            // Once it is known who carries it, that does not change any more.
            Some(Waited::Done { carrier: Some(_), .. }) => Outcome::Now(self.shared.memory.carry(key, by, here)),
            _ => Outcome::later(self.shared.carry(key, by, now)),
        }
    }
}
