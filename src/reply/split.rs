//! Where to cut a long text.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;

/// Longest text in bytes of UTF-8.
///
/// The official page said 2048 until 2014 and nothing since; 2047 were seen to work.
pub(super) const TEXT_LIMIT: usize = 2047;

/// The end of a text that was cut.
const CUT: char = '…';

/// Splits a long text into pieces of at most 2047 bytes, one for each message.
///
/// Joined, the pieces are the text. A piece ends after a line feed if there is one in its second half. No link
/// (`<a …>…</a>`) is split, and nothing that a user sees as one character, such as a flag or a letter with its accents.
/// A link that is longer than a piece is split like any text: the user then sees its markup.
///
/// A reply carries one piece; [`Reply::to_custom_messages`](super::Reply::to_custom_messages) makes one message of
/// each.
///
/// ```
/// use wechat_events::reply::split_text;
///
/// let text = format!("{}\n{}", "a".repeat(2000), "b".repeat(100));
/// assert_eq!(split_text(&text).map(str::len).collect::<Vec<_>>(), [2001, 100]);
///
/// let link = r#"<a href="https://e.com/menu">Menu</a>"#;
/// let text = format!("{}{link}", "a".repeat(2040));
/// assert_eq!(split_text(&text).nth(1), Some(link));
/// ```
pub fn split_text(content: &str) -> impl Iterator<Item = &str> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at_checked(piece_length(rest))?;
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A text within WeChat's limit, with `…` if it had to be cut.
pub(super) fn cut(content: &str) -> Cow<'_, str> {
    if content.len() <= TEXT_LIMIT {
        return Cow::Borrowed(content);
    }
    let kept = content.get(..last_cut(content, TEXT_LIMIT - CUT.len_utf8())).unwrap_or_default();
    Cow::Owned(format!("{kept}{CUT}"))
}

fn piece_length(text: &str) -> usize {
    if text.len() <= TEXT_LIMIT {
        return text.len();
    }
    let length = last_cut(text, TEXT_LIMIT);
    let line = text.get(..length).and_then(|piece| piece.rfind('\n')).map_or(0, |feed| feed + 1);
    if line > TEXT_LIMIT / 2 && link_around(text, line, TEXT_LIMIT).is_none() { line } else { length }
}

/// The last place within the limit where a longer text may be cut; never 0.
fn last_cut(text: &str, limit: usize) -> usize {
    let whole = last_boundary(text, limit);
    let free = link_around(text, whole, limit).map_or(whole, |link| last_boundary(text, link));
    match (free, whole) {
        (0, 0) => floor_char_boundary(text, limit),
        // The link begins the text, so it is cut all the same.
        (0, _) => whole,
        _ => free,
    }
}

/// The last boundary within the limit between two characters as a user sees them.
fn last_boundary(text: &str, limit: usize) -> usize {
    let end = floor_char_boundary(text, limit);
    // A boundary is decided by the text before it and one character after it.
    let behind = text.get(end..).and_then(|behind| behind.chars().next()).map_or(0, char::len_utf8);
    let seen = text.get(..end + behind).unwrap_or_default();
    seen.grapheme_indices(true).next_back().map_or(0, |(start, _)| start)
}

/// The start of the link that a cut at this place would split, unless the link is too long for any piece.
fn link_around(text: &str, at: usize, limit: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    // The cut may be after its first or second byte.
    let start = bytes.get(..bytes.len().min(at + 2))?.windows(3).rposition(begins_link)?;
    let link = bytes.get(start..bytes.len().min(start + limit))?;
    let end = start + link.windows(4).position(|tag| tag.eq_ignore_ascii_case(b"</a>"))? + 4;
    (start < at && at < end).then_some(start)
}

fn begins_link(bytes: &[u8]) -> bool {
    matches!(bytes, [b'<', b'a' | b'A', b' ' | b'\t' | b'\r' | b'\n'])
}

/// `str::floor_char_boundary`, which is newer than this crate's `rust-version`.
fn floor_char_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rfind(|&index| text.is_char_boundary(index)).unwrap_or_default()
}
