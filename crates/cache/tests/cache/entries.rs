//! Entries: found by content and key, and by nothing else; replaced only if nobody else did.

use std::borrow::Cow;
use std::fs;
use std::time::{Duration, SystemTime};

use wasmr_cache::{Builder, Cache, Content};

use crate::support::{KEY, TestCache, age, files, fill_of, sections, store};

#[test]
fn an_entry_is_found_by_content_and_key() {
    let test = TestCache::new();
    let (content, other) = (Content::of(b"module"), Content::of(b"other module"));
    assert!(test.cache.find(&content, KEY).is_none());
    assert!(store(&test.cache, &content, 1, 10));
    assert_eq!(fill_of(&test.cache, &content), Some(1));
    assert!(test.cache.find(&other, KEY).is_none());
    assert!(test.cache.find(&content, b"another key").is_none());
    assert!(test.cache.find(&content, b"").is_none());
    // Another process finds it too.
    assert_eq!(fill_of(&Cache::open(&test.path()).unwrap(), &content), Some(1));
}

#[test]
fn the_code_of_an_entry_can_be_mapped() {
    let test = TestCache::new();
    let content = Content::of(b"module");
    for len in [10, 100_000] {
        store(&test.cache, &content, 1, len);
        let found = test.cache.find(&content, KEY).unwrap();
        let (file, offset, found_len) = found.container.file_range(*b"code").unwrap();
        assert_eq!((offset % 4096, found_len), (0, len));
        assert!(file.metadata().unwrap().len() >= offset + len as u64);
    }
}

#[test]
fn an_entry_under_a_foreign_name_is_not_found() {
    let test = TestCache::new();
    let contents = [Content::of(b"one"), Content::of(b"two")];
    let mut names = Vec::new();
    for (fill, content) in contents.iter().enumerate() {
        store(&test.cache, content, fill as u8, 10);
        names
            .extend(files(&test.path(), ".wasmr").into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
    let [one, two] = &names[..] else { panic!("{names:?}") };
    let aside = test.path().join("aside");
    fs::rename(one, &aside).unwrap();
    fs::rename(two, one).unwrap();
    fs::rename(&aside, two).unwrap();
    assert!(contents.iter().all(|content| test.cache.find(content, KEY).is_none()));
    // The next run replaces such an entry.
    assert!(store(&test.cache, &contents[0], 5, 10));
    assert_eq!(fill_of(&test.cache, &contents[0]), Some(5));
}

#[test]
fn every_damaged_byte_of_an_entry_is_found_and_mended() {
    let test = TestCache::new();
    let content = Content::of(b"module");
    let mut small = Builder::new();
    small.section(*b"data", Cow::Borrowed(b"some data"), false);
    assert!(test.cache.store(&content, KEY, None, &small).unwrap());
    let path = test.entry();
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] = !damaged[at];
        fs::write(&path, &damaged).unwrap();
        assert!(test.cache.find(&content, KEY).is_none(), "{at}");
    }
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        assert!(test.cache.find(&content, KEY).is_none(), "{len}");
    }
    assert!(store(&test.cache, &content, 2, 10), "a damaged entry is no reason to keep it");
    assert_eq!(fill_of(&test.cache, &content), Some(2));
}

#[test]
fn a_damaged_entry_that_was_found_whole_is_replaced() {
    let test = TestCache::new();
    let content = Content::of(b"module");
    store(&test.cache, &content, 1, 10);
    let found = test.cache.find(&content, KEY).unwrap();
    for damaged in [&b""[..], b"short", &[0; 5000]] {
        fs::write(test.entry(), damaged).unwrap();
        assert!(test.cache.store(&content, KEY, Some(&found.id), &sections(2, 10)).unwrap());
        assert_eq!(fill_of(&test.cache, &content), Some(2));
    }
}

#[test]
fn an_entry_that_another_process_stored_stays() {
    let test = TestCache::new();
    let content = Content::of(b"module");
    assert!(test.cache.store(&content, KEY, None, &sections(1, 10)).unwrap());
    assert!(!test.cache.store(&content, KEY, None, &sections(2, 10)).unwrap());
    assert_eq!(fill_of(&test.cache, &content), Some(1));

    let first = test.cache.find(&content, KEY).unwrap().id;
    assert!(test.cache.store(&content, KEY, Some(&first), &sections(3, 10)).unwrap());
    assert!(!test.cache.store(&content, KEY, Some(&first), &sections(4, 10)).unwrap());
    assert_eq!(fill_of(&test.cache, &content), Some(3));

    fs::remove_file(test.entry()).unwrap();
    assert!(test.cache.store(&content, KEY, Some(&first), &sections(5, 10)).unwrap());
    assert_eq!(fill_of(&test.cache, &content), Some(5));
    assert!(files(&test.path(), ".tmp").is_empty());
}

#[test]
fn a_found_entry_outlives_its_file() {
    let test = TestCache::new();
    let content = Content::of(b"module");
    store(&test.cache, &content, 1, 100_000);
    let found = test.cache.find(&content, KEY).unwrap().container;
    store(&test.cache, &content, 2, 100_000);
    test.cache.clean().unwrap();
    assert!(found.section(*b"code").unwrap().iter().all(|byte| *byte == 1));
}

#[test]
fn a_use_renews_the_time_of_an_old_entry() {
    let test = TestCache::new();
    let content = Content::of(b"module");
    store(&test.cache, &content, 1, 10);
    let used = || fs::metadata(test.entry()).unwrap().modified().unwrap();
    let minutes = |count: u64| Duration::from_secs(60 * count);
    age(&test.entry(), minutes(30));
    let before = used();
    test.cache.find(&content, KEY).unwrap();
    assert_eq!(used(), before, "a recent use is not noted again");
    age(&test.entry(), minutes(90));
    test.cache.find(&content, KEY).unwrap();
    assert!(used() > SystemTime::now() - minutes(30));
}

#[test]
fn the_two_reserved_sections_cannot_be_stored() {
    let test = TestCache::new();
    let mut sections = sections(1, 10);
    sections.section(*b"key ", KEY.into(), false);
    let error = test.cache.store(&Content::of(b"module"), KEY, None, &sections).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(fs::read_dir(test.path()).unwrap().next().is_none(), "nothing is left behind");
}
