//! If the system refuses executable memory, the engine interprets programs and reports the reason.
//!
//! This file has a test binary to itself, because code memory that another test had mapped would still be there.
#![cfg(all(feature = "jit", target_os = "linux", target_arch = "x86_64"))]

use std::sync::{Arc, Mutex};

use wasmr::{Config, Engine, Instance, Mode, Module, Store, TierEvent, Tuning};

/// Makes the kernel refuse executable mappings of this thread, and of threads that it starts, from now on.
fn refuse_executable_memory() {
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let load = |offset| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let if_equal = |value, skip| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, skip, 0, value);
    let answer = |value| step(libc::BPF_RET | libc::BPF_K, 0, 0, value);
    let mut program = [
        // The number of the system call.
        load(0),
        if_equal(libc::SYS_mmap as u32, 3),
        if_equal(libc::SYS_mprotect as u32, 2),
        if_equal(libc::SYS_pkey_mprotect as u32, 1),
        answer(ALLOW),
        // The third argument of each of these calls is the protection.
        load(32),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, libc::PROT_EXEC as u32),
        answer(REFUSE),
        answer(ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: `prctl` reads `filter` and the instructions that it points to only during the call, and both live longer. The
    // other arguments are plain numbers.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter), 0);
    }
}

fn step(code: u32, jump_if: u8, jump_else: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: jump_if, jf: jump_else, k: value }
}

#[test]
fn without_memory_for_code_everything_is_interpreted() {
    refuse_executable_memory();
    for mode in [Mode::Tiered, Mode::Jit] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut config = Config::new();
        config.mode(mode).tuning(Tuning { tier_up_after: 0, ..Tuning::default() });
        let tell = told.clone();
        config.observe(move |event| match event {
            TierEvent::Unavailable { why } => tell.lock().unwrap().push(why.to_string()),
            TierEvent::Compiled { result, .. } => assert!(result.is_err()),
            event => panic!("{event:?}"),
        });
        let engine = Engine::new(&config);
        let module = Module::new(
            &engine,
            r#"(module (memory 1)
                (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
                (func (export "run") (param $n i32) (result i32) (local $sum i32)
                    (loop
                        (i32.store (i32.const 8) (call $double (local.get $n)))
                        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 8))))
                        (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                    (local.get $sum)))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
        for _ in 0..3 {
            assert_eq!(run.call(&mut store, 1000).unwrap(), 1_001_000, "{mode}");
        }
        let report = engine.report();
        assert_eq!((report.functions, report.loops), (0, 0), "{report}");
        let why = report.unavailable.as_deref().expect("the report has a reason");
        assert!(why.contains("memory"), "{why}");
        assert!(report.to_string().contains(why), "{report}");
        assert_eq!(*told.lock().unwrap(), [why], "the observer gets the reason once");
    }
}
