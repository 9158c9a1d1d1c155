//! Answers to WeChat itself: a code, an opinion, or whatever stands on a page that this crate does not know.

use super::{Reply, replies};

/// A code: what became of a push that demands to know; made by [`Reply::code`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Code {
    /// 0: done. Any other: WeChat pushes again.
    pub err_code: i64,
    /// The same in words.
    pub err_msg: String,
}

/// What Apple is told about a refund that a user asks for.
///
/// In answer to `xpay_subscribe_ios_refund_query_notify` alone. [`Reply::Success`] is no opinion: Apple asks three times in
/// all, and in the end decides by itself.
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
/// The three stand at the top, as in WeChat's table and on its page for cloud functions. Some sources put them in
/// `IosRefundQueryResponse`, beside `ErrCode` and `ErrMsg`: write that with [`Reply::raw`] where it is what works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IosRefund {
    /// 0: pay back. 1: do not.
    pub result_code: i64,
    /// The same in words.
    pub result_info: String,
    /// Why; not to be empty.
    pub evidence: String,
}

impl IosRefund {
    /// Apple should pay back.
    pub fn agree(result_info: impl Into<String>, evidence: impl Into<String>) -> IosRefund {
        IosRefund { result_code: 0, result_info: result_info.into(), evidence: evidence.into() }
    }

    /// Apple should not pay back.
    pub fn refuse(result_info: impl Into<String>, evidence: impl Into<String>) -> IosRefund {
        IosRefund { result_code: 1, result_info: result_info.into(), evidence: evidence.into() }
    }
}

/// A body of one's own; made by [`Reply::raw`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Raw {
    /// The bytes.
    pub body: String,
}

replies!(Code IosRefund Raw);

impl Reply {
    /// A code: 0 for done, any other to have WeChat push again.
    ///
    /// In answer to virtual payments and mini games, in the push's form: see
    /// [`Event::takes`](crate::Event::takes). `Reply::Success` is code 0 to them. WeChat waits 3 s for it, and repeats for
    /// hours: answer 0 only when the goods are safely in the books, and then to every repetition.
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

    /// A body that is written as it is, in answer to any push: for what this crate does not know.
    ///
    /// Such as the console's `debug_demo`, which wants `<xml><demo_resp>…`, and the pushes that carriers and delivery
    /// firms answer. It is sealed where the mode seals, unless it is `success` or empty.
    ///
    /// Nothing is checked. What WeChat does not expect shows its fault line to the user and raises an alarm at the
    /// account's owner; XML in answer to JSON is not read; a user's words in it must be escaped, or they become markup;
    /// and names turned the wrong way round go to nobody.
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
