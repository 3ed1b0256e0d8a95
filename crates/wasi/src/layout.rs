//! Layouts of the types that pointer parameters point to, by the names that `table` uses.

/// Size and alignment of a type in guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size in bytes.
    pub size: u32,
    /// Alignment in bytes, a power of two.
    pub align: u32,
}

const fn of(size: u32, align: u32) -> Layout {
    Layout { size, align }
}

pub(crate) const U8: Layout = of(1, 1);
pub(crate) const U16: Layout = of(2, 2);
pub(crate) const U32: Layout = of(4, 4);
pub(crate) const U64: Layout = of(8, 8);
pub(crate) const IOVEC: Layout = of(8, 4);
pub(crate) const PRESTAT: Layout = of(8, 4);
pub(crate) const FDSTAT: Layout = of(24, 8);
pub(crate) const FILESTAT: Layout = of(64, 8);
pub(crate) const FILESTAT_UNSTABLE: Layout = of(56, 8);
pub(crate) const SUBSCRIPTION: Layout = of(48, 8);
pub(crate) const SUBSCRIPTION_UNSTABLE: Layout = of(56, 8);
pub(crate) const EVENT: Layout = of(32, 8);
