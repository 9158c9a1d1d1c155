//! Third-party platform: events of the accounts that authorized it.
//!
//! `InfoType` names the kind of these pushes. They have no user and no account: `to_user` and `from_user`
//! of the [`Event`](crate::Event) are empty, and they take no reply.

use crate::text::Str;

use super::record::record;

record! {
    /// The platform's verification ticket.
    ///
    /// Pushed every ten minutes once the platform is approved; the newest one is needed for the platform's token.
    #[doc(alias("第三方平台", "验证票据"))]
    pub struct ComponentVerifyTicket<'a> = "component_verify_ticket" in tickets => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The ticket; valid for twelve hours.
        pub component_verify_ticket: Str<'a> = "ComponentVerifyTicket",
    }
}

record! {
    /// An account authorized the platform.
    ///
    /// The administrator of an account or mini program grants the platform permissions.
    #[doc(alias("第三方平台", "授权成功"))]
    pub struct Authorized<'a> = "authorized" in grants => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// AppID of the account or mini program.
        pub authorizer_appid: Option<Str<'a>> = "AuthorizerAppid",
        /// The code to exchange for the authorization.
        pub authorization_code: Option<Str<'a>> = "AuthorizationCode",
        /// When the code expires, in seconds: since 1970, or from now (both were seen).
        pub authorization_code_expired_time: Option<i64> = "AuthorizationCodeExpiredTime",
        /// The pre-authorization code that the grant began with.
        pub pre_auth_code: Option<Str<'a>> = "PreAuthCode",
    }
}

record! {
    /// An account withdrew its authorization.
    ///
    /// The administrator takes the authorization back.
    #[doc(alias("第三方平台", "取消授权"))]
    pub struct Unauthorized<'a> = "unauthorized" in grants => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// AppID of the account or mini program.
        pub authorizer_appid: Option<Str<'a>> = "AuthorizerAppid",
    }
}

record! {
    /// An account changed its authorization.
    ///
    /// The administrator authorizes again with other permissions; nothing is pushed when they stay the same.
    #[doc(alias("第三方平台", "更新授权"))]
    pub struct UpdateAuthorized<'a> = "update_authorized" in grants => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// AppID of the account or mini program.
        pub authorizer_appid: Option<Str<'a>> = "AuthorizerAppid",
        /// The code to exchange for the authorization.
        pub authorization_code: Option<Str<'a>> = "AuthorizationCode",
        /// When the code expires, in seconds: since 1970, or from now (both were seen).
        pub authorization_code_expired_time: Option<i64> = "AuthorizationCodeExpiredTime",
        /// The pre-authorization code that the grant began with.
        pub pre_auth_code: Option<Str<'a>> = "PreAuthCode",
    }
}

record! {
    /// Registering a mini program succeeded or failed.
    ///
    /// The platform asked to register it, for a company or for a person.
    #[doc(alias("快速注册小程序"))]
    pub struct NotifyThirdFasteregister<'a> = "notify_third_fasteregister" in registration => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The new mini program's authorization code.
        pub auth_code: Option<Str<'a>> = "auth_code",
        /// The company's name.
        pub name: Option<Str<'a>> = "info/name",
        /// The kind of the company's code.
        ///
        /// `1` unified social credit code (18 digits); `2` organization code (9); `3` business licence number (15).
        pub code_type: Option<i64> = "info/code_type",
        /// The company's code.
        pub code: Option<Str<'a>> = "info/code",
        /// The legal representative's name.
        pub legal_persona_name: Option<Str<'a>> = "info/legal_persona_name",
        /// The legal representative's WeChat id.
        pub legal_persona_wechat: Option<Str<'a>> = "info/legal_persona_wechat",
        /// The person's name, for a personal mini program.
        pub idname: Option<Str<'a>> = "info/idname",
        /// The person's WeChat id, for a personal mini program.
        pub wxuser: Option<Str<'a>> = "info/wxuser",
        /// The platform's telephone number.
        pub component_phone: Option<Str<'a>> = "info/component_phone",
        /// The outcome.
        ///
        /// `0` registered; `-1` company and legal representative do not match; `101` the company is dissolved; `102`
        /// no such company, or the register is out of date; `103` the representative's name does not match; `104` the
        /// representative's identity number does not match; `105` the register lacks the identity number, try again
        /// in 5 to 15 working days; `1000` company or representative do not match; `1001` the company has too many mini
        /// programs; `1002` the company is blocked; `1003` the administrator has too many accounts; `1004` the
        /// administrator is blocked; `1005` the administrator's phone has too many accounts; `1006` the
        /// administrator's phone is blocked; `1007` the administrator's identity has too many accounts; `1008` the
        /// administrator's identity is blocked; `100001` not confirmed in 24 hours, identity not checked; `100002`
        /// not confirmed in 24 hours, face not checked; `100003` not confirmed in 24 hours.
        pub status: Option<i64> = "status",
        /// The outcome in words.
        pub msg: Option<Str<'a>> = "msg",
    }
}

record! {
    /// Creating a trial mini program succeeded or failed.
    ///
    /// A user confirms the trial mini program that the platform asked for.
    #[doc(alias("试用小程序"))]
    pub struct NotifyThirdFastregisterbetaapp<'a> = "notify_third_fastregisterbetaapp" in trial_registration => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The request's id.
        pub unique_id: Option<Str<'a>> = "info/unique_id",
        /// The mini program's name.
        pub name: Option<Str<'a>> = "info/name",
        /// The outcome; `0` created.
        pub status: Option<i64> = "status",
        /// The outcome in words.
        pub msg: Option<Str<'a>> = "msg",
    }
}

record! {
    /// Verifying a trial mini program succeeded or failed.
    ///
    /// The legal representative answers the request to turn a trial mini program into a full one.
    #[doc(alias("试用小程序转正"))]
    pub struct NotifyThirdFastverifybetaapp<'a> = "notify_third_fastverifybetaapp" in trial_verification => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The company's name.
        pub name: Option<Str<'a>> = "info/name",
        /// The kind of the company's code.
        ///
        /// `1` unified social credit code (18 digits); `2` organization code (9); `3` business licence number (15).
        pub code_type: Option<i64> = "info/code_type",
        /// The company's code.
        pub code: Option<Str<'a>> = "info/code",
        /// The legal representative's name.
        pub legal_persona_name: Option<Str<'a>> = "info/legal_persona_name",
        /// The legal representative's WeChat id.
        pub legal_persona_wechat: Option<Str<'a>> = "info/legal_persona_wechat",
        /// The platform's telephone number.
        pub component_phone: Option<Str<'a>> = "info/component_phone",
        /// The outcome: `0` verified; else as in [`NotifyThirdFasteregister`].
        pub status: Option<i64> = "status",
        /// The outcome in words.
        pub msg: Option<Str<'a>> = "msg",
    }
}

record! {
    /// A mini program's verification reached another step.
    ///
    /// The platform had started it.
    #[doc(alias("小程序认证"))]
    pub struct Notify3rdWxaAuth<'a> = "notify_3rd_wxa_auth" in verification => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The verification task's id.
        pub taskid: Option<Str<'a>> = "taskid",
        /// The task's step.
        ///
        /// `0` begun; `1` timed out after 24 hours; `2` the user refused; `3` the user agreed; `4` face check begun;
        /// `5` face check failed; `6` face check passed; `7` text message with a code sent; `8` phone check failed;
        /// `9` phone check passed; `11` creating the application failed; `12` application created; `14` verification
        /// failed; `15` waiting for payment.
        pub task_status: Option<i64> = "task_status",
        /// The application's state, once it is created.
        ///
        /// `0` no application; `1` waiting for payment; `2` in review; `3` sent back for correction; `4` approved;
        /// `5` rejected for good.
        pub apply_status: Option<i64> = "apply_status",
        /// The reviewer's message, or why it failed.
        pub message: Option<Str<'a>> = "message",
        /// The reviewing company's name.
        pub provider: Option<Str<'a>> = "dispatch_info/provider",
        /// How to reach the reviewing company.
        pub contact: Option<Str<'a>> = "dispatch_info/contact",
        /// When it was appointed, in seconds since 1970.
        pub dispatch_time: Option<i64> = "dispatch_info/dispatch_time",
    }
}

record! {
    /// A mini program's verification is about to end.
    ///
    /// Pushed sixty days before, thirty days before and on the day it ends.
    #[doc(alias("小程序认证"))]
    pub struct Notify3rdWxaWxverify<'a> = "notify_3rd_wxa_wxverify" in verification => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// When the verification ends, in seconds since 1970.
        pub expired: Option<i64> = "expired",
        /// The reminder in words.
        pub message: Option<Str<'a>> = "message",
    }
}

record! {
    /// A combined verification and filing reached another step.
    ///
    /// The platform had started both for a mini program in one procedure (认证及备案).
    #[doc(alias("小程序认证", "备案"))]
    pub struct Notify3rdWxaAuthAndIcp<'a> = "notify_3rd_wxa_auth_and_icp" in verification_and_filing => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The procedure's id.
        pub procedure_id: Option<Str<'a>> = "procedure_id",
        /// The procedure's step.
        ///
        /// `9` phone check passed; `15` waiting for payment; `16` paid; `17` verification in review; `18`
        /// verification sent back; `19` verification approved; `20` verification rejected for good; `21` creating the
        /// filing failed; `22` filing in review by WeChat; `23` filing rejected by WeChat; `24` filing in review by
        /// the authority; `25` filing rejected by the authority; `26` verification and filing done; `27` expired;
        /// `28` ended; `29` filing withdrawn.
        pub procedure_status: Option<i64> = "procedure_status",
    }
}

record! {
    /// The administrator's face check was finished.
    ///
    /// The administrator of a mini program finishes the face check that the platform asked for.
    #[doc(alias("备案"))]
    pub struct NotifyIcpfilingVerifyResult<'a> = "notify_icpfiling_verify_result" in face_check => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The face-check task's id.
        pub task_id: Option<Str<'a>> = "task_id",
        /// The mini program's AppID.
        pub verify_appid: Option<Str<'a>> = "verify_appid",
        /// The outcome: `2` failed; `3` passed.
        pub result: Option<i64> = "result",
        /// The verification's step, in a combined procedure; codes as [`Notify3rdWxaAuth::task_status`].
        pub along_with_auth_result: Option<i64> = "along_with_auth_result",
    }
}

record! {
    /// An ICP filing was approved or rejected.
    ///
    /// WeChat or the authority has decided on a mini program's ICP filing.
    #[doc(alias("备案"))]
    pub struct NotifyApplyIcpfilingResult<'a> = "notify_apply_icpfiling_result" in filing => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The mini program's AppID.
        pub authorizer_appid: Option<Str<'a>> = "authorizer_appid",
        /// The filing's state.
        ///
        /// `2` in review by WeChat; `3` rejected by WeChat; `4` in review by the authority; `5` rejected by the
        /// authority; `6` filed; `1024` not filed; `1025` not filed, with a further condition.
        pub beian_status: Option<i64> = "beian_status",
    }
}

record! {
    /// Order pages were submitted for review.
    ///
    /// A batch of order-page paths that the platform set for mini programs has been submitted.
    #[doc(alias("订单页path"))]
    pub struct OrderPathApplyResultNotify<'a> = "order_path_apply_result_notify" in order_paths => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The result for each mini program's path.
        pub list: Vec<OrderPathApplyResult<'a>> = "list",
    }
}

record! {
    /// Whether one mini program's order-page path was submitted.
    pub struct OrderPathApplyResult<'a> {
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The outcome: `0` submitted; `1` submitted before; `-1` WeChat is busy; `-2` invalid AppID.
        pub ret_code: Option<i64> = "ret_code",
    }
}

record! {
    /// An order page was approved or rejected.
    ///
    /// WeChat has reviewed the order-page path of a mini program.
    #[doc(alias("订单页path"))]
    pub struct OrderPathAuditResultNotify<'a> = "order_path_audit_result_notify" in order_paths => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The result of the review for each mini program's path.
        pub list: Vec<OrderPathAuditResult<'a>> = "list",
    }
}

record! {
    /// The result of the review for one mini program's order-page path.
    pub struct OrderPathAuditResult<'a> {
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The review's id.
        pub audit_id: Option<i64> = "audit_id",
        /// The outcome: `2` in review; `3` rejected; `4` approved.
        pub status: Option<i64> = "status",
        /// When it was submitted, in seconds since 1970.
        pub apply_time: Option<i64> = "apply_time",
        /// When it was reviewed, in seconds since 1970.
        pub audit_time: Option<i64> = "audit_time",
        /// Why it was rejected; empty when approved.
        pub reason: Option<Str<'a>> = "reason",
    }
}

record! {
    /// A mini program's name was approved or rejected.
    ///
    /// The platform had set it. WeChat's page shows an event, while libraries read an `InfoType`: both are read here,
    /// and the event has no `AppId`.
    #[doc(alias("名称审核"))]
    pub struct WxaNicknameAudit<'a> = "wxa_nickname_audit" in nicknames => Success {
        /// The third-party platform's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The outcome: `2` rejected; `3` approved.
        pub ret: Option<i64> = "ret",
        /// The name.
        pub nickname: Option<Str<'a>> = "nickname",
        /// Why it was rejected; may be empty.
        pub reason: Option<Str<'a>> = "reason",
    }
}
