//! The macro that makes a kind from its table, and what a field of it may be.
//!
//! ```text
//! record! {
//!     /// A follower scanned a QR code.                         the docs, as they stand on the page
//!     pub struct Scan<'a> = "scan" {                            its sample: tests/pushes/scan.xml
//!         /// The scene.
//!         pub event_key: Cow<'a, str> = "EventKey",             bare: required, or the kind is Unknown
//!         pub ticket: Option<Cow<'a, str>> = "Ticket",          Option: the first such element, where it reads
//!         pub items: Vec<Item<'a>> = "List/item",               Vec: all of them, each that reads
//!     }
//! }
//! record! { pub struct Item<'a> { … } }                         a nested part: no sample, its paths begin in it
//! ```

use std::borrow::Cow;

use super::Reason;
use crate::fields::{Element, Path, trim};

/// What one element reads as: a text, a number, a nested record.
pub(crate) trait Value<'a>: Sized {
    type Owned;
    /// `None` where the element's text is not of this type.
    fn value(element: Element<'_, 'a>) -> Option<Self>;
    fn into_owned(self) -> Self::Owned;
}

/// What a field reads from the elements at its path: bare, `Option` or `Vec`.
pub(crate) trait Field<'a>: Sized {
    type Owned;
    fn read(parent: Element<'_, 'a>, path: Path<'static>) -> Result<Self, Reason>;
    fn into_owned(self) -> Self::Owned;
}

impl<'a, T: Value<'a>> Field<'a> for T {
    type Owned = T::Owned;

    #[inline]
    fn read(parent: Element<'_, 'a>, path: Path<'static>) -> Result<Self, Reason> {
        let Some(element) = parent.first(path) else { return Err(Reason::Missing { field: path.as_str() }) };
        T::value(element).ok_or_else(|| match trim(element.peek()) {
            "" => Reason::Missing { field: path.as_str() },
            _ => Reason::Malformed { field: path.as_str() },
        })
    }

    fn into_owned(self) -> Self::Owned {
        Value::into_owned(self)
    }
}

impl<'a, T: Value<'a>> Field<'a> for Option<T> {
    type Owned = Option<T::Owned>;

    #[inline]
    fn read(parent: Element<'_, 'a>, path: Path<'static>) -> Result<Self, Reason> {
        Ok(parent.first(path).and_then(T::value))
    }

    fn into_owned(self) -> Self::Owned {
        self.map(Value::into_owned)
    }
}

impl<'a, T: Value<'a>> Field<'a> for Vec<T> {
    type Owned = Vec<T::Owned>;

    fn read(parent: Element<'_, 'a>, path: Path<'static>) -> Result<Self, Reason> {
        Ok(parent.all(path).filter_map(T::value).collect())
    }

    fn into_owned(self) -> Self::Owned {
        self.into_iter().map(Value::into_owned).collect()
    }
}

impl<'a> Value<'a> for Cow<'a, str> {
    type Owned = Cow<'static, str>;

    #[inline]
    fn value(element: Element<'_, 'a>) -> Option<Self> {
        Some(element.text())
    }

    fn into_owned(self) -> Cow<'static, str> {
        Cow::Owned(self.into_owned())
    }
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl<'a> Value<'a> for $number {
            type Owned = $number;

            #[inline]
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

    #[inline]
    fn value(element: Element<'_, 'a>) -> Option<Self> {
        trim(element.peek()).parse().ok().filter(|number: &f64| number.is_finite())
    }

    fn into_owned(self) -> f64 {
        self
    }
}

/// A kind or a part of one, made by [`record!`].
pub(crate) trait Record<'a>: Sized {
    type Owned;
    fn read(element: Element<'_, 'a>) -> Result<Self, Reason>;
    fn into_owned(self) -> Self::Owned;
}

macro_rules! record {
    ($(#[$doc:meta])* pub struct $name:ident<$a:lifetime> = $sample:literal { $($fields:tt)* }) => {
        record! {
            $(#[$doc])*
            ///
            /// # Example: its sample push
            /// ```xml
            #[doc = include_str!(concat!("../../tests/pushes/", $sample, ".xml"))]
            /// ```
            /// ```
            /// use wechat_events::{Kind, parse_event};
            ///
            #[doc = concat!("# let body = include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/tests/pushes/", $sample, ".xml\"));")]
            /// let event = parse_event(body)?;
            #[doc = concat!("let Kind::", stringify!($name), "(it) = &event.kind else { panic!(\"{:?}\", event.kind) };")]
            /// println!("{it:?}");
            /// # Ok::<(), wechat_events::ParseError>(())
            /// ```
            pub struct $name<$a> { $($fields)* }
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
            // Kinds without a text have the lifetime too, so that a text may come to them in a minor release.
            lifetime: std::marker::PhantomData<&$a ()>,
        }

        impl<$a> $crate::event::record::Record<$a> for $name<$a> {
            type Owned = $name<'static>;

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

        impl std::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish()
            }
        }
    };
}
pub(crate) use record;
