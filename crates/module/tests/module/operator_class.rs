//! Comparison of operator classes with wasmparser: with arity and proposal in its list, and with the blocks and reachability
//! that its validator finds.

use std::collections::BTreeSet;

use wasmparser::{FunctionBody, Parser, ValidPayload, Validator, WasmFeatures};
use wasmr_module::Feature;
use wasmr_module::operator_class::{Nesting, OPERATORS, OperatorClass, Row, Support};

use crate::common::binary;

/// Operators with fixed arity that nevertheless transfer control.
const FIXED_TRANSFERS: &[&str] = &["Unreachable", "ThrowRef", "Rethrow"];

/// Operators that only compute, although their arity depends on a type or an immediate.
const VARIABLE_COMPUTATIONS: &[&str] = &["TypedSelectMulti", "StructNew", "StructNewDesc", "ArrayNewFixed", "ContBind"];

/// Proposals that cannot be switched off.
const ALWAYS: &[&str] = &["mvp", "sign_extension", "saturating_float_to_int"];

/// The entry of an operator in wasmparser's list.
struct Listed {
    proposal: &'static str,
    /// Numbers of operands and results, if they are fixed.
    arity: Option<(u32, u32)>,
}

macro_rules! arity {
    (arity custom) => {
        None
    };
    (arity memarg $operands:literal -> $results:literal) => {
        Some(($operands, $results))
    };
    (arity $operands:literal -> $results:literal) => {
        Some(($operands, $results))
    };
}

macro_rules! list {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* $(,)? })? => $visit:ident ($($arity:tt)*))*) => {
        const LISTED: &[Listed] = &[$(Listed { proposal: stringify!($proposal), arity: arity!($($arity)*) },)*];
    };
}
wasmparser::for_each_operator!(list);

fn listed() -> impl Iterator<Item = (&'static Row, &'static Listed)> {
    assert_eq!(OPERATORS.len(), LISTED.len());
    OPERATORS.iter().zip(LISTED)
}

/// Returns true if the operators of a class only compute and continue with the next operator.
fn computes(class: OperatorClass) -> bool {
    matches!(class, OperatorClass::Plain | OperatorClass::Bytes | OperatorClass::Elements | OperatorClass::Nop)
}

#[test]
fn operators_of_fixed_arity_compute_and_others_transfer_control() {
    for (row, listed) in listed() {
        let is_fixed = listed.arity.is_some();
        let is_exception = if is_fixed { FIXED_TRANSFERS } else { VARIABLE_COMPUTATIONS }.contains(&row.name);
        assert_eq!(computes(row.class), is_fixed != is_exception, "{row:?}");
    }
}

#[test]
fn operators_that_cost_by_an_operand_have_one() {
    for (row, listed) in listed() {
        if row.class.size_log2().is_some() {
            assert!(listed.arity.is_some_and(|(operands, _)| operands > 0), "{row:?}");
        }
        if row.class.is_mark() {
            assert!(listed.arity.is_none_or(|arity| arity == (0, 0)), "{row:?}");
        }
    }
}

#[test]
fn names_agree_with_classes() {
    for row in OPERATORS {
        let starts = |prefix: &str| row.name.starts_with(prefix);
        let is_call = matches!(row.class, OperatorClass::Call | OperatorClass::TailCall);
        assert!(is_call || !row.name.contains("Call"), "{row:?}");
        assert_eq!(row.class == OperatorClass::TailCall, starts("ReturnCall"), "{row:?}");
        assert_eq!(matches!(row.class, OperatorClass::Branch | OperatorClass::BranchIf), starts("Br"), "{row:?}");
        assert_eq!(row.class == OperatorClass::Throw, starts("Throw") || row.name == "Rethrow", "{row:?}");
        assert_eq!(row.class.is_in_leaf(), !is_call && row.name != "Loop", "{row:?}");
    }
}

#[test]
fn support_follows_the_feature_of_the_proposal() {
    for (row, listed) in listed() {
        let feature = Feature::ALL.iter().copied().find(|feature| feature.name().replace('-', "_") == listed.proposal);
        let expected = match feature {
            Some(feature) => Support::Feature(feature),
            None if ALWAYS.contains(&listed.proposal) => Support::Always,
            None => Support::Unknown,
        };
        assert_eq!(row.support, expected, "{row:?}");
    }
}

/// Function bodies with all operators that transfer control, each in reachable code.
const BODIES: &str = r#"(module
  (type $none (func))
  (type $cont (cont $none))
  (type $to_cont (func (param (ref null $cont))))
  (type $switched (cont $to_cont))
  (rec
    (type $described (descriptor $descriptor) (struct))
    (type $descriptor (describes $described) (struct)))
  (table 1 funcref)
  (tag $tag)
  (func $blocks (param i32)
    (block (nop)) (loop (nop)) (if (local.get 0) (then) (else (nop))) (if (local.get 0) (then)))
  (func (block (br 0)))
  (func (param i32) (block (br_if 0 (local.get 0)) (nop)))
  (func (param i32) (block (br_table 0 1 (local.get 0))))
  (func (return))
  (func (unreachable))
  (func (call $blocks (i32.const 0)))
  (func (call_indirect (type $none) (i32.const 0)))
  (func (param (ref $none)) (call_ref $none (local.get 0)))
  (func (return_call $blocks (i32.const 0)))
  (func (return_call_indirect (type $none) (i32.const 0)))
  (func (param (ref $none)) (return_call_ref $none (local.get 0)))
  (func (param funcref) (block (drop (br_on_null 0 (local.get 0)))))
  (func (param funcref) (block (result (ref func)) (br_on_non_null 0 (local.get 0)) (unreachable)) (drop))
  (func (param anyref) (block (result i31ref) (br_on_cast 0 anyref i31ref (local.get 0)) (unreachable)) (drop))
  (func (param anyref) (block (result anyref) (br_on_cast_fail 0 anyref i31ref (local.get 0))) (drop))
  (func (param anyref (ref (exact $descriptor)))
    (block (result anyref) (br_on_cast_desc_eq 0 anyref (ref null $described) (local.get 0) (local.get 1))) (drop))
  (func (param anyref (ref (exact $descriptor)))
    (block (result anyref) (br_on_cast_desc_eq_fail 0 anyref (ref null $described) (local.get 0) (local.get 1))) (drop))
  (func (block (try_table (catch $tag 0) (nop))))
  (func (throw $tag))
  (func (param exnref) (throw_ref (local.get 0)))
  (func try nop catch $tag rethrow 0 catch_all nop end)
  (func try try nop delegate 0 catch_all end)
  (func (suspend $tag))
  (func (param (ref $cont)) (resume $cont (local.get 0)))
  (func (param (ref $cont)) (resume_throw $cont $tag (local.get 0)))
  (func (param exnref (ref $cont)) (resume_throw_ref $cont (local.get 0) (local.get 1)))
  (func (param (ref $switched)) (switch $switched $tag (local.get 0))))"#;

/// Compares the class of each operator of a module with the validator's state before and after it. Returns the names of the
/// reachable operators.
fn compare_with_validator(module: &[u8]) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.expect("the test's module is well-formed");
        let ValidPayload::Func(func, body) = validator.payload(&payload).expect("the test's module is valid") else {
            continue;
        };
        compare_body(func.into_validator(Default::default()), &body, &mut reached);
    }
    reached
}

fn compare_body<R: wasmparser::WasmModuleResources>(
    mut validator: wasmparser::FuncValidator<R>,
    body: &FunctionBody<'_>,
    reached: &mut BTreeSet<String>,
) {
    validator.read_locals(&mut body.get_binary_reader()).unwrap();
    for operator in body.get_operators_reader().unwrap().into_iter_with_offsets() {
        let (operator, offset) = operator.unwrap();
        let state = |validator: &wasmparser::FuncValidator<R>| {
            let frame = validator.get_control_frame(0);
            (
                validator.control_stack_height(),
                frame.map(|frame| frame.kind),
                frame.is_some_and(|frame| frame.unreachable),
            )
        };
        let (height, kind, unreachable) = state(&validator);
        validator.op(offset, &operator).unwrap_or_else(|error| panic!("{operator:?}: {error}"));
        let (height_after, kind_after, unreachable_after) = state(&validator);
        let class = OperatorClass::of(&operator);
        let nesting = match (height_after.cmp(&height), kind == kind_after) {
            (std::cmp::Ordering::Greater, _) => Nesting::Opens,
            (std::cmp::Ordering::Less, _) => Nesting::Closes,
            (std::cmp::Ordering::Equal, true) => Nesting::Same,
            (std::cmp::Ordering::Equal, false) => Nesting::Divides,
        };
        assert_eq!(class.nesting(), nesting, "{operator:?}");
        if !unreachable {
            if nesting == Nesting::Same {
                assert_eq!(class.never_falls_through(), unreachable_after, "{operator:?}");
            }
            let text = format!("{operator:?}");
            reached.extend(text.split([' ', '{']).next().map(str::to_owned));
        }
    }
}

#[test]
fn the_validator_agrees_on_blocks_and_reachability() {
    let reached = compare_with_validator(binary(BODIES).as_ref());
    let moves_control = |row: &&Row| !computes(row.class);
    let forgotten: Vec<&str> =
        OPERATORS.iter().filter(moves_control).map(|row| row.name).filter(|name| !reached.contains(*name)).collect();
    assert!(forgotten.is_empty(), "no body here has {forgotten:?}");
}

#[test]
fn the_validator_agrees_in_whole_programs() {
    let guests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    let mut reached = BTreeSet::new();
    for name in ["rust_hello.wasm", "coremark.wasm", "mandel.wasm", "simd.wasm", "throw.wasm"] {
        reached.append(&mut compare_with_validator(&std::fs::read(guests.join(name)).unwrap()));
    }
    assert!(reached.len() > 100, "only {reached:?}");
}
