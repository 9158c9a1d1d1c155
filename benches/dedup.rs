//! `Dedup` against a locked map of strings, sharded maps of 64 bits, and moka.
//!
//! `cargo bench --bench dedup`. Each on one thread and on two at once; "known" looks up keys that are there, "new"
//! keys that are not. Times are for one call on one thread.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use wechat_events::{Dedup, DedupKey};

mod inputs;

/// Fits the cache.
const KNOWN: u64 = 1 << 12;
const TIME_TO_LIVE: Duration = Duration::from_secs(60);

trait Seen: Sync {
    fn first(&self, key: &DedupKey) -> bool;
}

impl Seen for Dedup {
    fn first(&self, key: &DedupKey) -> bool {
        Dedup::first(self, key, 1_714_037_060)
    }
}

/// What most SDKs do: the key as a text, one lock, no limit.
#[derive(Default)]
struct LockedStrings(Mutex<HashMap<String, Instant>>);

impl Seen for LockedStrings {
    fn first(&self, key: &DedupKey) -> bool {
        let now = Instant::now();
        let key = u128::from_be_bytes(*key.as_bytes()).to_string();
        let mut seen = self.0.lock().unwrap();
        match seen.get(&key) {
            Some(at) if now.duration_since(*at) < TIME_TO_LIVE => false,
            _ => seen.insert(key, now).is_none(),
        }
    }
}

/// Sixteen locks, 64 bits per key, no limit and no expiry.
#[derive(Default)]
struct Sixteen([Mutex<HashMap<u64, ()>>; 16]);

impl Seen for Sixteen {
    fn first(&self, key: &DedupKey) -> bool {
        let key = u64::from_be_bytes(*key.as_bytes().first_chunk().unwrap());
        self.0[usize::try_from(key >> 60).unwrap()].lock().unwrap().insert(key, ()).is_none()
    }
}

struct Moka(moka::sync::Cache<DedupKey, ()>);

impl Default for Moka {
    fn default() -> Moka {
        Moka(moka::sync::Cache::builder().max_capacity(1 << 21).time_to_live(TIME_TO_LIVE).build())
    }
}

impl Seen for Moka {
    fn first(&self, key: &DedupKey) -> bool {
        self.0.entry(*key).or_insert(()).is_fresh()
    }
}

fn key(number: u64) -> DedupKey {
    DedupKey::of_body(&number.to_le_bytes())
}

/// The time of `calls` calls on each of some threads at once.
fn time(threads: u64, calls: u64, call: impl Fn(u64) + Sync) -> Duration {
    let start = std::sync::Barrier::new(usize::try_from(threads).unwrap());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (start, call) = (&start, &call);
                scope.spawn(move || {
                    start.wait();
                    let begun = Instant::now();
                    for number in 0..calls {
                        call(thread * calls + number);
                    }
                    begun.elapsed()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).max().unwrap()
    })
}

fn store<S: Seen>(criterion: &mut Criterion, name: &str, new: impl Fn() -> S) {
    let known: Vec<DedupKey> = (0..KNOWN).map(key).collect();
    for threads in [1, 2] {
        let mut group = criterion.benchmark_group(format!("dedup/{threads} threads"));
        group.bench_function(format!("known, {name}"), |bencher| {
            let store = new();
            known.iter().for_each(|key| assert!(store.first(key)));
            bencher.iter_custom(|calls| {
                time(threads, calls, |number| {
                    assert!(!store.first(black_box(&known[usize::try_from(number % KNOWN).unwrap()])));
                })
            });
        });
        group.bench_function(format!("new, {name}"), |bencher| {
            bencher.iter_custom(|calls| {
                // Keys are made in advance, and a store never holds more than fits the cache.
                const ROUND: u64 = 1 << 14;
                let mut total = Duration::ZERO;
                let mut left = calls;
                while left > 0 {
                    let round = left.min(ROUND);
                    let keys: Vec<DedupKey> = (0..threads * round).map(|number| key(number + (1 << 40))).collect();
                    let store = new();
                    total += time(threads, round, |number| {
                        assert!(store.first(black_box(&keys[usize::try_from(number).unwrap()])));
                    });
                    left -= round;
                }
                total
            });
        });
        group.finish();
    }
}

fn key_of_a_push(criterion: &mut Criterion) {
    let body = &inputs::each()[0].1;
    let mut group = criterion.benchmark_group("key");
    group.bench_function("DedupKey::of_body", |bencher| bencher.iter(|| DedupKey::of_body(black_box(body))));
    group.bench_function("sha1 of the same bytes", |bencher| {
        use sha1::{Digest, Sha1};
        bencher.iter(|| black_box(Sha1::digest(black_box(body))));
    });
    group.finish();
}

fn dedup(criterion: &mut Criterion) {
    store(criterion, "Dedup", Dedup::new);
    store(criterion, "Mutex<HashMap<String, Instant>>", LockedStrings::default);
    store(criterion, "16 × Mutex<HashMap<u64>>", Sixteen::default);
    store(criterion, "moka", Moka::default);
    key_of_a_push(criterion);
}

criterion_group!(benches, dedup);
criterion_main!(benches);
