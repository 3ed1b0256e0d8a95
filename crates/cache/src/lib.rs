//! Stage 0: takes sections of bytes with the content hash of a module and a key, and gives them back in a later run. It has a file
//! format, and a directory of such files.
//!
//! This crate knows no other crate of the project and no meaning of a section. Its users are the engine, which stores its
//! knowledge of a module, and the command line.
//!
//! | file | its one job |
//! |---|---|
//! | `container` | reads a [`Container`]: checksum, section table, sections |
//! | `builder` | writes one |
//! | `map` | maps a file. The only file with `unsafe` |
//! | `content` | [`Content`]: the hash by which a module is known |
//! | `data` | plain values that a cache takes and gives |
//! | `directory` | opens a directory that only its owner can write, and files in it |
//! | `temporary` | a file that is written under another name, by one process at a time |
//! | `cache` | [`Cache`]: finds and stores entries |
//! | `housekeeping` | the size of a cache: removal of entries least recently used, of leftovers, of everything |
//! | `beginnings` | recognises large modules without an entry, before they are hashed |
//! | `records` | [`FileState`]: content hashes of files that did not change since |
//! | `location` | the directory if the user names none |
//! | `elsewhere` | a cache that cannot be opened, for systems other than Unix |
//!
//! # An entry
//!
//! An entry is a container in the file `HASH.wasmr`, with the BLAKE3 hash of its content and its key in hexadecimal. Both are
//! in sections of the container too, and [`Cache::find`] compares them byte by byte. The key names everything else on which the
//! meaning depends: the build of wasmr, features of the processor, settings.
//!
//! # Trust
//!
//! The user of an entry may execute it as machine code. An entry is therefore used only if nobody else could have written it: the
//! directory and the file belong to the effective user, have no write permission for group and others (which POSIX access control
//! lists show as permission of the group), and are no symbolic links. The checksum is no signature. It finds files that are torn
//! or damaged, not files that somebody made on purpose. A program with the user's rights could forge an entry, but needs none: it can
//! already do everything that the entry could do.
//!
//! # Failure
//!
//! A cache is never needed. [`Cache::find`] returns `None` for an entry that is missing, damaged or foreign, and
//! [`Cache::store`] leaves nothing behind if it fails. No file is synchronised to the disk: after a power failure an entry may
//! have lost its bytes, and the checksum finds that.
//!
//! # Concurrency
//!
//! Any number of processes and threads may use a directory at the same time. A file changes only under a temporary name and is
//! then renamed, so an entry is read as it was before or after, and a mapped entry stays as it is when it is replaced or
//! removed.

#![warn(unreachable_pub)]

#[cfg(unix)]
mod beginnings;
mod builder;
#[cfg(unix)]
mod cache;
#[cfg(not(unix))]
#[path = "elsewhere.rs"]
mod cache;
mod container;
mod content;
mod data;
#[cfg(unix)]
mod directory;
#[cfg(unix)]
mod housekeeping;
mod location;
mod map;
#[cfg(unix)]
mod records;
#[cfg(unix)]
mod temporary;

pub use builder::Builder;
pub use cache::Cache;
#[cfg(not(unix))]
pub use cache::FileState;
pub use container::{Container, Refused, SectionName};
pub use content::Content;
pub use data::{DEFAULT_MAX_BYTES, EntryId, Found, Info, Removed, Unusable};
#[cfg(unix)]
pub use records::FileState;
