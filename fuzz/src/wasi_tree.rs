//! The file tree around a guest's directories, and the check that nothing outside of them changed.
//!
//! ```text
//! ROOT              a temporary directory whose name holds MAGIC
//! ├─ outside/       never granted; its contents and a name in it hold MAGIC
//! ├─ readable/      granted read-only
//! ├─ first/         granted; refilled for every run, with links of all kinds, most of which lead out
//! └─ second/        granted; empty at first
//! ```

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

/// Bytes that no guest may read.
pub const MAGIC: &str = "wasmr-canary-9w27vq31xk";

/// The attributes of a file that must not change. For a directory whose entries may change, the times are not included.
type Facts = (u64, u32, u64, u64, i64, i64, Vec<u8>);

/// The file tree of a run.
pub struct Tree {
    root: TempDir,
    /// Initial state of everything outside the writable directories.
    facts: BTreeMap<PathBuf, Facts>,
}

impl Tree {
    /// Creates the tree in the system's directory for temporary files.
    pub fn new() -> io::Result<Tree> {
        let root = TempDir::with_prefix(MAGIC)?;
        let at = |name: &str| root.path().join(name);
        for dir in ["outside/dir", "readable/dir", "first", "second"] {
            fs::create_dir_all(at(dir))?;
        }
        fs::write(at("outside/secret"), format!("{MAGIC} is the secret"))?;
        fs::write(at("outside").join(MAGIC), "a telling name")?;
        fs::write(at("outside/dir/inner"), MAGIC)?;
        symlink("secret", at("outside/link"))?;
        fs::write(at("readable/file"), "may be read")?;
        symlink("../../outside", at("readable/dir/out"))?;
        symlink("file", at("readable/link"))?;
        let mut tree = Tree { root, facts: BTreeMap::new() };
        tree.facts = tree.look()?;
        Ok(tree)
    }

    /// Empties and refills the writable directories.
    pub fn reset(&self) -> io::Result<()> {
        for dir in ["first", "second"] {
            for entry in fs::read_dir(self.path(dir))? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        let first = self.path("first");
        fs::create_dir_all(first.join("d/e"))?;
        fs::write(first.join("f"), "a file")?;
        fs::write(first.join("d/g"), "another")?;
        let outside = self.path("outside");
        for (name, target) in [
            ("up", Path::new("..")),
            ("out", Path::new("../outside")),
            ("secret", Path::new("../outside/secret")),
            ("abs", &outside.join("secret")),
            ("absdir", &outside),
            ("loop", Path::new("loop")),
            ("in", Path::new("d/e")),
            ("dangling", Path::new("new")),
            ("danglingout", Path::new("../outside/new")),
            ("proc", Path::new("/proc/self/root")),
            ("readable", Path::new("../readable/file")),
            ("second", Path::new("../second")),
        ] {
            symlink(target, first.join(name))?;
        }
        mknodat(CWD, first.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o666), 0)?;
        Ok(())
    }

    /// Returns a path in the tree.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Opens a directory of the tree for a grant.
    pub fn open(&self, name: &str) -> io::Result<Dir> {
        Dir::open_ambient_dir(self.path(name), ambient_authority())
    }

    /// Checks that everything outside the writable directories is unchanged. The error describes the change.
    pub fn check(&self) -> Result<(), String> {
        let now = self.look().map_err(|error| format!("the tree cannot be read: {error}"))?;
        for (path, facts) in &self.facts {
            match now.get(path) {
                None => return Err(format!("{} is gone", path.display())),
                Some(found) if found != facts => {
                    return Err(format!("{} changed from {facts:?} to {found:?}", path.display()));
                }
                Some(_) => {}
            }
        }
        match now.keys().find(|path| !self.facts.contains_key(*path)) {
            Some(path) => Err(format!("{} is new", path.display())),
            None => Ok(()),
        }
    }

    /// Returns true if no guest may reach the file with this device and inode.
    pub fn is_secret(&self, dev: u64, ino: u64) -> bool {
        let secret = |path: &Path| path.as_os_str().is_empty() || path.starts_with("outside");
        let found = self.facts.iter().any(|(path, facts)| secret(path) && facts.0 == ino);
        found && fs::metadata(self.root.path()).is_ok_and(|meta| meta.dev() == dev)
    }

    fn look(&self) -> io::Result<BTreeMap<PathBuf, Facts>> {
        let mut facts = BTreeMap::new();
        self.look_at(Path::new(""), &mut facts)?;
        Ok(facts)
    }

    fn look_at(&self, path: &Path, facts: &mut BTreeMap<PathBuf, Facts>) -> io::Result<()> {
        let full = self.root.path().join(path);
        let meta = fs::symlink_metadata(&full)?;
        let granted = path == Path::new("first") || path == Path::new("second");
        let content = if granted {
            Vec::new()
        } else if meta.is_dir() {
            let mut names =
                fs::read_dir(&full)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<OsString>>>()?;
            names.sort();
            for name in &names {
                self.look_at(&path.join(name), facts)?;
            }
            Vec::new()
        } else if meta.is_symlink() {
            fs::read_link(&full)?.into_os_string().into_encoded_bytes()
        } else {
            fs::read(&full)?
        };
        let time = |seconds: i64, nanoseconds: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds);
        let (modified, changed) = (time(meta.mtime(), meta.mtime_nsec()), time(meta.ctime(), meta.ctime_nsec()));
        let mut seen = (meta.ino(), meta.mode(), meta.nlink(), meta.size(), modified, changed, content);
        if granted {
            // The guest's own changes inside affect these attributes.
            (seen.2, seen.3, seen.4, seen.5) = (0, 0, 0, 0);
        }
        facts.insert(path.to_owned(), seen);
        Ok(())
    }
}
