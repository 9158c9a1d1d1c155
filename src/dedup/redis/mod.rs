//! The store that machines share: a key of a Redis server for each push, with a [`Memory`] in front.

mod ask;
mod link;
mod missed;
mod turns;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use self::ask::{Carrying, Claiming, Looking, Seen, Settled, Settling, Testing, Told, Wire};
use self::link::{Away, Hints, Link};
use self::missed::{Missed, Step};
use self::turns::{Following, Turn, Turns};
use super::DedupKey;
use super::memory::{Memory, MemoryBuilder};
use super::store::{Attempt, Carrier, Claim, Claimed, Lost, Outcome, Refusal, Store, Waited};

/// How soon a dead node's pushes may be taken over. Part of the record's format: each node judges others by it.
const LEASE: Duration = Duration::from_secs(4);

/// How often a waiter looks by itself, since wake-ups are hints.
const LOOK: Duration = Duration::from_millis(500);

/// For how long Redis is told what it missed: WeChat asks for a push no longer than this.
const MEND: Duration = Duration::from_secs(16);

/// Between two attempts to tell or ask what is not urgent.
const PAUSE: Duration = Duration::from_millis(20);

/// For how long to ask who carries an answer before it is given out as late: nobody waits for that, and a delivery to
/// another machine may have carried it.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// What is told to [`RedisBuilder::on_status`].
///
/// ```
/// use wechat_events::store::Status;
///
/// let status = Status::Down { reason: "no answer within 200 ms".into() };
/// assert_eq!(status.to_string(), "Redis is away: no answer within 200 ms");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It is there again, after it was away.
    Up,
    /// It is away, and pushes are treated as [`WhenDown`] says. A connection that is replaced at once is not.
    Down {
        /// For a person to read. Neither address nor password is in it.
        reason: String,
    },
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Up => f.write_str("Redis is there again"),
            Status::Down { reason } => write!(f, "Redis is away: {reason}"),
        }
    }
}

/// Why there is no [`Redis`], or why it is of no use at present.
///
/// ```
/// use wechat_events::store::{Redis, RedisError};
///
/// assert_eq!(Redis::connect("redis://127.0.0.1:1/", "").unwrap_err(), RedisError::NoRuntime);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisError {
    /// The URL is not one of a Redis server, or asks for TLS, which is not built in.
    #[error("the URL cannot be used: {0}")]
    Url(String),
    /// There is no tokio runtime to connect in.
    #[error("no tokio runtime here: connect inside of one")]
    NoRuntime,
    /// It cannot be reached, or refuses what this store needs of it.
    #[error("Redis is away: {0}")]
    Away(String),
}

impl RedisBuilder {
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

    /// Who is told, once each, that Redis is away and there again. Default: standard error, on one line.
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
        RedisBuilder {
            url: url.into(),
            prefix: prefix.into(),
            memory: Memory::builder(),
            keep: Duration::from_secs(60),
            limit: Duration::from_millis(200),
            when_down: WhenDown::Handle,
            on_status: Box::new(|status| eprintln!("wechat-events: {status}")),
        }
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

    fn settling(&self, claim: &Claim, to: Settled, run: u8, now: u64) -> Settling {
        let Claim { key, owner, first_seen, .. } = *claim;
        let age = now.saturating_sub(first_seen).max(claim.age);
        Settling { wire: Arc::clone(&self.wire), key: self.key(key), push: *key.as_bytes(), owner, to, run, age }
    }

    fn begin(self: &Arc<Self>, key: DedupKey, now: u64) -> Begun<'_> {
        let mut turn = match self.turns.take(key) {
            Ok(turn) => turn,
            Err(following) => return Begun::Following(following),
        };
        match self.memory.claim(key, now.saturating_add(EPOCH)) {
            Claimed::New(local) => Begun::Asking(Held { shared: self, local, now, decided: false, turn }),
            known => {
                let known = self.counted(key, known);
                turn.found = Some(known.clone());
                Begun::Known(known)
            }
        }
    }

    /// With all who wait here: not all of them wait in the memory in front.
    fn counted(&self, key: DedupKey, mut claimed: Claimed) -> Claimed {
        if let Claimed::Running { waiting, .. } = &mut claimed {
            *waiting = self.hints.waiting(key);
        }
        claimed
    }

    async fn follow(self: &Arc<Self>, key: DedupKey, now: u64, mut following: Following) -> Claimed {
        loop {
            if let Some(found) = following.found().await {
                return self.counted(key, found);
            }
            match self.begin(key, now) {
                Begun::Known(known) => return known,
                Begun::Asking(held) => return self.claim(held).await,
                Begun::Following(another) => following = another,
            }
        }
    }

    async fn claim(self: &Arc<Self>, mut held: Held<'_>) -> Claimed {
        let claimed = self.ask(&mut held).await;
        // Who follows a new claim is told by the memory in front, which knows now.
        held.turn.found = Some(claimed.clone()).filter(|claimed| !matches!(claimed, Claimed::New(_)));
        claimed
    }

    async fn ask(self: &Arc<Self>, held: &mut Held<'_>) -> Claimed {
        let Held { local, now, .. } = *held;
        let (here, owner) = (now.saturating_add(EPOCH), local.owner | self.node);
        let Claim { key, run, age, .. } = local;
        let question = Claiming { wire: &self.wire, key: self.key(key), owner, run, age };
        let told = self.link.ask(&question, false).await;
        held.decided = true;

        // The memory in front learns how old the push is and how often it was run.
        let learn = |run: u8, age: u64| {
            let known = Claim { run, age, first_seen: here.saturating_sub(age), ..local };
            let _ = self.memory.renew(&known, here);
            known
        };
        let give_back = |known: &Claim| {
            let _ = self.memory.release(known, Attempt::NotMade, here);
        };
        match told {
            Ok(Told::New { run, age }) => {
                if (run, age) != (local.run, local.age) {
                    learn(run, age);
                }
                Claimed::New(Claim { key: local.key, owner, run, first_seen: now.saturating_sub(age), age })
            }
            Ok(Told::Running { age, left }) => {
                give_back(&learn(local.run, age));
                Claimed::Running { age, lease_left: left.max(1), waiting: self.hints.waiting(local.key) }
            }
            Ok(Told::Done { answer, carrier, age }) => {
                let known = learn(local.run, age);
                let _ = self.memory.finish(&known, &answer, carrier, here);
                Claimed::Done { answer, carrier, age }
            }
            Ok(Told::Exhausted { age }) => {
                give_back(&learn(local.run, age));
                Claimed::Exhausted { age }
            }
            Err(Away) => {
                let claim = Claim { owner, first_seen: now.saturating_sub(local.age), ..local };
                match self.when_down {
                    WhenDown::Handle => Claimed::New(claim),
                    WhenDown::Refuse => {
                        give_back(&local);
                        self.give_back(&claim, now);
                        Claimed::Refused(Refusal::Down)
                    }
                }
            }
        }
    }

    /// For a claim that may have been made in Redis, and that nobody will run.
    fn give_back(self: &Arc<Self>, claim: &Claim, now: u64) {
        let released = self.settling(claim, Settled::Released, claim.run.saturating_sub(1), now);
        self.mend(claim.key, Step::Settled(Arc::new(released)));
    }

    async fn settle(self: &Arc<Self>, claim: Claim, to: Settled, run: u8, now: u64) -> Result<(), Lost> {
        let question = self.settling(&claim, to.clone(), run, now);
        let told = self.link.ask(&question, false).await;
        let (here, local) = (now.saturating_add(EPOCH), self.local(&claim));
        let ends = !matches!(to, Settled::Running);
        let settle_here = || match to {
            Settled::Running => self.memory.renew(&local, here),
            // The run that is written down is the claim's or one less.
            Settled::Released if run < claim.run => self.memory.release(&local, Attempt::NotMade, here),
            Settled::Released => self.memory.release(&local, Attempt::Failed, here),
            Settled::Done(answer, carrier) => self.memory.finish(&local, &answer, carrier, here),
        };
        let settled = match told {
            Ok(true) => {
                // It may have been given up here, after a lapse that Redis has not seen. That is no loss.
                let _ = settle_here();
                Ok(())
            }
            Ok(false) => {
                // Who waits here has to look there.
                let _ = self.memory.release(&local, Attempt::NotMade, here);
                Err(Lost)
            }
            Err(Away) => {
                let settled = settle_here();
                if ends && settled.is_ok() {
                    self.mend(claim.key, Step::Settled(Arc::new(question)));
                }
                settled
            }
        };
        if ends || settled.is_err() {
            self.hints.wake(claim.key);
        }
        settled
    }

    /// Tells Redis what it has missed, as soon as it is there: of one push one after the other, since a step is void
    /// before the one that leads to it.
    fn mend(self: &Arc<Self>, key: DedupKey, step: Step) {
        if !self.missed.add(key, step, Instant::now() + MEND) {
            return;
        }
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            while let Some((step, until)) = shared.missed.first(key) {
                let told = async {
                    loop {
                        shared.link.up().await;
                        match step.tell(&shared.link).await {
                            Ok(()) => return,
                            Err(Away) => sleep(PAUSE).await,
                        }
                    }
                };
                let _ = timeout_at(until, told).await;
                if !shared.missed.next(key) {
                    return;
                }
            }
        });
    }

    async fn wait(&self, key: DedupKey, now: u64) -> Waited {
        let here = now.saturating_add(EPOCH);
        let looking = Looking { wire: Arc::clone(&self.wire), key: self.key(key) };
        let watch = self.hints.watch(key);
        loop {
            let mut hint = pin!(watch.notify.notified());
            hint.as_mut().enable(); // from now on, so that no hint falls between the look and the wait
            // While it runs here, what ends the run also ends this.
            let ran_here = self.peek(key, here).is_none();
            let waited = self.memory.wait(key, here).await;
            if let Waited::Done { .. } = waited {
                return waited;
            }
            match self.link.ask(&looking, false).await {
                Ok(Seen::Done(answer, carrier)) => return Waited::Done { answer, carrier },
                Ok(Seen::Released) => return Waited::Released,
                Ok(Seen::Nothing) => return Waited::Lapsed,
                Err(Away) if ran_here => return waited,
                Ok(Seen::Running) | Err(Away) => {
                    let _ = timeout(LOOK, hint).await;
                }
            }
        }
    }

    /// What the memory in front knows to be over.
    fn peek(&self, key: DedupKey, here: u64) -> Option<Waited> {
        match pin!(self.memory.wait(key, here)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(waited) => Some(waited),
            Poll::Pending => None,
        }
    }

    async fn carry(self: &Arc<Self>, key: DedupKey, by: Carrier, now: u64) -> bool {
        let here = now.saturating_add(EPOCH);
        let (wire, number) = (Arc::clone(&self.wire), self.number());
        let question = Carrying { wire, key: self.key(key), by, number };
        let told = match by {
            Carrier::Delivery => self.link.ask(&question, false).await,
            Carrier::Late => timeout(PATIENCE, self.insist(&question, key, here)).await.unwrap_or(Err(Away)),
        };
        match told {
            Ok((Some(carrier), carries)) => {
                self.memory.carry(key, carrier, here);
                carries
            }
            Ok((None, _)) | Err(Away) => {
                let carries = self.memory.carry(key, by, here);
                // Redis may not know yet even that it is done.
                if carries && (told.is_err() || self.missed.has(key)) {
                    self.mend(key, Step::Carried(Arc::new(question)));
                }
                carries
            }
        }
    }

    /// Asks until there is an answer, or none is needed any more because it is known here.
    async fn insist(&self, question: &Carrying, key: DedupKey, here: u64) -> Result<(Option<Carrier>, bool), Away> {
        let mut again = false;
        loop {
            if let Ok(told) = self.link.ask(question, again).await {
                return Ok(told);
            }
            again = true;
            sleep(PAUSE).await;
            self.link.up().await;
            if let Some(Waited::Done { carrier: Some(_), .. }) = self.peek(key, here) {
                return Err(Away);
            }
        }
    }
}

/// How a claim begins.
enum Begun<'a> {
    Known(Claimed),
    Asking(Held<'a>),
    Following(Following),
}

/// A push that is claimed in the memory in front, while Redis is asked. Whoever asks may be dropped any time.
struct Held<'a> {
    shared: &'a Arc<Shared>,
    local: Claim,
    now: u64,
    decided: bool,
    /// Over when all else is.
    turn: Turn<'a>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Held { shared, local, now, decided, .. } = self;
        if !*decided {
            let _ = shared.memory.release(local, Attempt::NotMade, now.saturating_add(EPOCH));
            let first_seen = now.saturating_sub(local.age);
            shared.give_back(&Claim { owner: local.owner | shared.node, first_seen, ..*local }, *now);
        }
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
