//! [`Count`]: a number with its noun, for messages.

use std::fmt;

/// Shows a number with its noun in singular or plural: `1 byte`, `2 bytes`.
///
/// The noun is given in the singular and forms its plural with `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<N>(pub N, pub &'static str);

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Count<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count(number, noun) = self;
        let plural = if *number == N::from(1) { "" } else { "s" };
        write!(f, "{number} {noun}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        let shown = [0_u64, 1, 2].map(|number| Count(number, "byte").to_string());
        assert_eq!(shown, ["0 bytes", "1 byte", "2 bytes"]);
        assert_eq!(Count(1_usize, "result").to_string(), "1 result");
    }
}
