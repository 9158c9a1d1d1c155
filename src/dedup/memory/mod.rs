//! The store in this process: shards behind locks, and futures that wait for their pushes.

mod shard;

use std::fmt;
use std::future::Future;
use std::hash::BuildHasher;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use super::DedupKey;
use super::store::{Attempt, Carrier, Claim, Claimed, Lost, Outcome, Store, Waited};
use super::sync::Mutex;
use shard::{Bounds, Salt, Shard};

/// A bounded [`Store`] in this process.
///
/// Enough for one machine. After a restart every push is new: one that was first delivered before the restart is run
/// again by its retry, which is the right thing to do.
///
/// Each operation holds the lock of one shard for about 100 ns, and waits for nothing else; rarely longer, while the
/// shard is still growing. It allocates the answer that it keeps, and room for more entries. Its own methods are those
/// of [`Store`] without the [`Outcome`].
///
/// # Bounds
///
/// See [`MemoryBuilder`] for the arithmetic. When there is no room, pushes are evicted in this order: those whose time
/// to keep has passed; those that failed or whose answer was carried, oldest first; those whose answer is still owed;
/// those whose lease has expired. Running pushes are never evicted: [`Refusal::Full`](super::store::Refusal::Full).
///
/// ```
/// use wechat_events::DedupKey;
/// use wechat_events::store::{Carrier, Claimed, Memory};
///
/// let memory = Memory::new();
/// let key = DedupKey::from_bytes([1; 16]);
/// let Claimed::New(claim) = memory.claim(key, 0) else { unreachable!() };
/// memory.finish(&claim, b"hello", Some(Carrier::Delivery), 6_000).unwrap();
/// assert!(matches!(memory.claim(key, 10_080), Claimed::Done { .. }));
/// assert!(matches!(memory.claim(key, 66_000), Claimed::New(_))); // 60 s after its end it is forgotten
/// ```
pub struct Memory {
    /// All shards except the last: picking one by number cannot fail.
    shards: Box<[Mutex<Shard>]>,
    last: Mutex<Shard>,
    salt: Salt,
    lease: Duration,
}

/// Builds a [`Memory`] with chosen limits.
///
/// # Arithmetic
///
/// - A push takes at most 300 bytes besides its answer, and about 130 if few of them run at once: 9 MB for the default
///   65,536. Memory grows as needed; only that of answers is freed again.
/// - `entries / keep` is the rate at which every push is kept for its full time: 65,536 / 60 s ≈ 1,090 a second.
///   Above it the oldest are evicted sooner. `entries / 15 s` ≈ 4,360 a second is the rate up to which all retries of
///   WeChat still find their push; above it retries count as new. So use at least 15 × the pushes a second at peak.
/// - `bytes / entries` is the mean size of an answer for which both limits are reached together: 1 KiB by default.
///   Most answers are `success`; a text reply has at most about 2.5 KB.
/// - Both limits are divided among the shards, and each shard enforces its own part. Keys are digests, so the shards
///   fill evenly, but one may evict when the whole is filled to 98 % (8 shards), 93 % (64) or 85 % (256).
///
/// ```
/// use std::time::Duration;
/// use wechat_events::store::Memory;
///
/// let memory = Memory::builder().entries(1 << 20).bytes(256 << 20).keep(Duration::from_secs(120)).build();
/// assert_eq!((memory.entries(), memory.bytes()), (0, 0));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct MemoryBuilder {
    entries: usize,
    bytes: usize,
    keep: Duration,
    lease: Duration,
    shards: usize,
}

impl Default for MemoryBuilder {
    fn default() -> Self {
        MemoryBuilder {
            entries: 65_536,
            bytes: 64 << 20,
            keep: Duration::from_secs(60),
            lease: Duration::from_secs(20),
            shards: thread::available_parallelism().map_or(8, |threads| 4 * threads.get()),
        }
    }
}

impl MemoryBuilder {
    /// How many pushes to keep at most, including running ones; 0 counts as 1. Default: 65,536.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Claimed, Memory, Refusal};
    /// let memory = Memory::builder().entries(1).build();
    /// assert!(matches!(memory.claim(DedupKey::from_bytes([1; 16]), 0), Claimed::New(_)));
    /// assert_eq!(memory.claim(DedupKey::from_bytes([2; 16]), 0), Claimed::Refused(Refusal::Full));
    /// ```
    pub fn entries(mut self, entries: usize) -> Self {
        self.entries = entries.max(1);
        self
    }

    /// How many bytes of answers to keep at most. Default: 64 MiB.
    ///
    /// The newest answer of a shard always stays, so an answer larger than the shard's part exceeds the limit until the
    /// next one.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Carrier, Claimed, Memory};
    /// let memory = Memory::builder().entries(8).bytes(10).build();
    /// for n in 0..3 {
    ///     let Claimed::New(claim) = memory.claim(DedupKey::from_bytes([n; 16]), 0) else { unreachable!() };
    ///     memory.finish(&claim, b"hello", Some(Carrier::Delivery), 0).unwrap();
    /// }
    /// assert_eq!((memory.entries(), memory.bytes()), (2, 10));
    /// ```
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// How long to keep a push after its end. Default: 60 s.
    ///
    /// Counted from when it was finished, carried or released, whichever came last, and not from when it was first
    /// seen: the retry that asks for an answer comes seconds after it, however long the handler took. With less than 15
    /// s, retries count as new.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Claimed, Memory};
    /// let memory = Memory::builder().keep(Duration::from_secs(15)).build();
    /// let Claimed::New(claim) = memory.claim(DedupKey::from_bytes([1; 16]), 0) else { unreachable!() };
    /// memory.finish(&claim, b"hello", None, 9_000).unwrap();
    /// assert!(matches!(memory.claim(DedupKey::from_bytes([1; 16]), 23_999), Claimed::Done { .. }));
    /// assert!(matches!(memory.claim(DedupKey::from_bytes([1; 16]), 24_000), Claimed::New(_)));
    /// ```
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// How long a claim lives without being renewed. Default: 20 s.
    ///
    /// Longer than WeChat retries (15 s), unlike that of a store shared by several machines: if this process dies, the
    /// store dies with it, and a panic releases the claim. A lease still ends a leaked claim, or one whose renewal is
    /// stuck in a starved runtime, where a second run would make things worse. With [`Duration::MAX`] it ends nothing:
    /// a leaked claim then keeps its place as long as the store lives.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Claimed, Memory};
    /// let memory = Memory::builder().lease(Duration::from_secs(4)).build();
    /// assert!(matches!(memory.claim(DedupKey::from_bytes([1; 16]), 0), Claimed::New(claim) if claim.run == 1));
    /// assert!(matches!(memory.claim(DedupKey::from_bytes([1; 16]), 3_999), Claimed::Running { lease_left: 1, .. }));
    /// assert!(matches!(memory.claim(DedupKey::from_bytes([1; 16]), 4_000), Claimed::New(claim) if claim.run == 2));
    /// ```
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How many locks to spread the pushes over. Default: four for each available hardware thread.
    ///
    /// More than that cost more: the last used parts of each fall out of the processor's cache.
    ///
    /// Rounded up to a power of two, at most 1,024; then halved until a shard holds at least 256 pushes, so that the
    /// limits of a small store are exact.
    ///
    /// ```
    /// # use wechat_events::store::Memory;
    /// let memory = Memory::builder().shards(256).build();
    /// # drop(memory);
    /// ```
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// Builds the store, which allocates nothing yet.
    ///
    /// ```
    /// # use wechat_events::store::Memory;
    /// assert_eq!(Memory::builder().build().entries(), 0);
    /// ```
    pub fn build(self) -> Memory {
        let MemoryBuilder { entries, bytes, keep, lease, shards } = self;
        let mut shards = shards.clamp(1, 1024).next_power_of_two();
        while shards > 1 && entries / shards < 256 {
            shards /= 2;
        }
        let salt = Salt::default();
        let bounds =
            Bounds { entries: entries / shards, bytes: bytes / shards, keep: millis(keep), lease: millis(lease) };
        let shard = |_| Mutex::new(Shard::new(bounds, &salt));
        let (shards, last) = ((1..shards).map(shard).collect(), shard(0));
        Memory { shards, last, salt, lease }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("entries", &self.entries()).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl Memory {
    /// A store with the default bounds.
    ///
    /// ```
    /// # use wechat_events::store::Memory;
    /// assert_eq!(Memory::new().entries(), 0);
    /// ```
    pub fn new() -> Memory {
        Memory::builder().build()
    }

    /// A builder for other limits.
    ///
    /// ```
    /// # use wechat_events::store::Memory;
    /// let memory = Memory::builder().entries(1_000).build();
    /// # drop(memory);
    /// ```
    pub fn builder() -> MemoryBuilder {
        MemoryBuilder::default()
    }

    /// How many pushes it holds, including expired ones that are not cleared away yet.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::Memory;
    /// let memory = Memory::new();
    /// memory.claim(DedupKey::from_bytes([1; 16]), 0);
    /// assert_eq!(memory.entries(), 1);
    /// ```
    pub fn entries(&self) -> usize {
        self.sum(Shard::len)
    }

    /// How many bytes of answers it holds.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Claimed, Memory};
    /// let memory = Memory::new();
    /// let Claimed::New(claim) = memory.claim(DedupKey::from_bytes([1; 16]), 0) else { unreachable!() };
    /// memory.finish(&claim, b"hello", None, 0).unwrap();
    /// assert_eq!(memory.bytes(), 5);
    /// ```
    pub fn bytes(&self) -> usize {
        self.sum(Shard::bytes)
    }

    /// [`Store::claim`] without the [`Outcome`].
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Claimed, Memory};
    /// assert!(matches!(Memory::new().claim(DedupKey::from_bytes([1; 16]), 0), Claimed::New(_)));
    /// ```
    pub fn claim(&self, key: DedupKey, now_ms: u64) -> Claimed {
        self.locked(key, |shard| shard.claim(key, now_ms))
    }

    /// [`Store::renew`] without the [`Outcome`].
    ///
    /// # Errors
    ///
    /// [`Lost`] after a takeover, and for a claim that was finished or released.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Claimed, Memory};
    /// let memory = Memory::new();
    /// let Claimed::New(claim) = memory.claim(DedupKey::from_bytes([1; 16]), 0) else { unreachable!() };
    /// memory.renew(&claim, 5_000).unwrap();
    /// assert!(matches!(memory.claim(claim.key, 24_999), Claimed::Running { lease_left: 1, .. }));
    /// ```
    pub fn renew(&self, claim: &Claim, now_ms: u64) -> Result<(), Lost> {
        self.locked(claim.key, |shard| shard.renew(claim, now_ms))
    }

    /// [`Store::finish`] without the [`Outcome`].
    ///
    /// # Errors
    ///
    /// [`Lost`] after a takeover, and for a claim that was finished or released.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Carrier, Claimed, Lost, Memory};
    /// let memory = Memory::new();
    /// let Claimed::New(claim) = memory.claim(DedupKey::from_bytes([1; 16]), 0) else { unreachable!() };
    /// let Claimed::New(second) = memory.claim(claim.key, 20_000) else { unreachable!() }; // the lease was over
    /// assert_eq!(memory.finish(&claim, b"stale", None, 20_001), Err(Lost));
    /// assert_eq!(memory.finish(&second, b"fresh", None, 20_002), Ok(()));
    /// ```
    pub fn finish(&self, claim: &Claim, answer: &[u8], carrier: Option<Carrier>, now_ms: u64) -> Result<(), Lost> {
        let answer = Arc::from(answer);
        self.locked(claim.key, |shard| shard.finish(claim, answer, carrier, now_ms))
    }

    /// [`Store::release`] without the [`Outcome`].
    ///
    /// # Errors
    ///
    /// [`Lost`] after a takeover, and for a claim that was finished or released.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Attempt, Claimed, Memory};
    /// let memory = Memory::new();
    /// let key = DedupKey::from_bytes([1; 16]);
    /// for (now, run) in [(0, 1), (5_070, 2), (10_080, 3)] {
    ///     let Claimed::New(claim) = memory.claim(key, now) else { unreachable!() };
    ///     assert_eq!((claim.run, claim.age), (run, now));
    ///     memory.release(&claim, Attempt::Failed, now).unwrap();
    /// }
    /// assert_eq!(memory.claim(key, 10_081), Claimed::Exhausted { age: 10_081 });
    /// ```
    pub fn release(&self, claim: &Claim, attempt: Attempt, now_ms: u64) -> Result<(), Lost> {
        self.locked(claim.key, |shard| shard.release(claim, attempt, now_ms))
    }

    /// [`Store::carry`] without the [`Outcome`].
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Carrier, Claimed, Memory};
    /// let memory = Memory::new();
    /// let Claimed::New(claim) = memory.claim(DedupKey::from_bytes([1; 16]), 0) else { unreachable!() };
    /// memory.finish(&claim, b"hello", None, 9_000).unwrap();
    /// assert!(memory.carry(claim.key, Carrier::Delivery, 9_000));
    /// assert!(!memory.carry(claim.key, Carrier::Late, 15_600));
    /// assert!(memory.carry(claim.key, Carrier::Delivery, 15_700)); // WeChat may ask for it again
    /// ```
    pub fn carry(&self, key: DedupKey, by: Carrier, now_ms: u64) -> bool {
        self.locked(key, |shard| shard.carry(key, by, now_ms))
    }

    /// [`Store::wait`]: checks when first polled, and is woken when the run ends.
    ///
    /// No wake-up is lost between a claim that says running and the first poll, since the poll checks again. The end of
    /// a lease wakes nobody, for there is no clock here; it is only noticed if it was over at `now_ms`.
    ///
    /// ```
    /// # use std::pin::pin;
    /// # use std::task::{Context, Poll, Waker};
    /// # use wechat_events::DedupKey;
    /// # use wechat_events::store::{Memory, Waited};
    /// let memory = Memory::new();
    /// let wait = pin!(memory.wait(DedupKey::from_bytes([1; 16]), 0));
    /// assert_eq!(wait.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Waited::Lapsed));
    /// ```
    pub fn wait(&self, key: DedupKey, now_ms: u64) -> Wait<'_> {
        Wait { memory: self, key, now: now_ms, id: None }
    }

    fn sum(&self, of: impl Fn(&Shard) -> usize) -> usize {
        let shards = self.shards.iter().chain([&self.last]);
        shards.map(|shard| of(&shard.lock().unwrap_or_else(PoisonError::into_inner))).sum()
    }

    /// One step under the shard's lock. Wakers are foreign code: they are called and dropped outside it.
    fn locked<T>(&self, key: DedupKey, step: impl FnOnce(&mut Shard) -> T) -> T {
        // The maps use the lowest and the highest bits of the same hash.
        let number = usize::try_from(self.salt.hash_one(key) >> 40).unwrap_or_default() & self.shards.len();
        let shard = self.shards.get(number).unwrap_or(&self.last);
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let result = step(&mut shard);
        let woken = mem::take(&mut shard.woken);
        drop(shard);
        woken.into_iter().for_each(Waker::wake);
        result
    }
}

impl Store for Memory {
    fn lease(&self) -> Duration {
        self.lease
    }

    fn claim(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Claimed> {
        Outcome::Now(self.claim(key, now_ms))
    }

    fn renew(&self, claim: &Claim, now_ms: u64) -> Outcome<'_, Result<(), Lost>> {
        Outcome::Now(self.renew(claim, now_ms))
    }

    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now_ms: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        Outcome::Now(self.finish(claim, answer, carrier, now_ms))
    }

    fn release(&self, claim: &Claim, attempt: Attempt, now_ms: u64) -> Outcome<'_, Result<(), Lost>> {
        Outcome::Now(self.release(claim, attempt, now_ms))
    }

    fn wait(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Waited> {
        Outcome::later(self.wait(key, now_ms))
    }

    fn carry(&self, key: DedupKey, by: Carrier, now_ms: u64) -> Outcome<'_, bool> {
        Outcome::Now(self.carry(key, by, now_ms))
    }
}

/// Waits for a push in a [`Memory`].
///
/// ```
/// # use std::pin::pin;
/// # use std::task::{Context, Poll, Waker};
/// # use wechat_events::DedupKey;
/// # use wechat_events::store::{Claimed, Memory, Waited};
/// let (memory, mut context) = (Memory::new(), Context::from_waker(Waker::noop()));
/// let Claimed::New(claim) = memory.claim(DedupKey::from_bytes([1; 16]), 0) else { unreachable!() };
/// let mut wait = pin!(memory.wait(claim.key, 1));
/// assert_eq!(wait.as_mut().poll(&mut context), Poll::Pending);
/// memory.finish(&claim, b"hello", None, 2).unwrap();
/// assert!(matches!(wait.as_mut().poll(&mut context), Poll::Ready(Waited::Done { .. })));
/// ```
#[must_use = "nobody waits until this is polled"]
pub struct Wait<'a> {
    memory: &'a Memory,
    key: DedupKey,
    now: u64,
    /// Its number in the push's list of waiters, while the push runs.
    id: Option<u64>,
}

impl Future for Wait<'_> {
    type Output = Waited;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Waited> {
        let Wait { memory, key, now, ref mut id } = *self;
        let mut waker = context.waker().clone();
        let waited = memory.locked(key, |shard| shard.wait(key, now, id, &mut waker));
        if waited.is_ready() {
            *id = None;
        }
        waited
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            drop(self.memory.locked(self.key, |shard| shard.leave(self.key, id)));
        }
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("key", &self.key).finish_non_exhaustive()
    }
}
