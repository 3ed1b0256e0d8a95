//! Number literals of the WebAssembly text format, read and written
//! ([specification](https://webassembly.github.io/spec/core/text/values.html)).
//!
//! Integers are decimal or hexadecimal, signed or unsigned over the whole range. Floats are decimal or hexadecimal (`1.5`, `1e3`,
//! `0x1.8p1`, `inf`, `nan`, `nan:0x1`). All accept `_` between digits. The reader also accepts floats that only Rust knows (`.5`,
//! `infinity`), because people type them. A vector is its shape and its lanes in one word, `i32x4:1,2,3,4` or, quoted for the shell,
//! `i32x4 1 2 3 4` as in the text format, or one integer of 128 bits.
//!
//! Invariant: [`parse`] reads the output of [`text`] back as the same bits.

use wasmr::{V128, Val, ValType};
use wast::parser::{self, Parse, ParseBuffer};

/// Reads a number or a vector.
///
/// # Errors
/// The form that the type expects, if the word does not have it.
///
/// # Panics
/// If `ty` is a reference.
pub fn parse(ty: ValType, word: &str) -> Result<Val, String> {
    Ok(match ty {
        ValType::I32 => Val::I32(integer(word, 32)? as i32),
        ValType::I64 => Val::I64(integer(word, 64)? as i64),
        ValType::F32 => Val::F32(f32_bits(word)?),
        ValType::F64 => Val::F64(f64_bits(word)?),
        ValType::V128 => Val::V128(vector(word)?),
        ValType::Ref(_) => unreachable!("references have no literals"),
    })
}

/// Writes a number or a vector. Returns `None` for references.
pub fn text(value: &Val) -> Option<String> {
    Some(match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32_text(*bits),
        Val::F64(bits) => f64_text(*bits),
        Val::V128(vector) => {
            let lanes = vector.lanes::<[u32; 4]>().map(|lane| format!("{lane:#010x}"));
            format!("i32x4:{}", lanes.join(","))
        }
        _ => return None,
    })
}

/// Reads an integer of `bits` bits in the signed or the unsigned range. Returns its bits.
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
    // Digits, and `_` between two digits.
    let separated = digits.split('_').all(|part| !part.is_empty() && part.chars().all(|c| c.is_digit(radix)));
    if !separated {
        return Err("expected a decimal or hexadecimal integer".to_string());
    }
    let out_of_range = || {
        let min = 1u128 << (bits - 1);
        let max = u128::MAX >> (128 - bits);
        format!("out of range: expected -{min} to {max}")
    };
    let magnitude = u128::from_str_radix(&digits.replace('_', ""), radix).map_err(|_| out_of_range())?;
    let limit = if negative { 1u128 << (bits - 1) } else { u128::MAX >> (128 - bits) };
    if magnitude > limit {
        return Err(out_of_range());
    }
    Ok(if negative { magnitude.wrapping_neg() } else { magnitude })
}

fn f32_bits(word: &str) -> Result<u32, String> {
    match text_literal::<wast::token::F32>(word) {
        Some(Ok(float)) => Ok(float.bits),
        Some(Err(why)) => Err(why),
        None => word.parse::<f32>().map(f32::to_bits).map_err(|_| NO_FLOAT.to_string()),
    }
}

fn f64_bits(word: &str) -> Result<u64, String> {
    match text_literal::<wast::token::F64>(word) {
        Some(Ok(float)) => Ok(float.bits),
        Some(Err(why)) => Err(why),
        None => word.parse::<f64>().map(f64::to_bits).map_err(|_| NO_FLOAT.to_string()),
    }
}

const NO_FLOAT: &str = "expected a number such as 1.5, 1e3 or 0x1.8p1, inf, nan or nan:0x1";

/// Reads a word with the parser of the text format. Returns `None` if the word is no float of that format.
fn text_literal<T: for<'a> Parse<'a>>(word: &str) -> Option<Result<T, String>> {
    // One token without space or comment around it.
    if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:_".contains(c)) {
        return None;
    }
    let buffer = ParseBuffer::new(word).ok()?;
    match parser::parse::<T>(&buffer) {
        Ok(value) => Some(Ok(value)),
        Err(error) if error.message().contains("out of range") => Some(Err("out of the range of the type".to_string())),
        Err(_) => None,
    }
}

/// A shape of lanes: name, number of lanes, bytes of a lane, function that reads a lane.
type Shape = (&'static str, usize, usize, fn(&str) -> Result<u128, String>);

const SHAPES: [Shape; 6] = [
    ("i8x16", 16, 1, |lane| integer(lane, 8)),
    ("i16x8", 8, 2, |lane| integer(lane, 16)),
    ("i32x4", 4, 4, |lane| integer(lane, 32)),
    ("i64x2", 2, 8, |lane| integer(lane, 64)),
    ("f32x4", 4, 4, |lane| f32_bits(lane).map(u128::from)),
    ("f64x2", 2, 8, |lane| f64_bits(lane).map(u128::from)),
];

fn vector(word: &str) -> Result<V128, String> {
    let Some((name, lanes)) = word.split_once([':', ' ']) else {
        let no_lanes =
            |_| "expected a shape and its lanes such as i32x4:1,2,3,4, or one integer of 128 bits".to_string();
        return integer(word, 128).map(V128::from_u128).map_err(no_lanes);
    };
    let Some((_, count, size, read)) = SHAPES.iter().find(|(shape, ..)| *shape == name) else {
        let names = SHAPES.map(|(name, ..)| name).join(", ");
        return Err(format!("`{name}` is no shape of a vector; expected one of {names}"));
    };
    let lanes: Vec<&str> = match lanes.contains(',') {
        true => lanes.split(',').map(str::trim).collect(),
        false => lanes.split_whitespace().collect(),
    };
    if lanes.len() != *count {
        return Err(format!("{name} has {count} lanes, got {}", lanes.len()));
    }
    let mut bytes = Vec::with_capacity(16);
    for (index, lane) in lanes.iter().enumerate() {
        let bits = read(lane).map_err(|why| format!("lane {index} `{lane}`: {why}"))?;
        bytes.extend_from_slice(&bits.to_le_bytes()[..*size]);
    }
    Ok(V128(std::array::from_fn(|at| bytes[at])))
}

fn f32_text(bits: u32) -> String {
    match f32::from_bits(bits) {
        float if float.is_nan() => nan_text(bits >> 31 == 1, u64::from(bits & 0x7f_ffff), 23),
        float => float.to_string(),
    }
}

fn f64_text(bits: u64) -> String {
    match f64::from_bits(bits) {
        float if float.is_nan() => nan_text(bits >> 63 == 1, bits & 0xf_ffff_ffff_ffff, 52),
        float => float.to_string(),
    }
}

/// Writes a NaN, with its payload unless it is the canonical one.
fn nan_text(negative: bool, payload: u64, mantissa_bits: u32) -> String {
    let sign = if negative { "-" } else { "" };
    if payload == 1 << (mantissa_bits - 1) { format!("{sign}nan") } else { format!("{sign}nan:{payload:#x}") }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("0xf_F", 255),
            ("+7", 7),
        ] {
            assert_eq!(parse(ValType::I32, word), Ok(Val::I32(value)), "{word}");
        }
        for bad in
            ["4294967296", "-2147483649", "", "-", "0x", "1.0", "1_", "_1", "1__0", "abc", "+-1", "0x-1", " 1", "1 "]
        {
            assert!(parse(ValType::I32, bad).is_err(), "{bad}");
        }
        assert_eq!(parse(ValType::I64, "18446744073709551615"), Ok(Val::I64(-1)));
        assert_eq!(parse(ValType::I64, "-9223372036854775808"), Ok(Val::I64(i64::MIN)));
        assert!(parse(ValType::I64, "18446744073709551616").is_err());
    }

    #[test]
    fn floats_are_those_of_the_text_format() {
        for (word, value) in [
            ("1.5", 1.5),
            ("1.", 1.0),
            ("+1e3", 1000.0),
            ("1_000.2_5", 1000.25),
            ("-0", -0.0),
            ("0x10", 16.0),
            ("0x1.8p1", 3.0),
            ("-0x1.8P-1", -0.75),
            ("inf", f32::INFINITY),
            ("-inf", f32::NEG_INFINITY),
            // Half a unit in the last place above 1, and slightly more.
            ("0x1.000001p0", 1.0),
            ("0x1.00000100000000000001p0", 1.0 + f32::EPSILON),
            // Accepted by Rust only.
            (".5", 0.5),
            ("infinity", f32::INFINITY),
        ] {
            assert_eq!(parse(ValType::F32, word), Ok(Val::F32(value.to_bits())), "{word}");
            if !word.starts_with("0x1.000001") {
                assert_eq!(parse(ValType::F64, word), Ok(Val::F64(f64::from(value).to_bits())), "{word}");
            }
        }
        assert_eq!(parse(ValType::F64, "0x1.fffffffffffffp1023"), Ok(Val::from(f64::MAX)));
        for bad in [
            "",
            "one",
            "1_",
            "1 ",
            " 1",
            "1;;",
            "(;;)1",
            "0x",
            "0x1p",
            "nan:0x0",
            "nan:1",
            "nan:canonical",
            "1e",
            "--1",
            "\"1\"",
        ] {
            assert!(parse(ValType::F64, bad).is_err(), "{bad}");
            assert!(parse(ValType::F32, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nans_have_sign_and_payload() {
        assert_eq!(parse(ValType::F32, "nan"), Ok(Val::F32(0x7fc0_0000)));
        assert_eq!(parse(ValType::F32, "-nan:0x1"), Ok(Val::F32(0xff80_0001)));
        assert_eq!(parse(ValType::F32, "nan:0x7f_ffff"), Ok(Val::F32(0x7fff_ffff)));
        assert_eq!(parse(ValType::F64, "nan:0xfffffffffffff"), Ok(Val::F64(0x7fff_ffff_ffff_ffff)));
        assert!(parse(ValType::F32, "nan:0x800000").is_err() && parse(ValType::F64, "nan:0x10000000000000").is_err());
    }

    #[test]
    fn what_does_not_fit_is_out_of_range() {
        for (ty, word) in [
            (ValType::F32, "0x1p128"),
            (ValType::F32, "1e39"),
            (ValType::F64, "1e999"),
            (ValType::F64, "0x1p1024"),
            (ValType::F32, "nan:0x800000"),
            (ValType::I32, "0x1_0000_0000"),
        ] {
            assert!(parse(ty, word).unwrap_err().contains("range"), "{word}");
        }
    }

    #[test]
    fn vectors_are_lanes_or_one_integer() {
        let expected = Ok(Val::V128(V128::from_lanes([1u32, 2, 3, u32::MAX])));
        for word in ["i32x4:1,2,3,-1", "i32x4 1 2 3 0xffffffff", "i32x4:1, 2, 3, 4294967295", "i32x4:1 2 3 -1"] {
            assert_eq!(parse(ValType::V128, word), expected, "{word}");
        }
        let word = "0xffffffff00000003_0000000200000001";
        assert_eq!(parse(ValType::V128, word), expected, "{word}");
        let floats = Ok(Val::V128(V128::from_lanes([1.5f64, f64::NEG_INFINITY])));
        assert_eq!(parse(ValType::V128, "f64x2:0x1.8p0,-inf"), floats);
        let bytes = Ok(Val::V128(V128::from_lanes([0x80u8; 16])));
        assert_eq!(parse(ValType::V128, &format!("i8x16:{}", ["-128"; 16].join(","))), bytes);
        for (bad, why) in [
            ("i32x4:1,2,3", "i32x4 has 4 lanes, got 3"),
            ("i32x4:1,2,3,", "lane 3 ``: expected a decimal or hexadecimal integer"),
            ("i8x16:256,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0", "lane 0 `256`: out of range: expected -128 to 255"),
            ("i7x3:1", "`i7x3` is no shape of a vector; expected one of i8x16, i16x8, i32x4, i64x2, f32x4, f64x2"),
            ("x", "expected a shape and its lanes such as i32x4:1,2,3,4, or one integer of 128 bits"),
        ] {
            assert_eq!(parse(ValType::V128, bad).unwrap_err(), why, "{bad}");
        }
    }

    #[test]
    fn values_are_written_plainly() {
        let text = |value| text(&value).unwrap();
        assert_eq!(text(Val::I32(-1)), "-1");
        assert_eq!(text(Val::from(0.1f32)), "0.1");
        assert_eq!(text(Val::from(f64::INFINITY)), "inf");
        assert_eq!(text(Val::F32(0x7fc0_0000)), "nan");
        assert_eq!(text(Val::F64(0xfff0_0000_0000_0001)), "-nan:0x1");
        assert_eq!(text(Val::V128(V128::from_u128(1))), "i32x4:0x00000001,0x00000000,0x00000000,0x00000000");
    }

    /// Edge values of every type, and random bits.
    #[test]
    fn what_is_written_is_read_back_as_the_same_bits() {
        let mut bits: Vec<u64> =
            vec![0, 1, 0x7f, 0x80, 0x7fff_ffff, 0x8000_0000, u64::MAX, i64::MIN as u64, i64::MAX as u64];
        let edges =
            [f32::MIN_POSITIVE, f32::MAX, f32::EPSILON, 0.1, 1e21, 1e-7, f32::INFINITY, f32::NAN, f32::from_bits(1)];
        bits.extend(edges.iter().flat_map(|edge| [u64::from(edge.to_bits()), u64::from((-edge).to_bits())]));
        let edges = [f64::MIN_POSITIVE, f64::MAX, f64::EPSILON, 0.1, 1e21, f64::INFINITY, f64::NAN, f64::from_bits(1)];
        bits.extend(edges.iter().flat_map(|edge| [edge.to_bits(), (-edge).to_bits()]));
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..20_000 {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Every fourth value is a NaN of both widths.
            bits.push(if round % 4 == 0 { state | 0x7ff0_0000_7f80_0000 } else { state });
        }
        let mut last = 0;
        for bits in bits {
            let vector = V128::from_slots([bits, last]);
            last = bits;
            let values = [
                Val::I32(bits as i32),
                Val::I64(bits as i64),
                Val::F32(bits as u32),
                Val::F64(bits),
                Val::V128(vector),
            ];
            for (value, ty) in
                values.iter().zip([ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128])
            {
                let word = text(value).unwrap();
                assert!(!word.contains(char::is_whitespace), "{word}");
                assert_eq!(parse(ty, &word).as_ref(), Ok(value), "{word}");
            }
        }
    }
}
