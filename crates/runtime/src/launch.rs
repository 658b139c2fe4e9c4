//! Launching: one bundle becomes one process.
//!
//! One clone3 makes the child in its new namespaces and its group; the rest is done by the child on itself, in `init.rs`, and told
//! over the handshake. Where anything fails the child is killed and reaped before the error is returned.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use rustix::termios::Winsize;
use rustix::thread::UnshareFlags;
use spec::bundle::{Bundle, IdMaps, Namespace, Process, Seccomp};
use spec::seccomp::Arch;
use sys::clone::Side;

use crate::cgroup::Cgroup;
use crate::error::{LaunchError, step};
use crate::failure::InitFailure;
use crate::handshake::{self, FromInit, InitEnd, LauncherEnd, ToInit};
use crate::init::{self, First};
use crate::namespaces::{self, Entered, Joined};
use crate::process::{MissingCwd, Plan, Reaper};
use crate::rootfs::{Given, Sources};
use crate::seccomp::{Program, compile, docker_profile, running_kernel};
use crate::sysctl;

/// A container to be launched.
#[derive(Debug)]
pub struct Launch<'a> {
    /// What it is.
    pub bundle: &'a Bundle,
    /// Its root file system: a detached mount, in no mount table.
    pub rootfs: OwnedFd,
    /// Mounts of the bundle that the caller has made, by their place in it: images, and what is shared with other containers.
    pub mounts: BTreeMap<usize, OwnedFd>,
    /// The namespaces it joins.
    pub joined: Joined,
    /// Its streams; must agree with `bundle.process.terminal`.
    pub stdio: Stdio,
    /// Its control groups; none where nobody makes any.
    pub cgroup: Option<&'a Cgroup>,
    /// An existing directory in which the child attaches the root, in its own mount namespace only, before it becomes `/`.
    pub staging: &'a Path,
}

/// The streams of a process.
#[derive(Debug)]
pub enum Stdio {
    /// Standard input, output and error.
    Pipes([OwnedFd; 3]),
    /// A pseudo-terminal of the container's own devpts.
    Terminal {
        /// Its first size; none leaves it 0 by 0.
        size: Option<Winsize>,
    },
}

/// A process that runs its command.
#[derive(Debug)]
pub struct Launched {
    /// Its number in the caller's pid namespace.
    pub pid: Pid,
    /// The process itself.
    pub pidfd: OwnedFd,
    /// Field 22 of /proc/PID/stat: with the number, it names the process for whoever comes later.
    pub start_time: u64,
    /// The master of its pseudo-terminal.
    pub terminal: Option<OwnedFd>,
    /// What could not be had as asked.
    pub warnings: Vec<String>,
}

/// Told of a network namespace that was made with a process, before the process does anything in it.
pub type OnNetwork<'a> = &'a mut dyn FnMut(OwnedFd) -> std::io::Result<()>;

/// Launches a container's first process. The caller must be single-threaded and is the parent: the process dies with it. A container
/// with a user namespace of its own has a network namespace that belongs to it, which can only be made with it: `on_network` hears of it.
pub fn launch(mut launch: Launch<'_>, on_network: OnNetwork<'_>) -> Result<Launched, LaunchError> {
    let bundle = launch.bundle;
    sysctl::check(&bundle.sysctls, &bundle.namespaces)?;
    launch.joined.answers(&bundle.namespaces)?;
    let filter = filter(&bundle.seccomp, &bundle.process)?;
    let ids = bundle.namespaces.id_maps.as_ref().filter(|_| bundle.namespaces.user == Namespace::Private);
    let given = Given { mounts: launch.mounts, shared_memory: launch.joined.shared_memory.take() };
    let sources = Sources::open(&bundle.mounts, given, ids).map_err(LaunchError::Source)?;
    let (launcher_end, init_end) = handshake::pair().map_err(step("making the handshake's socket pair"))?;
    let init = if bundle.init { Reaper::TinyInit } else { Reaper::None };
    let new_network = bundle.namespaces.network == Namespace::Private && launch.joined.network.is_none();
    let first = First {
        bundle,
        rootfs: launch.rootfs.as_fd(),
        sources: &sources,
        stdio: &launch.stdio,
        cgroup: launch.cgroup,
        staging: launch.staging,
        loopback: new_network,
        plan: Plan { process: &bundle.process, filter: filter.as_ref(), cwd: MissingCwd::Make, init },
    };
    let entered = Entered::enter(&launch.joined, bundle.namespaces.time.as_ref())?;
    let new = namespaces::new(&bundle.namespaces, &launch.joined);
    let child = start(new, launch.cgroup, init_end, |end| init::run(&first, end))?;
    let left = entered.leave();
    // Nothing waits for the child's streams but the child: its copies must be the only ones.
    drop((launch.stdio, launch.rootfs, sources));
    let on_network: OnNetwork<'_> = if new_network { on_network } else { &mut |_| Ok(()) };
    left.and_then(|()| child.converse(&launcher_end, ids, on_network, LaunchError::Init))
}

/// The compiled filter of a process. Its conditions look at its capabilities.
pub(crate) fn filter(seccomp: &Seccomp, process: &Process) -> Result<Option<Program>, LaunchError> {
    let profile = match seccomp {
        Seccomp::Unconfined => return Ok(None),
        Seccomp::Default => docker_profile(),
        Seccomp::Profile(profile) => profile,
    };
    Ok(Some(compile(profile, process.capabilities, running_kernel(), &Arch::NATIVE)?))
}

/// A child that is not yet known to run its command. Dropped, it is killed and reaped.
pub(crate) struct Starting {
    pid: Pid,
    /// Taken once it runs.
    pidfd: Option<OwnedFd>,
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(pidfd) = &self.pidfd {
            // It may be dead already.
            let _ = pidfd_send_signal(pidfd, Signal::KILL);
            let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
        }
    }
}

/// Makes the child, which runs `child` and nothing else.
pub(crate) fn start(
    new: UnshareFlags,
    cgroup: Option<&Cgroup>,
    end: InitEnd,
    child: impl FnOnce(InitEnd) -> std::convert::Infallible,
) -> Result<Starting, LaunchError> {
    let side =
        sys::clone::clone(new, cgroup.and_then(Cgroup::clone_into)).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSYS) => {
                LaunchError::Missing { what: "making a container's process", feature: "clone3(2) (Linux 5.3)" }
            }
            Some(libc::EINVAL) => LaunchError::Missing {
                what: "making a container's process",
                feature: "all of the namespaces asked for, or a single thread",
            },
            _ => step("making the container's process")(error),
        })?;
    match side {
        Side::Parent { pid, pidfd } => Ok(Starting { pid, pidfd: Some(pidfd) }),
        Side::Child => {
            // A panic must not unwind into a second copy of the launcher.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| child(end)));
            sys::exec::exit(255)
        }
    }
}

impl Starting {
    /// The launcher's side of the handshake, until the command runs.
    pub(crate) fn converse(
        mut self,
        end: &LauncherEnd,
        ids: Option<&IdMaps>,
        on_network: OnNetwork<'_>,
        failed: impl Fn(InitFailure) -> LaunchError,
    ) -> Result<Launched, LaunchError> {
        let (mut terminal, mut warnings) = (None, None);
        loop {
            let received = end.receive().map_err(|errno| match errno {
                rustix::io::Errno::TIMEDOUT => step("it was stopped from within, or waits for a file system")(errno),
                _ => step("listening to the container's process")(errno),
            });
            match received? {
                Some(FromInit::MapIds) => {
                    if let Some(maps) = ids {
                        namespaces::write_maps(self.pid, maps)?;
                    }
                    self.network().and_then(&mut *on_network).map_err(step("setting up the container's network"))?;
                    self.say(end, ToInit::IdsMapped)?;
                }
                Some(FromInit::Terminal(master)) => terminal = master,
                Some(FromInit::Ready(said)) => warnings = Some(said),
                Some(FromInit::Failed(failure)) => {
                    return Err(if failure.is_about_the_user() { LaunchError::User(failure) } else { failed(failure) });
                }
                // End of file: executed, if it was ready.
                None => break,
            }
        }
        let Some(warnings) = warnings else { return Err(LaunchError::Died(self.how_it_ended())) };
        let start_time = start_time(self.pid)?;
        let Some(pidfd) = self.pidfd.take() else { return Err(LaunchError::Died(self.how_it_ended())) };
        Ok(Launched { pid: self.pid, pidfd, start_time, terminal, warnings })
    }

    fn say(&self, end: &LauncherEnd, word: ToInit) -> Result<(), LaunchError> {
        // A child that is gone has said why, or its end of file is about to be read.
        match end.send(word) {
            Ok(()) | Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => Ok(()),
            Err(errno) => Err(step("answering the container's process")(errno)),
        }
    }

    fn network(&self) -> std::io::Result<OwnedFd> {
        let path = format!("/proc/{}/ns/net", self.pid.as_raw_nonzero());
        Ok(openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn how_it_ended(&self) -> String {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let ended = self.pidfd.as_ref().map(|pidfd| waitid(WaitId::PidFd(pidfd.as_fd()), options));
        match ended {
            Some(Ok(Some(status))) => match (status.terminating_signal(), status.exit_status()) {
                (Some(signal), _) => format!("signal {signal}"),
                (None, Some(code)) => format!("exit code {code}"),
                (None, None) => "for an unknown reason".into(),
            },
            Some(Ok(None) | Err(_)) | None => "for an unknown reason".into(),
        }
    }
}

/// Field 22 of /proc/PID/stat. The second field is a name in parentheses and may hold anything.
fn start_time(pid: Pid) -> Result<u64, LaunchError> {
    let doing = "reading the start time of the container's process";
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(step(doing))?;
    let mut bytes = [0_u8; 1024];
    let length = rustix::io::read(&file, &mut bytes).map_err(step(doing))?;
    let text = String::from_utf8_lossy(&bytes[..length]);
    let after =
        text.rsplit_once(") ").and_then(|(_, after)| after.split(' ').nth(19)).and_then(|field| field.parse().ok());
    after.ok_or_else(|| step(doing)(std::io::Error::from(std::io::ErrorKind::InvalidData)))
}

/// The descriptors of streams.
pub(crate) fn stream_fds(stdio: &Stdio) -> Vec<BorrowedFd<'_>> {
    match stdio {
        Stdio::Pipes(fds) => fds.iter().map(AsFd::as_fd).collect(),
        Stdio::Terminal { .. } => Vec::new(),
    }
}
