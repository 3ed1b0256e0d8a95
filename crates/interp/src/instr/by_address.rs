//! [`ByAddress`]: the way from a handler's address to its instructions.
//!
//! # Why is it not made by the compiler, or sorted?
//! The linker chooses the addresses, so that the table can only be made at run time. A program that runs for 10 ms makes it, too.
//! Sorting it took 2.5 million machine instructions, and inserting all instructions in a hash table takes 0.2 million.

/// A hash table of instructions, with linear probing. The key is the address of the handler.
pub(super) struct ByAddress<Instr> {
    /// A power of two. An entry without an instruction has address 0.
    entries: Box<[(u64, Option<Instr>)]>,
}

impl<Instr: Copy> ByAddress<Instr> {
    /// Creates a table with room for `most` instructions.
    pub(super) fn with_capacity(most: usize) -> ByAddress<Instr> {
        // A quarter at least stays empty, so that searches end soon.
        ByAddress { entries: vec![(0, None); (most + most / 3 + 1).next_power_of_two()].into() }
    }

    /// Adds an instruction.
    pub(super) fn insert(&mut self, address: u64, instr: Instr) {
        let at = self.places(address).find(|&at| self.entries[at].1.is_none()).expect("room for all instructions");
        self.entries[at] = (address, Some(instr));
    }

    /// Returns the instructions of a handler, in the order in which they were inserted.
    pub(super) fn get(&self, address: u64) -> impl Iterator<Item = Instr> {
        let entries = self.places(address).map(|at| self.entries[at]);
        entries
            .map_while(|(found, instr)| Some((found, instr?)))
            .filter(move |(found, _)| *found == address)
            .map(|(_, instr)| instr)
    }

    /// Returns all indices of entries, in the order in which a search for an address visits them.
    fn places(&self, address: u64) -> impl Iterator<Item = usize> + use<Instr> {
        let mask = self.entries.len() - 1;
        // Fibonacci hashing: the high bits of the product depend on all bits of the address.
        let hash = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (0..=mask).map(move |step| (hash as usize + step) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_one_address_come_in_order() {
        let all: Vec<u32> = (0..60).collect();
        let mut table = ByAddress::with_capacity(all.len());
        // Few addresses, many instructions each.
        all.iter().enumerate().for_each(|(number, &instr)| table.insert(16 + number as u64 % 3, instr));
        for address in 0..3 {
            let expected = all.iter().skip(address).step_by(3).copied();
            assert!(table.get(16 + address as u64).eq(expected));
        }
        assert_eq!((table.get(19).count(), table.get(0).count()), (0, 0));
    }
}
