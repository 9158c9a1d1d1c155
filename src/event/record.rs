//! The macro that makes a kind from its table, and the types of its fields.
//!
//! ```text
//! record! {
//!     /// A user scanned a QR code.                             the docs, as shown on the page
//!     pub struct Scan<'a> = "scan" in events => Reply {         its sample tests/pushes/scan.xml, its official page
//!                                                               in `page`, and what WeChat takes as the answer:
//!                                                               `=> Code("OrderId")` also names the elements that
//!                                                               identify it, the same in all its deliveries
//!         /// The scene.
//!         pub event_key: Str<'a> = "EventKey",                  bare: required, or the kind is Unknown
//!         pub ticket: Option<Str<'a>> = "Ticket",               Option: the first such element, if it parses
//!         pub items: Vec<Item<'a>> = "List/item",               Vec: all of them that parse
//!     }
//! }
//! record! { pub struct Item<'a> { … } }                         a nested part: no sample, its paths start in it
//!
//! names! { pub enum Status { Success = "success", … } }         a text with documented values
//! ```

use crate::text::Str;

use super::{Reason, Takes};
use crate::fields::{Element, Path, trim};

/// The type of one element: a text, a number, a nested record.
pub(crate) trait Value<'a>: Sized {
    type Owned;
    /// The parts of a nested record.
    const PARTS: &'static [Part] = &[];
    /// `None` if the element's text is not of this type.
    fn value(element: Element<'_, 'a>) -> Option<Self>;
    fn into_owned(self) -> Self::Owned;
}

/// The type of a field, read from the elements at its path: a bare type, `Option` or `Vec`.
///
/// There is one `read` for each type of field. Inlined into each of a thousand fields, it made the release build of this crate
/// half as long again, and a push a tenth faster.
pub(crate) trait Field<'a>: Sized {
    type Owned;
    const PARTS: &'static [Part];
    fn read(parent: Element<'_, 'a>, path: Path<'static>) -> Result<Self, Reason>;
    fn into_owned(self) -> Self::Owned;

    /// Whether there is nothing to serialize.
    #[cfg(feature = "serde")]
    fn is_absent(&self) -> bool {
        false
    }
}

impl<'a, T: Value<'a>> Field<'a> for T {
    type Owned = T::Owned;
    const PARTS: &'static [Part] = T::PARTS;

    #[inline(never)]
    fn read(parent: Element<'_, 'a>, path: Path<'static>) -> Result<Self, Reason> {
        let Some(element) = parent.first(path) else { return Err(Reason::Missing { field: path.as_str() }) };
        T::value(element).ok_or_else(|| match trim(element.peek()) {
            "" => Reason::Missing { field: path.as_str() },
            _ => Reason::Malformed { field: path.as_str() },
        })
    }

    #[inline(never)]
    fn into_owned(self) -> Self::Owned {
        Value::into_owned(self)
    }
}

impl<'a, T: Value<'a>> Field<'a> for Option<T> {
    type Owned = Option<T::Owned>;
    const PARTS: &'static [Part] = T::PARTS;

    #[inline(never)]
    fn read(parent: Element<'_, 'a>, path: Path<'static>) -> Result<Self, Reason> {
        Ok(parent.first(path).and_then(T::value))
    }

    #[inline(never)]
    fn into_owned(self) -> Self::Owned {
        self.map(Value::into_owned)
    }

    #[cfg(feature = "serde")]
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<'a, T: Value<'a>> Field<'a> for Vec<T> {
    type Owned = Vec<T::Owned>;
    const PARTS: &'static [Part] = T::PARTS;

    #[inline(never)]
    fn read(parent: Element<'_, 'a>, path: Path<'static>) -> Result<Self, Reason> {
        Ok(parent.all(path).filter_map(T::value).collect())
    }

    #[inline(never)]
    fn into_owned(self) -> Self::Owned {
        self.into_iter().map(Value::into_owned).collect()
    }
}

impl<'a> Value<'a> for Str<'a> {
    type Owned = Str<'static>;

    #[inline(always)]
    fn value(element: Element<'_, 'a>) -> Option<Self> {
        Some(element.text())
    }

    fn into_owned(self) -> Str<'static> {
        self.into_owned()
    }
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl<'a> Value<'a> for $number {
            type Owned = $number;

            #[inline(always)]
            fn value(element: Element<'_, 'a>) -> Option<Self> {
                trim(element.peek()).parse().ok()
            }

            fn into_owned(self) -> Self {
                self
            }
        }
    )*};
}
numbers!(u32 i64);

impl<'a> Value<'a> for f64 {
    type Owned = f64;

    #[inline(always)]
    fn value(element: Element<'_, 'a>) -> Option<Self> {
        trim(element.peek()).parse().ok().filter(|number: &f64| number.is_finite())
    }

    fn into_owned(self) -> f64 {
        self
    }
}

/// WeChat writes 1 and 0, true and false.
impl<'a> Value<'a> for bool {
    type Owned = bool;

    fn value(element: Element<'_, 'a>) -> Option<Self> {
        let text = trim(element.peek());
        let is = |word| text.eq_ignore_ascii_case(word);
        if is("1") || is("true") {
            Some(true)
        } else if is("0") || is("false") {
            Some(false)
        } else {
            None
        }
    }

    fn into_owned(self) -> bool {
        self
    }
}

/// A kind or a part of one, made by [`record!`].
pub(crate) trait Record<'a>: Sized {
    type Owned;
    const PARTS: &'static [Part];
    fn read(element: Element<'_, 'a>) -> Result<Self, Reason>;
    fn into_owned(self) -> Self::Owned;
}

impl<'a, T: Record<'a>> Value<'a> for T {
    type Owned = T::Owned;
    const PARTS: &'static [Part] = T::PARTS;

    fn value(element: Element<'_, 'a>) -> Option<Self> {
        T::read(element).ok()
    }

    fn into_owned(self) -> T::Owned {
        Record::into_owned(self)
    }
}

/// A field's path and, if it is a nested record, that record's fields.
pub(crate) struct Part {
    pub(crate) path: &'static str,
    pub(crate) parts: &'static [Part],
}

impl Part {
    /// The paths of `parts`, relative to the start of `above`, down to the fields that are not records.
    pub(crate) fn paths(parts: &[Part], above: &str) -> Vec<String> {
        let mut paths = Vec::new();
        for part in parts {
            let path = match above {
                "" => part.path.to_owned(),
                _ => {
                    let ways = above.split('|').flat_map(|above| part.path.split('|').map(move |way| (above, way)));
                    ways.map(|(above, way)| format!("{above}/{way}")).collect::<Vec<_>>().join("|")
                }
            };
            match part.parts {
                [] => paths.push(path),
                parts => paths.extend(Part::paths(parts, &path)),
            }
        }
        paths
    }
}

/// What the table says about a kind, besides its fields.
pub(crate) trait Push {
    const TAKES: Takes;
    /// Paths of the elements that identify the push among its kind, and are the same in all its deliveries.
    const KEY: &'static [&'static str];
    const SAMPLE: &'static str;
}

/// The line on a kind's page about the answer.
macro_rules! answers {
    (Reply) => {
        "- Answer: a [reply](crate::Reply), or `success`"
    };
    (Success) => {
        "- Answer: `success`; WeChat takes no reply"
    };
    (Code) => {
        "- Answer: a [code](crate::reply::Code) within 3 s; `success` is written as code 0"
    };
    (IosRefund) => {
        "- Answer: an [opinion](crate::reply::IosRefund) within 3 s"
    };
}
pub(crate) use answers;

macro_rules! record {
    ($(#[$doc:meta])* pub struct $name:ident<$a:lifetime> = $sample:literal in $page:ident
        => $takes:ident$(($($key:literal),+))?
    {
        $($fields:tt)*
    }) => {
        record! {
            $(#[$doc])*
            ///
            #[doc = $crate::event::record::answers!($takes)]
            $(#[doc = concat!("- [Key](crate::Event::business_key):", $(" `", $key, "`",)+)])?
            #[doc = concat!("- Source: ", $crate::event::page::page!($page))]
            ///
            /// # Example: its sample push, and the event that it becomes
            /// ```xml
            #[doc = include_str!(concat!("../../tests/pushes/", $sample, ".xml"))]
            /// ```
            /// ```text
            #[doc = include_str!(concat!("../../tests/pushes/", $sample, ".event"))]
            /// ```
            /// ```
            /// use wechat_events::{Kind, parse_event};
            ///
            #[doc = concat!("# let body = include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/tests/pushes/", $sample, ".xml\"));")]
            /// let event = parse_event(body)?;
            #[doc = concat!("assert!(matches!(event.kind, Kind::", stringify!($name), "(_)));")]
            /// # Ok::<(), wechat_events::ParseError>(())
            /// ```
            pub struct $name<$a> { $($fields)* }
        }

        impl $crate::event::record::Push for $name<'_> {
            const TAKES: $crate::event::Takes = $crate::event::Takes::$takes;
            const KEY: &'static [&'static str] = &[$($($key),+)?];
            const SAMPLE: &'static str = include_str!(concat!("../../tests/pushes/", $sample, ".xml"));
        }
    };
    ($(#[$doc:meta])* pub struct $name:ident<$a:lifetime> {
        $($(#[$field_doc:meta])* pub $field:ident: $type:ty = $path:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name<$a> {
            $(
                $(#[$field_doc])*
                #[doc = concat!("\n\nElement `", $path, "`.")]
                pub $field: $type,
            )*
            // Even kinds without a text have the lifetime, so that a minor release can add one.
            lifetime: std::marker::PhantomData<&$a ()>,
        }

        impl<$a> $crate::event::record::Record<$a> for $name<$a> {
            type Owned = $name<'static>;
            const PARTS: &'static [$crate::event::record::Part] = &[$($crate::event::record::Part {
                path: $path,
                parts: <$type as $crate::event::record::Field<$a>>::PARTS,
            }),*];

            #[allow(unused_variables, reason = "a kind without fields reads nothing")]
            fn read(element: $crate::fields::Element<'_, $a>) -> Result<Self, $crate::event::Reason> {
                Ok($name {
                    $($field: $crate::event::record::Field::read(element, const { $crate::fields::Path::new($path) })?,)*
                    lifetime: std::marker::PhantomData,
                })
            }

            fn into_owned(self) -> $name<'static> {
                $name {
                    $($field: $crate::event::record::Field::into_owned(self.$field),)*
                    lifetime: std::marker::PhantomData,
                }
            }
        }

        // By hand: deriving it for all kinds would take longer to compile than the rest of the crate.
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;

                let fields: &[bool] = &[$($crate::event::record::Field::is_absent(&self.$field)),*];
                let present = fields.iter().filter(|absent| !**absent).count();
                #[allow(unused_mut, reason = "a kind without fields writes nothing")]
                let mut form = serializer.serialize_struct(stringify!($name), present)?;
                $(if !$crate::event::record::Field::is_absent(&self.$field) {
                    form.serialize_field(stringify!($field), &self.$field)?;
                })*
                form.end()
            }
        }

        impl std::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish()
            }
        }
    };
}
pub(crate) use record;

// Texts are compared exactly: `as_str` returns what came, to the letter.
macro_rules! names {
    ($(#[$doc:meta])* pub enum $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        ///
        /// Not exhaustive: WeChat adds values, and one that this version does not know is `Other`.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name<'a> {
            $(
                $(#[$variant_doc])*
                #[doc = concat!("\n\n`", $text, "` on the wire.")]
                $variant,
            )*
            /// Any other text, as it came.
            Other($crate::text::Str<'a>),
        }

        impl $name<'_> {
            /// The text on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $text,)*
                    $name::Other(text) => text,
                }
            }
        }

        impl std::fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'a> $crate::event::record::Value<'a> for $name<'a> {
            type Owned = $name<'static>;

            fn value(element: $crate::fields::Element<'_, 'a>) -> Option<Self> {
                Some(match element.peek() {
                    $($text => $name::$variant,)*
                    _ => $name::Other(element.text()),
                })
            }

            fn into_owned(self) -> $name<'static> {
                match self {
                    $($name::$variant => $name::$variant,)*
                    $name::Other(text) => $name::Other(text.into_owned()),
                }
            }
        }
    };
}
pub(crate) use names;
