//! Data and element segments of an instance: records the dropped ones. The module keeps their contents.
//!
//! Items of element segments are evaluated when they are copied. They consist of constants, functions and immutable
//! globals, so that the result is the same at any time, and a segment of 100 000 functions costs one byte.

use wasmr_module::Module;

/// The dropped segments of an instance. A dropped segment behaves as one of length 0.
#[derive(Debug)]
pub(crate) struct Segments {
    elements_dropped: Box<[bool]>,
    data_dropped: Box<[bool]>,
}

impl Segments {
    /// Returns the state of a new instance: no segment is dropped.
    pub(crate) fn new(module: &Module) -> Segments {
        Segments {
            elements_dropped: vec![false; module.elements().len()].into(),
            data_dropped: vec![false; module.data().len()].into(),
        }
    }

    /// Returns the address of one `bool` per data segment, true if it is dropped. Compiled code reads them. The address
    /// stays the same while the instance lives.
    pub(crate) fn data_dropped(&self) -> *const bool {
        self.data_dropped.as_ptr()
    }

    pub(crate) fn drop_element(&mut self, index: u32) {
        self.elements_dropped[index as usize] = true;
    }

    pub(crate) fn drop_data(&mut self, index: u32) {
        self.data_dropped[index as usize] = true;
    }

    /// Returns true if an element segment was dropped.
    pub(crate) fn is_element_dropped(&self, index: u32) -> bool {
        self.elements_dropped[index as usize]
    }

    /// Returns true if a data segment was dropped.
    pub(crate) fn is_data_dropped(&self, index: u32) -> bool {
        self.data_dropped[index as usize]
    }
}
