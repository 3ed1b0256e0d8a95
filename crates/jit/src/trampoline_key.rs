//! [`TrampolineKey`]: the identity of a trampoline, and its form in an image.

use cranelift_codegen::ir::{Type, types};
use wasmr_core::encoding::{Decoder, Encoder};
use wasmr_core::types::{FuncType, ValType};

use crate::abi::value_type;

/// A kind of trampoline. [`trampoline`](crate::trampoline) describes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TrampolineKind {
    /// Calls a compiled function.
    Entry,
    /// Continues an interpreter's frame in OSR code.
    Osr {
        /// True if the code has a dual entry, at the function's start as well.
        dual_entry: bool,
    },
    /// Calls a function of an instance that is not compiled.
    Exit,
    /// Calls a host function.
    HostExit,
}

/// Identity of a trampoline: functions of equal Cranelift types share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TrampolineKey {
    kind: TrampolineKind,
    params: Box<[Type]>,
    results: Box<[Type]>,
}

/// Types of values in signatures. An image has their positions in this list.
const TYPES: [Type; 5] = [types::I32, types::I64, types::F32, types::F64, types::I8X16];

/// Kinds of trampolines. An image has their positions in this list.
const KINDS: [TrampolineKind; 5] = [
    TrampolineKind::Entry,
    TrampolineKind::Osr { dual_entry: false },
    TrampolineKind::Osr { dual_entry: true },
    TrampolineKind::Exit,
    TrampolineKind::HostExit,
];

impl TrampolineKey {
    /// Returns the key of trampolines for functions of a type.
    pub(crate) fn of(kind: TrampolineKind, ty: &FuncType) -> TrampolineKey {
        let clif = |types: &[ValType]| types.iter().map(|&ty| value_type(ty)).collect();
        TrampolineKey { kind, params: clif(ty.params()), results: clif(ty.results()) }
    }

    /// Appends the key to an image.
    pub(crate) fn encode(&self, out: &mut Encoder) {
        let index = |at: Option<usize>| at.expect("the list is complete") as u32;
        out.u32(index(KINDS.iter().position(|&kind| kind == self.kind)));
        for types in [&self.params, &self.results] {
            out.list(types, |out, &ty| out.u32(index(TYPES.iter().position(|&other| other == ty))));
        }
    }

    /// Reads a key. Returns `None` if the bytes are something else.
    pub(crate) fn decode(from: &mut Decoder<'_>) -> Option<TrampolineKey> {
        let kind = *KINDS.get(from.u32()? as usize)?;
        let mut types = || from.list(|from| TYPES.get(from.u32()? as usize).copied()).map(Vec::into_boxed_slice);
        Some(TrampolineKey { kind, params: types()?, results: types()? })
    }
}
