//! The keys of a push: for its deliveries, and for the account's database.

use super::Event;
use crate::dedup::DedupKey;
use crate::fields::{Element, Nodes, Path};
#[cfg(feature = "json")]
use crate::fields::{Fields, Limits};

impl Event<'_> {
    /// The key shared by all deliveries of this push and by no other push.
    ///
    /// It is the digest of the bytes. But virtual payments count their deliveries in `RetryTimes`, within the bytes, so
    /// if a kind has a [`business_key`](Event::business_key), it is the digest of `ToUserName` and that key. The
    /// exception is a key from a mini game's `Payload`: such pushes are identified by their bytes.
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
            // Whether `Payload` can be read depends on features, and machines with other features may share a store.
            [path, ..] if !path.starts_with(PAYLOAD) => match self.business_key() {
                Some(key) => DedupKey::of_bytes(joined([&*self.to_user, &*key]).as_bytes()),
                None => DedupKey::of_body(&self.body),
            },
            _ => DedupKey::of_body(&self.body),
        }
    }

    /// The key of this business case for your database: the order, refund or complaint. `None` for other pushes.
    ///
    /// WeChat repeats a payment for hours, longer than any store keeps its [`dedup_key`](Event::dedup_key). So deliver
    /// goods once per business key: write the key to the same database in the same transaction, under a unique
    /// constraint, and answer code 0 if it is there already.
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
    /// `Env` distinguishes the sandbox from the live shop, where an order may have the same number. If it is absent, as on
    /// WeChat's page about Apple's subscriptions, it counts as 0, live. Signing includes `CreateTime`, since the end of a
    /// contract is pushed as the same event, and the field that differs is not published.
    ///
    /// A text: the event's name, then each of these preceded by its length in bytes, so that no two keys can be
    /// confused. Also `None` if one of them is missing or blank.
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

/// The path of JSON within a text.
const PAYLOAD: &str = "MiniGame/Payload/";

/// The value of `Env` for the live shop.
const LIVE: &str = "0";

/// A text that is not blank; for `Env` the default, if it is absent.
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

/// Each text preceded by its length: no character can move from one to the next.
fn joined<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(|text| format!("{}:{text}", text.len())).collect()
}
