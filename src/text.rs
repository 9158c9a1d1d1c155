//! [`Str`]: text of a push, borrowed from its body where possible and owned otherwise.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// Text of a push, such as a field of a kind or what [`Event::field`](crate::Event::field) returns.
///
/// Use it like a `&str`: it dereferences to one, compares with `str`, `&str` and `String`, and prints as one. Whether
/// it borrows from the push's body is hidden, so that no `match` can depend on it: match on [`as_str`](Str::as_str).
///
/// ```
/// use wechat_events::{Kind, Reply, parse_event};
///
/// let event = parse_event(b"<xml><MsgType>event</MsgType><Event>CLICK</Event><EventKey>TODAY</EventKey></xml>")?;
/// let Kind::Click(click) = &event.kind else { panic!("{event:?}") };
/// let reply = match click.event_key.as_str() {
///     "TODAY" => Reply::text("Nothing today"),
///     other => Reply::text(format!("No such button: {other}")),
/// };
/// assert_eq!(reply, Reply::text("Nothing today"));
/// assert_eq!(click.event_key, "TODAY");
/// # Ok::<(), wechat_events::ParseError>(())
/// ```
///
/// This does not compile, since it would match borrowed texts only:
/// ```compile_fail,E0308
/// # use std::borrow::Cow;
/// # let event = wechat_events::parse_event(b"<xml><MsgType>event</MsgType><Event>CLICK</Event></xml>").unwrap();
/// match event.from_user {
///     Cow::Borrowed("o_1") => {}
///     _ => {}
/// }
/// ```
#[derive(Clone, Default)]
pub struct Str<'a>(Cow<'a, str>);

impl<'a> Str<'a> {
    #[inline]
    pub(crate) fn borrowed(text: &'a str) -> Str<'a> {
        Str(Cow::Borrowed(text))
    }

    /// The text.
    ///
    /// ```
    /// let event = wechat_events::parse_event(b"<xml><FromUserName>o_1</FromUserName><MsgType>text</MsgType></xml>")?;
    /// assert_eq!(event.from_user.as_str(), "o_1");
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An owned copy, to outlive the push's body.
    ///
    /// ```
    /// use wechat_events::{Str, parse_event};
    ///
    /// let body = b"<xml><FromUserName>o_1</FromUserName><MsgType>text</MsgType></xml>".to_vec();
    /// let from_user: Str<'static> = parse_event(&body)?.from_user.into_owned();
    /// drop(body);
    /// assert_eq!(from_user, "o_1");
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn into_owned(self) -> Str<'static> {
        Str(Cow::Owned(self.0.into_owned()))
    }
}

impl Deref for Str<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Str<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

/// A map with `Str` keys can be searched with a `&str`: both hash and compare alike.
impl Borrow<str> for Str<'_> {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Hash for Str<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Eq for Str<'_> {}

impl Ord for Str<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Str<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq<Str<'_>> for Str<'_> {
    fn eq(&self, other: &Str<'_>) -> bool {
        self.as_str() == other.as_str()
    }
}

macro_rules! compares {
    ($($text:ty)*) => {$(
        impl PartialEq<$text> for Str<'_> {
            fn eq(&self, other: &$text) -> bool {
                let text: &str = other.as_ref();
                self.as_str() == text
            }
        }

        impl PartialEq<Str<'_>> for $text {
            fn eq(&self, other: &Str<'_>) -> bool {
                other == self
            }
        }
    )*};
}
compares!(str &str String Cow<'_, str>);

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Str<'a> {
        Str::borrowed(text)
    }
}

impl<'a> From<&'a String> for Str<'a> {
    fn from(text: &'a String) -> Str<'a> {
        Str::borrowed(text)
    }
}

impl From<String> for Str<'_> {
    fn from(text: String) -> Self {
        Str(Cow::Owned(text))
    }
}

impl From<Str<'_>> for String {
    fn from(text: Str<'_>) -> String {
        text.0.into_owned()
    }
}

impl From<&Str<'_>> for String {
    fn from(text: &Str<'_>) -> String {
        text.as_str().to_owned()
    }
}

impl<'a> From<Str<'a>> for Cow<'a, str> {
    fn from(text: Str<'a>) -> Cow<'a, str> {
        text.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::*;

    #[test]
    fn borrowed_and_owned_are_one_text() {
        let (borrowed, owned) = (Str::from("o_1"), Str::from("o_1".to_owned()));
        assert_eq!(borrowed, owned);
        assert_eq!(HashMap::from([(borrowed.clone(), 1)]).get("o_1"), Some(&1));
        assert_eq!(HashMap::from([(owned.clone(), 1)]).get(&borrowed), Some(&1));
        assert!(BTreeSet::from([owned.clone()]).contains("o_1"));
        assert_eq!(format!("{borrowed:?} {owned:>4}"), r#""o_1"  o_1"#);
    }

    #[test]
    fn it_compares_with_every_text_both_ways() {
        fn same<A: PartialEq<B> + ?Sized, B: PartialEq<A> + ?Sized>(a: &A, b: &B, expected: bool) {
            assert_eq!((a == b, b == a), (expected, expected));
        }
        for (other, expected) in [("a", true), ("b", false)] {
            let text = Str::from("a");
            same::<_, str>(&text, other, expected);
            same(&text, &other, expected);
            same(&text, &other.to_owned(), expected);
            same(&text, &Cow::Borrowed(other), expected);
            same(&text, &Str::from(other), expected);
        }
    }

    #[test]
    fn it_becomes_a_string_or_a_str() {
        let text = Str::from("a");
        assert_eq!(Some(text.clone()).as_deref(), Some("a"));
        let (copied, moved): (String, Cow<'_, str>) = ((&text).into(), text.into());
        assert_eq!((copied.as_str(), moved.as_ref()), ("a", "a"));
        assert_eq!(Str::from("a").cmp(&Str::from("b")), Ordering::Less);
    }
}
