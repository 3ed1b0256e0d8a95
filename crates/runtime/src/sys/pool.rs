//! A few things that are dear to make, kept for whoever needs one like them next.
//!
//! Comes in: what its owner has let go and made as good as new, *before* it comes here: a pool never holds a guest's bytes.
//! Goes out: each of them once.
//!
//! Nobody ever waits here. A place in which somebody is busy is passed by, as if it were empty or taken: so a process
//! forked off while another thread was in one loses that place and nothing else, and many threads do not queue.

use std::sync::{Mutex, MutexGuard};

/// How many of one kind are kept at most.
pub(super) const PLACES: usize = 8;

/// Up to [`PLACES`] values.
#[derive(Debug)]
pub(super) struct Pool<T> {
    places: [Mutex<Option<T>>; PLACES],
}

impl<T> Pool<T> {
    /// An empty one, which needs nothing at run time.
    pub(super) const fn new() -> Pool<T> {
        Pool { places: [const { Mutex::new(None) }; PLACES] }
    }

    fn free_places(&self) -> impl Iterator<Item = MutexGuard<'_, Option<T>>> {
        self.places.iter().filter_map(|place| place.try_lock().ok())
    }

    /// Takes out one that fits.
    pub(super) fn take(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        self.free_places().find_map(|mut place| place.take_if(|kept| fits(kept)))
    }

    /// Keeps `value`, in place of one that is not `like` it if there is no room otherwise. Gives back what is not kept.
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
    fn everything_comes_out_once_and_only_what_fits() {
        let pool = Pool::new();
        assert_eq!(pool.put(1, |_| true), None);
        assert_eq!(pool.put(2, |_| true), None);
        assert_eq!(pool.take(|&kept| kept == 2), Some(2));
        assert_eq!(pool.take(|&kept| kept == 2), None);
        assert_eq!(pool.take(|_| true), Some(1));
        assert_eq!(pool.take(|_| true), None);
    }

    #[test]
    fn a_full_one_keeps_the_newest_kind() {
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
    fn nobody_waits_for_a_busy_place() {
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
