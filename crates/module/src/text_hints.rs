//! Hints for obsolete words and forms of the text format, which occur in old tutorials, tools and test suites.
//!
//! The error of the text parser only says that a word is unknown. The hint, appended as its last line, has the present-day
//! form.

use wast::Wat;
use wast::parser::{self, ParseBuffer};

/// Renamed words as pairs of old and new.
const RENAMED: [(&str, &str); 27] = [
    ("anyfunc", "funcref"),
    ("current_memory", "memory.size"),
    ("grow_memory", "memory.grow"),
    ("get_local", "local.get"),
    ("set_local", "local.set"),
    ("tee_local", "local.tee"),
    ("get_global", "global.get"),
    ("set_global", "global.set"),
    ("memory.drop", "data.drop"),
    ("table.drop", "elem.drop"),
    ("event", "tag"),
    ("atomic.notify", "memory.atomic.notify"),
    ("i32.atomic.wait", "memory.atomic.wait32"),
    ("i64.atomic.wait", "memory.atomic.wait64"),
    ("v8x16.shuffle", "i8x16.shuffle"),
    ("v8x16.swizzle", "i8x16.swizzle"),
    ("i8x16.add_saturate_s", "i8x16.add_sat_s"),
    ("i8x16.add_saturate_u", "i8x16.add_sat_u"),
    ("i8x16.sub_saturate_s", "i8x16.sub_sat_s"),
    ("i8x16.sub_saturate_u", "i8x16.sub_sat_u"),
    ("i16x8.add_saturate_s", "i16x8.add_sat_s"),
    ("i16x8.add_saturate_u", "i16x8.add_sat_u"),
    ("i16x8.sub_saturate_s", "i16x8.sub_sat_s"),
    ("i16x8.sub_saturate_u", "i16x8.sub_sat_u"),
    ("extern.externalize", "extern.convert_any"),
    ("extern.internalize", "any.convert_extern"),
    ("i31.new", "ref.i31"),
];

/// Conversions whose old names had the source type after a slash.
const CONVERSIONS: [&str; 7] = ["wrap", "extend", "trunc", "convert", "demote", "promote", "reinterpret"];

const NUMBER_TYPES: [&str; 4] = ["i32", "i64", "f32", "f64"];

/// Returns a hint for the word that the text parser rejects in `text`, if the word is obsolete.
pub(crate) fn hint_in(text: &str) -> Option<String> {
    // The `wat` crate's error has no accessible position, so the text is parsed once more.
    let span = match ParseBuffer::new(text) {
        Ok(buffer) => parser::parse::<Wat<'_>>(&buffer).err()?.span(),
        Err(error) => error.span(),
    };
    hint_at(text, span.offset())
}

/// Returns a hint for the word at a byte offset of `text`, if the word is obsolete.
pub fn hint_at(text: &str, offset: usize) -> Option<String> {
    let (before, after) = text.split_at_checked(offset)?;
    let word = after.split(is_delimiter).next()?;
    if let Some((_, new)) = RENAMED.iter().find(|(old, _)| *old == word) {
        return Some(format!("`{word}` is `{new}` today"));
    }
    if let Some(new) = conversion(word) {
        return Some(format!("`{word}` is `{new}` today"));
    }
    let opener = opener(before)?;
    let is_block = ["block", "loop", "if"].contains(&opener);
    (is_block && NUMBER_TYPES.contains(&word))
        .then(|| format!("the result of a `{opener}` is written `(result {word})`"))
}

/// Returns the present-day name of an obsolete conversion, for instance of `i32.trunc_s:sat/f32`.
fn conversion(word: &str) -> Option<String> {
    let (operator, from) = word.split_once('/')?;
    let (to, operator) = operator.split_once('.')?;
    let (operator, saturating) = operator.strip_suffix(":sat").map_or((operator, ""), |operator| (operator, "_sat"));
    let (operator, sign) = match operator.rsplit_once('_') {
        Some((operator, "s")) => (operator, "_s"),
        Some((operator, "u")) => (operator, "_u"),
        _ => (operator, ""),
    };
    let is_known = NUMBER_TYPES.contains(&to) && NUMBER_TYPES.contains(&from) && CONVERSIONS.contains(&operator);
    is_known.then(|| format!("{to}.{operator}{saturating}_{from}{sign}"))
}

/// Returns the last word of a text that is not a label.
fn opener(before: &str) -> Option<&str> {
    let mut words = before.rsplit(is_delimiter).filter(|word| !word.is_empty());
    words.find(|word| !word.starts_with('$'))
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || "()\";".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn hint(body: &str, expected: Option<&str>) {
        let hint = hint_in(&format!("(module (func {body}))"));
        assert_eq!(hint.as_deref(), expected, "{body}");
    }

    #[test]
    fn every_new_word_is_read_and_no_old_one() {
        let is_read = |word: &str| {
            let operands = ["", " 0", " 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"];
            let fields =
                |operands| [format!("(func {word}{operands})"), format!("({word})"), format!("(table 0 {word})")];
            let mut texts = operands.iter().flat_map(fields).map(|field| format!("(module {field})"));
            texts.any(|text| ParseBuffer::new(&text).is_ok_and(|buffer| parser::parse::<Wat<'_>>(&buffer).is_ok()))
        };
        for (old, new) in RENAMED {
            assert!(!is_read(old) && is_read(new), "{old} {new}");
        }
        for word in ["i32.wrap/i64", "i64.extend_u/i32", "f32.demote/f64", "f64.promote/f32", "f64.reinterpret/i64"] {
            assert!(!is_read(word) && is_read(&conversion(word).unwrap()), "{word}");
        }
    }

    #[test]
    fn old_forms_are_known() {
        hint("(drop (get_local 0))", Some("`get_local` is `local.get` today"));
        hint("i32.trunc_s:sat/f32", Some("`i32.trunc_s:sat/f32` is `i32.trunc_sat_f32_s` today"));
        hint("f32.convert_u/i64", Some("`f32.convert_u/i64` is `f32.convert_i64_u` today"));
        hint("block i32 end", Some("the result of a `block` is written `(result i32)`"));
        hint("(loop $l f64 (f64.const 0))", Some("the result of a `loop` is written `(result f64)`"));
        for fine in ["i32.foo", "i32.foo/i64", "i128.wrap/i64", "(drop i32)", "do", "nop"] {
            hint(fine, None);
        }
        assert_eq!(hint_in("\u{1}"), None);
        assert_eq!(hint_at("é", 1), None);
    }
}
