//! Options, keys and commands that users know from other runtimes, and wasmr's answer to each. One table per vocabulary.
//!
//! In: a word that neither the flag parser nor a table of keys knows. Out: what to type instead, the reason why wasmr has no
//! such thing, or, for a key, acceptance.
//!
//! # When is a foreign key accepted?
//! A foreign key is accepted if its value is true of wasmr whatever else is on the command line (`compiler=cranelift`: wasmr has no other).
//! A key that would limit the guest, forbid it something, or promise a feature that wasmr lacks is an error, never ignored.

use super::grants;

/// Options of other runtimes that grant a directory. The flag is true if the guest's path comes first in the value.
const GRANTS: &[(&[&str], bool)] =
    &[(&["-v", "--volume", "--mount", "--preopen", "--dirs"], false), (&["--mapdir", "--map-dir"], true)];

/// Options of other runtimes, and what to do instead.
const OPTIONS: &[(&[&str], &str)] = &[
    (&["--cwd", "--workdir", "--pwd"], "grant the directory as `/` with `--dir HOST::/`, or set `--env PWD=GUEST`"),
    (
        &["--forward-host-env", "--env-inherit", "--inherit-all-env"],
        "pass on all variables of the host with `--inherit-env`, one with `--env NAME`",
    ),
    (&["-e", "--entrypoint", "--entry", "-f", "--function", "--reactor"], "call an export with `--invoke NAME`"),
    (&["--wasm-timeout", "--time-limit"], "limit the time of a run with `--timeout 10s`"),
    (&["--gas-limit", "--gas"], "limit the operators that a program executes with `--fuel 1000000`"),
    (&["--memory-page-limit", "--memory-limit", "--max-memory-size", "--heap-size"], "use `--max-memory 64MiB`"),
    (&["--stack-size", "--max-wasm-stack"], "use `--max-stack 1MiB`"),
    (&["--tcplisten", "--listenfd"], "give the program a listening socket with `--listen 127.0.0.1:8080`"),
    (
        &["--network", "--inherit-network", "--allow-net", "--allow-ip", "--addr-pool", "--udp", "--tcp"],
        "grant a component addresses of the network with `--net ADDR:PORT`, all of them with `--net '*'`",
    ),
    (&["--allow-dns", "--allow-ip-name-lookup"], "grant a component lookups of host names with `--dns`"),
    (&["--http"], "wasmr has no HTTP yet"),
    (&["--wasm-features", "--enable"], "switch features with `-W KEY[=y|n]`; `-W help` lists the keys"),
    (&["--enable-all", "--all-features"], "accept all supported features with `-W all-proposals`"),
    (&["--wasm"], "write `-W KEY[=VALUE]`; `-W help` lists the keys"),
    (&["--wasi"], "write `-S KEY[=VALUE]`; `-S help` lists the keys"),
    (&["--codegen"], "write `-C KEY[=VALUE]`; `-C help` lists the keys"),
    (&["--optimize"], "write `-O KEY[=VALUE]`; `-O help` lists the keys"),
    (&["--debug"], "write `-D KEY[=VALUE]`; `-D help` lists the keys"),
    (
        &[
            "--interpreter",
            "--jit",
            "--llvm",
            "--cranelift",
            "--singlepass",
            "--compiler",
            "--engine",
            "--compilation-mode",
        ],
        "choose how to execute with `--mode tiered`, `--mode jit` or `--mode interp`",
    ),
    (&["--cache"], "the cache is on without an option; `--cache-dir DIR` names its directory"),
    (&["--cachedir"], "name the directory of the cache with `--cache-dir DIR`"),
    (&["--disable-cache"], "switch the cache off with `--no-cache`"),
    (&["--target"], "wasmr compiles only for the machine that it runs on"),
    (&["--config"], "wasmr reads no configuration file; give options on the command line"),
    (&["--profile", "--profiler"], "wasmr has no profiler yet; `--stats` shows the time of each phase"),
    (&["-g", "--gdb", "--gdbstub", "--debug-info"], NO_DEBUGGER),
    (&["-R", "--record", "--trace"], "wasmr cannot record runs"),
    (&["--verbose", "--log-level"], "for more output, use `--stats` or set the environment variable WASMR_LOG=all"),
    (&["--args", "--arg"], "write the program's arguments after MODULE"),
];

const NO_DEBUGGER: &str = "wasmr has no debugger yet; backtraces contain function names without this option";

/// Commands of other runtimes, and what to do instead.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["completion"], "type `wasmr completions SHELL`"),
    (&["exec", "start", "execute"], "to run a program, type `wasmr run MODULE`"),
    (&["test", "spectest"], "to run script tests, type `wasmr wast FILE`"),
    (
        &["objdump", "dump", "info", "describe"],
        "to see what a module contains, type `wasmr inspect FILE`; to see the code of a function, `wasmr explore FILE`",
    ),
    (&["verify", "check"], "to check a module, type `wasmr validate FILE`"),
    (&["create-exe"], "wasmr makes no executables; compile ahead of time with `wasmr compile MODULE`"),
    (
        &["serve"],
        "a command `serve` for components that handle HTTP is to come; to give a program a socket, type `wasmr run --listen ADDR:PORT MODULE`",
    ),
    (&["config", "settings"], "wasmr reads no configuration file; `wasmr run --help` lists the options"),
];

/// A key of another runtime: letter, names, the values that are true of wasmr, and the reason why wasmr accepts no other value. A
/// key alone has the value `y`.
type Row = (char, &'static [&'static str], &'static [&'static str], &'static str);

const KEYS: &[Row] = &[
    (
        'C',
        &["cache-config"],
        &[],
        "wasmr reads no configuration file; name the directory of the cache with `--cache-dir DIR`",
    ),
    ('C', &["compiler"], &["cranelift"], "the compiler is always Cranelift; choose how to execute with `--mode`"),
    ('C', &["parallel-compilation"], &["y"], "use `-O compile-threads=1`"),
    ('C', &["inlining"], &["y"], "the compiler always inlines small functions"),
    ('C', &["native-unwind-info"], &["n"], "machine code has no unwind tables"),
    ('C', &["cranelift-debug-verifier"], &["n"], "wasmr is built without the verifier"),
    ('O', &["opt-level"], &["1", "2"], "the compiler always optimises; `--mode interp` compiles nothing"),
    ('O', &["pooling-allocator"], &["n"], "wasmr allocates no memories in advance"),
    (
        'W',
        &["max-memories"],
        &[],
        "wasmr has no such limit; limit the bytes of all memories together with `--max-memory 64MiB`",
    ),
    (
        'W',
        &["max-tables"],
        &[],
        "wasmr has no such limit; limit the elements of all tables together with `--max-table-elements 1000`",
    ),
    ('W', &["trap-on-grow-failure"], &["n"], "memory.grow and table.grow return -1 if they fail"),
    ('W', &["relaxed-simd-deterministic"], &["n"], "wasmr has no switch for deterministic relaxed SIMD"),
    ('W', &["epoch-interruption"], &["n"], "`--timeout` needs no such switch"),
    ('W', &["unknown-exports-allow"], &["y"], "unused exports are always allowed"),
    ('W', &["wmemcheck"], &["n"], "wasmr has no checker of memory accesses"),
    ('W', &["shared-memory"], &["y"], "use `-W threads=n`"),
    (
        'W',
        &["stack-switching", "shared-everything-threads", "memory-control"],
        &["n"],
        "wasmr does not support this proposal",
    ),
    ('W', &["component-model"], &["y", "n"], "components always run"),
    (
        'W',
        &[
            "component-model-async",
            "component-model-async-builtins",
            "component-model-async-stackful",
            "component-model-threading",
            "component-model-error-context",
            "component-model-gc",
        ],
        &["n"],
        "wasmr does not support this part of the component model",
    ),
    ('S', &["cli", "common"], &["y"], "programs that import WASI Preview 1 always get it"),
    ('S', &["preview0"], &["y"], "programs that import wasi_unstable always get it"),
    ('S', &["preview2", "p2"], &["y"], "components that import WASI 0.2 always get it"),
    ('S', &["p3"], &["n"], "wasmr does not support WASI 0.3"),
    ('S', &["http", "nn", "config", "keyvalue", "tls"], &["n"], "wasmr does not support this interface"),
    ('S', &["threads"], &["y"], "forbid threads with `--max-threads 0`"),
    ('S', &["listenfd"], &["n"], "give the program a listening socket with `--listen 127.0.0.1:8080`"),
    ('S', &["inherit-stdin"], &["y"], "the program always gets standard input; redirect it in the shell: `</dev/null`"),
    (
        'S',
        &["inherit-stdout"],
        &["y"],
        "the program always gets standard output; redirect it in the shell: `>/dev/null`",
    ),
    (
        'S',
        &["inherit-stderr"],
        &["y"],
        "the program always gets standard error; redirect it in the shell: `2>/dev/null`",
    ),
    ('S', &["cwd"], &[], "grant the directory as `/` with `--dir HOST::/`, or set `--env PWD=GUEST`"),
    ('D', &["debug-info", "guest-debug"], &["n"], NO_DEBUGGER),
    ('D', &["address-map"], &["y"], "backtraces always contain offsets"),
    ('D', &["logging", "log-to-files"], &["n"], "choose what wasmr logs with the environment variable WASMR_LOG"),
    ('D', &["coredump"], &[], "wasmr writes no core dumps yet"),
    ('D', &["debugger"], &[], "wasmr has no debugger yet"),
];

/// Returns the answer to an option that `command` does not have. `value` is the option's value or the next word. `known` lists the
/// long options of the command.
pub fn unknown_option(word: &str, value: Option<&str>, known: &[String], command: &str) -> String {
    // Some runtimes write long options with one dash.
    let long = if word.starts_with("--") || word.len() <= 2 { word.to_string() } else { format!("-{word}") };
    if command == "run" {
        if let Some(answer) = grant(word, value).or_else(|| grant(&long, value)) {
            return answer;
        }
        if let Some(answer) = find(OPTIONS, word).or_else(|| find(OPTIONS, &long)) {
            return answer.to_string();
        }
    }
    if long != word && known.contains(&long) {
        return format!("options of more than one letter have two dashes: `{long}`");
    }
    let names = known.iter().map(|name| name.trim_start_matches('-'));
    let near: Vec<String> =
        near(long.trim_start_matches('-'), names).iter().map(|name| name.replacen('`', "`--", 1)).collect();
    match near.is_empty() {
        true => format!("`wasmr help {command}` lists the options"),
        false => format!("did you mean {}?", near.join(" or ")),
    }
}

/// Returns the answer to an option that grants a directory.
fn grant(option: &str, value: Option<&str>) -> Option<String> {
    let (_, guest_first) = GRANTS.iter().find(|(names, _)| names.contains(&option))?;
    let version = if option == "-v" { "`wasmr --version` prints the version; " } else { "" };
    let typed = value.and_then(|value| grants::translated(value, *guest_first));
    let typed = typed.map(|typed| format!(": --dir {typed}")).unwrap_or_default();
    Some(format!("{version}grant a directory with `--dir HOST[::GUEST][::ro]`, the host's path first{typed}"))
}

/// Returns the answer to a command.
pub fn command(word: &str) -> Option<&'static str> {
    find(COMMANDS, word)
}

fn find(table: &[(&[&str], &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(names, _)| names.contains(&word)).map(|(_, answer)| *answer)
}

/// Accepts a foreign key whose value is true of wasmr. `own` lists the keys that `-LETTER` has.
///
/// # Errors
/// The reason why the key or its value is refused, as a text that follows "-LETTER KEY=VALUE: ".
pub fn key<'a>(
    letter: char,
    name: &str,
    value: Option<&str>,
    own: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    let row = KEYS.iter().find(|(of, names, ..)| *of == letter && names.contains(&name));
    let Some((.., values, why)) = row else {
        let near = near(name, own);
        let meant = if near.is_empty() { String::new() } else { format!(" did you mean {}?", near.join(" or ")) };
        return Err(format!("no such key;{meant} `-{letter} help` lists the keys"));
    };
    let value = match value {
        None | Some("yes" | "true") => "y",
        Some("no" | "false") => "n",
        Some(value) => value,
    };
    if values.contains(&value) { Ok(()) } else { Err((*why).to_string()) }
}

/// Returns the foreign keys of a letter that are accepted, as users type them.
pub fn accepted(letter: char) -> String {
    let rows = KEYS.iter().filter(|(of, ..)| *of == letter);
    let typed = rows.flat_map(|(_, names, values, _)| {
        names.iter().flat_map(|name| values.iter().map(move |value| format!("{name}={value}")))
    });
    typed.collect::<Vec<_>>().join(", ")
}

/// Returns up to three candidates that a word was probably meant to be, in quotes: candidates at an edit distance of one or two,
/// and candidates that contain the word.
pub fn near<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let slips = if word.chars().count() <= 4 { 1 } else { 2 };
    let contains = |candidate: &str| {
        word.len() >= 4 && (candidate.contains(word) || word.contains(candidate) && candidate.len() >= 4)
    };
    let mut found: Vec<(usize, &str)> = candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= slips || contains(candidate))
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().take(3).map(|(_, candidate)| format!("`{candidate}`")).collect()
}

/// Returns the edit distance of two words: the least number of insertions, deletions, replacements and swaps of neighbours
/// ([optimal string alignment](https://en.wikipedia.org/wiki/Damerau%E2%80%93Levenshtein_distance)).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::flags::Cli;
    use crate::cli::option_keys;
    use crate::cli::wasm_options::WasmOptions;

    #[test]
    fn distances_count_slips() {
        for (a, b, slips) in
            [("simd", "simd", 0), ("smid", "simd", 1), ("sim", "simd", 1), ("", "gc", 2), ("time", "timeout", 3)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (slips, slips), "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let names = ["dir", "env", "timeout", "max-memory", "max-output", "stats", "inherit-env"];
        let near = |word| near(word, names.into_iter()).join(" ");
        assert_eq!(near("timout"), "`timeout`");
        assert_eq!(near("max-memroy"), "`max-memory`");
        assert_eq!(near("dirs"), "`dir`");
        assert_eq!(near("inherit"), "`inherit-env`");
        for unrelated in ["mount", "target", "volume", "x", "memory64x"] {
            assert_eq!(near(unrelated), "", "{unrelated}");
        }
    }

    #[test]
    fn keys_that_are_true_anyway_are_accepted_and_no_others() {
        let none = || std::iter::empty();
        for (letter, name, value) in [
            ('C', "compiler", Some("cranelift")),
            ('O', "opt-level", Some("2")),
            ('W', "component-model", Some("no")),
            ('S', "cli", None),
            ('S', "cli", Some("true")),
        ] {
            assert_eq!(key(letter, name, value, none()), Ok(()), "-{letter} {name}");
        }
        for (letter, name, value, why) in [
            ('C', "cache-config", Some("file"), "--cache-dir"),
            ('O', "opt-level", Some("0"), "always optimises"),
            ('W', "max-memories", Some("1"), "--max-memory"),
            ('W', "relaxed-simd-deterministic", None, "no switch"),
            ('S', "cli", Some("n"), "always get it"),
            ('S', "cache", Some("n"), "no such key; `-S help` lists the keys"),
        ] {
            assert!(key(letter, name, value, none()).unwrap_err().contains(why), "-{letter} {name}");
        }
        let why = key('W', "smid", None, ["simd", "gc"].into_iter()).unwrap_err();
        assert_eq!(why, "no such key; did you mean `simd`? `-W help` lists the keys");
    }

    #[test]
    fn unknown_options_get_an_answer() {
        let known = ["--timeout", "--max-memory", "--max-output", "--dir"].map(String::from);
        let answer = |word| unknown_option(word, None, &known, "run");
        assert!(answer("--volume").contains("--dir HOST"));
        assert!(answer("-mount").contains("--dir HOST"));
        assert_eq!(answer("-timeout"), "options of more than one letter have two dashes: `--timeout`");
        assert_eq!(answer("--timout"), "did you mean `--timeout`?");
        assert_eq!(answer("--bogus"), "`wasmr help run` lists the options");
        assert_eq!(unknown_option("--volume", None, &known, "inspect"), "`wasmr help inspect` lists the options");
        for (word, value, typed) in [
            ("--volume", ".:/x", ": --dir .::/x"),
            ("-v", ".:/x:ro", ": --dir .::/x::ro"),
            ("-mount", ".:/x", ": --dir .::/x"),
            ("--mapdir", "/x::.", ": --dir .::/x"),
            ("-mapdir", "/x:.", ": --dir .::/x"),
            ("--volume", "m.wasm", "first"),
            ("--cwd", "a:b", "PWD=GUEST`"),
        ] {
            let answer = unknown_option(word, Some(value), &known, "run");
            assert!(answer.ends_with(typed), "{word} {value}: {answer}");
        }
    }

    #[test]
    fn answers_name_options_that_exist() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        let keys = KEYS.iter().map(|(.., why)| *why);
        let answers = OPTIONS.iter().chain(COMMANDS).map(|(_, answer)| *answer).chain(keys);
        // Users type the text in backquotes.
        let typed: Vec<&str> = answers.flat_map(|answer| answer.split('`').skip(1).step_by(2)).collect();
        assert!(typed.len() > 40, "{typed:?}");
        for span in typed {
            let words: Vec<&str> = span.split_whitespace().collect();
            let (first, second) =
                (words[0].split(['=', '[']).next().unwrap(), words.get(1).copied().unwrap_or_default());
            let list = [second.to_string()];
            let exists = match first {
                "wasmr" => second == "run" || command.find_subcommand(second).is_some(),
                "-pthread" | "-matomics" => true,
                _ if first.starts_with("--") => run.get_arguments().any(|arg| arg.get_long() == Some(&first[2..])),
                _ if second.starts_with("KEY") || second == "help" => {
                    run.get_arguments().any(|arg| arg.get_short().is_some_and(|letter| first == format!("-{letter}")))
                }
                "-W" => option_keys::parse::<WasmOptions>(&list).is_ok(),
                "-O" => option_keys::parse::<wasmr::Tuning>(&list).is_ok(),
                _ => !first.starts_with('-'),
            };
            assert!(exists, "{span}");
        }
    }

    #[test]
    fn no_word_stands_twice() {
        let words = |table: &[(&[&'static str], &str)]| -> Vec<&str> {
            table.iter().flat_map(|(names, _)| names.iter().copied()).collect()
        };
        let grants = GRANTS.iter().flat_map(|(names, _)| names.iter().copied());
        for mut words in [words(OPTIONS).into_iter().chain(grants).collect(), words(COMMANDS)] {
            let count = words.len();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), count);
        }
    }
}
