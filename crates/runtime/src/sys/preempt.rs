//! Signal-based preemption: stops compiled code, which polls nothing, by a signal to its thread. Go does the same
//! (Clements 2019, see `docs/glossary.md`).
//!
//! A poll in a short loop costs more than the work. Instead, [`preempt`] sends `SIGURG` to the thread. The default
//! action ignores this signal, and programs that use it must expect spurious ones. If the guest was asked to stop, and
//! the tier has a landing pad for the interrupted code, execution continues at the landing pad. This is as after a
//! fault, but at an arbitrary instruction. Otherwise the signal does nothing, so the sender repeats it until the guest
//! has ended.
//!
//! # Invariants
//! The handler reads an atomic and a thread-local word that needs no initialisation. It calls nothing but `is_wanted`
//! and `sites`.

use std::ffi::c_void;

/// Returns true if the guest that the thread runs was asked to stop. The argument is the word that [`enter`] was given
/// for it. Called in a signal handler.
pub type IsWanted = fn(*mut c_void) -> bool;

/// Returns the landing pad for a code address at which code may be stopped, else `None`. Called in a signal handler.
pub type Sites = fn(usize) -> Option<usize>;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use linux_x86_64::{enter, install_preemption, leave, preempt, running, thread_id};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub use without::{enter, install_preemption, leave, preempt, running, thread_id};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod without {
    use super::{IsWanted, Sites, c_void};

    /// Records nothing: there is no code to stop.
    pub fn enter(_guest: *mut c_void) -> *mut c_void {
        std::ptr::null_mut()
    }

    /// Does nothing.
    pub fn leave(_outer: *mut c_void) {}

    /// Returns null: no guest is recorded.
    pub fn running() -> *mut c_void {
        std::ptr::null_mut()
    }

    /// Returns 0: no thread is ever signalled.
    pub fn thread_id() -> i32 {
        0
    }

    /// Does nothing: there is no code to stop.
    pub fn preempt(_thread: i32) {}

    /// Does nothing: there is no code to stop.
    ///
    /// # Safety
    /// No requirement here. The version for other hosts has some.
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
        /// The word given to [`enter`] for the guest that the thread runs, the innermost if several; null if none.
        static RUNNING: Cell<*mut c_void> = const { Cell::new(ptr::null_mut()) };
        /// The kernel's id of the thread, 0 before the first call of [`thread_id`].
        static THREAD: Cell<i32> = const { Cell::new(0) };
    }

    /// The installed [`IsWanted`] as a data pointer, stored before the handler is installed.
    static IS_WANTED: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

    /// The installed [`Sites`] as a data pointer.
    static SITES: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

    /// Previous action of [`SIGNAL`].
    static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

    /// Records that the thread runs a guest, known by the word `guest`. Returns the argument for [`leave`].
    pub fn enter(guest: *mut c_void) -> *mut c_void {
        RUNNING.replace(guest)
    }

    /// Records that the guest of the last [`enter`] has ended.
    pub fn leave(outer: *mut c_void) {
        RUNNING.set(outer);
    }

    /// Returns the word given to [`enter`] for the guest that the thread runs, null if none.
    pub fn running() -> *mut c_void {
        RUNNING.get()
    }

    /// Returns the id of this thread for [`preempt`]; never 0.
    pub fn thread_id() -> i32 {
        let known = THREAD.get();
        if known != 0 {
            return known;
        }
        // SAFETY: gettid has no preconditions.
        let id = unsafe { libc::gettid() };
        THREAD.set(id);
        id
    }

    /// Sends the signal to a thread of this process. Does nothing if the thread has ended.
    pub fn preempt(thread: i32) {
        if SITES.load(Ordering::Acquire).is_null() {
            return;
        }
        // SAFETY: [tgkill(2)](https://man7.org/linux/man-pages/man2/tgkill.2.html) refuses an id that is no thread's of
        // this process. Every thread of the process has our handler, since `SITES` is set.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGNAL) };
    }

    /// Allows guests to be stopped at the code addresses for which `sites` returns a landing pad. The landing pad gets
    /// the code address as [`landing`] defines. Further calls do nothing.
    ///
    /// # Safety
    /// Both must be callable in a signal handler. Each landing pad must be able to continue with the registers and
    /// stack of the code address for which it is returned.
    pub unsafe fn install_preemption(is_wanted: IsWanted, sites: Sites) {
        PREVIOUS.get_or_init(|| {
            IS_WANTED.store(is_wanted as *mut (), Ordering::Release);
            SITES.store(sites as *mut (), Ordering::Release);
            // SAFETY: all zero is a valid sigaction. `handle` has the signature that SA_SIGINFO requires, and calls
            // nothing but `is_wanted` and `sites`, which the caller promises to be callable in a handler.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                let mut previous: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = handle as *const () as usize;
                // SA_NODEFER: the handler may return to a landing pad, at which the signal must reach the handler
                // again.
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART | libc::SA_NODEFER;
                libc::sigemptyset(&mut action.sa_mask);
                libc::sigaction(SIGNAL, &action, &mut previous);
                previous
            }
        });
    }

    extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let guest = RUNNING.get();
        // SAFETY: the stored pointers are functions of these types, or null before they are stored. The kernel passes a
        // valid ucontext to a SA_SIGINFO handler, which no one else uses until it returns.
        unsafe {
            let is_wanted = IS_WANTED.load(Ordering::Acquire);
            if !guest.is_null() && !is_wanted.is_null() && transmute::<*mut (), IsWanted>(is_wanted)(guest) {
                let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
                let sites = SITES.load(Ordering::Acquire);
                if !sites.is_null() {
                    let pc = registers[libc::REG_RIP as usize];
                    let sites: Sites = transmute(sites);
                    if let Some(target) = sites(pc as usize) {
                        landing::continue_at(registers, target, None);
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
