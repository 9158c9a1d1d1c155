//! From bytes to fields: names and values, with nothing lost.
//!
//! All readers produce the same result. [`flat`] reads what WeChat writes, in one pass and without allocating; what it
//! declines is read by [`tree`]. Every XML error comes from `tree`, so that each has one wording. A body that begins
//! like JSON is read by [`json`].

mod flat;
#[cfg(feature = "json")]
mod json;
mod mark;
#[cfg(feature = "testing")]
pub mod readers;
mod tree;

use std::borrow::Cow;

use crate::error::ParseError;
use crate::text::Str;

/// How large a push may be.
///
/// WeChat's pushes have a few hundred bytes. The limits stop other bodies before they cost memory or time.
///
/// ```
/// use wechat_events::{Limits, ParseError};
///
/// let limits = Limits::default().max_bytes(64);
/// let error = limits.parse_event(&[b' '; 65]).unwrap_err();
/// assert_eq!(error, ParseError::TooLarge { bytes: 65, limit: 64 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one body. Default 1 MiB: a text has at most 2 kB, and the largest job report seen about 10 kB.
    pub bytes: u32,
    /// Bytes of the body around `Encrypt`, which is read before its signature is verified. Default 64 KiB: the largest
    /// push seen has about 10 kB, encrypted and in base64 14, and compatible mode adds the fields in the clear.
    pub envelope_bytes: u32,
    /// Nesting depth of elements, not counting the root. Default 16: WeChat nests four.
    pub depth: u32,
    /// Elements of one body. Default 4096: a report on eight articles has about a hundred.
    pub elements: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: 1 << 20, envelope_bytes: 64 << 10, depth: 16, elements: 4096 }
    }
}

impl Limits {
    /// For a body that was read before, under limits that need not apply a second time.
    pub(crate) const NONE: Limits =
        Limits { bytes: u32::MAX, envelope_bytes: u32::MAX, depth: u32::MAX, elements: u32::MAX };

    /// Sets the limit on the bytes of a body.
    #[must_use]
    pub fn max_bytes(self, bytes: u32) -> Self {
        Limits { bytes, ..self }
    }

    /// Sets the limit on the bytes around `Encrypt`. The limit on a [body](Self::max_bytes) applies as well.
    ///
    /// ```
    /// # #[cfg(feature = "aes")] {
    /// use wechat_events::{Endpoint, Limits, RequestError};
    ///
    /// let endpoint = Endpoint::safe("token", "wx5823bf96d3bd56c7", "A".repeat(43))?;
    /// let endpoint = endpoint.limits(Limits::default().max_envelope_bytes(16 << 10));
    /// let error = endpoint.receive("POST", "", &[b' '; 16385], 0).unwrap_err();
    /// assert_eq!(error, RequestError::TooLarge { bytes: 16385, limit: 16384 });
    /// # }
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn max_envelope_bytes(self, envelope_bytes: u32) -> Self {
        Limits { envelope_bytes, ..self }
    }

    /// Sets the limit on the nesting of elements.
    #[must_use]
    pub fn max_depth(self, depth: u32) -> Self {
        Limits { depth, ..self }
    }

    /// Sets the limit on the number of elements.
    #[must_use]
    pub fn max_elements(self, elements: u32) -> Self {
        Limits { elements, ..self }
    }

    /// Checks the length of a body.
    pub(crate) fn admit(&self, body: &[u8]) -> Result<(), ParseError> {
        match u32::try_from(body.len()) {
            Ok(bytes) if bytes <= self.bytes => Ok(()),
            _ => Err(ParseError::TooLarge { bytes: body.len(), limit: self.bytes }),
        }
    }
}

/// A piece of the text: byte offsets, with the end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// `None` past 4 GiB, which no limit allows.
    #[inline]
    fn new(start: usize, end: usize) -> Option<Span> {
        Some(Span { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
    }

    #[inline]
    fn range(self) -> Option<std::ops::Range<usize>> {
        Some(usize::try_from(self.start).ok()?..usize::try_from(self.end).ok()?)
    }

    #[inline]
    fn len(self) -> u32 {
        self.end.wrapping_sub(self.start)
    }
}

/// One element: its name, its own text, and its depth below the root.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Node {
    pub(crate) depth: u32,
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// The elements of a document in order; the usual push fits without a heap allocation.
pub(crate) struct Nodes {
    inline: [Node; Nodes::INLINE],
    len: usize,
    spilled: Vec<Node>,
    /// Whether the first four are those of [`Header`], in this order.
    usual_header: bool,
}

impl Nodes {
    /// More than the longest push without repeated parts.
    const INLINE: usize = 24;

    #[inline]
    pub(crate) fn new() -> Nodes {
        Nodes { inline: [Node::default(); Nodes::INLINE], len: 0, spilled: Vec::new(), usual_header: false }
    }

    #[inline(always)]
    fn push(&mut self, node: Node) {
        match self.inline.get_mut(self.len) {
            Some(slot) => {
                *slot = node;
                self.len += 1;
            }
            None => {
                self.spill();
                self.spilled.push(node);
            }
        }
    }

    /// Takes no node: one that is passed on would be written to memory and read back for each push.
    #[cold]
    fn spill(&mut self) {
        if self.spilled.is_empty() {
            self.spilled.extend_from_slice(&self.inline);
        }
    }

    fn clear(&mut self) {
        self.len = 0;
        self.spilled.clear();
        self.usual_header = false;
    }

    #[inline]
    fn as_slice(&self) -> &[Node] {
        if self.spilled.is_empty() { self.inline.get(..self.len).unwrap_or_default() } else { &self.spilled }
    }
}

/// Every element of a push: the result of each reader.
pub(crate) struct Fields<'a, 'n> {
    /// The document itself if its pieces are unchanged, otherwise a text made of them.
    text: Cow<'a, str>,
    nodes: &'n Nodes,
}

impl<'a, 'n> Fields<'a, 'n> {
    /// Reads a body into `nodes`, which belong to the caller so that they need not be moved.
    #[inline]
    pub(crate) fn read(body: &'a [u8], limits: &Limits, nodes: &'n mut Nodes) -> Result<Fields<'a, 'n>, ParseError> {
        limits.admit(body)?;
        if let Ok(text) = simdutf8::basic::from_utf8(body)
            && flat::read(text, limits, nodes).is_some()
        {
            return Ok(Fields { text: Cow::Borrowed(text), nodes });
        }
        Fields::read_otherwise(body, limits, nodes)
    }

    /// A broken character is one odd field, not a reason to lose the push.
    #[cold]
    fn read_otherwise(body: &[u8], limits: &Limits, nodes: &'n mut Nodes) -> Result<Fields<'a, 'n>, ParseError> {
        nodes.clear();
        let text = String::from_utf8_lossy(body);
        if trim(text.strip_prefix('\u{FEFF}').unwrap_or(&text)).starts_with("&lt;xml") {
            return Err(ParseError::Escaped);
        }
        let pieces = match is_json(body) {
            #[cfg(feature = "json")]
            true => json::read(text.strip_prefix('\u{FEFF}').unwrap_or(&text), limits, nodes)?,
            #[cfg(not(feature = "json"))]
            true => return Err(ParseError::Json),
            false => tree::read(&text, limits, nodes)?,
        };
        Ok(Fields { text: Cow::Owned(pieces), nodes })
    }

    /// Whether [`flat`] read it: then it is well-formed XML, except for characters that XML forbids.
    #[cfg(feature = "testing")]
    pub(crate) fn is_of_dialect(&self) -> bool {
        matches!(self.text, Cow::Borrowed(_))
    }

    /// The root, where paths begin.
    #[inline]
    pub(crate) fn root(&self) -> Element<'_, 'a> {
        Element { text: &self.text, value: Span::default(), below: self.nodes.as_slice(), depth: 0 }
    }

    /// The header, and the root without what is known to be header, where no field of a kind can be.
    #[inline]
    pub(crate) fn header(&self) -> (Header<'_, 'a>, Element<'_, 'a>) {
        let root = self.root();
        if self.nodes.usual_header
            && let ([to_user, from_user, create_time, msg_type], below) = root.split()
        {
            return (Header { to_user, from_user, create_time, msg_type, info_type: None }, Element { below, ..root });
        }
        let msg_type = root.first(const { Path::new("MsgType") });
        let info_type = root.first(const { Path::new("InfoType") });
        // A platform's push has no MsgType and no user names: what follows its InfoType may have been typed by a user.
        let info_type =
            info_type.filter(|info_type| msg_type.is_none_or(|found| found.below.len() < info_type.below.len()));
        let names = info_type.map_or(root, |info_type| root.in_front_of(info_type));
        let header = Header {
            to_user: names.first(const { Path::new("ToUserName") }),
            from_user: names.first(const { Path::new("FromUserName") }),
            create_time: root.first(const { Path::new("CreateTime") }),
            msg_type: msg_type.filter(|_| info_type.is_none()),
            info_type,
        };
        (header, root)
    }
}

/// The elements that nearly every push begins with.
pub(crate) struct Header<'f, 'a> {
    pub(crate) to_user: Option<Element<'f, 'a>>,
    pub(crate) from_user: Option<Element<'f, 'a>>,
    pub(crate) create_time: Option<Element<'f, 'a>>,
    /// If it comes before any InfoType.
    pub(crate) msg_type: Option<Element<'f, 'a>>,
    /// If it comes before any MsgType.
    pub(crate) info_type: Option<Element<'f, 'a>>,
}

/// A path from an element to elements below it: names joined by `/`, and alternatives joined by `|`.
///
/// The first element of a name counts, since WeChat writes the header before anything that a user typed. `MsgId` and
/// `Encrypt` come after it, so of these the last one counts. So a user who closes their own value cannot forge any of
/// them.
#[derive(Clone, Copy)]
pub(crate) struct Path<'p> {
    text: &'p str,
    /// A single name: nothing to split.
    simple: bool,
    last: bool,
}

impl<'p> Path<'p> {
    pub(crate) const fn new(text: &'p str) -> Path<'p> {
        let mut rest = text.as_bytes();
        while let [first, others @ ..] = rest {
            if matches!(first, b'/' | b'|') {
                return Path { text, simple: false, last: false };
            }
            rest = others;
        }
        Path { text, simple: true, last: matches!(text.as_bytes(), b"MsgId" | b"Encrypt") }
    }

    pub(crate) fn as_str(self) -> &'p str {
        self.text
    }
}

/// An element and its descendants.
#[derive(Clone, Copy)]
pub(crate) struct Element<'f, 'a> {
    /// The text that the spans refer to.
    text: &'f Cow<'a, str>,
    value: Span,
    /// The nodes after the element; its descendants are those at least as deep as its children.
    below: &'f [Node],
    /// Depth of the children.
    depth: u32,
}

impl<'f, 'a> Element<'f, 'a> {
    /// The element's own text.
    #[inline(always)]
    pub(crate) fn text(self) -> Str<'a> {
        let range = self.value.range().unwrap_or_default();
        match self.text {
            Cow::Borrowed(text) => Str::borrowed(text.get(range).unwrap_or_default()),
            Cow::Owned(text) => text.get(range).unwrap_or_default().to_owned().into(),
        }
    }

    /// The element's own text, to look at without keeping it.
    #[inline(always)]
    pub(crate) fn peek(self) -> &'f str {
        self.value.range().and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    #[inline(always)]
    fn name(self, node: &Node) -> &'f [u8] {
        node.name.range().and_then(|range| self.text.as_bytes().get(range)).unwrap_or_default()
    }

    /// The element at a path: the first one, or the last one of `MsgId` and `Encrypt`.
    #[inline(always)]
    pub(crate) fn first(self, path: Path<'_>) -> Option<Element<'f, 'a>> {
        if path.last {
            self.last(path.text)
        } else if path.simple {
            self.child(path.text)
        } else {
            path.text.split('|').find_map(|way| self.first_along(way))
        }
    }

    #[inline(never)]
    fn last(self, name: &str) -> Option<Element<'f, 'a>> {
        let mut found = self.child(name)?;
        while let Some(later) = self.behind(found).child(name) {
            found = later;
        }
        Some(found)
    }

    /// The part after one of its children.
    #[inline]
    fn behind(self, child: Element<'f, 'a>) -> Element<'f, 'a> {
        Element { below: child.below, ..self }
    }

    /// The part before one of its children.
    fn in_front_of(self, child: Element<'f, 'a>) -> Element<'f, 'a> {
        let length = self.below.len().saturating_sub(child.below.len() + 1);
        Element { below: self.below.get(..length).unwrap_or_default(), ..self }
    }

    /// Searches all children of a name, as the first one may lack what a later one has.
    fn first_along(self, way: &str) -> Option<Element<'f, 'a>> {
        let Some((name, rest)) = way.split_once('/') else { return self.child(way) };
        let mut ahead = self;
        loop {
            let child = ahead.child(name)?;
            if let Some(found) = child.first_along(rest) {
                return Some(found);
            }
            ahead = ahead.behind(child);
        }
    }

    #[inline(always)]
    fn child(self, name: &str) -> Option<Element<'f, 'a>> {
        let length = u32::try_from(name.len()).ok()?;
        for (index, node) in self.below.iter().enumerate() {
            if node.name.len() == length && node.depth == self.depth && self.name(node) == name.as_bytes() {
                return self.at(index);
            }
            if node.depth < self.depth {
                return None;
            }
        }
        None
    }

    /// The children, with their names.
    #[cfg(any(feature = "serde", feature = "testing"))]
    pub(crate) fn children(self) -> impl Iterator<Item = (&'f str, Element<'f, 'a>)> {
        let below = self.below.iter().take_while(move |node| node.depth >= self.depth).enumerate();
        let children = below.filter(move |(_, node)| node.depth == self.depth);
        children.filter_map(move |(index, node)| {
            let name = node.name.range().and_then(|range| self.text.get(range)).unwrap_or_default();
            self.at(index).map(|child| (name, child))
        })
    }

    #[inline(always)]
    fn at(self, index: usize) -> Option<Element<'f, 'a>> {
        let (node, below) = self.below.get(index..)?.split_first()?;
        Some(Element { value: node.value, below, depth: node.depth + 1, ..self })
    }

    /// The first `N` children, none of which has children of its own, and what follows.
    #[inline]
    fn split<const N: usize>(self) -> ([Option<Element<'f, 'a>>; N], &'f [Node]) {
        (std::array::from_fn(|index| self.at(index)), self.below.get(N..).unwrap_or_default())
    }

    /// All elements at a path: alternative by alternative, each in the document's order.
    pub(crate) fn all<'p>(self, path: Path<'p>) -> impl Iterator<Item = Element<'f, 'a>> + use<'f, 'a, 'p> {
        path.text.split('|').flat_map(move |way| self.along(way))
    }

    fn along<'p>(self, way: &'p str) -> impl Iterator<Item = Element<'f, 'a>> + use<'f, 'a, 'p> {
        let names = 1 + way.matches('/').count();
        // How many names of the path the elements around the next one match, from the outermost.
        let mut matched = 0;
        let below = self.below.iter().take_while(move |node| node.depth >= self.depth).enumerate();
        below.filter_map(move |(index, node)| {
            let level = usize::try_from(node.depth - self.depth).ok()?;
            if level > matched {
                return None;
            }
            if way.split('/').nth(level)?.as_bytes() != self.name(node) {
                matched = level;
                return None;
            }
            if level + 1 < names {
                matched = level + 1;
                return None;
            }
            self.at(index)
        })
    }
}

/// Whether a body is to be read and answered as JSON.
pub(crate) fn is_json(body: &[u8]) -> bool {
    let unmarked = body.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(body);
    unmarked.iter().find(|byte| !is_space(**byte)) == Some(&b'{')
}

/// White space as XML defines it.
#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Text without the white space around it.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if !is_space(*first) && !is_space(*last) => text,
        _ => text.trim_matches(is_white),
    }
}

/// Line and column, from 1, of a byte.
fn place(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
