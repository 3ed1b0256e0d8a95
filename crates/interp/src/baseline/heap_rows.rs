//! The emitter of each instruction on structs, arrays, unboxed integers and references. `heap` has the emitters.

use super::access::Loaded;
use crate::instr::locations::{FieldForm, Locations, TestForm};

/// The code of an instruction on references, without places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heap {
    StructGet(Loaded),
    /// Bytes of the field.
    StructSet(u8),
    ArrayGet(Loaded),
    ArraySet(u8),
    ArrayLen,
    RefI31,
    I31Get {
        signed: bool,
    },
    RefTest(Test),
    RefCast(Test),
}

/// The test of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) form: TestForm,
    /// True if null passes.
    pub(crate) is_nullable: bool,
}

/// Returns the emitter of an instruction of a family.
pub(crate) fn own(family: &str, index: usize) -> Option<Heap> {
    const FORMS: [FieldForm; FieldForm::COUNT] = [
        FieldForm::S8,
        FieldForm::U8,
        FieldForm::S16,
        FieldForm::U16,
        FieldForm::I32,
        FieldForm::I64,
        FieldForm::F32,
        FieldForm::F64,
        FieldForm::Ref,
    ];
    const TESTS: [TestForm; TestForm::COUNT - 1] = [
        TestForm::Always,
        TestForm::Never,
        TestForm::Eq,
        TestForm::I31,
        TestForm::Struct,
        TestForm::Array,
        TestForm::Object,
    ];
    let form = |instructions: usize| FORMS.into_iter().find(|form| form.index() == index / instructions);
    let test = || {
        let form = TESTS.into_iter().find(|form| form.index() == index / bool::COUNT)?;
        Some(Test { form, is_nullable: index % bool::COUNT == true.index() })
    };
    let bytes = || 1 << index;
    Some(match family {
        "StructGet" => Heap::StructGet(loaded(form(4)?)),
        "StructSet" => Heap::StructSet(bytes()),
        "ArrayGet" => Heap::ArrayGet(loaded(form(2)?)),
        "ArraySet" => Heap::ArraySet(bytes()),
        "ArrayLen" => Heap::ArrayLen,
        "RefI31" => Heap::RefI31,
        "I31Get" => Heap::I31Get { signed: index / 4 == true.index() },
        "RefTest" => Heap::RefTest(test()?),
        "RefCast" => Heap::RefCast(test()?),
        _ => return None,
    })
}

/// Returns the load of a field.
fn loaded(form: FieldForm) -> Loaded {
    let new = |opcode, bytes| Loaded { opcode, wide: bytes == 8, is_float: false, bytes };
    match form {
        FieldForm::S8 => new(0x0fbe, 1),
        FieldForm::U8 => new(0x0fb6, 1),
        FieldForm::S16 => new(0x0fbf, 2),
        FieldForm::U16 => new(0x0fb7, 2),
        FieldForm::I32 | FieldForm::Ref => new(0x8b, 4),
        FieldForm::I64 => new(0x8b, 8),
        FieldForm::F32 => Loaded { is_float: true, wide: false, ..new(0xf300_0f10, 4) },
        FieldForm::F64 => Loaded { is_float: true, wide: false, ..new(0xf200_0f10, 8) },
    }
}
