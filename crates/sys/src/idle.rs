//! A process that does nothing until it is told to end: systemd makes a scope only around a living process, and the container's own
//! does not live yet.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The process. It is ended and reaped when this is dropped, and by the kernel when the thread that made it dies.
#[derive(Debug)]
pub struct Idle {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Idle {
    /// Makes it. It shares our descriptors, so that it keeps none of them open when we close ours.
    ///
    /// # Errors
    /// Of clone(2).
    pub fn spawn() -> io::Result<Idle> {
        Idle::spawn_in(0)
    }

    /// The same, in new namespaces: those of the CLONE_NEW flags given.
    pub(crate) fn spawn_in(namespaces: libc::c_int) -> io::Result<Idle> {
        let parent = rustix::process::getpid();
        let mut pidfd: RawFd = -1;
        // Exit signal 0: the owner's SIGCHLD and plain waitpid(2) do not see it.
        let flags = libc::CLONE_FILES | libc::CLONE_PIDFD | namespaces;
        // SAFETY: without CLONE_VM the child has its own copy of the memory, so a null stack is right; the third argument is where the
        // kernel writes the pidfd. The child only makes the async-signal-safe calls of `idle` and never returns.
        let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
        if result == 0 {
            idle(parent);
        }
        let Some(pid) = i32::try_from(result).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
            return Err(io::Error::last_os_error());
        };
        if pidfd < 0 {
            return Ok(Idle { pid, pidfd: pidfd_open(pid, PidfdFlags::empty())? });
        }
        // SAFETY: clone succeeded with CLONE_PIDFD, so this is a new descriptor that nobody else knows.
        Ok(Idle { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

fn idle(parent: Pid) -> ! {
    // SAFETY: plain system calls without pointers into anything; the process has one thread and ends by a signal.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // The parent may have died before the line above. Across a new user namespace pids are still those of the parent's.
        if libc::getppid() != parent.as_raw_nonzero().get() {
            libc::_exit(0);
        }
        loop {
            libc::pause();
        }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if pidfd_send_signal(self.pidfd.as_fd(), Signal::KILL).is_ok() {
            let mut status = 0;
            // __WALL: children with another exit signal than SIGCHLD are waited for as well.
            // SAFETY: `status` outlives the call; the process is our child, not yet reaped, and dies of the signal.
            unsafe { libc::waitpid(self.pid.as_raw_nonzero().get(), &raw mut status, libc::__WALL) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lives_until_it_is_dropped() {
        let idle = Idle::spawn().unwrap();
        let pid = idle.pid();
        assert!(rustix::process::test_kill_process(pid).is_ok());
        drop(idle);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
