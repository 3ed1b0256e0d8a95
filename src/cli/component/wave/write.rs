//! Makes text of values.

use std::fmt::Write;

use wasmr::component::{List, Val};

use super::KEYWORDS;

/// Returns a value as text of one line.
pub(in super::super) fn text_of(value: &Val) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Val, text: &mut String) {
    let _ = match value {
        Val::Bool(value) => write!(text, "{value}"),
        Val::S8(value) => write!(text, "{value}"),
        Val::U8(value) => write!(text, "{value}"),
        Val::S16(value) => write!(text, "{value}"),
        Val::U16(value) => write!(text, "{value}"),
        Val::S32(value) => write!(text, "{value}"),
        Val::U32(value) => write!(text, "{value}"),
        Val::S64(value) => write!(text, "{value}"),
        Val::U64(value) => write!(text, "{value}"),
        Val::F32(value) if value.is_nan() => write!(text, "nan"),
        Val::F64(value) if value.is_nan() => write!(text, "nan"),
        Val::F32(value) => write!(text, "{value}"),
        Val::F64(value) => write!(text, "{value}"),
        Val::Char(value) => return quoted('\'', [*value], text),
        Val::String(value) => return quoted('"', value.chars(), text),
        Val::List(list) => return write_list(list, text),
        Val::Map(entries) => {
            return items(text, ('{', '}'), entries, |(key, value), text| {
                write(key, text);
                text.push_str(": ");
                write(value, text);
            });
        }
        Val::Record(fields) => return write_record(fields, text),
        Val::Tuple(all) => return items(text, ('(', ')'), all, write),
        Val::Variant(name, payload) => return case(&label(name), payload, text),
        Val::Enum(name) => write!(text, "{}", label(name)),
        Val::Option(None) => write!(text, "none"),
        Val::Option(payload) => return case("some", payload, text),
        Val::Result(Ok(payload)) => return case("ok", payload, text),
        Val::Result(Err(payload)) => return case("err", payload, text),
        Val::Flags(names) => return items(text, ('{', '}'), names, |name, text| text.push_str(name)),
        // WAVE has no form for resources.
        Val::Resource(_) => write!(text, "<resource>"),
    };
}

fn write_list(list: &List, text: &mut String) {
    match list {
        List::U8(bytes) => items(text, ('[', ']'), bytes, |byte, text| {
            let _ = write!(text, "{byte}");
        }),
        list => items(text, ('[', ']'), list.iter(), |value, text| write(&value, text)),
    }
}

/// Writes a record without the fields that are `none`, as those may be left out.
fn write_record(fields: &[(String, Val)], text: &mut String) {
    let present: Vec<_> = fields.iter().filter(|(_, value)| !matches!(value, Val::Option(None))).collect();
    if present.is_empty() {
        return text.push_str("{:}");
    }
    items(text, ('{', '}'), present, |(name, value), text| {
        text.push_str(name);
        text.push_str(": ");
        write(value, text);
    });
}

fn items<I: IntoIterator>(
    text: &mut String,
    (open, close): (char, char),
    all: I,
    mut write: impl FnMut(I::Item, &mut String),
) {
    text.push(open);
    for (index, item) in all.into_iter().enumerate() {
        text.push_str(if index == 0 { "" } else { ", " });
        write(item, text);
    }
    text.push(close);
}

fn case(label: &str, payload: &Option<Box<Val>>, text: &mut String) {
    text.push_str(label);
    if let Some(payload) = payload {
        text.push('(');
        write(payload, text);
        text.push(')');
    }
}

/// Returns the name of a case so that it is read as such.
fn label(name: &str) -> String {
    format!("{}{name}", if KEYWORDS.contains(&name) { "%" } else { "" })
}

/// Writes characters in quotes. Control characters are escaped, so that a result is one line and cannot steer a terminal.
fn quoted(quote: char, chars: impl IntoIterator<Item = char>, text: &mut String) {
    text.push(quote);
    for c in chars {
        let _ = match c {
            '\\' => write!(text, "\\\\"),
            '\n' => write!(text, "\\n"),
            '\r' => write!(text, "\\r"),
            '\t' => write!(text, "\\t"),
            c if c == quote => write!(text, "\\{c}"),
            c if c.is_control() => write!(text, "\\u{{{:x}}}", u32::from(c)),
            c => write!(text, "{c}"),
        };
    }
    text.push(quote);
}
