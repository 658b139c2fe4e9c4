//! An overlay upper directory becomes a layer's tar; any tree becomes an archive.
//!
//! Members come in the order of their names' bytes, parents first; owners are numbers, a whiteout is an empty file of
//! time 0: the same directory gives the same bytes. The root itself is no member, as in Docker's layers.
//!
//! The tree may be a living container's. What goes away during the walk, or becomes something else, is left out; a file
//! that shrinks is filled up with zeros, as GNU tar does it. Nothing is opened for reading that was not seen to be a
//! regular file through a descriptor: opening a device that a container put in a file's place would act on the machine.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, getxattr, lgetxattr, listxattr, llistxattr, major, minor, open, openat,
    readlinkat, statat,
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
    let mut walk = Walk::new(out, whiteouts, Times::Exact, &|owner| owner);
    let root = [format!("/proc/self/fd/{}", upper.as_raw_fd()).as_bytes(), b"/."].concat();
    if walk.xattrs(&root, b"")?.opaque {
        walk.mark(b".wh..wh..opq".to_vec())?;
    }
    walk.directory(upper, b"", 0)?;
    walk.finish()
}

/// What [`pack`] sends.
#[derive(Debug, Clone, Copy)]
pub enum Packed<'a> {
    /// All that is in a directory, but not the directory.
    Below(BorrowedFd<'a>),
    /// A directory, which gets this name, with all that is in it.
    Directory(BorrowedFd<'a>, &'a [u8]),
    /// The thing `name` in a directory, with all below it, which gets the name `as_name`.
    Named {
        /// Where it is.
        dir: BorrowedFd<'a>,
        /// What it is called there.
        name: &'a [u8],
        /// What it is called in the archive.
        as_name: &'a [u8],
    },
    /// A file of these bytes, root's and for root alone, that lies nowhere.
    File {
        /// What it is called in the archive.
        name: &'a [u8],
        /// What is in it.
        body: &'a [u8],
        /// Seconds since 1970.
        time_s: i64,
    },
}

/// A user and a group.
pub type Owner = (u32, u32);

/// Writes a tree as it is (no names mean whiteouts) and ends the archive: `cp` and `export`. Times are whole seconds, as
/// in Docker's archives; `owners` says what an owner is called in the archive.
pub fn pack<W: Write>(what: Packed<'_>, owners: &dyn Fn(Owner) -> Owner, out: W) -> Result<Written, LayerError> {
    pack_all(&[what], owners, out)
}

/// The same of several trees, one after another in one archive. What is one file in two of them is two in the archive.
pub fn pack_all<W: Write>(
    trees: &[Packed<'_>],
    owners: &dyn Fn(Owner) -> Owner,
    out: W,
) -> Result<Written, LayerError> {
    let mut walk = Walk::new(out, Whiteouts::Literal, Times::Seconds, owners);
    for tree in trees {
        walk.links.clear();
        walk.tree(*tree)?;
    }
    walk.finish()
}

/// A directory may be open for reference only.
fn listed(dir: BorrowedFd<'_>) -> Result<OwnedFd, LayerError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(dir, ".", flags, Mode::empty()).map_err(|errno| LayerError::io("opening", b"", errno))
}

/// How exact times are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Exact,
    Seconds,
}

struct Walk<'o, W: Write> {
    tar: Writer<io::BufWriter<W>>,
    whiteouts: Whiteouts,
    times: Times,
    owners: &'o dyn Fn(Owner) -> Owner,
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

impl<'o, W: Write> Walk<'o, W> {
    fn new(out: W, whiteouts: Whiteouts, times: Times, owners: &'o dyn Fn(Owner) -> Owner) -> Walk<'o, W> {
        Walk {
            tar: Writer::new(io::BufWriter::with_capacity(256 << 10, out)),
            whiteouts,
            times,
            owners,
            links: HashMap::new(),
            written: Written::default(),
            buffer: vec![0; XATTR_BUFFER],
        }
    }

    fn finish(self) -> Result<Written, LayerError> {
        self.tar.finish().map_err(|error| LayerError::io("writing", b"the archive", error))?;
        Ok(self.written)
    }

    fn tree(&mut self, what: Packed<'_>) -> Result<(), LayerError> {
        match what {
            Packed::Below(dir) => self.directory(listed(dir)?.as_fd(), b"", 0),
            Packed::Directory(dir, name) => {
                let stat = rustix::fs::fstat(dir).map_err(|errno| LayerError::io("reading", name, errno))?;
                let by_name = [format!("/proc/self/fd/{}", dir.as_raw_fd()).as_bytes(), b"/."].concat();
                let xattrs = self.xattrs(&by_name, name)?;
                self.append(&stat, name.to_vec(), Kind::Dir, xattrs.kept, &mut io::empty())?;
                // The root of everything has no name: what is in it is called `/bin` and so on.
                self.children(listed(dir)?.as_fd(), &[name, b"/"].concat(), 0)
            }
            Packed::Named { dir, name, as_name } => self.child(dir, name, as_name.to_vec(), 0),
            Packed::File { name, mut body, time_s } => {
                let kind = Kind::File { size: body.len() as u64, sparse: None };
                let mtime = Time { sec: time_s, nsec: 0 };
                let (path, xattrs) = (name.to_vec(), BTreeMap::new());
                self.write(&Entry { path, kind, mode: 0o600, uid: 0, gid: 0, mtime, xattrs }, &mut body)
            }
        }
    }

    fn directory(&mut self, dir: BorrowedFd<'_>, path: &[u8], depth: usize) -> Result<(), LayerError> {
        let prefix = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        self.children(dir, &prefix, depth)
    }

    /// All that is in a directory, under names that begin with `prefix`.
    fn children(&mut self, dir: BorrowedFd<'_>, prefix: &[u8], depth: usize) -> Result<(), LayerError> {
        if depth > DEEPEST {
            return Err(LayerError::refused(prefix, "more than 512 directories deep"));
        }
        let failed = |errno: Errno| LayerError::io("reading", prefix, errno);
        let mut names = Vec::new();
        for child in Dir::read_from(dir).map_err(failed)? {
            let name = child.map_err(failed)?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        for name in names {
            self.child(dir, &name, [prefix, &name].concat(), depth)?;
        }
        Ok(())
    }

    fn child(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: Vec<u8>, depth: usize) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("reading", &path, errno);
        let Some(stat) = there(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)).map_err(failed)? else { return Ok(()) };
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
            FileType::Symlink => match readlinkat(dir, name, Vec::new()) {
                Ok(target) => Kind::Symlink { target: target.into_bytes() },
                // It is no link any more.
                Err(Errno::NOENT | Errno::INVAL) => return Ok(()),
                Err(errno) => return Err(failed(errno)),
            },
            FileType::CharacterDevice => Kind::Char(device),
            FileType::BlockDevice => Kind::Block(device),
            FileType::Fifo => Kind::Fifo,
        };
        if file_type != FileType::Directory && stat.st_nlink > 1 {
            let key = (stat.st_dev, stat.st_ino);
            if let Some(target) = self.links.get(&key) {
                let kind = Kind::HardLink { target: target.clone() };
                return self.append(&stat, path, kind, BTreeMap::new(), &mut io::empty());
            }
            // A file is remembered when it is in the archive: it may go away before.
            if file_type != FileType::RegularFile {
                self.links.insert(key, path.clone());
            }
        }
        let by_name = [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name].concat();
        match file_type {
            FileType::RegularFile => self.file(dir, name, path),
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let Some(below) = there(openat(dir, name, flags, Mode::empty())).map_err(failed)? else {
                    return Ok(());
                };
                let stat = rustix::fs::fstat(&below).map_err(failed)?;
                let by_fd = format!("/proc/self/fd/{}/.", below.as_raw_fd());
                let xattrs = self.xattrs(by_fd.as_bytes(), &path)?;
                self.append(&stat, path.clone(), kind, xattrs.kept, &mut io::empty())?;
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
            | FileType::Unknown => {
                let xattrs = self.xattrs(&by_name, &path)?;
                self.append(&stat, path, kind, xattrs.kept, &mut io::empty())
            }
        }
    }

    /// What counts is the file that is open: it is looked at before it is opened for reading.
    fn file(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: Vec<u8>) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("reading", &path, errno);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Some(found) = there(openat(dir, name, flags, Mode::empty())).map_err(failed)? else { return Ok(()) };
        let stat = rustix::fs::fstat(&found).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let by_fd = format!("/proc/self/fd/{}", found.as_raw_fd());
        let file = open(&by_fd, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let xattrs = self.xattrs(by_fd.as_bytes(), &path)?;
        if stat.st_nlink > 1 {
            self.links.insert((stat.st_dev, stat.st_ino), path.clone());
        }
        let size = size_of(&stat);
        self.written.bytes += size;
        let mut body = Filled(File::from(file));
        self.append(&stat, path, Kind::File { size, sparse: None }, xattrs.kept, &mut body)
    }

    /// A name of Docker's convention: an empty file.
    fn mark(&mut self, path: Vec<u8>) -> Result<(), LayerError> {
        let kind = Kind::File { size: 0, sparse: None };
        let xattrs = BTreeMap::new();
        let mark = Entry { path, kind, mode: 0o600, uid: 0, gid: 0, mtime: Time::default(), xattrs };
        self.write(&mark, &mut io::empty())
    }

    fn append(
        &mut self,
        stat: &Stat,
        path: Vec<u8>,
        kind: Kind,
        xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
        body: &mut dyn Read,
    ) -> Result<(), LayerError> {
        let nsec = match self.times {
            Times::Exact => u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
            Times::Seconds => 0,
        };
        let (uid, gid) = (self.owners)((stat.st_uid, stat.st_gid));
        let mtime = Time { sec: stat.st_mtime, nsec };
        self.write(&Entry { path, kind, mode: stat.st_mode & 0o7777, uid, gid, mtime, xattrs }, body)
    }

    fn write(&mut self, entry: &Entry, body: &mut dyn Read) -> Result<(), LayerError> {
        self.written.entries += 1;
        self.tar.append(entry, body).map_err(|error| LayerError::io("writing", &entry.path, error))
    }

    fn xattrs(&mut self, by_name: &[u8], path: &[u8]) -> Result<Xattrs, LayerError> {
        let failed = |errno: Errno| LayerError::io("reading the attributes of", path, errno);
        let mut xattrs = Xattrs { kept: BTreeMap::new(), opaque: false };
        let len = match list_xattrs(by_name, &mut self.buffer) {
            Ok(0) | Err(Errno::OPNOTSUPP | Errno::NOENT | Errno::NOTDIR) => return Ok(xattrs),
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
            let len = match read_xattr(by_name, name, &mut self.buffer) {
                Ok(len) => len,
                Err(Errno::NODATA | Errno::NOENT | Errno::NOTDIR) => continue,
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

/// Nothing where the name went away, or became something else than it was looked at for.
fn there<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Whether a path is a descriptor's link: then the attributes are those of the thing that is open, and not the link's.
fn is_descriptor(path: &[u8]) -> bool {
    path.strip_prefix(b"/proc/self/fd/").is_some_and(|rest| !rest.contains(&b'/'))
}

fn list_xattrs(path: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
    if is_descriptor(path) { listxattr(path, buffer) } else { llistxattr(path, buffer) }
}

fn read_xattr(path: &[u8], name: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
    if is_descriptor(path) { getxattr(path, name, buffer) } else { lgetxattr(path, name, buffer) }
}

/// A file, and zeros without end behind it.
struct Filled(File);

impl Read for Filled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => {
                buffer.fill(0);
                Ok(buffer.len())
            }
            read => Ok(read),
        }
    }
}
