//! Data and element segments of an instance: records the dropped ones. The module keeps their contents.
//!
//! Items of most element segments are constants, functions and immutable globals. They are evaluated when they are copied: the
//! result is the same at any time, and a segment of 100 000 functions costs one byte. The items of a segment that makes objects
//! are evaluated once, at instantiation, so that each copy has the same objects.

use wasmr_module::Module;

/// The segments of an instance. A dropped segment behaves as one of length 0.
#[derive(Debug)]
pub(crate) struct Segments {
    elements_dropped: Box<[bool]>,
    data_dropped: Box<[bool]>,
    /// Items of the element segments that make objects, by segment.
    evaluated: Vec<(u32, Box<[u64]>)>,
}

impl Segments {
    /// Returns the state of a new instance: no segment is dropped.
    pub(crate) fn new(module: &Module) -> Segments {
        Segments {
            elements_dropped: vec![false; module.elements().len()].into(),
            data_dropped: vec![false; module.data().len()].into(),
            evaluated: Vec::new(),
        }
    }

    /// Returns the address of one `bool` per data segment, true if it is dropped. Compiled code reads them. The address
    /// stays the same while the instance lives.
    pub(crate) fn data_dropped(&self) -> *const bool {
        self.data_dropped.as_ptr()
    }

    pub(crate) fn drop_element(&mut self, index: u32) {
        self.elements_dropped[index as usize] = true;
        if let Ok(place) = self.place(index) {
            self.evaluated.remove(place);
        }
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

    /// Adds an evaluated item of an element segment. Segments are evaluated in order.
    pub(crate) fn add_evaluated(&mut self, index: u32, items: Box<[u64]>) {
        self.evaluated.push((index, items));
    }

    /// Returns the items of an element segment that makes objects.
    pub(crate) fn evaluated(&self, index: u32) -> Option<&[u64]> {
        self.place(index).ok().map(|place| &*self.evaluated[place].1)
    }

    fn place(&self, index: u32) -> Result<usize, usize> {
        self.evaluated.binary_search_by_key(&index, |&(segment, _)| segment)
    }

    /// Passes the evaluated items to the collector.
    pub(crate) fn for_each_root(&self, mark: &mut dyn FnMut(&[u64])) {
        for (_, items) in &self.evaluated {
            mark(items);
        }
    }
}
