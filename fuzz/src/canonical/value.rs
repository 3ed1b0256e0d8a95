//! Values: generation, and conversion from and to those of wasmr.

use arbitrary::{Result, Unstructured};
use wasmr_canon::Val;

use super::types::Type;

/// A value, without its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, `bool`, `char` or `flags`: its bits, zero-extended. Floats are compared as bits.
    Bits(u64),
    /// `string`
    Text(String),
    /// The elements of a list, the pairs of a map, or fields.
    Many(Vec<Value>),
    /// A case, by its discriminant, and its payload.
    Case(u32, Option<Box<Value>>),
}

impl Value {
    /// Generates a value of a type.
    pub fn arbitrary(u: &mut Unstructured<'_>, ty: &Type) -> Result<Value> {
        if let Some(cases) = ty.cases() {
            let case = u.int_in_range(0..=cases.len() - 1)?;
            let payload = cases[case].map(|ty| Value::arbitrary(u, ty).map(Box::new)).transpose()?;
            return Ok(Value::Case(case as u32, payload));
        }
        if let Some(element) = ty.element() {
            let count = *u.choose(&[0, 1, 1, 2, 3, 9])?;
            return Ok(Value::Many((0..count).map(|_| Value::arbitrary(u, &element)).collect::<Result<_>>()?));
        }
        if let Some(fields) = ty.fields() {
            return Ok(Value::Many(fields.into_iter().map(|ty| Value::arbitrary(u, ty)).collect::<Result<_>>()?));
        }
        Ok(match ty {
            Type::Bool => Value::Bits(u.arbitrary::<bool>()?.into()),
            Type::Int { bytes, .. } => Value::Bits(u.arbitrary::<u64>()? >> (64 - bytes * 8)),
            Type::F32 => Value::Bits(u.arbitrary::<u32>()?.into()),
            Type::F64 => Value::Bits(u.arbitrary()?),
            Type::Char => Value::Bits(u32::from(character(u)?).into()),
            Type::Flags(count) => Value::Bits((u.arbitrary::<u32>()? >> (32 - count)).into()),
            Type::Fixed(element, count) => {
                Value::Many((0..*count).map(|_| Value::arbitrary(u, element)).collect::<Result<_>>()?)
            }
            _ => Value::Text(text(u)?),
        })
    }

    /// Returns the value as wasmr represents it.
    pub fn val(&self, ty: &Type) -> Val {
        let named = |kind: char, index: usize| format!("{kind}{index}");
        match (ty, self) {
            (Type::Bool, Value::Bits(bits)) => Val::Bool(*bits != 0),
            (Type::Int { bytes: 1, signed: true }, Value::Bits(bits)) => Val::S8(*bits as i8),
            (Type::Int { bytes: 1, .. }, Value::Bits(bits)) => Val::U8(*bits as u8),
            (Type::Int { bytes: 2, signed: true }, Value::Bits(bits)) => Val::S16(*bits as i16),
            (Type::Int { bytes: 2, .. }, Value::Bits(bits)) => Val::U16(*bits as u16),
            (Type::Int { bytes: 4, signed: true }, Value::Bits(bits)) => Val::S32(*bits as i32),
            (Type::Int { bytes: 4, .. }, Value::Bits(bits)) => Val::U32(*bits as u32),
            (Type::Int { signed: true, .. }, Value::Bits(bits)) => Val::S64(*bits as i64),
            (Type::Int { .. }, Value::Bits(bits)) => Val::U64(*bits),
            (Type::F32, Value::Bits(bits)) => Val::F32(f32::from_bits(*bits as u32)),
            (Type::F64, Value::Bits(bits)) => Val::F64(f64::from_bits(*bits)),
            (Type::Char, Value::Bits(bits)) => Val::Char(char::from_u32(*bits as u32).unwrap_or_default()),
            (Type::String, Value::Text(text)) => Val::String(text.clone()),
            (Type::List(element) | Type::Fixed(element, _), Value::Many(all)) => {
                Val::from(all.iter().map(|value| value.val(element)).collect::<Vec<Val>>())
            }
            (Type::Map(key, value), Value::Many(all)) => {
                let entry = |pair: &Value| match pair {
                    Value::Many(pair) => (pair[0].val(key), pair[1].val(value)),
                    other => panic!("no pair: {other:?}"),
                };
                Val::Map(all.iter().map(entry).collect())
            }
            (Type::Record(tys), Value::Many(all)) => {
                let fields = tys.iter().zip(all).enumerate();
                Val::Record(fields.map(|(index, (ty, value))| (named('f', index), value.val(ty))).collect())
            }
            (Type::Tuple(tys), Value::Many(all)) => {
                Val::Tuple(tys.iter().zip(all).map(|(ty, value)| value.val(ty)).collect())
            }
            (Type::Flags(count), Value::Bits(bits)) => {
                let set = (0..*count as usize).filter(|index| bits >> index & 1 != 0);
                Val::Flags(set.map(|index| named('b', index)).collect())
            }
            (_, Value::Case(case, payload)) => {
                let case = *case as usize;
                let cases = ty.cases().unwrap_or_default();
                let payload = payload.as_ref().zip(cases[case]).map(|(value, ty)| Box::new(value.val(ty)));
                match ty {
                    Type::Enum(_) => Val::Enum(named('c', case)),
                    Type::Option(_) => Val::Option(payload),
                    Type::Result(..) if case == 0 => Val::Result(Ok(payload)),
                    Type::Result(..) => Val::Result(Err(payload)),
                    _ => Val::Variant(named('c', case), payload),
                }
            }
            (ty, value) => panic!("{value:?} is not of {ty:?}"),
        }
    }

    /// Returns a value of wasmr. A value that is not of the type is a failure of the target.
    pub fn of(ty: &Type, val: &Val) -> Value {
        let index = |name: &str| name[1..].parse::<u32>().unwrap_or_else(|_| panic!("no label of a type: {name}"));
        let case = |case: u32, payload: &Option<Box<Val>>| {
            let cases = ty.cases().unwrap_or_default();
            let expected = cases.get(case as usize).unwrap_or_else(|| panic!("no case {case} in {ty:?}"));
            assert_eq!(expected.is_some(), payload.is_some(), "payload of case {case} of {ty:?}");
            Value::Case(case, payload.as_ref().zip(*expected).map(|(val, ty)| Box::new(Value::of(ty, val))))
        };
        match (ty, val) {
            (Type::Bool, Val::Bool(value)) => Value::Bits((*value).into()),
            (Type::Int { bytes: 1, signed: true }, Val::S8(value)) => Value::Bits((*value as u8).into()),
            (Type::Int { bytes: 1, signed: false }, Val::U8(value)) => Value::Bits((*value).into()),
            (Type::Int { bytes: 2, signed: true }, Val::S16(value)) => Value::Bits((*value as u16).into()),
            (Type::Int { bytes: 2, signed: false }, Val::U16(value)) => Value::Bits((*value).into()),
            (Type::Int { bytes: 4, signed: true }, Val::S32(value)) => Value::Bits((*value as u32).into()),
            (Type::Int { bytes: 4, signed: false }, Val::U32(value)) => Value::Bits((*value).into()),
            (Type::Int { bytes: 8, signed: true }, Val::S64(value)) => Value::Bits(*value as u64),
            (Type::Int { bytes: 8, signed: false }, Val::U64(value)) => Value::Bits(*value),
            (Type::F32, Val::F32(value)) => Value::Bits(value.to_bits().into()),
            (Type::F64, Val::F64(value)) => Value::Bits(value.to_bits()),
            (Type::Char, Val::Char(value)) => Value::Bits(u32::from(*value).into()),
            (Type::String, Val::String(text)) => Value::Text(text.clone()),
            (Type::List(element), Val::List(all)) => {
                Value::Many(all.iter().map(|val| Value::of(element, &val)).collect())
            }
            (Type::Fixed(element, count), Val::List(all)) => {
                assert_eq!(all.len(), *count as usize, "a list of fixed length");
                Value::Many(all.iter().map(|val| Value::of(element, &val)).collect())
            }
            (Type::Map(key, value), Val::Map(entries)) => {
                let pair =
                    |(left, right): &(Val, Val)| Value::Many(vec![Value::of(key, left), Value::of(value, right)]);
                Value::Many(entries.iter().map(pair).collect())
            }
            (Type::Record(tys), Val::Record(fields)) => {
                assert_eq!(tys.len(), fields.len(), "number of fields");
                let one = |(at, (ty, (name, val))): (usize, (&Type, &(String, Val)))| {
                    assert_eq!(index(name) as usize, at, "order of fields");
                    Value::of(ty, val)
                };
                Value::Many(tys.iter().zip(fields).enumerate().map(one).collect())
            }
            (Type::Tuple(tys), Val::Tuple(all)) => {
                assert_eq!(tys.len(), all.len(), "number of fields");
                Value::Many(tys.iter().zip(all).map(|(ty, val)| Value::of(ty, val)).collect())
            }
            (Type::Flags(_), Val::Flags(names)) => {
                Value::Bits(names.iter().fold(0, |bits, name| bits | 1 << index(name)))
            }
            (Type::Enum(_), Val::Enum(name)) => case(index(name), &None),
            (Type::Variant(_), Val::Variant(name, payload)) => case(index(name), payload),
            (Type::Option(_), Val::Option(payload)) => case(payload.is_some().into(), payload),
            (Type::Result(..), Val::Result(Ok(payload))) => case(0, payload),
            (Type::Result(..), Val::Result(Err(payload))) => case(1, payload),
            (ty, val) => panic!("{val:?} is not of {ty:?}"),
        }
    }
}

fn character(u: &mut Unstructured<'_>) -> Result<char> {
    const SPECIAL: [char; 12] =
        ['a', '\0', '\x7f', '\u{80}', 'é', 'ÿ', '\u{100}', '\u{7ff}', '\u{800}', '\u{ffff}', '\u{10000}', '\u{10ffff}'];
    if u.arbitrary()? { Ok(*u.choose(&SPECIAL)?) } else { u.arbitrary() }
}

/// Generates text, mostly of one of the ranges that encodings treat alike.
fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let count = *u.choose(&[0, 1, 2, 5, 17, 40])?;
    let range = u.int_in_range(0..=3)?;
    let one = |u: &mut Unstructured<'_>| match range {
        0 => Ok(char::from(u.int_in_range(0x20..=0x7e)?)),
        1 => Ok(char::from(u.arbitrary::<u8>()?)),
        // Latin-1 but for the rare wide character.
        2 if u.ratio(15, 16)? => Ok(char::from(u.arbitrary::<u8>()?)),
        _ => character(u),
    };
    (0..count).map(|_| one(u)).collect()
}
