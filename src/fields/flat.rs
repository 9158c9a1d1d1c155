//! The XML dialect that WeChat writes, read in one pass and without allocating.
//!
//! ```text
//! document = space open(root) (space element)* space close(root) space
//! element  = open(name) space content space close(name)
//! content  = "<![CDATA[" anything "]]>"       its text as it is, white space and control characters included; this is
//!                                             the first `]]>`, and `close(name)` must follow
//!          | bare                             its text without the white space around it
//!          | element (space element)*         its text is empty
//! bare     = no `<`, `>`, `&` and, except at the ends, no carriage return
//! name     = [A-Za-z_] [A-Za-z0-9_.-]*
//! ```
//!
//! Anything else (attributes, entities, comments, split CDATA, declarations, errors) is declined as a whole: the reader
//! returns `None` without a reason, since `tree` reads the document from its beginning.

use memchr::memchr;

use super::{Limits, Node, Nodes, Span, is_space};

const CDATA: &[u8] = b"<![CDATA[";

/// Deeper than this is not WeChat's dialect.
const DEEPEST: usize = 8;

/// Reads a document into `nodes`; `None` if it is not in the dialect or exceeds a limit.
#[inline]
pub(super) fn read(text: &str, limits: &Limits, nodes: &mut Nodes) -> Option<()> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    reader.space();
    let root = reader.open()?;
    let mut left = limits.elements;
    if limits.depth > 0 {
        nodes.usual_header = reader.header(nodes).is_some();
        reader.event(nodes);
        left = left.checked_sub(u32::try_from(nodes.len).ok()?)?;
    }

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
        let name = reader.open()?;
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

    /// The four elements that nearly every push begins with, as far as they come in WeChat's usual order.
    ///
    /// Names that are known beforehand are not scanned, which saves a third of the time of a short push.
    #[inline]
    fn header(&mut self, nodes: &mut Nodes) -> Option<()> {
        self.usual(nodes, b"<ToUserName><![CDATA[", b"]]></ToUserName>")?;
        self.usual(nodes, b"<FromUserName><![CDATA[", b"]]></FromUserName>")?;
        self.usual(nodes, b"<CreateTime>", b"</CreateTime>")?;
        self.usual(nodes, b"<MsgType><![CDATA[", b"]]></MsgType>")
    }

    /// The elements that follow in nearly every event.
    #[inline]
    fn event(&mut self, nodes: &mut Nodes) -> Option<()> {
        self.usual(nodes, b"<Event><![CDATA[", b"]]></Event>")?;
        self.usual(nodes, b"<EventKey><![CDATA[", b"]]></EventKey>")
    }

    /// An element, given what stands before and after its text. If the document differs, nothing has happened.
    #[inline(always)]
    fn usual<const B: usize, const E: usize>(
        &mut self,
        nodes: &mut Nodes,
        before: &[u8; B],
        behind: &[u8; E],
    ) -> Option<()> {
        self.space();
        self.rest().strip_prefix(before)?;
        let start = self.at + B;
        let (end, name) = if before.ends_with(CDATA) {
            (self.end_of_cdata(start)?, B - 2 - CDATA.len())
        } else {
            let digits = self.bytes.get(start..)?.iter().position(|byte| !byte.is_ascii_digit())?;
            (start + digits, B - 2)
        };
        self.bytes.get(end..)?.strip_prefix(behind)?;
        let name = Span::new(self.at + 1, self.at + 1 + name)?;
        nodes.push(Node { depth: 0, name, value: Span::new(start, end)? });
        self.at = end + E;
        Some(())
    }

    /// A start tag without attributes.
    #[inline]
    fn open(&mut self) -> Option<Span> {
        let [b'<', first, rest @ ..] = self.rest() else { return None };
        if !first.is_ascii_alphabetic() && *first != b'_' {
            return None;
        }
        let more = rest.iter().position(|byte| !NAME.get(usize::from(*byte)).is_some_and(|&part| part))?;
        let start = self.at + 1;
        let end = start + 1 + more;
        self.at = end + 1;
        if rest.get(more) == Some(&b'>') { Span::new(start, end) } else { None }
    }

    /// The end tag of that name. White space before its `>` is declined.
    #[inline]
    fn close(&mut self, name: Span) -> Option<()> {
        let name = self.bytes.get(name.range()?)?;
        self.at += self.rest().strip_prefix(b"</")?.strip_prefix(name)?.strip_prefix(b">").map(|_| name.len() + 3)?;
        Some(())
    }

    /// The content between the tags, up to the end tag or to the first child.
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
        // At a carriage return, which XML normalises to a line feed between characters: only white space may follow it.
        let length = rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&' | b'\r'))?;
        let (bare, rest) = rest.split_at_checked(length)?;
        if bare.is_empty() && !rest.starts_with(b"</") {
            return rest.starts_with(b"<").then_some(Content::Elements);
        }
        let end = start + bare.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
        self.at += length;
        self.space();
        Some(Content::Text(Span::new(start, end)?))
    }

    #[inline]
    fn end_of_cdata(&self, mut from: usize) -> Option<usize> {
        loop {
            let end = from + self.bytes.get(from..).and_then(bracket)?;
            if self.bytes.get(end..)?.starts_with(b"]]>") {
                return Some(end);
            }
            from = end + 1;
        }
    }
}

/// Position of the first `]`. Most values end before memchr would have started.
#[inline]
fn bracket(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().take(4).enumerate() {
        let differing = u64::from_le_bytes(*word) ^ (ONES * 0x5d);
        // The lowest zero byte has its high bit set here; bits above it do not count.
        let zero = differing.wrapping_sub(ONES) & !differing & (ONES << 7);
        if zero != 0 {
            return Some(8 * index + usize::try_from(zero.trailing_zeros() / 8).ok()?);
        }
    }
    let seen = 8 * words.len().min(4);
    memchr(b']', bytes.get(seen..)?).map(|at| seen + at)
}

/// Which bytes a name may contain.
static NAME: [bool; 256] = {
    let mut name = [false; 256];
    let mut byte = 0;
    while byte < name.len() {
        #[allow(clippy::as_conversions, clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            name[byte] = matches!(byte as u8, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        }
        byte += 1;
    }
    name
};
