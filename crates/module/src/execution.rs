//! Refuses valid modules with an operator that no tier executes, before any of their code runs.
//!
//! In: function bodies from `validate`, constant expressions and memory types. Out: a [`ModuleError`] with the operator in the
//! text format, its feature, and advice to the builder of the module.
//!
//! # Why at load?
//! A program that stops half-way has already had effects. The table in `operator_class` maps operators to features, and
//! [`Feature::lacks`] marks the features whose operators wasmr does not execute. A new operator of such a feature is thus refused without
//! a change here.
//!
//! # Cost
//! None for a module that uses only executed operators. `validate` first checks a body with the executed features alone, and
//! calls this file only for a body that fails.

use wasmparser::{FunctionBody, Operator};

use crate::error::{Fault, ModuleError};
use crate::features::Feature;
use crate::operator_class::Support;
use crate::operator_text::operator_name;

/// The purpose of decoding a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Execution: operators and types that no tier executes are refused.
    #[default]
    Run,
    /// Display: every valid module is accepted.
    Inspect,
}

/// Returns the feature of `operator` if wasmr does not execute it.
fn lacking(operator: &Operator<'_>) -> Option<Feature> {
    let support = Support::of(operator);
    match support {
        Support::Feature(feature) if !support.is_executed() => Some(feature),
        Support::Feature(_) | Support::Always | Support::Unknown => None,
    }
}

/// Refuses a valid body with an operator that no tier executes. The error has the first such operator.
pub(crate) fn check_body(body: &FunctionBody<'_>) -> Result<(), ModuleError> {
    let mut operators = body.get_operators_reader().map_err(ModuleError::malformed)?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().map_err(ModuleError::malformed)?;
        if let Some(feature) = lacking(&operator) {
            return Err(not_executed(&operator, feature, offset));
        }
    }
    Ok(())
}

/// Returns the error for the operator at `offset` of a body if no tier executes it.
pub(crate) fn refuse_at(body: &FunctionBody<'_>, offset: u64) -> Option<ModuleError> {
    let mut operators = body.get_operators_reader().ok()?;
    while !operators.eof() {
        let (operator, at) = operators.read_with_offset().ok()?;
        if at == offset {
            return lacking(&operator).map(|feature| not_executed(&operator, feature, offset));
        }
    }
    None
}

/// Returns the error for an operator that is constant only in a proposal that wasmr does not execute.
pub(crate) fn in_constant(operator: &Operator<'_>, offset: u64) -> ModuleError {
    match lacking(operator) {
        Some(feature) => not_executed(operator, feature, offset),
        None => {
            let message = format!("wasmr does not execute `{}` in a constant expression", operator_name(operator));
            ModuleError::new(Fault::Unsupported, message, Some(offset))
        }
    }
}

fn not_executed(operator: &Operator<'_>, feature: Feature, offset: u64) -> ModuleError {
    let message = format!("wasmr does not execute `{}` yet{}", operator_name(operator), feature.advice());
    ModuleError::lacking(message, feature, Some(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_proposals_that_are_not_executed() {
        let feature = |operator| lacking(&operator);
        assert_eq!(feature(Operator::StructNew { struct_type_index: 0 }), None);
        assert_eq!(feature(Operator::Rethrow { relative_depth: 0 }), None);
        assert_eq!(feature(Operator::AtomicFence { ordering: wasmparser::Ordering::SeqCst }), None);
        assert_eq!(feature(Operator::I64MulWideS), None);
        assert_eq!(feature(Operator::ThrowRef), None);
        assert_eq!(feature(Operator::CallRef { type_index: 0 }), None);
        assert_eq!(feature(Operator::I32Add), None);
    }
}
