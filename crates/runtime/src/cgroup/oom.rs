//! Kills for lack of memory: counted by the kernel, and told on a descriptor.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{Mode, OFlags, inotify, openat};
use std::os::fd::AsRawFd;

use super::group::Group;
use super::{Cgroup, CgroupError, v1};

/// inotify(7): in the lowest byte of the mask, on the little-endian machines that there are.
const IN_MODIFY: u8 = 2;

/// A descriptor that is readable when something about memory has happened; ask [`Cgroup::oom_kills`] then.
#[derive(Debug)]
pub struct OomWatch {
    fd: OwnedFd,
}

impl OomWatch {
    /// Makes it unreadable until the next event, and says whether something had happened. It is non-blocking.
    pub fn drain(&self) -> bool {
        // inotify gives events of 16 bytes, as a watched file has no name in them; an eventfd gives its eight bytes once.
        let mut events = [0; 4096];
        let mut happened = false;
        while let Ok(count @ 1..) = rustix::io::read(&self.fd, &mut events) {
            if count == 8 {
                return true;
            }
            // The removal of the file is told as well (IN_IGNORED), and means nothing.
            happened |= events[..count].chunks_exact(16).any(|event| event[4] & IN_MODIFY != 0);
        }
        happened
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Cgroup {
    /// Watches for kills; none without a memory controller.
    ///
    /// # Errors
    /// Of inotify(7), eventfd(2) and the file system.
    pub fn oom_watch(&self) -> Result<Option<OomWatch>, CgroupError> {
        match (v1::find(&self.v1, "memory"), &self.v2) {
            (Some(group), _) => watch_v1(group),
            (None, Some(group)) => watch_v2(&group.path.join("memory.events")),
            (None, None) => Ok(None),
        }
    }

    /// How many processes of the container the kernel has killed for lack of memory.
    ///
    /// # Errors
    /// Of the file system.
    pub fn oom_kills(&self) -> Result<u64, CgroupError> {
        let text = match (v1::find(&self.v1, "memory"), &self.v2) {
            (Some(group), _) => group.read("memory.oom_control")?,
            (None, Some(group)) => group.read("memory.events")?,
            (None, None) => None,
        };
        let count = |text: String| text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
        Ok(text.and_then(count).unwrap_or(0))
    }
}

fn watch_v1(group: &Group) -> Result<Option<OomWatch>, CgroupError> {
    let path = group.path.join("memory.oom_control");
    let failed = |error: rustix::io::Errno| CgroupError::Watch(path.clone(), error.into());
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(failed)?;
    let control = match openat(&group.dir, "memory.oom_control", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(control) => control,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let there = group.write("cgroup.event_control", &format!("{} {}", fd.as_raw_fd(), control.as_raw_fd()))?;
    Ok(there.then_some(OomWatch { fd }))
}

fn watch_v2(path: &Path) -> Result<Option<OomWatch>, CgroupError> {
    let failed = |error: rustix::io::Errno| CgroupError::Watch(path.to_owned(), error.into());
    let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).map_err(failed)?;
    match inotify::add_watch(&fd, path, inotify::WatchFlags::MODIFY) {
        Ok(_) => Ok(Some(OomWatch { fd })),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
