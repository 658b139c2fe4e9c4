//! The last steps of every process of a container, the first and those by `exec`: who it is, what it may, and what it executes.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Gid, Mode, OFlags, Uid, fchown, fstat};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, set_capabilities, set_keep_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use spec::bundle::Process;

use crate::apparmor::OnExec;
use crate::failure::{Doing, Errno as Said, InitFailure};
use crate::handshake::{FromInit, InitEnd};
use crate::lookup;
use crate::rootfs::target::{Kind, Root, Symlinks};
use crate::seccomp::Program;
use crate::user::{self, User};

/// What the last steps need, made before the clone.
pub(crate) struct Plan<'a> {
    pub(crate) process: &'a Process,
    pub(crate) filter: Option<&'a Program>,
    pub(crate) cwd: MissingCwd,
    pub(crate) init: Reaper,
}

/// What happens where the working directory is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingCwd {
    /// It is made, as Docker does for a container's first process.
    Make,
    /// It is an error.
    Fail,
}

/// Whether a tiny init stays above the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaper {
    None,
    TinyInit,
}

/// What must be reached for while the host's /proc still is.
pub(crate) struct Early {
    label: Option<(OnExec, OwnedFd)>,
}

impl Early {
    /// Sets what the host's /proc is for, and opens what is needed later.
    pub(crate) fn reach(process: &Process, warnings: &mut Vec<String>) -> Result<Early, InitFailure> {
        if let Some(adjustment) = process.oom_score_adj {
            oom_score(adjustment, warnings)?;
        }
        let Some(profile) = &process.apparmor else { return Ok(Early { label: None }) };
        let proc = rustix::fs::openat(rustix::fs::CWD, "/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .doing(|| "open /proc")?;
        let file = OnExec::open(std::os::fd::AsFd::as_fd(&proc))
            .doing(|| format!("unable to apply apparmor profile {profile}"))?;
        Ok(Early { label: Some((OnExec::new(profile), file)) })
    }
}

fn oom_score(adjustment: i32, warnings: &mut Vec<String>) -> Result<(), InitFailure> {
    let doing = || "write oom_score_adj";
    let file = rustix::fs::openat(
        rustix::fs::CWD,
        "/proc/self/oom_score_adj",
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    match rustix::io::write(file.doing(doing)?, adjustment.to_string().as_bytes()) {
        Ok(_) => Ok(()),
        // Without CAP_SYS_RESOURCE it can only be raised.
        Err(Errno::ACCESS) => {
            warnings.push(format!(
                "oom_score_adj {adjustment} is below ours, and without CAP_SYS_RESOURCE it cannot be lowered"
            ));
            Ok(())
        }
        Err(errno) => Err(errno).doing(doing),
    }
}

/// Becomes the command; never returns but in failure. Streams and session are set, `root` is `/`.
pub(crate) fn become_command(
    plan: &Plan<'_>,
    early: &Early,
    root: Root<'_>,
    end: &InitEnd,
    mut warnings: Vec<String>,
) -> Result<std::convert::Infallible, InitFailure> {
    let process = plan.process;
    let user = user::look_up(root.0, process)?;
    own_streams(user.uid)?;
    limits(process, &mut warnings)?;
    let entered = enter(root, &process.cwd, plan.cwd)?;
    if process.no_new_privileges {
        set_no_new_privs(true).doing(|| "setting no_new_privs")?;
    } else {
        // Before CAP_SYS_ADMIN goes: without it and without no_new_privs, seccomp(2) refuses (EACCES).
        install(plan.filter)?;
    }
    become_user(process, &user)?;
    if entered == Entered::NotYet {
        // The directory may be closed to root (NFS) and open to the user.
        rustix::process::chdir(&process.cwd)
            .map_err(|errno| InitFailure::WorkingDir(process.cwd.clone(), errno.into()))?;
    }
    verify_cwd()?;
    let env = environment(process, &user);
    let command = process.args.first().map_or("", String::as_str);
    let path = lookup::look_up(command, &env)?;
    // A change of user clears it.
    set_parent_process_death_signal(Some(Signal::KILL)).doing(|| "tying the process to its monitor")?;
    sys::fds::close_others_at_exec(&[0, 1, 2])
        .doing(|| "close_range(2), which keeps descriptors out of the container")?;
    if let Some((label, file)) = &early.label {
        label.apply(file).doing(|| {
            format!("unable to apply apparmor profile {}", process.apparmor.as_deref().unwrap_or_default())
        })?;
    }
    let executed = Executed::new(&path, process, &env)?;

    // Refused where the launcher has died before it could tie us to it.
    end.send(&FromInit::Ready(warnings)).doing(|| "reporting ready")?;

    if process.no_new_privileges {
        // Last: what comes after must be allowed by the filter.
        install(plan.filter)?;
    }
    match plan.init {
        Reaper::None => {}
        Reaper::TinyInit => crate::tiny_init::stay_above().doing(|| "starting the command below init")?,
    }
    sys::signals::reset().doing(|| "resetting signals")?;
    Err(executed.execute(command))
}

fn install(filter: Option<&Program>) -> Result<(), InitFailure> {
    filter.map_or(Ok(()), |filter| filter.install().doing(|| "unable to init seccomp"))
}

/// The strings of execve(2), made before the last steps.
struct Executed {
    path: CString,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Executed {
    fn new(path: &str, process: &Process, env: &[String]) -> Result<Executed, InitFailure> {
        let string = |text: &str| {
            CString::new(text).map_err(|_| InitFailure::Step(format!("{text:?} holds a NUL"), Said(libc::EINVAL)))
        };
        Ok(Executed {
            path: string(path)?,
            args: process.args.iter().map(|arg| string(arg)).collect::<Result<_, _>>()?,
            env: env.iter().map(|pair| string(pair)).collect::<Result<_, _>>()?,
        })
    }

    fn execute(&self, command: &str) -> InitFailure {
        let args: Vec<_> = self.args.iter().map(CString::as_c_str).collect();
        let env: Vec<_> = self.env.iter().map(CString::as_c_str).collect();
        let error = sys::exec::execve(&self.path, &args, &env);
        InitFailure::Execute(command.to_owned(), Said::from(&error))
    }
}

/// /dev/stdout and its like are opened anew by many programs, so the streams belong to the user (runc `fixStdioPermissions`).
fn own_streams(uid: u32) -> Result<(), InitFailure> {
    for fd in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        let stat = fstat(fd).doing(|| "fstat of a stream")?;
        // The null device is everybody's, and may be the machine's.
        if stat.st_uid == uid || stat.st_rdev == rustix::fs::makedev(1, 3) {
            continue;
        }
        match fchown(fd, Some(Uid::from_raw(uid)), None) {
            // Unmapped, read-only, or not ours: it can be used as it is.
            Ok(()) | Err(Errno::INVAL | Errno::PERM | Errno::ROFS) => {}
            Err(errno) => return Err(errno).doing(|| "fchown of a stream"),
        }
    }
    Ok(())
}

fn limits(process: &Process, warnings: &mut Vec<String>) -> Result<(), InitFailure> {
    for wanted in &process.rlimits {
        let Some(resource) = resource(&wanted.name) else {
            return Err(InitFailure::Step(format!("invalid rlimit type: {}", wanted.name), Said(libc::EINVAL)));
        };
        let limit = |value: u64| (value != u64::MAX).then_some(value);
        let (soft, hard) = (limit(wanted.soft), limit(wanted.hard));
        match setrlimit(resource, Rlimit { current: soft, maximum: hard }) {
            Ok(()) => {}
            Err(Errno::PERM) => {
                let top = getrlimit(resource).maximum;
                let least = |value: Option<u64>| [value, top].into_iter().flatten().min();
                setrlimit(resource, Rlimit { current: least(soft), maximum: least(hard) })
                    .doing(|| format!("error setting rlimit {}", wanted.name))?;
                let shown = top.map_or_else(|| "unlimited".to_owned(), |top| top.to_string());
                warnings.push(format!(
                    "ulimit {} is cut to our own limit, {shown}: more needs CAP_SYS_RESOURCE",
                    wanted.name
                ));
            }
            Err(errno) => return Err(errno).doing(|| format!("error setting rlimit {}", wanted.name)),
        }
    }
    Ok(())
}

fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        "as" => Resource::As,
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entered {
    Done,
    NotYet,
}

fn enter(root: Root<'_>, cwd: &Path, missing: MissingCwd) -> Result<Entered, InitFailure> {
    let refused = |errno: Errno| InitFailure::WorkingDir(cwd.to_owned(), errno.into());
    let cwd = if cwd.as_os_str().is_empty() { Path::new("/") } else { cwd };
    let dir = match (root.open(cwd, Symlinks::Follow), missing) {
        (Err(Errno::NOENT), MissingCwd::Make) => root.make(cwd, Kind::Directory)?,
        (Err(Errno::ACCESS), _) => return Ok(Entered::NotYet),
        (result, _) => result.map_err(refused)?,
    };
    match rustix::process::fchdir(&dir) {
        Ok(()) => Ok(Entered::Done),
        Err(Errno::ACCESS) => Ok(Entered::NotYet),
        Err(errno) => Err(refused(errno)),
    }
}

/// A working directory outside the root would be a door to the host (CVE-2024-21626). The kernel then gives no absolute path.
fn verify_cwd() -> Result<(), InitFailure> {
    let cwd = rustix::process::getcwd(Vec::new());
    match cwd {
        Ok(cwd) if cwd.as_bytes().starts_with(b"/") => Ok(()),
        Ok(_) => Err(Errno::XDEV).doing(|| "current working directory is outside of container mount namespace root"),
        Err(errno) => Err(errno).doing(|| "current working directory is outside of container mount namespace root"),
    }
}

fn become_user(process: &Process, user: &User) -> Result<(), InitFailure> {
    let kept = CapabilitySet::from_bits_retain(process.capabilities.bits());
    bound(kept)?;
    set_keep_capabilities(true).doing(|| "keeping capabilities")?;
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    set_thread_groups(&groups).doing(|| "setgroups")?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_thread_res_gid(gid, gid, gid).doing(|| "setgid")?;
    set_thread_res_uid(uid, uid, uid).doing(|| "setuid")?;
    set_keep_capabilities(false).doing(|| "dropping capabilities")?;
    clear_ambient_capability_set().doing(|| "dropping ambient capabilities")?;
    // What we lack ourselves cannot be given. Any user but root has only what an execution gives (moby `SetCapabilities`).
    let own = capabilities(None).doing(|| "capget")?.permitted;
    let given = if user.uid == 0 { own & kept } else { CapabilitySet::empty() };
    let sets = CapabilitySets { effective: given, permitted: given, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).doing(|| "unable to apply caps")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    Ok(())
}

/// Drops everything else from the bounding set, including what this kernel knows and we do not.
fn bound(kept: CapabilitySet) -> Result<(), InitFailure> {
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(one) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno).doing(|| "unable to apply bounding set"),
        }
    }
    Ok(())
}

fn environment(process: &Process, user: &User) -> Vec<String> {
    let mut env = process.env.clone();
    if !env.iter().any(|pair| pair.starts_with("HOME=")) {
        env.push(format!("HOME={}", user.home));
    }
    env
}

/// What both kinds of process do first: nothing of the launcher's stays open, and nobody may look into us.
pub(crate) fn shed(kept: &mut Vec<BorrowedFd<'_>>) -> Result<(), InitFailure> {
    use std::os::fd::AsRawFd;
    let mut numbers: Vec<_> = kept.iter().map(AsRawFd::as_raw_fd).chain([0, 1, 2]).collect();
    numbers.sort_unstable();
    sys::fds::close_others(&numbers).doing(|| "close_range(2), which keeps descriptors out of the container")?;
    // A process of the same pid namespace could reach what is still open through /proc until we execute.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .doing(|| "becoming undumpable")
}
