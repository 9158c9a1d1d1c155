//! Results of template messages, mass messages, publishing and notifications.

use crate::text::Str;

use super::record::{names, record};

record! {
    /// A template message was delivered or failed.
    ///
    /// WeChat has finished sending one template message; [`from_user`](crate::Event::from_user) is its receiver.
    #[doc(alias("模板消息"))]
    pub struct TemplateSendJobFinish<'a> = "template_send_job_finish" in templates => Success {
        /// The template message's id, as returned when it was sent.
        pub msg_id: Option<Str<'a>> = "MsgID",
        /// How the delivery ended.
        pub status: Option<TemplateStatus<'a>> = "Status",
    }
}

names! {
    /// How the delivery of a template message ended.
    pub enum TemplateStatus {
        /// Delivered.
        Success = "success",
        /// The receiver refuses the account's messages.
        UserBlock = "failed:user block",
        /// It failed for another reason.
        SystemFailed = "failed: system failed",
        /// Held back by a rate limit; seen, not documented.
        FreqLimit = "failed:freq limit",
    }
}

record! {
    /// A mass message was sent or failed.
    ///
    /// WeChat has finished a mass-send job, started through the API or by hand in the console. Its sender is WeChat's
    /// own, `mphelper`.
    #[doc(alias("群发"))]
    pub struct MassSendJobFinish<'a> = "mass_send_job_finish" in mass_messages => Success {
        /// The mass message's id.
        pub msg_id: Option<Str<'a>> = "MsgID",
        /// How the job ended.
        pub status: Option<MassSendStatus<'a>> = "Status",
        /// Number of users that the message was addressed to.
        pub total_count: Option<u32> = "TotalCount",
        /// Number of users left after filtering; about SentCount plus ErrorCount.
        pub filter_count: Option<u32> = "FilterCount",
        /// Number of users who received it.
        pub sent_count: Option<u32> = "SentCount",
        /// Number of users whom it did not reach.
        pub error_count: Option<u32> = "ErrorCount",
        /// Number of articles in the originality check.
        pub copyright_check_result_count: Option<u32> = "CopyrightCheckResult/Count",
        /// Results of the check, one for each article.
        pub copyright_check_result: Vec<CopyrightCheck<'a>> = "CopyrightCheckResult/ResultList/item",
        /// Overall result of the check.
        ///
        /// `1` not a reprint, may be sent; `2` a reprint, may be sent; `3` a reprint, may not be sent. `0` was seen if
        /// nothing was checked.
        pub check_state: Option<i64> = "CopyrightCheckResult/CheckState",
        /// How many articles were sent.
        pub article_url_result_count: Option<u32> = "ArticleUrlResult/Count",
        /// Their addresses, one entry for each article.
        pub article_url_result: Vec<SentArticle<'a>> = "ArticleUrlResult/ResultList/item",
    }
}

record! {
    /// What the originality check found about one article of a mass message.
    pub struct CopyrightCheck<'a> {
        /// Which article, from 1.
        pub article_idx: Option<u32> = "ArticleIdx",
        /// What the account declared about the article; the codes are not documented.
        pub user_declare_state: Option<i64> = "UserDeclareState",
        /// What WeChat found about the article; the codes are not documented.
        pub audit_state: Option<i64> = "AuditState",
        /// The similar original article's address.
        pub original_article_url: Option<Str<'a>> = "OriginalArticleUrl",
        /// The kind of the similar original article; the codes are not documented.
        pub original_article_type: Option<i64> = "OriginalArticleType",
        /// Whether it may be reprinted.
        pub can_reprint: Option<bool> = "CanReprint",
        /// Whether the original's content must replace it.
        pub need_replace_content: Option<bool> = "NeedReplaceContent",
        /// Whether the source must be named.
        pub need_show_reprint_source: Option<bool> = "NeedShowReprintSource",
    }
}

record! {
    /// One article of a mass message.
    pub struct SentArticle<'a> {
        /// Which article, from 1.
        pub article_idx: Option<u32> = "ArticleIdx",
        /// The article's address.
        pub article_url: Option<Str<'a>> = "ArticleUrl",
    }
}

names! {
    /// How a mass-send job ended.
    pub enum MassSendStatus {
        /// Sent; it may have failed for some receivers.
        SendSuccess = "send success",
        /// Not sent.
        SendFail = "send fail",
        /// Rejected as advertising.
        Advertising = "err(10001)",
        /// Rejected as politics.
        Politics = "err(20001)",
        /// Rejected as pornography.
        Pornography = "err(20002)",
        /// Rejected for its social effect.
        Society = "err(20004)",
        /// Rejected as unlawful.
        Unlawful = "err(20006)",
        /// Rejected as fraud.
        Fraud = "err(20008)",
        /// Rejected for its copyright.
        Copyright = "err(20013)",
        /// Rejected for another reason.
        OtherReason = "err(21000)",
        /// Rejected as accounts that promote one another.
        MutualPromotion = "err(22000)",
        /// The originality check failed, and reprints were not to be sent.
        CheckFailed = "err(30001)",
        /// The originality check forbids it.
        CheckForbids = "err(30002)",
        /// Judged a reprint, and reprints were not to be sent.
        Reprint = "err(30003)",
        /// An administrator refused.
        Refused = "err(40001)",
        /// No administrator answered within 30 minutes.
        Unconfirmed = "err(40002)",
    }
}

record! {
    /// A publishing job succeeded or failed.
    ///
    /// WeChat has finished publishing a draft that was submitted through the API.
    #[doc(alias("发布"))]
    pub struct PublishJobFinish<'a> = "publish_job_finish" in publishing => Success {
        /// The publishing job's id.
        pub publish_id: Option<Str<'a>> = "PublishEventInfo/publish_id",
        /// The outcome.
        ///
        /// `0` published; `1` in progress; `2` originality check failed; `3` ordinary failure; `4` rejected by
        /// review; `5` published, then all articles deleted by the account; `6` published, then all articles blocked
        /// by WeChat.
        pub publish_status: Option<i64> = "PublishEventInfo/publish_status",
        /// The published post's id, on success.
        pub article_id: Option<Str<'a>> = "PublishEventInfo/article_id",
        /// How many articles it has.
        pub count: Option<u32> = "PublishEventInfo/article_detail/count",
        /// The articles.
        pub article_detail: Vec<PublishedArticle<'a>> = "PublishEventInfo/article_detail/item",
        /// Which articles failed, from 1.
        pub fail_idx: Vec<u32> = "PublishEventInfo/fail_idx",
    }
}

record! {
    /// One published article.
    pub struct PublishedArticle<'a> {
        /// Which article, from 1.
        pub idx: Option<u32> = "idx",
        /// Its permanent address.
        pub article_url: Option<Str<'a>> = "article_url",
    }
}

record! {
    /// A user answered a request for notifications.
    ///
    /// The user answered the pop-up in which a page or an article asks to send subscription notifications. In
    /// JSON, `List` is directly below the root.
    #[doc(alias("订阅通知", "订阅消息"))]
    pub struct SubscribeMsgPopupEvent<'a> = "subscribe_msg_popup_event" in subscriptions => Success {
        /// One entry for each template.
        pub list: Vec<SubscribeMsgPopup<'a>> = "SubscribeMsgPopupEvent/List|List",
    }
}

record! {
    /// What the user answered for one template.
    pub struct SubscribeMsgPopup<'a> {
        /// The template's id.
        pub template_id: Option<Str<'a>> = "TemplateId",
        /// The answer for this template.
        pub subscribe_status_string: Option<SubscribeStatus<'a>> = "SubscribeStatusString",
        /// Where the pop-up was shown: `1` a web page; `2` an article.
        pub popup_scene: Option<i64> = "PopupScene",
    }
}

names! {
    /// Whether a user accepts notifications of a template.
    pub enum SubscribeStatus {
        /// Accepted.
        Accept = "accept",
        /// Refused.
        Reject = "reject",
    }
}

record! {
    /// A user changed the permitted notifications.
    ///
    /// The user manages subscriptions on the service-notification page; only refusals are pushed. Older pushes name the
    /// outer element `SubscribeMsgPopupEvent`; in JSON, `List` is directly below the root.
    #[doc(alias("订阅通知", "订阅消息"))]
    pub struct SubscribeMsgChangeEvent<'a> = "subscribe_msg_change_event" in subscriptions => Success {
        /// One entry for each template.
        pub list: Vec<SubscribeMsgChange<'a>> = "SubscribeMsgChangeEvent/List|SubscribeMsgPopupEvent/List|List",
    }
}

record! {
    /// What the user changed for one template.
    pub struct SubscribeMsgChange<'a> {
        /// The template's id.
        pub template_id: Option<Str<'a>> = "TemplateId",
        /// The new choice for this template.
        pub subscribe_status_string: Option<SubscribeStatus<'a>> = "SubscribeStatusString",
    }
}

record! {
    /// A subscription notification was sent or failed.
    ///
    /// WeChat has finished sending a subscription notification; [`from_user`](crate::Event::from_user) is its
    /// receiver. In JSON, `List` is directly below the root.
    #[doc(alias("订阅通知", "订阅消息"))]
    pub struct SubscribeMsgSentEvent<'a> = "subscribe_msg_sent_event" in subscriptions => Success {
        /// One entry for each template.
        pub list: Vec<SubscribeMsgSent<'a>> = "SubscribeMsgSentEvent/List|List",
    }
}

record! {
    /// The result of sending a notification of one template.
    pub struct SubscribeMsgSent<'a> {
        /// The template's id.
        pub template_id: Option<Str<'a>> = "TemplateId",
        /// The notification's id.
        pub msg_id: Option<Str<'a>> = "MsgID",
        /// `0` when delivered, else WeChat's error number, such as 43101: refused by the user.
        pub error_code: Option<i64> = "ErrorCode",
        /// The error in words; `success` when delivered.
        pub error_status: Option<Str<'a>> = "ErrorStatus",
    }
}
