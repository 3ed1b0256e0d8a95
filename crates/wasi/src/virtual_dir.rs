//! [`VirtualDir`]: a directory that exists only in the guest paths of the granted directories.
//!
//! In: the guest paths of the grants. Out: the root directory above them, if no grant takes its place. `fd_table` has
//! descriptors of virtual directories, and `namespace` resolves paths from one.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::abi::{Filestat, Filetype};
use crate::listing::Listing;

/// A directory that exists only in the guest paths of the grants: `/` above `/app`, or `/srv` above `/srv/data`. It lists the
/// granted directories and leads to them. No call changes it.
///
/// # Why do paths from the root continue in a sole grant?
/// `/` is the working directory of programs, and most toolchains have no other way to set one. If a single directory is
/// granted, a relative path can only mean a file in it. So a path that does not begin with the guest path continues in the
/// granted directory, and the listing of `/` also has that directory's entries. With two grants, either could be meant.
#[derive(Debug)]
pub(crate) struct VirtualDir {
    /// Path from `/`, as its names.
    pub path: Vec<Vec<u8>>,
    /// True for the descriptor that the guest finds as the preopened directory `/`.
    pub preopen: bool,
    /// True if the embedder granted exactly one directory.
    pub sole: bool,
    /// Entries as `fd_readdir` last read them.
    pub listing: Option<Listing>,
}

impl VirtualDir {
    /// Returns the root for these guest paths. Returns `None` if there are no grants, because the root would list nothing, and
    /// if a grant is named `/` or `.`, because that grant is the root already.
    pub(crate) fn root<'n>(granted: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let mut count = 0;
        let open = granted.into_iter().inspect(|_| count += 1).all(|name| names(name.as_bytes()).next().is_some());
        (open && count > 0).then(|| VirtualDir { path: Vec::new(), preopen: true, sole: count == 1, listing: None })
    }

    /// Returns the name that leads from here towards the granted directory, and true if it names that directory itself.
    pub(crate) fn below<'n>(&self, granted: &'n str) -> Option<(&'n [u8], bool)> {
        let mut rest = names(granted.as_bytes());
        if !self.path.iter().all(|name| rest.next() == Some(name)) {
            return None;
        }
        let name = rest.next().filter(|name| *name != b"..")?;
        Some((name, rest.next().is_none()))
    }

    pub(crate) fn ino(&self) -> u64 {
        ino(&self.path)
    }

    pub(crate) fn stat(&self) -> Filestat {
        Filestat { ino: self.ino(), ..Filestat::anonymous(Filetype::Directory) }
    }
}

/// Returns the names of a path, without `.` and empty ones.
pub(crate) fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."))
}

/// Returns an inode number for the virtual directory with this path. It differs from those of its ancestors, because programs
/// recognise a loop by equal numbers. It has 48 bits, so that a double holds it exactly, and is never 0, which means no inode.
pub(crate) fn ino(path: &[Vec<u8>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish() >> 16 | 1
}
