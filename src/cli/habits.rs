//! Options, keys and commands that users know from other runtimes, and wasmr's answer to each. One table for each
//! vocabulary.
//!
//! In: a word that the flag parser or a table of keys does not know. Out: what to type instead, why there is nothing of
//! the kind, or, for a key, that it says how wasmr is anyway.
//!
//! # When is a foreign key accepted?
//! If its value is true of wasmr whatever else is on the command line (`cache=n`: there is no cache). A key that would limit
//! the guest, forbid it something, or promise what wasmr does not do is an error, never swallowed.

use super::grants;

/// Options of other runtimes that grant a directory, and whether its name for the guest stands first in their value.
const GRANTS: &[(&[&str], bool)] =
    &[(&["-v", "--volume", "--mount", "--preopen", "--dirs"], false), (&["--mapdir", "--map-dir"], true)];

/// Options of other runtimes, and what to do instead.
const OPTIONS: &[(&[&str], &str)] = &[
    (&["--cwd", "--workdir", "--pwd"], "grant the directory as `/`: `--dir HOST::/`, or set `--env PWD=GUEST`"),
    (
        &["--forward-host-env", "--env-inherit", "--inherit-all-env"],
        "the host's variables are passed on with `--inherit-env`, one of them with `--env NAME`",
    ),
    (&["-e", "--entrypoint", "--entry", "-f", "--function", "--reactor"], "an export is called with `--invoke NAME`"),
    (&["--wasm-timeout", "--time-limit"], "a run is ended after a time with `--timeout 10s`"),
    (&["--gas-limit", "--gas"], "operators are counted with `--fuel N`"),
    (&["--memory-page-limit", "--memory-limit", "--max-memory-size", "--heap-size"], "use `--max-memory SIZE`"),
    (&["--stack-size", "--max-wasm-stack"], "use `--max-stack SIZE`"),
    (&["--tcplisten", "--listenfd"], "a listening socket is given with `--listen ADDR:PORT`"),
    (
        &["--net", "--network", "--inherit-network", "--allow-ip", "--addr-pool", "--udp", "--http"],
        "programs have no network but the sockets of `--listen ADDR:PORT`",
    ),
    (&["--wasm-features", "--enable"], "features are switched with `-W KEY[=y|n]`; `-W help` lists them"),
    (&["--enable-all", "--all-features"], "all features are switched on with `-W all-proposals`"),
    (&["--wasm"], "the keys are given with `-W KEY[=VALUE]`; `-W help` lists them"),
    (&["--wasi"], "the keys are given with `-S KEY[=VALUE]`; `-S help` lists them"),
    (&["--codegen"], "the keys are given with `-C KEY[=VALUE]`; `-C help` lists them"),
    (&["--optimize"], "the keys are given with `-O KEY[=VALUE]`; `-O help` lists them"),
    (&["--debug"], "the keys are given with `-D KEY[=VALUE]`; `-D help` lists them"),
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
        "the way to execute is chosen with `--mode tiered`, `jit` or `interp`",
    ),
    (
        &["--cache", "--disable-cache", "--cache-dir", "--cachedir", "--no-cache"],
        "there is no cache of compiled code yet",
    ),
    (&["--allow-precompiled"], "there is no precompiled code yet; modules are .wasm or .wat"),
    (&["--target"], "code is made for the machine that wasmr runs on"),
    (&["--config"], "there are no configuration files; options and keys stand on the command line"),
    (&["--profile", "--profiler"], "there is no profiler yet; `--stats` says where the time goes"),
    (
        &["-g", "--gdb", "--gdbstub", "--debug-info"],
        "there is no debugger yet; backtraces of traps have the names of functions without it",
    ),
    (&["-R", "--record", "--trace"], "runs cannot be recorded"),
    (&["--verbose", "--log-level"], "`--stats` and the variable WASMR_LOG say more"),
    (&["--args", "--arg"], "the program's arguments stand after MODULE"),
];

/// Commands of other runtimes, and what to do instead.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["completion"], "it is `wasmr completions SHELL`"),
    (&["exec", "start", "execute"], "a program is run with `wasmr run MODULE`"),
    (&["test", "spectest"], "script tests are run with `wasmr wast FILE`"),
    (
        &["objdump", "dump", "info", "describe"],
        "`wasmr inspect FILE` shows what is in a module, `wasmr explore` its code",
    ),
    (&["verify", "check"], "a module is checked with `wasmr validate FILE`"),
    (
        &["compile", "cache", "create-exe"],
        "there is no compiled code that outlasts a run yet; programs start at once: `wasmr run MODULE`",
    ),
    (&["serve"], "components are not supported; `wasmr run --listen ADDR:PORT` gives a program a socket"),
    (&["config", "settings"], "there are no configuration files; `wasmr run --help` lists the options"),
];

/// A key of another runtime's: letter, names, the values that are true of wasmr anyway, and why there are no others.
/// A key alone has the value `y`.
type Row = (char, &'static [&'static str], &'static [&'static str], &'static str);

const KEYS: &[Row] = &[
    ('C', &["cache"], &["n"], "there is no cache of compiled code yet"),
    ('C', &["cache-config"], &[], "there is no cache of compiled code yet"),
    ('C', &["compiler"], &["cranelift"], "the compiler is Cranelift; `--mode` chooses how to execute"),
    ('C', &["parallel-compilation"], &["y"], "use `-O compile-threads=1`"),
    ('C', &["inlining"], &["y"], "small functions are always inlined"),
    ('C', &["native-unwind-info"], &["n"], "machine code has no unwind tables"),
    ('C', &["cranelift-debug-verifier"], &["n"], "the verifier is not built in"),
    ('O', &["opt-level"], &["1", "2"], "machine code is always optimised; `--mode interp` makes none"),
    ('O', &["pooling-allocator"], &["n"], "memories are not allocated in advance"),
    ('W', &["max-memories"], &[], "the bytes of all memories together are limited by --max-memory"),
    ('W', &["max-tables"], &[], "the elements of all tables together are limited by --max-table-elements"),
    ('W', &["trap-on-grow-failure"], &["n"], "memory.grow and table.grow give -1 if they fail"),
    ('W', &["nan-canonicalization"], &["n"], "there is no switch for it"),
    ('W', &["relaxed-simd-deterministic"], &["n"], "there is no switch for it"),
    ('W', &["epoch-interruption"], &["n"], "--timeout works without it"),
    ('W', &["unknown-exports-allow"], &["y"], "exports that nobody uses are always allowed"),
    ('W', &["branch-hinting"], &["y", "n"], "hints mean nothing to wasmr"),
    ('W', &["wmemcheck"], &["n"], "there is no checker of memory accesses"),
    ('W', &["shared-memory"], &["n"], "shared memories come with `-W threads`"),
    (
        'W',
        &["stack-switching", "shared-everything-threads", "memory-control"],
        &["n"],
        "wasmr does not have this proposal",
    ),
    (
        'W',
        &[
            "component-model",
            "component-model-async",
            "component-model-async-builtins",
            "component-model-async-stackful",
            "component-model-threading",
            "component-model-error-context",
            "component-model-gc",
        ],
        &["n"],
        "components are not supported; rebuild the program for wasm32-wasip1",
    ),
    ('S', &["cli", "common"], &["y"], "WASI Preview 1 is always there for programs that import it"),
    ('S', &["preview0"], &["y"], "wasi_unstable is always there for programs that import it"),
    ('S', &["preview2", "p2", "p3"], &["n"], "there is only WASI Preview 1"),
    ('S', &["http", "nn", "config", "keyvalue", "tls"], &["n"], "of WASI there is only Preview 1"),
    ('S', &["threads"], &["n"], "wasi-threads is not supported"),
    (
        'S',
        &["inherit-network", "allow-ip-name-lookup", "tcp", "udp"],
        &["n"],
        "programs have no network but the sockets of `--listen ADDR:PORT`",
    ),
    ('S', &["listenfd"], &["n"], "a listening socket is given with `--listen ADDR:PORT`"),
    ('S', &["inherit-stdin"], &["y"], "standard input is passed on; redirect it in the shell, as by `</dev/null`"),
    ('S', &["inherit-stdout"], &["y"], "standard output is passed on; redirect it in the shell, as by `>/dev/null`"),
    ('S', &["inherit-stderr"], &["y"], "standard error is passed on; redirect it in the shell, as by `2>/dev/null`"),
    ('S', &["cwd"], &[], "grant the directory as `/`: `--dir HOST::/`, or set `--env PWD=GUEST`"),
    (
        'D',
        &["debug-info", "guest-debug"],
        &["n"],
        "there is no debugger yet; backtraces have the names of functions without it",
    ),
    ('D', &["address-map"], &["y"], "backtraces always have offsets"),
    ('D', &["logging", "log-to-files"], &["n"], "the variable WASMR_LOG says what is logged"),
    ('D', &["coredump"], &[], "core dumps are not there yet"),
    ('D', &["debugger"], &[], "there is no debugger yet"),
];

/// What to do in place of an option that `command` does not have. `value` is its value, or the word behind it. `known` are the
/// long options that the command has.
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

/// The answer to an option that grants a directory.
fn grant(option: &str, value: Option<&str>) -> Option<String> {
    let (_, guest_first) = GRANTS.iter().find(|(names, _)| names.contains(&option))?;
    let version = if option == "-v" { "`wasmr --version` prints the version; " } else { "" };
    let typed = value.and_then(|value| grants::translated(value, *guest_first));
    let typed = typed.map(|typed| format!(": --dir {typed}")).unwrap_or_default();
    Some(format!("{version}a directory is granted with `--dir HOST[::GUEST][::ro]`, the host's name first{typed}"))
}

/// The answer to a command.
pub fn command(word: &str) -> Option<&'static str> {
    find(COMMANDS, word)
}

fn find(table: &[(&[&str], &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(names, _)| names.contains(&word)).map(|(_, answer)| *answer)
}

/// Accepts a foreign key that says how wasmr is anyway. `own` are the names of the keys that `-LETTER` does have.
///
/// # Errors
/// Why the key or its value is refused, to be put after "-LETTER KEY=VALUE: ".
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

/// The foreign keys of a letter that are accepted, as they are typed.
pub fn accepted(letter: char) -> String {
    let rows = KEYS.iter().filter(|(of, ..)| *of == letter);
    let typed = rows.flat_map(|(_, names, values, _)| {
        names.iter().flat_map(|name| values.iter().map(move |value| format!("{name}={value}")))
    });
    typed.collect::<Vec<_>>().join(", ")
}

/// The candidates that a word was probably meant to be, in quotes, three at most: those with a slip or two, or those that it is
/// a part of.
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

/// How many characters have to be put in, left out, replaced or swapped with their neighbour to make `b` of `a`.
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
    use super::*;

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
            ('C', "cache", Some("n")),
            ('O', "opt-level", Some("2")),
            ('W', "component-model", Some("no")),
            ('S', "cli", None),
            ('S', "cli", Some("true")),
        ] {
            assert_eq!(key(letter, name, value, none()), Ok(()), "-{letter} {name}");
        }
        for (letter, name, value, why) in [
            ('C', "cache", None, "there is no cache"),
            ('O', "opt-level", Some("0"), "always optimised"),
            ('W', "max-memories", Some("1"), "--max-memory"),
            ('W', "nan-canonicalization", None, "no switch"),
            ('S', "cli", Some("n"), "always there"),
            ('S', "inherit-network", None, "--listen"),
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
