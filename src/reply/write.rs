//! Replies as XML and JSON. The only place that decides what goes on the wire.

use super::split::{TEXT_LIMIT, cut};
use super::writer::{Writer, is_blank, tag};
use super::{ARTICLES, Article, IosRefund, Reply};
use crate::event::{Event, Takes};
use crate::fields::is_json;
use crate::shown;

/// What is written on the wire, and why it differs from the reply.
///
/// ```
/// use wechat_events::{Reply, parse_event};
///
/// let event = parse_event(
///     b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1</CreateTime>\
///       <MsgType>event</MsgType><Event>VIEW</Event></xml>",
/// )?;
/// let written = Reply::text("hello").write(&event, 1469066999);
/// assert_eq!(written.body, "success");
/// assert_eq!(written.refused.unwrap().to_string(), "WeChat takes no reply to `VIEW`");
/// # Ok::<(), wechat_events::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The answer: XML or JSON, `success` or nothing.
    pub body: String,
    /// Why the body is not the reply, or not all of it.
    pub refused: Option<Refused>,
}

/// Why a reply was not written, or only in part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// An XML answer to this kind would show WeChat's error message: `success` was written.
    #[error("WeChat takes no reply to `{name}`")]
    TakesNone {
        /// [`Event::name`], its first 64 characters.
        name: String,
    },
    /// What an answer to a new event, or to a new push of a platform, would do is not known: `success` was written.
    #[error("`{name}` is not known to this version, nor whether it takes a reply: `success` was written")]
    Unknown {
        /// [`Event::name`].
        name: String,
    },
    /// There is nobody to write to, or XML cannot hold the name: `success` was written.
    #[error("the push names no sender or no account")]
    NoSender,
    /// WeChat requires a code: code 0 was written, since the handler succeeded.
    #[error("WeChat takes a code in answer to `{name}`, not a reply")]
    TakesCode {
        /// [`Event::name`].
        name: String,
    },
    /// WeChat requires an opinion to pass on to Apple: `success` was written, which is not one.
    #[error("`{name}` asks whether to refund: answer with reply::IosRefund")]
    TakesOpinion {
        /// [`Event::name`].
        name: String,
    },
    /// This kind takes no code and no opinion: `success` was written.
    #[error("WeChat takes no code in answer to `{name}`")]
    TakesNoCode {
        /// [`Event::name`].
        name: String,
    },
    /// A user can be handed over, to a human or to WeChat's AI, only in answer to a message: `success` was written.
    #[error("a user can be handed over in answer to a message only, not to `{name}`")]
    NotAMessage {
        /// [`Event::name`], its first 64 characters.
        name: String,
    },
    /// A required field is empty, or has only characters that XML forbids: `success` was written.
    #[error("{field} is empty: `success` was written")]
    Empty {
        /// The element's name on the wire.
        field: &'static str,
    },
    /// A text over WeChat's limit: it was cut.
    #[error("Content is {bytes} bytes long, WeChat takes {limit}: it was cut, see Reply::to_custom_messages")]
    TooLong {
        /// Length of the text in UTF-8.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More articles than WeChat shows in answer to this kind: the first ones were written.
    #[error("{articles} articles, WeChat shows {limit} in answer to `{name}`: the others were left out")]
    TooManyArticles {
        /// [`Event::name`], its first 64 characters.
        name: String,
        /// Number of articles in the reply.
        articles: usize,
        /// Number of articles shown.
        limit: usize,
    },
}

impl Reply {
    /// Writes the reply in answer to a push, at the time `now` in seconds since 1970.
    ///
    /// If WeChat would refuse the reply, `success` is written, with the reason in [`Written::refused`]: a reply to a
    /// new event or a kind that takes none, an empty text, a push without a sender. Where WeChat requires a code,
    /// `success` is code 0. Text is escaped so that it cannot end its element, and characters that XML forbids are left
    /// out of XML. A push in JSON is answered in JSON, as for [cloud hosting].
    ///
    /// [cloud hosting]: https://developers.weixin.qq.com/miniprogram/dev/wxcloudrun/src/development/weixin/callback.html
    ///
    /// ```
    /// use wechat_events::{Reply, parse_event};
    ///
    /// let event = parse_event(
    ///     b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1</CreateTime>\
    ///       <MsgType>text</MsgType><Content>hi</Content></xml>",
    /// )?;
    /// assert_eq!(
    ///     Reply::text("]]>").write(&event, 1469066999).body,
    ///     "<xml><ToUserName><![CDATA[o_1]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
    ///      <CreateTime>1469066999</CreateTime><MsgType><![CDATA[text]]></MsgType>\
    ///      <Content><![CDATA[]]]]><![CDATA[>]]></Content></xml>"
    /// );
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn write(&self, event: &Event<'_>, now: i64) -> Written {
        let success = |refused| Written { body: "success".to_owned(), refused };
        let name = || shown::word(event.name());
        match (self, event.takes()) {
            (Reply::Raw(raw), _) => return Written { body: raw.body.clone(), refused: None },
            (Reply::Code(code), Takes::Code) => {
                return Written { body: written_code(event, code.err_code, &code.err_msg), refused: None };
            }
            (_, Takes::Code) => {
                let silent = matches!(self, Reply::Success | Reply::Empty);
                let refused = (!silent).then(|| Refused::TakesCode { name: name() });
                return Written { body: written_code(event, 0, "success"), refused };
            }
            (Reply::IosRefund(opinion), Takes::IosRefund) if is_blank(&opinion.evidence) => {
                return success(Some(Refused::Empty { field: "evidence" }));
            }
            (Reply::IosRefund(opinion), Takes::IosRefund) => {
                return Written { body: written_opinion(event, opinion), refused: None };
            }
            (_, Takes::IosRefund) => return success(Some(Refused::TakesOpinion { name: name() })),
            (Reply::Code(_) | Reply::IosRefund(_), _) => return success(Some(Refused::TakesNoCode { name: name() })),
            (Reply::Success, _) => return success(None),
            (Reply::Empty, _) => return Written { body: String::new(), refused: None },
            _ => {}
        }
        match self.check(event) {
            Err(refused) => success(Some(refused)),
            Ok(refused) => match self.document(event, itoa::Buffer::new().format(now)) {
                Some(body) => Written { body, refused },
                None => success(Some(Refused::NoSender)),
            },
        }
    }

    /// `Err`: nothing of it can be written. `Ok(Some)`: only part of it.
    fn check(&self, event: &Event<'_>) -> Result<Option<Refused>, Refused> {
        let name = || shown::word(event.name());
        let fill = |field, text: &str| if is_blank(text) { Err(Refused::Empty { field }) } else { Ok(()) };
        if !event.takes_reply() {
            return Err(match event.info() {
                Some(_) => Refused::TakesNone { name: name() },
                None => Refused::Unknown { name: name() },
            });
        }
        if is_blank(&event.from_user) || is_blank(&event.to_user) {
            return Err(Refused::NoSender);
        }
        match self {
            // These were written before.
            Reply::Success | Reply::Empty | Reply::Code(_) | Reply::IosRefund(_) | Reply::Raw(_) => {}
            Reply::Text(text) => {
                fill("Content", &text.content)?;
                if text.content.len() > TEXT_LIMIT {
                    return Ok(Some(Refused::TooLong { bytes: text.content.len(), limit: TEXT_LIMIT }));
                }
            }
            Reply::Image(image) => fill("MediaId", &image.media_id)?,
            Reply::Voice(voice) => fill("MediaId", &voice.media_id)?,
            Reply::Video(video) => fill("MediaId", &video.media_id)?,
            Reply::Music(music) => fill("ThumbMediaId", &music.thumb_media_id)?,
            Reply::News(news) => match (news.articles.len(), articles_for(event)) {
                (0, _) => return Err(Refused::Empty { field: "Articles" }),
                (articles, limit) if articles > limit => {
                    return Ok(Some(Refused::TooManyArticles { name: name(), articles, limit }));
                }
                _ => {}
            },
            Reply::TransferCustomerService(_) | Reply::TransferBizAiIvr if !event.is_message() => {
                return Err(Refused::NotAMessage { name: name() });
            }
            Reply::TransferBizAiIvr => {}
            Reply::TransferCustomerService(transfer) => {
                transfer.kf_account.as_deref().map_or(Ok(()), |account| fill("KfAccount", account))?;
            }
        }
        Ok(None)
    }

    /// `None` if XML cannot hold the names.
    fn document(&self, event: &Event<'_>, now: &str) -> Option<String> {
        let (json, mut lacks) = (is_json(event.body()), false);
        let document = Writer::document(json, self.room(event, now), |xml| {
            xml.text(tag!("ToUserName"), &event.from_user);
            xml.text(tag!("FromUserName"), &event.to_user);
            // A name with a character left out would be another user's.
            lacks = xml.lacks;
            xml.digits(tag!("CreateTime"), now);
            match self {
                Reply::Success | Reply::Empty | Reply::Code(_) | Reply::IosRefund(_) | Reply::Raw(_) => {}
                Reply::TransferBizAiIvr => xml.msg_type("transfer_biz_ai_ivr"),
                Reply::Text(text) => {
                    xml.msg_type("text");
                    xml.text(tag!("Content"), &cut(&text.content));
                }
                Reply::Image(image) => {
                    xml.msg_type("image");
                    xml.within(tag!("Image"), |xml| xml.text(tag!("MediaId"), &image.media_id));
                }
                Reply::Voice(voice) => {
                    xml.msg_type("voice");
                    xml.within(tag!("Voice"), |xml| xml.text(tag!("MediaId"), &voice.media_id));
                }
                Reply::Video(video) => {
                    xml.msg_type("video");
                    xml.within(tag!("Video"), |xml| {
                        xml.text(tag!("MediaId"), &video.media_id);
                        xml.option(tag!("Title"), video.title.as_deref());
                        xml.option(tag!("Description"), video.description.as_deref());
                    });
                }
                Reply::Music(music) => {
                    xml.msg_type("music");
                    xml.within(tag!("Music"), |xml| {
                        xml.option(tag!("Title"), music.title.as_deref());
                        xml.option(tag!("Description"), music.description.as_deref());
                        xml.option(tag!("MusicUrl"), music.music_url.as_deref());
                        xml.option(tag!("HQMusicUrl"), music.hq_music_url.as_deref());
                        xml.text(tag!("ThumbMediaId"), &music.thumb_media_id);
                    });
                }
                Reply::News(news) => {
                    xml.msg_type("news");
                    let articles: Vec<&Article> = news.articles.iter().take(articles_for(event)).collect();
                    xml.digits(tag!("ArticleCount"), itoa::Buffer::new().format(articles.len()));
                    xml.items(tag!("Articles"), &articles, |xml, article| {
                        xml.text(tag!("Title"), &article.title);
                        xml.text(tag!("Description"), &article.description);
                        xml.text(tag!("PicUrl"), &article.pic_url);
                        xml.text(tag!("Url"), &article.url);
                    });
                }
                Reply::TransferCustomerService(transfer) => {
                    xml.msg_type("transfer_customer_service");
                    if let Some(account) = &transfer.kf_account {
                        xml.within(tag!("TransInfo"), |xml| xml.text(tag!("KfAccount"), account));
                    }
                }
            }
        });
        (!lacks).then_some(document)
    }

    /// The expected length of the document, exact for a text in XML with nothing to escape: its `Vec` then has no spare
    /// capacity when it is sent.
    fn room(&self, event: &Event<'_>, now: &str) -> usize {
        match self {
            Reply::Text(text) => {
                let names = event.from_user.len() + event.to_user.len();
                TEXT.len() + names + now.len() + text.content.len().min(TEXT_LIMIT)
            }
            _ => 512,
        }
    }
}

/// A code as WeChat reads it, in the push's format.
fn written_code(event: &Event<'_>, code: i64, message: &str) -> String {
    Writer::document(is_json(event.body()), 64 + message.len(), |writer| {
        writer.digits(tag!("ErrCode"), itoa::Buffer::new().format(code));
        writer.text(tag!("ErrMsg"), message);
    })
}

fn written_opinion(event: &Event<'_>, opinion: &IosRefund) -> String {
    Writer::document(is_json(event.body()), 256, |writer| {
        writer.digits(tag!("result_code"), itoa::Buffer::new().format(opinion.result_code));
        writer.text(tag!("result_info"), &opinion.result_info);
        writer.text(tag!("evidence"), &opinion.evidence);
    })
}

/// The reply of a text with nothing filled in.
const TEXT: &str = "<xml><ToUserName><![CDATA[]]></ToUserName><FromUserName><![CDATA[]]></FromUserName>\
                    <CreateTime></CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[]]></Content></xml>";

/// How many articles WeChat shows in answer to this push.
fn articles_for(event: &Event<'_>) -> usize {
    let one = ["text", "image", "voice", "video", "news", "location"];
    if event.is_message() && one.iter().any(|name| name.eq_ignore_ascii_case(event.name())) { 1 } else { ARTICLES }
}
