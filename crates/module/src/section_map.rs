//! Positions of the sections of a binary, and the contents of the producers section. Only error messages and `inspect` use
//! this file; `names` reads the name section.
//!
//! The bytes may be those of a module that was refused. Every function therefore accepts any bytes, reads section headers
//! only, and stops at the first malformed one.
//!
//! Spec: [sections](https://webassembly.github.io/spec/core/binary/modules.html#sections). The producers section is a [tool
//! convention](https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md).

use std::ops::Range;

use wasmparser::{BinaryReader, ProducersSectionReader};

/// A section of a binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Section id of the binary format.
    pub id: u8,
    /// Name of a custom section; empty for other sections.
    pub custom_name: &'a str,
    /// Range of the contents in the binary. The name of a custom section is not part of it.
    pub contents: Range<usize>,
    /// Number of items, if the section is a list.
    pub items: Option<u32>,
}

/// Section names of the specification, by section id.
pub(crate) const SECTIONS: [&str; 14] = [
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
];

impl Section<'_> {
    /// Returns the specification's name for this kind of section.
    pub fn kind(&self) -> &'static str {
        SECTIONS.get(usize::from(self.id)).copied().unwrap_or("unknown")
    }

    /// Returns true if this is a custom section.
    pub fn is_custom(&self) -> bool {
        self.id == 0
    }

    /// Returns true if this is the code section.
    pub fn is_code(&self) -> bool {
        self.id == 10
    }
}

/// Iterator over the sections of a binary, in order.
#[derive(Clone, Debug)]
pub struct SectionMap<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> SectionMap<'a> {
    /// Creates an iterator over a binary that begins with the 8-byte header of a module.
    pub(crate) fn new(bytes: &'a [u8]) -> SectionMap<'a> {
        SectionMap { bytes, at: 8 }
    }
}

impl<'a> Iterator for SectionMap<'a> {
    type Item = Section<'a>;

    fn next(&mut self) -> Option<Section<'a>> {
        let mut reader = BinaryReader::new(self.bytes.get(self.at..)?, 0);
        let id = reader.read_u8().ok()?;
        let size = reader.read_var_u32().ok()? as usize;
        let mut start = self.at + reader.current_position();
        let end = start.checked_add(size)?;
        let contents = self.bytes.get(start..end)?;
        self.at = end;
        let mut reader = BinaryReader::new(contents, 0);
        let (mut custom_name, mut items) = ("", None);
        match id {
            0 => {
                custom_name = reader.read_string().ok()?;
                start += reader.current_position();
            }
            // Not lists: the start section is an index, and the data count section a number.
            8 | 12 => {}
            _ => items = reader.read_var_u32().ok(),
        }
        Some(Section { id, custom_name, contents: start..end, items })
    }
}

/// Returns the id of the first section that extends beyond the end of a module or component, and the number of its missing bytes.
pub(crate) fn cut_off(bytes: &[u8]) -> Option<(u8, usize)> {
    let mut at = 8;
    loop {
        let mut reader = BinaryReader::new(bytes.get(at..)?, 0);
        let id = reader.read_u8().ok()?;
        let size = reader.read_var_u32().ok()? as usize;
        at = (at + reader.current_position()).checked_add(size)?;
        if at > bytes.len() {
            return Some((id, at - bytes.len()));
        }
    }
}

/// One field of a producers section: a kind of tool, and the tools with their versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producers<'a> {
    /// `language`, `processed-by`, `sdk`, …
    pub field: &'a str,
    /// Pairs of name and version.
    pub values: Vec<(&'a str, &'a str)>,
}

/// Returns the fields of the first producers section, up to the first malformed one.
pub(crate) fn producers(bytes: &[u8]) -> Vec<Producers<'_>> {
    let mut found = Vec::new();
    let section = SectionMap::new(bytes).find(|section| section.is_custom() && section.custom_name == "producers");
    let Some(section) = section else { return found };
    let Ok(fields) = ProducersSectionReader::new(BinaryReader::new(&bytes[section.contents], 0)) else { return found };
    for field in fields {
        let Ok(field) = field else { break };
        let mut values = Vec::new();
        for value in field.values {
            let Ok(value) = value else { break };
            values.push((value.name, value.version));
        }
        found.push(Producers { field: field.name, values });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_missing_are_counted() {
        // An empty type section, then 5 bytes of a code section of 300.
        let bytes = b"\0asm\x01\0\0\0\x01\x01\0\x0a\xac\x02\x01abcd";
        assert_eq!(cut_off(bytes), Some((10, 295)));
        assert_eq!(cut_off(&bytes[..11]), None);
        assert_eq!(cut_off(&bytes[..13]), None, "the size itself is incomplete");
        assert_eq!(cut_off(b"\0asm"), None);
    }

    fn binary(sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        for (id, contents) in sections {
            bytes.extend([&[*id, contents.len() as u8], *contents].concat());
        }
        bytes
    }

    #[test]
    fn sections_have_kind_range_and_count() {
        let bytes = binary(&[(1, b"\x02??"), (0, b"\x02hithere"), (8, b"\x05"), (99, b"")]);
        let seen: Vec<_> = SectionMap::new(&bytes).map(|s| (s.kind(), s.custom_name, s.contents, s.items)).collect();
        assert_eq!(
            seen,
            [
                ("type", "", 10..13, Some(2)),
                ("custom", "hi", 18..23, None),
                ("start", "", 25..26, None),
                ("unknown", "", 28..28, None)
            ]
        );
        assert_eq!(&bytes[18..23], b"there");
    }

    #[test]
    fn a_malformed_section_ends_the_iteration() {
        for tail in [&b"\x01\xff"[..], b"\x01\x05a", b"\x00\x01\x05", b"\x01\xff\xff\xff\xff\x0f"] {
            let bytes = [&binary(&[(1, b"\x00")])[..], tail].concat();
            assert_eq!(SectionMap::new(&bytes).count(), 1, "{tail:?}");
        }
        assert_eq!(SectionMap::new(b"").count(), 0);
    }

    #[test]
    fn producers_are_read_up_to_the_first_malformed_one() {
        let section = b"\x09producers\x02\x08language\x01\x01C\x0217\x03sdk\x02\x01a\x00";
        let bytes = binary(&[(0, section)]);
        let language = Producers { field: "language", values: vec![("C", "17")] };
        assert_eq!(producers(&bytes)[0], language);
        assert_eq!(producers(&binary(&[(0, b"\x09producers")])), []);
        assert_eq!(producers(b"\0asm"), []);
    }
}
