//! What an attacker makes of genuine requests and answers that they captured, without any of the secrets.

use wechat_events::testing::Request;

use super::receiver::{Receiver, parameter, sha1, with};
use super::{Check, Group, Level, Miss, Outcome, SEALED, fail, forged, skip};
use crate::account::now;

pub const CHECKS: &[Check] = &[
    must(
        "encrypted-splice",
        "an encrypted text whose Encrypt begins in nonce or timestamp: the signature joins the parts, and still matches",
        "anyone who can capture one text of their own can send messages to your service as any user",
        |receiver| Box::pin(splice(receiver)),
    ),
    must(
        "encrypted-reflection",
        "the receiver's own encrypted reply, sent back to it as a push",
        "anyone who captures a reply can make your handler take your own words for a user's",
        |receiver| Box::pin(reflection(receiver)),
    ),
    Check {
        level: Level::Should,
        passes: "a refusal, if a push of last year is refused too; if that is accepted, this adds nothing",
        ..must(
            "encrypted-exchanged",
            "an encrypted text of last year whose nonce, read as a time, is now: with timestamp and nonce swapped",
            "the signature matches in both orders: some old pushes become fresh; the encrypted CreateTime reveals it",
            |receiver| Box::pin(exchanged(receiver)),
        )
    },
    Check {
        level: Level::Should,
        ..must(
            "encrypted-long-parts",
            "encrypted texts, correctly signed, whose nonce or timestamp has 74 digits: WeChat's have at most 10",
            "a long value can hold the front of an Encrypt: that is how a spliced push is made",
            |receiver| Box::pin(long_parts(receiver)),
        )
    },
];

const fn must(
    id: &'static str,
    sends: &'static str,
    means: &'static str,
    run: for<'r> fn(&'r Receiver) -> super::Running<'r>,
) -> Check {
    Check { id, group: Group::Forged, level: Level::Must, modes: SEALED, sends, passes: forged::REFUSED, means, run }
}

/// Bytes that are whole blocks of AES (16), of the padding (32) and of base64 (3): the rest opens for itself.
const WHOLE: usize = 96;
/// Base64 digits of as many bytes.
const WHOLE_IN_BASE64: usize = WHOLE / 3 * 4;
/// In front of the encrypted message: 16 random bytes, and the length of the message.
const HEAD: usize = 16 + 4;
/// Bytes of the message that is forged: a number whose bytes are text, so that it can be typed.
const FORGED: usize = 0x0170;
/// Seals that are tried: with most tokens about every third can be spliced, with few only one in hundreds.
const SEALS: usize = 4096;

/// A message that a user makes WeChat seal, and the one that the rest of its Encrypt opens to.
///
/// ```text
/// whole   random┊length┊<xml>…<Content><![CDATA[xxxxxxxxxxxx┊length┊<xml>…<Content><![CDATA[echo TEXT]]>…┊app id
/// rest                                     broken, not read┊length┊<xml>…<Content><![CDATA[echo TEXT]]>…┊app id
/// ```
struct Spliceable {
    typed: String,
    forged: String,
    /// Digits of Encrypt in front of the rest.
    front: usize,
}

impl Spliceable {
    fn new(receiver: &Receiver) -> Spliceable {
        let (account, created) = ("<ToUserName>gh_ebc88566ca2e</ToUserName>", now());
        let opening = |user: String| {
            format!(
                "{account}<FromUserName>{user}</FromUserName><CreateTime>{created}</CreateTime>\
                 <MsgType>text</MsgType><Content><![CDATA["
            )
        };
        let (front, victim) = (opening(receiver.user()), opening(receiver.user()));
        let rest = format!("{victim}echo {}]]></Content><MsgId>{}</MsgId></xml>", receiver.mark(), receiver.msg_id());
        let forged = format!("<xml>{rest:>width$}", width = FORGED - "<xml>".len());
        let front = format!("<xml>{front}");
        // The length stands 16 bytes behind the cut, where the second block begins.
        let blocks = (HEAD + front.len() - 16).div_ceil(WHOLE);
        let filled = format!("{front:x<width$}", width = blocks * WHOLE + 16 - HEAD);
        Spliceable { typed: format!("{filled}\0\0\u{1}\u{70}{forged}"), forged, front: blocks * WHOLE_IN_BASE64 }
    }

    /// Pushes that WeChat has encrypted and signed, in which something was moved so that the signature still matches.
    fn spliced(&self, receiver: &Receiver) -> Result<Vec<Request>, Miss> {
        let typed = receiver.safe.raw(self.typed.as_str());
        let found = |into| (0..SEALS).find_map(|_| self.moved(receiver, typed.request(now()), into));
        let spliced: Vec<Request> = ["nonce", "timestamp"].into_iter().filter_map(found).collect();
        if spliced.is_empty() {
            skip("with this token no ciphertext was found that can be spliced")
        } else {
            Ok(spliced)
        }
    }

    /// The request with the front of its Encrypt in another place, if its msg_signature is right for that too.
    fn moved(&self, receiver: &Receiver, mut request: Request, into: &str) -> Option<Request> {
        let encrypt = forged::encrypt(&request.body)?;
        let (front, rest) = encrypt.split_at_checked(self.front)?;
        let (timestamp, nonce) = (parameter(&request.query, "timestamp"), parameter(&request.query, "nonce"));
        let (timestamp, nonce) = match (into, timestamp.split_at(1)) {
            ("nonce", _) => (timestamp.to_owned(), format!("{nonce}{front}")),
            // The nonce is left with one digit, and that of the timestamp.
            (_, (first, others)) => (format!("{others}{nonce}{front}"), first.to_owned()),
        };
        if sha1([&receiver.account.token, &timestamp, &nonce, rest]) != parameter(&request.query, "msg_signature") {
            return None;
        }
        let query = with(&request.query, "timestamp", Some(&encoded(&timestamp)));
        request.query = with(&query, "nonce", Some(&encoded(&nonce)));
        request.body = forged::with_encrypt(&request.body, |_| rest.to_owned());
        request.message = self.forged.clone().into_bytes();
        Some(request)
    }
}

/// Base64 as it stands in a query.
fn encoded(base64: &str) -> String {
    base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

async fn splice(receiver: &Receiver) -> Outcome {
    forged::all_refused(receiver, Spliceable::new(receiver).spliced(receiver)?).await
}

async fn reflection(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    // The reply says what makes the handler reply again.
    let captured = receiver.takes(receiver.text(&format!("echo echo {}", receiver.mark())).request(now())).await?;
    let answer = captured.came.as_ref().map(|answered| answered.body.as_slice()).unwrap_or_default();
    let envelope = String::from_utf8_lossy(answer);
    let parts = ["Encrypt", "MsgSignature", "TimeStamp", "Nonce"].map(|name| element(&envelope, name));
    let ([Some(_), Some(signature), Some(timestamp), Some(nonce)], Some(message)) =
        (parts, receiver.account.open(answer))
    else {
        return skip("the receiver does not send encrypted replies to texts");
    };
    let mut request = captured.request;
    for (name, value) in [("msg_signature", signature), ("timestamp", timestamp), ("nonce", nonce)] {
        request.query = with(&request.query, name, Some(&encoded(value)));
    }
    (request.body, request.message) = (answer.to_vec(), message);
    receiver.refuses(request).await
}

/// What an element of an envelope says.
fn element<'e>(envelope: &'e str, name: &str) -> Option<&'e str> {
    let (_, behind) = envelope.split_once(&format!("<{name}>"))?;
    let (value, _) = behind.split_once(&format!("</{name}>"))?;
    Some(value.trim().trim_start_matches("<![CDATA[").trim_end_matches("]]>"))
}

/// Seconds of a year.
const YEAR: i64 = 365 * 24 * 60 * 60;

async fn exchanged(receiver: &Receiver) -> Outcome {
    let then = now() - YEAR;
    let old = |nonce: &str| {
        let text = receiver.text(&format!("echo {}", receiver.mark())).set("CreateTime", &then.to_string());
        receiver.safe.raw(text.request(then).message).nonce(nonce).request(then)
    };
    match receiver.refuses(old("1")).await {
        Ok(_) => {}
        Err(Miss::Failed(_)) => return Ok("a push of last year is accepted as it is".to_owned()),
        Err(miss) => return Err(miss),
    }
    let nonce = now().to_string();
    let mut request = old(&nonce);
    let query = with(&request.query, "timestamp", Some(&nonce));
    request.query = with(&query, "nonce", Some(&then.to_string()));
    receiver.refuses(request).await
}

async fn long_parts(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let sealed = || receiver.safe.raw(receiver.text(&format!("echo {}", receiver.mark())).request(now()).message);
    let long = "7".repeat(74);
    let long_nonce = sealed().nonce(&*long).request(now());
    // Timestamp and nonce can be exchanged, so the signatures need not be made anew.
    let mut long_timestamp = sealed().nonce(&*long).request(now());
    let timestamp = parameter(&long_timestamp.query, "timestamp").to_owned();
    let query = with(&long_timestamp.query, "timestamp", Some(&long));
    long_timestamp.query = with(&query, "nonce", Some(&timestamp));
    for (name, request) in [("nonce", long_nonce), ("timestamp", long_timestamp)] {
        match receiver.refuses(request).await {
            Err(Miss::Failed(seen)) => return fail(format!("with a long {name}: {seen}")),
            outcome => outcome?,
        };
    }
    Ok(String::new())
}
