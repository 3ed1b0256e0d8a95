//! Checked access to the guest's linear memory.
//!
//! In: the memory's bytes, and the [`Pointer`]s and lengths that the guest passed. Out: slices, little-endian integers,
//! strings and vectors of host buffers that lie inside the memory, or a [`MemoryFault`], which ends the guest.
//!
//! Invariants: no pointer arithmetic wraps. No function here allocates more than [`MAX_IOVECS`] entries, and a copy of at most
//! [`MAX_SHARED_TRANSFER`] bytes, whatever the guest passes. The host reads and writes guest memory in place, without copies,
//! unless threads share the memory.
//!
//! # Why are transfers with a shared memory copied?
//! Another thread may write to it at any time, and a Rust slice of such bytes is not allowed. The calls of all threads run one
//! after the other, but for a few [transfers](crate::transfer), so that only a few copies exist at a time.
//!
//! # Why does a bad pointer end the guest?
//! The [Preview 1 text] requires that a call traps "rather than returning `errno.fault`" if a pointer is misaligned, or if a
//! pointer that the call needs to dereference is out of bounds. A range of no bytes is not dereferenced, so its pointer may
//! have any value.
//!
//! # Why may a read be shorter than asked when buffers overlap?
//! Rust does not allow two mutable slices of one memory to overlap. If the guest passes overlapping buffers, only the first is
//! filled. That is a short read, which POSIX and WASI always allow.
//!
//! [Preview 1 text]: https://github.com/WebAssembly/WASI/blob/main/legacy/tools/witx-docs.md#pointers

use std::borrow::Cow;
use std::cell::OnceCell;
use std::io::{IoSlice, IoSliceMut};
use std::ops::Range;

use wasmr_core::limits::{HOST_CHUNK, MAX_HOST_TRANSFER, MAX_IOVECS, MAX_SHARED_TRANSFER};
use wasmr_runtime::{CallerMemory, SharedMemory};

use crate::errno::Errno;
use crate::exit::Fail;
use crate::layout::{self, Layout};
use crate::pointer::{MemoryFault, Pointer};

/// A guest's memory, borrowed for one call. Its 32-bit pointers reach the first 4 GiB.
#[derive(Debug)]
pub struct GuestMemory<'a>(Option<CallerMemory<'a>>);

/// The buffers from which the host reads.
#[derive(Debug)]
pub(crate) enum Gathered<'a> {
    /// The buffers themselves.
    InPlace(Vec<IoSlice<'a>>),
    /// Buffers in a shared memory.
    Shared {
        /// A copy of all buffers, one after the other, once someone asked for it.
        copy: OnceCell<Vec<u8>>,
        /// Ranges of the buffers.
        buffers: Vec<Range<usize>>,
        /// The memory of the buffers.
        memory: &'a SharedMemory,
    },
}

/// The buffers that the host fills.
#[derive(Debug)]
pub(crate) enum Scattered<'a> {
    /// The buffers themselves.
    InPlace(Vec<IoSliceMut<'a>>),
    /// Buffers in a shared memory, into which [`finish`](Scattered::finish) copies bytes.
    Shared {
        /// Bytes of all buffers, one after the other, once someone asked for them.
        bytes: Vec<u8>,
        /// Ranges of the buffers.
        buffers: Vec<Range<usize>>,
        /// The memory of the buffers.
        memory: &'a SharedMemory,
    },
}

impl Gathered<'_> {
    /// Returns the buffers.
    pub(crate) fn slices(&self) -> Cow<'_, [IoSlice<'_>]> {
        match self {
            Gathered::InPlace(slices) => Cow::Borrowed(slices),
            Gathered::Shared { copy, buffers, memory } => {
                Cow::Owned(vec![IoSlice::new(copy.get_or_init(|| copied(memory, buffers)))])
            }
        }
    }
}

/// Returns a copy of ranges of a memory, one after the other.
fn copied(memory: &SharedMemory, ranges: &[Range<usize>]) -> Vec<u8> {
    let mut copy = vec![0; ranges.iter().map(Range::len).sum()];
    let mut left = &mut *copy;
    for range in ranges {
        let (piece, rest) = left.split_at_mut(range.len());
        // The range is within the memory, which never shrinks.
        let _ = memory.read(range.start as u64, piece);
        left = rest;
    }
    copy
}

impl Scattered<'_> {
    /// Returns true if there is no byte to fill.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Scattered::InPlace(slices) => slices.is_empty(),
            Scattered::Shared { buffers, .. } => buffers.iter().all(Range::is_empty),
        }
    }

    /// Lends the buffers to `fill`.
    pub(crate) fn with<R>(&mut self, fill: impl FnOnce(&mut [IoSliceMut<'_>]) -> R) -> R {
        match self {
            Scattered::InPlace(slices) => fill(slices),
            Scattered::Shared { bytes, buffers, .. } => {
                bytes.resize(buffers.iter().map(Range::len).sum(), 0);
                fill(&mut [IoSliceMut::new(bytes)])
            }
        }
    }

    /// Ends the transfer: the first `filled` bytes become visible to the guest, if they are not yet.
    pub(crate) fn finish(self, filled: usize) {
        let Scattered::Shared { bytes, buffers, memory } = self else { return };
        let mut left = bytes.get(..filled).unwrap_or(&bytes);
        for buffer in buffers {
            let (taken, rest) = left.split_at(buffer.len().min(left.len()));
            // The range was checked when the call began, and a memory never shrinks.
            let _ = memory.write(buffer.start as u64, taken);
            left = rest;
        }
    }
}

impl<'a> GuestMemory<'a> {
    /// Wraps a guest's whole memory. With `None`, for a guest that exports no memory, every access fails with
    /// [`MemoryFault::NoMemory`].
    pub fn new(memory: Option<&'a mut [u8]>) -> Self {
        GuestMemory(memory.map(CallerMemory::Own))
    }

    /// Wraps the memory of the instance that made a call.
    pub fn of_caller(memory: Option<CallerMemory<'a>>) -> Self {
        GuestMemory(memory)
    }

    /// Returns the size in bytes.
    fn size(&self) -> u64 {
        match &self.0 {
            None => 0,
            Some(CallerMemory::Own(bytes)) => bytes.len() as u64,
            Some(CallerMemory::Shared(memory)) => memory.data_size() as u64,
        }
    }

    /// Returns the `len` bytes at `pointer` as a range of host indices.
    fn range(&self, pointer: Pointer, len: u64) -> Result<Range<usize>, MemoryFault> {
        if len == 0 {
            return Ok(0..0);
        }
        let memory = self.size();
        let end = u64::from(pointer.address).saturating_add(len);
        if end <= memory {
            Ok(pointer.address as usize..end as usize)
        } else if self.0.is_some() {
            Err(MemoryFault::OutOfBounds { pointer, len, memory })
        } else {
            Err(MemoryFault::NoMemory)
        }
    }

    /// Checks that `pointer` points to `count` aligned values of a layout, all in memory. `table` checks every pointer before
    /// a call has any effect.
    pub(crate) fn check(&self, pointer: Pointer, count: u32, layout: Layout) -> Result<(), MemoryFault> {
        self.range(pointer, u64::from(count) * u64::from(layout.size))?;
        if count > 0 && !pointer.address.is_multiple_of(layout.align) {
            return Err(MemoryFault::Misaligned { pointer, align: layout.align });
        }
        Ok(())
    }

    /// Returns the `len` bytes at `pointer`. The caller bounds `len`, because they are copied from a shared memory.
    pub fn slice(&self, pointer: Pointer, len: u32) -> Result<Cow<'_, [u8]>, MemoryFault> {
        let range = self.range(pointer, len.into())?;
        Ok(match &self.0 {
            None => Cow::Borrowed(&[]),
            Some(CallerMemory::Own(bytes)) => Cow::Borrowed(&bytes[range]),
            Some(CallerMemory::Shared(memory)) => {
                let mut copy = vec![0; range.len()];
                // The range is within the memory, which never shrinks.
                let _ = memory.read(range.start as u64, &mut copy);
                Cow::Owned(copy)
            }
        })
    }

    /// Lets `fill` write the `len` bytes at `pointer`, piece after piece.
    pub(crate) fn fill(
        &mut self,
        pointer: Pointer,
        len: u32,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), Fail>,
    ) -> Result<(), Fail> {
        let range = self.range(pointer, len.into())?;
        match &mut self.0 {
            None => Ok(()),
            Some(CallerMemory::Own(bytes)) => bytes[range].chunks_mut(HOST_CHUNK).try_for_each(fill),
            Some(CallerMemory::Shared(memory)) => {
                let mut piece = vec![0; range.len().min(HOST_CHUNK)];
                for start in range.clone().step_by(HOST_CHUNK) {
                    let piece = &mut piece[..HOST_CHUNK.min(range.end - start)];
                    fill(piece)?;
                    // The range is within the memory, which never shrinks.
                    let _ = memory.write(start as u64, piece);
                }
                Ok(())
            }
        }
    }

    /// Copies `bytes` to `pointer`.
    pub fn write(&mut self, pointer: Pointer, bytes: &[u8]) -> Result<(), MemoryFault> {
        let range = self.range(pointer, bytes.len() as u64)?;
        match &mut self.0 {
            None => {}
            Some(CallerMemory::Own(memory)) => memory[range].copy_from_slice(bytes),
            Some(CallerMemory::Shared(memory)) => {
                // The range is within the memory, which never shrinks.
                let _ = memory.write(range.start as u64, bytes);
            }
        }
        Ok(())
    }

    /// Writes a little-endian integer.
    pub fn write_u16(&mut self, pointer: Pointer, value: u16) -> Result<(), MemoryFault> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Writes a little-endian integer.
    pub fn write_u32(&mut self, pointer: Pointer, value: u32) -> Result<(), MemoryFault> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Writes a little-endian integer.
    pub fn write_u64(&mut self, pointer: Pointer, value: u64) -> Result<(), MemoryFault> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Returns a copy of the `N` bytes at `pointer`.
    pub fn array<const N: usize>(&self, pointer: Pointer) -> Result<[u8; N], MemoryFault> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.slice(pointer, N as u32)?);
        Ok(bytes)
    }

    /// Returns the `len` bytes at `pointer` as a string.
    ///
    /// # Errors
    /// `ILSEQ` if the bytes are not UTF-8.
    pub fn utf8(&self, pointer: Pointer, len: u32) -> Result<String, Fail> {
        Ok(String::from_utf8(self.slice(pointer, len)?.into_owned()).map_err(|_| Errno::Ilseq)?)
    }

    /// Returns the buffers of an `iovec` or `ciovec` array, cut so that together they hold at most [`MAX_HOST_TRANSFER`]
    /// bytes, or [`MAX_SHARED_TRANSFER`] in a shared memory.
    ///
    /// # Errors
    /// `INVAL` for more than [`MAX_IOVECS`] buffers.
    fn buffers(&self, iovs: Pointer, count: u32) -> Result<Vec<Range<usize>>, Fail> {
        if count > MAX_IOVECS {
            return Err(Errno::Inval.into());
        }
        let is_shared = matches!(self.0, Some(CallerMemory::Shared(_)));
        let mut left = if is_shared { MAX_SHARED_TRANSFER } else { MAX_HOST_TRANSFER };
        let array = self.slice(iovs, count * layout::IOVEC.size)?;
        let mut buffers = Vec::with_capacity(count as usize);
        for (index, iovec) in (0..).zip(array.chunks_exact(layout::IOVEC.size as usize)) {
            let (address, len) = iovec.split_at(4);
            let [address, len] = [address, len].map(|half| half.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX));
            let whole = self.range(Pointer { address, index: Some(index), ..iovs }, len.into())?;
            let taken = whole.len().min(left);
            left -= taken;
            buffers.push(whole.start..whole.start + taken);
        }
        Ok(buffers)
    }

    /// Returns the buffers of a `ciovec` array, from which the host reads.
    pub(crate) fn gather(&self, iovs: Pointer, count: u32) -> Result<Gathered<'_>, Fail> {
        let buffers = self.buffers(iovs, count)?;
        Ok(match &self.0 {
            None => Gathered::InPlace(Vec::new()),
            Some(CallerMemory::Own(bytes)) => {
                Gathered::InPlace(buffers.into_iter().map(|range| IoSlice::new(&bytes[range])).collect())
            }
            Some(CallerMemory::Shared(memory)) => Gathered::Shared { copy: OnceCell::new(), buffers, memory },
        })
    }

    /// Returns the buffers of an `iovec` array, which the host fills. If any two overlap, returns only the first that is not
    /// empty.
    pub(crate) fn scatter(&mut self, iovs: Pointer, count: u32) -> Result<Scattered<'_>, Fail> {
        let buffers = self.buffers(iovs, count)?;
        let bytes = match &mut self.0 {
            None => return Ok(Scattered::InPlace(Vec::new())),
            Some(CallerMemory::Own(bytes)) => &mut **bytes,
            Some(CallerMemory::Shared(memory)) => {
                return Ok(Scattered::Shared { bytes: Vec::new(), buffers, memory });
            }
        };
        let mut order: Vec<usize> = (0..buffers.len()).filter(|&i| !buffers[i].is_empty()).collect();
        order.sort_unstable_by_key(|&i| buffers[i].start);
        if order.windows(2).any(|pair| buffers[pair[0]].end > buffers[pair[1]].start) {
            order = (0..buffers.len()).filter(|&i| !buffers[i].is_empty()).take(1).collect();
        }

        let mut slices: Vec<(usize, IoSliceMut<'_>)> = Vec::with_capacity(order.len());
        let mut rest: &mut [u8] = bytes;
        let mut rest_start = 0;
        for i in order {
            let (_, from_start) = rest.split_at_mut(buffers[i].start - rest_start);
            let (slice, after) = from_start.split_at_mut(buffers[i].len());
            rest_start = buffers[i].end;
            rest = after;
            slices.push((i, IoSliceMut::new(slice)));
        }
        slices.sort_unstable_by_key(|(i, _)| *i);
        Ok(Scattered::InPlace(slices.into_iter().map(|(_, slice)| slice).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::{GuestMemory, MAX_HOST_TRANSFER, MAX_IOVECS, MemoryFault, Pointer};
    use crate::errno::Errno;
    use crate::exit::{Exit, Fail};
    use crate::layout;

    fn at(address: u32) -> Pointer {
        Pointer::new("p", address)
    }

    fn outside(address: u32, len: u64, memory: u64) -> MemoryFault {
        MemoryFault::OutOfBounds { pointer: at(address), len, memory }
    }

    /// Returns a memory whose first bytes are the iovec array `pairs`.
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
        let mut mem = GuestMemory::new(Some(&mut bytes));
        assert_eq!(mem.array(at(8)), Ok([0; 8]));
        assert_eq!(mem.array::<8>(at(9)), Err(outside(9, 8, 16)));
        assert_eq!(mem.array::<4>(at(u32::MAX)), Err(outside(u32::MAX, 4, 16)));
        assert_eq!(mem.write(at(16), &[1]), Err(outside(16, 1, 16)));
        assert_eq!(mem.slice(at(8), u32::MAX), Err(outside(8, u32::MAX.into(), 16)));
        assert_eq!(mem.slice(at(u32::MAX), u32::MAX), Err(outside(u32::MAX, u32::MAX.into(), 16)));
        assert_eq!(mem.check(at(0), u32::MAX, layout::EVENT), Err(outside(0, u64::from(u32::MAX) * 32, 16)));
    }

    #[test]
    fn an_empty_range_is_valid_anywhere() {
        for memory in [None, Some(&mut [0; 16][..])] {
            let mem = GuestMemory::new(memory);
            for address in [0, 1, 16, 17, u32::MAX] {
                assert_eq!(mem.slice(at(address), 0).as_deref(), Ok(&[][..]));
                assert_eq!(mem.check(at(address), 0, layout::U64), Ok(()));
            }
        }
    }

    #[test]
    fn values_are_aligned() {
        let mut bytes = vec![0; 16];
        let mem = GuestMemory::new(Some(&mut bytes));
        assert_eq!(mem.check(at(4), 1, layout::U32), Ok(()));
        assert_eq!(mem.check(at(4), 1, layout::U64), Err(MemoryFault::Misaligned { pointer: at(4), align: 8 }));
        assert_eq!(mem.check(at(12), 1, layout::U64), Err(outside(12, 8, 16)), "bounds come first");
        assert_eq!(mem.check(at(3), 13, layout::U8), Ok(()));
    }

    #[test]
    fn an_empty_memory_differs_from_no_memory() {
        let mut mem = GuestMemory::new(Some(&mut []));
        assert_eq!(mem.write_u32(at(0), 0), Err(outside(0, 4, 0)));
        let mut mem = GuestMemory::new(None);
        assert_eq!(mem.write_u32(at(0), 0), Err(MemoryFault::NoMemory));
        assert_eq!(mem.scatter(at(0), 1).err(), Some(Fail::Exit(Exit::Memory(MemoryFault::NoMemory))));
    }

    #[test]
    fn messages_name_argument_and_range() {
        let text = |fault: MemoryFault| fault.to_string();
        let element = Pointer { index: Some(2), ..Pointer::new("iovs", 0xfffe) };
        let memory = 0x1_0000;
        assert_eq!(
            text(MemoryFault::OutOfBounds { pointer: element, len: 3, memory }),
            "iovs[2] is 3 bytes at 0xfffe, but the memory ends at 0x10000"
        );
        assert_eq!(
            text(MemoryFault::Misaligned { pointer: at(6), align: 4 }),
            "p is 0x6, which is not a multiple of 4"
        );
    }

    #[test]
    fn strings_are_utf8() {
        let mut bytes = b"ok\xff".to_vec();
        let mem = GuestMemory::new(Some(&mut bytes));
        assert_eq!(mem.utf8(at(0), 2).as_deref(), Ok("ok"));
        assert_eq!(mem.utf8(at(0), 3), Err(Errno::Ilseq.into()));
        assert_eq!(mem.utf8(at(0), 4), Err(Exit::Memory(outside(0, 4, 3)).into()));
    }

    #[test]
    fn an_element_outside_is_named() {
        let mut bytes = with_iovecs(64, &[(40, 2), (63, 2)]);
        let pointer = Pointer { index: Some(1), ..at(63) };
        let fault = Exit::Memory(MemoryFault::OutOfBounds { pointer, len: 2, memory: 64 });
        assert_eq!(GuestMemory::new(Some(&mut bytes)).gather(at(0), 2).err(), Some(Fail::Exit(fault)));
    }

    #[test]
    fn buffers_keep_their_order_wherever_they_lie() {
        let mut bytes = with_iovecs(64, &[(40, 2), (50, 0), (30, 3)]);
        let mut mem = GuestMemory::new(Some(&mut bytes));
        mem.scatter(at(0), 3).unwrap().with(|vecs| {
            assert_eq!(vecs.iter().map(|v| v.len()).collect::<Vec<_>>(), [2, 3]);
            vecs[0].copy_from_slice(b"ab");
            vecs[1].copy_from_slice(b"cde");
        });
        assert_eq!(&bytes[40..42], b"ab");
        assert_eq!(&bytes[30..33], b"cde");
    }

    #[test]
    fn overlapping_buffers_give_the_first_alone() {
        for pairs in [[(32, 8), (36, 8)], [(36, 8), (32, 8)], [(32, 8), (32, 8)]] {
            let mut bytes = with_iovecs(64, &pairs);
            let mut mem = GuestMemory::new(Some(&mut bytes));
            mem.scatter(at(0), 2).unwrap().with(|vecs| {
                assert_eq!(vecs.len(), 1);
                vecs[0][0] = 7;
            });
            assert_eq!(bytes[pairs[0].0 as usize], 7);
        }
    }

    #[test]
    fn the_number_of_buffers_is_bounded() {
        let mut bytes = vec![0; MAX_IOVECS as usize * 8 + 8];
        let mut mem = GuestMemory::new(Some(&mut bytes));
        assert_eq!(mem.gather(at(0), MAX_IOVECS).map(|v| v.slices().len()), Ok(MAX_IOVECS as usize));
        assert_eq!(mem.gather(at(0), MAX_IOVECS + 1).err(), Some(Errno::Inval.into()));
        assert_eq!(mem.gather(at(0), u32::MAX).err(), Some(Errno::Inval.into()));
        assert_eq!(
            mem.scatter(at(8 * 1024 + 1), 1).err(),
            Some(Exit::Memory(outside(8 * 1024 + 1, 8, 8 * 1025)).into())
        );
    }

    #[test]
    fn the_bytes_of_one_call_are_bounded() {
        let size = MAX_HOST_TRANSFER / 2 + 64;
        let len = MAX_HOST_TRANSFER as u32 / 2;
        let mut bytes = with_iovecs(size, &[(64, len), (64, len), (64, len)]);
        let mem = GuestMemory::new(Some(&mut bytes));
        let total: usize = mem.gather(at(0), 3).unwrap().slices().iter().map(|v| v.len()).sum();
        assert_eq!(total, MAX_HOST_TRANSFER);
    }
}
