//! XML or JSON, written element by element. The only place where users' words become markup.

use std::fmt::{self, Write as _};

/// An element's name with its markup, joined at compile time, so that each tag is one write.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    pub(crate) name: &'static str,
    pub(crate) open: &'static str,
    pub(crate) close: &'static str,
    pub(crate) open_text: &'static str,
    pub(crate) close_text: &'static str,
}

macro_rules! tag {
    ($name:literal) => {
        $crate::reply::Tag {
            name: $name,
            open: concat!("<", $name, ">"),
            close: concat!("</", $name, ">"),
            open_text: concat!("<", $name, "><![CDATA["),
            close_text: concat!("]]></", $name, ">"),
        }
    };
}
pub(crate) use tag;

/// XML or JSON, element by element.
pub(crate) struct Writer {
    text: String,
    json: bool,
    /// A character was left out.
    pub(super) lacks: bool,
}

impl Writer {
    /// A document of about so many bytes: `<xml>…</xml>` or `{…}`.
    pub(crate) fn document(json: bool, capacity: usize, inside: impl FnOnce(&mut Writer)) -> String {
        let mut writer = Writer { text: String::with_capacity(capacity), json, lacks: false };
        match json {
            true => writer.object(inside),
            false => writer.element(tag!("xml"), inside),
        }
        writer.text
    }

    pub(super) fn within(&mut self, tag: Tag, inside: impl FnOnce(&mut Writer)) {
        self.member(tag, |writer| if writer.json { writer.object(inside) } else { inside(writer) });
    }

    /// In XML each is an `item`, in JSON they form an array.
    pub(super) fn items<T>(&mut self, tag: Tag, items: &[T], each: impl Fn(&mut Writer, &T)) {
        self.member(tag, |writer| {
            if !writer.json {
                return items.iter().for_each(|item| writer.element(tag!("item"), |writer| each(writer, item)));
            }
            writer.text.push('[');
            for item in items {
                writer.comma();
                writer.object(|writer| each(writer, item));
            }
            writer.text.push(']');
        });
    }

    /// A number, without quotes in JSON.
    pub(crate) fn digits(&mut self, tag: Tag, digits: &str) {
        self.member(tag, |writer| writer.text.push_str(digits));
    }

    pub(super) fn option(&mut self, tag: Tag, text: Option<&str>) {
        if let Some(text) = text {
            self.text(tag, text);
        }
    }

    pub(crate) fn text(&mut self, tag: Tag, text: &str) {
        if self.json {
            // Writing to a String does not fail.
            return self.member(tag, |writer| write!(writer.text, "\"{}\"", JsonString(text)).unwrap_or_default());
        }
        self.text.push_str(tag.open_text);
        self.escape(text);
        self.text.push_str(tag.close_text);
    }

    pub(super) fn msg_type(&mut self, word: &str) {
        self.word(tag!("MsgType"), word);
    }

    /// A text with nothing to escape.
    pub(crate) fn word(&mut self, tag: Tag, word: &str) {
        match self.json {
            true => self.member(tag, |writer| writer.text.extend(["\"", word, "\""])),
            false => self.text.extend([tag.open_text, word, tag.close_text]),
        }
    }

    fn member(&mut self, tag: Tag, value: impl FnOnce(&mut Writer)) {
        if !self.json {
            return self.element(tag, value);
        }
        self.comma();
        self.text.extend(["\"", tag.name, "\":"]);
        value(self);
    }

    fn element(&mut self, tag: Tag, inside: impl FnOnce(&mut Writer)) {
        self.text.push_str(tag.open);
        inside(self);
        self.text.push_str(tag.close);
    }

    fn object(&mut self, inside: impl FnOnce(&mut Writer)) {
        self.text.push('{');
        inside(self);
        self.text.push('}');
    }

    /// A comma, unless the next member is the first of its object or array.
    fn comma(&mut self) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
    }

    /// Writes text within CDATA so that a reader gets the same text, without what XML forbids.
    fn escape(&mut self, text: &str) {
        if is_plain(text) {
            return self.text.push_str(text);
        }
        // The first bytes of all characters that must not be written as they are, and of some that may.
        let special = |byte: &u8| matches!(byte, b'>' | 0..b' ' | 0xEF);
        let mut rest = text;
        while let Some(at) = rest.as_bytes().iter().position(special) {
            let (plain, from) = rest.split_at(at);
            self.text.push_str(plain);
            let mut chars = from.chars();
            match chars.next() {
                // Checks what was written: a character between the three may have been left out.
                Some('>') if self.text.ends_with("]]") => self.text.push_str("]]><![CDATA[>"),
                Some('>') => self.text.push('>'),
                // A bare one would be read as a line feed.
                Some('\r') => self.text.push_str("]]>&#13;<![CDATA["),
                Some(c) if is_forbidden(c) => self.lacks = true,
                Some(c) => self.text.push(c),
                None => {}
            }
            rest = chars.as_str();
        }
        self.text.push_str(rest);
    }
}

/// A text between the quotes of JSON.
pub(crate) struct JsonString<'s>(pub(crate) &'s str);

impl fmt::Display for JsonString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(f, "\\{c}"),
            // WeChat showed users the `u` escapes unchanged.
            '\n' => f.write_str("\\n"),
            '\r' => f.write_str("\\r"),
            '\t' => f.write_str("\\t"),
            '\0'..='\u{1F}' => write!(f, "\\u{:04x}", u32::from(c)),
            _ => f.write_char(c),
        })
    }
}

/// Whether a text may be written in CDATA as it is.
///
/// Sixteen bytes at a time, one register: most texts are names of about thirty bytes.
fn is_plain(text: &str) -> bool {
    let (chunks, rest) = text.as_bytes().as_chunks::<16>();
    let mut last = [b' '; 16];
    last.iter_mut().zip(rest).for_each(|(byte, given)| *byte = *given);
    let (mut special, mut ef) = ([0; 16], [0; 16]);
    for chunk in chunks.iter().chain([&last]) {
        for (byte, (special, ef)) in chunk.iter().zip(special.iter_mut().zip(&mut ef)) {
            *special |= u8::from((*byte < b' ') | (*byte == b'>'));
            *ef |= u8::from(*byte == 0xEF);
        }
    }
    // U+FFFE and U+FFFF begin with 0xEF, like Chinese punctuation.
    special == [0; 16] && (ef == [0; 16] || !text.contains(['\u{FFFE}', '\u{FFFF}']))
}

/// Whether XML 1.0 forbids this character.
///
/// Production `Char` of <https://www.w3.org/TR/xml/#charsets>; a Rust `char` is never a surrogate.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// Whether a text has characters that XML forbids.
#[cfg(feature = "testing")]
pub(crate) fn has_forbidden(text: &str) -> bool {
    // Checks all bytes, which the compiler can vectorise; few texts have such characters.
    let is_suspect = text.bytes().fold(false, |suspect, byte| suspect | matches!(byte, 0..b' ' | 0xEF));
    is_suspect && text.contains(is_forbidden)
}

/// Whether nothing of a text can be written.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_forbidden)
}
