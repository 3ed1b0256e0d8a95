//! Writes a container; [`container`](crate::container) describes the format.
//!
//! The checksum stands before the bytes that it covers. [`Builder::write`] therefore goes over all sections twice: first to hash,
//! then to write. It copies no section.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::container::{
    ALIGNMENT, CHECKSUM, FORMAT_VERSION, HEADER_LEN, MAGIC, MAX_SECTIONS, PAGE, ROW_LEN, SectionName,
};

/// Bytes between sections.
const PADDING: [u8; PAGE] = [0; PAGE];

/// Sections that are to be written as one container, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Builder<'a> {
    sections: Vec<Section<'a>>,
}

#[derive(Clone, Debug)]
struct Section<'a> {
    name: SectionName,
    bytes: Cow<'a, [u8]>,
    is_page_aligned: bool,
}

impl<'a> Builder<'a> {
    /// Returns a builder without sections.
    pub fn new() -> Builder<'a> {
        Builder::default()
    }

    /// Adds a section. If it is page-aligned, its pages in the file have bytes of no other section, so that a user can map them.
    pub fn section(&mut self, name: SectionName, bytes: Cow<'a, [u8]>, page_aligned: bool) -> &mut Builder<'a> {
        self.sections.push(Section { name, bytes, is_page_aligned: page_aligned });
        self
    }

    /// Adds the sections of another builder, without copying them.
    #[cfg(unix)]
    pub(crate) fn sections_of(&mut self, other: &'a Builder<'_>) -> &mut Builder<'a> {
        for section in &other.sections {
            self.section(section.name, Cow::Borrowed(&section.bytes), section.is_page_aligned);
        }
        self
    }

    /// Returns the size of the container in bytes.
    pub fn size(&self) -> usize {
        let last = self.sections.iter().zip(self.offsets()).last();
        last.map_or(HEADER_LEN, |(section, offset)| offset + section.bytes.len())
    }

    /// Writes the container.
    ///
    /// # Errors
    /// Returns the errors of `out`, and [`io::ErrorKind::InvalidInput`] if two sections have the same name, or if there are more than 256.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.check()?;
        let mut front = Vec::with_capacity(self.table_end());
        front.extend(MAGIC);
        front.extend(FORMAT_VERSION.to_le_bytes());
        front.extend([0; CHECKSUM.end - CHECKSUM.start]);
        front.extend((self.sections.len() as u32).to_le_bytes());
        for (section, offset) in self.sections.iter().zip(self.offsets()) {
            front.extend(section.name);
            front.extend((section.alignment() as u32).to_le_bytes());
            front.extend((offset as u64).to_le_bytes());
            front.extend((section.bytes.len() as u64).to_le_bytes());
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&front[CHECKSUM.end..]);
        self.each_part(|part| {
            hasher.update(part);
            Ok(())
        })?;
        front[CHECKSUM].copy_from_slice(hasher.finalize().as_bytes());
        out.write_all(&front)?;
        self.each_part(|part| out.write_all(part))
    }

    fn check(&self) -> io::Result<()> {
        let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if self.sections.len() > MAX_SECTIONS {
            return refuse("a container has at most 256 sections");
        }
        let is_second =
            |(at, section): (usize, &Section<'_>)| self.sections[..at].iter().any(|s| s.name == section.name);
        if self.sections.iter().enumerate().any(is_second) {
            return refuse("two sections of a container have the same name");
        }
        Ok(())
    }

    fn table_end(&self) -> usize {
        HEADER_LEN + self.sections.len() * ROW_LEN
    }

    /// Returns the offset of each section.
    fn offsets(&self) -> impl Iterator<Item = usize> {
        let mut least = self.table_end();
        self.sections.iter().map(move |section| {
            let offset = least.next_multiple_of(section.alignment());
            least = offset + section.bytes.len();
            if section.is_page_aligned {
                least = least.next_multiple_of(PAGE);
            }
            offset
        })
    }

    /// Calls a function with everything after the section table: padding and sections in turn.
    fn each_part(&self, mut call: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut end = self.table_end();
        for (section, offset) in self.sections.iter().zip(self.offsets()) {
            let mut gap = offset - end;
            while gap > 0 {
                let part = gap.min(PADDING.len());
                call(&PADDING[..part])?;
                gap -= part;
            }
            call(&section.bytes)?;
            end = offset + section.bytes.len();
        }
        Ok(())
    }
}

impl Section<'_> {
    fn alignment(&self) -> usize {
        if self.is_page_aligned { PAGE } else { ALIGNMENT }
    }
}
