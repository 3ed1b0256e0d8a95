//! Finds the files of the checkout, and separates their text into code and comments.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the path from the root of every file of the checkout that is not built or fetched, sorted.
pub(crate) fn files() -> Vec<String> {
    fn walk(dir: &Path, prefix: &str, out: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().expect("file names are UTF-8");
            if ["target", ".git", "corpus", "artifacts"].contains(&&*name) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{path}/"), out);
            } else {
                out.push(path);
            }
        }
    }
    let mut out = Vec::new();
    walk(&root(), "", &mut out);
    out.sort();
    assert!(out.iter().any(|file| file == "crates/core/src/lib.rs"), "the walk must find the sources");
    out
}

/// Returns the Rust files with their text. Guests are left out, because other tools compile them and the rules do not apply.
pub(crate) fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|file| file.ends_with(".rs") && !file.starts_with("tests/guests/"));
    rust.map(|file| (file.clone(), read(&file))).collect()
}

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Returns the text with comments, strings and character literals blanked out; line breaks stay.
pub(crate) fn code_of(text: &str) -> String {
    split(text).0
}

/// Returns the comments of the text, with everything else blanked out; line breaks stay.
pub(crate) fn comments_of(text: &str) -> String {
    split(text).1
}

/// Returns the code and the comments, each with everything else blanked out.
pub(crate) fn split(text: &str) -> (String, String) {
    #[derive(Clone, Copy, PartialEq)]
    enum In {
        Code,
        LineComment,
        BlockComment(u32),
        Text,
        RawText(usize),
    }
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut state = In::Code;
    let mut at = 0;
    while at < chars.len() {
        let next = chars.get(at + 1).copied().unwrap_or('\0');
        let now = chars[at];
        let mut step = 1;
        let mut shown = (' ', ' ');
        match state {
            In::Code => {
                let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
                let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
                if now == '/' && next == '/' {
                    state = In::LineComment;
                } else if now == '/' && next == '*' {
                    (state, step) = (In::BlockComment(1), 2);
                } else if now == '"' {
                    state = In::Text;
                } else if (now == 'r' || now == 'c' || now == 'b')
                    && !after_word
                    && chars.get(at + 1 + hashes) == Some(&'"')
                {
                    (state, step) = (if now == 'r' { In::RawText(hashes) } else { In::Text }, 2 + hashes);
                } else if now == '\'' && (next == '\\' || chars.get(at + 2) == Some(&'\'')) {
                    // A character literal, not a lifetime. It ends at its closing quote.
                    let body = if next == '\\' { 3 } else { 2 };
                    step = body + chars[at + body..].iter().take_while(|c| **c != '\'').count() + 1;
                } else {
                    shown.0 = now;
                }
            }
            In::LineComment => {
                shown.1 = now;
                if now == '\n' {
                    state = In::Code;
                }
            }
            In::BlockComment(depth) => {
                shown.1 = now;
                if now == '*' && next == '/' {
                    (state, step) = (if depth == 1 { In::Code } else { In::BlockComment(depth - 1) }, 2);
                } else if now == '/' && next == '*' {
                    (state, step) = (In::BlockComment(depth + 1), 2);
                }
            }
            In::Text => {
                if now == '\\' {
                    step = 2;
                } else if now == '"' {
                    state = In::Code;
                }
            }
            In::RawText(hashes) => {
                if now == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
                    (state, step) = (In::Code, 1 + hashes);
                }
            }
        }
        for (offset, c) in chars[at..].iter().take(step).enumerate() {
            let (code_char, comment_char) = if *c == '\n' {
                ('\n', '\n')
            } else if offset == 0 {
                shown
            } else {
                (' ', ' ')
            };
            code.push(code_char);
            comments.push(comment_char);
        }
        at += step;
    }
    (code, comments)
}

/// Returns true if `text` contains `word` as a whole word.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        !part_of_word(text[..at].chars().next_back()) && !part_of_word(text[at + word.len()..].chars().next())
    })
}

#[test]
fn the_scanner_tells_code_from_prose() {
    let text = "a // unsafe\nb /* unsafe /* x */ unsafe */ c \"un\\\"safe // \" d r#\"unsafe \" x\"# '\"' e<'f> b\"unsafe\" '\\'' g";
    assert_eq!(code_of(text).split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "d", "e<'f>", "g"]);
    assert_eq!(comments_of("x // TODO\n\"// y\"").trim(), "/ TODO");
    assert!(has_word("unsafe {", "unsafe") && !has_word("unsafe_code", "unsafe") && !has_word("not_unsafe", "unsafe"));
}
