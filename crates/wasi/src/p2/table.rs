//! [`Table`]: the resources of the host that a guest of WASI 0.2 holds.
//!
//! In: objects that host functions make. Out: numbers (*representations*), which the guest's handles carry, and the objects
//! again. A guest sees only handles; the handle table of the canonical ABI checks these, and the table checks the rest: a number
//! of a wrong kind, or of an object that is gone, is an error that names both kinds, never another object.
//!
//! # Parents and children
//! Some objects use another one: a pollable its stream, a stream its file. The [`Bond`] says what happens if the parent is
//! dropped first. With [`Bond::Strict`] the guest has broken a rule of the interface and traps. With [`Bond::Keep`] the parent
//! stays, without a handle, until the last of these children is dropped: a stream of a file can be read after its descriptor was
//! dropped, and the descriptor goes on counting towards `max_fds`.
//!
//! # Why an enum?
//! The kinds are known. An enum needs no allocation per object, and its `match` makes the compiler list each place that a new
//! kind concerns.

use std::fmt;
use std::marker::PhantomData;

use thiserror::Error;

use super::filesystem::{Descriptor, DirectoryEntryStream};
use super::input::InputStream;
use super::io::IoError;
use super::output::OutputStream;
use super::poll::Pollable;
use super::sockets::{
    IncomingDatagramStream, Network, OutgoingDatagramStream, ResolveAddressStream, TcpSocket, UdpSocket,
};
use super::terminal::{TerminalInput, TerminalOutput};

/// Largest number of objects that a guest holds at a time. A guest that opens more has a leak.
pub const MAX_OBJECTS: usize = 1 << 18;

/// Bits of a representation that are the index of its slot. The others are a part of the slot's generation.
const INDEX_BITS: u32 = 18;

const _: () = assert!(MAX_OBJECTS == 1 << INDEX_BITS);

/// A broken rule of the table. The guest traps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TableError {
    /// The guest holds [`MAX_OBJECTS`] objects.
    #[error("cannot make another {0}: the program holds {MAX_OBJECTS} resources of the host")]
    Full(&'static str),
    /// The object was dropped.
    #[error("the {0} does not exist any more")]
    Gone(&'static str),
    /// The object has another kind.
    #[error("a {wanted} was expected, but the resource is a {found}")]
    WrongKind {
        /// Kind that the function needs.
        wanted: &'static str,
        /// Kind of the object.
        found: &'static str,
    },
    /// A parent was dropped before its children.
    #[error("the {parent} was dropped, but {count} {child}{} of it {} left", if *count == 1 { "" } else { "s" }, if *count == 1 { "is" } else { "are" })]
    HasChildren {
        /// Kind of the dropped object.
        parent: &'static str,
        /// Kind of its first child.
        child: &'static str,
        /// Number of children.
        count: u32,
    },
}

/// A kind of object: its name in WIT, and its variant of [`Object`].
pub trait Kind: Sized {
    /// Name in WIT.
    const NAME: &'static str;
    /// Wraps the object.
    fn into_object(self) -> Object;
    /// Returns the object if it is of this kind.
    fn of(object: &Object) -> Option<&Self>;
    /// Returns the object if it is of this kind, mutably.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
}

/// Declares [`Object`]: one row per kind, `Variant "name in WIT"`. The type has the variant's name.
macro_rules! objects {
    ($($name:ident $text:literal;)*) => {
        /// An object of the host.
        #[derive(Debug)]
        pub enum Object {
            $(#[doc = concat!("A `", $text, "`.")] $name($name),)*
        }

        impl Object {
            /// Returns the kind's name in WIT.
            pub fn kind(&self) -> &'static str {
                match self { $(Object::$name(_) => $text,)* }
            }
        }

        $(impl Kind for $name {
            const NAME: &'static str = $text;

            fn into_object(self) -> Object {
                Object::$name(self)
            }

            fn of(object: &Object) -> Option<&Self> {
                match object {
                    Object::$name(object) => Some(object),
                    _ => None,
                }
            }

            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                match object {
                    Object::$name(object) => Some(object),
                    _ => None,
                }
            }
        })*
    };
}

objects! {
    IoError                "error";
    Pollable               "pollable";
    InputStream            "input-stream";
    OutputStream           "output-stream";
    TerminalInput          "terminal-input";
    TerminalOutput         "terminal-output";
    Descriptor             "descriptor";
    DirectoryEntryStream   "directory-entry-stream";
    Network                "network";
    TcpSocket              "tcp-socket";
    UdpSocket              "udp-socket";
    IncomingDatagramStream "incoming-datagram-stream";
    OutgoingDatagramStream "outgoing-datagram-stream";
    ResolveAddressStream   "resolve-address-stream";
}

/// Representation of an object that the guest, or the function at work, owns.
pub struct Own<T> {
    rep: u32,
    kind: PhantomData<fn() -> T>,
}

/// Representation of an object that is lent to a function for one call.
pub struct Borrow<T> {
    rep: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Own<T> {
    /// Returns the object with this representation.
    pub fn from_rep(rep: u32) -> Self {
        Own { rep, kind: PhantomData }
    }

    /// Returns the representation.
    pub fn rep(&self) -> u32 {
        self.rep
    }

    /// Lends the object.
    pub fn borrow(&self) -> Borrow<T> {
        Borrow::from_rep(self.rep)
    }
}

impl<T> Borrow<T> {
    /// Returns the object with this representation.
    pub fn from_rep(rep: u32) -> Self {
        Borrow { rep, kind: PhantomData }
    }

    /// Returns the representation.
    pub fn rep(&self) -> u32 {
        self.rep
    }
}

impl<T> Clone for Borrow<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Borrow<T> {}

impl<T: Kind> fmt::Debug for Own<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "own {} {}", T::NAME, self.rep)
    }
}

impl<T: Kind> fmt::Debug for Borrow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "borrowed {} {}", T::NAME, self.rep)
    }
}

impl<T> PartialEq for Own<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rep == other.rep
    }
}

/// Relation of a child to its parent: the consequence of dropping the parent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    /// The guest traps.
    Strict,
    /// The parent stays until this child is dropped.
    Keep,
}

#[derive(Debug)]
struct Entry {
    object: Object,
    /// Slot of the parent.
    parent: Option<(u32, Bond)>,
    /// Number of children with [`Bond::Strict`].
    strict: u32,
    /// Number of children with [`Bond::Keep`].
    keeping: u32,
    /// True if the guest dropped its handle.
    dropped: bool,
}

#[derive(Debug)]
struct Slot {
    /// Number of objects that the slot has had.
    generation: u32,
    entry: Option<Entry>,
}

/// The objects that a guest holds.
#[derive(Debug, Default)]
pub struct Table {
    slots: Vec<Slot>,
    /// Free slots; the last one is used next.
    free: Vec<u32>,
}

impl Table {
    /// Adds an object.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn push<T: Kind>(&mut self, object: T) -> Result<Own<T>, TableError> {
        self.insert(object, None)
    }

    /// Adds an object that uses `parent`.
    ///
    /// # Errors
    /// [`TableError::Full`], and as for [`get`](Table::get) for the parent.
    pub fn push_child<T: Kind, P: Kind>(
        &mut self,
        object: T,
        parent: Borrow<P>,
        bond: Bond,
    ) -> Result<Own<T>, TableError> {
        let index = self.index::<P>(parent.rep)?;
        let child = self.insert(object, Some((index as u32, bond)))?;
        if let Some(entry) = &mut self.slots[index].entry {
            match bond {
                Bond::Strict => entry.strict += 1,
                Bond::Keep => entry.keeping += 1,
            }
        }
        Ok(child)
    }

    fn insert<T: Kind>(&mut self, object: T, parent: Option<(u32, Bond)>) -> Result<Own<T>, TableError> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < MAX_OBJECTS => {
                self.slots.push(Slot { generation: 0, entry: None });
                self.slots.len() as u32 - 1
            }
            None => return Err(TableError::Full(T::NAME)),
        };
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let object = object.into_object();
        slot.entry = Some(Entry { object, parent, strict: 0, keeping: 0, dropped: false });
        Ok(Own::from_rep(slot.generation << INDEX_BITS | index))
    }

    /// Returns the slot of an object that the guest has a handle of.
    fn index<T: Kind>(&self, rep: u32) -> Result<usize, TableError> {
        let index = (rep & (MAX_OBJECTS as u32 - 1)) as usize;
        let gone = TableError::Gone(T::NAME);
        let slot = self.slots.get(index).filter(|slot| slot.generation << INDEX_BITS | index as u32 == rep);
        let entry = slot.and_then(|slot| slot.entry.as_ref()).filter(|entry| !entry.dropped).ok_or(gone)?;
        match T::of(&entry.object) {
            Some(_) => Ok(index),
            None => Err(TableError::WrongKind { wanted: T::NAME, found: entry.object.kind() }),
        }
    }

    /// Returns an object.
    ///
    /// # Errors
    /// [`TableError::Gone`] or [`TableError::WrongKind`].
    pub fn get<T: Kind>(&self, object: Borrow<T>) -> Result<&T, TableError> {
        let entry = self.slots[self.index::<T>(object.rep)?].entry.as_ref();
        entry.and_then(|entry| T::of(&entry.object)).ok_or(TableError::Gone(T::NAME))
    }

    /// Returns an object, mutably.
    ///
    /// # Errors
    /// As for [`get`](Table::get).
    pub fn get_mut<T: Kind>(&mut self, object: Borrow<T>) -> Result<&mut T, TableError> {
        let index = self.index::<T>(object.rep)?;
        let entry = self.slots[index].entry.as_mut();
        entry.and_then(|entry| T::of_mut(&mut entry.object)).ok_or(TableError::Gone(T::NAME))
    }

    /// Returns the parent of an object, if it has one.
    pub(crate) fn parent<T: Kind>(&self, object: Borrow<T>) -> Result<Option<&Object>, TableError> {
        let entry = self.slots[self.index::<T>(object.rep)?].entry.as_ref();
        let parent = entry.and_then(|entry| entry.parent);
        Ok(parent.and_then(|(index, _)| self.slots[index as usize].entry.as_ref()).map(|entry| &entry.object))
    }

    /// Returns the parent of an object, mutably, if it has one.
    pub(crate) fn parent_mut<T: Kind>(&mut self, object: Borrow<T>) -> Result<Option<&mut Object>, TableError> {
        let entry = self.slots[self.index::<T>(object.rep)?].entry.as_ref();
        let Some((parent, _)) = entry.and_then(|entry| entry.parent) else { return Ok(None) };
        Ok(self.slots[parent as usize].entry.as_mut().map(|entry| &mut entry.object))
    }

    /// Returns true if children with [`Bond::Keep`] are left.
    pub(crate) fn is_kept<T: Kind>(&self, object: Borrow<T>) -> Result<bool, TableError> {
        let entry = self.slots[self.index::<T>(object.rep)?].entry.as_ref();
        Ok(entry.is_some_and(|entry| entry.keeping > 0))
    }

    /// Drops an object. Returns the objects that go with it: itself, unless a child keeps it, then parents that it alone kept.
    ///
    /// # Errors
    /// [`TableError::HasChildren`], and as for [`get`](Table::get).
    pub fn remove<T: Kind>(&mut self, object: Own<T>) -> Result<Vec<Object>, TableError> {
        let index = self.index::<T>(object.rep)?;
        let Some(entry) = &mut self.slots[index].entry else { return Err(TableError::Gone(T::NAME)) };
        if entry.strict > 0 {
            let (parent, count) = (T::NAME, entry.strict);
            let child = self.first_child(index).unwrap_or("child");
            return Err(TableError::HasChildren { parent, child, count });
        }
        entry.dropped = true;
        let mut gone = Vec::new();
        let mut next = Some(index);
        while let Some(index) = next.take() {
            let slot = &mut self.slots[index];
            let Some(entry) = slot.entry.take_if(|entry| entry.dropped && entry.keeping == 0) else { break };
            self.free.push(index as u32);
            gone.push(entry.object);
            if let Some((parent, bond)) = entry.parent {
                if let Some(entry) = &mut self.slots[parent as usize].entry {
                    match bond {
                        Bond::Strict => entry.strict -= 1,
                        Bond::Keep => entry.keeping -= 1,
                    }
                }
                next = Some(parent as usize);
            }
        }
        Ok(gone)
    }

    /// Returns the kind of the first strict child.
    fn first_child(&self, parent: usize) -> Option<&'static str> {
        let is_child = |entry: &&Entry| entry.parent == Some((parent as u32, Bond::Strict));
        let mut entries = self.slots.iter().filter_map(|slot| slot.entry.as_ref());
        entries.find(is_child).map(|entry| entry.object.kind())
    }

    /// Returns the number of objects.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Returns true if there are no objects.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::p2::poll::Pollable;

    fn kinds(gone: &[Object]) -> Vec<&'static str> {
        gone.iter().map(Object::kind).collect()
    }

    #[test]
    fn a_number_never_leads_to_another_object() {
        let mut table = Table::default();
        let one = table.push(Pollable::at(1)).unwrap();
        let old = one.borrow();
        table.remove(one).unwrap();
        let two = table.push(TerminalInput).unwrap();
        assert_eq!(
            two.rep() & (MAX_OBJECTS as u32 - 1),
            old.rep() & (MAX_OBJECTS as u32 - 1),
            "the slot is used again"
        );
        assert_eq!(table.get(old).unwrap_err(), TableError::Gone("pollable"));
        let wrong = Borrow::<TerminalOutput>::from_rep(two.rep());
        let error = table.get(wrong).unwrap_err();
        assert_eq!(error.to_string(), "a terminal-output was expected, but the resource is a terminal-input");
        assert_eq!(table.get(Borrow::<Pollable>::from_rep(u32::MAX)).unwrap_err(), TableError::Gone("pollable"));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_strict_child_goes_before_its_parent() {
        let mut table = Table::default();
        let parent = table.push(TerminalInput).unwrap();
        let rep = parent.rep();
        let children = [(); 2].map(|()| table.push_child(Pollable::at(0), parent.borrow(), Bond::Strict).unwrap());
        let error = table.remove(parent).unwrap_err();
        assert_eq!(error.to_string(), "the terminal-input was dropped, but 2 pollables of it are left");
        for child in children {
            assert_eq!(kinds(&table.remove(child).unwrap()), ["pollable"]);
        }
        assert_eq!(kinds(&table.remove(Own::<TerminalInput>::from_rep(rep)).unwrap()), ["terminal-input"]);
        assert!(table.is_empty());
    }

    #[test]
    fn a_keeping_child_keeps_its_parent_without_a_handle() {
        let mut table = Table::default();
        let parent = table.push(TerminalInput).unwrap();
        let handle = parent.borrow();
        let child = table.push_child(TerminalOutput, handle, Bond::Keep).unwrap();
        let grandchild = table.push_child(Pollable::at(0), child.borrow(), Bond::Keep).unwrap();
        assert_eq!(kinds(&table.remove(parent).unwrap()), [""; 0]);
        assert_eq!(table.get(handle).err(), Some(TableError::Gone("terminal-input")));
        assert!(matches!(table.parent(child.borrow()), Ok(Some(Object::TerminalInput(_)))));
        assert_eq!(kinds(&table.remove(child).unwrap()), [""; 0]);
        assert_eq!(kinds(&table.remove(grandchild).unwrap()), ["pollable", "terminal-output", "terminal-input"]);
        assert!(table.is_empty());
    }

    #[test]
    fn the_number_of_objects_is_limited() {
        let mut table = Table::default();
        let all: Vec<_> = (0..MAX_OBJECTS).map(|_| table.push(TerminalInput).unwrap()).collect();
        assert_eq!(table.push(TerminalInput).unwrap_err(), TableError::Full("terminal-input"));
        for object in all {
            table.remove(object).unwrap();
        }
        assert!(table.push(TerminalInput).is_ok());
    }
}
