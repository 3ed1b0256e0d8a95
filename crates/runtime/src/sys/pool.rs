//! A pool of a few values that are expensive to make, for the next user.
//!
//! In: values that their owner no longer uses and has restored to the state of new ones *before* it puts them here. A
//! pool never contains a guest's bytes. Out: each value once.
//!
//! No thread ever waits for a pool. It skips a place that another thread is using, as if that were empty or taken. A
//! process forked while another thread was at a place loses that place and nothing else, and many threads do not queue.

use std::sync::{Mutex, MutexGuard};

/// Most values that a pool keeps.
pub(super) const PLACES: usize = 8;

/// Up to [`PLACES`] values.
#[derive(Debug)]
pub(super) struct Pool<T> {
    places: [Mutex<Option<T>>; PLACES],
}

impl<T> Pool<T> {
    /// Returns an empty pool. Needs no initialisation at run time.
    pub(super) const fn new() -> Pool<T> {
        Pool { places: [const { Mutex::new(None) }; PLACES] }
    }

    fn free_places(&self) -> impl Iterator<Item = MutexGuard<'_, Option<T>>> {
        self.places.iter().filter_map(|place| place.try_lock().ok())
    }

    /// Takes out a value for which `fits` returns true.
    pub(super) fn take(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        self.free_places().find_map(|mut place| place.take_if(|kept| fits(kept)))
    }

    /// Keeps `value`. In a full pool it replaces a value that is not `like` it. Returns the value that is not kept.
    pub(super) fn put(&self, value: T, like: impl Fn(&T) -> bool) -> Option<T> {
        if let Some(mut place) = self.free_places().find(|place| place.is_none()) {
            *place = Some(value);
            return None;
        }
        match self.free_places().find(|place| place.as_ref().is_some_and(|kept| !like(kept))) {
            Some(mut place) => place.replace(value),
            None => Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_comes_out_once_and_only_if_it_fits() {
        let pool = Pool::new();
        assert_eq!(pool.put(1, |_| true), None);
        assert_eq!(pool.put(2, |_| true), None);
        assert_eq!(pool.take(|&kept| kept == 2), Some(2));
        assert_eq!(pool.take(|&kept| kept == 2), None);
        assert_eq!(pool.take(|_| true), Some(1));
        assert_eq!(pool.take(|_| true), None);
    }

    #[test]
    fn a_full_pool_keeps_the_newest_kind() {
        let pool = Pool::new();
        let alike = |a: i32| move |&b: &i32| a % 2 == b % 2;
        for value in 0..PLACES as i32 {
            assert_eq!(pool.put(2 * value, alike(0)), None);
        }
        assert_eq!(pool.put(100, alike(0)), Some(100));
        assert!(pool.put(1, alike(1)).is_some_and(|out| out % 2 == 0));
        assert_eq!(pool.take(alike(1)), Some(1));
    }

    #[test]
    fn no_thread_waits_for_a_busy_place() {
        let pool = Pool::new();
        let busy = pool.places[0].lock().unwrap();
        assert_eq!(pool.put(5, |_| true), None);
        assert_eq!(pool.take(|_| true), Some(5));
        let all: Vec<_> = pool.places[1..].iter().map(|place| place.lock().unwrap()).collect();
        assert_eq!(pool.put(6, |_| true), Some(6));
        assert_eq!(pool.take(|_| true), None);
        drop((busy, all));
    }
}
