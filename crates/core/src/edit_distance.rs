//! [`edit_distance`]: how similar two names are, for messages that offer a name.

/// Returns the least number of characters to insert, delete or replace to make one name of another
/// ([Levenshtein distance](https://en.wikipedia.org/wiki/Levenshtein_distance)); `None` if it exceeds `allowed`. Names whose lengths alone
/// differ by more cost nothing.
pub fn edit_distance(a: &str, b: &str, allowed: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > allowed {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().filter(|&distance| distance <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let cases = [
            ("kitten", "sitting", 3),
            ("", "ab", 2),
            ("ab", "ab", 0),
            ("read", "read", 0),
            ("read", "reed", 1),
            ("", "abc", 3),
            ("blocking-read", "blocking-write", 4),
        ];
        for (a, b, distance) in cases {
            assert_eq!(edit_distance(a, b, distance), Some(distance), "{a} {b}");
            assert_eq!(edit_distance(b, a, distance + 1), Some(distance), "{b} {a}");
            if distance > 0 {
                assert_eq!(edit_distance(a, b, distance - 1), None, "{a} {b}");
            }
        }
    }
}
