//! The encoding of tables that outlive a process: unsigned numbers in LEB128
//! (<https://webassembly.github.io/spec/core/binary/values.html>), and lists of items after their number.
//!
//! A [`Decoder`] accepts any bytes. It returns `None` where they are not what an [`Encoder`] wrote, and never allocates more than
//! the bytes could hold.

/// Bytes that grow item by item.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// Appends a number.
    pub fn u32(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Appends a number or its absence.
    pub fn option(&mut self, value: Option<u32>) {
        self.bytes.push(value.is_some().into());
        if let Some(value) = value {
            self.u32(value);
        }
    }

    /// Appends the difference from one number to the next, which takes one byte if it is small, in either direction.
    pub fn difference(&mut self, from: u32, to: u32) {
        let difference = to.wrapping_sub(from).cast_signed();
        self.u32(((difference << 1) ^ (difference >> 31)).cast_unsigned());
    }

    /// Appends a list: the number of items, then each item by `encode`.
    ///
    /// # Panics
    /// If there are 2^32 items or more.
    pub fn list<T>(&mut self, items: &[T], mut encode: impl FnMut(&mut Encoder, &T)) {
        self.u32(u32::try_from(items.len()).expect("a list has less than 2^32 items"));
        items.iter().for_each(|item| encode(self, item));
    }

    /// Appends bytes after their number.
    ///
    /// # Panics
    /// If there are 4 GiB or more.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).expect("a table has less than 4 GiB"));
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends bytes that are encoded already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the number of bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns true if there are no bytes yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns all bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The rest of encoded bytes.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Begins at the first byte.
    pub fn new(bytes: &'a [u8]) -> Decoder<'a> {
        Decoder { rest: bytes }
    }

    /// Returns true if no bytes are left.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Reads a number.
    pub fn u32(&mut self) -> Option<u32> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).ok();
            }
        }
        None
    }

    /// Reads a byte that is 0 or 1.
    pub fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Reads a number or its absence.
    pub fn option(&mut self) -> Option<Option<u32>> {
        if self.flag()? { self.u32().map(Some) } else { Some(None) }
    }

    /// Reads what [`Encoder::difference`] wrote, and returns the second number.
    pub fn difference(&mut self, from: u32) -> Option<u32> {
        let value = self.u32()?;
        let difference = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
        Some(from.wrapping_add_signed(difference))
    }

    /// Reads a list, each item by `decode`.
    pub fn list<T>(&mut self, mut decode: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.u32()? as usize;
        // Every item takes a byte or more.
        if count > self.rest.len() {
            return None;
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(decode(self)?);
        }
        Some(items)
    }

    /// Reads bytes after their number.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, u32::MAX - 1, u32::MAX];
        let mut out = Encoder::default();
        out.list(&numbers, |out, &number| out.u32(number));
        numbers.windows(2).for_each(|pair| out.difference(pair[0], pair[1]));
        numbers.windows(2).for_each(|pair| out.difference(pair[1], pair[0]));
        out.option(None);
        out.option(Some(300));
        out.bytes(b"code");
        let bytes = out.into_bytes();
        let mut from = Decoder::new(&bytes);
        assert_eq!(from.list(Decoder::u32).unwrap(), numbers);
        assert!(numbers.windows(2).all(|pair| from.difference(pair[0]) == Some(pair[1])));
        assert!(numbers.windows(2).all(|pair| from.difference(pair[1]) == Some(pair[0])));
        assert_eq!((from.option(), from.option()), (Some(None), Some(Some(300))));
        assert_eq!(from.bytes(), Some(&b"code"[..]));
        assert!(from.is_at_end());
        assert_eq!(from.u32(), None);
        assert!(Encoder::default().is_empty());
    }

    #[test]
    fn foreign_bytes_are_refused() {
        assert_eq!(Decoder::new(&[0x80; 6]).u32(), None, "too long");
        assert_eq!(Decoder::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).u32(), None, "more than 32 bits");
        assert_eq!(Decoder::new(&[2]).flag(), None);
        assert_eq!(Decoder::new(&[5, 0, 0]).list(Decoder::u32), None, "fewer bytes than items");
        assert_eq!(Decoder::new(&[5, 0, 0]).bytes(), None);
    }
}
