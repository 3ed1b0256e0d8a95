//! Conversion of trap codes to Cranelift's and back.

use cranelift_codegen::{MachTrap, ir};
use wasmr_core::trap::TrapCode;

/// Returns Cranelift's code for one of ours: one more, as Cranelift has no code 0.
pub(crate) fn trap_code(code: TrapCode) -> ir::TrapCode {
    ir::TrapCode::user(code as u8 + 1).expect("our codes are small and the sum is not 0")
}

/// Returns our code for one of Cranelift's, whose own codes come from division and conversion instructions.
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
