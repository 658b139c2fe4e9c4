//! `--chown`: names are looked up in the root file system's own files (BuildKit `ops/user_linux.go`).

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::context::{FilesError, open_file, paths};

/// BuildKit's.
const LONGEST: u64 = 10 << 20;

/// Whom `--chown=user[:group]`, or `USER` for `WORKDIR`, means in a root file system. A name that is unknown there is root, as with
/// BuildKit.
///
/// # Errors
/// [`FilesError::Io`].
pub fn owner(rootfs: BorrowedFd<'_>, chown: &str) -> Result<(u32, u32), FilesError> {
    let (user, group) = match chown.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (chown, None),
    };
    let (uid, own_gid) = match number(user) {
        // The group of the same number, whatever /etc/passwd says.
        Some(uid) => (uid, uid),
        None => fields(rootfs, "/etc/passwd", user)?.map_or((0, 0), |fields| (fields[0], fields[1])),
    };
    let gid = match group {
        None => own_gid,
        Some(group) => match number(group) {
            Some(gid) => gid,
            None => fields(rootfs, "/etc/group", group)?.map_or(own_gid, |fields| fields[0]),
        },
    };
    Ok((uid, gid))
}

fn number(text: &str) -> Option<u32> {
    if text == "root" { Some(0) } else { text.parse().ok().filter(|number| *number <= i32::MAX.cast_unsigned()) }
}

/// The third and the fourth field of the first line that begins with a name; what is no number there is 0.
fn fields(rootfs: BorrowedFd<'_>, file: &str, name: &str) -> Result<Option<[u32; 2]>, FilesError> {
    let failed = |errno: Errno| FilesError::io("reading", file.as_bytes(), errno);
    let real = paths::real(rootfs, file.as_bytes()).map_err(failed)?;
    let (parent, last) = paths::split(&real);
    let opened = paths::open(rootfs, parent, OFlags::PATH | OFlags::DIRECTORY);
    let opened = match opened.and_then(|dir| open_file(dir.as_fd(), last)) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        other => other.map_err(failed)?,
    };
    let (file_there, _stat) = opened.ok_or_else(|| FilesError::Refused(format!("{file} is not a regular file")))?;
    let mut bytes = Vec::new();
    file_there.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|e| FilesError::io("reading", file.as_bytes(), e))?;
    if bytes.len() as u64 > LONGEST {
        return Err(FilesError::Refused(format!("{file:?} exceeds {LONGEST} bytes")));
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && line.split(':').next() == Some(name));
    let field = |line: &str, nth| line.split(':').nth(nth).and_then(|field| number(field.trim())).unwrap_or(0);
    Ok(line.map(|line| [field(line, 2), field(line, 3)]))
}
