//! Values of one guest for another: read from core values or memory of the caller, checked, and written as core values or into memory
//! of the callee. No [`Val`](crate::Val) is made. A list of plain elements is copied as a whole.

use std::ops::Range;

use wasmr_component::{Layout, TypeDef, TypeId};
use wasmr_runtime::MemoryPair;

use crate::abi::case::Case;
use crate::abi::{
    Budget, Element, FlatIn, FlatOut, LowerCx, checked_range, flat_count, read_bits, scalar, string, variant_layout,
};
use crate::error::Result;
use crate::state::LiveOptions;

/// The two sides of a call between guests.
pub(crate) struct TransferCx<'a> {
    /// The side whose values are read.
    pub(crate) from: &'a LiveOptions,
    /// The side that gets them.
    pub(crate) lower: LowerCx<'a>,
    /// Bytes and elements that may still be passed.
    pub(crate) budget: Budget,
}

impl TransferCx<'_> {
    /// Returns the memory that is read.
    #[inline]
    pub(crate) fn source(&self) -> &[u8] {
        match self.from.memory {
            Some(memory) => memory.data(&self.lower.store),
            None => &[],
        }
    }

    /// Copies bytes of the source to an address of the target. Both ranges were checked.
    #[inline]
    pub(crate) fn copy(&mut self, range: Range<usize>, to: usize) {
        let (Some(from), Some(target)) = (self.from.memory, self.lower.options.memory) else { return };
        match from.with_target(&mut self.lower.store, target) {
            MemoryPair::Same(bytes) => bytes.copy_within(range, to),
            MemoryPair::Two(source, target) => target[to..to + range.len()].copy_from_slice(&source[range]),
        }
    }

    /// Passes a value in core values.
    pub(crate) fn flat(&mut self, ty: TypeId, src: &mut FlatIn<'_>, dst: &mut FlatOut<'_>) -> Result<()> {
        let types = self.lower.types;
        let def = types.def(ty);
        match def {
            TypeDef::String => {
                let (ptr, len) = string::transfer(self, src.next_u32(), src.next_u32())?;
                dst.push(ptr.into());
                dst.push(len.into());
            }
            TypeDef::List(_) | TypeDef::Map(..) => {
                let (ptr, len) = self.list(def, src.next_u32(), src.next_u32())?;
                dst.push(ptr.into());
                dst.push(len.into());
            }
            TypeDef::FixedList(element, len) => {
                for index in 0..*len {
                    self.flat(*element, src, dst).map_err(|e| e.within(format_args!("[{index}]")))?;
                }
            }
            TypeDef::Record(fields) => {
                for field in fields {
                    self.flat(field.ty, src, dst).map_err(|e| e.within(format_args!(".{}", field.name)))?;
                }
            }
            TypeDef::Tuple(fields) => {
                for (index, &field) in fields.iter().enumerate() {
                    self.flat(field, src, dst).map_err(|e| e.within(format_args!(".{index}")))?;
                }
            }
            TypeDef::Variant(_) | TypeDef::Option(_) | TypeDef::Result { .. } => {
                let count = flat_count(types.shape(ty));
                let (end, dst_end) = (src.position() + count, dst.position() + count);
                let case = Case::at(def, src.next_u32())?;
                dst.push(case.index.into());
                if let Some(ty) = case.payload {
                    self.flat(ty, src, dst).map_err(|e| e.within(format_args!(".{}", case.name)))?;
                }
                src.seek(end);
                dst.pad(dst_end);
            }
            scalar => {
                let bits = self.scalar(scalar, src.next())?;
                dst.push(bits);
            }
        }
        Ok(())
    }

    /// Passes a value in memory, from and to ranges that were checked.
    pub(crate) fn memory(&mut self, ty: TypeId, from: usize, to: usize) -> Result<()> {
        let types = self.lower.types;
        let (def, shape) = (types.def(ty), types.shape(ty));
        if shape.plain {
            self.copy(from..from + shape.size as usize, to);
            return Ok(());
        }
        match def {
            TypeDef::String => {
                let (ptr, len) = self.pointer(from);
                let range = string::transfer(self, ptr, len)?;
                self.lower.write_range(to, range);
            }
            TypeDef::List(_) | TypeDef::Map(..) => {
                let (ptr, len) = self.pointer(from);
                let range = self.list(def, ptr, len)?;
                self.lower.write_range(to, range);
            }
            TypeDef::FixedList(element, len) => self.elements(*element, from, to, *len as usize)?,
            TypeDef::Record(fields) => {
                let Layout::Fields(offsets) = &shape.layout else { return Err(scalar::not_supported()) };
                for (field, &offset) in fields.iter().zip(offsets) {
                    let passed = self.memory(field.ty, from + offset as usize, to + offset as usize);
                    passed.map_err(|e| e.within(format_args!(".{}", field.name)))?;
                }
            }
            TypeDef::Tuple(fields) => {
                let Layout::Fields(offsets) = &shape.layout else { return Err(scalar::not_supported()) };
                for (index, (&field, &offset)) in fields.iter().zip(offsets).enumerate() {
                    let passed = self.memory(field, from + offset as usize, to + offset as usize);
                    passed.map_err(|e| e.within(format_args!(".{index}")))?;
                }
            }
            TypeDef::Variant(_) | TypeDef::Option(_) | TypeDef::Result { .. } => {
                let (size, offset) = variant_layout(shape);
                let bits = read_bits(self.source(), from, size);
                let case = Case::at(def, bits as u32)?;
                self.lower.write(to, size, bits);
                if let Some(ty) = case.payload {
                    let passed = self.memory(ty, from + offset as usize, to + offset as usize);
                    passed.map_err(|e| e.within(format_args!(".{}", case.name)))?;
                }
            }
            scalar => {
                let bits = read_bits(self.source(), from, shape.size);
                let bits = self.scalar(scalar, bits)?;
                self.lower.write(to, shape.size, bits);
            }
        }
        Ok(())
    }

    /// Reads a pointer and a length.
    #[inline]
    fn pointer(&self, at: usize) -> (u32, u32) {
        let bits = read_bits(self.source(), at, 8);
        (bits as u32, (bits >> 32) as u32)
    }

    /// Passes a list or a map. Returns pointer and length.
    fn list(&mut self, def: &TypeDef, ptr: u32, len: u32) -> Result<(u32, u32)> {
        let types = self.lower.types;
        let layout = match def {
            TypeDef::Map(key, value) => Element::of_entry(types, *key, *value),
            TypeDef::List(element) => Element::of(types.shape(*element)),
            _ => return Err(scalar::not_supported()),
        };
        let bytes = layout.bytes(len.into())?;
        let range = checked_range(self.source().len(), ptr, bytes, layout.align, "list")?;
        self.budget.take(range.len())?;
        let to = self.lower.allocate(layout.align, bytes)?;
        match def {
            TypeDef::Map(key, value) => {
                self.budget.take((len as usize).saturating_mul(Budget::ELEMENT))?;
                for index in 0..len as usize {
                    let offset = index * layout.size as usize;
                    let (from, to) = (range.start + offset, to as usize + offset);
                    let passed = self.memory(*key, from, to);
                    let passed = passed
                        .and_then(|()| self.memory(*value, from + layout.value as usize, to + layout.value as usize));
                    passed.map_err(|e| e.within(format_args!("[{index}]")))?;
                }
            }
            TypeDef::List(element) => self.elements(*element, range.start, to as usize, len as usize)?,
            _ => {}
        }
        Ok((to, len))
    }

    fn elements(&mut self, element: TypeId, from: usize, to: usize, len: usize) -> Result<()> {
        let shape = self.lower.types.shape(element);
        let size = shape.size as usize;
        if shape.plain {
            self.copy(from..from + len * size, to);
            return Ok(());
        }
        self.budget.take(len.saturating_mul(Budget::ELEMENT))?;
        for index in 0..len {
            let passed = self.memory(element, from + index * size, to + index * size);
            passed.map_err(|e| e.within(format_args!("[{index}]")))?;
        }
        Ok(())
    }

    /// Checks the bits of a value, and makes its core value of them. Handles go from table to table.
    fn scalar(&mut self, def: &TypeDef, bits: u64) -> Result<u64> {
        Ok(match def {
            TypeDef::Bool => u64::from(bits as u32 != 0),
            TypeDef::S8 => u64::from(i32::from(bits as i8) as u32),
            TypeDef::U8 => u64::from(bits as u8),
            TypeDef::S16 => u64::from(i32::from(bits as i16) as u32),
            TypeDef::U16 => u64::from(bits as u16),
            TypeDef::S32 | TypeDef::U32 | TypeDef::F32 => u64::from(bits as u32),
            TypeDef::S64 | TypeDef::U64 | TypeDef::F64 => bits,
            TypeDef::Char => u64::from(u32::from(scalar::char_of(bits as u32)?)),
            TypeDef::Enum(names) => {
                let case = bits as u32;
                if case as usize >= names.len() {
                    return Err(scalar::bad_discriminant(case, names.len(), "an enum"));
                }
                u64::from(case)
            }
            TypeDef::Flags(names) => u64::from(bits as u32 & scalar::flags_mask(names.len())),
            TypeDef::Own(id) => {
                let (from, to) = (self.from, self.lower.options);
                let state = self.lower.state();
                let key = state.resource(from.live, *id);
                let rep = state.take_own(from.instance, bits as u32, key)?;
                u64::from(state.give_own(to.instance, key, rep)?)
            }
            TypeDef::Borrow(id) => {
                self.budget.take(Budget::BORROW)?;
                let (from, to, scope) = (self.from, self.lower.options, self.lower.scope);
                let state = self.lower.state();
                let key = state.resource(from.live, *id);
                let rep = state.lend(from.instance, bits as u32, key, scope)?;
                u64::from(state.give_borrow(to.instance, key, rep, scope)?)
            }
            _ => return Err(scalar::not_supported()),
        })
    }
}
