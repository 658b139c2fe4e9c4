//! One directory of a control group file system, held open: its files are written and read relative to it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, open, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::Pid;

use super::CgroupError;

/// An open group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) dir: OwnedFd,
    pub(super) path: PathBuf,
}

impl Group {
    /// Opens a group that is there.
    pub(super) fn open(path: &Path) -> Result<Group, CgroupError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = open(path, flags, Mode::empty()).map_err(|e| CgroupError::Open(path.to_owned(), e.into()))?;
        Ok(Group { dir, path: path.to_owned() })
    }

    /// Opens a file of the group for writing; none if the kernel has no such file here.
    pub(super) fn file(&self, name: &str) -> Result<Option<OwnedFd>, CgroupError> {
        // TRUNC means nothing to the kernel's files.
        match openat(&self.dir, name, OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(CgroupError::Open(self.path.join(name), error.into())),
        }
    }

    /// Writes a value; false if the kernel has no such file here.
    pub(super) fn write(&self, name: &str, value: &str) -> Result<bool, CgroupError> {
        let Some(file) = self.file(name)? else { return Ok(false) };
        self.write_to(&file, name, value)?;
        Ok(true)
    }

    /// One write to a file opened before.
    pub(super) fn write_to(&self, file: &OwnedFd, name: &str, value: &str) -> Result<(), CgroupError> {
        rustix::io::write(file, value.as_bytes()).map_err(|error| self.refused(name, value, error)).map(drop)
    }

    fn refused(&self, name: &str, value: &str, error: Errno) -> CgroupError {
        CgroupError::Set { file: self.path.join(name), value: value.to_owned(), source: error.into() }
    }

    /// The text of a file; none if the kernel has no such file here.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, CgroupError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let failed = |error: io::Error| CgroupError::Read(self.path.join(name), error);
        match openat(&self.dir, name, flags, Mode::empty()) {
            Ok(fd) => io::read_to_string(std::fs::File::from(fd)).map(Some).map_err(failed),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// The processes in this group and below. One that is not in our process namespace is 0 to the kernel, and left out.
    pub(super) fn pids(&self) -> Result<Vec<Pid>, CgroupError> {
        let mut pids = Vec::new();
        // No file: the group is gone. ENODEV: it went while we read.
        match self.read("cgroup.procs") {
            Ok(text) => pids.extend(text.iter().flat_map(|t| t.lines()).filter_map(|l| Pid::from_raw(l.parse().ok()?))),
            Err(CgroupError::Read(_, error)) if error.raw_os_error() == Some(libc::ENODEV) => {}
            Err(other) => return Err(other),
        }
        for child in children(&self.path)? {
            match Group::open(&child) {
                Ok(child) => pids.extend(child.pids()?),
                Err(error) if error.is_not_found() => {}
                Err(other) => return Err(other),
            }
        }
        Ok(pids)
    }
}

/// Makes one directory; false if it was there.
pub(super) fn make(path: &Path) -> Result<bool, CgroupError> {
    match mkdirat(CWD, path, Mode::from_raw_mode(0o755)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(CgroupError::Make(path.to_owned(), error.into())),
    }
}

/// The groups right below; none if the group is not there.
pub(super) fn children(path: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let failed = |error: io::Error| CgroupError::Read(path.to_owned(), error);
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Removes a group and all below it. The kernel answers EBUSY while the last process is still dying: about a quarter of a second is waited.
pub(super) fn remove(path: &Path) -> Result<(), CgroupError> {
    let mut pause_ms = 1;
    loop {
        match unlinkat(CWD, path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY | Errno::NOTEMPTY) if pause_ms <= 128 => {
                for child in children(path)? {
                    remove(&child)?;
                }
                if pause_ms > 1 {
                    std::thread::sleep(Duration::from_millis(pause_ms));
                }
                pause_ms *= 2;
            }
            Err(error) => return Err(CgroupError::Remove(path.to_owned(), error.into())),
        }
    }
}
