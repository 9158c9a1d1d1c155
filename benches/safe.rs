//! Handling a push of 400 bytes in safe mode, compared with the sum of its unavoidable parts.
//!
//! `cargo bench --bench safe --features aes`. The parts, in the same run and of the same sizes: SHA-1 over what is
//! signed, base64, AES, for the push and for its answer.

use std::hint::black_box;

use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use base64::{Engine, engine::Simd, engine::general_purpose::PAD};
use criterion::{Criterion, criterion_group, criterion_main};
use sha1::{Digest, Sha1};
use wechat_events::cipher::{EncodingAesKey, seal_with};
use wechat_events::event::Text;
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Received, Reply};

const TOKEN: &str = "a token of usual length";
const APP_ID: &str = "wxb11529c136998cb6";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const NOW: i64 = 1_714_037_060;

/// Answers each push with a short text.
struct Greeter;

impl Handler for Greeter {
    fn text(&self, _: &Event<'_>, _: &Text<'_>) -> HandlerResult {
        Ok(Reply::text("收到，谢谢！"))
    }
}

/// A text message of 400 bytes.
fn message() -> String {
    let message = |content: &str| {
        format!(
            "<xml><ToUserName><![CDATA[gh_3d5f1b2c7a90]]></ToUserName>\n\
             <FromUserName><![CDATA[oQ7tTwK2mVbX9hJ4sLrYc8NfEzUg]]></FromUserName>\n\
             <CreateTime>1714037059</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n\
             <Content><![CDATA[{content}]]></Content>\n<MsgId>24339875612009871</MsgId>\n</xml>"
        )
    };
    let rest = 400 - message("").len();
    message(&format!("{}{}", "长".repeat(rest / 3), "x".repeat(rest % 3)))
}

fn signed(encrypt: &str) -> String {
    let mut parts = [TOKEN, "1714037059", "486452656", encrypt];
    parts.sort_unstable();
    parts.concat()
}

fn safe(criterion: &mut Criterion) {
    let message = message();
    assert_eq!(message.len(), 400);
    let key = EncodingAesKey::new(KEY).unwrap();
    let encrypt = seal_with(&key, APP_ID, message.as_bytes(), *b"707722b803182950").unwrap();
    let query = format!(
        "signature=0&timestamp=1714037059&nonce=486452656&openid=oQ7tTwK2mVbX9hJ4sLrYc8NfEzUg&encrypt_type=aes&\
         msg_signature={}",
        hex::encode(Sha1::digest(signed(&encrypt)))
    );
    let body = format!(
        "<xml>\n    <ToUserName><![CDATA[gh_3d5f1b2c7a90]]></ToUserName>\n    \
         <Encrypt><![CDATA[{encrypt}]]></Encrypt>\n</xml>"
    );
    let endpoint = Endpoint::safe(TOKEN, APP_ID, KEY).unwrap().on_report(|_| {});
    let response = endpoint.respond("POST", &query, body.as_bytes(), NOW, &Greeter);
    let answer = str::from_utf8(&response.body).unwrap();
    let (_, from) = answer.split_once("<![CDATA[").unwrap();
    let (answer_encrypt, _) = from.split_once("]]>").unwrap();

    let mut group = criterion.benchmark_group("safe");
    group.bench_function("verify, decrypt, parse, dispatch, reply, seal", |bencher| {
        bencher.iter(|| endpoint.respond("POST", black_box(&query), black_box(body.as_bytes()), NOW, &Greeter));
    });
    group.bench_function("verify, decrypt", |bencher| {
        bencher.iter(|| match endpoint.receive("POST", black_box(&query), black_box(body.as_bytes()), NOW) {
            Ok(Received::Push(push)) => push.body().len(),
            other => panic!("{other:?}"),
        });
    });

    let base64 = Simd::standard(PAD);
    let (aes, iv) = (aes::Aes256::new(&[7; 32].into()), [7; 16].into());
    let (push_text, answer_text) = (signed(&encrypt), signed(answer_encrypt));
    let (mut push_bytes, mut answer_bytes) = (base64.decode(&encrypt).unwrap(), base64.decode(answer_encrypt).unwrap());
    group.bench_function("parts of verify, decrypt: SHA-1, base64, AES", |bencher| {
        bencher.iter(|| {
            black_box(Sha1::digest(black_box(&push_text)));
            let mut bytes = base64.decode(black_box(&encrypt)).unwrap();
            let (blocks, _) = Array::slice_as_chunks_mut(&mut bytes);
            cbc::Decryptor::inner_iv_init(&aes, &iv).decrypt_blocks(blocks);
            bytes
        });
    });
    group.bench_function("parts of all: both SHA-1, base64, AES", |bencher| {
        bencher.iter(|| {
            black_box(Sha1::digest(black_box(&push_text)));
            base64.decode_slice(black_box(&encrypt), &mut push_bytes).unwrap();
            let (blocks, _) = Array::slice_as_chunks_mut(black_box(&mut push_bytes));
            cbc::Decryptor::inner_iv_init(&aes, &iv).decrypt_blocks(blocks);
            let (blocks, _) = Array::slice_as_chunks_mut(black_box(&mut answer_bytes));
            cbc::Encryptor::inner_iv_init(&aes, &iv).encrypt_blocks(blocks);
            black_box(base64.encode(black_box(&answer_bytes)));
            black_box(Sha1::digest(black_box(&answer_text)));
        });
    });
    for (name, text) in [("part: SHA-1 of the push", &push_text), ("part: SHA-1 of the answer", &answer_text)] {
        group.bench_function(name, |bencher| bencher.iter(|| Sha1::digest(black_box(text))));
    }
    group.bench_function("part: base64 of the push", |bencher| {
        bencher.iter(|| base64.decode(black_box(&encrypt)).unwrap());
    });
    group.bench_function("part: AES of the push", |bencher| {
        bencher.iter(|| {
            let (blocks, _) = Array::slice_as_chunks_mut(black_box(&mut push_bytes));
            cbc::Decryptor::inner_iv_init(&aes, &iv).decrypt_blocks(blocks);
        });
    });
    group.bench_function("part: AES of the answer", |bencher| {
        bencher.iter(|| {
            let (blocks, _) = Array::slice_as_chunks_mut(black_box(&mut answer_bytes));
            cbc::Encryptor::inner_iv_init(&aes, &iv).encrypt_blocks(blocks);
        });
    });
    group.bench_function("part: base64 of the answer", |bencher| {
        bencher.iter(|| base64.encode(black_box(&answer_bytes)));
    });
    group.finish();
}

criterion_group!(benches, safe);
criterion_main!(benches);
