//! Being in another network namespace for the length of one act: sockets that are made there stay there.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs `act` in `namespace` and comes back. Concerns the calling thread alone.
///
/// # Errors
/// Those of `act` and of the changes around it. Where we could not come back, that is the error, and nothing of ours may be done any more.
pub fn within<T, E: From<io::Error>>(namespace: BorrowedFd<'_>, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let enter = |fd: BorrowedFd<'_>| move_into_link_name_space(fd, Some(LinkNameSpaceType::Network));
    let home = openat(CWD, "/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(io::Error::from)?;
    enter(namespace).map_err(io::Error::from)?;
    let result = act();
    enter(home.as_fd()).map_err(io::Error::from)?;
    result
}
