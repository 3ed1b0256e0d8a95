//! Hardware faults. A fault at a code address that a tier knows becomes a jump to a landing pad. Every other fault has
//! the effect that it would have without wasmr.
//!
//! In: `sites`, one function per tier from a faulting code address to a landing pad. Out: on such a fault, execution
//! continues at the landing pad with the registers of [`landing`](super::landing).
//!
//! Invariants:
//! - The handler calls nothing but `sites` and functions that [POSIX allows in a
//!   handler](https://pubs.opengroup.org/onlinepubs/9799919799/functions/V2_chap02.html#tag_16_04_03).
//! - It runs on an alternate stack ([`prepare_thread`]), because little native stack may be left when a guest faults.
//! - A fault at an unknown address goes to the previous handler, and at last to the system's default. A bug of the host
//!   still kills the process with the signal, and a debugger or crash reporter sees the true place.

/// True if this host can turn a fault into a trap. Otherwise no memory is guard-paged.
pub const FAULTS_BECOME_TRAPS: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use linux_x86_64::{install_fault_handler, prepare_thread};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub use without::{install_fault_handler, prepare_thread};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod without {
    /// Does nothing: see [`FAULTS_BECOME_TRAPS`](super::FAULTS_BECOME_TRAPS).
    ///
    /// # Safety
    /// No requirement here. The version for other hosts has some.
    pub unsafe fn install_fault_handler(_sites: fn(usize) -> Option<usize>) {}

    /// Does nothing: no signal handler is installed.
    pub fn prepare_thread() {}
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux_x86_64 {
    use std::ffi::{c_int, c_void};
    use std::mem::{MaybeUninit, transmute};
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};
    use std::sync::{Mutex, OnceLock};

    use crate::sys::{Mapping, landing, page_size};

    type Sites = fn(usize) -> Option<usize>;
    type Handler = extern "C" fn(c_int);
    type InfoHandler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

    /// Upper bound of the tiers whose memory accesses may fault. There are two.
    const MAX_TIERS: usize = 4;

    /// The signals of faults: `SIGSEGV` for a bad access, `SIGBUS` for a page that the system cannot supply, `SIGILL`
    /// for an instruction that exists to trap, `SIGFPE` for a division.
    const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

    /// The installed [`Sites`] as data pointers, filled from the front, then null.
    static SITES: [AtomicPtr<()>; MAX_TIERS] = [const { AtomicPtr::new(ptr::null_mut()) }; MAX_TIERS];

    /// Previous actions of [`SIGNALS`].
    static PREVIOUS: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

    /// Makes faults at the code addresses for which `sites` returns a landing pad continue there, with the registers of
    /// [`landing`]. Another call with the same function does nothing.
    ///
    /// # Panics
    /// If more than four tiers ask.
    ///
    /// # Safety
    /// `sites` must be callable in a signal handler: no lock, no allocation, no panic. Each landing pad must be able to
    /// continue with the registers and stack of the code address for which it is returned.
    pub unsafe fn install_fault_handler(sites: Sites) {
        static INSTALLING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = INSTALLING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let wanted = sites as *mut ();
        let free = SITES.iter().find(|slot| {
            let there = slot.load(Ordering::Acquire);
            there.is_null() || there == wanted
        });
        free.expect("more than MAX_TIERS tiers install a fault handler").store(wanted, Ordering::Release);
        if PREVIOUS.get().is_none() {
            let previous = SIGNALS.map(current_action);
            PREVIOUS.get_or_init(|| previous);
            SIGNALS.into_iter().for_each(take_signal);
        }
    }

    fn current_action(signal: c_int) -> libc::sigaction {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: a null action only asks, and the result is large enough. If sigaction fails, the zeroed value means
        // the default action.
        unsafe {
            libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
            action.assume_init()
        }
    }

    fn take_signal(signal: c_int) {
        // SAFETY: all zero is a valid sigaction. `handle` has the signature that SA_SIGINFO requires, and is as safe in
        // a signal handler as `sites` is by the contract of `install_fault_handler`.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = handle as *const () as usize;
            // SA_NODEFER: the handler returns to a landing pad, at which the next fault must reach the handler again.
            // See [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html).
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigemptyset(&mut action.sa_mask);
            let result = libc::sigaction(signal, &action, ptr::null_mut());
            assert_eq!(result, 0, "sigaction for signal {signal}");
        }
    }

    /// Handles one of [`SIGNALS`].
    extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel passes a valid siginfo and ucontext to a SA_SIGINFO handler, which no one else uses until
        // it returns.
        unsafe {
            // A signal that a process sent (`si_code` of at most 0) is no fault, whatever code it interrupts.
            let is_fault = (*info).si_code > 0;
            let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
            if is_fault && let Some(target) = landing_for(registers[libc::REG_RIP as usize] as usize) {
                landing::continue_at(registers, target, Some((*info).si_addr().addr()));
                return;
            }
            pass_on(signal, info, context);
        }
    }

    fn landing_for(code_address: usize) -> Option<usize> {
        SITES.iter().map(|slot| slot.load(Ordering::Acquire)).take_while(|sites| !sites.is_null()).find_map(|sites| {
            // SAFETY: `install_fault_handler` stores only `Sites` values, as pointers of the same size.
            let sites: Sites = unsafe { transmute(sites) };
            sites(code_address)
        })
    }

    /// Passes a signal to its previous handler.
    ///
    /// # Safety
    /// The arguments are those of the signal being handled.
    unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let index = SIGNALS.iter().position(|&ours| ours == signal);
        let Some(previous) = index.and_then(|index| PREVIOUS.get()?.get(index)) else { return };
        // SAFETY: `info` is the siginfo of the signal being handled, as the caller promises, so the kernel made it.
        let was_sent = unsafe { (*info).si_code <= 0 };
        match previous.sa_sigaction {
            libc::SIG_IGN if was_sent => {}
            libc::SIG_DFL | libc::SIG_IGN => {
                // SAFETY: signal(2) and raise(3) may be called in a handler. After the return the faulting instruction
                // runs again and ends the process, as if no handler had been installed. A signal that was sent has to
                // be raised again for that.
                unsafe {
                    libc::signal(signal, libc::SIG_DFL);
                    if was_sent {
                        libc::raise(signal);
                    }
                }
            }
            handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
                // SAFETY: with SA_SIGINFO the address is a function of this type.
                let handler: InfoHandler = unsafe { transmute(handler) };
                handler(signal, info, context);
            }
            handler => {
                // SAFETY: without SA_SIGINFO the address is a function of this type.
                let handler: Handler = unsafe { transmute(handler) };
                handler(signal);
            }
        }
    }

    /// Bytes that the previous handler may need beyond the kernel's register dump. Rust's prints a message.
    const HANDLER_ROOM: usize = 64 << 10;

    /// The alternate signal stack of a thread:
    /// [sigaltstack(2)](https://man7.org/linux/man-pages/man2/sigaltstack.2.html).
    struct AlternateStack {
        /// `None` if the thread already had a large enough stack, or the system refused one.
        mapping: Option<Mapping>,
    }

    /// Gives the calling thread an alternate signal stack that is large enough, once. Rust's own is too small on
    /// processors with large vector registers.
    pub fn prepare_thread() {
        thread_local! {
            static STACK: AlternateStack = AlternateStack::install();
        }
        // A thread whose thread-locals are being dropped keeps the stack that it has.
        let _ = STACK.try_with(|_| ());
    }

    impl AlternateStack {
        fn install() -> AlternateStack {
            // SAFETY: getauxval has no preconditions. It returns 0 if the kernel does not tell the size.
            let minimum = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
            let wanted = (minimum.max(libc::MINSIGSTKSZ) + HANDLER_ROOM).next_multiple_of(page_size());
            let current = current_stack();
            if current.ss_flags & libc::SS_DISABLE == 0 && current.ss_size >= wanted {
                return AlternateStack { mapping: None };
            }
            AlternateStack { mapping: Self::map(wanted) }
        }

        /// Maps and installs a stack. Its lowest page is inaccessible, so that an overflow crashes and corrupts
        /// nothing.
        fn map(size: usize) -> Option<Mapping> {
            let guard = page_size();
            let mut mapping = Mapping::reserve(guard + size).ok()?;
            mapping.make_accessible(guard, size).ok()?;
            let stack = libc::stack_t {
                // SAFETY: `guard` is less than the length of the mapping.
                ss_sp: unsafe { mapping.base().add(guard) }.as_ptr().cast(),
                ss_flags: 0,
                ss_size: size,
            };
            // SAFETY: the range is accessible, and stays so until `drop` has withdrawn it from the kernel.
            let result = unsafe { libc::sigaltstack(&stack, ptr::null_mut()) };
            (result == 0).then_some(mapping)
        }
    }

    impl Drop for AlternateStack {
        fn drop(&mut self) {
            let Some(mapping) = &self.mapping else { return };
            let current = current_stack();
            let start = mapping.base().as_ptr().addr();
            if (start..start + mapping.size()).contains(&current.ss_sp.addr()) {
                let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
                // SAFETY: disabling has no preconditions: this thread is not in a signal handler. The earlier stack is
                // not restored, because Rust frees its own before thread-locals are dropped.
                unsafe { libc::sigaltstack(&none, ptr::null_mut()) };
            }
        }
    }

    fn current_stack() -> libc::stack_t {
        let mut stack = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: a null stack only asks, and the result is a live variable.
        unsafe { libc::sigaltstack(ptr::null(), &mut stack) };
        stack
    }

    #[cfg(test)]
    mod tests {
        use std::arch::global_asm;
        use std::os::unix::process::ExitStatusExt;
        use std::process::Command;

        use super::*;
        use crate::sys::{Reservation, is_guarded_address};

        global_asm!(
            ".text",
            ".globl wasmr_fault_probe, wasmr_fault_site, wasmr_fault_landing",
            "wasmr_fault_probe:",
            "wasmr_fault_site:",
            "mov rax, qword ptr [rdi]",
            "ret",
            "wasmr_fault_landing:",
            concat!("mov rax, ", crate::landing_register!(data)),
            "ret",
            ".globl wasmr_fault_divide, wasmr_fault_divide_site, wasmr_fault_trap",
            "wasmr_fault_divide:",
            "mov eax, 1",
            "xor edx, edx",
            "wasmr_fault_divide_site:",
            "div edi",
            "ret",
            "wasmr_fault_trap:",
            "ud2",
        );

        unsafe extern "C" {
            fn wasmr_fault_probe(address: usize) -> usize;
            fn wasmr_fault_site();
            fn wasmr_fault_landing();
            fn wasmr_fault_divide(by: u32) -> usize;
            fn wasmr_fault_divide_site();
            fn wasmr_fault_trap() -> usize;
        }

        fn sites(code_address: usize) -> Option<usize> {
            let known = [
                wasmr_fault_site as *const () as usize,
                wasmr_fault_divide_site as *const () as usize,
                wasmr_fault_trap as *const () as usize,
            ];
            known.contains(&code_address).then_some(wasmr_fault_landing as *const () as usize)
        }

        #[test]
        fn divisions_and_trap_instructions_land_with_their_own_address() {
            // SAFETY: the landing pad needs nothing but the return address, where the probes left it.
            unsafe {
                install_fault_handler(sites);
                prepare_thread();
                for _ in 0..3 {
                    assert_eq!(wasmr_fault_divide(0), wasmr_fault_divide_site as *const () as usize);
                    assert_eq!(wasmr_fault_trap(), wasmr_fault_trap as *const () as usize);
                }
                assert_eq!(wasmr_fault_divide(1), 1);
            }
        }

        #[test]
        fn a_fault_at_a_known_site_lands_with_its_address() {
            // SAFETY: the landing pad needs nothing but the return address, where the probe left it.
            unsafe { install_fault_handler(sites) };
            let body = || {
                prepare_thread();
                let reservation = Reservation::new(0, 1 << 16, 0).unwrap();
                let address = reservation.base().as_ptr().addr() + 0x1238;
                for _ in 0..3 {
                    // SAFETY: the address is in a reservation, so that the read faults at a known site and returns from
                    // the landing pad.
                    let seen = unsafe { wasmr_fault_probe(address) };
                    assert_eq!(seen, address);
                    assert!(is_guarded_address(seen));
                }
                let word = 77usize;
                // SAFETY: reads a live word.
                assert_eq!(unsafe { wasmr_fault_probe(&raw const word as usize) }, 77);
            };
            body();
            std::thread::spawn(body).join().unwrap();
        }

        #[test]
        fn a_thread_gets_a_large_signal_stack_and_gives_it_back() {
            std::thread::spawn(|| {
                prepare_thread();
                let stack = current_stack();
                assert_eq!(stack.ss_flags & libc::SS_DISABLE, 0);
                assert!(stack.ss_size >= HANDLER_ROOM);
            })
            .join()
            .unwrap();
        }

        #[test]
        fn a_fault_of_the_host_still_kills_the_process() {
            const CHILD: &str = "WASMR_TEST_FAULT_CHILD";
            let this = "sys::fault::linux_x86_64::tests::a_fault_of_the_host_still_kills_the_process";
            if let Some(kind) = std::env::var_os(CHILD) {
                // SAFETY: the landing pad needs nothing but the return address. The read of address 8, or the
                // instruction, is the fault that must end this process.
                unsafe {
                    install_fault_handler(sites);
                    prepare_thread();
                    if kind == "instruction" {
                        std::arch::asm!("ud2");
                    }
                    std::hint::black_box(ptr::read_volatile(std::hint::black_box(8) as *const u8));
                }
                return;
            }
            for (kind, signal) in [("access", libc::SIGSEGV), ("instruction", libc::SIGILL)] {
                let program = std::env::current_exe().unwrap();
                let status = Command::new(program).args(["--exact", this]).env(CHILD, kind).output().unwrap().status;
                assert_eq!(status.signal(), Some(signal), "{status}");
            }
        }
    }
}
