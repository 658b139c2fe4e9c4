//! Which descriptors survive: close_range(2), which rustix lacks. Since Linux 5.9, CLOEXEC 5.11.

use std::ffi::c_uint;
use std::io;
use std::os::fd::RawFd;

/// Marks every descriptor but the `kept` ones, which are sorted, to be closed when this process executes a program. Allocates nothing.
pub fn close_others_at_exec(kept: &[RawFd]) -> io::Result<()> {
    close_but(kept, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes every descriptor but the `kept` ones, which are sorted. For a process born with descriptors it has no use for: it must not
/// touch any of them again, nor drop their owners.
pub fn close_others(kept: &[RawFd]) -> io::Result<()> {
    close_but(kept, 0)
}

fn close_but(kept: &[RawFd], flags: c_uint) -> io::Result<()> {
    let mut from: c_uint = 0;
    for fd in kept {
        let Ok(fd) = c_uint::try_from(*fd) else { continue };
        if fd > from {
            close_range(from, fd - 1, flags)?;
        }
        from = from.max(fd + 1);
    }
    close_range(from, c_uint::MAX, flags)
}

fn close_range(first: c_uint, last: c_uint, flags: c_uint) -> io::Result<()> {
    // SAFETY: closing and marking touch no memory; that no owner of a closed descriptor is used again is what callers of
    // `close_others` promise.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
