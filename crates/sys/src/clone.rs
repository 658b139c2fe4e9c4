//! clone3(2), which rustix lacks: a process in new namespaces and in its control group, known by a descriptor from its first moment.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use linux_raw_sys::general::{CLONE_INTO_CGROUP, clone_args};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// On which side of a clone we are.
#[derive(Debug)]
pub enum Side {
    /// In the caller.
    Parent {
        /// The child, as the caller's pid namespace numbers it.
        pid: Pid,
        /// The child, whoever has its number later.
        pidfd: OwnedFd,
    },
    /// In the child, which has copies of the caller's memory and descriptors.
    Child,
}

/// The namespaces a process can be given when it is made.
#[must_use]
pub fn namespaces() -> UnshareFlags {
    UnshareFlags::NEWNS
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWUSER
        | UnshareFlags::NEWCGROUP
}

/// Makes a child in the `new` namespaces and, on cgroup v2, in the group whose directory `cgroup` is: moving it there later costs
/// 5 ms (an RCU grace period), this costs nothing.
///
/// Refused (EINVAL) in a process with several threads, whose child would find locks held for ever. The child shall leave by
/// [`crate::exec::exit`] or an execution, and never unwind or return into what the caller was doing.
pub fn clone(new: UnshareFlags, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    single_threaded()?;
    let mut pidfd: RawFd = -1;
    let mut flags = u64::from((new & namespaces()).bits()) | u64::try_from(libc::CLONE_PIDFD).unwrap_or_default();
    let mut group = 0;
    if let Some(cgroup) = cgroup {
        flags |= CLONE_INTO_CGROUP;
        group = u64::try_from(cgroup.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
    }
    let args = clone_args {
        flags,
        pidfd: (&raw mut pidfd).addr() as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: u64::try_from(libc::SIGCHLD).unwrap_or_default(),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: group,
    };
    (&raw mut pidfd).expose_provenance();
    // SAFETY: without CLONE_VM and a stack this is a fork: the child goes on here with a copy of everything, and the only thread there
    // is. `args` is a `struct clone_args` of the size given and `pidfd` is valid for the kernel to write.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<clone_args>()) };
    match i32::try_from(pid) {
        Ok(0) => Ok(Side::Child),
        Ok(pid) if pid > 0 => {
            // SAFETY: the kernel wrote a new descriptor of ours there; it is close-on-exec.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent { pid: Pid::from_raw(pid).ok_or(io::ErrorKind::Other)?, pidfd })
        }
        Ok(_) | Err(_) => Err(io::Error::last_os_error()),
    }
}

/// fork(2), for where a filter is installed already: Docker's forbids clone3, whose flags no filter can read. None in the child, which
/// is bound as that of [`clone`] is; the caller must have a single thread.
pub fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: takes nothing; in the child the one thread goes on here with a copy of all memory.
    let pid = unsafe { libc::fork() };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(Pid::from_raw(pid)) }
}

/// EINVAL where there are several threads: what clone_args asks of the caller, and a tenth of a microsecond.
fn single_threaded() -> io::Result<()> {
    // SAFETY: CLONE_THREAD changes nothing; the kernel only checks that the caller is alone (unshare(2)).
    let result = unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_THREAD) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Leaves these namespaces for new ones. Only namespaces: descriptors stay shared as they are.
pub fn unshare(new: UnshareFlags) -> io::Result<()> {
    // SAFETY: CLONE_FILES is masked out, which is what makes the call dangerous.
    unsafe { rustix::thread::unshare_unsafe(new & (namespaces() | UnshareFlags::NEWTIME))? };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_does_not_clone() {
        // The test harness runs this beside its main thread.
        assert_eq!(clone(UnshareFlags::empty(), None).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
