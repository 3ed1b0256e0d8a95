//! A guest for tests: a context, a memory, and calls by name with raw arguments, as an engine makes them.
//!
//! With `WASMR_TEST_OLD_KERNEL` in the environment, the kernel behaves towards this process as before Linux 5.6, so that the
//! tests cover the fallback for resolving paths. `WASMR_TEST_ALONE` names the test that runs alone in a process, because it
//! measures the whole process.

use std::path::Path;
use std::process::Command;
use std::sync::Once;

use wasmr_wasi::{Errno, Exit, GuestMemory, MemoryFault, WasiCtx, WasiCtxBuilder, find, rights};

/// Environment variable that makes the kernel refuse newer system calls.
pub const OLD_KERNEL: &str = "WASMR_TEST_OLD_KERNEL";

/// Environment variable that names the test that runs alone.
const ALONE: &str = "WASMR_TEST_ALONE";

pub const PREVIEW1: &str = "wasi_snapshot_preview1";

pub const CREAT: u32 = 1;
pub const DIRECTORY: u32 = 2;
pub const EXCL: u32 = 4;
pub const TRUNC: u32 = 8;

pub const APPEND: u32 = 1;
pub const NONBLOCK: u32 = 4;
pub const SYNC: u32 = 16;

pub const READ: u64 = rights::FD_READ;
pub const WRITE: u64 = rights::FD_WRITE;
/// Rights that wasi-libc asks for with `O_RDWR`.
pub const ALL: u64 = rights::ALL;
/// Rights that wasi-libc asks for with `O_RDONLY`.
pub const ALL_BUT_WRITE: u64 =
    rights::ALL & !(rights::FD_DATASYNC | rights::FD_WRITE | rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE);

/// The first granted directory.
pub const ROOT: u32 = 3;

/// Addresses for paths.
const PATH_AT: [u32; 2] = [0x1000, 0x3000];
/// Address for an iovec.
const IOVEC_AT: u32 = 0x0800;
/// Address for small results.
pub const OUT: u32 = 0x0100;
/// Address for data.
pub const DATA: u32 = 0x1_0000;
/// Size of the memory in bytes.
pub const MEMORY: usize = 0x4_0000;

/// A context with a memory.
pub struct Guest {
    pub ctx: WasiCtx,
    pub memory: Vec<u8>,
    pub module: &'static str,
}

/// The fields of a `filestat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub filetype: u8,
    pub nlink: u64,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
    pub ctim: u64,
}

/// The fields of an `fdstat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fdstat {
    pub filetype: u8,
    pub flags: u16,
    pub base: u64,
    pub inheriting: u64,
}

/// One directory entry. Bytes of its name that are not UTF-8 are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub next: u64,
    pub ino: u64,
    pub filetype: u8,
    pub name: String,
}

/// Opens a host directory to be granted.
pub fn host_dir(path: &Path) -> cap_std::fs::Dir {
    age_kernel();
    cap_std::fs::Dir::open_ambient_dir(path, cap_std::ambient_authority()).expect("open a test directory")
}

/// Returns a builder with `path` granted as `/`.
pub fn granted(path: &Path, read_only: bool) -> WasiCtxBuilder {
    let mut builder = WasiCtx::builder();
    builder.dir(host_dir(path), "/", read_only);
    builder
}

/// Makes the kernel behave like an old one if the environment asks for it, and checks the effect: no `openat2`, and
/// `utimensat` fails for an empty path.
pub fn age_kernel() {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, openat2, utimensat};
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os(OLD_KERNEL).is_some() {
            install_filters();
            let opened = openat2(CWD, ".", OFlags::RDONLY, Mode::empty(), ResolveFlags::empty());
            assert_eq!(opened.err(), Some(rustix::io::Errno::NOSYS), "the filter must refuse openat2");
            let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
            let times = Timestamps { last_access: omit, last_modification: omit };
            let set = utimensat(CWD, "", &times, AtFlags::EMPTY_PATH);
            assert_eq!(set, Err(rustix::io::Errno::INVAL), "the filter must refuse an empty path");
        }
    });
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
fn install_filters() {
    use seccompiler::SeccompCmpArgLen::Dword;
    use seccompiler::SeccompCmpOp::MaskedEq;
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
    };
    const SYS_OPENAT2: i64 = 437;
    const SYS_UTIMENSAT: i64 = if cfg!(target_arch = "x86_64") { 280 } else { 88 };
    const AT_EMPTY_PATH: u64 = 0x1000;
    const EINVAL: u32 = 22;
    const ENOSYS: u32 = 38;
    let empty_path = SeccompCondition::new(3, Dword, MaskedEq(AT_EMPTY_PATH), AT_EMPTY_PATH).expect("condition");
    let empty_path = SeccompRule::new(vec![empty_path]).expect("rule");
    for (call, rules, errno) in [(SYS_OPENAT2, vec![], ENOSYS), (SYS_UTIMENSAT, vec![empty_path], EINVAL)] {
        let arch: TargetArch = std::env::consts::ARCH.try_into().expect("an architecture with filters");
        let rules = [(call, rules)].into();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), arch);
        let program: BpfProgram = filter.expect("filter").try_into().expect("program");
        apply_filter_all_threads(&program).expect("install the filter");
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
fn install_filters() {
    panic!("system calls cannot be filtered on this architecture");
}

/// Returns a command that runs this test binary again.
pub fn this_binary() -> Command {
    Command::new(std::env::current_exe().expect("own path"))
}

/// Runs the command. Fails with its output unless at least one test ran and all passed.
pub fn expect_success(command: &mut Command) {
    let output = command.output().expect("run the tests again");
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && text.contains("test result: ok") && !text.contains(" 0 passed");
    assert!(passed, "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs `body` in a process of its own, so that no other test opens files or takes memory there. `name` is the test's full
/// name.
pub fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var(ALONE).is_ok_and(|alone| alone == name) {
        body();
    } else {
        expect_success(this_binary().args(["--exact", name]).env(ALONE, name));
    }
}

impl Guest {
    pub fn new(ctx: WasiCtx) -> Self {
        Guest { ctx, memory: vec![0; MEMORY], module: PREVIEW1 }
    }

    /// Returns a guest with one directory, granted as `/`.
    pub fn in_dir(path: &Path) -> Self {
        Guest::new(granted(path, false).build().expect("build"))
    }

    /// Returns a guest with one directory, granted read-only as `/`.
    pub fn in_read_only_dir(path: &Path) -> Self {
        Guest::new(granted(path, true).build().expect("build"))
    }

    /// Makes a call that may end the guest.
    pub fn try_call(&mut self, name: &str, slots: &[u64]) -> Result<u32, Exit> {
        let call = find(self.module, name).unwrap_or_else(|| panic!("no call {name}"));
        (call.func)(&mut self.ctx, &mut GuestMemory::new(Some(&mut self.memory)), slots)
    }

    /// Makes a call after which the guest continues.
    pub fn call(&mut self, name: &str, slots: &[u64]) -> Result<(), Errno> {
        match self.try_call(name, slots).expect("the guest goes on") {
            0 => Ok(()),
            number => Err(Errno::ALL[number as usize]),
        }
    }

    /// Makes a call with an invalid pointer, and returns the fault.
    pub fn fault(&mut self, name: &str, slots: &[u64]) -> MemoryFault {
        match self.try_call(name, slots) {
            Err(Exit::Memory(fault)) => fault,
            other => panic!("{name} {slots:x?} does not fault: {other:?}"),
        }
    }

    pub fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    pub fn bytes(&self, at: u32, len: u32) -> &[u8] {
        &self.memory[at as usize..(at + len) as usize]
    }

    pub fn u16(&self, at: u32) -> u16 {
        u16::from_le_bytes(self.bytes(at, 2).try_into().unwrap())
    }

    pub fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().unwrap())
    }

    pub fn u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().unwrap())
    }

    /// Writes a path to memory. Returns its address and length.
    pub fn path_bytes(&mut self, which: usize, path: &[u8]) -> [u64; 2] {
        self.put(PATH_AT[which], path);
        [PATH_AT[which].into(), path.len() as u64]
    }

    pub fn path(&mut self, path: &str) -> [u64; 2] {
        self.path_bytes(0, path.as_bytes())
    }

    /// Calls `path_open` with all its arguments.
    pub fn open_full(
        &mut self,
        dir: u32,
        follow: bool,
        path: &[u8],
        oflags: u32,
        (base, inheriting): (u64, u64),
        fdflags: u32,
    ) -> Result<u32, Errno> {
        let [ptr, len] = self.path_bytes(0, path);
        let slots = [dir.into(), follow.into(), ptr, len, oflags.into(), base, inheriting, fdflags.into(), OUT.into()];
        self.call("path_open", &slots)?;
        Ok(self.u32(OUT))
    }

    /// Calls `path_open` below the root, following links and passing all rights on.
    pub fn open(&mut self, path: &str, oflags: u32, base: u64) -> Result<u32, Errno> {
        self.open_full(ROOT, true, path.as_bytes(), oflags, (base, ALL), 0)
    }

    pub fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.call("fd_close", &[fd.into()])
    }

    fn iovec(&mut self, ptr: u32, len: u32) -> [u64; 2] {
        self.put(IOVEC_AT, &ptr.to_le_bytes());
        self.put(IOVEC_AT + 4, &len.to_le_bytes());
        [IOVEC_AT.into(), 1]
    }

    pub fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32, Errno> {
        self.put(DATA, bytes);
        let [iovs, count] = self.iovec(DATA, bytes.len() as u32);
        self.call("fd_write", &[fd.into(), iovs, count, OUT.into()])?;
        Ok(self.u32(OUT))
    }

    pub fn pwrite(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Result<u32, Errno> {
        self.put(DATA, bytes);
        let [iovs, count] = self.iovec(DATA, bytes.len() as u32);
        self.call("fd_pwrite", &[fd.into(), iovs, count, offset, OUT.into()])?;
        Ok(self.u32(OUT))
    }

    pub fn read(&mut self, fd: u32, len: u32) -> Result<Vec<u8>, Errno> {
        let [iovs, count] = self.iovec(DATA, len);
        self.call("fd_read", &[fd.into(), iovs, count, OUT.into()])?;
        Ok(self.bytes(DATA, self.u32(OUT)).to_vec())
    }

    pub fn pread(&mut self, fd: u32, len: u32, offset: u64) -> Result<Vec<u8>, Errno> {
        let [iovs, count] = self.iovec(DATA, len);
        self.call("fd_pread", &[fd.into(), iovs, count, offset, OUT.into()])?;
        Ok(self.bytes(DATA, self.u32(OUT)).to_vec())
    }

    pub fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Result<u64, Errno> {
        self.call("fd_seek", &[fd.into(), offset as u64, whence.into(), OUT.into()])?;
        Ok(self.u64(OUT))
    }

    pub fn tell(&mut self, fd: u32) -> Result<u64, Errno> {
        self.call("fd_tell", &[fd.into(), OUT.into()])?;
        Ok(self.u64(OUT))
    }

    fn stat_at(&self, at: u32) -> Stat {
        Stat {
            dev: self.u64(at),
            ino: self.u64(at + 8),
            filetype: self.memory[at as usize + 16],
            nlink: self.u64(at + 24),
            size: self.u64(at + 32),
            atim: self.u64(at + 40),
            mtim: self.u64(at + 48),
            ctim: self.u64(at + 56),
        }
    }

    pub fn fd_stat(&mut self, fd: u32) -> Result<Stat, Errno> {
        self.call("fd_filestat_get", &[fd.into(), OUT.into()])?;
        Ok(self.stat_at(OUT))
    }

    pub fn stat_from(&mut self, dir: u32, path: &str, follow: bool) -> Result<Stat, Errno> {
        let [ptr, len] = self.path(path);
        self.call("path_filestat_get", &[dir.into(), follow.into(), ptr, len, OUT.into()])?;
        Ok(self.stat_at(OUT))
    }

    pub fn stat(&mut self, path: &str) -> Result<Stat, Errno> {
        self.stat_from(ROOT, path, true)
    }

    pub fn lstat(&mut self, path: &str) -> Result<Stat, Errno> {
        self.stat_from(ROOT, path, false)
    }

    pub fn fdstat(&mut self, fd: u32) -> Result<Fdstat, Errno> {
        self.call("fd_fdstat_get", &[fd.into(), OUT.into()])?;
        Ok(Fdstat {
            filetype: self.memory[OUT as usize],
            flags: self.u16(OUT + 2),
            base: self.u64(OUT + 8),
            inheriting: self.u64(OUT + 16),
        })
    }

    pub fn set_flags(&mut self, fd: u32, flags: u32) -> Result<(), Errno> {
        self.call("fd_fdstat_set_flags", &[fd.into(), flags.into()])
    }

    /// Makes a call whose arguments are a directory and a path.
    fn on_path(&mut self, call: &str, dir: u32, path: &str) -> Result<(), Errno> {
        let [ptr, len] = self.path(path);
        self.call(call, &[dir.into(), ptr, len])
    }

    pub fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        self.on_path("path_create_directory", ROOT, path)
    }

    pub fn rmdir(&mut self, path: &str) -> Result<(), Errno> {
        self.on_path("path_remove_directory", ROOT, path)
    }

    pub fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        self.on_path("path_unlink_file", ROOT, path)
    }

    pub fn symlink(&mut self, target: &str, path: &str) -> Result<(), Errno> {
        let [old, old_len] = self.path_bytes(0, target.as_bytes());
        let [new, new_len] = self.path_bytes(1, path.as_bytes());
        self.call("path_symlink", &[old, old_len, ROOT.into(), new, new_len])
    }

    pub fn readlink(&mut self, path: &str, buf_len: u32) -> Result<String, Errno> {
        let [ptr, len] = self.path(path);
        self.call("path_readlink", &[ROOT.into(), ptr, len, DATA.into(), buf_len.into(), OUT.into()])?;
        Ok(String::from_utf8(self.bytes(DATA, self.u32(OUT)).to_vec()).unwrap())
    }

    pub fn rename_between(&mut self, old_dir: u32, old: &str, new_dir: u32, new: &str) -> Result<(), Errno> {
        let [old, old_len] = self.path_bytes(0, old.as_bytes());
        let [new, new_len] = self.path_bytes(1, new.as_bytes());
        self.call("path_rename", &[old_dir.into(), old, old_len, new_dir.into(), new, new_len])
    }

    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Errno> {
        self.rename_between(ROOT, old, ROOT, new)
    }

    pub fn link_between(
        &mut self,
        old_dir: u32,
        follow: bool,
        old: &str,
        new_dir: u32,
        new: &str,
    ) -> Result<(), Errno> {
        let [old, old_len] = self.path_bytes(0, old.as_bytes());
        let [new, new_len] = self.path_bytes(1, new.as_bytes());
        self.call("path_link", &[old_dir.into(), follow.into(), old, old_len, new_dir.into(), new, new_len])
    }

    pub fn link(&mut self, old: &str, new: &str) -> Result<(), Errno> {
        self.link_between(ROOT, false, old, ROOT, new)
    }

    pub fn set_times(&mut self, path: &str, follow: bool, atim: u64, mtim: u64, flags: u32) -> Result<(), Errno> {
        let [ptr, len] = self.path(path);
        self.call("path_filestat_set_times", &[ROOT.into(), follow.into(), ptr, len, atim, mtim, flags.into()])
    }

    /// Calls `fd_readdir` once. Returns the complete entries in the buffer and the number of bytes used.
    pub fn readdir_once(&mut self, fd: u32, buf_len: u32, cookie: u64) -> Result<(Vec<Entry>, u32), Errno> {
        self.call("fd_readdir", &[fd.into(), DATA.into(), buf_len.into(), cookie, OUT.into()])?;
        let used = self.u32(OUT);
        let mut entries = Vec::new();
        let mut at = 0;
        while at + 24 <= used {
            let name_len = self.u32(DATA + at + 16);
            if at + 24 + name_len > used {
                break;
            }
            let name = String::from_utf8_lossy(self.bytes(DATA + at + 24, name_len)).into_owned();
            entries.push(Entry {
                next: self.u64(DATA + at),
                ino: self.u64(DATA + at + 8),
                filetype: self.memory[(DATA + at + 20) as usize],
                name,
            });
            at += 24 + name_len;
        }
        Ok((entries, used))
    }

    /// Creates a file with these contents.
    pub fn create(&mut self, path: &str, contents: &[u8]) {
        let fd = self.open(path, CREAT | TRUNC, WRITE).expect("create a file");
        assert_eq!(self.write(fd, contents), Ok(contents.len() as u32));
        self.close(fd).expect("close");
    }

    /// Returns the contents of a file of up to 4096 bytes.
    pub fn contents(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let fd = self.open(path, 0, READ)?;
        let bytes = self.read(fd, 4096);
        self.close(fd).expect("close");
        bytes
    }
}

/// Reads a number from a status file of this process.
pub fn proc_status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("process status");
    let line = text.lines().find(|line| line.starts_with(key)).expect("the key");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

/// Returns the number of descriptors that this process holds.
pub fn open_fds() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("descriptors").count()
}
