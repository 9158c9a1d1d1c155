//! Virtual payment (虚拟支付): goods and coins that a mini program has to deliver, refunds, complaints, subscriptions.
//!
//! WeChat takes a code as the answer, and pushes again until it is 0: after 2 s, 4 s, 8 s and so on, fifteen times.
//! The goods are to be delivered once for all of these: see [`Event::business_key`](crate::Event::business_key).

use crate::text::Str;

use super::record::{names, record};

record! {
    /// A user paid for goods: deliver them.
    ///
    /// WeChat treats the order as completed only when the answer is code 0.
    #[doc(alias("虚拟支付", "道具发货"))]
    pub struct XpayGoodsDeliverNotify<'a> = "xpay_goods_deliver_notify" in virtual_payment
        => Code("OpenId", "OutTradeNo", "Env")
    {
        /// Who gets the goods.
        pub open_id: Str<'a> = "OpenId",
        /// The order's number, the mini program's own.
        pub out_trade_no: Str<'a> = "OutTradeNo",
        /// Where it was paid: `0` live; `1` in the sandbox, where nobody pays. WeChat's page has no `Env` for payments
        /// of Apple's subscriptions, which are live.
        pub env: Option<i64> = "Env",
        /// The payment, if made with WeChat Pay.
        pub we_chat_pay_info: Option<WeChatPayInfo<'a>> = "WeChatPayInfo",
        /// What was bought.
        pub goods_info: Option<GoodsInfo<'a>> = "GoodsInfo",
        /// The group purchase, if it was one.
        pub team_info: Option<TeamInfo<'a>> = "TeamInfo",
        /// The subscription, if it is one of Apple's.
        pub apple_subscription_info: Option<AppleSubscriptionInfo<'a>> = "AppleSubscriptionInfo",
        /// How many deliveries of this push came before, from 0.
        pub retry_times: Option<i64> = "RetryTimes",
    }
}

record! {
    /// How an order was paid with WeChat Pay.
    pub struct WeChatPayInfo<'a> {
        /// The merchant's number of the payment.
        pub mch_order_no: Option<Str<'a>> = "MchOrderNo",
        /// WeChat Pay's number of the payment.
        pub transaction_id: Option<Str<'a>> = "TransactionId",
        /// When it was paid, in seconds since 1970.
        pub paid_time: Option<i64> = "PaidTime",
    }
}

record! {
    /// What was bought.
    pub struct GoodsInfo<'a> {
        /// The product's id.
        pub product_id: Option<Str<'a>> = "ProductId",
        /// How many.
        pub quantity: Option<i64> = "Quantity",
        /// The original price, in fen (分).
        pub orig_price: Option<i64> = "OrigPrice",
        /// What was paid, in fen (分).
        pub actual_price: Option<i64> = "ActualPrice",
        /// The data attached to the order.
        pub attach: Option<Str<'a>> = "Attach",
    }
}

record! {
    /// A purchase that several users make together (拼团).
    pub struct TeamInfo<'a> {
        /// The offer's id.
        pub activity_id: Option<Str<'a>> = "ActivityId",
        /// The group's id.
        pub team_id: Option<Str<'a>> = "TeamId",
        /// The kind of group; its codes are not documented.
        pub team_type: Option<i64> = "TeamType",
        /// What the user did; its codes are not documented.
        pub team_action: Option<i64> = "TeamAction",
    }
}

record! {
    /// A subscription that Apple renews and charges.
    pub struct AppleSubscriptionInfo<'a> {
        /// Apple's number of the first payment, the same for all later ones.
        pub original_transaction_id: Option<Str<'a>> = "OriginalTransactionId",
        /// Whether Apple will renew it: `1` yes; `0` no.
        pub auto_renew_status: Option<i64> = "AutoRenewStatus",
        /// When Apple will renew it, in milliseconds since 1970.
        pub renewal_date: Option<i64> = "RenewalDate",
    }
}

record! {
    /// A user paid for coins: WeChat has credited them.
    ///
    /// WeChat keeps the balance; a mini program with its own balance adds to it here.
    #[doc(alias("虚拟支付", "代币"))]
    pub struct XpayCoinPayNotify<'a> = "xpay_coin_pay_notify" in virtual_payment
        => Code("OpenId", "OutTradeNo", "Env")
    {
        /// Who gets the coins.
        pub open_id: Str<'a> = "OpenId",
        /// The order's number, the mini program's own.
        pub out_trade_no: Str<'a> = "OutTradeNo",
        /// Where it was paid: `0` live; `1` in the sandbox, where nobody pays.
        pub env: Option<i64> = "Env",
        /// The payment, if made with WeChat Pay.
        pub we_chat_pay_info: Option<WeChatPayInfo<'a>> = "WeChatPayInfo",
        /// What was bought.
        pub coin_info: Option<CoinInfo<'a>> = "CoinInfo",
        /// The group purchase, if it was one.
        pub team_info: Option<TeamInfo<'a>> = "TeamInfo",
        /// How many deliveries of this push came before, from 0.
        pub retry_times: Option<i64> = "RetryTimes",
    }
}

record! {
    /// The coins that were bought.
    pub struct CoinInfo<'a> {
        /// How many.
        pub quantity: Option<i64> = "Quantity",
        /// The original price, in fen (分).
        pub orig_price: Option<i64> = "OrigPrice",
        /// What was paid, in fen (分).
        pub actual_price: Option<i64> = "ActualPrice",
        /// The data attached to the order.
        pub attach: Option<Str<'a>> = "Attach",
    }
}

record! {
    /// A refund succeeded or failed.
    ///
    /// Pushed for the mini program's own refunds and for those that Apple grants.
    #[doc(alias("虚拟支付", "退款"))]
    pub struct XpayRefundNotify<'a> = "xpay_refund_notify" in virtual_payment => Code("WxRefundId", "RetCode") {
        /// The user.
        pub open_id: Option<Str<'a>> = "OpenId",
        /// WeChat's number of the refund.
        pub wx_refund_id: Str<'a> = "WxRefundId",
        /// The mini program's own number of the refund.
        pub mch_refund_id: Option<Str<'a>> = "MchRefundId",
        /// WeChat's number of the order.
        pub wx_order_id: Option<Str<'a>> = "WxOrderId",
        /// The mini program's own number of the order.
        pub mch_order_id: Option<Str<'a>> = "MchOrderId",
        /// The refunded amount, in fen (分).
        pub refund_fee: Option<i64> = "RefundFee",
        /// The outcome: `0` refunded.
        pub ret_code: Option<i64> = "RetCode",
        /// The outcome in words.
        pub ret_msg: Option<Str<'a>> = "RetMsg",
        /// When it was requested, in seconds since 1970.
        pub refund_start_timestamp: Option<i64> = "RefundStartTimestamp",
        /// When it was refunded, in seconds since 1970.
        pub refund_succ_timestamp: Option<i64> = "RefundSuccTimestamp",
        /// WeChat Pay's number of the refund.
        pub wxpay_refund_transaction_id: Option<Str<'a>> = "WxpayRefundTransactionId",
        /// How many deliveries of this push came before, from 0.
        pub retry_times: Option<i64> = "RetryTimes",
        /// The data attached to the order.
        pub attach: Option<Str<'a>> = "Attach",
        /// WeChat Pay's number of the order.
        pub wx_transaction_id: Option<Str<'a>> = "WxTransactionId",
        /// The group purchase, if it was one.
        pub team_info: Option<TeamInfo<'a>> = "TeamInfo",
    }
}

record! {
    /// A user complains about an order.
    ///
    /// Answer it in WeChat's console or through the API.
    #[doc(alias("虚拟支付", "投诉"))]
    pub struct XpayComplaintNotify<'a> = "xpay_complaint_notify" in virtual_payment => Code("ComplaintId") {
        /// Who complains.
        pub open_id: Option<Str<'a>> = "OpenId",
        /// WeChat's number of the order.
        pub wx_order_id: Option<Str<'a>> = "WxOrderId",
        /// The mini program's own number of the order.
        pub mch_order_id: Option<Str<'a>> = "MchOrderId",
        /// WeChat Pay's number of the order.
        pub transaction_id: Option<Str<'a>> = "TransactionId",
        /// The complaint's id.
        pub complaint_id: Option<Str<'a>> = "ComplaintId",
        /// What the user says.
        pub complaint_detail: Option<Str<'a>> = "ComplaintDetail",
        /// When the user complained, in seconds since 1970.
        pub complaint_time: Option<i64> = "ComplaintTime",
        /// How many deliveries of this push came before, from 0.
        pub retry_times: Option<i64> = "RetryTimes",
        /// WeChat's number of the request.
        pub request_id: Option<Str<'a>> = "RequestId",
    }
}

record! {
    /// WeChat Pay notified the merchant.
    ///
    /// It asks for documents, or imposes a penalty.
    #[doc(alias("虚拟支付"))]
    pub struct XpayWxpayCallbackNotify<'a> = "xpay_wxpay_callback_notify" in virtual_payment
        => Code("AppId", "MerchantCode", "EventType", "BusinessCode", "BusinessState", "BusinessTime")
    {
        /// The mini program's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The mini program's name.
        pub nick_name: Option<Str<'a>> = "NickName",
        /// The merchant's number.
        pub merchant_code: Option<Str<'a>> = "MerchantCode",
        /// The merchant's name.
        pub merchant_company_name: Option<Str<'a>> = "MerchantCompanyName",
        /// When, in RFC 3339 format.
        pub business_time: Option<Str<'a>> = "BusinessTime",
        /// The case's number.
        pub business_code: Option<Str<'a>> = "BusinessCode",
        /// The case's state.
        pub business_state: Option<Str<'a>> = "BusinessState",
        /// More, in words.
        pub remark: Option<Str<'a>> = "Remark",
        /// What it is about.
        pub event_type: Option<MerchantEvent<'a>> = "EventType",
        /// How many deliveries of this push came before, from 0.
        pub retry_times: Option<i64> = "RetryTimes",
    }
}

names! {
    /// The subject of a notification of WeChat Pay to a merchant.
    pub enum MerchantEvent {
        /// Documents are required.
        DueDiligence = "due_diligence",
        /// A penalty was imposed.
        Punishment = "punishment",
    }
}

record! {
    /// On Android or HarmonyOS, a subscription succeeded, failed or ended.
    ///
    /// Each payment then comes as [`XpayGoodsDeliverNotify`]. WeChat's page names this event for the end of a contract
    /// too; no source was found for how the two differ, so its key includes `CreateTime`.
    #[doc(alias("虚拟支付", "会员订阅", "签约", "解约"))]
    pub struct XpaySubscribeSigningResultNotify<'a> = "xpay_subscribe_signing_result_notify" in subscriptions_on_android
        => Code("OpenId", "OutTradeNo", "ContractResult", "CreateTime")
    {
        /// The user.
        pub open_id: Option<Str<'a>> = "OpenId",
        /// The order's number, the mini program's own.
        pub out_trade_no: Option<Str<'a>> = "OutTradeNo",
        /// Where it was signed: `0` live; `1` in the sandbox, where nobody pays.
        pub env: Option<i64> = "Env",
        /// The product's id.
        pub product_id: Option<Str<'a>> = "ProductId",
        /// The outcome; `0` signed.
        pub contract_result: Option<i64> = "ContractResult",
        /// The outcome in words.
        pub contract_result_msg: Option<Str<'a>> = "ContractResultMsg",
        /// The contract's id, if it was signed.
        pub contract_id: Option<Str<'a>> = "ContractId",
        /// The data attached to the order.
        pub attach: Option<Str<'a>> = "Attach",
    }
}

record! {
    /// On Android or HarmonyOS, charging a subscription failed.
    ///
    /// It may be retried for six days, each time as a new order with its own number. The name is in several sources,
    /// the fields in one, SKIT's class. Which field has the reason is not known.
    #[doc(alias("虚拟支付", "会员订阅", "扣款失败"))]
    pub struct XpaySubscribePayFailNotify<'a> = "xpay_subscribe_pay_fail_notify" in subscriptions_on_android
        => Code("OpenId", "OutTradeNo", "Env")
    {
        /// The user.
        pub open_id: Option<Str<'a>> = "OpenId",
        /// The order's number, the mini program's own.
        pub out_trade_no: Option<Str<'a>> = "OutTradeNo",
        /// Where it was charged: `0` live, since subscriptions have no sandbox.
        pub env: Option<i64> = "Env",
        /// The payment.
        pub we_chat_pay_info: Option<WeChatPayInfo<'a>> = "WeChatPayInfo",
        /// What was charged for.
        pub goods_info: Option<GoodsInfo<'a>> = "GoodsInfo",
        /// Length of one period of the subscription, in days.
        pub subscribe_period_days: Option<i64> = "GoodsInfo/SubscribePeriodDays",
        /// The AppID of the contract.
        pub contract_wx_appid: Option<Str<'a>> = "ContractWxAppid",
    }
}

record! {
    /// On iOS, a user subscribed: Apple charges the payments itself.
    ///
    /// Pushed once, for the first subscription. Each payment is then an [`XpayGoodsDeliverNotify`]. Senparc's class has
    /// the fields of [`XpaySubscribeSigningResultNotify`] here; these are those of WeChat's page and of SKIT's class.
    #[doc(alias("虚拟支付", "会员订阅", "签约"))]
    pub struct XpayAppleSubscribeSigningResultNotify<'a> = "xpay_apple_subscribe_signing_result_notify"
        in subscriptions_on_ios
        => Code("AppleSubscriptionInfo/OriginalTransactionId", "AppleSubscriptionInfo/SignedTime")
    {
        /// The user.
        pub open_id: Option<Str<'a>> = "OpenId",
        /// The data given when signing.
        pub attach: Option<Str<'a>> = "Attach",
        /// Apple's number of the first payment, the same for all later ones.
        pub original_transaction_id: Option<Str<'a>> = "AppleSubscriptionInfo/OriginalTransactionId",
        /// The product's id.
        pub product_id: Option<Str<'a>> = "AppleSubscriptionInfo/ProductId",
        /// Whether Apple will renew it: `1` yes; `0` no.
        pub auto_renew_status: Option<i64> = "AppleSubscriptionInfo/AutoRenewStatus",
        /// When Apple will renew it, in milliseconds since 1970.
        pub renewal_date: Option<i64> = "AppleSubscriptionInfo/RenewalDate",
        /// When the user signed, in milliseconds since 1970.
        pub signed_time: Option<i64> = "AppleSubscriptionInfo/SignedTime",
    }
}

record! {
    /// On iOS, a user cancelled a subscription: it lasts until the paid period ends.
    #[doc(alias("虚拟支付", "会员订阅", "解约"))]
    pub struct XpayAppleSubscribeUnsigningResultNotify<'a> = "xpay_apple_subscribe_unsigning_result_notify"
        in subscriptions_on_ios
        => Code("AppleSubscriptionInfo/OriginalTransactionId", "AppleSubscriptionInfo/UnsignedTime")
    {
        /// The user.
        pub open_id: Option<Str<'a>> = "OpenId",
        /// The data given when signing.
        pub attach: Option<Str<'a>> = "Attach",
        /// What the user did: `unsubscribe`.
        pub action: Option<Str<'a>> = "Action",
        /// Apple's number of the first payment, the same for all later ones.
        pub original_transaction_id: Option<Str<'a>> = "AppleSubscriptionInfo/OriginalTransactionId",
        /// The product's id.
        pub product_id: Option<Str<'a>> = "AppleSubscriptionInfo/ProductId",
        /// Whether Apple will renew it: `0`, it will not.
        pub auto_renew_status: Option<i64> = "AppleSubscriptionInfo/AutoRenewStatus",
        /// When the paid period ends, in milliseconds since 1970.
        pub renewal_date: Option<i64> = "AppleSubscriptionInfo/RenewalDate",
        /// When the user ended it, in milliseconds since 1970.
        pub unsigned_time: Option<i64> = "AppleSubscriptionInfo/UnsignedTime",
    }
}

record! {
    /// Apple asks whether to refund a user.
    ///
    /// Apple asks up to three times and decides for itself; it considers the answer, and decides without
    /// one if none comes in time. `xpay_refund_notify` reports the decision.
    #[doc(alias("虚拟支付", "退款"))]
    pub struct XpaySubscribeIosRefundQueryNotify<'a> = "xpay_subscribe_ios_refund_query_notify" in ios_refunds
        => IosRefund("pay_order_id")
    {
        /// When the user asked for the refund.
        pub refund_time: Option<Str<'a>> = "refund_time",
        /// When the order was made.
        pub order_time: Option<Str<'a>> = "order_time",
        /// Apple's number of the order.
        pub channel_bill: Option<Str<'a>> = "channel_bill",
        /// The app's bundle id.
        pub bundleid: Option<Str<'a>> = "bundleid",
        /// The kind of service; its values are not documented.
        pub service_type: Option<Str<'a>> = "service_type",
        /// The product's id.
        pub product_id: Option<Str<'a>> = "product_id",
        /// How many.
        pub p_count: Option<Str<'a>> = "p_count",
        /// Why the user wants the refund.
        pub refund_request_reason: Option<Str<'a>> = "refund_request_reason",
        /// The delivery, as far as WeChat knows: `0` not delivered; `1` delivered; `2` in progress.
        pub provide_status: Option<Str<'a>> = "provide_status",
        /// How much of it was used; its values are not documented.
        pub consumption_status: Option<Str<'a>> = "consumption_status",
        /// WeChat's number of the order.
        pub pay_order_id: Option<Str<'a>> = "pay_order_id",
    }
}
