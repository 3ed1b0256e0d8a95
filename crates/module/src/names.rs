//! Custom sections and the [name section](https://webassembly.github.io/spec/core/appendix/custom.html#name-section).
//!
//! Backtraces, `inspect` and error messages read them on demand. Error messages also read names of modules that were refused,
//! so every function accepts any bytes.
//!
//! Errors in a [custom section](https://webassembly.github.io/spec/core/binary/modules.html#custom-section) must not make a
//! module invalid. Reading therefore stops at the first malformed part and keeps the names before it. Names are not copied and
//! not demangled.

use std::ops::Range;

use wasmparser::{BinaryReader, Name, NameMap, Subsections};

use crate::bytes::ModuleBytes;
use crate::section_map::{Section, SectionMap};

/// The name of a module, and the names of its functions and tags, sorted by index.
pub struct Names {
    bytes: ModuleBytes,
    module: Option<Span>,
    funcs: Box<[(u32, Span)]>,
    tags: Box<[(u32, Span)]>,
}

/// A range of the module's bytes. It is half as large as a `Range<usize>`.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    len: u32,
}

impl Names {
    /// Reads the first name section of a module, if it has one. Reading stops at an index of `func_count` or `tag_count` or more,
    /// which limits the memory that a hostile section can consume.
    pub(crate) fn read(bytes: &ModuleBytes, func_count: u32, tag_count: u32) -> Names {
        let mut names = Names { bytes: bytes.clone(), module: None, funcs: Box::default(), tags: Box::default() };
        for subsection in name_section(bytes.as_ref()).into_iter().flatten() {
            match subsection {
                Ok(Name::Module { name, name_range }) => {
                    names.module = Span::ending_at(name_range.end, name);
                }
                Ok(Name::Function(map)) => names.funcs = spans(map, func_count),
                Ok(Name::Tag(map)) => names.tags = spans(map, tag_count),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        names
    }

    /// Returns the name of a function.
    pub fn func_name(&self, index: u32) -> Option<&str> {
        self.find(&self.funcs, index)
    }

    /// Returns the name of a tag.
    pub fn tag_name(&self, index: u32) -> Option<&str> {
        self.find(&self.tags, index)
    }

    fn find(&self, names: &[(u32, Span)], index: u32) -> Option<&str> {
        let at = names.binary_search_by_key(&index, |&(index, _)| index).ok()?;
        self.text(names[at].1)
    }

    /// Returns the name of the module.
    pub fn module_name(&self) -> Option<&str> {
        self.module.and_then(|span| self.text(span))
    }

    /// Returns index and name of all functions with a name, sorted by index.
    pub fn funcs(&self) -> impl Iterator<Item = (u32, &str)> {
        self.funcs.iter().filter_map(|&(index, span)| Some((index, self.text(span)?)))
    }

    fn text(&self, span: Span) -> Option<&str> {
        let start = span.start as usize;
        let bytes = self.bytes.as_ref().get(start..start + span.len as usize)?;
        std::str::from_utf8(bytes).ok()
    }
}

/// Returns the parts of the first name section of a binary, if it has one.
pub(crate) fn name_section(binary: &[u8]) -> Option<Subsections<'_, Name<'_>>> {
    let (_, range) = CustomSections::new(binary).find(|(name, _)| *name == "name")?;
    Some(Subsections::new(BinaryReader::new(&binary[range.clone()], range.start as u64)))
}

/// Returns the entries of a map with indices below `count`, up to the first that is malformed or out of order.
fn spans(map: NameMap<'_>, count: u32) -> Box<[(u32, Span)]> {
    let mut spans: Vec<(u32, Span)> = Vec::new();
    let mut entries = map.names;
    while let Some(Ok(entry)) = entries.next() {
        let increasing = spans.last().is_none_or(|&(last, _)| entry.index > last);
        if !increasing || entry.index >= count {
            break;
        }
        let Some(span) = Span::ending_at(entries.original_position(), entry.name) else { break };
        spans.push((entry.index, span));
    }
    spans.into()
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("module", &self.module_name()).field("funcs", &self.funcs.len()).finish()
    }
}

impl Span {
    fn ending_at(end: u64, text: &str) -> Option<Span> {
        let start = end.checked_sub(text.len() as u64)?;
        Some(Span { start: u32::try_from(start).ok()?, len: u32::try_from(text.len()).ok()? })
    }
}

/// Iterator over the custom sections of a binary, with the name and the range of the contents of each.
#[derive(Clone, Debug)]
pub struct CustomSections<'a>(SectionMap<'a>);

impl<'a> CustomSections<'a> {
    /// Creates an iterator over a binary that begins with the 8-byte header of a module or component.
    pub fn new(bytes: &'a [u8]) -> CustomSections<'a> {
        CustomSections(SectionMap::new(bytes))
    }
}

impl<'a> Iterator for CustomSections<'a> {
    type Item = (&'a str, Range<usize>);

    fn next(&mut self) -> Option<(&'a str, Range<usize>)> {
        let section = self.0.find(Section::is_custom)?;
        Some((section.custom_name, section.contents))
    }
}
