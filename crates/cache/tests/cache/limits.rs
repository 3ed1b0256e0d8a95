//! The size of a cache: entries least recently used go first, and `clean` removes what is the cache's.

use std::fs;
use std::time::Duration;

use wasmr_cache::{Cache, Content, DEFAULT_MAX_BYTES};

use crate::support::{KEY, TestCache, age, files, fill_of, sections, store};

/// Bytes of an entry with two sections of 10 bytes, one of which has pages of its own.
const ENTRY: u64 = 4096 + 4096 + 10;

fn content(number: u8) -> Content {
    Content::of(&[number])
}

/// Stores an entry, and returns its path.
fn stored(test: &TestCache, number: u8) -> std::path::PathBuf {
    let before = files(&test.path(), ".wasmr");
    assert!(store(&test.cache, &content(number), number, 10));
    files(&test.path(), ".wasmr").into_iter().find(|path| !before.contains(path)).unwrap()
}

#[test]
fn the_size_is_that_of_the_entries() {
    let test = TestCache::new();
    let info = test.cache.info().unwrap();
    assert_eq!((info.entries, info.bytes, info.max_bytes), (0, 0, DEFAULT_MAX_BYTES));
    assert_eq!(info.dir, test.path());
    stored(&test, 1);
    stored(&test, 2);
    fs::write(test.path().join("foreign"), [0; 1000]).unwrap();
    let info = test.cache.info().unwrap();
    assert_eq!((info.entries, info.bytes), (2, 2 * ENTRY));
}

#[test]
fn entries_least_recently_used_are_removed() {
    let test = TestCache::with(|cache| cache.with_max_bytes(3 * ENTRY + 100));
    for number in 1..=3 {
        let path = stored(&test, number);
        age(&path, Duration::from_secs(86400 * (10 - u64::from(number))));
    }
    // A use makes the oldest the newest.
    test.cache.find(&content(1), KEY).unwrap();
    stored(&test, 4);
    let left = |number| fill_of(&test.cache, &content(number)).is_some();
    assert_eq!([1, 2, 3, 4].map(left), [true, false, true, true]);
    assert!(test.cache.info().unwrap().bytes <= 3 * ENTRY + 100);
}

#[test]
fn the_entry_just_stored_stays() {
    let test = TestCache::with(|cache| cache.with_max_bytes(ENTRY + 100));
    let path = stored(&test, 1);
    // By a clock that is wrong, the older one will be used next week.
    let next_week = std::time::SystemTime::now() + Duration::from_secs(7 * 86400);
    fs::File::open(&path).unwrap().set_modified(next_week).unwrap();
    stored(&test, 2);
    assert_eq!(files(&test.path(), ".wasmr").len(), 1);
    assert!(fill_of(&test.cache, &content(2)).is_some());
}

#[test]
fn an_entry_larger_than_the_cache_is_not_stored() {
    let test = TestCache::with(|cache| cache.with_max_bytes(2 * ENTRY));
    stored(&test, 1);
    assert!(!test.cache.store(&content(2), KEY, None, &sections(2, 20_000)).unwrap());
    assert!(fill_of(&test.cache, &content(1)).is_some());
    assert_eq!(files(&test.path(), "").len(), 1);
}

#[test]
fn the_number_of_entries_is_limited() {
    let test = TestCache::new();
    let kept = stored(&test, 1);
    age(&kept, Duration::from_secs(60));
    let old = test.path().join("old");
    fs::write(&old, "").unwrap();
    age(&old, Duration::from_secs(3600));
    for number in 0..8200_u32 {
        // A link is made faster than a file.
        fs::hard_link(&old, test.path().join(format!("{number:064x}.wasmr"))).unwrap();
    }
    assert!(store(&test.cache, &content(2), 2, 10));
    assert_eq!(test.cache.info().unwrap().entries, 8192);
    assert!([1, 2].into_iter().all(|number| fill_of(&test.cache, &content(number)).is_some()));
}

#[test]
fn clean_removes_what_is_the_caches() {
    let test = TestCache::new();
    let entry = stored(&test, 1);
    stored(&test, 2);
    fs::write(entry.with_extension("tmp"), "of a dead process").unwrap();
    for foreign in ["foreign", "foreign.wasmr", "foreign.tmp"] {
        fs::write(test.path().join(foreign), "").unwrap();
    }
    let removed = test.cache.clean().unwrap();
    assert_eq!((removed.entries, removed.bytes), (2, 2 * ENTRY));
    let left: Vec<_> = files(&test.path(), "").iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(left, ["foreign", "foreign.tmp", "foreign.wasmr"]);
    assert_eq!(test.cache.clean().unwrap().entries, 0);
    assert_eq!(Cache::open(&test.path()).unwrap().info().unwrap().bytes, 0);
}
