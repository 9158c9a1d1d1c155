//! How is it answered? The replies WeChat knows, with its limits.
//!
//! Source: <https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Passive_user_reply_message.html>

mod code;
mod custom;
mod split;
mod write;

use crate::text::Str;

pub use code::{Code, IosRefund, Raw};
pub use split::split_text;
pub(crate) use write::Tag;
#[cfg(feature = "testing")]
pub(crate) use write::{JsonString, has_forbidden};
pub use write::{Refused, Written};
#[cfg(feature = "aes")]
pub(crate) use write::{Writer, tag};

/// Articles of a news reply; one only in answer to what a user sends.
const ARTICLES: usize = 8;

/// An answer to a push.
///
/// It keeps all that it is given. [`write`](Reply::write) alone decides what goes on the wire: of what a reply holds but
/// for [`raw`](Reply::raw), nothing makes WeChat show its fault line.
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
/// // A text is a reply, and so is `()`, which says nothing.
/// let handled: HandlerResult = Ok("Welcome".into());
/// assert_eq!(handled?, Reply::text("Welcome"));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// With the feature `serde` it is `"success"`, `"empty"`, or its kind and fields, as `{"text": {"content": "hi"}}`.
#[doc(alias("被动回复"))]
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reply {
    /// `success`: received, and nothing to say. Where WeChat demands a [code](Reply::code), code 0.
    Success,
    /// No bytes at all, which WeChat takes as it does `success`. Where it demands a code, the same as `Success`.
    Empty,
    /// A text.
    Text(Text),
    /// A picture.
    Image(Image),
    /// A sound.
    Voice(Voice),
    /// A video.
    Video(Video),
    /// A piece of music.
    Music(Music),
    /// Articles, shown as cards.
    News(News),
    /// The user goes on with a human.
    TransferCustomerService(TransferCustomerService),
    /// WeChat's own AI answers the user (微信智能回复).
    ///
    /// In answer to messages only, and only of accounts that have switched it on in WeChat's console, where it is offered.
    TransferBizAiIvr,
    /// A code, where WeChat demands one.
    Code(Code),
    /// What Apple is told about a refund.
    IosRefund(IosRefund),
    /// A body of one's own, which nobody checks.
    Raw(Raw),
}

impl Reply {
    /// Whether it is a code by which WeChat pushes a payment again.
    #[cfg(feature = "tokio")]
    pub(crate) fn asks_again(&self) -> bool {
        matches!(self, Reply::Code(code) if code.err_code != 0)
    }

    /// A text.
    ///
    /// One of more than 2047 bytes is cut when it is written, as [`split_text`] would, and ends in `…`;
    /// [`to_custom_messages`](Reply::to_custom_messages) has it whole. An empty one is written as `success`.
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

    /// A picture that was uploaded before. Without a media id it is written as `success`.
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

    /// A sound that was uploaded before. Without a media id it is written as `success`.
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
    /// In answer to a text, image, voice, video or location message WeChat shows one, else eight: the first are written,
    /// and [`Written::refused`] says so. Without any, `success` is written.
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

    /// Hands the user over to a human: to whoever is free.
    ///
    /// In answer to messages only. For a certain human see [`TransferCustomerService::to`].
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
    /// What it says. Links as `<a href="…">` work.
    pub content: String,
}

/// A picture; made by [`Reply::image`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Image {
    /// Of an earlier upload.
    pub media_id: String,
}

/// A sound; made by [`Reply::voice`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Voice {
    /// Of an earlier upload.
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
    /// Of an earlier upload.
    pub media_id: String,
    /// Shown above it.
    pub title: Option<String>,
    /// Shown below the title.
    pub description: Option<String>,
}

impl Video {
    /// A video that was uploaded before. Without a media id it is written as `success`.
    pub fn new(media_id: impl Into<String>) -> Video {
        Video { media_id: media_id.into(), title: None, description: None }
    }

    /// The same with a title.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Video {
        Video { title: Some(title.into()), ..self }
    }

    /// The same with a description.
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
    /// The sound.
    pub music_url: Option<String>,
    /// The sound for those on Wi-Fi.
    pub hq_music_url: Option<String>,
    /// The picture: of an earlier upload.
    pub thumb_media_id: String,
}

impl Music {
    /// Music with its picture, which WeChat insists on: without one it is written as `success`.
    pub fn new(thumb_media_id: impl Into<String>) -> Music {
        let thumb_media_id = thumb_media_id.into();
        Music { title: None, description: None, music_url: None, hq_music_url: None, thumb_media_id }
    }

    /// The same with a title.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Music {
        Music { title: Some(title.into()), ..self }
    }

    /// The same with a description.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Music {
        Music { description: Some(description.into()), ..self }
    }

    /// The same with a sound.
    #[must_use]
    pub fn music_url(self, url: impl Into<String>) -> Music {
        Music { music_url: Some(url.into()), ..self }
    }

    /// The same with a sound for those on Wi-Fi.
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
    /// One in answer to most messages, else up to eight.
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
    /// Shown large.
    pub title: String,
    /// Shown small, and only if the article stands alone.
    pub description: String,
    /// The picture's address: JPG or PNG, 360 × 200 for the first and 200 × 200 for the others.
    pub pic_url: String,
    /// Where a touch leads.
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

/// The user goes on with a human; see [`Reply::transfer_customer_service`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TransferCustomerService {
    /// The human's account, such as `kf2001@gh_1`; whoever is free if `None`.
    pub kf_account: Option<String>,
}

impl TransferCustomerService {
    /// To a certain human. WeChat transfers nobody if that one is away; with an empty name it is written as `success`.
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

/// Nothing to say: [`Reply::Success`].
impl From<()> for Reply {
    fn from((): ()) -> Reply {
        Reply::Success
    }
}
