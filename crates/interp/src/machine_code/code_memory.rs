//! The code memory of baseline code: one [`CodeAllocator`] per process, from which each module has a [`CodeRegion`].
//!
//! Input: the code of a function. Output: its address, or an error if the code memory is used up or the system refuses
//! executable memory. No memory is mapped before the first code.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wasmr_runtime::frame::Ip;
use wasmr_runtime::sys::{CodeAllocator, CodeMapping, CodeRegion, ProgramImage};

use crate::code_block::FuncKey;
use crate::paired_call::{self, CallStubs, DirectCode};

/// Address space for all baseline code of the process.
const SIZE: usize = 64 << 20;
/// Smallest number of bytes that a module takes at a time.
const CHUNK: usize = 16 << 10;
/// Bytes of the code memory that are kept for functions that samples found.
const RESERVED: usize = SIZE / 4;
/// Alignment of each function's code.
const ALIGN: usize = 16;

struct CodeMemory {
    code: CodeAllocator,
    /// The functions that have code, by address of the code.
    owners: Mutex<BTreeMap<usize, Owner>>,
}

/// A function that has code.
struct Owner {
    /// Length of the code in bytes.
    len: usize,
    /// Address of the function's first instruction.
    first: usize,
    /// Positions from which the code belongs to another instruction: (position, code word), in order.
    words: Vec<(u32, u32)>,
}

static CODE_MEMORY: OnceLock<CodeMemory> = OnceLock::new();

/// End of the time in which code memory counts as unavailable, because the last request was refused.
static PAUSE: Mutex<Option<Instant>> = Mutex::new(None);

/// Length of that time.
const PAUSE_LENGTH: Duration = Duration::from_millis(500);

/// Returns the addresses of the program, to which the code jumps.
fn image() -> Option<ProgramImage> {
    ProgramImage::around(crate::execute::frame::enter_plain as *const () as usize)
}

/// Returns the code memory, and maps it at the first call.
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
    let made = image().and_then(|image| CodeMapping::near(image.all.clone(), SIZE).ok());
    let Some(mapping) = made else {
        *pause = Some(Instant::now() + PAUSE_LENGTH);
        return None;
    };
    Some(CODE_MEMORY.get_or_init(|| CodeMemory { code: CodeAllocator::new(mapping, CHUNK), owners: Mutex::default() }))
}

/// Returns true if code memory is mapped and no request was refused in the last `PAUSE_LENGTH`.
pub(crate) fn is_available() -> bool {
    code_memory().is_some()
        && PAUSE.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|end| Instant::now() >= end)
}

/// Returns true if the code memory has room for functions that may be executed once. Code is not freed before its module is, so
/// they would take the place of functions that are hot later.
pub(crate) fn has_unreserved_room() -> bool {
    code_memory().is_some_and(|memory| memory.code.taken() * CHUNK < SIZE - RESERVED)
}

/// Starts a pause after a refused request: other modules may give memory back meanwhile.
pub(crate) fn pause() {
    *PAUSE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE_LENGTH);
}

/// Returns true if an address is in the code memory. Takes no lock and allocates nothing.
pub(crate) fn contains(address: usize) -> bool {
    CODE_MEMORY.get().is_some_and(|memory| memory.code.contains(address))
}

/// Returns the instruction whose code contains an address.
pub(crate) fn instruction_at(address: usize) -> Option<Ip> {
    let owners = code_memory()?.owners.lock().unwrap_or_else(PoisonError::into_inner);
    let (&start, owner) = owners.range(..=address).next_back()?;
    let position = address - start;
    if position >= owner.len {
        return None;
    }
    let after = owner.words.partition_point(|&(at, _)| at as usize <= position);
    let (_, word) = owner.words[after.checked_sub(1)?];
    Some(Ip::new((owner.first + 8 * word as usize) as *const u64))
}

/// The code of a function, without an address.
pub(crate) trait Placeable {
    /// Ends the code. Returns its size in bytes, 0 if there is none.
    fn finish(&mut self) -> usize;
    /// Returns the finished code for an address; `None` if the address is too far from the addresses in the code.
    fn place(self, base: u64) -> Option<Placed>;
}

/// The code of a function at its address.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) code: Vec<u8>,
    /// Start of the code of each instruction that handlers may enter: (code word, position).
    pub(crate) entries: Vec<(u32, u32)>,
    /// Positions from which the code belongs to another instruction: (position, code word), in order.
    pub(crate) owners: Vec<(u32, u32)>,
}

/// The reason why a function's code was not placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unplaced {
    /// The code memory is used up, for now.
    NoRoom,
    /// There is no code, or it refers to an address that is too far away.
    NoCode,
}

/// The code of one module. It must not be executed any more when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct ModuleRegion {
    /// `None` before the first code.
    code: Option<CodeRegion>,
    /// Offset in the mapping of the [call stubs](paired_call), and the functions that have code; first for functions whose memory 0 is
    /// checked, then for those whose memory 0 is guard-paged. `None` before the first function has code.
    stubs: [Option<(usize, DirectCode)>; 2],
    /// The functions that another tier executes.
    elsewhere: HashSet<FuncKey>,
}

impl ModuleRegion {
    /// Returns the call stubs of functions of a kind, in the order of their indices. Makes them, for `count` functions whose records
    /// begin at offset `funcs` in an instance, at the first call. `None` if there is no room.
    pub(crate) fn call_stubs(&mut self, guarded: bool, count: u32, funcs: u32) -> Option<CallStubs> {
        let memory = code_memory()?;
        let (mapping, region) = (memory.code.mapping(), self.code.get_or_insert_with(|| memory.code.region()));
        let base = mapping.base() as u64;
        let stubs = |at: usize, direct: DirectCode| CallStubs { first: base + at as u64, funcs, direct };
        if let Some((at, direct)) = &self.stubs[usize::from(guarded)] {
            return Some(stubs(*at, direct.clone()));
        }
        let code = paired_call::stubs(count as usize, funcs);
        let at = region.find(code.len(), ALIGN).ok()?;
        // SAFETY: `find` returns bytes of a chunk that this region owns and that are not in use.
        unsafe { mapping.write(at, &code) }.ok()?;
        region.use_up_to(at + code.len());
        let first = at + paired_call::STUBS_START;
        let direct = DirectCode::new(base, count);
        self.stubs[usize::from(guarded)] = Some((first, direct.clone()));
        Some(stubs(first, direct))
    }

    /// Makes paired calls of a function go to the [`direct`](paired_call::direct) code at an address, unless another tier executes it.
    pub(crate) fn lead_to(&self, (index, guarded): FuncKey, address: u64) {
        let Some((_, direct)) = &self.stubs[usize::from(guarded)] else { return };
        if self.elsewhere.contains(&(index, guarded)) {
            self.turn_away((index, guarded), address);
        } else {
            self.set_stub((index, guarded), |at| paired_call::stub_to(at, address));
            direct.set(index as usize, Some(address));
        }
    }

    /// Makes paired calls of a function go where its function record says, from now on: another tier executes it.
    pub(crate) fn lead_elsewhere(&mut self, (index, guarded): FuncKey) {
        self.elsewhere.insert((index, guarded));
        self.set_stub((index, guarded), |_| Some(paired_call::stub_by_record(index as usize)));
        let Some((_, direct)) = &self.stubs[usize::from(guarded)] else { return };
        if let Some(address) = direct.get(index as usize) {
            direct.set(index as usize, None);
            self.turn_away((index, guarded), address);
        }
    }

    /// Makes the [`direct`](paired_call::direct) code of a function lead to its stub.
    fn turn_away(&self, (index, guarded): FuncKey, address: u64) {
        let (Some(memory), Some((first, _))) = (CODE_MEMORY.get(), &self.stubs[usize::from(guarded)]) else { return };
        let mapping = memory.code.mapping();
        let base = mapping.base() as u64;
        if let Some(code) = paired_call::turned_away(address, base + *first as u64, index as usize) {
            // SAFETY: one instruction of seven bytes begins there, then one of five; what follows the seven stays. Both ways lead to
            // code that executes the function. If the process may not write, the code stays as it is.
            let _ = unsafe { mapping.exchange((address - base) as usize, code) };
        }
    }

    fn set_stub(&self, (index, guarded): FuncKey, code: impl FnOnce(u64) -> Option<[u8; 8]>) {
        let (Some(memory), Some((first, _))) = (CODE_MEMORY.get(), &self.stubs[usize::from(guarded)]) else { return };
        let at = first + paired_call::STUB * index as usize + paired_call::STUB_JUMP;
        let mapping = memory.code.mapping();
        if let Some(code) = code((mapping.base() + at) as u64) {
            // SAFETY: the bytes are the stub's jump, before and after. Both ways lead to code that executes the function. If the process
            // may not write, the stub stays as it is.
            let _ = unsafe { mapping.exchange(at, code) };
        }
    }

    /// Places the code of a function whose first instruction is at address `first`. Returns the code's address, and (code word,
    /// position of its code) for each instruction that has code.
    ///
    /// # Errors
    /// [`Unplaced::NoRoom`] if a later attempt may succeed, else [`Unplaced::NoCode`].
    pub(crate) fn place(
        &mut self,
        first: usize,
        mut function: impl Placeable,
    ) -> Result<(u64, Vec<(u32, u32)>), Unplaced> {
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
        assert!(code.len() <= size, "`finish` returns the length of the code");
        // SAFETY: `find` returns bytes of a chunk that this region owns and that are not in use: no address in them was
        // returned by this function before.
        unsafe { mapping.write(at, &code) }.map_err(|_| Unplaced::NoCode)?;
        region.use_up_to(at + code.len());
        let owner = Owner { len: code.len(), first, words };
        memory.owners.lock().unwrap_or_else(PoisonError::into_inner).insert(address, owner);
        Ok((address as u64, entries))
    }
}

impl Drop for ModuleRegion {
    fn drop(&mut self) {
        let (Some(memory), Some(region)) = (CODE_MEMORY.get(), &self.code) else { return };
        let base = memory.code.mapping().base();
        let mut owners = memory.owners.lock().unwrap_or_else(PoisonError::into_inner);
        // The region gives the chunks back after this function; another module may then own code there.
        for chunk in region.chunks() {
            let addresses = base + chunk.start..base + chunk.end;
            let gone: Vec<usize> = owners.range(addresses).map(|(&address, _)| address).collect();
            gone.iter().for_each(|address| drop(owners.remove(address)));
        }
    }
}

/// Takes code memory until only the reserved part is left, and gives it back when the result is dropped.
#[cfg(test)]
pub(crate) fn take_unreserved() -> Vec<CodeRegion> {
    let mut taken = Vec::new();
    while has_unreserved_room() {
        // Less than a huge page, so that the system supplies no page.
        let mut region = code_memory().unwrap().code.region();
        region.find(1 << 20, ALIGN).unwrap();
        taken.push(region);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function whose code returns, or has no code.
    struct Returning {
        bytes: usize,
    }

    impl Placeable for Returning {
        fn finish(&mut self) -> usize {
            self.bytes
        }

        fn place(self, _base: u64) -> Option<Placed> {
            Some(Placed { code: vec![0xc3; self.bytes], entries: vec![(0, 0)], owners: vec![(0, 0)] })
        }
    }

    fn function() -> Returning {
        Returning { bytes: 1 }
    }

    /// Returns the address to which the jump at an address leads.
    fn target(at: u64) -> u64 {
        // SAFETY: the address is that of a stub, five bytes or more in mapped code memory, which nothing writes meanwhile.
        let code = unsafe { std::slice::from_raw_parts(at as *const u8, 5) };
        assert_eq!(code[0], 0xe9);
        (at + 5).wrapping_add_signed(i32::from_le_bytes(code[1..].try_into().unwrap()).into())
    }

    #[test]
    fn a_call_stub_leads_to_code_until_another_tier_has_code() {
        if !is_available() {
            return;
        }
        let mut region = ModuleRegion::default();
        let stubs = region.call_stubs(true, 3, 0).unwrap();
        assert_eq!(region.call_stubs(true, 3, 0).unwrap().first, stubs.first);
        let by_record = stubs.first - paired_call::STUBS_START as u64;
        let jump = |index| stubs.first + (index * paired_call::STUB + paired_call::STUB_JUMP) as u64;
        let targets = || [0, 1, 2].map(|index| target(jump(index)));
        let record = |index| (index * size_of::<wasmr_runtime::vm::VmFunc>()) as u32;
        assert_eq!(targets(), [by_record; 3]);
        let (code, _) = region.place(0x1000, function()).unwrap();
        region.lead_to((1, true), code);
        region.lead_to((1, false), code);
        assert_eq!(targets(), [by_record, code, by_record]);
        assert_eq!(stubs.of(record(1)), code, "later callers call it without the stub");
        region.lead_elsewhere((1, true));
        assert_eq!(stubs.of(record(1)), target(code), "the stub, to which earlier callers come through the code");
        let (late, _) = region.place(0x1000, function()).unwrap();
        region.lead_to((1, true), late);
        assert_eq!(targets(), [by_record; 3]);
        assert_eq!([stubs.of(record(1)), target(late)], [target(code); 2]);
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
        assert_eq!(instruction_at(first as usize), Some(Ip::new(0x1000 as *const u64)));
        assert_eq!(instruction_at(second as usize), Some(Ip::new(0x2000 as *const u64)));
        let mut other = ModuleRegion::default();
        let (third, _) = other.place(0x3000, function()).unwrap();
        assert_ne!(third / CHUNK as u64, first / CHUNK as u64);
        drop(region);
        assert_eq!(instruction_at(first as usize), None);
        assert_eq!(instruction_at(third as usize), Some(Ip::new(0x3000 as *const u64)));
        let empty = other.place(0x4000, Returning { bytes: 0 });
        assert_eq!(empty.unwrap_err(), Unplaced::NoCode, "no code takes no room");
    }
}
