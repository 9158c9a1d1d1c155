//! Mini games: purchases, gifts, coins and refunds of players.
//!
//! WeChat expects a code in the clear, in every mode, within 3 s, and pushes again until it is 0: goods for a
//! day, coins and refunds for half a day.
//!
//! What was paid is in `Payload`, JSON in a text, with its own signature: with the feature `minigame`,
//! `Event::mini_game_payload` checks it and reads the payload. Deliver nothing before that, nor for a push
//! whose [`is_mock`](MinigameH5GoodsDeliverNotify::is_mock) is set.

use crate::text::Str;

use super::record::record;

record! {
    /// A player paid for goods in the shop: deliver them.
    ///
    /// The shop is outside the game (道具直购, 商城).
    #[doc(alias("小游戏", "道具发货"))]
    pub struct MinigameH5GoodsDeliverNotify<'a> = "minigame_h5_goods_deliver_notify" in mini_game_goods
        => Code("MiniGame/Payload/OpenId", "MiniGame/Payload/OutTradeNo", "MiniGame/Payload/Env")
    {
        /// What was paid, as JSON in a text.
        pub payload: Str<'a> = "MiniGame/Payload",
        /// WeChat's signature of the event's name and the payload: 64 hexadecimal digits.
        pub pay_event_sig: Str<'a> = "MiniGame/PayEventSig",
        /// Whether WeChat's console is only testing the address: then there is nothing to deliver.
        pub is_mock: Option<bool> = "MiniGame/IsMock",
    }
}

record! {
    /// A player paid for goods in the shop, by another name.
    ///
    /// WeChat's sample of the signature has this name, its table `minigame_h5_goods_deliver_notify`.
    #[doc(alias("小游戏", "道具发货"))]
    pub struct MinigameDeliverH5PayProducts<'a> = "minigame_deliver_h5_pay_products" in mini_game_events
        => Code("MiniGame/Payload/OpenId", "MiniGame/Payload/OutTradeNo", "MiniGame/Payload/Env")
    {
        /// What was paid, as JSON in a text.
        pub payload: Str<'a> = "MiniGame/Payload",
        /// WeChat's signature of the event's name and the payload: 64 hexadecimal digits.
        pub pay_event_sig: Str<'a> = "MiniGame/PayEventSig",
        /// Whether WeChat's console is only testing the address: then there is nothing to deliver.
        pub is_mock: Option<bool> = "MiniGame/IsMock",
    }
}

record! {
    /// A player paid for goods in the game: deliver them.
    ///
    /// The game itself sold them (道具直购, 游戏内).
    #[doc(alias("小游戏", "道具发货"))]
    pub struct MinigameGamePayGoodsDeliverNotify<'a> = "minigame_game_pay_goods_deliver_notify" in mini_game_goods
        => Code("MiniGame/Payload/OpenId", "MiniGame/Payload/OutTradeNo", "MiniGame/Payload/Env")
    {
        /// What was paid, as JSON in a text.
        pub payload: Str<'a> = "MiniGame/Payload",
        /// WeChat's signature of the event's name and the payload: 64 hexadecimal digits.
        pub pay_event_sig: Str<'a> = "MiniGame/PayEventSig",
        /// Whether WeChat's console is only testing the address: then there is nothing to deliver.
        pub is_mock: Option<bool> = "MiniGame/IsMock",
    }
}

record! {
    /// A player takes a gift: deliver it.
    ///
    /// Gifts are free, and the pushes seen had no payload, signature or mock flag; these are read if present.
    /// WeChat pushes again after 2, 4, 8 minutes and so on, and withdraws the gift if too many deliveries fail.
    #[doc(alias("小游戏", "礼包"))]
    pub struct MinigameDeliverGoods<'a> = "minigame_deliver_goods" in mini_game_gifts => Code("MiniGame/OrderId") {
        /// The delivery's number: one gift to one player.
        pub order_id: Option<Str<'a>> = "MiniGame/OrderId",
        /// Whether WeChat's console is only testing it.
        pub is_preview: Option<bool> = "MiniGame/IsPreview",
        /// Who gets the gift.
        pub to_user_openid: Option<Str<'a>> = "MiniGame/ToUserOpenid",
        /// The server or zone of the game.
        pub zone: Option<i64> = "MiniGame/Zone",
        /// The kind of gift.
        pub gift_type_id: Option<i64> = "MiniGame/GiftTypeId",
        /// The gift's id in WeChat's console.
        pub gift_id: Option<Str<'a>> = "MiniGame/GiftId",
        /// When the player took it, in seconds since 1970.
        pub send_time: Option<i64> = "MiniGame/SendTime",
        /// What is in it.
        pub goods_list: Vec<GiftGoods<'a>> = "MiniGame/GoodsList",
        /// What was paid, as JSON in a text.
        pub payload: Option<Str<'a>> = "MiniGame/Payload",
        /// WeChat's signature of the event's name and the payload.
        pub pay_event_sig: Option<Str<'a>> = "MiniGame/PayEventSig",
        /// Whether WeChat's console is only testing the address: then there is nothing to deliver.
        pub is_mock: Option<bool> = "MiniGame/IsMock",
    }
}

record! {
    /// An item of a gift.
    pub struct GiftGoods<'a> {
        /// Its id in WeChat's console.
        pub id: Option<Str<'a>> = "Id",
        /// How many.
        pub num: Option<i64> = "Num",
    }
}

record! {
    /// A player's coins were credited.
    ///
    /// WeChat keeps the balance. Its sample has neither `ToUserName` nor `FromUserName`.
    #[doc(alias("小游戏", "代币"))]
    pub struct MinigameCoinDeliverCompleted<'a> = "minigame_coin_deliver_completed" in mini_game_events
        => Code("MiniGame/Payload/OpenId", "MiniGame/Payload/OutTradeNo", "MiniGame/Payload/Env")
    {
        /// What was paid, as JSON in a text.
        pub payload: Str<'a> = "MiniGame/Payload",
        /// WeChat's signature of the event's name and the payload: 64 hexadecimal digits.
        pub pay_event_sig: Str<'a> = "MiniGame/PayEventSig",
        /// Whether WeChat's console is only testing the address: then there is nothing to deliver.
        pub is_mock: Option<bool> = "MiniGame/IsMock",
    }
}

record! {
    /// A player was refunded.
    ///
    /// What was delivered for it may be taken back.
    #[doc(alias("小游戏", "退款"))]
    pub struct MinigamePayRefundSuccNotify<'a> = "minigame_pay_refund_succ_notify" in mini_game_events
        => Code("MiniGame/Payload/RefundId")
    {
        /// What was paid, as JSON in a text.
        pub payload: Str<'a> = "MiniGame/Payload",
        /// WeChat's signature of the event's name and the payload: 64 hexadecimal digits.
        pub pay_event_sig: Str<'a> = "MiniGame/PayEventSig",
        /// Whether WeChat's console is only testing the address: then there is nothing to deliver.
        pub is_mock: Option<bool> = "MiniGame/IsMock",
    }
}

record! {
    /// A player's coins from the recharge centre were credited.
    ///
    /// The player bought them outside the game.
    #[doc(alias("小游戏", "充值中心"))]
    pub struct MinigameRechargeCenterCoinDeliverCompleted<'a> = "minigame_recharge_center_coin_deliver_completed" in mini_game_events
        => Code("MiniGame/Payload/OpenId", "MiniGame/Payload/OutTradeNo", "MiniGame/Payload/Env")
    {
        /// What was paid, as JSON in a text.
        pub payload: Str<'a> = "MiniGame/Payload",
        /// WeChat's signature of the event's name and the payload: 64 hexadecimal digits.
        pub pay_event_sig: Str<'a> = "MiniGame/PayEventSig",
        /// Whether WeChat's console is only testing the address: then there is nothing to deliver.
        pub is_mock: Option<bool> = "MiniGame/IsMock",
    }
}
