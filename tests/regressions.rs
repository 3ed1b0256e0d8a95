//! Regressions: validates and runs every module of `tests/regressions/` in every mode, with guard-paged and checked memories.
//!
//! In: `.wat` and `.wasm` files. A comment in each `.wat` describes the fault that it showed; a `.wasm` has a `.wat` of the
//! same name beside it for the comment. Every exported function without parameters is called, in the order of the exports,
//! each within [`DEADLINE`]. The function's name determines the expected end:
//!
//! | name begins with | the call must |
//! |---|---|
//! | `traps: TEXT` | trap with that text |
//! | `any: ` | end in any manner |
//! | anything else | return, and return 1 if the only result is an `i32` |
//!
//! A module whose file name begins with `refused_` must not validate.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use wasmr::{Config, Engine, Extern, Linker, MemoryStrategy, Mode, Module, Stop, Store, TrapCode, Tuning, Val};

/// Time after which a call counts as hanging.
const DEADLINE: Duration = Duration::from_secs(60);

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "wat" || kind == "wasm"));
    // A text beside a binary of the same name only explains the binary.
    files.retain(|file| file.extension().is_some_and(|kind| kind == "wasm") || !file.with_extension("wasm").exists());
    files.sort();
    assert!(!files.is_empty(), "there must be regressions");
    files
}

/// Runs every file in a mode with its default tuning.
fn replay(mode: &str) {
    let mode = Mode::from_name(mode).unwrap_or_else(|| panic!("there is no mode `{mode}`"));
    replay_in(mode, &Tuning::default());
}

/// Runs every file. Fails with the list of wrong outcomes.
fn replay_in(mode: Mode, tuning: &Tuning) {
    let mut wrong = Vec::new();
    for file in files() {
        for strategy in [MemoryStrategy::Guarded, MemoryStrategy::Checked] {
            let mut config = Config::new();
            config.mode(mode).memory_strategy(strategy).tuning(tuning.clone());
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Err(what) = replay_file(&Engine::new(&config), &file, name.starts_with("refused_")) {
                wrong.push(format!("{name}, {strategy:?}: {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{mode}:\n{}", wrong.join("\n"));
}

fn replay_file(engine: &Engine, file: &Path, refused: bool) -> Result<(), String> {
    let module = match (Module::from_file(engine, file), refused) {
        (Err(_), true) => return Ok(()),
        (Ok(_), true) => return Err("is accepted".to_owned()),
        (result, false) => result.map_err(|error| error.to_string())?,
    };
    let mut store = Store::new(engine, ());
    let mut linker = Linker::new();
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let instance = linker.instantiate(&mut store, &module).map_err(|error| error.to_string())?;
    let exports: Vec<(String, Extern)> =
        instance.exports(&store).map(|(name, object)| (name.to_owned(), object)).collect();
    for (name, object) in exports {
        let Extern::Func(func) = object else { continue };
        let ty = func.ty(&store);
        if !ty.params().is_empty() {
            continue;
        }
        let mut results = vec![Val::I32(0); ty.results().len()];
        let outcome = within_deadline(&mut store, |store| func.call(store, &[], &mut results));
        judge(&name, outcome, &results).map_err(|what| format!("`{name}` {what}"))?;
    }
    Ok(())
}

fn judge(name: &str, outcome: Result<(), Stop>, results: &[Val]) -> Result<(), String> {
    let code = outcome.as_ref().err().and_then(Stop::trap_code);
    if code == Some(TrapCode::Interrupted) {
        return Err("does not end".to_owned());
    }
    match (name.strip_prefix("traps: "), outcome) {
        _ if name.starts_with("any: ") => Ok(()),
        (Some(text), Err(_)) if code.is_some_and(|code| code.message() == text) => Ok(()),
        (Some(_), outcome) => Err(format!("ended with {outcome:?}, {results:?}")),
        (None, Err(stop)) => Err(format!("stopped: {stop}")),
        (None, Ok(())) => match results {
            [Val::I32(1)] => Ok(()),
            [Val::I32(_)] => Err(format!("returned {results:?}")),
            _ => Ok(()),
        },
    }
}

/// Makes a call while another thread waits to interrupt it after [`DEADLINE`].
fn within_deadline(store: &mut Store<()>, call: impl FnOnce(&mut Store<()>) -> Result<(), Stop>) -> Result<(), Stop> {
    let interrupt = store.interrupt_handle();
    let (done, wait) = channel::<()>();
    let watch = std::thread::spawn(move || {
        if let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(DEADLINE) {
            interrupt.interrupt();
        }
    });
    let outcome = call(store);
    drop(done);
    watch.join().unwrap();
    outcome
}

/// Declares a test for each mode.
macro_rules! on_every_tier {
    ($($mode:ident)*) => {
        $(
            #[test]
            fn $mode() {
                replay(stringify!($mode));
            }
        )*

        #[test]
        fn every_mode_is_replayed() {
            let modes: Vec<&str> = Mode::ALL.iter().map(|mode| mode.name()).collect();
            assert_eq!(modes, [$(stringify!($mode)),*]);
        }
    };
}

#[cfg(feature = "jit")]
on_every_tier! { tiered jit interp }

#[cfg(not(feature = "jit"))]
on_every_tier! { interp }

#[test]
#[cfg(feature = "jit")]
fn tiered_at_once() {
    replay_in(Mode::Tiered, &Tuning { tier_up_after: 0, ..Tuning::default() });
}

#[test]
fn a_wrong_answer_is_seen() {
    let one = [Val::I32(1)];
    assert!(judge("f", Ok(()), &one).is_ok());
    assert!(judge("f", Ok(()), &[Val::I32(0)]).is_err());
    assert!(judge("f", Err(TrapCode::Unreachable.into()), &one).is_err());
    assert!(judge("traps: unreachable", Err(TrapCode::Unreachable.into()), &one).is_ok());
    assert!(judge("traps: unreachable", Err(TrapCode::IntegerOverflow.into()), &one).is_err());
    assert!(judge("traps: unreachable", Ok(()), &one).is_err());
    assert!(judge("any: end", Err(TrapCode::Interrupted.into()), &one).is_err());
}
