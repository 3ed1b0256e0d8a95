//! [`Report`]: the directives of a script that passed, and those that failed.

/// The result of a script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Number of directives that passed.
    pub passed: usize,
    /// Directives that failed, in order.
    pub failures: Vec<Failure>,
}

/// A directive that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1.
    pub column: usize,
    /// The expected and the actual outcome.
    pub message: String,
}

impl Report {
    /// Returns true if every directive passed.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }

    /// Returns the number of all directives.
    pub fn total(&self) -> usize {
        self.passed + self.failures.len()
    }

    pub(super) fn fail(&mut self, (line, column): (usize, usize), message: String) {
        // The parser counts from 0.
        self.failures.push(Failure { line: line + 1, column: column + 1, message });
    }
}
