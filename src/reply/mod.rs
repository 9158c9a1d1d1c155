//! The replies that WeChat knows, with its limits.
//!
//! Source: <https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Passive_user_reply_message.html>

mod code;
mod custom;
mod split;
mod write;
mod writer;

use crate::text::Str;

pub use code::{Code, IosRefund, Raw};
pub use split::split_text;
pub use write::{Refused, Written};
pub(crate) use writer::Tag;
#[cfg(feature = "testing")]
pub(crate) use writer::{JsonString, has_forbidden};
#[cfg(feature = "aes")]
pub(crate) use writer::{Writer, tag};

/// Most articles in a news reply; only one in answer to what a user sends.
const ARTICLES: usize = 8;

/// An answer to a push.
///
/// A reply keeps all that it is given. [`write`](Reply::write) alone decides what goes on the wire: nothing in a reply,
/// except [`raw`](Reply::raw), can make WeChat show its error message.
///
/// ```
/// use wechat_events::reply::{Article, Music};
/// use wechat_events::{HandlerResult, Reply};
///
/// let reply = Reply::text("Welcome");
/// let reply = Reply::image("media id");
/// let reply = Reply::news([Article::new("Title", "Description", "https://e.com/a.jpg", "https://e.com/a")]);
/// let reply = Reply::from(Music::new("thumb media id").title("A song").music_url("https://e.com/a.mp3"));
///
/// // A text is a reply, and so is `()`, which means `success`.
/// let handled: HandlerResult = Ok("Welcome".into());
/// assert_eq!(handled?, Reply::text("Welcome"));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// With the feature `serde` it is `"success"`, `"empty"`, or its kind and fields, such as `{"text": {"content":
/// "hi"}}`.
#[doc(alias("被动回复"))]
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reply {
    /// `success`: received, nothing to say. Where WeChat requires a [code](Reply::code), code 0.
    Success,
    /// No bytes at all, which WeChat treats like `success`. Where it requires a code, the same as `Success`.
    Empty,
    /// A text.
    Text(Text),
    /// A picture.
    Image(Image),
    /// A voice message.
    Voice(Voice),
    /// A video.
    Video(Video),
    /// A piece of music.
    Music(Music),
    /// Articles, shown as cards.
    News(News),
    /// Hands the user over to a human agent.
    TransferCustomerService(TransferCustomerService),
    /// Lets WeChat's own AI answer the user (微信智能回复).
    ///
    /// Only in answer to messages, and only for accounts that have switched it on in WeChat's console, where available.
    TransferBizAiIvr,
    /// A code, where WeChat requires one.
    Code(Code),
    /// An opinion for Apple about a refund.
    IosRefund(IosRefund),
    /// A body of your own, which is not checked.
    Raw(Raw),
}

impl Reply {
    /// Whether it is a code that makes WeChat push a payment again.
    #[cfg(feature = "tokio")]
    pub(crate) fn asks_again(&self) -> bool {
        matches!(self, Reply::Code(code) if code.err_code != 0)
    }

    /// A text.
    ///
    /// A text of more than 2047 bytes is cut when it is written, where [`split_text`] would cut it, and ends in `…`;
    /// [`to_custom_messages`](Reply::to_custom_messages) keeps all of it. An empty one is written as `success`.
    ///
    /// ```
    /// use wechat_events::Reply;
    ///
    /// let Reply::Text(text) = Reply::text("长".repeat(1000)) else { panic!() };
    /// assert_eq!(text.content, "长".repeat(1000));
    /// ```
    #[doc(alias("回复文本消息"))]
    #[must_use]
    pub fn text(content: impl Into<String>) -> Reply {
        Reply::Text(Text { content: content.into() })
    }

    /// A picture that was uploaded before. Without a media id `success` is written.
    ///
    /// ```
    /// # use wechat_events::Reply;
    /// let Reply::Image(image) = Reply::image("media id") else { panic!() };
    /// assert_eq!(image.media_id, "media id");
    /// ```
    #[doc(alias("回复图片消息"))]
    #[must_use]
    pub fn image(media_id: impl Into<String>) -> Reply {
        Reply::Image(Image { media_id: media_id.into() })
    }

    /// A voice message that was uploaded before. Without a media id `success` is written.
    ///
    /// ```
    /// # use wechat_events::Reply;
    /// let Reply::Voice(voice) = Reply::voice("media id") else { panic!() };
    /// assert_eq!(voice.media_id, "media id");
    /// ```
    #[must_use]
    pub fn voice(media_id: impl Into<String>) -> Reply {
        Reply::Voice(Voice { media_id: media_id.into() })
    }

    /// A video that was uploaded before, without a title: for one with a title see [`Video`]. Without a media id it is
    /// written as `success`.
    ///
    /// ```
    /// # use wechat_events::Reply;
    /// # use wechat_events::reply::Video;
    /// assert_eq!(Reply::video("media id"), Video::new("media id").into());
    /// ```
    #[doc(alias("回复视频消息"))]
    #[must_use]
    pub fn video(media_id: impl Into<String>) -> Reply {
        Reply::Video(Video::new(media_id))
    }

    /// Articles, shown as cards.
    ///
    /// In answer to a text, image, voice, video or location message WeChat shows one article, otherwise eight: the
    /// first ones are written, and [`Written::refused`] says so. Without articles `success` is written.
    ///
    /// ```
    /// use wechat_events::Reply;
    /// use wechat_events::reply::Article;
    ///
    /// let Reply::News(news) = Reply::news([Article::new("Title", "", "", "https://e.com/a")]) else { panic!() };
    /// assert_eq!(news.articles.len(), 1);
    /// ```
    #[doc(alias("回复图文消息"))]
    #[must_use]
    pub fn news(articles: impl IntoIterator<Item = Article>) -> Reply {
        Reply::News(News { articles: articles.into_iter().collect() })
    }

    /// Hands the user over to a human agent, whoever is free.
    ///
    /// Only in answer to messages. For a particular agent see [`TransferCustomerService::to`].
    ///
    /// ```
    /// # use wechat_events::Reply;
    /// # use wechat_events::reply::TransferCustomerService;
    /// assert_eq!(Reply::transfer_customer_service(), TransferCustomerService::default().into());
    /// ```
    #[doc(alias("转客服"))]
    #[must_use]
    pub fn transfer_customer_service() -> Reply {
        Reply::TransferCustomerService(TransferCustomerService::default())
    }
}

/// A text; made by [`Reply::text`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Text {
    /// The content. Links written as `<a href="…">` work.
    pub content: String,
}

/// A picture; made by [`Reply::image`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Image {
    /// From an earlier upload.
    pub media_id: String,
}

/// A voice message; made by [`Reply::voice`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Voice {
    /// From an earlier upload.
    pub media_id: String,
}

/// A video.
///
/// ```
/// use wechat_events::Reply;
/// use wechat_events::reply::Video;
///
/// let reply = Reply::from(Video::new("media id").title("Title").description("What it shows"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Video {
    /// From an earlier upload.
    pub media_id: String,
    /// Shown above it.
    pub title: Option<String>,
    /// Shown below the title.
    pub description: Option<String>,
}

impl Video {
    /// A video that was uploaded before. Without a media id `success` is written.
    pub fn new(media_id: impl Into<String>) -> Video {
        Video { media_id: media_id.into(), title: None, description: None }
    }

    /// Sets the title.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Video {
        Video { title: Some(title.into()), ..self }
    }

    /// Sets the description.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Video {
        Video { description: Some(description.into()), ..self }
    }
}

/// A piece of music.
///
/// ```
/// use wechat_events::Reply;
/// use wechat_events::reply::Music;
///
/// let reply = Reply::from(Music::new("thumb media id").title("A song").hq_music_url("https://e.com/a.flac"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Music {
    /// Shown first.
    pub title: Option<String>,
    /// Shown below the title.
    pub description: Option<String>,
    /// The address of the music.
    pub music_url: Option<String>,
    /// The address of a better version for Wi-Fi.
    pub hq_music_url: Option<String>,
    /// The picture, from an earlier upload.
    pub thumb_media_id: String,
}

impl Music {
    /// Music with its picture, which WeChat requires: without one `success` is written.
    pub fn new(thumb_media_id: impl Into<String>) -> Music {
        let thumb_media_id = thumb_media_id.into();
        Music { title: None, description: None, music_url: None, hq_music_url: None, thumb_media_id }
    }

    /// Sets the title.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Music {
        Music { title: Some(title.into()), ..self }
    }

    /// Sets the description.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Music {
        Music { description: Some(description.into()), ..self }
    }

    /// Sets the address of the music.
    #[must_use]
    pub fn music_url(self, url: impl Into<String>) -> Music {
        Music { music_url: Some(url.into()), ..self }
    }

    /// Sets the address of a better version for Wi-Fi.
    #[must_use]
    pub fn hq_music_url(self, url: impl Into<String>) -> Music {
        Music { hq_music_url: Some(url.into()), ..self }
    }
}

/// Articles; made by [`Reply::news`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct News {
    /// One in answer to most messages, otherwise up to eight.
    pub articles: Vec<Article>,
}

/// One card of a news reply.
///
/// ```
/// let card = wechat_events::reply::Article::new("Title", "Description", "https://e.com/a.jpg", "https://e.com/a");
/// assert_eq!(card.pic_url, "https://e.com/a.jpg");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Article {
    /// Shown in large type.
    pub title: String,
    /// Shown in small type, and only if there is one article.
    pub description: String,
    /// The picture's address: JPG or PNG, 360 × 200 for the first and 200 × 200 for the others.
    pub pic_url: String,
    /// The address that a tap opens.
    pub url: String,
}

impl Article {
    /// A card. Any of the four may be empty.
    pub fn new(
        title: impl Into<String>,
        description: impl Into<String>,
        pic_url: impl Into<String>,
        url: impl Into<String>,
    ) -> Article {
        Article { title: title.into(), description: description.into(), pic_url: pic_url.into(), url: url.into() }
    }
}

/// Hands the user over to a human agent; see [`Reply::transfer_customer_service`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TransferCustomerService {
    /// The agent's account, such as `kf2001@gh_1`; `None` for whoever is free.
    pub kf_account: Option<String>,
}

impl TransferCustomerService {
    /// To a particular agent. WeChat transfers to nobody if that one is away; with an empty name `success` is written.
    ///
    /// ```
    /// # use wechat_events::{Reply, reply::TransferCustomerService};
    /// let reply = Reply::from(TransferCustomerService::to("kf2001@gh_1"));
    /// ```
    pub fn to(kf_account: impl Into<String>) -> TransferCustomerService {
        TransferCustomerService { kf_account: Some(kf_account.into()) }
    }
}

macro_rules! replies {
    ($($kind:ident)*) => {$(
        impl From<$kind> for Reply {
            fn from(reply: $kind) -> Reply {
                Reply::$kind(reply)
            }
        }
    )*};
}
use replies;
replies!(Text Image Voice Video Music News TransferCustomerService);

macro_rules! texts {
    ($($text:ty)*) => {$(
        impl From<$text> for Reply {
            fn from(content: $text) -> Reply {
                Reply::text(content)
            }
        }
    )*};
}
texts!(&str String &String Str<'_> &Str<'_>);

/// Means [`Reply::Success`].
impl From<()> for Reply {
    fn from((): ()) -> Reply {
        Reply::Success
    }
}
