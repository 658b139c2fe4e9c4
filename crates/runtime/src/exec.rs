//! One more process in a running container.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{setsid, umask};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};
use spec::bundle::{Namespace, Namespaces, Process, Seccomp};

use crate::cgroup::Cgroup;
use crate::error::{LaunchError, step};
use crate::failure::{Doing, InitFailure};
use crate::handshake::{self, InitEnd};
use crate::init::{become_root, join, new_keyring, report, take_streams};
use crate::launch::{Launched, Stdio, filter, start, stream_fds};
use crate::namespaces::{Entered, of_container};
use crate::process::{self, Early, MissingCwd, Plan, Reaper};
use crate::rootfs::target::Root;
use crate::terminal::Terminal;

/// A process to be started in a running container.
#[derive(Debug)]
pub struct Exec<'a> {
    /// What it is.
    pub process: &'a Process,
    /// The container's first process (a pidfd).
    pub target: BorrowedFd<'a>,
    /// As in the container's bundle: what is the host's there is left as it is.
    pub namespaces: &'a Namespaces,
    /// Which system calls it may make.
    pub seccomp: &'a Seccomp,
    /// Its streams; must agree with `process.terminal`.
    pub stdio: Stdio,
    /// The container's control groups.
    pub cgroup: Option<&'a Cgroup>,
}

/// Starts one more process in a container. The caller must be single-threaded and is the parent.
pub fn exec(exec: Exec<'_>) -> Result<Launched, LaunchError> {
    let filter = filter(exec.seccomp, exec.process)?;
    let (launcher_end, init_end) = handshake::pair().map_err(step("making the handshake's socket pair"))?;
    let plan = Plan { process: exec.process, filter: filter.as_ref(), cwd: MissingCwd::Fail, init: Reaper::None };
    // Only children of whoever joins a pid namespace are in it, so we join for a moment; the child joins the rest itself.
    let entered = match exec.namespaces.pid {
        Namespace::Host => None,
        Namespace::Private | Namespace::Container(_) | Namespace::Path(_) => Some(Entered::pid_of(exec.target)?),
    };
    let child = start(UnshareFlags::empty(), exec.cgroup, init_end, |end| run(&exec, &plan, end))?;
    let left = entered.map_or(Ok(()), Entered::leave);
    drop(exec.stdio);
    left.and_then(|()| child.converse(&launcher_end, None, &mut |_| Ok(()), LaunchError::Exec))
}

fn run(exec: &Exec<'_>, plan: &Plan<'_>, end: InitEnd) -> Infallible {
    let failure = match enter(exec, plan, &end) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    report(&end, failure)
}

fn enter(exec: &Exec<'_>, plan: &Plan<'_>, end: &InitEnd) -> Result<Infallible, InitFailure> {
    join(exec.cgroup)?;
    let mut kept = stream_fds(&exec.stdio);
    kept.extend([exec.target, end.as_fd()]);
    process::shed(&mut kept)?;
    setsid().doing(|| "setsid")?;
    let mut warnings = Vec::new();
    new_keyring(&mut warnings);
    // The host's /proc, for the last time.
    let early = Early::reach(exec.process, &mut warnings)?;

    let namespaces = of_container(exec.namespaces);
    move_into_thread_name_spaces(exec.target, namespaces).doing(|| "joining the container's namespaces")?;
    if namespaces.contains(ThreadNameSpaceType::USER) {
        become_root()?;
    }
    umask(Mode::empty());
    let root =
        openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).doing(|| "open /")?;
    let root = Root(root.as_fd());
    let terminal = match &exec.stdio {
        Stdio::Terminal { size } => Some(Terminal::open(root, *size)?),
        Stdio::Pipes(_) => None,
    };
    take_streams(terminal, &exec.stdio, end)?;
    process::become_command(plan, &early, root, end, warnings)
}
