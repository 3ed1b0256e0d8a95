//! The structures that compiled and translated code read and write. Tiers share no other layouts, except for those of a frame on
//! the value stack ([`frame`](crate::frame)) and of the heap ([`vm_gc`](crate::vm_gc)).
//!
//! The `Vm…` types are `repr(C)`. Tiers address their fields with `offset_of!` and the offsets of [`VmLayout`], never with
//! literals. The Rust-side owners (`Memory`, `Table`, `Instance`, …) embed or box them and keep them up to date.
//!
//! # An instance is one allocation
//! ```text
//! VmInstance (header) | imported_funcs: [*mut VmFunc]  | imported_globals: [*mut VmGlobal] | tables: [*mut VmTable]
//!                     | memories: [*mut VmMemory]      | tags: [*const VmTag]
//!                     | defined_globals: [VmGlobal]    | defined_funcs: [VmFunc]          | descriptors: [u32]
//! ```
//! Each entry is thus at a constant offset from the instance pointer. The offsets depend on the module's counts alone
//! ([`VmLayout`]), so all instances of a module share its code.
//!
//! # Three ways to call a function
//! - [`VmFunc::entry`]: the entry pointer for the host, an [`ArrayCall`]: arguments and results in one slot array. Callable
//!   from the start.
//! - [`VmFunc::code`]: the entry pointer for the interpreter, the function's first instruction. For an external function (of
//!   the host, or compiled) it is an instruction that calls `entry`.
//! - [`VmFunc::native`]: the entry pointer for compiled code, with arguments in registers. For a function that is not compiled
//!   it is the exit trampoline, which calls `entry`, and before the first call the lazy-resolution stub. Null where nothing
//!   compiles.
//!
//! A change of tier stores other entry pointers. Callers never check the kind of a function.

use std::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmr_core::trap::TrapCode;
use wasmr_core::types::TypeId;
use wasmr_module::Module;

use crate::frame::{Fp, Ip};
use crate::vm_gc::VmHeap;

/// The end of a call, as a machine word. The [`VmStore`] has the details of a status other than [`OK`](Status::OK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Status(pub usize);

impl Status {
    /// The call returned, with its results in the slots.
    pub const OK: Status = Status(0);
    /// The guest trapped: [`VmStore::trap_code`].
    pub const TRAP: Status = Status(1);
    /// An exception left the call: [`VmStore::pending_exception`].
    pub const THROW: Status = Status(2);
    /// A host function ended the run. The store's Rust side has the reason.
    pub const HOST: Status = Status(3);
    /// The function ends with a tail call of [`VmStore::tail_func`], which the caller must make ([`finish_tail_calls`]). So
    /// tail calls from tier to tier take no native stack.
    pub const TAIL: Status = Status(4);
}

/// Calls `func` with its parameters in `slots[0..]`. After [`Status::OK`] the results are in `slots[0..]`.
///
/// # Safety
/// `func` is alive and belongs to `store`. `slots` has room for the larger of the parameter and result slots of the function's
/// type, and has well-typed parameters in slot form (see [`wasmr_core::value`]).
pub type ArrayCall = unsafe extern "C" fn(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status;

/// A function record: the words that callers of a function in one instance read. A better tier may replace its entry pointers. A
/// `funcref` is a pointer to it.
#[derive(Debug)]
#[repr(C)]
pub struct VmFunc {
    /// The entry pointer for the interpreter: the first instruction.
    pub code: Ip,
    /// The instance of the function; null for a host function.
    pub instance: *mut VmInstance,
    /// The entry pointer for the host.
    pub entry: ArrayCall,
    /// Canonical type of the function.
    pub type_id: TypeId,
    /// Index in the function index space of the module (0 for a host function).
    pub index: u32,
    /// Slots of the argument area: the larger of the parameter and the result slots of the type.
    pub arg_slots: u32,
    /// Data of `entry`: the closure of a host function, the entry trampoline of a compiled function, else null.
    pub data: *const c_void,
    /// The entry pointer for compiled code, in the compiling tier's calling convention, with `native_context` as first
    /// argument. Never null where a tier compiles: [`Tier::unresolved_native`](crate::tier::Tier::unresolved_native).
    pub native: *const c_void,
    /// The instance if `native` is the function's own code, else the `VmFunc` itself.
    pub native_context: *mut c_void,
}

/// A host function: the part that compiled code may read.
#[derive(Debug)]
#[repr(C)]
pub struct VmHostFunc {
    /// The function record.
    pub func: VmFunc,
    /// The store of the function.
    pub store: *mut VmStore,
}

/// One activation of compiled code, on the native stack. `jit/src/enter.rs` pushes the words when the activation begins, the
/// last first, and pops them when it ends. The assertions below pin their order.
#[derive(Debug)]
#[repr(C)]
pub struct VmActivation {
    /// The activation before this one; null if there is none.
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
    /// First byte. Never changes if `guarded` or `shared`, otherwise changes at growth.
    pub base: *mut u8,
    /// Current size in bytes. Changes by growth, at any moment if `shared`.
    pub len: AtomicUsize,
    /// True if the memory is guard-paged: any 32-bit address plus any 32-bit offset stays within the reservation, so that code
    /// accesses the memory without a check and a fault becomes a trap.
    pub guarded: bool,
    /// True if threads share the memory. `base` then never changes.
    pub shared: bool,
}

impl VmMemory {
    /// Returns the current size in bytes.
    #[inline(always)]
    pub fn size(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
}

/// A table. Elements are references in slot form.
#[derive(Debug)]
#[repr(C)]
pub struct VmTable {
    /// First element. Changes at growth.
    pub elements: *mut u64,
    /// Current number of elements.
    pub len: usize,
}

/// A global's value in slot form.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(16))]
pub struct VmGlobal {
    /// The value: one slot, or both for a `v128`.
    pub value: [u64; 2],
}

/// Word of the exception in flight that has no object of the reference heap yet: its tag is [`VmStore::unallocated_tag`], its
/// payload is in [`VmStore::payload`]. No reference is this word, and it never gets into a slot of the guest.
pub const UNALLOCATED: u64 = 1;

/// An exception tag. Its address is its identity.
#[derive(Debug)]
#[repr(C)]
pub struct VmTag {
    /// The tag's function type.
    pub type_id: TypeId,
    /// Slots of the parameters of that type.
    pub payload_slots: u32,
}

/// The header of an instance. The module documentation shows the arrays that follow it.
#[derive(Debug)]
#[repr(C)]
pub struct VmInstance {
    /// Base of memory 0 if that is guard-paged, else null.
    pub memory0_base: *mut u8,
    /// Calls and backward jumps of the interpreter left until the next budget interrupt.
    pub budget: i32,
    /// True if memory 0 is guard-paged.
    pub memory0_guarded: bool,
    /// A word for the engine, 0 at first ([`RunningFunc::engine_word`](crate::running::RunningFunc::engine_word)).
    pub engine_word: u32,
    /// The store of the instance.
    pub store: *mut VmStore,
    /// Copy of [`VmStore::native_stack_limit`] that prologues read with one load; null while nothing of the instance is
    /// compiled.
    pub native_stack_limit: *mut u8,
    /// The interpreter's frame with which dual-entry code begins at its loop; null except during such an entry.
    pub loop_frame: Fp,
    /// One `bool` per data segment, true if it is dropped; owned by the Rust side.
    pub data_dropped: *const bool,
    /// Data of the executing tier per module ([`Executable::vm_data`](crate::tier::Executable::vm_data)).
    pub tier_data: *const c_void,
    /// The Rust side of the instance.
    pub instance: *mut crate::instance::InstanceObject,
    /// Copy of [`VmHeap::base`]. It is null until the heap exists, which may be long after the instance if the module has no struct
    /// and array types: references can still reach it.
    pub heap_base: *mut u8,
}

/// Returns the bytes of the native stack that compiled frames may take, for a value stack of `bytes`: half as many again. Many
/// compiled frames need less than the interpreter's frame of the same function, others a little more. A transition between
/// tiers takes hundreds of bytes of the native stack and none of the value stack.
pub const fn native_stack_bytes(bytes: usize) -> Option<usize> {
    bytes.checked_add(bytes / 2)
}

/// The part of a store that tiers use, pinned inside the store.
#[derive(Debug)]
#[repr(C)]
pub struct VmStore {
    /// Lowest slot of the value stack, which grows upward.
    pub stack_base: *mut u64,
    /// End of the slots for frames. Another [`STACK_SLACK`](crate::frame::STACK_SLACK) slots follow for arguments that are
    /// written before a callee checks.
    pub stack_limit: *mut u64,
    /// First free slot, for the frames of a call from the host.
    pub stack_top: *mut u64,
    /// The trap code, after [`Status::TRAP`].
    pub trap_code: TrapCode,
    /// The frame at which the interpreter was left; null if it never was. The file [`exit`](crate::exit) has the rules for this
    /// field, `exit_ip` and `native_exit_fp`.
    pub exit_fp: Fp,
    /// The instruction at which the interpreter was left.
    pub exit_ip: Ip,
    /// Registers of the interpreter between handlers, in builds without tail calls, whose driver loop keeps them here.
    pub registers: *mut c_void,
    /// Stack pointer at the start of the interpreter's innermost run. The run ends with this value. In between it may be lower
    /// (`interp/src/execute/pairs.rs`). Null outside of runs and in builds without tail calls.
    pub run_stack: *mut u8,
    /// The exception in flight, after [`Status::THROW`]: its reference in slot form, or [`UNALLOCATED`]. 0 if the limit of
    /// references left no room for it.
    pub pending_exception: u64,
    /// Tag of the latest exception without an object.
    pub unallocated_tag: *const VmTag,
    /// Buffer for the payload of the exception in flight, with room for that of every tag of the store. It has the payload of an
    /// exception without an object, and of the exception that compiled code is about to catch.
    pub payload: *mut u64,
    /// The instance whose code is calling out. A tier stores it before it calls the [`VmFunc::entry`] of an external function.
    /// The entry of a host function reads it, for [`Caller`](crate::Caller), and sets it to null.
    pub caller: *mut VmInstance,
    /// Remaining fuel (see [`wasmr_core::fuel`]). Code that is not metered does not change it.
    pub fuel: u64,
    /// Flag that another thread sets to stop the guest. The interpreter reads it at budget interrupts. Compiled code reads it
    /// only after operations that may take long. Elsewhere a signal stops compiled code, and the handler of the signal reads
    /// the flag ([`sys::preempt`](crate::sys::preempt)).
    pub interrupt: *const std::sync::atomic::AtomicBool,
    /// The Rust side of the store.
    pub store: *mut crate::store::StoreInner,
    /// The function to call after [`Status::TAIL`].
    pub tail_func: *mut VmFunc,
    /// Arguments of that function, above `stack_top`.
    pub tail_slots: *mut u64,
    /// The innermost activation of compiled code; null if there is none.
    pub activation: *mut VmActivation,
    /// The frame with which compiled code was left for the host, the interpreter or a libcall.
    pub native_exit_fp: *const NativeFrame,
    /// Upper end of the native stack, at which the outermost activation starts and which grows downward; null before it is
    /// mapped.
    pub native_stack_top: *mut u8,
    /// Lowest address for frames of compiled code. The host's frames on the same stack may go below.
    pub native_stack_limit: *mut u8,
    /// The table of libcalls of compiled code.
    pub native_libcalls: *const c_void,
    /// The heap of collected objects.
    pub heap: VmHeap,
}

/// Calls a function through its entry pointer. If it ends with a tail call, makes that call as well, and so on. Never returns
/// [`Status::TAIL`].
///
/// # Safety
/// As [`ArrayCall`] requires.
#[inline]
pub unsafe fn call_entry(store: *mut VmStore, func: *mut VmFunc, slots: *mut u64) -> Status {
    // SAFETY: the caller promises what `entry` requires. After `TAIL`, the slots have room for `arg_slots`, which covers the
    // function's results.
    unsafe {
        let status = ((*func).entry)(store, func, slots);
        if status == Status::TAIL { finish_tail_calls(store, slots, (*func).arg_slots as usize) } else { status }
    }
}

/// Makes the call that a [`Status::TAIL`] asks for, and the calls that follow from it, in constant space. Copies the first
/// `count` slots of the last call to `slots`.
///
/// # Safety
/// The store is alive, an entry just returned `TAIL`, and `slots` has room for `count` slots, at least those of the results.
#[cold]
pub unsafe fn finish_tail_calls(store: *mut VmStore, slots: *mut u64, count: usize) -> Status {
    // SAFETY: the entry that returned `TAIL` left a live function and its arguments in `tail_func` and `tail_slots`, above
    // `stack_top`. The area is below `stack_limit`, and `STACK_SLACK` covers the arguments of one call.
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

/// Byte offsets, from the instance pointer, of the arrays after a [`VmInstance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VmLayout {
    /// Number of imported functions.
    pub imported_func_count: u32,
    /// Number of imported globals.
    pub imported_global_count: u32,
    imported_funcs: u32,
    imported_globals: u32,
    tables: u32,
    memories: u32,
    tags: u32,
    defined_globals: u32,
    defined_funcs: u32,
    descriptors: u32,
    size: u32,
}

const POINTER: u32 = size_of::<*const u8>() as u32;

impl VmLayout {
    /// Returns the layout of a module's instances. The module stage bounds every count to a million, so that offsets fit.
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
        let descriptors = defined_funcs + module.defined_func_count() * size_of::<VmFunc>() as u32;
        let descriptor_count = if module.has_objects() { module.type_count() } else { 0 };
        let size = descriptors + descriptor_count * size_of::<u32>() as u32;
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
            descriptors,
            size,
        }
    }

    /// Returns the bytes of the whole allocation, which is aligned as [`VmGlobal`].
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Returns the offset of the `*mut VmFunc` of an imported function.
    pub fn imported_func(&self, index: u32) -> u32 {
        self.imported_funcs + index * POINTER
    }

    /// Returns the offset of the `VmFunc` of a defined function; `index` counts from the first defined one.
    pub fn defined_func(&self, index: u32) -> u32 {
        self.defined_funcs + index * size_of::<VmFunc>() as u32
    }

    /// Returns the offset of the `*mut VmGlobal` of an imported global.
    pub fn imported_global(&self, index: u32) -> u32 {
        self.imported_globals + index * POINTER
    }

    /// Returns the offset of the `VmGlobal` of a defined global; `index` counts from the first defined one.
    pub fn defined_global(&self, index: u32) -> u32 {
        self.defined_globals + index * size_of::<VmGlobal>() as u32
    }

    /// Returns the offset of the `*mut VmTable` of a table.
    pub fn table(&self, index: u32) -> u32 {
        self.tables + index * POINTER
    }

    /// Returns the offset of the `*mut VmMemory` of a memory.
    pub fn memory(&self, index: u32) -> u32 {
        self.memories + index * POINTER
    }

    /// Returns the offset of the place of a type's descriptor in the heap, a `u32`; 0 for function types. A module without
    /// struct and array types has no places.
    pub fn descriptor(&self, type_index: u32) -> u32 {
        self.descriptors + type_index * size_of::<u32>() as u32
    }

    /// Returns the offset of the `*const VmTag` of a tag.
    #[inline]
    pub fn tag(&self, index: u32) -> u32 {
        self.tags + index * POINTER
    }
}
