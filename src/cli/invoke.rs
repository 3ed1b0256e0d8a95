//! `--invoke`: words become arguments by the function's signature, results become lines.
//!
//! Integers are accepted in decimal and hexadecimal over the whole signed and unsigned range, with `_` between digits as in
//! the text format; floats as Rust reads them, with `nan` and `inf`; references only as `null`.

use wasmr::{FuncType, Store, TypeRegistry, V128, Val, ValType, func_type_text, val_type_text};

/// The arguments for a call, or why the words do not fit. The message shows the signature.
pub fn arguments(registry: &TypeRegistry, ty: &FuncType, words: &[String]) -> Result<Vec<Val>, String> {
    let signature = func_type_text(registry, ty);
    let (expected, found) = (ty.params().len(), words.len());
    if expected != found {
        let s = if expected == 1 { "" } else { "s" };
        return Err(format!("it takes {expected} argument{s}, {found} given: {signature}"));
    }
    let mut values = Vec::with_capacity(expected);
    for (index, (word, ty)) in words.iter().zip(ty.params()).enumerate() {
        let value = argument(registry, *ty, word).map_err(|why| {
            let name = val_type_text(registry, *ty);
            format!("argument {} `{word}` is not of type {name}: {why}: {signature}", index + 1)
        })?;
        values.push(value);
    }
    Ok(values)
}

fn argument(registry: &TypeRegistry, ty: ValType, word: &str) -> Result<Val, String> {
    Ok(match ty {
        ValType::I32 => Val::I32(integer(word, 32)? as i32),
        ValType::I64 => Val::I64(integer(word, 64)? as i64),
        ValType::F32 => match nan_payload(word, 23)? {
            Some(bits) => Val::F32(0x7f80_0000 | sign(word) << 31 | bits as u32),
            None => Val::from(word.parse::<f32>().map_err(|_| "expected a number, nan or inf")?),
        },
        ValType::F64 => match nan_payload(word, 52)? {
            Some(bits) => Val::F64(0x7ff0_0000_0000_0000 | u64::from(sign(word)) << 63 | bits),
            None => Val::from(word.parse::<f64>().map_err(|_| "expected a number, nan or inf")?),
        },
        ValType::V128 => Val::V128(V128::from_u128(integer(word, 128)?)),
        ValType::Ref(ty) if word == "null" && ty.nullable => Val::null(registry, ty.heap),
        ValType::Ref(_) => return Err("a reference can only be given as null, if its type allows that".to_string()),
    })
}

/// An integer of `bits` bits, in the signed or the unsigned range, as its bits.
fn integer(word: &str, bits: u32) -> Result<u128, String> {
    let (negative, digits) = match word.as_bytes().first() {
        Some(b'-') => (true, &word[1..]),
        Some(b'+') => (false, &word[1..]),
        _ => (false, word),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None => (10, digits),
    };
    let expected = || "expected a decimal or hexadecimal integer".to_string();
    // Only digits, and `_` between two of them.
    let separated = digits.split('_').all(|part| !part.is_empty() && part.chars().all(|c| c.is_digit(radix)));
    if !separated {
        return Err(expected());
    }
    let out_of_range = || {
        let min = 1u128 << (bits - 1);
        let max = u128::MAX >> (128 - bits);
        format!("it is not in the range from -{min} to {max}")
    };
    let magnitude = u128::from_str_radix(&digits.replace('_', ""), radix).map_err(|_| out_of_range())?;
    let limit = if negative { 1u128 << (bits - 1) } else { u128::MAX >> (128 - bits) };
    if magnitude > limit {
        return Err(out_of_range());
    }
    Ok(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// The payload of `nan:0x…`, as the text format writes NaNs.
fn nan_payload(word: &str, mantissa_bits: u32) -> Result<Option<u64>, String> {
    let Some(hex) = word.trim_start_matches(['-', '+']).strip_prefix("nan:0x") else { return Ok(None) };
    match u64::from_str_radix(hex, 16) {
        Ok(payload) if payload != 0 && payload < 1 << mantissa_bits && !hex.starts_with('+') => Ok(Some(payload)),
        _ => Err("its payload is not in the range of the type".to_string()),
    }
}

fn sign(word: &str) -> u32 {
    word.starts_with('-').into()
}

/// A result as one line. Floats read back as the same value; a NaN shows its payload unless it is the canonical one.
pub fn result_text<T>(store: &Store<T>, value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => match f32::from_bits(*bits) {
            nan if nan.is_nan() => nan_text(bits >> 31 == 1, u64::from(bits & 0x7f_ffff), 23),
            number => number.to_string(),
        },
        Val::F64(bits) => match f64::from_bits(*bits) {
            nan if nan.is_nan() => nan_text(bits >> 63 == 1, bits & 0xf_ffff_ffff_ffff, 52),
            number => number.to_string(),
        },
        Val::V128(vector) => format!("{:#034x}", vector.to_u128()),
        Val::FuncRef(None) | Val::ExternRef(None) | Val::ExnRef(None) | Val::AnyRef(None) => "null".to_string(),
        Val::FuncRef(Some(func)) => func_type_text(store.registry(), &func.ty(store)),
        Val::ExternRef(Some(_)) => "externref".to_string(),
        Val::ExnRef(Some(_)) => "exnref".to_string(),
        Val::AnyRef(Some(_)) => "anyref".to_string(),
    }
}

fn nan_text(negative: bool, payload: u64, mantissa_bits: u32) -> String {
    let sign = if negative { "-" } else { "" };
    if payload == 1 << (mantissa_bits - 1) { format!("{sign}nan") } else { format!("{sign}nan:{payload:#x}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(ty: ValType, word: &str) -> Result<Val, String> {
        argument(&TypeRegistry::new(), ty, word)
    }

    #[test]
    fn integers_have_the_signed_and_the_unsigned_range() {
        for (word, value) in [
            ("0", 0),
            ("-1", -1),
            ("4294967295", -1),
            ("0xffffffff", -1),
            ("-0x80000000", i32::MIN),
            ("2147483648", i32::MIN),
            ("1_000", 1000),
            ("+7", 7),
        ] {
            assert_eq!(parse(ValType::I32, word), Ok(Val::I32(value)), "{word}");
        }
        for bad in ["4294967296", "-2147483649", "", "-", "0x", "1.0", "1_", "_1", "abc", "+-1", "0x-1", " 1"] {
            assert!(parse(ValType::I32, bad).is_err(), "{bad}");
        }
        assert_eq!(parse(ValType::I64, "18446744073709551615"), Ok(Val::I64(-1)));
        assert_eq!(parse(ValType::I64, "-9223372036854775808"), Ok(Val::I64(i64::MIN)));
        assert!(parse(ValType::I64, "18446744073709551616").is_err());
        let all = "0xffffffffffffffffffffffffffffffff";
        assert_eq!(parse(ValType::V128, all), Ok(Val::V128(V128([0xff; 16]))));
        assert!(parse(ValType::V128, "0x100000000000000000000000000000000").is_err());
    }

    #[test]
    fn floats_have_nan_and_infinity() {
        assert_eq!(parse(ValType::F64, "1.5"), Ok(Val::from(1.5f64)));
        assert_eq!(parse(ValType::F32, "-inf"), Ok(Val::from(f32::NEG_INFINITY)));
        assert_eq!(parse(ValType::F32, "nan"), Ok(Val::F32(0x7fc0_0000)));
        assert_eq!(parse(ValType::F32, "-nan:0x1"), Ok(Val::F32(0xff80_0001)));
        assert!(parse(ValType::F32, "nan:0x800000").is_err() && parse(ValType::F64, "nan:0x0").is_err());
        assert!(parse(ValType::F64, "one").is_err());
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
    fn results_read_back() {
        let store = wasmr::Store::new(&wasmr::Engine::default(), ());
        let text = |value| result_text(&store, &value);
        assert_eq!(text(Val::I32(-1)), "-1");
        assert_eq!(text(Val::from(0.1f32)), "0.1");
        assert_eq!(text(Val::from(f64::INFINITY)), "inf");
        assert_eq!(text(Val::F32(0x7fc0_0000)), "nan");
        assert_eq!(text(Val::F64(0xfff0_0000_0000_0001)), "-nan:0x1");
        assert_eq!(text(Val::V128(V128::from_u128(1))), "0x00000000000000000000000000000001");
        assert_eq!(text(Val::ExternRef(None)), "null");
    }
}
