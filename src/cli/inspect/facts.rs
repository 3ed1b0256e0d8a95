//! The facts about a module, as plain data.
//!
//! In: an [`Inspection`], a valid module. Out: [`Facts`]. Names are neither demangled nor escaped. Lists are complete and in the
//! module's order.

use std::cmp::Reverse;

use wasmr::{ExternKind, ExternType, Feature, Inspection};
use wasmr_core::type_text::TypeText;
use wasmr_module::ExtendedNames;

use crate::cli::load;

/// Number of the largest functions that are listed.
const LARGEST: usize = 10;

/// Contents of a module.
pub struct Facts<'a> {
    pub file: String,
    pub name: Option<&'a str>,
    pub bytes: usize,
    pub features: Vec<Feature>,
    /// The reason why wasmr refuses to run the module, if it does.
    pub refusal: Option<String>,
    pub types: Vec<TypeFacts<'a>>,
    pub imports: Vec<Port<'a>>,
    pub exports: Vec<Port<'a>>,
    pub memories: Vec<Object<'a>>,
    pub tables: Vec<Object<'a>>,
    pub globals: Vec<Object<'a>>,
    pub tags: Vec<Object<'a>>,
    pub functions: Functions<'a>,
    pub elements: Segments,
    pub data: Segments,
    pub sections: Vec<SectionFacts<'a>>,
    pub producers: Vec<Producer<'a>>,
}

/// An import or export.
pub struct Port<'a> {
    /// First part of an import's name; `None` for an export.
    pub module: Option<&'a str>,
    pub name: &'a str,
    pub kind: &'static str,
    /// Index in the index space of the kind.
    pub index: u32,
    pub ty: String,
}

/// A type.
pub struct TypeFacts<'a> {
    pub name: Option<&'a str>,
    /// The type, with names or indices in place of other types.
    pub text: String,
}

/// A memory, table, global or tag.
pub struct Object<'a> {
    /// Name in the name section.
    pub name: Option<&'a str>,
    pub imported: bool,
    pub ty: String,
    pub detail: Detail,
}

/// Parts of an object's type, so that tools need not parse the type's text.
pub enum Detail {
    /// A memory, with limits in pages, or a table, with limits in elements.
    Sized {
        min: u64,
        max: Option<u64>,
        is64: bool,
        shared: bool,
        page_size: u64,
        element: Option<String>,
    },
    Global {
        content: String,
        mutable: bool,
    },
    Tag,
}

/// The functions.
pub struct Functions<'a> {
    pub imported: u32,
    pub defined: u32,
    /// Bytes of the code section.
    pub code_bytes: usize,
    pub start: Option<u32>,
    pub largest: Vec<FuncFacts<'a>>,
}

/// One function.
pub struct FuncFacts<'a> {
    pub index: u32,
    pub name: Option<&'a str>,
    /// Size of the body in bytes, locals included.
    pub bytes: usize,
}

/// All segments of a kind.
pub struct Segments {
    pub count: usize,
    /// Bytes of data or number of elements.
    pub size: u64,
}

/// One section.
pub struct SectionFacts<'a> {
    pub kind: &'static str,
    /// Name of a custom section.
    pub name: Option<&'a str>,
    pub offset: usize,
    pub bytes: usize,
    pub items: Option<u32>,
}

/// One tool that made the module.
pub struct Producer<'a> {
    pub field: &'a str,
    pub name: &'a str,
    pub version: &'a str,
}

impl<'a> Facts<'a> {
    /// Collects the facts of a module. `file` is its path as typed.
    pub fn of(decls: &'a Inspection, file: &str) -> Facts<'a> {
        let names = ExtendedNames::read(decls);
        let printer = TypeText::with_names(decls.registry(), &names);
        let text = |ty: &ExternType| printer.extern_type(ty);
        let index_of = |index: usize| index as u32;
        let threads = load::threads();

        let types = (0..decls.type_count())
            .map(|index| TypeFacts { name: names.type_name(index), text: printer.defined_type(decls.type_id(index)) });

        let mut next = [0u32; 5];
        let imports = decls.imports().iter().map(|import| {
            let (kind, at) = kind_of(&import.ty);
            next[at] += 1;
            let index = next[at] - 1;
            Port { module: Some(&*import.module), name: &import.name, kind, index, ty: text(&import.ty) }
        });
        let imports = imports.collect();
        let exports = decls.exports().iter().map(|export| {
            let ty = decls.export_type(export);
            Port { module: None, name: &export.name, kind: kind_of(&ty).0, index: export.index, ty: text(&ty) }
        });

        let memories = decls.memories().iter().enumerate().map(|(index, ty)| Object {
            name: names.memory_name(index_of(index)),
            imported: index_of(index) < decls.imported_memory_count(),
            ty: text(&ExternType::Memory(*ty)),
            detail: Detail::Sized {
                min: ty.limits.min,
                max: ty.limits.max,
                is64: ty.is64,
                shared: ty.shared,
                page_size: 1 << ty.page_size_log2,
                element: None,
            },
        });
        let tables = decls.tables().iter().enumerate().map(|(index, table)| Object {
            name: names.table_name(index_of(index)),
            imported: index_of(index) < decls.imported_table_count(),
            ty: text(&ExternType::Table(table.ty)),
            detail: Detail::Sized {
                min: table.ty.limits.min,
                max: table.ty.limits.max,
                is64: table.ty.is64,
                shared: false,
                page_size: 1,
                element: Some(printer.val_type(wasmr::ValType::Ref(table.ty.element))),
            },
        });
        let globals = decls.globals().iter().enumerate().map(|(index, global)| Object {
            name: names.global_name(index_of(index)),
            imported: index_of(index) < decls.imported_global_count(),
            ty: text(&ExternType::Global(global.ty)),
            detail: Detail::Global { content: printer.val_type(global.ty.content), mutable: global.ty.mutable },
        });
        let tags = decls.tags().iter().enumerate().map(|(index, &id)| Object {
            name: decls.names().tag_name(index_of(index)),
            imported: index_of(index) < decls.imported_tag_count(),
            ty: text(&ExternType::Tag(id)),
            detail: Detail::Tag,
        });

        let sections: Vec<_> = decls
            .sections()
            .map(|section| SectionFacts {
                kind: section.kind(),
                name: section.is_custom().then_some(section.custom_name),
                offset: section.contents.start,
                bytes: section.contents.len(),
                items: section.items,
            })
            .collect();
        let code_bytes = decls.sections().filter(|section| section.is_code()).map(|code| code.contents.len()).sum();
        let producers = decls.producers().into_iter().flat_map(|producers| {
            let field = producers.field;
            producers.values.into_iter().map(move |(name, version)| Producer { field, name, version })
        });

        Facts {
            file: file.to_string(),
            name: decls.names().module_name(),
            bytes: decls.bytes().len(),
            features: decls.required_features(),
            refusal: decls.refusal(threads).map(|error| error.message_with_place()),
            types: types.collect(),
            imports,
            exports: exports.collect(),
            memories: memories.collect(),
            tables: tables.collect(),
            globals: globals.collect(),
            tags: tags.collect(),
            functions: Functions {
                imported: decls.imported_func_count(),
                defined: decls.defined_func_count(),
                code_bytes,
                start: decls.start(),
                largest: largest(decls),
            },
            elements: Segments {
                count: decls.elements().len(),
                size: decls.elements().iter().map(|segment| segment.items.len() as u64).sum(),
            },
            data: Segments {
                count: decls.data().len(),
                size: decls.data().iter().map(|segment| segment.range.len() as u64).sum(),
            },
            sections,
            producers: producers.collect(),
        }
    }
}

/// Returns the largest functions, largest first.
fn largest(decls: &Inspection) -> Vec<FuncFacts<'_>> {
    let mut order: Vec<(usize, u32)> =
        (0..decls.defined_func_count()).map(|defined| (decls.body(defined).bytes.len(), defined)).collect();
    order.sort_by_key(|&(bytes, defined)| (Reverse(bytes), defined));
    order.truncate(LARGEST);
    let facts = order.into_iter().map(|(bytes, defined)| {
        let index = decls.imported_func_count() + defined;
        let exported = || {
            let exports = decls.exports().iter();
            exports.filter(|export| export.kind == ExternKind::Func).find(|export| export.index == index)
        };
        let name = decls.names().func_name(index).or_else(|| exported().map(|export| &*export.name));
        FuncFacts { index, name, bytes }
    });
    facts.collect()
}

/// Returns the name of a kind of import or export, and a number for it.
fn kind_of(ty: &ExternType) -> (&'static str, usize) {
    match ty {
        ExternType::Func(_) => ("func", 0),
        ExternType::Table(_) => ("table", 1),
        ExternType::Memory(_) => ("memory", 2),
        ExternType::Global(_) => ("global", 3),
        ExternType::Tag(_) => ("tag", 4),
    }
}
