//! Handling a plaintext push from request to response, and its signature alone.
//!
//! `cargo bench --bench pipeline`. Baselines in the same run: SHA-1 of the bytes that are signed, and roxmltree's
//! parse of the push alone.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sha1::{Digest, Sha1};
use wechat_events::event::Text;
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply, verify_signature};

mod inputs;

const TOKEN: &str = "a token of usual length";
const TIMESTAMP: &str = "1714037059";
const NONCE: &str = "486452656";

/// Answers each push with a short text.
struct Greeter;

impl Handler for Greeter {
    fn text(&self, _: &Event<'_>, _: &Text<'_>) -> HandlerResult {
        Ok(Reply::text("收到，谢谢！"))
    }

    fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        Ok(Reply::text("欢迎！"))
    }
}

fn signature(criterion: &mut Criterion) {
    let mut parts = [TOKEN, TIMESTAMP, NONCE];
    parts.sort_unstable();
    let signed = parts.concat();
    let signature = hex::encode(Sha1::digest(&signed));
    let mut group = criterion.benchmark_group("signature");
    group.bench_function("verify_signature", |bencher| {
        bencher.iter(|| {
            assert!(verify_signature(black_box(TOKEN), black_box(TIMESTAMP), black_box(NONCE), black_box(&signature)));
        });
    });
    group.bench_function("sha1 of the same bytes", |bencher| {
        bencher.iter(|| black_box(Sha1::digest(black_box(signed.as_bytes()))));
    });
    group.finish();
}

fn pipeline(criterion: &mut Criterion) {
    let endpoint = Endpoint::plain(TOKEN).unwrap().on_report(|_| {});
    let mut parts = [TOKEN, TIMESTAMP, NONCE];
    parts.sort_unstable();
    let signature = hex::encode(Sha1::digest(parts.concat()));
    let query =
        format!("signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}&openid=oQ7tTwK2mVbX9hJ4sLrYc8NfEzUg");
    let mut cases: Vec<(&str, Vec<Vec<u8>>)> =
        inputs::each().into_iter().map(|(name, body)| (name, vec![body])).collect();
    cases.push(("mix", inputs::mix(256)));
    for (name, bodies) in &cases {
        let mut group = criterion.benchmark_group(format!("pipeline/{name}"));
        group.throughput(criterion::Throughput::Elements(bodies.len() as u64));
        group.bench_function("verify, parse, dispatch, reply", |bencher| {
            bencher.iter(|| {
                for body in bodies {
                    let response =
                        endpoint.respond("POST", black_box(&query), black_box(body), 1_714_037_060, &Greeter);
                    assert_eq!(response.status, 200);
                    black_box(response);
                }
            });
        });
        group.bench_function("roxmltree, parse alone", |bencher| {
            bencher.iter(|| {
                for body in bodies {
                    let text = std::str::from_utf8(black_box(body)).unwrap();
                    black_box(roxmltree::Document::parse(text).unwrap());
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, signature, pipeline);
criterion_main!(benches);
