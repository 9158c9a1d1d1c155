//! What can go wrong, sorted by who must act.
//!
//! [`ParseError`]: a body is no push; nobody can act but its sender. [`RequestError`]: a request is not WeChat's, or
//! not as configured; it knows its HTTP status. [`ConfigError`]: whoever sets the endpoint up. [`ReplyError`]: whoever
//! writes the handler.

use thiserror::Error;

#[cfg(feature = "aes")]
use crate::cipher::{KeyError, OpenError};

/// A body is no push at all.
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
    /// More elements than [`Limits::elements`](crate::Limits::elements), or more than four times as many pieces with
    /// their texts, comments and processing instructions.
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
    /// `Encrypt` and nothing beside it that says what happened.
    #[error("no MsgType, but Encrypt: the push is encrypted, as in safe mode")]
    Encrypted,
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
    #[error("method {method}: WeChat sends GET and POST")]
    Method {
        /// The method of the request.
        method: String,
    },
    /// The query lacks a parameter that WeChat always sends.
    #[error("the query has no `{name}`")]
    MissingParameter {
        /// Its name.
        name: &'static str,
    },
    /// The timestamp is no number, and [`freshness`](crate::Endpoint::freshness) is asked for.
    #[error("the query's `{name}` is malformed")]
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
    #[error("the envelope around Encrypt cannot be read: {0}")]
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
    /// The timestamp is outside the window set by [`Endpoint::freshness`](crate::Endpoint::freshness).
    #[error("the timestamp is {seconds} seconds from now, {limit} are allowed")]
    Stale {
        /// Seconds between the timestamp and now, either way.
        seconds: u64,
        /// Seconds allowed.
        limit: u64,
    },
    /// More bytes than [`Limits::bytes`](crate::Limits::bytes).
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
            | RequestError::MalformedParameter { .. }
            | RequestError::BrokenOff { .. } => 400,
            RequestError::Signature
            | RequestError::MissingMsgSignature
            | RequestError::EncryptType { .. }
            | RequestError::Envelope(_)
            | RequestError::NoEncrypt
            | RequestError::MsgSignature
            | RequestError::Altered
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
    /// assert_eq!(RequestError::Stale { seconds: 301, limit: 300 }.number(), None);
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
            | RequestError::MalformedParameter { .. }
            | RequestError::EncryptType { .. }
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

/// A reply that WeChat would refuse.
///
/// ```
/// use wechat_events::{Reply, ReplyError};
///
/// assert_eq!(Reply::try_text("").unwrap_err(), ReplyError::Empty { field: "Content" });
/// assert_eq!(Reply::news([]).unwrap_err(), ReplyError::Articles { articles: 0 });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// A field that must say something is empty, or has nothing but characters that XML forbids.
    #[error("{field} is empty")]
    Empty {
        /// The element's name on the wire.
        field: &'static str,
    },
    /// A text over WeChat's limit.
    #[error("Content is {bytes} bytes long, WeChat's limit is {limit}")]
    TooLong {
        /// Bytes of the text in UTF-8.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// No article, or more than eight.
    #[error("a news reply has 1 to 8 articles, not {articles}")]
    Articles {
        /// Articles given.
        articles: usize,
    },
}
