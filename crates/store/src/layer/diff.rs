//! An overlay upper directory becomes a layer's tar.
//!
//! Members come in the order of their names' bytes, parents first; owners are numbers, a whiteout is an empty file of
//! time 0: the same directory gives the same bytes. The root itself is no member, as in Docker's layers.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, lgetxattr, llistxattr, major, minor, openat, readlinkat, statat,
};
use rustix::io::Errno;

use super::LayerError;
use super::apply::Whiteouts;
use super::tree::is_whiteout;
use crate::tar::{Device, Entry, Kind, Time, Writer};

/// As deep as [`super::apply`] goes.
const DEEPEST: usize = 512;

/// The kernel allows 64 KiB for one attribute's value and as much for the list of names.
const XATTR_BUFFER: usize = 64 << 10;

/// What a layer was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Members, whiteouts included.
    pub entries: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

/// Writes the tar of all that is in `upper`, and ends it.
///
/// `whiteouts` says how the directory was mounted; with [`Whiteouts::Literal`] it is a plain directory (export).
/// Attributes that go along: `user.*`, `security.capability` and POSIX ACLs. Sockets stay out, as no tar can hold them.
pub fn diff<W: Write>(upper: BorrowedFd<'_>, out: W, whiteouts: Whiteouts) -> Result<Written, LayerError> {
    let mut walk = Walk {
        tar: Writer::new(io::BufWriter::with_capacity(256 << 10, out)),
        whiteouts,
        links: HashMap::new(),
        written: Written::default(),
        buffer: vec![0; XATTR_BUFFER],
    };
    let root = [format!("/proc/self/fd/{}", upper.as_raw_fd()).as_bytes(), b"/."].concat();
    if walk.xattrs(&root, b"")?.opaque {
        walk.mark(b".wh..wh..opq".to_vec())?;
    }
    walk.directory(upper, b"", 0)?;
    walk.tar.finish().map_err(|error| LayerError::io("writing", b"the layer", error))?;
    Ok(walk.written)
}

struct Walk<W: Write> {
    tar: Writer<io::BufWriter<W>>,
    whiteouts: Whiteouts,
    /// First name of each file that has more than one.
    links: HashMap<(u64, u64), Vec<u8>>,
    written: Written,
    buffer: Vec<u8>,
}

/// Attributes of one thing.
struct Xattrs {
    kept: BTreeMap<Vec<u8>, Vec<u8>>,
    opaque: bool,
}

impl<W: Write> Walk<W> {
    fn directory(&mut self, dir: BorrowedFd<'_>, path: &[u8], depth: usize) -> Result<(), LayerError> {
        if depth > DEEPEST {
            return Err(LayerError::refused(path, "more than 512 directories deep"));
        }
        let failed = |errno: Errno| LayerError::io("reading", path, errno);
        let mut names = Vec::new();
        for child in Dir::read_from(dir).map_err(failed)? {
            let name = child.map_err(failed)?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        for name in names {
            let child = if path.is_empty() { name.clone() } else { [path, b"/", &name].concat() };
            self.child(dir, &name, child, depth)?;
        }
        Ok(())
    }

    fn child(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: Vec<u8>, depth: usize) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("reading", &path, errno);
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        if self.whiteouts != Whiteouts::Literal {
            if is_whiteout(&stat) {
                let parent = &path[..path.len() - name.len()];
                return self.mark([parent, b".wh.", name].concat());
            }
            if name.starts_with(b".wh.") {
                return Err(LayerError::refused(&path, "in a layer such a name means a deleted file"));
            }
        }
        let file_type = FileType::from_raw_mode(stat.st_mode);
        let device = Device { major: major(stat.st_rdev), minor: minor(stat.st_rdev) };
        let kind = match file_type {
            FileType::Socket | FileType::Unknown => return Ok(()),
            FileType::RegularFile => Kind::File { size: size_of(&stat), sparse: None },
            FileType::Directory => Kind::Dir,
            FileType::Symlink => {
                Kind::Symlink { target: readlinkat(dir, name, Vec::new()).map_err(failed)?.into_bytes() }
            }
            FileType::CharacterDevice => Kind::Char(device),
            FileType::BlockDevice => Kind::Block(device),
            FileType::Fifo => Kind::Fifo,
        };
        if file_type != FileType::Directory && stat.st_nlink > 1 {
            let key = (stat.st_dev, stat.st_ino);
            if let Some(target) = self.links.get(&key) {
                let kind = Kind::HardLink { target: target.clone() };
                return self.append(&entry(&stat, path, kind, BTreeMap::new()), &mut io::empty());
            }
            self.links.insert(key, path.clone());
        }
        let by_name = [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name].concat();
        let xattrs = self.xattrs(&by_name, &path)?;
        match file_type {
            FileType::RegularFile => self.file(dir, name, path, xattrs),
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = openat(dir, name, flags, Mode::empty()).map_err(failed)?;
                self.append(&entry(&stat, path.clone(), kind, xattrs.kept), &mut io::empty())?;
                if xattrs.opaque {
                    self.mark([&path[..], b"/.wh..wh..opq"].concat())?;
                }
                self.directory(below.as_fd(), &path, depth + 1)
            }
            FileType::Symlink
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Fifo
            | FileType::Socket
            | FileType::Unknown => self.append(&entry(&stat, path, kind, xattrs.kept), &mut io::empty()),
        }
    }

    /// The container may still run: what counts is the file that is open.
    fn file(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: Vec<u8>, xattrs: Xattrs) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("reading", &path, errno);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(dir, name, flags, Mode::empty()).map_err(failed)?;
        let stat = rustix::fs::fstat(&file).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(LayerError::Changed { entry: crate::tar::show(&path), what: "it is no file".to_owned() });
        }
        let size = size_of(&stat);
        self.written.bytes += size;
        self.append(&entry(&stat, path, Kind::File { size, sparse: None }, xattrs.kept), &mut File::from(file))
    }

    /// A name of Docker's convention: an empty file.
    fn mark(&mut self, path: Vec<u8>) -> Result<(), LayerError> {
        let kind = Kind::File { size: 0, sparse: None };
        let xattrs = BTreeMap::new();
        let mark = Entry { path, kind, mode: 0o600, uid: 0, gid: 0, mtime: Time::default(), xattrs };
        self.append(&mark, &mut io::empty())
    }

    fn append(&mut self, entry: &Entry, body: &mut dyn io::Read) -> Result<(), LayerError> {
        self.written.entries += 1;
        self.tar.append(entry, body).map_err(|error| LayerError::io("writing", &entry.path, error))
    }

    fn xattrs(&mut self, by_name: &[u8], path: &[u8]) -> Result<Xattrs, LayerError> {
        let failed = |errno: Errno| LayerError::io("reading the attributes of", path, errno);
        let mut xattrs = Xattrs { kept: BTreeMap::new(), opaque: false };
        let len = match llistxattr(by_name, &mut self.buffer[..]) {
            Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(xattrs),
            Ok(len) => len,
            Err(errno) => return Err(failed(errno)),
        };
        let names = self.buffer[..len].to_vec();
        let opaque: &[u8] = match self.whiteouts {
            Whiteouts::Trusted => b"trusted.overlay.opaque",
            Whiteouts::User => b"user.overlay.opaque",
            Whiteouts::Literal => b"",
        };
        let steering = opaque.strip_suffix(b"opaque").unwrap_or_default();
        for name in names.split(|&b| b == 0).filter(|name| !name.is_empty()) {
            let elsewhere = !steering.is_empty()
                && name.strip_prefix(steering).is_some_and(|what| matches!(what, b"redirect" | b"metacopy"));
            if elsewhere {
                let why = "overlayfs keeps a part of it in a lower layer: mount with redirect_dir=off,metacopy=off";
                return Err(LayerError::refused(path, why));
            }
            let goes_along = (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
                || matches!(name, b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default");
            if !goes_along && name != opaque {
                continue;
            }
            let len = match lgetxattr(by_name, name, &mut self.buffer[..]) {
                Ok(len) => len,
                Err(Errno::NODATA) => continue,
                Err(errno) => return Err(failed(errno)),
            };
            match goes_along {
                true => drop(xattrs.kept.insert(name.to_vec(), self.buffer[..len].to_vec())),
                false => xattrs.opaque = self.buffer[..len] == *b"y",
            }
        }
        Ok(xattrs)
    }
}

fn size_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or_default()
}

fn entry(stat: &Stat, path: Vec<u8>, kind: Kind, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) -> Entry {
    let nsec = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    let mtime = Time { sec: stat.st_mtime, nsec };
    Entry { path, kind, mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, mtime, xattrs }
}
