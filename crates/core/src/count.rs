//! Numbers in messages: [`Count`] with a noun, [`grouped`] digits.

use std::fmt;

/// A number with its noun in the singular, displayed as `1 byte` or `2 bytes`. The plural is formed with `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<N>(pub N, pub &'static str);

impl<N: PartialEq + From<u8>> Count<N> {
    /// Returns the ending of the noun.
    fn plural(&self) -> &'static str {
        if self.0 == N::from(1) { "" } else { "s" }
    }
}

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Count<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, self.plural())
    }
}

impl Count<usize> {
    /// Returns the number, its digits [`grouped`], with its noun.
    pub fn grouped(&self) -> String {
        format!("{} {}{}", grouped(self.0), self.1, self.plural())
    }
}

/// Returns the digits of a number in groups of three, with a space between groups: `31 998`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn one_is_singular() {
        let shown = [0_u64, 1, 2].map(|number| Count(number, "byte").to_string());
        assert_eq!(shown, ["0 bytes", "1 byte", "2 bytes"]);
        assert_eq!(Count(1_usize, "result").to_string(), "1 result");
        assert_eq!([1, 1234].map(|number| Count(number, "byte").grouped()), ["1 byte", "1 234 bytes"]);
    }
}
