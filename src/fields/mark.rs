//! The document as it is given to roxmltree.
//!
//! roxmltree rejects what must not lose a push, and drops white space that counts. So what it would reject or drop is
//! rewritten as a pair of characters, of which the first is [`MARK`], and `tree` restores it:
//!
//! ```text
//! <Content> <![CDATA[ a<08>b ]]> </Content>      as it came: a raw backspace, layout around the CDATA
//! <Content> <![CDATA[⊦[ a⊦hb ⊦]]]> </Content>    as roxmltree gets it; ⊦ is MARK
//! ```
//!
//! # Where a value in CDATA ends
//! WeChat does not split a `]]>` that a user typed. If the text goes on as XML allows (sections, bare text, references,
//! comments, then the element's own end tag), it is read as XML, including the split form. Otherwise the value ends at
//! the first `]]>` followed by the element's own end tag. If the rest is then not XML, each value ends at the last such
//! place instead, so that a text is readable into which a whole push was pasted. Elements in [`HEADER`] are not typed
//! by users.
//!
//! A user who types `]]></Content><a>1</a><Content><![CDATA[` so adds an `a` to their own message, and nobody can tell.
//! [`Path`](super::Path) and [`Fields::header`](super::Fields::header) explain why none of it counts as header.

use std::collections::HashMap;

use super::{Limits, is_white, place};
use crate::error::ParseError;
use crate::shown;

/// Begins each pair of characters that stands for something else. XML allows it, it is unassigned in Unicode, and if
/// one does occur it is written as a pair itself.
pub(super) const MARK: char = '\u{10FFFD}';

/// The pairs: what follows [`MARK`], and what both stand for.
pub(super) const CDATA_BEGINS: char = '[';
pub(super) const CDATA_ENDS: char = ']';
const ITSELF: char = '.';
/// The control character c is written as c plus this: backspace is `h`. None of the others is in that range.
const CONTROL: u32 = 0x60;
const FFFE: char = '0';
const FFFF: char = '1';
const SPACE: char = '2';
const LESS: char = '3';
const GREATER: char = '4';
const AMPERSAND: char = '5';

/// Replaces the colon in a name, which roxmltree would take for a namespace. XML allows it in names, and it is
/// unassigned.
pub(super) const COLON: char = '\u{EFFFF}';

/// Elements whose values always end as XML says, so that a value typed by a user cannot reach into one of WeChat's.
const HEADER: [&str; 8] =
    ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "InfoType", "MsgId", "Encrypt"];

/// Most attributes in a document. WeChat writes none, and roxmltree compares each with all others of its element.
const ATTRIBUTES: usize = 256;

const CDATA: &str = "<![CDATA[";
const END: &str = "]]>";

/// What the second character of a pair stands for, unless it marks an end of CDATA.
pub(super) fn meant(second: char) -> char {
    match second {
        ITSELF => MARK,
        FFFE => '\u{FFFE}',
        FFFF => '\u{FFFF}',
        SPACE => ' ',
        LESS => '<',
        GREATER => '>',
        AMPERSAND => '&',
        control => u32::from(control).checked_sub(CONTROL).and_then(char::from_u32).unwrap_or_default(),
    }
}

/// Which of the possible ends of a value in CDATA counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    First,
    Last,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Bare,
    Cdata,
    Tag,
}

/// The document, rewritten up to `at`.
pub(super) struct Marked<'t> {
    text: &'t str,
    at: usize,
    marked: String,
    /// Where the text was shifted: from a byte of `marked` on, it corresponds to `text` from this byte on.
    moves: Vec<(usize, usize)>,
    /// The elements around `at`.
    open: Vec<&'t str>,
    /// The position of the root among them.
    elements: u32,
    attributes: usize,
    ends: Ends,
    /// By name, the position of the last end tag that follows a `]]>`: computed at most once.
    last_ends: Option<HashMap<&'t str, usize>>,
    /// Up to here, CDATA is read as XML says.
    settled: usize,
}

impl<'t> Marked<'t> {
    /// Rewrites a document. A DTD, and whatever exceeds a limit, is rejected here, before it costs more than one pass.
    pub(super) fn new(text: &'t str, ends: Ends, limits: &Limits) -> Result<Marked<'t>, ParseError> {
        let mut document = Marked {
            text,
            at: 0,
            marked: String::with_capacity(text.len() + text.len() / 8),
            moves: Vec::new(),
            open: Vec::new(),
            elements: 0,
            attributes: 0,
            ends,
            last_ends: None,
            settled: 0,
        };
        document.rewrite(limits)?;
        Ok(document)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.marked
    }

    /// Line and column, in the original document, of a byte of the rewritten one.
    pub(super) fn place(&self, at: usize) -> (u32, u32) {
        let moves = self.moves.partition_point(|(marked, _)| *marked <= at);
        let (marked, original) =
            moves.checked_sub(1).and_then(|last| self.moves.get(last)).copied().unwrap_or_default();
        place(self.text, original + (at - marked))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn rewrite(&mut self, limits: &Limits) -> Result<(), ParseError> {
        loop {
            let bare = self.rest().find('<').unwrap_or(self.rest().len());
            self.bare(bare);
            let markup = self.rest();
            if markup.is_empty() {
                return Ok(());
            }
            if markup.starts_with(CDATA) {
                self.cdata();
            } else if let Some(length) = no_content(markup) {
                self.skip(length);
            } else if markup.starts_with("<!--") || markup.starts_with("<?") {
                self.verbatim(markup.len());
            } else if markup.starts_with("<!") {
                let (line, column) = place(self.text, self.at);
                return Err(ParseError::Dtd { line, column });
            } else if markup.starts_with("</") && begins_name(markup, 2) {
                self.tag(markup.find('>').map_or(markup.len(), |end| end + 1));
                self.open.pop();
            } else if begins_name(markup, 1) {
                self.start_tag(limits)?;
            } else {
                self.bare(1);
            }
        }
    }

    /// After the root, text is dropped as between elements: WeChat's debug tools add a zero byte. Before the root there
    /// is none.
    fn bare(&mut self, length: usize) {
        match (self.open.is_empty(), self.elements) {
            (false, _) => self.text(length, Within::Bare),
            (true, 0) => self.verbatim(length),
            // A `<` that begins nothing is for roxmltree to reject.
            (true, _) if self.rest().starts_with('<') => self.verbatim(length),
            (true, _) => self.skip(length),
        }
    }

    fn start_tag(&mut self, limits: &Limits) -> Result<(), ParseError> {
        let behind = self.rest().strip_prefix('<').unwrap_or_default();
        let name = behind.find(|c| is_white(c) || matches!(c, '/' | '>' | '<')).unwrap_or(behind.len());
        let (name, behind) = behind.split_at(name);
        if self.elements > limits.elements {
            return Err(ParseError::TooManyElements { limit: limits.elements });
        }
        if u32::try_from(self.open.len()).is_ok_and(|level| level > limits.depth) {
            return Err(ParseError::TooDeep { element: shown::word(name), limit: limits.depth });
        }
        let (attributes, length) = attributes(behind);
        self.attributes += attributes;
        if self.attributes > ATTRIBUTES {
            return Err(ParseError::TooManyAttributes { limit: ATTRIBUTES });
        }
        self.elements = self.elements.saturating_add(1);
        if !behind.get(..length).is_some_and(|tag| tag.ends_with("/>")) {
            self.open.push(name);
        }
        self.tag(1 + name.len());
        self.text(length, Within::Tag);
        Ok(())
    }

    /// Copies so many bytes of names and markup.
    fn tag(&mut self, length: usize) {
        let tag = self.rest().get(..length).unwrap_or_default();
        for c in tag.chars() {
            self.at += c.len_utf8();
            match c {
                ':' => {
                    self.marked.push(COLON);
                    self.moved();
                }
                _ => self.marked.push(c),
            }
        }
    }

    fn cdata(&mut self) {
        let end = self.end_of_cdata();
        self.at += CDATA.len();
        self.marked.push_str(CDATA);
        self.pair(CDATA_BEGINS);
        self.text(end.unwrap_or(self.text.len()) - self.at, Within::Cdata);
        if end.is_some() {
            self.pair(CDATA_ENDS);
            self.verbatim(END.len());
        }
    }

    /// The position of the `]]>` that ends the section at `at`.
    fn end_of_cdata(&mut self) -> Option<usize> {
        let start = self.at + CDATA.len();
        let inside = self.text.get(start..)?;
        let first = start + inside.find(END)?;
        let Some(name) = self.open.last().filter(|name| self.at >= self.settled && !HEADER.contains(name)) else {
            return Some(first);
        };
        let (settled, is_one_text) = one_text(self.text, first + END.len(), name);
        self.settled = settled;
        if is_one_text && self.ends == Ends::First {
            return Some(first);
        }
        let last_ends = self.last_ends.get_or_insert_with(|| last_ends(self.text));
        let last = last_ends.get(name).copied().filter(|last| *last >= if is_one_text { settled } else { first });
        let end = match (last, self.ends) {
            (None, _) => return Some(first),
            (Some(last), Ends::Last) => last,
            (Some(last), Ends::First) => {
                let mut ends = inside.match_indices(END).map(|(end, _)| start + end);
                ends.find(|end| end_tag(self.text, *end).is_some_and(|found| found == *name)).unwrap_or(last)
            }
        };
        self.settled = end;
        Some(end)
    }

    /// Copies so many bytes of text; each character that XML forbids or changes becomes a pair.
    fn text(&mut self, length: usize, within: Within) {
        let mut rest = self.rest().get(..length).unwrap_or_default();
        while let Some(at) =
            rest.find(|c| matches!(c, '\0'..='\u{1F}' | '&' | '<' | '>' | '\u{FFFE}' | '\u{FFFF}' | MARK))
        {
            let (plain, from) = rest.split_at(at);
            self.verbatim(plain.len());
            let mut chars = from.chars();
            let Some(c) = chars.next() else { return };
            let reference = if c == '&' && within != Within::Cdata { reference(chars.as_str()) } else { None };
            let (c, behind) = reference.unwrap_or((c, chars.as_str()));
            self.at += from.len() - behind.len();
            let second = match c {
                MARK => Some(ITSELF),
                '\u{FFFE}' => Some(FFFE),
                '\u{FFFF}' => Some(FFFF),
                ' ' if reference.is_some() => Some(SPACE),
                '\r' if within == Within::Cdata => control(c),
                '\t' | '\n' | '\r' if reference.is_none() => None,
                '\0'..='\u{1F}' => control(c),
                '>' if self.marked.ends_with("]]") => Some(GREATER),
                '<' if within != Within::Cdata => Some(LESS),
                '&' if within != Within::Cdata => Some(AMPERSAND),
                _ => None,
            };
            match second {
                Some(second) => self.pair(second),
                None => self.marked.push(c),
            }
            if reference.is_some() {
                self.moved();
            }
            rest = behind;
        }
        self.verbatim(rest.len());
    }

    fn pair(&mut self, second: char) {
        self.marked.extend([MARK, second]);
        self.moved();
    }

    fn skip(&mut self, length: usize) {
        self.at += length;
        self.moved();
    }

    fn verbatim(&mut self, length: usize) {
        self.marked.push_str(self.rest().get(..length).unwrap_or_default());
        self.at += length;
    }

    fn moved(&mut self) {
        self.moves.push((self.marked.len(), self.at));
    }
}

fn control(c: char) -> Option<char> {
    char::from_u32(CONTROL + u32::from(c))
}

/// The length of the comment or processing instruction that begins here.
fn no_content(markup: &str) -> Option<usize> {
    let (begin, end) = if markup.starts_with("<!--") { ("<!--", "-->") } else { ("<?", "?>") };
    Some(begin.len() + markup.strip_prefix(begin)?.find(end)? + end.len())
}

/// Whether a name can begin there: a `<` that begins nothing is a character, as in `I <3 U`.
fn begins_name(markup: &str, at: usize) -> bool {
    let first = markup.get(at..).and_then(|name| name.chars().next());
    first.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | ':') || !c.is_ascii())
}

/// After the name of a start tag: the largest number of attributes it can have, and where it ends.
fn attributes(markup: &str) -> (usize, usize) {
    // As many as there are quoted values. A value may contain a `>`, but no `<`.
    let tag = markup.split_once('<').map_or(markup, |(tag, _)| tag);
    let (mut rest, mut values) = (tag, 0);
    while let Some((_, quote)) = rest.find(['"', '\'', '>']).and_then(|at| rest.split_at_checked(at)) {
        let (quote, value) = quote.split_at(1);
        if quote == ">" {
            return (values, tag.len() - value.len());
        }
        values += 1;
        rest = value.split_once(quote).map_or("", |(_, behind)| behind);
    }
    (values, tag.len())
}

/// Starting after a section of CDATA: how far sections, bare text and comments go, and whether they end at the
/// element's own end tag.
fn one_text(text: &str, from: usize, name: &str) -> (usize, bool) {
    let mut at = from;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(bare) = rest.find('<') else { return (text.len(), false) };
        let (bare, markup) = rest.split_at(bare);
        if bare.contains(END) {
            return (at, false);
        }
        at += bare.len();
        let length = match markup.starts_with(CDATA) {
            true => markup.find(END).map(|end| end + END.len()),
            false => no_content(markup),
        };
        match length {
            Some(length) => at += length,
            None => return (at + 1, is_end_tag(markup).is_some_and(|found| found == name)),
        }
    }
}

/// The name of the end tag after the `]]>` at a position, with only white space between.
fn end_tag(text: &str, end: usize) -> Option<&str> {
    is_end_tag(text.get(end..)?.strip_prefix(END)?.trim_start_matches(is_white))
}

fn is_end_tag(markup: &str) -> Option<&str> {
    let behind = markup.strip_prefix("</")?;
    let (name, behind) = behind.split_at(behind.find(|c| is_white(c) || c == '>')?);
    behind.trim_start_matches(is_white).starts_with('>').then_some(name)
}

fn last_ends(text: &str) -> HashMap<&str, usize> {
    text.match_indices(END).filter_map(|(end, _)| Some((end_tag(text, end)?, end))).collect()
}

/// After an ampersand: the character that a reference stands for, and the rest of the text.
///
/// Not everyone who writes pushes knows that XML has no references to control characters and surrogates: two halves
/// become one character, a single half is replaced like broken UTF-8.
fn reference(text: &str) -> Option<(char, &str)> {
    for (name, c) in [("lt;", '<'), ("gt;", '>'), ("amp;", '&'), ("quot;", '"'), ("apos;", '\'')] {
        if let Some(behind) = text.strip_prefix(name) {
            return Some((c, behind));
        }
    }
    let (number, behind) = numeric(text)?;
    if let Some(c) = char::from_u32(number) {
        return Some((c, behind));
    }
    let high = u16::try_from(number).ok()?;
    if let Some((low, behind)) = behind.strip_prefix('&').and_then(numeric)
        && let Some(Ok(c)) = char::decode_utf16([high, u16::try_from(low).unwrap_or_default()]).next()
    {
        return Some((c, behind));
    }
    Some((char::REPLACEMENT_CHARACTER, behind))
}

/// The number in a reference such as `#10;` or `#xA;`, and the rest of the text.
fn numeric(text: &str) -> Option<(u32, &str)> {
    let number = text.strip_prefix('#')?;
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    let (digits, behind) = digits.split_at(digits.find(|c: char| !c.is_digit(radix))?);
    Some((u32::from_str_radix(digits, radix).ok()?, behind.strip_prefix(';')?))
}
