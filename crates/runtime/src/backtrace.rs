//! The text of a [`Backtrace`]: one line per frame, with endless recursions folded. The command line and embedders print the
//! same text.
//!
//! The layout is stable enough to grep: `wasm backtrace:`, then `   0: 0x2a - module!function` for each frame. Names are demangled and
//! escaped by [`symbol`](crate::symbol).

use std::fmt;
use std::sync::Arc;

use wasmr_core::count::grouped;

use crate::trap::{Backtrace, FrameInfo};

/// Length of the longest cycle of calls that is recognised as a recursion.
const MAX_CYCLE: usize = 8;

/// Writes nothing if there are no frames. Ends without a line feed.
impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.frames.is_empty() {
            return Ok(());
        }
        f.write_str("wasm backtrace:")?;
        let shown = unrepeated(&self.frames);
        for (number, frame) in self.frames[..shown].iter().enumerate() {
            write!(f, "\n{number:>4}: {frame}")?;
        }
        match self.total.saturating_sub(shown) {
            0 => Ok(()),
            more => write!(f, "\n    … {} more", grouped(more)),
        }
    }
}

impl Backtrace {
    /// Returns a text to follow a message: the backtrace on lines of its own, or nothing.
    pub(crate) fn below_message(&self) -> String {
        if self.frames.is_empty() { String::new() } else { format!("\n{self}") }
    }
}

/// Returns the number of frames to show: all, unless the outer frames repeat a cycle of calls at least three times. Then one cycle
/// is shown.
fn unrepeated(frames: &[FrameInfo]) -> usize {
    for cycle in 1..=MAX_CYCLE {
        let repeating = frames.windows(cycle + 1).rev().take_while(|window| window[0].is_same(&window[cycle])).count();
        if repeating >= 2 * cycle {
            return frames.len() - repeating;
        }
    }
    frames.len()
}

impl FrameInfo {
    /// Returns true if both frames execute the same operator.
    fn is_same(&self, other: &FrameInfo) -> bool {
        let place = |frame: &FrameInfo| (Arc::as_ptr(frame.module()), frame.func_index(), frame.offset());
        place(self) == place(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmr_core::registry::TypeRegistry;
    use wasmr_module::{Features, Module};

    /// Returns the functions that a backtrace of calls `a b …` shows, and the remark about the rest.
    fn folded(names: &str, total: usize) -> String {
        let functions = "abcdefx".chars().map(|name| format!("(func (export \"{name}\"))")).collect::<String>();
        let bytes = wat::parse_str(format!("(module {functions})")).unwrap();
        let module =
            Module::new(bytes.into(), "m.wasm", &Features::default(), &Arc::new(TypeRegistry::new()), 1).unwrap();
        let index = |name: &str| "abcdefx".find(name).unwrap() as u32;
        let frame = |name: &str| FrameInfo::new(module.clone(), index(name), Some(16));
        let text = Backtrace { frames: names.split_whitespace().map(frame).collect(), total }.to_string();
        let shown = text.lines().skip(1).map(|line| line.rsplit('!').next().unwrap().trim());
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn frames_beyond_the_kept_ones_are_counted() {
        assert_eq!(folded("a b c", 3), "a b c");
        assert_eq!(folded("a b c", 32_001), "a b c … 31 998 more");
        assert_eq!(Backtrace::default().to_string(), "");
    }

    #[test]
    fn a_recursion_is_shown_once() {
        assert_eq!(folded("f f f f", 40_004), "f … 40 003 more");
        assert_eq!(folded("x f f f f f", 1006), "x f … 1 004 more");
        assert_eq!(folded("x a b a b a b a", 9_000), "x a b … 8 997 more");
    }

    #[test]
    fn calls_that_only_resemble_a_recursion_are_shown() {
        assert_eq!(folded("f f", 2), "f f");
        assert_eq!(folded("f f f e", 4), "f f f e");
        assert_eq!(folded("a b a b", 4), "a b a b");
    }
}
