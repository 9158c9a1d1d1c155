//! The dialect WeChat writes, in one pass and without allocating.
//!
//! ```text
//! document = space open(root) (space element)* space close(root) space
//! element  = open(name) space content space close(name)
//! content  = "<![CDATA[" anything "]]>"       its text as it is, white space and control characters included
//!          | bare                             its text without the white space around it
//!          | element (space element)*         its text is empty
//! bare     = no `<`, `>`, `&` and, but for the ends, no carriage return
//! name     = [A-Za-z_] [A-Za-z0-9_.-]*
//! ```
//!
//! Whatever is written otherwise (attributes, entities, comments, split CDATA, declarations, errors) is declined as a
//! whole: the reader answers `None` and says no more, since `tree` reads the document from its beginning.

use memchr::memchr;

use super::{Limits, Node, Nodes, Span, is_space};

const CDATA: &[u8] = b"<![CDATA[";

/// Deeper than this is not WeChat's dialect.
const DEEPEST: usize = 8;

/// The elements of nearly every push begin with these, in this order.
const HEADER: [&[u8]; 4] = [b"<ToUserName>", b"<FromUserName>", b"<CreateTime>", b"<MsgType>"];

/// Reads a document into `nodes`; `None` where it is not of the dialect or passes a limit.
#[inline]
pub(super) fn read(text: &str, limits: &Limits, nodes: &mut Nodes) -> Option<()> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    let mut header = HEADER.iter();
    let mut left = limits.elements;

    reader.space();
    let root = reader.open()?;
    let mut parents = [Span::default(); DEEPEST];
    let mut depth = 0;
    loop {
        reader.space();
        if reader.starts_with(b"</") {
            if depth == 0 {
                reader.close(root)?;
                reader.space();
                return reader.rest().is_empty().then_some(());
            }
            depth -= 1;
            reader.close(*parents.get(depth)?)?;
            continue;
        }
        let level = u32::try_from(depth).ok()?;
        left = left.checked_sub(1)?;
        if level >= limits.depth {
            return None;
        }
        let name = match header.next() {
            Some(usual) if reader.starts_with(usual) => reader.skip_tag(usual)?,
            _ => reader.open()?,
        };
        match reader.content()? {
            Content::Text(value) => {
                reader.close(name)?;
                nodes.push(Node { depth: level, name, value });
            }
            Content::Elements => {
                nodes.push(Node { depth: level, name, value: Span::default() });
                *parents.get_mut(depth)? = name;
                depth += 1;
            }
        }
    }
}

enum Content {
    Text(Span),
    Elements,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn starts_with(&self, expected: &[u8]) -> bool {
        self.rest().starts_with(expected)
    }

    #[inline]
    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(|&byte| is_space(byte)) {
            self.at += 1;
        }
    }

    /// Goes on behind a start tag that is known to stand here.
    #[inline]
    fn skip_tag(&mut self, tag: &[u8]) -> Option<Span> {
        let name = Span::new(self.at + 1, self.at + tag.len() - 1);
        self.at += tag.len();
        name
    }

    /// A start tag without attributes.
    #[inline]
    fn open(&mut self) -> Option<Span> {
        let mut rest = self.rest().strip_prefix(b"<")?.iter();
        if !rest.next().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_') {
            return None;
        }
        let more = rest.position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')))?;
        let start = self.at + 1;
        let end = start + 1 + more;
        self.at = end + 1;
        if self.bytes.get(end) == Some(&b'>') { Span::new(start, end) } else { None }
    }

    /// The end tag of that name, white space before its `>` declined.
    #[inline]
    fn close(&mut self, name: Span) -> Option<()> {
        let name = self.bytes.get(name.range()?)?;
        self.at += self.rest().strip_prefix(b"</")?.strip_prefix(name)?.strip_prefix(b">").map(|_| name.len() + 3)?;
        Some(())
    }

    /// What stands between the tags, up to the end tag or to the first child.
    #[inline]
    fn content(&mut self) -> Option<Content> {
        self.space();
        if self.starts_with(CDATA) {
            let start = self.at + CDATA.len();
            let end = self.end_of_cdata(start)?;
            self.at = end + 3;
            self.space();
            return Some(Content::Text(Span::new(start, end)?));
        }
        let start = self.at;
        let rest = self.rest();
        let length = rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&'))?;
        let (bare, rest) = rest.split_at_checked(length)?;
        match (bare.is_empty(), rest) {
            (_, [b'>' | b'&', ..]) => None,
            (true, [b'<', b'/', ..]) => Some(Content::Text(Span::new(start, start)?)),
            (true, _) => Some(Content::Elements),
            (false, _) => {
                let end = start + bare.iter().rposition(|byte| !is_space(*byte))? + 1;
                self.at = start + length;
                // Between characters, XML makes a line feed of a carriage return.
                let inner = self.bytes.get(start..end)?;
                if inner.contains(&b'\r') { None } else { Some(Content::Text(Span::new(start, end)?)) }
            }
        }
    }

    #[inline]
    fn end_of_cdata(&self, mut from: usize) -> Option<usize> {
        loop {
            let end = from + memchr(b']', self.bytes.get(from..)?)?;
            if self.bytes.get(end..)?.starts_with(b"]]>") {
                return Some(end);
            }
            from = end + 1;
        }
    }
}
