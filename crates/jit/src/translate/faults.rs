//! Which operator a fault is of: [`Faults`] tells loads from guarded memory apart.
//!
//! Cranelift makes many a load part of the instruction that uses the value. That has the source location of the user, which is
//! another operator, or none at all if the user was made by a rewriting rule. What stays is the load's trap code: so that is a
//! number of the load here, and what the number says goes into the table from code to positions.
//!
//! There are fewer codes than loads in a large function. Of loads with the same code the one meant is the nearest, as no other
//! access is between a load and its user.
//!
//! # Why do stores have the code of the load before?
//! A load, an operation and a store to the same place become one instruction only if the flags of both accesses are the same.
//! Stores keep their source locations in any case; so of that one instruction the store is told, not the load.

use cranelift_codegen::MachTrap;
use cranelift_codegen::ir::{SourceLoc, TrapCode};

/// The first code of a load; those below are traps'.
const FIRST: u8 = 64;
/// How many loads have codes of their own.
const COUNT: u8 = 187;

const _: () = assert!(wasmr_core::trap::TrapCode::ALL.len() < FIRST as usize);
const _: () = assert!(TrapCode::user(FIRST + COUNT - 1).is_some());

/// The accesses of a function that may fault, by their positions.
#[derive(Debug, Default)]
pub struct Faults {
    loads: Vec<u32>,
    stores: Vec<u32>,
}

/// Whether the code is one that an access may have.
pub fn is_access(code: TrapCode) -> bool {
    (FIRST..FIRST + COUNT).contains(&code.as_raw().get())
}

fn code_of(load: usize) -> TrapCode {
    TrapCode::user(FIRST + (load % usize::from(COUNT)) as u8).expect("checked above")
}

impl Faults {
    /// The trap code of a load by an operator.
    pub fn load(&mut self, position: u32) -> TrapCode {
        self.loads.push(position);
        code_of(self.loads.len() - 1)
    }

    /// The trap code of a store by an operator.
    pub fn store(&mut self, position: u32) -> TrapCode {
        self.stores.push(position);
        code_of(self.loads.len().saturating_sub(1))
    }

    /// Has `positions`, from where on code is of which, tell of each instruction that is a load which one.
    pub fn locate(mut self, traps: &[MachTrap], positions: &mut Vec<(u32, u32)>) {
        let unknown = SourceLoc::default().bits();
        self.stores.sort_unstable();
        let mut corrections = Vec::new();
        for trap in traps.iter().filter(|trap| is_access(trap.code)) {
            let before = &positions[..positions.partition_point(|&(start, _)| start <= trap.offset)];
            let found = before.last().map_or(unknown, |&(_, position)| position);
            if self.stores.binary_search(&found).is_ok() {
                continue;
            }
            let near = before.iter().rev().find(|&&(_, position)| position != unknown).map_or(0, |&(_, near)| near);
            let number = usize::from(trap.code.as_raw().get() - FIRST);
            let same_code = self.loads.iter().skip(number).step_by(usize::from(COUNT));
            if let Some(&load) = same_code.min_by_key(|load| load.abs_diff(near))
                && load != found
            {
                // Only the instruction's first byte is asked about, and no instruction with an operand in memory has but one.
                corrections.extend([(trap.offset, load), (trap.offset + 1, found)]);
            }
        }
        positions.extend(corrections);
        // Stable: what is corrected is found before what it corrects.
        positions.sort_by_key(|&(start, _)| start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trap(offset: u32, code: TrapCode) -> MachTrap {
        MachTrap { offset, code }
    }

    #[test]
    fn a_load_in_another_operators_instruction_is_told() {
        let mut faults = Faults::default();
        let (first, second) = (faults.load(10), faults.load(13));
        let mut positions = vec![(0, 10), (4, 15)];
        faults.locate(&[trap(0, first), trap(4, second)], &mut positions);
        assert_eq!(positions, [(0, 10), (4, 15), (4, 13), (5, 15)]);
    }

    #[test]
    fn a_load_in_an_instruction_of_nobody_is_told() {
        let unknown = SourceLoc::default().bits();
        let mut faults = Faults::default();
        let code = faults.load(10);
        let mut positions = vec![(0, unknown), (2, 7), (4, unknown)];
        faults.locate(&[trap(6, code)], &mut positions);
        assert_eq!(positions[3..], [(6, 10), (7, unknown)]);
    }

    #[test]
    fn a_store_is_where_it_is() {
        let mut faults = Faults::default();
        let load = faults.load(10);
        let store = faults.store(14);
        assert_eq!(load, store);
        let mut positions = vec![(0, 10), (4, 14)];
        faults.locate(&[trap(0, load), trap(5, store)], &mut positions);
        assert_eq!(positions, [(0, 10), (4, 14)]);
    }

    #[test]
    fn of_many_loads_the_nearest_is_meant() {
        let mut faults = Faults::default();
        let codes: Vec<TrapCode> = (0..1000).map(|load| faults.load(load * 10)).collect();
        let mut positions: Vec<(u32, u32)> = (0..1000).map(|load| (load * 4, load * 10 + 3)).collect();
        let traps: Vec<MachTrap> = (0..).zip(&codes).map(|(load, &code)| trap(load * 4, code)).collect();
        faults.locate(&traps, &mut positions);
        let told: Vec<u32> = positions.iter().map(|&(_, position)| position).filter(|at| at % 10 == 0).collect();
        assert_eq!(told, (0..1000).map(|load| load * 10).collect::<Vec<u32>>());
    }
}
