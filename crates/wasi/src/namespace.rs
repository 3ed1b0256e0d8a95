//! The guest's namespace: which granted directory an absolute path leads into.
//!
//! In: a path below a directory, or a path that starts with a slash. Out: the granted directory that holds the file, and a path
//! beneath it, which [`crate::sandbox`] then walks as any other.
//!
//! # What an absolute link means
//!
//! What the guest's own `open` of that path means. libc compares an absolute path with the names of the granted directories and
//! takes the longest that fits by whole names; a leading `/` or `./` of a name counts for nothing, so that `.` and `/` fit every
//! path. Links do the same here. A link made by the user may also hold the path that a granted directory has on the host;
//! so these are compared too, and the longest of all wins, a guest's name before a host's path. A link that fits none leads
//! where the root of names leads ([`Names`]), and is refused if that is nowhere.
//!
//! # Why can nothing escape?
//!
//! Nothing is opened by an absolute path. A path or a link's target only selects a granted directory that the guest still holds and gives
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
use std::os::fd::AsFd;

use cap_primitives::fs::{open_dir, open_dir_nofollow};
use rustix::fs::{PROC_SUPER_MAGIC, fstat, fstatfs, readlinkat};
use rustix::path::DecInt;
use rustix_linux_procfs::proc_self_fd;

use crate::abi::Filetype;
use crate::errno::Errno;
use crate::fd_table::{Descriptor, Directory, FdTable, Object};
use crate::listing::Listing;
use crate::names::{Names, ino, names};
use crate::rights;
use crate::sandbox::as_path;

/// Links of one path, at most, as on Linux.
const MAX_LINKS: u32 = 40;

/// Names that the kernel may have to walk for one path, at most; a path that needs more is `LOOP`.
const MAX_STEPS: usize = 100_000;

/// Whether the last name of a path is followed if it is a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// Never: the call is about the name.
    Kept,
    /// If a slash stands behind it.
    KeptUnlessSlash,
    /// Always.
    Followed,
}

impl Last {
    /// For calls with `SYMLINK_FOLLOW` in their flags.
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

/// Takes the names of `prefix` off the front of `path`; `None` if they are not there. What is left has no leading slash.
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

/// The granted directory that the absolute `path` leads into by its name; of names that are alike, the last one granted.
fn by_name<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<(usize, Spot<'t, 'p>)> {
    let fits = granted(fds).filter_map(|(descriptor, directory, name)| {
        let path = strip(path, name.as_bytes())?.into();
        Some((names(name.as_bytes()).count(), Spot { descriptor, directory, path }))
    });
    fits.max_by_key(|(length, _)| *length)
}

/// The granted directory that the absolute `path` of the host lies in.
fn by_host_path<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<(usize, Spot<'t, 'p>)> {
    let fits = granted(fds).filter_map(|(descriptor, directory, _)| {
        let host = readlinkat(proc_self_fd().ok()?, DecInt::from_fd(&directory.file), Vec::new()).ok()?.into_bytes();
        let path = strip(path, &host)?.into();
        Some((names(&host).count(), Spot { descriptor, directory, path }))
    });
    fits.max_by_key(|(length, _)| *length)
}

/// Where the absolute `path` leads.
fn locate<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<Found<'t, 'p>> {
    let (name, host) = (by_name(fds, path), by_host_path(fds, path));
    match (name, host) {
        (Some((name, _)), Some((host, spot))) if host > name => Some(Found::Spot(spot)),
        (Some((_, spot)), _) | (None, Some((_, spot))) => Some(Found::Spot(spot)),
        (None, None) => fds.iter().find_map(|descriptor| match &descriptor.object {
            Object::Names(names) if names.preopen => names.find(fds, descriptor, path).ok(),
            _ => None,
        }),
    }
}

/// A path on its way: what was walked, and what is left.
struct Walk<'t> {
    fds: &'t FdTable,
    /// The directory that an absolute link led into, if there was one.
    entered: Option<(&'t Descriptor, &'t Directory)>,
    /// The directory of names at which the path ends.
    names: Option<(&'t Descriptor, Names)>,
    start: &'t File,
    /// Names of directories below `start`, none of them a link.
    done: Vec<Vec<u8>>,
    /// The directory that `done` names, if it is open.
    parent: Option<File>,
    /// What is left of the path begins at `at`.
    left: Vec<u8>,
    at: usize,
    links: u32,
    steps: usize,
}

/// Expands the links of `path` until no absolute one is in the way; `None` if none was, or if one leads nowhere. `LOOP` if
/// there are too many links.
fn expand<'t>(
    fds: &'t FdTable,
    start: &'t Directory,
    path: &[u8],
    last: Last,
) -> Result<Option<Found<'t, 'static>>, Errno> {
    let mut walk = Walk {
        fds,
        entered: None,
        names: None,
        start: &start.file,
        done: Vec::new(),
        parent: None,
        left: path.to_vec(),
        at: 0,
        links: 0,
        steps: 0,
    };
    while walk.step(last)? {}
    if let Some((descriptor, names)) = walk.names {
        return Ok(Some(Found::Names(descriptor, names)));
    }
    let Some((descriptor, directory)) = walk.entered else { return Ok(None) };
    // What a host's walk can take from here on, its errors included.
    let mut path = walk.done.join(&b'/');
    if path.is_empty() {
        path.push(b'.');
    }
    let left = &walk.left[walk.at..];
    if !left.is_empty() && !left.starts_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(left);
    Ok(Some(Found::Spot(Spot { descriptor, directory, path: path.into() })))
}

impl<'t> Walk<'t> {
    /// Goes on by one name. False when the rest is for the host: it is a plain name, or what is wrong with it, the host will say.
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
            Some(Found::Spot(Spot { descriptor, directory, path })) => {
                self.entered = Some((descriptor, directory));
                self.start = &directory.file;
                self.done.clear();
                self.parent = None;
                (self.left, self.at) = (path.into_owned(), 0);
                Ok(true)
            }
            Some(Found::Names(descriptor, names)) => {
                self.names = Some((descriptor, names));
                Ok(false)
            }
            None => {
                self.entered = None;
                Ok(false)
            }
        }
    }
}

/// The guest's text for an absolute link that holds `target`: the path by which the guest knows what it leads to; `None` if there
/// is none.
pub(crate) fn link_text(fds: &FdTable, target: &[u8]) -> Option<Vec<u8>> {
    let name = by_name(fds, target);
    match by_host_path(fds, target) {
        Some((host, spot)) if name.as_ref().is_none_or(|(name, _)| host > *name) => {
            let granted = spot.directory.preopen.as_deref().filter(|name| name.starts_with('/'))?;
            Some([granted.trim_end_matches('/').as_bytes(), b"/", &spot.path].concat())
        }
        _ => locate(fds, target).map(|_| target.to_vec()),
    }
}

/// Where a path leads.
#[derive(Debug)]
pub(crate) enum Found<'t, 'p> {
    Spot(Spot<'t, 'p>),
    /// A directory of names, and the descriptor that led there.
    Names(&'t Descriptor, Names),
}

impl Names {
    /// The granted directory in which paths continue that begin with no granted name.
    fn continued<'t>(&self, fds: &'t FdTable) -> Option<(&'t Descriptor, &'t Directory)> {
        let (descriptor, directory, _) = granted(fds).next().filter(|_| self.sole && self.path.is_empty())?;
        Some((descriptor, directory))
    }

    /// Where `path` leads from here, which is `descriptor`: `PERM` above this directory, `NOENT` for what no granted directory is
    /// beneath.
    fn find<'t>(&self, fds: &'t FdTable, descriptor: &'t Descriptor, path: &[u8]) -> Result<Found<'t, 'static>, Errno> {
        let mut here = Names { path: self.path.clone(), preopen: false, sole: self.sole, listing: None };
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
                b"" => return Ok(Found::Names(descriptor, here)),
                b".." if here.path.len() == self.path.len() => return Err(Errno::Perm),
                b".." => drop(here.path.pop()),
                name => {
                    let continued = here.continued(fds);
                    here.path.push(name.to_vec());
                    if !granted(fds).any(|(_, _, name)| here.below(name).is_some()) {
                        let (descriptor, directory) = continued.ok_or(Errno::Noent)?;
                        let path = unslashed(left).to_vec().into();
                        return Ok(Found::Spot(Spot { descriptor, directory, path }));
                    }
                }
            }
            left = rest;
        }
    }

    /// The granted directories and the names on the way to them, then the entries of the directory in which paths continue.
    pub(crate) fn list(&self, fds: &FdTable) -> Result<Listing, Errno> {
        let mut listing = Listing::empty(self.ino());
        let mut seen = BTreeSet::new();
        for (_, directory, granted) in granted(fds) {
            let Some((name, itself)) = self.below(granted) else { continue };
            if seen.insert(name) {
                let host = if itself { fstat(directory.file.as_fd()).ok() } else { None };
                let below = || ino(&[&self.path[..], &[name.to_vec()]].concat());
                listing.push(name, host.map_or_else(below, |stat| stat.st_ino), Filetype::Directory);
            }
        }
        if let Some((descriptor, directory)) = self.continued(fds) {
            descriptor.require(rights::FD_READDIR)?;
            listing.append(&directory.file, |name| !seen.contains(name))?;
        }
        Ok(listing)
    }
}

/// Runs `act` where `path` below `fd` leads, as [`reach_any`]. A directory of names cannot be changed.
pub(crate) fn reach<'t, T>(
    fds: &'t FdTable,
    fd: u32,
    right: u64,
    path: &[u8],
    last: Last,
    mut act: impl FnMut(&Spot<'t, '_>) -> Result<T, Errno>,
) -> Result<T, Errno> {
    reach_any(fds, fd, right, path, last, |found| match found {
        Found::Spot(spot) => act(&spot),
        Found::Names(..) => Err(refusal(right)),
    })
}

/// Runs `act` where `path` below `fd` leads: first on the path as it is, and if that is refused, on the path that it is once its
/// absolute links are expanded. `NOTDIR` if `fd` is no directory, `NOTCAPABLE` if `right` was taken away on the way, `PERM` for an
/// absolute path.
pub(crate) fn reach_any<'t, T>(
    fds: &'t FdTable,
    fd: u32,
    right: u64,
    path: &[u8],
    last: Last,
    mut act: impl FnMut(Found<'t, '_>) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let descriptor = fds.directory(fd, right)?;
    if path.starts_with(b"/") {
        return Err(Errno::Perm);
    }
    let spot = match &descriptor.object {
        Object::Names(names) => match names.find(fds, descriptor, path)? {
            Found::Spot(spot) => spot,
            found @ Found::Names(..) => return act(found),
        },
        Object::Directory(directory) => Spot { descriptor, directory, path: path.into() },
        _ => return Err(Errno::Notdir),
    };
    spot.descriptor.require(right)?;
    let unexpanded = Spot { path: Cow::Borrowed(&*spot.path), ..spot };
    match act(Found::Spot(unexpanded)) {
        Err(error @ (Errno::Perm | Errno::Rofs)) => match expand(fds, spot.directory, &spot.path, last)? {
            Some(found) => {
                let (Found::Spot(Spot { descriptor, .. }) | Found::Names(descriptor, _)) = &found;
                descriptor.require(right)?;
                act(found)
            }
            None => Err(error),
        },
        result => result,
    }
}

/// Why a directory of names cannot be changed, or is no link.
fn refusal(right: u64) -> Errno {
    match right {
        rights::PATH_CREATE_DIRECTORY | rights::PATH_SYMLINK | rights::PATH_LINK_TARGET => Errno::Exist,
        rights::PATH_READLINK => Errno::Inval,
        _ => Errno::Rofs,
    }
}
