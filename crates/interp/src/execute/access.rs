//! The machine's accesses to guarded memory, and the table of their addresses.
//!
//! A guarded memory lies in a reservation so large that no 32-bit address plus 32-bit offset leaves it; what is not
//! committed faults. Each access here is one `asm!` instruction that
//! - has `ip` in `rdi`, `fp` in `rsi` and `inst` in `rcx`, where the handlers' calling convention has them anyway;
//! - records its own address in the section `wasmr_sites`, as a distance from the record itself.
//!
//! The fault handler of the runtime asks [`landing`] for a faulting pc. For a recorded one execution goes on in
//! `fault_landing`, a handler like any other, with the fault address in `r8`, that is in `acc`, and the pc in `r9`, that is
//! in `spare`: as handlers keep nothing on the native stack (a test proves it for those that access memory), jumping there is
//! a tail call. In [stitched](crate::stitch) code `rdi` is not kept; there the pc tells the cell.

use super::dispatch::handlers;
use wasmr_core::trap::TrapCode;
use wasmr_core::value::V128;

/// A memory type that can be read from and written to guarded memory.
pub trait Raw: Copy {
    /// Reads at `base + at`.
    ///
    /// # Safety
    /// The handlers' contract for `m`, and memory 0 is guarded; `at` is at most `2 * u32::MAX`.
    unsafe fn load(m: &super::dispatch::Machine, at: u64) -> Self;

    /// Writes at `base + at`.
    ///
    /// # Safety
    /// As for [`load`](Raw::load).
    unsafe fn store(m: &super::dispatch::Machine, at: u64, value: Self);
}

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
            in("rdi") $m.ip,
            in("rsi") $m.fp,
            in("rcx") $m.inst,
            $($operand)*
        )
    };
}

macro_rules! raw {
    ($ty:ty, $word:ty, $load:literal, $store:literal) => {
        #[cfg(target_arch = "x86_64")]
        impl Raw for $ty {
            #[inline(always)]
            unsafe fn load(m: &super::dispatch::Machine, at: u64) -> Self {
                let value: u64;
                // SAFETY: the address is inside the reservation; a fault lands in `fault_landing`.
                unsafe {
                    guarded_asm!(m, at, $load, value = out(reg) value, options(readonly, nostack, preserves_flags));
                }
                value as $ty
            }

            #[inline(always)]
            unsafe fn store(m: &super::dispatch::Machine, at: u64, value: Self) {
                let value = value as $word as u64;
                // SAFETY: the address is inside the reservation; a fault lands in `fault_landing`.
                unsafe {
                    guarded_asm!(m, at, $store, value = in(reg) value, options(nostack, preserves_flags));
                }
            }
        }

        #[cfg(not(target_arch = "x86_64"))]
        impl Raw for $ty {
            unsafe fn load(m: &super::dispatch::Machine, at: u64) -> Self {
                // SAFETY: no memory is guarded on this architecture, so this is never reached.
                unsafe { m.mem.add(at as usize).cast::<$ty>().read_unaligned() }
            }

            unsafe fn store(m: &super::dispatch::Machine, at: u64, value: Self) {
                // SAFETY: as above.
                unsafe { m.mem.add(at as usize).cast::<$ty>().write_unaligned(value) }
            }
        }
    };
}

raw!(u8, u8, "movzx {value:e}, byte ptr [{base} + {at}]", "mov byte ptr [{base} + {at}], {value:l}");
raw!(i8, u8, "movsx {value:r}, byte ptr [{base} + {at}]", "mov byte ptr [{base} + {at}], {value:l}");
raw!(u16, u16, "movzx {value:e}, word ptr [{base} + {at}]", "mov word ptr [{base} + {at}], {value:x}");
raw!(i16, u16, "movsx {value:r}, word ptr [{base} + {at}]", "mov word ptr [{base} + {at}], {value:x}");
raw!(u32, u32, "mov {value:e}, dword ptr [{base} + {at}]", "mov dword ptr [{base} + {at}], {value:e}");
raw!(i32, u32, "movsxd {value:r}, dword ptr [{base} + {at}]", "mov dword ptr [{base} + {at}], {value:e}");
raw!(u64, u64, "mov {value:r}, qword ptr [{base} + {at}]", "mov qword ptr [{base} + {at}], {value:r}");

#[cfg(target_arch = "x86_64")]
impl Raw for u128 {
    #[inline(always)]
    unsafe fn load(m: &super::dispatch::Machine, at: u64) -> Self {
        let value: std::arch::x86_64::__m128i;
        // SAFETY: the address is inside the reservation; a fault lands in `fault_landing`. The transmute keeps all bits.
        unsafe {
            guarded_asm!(
                m, at, "movdqu {value}, xmmword ptr [{base} + {at}]",
                value = out(xmm_reg) value,
                options(readonly, nostack, preserves_flags)
            );
            std::mem::transmute(value)
        }
    }

    #[inline(always)]
    unsafe fn store(m: &super::dispatch::Machine, at: u64, value: Self) {
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
}

/// Declares a read of a vector's low bytes that does not pass through a general register, which would cost a stack frame.
macro_rules! low_bytes {
    ($(#[$doc:meta])* $name:ident $word:ty, $load:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As for [`Raw::load`].
        #[cfg(target_arch = "x86_64")]
        #[inline(always)]
        pub unsafe fn $name(m: &super::dispatch::Machine, at: u64) -> V128 {
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
        /// As for [`Raw::load`].
        #[cfg(not(target_arch = "x86_64"))]
        pub unsafe fn $name(m: &super::dispatch::Machine, at: u64) -> V128 {
            // SAFETY: the caller's promise.
            V128::from_u128(unsafe { <$word>::load(m, at) } as u128)
        }
    };
}

low_bytes! {
    /// Reads eight bytes into the low half of a vector, the rest zero.
    load_half u64, "movq {value}, qword ptr [{base} + {at}]"
}
low_bytes! {
    /// Reads four bytes into the low quarter of a vector, the rest zero.
    load_quarter u32, "movd {value}, dword ptr [{base} + {at}]"
}

#[cfg(not(target_arch = "x86_64"))]
impl Raw for u128 {
    unsafe fn load(m: &super::dispatch::Machine, at: u64) -> Self {
        // SAFETY: no memory is guarded on this architecture, so this is never reached.
        unsafe { m.mem.add(at as usize).cast::<u128>().read_unaligned() }
    }

    unsafe fn store(m: &super::dispatch::Machine, at: u64, value: Self) {
        // SAFETY: as above.
        unsafe { m.mem.add(at as usize).cast::<u128>().write_unaligned(value) }
    }
}

handlers! {
    /// An access to memory, whose code is at `spare`, faulted at the address in `acc`. If that is not a guarded memory, it is a
    /// fault of ours and must not pass for a trap.
    #[cold]
    #[inline(never)]
    fn fault_landing[](m) {
        if let Some(cell) = crate::stitch::cell_at(m.spare as usize) {
            m.ip = cell;
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

/// Where to go on after a fault at `pc`, if that is one of the accesses above or a copy of one.
pub fn landing(pc: usize) -> Option<usize> {
    let landing: super::dispatch::Handler = fault_landing;
    (sites().any(|site| site == pc) || crate::stitch::contains(pc)).then_some(landing as usize)
}
