//! How is it answered? The replies WeChat knows, with its limits.
//!
//! Source: <https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Passive_user_reply_message.html>

mod code;
mod write;

use std::borrow::Cow;

use crate::error::ReplyError;

pub use code::{Code, IosRefund, Raw};
pub(crate) use write::Tag;
#[cfg(feature = "testing")]
pub(crate) use write::{JsonString, has_forbidden};
pub use write::{Refused, Written};
#[cfg(feature = "aes")]
pub(crate) use write::{Writer, tag};

/// Bytes of UTF-8 that a text reply may have.
///
/// The official page said 2048 until 2014 and says nothing since; 2047 were seen to work.
const TEXT_LIMIT: usize = 2047;

/// Articles of a news reply; one only in answer to what a user sends.
const ARTICLES: usize = 8;

/// Stands at the end of a text that was cut.
const CUT: char = '…';

/// An answer to a push.
///
/// [`text`](Reply::text) never fails; the other constructors refuse what WeChat would refuse. Whatever a reply holds,
/// [`write`](Reply::write) puts nothing on the wire at which WeChat shows its fault line.
///
/// ```
/// use wechat_events::Reply;
/// use wechat_events::reply::{Article, Music};
///
/// let reply = Reply::text("Welcome");
/// let reply = Reply::image("media id")?;
/// let reply = Reply::news([Article::new("Title", "Description", "https://e.com/a.jpg", "https://e.com/a")])?;
/// let reply = Reply::from(Music::new("thumb media id")?.title("A song").music_url("https://e.com/a.mp3"));
/// # Ok::<(), wechat_events::ReplyError>(())
/// ```
///
/// With the feature `serde` it is `"success"`, `"empty"`, or its kind and fields, as `{"text": {"content": "hi"}}`.
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
    /// A text, cut where it is over WeChat's limit.
    ///
    /// A text of more than 2047 bytes is cut at a character and ends in `…`. An empty one is written as `success`,
    /// since WeChat refuses it. See [`try_text`](Reply::try_text) and [`split_text`].
    ///
    /// ```
    /// use wechat_events::Reply;
    ///
    /// let Reply::Text(text) = Reply::text("长".repeat(1000)) else { panic!() };
    /// assert_eq!(text.content, format!("{}…", "长".repeat(681)));
    /// ```
    #[must_use]
    pub fn text(content: impl Into<String>) -> Reply {
        let content = content.into();
        match cut(&content) {
            Cow::Owned(content) => Reply::Text(Text { content }),
            Cow::Borrowed(_) => Reply::Text(Text { content }),
        }
    }

    /// A text, or why WeChat would not take it.
    ///
    /// # Errors
    /// - `""`, or only characters that XML forbids: [`ReplyError::Empty`]
    /// - more than 2047 bytes: [`ReplyError::TooLong`]
    ///
    /// ```
    /// use wechat_events::Reply;
    ///
    /// let error = Reply::try_text("a".repeat(2048)).unwrap_err();
    /// assert_eq!(error.to_string(), "Content is 2048 bytes long, WeChat's limit is 2047");
    /// ```
    pub fn try_text(content: impl Into<String>) -> Result<Reply, ReplyError> {
        let content = filled(content, "Content")?;
        match content.len() {
            bytes if bytes > TEXT_LIMIT => Err(ReplyError::TooLong { bytes, limit: TEXT_LIMIT }),
            _ => Ok(Reply::Text(Text { content })),
        }
    }

    /// A picture that was uploaded before.
    ///
    /// # Errors
    /// [`ReplyError::Empty`] without a media id.
    ///
    /// ```
    /// # use wechat_events::Reply;
    /// assert_eq!(Reply::image("").unwrap_err().to_string(), "MediaId is empty");
    /// ```
    pub fn image(media_id: impl Into<String>) -> Result<Reply, ReplyError> {
        Ok(Reply::Image(Image { media_id: filled(media_id, "MediaId")? }))
    }

    /// A sound that was uploaded before.
    ///
    /// # Errors
    /// [`ReplyError::Empty`] without a media id.
    ///
    /// ```
    /// # use wechat_events::Reply;
    /// assert!(Reply::voice("media id").is_ok());
    /// ```
    pub fn voice(media_id: impl Into<String>) -> Result<Reply, ReplyError> {
        Ok(Reply::Voice(Voice { media_id: filled(media_id, "MediaId")? }))
    }

    /// Articles, shown as cards.
    ///
    /// In answer to a text, image, voice, video or location message WeChat shows one only: there the first is
    /// written, and [`Written::refused`] says so.
    ///
    /// # Errors
    /// [`ReplyError::Articles`] for none and for more than eight.
    ///
    /// ```
    /// # use wechat_events::Reply;
    /// assert_eq!(Reply::news([]).unwrap_err().to_string(), "a news reply has 1 to 8 articles, not 0");
    /// ```
    pub fn news(articles: impl IntoIterator<Item = Article>) -> Result<Reply, ReplyError> {
        let articles: Vec<_> = articles.into_iter().collect();
        match articles.len() {
            1..=ARTICLES => Ok(Reply::News(News { articles })),
            articles => Err(ReplyError::Articles { articles }),
        }
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
    #[must_use]
    pub fn transfer_customer_service() -> Reply {
        Reply::TransferCustomerService(TransferCustomerService::default())
    }
}

/// Takes a long text apart: pieces of at most 2047 bytes, one for each message.
///
/// Cuts behind a line feed where one stands in the second half of a piece, else between characters. One reply carries
/// one piece; the others are for the customer-service API, which has the same limit. Joined, they are the text.
///
/// ```
/// use wechat_events::reply::split_text;
///
/// let text = format!("{}\n{}", "a".repeat(2000), "b".repeat(100));
/// assert_eq!(split_text(&text).map(str::len).collect::<Vec<_>>(), [2001, 100]);
/// ```
pub fn split_text(content: &str) -> impl Iterator<Item = &str> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let window = rest.get(..boundary_below(rest, TEXT_LIMIT))?;
        let cut = match window.rfind('\n') {
            _ if window.len() == rest.len() => rest.len(),
            Some(line) if line >= TEXT_LIMIT / 2 => line + 1,
            _ => window.len(),
        };
        let (piece, behind) = rest.split_at_checked(cut)?;
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
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
/// let reply = Reply::from(Video::new("media id")?.title("Title").description("What it shows"));
/// # Ok::<(), wechat_events::ReplyError>(())
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
    /// A video that was uploaded before.
    ///
    /// # Errors
    /// [`ReplyError::Empty`] without a media id.
    pub fn new(media_id: impl Into<String>) -> Result<Video, ReplyError> {
        Ok(Video { media_id: filled(media_id, "MediaId")?, title: None, description: None })
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
/// let reply = Reply::from(Music::new("thumb media id")?.title("A song").hq_music_url("https://e.com/a.flac"));
/// # Ok::<(), wechat_events::ReplyError>(())
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
    /// Music with its picture, which WeChat insists on.
    ///
    /// # Errors
    /// [`ReplyError::Empty`] without a picture.
    pub fn new(thumb_media_id: impl Into<String>) -> Result<Music, ReplyError> {
        let thumb_media_id = filled(thumb_media_id, "ThumbMediaId")?;
        Ok(Music { title: None, description: None, music_url: None, hq_music_url: None, thumb_media_id })
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
    /// One to eight.
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
    /// To a certain human. WeChat transfers nobody if that one is away.
    ///
    /// # Errors
    /// [`ReplyError::Empty`] without an account.
    ///
    /// ```
    /// # use wechat_events::{Reply, reply::TransferCustomerService};
    /// let reply = Reply::from(TransferCustomerService::to("kf2001@gh_1")?);
    /// # Ok::<(), wechat_events::ReplyError>(())
    /// ```
    pub fn to(kf_account: impl Into<String>) -> Result<TransferCustomerService, ReplyError> {
        Ok(TransferCustomerService { kf_account: Some(filled(kf_account, "KfAccount")?) })
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

/// A text within WeChat's limit, visibly cut if it had to be.
fn cut(content: &str) -> Cow<'_, str> {
    if content.len() <= TEXT_LIMIT {
        return Cow::Borrowed(content);
    }
    let kept = content.get(..boundary_below(content, TEXT_LIMIT - CUT.len_utf8())).unwrap_or_default();
    Cow::Owned(format!("{kept}{CUT}"))
}

/// `str::floor_char_boundary`, which is younger than this crate's `rust-version`.
fn boundary_below(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rfind(|&index| text.is_char_boundary(index)).unwrap_or_default()
}

/// A text that has something to write.
fn filled(text: impl Into<String>, field: &'static str) -> Result<String, ReplyError> {
    let text = text.into();
    if write::is_blank(&text) { Err(ReplyError::Empty { field }) } else { Ok(text) }
}
