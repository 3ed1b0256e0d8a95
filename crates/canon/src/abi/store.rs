//! [`Val`]s into linear memory.

use wasmr_component::{Layout, TypeDef, TypeId};

use crate::abi::case::Case;
use crate::abi::{Element, LowerCx, scalar, string, variant_layout};
use crate::error::{AbiError, Result};
use crate::value::{List, Val};

impl LowerCx<'_> {
    /// Returns the error of a value that is not of the type.
    #[cold]
    pub(crate) fn mismatch(&self, ty: TypeId, value: &Val) -> AbiError {
        AbiError::host(format!(
            "expected `{}`, found a value of kind `{}`",
            wasmr_component::val_type_text(self.types, ty),
            value.kind()
        ))
    }

    pub(crate) fn check_count(&self, found: usize, expected: usize) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        Err(AbiError::host(format!("expected {expected} values, found {found}")))
    }

    pub(crate) fn check_field(&self, expected: &str, found: &str) -> Result<()> {
        if expected == found {
            return Ok(());
        }
        Err(AbiError::host(format!("expected the field `{expected}`, found `{found}`: fields are in the type's order")))
    }

    /// Lowers a value to `at`, which is a range of the memory that was checked.
    pub(crate) fn store(&mut self, ty: TypeId, value: &Val, at: usize) -> Result<()> {
        let types = self.types;
        let (def, shape) = (types.def(ty), types.shape(ty));
        match (def, value) {
            (TypeDef::String, Val::String(text)) => {
                let range = string::lower(self, text)?;
                self.write_range(at, range);
            }
            (TypeDef::List(element), Val::List(list)) => {
                let range = self.store_list(*element, list)?;
                self.write_range(at, range);
            }
            (TypeDef::Map(key, value), Val::Map(entries)) => {
                let range = self.store_map(*key, *value, entries)?;
                self.write_range(at, range);
            }
            (TypeDef::FixedList(element, len), Val::List(list)) => {
                self.check_count(list.len(), *len as usize)?;
                self.store_elements(*element, list, at)?;
            }
            (TypeDef::Record(fields), Val::Record(values)) => {
                let Layout::Fields(offsets) = &shape.layout else { return Err(self.mismatch(ty, value)) };
                self.check_count(values.len(), fields.len())?;
                for ((field, &offset), (name, value)) in fields.iter().zip(offsets).zip(values) {
                    self.check_field(&field.name, name)?;
                    let stored = self.store(field.ty, value, at + offset as usize);
                    stored.map_err(|e| e.within(format_args!(".{name}")))?;
                }
            }
            (TypeDef::Tuple(fields), Val::Tuple(values)) => {
                let Layout::Fields(offsets) = &shape.layout else { return Err(self.mismatch(ty, value)) };
                self.check_count(values.len(), fields.len())?;
                for (index, ((&field, &offset), value)) in fields.iter().zip(offsets).zip(values).enumerate() {
                    let stored = self.store(field, value, at + offset as usize);
                    stored.map_err(|e| e.within(format_args!(".{index}")))?;
                }
            }
            (TypeDef::Variant(_) | TypeDef::Option(_) | TypeDef::Result { .. }, value) => {
                let (case, payload) = Case::of(def, value)?.ok_or_else(|| self.mismatch(ty, value))?;
                let (size, offset) = variant_layout(shape);
                self.write(at, size, case.index.into());
                if let (Some(ty), Some(value)) = (case.payload, payload) {
                    let stored = self.store(ty, value, at + offset as usize);
                    stored.map_err(|e| e.within(format_args!(".{}", case.name)))?;
                }
            }
            (scalar, value) => {
                let bits = scalar::lower(self, scalar, value)?.ok_or_else(|| self.mismatch(ty, value))?;
                self.write(at, shape.size, bits);
            }
        }
        Ok(())
    }

    /// Writes a pointer and a length.
    #[inline]
    pub(crate) fn write_range(&mut self, at: usize, (ptr, len): (u32, u32)) {
        self.write(at, 8, u64::from(ptr) | u64::from(len) << 32);
    }

    /// Lowers the elements of a list. Returns pointer and length.
    pub(crate) fn store_list(&mut self, element: TypeId, list: &List) -> Result<(u32, u32)> {
        let layout = Element::of(self.types.shape(element));
        let ptr = self.allocate_elements(layout, list.len())?;
        self.store_elements(element, list, ptr as usize)?;
        Ok((ptr, list.len() as u32))
    }

    /// Allocates the elements of a list.
    pub(crate) fn allocate_elements(&mut self, layout: Element, len: usize) -> Result<u32> {
        let bytes =
            layout.bytes(len as u64).map_err(|_| AbiError::host(format!("a list of {len} elements is too long")))?;
        self.allocate(layout.align, bytes)
    }

    fn store_elements(&mut self, element: TypeId, list: &List, at: usize) -> Result<()> {
        let types = self.types;
        let size = types.shape(element).size as usize;
        match (types.def(element), list) {
            (TypeDef::S8, List::S8(all)) => self.write_numbers(at, all, i8::to_le_bytes),
            (TypeDef::U8, List::U8(all)) => self.memory()[at..at + all.len()].copy_from_slice(all),
            (TypeDef::S16, List::S16(all)) => self.write_numbers(at, all, i16::to_le_bytes),
            (TypeDef::U16, List::U16(all)) => self.write_numbers(at, all, u16::to_le_bytes),
            (TypeDef::S32, List::S32(all)) => self.write_numbers(at, all, i32::to_le_bytes),
            (TypeDef::U32, List::U32(all)) => self.write_numbers(at, all, u32::to_le_bytes),
            (TypeDef::S64, List::S64(all)) => self.write_numbers(at, all, i64::to_le_bytes),
            (TypeDef::U64, List::U64(all)) => self.write_numbers(at, all, u64::to_le_bytes),
            (TypeDef::F32, List::F32(all)) => self.write_numbers(at, all, f32::to_le_bytes),
            (TypeDef::F64, List::F64(all)) => self.write_numbers(at, all, f64::to_le_bytes),
            (_, List::Vals(all)) => {
                for (index, value) in all.iter().enumerate() {
                    let stored = self.store(element, value, at + index * size);
                    stored.map_err(|e| e.within(format_args!("[{index}]")))?;
                }
            }
            (_, numbers) => {
                // A list of numbers of another type, of which the first is wrong; or an empty one, which is of every type.
                if let Some(first) = numbers.get(0) {
                    return Err(self.mismatch(element, &first).within("[0]"));
                }
            }
        }
        Ok(())
    }

    /// Writes little-endian numbers.
    pub(crate) fn write_numbers<const N: usize, V: Copy>(&mut self, at: usize, all: &[V], of: impl Fn(V) -> [u8; N]) {
        for (place, &number) in self.memory()[at..at + all.len() * N].chunks_exact_mut(N).zip(all) {
            place.copy_from_slice(&of(number));
        }
    }

    /// Lowers the entries of a map. Returns pointer and length.
    pub(crate) fn store_map(&mut self, key: TypeId, value: TypeId, entries: &[(Val, Val)]) -> Result<(u32, u32)> {
        let layout = Element::of_entry(self.types, key, value);
        let ptr = self.allocate_elements(layout, entries.len())?;
        for (index, (left, right)) in entries.iter().enumerate() {
            let at = ptr as usize + index * layout.size as usize;
            let stored = self.store(key, left, at).and_then(|()| self.store(value, right, at + layout.value as usize));
            stored.map_err(|e| e.within(format_args!("[{index}]")))?;
        }
        Ok((ptr, entries.len() as u32))
    }
}
