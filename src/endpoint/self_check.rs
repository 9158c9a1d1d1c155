//! Does this endpoint work at all? Asked once, when a service starts.

use std::fmt;

use super::{Endpoint, Received, Token, Which};
#[cfg(feature = "aes")]
use crate::cipher;
use crate::signature::{sign, verify_signature};

/// A push, for the round trip.
const PUSH: &[u8] = include_bytes!("../../tests/pushes/text.xml");
/// Its query; the numbers are of no meaning.
const TIMESTAMP: &str = "1714037059";
const NONCE: &str = "486452656";
/// As WeChat's look, and as no answer begins. The push goes nowhere.
#[cfg(feature = "aes")]
const RANDOM: &[u8; 16] = b"707722b803182950";

impl Endpoint {
    /// Runs the official samples, and then a push and its answer, through this endpoint: for a service's start.
    ///
    /// Shown, the outcome is a few lines for the log, without secrets: what was checked, and what is
    /// [doubtful](SelfCheck::doubts) in the settings. Whether token and key are the ones in WeChat's console only
    /// WeChat can tell.
    ///
    /// # Errors
    /// [`SelfCheckError`] where a push would not be accepted or answered: [`Limits`](crate::Limits) that are too small
    /// for any push, a system without random bytes, a build that computes wrongly.
    ///
    /// ```
    /// use wechat_events::{Doubt, Endpoint};
    ///
    /// let check = Endpoint::plain("token from a file\n")?.self_check()?;
    /// assert_eq!(check.doubts(), [Doubt::Token]);
    /// println!("{check}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn self_check(&self) -> Result<SelfCheck, SelfCheckError> {
        let mut check = SelfCheck { lines: Vec::new(), doubts: Vec::new() };

        let official =
            |nonce| verify_signature("AAAAA", "1714037059", nonce, "899cf89e464efb63f54ddac96b0a0a235f53aa78");
        if !official("486452656") || official("486452657") {
            return Err(SelfCheckError::new("signature of the official sample", "it is computed wrongly"));
        }
        check.lines.push("signature: that of the official sample is right, and of another nonce wrong".to_owned());

        // Whatever the clock says: the push below is an old one.
        let endpoint = self.clone().with(|settings| settings.freshness = None);
        #[cfg(feature = "aes")]
        if let Some(cipher) = &self.0.cipher {
            official_push()?;
            check
                .lines
                .push("cipher: the official push opens, and its answer is sealed to the official text".to_owned());
            for (which_token, token) in self.0.tokens() {
                for (which_key, key) in cipher.keys() {
                    let name = format!("{}, {}", which_token.of("token"), which_key.of("key"));
                    endpoint
                        .sealed_push(token, key, &cipher.app_id)
                        .map_err(|reason| SelfCheckError::new(&name, &reason))?;
                    let app_id = cipher.app_id.escape_debug();
                    check.lines.push(format!("{name}: a push for app id `{app_id}` opens, and so does its answer"));
                }
            }
            if !is_app_id(&cipher.app_id) {
                check.doubts.push(Doubt::AppId { app_id: cipher.app_id.clone() });
            }
            check.doubt_tokens(self);
            return Ok(check);
        }
        for (which, token) in self.0.tokens() {
            let name = which.of("token");
            endpoint.plain_push(token).map_err(|reason| SelfCheckError::new(name, &reason))?;
            check.lines.push(format!("{name}: a push in the clear is accepted"));
        }
        check.doubt_tokens(self);
        Ok(check)
    }

    fn plain_push(&self, token: &Token) -> Result<(), String> {
        let signature = sign([&token.0, TIMESTAMP, NONCE]);
        let signature = str::from_utf8(&signature).unwrap_or_default();
        let query = format!("signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}");
        match self.receive("POST", &query, PUSH, 0) {
            Ok(Received::Push(push)) => push.event().map(drop).map_err(|error| error.to_string()),
            Ok(Received::Answer(_)) => Err("not taken for a push".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[cfg(feature = "aes")]
    fn sealed_push(&self, token: &Token, key: &cipher::EncodingAesKey, app_id: &str) -> Result<(), String> {
        let encrypt = cipher::seal_with(key, app_id, PUSH, *RANDOM).map_err(|error| error.to_string())?;
        let signature = sign([&token.0, TIMESTAMP, NONCE, &encrypt]);
        let signature = str::from_utf8(&signature).unwrap_or_default();
        let query = format!("timestamp={TIMESTAMP}&nonce={NONCE}&encrypt_type=aes&msg_signature={signature}");
        let body = format!("<xml><Encrypt>{encrypt}</Encrypt></xml>");
        let received = self.receive("POST", &query, body.as_bytes(), 0).map_err(|error| error.to_string())?;
        let Received::Push(push) = received else { return Err("not taken for a push".to_owned()) };
        if push.body() != PUSH {
            return Err("decrypted to something else".to_owned());
        }
        push.event().map_err(|error| error.to_string())?;
        let (cipher, sealing) = push.sealed_with().ok_or("opened, but not to be answered sealed")?;
        let answer = push.envelope(cipher, sealing, PUSH, 0, cipher::seal).map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&answer.body);
        let encrypt = answer.split_once("<![CDATA[").and_then(|(_, from)| from.split_once("]]>"));
        let opened = cipher::open(key, app_id, encrypt.map_or("", |(encrypt, _)| encrypt));
        match opened.map_err(|error| error.to_string())?.message() == PUSH {
            true => Ok(()),
            false => Err("the answer decrypts to something else".to_owned()),
        }
    }
}

/// The sample push of the official page and its answer.
///
/// Source: <https://developers.weixin.qq.com/doc/service/guide/dev/push/encryption.html>
#[cfg(feature = "aes")]
fn official_push() -> Result<(), SelfCheckError> {
    const QUERY: &str = "timestamp=1714112445&nonce=415670741&encrypt_type=aes&\
                         msg_signature=046e02f8204d34f8ba5fa3b1db94908f3df2e9b3";
    const ENCRYPT: &str = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJG\
                           QqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrf\
                           MZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgR\
                           tWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";
    const MESSAGE: &str = "{\"ToUserName\":\"gh_97417a04a28d\",\"FromUserName\":\"o9AgO5Kd5ggOC-bXrbNODIiE3bGY\",\
                           \"CreateTime\":1714112445,\"MsgType\":\"event\",\"Event\":\"debug_demo\",\"debug_str\":\"hello world\"}";
    const ANSWER: &[u8] = br#"{"demo_resp":"good luck"}"#;
    const SEALED: &str = "<xml><Encrypt><![CDATA[ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hy\
                          Rbtzve1L32tmxSQ==]]></Encrypt>\
                          <MsgSignature><![CDATA[1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1]]></MsgSignature>\
                          <TimeStamp>1713424427</TimeStamp><Nonce><![CDATA[415670741]]></Nonce></xml>";

    let fails = |reason: &dyn fmt::Display| SelfCheckError::new("official push in safe mode", &reason.to_string());
    let endpoint = Endpoint::safe("AAAAA", "wxba5fad812f8e6fb9", "A".repeat(43)).map_err(|error| fails(&error))?;
    let body = format!("<xml><Encrypt>{ENCRYPT}</Encrypt></xml>");
    let push = match endpoint.receive("POST", QUERY, body.as_bytes(), 0) {
        Ok(Received::Push(push)) if push.body() == MESSAGE.as_bytes() => push,
        Ok(_) => return Err(fails(&"it decrypts to something else")),
        Err(error) => return Err(fails(&error)),
    };
    let (cipher, sealing) = push.sealed_with().ok_or_else(|| fails(&"it is not to be answered sealed"))?;
    let answer = push.envelope(cipher, sealing, ANSWER, 1_713_424_427, |key, app_id, message| {
        cipher::seal_with(key, app_id, message, *b"707722b803182950")
    });
    match answer.map_err(|error| fails(&error))?.body == SEALED.as_bytes() {
        true => Ok(()),
        false => Err(fails(&"its answer is sealed to something else")),
    }
}

/// Whether it is `wx` and 16 hexadecimal digits, as all of WeChat's are.
#[cfg(feature = "aes")]
fn is_app_id(app_id: &str) -> bool {
    let digits = app_id.strip_prefix("wx").unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// Whether WeChat's console would take it: 3 to 32 letters and digits.
fn is_token(token: &str) -> bool {
    (3..=32).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Which {
    fn of(self, secret: &'static str) -> &'static str {
        match (self, secret) {
            (Which::Current, secret) => secret,
            (Which::Previous, "token") => "previous token",
            (Which::Previous, _) => "previous key",
        }
    }
}

/// What [`Endpoint::self_check`] found; `Display` has a line for each check and each doubt.
///
#[cfg_attr(feature = "aes", doc = "```")]
#[cfg_attr(not(feature = "aes"), doc = "```ignore")]
/// # use wechat_events::Endpoint;
/// let key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
/// let check = Endpoint::safe("QDG6eK", "gh_5823bf96d3bd", key)?.self_check()?;
/// assert_eq!(
///     check.to_string(),
///     "signature: that of the official sample is right, and of another nonce wrong\n\
///      cipher: the official push opens, and its answer is sealed to the official text\n\
///      token, key: a push for app id `gh_5823bf96d3bd` opens, and so does its answer\n\
///      doubt: `gh_5823bf96d3bd` does not look like an app id, which is wx and 16 digits or letters from a to f"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfCheck {
    lines: Vec<String>,
    doubts: Vec<Doubt>,
}

impl SelfCheck {
    /// What is not wrong by itself, but hardly what WeChat's console shows. Usually nothing.
    #[must_use]
    pub fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }

    fn doubt_tokens(&mut self, endpoint: &Endpoint) {
        let doubtful = endpoint.0.tokens().filter(|(_, token)| !is_token(&token.0));
        self.doubts.extend(doubtful.map(|(which, _)| match which {
            Which::Current => Doubt::Token,
            Which::Previous => Doubt::PreviousToken,
        }));
    }
}

impl fmt::Display for SelfCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))?;
        self.doubts.iter().try_for_each(|doubt| write!(f, "\ndoubt: {doubt}"))
    }
}

/// A setting that works here, but hardly is what WeChat's console shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// WeChat's console takes 3 to 32 letters and digits. A line feed from a file is the usual stranger.
    #[error("the token is not 3 to 32 letters and digits, as WeChat's console has it: is there white space around it?")]
    Token,
    /// The same of the previous token.
    #[error("the previous token is not 3 to 32 letters and digits, as WeChat's console has it")]
    PreviousToken,
    /// An app id is `wx` and 16 hexadecimal digits; `gh_…` is the account's other name, which is not sealed with.
    #[error("`{}` does not look like an app id, which is wx and 16 digits or letters from a to f", app_id.escape_debug())]
    AppId {
        /// As configured.
        app_id: String,
    },
}

/// Why an endpoint would not do its work.
///
/// ```
/// use wechat_events::{Endpoint, Limits};
///
/// let endpoint = Endpoint::plain("token")?.limits(Limits::default().max_elements(0));
/// let error = endpoint.self_check().unwrap_err();
/// assert_eq!(error.to_string(), "self-check failed, token: the body has more than 0 elements");
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("self-check failed, {subject}: {reason}")]
#[non_exhaustive]
pub struct SelfCheckError {
    /// What was checked.
    pub subject: String,
    /// Why it failed.
    pub reason: String,
}

impl SelfCheckError {
    fn new(subject: &str, reason: &str) -> SelfCheckError {
        SelfCheckError { subject: subject.to_owned(), reason: reason.to_owned() }
    }
}
