//! Replies in the clear to encrypted pushes.

use super::{Endpoint, Push};

impl Endpoint {
    /// Answers virtual payments (`xpay_…`) in the clear even in safe mode. Off by default.
    ///
    /// WeChat's general rule is that in safe mode every answer but `success` is encrypted, and encrypted codes are
    /// known to work. Some sources say that these need not be encrypted. Switch this on if WeChat repeats an order that
    /// was answered with code 0. Mini games (`minigame_…`) are always answered in the clear, as WeChat's page says.
    ///
    /// ```
    /// # use wechat_events::Endpoint;
    /// # let key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    /// let endpoint = Endpoint::safe("token", "wx5823bf96d3bd56c7", key)?.clear_payment_answers();
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn clear_payment_answers(self) -> Endpoint {
        self.with(|settings| settings.clear_payment_answers = true)
    }
}

impl Push<'_> {
    /// Whether an answer other than `success` must not be encrypted.
    pub(super) fn is_answered_in_the_clear(&self, written: &[u8]) -> bool {
        // A reply to a user never answers a payment: this saves reading the push again.
        let is_reply = [&b"<xml><ToUserName>"[..], b"{\"ToUserName\":"].iter().any(|begin| written.starts_with(begin));
        !is_reply
            && self.event().is_ok_and(|event| {
                event.is_mini_game() || (event.is_payment() && self.endpoint.0.clear_payment_answers)
            })
    }
}
