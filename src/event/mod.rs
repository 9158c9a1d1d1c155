//! Events: what WeChat pushed, as an [`Event`] with a typed [`Kind`].
//!
#![doc = include_str!("kinds.md")]
//!
//! Every kind is a struct here, a variant of [`Kind`] and an entry of [`KINDS`]. Its page says what triggers it, how it
//! may be answered and where WeChat documents it, and shows a sample push and the resulting event. The search finds
//! kinds by their Chinese names too, except in rustdoc 1.95, which loses such names of structs.
//!
//! Nearly every field is optional, since real pushes lack fields that the official pages promise. Ids are texts. A
//! number that cannot be parsed is `None`, and [`Event::field`] still returns its text. Texts with documented values
//! are enums with `Other`.
//!
//! # What is not typed
//! Pushes of shops (微信小店), delivery services (即时配送) and new kinds arrive as [`Kind::Unknown`]: match them by
//! [`Event::name`], and read them with [`Event::field`] or `Event::to`.

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

/// Parses a push from its plaintext bytes, under the default [`Limits`].
///
/// The event borrows from `body` if the push is written as WeChat usually does: without repeated parts nothing is
/// allocated on the heap. This function does not check who sent the bytes; [`Endpoint`](crate::Endpoint) does.
///
/// # Malformed XML
/// WeChat passes on what users type, and some systems that send pushes write incorrect XML. So that no push is lost:
/// - A `]]>` within CDATA is text, unless the element's own end tag follows. Several sections, such as
///   `]]]]><![CDATA[>`, are read as in XML. If the rest is then not XML, as when somebody pasted a push into a text,
///   each value ends at the last such place.
/// - A `&` that begins no reference is text, like an entity other than XML's five, and a `<` that begins no tag.
/// - `&#xD83D;&#xDE00;` is one character, `&#8;` is a backspace. Raw control characters are kept.
/// - Text between elements, or after the root, is dropped.
///
/// A user who types `]]></Content><bizmsgmenuid>1</bizmsgmenuid><Content><![CDATA[` so forges a `bizmsgmenuid` in their
/// own message: do not trust elements that WeChat writes after a text. The sender, the kind and the MsgId cannot be
/// forged this way: the first element of a name counts, and of `MsgId` and `Encrypt`, which come after the text, the
/// last.
///
/// # JSON
/// With the feature `json`, a body that begins with `{` is read as JSON. The event is the same as for the equivalent
/// XML, and [`field`](Event::field) takes the same paths: a member is an element, and an array is one element of its
/// name for each item. A number keeps its spelling, so an id keeps its digits; `null` is no element; white space at the
/// ends of a name is dropped.
///
/// # Errors
/// [`ParseError`] for a body that is not a valid push:
/// - `b""`, `b"hello"`, `b"<xml><a></xml>"`: not XML; the error names what was expected, the line and the column
/// - `b"<!DOCTYPE xml><xml/>"`: a DTD
/// - `b"{}"` without the feature `json`; with it `b"{\"a\": }"`: not JSON, with line and column
/// - `b"<xml><ToUserName>gh_1</ToUserName></xml>"`: neither MsgType nor InfoType
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
    /// Parses a push from its plaintext bytes, under these limits.
    ///
    /// # Errors
    /// The same as [`parse_event`].
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

/// The seconds of a CreateTime. Some senders write a fraction, a float or milliseconds.
///
/// A float with fewer digits than its seconds need is rounded, and not used.
#[inline]
fn seconds(text: &str) -> Option<i64> {
    // The usual case.
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

/// A push: who sent it, when, and what happened.
///
/// Two events are equal if their headers and kinds are; the bytes they came in may differ.
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
    /// `ToUserName`: the account that received the push, `gh_…`.
    ///
    /// Empty if absent, as in a third-party platform's pushes.
    #[doc(alias = "原始ID")]
    pub to_user: Str<'a>,
    /// `FromUserName`: the user's OpenID, or WeChat's own sender.
    ///
    /// Empty if absent, as in a third-party platform's pushes.
    #[doc(alias = "openid")]
    pub from_user: Str<'a>,
    /// `CreateTime` in seconds since 1970, even if it was written in milliseconds or as a float.
    ///
    /// 0 if absent or not a number; [`field`](Event::field) returns its text.
    pub create_time: i64,
    /// What happened.
    pub kind: Kind<'a>,
    name: Str<'a>,
    named_by: NamedBy,
    entry: Option<&'static KindInfo>,
    body: Cow<'a, [u8]>,
}

impl<'a> Event<'a> {
    /// The name of the kind on the wire, such as `SCAN` or `text`, typed or not.
    ///
    /// Match unknown kinds by it: the match keeps working when a later version types the kind. A typed kind's name is
    /// in its usual case; a new one's is as it came. Empty if an event came without a name.
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
    /// Of several `MsgId` or `Encrypt` at the root it is the last one, which a user cannot forge: see [`parse_event`].
    /// Works for every element of every push, typed or not; paths begin below the root, and `OpenID|openid` means
    /// whichever is there. Reads the body again, which costs about as much as parsing it did: prefer the fields of a
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

    /// The texts of all elements at a path, in document order.
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

    /// The bytes that the event was parsed from: decrypted, or as they came.
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

    /// The scene of a subscribe by QR code or of a SCAN, without its prefix; `None` for all other kinds.
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

    /// `MsgId`, which messages have and events do not.
    ///
    /// A text: it exceeds 2⁵³ and is not always a number. Not unique across users: to recognise retries, use
    /// [`dedup_key`](Event::dedup_key).
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

    /// The description of the kind with this name; `None` for a new one.
    ///
    /// Also set for an event of a known kind that is [`Kind::Unknown`] because it lacks a field.
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

    /// Whether it is a message that a user sent, rather than an event.
    pub(crate) fn is_message(&self) -> bool {
        self.named_by == NamedBy::MsgType
    }

    /// An owned copy of the event, for queues, threads and tasks. It keeps the body.
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

/// An authentic push without a type, and the reason. All its fields are available through [`Event::field`].
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
    /// A kind that is newer than this version of the crate, or not an Official Account's.
    #[error("new kind")]
    NewKind,
    /// A field that the kind requires is absent, or blank though it is not a text.
    #[error("missing field {field}")]
    Missing {
        /// Its path on the wire.
        field: &'static str,
    },
    /// A required field is malformed, such as a coordinate that is not a number.
    #[error("malformed field {field}")]
    Malformed {
        /// Its path on the wire.
        field: &'static str,
    },
}
