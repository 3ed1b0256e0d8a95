//! Calls from handlers to the parts of the crate that are built on them: the profile, translation, catch clauses, baseline code.
//!
//! Handlers are the lowest layer: translated code is made of their addresses. Their rare calls to higher layers go through
//! [`Hooks`], whose address is the first word that the instance's `tier_data` points to. Each function here is out of line, so
//! that the handlers that call it keep no frame.

use wasmr_runtime::frame::{Fp, Ip};
use wasmr_runtime::vm::{VmInstance, VmTag};

/// Functions that handlers call.
pub(crate) struct Hooks {
    /// See [`budget_interrupt`].
    pub(crate) budget_interrupt: unsafe fn(Fp, Ip) -> usize,
    /// See [`tier_transition`].
    pub(crate) tier_transition: unsafe fn(*mut VmInstance, Fp),
    /// See [`first_call`].
    pub(crate) first_call: unsafe fn(Fp) -> Ip,
    /// See [`catch_clause`].
    pub(crate) catch_clause: unsafe fn(Fp, Ip, *const VmTag, u64) -> Ip,
    /// See [`instruction_of_code`].
    pub(crate) instruction_of_code: fn(usize) -> Option<Ip>,
}

/// Returns the hooks of an instance.
///
/// # Safety
/// `inst` is a live instance that this crate executes.
unsafe fn hooks_of<'a>(inst: *mut VmInstance) -> &'a Hooks {
    // SAFETY: the `tier_data` of such an instance points to a `ModuleCode`, which lives as long as the instance. It is
    // `repr(C)` and begins with the reference.
    unsafe { *(*inst).tier_data.cast::<&Hooks>() }
}

/// Returns the instance of a frame's function.
///
/// # Safety
/// `fp` is a live frame of a wasm function.
unsafe fn instance_of(fp: Fp) -> *mut VmInstance {
    // SAFETY: the function of a live frame is alive.
    unsafe { (*fp.func()).instance }
}

/// Result of [`budget_interrupt`] that is no status: execution continues at the instruction of the interrupt.
pub(crate) const GO_ON: usize = usize::MAX;

/// Handles a budget interrupt at the instruction `ip` in the frame `fp`. Returns [`GO_ON`] or, if compiled code ran the
/// function to its end, the status of that end.
///
/// # Safety
/// `fp` is a live frame of a function that this crate executes, at `ip`, with all values in it as between two instructions.
#[cold]
#[inline(never)]
pub(crate) unsafe fn budget_interrupt(fp: Fp, ip: Ip) -> usize {
    // SAFETY: the caller promises what the hook asks for, and that the frame's instance is this crate's.
    unsafe { (hooks_of(instance_of(fp)).budget_interrupt)(fp, ip) }
}

/// Handles a budget interrupt at a call whose callee another tier executes. `fp` is the callee's frame.
///
/// # Safety
/// `fp` is the live frame of such a callee, not outermost in its run, and `inst` is the live instance of its caller.
#[cold]
#[inline(never)]
pub(crate) unsafe fn tier_transition(inst: *mut VmInstance, fp: Fp) {
    // SAFETY: the caller promises what the hook asks for; the instance of an interpreted caller is this crate's.
    unsafe { (hooks_of(inst).tier_transition)(inst, fp) }
}

/// Translates the function of a frame. Returns its first instruction, or null with the reason in the store.
///
/// # Safety
/// `fp` is the live frame of a wasm function, and this thread runs its store.
#[cold]
#[inline(never)]
pub(crate) unsafe fn first_call(fp: Fp) -> Ip {
    // SAFETY: the caller promises what the hook asks for; a function whose code is `lazy_instruction` is this crate's.
    unsafe { (hooks_of(instance_of(fp)).first_call)(fp) }
}

/// Returns the instruction at which the innermost matching catch clause around `at` continues, null if there is none. Puts the
/// values that the clause passes on in place.
///
/// # Safety
/// `fp` is a live frame of a wasm function that this crate executes, and `at` points into the frame's current instruction.
#[cold]
#[inline(never)]
pub(crate) unsafe fn catch_clause(fp: Fp, at: Ip, tag: *const VmTag, exception: u64) -> Ip {
    // SAFETY: the caller promises what the hook asks for.
    unsafe { (hooks_of(instance_of(fp)).catch_clause)(fp, at, tag, exception) }
}

/// Returns the instruction whose baseline code has a machine instruction at `address`.
///
/// # Safety
/// `inst` is a live instance that this crate executes.
#[cold]
#[inline(never)]
pub(crate) unsafe fn instruction_of_code(inst: *mut VmInstance, address: usize) -> Option<Ip> {
    // SAFETY: the caller promises that the instance is this crate's.
    unsafe { (hooks_of(inst).instruction_of_code)(address) }
}
