//! Disassembles machine code.
//!
//! Code contains data: jump tables after indirect jumps, and constants at the end. The disassembler decodes the bytes that control
//! can reach from the start, from the start of a source location, and from the targets of jumps and jump tables. It shows the other
//! bytes as data.

use std::collections::BTreeSet;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, Instruction as Decoded, IntelFormatter, Mnemonic, OpKind,
};

/// A line of a disassembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Offset in the code.
    pub offset: u32,
    /// Offset of the next byte after the instruction.
    pub end: u32,
    pub text: String,
    /// True for bytes that control cannot reach.
    pub is_data: bool,
}

/// Bytes of data per line.
const DATA_ON_LINE: usize = 8;

/// Returns the lines of a disassembly. Instructions start at all offsets in `starts`.
pub fn disassemble(code: &[u8], starts: &[u32]) -> Vec<Instruction> {
    let mut starts: BTreeSet<usize> = starts.iter().map(|&start| start as usize).chain([0]).collect();
    // Each round may find new targets of jumps.
    loop {
        let known = starts.len();
        let lines = sweep(code, &mut starts);
        if starts.len() == known {
            return lines;
        }
    }
}

/// Returns the lines of constants that stand at an offset, a multiple of [`DATA_ON_LINE`], behind the code.
pub fn constants(offset: u32, bytes: &[u8]) -> impl Iterator<Item = Instruction> {
    let mut lines = Vec::new();
    data(bytes, 0, bytes.len(), &mut lines);
    lines.into_iter().map(move |line| Instruction { offset: offset + line.offset, end: offset + line.end, ..line })
}

/// Decodes the code once, and adds the targets of its jumps to `starts`.
fn sweep(code: &[u8], starts: &mut BTreeSet<usize>) -> Vec<Instruction> {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_uppercase_hex(false);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_space_after_operand_separator(true);
    options.set_rip_relative_addresses(true);
    options.set_branch_leading_zeros(false);
    options.set_show_branch_size(false);
    options.set_small_hex_numbers_in_decimal(true);

    let mut lines = Vec::new();
    let (mut at, mut reached) = (0, true);
    let mut latest = [Decoded::default(); 3];
    while at < code.len() {
        reached |= starts.contains(&at);
        let instruction = Decoder::with_ip(64, &code[at..], at as u64, DecoderOptions::NONE).decode();
        if !reached || instruction.is_invalid() {
            let next = starts.range(at + 1..).next().copied().unwrap_or(code.len()).min(code.len());
            data(code, at, next, &mut lines);
            (at, reached) = (next, false);
            continue;
        }
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        let offset = at as u32;
        at += instruction.len();
        lines.push(Instruction { offset, end: at as u32, text, is_data: false });
        if instruction.op_count() > 0 && instruction.op0_kind() == OpKind::NearBranch64 {
            starts.insert(instruction.near_branch_target() as usize);
        }
        if instruction.flow_control() == FlowControl::IndirectBranch
            && let Some(table) = table_of(&latest, &instruction)
        {
            jump_table(code, table, starts);
        }
        latest = [latest[1], latest[2], instruction];
        use FlowControl::{Exception, IndirectBranch, Return, UnconditionalBranch};
        reached = !matches!(instruction.flow_control(), UnconditionalBranch | IndirectBranch | Return | Exception);
    }
    lines
}

/// Returns the offset of the table that a jump goes through: `lea table, [rip+distance]`, `movsxd entry, [table+index*4]`,
/// `add table, entry`, `jmp table`. Returns `None` for any other jump. Several jumps may go through one table.
fn table_of(latest: &[Decoded; 3], jump: &Decoded) -> Option<usize> {
    let [address, load, add] = latest;
    let is_table_jump = address.mnemonic() == Mnemonic::Lea
        && address.is_ip_rel_memory_operand()
        && address.op0_register() == load.memory_base()
        && load.mnemonic() == Mnemonic::Movsxd
        && add.mnemonic() == Mnemonic::Add
        && load.memory_base() == add.op0_register()
        && load.op0_register() == add.op1_register()
        && add.op0_register() == jump.op0_register();
    is_table_jump.then(|| address.ip_rel_memory_address() as usize)
}

/// Adds the targets of a jump table. Its entries are distances from the table. The table ends before the first of its targets.
fn jump_table(code: &[u8], table: usize, starts: &mut BTreeSet<usize>) {
    let mut end = starts.range(table + 1..).next().copied().unwrap_or(code.len()).min(code.len());
    let mut at = table;
    while at + 4 <= end
        && let Some(&entry) = code[at..].first_chunk()
        && let Some(target) = table.checked_add_signed(i32::from_le_bytes(entry) as isize)
        && target < code.len()
    {
        starts.insert(target);
        if target > table {
            end = end.min(target);
        }
        at += 4;
    }
}

/// Adds lines of data. Constants, which are at the end of the code, are aligned to their size.
fn data(code: &[u8], from: usize, to: usize, lines: &mut Vec<Instruction>) {
    let mut at = from;
    while at < to {
        let before = if to == code.len() { at % DATA_ON_LINE } else { 0 };
        let next = to.min(at + DATA_ON_LINE - before);
        let shown: Vec<String> = code[at..next].iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(".byte {}", shown.join(" "));
        lines.push(Instruction { offset: at as u32, end: next as u32, text, is_data: true });
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &[u8], starts: &[u32], expected: &[(u32, &str)]) {
        let lines = disassemble(code, starts);
        let shown: Vec<(u32, &str)> = lines.iter().map(|line| (line.offset, line.text.as_str())).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn instructions_and_their_offsets() {
        let code = [0x55, 0x48, 0x89, 0xe5, 0x83, 0xc0, 0x4d, 0xc5, 0xf8, 0x58, 0xc1, 0x5d, 0xc3];
        let expected = [
            (0, "push rbp"),
            (1, "mov rbp, rsp"),
            (4, "add eax, 0x4d"),
            (7, "vaddps xmm0, xmm0, xmm1"),
            (11, "pop rbp"),
            (12, "ret"),
        ];
        check(&code, &[], &expected);
    }

    #[test]
    fn unreachable_bytes_are_data() {
        // A jump over four bytes, a return, and a constant at the end.
        let code = [0xeb, 0x04, 1, 2, 3, 4, 0xc3, 0xff, 0xff];
        check(&code, &[], &[(0, "jmp 6"), (2, ".byte 01 02 03 04"), (6, "ret"), (7, ".byte ff"), (8, ".byte ff")]);
        // After an indirect jump, only a source location shows that code starts again.
        let code = [0xff, 0xe0, 9, 9, 0x90, 0xc3];
        check(&code, &[4], &[(0, "jmp rax"), (2, ".byte 09 09"), (4, "nop"), (5, "ret")]);
        check(&code, &[], &[(0, "jmp rax"), (2, ".byte 09 09 90 c3")]);
    }

    #[test]
    fn jump_tables_lead_to_code() {
        // lea rdx, [table]; movsxd rcx, [rdx+rcx*4]; add rdx, rcx; jmp rdx; a table of two: to the `ret`, to the `nop` before it.
        // Behind the `ret` is another jump through the table, then data.
        let code = [
            0x48, 0x8d, 0x15, 9, 0, 0, 0, 0x48, 0x63, 0x0c, 0x8a, 0x48, 0x01, 0xca, 0xff, 0xe2, 9, 0, 0, 0, 8, 0, 0, 0,
            0x90, 0xc3, 0x48, 0x8d, 0x15, 0xef, 0xff, 0xff, 0xff, 0x48, 0x63, 0x0c, 0x8a, 0x48, 0x01, 0xca, 0xff, 0xe2,
            0x06, 0x06,
        ];
        let expected = [
            (0, "lea rdx, [rip+9]"),
            (7, "movsxd rcx, [rdx+rcx*4]"),
            (11, "add rdx, rcx"),
            (14, "jmp rdx"),
            (16, ".byte 09 00 00 00 08 00 00 00"),
            (24, "nop"),
            (25, "ret"),
            (26, "lea rdx, [rip-0x11]"),
            (33, "movsxd rcx, [rdx+rcx*4]"),
            (37, "add rdx, rcx"),
            (40, "jmp rdx"),
            (42, ".byte 06 06"),
        ];
        check(&code, &[26], &expected);
        // Without the load of a table entry, the jump is a tail call with constants after it.
        let expected = [(0, "add rdx, rcx"), (3, "jmp rdx"), (5, ".byte 09 00 00"), (8, ".byte 00 08 00 00 00")];
        check(&code[11..24], &[], &expected);
    }

    #[test]
    fn jumps_back_lead_to_code() {
        // The block at 2 is found when the block after it jumps there.
        let code = [0xeb, 0x02, 0x90, 0xc3, 0xeb, 0xfc, 0x06];
        check(&code, &[], &[(0, "jmp 4"), (2, "nop"), (3, "ret"), (4, "jmp 2"), (6, ".byte 06")]);
    }

    #[test]
    fn constants_have_their_offsets() {
        let lines: Vec<Instruction> = constants(0x20, &[1; 12]).collect();
        let shown: Vec<(u32, u32, &str)> = lines.iter().map(|line| (line.offset, line.end, &*line.text)).collect();
        assert_eq!(shown[0], (0x20, 0x28, ".byte 01 01 01 01 01 01 01 01"));
        assert_eq!(shown[1], (0x28, 0x2c, ".byte 01 01 01 01"));
    }

    #[test]
    fn invalid_instructions_are_data() {
        check(&[0x06, 0x90], &[], &[(0, ".byte 06 90")]);
        check(&[], &[], &[]);
    }
}
