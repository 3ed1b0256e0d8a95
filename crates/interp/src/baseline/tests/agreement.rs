//! Every emitter agrees with its handler: each instruction is executed by both, with operands in memory, in registers and as known
//! constants, in a frame and an instance made for it.

use std::mem::offset_of;
use std::sync::atomic::Ordering;

use wasmr_core::trap::TrapCode;
use wasmr_core::types::ValType;
use wasmr_runtime::frame::{FRAME_HEADER, Fp, Ip};
use wasmr_runtime::vm::{Status, VmInstance, VmMemory, VmStore};

use super::super::compile_words;
use super::super::rows::{Emitter, Place, Row, Rows};
use crate::copy_patch::code_memory::{ModuleRegion, is_available};
use crate::execute::dispatch::{Machine, handler_word, run};
use crate::execute::frame::exit_instruction;
use crate::execute::operand::float_acc;
use crate::instr::field::{Field, Kind, fields, fields_imm};
use crate::instr::locations::{Cleared, Dst, In};
use crate::instr::{
    Br, Constant, ConstantWide, CopySlot, Enter, GlobalGet, GlobalSet, Instr, ReturnPlain, Row as Name, handler,
};

/// Slots of the frame from the frame pointer on.
const SLOTS: usize = 64;
/// First slot of the operand stack.
const OPERANDS: usize = 20;
/// The slot that tells if a branch was taken.
const TAKEN: i16 = 60;
/// The slot of results: a local, because the accumulator is read afterwards, which uses up an operand of the stack.
const RESULT: i16 = 5;
/// Slots from which operands are copied.
const SOURCES: i16 = 48;
/// Distances in the instance: globals that get the accumulators, a global to read and write, the pointers of two others, a
/// memory.
const ACC: u32 = 1024;
const FACC: u32 = 1040;
const GLOBAL: u32 = 1056;
const POINTER: u32 = 1072;
const MEMORY: u32 = 1080;
/// Bytes of the memory.
const BYTES: usize = 4096;

/// A generator of operands (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Returns a value that is often at an edge of some type.
    fn value(&mut self) -> u64 {
        let edges = [
            0,
            1,
            u64::MAX,
            0x8000_0000,
            0x7fff_ffff,
            0xffff_ffff,
            1 << 63,
            (1 << 63) - 1,
            31,
            2.5f64.to_bits(),
            (-0.5f64).to_bits(),
            (-0.0f64).to_bits(),
            f64::NAN.to_bits() | 5,
            0x7ff0_0000_0000_0001,
            f64::INFINITY.to_bits(),
            4_294_967_295.5f64.to_bits(),
            1e19f64.to_bits(),
            u64::from(1.5f32.to_bits()),
            u64::from((-0.0f32).to_bits()),
            u64::from(f32::NAN.to_bits() | 3),
            0x7f80_0001,
            u64::from(3e9f32.to_bits()),
        ];
        match self.below(4) {
            0 => self.next(),
            1 => self.below(64),
            _ => edges[self.below(edges.len() as u64) as usize],
        }
    }
}

/// The world of one execution.
struct World {
    stack: Vec<u64>,
    instance: Box<[u128; 128]>,
    store: Box<[u128; 64]>,
    memory: Box<[u64; BYTES / 8]>,
    vm_memory: Box<VmMemory>,
    global: Box<[u128; 1]>,
    acc: u64,
    facc: u64,
}

/// The end of an execution: status, trap, slots, globals, memory. After a trap only the first two count.
type End = (Status, Option<TrapCode>, Vec<u64>, Vec<u128>, Vec<u64>);

impl World {
    fn new(random: &mut Random) -> World {
        assert!(size_of::<VmStore>() <= size_of::<[u128; 64]>() && size_of::<VmInstance>() <= ACC as usize);
        let mut memory = Box::new([0u64; BYTES / 8]);
        memory.iter_mut().for_each(|word| *word = random.next());
        let vm_memory = VmMemory { base: memory.as_mut_ptr().cast(), len: BYTES.into(), guarded: true, shared: false };
        World {
            stack: (0..2 * SLOTS).map(|_| random.value()).collect(),
            instance: Box::new([0; 128]),
            store: Box::new([0; 64]),
            memory,
            vm_memory: Box::new(vm_memory),
            global: Box::new([random.value().into()]),
            acc: random.value(),
            facc: random.value(),
        }
    }

    fn clone(&self) -> World {
        let mut memory = self.memory.clone();
        let vm_memory =
            Box::new(VmMemory { base: memory.as_mut_ptr().cast(), len: BYTES.into(), guarded: true, shared: false });
        World {
            stack: self.stack.clone(),
            instance: self.instance.clone(),
            store: self.store.clone(),
            memory,
            vm_memory,
            global: self.global.clone(),
            acc: self.acc,
            facc: self.facc,
        }
    }

    /// Executes instructions, the first of which is `enter`.
    fn run(mut self, words: &[u64]) -> End {
        let store = (&raw mut *self.store).cast::<VmStore>();
        let inst = (&raw mut *self.instance).cast::<VmInstance>();
        // SAFETY: the buffers are large enough and aligned, zero bytes are valid for all fields, and the distances are inside
        // the instance's buffer, beyond its header. The frame is in the middle of the stack. The instructions access only what
        // is set up here.
        let status = unsafe {
            (*store).stack_limit = self.stack.as_mut_ptr().add(self.stack.len());
            (*store).fuel = 1000;
            (*inst).budget = i32::MAX;
            (*inst).store = store;
            (*inst).memory0_base = self.vm_memory.base;
            let place = |at: u32| inst.cast::<u8>().add(at as usize);
            place(POINTER).cast::<*mut u128>().write(self.global.as_mut_ptr());
            place(MEMORY).cast::<*mut VmMemory>().write(&raw mut *self.vm_memory);
            place(GLOBAL).cast::<u64>().write(self.acc ^ 0x55);
            let fp = Fp::new(self.stack.as_mut_ptr().add(SLOTS - FRAME_HEADER));
            fp.set_header(std::ptr::null_mut(), Fp::NULL, exit_instruction());
            run(Machine {
                ip: Ip::new(words.as_ptr()),
                fp,
                mem: self.vm_memory.base,
                inst,
                acc: self.acc,
                scratch: 0,
                facc: float_acc(self.facc),
            })
        };
        // SAFETY: the store is valid, as above.
        let trap = (status == Status::TRAP).then(|| unsafe { (*store).trap_code });
        if trap.is_some() {
            return (status, trap, Vec::new(), Vec::new(), Vec::new());
        }
        let globals: Vec<u128> =
            [ACC, FACC, GLOBAL].iter().map(|at| self.instance[*at as usize / 16]).chain(*self.global).collect();
        (status, trap, self.stack, globals, self.memory.to_vec())
    }
}

/// Puts a value into a field.
fn put(words: &mut [u64], field: Field, value: u64) {
    let mask = if field.bits == 64 { u64::MAX } else { (1 << field.bits) - 1 };
    let word = &mut words[field.word as usize];
    *word = *word & !(mask << field.shift) | (value & mask) << field.shift;
}

/// Places of operands before the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Memory,
    Copied,
    Constants,
    Floats,
}

/// Returns an instruction of a row in a function, with random fields, and the slots of its operands. Those of the operand stack
/// are used up. `None` if the row is tested elsewhere.
fn function(instr_handler: u64, row: &Row, before: Before, random: &mut Random) -> Option<(Vec<u64>, Vec<i16>)> {
    let emitter = row.emitter?;
    use Emitter as E;
    if matches!(
        emitter,
        E::Enter
            | E::ReturnPlain
            | E::Return { .. }
            | E::ReturnConstant { .. }
            | E::Br
            | E::BrTable
            | E::Call
            | E::CallIndirect
    ) {
        return None;
    }
    let is_access = matches!(
        emitter,
        E::Load(_) | E::LoadIndexed(_) | E::LoadDisplaced(_) | E::LoadChecked(..) | E::Store(_) | E::StoreChecked(..)
    );
    let word = |handler| handler_word(handler);
    let mut code = vec![word(handler(Enter, Cleared(OPERANDS as u32))), SLOTS as u64 | (OPERANDS as u64) << 32];
    // Locals and operands of the stack.
    let mut slots = [2i16, 21, 3, 22, 4, 23].into_iter().skip(random.below(2) as usize);
    let mut instruction = vec![0; row.length?.of(&[])];
    instruction[0] = instr_handler;
    let places: Vec<Place> = row.result().into_iter().chain(row.operands()).collect();
    let mut chosen: Vec<i16> = Vec::new();
    for (index, place) in places.iter().enumerate() {
        match *place {
            Place::Slot(field) if field.plus != 0 => {}
            Place::Slot(field) => {
                // At times two operands, or an operand and the result, are in one slot.
                let again = chosen.last().filter(|_| !is_access && random.below(4) == 0);
                // The second destination of two copies is not one of a pair.
                let is_result = index == 0 && row.result() == Some(*place);
                let slot = if is_result { RESULT } else { again.copied().or_else(|| slots.next())? };
                chosen.push(slot);
                put(&mut instruction, field, slot as u64);
            }
            Place::Constant(field) => {
                let value = match (field.kind, emitter) {
                    (Kind::Object, E::LoadChecked(..) | E::StoreChecked(..)) => MEMORY.into(),
                    (Kind::Object, E::GlobalGet { is_imported: true, .. } | E::GlobalSet { is_imported: true, .. }) => {
                        POINTER.into()
                    }
                    (Kind::Object, _) => GLOBAL.into(),
                    (_, E::Charge) => random.below(1200),
                    (_, E::Store(_) | E::StoreChecked(..)) if index >= 2 => random.value(),
                    _ if is_access => random.below(200),
                    _ => random.value(),
                };
                put(&mut instruction, field, value);
            }
            Place::Acc | Place::FloatAcc => {}
        }
    }
    for &slot in &chosen {
        // Addresses are in the memory, but for checked ones at times.
        let is_checked = matches!(emitter, E::LoadChecked(..) | E::StoreChecked(..)) && random.below(4) == 0;
        let constant = if is_access && !is_checked { random.below(1500) } else { random.value() };
        match before {
            Before::Memory if is_access => {
                code.extend([word(handler(ConstantWide, ())), fields(slot, 0, 0, 0), constant])
            }
            Before::Memory => {}
            Before::Copied | Before::Floats if is_access => {
                code.extend([word(handler(ConstantWide, ())), fields(SOURCES, 0, 0, 0), constant]);
                code.extend([word(handler(Br, ())), 2 << 32]);
                code.extend([word(handler(CopySlot, ())), fields(slot, SOURCES, 0, 0)]);
            }
            Before::Copied => code.extend([word(handler(CopySlot, ())), fields(slot, SOURCES + slot % 8, 0, 0)]),
            Before::Constants if constant <= u32::MAX.into() => {
                code.extend([word(handler(Constant, ())), fields_imm(slot, 0, constant as u32)]);
            }
            Before::Constants => code.extend([word(handler(ConstantWide, ())), fields(slot, 0, 0, 0), constant]),
            Before::Floats => {
                let get = handler(GlobalGet, (true, true, Dst::Slot));
                code.extend([word(get), fields_imm(slot, 0, POINTER)]);
            }
        }
    }
    // An address in an accumulator.
    if is_access && row.operands().take(2).any(|place| place == Place::Acc) {
        code.extend([word(handler(Constant, ())), fields_imm(SOURCES, 0, random.below(1500) as u32)]);
        code.extend([word(handler(Br, ())), 2 << 32]);
        let wrap = handler(crate::instr::Unary(wasmr_core::op::Op::I32WrapI64), (In::Slot, Dst::Acc));
        code.extend([word(wrap), fields(0, SOURCES, 0, 0)]);
    }
    if row.branches {
        let target = Field::named("to")?;
        let end = instruction.len() as u64 + 2;
        put(&mut instruction, target, end);
        code.extend(instruction);
        code.extend([word(handler(Constant, ())), fields_imm(TAKEN, 0, 77)]);
    } else {
        code.extend(instruction);
        code.extend([word(handler(GlobalSet, (false, false, In::Acc))), fields_imm(0, 0, ACC)]);
        code.extend([word(handler(GlobalSet, (true, false, In::Acc))), fields_imm(0, 0, FACC)]);
    }
    code.extend([word(handler(Br, ())), 2 << 32]);
    code.extend([word(handler(ReturnPlain, ())), 0]);
    let result = chosen.first().copied().filter(|_| matches!(row.result(), Some(Place::Slot(_))));
    // A copy uses no operand up, but reading the float accumulator does, if it has what was put into the slot before.
    let keeps = matches!(emitter, E::Copy { .. }) && before != Before::Floats;
    chosen.retain(|&slot| Some(slot) != result && !keeps);
    Some((code, chosen))
}

#[test]
fn emitters_agree_with_handlers() {
    assert!(is_available(), "this test needs a system that lets it execute what it wrote");
    let mut region = ModuleRegion::default();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut rows, mut ended, mut trapped) = (0, 0, 0);
    for (instr_handler, instr) in Instr::all() {
        let instr_handler = handler_word(instr_handler);
        let row = Rows::lock().of(instr_handler);
        let is_f32 = matches!(instr.row().0, Name::Operator(op) if op.info().result == Some(ValType::F32));
        let is_i64 = matches!(instr.row().0, Name::Operator(op) if op.info().operands.first() == Some(&ValType::I64));
        let mut tested = false;
        for round in 0..24 {
            let before = [Before::Memory, Before::Copied, Before::Constants, Before::Floats][round % 4];
            let Some((words, operands)) = function(instr_handler, row, before, &mut random) else { continue };
            tested = true;
            let mut compiled = words.clone();
            let first = compiled.as_ptr().addr();
            let code = compile_words(first as u64, &words, &[]).unwrap_or_else(|| panic!("{}", instr.text()));
            let (base, entries) = region.place(first, code).unwrap();
            assert!(!entries.is_empty());
            for (word, position) in entries {
                compiled[word as usize] = base + u64::from(position);
            }
            std::sync::atomic::fence(Ordering::SeqCst);
            for _ in 0..6 {
                let mut world = World::new(&mut random);
                if !is_i64 {
                    world.acc &= u64::from(u32::MAX);
                }
                let [expected, actual] = [&words, &compiled].map(|words| {
                    let mut end = world.clone().run(words);
                    for (slot, value) in (FRAME_HEADER as i16 - SLOTS as i16..).zip(&mut end.2) {
                        // The upper half of an `i32` may have become zero.
                        if operands.contains(&slot) {
                            *value = if slot < OPERANDS as i16 { u64::from(*value as u32) } else { 0 };
                        }
                        // Nothing reads the upper half of a slot with an `f32`.
                        if slot == RESULT && is_f32 {
                            *value = u64::from(*value as u32);
                        }
                    }
                    if let Some(facc) = end.3.get_mut(1).filter(|_| is_f32) {
                        *facc = u128::from(*facc as u32);
                    }
                    end
                });
                let what = || format!("`{}`, operands: {before:?}, {words:x?}", instr.text());
                assert_eq!((actual.0, actual.1), (expected.0, expected.1), "{}", what());
                let differ = |actual: &[u64], expected: &[u64]| actual.iter().zip(expected).position(|(a, b)| a != b);
                assert_eq!(differ(&actual.2, &expected.2), None, "slots differ: {}", what());
                assert_eq!(actual.3, expected.3, "globals: {}", what());
                assert_eq!(differ(&actual.4, &expected.4), None, "bytes of memory differ: {}", what());
                if expected.0 == Status::TRAP { trapped += 1 } else { ended += 1 }
            }
        }
        rows += usize::from(tested);
    }
    assert!(rows > 900, "only {rows} instructions have emitters");
    assert!(ended > trapped && trapped > 100, "{ended} executions ended, {trapped} trapped");
}

const _: () = assert!(offset_of!(VmInstance, budget) < ACC as usize);
