//! Containers: round trips, and every kind of damage.

use std::borrow::Cow;
use std::io::{Seek, Write};
use std::sync::Arc;

use wasmr_cache::{Builder, Container, Refused};

/// Offsets of the format: version, checksum, number of sections, first row of the table.
const VERSION: usize = 8;
const CHECKSUM: usize = 12;
const COUNT: usize = 44;
const TABLE: usize = 48;

/// Length of a row of the table.
const ROW: usize = 24;

fn bytes_of(builder: &Builder<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    builder.write(&mut bytes).unwrap();
    assert_eq!(bytes.len(), builder.size());
    bytes
}

/// Returns a container of three sections, the last of which is empty.
fn small() -> Vec<u8> {
    let mut builder = Builder::new();
    builder.section(*b"one ", Cow::Borrowed(b"first section"), false);
    builder.section(*b"two ", Cow::Borrowed(&[7; 100]), false);
    builder.section(*b"none", Cow::Borrowed(b""), false);
    bytes_of(&builder)
}

/// Returns a container with page-aligned sections that is large enough to be mapped.
fn large() -> Vec<u8> {
    let mut builder = Builder::new();
    builder.section(*b"data", Cow::Owned((0..150_001_u32).map(|n| n as u8).collect()), false);
    builder.section(*b"code", Cow::Owned(vec![0xcc; 5000]), true);
    builder.section(*b"tail", Cow::Borrowed(b"tail"), false);
    bytes_of(&builder)
}

fn file_with(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Corrects the checksum of altered bytes.
fn seal(bytes: &mut [u8]) {
    let hash = *blake3::hash(&bytes[COUNT..]).as_bytes();
    bytes[CHECKSUM..COUNT].copy_from_slice(&hash);
}

/// Returns a container with a field of the table changed and its checksum corrected, or the reason why it is refused.
fn with_field(mut bytes: Vec<u8>, at: usize, field: &[u8]) -> Result<Container, Refused> {
    bytes[at..at + field.len()].copy_from_slice(field);
    seal(&mut bytes);
    Container::from_bytes(bytes)
}

#[track_caller]
fn assert_malformed(result: Result<Container, Refused>, why: &str) {
    match result.unwrap_err() {
        Refused::Malformed(found) => assert_eq!(found, why),
        other => panic!("{other}"),
    }
}

#[test]
fn sections_come_back() {
    let container = Container::from_bytes(small()).unwrap();
    assert_eq!(container.section(*b"one "), Some(&b"first section"[..]));
    assert_eq!(container.section(*b"two "), Some(&[7; 100][..]));
    assert_eq!(container.section(*b"none"), Some(&b""[..]));
    assert_eq!(container.section(*b"some"), None);
    assert!(container.file_range(*b"one ").is_none());
    assert_eq!(format!("{container:?}"), r#"{"one ": 13, "two ": 100, "none": 0}"#);
    assert!(Container::from_bytes(bytes_of(&Builder::new())).unwrap().section(*b"one ").is_none());
}

#[test]
fn a_file_gives_the_same_sections() {
    for bytes in [small(), large()] {
        let expected = Container::from_bytes(bytes.clone()).unwrap();
        let mut file = file_with(&bytes);
        file.seek(std::io::SeekFrom::Start(5)).unwrap();
        let container = Container::open(file).unwrap();
        for name in [b"one ", b"two ", b"none", b"data", b"code", b"tail"] {
            assert_eq!(container.section(*name), expected.section(*name));
        }
        assert_eq!(container.checksum(), expected.checksum());
    }
}

#[test]
fn pages_of_a_page_aligned_section_are_its_own() {
    let bytes = large();
    let container = Container::open(file_with(&bytes)).unwrap();
    let (file, offset, len) = container.file_range(*b"code").unwrap();
    assert_eq!((offset % 4096, len, file.metadata().unwrap().len()), (0, 5000, bytes.len() as u64));
    let start = offset as usize;
    assert_eq!(&bytes[start..start + len], container.section(*b"code").unwrap());
    assert!(bytes[start + len..start + 8192].iter().all(|byte| *byte == 0));
    assert!(container.file_range(*b"data").is_none() && container.file_range(*b"none").is_none());
    assert!(Container::from_bytes(bytes).unwrap().file_range(*b"code").is_none(), "these bytes are in no file");
}

#[test]
fn threads_share_a_container() {
    let container = Arc::new(Container::open(file_with(&large())).unwrap());
    let shared = Arc::clone(&container);
    let first = std::thread::spawn(move || shared.section(*b"tail").unwrap().to_vec()).join().unwrap();
    assert_eq!(Some(&first[..]), container.section(*b"tail"));
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = small();
    for at in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        let why = Container::from_bytes(damaged).unwrap_err();
        match at / 8 {
            0..VERSION => assert!(matches!(why, Refused::WrongMagic), "{at}: {why}"),
            VERSION..CHECKSUM => assert!(matches!(why, Refused::OtherVersion(_)), "{at}: {why}"),
            _ => assert!(matches!(why, Refused::WrongChecksum), "{at}: {why}"),
        }
    }
}

#[test]
fn every_truncation_is_found() {
    let bytes = small();
    for len in 0..bytes.len() {
        let why = Container::from_bytes(bytes[..len].to_vec()).unwrap_err();
        assert_eq!(matches!(why, Refused::TooShort(_)), len < TABLE, "{len}: {why}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(Container::from_bytes(longer).unwrap_err(), Refused::WrongChecksum));
}

#[test]
fn damage_of_a_large_file_is_found() {
    let bytes = large();
    for at in (0..TABLE + 3 * ROW).chain((TABLE..bytes.len()).step_by(4999)).chain([bytes.len() - 1]) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        assert!(Container::open(file_with(&damaged)).is_err(), "{at}");
        assert!(Container::open(file_with(&bytes[..at])).is_err(), "{at}");
    }
}

#[test]
fn a_malformed_table_with_a_correct_checksum_is_refused() {
    let number = |value: u64| value.to_le_bytes();
    let (alignment, offset, len) = (TABLE + 4, TABLE + 8, TABLE + 16);
    let bytes = large();
    assert_malformed(with_field(bytes.clone(), COUNT, &u32::MAX.to_le_bytes()), "too many sections");
    assert_malformed(with_field(small()[..TABLE + ROW].to_vec(), COUNT, &[3]), "it is cut off");
    for outside in [bytes.len() as u64 + 1, u64::MAX, 1 << 63] {
        assert_malformed(with_field(bytes.clone(), offset, &number(outside)), "a section is outside the file");
        assert_malformed(with_field(bytes.clone(), len, &number(outside)), "a section is outside the file");
    }
    for odd in [0_u32, 1, 63, 128, u32::MAX] {
        assert_malformed(with_field(bytes.clone(), alignment, &odd.to_le_bytes()), "a section is not aligned");
    }
    assert_malformed(with_field(bytes.clone(), offset, &number(129)), "a section is not aligned");
    assert_malformed(with_field(bytes.clone(), alignment, &4096_u32.to_le_bytes()), "a section is not aligned");
    assert_malformed(with_field(bytes.clone(), offset, &number(64)), "sections overlap");
    assert_malformed(with_field(bytes.clone(), len, &number(155_000)), "sections overlap");
    // The last section in the second page of the one before it.
    let code = bytes.len() as u64 - 4 - 8192;
    assert_malformed(with_field(bytes.clone(), 2 * ROW + offset, &number(code + 5056)), "sections overlap");
    assert_malformed(with_field(bytes, TABLE + ROW, b"data"), "two sections have the same name");
}

#[test]
fn no_value_of_any_byte_of_the_table_panics() {
    let bytes = small();
    for at in COUNT..TABLE + 3 * ROW {
        for value in 0..=u8::MAX {
            if let Ok(container) = with_field(bytes.clone(), at, &[value]) {
                let name = std::array::from_fn(|index| if TABLE + index == at { value } else { b"one "[index] });
                assert!(container.section(name).is_none_or(|section| section.len() <= bytes.len()));
            }
        }
    }
}

#[test]
fn files_of_others_are_named() {
    let refused = |bytes: &[u8]| Container::open(file_with(bytes)).unwrap_err().to_string();
    assert_eq!(refused(b""), "it is cut off: it has only 0 bytes");
    assert_eq!(refused(&[0; 100_000]), "wasmr did not write it");
    let mut other = small();
    other[VERSION] = 9;
    assert_eq!(refused(&other), "its format has version 9, and this wasmr reads version 1");
    other[VERSION] = 1;
    other[COUNT] ^= 1;
    assert_eq!(refused(&other), "it is damaged: its checksum is wrong");
}

#[test]
fn a_builder_refuses_what_a_reader_would() {
    let mut twice = Builder::new();
    twice.section(*b"same", Cow::Borrowed(b"1"), false).section(*b"same", Cow::Borrowed(b"2"), false);
    let mut many = Builder::new();
    for number in 0..257_u32 {
        many.section(number.to_le_bytes(), Cow::Borrowed(b""), false);
    }
    for builder in [twice, many] {
        let mut out = Vec::new();
        assert_eq!(builder.write(&mut out).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
        assert!(out.is_empty());
    }
}
