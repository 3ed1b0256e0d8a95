//! Unfolds the `try` of legacy exceptions in texts: `(try (do A) (catch $t B))` becomes `try A catch $t B end`.
//!
//! The text parser reads only the second form. Tools and the official scripts write the first
//! (<https://webassembly.github.io/exception-handling/legacy/exceptions/core/text/instructions.html>). Line numbers stay the
//! same; columns after a `try` may grow.
//!
//! # Why are other instructions unfolded?
//! A `try` without parentheses cannot be an operand inside parentheses. So the instructions around it, up to the next block, are
//! unfolded as well: `(i32.add (try …) (local.get 0))` becomes `try … end (local.get 0) i32.add`.

use std::ops::Range;

/// Lists whose elements are instructions in order, or which no instruction surrounds.
const SEQUENCES: [&str; 15] = [
    "module",
    "func",
    "block",
    "loop",
    "then",
    "else",
    "do",
    "catch",
    "catch_all",
    "try_table",
    "global",
    "table",
    "elem",
    "data",
    "",
];

/// Lists that are immediates of instructions.
const IMMEDIATES: [&str; 6] = ["type", "param", "result", "ref", "local", "exact"];

/// An open list.
struct List<'a> {
    head: &'a str,
    start: usize,
    /// Ranges of the words and of the lists that are immediates, the head included.
    immediates: Vec<Range<usize>>,
    /// True if it has to be unfolded.
    unfolds: bool,
    /// Clause of a folded `try`: its parentheses are removed.
    is_clause: bool,
    /// A `try` with a `do`.
    is_folded_try: bool,
    /// A `try` that ends with `delegate`.
    delegates: bool,
    /// `then` and `else`: the opening parenthesis with the word, and the closing parenthesis.
    arms: Vec<(Range<usize>, usize)>,
}

/// A text with all folded `try`s unfolded.
#[derive(Debug)]
pub struct Unfolded {
    text: String,
    /// Each replacement, here and in the original text.
    replaced: Vec<(Range<usize>, Range<usize>)>,
}

impl Unfolded {
    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the offset in the original text for one in this text.
    pub(crate) fn original_offset(&self, offset: usize) -> usize {
        match &self.replaced[..self.replaced.partition_point(|(here, _)| here.start <= offset)] {
            [.., (here, original)] if offset < here.end => original.start,
            [.., (here, original)] => original.end + (offset - here.end),
            [] => offset,
        }
    }
}

/// Returns the text with all folded `try`s unfolded; `None` if it has none.
pub fn unfold_tries(text: &str) -> Option<Unfolded> {
    if !(text.contains("try") && text.contains("do")) {
        return None;
    }
    let mut lists: Vec<List<'_>> = Vec::new();
    // Replacements, none of which overlap.
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut found = false;
    for token in tokens(text) {
        let word = &text[token.clone()];
        match word {
            "(" => lists.push(List {
                head: "",
                start: token.start,
                immediates: Vec::new(),
                unfolds: false,
                is_clause: false,
                is_folded_try: false,
                delegates: false,
                arms: Vec::new(),
            }),
            ")" => {
                let Some(list) = lists.pop() else { continue };
                let outer = lists.last_mut();
                close(text, &list, token.start, outer, &mut edits);
                found |= list.is_folded_try;
            }
            _ => {
                let [.., outer, list] = &mut lists[..] else { continue };
                if list.head.is_empty() {
                    list.head = word;
                    match word {
                        "do" if outer.head == "try" => (outer.is_folded_try, list.is_clause) = (true, true),
                        "catch" | "catch_all" if outer.is_folded_try => list.is_clause = true,
                        "delegate" if outer.is_folded_try => (outer.delegates, list.is_clause) = (true, true),
                        _ => {}
                    }
                }
                list.immediates.push(token);
            }
        }
    }
    if !found {
        return None;
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut unfolded = String::with_capacity(text.len() + 4 * edits.len());
    let mut replaced = Vec::with_capacity(edits.len());
    let mut at = 0;
    for (range, new) in edits {
        unfolded.push_str(&text[at..range.start]);
        let start = unfolded.len();
        unfolded.push_str(&new);
        at = range.end;
        replaced.push((start..unfolded.len(), range));
    }
    unfolded.push_str(&text[at..]);
    Some(Unfolded { text: unfolded, replaced })
}

/// Ends a list whose closing parenthesis is at `end`.
fn close(
    text: &str,
    list: &List<'_>,
    end: usize,
    outer: Option<&mut List<'_>>,
    edits: &mut Vec<(Range<usize>, String)>,
) {
    let mut put = |range: Range<usize>, new: &str| edits.push((range, new.to_owned()));
    let parentheses = [list.start..list.start + 1, end..end + 1];
    if list.is_clause {
        let [opening, closing] = parentheses;
        let opening = if list.head == "do" { opening.start..list.immediates[0].end } else { opening };
        put(opening, " ");
        put(closing, " ");
        return;
    }
    if list.is_folded_try {
        let [opening, closing] = parentheses;
        put(opening, " ");
        put(closing, if list.delegates { " " } else { " end " });
    } else if list.unfolds {
        let words: Vec<&str> = list.immediates.iter().map(|range| &text[range.clone()]).collect();
        let words = format!(" {} ", words.join(" "));
        let [opening, closing] = parentheses;
        put(opening, " ");
        for range in &list.immediates {
            put(range.clone(), "");
        }
        match &list.arms[..] {
            [then, others @ ..] if list.head == "if" => {
                put(then.0.clone(), &words);
                put(then.1..then.1 + 1, " ");
                for (opening, closing) in others {
                    put(opening.clone(), " else ");
                    put(*closing..closing + 1, " ");
                }
                put(closing, " end ");
            }
            _ => put(closing, &words),
        }
    }
    let Some(outer) = outer else { return };
    if matches!(list.head, "then" | "else") {
        outer.arms.push((list.start..list.immediates[0].end, end));
    } else if IMMEDIATES.contains(&list.head) {
        outer.immediates.push(list.start..end + 1);
    } else if list.is_folded_try || list.unfolds {
        let is_sequence = SEQUENCES.contains(&outer.head) || outer.head == "try";
        outer.unfolds |= !is_sequence;
    }
}

/// Returns the ranges of the parentheses, words and strings of a text, without comments.
fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at;
            let rest = &bytes[start..];
            match rest {
                [] => return None,
                [b' ' | b'\t' | b'\r' | b'\n', ..] => at += 1,
                [b';', b';', ..] => at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
                [b'(', b';', ..] => at += comment(rest),
                [b'(' | b')', ..] => {
                    at += 1;
                    return Some(start..at);
                }
                _ => {
                    at += word(rest);
                    return Some(start..at);
                }
            }
        }
    })
}

/// Returns the length of the block comment, which may contain others, at the start of a text.
fn comment(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'(', b';', ..] => (at, depth) = (at + 2, depth + 1),
            [b';', b')', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// Returns the length of the word at the start of a text, with the strings in it.
fn word(bytes: &[u8]) -> usize {
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b';' if !in_string => break,
            _ => {}
        }
        at += 1;
    }
    // A lone `;`, which is no comment, is a word of its own. The text parser refuses it.
    at.clamp(1, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn unfolds(folded: &str, expected: &str) {
        let text = format!("(module (func {folded}))");
        let unfolded = unfold_tries(&text).map_or(text, |unfolded| unfolded.text);
        let words: Vec<&str> = tokens(&unfolded).map(|range| &unfolded[range]).collect();
        let expected = format!("(module (func {expected}))");
        let expected: Vec<&str> = tokens(&expected).map(|range| &expected[range]).collect();
        assert_eq!(words.join(" "), expected.join(" "));
    }

    #[test]
    fn a_folded_try_has_the_same_clauses_unfolded() {
        unfolds("(try (do))", "try end");
        unfolds(
            "(try $l (result i32) (do (i32.const 1)) (catch $e (drop) (br $l)) (catch_all rethrow 0))",
            "try $l (result i32) (i32.const 1) catch $e (drop) (br $l) catch_all rethrow 0 end",
        );
        unfolds("(try (do (try (do nop) (delegate 0))) (catch_all))", "try try nop delegate 0 catch_all end");
        unfolds("(block (try (do nop) (catch $e)))", "(block try nop catch $e end)");
    }

    #[test]
    fn instructions_around_a_try_are_unfolded_up_to_the_next_block() {
        let (folded, flat) = ("(try (result i32) (do (f)) (catch_all (g)))", "try (result i32) (f) catch_all (g) end");
        unfolds(&format!("(drop (i32.add (a) {folded} (b)))"), &format!("(a) {flat} (b) i32.add drop"));
        unfolds(&format!("(drop (block (drop {folded})))"), &format!("(drop (block {flat} drop))"));
        unfolds(&format!("(select (result i32) {folded} (b) (c))"), &format!("{flat} (b) (c) select (result i32)"));
        unfolds(
            &format!("(call_indirect $t (type $f) {folded} (i32.const 0))"),
            &format!("{flat} (i32.const 0) call_indirect $t (type $f)"),
        );
        unfolds(
            &format!("(if $l (result i32) (i32.eqz {folded}) (then (x)) (else {folded}))"),
            &format!("{flat} i32.eqz if $l (result i32) (x) else {flat} end"),
        );
        unfolds(&format!("(if {folded} (then (x)))"), &format!("{flat} if (x) end"));
        unfolds(&format!("(if (a) (then {folded}))"), &format!("(if (a) (then {flat}))"));
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "(module)",
            "(module (func (export \"(try (do))\")))",
            "(module (func try nop end)) ;; (try (do))",
            "(module (func (; (try (; nested ;) (do)) ;)))",
            "(module (func (try_table (catch $t 0) do)))",
            "(try (do",
            "try (do)) ) (",
            "\\ \" try do",
            "(; try do",
        ] {
            assert!(unfold_tries(text).is_none(), "{text}");
        }
    }

    #[test]
    fn lines_stay_and_depth_takes_no_stack() {
        let text =
            "(module (func\n (drop\n  (try (result i32)\n   (do (i32.const 1))\n   (catch_all\n   unreachable)))\n))";
        let unfolded = unfold_tries(text).unwrap();
        assert_eq!(unfolded.text().lines().count(), text.lines().count());
        for word in ["(module", "(i32.const", "catch_all", "unreachable", "try"] {
            let here = unfolded.text().find(word).unwrap();
            assert_eq!(unfolded.original_offset(here), text.find(word).unwrap(), "{word}");
        }
        const DEEP: usize = 100_000;
        let text = format!("(func {}{}{})", "(drop (try (do ".repeat(DEEP), "nop", ")))".repeat(DEEP));
        let unfolded = unfold_tries(&text).unwrap();
        assert_eq!(unfolded.text().matches("end").count(), DEEP);
    }
}
