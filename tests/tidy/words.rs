//! The project's words: home-made terms that the field's terms replaced do not come back, and a comment opens with a name or a
//! verb. `docs/glossary.md` defines the terms.

use crate::assert_none;
use crate::scan::{comments_of, files, has_word, read, sources};

/// Retired terms, in their forms, and the term of the glossary in their place.
const RETIRED: &[(&[&str], &str)] = &[
    (&["stitch", "stitched", "stitches", "stitching", "stitcher", "Stitch", "Stitcher", "Stitched"], "baseline code"),
    (&["passage", "passages", "Passage"], "trampoline"),
    (&["hot event", "hot events", "hot_event", "HotEvent"], "budget interrupt"),
    (&["foreign_code", "foreign_cell", "call_foreign"], "external callee"),
    (&["lead_out"], "exit trampoline"),
    (&["warmth", "Warmth"], "hotness"),
    (&["FoundCall", "found_call"], "profile"),
    (&["LoopCode", "LoopEntry", "loop_passage"], "OSR code"),
    (&["RefArena"], "reference heap"),
    (&["CodeArena", "CodeRoom", "CodeSpace"], "code memory"),
    (&["native_helpers", "leaving_helper"], "libcall"),
    (&["exit_cell", "lazy_cell", "external_cell", "restore_cell"], "instruction"),
    (&["give_way"], "background priority"),
    (&["one_code", "or_start"], "dual entry"),
];

/// Words that make a clause the subject of a comment, or refer to a subject that the reader has not seen.
const OPENINGS: &[&str] =
    &["What", "How", "Whether", "Where", "Who", "Whoever", "Which", "Whatever", "Its", "It", "They", "Their", "Those"];

/// Returns the lines of `text`, counted from 1, that contain a retired term.
fn retired(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (forms, term) in RETIRED {
            if let Some(form) = forms.iter().find(|form| has_word(line, form)) {
                found.push(format!("{}: {form:?} is *{term}* in the glossary", number + 1));
            }
        }
    }
    found
}

/// Returns the lines, counted from 1, at which a comment opens with one of [`OPENINGS`]. `comments` is Rust source with everything
/// but comments blanked out.
fn clause_openings(comments: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut continues = false;
    for (number, line) in comments.lines().enumerate() {
        let Some(text) = line.trim_start().strip_prefix("//") else {
            continues = false;
            continue;
        };
        let text = text.trim_start_matches(['/', '!']).trim();
        let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
        if !continues && OPENINGS.contains(&first) {
            found.push(format!("{}: {text}", number + 1));
        }
        continues = !text.is_empty();
    }
    found
}

#[test]
fn retired_terms_do_not_come_back() {
    let is_text = |file: &String| file.ends_with(".rs") || file.ends_with(".md") || file == ".ci/run";
    // The list itself.
    let texts =
        files().into_iter().filter(is_text).filter(|file| file != "tests/tidy/words.rs" && file != "CHANGELOG.md");
    let offenders = texts.flat_map(|file| retired(&read(&file)).into_iter().map(move |why| format!("{file}:{why}")));
    assert_none(offenders.collect(), "the glossary has another term");
}

#[test]
fn comments_open_with_a_name_or_a_verb() {
    let offenders = sources().into_iter().flat_map(|(file, text)| {
        clause_openings(&comments_of(&text)).into_iter().map(move |why| format!("{file}:{why}"))
    });
    assert_none(offenders.collect(), "a comment names the thing first, or says in a verb what it does");
}

#[test]
fn the_checks_find_offenders() {
    assert_eq!(
        retired("a stitched function\nan unstitched one"),
        ["1: \"stitched\" is *baseline code* in the glossary"]
    );
    let comments =
        "/// What it is.\n/// Which goes on.\n\n//! A page.\n//!\n//! Its part.\n    // Nothing.\n    // It follows.\n";
    assert_eq!(clause_openings(comments), ["1: What it is.", "6: Its part."]);
}
