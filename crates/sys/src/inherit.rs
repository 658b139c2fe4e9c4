//! Descriptors that a process was started with, by number.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// The descriptor `number` (3 to 63) that whoever started this program gave it; each can be taken once. Call it first thing in
/// `main`, before anything is opened: later the number may be anybody's. From here on it is closed at an execution.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    static TAKEN: AtomicU64 = AtomicU64::new(0b111);
    let bit = u32::try_from(number).ok().and_then(|n| 1_u64.checked_shl(n)).ok_or(io::ErrorKind::InvalidInput)?;
    if TAKEN.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // SAFETY: changes a flag of a descriptor, or fails with EBADF.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nobody else in this program owns it: nothing was opened yet, and it is handed out only once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
