//! JSON, as mini programs and cloud hosting send it.
//!
//! A member is an element; an array is one element of that name for each of its items.
//!
//! ```text
//! {"Count": 2, "PicList": {"item": [{"PicMd5Sum": "a"}, {"PicMd5Sum": "b"}]}}
//! <Count>2</Count> <PicList> <item><PicMd5Sum>a</PicMd5Sum></item> <item><PicMd5Sum>b</PicMd5Sum></item> </PicList>
//! ```
//!
//! - A string is a text as it is, like CDATA; `true`, `false` and numbers keep their spelling: an id over 2⁵³ keeps its
//!   digits, and `0.10` its zero.
//! - `null` is no element, and neither is `[]`; `{}` is an empty one, like `""`.
//! - An array in an array adds its items to it.
//! - White space at the ends of a name is dropped: a leading space was seen.
//! - Of a name that comes twice both are kept, and the first counts.
//! - In a string, raw control characters are text, which users type and WeChat does not escape, and half a surrogate
//!   pair is replaced like broken UTF-8: one odd field is no reason to lose the push.
//!
//! Strings and numbers are parsed by serde_json. The structure is read here, because serde_json recurses for each level
//! of nesting, which the sender chooses, and would make each number an `f64`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, Visitor};

use super::{Limits, Node, Nodes, Span, is_space, place, trim};
use crate::error::ParseError;
use crate::shown;

/// Reads an object into `nodes`, whose spans are pieces of the returned text.
pub(super) fn read(text: &str, limits: &Limits, nodes: &mut Nodes) -> Result<String, ParseError> {
    let mut reader = Reader { text, at: 0, limits, nodes, elements: 0, pieces: String::with_capacity(text.len()) };
    reader.document()?;
    Ok(reader.pieces)
}

/// An open object or array around the current position.
enum Open {
    Object,
    /// Its items are elements of this name.
    Array {
        name: Span,
    },
}

struct Reader<'r> {
    text: &'r str,
    at: usize,
    limits: &'r Limits,
    nodes: &'r mut Nodes,
    elements: u32,
    pieces: String,
}

impl<'r> Reader<'r> {
    fn document(&mut self) -> Result<(), ParseError> {
        self.space();
        self.expect(b'{', "`{`")?;
        let mut open = vec![Open::Object];
        // Depth of the members of the innermost object.
        let mut depth = 0;
        let mut first = true;
        while let Some(innermost) = open.last() {
            self.space();
            let name = match innermost {
                Open::Object if self.skip(b'}') => {
                    open.pop();
                    depth -= u32::from(!open.is_empty());
                    first = false;
                    continue;
                }
                Open::Array { .. } if self.skip(b']') => {
                    open.pop();
                    first = false;
                    continue;
                }
                Open::Object => {
                    if !first {
                        self.expect(b',', "`,` or `}`")?;
                        self.space();
                    }
                    let name = self.name()?;
                    self.space();
                    self.expect(b':', "`:`")?;
                    name
                }
                Open::Array { name } => {
                    let name = *name;
                    if !first {
                        self.expect(b',', "`,` or `]`")?;
                    }
                    name
                }
            };
            self.space();
            first = true;
            if self.skip(b'[') {
                open.push(Open::Array { name });
                continue;
            }
            if self.skip(b'{') {
                self.element(depth, name, "")?;
                open.push(Open::Object);
                depth += 1;
                continue;
            }
            first = false;
            if self.rest().starts_with('"') {
                let (Text(value), _) = self.scalar()?;
                self.element(depth, name, &value)?;
                continue;
            }
            match self.scalar::<IgnoredAny>()? {
                (_, "null") => {}
                (_, value) => self.element(depth, name, value)?,
            }
        }
        self.space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected("nothing behind the object")) }
    }

    fn rest(&self) -> &'r str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        self.at += self.rest().bytes().take_while(|&byte| is_space(byte)).count();
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.rest().as_bytes().first() == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), ParseError> {
        if self.skip(byte) { Ok(()) } else { Err(self.expected(what)) }
    }

    fn name(&mut self) -> Result<Span, ParseError> {
        if !self.rest().starts_with('"') {
            return Err(self.expected("a name in double quotes"));
        }
        let (Text(name), _) = self.scalar()?;
        Ok(self.append(trim(&name)))
    }

    /// A string, number, `true`, `false` or `null`, and how it is written.
    fn scalar<T: Deserialize<'r>>(&mut self) -> Result<(T, &'r str), ParseError> {
        let rest = self.rest();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        match values.next() {
            Some(Ok(value)) => {
                let written = rest.get(..values.byte_offset()).unwrap_or_default();
                self.at += written.len();
                Ok((value, written))
            }
            Some(Err(error)) if rest.starts_with('"') => Err(self.explain(&error)),
            _ => {
                let end = rest.find(|c: char| c.is_ascii_whitespace() || ",:]}[{\"".contains(c));
                match rest.get(..end.unwrap_or(rest.len())).unwrap_or_default() {
                    "" => Err(self.expected("a value")),
                    word => {
                        let word = shown::word(word);
                        Err(self.error(format!("expected a value, not `{}`", word.escape_debug()), self.at))
                    }
                }
            }
        }
    }

    fn element(&mut self, depth: u32, name: Span, value: &str) -> Result<(), ParseError> {
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(ParseError::TooManyElements { limit: self.limits.elements });
        }
        if depth >= self.limits.depth {
            let element = name.range().and_then(|range| self.pieces.get(range)).unwrap_or_default();
            return Err(ParseError::TooDeep { element: shown::word(element), limit: self.limits.depth });
        }
        let value = self.append(value);
        self.nodes.push(Node { depth, name, value });
        Ok(())
    }

    /// Empty past 4 GiB, which no limit allows.
    fn append(&mut self, piece: &str) -> Span {
        let start = self.pieces.len();
        self.pieces.push_str(piece);
        Span::new(start, self.pieces.len()).unwrap_or_default()
    }

    fn expected(&self, what: &str) -> ParseError {
        let reason = match self.rest().chars().next() {
            Some(found) => format!("expected {what}, not {found:?}"),
            None => format!("expected {what}, but the body ends"),
        };
        self.error(reason, self.at)
    }

    /// serde_json's error in a string. Its position is counted in bytes from the start of the string.
    fn explain(&self, error: &serde_json::Error) -> ParseError {
        if error.is_eof() {
            return self.error("expected `\"`, but the body ends".to_owned(), self.text.len());
        }
        let lines = self.rest().split_inclusive('\n').take(error.line().saturating_sub(1));
        let at = self.at + lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        let reason = error.to_string();
        let suffix = format!(" at line {} column {}", error.line(), error.column());
        self.error(reason.strip_suffix(&suffix).unwrap_or(&reason).to_owned(), at)
    }

    fn error(&self, reason: String, at: usize) -> ParseError {
        let (line, column) = place(self.text, at);
        ParseError::NotJson { reason: shown::reason(&reason), line, column }
    }
}

/// A string, read as bytes, so that serde_json rejects neither control characters nor half a surrogate pair.
struct Text<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
                Ok(Text(String::from_utf8_lossy(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned())))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}
