//! Stage 6: a command line, from words to exit status. *Parse, resolve, act*:
//!
//! - Parse: [`position`] separates wasmr's words from the guest's. [`flags`], [`option_keys`] and [`values`] parse wasmr's words into
//!   plain data, with the keys of [`wasm_options`], [`codegen_options`], [`tuning_options`] and [`wasi_options`]. [`habits`] answers
//!   words of other runtimes.
//! - Resolve: [`plan`] opens directories and sockets and reads the environment. It is the only file that uses the user's
//!   authority. [`grants`] explains directories that cannot be opened, [`net`] grants of the network, [`load`] reads modules.
//! - Act: [`run`](mod@run), [`compile`], [`wast`], [`validate`], [`inspect`], [`explore`], [`cache`] and [`completions`] are the
//!   commands. `run_component` runs components, and [`end`] is the end of either. [`preload`] and [`instantiate`] prepare modules;
//!   [`invoke`] and [`literal`] convert arguments and results, `component` those of components; [`json`]
//!   writes output for tools.
//! - Report: [`report`] prints errors and [`missing`] explains imports and entries that are missing; [`exit`] has the exit codes.
//!   [`stats`] and [`usage`] measure a run, [`log`] reports compilations.
//! - End: [`save`] stores in the cache what a run learnt. [`signals`], [`timeout`] and [`panics`] end a process that does not end by
//!   itself. [`terminal`] restores the terminal.

mod cache;
mod codegen_options;
mod compile;
mod completions;
#[cfg(feature = "component")]
mod component;
mod end;
pub mod exit;
mod explore;
mod flags;
mod grants;
mod guest;
mod habits;
mod inspect;
mod instantiate;
mod invoke;
mod json;
mod literal;
mod load;
mod log;
mod mask;
mod missing;
#[cfg(feature = "component")]
mod net;
mod option_keys;
pub mod panics;
mod plan;
#[cfg(feature = "component")]
mod plug;
mod position;
mod preload;
mod report;
mod run;
#[cfg(feature = "component")]
mod run_component;
mod save;
pub mod signals;
mod stats;
mod terminal;
mod timeout;
mod tuning_options;
mod usage;
mod validate;
mod values;
mod wasi_options;
mod wasm_options;
mod wast;

use std::ffi::OsString;
use std::io::Write;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use exit::{HelpRequest, UsageError};
use flags::{Cli, Command, RunFlags};
use position::{OptionTable, Words};
use report::printable_word;

/// Runs the command that the words after the program's name describe. `out` gets its results, `err` all messages.
pub fn run(words: Vec<OsString>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let mut command = Cli::command();
    let words = match asked_for_help(words, &command) {
        Ok(words) => words,
        Err(error) => {
            report::error(err, &error.into());
            return exit::USAGE;
        }
    };
    let Words { strict, late } = strict_words(words, &command);
    let parsed = command.try_get_matches_from_mut(&strict).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            if let Some((sentence, details)) = unknown_option(&error, &strict, &command) {
                report::error_with_details(err, &sentence, &details);
                return exit::USAGE;
            }
            let error = with_printable_words(error);
            let text = error.render().to_string();
            if error.use_stderr() {
                report::print(err, &text);
                return exit::USAGE;
            }
            report::print(out, &text);
            return exit::SUCCESS;
        }
    };
    let done = match cli.command {
        Command::Run(flags) => run::run(RunFlags { late, ..*flags }, out, err),
        Command::Compile(flags) => compile::run(flags, err),
        Command::Wast(flags) => wast::run(flags, out, err),
        Command::Validate(flags) => validate::run(flags, err),
        Command::Inspect(flags) => inspect::run(flags, out),
        Command::Explore(flags) => explore::run(flags, out),
        Command::Cache(flags) => cache::run(flags, out),
        Command::Completions(flags) => completions::run(flags, out),
    };
    match done {
        Ok(status) => status,
        Err(error) => {
            if let Some(HelpRequest(text)) = error.downcast_ref() {
                report::print(out, text);
                return exit::SUCCESS;
            }
            #[cfg(unix)]
            if is_broken_pipe(&error) {
                signals::die(libc::SIGPIPE);
            }
            report::error(err, &error);
            if error.is::<UsageError>() { exit::USAGE } else { exit::FAILURE }
        }
    }
}

/// Escapes the user's words in an error of the parser.
fn with_printable_words(mut error: clap::Error) -> clap::Error {
    let printable_words = |words: &[String]| words.iter().map(printable_word).collect();
    let contexts = error.context().filter_map(|(kind, value)| {
        let printable = match value {
            ContextValue::String(word) => ContextValue::String(printable_word(word)),
            ContextValue::Strings(words) => ContextValue::Strings(printable_words(words)),
            // Tips, one per line.
            ContextValue::StyledStrs(tips) => {
                let tips = tips.iter().map(|tip| printable_word(tip.to_string()).into());
                ContextValue::StyledStrs(tips.collect())
            }
            _ => return None,
        };
        Some((kind, printable))
    });
    for (kind, value) in contexts.collect::<Vec<_>>() {
        error.insert(kind, value);
    }
    error
}

/// Returns true if the reader of wasmr's own output closed the pipe, as in `wasmr inspect m.wasm | head -1`. wasmr then dies of SIGPIPE,
/// as other programs do. Rust ignores that signal, so that a guest gets an error instead.
#[cfg(unix)]
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Translates `help [COMMAND]` and `version` into the options with the same meaning.
fn asked_for_help(words: Vec<OsString>, command: &clap::Command) -> Result<Vec<OsString>, UsageError> {
    let word = |at: usize| words.get(at).and_then(|word| word.to_str());
    match (word(0), words.get(1)) {
        (Some("version"), _) => Ok(vec!["--version".into()]),
        (Some("help"), Some(name)) if word(1).and_then(|name| command.find_subcommand(name)).is_none() => {
            let name = printable_word(name);
            Err(UsageError(format!("there is no command `{name}`; `wasmr --help` lists the commands")))
        }
        (Some("help"), _) => Ok(words.into_iter().skip(1).take(1).chain(["--help".into()]).collect()),
        _ => Ok(words),
    }
}

/// Returns the error for an option that does not exist, and the option to type instead.
fn unknown_option(error: &clap::Error, words: &[OsString], command: &clap::Command) -> Option<(String, String)> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return None };
    let asked = words.get(1).and_then(|word| word.to_str()).and_then(|name| command.find_subcommand(name))?;
    let known: Vec<String> =
        asked.get_arguments().filter_map(|arg| arg.get_long()).map(|name| format!("--{name}")).collect();
    // The word after an unknown option was taken for MODULE, with `--` before it.
    let next = |at: usize| words[at + 1..].iter().find(|word| *word != "--").and_then(|word| word.to_str());
    let own = words.iter().take_while(|word| *word != "--").enumerate();
    let mut typed = own.filter_map(|(at, word)| {
        let (name, value) =
            word.to_str()?.split_once('=').map_or((word.to_str()?, next(at)), |(name, value)| (name, Some(value)));
        name.starts_with(&**option).then_some((name, value))
    });
    let (typed, value) = typed.next().unwrap_or((option, None));
    let details = habits::unknown_option(typed, value, &known, asked.get_name());
    Some((format!("there is no option `{}`", printable_word(typed)), details))
}

/// Brings a command line into the strict form of [`position`], with the program's name first.
fn strict_words(words: Vec<OsString>, command: &clap::Command) -> Words {
    let program = || vec!["wasmr".into()];
    let Some(first) = words.first() else { return Words { strict: program(), late: Vec::new() } };
    let named = command.get_subcommands().find(|sub| first == sub.get_name());
    let table = || command.find_subcommand("run").map(OptionTable::of).unwrap_or_default();
    let Words { strict, late } = match named {
        Some(run) if run.get_name() == "run" => position::run_words(words[1..].to_vec(), &table()),
        Some(other) => {
            let rest = position::command_words(&words[1..], &OptionTable::of(other));
            let strict = program().into_iter().chain([first.clone()]).chain(rest).collect();
            return Words { strict, late: Vec::new() };
        }
        None if !["-h", "--help", "-V", "--version"].iter().any(|option| first == option) => {
            position::short_form_words(words, &table())
        }
        None => return Words { strict: program().into_iter().chain(words).collect(), late: Vec::new() },
    };
    let command = program().into_iter().chain(["run".into()]);
    Words { strict: command.chain(strict).collect(), late }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        let mut command = Cli::command();
        let words = strict_words(line.split_whitespace().map(OsString::from).collect(), &command);
        command.try_get_matches_from_mut(words.strict).and_then(|matches| Cli::from_arg_matches(&matches))
    }

    #[track_caller]
    fn run_flags(line: &str) -> flags::RunFlags {
        match parse(line).unwrap().command {
            Command::Run(flags) => *flags,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_declaration_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_that_are_often_the_guests_are_options_of_run() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        for name in position::OFTEN_THE_GUESTS {
            assert!(run.get_arguments().any(|arg| arg.get_long() == name.strip_prefix("--")), "{name}");
        }
    }

    #[test]
    fn every_value_may_start_with_a_dash() {
        let command = Cli::command();
        for sub in command.get_subcommands() {
            let takes_next = |arg: &&clap::Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
            for arg in sub.get_arguments().filter(|arg| !arg.is_positional()).filter(takes_next) {
                let long = arg.get_long().map(|name| format!("--{name}"));
                let option = long.unwrap_or_else(|| format!("-{}", arg.get_short().unwrap()));
                let kind = parse(&format!("{} {option} -1 file", sub.get_name())).err().map(|error| error.kind());
                // Some options need another one.
                let needs_more = Some(ErrorKind::MissingRequiredArgument);
                let as_value = [None, Some(ErrorKind::ValueValidation), Some(ErrorKind::InvalidValue), needs_more];
                assert!(as_value.contains(&kind), "{} {option}: {kind:?}", sub.get_name());
            }
        }
    }

    #[test]
    fn run_takes_options_on_both_sides() {
        let flags = run_flags("run --env A=1 -W gc=n --max-memory 64MiB m.wasm --dir=.::/x::ro --env B a --dir=no");
        assert_eq!(flags.module.unwrap().to_str(), Some("m.wasm"));
        assert_eq!(flags.args, ["a", "--dir=no"]);
        assert_eq!(flags.dir.len(), 1);
        assert!(flags.dir[0].read_only);
        assert_eq!(flags.env.iter().map(|env| env.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!((flags.max_memory, flags.wasm), (Some(64 << 20), vec!["gc=n".to_string()]));
    }

    #[test]
    fn the_short_form_leaves_everything_to_the_guest() {
        let flags = run_flags("m.wasm --dir=/ --help -- x");
        assert_eq!(flags.args, ["--dir=/", "--help", "--", "x"]);
        assert!(flags.dir.is_empty());
        assert_eq!(run_flags("--dir=. m.wasm --dir=/").dir.len(), 1);
    }

    #[test]
    fn strict_run_leaves_everything_to_the_guest() {
        let flags = run_flags("run --dir=. -- m.wasm --dir=/ -- --");
        assert_eq!((flags.dir.len(), flags.args.len()), (1, 3));
    }

    #[test]
    fn modes_are_those_of_the_table() {
        assert_eq!(run_flags("run --mode interp m.wasm").mode, Some(wasmr::Mode::Interp));
        assert!(parse("run --mode warp m.wasm").unwrap_err().to_string().contains("interp"));
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for line in [
            "run",
            "run --bogus m.wasm",
            "run --dir m.wasm",
            "run --timeout soon m.wasm",
            "wast",
            "--bogus",
            "run m.wasm --dir",
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.use_stderr(), "{line}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn help_and_version_are_not_errors() {
        for line in ["--help", "-h", "--version", "-V", "run --help", "validate -h"] {
            assert!(!parse(line).unwrap_err().use_stderr(), "{line}");
        }
    }
}
