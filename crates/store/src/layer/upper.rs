//! An overlay upper directory becomes a layer where it lies: one walk makes the tar's digest and the recipe, and leaves the directory in
//! the form that [`super::apply()`] would have given it. The tar itself is never written down.
//!
//! The members are those of [`super::diff()`], in the same order. Nobody writes to the directory any more, but what is in it is still
//! anybody's: nothing is opened that was not seen to be a file or a directory, and never so that opening could wait.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RawDir, Stat, Timespec, Timestamps, Uid, fchmod, fchown, fgetxattr,
    flistxattr, fremovexattr, fstat, futimens, lgetxattr, llistxattr, lremovexattr, major, minor, openat, readlinkat,
    statat, unlinkat,
};
use rustix::io::Errno;
use spec::digest::{Algorithm, DiffId, Hasher};

use super::LayerError;
use super::recipe::Recorder;
use super::tree::is_whiteout;
use super::unpack::LONGEST_PATH;
use crate::build::{FileTimes, LayerTimes};
use crate::tar::{BLOCK, Device, Entry, Kind, Time, headers};

/// As deep as [`super::apply()`] goes.
const DEEPEST: usize = 512;
/// The kernel allows 64 KiB for one attribute's value and as much for the list of names.
const XATTR_BUFFER: usize = 64 << 10;
/// One read of a file.
const BUFFER: usize = 256 << 10;
/// One read of a directory.
const LISTING: usize = 32 << 10;
const OPAQUE: &[u8] = b"trusted.overlay.opaque";

/// What the directory became.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) diff_id: DiffId,
    /// Members, whiteouts included.
    pub(crate) entries: u64,
    /// Bytes of its files.
    pub(crate) bytes: u64,
    /// Length of the tar.
    pub(crate) tar_bytes: u64,
}

/// Says whether lower layers have a directory at a path, which an opaque one would hide.
pub(crate) type Hides<'a> = dyn FnMut(&[u8]) -> Result<bool, LayerError> + 'a;

/// Records the layer that is in `upper`, mounted as [`super::Whiteouts::Trusted`] says. None: nothing is in it.
///
/// overlayfs marks every new directory as opaque, whether there is something to hide or not, and that only as far as its version likes:
/// marks that hide nothing are taken away, so that the digest tells of the content alone.
pub(crate) fn record(
    upper: BorrowedFd<'_>,
    times: LayerTimes,
    hides: &mut Hides<'_>,
    recipe: &mut (dyn Write + Send),
) -> Result<Option<Recorded>, LayerError> {
    let mut walk = Walk {
        hasher: Hasher::new(Algorithm::Sha256),
        recorder: Recorder::new(recipe)?,
        times,
        hides,
        links: HashMap::new(),
        entries: 0,
        bytes: 0,
        tar_bytes: 0,
        buffer: vec![0; BUFFER],
        names: vec![0; XATTR_BUFFER],
    };
    walk.tree(upper)?;
    if walk.entries == 0 {
        return Ok(None);
    }
    walk.plain_root(upper)?;
    walk.raw(&[0; 2 * BLOCK])?;
    let Walk { hasher, recorder, entries, bytes, tar_bytes, .. } = walk;
    recorder.finish()?;
    Ok(Some(Recorded { diff_id: DiffId(hasher.finish()), entries, bytes, tar_bytes }))
}

struct Walk<'a> {
    hasher: Hasher,
    recorder: Recorder<'a>,
    times: LayerTimes,
    hides: &'a mut Hides<'a>,
    /// First name of each file that has more than one.
    links: HashMap<(u64, u64), Vec<u8>>,
    entries: u64,
    bytes: u64,
    tar_bytes: u64,
    buffer: Vec<u8>,
    names: Vec<u8>,
}

/// Something whose attributes are read and taken away.
enum Handle<'a> {
    Fd(BorrowedFd<'a>),
    /// What cannot be opened, by a path that ends in its name.
    Path(Vec<u8>),
}

/// Attributes of one thing.
#[derive(Default)]
struct Xattrs {
    kept: BTreeMap<Vec<u8>, Vec<u8>>,
    opaque: bool,
}

/// A directory whose names are gone through.
struct Level {
    dir: OwnedFd,
    names: std::vec::IntoIter<Vec<u8>>,
    /// Of its path.
    length: usize,
}

impl Level {
    fn new(dir: OwnedFd, path: &[u8]) -> Result<Level, LayerError> {
        let names = list(dir.as_fd()).map_err(|errno| LayerError::io("reading", path, errno))?;
        Ok(Level { dir, names: names.into_iter(), length: path.len() })
    }
}

impl Walk<'_> {
    /// Without calling itself: how deep a tree is, is its maker's choice.
    fn tree(&mut self, root: BorrowedFd<'_>) -> Result<(), LayerError> {
        let root = root.try_clone_to_owned().map_err(|error| LayerError::io("opening", b"", error))?;
        let mut path = Vec::new();
        let mut levels = vec![Level::new(root, b"")?];
        while let Some(level) = levels.last_mut() {
            path.truncate(level.length);
            let Some(name) = level.names.next() else {
                levels.pop();
                continue;
            };
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            // Nobody could unpack it.
            if path.len() > LONGEST_PATH {
                return Err(LayerError::refused(&path, "a path of more than 4,095 bytes"));
            }
            let Some(below) = self.child(level.dir.as_fd(), &name, &path)? else { continue };
            if levels.len() > DEEPEST {
                return Err(LayerError::refused(&path, "more than 512 directories deep"));
            }
            levels.push(Level::new(below, &path)?);
        }
        Ok(())
    }

    /// One thing; a directory is left open for what is in it.
    fn child(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<Option<OwnedFd>, LayerError> {
        let failed = |errno: Errno| LayerError::io("reading", path, errno);
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        if is_whiteout(&stat) {
            let parent = &path[..path.len() - name.len()];
            return self.mark([parent, b".wh.", name].concat()).map(|()| None);
        }
        if name.starts_with(b".wh.") {
            return Err(LayerError::refused(path, "in a layer such a name means a deleted file"));
        }
        let file_type = FileType::from_raw_mode(stat.st_mode);
        let key = (stat.st_dev, stat.st_ino);
        if file_type != FileType::Directory && stat.st_nlink > 1 {
            if let Some(target) = self.links.get(&key) {
                let kind = Kind::HardLink { target: target.clone() };
                return self.member(&stat, path, kind, BTreeMap::new()).map(|()| None);
            }
            self.links.insert(key, path.to_vec());
        }
        let device = Device { major: major(stat.st_rdev), minor: minor(stat.st_rdev) };
        let kind = match file_type {
            FileType::RegularFile => return self.file(dir, name, path, &stat).map(|()| None),
            FileType::Directory => return self.directory(dir, name, path, &stat).map(Some),
            // No tar holds a socket, so the layer has none.
            FileType::Socket | FileType::Unknown => return leave_out(dir, name).map(|()| None).map_err(failed),
            FileType::Symlink => {
                Kind::Symlink { target: readlinkat(dir, name, Vec::new()).map_err(failed)?.into_bytes() }
            }
            FileType::CharacterDevice => Kind::Char(device),
            FileType::BlockDevice => Kind::Block(device),
            FileType::Fifo => Kind::Fifo,
        };
        let by_name = [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name].concat();
        let xattrs = self.xattrs(&Handle::Path(by_name), path)?;
        self.member(&stat, path, kind, xattrs.kept).map(|()| None)
    }

    fn directory(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: &[u8], stat: &Stat) -> Result<OwnedFd, LayerError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let below = openat(dir, name, flags, Mode::empty()).map_err(|errno| LayerError::io("opening", path, errno))?;
        let mut xattrs = self.xattrs(&Handle::Fd(below.as_fd()), path)?;
        if xattrs.opaque && !(self.hides)(path)? {
            fremovexattr(&below, OPAQUE).map_err(|errno| LayerError::io("changing", path, errno))?;
            xattrs.opaque = false;
        }
        self.member(stat, path, Kind::Dir, xattrs.kept)?;
        if xattrs.opaque {
            self.mark([path, b"/.wh..wh..opq"].concat())?;
        }
        Ok(below)
    }

    fn file(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: &[u8], stat: &Stat) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("reading", path, errno);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(dir, name, flags, Mode::empty()).map_err(failed)?;
        let xattrs = self.xattrs(&Handle::Fd(file.as_fd()), path)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        self.member(stat, path, Kind::File { size, sparse: None }, xattrs.kept)?;
        self.bytes += size;
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
            match rustix::io::read(&file, &mut self.buffer[..most]) {
                Ok(0) => {
                    let what = "it became shorter while it was read".to_owned();
                    return Err(LayerError::Changed { entry: crate::tar::show(path), what });
                }
                Ok(read) => {
                    self.hasher.update(&self.buffer[..read]);
                    left -= read as u64;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        if size > 0 {
            self.recorder.body(path, 0, size)?;
            self.tar_bytes += size;
            let padding = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or_default();
            self.raw(&[0; BLOCK][..padding])?;
        }
        Ok(())
    }

    /// The root is no member of a layer, as in Docker's, so wherever this one is unpacked it has the usual looks; here too.
    fn plain_root(&mut self, root: BorrowedFd<'_>) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("changing", b"", errno);
        let xattrs = self.xattrs(&Handle::Fd(root), b"")?;
        let taken = xattrs.kept.into_keys().chain(xattrs.opaque.then(|| OPAQUE.to_vec()));
        for name in taken {
            fremovexattr(root, &name[..]).map_err(failed)?;
        }
        let stat = fstat(root).map_err(failed)?;
        if (stat.st_uid, stat.st_gid) != (0, 0) {
            fchown(root, Some(Uid::ROOT), Some(Gid::ROOT)).map_err(failed)?;
        }
        if stat.st_mode & 0o7777 != 0o755 {
            fchmod(root, Mode::from_raw_mode(0o755)).map_err(failed)?;
        }
        Ok(())
    }

    /// A name of Docker's convention: an empty file.
    fn mark(&mut self, path: Vec<u8>) -> Result<(), LayerError> {
        let kind = Kind::File { size: 0, sparse: None };
        let xattrs = BTreeMap::new();
        self.entry(&Entry { path, kind, mode: 0o600, uid: 0, gid: 0, mtime: Time::default(), xattrs })
    }

    fn member(
        &mut self,
        stat: &Stat,
        path: &[u8],
        kind: Kind,
        xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> Result<(), LayerError> {
        let (mode, uid, gid, mtime) = (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid, self.time(stat));
        self.entry(&Entry { path: path.to_vec(), kind, mode, uid, gid, mtime, xattrs })
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), LayerError> {
        self.entries += 1;
        let head = headers(entry).map_err(|error| LayerError::io("writing down", &entry.path, error))?;
        self.raw(&head)
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), LayerError> {
        self.hasher.update(bytes);
        self.tar_bytes += bytes.len() as u64;
        self.recorder.raw(bytes)
    }

    fn time(&self, stat: &Stat) -> Time {
        const SECOND: i64 = 1_000_000_000;
        let ns = self.times.epoch.ns();
        let nsec = |part: i64| u32::try_from(part).unwrap_or_default();
        let epoch = Time { sec: ns.div_euclid(SECOND), nsec: nsec(ns.rem_euclid(SECOND)) };
        let own = Time { sec: stat.st_mtime, nsec: u32::try_from(stat.st_mtime_nsec).unwrap_or_default() };
        match self.times.files {
            FileTimes::Clamp if (own.sec, own.nsec) < (epoch.sec, epoch.nsec) => own,
            FileTimes::Clamp | FileTimes::AllEpoch => epoch,
        }
    }

    /// The attributes that go along. Those that no layer brings are taken away, as they would not be there either where the layer is
    /// unpacked: overlayfs' own, which speak of the draft, and whatever else was set but labels of security modules.
    fn xattrs(&mut self, handle: &Handle<'_>, path: &[u8]) -> Result<Xattrs, LayerError> {
        let failed = |errno: Errno| LayerError::io("reading the attributes of", path, errno);
        let mut xattrs = Xattrs::default();
        let len = match handle.list(&mut self.names) {
            Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(xattrs),
            other => other.map_err(failed)?,
        };
        for name in self.names[..len].split(|&b| b == 0).filter(|name| !name.is_empty()) {
            if matches!(name.strip_prefix(b"trusted.overlay."), Some(b"redirect" | b"metacopy")) {
                let why = "overlayfs keeps a part of it in a lower layer: mount with redirect_dir=off,metacopy=off";
                return Err(LayerError::refused(path, why));
            }
            let goes_along = (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
                || matches!(name, b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default");
            if goes_along || name == OPAQUE {
                let len = handle.get(name, &mut self.buffer).map_err(failed)?;
                let value = &self.buffer[..len];
                if goes_along {
                    xattrs.kept.insert(name.to_vec(), value.to_vec());
                    continue;
                }
                if value == b"y" {
                    xattrs.opaque = true;
                    continue;
                }
            } else if name.starts_with(b"security.") || name.starts_with(b"system.") {
                continue;
            }
            handle.remove(name).map_err(failed)?;
        }
        Ok(xattrs)
    }
}

impl Handle<'_> {
    fn list(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Handle::Fd(fd) => flistxattr(fd, buffer),
            Handle::Path(path) => llistxattr(&path[..], buffer),
        }
    }

    fn get(&self, name: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Handle::Fd(fd) => fgetxattr(fd, name, buffer),
            Handle::Path(path) => lgetxattr(&path[..], name, buffer),
        }
    }

    fn remove(&self, name: &[u8]) -> Result<(), Errno> {
        match self {
            Handle::Fd(fd) => fremovexattr(fd, name),
            Handle::Path(path) => lremovexattr(&path[..], name),
        }
    }
}

/// The names in a directory, in the order of their bytes.
fn list(dir: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    // One of its own: the position in the caller's is the caller's.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir: OwnedFd = openat(dir, ".", flags, Mode::empty())?;
    let mut buffer = vec![MaybeUninit::uninit(); LISTING];
    let mut names = Vec::new();
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes a name; the directory keeps its time.
fn leave_out(dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    let stat = fstat(dir)?;
    unlinkat(dir, name, AtFlags::empty())?;
    let time = |sec, nsec: u64| Timespec { tv_sec: sec, tv_nsec: i64::try_from(nsec).unwrap_or_default() };
    let last_access = time(stat.st_atime, stat.st_atime_nsec);
    let last_modification = time(stat.st_mtime, stat.st_mtime_nsec);
    futimens(dir, &Timestamps { last_access, last_modification })
}
