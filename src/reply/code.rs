//! Answers to WeChat itself: a code, an opinion, or a body for pushes that this crate does not know.

use super::{Reply, replies};

/// A code, for a push that requires one; made by [`Reply::code`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Code {
    /// 0: done. Any other makes WeChat push again.
    pub err_code: i64,
    /// The reason in words.
    pub err_msg: String,
}

/// What to tell Apple about a refund that a user asks for.
///
/// Only in answer to `xpay_subscribe_ios_refund_query_notify`. [`Reply::Success`] is not an opinion: Apple asks three
/// times in all, and then decides by itself.
///
/// ```
/// use wechat_events::reply::IosRefund;
/// use wechat_events::{Reply, parse_event};
///
/// let query = parse_event(
///     br#"<xml><MsgType>event</MsgType><Event>xpay_subscribe_ios_refund_query_notify</Event></xml>"#,
/// )?;
/// let reply = Reply::from(IosRefund::refuse("used up", "delivered on 28 November, all 60 coins spent"));
/// assert_eq!(
///     reply.write(&query, 1764400000).body,
///     "<xml><result_code>1</result_code><result_info><![CDATA[used up]]></result_info>\
///      <evidence><![CDATA[delivered on 28 November, all 60 coins spent]]></evidence></xml>"
/// );
/// # Ok::<(), wechat_events::ParseError>(())
/// ```
///
/// All three stand directly below the root, as in WeChat's table and on its page for cloud functions. Some sources put
/// them in `IosRefundQueryResponse`, beside `ErrCode` and `ErrMsg`: if that is what works, write it with
/// [`Reply::raw`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IosRefund {
    /// 0: refund. 1: do not.
    pub result_code: i64,
    /// The same in words.
    pub result_info: String,
    /// The reason. Must not be empty.
    pub evidence: String,
}

impl IosRefund {
    /// Apple should refund.
    pub fn agree(result_info: impl Into<String>, evidence: impl Into<String>) -> IosRefund {
        IosRefund { result_code: 0, result_info: result_info.into(), evidence: evidence.into() }
    }

    /// Apple should not refund.
    pub fn refuse(result_info: impl Into<String>, evidence: impl Into<String>) -> IosRefund {
        IosRefund { result_code: 1, result_info: result_info.into(), evidence: evidence.into() }
    }
}

/// A body of your own; made by [`Reply::raw`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Raw {
    /// The bytes.
    pub body: String,
}

replies!(Code IosRefund Raw);

impl Reply {
    /// A code: 0 for done, any other to make WeChat push again.
    ///
    /// In answer to virtual payments and mini games, in the push's format: see [`Event::takes`](crate::Event::takes).
    /// `Reply::Success` is code 0 for them. WeChat waits 3 s for it, and repeats the push for hours: answer 0 only when
    /// the delivery of the goods is safely stored, and then to every repetition.
    ///
    /// ```
    /// use wechat_events::{Reply, parse_event};
    ///
    /// let paid = parse_event(b"<xml><MsgType>event</MsgType><Event>xpay_goods_deliver_notify</Event></xml>")?;
    /// let body = |reply: Reply| reply.write(&paid, 1764400000).body;
    /// assert_eq!(
    ///     body(Reply::code(-1, "no such order")),
    ///     "<xml><ErrCode>-1</ErrCode><ErrMsg><![CDATA[no such order]]></ErrMsg></xml>"
    /// );
    /// assert_eq!(body(Reply::Success), "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>");
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn code(err_code: i64, err_msg: impl Into<String>) -> Reply {
        Reply::Code(Code { err_code, err_msg: err_msg.into() })
    }

    /// A body that is written unchanged, in answer to any push: for what this crate does not know.
    ///
    /// Examples are the console's `debug_demo`, which expects `<xml><demo_resp>…`, and pushes that carriers and
    /// delivery services answer. In a mode that encrypts it is encrypted, unless it is `success` or empty.
    ///
    /// Nothing is checked. A body that WeChat does not expect shows its error message to the user and raises an alarm
    /// for the account's owner; XML in answer to JSON is not read; a user's words must be escaped, or they become
    /// markup; and with ToUserName and FromUserName confused it reaches nobody.
    ///
    /// ```
    /// use wechat_events::{Reply, parse_event};
    ///
    /// let demo = parse_event(b"<xml><MsgType>event</MsgType><Event>debug_demo</Event></xml>")?;
    /// let reply = Reply::raw("<xml><demo_resp><![CDATA[good luck]]></demo_resp></xml>");
    /// assert_eq!(reply.write(&demo, 0).body, "<xml><demo_resp><![CDATA[good luck]]></demo_resp></xml>");
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn raw(body: impl Into<String>) -> Reply {
        Reply::Raw(Raw { body: body.into() })
    }
}
