//! The layout of errors and traps: one sentence that says what failed, then its causes, indented by two.
//!
//! The layout is stable enough to grep: `error: `, `  wasm trap: `, `  wasm backtrace:`. All output of wasmr goes through [`print`] or
//! [`show`], so that foreign text cannot steer a terminal. A message that contains a name escapes its line feeds as well, with
//! [`printable_word`] or [`symbol`](wasmr::symbol).

use std::ffi::OsStr;
use std::io::Write;

use wasmr::Backtrace;
use wasmr_core::count::{Count, grouped};
use wasmr_module::printable::{printable, printable_lines};

/// Prints an error and its causes. A cause of several lines is indented as a whole.
pub fn error(err: &mut dyn Write, error: &anyhow::Error) {
    let mut text = sentence(&error.to_string());
    for cause in error.chain().skip(1) {
        indent(&mut text, &cause.to_string());
    }
    print(err, &text);
}

/// Prints an error with details on lines of their own.
pub fn error_with_details(err: &mut dyn Write, sentence: &str, details: &str) {
    let mut text = self::sentence(sentence);
    indent(&mut text, details);
    print(err, &text);
}

/// Returns the first line of an error. Text after a line feed in a foreign word is indented, so that it cannot pass for a message of
/// wasmr.
fn sentence(sentence: &str) -> String {
    let (first, rest) = sentence.split_once('\n').unwrap_or((sentence, ""));
    let mut text = format!("error: {first}\n");
    indent(&mut text, rest);
    text
}

fn indent(text: &mut String, lines: &str) {
    for line in lines.lines() {
        text.push_str(if line.is_empty() { "" } else { "  " });
        text.push_str(line);
        text.push('\n');
    }
}

/// Prints a message in one write, so that output of other processes on the same terminal does not split it.
pub fn print(err: &mut dyn Write, text: &str) {
    // A closed stream leaves nowhere to report to.
    let _ = show(err, text);
}

/// Prints output of a command, with all characters escaped that could steer a terminal.
pub fn show(out: &mut dyn Write, text: &str) -> std::io::Result<()> {
    out.write_all(printable_lines(text).as_bytes())?;
    out.flush()
}

/// Returns a file name or another word of the command line, escaped to stay on one line. It is never cut.
pub fn printable_word(word: impl AsRef<OsStr>) -> String {
    printable(&word.as_ref().to_string_lossy(), usize::MAX)
}

/// Returns the lines of a backtrace with its heading, or nothing if it has no frames.
pub fn backtrace(backtrace: &Backtrace) -> String {
    if backtrace.frames.is_empty() { String::new() } else { format!("{backtrace}\n") }
}

/// Returns the hint for an out-of-bounds access that occurred this many calls deep.
pub fn own_stack_hint(frames: usize) -> String {
    let frames = grouped(frames);
    format!(
        "hint: {frames} calls deep: probably an endless recursion that used up the program's own stack in its memory\n"
    )
}

/// Returns a number of bytes in the largest unit that needs no fraction: `1 MiB`, `16448 KiB`, `100 bytes`.
pub fn exact_size(bytes: u128) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = |(_, shift): &(&str, u32)| bytes > 0 && bytes.trailing_zeros() >= *shift;
    match units.into_iter().find(fits) {
        Some((unit, shift)) => format!("{} {unit}", bytes >> shift),
        None => Count(bytes, "byte").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn causes_stand_below_indented() {
        let failure = Err::<(), _>(std::io::Error::other("one\ntwo")).context("cannot do it").unwrap_err();
        let mut out = Vec::new();
        error(&mut out, &failure);
        assert_eq!(String::from_utf8(out).unwrap(), "error: cannot do it\n  one\n  two\n");
    }

    #[test]
    fn sizes_are_exact() {
        let sizes = [0, 1, 1000, 1024, 16_842_752, 1 << 30, 3 << 29, 1 << 70];
        let texts = ["0 bytes", "1 byte", "1000 bytes", "1 KiB", "16448 KiB", "1 GiB", "1536 MiB", "1073741824 TiB"];
        assert_eq!(sizes.map(exact_size), texts);
    }
}
