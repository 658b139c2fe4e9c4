//! Which descriptors survive: close_range(2), which rustix lacks. Since Linux 5.9, CLOEXEC 5.11.

use std::ffi::c_uint;
use std::io;
use std::os::fd::RawFd;

/// Marks every descriptor but the `kept` ones, which are sorted, to be closed when this process executes a program. Allocates nothing.
pub fn close_others_at_exec(kept: &[RawFd]) -> io::Result<()> {
    let mut from: c_uint = 0;
    for fd in kept {
        let Ok(fd) = c_uint::try_from(*fd) else { continue };
        if fd > from {
            close_range(from, fd - 1)?;
        }
        from = from.max(fd + 1);
    }
    close_range(from, c_uint::MAX)
}

fn close_range(first: c_uint, last: c_uint) -> io::Result<()> {
    // SAFETY: with CLOSE_RANGE_CLOEXEC nothing is closed under an owner: descriptors are only marked.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes every descriptor from `first` on. For a process that stays without executing and has no use for what it was born with:
/// it must not touch any of them again, nor drop their owners.
pub fn close_from(first: c_uint) -> io::Result<()> {
    // SAFETY: closing touches no memory; that no owner is used again is what the caller has promised above.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
