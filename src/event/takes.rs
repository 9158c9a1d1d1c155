//! The answer that WeChat expects to a push, and how long it waits.

use std::time::Duration;

use super::{Event, NamedBy};

/// The answer that WeChat expects to a push.
///
/// ```
/// use std::time::Duration;
/// use wechat_events::event::Takes;
/// use wechat_events::parse_event;
///
/// let takes = |name| {
///     let body = format!("<xml><MsgType>event</MsgType><Event>{name}</Event></xml>");
///     parse_event(body.as_bytes()).map(|event| event.takes())
/// };
/// assert_eq!(takes("CLICK")?, Takes::Reply);
/// assert_eq!(takes("VIEW")?, Takes::Success);
/// assert_eq!(takes("xpay_goods_deliver_notify")?, Takes::Code);
/// assert_eq!(takes("xpay_made_next_year")?, Takes::Code);
/// assert_eq!((Takes::Reply.deadline(), Takes::Code.deadline()), (Duration::from_secs(5), Duration::from_secs(3)));
/// # Ok::<(), wechat_events::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Takes {
    /// A reply to the user, or `success`.
    Reply,
    /// `success` only.
    Success,
    /// A [`Code`](crate::reply::Code): 0 for done, any other to be pushed again.
    Code,
    /// An [`IosRefund`](crate::reply::IosRefund): whether Apple should refund.
    IosRefund,
}

impl Takes {
    /// How long WeChat waits for the answer: 3 s if it needs to know the outcome, otherwise 5 s.
    #[must_use]
    pub const fn deadline(self) -> Duration {
        match self {
            Takes::Reply | Takes::Success => Duration::from_secs(5),
            Takes::Code | Takes::IosRefund => Duration::from_secs(3),
        }
    }
}

impl Event<'_> {
    /// The answer that WeChat expects to this push.
    ///
    /// Messages take a reply, except `device_event` and `device_status`; so do `subscribe`, `SCAN`, `CLICK`,
    /// `scancode_waitmsg`, `pic_*`, `location_select`, and message types that this crate does not know. Payments take a
    /// code: all events that begin with `xpay_` or `minigame_`, known or not, except
    /// `xpay_subscribe_ios_refund_query_notify`, which takes an opinion. Everything else takes `success`.
    ///
    /// See [`Takes`] for an example, and [`Reply::write`](crate::Reply::write) for what is written.
    #[must_use]
    pub fn takes(&self) -> Takes {
        match (self.entry, self.named_by) {
            (Some(entry), _) => entry.takes(),
            (None, NamedBy::MsgType) => Takes::Reply,
            (None, NamedBy::Event) if self.is_payment() || self.is_mini_game() => Takes::Code,
            (None, NamedBy::Event | NamedBy::InfoType) => Takes::Success,
        }
    }

    /// Whether WeChat accepts a reply to this push, that is, it [takes](Event::takes) one.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// assert!(parse_event(b"<xml><MsgType>event</MsgType><Event>subscribe</Event></xml>")?.takes_reply());
    /// assert!(!parse_event(b"<xml><MsgType>event</MsgType><Event>unsubscribe</Event></xml>")?.takes_reply());
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn takes_reply(&self) -> bool {
        self.takes() == Takes::Reply
    }

    /// Whether it belongs to virtual payment.
    pub(crate) fn is_payment(&self) -> bool {
        self.begins("xpay_")
    }

    /// Whether it is a mini game's, which is answered in the clear in every mode.
    pub(crate) fn is_mini_game(&self) -> bool {
        self.begins("minigame_")
    }

    fn begins(&self, with: &str) -> bool {
        self.named_by == NamedBy::Event
            && self.name.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with))
    }
}
