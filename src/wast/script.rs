//! Executes the directives of a script or of one of its threads, which share a store and named instances.

use std::collections::{HashMap, HashSet};
use std::thread::Scope;

#[cfg(feature = "component")]
use wast::Wat;
use wast::token::Id;
use wast::{QuoteWat, WastDirective, WastExecute, WastInvoke, WastRet};

#[cfg(feature = "component")]
use super::component::{self, Components, is_component};
use super::outcome::{Outcome, describe};
use super::report::Report;
use super::threads::{SharedModule, Threads};
use super::{expect, spectest};
use crate::{
    Engine, Extern, Fault, Instance, InstantiateError, LinkError, Linker, Module, ModuleError, Stop, StopKind, Store,
    Val,
};

/// Makes the module to use of one in a script. The threads of a script call it at the same time.
pub type Prepare<'a> = &'a (dyn Fn(&Engine, Module) -> Module + Sync);

/// Everything that is the same for all threads of a script.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    pub engine: &'a Engine,
    /// The script's text, for positions.
    pub text: &'a str,
    pub prepare: Prepare<'a>,
}

/// Executes the directives of a script, or of a thread with which another one shares a module.
pub fn run<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    environment: Environment<'env>,
    shared: Option<SharedModule>,
    directives: Vec<WastDirective<'env>>,
) -> Report {
    match Script::new(environment, Threads::new(scope), shared) {
        Ok(script) => script.run_all(directives),
        Err(why) => {
            let mut report = Report::default();
            report.fail((0, 0), format!("cannot set up the host module `spectest`: {why}"));
            report
        }
    }
}

/// State that the directives of a script, or of one of its threads, share.
struct Script<'scope, 'env> {
    environment: Environment<'env>,
    threads: Threads<'scope, 'env>,
    /// The module that the starting thread shares with this one.
    shared: Option<SharedModule>,
    store: Store<()>,
    linker: Linker<()>,
    /// The instance that directives without a name refer to.
    current: Option<Instance>,
    instances: HashMap<String, Instance>,
    /// Names of `spectest` and of the instances that the script registered.
    registered: HashSet<String>,
    /// The definition that `module instance` without a name refers to.
    last_definition: Option<Module>,
    definitions: HashMap<String, Module>,
    #[cfg(feature = "component")]
    components: Components,
}

/// Reason why a module is refused.
enum Refusal {
    /// The text format's parser refused it.
    Text(String),
    /// The decoder or validator refused it.
    Module(ModuleError),
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> String {
        match refusal {
            Refusal::Text(message) => format!("malformed text: {message}"),
            Refusal::Module(error) => error.to_string(),
        }
    }
}

impl<'scope, 'env> Script<'scope, 'env> {
    /// Returns the state before the first directive.
    fn new(
        environment: Environment<'env>,
        threads: Threads<'scope, 'env>,
        shared: Option<SharedModule>,
    ) -> Result<Script<'scope, 'env>, String> {
        let mut store = Store::new(environment.engine, ());
        let mut linker = Linker::new();
        // Scripts may register a name twice.
        linker.allow_shadowing(true);
        spectest::define(&mut store, &mut linker)?;
        if let Some(shared) = &shared {
            shared.offer(&mut linker, &shared.name)?;
        }
        Ok(Script {
            environment,
            threads,
            shared,
            store,
            linker,
            current: None,
            instances: HashMap::new(),
            registered: HashSet::from(["spectest".to_string()]),
            last_definition: None,
            definitions: HashMap::new(),
            #[cfg(feature = "component")]
            components: Components::new(),
        })
    }

    /// Executes directives, and waits for the threads that they start.
    fn run_all(mut self, directives: Vec<WastDirective<'env>>) -> Report {
        let mut report = Report::default();
        for directive in directives {
            let place = directive.span().linecol_in(self.environment.text);
            match self.run(directive, &mut report) {
                Ok(()) => report.passed += 1,
                Err(message) => report.fail(place, message),
            }
        }
        self.threads.wait_for_all(&mut report);
        report
    }

    /// Executes a directive. A wait adds the directives of the thread to `report`.
    ///
    /// # Errors
    /// The expectation that does not hold, with the actual outcome.
    fn run(&mut self, directive: WastDirective<'env>, report: &mut Report) -> Result<(), String> {
        #[cfg(feature = "component")]
        let directive = match self.run_component(directive)? {
            Some(directive) => directive,
            None => return Ok(()),
        };
        match directive {
            WastDirective::Module(mut module) => {
                let name = name_of(module.name());
                // After a module that fails, the following directives have no instance, rather than the previous one.
                self.current = None;
                let module = self.module(&mut module)?;
                self.instantiate_as(name, &module)
            }
            WastDirective::ModuleDefinition(mut definition) => {
                let name = name_of(definition.name());
                let module = self.module(&mut definition)?;
                self.last_definition = Some(module.clone());
                if let Some(name) = name {
                    self.definitions.insert(name, module);
                }
                Ok(())
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let module = match module {
                    Some(id) => self.definitions.get(id.name()).cloned(),
                    None => self.last_definition.clone(),
                };
                let module = module.ok_or("there is no such module definition")?;
                self.instantiate_as(name_of(instance), &module)
            }
            WastDirective::Register { name, module, .. } => {
                if let Some(shared) = module.and_then(|id| self.shared_module(id)).cloned() {
                    shared.offer(&mut self.linker, name)?;
                } else {
                    self.offer(name, self.instance(module)?)?;
                }
                self.registered.insert(name.to_string());
                Ok(())
            }
            WastDirective::Invoke(call) => match self.invoke(call)? {
                Outcome::Values(_) => Ok(()),
                #[cfg(feature = "component")]
                Outcome::Component(_) => Ok(()),
                other => Err(format!("expected a return, but {}", describe(&other))),
            },
            WastDirective::AssertReturn { exec, results, .. } => self.assert_return(exec, &results),
            WastDirective::AssertTrap { exec, message, .. } => match self.execute(exec)? {
                Outcome::Stopped(stop) if is_trap(&stop, message) => Ok(()),
                other => Err(format!("expected the trap `{message}`, but {}", describe(&other))),
            },
            WastDirective::AssertExhaustion { call, message, .. } => match self.invoke(call)? {
                Outcome::Stopped(stop) if is_trap(&stop, message) => Ok(()),
                other => Err(format!("expected the trap `{message}`, but {}", describe(&other))),
            },
            WastDirective::AssertException { exec, .. } => match self.execute(exec)? {
                Outcome::Stopped(stop) if matches!(stop.kind(), StopKind::Throw(_)) => Ok(()),
                other => Err(format!("expected an exception, but {}", describe(&other))),
            },
            WastDirective::AssertUnlinkable { module, message, .. } => {
                match self.instantiate(&mut QuoteWat::Wat(module))? {
                    Ok(_) => Err(format!("expected a link error, `{message}`, but the module links")),
                    Err(Outcome::Unlinkable(error)) => link_error_matches(&error, message),
                    Err(other) => Err(format!("expected a link error, `{message}`, but {}", describe(&other))),
                }
            }
            WastDirective::AssertInvalid { mut module, message, .. } => match self.module(&mut module) {
                // A module that wasmr does not support is not invalid, unless the reason is the stated one.
                Err(Refusal::Module(error))
                    if error.fault() == Fault::Unsupported && !error.message().contains(message) =>
                {
                    Err(format!("expected an invalid module, `{message}`, but it is refused as {error}"))
                }
                Err(_) => Ok(()),
                Ok(_) => Err(format!("expected an invalid module, `{message}`, but it is accepted")),
            },
            // Malformed bytes may have a meaning in a proposal that is off. wasmr then refuses them for that reason.
            WastDirective::AssertMalformed { mut module, message, .. } => match self.module(&mut module) {
                Err(_) => Ok(()),
                Ok(_) => Err(format!("expected a malformed module, `{message}`, but it is accepted")),
            },
            // A faulty custom section does not make a module invalid, so the module may be accepted.
            WastDirective::AssertMalformedCustom { mut module, message, .. }
            | WastDirective::AssertInvalidCustom { mut module, message, .. } => match module.encode() {
                Ok(binary) if wasmr_module::check_branch_hints(&binary).is_ok() => {
                    Err(format!("expected a faulty annotation, `{message}`, but it is accepted"))
                }
                _ => Ok(()),
            },
            WastDirective::AssertSuspension { .. } => Err("stack switching is not supported".to_string()),
            WastDirective::Thread(thread) => {
                let shared = match thread.shared_module {
                    Some(id) => Some(self.share(id)?),
                    None => None,
                };
                let (scope, environment) = (self.threads.scope, self.environment);
                self.threads.start(thread.name.name(), move || run(scope, environment, shared, thread.directives))
            }
            WastDirective::Wait { thread, .. } => self.threads.wait(thread.name(), report),
        }
    }

    /// Executes a directive about a component; returns it if it is about something else.
    #[cfg(feature = "component")]
    fn run_component(&mut self, directive: WastDirective<'env>) -> Result<Option<WastDirective<'env>>, String> {
        let engine = self.environment.engine;
        match directive {
            WastDirective::Module(mut module) if is_component(&module) => {
                let name = name_of(module.name());
                (self.current, self.components.current) = (None, None);
                let component = Components::load(engine, &mut module)?;
                self.components.define(name.clone(), component.clone());
                self.instantiate_component(name, &component)?;
            }
            WastDirective::ModuleDefinition(mut definition) if is_component(&definition) => {
                let name = name_of(definition.name());
                let component = Components::load(engine, &mut definition)?;
                self.components.define(name, component);
            }
            WastDirective::ModuleInstance { instance, module, .. } if self.components.definition(module).is_some() => {
                let component = self.components.definition(module).cloned().ok_or("there is no such definition")?;
                self.instantiate_component(name_of(instance), &component)?;
            }
            WastDirective::AssertInvalid { module: mut component, message, .. }
            | WastDirective::AssertMalformed { module: mut component, message, .. }
                if is_component(&component) =>
            {
                component::refusal_matches(Components::load(engine, &mut component), message)?;
            }
            WastDirective::AssertUnlinkable { module: component @ Wat::Component(_), message, .. } => {
                let component = Components::load(engine, &mut QuoteWat::Wat(component))?;
                match self.components.instantiate(&mut self.store, &component)? {
                    Err(Outcome::ComponentUnlinkable(_)) => {}
                    Err(other) => return Err(format!("expected a link error, `{message}`, but {}", describe(&other))),
                    Ok(_) => return Err(format!("expected a link error, `{message}`, but the component links")),
                }
            }
            other => {
                match other {
                    WastDirective::Module(_) => self.components.current = None,
                    WastDirective::ModuleDefinition(_) => self.components.forget_last(),
                    _ => {}
                }
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    #[cfg(feature = "component")]
    fn instantiate_component(
        &mut self,
        name: Option<String>,
        component: &crate::component::Component,
    ) -> Result<(), String> {
        let made = self.components.instantiate(&mut self.store, component)?;
        let instance = made.map_err(|outcome| format!("cannot instantiate the component: {}", describe(&outcome)))?;
        self.current = None;
        self.components.adopt(name, instance);
        Ok(())
    }

    fn assert_return(&mut self, exec: WastExecute, expected: &[WastRet]) -> Result<(), String> {
        match self.execute(exec)? {
            Outcome::Values(values) => expect::results(&mut self.store, &values, expected),
            #[cfg(feature = "component")]
            Outcome::Component(result) => component::results(result.as_ref(), expected),
            other => Err(format!("expected a return, but {}", describe(&other))),
        }
    }

    /// Encodes, decodes and validates a module.
    fn module(&self, module: &mut QuoteWat) -> Result<Module, Refusal> {
        let bytes = module.encode().map_err(|error| Refusal::Text(error.message()))?;
        let module = Module::from_bytes(self.environment.engine, bytes, "").map_err(Refusal::Module)?;
        Ok((self.environment.prepare)(self.environment.engine, module))
    }

    /// Loads and instantiates a module. The outer error describes a module that is refused.
    fn instantiate(&mut self, module: &mut QuoteWat) -> Result<Result<Instance, Outcome>, String> {
        let module = self.module(module)?;
        self.link(&module)
    }

    fn link(&mut self, module: &Module) -> Result<Result<Instance, Outcome>, String> {
        match self.linker.instantiate(&mut self.store, module) {
            Ok(instance) => Ok(Ok(instance)),
            Err(InstantiateError::Link(error)) => Ok(Err(Outcome::Unlinkable(error))),
            Err(InstantiateError::Stop(stop)) => Ok(Err(Outcome::Stopped(stop))),
            Err(other) => Err(other.to_string()),
        }
    }

    fn instantiate_as(&mut self, name: Option<String>, module: &Module) -> Result<(), String> {
        let instance =
            self.link(module)?.map_err(|outcome| format!("cannot instantiate the module: {}", describe(&outcome)))?;
        self.current = Some(instance);
        if let Some(name) = name {
            // Some scripts import from `$name` without `register`. A registered name is not replaced.
            if !self.registered.contains(&name) {
                self.offer(&name, instance)?;
            }
            self.instances.insert(name, instance);
        }
        Ok(())
    }

    /// Lets modules import from an instance by a name.
    fn offer(&mut self, name: &str, instance: Instance) -> Result<(), String> {
        self.linker.instance(&self.store, name, instance).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Returns the module of that name that the starting thread shares, unless this thread has an instance of the name.
    fn shared_module(&self, id: Id) -> Option<&SharedModule> {
        self.shared.as_ref().filter(|shared| shared.name == id.name() && !self.instances.contains_key(id.name()))
    }

    /// Returns what a new thread can use of a module.
    fn share(&self, id: Id) -> Result<SharedModule, String> {
        match self.shared_module(id) {
            Some(shared) => Ok(shared.clone()),
            None => Ok(SharedModule::new(id.name(), self.instance(Some(id))?, &self.store)),
        }
    }

    fn instance(&self, id: Option<Id>) -> Result<Instance, String> {
        match id {
            Some(id) => {
                self.instances.get(id.name()).copied().ok_or_else(|| format!("there is no instance ${}", id.name()))
            }
            None => self.current.ok_or_else(|| "there is no instance".to_string()),
        }
    }

    fn export(&self, module: Option<Id>, name: &str) -> Result<Extern, String> {
        let instance = self.instance(module)?;
        instance.get_export(&self.store, name).ok_or_else(|| format!("there is no export `{name}`"))
    }

    fn execute(&mut self, exec: WastExecute) -> Result<Outcome, String> {
        match exec {
            WastExecute::Invoke(call) => self.invoke(call),
            #[cfg(feature = "component")]
            WastExecute::Wat(component @ Wat::Component(_)) => {
                let component = Components::load(self.environment.engine, &mut QuoteWat::Wat(component))?;
                Ok(match self.components.instantiate(&mut self.store, &component)? {
                    Ok(_) => Outcome::Component(None),
                    Err(outcome) => outcome,
                })
            }
            WastExecute::Wat(module) => Ok(match self.instantiate(&mut QuoteWat::Wat(module))? {
                Ok(_) => Outcome::Values(Vec::new()),
                Err(outcome) => outcome,
            }),
            WastExecute::Get { module, global, .. } => match self.export(module, global)? {
                Extern::Global(global) => Ok(Outcome::Values(vec![global.get(&mut self.store)])),
                _ => Err(format!("the export `{global}` is not a global")),
            },
        }
    }

    fn invoke(&mut self, call: WastInvoke) -> Result<Outcome, String> {
        #[cfg(feature = "component")]
        if let Some(instance) = self.components.instance(call.module).cloned() {
            return Components::invoke(&mut self.store, &instance, call.name, &call.args);
        }
        let Extern::Func(func) = self.export(call.module, call.name)? else {
            return Err(format!("the export `{}` is not a function", call.name));
        };
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(expect::argument(&mut self.store, arg)?);
        }
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        Ok(match func.call(&mut self.store, &args, &mut results) {
            Ok(()) => Outcome::Values(results),
            Err(stop) => Outcome::Stopped(stop),
        })
    }
}

fn name_of(id: Option<Id>) -> Option<String> {
    id.map(|id| id.name().to_string())
}

/// Returns true if a call ended by the trap that a directive names. The text in a script may be longer (`undefined element 7`) or
/// shorter than the trap's message.
fn is_trap(stop: &Stop, message: &str) -> bool {
    #[cfg(feature = "component")]
    if component::is_trap(stop, message) {
        return true;
    }
    let Some(code) = stop.trap_code() else { return false };
    let phrase = code.message();
    !message.is_empty() && (message.starts_with(phrase) || phrase.starts_with(message))
}

/// Checks that linking failed for the reason that a directive names.
fn link_error_matches(error: &LinkError, message: &str) -> Result<(), String> {
    let phrases = error.failures.iter().map(|failure| match failure.found_text {
        None => "unknown import",
        Some(_) => "incompatible import type",
    });
    if phrases.clone().any(|phrase| phrase == message) {
        return Ok(());
    }
    Err(format!("expected the link error `{message}`, but got {}", phrases.collect::<Vec<_>>().join(", ")))
}
