//! Endpoints in safe and compatible mode: what is accepted, what is refused and with which error, what is answered.
//!
//! Signatures are made by hand here, and `Encrypt` by `cipher::seal_with`, which has its own tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use wechat_events::cipher::{EncodingAesKey, OpenError, SealError, open, seal, seal_with};
use wechat_events::event::Text;
use wechat_events::{
    ConfigError, Doubt, Endpoint, Event, Handler, HandlerResult, Limits, Push, Received, Reply, Report, RequestError,
    Response,
};

use crate::errors::whole;
use crate::wire::sign;

const TOKEN: &str = "QDG6eK";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const APP_ID: &str = "wxb11529c136998cb6";
const OTHER_TOKEN: &str = "pamtest";
const OTHER_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const OTHER_APP_ID: &str = "wx5823bf96d3bd56c7";
const NOW: i64 = 1_714_037_059;
const MESSAGE: &str = "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o_1]]></FromUserName>\
                       <CreateTime>1714037058</CreateTime><MsgType><![CDATA[text]]></MsgType>\
                       <Content><![CDATA[你好]]></Content><MsgId>24339875612009871</MsgId></xml>";

struct Echo;

impl Handler for Echo {
    fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(Reply::text(&*text.content))
    }
}

fn key(text: &str) -> EncodingAesKey {
    EncodingAesKey::new(text).unwrap()
}

fn safe() -> Endpoint {
    Endpoint::safe(TOKEN, APP_ID, KEY).unwrap()
}

/// Both constructors, which must refuse and trust the same.
fn both() -> [Endpoint; 2] {
    [safe(), Endpoint::compatible(TOKEN, APP_ID, KEY).unwrap()]
}

fn query(token: &str, encrypt: &str) -> String {
    let msg_signature = sign(&[token, "1714037059", "486452656", encrypt]);
    format!("timestamp=1714037059&nonce=486452656&encrypt_type=aes&msg_signature={msg_signature}")
}

fn envelope(encrypt: &str) -> String {
    format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>")
}

/// `Encrypt` as WeChat makes it, each with other bytes in front.
fn encrypted(key_text: &str, app_id: &str, message: &str) -> String {
    let random = u128::from(RANDOM.fetch_add(1, Ordering::Relaxed)) << 64;
    seal_with(&key(key_text), app_id, message.as_bytes(), random.to_be_bytes()).unwrap()
}

static RANDOM: AtomicU64 = AtomicU64::new(0x3730_3737_3232_6238);

/// Query and body of a push.
fn sealed(token: &str, key_text: &str, message: &str) -> (String, String) {
    let encrypt = encrypted(key_text, APP_ID, message);
    (query(token, &encrypt), envelope(&encrypt))
}

fn push<'b>(endpoint: &Endpoint, query: &str, body: &'b str) -> Result<Push<'b>, RequestError> {
    match endpoint.receive("POST", query, body.as_bytes(), NOW)? {
        Received::Push(push) => Ok(push),
        other => panic!("{other:?}"),
    }
}

fn refused(endpoint: &Endpoint, query: &str, body: &str) -> RequestError {
    push(endpoint, query, body).unwrap_err()
}

/// The text of an element of an answer, whose layout is that of the official page.
fn element<'x>(xml: &'x str, name: &str) -> &'x str {
    let (_, from) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    let (value, _) = from.split_once(&format!("</{name}>")).unwrap();
    value.strip_prefix("<![CDATA[").map_or(value, |value| value.strip_suffix("]]>").unwrap())
}

/// The message of an encrypted answer, if its signature was made with this token.
fn opened(response: &Response, token: &str, key_text: &str) -> String {
    assert_eq!((response.status, response.content_type), (200, "text/xml"));
    let xml = str::from_utf8(&response.body).unwrap();
    let [encrypt, given, timestamp, nonce] =
        ["Encrypt", "MsgSignature", "TimeStamp", "Nonce"].map(|name| element(xml, name));
    assert_eq!(given, sign(&[token, timestamp, nonce, encrypt]));
    let message = open(&key(key_text), APP_ID, encrypt).unwrap().into_message();
    String::from_utf8(message).unwrap()
}

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("../vectors/crypto.json")).unwrap()
}

fn vector_request(vector: &Value) -> Option<(Endpoint, String, String)> {
    let text = |name: &str| vector[name].as_str();
    let endpoint = Endpoint::safe(text("token")?, text("id").unwrap_or(APP_ID), text("key").unwrap_or(KEY)).unwrap();
    let (timestamp, nonce, msg_signature) = (text("timestamp")?, text("nonce")?, text("msg_signature")?);
    let query = format!("timestamp={timestamp}&nonce={nonce}&encrypt_type=aes&msg_signature={msg_signature}");
    Some((endpoint, query, text("cipher")?.to_owned()))
}

#[test]
fn every_vector_is_received_and_what_is_answered_opens() {
    let mut received = Vec::new();
    for vector in vectors().iter().filter(|vector| vector["check"]["pad_ok"] == true) {
        let Some((endpoint, query, encrypt)) = vector_request(vector) else { continue };
        let body = envelope(&encrypt);
        let push = push(&endpoint, &query, &body).unwrap();
        assert_eq!(str::from_utf8(push.body()).unwrap(), vector["check"]["plain"], "{}", vector["name"]);
        if let Ok(event) = push.event()
            && event.takes_reply()
        {
            let response = push.respond(&event, &Reply::text("hello"), NOW);
            let xml = str::from_utf8(&response.body).unwrap();
            let text = |name: &str| vector[name].as_str().unwrap();
            let opened = open(&key(text("key")), text("id"), element(xml, "Encrypt")).unwrap();
            assert_eq!(opened.message(), Reply::text("hello").write(&event, NOW).body.as_bytes());
            assert_eq!(element(xml, "Nonce"), text("nonce"));
        }
        received.push(vector["name"].as_str().unwrap()[..3].to_owned());
    }
    assert_eq!(received, ["V01", "V02", "V05", "V10", "V15", "V18"]);
}

#[test]
fn the_vectors_without_a_key_pass_the_signature_and_fail_behind_it() {
    let mut failed = Vec::new();
    for vector in vectors().iter().filter(|vector| vector["signonly"] == true) {
        let (endpoint, query, encrypt) = vector_request(vector).unwrap();
        failed.push(refused(&endpoint, &query, &envelope(&encrypt)));
    }
    // V08 is encrypted with another key, V17 is the word `encrypt`.
    let cut = OpenError::Base64Cut { characters: 7 };
    assert_eq!(failed, [RequestError::Open(OpenError::Padding), RequestError::Open(cut)]);
}

#[test]
fn v19_is_refused_before_anything_is_decrypted() {
    let vectors = vectors();
    let v19 = vectors.iter().find(|vector| vector["name"].as_str().unwrap().starts_with("V19")).unwrap();
    let (endpoint, query, encrypt) = vector_request(v19).unwrap();
    assert_eq!(refused(&endpoint, &query, &envelope(&encrypt)), RequestError::MsgSignature);
}

/// Each byte as `%xx`, so that a query can contain any byte.
fn percent(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}

/// The same bytes with one bit flipped, for each bit.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

#[test]
fn every_flipped_bit_of_encrypt_msg_signature_timestamp_and_nonce_is_refused_undecrypted() {
    let encrypt = encrypted(KEY, APP_ID, MESSAGE);
    let parts = [
        ("timestamp", "1714037059".to_owned()),
        ("nonce", "486452656".to_owned()),
        ("msg_signature", sign(&[TOKEN, "1714037059", "486452656", &encrypt])),
    ];
    let query = |changed: Option<(&str, &[u8])>| -> String {
        let value = |name: &str, value: &str| match changed {
            Some((changed, bytes)) if changed == name => percent(bytes),
            _ => percent(value.as_bytes()),
        };
        parts.iter().map(|(name, text)| format!("{name}={}&", value(name, text))).collect()
    };
    let body = envelope(&encrypt);
    for endpoint in both() {
        assert_eq!(push(&endpoint, &query(None), &body).unwrap().body(), MESSAGE.as_bytes());
        for (name, text) in &parts {
            for changed in flipped(text.as_bytes()) {
                let query = query(Some((name, &changed)));
                let has_form = changed.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte));
                let expected = match has_form || *name == "msg_signature" {
                    true => RequestError::MsgSignature,
                    false => RequestError::ParameterForm { name, limit: 32 },
                };
                assert_eq!(refused(&endpoint, &query, &body), expected, "{name}: {changed:?}");
            }
        }
        let (before, behind) = body.split_once(&encrypt).unwrap();
        for changed in flipped(encrypt.as_bytes()) {
            let body = [before.as_bytes(), &changed, behind.as_bytes()].concat();
            let error = endpoint.receive("POST", &query(None), &body, NOW).unwrap_err();
            assert_eq!(error, RequestError::MsgSignature, "{}", String::from_utf8_lossy(&changed));
        }
    }
}

#[test]
fn a_push_cut_at_any_byte_is_refused() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    let encrypt = element(&body, "Encrypt").to_owned();
    for endpoint in both() {
        for length in 0..body.len() {
            let error = refused(&endpoint, &query, &body[..length]);
            assert!(matches!(error, RequestError::Envelope(_)), "{length}: {error:?}");
        }
        for length in 0..query.len() {
            let error = refused(&endpoint, &query[..length], &body);
            assert!(
                matches!(error.status(), 400 | 403) && !matches!(error, RequestError::Open(_)),
                "{length}: {error}"
            );
        }
        for length in 0..encrypt.len() {
            assert_eq!(refused(&endpoint, &query, &envelope(&encrypt[..length])), RequestError::MsgSignature);
        }
    }
}

#[test]
fn an_encrypt_cut_by_somebody_with_the_token_is_refused_with_the_reason() {
    let sealed = seal_with(&key(KEY), APP_ID, MESSAGE.as_bytes(), [7; 16]).unwrap();
    for length in 0..sealed.len() {
        let cut = &sealed[..length];
        let error = refused(&safe(), &query(TOKEN, cut), &envelope(cut));
        assert!(matches!(error, RequestError::Open(_)), "{length}: {error:?}");
    }
}

#[test]
fn all_four_patterns_of_spare_bits_open_and_seal() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    for last in ["E", "F", "G", "H"] {
        let endpoint = Endpoint::safe(TOKEN, APP_ID, format!("{}{last}", &KEY[..42])).unwrap();
        let response = endpoint.respond("POST", &query, body.as_bytes(), NOW, &Echo);
        assert_eq!(element(&opened(&response, TOKEN, KEY), "Content"), "你好");
    }
}

#[test]
fn every_padding_length_is_received_and_answered() {
    for length in 1..=64 {
        let words = "x".repeat(length);
        let (query, body) = sealed(TOKEN, KEY, &MESSAGE.replace("你好", &words));
        let response = safe().respond("POST", &query, body.as_bytes(), NOW, &Echo);
        assert_eq!(element(&opened(&response, TOKEN, KEY), "Content"), words);
    }
}

#[test]
fn no_request_talks_the_endpoint_out_of_a_check() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    let signed = format!("signature={}&", sign(&[TOKEN, "1714037059", "486452656"]));
    let without_msg_signature = query.split("&msg_signature").next().unwrap();
    let raw = |found: &str| RequestError::EncryptType { found: found.to_owned() };
    let in_the_clear = format!("{signed}timestamp=1714037059&nonce=486452656");
    let user_text = MESSAGE.replace("<![CDATA[你好]]>", "<Encrypt>AAAA</Encrypt>");
    let msg_signature_of_nothing = sign(&[TOKEN, "1714037059", "486452656", ""]);
    for endpoint in both() {
        for (query, body, expected) in [
            // A push in plaintext mode, authentic as such.
            (in_the_clear.clone(), MESSAGE.to_owned(), RequestError::MissingMsgSignature),
            (format!("{in_the_clear}&encrypt_type=raw"), MESSAGE.to_owned(), RequestError::MissingMsgSignature),
            (format!("{in_the_clear}&encrypt_type=aes"), MESSAGE.to_owned(), RequestError::MissingMsgSignature),
            // An encrypted push without `msg_signature`.
            (format!("{signed}{without_msg_signature}"), body.clone(), RequestError::MissingMsgSignature),
            (format!("{signed}{without_msg_signature}&msg_signature="), body.clone(), RequestError::Altered),
            (format!("{without_msg_signature}&msg_signature="), body.clone(), RequestError::MsgSignature),
            // The signature of plaintext mode in its place.
            (
                format!("{without_msg_signature}&msg_signature={}", &signed[10..50]),
                body.clone(),
                RequestError::MsgSignature,
            ),
            // An encrypted push that claims to be plaintext.
            (query.replace("=aes", "=raw"), body.clone(), raw("raw")),
            (query.replace("=aes", "="), body.clone(), raw("")),
            (query.replace("=aes", "=AES"), body.clone(), raw("AES")),
            (query.replace("=aes", &format!("={}", "长".repeat(100))), body.clone(), raw(&"长".repeat(64))),
            // A plaintext body with the msg_signature of an encrypted one, and with that of an empty text.
            (query.clone(), MESSAGE.to_owned(), RequestError::NoEncrypt),
            (
                format!("{without_msg_signature}&msg_signature={msg_signature_of_nothing}"),
                MESSAGE.to_owned(),
                RequestError::NoEncrypt,
            ),
            // Encrypt where a user can write it.
            (query.clone(), user_text.clone(), RequestError::NoEncrypt),
            // An Encrypt after the signed one, where WeChat writes it.
            (
                query.clone(),
                body.replace("</Encrypt>", "</Encrypt><Encrypt>AAAA</Encrypt>"),
                RequestError::MsgSignature,
            ),
        ] {
            assert_eq!(refused(&endpoint, &query, &body), expected, "{query} {body}");
        }
    }
}

#[test]
fn an_honest_push_needs_neither_signature_nor_encrypt_type() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    for endpoint in both() {
        for query in [
            query.clone(),
            query.replace("&encrypt_type=aes", ""),
            format!("signature={}&openid=o_1&{query}", sign(&[TOKEN, "1714037059", "486452656"])),
            // It covers nothing that msg_signature does not.
            format!("signature=0&{query}"),
        ] {
            assert_eq!(push(&endpoint, &query, &body).unwrap().body(), MESSAGE.as_bytes(), "{query}");
        }
    }
}

#[test]
fn only_what_was_decrypted_is_seen() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    let forged = MESSAGE.replace("你好", "forged").replace("o_1", "o_2").replace("</xml>", "");
    let body = body.replace("<xml>", &forged);
    for endpoint in both() {
        let push = push(&endpoint, &query, &body).unwrap();
        assert_eq!(push.body(), MESSAGE.as_bytes());
        let event = push.event().unwrap();
        assert_eq!((&*event.from_user, event.field("Content").as_deref()), ("o_1", Some("你好")));
        assert_eq!(event.field("Encrypt"), None);
        assert!(!format!("{push:?}").contains("forged"));
    }
}

#[test]
fn encrypt_may_be_written_with_white_space_around_it_or_without_cdata() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    for body in [
        body.replace("<![CDATA[", "").replace("]]>", ""),
        body.replace("<Encrypt>", "<Encrypt>\n ").replace("</Encrypt>", " </Encrypt>"),
        body.replace("<Encrypt><![CDATA[", "<Encrypt><![CDATA[ \n"),
        format!("\u{FEFF}<?xml version=\"1.0\"?>{body}"),
    ] {
        assert_eq!(push(&safe(), &query, &body).unwrap().body(), MESSAGE.as_bytes(), "{body}");
    }
}

#[test]
fn the_answer_is_sealed_with_the_pair_the_push_came_with() {
    let endpoints = [
        safe().previous_token(OTHER_TOKEN).unwrap().previous_key(OTHER_KEY).unwrap(),
        Endpoint::safe(OTHER_TOKEN, APP_ID, OTHER_KEY)
            .unwrap()
            .previous_key(KEY)
            .unwrap()
            .previous_token(TOKEN)
            .unwrap(),
    ];
    for endpoint in endpoints {
        for token in [TOKEN, OTHER_TOKEN] {
            for key in [KEY, OTHER_KEY] {
                let (query, body) = sealed(token, key, MESSAGE);
                let response = endpoint.respond("POST", &query, body.as_bytes(), NOW, &Echo);
                assert_eq!(element(&opened(&response, token, key), "Content"), "你好");
            }
        }
        let (query, body) = sealed("another", KEY, MESSAGE);
        assert_eq!(refused(&endpoint, &query, &body), RequestError::MsgSignature);
        let encrypt = seal_with(&key(&"A".repeat(43)), APP_ID, MESSAGE.as_bytes(), [7; 16]).unwrap();
        let error = refused(&endpoint, &self::query(TOKEN, &encrypt), &envelope(&encrypt));
        assert_eq!(error, RequestError::Open(OpenError::Padding));
    }
}

#[test]
fn one_secret_is_changed_while_the_other_stays() {
    let (new_token, new_key) = (safe().previous_token(OTHER_TOKEN).unwrap(), safe().previous_key(OTHER_KEY).unwrap());
    for (endpoint, token, key, accepted) in [
        (&new_token, OTHER_TOKEN, KEY, true),
        (&new_token, TOKEN, OTHER_KEY, false),
        (&new_key, TOKEN, OTHER_KEY, true),
        (&new_key, OTHER_TOKEN, KEY, false),
    ] {
        let (query, body) = sealed(token, key, MESSAGE);
        assert_eq!(push(endpoint, &query, &body).is_ok(), accepted, "{token} {key}");
    }
}

#[test]
fn with_two_keys_the_error_is_that_of_the_key_that_fits() {
    let app_id = |found: &str| OpenError::AppId { found: found.to_owned(), configured: APP_ID.to_owned() };
    let endpoint = safe().previous_key(OTHER_KEY).unwrap();
    for key_text in [KEY, OTHER_KEY] {
        let encrypt = encrypted(key_text, OTHER_APP_ID, MESSAGE);
        let error = refused(&endpoint, &query(TOKEN, &encrypt), &envelope(&encrypt));
        assert_eq!(error, RequestError::Open(app_id(OTHER_APP_ID)));
    }
}

#[test]
fn the_answer_has_the_url_s_nonce_our_time_and_fresh_random_bytes() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    let push = push(&safe(), &query, &body).unwrap();
    let event = push.event().unwrap();
    let [one, two] = [(); 2].map(|()| push.respond(&event, &Reply::text("hello"), NOW + 3));
    assert_eq!(opened(&one, TOKEN, KEY), opened(&two, TOKEN, KEY));
    let [one, two] = [one, two].map(|response| String::from_utf8(response.body).unwrap());
    for answer in [&one, &two] {
        assert_eq!((element(answer, "TimeStamp"), element(answer, "Nonce")), ("1714037062", "486452656"));
    }
    assert_ne!(element(&one, "Encrypt")[..22], element(&two, "Encrypt")[..22], "the first block");
}

#[test]
fn success_and_nothing_are_answered_in_the_clear() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    for endpoint in both() {
        let push = push(&endpoint, &query, &body).unwrap();
        let event = push.event().unwrap();
        for (reply, expected) in [(Reply::Success, "success"), (Reply::Empty, ""), (Reply::text(""), "success")] {
            let response = push.respond(&event, &reply, NOW);
            assert_eq!((response.content_type, &*response.body), ("text/plain", expected.as_bytes()), "{reply:?}");
        }
        assert!(opened(&push.respond(&event, &Reply::text("hello"), NOW), TOKEN, KEY).starts_with("<xml>"));
    }
}

#[test]
fn a_third_party_platform_opens_with_its_component_s_app_id() {
    let ticket = "<xml><AppId><![CDATA[wxb11529c136998cb6]]></AppId><CreateTime>1413192605</CreateTime>\
                  <InfoType><![CDATA[component_verify_ticket]]></InfoType>\
                  <ComponentVerifyTicket><![CDATA[ticket@@@1]]></ComponentVerifyTicket></xml>";
    let encrypt = encrypted(KEY, APP_ID, ticket);
    let body = format!("<xml><AppId><![CDATA[{APP_ID}]]></AppId><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
    let push = push(&safe(), &query(TOKEN, &encrypt), &body).unwrap();
    let event = push.event().unwrap();
    assert_eq!(event.name(), "component_verify_ticket");
    assert_eq!(event.field("ComponentVerifyTicket").as_deref(), Some("ticket@@@1"));
}

#[test]
fn the_address_is_checked_in_the_clear_in_every_mode() {
    let query = "timestamp=1714037059&nonce=486452656&echostr=4375120948345356249";
    let signed = format!("signature={}&{query}", sign(&[TOKEN, "1714037059", "486452656"]));
    for endpoint in [Endpoint::plain(TOKEN).unwrap()].into_iter().chain(both()) {
        let response = endpoint.respond("GET", &signed, b"", NOW, &Echo);
        assert_eq!((response.status, &*response.body), (200, &b"4375120948345356249"[..]));
        let response = endpoint.respond("GET", &signed.replace("nonce=4", "nonce=5"), b"", NOW, &Echo);
        assert_eq!((response.status, &*response.body), (403, &b""[..]));
    }
}

/// The endpoint with whatever it reports collected.
fn reporting(endpoint: Endpoint) -> (Endpoint, Arc<Mutex<Vec<String>>>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let endpoint = endpoint.on_report(move |report| {
        let mut line = report.to_string();
        if let Report::Unparsable { body, .. } = report {
            line.push_str(&format!(" | {}", String::from_utf8_lossy(body)));
        }
        sink.lock().unwrap().push(line);
    });
    (endpoint, reports)
}

#[test]
fn what_is_sealed_and_yet_no_push_is_answered_success_and_kept() {
    let (query, body) = sealed(TOKEN, KEY, "1616140317555161061");
    let (endpoint, reports) = reporting(safe());
    let response = endpoint.respond("POST", &query, body.as_bytes(), NOW, &Echo);
    assert_eq!((response.status, &*response.body), (200, &b"success"[..]));
    let report = "authentic, but not a valid push, 19 bytes answered `success`: not XML: unknown token at line 1, column 1 \
                  | 1616140317555161061";
    assert_eq!(*reports.lock().unwrap(), [report]);
}

#[test]
fn an_old_push_is_stale_only_if_it_is_authentic() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    let endpoint = safe().freshness(Duration::from_secs(300));
    let receive = |query: &str, now| endpoint.receive("POST", query, body.as_bytes(), now).map(drop);
    let stale = |name, seconds| Err(RequestError::Stale { name, seconds, limit: 300 });
    assert_eq!(receive(&query, NOW + 299), Ok(()));
    assert_eq!(receive(&query, NOW + 300), stale("CreateTime", 301));
    assert_eq!(receive(&query, NOW + 301), stale("timestamp", 301));
    assert_eq!(receive(&query, NOW - 301), stale("timestamp", 301));
    assert_eq!(receive(&query.replace("nonce=4", "nonce=5"), NOW + 301), Err(RequestError::MsgSignature));
}

#[test]
fn a_captured_push_does_not_become_fresh_when_its_nonce_is_read_as_the_time() {
    let now = 1_886_452_656;
    let encrypt = encrypted(KEY, APP_ID, MESSAGE);
    let msg_signature = sign(&[TOKEN, "1714037059", "1886452656", &encrypt]);
    let exchanged = format!("timestamp=1886452656&nonce=1714037059&msg_signature={msg_signature}");
    let body = envelope(&encrypt);
    let receive = |endpoint: &Endpoint| endpoint.receive("POST", &exchanged, body.as_bytes(), now).map(drop);
    for endpoint in both() {
        let error = RequestError::Stale { name: "CreateTime", seconds: 172_415_598, limit: 300 };
        assert_eq!(receive(&endpoint.clone().freshness(Duration::from_secs(300))), Err(error.clone()));
        assert_eq!(
            error.to_string(),
            "CreateTime is 172415598 seconds off, the limit is 300: is this machine's clock right?"
        );
        assert_eq!((error.status(), error.number()), (403, None));
        assert_eq!(receive(&endpoint), Ok(()), "off by default");
    }
}

#[test]
fn a_sealed_create_time_bounds_what_has_one_and_is_no_late_retry() {
    let endpoint = safe().freshness(Duration::from_secs(300));
    let pushed = |rest: &str| {
        let (query, body) = sealed(TOKEN, KEY, &format!("<xml><InfoType>a</InfoType>{rest}</xml>"));
        endpoint.receive("POST", &query, body.as_bytes(), NOW).map(drop)
    };
    let old = "<CreateTime>1714000000</CreateTime>";
    let stale = Err(RequestError::Stale { name: "CreateTime", seconds: 37_059, limit: 300 });
    assert_eq!(pushed(""), Ok(()));
    assert_eq!(pushed("<CreateTime></CreateTime>"), Ok(()));
    assert_eq!(pushed("<CreateTime>1714037000</CreateTime>"), Ok(()));
    assert_eq!(pushed(old), stale);
    assert_eq!(pushed(&format!("{old}<RetryTimes>0</RetryTimes>")), stale);
    assert_eq!(pushed(&format!("{old}<RetryTimes>3</RetryTimes>")), Ok(()));
    let (query, body) = sealed(TOKEN, KEY, "no push, but WeChat's");
    assert_eq!(endpoint.receive("POST", &query, body.as_bytes(), NOW).map(drop), Ok(()));
}

/// An encrypted and signed answer sent as a push: its query and its body.
fn sent_back(answer: &Response) -> (String, String) {
    let body = String::from_utf8(answer.body.clone()).unwrap();
    let [signature, timestamp, nonce] = ["MsgSignature", "TimeStamp", "Nonce"].map(|name| element(&body, name));
    let query = format!("timestamp={timestamp}&nonce={nonce}&encrypt_type=aes&msg_signature={signature}");
    (query, body)
}

#[test]
fn an_answer_that_comes_back_as_a_push_is_refused() {
    let current = safe().previous_token(OTHER_TOKEN).unwrap().previous_key(OTHER_KEY).unwrap();
    let swapped = Endpoint::compatible(OTHER_TOKEN, APP_ID, OTHER_KEY).unwrap();
    let swapped = swapped.previous_token(TOKEN).unwrap().previous_key(KEY).unwrap();
    for key in [KEY, OTHER_KEY] {
        let (query, body) = sealed(TOKEN, key, MESSAGE);
        let answer = current.respond("POST", &query, body.as_bytes(), NOW, &Echo);
        assert_eq!(element(&opened(&answer, TOKEN, key), "FromUserName"), "gh_1", "WeChat opens it");
        let (query, body) = sent_back(&answer);
        for endpoint in [&current, &swapped] {
            let error = refused(endpoint, &query, &body);
            assert_eq!(error, RequestError::Reflected);
            assert_eq!((error.status(), error.number()), (403, None));
            assert_eq!(
                error.to_string(),
                "Encrypt is a reply encrypted by this crate: somebody sent it back as a push"
            );
            assert_eq!(endpoint.respond("POST", &query, body.as_bytes(), NOW, &Echo).status, 403);
        }
    }
}

#[test]
fn what_seal_seals_is_an_answer_wherever_it_was_sealed() {
    for message in ["", "m", MESSAGE] {
        let encrypt = seal(&key(KEY), APP_ID, message.as_bytes()).unwrap();
        assert_eq!(refused(&safe(), &query(TOKEN, &encrypt), &envelope(&encrypt)), RequestError::Reflected);
        let opened = open(&key(KEY), APP_ID, &encrypt).unwrap();
        assert!(opened.was_sealed_here(&key(KEY)) && !opened.was_sealed_here(&key(OTHER_KEY)));
    }
}

#[test]
fn an_envelope_over_its_own_limit_is_refused_before_anything_reads_it() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    let longer = |bytes: usize| format!("{}{body}", " ".repeat(bytes - body.len()));
    let too_large = |bytes, limit| Err(RequestError::TooLarge { bytes, limit });
    let receive = |endpoint: &Endpoint, body: &str| endpoint.receive("POST", &query, body.as_bytes(), NOW).map(drop);
    for endpoint in both() {
        assert_eq!(receive(&endpoint, &longer(65_536)), Ok(()));
        assert_eq!(receive(&endpoint, &longer(65_537)), too_large(65_537, 65_536));
        assert_eq!(receive(&endpoint, &"<".repeat(65_537)), too_large(65_537, 65_536));
        let smaller = endpoint.clone().limits(Limits::default().max_bytes(1000));
        assert_eq!(receive(&smaller, &longer(1001)), too_large(1001, 1000));
        let larger = endpoint.limits(Limits::default().max_envelope_bytes(1 << 17));
        assert_eq!(receive(&larger, &longer(65_537)), Ok(()));
    }
    let plain = Endpoint::plain(TOKEN).unwrap();
    let signed = format!("signature={}&timestamp=1&nonce=2", sign(&[TOKEN, "1", "2"]));
    assert!(plain.receive("POST", &signed, longer(65_537).as_bytes(), NOW).is_ok());
}

/// One request for each refusal because of a secret or a missing `Encrypt`.
fn refusals() -> Vec<(String, String, i32, &'static str)> {
    let (query_of, envelope_of) = (query, envelope);
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    let signed = sign(&[TOKEN, "1714037059", "486452656"]);
    let by = |key_text: &str, app_id: &str| {
        let encrypt = seal_with(&key(key_text), app_id, MESSAGE.as_bytes(), [7; 16]).unwrap();
        (query_of(TOKEN, &encrypt), envelope_of(&encrypt))
    };
    let by_token = |encrypt: &str| (query_of(TOKEN, encrypt), envelope_of(encrypt));
    let row = |(query, body): (String, String), number, text| (query, body, number, text);
    vec![
        row(
            (query.split("&msg_signature").next().unwrap().to_owned(), body.clone()),
            -40001,
            "msg_signature is missing: is the account in plaintext mode?",
        ),
        row(
            sealed("another", KEY, MESSAGE),
            -40001,
            "msg_signature is wrong: is the token the one in WeChat's console?",
        ),
        row(
            (format!("signature={signed}&{query}"), body.replace("</Encrypt>", "A</Encrypt>")),
            -40001,
            "msg_signature is wrong, though signature is right: was Encrypt altered on its way?",
        ),
        row(
            (query.clone(), body.replace("</xml>", "")),
            -40002,
            "the envelope around Encrypt cannot be read: not XML: the root node was opened but never closed at line 1, column 462",
        ),
        row((query.clone(), MESSAGE.to_owned()), -40002, "the body has no Encrypt: is the account in plaintext mode?"),
        row(by(OTHER_KEY, APP_ID), -40007, "padding is not PKCS#7 over 32 bytes: is this the right EncodingAESKey?"),
        row(
            by(KEY, OTHER_APP_ID),
            -40005,
            "encrypted for app id `wx5823bf96d3bd56c7`, but `wxb11529c136998cb6` is configured",
        ),
        row(by_token("长"), -40010, "Encrypt is not base64: character 1 is '长'"),
        row(by_token("AAAA"), -40007, "Encrypt decodes to 3 bytes, not to 32 or more in blocks of 16: was it cut?"),
    ]
}

#[test]
fn each_refusal_names_its_cause_and_tencent_s_number() {
    for endpoint in both() {
        for (query, body, number, text) in refusals() {
            let error = refused(&endpoint, &query, &body);
            assert_eq!((&*whole(&error), error.number()), (text, Some(number)));
        }
        let (query, body) = sealed(TOKEN, KEY, MESSAGE);
        let error = refused(&endpoint, &query.replace("=aes", "=r%0Aw"), &body);
        assert_eq!(error.to_string(), r"encrypt_type is `r\nw`, not `aes`: is the account in plaintext mode?");
        assert_eq!((error.status(), error.number()), (403, None));
    }
}

#[test]
fn the_network_gets_one_and_the_same_answer_to_all_of_them() {
    for endpoint in both() {
        let (endpoint, reports) = reporting(endpoint);
        let refusals = refusals();
        for (query, body, ..) in &refusals {
            let response = endpoint.respond("POST", query, body.as_bytes(), NOW, &Echo);
            assert_eq!((response.status, response.content_type, &*response.body), (403, "text/plain", &b""[..]));
        }
        let expected: Vec<_> =
            refusals.iter().map(|(.., text)| format!("request refused with status 403: {text}")).collect();
        assert_eq!(*reports.lock().unwrap(), expected);
    }
}

#[test]
fn a_query_without_timestamp_or_nonce_is_named() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    for name in ["timestamp", "nonce"] {
        let error = refused(&safe(), &query.replace(&format!("{name}="), "x="), &body);
        assert_eq!(error, RequestError::MissingParameter { name });
        assert_eq!((error.status(), error.number()), (400, None));
    }
}

#[test]
fn no_secret_and_no_signature_is_shown_anywhere() {
    let (query, body) = sealed(TOKEN, KEY, MESSAGE);
    let (endpoint, reports) = reporting(safe().previous_token(OTHER_TOKEN).unwrap().previous_key(OTHER_KEY).unwrap());
    let mut shown = vec![format!("{endpoint:?}"), format!("{:?}", endpoint.self_check())];
    for (query, body, ..) in refusals() {
        shown.push(format!("{:?}", refused(&safe(), &query, &body)));
        let _ = endpoint.respond("POST", &query, body.as_bytes(), NOW, &Echo);
    }
    shown.push(format!("{:?}", push(&endpoint, &query, &body).unwrap()));
    shown.append(&mut reports.lock().unwrap());
    let encrypt = element(&body, "Encrypt");
    let signatures = [TOKEN, OTHER_TOKEN].map(|token| sign(&[token, "1714037059", "486452656", encrypt]));
    for secret in [TOKEN, OTHER_TOKEN, KEY, OTHER_KEY, &signatures[0], &signatures[1]] {
        for text in &shown {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert_eq!(
        shown[0],
        "Endpoint { token: ***, previous_token: Some(***), cipher: Some(Cipher { app_id: \"wxb11529c136998cb6\", \
         key: EncodingAesKey(..), previous_key: Some(EncodingAesKey(..)), compatible: false }), freshness: None, \
         limits: Limits { bytes: 1048576, envelope_bytes: 65536, depth: 16, elements: 4096 }, .. }"
    );
}

#[test]
fn a_bad_setting_is_told_what_is_wrong() {
    let error = |token: &str, app_id: &str, key: &str| {
        let [safe, compatible] =
            [Endpoint::safe(token, app_id, key).unwrap_err(), Endpoint::compatible(token, app_id, key).unwrap_err()];
        assert_eq!(safe, compatible);
        safe.to_string()
    };
    assert_eq!(error("", APP_ID, KEY), "the token is empty");
    assert_eq!(error(TOKEN, "", KEY), "the app id is empty: it begins with wx, next to the token in WeChat's console");
    assert_eq!(error(TOKEN, APP_ID, ""), "EncodingAESKey is 0 characters long, WeChat's have 43");
    assert_eq!(
        error(TOKEN, APP_ID, &format!("{KEY}\n")),
        r"character 44 ('\n') of EncodingAESKey is not of the base64 alphabet"
    );
    assert_eq!(
        safe().previous_key(format!("{KEY}=")).unwrap_err().to_string(),
        "EncodingAESKey ends in `=`: WeChat's have 43 characters without it"
    );
    assert_eq!(safe().previous_token("").unwrap_err(), ConfigError::EmptyToken);
    let error = Endpoint::plain(TOKEN).unwrap().previous_key(KEY).unwrap_err();
    assert_eq!(error.to_string(), "the endpoint is in plaintext mode and has no key");
}

#[test]
fn self_check_finds_nothing_in_settings_that_work() {
    let endpoint = safe().previous_token(OTHER_TOKEN).unwrap().previous_key(OTHER_KEY).unwrap();
    assert_eq!(endpoint.freshness(Duration::from_secs(60)).self_check(), []);
    assert_eq!(Endpoint::plain("AAAAA").unwrap().self_check(), []);
}

#[test]
fn self_check_tells_what_it_doubts() {
    let doubts = |endpoint: Endpoint| -> Vec<String> { endpoint.self_check().iter().map(Doubt::to_string).collect() };
    let limited = |limits| doubts(safe().limits(limits));
    let small = "the limits are too small for a short text message:";

    assert_eq!(
        doubts(Endpoint::safe("ab", "gh_5823bf96d3bd", KEY).unwrap().previous_token("pamtest\n").unwrap()),
        [
            "the token is not 3 to 32 letters and digits, as WeChat's console requires: is there white space around it?",
            "the previous token is not 3 to 32 letters and digits, as WeChat's console requires",
            "`gh_5823bf96d3bd` does not look like an app id, which is wx and 16 digits or letters from a to f",
        ]
    );
    assert_eq!(
        limited(Limits::default().max_bytes(100)),
        [
            format!("{small} the body is 343 bytes long, the limit is 100"),
            format!("{small} the body is 512 bytes long, the limit is 100"),
        ]
    );
    assert_eq!(
        limited(Limits::default().max_envelope_bytes(400)),
        [format!("{small} the body is 512 bytes long, the limit is 400")]
    );
    assert_eq!(limited(Limits::default().max_elements(2)), [format!("{small} the body has more than 2 elements")]);
    assert_eq!(
        Doubt::Sealing(SealError::NoRandomBytes { reason: "no entropy".to_owned() }).to_string(),
        "the operating system gave no random bytes: no entropy"
    );
}

#[cfg(feature = "json")]
#[test]
fn an_envelope_in_json_is_opened_and_answered_in_json() {
    let vectors = vectors();
    let v15 = vectors.iter().find(|vector| vector["name"].as_str().unwrap().starts_with("V15")).unwrap();
    let (endpoint, query, encrypt) = vector_request(v15).unwrap();
    let body = format!(r#"{{"ToUserName":"gh_97417a04a28d","Encrypt":"{}"}}"#, encrypt.replace('/', "\\/"));
    let received = push(&endpoint, &query, &body).unwrap();
    assert_eq!(str::from_utf8(received.body()).unwrap(), v15["check"]["plain"]);
    assert_eq!(received.event().unwrap().name(), "debug_demo");

    for (message, content_type) in
        [(r#"{"ToUserName":"gh_1","FromUserName":"o_1","MsgType":"text","Content":"hi"}"#, '{'), (MESSAGE, '<')]
    {
        let encrypt = encrypted(KEY, APP_ID, message);
        let body = format!(r#"{{"Encrypt":"{encrypt}"}}"#);
        let response = safe().respond("POST", &self::query(TOKEN, &encrypt), body.as_bytes(), NOW, &Echo);
        assert_eq!((response.status, response.content_type), (200, "application/json"));
        let Value::Object(answer) = serde_json::from_slice(&response.body).unwrap() else { panic!() };
        assert_eq!(answer.keys().collect::<Vec<_>>(), ["Encrypt", "MsgSignature", "Nonce", "TimeStamp"]);
        let [encrypt, given, nonce] = ["Encrypt", "MsgSignature", "Nonce"].map(|name| answer[name].as_str().unwrap());
        assert_eq!((answer["TimeStamp"].as_i64(), nonce), (Some(NOW), "486452656"));
        assert_eq!(given, sign(&[TOKEN, "1714037059", nonce, encrypt]));
        let query = format!("timestamp={NOW}&nonce={nonce}&msg_signature={given}");
        let sent_back = safe().receive("POST", &query, &response.body, NOW).unwrap_err();
        assert_eq!(sent_back, RequestError::Reflected);
        let reply = open(&key(KEY), APP_ID, encrypt).unwrap().into_message();
        assert!(reply.starts_with(&[u8::try_from(content_type).unwrap()]), "as the message was, not the envelope");
    }
}

proptest! {
    #[test]
    fn any_message_under_any_nonce_is_received(message in "\\PC{0,300}", nonce in "[0-9A-Za-z._-]{1,32}") {
        let encrypt = encrypted(KEY, APP_ID, &message);
        let msg_signature = sign(&[TOKEN, "7", &nonce, &encrypt]);
        let query = format!("timestamp=7&nonce={}&msg_signature={msg_signature}", percent(nonce.as_bytes()));
        let body = envelope(&encrypt);
        let push = push(&safe(), &query, &body).unwrap();
        prop_assert_eq!(push.body(), message.as_bytes());
    }

    #[test]
    fn no_request_panics_or_is_believed(query in "[a-z_=&%0-9]{0,80}", body in "\\PC{0,200}") {
        for endpoint in both() {
            prop_assert!(endpoint.receive("POST", &query, body.as_bytes(), NOW).is_err());
            let query = format!("timestamp=1&nonce=2&msg_signature=3&{query}");
            let body = format!("<xml><Encrypt>{body}</Encrypt></xml>");
            prop_assert!(endpoint.receive("POST", &query, body.as_bytes(), NOW).is_err());
        }
    }
}
