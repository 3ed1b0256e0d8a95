//! Every structure that generated or threaded code reads and writes: the one file of shared layouts.
//!
//! The `Vm…` types are `repr(C)`; tiers address their fields with `offset_of!` and the offsets of [`VmLayout`], never
//! with literals. The Rust-side owners (`Memory`, `Table`, `Instance`, …) embed or box them and keep them up to date.
//!
//! # An instance is one allocation
//! ```text
//! VmInstance (header) | imported_funcs: [*mut VmFunc]  | imported_globals: [*mut VmGlobal] | tables: [*mut VmTable]
//!                     | memories: [*mut VmMemory]      | tags: [*const VmTag]
//!                     | defined_globals: [VmGlobal]    | defined_funcs: [VmFunc]
//! ```
//! so that a direct call, a defined global or a table is one load at a constant offset from the instance pointer. The
//! arrays' offsets depend on the module's counts alone ([`VmLayout`]), hence translated code is shared by all
//! instances.
//!
//! # Three ways to call a function
//! - [`VmFunc::entry`]: the host's way, an [`ArrayCall`]: arguments and results in one slot array. Callable from birth.
//! - [`VmFunc::code`]: the interpreter's way, a pointer to its first instruction; for a function that the interpreter does not
//!   run itself (host functions, compiled ones) it points to an instruction that goes through `entry`.
//! - [`VmFunc::native`]: the way of compiled code, with arguments in registers; for a function that is not compiled it points
//!   to a trampoline that goes through `entry`. Null where nothing compiles.
//!
//! Changing tier is storing others. Nobody asks which kind of function it is.

use std::ffi::c_void;
use std::mem::{offset_of, size_of};

use wasmr_core::trap::TrapCode;
use wasmr_core::types::TypeId;
use wasmr_module::Module;

use crate::frame::{Fp, Ip};

/// How a call ended, as a machine word. Details of a non-[`OK`](Status::OK) status are in the [`VmStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Status(pub usize);

impl Status {
    /// The call returned; its results are in the slots.
    pub const OK: Status = Status(0);
    /// The guest trapped: [`VmStore::trap_code`].
    pub const TRAP: Status = Status(1);
    /// An exception left the call: [`VmStore::pending_exception`].
    pub const THROW: Status = Status(2);
    /// A host function ended the run; the store's Rust side holds the reason.
    pub const HOST: Status = Status(3);
    /// The function ends with a tail call of [`VmStore::tail_func`]; whoever called must make it ([`finish_tail_calls`]), so
    /// that tail calls from tier to tier take no native stack.
    pub const TAIL: Status = Status(4);
}

/// Calls `func` with its parameters in `slots[0..]`; on [`Status::OK`] the results are in `slots[0..]`.
///
/// # Safety
/// `func` is alive and belongs to `store`; `slots` has room for the larger of the parameter and result slots of the
/// function's type and holds well-typed parameters in slot form (see [`wasmr_core::value`]).
pub type ArrayCall = unsafe extern "C" fn(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status;

/// A function record: the words that callers of a function in one instance read. A better tier may replace its entry pointers. A
/// `funcref` is a pointer to it.
#[derive(Debug)]
#[repr(C)]
pub struct VmFunc {
    /// The interpreter's first instruction.
    pub code: Ip,
    /// The instance it belongs to; null for a host function.
    pub instance: *mut VmInstance,
    /// The host's entry.
    pub entry: ArrayCall,
    /// Its canonical type.
    pub type_id: TypeId,
    /// Its index in the function index space of its module (0 for a host function).
    pub index: u32,
    /// Slots of its argument area: the larger of the parameter and the result slots of its type.
    pub arg_slots: u32,
    /// What `entry` needs: the closure of a host function, the way into the machine code of a compiled one, else null.
    pub data: *const c_void,
    /// Machine code that compiled code calls, in a calling convention of the compiling tier's; its first argument is
    /// `native_context`. Never null where a tier compiles: [`Tier::unresolved_native`](crate::tier::Tier::unresolved_native).
    pub native: *const c_void,
    /// The instance if `native` is the function's own code, else the `VmFunc` itself.
    pub native_context: *mut c_void,
}

/// A host function: what compiled code may see of it.
#[derive(Debug)]
#[repr(C)]
pub struct VmHostFunc {
    /// The slot.
    pub func: VmFunc,
    /// The store it lives in.
    pub store: *mut VmStore,
}

/// One trampoline from the host or the interpreter into machine code, in its frame on the native stack. The trampoline pushes the
/// words last first and pops them by position: the assertions below pin their order.
#[derive(Debug)]
#[repr(C)]
pub struct VmActivation {
    /// The activation before, null if none.
    pub prev: *mut VmActivation,
    /// [`VmStore::exit_fp`] when the activation began.
    pub exit_fp: Fp,
    /// [`VmStore::native_exit_fp`] when the activation began.
    pub native_exit_fp: *const NativeFrame,
    /// The store.
    pub store: *mut VmStore,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(VmActivation, prev) == 0);
    assert!(offset_of!(VmActivation, exit_fp) == WORD);
    assert!(offset_of!(VmActivation, native_exit_fp) == 2 * WORD);
    assert!(offset_of!(VmActivation, store) == 3 * WORD);
    assert!(size_of::<VmActivation>() == 4 * WORD);
};

/// The first two words of a frame on the native stack: the layout of the System V ABI for x86-64 with frame pointers. A frame
/// pointer is the address of one.
#[derive(Debug)]
#[repr(C)]
pub struct NativeFrame {
    /// The caller's frame pointer. In an entry trampoline's frame, the address of the activation.
    pub caller: *const NativeFrame,
    /// Return address into the caller.
    pub return_to: usize,
}

const _: () = {
    // `push rbp` after a call makes this layout.
    assert!(offset_of!(NativeFrame, caller) == 0);
    assert!(offset_of!(NativeFrame, return_to) == size_of::<usize>());
};

/// A linear memory.
#[derive(Debug)]
#[repr(C)]
pub struct VmMemory {
    /// First byte. Never changes while `guarded`; changes at growth otherwise.
    pub base: *mut u8,
    /// Current size in bytes.
    pub len: usize,
    /// Whether any 32-bit address plus any 32-bit offset stays within the reservation, so that code may access the
    /// memory without a check and the fault is turned into a trap.
    pub guarded: bool,
}

/// A table. Elements are references in slot form.
#[derive(Debug)]
#[repr(C)]
pub struct VmTable {
    /// First element; changes at growth.
    pub elements: *mut u64,
    /// Current number of elements.
    pub len: usize,
}

/// A global's value in slot form.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(16))]
pub struct VmGlobal {
    /// One slot, or both for a `v128`.
    pub value: [u64; 2],
}

/// An exception tag; its identity is its address.
#[derive(Debug)]
#[repr(C)]
pub struct VmTag {
    /// The tag's function type.
    pub type_id: TypeId,
}

/// The header of an instance; see the module documentation for what follows it.
#[derive(Debug)]
#[repr(C)]
pub struct VmInstance {
    /// Base of memory 0 if that is guarded, else null.
    pub memory0_base: *mut u8,
    /// Function entries and loop iterations of the interpreter left until its budget interrupt (sampling, interruption).
    pub budget: i32,
    /// Whether memory 0 is guarded.
    pub memory0_guarded: bool,
    /// A word for the engine, 0 at first ([`RunningFunc::engine_word`](crate::running::RunningFunc::engine_word)).
    pub engine_word: u32,
    /// The store it lives in.
    pub store: *mut VmStore,
    /// [`VmStore::native_stack_limit`], where prologues find it with one load; null while nothing of the instance is compiled.
    pub native_stack_limit: *mut u8,
    /// The interpreter's frame with which machine code that can start at a loop as well as at its beginning is to go on; null
    /// but for the moment of such a call.
    pub loop_frame: Fp,
    /// Which data segments are dropped: a `bool` for each, owned by the Rust side.
    pub data_dropped: *const bool,
    /// What the executing tier keeps per module ([`Executable::vm_data`](crate::tier::Executable::vm_data)).
    pub tier_data: *const c_void,
    /// The Rust side of the instance.
    pub instance: *mut crate::instance::InstanceObject,
}

/// Bytes that machine code's frames may take where those on the value stack may take `bytes`: half as many again. Many frames
/// in machine code need less than on the value stack, others need a little more; and the ways from tier to tier take
/// hundreds of bytes of this stack and none of the other.
pub const fn native_stack_bytes(bytes: usize) -> Option<usize> {
    bytes.checked_add(bytes / 2)
}

/// The part of a store that tiers use. It is pinned inside the store.
#[derive(Debug)]
#[repr(C)]
pub struct VmStore {
    /// Lowest slot of the value stack, which grows upward.
    pub stack_base: *mut u64,
    /// No frame may reach this slot. Another [`STACK_SLACK`](crate::frame::STACK_SLACK) slots behind it are there for
    /// arguments that are written before a callee checks.
    pub stack_limit: *mut u64,
    /// First free slot: where a host-to-wasm call may put its frames.
    pub stack_top: *mut u64,
    /// Why the guest trapped, after [`Status::TRAP`].
    pub trap_code: TrapCode,
    /// The interpreter's frame at which it was left; null if never. See [`exit`](crate::exit) for this, `exit_ip` and
    /// `native_exit_fp`.
    pub exit_fp: Fp,
    /// The instruction at which it was left.
    pub exit_ip: Ip,
    /// Where a driver loop keeps the machine registers between handlers, in builds without tail calls.
    pub registers: *mut c_void,
    /// The exception in flight, after [`Status::THROW`], in slot form.
    pub pending_exception: u64,
    /// The instance whose code is calling out. A tier stores it before it goes through the [`VmFunc::entry`] of a
    /// function that it does not run itself; the host function takes it (and leaves null), so that it knows whose
    /// memory it serves.
    pub caller: *mut VmInstance,
    /// Fuel that is left (see [`wasmr_core::fuel`]); code that is not metered leaves it alone.
    pub fuel: u64,
    /// Set from another thread to stop the guest. The interpreter asks it at budget interrupts, machine code only behind what takes
    /// long, and the handler of the signal that stops machine code ([`sys::preempt`](crate::sys::preempt)).
    pub interrupt: *const std::sync::atomic::AtomicBool,
    /// The Rust side of the store.
    pub store: *mut crate::store::StoreInner,
    /// The function to call after [`Status::TAIL`].
    pub tail_func: *mut VmFunc,
    /// Its arguments, behind `stack_top`.
    pub tail_slots: *mut u64,
    /// The innermost trampoline into machine code that is active; null if none.
    pub activation: *mut VmActivation,
    /// The frame of machine code at which that was left for the host, the interpreter or a libcall.
    pub native_exit_fp: *const NativeFrame,
    /// Where the outermost activation starts on the native stack for machine code, which grows downward; null before there is one.
    pub native_stack_top: *mut u8,
    /// Frames of machine code stay above this address; what is below is for the host's frames on the same stack.
    pub native_stack_limit: *mut u8,
    /// The table of libcalls that machine code calls.
    pub native_libcalls: *const c_void,
}

/// Calls a function through its entry, and whatever it ends with a tail call of: never gives [`Status::TAIL`].
///
/// # Safety
/// As [`ArrayCall`] says.
#[inline]
pub unsafe fn call_entry(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the contract.
    unsafe {
        let status = ((*func).entry)(store, func, slots);
        if status == Status::TAIL { finish_tail_calls(store, slots, (*func).arg_slots as usize) } else { status }
    }
}

/// Makes the call that a [`Status::TAIL`] asks for, and those that follow from it, in constant space. The first `count` slots
/// that the last of them leaves go to `slots`.
///
/// # Safety
/// The store is alive, an entry just gave `TAIL`, and `slots` has room for `count` slots, at least those of the results.
#[cold]
pub unsafe fn finish_tail_calls(store: *mut VmStore, slots: *mut u64, count: usize) -> Status {
    // SAFETY: the arguments are in `tail_slots`, behind `stack_top`; `STACK_SLACK` covers those of one call.
    unsafe {
        let area = (*store).stack_top;
        if area >= (*store).stack_limit {
            (*store).trap_code = TrapCode::StackExhausted;
            return Status::TRAP;
        }
        let status = loop {
            let func = (*store).tail_func;
            let arg_slots = (*func).arg_slots as usize;
            std::ptr::copy((*store).tail_slots, area, arg_slots);
            (*store).stack_top = area.add(arg_slots);
            let status = ((*func).entry)(store, func, area);
            if status != Status::TAIL {
                break status;
            }
        };
        (*store).stack_top = area;
        if status == Status::OK {
            std::ptr::copy(area, slots, count);
        }
        status
    }
}

/// Byte offsets, from the instance pointer, of the arrays behind a [`VmInstance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VmLayout {
    /// Functions imported.
    pub imported_func_count: u32,
    /// Globals imported.
    pub imported_global_count: u32,
    imported_funcs: u32,
    imported_globals: u32,
    tables: u32,
    memories: u32,
    tags: u32,
    defined_globals: u32,
    defined_funcs: u32,
    size: u32,
}

const POINTER: u32 = size_of::<*const u8>() as u32;

impl VmLayout {
    /// Computes the layout of a module's instances. The module stage bounds every count to a million, so offsets fit.
    pub fn for_module(module: &Module) -> VmLayout {
        let imported_func_count = module.imported_func_count();
        let imported_global_count = module.imported_global_count();
        let defined_global_count = module.globals().len() as u32 - imported_global_count;
        let imported_funcs = size_of::<VmInstance>() as u32;
        let imported_globals = imported_funcs + imported_func_count * POINTER;
        let tables = imported_globals + imported_global_count * POINTER;
        let memories = tables + module.tables().len() as u32 * POINTER;
        let tags = memories + module.memories().len() as u32 * POINTER;
        let end_of_pointers = tags + module.tags().len() as u32 * POINTER;
        let defined_globals = end_of_pointers.next_multiple_of(align_of::<VmGlobal>() as u32);
        let defined_funcs = defined_globals + defined_global_count * size_of::<VmGlobal>() as u32;
        let size = defined_funcs + module.defined_func_count() * size_of::<VmFunc>() as u32;
        VmLayout {
            imported_func_count,
            imported_global_count,
            imported_funcs,
            imported_globals,
            tables,
            memories,
            tags,
            defined_globals,
            defined_funcs,
            size,
        }
    }

    /// Bytes of the whole allocation, which is aligned as [`VmGlobal`].
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Offset of the `*mut VmFunc` of an imported function.
    pub fn imported_func(&self, index: u32) -> u32 {
        self.imported_funcs + index * POINTER
    }

    /// Offset of the `VmFunc` of a defined function; `index` counts from the first defined one.
    pub fn defined_func(&self, index: u32) -> u32 {
        self.defined_funcs + index * size_of::<VmFunc>() as u32
    }

    /// Offset of the `*mut VmGlobal` of an imported global.
    pub fn imported_global(&self, index: u32) -> u32 {
        self.imported_globals + index * POINTER
    }

    /// Offset of the `VmGlobal` of a defined global; `index` counts from the first defined one.
    pub fn defined_global(&self, index: u32) -> u32 {
        self.defined_globals + index * size_of::<VmGlobal>() as u32
    }

    /// Offset of the `*mut VmTable` of a table.
    pub fn table(&self, index: u32) -> u32 {
        self.tables + index * POINTER
    }

    /// Offset of the `*mut VmMemory` of a memory.
    pub fn memory(&self, index: u32) -> u32 {
        self.memories + index * POINTER
    }

    /// Offset of the `*const VmTag` of a tag.
    pub fn tag(&self, index: u32) -> u32 {
        self.tags + index * POINTER
    }
}
