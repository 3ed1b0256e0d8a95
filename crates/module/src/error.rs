//! [`ModuleError`]: the reason why wasmr cannot run a module. The fault is always in the bytes.
//!
//! Every file of this crate creates such errors; the embedder or the command line shows them.
//!
//! # Malformed or invalid?
//! The specification distinguishes bytes that do not encode a module
//! ([malformed](https://webassembly.github.io/spec/core/binary/index.html)) from modules that break a typing rule
//! ([invalid](https://webassembly.github.io/spec/core/valid/index.html)). wasmparser does not. This crate makes the distinction
//! on the error path: it decodes the failing section or function body again without validation. If decoding fails at or
//! before the reported offset, the bytes are malformed; otherwise they are invalid. Some rules are syntax in the
//! specification but need the module's context, for instance a missing data count section. Breaking them counts as invalid.
//!
//! A module that uses a feature that is off is [`Fault::Unsupported`]; wasmparser marks such errors. A module above an
//! implementation limit is [`Fault::OverLimit`]; this crate recognises such errors by their wording.

use std::fmt;

use wasmr_core::count::Count;

use crate::features::{self, Feature};
use crate::printable::printable;

/// The kind of fault that a [`ModuleError`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The bytes or the text do not encode a module.
    Malformed,
    /// The module breaks a validation rule.
    Invalid,
    /// The module uses something that wasmr does not support or that is off.
    Unsupported,
    /// The module exceeds an implementation limit.
    OverLimit,
}

/// The reason why wasmr cannot run a module.
///
/// The type is one word wide, so that results fit in registers.
#[derive(Clone)]
pub struct ModuleError(Box<Report>);

#[derive(Clone, Debug)]
struct Report {
    fault: Fault,
    message: String,
    offset: Option<u64>,
    module: String,
    func: Option<(u32, Option<String>)>,
    missing: Option<Feature>,
    /// Lines that show the place in the module's text.
    place: Option<String>,
}

/// Maximum number of bytes that a message quotes of a name or snippet of the module.
const MAX_QUOTE: usize = 600;

impl ModuleError {
    /// Creates an error with wasmr's own message, not wasmparser's. Crate `component` uses it too.
    pub fn new(fault: Fault, message: impl Into<String>, offset: Option<u64>) -> ModuleError {
        ModuleError(Box::new(Report {
            fault,
            message: message.into(),
            offset,
            module: String::new(),
            func: None,
            missing: None,
            place: None,
        }))
    }

    /// Creates the error for a module with more bytes than the embedder allows.
    pub fn too_large(module: &str, size: usize, allowed: u64) -> ModuleError {
        let message = format!("it has {}, but the limit is {allowed}", Count(size, "byte"));
        ModuleError::new(Fault::OverLimit, message, None).in_module(module)
    }

    /// Converts an error of wasmparser. The fault is `fault`, unless the error is due to a feature or a limit. Crate `component` uses
    /// it too.
    pub fn from_parser(error: &wasmparser::Error, fault: Fault) -> ModuleError {
        let text = error.message();
        let missing = features::missing(error);
        let fault = if missing.is_some() || error.missing_wasm_feature().is_some() {
            Fault::Unsupported
        } else if is_limit(text) {
            Fault::OverLimit
        } else {
            fault
        };
        let mut message = quoted(&sentence(text));
        match missing {
            Some(feature) => message.push_str(&format!("; the feature {} is off", feature.name())),
            None if error.missing_wasm_feature().is_some() => message.push_str("; wasmr does not support that"),
            None => {}
        }
        let mut error = ModuleError::new(fault, message, Some(error.offset()));
        error.0.missing = missing;
        error
    }

    /// Converts a decoding error of wasmparser.
    pub(crate) fn malformed(error: wasmparser::Error) -> ModuleError {
        ModuleError::from_parser(&error, Fault::Malformed)
    }

    /// Adds the index of the function and its name, if it has one.
    pub(crate) fn in_func(mut self, index: u32, name: Option<&str>) -> ModuleError {
        self.0.func = Some((index, name.map(quoted)));
        self
    }

    /// Adds the name of the module.
    pub(crate) fn in_module(mut self, name: &str) -> ModuleError {
        self.0.module = quoted(name);
        self
    }

    /// Adds the place in the module's text.
    #[cfg(feature = "wat")]
    pub(crate) fn at_place(mut self, lines: String) -> ModuleError {
        self.0.place = Some(lines);
        self
    }

    /// Returns the kind of fault.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Returns the message alone: one sentence without capital letter, full stop or position. For errors of the text format,
    /// lines with the place follow.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the message with the place in the binary, on one line and without the module's name:
    /// "type mismatch (in function 12 `foo`, at offset 0x2a)".
    pub fn message_with_place(&self) -> String {
        format!("{}{}", self.0.message, Place(&self.0))
    }

    /// Returns the feature that caused the refusal: it is off, or wasmr does not execute all of it.
    pub fn missing_feature(&self) -> Option<Feature> {
        self.0.missing
    }

    /// Returns the offset of the fault in the binary, if it is known.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Returns the index of the function with the fault, if it is in one.
    pub fn func_index(&self) -> Option<u32> {
        self.0.func.as_ref().map(|(index, _)| *index)
    }

    /// Returns the name of the function with the fault, if it has one. The name is not demangled; control characters are escaped.
    pub fn func_name(&self) -> Option<&str> {
        self.0.func.as_ref().and_then(|(_, name)| name.as_deref())
    }

    /// Returns the name of the module, or an empty string.
    pub fn module_name(&self) -> &str {
        &self.0.module
    }
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { fault, message, module, place, .. } = &*self.0;
        let name = if module.is_empty() { String::new() } else { format!(" `{module}`") };
        match fault {
            Fault::Malformed => write!(f, "malformed module{name}: {message}")?,
            Fault::Invalid => write!(f, "invalid module{name}: {message}")?,
            Fault::Unsupported => write!(f, "unsupported module{name}: {message}")?,
            Fault::OverLimit => write!(f, "module{name} is over a limit: {message}")?,
        }
        write!(f, "{}", Place(&self.0))?;
        match place {
            Some(lines) => write!(f, "\n{lines}"),
            None => Ok(()),
        }
    }
}

/// The place of a report, displayed in parentheses; nothing if it has none.
struct Place<'a>(&'a Report);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { func, offset, .. } = self.0;
        let func = func.as_ref().map(|(index, name)| match name {
            Some(name) => format!("in function {index} `{name}`"),
            None => format!("in function {index}"),
        });
        let offset = offset.map(|offset| format!("at offset {offset:#x}"));
        match (func, offset) {
            (Some(func), Some(offset)) => write!(f, " ({func}, {offset})"),
            (Some(place), None) | (None, Some(place)) => write!(f, " ({place})"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ModuleError {}

/// Returns a message of wasmparser as one sentence. Lines of context precede the message, which may itself have a line for what was
/// found.
fn sentence(text: &str) -> String {
    let mut sentence = String::new();
    for line in text.lines() {
        let separator = match line.trim_start() {
            _ if sentence.is_empty() => "",
            found if found.starts_with("found") => ", ",
            _ => ": ",
        };
        sentence.push_str(separator);
        let words: Vec<&str> = line.split_whitespace().collect();
        sentence.push_str(&words.join(" "));
    }
    sentence.truncate(sentence.trim_end_matches('.').len());
    sentence
}

/// Returns true if a message of wasmparser reports an implementation limit.
fn is_limit(message: &str) -> bool {
    const MARKS: [&str; 8] = [
        "size is out of bounds",
        "string size out of bounds",
        "exceeds limit of",
        "exceeds the limit of",
        "implementation limit",
        "too many locals",
        "too many data segments",
        "type index too large",
    ];
    MARKS.iter().any(|mark| message.contains(mark))
}

/// Returns text from the module as messages quote it: escaped and shortened.
pub(crate) fn quoted(text: &str) -> String {
    printable(text, MAX_QUOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<ModuleError>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), ModuleError>>(), size_of::<usize>());
    }

    #[test]
    fn messages_have_the_place() {
        let error = ModuleError::new(Fault::Invalid, "type mismatch", Some(42)).in_func(12, Some("foo"));
        assert_eq!(error.to_string(), "invalid module: type mismatch (in function 12 `foo`, at offset 0x2a)");
        let error = error.in_module("a.wasm");
        assert_eq!(error.to_string(), "invalid module `a.wasm`: type mismatch (in function 12 `foo`, at offset 0x2a)");
        let error = ModuleError::new(Fault::OverLimit, "too big", None).in_module("b.wasm");
        assert_eq!(error.to_string(), "module `b.wasm` is over a limit: too big");
    }

    #[test]
    fn a_message_with_context_is_one_sentence() {
        assert_eq!(sentence("type mismatch."), "type mismatch");
        let text = "type mismatch in export `f`\nexpected: (func)\nfound:    (func (param i32))";
        assert_eq!(sentence(text), "type mismatch in export `f`: expected: (func), found: (func (param i32))");
    }

    #[test]
    fn names_are_escaped_for_terminals() {
        let error = ModuleError::new(Fault::Malformed, "m", None).in_func(0, Some("\u{1b}[31m\u{202e}x"));
        assert_eq!(error.func_name(), Some("\\u{1b}[31m\\u{202e}x"));
        assert!(quoted(&"y".repeat(100_000)).len() < MAX_QUOTE + 10);
    }
}
