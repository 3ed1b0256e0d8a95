//! Memory for machine code that is written while other code in it runs. One set of pages is mapped twice, once for
//! writing and once for executing, so no address is ever both writable and executable. Files with code of earlier processes
//! are mapped over parts of the executable view.
//!
//! In: an address range to be near to, because code reaches the host's own code and data by 32-bit distances. Out: a
//! [`CodeMapping`], or an error where the system refuses a part of it (no executable mappings, little address space, a
//! limit on file sizes, another operating system).

#[cfg(not(target_os = "linux"))]
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a huge page. Both views start at a multiple of it in memory or are not moved into huge pages.
pub(super) const HUGE_PAGE: usize = 2 << 20;

/// Address space for machine code. The system supplies pages as they are written.
#[derive(Debug)]
pub struct CodeMapping {
    /// Start of the executable view.
    execute: *mut u8,
    /// Start of the writable view.
    write: *mut u8,
    len: usize,
    /// Id of the process that may write. A forked process shares the pages.
    owner: u32,
    /// The pages of both views.
    #[cfg(target_os = "linux")]
    pages: std::os::fd::OwnedFd,
}

// SAFETY: both views stay mapped while the value lives, and no method touches their bytes but `write`, whose contract
// excludes other users of those bytes.
unsafe impl Send for CodeMapping {}
// SAFETY: as for `Send`: shared references give no access to the bytes but through `write`.
unsafe impl Sync for CodeMapping {}

impl CodeMapping {
    /// Returns the first address of the executable view.
    pub fn base(&self) -> usize {
        self.execute.addr()
    }

    /// Returns the size of each view in bytes.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Writes code at distance `at` from [`base`](CodeMapping::base).
    ///
    /// # Errors
    /// If this process was forked from the one that made the mapping.
    ///
    /// # Panics
    /// If the code does not fit between `at` and the end.
    ///
    /// # Safety
    /// No thread executes or writes these bytes until this returns.
    pub unsafe fn write(&self, at: usize, code: &[u8]) -> io::Result<()> {
        assert!(at <= self.len && code.len() <= self.len - at, "code must fit its mapping");
        if std::process::id() != self.owner {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        // SAFETY: the range is inside the writable mapping, and no other thread uses its bytes until this returns, as
        // the caller promises.
        unsafe { self.write.add(at).copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        Ok(())
    }

    /// Exchanges eight bytes of code at the offset `at`, a multiple of eight, at once. Another thread may be executing them. It
    /// executes the old or the new bytes, if one machine instruction begins at `at` in both and no jump leads behind it.
    ///
    /// # Errors
    /// As for [`write`](CodeMapping::write).
    ///
    /// # Safety
    /// The bytes were written before, and both contents are right at any moment.
    pub unsafe fn exchange(&self, at: usize, code: [u8; 8]) -> io::Result<()> {
        assert!(at.is_multiple_of(8) && at < self.len, "a word of the mapping");
        if std::process::id() != self.owner {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        // SAFETY: the word is inside the writable view, which is aligned to pages.
        let word = unsafe { AtomicU64::from_ptr(self.write.add(at).cast()) };
        word.store(u64::from_ne_bytes(code), Ordering::Release);
        Ok(())
    }
}

/// Address ranges of a loaded program or library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramImage {
    /// The code and data.
    pub all: Range<usize>,
    /// The readable and executable segment around the address that was asked for.
    pub code: Range<usize>,
}

#[cfg(not(target_os = "linux"))]
impl CodeMapping {
    /// Returns an error: not implemented for this system.
    pub fn near(_range: Range<usize>, _len: usize) -> io::Result<CodeMapping> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) fn use_huge_pages(&self, _range: Range<usize>) -> bool {
        false
    }

    pub(super) unsafe fn map_file(&self, _at: usize, _file: &File, _offset: u64, _len: usize) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) unsafe fn unmap_file(&self, _at: usize, _len: usize) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

#[cfg(not(target_os = "linux"))]
impl ProgramImage {
    /// Returns `None`: not implemented for this system.
    pub fn around(_code: usize) -> Option<ProgramImage> {
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_int, c_void};
    use std::fs::File;
    use std::ops::Range;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::{io, ptr};

    use super::{CodeMapping, HUGE_PAGE, ProgramImage};
    use crate::sys::page_size;

    /// Largest distance in code, a little below that of a 32-bit offset because an access may reach beyond its address.
    const REACH: usize = (1 << 31) - (1 << 24);
    /// Advice to move a range into huge pages now. `libc` has it for newer systems only.
    const MADV_COLLAPSE: c_int = 25;
    /// Distance between the addresses that are tried.
    const STEP: usize = 16 << 20;

    impl CodeMapping {
        /// Maps `len` bytes of which each can reach every address of `range`, and be reached from it, by a 32-bit
        /// distance.
        pub fn near(range: Range<usize>, len: usize) -> io::Result<CodeMapping> {
            let len = len.next_multiple_of(page_size());
            let file = file(len)?;
            let write = map(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, 0, &file)?;
            // The skew keeps mappings of two lengths, and the program, from being a multiple of a large power of two
            // apart. Branch predictors confuse branches whose addresses differ in high bits only: two mappings 64 MiB
            // apart, each with code at its start, made calls between them three times as slow.
            let skew = len / 13;
            // Addresses below come first: the heap grows above.
            let below = (1..REACH / STEP).map_while(|n| range.start.checked_sub(n * STEP + len + skew));
            let above = (1..REACH / STEP).map_while(|n| range.end.checked_add(n * STEP + skew));
            let reaches = |&at: &usize| at != 0 && range.end.max(at + len) - range.start.min(at) <= REACH;
            let places = below.take_while(reaches).chain(above.take_while(reaches));
            let execute = places.map(|at| at & !(HUGE_PAGE.max(page_size()) - 1)).find_map(|at| {
                let protection = libc::PROT_READ | libc::PROT_EXEC;
                match map(ptr::without_provenance_mut(at), len, protection, libc::MAP_FIXED_NOREPLACE, &file) {
                    // Linux before 4.17 ignores MAP_FIXED_NOREPLACE and takes the address as a hint. See mmap(2).
                    Ok(base) if base.addr() != at => {
                        unmap(base, len);
                        None
                    }
                    Ok(base) => Some(Ok(base)),
                    Err(error) if error.raw_os_error() == Some(libc::EEXIST) => None,
                    // The lowest addresses cannot be mapped: `vm.mmap_min_addr`.
                    Err(error) if error.raw_os_error() == Some(libc::EPERM) && at < 1 << 20 => None,
                    Err(error) => Some(Err(error)),
                }
            });
            match execute.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::AddrNotAvailable))) {
                Ok(execute) => Ok(CodeMapping { execute, write, len, owner: std::process::id(), pages: file }),
                Err(error) => {
                    unmap(write, len);
                    Err(error)
                }
            }
        }
    }

    impl CodeMapping {
        /// Asks the system to keep a range in pages of [`HUGE_PAGE`] bytes, of which its bounds are multiples. The bytes and addresses
        /// stay as they are. Code in huge pages needs fewer entries of the processor's address caches: `MADV_COLLAPSE` of
        /// [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html), since Linux 6.1. Returns true if the system did it.
        pub(in crate::sys) fn use_huge_pages(&self, range: Range<usize>) -> bool {
            assert!(range.start <= range.end && range.end <= self.len, "a range of the mapping");
            // SAFETY: the range is inside the executable view, which this value owns. The advice changes no byte.
            unsafe { libc::madvise(self.execute.add(range.start).cast(), range.len(), MADV_COLLAPSE) == 0 }
        }

        /// Maps a part of a file, readable and executable, at distance `at` from [`base`](CodeMapping::base), instead of the
        /// mapping's own pages. Writes to the writable view then have no effect there.
        ///
        /// # Safety
        /// No code in the range is in use until [`unmap_file`](CodeMapping::unmap_file).
        pub(in crate::sys) unsafe fn map_file(
            &self,
            at: usize,
            file: &File,
            offset: u64,
            len: usize,
        ) -> io::Result<()> {
            self.replace(at, len, libc::MAP_PRIVATE, file.as_raw_fd(), offset)
        }

        /// Maps the mapping's own pages again.
        ///
        /// # Safety
        /// As for [`map_file`](CodeMapping::map_file).
        pub(in crate::sys) unsafe fn unmap_file(&self, at: usize, len: usize) -> io::Result<()> {
            self.replace(at, len, libc::MAP_SHARED, self.pages.as_raw_fd(), at as u64)
        }

        fn replace(&self, at: usize, len: usize, flags: c_int, fd: c_int, offset: u64) -> io::Result<()> {
            assert!(at.is_multiple_of(page_size()) && at <= self.len && len <= self.len - at, "a range of the mapping");
            let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
            let protection = libc::PROT_READ | libc::PROT_EXEC;
            // SAFETY: the range is inside the executable view, which this value owns, and no code of it is in use, as the callers'
            // callers promise.
            let base = unsafe {
                libc::mmap(self.execute.add(at).cast(), len, protection, flags | libc::MAP_FIXED, fd, offset)
            };
            if base == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
        }
    }

    /// Creates an anonymous file of `len` bytes without pages:
    /// [memfd_create(2)](https://man7.org/linux/man-pages/man2/memfd_create.2.html).
    fn file(len: usize) -> io::Result<OwnedFd> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: getrlimit only writes the result, to a live variable.
        let asked = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) };
        if asked != 0 || limit.rlim_cur < len as libc::rlim_t {
            // ftruncate beyond the limit would send the process SIGXFSZ.
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let create = |flags| {
            // SAFETY: the name is a C string; the result is checked.
            let fd = unsafe { libc::memfd_create(c"wasmr code".as_ptr(), flags) };
            // SAFETY: the descriptor is open, as it is not negative, and no one else owns it, as it is new.
            (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) }).ok_or_else(io::Error::last_os_error)
        };
        // The seal promises that the file is never started as a program. Kernels before Linux 6.3 refuse the flag.
        let file = create(libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL).or_else(|_| create(libc::MFD_CLOEXEC))?;
        // SAFETY: the descriptor is open.
        let result = unsafe { libc::ftruncate(file.as_raw_fd(), len as libc::off_t) };
        if result == 0 { Ok(file) } else { Err(io::Error::last_os_error()) }
    }

    fn map(at: *mut u8, len: usize, protection: c_int, flags: c_int, file: &OwnedFd) -> io::Result<*mut u8> {
        // SAFETY: the system chooses the address, or MAP_FIXED_NOREPLACE excludes replacing a mapping, so that no
        // existing memory changes.
        let base = unsafe { libc::mmap(at.cast(), len, protection, libc::MAP_SHARED | flags, file.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(base.cast()) }
    }

    fn unmap(base: *mut u8, len: usize) {
        // SAFETY: `map` returned this range. Its callers unmap it before they give the address away, or in `drop`, when
        // no code of it is in use any more.
        unsafe { libc::munmap(base.cast(), len) };
    }

    impl ProgramImage {
        /// Returns the program or library that has code at `code`.
        pub fn around(code: usize) -> Option<ProgramImage> {
            let mut search = Search { code, found: None };
            // SAFETY: dl_iterate_phdr calls `look` only before it returns, and passes it the pointer to `search`, which
            // lives until then.
            unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
            search.found
        }
    }

    struct Search {
        code: usize,
        found: Option<ProgramImage>,
    }

    /// Examines one program or library. Returns 1, which ends the search, if the code is in it, else 0. See
    /// [dl_iterate_phdr(3)](https://man7.org/linux/man-pages/man3/dl_iterate_phdr.3.html).
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
        // SAFETY: the loader passes a valid description. `search` points to the `Search` of `around`, which is not
        // otherwise used meanwhile.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: `dlpi_phdr` points to `dlpi_phnum` headers, which stay while the program or library is loaded.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD).map(|header| {
            let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            (start..start.saturating_add(header.p_memsz as usize), header.p_flags)
        });
        let wanted = libc::PF_R | libc::PF_X;
        let code = loaded.clone().find(|(range, flags)| range.contains(&search.code) && flags & wanted == wanted);
        let Some((code, _)) = code else { return 0 };
        let start = loaded.clone().map(|(range, _)| range.start).min();
        let end = loaded.map(|(range, _)| range.end).max();
        let all = start.unwrap_or(code.start)..end.unwrap_or(code.end);
        search.found = Some(ProgramImage { all, code });
        1
    }

    impl Drop for CodeMapping {
        fn drop(&mut self) {
            unmap(self.execute, self.len);
            unmap(self.write, self.len);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn here() -> usize {
            here as *const () as usize
        }

        #[test]
        fn code_is_near_and_runs_once_written() {
            let mapping = CodeMapping::near(here()..here() + 1, 1 << 20).unwrap();
            let ends = [mapping.base(), mapping.base() + mapping.size()];
            assert!(ends.iter().all(|end| i32::try_from(*end as i64 - here() as i64).is_ok()));
            #[cfg(target_arch = "x86_64")]
            for value in [7u8, 9] {
                // SAFETY: nothing else uses the mapping; the bytes are `mov eax, value; ret`.
                let seen = unsafe {
                    mapping.write(64, &[0xb8, value, 0, 0, 0, 0xc3]).unwrap();
                    std::mem::transmute::<usize, extern "C" fn() -> u32>(mapping.base() + 64)()
                };
                assert_eq!(seen, value.into());
            }
        }

        #[test]
        fn the_executable_view_is_not_writable() {
            let mapping = CodeMapping::near(here()..here() + 1, 1 << 16).unwrap();
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let rights = |address: usize| {
                let line = maps.lines().find(|line| line.starts_with(&format!("{address:x}-"))).expect("it is mapped");
                line.split(' ').nth(1).unwrap().to_owned()
            };
            assert_eq!(rights(mapping.base()), "r-xs");
            assert_eq!(rights(mapping.write.addr()), "rw-s");
        }

        #[test]
        fn code_in_huge_pages_is_the_same_code() {
            let mapping = CodeMapping::near(here()..here() + 1, 3 * HUGE_PAGE).unwrap();
            assert!(mapping.base().is_multiple_of(HUGE_PAGE));
            let at = HUGE_PAGE + 100;
            // SAFETY: nothing else uses the mapping.
            unsafe { mapping.write(at, b"before").unwrap() };
            // Older systems, and some that have little memory, refuse.
            let is_huge = mapping.use_huge_pages(HUGE_PAGE..2 * HUGE_PAGE);
            // SAFETY: the bytes are in the readable view, and nothing writes them meanwhile.
            let seen = |at: usize| unsafe { std::slice::from_raw_parts(mapping.execute.add(at), 6) };
            assert_eq!(seen(at), b"before");
            // SAFETY: nothing else uses the mapping.
            unsafe { mapping.write(at, b"behind").unwrap() };
            assert_eq!(seen(at), b"behind");
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let (_, ours) = maps.split_once(&format!("{:x}-", mapping.base())).expect("it is mapped");
            let huge = ours.lines().find_map(|line| line.strip_prefix("ShmemPmdMapped:")).expect("a size");
            assert_eq!(huge.trim() == "2048 kB", is_huge, "{huge}");
        }

        #[test]
        fn this_program_is_found_by_its_code() {
            static DATA: u8 = 1;
            let image = ProgramImage::around(here()).unwrap();
            assert!(image.code.contains(&here()) && image.all.contains(&here()));
            assert!(image.all.contains(&(&raw const DATA).addr()) && !image.code.contains(&(&raw const DATA).addr()));
            assert_eq!(ProgramImage::around(8), None);
            let local = 0u8;
            assert_eq!(ProgramImage::around((&raw const local).addr()), None, "the stack belongs to no image");
        }

        #[test]
        fn a_mapping_that_fits_nowhere_is_an_error() {
            assert!(CodeMapping::near(here()..here() + 1, 1 << 33).is_err());
        }
    }
}
