//! [`substitute`]: from the text of a row, in which `$` and a name stand for what an operator or a family determines, to that of an
//! instruction.

/// Returns a template with the value in place of each `$` and name. The first name that fits counts.
pub(super) fn substitute(template: &str, values: &[(&str, &str)]) -> String {
    let mut pieces = template.split('$');
    let mut text = String::with_capacity(2 * template.len());
    text += pieces.next().unwrap_or_default();
    for piece in pieces {
        let found = values.iter().find_map(|(name, value)| Some((*value, piece.strip_prefix(name)?)));
        let (value, rest) = found.unwrap_or(("$", piece));
        text += value;
        text += rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_unknown_ones_stay() {
        let values = [("op", "i32.add"), ("x", "acc")];
        assert_eq!(substitute("{d} = $op_u $x, {b}", &values), "{d} = i32.add_u acc, {b}");
        assert_eq!((substitute("$y", &values), substitute("", &values)), ("$y".to_owned(), String::new()));
    }
}
