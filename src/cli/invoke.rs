//! `--invoke`: converts words to arguments by the function's signature, and results to lines.
//!
//! [`literal`] reads and writes numbers and vectors. The only reference that a user can write is `null`.

use wasmr::{AnyRef, FuncType, Rooted, Store, TypeRegistry, Unrooted, Val, ValType, func_type_text, val_type_text};
use wasmr_core::count::Count;

use super::literal;

/// Returns the arguments for a call. The error contains the signature.
pub fn arguments(registry: &TypeRegistry, ty: &FuncType, words: &[String]) -> Result<Vec<Val>, String> {
    let signature = func_type_text(registry, ty);
    let (expected, found) = (ty.params().len(), words.len());
    if expected != found {
        return Err(format!("expected {}, got {found}; signature: {signature}", Count(expected, "argument")));
    }
    let mut values = Vec::with_capacity(expected);
    for (index, (word, ty)) in words.iter().zip(ty.params()).enumerate() {
        let value = argument(registry, *ty, word).map_err(|why| {
            let name = val_type_text(registry, *ty);
            format!("argument {} `{word}` is not of type {name}: {why}; signature: {signature}", index + 1)
        })?;
        values.push(value);
    }
    Ok(values)
}

fn argument(registry: &TypeRegistry, ty: ValType, word: &str) -> Result<Val, String> {
    match ty {
        ValType::Ref(ty) if word == "null" && ty.nullable => Ok(Val::null(registry, ty.heap)),
        ValType::Ref(_) => Err("the only reference that can be written is null, if the type allows it".to_string()),
        number => literal::parse(number, word),
    }
}

/// Returns a result as one line. Numbers and vectors are written as [`literal`] reads them.
pub fn result_text<T>(store: &Store<T>, value: &Val) -> String {
    let reference = || match value {
        Val::FuncRef(Some(func)) => func_type_text(store.registry(), &func.ty(store)),
        Val::ExternRef(Some(_)) => "(ref extern)".to_string(),
        Val::ExnRef(Some(_)) => "(ref exn)".to_string(),
        Val::AnyRef(Some(reference)) => any_text(store, reference).unwrap_or_else(|error| error.to_string()),
        _ => "null".to_string(),
    };
    literal::text(value).unwrap_or_else(reference)
}

/// Returns the kind of an object, or the value of an unboxed integer.
fn any_text<T>(store: &Store<T>, reference: &Rooted<AnyRef>) -> Result<String, Unrooted> {
    if let Some(integer) = reference.as_i31(store)? {
        return Ok(format!("(ref.i31 {})", integer.get_i32()));
    }
    Ok(match (reference.is_struct(store)?, reference.is_array(store)?) {
        (true, _) => "(ref struct)".to_string(),
        (_, true) => "(ref array)".to_string(),
        _ => "(ref any)".to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(ty: ValType, word: &str) -> Result<Val, String> {
        argument(&TypeRegistry::new(), ty, word)
    }

    #[test]
    fn references_are_null_or_nothing() {
        assert_eq!(parse(ValType::EXTERNREF, "null"), Ok(Val::ExternRef(None)));
        assert!(parse(ValType::FUNCREF, "0").is_err());
    }

    #[test]
    fn a_wrong_count_shows_the_signature() {
        let registry = TypeRegistry::new();
        let ty = FuncType::new([ValType::I32, ValType::F64], [ValType::I64]);
        let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
        let signature = "(func (param i32 f64) (result i64))";
        for line in ["", "1", "1 2 3", "x 2"] {
            let why = arguments(&registry, &ty, &words(line)).unwrap_err();
            assert!(why.ends_with(signature), "{why}");
        }
        assert_eq!(arguments(&registry, &ty, &words("1 2")).unwrap(), [Val::I32(1), Val::from(2f64)]);
    }

    #[test]
    fn results_are_literals_or_null() {
        let store = wasmr::Store::new(&wasmr::Engine::default(), ());
        let text = |value| result_text(&store, &value);
        assert_eq!(text(Val::F64(0xfff0_0000_0000_0001)), "-nan:0x1");
        assert_eq!(text(Val::ExternRef(None)), "null");
        assert_eq!(text(Val::FuncRef(None)), "null");
    }

    #[test]
    fn references_show_their_kind() {
        let mut store = wasmr::Store::new(&wasmr::Engine::default(), ());
        let integer = AnyRef::from_i31(&mut store, wasmr::I31::wrapping_i32(-5));
        assert_eq!(result_text(&store, &integer.into()), "(ref.i31 -5)");
        let ty = wasmr::StructType::new(store.registry(), []).unwrap();
        let pre = wasmr::StructRefPre::new(&mut store, &ty).unwrap();
        let object = wasmr::StructRef::new(&mut store, &pre, &[]).unwrap();
        assert_eq!(result_text(&store, &object.into()), "(ref struct)");
    }
}
