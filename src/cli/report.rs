//! How errors and traps look: one sentence that says what failed, its causes below, indented by two.
//!
//! The layout is stable enough to grep: `error: `, `  wasm trap: `, `  wasm backtrace:`. Whatever wasmr says goes through [`print`] or
//! [`show`], so that foreign text steers no terminal; names that must also stay on their line are made so where they are put into a
//! message ([`symbol`]).

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write;

use wasmr::{Backtrace, FrameInfo, symbol};
use wasmr_module::printable::{printable, printable_lines};

/// The longest cycle of calls that is recognised as a recursion.
const MAX_CYCLE: usize = 8;

/// Prints an error and its causes. A cause of several lines is indented as a whole.
pub fn error(err: &mut dyn Write, error: &anyhow::Error) {
    let mut text = sentence(&error.to_string());
    for cause in error.chain().skip(1) {
        indent(&mut text, &cause.to_string());
    }
    print(err, &text);
}

/// Prints an error whose details are lines of their own.
pub fn error_with_details(err: &mut dyn Write, sentence: &str, details: &str) {
    let mut text = self::sentence(sentence);
    indent(&mut text, details);
    print(err, &text);
}

/// The line of an error. What follows a line feed in a foreign word is indented, so that it cannot pass for a message of wasmr's.
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

/// Prints a message in one piece, so that it is not torn by what others write to the same terminal.
pub fn print(err: &mut dyn Write, text: &str) {
    // There is nobody left to tell if the stream is closed.
    let _ = show(err, text);
}

/// Prints what was asked for, with everything escaped that could steer a terminal.
pub fn show(out: &mut dyn Write, text: &str) -> std::io::Result<()> {
    out.write_all(printable_lines(text).as_bytes())?;
    out.flush()
}

/// A file name or another word of the command line, whole and on one line.
pub fn printable_word(word: impl AsRef<OsStr>) -> String {
    printable(&word.as_ref().to_string_lossy(), usize::MAX)
}

/// The lines of a backtrace, its heading included; empty if there are no frames.
///
/// A recursion at the outer end is shown once; what is left out is counted.
pub fn backtrace(backtrace: &Backtrace) -> String {
    let frames: Vec<Line> = backtrace.frames.iter().map(Line::of).collect();
    render(&frames, backtrace.total)
}

/// What to say about an access out of bounds that many calls deep.
pub fn own_stack_hint(frames: usize) -> String {
    let frames = grouped(frames);
    format!(
        "hint: {frames} calls deep: probably an endless recursion that used up the program's own stack in its memory\n"
    )
}

/// What is shown of a frame.
#[derive(PartialEq)]
struct Line {
    offset: Option<usize>,
    module: String,
    function: String,
}

impl Line {
    fn of(frame: &FrameInfo) -> Line {
        let module = symbol::printable(frame.module().name());
        Line { offset: frame.offset(), module, function: frame.readable_name() }
    }
}

fn render(frames: &[Line], total: usize) -> String {
    if frames.is_empty() {
        return String::new();
    }
    let shown = &frames[..unrepeated(frames)];
    let mut text = String::from("wasm backtrace:\n");
    for (number, Line { offset, module, function }) in shown.iter().enumerate() {
        let offset = offset.map(|offset| format!("{offset:#x} - ")).unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{number:>4}: {offset}{module}!{function}");
    }
    match total.saturating_sub(shown.len()) {
        0 => {}
        more => text.push_str(&format!("    … {} more\n", grouped(more))),
    }
    text
}

/// How many frames to show: all, unless the outer ones repeat a cycle of calls at least three times.
fn unrepeated(frames: &[Line]) -> usize {
    for cycle in 1..=MAX_CYCLE {
        let repeating = frames.windows(cycle + 1).rev().take_while(|window| window[0] == window[cycle]).count();
        if repeating >= 2 * cycle {
            return frames.len() - repeating;
        }
    }
    frames.len()
}

/// A number with its thousands apart: `31 998`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    fn frames(names: &str) -> Vec<Line> {
        let line = |name: &str| Line { offset: Some(16), module: "m.wasm".into(), function: name.into() };
        names.split_whitespace().map(line).collect()
    }

    /// The functions shown, and what is said about the rest.
    fn folded(names: &str, total: usize) -> String {
        let text = render(&frames(names), total);
        let shown = text.lines().skip(1).map(|line| line.rsplit('!').next().unwrap().trim());
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn causes_stand_below_indented() {
        let failure = Err::<(), _>(std::io::Error::other("one\ntwo")).context("cannot do it").unwrap_err();
        let mut out = Vec::new();
        error(&mut out, &failure);
        assert_eq!(String::from_utf8(out).unwrap(), "error: cannot do it\n  one\n  two\n");
    }

    #[test]
    fn a_frame_has_number_offset_module_and_name() {
        let unknown = Line { offset: None, module: "m.wasm".into(), function: "<wasm function 3>".into() };
        let lines: Vec<Line> = frames("f").into_iter().chain([unknown]).collect();
        let text = render(&lines, 2);
        assert_eq!(text, "wasm backtrace:\n   0: 0x10 - m.wasm!f\n   1: m.wasm!<wasm function 3>\n");
        assert_eq!(render(&[], 0), "");
    }

    #[test]
    fn frames_beyond_those_kept_are_counted() {
        assert_eq!(folded("a b c", 3), "a b c");
        assert_eq!(folded("a b c", 32_001), "a b c … 31 998 more");
    }

    #[test]
    fn a_recursion_is_shown_once() {
        assert_eq!(folded("f f f f", 40_004), "f … 40 003 more");
        assert_eq!(folded("x f f f f f", 1006), "x f … 1 004 more");
        assert_eq!(folded("x a b a b a b a", 9_000), "x a b … 8 997 more");
    }

    #[test]
    fn what_only_looks_like_a_recursion_is_shown() {
        assert_eq!(folded("f f", 2), "f f");
        assert_eq!(folded("f f f main", 4), "f f f main");
        assert_eq!(folded("a b a b", 4), "a b a b");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
