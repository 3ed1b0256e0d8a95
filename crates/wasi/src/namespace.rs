//! The guest's namespace: which granted directory an absolute path leads into.
//!
//! In: a path below a directory, or a path that starts with a slash. Out: the granted directory that holds the file, and a path
//! beneath it, which [`crate::sandbox`] then walks as any other.
//!
//! # What an absolute link means
//!
//! It means in the guest what the guest's own `open` of that path means. libc compares an absolute path with the names of the
//! granted directories and takes the longest that fits by whole names. A leading `/` or `./` of a name counts for nothing, so that
//! `.` and `/` fit every path. A link's target is compared in the same way.
//!
//! A link that the user made may also hold the path that a granted directory has on the host. So these paths are compared
//! too. The longest of all wins, a guest's name before a host's path of the same length. A link that fits none is refused.
//!
//! # Why can nothing escape?
//!
//! Nothing is opened by an absolute path. A link's target only selects a granted directory that the guest still holds and gives
//! the path beneath it; walking that path cannot leave the directory, and the directory's own `::ro` and rights apply.
//!
//! # Why after the failure?
//!
//! Links with absolute targets are rare. [`crate::sandbox`] refuses them, and only then [`expand`] looks for one, by walking the path
//! name by name. It may look at other files than the walk before or after it, when somebody renames them meanwhile: the answer
//! may then be a refusal, never a file outside.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::fd::AsFd;

use cap_primitives::fs::{open_dir, open_dir_nofollow};
use rustix::fs::{PROC_SUPER_MAGIC, fstat, fstatfs, readlinkat};
use rustix::path::DecInt;
use rustix_linux_procfs::proc_self_fd;

use crate::abi::{Filestat, Filetype};
use crate::errno::Errno;
use crate::fd_table::{Descriptor, Directory, FdTable, Object};
use crate::listing::Listing;
use crate::rights;
use crate::sandbox::as_path;

/// Links of one path, at most, as on Linux.
const MAX_LINKS: u32 = 40;

/// Names that the kernel may have to walk for one path, at most; a path that needs more is `LOOP`.
const MAX_STEPS: usize = 100_000;

/// The treatment of a link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// It is never followed: the call is about the name.
    Kept,
    /// It is followed if a slash stands behind it.
    KeptUnlessSlash,
    /// It is always followed.
    Followed,
}

impl Last {
    /// Returns the treatment for a call with or without `SYMLINK_FOLLOW` in its flags.
    pub(crate) fn followed_if(follow: bool) -> Self {
        if follow { Last::Followed } else { Last::KeptUnlessSlash }
    }
}

/// A directory and a relative path from there.
#[derive(Debug)]
pub(crate) struct Spot<'t, 'p> {
    pub descriptor: &'t Descriptor,
    pub directory: &'t Directory,
    pub path: Cow<'p, [u8]>,
}

/// The names of a path, without `.` and empty ones.
fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."))
}

/// Takes the names of `prefix` off the front of `path`; `None` if they are not there. The rest has no leading slash.
fn strip<'p>(mut path: &'p [u8], prefix: &[u8]) -> Option<&'p [u8]> {
    for wanted in names(prefix) {
        let (name, rest) = next(path);
        if name != wanted {
            return None;
        }
        path = rest;
    }
    Some(unslashed(path))
}

/// The path without leading slashes.
fn unslashed(path: &[u8]) -> &[u8] {
    &path[path.iter().take_while(|byte| **byte == b'/').count()..]
}

/// Splits the first name off that is not `.`.
fn next(mut path: &[u8]) -> (&[u8], &[u8]) {
    loop {
        path = unslashed(path);
        let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        if name != b"." {
            return (name, rest);
        }
        path = rest;
    }
}

/// The granted directories, in the order of their numbers.
fn granted(fds: &FdTable) -> impl Iterator<Item = (&Descriptor, &Directory, &str)> {
    fds.iter().filter_map(|descriptor| match &descriptor.object {
        Object::Directory(directory) => Some((descriptor, directory, directory.preopen.as_deref()?)),
        _ => None,
    })
}

/// Returns the granted directory whose name fits the absolute `path`, and the length of that name. The longest name wins; of names
/// that are alike, the last one granted.
fn by_name<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<(usize, Spot<'t, 'p>)> {
    let fits = granted(fds).filter_map(|(descriptor, directory, name)| {
        let path = strip(path, name.as_bytes())?.into();
        Some((names(name.as_bytes()).count(), Spot { descriptor, directory, path }))
    });
    fits.max_by_key(|(length, _)| *length)
}

/// Returns the granted directory that the absolute `path` of the host lies in, and the length of the directory's own path.
fn by_host_path<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<(usize, Spot<'t, 'p>)> {
    let fits = granted(fds).filter_map(|(descriptor, directory, _)| {
        let host = readlinkat(proc_self_fd().ok()?, DecInt::from_fd(&directory.file), Vec::new()).ok()?.into_bytes();
        let path = strip(path, &host)?.into();
        Some((names(&host).count(), Spot { descriptor, directory, path }))
    });
    fits.max_by_key(|(length, _)| *length)
}

/// Returns the granted directory that the absolute `path` leads into, and the path from there.
fn locate<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<Spot<'t, 'p>> {
    let (name, host) = (by_name(fds, path), by_host_path(fds, path));
    match (name, host) {
        (Some((name, _)), Some((host, spot))) if host > name => Some(spot),
        (Some((_, spot)), _) | (None, Some((_, spot))) => Some(spot),
        (None, None) => None,
    }
}

/// A path half walked.
struct Walk<'t> {
    fds: &'t FdTable,
    /// The directory that an absolute link led into, if there was one.
    entered: Option<(&'t Descriptor, &'t Directory)>,
    start: &'t File,
    /// Names of directories below `start`, none of them a link.
    done: Vec<Vec<u8>>,
    /// The directory that `done` names, if it is open.
    parent: Option<File>,
    left: Vec<u8>,
    /// Beginning of the rest of the path in `left`.
    at: usize,
    links: u32,
    steps: usize,
}

/// Expands the links of `path` until no absolute one is in the way. Returns `None` if none was, or if one leads into no granted
/// directory; `LOOP` if there are too many links.
fn expand<'t>(
    fds: &'t FdTable,
    start: &'t Directory,
    path: &[u8],
    last: Last,
) -> Result<Option<Spot<'t, 'static>>, Errno> {
    let mut walk = Walk {
        fds,
        entered: None,
        start: &start.file,
        done: Vec::new(),
        parent: None,
        left: path.to_vec(),
        at: 0,
        links: 0,
        steps: 0,
    };
    while walk.step(last)? {}
    let Some((descriptor, directory)) = walk.entered else { return Ok(None) };
    // The host walks the rest, and says what is wrong with it.
    let mut path = walk.done.join(&b'/');
    if path.is_empty() {
        path.push(b'.');
    }
    let left = &walk.left[walk.at..];
    if !left.is_empty() && !left.starts_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(left);
    Ok(Some(Spot { descriptor, directory, path: path.into() }))
}

impl<'t> Walk<'t> {
    /// Goes on by one name. Returns false if the rest is for the host: a last name, or an error that the host will report.
    fn step(&mut self, last: Last) -> Result<bool, Errno> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Errno::Loop);
        }
        let (name, rest) = next(&self.left[self.at..]);
        let after = self.left.len() - rest.len();
        if name.is_empty() {
            return Ok(false);
        }
        if name == b".." {
            let inside = self.done.pop().is_some();
            if inside {
                self.parent = None;
                self.at = after;
            }
            return Ok(inside);
        }
        let name = name.to_vec();
        let is_last = rest.iter().all(|byte| *byte == b'/');
        let slash = is_last && !rest.is_empty();
        let kept = match last {
            Last::Kept => is_last,
            Last::KeptUnlessSlash => is_last && !slash,
            Last::Followed => false,
        };
        if kept {
            return Ok(false);
        }
        let Ok(parent) = self.parent() else { return Ok(false) };
        match readlinkat(parent, &name[..], Vec::new()) {
            // Such a link of procfs is a magic one, whose text means nothing.
            Ok(target) if target.as_bytes().starts_with(b"/") && fstatfs(parent)?.f_type == PROC_SUPER_MAGIC => {
                self.entered = None;
                Ok(false)
            }
            Ok(target) => self.follow(target.as_bytes(), after),
            Err(rustix::io::Errno::INVAL) if !is_last || slash => {
                let Ok(directory) = open_dir_nofollow(parent, as_path(&name)) else { return Ok(false) };
                self.parent = Some(directory);
                self.done.push(name);
                self.at = after;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// The directory that the next name lies in.
    fn parent(&mut self) -> Result<&File, Errno> {
        if self.done.is_empty() {
            return Ok(self.start);
        }
        let parent = match self.parent.take() {
            Some(parent) => parent,
            None => {
                self.steps += self.done.len();
                open_dir(self.start, as_path(&self.done.join(&b'/')))?
            }
        };
        Ok(self.parent.insert(parent))
    }

    /// Puts a link's target before the rest of the path, which begins at `after`.
    fn follow(&mut self, target: &[u8], after: usize) -> Result<bool, Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::Loop);
        }
        let path = [target, &self.left[after..]].concat();
        if !target.starts_with(b"/") {
            (self.left, self.at) = (path, 0);
            return Ok(true);
        }
        match locate(self.fds, &path) {
            Some(Spot { descriptor, directory, path }) => {
                self.entered = Some((descriptor, directory));
                self.start = &directory.file;
                self.done.clear();
                self.parent = None;
                (self.left, self.at) = (path.into_owned(), 0);
                Ok(true)
            }
            None => {
                self.entered = None;
                Ok(false)
            }
        }
    }
}

/// Returns the path by which the guest knows the target of an absolute link; `None` if there is none.
pub(crate) fn link_text(fds: &FdTable, target: &[u8]) -> Option<Vec<u8>> {
    let name = by_name(fds, target);
    match by_host_path(fds, target) {
        Some((host, spot)) if name.as_ref().is_none_or(|(name, _)| host > *name) => {
            let granted = spot.directory.preopen.as_deref().filter(|name| name.starts_with('/'))?;
            Some([granted.trim_end_matches('/').as_bytes(), b"/", &spot.path].concat())
        }
        _ => name.map(|_| target.to_vec()),
    }
}

/// A directory that exists only in the names of the granted ones: `/` above `/app`, or `/srv` above `/srv/data`. It lists them
/// and leads to them; nothing else can be done with it.
#[derive(Debug)]
pub(crate) struct Names {
    /// The names from `/` on.
    path: Vec<Vec<u8>>,
    /// The guest finds it among the granted directories, as `/`.
    pub preopen: bool,
}

/// The end of a path below [`Names`].
#[derive(Debug)]
pub(crate) enum Found<'t> {
    Spot(Spot<'t, 'static>),
    Names(Names),
}

impl Names {
    /// Returns the root above the directories of these names. `None` if there is nothing to list, or if one of the names fits
    /// every path, as `/` and `.` do: that directory is the root already.
    pub(crate) fn root<'n>(granted: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let mut granted = granted.into_iter().peekable();
        granted.peek()?;
        let open = granted.all(|name| names(name.as_bytes()).next().is_some());
        open.then_some(Names { path: Vec::new(), preopen: true })
    }

    /// Returns the next name on the way from here to a granted directory, and true if that is the directory itself.
    fn below<'n>(&self, granted: &'n str) -> Option<(&'n [u8], bool)> {
        let mut rest = names(granted.as_bytes());
        if !self.path.iter().all(|name| rest.next() == Some(name)) {
            return None;
        }
        let name = rest.next().filter(|name| *name != b"..")?;
        Some((name, rest.next().is_none()))
    }

    /// Walks `path` from here. `PERM` above this directory, `NOENT` for a name that leads to no granted directory.
    pub(crate) fn find<'t>(&self, fds: &'t FdTable, path: &[u8]) -> Result<Found<'t>, Errno> {
        let mut here = Names { path: self.path.clone(), preopen: false };
        let mut left = path;
        loop {
            let whole = [&here.path.join(&b'/')[..], b"/", left].concat();
            if let Some((_, spot)) = by_name(fds, &whole) {
                let path = if spot.path.is_empty() { b".".to_vec() } else { spot.path.into_owned() };
                let Spot { descriptor, directory, .. } = spot;
                return Ok(Found::Spot(Spot { descriptor, directory, path: path.into() }));
            }
            let (name, rest) = next(left);
            match name {
                b"" => return Ok(Found::Names(here)),
                b".." if here.path.len() == self.path.len() => return Err(Errno::Perm),
                b".." => drop(here.path.pop()),
                name => here.path.push(name.to_vec()),
            }
            if !granted(fds).any(|(_, _, name)| here.below(name).is_some()) {
                return Err(Errno::Noent);
            }
            left = rest;
        }
    }

    /// Lists the granted directories and the names on the way to them.
    pub(crate) fn list(&self, fds: &FdTable) -> Listing {
        let mut listing = Listing::empty(self.ino());
        let mut seen = BTreeSet::new();
        for (_, directory, granted) in granted(fds) {
            let Some((name, itself)) = self.below(granted) else { continue };
            if seen.insert(name) {
                let below = Names { path: [&self.path[..], &[name.to_vec()]].concat(), preopen: false };
                let host = if itself { fstat(directory.file.as_fd()).ok() } else { None };
                listing.push(name, host.map_or(below.ino(), |stat| stat.st_ino), Filetype::Directory);
            }
        }
        listing
    }

    /// Returns a number that differs from those of the directories above, by which programs recognise a loop. It fits into a
    /// double, and it is not 0, which means none.
    fn ino(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.path.hash(&mut hasher);
        hasher.finish() >> 16 | 1
    }

    pub(crate) fn stat(&self) -> Filestat {
        Filestat { ino: self.ino(), ..Filestat::anonymous(Filetype::Directory) }
    }
}

/// Runs `act` on the file that `path` below `fd` names: first by the path as it is, and if that is refused, by the path with its
/// absolute links expanded. `NOTDIR` if `fd` is no directory, `NOTCAPABLE` if `right` was taken away on the way, `PERM` for an
/// absolute path.
pub(crate) fn reach<'t, T>(
    fds: &'t FdTable,
    fd: u32,
    right: u64,
    path: &[u8],
    last: Last,
    mut act: impl FnMut(&Spot<'t, '_>) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let descriptor = fds.directory(fd, right)?;
    if path.starts_with(b"/") {
        return Err(Errno::Perm);
    }
    let spot = match &descriptor.object {
        Object::Names(names) => match names.find(fds, path)? {
            Found::Spot(spot) => spot,
            Found::Names(_) => return Err(refusal(right)),
        },
        Object::Directory(directory) => Spot { descriptor, directory, path: path.into() },
        _ => return Err(Errno::Notdir),
    };
    spot.descriptor.require(right)?;
    match act(&spot) {
        Err(error @ (Errno::Perm | Errno::Rofs)) => match expand(fds, spot.directory, &spot.path, last)? {
            Some(spot) => {
                spot.descriptor.require(right)?;
                act(&spot)
            }
            None => Err(error),
        },
        result => result,
    }
}

/// Returns the directory of names that `path` below `fd` leads to, if it is one.
pub(crate) fn names_at(fds: &FdTable, fd: u32, right: u64, path: &[u8]) -> Result<Option<Names>, Errno> {
    let Object::Names(names) = &fds.directory(fd, right)?.object else { return Ok(None) };
    if path.starts_with(b"/") {
        return Err(Errno::Perm);
    }
    match names.find(fds, path)? {
        Found::Names(names) => Ok(Some(names)),
        Found::Spot(_) => Ok(None),
    }
}

/// Returns the error of a call that would change a directory of names, or read it as a link.
fn refusal(right: u64) -> Errno {
    match right {
        rights::PATH_CREATE_DIRECTORY | rights::PATH_SYMLINK | rights::PATH_LINK_TARGET => Errno::Exist,
        rights::PATH_READLINK => Errno::Inval,
        _ => Errno::Rofs,
    }
}
