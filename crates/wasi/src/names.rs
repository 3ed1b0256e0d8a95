//! [`Names`]: a directory that exists only in the names of the granted ones.
//!
//! Descriptors refer to it (`fd_table`); `namespace` says where paths lead from it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::abi::{Filestat, Filetype};
use crate::listing::Listing;

/// A directory that exists only in the names of the granted ones: `/` above `/app`, or `/srv` above `/srv/data`. It lists them,
/// leads to them, and nothing else can be done with it.
///
/// # Why does the root fall through?
/// `/` is the working directory of programs, and most of them know no other way to set one. If a single directory is granted,
/// a relative path can only mean a file in it: so a path whose first name is not that of the grant continues in the granted
/// directory, and the listing of `/` has the granted directory's entries too. Of two directories either could be meant.
#[derive(Debug)]
pub(crate) struct Names {
    /// The names from `/` on.
    pub path: Vec<Vec<u8>>,
    /// The guest finds it among the granted directories, as `/`.
    pub preopen: bool,
    /// It was made for a single granted directory.
    pub sole: bool,
    /// The entries as `fd_readdir` last saw them.
    pub listing: Option<Listing>,
}

impl Names {
    /// The root, if the names that were granted leave it open: with none there is nothing to list, and one that fits every
    /// path, as `/` and `.` do, is the root already.
    pub(crate) fn root<'n>(granted: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let mut count = 0;
        let open = granted.into_iter().inspect(|_| count += 1).all(|name| names(name.as_bytes()).next().is_some());
        (open && count > 0).then(|| Names { path: Vec::new(), preopen: true, sole: count == 1, listing: None })
    }

    /// What a granted directory's name has below this one: the next name, and whether the directory is meant itself.
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

/// The names of a path, without `.` and empty ones.
pub(crate) fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."))
}

/// A number of the directory of names with this path that differs from those of the directories above, by which programs
/// recognise a loop. Small enough for programs that keep it in a double, and not 0, which means none.
pub(crate) fn ino(path: &[Vec<u8>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish() >> 16 | 1
}
