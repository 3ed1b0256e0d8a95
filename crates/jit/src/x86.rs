//! Finds the end of an x86-64 instruction, for those without control flow that move with the code around them.
//!
//! `dispatch` copies such instructions from one place of a function's code to another. An instruction that this file does not
//! know is not copied. Opcodes are those of the Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2,
//! appendix A.

/// An instruction of machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Bytes of the instruction.
    pub len: usize,
    pub kind: Kind,
}

/// The control flow of an instruction, and the fields that depend on its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The next instruction follows. Nothing depends on the place.
    Plain,
    /// The next instruction follows. An operand in memory is at a distance, whose 4 bytes are at this offset in the instruction.
    Relative(usize),
    /// A jump. Its distance is in the last 4 bytes.
    Jump,
    /// A conditional jump. Its distance is in the last 4 bytes.
    Branch,
    /// A jump to an address in a register.
    IndirectJump,
}

/// The operands after an opcode.
#[derive(Clone, Copy)]
enum Form {
    /// No operands in further bytes but an immediate of so many bytes.
    Immediate(usize),
    /// A ModRM byte with an address or a register, and an immediate of so many bytes.
    ModRm(usize),
}

/// Decodes the instruction at the start of `code`. Returns `None` if it may not be copied: a call, a return, or one that
/// is not known.
pub(crate) fn decode(code: &[u8]) -> Option<Instruction> {
    decode_prefix(code).filter(|instruction| instruction.len <= code.len())
}

/// Decodes the instruction at the start of `code`, of which bytes at the end may be missing.
fn decode_prefix(code: &[u8]) -> Option<Instruction> {
    let mut at = 0;
    let mut is_short = false;
    while matches!(code.get(at)?, 0x66 | 0xf2 | 0xf3) {
        is_short |= code[at] == 0x66;
        at += 1;
    }
    let is_wide = code.get(at)? & 0xf8 == 0x48;
    if code[at] & 0xf0 == 0x40 {
        at += 1;
    }
    let word = if is_short { 2 } else { 4 };
    let opcode = *code.get(at)?;
    at += 1;
    let form = match opcode {
        0xe9 => return Some(Instruction { len: at + 4, kind: Kind::Jump }),
        // The two-register forms of add, or, adc, sbb, and, sub, xor, cmp.
        0x00..=0x3f if opcode & 7 < 4 => Form::ModRm(0),
        0x00..=0x3f if opcode & 7 == 4 => Form::Immediate(1),
        0x00..=0x3f if opcode & 7 == 5 => Form::Immediate(word),
        0x63 | 0x84 | 0x85 | 0x88..=0x8b | 0x8d | 0xd1 | 0xd3 => Form::ModRm(0),
        0xc6 | 0xc7 if code.get(at)? & 0x38 != 0 => return None,
        0x69 | 0x81 | 0xc7 => Form::ModRm(word),
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 => Form::ModRm(1),
        0xa8 => Form::Immediate(1),
        0xa9 => Form::Immediate(word),
        0xb8..=0xbf => Form::Immediate(if is_wide { 8 } else { word }),
        // Only `test` has an immediate among the instructions of these opcodes.
        0xf6 | 0xf7 => match code.get(at)? >> 3 & 7 {
            0 | 1 => Form::ModRm(if opcode == 0xf6 { 1 } else { word }),
            _ => Form::ModRm(0),
        },
        0xff if code.get(at)? & 0xf8 == 0xe0 => return Some(Instruction { len: at + 1, kind: Kind::IndirectJump }),
        0x0f => {
            let second = *code.get(at)?;
            at += 1;
            match second {
                0x80..=0x8f => return Some(Instruction { len: at + 4, kind: Kind::Branch }),
                0x10 | 0x11 | 0x14 | 0x28..=0x2f | 0x40..=0x4f | 0x51..=0x6f | 0x7e | 0x7f | 0x90..=0x9f => {
                    Form::ModRm(0)
                }
                0xaf | 0xb6..=0xb8 | 0xbc..=0xbf | 0xd6 | 0xef => Form::ModRm(0),
                0xba => Form::ModRm(1),
                _ => return None,
            }
        }
        // VEX prefixes of two and three bytes.
        0xc4 | 0xc5 => {
            let map = if opcode == 0xc5 { 1 } else { code.get(at)? & 0x1f };
            at += if opcode == 0xc5 { 1 } else { 2 };
            let second = *code.get(at)?;
            at += 1;
            match (map, second) {
                (1, 0x10..=0x17 | 0x28..=0x2f | 0x51..=0x6f | 0x74..=0x76 | 0x7c..=0x7f | 0xd0..=0xfe) => {
                    Form::ModRm(0)
                }
                (2, _) => Form::ModRm(0),
                (3, _) => Form::ModRm(1),
                _ => return None,
            }
        }
        _ => return None,
    };
    let (kind, immediate) = match form {
        Form::Immediate(bytes) => (Kind::Plain, bytes),
        Form::ModRm(bytes) => {
            let (mode, register) = (code.get(at)? >> 6, code[at] & 7);
            at += 1;
            let mut displacement = match mode {
                1 => 1,
                2 => 4,
                _ => 0,
            };
            let mut kind = Kind::Plain;
            if mode != 3 && register == 4 {
                // A SIB byte, whose base may be a displacement alone.
                displacement = if mode == 0 && code.get(at)? & 7 == 5 { 4 } else { displacement };
                at += 1;
            } else if mode == 0 && register == 5 {
                (kind, displacement) = (Kind::Relative(at), 4);
            }
            at += displacement;
            (kind, bytes)
        }
    };
    Some(Instruction { len: at + immediate, kind })
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic};

    use super::*;

    #[test]
    fn a_disassembler_agrees() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut seen = [0; 5];
        for _ in 0..2_000_000 {
            let bytes: Vec<u8> = (0..16)
                .map(|_| {
                    // A linear congruential generator (D. Knuth, The Art of Computer Programming, volume 2, section 3.3.4).
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 56) as u8
                })
                .collect();
            let Some(Instruction { len, kind }) = decode(&bytes) else { continue };
            let expected = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE).decode();
            // Cranelift emits no invalid instructions, nor prefixes that change the operands of a jump.
            if expected.is_invalid() || matches!(bytes[0], 0x66 | 0xf2 | 0xf3) && bytes[1] != 0x0f {
                continue;
            }
            let control = match expected.flow_control() {
                FlowControl::Next if expected.is_ip_rel_memory_operand() => Kind::Relative(0),
                FlowControl::Next => Kind::Plain,
                FlowControl::UnconditionalBranch => Kind::Jump,
                FlowControl::ConditionalBranch => Kind::Branch,
                FlowControl::IndirectBranch => Kind::IndirectJump,
                other => panic!("{bytes:02x?} is {other:?}"),
            };
            assert_eq!(len, expected.len(), "{bytes:02x?}");
            match kind {
                Kind::Relative(field) => {
                    assert_eq!(control, Kind::Relative(0), "{bytes:02x?}");
                    let distance = i32::from_le_bytes(bytes[field..field + 4].try_into().unwrap());
                    let target = (len as u64).wrapping_add_signed(distance.into());
                    assert_eq!(expected.ip_rel_memory_address(), target, "{bytes:02x?}");
                }
                _ => assert_eq!(kind, control, "{bytes:02x?}"),
            }
            assert!(!matches!(expected.mnemonic(), Mnemonic::Call | Mnemonic::Ret | Mnemonic::Syscall));
            seen[match kind {
                Kind::Plain => 0,
                Kind::Relative(_) => 1,
                Kind::Jump => 2,
                Kind::Branch => 3,
                Kind::IndirectJump => 4,
            }] += 1;
        }
        assert!(seen.iter().all(|&count| count > 20), "{seen:?}");
    }
}
