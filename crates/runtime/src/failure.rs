//! What goes wrong inside a container before its command runs, in Docker's words: users, scripts and test suites look for them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// An error of the process that becomes the container's; it travels over the handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InitFailure {
    /// The command is nowhere in PATH.
    CommandNotFound(String),
    /// The command has a path and cannot be looked at.
    CommandStat(String, Errno),
    /// The command is there and cannot be executed.
    CommandRefused(String, Errno),
    /// The kernel refused the execution itself: a wrong format, a missing interpreter.
    Execute(String, Errno),
    /// The user is not in the image's /etc/passwd.
    UnknownUser(String),
    /// The group is not in the image's /etc/group.
    UnknownGroup(String),
    /// A number that is no user or group id.
    IdRange,
    /// A mount of the bundle.
    Mount {
        /// What was mounted.
        source: String,
        /// Where in the container.
        target: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A part of a volume that is not within it.
    Outside {
        /// The volume's root.
        base: PathBuf,
        /// What was asked for.
        subpath: PathBuf,
    },
    /// A mount target that only masks may cover.
    InsideProc(PathBuf),
    /// Only a procfs may take the place of the container's own: what masks and checks go by is in it.
    NotProc(PathBuf),
    /// proc and sysfs go onto ordinary directories only: a symlink of the image's would put them elsewhere.
    NotOrdinary(String),
    /// The working directory.
    WorkingDir(PathBuf, Errno),
    /// The kernel lacks something; named with what it is for.
    Missing {
        /// `fsopen(2)`.
        feature: String,
        /// The kernel that has it.
        since: String,
    },
    /// Any other step: what we were doing, and what the kernel said.
    Step(String, Errno),
}

/// An errno that prints as Go prints it: in lower case, without its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errno(pub i32);

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Errno {
        Errno(errno.raw_os_error())
    }
}

impl From<&io::Error> for Errno {
    fn from(error: &io::Error) -> Errno {
        Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = io::Error::from_raw_os_error(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let mut letters = text.chars();
        if let Some(first) = letters.next() {
            write!(f, "{}{}", first.to_lowercase(), letters.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for InitFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InitFailure::CommandNotFound(command) => write!(f, "exec: {command:?}: executable file not found in $PATH"),
            InitFailure::CommandStat(command, errno) => write!(f, "exec: {command:?}: stat {command}: {errno}"),
            InitFailure::CommandRefused(command, errno) => write!(f, "exec: {command:?}: {errno}"),
            InitFailure::Execute(command, errno) => write!(f, "exec {command}: {errno}"),
            InitFailure::UnknownUser(user) => {
                write!(f, "unable to find user {user}: no matching entries in passwd file")
            }
            InitFailure::UnknownGroup(group) => {
                write!(f, "unable to find group {group}: no matching entries in group file")
            }
            InitFailure::IdRange => write!(f, "uids and gids must be in range 0-2147483647"),
            InitFailure::Mount { source, target, errno } => {
                write!(f, "error mounting {source:?} to rootfs at {target:?}: {errno}")?;
                if errno.0 == libc::ENOTDIR {
                    f.write_str(WRONG_KIND)?;
                }
                Ok(())
            }
            InitFailure::Outside { base, subpath } => write!(
                f,
                "path concatenation escapes the base directory, base: {}, subpath: {}",
                base.display(),
                subpath.display()
            ),
            InitFailure::InsideProc(target) => write!(f, "{target:?} cannot be mounted because it is inside /proc"),
            InitFailure::NotProc(target) => write!(f, "{target:?} cannot be mounted because it is not of type proc"),
            InitFailure::NotOrdinary(fstype) => {
                write!(f, "filesystem {fstype:?} must be mounted on ordinary directory")
            }
            InitFailure::WorkingDir(cwd, errno) => {
                write!(f, "chdir to cwd ({cwd:?}) set in config.json failed: {errno}")
            }
            InitFailure::Missing { feature, since } => {
                write!(f, "the kernel has no {feature}: Linux {since} is needed")
            }
            InitFailure::Step(doing, errno) => write!(f, "{doing}: {errno}"),
        }
    }
}

const WRONG_KIND: &str = ": Are you trying to mount a directory onto a file (or vice-versa)? \
                          Check if the specified host path exists and is the expected type";

impl std::error::Error for InitFailure {}

impl InitFailure {
    /// Docker's exit code for a container that could not start: 127 not found, 126 not executable, 128 anything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            InitFailure::CommandNotFound(_) => 127,
            InitFailure::CommandStat(_, errno)
            | InitFailure::CommandRefused(_, errno)
            | InitFailure::Execute(_, errno)
            | InitFailure::WorkingDir(_, errno) => match errno.0 {
                libc::ENOENT => 127,
                _ => 126,
            },
            // moby `setExitCodeFromError`: a bad bind mount counts as not found.
            InitFailure::Mount { errno, .. } => match errno.0 {
                libc::ENOENT | libc::ENOTDIR => 127,
                libc::EACCES => 126,
                _ => 128,
            },
            InitFailure::Step(_, errno) if errno.0 == libc::EACCES => 126,
            InitFailure::UnknownUser(_)
            | InitFailure::UnknownGroup(_)
            | InitFailure::IdRange
            | InitFailure::Outside { .. }
            | InitFailure::InsideProc(_)
            | InitFailure::NotProc(_)
            | InitFailure::NotOrdinary(_)
            | InitFailure::Missing { .. }
            | InitFailure::Step(..) => 128,
        }
    }
}

impl InitFailure {
    /// The same with no text longer than [`LONGEST_TEXT`]: a command's name may have 128 KiB, and all must fit into one message.
    pub(crate) fn cut(self) -> InitFailure {
        let text = |text: String| match text.char_indices().nth(LONGEST_TEXT) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        let path = |path: PathBuf| PathBuf::from(text(path.to_string_lossy().into_owned()));
        match self {
            InitFailure::CommandNotFound(command) => InitFailure::CommandNotFound(text(command)),
            InitFailure::CommandStat(command, errno) => InitFailure::CommandStat(text(command), errno),
            InitFailure::CommandRefused(command, errno) => InitFailure::CommandRefused(text(command), errno),
            InitFailure::Execute(command, errno) => InitFailure::Execute(text(command), errno),
            InitFailure::UnknownUser(user) => InitFailure::UnknownUser(text(user)),
            InitFailure::UnknownGroup(group) => InitFailure::UnknownGroup(text(group)),
            InitFailure::Mount { source, target, errno } => {
                InitFailure::Mount { source: text(source), target: path(target), errno }
            }
            InitFailure::Outside { base, subpath } => InitFailure::Outside { base: path(base), subpath: path(subpath) },
            InitFailure::InsideProc(target) => InitFailure::InsideProc(path(target)),
            InitFailure::NotProc(target) => InitFailure::NotProc(path(target)),
            InitFailure::WorkingDir(cwd, errno) => InitFailure::WorkingDir(path(cwd), errno),
            InitFailure::Step(doing, errno) => InitFailure::Step(text(doing), errno),
            same @ (InitFailure::NotOrdinary(_) | InitFailure::Missing { .. } | InitFailure::IdRange) => same,
        }
    }

    /// Whether it is the user that was asked for, rather than the machine or the image.
    pub(crate) fn is_about_the_user(&self) -> bool {
        matches!(self, InitFailure::UnknownUser(_) | InitFailure::UnknownGroup(_) | InitFailure::IdRange)
    }
}

/// Characters: in JSON each may take six bytes, a failure has two such texts at most, and a message has 32 KiB.
const LONGEST_TEXT: usize = 2500;

/// Names the step a kernel call belongs to.
pub(crate) trait Doing<T> {
    /// `doing` is only written out when it failed.
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T, InitFailure>;
}

impl<T> Doing<T> for Result<T, rustix::io::Errno> {
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T, InitFailure> {
        self.map_err(|errno| InitFailure::Step(doing().into(), errno.into()))
    }
}

impl<T> Doing<T> for io::Result<T> {
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T, InitFailure> {
        self.map_err(|error| InitFailure::Step(doing().into(), Errno::from(&error)))
    }
}

/// A system call that this kernel may be too old for.
pub(crate) fn needs(feature: &str, since: &str, errno: Errno, otherwise: InitFailure) -> InitFailure {
    if errno.0 == libc::ENOSYS {
        InitFailure::Missing { feature: feature.into(), since: since.into() }
    } else {
        otherwise
    }
}

/// A path as errors show it.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
