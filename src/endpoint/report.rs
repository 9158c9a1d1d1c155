//! What goes to whoever runs the service, and not to the network.

use std::error::Error;
use std::fmt::{self, Write as _};

#[cfg(feature = "aes")]
use crate::cipher::SealError;
use crate::error::{ParseError, RequestError};
use crate::event::Event;
use crate::reply::{Refused, Reply};

/// Something the network is not told, for whoever runs the service.
///
/// Its `Display` is one line without secrets and without what users wrote.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Report<'r> {
    /// A request was refused.
    Rejected {
        /// Why.
        error: &'r RequestError,
    },
    /// WeChat sent something that is no push. It was answered `success`; this is the last chance to keep it.
    Unparsable {
        /// The plaintext bytes.
        body: &'r [u8],
        /// Why.
        error: &'r ParseError,
    },
    /// The handler failed.
    Failed {
        /// On what.
        event: &'r Event<'r>,
        /// Why.
        error: &'r (dyn Error + Send + Sync + 'static),
    },
    /// A reply was not written, or not all of it.
    Refused {
        /// In answer to what.
        event: &'r Event<'r>,
        /// The reply as the handler made it.
        reply: &'r Reply,
        /// Why.
        refused: &'r Refused,
    },
    /// A reply could not be sealed. It was not sent, or, if the endpoint is a compatible one, sent in the clear.
    #[cfg(feature = "aes")]
    Unsealed {
        /// In answer to what.
        event: &'r Event<'r>,
        /// Why.
        error: &'r SealError,
    },
    /// A reply was ready when no delivery could carry it any more, and nobody else takes it.
    Late {
        /// In answer to what.
        event: &'r Event<'r>,
        /// What the follower does not get.
        reply: &'r Reply,
    },
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut OneLine(f);
        match self {
            Report::Rejected { error } => write!(f, "request refused with status {}: {error}", error.status()),
            Report::Unparsable { body, error } => {
                write!(f, "authentic, but no push, {} bytes answered `success`: {error}", body.len())
            }
            Report::Failed { event, error } => write!(f, "handler failed on `{}`: {error}", event.name()),
            Report::Refused { event, refused, .. } => {
                write!(f, "reply to `{}` not written as asked: {refused}", event.name())
            }
            #[cfg(feature = "aes")]
            Report::Unsealed { event, error } => write!(f, "reply to `{}` not sealed: {error}", event.name()),
            Report::Late { event, .. } => write!(f, "reply to `{}` lost: it came too late", event.name()),
        }
    }
}

/// Escapes what would end a line or steer a terminal: names and methods are the network's words.
pub(crate) struct OneLine<'f, 'w>(pub(crate) &'f mut fmt::Formatter<'w>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            if c.is_control() { write!(self.0, "{}", c.escape_default()) } else { self.0.write_char(c) }
        })
    }
}
