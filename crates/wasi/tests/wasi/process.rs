//! Arguments, environment, clocks, random bytes, and the end of the guest.

use std::time::{Duration, SystemTime};

use wasmr_wasi::{BuildError, Errno, Exit, WasiCtx};

use crate::support::{DATA, Guest, MEMORY, OUT};

fn guest() -> Guest {
    Guest::new(WasiCtx::builder().build().unwrap())
}

/// Returns the strings that the calls `sizes` and `get` write.
fn strings(guest: &mut Guest, sizes: &str, get: &str) -> Vec<String> {
    guest.call(sizes, &[OUT.into(), (OUT + 4).into()]).unwrap();
    let (count, size) = (guest.u32(OUT), guest.u32(OUT + 4));
    guest.put(DATA, &vec![0xaa; size as usize + 1]);
    guest.call(get, &[(OUT + 8).into(), DATA.into()]).unwrap();
    assert_eq!(guest.bytes(DATA + size, 1), [0xaa], "no byte beyond");
    (0..count)
        .map(|i| {
            let ptr = guest.u32(OUT + 8 + 4 * i);
            let bytes: Vec<u8> = guest.memory[ptr as usize..].iter().copied().take_while(|b| *b != 0).collect();
            String::from_utf8(bytes).unwrap()
        })
        .collect()
}

#[test]
fn arguments_and_variables_arrive() {
    let mut builder = WasiCtx::builder();
    builder.arg("prog").arg("").arg("größe").env("A", "1").env("EMPTY", "").env("A", "x=y");
    let mut guest = Guest::new(builder.build().unwrap());
    assert_eq!(strings(&mut guest, "args_sizes_get", "args_get"), ["prog", "", "größe"]);
    assert_eq!(strings(&mut guest, "environ_sizes_get", "environ_get"), ["A=1", "EMPTY=", "A=x=y"]);
    let end = MEMORY as u32;
    for (pointers, buf) in [(end - 11, DATA), (OUT, end - 12), (u32::MAX, DATA), (OUT, u32::MAX)] {
        guest.fault("args_get", &[pointers.into(), buf.into()]);
    }
}

#[test]
fn strings_that_cannot_be_passed_are_refused_early() {
    let build = |set: &dyn Fn(&mut wasmr_wasi::WasiCtxBuilder)| {
        let mut builder = WasiCtx::builder();
        set(&mut builder);
        builder.build()
    };
    assert!(matches!(
        build(&|b| {
            b.arg("a\0b");
        }),
        Err(BuildError::Nul { .. })
    ));
    assert!(matches!(
        build(&|b| {
            b.env("a\0b", "");
        }),
        Err(BuildError::Nul { .. })
    ));
    assert!(matches!(
        build(&|b| {
            b.env("a", "\0");
        }),
        Err(BuildError::Nul { .. })
    ));
    assert!(matches!(
        build(&|b| {
            b.env("", "x");
        }),
        Err(BuildError::VariableName(_))
    ));
    assert!(matches!(
        build(&|b| {
            b.env("a=b", "x");
        }),
        Err(BuildError::VariableName(_))
    ));
    let half = "x".repeat(1 << 19);
    assert!(matches!(
        build(&|b| {
            b.arg(half.clone()).env("A", half.clone());
        }),
        Err(BuildError::TooManyStrings(_))
    ));
    assert!(
        build(&|b| {
            b.arg(half.clone());
        })
        .is_ok()
    );
}

#[test]
fn clocks_tell_the_time() {
    let mut guest = guest();
    let mut time = |id: u64| {
        guest.call("clock_time_get", &[id, 0, OUT.into()]).unwrap();
        guest.u64(OUT)
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert!(time(0).abs_diff(now) < 5_000_000_000);
    let (a, cpu) = (time(1), time(3));
    std::thread::sleep(Duration::from_millis(30));
    assert!(time(1) - a >= 30_000_000);
    assert!(time(3) - cpu < 25_000_000, "sleeping costs no CPU time");
    assert!(time(2) > 0);
    for id in 0..4 {
        guest.call("clock_res_get", &[id, OUT.into()]).unwrap();
        assert!((1..=100_000_000).contains(&guest.u64(OUT)), "resolution of clock {id}");
    }
    for id in [4, 99, u64::from(u32::MAX)] {
        assert_eq!(guest.call("clock_time_get", &[id, 0, OUT.into()]), Err(Errno::Inval));
        assert_eq!(guest.call("clock_res_get", &[id, OUT.into()]), Err(Errno::Inval));
    }
}

#[test]
fn random_bytes_fill_exactly_the_buffer() {
    let mut guest = guest();
    for len in [0u32, 1, 255, 256, 257, 65536, 65537, 150_000] {
        guest.memory.fill(0);
        guest.call("random_get", &[DATA.into(), len.into()]).unwrap();
        assert_eq!(guest.bytes(DATA - 16, 16), [0; 16]);
        assert_eq!(guest.bytes(DATA + len, 16), [0; 16]);
        let zeros = guest.bytes(DATA, len).iter().filter(|b| **b == 0).count();
        assert!(len < 255 || zeros < len as usize / 32, "{zeros} zeros in {len}");
    }
    let whole = MEMORY as u64;
    assert_eq!(guest.call("random_get", &[0, whole]), Ok(()));
    for (buf, len) in [(0, whole + 1), (whole, 1), (1, u64::from(u32::MAX)), (u64::from(u32::MAX), 1)] {
        guest.fault("random_get", &[buf, len]);
    }
}

#[test]
fn random_bytes_never_come_twice() {
    // Alternates between two guests. The sizes are a few bytes, a whole block of the generator, and more than one.
    let mut guests = [guest(), guest()];
    let mut seen = std::collections::HashSet::new();
    for len in [8u32, 16, 992, 1024, 8, 5000, 8] {
        for guest in &mut guests {
            guest.call("random_get", &[DATA.into(), len.into()]).unwrap();
            for word in guest.bytes(DATA, len).chunks_exact(8) {
                assert!(seen.insert(word.to_vec()), "{word:?} came twice");
            }
        }
    }
}

#[test]
fn the_embedders_random_bytes_are_used() {
    let mut builder = WasiCtx::builder();
    let mut next = 0u8;
    builder.random(move |bytes| {
        bytes.fill_with(|| {
            next = next.wrapping_add(1);
            next
        });
    });
    let mut guest = Guest::new(builder.build().unwrap());
    guest.call("random_get", &[DATA.into(), 3]).unwrap();
    guest.call("random_get", &[(DATA + 3).into(), 2]).unwrap();
    assert_eq!(guest.bytes(DATA, 6), [1, 2, 3, 4, 5, 0]);
}

#[test]
fn the_guest_ends_with_any_code() {
    let mut guest = guest();
    for code in [0, 1, 125, 126, 255, 256, u32::MAX] {
        assert_eq!(guest.try_call("proc_exit", &[code.into()]), Err(Exit::Code(code)));
    }
    for signal in [0, 9, 15, 255] {
        assert_eq!(guest.call("proc_raise", &[signal]), Err(Errno::Notsup));
    }
    assert_eq!(guest.call("sched_yield", &[]), Ok(()));
}

#[test]
fn the_high_half_of_a_narrow_argument_is_ignored() {
    let mut guest = guest();
    guest.call("clock_time_get", &[0xdead_beef_0000_0001, 0, 0xffff_ffff_0000_0000 | u64::from(OUT)]).unwrap();
    assert_ne!(guest.u64(OUT), 0);
}
