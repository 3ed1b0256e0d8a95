//! [`Extern`]: an object that can be imported and exported, as a handle
//! ([spec](https://webassembly.github.io/spec/core/exec/runtime.html#external-addresses)).

use wasmr_core::types::ExternType;

use crate::context::AsContext;
use crate::func::Func;
use crate::global::Global;
use crate::memory::Memory;
use crate::shared_memory::SharedMemory;
use crate::store::StoreInner;
use crate::table::Table;
use crate::tag::Tag;

/// An import or export of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A table.
    Table(Table),
    /// A memory of the store.
    Memory(Memory),
    /// A memory that threads share.
    SharedMemory(SharedMemory),
    /// A global.
    Global(Global),
    /// An exception tag.
    Tag(Tag),
}

impl Extern {
    /// Returns the current type: that of a memory or table has its current size as minimum.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        self.current_type(store.as_context().inner())
    }

    #[track_caller]
    pub(crate) fn current_type(&self, store: &StoreInner) -> ExternType {
        match self {
            Extern::Func(func) => ExternType::Func(func.type_id(store)),
            Extern::Table(table) => ExternType::Table(table.0.get(store).current_type()),
            Extern::Memory(memory) => ExternType::Memory(memory.0.get(store).current_type()),
            Extern::SharedMemory(memory) => ExternType::Memory(memory.current_type()),
            Extern::Global(global) => {
                global.handle.check(store);
                ExternType::Global(global.ty)
            }
            Extern::Tag(tag) => ExternType::Tag(tag.0.get(store).type_id),
        }
    }

    /// Returns the function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        if let Extern::Func(func) = self { Some(func) } else { None }
    }

    /// Returns the table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        if let Extern::Table(table) = self { Some(table) } else { None }
    }

    /// Returns the shared memory, if it is one.
    pub fn into_shared_memory(self) -> Option<SharedMemory> {
        if let Extern::SharedMemory(memory) = self { Some(memory) } else { None }
    }

    /// Returns the memory, if it is one that no other thread shares.
    pub fn into_memory(self) -> Option<Memory> {
        if let Extern::Memory(memory) = self { Some(memory) } else { None }
    }

    /// Returns the global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        if let Extern::Global(global) = self { Some(global) } else { None }
    }

    /// Returns the tag, if it is one.
    pub fn into_tag(self) -> Option<Tag> {
        if let Extern::Tag(tag) = self { Some(tag) } else { None }
    }
}

/// Implements `From` for each kind of object.
macro_rules! from_kinds {
    ($($kind:ident)*) => {$(
        impl From<$kind> for Extern {
            fn from(object: $kind) -> Extern {
                Extern::$kind(object)
            }
        }
    )*};
}

from_kinds! { Func Table Memory SharedMemory Global Tag }
