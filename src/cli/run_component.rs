//! `wasmr run` of a component: links it with WASI 0.2, calls its `wasi:cli/run`, and reports what is missing.
//!
//! In: the plan of [`run`](super::run), and a loaded component. Out: the end of the run. Options mean what they mean for a module:
//! the grants are in the same context, and the limits are those of the store.

use std::fmt::Write as _;
use std::io::Write;
use std::mem::ManuallyDrop;

use anyhow::{anyhow, bail};
use wasmr::component::{Component, ComponentLinkError, InstantiateError, Linker};
use wasmr::wasi::p2::{self, P2Ctx};
use wasmr::{Engine, Stop, Store};
use wasmr_component::ExportItem;

use super::end::{End, stopped_by};
use super::exit::UsageError;
use super::guest::Guest;
use super::plan::{Entry, RunPlan, UnknownImports};
use super::report::{self, printable_word};
use super::stats::{MaybeStats, Phase, enter};
use super::{exit, terminal};

/// Interface of programs, without its version.
const RUN: &str = "wasi:cli/run";

/// Number of exports that a message lists.
const SHOWN: usize = 20;

/// Runs a component.
pub fn execute(
    plan: RunPlan,
    engine: &Engine,
    component: Component,
    stats: &MaybeStats,
    err: &mut dyn Write,
) -> anyhow::Result<End> {
    let file = printable_word(&plan.module).to_string();
    if let Some(library) = plan.preload.first() {
        let library = printable_word(&library.file);
        bail!(UsageError(format!(
            "`{file}` is a component, and --preload links core modules such as `{library}` only"
        )));
    }
    if let Entry::Invoke(name) = &plan.entry {
        let name = printable_word(name);
        bail!(UsageError(format!("`{file}` is a component: --invoke cannot call `{name}` of a component yet")));
    }
    let mut linker: Linker<Guest> = Linker::new();
    p2::link::add_imports_to_linker(&mut linker, &component.component, ctx)?;
    match plan.linking.unknown {
        UnknownImports::Refuse => {}
        UnknownImports::Trap => linker.define_unknown_imports_as_traps(),
        UnknownImports::Default => {
            bail!(UsageError(format!("`{file}` is a component: -W unknown-imports-default is for core modules only")));
        }
    }
    let linked = linker.prepare(&component).map_err(|error| imports_error(&file, &component, error))?;
    let Some(entry) = entry(&component) else {
        report::error_with_details(err, &format!("`{file}` is a component without `{RUN}`"), &exports(&component));
        return Ok(End::NotRun(exit::FAILURE));
    };
    terminal::enter();
    let guest = Guest::Component(Box::new(P2Ctx::new(plan.wasi)));
    let mut store = ManuallyDrop::new(Store::new(engine, guest));
    if let Some(fuel) = plan.fuel {
        store.set_fuel(fuel)?;
    }
    enter(stats, Phase::Instantiate);
    let instance = match linked.instantiate(&mut *store) {
        Ok(instance) => instance,
        Err(InstantiateError::Stop(stop) | InstantiateError::Core(wasmr::InstantiateError::Stop(stop))) => {
            return Ok(stopped_by(&mut store, stop));
        }
        Err(InstantiateError::Link(error)) => return Err(imports_error(&file, &component, error)),
        Err(error) => return Err(anyhow!(error).context(format!("cannot instantiate `{file}`"))),
    };
    let run = instance.get_typed_func::<(), Result<(), ()>>(&mut *store, &entry);
    let run = run.map_err(|error| anyhow!(error).context(format!("cannot run `{file}`")))?;
    enter(stats, Phase::Run);
    let outcome = run.call(&mut *store, ());
    if let Some(stats) = stats {
        stats.component_store(&store, plan.fuel);
    }
    Ok(match outcome {
        Ok(Ok(())) => End::Returned,
        // The program failed, and has said why.
        Ok(Err(())) => stopped_by(&mut store, Stop::exit(1)),
        Err(stop) => stopped_by(&mut store, stop),
    })
}

fn ctx(guest: &mut Guest) -> &mut P2Ctx {
    match guest {
        Guest::Component(ctx) => ctx,
        // `execute` makes the only store of a component, with this kind of data.
        Guest::Single(_) | Guest::Threaded { .. } => unreachable!("a store of modules runs a component"),
    }
}

/// Returns the path of the function that runs the program.
fn entry(component: &Component) -> Option<String> {
    let mut exports = component.component.exports.items.iter();
    exports.find_map(|(name, item)| match item {
        ExportItem::Instance(instance) if p2::link::without_version(name) == RUN => {
            let has_run =
                instance.items.iter().any(|(name, item)| &**name == "run" && matches!(item, ExportItem::Func(..)));
            has_run.then(|| format!("{name}#run"))
        }
        _ => None,
    })
}

/// Describes what a component exports instead of a program.
fn exports(component: &Component) -> String {
    let mut names = Vec::new();
    for (name, item) in &component.component.exports.items {
        match item {
            ExportItem::Func(..) => names.push(name.to_string()),
            ExportItem::Instance(instance) => {
                let funcs = instance.items.iter().filter(|(_, item)| matches!(item, ExportItem::Func(..)));
                names.extend(funcs.map(|(func, _)| format!("{name}#{func}")));
            }
            _ => {}
        }
    }
    if names.iter().any(|name| name.starts_with("wasi:http/incoming-handler")) {
        return "it handles HTTP requests, which needs a command `serve` that wasmr does not have yet".to_owned();
    }
    if names.is_empty() {
        return "it exports no function".to_owned();
    }
    let mut text = String::from("it exports");
    for name in names.iter().take(SHOWN) {
        let _ = write!(text, "\n  {}", printable_word(name));
    }
    if names.len() > SHOWN {
        let _ = write!(text, "\n  and {} more", names.len() - SHOWN);
    }
    text
}

/// Returns the error of imports without a definition.
fn imports_error(file: &str, component: &Component, error: ComponentLinkError) -> anyhow::Error {
    let imports = component.component.imports.iter();
    let needs_http = imports.filter(|import| import.name.starts_with("wasi:http/")).count() > 0;
    let newer = error.failures.iter().any(|failure| {
        let version = failure.import.split_once('@').map(|(_, version)| version);
        failure.import.starts_with("wasi:") && version.is_some_and(|version| !version.starts_with("0.2."))
    });
    let mut text = error.to_string();
    if needs_http {
        text.push_str("\nhint: `wasi:http` is not there yet; it comes with a command `serve`");
    }
    if newer {
        let _ = write!(text, "\nhint: this wasmr has WASI {}", p2::interfaces::VERSION);
    }
    anyhow!(text).context(format!("cannot link `{file}`"))
}
