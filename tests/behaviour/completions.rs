//! `wasmr completions`: the scripts know every command and option, and the one for bash completes in bash.

use crate::harness::{Run, Scratch, WASMR};

fn script(shell: &str) -> String {
    Run::bare().words(["completions", shell]).end().exits(0).quietly().stdout
}

#[test]
fn every_script_knows_all_commands_and_options() {
    for shell in ["bash", "zsh", "fish"] {
        let script = script(shell);
        for word in ["run", "wast", "validate", "inspect", "explore", "cache", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // fish writes long options without their dashes.
        for option in ["max-memory", "preload", "inherit-env", "json", "mode"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
        assert!(script.contains("interp"), "{shell}: the modes");
    }
}

#[test]
fn bash_completes_commands_options_and_values() {
    let scratch = Scratch::new();
    let file = scratch.file("wasmr.bash", script("bash"));
    let complete = |words: &[&str]| {
        // Simulates bash when Tab is pressed after these words.
        let program = r#"source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _wasmr "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
        let run = Run::of("bash").words(["--norc", "-c", program, "bash"]).word(&file).words(words);
        let outcome = run.end().exits(0);
        outcome.stdout.lines().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["wasmr", "insp"]), ["inspect"]);
    assert_eq!(complete(&["wasmr", "run", "--max-mo"]), ["--max-module-size"]);
    assert_eq!(complete(&["wasmr", "inspect", "--j"]), ["--json"]);
    assert_eq!(complete(&["wasmr", "run", "--mode", "int"]), ["interp"]);
    assert_eq!(complete(&["wasmr", "cache", "i"]), ["info"]);
    assert_eq!(complete(&["wasmr", "completions", "f"]), ["fish"]);
}

#[test]
fn scripts_are_accepted_by_their_shells_where_those_are_installed() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let scratch = Scratch::new();
        let file = scratch.file("script", script(shell));
        if std::process::Command::new(shell).arg("--version").output().is_ok() {
            Run::of(shell).word(check).word(file).end().exits(0).quietly();
        }
    }
}

#[test]
fn an_unknown_shell_is_a_usage_error() {
    Run::bare().words(["completions", "tcsh"]).end().exits(2).prints("").says("bash, zsh, fish");
    Run::of(WASMR).word("completions").end().exits(2);
}
