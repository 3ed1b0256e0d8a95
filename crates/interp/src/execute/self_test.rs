//! A look, when an engine is made, at whether handlers really jump: Rust does not promise it, and a guest must not be able to
//! overflow the native stack because an optimiser changed its mind. Takes less than a microsecond.

/// Runs a row of cells that compare their stack pointers.
///
/// # Panics
/// If a cell finds another stack pointer than the one before it: this build must not run anything.
#[cfg(wasmr_tail)]
pub fn self_test() {
    use wasmr_runtime::frame::{Fp, Ip};

    use super::dispatch::{Machine, run};
    use super::operand::zero_float_acc;

    let machine = Machine {
        // Hidden, or the optimiser runs part of the row right here.
        ip: Ip::new(std::hint::black_box(ROW.as_ptr().cast())),
        fp: Fp::NULL,
        mem: std::ptr::null_mut(),
        inst: std::ptr::null_mut(),
        acc: 0,
        spare: 0,
        facc: zero_float_acc(),
    };
    // SAFETY: the row's handlers look at nothing but the cells, `acc` and `spare`, and its last one leaves.
    let status = unsafe { run(machine) };
    assert!(
        status == wasmr_runtime::vm::Status::OK,
        "this build's handlers call one another instead of jumping; build the interpreter with WASMR_DISPATCH=loop"
    );
}

/// Nothing to look at: handlers return to the driver loop.
#[cfg(not(wasmr_tail))]
pub fn self_test() {}

#[cfg(wasmr_tail)]
static ROW: [super::dispatch::Handler; 9] = [probe, probe, probe, probe, probe, probe, probe, probe, end];

#[cfg(wasmr_tail)]
super::dispatch::handlers! {
    /// Compares the stack pointer with that of the probe before, in `spare`; counts differences in `acc`.
    fn probe[](m) {
        let stack_pointer: u64;
        std::arch::asm!("mov {}, rsp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags));
        m.acc += (m.spare != 0 && m.spare != stack_pointer) as u64;
        m.spare = stack_pointer;
        m.next(1)
    }

    /// Leaves with the count of differences, which as a status is `OK` if there are none.
    fn end[](m) {
        m.acc as usize
    }
}
