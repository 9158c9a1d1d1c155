//! Safe and compatible mode: the envelope around `Encrypt`, of pushes and of replies.
//!
//! ```text
//! ?timestamp=…&nonce=…&encrypt_type=aes&msg_signature=…
//! <xml><ToUserName>…</ToUserName><Encrypt>…</Encrypt></xml>              {"ToUserName":"…","Encrypt":"…"}
//!
//! <xml><Encrypt>…</Encrypt><MsgSignature>…</MsgSignature>                {"Encrypt":"…","MsgSignature":"…",
//!      <TimeStamp>…</TimeStamp><Nonce>…</Nonce></xml>                     "TimeStamp":…,"Nonce":"…"}
//! ```
//!
//! In compatible mode the fields stand beside `Encrypt` in the clear, and a third-party platform's push has `AppId`
//! instead of `ToUserName`. None of these are signed, and none are read.

use std::fmt;

use super::query::{formed, parameters};
use super::settings::{Token, Which};
use super::{Endpoint, Push, Report, Response};
use crate::cipher::{self, EncodingAesKey, OpenError, Opened, SealError};
use crate::error::{ConfigError, RequestError};
use crate::fields::{Fields, Nodes, Path, is_json, trim};
use crate::reply::{Writer, tag};
use crate::shown;
use crate::signature::{PART, same, sign, verify_signature};

/// App id and keys, to decrypt pushes and encrypt replies.
#[derive(Clone)]
pub(super) struct Cipher {
    pub(super) app_id: String,
    key: EncodingAesKey,
    previous_key: Option<EncodingAesKey>,
    /// A reply that cannot be encrypted may be sent in the clear.
    compatible: bool,
}

impl Cipher {
    pub(super) fn new(
        app_id: impl Into<String>,
        key: impl AsRef<str>,
        compatible: bool,
    ) -> Result<Cipher, ConfigError> {
        let app_id = app_id.into();
        if app_id.is_empty() {
            return Err(ConfigError::EmptyAppId);
        }
        Ok(Cipher { app_id, key: EncodingAesKey::new(key.as_ref())?, previous_key: None, compatible })
    }

    pub(super) fn with_previous_key(&self, key: impl AsRef<str>) -> Result<Cipher, ConfigError> {
        Ok(Cipher { previous_key: Some(EncodingAesKey::new(key.as_ref())?), ..self.clone() })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (Which, &EncodingAesKey)> {
        let previous = self.previous_key.as_ref().map(|key| (Which::Previous, key));
        std::iter::once((Which::Current, &self.key)).chain(previous)
    }

    pub(super) fn key(&self, which: Which) -> &EncodingAesKey {
        self.keys().find(|(of, _)| *of == which).map_or(&self.key, |(_, key)| key)
    }

    fn open(&self, encrypt: &str) -> Result<(Which, Opened), OpenError> {
        let current = match cipher::open(&self.key, &self.app_id, encrypt) {
            Ok(opened) => return Ok((Which::Current, opened)),
            Err(error) => error,
        };
        let Some(previous_key) = &self.previous_key else { return Err(current) };
        match cipher::open(previous_key, &self.app_id, encrypt) {
            Ok(opened) => Ok((Which::Previous, opened)),
            // If one key got as far as the app id, that is the right key.
            Err(error @ OpenError::AppId { .. }) => Err(error),
            Err(_) => Err(current),
        }
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher")
            .field("app_id", &self.app_id)
            .field("key", &self.key)
            .field("previous_key", &self.previous_key)
            .field("compatible", &self.compatible)
            .finish()
    }
}

/// What the reply to an encrypted push is encrypted with.
pub(super) struct Sealing {
    token: Which,
    key: Which,
    /// The push's envelope was JSON.
    json: bool,
    nonce: Nonce,
}

impl Endpoint {
    /// Verifies, then decrypts.
    ///
    /// `encrypt_type` may be absent, since nothing depends on it. Any value but `aes` means that the account is not in
    /// the mode that this endpoint expects.
    pub(super) fn open(
        &self,
        cipher: &Cipher,
        query: &str,
        body: &[u8],
        now: i64,
    ) -> Result<(Vec<u8>, Sealing), RequestError> {
        let [msg_signature, timestamp, nonce, encrypt_type] =
            parameters(query, ["msg_signature", "timestamp", "nonce", "encrypt_type"]);
        let msg_signature = msg_signature.ok_or(RequestError::MissingMsgSignature)?;
        let timestamp = formed(timestamp, "timestamp", PART)?;
        let nonce = formed(nonce, "nonce", PART)?;
        if let Some(found) = encrypt_type.filter(|encrypt_type| encrypt_type != "aes") {
            return Err(RequestError::EncryptType { found: shown::word(&found) });
        }
        let mut nodes = Nodes::new();
        let fields = Fields::read(body, &self.0.limits, &mut nodes).map_err(RequestError::Envelope)?;
        let encrypt = fields.root().first(const { Path::new("Encrypt") }).ok_or(RequestError::NoEncrypt)?;
        // The signed text is decrypted as it is, except for surrounding white space, which `cipher::open` would ignore.
        let encrypt = encrypt.peek().trim_ascii();

        let signs = |token: &Token| same(&sign([&token.0, &timestamp, &nonce, encrypt]), &msg_signature);
        let Some((token, _)) = self.0.tokens().find(|(_, token)| signs(token)) else {
            return Err(self.wrong_msg_signature(query, &timestamp, &nonce));
        };
        self.fresh(&timestamp, now)?;
        let (key, opened) = cipher.open(encrypt)?;
        if opened.was_sealed_here(cipher.key(key)) {
            return Err(RequestError::Reflected);
        }
        self.fresh_inside(opened.message(), now)?;
        let sealing = Sealing { token, key, json: is_json(body), nonce: Nonce::new(&nonce) };
        Ok((opened.into_message(), sealing))
    }

    /// Compares the encrypted CreateTime with the clock. `timestamp` and `nonce` can be exchanged without breaking the
    /// signature, this value cannot.
    fn fresh_inside(&self, message: &[u8], now: i64) -> Result<(), RequestError> {
        if self.0.freshness.is_none() {
            return Ok(());
        }
        // Not a valid push: the handler never sees it.
        let Ok(event) = self.0.limits.parse_event(message) else { return Ok(()) };
        // A push that waits for a code is retried for hours, each time with a different body.
        let is_retry = event.field("RetryTimes").is_some_and(|times| trim(&times) != "0");
        match event.create_time {
            0 => Ok(()),
            _ if is_retry => Ok(()),
            sent => self.0.within_window("CreateTime", sent, now),
        }
    }

    /// Whether the token is wrong, or the body was altered.
    #[cold]
    fn wrong_msg_signature(&self, query: &str, timestamp: &str, nonce: &str) -> RequestError {
        let [Some(signature)] = parameters(query, ["signature"]) else { return RequestError::MsgSignature };
        match self.0.tokens().any(|(_, token)| verify_signature(&token.0, timestamp, nonce, &signature)) {
            true => RequestError::Altered,
            false => RequestError::MsgSignature,
        }
    }
}

/// An encrypted reply with nothing filled in.
const ENVELOPE: &str = "<xml><Encrypt><![CDATA[]]></Encrypt><MsgSignature><![CDATA[]]></MsgSignature>\
                        <TimeStamp></TimeStamp><Nonce><![CDATA[]]></Nonce></xml>";

impl Push<'_> {
    /// What to encrypt its reply with: the endpoint's part and the push's part. `None` if it came in the clear.
    pub(super) fn sealed_with(&self) -> Option<(&Cipher, &Sealing)> {
        self.endpoint.0.cipher.as_ref().zip(self.sealing.as_ref())
    }

    /// Encrypts a written reply. `seal` is [`cipher::seal`], except in the test of its failure.
    pub(super) fn sealed(
        &self,
        cipher: &Cipher,
        sealing: &Sealing,
        written: Vec<u8>,
        now: i64,
        seal: fn(&EncodingAesKey, &str, &[u8]) -> Result<String, SealError>,
    ) -> Response {
        self.envelope(cipher, sealing, &written, now, seal).unwrap_or_else(|error| {
            if let Ok(event) = self.event() {
                self.endpoint.report(&Report::Unsealed { event: &event, error: &error });
            }
            if cipher.compatible { Response::written(written) } else { Response::success() }
        })
    }

    pub(super) fn envelope(
        &self,
        cipher: &Cipher,
        sealing: &Sealing,
        message: &[u8],
        now: i64,
        seal: fn(&EncodingAesKey, &str, &[u8]) -> Result<String, SealError>,
    ) -> Result<Response, SealError> {
        let encrypt = seal(cipher.key(sealing.key), &cipher.app_id, message)?;

        let settings = &self.endpoint.0;
        let mut tokens = settings.tokens();
        let token = tokens.find(|(which, _)| *which == sealing.token).map_or(&settings.token, |(_, token)| token);
        let nonce = sealing.nonce.as_str();
        let mut digits = itoa::Buffer::new();
        let now = digits.format(now);
        let signature = sign([&token.0, now, nonce, &encrypt]);
        let signature = str::from_utf8(&signature).unwrap_or_default();

        // XML, with nothing to escape and no spare capacity.
        let room = ENVELOPE.len() + encrypt.len() + signature.len() + now.len() + nonce.len();
        let answer = Writer::document(sealing.json, room, |envelope| {
            envelope.word(tag!("Encrypt"), &encrypt);
            envelope.word(tag!("MsgSignature"), signature);
            envelope.digits(tag!("TimeStamp"), now);
            envelope.word(tag!("Nonce"), nonce);
        });
        Ok(Response::written(answer.into_bytes()))
    }
}

/// The nonce of the URL, which goes into the reply, stored without an allocation.
struct Nonce {
    bytes: [u8; PART],
    length: usize,
}

impl Nonce {
    /// Takes a nonce whose form was checked.
    fn new(nonce: &str) -> Nonce {
        let mut bytes = [0; PART];
        bytes.iter_mut().zip(nonce.bytes()).for_each(|(to, byte)| *to = byte);
        Nonce { bytes, length: nonce.len() }
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|nonce| str::from_utf8(nonce).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::endpoint::Received;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    const MESSAGE: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><MsgType>text</MsgType>\
                           <Content>hi</Content></xml>";

    fn push(endpoint: &Endpoint, nonce: &str) -> Push<'static> {
        let key = EncodingAesKey::new(KEY).unwrap();
        let encrypt = cipher::seal_with(&key, "wx0", MESSAGE.as_bytes(), [7; 16]).unwrap();
        let signature = sign(["token", "1", nonce, &encrypt]);
        let query = format!("timestamp=1&nonce={nonce}&msg_signature={}", str::from_utf8(&signature).unwrap());
        let body = format!("<xml><Encrypt>{encrypt}</Encrypt></xml>");
        match endpoint.receive("POST", &query, body.as_bytes(), 1).unwrap() {
            Received::Push(push) => {
                Push { endpoint: endpoint.clone(), body: Cow::Owned(push.body().to_vec()), sealing: push.sealing }
            }
            Received::Answer(_) => panic!(),
        }
    }

    #[test]
    fn without_random_bytes_a_safe_endpoint_says_success_and_a_compatible_one_answers_in_the_clear() {
        let safe = Endpoint::safe("token", "wx0", KEY).unwrap();
        let compatible = Endpoint::compatible("token", "wx0", KEY).unwrap();
        for (endpoint, expected) in [(safe, "success"), (compatible, "<xml>reply</xml>")] {
            let reports = Arc::new(Mutex::new(Vec::new()));
            let sink = Arc::clone(&reports);
            let endpoint = endpoint.on_report(move |report| sink.lock().unwrap().push(report.to_string()));
            let push = push(&endpoint, "2");
            let fails = |_: &_, _: &str, _: &[u8]| Err(SealError::NoRandomBytes { reason: "no entropy".to_owned() });
            let (cipher, sealing) = push.sealed_with().unwrap();
            let response = push.sealed(cipher, sealing, b"<xml>reply</xml>".to_vec(), 1, fails);
            assert_eq!((response.status, &*response.body), (200, expected.as_bytes()));
            let report = "reply to `text` not encrypted: the operating system gave no random bytes: no entropy";
            assert_eq!(*reports.lock().unwrap(), [report]);
        }
    }

    #[test]
    fn a_sealed_answer_has_no_room_to_spare() {
        let endpoint = Endpoint::safe("token", "wx0", KEY).unwrap();
        let push = push(&endpoint, "415670741");
        for now in [0, 1_714_037_059, -1] {
            let answer = push.answer(b"<xml>reply</xml>".to_vec(), now);
            assert_eq!((answer.content_type, answer.body.capacity()), ("text/xml", answer.body.len()));
        }
    }

    #[test]
    fn a_nonce_of_any_length_comes_back_as_it_was() {
        let endpoint = Endpoint::safe("token", "wx0", KEY).unwrap();
        for nonce in ["4", "415670741", "a-Z._9", &"7".repeat(31), &"7".repeat(32)] {
            let mut push = push(&endpoint, nonce);
            let mut sealing = push.sealing.take().unwrap();
            let cipher = endpoint.0.cipher.as_ref().unwrap();
            let envelope = |sealing: &Sealing| {
                let response = push.envelope(cipher, sealing, b"m", 7, |_, _, _| Ok("E".to_owned())).unwrap();
                (response.content_type, String::from_utf8(response.body).unwrap())
            };
            let signature = sign(["token", "7", nonce, "E"]);
            let signature = str::from_utf8(&signature).unwrap();
            let expected = format!(
                "<xml><Encrypt><![CDATA[E]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
                 <TimeStamp>7</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
            );
            assert_eq!(envelope(&sealing), ("text/xml", expected));
            sealing.json = true;
            let expected = format!(r#"{{"Encrypt":"E","MsgSignature":"{signature}","TimeStamp":7,"Nonce":"{nonce}"}}"#);
            assert_eq!(envelope(&sealing), ("application/json", expected));
        }
    }
}
