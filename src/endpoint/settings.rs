//! The settings of an endpoint.

use std::fmt;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aes")]
use super::envelope::Cipher;
use super::{Endpoint, Report};
use crate::error::{ConfigError, RequestError};
use crate::fields::Limits;

pub(super) type ReportHook = dyn Fn(&Report<'_>) + Send + Sync;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) token: Token,
    pub(super) previous_token: Option<Token>,
    /// `None` for plaintext mode.
    #[cfg(feature = "aes")]
    pub(super) cipher: Option<Cipher>,
    #[cfg(feature = "aes")]
    pub(super) clear_payment_answers: bool,
    pub(super) freshness: Option<Duration>,
    pub(super) limits: Limits,
    /// `None` for the default, `tracing`.
    pub(super) report: Option<Arc<ReportHook>>,
}

impl Settings {
    /// Limits for the body as it comes: the envelope around `Encrypt` is read before its signature is verified.
    pub(super) fn body_limits(&self) -> Limits {
        #[cfg(feature = "aes")]
        if self.cipher.is_some() {
            return self.limits.max_bytes(self.limits.bytes.min(self.limits.envelope_bytes));
        }
        self.limits
    }

    pub(super) fn within_window(&self, name: &'static str, sent: i64, now: i64) -> Result<(), RequestError> {
        let Some(limit) = self.freshness.map(|window| window.as_secs()) else { return Ok(()) };
        match now.abs_diff(sent) {
            seconds if seconds > limit => Err(RequestError::Stale { name, seconds, limit }),
            _ => Ok(()),
        }
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = (Which, &Token)> {
        let previous = self.previous_token.as_ref().map(|token| (Which::Previous, token));
        iter::once((Which::Current, &self.token)).chain(previous)
    }
}

/// One of two secrets while a secret is being changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Current,
    Previous,
}

/// A secret shared with WeChat. `Debug` does not show it.
#[derive(Clone)]
pub(super) struct Token(pub(super) String);

impl Token {
    pub(super) fn new(token: impl Into<String>) -> Result<Token, ConfigError> {
        match token.into() {
            token if token.is_empty() => Err(ConfigError::EmptyToken),
            token => Ok(Token(token)),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Endpoint");
        f.field("token", &self.0.token).field("previous_token", &self.0.previous_token);
        #[cfg(feature = "aes")]
        f.field("cipher", &self.0.cipher);
        f.field("freshness", &self.0.freshness).field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
