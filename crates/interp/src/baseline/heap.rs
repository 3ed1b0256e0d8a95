//! Fields of structs and arrays, unboxed integers, casts. [`vm_gc`](wasmr_runtime::vm_gc) has the layouts.
//!
//! Null, an index that is too large, and a cast that fails are left to handlers. Scalars only: vectors in objects are rare.

use std::mem::offset_of;

use super::access::Loaded;
use super::assemble::{Alu, Mem, RAX, RCX, RDI, Rm, Shift, condition};
use super::function::{Compiler, Value};
use super::heap_rows::{Heap, Test};
use super::link::Goal;
use crate::instr::locations::TestForm;
use wasmr_core::layout::HEADER;
use wasmr_runtime::vm::VmInstance;
use wasmr_runtime::vm_gc::{Kind, VmDescriptor, VmObject};

/// The jumps of a test that end it, as [`Assembler::land_short`](super::assemble::Assembler::land_short) takes them.
#[derive(Debug, Default)]
struct Ends {
    pass: Vec<usize>,
    fail: Vec<usize>,
}

impl Compiler<'_> {
    pub(crate) fn heap_instruction(&mut self, code: Heap) {
        match code {
            Heap::StructGet(code) => self.struct_get(code),
            Heap::StructSet(bytes) => self.struct_set(bytes),
            Heap::ArrayGet(code) => self.array_get(code),
            Heap::ArraySet(bytes) => self.array_set(bytes),
            Heap::ArrayLen => self.array_len(),
            Heap::RefI31 => self.ref_i31(),
            Heap::I31Get { signed } => self.i31_get(signed),
            Heap::RefTest(test) => self.ref_test(test),
            Heap::RefCast(test) => self.ref_cast(test),
        }
    }

    /// Returns a register with a reference of the `any` hierarchy.
    fn reference(&mut self, value: Value) -> u8 {
        self.zero_extended(value)
    }

    /// Leaves null to the handler. Puts the base of the heap into `rax`.
    fn check_null(&mut self, reference: u8, bail: Goal) {
        self.asm.test(false, reference);
        self.branch(condition::EQUAL, bail);
        self.load_heap_base();
    }

    fn load_heap_base(&mut self) {
        self.asm.mov(true, RAX, Rm::Mem(Mem::at(RCX, offset_of!(VmInstance, heap_base) as i32)));
    }

    /// Ends the current instruction with a load from an object.
    fn load_field(&mut self, code: Loaded, result: u8, from: Mem) {
        self.asm.op(code.opcode, code.wide, result, Rm::Mem(from));
        if code.is_float {
            self.finish_vector(result);
        } else {
            self.finish_general(result, !code.wide);
        }
    }

    fn new_result(&mut self, code: Loaded) -> u8 {
        if code.is_float { self.new_vector() } else { self.new_general() }
    }

    fn struct_get(&mut self, code: Loaded) {
        let (reference, offset) = (self.operand(0), self.field(1) as i32);
        let reference = self.reference(reference);
        let result = self.new_result(code);
        let bail = self.bail();
        self.check_null(reference, bail);
        self.load_field(code, result, Mem::indexed(RAX, reference, offset));
    }

    fn struct_set(&mut self, bytes: u8) {
        let (reference, offset, value) = (self.operand(0), self.field(1) as i32, self.operand(2));
        let stored = self.stored(bytes, value);
        let reference = self.reference(reference);
        let bail = self.bail();
        self.check_null(reference, bail);
        self.store_to(bytes, Mem::indexed(RAX, reference, offset), stored);
        self.use_up();
    }

    /// Returns an element of an array.
    fn element(&mut self, array: u8, index: u8, bytes: u8, bail: Goal) -> Mem {
        self.check_null(array, bail);
        self.asm.alu(Alu::Add, true, RAX, Rm::Reg(array));
        self.asm.alu(Alu::Cmp, false, index, Rm::Mem(Mem::at(RAX, offset_of!(VmObject, len) as i32)));
        self.branch(condition::ABOVE_EQUAL, bail);
        Mem { base: RAX, index: Some((index, bytes.trailing_zeros() as u8)), displacement: HEADER as i32 }
    }

    fn array_get(&mut self, code: Loaded) {
        let (array, index) = (self.operand(0), self.operand(1));
        let array = self.reference(array);
        let index = self.zero_extended(index);
        let result = self.new_result(code);
        let bail = self.bail();
        let from = self.element(array, index, code.bytes, bail);
        self.load_field(code, result, from);
    }

    fn array_set(&mut self, bytes: u8) {
        let (array, index, value) = (self.operand(0), self.operand(1), self.operand(2));
        let stored = self.stored(bytes, value);
        let array = self.reference(array);
        let index = self.zero_extended(index);
        let bail = self.bail();
        let to = self.element(array, index, bytes, bail);
        self.store_to(bytes, to, stored);
        self.use_up();
    }

    fn array_len(&mut self) {
        let array = self.operand(0);
        let array = self.reference(array);
        let result = self.new_general();
        let bail = self.bail();
        self.check_null(array, bail);
        let len = Mem::indexed(RAX, array, offset_of!(VmObject, len) as i32);
        self.asm.mov(false, result, Rm::Mem(len));
        self.finish_general(result, true);
    }

    fn ref_i31(&mut self) {
        let value = self.operand(0);
        let from = self.general(value, false);
        let result = self.general_after(from);
        self.asm.lea(false, result, Mem { base: from, index: Some((from, 0)), displacement: 1 });
        self.finish_general(result, true);
    }

    fn i31_get(&mut self, signed: bool) {
        let reference = self.operand(0);
        let from = self.reference(reference);
        let result = self.general_after(from);
        let bail = self.bail();
        self.asm.test(false, from);
        self.branch(condition::EQUAL, bail);
        if result != from {
            self.asm.mov(false, result, Rm::Reg(from));
        }
        let shift = if signed { Shift::RightSigned } else { Shift::RightUnsigned };
        self.asm.shift_imm(shift, false, result, 1);
        self.finish_general(result, true);
    }

    // Casts.

    fn ref_test(&mut self, test: Test) {
        let reference = self.operand(0);
        let reference = self.reference(reference);
        let result = self.new_general();
        let ends = self.test(test, reference, result, None);
        ends.pass.into_iter().for_each(|end| self.asm.land_short(end));
        self.asm.constant(result, 1);
        let end = self.asm.jump_short();
        ends.fail.into_iter().for_each(|end| self.asm.land_short(end));
        self.asm.constant(result, 0);
        self.asm.land_short(end);
        self.finish_general(result, true);
    }

    /// A cast. What fails is left to the handler, which traps.
    fn ref_cast(&mut self, test: Test) {
        let reference = self.operand(0);
        let reference = self.reference(reference);
        let scratch = self.new_general();
        let bail = self.bail();
        let ends = self.test(test, reference, scratch, Some(bail));
        ends.pass.into_iter().for_each(|end| self.asm.land_short(end));
    }

    /// Appends a branch for references that fail.
    fn fail_if(&mut self, condition: u8, bail: Option<Goal>, ends: &mut Ends) {
        match bail {
            Some(bail) => self.branch(condition, bail),
            None => ends.fail.push(self.asm.branch_short(condition)),
        }
    }

    /// Appends a test, which may change `scratch`. A reference that passes comes to the end of the code too. One that fails is left
    /// to `bail`, if there is one.
    fn test(&mut self, test: Test, reference: u8, scratch: u8, bail: Option<Goal>) -> Ends {
        let mut ends = Ends::default();
        self.asm.test(false, reference);
        if test.is_nullable {
            ends.pass.push(self.asm.branch_short(condition::EQUAL));
        } else {
            self.fail_if(condition::EQUAL, bail, &mut ends);
        }
        if test.form == TestForm::Always {
            return ends;
        }
        if test.form == TestForm::Never {
            // It is not null.
            self.fail_if(condition::NOT_EQUAL, bail, &mut ends);
            return ends;
        }
        // The lowest bit of unboxed integers is set.
        self.asm.op_imm32(0xf7, false, 0, Rm::Reg(reference), 1);
        match test.form {
            TestForm::I31 => {
                self.fail_if(condition::EQUAL, bail, &mut ends);
                return ends;
            }
            TestForm::Eq => ends.pass.push(self.asm.branch_short(condition::NOT_EQUAL)),
            _ => self.fail_if(condition::NOT_EQUAL, bail, &mut ends),
        }
        self.load_heap_base();
        let descriptor = Mem::indexed(RAX, reference, offset_of!(VmObject, descriptor) as i32);
        self.asm.mov(false, RDI, Rm::Mem(descriptor));
        let in_descriptor = |offset: usize| Mem::indexed(RAX, RDI, offset as i32);
        let kind = Rm::Mem(in_descriptor(offset_of!(VmDescriptor, kind)));
        match test.form {
            TestForm::Eq => {
                self.asm.alu_imm(Alu::Cmp, false, kind, Kind::ARRAY.0 as i32);
                self.fail_if(condition::ABOVE, bail, &mut ends);
            }
            TestForm::Struct | TestForm::Array => {
                let wanted = if test.form == TestForm::Struct { Kind::STRUCT } else { Kind::ARRAY };
                self.asm.alu_imm(Alu::Cmp, false, kind, wanted.0 as i32);
                self.fail_if(condition::NOT_EQUAL, bail, &mut ends);
            }
            _ => self.test_display(scratch, bail, &mut ends),
        }
        ends
    }

    /// Compares the descriptor in `rdi`, and the entry of its display at the depth of the wanted one, with the wanted one. The base
    /// of the heap is in `rax`. Puts the wanted one into a register.
    fn test_display(&mut self, wanted: u8, bail: Option<Goal>, ends: &mut Ends) {
        let (wanted_at, depth) = (Mem::at(RCX, self.field(1) as i32), RAX);
        self.asm.mov(false, wanted, Rm::Mem(wanted_at));
        self.asm.alu(Alu::Cmp, false, RDI, Rm::Reg(wanted));
        ends.pass.push(self.asm.branch_short(condition::EQUAL));
        self.asm.alu(Alu::Add, true, RDI, Rm::Reg(RAX));
        let depth_at = Mem::indexed(RAX, wanted, offset_of!(VmDescriptor, depth) as i32);
        self.asm.mov(false, depth, Rm::Mem(depth_at));
        let display_len = Mem::at(RDI, offset_of!(VmDescriptor, display_len) as i32);
        self.asm.alu(Alu::Cmp, false, depth, Rm::Mem(display_len));
        self.fail_if(condition::ABOVE_EQUAL, bail, ends);
        let entry = Mem { base: RDI, index: Some((depth, 2)), displacement: offset_of!(VmDescriptor, display) as i32 };
        self.asm.alu(Alu::Cmp, false, wanted, Rm::Mem(entry));
        self.fail_if(condition::NOT_EQUAL, bail, ends);
    }
}
