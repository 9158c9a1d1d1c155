//! What can go wrong, sorted by who must act.
//!
//! [`ParseError`]: a body is no push; nobody can act but its sender. [`RequestError`]: a request is not WeChat's, or
//! not as configured; it knows its HTTP status. [`ConfigError`]: whoever sets the endpoint up. What concerns whoever writes
//! the handler is no error but [`Written::refused`](crate::reply::Written::refused).

use thiserror::Error;

#[cfg(feature = "aes")]
use crate::cipher::{KeyError, OpenError};

/// A body is not a valid push.
///
/// A push that is merely odd (a new event, a field missing or malformed) is no error but a
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
    /// Nothing but white space.
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
    /// More attributes than any document needs that has no use for them.
    #[error("the body has more than {limit} attributes")]
    TooManyAttributes {
        /// Attributes allowed.
        limit: usize,
    },
    /// A document type declaration, which WeChat never sends and attackers do.
    #[error("a document type declaration at line {line}, column {column}: no push has one")]
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
    /// It begins with `{`, and this crate was built without its feature `json`.
    #[error("the body is JSON: switch on the feature `json` of wechat-events")]
    Json,
    /// It begins with `{` and is not JSON, read by the feature `json`.
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
    /// `Encrypt` and nothing beside it that says what happened: the account is in safe mode.
    #[error("the push is encrypted, it has Encrypt and no MsgType: use Endpoint::safe with app id and EncodingAESKey")]
    Encrypted,
    /// It begins with `&lt;xml`, which no push does: something in front of the receiver has escaped it for HTML.
    #[error("the body begins with `&lt;xml`, not `<xml`: a filter in front escaped it, which must leave it as it came")]
    Escaped,
}

/// A request was not answered as a push: it is not WeChat's, or not as configured.
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
    /// A timestamp, nonce or echostr that WeChat does not send, and that [could carry more] than what was signed.
    ///
    /// [could carry more]: crate::Endpoint#why-captured-traffic-forges-no-push
    #[error("the query's `{name}` is not 1 to {limit} letters, digits, `-`, `.` and `_`: WeChat's is a number")]
    ParameterForm {
        /// Its name.
        name: &'static str,
        /// Bytes allowed.
        limit: usize,
    },
    /// The timestamp is no number, and [`freshness`](crate::Endpoint::freshness) is asked for.
    #[error("the query's `{name}` is no number, and freshness is asked for")]
    MalformedParameter {
        /// Its name.
        name: &'static str,
    },
    /// The signature is not of this token.
    #[error("the signature is wrong: is the token the one in WeChat's console?")]
    Signature,
    /// A safe or compatible endpoint was sent no `msg_signature`, without which nothing binds the body.
    #[error("msg_signature is missing: is the account in plaintext mode?")]
    MissingMsgSignature,
    /// A safe or compatible endpoint was sent something else than `encrypt_type=aes`.
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
    /// The `msg_signature` is not of this token, and neither is `signature`.
    #[error("msg_signature is wrong: is the token the one in WeChat's console?")]
    MsgSignature,
    /// The `msg_signature` is wrong, but `signature`, which does not cover the body, is of this token.
    #[error("msg_signature is wrong, though signature is right: was Encrypt altered on its way?")]
    Altered,
    /// `Encrypt` was signed with this token, but is not sealed with this key for this app id.
    #[cfg(feature = "aes")]
    #[error(transparent)]
    Open(#[from] OpenError),
    /// `Encrypt` is an answer that was sealed by this crate, with this key: somebody sends it back as a push.
    #[error("Encrypt was sealed here and not by WeChat: an answer came back as a push")]
    Reflected,
    /// A time is outside the window set by [`Endpoint::freshness`](crate::Endpoint::freshness).
    #[error("{name} is {seconds} seconds from now, {limit} are allowed: is the clock right?")]
    Stale {
        /// `timestamp`, which is the query's, or `CreateTime`, which was sealed.
        name: &'static str,
        /// Seconds between that time and now, either way.
        seconds: u64,
        /// Seconds allowed.
        limit: u64,
    },
    /// More bytes than [`Limits::bytes`](crate::Limits::bytes), or for a safe or compatible endpoint than
    /// [`Limits::envelope_bytes`](crate::Limits::envelope_bytes).
    #[error("the body is {bytes} bytes long, the limit is {limit}")]
    TooLarge {
        /// Bytes of the body: as many as were announced, or of one that comes in chunks, as many as had come.
        bytes: usize,
        /// Bytes allowed.
        limit: u32,
    },
    /// The body ended too early: the client hung up, or its `Content-Length` or its chunks are wrong.
    #[error("the body broke off after {bytes} bytes: the client hung up, or announced another length")]
    BrokenOff {
        /// Bytes that had come.
        bytes: usize,
    },
    /// The body was not there when WeChat would have hung up.
    #[error("the body is not whole after {seconds} s, when WeChat would have hung up: {bytes} bytes have come")]
    TooSlow {
        /// Bytes that had come.
        bytes: usize,
        /// Seconds that it had.
        seconds: u64,
    },
}

impl RequestError {
    /// The HTTP status that this error is answered with: all that the network is told of it.
    ///
    /// Whatever concerns a signature, `Encrypt` or what is in it has one and the same.
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

    /// What Tencent's WXBizMsgCrypt returns for it, by which the official pages explain what to do.
    ///
    /// -40001 for a signature that is wrong or missing, -40002 for a body without `Encrypt`, and the number of
    /// whatever `Encrypt` did not open for. `None` where that code does not look.
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

/// An endpoint cannot be made of these settings.
///
/// ```
/// use wechat_events::{ConfigError, Endpoint};
///
/// assert_eq!(Endpoint::plain("").unwrap_err(), ConfigError::EmptyToken);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// With an empty token everybody could sign.
    #[error("the token is empty")]
    EmptyToken,
    /// With an empty app key everybody could sign a payment.
    #[error("the app key is empty: it stands under 虚拟支付, 基础配置 in WeChat's console")]
    EmptyAppKey,
    /// Nothing is sealed for an empty app id.
    #[error("the app id is empty: it begins with wx and stands beside the token in WeChat's console")]
    EmptyAppId,
    /// A plain endpoint has no key beside which there could be a previous one.
    #[error("the endpoint is a plain one and has no key")]
    NoKey,
    /// What was given as `EncodingAESKey` is none.
    #[cfg(feature = "aes")]
    #[error(transparent)]
    Key(#[from] KeyError),
}
