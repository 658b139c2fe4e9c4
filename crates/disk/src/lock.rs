//! Advisory locks that die with their holder (flock(2)).

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A held lock; released when dropped or when the last process that inherited its descriptor dies.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Waits until nobody else holds `path`.
    ///
    /// # Errors
    /// Of open(2) and flock(2).
    pub fn exclusive(path: &Path) -> io::Result<Lock> {
        let file = open(path)?;
        file.lock()?;
        Ok(Lock(file))
    }

    /// Waits until nobody holds `path` exclusively.
    ///
    /// # Errors
    /// Of open(2) and flock(2).
    pub fn shared(path: &Path) -> io::Result<Lock> {
        let file = open(path)?;
        file.lock_shared()?;
        Ok(Lock(file))
    }

    /// Takes `path` if nobody holds it now.
    ///
    /// # Errors
    /// Of open(2) and flock(2).
    pub fn try_exclusive(path: &Path) -> io::Result<Option<Lock>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Takes `path`, which must be there, together with other shared holders if nobody holds it exclusively now.
    ///
    /// # Errors
    /// Of open(2) and flock(2).
    pub fn try_shared(path: &Path) -> io::Result<Option<Lock>> {
        let file = File::open(path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}
