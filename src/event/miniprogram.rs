//! Mini programs: content, live rooms, parcels, quotas. What concerns money stands in `trade`.

use crate::text::Str;

use super::record::{names, record};

record! {
    /// The mini program is warned or punished.
    ///
    /// It broke a rule of WeChat's.
    #[doc(alias("处罚", "违规"))]
    pub struct WxaPunishEvent<'a> = "wxa_punish_event" in punishments => Success {
        /// What happens to it.
        ///
        /// `1` warned; `2` a function is taken away; `3` taken down; `4` the account is closed; `5` or `10` a page is
        /// closed.
        pub event_type: Option<i64> = "event_type",
        /// The punishment's id.
        pub punish_id: Option<Str<'a>> = "punish_id",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// When it was punished, in seconds since 1970.
        pub punish_time: Option<i64> = "punish_time",
        /// What it did.
        pub illegal_reason: Option<Str<'a>> = "illegal_reason",
        /// Where it did so; the official sample in JSON has an array.
        pub illegal_content: Vec<Str<'a>> = "illegal_content",
        /// The rule's name.
        pub rule_name: Option<Str<'a>> = "rule_name",
        /// Where the rule stands.
        pub rule_url: Option<Str<'a>> = "rule_url",
        /// Where it says how to mend it, or to appeal.
        pub adjust_guide_url: Option<Str<'a>> = "adjust_guide_url",
        /// What is closed and for how long: JSON in a text, another one for each `event_type`.
        pub detail: Option<Str<'a>> = "detail",
    }
}

record! {
    /// A picture or a sound was checked.
    ///
    /// The mini program had sent it to `mediaCheckAsync`, whose answer holds the same `trace_id`.
    #[doc(alias("内容安全"))]
    pub struct WxaMediaCheck<'a> = "wxa_media_check" in media_checks => Success {
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The check's id.
        pub trace_id: Option<Str<'a>> = "trace_id",
        /// The check's version: `2` today.
        pub version: Option<i64> = "version",
        /// What to do.
        pub suggest: Option<MediaSuggestion<'a>> = "result/suggest",
        /// What was found.
        ///
        /// `100` nothing; `10001` advertising; `20001` politics; `20002` pornography; `20003` insults; `20006` crime;
        /// `20008` fraud; `20012` vulgarity; `20013` copyright; `21000` other.
        pub label: Option<i64> = "result/label",
        /// What each of the checks found.
        pub detail: Vec<MediaCheckDetail<'a>> = "detail",
        /// Of the first version: `1` at risk; `0` not.
        pub isrisky: Option<i64> = "isrisky",
        /// Of the first version: more, as JSON in a text.
        pub extra_info_json: Option<Str<'a>> = "extra_info_json",
        /// Of the first version: `0`, or `-1008` where it could not be fetched.
        pub status_code: Option<i64> = "status_code",
    }
}

record! {
    /// What one check of a picture or a sound found.
    pub struct MediaCheckDetail<'a> {
        /// Which check it is, such as `content_model`.
        pub strategy: Option<Str<'a>> = "strategy",
        /// `0` where the check was made; else the others mean nothing.
        pub errcode: Option<i64> = "errcode",
        /// What to do.
        pub suggest: Option<MediaSuggestion<'a>> = "suggest",
        /// What was found; codes as [`WxaMediaCheck::label`].
        pub label: Option<i64> = "label",
        /// How sure it is, from 0 to 100.
        pub prob: Option<i64> = "prob",
    }
}

names! {
    /// What to do with a picture or a sound that was checked.
    pub enum MediaSuggestion {
        /// Nothing was found.
        Pass = "pass",
        /// A human should look at it.
        Review = "review",
        /// It should not be shown.
        Risky = "risky",
    }
}

record! {
    /// A user gave the mini program a bad mark.
    ///
    /// The mini program may write to the user, once its quota is reset.
    #[doc(alias("差评"))]
    pub struct WxaCommentBadScore<'a> = "wxa_comment_bad_score" in bad_scores => Success {
        /// The comment's id.
        pub comment_id: Option<Str<'a>> = "result/comment_id",
    }
}

record! {
    /// A paid service runs out.
    ///
    /// Of what the mini program bought, most is used up or the time is nearly over.
    #[doc(alias("资源包"))]
    pub struct ChargeServiceQuotaNotify<'a> = "charge_service_quota_notify" in none => Success {
        /// What runs out: `3` the number; `4` the time.
        pub event_type: Option<i64> = "event_type",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The service's id.
        pub spu_id: Option<i64> = "spu_id",
        /// The service's name.
        pub spu_name: Option<Str<'a>> = "spu_name",
        /// How much was bought.
        pub total_quota: Option<i64> = "total_quota",
        /// How much of it is used.
        pub total_used_quota: Option<i64> = "total_used_quota",
        /// When the time is over; no real push with it was seen.
        pub validity_end_time: Option<Str<'a>> = "validity_end_time",
    }
}

record! {
    /// A user follows the live rooms, or no longer.
    ///
    /// WeChat's table shows the fields at the top, its sample in `FollowNotify`: both are read.
    #[doc(alias("直播"))]
    pub struct WxaliveFollowNotify<'a> = "wxalive_follow_notify" in live_followers => Success {
        /// The live room.
        pub room_id: Option<Str<'a>> = "FollowNotify/room_id|room_id",
        /// The user.
        pub user_openid: Option<Str<'a>> = "FollowNotify/user_openid|user_openid",
        /// When, in seconds since 1970.
        pub time: Option<i64> = "FollowNotify/time|time",
        /// What the room did then: `101` live; `102` not begun; `103` over.
        pub live_status: Option<i64> = "FollowNotify/live_status|live_status",
        /// What the user did.
        pub action: Option<FollowAction<'a>> = "FollowNotify/action|action",
    }
}

names! {
    /// What a user did about a live room's news.
    pub enum FollowAction {
        /// Follows it now.
        AddFollow = "add_follow",
        /// Follows it no longer.
        DelFollow = "del_follow",
    }
}

record! {
    /// The news of a live room was sent.
    ///
    /// The mini program had sent it to its followers through the API. WeChat's table shows the fields at the top, its
    /// sample in `PushMessageApiNotify`: both are read.
    #[doc(alias("直播"))]
    pub struct WxalivePushMessageNotify<'a> = "wxalive_push_message_notify" in none => Success {
        /// The sending's id, as the API gave it.
        pub message_id: Option<Str<'a>> = "PushMessageApiNotify/message_id|message_id",
        /// The live room.
        pub room_id: Option<Str<'a>> = "PushMessageApiNotify/room_id|room_id",
        /// Receivers asked for.
        pub total_count: Option<i64> = "PushMessageApiNotify/total_count|total_count",
        /// Receivers reached.
        pub success_count: Option<i64> = "PushMessageApiNotify/success_count|success_count",
        /// Receivers whose OpenID is wrong.
        pub openid_error_count: Option<i64> = "PushMessageApiNotify/openid_error_count|openid_error_count",
        /// Receivers who do not follow.
        pub relation_error_count: Option<i64> = "PushMessageApiNotify/relation_error_count|relation_error_count",
        /// Receivers who had enough of it that day.
        pub user_recv_limit_count: Option<i64> = "PushMessageApiNotify/user_recv_limit_count|user_recv_limit_count",
        /// Receivers not reached for another reason.
        pub internal_error_count: Option<i64> = "PushMessageApiNotify/internal_error_count|internal_error_count",
    }
}

record! {
    /// A claim on the insurance of a return was decided.
    ///
    /// The mini program had claimed the postage (无忧退货). WeChat's sample has the fields in `upload_event`, its table at
    /// the top: both are read.
    #[doc(alias("无忧退货", "运费险"))]
    pub struct WxainsuranceClaimResult<'a> = "wxainsurance_claim_result" in claims => Success {
        /// The payment's number.
        pub order_no: Option<Str<'a>> = "OrderNo|upload_event/OrderNo",
        /// The outcome: `5` paid; `6` failed.
        pub status: Option<i64> = "Status|upload_event/Status",
        /// When, in seconds since 1970.
        pub finish_time: Option<i64> = "FinishTime|upload_event/FinishTime",
        /// Why it failed.
        pub pay_fail_reason: Option<Str<'a>> = "PayFailReason|upload_event/PayFailReason",
    }
}

record! {
    /// A parcel moved on.
    ///
    /// The mini program sends its parcels through WeChat (物流助手).
    #[doc(alias("物流轨迹", "运单"))]
    pub struct AddExpressPath<'a> = "add_express_path" in parcels => Success {
        /// The carrier's id, such as `SF`.
        pub delivery_id: Option<Str<'a>> = "DeliveryID",
        /// The parcel's number.
        pub way_bill_id: Option<Str<'a>> = "WayBillId",
        /// The order's number.
        pub order_id: Option<Str<'a>> = "OrderId",
        /// Grows with each push of this parcel.
        pub version: Option<i64> = "Version",
        /// How many steps there are.
        pub count: Option<i64> = "Count",
        /// The steps.
        pub actions: Vec<ExpressAction<'a>> = "Actions",
    }
}

record! {
    /// One step of a parcel.
    pub struct ExpressAction<'a> {
        /// When, in seconds since 1970.
        pub action_time: Option<i64> = "ActionTime",
        /// What happened.
        ///
        /// `100001` collected; `100002` not collected; `100003` somebody is to collect it; `200001` on its way;
        /// `300002` out for delivery; `300003` delivered; `300004` not delivered; `400001` cancelled; `400002` held up.
        pub action_type: Option<i64> = "ActionType",
        /// The same in words.
        pub action_msg: Option<Str<'a>> = "ActionMsg",
    }
}

record! {
    /// A carrier's account was bound, or was not.
    ///
    /// The carrier has decided on the account that the mini program asked to bind.
    #[doc(alias("物流"))]
    pub struct UpdateBusinessBindResult<'a> = "update_business_bind_result" in none => Success {
        /// The carrier's id.
        pub delivery_id: Option<Str<'a>> = "delivery_id",
        /// The account's id with the carrier.
        pub biz_id: Option<Str<'a>> = "biz_id",
    }
}

record! {
    /// A video of a short drama was uploaded, or was not.
    ///
    /// WeChat had fetched it from an address.
    #[doc(alias("短剧"))]
    pub struct SecvodUploadEvent<'a> = "secvod_upload_event" in drama_uploads => Success {
        /// The video's id.
        pub media_id: Option<Str<'a>> = "upload_event/media_id",
        /// What was given at the upload.
        pub source_context: Option<Str<'a>> = "upload_event/source_context",
        /// `0` where it succeeded.
        pub errcode: Option<i64> = "upload_event/errcode",
        /// The error in words.
        pub errmsg: Option<Str<'a>> = "upload_event/errmsg",
    }
}

record! {
    /// A short drama was reviewed.
    ///
    /// What was found of each episode is to be had from the API.
    #[doc(alias("短剧"))]
    pub struct SecvodAuditEvent<'a> = "secvod_audit_event" in drama_reviews => Success {
        /// The drama's id.
        pub drama_id: Option<Str<'a>> = "audit_event/drama_id",
        /// The outcome; codes as the API gives them for a drama.
        pub status: Option<i64> = "audit_event/audit_detail/status",
        /// Why it was reviewed: `0` first; `1` again; `2` other episodes; `3` other particulars.
        pub audit_type: Option<i64> = "audit_event/audit_detail/audit_type",
        /// When it was handed in, in seconds since 1970.
        pub create_time: Option<i64> = "audit_event/audit_detail/create_time",
        /// When it was reviewed, in seconds since 1970.
        pub audit_time: Option<i64> = "audit_event/audit_detail/audit_time",
    }
}

record! {
    /// A novel was reviewed.
    ///
    /// The mini program shows novels and had handed one in.
    #[doc(alias("小说"))]
    pub struct SecbookAuditEvent<'a> = "secbook_audit_event" in none => Success {
        /// The novel's id.
        pub book_id: Option<Str<'a>> = "audit_event/book_id",
        /// The outcome; its codes are not documented.
        pub status: Option<i64> = "audit_event/audit_detail/status",
        /// When it was handed in, in seconds since 1970.
        pub create_time: Option<i64> = "audit_event/audit_detail/create_time",
        /// When it was reviewed, in seconds since 1970.
        pub audit_time: Option<i64> = "audit_event/audit_detail/audit_time",
    }
}
