//! Where the sections of a binary lie, and what the producers section says. Nothing here runs unless a message or `inspect`
//! asks; name sections are read in `names`.
//!
//! Comes from the module's bytes, which may be those of a module that was refused: everything here bears any bytes, looks at
//! section headers only, and ends at the first byte that makes no sense.

use std::ops::Range;

use wasmparser::{BinaryReader, ProducersSectionReader};

/// A section of a binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// The number that says what it is.
    pub id: u8,
    /// What a custom section calls itself; empty for others.
    pub custom_name: &'a str,
    /// Its contents in the binary, those of a custom section without its name.
    pub contents: Range<usize>,
    /// How many items it declares, if it is a list.
    pub items: Option<u32>,
}

/// What the specification calls the sections, by their numbers.
const NAMES: [&str; 14] = [
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
    /// What kind of section it is, in the words of the specification.
    pub fn kind(&self) -> &'static str {
        NAMES.get(usize::from(self.id)).copied().unwrap_or("unknown")
    }

    /// Whether it is a custom section.
    pub fn is_custom(&self) -> bool {
        self.id == 0
    }

    /// Whether it is the code section.
    pub fn is_code(&self) -> bool {
        self.id == 10
    }
}

/// Walks the sections of a binary, in order.
#[derive(Clone, Debug)]
pub struct Sections<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Sections<'a> {
    /// A walk over a binary that begins with its 8-byte header.
    pub(crate) fn new(bytes: &'a [u8]) -> Sections<'a> {
        Sections { bytes, at: 8 }
    }
}

impl<'a> Iterator for Sections<'a> {
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
            // The start function and the number of data segments are no lists.
            8 | 12 => {}
            _ => items = reader.read_var_u32().ok(),
        }
        Some(Section { id, custom_name, contents: start..end, items })
    }
}

/// The first section that goes on beyond the end of a binary: what it is called, and how many of its bytes are not there.
pub(crate) fn cut_off(bytes: &[u8]) -> Option<(&'static str, usize)> {
    let mut at = 8;
    loop {
        let mut reader = BinaryReader::new(bytes.get(at..)?, 0);
        let id = reader.read_u8().ok()?;
        let size = reader.read_var_u32().ok()? as usize;
        at = (at + reader.current_position()).checked_add(size)?;
        if at > bytes.len() {
            return Some((NAMES.get(usize::from(id))?, at - bytes.len()));
        }
    }
}

/// One field of a producers section: what kind of tool, and which ones with their versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producers<'a> {
    /// `language`, `processed-by`, `sdk`, …
    pub field: &'a str,
    /// Names and versions.
    pub values: Vec<(&'a str, &'a str)>,
}

/// The fields of the first producers section, as far as they make sense.
pub(crate) fn producers(bytes: &[u8]) -> Vec<Producers<'_>> {
    let mut found = Vec::new();
    let section = Sections::new(bytes).find(|section| section.is_custom() && section.custom_name == "producers");
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
    fn what_is_cut_off_is_counted() {
        // An empty type section, then 5 bytes of a code section of 300.
        let bytes = b"\0asm\x01\0\0\0\x01\x01\0\x0a\xac\x02\x01abcd";
        assert_eq!(cut_off(bytes), Some(("code", 295)));
        assert_eq!(cut_off(&bytes[..11]), None);
        assert_eq!(cut_off(&bytes[..13]), None, "not even its size is whole");
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
    fn sections_have_kind_place_and_count() {
        let bytes = binary(&[(1, b"\x02??"), (0, b"\x02hithere"), (8, b"\x05"), (99, b"")]);
        let seen: Vec<_> = Sections::new(&bytes).map(|s| (s.kind(), s.custom_name, s.contents, s.items)).collect();
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
    fn nonsense_ends_the_walk() {
        for tail in [&b"\x01\xff"[..], b"\x01\x05a", b"\x00\x01\x05", b"\x01\xff\xff\xff\xff\x0f"] {
            let bytes = [&binary(&[(1, b"\x00")])[..], tail].concat();
            assert_eq!(Sections::new(&bytes).count(), 1, "{tail:?}");
        }
        assert_eq!(Sections::new(b"").count(), 0);
    }

    #[test]
    fn producers_are_read_as_far_as_they_make_sense() {
        let section = b"\x09producers\x02\x08language\x01\x01C\x0217\x03sdk\x02\x01a\x00";
        let bytes = binary(&[(0, section)]);
        let language = Producers { field: "language", values: vec![("C", "17")] };
        assert_eq!(producers(&bytes)[0], language);
        assert_eq!(producers(&binary(&[(0, b"\x09producers")])), []);
        assert_eq!(producers(b"\0asm"), []);
    }
}
