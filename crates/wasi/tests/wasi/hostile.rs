//! Lengths and numbers of a hostile guest. Each call must return quickly, and the host must not allocate memory for the
//! guest's numbers. `pointers.rs` tests pointers.

use std::time::{Duration, Instant};

use wasmr_wasi::{Errno, MODULES, ParamType, Stdin, Stdout};

use crate::support::{ALL, CREAT, DATA, Guest, MEMORY, OUT, ROOT, alone, granted, proc_status};

/// Returns a guest with open descriptors of several kinds: 0 to 2 in memory, 3 a directory, 4 a file.
fn guest() -> (tempfile::TempDir, Guest) {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = granted(dir.path(), false);
    builder.arg("prog").env("A", "b").stdin(Stdin::Bytes(vec![1; 100]));
    builder.stdout(Stdout::Discard).stderr(Stdout::Discard);
    let mut guest = Guest::new(builder.build().unwrap());
    let fd = guest.open("file", CREAT, ALL).unwrap();
    guest.write(fd, b"contents").unwrap();
    guest.memory.fill(0);
    (dir, guest)
}

/// Generator of pseudo-random numbers, the same in each run ([xorshift](https://doi.org/10.18637/jss.v008.i14)).
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick(&mut self, from: &[u64]) -> u64 {
        from[(self.next() % from.len() as u64) as usize]
    }
}

#[test]
fn odd_arguments_never_panic_or_hang() {
    let end = MEMORY as u64;
    let narrow = [
        0,
        1,
        2,
        3,
        4,
        5,
        8,
        24,
        48,
        64,
        0x800,
        0x1000,
        end - 64,
        end - 8,
        end - 4,
        end - 1,
        end,
        end + 1,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_0000,
        0xffff_fffe,
        0xffff_ffff,
    ];
    let wide = [0, 1, 7, 1 << 31, 1 << 32, (1 << 62) + 1, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];
    let begin = Instant::now();
    let mut sequence = Sequence(0x9e37_79b9_7f4a_7c15);
    for (module, calls) in MODULES {
        for call in calls {
            let (mut _dir, mut guest) = guest();
            guest.module = module;
            for round in 0..600 {
                let slots: Vec<u64> = call
                    .params
                    .iter()
                    .map(|param| if param.ty == ParamType::I32 { sequence.pick(&narrow) } else { sequence.pick(&wide) })
                    .collect();
                // Some of these subscriptions would sleep for centuries.
                let sleeps = call.name == "poll_oneoff" && guest.memory.iter().any(|b| *b != 0);
                if sleeps {
                    guest.memory.fill(0);
                }
                let _ = guest.try_call(call.name, &slots);
                if round % 100 == 99 {
                    (_dir, guest) = self::guest();
                    guest.module = module;
                }
            }
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(120));
}

#[test]
fn overlapping_buffers_are_a_short_read() {
    let (_dir, mut guest) = guest();
    guest.seek(4, 0, 0).unwrap();
    for (i, (ptr, len)) in [(DATA, 4u32), (DATA + 2, 4)].into_iter().enumerate() {
        guest.put(0x800 + 8 * i as u32, &ptr.to_le_bytes());
        guest.put(0x804 + 8 * i as u32, &len.to_le_bytes());
    }
    guest.call("fd_read", &[4, 0x800, 2, OUT.into()]).unwrap();
    assert_eq!(guest.u32(OUT), 4);
    assert_eq!(guest.bytes(DATA, 6), b"cont\0\0");
    guest.call("fd_write", &[4, 0x800, 2, OUT.into()]).unwrap();
    assert_eq!(guest.u32(OUT), 8, "writing may overlap");
    assert_eq!(guest.contents("file"), Ok(b"contcontnt\0\0".to_vec()));
}

#[test]
fn too_many_buffers_are_refused() {
    let (_dir, mut guest) = guest();
    for call in ["fd_read", "fd_write"] {
        assert_eq!(guest.call(call, &[4, 0, 1024, OUT.into()]), Ok(()), "empty ones");
        for count in [1025, MEMORY as u64 / 8] {
            assert_eq!(guest.call(call, &[4, 0, count, OUT.into()]), Err(Errno::Inval), "{call} {count}");
        }
        for count in [MEMORY as u64 / 8 + 1, 0x1fff_ffff, 0x2000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            guest.fault(call, &[4, 0, count, OUT.into()]);
        }
    }
}

#[test]
fn padding_is_zero() {
    let (_dir, mut guest) = guest();
    for (call, slots, size, holes) in [
        ("fd_fdstat_get", vec![4, OUT.into()], 24, &[(1, 1), (4, 4)][..]),
        ("fd_filestat_get", vec![4, OUT.into()], 64, &[(17, 7)]),
        ("fd_prestat_get", vec![3, OUT.into()], 8, &[(1, 3)]),
    ] {
        guest.put(OUT, &[0xaa; 80]);
        guest.call(call, &slots).unwrap();
        for &(at, len) in holes {
            let bytes = guest.bytes(OUT + at, len);
            assert!(bytes.iter().all(|b| *b == 0), "{call} at {at}: {bytes:?}");
        }
        assert_eq!(guest.bytes(OUT + size, 8), [0xaa; 8], "{call} writes {size} bytes");
    }
}

#[test]
fn lengths_take_no_host_memory() {
    alone("hostile::lengths_take_no_host_memory", || {
        let (_dir, mut guest) = guest();
        const SIZE: usize = 3 << 30;
        guest.memory = vec![0; SIZE];
        for (i, value) in [0u32, 1 << 31, 0, 1 << 31].into_iter().enumerate() {
            guest.put(0x800 + 4 * i as u32, &value.to_le_bytes());
        }
        let before = proc_status("VmHWM:");
        for len in [1u64 << 16, 1 << 30, (1 << 31) - 1, 1 << 31, 0xbfff_0000, 0xffff_ffff] {
            for (call, slots) in [
                ("path_open", vec![3, 0, 0x1000, len, 0, 0, 0, 0, 64]),
                ("path_create_directory", vec![3, 0x1000, len]),
                ("path_symlink", vec![0x1000, len, 3, 0x1000, len]),
                ("path_readlink", vec![3, 0x1000, len, 0x1000, len, 64]),
                ("path_rename", vec![3, 0x1000, len, 3, 0x1000, len]),
                ("fd_readdir", vec![3, 0x1000, len, 0, 64]),
                ("fd_readdir", vec![3, 0x1000, len, u64::MAX, 64]),
                ("fd_prestat_dir_name", vec![3, 0x1000, len]),
                ("fd_read", vec![0, 0x800, 1, 64]),
                ("fd_read", vec![0, 0x1000, len, 64]),
                ("fd_pread", vec![4, 0x800, 1, 0, 64]),
                ("fd_write", vec![1, 0x800, 2, 64]),
                ("fd_write", vec![1, 0x1000, len, 64]),
                ("poll_oneoff", vec![0x1000, 0x1000, len, 64]),
            ] {
                let begin = Instant::now();
                let _ = guest.try_call(call, &slots);
                assert!(begin.elapsed() < Duration::from_secs(5), "{call} {len:#x}");
            }
        }
        let grown = proc_status("VmHWM:") - before;
        assert!(grown < 16 << 10, "{grown} KiB more");
        assert_eq!(ROOT, 3);
    });
}
