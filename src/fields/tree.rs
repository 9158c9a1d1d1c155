//! All other XML, read by roxmltree.
//!
//! roxmltree gets the document as [`mark`](super::mark) rewrote it. In the resulting texts, CDATA is distinguished from
//! layout, and rewritten characters are restored:
//!
//! ```text
//! " ⊦[ a⊦hb ⊦] "      the text roxmltree yields; ⊦ is MARK
//! " a<08>b "          the value
//! ```

use std::borrow::Cow;
use std::ops::Range;

use super::mark::{CDATA_BEGINS, CDATA_ENDS, COLON, Ends, MARK, Marked, meant};
use super::{Limits, Node, Nodes, Span, is_white, place, trim};
use crate::error::ParseError;
use crate::shown;

/// Reads a document into `nodes`, whose spans are pieces of the returned text.
pub(super) fn read(text: &str, limits: &Limits, nodes: &mut Nodes) -> Result<String, ParseError> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if trim(text).is_empty() {
        return Err(ParseError::Empty);
    }
    read_by(text, Ends::First, limits, nodes)
        .or_else(|error| read_by(text, Ends::Last, limits, nodes).map_err(|_| error))
}

fn read_by(text: &str, ends: Ends, limits: &Limits, nodes: &mut Nodes) -> Result<String, ParseError> {
    let marked = Marked::new(text, ends, limits)?;
    let document = roxmltree::Document::parse(marked.as_str()).map_err(|error| explain(&error, text, &marked))?;
    let mut writer = Writer { text: String::with_capacity(text.len()), nodes };
    writer.children(document.root_element());
    Ok(writer.text)
}

struct Writer<'w> {
    text: String,
    nodes: &'w mut Nodes,
}

impl Writer<'_> {
    fn children(&mut self, root: roxmltree::Node<'_, '_>) {
        let mut depth = 0;
        let mut next = root.first_element_child();
        while let Some(element) = next {
            self.element(element, depth);
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
    }

    fn element(&mut self, element: roxmltree::Node<'_, '_>, depth: u32) {
        let name = self.append(&element.tag_name().name().replace(COLON, ":"));
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
    }

    fn append(&mut self, piece: &str) -> Option<Span> {
        let start = self.text.len();
        self.text.push_str(piece);
        Span::new(start, self.text.len())
    }
}

/// The text of an element: CDATA unchanged; bare text without blank pieces and without the white space at both ends,
/// but including everything between the first and the last white space written as a reference.
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
            Some(second) => piece.push_marked(meant(second)),
            None => {}
        }
    }
    pieces.push(piece);
    let last = pieces.len() - 1;
    let texts = pieces.iter().enumerate().map(|(index, piece)| piece.without_layout(index == 0, index == last));
    Cow::Owned(texts.collect())
}

/// A piece of an element's text, in CDATA or bare.
struct Piece {
    bare: bool,
    text: String,
    /// From the first to the last white space that was written as a reference.
    meant: Option<Range<usize>>,
}

impl Piece {
    fn bare() -> Piece {
        Piece { bare: true, text: String::new(), meant: None }
    }

    /// Adds what a pair stands for. White space in a pair came from a reference.
    fn push_marked(&mut self, c: char) {
        let start = self.text.len();
        self.text.push(c);
        if is_white(c) {
            let start = self.meant.as_ref().map_or(start, |meant| meant.start);
            self.meant = Some(start..self.text.len());
        }
    }

    /// A bare piece without the white space at the ends of the whole text, and empty if there is nothing else.
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
        // If there is only layout, the start is after the end.
        text.get(range).unwrap_or_default()
    }
}

/// roxmltree's error, with its position in the original document.
fn explain(error: &roxmltree::Error, text: &str, marked: &Marked<'_>) -> ParseError {
    use roxmltree::Error::{NoRootNode, UnclosedRootNode, UnexpectedEndOfStream};

    let (line, column) = match error {
        NoRootNode | UnclosedRootNode | UnexpectedEndOfStream => place(text, text.len()),
        _ => marked.place(byte(marked.as_str(), error.pos())),
    };
    let reason = error.to_string().replacen(&format!(" at {}", error.pos()), "", 1).replace(COLON, ":");
    // A name may contain control characters, which do not belong in a log.
    let reason = reason.split(char::is_control).collect::<Vec<_>>().join("\u{FFFD}");
    ParseError::NotXml { reason: shown::reason(&reason), line, column }
}

/// The byte at a position.
fn byte(text: &str, place: roxmltree::TextPos) -> usize {
    let [row, column] = [place.row, place.col].map(|number| usize::try_from(number).unwrap_or_default());
    let start = text.split_inclusive('\n').take(row.saturating_sub(1)).map(str::len).sum();
    let line = text.get(start..).unwrap_or_default();
    start + line.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}
