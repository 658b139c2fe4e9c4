//! Which namespaces a process gets, and joining those of others.
//!
//! New ones are made by the clone itself. Those to join are entered by the launcher just before it and left just after: the child is
//! born in them. That holds for every kind alike, and also where the child has a user namespace of its own and could not join any more.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, fstatfs, openat, openat2, statx,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, UnshareFlags, move_into_link_name_space};
use spec::bundle::{IdMap, IdMaps, Namespace, Namespaces, TimeOffsets};

use crate::error::{LaunchError, step};

/// Descriptors of the namespaces that a bundle says to join, opened by the caller: one for each that is a container's or a path.
#[derive(Debug, Default)]
pub struct Joined {
    /// Processes.
    pub pid: Option<OwnedFd>,
    /// Network; or one made ahead by [`new_network`] for a container that is to have its own.
    pub network: Option<OwnedFd>,
    /// System V IPC and message queues.
    pub ipc: Option<OwnedFd>,
    /// Host name.
    pub uts: Option<OwnedFd>,
    /// Control groups.
    pub cgroup: Option<OwnedFd>,
    /// The /dev/shm that belongs to the joined IPC namespace, by [`shared_memory`].
    pub shared_memory: Option<OwnedFd>,
}

/// The /dev/shm that a mount namespace sees, as a mount of its own that is attached nowhere. No symbolic link is followed on the way:
/// it would be its container's, and `/proc/self` in it would be us.
///
/// # Errors
/// Of the kernel.
pub fn shared_memory(mount_namespace: BorrowedFd<'_>) -> std::io::Result<OwnedFd> {
    sys::mntns::in_mounts_of(mount_namespace, || {
        let path = openat2(CWD, "/dev/shm", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        Ok::<_, std::io::Error>(open_tree(&path, "", flags)?)
    })
}

/// The memory that is mounted at `path` of a mount namespace, as a mount of its own that is attached nowhere; none where there is
/// something else by now. The path is another container's, so no link leads out of it, and what is found is looked at.
///
/// # Errors
/// Of the kernel.
pub fn memory_at(mount_namespace: BorrowedFd<'_>, path: &Path) -> std::io::Result<Option<OwnedFd>> {
    sys::mntns::in_mounts_of(mount_namespace, || {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let at = match openat2(&root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            other => other?,
        };
        let stat = statx(&at, "", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
        let is_mount = stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        if !is_mount || fstatfs(&at)?.f_type != TMPFS_MAGIC {
            return Ok(None);
        }
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        Ok::<_, std::io::Error>(Some(open_tree(&at, "", flags)?))
    })
}

/// linux/magic.h
const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;

impl Joined {
    /// Refuses a bundle that would otherwise run in the launcher's own namespace where it asked for another's.
    pub(crate) fn answers(&self, namespaces: &Namespaces) -> Result<(), LaunchError> {
        let each = [
            ("pid", &namespaces.pid, self.pid.is_some()),
            ("network", &namespaces.network, self.network.is_some()),
            ("ipc", &namespaces.ipc, self.ipc.is_some()),
            ("uts", &namespaces.uts, self.uts.is_some()),
            ("cgroup", &namespaces.cgroup, self.cgroup.is_some()),
            // Who joins a user namespace has no way back from it, and a launcher must come back.
            ("user", &namespaces.user, false),
        ];
        for (name, namespace, opened) in each {
            match namespace {
                Namespace::Container(_) | Namespace::Path(_) if !opened => {
                    let doing = format!("joining a {name} namespace that was not opened");
                    return Err(step(&doing)(rustix::io::Errno::NOTSUP));
                }
                Namespace::Host | Namespace::Private | Namespace::Container(_) | Namespace::Path(_) => {}
            }
        }
        if namespaces.user == Namespace::Private && namespaces.id_maps.is_none() {
            return Err(step("making a user namespace without id maps")(rustix::io::Errno::INVAL));
        }
        Ok(())
    }
}

/// A network namespace for a container that will be launched soon, its loopback device on. Making one takes 0.4 ms, which pass here
/// while others work; the calling process, which should have one thread, is in it for a moment.
///
/// # Errors
/// Of the kernel.
pub fn new_network() -> std::io::Result<OwnedFd> {
    let current = || openat(CWD, "/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let own = current()?;
    sys::clone::unshare(UnshareFlags::NEWNET)?;
    let made = sys::loopback::up().and_then(|()| Ok(current()?));
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Network))?;
    made
}

/// The new ones, for the clone. Not the cgroup namespace: its root would be the launcher's group, so it is made after joining. Not a
/// network that was made ahead.
pub(crate) fn new(namespaces: &Namespaces, joined: &Joined) -> UnshareFlags {
    let network = if joined.network.is_some() { &Namespace::Host } else { &namespaces.network };
    let each = [
        (&namespaces.pid, UnshareFlags::NEWPID),
        (network, UnshareFlags::NEWNET),
        (&namespaces.ipc, UnshareFlags::NEWIPC),
        (&namespaces.uts, UnshareFlags::NEWUTS),
        (&namespaces.user, UnshareFlags::NEWUSER),
    ];
    let private = each.iter().filter(|(namespace, _)| **namespace == Namespace::Private);
    private.fold(UnshareFlags::NEWNS, |flags, (_, flag)| flags | *flag)
}

/// Those of a running container that a further process must enter; its pid namespace is the launcher's business.
pub(crate) fn of_container(namespaces: &Namespaces) -> ThreadNameSpaceType {
    let each = [
        (&namespaces.network, ThreadNameSpaceType::NETWORK),
        (&namespaces.ipc, ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
        (&namespaces.uts, ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
        (&namespaces.cgroup, ThreadNameSpaceType::CONTROL_GROUP),
        (&namespaces.user, ThreadNameSpaceType::USER),
    ];
    let own = each.iter().filter(|(namespace, _)| **namespace != Namespace::Host);
    let flags = own.fold(ThreadNameSpaceType::MOUNT, |flags, (_, flag)| flags | *flag);
    if namespaces.time.is_some() { flags | ThreadNameSpaceType::TIME } else { flags }
}

/// Namespaces this process has entered for its next child, and how to get back.
pub(crate) struct Entered(Vec<OwnedFd>);

impl Entered {
    /// Enters what is to be joined, and makes a time namespace for the child if it is to have one.
    pub(crate) fn enter(joined: &Joined, time: Option<&TimeOffsets>) -> Result<Entered, LaunchError> {
        let mut entered = Entered(Vec::new());
        let each = [
            ("pid", &joined.pid, LinkNameSpaceType::ProcessID),
            ("net", &joined.network, LinkNameSpaceType::Network),
            ("ipc", &joined.ipc, LinkNameSpaceType::InterProcessCommunication),
            ("uts", &joined.uts, LinkNameSpaceType::HostNameAndNISDomainName),
            ("cgroup", &joined.cgroup, LinkNameSpaceType::ControlGroup),
        ];
        for (name, fd, kind) in each {
            let Some(fd) = fd else { continue };
            let doing = format!("joining the {name} namespace");
            entered.remember(name)?;
            move_into_link_name_space(fd.as_fd(), Some(kind)).map_err(step(&doing))?;
        }
        if let Some(offsets) = time {
            entered.remember("time")?;
            sys::clone::unshare(UnshareFlags::NEWTIME).map_err(|error| match error.raw_os_error() {
                Some(libc::EINVAL) => LaunchError::Missing {
                    what: "a private time namespace",
                    feature: "CLONE_NEWTIME (Linux 5.6, CONFIG_TIME_NS)",
                },
                _ => step("making a time namespace")(error),
            })?;
            let text = format!("monotonic {} 0\nboottime {} 0\n", offsets.monotonic_s, offsets.boottime_s);
            write("/proc/self/timens_offsets", &text).map_err(step("setting the time namespace's offsets"))?;
        }
        Ok(entered)
    }

    /// Enters the pid namespace of `target` (a pidfd) for the next child.
    pub(crate) fn pid_of(target: impl AsFd) -> Result<Entered, LaunchError> {
        let mut entered = Entered(Vec::new());
        entered.remember("pid")?;
        rustix::thread::move_into_thread_name_spaces(target.as_fd(), ThreadNameSpaceType::PROCESS_ID)
            .map_err(step("joining the container's pid namespace"))?;
        Ok(entered)
    }

    fn remember(&mut self, name: &str) -> Result<(), LaunchError> {
        let doing = format!("remembering our own {name} namespace");
        let own = openat(CWD, format!("/proc/self/ns/{name}"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(step(&doing))?;
        self.0.push(own);
        Ok(())
    }

    /// Back to our own. In the child there is nothing to go back to: it forgets.
    pub(crate) fn leave(mut self) -> Result<(), LaunchError> {
        self.return_home().map_err(step("returning to our own namespaces"))
    }

    fn return_home(&mut self) -> Result<(), rustix::io::Errno> {
        while let Some(own) = self.0.pop() {
            move_into_link_name_space(own.as_fd(), None)?;
        }
        Ok(())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // After an error that is reported already; a second one has no reader.
        let _ = self.return_home();
    }
}

/// Writes the maps of a child's new user namespace. The child may still call setgroups(2): it drops the launcher's groups.
pub(crate) fn write_maps(pid: Pid, maps: &IdMaps) -> Result<(), LaunchError> {
    let pid = pid.as_raw_nonzero();
    for (file, maps) in [("gid_map", &maps.gids), ("uid_map", &maps.uids)] {
        let lines: String =
            maps.iter().map(|IdMap { container, host, size }| format!("{container} {host} {size}\n")).collect();
        let doing = format!("writing {file} of the user namespace");
        write(&format!("/proc/{pid}/{file}"), &lines).map_err(step(&doing))?;
    }
    Ok(())
}

/// These files take one write.
fn write(path: &str, text: &str) -> std::io::Result<()> {
    let file = openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    std::fs::File::from(file).write_all(text.as_bytes())
}
