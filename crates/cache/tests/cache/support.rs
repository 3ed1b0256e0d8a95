//! Entries to store, their files, and child processes.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use wasmr_cache::{Builder, Cache, Content};

/// Key of the entries in tests.
pub(crate) const KEY: &[u8] = b"a build, a processor";

/// Variable that makes a test act as a child process: it names the directory of the cache.
const CHILD: &str = "WASMR_TEST_CACHE";

/// A cache in a directory of its own.
pub(crate) struct TestCache {
    pub(crate) cache: Cache,
    dir: tempfile::TempDir,
}

impl TestCache {
    pub(crate) fn new() -> TestCache {
        TestCache::with(|cache| cache)
    }

    pub(crate) fn with(change: impl FnOnce(Cache) -> Cache) -> TestCache {
        let dir = tempfile::tempdir().unwrap();
        let cache = change(Cache::open(&dir.path().join("cache")).unwrap());
        TestCache { cache, dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// Returns the path of the only entry.
    pub(crate) fn entry(&self) -> PathBuf {
        let entries = files(&self.path(), ".wasmr");
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.into_iter().next().unwrap()
    }
}

/// Returns the files in a directory whose names have this ending, sorted.
pub(crate) fn files(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect();
    files.sort();
    files
}

/// Returns sections that are all filled with one number.
pub(crate) fn sections(fill: u8, len: usize) -> Builder<'static> {
    let mut builder = Builder::new();
    builder.section(*b"code", Cow::Owned(vec![fill; len]), true);
    builder.section(*b"data", Cow::Owned(vec![fill; len]), false);
    builder
}

/// Stores sections filled with a number, in place of the entry that is there.
pub(crate) fn store(cache: &Cache, content: &Content, fill: u8, len: usize) -> bool {
    let found = cache.find(content, KEY).map(|found| found.id);
    cache.store(content, KEY, found.as_ref(), &sections(fill, len)).unwrap()
}

/// Returns the number that fills the sections of an entry, and fails if they are not whole.
#[track_caller]
pub(crate) fn fill_of(cache: &Cache, content: &Content) -> Option<u8> {
    let container = cache.find(content, KEY)?.container;
    let (code, data) = (container.section(*b"code").unwrap(), container.section(*b"data").unwrap());
    let fill = code[0];
    assert!(code.len() == data.len() && code.iter().chain(data).all(|byte| *byte == fill), "a torn entry was found");
    Some(fill)
}

/// Sets the modification time of a file to the past.
pub(crate) fn age(path: &Path, by: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - by).unwrap();
}

/// Returns the directory of the cache if this process is a child that a test started.
pub(crate) fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Returns a command that executes the test of this name in a process of its own. If `limit` is set, the process cannot make files of more
/// than so many kibibytes.
pub(crate) fn child(test: &str, dir: &Path, limit: Option<u32>) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = match limit {
        // A write beyond the limit then fails, and does not end the process. POSIX counts in units of 512 bytes.
        Some(limit) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("trap '' XFSZ && ulimit -f {} && exec \"$@\"", 2 * limit), "sh"]).arg(program);
            shell
        }
        None => Command::new(program),
    };
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}
