//! Memory for machine code that is written while other code of it runs: one set of pages mapped twice, once to write and
//! once to execute, so that no address is ever both.
//!
//! Comes in: an address to be near to, because code reaches the host's own code and data by 32-bit distances. Goes out:
//! a [`CodeMapping`], or an error wherever the system refuses any part of it (no executable mappings, little address space,
//! a limit on file sizes, another operating system): its users must do without.

use std::io;
use std::ops::Range;

/// Address space for machine code, backed by pages as they are written.
#[derive(Debug)]
pub struct CodeMapping {
    /// Where the code is executed.
    execute: *mut u8,
    /// Where it is written.
    write: *mut u8,
    len: usize,
    /// The process that may write: one forked off shares the pages.
    owner: u32,
}

// SAFETY: the addresses stay mapped as long as the value lives; who writes when is the contract of `write`.
unsafe impl Send for CodeMapping {}
// SAFETY: as above.
unsafe impl Sync for CodeMapping {}

impl CodeMapping {
    /// First address at which the code is executed.
    pub fn base(&self) -> usize {
        self.execute.addr()
    }

    /// Bytes of address space.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Where the bytes at a distance from [`base`](CodeMapping::base) are written, for a linker that writes by itself: what it
    /// may write when is its affair. Fails in a process forked off the one that made the mapping.
    pub fn writable(&self, at: usize) -> io::Result<*mut u8> {
        assert!(at <= self.len, "the place must be in the mapping");
        if std::process::id() != self.owner {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        Ok(self.write.wrapping_add(at))
    }

    /// Writes code at a distance from [`base`](CodeMapping::base). Fails in a process forked off the one that made the mapping.
    ///
    /// # Panics
    /// If the bytes do not fit behind `at`.
    ///
    /// # Safety
    /// Nobody executes the bytes, or writes them, until this has returned.
    pub unsafe fn write(&self, at: usize, code: &[u8]) -> io::Result<()> {
        assert!(at <= self.len && code.len() <= self.len - at, "code must fit its mapping");
        if std::process::id() != self.owner {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        // SAFETY: the range is inside the writable mapping; by the contract nothing else uses it now.
        unsafe { self.write.add(at).copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        Ok(())
    }
}

/// Where a program or library was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// All of its code and data.
    pub all: Range<usize>,
    /// The code around the address that was asked for: mapped, readable and executable.
    pub code: Range<usize>,
}

#[cfg(not(target_os = "linux"))]
impl CodeMapping {
    /// Refused on this system.
    pub fn near(_range: Range<usize>, _len: usize) -> io::Result<CodeMapping> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

#[cfg(not(target_os = "linux"))]
impl Image {
    /// Not known on this system.
    pub fn around(_code: usize) -> Option<Image> {
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_int, c_void};
    use std::ops::Range;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::{io, ptr};

    use super::{CodeMapping, Image};
    use crate::sys::page_size;

    /// How far code reaches, less some room for what lies at the ends.
    const REACH: usize = (1 << 31) - (1 << 24);
    /// Distance between the places that are tried.
    const STEP: usize = 16 << 20;

    impl CodeMapping {
        /// `len` bytes from each of which every address of `range` can be reached by a 32-bit distance, and back.
        pub fn near(range: Range<usize>, len: usize) -> io::Result<CodeMapping> {
            let len = len.next_multiple_of(page_size());
            let file = file(len)?;
            let write = map(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, 0, &file)?;
            // Mappings of two lengths, and the program, are thus not a multiple of a large power of two apart. Branch predictors
            // take branches for one another whose addresses differ in high bits only: two mappings of which one was 64 MiB
            // from the other, each with code at its start, made calls between them three times as slow.
            let skew = len / 13;
            // Below first: above lies the heap, which wants to grow.
            let below = (1..REACH / STEP).map_while(|n| range.start.checked_sub(n * STEP + len + skew));
            let above = (1..REACH / STEP).map_while(|n| range.end.checked_add(n * STEP + skew));
            let reaches = |&at: &usize| at != 0 && range.end.max(at + len) - range.start.min(at) <= REACH;
            let places = below.take_while(reaches).chain(above.take_while(reaches));
            let execute = places.map(|at| at & !(page_size() - 1)).find_map(|at| {
                let protection = libc::PROT_READ | libc::PROT_EXEC;
                match map(ptr::without_provenance_mut(at), len, protection, libc::MAP_FIXED_NOREPLACE, &file) {
                    // A kernel that does not know the flag takes the address as a hint.
                    Ok(base) if base.addr() != at => {
                        unmap(base, len);
                        None
                    }
                    Ok(base) => Some(Ok(base)),
                    Err(error) if error.raw_os_error() == Some(libc::EEXIST) => None,
                    // The lowest addresses of all are nobody's.
                    Err(error) if error.raw_os_error() == Some(libc::EPERM) && at < 1 << 20 => None,
                    Err(error) => Some(Err(error)),
                }
            });
            match execute.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::AddrNotAvailable))) {
                Ok(execute) => Ok(CodeMapping { execute, write, len, owner: std::process::id() }),
                Err(error) => {
                    unmap(write, len);
                    Err(error)
                }
            }
        }
    }

    /// A nameless file of that length, empty of pages.
    fn file(len: usize) -> io::Result<OwnedFd> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: asks only.
        let asked = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) };
        if asked != 0 || limit.rlim_cur < len as libc::rlim_t {
            // To try would bring the process a signal.
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let create = |flags| {
            // SAFETY: the name is a C string; the result is checked.
            let fd = unsafe { libc::memfd_create(c"wasmr code".as_ptr(), flags) };
            // SAFETY: not negative, so it is an open descriptor that nobody else has.
            (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) }).ok_or_else(io::Error::last_os_error)
        };
        // The seal says that nobody will start the file as a program. Older kernels do not know it.
        let file = create(libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL).or_else(|_| create(libc::MFD_CLOEXEC))?;
        // SAFETY: the descriptor is open.
        let result = unsafe { libc::ftruncate(file.as_raw_fd(), len as libc::off_t) };
        if result == 0 { Ok(file) } else { Err(io::Error::last_os_error()) }
    }

    fn map(at: *mut u8, len: usize, protection: c_int, flags: c_int, file: &OwnedFd) -> io::Result<*mut u8> {
        // SAFETY: a mapping where nothing is mapped yet touches nothing that exists.
        let base = unsafe { libc::mmap(at.cast(), len, protection, libc::MAP_SHARED | flags, file.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(base.cast()) }
    }

    fn unmap(base: *mut u8, len: usize) {
        // SAFETY: the range was mapped by `map`, and nobody has been given its address.
        unsafe { libc::munmap(base.cast(), len) };
    }

    impl Image {
        /// The program or library that has code at an address.
        pub fn around(code: usize) -> Option<Image> {
            let mut search = Search { code, found: None };
            // SAFETY: `look` is called before this returns, with a pointer to `search`.
            unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
            search.found
        }
    }

    struct Search {
        code: usize,
        found: Option<Image>,
    }

    /// Looks at one program or library; ends the search by something else than 0.
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
        // SAFETY: the loader passes a valid description, and `search` is what `around` gave it.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: the description has as many headers as it says, which stay as long as what it describes.
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
        search.found = Some(Image { all, code });
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
        fn what_is_executed_cannot_be_written_there() {
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
        fn this_program_is_found_by_its_code() {
            static DATA: u8 = 1;
            let image = Image::around(here()).unwrap();
            assert!(image.code.contains(&here()) && image.all.contains(&here()));
            assert!(image.all.contains(&(&raw const DATA).addr()) && !image.code.contains(&(&raw const DATA).addr()));
            assert_eq!(Image::around(8), None);
            let local = 0u8;
            assert_eq!(Image::around((&raw const local).addr()), None, "the stack is nobody's code");
        }

        #[test]
        fn no_place_is_an_error() {
            assert!(CodeMapping::near(here()..here() + 1, 1 << 33).is_err());
        }
    }
}
