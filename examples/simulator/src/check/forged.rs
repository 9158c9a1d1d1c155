//! What an attacker sends without the token, or with one of the secrets.

use wechat_events::testing::{Request, Verdict, WeChat};

use super::receiver::{Exchange, Genuine, NOTHING_TO_COMPARE, Receiver, altered, parameter, seen, sha1, with};
use super::{Check, Group, Level, Miss, Outcome, PLAIN, SEALED, doubt, fail, skip};
use crate::account::{Account, Mode, now};

pub const REFUSED: &str =
    "any answer but a reply; best a status 4xx: the attacker learns nothing, and you see it in your logs";
const ANYBODY: &str = "anyone can send messages to your service as any user";

pub const CHECKS: &[Check] = &[
    Check {
        id: "forged-wrong-signature",
        group: Group::Forged,
        level: Level::Must,
        modes: PLAIN,
        sends: "a text whose signature is wrong in one digit, cut short, or empty",
        passes: REFUSED,
        means: ANYBODY,
        run: |receiver| Box::pin(wrong_signature(receiver, "signature")),
    },
    Check {
        id: "forged-no-signature",
        group: Group::Forged,
        level: Level::Must,
        modes: PLAIN,
        sends: "a text without signature, timestamp or nonce, without all three, or with `signature[]`",
        passes: REFUSED,
        means: ANYBODY,
        run: |receiver| Box::pin(no_signature(receiver)),
    },
    Check {
        id: "forged-other-parts",
        group: Group::Forged,
        level: Level::Must,
        modes: PLAIN,
        sends: "a text with the signature of another timestamp or another nonce",
        passes: REFUSED,
        means: "anyone who captures one signed request can send any number of pushes, forever",
        run: |receiver| Box::pin(other_parts(receiver)),
    },
    Check {
        id: "forged-empty-token",
        group: Group::Forged,
        level: Level::Must,
        modes: PLAIN,
        sends: "a text signed with an empty token",
        passes: REFUSED,
        means: "the receiver has no token set: anyone can sign",
        run: |receiver| Box::pin(empty_token(receiver)),
    },
    Check {
        id: "encrypted-wrong-signature",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "an encrypted text whose msg_signature is wrong in one digit, cut short, or empty",
        passes: REFUSED,
        means: "an encrypted push can be altered in transit, and decrypted by trial (padding oracle)",
        run: |receiver| Box::pin(wrong_signature(receiver, "msg_signature")),
    },
    Check {
        id: "encrypted-no-signature",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "an encrypted text without msg_signature, or with the plain signature in its place",
        passes: REFUSED,
        means: "a check that the attacker can skip protects nothing",
        run: |receiver| Box::pin(no_msg_signature(receiver)),
    },
    Check {
        id: "encrypted-other-parts",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "an encrypted text with the msg_signature of another timestamp or another nonce",
        passes: REFUSED,
        means: "an old push can be replayed as a new one",
        run: |receiver| Box::pin(other_parts(receiver)),
    },
    Check {
        id: "encrypted-tampered",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "an encrypted text with one character of Encrypt altered",
        passes: REFUSED,
        means: "an encrypted push can be altered in transit",
        run: |receiver| Box::pin(tampered(receiver)),
    },
    Check {
        id: "encrypted-empty-token",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "an encrypted text whose msg_signature was made with an empty token",
        passes: REFUSED,
        means: "the receiver has no token set: anyone can sign",
        run: |receiver| Box::pin(empty_token(receiver)),
    },
    Check {
        id: "encrypted-other-key",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "a text encrypted with another key, correctly signed",
        passes: REFUSED,
        means: "the receiver does not read the encrypted text, but what stands beside it",
        run: |receiver| Box::pin(other_key(receiver)),
    },
    Check {
        id: "encrypted-other-app-id",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "a text encrypted for another app id, correctly signed",
        passes: REFUSED,
        means: "pushes of another account with the same token and key are accepted as yours",
        run: |receiver| Box::pin(other_app_id(receiver)),
    },
    Check {
        id: "encrypted-oracle",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "a wrong msg_signature: once with an Encrypt that decrypts, once with one that does not",
        passes: "the same answer to both",
        means: "it decrypts before it checks the signature: with enough requests anyone can read an encrypted push",
        run: |receiver| Box::pin(oracle(receiver)),
    },
    Check {
        id: "downgrade-plain",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "an unencrypted text with a valid plain signature, and nothing of safe mode",
        passes: REFUSED,
        means: "the attacker decides whether the encryption is checked; the plain signature does not cover the body",
        run: |receiver| Box::pin(downgrade(receiver, &[""])),
    },
    Check {
        id: "downgrade-raw",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "the same with encrypt_type=raw, or with an empty encrypt_type",
        passes: REFUSED,
        means: "the attacker decides whether the encryption is checked; the plain signature does not cover the body",
        run: |receiver| Box::pin(downgrade(receiver, &["&encrypt_type=raw", "&encrypt_type="])),
    },
    Check {
        id: "downgrade-mixed",
        group: Group::Forged,
        level: Level::Must,
        modes: SEALED,
        sends: "a genuine Encrypt, and beside it in plaintext another text from another user",
        passes: "the answer to the encrypted text, or a refusal",
        means: "nothing authenticates what stands beside Encrypt: anyone can add words to a genuine push",
        run: |receiver| Box::pin(mixed(receiver)),
    },
];

/// A text that a reply would show, altered.
fn text(receiver: &Receiver, alter: impl FnOnce(&mut Request)) -> Request {
    let mut request = receiver.text(&format!("echo {}", receiver.mark())).request(now());
    alter(&mut request);
    request
}

/// The same with another query.
fn with_query(receiver: &Receiver, query: impl FnOnce(&str) -> String) -> Request {
    text(receiver, |request| request.query = query(&request.query))
}

pub async fn all_refused(receiver: &Receiver, requests: impl IntoIterator<Item = Request>) -> Outcome {
    for request in requests {
        receiver.refuses(request).await?;
    }
    Ok(String::new())
}

async fn wrong_signature(receiver: &Receiver, name: &str) -> Outcome {
    let in_one_digit = |query: &str| with(query, name, Some(&altered(parameter(query, name))));
    let short = |query: &str| with(query, name, parameter(query, name).get(..8));
    let empty = |query: &str| with(query, name, Some(""));
    let requests = [with_query(receiver, in_one_digit), with_query(receiver, short), with_query(receiver, empty)];
    all_refused(receiver, requests).await
}

async fn no_signature(receiver: &Receiver) -> Outcome {
    let without = ["signature", "timestamp", "nonce"].map(|name| with_query(receiver, |query| with(query, name, None)));
    let bare = with_query(receiver, |_| String::new());
    let list = with_query(receiver, |query| query.replacen("signature=", "signature[]=", 1));
    all_refused(receiver, without.into_iter().chain([bare, list])).await
}

async fn no_msg_signature(receiver: &Receiver) -> Outcome {
    let without = |query: &str| with(query, "msg_signature", None);
    let plain = |query: &str| with(query, "msg_signature", Some(parameter(query, "signature")));
    all_refused(receiver, [with_query(receiver, without), with_query(receiver, plain)]).await
}

async fn other_parts(receiver: &Receiver) -> Outcome {
    let other = ["timestamp", "nonce"]
        .map(|name| with_query(receiver, |query| with(query, name, Some(&altered(parameter(query, name))))));
    all_refused(receiver, other).await
}

async fn empty_token(receiver: &Receiver) -> Outcome {
    let request = text(receiver, |request| {
        let (timestamp, nonce) = (parameter(&request.query, "timestamp"), parameter(&request.query, "nonce"));
        let plain = with(&request.query, "signature", Some(&sha1([timestamp, nonce])));
        request.query = match encrypt(&request.body) {
            Some(encrypt) => with(&plain, "msg_signature", Some(&sha1([timestamp, nonce, &encrypt]))),
            None => plain,
        };
    });
    all_refused(receiver, [request]).await
}

/// The Encrypt of a body that the simulator wrote.
pub fn encrypt(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let (_, behind) = body.split_once("<Encrypt><![CDATA[")?;
    Some(behind.split_once("]]>")?.0.to_owned())
}

/// The body with another Encrypt.
pub fn with_encrypt(body: &[u8], change: impl FnOnce(&str) -> String) -> Vec<u8> {
    let Some(encrypt) = encrypt(body) else { return body.to_vec() };
    String::from_utf8_lossy(body).replace(&encrypt, &change(&encrypt)).into_bytes()
}

/// Base64 with another character at a place: some bytes of it are others.
fn bent(encrypt: &str, place: usize) -> String {
    encrypt
        .char_indices()
        .map(|(index, digit)| match digit {
            'A' if index == place => 'B',
            _ if index == place => 'A',
            _ => digit,
        })
        .collect()
}

/// The 64 digits of base64, in their order.
const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with bits of one digit turned over.
fn turned(encrypt: &str, place: usize, bits: usize) -> String {
    let turn = |digit: char| DIGITS.chars().nth(DIGITS.find(digit).unwrap_or_default() ^ bits).unwrap_or(digit);
    encrypt.char_indices().map(|(index, digit)| if index == place { turn(digit) } else { digit }).collect()
}

async fn tampered(receiver: &Receiver) -> Outcome {
    let bent_at = |place: fn(usize) -> usize| {
        text(receiver, |request| {
            request.body = with_encrypt(&request.body, |encrypt| bent(encrypt, place(encrypt.len())));
        })
    };
    // In CBC a bit that is turned over in the first block turns over the same bit of the second, and spoils the first,
    // which nobody reads. So byte 12, of those that are white space in front of the document, becomes a line end:
    // 0x20 ^ 0x2A = 0x0A. It is what the text said, and opens.
    let usual = text(receiver, |_| ());
    let spaced = [b" ".repeat(12), usual.message.clone()].concat();
    let mut unnoticed = receiver.safe.raw(spaced).request(now());
    unnoticed.body =
        with_encrypt(&unnoticed.body, |encrypt| turned(&turned(encrypt, 16, 0x2A >> 2), 17, (0x2A & 3) << 4));
    unnoticed.message = usual.message;
    let requests =
        [bent_at(|_| 0), bent_at(|length| length / 2), bent_at(|length| length.saturating_sub(8)), unnoticed];
    all_refused(receiver, requests).await
}

fn wechat(account: &Account, mode: Mode) -> Result<WeChat, Miss> {
    account.wechat_in(mode).or_else(skip)
}

/// A text of this receiver's as another WeChat sends it.
fn sent_by(receiver: &Receiver, wechat: &WeChat) -> Request {
    wechat.raw(text(receiver, |_| ()).message).request(now())
}

async fn other_key(receiver: &Receiver) -> Outcome {
    let mut account = receiver.account.clone();
    account.aes_key = account.aes_key.map(|key| bent(&key, 7));
    receiver.refuses(sent_by(receiver, &wechat(&account, receiver.mode)?)).await
}

async fn other_app_id(receiver: &Receiver) -> Outcome {
    let mut account = receiver.account.clone();
    for app_id in [altered(receiver.app_id()), "wx".to_owned(), format!("{}0", receiver.app_id())] {
        account.app_id = Some(app_id);
        receiver.refuses(sent_by(receiver, &wechat(&account, receiver.mode)?)).await?;
    }
    Ok(String::new())
}

async fn downgrade(receiver: &Receiver, behind: &'static [&'static str]) -> Outcome {
    let plain = wechat(&receiver.account, Mode::Plain)?;
    for behind in behind {
        let mut request = sent_by(receiver, &plain);
        request.query.push_str(behind);
        receiver.refuses(request).await?;
    }
    Ok(String::new())
}

async fn oracle(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let unsigned = |request: &mut Request| {
        request.query =
            with(&request.query, "msg_signature", Some(&altered(parameter(&request.query, "msg_signature"))));
    };
    let opens = || text(receiver, unsigned);
    let closed = || {
        text(receiver, |request| {
            unsigned(request);
            request.body = with_encrypt(&request.body, |encrypt| bent(encrypt, encrypt.len().saturating_sub(8)));
        })
    };
    // Among many requests at once any of the three may be late, which says nothing about decryption.
    let [first, again, other] = [
        receiver.ask(opens, Exchange::is_in_time).await,
        receiver.ask(opens, Exchange::is_in_time).await,
        receiver.ask(closed, Exchange::is_in_time).await,
    ];
    if [&first, &again, &other].iter().any(|exchange| !exchange.is_in_time()) {
        return doubt(NOTHING_TO_COMPARE);
    }
    let told = |exchange: &Exchange, body: bool| {
        let answered = exchange.came.as_ref().ok();
        answered.map(|answered| (answered.status, body.then(|| answered.body.clone())))
    };
    // An answer that is never the same, with a time in it say, is compared by its status.
    let stable = told(&first, true) == told(&again, true);
    if told(&first, stable) == told(&other, stable) {
        return Ok(String::new());
    }
    fail(format!("{} where it decrypts, {} where it does not", seen(&first.came), seen(&other.came)))
}

async fn mixed(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    if matches!(receiver.genuine, Genuine::Silent(_)) {
        return skip("the receiver does not reply to texts");
    }
    for front in [true, false] {
        let (genuine, forged) = (receiver.mark(), receiver.mark());
        let mut request = receiver.text(&format!("echo {genuine}")).request(now());
        let fields = receiver.text(&format!("echo {forged}")).request(now()).message;
        let fields = String::from_utf8_lossy(&fields).replace("<xml>", "").replace("</xml>", "");
        let sealed = encrypt(&request.body).unwrap_or_default();
        let sealed = format!("<Encrypt><![CDATA[{sealed}]]></Encrypt>");
        let parts = if front { [sealed, fields] } else { [fields, sealed] };
        request.body = format!("<xml>{}</xml>", parts.concat()).into_bytes();
        let exchange = receiver.ask(|| request.clone(), Exchange::is_in_time).await;
        let forged_shown = exchange.content().is_some_and(|content| content.contains(&forged));
        let refused = exchange.came.as_ref().is_ok_and(|answered| answered.status >= 400);
        if forged_shown || !(refused || matches!(exchange.verdict, Verdict::Accepted(_))) {
            return fail(exchange.seen());
        }
    }
    Ok(String::new())
}
