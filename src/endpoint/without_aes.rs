//! Stand-ins without the feature `aes`, so that the compiler names the missing feature.

use super::Endpoint;
use crate::error::ConfigError;

/// Implemented for nothing: a call that needs it fails with the message below.
#[diagnostic::on_unimplemented(
    message = "encrypted pushes need the feature `aes` of wechat-events",
    label = "the feature `aes` is off",
    note = "it is on by default: in Cargo.toml, leave out `default-features = false`, or add `features = [\"aes\"]`"
)]
pub trait WithFeatureAes {
    /// Never called.
    fn endpoint(self) -> Result<Endpoint, ConfigError>;
}

impl Endpoint {
    /// An account in safe mode (安全模式): needs the feature `aes`, which is off in this build.
    ///
    /// # Errors
    /// Does not compile.
    ///
    /// ```compile_fail,E0277
    /// let endpoint = wechat_events::Endpoint::safe("token", "wx5823bf96d3bd56c7", "A".repeat(43));
    /// ```
    pub fn safe<T: WithFeatureAes>(
        token: T,
        _app_id: impl Into<String>,
        _key: impl AsRef<str>,
    ) -> Result<Endpoint, ConfigError> {
        token.endpoint()
    }

    /// An account in compatible mode (兼容模式): needs the feature `aes`, which is off in this build.
    ///
    /// # Errors
    /// Does not compile.
    ///
    /// ```compile_fail,E0277
    /// let endpoint = wechat_events::Endpoint::compatible("token", "wx5823bf96d3bd56c7", "A".repeat(43));
    /// ```
    pub fn compatible<T: WithFeatureAes>(
        token: T,
        _app_id: impl Into<String>,
        _key: impl AsRef<str>,
    ) -> Result<Endpoint, ConfigError> {
        token.endpoint()
    }

    /// The key that is being replaced: needs the feature `aes`, which is off in this build.
    ///
    /// # Errors
    /// Does not compile.
    ///
    /// ```compile_fail,E0277
    /// let endpoint = wechat_events::Endpoint::plain("token")?.previous_key("A".repeat(43));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn previous_key<T: WithFeatureAes>(self, key: T) -> Result<Endpoint, ConfigError> {
        key.endpoint()
    }
}
