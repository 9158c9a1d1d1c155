//! Replies as messages of the customer-service API, for what no delivery can carry any more.
//!
//! Source: <https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage>

use super::writer::{Tag, Writer, is_blank, tag};
use super::{Reply, split_text};

impl Reply {
    /// The reply as bodies for the customer-service API (客服消息), one for each message, in order.
    ///
    /// Each is the JSON to POST to `https://api.weixin.qq.com/cgi-bin/message/custom/send?access_token=…`; this method
    /// does not call the API. For accounts that have that API it is the way to send a late reply: five messages within
    /// 48 hours of what a user sends, three within a minute of a menu event, a scan or a subscribe.
    ///
    /// | reply | messages |
    /// |---|---|
    /// | `Text` | one for each piece of [`split_text`] |
    /// | `Image`, `Voice`, `Music` | one |
    /// | `Video` | one, without the `thumb_media_id` that the API's page has and a reply does not |
    /// | `News` | one for each article, since the API takes one article per message |
    /// | `Success`, `Empty` | none: there is nothing to say |
    /// | `TransferCustomerService`, `TransferBizAiIvr`, `Code`, `IosRefund`, `Raw` | none: the API has no such message |
    /// | an empty text, a reply without its media id | none: WeChat would refuse it |
    ///
    /// ```
    /// use wechat_events::Reply;
    ///
    /// assert_eq!(
    ///     Reply::text("At last").to_custom_messages("o_1"),
    ///     [r#"{"touser":"o_1","msgtype":"text","text":{"content":"At last"}}"#]
    /// );
    /// assert_eq!(Reply::text("长".repeat(1000)).to_custom_messages("o_1").len(), 2);
    /// assert!(Reply::Success.to_custom_messages("o_1").is_empty());
    /// ```
    #[doc(alias("客服消息"))]
    #[must_use]
    pub fn to_custom_messages(&self, open_id: &str) -> Vec<String> {
        let message = |kind: Tag, inside: &dyn Fn(&mut Writer)| {
            Writer::document(true, 128, |json| {
                json.text(tag!("touser"), open_id);
                json.word(tag!("msgtype"), kind.name);
                json.within(kind, inside);
            })
        };
        let one = |required: &str, kind: Tag, inside: &dyn Fn(&mut Writer)| {
            if is_blank(required) { vec![] } else { vec![message(kind, inside)] }
        };
        match self {
            Reply::Text(text) if is_blank(&text.content) => vec![],
            Reply::Text(text) => split_text(&text.content)
                .map(|piece| message(tag!("text"), &|json| json.text(tag!("content"), piece)))
                .collect(),
            Reply::Image(image) => one(&image.media_id, tag!("image"), &|json| {
                json.text(tag!("media_id"), &image.media_id);
            }),
            Reply::Voice(voice) => one(&voice.media_id, tag!("voice"), &|json| {
                json.text(tag!("media_id"), &voice.media_id);
            }),
            Reply::Video(video) => one(&video.media_id, tag!("video"), &|json| {
                json.text(tag!("media_id"), &video.media_id);
                json.option(tag!("title"), video.title.as_deref());
                json.option(tag!("description"), video.description.as_deref());
            }),
            Reply::Music(music) => one(&music.thumb_media_id, tag!("music"), &|json| {
                json.option(tag!("title"), music.title.as_deref());
                json.option(tag!("description"), music.description.as_deref());
                json.option(tag!("musicurl"), music.music_url.as_deref());
                json.option(tag!("hqmusicurl"), music.hq_music_url.as_deref());
                json.text(tag!("thumb_media_id"), &music.thumb_media_id);
            }),
            Reply::News(news) => (news.articles.iter())
                .map(|article| {
                    message(tag!("news"), &|json| {
                        json.items(tag!("articles"), &[article], |json, article| {
                            json.text(tag!("title"), &article.title);
                            json.text(tag!("description"), &article.description);
                            json.text(tag!("url"), &article.url);
                            json.text(tag!("picurl"), &article.pic_url);
                        });
                    })
                })
                .collect(),
            Reply::Success
            | Reply::Empty
            | Reply::TransferCustomerService(_)
            | Reply::TransferBizAiIvr
            | Reply::Code(_)
            | Reply::IosRefund(_)
            | Reply::Raw(_) => vec![],
        }
    }
}
