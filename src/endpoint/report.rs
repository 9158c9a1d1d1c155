//! What goes to whoever runs the service, and not to the network.

use std::error::Error;
use std::fmt;

#[cfg(feature = "aes")]
use crate::cipher::SealError;
use crate::error::{ParseError, RequestError};
use crate::event::Event;
use crate::reply::{Refused, Reply};
use crate::shown::{self, chain, line};

/// Something the network is not told, for whoever runs the service.
///
/// Its `Display` is one line of at most 1024 bytes, without secrets and without what users wrote. Of a request's own
/// words it shows the beginnings, with control characters escaped.
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
        let line = match self {
            Report::Rejected { error } => {
                line(format_args!("request refused with status {}: {}", error.status(), chain(*error)))
            }
            Report::Unparsable { body, error } => {
                line(format_args!("authentic, but no push, {} bytes answered `success`: {}", body.len(), chain(*error)))
            }
            Report::Failed { event, error } => {
                line(format_args!("handler failed on `{}`: {}", kind(event), chain(*error)))
            }
            Report::Refused { event, refused, .. } => {
                line(format_args!("reply to `{}` not written as asked: {refused}", kind(event)))
            }
            #[cfg(feature = "aes")]
            Report::Unsealed { event, error } => line(format_args!("reply to `{}` not sealed: {error}", kind(event))),
            Report::Late { event, .. } => line(format_args!("reply to `{}` lost: it came too late", kind(event))),
        };
        // In one piece, which unbuffered writers make one write of.
        f.write_str(&line)
    }
}

fn kind(event: &Event<'_>) -> String {
    shown::word(event.name())
}

#[cfg(feature = "tracing")]
impl Event<'_> {
    /// Its name on one line, as events of `tracing` have it.
    pub(crate) fn shown_name(&self) -> String {
        line(format_args!("{}", kind(self)))
    }
}

/// The name of the variant: one of some twenty words, where the whole error says more than a label should.
#[cfg(feature = "tracing")]
fn variant(error: &RequestError) -> String {
    format!("{error:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

impl Report<'_> {
    /// Where no hook takes it: an event of `tracing`, on one line in each of its fields.
    ///
    /// What anybody can cause is `INFO`; what is lost is `ERROR`.
    pub(super) fn trace(&self) {
        #[cfg(feature = "tracing")]
        {
            use tracing::{error, info, warn};

            const TARGET: &str = "wechat_events";
            // Each field within its macro: where nobody listens none is made.
            match self {
                Report::Rejected { error } => info!(
                    name: "wechat_refused", target: TARGET,
                    error = variant(error), status = error.status(), reason = chain(*error), "request refused"
                ),
                Report::Unparsable { body, error } => error!(
                    name: "wechat_unparsable", target: TARGET,
                    bytes = body.len(), reason = chain(*error), "authentic, but no push"
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
                    kind = event.shown_name(), reason = chain(*error), "reply not sealed"
                ),
                Report::Late { event, .. } => error!(
                    name: "wechat_lost", target: TARGET,
                    kind = event.shown_name(), "reply lost: it came too late"
                ),
            }
        }
    }
}
