//! A pseudo-terminal of the container's own devpts, so that its name means something inside.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FsWord, Mode, OFlags, fstatfs, openat};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::failure::{Doing, InitFailure};
use crate::rootfs::target::{Root, Symlinks};

/// Both ends.
pub(crate) struct Terminal {
    pub(crate) master: OwnedFd,
    pub(crate) slave: OwnedFd,
}

const DEVPTS_SUPER_MAGIC: FsWord = 0x1cd1;

impl Terminal {
    /// From the devpts at /dev/pts below `root`.
    pub(crate) fn open(root: Root<'_>, size: Option<Winsize>) -> Result<Terminal, InitFailure> {
        let pts = root.open(Path::new("/dev/pts"), Symlinks::Refuse).doing(|| "open /dev/pts")?;
        let fs = fstatfs(&pts).doing(|| "statfs /dev/pts")?;
        if fs.f_type != DEVPTS_SUPER_MAGIC {
            return Err(Errno::NODEV).doing(|| "/dev/pts is not devpts");
        }
        // In a devpts only the kernel makes files.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let master = openat(&pts, "ptmx", flags, Mode::empty()).doing(|| "open /dev/pts/ptmx")?;
        unlockpt(&master).doing(|| "unlocking the terminal")?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, flags).doing(|| "opening the terminal")?;
        if let Some(size) = size {
            tcsetwinsize(&slave, size).doing(|| "setting the terminal's size")?;
        }
        Ok(Terminal { master, slave })
    }

    /// Makes it this session's controlling terminal and its three streams.
    pub(crate) fn take(slave: &OwnedFd) -> Result<(), InitFailure> {
        rustix::process::ioctl_tiocsctty(slave).doing(|| "setting the controlling terminal")?;
        streams([slave.as_fd(), slave.as_fd(), slave.as_fd()])
    }
}

/// Makes these the three streams.
pub(crate) fn streams([stdin, stdout, stderr]: [std::os::fd::BorrowedFd<'_>; 3]) -> Result<(), InitFailure> {
    let doing = || "setting up the streams";
    // Copies first: one of them may have the number of another's place.
    let copy = |fd| rustix::io::fcntl_dupfd_cloexec(fd, 3).doing(doing);
    let (stdin, stdout, stderr) = (copy(stdin)?, copy(stdout)?, copy(stderr)?);
    rustix::stdio::dup2_stdin(&stdin).doing(doing)?;
    rustix::stdio::dup2_stdout(&stdout).doing(doing)?;
    rustix::stdio::dup2_stderr(&stderr).doing(doing)
}
