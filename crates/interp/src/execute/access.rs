//! The machine's accesses to guarded memory, and the table of their addresses.
//!
//! A guarded memory lies in a reservation so large that no 32-bit address plus 32-bit offset leaves it; what is not
//! committed faults. Each access here is one `asm!` instruction that
//! - has `ip` in `rdi`, `fp` in `rsi` and `inst` in `rcx`, where the handlers' calling convention has them anyway;
//! - records its own address in the section `wasmr_sites`, as a distance from the record itself.
//!
//! The fault handler of the runtime asks [`landing`] for a faulting pc. For a recorded one execution goes on in
//! `fault_landing`, a handler like any other, with the fault address in `r8`, that is in `acc`, and the pc in `r9`, that is
//! in `scratch`: as handlers keep nothing on the native stack (a test proves it for those that access memory), jumping there is
//! a tail call. In [copied](crate::copy_patch) code `rdi` is not kept; there the pc tells the instruction.

use wasmr_core::op::{Access, MemoryInt, VectorMemory};
use wasmr_core::trap::TrapCode;
use wasmr_core::value::V128;

use super::dispatch::{Machine, handlers};

#[cfg(target_arch = "x86_64")]
macro_rules! guarded_asm {
    ($m:ident, $at:ident, $instruction:literal, $($operand:tt)*) => {
        std::arch::asm!(
            concat!("2: ", $instruction),
            ".pushsection wasmr_sites,\"aR\",@progbits",
            ".long 2b - .",
            ".popsection",
            base = in(reg) $m.mem,
            at = in(reg) $at,
            in("rdi") $m.ip.as_ptr(),
            in("rsi") $m.fp.as_ptr(),
            in("rcx") $m.inst,
            $($operand)*
        )
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! load_word {
    ($m:ident, $at:ident, $instruction:literal) => {{
        let value: u64;
        // SAFETY: the address is inside the reservation; a fault lands in `fault_landing`.
        unsafe {
            guarded_asm!($m, $at, $instruction, value = out(reg) value, options(readonly, nostack, preserves_flags));
        }
        value
    }};
}

#[cfg(target_arch = "x86_64")]
macro_rules! store_word {
    ($m:ident, $at:ident, $instruction:literal, $value:ident) => {
        // SAFETY: the address is inside the reservation; a fault lands in `fault_landing`.
        unsafe {
            guarded_asm!($m, $at, $instruction, value = in(reg) $value, options(nostack, preserves_flags));
        }
    };
}

/// Reads a word at `base + at`.
///
/// # Safety
/// The handlers' contract for `m`, and memory 0 is guarded; `at` is at most `2 * u32::MAX`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn load_word(m: &Machine, at: u64, access: Access) -> u64 {
    // One of them is left when a handler is compiled.
    match access {
        Access { bytes: 1, signed: false } => load_word!(m, at, "movzx {value:e}, byte ptr [{base} + {at}]"),
        Access { bytes: 1, signed: true } => load_word!(m, at, "movsx {value:r}, byte ptr [{base} + {at}]"),
        Access { bytes: 2, signed: false } => load_word!(m, at, "movzx {value:e}, word ptr [{base} + {at}]"),
        Access { bytes: 2, signed: true } => load_word!(m, at, "movsx {value:r}, word ptr [{base} + {at}]"),
        Access { bytes: 4, signed: false } => load_word!(m, at, "mov {value:e}, dword ptr [{base} + {at}]"),
        Access { bytes: 4, signed: true } => load_word!(m, at, "movsxd {value:r}, dword ptr [{base} + {at}]"),
        _ => load_word!(m, at, "mov {value:r}, qword ptr [{base} + {at}]"),
    }
}

/// Writes the low bytes of a word at `base + at`.
///
/// # Safety
/// As for [`load`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn store_word(m: &Machine, at: u64, bytes: u8, word: u64) {
    match bytes {
        1 => store_word!(m, at, "mov byte ptr [{base} + {at}], {value:l}", word),
        2 => store_word!(m, at, "mov word ptr [{base} + {at}], {value:x}", word),
        4 => store_word!(m, at, "mov dword ptr [{base} + {at}], {value:e}", word),
        _ => store_word!(m, at, "mov qword ptr [{base} + {at}], {value:r}", word),
    }
}

/// Reads a word at `base + at`.
///
/// # Safety
/// Never called: no memory is guarded on this architecture.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn load_word(m: &Machine, at: u64, access: Access) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { super::memory::read_word(m.mem.add(at as usize), access.bytes) }
}

/// Writes the low bytes of a word at `base + at`.
///
/// # Safety
/// Never called: no memory is guarded on this architecture.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn store_word(m: &Machine, at: u64, bytes: u8, word: u64) {
    // SAFETY: the caller's promise; the word has as many bytes.
    unsafe { m.mem.add(at as usize).copy_from(word.to_le_bytes().as_ptr(), bytes as usize) }
}

/// Reads an integer at `base + at`.
///
/// # Safety
/// The handlers' contract for `m`, and memory 0 is guarded; `at` is at most `2 * u32::MAX`.
#[inline(always)]
pub unsafe fn load<T: MemoryInt>(m: &Machine, at: u64) -> T {
    // SAFETY: the caller's promise.
    T::from_word(unsafe { load_word(m, at, T::ACCESS) })
}

/// Writes an integer at `base + at`.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub unsafe fn store<T: MemoryInt>(m: &Machine, at: u64, value: T) {
    // SAFETY: the caller's promise.
    unsafe { store_word(m, at, T::ACCESS.bytes, value.to_word()) }
}

/// Reads for a vector at `base + at`.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub unsafe fn load_for_vector<M: VectorMemory>(m: &Machine, at: u64) -> M::Loaded {
    // SAFETY: the caller's promise.
    unsafe {
        match (M::IN_VECTOR, M::BYTES) {
            (true, 4) => M::vector_loaded(load_quarter(m, at)),
            (true, 8) => M::vector_loaded(load_half(m, at)),
            (true, _) => M::vector_loaded(load_whole(m, at)),
            (false, bytes) => M::word_loaded(load_word(m, at, Access { bytes, signed: false })),
        }
    }
}

/// Declares a read of a vector's low bytes, the rest zero, that does not pass through a general register, which would cost a
/// stack frame.
macro_rules! load_low {
    ($($(#[$doc:meta])* $name:ident $word:ty, $load:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As for [`load`].
        #[cfg(target_arch = "x86_64")]
        #[inline(always)]
        unsafe fn $name(m: &Machine, at: u64) -> V128 {
            let value: std::arch::x86_64::__m128i;
            // SAFETY: the address is inside the reservation; a fault lands in `fault_landing`. The transmute keeps all bits.
            unsafe {
                guarded_asm!(m, at, $load, value = out(xmm_reg) value, options(readonly, nostack, preserves_flags));
                std::mem::transmute(value)
            }
        }

        $(#[$doc])*
        ///
        /// # Safety
        /// As for [`load`].
        #[cfg(not(target_arch = "x86_64"))]
        unsafe fn $name(m: &Machine, at: u64) -> V128 {
            // SAFETY: the caller's promise.
            V128::from_u128(unsafe { m.mem.add(at as usize).cast::<$word>().read_unaligned() } as u128)
        }
    )*};
}

load_low! {
    /// Reads four bytes.
    load_quarter u32, "movd {value}, dword ptr [{base} + {at}]";
    /// Reads eight bytes.
    load_half u64, "movq {value}, qword ptr [{base} + {at}]";
    /// Reads sixteen bytes.
    load_whole u128, "movdqu {value}, xmmword ptr [{base} + {at}]";
}

/// Writes a vector at `base + at`.
///
/// # Safety
/// As for [`load`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub unsafe fn store_vector(m: &Machine, at: u64, value: V128) {
    // SAFETY: the address is inside the reservation; a fault lands in `fault_landing`. The transmute keeps all bits.
    unsafe {
        let value: std::arch::x86_64::__m128i = std::mem::transmute(value);
        guarded_asm!(
            m, at, "movdqu xmmword ptr [{base} + {at}], {value}",
            value = in(xmm_reg) value,
            options(nostack, preserves_flags)
        );
    }
}

/// Writes a vector at `base + at`.
///
/// # Safety
/// As for [`load`].
#[cfg(not(target_arch = "x86_64"))]
pub unsafe fn store_vector(m: &Machine, at: u64, value: V128) {
    // SAFETY: the caller's promise.
    unsafe { m.mem.add(at as usize).cast::<V128>().write_unaligned(value) }
}

handlers! {
    /// An access to memory, whose code is at `scratch`, faulted at the address in `acc`. If that is not a guarded memory, it is a
    /// fault of ours and must not pass for a trap.
    #[cold]
    #[inline(never)]
    fn fault_landing[](m) {
        if let Some(instruction) = super::hooks::copied_instruction(m.inst, m.scratch as usize) {
            m.ip = instruction;
        }
        if !wasmr_runtime::sys::is_guarded_address(m.acc as usize) {
            std::process::abort();
        }
        m.trap(TrapCode::MemoryOutOfBounds)
    }
}

/// The addresses of the accesses above.
#[cfg(target_arch = "x86_64")]
pub fn sites() -> impl Iterator<Item = usize> {
    unsafe extern "C" {
        #[link_name = "__start_wasmr_sites"]
        static START: i32;
        #[link_name = "__stop_wasmr_sites"]
        static STOP: i32;
    }
    let (mut record, stop) = (&raw const START, &raw const STOP);
    std::iter::from_fn(move || {
        if record >= stop {
            return None;
        }
        // SAFETY: the linker defines the two symbols as the bounds of the section, which holds only `.long` records.
        let site = unsafe { (record as usize).wrapping_add_signed(*record as isize) };
        record = record.wrapping_add(1);
        Some(site)
    })
}

/// The addresses of the accesses above: none, no memory is guarded on this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub fn sites() -> impl Iterator<Item = usize> {
    std::iter::empty()
}

/// Returns true if one of the accesses above is at `pc`.
pub fn is_site(pc: usize) -> bool {
    sites().any(|site| site == pc)
}

/// Returns the address of the landing pad, at which execution continues after a fault of an access above or of a copy of one.
pub fn landing_pad() -> usize {
    let landing: super::dispatch::Handler = fault_landing;
    landing as usize
}
