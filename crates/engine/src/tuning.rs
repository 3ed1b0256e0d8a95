//! Knobs that change only speed: no result, error or limit depends on anything in this file.

/// The knobs, with defaults that were measured.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// On how many threads at most to validate function bodies; `None` asks the system for its processors.
    pub validation_threads: Option<usize>,
    /// Modules below this many bytes are validated on the calling thread. Validation runs at about 75 MB/s a core, so here a
    /// second thread would save about as much as it and the question how many there are cost.
    pub parallel_validation_from: usize,
    /// Whether functions that are interpreted often get machine code of their own, put together from the interpreter's.
    pub stitch: bool,
    /// How many samples, one in about a thousand calls and loops, must have found a function before that; 0 is before its
    /// first execution.
    pub stitch_after: u32,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { validation_threads: None, parallel_validation_from: 128 << 10, stitch: true, stitch_after: 4 }
    }
}

impl Tuning {
    /// On how many threads to validate a module of that size.
    pub fn threads_for(&self, module_bytes: usize) -> usize {
        if module_bytes < self.parallel_validation_from {
            return 1;
        }
        self.validation_threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
}

#[cfg(test)]
mod tests {
    use super::Tuning;

    #[test]
    fn small_modules_stay_on_one_thread() {
        let tuning = Tuning { validation_threads: Some(8), ..Tuning::default() };
        assert_eq!((tuning.threads_for(1000), tuning.threads_for(100 << 20)), (1, 8));
        assert!(Tuning::default().threads_for(100 << 20) >= 1);
    }
}
