//! Resolves the options of `run`: parses keys, opens directories and sockets, reads variables. This is the *resolve* step of "parse,
//! resolve, act", and the only file that uses the user's authority over files, sockets and the environment.
//!
//! In: [`RunFlags`]. Out: a [`RunPlan`], which contains everything but the modules.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use wasmr::cache::Cache;
use wasmr::limits::DEFAULT_MAX_THREADS;
use wasmr::wasi::WasiCtx;
#[cfg(feature = "component")]
use wasmr::wasi::WasiCtxBuilder;
use wasmr::{Config, Tuning};

use super::codegen_options::CodegenOptions;
use super::exit::UsageError;
use super::flags::{RawKeys, RunFlags};
use super::log::Log;
use super::missing::Preloads;
#[cfg(feature = "component")]
use super::net::NetSpec;
use super::option_keys;
use super::report::printable_word;
use super::stats::Format;
use super::values::{DirSpec, EnvSpec, PreloadSpec};
use super::wasi_options::{DebugOptions, WasiOptions};
use super::wasm_options::WasmOptions;
use super::{grants, load, position};

/// Everything that a run needs, except for the modules.
pub struct RunPlan {
    /// Configuration of the engine.
    pub config: Config,
    /// The cache of the configuration.
    pub cache: Option<Arc<Cache>>,
    /// Options of the command that compiles for later runs when this one is over; `None` if nothing is to be compiled.
    pub learn: Option<Vec<OsString>>,
    /// The guest's grants, arguments and variables.
    pub wasi: WasiCtx,
    /// Threads that the program may have at once, beside its main one.
    pub max_threads: u32,
    /// The program's file.
    pub module: PathBuf,
    /// True if modules may be precompiled.
    pub allow_precompiled: bool,
    /// Libraries to instantiate first, in order.
    pub preload: Vec<PreloadSpec>,
    /// Components to compose the program with.
    #[cfg(feature = "component")]
    pub plugs: Vec<PathBuf>,
    /// The function to call.
    pub entry: Entry,
    /// The guest's words after MODULE.
    pub args: Vec<String>,
    /// Names of options among `args` that the user may have meant for wasmr.
    pub late: Vec<String>,
    /// The guest's fuel, if limited.
    pub fuel: Option<u64>,
    /// Time after which the run ends, if limited.
    pub timeout: Option<Duration>,
    /// Raw mode of the terminal while the guest runs, if asked for.
    pub raw_tty: Option<RawKeys>,
    /// Definitions for imports, beside WASI.
    pub linking: Linking,
    /// Format of the statistics, if asked for.
    pub stats: Option<Format>,
    /// Topics to log.
    pub log: Log,
    /// Warnings to print before the program starts.
    pub warnings: Vec<String>,
    /// True if the network is granted, which means something to components only.
    #[cfg(feature = "component")]
    pub network: bool,
}

impl RunPlan {
    /// Returns the function that an `--invoke` among the guest's words names, and the words after it.
    pub fn late_invoke(&self) -> Option<(&str, &[String])> {
        match self.entry {
            Entry::Start => position::value_of("--invoke", &self.args),
            Entry::Invoke(_) => None,
        }
    }
}

/// The function that a run calls.
#[derive(Debug)]
pub enum Entry {
    /// `_start`.
    Start,
    /// The export of this name, with arguments as typed.
    Invoke(String),
}

impl Entry {
    /// Returns true if the entry is an initialisation function of the module.
    pub fn is_initializer(&self) -> bool {
        matches!(self, Entry::Invoke(name) if name == "_initialize" || name == "__wasm_call_ctors")
    }
}

/// Definitions for imports, beside WASI.
#[derive(Debug)]
pub struct Linking {
    /// Substitutes for unknown imports.
    pub unknown: UnknownImports,
    /// Module names of the preloads, in order.
    pub libraries: Vec<String>,
    /// Preloads among the guest's words that the user may have meant for wasmr.
    pub late_libraries: Vec<PreloadSpec>,
}

impl Linking {
    /// Returns the preloads as seen by the module after the first `ready` of them.
    pub fn preloads(&self, ready: usize) -> Preloads<'_> {
        Preloads { names: &self.libraries, ready, late: &self.late_libraries, needs: &[] }
    }
}

/// Substitutes for imports without a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownImports {
    /// None: an unknown import is an error.
    Refuse,
    /// Functions that trap.
    Trap,
    /// Functions that return zeros.
    Default,
}

/// Parses the keyed options, and opens and reads everything that the options name, except for the modules.
pub fn resolve(flags: RunFlags) -> anyhow::Result<RunPlan> {
    let wasm_options: WasmOptions = option_keys::parse(&flags.wasm)?;
    let tuning: Tuning = option_keys::parse(&flags.tuning)?;
    let learn = learning_command(&flags);
    let codegen: CodegenOptions = option_keys::parse(&flags.code)?;
    let wasi_options: WasiOptions = option_keys::parse(&flags.wasi)?;
    let _: DebugOptions = option_keys::parse(&flags.debug)?;
    let module = flags.module.ok_or_else(|| UsageError("MODULE is missing: name the program to run".to_string()))?;
    check_names(&flags.preload)?;
    let libraries = flags.preload.iter().map(|library| &library.file);
    let files = libraries.chain(&flags.env_file).chain([&module]);
    #[cfg(feature = "component")]
    let files = files.chain(&flags.plug);
    load::check_standard_input(files.map(PathBuf::as_path))?;
    let args = guest_args(&flags.args)?;
    let name = flags.argv0.unwrap_or_else(|| load::name(&module));
    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio();
    wasi.arg(name);
    wasi.args(args.iter().map(String::as_str));
    let entry = flags.invoke.map_or(Entry::Start, Entry::Invoke);
    let inherit = flags.inherit_env || wasi_options.inherit_env;
    for (name, value) in variables(inherit, &flags.env_file, &flags.env)? {
        wasi.env(name, value);
    }
    let mut warnings = grants::warnings(&flags.dir, home().as_deref());
    let sockets = !flags.listen.is_empty() || !wasi_options.listen.is_empty();
    // A program with sockets has a `/` that does not continue in a single directory.
    let is_only = flags.dir.len() == 1 && !sockets;
    for spec in flags.dir {
        let dir = open(&spec)?;
        if let Some(name) = grants::own_name(&spec).filter(|name| is_only && dir.symlink_metadata(name).is_ok()) {
            warnings.push(grants::shadowed_entry(&spec, name));
        }
        wasi.dir(dir, spec.guest, spec.read_only);
    }
    #[cfg(feature = "component")]
    let network = grant_network(&mut wasi, &flags.net, flags.dns, &wasi_options);
    for address in flags.listen.into_iter().chain(wasi_options.listen) {
        let listener = TcpListener::bind(address).with_context(|| format!("cannot listen for --listen {address}"))?;
        wasi.listener(listener);
    }
    if let Some(count) = flags.max_fds {
        // A count beyond 32 bits limits nothing.
        wasi.max_fds(u32::try_from(count).unwrap_or(u32::MAX));
    }
    if let Some(bytes) = flags.max_output {
        wasi.max_output(bytes);
    }
    let wasi = wasi.build().context("cannot set up the WASI environment of the program")?;

    let mut config = Config::new();
    config
        .features(wasm_options.features)
        .nan_canonicalization(wasm_options.nan_canonicalization)
        .mode(flags.mode.unwrap_or_default())
        .tuning(tuning)
        .spectre_guards(codegen.spectre_guards);
    let (log, log_warning) = log();
    warnings.extend(log_warning);
    let is_cached = codegen.cache && !flags.no_cache;
    let (cache, cache_warning) = if is_cached { cache(flags.cache_dir, log) } else { (None, None) };
    warnings.extend(cache_warning);
    config.cache(cache.clone());
    log.observe(&mut config);
    if let Some(bytes) = flags.max_memory.or(wasm_options.max_memory) {
        config.max_memory(bytes);
    }
    if let Some(bytes) = flags.max_stack.or(wasm_options.max_stack) {
        config.max_stack(stack_bytes(bytes)?);
    }
    if let Some(bytes) = flags.max_gc_heap {
        config.max_gc_heap(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    if let Some(count) = flags.max_table_elements.or(wasm_options.max_table_elements) {
        config.max_table_elements(count);
    }
    if let Some(count) = flags.max_instances.or(wasm_options.max_instances) {
        config.max_instances(usize::try_from(count).unwrap_or(usize::MAX));
    }
    if let Some(bytes) = flags.max_module_size {
        config.max_module_size(bytes);
    }
    let fuel = flags.fuel.or(wasm_options.fuel);
    config.consume_fuel(fuel.is_some());
    let unknown_imports = match (wasm_options.unknown_imports_trap, wasm_options.unknown_imports_default) {
        (true, true) => {
            let why = "-W unknown-imports-trap and -W unknown-imports-default exclude each other";
            bail!(UsageError(why.to_string()));
        }
        (true, false) => UnknownImports::Trap,
        (false, true) => UnknownImports::Default,
        (false, false) => UnknownImports::Refuse,
    };
    Ok(RunPlan {
        config,
        cache,
        learn,
        wasi,
        // A count beyond 32 bits limits nothing.
        max_threads: flags.max_threads.map_or(DEFAULT_MAX_THREADS, |count| u32::try_from(count).unwrap_or(u32::MAX)),
        module,
        allow_precompiled: flags.allow_precompiled,
        linking: Linking {
            unknown: unknown_imports,
            libraries: flags.preload.iter().map(|library| library.name.clone()).collect(),
            late_libraries: late_libraries(&args),
        },
        preload: flags.preload,
        #[cfg(feature = "component")]
        plugs: flags.plug,
        entry,
        args,
        late: flags.late,
        fuel,
        // 0 means no limit, as in timeout(1).
        timeout: flags.timeout.or(wasm_options.timeout).filter(|limit| !limit.is_zero()),
        raw_tty: flags.raw_tty,
        stats: flags.stats,
        log,
        warnings,
        #[cfg(feature = "component")]
        network,
    })
}

/// Adds the grants of the network. Returns true if there are any.
#[cfg(feature = "component")]
fn grant_network(wasi: &mut WasiCtxBuilder, net: &[NetSpec], dns: bool, options: &WasiOptions) -> bool {
    let whole = options.inherit_network.then(NetSpec::all);
    for spec in net.iter().chain(&whole) {
        spec.grant(wasi);
    }
    let dns = dns || options.allow_ip_name_lookup;
    if dns {
        wasi.allow_dns();
    }
    wasi.allow_tcp(options.tcp.unwrap_or(true)).allow_udp(options.udp.unwrap_or(true));
    whole.is_some() || !net.is_empty() || dns
}

/// Returns the options of the command that compiles for later runs of the same program with the same options. Libraries need no
/// mention: a run loads the program first, so that its code is the same without them.
fn learning_command(flags: &RunFlags) -> Option<Vec<OsString>> {
    let files = flags.module.iter();
    #[cfg(feature = "component")]
    let files = files.chain(&flags.plug);
    // To open a pipe again could take what its next reader waits for.
    let is_file = |path: &PathBuf| path != Path::new("-") && path.is_file();
    if flags.module.is_none()
        || !files.into_iter().all(is_file)
        || flags.mode.is_some_and(|mode| mode.name() == "interp")
    {
        return None;
    }
    let mut words: Vec<OsString> = ["compile", "--into-cache", "--profile"].map(OsString::from).into();
    for (letter, keys) in [("-W", &flags.wasm), ("-C", &flags.code), ("-O", &flags.tuning)] {
        words.extend(keys.iter().flat_map(|keys| [letter.into(), keys.into()]));
    }
    if flags.fuel.is_some() {
        words.push("--fuel".into());
    }
    #[cfg(feature = "component")]
    words.extend(flags.plug.iter().flat_map(|file| ["--plug".into(), file.into()]));
    if let Some(dir) = &flags.cache_dir {
        words.extend(["--cache-dir".into(), dir.into()]);
    }
    if let Some(bytes) = flags.max_module_size {
        words.push(format!("--max-module-size={bytes}").into());
    }
    Some(words)
}

/// Rejects two preloads with the same name.
fn check_names(preloads: &[PreloadSpec]) -> Result<(), UsageError> {
    for (index, PreloadSpec { name, file }) in preloads.iter().enumerate() {
        if let Some(first) = preloads[..index].iter().find(|first| first.name == *name) {
            let [name, first, second] = [name.as_ref(), first.file.as_os_str(), file.as_os_str()].map(printable_word);
            return Err(UsageError(format!(
                "--preload gives the name `{name}` to `{first}` and to `{second}`; choose two different names"
            )));
        }
    }
    Ok(())
}

/// Returns the preloads that the guest's words contain.
fn late_libraries(args: &[String]) -> Vec<PreloadSpec> {
    let values = position::values_of("--preload", args);
    values.into_iter().filter_map(|value| PreloadSpec::parse(value).ok()).collect()
}

/// Returns the topics of `WASMR_LOG`, and a warning if its value is invalid. An invalid variable does not end the run.
fn log() -> (Log, Option<String>) {
    match std::env::var_os("WASMR_LOG").map(|value| Log::parse(&value.to_string_lossy())) {
        Some(Ok(log)) => (log, None),
        Some(Err(why)) => (Log::default(), Some(why)),
        None => (Log::default(), None),
    }
}

/// Returns the directory of the cache: that of the option `--cache-dir`, that of `WASMR_CACHE_DIR`, or the default. There is no default
/// without a home directory.
fn cache_dir(option: Option<PathBuf>) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    option.or_else(|| variable("WASMR_CACHE_DIR").map(PathBuf::from)).or_else(|| Cache::default_dir(variable))
}

/// Returns the directory of the cache for a command that is nothing without one.
pub fn needed_cache_dir(option: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    cache_dir(option).with_context(|| format!("cannot find the cache: {NO_CACHE_DIR}"))
}

/// Opens the cache. A directory that cannot be used is no error, because everything works without a cache. It is worth a warning,
/// which is the second result, only if the option names it.
pub fn cache(option: Option<PathBuf>, log: Log) -> (Option<Arc<Cache>>, Option<String>) {
    let is_named = option.is_some();
    let Some(dir) = cache_dir(option) else {
        log.no_cache(NO_CACHE_DIR);
        return (None, None);
    };
    match Cache::open(&dir) {
        Ok(cache) => (Some(Arc::new(cache)), None),
        Err(why) if is_named => {
            let warning = format!("cannot use `{}` for --cache-dir: {why}; there is no cache", printable_word(&dir));
            (None, Some(warning))
        }
        Err(why) => {
            log.no_cache(&format!("cannot use `{}`: {why}", printable_word(&dir)));
            (None, None)
        }
    }
}

/// Reason why [`cache_dir`] returns no directory.
const NO_CACHE_DIR: &str = "there is no home directory: set HOME or WASMR_CACHE_DIR";

/// Range of `--max-stack`. Less is too little for any program, more is not worth the address space.
const STACK_RANGE: std::ops::RangeInclusive<u64> = 16 << 10..=1 << 30;

fn stack_bytes(bytes: u64) -> anyhow::Result<usize> {
    match usize::try_from(bytes) {
        Ok(size) if STACK_RANGE.contains(&bytes) => Ok(size),
        _ => bail!(UsageError("--max-stack must be between 16KiB and 1GiB".to_string())),
    }
}

/// Returns the guest's arguments, or a usage error if one is not UTF-8.
fn guest_args(args: &[OsString]) -> anyhow::Result<Vec<String>> {
    let as_text = |(index, arg): (usize, &OsString)| match arg.to_str() {
        Some(text) => Ok(text.to_string()),
        None => bail!(UsageError(format!("argument {} of the program is not UTF-8: {arg:?}", index + 1))),
    };
    args.iter().enumerate().map(as_text).collect()
}

/// Returns the guest's variables. `--env-file` overrides `--inherit-env`, `--env` overrides both, and later options override earlier
/// ones.
fn variables(inherit: bool, files: &[PathBuf], specs: &[EnvSpec]) -> anyhow::Result<Vec<(String, String)>> {
    let mut variables: Vec<(String, String)> = Vec::new();
    if inherit {
        for (name, value) in std::env::vars_os() {
            // A variable that is not UTF-8 cannot be passed on. No option names it, so it is left out.
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                set(&mut variables, name, value);
            }
        }
    }
    for file in files {
        let shown = printable_word(file);
        let bytes = load::other_file(file, "variables");
        let text = bytes.and_then(|bytes| Ok(String::from_utf8(bytes)?));
        let text = text.with_context(|| format!("cannot read `{shown}` for --env-file"))?;
        let specs = EnvSpec::parse_file(&text).map_err(|why| anyhow::anyhow!("{why}"));
        for spec in specs.with_context(|| format!("cannot use `{shown}` for --env-file"))? {
            apply(&mut variables, &spec)?;
        }
    }
    for spec in specs {
        apply(&mut variables, spec)?;
    }
    Ok(variables)
}

fn apply(variables: &mut Vec<(String, String)>, spec: &EnvSpec) -> anyhow::Result<()> {
    let name = spec.name.clone();
    if let Some(value) = &spec.value {
        set(variables, name, value.clone());
    } else if let Some(value) = std::env::var_os(&name) {
        match value.into_string() {
            Ok(value) => set(variables, name, value),
            Err(_) => {
                bail!("cannot pass on the variable `{}` for --env: its value is not UTF-8", printable_word(&name))
            }
        }
    }
    Ok(())
}

fn set(variables: &mut Vec<(String, String)>, name: String, value: String) {
    match variables.iter_mut().find(|(known, _)| *known == name) {
        Some((_, old)) => *old = value,
        None => variables.push((name, value)),
    }
}

/// Returns the user's home directory, as shells find it.
fn home() -> Option<String> {
    std::env::var("HOME").ok()
}

/// Opens a directory to grant. The error names option, host path and guest path, with a hint if the user mixed them up.
fn open(spec: &DirSpec) -> anyhow::Result<Dir> {
    let DirSpec { host, guest, .. } = spec;
    Dir::open_ambient_dir(host, ambient_authority()).map_err(|error| {
        let (host, guest) = (printable_word(host), printable_word(guest));
        let sentence = format!("cannot grant the host directory `{host}` as guest directory `{guest}` for --dir");
        let hint = grants::other_reading(spec, home().as_deref(), |path| Path::new(path).is_dir())
            .or_else(|| grants::directory_of_file(spec, Path::is_file));
        match hint {
            Some(hint) => anyhow::anyhow!("{error}\nhint: {hint}").context(sentence),
            None => anyhow::Error::new(error).context(sentence),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(typed: &[&str]) -> Vec<EnvSpec> {
        typed.iter().map(|typed| EnvSpec::parse(typed).unwrap()).collect()
    }

    #[test]
    fn later_variables_replace_earlier_ones_and_unset_ones_are_skipped() {
        let specs = env(&["A=1", "B=2", "A=3", "WASMR_TEST_SURELY_UNSET"]);
        let expected = [("A".to_string(), "3".to_string()), ("B".to_string(), "2".to_string())];
        assert_eq!(variables(false, &[], &specs).unwrap(), expected);
    }

    #[test]
    fn nothing_is_inherited_unless_asked() {
        assert!(variables(false, &[], &[]).unwrap().is_empty());
        assert!(!variables(true, &[], &[]).unwrap().is_empty());
    }

    #[test]
    fn a_bad_directory_is_named_with_its_guest_path() {
        let spec = DirSpec::parse("no/such/dir::/data".into()).unwrap();
        let error = format!("{:#}", open(&spec).unwrap_err());
        for part in ["--dir", "`no/such/dir`", "`/data`", "No such file"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_stack_has_a_sensible_size() {
        assert_eq!(stack_bytes(1 << 20).unwrap(), 1 << 20);
        for bad in [0, 1 << 10, 1 << 40] {
            assert!(stack_bytes(bad).unwrap_err().is::<UsageError>());
        }
    }

    #[test]
    #[cfg(unix)]
    fn arguments_must_be_utf8() {
        use std::os::unix::ffi::OsStringExt;
        let error = guest_args(&["a".into(), OsString::from_vec(vec![0xff])]).unwrap_err();
        assert!(error.is::<UsageError>());
        assert!(error.to_string().contains("argument 2"), "{error}");
    }
}
