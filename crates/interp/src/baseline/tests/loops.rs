//! Loops agree with handlers: values go over their back edges in registers, whichever instructions a loop consists of.

use wasmr_core::op::Op;

use super::agreement::{OPERANDS, Random, World, differ, with_code};
use crate::execute::dispatch::handler_word;
use crate::instr::field::{fields, fields_imm};
use crate::instr::locations::{Cleared, Dst, Form, In, Ordered, VectorForm};
use crate::instr::{
    Binary, Br, BranchCompare, ConstantV128, ConstantWide, CopyPair, CopySlot, CopyTwo, CopyV128, Enter, ReturnPlain,
    Unary, VectorBinary, handler,
};
use crate::machine_code::code_memory::ModuleRegion;

/// Locals of each type: four `i64`, three `i32`, a counter, four `f64`, four vectors.
const LONGS: i16 = 0;
const INTS: i16 = 4;
const COUNTER: i16 = 7;
const FLOATS: i16 = 8;
const VECTORS: i16 = 12;

/// Returns a function with a loop of random instructions.
fn function(random: &mut Random) -> Vec<u64> {
    let word = |handler| handler_word(handler);
    let mut code = vec![word(handler(Enter, Cleared(OPERANDS as u32))), 64 | (OPERANDS as u64) << 32];
    for slot in 0..VECTORS {
        let value = match slot {
            COUNTER => 0,
            INTS..COUNTER => random.value() & u64::from(u32::MAX),
            FLOATS..VECTORS => (random.below(1000) as f64).to_bits(),
            _ => random.value(),
        };
        code.extend([word(handler(ConstantWide, ())), fields(slot, 0, 0, 0), value]);
    }
    for slot in (VECTORS..OPERANDS as i16).step_by(2) {
        code.extend([word(handler(ConstantV128, ())), fields(slot, 0, 0, 0), random.value(), random.value()]);
    }
    let start = code.len();
    let (mut exits, mut skips) = (Vec::new(), Vec::new());
    let bound = 1 + random.below(6) as i16;
    // Counts, and branches to the start.
    let end = |code: &mut Vec<u64>| {
        let count = handler(Binary(Op::I32Add), (Form::SlotImm, Dst::Slot));
        code.extend([word(count), fields_imm(COUNTER, COUNTER, 1)]);
        let branch = handler(BranchCompare(Op::I32LtU), (Ordered(Form::SlotImm), true));
        let back = (start as i64 - code.len() as i64) as u32;
        code.extend([word(branch), fields(COUNTER, bound, 0, 0) | u64::from(back) << 32]);
    };
    let land = |code: &mut Vec<u64>, branches: &mut Vec<usize>| {
        for branch in branches.drain(..) {
            code[branch + 1] |= ((code.len() - branch) as u64) << 32;
        }
    };
    for _ in 0..1 + random.below(9) {
        if random.below(3) == 0 {
            land(&mut code, &mut skips);
        }
        let mut pick = |first: i16, count: u64, step: i16| first + random.below(count) as i16 * step;
        let longs = [(); 3].map(|()| pick(LONGS, 4, 1));
        let ints = [(); 3].map(|()| pick(INTS, 3, 1));
        let floats = [(); 3].map(|()| pick(FLOATS, 4, 1));
        let vectors = [(); 3].map(|()| pick(VECTORS, 4, 2));
        let all = |[d, a, b]: [i16; 3]| fields(d, a, b, 0);
        let choice = random.below(3) as usize;
        let slots = (Form::SlotSlot, Dst::Slot);
        match random.below(17) {
            0 | 1 => {
                code.extend([word(handler(Binary([Op::I64Add, Op::I64Sub, Op::I64Mul][choice]), slots)), all(longs)])
            }
            2 | 3 => {
                code.extend([word(handler(Binary([Op::I32Add, Op::I32Sub, Op::I32Xor][choice]), slots)), all(ints)])
            }
            4 | 5 => {
                code.extend([word(handler(Binary([Op::F64Add, Op::F64Sub, Op::F64Mul][choice]), slots)), all(floats)])
            }
            6 | 7 => {
                let op = [Op::I32x4Add, Op::I8x16Sub, Op::I16x8MinS][choice];
                code.extend([word(handler(VectorBinary(op), (VectorForm::SlotSlot, Dst::Slot))), all(vectors)]);
            }
            8 => {
                let pair = [longs, ints, floats][choice];
                code.extend([word(handler(CopySlot, ())), all(pair)]);
                code.extend([word(handler(CopyV128, ())), all(vectors)]);
            }
            // An exchange.
            9 => {
                let first = [LONGS, INTS, FLOATS][choice];
                code.extend([word(handler(CopyPair, ())), fields(first, first + 1, first, 0)]);
            }
            10 => {
                let [d, a, b] = [longs, ints, floats][choice];
                code.extend([word(handler(CopyTwo, ())), fields(d, a, b, d)]);
            }
            // Both directions between 32 and 64 bits.
            11 => {
                let (extend, wrap) = (Unary(Op::I64ExtendI32U), Unary(Op::I32WrapI64));
                code.extend([word(handler(extend, (In::Slot, Dst::Slot))), fields(longs[0], ints[0], 0, 0)]);
                code.extend([word(handler(wrap, (In::Slot, Dst::Slot))), fields(ints[1], longs[1], 0, 0)]);
                code.extend([word(handler(Binary(Op::I64Add), (Form::SlotSlot, Dst::Acc))), all(longs)]);
                code.extend([word(handler(Binary(Op::I64Mul), (Form::AccSlot, Dst::Slot))), all(longs)]);
            }
            12 => {
                exits.push(code.len());
                let exit = handler(BranchCompare(Op::I32Eq), (Ordered(Form::SlotImm), true));
                code.extend([word(exit), fields(ints[0], random.below(5) as i16, 0, 0)]);
            }
            13 | 14 => {
                skips.push(code.len());
                let skip = handler(BranchCompare(Op::I32LtS), (Ordered(Form::SlotSlot), true));
                code.extend([word(skip), fields(ints[0], ints[1], 0, 0)]);
            }
            // One of two ways.
            15 => {
                let branch = code.len();
                let to_second = handler(BranchCompare(Op::I32LtS), (Ordered(Form::SlotImm), true));
                code.extend([word(to_second), fields(ints[2], 0, 0, 0)]);
                code.extend([word(handler(CopySlot, ())), all(longs)]);
                let jump = code.len();
                code.extend([word(handler(Br, ())), 0]);
                land(&mut code, &mut vec![branch]);
                code.extend([word(handler(Binary(Op::I64Sub), slots)), all(longs)]);
                code.extend([
                    word(handler(VectorBinary(Op::I32x4Add), (VectorForm::SlotSlot, Dst::Slot))),
                    all(vectors),
                ]);
                land(&mut code, &mut vec![jump]);
            }
            _ if random.below(3) == 0 => end(&mut code),
            // It has no emitter.
            _ => {
                let op = Op::I16x8RelaxedDotI8x16I7x16S;
                code.extend([word(handler(VectorBinary(op), (VectorForm::SlotSlot, Dst::Slot))), all(vectors)]);
            }
        }
    }
    land(&mut code, &mut skips);
    end(&mut code);
    land(&mut code, &mut exits);
    code.extend([word(handler(ReturnPlain, ())), 0]);
    code
}

#[test]
fn loops_agree_with_handlers() {
    let mut region = ModuleRegion::default();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for round in 0..4000 {
        let words = function(&mut random);
        let compiled = with_code(&words, &mut region);
        let world = World::new(&mut random);
        let (expected, actual) = (world.clone().run(&words), world.run(&compiled));
        assert_eq!(differ(&actual.2, &expected.2), None, "slots differ in round {round}: {words:x?}");
        assert_eq!((actual.0, actual.1), (expected.0, expected.1), "round {round}");
    }
}
