//! Forgeries in safe and compatible mode, by an attacker who captures traffic but has neither token nor key.

use wechat_events::cipher::{EncodingAesKey, open};
use wechat_events::testing::WeChat;
use wechat_events::{Endpoint, Received, RequestError};

use crate::wire::sign;

const TOKEN: &str = "QDG6eK";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const APP_ID: &str = "wx5823bf96d3bd56c7";
const NOW: i64 = 1_714_037_059;

fn wechat(seed: u64) -> WeChat {
    WeChat::safe(TOKEN, APP_ID, KEY).unwrap().seed(seed)
}

fn both() -> [Endpoint; 2] {
    [Endpoint::safe(TOKEN, APP_ID, KEY).unwrap(), Endpoint::compatible(TOKEN, APP_ID, KEY).unwrap()]
}

fn parameter<'q>(query: &'q str, name: &str) -> &'q str {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

fn encrypt_of(body: &[u8]) -> &str {
    let body = std::str::from_utf8(body).unwrap();
    body.split_once("<Encrypt><![CDATA[").unwrap().1.split_once("]]>").unwrap().0
}

/// Characters of base64 that are whole groups and whole AES blocks.
const SHIFT: usize = 64;
/// Bytes of plaintext that they hold.
const SHIFTED: usize = 48;

/// What a user types so that, without its first blocks, their push decrypts to another one: its length, two of whose
/// bytes are NUL, and then its text up to where the official order goes on with the end of Content and MsgId.
///
/// Returns how many characters of `Encrypt` have to go.
fn typed(head: usize, tail: usize) -> (String, usize) {
    const FORGED: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_victim</FromUserName>\
                          <CreateTime>1714037059</CreateTime><MsgType>text</MsgType><Content><![CDATA[pay me";
    // After the first remaining plaintext block, which is not checked.
    let shifts = (16 + 4 + head).div_ceil(SHIFTED);
    let filler = shifts * SHIFTED + 16 - (16 + 4 + head);
    // The last byte of the length must be a character of UTF-8.
    let mut forged = FORGED.to_owned();
    while (forged.len() + tail) % 256 >= 128 {
        forged.push('!');
    }
    let length = u32::try_from(forged.len() + tail).unwrap().to_be_bytes();
    (format!("{}{}{forged}", "f".repeat(filler), std::str::from_utf8(&length).unwrap()), shifts * SHIFT)
}

/// The queries into which the first characters of `Encrypt` are moved, with the rest of it.
fn spliced(query: &str, encrypt: &str, shift: usize) -> Vec<(String, String)> {
    let [timestamp, nonce, signature] = ["timestamp", "nonce", "msg_signature"].map(|name| parameter(query, name));
    let (front, rest) = encrypt.split_at(shift);
    let mut joined = [timestamp, nonce];
    joined.sort_unstable();
    let joined = joined.concat();
    [
        (timestamp.to_owned(), format!("{nonce}{front}")),
        (format!("{timestamp}{front}"), nonce.to_owned()),
        (joined.clone(), front.to_owned()),
        (front.to_owned(), joined),
    ]
    .into_iter()
    .map(|(timestamp, nonce)| {
        let [timestamp, nonce] = [timestamp, nonce].map(|value| value.replace('+', "%2B"));
        let query = format!("timestamp={timestamp}&nonce={nonce}&encrypt_type=aes&msg_signature={signature}");
        (query, rest.to_owned())
    })
    .collect()
}

#[test]
fn the_front_of_encrypt_moved_into_timestamp_or_nonce_forges_no_push() {
    let key = EncodingAesKey::new(KEY).unwrap();
    let (mut possible, mut accepted) = (0, 0);
    for seed in 0..500 {
        let wechat = wechat(seed);
        let text = |content: &str| wechat.push("text").set("Content", content);
        // Users know what surrounds their words: it is the same each time.
        let around = String::from_utf8(text("WORDS").request(NOW).message).unwrap();
        let (head, tail) = around.split_once("WORDS").unwrap();
        let (content, shift) = typed(head.len(), tail.len());
        let captured = text(&content).request(NOW);
        let encrypt = encrypt_of(&captured.body);
        let mut forged = 0;
        for (query, rest) in spliced(&captured.query, encrypt, shift) {
            // It is only an attack if signature and encryption are valid.
            let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| parameter(&query, name).replace("%2B", "+"));
            let is_signed = sign(&[TOKEN, &timestamp, &nonce, &rest]) == parameter(&query, "msg_signature");
            if is_signed {
                let opened = open(&key, APP_ID, &rest).unwrap();
                let forged = std::str::from_utf8(opened.message()).unwrap();
                assert!(forged.contains("<FromUserName>o_victim</FromUserName>"), "{forged}");
            }
            forged += usize::from(is_signed);
            let body = format!("<xml><Encrypt><![CDATA[{rest}]]></Encrypt></xml>");
            for endpoint in both() {
                match endpoint.receive("POST", &query, body.as_bytes(), NOW) {
                    Ok(Received::Push(_)) => accepted += 1,
                    Ok(other) => panic!("{other:?}"),
                    Err(RequestError::ParameterForm { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        possible += usize::from(forged > 0);
    }
    assert!(possible >= 100, "{possible} of 500 would be forged: the test has lost its attack");
    assert_eq!(accepted, 0, "of {possible} that have a right signature");
}

/// Every timestamp, nonce and `Encrypt` that joined with the token, which stands at `at`, are this text again.
fn cuts<'j>(joined: &'j str, token: &str, at: usize) -> Vec<[&'j str; 3]> {
    let mut found = Vec::new();
    let rest = joined.len() - token.len();
    for one in 1..=32 {
        for other in 1..=32 {
            let encrypt = rest.saturating_sub(one + other);
            for lengths in [[encrypt, one, other], [one, encrypt, other], [one, other, encrypt]] {
                for before_token in 0..=3 {
                    if lengths[..before_token].iter().sum::<usize>() != at {
                        continue;
                    }
                    let mut end = 0;
                    let mut parts = Vec::new();
                    for (index, length) in lengths.into_iter().enumerate() {
                        end += if index == before_token { token.len() } else { 0 };
                        parts.push(&joined[end..end + length]);
                        end += length;
                    }
                    let mut sorted = vec![token];
                    sorted.extend(&parts);
                    sorted.sort_unstable();
                    if sorted.concat() == joined {
                        parts.sort_by_key(|part| part.len());
                        found.push([parts[0], parts[1], parts[2]]);
                    }
                }
            }
        }
    }
    found
}

#[test]
fn no_other_cut_of_what_was_signed_says_anything_else_wherever_the_token_stands() {
    let (mut tried, mut moved, mut repeated) = (0, 0, 0);
    for seed in 0..8_usize {
        let captured = wechat(seed.try_into().unwrap()).push("text").request(NOW);
        let encrypt = encrypt_of(&captured.body);
        let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| parameter(&captured.query, name));
        // The worst token: it also occurs in Encrypt, or in the number.
        for token in [3, 6, 16, 32].map(|length| &encrypt[seed * 9 % 300..][..length]).into_iter().chain(["717", "1"]) {
            let mut parts = [token, timestamp, nonce, encrypt];
            parts.sort_unstable();
            let (joined, signature) = (parts.concat(), sign(&parts));
            let endpoint = Endpoint::safe(token, APP_ID, KEY).unwrap();
            for at in (0..joined.len()).filter(|at| joined[*at..].starts_with(token)) {
                for [timestamp, nonce, encrypt] in cuts(&joined, token, at) {
                    tried += 1;
                    let query = format!("timestamp={timestamp}&nonce={nonce}&msg_signature={signature}");
                    let body = format!("<xml><Encrypt>{encrypt}</Encrypt></xml>");
                    match endpoint.receive("POST", &query.replace('+', "%2B"), body.as_bytes(), NOW) {
                        Ok(Received::Push(push)) => {
                            assert_eq!(push.body(), captured.message);
                            repeated += 1;
                        }
                        Ok(other) => panic!("{other:?}"),
                        Err(error) => moved += usize::from(matches!(error, RequestError::Open(_))),
                    }
                }
            }
        }
    }
    assert!(
        tried > 1000 && moved > 10 && repeated > 100,
        "{tried} cuts, {moved} of them of another Encrypt, {repeated}"
    );
}
