//! Checks that the documents for contributors name only files, names in files, packages and tests that exist.
//!
//! In: `CONTRIBUTING.md`, `spec-tests/README.md` and the pages in `docs/`. Each test lists every offender, so that one run is
//! enough to mend all. The rules for a page:
//!
//! - A code span with a slash is a path from the root of the checkout, and the path exists. A path in a fenced block that
//!   begins with a directory of the root exists too. A code span like `file.rs` is the name of a file in some folder.
//! - In "`name` in `path/of/file.rs`", the file contains the name. Several names may stand before the "in", separated by
//!   commas or "and". For `Type::method`, the file contains both words.
//! - A relative link leads to a file, its anchor to a heading there.
//! - A `cargo` command names packages of the checkout after `-p`, integration tests of that package (of the root without `-p`)
//!   after `--test`, and modules of those tests with `::` at the end. Code spans that begin with `-p` or `--test` count as
//!   well.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::scan::{files, has_word, read, root};

/// Returns the paths of the pages, from the root.
fn pages() -> Vec<String> {
    let is_page = |file: &String| {
        ["CONTRIBUTING.md", "spec-tests/README.md"].contains(&&**file)
            || file.starts_with("docs/") && file.ends_with(".md")
    };
    files().into_iter().filter(is_page).collect()
}

/// Returns a page without its fenced blocks, and the lines of these blocks.
fn split(text: &str) -> (String, Vec<&str>) {
    let (mut prose, mut fenced, mut inside) = (String::new(), Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            fenced.push(line);
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    (prose, fenced)
}

/// Returns the code spans of a prose text, each with the text before it. White space is folded.
fn spans(prose: &str) -> Vec<(String, &str)> {
    let mut parts = prose.split('`');
    let mut spans = Vec::new();
    while let (Some(before), Some(span)) = (parts.next(), parts.next()) {
        let folded: Vec<&str> = before.split_whitespace().collect();
        spans.push((folded.join(" "), span));
    }
    spans
}

/// Returns true if a code span or word is a path of the checkout. Paths of build products are not.
fn is_path(word: &str) -> bool {
    let begins = word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c));
    begins && plain && word.contains('/') && !word.starts_with("target/")
}

/// Returns the paths of a page that do not exist.
fn missing_paths(text: &str) -> Vec<String> {
    let (prose, fenced) = split(text);
    let in_prose = spans(&prose).into_iter().map(|(_, span)| span).filter(|span| is_path(span));
    let top = |word: &&str| word.split('/').next().is_some_and(|first| root().join(first).is_dir());
    let words = fenced.iter().flat_map(|line| line.split_whitespace());
    let words = words.map(|word| word.trim_end_matches([',', ';', ':'])).filter(|word| is_path(word)).filter(top);
    in_prose.chain(words).filter(|path| !root().join(path).exists()).map(str::to_owned).collect()
}

/// Returns the file names of a page that no file has.
fn missing_files(text: &str, names: &BTreeSet<String>) -> Vec<String> {
    let (prose, _) = split(text);
    let spans = spans(&prose).into_iter().map(|(_, span)| span).filter(|span| span.ends_with(".rs"));
    spans.filter(|span| !span.contains('/') && !names.contains(*span)).map(str::to_owned).collect()
}

/// Returns the names that a page places in a file and that the file does not contain.
fn missing_names(text: &str) -> Vec<String> {
    let (prose, _) = split(text);
    let spans = spans(&prose);
    let mut missing = Vec::new();
    for (index, (before, file)) in spans.iter().enumerate() {
        if before != "in" || !is_path(file) || !root().join(file).is_file() {
            continue;
        }
        let content = read(file);
        let mut at = index;
        while at > 0 {
            at -= 1;
            let (before, name) = &spans[at];
            if is_path(name) {
                break;
            }
            if !name.split("::").all(|word| has_word(&content, word)) {
                missing.push(format!("`{name}` in `{file}`"));
            }
            if ![",", "and", ", and"].contains(&before.as_str()) {
                break;
            }
        }
    }
    missing
}

/// Returns the anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Returns the relative links of a page in `folder` that lead to no file or heading.
fn dead_links(folder: &Path, own: &str) -> Vec<String> {
    let (prose, _) = split(own);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_dead = |target: &&str| {
        let (file, section) = target.split_once('#').unwrap_or((target, ""));
        let path = folder.join(file);
        let text = if file.is_empty() { own.to_owned() } else { fs::read_to_string(&path).unwrap_or_default() };
        let has_section = || {
            let (prose, _) = split(&text);
            let mut headings = prose.lines().filter(|line| line.starts_with('#'));
            headings.any(|line| anchor(line.trim_start_matches('#')) == section)
        };
        !(file.is_empty() || path.exists()) || !section.is_empty() && !has_section()
    };
    targets.filter(|target| !target.starts_with("http")).filter(is_dead).map(str::to_owned).collect()
}

/// Returns the packages of the checkout: name and folder.
fn packages() -> Vec<(String, PathBuf)> {
    let package = |file: String| {
        let folder = file.strip_suffix("Cargo.toml")?;
        let manifest = read(&file);
        let name = manifest.split("[package]").nth(1)?.lines().find_map(|line| line.strip_prefix("name = "))?;
        Some((name.trim_matches('"').to_owned(), root().join(folder)))
    };
    files().into_iter().filter_map(package).collect()
}

/// Returns the packages and tests that `cargo` commands of a page name and that do not exist.
fn unknown_targets(text: &str) -> Vec<String> {
    let packages = packages();
    let (prose, fenced) = split(text);
    let in_prose = spans(&prose).into_iter().map(|(_, span)| span);
    let commands = in_prose.chain(fenced).filter(|text| {
        let text = text.trim_start_matches("$ ");
        text.starts_with("-p ") || text.starts_with("--test ") || has_word(text, "cargo")
    });
    let mut unknown = Vec::new();
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().take_while(|word| *word != "#").collect();
        let (mut folder, mut test) = (root(), None);
        for pair in words.windows(2) {
            let exists = match *pair {
                ["-p", name] => match packages.iter().find(|(package, _)| package == name) {
                    Some((_, found)) => {
                        folder.clone_from(found);
                        true
                    }
                    None => false,
                },
                ["--test", name] => {
                    test = Some(name);
                    let tests = folder.join("tests");
                    tests.join(format!("{name}.rs")).exists() || tests.join(name).join("main.rs").exists()
                }
                [_, filter] if filter.ends_with("::") => test.is_some_and(|test| {
                    folder.join("tests").join(test).join(format!("{}.rs", filter.trim_end_matches("::"))).exists()
                }),
                _ => true,
            };
            if !exists {
                unknown.push(format!("`{command}`: {}", pair.join(" ")));
            }
        }
    }
    unknown
}

/// Fails with all offenders of all pages, if there are any.
#[track_caller]
fn check(rule: &str, offenders_of: impl Fn(&str, &str) -> Vec<String>) {
    let pages = pages();
    assert!(pages.len() > 3, "there must be more than three pages");
    let named = |page: &String| {
        let offenders = offenders_of(page, &read(page));
        offenders.into_iter().map(|offender| format!("{page}: {offender}")).collect::<Vec<_>>()
    };
    let offenders: Vec<String> = pages.iter().flat_map(named).collect();
    assert!(offenders.is_empty(), "{rule}:\n  {}\n", offenders.join("\n  "));
}

#[test]
fn the_checks_find_what_is_wrong() {
    let text = "See `Cargo.toml`, `src/main.rs` and `crates/none/`.\n```text\n$ cargo test -p wasmr-none\nsrc/none.rs, a/b\n```\n";
    assert_eq!(missing_paths(text), ["crates/none/", "src/none.rs"]);
    let names = BTreeSet::from(["some.rs".to_owned()]);
    assert_eq!(missing_files("`some.rs`, `none.rs`, `src/none.rs`, `x.y`", &names), ["none.rs"]);
    let text =
        "`main` in `src/main.rs`, `no_one`, `main` and\n`cli::nothing` in `src/main.rs`; `else` of `src/main.rs`";
    assert_eq!(missing_names(text), ["`cli::nothing` in `src/main.rs`", "`no_one` in `src/main.rs`"]);
    let text = "## One, two\n[a](src/main.rs) [b](#one-two) [c](#two) [d](none.md) [e](https://none)";
    assert_eq!(dead_links(&root(), text), ["#two", "none.md"]);
    let text = "`cargo test -p wasmr-jit --test native calls::`, `--test none`\n```console\n$ cargo test -p wasmr-jit --test tidy\n$ cargo test --test behaviour none::  # no such\n```\n";
    let unknown = unknown_targets(text);
    assert_eq!(unknown.len(), 3, "{unknown:?}");
}

#[test]
fn paths_exist() {
    check("a path in a document is written from the root of the checkout, and exists", |_, text| missing_paths(text));
    let names: BTreeSet<String> =
        files().iter().filter_map(|file| file.rsplit('/').next()).map(str::to_owned).collect();
    check("a document names a file that does not exist", |_, text| missing_files(text, &names));
}

#[test]
fn names_are_in_their_files() {
    check("a file no longer contains the name that a document finds in it", |_, text| missing_names(text));
}

#[test]
fn links_lead_somewhere() {
    let folder = |page: &str| root().join(page).parent().map(Path::to_owned).unwrap_or_default();
    check("a link leads to no file, or to no heading of it", |page, text| dead_links(&folder(page), text));
}

#[test]
fn commands_name_packages_and_tests() {
    check("a command names a package or test that does not exist", |_, text| unknown_targets(text));
}
