//! Cards, gift cards, invoices, and the old shop.

use crate::text::Str;

use super::record::{names, record};

record! {
    /// A card template passed review.
    ///
    /// WeChat's reviewers approve a card that the account created.
    #[doc(alias("卡券", "审核通过"))]
    pub struct CardPassCheck<'a> = "card_pass_check" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
    }
}

record! {
    /// A card template failed review.
    ///
    /// WeChat's reviewers reject a card that the account created.
    #[doc(alias("卡券", "审核未通过"))]
    pub struct CardNotPassCheck<'a> = "card_not_pass_check" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// Why it was rejected.
        pub refuse_reason: Option<Str<'a>> = "RefuseReason",
    }
}

record! {
    /// A user received a card.
    ///
    /// A user takes a card, accepts one from a friend, or restores a deleted membership card.
    #[doc(alias("卡券", "领取卡券"))]
    pub struct UserGetCard<'a> = "user_get_card" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// Whether a friend passed it on.
        pub is_give_by_friend: Option<bool> = "IsGiveByFriend",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
        /// The friend's OpenID; else empty.
        pub friend_user_name: Option<Str<'a>> = "FriendUserName",
        /// The scene it was handed out in, a number; `OuterStr` has superseded it.
        pub outer_id: Option<Str<'a>> = "OuterId",
        /// The code before a friend passed it on; else empty.
        pub old_user_card_code: Option<Str<'a>> = "OldUserCardCode",
        /// The scene it was handed out in, for statistics.
        pub outer_str: Option<Str<'a>> = "OuterStr",
        /// Whether a deleted membership card was restored.
        pub is_restore_member_card: Option<bool> = "IsRestoreMemberCard",
        /// Whether a friend recommended it.
        pub is_recommend_by_friend: Option<bool> = "IsRecommendByFriend",
        /// The user's UnionID, where the account has one.
        #[doc(alias = "unionid")]
        pub union_id: Option<Str<'a>> = "UnionId",
        /// Where the user got it, as `SOURCE_SCENE_…`.
        pub source_scene: Option<Str<'a>> = "SourceScene",
    }
}

record! {
    /// A user passed a card on.
    ///
    /// A user gives a card to a friend or a group, or it comes back because nobody took it.
    #[doc(alias("卡券", "转赠卡券"))]
    pub struct UserGiftingCard<'a> = "user_gifting_card" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
        /// The receiver's OpenID; empty for a group.
        pub friend_user_name: Option<Str<'a>> = "FriendUserName",
        /// Whether the card came back unclaimed.
        pub is_return_back: Option<bool> = "IsReturnBack",
        /// Whether it was sent to a group.
        pub is_chat_room: Option<bool> = "IsChatRoom",
    }
}

record! {
    /// A user deleted a card.
    ///
    /// It is gone from the user's wallet.
    #[doc(alias("卡券", "删除卡券"))]
    pub struct UserDelCard<'a> = "user_del_card" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
    }
}

record! {
    /// A card was redeemed.
    ///
    /// That is done through the API, in the console, by the merchant's helper or by the user alone.
    #[doc(alias("卡券", "核销卡券"))]
    pub struct UserConsumeCard<'a> = "user_consume_card" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
        /// Where it was redeemed.
        pub consume_source: Option<ConsumeSource<'a>> = "ConsumeSource",
        /// The store's id; 0 when unknown.
        pub location_id: Option<i64> = "LocationId",
        /// The store's name.
        pub location_name: Option<Str<'a>> = "LocationName",
        /// The clerk's OpenID; only from the mobile helper.
        pub staff_open_id: Option<Str<'a>> = "StaffOpenId",
        /// The code that the user typed when redeeming alone.
        pub verify_code: Option<Str<'a>> = "VerifyCode",
        /// The amount that the user typed when redeeming alone.
        pub remark_amount: Option<Str<'a>> = "RemarkAmount",
        /// The scene it was handed out in, a number.
        pub outer_id: Option<Str<'a>> = "OuterId",
        /// What the account passed when redeeming.
        pub outer_str: Option<Str<'a>> = "OuterStr",
    }
}

names! {
    /// Where a card was redeemed.
    pub enum ConsumeSource {
        /// Through the API.
        Api = "FROM_API",
        /// In the console.
        Mp = "FROM_MP",
        /// By the merchant's mobile helper.
        MobileHelper = "FROM_MOBILE_HELPER",
    }
}

record! {
    /// A user paid a bill with a card.
    ///
    /// A user pays through the payment entry of a card, which redeems it.
    #[doc(alias("卡券", "买单"))]
    pub struct UserPayFromPayCell<'a> = "user_pay_from_pay_cell" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
        /// WeChat Pay's transaction id.
        pub trans_id: Option<Str<'a>> = "TransId",
        /// The store's id; 0 when unknown.
        pub location_id: Option<i64> = "LocationId",
        /// The store's name.
        pub location_name: Option<Str<'a>> = "LocationName",
        /// The amount paid, in cents (分).
        pub fee: Option<i64> = "Fee",
        /// The amount before the discount, in cents (分).
        pub original_fee: Option<i64> = "OriginalFee",
    }
}

record! {
    /// A user opened a membership card.
    ///
    /// A user opens a membership card in the wallet; pushed only if the card asks for it.
    #[doc(alias("会员卡", "进入会员卡"))]
    pub struct UserViewCard<'a> = "user_view_card" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
        /// The scene it was handed out in, a number.
        pub outer_id: Option<Str<'a>> = "OuterId",
        /// The scene of the QR code that led there.
        pub outer_str: Option<Str<'a>> = "OuterStr",
    }
}

record! {
    /// A user came from a card to the account.
    ///
    /// A user taps the account's name in a card and enters the conversation.
    #[doc(alias("卡券", "从卡券进入公众号"))]
    pub struct UserEnterSessionFromCard<'a> = "user_enter_session_from_card" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
    }
}

record! {
    /// A membership card's points or balance changed.
    ///
    /// The account changed them.
    #[doc(alias("会员卡", "会员卡内容更新"))]
    pub struct UpdateMemberCard<'a> = "update_member_card" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
        /// The change of the points, negative when taken.
        pub modify_bonus: Option<i64> = "ModifyBonus",
        /// The change of the balance, negative when spent.
        pub modify_balance: Option<i64> = "ModifyBalance",
    }
}

record! {
    /// A card's stock is low.
    ///
    /// A user asks for a card whose stock began above 200 and is now at most 100; at most every 12 hours.
    #[doc(alias("卡券", "库存报警"))]
    pub struct CardSkuRemind<'a> = "card_sku_remind" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The warning in words.
        pub detail: Option<Str<'a>> = "Detail",
    }
}

record! {
    /// The account's card-point balance changed.
    ///
    /// Points for friend-sharing coupons are bought, spent or refunded.
    #[doc(alias("卡券", "券点流水"))]
    pub struct CardPayOrder<'a> = "card_pay_order" in cards => Success {
        /// The order's id.
        pub order_id: Option<Str<'a>> = "OrderId",
        /// The order's state.
        pub status: Option<CardOrderStatus<'a>> = "Status",
        /// When the payment code was made, in seconds since 1970.
        pub create_order_time: Option<i64> = "CreateOrderTime",
        /// When it was paid, in seconds since 1970; 0 if not.
        pub pay_finish_time: Option<i64> = "PayFinishTime",
        /// How it was paid; may be empty.
        pub desc: Option<Str<'a>> = "Desc",
        /// Free points left, a number.
        pub free_coin_count: Option<Str<'a>> = "FreeCoinCount",
        /// Paid points left, a number.
        pub pay_coin_count: Option<Str<'a>> = "PayCoinCount",
        /// Free points that this order changed, a number.
        pub refund_free_coin_count: Option<Str<'a>> = "RefundFreeCoinCount",
        /// Paid points that this order changed, a number.
        pub refund_pay_coin_count: Option<Str<'a>> = "RefundPayCoinCount",
        /// The order's kind.
        pub order_type: Option<CardOrderType<'a>> = "OrderType",
        /// WeChat's remark on the change; may be empty.
        pub memo: Option<Str<'a>> = "Memo",
        /// The receipt's details; may be empty.
        pub receipt_info: Option<Str<'a>> = "ReceiptInfo",
    }
}

names! {
    /// The state of an order of card points.
    pub enum CardOrderStatus {
        /// Waiting for payment.
        Waiting = "ORDER_STATUS_WAITING",
        /// Paid.
        Succ = "ORDER_STATUS_SUCC",
        /// Points credited.
        FinanceSucc = "ORDER_STATUS_FINANCE_SUCC",
        /// Stock added.
        QuantitySucc = "ORDER_STATUS_QUANTITY_SUCC",
        /// Points refunded.
        HasRefund = "ORDER_STATUS_HAS_REFUND",
        /// The refund waits for confirmation.
        RefundWaiting = "ORDER_STATUS_REFUND_WAITING",
        /// Rolled back after a failure.
        Rollback = "ORDER_STATUS_ROLLBACK",
        /// A receipt was issued.
        HasReceipt = "ORDER_STATUS_HAS_RECEIPT",
    }
}

names! {
    /// The kind of an order of card points.
    pub enum CardOrderType {
        /// WeChat gave points.
        SysAdd = "ORDER_TYPE_SYS_ADD",
        /// Points were bought.
        Wxpay = "ORDER_TYPE_WXPAY",
        /// Unused stock became points again.
        Refund = "ORDER_TYPE_REFUND",
        /// Points were spent on stock.
        Reduce = "ORDER_TYPE_REDUCE",
        /// WeChat took points.
        SysReduce = "ORDER_TYPE_SYS_REDUCE",
    }
}

record! {
    /// A user activated a membership card.
    ///
    /// A user fills in and submits the one-tap activation form, or changes what was submitted.
    #[doc(alias("会员卡", "会员卡激活"))]
    pub struct SubmitMembercardUserInfo<'a> = "submit_membercard_user_info" in cards => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// The code of the user's card.
        pub user_card_code: Option<Str<'a>> = "UserCardCode",
    }
}

record! {
    /// A sub-merchant passed or failed review.
    ///
    /// WeChat reviews a sub-merchant for whom the account issues cards.
    #[doc(alias("卡券", "子商户审核"))]
    pub struct CardMerchantCheckResult<'a> = "card_merchant_check_result" in sub_merchants => Success {
        /// The sub-merchant's id.
        pub merchant_id: Option<Str<'a>> = "MerchantId",
        /// Whether it passed.
        pub is_pass: Option<bool> = "IsPass",
        /// Why it was rejected; empty when it passed.
        pub reason: Option<Str<'a>> = "Reason",
        /// The card template's id; seen in only one library.
        pub card_id: Option<Str<'a>> = "CardId",
    }
}

record! {
    /// A user paid for a gift card.
    ///
    /// They come from the account's shelf.
    #[doc(alias("礼品卡"))]
    pub struct GiftcardPayDone<'a> = "giftcard_pay_done" in gift_cards => Success {
        /// The gift-card shelf's id.
        pub page_id: Option<Str<'a>> = "PageId",
        /// The gift-card order's id.
        pub order_id: Option<Str<'a>> = "OrderId",
    }
}

record! {
    /// A user sent a gift card to a friend.
    ///
    /// A user who bought a gift card sends it on, or it comes back unclaimed after 24 hours.
    #[doc(alias("礼品卡"))]
    pub struct GiftcardSendToFriend<'a> = "giftcard_send_to_friend" in gift_cards => Success {
        /// The gift-card shelf's id.
        pub page_id: Option<Str<'a>> = "PageId",
        /// The gift-card order's id.
        pub order_id: Option<Str<'a>> = "OrderId",
        /// Whether the card came back unclaimed.
        pub is_return_back: Option<bool> = "IsReturnBack",
        /// Whether it was sent to a group.
        pub is_chat_room: Option<bool> = "IsChatRoom",
    }
}

record! {
    /// A user accepted a gift card.
    ///
    /// A friend takes the gift card that was sent.
    #[doc(alias("礼品卡"))]
    pub struct GiftcardUserAccept<'a> = "giftcard_user_accept" in gift_cards => Success {
        /// The gift-card shelf's id.
        pub page_id: Option<Str<'a>> = "PageId",
        /// The gift-card order's id.
        pub order_id: Option<Str<'a>> = "OrderId",
        /// Whether it was sent to a group.
        pub is_chat_room: Option<bool> = "IsChatRoom",
    }
}

record! {
    /// A user allowed or refused an invoice.
    ///
    /// A user confirms on the authorization page that an invoice may be issued for an order.
    #[doc(alias("发票"))]
    pub struct UserAuthorizeInvoice<'a> = "user_authorize_invoice" in invoices => Success {
        /// The order that was authorized; else empty or absent.
        pub succ_order_id: Option<Str<'a>> = "SuccOrderId",
        /// The order whose authorization failed; else empty or absent.
        pub fail_order_id: Option<Str<'a>> = "FailOrderId",
        /// The AppID that asked for the authorization.
        pub app_id: Option<Str<'a>> = "AppId|AuthorizeAppId",
        /// Where the user authorized.
        pub source: Option<InvoiceSource<'a>> = "Source|source",
        /// Not documented, and seen in only one library.
        pub event_key: Option<Str<'a>> = "EventKey",
    }
}

names! {
    /// Where a user authorized an invoice.
    pub enum InvoiceSource {
        /// A page inside WeChat.
        Web = "web",
        /// Another app.
        App = "app",
        /// A mini program.
        Wxa = "wxa",
        /// An ordinary web page.
        Wap = "wap",
    }
}

record! {
    /// Issuing an invoice succeeded or failed.
    ///
    /// WeChat's unified invoicing has finished a request of the account.
    #[doc(alias("发票"))]
    pub struct CloudInvoiceInvoiceresultEvent<'a> = "cloud_invoice_invoiceresult_event" in invoices => Success {
        /// The outcome; its codes are not documented.
        pub status: Option<i64> = "status",
        /// The serial number of the request (发票请求流水号).
        pub fpqqlsh: Option<Str<'a>> = "fpqqlsh",
        /// The seller's taxpayer number (纳税人识别号).
        pub nsrsbh: Option<Str<'a>> = "nsrsbh",
    }
}

record! {
    /// An invoice in a user's wallet changed state.
    ///
    /// An invoice is locked, redeemed for reimbursement, released or cancelled.
    #[doc(alias("发票"))]
    pub struct UpdateInvoiceStatus<'a> = "update_invoice_status" in invoice_states => Success {
        /// The card template's id.
        pub card_id: Option<Str<'a>> = "CardId",
        /// This user's invoice card's code.
        pub code: Option<Str<'a>> = "Code",
        /// The invoice's state.
        pub status: Option<InvoiceStatus<'a>> = "Status",
    }
}

names! {
    /// The state of an invoice.
    pub enum InvoiceStatus {
        /// Not locked.
        Init = "INVOICE_REIMBURSE_INIT",
        /// Locked: submitted for reimbursement.
        Lock = "INVOICE_REIMBURSE_LOCK",
        /// Reimbursed.
        Closure = "INVOICE_REIMBURSE_CLOSURE",
        /// Cancelled by a credit note.
        Cancel = "INVOICE_REIMBURSE_CANCEL",
    }
}

record! {
    /// A user submitted an invoice title.
    ///
    /// A user scans the merchant's code or opens its link and submits a saved invoice title.
    #[doc(alias("发票", "发票抬头"))]
    pub struct SubmitInvoiceTitle<'a> = "submit_invoice_title" in invoice_titles => Success {
        /// The name that the invoice is made out to.
        pub title: Option<Str<'a>> = "title",
        /// The telephone number.
        pub phone: Option<Str<'a>> = "phone",
        /// The taxpayer number; empty for a person.
        pub tax_no: Option<Str<'a>> = "tax_no",
        /// The address.
        pub addr: Option<Str<'a>> = "addr",
        /// The bank.
        pub bank_type: Option<Str<'a>> = "bank_type",
        /// The bank account's number.
        pub bank_no: Option<Str<'a>> = "bank_no",
        /// What the merchant attached to the code.
        pub attach: Option<Str<'a>> = "attach",
        /// Whether a company or a person.
        pub title_type: Option<InvoiceTitleType<'a>> = "title_type",
        /// Not documented, and seen in only one library.
        pub event_key: Option<Str<'a>> = "EventKey",
    }
}

names! {
    /// Whom an invoice is made out to.
    pub enum InvoiceTitleType {
        /// A company.
        Business = "InvoiceUserTitleBusinessType",
        /// A person.
        Person = "InvoiceUserTitlePersonType",
    }
}

record! {
    /// An order of the WeChat shop was paid.
    ///
    /// A buyer pays an order of the account's old WeChat shop.
    #[doc(alias("微信小店", "订单付款"))]
    pub struct MerchantOrder<'a> = "merchant_order" in none => Success {
        /// The order's id.
        pub order_id: Option<Str<'a>> = "OrderId",
        /// The order's state: `2` paid, to be shipped.
        pub order_status: Option<i64> = "OrderStatus",
        /// The product's id.
        pub product_id: Option<Str<'a>> = "ProductId",
        /// The chosen variants, as `id:value` pairs joined by semicolons.
        pub sku_info: Option<Str<'a>> = "SkuInfo",
    }
}
