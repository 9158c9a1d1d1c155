//! How is it kept? Events and their keys in serde's formats.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dedup::DedupKey;
use crate::event::Event;
use crate::fields::Limits;

#[derive(Serialize, Deserialize)]
#[serde(rename = "Event", expecting = "an event")]
struct Form<'a> {
    #[serde(default)]
    name: Cow<'a, str>,
    #[serde(default)]
    to_user: Cow<'a, str>,
    #[serde(default)]
    from_user: Cow<'a, str>,
    #[serde(default)]
    create_time: i64,
    body: Body<'a>,
}

/// For queues and logs: the push as it came, with its header beside it for whoever looks.
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
///   "body": "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>7</CreateTime><MsgType>text</MsgType><Content>hi</Content></xml>"
/// }"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The form is stable. `body` is [`Event::body`]: in formats for humans a text, or `{"hex": "3c786d6c3e…"}` if it is
/// not UTF-8; in others, as postcard, bytes. There the five stand in this order. The body holds what users wrote and
/// who they are: keep it as you keep those.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = Form {
            name: Cow::Borrowed(self.name()),
            to_user: Cow::Borrowed(&self.to_user),
            from_user: Cow::Borrowed(&self.from_user),
            create_time: self.create_time,
            body: Body(Cow::Borrowed(self.body())),
        };
        form.serialize(serializer)
    }
}

/// Reads the body again, under no [`Limits`], and nothing else.
///
/// So the event is equal to the one that was serialized, in every field of its kind, and has its
/// [`fields`](Event::fields) and its [`dedup_key`](Event::dedup_key): no number goes through the format. A kind that
/// is typed since then is typed now. What was changed in an event's public fields is not in its body, and does not
/// come back. In a format that names its fields, `body` suffices.
///
/// # Errors
/// - no `body`, or one that is neither text nor bytes nor `{"hex": …}`
/// - `{"hex": "3"}`: half a byte
/// - a body that is no push: [`ParseError`](crate::ParseError) says why; one in JSON needs the feature `json`
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

/// Text where the format is for humans, as far as it is text.
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

/// Takes each form from each format: what goes through an untagged enum says that it is for humans, whatever it is.
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
/// `"d7"`, `"d715ddea725819418a335b54829c1bex"`: not so many digits, or not hexadecimal.
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> Deserialize<'de> for DedupKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(String::deserialize(deserializer)?, &mut bytes)
            .map_err(|error| D::Error::custom(format_args!("a key is 32 hexadecimal digits: {error}")))?;
        Ok(DedupKey::from_bytes(bytes))
    }
}
