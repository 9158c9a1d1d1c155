//! The `Payload` of a mini game's push.

use crate::text::Str;

use super::WeChatPayInfo;
use super::record::{Record, record};
use crate::fields::{Fields, Limits, Nodes};
use crate::pay_event::PayEventError;

record! {
    /// What a player paid for or was refunded: see [`Event::mini_game_payload`](crate::Event::mini_game_payload).
    pub struct MiniGamePayload<'a> {
        /// The player.
        pub open_id: Str<'a> = "OpenId",
        /// The order's number.
        pub out_trade_no: Str<'a> = "OutTradeNo",
        /// Where it was paid: `0` live; `1` in the sandbox, where nobody pays.
        pub env: i64 = "Env",
        /// The payment, if made with WeChat Pay.
        pub we_chat_pay_info: Option<WeChatPayInfo<'a>> = "WeChatPayInfo",
        /// The goods, if it was for goods.
        pub goods_info: Option<MiniGameGoodsInfo<'a>> = "GoodsInfo",
        /// The coins, if it was for coins.
        pub coin_info: Option<MiniGameCoinInfo<'a>> = "CoinInfo",
        /// WeChat's number of the refund, if it is one.
        pub refund_id: Option<Str<'a>> = "RefundId",
        /// The refunded amount, in fen (分).
        pub refund_amount: Option<i64> = "RefundAmount",
        /// Who asked for the refund: `1`, `2` or `3`; their meaning is not documented.
        pub refund_source: Option<i64> = "RefundSource",
    }
}

record! {
    /// The goods of a mini game's order.
    pub struct MiniGameGoodsInfo<'a> {
        /// The product's id.
        pub product_id: Option<Str<'a>> = "ProductId",
        /// How many.
        pub quantity: Option<i64> = "Quantity",
        /// The server or zone of the game.
        pub zone_id: Option<Str<'a>> = "ZoneId",
        /// The original price, in fen (分).
        pub orig_price: Option<i64> = "OrigPrice",
        /// What was paid, in fen (分).
        pub actual_price: Option<i64> = "ActualPrice",
        /// The data attached to the order.
        pub attach: Option<Str<'a>> = "Attach",
        /// Where it was ordered: `1`, `2` or `3`; their meaning is not documented.
        pub order_source: Option<i64> = "OrderSource",
    }
}

record! {
    /// The coins of a mini game's order.
    pub struct MiniGameCoinInfo<'a> {
        /// The server or zone of the game.
        pub zone_id: Option<Str<'a>> = "ZoneId",
        /// What was paid, in fen (分).
        pub actual_price: Option<i64> = "ActualPrice",
        /// How many.
        pub buy_quantity: Option<i64> = "BuyQuantity",
        /// The original price, in fen (分).
        pub orig_price: Option<i64> = "OrigPrice",
    }
}

impl MiniGamePayload<'static> {
    /// From JSON, by the rules for a push in JSON: numbers may be texts.
    pub(crate) fn read(text: &str) -> Result<Self, PayEventError> {
        let mut nodes = Nodes::new();
        let fields = Fields::read(text.as_bytes(), &Limits::default(), &mut nodes)?;
        Ok(Record::into_owned(<MiniGamePayload as Record>::read(fields.root())?))
    }
}
