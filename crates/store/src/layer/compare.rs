//! Whether a layer's directory is what its archive left there, to the last attribute.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Stat, lgetxattr, llistxattr, major, makedev, minor, readlink, statat};
use rustix::io::Errno;

use super::LayerError;
use super::expected::{Expected, Node};
use crate::store::StoreError;
use crate::tar::{Kind, Reader, TarError, Time, show};
use crate::walk::walk;

/// The kernel allows 64 KiB for one attribute's value and as much for the list of names.
const XATTR_BUFFER: usize = 64 << 10;

const PATH_MAX: usize = 4096;

/// The ends of what file systems can write down (ext4, XFS with and without big times): the kernel takes the nearer one.
const TIMES_END: [i64; 3] = [i32::MIN as i64, i32::MAX as i64, (1 << 34) - 1 + i32::MIN as i64];

/// A path below the layer's root, and what is not there as the archive left it.
pub(crate) type Difference = (String, String);

/// What the directory that `tar` was applied to must hold. Reads `tar` to its end.
pub(crate) fn expect(tar: impl Read) -> io::Result<Result<Expected, LayerError>> {
    let mut reader = Reader::new(tar);
    let expected = match Expected::of(&mut reader) {
        Err(LayerError::Tar(TarError::Read { source, .. })) => return Err(source),
        other => other,
    };
    io::copy(&mut reader.into_rest(), &mut io::sink())?;
    Ok(expected)
}

/// Compares all of the directory `root` but the contents of files. So many missing attributes as `xattrs_left_out`, which is what
/// [`super::Applied`] said, are excused.
///
/// Of no meaning, and so not compared: attributes of whiteouts, modes of links, values of access control lists and the modes that are
/// made of them (the kernel writes both in words of its own), and labels of security modules.
pub(crate) fn compare(expected: Expected, root: &Path, xattrs_left_out: u64) -> Result<Vec<Difference>, StoreError> {
    let inodes = vec![None; expected.nodes.len()];
    let buffer = vec![0; XATTR_BUFFER];
    let mut found = Found { expected, inodes, buffer, differences: Vec::new(), missing_xattrs: Vec::new() };
    let top = statat(CWD, root, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| StoreError::io("reading", root)(e.into()))?;
    found.thing(root.as_os_str().as_bytes(), b"", &top);
    walk(root, &mut |dir, path, stat| {
        let name = path.file_name().unwrap_or_default().as_bytes();
        // Nobody changes a layer while it is read, so the whole path may be walked again.
        let whole = root.join(path);
        let by_name = match whole.as_os_str().len() < PATH_MAX {
            true => whole.into_os_string().into_vec(),
            false => [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name].concat(),
        };
        found.thing(&by_name, path.as_os_str().as_bytes(), stat);
    })?;
    for path in std::mem::take(&mut found.expected.paths).into_keys() {
        found.differ(&path, "it is missing");
    }
    if found.missing_xattrs.len() as u64 > xattrs_left_out {
        found.differences.append(&mut found.missing_xattrs);
    }
    Ok(found.differences)
}

struct Found {
    /// Without the paths that were met.
    expected: Expected,
    /// Of each node that was met.
    inodes: Vec<Option<u64>>,
    buffer: Vec<u8>,
    differences: Vec<Difference>,
    missing_xattrs: Vec<Difference>,
}

impl Found {
    fn differ(&mut self, path: &[u8], what: impl Into<String>) {
        self.differences.push(difference(path, what));
    }

    fn thing(&mut self, by_name: &[u8], path: &[u8], stat: &Stat) {
        let Some(at) = self.expected.paths.remove(path) else {
            return self.differ(path, "it does not belong to the layer");
        };
        match self.inodes[at].replace(stat.st_ino) {
            None => {}
            Some(inode) if inode == stat.st_ino => return,
            Some(_other) => self.differ(path, "it is no hard link any more"),
        }
        let (is, should_be) = (FileType::from_raw_mode(stat.st_mode), file_type(&self.expected.nodes[at].entry.kind));
        if is != should_be {
            return self.differ(path, format!("it is a {}, not a {}", word(is), word(should_be)));
        }
        let mut differences = Vec::new();
        if let Err(errno) = self.node(at, by_name, path, stat, &mut |what| differences.push(difference(path, what))) {
            differences.push(difference(path, format!("it cannot be read: {}", io::Error::from(errno))));
        }
        self.differences.append(&mut differences);
    }

    fn node(
        &mut self,
        at: usize,
        by_name: &[u8],
        path: &[u8],
        stat: &Stat,
        differ: &mut dyn FnMut(String),
    ) -> Result<(), Errno> {
        let Node { entry, names, is_timed, .. } = &self.expected.nodes[at];
        match &entry.kind {
            Kind::Char(device) | Kind::Block(device) => {
                if stat.st_rdev != makedev(device.major, device.minor) {
                    let (major, minor) = (major(stat.st_rdev), minor(stat.st_rdev));
                    differ(format!("its device is {major}/{minor}, not {}/{}", device.major, device.minor));
                } else if stat.st_rdev == 0 {
                    return Ok(());
                }
            }
            Kind::File { size, .. } if i64::try_from(*size) != Ok(stat.st_size) => {
                differ(format!("its size is {}, not {size}", stat.st_size));
            }
            Kind::Symlink { target } => {
                let leads = readlink(by_name, Vec::new())?;
                if leads.as_bytes() != target {
                    differ(format!("it leads to {}, not to {}", show(leads.as_bytes()), show(target)));
                }
            }
            Kind::File { .. } | Kind::Dir | Kind::Fifo | Kind::HardLink { .. } => {}
        }
        let (mode, owner) = (stat.st_mode & 0o7777, (stat.st_uid, stat.st_gid));
        let is_link = matches!(entry.kind, Kind::Symlink { .. });
        let of_acl = entry.xattrs.contains_key(&b"system.posix_acl_access"[..]);
        let compared = if of_acl { 0o7000 } else { 0o7777 };
        if !is_link && (mode ^ entry.mode) & compared != 0 {
            differ(format!("its mode is {mode:o}, not {:o}", entry.mode));
        }
        if owner != (entry.uid, entry.gid) {
            differ(format!("its owner is {}:{}, not {}:{}", owner.0, owner.1, entry.uid, entry.gid));
        }
        if *is_timed && !is_time(stat, entry.mtime) {
            let Time { sec, nsec } = entry.mtime;
            differ(format!("its time is {}.{:09}, not {sec}.{nsec:09}", stat.st_mtime, stat.st_mtime_nsec));
        }
        if entry.kind != Kind::Dir && stat.st_nlink != *names {
            differ(format!("its link count is {}, not {names}", stat.st_nlink));
        }
        self.xattrs(at, by_name, path, differ)
    }

    fn xattrs(&mut self, at: usize, by_name: &[u8], path: &[u8], differ: &mut dyn FnMut(String)) -> Result<(), Errno> {
        let Node { entry, opaque, .. } = &self.expected.nodes[at];
        let list = match llistxattr(by_name, &mut self.buffer[..]) {
            Ok(len) => self.buffer[..len].to_vec(),
            Err(Errno::OPNOTSUPP) => Vec::new(),
            Err(errno) => return Err(errno),
        };
        let there: Vec<&[u8]> = list.split(|&b| b == 0).filter(|name| !name.is_empty()).collect();
        for &name in &there {
            let want = match name {
                b"trusted.overlay.opaque" if *opaque => Some(&b"y"[..]),
                _ => entry.xattrs.get(name).filter(|_| !is_steering(name)).map(Vec::as_slice),
            };
            let Some(want) = want else {
                if !is_label(name) {
                    differ(format!("it has the attribute {}", show(name)));
                }
                continue;
            };
            let len = lgetxattr(by_name, name, &mut self.buffer[..])?;
            if self.buffer[..len] != *want && !name.starts_with(b"system.posix_acl_") {
                differ(format!("its attribute {} has changed", show(name)));
            }
        }
        if *opaque && !there.contains(&&b"trusted.overlay.opaque"[..]) {
            differ("it does not hide lower layers any more".to_owned());
        }
        let missing = entry.xattrs.keys().filter(|name| !is_steering(name) && !there.contains(&name.as_slice()));
        let missing = missing.filter(|name| !name.starts_with(b"system.posix_acl_"));
        let missing = missing.map(|name| difference(path, format!("it lacks the attribute {}", show(name))));
        self.missing_xattrs.extend(missing);
        Ok(())
    }
}

fn difference(path: &[u8], what: impl Into<String>) -> Difference {
    let path = if path.is_empty() { String::new() } else { show(path) };
    (format!("/{path}"), what.into())
}

fn is_time(stat: &Stat, want: Time) -> bool {
    let there = (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(u32::MAX));
    let beyond = |end: i64| if end < 0 { want.sec < end } else { want.sec > end };
    there == (want.sec, want.nsec) || TIMES_END.iter().any(|&end| there == (end, 0) && beyond(end))
}

/// overlayfs' own, which no archive may bring.
fn is_steering(name: &[u8]) -> bool {
    name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.")
}

/// What the kernel itself puts on files.
fn is_label(name: &[u8]) -> bool {
    name.starts_with(b"security.") && name != b"security.capability"
}

fn file_type(kind: &Kind) -> FileType {
    match kind {
        Kind::File { .. } | Kind::HardLink { .. } => FileType::RegularFile,
        Kind::Symlink { .. } => FileType::Symlink,
        Kind::Dir => FileType::Directory,
        Kind::Char(_) => FileType::CharacterDevice,
        Kind::Block(_) => FileType::BlockDevice,
        Kind::Fifo => FileType::Fifo,
    }
}

fn word(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "pipe",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "thing of no known kind",
    }
}
