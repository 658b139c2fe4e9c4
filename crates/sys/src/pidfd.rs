//! Signals by number: rustix names no real-time signals, and people send them.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Sends the signal `number` to the process.
///
/// # Errors
/// ESRCH: it is gone. EINVAL: there is no such signal.
pub fn send(process: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    // SAFETY: a descriptor that is open, a number the kernel checks, no further information and no flags.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), number, ptr::null::<libc::siginfo_t>(), 0)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
