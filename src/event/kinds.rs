//! The index of all kinds, by official page, and the description of each.

use std::fmt;

use super::record::{Part, Push, Record};
use super::*;

/// The element that names a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedBy {
    MsgType,
    Event,
    InfoType,
}

impl NamedBy {
    fn as_str(self) -> &'static str {
        match self {
            NamedBy::MsgType => "MsgType",
            NamedBy::Event => "Event",
            NamedBy::InfoType => "InfoType",
        }
    }
}

/// The description of a kind: an entry of [`KINDS`].
///
/// ```
/// use wechat_events::event::{Group, KINDS};
///
/// let scan = KINDS.iter().find(|kind| kind.name() == "SCAN").unwrap();
/// assert_eq!((scan.variant(), scan.group(), scan.takes_reply()), ("Scan", Group::Account, true));
/// assert_eq!(scan.fields(), ["EventKey", "Ticket"]);
/// ```
#[derive(Clone, Copy)]
pub struct KindInfo {
    variant: &'static str,
    group: Group,
    /// As on the wire, the usual name first.
    pub(super) names: &'static [(NamedBy, &'static str)],
    takes: Takes,
    /// Paths of the elements that identify a push of this kind.
    pub(super) key: &'static [&'static str],
    pub(super) read: for<'a> fn(Element<'_, 'a>) -> Kind<'a>,
}

impl KindInfo {
    /// The usual name on the wire, such as `SCAN`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.names().next().map_or("", |(_, name)| name)
    }

    /// The element that holds the usual name: `MsgType`, `Event` or `InfoType`.
    #[must_use]
    pub fn named_by(&self) -> &'static str {
        self.names().next().map_or("", |(element, _)| element)
    }

    /// All names of this kind, each with its element; the usual one first.
    ///
    /// ```
    /// use wechat_events::event::KINDS;
    ///
    /// let published = KINDS.iter().find(|kind| kind.variant() == "PublishJobFinish").unwrap();
    /// let names: Vec<_> = published.names().collect();
    /// assert_eq!(names, [("Event", "PUBLISHJOBFINISH"), ("Event", "FREEPUBLISHJOBFINISH")]);
    /// ```
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.names.iter().map(|(named_by, name)| (named_by.as_str(), *name))
    }

    /// The name of its variant of [`Kind`], such as `Scan`.
    #[must_use]
    pub fn variant(&self) -> &'static str {
        self.variant
    }

    /// The official page it belongs to.
    #[must_use]
    pub fn group(&self) -> Group {
        self.group
    }

    /// The answer that WeChat expects to it; see [`Event::takes`].
    #[must_use]
    pub fn takes(&self) -> Takes {
        self.takes
    }

    /// Whether WeChat accepts a reply to it; see [`Event::takes_reply`].
    #[must_use]
    pub fn takes_reply(&self) -> bool {
        self.takes == Takes::Reply
    }
}

impl fmt::Debug for KindInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KindInfo")
            .field("variant", &self.variant)
            .field("group", &self.group)
            .field("names", &self.names)
            .field("takes", &self.takes)
            .finish_non_exhaustive()
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $group:ident { $($kind:ident = $($named_by:ident $name:literal)|+;)* })*) => {
        /// What happened, one variant for each kind of push.
        ///
        /// A push of an unknown kind, or without what its kind requires, is [`Unknown`](Kind::Unknown) with all its
        /// fields. Typing a kind later is a minor release, so match unknown kinds by [`Event::name`].
        ///
        /// ```
        /// use wechat_events::{Event, Kind};
        ///
        /// fn describe(event: &Event<'_>) -> String {
        ///     match &event.kind {
        ///         Kind::Text(text) => format!("said {}", text.content),
        ///         Kind::Subscribe(subscribe) => format!("follows, by the code {:?}", subscribe.scene()),
        ///         _ => match event.name() {
        ///             "debug_demo" => format!("says {:?}", event.field("debug_str")),
        ///             name => name.to_owned(),
        ///         },
        ///     }
        /// }
        /// ```
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Kind<'a> {
            $($(
                #[doc = concat!($(stringify!($named_by), " `", $name, "` ",)+)]
                $kind($kind<'a>),
            )*)*
            /// None of the above.
            Unknown(Unknown),
        }

        impl Kind<'_> {
            /// The official page the kind belongs to; `None` for [`Unknown`](Kind::Unknown).
            ///
            /// A push without a required field is `Unknown` too; [`Event::info`] still describes its kind.
            #[must_use]
            pub fn group(&self) -> Option<Group> {
                match self {
                    $($(Kind::$kind(_))|* => Some(Group::$group),)*
                    Kind::Unknown(_) => None,
                }
            }

            pub(super) fn into_owned(self) -> Kind<'static> {
                match self {
                    $($(Kind::$kind(kind) => Kind::$kind(Record::into_owned(kind)),)*)*
                    Kind::Unknown(unknown) => Kind::Unknown(unknown),
                }
            }
        }

        /// The fields of a typed kind, by their names here; empty for an unknown one.
        #[cfg(feature = "serde")]
        impl serde::Serialize for Kind<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $($(Kind::$kind(kind) => kind.serialize(serializer),)*)*
                    Kind::Unknown(_) => serializer.serialize_none(),
                }
            }
        }

        /// The kinds by official page, in the order of the official pages.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Group {
            $(
                $(#[$doc])*
                ///
                /// | kind | on the wire |
                /// |---|---|
                $(#[doc = concat!("| [`", stringify!($kind), "`] |", $(" ", stringify!($named_by), " `", $name, "`",)+ " |")])*
                $group,
            )*
        }

        /// Every kind that this version types, by official page.
        pub static KINDS: &[KindInfo] = &[$($(KindInfo {
            variant: stringify!($kind),
            group: Group::$group,
            names: &[$((NamedBy::$named_by, $name)),+],
            takes: $kind::TAKES,
            key: $kind::KEY,
            read: |root| match Record::read(root) {
                Ok(kind) => Kind::$kind(kind),
                Err(reason) => Kind::Unknown(Unknown { reason }),
            },
        }),*),*];

        // Not fields of the table: every parser would link these texts, and few need them.
        impl KindInfo {
            /// A push of this kind, in XML, as WeChat writes it.
            ///
            /// ```
            /// use wechat_events::event::KINDS;
            /// use wechat_events::parse_event;
            ///
            /// for kind in KINDS {
            ///     assert_eq!(parse_event(kind.sample().as_bytes())?.name(), kind.name());
            /// }
            /// # Ok::<(), wechat_events::ParseError>(())
            /// ```
            #[must_use]
            pub fn sample(&self) -> &'static str {
                match self.variant {
                    $($(stringify!($kind) => $kind::SAMPLE,)*)*
                    _ => "",
                }
            }

            /// The paths of its fields, without those of the header, for [`Event::field`].
            #[must_use]
            pub fn fields(&self) -> Vec<String> {
                match self.variant {
                    $($(stringify!($kind) => Part::paths($kind::PARTS, ""),)*)*
                    _ => Vec::new(),
                }
            }
        }
    };
}

// The index of all kinds, by official page and in the order of the pages.
kinds! {
    /// Ordinary messages, sent by a user or a user's device.
    Message {
        Text = MsgType "text";
        Image = MsgType "image";
        Voice = MsgType "voice";
        Video = MsgType "video";
        ShortVideo = MsgType "shortvideo";
        LocationMessage = MsgType "location";
        Link = MsgType "link";
        File = MsgType "file";
        MiniprogramPage = MsgType "miniprogrampage";
        DeviceText = MsgType "device_text";
        DeviceEvent = MsgType "device_event";
        DeviceStatus = MsgType "device_status";
    }

    /// Follow, scan, location, menu: actions of a user.
    Account {
        Subscribe = Event "subscribe";
        Unsubscribe = Event "unsubscribe";
        Scan = Event "SCAN";
        Location = Event "LOCATION";
        Click = Event "CLICK";
        View = Event "VIEW";
        Enter = Event "ENTER";
        UserEnterTempsession = Event "user_enter_tempsession";
    }

    /// The menu's special buttons.
    Menu {
        ScancodePush = Event "scancode_push";
        ScancodeWaitmsg = Event "scancode_waitmsg";
        PicSysphoto = Event "pic_sysphoto";
        PicPhotoOrAlbum = Event "pic_photo_or_album";
        PicWeixin = Event "pic_weixin";
        LocationSelect = Event "location_select";
        ViewMiniprogram = Event "view_miniprogram";
    }

    /// Results of template messages, mass messages, publishing and notifications.
    Job {
        TemplateSendJobFinish = Event "TEMPLATESENDJOBFINISH";
        MassSendJobFinish = Event "MASSSENDJOBFINISH";
        PublishJobFinish = Event "PUBLISHJOBFINISH" | Event "FREEPUBLISHJOBFINISH";
        SubscribeMsgPopupEvent = Event "subscribe_msg_popup_event";
        SubscribeMsgChangeEvent = Event "subscribe_msg_change_event";
        SubscribeMsgSentEvent = Event "subscribe_msg_sent_event";
    }

    /// Customer service, shopping guides, and users' data.
    Service {
        KfCreateSession = Event "kf_create_session";
        KfCloseSession = Event "kf_close_session";
        KfSwitchSession = Event "kf_switch_session";
        GuideQrcodeScanEvent = Event "guide_qrcode_scan_event";
        GuideInviteResultEvent = Event "guide_invite_result_event";
        UserInfoModified = Event "user_info_modified";
        UserAuthorizationRevoke = Event "user_authorization_revoke";
        UserAuthorizationCancellation = Event "user_authorization_cancellation";
    }

    /// Cards, gift cards, invoices, and the old shop.
    Card {
        CardPassCheck = Event "card_pass_check";
        CardNotPassCheck = Event "card_not_pass_check";
        UserGetCard = Event "user_get_card";
        UserGiftingCard = Event "user_gifting_card";
        UserDelCard = Event "user_del_card";
        UserConsumeCard = Event "user_consume_card";
        UserPayFromPayCell = Event "user_pay_from_pay_cell";
        UserViewCard = Event "user_view_card";
        UserEnterSessionFromCard = Event "user_enter_session_from_card";
        UpdateMemberCard = Event "update_member_card";
        CardSkuRemind = Event "card_sku_remind";
        CardPayOrder = Event "card_pay_order";
        SubmitMembercardUserInfo = Event "submit_membercard_user_info";
        CardMerchantCheckResult = Event "card_merchant_check_result";
        GiftcardPayDone = Event "giftcard_pay_done";
        GiftcardSendToFriend = Event "giftcard_send_to_friend";
        GiftcardUserAccept = Event "giftcard_user_accept";
        UserAuthorizeInvoice = Event "user_authorize_invoice";
        CloudInvoiceInvoiceresultEvent = Event "cloud_invoice_invoiceresult_event";
        UpdateInvoiceStatus = Event "update_invoice_status";
        SubmitInvoiceTitle = Event "submit_invoice_title";
        MerchantOrder = Event "merchant_order";
    }

    /// Stores, Wi-Fi, shake-around, product scan.
    Store {
        PoiCheckNotify = Event "poi_check_notify";
        ApplyMerchantAuditInfo = Event "apply_merchant_audit_info";
        CreateMapPoiAuditInfo = Event "create_map_poi_audit_info";
        AddStoreAuditInfo = Event "add_store_audit_info";
        ModifyStoreAuditInfo = Event "modify_store_audit_info";
        NearbyCategoryAuditInfo = Event "nearby_category_audit_info";
        AddNearbyPoiAuditInfo = Event "add_nearby_poi_audit_info";
        WifiConnected = Event "WifiConnected";
        ShakearoundUserShake = Event "ShakearoundUserShake";
        UserScanProduct = Event "user_scan_product";
        UserScanProductEnterSession = Event "user_scan_product_enter_session";
        UserScanProductAsync = Event "user_scan_product_async";
        UserScanProductVerifyAction = Event "user_scan_product_verify_action";
    }

    /// Accreditation of the account (认证).
    Verification {
        QualificationVerifySuccess = Event "qualification_verify_success";
        QualificationVerifyFail = Event "qualification_verify_fail";
        NamingVerifySuccess = Event "naming_verify_success";
        NamingVerifyFail = Event "naming_verify_fail";
        AnnualRenew = Event "annual_renew";
        VerifyExpired = Event "verify_expired";
        WxVerifyPaySucc = Event "wx_verify_pay_succ";
        WxVerifyDispatch = Event "wx_verify_dispatch";
        WxVerifyRefill = Event "wx_verify_refill";
        WxVerifyFail = Event "wx_verify_fail";
    }

    /// Third-party platform: events of the accounts that authorized it.
    Platform {
        ComponentVerifyTicket = InfoType "component_verify_ticket";
        Authorized = InfoType "authorized";
        Unauthorized = InfoType "unauthorized";
        UpdateAuthorized = InfoType "updateauthorized";
        NotifyThirdFasteregister = InfoType "notify_third_fasteregister";
        NotifyThirdFastregisterbetaapp = InfoType "notify_third_fastregisterbetaapp";
        NotifyThirdFastverifybetaapp = InfoType "notify_third_fastverifybetaapp";
        Notify3rdWxaAuth = InfoType "notify_3rd_wxa_auth";
        Notify3rdWxaWxverify = InfoType "notify_3rd_wxa_wxverify";
        Notify3rdWxaAuthAndIcp = InfoType "notify_3rd_wxa_auth_and_icp";
        NotifyIcpfilingVerifyResult = InfoType "notify_icpfiling_verify_result";
        NotifyApplyIcpfilingResult = InfoType "notify_apply_icpfiling_result";
        OrderPathApplyResultNotify = InfoType "order_path_apply_result_notify";
        OrderPathAuditResultNotify = InfoType "order_path_audit_result_notify";
        WxaNicknameAudit = InfoType "wxa_nickname_audit" | Event "wxa_nickname_audit";
    }

    /// Mini programs run by a third-party platform: reviews of versions, categories and appeals.
    Review {
        BetaappAuthorizationApplyEvent = Event "betaapp_authorization_apply_event";
        BetaappVerifyApplyEvent = Event "betaapp_verify_apply_event";
        BetaappVerifyEvent = Event "betaapp_verify_event";
        WeappAuditSuccess = Event "weapp_audit_success";
        WeappAuditFail = Event "weapp_audit_fail";
        WeappAuditDelay = Event "weapp_audit_delay";
        WxaCategoryAudit = Event "wxa_category_audit";
        WxaIllegalRecord = Event "wxa_illegal_record";
        WxaAppealRecord = Event "wxa_appeal_record";
        WxaPrivacyApply = Event "wxa_privacy_apply";
    }

    /// Mini programs: content, live rooms, parcels, quotas.
    MiniProgram {
        WxaPunishEvent = Event "wxa_punish_event";
        WxaMediaCheck = Event "wxa_media_check";
        WxaCommentBadScore = Event "wxa_comment_bad_score";
        ChargeServiceQuotaNotify = Event "charge_service_quota_notify";
        WxaliveFollowNotify = Event "wxalive_follow_notify";
        WxalivePushMessageNotify = Event "wxalive_push_message_notify";
        WxainsuranceClaimResult = Event "wxainsurance_claim_result";
        AddExpressPath = Event "add_express_path";
        UpdateBusinessBindResult = Event "update_business_bind_result";
        SecvodUploadEvent = Event "secvod_upload_event";
        SecvodAuditEvent = Event "secvod_audit_event";
        SecbookAuditEvent = Event "secbook_audit_event";
    }

    /// Mini programs that sell: shipping, settlements, payments between businesses, complaints.
    Trade {
        TradeManageRemindAccessApi = Event "trade_manage_remind_access_api";
        TradeManageRemindShipping = Event "trade_manage_remind_shipping";
        TradeManageOrderSettlement = Event "trade_manage_order_settlement";
        RetailPayNotify = Event "retail_pay_notify";
        RetailRefundNotify = Event "retail_refund_notify";
        ComplaintCallback = Event "complaint_callback";
    }

    /// Virtual payment (虚拟支付), answered with a code.
    Payment {
        XpayGoodsDeliverNotify = Event "xpay_goods_deliver_notify";
        XpayCoinPayNotify = Event "xpay_coin_pay_notify";
        XpayRefundNotify = Event "xpay_refund_notify";
        XpayComplaintNotify = Event "xpay_complaint_notify";
        XpayWxpayCallbackNotify = Event "xpay_wxpay_callback_notify";
        XpaySubscribeSigningResultNotify = Event "xpay_subscribe_signing_result_notify";
        XpaySubscribePayFailNotify = Event "xpay_subscribe_pay_fail_notify";
        XpayAppleSubscribeSigningResultNotify = Event "xpay_apple_subscribe_signing_result_notify";
        XpayAppleSubscribeUnsigningResultNotify = Event "xpay_apple_subscribe_unsigning_result_notify";
        XpaySubscribeIosRefundQueryNotify = Event "xpay_subscribe_ios_refund_query_notify";
    }

    /// Mini games, answered with a code in the clear.
    MiniGame {
        MinigameH5GoodsDeliverNotify = Event "minigame_h5_goods_deliver_notify";
        MinigameDeliverH5PayProducts = Event "minigame_deliver_h5_pay_products";
        MinigameGamePayGoodsDeliverNotify = Event "minigame_game_pay_goods_deliver_notify";
        MinigameDeliverGoods = Event "minigame_deliver_goods";
        MinigameCoinDeliverCompleted = Event "minigame_coin_deliver_completed";
        MinigamePayRefundSuccNotify = Event "minigame_pay_refund_succ_notify";
        MinigameRechargeCenterCoinDeliverCompleted = Event "minigame_recharge_center_coin_deliver_completed";
    }
}
