//! Tests of the baseline compiler.

mod agreement;
mod listings;
mod loops;

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};

use super::assemble::{Alu, Assembler, Mem, RAX, RCX, RDI, RDX, RSI, Rm, Shift, condition};
use super::rows::{Emitter, emitter};
use super::sse;
use super::vector_rows::{Order, Place, Program, Step, Vector};
use crate::instr::{Instr, Row};

/// Returns the text of machine code, an instruction a line.
fn text(code: &[u8]) -> Vec<String> {
    let mut decoder = Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    let mut lines = Vec::new();
    while decoder.can_decode() {
        let mut line = String::new();
        formatter.format(&decoder.decode(), &mut line);
        lines.push(line);
    }
    lines
}

#[track_caller]
fn check(expected: &[&str], emit: impl Fn(&mut Assembler)) {
    let mut asm = Assembler::default();
    emit(&mut asm);
    assert_eq!(text(&asm.into_bytes()), expected);
}

#[test]
fn memory_operands_have_all_forms() {
    let load = |mem| move |asm: &mut Assembler| asm.mov(true, 9, Rm::Mem(mem));
    check(&["mov r9,[rsi]"], load(Mem::at(RSI, 0)));
    check(&["mov r9,[rsi-80h]"], load(Mem::at(RSI, -128)));
    check(&["mov r9,[rsi+80h]"], load(Mem::at(RSI, 128)));
    check(&["mov r9,[rbp]"], load(Mem::at(5, 0)));
    check(&["mov r9,[r13]"], load(Mem::at(13, 0)));
    check(&["mov r9,[r12]"], load(Mem::at(12, 0)));
    check(&["mov r9,[r12+8]"], load(Mem::at(12, 8)));
    check(&["mov r9,[rdx+r12+1000h]"], load(Mem::indexed(RDX, 12, 0x1000)));
    check(&["mov r9,[r13+rbp*8]"], load(Mem { base: 13, index: Some((5, 3)), displacement: 0 }));
    check(&["mov eax,[rdx-1]"], |asm| asm.mov(false, RAX, Rm::Mem(Mem::at(RDX, -1))));
    check(&["movsd xmm9,[1009h]"], |asm| {
        asm.op(0xf200_0f10, false, 9, Rm::Constant);
    });
}

#[test]
fn registers_have_their_prefixes() {
    check(&["mov r8d,ebx", "mov rbx,r8"], |asm| {
        asm.mov(false, 8, Rm::Reg(3));
        asm.mov(true, 3, Rm::Reg(8));
    });
    check(&["mov [rdx],bpl", "mov [rdx],r9b", "mov [rdx],bl", "mov [rdx],di"], |asm| {
        asm.op_byte(0x88, 5, Rm::Mem(Mem::at(RDX, 0)));
        asm.op_byte(0x88, 9, Rm::Mem(Mem::at(RDX, 0)));
        asm.op_byte(0x88, 3, Rm::Mem(Mem::at(RDX, 0)));
        asm.op(0x6600_0089, false, RDI, Rm::Mem(Mem::at(RDX, 0)));
    });
    check(&["movsx ecx,bpl", "movsx rcx,r9b", "movzx eax,word ptr [rdx+rax]", "movsxd r9,[rsi]"], |asm| {
        asm.op_byte(0x0fbe, RCX, Rm::Reg(5));
        asm.op(0x0fbe, true, RCX, Rm::Reg(9));
        asm.op(0x0fb7, false, RAX, Rm::Mem(Mem::indexed(RDX, RAX, 0)));
        asm.op(0x63, true, 9, Rm::Mem(Mem::at(RSI, 0)));
    });
    check(&["sete al", "movzx r12d,al", "seta al", "movzx eax,al"], |asm| {
        asm.set(condition::EQUAL, 12);
        asm.set(condition::ABOVE, RAX);
    });
    check(&["addss xmm1,xmm9", "ucomisd xmm8,xmm0", "movq rax,xmm9", "movd xmm9,eax", "roundsd xmm1,xmm2,3"], |asm| {
        asm.op(0xf300_0f58, false, 1, Rm::Reg(9));
        asm.op(0x6600_0f2e, false, 8, Rm::Reg(0));
        asm.op(0x6600_0f7e, true, 9, Rm::Reg(RAX));
        asm.op(0x6600_0f6e, false, 9, Rm::Reg(RAX));
        asm.op_imm8(0x660f_3a0b, false, 1, Rm::Reg(2), 3);
    });
    check(&["cvttsd2si r9,xmm1", "cvtsi2sd xmm9,r9", "popcnt r9d,[rsi]"], |asm| {
        asm.op(0xf200_0f2c, true, 9, Rm::Reg(1));
        asm.op(0xf200_0f2a, true, 9, Rm::Reg(9));
        asm.op(0xf300_0fb8, false, 9, Rm::Mem(Mem::at(RSI, 0)));
    });
}

#[test]
fn constants_have_their_shortest_form() {
    check(&["mov r9d,0FFFFFFFFh", "mov rax,0FFFFFFFFFFFFFFFFh", "mov rdi,123456789ABCDEFh", "mov ebx,0"], |asm| {
        asm.constant(9, 0xffff_ffff);
        asm.constant(RAX, u64::MAX);
        asm.constant(RDI, 0x123_4567_89ab_cdef);
        asm.constant(3, 0);
    });
    check(&["add r9,7Fh", "cmp dword ptr [rsi],80h", "and eax,0FFFFFFFEh", "sub r10,[rsi+8]"], |asm| {
        asm.alu_imm(Alu::Add, true, Rm::Reg(9), 127);
        asm.alu_imm(Alu::Cmp, false, Rm::Mem(Mem::at(RSI, 0)), 128);
        asm.alu_imm(Alu::And, false, Rm::Reg(RAX), -2);
        asm.alu(Alu::Sub, true, 10, Rm::Mem(Mem::at(RSI, 8)));
    });
    let stores = [
        "mov byte ptr [rdx],0FFh",
        "mov word ptr [rdx],0FFFEh",
        "mov dword ptr [rdx],5",
        "mov qword ptr [rdx],0FFFFFFFFFFFFFFFDh",
    ];
    check(&stores, |asm| {
        asm.store_imm(1, Mem::at(RDX, 0), -1);
        asm.store_imm(2, Mem::at(RDX, 0), -2);
        asm.store_imm(4, Mem::at(RDX, 0), 5);
        asm.store_imm(8, Mem::at(RDX, 0), -3);
    });
}

#[test]
fn shifts_and_divisions() {
    check(
        &["shl r9,3", "ror ebx,1Fh", "sar rax,cl", "shlx r9,r10,r11", "sarx ebx,r8d,ebp", "shrx rax,rbx,r12"],
        |asm| {
            asm.shift_imm(Shift::Left, true, 9, 3);
            asm.shift_imm(Shift::RotateRight, false, 3, 31);
            asm.shift_cl(Shift::RightSigned, true, RAX);
            asm.shift_bmi2(Shift::Left, true, 9, 10, 11);
            asm.shift_bmi2(Shift::RightSigned, false, 3, 8, 5);
            asm.shift_bmi2(Shift::RightUnsigned, true, RAX, 3, 12);
        },
    );
    check(&["cdq", "cqo", "idiv r9d", "div rbx", "imul r9d,r10d,7", "imul rbx,[rsi],12345h"], |asm| {
        asm.sign_extend_rax(false);
        asm.sign_extend_rax(true);
        asm.op(0xf7, false, 7, Rm::Reg(9));
        asm.op(0xf7, true, 6, Rm::Reg(3));
        asm.op_imm8(0x6b, false, 9, Rm::Reg(10), 7);
        asm.op_imm32(0x69, true, 3, Rm::Mem(Mem::at(RSI, 0)), 0x12345);
    });
}

#[test]
fn short_jumps_land_at_the_end() {
    check(&["je short 0000000000001006h", "mov eax,ebx", "jmp short 0000000000001008h", "mov eax,ebp"], |asm| {
        let branch = asm.branch_short(condition::EQUAL);
        asm.mov(false, RAX, Rm::Reg(3));
        let jump = asm.jump_short();
        asm.land_short(branch);
        asm.mov(false, RAX, Rm::Reg(5));
        asm.land_short(jump);
    });
}

#[test]
fn opcodes_of_vectors_have_their_names() {
    let encode = |name: &str, opcode, byte: Option<u8>| {
        let mut asm = Assembler::default();
        let rm = if name.ends_with("_TO") { Rm::Mem(Mem::at(RDX, 0)) } else { Rm::Reg(2) };
        match byte {
            Some(byte) => asm.op_imm8(opcode, false, 1, rm, byte),
            None => asm.op(opcode, false, 1, rm),
        }
        text(&asm.into_bytes()).join("; ")
    };
    for (list, byte) in [(sse::PLAIN, None), (sse::WITH_BYTE, Some(9))] {
        for &(name, opcode) in list {
            let mnemonic = name.trim_end_matches("_TO").trim_end_matches("_FROM").to_lowercase();
            let text = encode(name, opcode, byte);
            assert!(text.starts_with(&format!("{mnemonic} ")) && !text.contains(';'), "{name}: {text}");
            assert!(byte.is_none() || text.ends_with(",9"), "{name}: {text}");
        }
    }
    let shifts = [
        (sse::PSRLW_BYTE, "psrlw"),
        (sse::PSRAW_BYTE, "psraw"),
        (sse::PSLLW_BYTE, "psllw"),
        (sse::PSRLD_BYTE, "psrld"),
        (sse::PSRAD_BYTE, "psrad"),
        (sse::PSLLD_BYTE, "pslld"),
        (sse::PSRLQ_BYTE, "psrlq"),
        (sse::PSLLQ_BYTE, "psllq"),
    ];
    for ((opcode, digit), name) in shifts {
        check(&[&format!("{name} xmm9,5")], |asm| asm.op_imm8(opcode, false, digit, Rm::Reg(9), 5));
    }
}

/// A program of one operand may have its result in the operand's register. Scratch registers have no value at the start.
#[test]
fn programs_read_what_they_may() {
    let mut programs = 0;
    for (_, instr) in Instr::all() {
        use Vector::{Binary, Ternary, Test, Unary};
        let Some(Emitter::Vector(Unary(program) | Binary(program) | Ternary(program) | Test(program, _))) =
            emitter(instr)
        else {
            continue;
        };
        programs += 1;
        let Program { order, steps } = program;
        let mut known = vec![Place::Y, Place::Z];
        if order != Order::Alone {
            known.push(Place::X);
        }
        for &step in steps {
            let (to, from) = match step {
                Step::Plain(opcode, to, from) => {
                    let is_constant = to == from && [sse::PXOR, sse::PCMPEQD].contains(&opcode);
                    (to, Some(from).filter(|_| !is_constant))
                }
                Step::WithByte(_, to, from, _) => (to, Some(from)),
                Step::Shift(_, to, _) => (to, Some(to)),
            };
            let from = from.filter(|from| !matches!(from, Place::Constant(..)));
            assert!(from.is_none_or(|from| known.contains(&from)), "{}: {step:?}", instr.text());
            assert!(![Place::Y, Place::Z].contains(&to) || steps.len() == 1, "{}: {step:?}", instr.text());
            known.push(to);
            if order == Order::Alone && to == Place::X {
                known.retain(|&place| place != Place::Y);
            }
        }
    }
    assert!(programs > 1000, "{programs}");
}

/// The operators and families without any emitter, and the instructions without one of all others. `WASMR_BLESS=1` accepts the
/// present ones.
#[test]
fn instructions_without_emitters_are_listed() {
    let mut rows: Vec<(Row, Vec<Instr>)> = Vec::new();
    for (_, instr) in Instr::all() {
        match rows.last_mut() {
            Some((row, instructions)) if *row == instr.row().0 => instructions.push(instr),
            _ => rows.push((instr.row().0, vec![instr])),
        }
    }
    let mut listed = String::new();
    for (row, instructions) in rows {
        let left: Vec<_> = instructions.iter().filter(|&&instr| emitter(instr).is_none()).collect();
        if left.len() < instructions.len() {
            left.into_iter().for_each(|instr| listed += &format!("{}\n", instr.text()));
            continue;
        }
        listed += &match row {
            Row::Operator(op) => format!("{}: all\n", op.info().name),
            Row::Own(family) => format!("{family}: all\n"),
        };
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/baseline/left_to_handlers.txt");
    if std::env::var_os("WASMR_BLESS").is_some() {
        std::fs::write(path, &listed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), listed, "WASMR_BLESS=1 accepts what is left now");
}
