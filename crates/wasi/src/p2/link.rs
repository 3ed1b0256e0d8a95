//! Defines the interfaces of [`interfaces`](super::interfaces) in a linker of components.
//!
//! In: a linker, a component, and a function from a store's data to its [`P2Ctx`]. Out: host functions. Each takes its arguments
//! as Rust values, lends the context to the function, and converts an [`End`] to a [`Stop`].
//!
//! # Versions
//! All interfaces are defined with version [`VERSION`]. A component may import any version of the same track, 0.2.x, even several at
//! once: the linker finds them by the track. [`add_imports_to_linker`] defines only the interfaces that a component asks for.

use wasmr_canon::{LiftParams, Linker, LinkerInstance, LowerReturn, NameTaken, ResourceType};
use wasmr_component::{Component, InterfaceName};
use wasmr_core::trap::TrapCode;
use wasmr_runtime::{Stop, StoreContextMut, Trap};

use super::interfaces::{Function, Row, VERSION, Visitor, visit};
use super::table::{Kind, Own};
use super::{End, P2Ctx};

/// Defines all interfaces.
///
/// # Errors
/// [`NameTaken`] if the linker has one of them already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    ctx: impl Fn(&mut T) -> &mut P2Ctx + Copy + Send + Sync + 'static,
) -> Result<(), NameTaken> {
    define(linker, None, ctx)
}

/// Defines the interfaces that a component imports.
///
/// # Errors
/// [`NameTaken`] if the linker has one of them already.
pub fn add_imports_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    component: &Component,
    ctx: impl Fn(&mut T) -> &mut P2Ctx + Copy + Send + Sync + 'static,
) -> Result<(), NameTaken> {
    define(linker, Some(component), ctx)
}

fn define<T: 'static, C>(linker: &mut Linker<T>, importer: Option<&Component>, ctx: C) -> Result<(), NameTaken>
where
    C: Fn(&mut T) -> &mut P2Ctx + Copy + Send + Sync + 'static,
{
    let tracks = |importer: &Component| {
        importer.imports.iter().filter_map(|import| InterfaceName::track_of(&import.name)).collect()
    };
    let mut definer = Definer { linker, imported: importer.map(tracks), ctx, name: String::new(), outcome: Ok(()) };
    visit(&mut definer);
    definer.outcome
}

/// Visitor that defines the rows.
struct Definer<'a, T: 'static, C> {
    linker: &'a mut Linker<T>,
    /// Tracks of the interfaces that the component imports, which are defined; `None` for all interfaces.
    imported: Option<Vec<String>>,
    ctx: C,
    /// Name of the current interface, with its version.
    name: String,
    outcome: Result<(), NameTaken>,
}

impl<T: 'static, C> Definer<'_, T, C> {
    /// Defines an item of the current interface.
    fn define(&mut self, define: impl FnOnce(&mut LinkerInstance<'_, T>) -> Result<(), NameTaken>) {
        if self.outcome.is_ok() {
            self.outcome = self.linker.instance(&self.name).and_then(|mut names| define(&mut names));
        }
    }
}

impl<T: 'static, C> Visitor for Definer<'_, T, C>
where
    C: Fn(&mut T) -> &mut P2Ctx + Copy + Send + Sync + 'static,
{
    fn interface(&mut self, name: &'static str) -> bool {
        self.name = format!("{name}@{VERSION}");
        let is_wanted = match &self.imported {
            Some(imported) => InterfaceName::track_of(&self.name).is_some_and(|track| imported.contains(&track)),
            None => true,
        };
        self.outcome.is_ok() && is_wanted
    }

    fn resource<R: Kind + 'static>(&mut self) {
        let ctx = self.ctx;
        let dtor = move |mut store: StoreContextMut<'_, T>, rep| {
            ctx(store.data_mut()).drop_resource(Own::<R>::from_rep(rep)).map_err(stop)
        };
        self.define(|names| names.resource(R::NAME, ResourceType::host::<R>(), dtor).map(drop));
    }

    fn function<P: LiftParams + 'static, R: LowerReturn + 'static>(&mut self, row: Row, function: impl Function<P, R>) {
        let ctx = self.ctx;
        let call = move |mut store: StoreContextMut<'_, T>, params: P| call(&mut store, ctx, function, params);
        self.define(|names| names.func_wrap(row.name, call).map(drop));
    }
}

/// Calls a function of the host, with the context of a store.
fn call<T: 'static, P, R, F: Function<P, R>>(
    store: &mut StoreContextMut<'_, T>,
    ctx: impl Fn(&mut T) -> &mut P2Ctx,
    function: F,
    params: P,
) -> Result<R, Stop> {
    let interrupt = store.interrupt_handle().cloned();
    let (lent, data) = match F::lent(&params).map(|bytes| bytes.with_data(&mut *store)) {
        Some(Some(lent)) => lent,
        // A guest without memory can lend only an empty list.
        Some(None) | None => (&[][..], store.data_mut()),
    };
    let ctx = ctx(data);
    ctx.wasi.set_interrupt_handle(interrupt);
    function.call(ctx, params, lent).map_err(stop)
}

/// Converts the end of the guest.
fn stop(end: End) -> Stop {
    match end {
        End::Exit(code) => Stop::exit(code),
        End::Interrupted => Stop::trap(TrapCode::Interrupted),
        End::Misuse(misuse) => Trap::new(TrapCode::CanonicalAbi).with_detail(misuse.to_string()).into(),
    }
}
