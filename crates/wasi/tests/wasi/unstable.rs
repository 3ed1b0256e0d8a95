//! `wasi_unstable`, the predecessor of Preview 1: four calls differ, and all others are the same.

use wasmr_wasi::{Errno, MODULES, find};

use crate::support::{ALL, CREAT, DATA, Guest, OUT, PREVIEW1, ROOT};

const UNSTABLE: &str = "wasi_unstable";

fn guest() -> (tempfile::TempDir, Guest) {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::in_dir(dir.path());
    guest.create("f", b"0123456789");
    guest.link("f", "hard").unwrap();
    guest.module = UNSTABLE;
    (dir, guest)
}

#[test]
fn the_file_status_is_shorter() {
    let (_dir, mut guest) = guest();
    let fd = guest.open("f", CREAT, ALL).unwrap();
    guest.module = PREVIEW1;
    let new = guest.fd_stat(fd).unwrap();
    guest.module = UNSTABLE;
    let [ptr, len] = guest.path("f");
    for (call, slots) in
        [("fd_filestat_get", vec![fd.into(), OUT.into()]), ("path_filestat_get", vec![3, 1, ptr, len, OUT.into()])]
    {
        guest.put(OUT, &[0xaa; 64]);
        guest.call(call, &slots).unwrap();
        assert_eq!((guest.u64(OUT), guest.u64(OUT + 8)), (new.dev, new.ino));
        assert_eq!(guest.bytes(OUT + 16, 8), [4, 0, 0, 0, 2, 0, 0, 0], "type, padding, 32-bit link count");
        assert_eq!(guest.u64(OUT + 24), 10);
        assert_eq!([32, 40, 48].map(|at| guest.u64(OUT + at)), [new.atim, new.mtim, new.ctim]);
        assert_eq!(guest.bytes(OUT + 56, 8), [0xaa; 8], "56 bytes");
        let mut at_end = slots.clone();
        *at_end.last_mut().unwrap() = crate::support::MEMORY as u64 - 56;
        assert_eq!(guest.call(call, &at_end), Ok(()), "{call} at the end of memory");
    }
}

#[test]
fn seeks_number_their_origins_differently() {
    let (_dir, mut guest) = guest();
    let fd = guest.open("f", CREAT, ALL).unwrap();
    assert_eq!(guest.seek(fd, 4, 2), Ok(4), "from the start");
    assert_eq!(guest.seek(fd, 1, 0), Ok(5), "from here");
    assert_eq!(guest.seek(fd, -1, 1), Ok(9), "from the end");
    assert_eq!(guest.seek(fd, -1, 2), Err(Errno::Inval));
    assert_eq!(guest.seek(fd, 0, 3), Err(Errno::Inval));
    assert_eq!(guest.tell(fd), Ok(9));
}

#[test]
fn subscriptions_are_longer() {
    let (_dir, mut guest) = guest();
    let fd = guest.open("f", CREAT, ALL).unwrap();
    // A monotonic clock in the far future, then a file.
    let mut clock = [0xaa; 56];
    clock[..8].copy_from_slice(&7u64.to_le_bytes());
    clock[8] = 0;
    clock[24..28].copy_from_slice(&1u32.to_le_bytes());
    clock[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    clock[48..50].copy_from_slice(&0u16.to_le_bytes());
    let mut file = [0xaa; 56];
    file[..8].copy_from_slice(&8u64.to_le_bytes());
    file[8] = 1;
    file[16..20].copy_from_slice(&fd.to_le_bytes());
    guest.put(DATA, &clock);
    guest.put(DATA + 56, &file);
    guest.call("poll_oneoff", &[DATA.into(), (DATA + 256).into(), 2, OUT.into()]).unwrap();
    assert_eq!((guest.u32(OUT), guest.u64(DATA + 256), guest.u64(DATA + 256 + 16)), (1, 8, 10));

    clock[32..40].copy_from_slice(&1_000_000u64.to_le_bytes());
    guest.put(DATA, &clock);
    guest.call("poll_oneoff", &[DATA.into(), (DATA + 256).into(), 1, OUT.into()]).unwrap();
    assert_eq!((guest.u32(OUT), guest.u64(DATA + 256)), (1, 7));
}

#[test]
fn the_rest_is_the_same() {
    let differing = ["fd_filestat_get", "path_filestat_get", "fd_seek", "poll_oneoff"];
    for call in MODULES[0].1 {
        let Some(old) = find(UNSTABLE, call.name) else {
            assert_eq!(call.name, "sock_accept");
            continue;
        };
        assert_eq!((old.params, old.result), (call.params, call.result), "{}", call.name);
    }
    assert!(differing.iter().all(|name| find(UNSTABLE, name).is_some()));
    let (_dir, mut guest) = guest();
    assert_eq!(guest.contents("f"), Ok(b"0123456789".to_vec()));
    assert_eq!(guest.readdir_once(ROOT, 4096, 0).unwrap().0.len(), 4);
}
