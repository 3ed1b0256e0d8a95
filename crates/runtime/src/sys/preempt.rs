//! Stopping machine code that polls nothing: a signal to the thread that executes it.
//!
//! Code of a compiling tier asks nobody whether it may go on; in a short loop the question costs more than the work. Instead
//! [`preempt`] sends `SIGURG`, which nobody misses who does not wait for it, to the thread. If the signal finds the thread
//! in code for which the tier named a landing, and its guest was asked to stop (what stands for the guest is the caller's matter), execution goes on at the landing: what fault
//! handling does with a fault, done with an arbitrary instruction. Found anywhere else, the signal does nothing; so whoever
//! sends it must do so again until the guest has ended.
//!
//! # Invariants
//! The handler reads an atomic and a thread-local word that needs no set-up, and calls nothing but `is_wanted` and `sites`.

use std::ffi::c_void;

/// Whether the guest that a thread runs, by the word that was noted for it ([`enter`]), was asked to stop. Called in a signal handler.
pub type IsWanted = fn(*mut c_void) -> bool;

/// A landing for a code address, if it is one at which code may be stopped. Called in a signal handler.
pub type Sites = fn(usize) -> Option<usize>;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use linux_x86_64::{enter, install_preemption, leave, preempt, running, thread_id};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub use without::{enter, install_preemption, leave, preempt, running, thread_id};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod without {
    use super::{IsWanted, Sites, c_void};

    /// Notes nothing: there is no code to stop.
    pub fn enter(_guest: *mut c_void) -> *mut c_void {
        std::ptr::null_mut()
    }

    /// Notes nothing.
    pub fn leave(_outer: *mut c_void) {}

    /// None is known.
    pub fn running() -> *mut c_void {
        std::ptr::null_mut()
    }

    /// Threads need no names here.
    pub fn thread_id() -> i32 {
        0
    }

    /// Does nothing on this host.
    pub fn preempt(_thread: i32) {}

    /// Does nothing on this host.
    ///
    /// # Safety
    /// None needed here; the other hosts' version has a contract.
    pub unsafe fn install_preemption(_is_wanted: IsWanted, _sites: Sites) {}
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux_x86_64 {
    use std::cell::Cell;
    use std::ffi::{c_int, c_void};
    use std::mem::{MaybeUninit, transmute};
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicPtr, Ordering};

    use super::{IsWanted, Sites};
    use crate::sys::landing;

    const SIGNAL: c_int = libc::SIGURG;

    thread_local! {
        /// What stands for the guest that the thread runs, the innermost if several; null if none.
        static RUNNING: Cell<*mut c_void> = const { Cell::new(ptr::null_mut()) };
        /// The kernel's number of the thread, 0 while nobody asked.
        static THREAD: Cell<i32> = const { Cell::new(0) };
    }

    /// The installed [`IsWanted`] as a data pointer, there before the handler is.
    static IS_WANTED: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

    /// The installed [`Sites`] as a data pointer.
    static SITES: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

    /// What handled the signal before us.
    static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

    /// Notes that the thread runs a guest from now on, for which `guest` stands. Returns what [`leave`] wants.
    pub fn enter(guest: *mut c_void) -> *mut c_void {
        RUNNING.replace(guest)
    }

    /// Notes that it does so no more.
    pub fn leave(outer: *mut c_void) {
        RUNNING.set(outer);
    }

    /// Returns what stands for the guest that the thread runs, null if none.
    pub fn running() -> *mut c_void {
        RUNNING.get()
    }

    /// What [`preempt`] calls this thread; never 0.
    pub fn thread_id() -> i32 {
        let known = THREAD.get();
        if known != 0 {
            return known;
        }
        // SAFETY: no preconditions.
        let id = unsafe { libc::gettid() };
        THREAD.set(id);
        id
    }

    /// Sends the signal to a thread of this process; nothing if it is gone.
    pub fn preempt(thread: i32) {
        if SITES.load(Ordering::Acquire).is_null() {
            return;
        }
        // SAFETY: no preconditions: a number that is no thread's of this process is refused, and any thread of it has our handler.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGNAL) };
    }

    /// Lets guests that were asked to stop be stopped at the code addresses for which `sites` names a landing, which gets the
    /// code address as [`landing`] says. Calling it again does nothing.
    ///
    /// # Safety
    /// Both must be callable in a signal handler, and each landing able to go on with the registers and stack of the code
    /// address that it was named for.
    pub unsafe fn install_preemption(is_wanted: IsWanted, sites: Sites) {
        PREVIOUS.get_or_init(|| {
            IS_WANTED.store(is_wanted as *mut (), Ordering::Release);
            SITES.store(sites as *mut (), Ordering::Release);
            // SAFETY: all zero is a valid sigaction; the handler has the signature that SA_SIGINFO promises.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                let mut previous: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = handle as *const () as usize;
                // The handler may end by sigreturn to a landing, from which the signal must again reach us.
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART | libc::SA_NODEFER;
                libc::sigemptyset(&mut action.sa_mask);
                libc::sigaction(SIGNAL, &action, &mut previous);
                previous
            }
        });
    }

    extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let guest = RUNNING.get();
        // SAFETY: what is stored are functions of these types, before the handler is installed. The kernel passes a valid
        // ucontext to a SA_SIGINFO handler, ours alone until it returns.
        unsafe {
            let is_wanted = IS_WANTED.load(Ordering::Acquire);
            if !guest.is_null() && !is_wanted.is_null() && transmute::<*mut (), IsWanted>(is_wanted)(guest) {
                let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
                let sites = SITES.load(Ordering::Acquire);
                if !sites.is_null() {
                    let pc = registers[libc::REG_RIP as usize];
                    let sites: Sites = transmute(sites);
                    if let Some(target) = sites(pc as usize) {
                        landing::go_on(registers, target, None);
                    }
                }
                return;
            }
            let Some(previous) = PREVIOUS.get() else { return };
            match previous.sa_sigaction {
                libc::SIG_DFL | libc::SIG_IGN => {}
                handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
                    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = transmute(handler);
                    handler(signal, info, context);
                }
                handler => {
                    let handler: extern "C" fn(c_int) = transmute(handler);
                    handler(signal);
                }
            }
        }
    }
}
