//! What happened? Fields become an [`Event`] with a typed [`Kind`].
//!
#![doc = include_str!("kinds.md")]
//!
//! Every kind is a struct here, a variant of [`Kind`] and a line of [`KINDS`]. Its page shows what triggers it, what may
//! be answered, where WeChat describes it, a sample push, and the event that this becomes. The search knows them by their
//! Chinese names too, but for that of rustdoc 1.95, which loses such names of structs.
//!
//! Nearly every field is optional, since real pushes lack what the official pages promise. Ids are texts; a number
//! that does not read as one is `None`, and its text is still there through [`Event::field`]. Texts of which WeChat
//! documents the values are enums with `Other`.
//!
//! # What is not typed
//! Pushes of shops (微信小店), delivery firms (即时配送) and whatever is new arrive as [`Kind::Unknown`]: match them by
//! [`Event::name`], and read them by [`Event::field`] or `Event::to`.

mod account;
mod card;
mod job;
mod key;
mod kinds;
mod lookup;
mod menu;
mod message;
mod minigame;
mod miniprogram;
mod page;
#[cfg(feature = "minigame")]
mod payload;
mod payment;
mod platform;
mod record;
mod review;
mod service;
mod shops;
mod takes;
mod trade;
mod verification;

use crate::text::Str;
use std::borrow::Cow;
use std::fmt;

pub use account::*;
pub use card::*;
pub use job::*;
pub use kinds::{Group, KINDS, Kind, KindInfo};
pub use menu::*;
pub use message::*;
pub use minigame::*;
pub use miniprogram::*;
#[cfg(feature = "minigame")]
#[cfg_attr(docsrs, doc(cfg(feature = "minigame")))]
pub use payload::*;
pub use payment::*;
pub use platform::*;
pub use review::*;
pub use service::*;
pub use shops::*;
pub use takes::Takes;
pub use trade::*;
pub use verification::*;

use crate::error::ParseError;
use crate::fields::{Element, Fields, Limits, Nodes, Path, trim};
pub(crate) use kinds::NamedBy;
use lookup::find;

/// Reads a push from its plaintext bytes, under the default [`Limits`].
///
/// The event borrows from `body` where WeChat writes as it usually does: no heap allocation for a push without
/// repeated parts. Nothing here checks who sent the bytes; [`Endpoint`](crate::Endpoint) does.
///
/// # What is no XML
/// WeChat passes through what users type, and some that send pushes do not know XML well. So that none is lost:
/// - A `]]>` within CDATA is text, unless the element's own end tag follows. What XML reads as several sections, as
///   `]]]]><![CDATA[>`, is read as XML has it. Where the rest then is no XML, as with a push that somebody pasted into
///   a text, each value ends at the last such place.
/// - A `&` that begins no reference is text, and so is an entity other than XML's five; a `<` that begins no tag too.
/// - `&#xD83D;&#xDE00;` is one character, `&#8;` is a backspace. Raw control characters are kept.
/// - Text between elements, or behind the root, is dropped.
///
/// A user who types `]]></Content><bizmsgmenuid>1</bizmsgmenuid><Content><![CDATA[` so forges a `bizmsgmenuid` in his
/// own message: whatever WeChat writes behind a text is no proof of anything. None of this changes who sent it, what
/// it is or its MsgId: the first of a name counts, and of `MsgId` and `Encrypt`, which stand behind the text, the last.
///
/// # JSON
/// With the feature `json`, a body that begins with `{` is read as JSON. Its event is the one that its form in XML
/// would be, and [`field`](Event::field) finds the same by the same paths: a member is an element, and an array is one
/// element of its name for each item. A number is the text that stands there, so that an id keeps its digits; `null`
/// is no element; white space at the ends of a name is dropped.
///
/// # Errors
/// [`ParseError`] for what is no push:
/// - `b""`, `b"hello"`, `b"<xml><a></xml>"`: not XML; the error says what was expected, line and column
/// - `b"<!DOCTYPE xml><xml/>"`: a DTD
/// - `b"{}"` without the feature `json`; with it `b"{\"a\": }"`: not JSON, with line and column
/// - `b"<xml><ToUserName>gh_1</ToUserName></xml>"`: no MsgType and no InfoType
/// - more than 1 MiB, 4096 elements or 16 levels
///
/// ```
/// use wechat_events::{Kind, parse_event};
///
/// let event = parse_event(
///     b"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o_1]]></FromUserName>\
///       <CreateTime>1469066999</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[SCAN]]></Event>\
///       <EventKey><![CDATA[7]]></EventKey><Ticket><![CDATA[T]]></Ticket></xml>",
/// )?;
/// let Kind::Scan(scan) = &event.kind else { panic!("{event:?}") };
/// assert_eq!((scan.scene(), scan.scene_id(), event.from_user.as_ref()), ("7", Some(7), "o_1"));
/// # Ok::<(), wechat_events::ParseError>(())
/// ```
#[inline]
pub fn parse_event(body: &[u8]) -> Result<Event<'_>, ParseError> {
    Limits::default().parse_event(body)
}

impl Limits {
    /// Reads a push from its plaintext bytes, under these limits.
    ///
    /// # Errors
    /// Those of [`parse_event`].
    ///
    /// ```
    /// use wechat_events::{Limits, ParseError};
    ///
    /// let error = Limits::default().max_depth(1).parse_event(b"<xml><a><b>1</b></a></xml>").unwrap_err();
    /// assert_eq!(error, ParseError::TooDeep { element: "b".into(), limit: 1 });
    /// ```
    pub fn parse_event<'a>(&self, body: &'a [u8]) -> Result<Event<'a>, ParseError> {
        let mut nodes = Nodes::new();
        let fields = Fields::read(body, self, &mut nodes)?;
        let (header, root) = fields.header();
        let (named_by, name) = if let Some(name) = header.msg_type {
            if trim(name.peek()).eq_ignore_ascii_case("event") {
                (NamedBy::Event, root.first(const { Path::new("Event") }))
            } else {
                (NamedBy::MsgType, Some(name))
            }
        } else if let Some(name) = header.info_type {
            (NamedBy::InfoType, Some(name))
        } else if root.first(const { Path::new("Encrypt") }).is_some() {
            return Err(ParseError::Encrypted);
        } else {
            return Err(ParseError::NoMsgType);
        };

        let entry = name.and_then(|name| find(named_by, trim(name.peek())));
        Ok(Event {
            to_user: header.to_user.map(Element::text).unwrap_or_default(),
            from_user: header.from_user.map(Element::text).unwrap_or_default(),
            create_time: header.create_time.and_then(|time| seconds(trim(time.peek()))).unwrap_or_default(),
            kind: match (name, entry) {
                (_, Some(entry)) => (entry.read)(root),
                (Some(_), None) => Kind::Unknown(Unknown { reason: Reason::NewKind }),
                (None, None) => Kind::Unknown(Unknown { reason: Reason::Missing { field: "Event" } }),
            },
            name: match (entry, name) {
                (Some(entry), _) => Str::borrowed(entry.name()),
                (None, Some(name)) => name.text(),
                (None, None) => Str::default(),
            },
            named_by,
            entry,
            body: Cow::Borrowed(body),
        })
    }
}

/// The seconds of a CreateTime, which some write with a fraction, as a float or in milliseconds.
///
/// A float with fewer digits than its seconds need is rounded, and no time.
#[inline]
fn seconds(text: &str) -> Option<i64> {
    // As it nearly always is.
    if let Ok(digits) = <[u8; 10]>::try_from(text.as_bytes())
        && digits.iter().all(u8::is_ascii_digit)
    {
        return Some(digits.iter().fold(0, |time, digit| 10 * time + i64::from(digit - b'0')));
    }
    let time = text.parse().ok().or_else(|| whole_part(text))?;
    Some(if (1_000_000_000_000..10_000_000_000_000).contains(&time) { time / 1000 } else { time })
}

#[cold]
fn whole_part(text: &str) -> Option<i64> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (more, rest) = fraction.split_at_checked(exponent.parse().ok()?)?;
    if !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if more.is_empty() { whole.parse().ok() } else { [whole, more].concat().parse().ok() }
}

/// One push: who, when, and what happened.
///
/// Two events are equal when their headers and kinds are; the bytes they came in may differ.
///
/// ```
/// use wechat_events::{Kind, parse_event};
///
/// let event = parse_event(
///     b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1469066999</CreateTime>\
///       <MsgType>event</MsgType><Event>brand_new</Event><Color>red</Color></xml>",
/// )?;
/// assert!(matches!(event.kind, Kind::Unknown(_)));
/// assert_eq!(event.name(), "brand_new");
/// assert_eq!(event.field("Color").as_deref(), Some("red"));
/// # Ok::<(), wechat_events::ParseError>(())
/// ```
#[derive(Clone)]
pub struct Event<'a> {
    /// `ToUserName`: the account the push is for, as `gh_…`.
    ///
    /// Empty where absent, as in a third-party platform's pushes.
    #[doc(alias = "原始ID")]
    pub to_user: Str<'a>,
    /// `FromUserName`: the user's OpenID, or WeChat's own sender.
    ///
    /// Empty where absent, as in a third-party platform's pushes.
    #[doc(alias = "openid")]
    pub from_user: Str<'a>,
    /// `CreateTime` in seconds since 1970, also where it was written in milliseconds or as a float.
    ///
    /// 0 where absent or no such number; [`field`](Event::field) has its text.
    pub create_time: i64,
    /// What happened.
    pub kind: Kind<'a>,
    name: Str<'a>,
    named_by: NamedBy,
    entry: Option<&'static KindInfo>,
    body: Cow<'a, [u8]>,
}

impl<'a> Event<'a> {
    /// The wire's name of the kind, such as `SCAN` or `text`, whether it is typed or not.
    ///
    /// This is what to match an unknown kind by: the match goes on to work when a later version types it. A typed
    /// kind's name is in its usual case; that of a new one is as it came. Empty if an event came without its name.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// let event = parse_event(b"<xml><MsgType>Event</MsgType><Event>unSubscribe</Event></xml>")?;
    /// assert_eq!(event.name(), "unsubscribe");
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of the first element at a path, such as `EventKey` or `ScanCodeInfo/ScanResult`.
    ///
    /// Of several `MsgId` or `Encrypt` at the root the last, which a user cannot type: [`parse_event`] says why.
    /// Works for every element of every push, typed or not; paths begin below the root, and `OpenID|openid` is
    /// whichever there is. Reads the body again, which costs about as much as parsing it did: prefer the fields of a
    /// typed kind.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// let event = parse_event(b"<xml><MsgType>event</MsgType><Event>new</Event><A><B>1</B><B>2</B></A></xml>")?;
    /// assert_eq!(event.field("A/B").as_deref(), Some("1"));
    /// assert_eq!(event.field("A/C"), None);
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn field(&self, path: &str) -> Option<Str<'_>> {
        let mut nodes = Nodes::new();
        self.read(&mut nodes)?.root().first(Path::new(path)).map(Element::text)
    }

    /// The texts of all elements at a path, in the order of the push.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// let event = parse_event(b"<xml><MsgType>event</MsgType><Event>new</Event><A><B>1</B><B>2</B></A></xml>")?;
    /// assert_eq!(event.fields("A/B").collect::<Vec<_>>(), ["1", "2"]);
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    pub fn fields(&self, path: &str) -> impl Iterator<Item = Str<'_>> + use<'_, 'a> {
        let mut nodes = Nodes::new();
        let texts: Vec<_> = match self.read(&mut nodes) {
            Some(fields) => fields.root().all(Path::new(path)).map(Element::text).collect(),
            None => Vec::new(),
        };
        texts.into_iter()
    }

    pub(crate) fn read<'n>(&self, nodes: &'n mut Nodes) -> Option<Fields<'_, 'n>> {
        Fields::read(&self.body, &Limits::NONE, nodes).ok()
    }

    /// The bytes the event was read from: decrypted, else as they came.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// let body = b"<xml><MsgType>text</MsgType><Content>hello</Content></xml>";
    /// assert_eq!(parse_event(body)?.body(), body);
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The scene of a subscribe by QR code and of a SCAN alike, without its prefix; `None` for everything else.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// let new = b"<xml><MsgType>event</MsgType><Event>subscribe</Event><EventKey>qrscene_7</EventKey></xml>";
    /// let known = b"<xml><MsgType>event</MsgType><Event>SCAN</Event><EventKey>7</EventKey></xml>";
    /// assert_eq!((parse_event(new)?.scene(), parse_event(known)?.scene()), (Some("7"), Some("7")));
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[doc(alias("场景值", "带参数二维码"))]
    #[must_use]
    pub fn scene(&self) -> Option<&str> {
        match &self.kind {
            Kind::Subscribe(subscribe) => subscribe.scene(),
            Kind::Scan(scan) => Some(scan.scene()),
            _ => None,
        }
    }

    /// `MsgId`, which messages have and events have not.
    ///
    /// A text: it exceeds 2⁵³ and is not always a number. Not unique over users, so [`dedup_key`](Event::dedup_key)
    /// is what to recognise a retry by.
    ///
    /// ```
    /// # use wechat_events::parse_event;
    /// let event = parse_event(b"<xml><MsgType>text</MsgType><Content>hi</Content><MsgId>7</MsgId></xml>")?;
    /// assert_eq!(event.msg_id().as_deref(), Some("7"));
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn msg_id(&self) -> Option<Str<'_>> {
        self.field("MsgId")
    }

    /// What is known of the kind by that name; `None` for a new one.
    ///
    /// An event of a known kind has it also where it is [`Kind::Unknown`] for lack of a field.
    ///
    /// ```
    /// # use wechat_events::event::Group;
    /// # use wechat_events::parse_event;
    /// let event = parse_event(b"<xml><MsgType>event</MsgType><Event>CLICK</Event></xml>")?;
    /// assert_eq!((event.kind.group(), event.info().unwrap().group()), (None, Group::Account));
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn info(&self) -> Option<&'static KindInfo> {
        self.entry
    }

    /// Whether a user sent it, rather than did something.
    pub(crate) fn is_message(&self) -> bool {
        self.named_by == NamedBy::MsgType
    }

    /// The same event on its own: for queues, threads and tasks. The body goes along.
    ///
    /// ```
    /// # use wechat_events::{Event, parse_event};
    /// let body = b"<xml><MsgType>text</MsgType><Content>hello</Content></xml>".to_vec();
    /// let event: Event<'static> = parse_event(&body)?.into_owned();
    /// drop(body);
    /// assert_eq!(event.field("Content").as_deref(), Some("hello"));
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            to_user: self.to_user.into_owned(),
            from_user: self.from_user.into_owned(),
            create_time: self.create_time,
            kind: self.kind.into_owned(),
            name: match self.entry {
                Some(entry) => Str::borrowed(entry.name()),
                None => self.name.into_owned(),
            },
            named_by: self.named_by,
            entry: self.entry,
            body: Cow::Owned(self.body.into_owned()),
        }
    }
}

impl PartialEq for Event<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_user == other.to_user
            && self.from_user == other.from_user
            && self.create_time == other.create_time
            && self.named_by == other.named_by
            && self.name == other.name
            && self.kind == other.kind
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &self.name)
            .field("to_user", &self.to_user)
            .field("from_user", &self.from_user)
            .field("create_time", &self.create_time)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// An authentic push that has no type here, and why. All its fields are there through [`Event::field`].
///
/// ```
/// use wechat_events::event::Reason;
/// use wechat_events::{Kind, parse_event};
///
/// let event = parse_event(b"<xml><MsgType>event</MsgType><Event>CLICK</Event></xml>")?;
/// let Kind::Unknown(unknown) = &event.kind else { panic!("{event:?}") };
/// assert_eq!(unknown.reason, Reason::Missing { field: "EventKey" });
/// assert_eq!(unknown.reason.to_string(), "missing field EventKey");
/// # Ok::<(), wechat_events::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unknown {
    /// Why it has no type.
    pub reason: Reason,
}

/// Why a push is [`Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// WeChat has made it since this version of the crate, or it is not an Official Account's.
    #[error("new kind")]
    NewKind,
    /// A field is absent that the kind is meaningless without, or blank where it is no text.
    #[error("missing field {field}")]
    Missing {
        /// Its path on the wire.
        field: &'static str,
    },
    /// Such a field is not what its type says, as a coordinate that is no number.
    #[error("malformed field {field}")]
    Malformed {
        /// Its path on the wire.
        field: &'static str,
    },
}
