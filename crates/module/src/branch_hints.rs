//! The custom section `metadata.code.branch_hint`: for branches, the direction that they usually take
//! ([branch hinting](https://github.com/WebAssembly/branch-hinting/blob/main/proposals/branch-hinting/Overview.md)).
//!
//! The compiler reads hints on demand, to lay out code. They change no result.
//!
//! An error in a custom section must not make a module invalid. A malformed section therefore has no hints at all.
//! [`check_branch_hints`] reports the errors, for scripts that test them.

use wasmparser::{BinaryReader, BranchHintSectionReader, FunctionBody, KnownCustom, Operator, Parser, Payload};

use crate::names::CustomSections;

/// Name of the section.
const SECTION: &str = "metadata.code.branch_hint";

/// Hints as pairs of the branch's offset in the module and true if it is usually taken, sorted by offset.
pub(crate) type BranchHints = Box<[(u32, bool)]>;

/// Reads the hints of a binary's first section of hints. A malformed one has none. `body` returns the offset and the length of
/// a function's body.
pub(crate) fn read(binary: &[u8], body: impl Fn(u32) -> Option<(u32, u32)>) -> BranchHints {
    let section = CustomSections::new(binary).find(|(name, _)| *name == SECTION);
    let Some((_, range)) = section else { return BranchHints::default() };
    let reader = BinaryReader::new(&binary[range.clone()], range.start as u64);
    BranchHintSectionReader::new(reader).ok().and_then(|reader| collect(reader, body).ok()).unwrap_or_default()
}

/// Collects the hints of a section. `body` returns the offset and the length of a function's body.
///
/// # Errors
/// If the section is malformed, or its functions or the offsets in one are not in order or not there.
fn collect(
    section: BranchHintSectionReader<'_>,
    body: impl Fn(u32) -> Option<(u32, u32)>,
) -> Result<BranchHints, String> {
    let malformed = |error: wasmparser::Error| error.message().to_owned();
    let mut hints = Vec::new();
    let mut last = None;
    for function in section {
        let function = function.map_err(malformed)?;
        if last.replace(function.func).is_some_and(|last| last >= function.func) {
            return Err(format!("function {} is out of order", function.func));
        }
        let (start, len) = body(function.func).ok_or_else(|| format!("function {} has no body", function.func))?;
        let first = hints.len();
        for hint in function.hints {
            let hint = hint.map_err(malformed)?;
            let at = start
                + Some(hint.func_offset).filter(|&offset| offset < len).ok_or("a hint is outside of its function")?;
            if hints[first..].last().is_some_and(|&(before, _)| before >= at) {
                return Err("hints are out of order".to_owned());
            }
            hints.push((at, hint.taken));
        }
    }
    Ok(hints.into())
}

/// Checks the branch hints of a valid binary module.
///
/// # Errors
/// The reason why the section is ignored, or the operator that is no branch with two directions.
pub fn check_branch_hints(binary: &[u8]) -> Result<(), String> {
    let mut bodies: Vec<FunctionBody<'_>> = Vec::new();
    let (mut imported, mut section) = (0, None);
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(|error| error.message().to_owned())? {
            Payload::ImportSection(reader) => {
                let is_func = |ty| matches!(ty, wasmparser::TypeRef::Func(_) | wasmparser::TypeRef::FuncExact(_));
                imported = reader
                    .into_imports()
                    .filter(|import| import.as_ref().is_ok_and(|import| is_func(import.ty)))
                    .count();
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::CustomSection(custom) if custom.name() == SECTION => match custom.as_known() {
                KnownCustom::BranchHints(reader) => section = Some(reader),
                _ => return Err("the section cannot be read".to_owned()),
            },
            _ => {}
        }
    }
    let Some(section) = section else { return Ok(()) };
    let body = |func: u32| {
        let range = bodies.get((func as usize).checked_sub(imported)?)?.range();
        Some((range.start as u32, (range.end - range.start) as u32))
    };
    let mut hints = collect(section, body)?.into_iter().peekable();
    for body in &bodies {
        let mut operators = body.get_operators_reader().map_err(|error| error.message().to_owned())?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().map_err(|error| error.message().to_owned())?;
            if hints.next_if(|&(at, _)| u64::from(at) == offset).is_some() && !is_branch(&operator) {
                return Err("invalid target".to_owned());
            }
        }
    }
    match hints.next() {
        None => Ok(()),
        Some(_) => Err("invalid target".to_owned()),
    }
}

/// Returns true if a hint may stand for the operator.
fn is_branch(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::If { .. }
            | Operator::BrIf { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::BrOnCast { .. }
            | Operator::BrOnCastFail { .. }
    )
}
