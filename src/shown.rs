//! What errors and reports show of a request: always cut here, and on one line.
//!
//! The sender of a request chooses its method, names and values, and needs no signature for it. Uncut, log lines could
//! be made as long as a body.

use std::error::Error;
use std::fmt::{self, Write};
use std::iter;

/// Characters of a name or a value. The longest event name has about 40.
const WORD: usize = 64;
/// Characters of a message from the XML or JSON reader, which may quote two names.
const REASON: usize = 160;
/// Bytes of a report, including the text of a handler's own error.
const LINE: usize = 1024;
/// Causes of an error that are shown. A foreign error may name itself as its cause.
const CAUSES: usize = 16;

/// The part of a name or a value that is shown.
pub(crate) fn word(text: &str) -> String {
    cut(text, WORD).to_owned()
}

/// The part of a message from the XML or JSON reader that is shown.
pub(crate) fn reason(text: &str) -> String {
    cut(text, REASON).to_owned()
}

fn cut(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// One line of text: line breaks and control characters are escaped.
pub(crate) fn line(what: fmt::Arguments<'_>) -> String {
    let mut line = Line(String::new());
    // Writing to a `Line` never fails. If a foreign `Display` fails, what it wrote so far is kept.
    let _ = line.write_fmt(what);
    line.0
}

/// An error and its causes on one line: `binding a scene: no such table: scenes`.
///
/// A cause whose text the error above it already contains is not repeated.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut whole = line(format_args!("{error}"));
    for cause in iter::successors(error.source(), |cause| (*cause).source()).take(CAUSES) {
        let cause = line(format_args!("{cause}"));
        if !whole.ends_with(&cause) {
            whole.extend([": ", &*cause]);
        }
    }
    whole
}

struct Line(String);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for run in upto(text, LINE - self.0.len()).split_inclusive(char::is_control) {
            match run.char_indices().next_back() {
                Some((at, last)) if last.is_control() => {
                    self.0.push_str(run.get(..at).unwrap_or_default());
                    self.0.extend(last.escape_default());
                }
                _ => self.0.push_str(run),
            }
        }
        let end = upto(&self.0, LINE).len();
        self.0.truncate(end);
        Ok(())
    }
}

/// The text cut to so many bytes, at a character boundary.
fn upto(text: &str, bytes: usize) -> &str {
    match text.len() > bytes {
        true => (0..=bytes).rev().find_map(|end| text.get(..end)).unwrap_or_default(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_cut_between_characters() {
        for (text, shown) in [("", ""), ("subscribe", "subscribe"), (&"长".repeat(65), &*"长".repeat(64))] {
            assert_eq!(word(text), shown);
        }
        assert_eq!(reason(&"r".repeat(161)), "r".repeat(160));
    }

    #[derive(Debug, thiserror::Error)]
    enum Failed {
        #[error("no such table: scenes")]
        Table,
        #[error("binding a scene")]
        Binding(#[source] Box<Failed>),
        #[error("told in full: {0}")]
        Full(#[source] Box<Failed>),
    }

    /// An error that names itself as its cause.
    #[derive(Debug)]
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("again\nand")
        }
    }

    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Endless)
        }
    }

    #[test]
    fn an_error_is_shown_with_its_causes_and_each_of_them_once() {
        assert_eq!(chain(&Failed::Table), "no such table: scenes");
        assert_eq!(chain(&Failed::Binding(Failed::Table.into())), "binding a scene: no such table: scenes");
        assert_eq!(chain(&Failed::Full(Failed::Table.into())), "told in full: no such table: scenes");
        assert_eq!(chain(&Endless), "again\\nand");
    }

    #[test]
    fn a_line_has_no_control_characters_and_at_most_its_bytes() {
        assert_eq!(line(format_args!("a\r\nb\x1b[2J{}", "\0\u{85}c")), r"a\r\nb\u{1b}[2J\u{0}\u{85}c");
        for what in ["长", "\n", "x", "\u{85}"] {
            for before in ["", "a", "ab"] {
                let long = line(format_args!("{before}{}{what}", what.repeat(1 << 20)));
                assert!((LINE - 3..=LINE).contains(&long.len()), "{} of {what:?}", long.len());
                assert!(!long.contains(char::is_control));
            }
        }
    }
}
