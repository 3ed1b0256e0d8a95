//! Disks that are full or cannot be written: nothing is left behind, and the previous entry stays.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use wasmr_cache::{Cache, Content};

use crate::support::{KEY, TestCache, child, child_dir, files, fill_of, sections, store};

/// Checks that the entry with the number 1 stays if there is no space for a large one.
fn assert_fails_cleanly(cache: &Cache, dir: &Path) {
    let content = Content::of(b"module");
    let found = cache.find(&content, KEY).map(|found| found.id);
    assert!(cache.store(&content, KEY, found.as_ref(), &sections(2, 2 << 20)).is_err());
    assert_eq!(fill_of(cache, &content), Some(1));
    assert!(cache.store(&Content::of(b"another"), KEY, None, &sections(2, 2 << 20)).is_err());
    assert_eq!(files(dir, "").len(), 1);
}

#[test]
fn a_limit_on_file_sizes_leaves_nothing_behind() {
    if let Some(dir) = child_dir() {
        return assert_fails_cleanly(&Cache::open(&dir).unwrap(), &dir);
    }
    let test = TestCache::new();
    store(&test.cache, &Content::of(b"module"), 1, 10);
    let child = child("full::a_limit_on_file_sizes_leaves_nothing_behind", &test.path(), Some(100)).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A file system in memory, which only root can make.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        unmount(self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    if mount("none", dir.path(), "tmpfs", MountFlags::empty(), c"size=1m,mode=700").is_err() {
        // The test above fails writes without a privilege.
        return;
    }
    let _mounted = Mounted(dir.path());
    let cache = Cache::open(dir.path()).unwrap();
    let content = Content::of(b"module");
    store(&cache, &content, 1, 10);
    assert_fails_cleanly(&cache, dir.path());

    mount_remount(dir.path(), MountFlags::RDONLY, c"").unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    assert_fails_cleanly(&cache, dir.path());
    assert!(cache.clean().is_err());
}

#[test]
fn a_directory_that_was_removed_is_an_error() {
    let test = TestCache::new();
    fs::remove_dir(test.path()).unwrap();
    let content = Content::of(b"module");
    assert!(test.cache.store(&content, KEY, None, &sections(1, 10)).is_err());
    assert!(test.cache.find(&content, KEY).is_none());
    assert_eq!(test.cache.info().unwrap().entries, 0);
    assert_eq!(test.cache.clean().unwrap().entries, 0);
}
