//! Many threads and processes at once, and processes that die while they write.

use std::fs;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::Barrier;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use wasmr_cache::{Cache, Content};

use crate::support::{KEY, TestCache, child, child_dir, files, fill_of, sections, store};

/// Bytes of a section that takes a while to write.
const LONG: usize = 300_000;

/// Report of a child process. The test harness prints no such byte.
const STORED: &[u8; 1] = b"\x01";

fn content() -> Content {
    Content::of(b"module")
}

#[test]
fn of_many_threads_one_stores() {
    let test = TestCache::new();
    let start = Barrier::new(200);
    let stored: usize = std::thread::scope(|scope| {
        let store = |fill| {
            // Prepared outside, so that the threads meet in `store`.
            let sections = sections(fill, LONG / 10);
            start.wait();
            usize::from(test.cache.store(&content(), KEY, None, &sections).unwrap())
        };
        let threads: Vec<_> = (0..200).map(|fill| scope.spawn(move || store(fill))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(stored, 1);
    assert!(fill_of(&test.cache, &content()).is_some());
    assert_eq!(files(&test.path(), "").len(), 1);
}

#[test]
fn of_many_processes_one_stores() {
    if let Some(dir) = child_dir() {
        let cache = Cache::open(&dir).unwrap();
        let sections = sections(std::process::id() as u8, LONG);
        // Waits until the parent has started all.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        if cache.store(&content(), KEY, None, &sections).unwrap() {
            std::io::stdout().write_all(STORED).unwrap();
        }
        return;
    }
    let test = TestCache::new();
    let start = |_| child("concurrency::of_many_processes_one_stores", &test.path(), None).spawn().unwrap();
    let mut children: Vec<Child> = (0..40).map(start).collect();
    for child in &mut children {
        child.stdin = None;
    }
    let outputs = children.into_iter().map(|child| child.wait_with_output().unwrap());
    let stored = outputs.filter(|output| {
        assert!(output.status.success());
        output.stdout.contains(&STORED[0])
    });
    assert_eq!(stored.count(), 1);
    assert!(fill_of(&test.cache, &content()).is_some());
    assert_eq!(files(&test.path(), "").len(), 1);
}

#[test]
fn writers_and_readers_meet() {
    let test = TestCache::new();
    store(&test.cache, &content(), 0, LONG);
    std::thread::scope(|scope| {
        let (cache, content) = (&test.cache, content());
        for first in 0..4_u8 {
            scope.spawn(move || (0..50).for_each(|round| _ = store(cache, &content, first + 4 * round, LONG)));
        }
        for _ in 0..4 {
            scope.spawn(move || (0..100).for_each(|_| assert!(fill_of(cache, &content).is_some())));
        }
    });
    assert_eq!(files(&test.path(), "").len(), 1);
}

#[test]
fn a_writer_that_dies_leaves_a_whole_entry() {
    if let Some(dir) = child_dir() {
        let cache = Cache::open(&dir).unwrap();
        for fill in (0..=u8::MAX).cycle() {
            store(&cache, &content(), fill, LONG);
            std::io::stdout().write_all(STORED).unwrap();
            std::io::stdout().flush().unwrap();
        }
    }
    let test = TestCache::new();
    for round in 0..40_u64 {
        let mut writer =
            child("concurrency::a_writer_that_dies_leaves_a_whole_entry", &test.path(), None).spawn().unwrap();
        // Until an entry is stored.
        let mut out = writer.stdout.take().unwrap();
        let mut byte = [0];
        while byte != *STORED {
            out.read_exact(&mut byte).unwrap();
        }
        std::thread::sleep(Duration::from_micros(137 * round));
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(fill_of(&test.cache, &content()).is_some());
    }
    assert!(store(&test.cache, &content(), 7, LONG), "the right to write ended with the process");
    assert_eq!(fill_of(&test.cache, &content()), Some(7));
    assert_eq!(files(&test.path(), "").len(), 1);
}

#[test]
fn a_temporary_file_in_use_is_left_alone() {
    let test = TestCache::new();
    store(&test.cache, &content(), 1, 10);
    let path = test.entry().with_extension("tmp");
    let writer = fs::File::create(&path).unwrap();
    (&writer).write_all(b"half").unwrap();
    flock(&writer, FlockOperation::LockExclusive).unwrap();
    let others = Content::of(b"another module");
    assert!(!store(&test.cache, &content(), 2, 10));
    assert!(store(&test.cache, &others, 3, 10));
    assert_eq!(test.cache.clean().unwrap().entries, 2);
    assert_eq!(fs::read(&path).unwrap(), b"half");
    // As if the writer died. A child that another test has forked may still have the file open.
    flock(&writer, FlockOperation::Unlock).unwrap();
    assert!(store(&test.cache, &others, 4, 10));
    assert!(!path.exists(), "the next writer, of whichever entry, removes it");
}
