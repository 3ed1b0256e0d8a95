//! The rule that separates wasmr's words from the guest's on a command line.
//!
//! In: the words after the program's name. Out: the same words in the *strict* form that the flag parser reads, `COMMAND OPTIONS --
//! MODULE ARGS`, and the guest's words that look like options given too late ([`Words::late`]). In the strict form the parser cannot
//! mistake a value or a word of the guest for an option.
//!
//! The rule:
//! - Options go before MODULE.
//! - `run MODULE …`: after MODULE, wasmr still takes `--dir` and `--env` (as `--dir=.` or `--dir .`) up to the first other word. The
//!   guest gets everything from there on. A `--` after MODULE ends this and is dropped.
//! - `run … -- MODULE …` and the short form `MODULE …` are strict: the guest gets everything after MODULE, `--` included.
//!
//! # Which value may look like an option?
//! The word after an option with a value is its value (`--argv0 -sh`, `--fuel -1`), as with
//! [`getopt`](https://pubs.opengroup.org/onlinepubs/9799919799/functions/getopt.html). The one exception is a word that is itself an
//! option of the command, as in `--dir --env A=1`: there the user forgot the value. The strict form attaches a value that looks like
//! an option to its option, so that the parser applies the rules of the value.
//!
//! # Which options are late?
//! Because wasmr takes two options after MODULE, users expect it to take the others there too, such as a limit. A long option of
//! wasmr that goes to the guest in `run MODULE …` is therefore late. Guests have options of the same names, hence three exceptions:
//! - everything after `--`, and the strict forms: their author knows the rule;
//! - an option that also occurs before MODULE: its author knows the rule too;
//! - the names in [`OFTEN_THE_GUESTS`].
//!
//! # Why a separate pass?
//! A flag parser decides word by word and cannot express "up to the first other word". Here the whole rule fits on one page and is
//! tested as a table. The parser after it cannot take a guest's word for an option, whatever its configuration.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

/// Options that wasmr still takes after MODULE. Each has a value.
const AFTER_MODULE: [&str; 2] = ["--dir", "--env"];

/// Options whose names many programs use for options of their own, and whose absence the user notices. Limits are not among them: a
/// missing limit goes unnoticed.
pub const OFTEN_THE_GUESTS: [&str; 7] =
    ["--cache-dir", "--env-file", "--listen", "--mode", "--no-cache", "--preload", "--stats"];

/// The options of a command. The value is true if the option takes the next word as its value (`--fuel 5`).
#[derive(Debug, Default)]
pub struct OptionTable {
    takes_value: HashMap<String, bool>,
}

impl OptionTable {
    /// Reads the table from the parser's own declaration, so that no second list exists.
    pub fn of(command: &clap::Command) -> OptionTable {
        let mut takes_value = HashMap::new();
        for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
            // A value that must be attached with `=` never consumes the next word.
            let takes = arg.get_action().takes_values() && !arg.is_require_equals_set();
            for long in arg.get_long_and_visible_aliases().unwrap_or_default() {
                takes_value.insert(format!("--{long}"), takes);
            }
            for short in arg.get_short_and_visible_aliases().unwrap_or_default() {
                takes_value.insert(format!("-{short}"), takes);
            }
        }
        OptionTable { takes_value }
    }

    /// Returns the number of words of the option that starts with `word`. An unknown option has one; the parser will reject it.
    fn words(&self, word: &OsStr) -> usize {
        // A word with an attached value (`--dir=.`, `-Wgc`) is not in the table and counts as one.
        match word.to_str().and_then(|word| self.takes_value.get(word)) {
            Some(true) => 2,
            _ => 1,
        }
    }

    /// Returns true if a word is an option of the command, with or without a value attached.
    fn has(&self, word: &OsStr) -> bool {
        let name = word.to_str().map(option_name);
        // The parser adds `--help` and `-h` by itself.
        name.is_some_and(|name| self.takes_value.contains_key(name) || name == "--help" || name == "-h")
    }

    /// Attaches values that look like options to the options before them.
    fn with_attached_values(&self, words: &[OsString]) -> Vec<OsString> {
        let mut out = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match words.as_slice() {
                [value, ..] if is_option(word) && self.words(word) == 2 => {
                    words.next();
                    self.push_with_value(&mut out, word, value);
                }
                _ => out.push(word.clone()),
            }
        }
        out
    }

    /// Adds an option and its value, as one word if the parser would take the value for an option.
    fn push_with_value(&self, out: &mut Vec<OsString>, option: &OsStr, value: &OsStr) {
        if is_option(value) && value != "--" && !self.has(value) {
            out.push(joined(option, value));
        } else {
            out.extend([option.to_os_string(), value.to_os_string()]);
        }
    }

    /// Returns the long options among the guest's words before a `--` that may have been meant for wasmr, each once. `own` contains
    /// the options that wasmr takes.
    fn late_options(&self, guest: &[OsString], own: &[OsString]) -> Vec<String> {
        let mut late: Vec<String> = Vec::new();
        let own: Vec<&str> = own.iter().filter_map(|word| word.to_str()).map(option_name).collect();
        for word in guest.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str()) {
            let name = option_name(word);
            let is_late = name.starts_with("--")
                && self.takes_value.contains_key(name)
                && !OFTEN_THE_GUESTS.contains(&name)
                && !own.contains(&name);
            if is_late && !late.iter().any(|known| known == name) {
                late.push(name.to_string());
            }
        }
        late
    }
}

/// A command line in strict form.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    pub strict: Vec<OsString>,
    /// Names of wasmr's options that go to the guest because of their position, each once.
    pub late: Vec<String>,
}

/// Brings the words after `run` into strict form. Returns them unchanged if there is no MODULE.
pub fn run_words(words: Vec<OsString>, table: &OptionTable) -> Words {
    reorder(words, table, true)
}

/// Brings the words of the short form, without a command name, into strict form. Options may come before MODULE.
pub fn short_form_words(words: Vec<OsString>, table: &OptionTable) -> Words {
    reorder(words, table, false)
}

/// Brings the words after another command into a form in which the parser cannot take a value for an option.
pub fn command_words(words: &[OsString], table: &OptionTable) -> Vec<OsString> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (options, rest) = words.split_at(end);
    table.with_attached_values(options).into_iter().chain(rest.iter().cloned()).collect()
}

fn reorder(words: Vec<OsString>, table: &OptionTable, options_after_module: bool) -> Words {
    let mut at = 0;
    let mut strict = !options_after_module;
    while let Some(word) = words.get(at) {
        if word == "--" {
            strict = true;
            at += 1;
            break;
        }
        if !is_option(word) {
            break;
        }
        at += table.words(word);
    }
    if at >= words.len() {
        return Words { strict: words, late: Vec::new() };
    }

    let mut out = table.with_attached_values(&words[..at]);
    out.retain(|word| word != "--");
    let mut rest = words.into_iter().skip(at);
    let module = rest.next();
    let mut guest: Vec<OsString> = Vec::new();
    if !strict {
        while let Some(word) = rest.next() {
            if word == "--" {
                strict = true;
                break;
            }
            if AFTER_MODULE.iter().any(|name| word == *name) {
                match rest.next() {
                    Some(value) => table.push_with_value(&mut out, &word, &value),
                    None => out.push(word),
                }
            } else if AFTER_MODULE.iter().any(|name| has_attached_value(&word, name)) {
                out.push(word);
            } else {
                guest.push(word);
                break;
            }
        }
    }
    guest.extend(rest);
    let late = if strict { Vec::new() } else { table.late_options(&guest, &out) };
    out.push("--".into());
    out.extend(module);
    out.extend(guest);
    Words { strict: out, late }
}

/// Returns the value of a long option, attached or as the next word, and the words after it. The search ends at `--`.
pub fn value_of<'a>(option: &str, words: &'a [String]) -> Option<(&'a str, &'a [String])> {
    let own = words.iter().take_while(|word| *word != "--");
    let at = own.into_iter().position(|word| word == option || has_attached_value(OsStr::new(word), option))?;
    match words[at].split_once('=') {
        Some((_, value)) => Some((value, &words[at + 1..])),
        None => Some((words.get(at + 1)?, &words[at + 2..])),
    }
}

/// Returns all values of a long option, as [`value_of`] finds the first.
pub fn values_of<'a>(option: &str, mut words: &'a [String]) -> Vec<&'a str> {
    let mut values = Vec::new();
    while let Some((value, rest)) = value_of(option, words) {
        values.push(value);
        words = rest;
    }
    values
}

/// Returns true if a word looks like an option. A lone `-` means standard input and is no option.
pub fn is_option(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.len() > 1 && bytes[0] == b'-'
}

fn has_attached_value(word: &OsStr, name: &str) -> bool {
    word.as_encoded_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
}

/// Returns an option without an attached value.
fn option_name(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

/// Returns an option with its value attached, as the parser accepts it: `--name=value`, `-nvalue`.
fn joined(name: &OsStr, value: &OsStr) -> OsString {
    let mut word = name.to_os_string();
    if name.as_encoded_bytes().starts_with(b"--") {
        word.push("=");
    }
    word.push(value);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> OptionTable {
        let takes_value = [
            ("--dir", true),
            ("--env", true),
            ("--invoke", true),
            ("--mode", true),
            ("--inherit-env", false),
            ("-W", true),
        ]
        .into_iter()
        .map(|(name, takes)| (name.to_string(), takes))
        .collect();
        OptionTable { takes_value }
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[track_caller]
    fn run(line: &str, expected: &str) {
        assert_eq!(run_words(words(line), &table()).strict, words(expected), "{line}");
    }

    #[track_caller]
    fn short(line: &str, expected: &str) {
        let Words { strict, late } = short_form_words(words(line), &table());
        assert_eq!(strict, words(expected), "{line}");
        assert!(late.is_empty(), "{line}: {late:?}");
    }

    #[test]
    fn options_stand_before_the_module() {
        run("m.wasm", "-- m.wasm");
        run("--dir=. m.wasm a", "--dir=. -- m.wasm a");
        run("--dir . m.wasm a", "--dir . -- m.wasm a");
        run("-W gc --inherit-env m.wasm", "-W gc --inherit-env -- m.wasm");
        run("-Wgc m.wasm", "-Wgc -- m.wasm");
        run("--invoke f m.wasm 1", "--invoke f -- m.wasm 1");
    }

    #[test]
    fn after_the_module_dir_and_env_are_still_ours_up_to_the_first_other_word() {
        run("m.wasm --dir=. a", "--dir=. -- m.wasm a");
        run("m.wasm --dir . --env K=V a", "--dir . --env K=V -- m.wasm a");
        run("m.wasm --env K a --dir=.", "--env K -- m.wasm a --dir=.");
        run("m.wasm --dir=. -x --env=K=V", "--dir=. -- m.wasm -x --env=K=V");
        run("m.wasm --nocapture --dir=.", "-- m.wasm --nocapture --dir=.");
        run("m.wasm -test.run=X", "-- m.wasm -test.run=X");
    }

    #[test]
    fn other_options_after_the_module_are_the_guests() {
        run("m.wasm --invoke f", "-- m.wasm --invoke f");
        run("m.wasm --directory=x", "-- m.wasm --directory=x");
        run("m.wasm --inherit-env", "-- m.wasm --inherit-env");
        run("m.wasm --help", "-- m.wasm --help");
    }

    #[test]
    fn options_that_come_too_late_are_known() {
        for (line, expected) in [
            ("m.wasm --invoke f", "--invoke"),
            ("m.wasm a --invoke=f --dir=. --invoke g --nocapture", "--invoke --dir"),
            ("m.wasm a --mode x --invoke f", "--invoke"),
            ("--dir=. --invoke f m.wasm --dir=a b --invoke g --dir=. --env=K", "--env"),
            ("m.wasm --dir=. --inherit-env", "--inherit-env"),
            ("m.wasm --directory=x -W gc -- --invoke f", ""),
            ("m.wasm -- --invoke f", ""),
            ("m.wasm a -- --invoke f", ""),
            ("-- m.wasm --invoke f", ""),
            ("--invoke f m.wasm 1", ""),
        ] {
            assert_eq!(run_words(words(line), &table()).late.join(" "), expected, "{line}");
        }
    }

    #[test]
    fn values_of_late_options_are_found() {
        let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        let found =
            |line: &str| value_of("--invoke", &words(line)).map(|(value, rest)| (value.to_string(), rest.join(" ")));
        let expected = Some(("add".to_string(), "1 2".to_string()));
        assert_eq!(found("--invoke add 1 2"), expected);
        assert_eq!(found("x --invoke=add 1 2"), expected);
        assert_eq!(found("x --invoked add"), None);
        assert_eq!(found("-- --invoke add"), None);
        assert_eq!(found("--invoke"), None);
        let all = |line: &str| values_of("--preload", &words(line)).join(" ");
        assert_eq!(all("--preload a=b x --preload=c=d --preloaded e -- --preload f"), "a=b c=d");
        assert_eq!(all("x --preload"), "");
    }

    #[test]
    fn dashes_after_the_module_end_the_options_and_are_dropped_once() {
        run("m.wasm -- --dir=.", "-- m.wasm --dir=.");
        run("m.wasm --dir=a -- --dir=b", "--dir=a -- m.wasm --dir=b");
        run("m.wasm -- -- x", "-- m.wasm -- x");
        run("m.wasm a -- b", "-- m.wasm a -- b");
    }

    #[test]
    fn dashes_before_the_module_are_strict() {
        run("-- m.wasm --dir=/", "-- m.wasm --dir=/");
        run("--dir=. -- m.wasm --dir=/ --", "--dir=. -- m.wasm --dir=/ --");
        run("-- m.wasm -- x", "-- m.wasm -- x");
        run("-- -strange.wasm x", "-- -strange.wasm x");
    }

    #[test]
    fn the_short_form_is_strict() {
        short("m.wasm --dir=/ --env K", "-- m.wasm --dir=/ --env K");
        short("m.wasm -- x", "-- m.wasm -- x");
        short("--dir=. m.wasm --dir=/", "--dir=. -- m.wasm --dir=/");
    }

    #[test]
    fn standard_input_is_a_module() {
        run("- x", "-- - x");
        run("--dir . -", "--dir . -- -");
    }

    #[test]
    fn a_line_without_module_is_left_to_the_parser() {
        run("", "");
        run("--help", "--help");
        run("--dir .", "--dir .");
        run("--dir", "--dir");
        run("--dir=. --", "--dir=. --");
    }

    #[test]
    fn a_value_after_the_module_may_look_like_an_option_or_be_missing() {
        run("m.wasm --env -x=1 a", "--env=-x=1 -- m.wasm a");
        run("m.wasm --dir --env=K a", "--dir --env=K -- m.wasm a");
        run("m.wasm --dir", "--dir -- m.wasm");
    }

    #[test]
    fn a_value_may_look_like_an_option_that_there_is_not() {
        run("--invoke -1 --env --x m.wasm -1", "--invoke=-1 --env=--x -- m.wasm -1");
        run("-W -gc -W gc m.wasm", "-W-gc -W gc -- m.wasm");
        run("--invoke - m.wasm", "--invoke - -- m.wasm");
        // Here the value is missing, and the parser reports that.
        run("--dir --env K=V m.wasm", "--dir --env -- K=V m.wasm");
        run("--dir --env=K m.wasm", "--dir --env=K -- m.wasm");
        run("--dir --help", "--dir --help");
        run("--dir -- m.wasm", "--dir -- m.wasm");
        let others = |line: &str| command_words(&words(line), &table());
        assert_eq!(others("a --mode -1 b -- --mode -1"), words("a --mode=-1 b -- --mode -1"));
        assert_eq!(others("--mode"), words("--mode"));
    }

    #[test]
    #[cfg(unix)]
    fn words_need_not_be_unicode() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(vec![b'm', 0xff]);
        let out = run_words(vec![odd.clone(), "--dir".into(), odd.clone(), odd.clone()], &table()).strict;
        assert_eq!(out, ["--dir".into(), odd.clone(), "--".into(), odd.clone(), odd]);
    }
}
