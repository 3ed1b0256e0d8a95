//! The state of the frame while code is made: which slots are in registers, or are known constants, and which of those their
//! memory does not have yet (*dirty*).
//!
//! A *holder* is a general register, a vector register or a constant. It may hold several slots, because copies of slots emit
//! nothing. The accumulators are the holders of the latest results, `acc` a general and `facc` a vector register.
//!
//! A `v128` takes two slots. A vector register that holds one holds the first slot *as a `v128`*, and the second one has no
//! holder. What overwrites one of the two ends the value: slots have one type at a time.

/// Number of a holder: general registers from 0, vector registers from [`XMM`], constants from [`CONSTANT`].
pub(crate) type Holder = u8;

pub(crate) const XMM: Holder = 16;
pub(crate) const CONSTANT: Holder = 32;
const CONSTANTS: usize = 8;
const HOLDERS: usize = CONSTANT as usize + CONSTANTS;
const NONE: Holder = u8::MAX;
/// In place of a holder: the slot is the second one of a `v128` in a register.
const SECOND: Holder = u8::MAX - 1;

/// Slots that a holder can have at a time.
const SLOTS: usize = 4;

/// General registers that hold slots. `rax` and `rdi` are scratch registers. The others have a meaning between handlers, or are
/// preserved: `run` in `execute/pairs.rs` saves two of those that calls preserve.
pub(crate) const GENERAL: [Holder; 6] = [8, 9, 10, 11, 3, 5];
/// Vector registers that hold slots. `xmm14` and `xmm15` are scratch registers.
pub(crate) const VECTOR: [Holder; 14] = [16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29];
const ALL_CONSTANTS: [Holder; CONSTANTS] = [32, 33, 34, 35, 36, 37, 38, 39];

/// The slots of a holder.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    slots: [i32; SLOTS],
    count: u8,
    /// Bit per slot.
    dirty: u8,
    /// Bit per slot: it is the first one of a `v128`.
    v128: u8,
}

/// A slot of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldSlot {
    pub(crate) slot: i32,
    pub(crate) is_dirty: bool,
    /// True if the slot and the next one are a `v128`.
    pub(crate) is_v128: bool,
}

/// The state.
#[derive(Debug)]
pub(crate) struct State {
    /// Lowest slot of the frame.
    lowest: i32,
    /// Holder of each slot, from the lowest.
    holders: Vec<Holder>,
    held: [Held; HOLDERS],
    values: [u64; CONSTANTS],
    acc: Holder,
    facc: Holder,
    /// Slot that the instruction that set `acc` stored its result to as well.
    acc_slot: Option<i32>,
    /// As `acc_slot`, for `facc`.
    facc_slot: Option<i32>,
    /// Holders that have slots, and maybe others. A bit each.
    used: u64,
    /// Holders that have dirty slots, and maybe others. A bit each.
    dirty: u64,
    /// Holders that the current instruction uses. A bit each.
    locked: u64,
    /// General registers whose upper half is known to be zero. A bit each.
    narrow: u32,
    /// Holders that got a value since the entry. A bit each.
    touched: u64,
    /// Number of the entry since which each slot was last bound, from the lowest slot.
    written: Vec<u32>,
    /// Number of the latest entry.
    entry: u32,
    /// Number of the holder to give up next, if none is free.
    turn: usize,
}

/// The slots in registers at some jumps. All of them are in memory as well.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Register, slot, true for a `v128`.
    held: Vec<(Holder, i32, bool)>,
    narrow: u32,
}

impl Snapshot {
    /// Adds a slot of a register, unless one of both is there.
    pub(crate) fn add(&mut self, holder: Holder, slot: i32, is_v128: bool, is_narrow: bool) {
        let overlaps = |other: i32, other_is_v128: bool| {
            other == slot || is_v128 && other == slot + 1 || other_is_v128 && other + 1 == slot
        };
        if self.held.iter().all(|&(held, other, other_is_v128)| held != holder && !overlaps(other, other_is_v128)) {
            self.held.push((holder, slot, is_v128));
            if holder < XMM {
                self.narrow = self.narrow & !(1 << holder) | u32::from(is_narrow) << holder;
            }
        }
    }
}

/// The way in which control comes from the code before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Not at all.
    None,
    /// From the instruction before.
    Next,
    /// From the handler of the instruction before, or by a return to its word 0.
    Handler,
    /// By the return of a paired call, with all slots stored.
    Return,
}

/// The jumps that lead to an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    None,
    /// Branches before it.
    Forward,
    /// Others.
    Any,
}

/// The choice of a holder for a new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// A holder without slots.
    Free(Holder),
    /// A holder whose slots must be given up.
    Taken(Holder),
}

impl State {
    /// Returns the state of a frame with slots from `lowest` up to `end`, at an entry.
    pub(crate) fn new(lowest: i32, end: i32) -> State {
        let mut state = State {
            lowest,
            holders: vec![NONE; (end - lowest).max(0) as usize],
            held: [Held::default(); HOLDERS],
            values: [0; CONSTANTS],
            acc: NONE,
            facc: NONE,
            acc_slot: None,
            facc_slot: None,
            used: 0,
            dirty: 0,
            locked: 0,
            narrow: 0,
            touched: 0,
            written: vec![0; (end - lowest).max(0) as usize],
            entry: 0,
            turn: 0,
        };
        state.enter();
        state
    }

    /// Sets the state at an entry: all slots are in memory, and the accumulators are where handlers have them.
    pub(crate) fn enter(&mut self) {
        bits(self.used).for_each(|holder| self.drop_slots(holder));
        (self.used, self.dirty) = (0, 0);
        (self.acc, self.facc) = (super::assemble::R8, XMM);
        (self.acc_slot, self.facc_slot) = (None, None);
        (self.locked, self.narrow, self.touched) = (0, 0, 0);
        self.entry += 1;
    }

    /// Returns the slots in registers. None is dirty.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let registers = bits(self.used).filter(|&holder| holder < CONSTANT);
        let held = registers.flat_map(|holder| self.slots(holder).map(move |held| (holder, held.slot, held.is_v128)));
        Snapshot { held: held.collect(), narrow: self.narrow }
    }

    /// Removes from a snapshot what does not hold now.
    pub(crate) fn meet(&self, snapshot: &mut Snapshot) {
        snapshot.held.retain(|&(holder, slot, is_v128)| {
            self.holder(slot) == Some(holder) && self.v128_holder(slot).is_some() == is_v128
        });
        snapshot.narrow &= self.narrow;
    }

    /// Sets the state at a label. The accumulators are without a value there.
    pub(crate) fn resume(&mut self, snapshot: &Snapshot) {
        bits(self.used).for_each(|holder| self.drop_slots(holder));
        (self.used, self.dirty, self.locked, self.narrow) = (0, 0, 0, snapshot.narrow);
        (self.acc, self.facc) = (super::assemble::R8, XMM);
        (self.acc_slot, self.facc_slot) = (None, None);
        for &(holder, slot, is_v128) in &snapshot.held {
            if is_v128 {
                self.bind_v128(holder, slot, false);
            } else {
                self.bind(holder, slot, false);
            }
        }
    }

    fn index(&self, slot: i32) -> Option<usize> {
        usize::try_from(slot - self.lowest).ok().filter(|&index| index < self.holders.len())
    }

    /// Returns the holder of a slot.
    pub(crate) fn holder(&self, slot: i32) -> Option<Holder> {
        self.index(slot).map(|index| self.holders[index]).filter(|&holder| holder < SECOND)
    }

    /// Returns the register that holds a slot as a `v128`.
    pub(crate) fn v128_holder(&self, slot: i32) -> Option<Holder> {
        self.holder(slot).filter(|&holder| self.slots(holder).any(|held| held.slot == slot && held.is_v128))
    }

    /// Returns the value of a holder that is a constant.
    pub(crate) fn constant(&self, holder: Holder) -> Option<u64> {
        holder.checked_sub(CONSTANT).map(|index| self.values[index as usize])
    }

    /// Returns true if the memory of a slot does not have its value.
    pub(crate) fn is_dirty(&self, slot: i32) -> bool {
        self.holder(slot).is_some_and(|holder| self.slots(holder).any(|held| held.slot == slot && held.is_dirty))
    }

    /// Returns the slots of a holder.
    pub(crate) fn slots(&self, holder: Holder) -> impl Iterator<Item = HeldSlot> + use<> {
        let Held { slots, count, dirty, v128 } = self.held[holder as usize];
        (0..count).map(move |index| HeldSlot {
            slot: slots[index as usize],
            is_dirty: dirty & 1 << index != 0,
            is_v128: v128 & 1 << index != 0,
        })
    }

    /// Returns the holders that may have dirty slots.
    pub(crate) fn dirty_holders(&self) -> impl Iterator<Item = Holder> + use<> {
        bits(self.dirty)
    }

    /// Notes that a slot of a holder is not dirty.
    pub(crate) fn clean(&mut self, holder: Holder, slot: i32) {
        let held = &mut self.held[holder as usize];
        if let Some(place) = held.slots[..held.count as usize].iter().position(|&held| held == slot) {
            held.dirty &= !(1 << place);
        }
    }

    /// Notes that no slot is dirty.
    pub(crate) fn clean_all(&mut self) {
        for holder in bits(std::mem::take(&mut self.dirty)) {
            self.held[holder as usize].dirty = 0;
        }
    }

    /// Forgets the value of a slot.
    pub(crate) fn forget(&mut self, slot: i32) {
        let Some(mut index) = self.index(slot) else { return };
        let mut slot = slot;
        if self.holders[index] == SECOND {
            (index, slot) = (index - 1, slot - 1);
        }
        let holder = std::mem::replace(&mut self.holders[index], NONE);
        if holder == NONE {
            return;
        }
        let held = &mut self.held[holder as usize];
        let Some(place) = (0..held.count).find(|&place| held.slots[place as usize] == slot) else { return };
        // The last slot takes its place.
        let last = held.count - 1;
        held.slots[place as usize] = held.slots[last as usize];
        let is_v128 = held.v128 >> place & 1 != 0;
        for set in [&mut held.dirty, &mut held.v128] {
            let was_set = *set >> last & 1;
            *set = *set & !(1 << last) & !(1 << place) | if place == last { 0 } else { was_set << place };
        }
        held.count = last;
        if is_v128 {
            self.holders[index + 1] = NONE;
        }
    }

    /// Notes that a slot has the value of a holder. Returns false, and forgets the slot, if the holder has no room for it; the
    /// caller then stores the value.
    pub(crate) fn bind(&mut self, holder: Holder, slot: i32, dirty: bool) -> bool {
        self.bind_one(holder, slot, dirty, false)
    }

    /// As [`bind`](State::bind), for a `v128` whose first slot this is.
    pub(crate) fn bind_v128(&mut self, holder: Holder, slot: i32, dirty: bool) -> bool {
        self.forget(slot + 1);
        self.note_written(slot + 1);
        for accumulator in [&mut self.acc_slot, &mut self.facc_slot] {
            if *accumulator == Some(slot + 1) {
                *accumulator = None;
            }
        }
        let Some(second) = self.index(slot + 1) else {
            self.forget(slot);
            return false;
        };
        let is_bound = self.bind_one(holder, slot, dirty, true);
        if is_bound {
            self.holders[second] = SECOND;
        }
        is_bound
    }

    fn bind_one(&mut self, holder: Holder, slot: i32, dirty: bool, v128: bool) -> bool {
        self.forget(slot);
        self.note_written(slot);
        if self.acc_slot == Some(slot) {
            self.acc_slot = None;
        }
        if self.facc_slot == Some(slot) {
            self.facc_slot = None;
        }
        let Some(index) = self.index(slot) else { return false };
        let held = &mut self.held[holder as usize];
        if held.count as usize == SLOTS {
            return false;
        }
        held.slots[held.count as usize] = slot;
        held.dirty |= u8::from(dirty) << held.count;
        held.v128 |= u8::from(v128) << held.count;
        held.count += 1;
        self.used |= 1 << holder;
        self.dirty |= u64::from(dirty) << holder;
        self.holders[index] = holder;
        true
    }

    fn note_written(&mut self, slot: i32) {
        if let Some(index) = self.index(slot) {
            self.written[index] = self.entry;
        }
    }

    /// Returns true if a slot was bound since the entry.
    pub(crate) fn is_written(&self, slot: i32) -> bool {
        self.index(slot).is_none_or(|index| self.written[index] == self.entry)
    }

    /// Notes that a holder gets a value.
    pub(crate) fn touch(&mut self, holder: Holder) {
        self.touched |= 1 << holder;
    }

    /// Returns a register that got no value since the entry.
    pub(crate) fn untouched(&self, is_vector: bool) -> Option<Holder> {
        let among: &[Holder] = if is_vector { &VECTOR } else { &GENERAL };
        let kept = self.touched | self.locked | 1 << self.acc | 1 << self.facc;
        among.iter().copied().find(|&holder| kept & 1 << holder == 0)
    }

    /// Forgets all slots of a holder.
    pub(crate) fn drop_slots(&mut self, holder: Holder) {
        for HeldSlot { slot, is_v128, .. } in self.slots(holder) {
            if let Some(index) = self.index(slot) {
                self.holders[index] = NONE;
                if is_v128 {
                    self.holders[index + 1] = NONE;
                }
            }
        }
        self.held[holder as usize] = Held::default();
    }

    /// Returns the register of the integer accumulator.
    pub(crate) fn acc(&self) -> Holder {
        self.acc
    }

    /// Returns the register of the float accumulator.
    pub(crate) fn facc(&self) -> Holder {
        self.facc
    }

    /// Notes that a register is the accumulator of its class, and the slot to which the result goes too.
    pub(crate) fn set_accumulator(&mut self, holder: Holder, slot: Option<i32>) {
        if holder >= XMM {
            (self.facc, self.facc_slot) = (holder, slot);
        } else {
            (self.acc, self.acc_slot) = (holder, slot);
        }
    }

    /// Returns the slot that has the value of an accumulator because the same instruction wrote it.
    pub(crate) fn accumulator_slot(&self, holder: Holder) -> Option<i32> {
        if holder >= XMM { self.facc_slot } else { self.acc_slot }
    }

    /// Keeps a holder as it is until the end of the instruction.
    pub(crate) fn lock(&mut self, holder: Holder) {
        self.locked |= 1 << holder;
    }

    /// Lets go of all holders at the end of an instruction.
    pub(crate) fn unlock_all(&mut self) {
        self.locked = 0;
    }

    /// Returns true if the upper half of a general register is known to be zero.
    pub(crate) fn is_narrow(&self, holder: Holder) -> bool {
        self.narrow & 1 << holder != 0
    }

    /// Notes if the upper half of a general register is zero.
    pub(crate) fn set_narrow(&mut self, holder: Holder, narrow: bool) {
        self.narrow = self.narrow & !(1 << holder) | u32::from(narrow) << holder;
    }

    /// Returns a holder for a new value, which the caller locks.
    fn choose(&mut self, among: &[Holder]) -> Choice {
        let is_kept = |state: &State, holder: Holder| {
            state.locked & 1 << holder != 0 || holder == state.acc || holder == state.facc
        };
        let count = |state: &State, holder: Holder| state.held[holder as usize].count;
        if let Some(&free) = among.iter().find(|&&holder| count(self, holder) == 0 && !is_kept(self, holder)) {
            return Choice::Free(free);
        }
        for needs_store in [false, true] {
            for _ in 0..among.len() {
                self.turn = (self.turn + 1) % among.len();
                let holder = among[self.turn];
                if !is_kept(self, holder) && (needs_store || self.held[holder as usize].dirty == 0) {
                    return Choice::Taken(holder);
                }
            }
        }
        unreachable!("an instruction locks fewer registers than there are")
    }

    /// Returns a general register for a new value.
    pub(crate) fn choose_general(&mut self) -> Choice {
        self.choose(&GENERAL)
    }

    /// Returns a vector register for a new value.
    pub(crate) fn choose_vector(&mut self) -> Choice {
        self.choose(&VECTOR)
    }

    /// Returns the holder of a constant, if there is one.
    pub(crate) fn find_constant(&self, value: u64) -> Option<Holder> {
        ALL_CONSTANTS.into_iter().find(|&holder| {
            self.held[holder as usize].count > 0
                && self.constant(holder) == Some(value)
                && (self.held[holder as usize].count as usize) < SLOTS
        })
    }

    /// Returns a holder for a constant.
    pub(crate) fn choose_constant(&mut self) -> Choice {
        self.choose(&ALL_CONSTANTS)
    }

    /// Gives a holder without slots the value of a constant.
    pub(crate) fn set_constant(&mut self, holder: Holder, value: u64) {
        self.values[(holder - CONSTANT) as usize] = value;
    }

    /// Returns true if a register holds nothing but slots of `gone`, the ones that the current instruction overwrites or uses
    /// up, and is no accumulator but one that the instruction overwrites.
    pub(crate) fn is_last_use(&self, holder: Holder, gone: &[Option<i32>], overwritten: Option<Holder>) -> bool {
        let is_accumulator = holder == self.acc || holder == self.facc;
        (!is_accumulator || overwritten == Some(holder))
            && self.slots(holder).all(|held| gone.contains(&Some(held.slot)))
    }
}

/// Returns the numbers of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = Holder> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (bit < u64::BITS).then_some(bit as Holder)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirty(state: &State) -> Vec<(Holder, i32)> {
        let slots = |holder| state.slots(holder).filter(|held| held.is_dirty).map(move |held| (holder, held.slot));
        state.dirty_holders().flat_map(slots).collect()
    }

    #[test]
    fn holders_have_several_slots() {
        let mut state = State::new(-6, 10);
        assert!(state.bind(9, 3, true) && state.bind(9, -6, false) && state.bind(9, 4, true));
        assert_eq!(dirty(&state), [(9, 3), (9, 4)]);
        state.forget(3);
        let held = |slot, is_dirty| HeldSlot { slot, is_dirty, is_v128: false };
        assert_eq!(state.slots(9).collect::<Vec<_>>(), [held(4, true), held(-6, false)]);
        state.clean_all();
        assert_eq!(dirty(&state), []);
        assert!(state.bind(10, -6, true));
        assert_eq!((state.holder(-6), state.holder(4), state.holder(3)), (Some(10), Some(9), None));
        assert!(!state.bind(10, 10, true), "a slot outside of the frame");
        for slot in 0..3 {
            assert!(state.bind(10, slot, false));
        }
        assert!(!state.bind(10, 5, true), "a holder is full");
        assert!(state.is_dirty(-6) && !state.is_dirty(0) && !state.is_dirty(5));
        state.enter();
        assert!((-6..10).all(|slot| state.holder(slot).is_none()));
    }

    #[test]
    fn a_vector_ends_with_either_slot() {
        for overwritten in [3, 4] {
            let mut state = State::new(0, 10);
            assert!(state.bind(9, 4, true) && state.bind_v128(XMM + 2, 3, true) && state.bind_v128(XMM + 2, 6, true));
            assert_eq!((state.v128_holder(3), state.holder(4), state.holder(6)), (Some(18), None, Some(18)));
            assert!(state.bind(8, overwritten, false));
            assert_eq!((state.v128_holder(3), state.v128_holder(6)), (None, Some(18)));
            assert_eq!((dirty(&state), state.holder(overwritten)), (vec![(18, 6)], Some(8)));
            state.clean(18, 6);
            assert_eq!(dirty(&state), []);
            assert!(state.bind_v128(XMM, 5, false), "it ends the one from 6 on");
            assert_eq!((state.v128_holder(6), state.slots(18).count()), (None, 0));
            assert!(!state.bind_v128(XMM, 9, true), "its second slot is outside of the frame");
            state.drop_slots(XMM);
            assert_eq!(state.v128_holder(5), None);
        }
    }

    #[test]
    fn clean_registers_are_given_up_first() {
        let mut state = State::new(0, 100);
        for (slot, &holder) in GENERAL.iter().enumerate() {
            assert!(state.bind(holder, slot as i32, holder != 10));
        }
        assert_eq!(state.choose_general(), Choice::Taken(10));
        state.lock(10);
        let Choice::Taken(holder) = state.choose_general() else { panic!("none is free") };
        assert!(holder != 10 && holder != state.acc());
        state.drop_slots(11);
        assert_eq!(state.choose_general(), Choice::Free(11));
    }

    #[test]
    fn a_register_of_a_value_that_ends_is_used_again() {
        let mut state = State::new(0, 10);
        assert!(state.bind(9, 3, true) && state.bind(9, 4, false));
        assert!(!state.is_last_use(9, &[Some(3), None], None));
        assert!(state.is_last_use(9, &[Some(3), Some(4)], None));
        state.set_accumulator(9, Some(3));
        assert!(!state.is_last_use(9, &[Some(3), Some(4)], None));
        assert!(state.is_last_use(9, &[Some(3), Some(4)], Some(9)));
    }
}
