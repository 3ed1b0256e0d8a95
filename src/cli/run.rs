//! `wasmr run`: loads the program, links it, calls it, and reports its end.
//!
//! In: [`RunFlags`], through [`plan`]. Out: the exit code. Steps in order: resolve the plan, start the timeout, load and validate
//! program and [`preload`]s, put the terminal into raw mode if asked to, instantiate preloads and program, call the entry, print the
//! statistics if asked to. The process ends right after [`run`], so nothing large is dropped here.

use std::io::Write;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use wasmr::symbol::printable;
use wasmr::wasi::{MissingMemory, ThreadData, ThreadEnd, WasiThreads};
use wasmr::{Engine, ExternType, Instance, Linker, Module, Stop, StopKind, Store, TrapCode, UnknownImportCalled, Val};
use wasmr_core::count::Count;

use super::end::{End, describe_exception, stopped_by};
use super::exit::UsageError;
use super::flags::RunFlags;
use super::guest::Guest;
use super::instantiate::{define, instantiate, load_program};
use super::load::Program;
use super::plan::{self, Entry, RunPlan};
use super::preload::{self, Library};
use super::report::printable_word;
#[cfg(feature = "component")]
use super::run_component;
use super::stats::{Ended, MaybeStats, Phase, Stats, enter};
use super::values::PreloadSpec;
use super::{exit, invoke, load, missing, report, save, signals, terminal, timeout};

/// Number of frames from which an out-of-bounds access is probably an overflow of the program's own stack, which is in its linear
/// memory.
const DEEP: usize = 1000;

/// Runs a program.
pub fn run(flags: RunFlags, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<u8> {
    let begin = Instant::now();
    let plan = plan::resolve(flags)?;
    for warning in &plan.warnings {
        report::print(err, &format!("warning: {warning}\n"));
    }
    // Printed before anything else can fail. The error about a missing `_start` explains a late `--invoke` better.
    if !plan.late.is_empty() && plan.late_invoke().is_none() {
        report::print(err, &late_note(&plan.late));
    }
    let name = load::name(&plan.module);
    let stats = plan.stats.map(|format| Arc::new(Stats::new(format, &name, begin)));
    if let Some(limit) = plan.timeout {
        timeout::start(limit, begin, name.clone(), stats.clone()).context("cannot start the thread for --timeout")?;
    }
    if let Some(keys) = plan.raw_tty {
        let is_noted = terminal::prepare(keys).context("cannot use the terminal for --raw-tty")?;
        if is_noted {
            signals::watch_terminal();
        }
    }
    let (cache, learn, program) = (plan.cache.clone(), plan.learn.clone(), plan.module.clone());
    // Not dropped, as that would store what was learnt while the user waits.
    let mut modules = ManuallyDrop::new(Vec::new());
    let (status, ended) = match execute(plan, &mut modules, &stats, out, err)? {
        End::NotRun(status) => return Ok(status),
        End::Returned => (exit::SUCCESS, Ended::returned()),
        End::Stopped(stop, exception) => {
            let ended = Ended::stopped(&stop);
            (stopped(stop, &exception, &format!("the program `{}`", printable_word(&name)), err), ended)
        }
        End::ThreadStopped(id, stop, exception) => {
            let ended = Ended::stopped(&stop);
            let subject = format!("thread {id} of the program `{}`", printable_word(&name));
            (stopped(stop, &exception, &subject, err), ended)
        }
        End::LibraryStopped(library, stop, exception) => {
            let ended = Ended::stopped(&stop);
            (library_stopped(stop, &exception, &library, err), ended)
        }
    };
    if let Some(stats) = stats {
        report::print(err, &stats.render(&ended));
    }
    if let Some(cache) = cache {
        save::store(&cache, &modules, learn, &program);
    }
    Ok(status)
}

/// Runs the program. Adds the modules that ran, or the core modules of a component, to `modules`.
fn execute(
    plan: RunPlan,
    modules: &mut Vec<Module>,
    stats: &MaybeStats,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<End> {
    let engine = ManuallyDrop::new(Engine::new(&plan.config));
    if let Some(stats) = stats {
        stats.engine(&engine);
    }
    let module = match load_program(&engine, &plan, stats)? {
        Program::Module(module) => ManuallyDrop::new(module),
        #[cfg(feature = "component")]
        Program::Component(component) => {
            let component = ManuallyDrop::new(component);
            modules.extend(component.modules().iter().cloned());
            return run_component::execute(plan, &engine, &component, stats, out, err);
        }
    };
    #[cfg(feature = "component")]
    if plan.network {
        report::print(
            err,
            "warning: --net and --dns grant only components anything; a module gets a socket with --listen\n",
        );
    }
    let load = |spec: &PreloadSpec| Library::load(&engine, spec.clone(), plan.allow_precompiled, stats);
    let libraries = plan.preload.iter().map(load);
    let libraries = libraries.collect::<anyhow::Result<Vec<_>>>()?;
    let is_runnable = has_entry(&module, &plan.entry);
    // A module for another host lacks both the entry and definitions of its imports. The error about the imports says what to do.
    if !is_runnable || !libraries.is_empty() {
        preload::check_all_imports(&engine, &libraries, &module, &plan.linking)?;
    }
    if !is_runnable {
        explain_entry(&module, &plan, err);
        return Ok(End::NotRun(exit::FAILURE));
    }
    if plan.late_invoke().is_some() && !plan.late.is_empty() {
        report::print(err, &late_note(&plan.late));
    }

    if !plan.entry.is_initializer() {
        wasmr::initializer(&module.module).with_context(|| format!("cannot run `{}`", printable(module.name())))?;
    }

    terminal::enter();
    let max_threads = plan.max_threads;
    let guest = Guest::new(plan.wasi, &module, max_threads);
    let threads = guest.threads().cloned();
    let mut store = ManuallyDrop::new(Store::new(&*engine, guest));
    if let Some(fuel) = plan.fuel {
        store.set_fuel(fuel)?;
    }
    let mut linker = ManuallyDrop::new(Linker::new());
    modules.extend(libraries.iter().map(|library| library.module().clone()).chain([(*module).clone()]));
    for (index, library) in libraries.into_iter().enumerate() {
        let preloads = plan.linking.preloads(index);
        if let Err(stop) = library.instantiate(&mut store, &mut linker, &plan.linking, preloads, stats)? {
            let exception = describe_exception(&mut store, &stop);
            return Ok(End::LibraryStopped(library.spec, stop, exception));
        }
    }
    enter(stats, Phase::Instantiate);
    let preloads = plan.linking.preloads(plan.linking.libraries.len());
    define(&mut store, &mut linker, &module, &plan.linking)?;
    if let Some(threads) = &threads
        && let Ok(program) = linker.instantiate_pre(&module)
    {
        if !program.fits_any_store() {
            let note = "cannot start threads, because every thread would need the modules of --preload anew: link them into it";
            report::print(err, &format!("note: `{}` {note}\n", printable(module.name())));
        }
        threads.begin(&store, program);
    }
    let instance = match instantiate(&mut store, &linker, &module, preloads)? {
        Ok(instance) => instance,
        Err(stop) => {
            let other = end_threads(threads.as_ref(), max_threads, err);
            return Ok(other.unwrap_or_else(|| stopped_by(&mut store, stop)));
        }
    };
    plan.log.memories(&store, instance);
    // A function without parameters leaves all words to a program that reads its arguments with WASI.
    let left = takes_nothing(&module, &plan.entry) && arguments_are_read(&mut store, &linker);
    let args = if left { &[] } else { plan.args.as_slice() };
    enter(stats, Phase::Run);
    let end = call_entry(&mut store, instance, &plan.entry, args, out);
    let other = end_threads(threads.as_ref(), max_threads, err);
    if let Some(stats) = stats {
        stats.store(&store, instance, plan.fuel, threads.as_ref());
    }
    if let Some(other) = other {
        return Ok(other);
    }
    end
}

/// Ends the program's other threads. Returns the end of the run by one of them.
fn end_threads(threads: Option<&WasiThreads<Guest>>, max: u32, err: &mut dyn Write) -> Option<End> {
    let threads = threads?;
    let end = threads.finish();
    let refused = threads.counts().refused;
    if refused > 0 {
        let how_many = Count(refused, "thread");
        report::print(
            err,
            &format!("note: {how_many} did not start, because only {max} may exist at once (--max-threads)\n"),
        );
    }
    let ThreadEnd { id, store, stop, .. } = end?;
    // The process ends soon.
    let mut store = ManuallyDrop::new(store);
    let exception = describe_exception(&mut store, &stop);
    Some(End::ThreadStopped(id, stop, exception))
}

/// Returns true if the module exports the function to call.
fn has_entry(module: &Module, entry: &Entry) -> bool {
    let name = match entry {
        Entry::Start => "_start",
        Entry::Invoke(name) => name,
    };
    exports_func(module, name)
}

fn exports_func(module: &Module, name: &str) -> bool {
    matches!(module.get_export(name), Some(ExternType::Func(_)))
}

/// Prints why there is no function to call, and the exports that could be called.
fn explain_entry(module: &Module, plan: &RunPlan, err: &mut dyn Write) {
    let file = printable_word(&plan.module);
    let help = || missing::exports_help(module, &file);
    let (sentence, details) = match (&plan.entry, plan.late_invoke()) {
        (Entry::Start, Some((name, args))) => {
            let sentence =
                format!("`{file}` exports no function `_start`, and --invoke after MODULE goes to the program");
            let command = missing::invoke_command(name, &file, args);
            let is_there = exports_func(module, name);
            let details = format!("to call `{}`, type\n  {command}", printable_word(name));
            (sentence, if is_there { details } else { help() })
        }
        (Entry::Start, None) => {
            (format!("`{file}` exports no function `_start`; call another export with --invoke"), help())
        }
        (Entry::Invoke(name), _) => {
            (format!("`{file}` exports no function `{}` for --invoke", printable_word(name)), help())
        }
    };
    report::error_with_details(err, &sentence, &details);
}

/// Returns the note about options that go to the program because of their position.
fn late_note(late: &[String]) -> String {
    let names: Vec<String> = late.iter().map(|name| format!("`{name}`")).collect();
    let (go, it) = if late.len() == 1 { ("goes", "it") } else { ("go", "them") };
    format!(
        "note: {} after MODULE {go} to the program; to set {it} for wasmr, put {it} before MODULE; to silence this note, put `--` \
         before MODULE\n",
        names.join(", ")
    )
}

/// Returns true if the export to invoke is a function without parameters.
fn takes_nothing(module: &Module, entry: &Entry) -> bool {
    let Entry::Invoke(name) = entry else { return false };
    let Some(ExternType::Func(id)) = module.get_export(name) else { return false };
    module.registry().func_type(id).is_some_and(|ty| ty.params().is_empty())
}

/// Returns true if a linked module imports a WASI call for program arguments. The linker defines only calls that are imported.
fn arguments_are_read(store: &mut Store<Guest>, linker: &Linker<Guest>) -> bool {
    let mut is_defined = |module: &str| linker.get(&mut *store, module, "args_sizes_get").is_some();
    is_defined("wasi_snapshot_preview1") || is_defined("wasi_unstable")
}

fn call_entry(
    store: &mut Store<Guest>,
    instance: Instance,
    entry: &Entry,
    args: &[String],
    out: &mut dyn Write,
) -> anyhow::Result<End> {
    let (name, words) = match entry {
        Entry::Start => ("_start", [].as_slice()),
        Entry::Invoke(name) => (name.as_str(), args),
    };
    let func = |store: &mut Store<Guest>, name: &str| instance.get_func(&*store, name);
    let target = func(store, name).with_context(|| format!("there is no function `{name}`"))?;
    let ty = target.ty(&*store);
    let args = invoke::arguments(store.registry(), &ty, words)
        .map_err(|why| UsageError(format!("cannot call `{name}`: {why}")))?;
    if !entry.is_initializer()
        && let Err(stop) = instance.initialize(&mut *store)
    {
        return Ok(stopped_by(store, stop));
    }
    let mut results = vec![Val::I32(0); ty.results().len()];
    if let Err(stop) = target.call(&mut *store, &args, &mut results) {
        return Ok(stopped_by(store, stop));
    }
    let lines: String = results.iter().map(|value| invoke::result_text(store, value) + "\n").collect();
    if !lines.is_empty() {
        out.write_all(lines.as_bytes()).and_then(|()| out.flush()).context("cannot print the results")?;
    }
    Ok(End::Returned)
}

/// Prints why a library was stopped before the program started. Returns the exit code. Unlike a program's exit, a library's is
/// reported, as the program did not run.
fn library_stopped(stop: Stop, exception: &str, library: &PreloadSpec, err: &mut dyn Write) -> u8 {
    let (name, file) = (printable_word(&library.name), printable_word(&library.file));
    let subject = format!("the preloaded module `{name}` (`{file}`)");
    if let Some(code) = stop.exit_code() {
        let sentence = format!("{subject} ended the run with exit code {code} before the program started");
        report::error_with_details(err, &sentence, "");
    }
    stopped(stop, exception, &subject, err)
}

/// Prints why `subject` was stopped; `exception` describes the exception if there is one. Returns the exit code.
fn stopped(stop: Stop, exception: &str, subject: &str, err: &mut dyn Write) -> u8 {
    let frames = stop.backtrace().map_or(0, |backtrace| backtrace.total);
    let backtrace = stop.backtrace().map(report::backtrace).unwrap_or_default();
    match stop.into_kind() {
        StopKind::Exit(code) => exit::of_guest(code),
        StopKind::Trap(trap) => {
            let hint = match trap.code {
                TrapCode::MemoryOutOfBounds if frames >= DEEP => report::own_stack_hint(frames),
                _ => String::new(),
            };
            let details = format!("wasm trap: {}\n{backtrace}{hint}", trap.message());
            report::error_with_details(err, &format!("{subject} trapped"), &details);
            exit::TRAP
        }
        StopKind::Throw(_) => {
            let colon = if exception.is_empty() { "" } else { ": " };
            let details = format!("uncaught wasm exception{colon}{exception}\n{backtrace}");
            report::error_with_details(err, &format!("{subject} threw an exception that no handler caught"), &details);
            exit::TRAP
        }
        StopKind::Host(failure) if failure.error().is::<UnknownImportCalled>() => {
            let sentence = format!("{subject} called an import that is not defined");
            report::error_with_details(err, &sentence, &format!("{}\n{backtrace}", failure.error()));
            exit::TRAP
        }
        StopKind::Host(failure) => {
            let (sentence, details) = match failure.error().downcast_ref::<MissingMemory>() {
                Some(missing) => missing::memory_help(missing, &backtrace),
                None => (format!("{subject} was stopped"), failure.to_string()),
            };
            report::error_with_details(err, &sentence, &details);
            exit::FAILURE
        }
    }
}
