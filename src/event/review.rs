//! Reviews of mini programs, as reported to the third-party platform that runs them.
//!
//! Unlike those in `platform`, these are events of the mini program: `to_user` is its id, and the platform decrypts
//! them with its own key.

use crate::text::Str;

use super::record::record;

record! {
    /// The authorization of a trial mini program succeeded or failed.
    ///
    /// A user has decided whether the trial mini program is created and authorizes the platform.
    #[doc(alias("试用小程序"))]
    pub struct BetaappAuthorizationApplyEvent<'a> = "betaapp_authorization_apply_event" in none => Success {
        /// The user's or platform's AppID, as the push has it.
        pub appid: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/appid",
        /// The trial mini program's AppID.
        pub mp_appid: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/mp_appid",
        /// When it was decided, in seconds since 1970 where it is a number.
        pub operation_time: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/operation_time",
        /// The outcome; its codes are not documented.
        pub status: Option<i64> = "ApplyAuthorizationInfoNoitfy/status",
        /// The outcome in words.
        pub msg: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/msg",
        /// The ticket to go on with.
        pub ticket: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/ticket",
    }
}

record! {
    /// A request to turn a trial mini program into a full one was made.
    ///
    /// The request for verification was submitted.
    #[doc(alias("试用小程序转正"))]
    pub struct BetaappVerifyApplyEvent<'a> = "betaapp_verify_apply_event" in none => Success {
        /// The user's or platform's AppID, as the push has it.
        pub appid: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/appid",
        /// The trial mini program's AppID.
        pub mp_appid: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/mp_appid",
        /// When it was asked for, in seconds since 1970 where it is a number.
        pub operation_time: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/operation_time",
        /// The outcome; its codes are not documented.
        pub status: Option<i64> = "ApplyAuthorizationInfoNoitfy/status",
        /// The outcome in words.
        pub msg: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/msg",
    }
}

record! {
    /// Turning a trial mini program into a full one succeeded or failed.
    ///
    /// The verification is over.
    #[doc(alias("试用小程序转正"))]
    pub struct BetaappVerifyEvent<'a> = "betaapp_verify_event" in none => Success {
        /// The user's or platform's AppID, as the push has it.
        pub appid: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/appid",
        /// The mini program's AppID.
        pub mp_appid: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/mp_appid",
        /// When it was over, in seconds since 1970 where it is a number.
        pub operation_time: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/operation_time",
        /// The outcome; its codes are not documented.
        pub status: Option<i64> = "ApplyAuthorizationInfoNoitfy/status",
        /// The outcome in words.
        pub msg: Option<Str<'a>> = "ApplyAuthorizationInfoNoitfy/msg",
    }
}

record! {
    /// A version of a mini program passed review.
    ///
    /// It can be released now.
    #[doc(alias("代码审核", "审核通过"))]
    pub struct WeappAuditSuccess<'a> = "weapp_audit_success" in code_reviews => Success {
        /// When it passed, in seconds since 1970.
        pub succ_time: Option<i64> = "SuccTime",
    }
}

record! {
    /// A version of a mini program failed review.
    ///
    /// It has to be changed and submitted again.
    #[doc(alias("代码审核", "审核不通过"))]
    pub struct WeappAuditFail<'a> = "weapp_audit_fail" in code_reviews => Success {
        /// When it failed, in seconds since 1970.
        pub fail_time: Option<i64> = "FailTime",
        /// Why it failed; holds `<br>`.
        pub reason: Option<Str<'a>> = "Reason",
        /// Pictures of what is wrong: media ids, separated by `|`.
        pub screen_shot: Option<Str<'a>> = "ScreenShot",
    }
}

record! {
    /// The review of a version of a mini program takes longer.
    ///
    /// Nothing has to be done.
    #[doc(alias("代码审核", "审核延后"))]
    pub struct WeappAuditDelay<'a> = "weapp_audit_delay" in code_reviews => Success {
        /// When that was decided, in seconds since 1970.
        pub delay_time: Option<i64> = "DelayTime",
        /// Why it takes longer.
        pub reason: Option<Str<'a>> = "Reason",
    }
}

record! {
    /// A category of a mini program was approved or rejected.
    ///
    /// The platform had added it.
    #[doc(alias("类目审核"))]
    pub struct WxaCategoryAudit<'a> = "wxa_category_audit" in categories => Success {
        /// The category's id.
        pub first: Option<i64> = "first",
        /// The id of the category within it.
        pub second: Option<i64> = "second",
        /// The outcome: `2` rejected; `3` approved.
        pub ret: Option<i64> = "ret",
        /// Why it was rejected.
        pub reason: Option<Str<'a>> = "reason",
    }
}

record! {
    /// A mini program broke a rule.
    ///
    /// The same record is to be had from the API, by its id.
    #[doc(alias("违规记录"))]
    pub struct WxaIllegalRecord<'a> = "wxa_illegal_record" in none => Success {
        /// The record's id.
        pub illegal_record_id: Option<Str<'a>> = "illegal_record_id",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// When it was punished, in seconds since 1970.
        pub create_time: Option<i64> = "create_time",
        /// What it did.
        pub illegal_reason: Option<Str<'a>> = "illegal_reason",
        /// Where it did so.
        pub illegal_content: Option<Str<'a>> = "illegal_content",
        /// The URL of the rule.
        pub rule_url: Option<Str<'a>> = "rule_url",
        /// The rule's name.
        pub rule_name: Option<Str<'a>> = "rule_name",
    }
}

record! {
    /// An appeal against a punishment was made or decided.
    ///
    /// Comes when the mini program appeals, and at each step of its review.
    #[doc(alias("申诉"))]
    pub struct WxaAppealRecord<'a> = "wxa_appeal_record" in appeals => Success {
        /// The appeal's id.
        pub appeal_record_id: Option<Str<'a>> = "appeal_record_id",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// When the appeal was made, in seconds since 1970.
        pub appeal_time: Option<i64> = "appeal_time",
        /// How many appeals there were.
        pub appeal_count: Option<i64> = "appeal_count",
        /// Who made it: `0` the user; `1` the platform.
        pub appeal_from: Option<i64> = "appeal_from",
        /// The outcome: `1` in review; `2` granted; `3` refused; `4` withdrawn.
        pub appeal_status: Option<i64> = "appeal_status",
        /// When it was decided, in seconds since 1970.
        pub audit_time: Option<i64> = "audit_time",
        /// Why it was decided so.
        pub audit_reason: Option<Str<'a>> = "audit_reason",
        /// What the punishment is for.
        pub punish_description: Option<Str<'a>> = "punish_description",
        /// What is at issue, piece by piece.
        pub material: Vec<AppealMaterial<'a>> = "material",
    }
}

record! {
    /// One thing that was punished, and what is said against it.
    pub struct AppealMaterial<'a> {
        /// What broke the rule.
        pub content: Option<Str<'a>> = "illegal_material/content",
        /// The URL of that content.
        pub content_url: Option<Str<'a>> = "illegal_material/content_url",
        /// Why the appeal is made.
        pub reason: Option<Str<'a>> = "appeal_material/reason",
        /// Media ids of the proofs.
        pub proof_material_id: Vec<Str<'a>> = "appeal_material/proof_material_id",
    }
}

record! {
    /// The use of a private interface was granted or refused.
    ///
    /// The platform had applied for it, as for `wx.chooseAddress`. A rejected review gives a reason.
    #[doc(alias("隐私接口"))]
    pub struct WxaPrivacyApply<'a> = "wxa_privacy_apply" in privacy => Success {
        /// The interface's name, such as `wx.chooseAddress`.
        pub api_name: Option<Str<'a>> = "result_info/api_name",
        /// When it was applied for, in seconds since 1970.
        pub apply_time: Option<i64> = "result_info/apply_time",
        /// The review's id.
        pub audit_id: Option<Str<'a>> = "result_info/audit_id",
        /// When it was decided, in seconds since 1970.
        pub audit_time: Option<i64> = "result_info/audit_time",
        /// Why it was refused; in JSON, an empty object where it was granted.
        pub reason: Option<Str<'a>> = "result_info/reason",
        /// The outcome: `2` refused; `3` granted.
        pub status: Option<i64> = "result_info/status",
    }
}
