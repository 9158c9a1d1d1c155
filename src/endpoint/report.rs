//! Reports, for the operator of the service and never for the sender of a request.

use std::error::Error;
use std::fmt;

#[cfg(feature = "aes")]
use crate::cipher::SealError;
use crate::error::{ParseError, RequestError};
use crate::event::Event;
use crate::reply::{Refused, Reply};
use crate::shown::{self, chain, line};

/// Something that the operator of the service should know and the sender of the request must not.
///
/// `Display` writes one line of at most 1024 bytes, without secrets and without what users wrote. Texts from a request
/// are cut, and control characters in them escaped.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Report<'r> {
    /// A request was refused.
    Rejected {
        /// The reason.
        error: &'r RequestError,
    },
    /// WeChat sent something that is not a valid push. It was answered `success`; this is the last chance to keep it.
    Unparsable {
        /// The plaintext bytes.
        body: &'r [u8],
        /// The reason.
        error: &'r ParseError,
    },
    /// The handler failed.
    Failed {
        /// The push.
        event: &'r Event<'r>,
        /// The reason.
        error: &'r (dyn Error + Send + Sync + 'static),
    },
    /// A reply was not written, or only in part.
    Refused {
        /// The push that it answers.
        event: &'r Event<'r>,
        /// The reply as the handler returned it.
        reply: &'r Reply,
        /// The reason.
        refused: &'r Refused,
    },
    /// A reply could not be encrypted. A compatible endpoint sent it in the clear, a safe one did not send it.
    #[cfg(feature = "aes")]
    Unsealed {
        /// The push that it answers.
        event: &'r Event<'r>,
        /// The reason.
        error: &'r SealError,
    },
    /// A reply was ready when no delivery could carry it any more, and no `late` method took it.
    Late {
        /// The push that it answers.
        event: &'r Event<'r>,
        /// The reply that the user does not get.
        reply: &'r Reply,
    },
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            Report::Rejected { error } => {
                line(format_args!("request refused with status {}: {}", error.status(), chain(*error)))
            }
            Report::Unparsable { body, error } => line(format_args!(
                "authentic, but not a valid push, {} bytes answered `success`: {}",
                body.len(),
                chain(*error)
            )),
            Report::Failed { event, error } => {
                line(format_args!("handler failed on `{}`: {}", kind(event), chain(*error)))
            }
            Report::Refused { event, refused, .. } => {
                line(format_args!("reply to `{}` not written as asked: {refused}", kind(event)))
            }
            #[cfg(feature = "aes")]
            Report::Unsealed { event, error } => {
                line(format_args!("reply to `{}` not encrypted: {error}", kind(event)))
            }
            Report::Late { event, .. } => line(format_args!("reply to `{}` lost: it came too late", kind(event))),
        };
        // In one piece, so that unbuffered writers write it at once.
        f.write_str(&line)
    }
}

fn kind(event: &Event<'_>) -> String {
    shown::word(event.name())
}

#[cfg(feature = "tracing")]
impl Event<'_> {
    /// Its name on one line, for events of `tracing`.
    pub(crate) fn shown_name(&self) -> String {
        line(format_args!("{}", kind(self)))
    }
}

/// The name of the variant: one of about twenty words, while the whole error is too long for a label.
#[cfg(feature = "tracing")]
fn variant(error: &RequestError) -> String {
    format!("{error:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

impl Report<'_> {
    /// The default without a hook: an event of `tracing`, each of whose fields is one line.
    ///
    /// What anybody can cause is `INFO`; a loss is `ERROR`.
    pub(super) fn trace(&self) {
        #[cfg(feature = "tracing")]
        {
            use tracing::{error, info, warn};

            const TARGET: &str = "wechat_events";
            // The fields are built within the macro, so only if somebody listens.
            match self {
                Report::Rejected { error } => info!(
                    name: "wechat_refused", target: TARGET,
                    error = variant(error), status = error.status(), reason = chain(*error), "request refused"
                ),
                Report::Unparsable { body, error } => error!(
                    name: "wechat_unparsable", target: TARGET,
                    bytes = body.len(), reason = chain(*error), "authentic, but not a valid push"
                ),
                Report::Failed { event, error } => error!(
                    name: "wechat_failed", target: TARGET,
                    kind = event.shown_name(), reason = chain(*error), "handler failed"
                ),
                Report::Refused { event, refused, .. } => warn!(
                    name: "wechat_unwritten", target: TARGET,
                    kind = event.shown_name(), reason = chain(*refused), "reply not written as asked"
                ),
                #[cfg(feature = "aes")]
                Report::Unsealed { event, error } => error!(
                    name: "wechat_unsealed", target: TARGET,
                    kind = event.shown_name(), reason = chain(*error), "reply not encrypted"
                ),
                Report::Late { event, .. } => error!(
                    name: "wechat_lost", target: TARGET,
                    kind = event.shown_name(), "reply lost: it came too late"
                ),
            }
        }
    }
}
