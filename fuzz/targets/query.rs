//! An arbitrary request, and one signed with arbitrary parts: no panic, what is signed is accepted, all else is not,
//! and the answer is `success`, XML or JSON.
//!
//! The input is parts separated by zero bytes, the body first, so that a plain push is an input.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sha1::{Digest, Sha1};
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Received, Reply, Report, RequestError};

const NOW: i64 = 1_714_037_059;
const FRESHNESS: u64 = 300; // seconds
const TOKEN: &str = "AAAAA";

struct Echo;

impl Handler for Echo {
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        Ok(Reply::text(String::from_utf8_lossy(event.body())))
    }
}

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(7, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (body, how) = (part(), part());
    let [timestamp, nonce, echostr, method, query] = std::array::from_fn(|_| String::from_utf8_lossy(part()));
    let one_line = |report: &Report<'_>| assert!(!report.to_string().contains(char::is_control), "{report}");
    let endpoint = Endpoint::plain(TOKEN).unwrap().on_report(one_line);

    // Whatever it is.
    let _ = endpoint.respond(&method, &query, body, NOW, &Echo);

    // Signed, and percent-encoded in any way.
    let mut how = how.iter().copied().cycle();
    let mut encoded = |text: &str| encode(text, &mut how);
    let parts = format!("timestamp={}&nonce={}&echostr={}", encoded(&timestamp), encoded(&nonce), encoded(&echostr));
    let signed = format!("{parts}&signature={}", sign([TOKEN, &timestamp, &nonce]));
    let odd = [("timestamp", &timestamp, 32), ("nonce", &nonce, 32), ("echostr", &echostr, 64)]
        .into_iter()
        .find(|(_, value, limit)| !has_form(value, *limit))
        .map(|(name, _, limit)| RequestError::ParameterForm { name, limit });
    match endpoint.receive("GET", &signed, b"", NOW) {
        Ok(Received::Answer(answer)) => assert_eq!((answer.body, odd), (echostr.as_bytes().to_vec(), None), "{signed}"),
        Err(error) => return assert_eq!(Some(error), odd, "{signed}"),
        other => panic!("{signed}: {other:?}"),
    }
    let response = endpoint.respond("POST", &signed, body, NOW, &Echo);
    let answer = std::str::from_utf8(&response.body).unwrap();
    match (response.status, response.content_type) {
        (200, "text/plain") => assert_eq!(answer, "success"),
        (200, "text/xml") => {
            drop(roxmltree::Document::parse(answer).unwrap_or_else(|error| panic!("{error}: {answer}")))
        }
        // JSON is answered in JSON.
        (200, "application/json") => {
            drop(serde_json::from_str::<serde_json::Value>(answer).unwrap_or_else(|error| panic!("{error}: {answer}")))
        }
        other => panic!("{other:?}: {answer}"),
    }

    // Signed, perhaps long ago.
    let sent: Option<i64> = timestamp.parse().ok();
    match endpoint.clone().freshness(Duration::from_secs(FRESHNESS)).receive("GET", &signed, b"", NOW) {
        Ok(_) => assert!(sent.unwrap().abs_diff(NOW) <= FRESHNESS),
        Err(RequestError::Stale { seconds, .. }) => assert_eq!(seconds, sent.unwrap().abs_diff(NOW)),
        Err(error) => assert_eq!((sent, error), (None, RequestError::MalformedParameter { name: "timestamp" })),
    }

    // Signed by somebody else.
    let forged = format!("{parts}&signature={}", sign(["AAAAB", &timestamp, &nonce]));
    assert_eq!(endpoint.receive("GET", &forged, b"", NOW).unwrap_err(), RequestError::Signature);
});

/// Letters, digits, and punctuation that base64 does not use.
fn has_form(text: &str, limit: usize) -> bool {
    let formed = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    formed && (1..=limit).contains(&text.len())
}

fn sign(mut parts: [&str; 3]) -> String {
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

/// Percent-encodes what must be encoded and, depending on `how`, what need not be, in upper or lower case.
fn encode(text: &str, how: &mut impl Iterator<Item = u8>) -> String {
    let mut encoded = String::new();
    for c in text.chars() {
        let how = how.next().unwrap_or_default();
        match (c, how % 3) {
            (' ', 0) => encoded.push('+'),
            ('%' | '+' | '&', 0) | (_, 1) => {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| encoded.push_str(&format!("%{byte:02X}")))
            }
            ('%' | '+' | '&', _) | (_, 2) => {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| encoded.push_str(&format!("%{byte:02x}")))
            }
            _ => encoded.push(c),
        }
    }
    encoded
}
