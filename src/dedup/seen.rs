//! A memory of keys, if de-duplication is all that is needed.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::DedupKey;

/// Remembers which pushes were seen, in this process, for a time and up to a bound.
///
/// If de-duplication is all you need: a retry that is recognised here is answered `success`, so the reply to a first
/// delivery that WeChat gave up on is lost.
///
/// **Not for payments** (`xpay_…`, `minigame_…`): `success` tells WeChat that the goods are delivered. Answer each of their
/// deliveries by what the account's books say of its [`business_key`](crate::Event::business_key).
///
/// # When to forget
/// [`first`](Dedup::first) marks before the push is handled. If handling then fails, [`forget`](Dedup::forget) the
/// key, or WeChat's retries, which are a second chance, are taken for done. Forget it on every way out that is not
/// «handled»: an error, a panic, a time-out.
///
/// # What it forgets by itself
/// Keys older than the time to live. In a flood also younger ones, the oldest first: what is held never exceeds the
/// bound, and the newest half of the bound is always held. A key costs at most 40 bytes.
///
/// Keys are told apart by 64 bits of them, salted for each `Dedup`: two of a million distinct keys are taken for one
/// with odds of 1 in 10⁷ over all of them, 1 in 10¹³ for a given one.
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
    /// A power of two of them, with the last one apart, which makes it certain that there is one.
    shards: Box<[Shard]>,
    last: Shard,
    /// Nobody who lacks it can choose keys that are taken for one.
    salt: [u64; 2],
    /// Seconds.
    time_to_live: u64,
    /// Keys of one generation of one shard.
    bound: usize,
}

/// On cache lines of its own, so that threads in different shards do not slow each other.
#[repr(align(128))]
#[derive(Default)]
struct Shard(Mutex<Generations>);

/// Keys by when they were first seen: the current ones, and those of the time to live before.
///
/// When the current generation is full or old, it becomes the previous one, and the previous one is forgotten whole:
/// no key is ever searched for to be evicted.
#[derive(Default)]
struct Generations {
    current: Keys,
    previous: Keys,
    /// When the current generation began, in seconds.
    began: i64,
}

type Keys = HashMap<u64, i64, BuildHasherDefault<AsItIs>>;

impl Dedup {
    /// WeChat's retries span 10 s, and a slow handler's time comes on top; an SDK that kept keys for 10 s let the
    /// third delivery through.
    const TIME_TO_LIVE: Duration = Duration::from_secs(60);
    /// A million of the newest keys are always held.
    const BOUND: usize = 1 << 21;
    const SHARDS: usize = 64;

    /// A memory of 60 seconds and 2²¹ keys, of which the newest million are always held.
    #[must_use]
    pub fn new() -> Dedup {
        Dedup::with_bounds(Dedup::TIME_TO_LIVE, Dedup::BOUND)
    }

    /// A memory of a chosen time, in whole seconds, and number of keys.
    ///
    /// Below 60 seconds a late retry may pass as new: WeChat delivers for 10 seconds, and each delivery may wait in a
    /// proxy for as long.
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
        // Small memories have few shards, so that their bound is not all rounding.
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

    /// Whether this key is seen for the first time, `now` in seconds since 1970.
    ///
    /// Exactly once `true` for a key and time to live, however many threads ask, within the bounds said above.
    pub fn first(&self, key: &DedupKey, now: i64) -> bool {
        let key = self.fingerprint(key);
        let mut shard = self.shard(key);
        let Generations { current, previous, began } = &mut *shard;
        if current.len() >= self.bound || now.abs_diff(*began) >= self.time_to_live {
            std::mem::swap(current, previous);
            current.clear();
            // What a flood has taken is given back when it is over.
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

    /// By bits that the table within the shard does not use first.
    fn shard(&self, fingerprint: u64) -> MutexGuard<'_, Generations> {
        // Of 64 shards, 63 and the last: the mask is the number of the former.
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

/// A fingerprint is a hash already.
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
