//! A user namespace that nobody lives in: it exists to say how owners are shown (idmapped mounts).

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal, kill_process};

/// Makes one with the given contents of `uid_map` and `gid_map` (user_namespaces(7)).
///
/// # Errors
/// Of clone(2) and of the maps.
pub fn with_maps(uids: &str, gids: &str) -> io::Result<OwnedFd> {
    let parent = rustix::process::getpid();
    // SAFETY: without CLONE_VM the child has its own copy of the memory, so a null stack is right. The child only makes the
    // async-signal-safe calls of `idle` and never returns. Exit signal 0: the owner's SIGCHLD and plain waitpid(2) do not see it.
    let result = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::CLONE_FILES, 0, 0, 0, 0) };
    if result == 0 {
        idle(parent);
    }
    let Some(pid) = i32::try_from(result).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
        return Err(io::Error::last_os_error());
    };
    let made = map(pid, uids, gids);
    // Our child is not reaped yet, so the number is still its own.
    let killed = kill_process(pid, Signal::KILL);
    let mut status = 0;
    // SAFETY: `status` outlives the call. __WALL: children with another exit signal than SIGCHLD are waited for as well.
    unsafe { libc::waitpid(pid.as_raw_nonzero().get(), &raw mut status, libc::__WALL) };
    killed?;
    made
}

fn map(pid: Pid, uids: &str, gids: &str) -> io::Result<OwnedFd> {
    let dir = format!("/proc/{}", pid.as_raw_nonzero());
    let write = |file: &str, text: &str| {
        let mut file = File::options().write(true).open(format!("{dir}/{file}"))?;
        io::Write::write_all(&mut file, text.as_bytes())
    };
    write("uid_map", uids)?;
    write("gid_map", gids)?;
    Ok(fs::File::open(format!("{dir}/ns/user"))?.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_without_people() {
        let ns = with_maps("0 100000 65536", "0 200000 65536").unwrap();
        assert!(rustix::fs::fstat(&ns).is_ok());
        assert!(with_maps("nonsense", "0 0 1").is_err());
    }
}
