//! The table of the operators that the runtime executes for every tier, one row each.
//!
//! Such an operator is rare, or takes so long that the cost of a call does not matter. A row has all facts about the operator
//! except its meaning, which is a function of the same name in the runtime's `builtins`. The function's signature, the
//! interpreter's instruction, the compiler's call and the operator's name follow from the row. Fuel and control flow
//! follow from the operator's [class](crate::operator_class).
//!
//! | part of a row | meaning |
//! |---|---|
//! | `MemoryFill { mem }` | the operator with at most two immediates, in the order of the function's parameters; `memarg` is an immediate by itself, see [`AccessImmediate`] |
//! | `memory::memory_fill` | the file of the function, and the function |
//! | `(dst: u64, value: u8, len: u64)` | the operands, deepest in the stack first, with the types that the function reads from slots |
//! | `-> address` | the result, see [`BuiltinResult`] |
//!
//! A tier may execute some operators of the table faster. It then handles them before it calls [`BuiltinCall::of`].

use wasmparser::{MemArg, Operator};
use wasmr_core::types::ValType;

use crate::Module;
use crate::op::memory_of;
use crate::operator_text::visitor_name;

/// Calls `$each!` with the rows of the operators that the runtime executes. The documentation of `builtin.rs` explains the
/// rows.
#[macro_export]
macro_rules! for_each_builtin {
    ($each:ident) => {
        $each! {
            MemoryGrow { mem }                  memory::memory_grow(delta: u64) -> address;
            MemoryFill { mem }                  memory::memory_fill(dst: u64, value: u8, len: u64) -> nothing;
            MemoryCopy { dst_mem, src_mem }     memory::memory_copy(dst: u64, src: u64, len: u64) -> nothing;
            MemoryInit { mem, data_index }      memory::memory_init(dst: u64, src: u32, len: u32) -> nothing;
            DataDrop { data_index }             memory::data_drop() -> nothing;
            TableGrow { table }                 table::table_grow(value: u64, delta: u64) -> index;
            TableFill { table }                 table::table_fill(dst: u64, value: u64, len: u64) -> nothing;
            TableCopy { dst_table, src_table }  table::table_copy(dst: u64, src: u64, len: u64) -> nothing;
            TableInit { table, elem_index }     table::table_init(dst: u64, src: u32, len: u32) -> nothing;
            ElemDrop { elem_index }             table::elem_drop() -> nothing;
            RefFunc { function_index }          reference::ref_func() -> function;
            StructNew { struct_type_index }     heap::struct_new(fields: Typed) -> object;
            StructNewDefault { struct_type_index } heap::struct_new_default() -> object;
            ArrayNew { array_type_index }       heap::array_new(element: Typed) -> object;
            ArrayNewDefault { array_type_index } heap::array_new_default(len: u32) -> object;
            ArrayNewFixed { array_type_index, array_size } heap::array_new_fixed(elements: Typed) -> object;
            ArrayNewData { array_type_index, array_data_index } heap::array_new_data(src: u32, len: u32) -> object;
            ArrayNewElem { array_type_index, array_elem_index } heap::array_new_elem(src: u32, len: u32) -> object;
            ArrayFill { array_type_index }      heap::array_fill(operands: Typed) -> nothing;
            ArrayCopy { array_type_index_dst, array_type_index_src }
                heap::array_copy(dst: u64, at: u32, src: u64, from: u32, len: u32) -> nothing;
            ArrayInitData { array_type_index, array_data_index }
                heap::array_init_data(dst: u64, at: u32, src: u32, len: u32) -> nothing;
            ArrayInitElem { array_type_index, array_elem_index }
                heap::array_init_elem(dst: u64, at: u32, src: u32, len: u32) -> nothing;
            Throw { tag_index }                 exception::throw(payload: Typed) -> never;
            ThrowRef { }                        exception::throw_ref(exception: u64) -> never;
            MemoryAtomicNotify { memarg }       atomic::memory_atomic_notify(address: u64, count: u32) -> int;
            MemoryAtomicWait32 { memarg }       atomic::memory_atomic_wait32(address: u64, expected: u32, timeout: u64) -> int;
            MemoryAtomicWait64 { memarg }       atomic::memory_atomic_wait64(address: u64, expected: u64, timeout: u64) -> int;
            I64Add128 { }                       wide::i64_add128(a: u64, a_high: u64, b: u64, b_high: u64) -> wide;
            I64Sub128 { }                       wide::i64_sub128(a: u64, a_high: u64, b: u64, b_high: u64) -> wide;
            I64MulWideS { }                     wide::i64_mul_wide_s(a: u64, b: u64) -> wide;
            I64MulWideU { }                     wide::i64_mul_wide_u(a: u64, b: u64) -> wide;
        }
    };
}

/// The result of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinResult {
    /// No value.
    Nothing,
    /// No value: the operator traps or throws.
    Never,
    /// An `i32`.
    Int,
    /// An address in the memory that the first immediate names.
    Address,
    /// An index of the table that the first immediate names.
    Index,
    /// A reference to a function.
    Function,
    /// A 128-bit integer as two values, low half first.
    Wide,
    /// A reference to an object.
    Object,
}

/// The operands of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinOperands {
    /// This number of values, one slot each.
    Words(usize),
    /// Values whose types depend on the immediates ([`BuiltinCall::operand_counts`]). The function gets their address.
    Typed,
}

/// An operator of the table with its immediates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinCall {
    /// The row.
    pub builtin: Builtin,
    /// The first immediate in the low half, the second in the high one; or an [`AccessImmediate`], packed.
    pub immediates: u64,
}

macro_rules! operands {
    ($operands:ident: Typed) => {
        BuiltinOperands::Typed
    };
    ($($operand:ident: $ty:ident),*) => {
        BuiltinOperands::Words(<[&str]>::len(&[$(stringify!($operand)),*]))
    };
}

macro_rules! has_access {
    (memarg) => {
        true
    };
    ($($immediate:ident),*) => {
        false
    };
}

macro_rules! result {
    (nothing) => {
        BuiltinResult::Nothing
    };
    (never) => {
        BuiltinResult::Never
    };
    (int) => {
        BuiltinResult::Int
    };
    (address) => {
        BuiltinResult::Address
    };
    (index) => {
        BuiltinResult::Index
    };
    (function) => {
        BuiltinResult::Function
    };
    (wide) => {
        BuiltinResult::Wide
    };
    (object) => {
        BuiltinResult::Object
    };
}

macro_rules! rows {
    ($(
        $op:ident { $($immediate:ident),* } $file:ident::$name:ident($($operand:ident: $ty:ident),*)
        -> $result:ident;
    )*) => {
        /// A row of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Builtin {
            $(
                #[doc = concat!("`", stringify!($name), "` in the spelling of the decoder's visitors.")]
                $op,
            )*
        }

        impl Builtin {
            /// All rows, in the order of the table.
            pub const ALL: &[Builtin] = &[$(Builtin::$op),*];

            /// Returns the operands.
            pub const fn operands(self) -> BuiltinOperands {
                match self { $(Builtin::$op => operands!($($operand: $ty),*),)* }
            }

            /// Returns the result.
            pub const fn result(self) -> BuiltinResult {
                match self { $(Builtin::$op => result!($result),)* }
            }

            /// Returns the number of immediates.
            pub const fn immediate_count(self) -> usize {
                match self { $(Builtin::$op => <[&str]>::len(&[$(stringify!($immediate)),*]),)* }
            }

            /// Returns true if the only immediate is an [`AccessImmediate`].
            const fn has_access(self) -> bool {
                match self { $(Builtin::$op => has_access!($($immediate),*),)* }
            }

            /// Returns the operator's name in the text format.
            pub fn name(self) -> String {
                match self { $(Builtin::$op => visitor_name(stringify!($name)),)* }
            }
        }

        impl BuiltinCall {
            /// Returns the call for an operator, if the table has it.
            #[inline]
            pub fn of(operator: &Operator<'_>) -> Option<BuiltinCall> {
                match *operator {
                    $(Operator::$op { $($immediate),* } => {
                        Some(BuiltinCall { builtin: Builtin::$op, immediates: pack([$(Immediate::word(&$immediate)),*]) })
                    })*
                    _ => None,
                }
            }
        }
    };
}
for_each_builtin!(rows);

/// An immediate as the decoder returns it.
trait Immediate {
    /// Returns the immediate as a word: 32 bits, or all bits of the only immediate.
    fn word(&self) -> u64;
}

impl Immediate for u32 {
    fn word(&self) -> u64 {
        (*self).into()
    }
}

impl Immediate for MemArg {
    fn word(&self) -> u64 {
        AccessImmediate { memory: memory_of(self), offset: self.offset }.pack()
    }
}

/// Packs immediates into one word, the first in the low half.
fn pack<const N: usize>(immediates: [u64; N]) -> u64 {
    immediates.iter().rev().fold(0, |word, &immediate| word << 32 | immediate)
}

/// The memory and the offset of a memory access, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessImmediate {
    /// Index of the memory.
    pub memory: u32,
    /// Offset to add to the address.
    pub offset: u64,
}

impl AccessImmediate {
    /// Bits of the packed memory index. A module has at most 100 memories.
    const MEMORY_BITS: u32 = 8;
    /// First offset that does not fit. No memory is so large, so that an access there is out of bounds whatever its address.
    const FAR: u64 = 1 << (u64::BITS - AccessImmediate::MEMORY_BITS);
    /// Largest alignment of an atomic access. A packed offset is the same modulo this number.
    const MAX_ALIGN: u64 = 8;

    /// Packs both numbers. An offset that does not fit becomes another one that is out of bounds as well.
    fn pack(self) -> u64 {
        let far = AccessImmediate::FAR - AccessImmediate::MAX_ALIGN + self.offset % AccessImmediate::MAX_ALIGN;
        self.offset.min(far) << AccessImmediate::MEMORY_BITS | u64::from(self.memory)
    }

    /// Returns the numbers of a packed word.
    pub fn unpack(word: u64) -> AccessImmediate {
        let memory = word % (1 << AccessImmediate::MEMORY_BITS);
        AccessImmediate { memory: memory as u32, offset: word >> AccessImmediate::MEMORY_BITS }
    }
}

impl BuiltinCall {
    /// Returns the first immediate.
    fn first(self) -> u32 {
        self.immediates as u32
    }

    /// Returns the immediates as text.
    pub fn immediates_text(self) -> Vec<String> {
        if self.builtin.has_access() {
            let AccessImmediate { memory, offset } = AccessImmediate::unpack(self.immediates);
            return vec![memory.to_string(), format!("offset={offset}")];
        }
        let halves = [self.immediates as u32, (self.immediates >> 32) as u32];
        halves.iter().take(self.builtin.immediate_count()).map(u32::to_string).collect()
    }

    /// Returns the second immediate.
    fn second(self) -> u32 {
        (self.immediates >> 32) as u32
    }

    /// Returns the number of operands, and the number of their slots.
    pub fn operand_counts(self, module: &Module) -> (usize, usize) {
        match self.builtin.operands() {
            BuiltinOperands::Words(count) => (count, count),
            BuiltinOperands::Typed => self.typed_counts(module),
        }
    }

    /// Returns the number of operands whose types depend on the immediates, and the number of their slots.
    fn typed_counts(self, module: &Module) -> (usize, usize) {
        let element = || module.array_element(self.first()).stored.slots();
        match self.builtin {
            Builtin::StructNew => {
                let fields = &module.struct_layout(self.first()).fields;
                (fields.len(), fields.iter().map(|field| field.stored.slots()).sum())
            }
            Builtin::ArrayNew => (2, element() + 1),
            Builtin::ArrayNewFixed => (self.second() as usize, self.second() as usize * element()),
            Builtin::ArrayFill => (4, element() + 3),
            _ => {
                let ty = module.tag_type(self.first());
                (ty.params().len(), ty.param_slots())
            }
        }
    }

    /// Returns the types of the results, deepest in the stack first.
    pub fn results(self, module: &Module) -> &'static [ValType] {
        let word = |is64| -> &'static [ValType] { if is64 { &[ValType::I64] } else { &[ValType::I32] } };
        match self.builtin.result() {
            BuiltinResult::Nothing | BuiltinResult::Never => &[],
            BuiltinResult::Address => word(module.memories()[self.first() as usize].is64),
            BuiltinResult::Index => word(module.tables()[self.first() as usize].ty.is64),
            BuiltinResult::Int => &[ValType::I32],
            BuiltinResult::Function => &[ValType::FUNCREF],
            BuiltinResult::Wide => &[ValType::I64, ValType::I64],
            BuiltinResult::Object => &[ValType::ANYREF],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_immediates_and_operands() {
        let call = BuiltinCall::of(&Operator::MemoryCopy { dst_mem: 3, src_mem: 5 }).unwrap();
        assert_eq!(call, BuiltinCall { builtin: Builtin::MemoryCopy, immediates: 5 << 32 | 3 });
        assert_eq!(call.builtin.name(), "memory.copy");
        assert_eq!(call.builtin.operands(), BuiltinOperands::Words(3));
        assert_eq!(
            BuiltinCall::of(&Operator::Throw { tag_index: 1 }).unwrap().builtin.operands(),
            BuiltinOperands::Typed
        );
        assert_eq!(Builtin::ThrowRef.name(), "throw_ref");
        assert_eq!(Builtin::ElemDrop.operands(), BuiltinOperands::Words(0));
        assert_eq!(BuiltinCall::of(&Operator::Nop), None);
    }

    #[test]
    fn a_packed_offset_is_itself_or_out_of_bounds() {
        let packed = |offset| AccessImmediate::unpack(AccessImmediate { memory: 99, offset }.pack());
        for offset in [0, 1, u64::from(u32::MAX), AccessImmediate::FAR - 9] {
            assert_eq!(packed(offset), AccessImmediate { memory: 99, offset });
        }
        for offset in [AccessImmediate::FAR - 8, AccessImmediate::FAR - 1, AccessImmediate::FAR, u64::MAX - 2, u64::MAX]
        {
            let AccessImmediate { memory, offset: is } = packed(offset);
            assert!(memory == 99 && is >= AccessImmediate::FAR - 8 && is % 8 == offset % 8, "{offset:#x} is {is:#x}");
        }
    }

    #[test]
    fn immediates_fit_one_word() {
        assert!(Builtin::ALL.iter().all(|builtin| builtin.immediate_count() <= 2));
    }
}
