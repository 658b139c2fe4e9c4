//! Reading files for their digests, on as many processors as there are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{FileType, Mode, OFlags, Stat, fgetxattr, flistxattr, fstat, openat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::index::{Stamp, Sum};
use super::paths;
use super::{FilesError, Kind, kind_of};

const BUFFER: usize = 128 << 10;
/// The kernel allows 64 KiB for one attribute's value and as much for the list of names.
const XATTR_BUFFER: usize = 64 << 10;
/// Files a thread must have to be worth starting.
const SHARE: usize = 32;
/// How often a file may change while it is read.
const PATIENCE: usize = 3;

/// Extended attributes by their names.
pub(crate) type Attributes = BTreeMap<Vec<u8>, Vec<u8>>;

/// Opens what was seen to be a file; none: it is something else by now. Only root can put a device in its place, and a pipe does not hold
/// us.
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Option<(File, Stat)>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat(dir, name, flags, Mode::empty()) {
        Err(Errno::LOOP | Errno::NXIO) => return Ok(None),
        other => other?,
    };
    let stat = fstat(&file)?;
    Ok((kind_of(stat.st_mode) == FileType::RegularFile).then(|| (File::from(file), stat)))
}

/// The attributes of an open thing that are copied.
pub(crate) fn attributes(fd: BorrowedFd<'_>, kind: Kind) -> Result<Attributes, Errno> {
    let mut kept = Attributes::new();
    // Most have none: a small buffer first, a large one for the rest.
    let mut names = vec![0u8; 256];
    let length = match flistxattr(fd, &mut names[..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(kept),
        Err(Errno::RANGE) => {
            names.resize(XATTR_BUFFER, 0);
            flistxattr(fd, &mut names[..])?
        }
        other => other?,
    };
    let mut value = vec![0; XATTR_BUFFER];
    for name in names[..length].split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let users = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
        let stages = matches!(name, b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default");
        if users || (stages && kind == Kind::Stage) {
            match fgetxattr(fd, name, &mut value[..]) {
                Ok(length) => drop(kept.insert(name.to_vec(), value[..length].to_vec())),
                Err(Errno::NODATA) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(kept)
}

/// A digest with that of attributes, where there are some.
pub(super) fn with_attributes(sum: Sum, attributes: &Attributes) -> Sum {
    if attributes.is_empty() {
        return sum;
    }
    let mut hasher = Sha256::new();
    hasher.update(sum);
    for (name, value) in attributes {
        for bytes in [name, value] {
            hasher.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            hasher.update(bytes);
        }
    }
    hasher.finalize().into()
}

/// Hashes files below `root`, whose paths are real. The answers stand where the paths stood.
pub(super) fn hash_all(
    root: BorrowedFd<'_>,
    files: &[Vec<u8>],
    kind: Kind,
) -> Result<Vec<(Stamp, Stat, Sum)>, FilesError> {
    let processors = thread::available_parallelism().map_or(1, usize::from).min(8);
    let threads = processors.min(files.len().div_ceil(SHARE));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; BUFFER];
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(at) else { return Ok::<_, FilesError>(done) };
            done.push((at, hash(root, path, kind, &mut buffer)?));
        }
    };
    let mut done: Vec<(usize, _)> = if threads < 2 {
        work()?
    } else {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let mut all = Vec::new();
            for worker in workers {
                all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok::<_, FilesError>(all)
        })?
    };
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, answer)| answer).collect())
}

/// What counts is the file that is open, as it was before and after it was read.
fn hash(root: BorrowedFd<'_>, path: &[u8], kind: Kind, buffer: &mut [u8]) -> Result<(Stamp, Stat, Sum), FilesError> {
    let failed = |errno: Errno| FilesError::io("reading", path, errno);
    let (parent, name) = paths::split(path);
    for _ in 0..PATIENCE {
        let dir = paths::open(root, parent, OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
        let Some((mut file, stat)) = open_file(dir.as_fd(), name).map_err(failed)? else { break };
        let mut hasher = Sha256::new();
        loop {
            match file.read(buffer) {
                Ok(0) => break,
                Ok(read) => hasher.update(&buffer[..read]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(FilesError::io("reading", path, e)),
            }
        }
        let attributes = attributes(file.as_fd(), kind).map_err(failed)?;
        let stamp = Stamp::of(&stat);
        if Stamp::of(&fstat(&file).map_err(failed)?) == stamp {
            return Ok((stamp, stat, with_attributes(hasher.finalize().into(), &attributes)));
        }
    }
    Err(FilesError::Changed(paths::show(path)))
}
