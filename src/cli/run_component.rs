//! `wasmr run` of a component: links it with WASI 0.2, calls its `wasi:cli/run` or the function of `--invoke`, and reports what is
//! missing.
//!
//! In: the plan of [`run`](super::run), and a loaded component. Out: the end of the run. Options mean what they mean for a module:
//! the grants are in the same context, and the limits are those of the store.

use std::fmt::Write as _;
use std::io::Write;
use std::mem::ManuallyDrop;

use anyhow::{Context, anyhow, bail};
use wasmr::component::{Component, ComponentLinkError, InstantiateError, Linker, Val};
use wasmr::symbol::printable;
use wasmr::wasi::p2::{self, P2Ctx};
use wasmr::{Engine, Stop, Store};
use wasmr_component::{ExportItem, InterfaceName};

use super::component::{call, names};
use super::end::{End, stopped_by};
use super::exit::UsageError;
use super::guest::Guest;
use super::instantiate::resource_error;
use super::plan::{Entry, RunPlan, UnknownImports};
use super::report::{self, printable_word};
use super::stats::{MaybeStats, Phase, enter};
use super::{exit, net, terminal};

/// Interface of programs, without its version.
const RUN: &str = "wasi:cli/run";

/// Runs a component.
pub fn execute(
    plan: RunPlan,
    engine: &Engine,
    component: &Component,
    stats: &MaybeStats,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<End> {
    let file = printable_word(&plan.module).to_string();
    if let Some(library) = plan.preload.first() {
        let library = printable_word(&library.file);
        bail!(UsageError(format!(
            "`{file}` is a component, and --preload links core modules such as `{library}` only; --plug composes components"
        )));
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
    let linked = linker.prepare(component).map_err(|error| imports_error(&file, component, error))?;
    let call = match find_call(component, &plan, &file)? {
        Ok(call) => call,
        Err((sentence, details)) => {
            report::error_with_details(err, &sentence, &details);
            return Ok(End::NotRun(exit::FAILURE));
        }
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
        Err(InstantiateError::Link(error)) => return Err(imports_error(&file, component, error)),
        Err(InstantiateError::Core(wasmr::InstantiateError::Resource(error))) => {
            return Err(resource_error(component.name(), error));
        }
        Err(error) => return Err(anyhow!(error).context(format!("cannot instantiate `{file}`"))),
    };
    let func = instance.get_func(&mut *store, &call.name);
    let func = func.with_context(|| format!("cannot call `{}` of `{file}`", printable(&call.name)))?;
    enter(stats, Phase::Run);
    let outcome = func.call(&mut *store, &call.args);
    if let Some(stats) = stats {
        stats.component_store(&store, plan.fuel);
    }
    if failed(&outcome) {
        for hint in net::hints(ctx(store.data_mut()).wasi_mut().network_refusals()) {
            report::print(err, &format!("note: {hint}\n"));
        }
    }
    let result = match outcome {
        Ok(result) => result,
        Err(stop) => return Ok(stopped_by(&mut store, stop)),
    };
    if call.is_invoked {
        let line = call::result_line(result.as_ref());
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).context("cannot print the result")?;
    } else if matches!(result, Some(Val::Result(Err(_)))) {
        // The program failed, and has said why.
        return Ok(stopped_by(&mut store, Stop::exit(1)));
    }
    Ok(End::Returned)
}

/// Returns the imports of a component that a run does not define, as lines.
pub fn lacking(component: &Component) -> anyhow::Result<Vec<String>> {
    let mut linker: Linker<Guest> = Linker::new();
    p2::link::add_imports_to_linker(&mut linker, &component.component, ctx)?;
    let Err(error) = linker.prepare(component) else { return Ok(Vec::new()) };
    // The first line is about the component.
    Ok(error.to_string().lines().skip(1).map(|line| line.trim_start().to_owned()).collect())
}

/// Returns true if the program did not succeed.
fn failed(outcome: &Result<Option<Val>, Stop>) -> bool {
    match outcome {
        Ok(result) => matches!(result, Some(Val::Result(Err(_)))),
        Err(stop) => stop.exit_code() != Some(0),
    }
}

/// The call that runs the program.
struct Call {
    /// Full name of the function.
    name: String,
    args: Vec<Val>,
    /// True if `--invoke` names the function, so that its result is printed.
    is_invoked: bool,
}

/// The sentence and the details of an error.
type Explained = (String, String);

/// Returns the call that runs the program. The inner error says that there is no function to call.
fn find_call(component: &Component, plan: &RunPlan, file: &str) -> anyhow::Result<Result<Call, Explained>> {
    let Entry::Invoke(invoke) = &plan.entry else {
        return Ok(match run_function(component) {
            Some(name) => Ok(Call { name, args: Vec::new(), is_invoked: false }),
            None => Err(without_run(component, plan, file)),
        });
    };
    let (name, written) = call::split(invoke);
    let callable = match names::find(&component.component, name, file) {
        Ok(callable) => callable,
        Err(explained) => return Ok(Err(explained)),
    };
    let takes_words = written.is_none() && !component.component.types.func(callable.ty).params.is_empty();
    let reads_words = component.component.imports.iter().any(|import| {
        // The words are the program's, as it asks for them.
        InterfaceName::without_version(&import.name) == "wasi:cli/environment"
    });
    let words = if takes_words || !reads_words { plan.args.as_slice() } else { &[] };
    let args = call::arguments(&component.component, &callable, written, words);
    let args = args.map_err(|why| UsageError(format!("cannot call `{}`: {why}", printable(&callable.name))))?;
    Ok(Ok(Call { name: callable.name, args, is_invoked: true }))
}

fn ctx(guest: &mut Guest) -> &mut P2Ctx {
    match guest {
        Guest::Component(ctx) => ctx,
        // `execute` makes the only store of a component, with this kind of data.
        Guest::Single(_) | Guest::Threaded { .. } => unreachable!("a store of modules runs a component"),
    }
}

/// Returns the full name of the function that runs the program.
fn run_function(component: &Component) -> Option<String> {
    let mut exports = component.component.exports.items.iter();
    exports.find_map(|(name, item)| match item {
        ExportItem::Instance(instance) if InterfaceName::without_version(name) == RUN => {
            let has_run =
                instance.items.iter().any(|(name, item)| &**name == "run" && matches!(item, ExportItem::Func(..)));
            has_run.then(|| format!("{name}#run"))
        }
        _ => None,
    })
}

/// Returns the error of a component that is no program.
fn without_run(component: &Component, plan: &RunPlan, file: &str) -> Explained {
    let exports = &component.component.exports.items;
    if exports.iter().any(|(name, _)| name.starts_with("wasi:http/incoming-handler")) {
        let details = "a command `serve` for such components is to come";
        return (
            format!("`{file}` handles HTTP requests and has no `{RUN}`, so `wasmr run` cannot run it"),
            details.to_string(),
        );
    }
    let is_package = component.modules().is_empty()
        && !exports.is_empty()
        && exports.iter().all(|(_, item)| matches!(item, ExportItem::Other));
    if is_package {
        return (format!("`{file}` is a WIT package: it describes interfaces and has no code"), String::new());
    }
    if names::callables(&component.component).is_empty() {
        return (format!("`{file}` exports no `{RUN}` and no other function"), String::new());
    }
    let help = names::exports_help(&component.component, file);
    if plan.late_invoke().is_some() {
        let sentence =
            format!("`{file}` exports no `{RUN}`, and --invoke after the file goes to the program; put it before");
        return (sentence, help);
    }
    (format!("`{file}` is a library: it exports no `{RUN}`; call a function of it with --invoke"), help)
}

/// Returns the error of imports without a definition.
fn imports_error(file: &str, component: &Component, error: ComponentLinkError) -> anyhow::Error {
    let needs_http = component.component.imports.iter().any(|import| import.name.starts_with("wasi:http/"));
    let version = |name: &str| InterfaceName::parse(name)?.version;
    let own = version(&format!("{RUN}@{}", p2::interfaces::VERSION));
    let is_of_ours = |import: &str| import.starts_with("wasi:") && !import.starts_with("wasi:http/");
    let unknown = error.failures.iter().filter(|failure| failure.found.is_none() && is_of_ours(&failure.import));
    let versions: Vec<_> = unknown.filter_map(|failure| version(&failure.import)).collect();
    let (draft, needed) = (versions.iter().find(|version| !version.pre.is_empty()), versions.iter().max());
    let mut text = error.to_string();
    if needs_http {
        text.push_str("\nhint: `wasi:http` is not there yet; it comes with a command `serve`");
        text.push_str("; with -W unknown-imports-trap the component runs until it calls such an import");
    }
    for failure in error.failures.iter().filter(|failure| failure.found.is_none()) {
        let import = component.component.imports.iter().find(|import| *import.name == *failure.import);
        let Some(import) = import.filter(|import| !import.name.starts_with("wasi:")) else { continue };
        let [importer, name] = [&import.importer, &import.name].map(|name| printable(name));
        let hint = format!("\nhint: `{importer}` imports `{name}`; --plug FILE adds a component that exports it");
        if !text.contains(&hint) {
            text.push_str(&hint);
        }
    }
    if let Some(draft) = draft {
        let _ = write!(text, "\nhint: {draft} is a draft of WASI; rebuild the component with a newer toolchain");
    }
    if let Some(needed) = needed.filter(|needed| own.as_ref() < Some(*needed)) {
        let _ = write!(text, "\nhint: the component needs WASI {needed}; this wasmr has {}", p2::interfaces::VERSION);
    }
    anyhow!(text).context(format!("cannot link `{file}`"))
}
