//! Mini programs that sell: shipping, settlements, payments between businesses, complaints.

use crate::text::Str;

use super::record::record;

record! {
    /// The mini program must report its shipments to WeChat.
    ///
    /// Otherwise its orders are not settled.
    #[doc(alias("发货信息管理"))]
    pub struct TradeManageRemindAccessApi<'a> = "trade_manage_remind_access_api" in deliveries => Success {
        /// What to do, in words.
        pub msg: Option<Str<'a>> = "msg",
    }
}

record! {
    /// An order has not been shipped.
    ///
    /// It was paid some time ago, and no shipment was reported to WeChat.
    #[doc(alias("发货信息管理"))]
    pub struct TradeManageRemindShipping<'a> = "trade_manage_remind_shipping" in deliveries => Success {
        /// WeChat Pay's number of the order.
        pub transaction_id: Option<Str<'a>> = "transaction_id",
        /// The merchant's number.
        pub merchant_id: Option<Str<'a>> = "merchant_id",
        /// The sub-merchant's number.
        pub sub_merchant_id: Option<Str<'a>> = "sub_merchant_id",
        /// The merchant's own number of the order.
        pub merchant_trade_no: Option<Str<'a>> = "merchant_trade_no",
        /// When it was paid, in seconds since 1970.
        pub pay_time: Option<i64> = "pay_time",
        /// What to do, in words.
        pub msg: Option<Str<'a>> = "msg",
    }
}

record! {
    /// An order is about to be settled, or has been.
    ///
    /// Pushed when it is shipped or received.
    #[doc(alias("订单结算"))]
    pub struct TradeManageOrderSettlement<'a> = "trade_manage_order_settlement" in deliveries => Success {
        /// WeChat Pay's number of the order.
        pub transaction_id: Option<Str<'a>> = "transaction_id",
        /// The merchant's number.
        pub merchant_id: Option<Str<'a>> = "merchant_id",
        /// The sub-merchant's number.
        pub sub_merchant_id: Option<Str<'a>> = "sub_merchant_id",
        /// The merchant's own number of the order.
        pub merchant_trade_no: Option<Str<'a>> = "merchant_trade_no",
        /// When it was paid, in seconds since 1970.
        pub pay_time: Option<i64> = "pay_time",
        /// When it was shipped, in seconds since 1970.
        pub shipped_time: Option<i64> = "shipped_time",
        /// When it will be settled, in seconds since 1970, once it was shipped.
        pub estimated_settlement_time: Option<i64> = "estimated_settlement_time",
        /// How receipt was confirmed: `1` automatically after a time; `2` by the user.
        pub confirm_receive_method: Option<i64> = "confirm_receive_method",
        /// When it was received, in seconds since 1970.
        pub confirm_receive_time: Option<i64> = "confirm_receive_time",
        /// When it was settled, in seconds since 1970.
        pub settlement_time: Option<i64> = "settlement_time",
        /// The same in words.
        pub msg: Option<Str<'a>> = "msg",
    }
}

record! {
    /// A business paid an order.
    ///
    /// Payment between businesses (B2b 门店助手).
    #[doc(alias("B2b支付"))]
    pub struct RetailPayNotify<'a> = "retail_pay_notify" in b2b => Success {
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The merchant's number.
        pub mchid: Option<Str<'a>> = "mchid",
        /// The merchant's own number of the order.
        pub out_trade_no: Option<Str<'a>> = "out_trade_no",
        /// WeChat's number of the order.
        pub order_id: Option<Str<'a>> = "order_id",
        /// `ORDER_PAY_SUCC` if it was paid.
        pub pay_status: Option<Str<'a>> = "pay_status",
        /// When it was paid, as `2023-07-30 17:04:28`.
        pub pay_time: Option<Str<'a>> = "pay_time",
        /// The data attached to the order.
        pub attach: Option<Str<'a>> = "attach",
        /// Who paid.
        pub payer_openid: Option<Str<'a>> = "payer_openid",
        /// What the order costs, in fen (分).
        pub order_amount: Option<i64> = "amount/order_amount",
        /// What was paid, in fen (分).
        pub payer_amount: Option<i64> = "amount/payer_amount",
        /// The currency, such as `CNY`.
        pub currency: Option<Str<'a>> = "amount/currency",
        /// WeChat Pay's number of the order.
        pub wxpay_transaction_id: Option<Str<'a>> = "wxpay_transaction_id",
        /// Where it was paid: `0` live; `1` in the sandbox.
        pub env: Option<i64> = "env",
    }
}

record! {
    /// A refund between businesses succeeded or failed.
    ///
    /// Payment between businesses (B2b 门店助手). WeChat pushes again after 10 s, 30 s, 60 s, and so on up to 12 h.
    #[doc(alias("B2b退款"))]
    pub struct RetailRefundNotify<'a> = "retail_refund_notify" in b2b => Success {
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "appid",
        /// The merchant's number.
        pub mchid: Option<Str<'a>> = "mchid",
        /// The merchant's own number of the refund.
        pub out_refund_no: Option<Str<'a>> = "out_refund_no",
        /// WeChat's number of the refund.
        pub refund_id: Option<Str<'a>> = "refund_id",
        /// The merchant's own number of the order.
        pub out_trade_no: Option<Str<'a>> = "out_trade_no",
        /// WeChat's number of the order.
        pub order_id: Option<Str<'a>> = "order_id",
        /// The refunded amount, in fen (分).
        pub refund_amount: Option<i64> = "refund_amount",
        /// What the order cost, in fen (分).
        pub order_amount: Option<i64> = "order_amount",
        /// Who requested it: `REFUND_FROM_USER`, or a number.
        pub refund_from: Option<Str<'a>> = "refund_from",
        /// Why: `REFUND_REASON_WILLING`, or a number.
        pub refund_reason: Option<Str<'a>> = "refund_reason",
        /// When it was requested, as `2023-07-30 17:04:23`.
        pub create_time: Option<Str<'a>> = "create_time",
        /// When it was refunded, as `2023-07-30 17:04:28`.
        pub refund_time: Option<Str<'a>> = "refund_time",
        /// The outcome: `REFUND_SUCC` or `REFUND_FAIL`.
        pub refund_status: Option<Str<'a>> = "refund_status",
        /// WeChat Pay's number of the refund.
        pub wxpay_refund_id: Option<Str<'a>> = "wxpay_refund_id",
        /// Where it was paid: `0` live; `1` in the sandbox.
        pub env: Option<i64> = "env",
        /// How it was paid: `0` WeChat Pay; `1` a bank transfer.
        pub pay_channel: Option<i64> = "pay_channel",
        /// The outcome in words.
        pub refund_desc: Option<Str<'a>> = "refund_desc",
    }
}

record! {
    /// A user complains about an order.
    ///
    /// Pushed at each step of the complaint.
    #[doc(alias("投诉"))]
    pub struct ComplaintCallback<'a> = "complaint_callback" in complaints => Success {
        /// The mini program's AppID.
        pub appid: Option<Str<'a>> = "BussiCallBackInfo/appid",
        /// Whether it is a new complaint or an update.
        pub option_type: Option<Str<'a>> = "BussiCallBackInfo/option_type",
        /// The complaint's id.
        pub complaint_order_id: Option<i64> = "BussiCallBackInfo/complaint_order_id",
        /// Who complains.
        pub open_id: Option<Str<'a>> = "BussiCallBackInfo/open_id",
        /// What the complaint is about, as a code.
        pub r#type: Option<i64> = "BussiCallBackInfo/type",
        /// The complaint's step, as a code such as `201`: it is the merchant's turn.
        pub status: Option<i64> = "BussiCallBackInfo/status",
        /// The user's telephone number.
        pub phone_number: Option<Str<'a>> = "BussiCallBackInfo/phone_number",
        /// What the user says.
        pub customer_material_content: Option<Str<'a>> = "BussiCallBackInfo/customer_material_content",
        /// The user's pictures; their URLs expire.
        pub customer_material_media_id_list: Vec<Str<'a>> = "BussiCallBackInfo/customer_material_media_id_list",
        /// WeChat Pay's number of the order.
        pub order_id: Option<Str<'a>> = "BussiCallBackInfo/order_id",
        /// The merchant's own number of the order.
        pub out_trade_no: Option<Str<'a>> = "BussiCallBackInfo/out_trade_no",
        /// What was sold.
        pub product_name: Option<Str<'a>> = "BussiCallBackInfo/product_name",
        /// When it was paid, in seconds since 1970.
        pub pay_time: Option<i64> = "BussiCallBackInfo/pay_time",
        /// What was paid, in fen (分).
        pub total_cost: Option<i64> = "BussiCallBackInfo/total_cost",
        /// When the complaint was made, in seconds since 1970.
        pub create_time: Option<i64> = "BussiCallBackInfo/create_time",
        /// When this step ends, in seconds since 1970.
        pub expire_time: Option<i64> = "BussiCallBackInfo/expire_time",
        /// The messages so far.
        pub history: Vec<ComplaintHistory<'a>> = "BussiCallBackInfo/history",
    }
}

record! {
    /// A message about a complaint.
    pub struct ComplaintHistory<'a> {
        /// When, in seconds since 1970.
        pub time: Option<i64> = "time",
        /// What was said.
        pub content: Option<Str<'a>> = "content",
        /// Pictures.
        pub media_id_list: Vec<Str<'a>> = "media_id_list",
    }
}
