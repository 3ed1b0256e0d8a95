//! Vector operators: a handler for each shape, compiled for each operator and operand form. A `v128` takes two slots, or the
//! whole float accumulator.
//!
//! A value is computed before the destination's field is read: handlers have only three free general registers.
//!
//! # Choices of bytes
//! `i8x16.shuffle` and `i8x16.swizzle` choose bytes by number, which SSE2, the baseline of x86-64, cannot do without memory. The
//! `…_bytes` handlers use an instruction of SSSE3. The translator chooses them where [`has_byte_choice`] holds.

use std::sync::atomic::{Ordering, compiler_fence};

use wasmr_core::op::{ExtractLane, ReplaceLane, Shift, Splat, VectorBinary, VectorTernary, VectorTest, VectorUnary};
use wasmr_core::ops;
use wasmr_core::value::V128;

use super::dispatch::handlers;
use super::memory::read_word;
use super::operand::{Destination, Source, VectorDestination, VectorSource, read_constant, read_slots, write_slots};

/// Number of a byte that [`choose_bytes`] replaces by zero.
pub(crate) const ZERO_BYTE: u8 = 0x80;

/// Returns true if the processor can execute the `…_bytes` handlers.
pub(crate) fn has_byte_choice() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("ssse3");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// Returns the bytes of `vector` with these numbers: 0 to 15, or [`ZERO_BYTE`].
///
/// # Safety
/// [`has_byte_choice`] holds.
#[inline(always)]
unsafe fn choose_bytes(vector: V128, numbers: V128) -> V128 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller promises that the processor has the instruction. It accesses these two registers only. The types of
    // each `transmute` are 16 bytes in which all bit patterns are valid.
    unsafe {
        use std::arch::x86_64::__m128i;
        let mut chosen: __m128i = std::mem::transmute(vector.0);
        std::arch::asm!(
            "pshufb {chosen}, {numbers}",
            chosen = inout(xmm_reg) chosen,
            numbers = in(xmm_reg) std::mem::transmute::<[u8; 16], __m128i>(numbers.0),
            options(pure, nomem, nostack, preserves_flags)
        );
        V128(std::mem::transmute::<__m128i, [u8; 16]>(chosen))
    }
    #[cfg(not(target_arch = "x86_64"))]
    ops::i8x16_swizzle(vector, numbers)
}

/// Returns the vector whose lowest lane is lane `lane` of the vector in two slots, `bytes` bytes wide; zeros are above it. The
/// lane is read from memory, as its number is not known when the handler is compiled.
///
/// # Safety
/// The handlers' contract: `slot` and the next one are in the frame. The lane is inside the vector.
#[inline(always)]
pub(crate) unsafe fn lane_in_slots(slot: *mut u64, lane: usize, bytes: u8) -> V128 {
    // SAFETY: the caller promises a lane inside of two slots.
    let word = unsafe { read_word(slot.cast::<u8>().add(lane * bytes as usize), bytes) };
    V128::from_u128(word as u128)
}

handlers! {
    fn unary[O: VectorUnary, X: VectorSource, D: VectorDestination](m) {
        let value = O::apply(X::read_vector(&m));
        D::write_vector(&mut m, value);
        m.next(2)
    }

    fn binary[O: VectorBinary, X: VectorSource, Y: VectorSource, D: VectorDestination](m) {
        let value = O::apply(X::read_vector(&m), Y::read_vector(&m));
        D::write_vector(&mut m, value);
        m.next(2 + X::WORDS + Y::WORDS)
    }

    fn ternary[O: VectorTernary, X: VectorSource, Y: VectorSource, Z: VectorSource, D: VectorDestination](m) {
        let value = O::apply(X::read_vector(&m), Y::read_vector(&m), Z::read_vector(&m));
        D::write_vector(&mut m, value);
        m.next(2)
    }

    fn canonical_f32x4[X: VectorSource, D: VectorDestination](m) {
        let value = ops::canonical_f32x4(X::read_vector(&m));
        D::write_vector(&mut m, value);
        m.next(2)
    }

    fn canonical_f64x2[X: VectorSource, D: VectorDestination](m) {
        let value = ops::canonical_f64x2(X::read_vector(&m));
        D::write_vector(&mut m, value);
        m.next(2)
    }

    fn test[O: VectorTest, X: VectorSource, D: Destination](m) {
        let value = O::apply(X::read_vector(&m));
        D::write(&mut m, value);
        m.next(2)
    }

    fn shift[O: Shift, X: VectorSource, N: Source, D: VectorDestination](m) {
        let value = O::apply(X::read_vector(&m), N::read(&m));
        D::write_vector(&mut m, value);
        m.next(2)
    }

    fn splat[O: Splat, X: Source, D: VectorDestination](m) {
        let value = O::apply(X::read(&m));
        D::write_vector(&mut m, value);
        m.next(2)
    }

    /// The lane is field `b`.
    fn extract_lane[O: ExtractLane, D: Destination](m) {
        let vector = lane_in_slots(m.a(), m.narrow(2) as usize, const { 16 / O::INFO.lanes });
        D::write(&mut m, O::apply(vector, 0));
        m.next(2)
    }

    /// The lane is field `x`.
    fn replace_lane[O: ReplaceLane, X: VectorSource, Y: Source, D: VectorDestination](m) {
        let (vector, new) = (X::read_vector(&m), Y::read(&m));
        // The optimiser would read the lane before the operands, and find no register for it.
        compiler_fence(Ordering::SeqCst);
        let value = O::apply(vector, new, m.narrow(3) as u8);
        D::write_vector(&mut m, value);
        m.next(2)
    }

    /// The lanes are words 2 and 3. Writes slot `d` only.
    fn shuffle[](m) {
        let value = ops::i8x16_shuffle(read_slots(m.a()), read_slots(m.b()), read_constant(&m, 2).0);
        write_slots(m.d(), value);
        m.next(4)
    }

    /// The bytes of the first operand are words 2 and 3, those of the second one words 4 and 5.
    fn shuffle_bytes[X: VectorSource, Y: VectorSource, D: VectorDestination](m) {
        let first = choose_bytes(X::read_vector(&m), read_constant(&m, 2));
        let second = choose_bytes(Y::read_vector(&m), read_constant(&m, 4));
        D::write_vector(&mut m, ops::v128_or(first, second));
        m.next(6)
    }

    /// The bytes are words 2 and 3.
    fn permute_bytes[X: VectorSource, D: VectorDestination](m) {
        let value = choose_bytes(X::read_vector(&m), read_constant(&m, 2));
        D::write_vector(&mut m, value);
        m.next(4)
    }

    fn swizzle_bytes[X: VectorSource, Y: VectorSource, D: VectorDestination](m) {
        // Numbers from 16 on become `ZERO_BYTE` or more.
        let numbers = ops::i8x16_add_sat_u(Y::read_vector(&m), V128([ZERO_BYTE - 16; 16]));
        let value = choose_bytes(X::read_vector(&m), numbers);
        D::write_vector(&mut m, value);
        m.next(2)
    }
}
