//! [`CompileQueue`]: the compilations that wait, the most worthwhile first.
//!
//! The worth of a compilation is its hotness over its size, computed when a thread asks for the next one. Samples taken while a
//! function waits therefore count. A loop that a program is in is worth more: its code is of use now, the code of a function
//! only at the next call. A giant function comes late because of its size, but its hotness grows. While a giant function is
//! being compiled, the [workers](crate::workers) compile others as well.
//!
//! Few compilations wait at a time, so the search through all of them costs nothing beside one compilation.

use crate::tuning::{LEAST_SIZE, LOOP_WEIGHT};

/// A compilation that waits.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    pub task: T,
    /// Bytes of the function's body.
    pub size: usize,
    /// True if the code is for a loop that a program is in.
    pub is_loop: bool,
    /// Least worth: that of a function that waits for this one.
    pub least_worth: u64,
}

/// A task whose hotness may grow while it waits.
pub(crate) trait Hot {
    /// Returns the number of samples that found the function or loop so far.
    fn hotness(&self) -> u32;
}

impl<T: Hot> Waiting<T> {
    pub(crate) fn worth(&self) -> u64 {
        let weight = if self.is_loop { LOOP_WEIGHT } else { 1 };
        (worth(self.task.hotness(), self.size) * weight).max(self.least_worth)
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

impl<T: Hot> CompileQueue<T> {
    pub(crate) fn push(&mut self, waiting: Waiting<T>) {
        self.waiting.push(waiting);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the bytes of all bodies.
    pub(crate) fn bytes(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.size).sum()
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A name with a hotness.
    #[derive(Debug)]
    struct Named(&'static str, Arc<AtomicU32>);

    impl Hot for Named {
        fn hotness(&self) -> u32 {
            self.1.load(Ordering::Relaxed)
        }
    }

    fn waiting(name: &'static str, size: usize, is_loop: bool, hotness: u32) -> Waiting<Named> {
        Waiting { task: Named(name, Arc::new(AtomicU32::new(hotness))), size, is_loop, least_worth: 0 }
    }

    fn order(mut queue: CompileQueue<Named>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).map(|waiting| waiting.task.0).collect()
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
        let hotness = late.task.1.clone();
        queue.push(late);
        hotness.store(5, Ordering::Relaxed);
        assert_eq!(order(queue), ["late", "first"]);
    }

    #[test]
    fn a_callee_comes_before_the_function_that_waits_for_it() {
        let mut queue = CompileQueue::default();
        let caller = waiting("caller", 400, true, 8);
        let callee = Waiting { least_worth: caller.worth(), ..waiting("callee", 800, false, 2) };
        queue.push(callee);
        queue.push(caller);
        queue.push(waiting("other", 400, false, 32));
        assert_eq!(order(queue), ["callee", "caller", "other"]);
    }

    #[test]
    fn equals_keep_their_order_and_tiny_sizes_are_equal() {
        let mut queue = CompileQueue::default();
        for (name, size) in [("a", 0), ("b", 1), ("c", 63)] {
            queue.push(waiting(name, size, false, 1));
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
