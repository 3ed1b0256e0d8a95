//! Escapes foreign text for terminals: names of modules, file names, command-line words. Escaped text can neither control a
//! terminal nor imitate a line of output.
//!
//! Escaping is idempotent, so text may be escaped more than once.

use std::borrow::Cow;

/// Returns true if a character controls a terminal, starts a line, or changes the [direction of its
/// neighbours](https://unicode.org/reports/tr9/).
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escapes unprintable characters, including line feeds, and shortens the text to about `most` bytes.
pub fn printable(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if out.len() >= most {
            out.push('…');
            break;
        }
        if is_unprintable(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Escapes unprintable characters except line feeds and tabs.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_wrong = |c: char| is_unprintable(c) && c != '\n' && c != '\t';
    if !text.contains(is_wrong) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_wrong(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREIGN: &str = "a\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{2066}\u{61c}\u{2028}\r\n\tb ü 字";
    const ESCAPED: &str = "a\\u{1b}[2J\\u{9b}\\u{7f}\\u{202e}\\u{2066}\\u{61c}\\u{2028}\\u{d}\\u{a}\\u{9}b ü 字";

    #[test]
    fn names_stay_on_their_line() {
        assert_eq!(printable(FOREIGN, usize::MAX), ESCAPED);
        assert_eq!(printable(ESCAPED, usize::MAX), ESCAPED);
        assert!(printable(&"y".repeat(100_000), 600).len() < 610);
    }

    #[test]
    fn lines_stay_lines() {
        let lines = ESCAPED.replace("\\u{a}\\u{9}", "\n\t");
        assert_eq!(printable_lines(FOREIGN), lines);
        assert!(matches!(printable_lines(&lines), Cow::Borrowed(same) if same == lines));
    }
}
