//! Proves that the analysis of copy-and-patch names each assumption of `docs/copy-and-patch.md` that a handler breaks, and the
//! instruction that breaks it, on handlers assembled by hand.
//!
//! A build without copy-and-patch (see `build.rs`) leaves this file out.

use iced_x86::InstructionInfoFactory;

/// The effect of a broken assumption on its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// The handler has no template.
    Refused,
    /// The handler has a template, which contains the instruction unchanged.
    Copied,
}
use Effect::{Copied, Refused};

use super::disassembly::{explain, instruction};
use crate::copy_patch::analyse::{analyse, analyse_code};
use crate::copy_patch::assumption::{Assumption, Broken};
use crate::copy_patch::template::{Bytes, Finish, Step, Template};

/// A handler: the assumption that it breaks, the instruction that breaks it, and the machine code.
struct Case(Assumption, Effect, &'static str, &'static [u8]);

/// `mov rax, [rdi + 16]`, `add rdi, 16`, `jmp rax`: the end of a handler whose instruction has two code words.
macro_rules! with_end {
    ($($byte:literal)*) => {
        &[$($byte,)* 0x48, 0x8b, 0x47, 0x10, 0x48, 0x83, 0xc7, 0x10, 0xff, 0xe0]
    };
}

/// More instructions than a handler may have: `nop`.
static LONG: [u8; 257] = [0x90; 257];

/// Jumps to code that is not copied and that may read `rdi`, so that each needs a block of its own: `je`, 200 times.
static MANY_BLOCKS: [u8; 200 * 6 + 10] = many_blocks();

const fn many_blocks() -> [u8; 200 * 6 + 10] {
    let (branch, end) = ([0x0f, 0x84, 0, 0, 0x10, 0], with_end!());
    let (mut code, mut at) = ([0; 200 * 6 + 10], 0);
    while at < code.len() {
        code[at] = if at < 200 * 6 { branch[at % 6] } else { end[at - 200 * 6] };
        at += 1;
    }
    code
}

#[rustfmt::skip]
static CASES: [Case; 22] = [
    Case(Assumption::OnePiece, Refused, "nop", &LONG),
    Case(Assumption::OnePiece, Refused, "je ", &MANY_BLOCKS),
    // A jump by 1 MiB.
    Case(Assumption::OnePiece, Refused, "jmp ", &[0xe9, 0, 0, 0x10, 0]),
    // `push es` of 32-bit code.
    Case(Assumption::KnownInstructions, Refused, "(bad)", &[0x06]),
    Case(Assumption::KnownJumps, Refused, "jmp qword ptr [rdi]", &[0x48, 0x83, 0xc7, 0x10, 0xff, 0x27]),
    Case(Assumption::KnownJumps, Refused, "ret", &[0x31, 0xc0, 0xc3]),
    Case(Assumption::NoNativeStack, Refused, "push rbx", with_end!(0x53)),
    Case(Assumption::NoNativeStack, Refused, "call ", with_end!(0xe8 0x00 0x00 0x10 0x00)),
    Case(Assumption::OnlyArguments, Refused, "mov [rsi],rax", with_end!(0x48 0x89 0x06)),
    // `mov rax, [rip + 16]` before it.
    Case(Assumption::Dispatches, Refused, "jmp rax", &[0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0xff, 0xe0]),
    Case(Assumption::WholeRip, Refused, "mov eax,[", with_end!(0x67 0x8b 0x05 0x10 0x00 0x00 0x00)),
    // `dec rdx`, `jne` back to the `lea`, `mov rax, [rdi]`, `jmp rax` after it.
    Case(Assumption::SameIpInLoops, Refused, "lea rdi,[rdi+8]",
        &[0x48, 0x8d, 0x7f, 0x08, 0x48, 0xff, 0xca, 0x75, 0xf7, 0x48, 0x8b, 0x07, 0xff, 0xe0]),
    // `test r8, r8`, `je` to the end of two words, one of one word.
    Case(Assumption::OneLength, Refused, "jmp rax",
        with_end!(0x4d 0x85 0xc0 0x74 0x0a 0x48 0x8b 0x47 0x08 0x48 0x83 0xc7 0x08 0xff 0xe0)),
    Case(Assumption::KnownIp, Copied, "add rdi,r8", &[0x4c, 0x01, 0xc7, 0x48, 0x8b, 0x07, 0xff, 0xe0]),
    // `mov rax, [rdi + 24]`, `add rdi, 16` before it.
    Case(Assumption::NextHandler, Copied, "jmp rax", &[0x48, 0x8b, 0x47, 0x18, 0x48, 0x83, 0xc7, 0x10, 0xff, 0xe0]),
    Case(Assumption::FieldLoads, Copied, "mov r8,[rdi+r8*8]", with_end!(0x4e 0x8b 0x04 0xc7)),
    // `movsx rax, word ptr [rdi + 8]` before it, as in the next ones.
    Case(Assumption::FieldUses, Copied, "imul rax,r8", with_end!(0x48 0x0f 0xbf 0x47 0x08 0x49 0x0f 0xaf 0xc0)),
    // `movsx rax, word ptr [rdi + 8]`, `add rax, r9` before it; its VEX prefix has no room for `r9`.
    Case(Assumption::KnownEncoding, Copied, "vmovsd xmm0,[rdx+rax]",
        with_end!(0x48 0x0f 0xbf 0x47 0x08 0x4c 0x01 0xc8 0xc5 0xfb 0x10 0x04 0x02)),
    // With EVEX.
    Case(Assumption::KnownEncoding, Copied, "vmovsd xmm0,[rsi+rax*8+8]",
        with_end!(0x48 0x0f 0xbf 0x47 0x08 0x62 0xf1 0xff 0x08 0x10 0x44 0xc6 0x01)),
    Case(Assumption::KnownEncoding, Copied, "vblendvpd xmm0,xmm0,[rsi+rax*8],xmm1",
        with_end!(0x48 0x0f 0xbf 0x47 0x08 0xc4 0xe3 0x79 0x4b 0x04 0xc6 0x10)),
    Case(Assumption::SignTest, Copied, "cmp dword ptr [rdi+0Ch],0",
        with_end!(0x83 0x7f 0x0c 0x00 0x7e 0x0a 0x48 0x8b 0x47 0x10 0x48 0x83 0xc7 0x10 0xff 0xe0)),
    // `movsxd rax, dword ptr [rdi + 12]` before it; `setle r8b`, `jle` after it.
    Case(Assumption::SignTest, Copied, "test eax,eax",
        with_end!(0x48 0x63 0x47 0x0c 0x85 0xc0 0x41 0x0f 0x9e 0xc0 0x7e 0x0a
            0x48 0x8b 0x47 0x10 0x48 0x83 0xc7 0x10 0xff 0xe0)),
];

fn template_of(code: &'static [u8]) -> Result<Template, Vec<Broken>> {
    analyse_code(code, &mut InstructionInfoFactory::new())
}

#[test]
fn the_broken_assumption_and_its_instruction_are_named() {
    for Case(assumption, effect, text, code) in &CASES {
        let (outcome, broken) = match template_of(code) {
            Ok(template) => (Copied, template.deviations),
            Err(broken) => (Refused, broken),
        };
        let base = code.as_ptr() as u64;
        let message = explain("a handler", &broken, code, base);
        assert_eq!(outcome, *effect, "{text}: {message}");
        assert_eq!(broken.first().map(|broken| broken.assumption), Some(*assumption), "{text}: {message}");
        assert!(instruction(broken[0].at, code, base).starts_with(text), "{text}: {message}");
    }
}

#[test]
fn every_assumption_can_be_broken() {
    for assumption in Assumption::ALL {
        // `code_outside_of_the_program_is_refused` breaks this one.
        let is_broken = assumption == Assumption::InImage || CASES.iter().any(|case| case.0 == assumption);
        assert!(is_broken, "no handler here breaks {assumption}");
    }
}

#[test]
fn code_outside_of_the_program_is_refused() {
    let handler = Box::new([0xc3_u8]);
    let address = handler.as_ptr() as usize;
    let broken = analyse(address, &mut InstructionInfoFactory::new()).unwrap_err();
    assert_eq!(broken, [Broken { assumption: Assumption::InImage, at: address as u64 }]);
}

#[test]
fn the_message_has_handler_instruction_address_and_assumption() {
    let code: &[u8] = with_end!(0x90 0x53);
    let base = code.as_ptr() as u64;
    let broken = template_of(code).unwrap_err();
    assert_eq!(
        explain("numeric::binary", &broken, code, base),
        format!(
            "numeric::binary: `push rbx` at {:#x} (byte 1) breaks assumption 5 of docs/copy-and-patch.md \
             (The way to another handler keeps off the native stack)",
            base + 1
        )
    );
}

#[test]
fn the_page_lists_the_assumptions() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/copy-and-patch.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (index, assumption) in Assumption::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(assumption.number()), index + 1);
        let entry = format!("\n{}. **{}.**", assumption.number(), assumption.statement());
        assert!(page.contains(&entry), "the page has no entry like {entry}");
    }
    let more = format!("\n{}. **", Assumption::ALL.len() + 1);
    assert!(!page.contains(&more), "the page has an assumption that the code does not know");
}

#[test]
fn a_handler_that_breaks_none_is_understood() {
    // movsx rax, word ptr [rdi + 8]; mov rax, [rsi + rax * 8]; movsx r10, word ptr [rdi + 10]; mov [rsi + r10 * 8], rax
    let copy: &[u8] =
        with_end!(0x48 0x0f 0xbf 0x47 0x08 0x48 0x8b 0x04 0xc6 0x4c 0x0f 0xbf 0x57 0x0a 0x4a 0x89 0x04 0xd6);
    let template = template_of(copy).unwrap();
    assert_eq!(template.deviations, []);
    assert_eq!((template.words, &template.blocks[0].finish), (Some(2), &Finish::Next));
    let steps = &template.blocks[0].steps;
    assert!(steps.len() == 2 && steps.iter().all(|step| matches!(step, Step::Displaced { .. })), "{steps:?}");
}

#[test]
fn a_mask_of_the_carry_flag_reads_no_register() {
    // cmp r8, [rsi]; sbb eax, eax; mov [rsi], rax
    let mask: &[u8] = with_end!(0x4c 0x3b 0x06 0x19 0xc0 0x48 0x89 0x06);
    assert_eq!(template_of(mask).unwrap().deviations, []);
}

/// Returns the first step of a template, an instruction with a field in its displacement, with 256 for the field.
fn displaced(template: &Template) -> String {
    let step = template.blocks[0].steps.iter().find(|step| matches!(step, Step::Displaced { .. }));
    let Some(Step::Displaced { insn, .. }) = step else { panic!("{template:?}") };
    let part = |range: &Bytes| template.bytes[usize::from(range.start)..usize::from(range.end)].to_vec();
    let mut code = part(&insn.head);
    // Mode 2: a displacement of 32 bits.
    code[usize::from(insn.modrm_at)] |= 0x80;
    code.extend(256_u32.to_le_bytes());
    code.extend(part(&insn.tail));
    instruction(0, &code, 0)
}

#[test]
fn vex_instructions_are_rewritten() {
    let cases: [(&[u8], &str); 4] = [
        // movsx rax, word ptr [rdi + 8]; vmovsd xmm0, qword ptr [rsi + rax * 8]
        (with_end!(0x48 0x0f 0xbf 0x47 0x08 0xc5 0xfb 0x10 0x04 0xc6), "vmovsd xmm0,[rsi+100h]"),
        // movsx r10, word ptr [rdi + 8]; vmovsd xmm0, qword ptr [rsi + r10 * 8]
        (with_end!(0x4c 0x0f 0xbf 0x57 0x08 0xc4 0xa1 0x7b 0x10 0x04 0xd6), "vmovsd xmm0,[rsi+100h]"),
        // movsx r10, word ptr [rdi + 8]; vmovsd xmm0, qword ptr [r10 + rsi]
        (with_end!(0x4c 0x0f 0xbf 0x57 0x08 0xc4 0xc1 0x7b 0x10 0x04 0x32), "vmovsd xmm0,[rsi+100h]"),
        // mov r10, rsi; movsx rax, word ptr [rdi + 8]; vmovsd xmm0, qword ptr [r10 + rax * 8]
        (with_end!(0x49 0x89 0xf2 0x48 0x0f 0xbf 0x47 0x08 0xc4 0xc1 0x7b 0x10 0x04 0xc2), "vmovsd xmm0,[r10+100h]"),
    ];
    for (code, text) in cases {
        let template = template_of(code).unwrap();
        assert_eq!(template.deviations, []);
        assert_eq!(displaced(&template), text);
    }
}

#[test]
fn evex_instructions_read_constants_of_the_instruction() {
    // vcmpeqsd k1, xmm0, qword ptr [rdi + 8]
    let compare: &[u8] = with_end!(0x62 0xf1 0xff 0x08 0xc2 0x4f 0x01 0x00);
    let template = template_of(compare).unwrap();
    assert_eq!(template.deviations, []);
    let [Step::Literal { insn, at: 8, size: 8 }] = &template.blocks[0].steps[..] else { panic!("{template:?}") };
    // The displacement has 32 bits, which are not scaled.
    assert!(insn.needs_displacement && template.bytes[usize::from(insn.modrm_at)] == 0x0d);
}
