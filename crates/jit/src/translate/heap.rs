//! Structs, arrays, unboxed integers and casts. [`vm_gc`](wasmr_runtime::vm_gc) has the layouts.
//!
//! A reference is the distance of an object from the base of the heap, zero-extended to a word. The first pages of the heap are
//! inaccessible, so that an access through null faults, and the fault is the trap. Code keeps references wherever Cranelift puts
//! them: the collector takes every word of the stack, and every position inside an object, for a reference.
//!
//! `allocate.rs` makes objects.

use std::mem::offset_of;

use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, condcodes::IntCC, types};
use wasmparser::Operator;
use wasmr_core::layout::{Field, HEADER, Stored};
use wasmr_core::trap::TrapCode;
use wasmr_core::types::TypeId;
use wasmr_module::BuiltinCall;
use wasmr_module::cast::{Cast, Test};
use wasmr_runtime::vm::{VmFunc, VmInstance};
use wasmr_runtime::vm_gc::{DISPLAY, Kind, NULL_GUARD, VmDescriptor, VmObject};

use super::bulk_memory::Range;
use super::control::block_args;
use super::environment::{Region, constant};
use super::memory::Site;
use super::state::Translator;
use crate::abi::value_type;
use crate::libcalls::LibCall;
use crate::trap_code::trap_code;

/// The number from which on there are null and the unboxed integers, after a rotation right by one and the subtraction of 1.
const ROTATED_OBJECTS: i64 = 0x7fff_ffff;

impl Translator<'_, '_> {
    /// Translates `operator` if it is one of this category. Returns true if it was.
    pub(super) fn heap_operator(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::StructGet { struct_type_index, field_index }
            | Operator::StructGetU { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, false);
            }
            Operator::StructGetS { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, true);
            }
            Operator::StructSet { struct_type_index, field_index } => {
                let field = self.request.module.struct_layout(struct_type_index).fields[field_index as usize];
                let (reference, value) = self.pop2();
                let (pointer, flags) = self.in_object(reference, field, TrapCode::NullStructReference);
                self.store_field(field.stored, value, pointer, field.offset, flags);
            }
            Operator::ArrayGet { array_type_index } | Operator::ArrayGetU { array_type_index } => {
                self.array_get(array_type_index, false);
            }
            Operator::ArrayGetS { array_type_index } => self.array_get(array_type_index, true),
            Operator::ArraySet { array_type_index } => {
                let element = self.request.module.array_element(array_type_index);
                let (array, index, value) = self.pop3();
                let (pointer, flags) = self.element(element, array, index);
                self.store_field(element.stored, value, pointer, HEADER, flags);
            }
            Operator::ArrayLen => {
                let array = self.pop();
                let len = self.array_len(array);
                self.push(len);
            }
            Operator::RefI31 => {
                let value = self.pop();
                let doubled = self.builder.ins().ishl_imm_u(value, 1);
                let tagged = self.builder.ins().bor_imm_u(doubled, 1);
                let reference = self.builder.ins().uextend(types::I64, tagged);
                self.push(reference);
            }
            Operator::I31GetS | Operator::I31GetU => {
                let reference = self.pop();
                self.builder.ins().trapz(reference, trap_code(TrapCode::NullI31Reference));
                let tagged = self.builder.ins().ireduce(types::I32, reference);
                let value = match operator {
                    Operator::I31GetS => self.builder.ins().sshr_imm_u(tagged, 1),
                    _ => self.builder.ins().ushr_imm_u(tagged, 1),
                };
                self.push(value);
            }
            Operator::RefEq => {
                let (left, right) = self.pop2();
                let is_same = self.builder.ins().icmp(IntCC::Equal, left, right);
                let value = self.builder.ins().uextend(types::I32, is_same);
                self.push(value);
            }
            // A reference has the same form in both hierarchies.
            Operator::AnyConvertExtern | Operator::ExternConvertAny => {}
            Operator::StructNew { struct_type_index } => self.struct_new(struct_type_index, operator, false),
            Operator::StructNewDefault { struct_type_index } => self.struct_new(struct_type_index, operator, true),
            Operator::ArrayNewFixed { array_type_index, array_size } => {
                self.array_new_fixed(array_type_index, array_size, operator);
            }
            Operator::ArrayNewDefault { array_type_index } => self.array_new(array_type_index, operator, true),
            Operator::ArrayNew { array_type_index } => self.array_new(array_type_index, operator, false),
            Operator::ArrayCopy { array_type_index_dst, array_type_index_src } => {
                self.array_copy(operator, array_type_index_dst, array_type_index_src);
            }
            _ => return self.cast_operator(operator),
        }
        true
    }

    fn cast_operator(&mut self, operator: &Operator<'_>) -> bool {
        let module = self.request.module;
        if let Some(cast) = Cast::of_test(module, operator) {
            let reference = self.pop();
            let passes = self.ref_test(cast, reference);
            let value = self.builder.ins().uextend(types::I32, passes);
            self.push(value);
        } else if let Some(cast) = Cast::of_cast(module, operator) {
            let reference = *self.stack.last().expect("validated");
            let passes = self.ref_test(cast, reference);
            self.builder.ins().trapz(passes, trap_code(TrapCode::CastFailure));
        } else if let Some((cast, wanted, depth)) = Cast::of_branch(module, operator) {
            // The reference is the last operand that the branch passes, and stays on the stack if the branch is not taken.
            let reference = *self.stack.last().expect("validated");
            let passes = self.ref_test(cast, reference);
            let condition = match wanted {
                true => passes,
                false => self.builder.ins().icmp_imm_u(IntCC::Equal, passes, 0),
            };
            self.branch_if(condition, depth);
        } else {
            return false;
        }
        true
    }

    /// Loads the address of the heap. Instances of modules with struct or array types are created after the heap, whose address does
    /// not change. For other instances it may come into being at any call.
    pub(super) fn heap_base(&mut self) -> Value {
        let flags = if self.request.module.has_objects() { constant() } else { MemFlagsData::trusted() };
        self.builder.ins().load(types::I64, flags, self.context, offset_of!(VmInstance, heap_base) as i32)
    }

    /// Returns the flags of an access to a field or element, without a trap code.
    pub(super) fn field_flags(&mut self) -> MemFlagsData {
        let region = self.region(Region::Heap);
        MemFlagsData::new().with_endianness(Endianness::Little).with_alias_region(Some(region))
    }

    /// Returns the flags of an access to a header, without a trap code.
    pub(super) fn header_flags(&mut self) -> MemFlagsData {
        let region = self.region(Region::HeapHeader);
        MemFlagsData::new().with_aligned().with_alias_region(Some(region))
    }

    /// Returns the address of an object, and the flags of the access to a field. Traps with `code` if the object is null: in
    /// the access, or before if the access does not fault.
    fn in_object(&mut self, reference: Value, field: Field, code: TrapCode) -> (Value, MemFlagsData) {
        let base = self.heap_base();
        let flags = self.field_flags();
        let flags = if field.offset + field.stored.size() <= NULL_GUARD {
            flags.with_trap_code(Some(trap_code(code)))
        } else {
            self.builder.ins().trapz(reference, trap_code(code));
            flags.with_notrap()
        };
        (self.builder.ins().iadd(base, reference), flags)
    }

    fn struct_get(&mut self, ty: u32, index: u32, signed: bool) {
        let field = self.request.module.struct_layout(ty).fields[index as usize];
        let reference = self.pop();
        let (pointer, flags) = self.in_object(reference, field, TrapCode::NullStructReference);
        let value = self.load_field(field, signed, pointer, field.offset, flags);
        self.push(value);
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        let element = self.request.module.array_element(ty);
        let (array, index) = self.pop2();
        let (pointer, flags) = self.element(element, array, index);
        let value = self.load_field(element, signed, pointer, HEADER, flags);
        self.push(value);
    }

    /// Loads the length of an array. Traps if it is null.
    fn array_len(&mut self, array: Value) -> Value {
        if !self.request.module.has_objects() {
            // Without a heap, null is no address that faults.
            self.builder.ins().trapz(array, trap_code(TrapCode::NullArrayReference));
        }
        let base = self.heap_base();
        let pointer = self.builder.ins().iadd(base, array);
        let flags = self.header_flags().with_trap_code(Some(trap_code(TrapCode::NullArrayReference)));
        self.builder.ins().load(types::I32, flags, pointer, offset_of!(VmObject, len) as i32)
    }

    /// Returns the address of an element, less the header, and the flags of an access. Traps if there is no such element.
    fn element(&mut self, element: Field, array: Value, index: Value) -> (Value, MemFlagsData) {
        let len = self.array_len(array);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.builder.ins().trapnz(is_outside, trap_code(TrapCode::ArrayOutOfBounds));
        let pointer = self.element_pointer_less_header(element.stored.size(), array, index);
        let flags = self.field_flags().with_notrap();
        (pointer, flags)
    }

    /// Returns the address of an element, less the header. The distance from the base is computed in 32 bits, so that an access
    /// past a mispredicted check stays in the heap.
    fn element_pointer_less_header(&mut self, size: u32, array: Value, index: Value) -> Value {
        let array = self.builder.ins().ireduce(types::I32, array);
        let distance = match size.ilog2() {
            0 => index,
            log2 => self.builder.ins().ishl_imm_u(index, i64::from(log2)),
        };
        let place = self.builder.ins().iadd(array, distance);
        let place = self.builder.ins().uextend(types::I64, place);
        let base = self.heap_base();
        self.builder.ins().iadd(base, place)
    }

    /// Copies a few elements in place, and leaves more to the runtime.
    fn array_copy(&mut self, operator: &Operator<'_>, dst_type: u32, src_type: u32) {
        let call = BuiltinCall::of(operator).expect("the runtime copies arrays");
        if !self.take_variable_site() {
            self.call_builtin(call);
            self.check_interrupt();
            return;
        }
        let (from, len) = self.pop2();
        let (dst, at, src) = self.pop3();
        let (target_size, source_size) =
            [dst_type, src_type].map(|ty| self.request.module.array_element(ty).stored.size()).into();
        // Null traps before bounds do.
        let (target_len, source_len) = (self.array_len(dst), self.array_len(src));
        let target = self.elements(target_size, dst, target_len, at, len);
        let source = self.elements(source_size, src, source_len, from, len);
        let len_word = self.builder.ins().uextend(types::I64, len);
        let bytes = self.builder.ins().ishl_imm_u(len_word, i64::from(source_size.ilog2()));
        let (target, source) = (self.object_range(target, bytes), self.object_range(source, bytes));
        self.by_size(bytes, call, &[dst, at, src, from, len], |this, moves| this.copy_by(moves, source, target));
    }

    /// Returns the address of `len` elements of an array with `available` elements. Traps if they are not all inside it.
    fn elements(&mut self, size: u32, array: Value, available: Value, index: Value, len: Value) -> Value {
        let [available, first, count] =
            [available, index, len].map(|value| self.builder.ins().uextend(types::I64, value));
        let end = self.builder.ins().iadd(first, count);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, available);
        self.builder.ins().trapnz(is_outside, trap_code(TrapCode::ArrayOutOfBounds));
        let pointer = self.element_pointer_less_header(size, array, index);
        self.builder.ins().iadd_imm_u(pointer, i64::from(HEADER))
    }

    /// Returns the range of these bytes in the heap.
    fn object_range(&mut self, start: Value, bytes: Value) -> Range {
        let end = self.builder.ins().iadd(start, bytes);
        Range { start, end: Some(end), flags: self.field_flags().with_notrap() }
    }

    /// Loads a field or element.
    fn load_field(&mut self, field: Field, signed: bool, pointer: Value, offset: u32, flags: MemFlagsData) -> Value {
        let offset = offset as i32;
        let (stored, ty) = (stored_type(field.stored), value_type(field.ty));
        if stored == types::I32 && ty == types::I64 {
            // A reference. Its extension costs no instruction, and a plain load may return what a store left.
            let loaded = self.builder.ins().load(stored, flags, pointer, offset);
            return self.builder.ins().uextend(ty, loaded);
        }
        self.extending_load(stored, signed, ty, Site { flags, pointer, offset })
    }

    /// Stores a field or element.
    pub(super) fn store_field(
        &mut self,
        stored: Stored,
        value: Value,
        pointer: Value,
        offset: u32,
        flags: MemFlagsData,
    ) {
        let stored = stored_type(stored);
        let value = self.canonical(value);
        let value = match self.builder.func.dfg.value_type(value) {
            ty if ty.is_int() && ty.bytes() > stored.bytes() => self.builder.ins().ireduce(stored, value),
            _ => value,
        };
        self.builder.ins().store(flags, value, pointer, offset as i32);
    }

    /// Loads the place of a type's descriptor.
    pub(super) fn descriptor(&mut self, type_index: u32) -> Value {
        let offset = self.request.layout.descriptor(type_index) as i32;
        self.builder.ins().load(types::I32, constant(), self.context, offset)
    }

    /// Returns the outcome of a test, as a truth value in the code.
    fn ref_test(&mut self, cast: Cast, reference: Value) -> Value {
        let is_null = |this: &mut Self| this.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
        match (cast.test, cast.nullable) {
            (Test::Always, true) => self.builder.ins().iconst(types::I8, 1),
            (Test::Never, false) => self.builder.ins().iconst(types::I8, 0),
            (Test::Always, false) => self.builder.ins().icmp_imm_u(IntCC::NotEqual, reference, 0),
            (Test::Never, true) => is_null(self),
            (Test::I31, nullable) => {
                let tag = self.builder.ins().band_imm_u(reference, 1);
                let is_integer = self.builder.ins().icmp_imm_u(IntCC::NotEqual, tag, 0);
                if !nullable {
                    return is_integer;
                }
                let is_null = is_null(self);
                self.builder.ins().bor(is_integer, is_null)
            }
            (Test::Func(id), nullable) => self.func_test(id, nullable, reference),
            (test, nullable) => self.object_test(test, nullable, reference),
        }
    }

    /// Returns the outcome of a test for which the object matters.
    fn object_test(&mut self, test: Test, nullable: bool, reference: Value) -> Value {
        // Unboxed integers have the tag in the lowest bit. After a rotation they are the large numbers.
        let narrow = self.builder.ins().ireduce(types::I32, reference);
        let rotated = self.builder.ins().rotr_imm_u(narrow, 1);
        let rotated = self.builder.ins().iadd_imm_s(rotated, -1);
        let is_object = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, rotated, ROTATED_OBJECTS);
        let (object, done) = (self.builder.create_block(), self.block_with(&[types::I8]));
        let otherwise = match (test, nullable) {
            (Test::Eq, true) => self.builder.ins().iconst(types::I8, 1),
            (Test::Eq, false) => self.builder.ins().icmp_imm_u(IntCC::NotEqual, reference, 0),
            (_, true) => self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0),
            (_, false) => self.builder.ins().iconst(types::I8, 0),
        };
        self.builder.ins().brif(is_object, object, &[], done, &block_args(&[otherwise]));
        self.builder.seal_block(object);

        self.builder.switch_to_block(object);
        let base = self.heap_base();
        let pointer = self.builder.ins().iadd(base, reference);
        let flags = self.header_flags().with_notrap();
        let actual = self.builder.ins().load(types::I32, flags, pointer, offset_of!(VmObject, descriptor) as i32);
        let passes = match test {
            Test::Object(ty) => self.is_instance(actual, ty, base),
            test => {
                let kind = self.in_descriptor(actual, base, offset_of!(VmDescriptor, kind));
                let compare =
                    |this: &mut Self, code, than: Kind| this.builder.ins().icmp_imm_u(code, kind, i64::from(than.0));
                match test {
                    Test::Struct => compare(self, IntCC::Equal, Kind::STRUCT),
                    Test::Array => compare(self, IntCC::Equal, Kind::ARRAY),
                    _ => compare(self, IntCC::UnsignedLessThanOrEqual, Kind::ARRAY),
                }
            }
        };
        self.builder.ins().jump(done, &block_args(&[passes]));
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        self.builder.block_params(done)[0]
    }

    /// Loads a field of a descriptor, which never changes.
    fn in_descriptor(&mut self, descriptor: Value, base: Value, offset: usize) -> Value {
        let place = self.builder.ins().uextend(types::I64, descriptor);
        let pointer = self.builder.ins().iadd(base, place);
        self.builder.ins().load(types::I32, MemFlagsData::trusted().with_readonly(), pointer, offset as i32)
    }

    /// Returns true in the code if objects with the descriptor `actual` are instances of a type of the module.
    fn is_instance(&mut self, actual: Value, ty: u32, base: Value) -> Value {
        let target = self.descriptor(ty);
        let registry = self.request.module.registry();
        let sub_type = registry.sub_type(self.request.module.type_id(ty));
        if sub_type.is_final {
            return self.builder.ins().icmp(IntCC::Equal, actual, target);
        }
        let depth = std::iter::successors(sub_type.supertype, |&id| registry.sub_type(id).supertype).count();
        let at = offset_of!(VmDescriptor, display) + depth * size_of::<u32>();
        if depth < DISPLAY {
            let entry = self.in_descriptor(actual, base, at);
            return self.builder.ins().icmp(IntCC::Equal, entry, target);
        }
        // Not every display is so long.
        let (long, done) = (self.builder.create_block(), self.block_with(&[types::I8]));
        let len = self.in_descriptor(actual, base, offset_of!(VmDescriptor, display_len));
        let is_long = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, len, depth as i64);
        let no = self.builder.ins().iconst(types::I8, 0);
        self.builder.ins().brif(is_long, long, &[], done, &block_args(&[no]));
        self.builder.seal_block(long);
        self.builder.switch_to_block(long);
        let entry = self.in_descriptor(actual, base, at);
        let passes = self.builder.ins().icmp(IntCC::Equal, entry, target);
        self.builder.ins().jump(done, &block_args(&[passes]));
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        self.builder.block_params(done)[0]
    }

    /// Returns the outcome of a test of a reference to a function.
    fn func_test(&mut self, id: TypeId, nullable: bool, reference: Value) -> Value {
        let (func, done) = (self.builder.create_block(), self.block_with(&[types::I8]));
        let for_null = self.builder.ins().iconst(types::I8, i64::from(nullable));
        self.builder.ins().brif(reference, func, &[], done, &block_args(&[for_null]));
        self.builder.seal_block(func);
        self.builder.switch_to_block(func);
        let flags = self.trusted(Region::Vm);
        let actual = self.builder.ins().load(types::I32, flags, reference, offset_of!(VmFunc, type_id) as i32);
        let expected = self.index(id.0);
        let is_same = self.builder.ins().icmp(IntCC::Equal, actual, expected);
        if self.request.module.registry().sub_type(id).is_final {
            self.builder.ins().jump(done, &block_args(&[is_same]));
        } else {
            let other = self.builder.create_block();
            self.builder.ins().brif(is_same, done, &block_args(&[is_same]), other, &[]);
            self.builder.seal_block(other);
            self.builder.switch_to_block(other);
            let call = self.libcall(LibCall::IsSubtype, &[actual, expected]);
            let passes = self.builder.inst_results(call)[0];
            let passes = self.builder.ins().ireduce(types::I8, passes);
            self.builder.ins().jump(done, &block_args(&[passes]));
        }
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        self.builder.block_params(done)[0]
    }
}

/// Returns the type of a field in memory.
fn stored_type(stored: Stored) -> Type {
    match stored {
        Stored::I8 => types::I8,
        Stored::I16 => types::I16,
        Stored::Word32 | Stored::Ref => types::I32,
        Stored::Word64 | Stored::Func => types::I64,
        Stored::Vector => types::I8X16,
    }
}
