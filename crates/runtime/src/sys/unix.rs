//! Pages and address space on Unix: [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html) and its relatives.
//!
//! In: sizes that the caller has bounded. Out: [`Mapping`]s. An error of the operating system is an `io::Error`, never
//! a panic, because address space runs out in containers and under `ulimit -v`.
//!
//! Fresh pages are always zero. [`clear`](Mapping::clear) and [`discard`](Mapping::discard) make a mapping zero for a
//! second owner.

use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};

/// Pages of the operating system, unmapped on drop.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is plain memory that the value owns. Its bytes are reached through raw pointers only, whose users
// answer for races.
unsafe impl Send for Mapping {}
// SAFETY: as for `Send`; no method writes through a shared reference.
unsafe impl Sync for Mapping {}

/// Returns the host's page size.
pub fn page_size() -> usize {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(4096)
}

/// Returns the processor time that the calling thread has used, in nanoseconds.
pub fn thread_cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes. If the system refuses, it stays 0.
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
    }
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Lowers the scheduling priority of the calling thread, for work that can wait while other threads want the processor.
/// Linux applies [setpriority(2)](https://man7.org/linux/man-pages/man2/setpriority.2.html) to one thread; other
/// systems would apply it to the whole process, so there this function does nothing.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    // SAFETY: no preconditions. If the system refuses, the priority stays.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 5);
    }
}

/// Leaves a range of pages out of processes that are forked from now on. See
/// [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html).
pub(super) fn leave_out_of_forks(start: usize, len: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: the advice changes nothing in this process. In a forked one the pages are missing, so that a use of them is a fault.
    unsafe {
        libc::madvise(std::ptr::without_provenance_mut(start), len, libc::MADV_DONTFORK);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, len);
}

impl Mapping {
    /// Reserves `len` bytes of address space without access. `len` is rounded up to pages and must not be 0.
    pub fn reserve(len: usize) -> io::Result<Mapping> {
        Mapping::map(len, libc::PROT_NONE)
    }

    /// Allocates `len` bytes of zeroed memory, which the system commits as they are touched. `len` is rounded up to
    /// pages and must not be 0.
    pub fn allocate(len: usize) -> io::Result<Mapping> {
        Mapping::map(len, libc::PROT_READ | libc::PROT_WRITE)
    }

    fn map(len: usize, protection: libc::c_int) -> io::Result<Mapping> {
        let len = round_to_pages(len)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: an anonymous mapping at an address that the system chooses changes no existing memory.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap returned address 0"))?;
        Ok(Mapping { base, len })
    }

    /// Returns the first byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Returns the size in bytes, a multiple of the page size and not 0.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Makes `start..start + len` readable and writable. Both must be multiples of the page size, inside the mapping.
    pub fn make_accessible(&mut self, start: usize, len: usize) -> io::Result<()> {
        self.protect(start, len, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Makes `start..start + len` inaccessible and keeps its contents. Both must be multiples of the page size, inside
    /// the mapping.
    pub fn make_inaccessible(&mut self, start: usize, len: usize) -> io::Result<()> {
        self.protect(start, len, libc::PROT_NONE)
    }

    fn protect(&mut self, start: usize, len: usize, protection: libc::c_int) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        self.check_pages(start, len)?;
        // SAFETY: the range is inside this mapping, as `check_pages` found. The value owns it, and the borrow is
        // exclusive, so that only raw pointers, whose users know of the change, may lead into it.
        let result = unsafe { libc::mprotect(self.base.as_ptr().add(start).cast(), len, protection) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn check_pages(&self, start: usize, len: usize) -> io::Result<()> {
        let inside = start.checked_add(len).is_some_and(|end| end <= self.len);
        let pages = start.is_multiple_of(page_size()) && len.is_multiple_of(page_size());
        if inside && pages { Ok(()) } else { Err(io::Error::from(io::ErrorKind::InvalidInput)) }
    }

    /// Makes the bytes of `range` zero by writing to them. Bytes that are zero already are only read. This pays for a
    /// few pages that are used again: returning pages and getting others takes a microsecond per page, ten times that
    /// while another thread runs.
    ///
    /// # Safety
    /// The range is readable and writable, and no reference to its bytes exists.
    pub unsafe fn clear(&mut self, range: Range<usize>) {
        const PIECE: usize = 4096;
        assert!(range.start <= range.end && range.end <= self.len, "the range must be in the mapping");
        // SAFETY: the assertion keeps the range inside the mapping. It is accessible and not borrowed, as the caller
        // promises.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(range.start), range.len()) };
        for piece in bytes.chunks_mut(PIECE) {
            if !is_zero(piece) {
                piece.fill(0);
            }
        }
    }

    /// Returns the pages of `range` to the system, and makes them read as zero: `MADV_DONTNEED` of
    /// [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html). The bounds must be multiples of the page
    /// size, inside the mapping.
    #[cfg(target_os = "linux")]
    pub fn discard(&mut self, range: Range<usize>) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        self.check_pages(range.start, range.len())?;
        // SAFETY: the range is inside this private, anonymous mapping, as `check_pages` found, and the borrow is
        // exclusive.
        let result =
            unsafe { libc::madvise(self.base.as_ptr().add(range.start).cast(), range.len(), libc::MADV_DONTNEED) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Returns an error: the advice means different things on different systems.
    #[cfg(not(target_os = "linux"))]
    pub fn discard(&mut self, _range: Range<usize>) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Enlarges an allocated mapping, keeps its contents and zeroes the rest. The mapping may move.
    pub fn enlarge(&mut self, len: usize) -> io::Result<()> {
        let len = round_to_pages(len)?;
        if len <= self.len {
            return Ok(());
        }
        self.enlarge_to_pages(len)
    }

    #[cfg(target_os = "linux")]
    fn enlarge_to_pages(&mut self, len: usize) -> io::Result<()> {
        // SAFETY: the old range is this whole mapping, which the value owns. The borrow is exclusive, so that only raw
        // pointers, whose users know of the move, may lead into it.
        let base = unsafe { libc::mremap(self.base.as_ptr().cast(), self.len, len, libc::MREMAP_MAYMOVE) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        self.base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mremap returned address 0"))?;
        self.len = len;
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn enlarge_to_pages(&mut self, len: usize) -> io::Result<()> {
        let new = Mapping::allocate(len)?;
        // SAFETY: the mappings are distinct, at least `self.len` bytes long, the old one readable and the new one
        // writable.
        unsafe { ptr::copy_nonoverlapping(self.base.as_ptr(), new.base.as_ptr(), self.len) };
        *self = new;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is exactly the one that was mapped, and the value that owns it is being dropped.
        let result = unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert_eq!(result, 0, "munmap of our own mapping");
    }
}

/// Returns true if all bytes are zero.
fn is_zero(bytes: &[u8]) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn with_wide_vectors(bytes: &[u8]) -> bool {
            are_words_zero(bytes)
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: this processor has AVX2, which is all that the function requires.
            return unsafe { with_wide_vectors(bytes) };
        }
    }
    are_words_zero(bytes)
}

/// Returns true if all bytes are zero. Inlined into a function with wider vectors, it is compiled for those.
#[inline(always)]
fn are_words_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<256>();
    let or = |chunk: &[u8; 256]| chunk.as_chunks().0.iter().fold(0, |bits, &word| bits | u64::from_ne_bytes(word));
    chunks.iter().all(|chunk| or(chunk) == 0) && rest.iter().all(|&byte| byte == 0)
}

/// Returns true if the process has a limit of address space (`RLIMIT_AS`). If so, no mapping may be kept unused.
pub(super) fn address_space_is_limited() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit only writes the result, to a live variable.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) };
    asked != 0 || limit.rlim_cur != libc::RLIM_INFINITY
}

fn round_to_pages(len: usize) -> io::Result<usize> {
    match len.checked_next_multiple_of(page_size()) {
        Some(len) if len != 0 => Ok(len),
        _ => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    }
}

/// Functions by which tests ask the system about pages.
#[cfg(test)]
pub(super) mod probe {
    use std::os::fd::AsRawFd;

    use super::*;

    /// Returns true if the byte at an address may be read.
    pub(crate) fn is_readable(address: usize) -> bool {
        let (_reader, writer) = io::pipe().unwrap();
        // SAFETY: write(2) reads the byte in the kernel, and returns EFAULT if it is not readable.
        unsafe { libc::write(writer.as_raw_fd(), ptr::with_exposed_provenance(address), 1) == 1 }
    }

    /// Returns the number of bytes of a mapping that are in memory.
    pub(crate) fn resident(mapping: &Mapping) -> usize {
        let mut pages = vec![0u8; mapping.size() / page_size()];
        // SAFETY: mincore(2) writes one byte per page, and the list has as many.
        let result =
            unsafe { libc::mincore(mapping.base().as_ptr().cast(), mapping.size(), pages.as_mut_ptr().cast()) };
        assert_eq!(result, 0, "mincore");
        pages.iter().filter(|&&page| page & 1 != 0).count() * page_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocated_pages_are_zero_and_survive_enlarging() {
        let mut mapping = Mapping::allocate(1).unwrap();
        assert_eq!(mapping.size(), page_size());
        // SAFETY: the first page is ours, readable and writable.
        unsafe {
            assert_eq!(*mapping.base().as_ptr(), 0);
            *mapping.base().as_ptr() = 7;
        }
        mapping.enlarge(1 << 20).unwrap();
        // SAFETY: the mapping now has 1 MiB.
        unsafe {
            assert_eq!(*mapping.base().as_ptr(), 7);
            assert_eq!(*mapping.base().as_ptr().add((1 << 20) - 1), 0);
        }
    }

    #[test]
    fn impossible_sizes_are_errors() {
        assert!(Mapping::allocate(0).is_err());
        assert!(Mapping::allocate(usize::MAX).is_err());
        assert!(Mapping::reserve(1 << 60).is_err());
    }

    #[test]
    fn only_pages_of_the_mapping_become_accessible() {
        let mut mapping = Mapping::reserve(page_size() * 4).unwrap();
        assert!(mapping.make_accessible(0, page_size() * 5).is_err());
        assert!(mapping.make_accessible(1, page_size()).is_err());
        mapping.make_accessible(page_size(), page_size()).unwrap();
    }

    #[test]
    fn one_byte_anywhere_is_not_zero() {
        let mut bytes = vec![0u8; 1000];
        for len in [0, 1, 255, 256, 257, 1000] {
            assert!(is_zero(&bytes[..len]) && are_words_zero(&bytes[..len]), "{len}");
            for at in 0..len {
                bytes[at] = 0x80;
                assert!(!is_zero(&bytes[..len]) && !are_words_zero(&bytes[..len]), "{at} of {len}");
                bytes[at] = 0;
            }
        }
    }

    #[test]
    fn cleared_and_discarded_bytes_are_zero_and_no_others() {
        let page = page_size();
        let mut mapping = Mapping::allocate(6 * page).unwrap();
        // SAFETY: all of it is ours, readable and writable, and the views do not outlive the changes.
        unsafe {
            mapping.base().write_bytes(0xaa, 6 * page);
            mapping.clear(page..2 * page);
            mapping.discard(4 * page..5 * page).unwrap();
            for number in 0..6 {
                let bytes = std::slice::from_raw_parts(mapping.base().as_ptr().add(number * page), page);
                let expected = if matches!(number, 1 | 4) { 0 } else { 0xaa };
                assert!(bytes.iter().all(|&byte| byte == expected), "page {number}");
            }
        }
        assert!(mapping.discard(1..page).is_err());
        assert!(mapping.discard(page..7 * page).is_err());
    }
}
