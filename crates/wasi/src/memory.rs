//! Checked access to the guest's linear memory.
//!
//! In: the memory's bytes and numbers that the guest chose. Out: slices, little-endian integers, strings and vectors of
//! host buffers that lie inside the memory, or [`Errno::Fault`].
//!
//! Invariants: no pointer arithmetic wraps; nothing here allocates more than [`MAX_IOVECS`] entries, whatever the guest
//! asks; the host reads and writes guest memory in place, without copies.
//!
//! Why may a read be shorter than asked when buffers overlap? Two mutable slices of one memory must not overlap in Rust.
//! A guest that passes overlapping buffers gets the first one filled, which is a short read, and short reads are always
//! allowed.

use std::io::{IoSlice, IoSliceMut};
use std::ops::Range;

use wasmr_core::limits::{MAX_HOST_TRANSFER, MAX_IOVECS};

use crate::errno::Errno;

/// The bytes of a guest's 32-bit memory, for the time of one call.
#[derive(Debug)]
pub struct GuestMemory<'a> {
    bytes: &'a mut [u8],
}

/// Declares a reader and a writer for one integer type.
macro_rules! integers {
    ($($read:ident $write:ident $ty:ty;)*) => {$(
        /// Reads a little-endian integer; any alignment.
        pub fn $read(&self, ptr: u32) -> Result<$ty, Errno> {
            Ok(<$ty>::from_le_bytes(self.array(ptr)?))
        }

        /// Writes a little-endian integer; any alignment.
        pub fn $write(&mut self, ptr: u32, value: $ty) -> Result<(), Errno> {
            self.write(ptr, &value.to_le_bytes())
        }
    )*};
}

impl<'a> GuestMemory<'a> {
    /// Wraps the whole memory of a guest.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        GuestMemory { bytes }
    }

    integers! {
        read_u8  write_u8  u8;
        read_u16 write_u16 u16;
        read_u32 write_u32 u32;
        read_u64 write_u64 u64;
    }

    /// The bytes `[ptr, ptr + len)` as a range of host indices.
    fn range(&self, ptr: u32, len: u32) -> Result<Range<usize>, Errno> {
        let start = ptr as usize;
        let end = start.checked_add(len as usize).ok_or(Errno::Fault)?;
        if end > self.bytes.len() { Err(Errno::Fault) } else { Ok(start..end) }
    }

    /// Whether a later access to these bytes will succeed. A call that consumes input checks where its results go first.
    pub fn check(&self, ptr: u32, len: u32) -> Result<(), Errno> {
        self.range(ptr, len).map(drop)
    }

    /// `len` bytes at `ptr`.
    pub fn slice(&self, ptr: u32, len: u32) -> Result<&[u8], Errno> {
        self.range(ptr, len).map(|range| &self.bytes[range])
    }

    /// `len` bytes at `ptr`, to be written.
    pub fn slice_mut(&mut self, ptr: u32, len: u32) -> Result<&mut [u8], Errno> {
        let range = self.range(ptr, len)?;
        Ok(&mut self.bytes[range])
    }

    /// Copies `bytes` to `ptr`.
    pub fn write(&mut self, ptr: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.slice_mut(ptr, len)?.copy_from_slice(bytes);
        Ok(())
    }

    /// `N` bytes at `ptr`, by value.
    pub fn array<const N: usize>(&self, ptr: u32) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.slice(ptr, N as u32)?);
        Ok(bytes)
    }

    /// A string; `ILSEQ` if it is not UTF-8.
    pub fn utf8(&self, ptr: u32, len: u32) -> Result<&str, Errno> {
        std::str::from_utf8(self.slice(ptr, len)?).map_err(|_| Errno::Ilseq)
    }

    /// The buffers that an `iovec` or `ciovec` array names, cut so that they hold at most [`MAX_HOST_TRANSFER`] bytes.
    fn buffers(&self, iovs: u32, count: u32) -> Result<Vec<Range<usize>>, Errno> {
        if count > MAX_IOVECS {
            return Err(Errno::Inval);
        }
        let mut left = MAX_HOST_TRANSFER;
        let array = self.slice(iovs, count * 8)?;
        let mut buffers = Vec::with_capacity(count as usize);
        for iovec in array.chunks_exact(8) {
            let (ptr, len) = iovec.split_at(4);
            let [ptr, len] = [ptr, len].map(|half| half.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX));
            let whole = self.range(ptr, len)?;
            let taken = whole.len().min(left);
            left -= taken;
            buffers.push(whole.start..whole.start + taken);
        }
        Ok(buffers)
    }

    /// The buffers of a `ciovec` array, to be read by the host.
    pub fn gather(&self, iovs: u32, count: u32) -> Result<Vec<IoSlice<'_>>, Errno> {
        Ok(self.buffers(iovs, count)?.into_iter().map(|range| IoSlice::new(&self.bytes[range])).collect())
    }

    /// The buffers of an `iovec` array, to be filled by the host; only the first that is not empty if any two overlap.
    pub fn scatter(&mut self, iovs: u32, count: u32) -> Result<Vec<IoSliceMut<'_>>, Errno> {
        let buffers = self.buffers(iovs, count)?;
        let mut order: Vec<usize> = (0..buffers.len()).filter(|&i| !buffers[i].is_empty()).collect();
        order.sort_unstable_by_key(|&i| buffers[i].start);
        if order.windows(2).any(|pair| buffers[pair[0]].end > buffers[pair[1]].start) {
            order = (0..buffers.len()).filter(|&i| !buffers[i].is_empty()).take(1).collect();
        }

        let mut slices: Vec<(usize, IoSliceMut<'_>)> = Vec::with_capacity(order.len());
        let mut rest: &mut [u8] = self.bytes;
        let mut rest_start = 0;
        for i in order {
            let (_, from_start) = rest.split_at_mut(buffers[i].start - rest_start);
            let (slice, after) = from_start.split_at_mut(buffers[i].len());
            rest_start = buffers[i].end;
            rest = after;
            slices.push((i, IoSliceMut::new(slice)));
        }
        slices.sort_unstable_by_key(|(i, _)| *i);
        Ok(slices.into_iter().map(|(_, slice)| slice).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{GuestMemory, MAX_HOST_TRANSFER, MAX_IOVECS};
    use crate::errno::Errno;

    /// A memory whose first bytes are the iovec array `pairs`.
    fn with_iovecs(size: usize, pairs: &[(u32, u32)]) -> Vec<u8> {
        let mut bytes = vec![0; size];
        for (i, (ptr, len)) in pairs.iter().enumerate() {
            bytes[i * 8..i * 8 + 4].copy_from_slice(&ptr.to_le_bytes());
            bytes[i * 8 + 4..i * 8 + 8].copy_from_slice(&len.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn every_range_is_checked_without_wrapping() {
        let mut bytes = vec![0; 16];
        let mut mem = GuestMemory::new(&mut bytes);
        assert_eq!(mem.read_u64(8), Ok(0));
        assert_eq!(mem.read_u64(9), Err(Errno::Fault));
        assert_eq!(mem.read_u32(u32::MAX), Err(Errno::Fault));
        assert_eq!(mem.write_u8(16, 1), Err(Errno::Fault));
        assert_eq!(mem.slice(16, 0).map(<[u8]>::len), Ok(0));
        assert_eq!(mem.slice(17, 0), Err(Errno::Fault));
        assert_eq!(mem.slice(8, u32::MAX), Err(Errno::Fault));
        assert_eq!(mem.slice(u32::MAX, u32::MAX), Err(Errno::Fault));
    }

    #[test]
    fn an_empty_memory_faults_on_everything() {
        let mut mem = GuestMemory::new(&mut []);
        assert_eq!(mem.read_u8(0), Err(Errno::Fault));
        assert_eq!(mem.write_u32(0, 0), Err(Errno::Fault));
        assert_eq!(mem.scatter(0, 1).err(), Some(Errno::Fault));
    }

    #[test]
    fn strings_are_utf8() {
        let mut bytes = b"ok\xff".to_vec();
        let mem = GuestMemory::new(&mut bytes);
        assert_eq!(mem.utf8(0, 2), Ok("ok"));
        assert_eq!(mem.utf8(0, 3), Err(Errno::Ilseq));
        assert_eq!(mem.utf8(0, 4), Err(Errno::Fault));
    }

    #[test]
    fn buffers_keep_their_order_wherever_they_lie() {
        let mut bytes = with_iovecs(64, &[(40, 2), (50, 0), (30, 3)]);
        let mut mem = GuestMemory::new(&mut bytes);
        let mut vecs = mem.scatter(0, 3).unwrap();
        assert_eq!(vecs.iter().map(|v| v.len()).collect::<Vec<_>>(), [2, 3]);
        vecs[0].copy_from_slice(b"ab");
        vecs[1].copy_from_slice(b"cde");
        assert_eq!(&bytes[40..42], b"ab");
        assert_eq!(&bytes[30..33], b"cde");
    }

    #[test]
    fn overlapping_buffers_give_the_first_alone() {
        for pairs in [[(32, 8), (36, 8)], [(36, 8), (32, 8)], [(32, 8), (32, 8)]] {
            let mut bytes = with_iovecs(64, &pairs);
            let mut mem = GuestMemory::new(&mut bytes);
            let mut vecs = mem.scatter(0, 2).unwrap();
            assert_eq!(vecs.len(), 1);
            vecs[0][0] = 7;
            assert_eq!(bytes[pairs[0].0 as usize], 7);
        }
    }

    #[test]
    fn the_number_of_buffers_is_bounded() {
        let mut bytes = vec![0; MAX_IOVECS as usize * 8 + 8];
        let mut mem = GuestMemory::new(&mut bytes);
        assert_eq!(mem.gather(0, MAX_IOVECS).map(|v| v.len()), Ok(MAX_IOVECS as usize));
        assert_eq!(mem.gather(0, MAX_IOVECS + 1).err(), Some(Errno::Inval));
        assert_eq!(mem.gather(0, u32::MAX).err(), Some(Errno::Inval));
        assert_eq!(mem.scatter(8 * 1024 + 1, 1).err(), Some(Errno::Fault));
    }

    #[test]
    fn the_bytes_of_one_call_are_bounded() {
        let size = MAX_HOST_TRANSFER / 2 + 64;
        let len = MAX_HOST_TRANSFER as u32 / 2;
        let mut bytes = with_iovecs(size, &[(64, len), (64, len), (64, len)]);
        let mem = GuestMemory::new(&mut bytes);
        let total: usize = mem.gather(0, 3).unwrap().iter().map(|v| v.len()).sum();
        assert_eq!(total, MAX_HOST_TRANSFER);
    }
}
