//! A test, run when an engine is created, that handlers jump to one another. Rust does not promise these jumps; without them a
//! guest could overflow the native stack. The test takes less than a microsecond.

/// Runs a row of instructions that compare their stack pointers.
///
/// # Panics
/// If an instruction finds another stack pointer than the one before it. Such a build must not run anything.
#[cfg(wasmr_tail)]
pub(crate) fn self_test() {
    use wasmr_runtime::frame::{Fp, Ip};

    use super::dispatch::Machine;
    use super::operand::zero_float_acc;

    let machine = Machine {
        // Hidden from the optimiser, which would otherwise run a part of the row here.
        ip: Ip::new(std::hint::black_box(ROW.as_ptr().cast())),
        fp: Fp::NULL,
        mem: std::ptr::null_mut(),
        inst: std::ptr::null_mut(),
        acc: 0,
        scratch: 0,
        facc: zero_float_acc(),
    };
    // SAFETY: the row's handlers read only the instructions, `acc` and the scratch register, and the last one returns. Nothing
    // changes the stack pointer, so that this needs no run.
    let differences = unsafe { machine.dispatch() };
    assert!(
        differences == 0,
        "this build's handlers call one another instead of jumping; build the interpreter with WASMR_DISPATCH=loop"
    );
}

/// Does nothing: handlers return to the driver loop.
#[cfg(not(wasmr_tail))]
pub(crate) fn self_test() {}

#[cfg(wasmr_tail)]
static ROW: [super::dispatch::Handler; 9] = [probe, probe, probe, probe, probe, probe, probe, probe, end];

#[cfg(wasmr_tail)]
super::dispatch::handlers! {
    /// Compares the stack pointer with that of the probe before, in the scratch register. Counts differences in `acc`.
    fn probe[](m) {
        let stack_pointer: u64;
        std::arch::asm!("mov {}, rsp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags));
        m.acc += (m.scratch != 0 && m.scratch != stack_pointer) as u64;
        m.scratch = stack_pointer;
        m.next(1)
    }

    /// Returns the number of differences.
    fn end[](m) {
        m.acc as usize
    }
}
