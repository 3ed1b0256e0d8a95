//! [`Family`]: a row of the instruction set.

use super::locations::Locations;
use crate::execute::dispatch::Handler;

/// Instructions that do the same with operands in different places.
pub(crate) trait Family: Copy {
    /// Places of operands and results that distinguish the family's instructions.
    type Locations: Locations;
    /// Index of the family's first instruction in its row.
    const BASE: usize = 0;
    /// Returns the row that contains the family's handlers.
    fn row(self) -> &'static [Handler];
}

/// Returns the handler of a family's instruction.
#[inline]
pub(crate) fn handler<F: Family>(family: F, locations: F::Locations) -> Handler {
    family.row()[F::BASE + locations.index()]
}
