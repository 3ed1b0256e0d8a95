//! Signals of the processes that tests start. A test may itself be started with signals ignored: a shell starts background
//! commands without SIGINT, `nohup` without SIGHUP. Its children would inherit that, and would not end by these signals.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Lets the signals that users send have their usual meaning in a command.
pub fn restore(command: &mut Command) {
    // SAFETY: after `fork`, the closure must neither take a lock nor allocate. It only makes system calls. It removes signal
    // handlers in the child alone.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        })
    };
}

#[test]
fn an_ignored_signal_ends_a_command_nevertheless() {
    use std::os::unix::process::ExitStatusExt;

    let mut command = Command::new("sh");
    command.args(["-c", "kill -INT $$"]);
    // SAFETY: as in `restore`.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_IGN);
            Ok(())
        })
    };
    restore(&mut command);
    assert_eq!(command.status().unwrap().signal(), Some(libc::SIGINT));
}
