//! Signals as descriptors (signalfd(2)), for a poll loop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// Signals that come as readable bytes instead of interrupting.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks these signals for the thread and lets them be read. A program executed later gets them unblocked only if its starter
    /// resets them.
    ///
    /// # Errors
    /// Of the kernel.
    pub fn watch(signals: &[i32]) -> io::Result<Signals> {
        let set: u64 = signals.iter().fold(0, |set, signal| set | 1 << (signal - 1));
        // SAFETY: a set of 64 signals, of the size given; the old mask is not asked for.
        let blocked = unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_BLOCK,
                &raw const set,
                ptr::null_mut::<u64>(),
                size_of::<u64>(),
            )
        };
        if blocked != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the same set; -1 asks for a new descriptor.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_signalfd4,
                -1,
                &raw const set,
                size_of::<u64>(),
                libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
            )
        };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the kernel just made this descriptor and nobody else knows it.
        Ok(Signals(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal that has come; none if none has.
    ///
    /// # Errors
    /// Of the kernel.
    pub fn next(&self) -> io::Result<Option<i32>> {
        // signalfd(2): a record has 128 bytes and begins with the number.
        let mut record = [0u8; 128];
        match rustix::io::read(&self.0, &mut record) {
            Ok(_) => Ok(i32::try_from(u32::from_ne_bytes([record[0], record[1], record[2], record[3]])).ok()),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
