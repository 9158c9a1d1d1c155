//! A memory of keys, for when de-duplication is all that is needed.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::DedupKey;

/// Remembers in this process which pushes were seen, for a limited time and number.
///
/// Use it if de-duplication is all you need: a retry that it recognises is answered `success`, so if WeChat gave up on
/// the first delivery, its reply is lost.
///
/// **Not for payments** (`xpay_…`, `minigame_…`): `success` tells WeChat that the goods are delivered. Answer each of
/// their deliveries according to what your database says about its [`business_key`](crate::Event::business_key).
///
/// # When to forget
/// [`first`](Dedup::first) marks the key before the push is handled. If handling then fails, [`forget`](Dedup::forget)
/// the key; otherwise WeChat's retries, each another chance, are taken for duplicates. Forget it on every failure: an
/// error, a panic, a timeout.
///
/// # What it forgets by itself
/// Keys older than the time to live. In a flood also younger ones, the oldest first: the number of keys never exceeds
/// the bound, and the newest half of the bound is always kept. A key costs at most 40 bytes.
///
/// Keys are compared by 64 of their bits, salted for each `Dedup`: among a million distinct keys, any two are confused
/// with a probability of 1 in 10⁷, and a given one with 1 in 10¹³.
///
/// ```
/// use wechat_events::{Dedup, DedupKey};
///
/// let dedup = Dedup::new();
/// let key = DedupKey::of_body(b"<xml/>");
/// assert!(dedup.first(&key, 1469066999));
/// assert!(!dedup.first(&key, 1469067058));
/// assert!(dedup.first(&key, 1469067059), "60 seconds later");
/// dedup.forget(&key);
/// assert!(dedup.first(&key, 1469067060), "it had failed");
/// ```
#[doc(alias("排重", "去重"))]
pub struct Dedup {
    /// The number of shards is a power of two. The last one is stored apart, so that there always is one.
    shards: Box<[Shard]>,
    last: Shard,
    /// Secret: nobody can choose keys that are confused without knowing it.
    salt: [u64; 2],
    /// In seconds.
    time_to_live: u64,
    /// Number of keys in one generation of one shard.
    bound: usize,
}

/// Aligned to cache lines, so that threads in different shards do not slow each other down.
#[repr(align(128))]
#[derive(Default)]
struct Shard(Mutex<Generations>);

/// Keys and when they were first seen: the current generation, and the previous one.
///
/// When the current generation is full or old, it becomes the previous one, and the previous one is dropped as a whole:
/// no key is ever searched for to be evicted.
#[derive(Default)]
struct Generations {
    current: Keys,
    previous: Keys,
    /// When the current generation started, in seconds.
    began: i64,
}

type Keys = HashMap<u64, i64, BuildHasherDefault<AsItIs>>;

impl Dedup {
    /// WeChat's retries span 10 s, plus the time of a slow handler; an SDK that kept keys for 10 s let the third
    /// delivery through.
    const TIME_TO_LIVE: Duration = Duration::from_secs(60);
    /// The newest million keys are always kept.
    const BOUND: usize = 1 << 21;
    const SHARDS: usize = 64;

    /// A memory of 60 seconds and 2²¹ keys, of which the newest million are always kept.
    #[must_use]
    pub fn new() -> Dedup {
        Dedup::with_bounds(Dedup::TIME_TO_LIVE, Dedup::BOUND)
    }

    /// A memory with the given time to live, in whole seconds, and number of keys.
    ///
    /// With less than 60 seconds a late retry may count as new: WeChat delivers for 10 seconds, and a proxy may hold
    /// each delivery for as long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wechat_events::{Dedup, DedupKey};
    ///
    /// let dedup = Dedup::with_bounds(Duration::from_secs(120), 10_000);
    /// let key = DedupKey::of_body(b"<xml/>");
    /// assert!(dedup.first(&key, 0) && !dedup.first(&key, 119) && dedup.first(&key, 120));
    /// ```
    #[must_use]
    pub fn with_bounds(time_to_live: Duration, keys: usize) -> Dedup {
        // Small memories have few shards, so that rounding does not distort their bound.
        let shards = (keys / 512).next_power_of_two().clamp(1, Dedup::SHARDS);
        let random = RandomState::new();
        Dedup {
            shards: std::iter::repeat_with(Shard::default).take(shards - 1).collect(),
            last: Shard::default(),
            salt: [random.hash_one(0), random.hash_one(1)],
            time_to_live: time_to_live.as_secs(),
            bound: (keys / shards / 2).max(1),
        }
    }

    /// Whether this key is seen for the first time; `now` is in seconds since 1970.
    ///
    /// Returns `true` exactly once per key and time to live, however many threads ask, within the bounds above.
    pub fn first(&self, key: &DedupKey, now: i64) -> bool {
        let key = self.fingerprint(key);
        let mut shard = self.shard(key);
        let Generations { current, previous, began } = &mut *shard;
        if current.len() >= self.bound || now.abs_diff(*began) >= self.time_to_live {
            std::mem::swap(current, previous);
            current.clear();
            // Frees what a flood has allocated once it is over.
            if current.capacity() > 4 * previous.len() {
                current.shrink_to(previous.len());
            }
            *began = now;
        }
        let fresh = |seen: i64| now.abs_diff(seen) < self.time_to_live;
        match current.entry(key) {
            Entry::Occupied(seen) if fresh(*seen.get()) => false,
            Entry::Occupied(mut seen) => {
                seen.insert(now);
                true
            }
            Entry::Vacant(_) if previous.get(&key).is_some_and(|seen| fresh(*seen)) => false,
            Entry::Vacant(place) => {
                place.insert(now);
                true
            }
        }
    }

    /// Forgets a key whose handling failed, so that the next delivery counts as the first.
    pub fn forget(&self, key: &DedupKey) {
        let key = self.fingerprint(key);
        let mut shard = self.shard(key);
        shard.current.remove(&key);
        shard.previous.remove(&key);
    }

    fn fingerprint(&self, key: &DedupKey) -> u64 {
        let key = u128::from_be_bytes(key.0);
        let [salt_a, salt_b] = self.salt;
        let (a, b) = (low(key) ^ salt_a, low(key >> 64) ^ salt_b);
        let product = u128::from(a) * u128::from(b);
        low(product) ^ low(product >> 64)
    }

    /// Picks the shard by bits that its table does not use first.
    fn shard(&self, fingerprint: u64) -> MutexGuard<'_, Generations> {
        // Of 64 shards, 63 are in the list, besides the last one: the length is the mask.
        let index = usize::try_from(fingerprint >> 32).unwrap_or_default() & self.shards.len();
        let shard = self.shards.get(index).unwrap_or(&self.last);
        shard.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn low(number: u128) -> u64 {
    u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default()
}

impl Default for Dedup {
    fn default() -> Dedup {
        Dedup::new()
    }
}

impl fmt::Debug for Dedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup")
            .field("time_to_live", &self.time_to_live)
            .field("bound", &(2 * self.bound * (self.shards.len() + 1)))
            .finish_non_exhaustive()
    }
}

/// A hasher for fingerprints, which are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
