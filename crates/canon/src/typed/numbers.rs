//! Numbers, `bool` and `char`.

use wasmr_component::{TypeDef, TypeId};

use crate::abi::{FlatIn, FlatOut, LiftCx, LowerCx, load::numbers, read_bits, scalar};
use crate::error::Result;
use crate::typed::{Abi, Check, ComponentType, Interface, Lift, Lower};

/// Implements the traits for types that take one core value: one row each, with the conversions from and to its bits.
macro_rules! scalars {
    ($($rust:ty, $def:ident, $wit:literal, $size:literal, $of:expr, $bits:expr, { $($lift:tt)* }, { $($lower:tt)* };)*) => {$(
        impl ComponentType for $rust {
            const ABI: Abi = Abi::scalar($size);

            fn check(interface: &Interface<'_>, ty: TypeId) -> Check {
                if *interface.def(ty) == TypeDef::$def { Ok(()) } else { Err(interface.mismatch($wit, ty)) }
            }

            fn wit() -> String {
                $wit.to_owned()
            }
        }

        impl Lift for $rust {
            #[inline]
            fn lift_flat(_: &mut LiftCx<'_>, _: TypeId, src: &mut FlatIn<'_>) -> Result<$rust> {
                let of: fn(u64) -> Result<$rust> = $of;
                of(src.next())
            }

            #[inline]
            fn load(cx: &mut LiftCx<'_>, _: TypeId, at: usize) -> Result<$rust> {
                let of: fn(u64) -> Result<$rust> = $of;
                of(read_bits(cx.memory, at, $size))
            }

            $($lift)*
        }

        impl Lower for $rust {
            #[inline]
            fn lower_flat(&self, _: &mut LowerCx<'_>, _: TypeId, dst: &mut FlatOut<'_>) -> Result<()> {
                let bits: fn($rust) -> u64 = $bits;
                dst.push(bits(*self));
                Ok(())
            }

            #[inline]
            fn store(&self, cx: &mut LowerCx<'_>, _: TypeId, at: usize) -> Result<()> {
                let bits: fn($rust) -> u64 = $bits;
                cx.write(at, $size, bits(*self));
                Ok(())
            }

            $($lower)*
        }
    )*};
}

/// As `scalars`, for numbers, of which a list is copied as a whole.
macro_rules! all_numbers {
    ($($rust:ty, $def:ident, $wit:literal, $size:literal, $of:expr, $bits:expr;)*) => {
        scalars! {$(
            $rust, $def, $wit, $size, $of, $bits, {
                fn load_list(cx: &mut LiftCx<'_>, _: TypeId, at: usize, len: usize) -> Result<Vec<$rust>> {
                    let bytes = &cx.memory[at..at + len * $size];
                    cx.budget.take(bytes.len())?;
                    Ok(numbers(bytes, <$rust>::from_le_bytes))
                }
            }, {
                fn store_list(all: &[$rust], cx: &mut LowerCx<'_>, _: TypeId, at: usize) -> Result<()> {
                    cx.write_numbers(at, all, <$rust>::to_le_bytes);
                    Ok(())
                }
            };
        )*}
    };
}

all_numbers! {
    i8, S8, "s8", 1, |bits| Ok(bits as i8), |value| u64::from(i32::from(value) as u32);
    u8, U8, "u8", 1, |bits| Ok(bits as u8), u64::from;
    i16, S16, "s16", 2, |bits| Ok(bits as i16), |value| u64::from(i32::from(value) as u32);
    u16, U16, "u16", 2, |bits| Ok(bits as u16), u64::from;
    i32, S32, "s32", 4, |bits| Ok(bits as i32), |value| u64::from(value as u32);
    u32, U32, "u32", 4, |bits| Ok(bits as u32), u64::from;
    i64, S64, "s64", 8, |bits| Ok(bits as i64), |value| value as u64;
    u64, U64, "u64", 8, |bits| Ok(bits), |value| value;
    f32, F32, "f32", 4, |bits| Ok(f32::from_bits(bits as u32)), |value| u64::from(value.to_bits());
    f64, F64, "f64", 8, |bits| Ok(f64::from_bits(bits)), f64::to_bits;
}

scalars! {
    bool, Bool, "bool", 1, |bits| Ok(bits as u32 != 0), u64::from, {}, {};
    char, Char, "char", 4, |bits| scalar::char_of(bits as u32), |value| u64::from(u32::from(value)), {}, {};
}
