//! The states of a push, and the stores that keep them: one push, one run, one answer.
//!
//! WeChat delivers a push up to three times, about five seconds apart, to whichever machine the balancer picks.
//! A [`Store`] is what all these deliveries agree on:
//!
//! ```text
//!              claim                 finish                     carry
//!   absent ────────────▶ running ─────────────▶ done, owed ────────────▶ done, carried
//!      ▲                 │     ▲                    │                    (by a delivery, or by late)
//!      │         release │     │ claim              │                         │
//!      │                 ▼     │ (also when the     │                         │
//!      │               released┘  lease is over)    │                         │
//!      └───────────────────┴───── kept long enough ─┴─────────────────────────┘
//! ```
//!
//! [`Memory`] keeps them in this process, `Redis` (feature `redis`) where several machines see them. You can implement
//! the trait for other places.

use std::future::{Future, pending};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::DedupKey;
pub use super::memory::{Memory, MemoryBuilder, Wait};
#[cfg(feature = "redis")]
pub use super::redis::{Redis, RedisBuilder, RedisError, Status, WhenDown};

/// How often a push is run at most, even if all runs fail: as often as WeChat delivers it.
///
/// ```
/// assert_eq!(wechat_events::store::MAX_RUNS, 3);
/// ```
pub const MAX_RUNS: u8 = 3;

/// The place where deliveries of a push meet: which one runs it, what the answer is, which one carries it.
///
/// Each method is one atomic step, also between machines that share the store. Answers are bytes, which the store does
/// not interpret.
///
/// # Two ways to be wrong
///
/// A store may forget (it is full, was restarted, cannot be reached), and it may lag. Both are allowed, and each method
/// documents what they cost:
/// - **a wrong "new"** treats a seen push as if it were new: the handler runs twice, and the user may be answered
///   twice. Annoying; dangerous only for handlers that must not run twice.
/// - **a wrong "seen"** treats a push that nobody handles as if somebody did: the user is never answered and the push
///   is lost. **In doubt a store says "new"**.
///
/// To have another user's push taken for seen, an attacker would need its exact bytes beforehand. Someone who can forge
/// pushes (in plaintext mode, with one captured signature) can fill a bounded store, and so make other retries look
/// new.
///
/// # Time
///
/// `now_ms` is the caller's clock, in milliseconds since any fixed moment. It must not go back (a step back is treated
/// as no time passing) and should be monotonic. A store in this process uses it as its own clock. A store shared by
/// machines must judge leases and ages by a clock that they share, and use `now_ms` only for local state. Times of day
/// elsewhere in this crate are an `i64` called `now`, in seconds since 1970.
///
/// # Futures that are dropped
///
/// WeChat may hang up at any time; the server then drops the delivery, and with it the future of an [`Outcome::Later`].
/// Dropping it is always allowed. The caller does not learn whether the step was taken, and for most steps need not
/// know. **A claim that was made but has no owner must be given back by the store itself**, as by
/// [`release`](Self::release) with [`Attempt::NotMade`], whether the future is dropped before it is polled, while
/// another server is asked, or while its answer is on the way. Otherwise the next delivery is held until the lease of
/// an owner that does not exist has expired.
///
/// # Errors
///
/// There is no error for "the store is down": an implementation limits the time of each operation. By its configuration
/// it either continues in this process (every method then works as for a store of one machine), or answers
/// [`Refusal::Down`] to [`claim`](Self::claim), the only method after which nobody is owed anything.
///
/// # Example: a push, its retry while it runs, and its retry afterwards
///
/// ```
/// use std::sync::Arc;
/// use wechat_events::DedupKey;
/// use wechat_events::store::{Carrier, Claimed, Memory, Outcome, Store};
///
/// let store: Arc<dyn Store> = Arc::new(Memory::new());
/// let key = DedupKey::from_bytes([1; 16]);
///
/// let Outcome::Now(Claimed::New(claim)) = store.claim(key, 0) else { unreachable!() };
/// let Outcome::Now(Claimed::Running { age, .. }) = store.claim(key, 5_070) else { unreachable!() };
/// assert_eq!(age, 5_070); // the second delivery: it waits
///
/// let finished = store.finish(&claim, b"hello", Some(Carrier::Delivery), 6_000);
/// assert!(matches!(finished, Outcome::Now(Ok(()))));
///
/// let Outcome::Now(Claimed::Done { answer, carrier, age }) = store.claim(key, 10_080) else { unreachable!() };
/// assert_eq!((&*answer, carrier, age), (&b"hello"[..], Some(Carrier::Delivery), 10_080));
/// ```
pub trait Store: Send + Sync {
    /// How long a claim lives without being renewed. Renew it every quarter of that time.
    fn lease(&self) -> Duration;

    /// Makes a delivery the owner of its push, or says who is the owner.
    ///
    /// Absent, released, and running with an expired lease: [`Claimed::New`]. In the last two cases the time when the
    /// push was first seen is kept, and another run is counted, up to [`MAX_RUNS`].
    ///
    /// # What a wrong answer costs
    ///
    /// - **New, though seen**: a second run. If the first one is still running, its [`finish`](Self::finish) gets
    ///   [`Lost`].
    /// - **Running, though nobody runs it**: this delivery waits in vain, but no longer than `lease_left`; then it
    ///   claims again. So a store that cannot tell must report a short lease, never a long one.
    /// - **Running, but younger, or with fewer waiting, than is true**: this delivery takes itself for an earlier one
    ///   and is held too long, or waits though it should have been turned away. So a second claim must not see state
    ///   that exists only because a first claim is still in progress.
    /// - **Done, but with another push's answer**: the one thing a store must never do. It compares all 128 bits of the
    ///   key.
    fn claim(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Claimed>;

    /// Renews the lease of a running push. A push that vanished is made running again.
    ///
    /// # Errors
    ///
    /// [`Lost`] after a takeover, and for a claim that was finished or released.
    ///
    /// # What a wrong answer costs
    ///
    /// - **Renewed, though lost**: no harm beyond the second run that has already started; `finish` will report it
    ///   again.
    /// - **Lost, though owned**: an owner that stops because of it wastes a run, and the next delivery has to take
    ///   over.
    fn renew(&self, claim: &Claim, now_ms: u64) -> Outcome<'_, Result<(), Lost>>;

    /// Stores the answer: everybody who waits gets it, and every later delivery.
    ///
    /// `carrier` saves a [`carry`](Self::carry) if it is known already: [`Carrier::Delivery`] if the caller's own
    /// delivery is about to answer with it (or if nobody needs it, as for `success`), [`Carrier::Late`] if the push was
    /// acknowledged before; otherwise `None`. A push that vanished is restored with its old age.
    ///
    /// # Errors
    ///
    /// [`Lost`] after a takeover, and for a claim that was finished or released. The answer was not stored and must not
    /// be used: another owner's answer counts. If that owner's lease has expired too, a store should take this answer
    /// rather than none.
    ///
    /// # What a wrong answer costs
    ///
    /// - **Finished, though lost**: two owners carry two answers.
    /// - **Lost, though owned**: nobody answers until the next delivery runs it again. So a store that has merely
    ///   forgotten the push says finished.
    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now_ms: u64,
    ) -> Outcome<'_, Result<(), Lost>>;

    /// Gives the push back without an answer, so that the next delivery runs it again.
    ///
    /// The time when it was first seen is kept, so that the next delivery is still recognised as the second or third.
    ///
    /// # Errors
    ///
    /// [`Lost`] after a takeover, and for a claim that was finished or released. Nothing needs to be done about it.
    ///
    /// # What a wrong answer costs
    ///
    /// - **Released, though it is not**: the next delivery waits for the lease to expire before it runs the push.
    /// - **Forgotten altogether**: the next delivery counts as the first of its push and is held too long, and
    ///   [`MAX_RUNS`] counts from zero.
    fn release(&self, claim: &Claim, attempt: Attempt, now_ms: u64) -> Outcome<'_, Result<(), Lost>>;

    /// Waits until the push no longer runs.
    ///
    /// A store may, but need not, notice the end of a lease: claim again after
    /// [`lease_left`](Claimed::Running::lease_left) at the latest. The returned future may be dropped at any time. It
    /// returns the state at that moment: a push that was released and claimed again meanwhile is still running.
    ///
    /// # What a wrong answer costs
    ///
    /// - **Woken for nothing** ([`Waited::Lapsed`], though it runs): one more claim.
    /// - **Not woken**: the delivery is held to its deadline and the reply waits for the next one. So a wake-up may be
    ///   only a hint if the store also checks by itself, about twice a second.
    fn wait(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Waited>;

    /// Asks whether `by` may carry the answer of a finished push.
    ///
    /// | the answer is | [`Carrier::Delivery`] | [`Carrier::Late`] |
    /// |---|---|---|
    /// | owed | true, from now on carried by a delivery | true, from now on late |
    /// | carried by a delivery | true: WeChat may not have received it, and retries | false |
    /// | late | false: acknowledge the delivery without it | false |
    /// | forgotten | true | true |
    ///
    /// Ask just before answering, with the response ready: a delivery whose connection is known to be dead (WeChat
    /// hangs up after five seconds) must not ask, or the answer is lost.
    ///
    /// A delivery is waiting for the result; for [`Carrier::Late`] nobody is. There, a store that cannot reach its
    /// server should retry for some seconds before it decides alone.
    ///
    /// # What a wrong answer costs
    ///
    /// - **False, though owed** (a wrong "seen"): the user gets nothing.
    /// - **True, though carried** (a wrong "new"): the user gets it twice. Hence true for what was forgotten.
    fn carry(&self, key: DedupKey, by: Carrier, now_ms: u64) -> Outcome<'_, bool>;
}

/// A store for several webhooks of one process.
impl<S: Store + ?Sized> Store for Arc<S> {
    fn lease(&self) -> Duration {
        (**self).lease()
    }

    fn claim(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Claimed> {
        (**self).claim(key, now_ms)
    }

    fn renew(&self, claim: &Claim, now_ms: u64) -> Outcome<'_, Result<(), Lost>> {
        (**self).renew(claim, now_ms)
    }

    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now_ms: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        (**self).finish(claim, answer, carrier, now_ms)
    }

    fn release(&self, claim: &Claim, attempt: Attempt, now_ms: u64) -> Outcome<'_, Result<(), Lost>> {
        (**self).release(claim, attempt, now_ms)
    }

    fn wait(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Waited> {
        (**self).wait(key, now_ms)
    }

    fn carry(&self, key: DedupKey, by: Carrier, now_ms: u64) -> Outcome<'_, bool> {
        (**self).carry(key, by, now_ms)
    }
}

/// The result of a store's method, available now or later.
///
/// A store in this process need not allocate a future for what takes it 50 ns. `.await` works on both.
///
/// ```
/// # use wechat_events::store::Outcome;
/// # fn ready<F: Future>(f: F) -> Option<F::Output> {
/// #     match std::pin::pin!(f).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
/// #         std::task::Poll::Ready(value) => Some(value),
/// #         std::task::Poll::Pending => None,
/// #     }
/// # }
/// async fn sum(a: Outcome<'_, u32>, b: Outcome<'_, u32>) -> u32 {
///     a.await + b.await
/// }
/// assert_eq!(ready(sum(Outcome::Now(1), Outcome::later(async { 2 }))), Some(3));
/// ```
#[must_use = "an outcome that comes later does not come unless awaited"]
pub enum Outcome<'a, T> {
    /// The result.
    Now(T),
    /// A future of the result.
    Later(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> Outcome<'a, T> {
    /// Boxes a future.
    ///
    /// ```
    /// # use wechat_events::store::Outcome;
    /// assert!(matches!(Outcome::later(async { 2 }), Outcome::Later(_)));
    /// ```
    pub fn later(future: impl Future<Output = T> + Send + 'a) -> Self {
        Outcome::Later(Box::pin(future))
    }
}

impl<'a, T: Unpin + 'a> Future for Outcome<'a, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if let Outcome::Later(future) = &mut *self {
            return future.as_mut().poll(context);
        }
        // Replaced by a future that no correct caller polls. A box of zero size allocates nothing.
        match mem::replace(&mut *self, Outcome::later(pending())) {
            Outcome::Now(value) => Poll::Ready(value),
            Outcome::Later(_) => Poll::Pending,
        }
    }
}

/// What [`Store::claim`] answers to a delivery.
///
/// ```
/// # use wechat_events::DedupKey;
/// # use wechat_events::store::{Claimed, Memory};
/// let memory = Memory::new();
/// assert!(matches!(memory.claim(DedupKey::from_bytes([1; 16]), 0), Claimed::New(claim) if claim.run == 1));
/// assert!(matches!(memory.claim(DedupKey::from_bytes([1; 16]), 9), Claimed::Running { age: 9, .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claimed {
    /// This delivery owns the push: run it.
    New(Claim),
    /// Another delivery is running it: wait.
    Running {
        /// Milliseconds since the push was first seen.
        age: u64,
        /// Milliseconds until the claim may be taken over, at least 1. Claim again after that time at the latest.
        lease_left: u64,
        /// Number of deliveries of this process that already wait for it, besides the one that runs it.
        waiting: usize,
    },
    /// It is answered.
    Done {
        /// The answer, as given to [`Store::finish`].
        answer: Arc<[u8]>,
        /// Who carries it. If `None`, call [`Store::carry`] before answering; if late, acknowledge without it.
        carrier: Option<Carrier>,
        /// Milliseconds since the push was first seen.
        age: u64,
    },
    /// It was run [`MAX_RUNS`] times without an answer (the last run may still be going).
    Exhausted {
        /// Milliseconds since the push was first seen.
        age: u64,
    },
    /// The store did not take the push, and stored nothing.
    Refused(Refusal),
}

/// Why a store did not take a push.
///
/// ```
/// # use wechat_events::store::Refusal;
/// assert_eq!(Refusal::Full.to_string(), "the store is full of pushes that are still running");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Every place is taken by a running push; those are never evicted.
    #[error("the store is full of pushes that are still running")]
    Full,
    /// The store cannot be reached, and is configured not to continue alone.
    #[error("the store cannot be reached")]
    Down,
}

/// The right to run a push, needed to renew, finish or release it.
///
/// It ends with `finish` or `release`, or when another delivery takes over the push after the lease.
///
/// ```
/// # use wechat_events::DedupKey;
/// # use wechat_events::store::{Attempt, Claimed, Lost, Memory};
/// let memory = Memory::new();
/// let Claimed::New(claim) = memory.claim(DedupKey::from_bytes([1; 16]), 100) else { unreachable!() };
/// assert_eq!((claim.run, claim.first_seen, claim.age), (1, 100, 0));
/// assert_eq!(memory.release(&claim, Attempt::Failed, 200), Ok(()));
/// assert_eq!(memory.release(&claim, Attempt::Failed, 200), Err(Lost));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The push.
    pub key: DedupKey,
    /// Distinguishes this claim from all others of the same push, on all machines. Not zero.
    pub owner: u128,
    /// The number of this run, from 1 to [`MAX_RUNS`].
    pub run: u8,
    /// When the push was first seen, in milliseconds on the store's clock, for a store that has to restore it.
    pub first_seen: u64,
    /// Milliseconds from when the push was first seen to this claim.
    pub age: u64,
}

impl Claim {
    /// Makes a claim, for your own store: of a push that was first seen at `first_seen_ms`, which for its first run
    /// equals `now_ms`.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::Claim;
    /// let second = Claim::new(DedupKey::from_bytes([1; 16]), 7, 2, 100, 5_170);
    /// assert_eq!((second.owner, second.run, second.first_seen, second.age), (7, 2, 100, 5_070));
    /// ```
    #[must_use]
    pub fn new(key: DedupKey, owner: u128, run: u8, first_seen_ms: u64, now_ms: u64) -> Claim {
        Claim { key, owner, run, first_seen: first_seen_ms, age: now_ms.saturating_sub(first_seen_ms) }
    }
}

/// The claim has ended: another delivery took over the push, or the claim was finished or released before.
///
/// ```
/// # use wechat_events::store::Lost;
/// assert_eq!(Lost.to_string(), "the claim is over: the push is no longer this owner's");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim is over: the push is no longer this owner's")]
pub struct Lost;

/// Why a run is given back.
///
/// ```
/// # use wechat_events::DedupKey;
/// # use wechat_events::store::{Attempt, Claimed, Memory};
/// # let memory = Memory::new();
/// # let key = DedupKey::from_bytes([1; 16]);
/// let Claimed::New(claim) = memory.claim(key, 0) else { unreachable!() };
/// memory.release(&claim, Attempt::NotMade, 0).unwrap();
/// assert!(matches!(memory.claim(key, 5_070), Claimed::New(claim) if claim.run == 1 && claim.age == 5_070));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attempt {
    /// The handler failed, panicked or was cancelled: it counts towards [`MAX_RUNS`].
    Failed,
    /// The handler never started (too many others were running, for example): it does not count.
    NotMade,
}

/// How an answer reaches the user.
///
/// ```
/// # use wechat_events::DedupKey;
/// # use wechat_events::store::{Carrier, Claimed, Memory};
/// # let memory = Memory::new();
/// # let key = DedupKey::from_bytes([1; 16]);
/// # let Claimed::New(claim) = memory.claim(key, 0) else { unreachable!() };
/// memory.finish(&claim, b"hello", None, 14_700).unwrap();
/// assert!(memory.carry(key, Carrier::Late, 15_600)); // nobody came
/// assert!(!memory.carry(key, Carrier::Delivery, 15_601)); // too late now
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// The response to a delivery of the push.
    Delivery,
    /// The handler's method `late`: no delivery can carry it any more.
    Late,
}

/// Why waiting for a push ended.
///
/// ```
/// # use std::pin::pin;
/// # use std::sync::Arc;
/// # use std::task::{Context, Poll, Waker};
/// # use wechat_events::DedupKey;
/// # use wechat_events::store::{Carrier, Claimed, Memory, Waited};
/// # let memory = Memory::new();
/// # let key = DedupKey::from_bytes([1; 16]);
/// # let Claimed::New(claim) = memory.claim(key, 0) else { unreachable!() };
/// memory.finish(&claim, b"hello", None, 10).unwrap();
/// let waited = pin!(memory.wait(key, 10)).poll(&mut Context::from_waker(Waker::noop()));
/// assert_eq!(waited, Poll::Ready(Waited::Done { answer: Arc::from(*b"hello"), carrier: None }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waited {
    /// It is answered. Call [`Store::carry`], unless it is late.
    Done {
        /// The answer, as given to [`Store::finish`].
        answer: Arc<[u8]>,
        /// Who carries it so far.
        carrier: Option<Carrier>,
    },
    /// Its run failed or did not start: claim again to run it.
    Released,
    /// Its lease has expired, or it was forgotten: claim again to take it over.
    Lapsed,
}
