//! `wasmr run`: loads the program, links it, calls it, and says how it ended.
//!
//! In: [`RunFlags`], through [`plan`]. Out: the exit status. Steps in order: resolve the plan, arm signals and timeout, load
//! and validate, instantiate preloads and program, call the entry. The process is about to end when this returns, so
//! nothing big is dropped here.

use std::io::Write;
use std::mem::ManuallyDrop;
use std::time::Instant;

use anyhow::Context;
use wasmr::wasi::WasiCtx;
use wasmr::{Engine, Instance, Linker, Module, Stop, StopKind, Store};

use super::flags::RunFlags;
use super::keys::WasmKeys;
use super::plan::{self, Entry, RunPlan, UnknownImports};
use super::{UsageError, exit, invoke, load, missing, report, signals, timeout};

/// How a run ended, other than by an error of wasmr's or of its user's.
enum End {
    /// With this status.
    Status(u8),
    /// The guest was stopped.
    Stopped(Stop),
}

/// Runs a program.
pub fn run(flags: RunFlags, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<u8> {
    let begin = Instant::now();
    let keys = flags.wasm_keys().map_err(UsageError)?;
    if keys.help {
        write!(out, "{}", WasmKeys::help_text())?;
        return Ok(exit::SUCCESS);
    }
    let plan = plan::resolve(flags, keys)?;
    signals::install();
    let name = load::name(&plan.module);
    if let Some(limit) = plan.timeout {
        timeout::start(limit, begin, name.clone()).context("cannot start the thread for --timeout")?;
    }
    match execute(plan, out, err)? {
        End::Status(status) => Ok(status),
        End::Stopped(stop) => Ok(stopped(stop, &name, err)),
    }
}

fn execute(plan: RunPlan, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<End> {
    let engine = ManuallyDrop::new(Engine::new(&plan.config));
    let module = ManuallyDrop::new(load::module(&engine, &plan.module)?);
    if let Some(status) = check_entry(&module, &plan, err) {
        return Ok(End::Status(status));
    }

    let mut store = ManuallyDrop::new(Store::new(&*engine, plan.wasi));
    let mut linker: ManuallyDrop<Linker<WasiCtx>> = ManuallyDrop::new(Linker::new(&engine));
    wasmr::wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi);
    for preload in &plan.preload {
        let library = ManuallyDrop::new(load::module(&engine, &preload.file)?);
        let instance = match instantiate(&mut store, &mut linker, &library, plan.unknown_imports)? {
            Ok(instance) => instance,
            Err(stop) => return Ok(End::Stopped(stop)),
        };
        linker.instance(&mut *store, &preload.name, instance);
    }
    let instance = match instantiate(&mut store, &mut linker, &module, plan.unknown_imports)? {
        Ok(instance) => instance,
        Err(stop) => return Ok(End::Stopped(stop)),
    };
    call_entry(&mut store, instance, &plan.entry, out)
}
