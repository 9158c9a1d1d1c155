//! By what a push is known: in all its deliveries, and in the books of the account.

use super::Event;
use crate::dedup::DedupKey;
use crate::fields::{Element, Nodes, Path};
#[cfg(feature = "json")]
use crate::fields::{Fields, Limits};

impl Event<'_> {
    /// What every delivery of this push has in common and no other push has.
    ///
    /// The digest of its bytes; but virtual payments count their deliveries in `RetryTimes`, within the bytes. So where
    /// a kind has a [`business_key`](Event::business_key), it is the digest of `ToUserName` and that key, unless the key
    /// stands in a mini game's `Payload`: those are told by their bytes.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// let body = b"<xml><MsgType>text</MsgType><Content>hello</Content></xml>";
    /// let (first, retry) = (parse_event(body)?, parse_event(body)?);
    /// assert_eq!(first.dedup_key(), retry.dedup_key());
    ///
    /// let paid = |times: u32| format!(
    ///     "<xml><MsgType>event</MsgType><Event>xpay_goods_deliver_notify</Event><OpenId>o_1</OpenId>\
    ///      <OutTradeNo>7</OutTradeNo><RetryTimes>{times}</RetryTimes></xml>",
    /// );
    /// let (first, retry) = (paid(0), paid(1));
    /// assert_eq!(parse_event(first.as_bytes())?.dedup_key(), parse_event(retry.as_bytes())?.dedup_key());
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn dedup_key(&self) -> DedupKey {
        match self.key_paths() {
            // Whether it can be read is a question of features, and machines with others may share a store.
            [path, ..] if !path.starts_with(PAYLOAD) => match self.business_key() {
                Some(key) => DedupKey::of_bytes(joined([&*self.to_user, &*key]).as_bytes()),
                None => DedupKey::of_body(&self.body),
            },
            _ => DedupKey::of_body(&self.body),
        }
    }

    /// What the account's books know this by: the order, the refund, the complaint. `None` for what is no business.
    ///
    /// WeChat repeats a payment for hours, longer than any store remembers its [`dedup_key`](Event::dedup_key). So what
    /// is delivered for it has to be delivered once for this key: write the key to the same database, in the same
    /// transaction, under a unique constraint, and answer code 0 where it is there already.
    ///
    /// | events | made of |
    /// |---|---|
    /// | `xpay_goods_deliver_notify`, `xpay_coin_pay_notify`, `xpay_subscribe_pay_fail_notify` | `OpenId`, `OutTradeNo`, `Env` |
    /// | `xpay_subscribe_signing_result_notify` | `OpenId`, `OutTradeNo`, `ContractResult`, `CreateTime` |
    /// | `xpay_apple_subscribe_signing_result_notify` | of `AppleSubscriptionInfo`: `OriginalTransactionId`, `SignedTime` |
    /// | `xpay_apple_subscribe_unsigning_result_notify` | of `AppleSubscriptionInfo`: `OriginalTransactionId`, `UnsignedTime` |
    /// | `xpay_refund_notify` | `WxRefundId`, `RetCode`: a refund may fail first |
    /// | `xpay_complaint_notify` | `ComplaintId` |
    /// | `xpay_wxpay_callback_notify` | `AppId`, `MerchantCode`, `EventType`, `BusinessCode`, `BusinessState`, `BusinessTime` |
    /// | `xpay_subscribe_ios_refund_query_notify` | `pay_order_id` |
    /// | `minigame_deliver_goods` | `MiniGame/OrderId` |
    /// | the other mini games', with the feature `json` | of `MiniGame/Payload`: `OpenId`, `OutTradeNo`, `Env`; of a refund `RefundId` |
    ///
    /// `Env` tells the sandbox from the live shop: WeChat looks orders up by it, so both may have the same number. Where
    /// it is not given, as in WeChat's page of Apple's subscriptions, it is 0, the live one. Signing has `CreateTime`,
    /// since the end of a contract comes as the same event, and by which field it differs is not published.
    ///
    /// A text: the event's name, then each of these with its length in bytes in front, so that none can pass for part of
    /// another. `None` also where one of them is missing or blank.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// let paid = parse_event(
    ///     b"<xml><MsgType>event</MsgType><Event>xpay_goods_deliver_notify</Event><OpenId>o_1</OpenId>\
    ///       <OutTradeNo>20261129</OutTradeNo></xml>",
    /// )?;
    /// assert_eq!(paid.business_key().as_deref(), Some("25:xpay_goods_deliver_notify3:o_18:202611291:0"));
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn business_key(&self) -> Option<String> {
        let paths = self.key_paths();
        paths.first()?;
        let mut nodes = Nodes::new();
        let fields = self.read(&mut nodes)?;
        let texts: Option<Vec<String>> = paths.iter().map(|path| text_at(fields.root(), path)).collect();
        let texts = texts?;
        Some(joined(std::iter::once(self.name()).chain(texts.iter().map(String::as_str))))
    }

    fn key_paths(&self) -> &'static [&'static str] {
        self.entry.map_or(&[], |entry| entry.key)
    }
}

/// Where JSON stands in a text.
const PAYLOAD: &str = "MiniGame/Payload/";

/// The live shop, in the words of `Env`.
const LIVE: &str = "0";

/// A text that says something.
fn text_at(root: Element<'_, '_>, path: &str) -> Option<String> {
    let text = match path.strip_prefix(PAYLOAD) {
        None => root.first(Path::new(path)).map(|element| element.text().into()),
        Some(within) => {
            root.first(const { Path::new("MiniGame/Payload") }).and_then(|payload| text_within(&payload.text(), within))
        }
    };
    let text = text.filter(|text: &String| !text.trim().is_empty());
    if path.ends_with("Env") { text.or_else(|| Some(LIVE.to_owned())) } else { text }
}

#[cfg(feature = "json")]
fn text_within(payload: &str, path: &str) -> Option<String> {
    let mut nodes = Nodes::new();
    let fields = Fields::read(payload.as_bytes(), &Limits::NONE, &mut nodes).ok()?;
    Some(fields.root().first(Path::new(path))?.text().into())
}

#[cfg(not(feature = "json"))]
fn text_within(_: &str, _: &str) -> Option<String> {
    None
}

/// Each with its length in front: no character can go over from one to the next.
fn joined<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(|text| format!("{}:{text}", text.len())).collect()
}
