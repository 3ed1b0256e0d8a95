//! [`Family`]: a row of the instruction set.

use super::locations::Locations;
use crate::execute::dispatch::Handler;

/// Instructions that do the same with operands in different places.
pub(crate) trait Family: Copy {
    /// Choices that the family leaves.
    type Locations: Locations;
    /// Index of the family's first instruction in its row.
    const BASE: usize = 0;
    /// Returns an array that has the family's handlers.
    fn row(self) -> &'static [Handler];
}

/// Returns the handler of a family's instruction.
#[inline]
pub(crate) fn handler<F: Family>(family: F, locations: F::Locations) -> Handler {
    family.row()[F::BASE + locations.index()]
}
