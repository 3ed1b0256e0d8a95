//! Structs, arrays, unboxed integers and casts. Objects are made by libcalls.

use wasmparser::Operator;
use wasmr_core::layout::{Field, Stored};
use wasmr_core::op::Op;
use wasmr_core::types::ValType;
use wasmr_module::cast::{Cast, Test};

use super::Translator;
use super::stack::{Class, Fuse, Kind, Operand, Ty};
use crate::execute::dispatch::Handler;
use crate::instr::field::{fields, fields_imm};
use crate::instr::locations::{Dst, FieldForm, In, TestForm, Width};
use crate::instr::{
    ArrayGet, ArrayGetV128, ArrayLen, ArraySet, ArraySetV128, I31Get, RefCast, RefI31, RefTest, StructGet,
    StructGetV128, StructSet, StructSetV128, handler,
};

impl Translator<'_> {
    /// Translates `operator` if it is one of this category. Returns true if it was.
    pub(crate) fn heap_operator(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::StructGet { struct_type_index, field_index }
            | Operator::StructGetU { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, false);
            }
            Operator::StructGetS { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, true);
            }
            Operator::StructSet { struct_type_index, field_index } => {
                let field = self.module.struct_layout(struct_type_index).fields[field_index as usize];
                let d = self.pop_slot();
                let a = self.pop_slot();
                let handler = match Width::of(field.stored) {
                    Some(width) => handler(StructSet, width),
                    None => handler(StructSetV128, ()),
                };
                self.emit(handler, &[fields_imm(d, a, field.offset)]);
            }
            Operator::ArrayGet { array_type_index } | Operator::ArrayGetU { array_type_index } => {
                self.array_get(array_type_index, false);
            }
            Operator::ArrayGetS { array_type_index } => self.array_get(array_type_index, true),
            Operator::ArraySet { array_type_index } => {
                let element = self.module.array_element(array_type_index);
                let d = self.pop_slot();
                let b = self.pop_slot();
                let a = self.pop_slot();
                let handler = match Width::of(element.stored) {
                    Some(width) => handler(ArraySet, width),
                    None => handler(ArraySetV128, ()),
                };
                self.emit(handler, &[fields(d, a, b, 0)]);
            }
            Operator::ArrayLen => self.unary_on_reference(|at, dst| handler(ArrayLen, (at, dst)), 0, Ty::I32),
            Operator::RefI31 => self.unary_on_reference(|at, dst| handler(RefI31, (at, dst)), 0, Ty::Ref),
            Operator::I31GetS => self.unary_on_reference(|at, dst| handler(I31Get, (true, at, dst)), 0, Ty::I32),
            Operator::I31GetU => self.unary_on_reference(|at, dst| handler(I31Get, (false, at, dst)), 0, Ty::I32),
            Operator::RefEq => self.compare(Op::I64Eq),
            // A reference has the same form in both hierarchies.
            Operator::AnyConvertExtern | Operator::ExternConvertAny => {}
            _ => return self.cast_operator(operator),
        }
        true
    }

    fn cast_operator(&mut self, operator: &Operator<'_>) -> bool {
        if let Some(cast) = Cast::of_test(self.module, operator) {
            let slot = self.top_slot();
            self.pop();
            self.ref_test(cast, slot);
        } else if let Some(cast) = Cast::of_cast(self.module, operator) {
            self.ref_cast(cast);
        } else if let Some((cast, wanted, depth)) = Cast::of_branch(self.module, operator) {
            let slot = self.top_slot();
            self.ref_test(cast, slot);
            self.branch_on(wanted, depth);
        } else {
            return false;
        }
        true
    }

    fn struct_get(&mut self, ty: u32, index: u32, signed: bool) {
        let field = self.module.struct_layout(ty).fields[index as usize];
        match FieldForm::of(field, signed) {
            Some(form) => {
                self.unary_on_reference(|at, dst| handler(StructGet, (form, at, dst)), field.offset, Ty::of(field.ty));
            }
            None => {
                let a = self.pop_slot();
                self.emit_slot_result(handler(StructGetV128, ()), fields_imm(0, a, field.offset), &[], Ty::V128);
            }
        }
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        let element = self.module.array_element(ty);
        let b = self.pop_slot();
        let a = self.pop_slot();
        let word1 = fields(0, a, b, 0);
        match FieldForm::of(element, signed) {
            Some(form) => {
                let handlers = Dst::BOTH.map(|dst| handler(ArrayGet, (form, dst)));
                self.emit_result(handlers, word1, &[], Ty::of(element.ty), Fuse::None);
            }
            None => self.emit_slot_result(handler(ArrayGetV128, ()), word1, &[], Ty::V128),
        }
    }

    /// Emits an instruction with one operand, in a slot or the accumulator, and a result.
    fn unary_on_reference(&mut self, handler: impl Fn(In, Dst) -> Handler, imm: u32, ty: Ty) {
        let height = self.stack.last().expect("validated").height;
        let (operand, operand_ty) = self.pop();
        let (at, a) = match self.prefer_acc(operand, Class::Int) {
            Operand::Acc => (In::Acc, 0),
            other => (In::Slot, self.operand_slot(other, operand_ty, height)),
        };
        let handlers = Dst::BOTH.map(|dst| handler(at, dst));
        self.emit_result(handlers, fields_imm(0, a, imm), &[], ty, Fuse::None);
    }

    /// Returns a near slot with the value on top of the stack, which stays there.
    fn top_slot(&mut self) -> i16 {
        let top = self.stack.len() - 1;
        let slot = match self.stack[top].kind {
            Kind::Local(local) => self.locals[local as usize].slot,
            Kind::Const(_) | Kind::Temp => {
                self.flush(top);
                self.temp_slot(self.stack[top].height)
            }
        };
        self.near(slot, 1)
    }

    /// Pushes the outcome of a test of the reference in a slot.
    fn ref_test(&mut self, cast: Cast, slot: i16) {
        let (form, target) = self.test_form(cast);
        self.emit_slot_result(handler(RefTest, (form, cast.nullable)), fields_imm(0, slot, target), &[], Ty::I32);
    }

    /// Emits the check of the reference on top of the stack, which stays there.
    fn ref_cast(&mut self, cast: Cast) {
        let slot = self.top_slot();
        let (form, target) = self.test_form(cast);
        self.emit(handler(RefCast, (form, cast.nullable)), &[fields_imm(0, slot, target)]);
    }

    /// Returns the form of a test, and its operand.
    fn test_form(&self, cast: Cast) -> (TestForm, u32) {
        match cast.test {
            Test::Always => (TestForm::Always, 0),
            Test::Never => (TestForm::Never, 0),
            Test::Eq => (TestForm::Eq, 0),
            Test::I31 => (TestForm::I31, 0),
            Test::Struct => (TestForm::Struct, 0),
            Test::Array => (TestForm::Array, 0),
            Test::Object(index) => (TestForm::Object, self.layout.descriptor(index)),
            Test::Func(id) => (TestForm::Func, id.0),
        }
    }
}

impl FieldForm {
    /// Returns the form of a field; `None` for a vector.
    fn of(field: Field, signed: bool) -> Option<FieldForm> {
        Some(match (field.stored, field.ty) {
            (Stored::I8, _) if signed => FieldForm::S8,
            (Stored::I8, _) => FieldForm::U8,
            (Stored::I16, _) if signed => FieldForm::S16,
            (Stored::I16, _) => FieldForm::U16,
            (Stored::Word32, ValType::F32) => FieldForm::F32,
            (Stored::Word32, _) => FieldForm::I32,
            (Stored::Word64, ValType::F64) => FieldForm::F64,
            (Stored::Word64 | Stored::Func, _) => FieldForm::I64,
            (Stored::Ref, _) => FieldForm::Ref,
            (Stored::Vector, _) => return None,
        })
    }
}

impl Width {
    /// Returns the width of a stored form; `None` for a vector.
    fn of(stored: Stored) -> Option<Width> {
        Some(match stored {
            Stored::I8 => Width::Bits8,
            Stored::I16 => Width::Bits16,
            Stored::Word32 | Stored::Ref => Width::Bits32,
            Stored::Word64 | Stored::Func => Width::Bits64,
            Stored::Vector => return None,
        })
    }
}
