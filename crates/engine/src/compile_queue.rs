//! [`CompileQueue`]: the compilations that wait, the most worthwhile first.
//!
//! The worth of a compilation is its hotness over its size, computed when a thread asks for the next one. Samples taken while a
//! function waits therefore count. A loop that a program is in is worth more: its code is of use now, the code of a function
//! only at the next call. A giant function comes late because of its size, but its hotness grows. While a giant function is
//! being compiled, the [workers](crate::workers) compile others as well.
//!
//! Few compilations wait at a time, so the search through all of them costs nothing beside one compilation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::tuning::{LEAST_SIZE, LOOP_WEIGHT};

/// A compilation that waits.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    pub task: T,
    /// Bytes of the function's body.
    pub size: usize,
    /// True if the code is for a loop that a program is in.
    pub is_loop: bool,
    /// Samples that found the function or loop, counted on while it waits.
    pub hotness: Arc<AtomicU32>,
}

impl<T> Waiting<T> {
    fn worth(&self) -> u64 {
        let weight = if self.is_loop { LOOP_WEIGHT } else { 1 };
        worth(self.hotness.load(Ordering::Relaxed), self.size) * weight
    }
}

/// Returns the worth of compiling a function: its hotness over the size of its body in bytes.
pub(crate) fn worth(hotness: u32, size: usize) -> u64 {
    (u64::from(hotness.max(1)) << 24) / (size as u64).max(LEAST_SIZE)
}

#[derive(Debug)]
pub(crate) struct CompileQueue<T> {
    waiting: Vec<Waiting<T>>,
}

impl<T> Default for CompileQueue<T> {
    fn default() -> CompileQueue<T> {
        CompileQueue { waiting: Vec::new() }
    }
}

impl<T> CompileQueue<T> {
    pub(crate) fn push(&mut self, waiting: Waiting<T>) {
        self.waiting.push(waiting);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns all tasks, in the order in which they came.
    pub(crate) fn into_tasks(self) -> impl Iterator<Item = T> {
        self.waiting.into_iter().map(|waiting| waiting.task)
    }

    /// Removes and returns the compilation of the highest worth; among equals, the earliest.
    pub(crate) fn pop(&mut self) -> Option<Waiting<T>> {
        let places = 0..self.waiting.len();
        let best = places.max_by_key(|&place| (self.waiting[place].worth(), std::cmp::Reverse(place)))?;
        // `swap_remove` would change the order of equals.
        Some(self.waiting.remove(best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(task: &'static str, size: usize, is_loop: bool, hotness: u32) -> Waiting<&'static str> {
        Waiting { task, size, is_loop, hotness: Arc::new(AtomicU32::new(hotness)) }
    }

    fn order(mut queue: CompileQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).map(|waiting| waiting.task).collect()
    }

    #[test]
    fn hotness_over_size_decides_and_loops_come_first() {
        let mut queue = CompileQueue::default();
        queue.push(waiting("giant", 400_000, false, 50));
        queue.push(waiting("small", 400, false, 4));
        queue.push(waiting("hot", 400, false, 40));
        queue.push(waiting("loop", 400, true, 10));
        assert_eq!(order(queue), ["loop", "hot", "small", "giant"]);
    }

    #[test]
    fn samples_count_while_something_waits() {
        let mut queue = CompileQueue::default();
        queue.push(waiting("first", 400, false, 4));
        let late = waiting("late", 400, false, 4);
        let hotness = late.hotness.clone();
        queue.push(late);
        hotness.store(5, Ordering::Relaxed);
        assert_eq!(order(queue), ["late", "first"]);
    }

    #[test]
    fn equals_keep_their_order_and_tiny_sizes_are_equal() {
        let mut queue = CompileQueue::default();
        for (task, size) in [("a", 0), ("b", 1), ("c", 63)] {
            queue.push(waiting(task, size, false, 1));
        }
        assert_eq!(order(queue), ["a", "b", "c"]);
    }

    #[test]
    fn a_giant_gets_its_turn() {
        let mut queue = CompileQueue::default();
        let giant = waiting("giant", 1 << 20, false, 40_000);
        queue.push(giant);
        queue.push(waiting("small", 1 << 10, false, 2));
        assert_eq!(order(queue), ["giant", "small"]);
    }
}
