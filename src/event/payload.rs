//! What stands in the `Payload` of a mini game's push.

use crate::text::Str;

use super::WeChatPayInfo;
use super::record::{Record, record};
use crate::fields::{Fields, Limits, Nodes};
use crate::pay_event::PayEventError;

record! {
    /// What a player paid for, or got the money back for: see [`Event::mini_game_payload`](crate::Event::mini_game_payload).
    pub struct MiniGamePayload<'a> {
        /// The player.
        pub open_id: Str<'a> = "OpenId",
        /// The order's number.
        pub out_trade_no: Str<'a> = "OutTradeNo",
        /// Where it was paid: `0` live; `1` in the sandbox, where nobody pays.
        pub env: i64 = "Env",
        /// The payment, where it was WeChat Pay's.
        pub we_chat_pay_info: Option<WeChatPayInfo<'a>> = "WeChatPayInfo",
        /// The goods, where it was for some.
        pub goods_info: Option<MiniGameGoodsInfo<'a>> = "GoodsInfo",
        /// The coins, where it was for some.
        pub coin_info: Option<MiniGameCoinInfo<'a>> = "CoinInfo",
        /// WeChat's number of the refund, where it is one.
        pub refund_id: Option<Str<'a>> = "RefundId",
        /// What is paid back, in fen (分).
        pub refund_amount: Option<i64> = "RefundAmount",
        /// Who wanted the refund: `1`, `2` or `3`; what they mean is not documented.
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
        /// The part of the game's world.
        pub zone_id: Option<Str<'a>> = "ZoneId",
        /// What they cost, in fen (分).
        pub orig_price: Option<i64> = "OrigPrice",
        /// What was paid, in fen (分).
        pub actual_price: Option<i64> = "ActualPrice",
        /// What was given with the order.
        pub attach: Option<Str<'a>> = "Attach",
        /// Where it was ordered: `1`, `2` or `3`; what they mean is not documented.
        pub order_source: Option<i64> = "OrderSource",
    }
}

record! {
    /// The coins of a mini game's order.
    pub struct MiniGameCoinInfo<'a> {
        /// The part of the game's world.
        pub zone_id: Option<Str<'a>> = "ZoneId",
        /// What was paid, in fen (分).
        pub actual_price: Option<i64> = "ActualPrice",
        /// How many.
        pub buy_quantity: Option<i64> = "BuyQuantity",
        /// What they cost, in fen (分).
        pub orig_price: Option<i64> = "OrigPrice",
    }
}

impl MiniGamePayload<'static> {
    /// From JSON, by the rules of a push in JSON: numbers may be texts.
    pub(crate) fn read(text: &str) -> Result<Self, PayEventError> {
        let mut nodes = Nodes::new();
        let fields = Fields::read(text.as_bytes(), &Limits::default(), &mut nodes)?;
        Ok(Record::into_owned(<MiniGamePayload as Record>::read(fields.root())?))
    }
}
