//! A file of named sections with a checksum.
//!
//! In: a file or bytes from anywhere. Out: a [`Container`] whose checksum is correct and whose sections lie within it, or the
//! reason why it is [`Refused`]. All numbers are little-endian:
//!
//! | offset | bytes | field |
//! |--:|--:|---|
//! | 0 | 8 | magic number |
//! | 8 | 4 | format version |
//! | 12 | 32 | BLAKE3 hash of all bytes after this field |
//! | 44 | 4 | number of sections |
//! | 48 | 24 each | section table |
//!
//! A row of the table has the section's name (4 bytes of printable ASCII), its alignment (4 bytes), its offset in the file (8)
//! and its length (8). Rows are in the order of their sections. A section begins at a multiple of its alignment, 64 or
//! [`PAGE`], and the bytes between sections are zero.
//!
//! # Why are files first read and then mapped?
//! A file of [`MAP_FROM`] bytes or more is read in pieces for its checksum, and then mapped. Pages of a mapping count as
//! memory of the process once they are touched, and a run touches few of them. Bytes that were read through a buffer stay in
//! the system's cache only.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};

use crate::map::Map;

/// Name of a section: printable ASCII, filled up with spaces.
pub type SectionName = [u8; 4];

/// First bytes of every container. The first is no text, and the last two change if the file is taken for text.
pub(crate) const MAGIC: [u8; 8] = *b"\xffwasmr\r\n";

/// Version of the format in this file's documentation.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Bytes before the section table.
pub(crate) const HEADER_LEN: usize = 48;

/// Bytes of a row of the section table.
pub(crate) const ROW_LEN: usize = 24;

/// Place of the checksum.
pub(crate) const CHECKSUM: std::ops::Range<usize> = 12..44;

/// Alignment of a section, in bytes: a cache line.
pub(crate) const ALIGNMENT: usize = 64;

/// Alignment of a section that is to be mapped by itself, in bytes: a page of most processors.
pub(crate) const PAGE: usize = 4096;

/// Largest number of sections.
pub(crate) const MAX_SECTIONS: usize = 256;

/// Size in bytes from which a file is mapped. A smaller file is read, which takes fewer system calls and page faults.
const MAP_FROM: u64 = 64 << 10;

/// Bytes of a piece that is read for the checksum. A processor's second-level cache holds it, and an allocator need not map it.
const PIECE: usize = 64 << 10;

/// Reason for which a file or bytes are no container.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// There is no complete header.
    #[error("it is cut off: it has only {0} bytes")]
    TooShort(usize),
    /// The file is larger than the address space.
    #[error("it is too large")]
    TooLarge,
    /// The file begins with other bytes than a container.
    #[error("wasmr did not write it")]
    WrongMagic,
    /// The file has another version of the format.
    #[error("its format has version {0}, and this wasmr reads version {FORMAT_VERSION}")]
    OtherVersion(u32),
    /// The checksum is not that of the bytes after it.
    #[error("it is damaged: its checksum is wrong")]
    WrongChecksum,
    /// The checksum is correct, but the section table is not.
    #[error("its section table is malformed: {0}")]
    Malformed(&'static str),
}

/// Sections of a file or of bytes in memory.
pub struct Container {
    bytes: Bytes,
    rows: Vec<Row>,
    checksum: [u8; 32],
    /// The file, if it has a section that a user may map.
    file: Option<File>,
}

/// Bytes of a container.
enum Bytes {
    Owned(Vec<u8>),
    Mapped(Map),
}

/// A row of the section table, with offset and length checked.
struct Row {
    name: SectionName,
    is_page_aligned: bool,
    offset: usize,
    len: usize,
}

impl Container {
    /// Verifies a file, and reads or maps it. The file must not be changed afterwards; it may be replaced or removed.
    pub fn open(mut file: File) -> Result<Container, Refused> {
        file.rewind()?;
        let len = file.metadata()?.len();
        Container::open_new(file, len)
    }

    /// Does the same as [`open`](Container::open) with a file of known length that has just been opened.
    pub(crate) fn open_new(file: File, len: u64) -> Result<Container, Refused> {
        if len < MAP_FROM {
            let mut bytes = vec![0; len as usize];
            (&file).read_exact(&mut bytes)?;
            let container = Container::from_bytes(bytes)?;
            return Ok(container.with_file(file));
        }
        let len = usize::try_from(len).map_err(|_| Refused::TooLarge)?;
        let checksum = verify_file(&file, len)?;
        let map = Map::of(&file, len)?;
        let rows = read_table(&map)?;
        Ok(Container { bytes: Bytes::Mapped(map), rows, checksum, file: None }.with_file(file))
    }

    /// Returns true if a file that begins with these bytes is a container, of any version, or a damaged one.
    pub fn is_start(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Maps a file without verifying its checksum, for which all of it would have to be read. Damage other than in the section table
    /// goes unnoticed. A file below 64 KiB is verified nevertheless. The file must not be changed afterwards; it may be replaced or removed.
    pub fn open_unverified(file: File) -> Result<Container, Refused> {
        let len = file.metadata()?.len();
        if len < MAP_FROM {
            return Container::open(file);
        }
        let map = Map::of(&file, usize::try_from(len).map_err(|_| Refused::TooLarge)?)?;
        let checksum = read_header(&map)?;
        let rows = read_table(&map)?;
        Ok(Container { bytes: Bytes::Mapped(map), rows, checksum, file: None }.with_file(file))
    }

    /// Verifies bytes in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Container, Refused> {
        let checksum = read_header(&bytes)?;
        if blake3::hash(&bytes[CHECKSUM.end..]) != checksum {
            return Err(Refused::WrongChecksum);
        }
        let rows = read_table(&bytes)?;
        Ok(Container { bytes: Bytes::Owned(bytes), rows, checksum, file: None })
    }

    /// Returns the bytes of a section. They are aligned in the file, and not necessarily in memory.
    pub fn section(&self, name: SectionName) -> Option<&[u8]> {
        let row = self.row(name)?;
        self.bytes().get(row.offset..)?.get(..row.len)
    }

    /// Returns the place of a page-aligned section in the file: the file, offset and length. No other section has bytes in its
    /// pages. Returns `None` for other sections, and if the container is not from a file.
    pub fn file_range(&self, name: SectionName) -> Option<(&File, u64, usize)> {
        let row = self.row(name).filter(|row| row.is_page_aligned)?;
        Some((self.file.as_ref()?, row.offset as u64, row.len))
    }

    /// Returns the checksum. Two containers with different bytes have different ones.
    pub fn checksum(&self) -> [u8; 32] {
        self.checksum
    }

    fn row(&self, name: SectionName) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }

    /// Keeps the file open if a user may map one of its sections.
    fn with_file(mut self, file: File) -> Container {
        self.file = self.rows.iter().any(|row| row.is_page_aligned).then_some(file);
        self
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sections = self.rows.iter().map(|row| (row.name.escape_ascii().to_string(), row.len));
        f.debug_map().entries(sections).finish()
    }
}

/// Reads a file of `len` bytes in pieces, and returns its checksum if that is correct.
fn verify_file(mut file: &File, len: usize) -> Result<[u8; 32], Refused> {
    let mut piece = vec![0; PIECE.min(len)];
    file.read_exact(&mut piece)?;
    let checksum = read_header(&piece)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&piece[CHECKSUM.end..]);
    let mut left = len - piece.len();
    while left > 0 {
        let piece = &mut piece[..PIECE.min(left)];
        file.read_exact(piece)?;
        hasher.update(piece);
        left -= piece.len();
    }
    if hasher.finalize() == checksum { Ok(checksum) } else { Err(Refused::WrongChecksum) }
}

/// Checks magic number and version, and returns the checksum.
fn read_header(bytes: &[u8]) -> Result<[u8; 32], Refused> {
    let header: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(Refused::TooShort(bytes.len()))?;
    if !header.starts_with(&MAGIC) {
        return Err(Refused::WrongMagic);
    }
    match u32_at(header, MAGIC.len()) {
        FORMAT_VERSION => Ok(std::array::from_fn(|at| header[CHECKSUM.start + at])),
        other => Err(Refused::OtherVersion(other)),
    }
}

/// Reads the section table of a container with a complete header.
fn read_table(bytes: &[u8]) -> Result<Vec<Row>, Refused> {
    let count = u32_at(bytes, CHECKSUM.end) as usize;
    if count > MAX_SECTIONS {
        return Err(Refused::Malformed("too many sections"));
    }
    let mut end = HEADER_LEN + count * ROW_LEN;
    let table = bytes.get(HEADER_LEN..end).ok_or(Refused::Malformed("it is cut off"))?;
    let mut rows: Vec<Row> = Vec::with_capacity(count);
    for row in table.chunks_exact(ROW_LEN) {
        let name = std::array::from_fn(|at| row[at]);
        let alignment = u32_at(row, 4) as usize;
        let (offset, len) = (usize_at(row, 8)?, usize_at(row, 16)?);
        let section_end = offset.checked_add(len).filter(|end| *end <= bytes.len());
        let section_end = section_end.ok_or(Refused::Malformed("a section is outside the file"))?;
        if ![ALIGNMENT, PAGE].contains(&alignment) || !offset.is_multiple_of(alignment) {
            return Err(Refused::Malformed("a section is not aligned"));
        }
        let is_page_aligned = alignment == PAGE;
        let after_pages = rows.last().is_some_and(|row| row.is_page_aligned);
        let least = if after_pages { end.next_multiple_of(PAGE) } else { end };
        if offset < least {
            return Err(Refused::Malformed("sections overlap"));
        }
        if rows.iter().any(|row| row.name == name) {
            return Err(Refused::Malformed("two sections have the same name"));
        }
        rows.push(Row { name, is_page_aligned, offset, len });
        end = section_end;
    }
    Ok(rows)
}

/// Reads a number at an offset that the caller has checked.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|index| bytes[at + index]))
}

fn usize_at(bytes: &[u8], at: usize) -> Result<usize, Refused> {
    let number = u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]));
    usize::try_from(number).map_err(|_| Refused::Malformed("a section is outside the file"))
}
