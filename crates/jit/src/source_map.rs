//! The source map of a compiled function: from Cranelift's source locations to the operators of the module.
//!
//! The translator gives each Cranelift instruction a source location, a 32-bit number that Cranelift carries along to the
//! machine code ([`SourceLoc`](cranelift_codegen::ir::SourceLoc)). An operator of the function itself has its distance from the
//! start of the body as its location. Each inlined body gets a range of locations of its own, after all ranges before, and
//! keeps the location of the call that it replaces. One number thus identifies an operator and all inlined calls around it.

use wasmr_core::encoding::{Decoder, Encoder};
use wasmr_module::Module;

/// The bodies that a compiled function consists of, its own first, with their ranges of source locations.
#[derive(Clone, Debug)]
pub struct SourceMap {
    bodies: Vec<MappedBody>,
    /// Index of the body that is being translated.
    current: usize,
    /// First location after all ranges.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct MappedBody {
    /// The function's index in its module.
    func_index: u32,
    /// Offset of the body in the module.
    offset: usize,
    /// First location of the body's range.
    start: u32,
    /// For an inlined body: the location of the call that it replaces, and the index of the body which contains that call.
    call: Option<(u32, usize)>,
}

/// Position of an operator in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WasmPc {
    /// The function's index in its module.
    pub func_index: u32,
    /// Offset of the operator in the module.
    pub offset: usize,
}

impl SourceMap {
    /// Creates the source map of a defined function without inlined bodies.
    pub(crate) fn new(module: &Module, defined_index: u32) -> SourceMap {
        let mut map = SourceMap { bodies: Vec::new(), current: 0, next: 0 };
        map.add(module, defined_index, None);
        map
    }

    fn add(&mut self, module: &Module, defined_index: u32, call: Option<(u32, usize)>) {
        let body = module.body(defined_index);
        let func_index = module.imported_func_count() + defined_index;
        self.bodies.push(MappedBody { func_index, offset: body.offset, start: self.next, call });
        // One more than the body's bytes: its end has a location, too.
        self.next += body.bytes.len() as u32 + 1;
    }

    /// Begins a body that replaces a call at `offset` in the current body. Returns the argument for
    /// [`close_inlined`](SourceMap::close_inlined).
    pub(crate) fn open_inlined(&mut self, module: &Module, defined_index: u32, offset: usize) -> usize {
        let (call, caller) = (self.location(offset), self.current);
        self.add(module, defined_index, Some((call, caller)));
        self.current = self.bodies.len() - 1;
        caller
    }

    /// Returns to the body that was current before [`open_inlined`](SourceMap::open_inlined).
    pub(crate) fn close_inlined(&mut self, caller: usize) {
        self.current = caller;
    }

    /// Returns the source location of the operator at `offset` in the current body.
    pub(crate) fn location(&self, offset: usize) -> u32 {
        let body = &self.bodies[self.current];
        body.start + (offset - body.offset) as u32
    }

    /// Returns the compiled function's index in its module.
    pub(crate) fn func_index(&self) -> u32 {
        self.bodies[0].func_index
    }

    /// Returns the operator at a source location and the inlined calls around it, innermost first. Returns an empty list for
    /// code of no operator, such as a prologue, whose location is in no range.
    pub fn wasm_pcs(&self, location: u32) -> Vec<WasmPc> {
        if location >= self.next {
            return Vec::new();
        }
        let after = self.bodies.partition_point(|body| body.start <= location);
        let mut pcs = Vec::new();
        let mut next = after.checked_sub(1).map(|index| (location, index));
        while let Some((location, index)) = next {
            let body = &self.bodies[index];
            let offset = body.offset + (location - body.start) as usize;
            pcs.push(WasmPc { func_index: body.func_index, offset });
            next = body.call;
        }
        pcs
    }

    /// Appends the map to an image.
    pub(crate) fn encode(&self, out: &mut Encoder) {
        out.list(&self.bodies, |out, body| {
            out.u32(body.func_index);
            out.u32(offset_u32(body.offset));
            out.u32(body.start);
            out.option(body.call.map(|(location, _)| location));
            if let Some((_, index)) = body.call {
                out.u32(offset_u32(index));
            }
        });
        out.u32(self.next);
    }

    /// Appends the absence of a map, which is a map without bodies.
    pub(crate) fn encode_none(out: &mut Encoder) {
        out.list::<()>(&[], |_, ()| {});
        out.u32(0);
    }

    /// Reads a map, or its absence. Returns `None` if the bytes are neither.
    pub(crate) fn decode(from: &mut Decoder<'_>) -> Option<Option<SourceMap>> {
        let bodies = from.list(|from| {
            let (func_index, offset, start) = (from.u32()?, from.u32()? as usize, from.u32()?);
            let call = match from.option()? {
                Some(location) => Some((location, from.u32()? as usize)),
                None => None,
            };
            Some(MappedBody { func_index, offset, start, call })
        })?;
        let next = from.u32()?;
        // A body is called by one before it, so that `wasm_pcs` comes to an end.
        let is_called_before = |(index, body): (usize, &MappedBody)| body.call.is_none_or(|(_, caller)| caller < index);
        if !bodies.iter().enumerate().all(is_called_before) {
            return None;
        }
        Some((!bodies.is_empty()).then_some(SourceMap { bodies, current: 0, next }))
    }
}

/// Converts an offset in a module, or the index of a body: both are smaller than the module, which has less than 4 GiB.
fn offset_u32(offset: usize) -> u32 {
    u32::try_from(offset).expect("a module has less than 4 GiB")
}
