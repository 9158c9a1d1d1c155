//! One push, one run, one answer: the states of a push, and where they are kept.
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
//! [`Memory`] keeps them in this process, `Redis` (feature `redis`) where several machines see them. Other places
//! implement the same trait.

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

/// How often one push is run at most, whatever fails: as often as WeChat delivers it.
///
/// ```
/// assert_eq!(wechat_events::store::MAX_RUNS, 3);
/// ```
pub const MAX_RUNS: u8 = 3;

/// Where the deliveries of a push meet: who runs it, what came out, who carries the answer.
///
/// Each method is one atomic step, also between machines where the store is shared. All are in bytes: what an answer
/// means is the caller's affair.
///
/// # Two ways to be wrong
///
/// A store may forget (it is full, it was restarted, it cannot be reached) and it may lag. Both are permissible, and
/// each method says what they cost:
/// - **a wrong «new»** treats a push that was seen as if it had never been: the handler runs twice, the follower may
///   be answered twice. Annoying; dangerous only for handlers that must not run twice.
/// - **a wrong «seen»** treats a push that nobody handles as if somebody did: the follower is never answered and the
///   push is lost. **In doubt a store says «new»**.
///
/// To have another's push taken for seen, an attacker would need its exact bytes beforehand. Who can make up pushes (in
/// plaintext mode, with one captured signature) can fill a bounded store and so have others' retries taken for new.
///
/// # Time
///
/// `now_ms` is the caller's clock, in milliseconds since any fixed moment; it must not go back (a step back is taken for
/// a standstill) and is best monotonic. A store in this process takes it for its own clock. One that is shared by
/// machines has to judge leases and ages by a clock that they share, and uses `now_ms` only for what it keeps locally.
/// Times of day are elsewhere in this crate: an `i64` called `now`, in seconds since 1970.
///
/// # Futures that are dropped
///
/// WeChat hangs up whenever it likes, and a server then drops the delivery, with the future of an [`Outcome::Later`] in
/// it. That is always permitted. Whoever drops it does not learn whether the step was taken, and for most steps need not
/// know. **A claim that was made and has nobody to use it must be given back by the store itself**, as by
/// [`release`](Self::release) with [`Attempt::NotMade`], be the future dropped before it is polled, while another server
/// is asked, or while that one's answer is under way. Else the next delivery is held until the lease of an owner that
/// does not exist is over.
///
/// # Errors
///
/// There is none for «the store is down»: an implementation limits each operation, and decides by its configuration
/// whether it goes on in this process (every method then works as for a store of one machine) or answers
/// [`Refusal::Down`] to [`claim`](Self::claim), the one method after which nothing is owed to anybody.
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
    /// How long a claim lives without being renewed; renew it every quarter of that.
    fn lease(&self) -> Duration;

    /// A delivery has come: makes it the owner of its push, or says who was quicker.
    ///
    /// Absent, released, and running on a lease that is over: [`Claimed::New`]. The last two keep the time when the
    /// push was first seen and count another run, up to [`MAX_RUNS`].
    ///
    /// # What a wrong answer costs
    ///
    /// - **New, though seen**: a second run. If the first is still going its [`finish`](Self::finish) gets [`Lost`].
    /// - **Running, though nobody runs it**: this delivery waits in vain, but no longer than `lease_left`; then it
    ///   claims again. So a store that cannot tell must report a short lease, never a long one.
    /// - **Running, but since later, or waited for by fewer, than is so**: this delivery takes itself for an earlier one
    ///   and is held too long, or waits where it should have been turned away. So a second claim must not be told what
    ///   only stands there because a first one is still asking.
    /// - **Done, though the answer is another push's**: the one thing a store must never do. It compares all 128 bits
    ///   of the key.
    fn claim(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Claimed>;

    /// The owner is still at it: starts its lease anew. A vanished push is made running again.
    ///
    /// # Errors
    ///
    /// [`Lost`] after a take-over, and for a claim that was finished or released.
    ///
    /// # What a wrong answer costs
    ///
    /// - **Renewed, though lost**: nothing beyond the second run that has begun; `finish` will say so again.
    /// - **Lost, though owned**: an owner that stops for it throws a run away, and the next delivery has to take over.
    fn renew(&self, claim: &Claim, now_ms: u64) -> Outcome<'_, Result<(), Lost>>;

    /// The owner has the answer: everybody who waits gets it, and every later delivery.
    ///
    /// `carrier` spares a [`carry`](Self::carry) where it is known already: [`Carrier::Delivery`] if the caller's own
    /// delivery answers with it this moment (or if nobody needs to be told, as for `success`), [`Carrier::Late`] if the
    /// push was acknowledged before; else `None`. A vanished push is made anew, with its old age.
    ///
    /// # Errors
    ///
    /// [`Lost`] after a take-over, and for a claim that was finished or released. The answer was not kept and must not
    /// be used: another owner's is or will be. Once that one's lease is over too, a store had better take this answer
    /// than none.
    ///
    /// # What a wrong answer costs
    ///
    /// - **Finished, though lost**: two owners carry two answers.
    /// - **Lost, though owned**: nobody answers, until the next delivery runs it again. So a store that has merely
    ///   forgotten the push says finished.
    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now_ms: u64,
    ) -> Outcome<'_, Result<(), Lost>>;

    /// The owner has no answer and gives the push back, so that the next delivery is a second chance.
    ///
    /// The time when it was first seen stays, so that the next delivery is still judged to be what it is.
    ///
    /// # Errors
    ///
    /// [`Lost`] after a take-over, and for a claim that was finished or released. Nothing has to be done about it.
    ///
    /// # What a wrong answer costs
    ///
    /// - **Released, though it is not**: the next delivery waits for a lease to end before it runs the push.
    /// - **Forgotten altogether**: the next delivery counts as the first of its push and is held too long, and
    ///   [`MAX_RUNS`] counts from nothing.
    fn release(&self, claim: &Claim, attempt: Attempt, now_ms: u64) -> Outcome<'_, Result<(), Lost>>;

    /// Waits until the push no longer runs.
    ///
    /// A store may, but need not, notice the end of a lease: claim again after
    /// [`lease_left`](Claimed::Running::lease_left) at the latest. Dropping what this returns is always fine. What is
    /// seen when it ends is the state at that moment: a push that was released and claimed anew in between still runs.
    ///
    /// # What a wrong answer costs
    ///
    /// - **Woken for nothing** ([`Waited::Lapsed`], though it runs): one more claim.
    /// - **Not woken**: the delivery is held to its deadline and the reply waits for the next one, so a wake-up may be
    ///   a hint only if the store also looks by itself, twice a second or so.
    fn wait(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Waited>;

    /// Asks to carry the answer of a finished push; says whether `by` does.
    ///
    /// | the answer is | [`Carrier::Delivery`] | [`Carrier::Late`] |
    /// |---|---|---|
    /// | owed | true, from now on carried by a delivery | true, from now on late |
    /// | carried by a delivery | true: WeChat may not have received it, and asks again | false |
    /// | late | false: acknowledge the delivery without it | false |
    /// | forgotten | true | true |
    ///
    /// Ask on the way out, with the response at hand: a delivery whose connection is known to be dead (WeChat hangs up
    /// after five seconds) must not ask, or the answer goes nowhere.
    ///
    /// A delivery is waiting for the answer. For [`Carrier::Late`] nobody is: a store that cannot reach what it shares
    /// with other machines should ask there for some seconds before it decides alone.
    ///
    /// # What a wrong answer costs
    ///
    /// - **False, though owed** (a wrong «seen»): the follower gets nothing.
    /// - **True, though carried** (a wrong «new»): the follower gets it twice. Hence true for what was forgotten.
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

/// What a store answers: at once, or after asking elsewhere.
///
/// A store in this process has no reason to allocate a future for what takes it 50 ns. `.await` takes both.
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
    /// It is done.
    Now(T),
    /// It is done when this future has ended.
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
        // In its place comes what nobody polls who keeps to the rules of futures. A box of no size allocates nothing.
        match mem::replace(&mut *self, Outcome::later(pending())) {
            Outcome::Now(value) => Poll::Ready(value),
            Outcome::Later(_) => Poll::Pending,
        }
    }
}

/// What [`Store::claim`] says to a delivery.
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
    /// The push is this delivery's: run it.
    New(Claim),
    /// Another delivery runs it: wait.
    Running {
        /// Milliseconds since the push was first seen.
        age: u64,
        /// Milliseconds until the claim may be taken over, at least 1: the longest to wait before claiming again.
        lease_left: u64,
        /// How many deliveries of this process wait for it already, beside the one that runs it.
        waiting: usize,
    },
    /// It is answered.
    Done {
        /// The answer, as [`Store::finish`] was given it.
        answer: Arc<[u8]>,
        /// Who carries it. If `None`, [`Store::carry`] it before answering; if late, acknowledge without it.
        carrier: Option<Carrier>,
        /// Milliseconds since the push was first seen.
        age: u64,
    },
    /// It was run [`MAX_RUNS`] times, and nothing came of it (the last run may still be going).
    Exhausted {
        /// Milliseconds since the push was first seen.
        age: u64,
    },
    /// Nothing is known of the push and nothing was written down.
    Refused(Refusal),
}

/// Why a store would not take a push.
///
/// ```
/// # use wechat_events::store::Refusal;
/// assert_eq!(Refusal::Full.to_string(), "the store is full of pushes that are still running");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Every place is taken by a running push, and those are never evicted.
    #[error("the store is full of pushes that are still running")]
    Full,
    /// The store cannot be reached, and is configured not to go on alone.
    #[error("the store cannot be reached")]
    Down,
}

/// The right to run a push: what its owner shows to renew, finish or release it.
///
/// It ends with `finish` or `release`, or when another delivery takes the push over after its lease.
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
    /// Tells this claim from every other of the same push, on any machine. Not zero.
    pub owner: u128,
    /// Which run of the push this is, from 1 to [`MAX_RUNS`].
    pub run: u8,
    /// When the push was first seen: milliseconds on the store's clock, for a store that has to make it anew.
    pub first_seen: u64,
    /// Milliseconds since the push was first seen, when this claim was made.
    pub age: u64,
}

impl Claim {
    /// A claim by a store of your own: of a push that was first seen at `first_seen_ms`, which is `now_ms` in the first
    /// of its runs.
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

/// The claim is over: another delivery took the push, or the claim was finished or released before.
///
/// ```
/// # use wechat_events::store::Lost;
/// assert_eq!(Lost.to_string(), "the claim is over: the push is no longer this owner's");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim is over: the push is no longer this owner's")]
pub struct Lost;

/// What became of a run that is given back.
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
    /// It never began (too many others run, say): it does not count.
    NotMade,
}

/// Which way an answer goes to the follower.
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
    /// The hook for late replies: no delivery can carry it any more.
    Late,
}

/// What ended the waiting for a push.
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
    /// It is answered. [`Store::carry`] the answer, unless it is late.
    Done {
        /// The answer, as [`Store::finish`] was given it.
        answer: Arc<[u8]>,
        /// Who carries it so far.
        carrier: Option<Carrier>,
    },
    /// Its run failed or was not made: claim again for a second chance.
    Released,
    /// Its lease is over, or it is forgotten: claim again to take it over.
    Lapsed,
}
