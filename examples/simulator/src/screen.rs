//! Words on the screen.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

/// What is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What WeChat does not take.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What stands out.
pub const BOLD: Style = Style::new().bold();
/// What stands back.
pub const DIM: Style = Style::new().dimmed();

/// Writes a line to standard output, without its colours where nobody sees them.
///
/// The reader may have gone, as `head` does. That is no error: the exit code still says how it went.
pub fn say(line: impl std::fmt::Display) {
    drop(writeln!(anstream::stdout().lock(), "{line}"));
}

/// A text with its control characters made visible: it came from elsewhere, and could move the cursor.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Each line with something in front.
pub fn indented(text: &str, margin: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("{margin}{line}").trim_end().to_owned()).collect();
    lines.join("\n")
}
