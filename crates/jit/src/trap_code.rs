//! Traps in Cranelift's terms: what a code is in its instructions, and what it is in machine code.

use cranelift_codegen::{MachTrap, ir};
use wasmr_core::trap::TrapCode;

/// A trap as Cranelift's code for it, which is one more than ours.
pub(crate) fn trap_code(code: TrapCode) -> ir::TrapCode {
    ir::TrapCode::user(code as u8 + 1).expect("our codes are small and the sum is not 0")
}

/// The trap that one of Cranelift's codes stands for.
pub(crate) fn meaning(trap: &MachTrap) -> TrapCode {
    match trap.code {
        ir::TrapCode::STACK_OVERFLOW => TrapCode::StackExhausted,
        ir::TrapCode::INTEGER_OVERFLOW => TrapCode::IntegerOverflow,
        ir::TrapCode::INTEGER_DIVISION_BY_ZERO => TrapCode::IntegerDivideByZero,
        ir::TrapCode::BAD_CONVERSION_TO_INTEGER => TrapCode::InvalidConversionToInteger,
        ir::TrapCode::HEAP_OUT_OF_BOUNDS => TrapCode::MemoryOutOfBounds,
        ours => {
            let code = usize::from(ours.as_raw().get()) - 1;
            TrapCode::ALL.get(code).copied().unwrap_or(TrapCode::Unreachable)
        }
    }
}
