//! Paths below a directory: the sandbox, read-only grants, listings.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::{FOLLOW, NO_FLAGS, READ, WRITE, built, host_dir, in_dir, open};
use crate::ctx::WasiCtx;
use crate::p2::filesystem::ErrorCode::{self, *};
use crate::p2::filesystem::descriptor::{get_directories, metadata_hash};
use crate::p2::filesystem::listing::{read_directory, read_directory_entry};
use crate::p2::filesystem::paths::*;
use crate::p2::filesystem::types::{DescriptorFlags, DescriptorType, NewTimestamp, OpenFlags, PathFlags};

#[test]
fn no_path_leaves_the_directory() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    let dir = outside.path().join("granted");
    fs::create_dir(&dir).unwrap();
    symlink("../secret", dir.join("link")).unwrap();
    symlink(outside.path().join("secret"), dir.join("absolute")).unwrap();
    symlink("..", dir.join("up")).unwrap();
    let (mut ctx, root) = in_dir(&dir, false);
    let absolute = outside.path().join("secret");
    for path in ["../secret", "link", "up/secret", "absolute", absolute.to_str().unwrap(), "x/../../secret"] {
        let error = open(&mut ctx, root, path, OpenFlags::empty(), READ).map(drop).unwrap_err();
        assert!(matches!(error, NotPermitted | NoEntry), "{path}: {error:?}");
        let error = stat_at(&mut ctx, root, FOLLOW, path.into()).unwrap().unwrap_err();
        assert!(matches!(error, NotPermitted | NoEntry), "{path}: {error:?}");
    }
    assert_eq!(rename_at(&mut ctx, root, "../secret".into(), root, "mine".into()).unwrap(), Err(NotPermitted));
    assert_eq!(link_at(&mut ctx, root, NO_FLAGS, "../secret".into(), root, "mine".into()).unwrap(), Err(NotPermitted));
    assert_eq!(unlink_file_at(&mut ctx, root, "up/secret".into()).unwrap(), Err(NotPermitted));
    assert_eq!(symlink_at(&mut ctx, root, "/etc/passwd".into(), "mine".into()).unwrap(), Err(NotPermitted));
    assert_eq!(readlink_at(&mut ctx, root, "absolute".into()).unwrap(), Err(NotPermitted));
    assert_eq!(readlink_at(&mut ctx, root, "link".into()).unwrap().as_deref(), Ok("../secret"));
    for (path, code) in
        [("", NoEntry), ("a\0b", Invalid), (&*"x".repeat(5000), NameTooLong), ("n/".repeat(99).as_str(), NoEntry)]
    {
        assert_eq!(stat_at(&mut ctx, root, FOLLOW, path.into()).unwrap().map(drop), Err(code), "{path}");
    }
    assert_eq!(fs::read(absolute).unwrap(), b"s");
}

#[test]
fn files_and_directories_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    assert_eq!(create_directory_at(&mut ctx, root, "d/".into()).unwrap(), Ok(()));
    assert_eq!(create_directory_at(&mut ctx, root, "d".into()).unwrap(), Err(Exist));
    let file = open(&mut ctx, root, "d/f", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, WRITE).unwrap();
    assert_eq!(open(&mut ctx, root, "d/f", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, WRITE).map(drop), Err(Exist));
    assert_eq!(open(&mut ctx, root, "d/f", OpenFlags::DIRECTORY, READ).map(drop), Err(NotDirectory));
    assert_eq!(open(&mut ctx, root, "d/f/", OpenFlags::empty(), READ).map(drop), Err(NotDirectory));
    assert_eq!(open(&mut ctx, root, "d", OpenFlags::empty(), WRITE).map(drop), Err(IsDirectory));
    assert_eq!(link_at(&mut ctx, root, NO_FLAGS, "d/f".into(), root, "g".into()).unwrap(), Ok(()));
    assert_eq!(link_at(&mut ctx, root, FOLLOW, "d/f".into(), root, "h".into()).unwrap(), Err(Invalid));
    assert_eq!(stat_at(&mut ctx, root, NO_FLAGS, "g".into()).unwrap().map(|stat| stat.link_count), Ok(2));
    assert_eq!(symlink_at(&mut ctx, root, "d/f".into(), "s".into()).unwrap(), Ok(()));
    let kinds = [(NO_FLAGS, DescriptorType::SymbolicLink), (FOLLOW, DescriptorType::RegularFile)];
    for (flags, kind) in kinds {
        assert_eq!(stat_at(&mut ctx, root, flags, "s".into()).unwrap().map(|stat| stat.r#type), Ok(kind));
    }
    let hash = metadata_hash(&mut ctx, file.borrow()).unwrap();
    assert_eq!(metadata_hash_at(&mut ctx, root, FOLLOW, "s".into()).unwrap(), hash);
    assert_eq!(open_at(&mut ctx, root, NO_FLAGS, "s".into(), OpenFlags::empty(), READ).unwrap().map(drop), Err(Loop));
    let now = NewTimestamp::Now;
    assert_eq!(set_times_at(&mut ctx, root, FOLLOW, "s".into(), now, now).unwrap(), Ok(()));
    assert_eq!(remove_directory_at(&mut ctx, root, "d".into()).unwrap(), Err(NotEmpty));
    assert_eq!(unlink_file_at(&mut ctx, root, "d".into()).unwrap(), Err(IsDirectory));
    assert_eq!(unlink_file_at(&mut ctx, root, "g/".into()).unwrap(), Err(NotDirectory));
    assert_eq!(rename_at(&mut ctx, root, "g".into(), root, "d/f".into()).unwrap(), Ok(()));
    assert_eq!(unlink_file_at(&mut ctx, root, "d/f".into()).unwrap(), Ok(()));
    assert_eq!(unlink_file_at(&mut ctx, root, "g".into()).unwrap(), Ok(()), "two names of one file are not renamed");
    assert_eq!(remove_directory_at(&mut ctx, root, "d/".into()).unwrap(), Ok(()));
    assert_eq!(open(&mut ctx, root, "f", OpenFlags::empty(), READ).map(drop), Err(NoEntry));
    // A path below a file that is no directory.
    assert_eq!(stat_at(&mut ctx, file.borrow(), FOLLOW, "x".into()).unwrap().map(drop), Err(NotDirectory));
}

#[test]
fn nothing_changes_below_a_read_only_grant() {
    let (read_only, writable) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(read_only.path().join("d")).unwrap();
    fs::write(read_only.path().join("f"), "content").unwrap();
    fs::write(writable.path().join("w"), "w").unwrap();
    let mut builder = WasiCtx::builder();
    builder.dir(host_dir(read_only.path()), "/ro", true).dir(host_dir(writable.path()), "/rw", false);
    let mut ctx = built(&mut builder);
    let all = get_directories(&mut ctx).unwrap();
    let names: Vec<&str> = all.iter().map(|(_, name)| &**name).collect();
    assert_eq!(names, ["/ro", "/rw", "/"]);
    let [ro, rw, top] = [0, 1, 2].map(|at| all[at].0.borrow());
    let now = NewTimestamp::Now;
    let results = [
        create_directory_at(&mut ctx, ro, "new".into()).unwrap(),
        remove_directory_at(&mut ctx, ro, "d".into()).unwrap(),
        unlink_file_at(&mut ctx, ro, "f".into()).unwrap(),
        symlink_at(&mut ctx, ro, "f".into(), "s".into()).unwrap(),
        rename_at(&mut ctx, ro, "f".into(), ro, "g".into()).unwrap(),
        // Across grants, in both directions: neither side may change.
        rename_at(&mut ctx, ro, "f".into(), rw, "f".into()).unwrap(),
        rename_at(&mut ctx, rw, "w".into(), ro, "w".into()).unwrap(),
        link_at(&mut ctx, ro, NO_FLAGS, "f".into(), rw, "f".into()).unwrap(),
        link_at(&mut ctx, rw, NO_FLAGS, "w".into(), ro, "w".into()).unwrap(),
        set_times_at(&mut ctx, ro, FOLLOW, "f".into(), now, now).unwrap(),
        open(&mut ctx, ro, "f", OpenFlags::TRUNCATE, READ).map(drop),
        open(&mut ctx, ro, "f", OpenFlags::TRUNCATE, DescriptorFlags::empty()).map(drop),
        open(&mut ctx, ro, "f", OpenFlags::empty(), WRITE).map(drop),
        open(&mut ctx, ro, "new", OpenFlags::CREATE, READ).map(drop),
        open(&mut ctx, top, "ro/f", OpenFlags::empty(), WRITE).map(drop),
        unlink_file_at(&mut ctx, top, "ro/f".into()).unwrap(),
    ];
    assert_eq!(results, [Err(ReadOnly); 16]);
    let directory = open(&mut ctx, ro, "d", OpenFlags::DIRECTORY, READ).unwrap().borrow();
    assert_eq!(create_directory_at(&mut ctx, directory, "new".into()).unwrap(), Err(ReadOnly));
    let file = open(&mut ctx, ro, "f", OpenFlags::empty(), READ).unwrap().borrow();
    let times = crate::p2::filesystem::descriptor::set_times(&mut ctx, file, now, now);
    assert_eq!(times.unwrap(), Err(ReadOnly));
    assert_eq!(fs::read(read_only.path().join("f")).unwrap(), b"content");
    assert_eq!(fs::read_dir(read_only.path()).unwrap().count(), 2);
    assert_eq!(fs::read_dir(writable.path()).unwrap().count(), 1);
}

#[test]
fn a_listing_has_each_name_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("f"), "").unwrap();
    symlink("f", dir.path().join("s")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("p"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let [one, two] = [(); 2].map(|()| read_directory(&mut ctx, root).unwrap().unwrap());
    let mut found = Vec::new();
    while let Some(entry) = read_directory_entry(&mut ctx, one.borrow()).unwrap().unwrap() {
        // Removing files does not hide others.
        let _ = fs::remove_file(dir.path().join(&entry.name));
        found.push((entry.name, entry.r#type));
    }
    found.sort_by(|one, two| one.0.cmp(&two.0));
    let wanted = [
        ("d", DescriptorType::Directory),
        ("f", DescriptorType::RegularFile),
        ("p", DescriptorType::Fifo),
        ("s", DescriptorType::SymbolicLink),
    ];
    assert_eq!(found, wanted.map(|(name, kind)| (name.to_owned(), kind)));
    assert_eq!(read_directory_entry(&mut ctx, one.borrow()).unwrap(), Ok(None));
    assert!(
        read_directory_entry(&mut ctx, two.borrow()).unwrap().unwrap().is_some(),
        "streams do not disturb each other"
    );
    assert!(ctx.listings > 0);
    ctx.drop_resource(one).unwrap();
    ctx.drop_resource(two).unwrap();
    assert_eq!(ctx.listings, 0);
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    fs::remove_dir(dir.path().join("d")).unwrap();
    let stream = read_directory(&mut ctx, root).unwrap().unwrap().borrow();
    assert_eq!(read_directory_entry(&mut ctx, stream).unwrap(), Err(IllegalByteSequence));
    assert_eq!(read_directory_entry(&mut ctx, stream).unwrap(), Ok(None));
    let file = open(&mut ctx, root, "f", OpenFlags::CREATE, WRITE).unwrap().borrow();
    assert_eq!(read_directory(&mut ctx, file).unwrap().map(drop), Err(NotDirectory));
}

#[test]
fn many_listings_of_a_huge_directory_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..2000 {
        fs::write(dir.path().join(format!("{number:0200}")), "").unwrap();
    }
    let (mut ctx, root) = in_dir(dir.path(), false);
    let mut count = 0;
    let error: ErrorCode = loop {
        match read_directory(&mut ctx, root).unwrap() {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, InsufficientMemory);
    assert!((10..100).contains(&count), "{count}");
    assert!(ctx.listings <= 16 << 20);
    assert_eq!(PathFlags::default(), NO_FLAGS);
}
