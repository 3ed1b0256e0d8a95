//! [`Descriptors`]: the type descriptors of a heap, by canonical type.

use std::collections::HashMap;

use wasmr_core::layout::{HEADER, Layout, Stored};
use wasmr_core::registry::TypeRegistry;
use wasmr_core::types::TypeId;

use super::blocks::Blocks;
use crate::vm_gc::{DISPLAY, Kind, MORE_REFS, VmDescriptor};

/// The descriptors of a heap.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    by_type: HashMap<TypeId, u32>,
    /// Offsets of the references of structs that have them beyond the 63rd word.
    references: HashMap<u32, Box<[u32]>>,
}

impl Descriptors {
    /// Returns the offsets of the references in objects of a descriptor with [`MORE_REFS`].
    pub(super) fn references(&self, descriptor: u32) -> &[u32] {
        self.references.get(&descriptor).map_or(&[], |offsets| offsets)
    }

    /// Returns the descriptor of a type, which it makes if there is none. Returns `None` if the heap's limit is reached, or for
    /// a function type.
    pub(super) fn get_or_make(
        &mut self,
        blocks: &mut Blocks,
        registry: &TypeRegistry,
        id: TypeId,
        layout: &Layout,
    ) -> Option<u32> {
        if let Some(&descriptor) = self.by_type.get(&id) {
            return Some(descriptor);
        }
        // The ancestors from the root on. Validation bounds their number to 63.
        let mut display = Vec::new();
        let mut ancestor = registry.get(id)?.supertype;
        while let Some(id) = ancestor {
            let ty = registry.get(id)?;
            display.push(self.get_or_make(blocks, registry, id, &Layout::of(registry, &ty)?)?);
            ancestor = ty.supertype;
        }
        display.reverse();
        let depth = display.len() as u32;
        let display_len = (display.len() + 1).max(DISPLAY) as u32;
        let more = 4 * (display_len - DISPLAY as u32);
        let at = blocks.allocate_descriptor((size_of::<VmDescriptor>() as u32 + more).next_multiple_of(8))?;
        display.push(at);
        display.resize(display_len as usize, 0);
        let (kind, size, refs) = match layout {
            Layout::Array(element) => (Kind::ARRAY, element.stored.size(), u64::from(element.stored == Stored::Ref)),
            Layout::Struct(layout) => {
                let offsets =
                    layout.fields.iter().filter(|field| field.stored == Stored::Ref).map(|field| field.offset);
                let offsets: Box<[u32]> = offsets.collect();
                let refs = match offsets.last() {
                    Some(&last) if (last - HEADER) / 4 >= 63 => {
                        self.references.insert(at, offsets);
                        MORE_REFS
                    }
                    _ => offsets.iter().fold(0, |refs, offset| refs | 1 << ((offset - HEADER) / 4)),
                };
                (Kind::STRUCT, layout.size, refs)
            }
        };
        let (first, rest) = display.split_at(DISPLAY);
        let descriptor = VmDescriptor {
            kind,
            type_id: id,
            size,
            depth,
            refs,
            display_len,
            display: first.try_into().expect("the display has at least so many entries"),
        };
        blocks.memory.write(at, descriptor);
        for (index, &entry) in (0..).zip(rest) {
            blocks.memory.write_u32(at + size_of::<VmDescriptor>() as u32 + 4 * index, entry);
        }
        self.by_type.insert(id, at);
        Some(at)
    }

    /// Makes the descriptor of objects without a defined type.
    pub(super) fn make_own(blocks: &mut Blocks, kind: Kind) -> Option<u32> {
        let at = blocks.allocate_descriptor((size_of::<VmDescriptor>() as u32).next_multiple_of(8))?;
        let display_len = DISPLAY as u32;
        let none = TypeId(u32::MAX);
        blocks.memory.write(
            at,
            VmDescriptor { kind, type_id: none, size: 0, depth: 0, refs: 0, display_len, display: [0; DISPLAY] },
        );
        Some(at)
    }
}
