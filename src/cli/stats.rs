//! `--stats`: statistics of a run on standard error, with its end, time by phase, tiers, memory, heap and fuel.
//!
//! In: marks that [`run`](mod@super::run) sets. Out: a table for people, or one line of JSON for tools. The statistics exist only if the
//! option asks for them, and are read only at the end, so that the guest runs as without them. The thread of `--timeout` may read
//! them, so they are shared; facts that only the guest's thread may read are then missing.
//!
//! Compilation has a time of its own because compiler threads work while the guest runs; with `--mode jit` the guest waits for them.
//! Translation for the interpreter and host calls count as running: each is too short to be timed.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmr::symbol::printable;
use wasmr::wasi::{ThreadCounts, ThreadData, WasiThreads};
use wasmr::{Engine, Extern, FunctionCount, GcStats, Instance, Module, Stop, StopKind, Store, TierReport};
use wasmr_core::count::{Count, grouped};

use super::json::Json;
use super::usage::Usage;

/// Format of the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table.
    Text,
    /// One line of JSON.
    Json,
}

/// Phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading, decoding and validating modules.
    Load,
    /// Linking and instantiating, start functions included.
    Instantiate,
    /// Running the guest.
    Run,
}

/// The end of a run: a kind, and details if there are any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    kind: &'static str,
    detail: Option<String>,
}

impl Ended {
    /// Describes a run whose called function returned.
    pub fn returned() -> Ended {
        Ended { kind: "returned", detail: None }
    }

    /// Describes a run that `--timeout` ended.
    pub fn timeout(limit: Duration) -> Ended {
        Ended { kind: "timeout", detail: Some(format!("{limit:?}")) }
    }

    /// Describes a run that ended by a stop.
    pub fn stopped(stop: &Stop) -> Ended {
        let (kind, detail) = match stop.kind() {
            StopKind::Exit(code) => ("exit", Some(code.to_string())),
            StopKind::Trap(trap) => ("trap", Some(trap.code.to_string())),
            StopKind::Throw(_) => ("exception", None),
            StopKind::Host(failure) => ("host", Some(failure.error().to_string())),
        };
        Ended { kind, detail }
    }
}

/// Collects the statistics of one run.
pub struct Stats {
    format: Format,
    program: String,
    began: Instant,
    seen: Mutex<Seen>,
}

/// The statistics of the run, if `--stats` is given.
pub type MaybeStats = Option<Arc<Stats>>;

/// Begins a phase.
pub fn enter(stats: &MaybeStats, phase: Phase) {
    if let Some(stats) = stats {
        stats.enter(phase);
    }
}

/// The marks so far.
struct Seen {
    phase: Phase,
    since: Instant,
    spent: [Duration; 3],
    engine: Option<Engine>,
    modules: Vec<Module>,
    memory: Option<Memory>,
    heap: Option<GcStats>,
    fuel: Option<Fuel>,
    threads: Option<ThreadCounts>,
}

/// The linear memories at the end of the run.
#[derive(Clone, Copy)]
struct Memory {
    bytes: u64,
    /// True if all memories that the program exports are guard-paged. `None` if it exports none.
    guarded: Option<bool>,
}

#[derive(Clone, Copy)]
struct Fuel {
    given: u64,
    left: u64,
}

impl Stats {
    /// Creates the statistics of a run that began at `began`, in its first phase.
    pub fn new(format: Format, program: &str, began: Instant) -> Stats {
        let seen = Seen {
            phase: Phase::Load,
            since: began,
            spent: [Duration::ZERO; 3],
            engine: None,
            modules: Vec::new(),
            memory: None,
            heap: None,
            fuel: None,
            threads: None,
        };
        Stats { format, program: program.to_string(), began, seen: Mutex::new(seen) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a phase.
    pub fn enter(&self, phase: Phase) {
        self.seen().enter(phase);
    }

    /// Records the engine of the run.
    pub fn engine(&self, engine: &Engine) {
        self.seen().engine = Some(engine.clone());
    }

    /// Records a module of the run.
    pub fn module(&self, module: &Module) {
        self.seen().modules.push(module.clone());
    }

    /// Records memory, heap and fuel of the store after the guest ended. `given` is the fuel at the start.
    /// `threads` are those of the guest, if it may have any.
    pub fn store<T: ThreadData>(
        &self,
        store: &Store<T>,
        instance: Instance,
        given: Option<u64>,
        threads: Option<&WasiThreads<T>>,
    ) {
        let mut seen = self.seen();
        let memories = instance.exports(store).filter_map(|(_, item)| match item {
            Extern::Memory(memory) => Some(memory.is_guarded(store)),
            Extern::SharedMemory(memory) => Some(memory.is_guarded()),
            _ => None,
        });
        let guarded = memories.reduce(|all, one| all && one);
        seen.memory = Some(Memory { bytes: store.memory_bytes(), guarded });
        seen.heap = store.gc_stats();
        let left_by_threads = threads.map_or(0, WasiThreads::fuel_left);
        seen.fuel = given.zip(store.fuel().ok()).map(|(given, left)| Fuel { given, left: left + left_by_threads });
        seen.threads = threads.map(WasiThreads::counts);
    }

    /// Records memory, heap and fuel of the store of a component after it ended. `given` is the fuel at the start.
    #[cfg(feature = "component")]
    pub fn component_store<T>(&self, store: &Store<T>, given: Option<u64>) {
        let mut seen = self.seen();
        seen.memory = Some(Memory { bytes: store.memory_bytes(), guarded: None });
        seen.heap = store.gc_stats();
        seen.fuel = given.zip(store.fuel().ok()).map(|(given, left)| Fuel { given, left });
    }

    /// Returns the text to print.
    pub fn render(&self, ended: &Ended) -> String {
        let now = Instant::now();
        let mut seen = self.seen();
        let phase = seen.phase;
        seen.enter_at(phase, now);
        let summary = Summary {
            program: &self.program,
            ended,
            wall: now - self.began,
            spent: seen.spent,
            usage: Usage::now(),
            mode: seen.engine.as_ref().map(|engine| engine.mode().name()),
            tiers: seen.engine.as_ref().map(Engine::report).unwrap_or_default(),
            functions: seen.modules.iter().map(Module::function_count).fold(FunctionCount::default(), |sum, one| {
                FunctionCount { defined: sum.defined + one.defined, translated: sum.translated + one.translated }
            }),
            cache: CacheUse::of(&seen.modules),
            memory: seen.memory,
            heap: seen.heap,
            fuel: seen.fuel,
            threads: seen.threads,
        };
        match self.format {
            Format::Text => summary.text(),
            Format::Json => format!("{}\n", summary.json()),
        }
    }
}

impl Seen {
    fn enter(&mut self, phase: Phase) {
        self.enter_at(phase, Instant::now());
    }

    fn enter_at(&mut self, phase: Phase, now: Instant) {
        self.spent[self.phase as usize] += now.saturating_duration_since(self.since);
        (self.phase, self.since) = (phase, now);
    }
}

/// All facts that the output contains.
struct Summary<'a> {
    program: &'a str,
    ended: &'a Ended,
    wall: Duration,
    spent: [Duration; 3],
    usage: Option<Usage>,
    mode: Option<&'static str>,
    tiers: TierReport,
    functions: FunctionCount,
    cache: Option<CacheUse>,
    memory: Option<Memory>,
    heap: Option<GcStats>,
    fuel: Option<Fuel>,
    threads: Option<ThreadCounts>,
}

/// Modules that the cache had an entry for, and all modules.
#[derive(Clone, Copy)]
struct CacheUse {
    known: usize,
    all: usize,
}

impl CacheUse {
    /// Returns the use of the cache; `None` without a cache.
    fn of(modules: &[Module]) -> Option<CacheUse> {
        let answers: Vec<bool> = modules.iter().filter_map(Module::was_cached).collect();
        let known = answers.iter().filter(|known| **known).count();
        (!answers.is_empty()).then_some(CacheUse { known, all: answers.len() })
    }
}

impl Summary<'_> {
    /// Returns the reason why nothing, or nothing more, was compiled. Returns `None` if the engine compiled what was hot.
    fn why_interpreted(&self) -> Option<String> {
        let TierReport { unavailable, loaded, functions, loops, refused, .. } = &self.tiers;
        match (unavailable, self.mode) {
            (Some(why), _) => Some(why.clone()),
            (None, Some("interp")) => Some("mode interp".to_string()),
            (None, _) if loaded + functions + loops > 0 => None,
            (None, _) if *refused > 0 => Some("the compiler refused all hot functions".to_string()),
            (None, _) => Some("no function ran long enough".to_string()),
        }
    }

    fn text(&self) -> String {
        let TierReport { functions, loops, refused, code_bytes, compile_time, threads, .. } = &self.tiers;
        let mut text = format!("stats of `{}`:\n", printable(self.program));
        let mut row = |name: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {name:<13} {value}");
        };
        row(
            "ended",
            self.ended
                .detail
                .as_ref()
                .map_or(self.ended.kind.to_string(), |detail| format!("{}: {}", self.ended.kind, printable(detail))),
        );
        row("mode", self.mode.unwrap_or("none, as the run did not start").to_string());
        let [load, instantiate, run] = self.spent;
        row("wall time", format!("{:.1?}: load {load:.1?}, instantiate {instantiate:.1?}, run {run:.1?}", self.wall));
        if let Some(Usage { cpu, .. }) = self.usage {
            row("cpu time", format!("{cpu:.1?} on all threads"));
        }
        let FunctionCount { defined, translated } = self.functions;
        row("functions", format!("{defined} defined, {translated} translated for the interpreter"));
        if let Some(CacheUse { known, all }) = self.cache {
            let what = match known {
                0 => "no entry".to_string(),
                _ if known == all => "hit".to_string(),
                _ => format!("hit for {known} of {all} modules"),
            };
            row("cache", what);
        }
        let TierReport { loaded, loaded_bytes, .. } = &self.tiers;
        if *loaded > 0 {
            row("loaded", format!("{} and loops, {} of machine code", Count(*loaded, "function"), size(*loaded_bytes)));
        }
        let why = self.why_interpreted();
        if functions + loops > 0 {
            row("compiled", format!("{}, {}; {refused} refused", Count(*functions, "function"), Count(*loops, "loop")));
            row(
                "machine code",
                format!("{} in {compile_time:.1?} on {}", size(*code_bytes), Count(*threads, "thread")),
            );
        }
        match why {
            Some(why) if loaded + functions + loops > 0 => row("not compiled", format!("the rest ({why})")),
            Some(why) => row("compiled", format!("nothing ({why})")),
            None => {}
        }
        if let Some(Usage { peak_bytes, .. }) = self.usage {
            row("peak memory", size(peak_bytes));
        }
        if let Some(Memory { bytes, guarded }) = self.memory {
            let how = match guarded {
                Some(true) => ", guard pages instead of bounds checks",
                Some(false) => ", bounds check at every access",
                None => "",
            };
            row("linear memory", format!("{}{how}", size(bytes)));
        }
        if let Some(ThreadCounts { started, most, .. }) = self.threads {
            row("guest threads", format!("{started} started, at most {most} at once"));
        }
        if let Some(heap) = self.heap {
            let size = |bytes: usize| size(bytes as u64);
            row("gc heap", format!("{} at the end, {} at most", size(heap.bytes), size(heap.peak_bytes)));
            let (time, longest) = (heap.time, heap.longest_pause);
            let count = Count(heap.collections, "collection");
            row("gc time", format!("{time:.1?} in {count}, at most {longest:.1?} at once"));
        }
        if let Some(Fuel { given, left }) = self.fuel {
            let number = |fuel: u64| grouped(usize::try_from(fuel).unwrap_or(usize::MAX));
            row("fuel", format!("{} used, {} left", number(given.saturating_sub(left)), number(left)));
        }
        text
    }

    fn json(&self) -> Json {
        let TierReport { functions, loops, refused, code_bytes, compile_time, threads, .. } = &self.tiers;
        let micros = |time: Duration| Json::Number(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let [load, instantiate, run] = self.spent;
        // Scalars only, so that the object is written on one line.
        Json::Object(vec![
            ("program", self.program.into()),
            ("ended", self.ended.kind.into()),
            ("detail", self.ended.detail.as_deref().into()),
            ("mode", self.mode.into()),
            ("wall_us", micros(self.wall)),
            ("load_us", micros(load)),
            ("instantiate_us", micros(instantiate)),
            ("run_us", micros(run)),
            ("cpu_us", self.usage.map_or(Json::Null, |usage| micros(usage.cpu))),
            ("compile_us", micros(*compile_time)),
            ("compile_threads", (*threads).into()),
            ("functions", self.functions.defined.into()),
            ("translated", self.functions.translated.into()),
            ("cached_modules", self.cache.map(|cache| cache.known as u64).into()),
            ("loaded_functions", self.tiers.loaded.into()),
            ("loaded_code_bytes", self.tiers.loaded_bytes.into()),
            ("compiled_functions", (*functions).into()),
            ("compiled_loops", (*loops).into()),
            ("refused", (*refused).into()),
            ("machine_code_bytes", (*code_bytes).into()),
            ("interpreted_because", self.why_interpreted().as_deref().into()),
            ("peak_memory_bytes", self.usage.map(|usage| usage.peak_bytes).into()),
            ("linear_memory_bytes", self.memory.map(|memory| memory.bytes).into()),
            ("linear_memory_guarded", self.memory.and_then(|memory| memory.guarded).into()),
            ("threads_started", self.threads.map(|threads| threads.started).into()),
            ("gc_heap_bytes", self.heap.map(|heap| heap.bytes as u64).into()),
            ("gc_heap_peak_bytes", self.heap.map(|heap| heap.peak_bytes as u64).into()),
            ("gc_collections", self.heap.map(|heap| heap.collections).into()),
            ("gc_us", self.heap.map_or(Json::Null, |heap| micros(heap.time))),
            ("gc_longest_pause_us", self.heap.map_or(Json::Null, |heap| micros(heap.longest_pause))),
            ("fuel_used", self.fuel.map(|fuel| fuel.given.saturating_sub(fuel.left)).into()),
            ("fuel_left", self.fuel.map(|fuel| fuel.left).into()),
        ])
    }
}

/// Returns a number of bytes rounded to one decimal of a unit.
fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for next in units {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "bytes" { Count(bytes, "byte").to_string() } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(ended: &Ended) -> Summary<'_> {
        Summary {
            program: "m.wasm",
            ended,
            wall: Duration::from_millis(1500),
            spent: [1, 2, 3].map(Duration::from_millis),
            usage: Some(Usage { cpu: Duration::from_secs(2), peak_bytes: 5 << 20 }),
            mode: Some("tiered"),
            tiers: TierReport {
                loaded: 3,
                loaded_bytes: 2048,
                functions: 2,
                loops: 1,
                code_bytes: 300,
                threads: 1,
                ..TierReport::default()
            },
            functions: FunctionCount { defined: 9, translated: 4 },
            cache: Some(CacheUse { known: 1, all: 2 }),
            threads: Some(ThreadCounts { started: 7, most: 3, refused: 0 }),
            memory: Some(Memory { bytes: 64 << 10, guarded: Some(false) }),
            heap: Some(GcStats {
                bytes: 3 << 20,
                peak_bytes: 4 << 20,
                collections: 2,
                time: Duration::from_millis(5),
                longest_pause: Duration::from_millis(4),
            }),
            fuel: Some(Fuel { given: 10_000, left: 1 }),
        }
    }

    #[test]
    fn people_get_a_table() {
        let ended = Ended { kind: "trap", detail: Some("integer divide by zero".to_string()) };
        let expected = "stats of `m.wasm`:
  ended         trap: integer divide by zero
  mode          tiered
  wall time     1.5s: load 1.0ms, instantiate 2.0ms, run 3.0ms
  cpu time      2.0s on all threads
  functions     9 defined, 4 translated for the interpreter
  cache         hit for 1 of 2 modules
  loaded        3 functions and loops, 2.0 KiB of machine code
  compiled      2 functions, 1 loop; 0 refused
  machine code  300 bytes in 0.0ns on 1 thread
  peak memory   5.0 MiB
  linear memory 64.0 KiB, bounds check at every access
  guest threads 7 started, at most 3 at once
  gc heap       3.0 MiB at the end, 4.0 MiB at most
  gc time       5.0ms in 2 collections, at most 4.0ms at once
  fuel          9 999 used, 1 left
";
        assert_eq!(summary(&ended).text(), expected);
    }

    #[test]
    fn tools_get_one_line() {
        let text = summary(&Ended::returned()).json().to_string();
        assert!(!text.contains('\n'), "{text}");
        for part in [
            "\"ended\": \"returned\", \"detail\": null",
            "\"run_us\": 3000",
            "\"gc_collections\": 2",
            "\"fuel_left\": 1}",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_not_compiled_has_a_reason() {
        let ended = Ended::returned();
        let why = |change: fn(&mut Summary<'_>)| {
            let mut summary = summary(&ended);
            change(&mut summary);
            summary.why_interpreted()
        };
        assert_eq!(why(|_| {}), None);
        assert_eq!(why(|summary| summary.tiers.unavailable = Some("no room".to_string())).unwrap(), "no room");
        assert_eq!(why(|summary| summary.mode = Some("interp")).unwrap(), "mode interp");
        assert_eq!(why(|summary| summary.tiers = TierReport::default()).unwrap(), "no function ran long enough");
    }

    #[test]
    fn phases_add_up() {
        let began = Instant::now();
        let stats = Stats::new(Format::Text, "m.wasm", began);
        let after = |millis| began + Duration::from_millis(millis);
        stats.seen().enter_at(Phase::Instantiate, after(5));
        stats.seen().enter_at(Phase::Load, after(7));
        stats.seen().enter_at(Phase::Run, after(8));
        stats.seen().enter_at(Phase::Run, after(20));
        assert_eq!(stats.seen().spent, [6, 2, 12].map(Duration::from_millis));
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!([0, 1023, 1024, 1536 << 10].map(size), ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB"]);
    }
}
