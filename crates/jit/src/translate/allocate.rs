//! Allocation of structs and arrays.
//!
//! Small objects are made in place: the next cell of the interval for their size is taken ([`VmInterval`]). If there is none, a
//! libcall finds one, and may collect before. Larger objects are made by the runtime.
//!
//! # Invariant
//! Header and fields of a new object are written before the next instruction that could collect.

use std::mem::offset_of;

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};
use wasmparser::Operator;
use wasmr_core::layout::{HEADER, Stored};
use wasmr_module::BuiltinCall;
use wasmr_runtime::vm::VmStore;
use wasmr_runtime::vm_gc::{CELL_SIZES, VmHeap, VmInterval, VmObject, cell_class};

use super::control::block_args;
use super::environment::Region;
use super::state::Translator;
use crate::libcalls::LibCall;

/// Bytes of the largest object of a known size that is made in place. The code for a larger one would be longer than a libcall
/// is slow.
const MAX_IN_PLACE: u32 = 256;

/// Bytes of the largest array of unknown length that is made in place. Up to here, the cell sizes are all multiples of 8, so that
/// the size of a cell gives the place of its interval.
const MAX_ARRAY: u32 = 80;

/// Bytes of the smallest cell.
const MIN_CELL: u32 = CELL_SIZES[0];

const _: () = {
    let mut class = 0;
    while class <= ((MAX_ARRAY - MIN_CELL) / 8) as usize {
        assert!(CELL_SIZES[class] == MIN_CELL + 8 * class as u32, "cell sizes are multiples of 8");
        class += 1;
    }
    assert!(size_of::<VmInterval>() == 8, "the place of an interval is the size of its cells plus a constant");
};

/// The next cell of an interval, which code has not taken yet.
struct Cell {
    /// Pointer from which the interval's cursor is `cursor_at` bytes away.
    pointer: Value,
    cursor_at: i32,
    /// The cursor: the place of the cell.
    cursor: Value,
    /// The cursor after the cell.
    next: Value,
    /// True if the interval has the cell.
    is_there: Value,
}

impl Translator<'_, '_> {
    pub(super) fn struct_new(&mut self, ty: u32, operator: &Operator<'_>, is_default: bool) {
        let layout = self.request.module.struct_layout(ty);
        let size = layout.size;
        if size > MAX_IN_PLACE {
            self.call_builtin(BuiltinCall::of(operator).expect("the runtime makes objects"));
            return;
        }
        let fields = layout.fields.clone();
        let values = if is_default { Vec::new() } else { self.pop_many(fields.len()) };
        let (reference, pointer) = self.allocate(ty, size, None);
        let flags = self.field_flags().with_notrap();
        if is_default {
            let zero = self.builder.ins().iconst(types::I64, 0);
            for offset in (HEADER..size).step_by(8) {
                self.builder.ins().store(flags, zero, pointer, offset as i32);
            }
        }
        for (field, value) in fields.iter().zip(values) {
            self.store_field(field.stored, value, pointer, field.offset, flags);
        }
        self.push(reference);
    }

    pub(super) fn array_new_fixed(&mut self, ty: u32, count: u32, operator: &Operator<'_>) {
        let stored = self.request.module.array_element(ty).stored;
        let bytes = u64::from(HEADER) + u64::from(count) * u64::from(stored.size());
        if bytes > u64::from(MAX_IN_PLACE) {
            self.call_builtin(BuiltinCall::of(operator).expect("the runtime makes objects"));
            return;
        }
        let values = self.pop_many(count as usize);
        let (reference, pointer) = self.allocate(ty, bytes as u32, Some(count));
        let flags = self.field_flags().with_notrap();
        for (index, value) in (0..).zip(values) {
            self.store_field(stored, value, pointer, HEADER + index * stored.size(), flags);
        }
        self.push(reference);
    }

    /// Allocates an object of `bytes` bytes with a header. Returns its reference and its address.
    fn allocate(&mut self, ty: u32, bytes: u32, len: Option<u32>) -> (Value, Value) {
        let class = cell_class(bytes).expect("small objects are in cells");
        let interval = offset_of!(VmStore, heap) + offset_of!(VmHeap, intervals) + class * size_of::<VmInterval>();
        let store = self.store_pointer();
        let cell = self.find_cell(store, interval, |this| this.index(CELL_SIZES[class]));
        let (fast, slow) = (self.builder.create_block(), self.builder.create_block());
        let done = self.block_with(&[types::I64]);
        self.builder.set_cold_block(slow);
        self.builder.ins().brif(cell.is_there, fast, &[], slow, &[]);
        self.builder.seal_block(fast);
        self.builder.seal_block(slow);

        self.builder.switch_to_block(slow);
        let size = self.index(bytes);
        let call = self.libcall(LibCall::Allocate, &[size]);
        let found = self.builder.inst_results(call)[0];
        self.builder.ins().jump(done, &block_args(&[found]));

        self.builder.switch_to_block(fast);
        let reference = self.take_cell(cell);
        self.builder.ins().jump(done, &block_args(&[reference]));

        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        let reference = self.builder.block_params(done)[0];
        let len = len.map(|len| self.index(len));
        let pointer = self.write_header(reference, ty, len);
        (reference, pointer)
    }

    /// Finds the next cell of the interval that is `interval_at` bytes after `pointer`. `size` returns the bytes of a cell.
    fn find_cell(&mut self, pointer: Value, interval_at: usize, size: impl FnOnce(&mut Self) -> Value) -> Cell {
        let cursor_at = (interval_at + offset_of!(VmInterval, cursor)) as i32;
        let end_at = (interval_at + offset_of!(VmInterval, end)) as i32;
        let flags = self.trusted(Region::Allocator);
        let cursor = self.builder.ins().load(types::I32, flags, pointer, cursor_at);
        let end = self.builder.ins().load(types::I32, flags, pointer, end_at);
        let size = size(self);
        let next = self.builder.ins().iadd(cursor, size);
        let is_there = self.builder.ins().icmp(IntCC::UnsignedLessThanOrEqual, next, end);
        Cell { pointer, cursor_at, cursor, next, is_there }
    }

    /// Takes a cell that is there. Returns the reference of the object in it.
    fn take_cell(&mut self, cell: Cell) -> Value {
        let flags = self.trusted(Region::Allocator);
        self.builder.ins().store(flags, cell.next, cell.pointer, cell.cursor_at);
        self.builder.ins().uextend(types::I64, cell.cursor)
    }

    /// Writes the header of a new object. Returns its address.
    fn write_header(&mut self, reference: Value, ty: u32, len: Option<Value>) -> Value {
        let base = self.heap_base();
        let pointer = self.builder.ins().iadd(base, reference);
        let descriptor = self.descriptor(ty);
        let flags = self.header_flags().with_notrap();
        self.builder.ins().store(flags, descriptor, pointer, offset_of!(VmObject, descriptor) as i32);
        if let Some(len) = len {
            self.builder.ins().store(flags, len, pointer, offset_of!(VmObject, len) as i32);
        }
        pointer
    }

    /// Makes an array whose elements are equal: in place if it is small, else by the runtime. In place, the words of the cell are
    /// filled, so that one loop serves all sizes of elements.
    pub(super) fn array_new(&mut self, ty: u32, operator: &Operator<'_>, is_default: bool) {
        let stored = self.request.module.array_element(ty).stored;
        let len = self.pop();
        let value = (!is_default).then(|| self.pop());
        let word = match value {
            None => Some(self.builder.ins().iconst(types::I64, 0)),
            Some(value) => self.word_of_copies(stored, value),
        };
        let Some(word) = word.filter(|_| self.take_variable_site()) else {
            let array = self.large_array(ty, operator, value, len);
            self.push(array);
            return;
        };
        let (small, fast, slow) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let done = self.block_with(&[types::I64]);
        let len_word = self.builder.ins().uextend(types::I64, len);
        let bytes = self.builder.ins().ishl_imm_u(len_word, i64::from(stored.size().ilog2()));
        let bytes = self.builder.ins().iadd_imm_u(bytes, i64::from(HEADER) + 7);
        let bytes = self.builder.ins().band_imm_s(bytes, -8);
        let is_small = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, bytes, i64::from(MAX_ARRAY));
        self.builder.ins().brif(is_small, small, &[], slow, &[]);
        self.builder.seal_block(small);

        self.builder.switch_to_block(small);
        let least = self.builder.ins().iconst(types::I64, i64::from(MIN_CELL));
        let cell = self.builder.ins().umax(bytes, least);
        let store = self.store_pointer();
        let interval = self.builder.ins().iadd(store, cell);
        let interval_at = offset_of!(VmStore, heap) + offset_of!(VmHeap, intervals) - MIN_CELL as usize;
        let found = self.find_cell(interval, interval_at, |this| this.builder.ins().ireduce(types::I32, cell));
        self.builder.ins().brif(found.is_there, fast, &[], slow, &[]);
        self.builder.seal_block(fast);
        self.builder.seal_block(slow);

        self.builder.switch_to_block(slow);
        let array = self.large_array(ty, operator, value, len);
        self.builder.ins().jump(done, &block_args(&[array]));

        self.builder.switch_to_block(fast);
        let array = self.take_cell(found);
        let pointer = self.write_header(array, ty, Some(len));
        self.fill_cell(pointer, cell, word);
        self.builder.ins().jump(done, &block_args(&[array]));

        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        let array = self.builder.block_params(done)[0];
        self.push(array);
    }

    /// Stores copies of a word from the header of a new object to the end of its cell, of which there is at least one.
    fn fill_cell(&mut self, pointer: Value, cell: Value, word: Value) {
        let (next, filled) = (self.block_with(&[types::I64]), self.builder.create_block());
        let end = self.builder.ins().iadd(pointer, cell);
        let first = self.builder.ins().iadd_imm_u(pointer, i64::from(HEADER));
        self.builder.ins().jump(next, &block_args(&[first]));

        self.builder.switch_to_block(next);
        let at = self.builder.block_params(next)[0];
        let flags = self.field_flags().with_notrap();
        self.builder.ins().store(flags, word, at, 0);
        let at = self.builder.ins().iadd_imm_u(at, 8);
        let is_inside = self.builder.ins().icmp(IntCC::UnsignedLessThan, at, end);
        self.builder.ins().brif(is_inside, next, &block_args(&[at]), filled, &[]);
        self.builder.seal_block(next);
        self.builder.seal_block(filled);
        self.builder.switch_to_block(filled);
    }

    /// Makes an array by a libcall. `value` is `None` for zeros or nulls.
    fn large_array(&mut self, ty: u32, operator: &Operator<'_>, value: Option<Value>, len: Value) -> Value {
        let array = match value {
            None => {
                let size = self.request.module.array_element(ty).stored.size();
                let (descriptor, size) = (self.descriptor(ty), self.index(size));
                let call = self.libcall(LibCall::NewArray, &[descriptor, len, size]);
                self.builder.inst_results(call)[0]
            }
            Some(value) => {
                self.push_all(&[value, len]);
                self.call_builtin(BuiltinCall::of(operator).expect("the runtime makes arrays"));
                self.pop()
            }
        };
        // The guest chose the length and thus the duration.
        self.check_interrupt();
        array
    }

    /// Returns a word that consists of copies of an element in stored form; `None` for a vector.
    fn word_of_copies(&mut self, stored: Stored, value: Value) -> Option<Value> {
        let ty = self.builder.func.dfg.value_type(value);
        let bits = match ty {
            types::F32 => self.builder.ins().bitcast(types::I32, MemFlagsData::new(), value),
            types::F64 => self.builder.ins().bitcast(types::I64, MemFlagsData::new(), value),
            _ => value,
        };
        let (mask, copies) = match stored {
            Stored::I8 => (Some(0xff), 0x0101_0101_0101_0101),
            Stored::I16 => (Some(0xffff), 0x0001_0001_0001_0001),
            Stored::Word32 | Stored::Ref => (None, 0x0000_0001_0000_0001),
            Stored::Word64 | Stored::Func => return Some(bits),
            Stored::Vector => return None,
        };
        let word = self.as_slot(bits);
        let word = match mask {
            Some(mask) => self.builder.ins().band_imm_u(word, mask),
            None => word,
        };
        Some(self.builder.ins().imul_imm_u(word, copies))
    }
}
