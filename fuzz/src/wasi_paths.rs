//! Makes a guest's file calls in any order and with any arguments. Some directories of the tree are granted, others are not.
//!
//! The name of a parameter in the table of calls selects the range of its argument. Every call is therefore covered, and most
//! arguments are meaningful. A run fails if anything outside the writable directories changed ([`Tree::check`]), if secret bytes
//! or inodes reached the guest's memory, or if a descriptor stayed open.

use std::cell::RefCell;

use arbitrary::{Result, Unstructured};
use wasmr_runtime::InterruptHandle;
use wasmr_wasi::{Call, Exit, GuestMemory, MODULES, Param, ParamType, Stdin, Stdout, WasiCtx, WasiCtxBuilder};

use crate::wasi_tree::{MAGIC, Tree};

/// Maximum number of calls of a run.
const CALLS: usize = 80;

/// Addresses in memory: results, paths, buffer arrays, buffers.
const RESULTS: u32 = 64;
const PATHS: u32 = 1024;
const VECTORS: u32 = 16 << 10;
const BUFFER: u32 = 32 << 10;
const MEMORY: usize = 64 << 10;

/// The largest error number of WASI.
const LAST_ERRNO: u32 = 76;

/// Parts that paths are made of.
const PARTS: [&str; 24] = [
    "..",
    "f",
    "d",
    "e",
    "g",
    ".",
    "a",
    "b",
    "new",
    "up",
    "out",
    "secret",
    "abs",
    "absdir",
    "loop",
    "in",
    "dangling",
    "danglingout",
    "proc",
    "fifo",
    "second",
    "readable",
    "outside",
    "",
];

/// Makes the calls that the bytes select.
pub fn run(data: &[u8]) {
    thread_local! {
        static TREE: RefCell<Tree> = RefCell::new(Tree::new().expect("a temporary directory can be made"));
    }
    TREE.with_borrow(|tree| {
        tree.reset().expect("the writable directories can be made anew");
        let open_before = open_descriptors();
        let mut log = Vec::new();
        // An error means that the bytes are used up, which ends the calls.
        let _ = calls(tree, &mut Unstructured::new(data), &mut log);
        let verdict = tree.check();
        assert!(verdict.is_ok(), "{}\nafter {log:#?}", verdict.unwrap_err());
        assert_eq!(open_descriptors(), open_before, "descriptors stayed open after {log:#?}");
    });
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn context(tree: &Tree) -> WasiCtx {
    let mut builder = WasiCtxBuilder::default();
    builder.stdin(Stdin::Bytes(b"some input".to_vec())).stdout(Stdout::Discard).stderr(Stdout::Discard);
    builder.arg("guest").env("NAME", "value").max_fds(32);
    for (name, guest, read_only) in
        [("first", "/", false), ("readable", "/readable", true), ("second", "/second", false)]
    {
        builder.dir(tree.open(name).expect("it is there"), guest, read_only);
    }
    let mut ctx = builder.build().expect("few descriptors");
    // A call that would wait ends the guest instead.
    let interrupt = InterruptHandle::new();
    interrupt.interrupt();
    ctx.set_interrupt_handle(Some(interrupt));
    ctx
}

fn calls(tree: &Tree, u: &mut Unstructured<'_>, log: &mut Vec<String>) -> Result<()> {
    let mut ctx = context(tree);
    let mut memory = vec![0; MEMORY];
    // Four buffers of different sizes, the last two of which overlap.
    for (index, (pointer, length)) in
        [(BUFFER, 40u32), (BUFFER + 100, 3000), (BUFFER + 8192, 200), (BUFFER + 8200, 99)].into_iter().enumerate()
    {
        let at = VECTORS as usize + 8 * index;
        memory[at..at + 4].copy_from_slice(&pointer.to_le_bytes());
        memory[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
    }
    while log.len() < CALLS && !u.is_empty() {
        let module = if u.ratio(1, 10)? { &MODULES[1] } else { &MODULES[0] };
        let call = u.choose(module.1)?;
        if call.name == "proc_exit" {
            continue;
        }
        let (slots, shown) = arguments(call, u, &mut memory)?;
        log.push(format!("{}({shown})", call.name));
        let result = (call.func)(&mut ctx, &mut GuestMemory::new(Some(&mut memory)), &slots);
        let errno = match result {
            Ok(errno) => errno,
            // This error would end the guest. The run continues, so that later checks show if the call had an effect.
            Err(Exit::Memory(_)) => continue,
            Err(_) => break,
        };
        log.last_mut().expect("just pushed").push_str(&format!(" = {errno}"));
        assert!(errno <= LAST_ERRNO, "no such error number: {log:#?}");
        assert!(!holds_magic(&memory), "a secret is in the guest's memory: {log:#?}");
        if errno == 0 && call.name.ends_with("filestat_get") {
            let word = |at: usize| u64::from_le_bytes(memory[at..at + 8].try_into().expect("eight bytes"));
            // The upper half of the slot of an i32 is ignored.
            let stat = *slots.last().expect("it has parameters") as u32 as usize;
            assert!(!tree.is_secret(word(stat), word(stat + 8)), "a secret file was reached: {log:#?}");
        }
    }
    Ok(())
}

/// Returns the slots of a call's arguments, and their text for the log.
fn arguments(call: &Call, u: &mut Unstructured<'_>, memory: &mut [u8]) -> Result<(Vec<u64>, String)> {
    let mut slots: Vec<u64> = Vec::new();
    let mut shown = String::new();
    let mut path_end = PATHS;
    let mut path_length = 0;
    for &Param { name, ty, .. } in call.params {
        let value: u64 = if u.ratio(1, 60)? {
            u.arbitrary()?
        } else {
            match name {
                "fd" | "old_fd" | "new_fd" | "to" => u64::from(u.int_in_range(0..=11u8)?),
                "path" | "old_path" | "new_path" => {
                    let path = path(u)?;
                    let start = path_end;
                    memory[start as usize..start as usize + path.len()].copy_from_slice(&path);
                    path_length = path.len() as u64;
                    path_end += path.len() as u32;
                    shown.push_str(&format!("{:?} ", String::from_utf8_lossy(&path)));
                    start.into()
                }
                "path_len" | "old_path_len" | "new_path_len" => path_length,
                "flags" | "dirflags" | "old_flags" => u64::from(u.arbitrary::<bool>()?),
                "oflags" => u64::from(u.arbitrary::<u8>()? & 15),
                "fdflags" => u64::from(u.arbitrary::<u8>()? & 31),
                "fst_flags" => u64::from(u.arbitrary::<u8>()? & 15),
                "rights_base" | "rights_inheriting" if u.ratio(3, 4)? => (1 << 30) - 1,
                "iovs" | "si_data" | "ri_data" => VECTORS.into(),
                "iovs_len" | "si_data_len" | "ri_data_len" => u64::from(u.int_in_range(0..=4u8)?),
                "buf" => BUFFER.into(),
                "buf_len" => u.arbitrary::<u16>()?.min(BUFFER as u16 - 1).into(),
                // A guest may fill the disk, but the fuzzer must not.
                "len" if call.name == "fd_allocate" => u.int_in_range(0..=1 << 16)?,
                "offset" | "cookie" | "size" | "len" => match u.arbitrary::<u8>()? {
                    byte @ 0..=199 => byte.into(),
                    byte @ 200..=240 => 1 << (byte - 200),
                    _ => u.arbitrary()?,
                },
                "nsubscriptions" => u64::from(u.int_in_range(0..=3u8)?),
                _ if ty == ParamType::I32 => (RESULTS + u32::from(u.int_in_range(0..=7u8)?) * 64).into(),
                _ => u.arbitrary()?,
            }
        };
        let value = match (call.name, name) {
            // This limit holds for arbitrary numbers too.
            ("fd_allocate", "len" | "offset") => value.min(1 << 20),
            _ => value,
        };
        shown.push_str(&format!("{name}={value:#x} "));
        slots.push(value);
    }
    Ok((slots, shown.trim_end().to_owned()))
}

/// Returns a path of known parts, or a few arbitrary bytes.
fn path(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    if u.ratio(1, 16)? {
        let length = u.int_in_range(0..=8usize)?;
        return Ok(u.bytes(length.min(u.len()))?.to_vec());
    }
    let mut path = String::new();
    if u.ratio(1, 24)? {
        path.push('/');
    }
    for index in 0..u.int_in_range(1..=4u8)? {
        if index > 0 {
            path.push('/');
        }
        path.push_str(u.choose(&PARTS)?);
    }
    if u.ratio(1, 8)? {
        path.push('/');
    }
    Ok(path.into_bytes())
}

/// Returns true if the memory contains [`MAGIC`]. A plain comparison would reveal the text to the fuzzer.
fn holds_magic(memory: &[u8]) -> bool {
    let disguised = |bytes: &[u8]| bytes.iter().fold(0u32, |sum, &byte| sum.rotate_left(7) ^ u32::from(byte));
    let wanted = disguised(MAGIC.as_bytes());
    let first = MAGIC.as_bytes()[0];
    let starts = memory.windows(MAGIC.len()).filter(|window| window[0] == first);
    starts.into_iter().any(|window| disguised(window) == wanted && window == MAGIC.as_bytes())
}
