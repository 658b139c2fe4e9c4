//! The signal state a program starts with.

use std::io;
use std::ptr;

/// Every disposition to its default and no signal blocked, as before an execution: Rust ignores SIGPIPE, a supervisor blocks what it
/// waits for, and a program inherits both. Allocates nothing.
pub fn reset() -> io::Result<()> {
    // All zero is SIG_DFL with no flags and an empty mask, whatever the order of the fields on this architecture.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        // SAFETY: `default` is at least as long as the kernel's `struct sigaction`; it is read and not kept. glibc's own function
        // would refuse two real-time signals, which a supervisor may well ignore. SIGKILL and SIGSTOP are refused: nothing changes.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null_mut::<u64>(), size_of::<u64>()) };
    }
    let none = 0_u64;
    // SAFETY: a set of 64 signals, of the size given.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, ptr::null_mut::<u64>(), size_of::<u64>())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
