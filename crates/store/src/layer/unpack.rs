//! One entry after another into the directory of a layer.
//!
//! Attributes of directories (mode, owner, time, xattrs) wait until the end: until then entries are made in them, which
//! changes their times, may need a mode they do not have, and would inherit a default ACL.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags, chmod, chownat, fchmod, fsetxattr, ftruncate, futimens,
    linkat, lsetxattr, makedev, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::apply::{Applied, Limits, Options, Recording, Whiteouts};
use super::attributes::{chown_to, set_xattrs, times};
use super::books::Books;
use super::ledger::{AUFS, Ledger, OPAQUE, WHITEOUT};
use super::recipe::Recorder;
use super::tree::{MustExist, Tree, components, is_whiteout};
use super::{Coming, LayerError};
use crate::tar::{Device, Entry, Kind, Reader, Segment};

/// Larger files are written in pieces of this size; smaller ones in one call.
const BUFFER: usize = 512 << 10;

pub(super) const LONGEST_PATH: usize = 4095;

/// The work at hand.
pub(super) struct Unpack<'d, 'r> {
    tree: Tree<'d>,
    ledger: Ledger,
    books: Books<'r>,
    limits: Limits,
    /// Bytes counted against the limit.
    taken: u64,
    /// Whose files those are that nobody chowns.
    owner: (u32, u32),
    pub(super) manners: Manners,
    buffer: Vec<u8>,
}

/// How what was there before is met, and whose things become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manners {
    /// When something else has the name.
    pub(super) clash: Clash,
    /// Owners.
    pub(super) owners: Owners,
}

/// What happens to a directory in the place of something else, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// It gives way.
    Replace,
    /// It stays, and the archive is refused.
    Refuse,
}

/// Whose things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners {
    /// As the entry says.
    Entry,
    /// Whose process makes them, or whose they were.
    Maker,
}

impl<'d, 'r> Unpack<'d, 'r> {
    pub(super) fn new(dir: BorrowedFd<'d>, options: Options<'r>) -> Result<Unpack<'d, 'r>, LayerError> {
        let recorder = match options.recording {
            Recording::Off => None,
            Recording::To(out) => Some(Recorder::new(out)?),
        };
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Ok(Unpack {
            tree: Tree::new(dir),
            ledger: Ledger::new(options.whiteouts),
            books: Books::new(recorder),
            limits: options.limits,
            taken: 0,
            owner,
            manners: Manners { clash: Clash::Replace, owners: Owners::Entry },
            buffer: vec![0; BUFFER],
        })
    }

    /// Parents that the archive does not mention become this owner's.
    pub(super) fn make_parents_of(&mut self, root: (u32, u32)) {
        self.ledger.root = root;
    }

    /// Makes one entry.
    pub(super) fn entry<R: Read>(&mut self, entry: &Entry, reader: &mut Reader<R>) -> Result<(), LayerError> {
        self.books.raw(&reader.take_raw())?;
        self.ledger.applied.entries += 1;
        self.ledger.mtime = entry.mtime;
        if self.ledger.applied.entries > self.limits.entries {
            return Err(LayerError::TooLarge(format!("more than {} entries", self.limits.entries)));
        }
        if let Kind::File { size, .. } = entry.kind {
            self.count(size)?;
        }
        let parts = components(&entry.path)?;
        let Some((&name, parents)) = parts.split_last() else {
            return self.root(entry);
        };
        if self.ledger.whiteouts != Whiteouts::Literal {
            if parts.iter().any(|part| part.starts_with(AUFS) && !(*part == OPAQUE && std::ptr::eq(*part, name))) {
                return self.ignore(reader);
            }
            if parents.iter().any(|part| part.starts_with(WHITEOUT)) {
                return Err(LayerError::refused(&entry.path, "it lies below a whiteout"));
            }
            if name.starts_with(WHITEOUT) {
                self.tree.enter(parents, &mut self.ledger)?;
                self.ledger.whiteout(&mut self.tree, &entry.path, name)?;
                return self.ignore(reader);
            }
        }
        if let Kind::HardLink { target } = &entry.kind {
            return self.hard_link(entry, target, parents, name);
        }
        self.tree.enter(parents, &mut self.ledger)?;
        let path = self.real_path(entry, name)?;
        match &entry.kind {
            Kind::File { size, sparse: None } => self.dense(entry, name, path, *size, reader),
            Kind::File { size, sparse: Some(map) } => self.sparse(entry, name, path, *size, map, reader),
            Kind::Dir => self.directory(entry, name, path),
            Kind::Symlink { target } => self.symlink(entry, name, target),
            Kind::Char(Device { major: 0, minor: 0 }) => self.whiteout_device(entry, name),
            Kind::Char(device) => self.node(entry, name, FileType::CharacterDevice, *device),
            Kind::Block(device) => self.node(entry, name, FileType::BlockDevice, *device),
            Kind::Fifo => self.node(entry, name, FileType::Fifo, Device { major: 0, minor: 0 }),
            Kind::HardLink { .. } => Ok(()),
        }
    }

    /// What follows the last entry, to the end of the input.
    pub(super) fn rest<R: Read>(&mut self, mut reader: Reader<R>) -> Result<(), LayerError> {
        self.books.raw(&reader.take_raw())?;
        let mut rest = reader.into_rest();
        loop {
            match rest.read(&mut self.buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    self.count(read as u64)?;
                    self.books.raw(&self.buffer[..read])?;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LayerError::io("reading", b"what follows the archive", error)),
            }
        }
    }

    /// Gives directories their attributes and ends the recipe.
    pub(super) fn finish(mut self) -> Result<Applied, LayerError> {
        // The deepest first: a directory's own mode may forbid (those who are not root) to go on below it.
        for (path, attributes) in std::mem::take(&mut self.ledger.directories).into_iter().rev() {
            let parts = components(&path)?;
            self.tree.enter(&parts, &mut MustExist)?;
            let dir = self.tree.here();
            let failed = |errno: Errno| LayerError::io("setting the attributes of", &path, errno);
            // Always: a set-group-id directory above may have given it another group.
            if self.manners.owners == Owners::Entry {
                chown_to(dir, attributes.uid, attributes.gid).map_err(failed)?;
            }
            fchmod(dir, Mode::from_raw_mode(attributes.mode)).map_err(failed)?;
            self.ledger.applied.xattrs_left_out +=
                set_xattrs(&attributes.xattrs, &path, |name, value| fsetxattr(dir, name, value, XattrFlags::empty()))?;
            futimens(dir, &times(attributes.mtime)).map_err(failed)?;
        }
        self.books.finish()?;
        Ok(self.ledger.applied)
    }

    fn count(&mut self, bytes: u64) -> Result<(), LayerError> {
        self.taken = self.taken.saturating_add(bytes);
        match self.taken > self.limits.bytes {
            true => Err(LayerError::TooLarge(format!("more than {} bytes", self.limits.bytes))),
            false => Ok(()),
        }
    }

    /// Passes over the body of an entry of which nothing is made.
    fn ignore<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), LayerError> {
        loop {
            match reader.body(&mut self.buffer)? {
                0 => return Ok(()),
                read => self.books.raw(&self.buffer[..read])?,
            }
        }
    }

    fn root(&mut self, entry: &Entry) -> Result<(), LayerError> {
        match entry.kind == Kind::Dir {
            true => self.ledger.attributes(Vec::new(), entry),
            false => Err(LayerError::refused(&entry.path, "the root can be nothing but a directory")),
        }
    }

    fn real_path(&self, entry: &Entry, name: &[u8]) -> Result<Vec<u8>, LayerError> {
        let path = self.tree.path_of(name);
        match path.len() > LONGEST_PATH {
            true => Err(LayerError::refused(&entry.path, "a path of more than 4,095 bytes")),
            false => Ok(path),
        }
    }

    /// Makes something under a name, after removing what had it.
    fn make<T>(
        &mut self,
        name: &[u8],
        mut act: impl FnMut(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Result<T, LayerError> {
        let failed = |tree: &Tree<'_>, errno| LayerError::io("creating", &tree.path_of(name), errno);
        match act(self.tree.here()) {
            Err(Errno::EXIST) => {
                self.refuse_clash(name, Coming::Other)?;
                self.vacate(name)?;
                act(self.tree.here()).map_err(|errno| failed(&self.tree, errno))
            }
            made => made.map_err(|errno| failed(&self.tree, errno)),
        }
    }

    /// Refuses what comes where a directory would have to give way, or to take the place of something else.
    fn refuse_clash(&self, name: &[u8], coming: Coming) -> Result<(), LayerError> {
        if self.manners.clash == Clash::Replace {
            return Ok(());
        }
        let is_directory = |stat: rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        match (self.tree.stat(name)?.map(is_directory), coming) {
            (Some(true), Coming::Other) | (Some(false), Coming::Directory) => {
                Err(LayerError::Clash { path: self.tree.path_of(name), coming })
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// Removes what has a name; bodies that the recipe counts on are kept in it.
    fn vacate(&mut self, name: &[u8]) -> Result<(), LayerError> {
        self.ledger.forget(&self.tree.path_of(name));
        let Unpack { tree, books, buffer, .. } = self;
        tree.remove(name, &mut |dir, name, path| books.keep(dir, name, path, buffer))
    }

    fn dense<R: Read>(
        &mut self,
        entry: &Entry,
        name: &[u8],
        path: Vec<u8>,
        size: u64,
        reader: &mut Reader<R>,
    ) -> Result<(), LayerError> {
        let file = self.make(name, |dir| create(dir, name))?;
        self.write(file.as_fd(), &path, Segment { offset: 0, len: size }, reader)?;
        self.own_file(file.as_fd(), entry, &path)?;
        self.ledger.applied.bytes += size;
        self.books.body(path, &[Segment { offset: 0, len: size }])
    }

    fn sparse<R: Read>(
        &mut self,
        entry: &Entry,
        name: &[u8],
        path: Vec<u8>,
        size: u64,
        map: &[Segment],
        reader: &mut Reader<R>,
    ) -> Result<(), LayerError> {
        let file = self.make(name, |dir| create(dir, name))?;
        ftruncate(&file, size).map_err(|errno| LayerError::io("writing", &path, errno))?;
        for segment in map {
            self.write(file.as_fd(), &path, *segment, reader)?;
        }
        self.own_file(file.as_fd(), entry, &path)?;
        self.ledger.applied.bytes += size;
        self.books.body(path, map)
    }

    /// Writes one run of the body.
    fn write<R: Read>(
        &mut self,
        file: BorrowedFd<'_>,
        path: &[u8],
        segment: Segment,
        reader: &mut Reader<R>,
    ) -> Result<(), LayerError> {
        let mut offset = segment.offset;
        let mut left = segment.len;
        while left > 0 {
            let most = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
            let mut have = 0;
            while have < most {
                // Never 0: the map was checked against the body's length, and an early end is an error.
                have += reader.body(&mut self.buffer[have..most])?;
            }
            let mut bytes = &self.buffer[..most];
            while !bytes.is_empty() {
                match rustix::io::pwrite(file, bytes, offset) {
                    Ok(written) => {
                        offset += written as u64;
                        bytes = &bytes[written..];
                    }
                    Err(Errno::INTR) => {}
                    Err(errno) => return Err(LayerError::io("writing", path, errno)),
                }
            }
            left -= most as u64;
        }
        Ok(())
    }

    /// The order matters: chown(2) takes set-user-id bits and capabilities away, and all of it may touch the time.
    fn own_file(&mut self, file: BorrowedFd<'_>, entry: &Entry, path: &[u8]) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("setting the attributes of", path, errno);
        // Directories are made without the set-group-id bit, so a new file has the owner of this process.
        let is_theirs = self.ledger.whiteouts == Whiteouts::Literal || (entry.uid, entry.gid) != self.owner;
        if self.manners.owners == Owners::Entry && is_theirs {
            chown_to(file, entry.uid, entry.gid).map_err(failed)?;
        }
        fchmod(file, Mode::from_raw_mode(entry.mode)).map_err(failed)?;
        self.ledger.applied.xattrs_left_out +=
            set_xattrs(&entry.xattrs, path, |name, value| fsetxattr(file, name, value, XattrFlags::empty()))?;
        futimens(file, &times(entry.mtime)).map_err(failed)
    }

    fn directory(&mut self, entry: &Entry, name: &[u8], path: Vec<u8>) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("creating", &path, errno);
        match self.tree.make_dir(name) {
            Ok(()) => {}
            Err(Errno::EXIST) => match self.tree.stat(name)? {
                Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
                Some(stat) if is_whiteout(&stat) && self.ledger.whiteouts != Whiteouts::Literal => {
                    self.ledger.replace_whiteout(&mut self.tree, name)?;
                }
                _other => {
                    self.refuse_clash(name, Coming::Directory)?;
                    self.vacate(name)?;
                    self.tree.make_dir(name).map_err(failed)?;
                }
            },
            Err(errno) => return Err(failed(errno)),
        }
        self.ledger.attributes(path, entry)
    }

    fn symlink(&mut self, entry: &Entry, name: &[u8], target: &[u8]) -> Result<(), LayerError> {
        self.make(name, |dir| symlinkat(target, dir, name))?;
        self.own_node(entry, name)
    }

    fn node(&mut self, entry: &Entry, name: &[u8], kind: FileType, device: Device) -> Result<(), LayerError> {
        // Linux packs 12 bits of major and 20 of minor; beyond them another device would be made than was named.
        if device.major >= 1 << 12 || device.minor >= 1 << 20 {
            return Err(LayerError::refused(&entry.path, "device numbers that Linux does not have"));
        }
        let number = makedev(device.major, device.minor);
        self.make(name, |dir| mknodat(dir, name, kind, Mode::RUSR | Mode::WUSR, number))?;
        self.own_node(entry, name)?;
        // Through a descriptor that opens nothing: chmod(2) by name would follow a link put there meanwhile.
        let failed = |errno: Errno| LayerError::io("setting the attributes of", &entry.path, errno);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = openat(self.tree.here(), name, flags, Mode::empty()).map_err(failed)?;
        chmod(format!("/proc/self/fd/{}", node.as_raw_fd()), Mode::from_raw_mode(entry.mode)).map_err(failed)
    }

    /// Attributes of what cannot be opened, but the mode.
    fn own_node(&mut self, entry: &Entry, name: &[u8]) -> Result<(), LayerError> {
        let dir = self.tree.here();
        let failed = |errno: Errno| LayerError::io("setting the attributes of", &entry.path, errno);
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        if self.manners.owners == Owners::Entry {
            chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        }
        if !entry.xattrs.is_empty() {
            let path = [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name].concat();
            self.ledger.applied.xattrs_left_out += set_xattrs(&entry.xattrs, &entry.path, |name, value| {
                lsetxattr(&path[..], name, value, XattrFlags::empty())
            })?;
        }
        utimensat(dir, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
    }

    /// A character device 0/0 in an archive: overlayfs would take it for a whiteout, so it is one.
    fn whiteout_device(&mut self, entry: &Entry, name: &[u8]) -> Result<(), LayerError> {
        match self.ledger.whiteouts {
            Whiteouts::Trusted | Whiteouts::User => self.ledger.hide(&mut self.tree, name),
            Whiteouts::Literal => Err(LayerError::refused(&entry.path, "a device 0/0, overlayfs' mark of deletion")),
        }
    }

    fn hard_link(&mut self, entry: &Entry, target: &[u8], parents: &[&[u8]], name: &[u8]) -> Result<(), LayerError> {
        let refused = |why: &str| {
            let why = format!("a hard link to {}: {why}", crate::tar::show(target));
            LayerError::refused(&entry.path, why)
        };
        let target_parts = components(target).map_err(|_dots| refused("a name may not hold \"..\""))?;
        let Some((&target_name, target_parents)) = target_parts.split_last() else {
            return Err(refused("that is a directory"));
        };
        self.tree.enter(target_parents, &mut MustExist).map_err(|error| match error {
            LayerError::Refused { ref why, .. } => refused(why),
            LayerError::Tar(_)
            | LayerError::TooLarge(_)
            | LayerError::Io { .. }
            | LayerError::Recipe(_)
            | LayerError::Clash { .. }
            | LayerError::Changed { .. } => error,
        })?;
        let stat = self.tree.stat(target_name)?.ok_or_else(|| refused("not in this layer"))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(refused("that is a directory"));
        }
        if is_whiteout(&stat) {
            return Err(refused("that name is deleted"));
        }
        let target_path = self.tree.path_of(target_name);
        let target_dir =
            self.tree.here().try_clone_to_owned().map_err(|error| LayerError::io("opening", target, error))?;
        self.tree.enter(parents, &mut self.ledger)?;
        let path = self.real_path(entry, name)?;
        if path == target_path {
            return Err(refused("that is itself"));
        }
        if target_path.starts_with(&path) && target_path[path.len()..].starts_with(b"/") {
            return Err(refused("that lies below it"));
        }
        // No AT_SYMLINK_FOLLOW: of a symbolic link the link itself gets a second name.
        self.make(name, |dir| linkat(&target_dir, target_name, dir, name, AtFlags::empty()))
    }
}

fn create(dir: BorrowedFd<'_>, name: &[u8]) -> Result<rustix::fd::OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::RUSR | Mode::WUSR)
}
