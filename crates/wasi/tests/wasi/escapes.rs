//! The escape matrix: hostile paths × calls × makers of the links. Whatever a call returns, it must not open, describe or
//! change a file outside the granted directory.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use wasmr_wasi::Errno;
use wasmr_wasi::rights::FD_FILESTAT_GET;

use crate::support::{ALL, CREAT, DIRECTORY, EXCL, Guest, READ, ROOT, TRUNC, WRITE};

/// Relative link targets that lead out, by link name. A guest may make all of these.
const LINKS: [(&str, &str); 12] = [
    ("up", ".."),
    ("up_slash", "../"),
    ("up_dot", "../."),
    ("out", "../outside"),
    ("out_slash", "../outside/"),
    ("out_file", "../outside/secret"),
    ("deep", "d/../../outside"),
    ("again", "out"),
    ("thrice", "again"),
    ("new_out", "../outside/new"),
    ("d/up2", "../../outside"),
    ("d/up2_file", "../../outside/secret"),
];

/// Continuations of a path after a link.
const TAILS: [&str; 9] = ["", "/", "//", "/.", "/..", "/secret", "/secret/", "/new", "/d/inner"];

/// Beginnings of a path before a link.
const HEADS: [&str; 4] = ["", "./", "d/../", "self/"];

/// Paths that need no link.
const PLAIN: [&str; 12] = [
    "..",
    "../",
    "../.",
    "../outside",
    "../outside/secret",
    "../outside/new",
    "d/../..",
    "d/../../outside/secret",
    "./.././outside/secret",
    "self/../outside/secret",
    "d/./.././../outside",
    "../root/f",
];

/// A granted directory `root` beside a directory `outside`, which must not change.
struct World {
    temp: tempfile::TempDir,
    guest: Guest,
    /// Everything outside, for the comparison after each call.
    before: BTreeMap<PathBuf, String>,
    /// The files and directories outside, by identity.
    outside: BTreeSet<(u64, u64)>,
}

impl World {
    fn new(guest_makes_links: bool) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path();
        for dir in ["root/d", "outside/d"] {
            std::fs::create_dir_all(base.join(dir)).unwrap();
        }
        for (file, contents) in [("root/f", "mine"), ("outside/secret", "SECRET"), ("outside/d/inner", "INNER")] {
            std::fs::write(base.join(file), contents).unwrap();
        }
        symlink(".", base.join("root/self")).unwrap();
        // The guest cannot make these two.
        symlink(base.join("outside"), base.join("root/abs")).unwrap();
        symlink(base.join("outside/secret"), base.join("root/abs_file")).unwrap();
        let mut guest = Guest::in_dir(&base.join("root"));
        for (name, target) in LINKS {
            if guest_makes_links {
                guest.symlink(target, name).unwrap();
            } else {
                symlink(target, base.join("root").join(name)).unwrap();
            }
        }
        let (before, outside) = snapshot(base);
        World { temp, guest, before, outside }
    }

    /// Fails if anything outside has changed.
    fn check(&self, what: &str) {
        assert_eq!(snapshot(self.temp.path()).0, self.before, "changed outside: {what}");
    }

    /// Fails if `stat` describes something outside.
    fn check_identity(&self, (dev, ino): (u64, u64), what: &str) {
        assert!(!self.outside.contains(&(dev, ino)), "reached outside: {what}");
    }
}

/// Returns everything in `base` except below `root`, with contents, times and links, and the identities of these files.
fn snapshot(base: &Path) -> (BTreeMap<PathBuf, String>, BTreeSet<(u64, u64)>) {
    let mut all = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut left = vec![base.to_path_buf(), base.join("..").canonicalize().unwrap()];
    let temp_parent = left[1].clone();
    while let Some(path) = left.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        ids.insert((meta.dev(), meta.ino()));
        if path == temp_parent {
            continue; // Other tests change it, so only its identity is compared.
        }
        let contents = if meta.is_file() { std::fs::read_to_string(&path).unwrap() } else { String::new() };
        all.insert(
            path.clone(),
            format!(
                "{} {} {} {} {} {contents}",
                meta.ino(),
                meta.mode(),
                meta.nlink(),
                meta.mtime(),
                meta.mtime_nsec()
            ),
        );
        if meta.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            left.extend(entries.filter(|path| *path != base.join("root")));
        }
    }
    (all, ids)
}

/// Returns all paths of the matrix.
fn paths() -> Vec<String> {
    let names = LINKS.iter().map(|(name, _)| *name).chain(["abs", "abs_file"]);
    let linked = names.flat_map(|name| {
        HEADS.iter().flat_map(move |head| TAILS.iter().map(move |tail| format!("{head}{name}{tail}")))
    });
    PLAIN.iter().map(|path| (*path).to_string()).chain(linked).collect()
}

/// Opens `path` with all relevant flags and rights. A file that opens must be inside.
fn try_open(world: &mut World, path: &str) {
    for oflags in [0, DIRECTORY, CREAT, CREAT | EXCL, TRUNC, CREAT | TRUNC] {
        for base in [READ | FD_FILESTAT_GET, READ | WRITE | FD_FILESTAT_GET] {
            for follow in [false, true] {
                let what = format!("open {path} {oflags:#x} {base:#x} {follow}");
                if let Ok(fd) = world.guest.open_full(ROOT, follow, path.as_bytes(), oflags, (base, ALL), 0) {
                    let stat = world.guest.fd_stat(fd).unwrap();
                    world.check_identity((stat.dev, stat.ino), &what);
                    world.guest.close(fd).unwrap();
                }
                world.check(&what);
            }
        }
    }
}

/// Makes every call that changes nothing.
fn try_looking(world: &mut World, path: &str) {
    for follow in [false, true] {
        if let Ok(stat) = world.guest.stat_from(ROOT, path, follow) {
            world.check_identity((stat.dev, stat.ino), &format!("stat {path} {follow}"));
        }
    }
    if let Ok(target) = world.guest.readlink(path, 4096) {
        assert!(!target.starts_with('/'), "readlink {path} revealed a host path");
    }
}

/// Makes one of the calls that change something, by number. Returns `None` past the last.
fn change(guest: &mut Guest, number: usize, path: &str) -> Option<Result<(), Errno>> {
    Some(match number {
        0 => guest.set_times(path, false, 1, 1, 5),
        1 => guest.set_times(path, true, 1, 1, 5),
        2 => guest.mkdir(path),
        3 => guest.symlink("x", path),
        4 => guest.link("f", path),
        5 => guest.link(path, "linked"),
        6 => guest.rename("f", path),
        7 => guest.rename("d", path),
        8 => guest.rename(path, "renamed"),
        9 => guest.rmdir(path),
        10 => guest.unlink(path),
        _ => return None,
    })
}

fn run_matrix(guest_makes_links: bool) {
    let mut cases = 0;
    let mut world = World::new(guest_makes_links);
    for path in paths() {
        try_looking(&mut world, &path);
        try_open(&mut world, &path);
        cases += 15;
        for number in 0.. {
            let Some(result) = change(&mut world.guest, number, &path) else { break };
            cases += 1;
            let what = format!("change {number} of {path}: {result:?}");
            world.check(&what);
            if result.is_ok() {
                // A file that was linked or moved in must be from inside.
                for name in ["linked", "renamed"] {
                    if let Ok(stat) = world.guest.lstat(name) {
                        world.check_identity((stat.dev, stat.ino), &what);
                    }
                }
                world = World::new(guest_makes_links);
            }
        }
    }
    assert!(cases > 10_000, "{cases} cases");
}

#[test]
fn nothing_escapes_through_links_that_were_there() {
    run_matrix(false);
}

#[test]
fn nothing_escapes_through_links_the_guest_made() {
    run_matrix(true);
}

#[test]
fn a_directory_that_turns_into_a_link_and_back_does_not_let_out() {
    turns_into(|_| "../outside".into());
}

#[test]
fn a_directory_that_turns_into_an_absolute_link_and_back_does_not_let_out() {
    // The target begins with the path of the granted directory, so that expansion continues from there.
    turns_into(|temp| temp.join("root/../outside"));
}

fn turns_into(target: impl FnOnce(&Path) -> PathBuf) {
    use std::sync::atomic::{AtomicBool, Ordering};
    let temp = tempfile::tempdir().unwrap();
    for dir in ["root/swap", "root/real", "outside"] {
        std::fs::create_dir_all(temp.path().join(dir)).unwrap();
    }
    std::fs::write(temp.path().join("outside/name"), "SECRET").unwrap();
    std::fs::write(temp.path().join("root/swap/name"), "mine").unwrap();
    symlink(target(&temp.path().canonicalize().unwrap()), temp.path().join("root/link")).unwrap();
    let root = temp.path().join("root");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (from, to) in [("swap", "aside"), ("link", "swap"), ("swap", "link"), ("aside", "swap")] {
                    std::fs::rename(root.join(from), root.join(to)).unwrap();
                }
            }
        });
        let mut guest = Guest::in_dir(&root);
        let mut opened = 0;
        let end = std::time::Instant::now() + std::time::Duration::from_secs(2);
        while std::time::Instant::now() < end {
            if let Ok(contents) = guest.contents("swap/name") {
                assert_eq!(contents, b"mine");
                opened += 1;
            }
            for path in ["swap/new", "swap/new2"] {
                if let Ok(fd) = guest.open(path, CREAT, WRITE) {
                    guest.close(fd).unwrap();
                }
                let _ = guest.rename(path, "swap/moved");
                let _ = guest.mkdir("swap/dir");
                let _ = guest.rmdir("swap/dir");
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(opened > 0, "the guest never saw its file");
    });
    let names: Vec<_> =
        std::fs::read_dir(temp.path().join("outside")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["name"], "nothing was made outside");
}
