//! Every emitter agrees with its handler: each instruction is executed by both, with operands in memory, in registers and as known
//! constants, in a frame and an instance made for it.

use std::mem::offset_of;
use std::sync::atomic::Ordering;

use wasmr_core::op::Op;
use wasmr_core::trap::TrapCode;
use wasmr_core::types::ValType;
use wasmr_runtime::frame::{FRAME_HEADER, Fp, Ip};
use wasmr_runtime::vm::{Status, VmInstance, VmMemory, VmStore};

use super::super::compile_words;
use super::super::heap_rows::Heap;
use super::super::rows::{Emitter, Place, Row, Rows};
use super::super::vector_rows::Vector;
use crate::execute::dispatch::{Machine, handler_word, run};
use crate::execute::frame::exit_instruction;
use crate::execute::operand::float_acc;
use crate::instr::field::{Field, Kind, fields, fields_imm};
use crate::instr::locations::{Cleared, Dst, In, VectorForm};
use crate::instr::{
    Br, Constant, ConstantV128, ConstantWide, CopySlot, CopyV128, Enter, GlobalGet, GlobalGetV128, GlobalSet, Instr,
    ReturnPlain, Row as Name, VectorBinary, VectorUnary, handler,
};
use crate::machine_code::code_memory::{ModuleRegion, is_available};

/// Slots of the frame from the frame pointer on.
const SLOTS: usize = 64;
/// First slot of the operand stack.
pub(super) const OPERANDS: usize = 20;
/// The slot that tells if a branch was taken.
const TAKEN: i16 = 60;
/// The slot of results: a local, because the accumulator is read afterwards, which uses up an operand of the stack.
const RESULT: i16 = 5;
/// The slots that get the float accumulator if it is a vector.
const VECTOR_RESULT: i16 = 56;
/// Slots from which operands are copied.
const SOURCES: i16 = 48;
/// Distances in the instance: globals that get the accumulators, a global to read and write, the pointers of two others, a
/// memory.
const ACC: u32 = 1024;
const FACC: u32 = 1040;
const GLOBAL: u32 = 1056;
const POINTER: u32 = 1072;
const MEMORY: u32 = 1080;
/// Distance in the instance of the place of the descriptor that casts want.
const WANTED: u32 = 1088;
/// Bytes of the memory.
const BYTES: usize = 4096;

/// A generator of operands (Marsaglia's xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Returns a value that is often at an edge of some type.
    pub(super) fn value(&mut self) -> u64 {
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

/// A heap with a struct and an array.
mod heap {
    use wasmr_core::types::TypeId;
    use wasmr_runtime::vm_gc::{DISPLAY, Kind, VmDescriptor};

    /// Places of descriptors: of the struct, its supertype, and the array.
    pub(super) const DESCRIPTORS: [u32; 3] = [64, 128, 192];
    pub(super) const STRUCT: u32 = 256;
    pub(super) const ARRAY: u32 = 512;
    /// Elements of the array.
    pub(super) const LEN: u32 = 8;
    pub(super) const BYTES: usize = 1024;

    const _: () = assert!(size_of::<VmDescriptor>() <= 64);

    /// Writes descriptors and headers.
    pub(super) fn fill(words: &mut [u64; BYTES / 8]) {
        let descriptor = |kind, ancestors: &[u32]| {
            let mut display = [0; DISPLAY];
            display[..ancestors.len()].copy_from_slice(ancestors);
            let (depth, display_len) = (ancestors.len() as u32 - 1, DISPLAY as u32);
            VmDescriptor { kind, type_id: TypeId(0), size: 0, depth, refs: 0, display_len, display }
        };
        let [own, parent, array] = DESCRIPTORS;
        let descriptors = [
            (own, descriptor(Kind::STRUCT, &[parent, own])),
            (parent, descriptor(Kind::STRUCT, &[parent])),
            (array, descriptor(Kind::ARRAY, &[array])),
        ];
        for (at, descriptor) in descriptors {
            // SAFETY: the place is aligned, inside the buffer, and there are 64 bytes up to the next one.
            unsafe { words.as_mut_ptr().byte_add(at as usize).cast::<VmDescriptor>().write(descriptor) };
        }
        words[STRUCT as usize / 8] = own.into();
        words[ARRAY as usize / 8] = u64::from(array) | u64::from(LEN) << 32;
    }
}

/// The world of one execution.
pub(super) struct World {
    stack: Vec<u64>,
    instance: Box<[u128; 128]>,
    store: Box<[u128; 64]>,
    memory: Box<[u64; BYTES / 8]>,
    vm_memory: Box<VmMemory>,
    global: Box<[u128; 1]>,
    heap: Box<[u64; heap::BYTES / 8]>,
    acc: u64,
    facc: u64,
}

/// The end of an execution: status, trap, slots, globals, memory. After a trap only the first two count.
pub(super) type End = (Status, Option<TrapCode>, Vec<u64>, Vec<u128>, Vec<u64>);

impl World {
    pub(super) fn new(random: &mut Random) -> World {
        assert!(size_of::<VmStore>() <= size_of::<[u128; 64]>() && size_of::<VmInstance>() <= ACC as usize);
        let mut memory = Box::new([0u64; BYTES / 8]);
        memory.iter_mut().for_each(|word| *word = random.next());
        let vm_memory = VmMemory { base: memory.as_mut_ptr().cast(), len: BYTES.into(), guarded: true, shared: false };
        let mut heap = Box::new([(); heap::BYTES / 8].map(|()| random.next()));
        heap::fill(&mut heap);
        World {
            heap,
            stack: (0..2 * SLOTS).map(|_| random.value()).collect(),
            instance: Box::new([0; 128]),
            store: Box::new([0; 64]),
            memory,
            vm_memory: Box::new(vm_memory),
            global: Box::new([u128::from(random.value()) << 64 | u128::from(random.value())]),
            acc: random.value(),
            facc: random.value(),
        }
    }

    pub(super) fn clone(&self) -> World {
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
            heap: self.heap.clone(),
            acc: self.acc,
            facc: self.facc,
        }
    }

    /// Executes instructions, the first of which is `enter`.
    pub(super) fn run(mut self, words: &[u64]) -> End {
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
            (*inst).heap_base = self.heap.as_mut_ptr().cast();
            let place = |at: u32| inst.cast::<u8>().add(at as usize);
            place(POINTER).cast::<*mut u128>().write(self.global.as_mut_ptr());
            place(MEMORY).cast::<*mut VmMemory>().write(&raw mut *self.vm_memory);
            place(GLOBAL).cast::<u64>().write(self.acc ^ 0x55);
            place(WANTED).cast::<u32>().write(heap::DESCRIPTORS[self.acc as usize % 3]);
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
        (status, trap, self.stack, globals, [&self.memory[..], &self.heap[..]].concat())
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

/// Returns true if an operand of a vector instruction is a vector; if `operand` is `None`, if the result is one.
fn is_v128(emitter: Emitter, operand: Option<usize>) -> bool {
    use Vector as V;
    let Emitter::Vector(vector) = emitter else { return false };
    match (vector, operand) {
        (V::Test(..) | V::ExtractLane(..), operand) => operand.is_some(),
        (V::Splat(_) | V::Load(..) | V::LoadChecked(..), operand) => operand.is_none(),
        (V::Shift(_) | V::ReplaceLane(_), operand) => operand.is_none_or(|operand| operand == 0),
        (V::Select, operand) => operand != Some(2),
        (V::Store | V::LoadLane(_) | V::StoreLane(_), operand) => operand != Some(0),
        (V::StoreChecked(_), operand) => operand == Some(3),
        _ => true,
    }
}

/// Returns an operand of an instruction that accepts some values only.
fn operand_value(emitter: Emitter, operand: usize, random: &mut Random) -> Option<u64> {
    let of_null_and = |reference: u32, random: &mut Random| [0, reference][usize::from(random.below(8) != 0)].into();
    match (emitter, operand) {
        (Emitter::Heap(Heap::StructGet(_) | Heap::StructSet(_)), 0) => Some(of_null_and(heap::STRUCT, random)),
        (Emitter::Heap(Heap::ArrayGet(_) | Heap::ArraySet(_) | Heap::ArrayLen), 0) => {
            Some(of_null_and(heap::ARRAY, random))
        }
        (Emitter::Heap(Heap::ArrayGet(_) | Heap::ArraySet(_)), 1) => Some(random.below(u64::from(heap::LEN) + 2)),
        (Emitter::Heap(Heap::I31Get { .. }), 0) => Some(of_null_and(random.next() as u32 | 1, random)),
        (Emitter::Heap(Heap::RefTest(_) | Heap::RefCast(_)), 0) => {
            Some([0, 7, heap::STRUCT, heap::ARRAY][random.below(4) as usize].into())
        }
        _ => None,
    }
}

/// Appends instructions that give two slots a vector.
fn make_vector(code: &mut Vec<u64>, slot: i16, before: Before, random: &mut Random) {
    let word = |handler| handler_word(handler);
    match before {
        Before::Memory => {}
        Before::Copied => {
            code.extend([word(handler(CopyV128, ())), fields(slot, SOURCES + slot % 4 * 2, 0, 0)]);
        }
        Before::Floats => {
            code.extend([word(handler(GlobalGetV128, true)), fields_imm(slot, 0, POINTER)]);
        }
        // Each half as a scalar constant, as in a local that is 0.
        Before::Constants if random.below(2) == 0 => {
            let values = if random.below(2) == 0 { [0; 2] } else { [(); 2].map(|()| random.next() as u32) };
            for (half, value) in values.into_iter().enumerate().skip(random.below(2) as usize) {
                code.extend([word(handler(Constant, ())), fields_imm(slot + half as i16, 0, value)]);
            }
        }
        Before::Constants => {
            let halves = [random.value(), random.value()];
            code.extend([word(handler(ConstantV128, ())), fields(slot, 0, 0, 0), halves[0], halves[1]]);
        }
    }
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
        E::Load(..)
            | E::LoadChecked(..)
            | E::Store(_)
            | E::StoreChecked(..)
            | E::Vector(
                Vector::Load(..)
                    | Vector::LoadChecked(..)
                    | Vector::Store
                    | Vector::StoreChecked(_)
                    | Vector::LoadLane(_)
                    | Vector::StoreLane(_)
            )
    );
    let is_checked = matches!(
        emitter,
        E::LoadChecked(..) | E::StoreChecked(..) | E::Vector(Vector::LoadChecked(..) | Vector::StoreChecked(_))
    );
    let lane = match emitter {
        E::Vector(
            Vector::ExtractLane(lane, _) | Vector::ReplaceLane(lane) | Vector::LoadLane(lane) | Vector::StoreLane(lane),
        ) => Some(lane),
        _ => None,
    };
    let word = |handler| handler_word(handler);
    let mut code = vec![word(handler(Enter, Cleared(OPERANDS as u32))), SLOTS as u64 | (OPERANDS as u64) << 32];
    // Locals and operands of the stack.
    let mut slots = [8i16, 22, 10, 24, 12, 26].into_iter().skip(random.below(2) as usize);
    let mut instruction = vec![0; row.length?.of(&[])];
    instruction[0] = instr_handler;
    let places: Vec<Place> = row.result().into_iter().chain(row.operands()).collect();
    let mut chosen: Vec<i16> = Vec::new();
    let mut vectors: Vec<i16> = Vec::new();
    let is_heap = matches!(emitter, E::Heap(_));
    let mut operands: Vec<Option<usize>> = Vec::new();
    if matches!(emitter, E::Vector(Vector::ShuffleBytes | Vector::PermuteBytes)) {
        instruction[2..].iter_mut().for_each(|word| *word = random.next());
    }
    for (index, place) in places.iter().enumerate() {
        match *place {
            Place::Slot(field) if field.plus != 0 => {}
            Place::Slot(field) => {
                // The second destination of two copies is not one of a pair.
                let is_result = index == 0 && row.result() == Some(*place);
                let operand = (!is_result).then(|| index - usize::from(row.result().is_some()));
                let is_v128 = is_v128(emitter, operand);
                // At times two operands, or an operand and the result, are in one slot.
                // The condition of `select` has another type than the values may have.
                let is_condition = matches!(emitter, E::Select { .. }) && operand == Some(2);
                let can_be_equal = !(is_access || is_heap || is_condition);
                let is_again = can_be_equal
                    && chosen.last().is_some_and(|slot| vectors.contains(slot) == is_v128)
                    && random.below(4) == 0;
                let again = chosen.last().filter(|_| is_again);
                let slot = if is_result { RESULT } else { again.copied().or_else(|| slots.next())? };
                chosen.push(slot);
                operands.push(operand);
                if is_v128 {
                    vectors.push(slot);
                }
                put(&mut instruction, field, slot as u64);
            }
            Place::Constant(field) => {
                let value = match (field.kind, emitter) {
                    (Kind::Object, _) if is_checked => MEMORY.into(),
                    (Kind::Object, E::MemorySize { .. }) => MEMORY.into(),
                    (Kind::Object, E::Heap(_)) => WANTED.into(),
                    // The offset of a field.
                    (_, E::Heap(_)) => 8 + random.below(64),
                    (
                        Kind::Object,
                        E::Vector(Vector::GlobalGet { is_imported } | Vector::GlobalSet { is_imported }),
                    ) if is_imported => POINTER.into(),
                    (Kind::Object, E::GlobalGet { is_imported: true, .. } | E::GlobalSet { is_imported: true, .. }) => {
                        POINTER.into()
                    }
                    (Kind::Object, _) => GLOBAL.into(),
                    (_, E::Charge) => random.below(1200),
                    (_, E::Store(_) | E::StoreChecked(..) | E::Vector(Vector::Store)) if index >= 2 => random.value(),
                    // The lane; the offset of an access is in word 1.
                    _ if lane.is_some() && (!is_access || field.word != 1) => {
                        random.below(16 / lane.map_or(1, |lane| u64::from(lane.bytes)))
                    }
                    _ if is_access => random.below(200),
                    _ => random.value(),
                };
                put(&mut instruction, field, value);
            }
            Place::Acc | Place::FloatAcc => {}
        }
    }
    for (index, &slot) in chosen.iter().enumerate() {
        // Addresses are in the memory, but for checked ones at times.
        if vectors.contains(&slot) {
            // A scalar must not overwrite a half of a vector.
            if chosen[..index].contains(&slot) {
                continue;
            }
            make_vector(&mut code, slot, before, random);
            continue;
        }
        let is_far = is_checked && random.below(4) == 0;
        let special = operands[index].and_then(|operand| operand_value(emitter, operand, random));
        let constant = match special {
            Some(value) => value,
            None if is_access && !is_far => random.below(1500),
            None => random.value(),
        };
        match before {
            Before::Memory if is_heap => {
                code.extend([word(handler(ConstantWide, ())), fields(slot, 0, 0, 0), constant]);
                code.extend([word(handler(Br, ())), 2 << 32]);
            }
            Before::Memory if is_access => {
                code.extend([word(handler(ConstantWide, ())), fields(slot, 0, 0, 0), constant])
            }
            Before::Memory => {}
            Before::Copied | Before::Floats if is_access || is_heap => {
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
    // An address or a reference in an accumulator.
    if (is_access || is_heap) && row.operands().take(2).any(|place| place == Place::Acc) {
        let value = operand_value(emitter, 0, random).unwrap_or_else(|| random.below(1500));
        code.extend([word(handler(Constant, ())), fields_imm(SOURCES, 0, value as u32)]);
        code.extend([word(handler(Br, ())), 2 << 32]);
        let wrap = handler(crate::instr::Unary(Op::I32WrapI64), (In::Slot, Dst::Acc));
        code.extend([word(wrap), fields(0, SOURCES, 0, 0)]);
    }
    // A vector in the accumulator, at times where handlers have it.
    let is_vector = |(index, place)| place == Place::FloatAcc && is_v128(emitter, Some(index));
    if row.operands().enumerate().any(is_vector) {
        let not = handler(VectorUnary(Op::V128Not), (In::Slot, Dst::Acc));
        // It has no emitter.
        let dot = handler(VectorBinary(Op::I16x8RelaxedDotI8x16I7x16S), (VectorForm::SlotSlot, Dst::Acc));
        let make = if random.below(2) == 0 { not } else { dot };
        code.extend([word(make), fields(0, SOURCES, SOURCES + 2, 0)]);
    }
    let has_vector_result = row.result().is_some() && is_v128(emitter, None);
    let keeps_accumulators = matches!(
        emitter,
        E::Vector(Vector::Copy | Vector::Constant | Vector::GlobalGet { .. } | Vector::LoadChecked(..))
    );
    if row.branches {
        let target = Field::named("to")?;
        let end = instruction.len() as u64 + 2;
        put(&mut instruction, target, end);
        code.extend(instruction);
        code.extend([word(handler(Constant, ())), fields_imm(TAKEN, 0, 77)]);
    } else {
        code.extend(instruction);
        code.extend([word(handler(GlobalSet, (false, false, In::Acc))), fields_imm(0, 0, ACC)]);
        if has_vector_result && !keeps_accumulators {
            let not = handler(VectorUnary(Op::V128Not), (In::Acc, Dst::Slot));
            code.extend([word(not), fields(VECTOR_RESULT, 0, 0, 0)]);
        } else {
            code.extend([word(handler(GlobalSet, (true, false, In::Acc))), fields_imm(0, 0, FACC)]);
        }
    }
    code.extend([word(handler(Br, ())), 2 << 32]);
    code.extend([word(handler(ReturnPlain, ())), 0]);
    let result = chosen.first().copied().filter(|_| matches!(row.result(), Some(Place::Slot(_))));
    // A copy uses no operand up, but reading the float accumulator does, if it has what was put into the slot before.
    let keeps = match emitter {
        E::Copy { .. } => before != Before::Floats,
        E::Vector(Vector::Copy) | E::Heap(Heap::RefTest(_) | Heap::RefCast(_)) => true,
        _ => false,
    };
    // Vectors in locals are not changed.
    chosen.retain(|slot| Some(*slot) != result && !keeps && !(vectors.contains(slot) && *slot < OPERANDS as i16));
    let seconds: Vec<i16> = chosen.iter().filter(|slot| vectors.contains(slot)).map(|slot| slot + 1).collect();
    chosen.extend(seconds);
    Some((code, chosen))
}

/// Returns a function whose handler words lead to baseline code.
pub(super) fn with_code(words: &[u64], region: &mut ModuleRegion) -> Vec<u64> {
    let mut compiled = words.to_vec();
    let first = compiled.as_ptr().addr();
    let code = compile_words(first as u64, words, &[], 0, None, None).unwrap();
    let (base, entries) = region.place(first, code).unwrap();
    assert!(!entries.is_empty());
    for (word, position) in entries {
        compiled[word as usize] = base + u64::from(position);
    }
    std::sync::atomic::fence(Ordering::SeqCst);
    compiled
}

/// Returns the first place at which two lists differ.
pub(super) fn differ(actual: &[u64], expected: &[u64]) -> Option<usize> {
    actual.iter().zip(expected).position(|(a, b)| a != b)
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
        let is_f32 = matches!(instr.row().0, Name::Operator(op) if op.info().result == Some(ValType::F32))
            || instr.text().ends_with(", f32");
        let is_i64 = matches!(instr.row().0, Name::Operator(op) if op.info().operands.first() == Some(&ValType::I64));
        let mut tested = false;
        for round in 0..24 {
            let before = [Before::Memory, Before::Copied, Before::Constants, Before::Floats][round % 4];
            let Some((words, operands)) = function(instr_handler, row, before, &mut random) else { continue };
            tested = true;
            let compiled = with_code(&words, &mut region);
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
                if let Some(at) = differ(&actual.2, &expected.2) {
                    eprintln!(
                        "DBG {:x?} {:x?} {:x?}",
                        &actual.2[at - 2..at + 3],
                        &expected.2[at - 2..at + 3],
                        super::text(&std::fs::read("/tmp/vec_code.bin").unwrap_or_default())
                    );
                }
                assert_eq!(differ(&actual.2, &expected.2), None, "slots differ: {}", what());
                assert_eq!(actual.3, expected.3, "globals: {}", what());
                assert_eq!(differ(&actual.4, &expected.4), None, "bytes of memory differ: {}", what());
                if expected.0 == Status::TRAP { trapped += 1 } else { ended += 1 }
            }
        }
        rows += usize::from(tested);
    }
    assert!(rows > 2500, "only {rows} instructions have emitters");
    assert!(ended > trapped && trapped > 100, "{ended} executions ended, {trapped} trapped");
}

const _: () = assert!(offset_of!(VmInstance, budget) < ACC as usize);
