//! Serialization of events and their keys.

mod to;

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dedup::DedupKey;
use crate::event::{Event, Kind};
use crate::fields::{Limits, Nodes};
use crate::text::Str;
use to::Siblings;
pub use to::ToError;

/// The fields read back from a serialized event: formats without names have all of them in this order.
#[derive(Deserialize)]
#[serde(rename = "Event", expecting = "an event")]
#[expect(dead_code, reason = "the body says it all")]
struct Form<'a> {
    #[serde(default)]
    name: String,
    #[serde(default)]
    to_user: String,
    #[serde(default)]
    from_user: String,
    #[serde(default)]
    create_time: i64,
    body: Body<'a>,
}

/// For queues and logs: the original push, and the parsed fields for readers in other languages.
///
/// ```
/// let body = b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>7</CreateTime>\
///              <MsgType>text</MsgType><Content>hi</Content></xml>";
/// let event = wechat_events::parse_event(body)?;
/// assert_eq!(
///     serde_json::to_string_pretty(&event)?,
///     r#"{
///   "name": "text",
///   "to_user": "gh_1",
///   "from_user": "o_1",
///   "create_time": 7,
///   "fields": {
///     "content": "hi"
///   },
///   "body": "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>7</CreateTime><MsgType>text</MsgType><Content>hi</Content></xml>"
/// }"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The format is stable. `fields` has the fields of the event's kind under their names here, numbers as numbers, lists
/// as lists, and absent ones left out. For a kind that this version does not type it has all elements under their names
/// on the wire, as texts, repeated ones as a list. `body` is [`Event::body`]: in human-readable formats a text, or
/// `{"hex": "3c786d6c3e…"}` if it is not UTF-8. Other formats, such as postcard, have no `fields`, and the body as
/// bytes; there the five are in this order. Both contain what users wrote and who they are: protect them accordingly.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let readable = serializer.is_human_readable();
        let mut form = serializer.serialize_struct("Event", if readable { 6 } else { 5 })?;
        form.serialize_field("name", self.name())?;
        form.serialize_field("to_user", self.to_user.as_str())?;
        form.serialize_field("from_user", self.from_user.as_str())?;
        form.serialize_field("create_time", &self.create_time)?;
        if readable {
            form.serialize_field("fields", &OfKind(self))?;
        }
        form.serialize_field("body", &Body(Cow::Borrowed(self.body())))?;
        form.end()
    }
}

/// The fields of an event beyond its header.
struct OfKind<'e>(&'e Event<'e>);

impl Serialize for OfKind<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Kind::Unknown(_) = self.0.kind else { return self.0.kind.serialize(serializer) };
        let mut nodes = Nodes::new();
        match self.0.read(&mut nodes) {
            Some(fields) => Siblings::root(fields.root()).serialize(serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// As a text.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for Str<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// From a text, owned.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> Deserialize<'de> for Str<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Str::from)
    }
}

/// Reads the event from its body alone, under no [`Limits`].
///
/// So the event is equal to the one that was serialized, in every field of its kind, and has its
/// [`fields`](Event::fields) and its [`dedup_key`](Event::dedup_key): no number goes through the format. A kind that a
/// later version types is typed then. Changes to an event's public fields are not in its body, and are lost. In a
/// format that names its fields, `body` suffices.
///
/// # Errors
/// - no `body`, or one that is neither text nor bytes nor `{"hex": …}`
/// - `{"hex": "3"}`: half a byte
/// - a body that is not a valid push: [`ParseError`](crate::ParseError) says why; JSON needs the feature `json`
///
/// ```
/// use wechat_events::{Event, Kind};
///
/// let kept = r#"{"body": "<xml><MsgType>event</MsgType><Event>SCAN</Event><EventKey>7</EventKey></xml>"}"#;
/// let event: Event<'static> = serde_json::from_str(kept)?;
/// let Kind::Scan(scan) = &event.kind else { panic!("{event:?}") };
/// assert_eq!((scan.scene_id(), event.field("EventKey").as_deref()), (Some(7), Some("7")));
///
/// let error = serde_json::from_str::<Event<'_>>(r#"{"body": "<xml/>"}"#).unwrap_err();
/// assert_eq!(error.to_string(), "the event's body: no MsgType and no InfoType directly below the root");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> Deserialize<'de> for Event<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Body(body) = Form::deserialize(deserializer)?.body;
        let event = Limits::NONE.parse_event(&body);
        event.map(Event::into_owned).map_err(|error| D::Error::custom(format_args!("the event's body: {error}")))
    }
}

/// A text in human-readable formats, if it is UTF-8.
struct Body<'a>(Cow<'a, [u8]>);

#[derive(Serialize, Deserialize)]
struct Hex {
    hex: String,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(&self.0);
        }
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Hex { hex: hex::encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Body<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(AnyBody)
        } else {
            deserializer.deserialize_byte_buf(AnyBody)
        }
    }
}

/// Accepts each form in each format: serde's untagged enums claim to be human-readable, whatever the format is.
struct AnyBody;

impl<'de> Visitor<'de> for AnyBody {
    type Value = Body<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a body as text, bytes or {\"hex\": …}")
    }

    fn visit_str<E>(self, text: &str) -> Result<Body<'static>, E> {
        Ok(Body(Cow::Owned(text.as_bytes().to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Body<'static>, E> {
        Ok(Body(Cow::Owned(text.into_bytes())))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Body<'static>, E> {
        Ok(Body(Cow::Owned(bytes.to_owned())))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Body<'static>, E> {
        Ok(Body(Cow::Owned(bytes)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Body<'static>, A::Error> {
        let Hex { hex } = Hex::deserialize(MapAccessDeserializer::new(map))?;
        let bytes = hex::decode(hex).map_err(|error| A::Error::custom(format_args!("the event's body: {error}")))?;
        Ok(Body(Cow::Owned(bytes)))
    }
}

/// As its [`Display`](fmt::Display): 32 hexadecimal digits, in every format.
///
/// ```
/// let key = wechat_events::DedupKey::of_body(b"<xml/>");
/// assert_eq!(serde_json::to_string(&key)?, r#""d715ddea725819418a335b54829c1beb""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for DedupKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From 32 hexadecimal digits.
///
/// # Errors
/// `"d7"`, `"d715ddea725819418a335b54829c1bex"`: not 32 digits, or not hexadecimal.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> Deserialize<'de> for DedupKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
