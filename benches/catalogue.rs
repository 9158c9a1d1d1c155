//! One push of every kind, by official page.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wechat_events::event::KINDS;
use wechat_events::parse_event;

fn catalogue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("catalogue");
    for kinds in KINDS.chunk_by(|one, next| one.group() == next.group()) {
        let samples: Vec<_> = kinds.iter().map(|kind| kind.sample().as_bytes()).collect();
        group.throughput(Throughput::Elements(samples.len().try_into().unwrap()));
        group.bench_function(format!("{:?}", kinds[0].group()), |bencher| {
            bencher.iter(|| {
                for sample in &samples {
                    black_box(parse_event(black_box(sample)).unwrap());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, catalogue);
criterion_main!(benches);
