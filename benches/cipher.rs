//! The envelope against the sum of its parts, in one run: what it adds to base64 and AES should be next to nothing.
//!
//! `cargo bench --bench cipher --features aes`.

use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use base64::{Engine, engine::Simd, engine::general_purpose::PAD};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use wechat_events::cipher::{EncodingAesKey, open, seal, seal_with};

const APP_ID: &str = "wxb11529c136998cb6";
const MESSAGE: [u8; 400] = [b'm'; 400];

fn cipher(criterion: &mut Criterion) {
    let key = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    let sealed = seal(&key, APP_ID, &MESSAGE).unwrap();
    let base64 = Simd::standard(PAD);
    let mut bytes = base64.decode(&sealed).unwrap();
    let (aes, iv) = (aes::Aes256::new(&[7; 32].into()), [7; 16].into());

    let mut group = criterion.benchmark_group("open 400 bytes");
    group.bench_function("whole", |b| b.iter(|| open(&key, APP_ID, black_box(&sealed)).unwrap()));
    group.bench_function("part: base64", |b| b.iter(|| base64.decode(black_box(&sealed)).unwrap()));
    group.bench_function("part: AES", |b| {
        b.iter(|| {
            let (blocks, _) = Array::slice_as_chunks_mut(black_box(&mut bytes));
            cbc::Decryptor::inner_iv_init(&aes, &iv).decrypt_blocks(blocks);
        });
    });
    group.bench_function("parts together", |b| {
        b.iter(|| {
            let mut bytes = base64.decode(black_box(&sealed)).unwrap();
            let (blocks, _) = Array::slice_as_chunks_mut(&mut bytes);
            cbc::Decryptor::inner_iv_init(&aes, &iv).decrypt_blocks(blocks);
            bytes
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("seal 400 bytes");
    group.bench_function("whole", |b| b.iter(|| seal(&key, APP_ID, black_box(&MESSAGE)).unwrap()));
    group.bench_function("whole, random given", |b| {
        b.iter(|| seal_with(&key, APP_ID, black_box(&MESSAGE), [7; 16]).unwrap());
    });
    group.bench_function("random bytes by a system call", |b| {
        b.iter(|| {
            let mut random = [0; 16];
            getrandom::fill(&mut random).unwrap();
            random
        });
    });
    group.bench_function("part: AES", |b| {
        b.iter(|| {
            let (blocks, _) = Array::slice_as_chunks_mut(black_box(&mut bytes));
            cbc::Encryptor::inner_iv_init(&aes, &iv).encrypt_blocks(blocks);
        });
    });
    group.bench_function("part: base64", |b| b.iter(|| base64.encode(black_box(&bytes))));
    group.finish();
}

criterion_group!(benches, cipher);
criterion_main!(benches);
