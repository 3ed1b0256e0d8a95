//! [`ModuleError`]: why bytes are not a module that wasmr can run. The fault is always with the bytes.
//!
//! Comes from every file of this crate; goes to the embedder or the command line, which prints it.
//!
//! # Malformed or invalid?
//! The specification tells apart bytes that are not a module at all (malformed) and modules that break a typing rule
//! (invalid); wasmparser does not. The split here is made afterwards, on the error path only: the failing section or
//! function body is decoded once more with nothing checked. If decoding alone fails no later than the reported offset,
//! the bytes are malformed, else they are invalid. Rules that the specification counts as syntax but that need the
//! module's context (a data count section is missing, say) come out as invalid.
//!
//! A feature that is switched off makes a module [`Fault::Unsupported`], an implementation limit
//! [`Fault::OverLimit`]; wasmparser marks the former, the latter is recognised by its wording.

use std::fmt;

use wasmr_core::count::Count;

use crate::features::{self, Feature};
use crate::printable::printable;

/// What kind of fault a [`ModuleError`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The bytes (or the text) are not a module.
    Malformed,
    /// The module breaks a validation rule.
    Invalid,
    /// The module needs something that wasmr does not have or that is switched off.
    Unsupported,
    /// The module is larger than an implementation limit.
    OverLimit,
}

/// Why bytes are not a module that wasmr can run.
///
/// One word wide, so that results stay in registers.
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
    /// Lines that show the place in the text that the module was made of.
    place: Option<String>,
}

/// The longest name or snippet that a message repeats.
const MAX_QUOTE: usize = 600;

impl ModuleError {
    /// An error with wasmr's own words.
    pub(crate) fn new(fault: Fault, message: impl Into<String>, offset: Option<u64>) -> ModuleError {
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

    /// The error for what `feature` lacks.
    pub(crate) fn lacking(message: String, feature: Feature, offset: Option<u64>) -> ModuleError {
        let mut error = ModuleError::new(Fault::Unsupported, message, offset);
        error.0.missing = Some(feature);
        error
    }

    /// More bytes than the embedder lets a module have.
    pub fn too_large(module: &str, size: usize, allowed: u64) -> ModuleError {
        let message = format!("it has {}, {allowed} at most", Count(size, "byte"));
        ModuleError::new(Fault::OverLimit, message, None).in_module(module)
    }

    /// An error of wasmparser's; `fault` is what it is unless its text says that a feature or a limit is the reason.
    pub(crate) fn from_parser(error: &wasmparser::Error, fault: Fault) -> ModuleError {
        let text = error.message();
        let fault = if error.missing_wasm_feature().is_some() {
            Fault::Unsupported
        } else if is_limit(text) {
            Fault::OverLimit
        } else {
            fault
        };
        // Context lines, if any, stand before the message proper; the last line is the sentence.
        let sentence = text.lines().last().unwrap_or(text).trim().trim_end_matches('.');
        let mut message = quoted(sentence);
        let missing = features::missing(error);
        match missing.map(|feature| (feature, feature.lacks())) {
            // The sentence asks for a switch that does not exist.
            Some((feature, Some(lacks))) => {
                message = format!("wasmr does not have {} yet{}", lacks.what, feature.advice());
            }
            Some((feature, None)) => message.push_str(&format!("; the feature {} is off", feature.name())),
            None if error.missing_wasm_feature().is_some() => message.push_str("; wasmr does not have that"),
            None => {}
        }
        let mut error = ModuleError::new(fault, message, Some(error.offset()));
        error.0.missing = missing;
        error
    }

    /// A decoding error of wasmparser's.
    pub(crate) fn malformed(error: wasmparser::Error) -> ModuleError {
        ModuleError::from_parser(&error, Fault::Malformed)
    }

    /// Says in which function, and what the function is called if that is known.
    pub(crate) fn in_func(mut self, index: u32, name: Option<&str>) -> ModuleError {
        self.0.func = Some((index, name.map(quoted)));
        self
    }

    /// Says what the module is called.
    pub(crate) fn in_module(mut self, name: &str) -> ModuleError {
        self.0.module = quoted(name);
        self
    }

    /// Shows the place in the text that the module was made of.
    #[cfg(feature = "wat")]
    pub(crate) fn at_place(mut self, lines: String) -> ModuleError {
        self.0.place = Some(lines);
        self
    }

    /// What kind of fault it is.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// The message alone: one sentence without capital, full stop or position (errors of the text format have the
    /// line in question below it).
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The message with the place in the binary, on one line and without the module's name:
    /// "type mismatch (in function 12 `foo`, at offset 0x2a)".
    pub fn message_with_place(&self) -> String {
        format!("{}{}", self.0.message, Place(&self.0))
    }

    /// The feature for which the module is refused: one that is off, or one of which wasmr lacks a part.
    pub fn missing_feature(&self) -> Option<Feature> {
        self.0.missing
    }

    /// Where in the binary, if that is known.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The index of the function in which the fault lies, if it lies in one.
    pub fn func_index(&self) -> Option<u32> {
        self.0.func.as_ref().map(|(index, _)| *index)
    }

    /// The name of that function, if the module has one for it. Not demangled; control characters are escaped.
    pub fn func_name(&self) -> Option<&str> {
        self.0.func.as_ref().and_then(|(_, name)| name.as_deref())
    }

    /// What the module is called, or an empty string.
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

/// The place that a report names, in parentheses; nothing if it names none.
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

/// Whether a message of wasmparser's reports an implementation limit.
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

/// A text from the module as messages repeat it.
pub(crate) fn quoted(text: &str) -> String {
    printable(text, MAX_QUOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word() {
        assert_eq!(size_of::<ModuleError>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), ModuleError>>(), size_of::<usize>());
    }

    #[test]
    fn says_where() {
        let error = ModuleError::new(Fault::Invalid, "type mismatch", Some(42)).in_func(12, Some("foo"));
        assert_eq!(error.to_string(), "invalid module: type mismatch (in function 12 `foo`, at offset 0x2a)");
        let error = error.in_module("a.wasm");
        assert_eq!(error.to_string(), "invalid module `a.wasm`: type mismatch (in function 12 `foo`, at offset 0x2a)");
        let error = ModuleError::new(Fault::OverLimit, "too big", None).in_module("b.wasm");
        assert_eq!(error.to_string(), "module `b.wasm` is over a limit: too big");
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        let error = ModuleError::new(Fault::Malformed, "m", None).in_func(0, Some("\u{1b}[31m\u{202e}x"));
        assert_eq!(error.func_name(), Some("\\u{1b}[31m\\u{202e}x"));
        assert!(quoted(&"y".repeat(100_000)).len() < MAX_QUOTE + 10);
    }
}
