//! The build id of the program or library that this code is part of: a hash that the linker computes over its output. Two builds
//! with different code or data have different build ids.
//!
//! The linker writes it as a [note](https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html#note_section) of type
//! `NT_GNU_BUILD_ID`, with its option `--build-id`, which GCC and Clang pass on most systems.

/// Returns the build id; `None` if the linker made none, or on another system than Linux.
pub fn build_id() -> Option<&'static [u8]> {
    #[cfg(target_os = "linux")]
    return linux::build_id();
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_int, c_void};

    /// Type of the note, in `elf.h`.
    const NT_GNU_BUILD_ID: u32 = 3;
    const OWNER: &[u8] = b"GNU\0";

    pub(super) fn build_id() -> Option<&'static [u8]> {
        let mut search = Search { code: build_id as fn() -> Option<&'static [u8]> as usize, found: None };
        // SAFETY: dl_iterate_phdr calls `look` only before it returns, and passes it the pointer to `search`, which lives until
        // then.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
        search.found
    }

    struct Search {
        code: usize,
        found: Option<&'static [u8]>,
    }

    /// Examines one program or library. Returns 1, which ends the search, if the code is in it, else 0. See
    /// [dl_iterate_phdr(3)](https://man7.org/linux/man-pages/man3/dl_iterate_phdr.3.html).
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
        // SAFETY: the loader passes a valid description. `search` points to the `Search` of `build_id`, which is not otherwise
        // used meanwhile.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: `dlpi_phdr` points to `dlpi_phnum` headers, which stay while the program or library is loaded.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let address = |header: &libc::Elf64_Phdr| (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        let is_here = headers.iter().any(|header| {
            header.p_type == libc::PT_LOAD && search.code.wrapping_sub(address(header)) < header.p_memsz as usize
        });
        if !is_here {
            return 0;
        }
        search.found = headers.iter().filter(|header| header.p_type == libc::PT_NOTE).find_map(|header| {
            let notes = std::ptr::with_exposed_provenance::<u8>(address(header));
            // SAFETY: the segment of notes is loaded, and the code of this function is part of what was loaded with it. That stays
            // as long as the code can be called.
            find(unsafe { std::slice::from_raw_parts(notes, header.p_memsz as usize) })
        });
        1
    }

    /// Returns the build id among notes.
    fn find(mut notes: &[u8]) -> Option<&[u8]> {
        loop {
            let word = |at: usize| Some(u32::from_ne_bytes(*notes.get(at..)?.first_chunk()?));
            let (owner_len, len, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
            let owner = notes.get(12..)?.get(..owner_len)?;
            let rest = notes.get(12usize.checked_add(owner_len)?.next_multiple_of(4)..)?;
            let contents = rest.get(..len)?;
            if kind == NT_GNU_BUILD_ID && owner == OWNER {
                return Some(contents);
            }
            notes = rest.get(len.next_multiple_of(4)..)?;
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn note(owner: &[u8], kind: u32, contents: &[u8]) -> Vec<u8> {
            let mut bytes = Vec::new();
            for word in [owner.len() as u32, contents.len() as u32, kind] {
                bytes.extend(word.to_ne_bytes());
            }
            for part in [owner, contents] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        }

        #[test]
        fn the_build_id_is_found_among_notes() {
            let id = [1, 2, 3, 4, 5];
            let notes = [note(b"GNU\0", 1, b"abc"), note(b"Go\0", 3, b"no"), note(b"GNU\0", 3, &id)].concat();
            assert_eq!(find(&notes), Some(&id[..]));
            for len in 0..notes.len() - 3 {
                assert_eq!(find(&notes[..len]), None, "{len}");
            }
            let huge = [u32::MAX, u32::MAX, 3].map(u32::to_ne_bytes).concat();
            assert_eq!(find(&huge), None);
        }
    }
}
