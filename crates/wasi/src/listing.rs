//! The entries of a directory, as `fd_readdir` returns them.
//!
//! In: an open directory. Out: a snapshot of its entries, and from it `dirent` structures with names.
//!
//! A *cookie* is the index of an entry in the snapshot. The last entry's `d_next` is the number of entries. `.` and `..` come
//! first, then the others in the host's order. Names are bytes, as in paths.
//!
//! # Why a snapshot?
//! A guest that deletes files while it reads a directory must see each of the others exactly once. Not every host file system
//! keeps its positions stable under deletion; indices into a copy are stable. The copy is as large as the directory. No number
//! that the guest passes affects its size.

use std::fs::File;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat};

use crate::abi::{Filetype, dirent};
use crate::errno::Errno;

/// One entry. Its name ends at `name_end` in the common buffer and begins at the end of the name before it.
#[derive(Debug)]
struct Entry {
    ino: u64,
    filetype: Filetype,
    name_end: usize,
}

/// Snapshot of a directory's entries.
#[derive(Debug)]
pub(crate) struct Listing {
    entries: Vec<Entry>,
    names: Vec<u8>,
}

impl Listing {
    /// Reads `directory`. With `is_root`, for a granted directory, `..` is the directory itself, because the guest sees
    /// nothing above it.
    pub(crate) fn read(directory: &File, is_root: bool) -> Result<Self, Errno> {
        let mut listing = Listing::empty(fstat(directory)?.st_ino);
        if let Some(parent) = listing.append(directory, |_| true)?
            && !is_root
        {
            listing.entries[1].ino = parent;
        }
        Ok(listing)
    }

    /// Appends the entries of `directory` with `wanted` names, without `.` and `..`. Returns the inode number of `..` if the
    /// host lists it.
    pub(crate) fn append(&mut self, directory: &File, wanted: impl Fn(&[u8]) -> bool) -> Result<Option<u64>, Errno> {
        let readable = openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut dir = Dir::new(readable)?;
        let mut parent = None;
        while let Some(entry) = dir.read() {
            let entry = entry?;
            match entry.file_name().to_bytes() {
                b"." => (),
                b".." => parent = Some(entry.ino()),
                name if wanted(name) => {
                    let mut filetype = entry.file_type();
                    if filetype == FileType::Unknown
                        && let Ok(stat) = statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                    {
                        filetype = FileType::from_raw_mode(stat.st_mode);
                    }
                    self.push(name, entry.ino(), filetype.into());
                }
                _ => (),
            }
        }
        Ok(parent)
    }

    /// Returns a listing of only `.` and `..`, both with this inode number.
    pub(crate) fn empty(own_ino: u64) -> Self {
        let mut listing = Listing { entries: Vec::new(), names: Vec::new() };
        listing.push(b".", own_ino, Filetype::Directory);
        listing.push(b"..", own_ino, Filetype::Directory);
        listing
    }

    pub(crate) fn push(&mut self, name: &[u8], ino: u64, filetype: Filetype) {
        self.names.extend_from_slice(name);
        self.entries.push(Entry { ino, filetype, name_end: self.names.len() });
    }

    /// Returns the name and type of an entry, by its index; `None` behind the last.
    #[cfg(feature = "component")]
    pub(crate) fn entry(&self, index: usize) -> Option<(&[u8], Filetype)> {
        let entry = self.entries.get(index)?;
        Some((&self.names[self.name_start(index)..entry.name_end], entry.filetype))
    }

    /// Returns the offset in `names` at which an entry's name begins.
    fn name_start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.entries[index - 1].name_end }
    }

    /// Returns the size in host memory, in bytes, approximately.
    pub(crate) fn size(&self) -> usize {
        self.names.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Returns the entries from `cookie` on, as the guest reads them, at most `size` bytes. An entry that does not fit is cut
    /// off at the end: as many bytes as asked for tell the guest to call again.
    pub(crate) fn copy(&self, cookie: u64, size: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let first = usize::try_from(cookie).unwrap_or(usize::MAX).min(self.entries.len());
        for (index, entry) in self.entries.iter().enumerate().skip(first) {
            let name = &self.names[self.name_start(index)..entry.name_end];
            let head = dirent(index as u64 + 1, entry.ino, name.len() as u32, entry.filetype);
            for part in [&head[..], name] {
                let taken = part.len().min(size - bytes.len());
                bytes.extend_from_slice(&part[..taken]);
            }
            if bytes.len() == size {
                break;
            }
        }
        bytes
    }
}
