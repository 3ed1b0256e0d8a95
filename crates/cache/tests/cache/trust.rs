//! Directories and files that somebody else could have written are not used.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode};
use wasmr_cache::{Cache, Content, Unusable};

use crate::support::{KEY, TestCache, fill_of, sections, store};

/// A user that no test runs as.
const STRANGER: u32 = 54321;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn why_not(path: &Path) -> Unusable {
    Cache::open(path).unwrap_err()
}

#[test]
fn a_missing_directory_is_made_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    Cache::open(&dir.path().join("a/b")).unwrap();
    for made in ["a", "a/b"] {
        assert_eq!(fs::metadata(dir.path().join(made)).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_directory_that_others_may_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o777, 0o702, 0o720, 0o1777] {
        set_mode(dir.path(), mode);
        let why = why_not(dir.path());
        assert!(matches!(why, Unusable::WritableByOthers { mode: found } if found == mode), "{why}");
        assert!(why.to_string().contains(&format!("mode is {mode:o}")), "{why}");
    }
    for mode in [0o755, 0o700, 0o500] {
        set_mode(dir.path(), mode);
        assert!(Cache::open(dir.path()).is_ok(), "{mode:o}");
    }
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    // Only root can give a directory away. For everybody else, `/` belongs to somebody else.
    let foreign = if chown(dir.path(), Some(STRANGER), None).is_ok() { dir.path() } else { Path::new("/") };
    let why = why_not(foreign);
    assert!(matches!(why, Unusable::ForeignOwner { .. }), "{why}");
}

#[test]
fn root_makes_no_directory_among_the_files_of_somebody_else() {
    let dir = tempfile::tempdir().unwrap();
    // Only root can give a directory away.
    if chown(dir.path(), Some(STRANGER), None).is_ok() {
        let why = why_not(&dir.path().join("a/b"));
        assert!(matches!(why, Unusable::OtherUsersPlace { owner: STRANGER }), "{why}");
        assert!(!dir.path().join("a").exists());
    }
}

#[test]
fn a_symbolic_link_to_a_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    symlink("real", dir.path().join("link")).unwrap();
    symlink("missing", dir.path().join("dangling")).unwrap();
    for name in ["link", "link/", "link/.", "link//", "dangling"] {
        let why = why_not(&dir.path().join(name));
        assert!(matches!(why, Unusable::SymbolicLink), "{name}: {why}");
    }
    assert!(!dir.path().join("missing").exists());
    // A link above the directory is the user's own business.
    assert!(Cache::open(&dir.path().join("link/cache")).is_ok());
}

#[test]
fn other_things_are_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(why_not(&file), Unusable::NotADirectory));
    assert!(matches!(why_not(&file.join("below")), Unusable::Failed(_)));
    assert!(matches!(why_not(Path::new("")), Unusable::Failed(_)));
}

/// Checks that an entry is not found after a change of its file, and that the next run replaces it.
#[track_caller]
fn assert_distrusted(change: impl FnOnce(&Path)) {
    let test = TestCache::new();
    let content = Content::of(b"module");
    store(&test.cache, &content, 1, 10);
    let path = test.entry();
    change(&path);
    assert!(test.cache.find(&content, KEY).is_none());
    assert!(test.cache.store(&content, KEY, None, &sections(2, 10)).unwrap());
    assert_eq!(fill_of(&test.cache, &content), Some(2));
}

#[test]
fn an_entry_that_others_may_write_is_not_used() {
    assert_distrusted(|path| set_mode(path, 0o622));
    assert_distrusted(|path| set_mode(path, 0o660));
}

#[test]
fn an_entry_that_is_a_symbolic_link_is_not_used() {
    assert_distrusted(|path| {
        let elsewhere = path.with_file_name("elsewhere");
        fs::rename(path, &elsewhere).unwrap();
        symlink(elsewhere, path).unwrap();
    });
}

#[test]
fn an_entry_of_somebody_else_is_not_used() {
    assert_distrusted(|path| {
        if chown(path, Some(STRANGER), None).is_err() {
            // Only root can give a file away.
            fs::remove_file(path).unwrap();
        }
    });
}

#[test]
fn an_entry_that_is_a_fifo_is_not_waited_for() {
    assert_distrusted(|path| {
        fs::remove_file(path).unwrap();
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    });
}

#[test]
fn an_entry_that_is_a_directory_is_neither_used_nor_replaced() {
    let test = TestCache::new();
    let content = Content::of(b"module");
    store(&test.cache, &content, 1, 10);
    let path = test.entry();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(test.cache.find(&content, KEY).is_none());
    assert!(test.cache.store(&content, KEY, None, &sections(2, 10)).is_err());
    assert_eq!(fs::read_dir(test.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn strange_files_in_place_of_the_temporary_one_do_no_harm() {
    let changes: [fn(&Path); 4] = [
        |path| symlink("victim", path).unwrap(),
        |path| rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
        |path| {
            fs::write(path, "of somebody else").unwrap();
            set_mode(path, 0o666);
        },
        |path| fs::File::create(path).unwrap().write_all(&[1; 100_000]).unwrap(),
    ];
    for change in changes {
        let test = TestCache::new();
        let content = Content::of(b"module");
        fs::write(test.path().join("victim"), "unharmed").unwrap();
        store(&test.cache, &content, 1, 10);
        change(&test.entry().with_extension("tmp"));
        assert!(store(&test.cache, &content, 2, 10));
        assert_eq!(fill_of(&test.cache, &content), Some(2));
        assert_eq!(fs::read(test.path().join("victim")).unwrap(), b"unharmed");
        assert!(!test.entry().with_extension("tmp").exists());
    }
}
