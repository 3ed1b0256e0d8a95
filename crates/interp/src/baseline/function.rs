//! The code of one function while it is made: the current instruction, both parts of the code, and the exits from it.
//!
//! Emitters (`numeric`, `memory`, `control`, `call`, `variable`) ask for operands and results here (`registers`), and append
//! machine instructions to [`Compiler::asm`]. Code that is rarely executed goes to a second part, which follows the first.

use super::assemble::{Assembler, Mem, R8, RCX, RDI, RSI, Rm};
use super::code_map::CodeMap;
use super::heap_rows::Heap;
use super::link::{Goal, Link, Position, UNKNOWN};
use super::plain_loop::PlainLoop;
use super::rows::{Emitter, PLACES, Place, Row};
use super::sse;
use super::state::{Arrival, HeldSlot, Label, Snapshot, State, XMM};
use super::vector_rows::Vector;
use crate::execute::dispatch::{Handler, budget_interrupt, handler_word};
use crate::machine_code::address_hasher::AddressHasher;
use crate::paired_call::CallStubs;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use wasmr_runtime::vm::VmInstance;

/// Operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Slot(i32),
    Acc,
    FloatAcc,
    Constant(i64),
}

/// The code of a function, being made.
pub(crate) struct Compiler<'c> {
    /// Address of the function's first instruction.
    first: u64,
    words: &'c [u64],
    /// Code word of the current instruction.
    pub(crate) word: u32,
    /// Code words of the current instruction.
    pub(crate) length: u32,
    row: &'static Row,
    /// The code that is executed in order.
    pub(crate) asm: Assembler,
    /// The code that is rarely executed.
    pub(crate) side: Assembler,
    pub(crate) constants: Vec<u8>,
    pub(crate) links: Vec<Link>,
    /// Start of the code of each instruction that has an entry, for handlers.
    pub(crate) entries: Vec<(u32, Position)>,
    /// Machine instructions that may fault: (position, code word).
    pub(crate) faults: Vec<(u32, u32)>,
    /// Start of the code of each label, by code word.
    pub(crate) labels: Vec<u32>,
    pub(crate) state: State,
    /// First slot of the operand stack: what is there is used once.
    pub(crate) operand_slots: i32,
    /// Slots that the current instruction overwrites or uses up.
    pub(crate) gone: [Option<i32>; PLACES],
    /// The way in which control comes from the code before.
    pub(crate) arrival: Arrival,
    /// Offset in the instance of the record of the function.
    pub(crate) own: u32,
    /// Call stubs, if calls and returns are paired.
    pub(crate) stubs: Option<CallStubs>,
    /// Distance in slots to the frame of the callee, if the instruction before calls.
    pub(crate) callee_frame: Option<i32>,
    /// Slots in registers at all jumps to a label ahead, by its code word.
    pub(crate) arrivals: HashMap<u64, Snapshot, BuildHasherDefault<AddressHasher>>,
    /// The plain loop that the current instruction is in.
    pub(crate) plain_loop: Option<PlainLoop>,
    /// Position of the constant that the next machine instruction reads.
    pub(crate) constant: Option<u32>,
    /// The origin of the code, if it is for a listing.
    pub(crate) code_map: Option<CodeMap>,
}

impl<'c> Compiler<'c> {
    /// Returns a function without code. `row` is that of the first instruction, `slots` are the bounds of the frame.
    pub(crate) fn new(
        first: u64,
        words: &'c [u64],
        row: &'static Row,
        slots: (i32, i32),
        operand_slots: i32,
    ) -> Compiler<'c> {
        Compiler {
            first,
            words,
            word: 0,
            length: 0,
            row,
            asm: Assembler::with_capacity(words.len() * 12),
            side: Assembler::default(),
            constants: Vec::new(),
            links: Vec::new(),
            entries: Vec::new(),
            faults: Vec::new(),
            labels: vec![UNKNOWN; words.len() + 1],
            state: State::new(slots.0, slots.1),
            operand_slots,
            gone: [None; PLACES],
            arrival: Arrival::None,
            own: 0,
            stubs: None,
            callee_frame: None,
            arrivals: HashMap::default(),
            plain_loop: None,
            constant: None,
            code_map: None,
        }
    }

    /// Makes the code of the instruction at a code word. If it is the first one of a plain loop, `loop_end` is the last one.
    pub(crate) fn add(&mut self, word: u32, length: u32, row: &'static Row, label: Label, loop_end: Option<u32>) {
        (self.word, self.length, self.row) = (word, length, row);
        let is_known = label == Label::Forward && matches!(self.arrival, Arrival::None | Arrival::Next);
        if (label != Label::None || self.arrival != Arrival::Next) && !(is_known && self.arrive()) {
            if label == Label::None && self.arrival != Arrival::Return && row.emitter.is_none() {
                // The handler before continues in that of this instruction.
                self.callee_frame = None;
                return;
            }
            self.end_loop();
            self.enter(row.emitter.is_some());
            if let Some(last) = loop_end {
                self.begin_loop(last);
            }
        }
        self.begin();
        self.note_start();
        match row.emitter {
            Some(emitter) => self.emit(emitter),
            None => self.leave_to_handler(),
        }
        self.state.unlock_all();
    }

    /// Notes the start of the current instruction's code, if it is for a listing.
    fn note_start(&mut self) {
        if let Some(map) = &mut self.code_map {
            map.starts.push((Position::Main(self.asm.size() as u32), self.word));
            map.starts.push((Position::Side(self.side.size() as u32), self.word));
        }
    }

    fn emit(&mut self, emitter: Emitter) {
        match emitter {
            Emitter::Binary(code) => self.binary(code),
            Emitter::Unary(code) => self.unary(code),
            Emitter::Compare(code) => self.compare(code),
            Emitter::BranchCompare(code, wanted) => self.branch_compare(code, wanted),
            Emitter::CountAndBranch(code, wanted) => self.count_and_branch(code, wanted),
            Emitter::Load(code, form) => self.load(code, form),
            Emitter::LoadChecked(code, is_64) => self.load_checked(code, is_64),
            Emitter::Store(bytes) => self.store(bytes),
            Emitter::StoreChecked(bytes, is_64) => self.store_checked(bytes, is_64),
            Emitter::Enter => self.enter_function(),
            Emitter::ReturnPlain => self.return_plain(),
            Emitter::Return { is_float } => self.return_value(is_float),
            Emitter::ReturnConstant { wide } => self.return_constant(wide),
            Emitter::Br => self.br(),
            Emitter::BrIf { wide, wanted } => self.br_if(wide, wanted),
            Emitter::BrIfAnd { wanted } => self.br_if_and(wanted),
            Emitter::BrTable => self.br_table(),
            Emitter::Call => self.call(),
            Emitter::CallIndirect => self.call_indirect(),
            Emitter::Copy { is_pair } => self.copy(is_pair),
            Emitter::Constant => self.set_constant(),
            Emitter::GlobalGet { is_float, is_imported } => self.global_get(is_float, is_imported),
            Emitter::GlobalSet { is_float, is_imported } => self.global_set(is_float, is_imported),
            Emitter::Select { is_float } => self.select(is_float),
            Emitter::AddScaled => self.add_scaled(),
            Emitter::BitField => self.bit_field(),
            Emitter::GlobalPlus => self.global_plus(),
            Emitter::SetGlobalPlus => self.set_global_plus(),
            Emitter::Charge => self.charge(),
            Emitter::MemorySize { log2 } => self.memory_size(log2),
            Emitter::Vector(vector) => self.vector_instruction(vector),
            Emitter::Heap(heap) => self.heap_instruction(heap),
        }
    }

    /// Notes the slots that the current instruction overwrites or uses up. An operand on the operand stack is used once, but for
    /// the operands of copies, and references in tests and branches.
    fn begin(&mut self) {
        self.gone = [None; PLACES];
        let uses_up = !matches!(
            self.row.emitter,
            None | Some(
                Emitter::Copy { .. }
                    | Emitter::Constant
                    | Emitter::Vector(Vector::Copy | Vector::Constant)
                    | Emitter::Heap(Heap::RefTest(_) | Heap::RefCast(_))
                    | Emitter::BrIf { wide: true, .. }
                    | Emitter::Call
                    | Emitter::CallIndirect
            )
        );
        if !uses_up {
            return;
        }
        self.gone[0] = self.result_slot();
        let row = self.row;
        for (index, place) in row.operands().enumerate() {
            let slot = match self.value(place) {
                Value::Slot(slot) => Some(slot),
                Value::Acc => self.state.accumulator_slot(self.state.acc()),
                Value::FloatAcc => self.state.accumulator_slot(self.state.facc()),
                Value::Constant(_) => None,
            };
            if let Some(free) = self.gone.get_mut(index + 1) {
                *free = slot.filter(|&slot| slot >= self.operand_slots);
            }
        }
    }

    fn value(&self, place: Place) -> Value {
        match place {
            Place::Slot(field) => Value::Slot(field.value(&self.words[self.word as usize..]) as i32),
            Place::Acc => Value::Acc,
            Place::FloatAcc => Value::FloatAcc,
            Place::Constant(field) => Value::Constant(field.value(&self.words[self.word as usize..])),
        }
    }

    /// Returns operand `index` of the current instruction, without what is known of its slot.
    pub(crate) fn place(&self, index: usize) -> Value {
        self.row.operands().nth(index).map_or(Value::Constant(0), |place| self.value(place))
    }

    /// Returns operand `index` of the current instruction. A slot that is a known constant is one.
    pub(crate) fn operand(&self, index: usize) -> Value {
        let value = self.place(index);
        let Value::Slot(slot) = value else { return value };
        let known = self.state.holder(slot).and_then(|holder| self.state.constant(holder));
        known.map_or(value, |known| Value::Constant(known as i64))
    }

    /// Returns operand `index` of the current instruction, which is a constant by its row.
    pub(crate) fn field(&self, index: usize) -> i64 {
        match self.place(index) {
            Value::Constant(value) => value,
            Value::Slot(slot) => slot.into(),
            Value::Acc | Value::FloatAcc => 0,
        }
    }

    /// Returns the slot of the result, if the result goes to one.
    pub(crate) fn result_slot(&self) -> Option<i32> {
        match self.row.result().map(|place| self.value(place)) {
            Some(Value::Slot(slot)) => Some(slot),
            _ => None,
        }
    }

    /// Returns a code word of the current instruction.
    pub(crate) fn code_word(&self, index: usize) -> u64 {
        self.words.get(self.word as usize + index).copied().unwrap_or(0)
    }

    /// Returns the code word to which field `to` leads.
    pub(crate) fn target(&self) -> u32 {
        self.word.wrapping_add((self.code_word(1) >> 32) as u32)
    }

    /// Returns the address of the instruction at a code word.
    fn address(&self, word: u32) -> u64 {
        self.first + 8 * u64::from(word)
    }

    // Entries and exits.

    /// Begins code that is entered from elsewhere: from handlers too, if `is_published`.
    fn enter(&mut self, is_published: bool) {
        let arrival = std::mem::replace(&mut self.arrival, Arrival::Next);
        if arrival == Arrival::Next {
            self.flush();
        }
        self.state.enter();
        let arrives_at = self.asm.size() as u32;
        if let Some(frame) = self.callee_frame.take() {
            self.guess_frame(frame);
        }
        let position = self.asm.size() as u32;
        self.labels[self.word as usize] = position;
        if arrival == Arrival::Return {
            let rejoin = self.rejoin(arrives_at);
            self.entries.push((self.word, rejoin));
        } else if is_published {
            self.entries.push((self.word, Position::Main(arrives_at)));
        }
    }

    /// Stores all dirty slots.
    pub(crate) fn flush(&mut self) {
        self.store_dirty(false);
        self.state.clean_all();
    }

    /// Stores the dirty slots below `end`, and forgets that the others are dirty.
    pub(crate) fn flush_below(&mut self, end: i32) {
        for holder in self.state.dirty_holders() {
            for held in self.state.slots(holder).filter(|held| held.is_dirty && held.slot < end) {
                self.store_held(false, holder, held);
            }
        }
        self.state.clean_all();
    }

    fn store_dirty(&mut self, aside: bool) {
        for holder in self.state.dirty_holders() {
            for held in self.state.slots(holder).filter(|held| held.is_dirty) {
                self.store_held(aside, holder, held);
            }
        }
    }

    /// Stores the value of a slot that a holder has. The flags stay; `rax` may be lost.
    pub(crate) fn store_held(&mut self, aside: bool, holder: u8, held: HeldSlot) {
        if held.is_v128 {
            let asm = if aside { &mut self.side } else { &mut self.asm };
            asm.op(sse::MOVUPS_TO, false, holder - XMM, Rm::Mem(slot_mem(held.slot)));
        } else {
            self.store_slot(aside, holder, held.slot);
        }
    }

    /// Stores the scalar in a holder to a slot. The flags stay; `rax` may be lost.
    pub(crate) fn store_slot(&mut self, aside: bool, holder: u8, slot: i32) {
        let (constant, to) = (self.state.constant(holder), slot_mem(slot));
        let asm = if aside { &mut self.side } else { &mut self.asm };
        match constant {
            Some(value) => store_constant(asm, to, value),
            None if holder >= XMM => asm.op(0xf200_0f11, false, holder - XMM, Rm::Mem(to)),
            None => asm.store(true, to, holder),
        }
    }

    /// Leaves the current instruction to its handler, which continues with the next instruction.
    pub(crate) fn leave_to_handler(&mut self) {
        self.flush();
        self.home_accumulators(false);
        self.jump_to(false, self.word, self.code_word(0));
        self.arrival = Arrival::Handler;
    }

    /// Appends code that leaves the current instruction to its handler, in the state of now. Returns its position. The operands
    /// of the instruction must still be there.
    pub(crate) fn bail(&mut self) -> Goal {
        let start = self.side.size() as u32;
        self.store_dirty(true);
        self.home_accumulators(true);
        self.jump_to(true, self.word, self.code_word(0));
        Goal::Position(Position::Side(start))
    }

    fn home_accumulators(&mut self, aside: bool) {
        let (acc, facc) = (self.state.acc(), self.state.facc());
        let asm = if aside { &mut self.side } else { &mut self.asm };
        if acc != R8 {
            asm.mov(true, R8, Rm::Reg(acc));
        }
        if facc != XMM {
            asm.op(0x0f28, false, 0, Rm::Reg(facc - XMM));
        }
    }

    /// Continues in a handler with the instruction at a code word.
    fn jump_to(&mut self, aside: bool, word: u32, handler: u64) {
        self.set_instruction(aside, word);
        let asm = if aside { &mut self.side } else { &mut self.asm };
        asm.jump();
        self.link_latest(aside, Goal::Address(handler));
    }

    /// Sets `rdi` to the address of the instruction at a code word.
    pub(crate) fn set_instruction(&mut self, aside: bool, word: u32) {
        let address = self.address(word);
        let asm = if aside { &mut self.side } else { &mut self.asm };
        asm.constant(RDI, address);
        let end = asm.size() as u32;
        if let Some(map) = &mut self.code_map {
            map.instructions.push((if aside { Position::Side(end) } else { Position::Main(end) }, word));
        }
    }

    /// Notes the destination of the distance that the latest machine instruction ends with.
    pub(crate) fn link_latest(&mut self, aside: bool, to: Goal) {
        let at = if aside { Position::Side(self.side.distance_at()) } else { Position::Main(self.asm.distance_at()) };
        self.links.push(Link { at, to, beyond: 0 });
    }

    /// Appends a conditional jump.
    pub(crate) fn branch(&mut self, condition: u8, to: Goal) {
        self.asm.branch(condition);
        self.link_latest(false, to);
    }

    /// Jumps to an instruction if a condition holds, with all slots stored. A jump backward takes one from the budget.
    pub(crate) fn branch_to_word(&mut self, condition: Option<u8>, to: u32) {
        let is_backward = to <= self.word;
        match condition {
            _ if is_backward && self.branch_to_head(condition, to) => {}
            None if is_backward => self.take_budget(to, Goal::Word(to)),
            None => {
                self.note_jump(to);
                self.asm.jump();
                self.link_latest(false, Goal::Word(to));
            }
            Some(condition) if is_backward => {
                let around = self.asm.branch_short(condition ^ 1);
                self.take_budget(to, Goal::Word(to));
                self.asm.land_short(around);
            }
            Some(condition) => {
                self.note_jump(to);
                self.branch(condition, Goal::Word(to));
            }
        }
    }

    /// Takes one from the budget and jumps to the code of an instruction.
    pub(crate) fn take_budget(&mut self, to: u32, code: Goal) {
        self.asm.op(0xff, false, 1, Rm::Mem(budget()));
        self.branch(super::assemble::condition::NOT_SIGN, code);
        self.asm.jump();
        let stub = self.interrupt(to);
        self.link_latest(false, stub);
    }

    /// Appends code that handles a budget interrupt and continues with an instruction, with all slots stored.
    pub(crate) fn interrupt(&mut self, word: u32) -> Goal {
        let start = self.side.size() as u32;
        let handler: Handler = budget_interrupt;
        self.jump_to(true, word, handler_word(handler));
        Goal::Position(Position::Side(start))
    }

    /// Appends code that takes one from the budget and continues with an instruction, with all slots stored.
    pub(crate) fn backward(&mut self, word: u32) -> Goal {
        let start = self.side.size() as u32;
        self.side.op(0xff, false, 1, Rm::Mem(budget()));
        self.side.branch(super::assemble::condition::NOT_SIGN);
        self.link_latest(true, Goal::Word(word));
        self.interrupt(word);
        Goal::Position(Position::Side(start))
    }

    /// Returns the numbers of links and of faults.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.links.len(), self.faults.len())
    }

    /// Inserts code at the start of the instruction at a code word, behind which no entry is. There were as many links and faults
    /// as `before` says.
    pub(crate) fn insert_code(&mut self, at: u32, word: u32, code: &[u8], before: (usize, usize)) {
        self.asm.insert(at as usize, code);
        for label in &mut self.labels[word as usize + 1..=(self.word as usize).max(word as usize)] {
            if *label != UNKNOWN {
                *label += code.len() as u32;
            }
        }
        for link in &mut self.links[before.0..] {
            if let Position::Main(position) = &mut link.at {
                *position += code.len() as u32;
            }
        }
        for (position, _) in &mut self.faults[before.1..] {
            *position += code.len() as u32;
        }
        if let Some(map) = &mut self.code_map {
            map.insert(at, word, code.len() as u32);
        }
    }

    /// Notes that the next machine instruction may fault.
    pub(crate) fn may_fault(&mut self) {
        self.faults.push((self.asm.size() as u32, self.word));
    }

    // Constants.

    /// Adds a constant of some bytes. Returns its position.
    pub(crate) fn add_constant(&mut self, bytes: &[u8]) -> u32 {
        while !self.constants.len().is_multiple_of(bytes.len()) {
            self.constants.push(0);
        }
        self.constants.extend_from_slice(bytes);
        (self.constants.len() - bytes.len()) as u32
    }

    /// Appends an instruction. An operand [`Rm::Constant`] is the constant at [`Self::constant`].
    pub(crate) fn op(&mut self, opcode: u32, wide: bool, reg: u8, rm: Rm) {
        self.asm.op(opcode, wide, reg, rm);
        if rm == Rm::Constant
            && let Some(constant) = self.constant
        {
            self.link_latest(false, Goal::Position(Position::Constant(constant)));
        }
    }

    /// As [`op`](Self::op), with an 8-bit immediate.
    pub(crate) fn op_imm8(&mut self, opcode: u32, wide: bool, reg: u8, rm: Rm, imm: u8) {
        self.asm.op_imm8(opcode, wide, reg, rm, imm);
        if rm == Rm::Constant
            && let Some(constant) = self.constant
        {
            let at = Position::Main(self.asm.distance_at() - 1);
            self.links.push(Link { at, to: Goal::Position(Position::Constant(constant)), beyond: 1 });
        }
    }

    /// Adds a table of distances from its own start, and a distance to it. Returns nothing: the latest machine instruction ends
    /// with the distance to the table.
    pub(crate) fn link_table(&mut self, goals: &[Goal]) {
        while !self.constants.len().is_multiple_of(4) {
            self.constants.push(0);
        }
        let table = self.constants.len() as u32;
        self.link_latest(false, Goal::Position(Position::Constant(table)));
        for (index, &to) in goals.iter().enumerate() {
            let at = table + 4 * index as u32;
            self.constants.extend([0; 4]);
            self.links.push(Link { at: Position::Constant(at), to, beyond: -4 - 4 * index as i32 });
        }
    }
}

/// Returns the memory of a slot.
pub(crate) fn slot_mem(slot: i32) -> Mem {
    Mem::at(RSI, slot.wrapping_mul(8))
}

/// Returns the instance's budget.
pub(crate) fn budget() -> Mem {
    Mem::at(RCX, std::mem::offset_of!(VmInstance, budget) as i32)
}

/// Appends a store of eight bytes. The flags stay; `rax` may be lost.
pub(crate) fn store_constant(asm: &mut Assembler, to: Mem, value: u64) {
    match i32::try_from(value as i64) {
        Ok(short) => asm.store_imm(8, to, short),
        Err(_) => {
            asm.constant(super::assemble::RAX, value);
            asm.store(true, to, super::assemble::RAX);
        }
    }
}
