//! A check of the settings at the start of a service.

use super::Endpoint;
use super::settings::Which;
#[cfg(feature = "aes")]
use crate::cipher::{SealError, seal};
use crate::error::ParseError;

/// The most common push: a text of a few words.
const PUSH: &[u8] = include_bytes!("../../tests/pushes/text.xml");

impl Endpoint {
    /// What is wrong with the settings, as far as can be seen from here. Call it when your service starts; usually it
    /// is empty.
    ///
    /// Whether token and key match WeChat's console, only WeChat can tell.
    ///
    /// ```
    /// use wechat_events::{Doubt, Endpoint};
    ///
    /// let endpoint = Endpoint::plain("token from a file\n")?;
    /// for doubt in endpoint.self_check() {
    ///     eprintln!("{doubt}");
    /// }
    /// assert_eq!(endpoint.self_check(), [Doubt::Token]);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn self_check(&self) -> Vec<Doubt> {
        let settings = &*self.0;
        let doubtful = settings.tokens().filter(|(_, token)| !is_token(&token.0));
        let mut doubts: Vec<Doubt> = doubtful
            .map(|(which, _)| match which {
                Which::Current => Doubt::Token,
                Which::Previous => Doubt::PreviousToken,
            })
            .collect();
        doubts.extend(settings.limits.parse_event(PUSH).err().map(Doubt::Limits));
        #[cfg(feature = "aes")]
        if let Some(cipher) = &settings.cipher {
            if !is_app_id(&cipher.app_id) {
                doubts.push(Doubt::AppId { app_id: cipher.app_id.clone() });
            }
            match seal(cipher.key(Which::Current), &cipher.app_id, PUSH) {
                Ok(encrypt) => doubts.extend(settings.body_limits().admit(encrypt.as_bytes()).err().map(Doubt::Limits)),
                Err(error) => doubts.push(Doubt::Sealing(error)),
            }
        }
        doubts
    }
}

/// Whether it is `wx` and 16 hexadecimal digits, as all app ids are.
#[cfg(feature = "aes")]
fn is_app_id(app_id: &str) -> bool {
    let digits = app_id.strip_prefix("wx").unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// Whether WeChat's console would accept it: 3 to 32 letters and digits.
fn is_token(token: &str) -> bool {
    (3..=32).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A doubt about the settings, found by [`Endpoint::self_check`].
///
/// The first three work here, but are unlikely to match WeChat's console. With the others, pushes would be refused or
/// not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// WeChat's console accepts 3 to 32 letters and digits. The usual culprit is a line feed from a file.
    #[error(
        "the token is not 3 to 32 letters and digits, as WeChat's console requires: is there white space around it?"
    )]
    Token,
    /// The same for the previous token.
    #[error("the previous token is not 3 to 32 letters and digits, as WeChat's console requires")]
    PreviousToken,
    /// An app id is `wx` and 16 hexadecimal digits; `gh_…` is the account's other name, which encryption does not use.
    #[error("`{}` does not look like an app id, which is wx and 16 digits or letters from a to f", app_id.escape_debug())]
    AppId {
        /// As configured.
        app_id: String,
    },
    /// A short text message exceeds the [limits](crate::Limits), in the clear or encrypted.
    #[error("the limits are too small for a short text message: {0}")]
    Limits(ParseError),
    /// No reply can be encrypted: the system has no random bytes.
    #[cfg(feature = "aes")]
    #[error(transparent)]
    Sealing(SealError),
}
