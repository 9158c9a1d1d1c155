//! Customer service, shopping guides, and users' data.

use crate::text::Str;

use super::record::record;

record! {
    /// A customer-service session started.
    ///
    /// An agent takes a user's conversation, or the account assigns it through the API.
    #[doc(alias("客服", "接入会话"))]
    pub struct KfCreateSession<'a> = "kf_create_session" in none => Success {
        /// Full name of the customer-service account, as `name@account`.
        pub kf_account: Option<Str<'a>> = "KfAccount",
    }
}

record! {
    /// A customer-service session ended.
    ///
    /// The agent, the API or a timeout ends the session.
    #[doc(alias("客服", "关闭会话"))]
    pub struct KfCloseSession<'a> = "kf_close_session" in none => Success {
        /// Full name of the customer-service account, as `name@account`.
        pub kf_account: Option<Str<'a>> = "KfAccount",
        /// How the session ended; the values are not documented, `KF` was seen.
        pub close_type: Option<Str<'a>> = "CloseType",
    }
}

record! {
    /// A customer-service session moved to another agent.
    ///
    /// An agent hands the conversation over to a colleague.
    #[doc(alias("客服", "转接会话"))]
    pub struct KfSwitchSession<'a> = "kf_switch_session" in none => Success {
        /// The agent who handed over, as `name@account`.
        pub from_kf_account: Option<Str<'a>> = "FromKfAccount",
        /// The agent who took over, as `name@account`.
        pub to_kf_account: Option<Str<'a>> = "ToKfAccount",
    }
}

record! {
    /// A user scanned a shopping guide's QR code.
    ///
    /// The code belongs to one of the account's guides. WeChat has taken the feature offline.
    #[doc(alias("导购"))]
    pub struct GuideQrcodeScanEvent<'a> = "guide_qrcode_scan_event" in guide_codes => Success {
        /// The guide's WeChat id.
        pub qrcode_guide_account: Option<Str<'a>> = "GuideScanEvent/qrcode_guide_account",
        /// The guide's OpenID, where bound by it.
        pub qrcode_guide_openid: Option<Str<'a>> = "GuideScanEvent/qrcode_guide_openid",
        /// The OpenID of the user who scanned.
        pub openid: Option<Str<'a>> = "GuideScanEvent/openid",
        /// The result.
        ///
        /// `1` the code's guide is no longer valid; `2` the user is now bound to the guide; `3` the user was bound to
        /// the guide already; `4` the user is bound to another guide.
        pub action: Option<i64> = "GuideScanEvent/action",
        /// What was given when the code was made.
        pub qrcode_info: Option<Str<'a>> = "GuideScanEvent/qrcode_info",
    }
}

record! {
    /// A shopping guide answered an invitation.
    ///
    /// The account had asked somebody to be its guide. WeChat has taken the feature offline.
    #[doc(alias("导购"))]
    pub struct GuideInviteResultEvent<'a> = "guide_invite_result_event" in guide_accounts => Success {
        /// The guide's WeChat id, where invited by it.
        pub guide_account: Option<Str<'a>> = "GuideInviteEvent/guide_account",
        /// The guide's OpenID, where invited by it.
        pub guide_openid: Option<Str<'a>> = "GuideInviteEvent/guide_openid",
        /// The outcome; `1` is the only value documented.
        pub invite_result: Option<i64> = "GuideInviteEvent/invite_result",
    }
}

record! {
    /// A user's profile was changed by WeChat.
    ///
    /// WeChat cleared a profile that was at risk. Accounts that the user authorized in the last 30 days are notified,
    /// and should fetch or delete nickname and picture.
    #[doc(alias("用户资料变更"))]
    pub struct UserInfoModified<'a> = "user_info_modified" in authorizations => Success {
        /// The user.
        pub open_id: Option<Str<'a>> = "OpenID|openid",
        /// The AppID the authorization was for.
        pub app_id: Option<Str<'a>> = "AppID|appid",
        /// The user's UnionID, where the account has one.
        #[doc(alias = "unionid")]
        pub union_id: Option<Str<'a>> = "UnionID",
        /// What it was about, as a code; codes as [`UserAuthorizationRevoke::revoke_info`].
        pub revoke_info: Option<Str<'a>> = "RevokeInfo",
        /// The plugin's AppID, when it was one.
        pub plugin_id: Option<Str<'a>> = "PluginID",
        /// The user's id with the plugin, where it was one.
        pub open_pid: Option<Str<'a>> = "OpenPID",
    }
}

record! {
    /// A user took back an authorization.
    ///
    /// The authorization of data for the account's pages is withdrawn, and the data must be deleted.
    #[doc(alias("撤回授权"))]
    pub struct UserAuthorizationRevoke<'a> = "user_authorization_revoke" in authorizations => Success {
        /// The user.
        pub open_id: Option<Str<'a>> = "OpenID",
        /// The AppID the authorization was for.
        pub app_id: Option<Str<'a>> = "AppID",
        /// What was taken back, as a code.
        ///
        /// `1` licence plate; `2` address; `3` invoice details; `4` Bluetooth; `5` microphone; `6` nickname and
        /// picture; `7` camera; `8` telephone number; `12` steps; `13` location; `14` pictures or videos chosen; `15`
        /// file chosen; `16` mail address; `18` place chosen; `19` nickname typed; `20` picture set. Older: `201`
        /// address; `202` invoice details; `203` cards and coupons; `204` microphone; `205` nickname and picture; `206`
        /// location; `207` pictures or videos chosen; `301` everything granted to a mobile or web app.
        pub revoke_info: Option<Str<'a>> = "RevokeInfo",
        /// The plugin's AppID, when it was one.
        pub plugin_id: Option<Str<'a>> = "PluginID",
        /// The user's id with the plugin, where it was one.
        pub open_pid: Option<Str<'a>> = "OpenPID",
        /// The user's UnionID, where the account has one.
        #[doc(alias = "unionid")]
        pub union_id: Option<Str<'a>> = "UnionID",
    }
}

record! {
    /// A user who had authorized the account closed their WeChat account.
    ///
    /// The user deletes the whole WeChat account; what must be done with the data is up to the law.
    #[doc(alias("注销"))]
    pub struct UserAuthorizationCancellation<'a> = "user_authorization_cancellation" in authorizations => Success {
        /// The user.
        pub open_id: Option<Str<'a>> = "OpenID",
        /// The AppID the authorization was for.
        pub app_id: Option<Str<'a>> = "AppID",
        /// What was taken back, as a code.
        ///
        /// `1` licence plate; `2` address; `3` invoice details; `4` Bluetooth; `5` microphone; `6` nickname and
        /// picture; `7` camera; `8` telephone number; `12` steps; `13` location; `14` pictures or videos chosen; `15`
        /// file chosen; `16` mail address; `18` place chosen; `19` nickname typed; `20` picture set. Older: `201`
        /// address; `202` invoice details; `203` cards and coupons; `204` microphone; `205` nickname and picture; `206`
        /// location; `207` pictures or videos chosen; `301` everything granted to a mobile or web app.
        pub revoke_info: Option<Str<'a>> = "RevokeInfo",
        /// The plugin's AppID, when it was one.
        pub plugin_id: Option<Str<'a>> = "PluginID",
        /// The user's id with the plugin, where it was one.
        pub open_pid: Option<Str<'a>> = "OpenPID",
        /// The user's UnionID, where the account has one.
        #[doc(alias = "unionid")]
        pub union_id: Option<Str<'a>> = "UnionID",
    }
}
