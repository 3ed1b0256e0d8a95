//! Descriptors of files and their streams.

use std::fs;

use wasmr_core::limits::MAX_HOST_TRANSFER;

use super::{READ, WRITE, in_dir, open};
use crate::p2::clocks::Datetime;
use crate::p2::filesystem::descriptor::*;
use crate::p2::filesystem::types::{DescriptorFlags, DescriptorType, NewTimestamp, OpenFlags};
use crate::p2::filesystem::{Descriptor, ErrorCode};
use crate::p2::streams::{self, StreamError};
use crate::p2::table::Own;

#[test]
fn each_stream_has_its_own_offset() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "0123456789").unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let file = open(&mut ctx, root, "f", OpenFlags::empty(), READ | WRITE).unwrap();
    let file = file.borrow();
    let [one, two] = [2, 5].map(|offset| read_via_stream(&mut ctx, file, offset).unwrap().unwrap().borrow());
    assert_eq!(streams::read(&mut ctx, one, 2).unwrap(), Ok(b"23".to_vec()));
    assert_eq!(streams::read(&mut ctx, two, 2).unwrap(), Ok(b"56".to_vec()));
    assert_eq!(streams::skip(&mut ctx, one, 1).unwrap(), Ok(1));
    let writer = write_via_stream(&mut ctx, file, 5).unwrap().unwrap().borrow();
    assert_eq!(streams::blocking_write_and_flush(&mut ctx, writer, b"xy").unwrap(), Ok(()));
    assert_eq!(streams::blocking_read(&mut ctx, one, 99).unwrap(), Ok(b"xy789".to_vec()));
    assert_eq!(streams::read(&mut ctx, one, 1).unwrap(), Err(StreamError::Closed));
    let appender = append_via_stream(&mut ctx, file).unwrap().unwrap().borrow();
    assert_eq!(streams::blocking_write_and_flush(&mut ctx, appender, b"!").unwrap(), Ok(()));
    assert_eq!(streams::blocking_write_zeroes_and_flush(&mut ctx, writer, 2).unwrap(), Ok(()));
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"01234xy\0\x009!");
    assert_eq!(read(&mut ctx, file, 3, 9).unwrap(), Ok((b"9!".to_vec(), false)));
    assert_eq!(read(&mut ctx, file, 3, 11).unwrap(), Ok((vec![], true)));
    assert_eq!(read(&mut ctx, file, 0, 0).unwrap(), Ok((vec![], false)));
    assert_eq!(write(&mut ctx, file, b"abc", 1).unwrap(), Ok(3));
    assert_eq!(read(&mut ctx, file, 4, 0).unwrap(), Ok((b"0abc".to_vec(), false)));
    assert_eq!(read(&mut ctx, file, 4, u64::MAX).unwrap(), Err(ErrorCode::Invalid));
}

#[test]
fn a_stream_keeps_its_file_open_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "content").unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let file = open(&mut ctx, root, "f", OpenFlags::empty(), READ).unwrap();
    let stream = read_via_stream(&mut ctx, file.borrow(), 0).unwrap().unwrap();
    ctx.drop_resource(file).unwrap();
    assert_eq!(streams::read(&mut ctx, stream.borrow(), 99).unwrap(), Ok(b"content".to_vec()));
    assert!(ctx.wasi.fds.get(4).is_ok());
    ctx.drop_resource(stream).unwrap();
    assert!(ctx.wasi.fds.get(4).is_err(), "the last stream closes the file");
    // A granted directory stays.
    ctx.drop_resource(Own::<Descriptor>::from_rep(root.rep())).unwrap();
    assert!(ctx.table().is_empty());
    let root = get_directories(&mut ctx).unwrap().remove(0).0.borrow();
    assert!(open(&mut ctx, root, "f", OpenFlags::empty(), READ).is_ok());
}

#[test]
fn descriptors_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "").unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let mut count = 0;
    let error = loop {
        match open(&mut ctx, root, "f", OpenFlags::empty(), READ) {
            Ok(file) => {
                // Only the stream is left.
                read_via_stream(&mut ctx, file.borrow(), 0).unwrap().unwrap();
                ctx.drop_resource(file).unwrap();
                count += 1;
            }
            Err(error) => break error,
        }
    };
    assert_eq!((error, count), (ErrorCode::InsufficientMemory, 1024 - 4));
}

#[test]
fn access_is_that_of_the_open() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "x").unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let reader = open(&mut ctx, root, "f", OpenFlags::empty(), READ).unwrap().borrow();
    let writer = open(&mut ctx, root, "f", OpenFlags::empty(), WRITE).unwrap().borrow();
    let neither = open(&mut ctx, root, "f", OpenFlags::empty(), DescriptorFlags::empty()).unwrap().borrow();
    assert_eq!(get_flags(&mut ctx, reader).unwrap(), Ok(READ));
    assert_eq!(get_flags(&mut ctx, writer).unwrap(), Ok(WRITE));
    assert_eq!(get_flags(&mut ctx, neither).unwrap(), Ok(DescriptorFlags::empty()));
    assert_eq!(get_flags(&mut ctx, root).unwrap(), Ok(READ | DescriptorFlags::MUTATE_DIRECTORY));
    let bad = Err(ErrorCode::BadDescriptor);
    assert_eq!(write(&mut ctx, reader, b"y", 0).unwrap(), bad);
    assert_eq!(read(&mut ctx, writer, 1, 0).unwrap().map(drop), Err(ErrorCode::BadDescriptor));
    assert_eq!(write_via_stream(&mut ctx, reader, 0).unwrap().map(drop), Err(ErrorCode::BadDescriptor));
    assert_eq!(append_via_stream(&mut ctx, reader).unwrap().map(drop), Err(ErrorCode::BadDescriptor));
    assert_eq!(read_via_stream(&mut ctx, writer, 0).unwrap().map(drop), Err(ErrorCode::BadDescriptor));
    assert_eq!(read_via_stream(&mut ctx, neither, 0).unwrap().map(drop), Err(ErrorCode::BadDescriptor));
    assert_eq!(read_via_stream(&mut ctx, root, 0).unwrap().map(drop), Err(ErrorCode::IsDirectory));
    assert_eq!(stat(&mut ctx, neither).unwrap().map(|stat| stat.size), Ok(1));
    assert_eq!(set_size(&mut ctx, reader, 0).unwrap(), Err(ErrorCode::Invalid));
    assert_eq!(set_size(&mut ctx, writer, 5).unwrap(), Ok(()));
    assert_eq!(get_type(&mut ctx, reader).unwrap(), Ok(DescriptorType::RegularFile));
    assert_eq!(get_type(&mut ctx, root).unwrap(), Ok(DescriptorType::Directory));
    assert_eq!(sync(&mut ctx, reader).unwrap(), Ok(()));
    assert_eq!(sync_data(&mut ctx, root).unwrap(), Ok(()));
}

#[test]
fn a_write_is_cut_so_that_it_ends_soon() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let file = open(&mut ctx, root, "f", OpenFlags::CREATE, WRITE).unwrap().borrow();
    let written = write(&mut ctx, file, &vec![0; MAX_HOST_TRANSFER + 1], 0).unwrap();
    assert_eq!(written, Ok(MAX_HOST_TRANSFER as u64));
}

#[test]
fn synchronised_flags_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let flags = WRITE | DescriptorFlags::DATA_INTEGRITY_SYNC | DescriptorFlags::REQUESTED_WRITE_SYNC;
    let file = open(&mut ctx, root, "f", OpenFlags::CREATE, flags).unwrap().borrow();
    assert_eq!(get_flags(&mut ctx, file).unwrap(), Ok(flags));
}

#[test]
fn times_are_set() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let file = open(&mut ctx, root, "f", OpenFlags::CREATE, WRITE).unwrap().borrow();
    let time = Datetime { seconds: 1_000_000_000, nanoseconds: 5 };
    let outcome = set_times(&mut ctx, file, NewTimestamp::NoChange, NewTimestamp::Timestamp(time));
    assert_eq!(outcome.unwrap(), Ok(()));
    let now = stat(&mut ctx, file).unwrap().unwrap();
    assert_eq!(now.data_modification_timestamp, Some(time));
    assert!(now.data_access_timestamp.unwrap().seconds > 1_700_000_000);
    // These numbers of nanoseconds mean `now` and `no change` on the host.
    for nanoseconds in [1_000_000_000, (1 << 30) - 1, (1 << 30) - 2, u32::MAX] {
        let wrong = NewTimestamp::Timestamp(Datetime { seconds: 0, nanoseconds });
        assert_eq!(set_times(&mut ctx, file, wrong, NewTimestamp::Now).unwrap(), Err(ErrorCode::Invalid));
    }
}

#[test]
fn a_hash_is_of_the_identity_and_of_the_contents() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "x").unwrap();
    fs::write(dir.path().join("g"), "x").unwrap();
    let (mut ctx, root) = in_dir(dir.path(), false);
    let [one, two, other] =
        ["f", "f", "g"].map(|path| open(&mut ctx, root, path, OpenFlags::empty(), READ).unwrap().borrow());
    assert_eq!(is_same_object(&mut ctx, one, two), Ok(true));
    assert_eq!(is_same_object(&mut ctx, one, other), Ok(false));
    let before = metadata_hash(&mut ctx, one).unwrap().unwrap();
    assert_eq!(metadata_hash(&mut ctx, two).unwrap(), Ok(before));
    assert_ne!(metadata_hash(&mut ctx, other).unwrap().unwrap().lower, before.lower);
    fs::write(dir.path().join("f"), "xyz").unwrap();
    let after = metadata_hash(&mut ctx, one).unwrap().unwrap();
    assert_eq!(after.lower, before.lower, "an inode number stays");
    assert_ne!(after.upper, before.upper);
}
