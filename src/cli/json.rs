//! Writes the JSON of `--json` and `--stats=json`, which needs too little to justify a library.
//!
//! Objects of scalars and lists of numbers take one line. All others have one element per line, so that people can read them and
//! `diff` can compare them.

use std::fmt::{self, Display, Formatter, Write};

use wasmr_module::printable::is_unprintable;

/// A value to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A count. Readers may lose the last digits of a number beyond 53 bits.
    Number(u64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object with its keys in order.
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    fn is_scalar(&self) -> bool {
        !matches!(self, Json::List(_) | Json::Object(_))
    }

    /// Writes the value. Lines after the first are indented by `depth` levels.
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(value) => write!(f, "{value}"),
            Json::Text(text) => quote(f, text),
            Json::List(items) => {
                let flat = items.iter().all(|item| item.is_scalar() && !matches!(item, Json::Text(_)));
                container(f, ['[', ']'], items, flat, depth, |f, item| item.write(f, depth + 1))
            }
            Json::Object(fields) => {
                let flat = fields.iter().all(|(_, value)| value.is_scalar());
                container(f, ['{', '}'], fields, flat, depth, |f, (key, value)| {
                    quote(f, key)?;
                    f.write_str(": ")?;
                    value.write(f, depth + 1)
                })
            }
        }
    }
}

fn container<T>(
    f: &mut Formatter<'_>,
    [open, close]: [char; 2],
    items: &[T],
    flat: bool,
    depth: usize,
    mut write: impl FnMut(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(open)?;
    for (index, item) in items.iter().enumerate() {
        match (flat, index) {
            (true, 0) => {}
            (true, _) => f.write_str(", ")?,
            (false, 0) => write!(f, "\n{:1$}", "", 2 * depth + 2)?,
            (false, _) => write!(f, ",\n{:1$}", "", 2 * depth + 2)?,
        }
        write(f, item)?;
    }
    if !flat {
        write!(f, "\n{:1$}", "", 2 * depth)?;
    }
    f.write_char(close)
}

/// Writes a string. Characters that JSON reserves or that could steer a terminal are escaped.
fn quote(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            // All unprintable characters are in the basic multilingual plane, so four digits suffice.
            c if is_unprintable(c) => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Json {
        Json::Number(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Json {
        Json::Number(value.into())
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Json {
        Json::Number(value as u64)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_string())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Json {
        Json::List(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stand_on_one_line_and_the_rest_below_each_other() {
        let flat = Json::Object(vec![("a", 1u32.into()), ("b", Json::Null)]);
        assert_eq!(flat.to_string(), r#"{"a": 1, "b": null}"#);
        let value = Json::Object(vec![("list", [true, false].into_iter().collect()), ("deep", Json::List(vec![flat]))]);
        let expected = "{\n  \"list\": [true, false],\n  \"deep\": [\n    {\"a\": 1, \"b\": null}\n  ]\n}";
        assert_eq!(value.to_string(), expected);
        assert_eq!((Json::List(vec![]).to_string(), Json::Object(vec![]).to_string()), ("[]".into(), "{}".into()));
        assert_eq!(Json::from(u64::MAX).to_string(), "18446744073709551615");
    }

    #[test]
    fn strings_of_a_list_stand_below_each_other() {
        let list: Json = ["a", "b"].into_iter().collect();
        assert_eq!(list.to_string(), "[\n  \"a\",\n  \"b\"\n]");
    }

    #[test]
    fn strings_are_escaped() {
        let text = Json::from("a\"\\\n\t\u{1b}[2J\u{7f}\u{9b}é→😀");
        assert_eq!(text.to_string(), r#""a\"\\\n\t\u001b[2J\u007f\u009bé→😀""#);
    }
}
