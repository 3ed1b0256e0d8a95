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
//! call     push X; call DIRECT before the callee's code, or the callee's stub, with X in rdi and the callee's frame in rax
//! stub     the offset of the callee's record in r10; jump to DIRECT or to BY_RECORD
//! DIRECT   header of the callee's frame, rsi = callee's frame
//! LANDING  remove the pair
//! X:       the code of the next instruction, X
//! ```
//!
//! `DIRECT` is once in the code of each function, because calls are more numerous than functions. A call leads there if the callee
//! had code when the caller was compiled. When another tier executes the callee from then on, `DIRECT` begins with a jump to the stub.
//! A call of a function by itself jumps to its `DIRECT`, without a pair.
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

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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
pub(crate) const STUB: usize = 16;

/// Position of a stub's first instruction.
const STUB_START: usize = 2;

/// Position of a stub's jump, which takes the rest.
pub(crate) const STUB_JUMP: usize = 8;

/// The call stubs of a module's functions of one kind.
#[derive(Clone, Debug)]
pub(crate) struct CallStubs {
    /// Address of the stub of the first defined function.
    pub(crate) first: u64,
    /// Offset of the record of the first defined function in the instance.
    pub(crate) funcs: u32,
    /// The functions that have code.
    pub(crate) direct: DirectCode,
}

impl CallStubs {
    /// Returns the address that calls the function whose record has an offset in the instance.
    pub(crate) fn of(&self, func: u32) -> u64 {
        let index = (func - self.funcs) as usize / size_of::<wasmr_runtime::vm::VmFunc>();
        self.direct.get(index).unwrap_or(self.first + (STUB * index + STUB_START) as u64)
    }
}

/// The addresses of the [`direct`] code of functions.
#[derive(Clone, Debug)]
pub(crate) struct DirectCode {
    /// Start of the code memory.
    base: u64,
    /// Distance from there for each function; 0 if it has no code.
    distances: Arc<[AtomicU32]>,
}

impl DirectCode {
    /// Returns the table for `count` functions without code.
    pub(crate) fn new(base: u64, count: u32) -> DirectCode {
        DirectCode { base, distances: (0..count).map(|_| AtomicU32::new(0)).collect() }
    }

    /// Returns the address for a function, if it has code.
    pub(crate) fn get(&self, index: usize) -> Option<u64> {
        let distance = self.distances.get(index)?.load(Ordering::Relaxed);
        (distance != 0).then_some(self.base + u64::from(distance))
    }

    /// Sets the address for a function.
    pub(crate) fn set(&self, index: usize, address: Option<u64>) {
        let distance = address.and_then(|address| u32::try_from(address.wrapping_sub(self.base)).ok()).unwrap_or(0);
        if let Some(known) = self.distances.get(index) {
            known.store(distance, Ordering::Relaxed);
        }
    }
}

/// Bytes of the [`direct`] code.
pub(crate) const DIRECT: usize = 24;

/// Position of the [`direct`] code in a function's code. What follows it begins at a multiple of 16, as the function does: a bytecode
/// machine took a tenth more time otherwise. The word there may be exchanged, so the position is a multiple of 8.
pub(crate) const DIRECT_AT: usize = 8;
const _: () = assert!((DIRECT_AT + DIRECT).is_multiple_of(16) && DIRECT_AT.is_multiple_of(8));

/// Returns the code before the code of the function whose record is at offset `own` in the instance. X is in `rdi`, the callee's frame
/// in `rax`: `lea r10, [rcx + own]; mov [rax - 8], r10; mov [rax - 16], rsi; mov [rax - 24], rdi; mov rsi, rax; nop`.
pub(crate) fn direct(own: u32) -> [u8; DIRECT] {
    let [a, b, c, d] = own.to_le_bytes();
    [
        0x4c, 0x8d, 0x91, a, b, c, d, 0x4c, 0x89, 0x50, 0xf8, 0x48, 0x89, 0x70, 0xf0, 0x48, 0x89, 0x78, 0xe8, 0x48,
        0x89, 0xc6, 0x66, 0x90,
    ]
}

/// Returns the first eight bytes of [`direct`] code at the address `at` that leads to the stub of function `index`, the first stub
/// being at `first`. The eighth byte begins the second instruction, as before. `None` if the stub is too far away.
pub(crate) fn turned_away(at: u64, first: u64, index: usize) -> Option<[u8; 8]> {
    let to = first + (STUB * index + STUB_START) as u64;
    let [a, b, c, d] = i32::try_from(to.wrapping_sub(at + 5) as i64).ok()?.to_le_bytes();
    Some([0xe9, a, b, c, d, 0xcc, 0xcc, direct(0)[7]])
}

/// Position of the first stub in the code of [`stubs`].
pub(crate) const STUBS_START: usize = 32;

/// A call as the function record says, whose offset is in `r10`: `add r10, rcx`, then as [`direct`] code, then `mov rdi, [r10]; jmp
/// [rdi]`.
const BY_RECORD: [u8; 23] = [
    0x49, 0x01, 0xca, 0x4c, 0x89, 0x50, 0xf8, 0x48, 0x89, 0x70, 0xf0, 0x48, 0x89, 0x78, 0xe8, 0x48, 0x89, 0xc6, 0x49,
    0x8b, 0x3a, 0xff, 0x27,
];
const _: () = assert!(std::mem::offset_of!(wasmr_runtime::vm::VmFunc, code) == 0 && BY_RECORD.len() <= STUBS_START);

/// Returns the code of call stubs for `count` functions, all of which call as the function record says. The records begin at
/// offset `funcs` in the instance.
pub(crate) fn stubs(count: usize, funcs: u32) -> Vec<u8> {
    let mut code = BY_RECORD.to_vec();
    code.resize(STUBS_START, 0xcc);
    for index in 0..count {
        // `mov r10d, record`
        code.extend([0xcc, 0xcc, 0x41, 0xba]);
        code.extend((funcs + (index * size_of::<wasmr_runtime::vm::VmFunc>()) as u32).to_le_bytes());
        code.extend(stub_by_record(index));
    }
    code
}

/// Returns the jump of the stub of function `index` for calls as the function record says.
pub(crate) fn stub_by_record(index: usize) -> [u8; STUB - STUB_JUMP] {
    jump(-((STUBS_START + STUB * index + STUB_JUMP + 5) as i32))
}

/// Returns the jump at the address `at`, in the stub of a function, for calls of the code at `address`; `None` if that is too far
/// away.
pub(crate) fn stub_to(at: u64, address: u64) -> Option<[u8; STUB - STUB_JUMP]> {
    i32::try_from(address.wrapping_sub(at + 5) as i64).ok().map(jump)
}

fn jump(distance: i32) -> [u8; STUB - STUB_JUMP] {
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
        let header = "mov [rax-8],r10; mov [rax-10h],rsi; mov [rax-18h],rdi; mov rsi,rax";
        assert_eq!(text(&direct(0x1234)), format!("lea r10,[rcx+1234h]; {header}; xchg ax,ax"));
        assert_eq!(text(&BY_RECORD), format!("add r10,rcx; {header}; mov rdi,[r10]; jmp qword ptr [rdi]"));
        let turned = turned_away(0, 0x1000, 2).unwrap();
        assert_eq!(text(&turned[..5]), "jmp 0000000000001022h");
        assert_eq!(turned[7], direct(0)[7], "another thread may have executed the old instruction");
        let stubs = stubs(1, 0x1234);
        let stub = &stubs[STUBS_START + STUB_START..STUBS_START + STUB_JUMP];
        assert_eq!(text(stub), "mov r10d,1234h");
    }
}
