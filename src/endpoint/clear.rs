//! Which answers stay in the clear although the push was sealed.

use super::{Endpoint, Push};

impl Endpoint {
    /// Answers virtual payments (`xpay_…`) in the clear, also in safe mode. Off by default.
    ///
    /// By WeChat's general rule every answer but `success` is sealed in safe mode, and sealed codes are known to be
    /// accepted; some sources say that these need not be. Switch it on if WeChat pushes an order again that was answered
    /// with code 0. The answers of mini games (`minigame_…`) are in the clear in any case, as WeChat's page has it.
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
    /// Whether an answer other than `success` is not to be sealed.
    pub(super) fn is_answered_in_the_clear(&self, written: &[u8]) -> bool {
        // What goes to a user is no answer to a payment: spares the push another reading.
        let is_reply = [&b"<xml><ToUserName>"[..], b"{\"ToUserName\":"].iter().any(|begin| written.starts_with(begin));
        !is_reply
            && self.event().is_ok_and(|event| {
                event.is_mini_game() || (event.is_payment() && self.endpoint.0.clear_payment_answers)
            })
    }
}
