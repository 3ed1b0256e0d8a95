//! Adds line, column and the line itself to a [`ModuleError`] about a module that was translated from the text format.
//!
//! A fault at the n-th operator of the m-th body is at the n-th instruction of the m-th function that the text defines. On this
//! error path the text is parsed once more, with the positions of all instructions.

use std::path::Path;

use wasmparser::{Parser, Payload};
use wast::core::{FuncKind, ModuleField, ModuleKind};
use wast::parser::{self, ParseBuffer};
use wast::token::Span;
use wast::{Wat, core};

use crate::error::{ModuleError, quoted};
use crate::legacy_text::{Unfolded, unfold_tries};

/// Adds the place in `text` to an error about `binary`, its translation. The error is unchanged if `text` is not in the text
/// format or the fault is not in a function.
pub fn with_text_place(error: ModuleError, text: &[u8], binary: &[u8], path: &Path) -> ModuleError {
    let place = error.offset().zip(std::str::from_utf8(text).ok());
    match place.and_then(|(offset, text)| find(text, binary, offset, path)) {
        Some(place) => error.at_place(place),
        None => error,
    }
}

fn find(text: &str, binary: &[u8], offset: u64, path: &Path) -> Option<String> {
    let (body, operator) = operator_at(binary, offset)?;
    let unfolded = unfold_tries(text);
    let mut buffer = ParseBuffer::new(unfolded.as_ref().map_or(text, Unfolded::text)).ok()?;
    buffer.track_instr_spans(true);
    let Ok(Wat::Module(core::Module { kind: ModuleKind::Text(fields), .. })) = parser::parse::<Wat<'_>>(&buffer) else {
        return None;
    };
    let span = fields.iter().filter_map(spans_of).nth(body).map(|(func, instructions)| {
        // The `end` of the function after its last instruction has no word in the text.
        instructions.and_then(|spans| spans.get(operator).copied()).unwrap_or(func)
    })?;
    let original = |unfolded: &Unfolded| Span::from_offset(unfolded.original_offset(span.offset()));
    let span = unfolded.as_ref().map_or(span, original);
    let mut shown = wast::Error::new(span, String::new());
    shown.set_path(path);
    shown.set_text(text);
    let lines: Vec<String> = shown.to_string().lines().skip(1).map(quoted).collect();
    Some(lines.join("\n"))
}

/// Returns the positions of a function that the text defines and of its instructions.
fn spans_of<'a>(field: &'a ModuleField<'_>) -> Option<(Span, Option<&'a [Span]>)> {
    match field {
        ModuleField::Func(func) => match &func.kind {
            FuncKind::Inline { expression, .. } => Some((func.span, expression.instr_spans.as_deref())),
            FuncKind::Import(..) => None,
        },
        _ => None,
    }
}

/// Returns the defined index of the body that contains an offset, and the index of the operator in it.
fn operator_at(binary: &[u8], offset: u64) -> Option<(usize, usize)> {
    let bodies = Parser::new(0).parse_all(binary).map_while(Result::ok).filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let (index, body) = bodies.enumerate().find(|(_, body)| body.range().contains(&offset))?;
    let mut reader = body.get_operators_reader().ok()?;
    let mut begun = 0;
    while !reader.eof() && reader.original_position() <= offset {
        begun += 1;
        if reader.read().is_err() {
            break;
        }
    }
    Some((index, usize::checked_sub(begun, 1)?))
}
