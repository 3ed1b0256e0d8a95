//! Readable names of functions and modules: demangled, bounded, and safe on a terminal.
//!
//! The guest chose every name, so each is an attacker's text. A mangled name of a few hundred bytes can expand to gigabytes,
//! and control characters move cursors and change titles. All output goes through one bounded, escaping writer.

use std::fmt::{self, Write};

use wasmr_module::printable::is_unprintable;

/// Bytes of one name that are shown. With [`MAX_BACKTRACE_FRAMES`](wasmr_core::limits::MAX_BACKTRACE_FRAMES) frames a backtrace
/// stays below 16 KiB.
const MAX_NAME: usize = 200;

/// Bytes of the longest name that is demangled: parsing takes some hundred times as many bytes.
const MAX_MANGLED: usize = 16 << 10;

/// Returns the readable form of a function's name. Rust and C++ names are demangled, others are kept. The result is safe to
/// print on a terminal.
///
/// ```
/// use wasmr::symbol::readable;
///
/// assert_eq!(readable("_ZN4core9panicking5panic17h3f6a0b8f2a1c9d4eE"), "core::panicking::panic");
/// assert_eq!(readable("main"), "main");
/// ```
pub fn readable(name: &str) -> String {
    demangled(name).unwrap_or_else(|| printable(name))
}

/// Returns the name with control characters escaped, cut if it is long.
pub fn printable(name: &str) -> String {
    let mut out = Printable::default();
    // The write fails when the rest is cut off.
    let _ = out.write_str(name);
    out.text
}

fn demangled(name: &str) -> Option<String> {
    if name.len() > MAX_MANGLED {
        return None;
    }
    let mut out = Printable::default();
    let written = if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // The alternate form omits the hash at the end.
        write!(out, "{rust:#}")
    } else if name.starts_with("_Z") {
        cpp_demangle::Symbol::new(name).ok()?.structured_demangle(&mut out, &cpp_demangle::DemangleOptions::default())
    } else {
        return None;
    };
    (written.is_ok() || out.is_cut).then_some(out.text)
}

/// A text of printable characters with a maximum length.
#[derive(Default)]
struct Printable {
    text: String,
    is_cut: bool,
}

impl fmt::Write for Printable {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for c in part.chars() {
            if self.text.len() >= MAX_NAME {
                if !self.is_cut {
                    self.text.push('…');
                    self.is_cut = true;
                }
                return Err(fmt::Error);
            }
            if is_unprintable(c) {
                self.text.extend(c.escape_unicode());
            } else {
                self.text.push(c);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_cpp_and_plain_names() {
        assert_eq!(readable("_ZN4core9panicking5panic17h3f6a0b8f2a1c9d4eE"), "core::panicking::panic");
        assert_eq!(readable("_ZN5Yosys4Pass4callEPNS_5RTLIL6DesignE"), "Yosys::Pass::call(Yosys::RTLIL::Design*)");
        assert_eq!(readable("_Zbroken"), "_Zbroken");
        assert_eq!(readable("main"), "main");
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(readable("a\u{1b}[2J\u{202e}"), "a\\u{1b}[2J\\u{202e}");
        assert_eq!(printable(&"x".repeat(1000)).chars().count(), MAX_NAME + 1);
    }

    /// Most types in this name are pairs of an earlier one, so that its length doubles again and again.
    #[test]
    fn a_short_name_of_a_huge_type_is_cut() {
        let mut name = String::from("_Z1fI1aIiiE");
        for index in 0..60 {
            let back = if index == 0 { "S_".to_string() } else { format!("S{}_", radix36(index - 1)) };
            name.push_str(&format!("1aI{back}{back}E"));
        }
        name.push_str("Evv");
        let shown = readable(&name);
        assert!(shown.starts_with("void f<a<int, int>, ") && shown.ends_with('…') && shown.len() < 300, "{shown}");
        assert!(readable(&format!("_Z{}f", "P".repeat(100_000))).len() < 300);
    }

    fn radix36(mut number: usize) -> String {
        let mut digits = Vec::new();
        loop {
            digits.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number % 36]);
            number /= 36;
            if number == 0 {
                break;
            }
        }
        digits.iter().rev().map(|&digit| char::from(digit)).collect()
    }
}
