//! Data and element segments of an instance: which are dropped. Their contents stay in the module.
//!
//! Items of element segments are evaluated when they are copied, not kept: they consist of constants, functions and
//! immutable globals, so the result is the same at any time, and a segment of 100 000 functions costs one byte.

use wasmr_module::Module;

/// Which segments an instance has dropped. A dropped segment is as one of length 0.
#[derive(Debug)]
pub(crate) struct Segments {
    elements_dropped: Box<[bool]>,
    data_dropped: Box<[bool]>,
}

impl Segments {
    /// All segments of a module, none dropped.
    pub(crate) fn new(module: &Module) -> Segments {
        Segments {
            elements_dropped: vec![false; module.elements().len()].into(),
            data_dropped: vec![false; module.data().len()].into(),
        }
    }

    /// Which data segments are dropped, as machine code reads it: at this address as long as the instance lives.
    pub(crate) fn data_dropped(&self) -> *const bool {
        self.data_dropped.as_ptr()
    }

    pub(crate) fn drop_element(&mut self, index: u32) {
        self.elements_dropped[index as usize] = true;
    }

    pub(crate) fn drop_data(&mut self, index: u32) {
        self.data_dropped[index as usize] = true;
    }

    /// Whether an element segment was dropped.
    pub(crate) fn is_element_dropped(&self, index: u32) -> bool {
        self.elements_dropped[index as usize]
    }

    /// Whether a data segment was dropped.
    pub(crate) fn is_data_dropped(&self, index: u32) -> bool {
        self.data_dropped[index as usize]
    }
}
