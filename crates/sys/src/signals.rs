//! The signal state a program starts with.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

/// Every disposition to its default and no signal blocked, as before an execution: Rust ignores SIGPIPE, a supervisor blocks what it
/// waits for, and a program inherits both. Allocates nothing.
pub fn reset() -> io::Result<()> {
    // All zero is SIG_DFL with no flags and an empty mask, whatever the order of the fields on this architecture.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        // SAFETY: `default` is at least as long as the kernel's `struct sigaction`; it is read and not kept. glibc's own function
        // would refuse two real-time signals, which a supervisor may well ignore. SIGKILL and SIGSTOP are refused: nothing changes.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null_mut::<u64>(), size_of::<u64>())
        };
    }
    let none = 0_u64;
    // SAFETY: a set of 64 signals, of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const none,
            ptr::null_mut::<u64>(),
            size_of::<u64>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The program of this command begins as [`reset`] says: std hands on what is blocked.
pub fn reset_in(command: &mut Command) -> &mut Command {
    // SAFETY: it runs between fork and exec of a process that may have other threads; `reset` makes system calls and nothing else.
    unsafe { command.pre_exec(reset) }
}

/// Ignores these signals; a program executed later ignores them too unless its starter says [`reset`].
pub fn ignore(signals: &[i32]) -> io::Result<()> {
    for signal in signals {
        // SAFETY: SIG_IGN is a valid disposition for any signal that may have one; no handler of ours runs.
        if unsafe { libc::signal(*signal, libc::SIG_IGN) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Blocks every signal of this thread, so that [`wait_any`] takes them.
pub fn block_all() -> io::Result<()> {
    let all = u64::MAX;
    // SAFETY: a set of 64 signals, of the size given. SIGKILL and SIGSTOP stay what they are.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const all,
            ptr::null_mut::<u64>(),
            size_of::<u64>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits for the next blocked signal and returns its number.
pub fn wait_any() -> io::Result<i32> {
    let all = u64::MAX;
    // SAFETY: a set of 64 signals, of the size given; nothing else is asked for (no siginfo, no timeout).
    let signal = unsafe {
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            &raw const all,
            ptr::null_mut::<libc::siginfo_t>(),
            ptr::null::<libc::timespec>(),
            size_of::<u64>(),
        )
    };
    i32::try_from(signal).ok().filter(|signal| *signal > 0).ok_or_else(io::Error::last_os_error)
}

/// Sends any signal by its number (rustix knows the named ones only).
pub fn send(to: rustix::process::Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes two numbers.
    let result = unsafe { libc::kill(to.as_raw_nonzero().get(), signal) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
