//! Every pointer of every call, at the last valid address and beyond. An invalid pointer ends the guest before the call has
//! any effect, whatever the other arguments are.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use wasmr_wasi::{Exit, GuestMemory, MODULES, MemoryFault, Pointer, Stdin, Stdout, find, rights};

use crate::support::{ALL, CREAT, DATA, Guest, MEMORY, granted};

const END: u64 = MEMORY as u64;
const FILE: u64 = 5;
const CONNECTION: u64 = 6;

/// An argument of a call that succeeds.
#[derive(Clone, Copy)]
enum Arg {
    /// A number.
    N(u64),
    /// A pointer to this text.
    Text(&'static str),
    /// A pointer to this many bytes with this alignment, for results or for zeros to read.
    Bytes(u64, u64),
    /// A pointer to one buffer of four bytes.
    List,
}

use Arg::{Bytes, List, N, Text};

const U32: Arg = Bytes(4, 4);
const U64: Arg = Bytes(8, 8);

impl Arg {
    /// Returns the size and alignment of the pointee.
    fn pointee(self) -> Option<(u64, u64)> {
        match self {
            N(_) => None,
            Text(text) => Some((text.len() as u64, 1)),
            Bytes(len, align) => Some((len, align)),
            List => Some((8, 4)),
        }
    }
}

/// Returns arguments with which the call succeeds.
fn arguments(module: &str, name: &str) -> Vec<Arg> {
    let stat = if module == "wasi_unstable" { Bytes(56, 8) } else { Bytes(64, 8) };
    let subscription = if module == "wasi_unstable" { Bytes(56, 8) } else { Bytes(48, 8) };
    let (directory, file, connection) = (N(3), N(FILE), N(CONNECTION));
    let (old, old_len, new, new_len) = (Text("file"), N(4), Text("new"), N(3));
    match name {
        "args_get" => vec![Bytes(8, 4), Bytes(7, 1)],
        "environ_get" => vec![Bytes(4, 4), Bytes(4, 1)],
        "args_sizes_get" | "environ_sizes_get" => vec![U32, U32],
        "clock_res_get" => vec![N(1), U64],
        "clock_time_get" => vec![N(1), N(0), U64],
        "fd_advise" => vec![file, N(0), N(8), N(0)],
        "fd_allocate" => vec![file, N(0), N(8)],
        "fd_close" | "fd_datasync" | "fd_sync" => vec![file],
        "fd_fdstat_get" => vec![file, Bytes(24, 8)],
        "fd_fdstat_set_flags" => vec![file, N(0)],
        "fd_fdstat_set_rights" => vec![file, N(rights::FD_READ), N(0)],
        "fd_filestat_get" => vec![file, stat],
        "fd_filestat_set_size" => vec![file, N(8)],
        "fd_filestat_set_times" => vec![file, N(0), N(0), N(0)],
        "fd_read" | "fd_write" => vec![file, List, N(1), U32],
        "fd_pread" | "fd_pwrite" => vec![file, List, N(1), N(0), U32],
        "fd_prestat_get" => vec![directory, Bytes(8, 4)],
        "fd_prestat_dir_name" => vec![directory, Bytes(1, 1), N(1)],
        "fd_readdir" => vec![directory, Bytes(64, 1), N(64), N(0), U32],
        "fd_renumber" => vec![file, N(0)],
        "fd_seek" => vec![file, N(0), N(1), U64],
        "fd_tell" => vec![file, U64],
        "path_create_directory" => vec![directory, new, new_len],
        "path_filestat_get" => vec![directory, N(0), old, old_len, stat],
        "path_filestat_set_times" => vec![directory, N(0), old, old_len, N(0), N(0), N(0)],
        "path_link" => vec![directory, N(0), old, old_len, directory, new, new_len],
        "path_open" => vec![directory, N(0), new, new_len, N(CREAT.into()), N(rights::FD_READ), N(0), N(0), U32],
        "path_readlink" => vec![directory, Text("link"), N(4), Bytes(6, 1), N(6), U32],
        "path_remove_directory" => vec![directory, Text("empty"), N(5)],
        "path_rename" => vec![directory, old, old_len, directory, new, new_len],
        "path_symlink" => vec![old, old_len, directory, new, new_len],
        "path_unlink_file" => vec![directory, old, old_len],
        "poll_oneoff" => vec![subscription, Bytes(32, 8), N(1), U32],
        "random_get" => vec![Bytes(5, 1), N(5)],
        "sched_yield" => vec![],
        "sock_accept" => vec![N(4), N(0), U32],
        "sock_recv" => vec![connection, List, N(1), N(0), U32, Bytes(2, 2)],
        "sock_send" => vec![connection, List, N(1), N(0), U32],
        "sock_shutdown" => vec![connection, N(3)],
        "proc_exit" | "proc_raise" => vec![N(0)],
        _ => panic!("no arguments for {name}"),
    }
}

/// A guest with a directory (3), a listener with a pending connection (4), a file (5), and a connection (6) with bytes to
/// receive.
struct World {
    guest: Guest,
    dir: tempfile::TempDir,
    _clients: [TcpStream; 2],
}

impl World {
    fn new(module: &'static str) -> World {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        std::os::unix::fs::symlink("target", dir.path().join("link")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut builder = granted(dir.path(), false);
        builder.arg("prog").arg("x").env("A", "b").listener(listener).stdin(Stdin::Bytes(vec![1; 100]));
        builder.stdout(Stdout::Discard).stderr(Stdout::Discard);
        let mut guest = Guest::new(builder.build().unwrap());
        assert_eq!(guest.open("file", CREAT, ALL), Ok(FILE as u32));
        guest.write(FILE as u32, b"contents").unwrap();
        guest.seek(FILE as u32, 2, 0).unwrap();
        let mut first = TcpStream::connect(address).unwrap();
        guest.call("sock_accept", &[4, 0, 0]).unwrap();
        assert_eq!(u64::from(guest.u32(0)), CONNECTION);
        first.write_all(b"hello").unwrap();
        let second = TcpStream::connect(address).unwrap();
        guest.memory.fill(0);
        guest.module = module;
        World { guest, dir, _clients: [first, second] }
    }

    /// Writes the arguments to memory and returns their slots. Argument `moved.0` is at address `moved.1`.
    fn place(&mut self, args: &[Arg], moved: Option<(usize, u64)>) -> Vec<u64> {
        let mut slots = Vec::new();
        for (index, arg) in args.iter().enumerate() {
            let usual = 0x1000 * (index as u64 + 1);
            let address = moved.filter(|(which, _)| *which == index).map_or(usual, |(_, address)| address);
            let contents = match arg {
                Text(text) => text.as_bytes().to_vec(),
                List => [DATA.to_le_bytes(), 4u32.to_le_bytes()].concat(),
                Bytes(..) | N(_) => Vec::new(),
            };
            if address + contents.len() as u64 <= END {
                self.guest.put(address as u32, &contents);
            }
            slots.push(if let N(number) = arg { *number } else { address });
        }
        slots
    }

    /// Returns the contents of the files, and the position in the open one.
    fn files(&mut self) -> (BTreeMap<String, Vec<u8>>, u64) {
        let memory = self.guest.memory.clone();
        let position = self.guest.tell(FILE as u32).unwrap();
        self.guest.memory = memory;
        (contents(self.dir.path()), position)
    }
}

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap_or_default())
    };
    std::fs::read_dir(dir).unwrap().map(entry).collect()
}

/// Runs `test` for every call of both modules with its arguments.
fn each_call(mut test: impl FnMut(&'static str, &'static str, &[Arg])) {
    for (module, calls) in MODULES {
        for call in calls {
            let args = arguments(module, call.name);
            let is_pointer: Vec<bool> = call.params.iter().map(|param| param.is_pointer).collect();
            assert_eq!(args.iter().map(|arg| arg.pointee().is_some()).collect::<Vec<_>>(), is_pointer, "{}", call.name);
            test(module, call.name, &args);
        }
    }
}

#[test]
fn a_pointer_to_the_last_valid_address_works() {
    each_call(|module, name, args| {
        for (index, arg) in args.iter().enumerate() {
            let Some((len, _)) = arg.pointee() else { continue };
            let mut world = World::new(module);
            let slots = world.place(args, Some((index, END - len)));
            assert_eq!(world.guest.call(name, &slots), Ok(()), "{module} {name} {slots:x?}");
        }
    });
}

#[test]
fn a_pointer_outside_ends_the_guest_before_anything_happens() {
    each_call(|module, name, args| {
        let mut world = World::new(module);
        let params = find(module, name).unwrap().params;
        for (index, arg) in args.iter().enumerate() {
            let Some((len, align)) = arg.pointee() else { continue };
            let around = 1 << 32;
            for address in [END - len + 1, END - len + align, END, around - len, around - align, around - 1] {
                let slots = world.place(args, Some((index, address)));
                // Invalid numbers are not reported before an invalid pointer.
                let wrong: Vec<u64> =
                    slots.iter().zip(args).map(|(&slot, arg)| if let N(0 | 3..=6) = arg { 77 } else { slot }).collect();
                for slots in [slots, wrong] {
                    let before = (world.guest.memory.clone(), world.files());
                    let pointer = Pointer::new(params[index].name, address as u32);
                    match world.guest.fault(name, &slots) {
                        MemoryFault::OutOfBounds { pointer: found, memory: END, .. } => {
                            assert_eq!(found, pointer, "{module} {name} {slots:x?}")
                        }
                        other => panic!("{module} {name} {slots:x?}: {other:?}"),
                    }
                    assert_eq!(before, (world.guest.memory.clone(), world.files()), "{module} {name} {slots:x?}");
                }
            }
        }
        let guest = &mut world.guest;
        assert_eq!(guest.read(0, 200).map(|bytes| bytes.len()), Ok(100), "no input was lost");
        assert_eq!(guest.read(CONNECTION as u32, 200), Ok(b"hello".to_vec()), "nothing was received");
        assert_eq!(guest.open("new", CREAT, rights::FD_READ), Ok(7), "no number was lost");
    });
}

#[test]
fn a_buffer_of_a_list_is_checked_before_anything_happens() {
    each_call(|module, name, args| {
        let Some(list) = args.iter().position(|arg| matches!(arg, List)) else { return };
        let mut world = World::new(module);
        let mut slots = world.place(args, None);
        slots[list + 1] = 2;
        let elements = |world: &mut World, second: (u32, u32)| {
            for (at, number) in [DATA, 4, second.0, second.1].into_iter().enumerate() {
                world.guest.put(slots[list] as u32 + 4 * at as u32, &number.to_le_bytes());
            }
        };
        let param = find(module, name).unwrap().params[list].name;
        let end = END as u32;
        for (address, len) in [(end - 3, 4), (end, 1), (0, end + 1), (1, u32::MAX), (u32::MAX, 1), (u32::MAX, u32::MAX)]
        {
            elements(&mut world, (address, len));
            let before = (world.guest.memory.clone(), world.files());
            for fd in [slots[0], 77] {
                let mut slots = slots.clone();
                slots[0] = fd;
                let pointer = Pointer { index: Some(1), ..Pointer::new(param, address) };
                let fault = MemoryFault::OutOfBounds { pointer, len: len.into(), memory: END };
                assert_eq!(world.guest.fault(name, &slots), fault);
            }
            assert_eq!(before, (world.guest.memory.clone(), world.files()), "{module} {name} {address:#x} {len}");
        }
        for second in [(end - 4, 4), (end, 0), (end + 1, 0), (u32::MAX, 0)] {
            let mut world = World::new(module);
            world.place(args, None);
            elements(&mut world, second);
            assert_eq!(world.guest.call(name, &slots), Ok(()), "{module} {name} {second:x?}");
        }
    });
}

#[test]
fn a_pointer_to_no_bytes_may_have_any_value() {
    each_call(|module, name, args| {
        let params = find(module, name).unwrap().params;
        for (index, param) in params.iter().enumerate().filter(|(_, param)| param.is_pointer) {
            let of_it = |name: &str| name.strip_suffix("_len") == Some(param.name);
            let Some(len) = params.iter().position(|param| of_it(param.name)) else { continue };
            for address in [END - 1, END, END + 1, u32::MAX.into()] {
                let mut world = World::new(module);
                let mut slots = world.place(args, Some((index, address)));
                slots[len] = 0;
                let outcome = world.guest.try_call(name, &slots);
                assert!(outcome.is_ok(), "{module} {name} {slots:x?}: {outcome:?}");
            }
        }
    });
    let mut world = World::new(MODULES[0].0);
    let no_strings = wasmr_wasi::WasiCtx::builder().build().unwrap();
    world.guest.ctx = no_strings;
    assert_eq!(world.guest.call("args_get", &[END + 5, u32::MAX.into()]), Ok(()));
}

#[test]
fn a_misaligned_pointer_ends_the_guest_before_anything_happens() {
    each_call(|module, name, args| {
        let mut world = World::new(module);
        let params = find(module, name).unwrap().params;
        for (index, arg) in args.iter().enumerate() {
            let Some((_, align)) = arg.pointee() else { continue };
            for off in (0..4).map(|bit| 1 << bit).filter(|off| *off < align) {
                let address = 0x8000 + off;
                let slots = world.place(args, Some((index, address)));
                let before = (world.guest.memory.clone(), world.files());
                let pointer = Pointer::new(params[index].name, address as u32);
                let fault = MemoryFault::Misaligned { pointer, align: align as u32 };
                assert_eq!(world.guest.fault(name, &slots), fault);
                assert_eq!(before, (world.guest.memory.clone(), world.files()), "{module} {name} {slots:x?}");
            }
        }
    });
}

#[test]
fn calls_without_pointers_work_without_a_memory() {
    each_call(|module, name, args| {
        let call = find(module, name).unwrap();
        let mut world = World::new(module);
        let slots = world.place(args, None);
        let outcome = (call.func)(&mut world.guest.ctx, &mut GuestMemory::new(None), &slots);
        if call.params.iter().any(|param| param.is_pointer) {
            assert_eq!(outcome, Err(Exit::Memory(MemoryFault::NoMemory)), "{module} {name}");
        } else {
            assert!(matches!(outcome, Ok(_) | Err(Exit::Code(0))), "{module} {name}: {outcome:?}");
        }
    });
}
