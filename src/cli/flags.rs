//! All commands and options, as plain data: the *parse* step of "parse, resolve, act". Nothing here has side effects.
//!
//! In: the words of a command line, in the strict form of [`position`](super::position). Out: a [`Command`], which
//! [`plan`](super::plan) resolves. The doc comments of fields are the help texts: imperative, with units, defaults and an example.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use wasmr::Mode;

#[cfg(feature = "component")]
use super::net::NetSpec;
use super::stats::Format;
use super::values::{self, DirSpec, EnvSpec, PreloadSpec};

/// Run WebAssembly programs: start at once, grant only what you say
#[derive(Debug, Parser)]
#[command(name = "wasmr", version, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(override_usage = "wasmr [OPTIONS OF run] MODULE [ARGS]...\n       wasmr COMMAND")]
#[command(
    after_help = "`wasmr MODULE ARGS...` means `wasmr run -- MODULE ARGS...`: the program gets everything after MODULE. The options \
                        of `run` go before MODULE; `wasmr help run` lists them."
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program: call its `_start`, or the export that --invoke names
    Run(Box<RunFlags>),
    /// Compile a module ahead of time, for `run --allow-precompiled`
    Compile(CompileFlags),
    /// Run script tests (.wast) and report every failed directive
    Wast(WastFlags),
    /// Check modules and components and report the first error of each
    Validate(ValidateFlags),
    /// Show the contents of a module or component: imports, exports, required features, sizes
    Inspect(InspectFlags),
    /// Show all forms of a function: wasm, interpreter code, baseline code, CLIF, compiled code
    Explore(ExploreFlags),
    /// Show the size of the cache, or empty it
    Cache(CacheFlags),
    /// Print a completion script for a shell
    Completions(CompletionsFlags),
}

/// Options and arguments of `run`.
#[derive(Debug, Args)]
#[command(override_usage = "wasmr run [OPTIONS] MODULE [--dir ...|--env ...]... [ARGS]...\n       \
                            wasmr run [OPTIONS] -- MODULE [ARGS]...")]
#[command(
    after_help = "Options go before MODULE. After MODULE, wasmr still takes --dir and --env up to the first other word; a `--` there \
                        ends that and is dropped. Scripts that pass on arguments of others should use `wasmr run [OPTIONS] -- MODULE \
                        \"$@\"`: the program then gets everything after MODULE, and no argument can grant it anything.\n\n\
                        Example: wasmr run --dir ./data::/data::ro --env LANG=C --timeout 10s tool.wasm input.txt"
)]
pub struct RunFlags {
    /// Grant the program a directory, as GUEST if given; `::ro` makes it read-only. Example: --dir ./data::/data::ro
    #[arg(long, value_name = "HOST[::GUEST][::ro]", value_parser = OsStringValueParser::new().try_map(DirSpec::parse), value_hint = ValueHint::DirPath)]
    pub dir: Vec<DirSpec>,

    /// Set an environment variable, or pass on the host's variable K. Example: --env LANG=C --env HOME
    #[arg(long, value_name = "K[=V]", value_parser = EnvSpec::parse)]
    pub env: Vec<EnvSpec>,

    /// Pass on all environment variables of the host
    #[arg(long)]
    pub inherit_env: bool,

    /// Set the environment variables in a file, one K=V or K per line; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// Set the program's own name, its argument 0 [default: file name of MODULE]
    #[arg(long, value_name = "NAME")]
    pub argv0: Option<String>,

    /// Call this exported function with ARGS instead of `_start`, and print its results
    ///
    /// Write numbers as in the text format: 42, -0x2a, 1_000, 1.5, 0x1.8p1, inf, nan:0x1; a vector as i32x4:1,2,3,4; a reference
    /// as null. The program also gets ARGS as its program arguments. A function without parameters accepts any ARGS if the module
    /// imports `args_sizes_get`. Example: wasmr run --invoke fib fib.wat 27
    ///
    /// A function of a component also takes its arguments in parentheses, in WAVE: --invoke 'move({x: 1, y: -2}, "home")'. As words,
    /// strings need no quotes: --invoke greet app.wasm bob 3. The name of a function in an interface may be shortened as long as it is
    /// clear: acme:math/basic@1.2.0#add, basic#add, add.
    #[arg(long, value_name = "NAME")]
    pub invoke: Option<String>,

    /// Instantiate the library FILE first, call its `_initialize` if it exports one, and offer its exports as module NAME
    #[arg(long, value_name = "NAME=FILE", value_parser = PreloadSpec::parse)]
    pub preload: Vec<PreloadSpec>,

    /// Compose the component with the component FILE, whose exports it or another plug imports, by name and type
    #[cfg(feature = "component")]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plug: Vec<PathBuf>,

    /// Listen on a TCP address, and give the program the socket as a descriptor after its directories. Example:
    /// --listen 127.0.0.1:8080
    #[arg(long, value_name = "ADDR:PORT", value_parser = values::parse_listen)]
    pub listen: Vec<SocketAddr>,

    /// Grant a component addresses of the network, to connect to them and to listen at them, or one of both. ADDR is an address, a network
    /// such as 10.0.0.0/8, localhost, or * for all; an IPv6 address is in brackets. PORT is a number, a range, or *. Examples:
    /// --net 127.0.0.1:8080, --net 'connect:*:443,listen:[::1]:8000-8999'
    #[cfg(feature = "component")]
    #[arg(long, value_name = "[connect:|listen:]ADDR[:PORT],...", value_delimiter = ',', value_parser = NetSpec::parse)]
    pub net: Vec<NetSpec>,

    /// Grant a component lookups of host names
    #[cfg(feature = "component")]
    #[arg(long)]
    pub dns: bool,

    /// Put the terminal on standard input into raw mode: the program gets each key at once, and nothing is echoed
    #[arg(long, value_name = "KEYS", num_args = 0..=1, require_equals = true, default_missing_value = "bytes")]
    pub raw_tty: Option<RawKeys>,

    /// Choose how to execute
    #[arg(long, value_name = "MODE", value_parser = mode_parser())]
    pub mode: Option<Mode>,

    /// End the run after this time, even in a blocked call. Examples: 1s, 500ms, 2m; 0 means no limit [default: 0]
    #[arg(long, value_name = "TIME", value_parser = values::parse_duration)]
    pub timeout: Option<Duration>,

    /// End the program with a trap after about this many operators, on all threads together. An operator that moves or clears more than 64 bytes counts as
    /// several. A new thread gets half of the fuel that the thread which starts it has left. Examples: 1000000, 1e6 [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub fuel: Option<u64>,

    /// Limit the bytes of all linear memories together. Example: 64MiB [default: 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_memory: Option<u64>,

    /// Limit the bytes of the call stack of each thread, in frames of the interpreter. Example: 1MiB [default: 8MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_stack: Option<u64>,

    /// Limit the bytes of the garbage-collected heap. Example: 64MiB [default: 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_gc_heap: Option<u64>,

    /// Limit the elements of all tables together [default: 10000000]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub max_table_elements: Option<u64>,

    /// Limit the number of instances, libraries of --preload included [default: 10000]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub max_instances: Option<u64>,

    /// Limit the program's threads at once, the main one not counted; 0 forbids them [default: 256]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub max_threads: Option<u64>,

    /// Limit the program's open descriptors, standard streams and grants included [default: 1024]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub max_fds: Option<u64>,

    /// Limit the bytes written to standard output and standard error together. Example: 1MiB [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_output: Option<u64>,

    /// Run modules of `wasmr compile` as well. Their machine code is executed as it is: give this only for files that you trust as much
    /// as wasmr itself
    #[arg(long)]
    pub allow_precompiled: bool,

    /// Limit the bytes of each module. Example: 64MiB [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_module_size: Option<u64>,

    /// Keep the results of loading and compiling in DIR, for the next run of the same module [default: the variable WASMR_CACHE_DIR,
    /// or ~/.cache/wasmr]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,

    /// Neither read nor write the cache
    #[arg(long)]
    pub no_cache: bool,

    /// Print statistics on standard error after the run: how it ended, times, tiers, memory, fuel. WASMR_LOG=compile in the environment logs each compilation
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text", value_parser = stats_parser())]
    pub stats: Option<Format>,

    /// Set WebAssembly features and limits; `-W help` lists the keys. Example: -W simd=n
    #[arg(short = 'W', value_name = "KEY[=VALUE],...")]
    pub wasm: Vec<String>,

    /// Set how machine code is generated; `-C help` lists the keys. Example: -C spectre-guards=n
    #[arg(short = 'C', value_name = "KEY[=VALUE],...")]
    pub code: Vec<String>,

    /// Set what changes only speed; `-O help` lists the keys. Example: -O compile-threads=2
    #[arg(short = 'O', value_name = "KEY[=VALUE],...")]
    pub tuning: Vec<String>,

    /// Set WASI options by wasmtime's keys; `-S help` lists them. Example: -S inherit-env
    #[arg(short = 'S', value_name = "KEY[=VALUE],...")]
    pub wasi: Vec<String>,

    /// Set debugging options by wasmtime's keys; `-D help` lists them
    #[arg(short = 'D', value_name = "KEY[=VALUE],...")]
    pub debug: Vec<String>,

    /// The program: a .wasm or .wat file, or - for standard input
    #[arg(value_name = "MODULE", required_unless_present_any = ["wasm", "code", "tuning", "wasi", "debug"])]
    pub module: Option<PathBuf>,

    /// The program's arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,

    /// Names of options among ARGS that the user may have meant for wasmr.
    #[arg(skip)]
    pub late: Vec<String>,
}

/// Meaning of Ctrl-C, Ctrl-Z and Ctrl-\ while the terminal is in raw mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RawKeys {
    /// Pass Ctrl-C, Ctrl-Z and Ctrl-\ to the program as bytes, as editors need it; the default
    Bytes,
    /// Let Ctrl-C and Ctrl-\ end the run and Ctrl-Z suspend it, as usual
    Signals,
}

/// Options and arguments of `compile`.
#[derive(Debug, Args)]
#[command(
    after_help = "The file runs with this build of wasmr, on processors with at least the same features, under the same -W and -C options \
                        and --fuel. Any other wasmr refuses it and says why.\n\n\
                        Example: wasmr compile tool.wasm -o tool.cwasm && wasmr run --allow-precompiled tool.cwasm"
)]
pub struct CompileFlags {
    /// Write to FILE [default: MODULE with the extension .cwasm]
    #[arg(short = 'o', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Compile only the functions that earlier runs executed, as the cache knows them
    #[arg(long)]
    pub profile: bool,

    /// Compile into the cache instead of a file, so that later runs of MODULE start with the code
    #[arg(long, conflicts_with = "output")]
    pub into_cache: bool,

    /// Stop compiling after this processor time, with the functions so far. Examples: 1s, 500ms [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = values::parse_duration)]
    pub limit: Option<Duration>,

    /// Compile for runs with the component FILE as a plug; only into the cache
    #[cfg(feature = "component")]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "into_cache")]
    pub plug: Vec<PathBuf>,

    /// Use the cache in DIR [default: the variable WASMR_CACHE_DIR, or ~/.cache/wasmr]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,

    /// Compile for runs with --fuel
    #[arg(long)]
    pub fuel: bool,

    /// Limit the bytes of the module. Example: 64MiB [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_module_size: Option<u64>,

    /// Set WebAssembly features; `-W help` lists the keys. Example: -W simd=n
    #[arg(short = 'W', value_name = "KEY[=VALUE],...")]
    pub wasm: Vec<String>,

    /// Set how machine code is generated; `-C help` lists the keys. Example: -C spectre-guards=n
    #[arg(short = 'C', value_name = "KEY[=VALUE],...")]
    pub code: Vec<String>,

    /// Set what changes only speed; `-O help` lists the keys. Example: -O compile-threads=2
    #[arg(short = 'O', value_name = "KEY[=VALUE],...")]
    pub tuning: Vec<String>,

    /// The module: a .wasm or .wat file, or - for standard input
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath, required_unless_present_any = ["wasm", "code", "tuning"])]
    pub module: Option<PathBuf>,
}

/// Options and arguments of `wast`.
#[derive(Debug, Args)]
pub struct WastFlags {
    /// Choose how to execute
    #[arg(long, value_name = "MODE", value_parser = mode_parser())]
    pub mode: Option<Mode>,

    /// Set what changes only speed; `-O help` lists the keys. Example: -O compile-threads=2
    #[arg(short = 'O', value_name = "KEY[=VALUE],...")]
    pub tuning: Vec<String>,

    /// Set WebAssembly features; `-W help` lists the keys. Example: -W simd=n
    #[arg(short = 'W', value_name = "KEY[=VALUE],...")]
    pub wasm: Vec<String>,

    /// The scripts: .wast files, or - for standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["tuning", "wasm"])]
    pub files: Vec<PathBuf>,
}

/// Options and arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateFlags {
    /// Set WebAssembly features; `-W help` lists the keys. Example: -W simd=n
    #[arg(short = 'W', value_name = "KEY[=VALUE],...")]
    pub wasm: Vec<String>,

    /// The modules: .wasm or .wat files, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "wasm")]
    pub files: Vec<PathBuf>,
}

/// Options and arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectFlags {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Print the imports and exports of a component in the interface language WIT
    #[arg(long, conflicts_with = "json")]
    pub wit: bool,

    /// Show the component composed with the component FILE, as `run --plug` composes them
    #[cfg(feature = "component")]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plug: Vec<PathBuf>,

    /// The module or component: a .wasm or .wat file, or - for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

/// Options and arguments of `explore`.
#[derive(Debug, Args)]
pub struct ExploreFlags {
    /// Choose the function by index, or by its name in the name section or the exports [default: the only function]
    #[arg(long, value_name = "INDEX|NAME")]
    pub func: Option<String>,

    /// Choose the core module of a component by index, or by its name [default: the only one that defines the function]
    #[arg(long = "module", value_name = "INDEX|NAME")]
    pub core_module: Option<String>,

    /// Write an HTML page with the forms side by side to FILE; - means standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    /// Show only these forms [default: all]
    #[arg(long, value_name = "FORM,...", value_delimiter = ',')]
    pub show: Vec<Form>,

    /// Translate and compile as for --fuel, with code that counts fuel
    #[arg(long)]
    pub metered: bool,

    /// Translate and compile as on hosts with little address space, with a bounds check at every memory access
    #[arg(long)]
    pub checked: bool,

    /// Set WebAssembly features; `-W help` lists the keys. Example: -W simd=n
    #[arg(short = 'W', value_name = "KEY[=VALUE],...")]
    pub wasm: Vec<String>,

    /// The module or component: a .wasm or .wat file, or - for standard input
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath, required_unless_present = "wasm")]
    pub module: Option<PathBuf>,
}

/// A form of a function on its way to execution, in the order in which the engine makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The operators of the module
    Wasm,
    /// The code that the interpreter executes
    Interp,
    /// Machine code of the baseline compiler
    Baseline,
    /// Cranelift's intermediate representation, as translated
    Clif,
    /// Cranelift's intermediate representation, optimised
    Optimized,
    /// Machine code of the optimising compiler, Cranelift
    Code,
}

impl Form {
    /// Returns the heading of the form.
    pub fn title(self) -> &'static str {
        match self {
            Form::Wasm => "wasm",
            Form::Interp => "interpreter code",
            Form::Baseline => "baseline code",
            Form::Clif => "CLIF as translated",
            Form::Optimized => "CLIF optimised",
            Form::Code => "compiled code",
        }
    }
}

/// Options and arguments of `cache`.
#[derive(Debug, Args)]
pub struct CacheFlags {
    /// Choose what to do
    #[arg(value_name = "ACTION")]
    pub action: CacheAction,

    /// Use the cache in DIR [default: the variable WASMR_CACHE_DIR, or ~/.cache/wasmr]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
}

/// An action of `cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheAction {
    /// Print the directory, the number of entries, their size and its limit
    Info,
    /// Remove all entries
    Clean,
}

/// Argument of `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "bash: source <(wasmr completions bash)\nzsh:  wasmr completions zsh > \"${fpath[1]}/_wasmr\"\n\
                        fish: wasmr completions fish > ~/.config/fish/completions/wasmr.fish"
)]
pub struct CompletionsFlags {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: CompletedShell,
}

/// A shell for which wasmr can write completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CompletedShell {
    /// GNU bash
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// Returns a parser of the formats of `--stats`.
fn stats_parser() -> impl TypedValueParser<Value = Format> {
    let formats =
        [PossibleValue::new("text").help("A table; the default"), PossibleValue::new("json").help("One line of JSON")];
    PossibleValuesParser::new(formats).map(|name| if name == "json" { Format::Json } else { Format::Text })
}

/// Returns a parser of the names in the mode table.
fn mode_parser() -> impl TypedValueParser<Value = Mode> {
    let names = Mode::ALL.iter().map(|mode| PossibleValue::new(mode.name()).help(mode.help()));
    PossibleValuesParser::new(names).map(|name| Mode::from_name(&name).unwrap_or_default())
}
