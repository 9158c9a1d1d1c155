//! The cost of the memory store per push: alone, with another thread, and when it is full.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use wechat_events::DedupKey;
use wechat_events::store::{Carrier, Claimed, Memory, Outcome, Store};

/// A key like a digest: all bits differ from one push to the next.
fn key(thread: u64, n: u64) -> DedupKey {
    let n = (thread << 56 | n).wrapping_add(1);
    let bits =
        u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(n.wrapping_mul(0xd1b5_4a32_d192_ed03));
    DedupKey::from_bytes(bits.to_ne_bytes())
}

/// A tenth of a millisecond a push: 10,000 a second, so that the store is full and each push evicts one.
fn one(store: &dyn Store, key: DedupKey, n: u64, answer: &[u8]) {
    let Outcome::Now(Claimed::New(claim)) = store.claim(key, n / 10) else { unreachable!() };
    let Outcome::Now(finished) = store.finish(&claim, answer, Some(Carrier::Delivery), n / 10) else { unreachable!() };
    black_box(finished).unwrap();
}

fn spread(threads: u64, iterations: u64, work: impl Fn(u64, u64) + Sync) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || (0..iterations).for_each(|n| work(thread, n)));
        }
    });
    start.elapsed()
}

fn dedup(criterion: &mut Criterion) {
    for threads in [1, 2] {
        criterion.bench_function(&format!("claim new + finish, full store, {threads} threads"), |bench| {
            let memory = Memory::new();
            let mut round = 0;
            spread(1, 100_000, |_, n| one(&memory, key(99, n), n, b"success"));
            bench.iter_custom(|iterations| {
                round += 1;
                spread(threads, iterations, |thread, n| {
                    one(&memory, key(thread, (round << 32) + n), n, b"success");
                })
            });
        });
        criterion.bench_function(&format!("claim done, {threads} threads"), |bench| {
            let memory = Memory::new();
            (0..40_000).for_each(|n| one(&memory, key(0, n), 0, b"success"));
            bench.iter_custom(|iterations| {
                spread(threads, iterations, |thread, n| {
                    black_box(memory.claim(key(0, (n * 7 + thread * 20_000) % 40_000), 1));
                })
            });
        });
    }
    criterion.bench_function("claim new + finish, 1 second's pushes, empty store", |bench| {
        bench.iter_custom(|iterations| {
            let memory = Memory::new();
            (0..1_000).for_each(|n| one(&memory, key(9, n), 0, b"success"));
            let start = Instant::now();
            (0..iterations).for_each(|n| one(&memory, key(1, n), n * 1_000, b"success"));
            start.elapsed()
        });
    });
}

criterion_group!(benches, dedup);
criterion_main!(benches);
