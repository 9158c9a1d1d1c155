//! The status and the errors of Redis, for the operator of the service.

use std::fmt;

#[cfg(doc)]
use super::{Redis, RedisBuilder, WhenDown};

/// The status given to [`RedisBuilder::on_status`].
///
/// ```
/// use wechat_events::store::Status;
///
/// let status = Status::Down { reason: "no answer within 200 ms".into() };
/// assert_eq!(status.to_string(), "Redis is away: no answer within 200 ms");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Redis is back.
    Up,
    /// Redis is down, and pushes are treated as [`WhenDown`] says. A connection that is replaced at once does not
    /// count.
    Down {
        /// The reason, for people. Contains neither address nor password.
        reason: String,
    },
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Up => f.write_str("Redis is there again"),
            Status::Down { reason } => write!(f, "Redis is away: {reason}"),
        }
    }
}

/// Why there is no [`Redis`] store, or why it is of no use at present.
///
/// ```
/// use wechat_events::store::{Redis, RedisError};
///
/// assert_eq!(Redis::connect("redis://127.0.0.1:1/", "").unwrap_err(), RedisError::NoRuntime);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisError {
    /// The URL is not that of a Redis server, or asks for TLS, which is not built in.
    #[error("the URL cannot be used: {0}")]
    Url(String),
    /// There is no tokio runtime to connect in.
    #[error("no tokio runtime here: connect inside of one")]
    NoRuntime,
    /// Redis cannot be reached, or refuses what this store needs.
    #[error("Redis is away: {0}")]
    Away(String),
}
