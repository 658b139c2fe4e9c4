//! The container's first process, between the clone and its command. It begins as a copy of the launcher, and everything it has of
//! it goes, step by step; the order is runc's where order matters.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::Mode;
use rustix::process::{setsid, umask};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use spec::bundle::{Bundle, Namespace};

use crate::cgroup::Cgroup;
use crate::failure::{Doing, InitFailure};
use crate::handshake::{FromInit, InitEnd, ToInit};
use crate::launch::{Stdio, stream_fds};
use crate::process::{self, Early, Plan};
use crate::rootfs::target::Root;
use crate::rootfs::{self, Parts, Sources};
use crate::sysctl::Settings;
use crate::terminal::{Terminal, streams};

/// What the first process needs, made before the clone.
pub(crate) struct First<'a> {
    pub(crate) bundle: &'a Bundle,
    pub(crate) rootfs: BorrowedFd<'a>,
    pub(crate) sources: &'a Sources,
    pub(crate) stdio: &'a Stdio,
    pub(crate) cgroup: Option<&'a Cgroup>,
    pub(crate) staging: &'a Path,
    /// Whether its loopback device is still off.
    pub(crate) loopback: bool,
    pub(crate) plan: Plan<'a>,
}

/// Runs in the child and does not return: it executes, or says why not and ends.
pub(crate) fn run(first: &First<'_>, end: InitEnd) -> Infallible {
    let failure = match become_container(first, &end) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    report(&end, failure)
}

/// Says why, and ends.
pub(crate) fn report(end: &InitEnd, failure: InitFailure) -> ! {
    // Where this fails nobody listens any more.
    let _ = end.send(&FromInit::Failed(failure.cut()));
    sys::exec::exit(1)
}

fn become_container(first: &First<'_>, end: &InitEnd) -> Result<Infallible, InitFailure> {
    let bundle = first.bundle;
    // First: the files it writes to were opened by the launcher, and are closed next.
    join(first.cgroup)?;
    let mut kept = stream_fds(first.stdio);
    kept.extend(first.sources.each().flatten());
    kept.extend([first.rootfs, end.as_fd()]);
    process::shed(&mut kept)?;

    let mut warnings = Vec::new();
    // While we still are who owns our files in /proc: in a user namespace we become another.
    let early = Early::reach(&bundle.process, &mut warnings)?;
    own_ids(bundle, end)?;
    if bundle.namespaces.cgroup == Namespace::Private {
        sys::clone::unshare(UnshareFlags::NEWCGROUP).doing(|| "making the cgroup namespace")?;
    }
    setsid().doing(|| "setsid")?;
    new_keyring(&mut warnings);
    if first.loopback {
        sys::loopback::up().doing(|| "switching the loopback device on")?;
    }
    let settings = if bundle.sysctls.is_empty() { None } else { Some(Settings::open()?) };

    umask(Mode::empty());
    let size = match first.stdio {
        Stdio::Terminal { size } => *size,
        Stdio::Pipes(_) => None,
    };
    let parts = Parts { bundle, rootfs: first.rootfs, staging: first.staging, sources: first.sources, size };
    let terminal = rootfs::build(&parts)?;

    names(bundle)?;
    if let Some(settings) = settings {
        settings.apply(&bundle.sysctls)?;
    }
    take_streams(terminal, first.stdio, end)?;
    process::become_command(&first.plan, &early, Root(first.rootfs), end, warnings)
}

/// The groups of v1; in v2 we were born in ours.
pub(crate) fn join(cgroup: Option<&Cgroup>) -> Result<(), InitFailure> {
    cgroup.map_or(Ok(()), |cgroup| cgroup.join_self().doing(|| "joining the control groups"))
}

/// In a user namespace of its own it is nobody until the launcher has written the maps.
fn own_ids(bundle: &Bundle, end: &InitEnd) -> Result<(), InitFailure> {
    if bundle.namespaces.user != Namespace::Private {
        return Ok(());
    }
    end.send(&FromInit::MapIds).doing(|| "asking for the id maps")?;
    end.expect(ToInit::IdsMapped).doing(|| "waiting for the id maps")?;
    become_root()
}

/// Root of this user namespace.
pub(crate) fn become_root() -> Result<(), InitFailure> {
    use rustix::fs::{Gid, Uid};
    set_thread_groups(&[]).doing(|| "setgroups in the user namespace")?;
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).doing(|| "setgid in the user namespace")?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).doing(|| "setuid in the user namespace")
}

/// Key rings know no namespaces: without one of its own a process finds the launcher's keys.
pub(crate) fn new_keyring(warnings: &mut Vec<String>) {
    if let Err(error) = sys::keyring::new_session()
        // A kernel without keys has none to hide.
        && error.raw_os_error() != Some(libc::ENOSYS)
    {
        warnings.push(format!("the container shares our session keyring: {error}"));
    }
}

fn names(bundle: &Bundle) -> Result<(), InitFailure> {
    if bundle.namespaces.uts != Namespace::Private {
        return Ok(());
    }
    if let Some(name) = &bundle.hostname {
        rustix::system::sethostname(name.as_bytes()).doing(|| "sethostname")?;
    }
    if let Some(name) = &bundle.domainname {
        rustix::system::setdomainname(name.as_bytes()).doing(|| "setdomainname")?;
    }
    Ok(())
}

/// Hands the terminal's master out, or takes the pipes.
pub(crate) fn take_streams(terminal: Option<Terminal>, stdio: &Stdio, end: &InitEnd) -> Result<(), InitFailure> {
    match (terminal, stdio) {
        (Some(terminal), _) => {
            end.send(&FromInit::Terminal(Some(terminal.master))).doing(|| "handing the terminal out")?;
            Terminal::take(&terminal.slave)
        }
        (None, Stdio::Pipes([stdin, stdout, stderr])) => streams([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]),
        (None, Stdio::Terminal { .. }) => {
            Err(rustix::io::Errno::NOTTY).doing(|| "the process was given a terminal it does not want")
        }
    }
}
