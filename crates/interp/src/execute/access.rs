//! Accesses to guard-paged memory, and the table of their addresses.
//!
//! A guard-paged memory is in a reservation so large that no 32-bit address plus 32-bit offset leaves it. Pages that are not
//! committed fault. Each access here is one machine instruction, written with `asm!`. It
//! - has `ip` in `rdi`, `fp` in `rsi` and `inst` in `rcx`, as the handlers' calling convention does anyway;
//! - records its own address in the section `wasmr_sites`, as a distance from the record itself.
//!
//! After a fault the runtime's signal handler looks the pc up with [`is_site`]. If the pc is recorded, execution continues at
//! the landing pad `fault_landing`, which is a handler. The address of the fault is in `r8`, which is `acc`, and the pc in
//! `r9`, which is `scratch`. The landing acts as a tail call, because handlers that access memory keep nothing on the native
//! stack; a test proves that. [Baseline code](crate::baseline) does not maintain `rdi`; there the pc identifies the
//! instruction.

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
        // SAFETY: by the caller's promise the address is inside the reservation; a fault lands in `fault_landing`.
        unsafe {
            guarded_asm!($m, $at, $instruction, value = out(reg) value, options(readonly, nostack, preserves_flags));
        }
        value
    }};
}

#[cfg(target_arch = "x86_64")]
macro_rules! store_word {
    ($m:ident, $at:ident, $instruction:literal, $value:ident) => {
        // SAFETY: by the caller's promise the address is inside the reservation; a fault lands in `fault_landing`.
        unsafe {
            guarded_asm!($m, $at, $instruction, value = in(reg) $value, options(nostack, preserves_flags));
        }
    };
}

/// Reads a word at `base + at`.
///
/// # Safety
/// The handlers' contract for `m`, and memory 0 is guard-paged; `at` is at most `2 * u32::MAX`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn load_word(m: &Machine, at: u64, access: Access) -> u64 {
    // The size is a constant in each handler, so one arm is left.
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
/// Never called: no memory is guard-paged on this architecture.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn load_word(m: &Machine, at: u64, access: Access) -> u64 {
    // SAFETY: the caller promises a guard-paged memory and an address inside its reservation.
    unsafe { super::memory::read_word(m.mem.add(at as usize), access.bytes) }
}

/// Writes the low bytes of a word at `base + at`.
///
/// # Safety
/// Never called: no memory is guard-paged on this architecture.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn store_word(m: &Machine, at: u64, bytes: u8, word: u64) {
    // SAFETY: the caller promises an address inside the reservation; the word has as many bytes.
    unsafe { m.mem.add(at as usize).copy_from(word.to_le_bytes().as_ptr(), bytes as usize) }
}

/// Reads an integer at `base + at`.
///
/// # Safety
/// The handlers' contract for `m`, and memory 0 is guard-paged; `at` is at most `2 * u32::MAX`.
#[inline(always)]
pub(crate) unsafe fn load<T: MemoryInt>(m: &Machine, at: u64) -> T {
    // SAFETY: the caller promises a guard-paged memory and an address inside its reservation.
    T::from_word(unsafe { load_word(m, at, T::ACCESS) })
}

/// Writes an integer at `base + at`.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn store<T: MemoryInt>(m: &Machine, at: u64, value: T) {
    // SAFETY: the caller promises a guard-paged memory and an address inside its reservation.
    unsafe { store_word(m, at, T::ACCESS.bytes, value.to_word()) }
}

/// Reads the bytes for a vector at `base + at`.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn load_for_vector<M: VectorMemory>(m: &Machine, at: u64) -> M::Loaded {
    // SAFETY: the caller promises a guard-paged memory and an address inside its reservation.
    unsafe {
        match (M::IN_VECTOR, M::BYTES) {
            (true, 4) => M::vector_loaded(load_quarter(m, at)),
            (true, 8) => M::vector_loaded(load_half(m, at)),
            (true, _) => M::vector_loaded(load_whole(m, at)),
            (false, bytes) => M::word_loaded(load_word(m, at, Access { bytes, signed: false })),
        }
    }
}

/// Declares a read of a vector's low bytes; the other bytes are zero. The value does not pass through a general register, which
/// would cost a stack frame.
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
            // SAFETY: by the caller's promise the address is inside the reservation; a fault lands in `fault_landing`. The
            // transmute keeps all bits.
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
            // SAFETY: the caller promises a guard-paged memory and an address inside its reservation.
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
pub(crate) unsafe fn store_vector(m: &Machine, at: u64, value: V128) {
    // SAFETY: by the caller's promise the address is inside the reservation; a fault lands in `fault_landing`. The transmute
    // keeps all bits.
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
pub(crate) unsafe fn store_vector(m: &Machine, at: u64, value: V128) {
    // SAFETY: the caller promises a guard-paged memory and an address inside its reservation.
    unsafe { m.mem.add(at as usize).cast::<V128>().write_unaligned(value) }
}

handlers! {
    /// Landing pad of the access at `scratch`, which faulted at the address in `acc`. If the address is in no reservation, the
    /// fault is wasmr's own and must not become a trap.
    #[cold]
    #[inline(never)]
    fn fault_landing[](m) {
        if let Some(instruction) = super::hooks::instruction_of_code(m.inst, m.scratch as usize) {
            m.ip = instruction;
        }
        if !wasmr_runtime::sys::is_guarded_address(m.acc as usize) {
            std::process::abort();
        }
        m.trap(TrapCode::MemoryOutOfBounds)
    }
}

/// Returns the addresses of the accesses above.
#[cfg(target_arch = "x86_64")]
pub(crate) fn sites() -> impl Iterator<Item = usize> {
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

/// Returns no address: no memory is guard-paged on this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn sites() -> impl Iterator<Item = usize> {
    std::iter::empty()
}

/// Returns true if one of the accesses above is at `pc`.
pub(crate) fn is_site(pc: usize) -> bool {
    sites().any(|site| site == pc)
}

/// Returns the address of the landing pad, at which execution continues after a fault of an access above or of one in baseline code.
pub(crate) fn landing_pad() -> usize {
    let landing: super::dispatch::Handler = fault_landing;
    landing as usize
}
