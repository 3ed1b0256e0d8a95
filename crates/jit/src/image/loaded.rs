//! [`LoadedImage`]: an image in code memory, and the way from an address in it to a function's tables.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use wasmr_cache::Container;
use wasmr_core::encoding::Decoder;
use wasmr_module::Module;

use super::{Image, Names};
use crate::error::Unavailable;
use crate::link::{ALIGN, Linker};
use crate::registered::RegisteredCode;
use crate::tables::CodeTables;

/// Bytes of code from which on an image is mapped from its file. Less code is copied, which takes fewer page faults.
const MAP_FROM: usize = 64 << 10;

/// An image in code memory. Its code stays as long as the linker that it was loaded with.
#[derive(Debug)]
pub(crate) struct LoadedImage {
    container: Arc<Container>,
    names: Names,
    module: Arc<Module>,
    start: usize,
    len: usize,
    functions: Box<[LoadedFunction]>,
}

/// A function of an image, found by the offset of its code.
#[derive(Debug)]
struct LoadedFunction {
    code: Range<usize>,
    /// Range in the section of tables.
    tables: Range<usize>,
    /// The function for the registry, once it was looked up.
    registered: OnceLock<Arc<RegisteredCode>>,
}

impl LoadedImage {
    /// Brings the code of an image to code memory. `image` is that of `container` for the kind of memory 0 that `guarded` names.
    ///
    /// # Errors
    /// Returns an error if there is no code memory left.
    pub(crate) fn load(
        container: &Arc<Container>,
        module: &Arc<Module>,
        guarded: bool,
        image: &Image<'_>,
        linker: &mut Linker,
    ) -> Result<LoadedImage, Unavailable> {
        let names = Names::of(guarded);
        let range = container.file_range(names.code).filter(|(.., len)| *len >= MAP_FROM);
        // A file system may forbid executable mappings (`noexec`).
        let mapped = range.and_then(|(file, offset, len)| linker.map(file, offset, len).ok());
        let start = match mapped {
            Some(start) => start,
            None => linker.place(image.code, ALIGN)?,
        };
        let mut tables_end = 0;
        let functions = image.functions.iter().zip(image.ranges()).map(|(function, code)| {
            let tables_start = tables_end;
            tables_end = tables_start + function.tables_len as usize;
            LoadedFunction { code, tables: tables_start..tables_end, registered: OnceLock::new() }
        });
        let functions = functions.collect();
        let (container, module) = (container.clone(), module.clone());
        Ok(LoadedImage { container, names, module, start, len: image.code.len(), functions })
    }

    /// Returns the address of the code.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// Returns the number of bytes of code.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the image as it is in its container.
    pub(crate) fn image(&self, guarded: bool) -> Option<Image<'_>> {
        Image::read(&self.container, &self.module, guarded)
    }

    /// Returns the addresses of the functions' code, in the order of the image's records.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = usize> {
        self.functions.iter().map(|function| self.start + function.code.start)
    }

    /// Returns the function that contains an address.
    pub(crate) fn find(&self, pc: usize) -> Option<&Arc<RegisteredCode>> {
        let offset = pc.checked_sub(self.start).filter(|&offset| offset < self.len)?;
        let after = self.functions.partition_point(|function| function.code.start <= offset);
        let function = &self.functions[after.checked_sub(1)?];
        if !function.code.contains(&offset) {
            return None;
        }
        Some(function.registered.get_or_init(|| {
            let tables = self.container.section(self.names.tables).and_then(|all| all.get(function.tables.clone()));
            let tables = tables.and_then(|bytes| CodeTables::decode(&mut Decoder::new(bytes)));
            // The tables of an entry are as they were written, because its checksum was correct. That of a large precompiled file was not
            // verified. A damaged one has no tables here, and a trap in its code aborts the process.
            let tables = tables.unwrap_or_default();
            let start = self.start + function.code.start;
            Arc::new(RegisteredCode::new(start, function.code.len(), tables, Some(self.module.clone())))
        }))
    }
}
