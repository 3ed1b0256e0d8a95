//! wasmr is a standalone WebAssembly runtime. This library, which the `wasmr` command uses, decodes and validates modules, links them
//! with your functions, and runs them.
//!
//! The names are familiar from other runtimes. An [`Engine`] loads [`Module`]s, which threads can share. A [`Store`] owns all objects
//! at run time, and data of your choice. A [`Linker`] resolves imports and makes [`Instance`]s. [`Func`], [`Memory`], [`Table`],
//! [`Global`] and [`Tag`] are handles to objects of a store: small, `Copy`, and valid only together with their store. Use with another
//! store panics.
//!
//! **Before you measure a debug build**, add these lines to your `Cargo.toml`. The interpreter needs an optimised build, and Cargo takes
//! profiles from the package that is built, not from its dependencies. Without these lines a debug build interprets some thirty times
//! slower. Release builds need no change.
//!
//! ```toml
//! [profile.dev.package.wasmr-interp]
//! opt-level = 3
//! codegen-units = 1
//! debug-assertions = false
//! overflow-checks = false
//! ```
//!
//! The default features include the command line and the packages that only it needs. To leave it out:
//!
//! ```toml
//! wasmr = { version = "0.1", default-features = false, features = ["jit", "wat"] }
//! ```
//!
//! | feature | contents |
//! |---|---|
//! | `jit` | the compiler |
//! | `component` | components, in the module `component` |
//! | `wat` | modules in the text format |
//! | `wast` | script tests, in the module `wast` |
//! | `cli` | the command line |
//!
//! # Calling an export
//! A module comes from bytes, in the binary or the text format, or from a file ([`Module::from_file`]).
//!
//! ```
//! use wasmr::{Engine, Instance, Module, Store, Val};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module (func (export "add") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1))))"#)?;
//! let mut store = Store::new(&engine, ());
//! let instance = Instance::new(&mut store, &module, &[])?;
//!
//! // Rust types, compared once:
//! let add = instance.get_typed_func::<(i32, i32), i32>(&store, "add")?;
//! assert_eq!(add.call(&mut store, (40, 2))?, 42);
//!
//! // Types that are known only at run time:
//! let add = instance.get_func(&store, "add").ok_or("no such export")?;
//! let mut results = [Val::I32(0)];
//! add.call(&mut store, &[Val::I32(1), Val::I32(2)], &mut results)?;
//! assert_eq!(results[0].i32(), Some(3));
//! # Ok(())
//! # }
//! ```
//!
//! A call that does not return fails with a [`Stop`]: the guest trapped, threw an exception or exited, or a host function failed.
//!
//! # Host functions with state
//! A closure can define an import. The closure's parameters and results determine the function's type. A first parameter of type
//! [`Caller`] gives access to the store's data and to the exports of the calling instance.
//!
//! ```
//! use wasmr::{Caller, Engine, Extern, Linker, Module, Stop, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module
//!         (import "host" "log" (func $log (param i32 i32)))
//!         (memory (export "memory") 1)
//!         (data (i32.const 8) "hello")
//!         (func (export "greet") (call $log (i32.const 8) (i32.const 5))))"#)?;
//!
//! let mut linker = Linker::new();
//! linker.func_wrap("host", "log", |mut caller: Caller<'_, Vec<String>>, at: u32, len: u32| -> Result<(), Stop> {
//!     let memory = caller.get_export("memory").and_then(Extern::into_memory);
//!     let memory = memory.ok_or_else(|| Stop::host("the caller exports no memory"))?;
//!     // The guest chose the length, so the function checks it before use.
//!     let (bytes, lines) = memory.data_and_store_mut(&mut caller);
//!     let text = bytes.get(at as usize..).and_then(|bytes| bytes.get(..len as usize));
//!     let text = text.ok_or_else(|| Stop::host("the text is not in memory"))?;
//!     lines.push(String::from_utf8_lossy(text).into_owned());
//!     Ok(())
//! })?;
//!
//! let mut store = Store::new(&engine, Vec::new());
//! let instance = linker.instantiate(&mut store, &module)?;
//! instance.get_typed_func::<(), ()>(&store, "greet")?.call(&mut store, ())?;
//! assert_eq!(store.data(), &["hello"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Errors of host functions
//! A host function may return any error. The caller of the guest gets it back in a [`Stop`], together with the guest's backtrace.
//! The text of a stop, `{stop}`, is the error and the backtrace. Its [`source`](std::error::Error::source) is the source of the
//! error, so that a chain of causes, such as `{error:#}` of anyhow, shows each error once.
//!
//! ```
//! use wasmr::{Engine, Linker, Module, Stop, Store, TypedFunc};
//!
//! #[derive(Debug, PartialEq)]
//! struct NoPaper;
//! # impl std::fmt::Display for NoPaper {
//! #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("no paper") }
//! # }
//! # impl std::error::Error for NoPaper {}
//!
//! # fn main() -> anyhow::Result<()> {
//! # let engine = Engine::default();
//! # let module = Module::new(&engine, r#"(module
//! #     (import "host" "print" (func $print)) (func (export "run") (call $print)))"#)?;
//! let mut linker = Linker::new();
//! linker.func_wrap("host", "print", || -> anyhow::Result<()> { anyhow::bail!(NoPaper) })?;
//! let mut store = Store::new(&engine, ());
//! let run: TypedFunc<(), ()> = linker.instantiate(&mut store, &module)?.get_typed_func(&store, "run")?;
//!
//! // A stop finds the error by its type, also below a context of anyhow. `downcast` takes the error out.
//! let stop = run.call(&mut store, ()).unwrap_err();
//! assert!(stop.is::<NoPaper>());
//! assert_eq!(stop.downcast::<NoPaper>()?, NoPaper);
//!
//! // Passed on with `?`, the box holds the stop, and the stop holds the error.
//! let error = (|| -> anyhow::Result<()> { Ok(run.call(&mut store, ())?) })().unwrap_err();
//! assert!(error.downcast_ref::<Stop>().is_some_and(Stop::is::<NoPaper>));
//!
//! // Passed on without the backtrace, the box holds the error itself.
//! let error = run.call(&mut store, ()).map_err(Stop::into_error).unwrap_err();
//! assert!(error.is::<NoPaper>());
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//! The resources of a guest are limited by default. [`StoreLimits`] contains the limits of a store, [`Config`] the defaults for an
//! engine's stores. Beyond a limit, growth fails, instantiation returns a [`ResourceError`], and a deep recursion traps. To limit time,
//! stop the guest from another thread with an [`InterruptHandle`], which also ends waits in calls of [`wasi`]. With
//! [`Config::consume_fuel`], a guest executes at most the number of operators that [`Store::set_fuel`] sets, the same number on every
//! machine.
//!
//! ```
//! use std::time::Duration;
//! use wasmr::{Engine, Instance, Module, Store, StoreLimits, TrapCode};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module
//!         (memory 1)
//!         (func (export "grow") (result i32) (memory.grow (i32.const 1)))
//!         (func (export "spin") (local i32)
//!             (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0)))
//!         (func $recurse (export "recurse") (call $recurse)))"#)?;
//!
//! let limits = StoreLimits { max_memory_bytes: 2 << 16, max_stack_bytes: 64 << 10, ..StoreLimits::default() };
//! let mut store = Store::with_limits(&engine, limits, ());
//! let instance = Instance::new(&mut store, &module, &[])?;
//!
//! let grow = instance.get_typed_func::<(), i32>(&store, "grow")?;
//! assert_eq!(grow.call(&mut store, ())?, 1);
//! assert_eq!(grow.call(&mut store, ())?, -1, "the limit is two pages");
//!
//! let recurse = instance.get_typed_func::<(), ()>(&store, "recurse")?;
//! let stop = recurse.call(&mut store, ()).unwrap_err();
//! assert_eq!(stop.trap_code(), Some(TrapCode::StackExhausted));
//!
//! let handle = store.interrupt_handle();
//! std::thread::spawn(move || {
//!     std::thread::sleep(Duration::from_millis(50));
//!     handle.interrupt();
//! });
//! let spin = instance.get_typed_func::<(), ()>(&store, "spin")?;
//! let stop = spin.call(&mut store, ()).unwrap_err();
//! assert_eq!(stop.trap_code(), Some(TrapCode::Interrupted));
//! # Ok(())
//! # }
//! ```
//!
//! # Programs with a system interface
//! [`wasi`] implements WASI Preview 1. A builder grants the resources that a guest can reach, streams in memory included.
//!
//! # Tiers
//! Functions start in the interpreter. On x86-64 Linux, compiler threads compile hot functions while the guest runs. [`Config::mode`]
//! sets another [`Mode`], and [`Config::tuning`] controls when functions are compiled; both change only speed. [`Engine::report`]
//! summarises the compiled functions, and [`Config::observe`] reports each compilation. Without the feature `jit`, the interpreter
//! executes all functions.
//!
//! # Signals
//! On x86-64 Linux, an engine handles the signals of hardware faults, which are traps in guests, and `SIGURG`, which stops compiled code
//! when a store is interrupted. The engine passes other faults and signals on to the previous handler. In a host function of an
//! interrupted guest, a system call may fail with `EINTR`.
//!
//! # More
//! The directory `examples/` of the repository contains whole programs, such as a host of untrusted plug-ins and a program whose input
//! and output stay in memory. The module `wast` runs script tests.
//!
//! # Crates
//! This crate re-exports names. Each stage is a crate of its own, whose documentation is the tour: [`wasmr_core`], [`wasmr_module`],
//! [`wasmr_runtime`], [`wasmr_engine`], [`wasmr_wasi`].
#![forbid(unsafe_code)]

#[cfg(feature = "wast")]
pub mod wast;

/// Defaults of the limits that an embedder can change, and fixed limits, each with its reason.
pub use wasmr_core::limits;
pub use wasmr_core::registry::TypeRegistry;
pub use wasmr_core::trap::TrapCode;
pub use wasmr_core::types::{
    ExternType, FieldType, FuncType, GlobalType, HeapType, Limits, MemoryType, RefType, StorageType, TableType, TypeId,
    ValType,
};
pub use wasmr_core::value::V128;
pub use wasmr_engine::{
    COMPILE_THREAD, Config, DeserializeError, Engine, ExportType, FunctionCount, FunctionsToCompile, ImportType,
    LoadError, Mismatch, Mode, Module, Precompile, PrecompileError, PrecompiledFunctions, PrecompiledModule, TierEvent,
    TierReport, Tuning, read_capped,
};
pub use wasmr_module::{
    Export, ExternKind, Fault, Feature, Features, Import, Inspection, ModuleBytes, ModuleError, Standard,
    bytes_from_input,
};
pub use wasmr_runtime::limits::{MemoryStrategy, ResourceError, StoreLimits};
pub use wasmr_runtime::symbol;
pub use wasmr_runtime::{
    AnyRef, ArrayRef, ArrayRefPre, ArrayType, AsContext, AsContextMut, Backtrace, CallError, Caller, CallerMemory,
    DuplicateDefinition, EqRef, ExceptionError, ExnRef, ExportError, Extern, ExternRef, Finality, FrameInfo, FuelError,
    Func, GcRef, GcStats, Global, GlobalError, HostError, HostFailure, HostResults, I31, ImportFailure, InAny,
    InitializerError, Instance, InstancePre, InstantiateError, InterruptHandle, IntoFunc, LibraryError, LinkError,
    Linker, LoadedModule, Memory, MemoryAccessError, ObjectError, ObjectTypeError, OwnedRooted, RootScope, Rooted,
    SharedMemory, SharedUsage, Stop, StopKind, Store, StoreConfig, StoreContext, StoreContextMut, StructRef,
    StructRefPre, StructType, Table, TableError, Tag, Throw, Trap, TypeMismatch, TypedFunc, UnknownImportCalled,
    Unrooted, Val, WaitResult, WasmTy, WasmTyList, extern_type_text, func_type_text, initializer, type_text,
    val_type_text,
};

/// The system interface of WASI Preview 1. A guest can reach only the resources that a builder grants.
///
/// ```
/// use wasmr::wasi::{self, OutputBuffer, Stdin, Stdout, WasiCtx};
/// use wasmr::{Engine, Linker, Module, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// # let hello = r#"(module
/// #     (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
/// #     (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
/// #     (memory (export "memory") 1)
/// #     (data (i32.const 0) "\10\00\00\00\06\00\00\00") (data (i32.const 16) "hello\n")
/// #     (func (export "_start")
/// #         (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
/// #         (call $exit (i32.const 3))))"#;
/// let module = Module::new(&engine, hello)?;
/// let output = OutputBuffer::new(1 << 20);
/// let ctx = WasiCtx::builder()
///     .args(["hello", "--loud"])
///     .env("LANG", "C")
///     .stdin(Stdin::Bytes(b"what the guest reads".to_vec()))
///     .stdout(Stdout::Buffer(output.clone()))
///     .build()?;
///
/// let mut linker = Linker::new();
/// wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
/// let mut store = Store::new(&engine, ctx);
/// let instance = linker.instantiate(&mut store, &module)?;
/// let start = instance.get_typed_func::<(), ()>(&store, "_start")?;
/// // A program ends by `proc_exit`, which is a stop, or by return.
/// let status = match start.call(&mut store, ()) {
///     Ok(()) => 0,
///     Err(stop) => stop.exit_code().ok_or(stop)?,
/// };
/// assert_eq!((status, &output.take()[..]), (3, &b"hello\n"[..]));
/// # Ok(())
/// # }
/// ```
///
/// The embedder calls a program's `_start`, as above. It also initialises libraries: [`Linker::module`] calls `_initialize` of a library
/// from which other modules import, [`Instance::initialize`] that of a library that the embedder calls.
///
/// A [`Dir`](wasi::Dir) grants a directory: `builder.dir(Dir::from_std_file(File::open("data")?), "/data", true)` lets the guest read
/// everything below `data` and nothing else.
pub mod wasi {
    pub use cap_std::fs::Dir;
    pub use wasmr_wasi::{
        BuildError, MissingMemory, OutputBuffer, SharedWasiCtx, Stdin, Stdout, ThreadCounts, ThreadData, ThreadEnd,
        WasiAccess, WasiCtx, WasiCtxBuilder, WasiThreads, add_imports_to_linker, add_imports_to_linker_with,
        add_threads_to_linker, add_to_linker, add_to_linker_with, imports_threads,
    };

    /// WASI 0.2, for components.
    #[cfg(feature = "component")]
    pub use wasmr_wasi::p2;
    #[cfg(feature = "component")]
    pub use wasmr_wasi::{AddressRule, AddressRuleError, Protocol, Refusal};
}

/// Components: programs and libraries whose imports and exports have rich types.
///
/// A [`Component`](component::Component) is loaded, linked and called as a module is, by types of the same names. Parameters and results
/// are Rust types ([`ComponentType`](component::ComponentType) lists them), or [`Val`](component::Val)s where types are known only at run
/// time.
///
/// ```
/// use wasmr::component::{Component, Linker};
/// use wasmr::{Engine, Stop, Store, StoreContextMut};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let component = Component::new(&engine, r#"(component
///     (import "log" (func $log (param "text" string)))
///     (core module $Memory (memory (export "memory") 1) (data (i32.const 8) "hello"))
///     (core instance $memory (instantiate $Memory))
///     (core func $log' (canon lower (func $log) (memory (core memory $memory "memory"))))
///     (core module $Main
///         (import "host" "log" (func $log (param i32 i32)))
///         (func (export "run") (param i32) (result i32)
///             (call $log (i32.const 8) (i32.const 5))
///             (i32.mul (local.get 0) (i32.const 2))))
///     (core instance $main (instantiate $Main (with "host" (instance (export "log" (func $log'))))))
///     (func (export "run") (param "n" u32) (result u32) (canon lift (core func $main "run"))))"#)?;
///
/// let mut linker = Linker::<Vec<String>>::new();
/// let log = |mut store: StoreContextMut<'_, Vec<String>>, (text,): (String,)| -> Result<(), Stop> {
///     store.data_mut().push(text);
///     Ok(())
/// };
/// linker.root().func_wrap("log", log)?;
///
/// let mut store = Store::new(&engine, Vec::new());
/// let instance = linker.instantiate(&mut store, &component)?;
/// let run = instance.get_typed_func::<(u32,), u32>(&mut store, "run")?;
/// assert_eq!(run.call(&mut store, (21,))?, 42);
/// assert_eq!(store.data(), &["hello"]);
/// # Ok(())
/// # }
/// ```
///
/// # Types of imports and exports
/// A component says what it imports and exports before it is linked: [`imports`](component::LoadedComponent::imports) and
/// [`exports`](component::LoadedComponent::exports).
///
/// ```
/// use wasmr::Engine;
/// use wasmr::component::Component;
/// use wasmr::component::types::{ComponentItem, TypeKind};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let component = Component::new(&Engine::default(), r#"(component
///     (type $point (record (field "x" f32) (field "y" f32)))
///     (import "point" (type $named (eq $point)))
///     (import "acme:draw/canvas@1.0.0" (instance
///         (export "paper" (type $paper (sub resource)))
///         (export "dot" (func (param "on" (borrow $paper)) (param "times" u32))))
///     )
///     (import "center" (func $center (param "of" (list $named)) (result $named)))
///     (export "center" (func $center)))"#)?;
///
/// let Some(ComponentItem::ComponentInstance(canvas)) = component.get_import("acme:draw/canvas@1.0.0") else {
///     return Err("the component cannot draw".into());
/// };
/// let lines: Vec<String> = canvas.exports().map(|(name, item)| format!("{name}: {item}")).collect();
/// assert_eq!(lines, ["paper: resource", "dot: func(on: borrow<paper>, times: u32)"]);
///
/// for (name, item) in component.exports() {
///     let ComponentItem::ComponentFunc(func) = item else { continue };
///     assert_eq!(name, "center");
///     let (param, ty) = func.params().next().ok_or("no parameter")?;
///     assert_eq!((param, ty.to_string()), ("of", "list<record { x: f32, y: f32 }>".to_string()));
///     let TypeKind::Record(fields) = func.result().ok_or("no result")?.kind() else { return Err("no record".into()) };
///     assert_eq!(fields.iter().map(|(name, _)| *name).collect::<String>(), "xy");
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Records, variants, enums and flags
/// Macros define Rust types for them: [`record!`](component::record), [`variant!`](component::variant),
/// [`enumeration!`](component::enumeration) and [`flags!`](component::flags). Each row has the name in Rust and the name in WIT.
/// The types are parameters and results like any other.
///
/// ```
/// use wasmr::component::{Component, Linker};
/// use wasmr::{Engine, Store};
///
/// wasmr::component::record! {
///     /// A point.
///     #[derive(Clone, Copy, Debug, PartialEq)]
///     struct Point "point" {
///         x "x": f32,
///         y "y": f32,
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let component = Component::new(&engine, r#"(component
///     (core module $Main
///         (memory (export "memory") 1)
///         (func (export "mirror") (param $x f32) (param $y f32) (result i32)
///             (f32.store (i32.const 8) (local.get $y))
///             (f32.store (i32.const 12) (local.get $x))
///             (i32.const 8)))
///     (core instance $main (instantiate $Main))
///     (type $point' (record (field "x" f32) (field "y" f32)))
///     (export $point "point" (type $point'))
///     (func (export "mirror") (param "point" $point) (result $point)
///         (canon lift (core func $main "mirror") (memory (core memory $main "memory")))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Linker::new().instantiate(&mut store, &component)?;
/// let mirror = instance.get_typed_func::<(Point,), Point>(&mut store, "mirror")?;
/// assert_eq!(mirror.call(&mut store, (Point { x: 1.0, y: 2.0 },))?, Point { x: 2.0, y: 1.0 });
/// # Ok(())
/// # }
/// ```
///
/// # Resources of the host
/// A component refers to an object of the host by a handle. The host chooses a number for each object, commonly an index in its own
/// table, and learns when the last owner drops it.
///
/// ```
/// use wasmr::component::{Component, Linker, Resource, ResourceType};
/// use wasmr::{Engine, Stop, Store, StoreContextMut};
///
/// /// The host's counters, by number.
/// #[derive(Default)]
/// struct Counters(Vec<Option<u32>>);
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut linker = Linker::<Counters>::new();
/// let mut host = linker.instance("host")?;
/// let drop_counter = |mut store: StoreContextMut<'_, Counters>, rep: u32| -> Result<(), Stop> {
///     store.data_mut().0[rep as usize] = None;
///     Ok(())
/// };
/// host.resource("counter", ResourceType::host::<Counters>(), drop_counter)?;
/// host.func_wrap("[constructor]counter", |mut store: StoreContextMut<'_, Counters>, ()| -> Result<_, Stop> {
///     let counters = &mut store.data_mut().0;
///     counters.push(Some(0));
///     Ok(Resource::<Counters>::new_own(counters.len() as u32 - 1))
/// })?;
/// host.func_wrap(
///     "[method]counter.next",
///     |mut store: StoreContextMut<'_, Counters>, (counter,): (Resource<Counters>,)| -> Result<u32, String> {
///         let count = store.data_mut().0[counter.rep() as usize].as_mut().ok_or("the counter is gone")?;
///         *count += 1;
///         Ok(*count)
///     },
/// )?;
///
/// let engine = Engine::default();
/// let component = Component::new(&engine, r#"(component
///     (import "host" (instance $host
///         (export "counter" (type $counter (sub resource)))
///         (export "[constructor]counter" (func (result (own $counter))))
///         (export "[method]counter.next" (func (param "self" (borrow $counter)) (result u32)))))
///     (alias export $host "counter" (type $counter))
///     (core func $new (canon lower (func $host "[constructor]counter")))
///     (core func $next (canon lower (func $host "[method]counter.next")))
///     (core func $drop (canon resource.drop $counter))
///     (core module $Main
///         (import "counter" "new" (func $new (result i32)))
///         (import "counter" "next" (func $next (param i32) (result i32)))
///         (import "counter" "drop" (func $drop (param i32)))
///         (func (export "run") (result i32) (local $counter i32)
///             (local.set $counter (call $new))
///             (drop (call $next (local.get $counter)))
///             (call $next (local.get $counter))
///             (call $drop (local.get $counter))))
///     (core instance $main (instantiate $Main (with "counter" (instance
///         (export "new" (func $new)) (export "next" (func $next)) (export "drop" (func $drop))))))
///     (func (export "run") (result u32) (canon lift (core func $main "run"))))"#)?;
/// let mut store = Store::new(&engine, Counters::default());
/// let instance = linker.instantiate(&mut store, &component)?;
/// assert_eq!(instance.get_typed_func::<(), u32>(&mut store, "run")?.call(&mut store, ())?, 2);
/// assert_eq!(store.data().0, [None]);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "component")]
pub mod component {
    pub use wasmr_canon::{
        Budget, ComponentLinkError, ComponentPre, ComponentType, ExportError, Func, FuncTypeError, GuestBytes,
        ImportFailure, Instance, InstantiateError, Lift, LiftParams, LiftPayload, LiftReturn, Linker, LinkerInstance,
        List, LoadedComponent, Lower, LowerParams, LowerPayload, LowerReturn, NameTaken, Params, Payload, Resource,
        ResourceAny, ResourceType, TypedFunc, Val, ValueError, enumeration, flags, record, variant,
    };
    pub use wasmr_component::{ComponentError, ComposeError, PlugError, PlugFailure};
    pub use wasmr_engine::{Component, ComponentSource};

    /// Types of imports and exports, by [`Component::imports`](LoadedComponent::imports) and
    /// [`Component::exports`](LoadedComponent::exports).
    pub mod types {
        pub use wasmr_canon::{ComponentFunc, ComponentInstance, ComponentItem, Type, TypeKind};
    }
}

/// The cache of an engine: [`Config::cache`].
pub mod cache {
    pub use wasmr_cache::{Cache, DEFAULT_MAX_BYTES, FileState, Info, Removed, Unusable};
}
