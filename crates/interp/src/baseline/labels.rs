//! Registers over labels that only jumps forward lead to.
//!
//! Each jump notes which registers have which slots. Behind the label those of all jumps, and of the code before it, stay. All
//! slots are in memory there too. Handlers do not enter at such a label, unless they come from the instruction before it: a frame
//! that executes handlers continues with them up to the next entry. Jumps backward, branch tables and exceptions lead to labels
//! where nothing is in registers.

use super::function::Compiler;
use super::state::Arrival;

impl Compiler<'_> {
    /// Notes a jump forward, with all slots stored.
    pub(crate) fn note_jump(&mut self, to: u32) {
        match self.arrivals.get_mut(&to.into()) {
            Some(known) => self.state.meet(known),
            None => {
                self.arrivals.insert(to.into(), self.state.snapshot());
                if let Some(current) = &mut self.plain_loop {
                    current.jumps.push(to);
                }
            }
        }
    }

    /// Begins the code of a label with what is known in all jumps to it. Returns false if nothing is known of them.
    pub(crate) fn arrive(&mut self) -> bool {
        let Some(mut snapshot) = self.arrivals.remove(&self.word.into()) else { return false };
        if self.arrival == Arrival::Next {
            self.flush();
            self.state.meet(&mut snapshot);
        }
        self.arrival = Arrival::Next;
        self.state.resume(&snapshot);
        self.labels[self.word as usize] = self.asm.size() as u32;
        true
    }
}
