//! Mini programs: content, live rooms, parcels, quotas. Trade has its own module, `trade`.

use crate::text::Str;

use super::record::{names, record};

record! {
    /// The mini program was warned or penalised.
    ///
    /// It broke one of WeChat's rules.
    #[doc(alias("处罚", "违规"))]
    pub struct WxaPunishEvent<'a> = "wxa_punish_event" in punishments => Success {
        /// The penalty.
        ///
        /// `1` warned; `2` a function is disabled; `3` taken down; `4` the account is closed; `5` or `10` a page is
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
        /// The URL of the rule.
        pub rule_url: Option<Str<'a>> = "rule_url",
        /// The URL of the guide to correction and appeal.
        pub adjust_guide_url: Option<Str<'a>> = "adjust_guide_url",
        /// What is closed and for how long: JSON in a text, with a format for each `event_type`.
        pub detail: Option<Str<'a>> = "detail",
    }
}

record! {
    /// A picture or an audio file was checked.
    ///
    /// The mini program had sent it to `mediaCheckAsync`, whose answer has the same `trace_id`.
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
        /// Of the first version: `0`, or `-1008` if it could not be fetched.
        pub status_code: Option<i64> = "status_code",
    }
}

record! {
    /// The result of one check of a picture or an audio file.
    pub struct MediaCheckDetail<'a> {
        /// Which check it is, such as `content_model`.
        pub strategy: Option<Str<'a>> = "strategy",
        /// `0` if the check was made; otherwise ignore the other fields.
        pub errcode: Option<i64> = "errcode",
        /// What to do.
        pub suggest: Option<MediaSuggestion<'a>> = "suggest",
        /// What was found; codes as [`WxaMediaCheck::label`].
        pub label: Option<i64> = "label",
        /// The confidence, from 0 to 100.
        pub prob: Option<i64> = "prob",
    }
}

names! {
    /// What to do with a checked picture or audio file.
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
    /// A user gave the mini program a bad rating.
    ///
    /// The mini program may write to the user, once its quota is reset.
    #[doc(alias("差评"))]
    pub struct WxaCommentBadScore<'a> = "wxa_comment_bad_score" in bad_scores => Success {
        /// The comment's id.
        pub comment_id: Option<Str<'a>> = "result/comment_id",
    }
}

record! {
    /// A paid service is running out.
    ///
    /// Most of the quota that the mini program bought is used up, or its time is nearly over.
    #[doc(alias("资源包"))]
    pub struct ChargeServiceQuotaNotify<'a> = "charge_service_quota_notify" in none => Success {
        /// What is running out: `3` the quota; `4` the time.
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
        /// When it expires; not seen in a real push.
        pub validity_end_time: Option<Str<'a>> = "validity_end_time",
    }
}

record! {
    /// A user followed or unfollowed the live rooms.
    ///
    /// WeChat's table shows the fields directly below the root, its sample in `FollowNotify`: both are read.
    #[doc(alias("直播"))]
    pub struct WxaliveFollowNotify<'a> = "wxalive_follow_notify" in live_followers => Success {
        /// The live room.
        pub room_id: Option<Str<'a>> = "FollowNotify/room_id|room_id",
        /// The user.
        pub user_openid: Option<Str<'a>> = "FollowNotify/user_openid|user_openid",
        /// When, in seconds since 1970.
        pub time: Option<i64> = "FollowNotify/time|time",
        /// The state of the room: `101` live; `102` not started; `103` over.
        pub live_status: Option<i64> = "FollowNotify/live_status|live_status",
        /// What the user did.
        pub action: Option<FollowAction<'a>> = "FollowNotify/action|action",
    }
}

names! {
    /// Whether a user followed or unfollowed live rooms.
    pub enum FollowAction {
        /// Followed.
        AddFollow = "add_follow",
        /// Unfollowed.
        DelFollow = "del_follow",
    }
}

record! {
    /// A message about a live room was sent.
    ///
    /// The mini program had sent it to its followers through the API. WeChat's table shows the fields directly below
    /// the root, its sample in `PushMessageApiNotify`: both are read.
    #[doc(alias("直播"))]
    pub struct WxalivePushMessageNotify<'a> = "wxalive_push_message_notify" in none => Success {
        /// The message's id, as returned by the API.
        pub message_id: Option<Str<'a>> = "PushMessageApiNotify/message_id|message_id",
        /// The live room.
        pub room_id: Option<Str<'a>> = "PushMessageApiNotify/room_id|room_id",
        /// Number of receivers.
        pub total_count: Option<i64> = "PushMessageApiNotify/total_count|total_count",
        /// Number of receivers reached.
        pub success_count: Option<i64> = "PushMessageApiNotify/success_count|success_count",
        /// Number of receivers whose OpenID is wrong.
        pub openid_error_count: Option<i64> = "PushMessageApiNotify/openid_error_count|openid_error_count",
        /// Number of receivers who do not follow.
        pub relation_error_count: Option<i64> = "PushMessageApiNotify/relation_error_count|relation_error_count",
        /// Number of receivers who had reached their limit for the day.
        pub user_recv_limit_count: Option<i64> = "PushMessageApiNotify/user_recv_limit_count|user_recv_limit_count",
        /// Number of receivers not reached for another reason.
        pub internal_error_count: Option<i64> = "PushMessageApiNotify/internal_error_count|internal_error_count",
    }
}

record! {
    /// A return shipping insurance claim was decided.
    ///
    /// The mini program had claimed the shipping fee (无忧退货). WeChat's sample has the fields in `upload_event`, its
    /// table directly below the root: both are read.
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
    /// A parcel reached another step.
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
        /// Increases with each push of this parcel.
        pub version: Option<i64> = "Version",
        /// Number of steps.
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
    /// Binding a carrier's account succeeded or failed.
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
    /// Uploading a video of a short drama succeeded or failed.
    ///
    /// WeChat had fetched it from a URL.
    #[doc(alias("短剧"))]
    pub struct SecvodUploadEvent<'a> = "secvod_upload_event" in drama_uploads => Success {
        /// The video's id.
        pub media_id: Option<Str<'a>> = "upload_event/media_id",
        /// The context given at the upload.
        pub source_context: Option<Str<'a>> = "upload_event/source_context",
        /// `0` if it succeeded.
        pub errcode: Option<i64> = "upload_event/errcode",
        /// The error in words.
        pub errmsg: Option<Str<'a>> = "upload_event/errmsg",
    }
}

record! {
    /// A short drama was reviewed.
    ///
    /// The API has the results of each episode.
    #[doc(alias("短剧"))]
    pub struct SecvodAuditEvent<'a> = "secvod_audit_event" in drama_reviews => Success {
        /// The drama's id.
        pub drama_id: Option<Str<'a>> = "audit_event/drama_id",
        /// The outcome; the codes are those of the drama API.
        pub status: Option<i64> = "audit_event/audit_detail/status",
        /// Why it was reviewed: `0` for the first time; `1` again; `2` episodes changed; `3` details changed.
        pub audit_type: Option<i64> = "audit_event/audit_detail/audit_type",
        /// When it was submitted, in seconds since 1970.
        pub create_time: Option<i64> = "audit_event/audit_detail/create_time",
        /// When it was reviewed, in seconds since 1970.
        pub audit_time: Option<i64> = "audit_event/audit_detail/audit_time",
    }
}

record! {
    /// A novel was reviewed.
    ///
    /// The mini program shows novels, and had submitted one.
    #[doc(alias("小说"))]
    pub struct SecbookAuditEvent<'a> = "secbook_audit_event" in none => Success {
        /// The novel's id.
        pub book_id: Option<Str<'a>> = "audit_event/book_id",
        /// The outcome; its codes are not documented.
        pub status: Option<i64> = "audit_event/audit_detail/status",
        /// When it was submitted, in seconds since 1970.
        pub create_time: Option<i64> = "audit_event/audit_detail/create_time",
        /// When it was reviewed, in seconds since 1970.
        pub audit_time: Option<i64> = "audit_event/audit_detail/audit_time",
    }
}
