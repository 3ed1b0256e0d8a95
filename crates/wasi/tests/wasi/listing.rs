//! `fd_readdir`: cookies, cut entries, and the entries of a directory.

use crate::support::{ALL_BUT_WRITE, DATA, DIRECTORY, Entry, Guest, MEMORY, OUT, READ, ROOT, alone, proc_status};

fn names(entries: &[Entry]) -> Vec<&str> {
    let mut names: Vec<_> = entries.iter().map(|e| e.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn entries_have_names_types_and_inodes() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    let (entries, used) = guest.readdir_once(ROOT, 4096, 0).unwrap();
    assert_eq!(names(&entries), [".", ".."]);
    assert_eq!(used, 24 + 1 + 24 + 2);
    let own = guest.stat(".").unwrap().ino;
    assert_eq!((entries[0].ino, entries[1].ino), (own, own), "nothing is above a granted directory");

    guest.create("file", b"");
    guest.mkdir("dir").unwrap();
    guest.symlink("file", "link").unwrap();
    let (entries, _) = guest.readdir_once(ROOT, 4096, 0).unwrap();
    assert_eq!(names(&entries), [".", "..", "dir", "file", "link"]);
    for entry in &entries[2..] {
        let stat = guest.lstat(&entry.name).unwrap();
        assert_eq!((entry.ino, entry.filetype), (stat.ino, stat.filetype), "{}", entry.name);
    }
    let sub = guest.open("dir", DIRECTORY, ALL_BUT_WRITE).unwrap();
    let (entries, _) = guest.readdir_once(sub, 4096, 0).unwrap();
    assert_eq!(entries[1].ino, own, "the parent of a directory below");
    let unasked = guest.open("dir", DIRECTORY, READ).unwrap();
    assert_eq!(guest.readdir_once(unasked, 4096, 0).unwrap().0.len(), 2, "listing needs no requested right");
}

#[test]
fn cookies_lead_on_and_the_end_is_short() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    for i in 0..1000 {
        std::fs::write(dir.path().join(format!("file.{i}")), "").unwrap();
    }
    for buf_len in [64, 256, 4096, 65536] {
        let (mut cookie, mut all) = (0, Vec::new());
        loop {
            let (entries, used) = guest.readdir_once(ROOT, buf_len, cookie).unwrap();
            assert!(used <= buf_len);
            cookie = entries.last().map_or(cookie, |e| e.next);
            all.extend(entries);
            if used < buf_len {
                break;
            }
        }
        let mut names = names(&all);
        names.dedup();
        assert_eq!((all.len(), names.len()), (1002, 1002), "buffer of {buf_len}");
        assert_eq!(guest.readdir_once(ROOT, buf_len, cookie), Ok((vec![], 0)));
    }
    for cookie in [1003, u64::from(u32::MAX), u64::MAX] {
        assert_eq!(guest.readdir_once(ROOT, 4096, cookie), Ok((vec![], 0)));
    }
}

#[test]
fn deleting_while_reading_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    for i in 0..500 {
        std::fs::write(dir.path().join(format!("f{i}")), "").unwrap();
    }
    let (mut cookie, mut seen) = (0, 0);
    loop {
        let (entries, used) = guest.readdir_once(ROOT, 512, cookie).unwrap();
        for entry in entries.iter().filter(|e| e.filetype == 4) {
            guest.unlink(&entry.name).unwrap();
            seen += 1;
        }
        cookie = entries.last().map_or(cookie, |e| e.next);
        if used < 512 {
            break;
        }
    }
    assert_eq!(seen, 500);
    assert_eq!(guest.readdir_once(ROOT, 512, 0).unwrap().0.len(), 2, "cookie 0 reads it again");
}

#[test]
fn the_buffer_is_filled_to_the_byte_and_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    std::fs::write(dir.path().join("name"), "").unwrap();
    let whole = 25 + 26 + 28;
    guest.readdir_once(ROOT, 4096, 0).unwrap();
    let full = guest.bytes(DATA, whole).to_vec();
    for buf_len in 0..whole + 8 {
        guest.put(DATA, &[0xaa; 128]);
        guest.call("fd_readdir", &[ROOT.into(), DATA.into(), buf_len.into(), 0, OUT.into()]).unwrap();
        let used = buf_len.min(whole);
        assert_eq!(guest.u32(OUT), used);
        assert_eq!(guest.bytes(DATA, used), &full[..used as usize]);
        assert_eq!(guest.bytes(DATA + used, 4), [0xaa; 4]);
    }
    assert_eq!(full[21..24], [0, 0, 0], "padding is zero");
    let end = MEMORY as u32;
    for (buf, len) in [(end - 8, 9), (end, 1), (0, u32::MAX), (u32::MAX, u32::MAX)] {
        let slots = [ROOT.into(), buf.into(), len.into(), 0, OUT.into()];
        guest.fault("fd_readdir", &slots);
    }
}

#[test]
fn many_descriptors_on_one_directory_read_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    for i in 0..20 {
        std::fs::write(dir.path().join(format!("f{i:02}")), "").unwrap();
    }
    let fds: Vec<u32> = (0..50).map(|_| guest.open(".", DIRECTORY, ALL_BUT_WRITE).unwrap()).collect();
    let mut firsts = Vec::new();
    for &fd in &fds {
        firsts.push(guest.readdir_once(fd, 128, 0).unwrap().0);
    }
    std::fs::write(dir.path().join("late"), "").unwrap();
    for (&fd, first) in fds.iter().zip(&firsts) {
        let cookie = first.last().unwrap().next;
        let (rest, _) = guest.readdir_once(fd, 8192, cookie).unwrap();
        assert_eq!(first.len() + rest.len(), 22, "the directory as it was at cookie 0");
    }
}

#[test]
fn many_listings_of_a_huge_directory_are_not_all_kept() {
    alone("listing::many_listings_of_a_huge_directory_are_not_all_kept", || {
        let dir = tempfile::tempdir().unwrap();
        let mut guest = Guest::in_dir(dir.path());
        for i in 0..10_000 {
            std::fs::write(dir.path().join(format!("{i:0200}")), "").unwrap();
        }
        // Each listing takes about 2.5 MB: 250 MB if the host kept all.
        let fds: Vec<u32> = (0..100).map(|_| guest.open(".", DIRECTORY, ALL_BUT_WRITE).unwrap()).collect();
        let before = proc_status("VmHWM:");
        for &fd in &fds {
            guest.readdir_once(fd, 4096, 0).unwrap();
        }
        let grown = proc_status("VmHWM:") - before;
        assert!(grown < 64 << 10, "{grown} KiB more");
        let (entries, _) = guest.readdir_once(fds[0], 4096, 5_000).unwrap();
        assert_eq!(entries[0].next, 5_001, "a forgotten listing is read again");
    });
}
