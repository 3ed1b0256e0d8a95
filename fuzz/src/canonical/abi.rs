//! A second implementation of loading, storing, lifting and lowering, over plain bytes, after the specification's `definitions.py`.
//!
//! It shares nothing with `wasmr-canon`: layouts are computed at each use, and every access goes through [`Memory`].

use super::types::{Core, Type};
use super::value::Value;

/// Most core values of parameters.
pub const MAX_FLAT_PARAMS: usize = 16;

/// Most core values of a result.
pub const MAX_FLAT_RESULTS: usize = 1;

/// Values that one lift may make. More end the comparison: wasmr has a limit of its own.
const MAX_VALUES: usize = 100_000;

/// Bit of a length that tells UTF-16 from Latin-1.
const TAG: u32 = 1 << 31;

/// The encoding of strings in a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum Encoding {
    /// `utf8`
    Utf8,
    /// `utf16`
    Utf16,
    /// `latin1+utf16`
    Compact,
}

/// The reason why a value cannot be lifted or lowered.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The specification demands a trap.
    Trap,
    /// The comparison would take too much memory or time.
    TooLarge,
}

/// The result of a walker.
pub type Done<T> = Result<T, Failure>;

/// A linear memory with a bump allocator.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The contents.
    pub bytes: Vec<u8>,
    /// First free address.
    pub free: u32,
    /// Least address that the allocator does not return.
    pub limit: u32,
    /// The encoding of strings.
    pub encoding: Encoding,
    /// True if Latin-1 text is stored as UTF-16 in a memory of [`Encoding::Compact`].
    pub is_wide: bool,
    /// Indices of the core values that are addresses.
    pub addresses: Vec<usize>,
}

/// The core values of a value, to be read one after the other.
pub struct Slots<'a> {
    slots: &'a [u64],
}

impl<'a> Slots<'a> {
    /// Returns the reader of slots.
    pub fn new(slots: &'a [u64]) -> Slots<'a> {
        Slots { slots }
    }

    /// Returns the next core value, read as a type of 32 bits or of 64.
    fn next(&mut self, core: Core) -> u64 {
        let (first, rest) = self.slots.split_first().expect("as many slots as the type has core values");
        self.slots = rest;
        if matches!(core, Core::I32 | Core::F32) { *first & 0xffff_ffff } else { *first }
    }
}

impl Memory {
    /// Allocates bytes.
    fn allocate(&mut self, align: u32, size: usize) -> Done<u32> {
        let at = self.free.next_multiple_of(align);
        let end = at as usize + size;
        if end > self.limit as usize {
            return Err(Failure::TooLarge);
        }
        self.free = end as u32;
        Ok(at)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) {
        self.bytes[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    fn store_int(&mut self, at: u32, size: u32, bits: u64) {
        self.write(at, &bits.to_le_bytes()[..size as usize]);
    }

    fn load_int(&self, at: u32, size: u32) -> u64 {
        let bytes = &self.bytes[at as usize..][..size as usize];
        bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }

    /// Checks an aligned range.
    fn check(&self, ptr: u32, align: u32, size: u64) -> Done<()> {
        let is_valid = ptr % align == 0 && u64::from(ptr) + size <= self.bytes.len() as u64 && size < 1 << 28;
        if is_valid { Ok(()) } else { Err(Failure::Trap) }
    }

    fn store_text(&mut self, text: &str) -> Done<(u32, u32)> {
        let is_latin1 = text.chars().all(|c| u32::from(c) < 0x100);
        let utf16 = || text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let (align, bytes, units) = match self.encoding {
            Encoding::Utf8 => (1, text.as_bytes().to_vec(), text.len() as u32),
            Encoding::Utf16 => (2, utf16(), utf16().len() as u32 / 2),
            Encoding::Compact if is_latin1 && !self.is_wide => {
                let bytes: Vec<u8> = text.chars().map(|c| u32::from(c) as u8).collect();
                let units = bytes.len() as u32;
                (2, bytes, units)
            }
            Encoding::Compact => (2, utf16(), utf16().len() as u32 / 2 | TAG),
        };
        let at = self.allocate(align, bytes.len())?;
        self.write(at, &bytes);
        Ok((at, units))
    }

    fn load_text(&self, ptr: u32, len: u32, left: &mut usize) -> Done<String> {
        let (align, width, units) = match self.encoding {
            Encoding::Utf8 => (1, 1, len),
            Encoding::Utf16 => (2, 2, len),
            Encoding::Compact if len & TAG == 0 => (2, 1, len),
            Encoding::Compact => (2, 2, len ^ TAG),
        };
        let size = u64::from(units) * width;
        self.check(ptr, align, size)?;
        take(left, size as usize)?;
        let bytes = &self.bytes[ptr as usize..][..size as usize];
        match (self.encoding, width) {
            (Encoding::Utf8, _) => String::from_utf8(bytes.to_vec()).map_err(|_| Failure::Trap),
            (_, 1) => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
            _ => {
                let units: Vec<u16> =
                    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                String::from_utf16(&units).map_err(|_| Failure::Trap)
            }
        }
    }

    fn store_elements(&mut self, element: &Type, all: &[Value]) -> Done<(u32, u32)> {
        let size = element.size();
        let at = self.allocate(element.align(), size as usize * all.len())?;
        for (index, value) in all.iter().enumerate() {
            self.store(element, value, at + index as u32 * size)?;
        }
        Ok((at, all.len() as u32))
    }

    fn load_elements(&self, element: &Type, ptr: u32, len: u32, left: &mut usize) -> Done<Value> {
        let size = element.size();
        self.check(ptr, element.align(), u64::from(len) * u64::from(size))?;
        (0..len)
            .map(|index| self.load(element, ptr + index * size, left))
            .collect::<Done<Vec<Value>>>()
            .map(Value::Many)
    }

    /// Stores a value to an address.
    pub fn store(&mut self, ty: &Type, value: &Value, at: u32) -> Done<()> {
        match value {
            Value::Bits(bits) => self.store_int(at, ty.size(), *bits),
            Value::Text(text) => {
                let (ptr, len) = self.store_text(text)?;
                self.store_int(at, 4, ptr.into());
                self.store_int(at + 4, 4, len.into());
            }
            Value::Case(case, payload) => {
                self.store_int(at, ty.discriminant(), (*case).into());
                if let Some((payload, part)) = payload.as_deref().zip(payload_type(ty, *case)?) {
                    self.store(part, payload, at + ty.payload())?;
                }
            }
            Value::Many(all) => {
                if let Some(element) = ty.element() {
                    let (ptr, len) = self.store_elements(&element, all)?;
                    self.store_int(at, 4, ptr.into());
                    self.store_int(at + 4, 4, len.into());
                } else {
                    let mut at = at;
                    for (part, value) in parts(ty).into_iter().zip(all) {
                        at = at.next_multiple_of(part.align());
                        self.store(part, value, at)?;
                        at += part.size();
                    }
                }
            }
        }
        Ok(())
    }

    /// Loads a value from an address in a range that was checked. `left` is the number of values that may still be made.
    pub fn load(&self, ty: &Type, at: u32, left: &mut usize) -> Done<Value> {
        take(left, 1)?;
        if ty.cases().is_some() {
            let case = self.load_int(at, ty.discriminant()) as u32;
            let payload = payload_type(ty, case)?;
            let payload = payload.map(|part| self.load(part, at + ty.payload(), left).map(Box::new)).transpose()?;
            return Ok(Value::Case(case, payload));
        }
        if let Some(element) = ty.element() {
            let (ptr, len) = (self.load_int(at, 4) as u32, self.load_int(at + 4, 4) as u32);
            return self.load_elements(&element, ptr, len, left);
        }
        match ty {
            Type::String => {
                let (ptr, len) = (self.load_int(at, 4) as u32, self.load_int(at + 4, 4) as u32);
                self.load_text(ptr, len, left).map(Value::Text)
            }
            Type::Record(_) | Type::Tuple(_) | Type::Fixed(..) => {
                let (mut at, mut all) = (at, Vec::new());
                for part in parts(ty) {
                    at = at.next_multiple_of(part.align());
                    all.push(self.load(part, at, left)?);
                    at += part.size();
                }
                Ok(Value::Many(all))
            }
            _ => bits(ty, self.load_int(at, ty.size())),
        }
    }

    /// Lowers a value to core values, which are added to `slots`.
    pub fn lower(&mut self, ty: &Type, value: &Value, slots: &mut Vec<u64>) -> Done<()> {
        match value {
            Value::Bits(bits) => {
                // Core values are extended to 32 bits by sign.
                slots.push(match ty {
                    Type::Int { bytes: 1, signed: true } => u64::from(i32::from(*bits as i8) as u32),
                    Type::Int { bytes: 2, signed: true } => u64::from(i32::from(*bits as i16) as u32),
                    _ => *bits,
                });
            }
            Value::Text(text) => {
                let (ptr, len) = self.store_text(text)?;
                self.addresses.push(slots.len());
                slots.extend([u64::from(ptr), u64::from(len)]);
            }
            Value::Case(case, payload) => {
                let end = slots.len() + ty.flat().len();
                slots.push((*case).into());
                if let Some((payload, part)) = payload.as_deref().zip(payload_type(ty, *case)?) {
                    self.lower(part, payload, slots)?;
                }
                slots.resize(end, 0);
            }
            Value::Many(all) => {
                if let Some(element) = ty.element() {
                    let (ptr, len) = self.store_elements(&element, all)?;
                    self.addresses.push(slots.len());
                    slots.extend([u64::from(ptr), u64::from(len)]);
                } else {
                    for (part, value) in parts(ty).into_iter().zip(all) {
                        self.lower(part, value, slots)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Lifts a value out of core values.
    pub fn lift(&self, ty: &Type, slots: &mut Slots<'_>, left: &mut usize) -> Done<Value> {
        take(left, 1)?;
        let flat = ty.flat();
        if ty.cases().is_some() {
            let after = &slots.slots[flat.len()..];
            let case = slots.next(Core::I32) as u32;
            let payload = payload_type(ty, case)?;
            let payload = payload.map(|part| self.lift(part, slots, left).map(Box::new)).transpose()?;
            slots.slots = after;
            return Ok(Value::Case(case, payload));
        }
        if let Some(element) = ty.element() {
            let (ptr, len) = (slots.next(Core::I32) as u32, slots.next(Core::I32) as u32);
            return self.load_elements(&element, ptr, len, left);
        }
        match ty {
            Type::String => {
                let (ptr, len) = (slots.next(Core::I32) as u32, slots.next(Core::I32) as u32);
                self.load_text(ptr, len, left).map(Value::Text)
            }
            Type::Record(_) | Type::Tuple(_) | Type::Fixed(..) => {
                parts(ty).into_iter().map(|part| self.lift(part, slots, left)).collect::<Done<_>>().map(Value::Many)
            }
            _ => bits(ty, slots.next(flat[0])),
        }
    }

    /// Lowers values that are at most `max` core values, or else go to memory: to `out` if there is such a place, else to a new one.
    pub fn lower_all(&mut self, ty: &Type, value: &Value, max: usize, out: Option<u32>) -> Done<Vec<u64>> {
        let mut slots = Vec::new();
        if ty.flat().len() <= max {
            self.lower(ty, value, &mut slots)?;
            return Ok(slots);
        }
        let at = match out {
            Some(at) => at,
            None => self.allocate(ty.align(), ty.size() as usize)?,
        };
        self.store(ty, value, at)?;
        self.addresses.push(0);
        Ok(vec![at.into()])
    }

    /// Lifts values that are at most `max` core values, or else in memory.
    pub fn lift_all(&self, ty: &Type, slots: &[u64], max: usize) -> Done<Value> {
        let mut left = MAX_VALUES;
        if ty.flat().len() <= max {
            return self.lift(ty, &mut Slots::new(slots), &mut left);
        }
        let at = slots[0] as u32;
        self.check(at, ty.align(), ty.size().into())?;
        self.load(ty, at, &mut left)
    }
}

/// Returns the value of bits that memory or a core value has.
fn bits(ty: &Type, bits: u64) -> Done<Value> {
    Ok(Value::Bits(match ty {
        Type::Bool => u64::from(bits & 0xffff_ffff != 0),
        Type::Char => char::from_u32(bits as u32).map(|c| u32::from(c).into()).ok_or(Failure::Trap)?,
        Type::Flags(count) => bits & ((1u64 << count) - 1),
        _ => bits & (u64::MAX >> (64 - 8 * ty.size())),
    }))
}

/// Returns the payload's type of a case.
fn payload_type(ty: &Type, case: u32) -> Done<Option<&Type>> {
    ty.cases().unwrap_or_default().get(case as usize).copied().ok_or(Failure::Trap)
}

/// Returns the types of the fields, or of the elements of a list of fixed length.
fn parts(ty: &Type) -> Vec<&Type> {
    match ty {
        Type::Fixed(element, count) => vec![element; *count as usize],
        _ => ty.fields().unwrap_or_default(),
    }
}

fn take(left: &mut usize, count: usize) -> Done<()> {
    *left = left.checked_sub(count).ok_or(Failure::TooLarge)?;
    Ok(())
}
