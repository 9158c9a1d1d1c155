//! Errors, sorted by who must act.
//!
//! [`ParseError`]: a body is not a valid push; only its sender can act. [`RequestError`]: a request is not from WeChat,
//! or does not match the configuration; it knows its HTTP status. [`ConfigError`]: the endpoint's settings are wrong.
//! What a handler's author should know is not an error but [`Written::refused`](crate::reply::Written::refused).

use thiserror::Error;

#[cfg(feature = "aes")]
use crate::cipher::{KeyError, OpenError};

/// A body is not a valid push.
///
/// A push that is merely odd (a new event, a missing or malformed field) is not an error: it becomes a
/// [`Kind::Unknown`](crate::Kind::Unknown) with all its fields.
///
/// ```
/// use wechat_events::parse_event;
///
/// let error = parse_event(b"<xml>\n<a></b>\n</xml>").unwrap_err();
/// assert_eq!(error.to_string(), "not XML: expected 'a' tag, not 'b' at line 2, column 4");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The body is empty or white space.
    #[error("the body is empty")]
    Empty,
    /// More bytes than [`Limits::bytes`](crate::Limits::bytes).
    #[error("the body is {bytes} bytes long, the limit is {limit}")]
    TooLarge {
        /// Bytes of the body.
        bytes: usize,
        /// Bytes allowed.
        limit: u32,
    },
    /// Elements nested deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("element `{element}` is nested deeper than {limit} levels")]
    TooDeep {
        /// The first element that is too deep.
        element: String,
        /// Levels allowed.
        limit: u32,
    },
    /// More elements than [`Limits::elements`](crate::Limits::elements).
    #[error("the body has more than {limit} elements")]
    TooManyElements {
        /// Elements allowed.
        limit: u32,
    },
    /// More attributes than any WeChat push could need.
    #[error("the body has more than {limit} attributes")]
    TooManyAttributes {
        /// Attributes allowed.
        limit: usize,
    },
    /// A document type declaration. WeChat never sends one; attackers do.
    #[error("a document type declaration at line {line}, column {column}: WeChat never sends one")]
    Dtd {
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// Neither XML nor anything else that WeChat sends.
    #[error("not XML: {reason} at line {line}, column {column}")]
    NotXml {
        /// What was expected, and what was found.
        reason: String,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// The body begins with `{`, and this crate was built without its feature `json`.
    #[error("the body is JSON: switch on the feature `json` of wechat-events")]
    Json,
    /// The body begins with `{` but is not JSON. Needs the feature `json`.
    #[error("not JSON: {reason} at line {line}, column {column}")]
    NotJson {
        /// What was expected, and what was found.
        reason: String,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// Neither `MsgType` nor `InfoType` directly below the root.
    #[error("no MsgType and no InfoType directly below the root")]
    NoMsgType,
    /// `Encrypt` without a `MsgType` or `InfoType`: the account is in safe mode.
    #[error("the push is encrypted (Encrypt without MsgType): use Endpoint::safe with the app id and EncodingAESKey")]
    Encrypted,
    /// The body begins with `&lt;xml`: a proxy or filter in front of the server has escaped it for HTML.
    #[error(
        "the body begins with `&lt;xml`, not `<xml`: something in front of the server escapes it, pass it unchanged"
    )]
    Escaped,
}

/// A request was rejected: it is not from WeChat, or does not match the configuration.
///
/// ```
/// use wechat_events::{Endpoint, RequestError};
///
/// let endpoint = Endpoint::plain("token")?;
/// let error = endpoint.receive("POST", "timestamp=1&nonce=2", b"<xml/>", 0).unwrap_err();
/// assert_eq!(error, RequestError::MissingParameter { name: "signature" });
/// assert_eq!(error.status(), 400);
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Neither GET nor POST.
    #[error("method {}: WeChat sends GET and POST", method.escape_debug())]
    Method {
        /// The method of the request, its first 64 characters.
        method: String,
    },
    /// The query lacks a parameter that WeChat always sends.
    #[error("the query has no `{name}`")]
    MissingParameter {
        /// Its name.
        name: &'static str,
    },
    /// A timestamp, nonce or echostr in a form that WeChat does not send, and that [could carry more] than what was
    /// signed.
    ///
    /// [could carry more]: crate::Endpoint#why-captured-traffic-cannot-forge-a-push
    #[error("the query's `{name}` is not 1 to {limit} letters, digits, `-`, `.` and `_`: WeChat sends a number")]
    ParameterForm {
        /// Its name.
        name: &'static str,
        /// Bytes allowed.
        limit: usize,
    },
    /// The timestamp is not a number, and [`freshness`](crate::Endpoint::freshness) is set.
    #[error("the query's `{name}` is not a number, so its freshness cannot be checked")]
    MalformedParameter {
        /// Its name.
        name: &'static str,
    },
    /// The signature was not made with this token.
    #[error("the signature is wrong: is the token the one in WeChat's console?")]
    Signature,
    /// A safe or compatible endpoint received no `msg_signature`; without it nothing authenticates the body.
    #[error("msg_signature is missing: is the account in plaintext mode?")]
    MissingMsgSignature,
    /// A safe or compatible endpoint received something other than `encrypt_type=aes`.
    #[error("encrypt_type is `{}`, not `aes`: is the account in plaintext mode?", found.escape_debug())]
    EncryptType {
        /// Its first 64 characters.
        found: String,
    },
    /// The body that should hold `Encrypt` cannot be read.
    #[error("the envelope around Encrypt cannot be read")]
    Envelope(#[source] ParseError),
    /// The body has no `Encrypt` directly below its root.
    #[error("the body has no Encrypt: is the account in plaintext mode?")]
    NoEncrypt,
    /// Neither `msg_signature` nor `signature` was made with this token.
    #[error("msg_signature is wrong: is the token the one in WeChat's console?")]
    MsgSignature,
    /// The `msg_signature` is wrong, but `signature`, which does not cover the body, was made with this token.
    #[error("msg_signature is wrong, though signature is right: was Encrypt altered on its way?")]
    Altered,
    /// `Encrypt` was signed with this token, but was not encrypted with this key for this app id.
    #[cfg(feature = "aes")]
    #[error(transparent)]
    Open(#[from] OpenError),
    /// `Encrypt` is a reply that this crate encrypted with this key: somebody sent it back as a push.
    #[error("Encrypt is a reply encrypted by this crate: somebody sent it back as a push")]
    Reflected,
    /// A time is outside the window that [`Endpoint::freshness`](crate::Endpoint::freshness) allows.
    #[error("{name} is {seconds} seconds off, the limit is {limit}: is this machine's clock right?")]
    Stale {
        /// `timestamp` from the query, or `CreateTime` from the encrypted push.
        name: &'static str,
        /// Seconds between that time and now, in either direction.
        seconds: u64,
        /// Seconds allowed.
        limit: u64,
    },
    /// More bytes than [`Limits::bytes`](crate::Limits::bytes) allows or, for a safe or compatible endpoint,
    /// [`Limits::envelope_bytes`](crate::Limits::envelope_bytes).
    #[error("the body is {bytes} bytes long, the limit is {limit}")]
    TooLarge {
        /// Length of the body: as announced, or for a chunked body as many bytes as were read.
        bytes: usize,
        /// Bytes allowed.
        limit: u32,
    },
    /// The body ended too early: the client hung up, or `Content-Length` or the chunks are wrong.
    #[error("the body ended after {bytes} bytes: the client hung up or announced another length")]
    BrokenOff {
        /// Bytes received.
        bytes: usize,
    },
    /// The body was incomplete at the time when WeChat hangs up.
    #[error("the body was incomplete after {seconds} s, when WeChat hangs up: {bytes} bytes received")]
    TooSlow {
        /// Bytes received.
        bytes: usize,
        /// Seconds waited.
        seconds: u64,
    },
}

impl RequestError {
    /// The HTTP status to answer with: all that the sender learns about this error.
    ///
    /// All errors about a signature, `Encrypt` or its contents have the same status.
    ///
    /// ```
    /// assert_eq!(wechat_events::RequestError::Signature.status(), 403);
    /// assert_eq!(wechat_events::RequestError::NoEncrypt.status(), 403);
    /// ```
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            RequestError::MissingParameter { .. }
            | RequestError::ParameterForm { .. }
            | RequestError::MalformedParameter { .. }
            | RequestError::BrokenOff { .. } => 400,
            RequestError::Signature
            | RequestError::MissingMsgSignature
            | RequestError::EncryptType { .. }
            | RequestError::Envelope(_)
            | RequestError::NoEncrypt
            | RequestError::MsgSignature
            | RequestError::Altered
            | RequestError::Reflected
            | RequestError::Stale { .. } => 403,
            #[cfg(feature = "aes")]
            RequestError::Open(_) => 403,
            RequestError::Method { .. } => 405,
            RequestError::TooSlow { .. } => 408,
            RequestError::TooLarge { .. } => 413,
        }
    }

    /// The code that Tencent's WXBizMsgCrypt returns in this case; the official pages explain what to do about it.
    ///
    /// -40001 for a wrong or missing signature, -40002 for a body without `Encrypt`, and the code for the reason why
    /// `Encrypt` could not be decrypted. `None` for what WXBizMsgCrypt does not check.
    ///
    /// ```
    /// use wechat_events::RequestError;
    ///
    /// assert_eq!(RequestError::MsgSignature.number(), Some(-40001));
    /// assert_eq!(RequestError::NoEncrypt.number(), Some(-40002));
    /// assert_eq!(RequestError::Stale { name: "timestamp", seconds: 301, limit: 300 }.number(), None);
    /// ```
    #[must_use]
    pub fn number(&self) -> Option<i32> {
        match self {
            RequestError::Signature
            | RequestError::MissingMsgSignature
            | RequestError::MsgSignature
            | RequestError::Altered => Some(-40001),
            RequestError::Envelope(_) | RequestError::NoEncrypt => Some(-40002),
            #[cfg(feature = "aes")]
            RequestError::Open(error) => Some(error.number()),
            RequestError::Method { .. }
            | RequestError::MissingParameter { .. }
            | RequestError::ParameterForm { .. }
            | RequestError::MalformedParameter { .. }
            | RequestError::EncryptType { .. }
            | RequestError::Reflected
            | RequestError::Stale { .. }
            | RequestError::TooLarge { .. }
            | RequestError::BrokenOff { .. }
            | RequestError::TooSlow { .. } => None,
        }
    }
}

/// Invalid settings for an endpoint.
///
/// ```
/// use wechat_events::{ConfigError, Endpoint};
///
/// assert_eq!(Endpoint::plain("").unwrap_err(), ConfigError::EmptyToken);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// With an empty token anybody could sign.
    #[error("the token is empty")]
    EmptyToken,
    /// With an empty app key anybody could sign a payment.
    #[error("the app key is empty: find it under 虚拟支付, 基础配置 in WeChat's console")]
    EmptyAppKey,
    /// Nothing can be encrypted for an empty app id.
    #[error("the app id is empty: it begins with wx, next to the token in WeChat's console")]
    EmptyAppId,
    /// A plaintext endpoint has no key, so it cannot have a previous one.
    #[error("the endpoint is in plaintext mode and has no key")]
    NoKey,
    /// The given `EncodingAESKey` is not valid.
    #[cfg(feature = "aes")]
    #[error(transparent)]
    Key(#[from] KeyError),
}
