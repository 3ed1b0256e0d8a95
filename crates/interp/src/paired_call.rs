//! The machine code of *paired calls* and returns, for the baseline compiler.
//!
//! Input: nothing. Output: bytes to append to the code of a function. [`pairs`](crate::execute::pairs) describes the native stack
//! to which they belong, and its invariants.
//!
//! # Why
//! A return that jumps through a register has one target for each call of the function, and the processor's predictor of indirect
//! jumps mistakes many of them. A `ret` that belongs to a `call` is predicted by a stack of return addresses.
//!
//! # Protocol
//! A call within the instance, in machine code:
//!
//! ```text
//!          header of the callee's frame, rsi = callee's frame, r9 = rsi, rdi = VmFunc::code     as in the handler of the call
//! call     push the header's return address; call the callee's stub, or the code of the instruction at rdi
//! LANDING  remove the pair
//! X:       the code of the next instruction, X
//! ```
//!
//! The callee may be machine code, translated code, or a function of another tier: all are entered with the handlers' registers
//! and return by a jump to the code of the instruction in their header. Word 0 of X leads to [`REJOIN`], which ends in `ret` if
//! the topmost pair is that of X, as after such a return. Jumps inside the function go to X directly.
//!
//! A return in machine code:
//!
//! ```text
//!          results in place, r9 = rsi, rdi = header's return address, rsi = header's caller   as in the handler of the return
//! RETURN   ret if the topmost pair is that of rdi, else jump to the code of the instruction at rdi
//! ```
//!
//! All registers but `rdi` pass through the call, [`LANDING`], [`REJOIN`] and [`RETURN`] unchanged. After `LANDING`, `rdi` is X.
//!
//! # Shadow stacks
//! On a processor with control-flow enforcement (Intel SDM volume 1, chapter 17) the system could keep a second stack of return
//! addresses, with which every `ret` must agree. wasmr does not ask for one. Each pair's `call` and `ret` agree, but dropped pairs
//! would leave their addresses on it: where pairs are dropped and a run ends, the code would have to take off as many by
//! `incssp`.

/// Most calls between two budget interrupts for which machine code pairs them. It bounds the pairs between two checks.
pub(crate) const MAX_BUDGET: i32 = 4096;

/// The code behind a call, which removes the pair: `pop rdi`.
pub(crate) const LANDING: [u8; 1] = [0x5f];

/// A return: `cmp rdi, [rsp + 8]; jne 1f; ret; 1: jmp [rdi]`.
pub(crate) const RETURN: [u8; 10] = [0x48, 0x3b, 0x7c, 0x24, 0x08, 0x75, 0x01, 0xc3, 0xff, 0x27];

/// The code to which word 0 of an instruction behind a call leads: `cmp rdi, [rsp + 8]; je 1f; jmp X; 1: ret`, up to the distance
/// of the jump. [`REJOIN_END`] follows the distance.
pub(crate) const REJOIN: [u8; 8] = [0x48, 0x3b, 0x7c, 0x24, 0x08, 0x74, 0x05, 0xe9];

/// The end of [`REJOIN`]: `ret`.
pub(crate) const REJOIN_END: [u8; 1] = [0xc3];

/// Bytes of a call stub.
pub(crate) const STUB: usize = 8;

/// The call stubs of a module's functions of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallStubs {
    /// Address of the stub of the first defined function.
    pub(crate) first: u64,
    /// Offset of the record of the first defined function in the instance.
    pub(crate) funcs: u32,
    /// Offset of the record of the function whose code is made.
    pub(crate) own: u32,
}

impl CallStubs {
    /// Returns the address of the stub of the function whose record has an offset in the instance.
    pub(crate) fn of(self, func: u32) -> u64 {
        let index = (func - self.funcs) as usize / size_of::<wasmr_runtime::vm::VmFunc>();
        self.first + (STUB * index) as u64
    }
}

/// Position of the first stub in the code of [`stubs`].
pub(crate) const STUBS_START: usize = 16;

/// Calls the function whose record is in the header, as its record says: `mov rdi, [rsi - 8]; mov rdi, [rdi]; jmp [rdi]`.
const BY_RECORD: [u8; 9] = [0x48, 0x8b, 0x7e, 0xf8, 0x48, 0x8b, 0x3f, 0xff, 0x27];
const _: () = assert!(std::mem::offset_of!(wasmr_runtime::vm::VmFunc, code) == 0 && BY_RECORD.len() <= STUBS_START);

/// Returns the code of call stubs for `count` functions, all of which call as the function record says.
pub(crate) fn stubs(count: usize) -> Vec<u8> {
    let mut code = BY_RECORD.to_vec();
    code.resize(STUBS_START, 0xcc);
    (0..count).for_each(|index| code.extend(stub_by_record(index)));
    code
}

/// Returns the code of the stub of function `index` for calls as the function record says.
pub(crate) fn stub_by_record(index: usize) -> [u8; 8] {
    jump(-((STUBS_START + STUB * index + 5) as i32))
}

/// Returns the code of the stub at the address `stub` for calls of the code at `address`; `None` if that is too far away.
pub(crate) fn stub_to(stub: u64, address: u64) -> Option<[u8; 8]> {
    i32::try_from(address.wrapping_sub(stub + 5) as i64).ok().map(jump)
}

fn jump(distance: i32) -> [u8; 8] {
    let [a, b, c, d] = distance.to_le_bytes();
    [0xe9, a, b, c, d, 0xcc, 0xcc, 0xcc]
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions};

    use super::*;

    /// Returns the text of machine code at address 0.
    fn text(code: &[u8]) -> String {
        let decoded = Decoder::with_ip(64, code, 0, DecoderOptions::NONE).into_iter();
        decoded.map(|instruction| instruction.to_string()).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn the_bytes_are_the_instructions_that_the_comments_name() {
        assert_eq!(text(&LANDING), "pop rdi");
        assert_eq!(text(&RETURN), "cmp rdi,[rsp+8]; jne short 8; ret; jmp qword ptr [rdi]");
        let rejoin = [&REJOIN[..], &[0x10, 0, 0, 0], &REJOIN_END].concat();
        assert_eq!(text(&rejoin), "cmp rdi,[rsp+8]; je short 000000000000000Ch; jmp 000000000000001Ch; ret");
        assert_eq!(text(&BY_RECORD), "mov rdi,[rsi-8]; mov rdi,[rdi]; jmp qword ptr [rdi]");
    }
}
