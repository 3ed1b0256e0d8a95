//! Changes of the memory operands of machine instructions.
//!
//! Each function returns `None` for an encoding that it does not know; the caller then copies the instruction unchanged. The
//! encodings are in the Intel 64 manual, volume 2, chapter 2 ("Instruction Format").

use iced_x86::{EncodingKind, Instruction, OpKind, Register};

use super::decode::{Insn, RDI, RSP};
use super::template::{Addressed, Pool};

/// The registers of a memory operand; the index with its scale.
pub(crate) struct Address {
    pub(crate) base: usize,
    pub(crate) index: Option<(usize, u8)>,
}

/// Returns an instruction whose memory operand is at `rdi` and a displacement, with one relative to the instruction's end.
pub(crate) fn relative_to_end(pool: &mut Pool, insn: &Insn) -> Option<Addressed> {
    if !is_laid_out(&insn.op) {
        return None;
    }
    let tail_at = insn.bytes.len() - insn.immediate_len;
    let modrm_at = tail_at.checked_sub(insn.displacement_len + 1)?;
    let mut head = insn.bytes[..=modrm_at].to_vec();
    if head[modrm_at] & 7 != RDI as u8 || head[modrm_at] >> 6 == 3 {
        return None;
    }
    head[modrm_at] = head[modrm_at] & 0b0011_1000 | 5;
    Some(Addressed {
        head: pool.add(&head),
        modrm_at: modrm_at as u8,
        needs_displacement: true,
        tail: pool.add(&insn.bytes[tail_at..]),
    })
}

/// Returns an instruction whose memory operand has a base and an index, with those of `address` instead.
pub(crate) fn with_address(pool: &mut Pool, insn: &Insn, address: &Address) -> Option<Addressed> {
    // EVEX scales short displacements.
    if !is_laid_out(&insn.op) || insn.op.encoding() == EncodingKind::EVEX {
        return None;
    }
    let tail_at = insn.bytes.len() - insn.immediate_len;
    let modrm_at = tail_at.checked_sub(insn.displacement_len + 2)?;
    let modrm = insn.bytes[modrm_at];
    let prefix_at = insn.bytes.iter().position(|byte| !is_legacy_prefix(*byte))?;
    if modrm & 7 != RSP as u8 || modrm >> 6 == 3 || !matches!(insn.displacement_len, 0 | 1 | 4) {
        return None;
    }
    let mut head = insn.bytes[..=modrm_at].to_vec();
    let mut modrm_at = modrm_at;
    let index = address.index.map_or(0, |(index, _)| index);
    if address.index.is_some() && index == RSP {
        return None;
    }
    // The fourth bit of the base's number, then that of the index's.
    let extension = (address.base >> 3 | (index >> 3) << 1) as u8;
    let prefix = head[prefix_at];
    if insn.op.encoding() == EncodingKind::VEX {
        // The VEX prefix of three bytes has the bits inverted. The one of two bytes has none of them.
        match prefix {
            0xc4 => head[prefix_at + 1] = head[prefix_at + 1] & !0x60 | (!extension & 0b11) << 5,
            _ if extension != 0 => return None,
            _ => {}
        }
    } else if prefix_at < modrm_at && prefix & 0xf0 == 0x40 {
        head[prefix_at] = prefix & !0b11 | extension;
    } else if extension != 0 {
        // With a REX prefix, the numbers of these registers stand for other registers.
        let high_bytes = [Register::AH, Register::BH, Register::CH, Register::DH];
        if (0..insn.op.op_count()).any(|operand| high_bytes.contains(&insn.op.op_register(operand))) {
            return None;
        }
        head.insert(prefix_at, 0x40 | extension);
        modrm_at += 1;
    }
    let base = (address.base & 7) as u8;
    match address.index {
        None if base == RSP as u8 => return None,
        None => head[modrm_at] = modrm & 0b0011_1000 | base,
        Some((index, scale)) => {
            head[modrm_at] = modrm & 0b0011_1000 | RSP as u8;
            head.push((scale.trailing_zeros() as u8) << 6 | ((index & 7) as u8) << 3 | base);
        }
    }
    Some(Addressed {
        head: pool.add(&head),
        modrm_at: modrm_at as u8,
        needs_displacement: base == 5,
        tail: pool.add(&insn.bytes[tail_at..]),
    })
}

/// Returns true if the bytes of an instruction are known to end in ModRM, SIB, displacement and immediate.
fn is_laid_out(op: &Instruction) -> bool {
    match op.encoding() {
        EncodingKind::Legacy | EncodingKind::EVEX => true,
        // A fourth register is in a last byte, which iced does not count as an immediate.
        EncodingKind::VEX => op.op_count() < 4 || op.op3_kind() != OpKind::Register,
        _ => false,
    }
}

fn is_legacy_prefix(byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3)
}
