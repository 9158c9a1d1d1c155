//! Any push as the user's own struct: serde's data model on top of a push's elements.

use std::collections::HashMap;

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::{Serialize, Serializer, forward_to_deserialize_any};

use crate::event::Event;
use crate::fields::{Element, Nodes, trim};

impl Event<'_> {
    /// Deserializes any push, typed here or not, in XML or JSON, into a struct of your own. With the feature `serde`.
    ///
    /// The struct's fields are the elements directly below the root, by their names on the wire; a nested element is a
    /// nested struct:
    ///
    /// | in the struct | in the push |
    /// |---|---|
    /// | `String`, an enum of unit variants | the element's text |
    /// | a number | its text, ignoring surrounding white space: `7`, `"7"` |
    /// | `bool` | `1`, `true`, `0`, `false` |
    /// | `Option` | `None` if the element is absent or empty |
    /// | `Vec` | all elements of that name, adjacent or not; a single one is a list of one. Needs `#[serde(default)]` if there may be none |
    /// | a struct, a map | the elements within it; the first one of each name |
    ///
    /// Reads the body again, which costs about as much as parsing it did.
    ///
    /// A limit of serde itself: under `#[serde(flatten)]`, `untagged` and `tag` it reads values before it knows their
    /// types, so numbers arrive as texts there. Use `String`, or a `deserialize_with`.
    ///
    /// # Errors
    /// [`ToError`], which names the path, if the push does not have what the struct requires:
    /// - no such element: `missing field Quantity`
    /// - `many` for a number, `yes` for a `bool`, a text that is not a variant of the enum
    ///
    /// ```
    /// use serde::Deserialize;
    /// use wechat_events::parse_event;
    ///
    /// #[derive(Deserialize)]
    /// #[serde(rename_all = "PascalCase")]
    /// struct Order {
    ///     order_id: String,
    ///     remark: Option<String>,
    ///     item: Vec<Item>,
    /// }
    /// #[derive(Deserialize)]
    /// #[serde(rename_all = "PascalCase")]
    /// struct Item {
    ///     quantity: u32,
    /// }
    ///
    /// let event = parse_event(
    ///     b"<xml><MsgType>event</MsgType><Event>shop_order</Event><OrderId>7</OrderId><Remark></Remark>\
    ///       <Item><Quantity>2</Quantity></Item><Item><Quantity>many</Quantity></Item></xml>",
    /// )?;
    /// let error = event.to::<Order>().err().unwrap();
    /// assert_eq!((error.path(), error.reason()), ("Item[1].Quantity", r#"invalid value: string "many", expected u32"#));
    ///
    /// let event = parse_event(br#"<xml><MsgType>event</MsgType><Event>shop_order</Event><OrderId>7</OrderId>
    ///     <Remark></Remark><Item><Quantity>2</Quantity></Item></xml>"#)?;
    /// let order: Order = event.to()?;
    /// assert_eq!((&*order.order_id, order.remark, order.item[0].quantity), ("7", None, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, ToError> {
        let mut nodes = Nodes::new();
        let Some(fields) = self.read(&mut nodes) else {
            return Err(ToError { path: String::new(), reason: "the body cannot be read".to_owned() });
        };
        serde_path_to_error::deserialize(Siblings::root(fields.root())).map_err(|error| ToError {
            path: match error.path().to_string() {
                root if root == "." => String::new(),
                path => path,
            },
            reason: error.into_inner().to_string(),
        })
    }
}

/// The push does not match the type that [`Event::to`] was asked for.
///
/// ```
/// let event = wechat_events::parse_event(b"<xml><MsgType>text</MsgType><CreateTime>now</CreateTime></xml>")?;
/// let error = event.to::<std::collections::HashMap<String, u64>>().unwrap_err();
/// assert_eq!(error.to_string(), r#"MsgType: invalid value: string "text", expected u64"#);
/// # Ok::<(), wechat_events::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{reason}", if path.is_empty() { "" } else { ": " })]
#[non_exhaustive]
pub struct ToError {
    path: String,
    reason: String,
}

impl ToError {
    /// The path below the root: `SendPicsInfo.PicList[0].item`. Empty for the root itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was expected, and what was found.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Deepest level whose children serde visits, since it recurses for each: the same as serde_json.
const DEEPEST: u32 = 128;

/// All elements of one name in their parent, or the first of them if one is asked for.
pub(super) struct Siblings<'f, 'a> {
    elements: Vec<Element<'f, 'a>>,
    depth: u32,
}

impl<'f, 'a> Siblings<'f, 'a> {
    pub(super) fn root(root: Element<'f, 'a>) -> Siblings<'f, 'a> {
        Siblings { elements: vec![root], depth: 0 }
    }

    fn text(&self) -> &'f str {
        self.elements.first().map(|element| element.peek()).unwrap_or_default()
    }

    /// The children by name, in the order in which the names first occur.
    fn children(&self) -> Vec<(&'f str, Siblings<'f, 'a>)> {
        let mut places = HashMap::new();
        let mut children: Vec<(&str, Siblings<'_, '_>)> = Vec::new();
        let first = self.elements.first().filter(|_| self.depth < DEEPEST);
        for (name, child) in first.into_iter().flat_map(|element| element.children()) {
            let place = *places.entry(name).or_insert(children.len());
            match children.get_mut(place) {
                Some((_, siblings)) => siblings.elements.push(child),
                None => children.push((name, Siblings { elements: vec![child], depth: self.depth + 1 })),
            }
        }
        children
    }

    fn each(&self) -> impl Iterator<Item = Siblings<'f, 'a>> {
        let depth = self.depth;
        self.elements.iter().map(move |element| Siblings { elements: vec![*element], depth })
    }
}

/// Used if nothing is known about the push: a text, an object of the children, or a list of several.
impl Serialize for Siblings<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.children() {
            _ if self.elements.len() > 1 => serializer.collect_seq(self.each()),
            children if children.is_empty() => serializer.serialize_str(self.text()),
            children => serializer.collect_map(children),
        }
    }
}

impl<'de> IntoDeserializer<'de> for Siblings<'_, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($read:ident $visit:ident $number:ident)*) => {$(
        fn $read<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match trim(self.text()).parse::<$number>() {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(de::Error::invalid_value(Unexpected::Str(self.text()), &visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Siblings<'_, '_> {
    type Error = Error;

    /// Used if the type to expect is unknown, as for `flatten` and `serde_json::Value`.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.children() {
            _ if self.elements.len() > 1 => self.deserialize_seq(visitor),
            children if children.is_empty() => visitor.visit_str(self.text()),
            children => visitor.visit_map(MapDeserializer::new(children.into_iter())),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(self.children().into_iter()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.each()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let is_empty = self.elements.len() < 2 && self.text().is_empty() && self.children().is_empty();
        if is_empty { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.text().into_deserializer())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match trim(self.text()) {
            text if text == "1" || text.eq_ignore_ascii_case("true") => visitor.visit_bool(true),
            text if text == "0" || text.eq_ignore_ascii_case("false") => visitor.visit_bool(false),
            text => Err(de::Error::invalid_value(Unexpected::Str(text), &visitor)),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
        deserialize_f32 visit_f32 f32
        deserialize_f64 visit_f64 f64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(self.text().as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(self.text().as_bytes())
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { tuple_struct identifier }
}
