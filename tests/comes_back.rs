//! Recovery from temporary refusals: engines that could not compile, because the host refused code memory, threads or stacks,
//! compile as soon as the host grants them again.
//!
//! This file has a test binary to itself, because it changes limits of the whole process.
#![cfg(all(feature = "jit", target_os = "linux", target_arch = "x86_64"))]

use std::time::{Duration, Instant};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};
use wasmr::{Caller, Config, Engine, Instance, Linker, Mode, Module, Store, StoreLimits, Tuning, TypedFunc};

/// A loop that is long enough for budget interrupts, and a call of a host function.
const GUEST: &str = r#"(module
    (import "host" "look" (func $look))
    (func (export "run") (param $n i32) (result i32) (local $sum i32)
        (call $look)
        (loop
            (local.set $sum (i32.add (local.get $sum) (local.get $n)))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))"#;

/// A guest. Its store's data is an address on the stack on which the host function was last called.
struct World {
    engine: Engine,
    store: Store<usize>,
    run: TypedFunc<i32, i32>,
}

impl World {
    fn new(engine: &Engine, limits: StoreLimits) -> World {
        let module = Module::new(engine, GUEST).unwrap();
        let mut linker = Linker::new();
        linker
            .func_wrap("host", "look", |mut caller: Caller<'_, usize>| {
                let here = 0u8;
                *caller.data_mut() = (&raw const here).addr();
            })
            .unwrap();
        let mut store = Store::with_limits(engine, limits, 0);
        let instance: Instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
        World { engine: engine.clone(), store, run }
    }

    fn run(&mut self) {
        assert_eq!(self.run.call(&mut self.store, 5000).unwrap(), 12_502_500);
    }

    /// Runs the guest until the engine reports why it cannot compile, and a little longer. Checks the reason, and that nothing
    /// was compiled.
    fn stays_interpreted(&mut self, why: &str) {
        self.soon(|world| world.engine.report().unavailable.is_some());
        (0..20).for_each(|_| self.run());
        let report = self.engine.report();
        assert_eq!((report.functions, report.loops), (0, 0), "{report}");
        assert!(report.unavailable.as_ref().is_some_and(|reason| reason.contains(why)), "{report}");
    }

    /// Runs the guest until a function is compiled and executes on the native stack.
    fn is_compiled_soon(&mut self) {
        self.soon(|world| world.engine.report().functions > 0);
        assert_eq!(self.engine.report().unavailable, None);
        self.soon(World::is_on_the_stack_of_machine_code);
    }

    fn soon(&mut self, is_so: impl Fn(&World) -> bool) {
        let began = Instant::now();
        loop {
            self.run();
            if is_so(self) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{}", self.engine.report());
        }
    }

    fn is_on_the_stack_of_machine_code(&self) -> bool {
        let here = 0u8;
        (&raw const here).addr().abs_diff(*self.store.data()) > 1 << 20
    }
}

fn engine(mode: Mode) -> Engine {
    let tuning = Tuning { tier_up_after: 1, tier_up_delay: Duration::ZERO, ..Tuning::default() };
    Engine::new(Config::new().mode(mode).tuning(tuning))
}

/// Makes the kernel refuse these system calls of this thread. A call with a condition, which is an argument's index and bits,
/// is refused only if the argument has all these bits.
fn refuse(calls: &[(i64, Option<(u8, u64)>)]) {
    let rules = calls.iter().map(|&(call, condition)| {
        let condition = condition.map(|(argument, bits)| {
            let masked = SeccompCmpOp::MaskedEq(bits);
            let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, masked, bits).unwrap();
            SeccompRule::new(vec![condition]).unwrap()
        });
        (call, condition.into_iter().collect())
    });
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let error = SeccompAction::Errno(libc::EAGAIN as u32);
    let filter = SeccompFilter::new(rules.collect(), SeccompAction::Allow, error, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    apply_filter(&program).unwrap();
}

/// Limits the size to which this process can extend a file. Code memory is a file, so the limit affects it too.
fn limit_files(bytes: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a pointer to `limit`, a valid `rlimit`, and use it only until they return.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit), 0);
        limit.rlim_cur = bytes.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
}

/// Returns the number of resident bytes of baseline code, or `None` if the process has no code memory for it. A page of
/// that code becomes resident when it is first executed.
fn code_bytes() -> Option<u64> {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = maps.lines().skip_while(|line| !(line.contains(" r-xs ") && line.contains("wasmr code")));
    let size = lines.find_map(|line| line.strip_prefix("Rss:"))?;
    Some(size.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
}

/// Checks that functions which were executed while code memory was refused get code as soon as files may be large again. One
/// engine compiled at the first execution, and was refused; the other compiles only later.
fn baseline_code_comes_back() {
    let mut worlds = [0, 1].map(|baseline_after| {
        let tuning = Tuning { baseline_after, ..Tuning::default() };
        World::new(&Engine::new(Config::new().mode(Mode::Interp).tuning(tuning)), StoreLimits::default())
    });
    limit_files(1 << 20);
    for world in &mut worlds {
        (0..20).for_each(|_| world.run());
    }
    assert_eq!(code_bytes(), None);
    limit_files(libc::RLIM_INFINITY);
    for world in &mut worlds {
        // Each module has pages of its own, so the number grows with each.
        let before = code_bytes().unwrap_or(0);
        world.soon(|_| code_bytes().is_some_and(|bytes| bytes > before));
    }
}

#[test]
fn what_was_refused_for_a_moment_is_tried_again() {
    baseline_code_comes_back();

    // Code memory of the compiler, of which the process has none yet.
    limit_files(1 << 20);
    let mut worlds = [Mode::Tiered, Mode::Jit].map(|mode| World::new(&engine(mode), StoreLimits::default()));
    worlds.iter_mut().for_each(|world| world.stays_interpreted("memory"));
    limit_files(libc::RLIM_INFINITY);
    worlds.iter_mut().for_each(World::is_compiled_soon);

    // Threads.
    let mut worlds = [Mode::Tiered, Mode::Jit].map(|mode| World::new(&engine(mode), StoreLimits::default()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            refuse(&[(libc::SYS_clone, Some((0, libc::CLONE_THREAD as u64))), (libc::SYS_clone3, None)]);
            worlds.iter_mut().for_each(|world| world.stays_interpreted("thread"));
        });
    });
    worlds.iter_mut().for_each(World::is_compiled_soon);

    // A native stack. The limit on this store's stack makes it the only mapping of more than 1 GiB, so the filter refuses
    // nothing else. Another store of the engine has its native stack already.
    for mode in [Mode::Tiered, Mode::Jit] {
        let engine = engine(mode);
        World::new(&engine, StoreLimits::default()).is_compiled_soon();
        let limits = StoreLimits { max_stack_bytes: (1 << 30) - (5 << 19), ..StoreLimits::default() };
        let mut world = World::new(&engine, limits);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                refuse(&[(libc::SYS_mmap, Some((1, 1 << 30)))]);
                for _ in 0..50 {
                    world.run();
                    std::thread::sleep(Duration::from_millis(2));
                    assert!(!world.is_on_the_stack_of_machine_code(), "the store must not have a native stack");
                }
            });
        });
        world.soon(World::is_on_the_stack_of_machine_code);
    }
}
