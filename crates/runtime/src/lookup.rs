//! Where a command is, as Go's `exec.LookPath` finds it: the texts of its errors decide Docker's exit codes.

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, accessat, openat2, stat};
use rustix::io::Errno;

use crate::failure::InitFailure;

/// The path to execute, from within the container, as the user that will execute it.
pub(crate) fn look_up(command: &str, env: &[String]) -> Result<String, InitFailure> {
    if command.contains('/') {
        return match executable(command) {
            Ok(()) => Ok(command.to_owned()),
            Err(Why::Stat(errno)) => Err(InitFailure::CommandStat(command.to_owned(), errno.into())),
            Err(Why::Refused(errno)) => Err(InitFailure::CommandRefused(command.to_owned(), errno.into())),
        };
    }
    let path = env.iter().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or_default();
    // An empty entry would mean the working directory, which Go refuses.
    let mut places = path
        .split(':')
        .filter(|dir| dir.starts_with('/'))
        .map(|dir| format!("{}/{command}", dir.trim_end_matches('/')));
    let found = places.find(|place| executable(place).is_ok()).filter(|_| !command.is_empty());
    found.ok_or_else(|| InitFailure::CommandNotFound(command.to_owned()))
}

enum Why {
    Stat(Errno),
    Refused(Errno),
}

fn executable(path: &str) -> Result<(), Why> {
    let stat = stat(path).map_err(Why::Stat)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Err(Why::Refused(Errno::ISDIR));
    }
    if is_ourselves(path, &stat) {
        return Err(Why::Refused(Errno::ACCESS));
    }
    match accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(()),
        // Filters that do not know faccessat2: the bits must do.
        Err(Errno::NOSYS | Errno::PERM) if stat.st_mode & 0o111 != 0 => Ok(()),
        Err(errno) => Err(Why::Refused(errno)),
    }
}

/// Whether a magic link of /proc leads to the program that we still are: the container shall not execute it (CVE-2019-5736). The same
/// program where a user put it is an ordinary file.
fn is_ourselves(path: &str, stat: &Stat) -> bool {
    let own = rustix::fs::stat("/proc/self/exe");
    own.is_ok_and(|own| (own.st_dev, own.st_ino) == (stat.st_dev, stat.st_ino))
        && openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
            .is_err_and(|errno| errno == Errno::LOOP)
}
