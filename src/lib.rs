//! wasmr is a standalone WebAssembly runtime. This is the library behind the `wasmr` command: it decodes and validates modules,
//! links them with functions of yours, and runs them.
//!
//! The names are those that users of other runtimes know. An [`Engine`] makes [`Module`]s, which can be shared between
//! threads; a [`Store`] owns everything that lives, with data of your choice; a [`Linker`] says what imports mean and makes
//! [`Instance`]s. [`Func`], [`Memory`], [`Table`], [`Global`] and [`Tag`] are handles to objects of a store: small, `Copy`,
//! and used together with it; with another store they panic.
//!
//! **Before measuring a debug build**, paste these four lines below the first one into your `Cargo.toml`: the interpreter needs its
//! optimiser, and Cargo takes profiles from the package that is built, not from its dependencies. Without them a debug build
//! interprets some thirty times slower. Release builds need nothing.
//!
//! ```toml
//! [profile.dev.package.wasmr-interp]
//! opt-level = 3
//! codegen-units = 1
//! debug-assertions = false
//! overflow-checks = false
//! ```
//!
//! The command line comes along, with the packages that only it needs, unless you leave it out:
//!
//! ```toml
//! wasmr = { version = "0.1", default-features = false, features = ["jit", "wat"] }
//! ```
//!
//! | feature | what it adds |
//! |---|---|
//! | `jit` | the compiling tier |
//! | `wat` | modules in the text format |
//! | `wast` | script tests, in the module `wast` |
//! | `cli` | the command line |
//!
//! # Calling an export
//! A module is given as bytes, in the binary or the text format, or as a file ([`Module::from_file`]).
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
//! // With Rust types, compared once:
//! let add = instance.get_typed_func::<(i32, i32), i32>(&store, "add")?;
//! assert_eq!(add.call(&mut store, (40, 2))?, 42);
//!
//! // With types that are known at run time only:
//! let add = instance.get_func(&store, "add").ok_or("no such export")?;
//! let mut results = [Val::I32(0)];
//! add.call(&mut store, &[Val::I32(1), Val::I32(2)], &mut results)?;
//! assert_eq!(results[0].i32(), Some(3));
//! # Ok(())
//! # }
//! ```
//!
//! A call that does not return gives a [`Stop`]: the guest trapped, threw, asked to end, or a host function failed.
//!
//! # Host functions with state
//! A closure becomes an import. Its parameters and results decide the function's type; a first parameter of type [`Caller`]
//! gives it the store's data and the exports of the instance that calls.
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
//!     // The guest chose the length, so it is held against the memory before anything is made of it.
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
//! // The stop knows the type of the error, below any context of anyhow's too; `downcast` takes it out.
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
//! What a guest can take is bounded from the start; [`StoreLimits`] has the bounds of a store and [`Config`] the defaults of
//! an engine's stores. What does not fit is refused: growing fails, instantiating gives a [`ResourceError`], too deep a
//! recursion traps. Time is yours to measure: an [`InterruptHandle`] stops the guest from another thread, whether it
//! computes or waits in a call of [`wasi`]. With [`Config::consume_fuel`] a guest may execute as many operators as
//! [`Store::set_fuel`] allows, the same number on every machine.
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
//! assert_eq!(grow.call(&mut store, ())?, -1, "two pages are all there is");
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
//! [`wasi`] has WASI Preview 1: what a guest may reach is what a builder grants, streams in memory included.
//!
//! # Tiers
//! Functions are interpreted at first; on x86-64 Linux those that are hot are compiled on other threads meanwhile. [`Config::mode`]
//! chooses another way ([`Mode`]), [`Config::tuning`] when what is compiled; nothing but time depends on either.
//! [`Engine::report`] says what was compiled, [`Config::observe`] tells it as it happens. Without the feature `jit` there is only
//! the interpreter.
//!
//! # Signals
//! On x86-64 Linux an engine handles the signals of hardware faults, which stand for traps in guests, and `SIGURG`, which stops
//! compiled code when a store is interrupted. What is not the guest's goes to whoever handled the signal before. A host function
//! of an interrupted guest may find a system call ended by `EINTR`.
//!
//! # More
//! The directory `examples/` of the repository has whole programs: a host of plug-ins that it does not trust, a program
//! whose input and output stay in memory. `wast` runs script tests.
//!
//! # Where does it all come from?
//! This crate has names only; each stage is a crate of its own, whose documentation is the tour: [`wasmr_core`],
//! [`wasmr_module`], [`wasmr_runtime`], [`wasmr_engine`], [`wasmr_wasi`].
#![forbid(unsafe_code)]

#[cfg(feature = "wast")]
pub mod wast;

/// Defaults of the limits that an embedder can change, and the limits that are fixed, each with its reason.
pub use wasmr_core::limits;
pub use wasmr_core::registry::TypeRegistry;
pub use wasmr_core::trap::TrapCode;
pub use wasmr_core::types::{
    ExternType, FuncType, GlobalType, HeapType, Limits, MemoryType, RefType, TableType, TypeId, ValType,
};
pub use wasmr_core::value::V128;
pub use wasmr_engine::{
    COMPILE_THREAD, Config, Engine, ExportType, FunctionCount, ImportType, LoadError, Mode, Module, TierEvent,
    TierReport, Tuning, read_capped,
};
pub use wasmr_module::{
    Export, ExternKind, Fault, Feature, Features, Import, Inspection, Lacks, ModuleBytes, ModuleError, bytes_from_input,
};
pub use wasmr_runtime::limits::{MemoryStrategy, ResourceError, StoreLimits};
pub use wasmr_runtime::symbol;
pub use wasmr_runtime::{
    AnyRef, AsContext, AsContextMut, Backtrace, CallError, Caller, DuplicateDefinition, ExceptionError, ExnRef,
    ExportError, Extern, ExternRef, FrameInfo, FuelError, Func, Global, GlobalError, HostError, HostFailure,
    HostResults, ImportFailure, InitializerError, Instance, InstancePre, InstantiateError, InterruptHandle, IntoFunc,
    LibraryError, LinkError, Linker, LoadedModule, Memory, MemoryAccessError, Stop, StopKind, Store, StoreConfig,
    StoreContext, StoreContextMut, Table, TableError, Tag, Throw, Trap, TypeMismatch, TypedFunc, UnknownImportCalled,
    Val, WasmTy, WasmTyList, extern_type_text, func_type_text, initializer, type_text, val_type_text,
};

/// The system interface of WASI Preview 1. Nothing is granted unless a builder grants it.
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
/// // Programs end with `proc_exit`, which is a stop, or simply return.
/// let status = match start.call(&mut store, ()) {
///     Ok(()) => 0,
///     Err(stop) => stop.exit_code().ok_or(stop)?,
/// };
/// assert_eq!((status, &output.take()[..]), (3, &b"hello\n"[..]));
/// # Ok(())
/// # }
/// ```
///
/// A program's `_start` is called by the embedder, as above, and so is a library's `_initialize`: by
/// [`Linker::module`] for one that other modules import from, by [`Instance::initialize`] for one that the embedder calls.
///
/// A directory is granted as a [`Dir`](wasi::Dir): `builder.dir(Dir::from_std_file(File::open("data")?), "/data", true)` lets the guest
/// read all below `data` and nothing else.
pub mod wasi {
    pub use cap_std::fs::Dir;
    pub use wasmr_wasi::{
        BuildError, MissingMemory, OutputBuffer, Stdin, Stdout, WasiCtx, WasiCtxBuilder, add_imports_to_linker,
        add_to_linker,
    };
}
