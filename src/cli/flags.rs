//! Every command and option, as plain data without side effects: *parse* of "parse, resolve, act".
//!
//! In: the words in the strict form that [`position`](super::position) made. Out: [`Command`], which
//! [`plan`](super::plan) resolves.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use wasmr::Mode;

use super::stats::Format;
use super::values::{self, DirSpec, EnvSpec, PreloadSpec};

/// Runs WebAssembly programs: starts at once, grants only what you say.
#[derive(Debug, Parser)]
#[command(name = "wasmr", version, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(override_usage = "wasmr [OPTIONS OF run] MODULE [ARGS]...\n       wasmr COMMAND")]
#[command(
    after_help = "`wasmr MODULE ARGS...` is `wasmr run -- MODULE ARGS...`: everything after MODULE is the guest's. The options \
                        of `run` may stand before MODULE here too; `wasmr help run` lists them."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program: its `_start`, or the function that --invoke names
    Run(Box<RunFlags>),
    /// Run script tests (.wast) and report every failed directive
    Wast(WastFlags),
    /// Check modules and say what is wrong with them
    Validate(ValidateFlags),
    /// Show what is in a module: imports, exports, features needed, sizes
    Inspect(InspectFlags),
    /// Show what becomes of a function: wasm, interpreter cells, compiled forms, machine code
    Explore(ExploreFlags),
    /// Print a script that completes wasmr's words in a shell
    Completions(CompletionsFlags),
}

/// What follows `run`.
#[derive(Debug, Args)]
#[command(override_usage = "wasmr run [OPTIONS] MODULE [--dir ...|--env ...]... [ARGS]...\n       \
                            wasmr run [OPTIONS] -- MODULE [ARGS]...")]
#[command(
    after_help = "After MODULE, --dir and --env are still wasmr's up to the first other word; `--` there ends that and is \
                        dropped. Scripts that pass on words of others write `wasmr run [OPTIONS] -- MODULE \"$@\"`: there nothing \
                        after MODULE can grant anything, and the guest gets every word, `--` too."
)]
pub struct RunFlags {
    /// Grant a directory, by its own name or as GUEST; `::ro` refuses every change
    #[arg(long, value_name = "HOST[::GUEST][::ro]", value_parser = OsStringValueParser::new().try_map(DirSpec::parse), value_hint = ValueHint::DirPath)]
    pub dir: Vec<DirSpec>,

    /// Set a variable, or pass on the host's
    #[arg(long, value_name = "K[=V]", value_parser = EnvSpec::parse)]
    pub env: Vec<EnvSpec>,

    /// Pass on all of the host's variables
    #[arg(long)]
    pub inherit_env: bool,

    /// Set the variables of a file with one K=V or K a line; - is standard input
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// The guest's name for itself [default: base name of MODULE]
    #[arg(long, value_name = "NAME")]
    pub argv0: Option<String>,

    /// Call this export with ARGS typed by its signature, and print its results
    ///
    /// Numbers are those of the text format: 42, -0x2a, 1_000, 1.5, 0x1.8p1, inf, nan:0x1; vectors are i32x4:1,2,3,4;
    /// references can only be null. The guest gets ARGS as its program arguments too; a function without parameters may
    /// be given any number of them if the module imports `args_sizes_get`.
    #[arg(long, value_name = "NAME")]
    pub invoke: Option<String>,

    /// Instantiate FILE first, call its `_initialize` if it has one, and offer its exports as module NAME
    #[arg(long, value_name = "NAME=FILE", value_parser = PreloadSpec::parse)]
    pub preload: Vec<PreloadSpec>,

    /// Listen on a TCP address; the guest gets the socket as a descriptor after its directories
    #[arg(long, value_name = "ADDR:PORT", value_parser = values::parse_listen)]
    pub listen: Vec<SocketAddr>,

    /// Put the terminal on standard input into raw mode for the guest: keys reach it at once and are not shown
    #[arg(long, value_name = "KEYS", num_args = 0..=1, require_equals = true, default_missing_value = "bytes")]
    pub raw_tty: Option<RawKeys>,

    /// How to execute
    #[arg(long, value_name = "MODE", value_parser = mode_parser())]
    pub mode: Option<Mode>,

    /// End the run after this long, sleeping and blocked host calls included (1s, 500ms, 2m); 0 is no limit [default: 0]
    #[arg(long, value_name = "TIME", value_parser = values::parse_duration)]
    pub timeout: Option<Duration>,

    /// How many operators the guest may execute, then it traps; one that moves or clears more than 64 bytes counts as several
    /// (1000000, 1e6) [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub fuel: Option<u64>,

    /// How much all linear memories together may hold (64MiB) [default: 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_memory: Option<u64>,

    /// How much stack the guest's calls may take, counted in frames of the interpreter (1MiB) [default: 8MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_stack: Option<u64>,

    /// How many elements all tables together may hold [default: 10000000]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub max_table_elements: Option<u64>,

    /// How many instances there may be, preloads included [default: 10000]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub max_instances: Option<u64>,

    /// How many descriptors the guest may have open, the standard streams and grants included [default: 1024]
    #[arg(long, value_name = "COUNT", value_parser = values::parse_count)]
    pub max_fds: Option<u64>,

    /// How much the guest may write to standard output and error together (1MiB) [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_output: Option<u64>,

    /// How large a module may be (64MiB) [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    pub max_module_size: Option<u64>,

    /// After the run, say on standard error how it ended and what it took: times, tiers, memory, fuel
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text", value_parser = stats_parser())]
    pub stats: Option<Format>,

    /// WebAssembly features and limits by key; `-W help` lists them
    #[arg(short = 'W', value_name = "KEY[=VALUE],...")]
    pub wasm: Vec<String>,

    /// How machine code is made, by key; `-C help` lists it
    #[arg(short = 'C', value_name = "KEY[=VALUE],...")]
    pub code: Vec<String>,

    /// What changes only speed, by key; `-O help` lists it
    #[arg(short = 'O', value_name = "KEY[=VALUE],...")]
    pub tuning: Vec<String>,

    /// Wasmtime's keys for WASI; `-S help` lists them
    #[arg(short = 'S', value_name = "KEY[=VALUE],...")]
    pub wasi: Vec<String>,

    /// Wasmtime's keys for debugging; `-D help` lists them
    #[arg(short = 'D', value_name = "KEY[=VALUE],...")]
    pub debug: Vec<String>,

    /// The program: .wasm, .wat, or - for standard input
    #[arg(value_name = "MODULE", required_unless_present_any = ["wasm", "code", "tuning", "wasi", "debug"])]
    pub module: Option<PathBuf>,

    /// The guest's arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,

    /// Options of `run` among ARGS that the user may have meant for wasmr.
    #[arg(skip)]
    pub late: Vec<String>,
}

/// Handling of the keys that a terminal turns into signals, while it is raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RawKeys {
    /// Ctrl-C, Ctrl-Z and Ctrl-\ are bytes for the guest, for editors; the default
    Bytes,
    /// Ctrl-C, Ctrl-Z and Ctrl-\ end and stop the run as usual
    Signals,
}

/// What follows `wast`.
#[derive(Debug, Args)]
pub struct WastFlags {
    /// How to execute
    #[arg(long, value_name = "MODE", value_parser = mode_parser())]
    pub mode: Option<Mode>,

    /// What changes only speed, by key; `-O help` lists it
    #[arg(short = 'O', value_name = "KEY[=VALUE],...")]
    pub tuning: Vec<String>,

    /// The scripts; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "tuning")]
    pub files: Vec<PathBuf>,
}

/// What follows `validate`.
#[derive(Debug, Args)]
pub struct ValidateFlags {
    /// WebAssembly features by key; `-W help` lists them
    #[arg(short = 'W', value_name = "KEY[=VALUE],...")]
    pub wasm: Vec<String>,

    /// The modules: .wasm, .wat, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "wasm")]
    pub files: Vec<PathBuf>,
}

/// What follows `inspect`.
#[derive(Debug, Args)]
pub struct InspectFlags {
    /// Print JSON, for tools
    #[arg(long)]
    pub json: bool,

    /// The module: .wasm, .wat, or - for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

/// What follows `explore`.
#[derive(Debug, Args)]
pub struct ExploreFlags {
    /// Which function: an index, or a name from the name section or the exports [default: the only one]
    #[arg(long, value_name = "INDEX|NAME")]
    pub func: Option<String>,

    /// Write a page with all forms side by side instead; - is standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    /// Which forms [default: all]
    #[arg(long, value_name = "FORM,...", value_delimiter = ',')]
    pub show: Vec<Form>,

    /// As with --fuel: with code that uses up fuel
    #[arg(long)]
    pub metered: bool,

    /// As without address space to spare: with checks at every access of memory
    #[arg(long)]
    pub checked: bool,

    /// The module: .wasm, .wat, or - for standard input
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: PathBuf,
}

/// A form of a function on its way to execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The module's operators
    Wasm,
    /// What the interpreter executes
    Interp,
    /// Cranelift's representation as translated
    Clif,
    /// The same when Cranelift has optimised it
    Optimized,
    /// Machine code
    Code,
}

impl Form {
    /// What stands above it.
    pub fn title(self) -> &'static str {
        match self {
            Form::Wasm => "wasm",
            Form::Interp => "interpreter cells",
            Form::Clif => "CLIF as translated",
            Form::Optimized => "CLIF optimised",
            Form::Code => "machine code",
        }
    }
}

/// What follows `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "bash: source <(wasmr completions bash)\nzsh:  wasmr completions zsh > \"${fpath[1]}/_wasmr\"\n\
                        fish: wasmr completions fish > ~/.config/fish/completions/wasmr.fish"
)]
pub struct CompletionsFlags {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub shell: CompletedShell,
}

/// A shell that completions can be written for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CompletedShell {
    /// GNU bash
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// Accepts the formats of statistics.
fn stats_parser() -> impl TypedValueParser<Value = Format> {
    let formats = [PossibleValue::new("text").help("a table"), PossibleValue::new("json").help("one line of JSON")];
    PossibleValuesParser::new(formats).map(|name| if name == "json" { Format::Json } else { Format::Text })
}

/// Accepts the names of the mode table.
fn mode_parser() -> impl TypedValueParser<Value = Mode> {
    let names = Mode::ALL.iter().map(|mode| PossibleValue::new(mode.name()).help(mode.help()));
    PossibleValuesParser::new(names).map(|name| Mode::from_name(&name).unwrap_or_default())
}
