//! The guest's namespace: from absolute paths to granted directories.
//!
//! In: a path below a directory, or the absolute target of a symbolic link. Out: the granted directory that holds the file,
//! and a path beneath it, which [`crate::sandbox`] then resolves like any other.
//!
//! # Where does an absolute link lead?
//!
//! The link leads where the guest's own `open` of that path would lead. libc compares an absolute path with the guest paths of the
//! granted directories and takes the longest that is a prefix of it by whole names. A leading `/` or `./` of a guest path is
//! ignored, so `.` and `/` match every path. [Preopens in wasi-libc] describes this rule, and links follow it here.
//!
//! A link that was made on the host may also hold the path that a granted directory has there. Host paths are therefore
//! compared too. The longest match of all wins, and a guest path wins over a host path of the same length. A link that matches
//! none continues in the root's [`VirtualDir`]. If that leads nowhere, the link is refused.
//!
//! # Why can no path escape?
//!
//! No file is opened by an absolute path. A path or a link's target only selects a granted directory that the guest still
//! holds, and a path beneath it. Resolving that path cannot leave the directory, and the directory's own rights and `::ro`
//! apply.
//!
//! # Why are links expanded only after a failure?
//!
//! Absolute links are rare. [`crate::sandbox`] refuses them, and only then [`expand`] looks for one by resolving the path name
//! by name. If another process renames files meanwhile, [`expand`] may see other files than the attempts before and after it.
//! The result may then be an error, but never a file outside the granted directories.
//!
//! [Preopens in wasi-libc]: https://github.com/WebAssembly/wasi-libc/blob/main/libc-bottom-half/sources/preopens.c

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
use crate::rights;
use crate::sandbox::as_path;
use crate::virtual_dir::{VirtualDir, ino, names};

/// Largest number of links in one path, as on Linux ([path_resolution(7)]).
///
/// [path_resolution(7)]: https://man7.org/linux/man-pages/man7/path_resolution.7.html
const MAX_LINKS: u32 = 40;

/// Largest number of names that the kernel may have to resolve for one path. A path that needs more fails with `LOOP`.
const MAX_STEPS: usize = 100_000;

/// Treatment of the last name of a path if it is a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// Never followed: the call is about the name itself.
    Kept,
    /// Followed only if a slash comes after it.
    KeptUnlessSlash,
    /// Always followed.
    Followed,
}

impl Last {
    /// Returns the treatment for a call whose `SYMLINK_FOLLOW` flag is `follow`.
    pub(crate) fn followed_if(follow: bool) -> Self {
        if follow { Last::Followed } else { Last::KeptUnlessSlash }
    }
}

/// A granted or opened directory, and a path relative to it.
#[derive(Debug)]
pub(crate) struct Spot<'t, 'p> {
    pub descriptor: &'t Descriptor,
    pub directory: &'t Directory,
    pub path: Cow<'p, [u8]>,
}

/// Removes the names of `prefix` from the front of `path`. Returns the rest without leading slashes, or `None` if `path` does
/// not begin with these names.
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

/// Returns the path without leading slashes.
fn unslashed(path: &[u8]) -> &[u8] {
    &path[path.iter().take_while(|byte| **byte == b'/').count()..]
}

/// Splits off the first name that is not `.`. Returns it and the rest.
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

/// Returns the granted directories and their guest paths, in the order of their numbers.
fn granted(fds: &FdTable) -> impl Iterator<Item = (&Descriptor, &Directory, &str)> {
    fds.iter().filter_map(|descriptor| match &descriptor.object {
        Object::Directory(directory) => Some((descriptor, directory, directory.preopen.as_deref()?)),
        _ => None,
    })
}

/// Returns the granted directory whose guest path is the longest match for the absolute `path`, with the number of names
/// matched. Of equal guest paths, the last one granted wins.
fn by_name<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<(usize, Spot<'t, 'p>)> {
    let fits = granted(fds).filter_map(|(descriptor, directory, name)| {
        let path = strip(path, name.as_bytes())?.into();
        Some((names(name.as_bytes()).count(), Spot { descriptor, directory, path }))
    });
    fits.max_by_key(|(length, _)| *length)
}

/// Returns the granted directory whose host path is the longest match for the absolute host `path`, with the number of names
/// matched.
fn by_host_path<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<(usize, Spot<'t, 'p>)> {
    let fits = granted(fds).filter_map(|(descriptor, directory, _)| {
        let host = readlinkat(proc_self_fd().ok()?, DecInt::from_fd(&directory.file), Vec::new()).ok()?.into_bytes();
        let path = strip(path, &host)?.into();
        Some((names(&host).count(), Spot { descriptor, directory, path }))
    });
    fits.max_by_key(|(length, _)| *length)
}

/// Resolves the absolute `path` to a granted directory, or to the root's virtual directory.
fn locate<'t, 'p>(fds: &'t FdTable, path: &'p [u8]) -> Option<Found<'t, 'p>> {
    let (name, host) = (by_name(fds, path), by_host_path(fds, path));
    match (name, host) {
        (Some((name, _)), Some((host, spot))) if host > name => Some(Found::Spot(spot)),
        (Some((_, spot)), _) | (None, Some((_, spot))) => Some(Found::Spot(spot)),
        (None, None) => fds.iter().find_map(|descriptor| match &descriptor.object {
            Object::Virtual(dir) if dir.preopen => dir.find(fds, descriptor, path).ok(),
            _ => None,
        }),
    }
}

/// A path that is being expanded: the resolved part and the rest.
struct Walk<'t> {
    fds: &'t FdTable,
    /// Directory that the last absolute link led into, if there was one.
    entered: Option<(&'t Descriptor, &'t Directory)>,
    /// Virtual directory at which the path ends, if an absolute link led to one.
    end: Option<(&'t Descriptor, VirtualDir)>,
    start: &'t File,
    /// Names of directories from `start` to the current one, none of them a link.
    done: Vec<Vec<u8>>,
    /// The current directory, which `done` names, if it is open.
    parent: Option<File>,
    /// The rest of the path is `left[at..]`.
    left: Vec<u8>,
    at: usize,
    links: u32,
    steps: usize,
}

/// Expands the links of `path` until no absolute link is left in it. Returns `None` if the path has no absolute link, or if
/// one leads to no granted or virtual directory.
///
/// # Errors
/// `LOOP` for too many links.
fn expand<'t>(
    fds: &'t FdTable,
    start: &'t Directory,
    path: &[u8],
    last: Last,
) -> Result<Option<Found<'t, 'static>>, Errno> {
    let mut walk = Walk {
        fds,
        entered: None,
        end: None,
        start: &start.file,
        done: Vec::new(),
        parent: None,
        left: path.to_vec(),
        at: 0,
        links: 0,
        steps: 0,
    };
    while walk.step(last)? {}
    if let Some((descriptor, dir)) = walk.end {
        return Ok(Some(Found::Virtual(descriptor, dir)));
    }
    let Some((descriptor, directory)) = walk.entered else { return Ok(None) };
    // The host resolves the remaining path, which has no absolute link, or reports why it cannot.
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
    /// Resolves one name. Returns false at the end of the expansion: the host then resolves the rest, or reports its error.
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
            // An absolute link in procfs is a magic link. Its text has no meaning.
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

    /// Returns the directory that holds the next name.
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

    /// Puts a link's target before the rest of the path, which begins at `after`. Returns false if an absolute target ends the
    /// expansion, at a virtual directory or nowhere.
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
            Some(Found::Virtual(descriptor, dir)) => {
                self.end = Some((descriptor, dir));
                Ok(false)
            }
            None => {
                self.entered = None;
                Ok(false)
            }
        }
    }
}

/// Returns the guest's text for an absolute link to `target`: a path by which the guest can open the same file. Returns `None`
/// if there is none.
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

/// Result of resolving a path in the guest's namespace.
#[derive(Debug)]
pub(crate) enum Found<'t, 'p> {
    Spot(Spot<'t, 'p>),
    /// A virtual directory, and the descriptor through which the path led there.
    Virtual(&'t Descriptor, VirtualDir),
}

impl VirtualDir {
    /// Returns the sole granted directory, in which paths from the root continue if they do not begin with its guest path.
    fn continued<'t>(&self, fds: &'t FdTable) -> Option<(&'t Descriptor, &'t Directory)> {
        let (descriptor, directory, _) = granted(fds).next().filter(|_| self.sole && self.path.is_empty())?;
        Some((descriptor, directory))
    }

    /// Resolves `path` from this virtual directory, whose descriptor is `descriptor`.
    ///
    /// # Errors
    /// `PERM` above this directory, `NOENT` if no granted directory is at or below the path.
    fn find<'t>(&self, fds: &'t FdTable, descriptor: &'t Descriptor, path: &[u8]) -> Result<Found<'t, 'static>, Errno> {
        let mut here = VirtualDir { path: self.path.clone(), preopen: false, sole: self.sole, listing: None };
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
                b"" => return Ok(Found::Virtual(descriptor, here)),
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

    /// Returns the next names towards the granted directories, then the entries of the directory in which paths continue.
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

/// Resolves `path` below `fd` like [`reach_any`] and runs `act` on the result, for calls that fail on a virtual directory.
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
        Found::Virtual(..) => Err(refusal(right)),
    })
}

/// Resolves `path` below `fd` and runs `act` on the result. If `act` fails with `PERM` or `ROFS`, runs it again on the path
/// with its absolute links expanded, if there are any.
///
/// # Errors
/// `NOTDIR` if `fd` is no directory, `NOTCAPABLE` if `right` was revoked from a directory on the way, `PERM` for an absolute
/// path.
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
        Object::Virtual(dir) => match dir.find(fds, descriptor, path)? {
            Found::Spot(spot) => spot,
            found @ Found::Virtual(..) => return act(found),
        },
        Object::Directory(directory) => Spot { descriptor, directory, path: path.into() },
        _ => return Err(Errno::Notdir),
    };
    spot.descriptor.require(right)?;
    let unexpanded = Spot { path: Cow::Borrowed(&*spot.path), ..spot };
    match act(Found::Spot(unexpanded)) {
        Err(error @ (Errno::Perm | Errno::Rofs)) => match expand(fds, spot.directory, &spot.path, last)? {
            Some(found) => {
                let (Found::Spot(Spot { descriptor, .. }) | Found::Virtual(descriptor, _)) = &found;
                descriptor.require(right)?;
                act(found)
            }
            None => Err(error),
        },
        result => result,
    }
}

/// Returns the error of a call that needs `right` on a virtual directory, which cannot be changed and is no link.
fn refusal(right: u64) -> Errno {
    match right {
        rights::PATH_CREATE_DIRECTORY | rights::PATH_SYMLINK | rights::PATH_LINK_TARGET => Errno::Exist,
        rights::PATH_READLINK => Errno::Inval,
        _ => Errno::Rofs,
    }
}
