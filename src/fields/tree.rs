//! Everything else that is XML, through roxmltree.
//!
//! roxmltree is strict where a push must not be lost and forgetful where white space counts, so the document is
//! rewritten for it first, and its texts are rewritten back:
//!
//! ```text
//! <Content> <![CDATA[ a<08>b ]]> </Content>      as it came: a raw backspace, layout around the CDATA
//! <Content> <![CDATA[⊦[ a⊦hb ⊦]]]> </Content>    as roxmltree gets it; ⊦ is MARK
//! " ⊦[ a⊦hb ⊦] "                                 the text roxmltree yields, in which CDATA cannot be told from layout
//! " a<08>b "                                     the value
//! ```

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use super::{Limits, Node, Nodes, Span, is_white, place, trim};
use crate::error::ParseError;
use crate::shown;

/// Begins each pair of characters that stands for something else. XML allows it, nobody assigns it, and one that does
/// come is written as a pair itself.
const MARK: char = '\u{10FFFD}';

/// The pairs: what follows [`MARK`], and what both stand for.
const CDATA_BEGINS: char = '[';
const CDATA_ENDS: char = ']';
const ITSELF: char = '.';
/// The control character c is written as this plus c: backspace is `h`. None of the others is in that range.
const CONTROL: u32 = 0x60;
const FFFE: char = '0';
const FFFF: char = '1';
const SPACE: char = '2';

/// Attributes of a whole document. WeChat writes none, and roxmltree compares each with each of its element.
const ATTRIBUTES: usize = 256;

/// Reads a document into `nodes`, whose spans are pieces of the text that is returned.
pub(super) fn read(text: &str, limits: &Limits, nodes: &mut Nodes) -> Result<String, ParseError> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if trim(text).is_empty() {
        return Err(ParseError::Empty);
    }
    let marked = mark(text)?;
    let options = roxmltree::ParsingOptions {
        // Elements, and between them texts, comments and processing instructions.
        nodes_limit: limits.elements.saturating_mul(4).saturating_add(16),
        ..Default::default()
    };
    let document = roxmltree::Document::parse_with_options(&marked, options)
        .map_err(|error| explain(&error, text, &marked, limits))?;
    let mut writer = Writer { limits, text: String::with_capacity(text.len()), nodes, elements: 0 };
    writer.children(document.root_element())?;
    Ok(writer.text)
}

struct Writer<'w> {
    limits: &'w Limits,
    text: String,
    nodes: &'w mut Nodes,
    elements: u32,
}

impl Writer<'_> {
    fn children(&mut self, root: roxmltree::Node<'_, '_>) -> Result<(), ParseError> {
        let mut depth = 0;
        let mut next = root.first_element_child();
        while let Some(element) = next {
            self.element(element, depth)?;
            next = element.first_element_child();
            if next.is_some() {
                depth += 1;
                continue;
            }
            let mut last = element;
            next = loop {
                if let Some(sibling) = last.next_sibling_element() {
                    break Some(sibling);
                }
                match last.parent_element() {
                    Some(parent) if parent != root => {
                        last = parent;
                        depth -= 1;
                    }
                    _ => break None,
                }
            };
        }
        Ok(())
    }

    fn element(&mut self, element: roxmltree::Node<'_, '_>, depth: u32) -> Result<(), ParseError> {
        let name = element.tag_name().name();
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(ParseError::TooManyElements { limit: self.limits.elements });
        }
        if depth >= self.limits.depth {
            return Err(ParseError::TooDeep { element: shown::word(name), limit: self.limits.depth });
        }
        let name = self.append(name);
        let mut texts = element.children().filter(roxmltree::Node::is_text).filter_map(|text| text.text());
        let value = match (texts.next(), texts.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(only), None) => value(only),
            (Some(first), Some(second)) => {
                Cow::Owned(value(&[first, second].into_iter().chain(texts).collect::<String>()).into_owned())
            }
        };
        let value = self.append(&value);
        if let (Some(name), Some(value)) = (name, value) {
            self.nodes.push(Node { depth, name, value });
        }
        Ok(())
    }

    fn append(&mut self, piece: &str) -> Option<Span> {
        let start = self.text.len();
        self.text.push_str(piece);
        Span::new(start, self.text.len())
    }
}

/// Rewrites a document for roxmltree. A DTD is refused here, where its place is known.
fn mark(text: &str) -> Result<String, ParseError> {
    let mut marked = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    let mut attributes = 0;
    while let Some(at) = rest.find('<') {
        let (bare, markup) = rest.split_at(at);
        push_marked(&mut marked, bare, false);
        rest = if let Some(cdata) = markup.strip_prefix("<![CDATA[") {
            marked.push_str("<![CDATA[");
            marked.extend([MARK, CDATA_BEGINS]);
            let (inside, behind) = cdata.split_once("]]>").map_or((cdata, None), |(a, b)| (a, Some(b)));
            push_marked(&mut marked, inside, true);
            let Some(behind) = behind else { return Ok(marked) };
            marked.extend([MARK, CDATA_ENDS]);
            marked.push_str("]]>");
            behind
        } else if markup.starts_with("<!--") || markup.starts_with("<?") {
            let end = if markup.starts_with("<!--") { "-->" } else { "?>" };
            let end = markup.find(end).map_or(markup.len(), |at| at + end.len());
            let (whole, behind) = markup.split_at(end);
            push_marked(&mut marked, whole, false);
            behind
        } else if markup.starts_with("<!") {
            let (line, column) = place(text, text.len() - markup.len());
            return Err(ParseError::Dtd { line, column });
        } else {
            let (bracket, behind) = markup.split_at(1);
            attributes += count_attributes(behind);
            if attributes > ATTRIBUTES {
                return Err(ParseError::TooManyAttributes { limit: ATTRIBUTES });
            }
            marked.push_str(bracket);
            behind
        };
    }
    push_marked(&mut marked, rest, false);
    Ok(marked)
}

/// How many attributes, at most, a tag has: as many as quoted values. What stands behind the tag is not its.
fn count_attributes(markup: &str) -> usize {
    // A value may have a `>` in it, but no `<`.
    let mut rest = markup.split_once('<').map_or(markup, |(tag, _)| tag);
    let mut values = 0;
    while let Some((_, quote)) = rest.find(['"', '\'', '>']).and_then(|at| rest.split_at_checked(at)) {
        let (quote, value) = quote.split_at(1);
        if quote == ">" {
            break;
        }
        values += 1;
        rest = value.split_once(quote).map_or("", |(_, behind)| behind);
    }
    values
}

/// Writes the characters that XML forbids, or changes, as pairs.
fn push_marked(marked: &mut String, text: &str, in_cdata: bool) {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let pair = match c {
            MARK => Some(ITSELF),
            '&' if !in_cdata => reference(chars.as_str()).map(|(pair, behind)| {
                chars = behind.chars();
                pair
            }),
            '\u{FFFE}' => Some(FFFE),
            '\u{FFFF}' => Some(FFFF),
            '\r' if in_cdata => char::from_u32(CONTROL + u32::from(c)),
            '\t' | '\n' | '\r' => None,
            '\0'..='\u{1F}' => char::from_u32(CONTROL + u32::from(c)),
            _ => None,
        };
        marked.extend(pair.map(|_| MARK));
        marked.push(pair.unwrap_or(c));
    }
}

/// Behind an ampersand: the pair for a reference that roxmltree would make a mark that nobody wrote, or white space
/// that looks like layout; and what follows it.
fn reference(text: &str) -> Option<(char, &str)> {
    let number = text.strip_prefix('#')?;
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    let end = digits.find(|c: char| !c.is_digit(radix))?;
    let (digits, behind) = digits.split_at_checked(end)?;
    let pair = match char::from_u32(u32::from_str_radix(digits, radix).ok()?)? {
        MARK => ITSELF,
        ' ' => SPACE,
        white if is_white(white) => char::from_u32(CONTROL + u32::from(white))?,
        _ => return None,
    };
    Some((pair, behind.strip_prefix(';')?))
}

/// The text of an element: CDATA as it is, of the rest neither blank pieces nor the white space at both ends, but for what
/// lies from the first to the last white space that was written by a reference.
fn value(marked: &str) -> Cow<'_, str> {
    if !marked.contains(MARK) {
        return Cow::Borrowed(trim(marked));
    }
    let mut pieces = Vec::new();
    let mut piece = Piece::bare();
    let mut chars = marked.chars();
    while let Some(c) = chars.next() {
        if c != MARK {
            piece.text.push(c);
            continue;
        }
        match chars.next() {
            Some(CDATA_BEGINS) => pieces.push(std::mem::replace(&mut piece, Piece { bare: false, ..Piece::bare() })),
            Some(CDATA_ENDS) => pieces.push(std::mem::replace(&mut piece, Piece::bare())),
            Some(ITSELF) => piece.push_marked(MARK),
            Some(FFFE) => piece.push_marked('\u{FFFE}'),
            Some(FFFF) => piece.push_marked('\u{FFFF}'),
            Some(SPACE) => piece.push_marked(' '),
            Some(control) => {
                let control = u32::from(control).checked_sub(CONTROL).and_then(char::from_u32);
                piece.push_marked(control.unwrap_or_default());
            }
            None => {}
        }
    }
    pieces.push(piece);
    let last = pieces.len() - 1;
    let texts = pieces.iter().enumerate().map(|(index, piece)| piece.without_layout(index == 0, index == last));
    Cow::Owned(texts.collect())
}

/// A stretch of an element's text, within CDATA or outside.
struct Piece {
    bare: bool,
    text: String,
    /// From the first to the last white space that was written by a reference.
    meant: Option<Range<usize>>,
}

impl Piece {
    fn bare() -> Piece {
        Piece { bare: true, text: String::new(), meant: None }
    }

    /// Adds what a pair stands for: as white space only a reference.
    fn push_marked(&mut self, c: char) {
        let start = self.text.len();
        self.text.push(c);
        if is_white(c) {
            let start = self.meant.as_ref().map_or(start, |meant| meant.start);
            self.meant = Some(start..self.text.len());
        }
    }

    /// Of a bare one, without the white space at its ends: at those of the whole text, and where there is nothing else.
    fn without_layout(&self, first: bool, last: bool) -> &str {
        let Piece { bare, text, meant } = self;
        let (mut range, blank) = (0..text.len(), trim(text).is_empty());
        if *bare && (first || blank) {
            let start = text.len() - text.trim_start_matches(is_white).len();
            range.start = meant.as_ref().map_or(start, |meant| start.min(meant.start));
        }
        if *bare && (last || blank) {
            let end = text.trim_end_matches(is_white).len();
            range.end = meant.as_ref().map_or(end, |meant| end.max(meant.end));
        }
        // Of nothing but layout the beginning is behind the end.
        text.get(range).unwrap_or_default()
    }
}

/// roxmltree's error with the place in the document as it came.
fn explain(error: &roxmltree::Error, text: &str, marked: &str, limits: &Limits) -> ParseError {
    match error {
        roxmltree::Error::NodesLimitReached => return ParseError::TooManyElements { limit: limits.elements },
        roxmltree::Error::NoRootNode | roxmltree::Error::UnclosedRootNode | roxmltree::Error::UnexpectedEndOfStream => {
            let (line, column) = place(text, text.len());
            return ParseError::NotXml { reason: error.to_string(), line, column };
        }
        _ => {}
    }
    let place = error.pos();
    let mut reason = error.to_string();
    let mut suffix = String::new();
    // Writing to a String does not fail.
    let _ = write!(suffix, " at {place}");
    if reason.ends_with(&suffix) {
        reason.truncate(reason.len() - suffix.len());
    }
    let line = marked.lines().nth(usize::try_from(place.row).unwrap_or(1).saturating_sub(1)).unwrap_or_default();
    let before = line.chars().take(usize::try_from(place.col).unwrap_or(1).saturating_sub(1));
    // A mark is no character of the document; the edge of a CDATA section is two.
    let mut column = 1;
    let mut pair = false;
    for c in before {
        match c {
            _ if pair => {
                pair = false;
                column += u32::from(!matches!(c, CDATA_BEGINS | CDATA_ENDS));
            }
            MARK => pair = true,
            _ => column += 1,
        }
    }
    ParseError::NotXml { reason: shown::reason(&reason), line: place.row, column }
}
