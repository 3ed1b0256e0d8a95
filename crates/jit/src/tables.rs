//! [`CodeTables`]: the tables of a compiled function, by which traps, exceptions and backtraces find their way from an offset in the
//! code. `compile` makes them, `registry` looks offsets up in them, and an [image](crate::image) keeps them in encoded form.

use wasmr_core::encoding::{Decoder, Encoder};
use wasmr_core::trap::TrapCode;

use crate::source_map::{SourceMap, WasmPc};

/// The tables of one piece of code. All offsets are from the start of the code.
#[derive(Debug, Default)]
pub(crate) struct CodeTables {
    /// Offsets and trap codes of the instructions that may trap, in order of offsets.
    pub traps: Vec<(u32, TrapCode)>,
    /// Calls with landing pads, in order of offsets.
    pub call_sites: Vec<CallSite>,
    /// Pairs of an offset and the source location of the code from there on, in order of offsets.
    pub source_locations: Vec<(u32, u32)>,
    /// Meaning of the source locations. `None` for trampolines, which are not code of a function of a module.
    pub source_map: Option<SourceMap>,
}

/// A call that an exception may leave for a landing pad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallSite {
    /// Offset of the instruction that the call returns to.
    pub return_offset: u32,
    /// Bytes from the stack pointer at the call up to the frame pointer.
    pub frame_offset: u32,
    /// Bytes from that stack pointer up to the word which holds the instance. `None` if no landing pad names a tag.
    pub instance_offset: Option<u32>,
    /// Landing pads, in the order in which their clauses are tried.
    pub landing_pads: Vec<LandingPad>,
}

/// A landing pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LandingPad {
    pub landing: LandingTag,
    /// Offset of the landing pad's first instruction.
    pub code: u32,
}

/// The exceptions that a landing pad takes, and the form in which it takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LandingTag {
    /// Offset of the tag's pointer in the instance. `None` for any exception.
    pub tag: Option<u32>,
    /// True if the landing pad needs the reference of the exception, not just the payload.
    pub with_reference: bool,
}

impl LandingTag {
    /// Returns the landing tag as a word, which [`from_word`](LandingTag::from_word) reads. An offset is a multiple of 8 and not
    /// 0, where the instance's header is.
    pub(crate) fn word(self) -> u32 {
        self.tag.unwrap_or(0) | u32::from(self.with_reference)
    }

    pub(crate) fn from_word(word: u32) -> LandingTag {
        let tag = word & !1;
        LandingTag { tag: (tag != 0).then_some(tag), with_reference: word & 1 != 0 }
    }
}

impl CodeTables {
    /// Brings the tables into the order of offsets. Cranelift returns them so, but does not promise it.
    pub(crate) fn sort(&mut self) {
        self.traps.sort_by_key(|&(offset, _)| offset);
        self.call_sites.sort_by_key(|site| site.return_offset);
        self.source_locations.sort_by_key(|&(offset, _)| offset);
    }

    /// Returns the trap code of the instruction at `offset`, or `None` if it cannot trap.
    pub(crate) fn trap(&self, offset: u32) -> Option<TrapCode> {
        let index = self.traps.binary_search_by_key(&offset, |&(offset, _)| offset).ok()?;
        Some(self.traps[index].1)
    }

    /// Returns the call site that returns to `offset`, or `None` if the call has no landing pads.
    pub(crate) fn call_site(&self, offset: u32) -> Option<&CallSite> {
        let index = self.call_sites.binary_search_by_key(&offset, |site| site.return_offset).ok()?;
        Some(&self.call_sites[index])
    }

    /// Returns the operator that the code at `offset` belongs to and the inlined calls around it, innermost first. Returns an empty
    /// list for code of no operator.
    pub(crate) fn wasm_pcs(&self, offset: u32) -> Vec<WasmPc> {
        let after = self.source_locations.partition_point(|&(start, _)| start <= offset);
        match (&self.source_map, after.checked_sub(1)) {
            (Some(map), Some(index)) => map.wasm_pcs(self.source_locations[index].1),
            _ => Vec::new(),
        }
    }

    /// Appends the tables to an image.
    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.list(&self.traps, |out, &(offset, code)| {
            out.u32(offset);
            out.u32(code as u32);
        });
        out.list(&self.call_sites, |out, site| {
            out.u32(site.return_offset);
            out.u32(site.frame_offset);
            out.option(site.instance_offset);
            out.list(&site.landing_pads, |out, pad| {
                out.u32(pad.landing.word());
                out.u32(pad.code);
            });
        });
        // Offsets rise, and neighbouring locations are near, so that most differences take a byte.
        let (mut last_offset, mut last_location) = (0, 0);
        out.list(&self.source_locations, |out, &(offset, location)| {
            out.u32(offset.wrapping_sub(last_offset));
            out.difference(last_location, location);
            (last_offset, last_location) = (offset, location);
        });
        match &self.source_map {
            Some(map) => map.encode(out),
            None => SourceMap::encode_none(out),
        }
    }

    /// Reads tables that [`encode`](CodeTables::encode) wrote. Returns `None` if they are something else.
    pub(crate) fn decode(from: &mut Decoder<'_>) -> Option<CodeTables> {
        let traps = from.list(|from| Some((from.u32()?, *TrapCode::ALL.get(from.u32()? as usize)?)))?;
        let landing_pad = |from: &mut Decoder<'_>| {
            Some(LandingPad { landing: LandingTag::from_word(from.u32()?), code: from.u32()? })
        };
        let call_sites = from.list(|from| {
            Some(CallSite {
                return_offset: from.u32()?,
                frame_offset: from.u32()?,
                instance_offset: from.option()?,
                landing_pads: from.list(landing_pad)?,
            })
        })?;
        let (mut offset, mut location) = (0u32, 0);
        let source_locations = from.list(|from| {
            offset = offset.wrapping_add(from.u32()?);
            location = from.difference(location)?;
            Some((offset, location))
        })?;
        let source_map = SourceMap::decode(from)?;
        Some(CodeTables { traps, call_sites, source_locations, source_map })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> CallSite {
        let pad = |tag, with_reference, code| LandingPad { landing: LandingTag { tag, with_reference }, code };
        let landing_pads = vec![pad(Some(16), true, 300), pad(Some(24), false, 400), pad(None, true, 20)];
        CallSite { return_offset: 9, frame_offset: 48, instance_offset: Some(8), landing_pads }
    }

    fn tables() -> CodeTables {
        let mut tables = CodeTables {
            traps: vec![(12, TrapCode::MemoryOutOfBounds), (4, TrapCode::Unreachable)],
            call_sites: vec![site()],
            source_locations: vec![(0, 7), (9, u32::MAX), (200, 3)],
            source_map: None,
        };
        tables.sort();
        tables
    }

    #[test]
    fn traps_and_calls_are_found_by_their_very_offset() {
        let tables = tables();
        assert_eq!(tables.trap(4), Some(TrapCode::Unreachable));
        assert_eq!(tables.trap(12), Some(TrapCode::MemoryOutOfBounds));
        assert_eq!(tables.trap(5), None);
        assert_eq!(tables.call_site(9), Some(&site()));
        assert_eq!(tables.call_site(8), None);
        assert_eq!(tables.wasm_pcs(4), []);
    }

    #[test]
    fn encoded_tables_are_the_same() {
        let mut out = Encoder::default();
        tables().encode(&mut out);
        let bytes = out.into_bytes();
        let read = CodeTables::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", tables()));
        for len in 0..bytes.len() {
            assert!(CodeTables::decode(&mut Decoder::new(&bytes[..len])).is_none(), "{len}");
        }
    }
}
