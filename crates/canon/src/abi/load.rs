//! [`Val`]s out of linear memory.

use wasmr_component::{Layout, TypeDef, TypeId};

use crate::abi::case::Case;
use crate::abi::{Element, LiftCx, checked_range, read, read_bits, read_u32, scalar, string, variant_layout};
use crate::error::{AbiError, Result};
use crate::value::{List, Val};

impl LiftCx<'_> {
    /// Takes room for `count` values from the budget.
    pub(crate) fn take_vals(&mut self, count: usize) -> Result<()> {
        self.budget.take(count.saturating_mul(size_of::<Val>()))
    }

    /// Takes room for a field of a record from the budget.
    pub(crate) fn take_field(&mut self, name: &str) -> Result<()> {
        self.budget.take(size_of::<(String, Val)>() + name.len())
    }

    /// Lifts a value at `at`, which is a range of the memory that was checked.
    pub(crate) fn load(&mut self, ty: TypeId, at: usize) -> Result<Val> {
        let types = self.types;
        let (def, shape) = (types.def(ty), types.shape(ty));
        Ok(match def {
            TypeDef::String => {
                let (ptr, len) = (read_u32(self.memory, at), read_u32(self.memory, at + 4));
                Val::String(string::lift(self, ptr, len)?)
            }
            TypeDef::List(element) => {
                let (ptr, len) = (read_u32(self.memory, at), read_u32(self.memory, at + 4));
                self.load_list(*element, ptr, len)?
            }
            TypeDef::Map(key, value) => {
                let (ptr, len) = (read_u32(self.memory, at), read_u32(self.memory, at + 4));
                self.load_map(*key, *value, ptr, len)?
            }
            TypeDef::FixedList(element, len) => Val::List(self.load_elements(*element, at, *len as usize)?),
            TypeDef::Record(fields) => {
                let Layout::Fields(offsets) = &shape.layout else { return Err(scalar::not_supported()) };
                let mut values = Vec::with_capacity(fields.len());
                for (field, &offset) in fields.iter().zip(offsets) {
                    self.take_field(&field.name)?;
                    let value = self.load(field.ty, at + offset as usize);
                    values
                        .push((field.name.to_string(), value.map_err(|e| e.within(format_args!(".{}", field.name)))?));
                }
                Val::Record(values)
            }
            TypeDef::Tuple(fields) => {
                let Layout::Fields(offsets) = &shape.layout else { return Err(scalar::not_supported()) };
                self.take_vals(fields.len())?;
                let mut values = Vec::with_capacity(fields.len());
                for (index, (&field, &offset)) in fields.iter().zip(offsets).enumerate() {
                    let value = self.load(field, at + offset as usize);
                    values.push(value.map_err(|e| e.within(format_args!(".{index}")))?);
                }
                Val::Tuple(values)
            }
            TypeDef::Variant(_) | TypeDef::Option(_) | TypeDef::Result { .. } => {
                let (size, offset) = variant_layout(shape);
                let case = Case::at(def, read_bits(self.memory, at, size) as u32)?;
                let payload = match case.payload {
                    Some(ty) => {
                        self.take_vals(1)?;
                        let value = self.load(ty, at + offset as usize);
                        Some(Box::new(value.map_err(|e| e.within(format_args!(".{}", case.name)))?))
                    }
                    None => None,
                };
                case.into_val(def, payload)
            }
            scalar => {
                let bits = read_bits(self.memory, at, shape.size);
                match scalar::lift(self, scalar, bits)? {
                    Some(value) => value,
                    None => return Err(scalar::not_supported()),
                }
            }
        })
    }

    /// Lifts a list.
    pub(crate) fn load_list(&mut self, element: TypeId, ptr: u32, len: u32) -> Result<Val> {
        let layout = Element::of(self.types.shape(element));
        let range = self.elements_range(layout, ptr, len)?;
        Ok(Val::List(self.load_elements(element, range.start, len as usize)?))
    }

    /// Returns the range of a list's elements.
    pub(crate) fn elements_range(&self, layout: Element, ptr: u32, len: u32) -> Result<std::ops::Range<usize>> {
        checked_range(self.memory.len(), ptr, layout.bytes(len.into())?, layout.align, "list")
    }

    fn load_elements(&mut self, element: TypeId, at: usize, len: usize) -> Result<List> {
        let types = self.types;
        let size = types.shape(element).size as usize;
        // Numbers take as much on the host as in the guest.
        self.budget.take(len * size)?;
        let memory = self.memory;
        let bytes = &memory[at..at + len * size];
        let numbers = match types.def(element) {
            TypeDef::S8 => List::S8(bytes.iter().map(|&byte| byte as i8).collect()),
            TypeDef::U8 => List::U8(bytes.to_vec()),
            TypeDef::S16 => List::S16(numbers(bytes, i16::from_le_bytes)),
            TypeDef::U16 => List::U16(numbers(bytes, u16::from_le_bytes)),
            TypeDef::S32 => List::S32(numbers(bytes, i32::from_le_bytes)),
            TypeDef::U32 => List::U32(numbers(bytes, u32::from_le_bytes)),
            TypeDef::S64 => List::S64(numbers(bytes, i64::from_le_bytes)),
            TypeDef::U64 => List::U64(numbers(bytes, u64::from_le_bytes)),
            TypeDef::F32 => List::F32(numbers(bytes, f32::from_le_bytes)),
            TypeDef::F64 => List::F64(numbers(bytes, f64::from_le_bytes)),
            _ => {
                self.take_vals(len)?;
                let mut values = Vec::with_capacity(len);
                for index in 0..len {
                    let value = self.load(element, at + index * size);
                    values.push(value.map_err(|e| e.within(format_args!("[{index}]")))?);
                }
                return Ok(List::Vals(values));
            }
        };
        Ok(numbers)
    }

    /// Lifts a map.
    pub(crate) fn load_map(&mut self, key: TypeId, value: TypeId, ptr: u32, len: u32) -> Result<Val> {
        let layout = Element::of_entry(self.types, key, value);
        let range = self.elements_range(layout, ptr, len)?;
        self.take_vals((len as usize).saturating_mul(2))?;
        let mut entries = Vec::with_capacity(len as usize);
        for index in 0..len as usize {
            let at = range.start + index * layout.size as usize;
            let entry = self.load(key, at).and_then(|key| Ok((key, self.load(value, at + layout.value as usize)?)));
            entries.push(entry.map_err(|e: AbiError| e.within(format_args!("[{index}]")))?);
        }
        Ok(Val::Map(entries))
    }
}

/// Reads little-endian numbers.
pub(crate) fn numbers<const N: usize, V>(bytes: &[u8], of: impl Fn([u8; N]) -> V) -> Vec<V> {
    bytes.chunks_exact(N).map(|chunk| of(read(chunk, 0))).collect()
}
