//! Entries that are damaged, torn or foreign are as if they were not there, and are replaced.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Bed, Guest, Random, files, rounds, stat};

/// Runs with a healthy cache, and returns the entries with their bytes.
fn fill(bed: &Bed, guest: &Guest) -> Vec<(PathBuf, Vec<u8>)> {
    guest.check(|| bed.run(&["--mode", "jit"]), "the first time");
    bed.settle();
    // The second call needs functions that the first did not.
    guest.check(|| bed.run(&["--mode", "jit"]), "the second time");
    bed.settle();
    let entries: Vec<_> = bed.entries().into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert_eq!(entries.len(), 2);
    assert_eq!(loaded(bed, guest), 2, "healthy entries are used");
    entries
}

/// Returns the number of modules that a run finds in the cache.
fn loaded(bed: &Bed, guest: &Guest) -> u64 {
    let mut command = bed.run(&["--mode", "jit", "--stats=json"]);
    guest.start_words(&mut command, &["run", "3000"]);
    let end = crate::support::End::of(command.output().unwrap());
    assert_eq!(end.stdout, guest.expected()[0].stdout);
    bed.settle();
    stat(&end, "cached_modules")
}

/// Restores the entries, changes one of them, and checks the next runs.
#[track_caller]
fn check(bed: &Bed, guest: &Guest, entries: &[(PathBuf, Vec<u8>)], what: &str, change: impl FnOnce(&Path)) {
    for (path, bytes) in entries {
        let new = path.with_extension("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, path).unwrap();
    }
    change(&entries[0].0);
    assert_eq!(loaded(bed, guest), 1, "{what}: the other entry alone is used");
    guest.check(|| bed.run(&["--mode", "jit"]), what);
    bed.settle();
    assert_eq!(loaded(bed, guest), 2, "{what}: the entry is replaced");
}

/// Returns the offsets in a container of the bytes to change: each of the header and of the section table, and the first, middle and last
/// one of each section.
fn places(bytes: &[u8]) -> Vec<usize> {
    let number = |at: usize, len: usize| {
        bytes[at..at + len].iter().rev().fold(0usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let (header, row) = (48, 24);
    let count = number(44, 4);
    assert!((4..100).contains(&count), "{count} sections");
    // One byte of each field: magic number, version, checksum, count; name, alignment, offset and length of each row.
    let mut places = vec![0, 8, 12, 43, 44];
    for start in (0..count).map(|index| header + index * row) {
        places.extend([start, start + 4, start + 8, start + 16]);
        let (offset, len) = (number(start + 8, 8), number(start + 16, 8));
        if len > 0 {
            places.extend([offset, offset + len / 2, offset + len - 1]);
        }
    }
    assert!(*places.iter().max().unwrap() < bytes.len());
    places
}

#[test]
fn flipped_bits() {
    let bed = Bed::new();
    let guest = bed.guest();
    let entries = fill(&bed, &guest);
    for (at, bit) in places(&entries[0].1).into_iter().zip((0..8).cycle()) {
        check(&bed, &guest, &entries, &format!("bit {bit} of byte {at}"), |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[at] ^= 1 << bit;
            fs::write(path, bytes).unwrap();
        });
    }
    for seed in rounds().skip(1) {
        let mut random = Random(seed);
        let (at, bit) = (random.below(entries[0].1.len() as u64) as usize, random.below(8));
        check(&bed, &guest, &entries, &format!("bit {bit} of byte {at}"), |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[at] ^= 1 << bit;
            fs::write(path, bytes).unwrap();
        });
    }
}

#[test]
fn torn_and_foreign_entries() {
    let bed = Bed::new();
    let guest = bed.guest();
    let entries = fill(&bed, &guest);
    let len = entries[0].1.len();
    for kept in [0, 1, 47, 48, 100, len / 2, len - 1] {
        check(&bed, &guest, &entries, &format!("cut off after {kept} bytes"), |path| {
            fs::write(path, &entries[0].1[..kept]).unwrap();
        });
    }
    check(&bed, &guest, &entries, "a byte more", |path| {
        fs::write(path, [&entries[0].1[..], &[0]].concat()).unwrap();
    });
    check(&bed, &guest, &entries, "zeros", |path| fs::write(path, vec![0; len]).unwrap());
    check(&bed, &guest, &entries, "the entry of another module", |path| fs::write(path, &entries[1].1).unwrap());
    check(&bed, &guest, &entries, "a symbolic link", |path| {
        let elsewhere = bed.path().join("elsewhere");
        fs::rename(path, &elsewhere).unwrap();
        symlink(elsewhere, path).unwrap();
    });
    for mode in [0o660, 0o602] {
        check(&bed, &guest, &entries, &format!("mode {mode:o}"), |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        });
    }
    check(&bed, &guest, &entries, "another user's file", |path| {
        // Only root can give a file away. To everybody else, the file is removed instead.
        if chown(path, Some(54321), None).is_err() {
            fs::remove_file(path).unwrap();
        }
    });
    // A directory stands in the way for good, and does no other harm.
    fs::remove_file(&entries[0].0).unwrap();
    fs::create_dir(&entries[0].0).unwrap();
    guest.check(|| bed.run(&["--mode", "jit"]), "a directory in place of an entry");
    bed.settle();
    assert!(files(&bed.cache(), "tmp").is_empty());
}

#[test]
fn damaged_records_of_files() {
    let bed = Bed::new();
    let guest = bed.guest();
    // Until the modules count as settled.
    std::thread::sleep(std::time::Duration::from_millis(3100));
    fill(&bed, &guest);
    let folder = bed.cache().join("files");
    let records: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!records.is_empty());
    for record in &records {
        let bytes = fs::read(record).unwrap();
        for at in (0..bytes.len()).step_by(13) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            fs::write(record, &damaged).unwrap();
            guest.check(|| bed.run(&["--mode", "jit"]), &format!("byte {at} of a record"));
        }
    }
    // The record of the one module has the place of the other's.
    for (from, to) in records.iter().zip(records.iter().skip(1)) {
        fs::copy(from, to).unwrap();
        guest.check(|| bed.run(&["--mode", "jit"]), "the record of another file");
    }
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    guest.check(|| bed.run(&["--mode", "jit"]), "a file in place of the folder");
    bed.settle();
}
