//! The code memory of copied code: one [`CodeAllocator`] a process, of which each module has a [`CodeRegion`].
//!
//! Comes in: code. Goes out: its address, or nothing when there is no room or the system lets nobody execute what they
//! wrote; whoever asks then does without. Takes no memory before the first code.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wasmr_runtime::frame::Ip;
use wasmr_runtime::sys::{CodeAllocator, CodeMapping, CodeRegion};

use super::decode;
use super::emit::{Function, Placed};

/// Address space for all code of the process: some ten million cells.
const SIZE: usize = 64 << 20;
/// What a module gets at a time, at least.
const CHUNK: usize = 16 << 10;
/// Code starts at multiples of this.
const ALIGN: usize = 16;

struct CodeMemory {
    code: CodeAllocator,
    /// Whose code is where, by address.
    owners: Mutex<BTreeMap<usize, Owner>>,
}

/// Whose a function's code is.
struct Owner {
    /// Length of the code in bytes.
    len: usize,
    /// The function's first cell.
    cells: usize,
    /// From where on the code is of which cell: (position, word), in order.
    words: Vec<(u32, u32)>,
}

static CODE_MEMORY: OnceLock<CodeMemory> = OnceLock::new();

/// Until when nothing is asked of the system or the code memory, as it refused the last time.
static PAUSE: Mutex<Option<Instant>> = Mutex::new(None);

/// Length of that pause.
const PAUSE_LENGTH: Duration = Duration::from_millis(500);

/// The code memory, made now if there is none.
fn code_memory() -> Option<&'static CodeMemory> {
    if let Some(memory) = CODE_MEMORY.get() {
        return Some(memory);
    }
    let mut pause = PAUSE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(memory) = CODE_MEMORY.get() {
        return Some(memory);
    }
    if pause.is_some_and(|end| Instant::now() < end) {
        return None;
    }
    let made = decode::image().and_then(|image| CodeMapping::near(image.all.clone(), SIZE).ok());
    let Some(mapping) = made else {
        *pause = Some(Instant::now() + PAUSE_LENGTH);
        return None;
    };
    Some(CODE_MEMORY.get_or_init(|| CodeMemory { code: CodeAllocator::new(mapping, CHUNK), owners: Mutex::default() }))
}

/// Returns true if code can be made now, as far as anybody knows.
pub fn is_available() -> bool {
    code_memory().is_some()
        && PAUSE.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|end| Instant::now() >= end)
}

/// There was no room: nothing is asked for until some may have been given back.
pub fn pause() {
    *PAUSE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE_LENGTH);
}

/// Returns true if an address is in the memory. Takes no lock and allocates nothing.
pub fn contains(address: usize) -> bool {
    CODE_MEMORY.get().is_some_and(|memory| memory.code.contains(address))
}

/// The cell whose code an address is in, if it is in any.
pub fn cell_at(address: usize) -> Option<Ip> {
    let owners = code_memory()?.owners.lock().unwrap_or_else(PoisonError::into_inner);
    let (&start, owner) = owners.range(..=address).next_back()?;
    let position = address - start;
    if position >= owner.len {
        return None;
    }
    let after = owner.words.partition_point(|&(at, _)| at as usize <= position);
    let (_, word) = owner.words[after.checked_sub(1)?];
    Some(Ip::new((owner.cells + 8 * word as usize) as *const u64))
}

/// Why a function's code is in no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplaced {
    /// There is no room now.
    NoRoom,
    /// There is no code, or none that can be where there is room.
    NoCode,
}

/// Code memory of one module. The code must not be executed any more when it is dropped.
#[derive(Debug, Default)]
pub struct ModuleRegion {
    /// None before the first code.
    code: Option<CodeRegion>,
}

impl ModuleRegion {
    /// Places the code of a function whose first cell is at `cells`. Gives its address, and where in it the code of each cell
    /// that has some starts: (word, position).
    pub fn place(&mut self, cells: usize, mut function: Function) -> Result<(u64, Vec<(u32, u32)>), Unplaced> {
        let memory = code_memory().ok_or(Unplaced::NoRoom)?;
        let size = function.finish();
        if size == 0 {
            return Err(Unplaced::NoCode);
        }
        let region = self.code.get_or_insert_with(|| memory.code.region());
        let at = region.find(size, ALIGN).map_err(|_| Unplaced::NoRoom)?;
        let mapping = memory.code.mapping();
        let address = mapping.base() + at;
        let Placed { code, entries, owners: words } = function.place(address as u64).ok_or(Unplaced::NoCode)?;
        assert!(code.len() <= size, "code is as long as was said");
        // SAFETY: the chunk is this module's, and nobody has been given an address behind what is in use of it.
        unsafe { mapping.write(at, &code) }.map_err(|_| Unplaced::NoCode)?;
        region.use_up_to(at + code.len());
        let owner = Owner { len: code.len(), cells, words };
        memory.owners.lock().unwrap_or_else(PoisonError::into_inner).insert(address, owner);
        Ok((address as u64, entries))
    }
}

impl Drop for ModuleRegion {
    fn drop(&mut self) {
        let (Some(memory), Some(region)) = (CODE_MEMORY.get(), &self.code) else { return };
        let base = memory.code.mapping().base();
        let mut owners = memory.owners.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the region gives the chunks back.
        for chunk in region.chunks() {
            let addresses = base + chunk.start..base + chunk.end;
            let gone: Vec<usize> = owners.range(addresses).map(|(&address, _)| address).collect();
            gone.iter().for_each(|address| drop(owners.remove(address)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::{Block, Finish, Step, Template};
    use super::*;

    /// The code of a function of one cell, which returns.
    fn function() -> Function {
        let block = Block { steps: vec![Step::Copy(0..1)], finish: Finish::Done, falls: false };
        let template = Template { blocks: vec![block], bytes: vec![0xc3], words: None };
        let mut function = Function::new(0x1000);
        function.add(&template, &[0], 0);
        function
    }

    #[test]
    fn modules_get_chunks_of_their_own_and_give_them_back() {
        if !is_available() {
            return;
        }
        let mut region = ModuleRegion::default();
        let (first, entries) = region.place(0x1000, function()).unwrap();
        let (second, _) = region.place(0x2000, function()).unwrap();
        assert_eq!(entries, [(0, 0)]);
        assert_eq!(second - first, ALIGN as u64);
        assert!(contains(first as usize) && contains(second as usize) && !contains(first as usize - SIZE));
        assert_eq!(cell_at(first as usize), Some(Ip::new(0x1000 as *const u64)));
        assert_eq!(cell_at(second as usize), Some(Ip::new(0x2000 as *const u64)));
        let mut other = ModuleRegion::default();
        let (third, _) = other.place(0x3000, function()).unwrap();
        assert_ne!(third / CHUNK as u64, first / CHUNK as u64);
        drop(region);
        assert_eq!(cell_at(first as usize), None);
        assert_eq!(cell_at(third as usize), Some(Ip::new(0x3000 as *const u64)));
        let empty = other.place(0x4000, Function::new(0x4000));
        assert_eq!(empty.unwrap_err(), Unplaced::NoCode, "no code takes no room");
    }
}
