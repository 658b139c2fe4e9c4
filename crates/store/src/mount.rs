//! A container's root file system as a detached mount: it has no place, no table lists it, and it goes with its last descriptor.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use disk::faults;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, move_mount, open_tree,
};
use spec::bundle::{IdMap, IdMaps};
use spec::digest::ChainId;
use spec::id::ContainerId;
use sys::fsids::as_owner;
use sys::mntns::in_private_mounts;
use sys::mount::{Reach, set_id_maps};

use crate::record::Writes;
use crate::store::{Store, StoreError};

/// How a root file system is mounted.
#[derive(Clone, Copy, Debug)]
pub struct Mount<'a> {
    /// Under which owners the container's user namespace sees the files; none: as they are. On disk they never change.
    pub id_maps: Option<&'a IdMaps>,
}

/// How an image's files are mounted, for reading.
#[derive(Clone, Copy, Debug)]
pub struct MountImage<'a> {
    /// As for a root file system.
    pub id_maps: Option<&'a IdMaps>,
    /// What shows where the image has nothing.
    pub floor: Floor,
    /// What is below its root, and nowhere else, whatever its links say: this is mounted alone.
    pub beneath: Option<&'a Path>,
}

/// What lies below an image's lowest layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// What every container has.
    Skeleton,
    /// Nothing.
    Bare,
}

/// Why a root file system could not be mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The draft.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The kernel refused.
    #[error("cannot {act}{}", said(.log))]
    Refused {
        /// What it was asked.
        act: &'static str,
        /// What it wrote about it.
        log: String,
        /// Its answer.
        #[source]
        source: io::Error,
    },
}

impl MountError {
    /// EINVAL with nothing said (before 6.5), or said about the name of the option.
    fn is_unknown_option(&self) -> bool {
        match self {
            MountError::Store(_) => false,
            MountError::Refused { log, source, .. } => {
                source.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error())
                    && (log.is_empty() || log.contains("nknown parameter"))
            }
        }
    }
}

fn said(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!(" ({log})") }
}

impl From<io::Error> for MountError {
    fn from(source: io::Error) -> MountError {
        MountError::Refused { act: "enter a private mount namespace", log: String::new(), source }
    }
}

fn refused<E: Into<io::Error>>(act: &'static str) -> impl FnOnce(E) -> MountError {
    move |e| MountError::Refused { act, log: String::new(), source: e.into() }
}

/// The directories of one overlay.
struct Overlay {
    /// The highest first, as overlayfs counts.
    lowers: Vec<PathBuf>,
    /// Where writes go; none: nothing can be written.
    top: Option<Top>,
    /// Any directory that may be hidden while an old kernel mounts.
    place: PathBuf,
    writes: Writes,
}

/// The writable layer, and a directory of overlayfs' own.
struct Top {
    upper: PathBuf,
    work: PathBuf,
}

/// Never created nor followed: an image must not point into another directory, and a layer written out from `upper` must be whole.
const OPTIONS: [(&str, &str); 4] =
    [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off"), ("nfs_export", "off")];

impl Store {
    /// Mounts the writable layer of a container above its image's layers, without putting it anywhere.
    ///
    /// On kernels before 6.7, and with `id_maps`, the calling thread passes through a mount namespace of its own, so that the caller
    /// should have one thread.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn mount(&self, id: &ContainerId, request: Mount<'_>) -> Result<OwnedFd, MountError> {
        let overlay = self.overlay(id)?;
        faults::act("mount draft").map_err(refused("mount"))?;
        self.made(&overlay, request.id_maps)
    }

    /// Mounts an image's files, without putting them anywhere. The layers are given lowest first; whoever has them must keep them from
    /// being collected.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn mount_image(&self, layers: &[ChainId], request: MountImage<'_>) -> Result<OwnedFd, MountError> {
        let mut lowers = self.layer_places(layers);
        lowers.push(match request.floor {
            Floor::Skeleton => self.skeleton(),
            // An empty directory: overlayfs wants two lower ones where there is no upper one.
            Floor::Bare => self.skeleton().join("proc"),
        });
        let overlay = Overlay { lowers, top: None, place: self.skeleton(), writes: Writes::Kept };
        let mount = self.made(&overlay, request.id_maps)?;
        let Some(beneath) = request.beneath else { return Ok(mount) };
        // A part of a mount that is attached nowhere cannot be cloned before Linux 6.15.
        in_private_mounts(|| {
            attach(&mount, &overlay.place)?;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            let at = openat2(&mount, beneath, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve);
            let at = at.map_err(refused("open the subpath of an image"))?;
            let flags =
                OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
            open_tree(&at, "", flags).map_err(refused("mount the subpath of an image"))
        })
    }

    fn made(&self, overlay: &Overlay, id_maps: Option<&IdMaps>) -> Result<OwnedFd, MountError> {
        let idmapped = id_maps.map(|maps| self.idmapped(maps)).transpose()?;
        if let Some(alone) = overlay.alone() {
            return bare(alone, idmapped.as_ref(), self.root());
        }
        let Some(idmapped) = idmapped else {
            return match overlay.modern()? {
                Some(mount) => Ok(mount),
                None => in_private_mounts(|| overlay.old()),
            };
        };
        // overlayfs keeps the credentials of who mounts, and makes its own files with them: they must have an owner on disk.
        let (uid, gid) = id_maps.map_or((0, 0), |maps| (root_of(&maps.uids), root_of(&maps.gids)));
        in_private_mounts(|| {
            attach(&idmapped, self.root())?;
            as_owner(uid, gid, || match overlay.modern()? {
                Some(mount) => Ok(mount),
                None => overlay.old(),
            })
        })
    }

    fn overlay(&self, id: &ContainerId) -> Result<Overlay, StoreError> {
        let draft = self.draft_record(id)?;
        let dir = self.draft_dir(id);
        let mut lowers: Vec<PathBuf> =
            draft.layers.iter().rev().map(|chain| self.driver().lower(&self.snapshot(chain))).collect();
        if !lowers.is_empty() {
            lowers.push(self.skeleton());
        }
        let work = dir.join("work");
        if draft.writes == Writes::Volatile {
            // The kernel refuses an upper directory whose writes it may have lost: here nobody minds.
            let mark = work.join("work/incompat");
            disk::remove_tree(&mark).map_err(StoreError::io("removing", &mark))?;
        }
        let top = Some(Top { upper: dir.join("upper"), work });
        Ok(Overlay { lowers, top, place: dir, writes: draft.writes })
    }

    /// The store's root seen through the maps.
    fn idmapped(&self, maps: &IdMaps) -> Result<OwnedFd, MountError> {
        let userns = sys::userns::with_maps(&lines(&maps.uids), &lines(&maps.gids))
            .map_err(refused("make a user namespace for the id maps"))?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(CWD, self.root(), flags).map_err(refused("clone the mount of the store"))?;
        set_id_maps(tree.as_fd(), userns.as_fd(), Reach::Below)
            .map_err(refused("map the owners of the store's files"))?;
        Ok(tree)
    }
}

impl Overlay {
    /// By descriptors, layer by layer; none where the kernel does not know `lowerdir+` (before 6.7).
    fn modern(&self) -> Result<Option<OwnedFd>, MountError> {
        let fs = match fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC) {
            Err(rustix::io::Errno::NOSYS) => return Ok(None),
            other => other.map_err(refused("open overlayfs"))?,
        };
        let said = |act, e: rustix::io::Errno| MountError::Refused { act, log: log(&fs), source: e.into() };
        for lower in &self.lowers {
            if let Err(e) = fsconfig_set_string(fs.as_fd(), "lowerdir+", lower) {
                let error = said("use an image's layer", e);
                return if error.is_unknown_option() { Ok(None) } else { Err(error) };
            }
        }
        let set = |key, value: &Path| fsconfig_set_string(fs.as_fd(), key, value);
        if let Some(top) = &self.top {
            set("upperdir", &escaped(&top.upper)).map_err(|e| said("use the writable layer", e))?;
            set("workdir", &escaped(&top.work)).map_err(|e| said("use the writable layer", e))?;
        }
        for (key, value) in OPTIONS {
            fsconfig_set_string(fs.as_fd(), key, value).map_err(|e| said("set an overlay option", e))?;
        }
        if self.writes == Writes::Volatile {
            fsconfig_set_flag(fs.as_fd(), "volatile").map_err(|e| said("set an overlay option", e))?;
        }
        fsconfig_create(fs.as_fd()).map_err(|e| said("mount the container's root file system", e))?;
        let mount = fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty());
        Ok(Some(mount.map_err(|e| said("mount the container's root file system", e))?))
    }

    /// By mount(2), in a mount namespace that is ours alone. Its options must fit in one page: each directory is an open descriptor,
    /// named by its number.
    fn old(&self) -> Result<OwnedFd, MountError> {
        let act = "mount the container's root file system";
        let mut fds = Vec::new();
        let mut short = |path: &Path| {
            let fd =
                open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(refused(act))?;
            let text = fd.as_raw_fd().to_string();
            fds.push(fd);
            Ok::<_, MountError>(text)
        };
        let lowers = self.lowers.iter().map(|path| short(path)).collect::<Result<Vec<_>, _>>()?.join(":");
        let mut options = format!("lowerdir={lowers}");
        if let Some(top) = &self.top {
            options.push_str(&format!(",upperdir={},workdir={}", short(&top.upper)?, short(&top.work)?));
        }
        for (key, value) in OPTIONS {
            options.push_str(&format!(",{key}={value}"));
        }
        if self.writes == Writes::Volatile {
            options.push_str(",volatile");
        }
        rustix::process::chdir("/proc/thread-self/fd").map_err(refused(act))?;
        let options = std::ffi::CString::new(options).map_err(io::Error::from).map_err(refused(act))?;
        mount("overlay", &self.place, "overlay", MountFlags::empty(), Some(options.as_c_str()))
            .map_err(refused(act))?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        open_tree(CWD, &self.place, flags).map_err(refused(act))
    }

    /// The one directory there is.
    fn alone(&self) -> Option<&Path> {
        match (&self.top, self.lowers.as_slice()) {
            (Some(top), []) => Some(&top.upper),
            (None, [lower]) => Some(lower),
            (Some(_) | None, _) => None,
        }
    }
}

/// One directory, without a file system above it.
fn bare(dir: &Path, idmapped: Option<&OwnedFd>, root: &Path) -> Result<OwnedFd, MountError> {
    let act = "mount the container's root file system";
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let clone = || open_tree(CWD, dir, flags).map_err(refused(act));
    match idmapped {
        None => clone(),
        Some(idmapped) => in_private_mounts(|| {
            attach(idmapped, root)?;
            clone()
        }),
    }
}

fn attach(tree: &OwnedFd, at: &Path) -> Result<(), MountError> {
    move_mount(tree, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(refused("attach the mapped store"))
}

/// What the kernel wrote about this mount (fsopen(2)): lines `e overlay: …`.
fn log(fs: &OwnedFd) -> String {
    let mut lines = Vec::new();
    let mut buffer = [0; 512];
    while let Ok(n @ 1..) = rustix::io::read(fs, &mut buffer) {
        lines.push(String::from_utf8_lossy(&buffer[..n]).trim().to_owned());
    }
    lines.join("; ")
}

/// overlayfs takes backslashes out of `upperdir` and `workdir`, but not out of `lowerdir+`.
fn escaped(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    if !bytes.contains(&b'\\') {
        return path.to_owned();
    }
    let doubled = bytes.iter().flat_map(|b| std::iter::repeat_n(*b, if *b == b'\\' { 2 } else { 1 })).collect();
    PathBuf::from(OsString::from_vec(doubled))
}

/// What the container's root is outside.
fn root_of(maps: &[IdMap]) -> u32 {
    maps.iter().find(|map| map.container == 0).or_else(|| maps.first()).map_or(0, |map| map.host)
}

fn lines(maps: &[IdMap]) -> String {
    maps.iter().map(|map| format!("{} {} {}\n", map.container, map.host, map.size)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoadEvent, Mount};
    use testkit::{ImageBuilder, Root};

    /// Kernels before 6.7 are not at hand: what they take, newer ones take as well.
    #[test]
    fn the_old_way_mounts_the_same() {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let image = ImageBuilder::new().name("x").file("a", 0o644, "a").file("b", 0o644, "b");
        store.load(image.docker_archive().as_slice(), &mut |_: LoadEvent| {}).unwrap();
        let id = ContainerId::from_bytes([1; 32]);
        store.draft(&id, Some(&store.resolve("x").unwrap())).unwrap();
        let here = std::env::current_dir().unwrap();
        let mount = in_private_mounts(|| store.overlay(&id)?.old()).unwrap();
        assert_eq!(std::env::current_dir().unwrap(), here);
        for name in ["a", "b"] {
            assert!(rustix::fs::statat(&mount, name, rustix::fs::AtFlags::empty()).is_ok());
        }
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert!(!mounts.contains(&*root.path().to_string_lossy()));
        drop(mount);
        // And the draft is as good as before.
        assert!(store.mount(&id, Mount { id_maps: None }).is_ok());
    }

    #[test]
    fn backslashes_are_doubled_where_they_count() {
        assert_eq!(escaped(Path::new("/a\\b")), Path::new("/a\\\\b"));
        let root = Root::new();
        let odd = root.join("o:d,d\\ 1");
        std::fs::create_dir(&odd).unwrap();
        let store = Store::open(&odd).unwrap();
        let image = ImageBuilder::new().name("x").file("a", 0o644, "a");
        store.load(image.docker_archive().as_slice(), &mut |_: LoadEvent| {}).unwrap();
        let id = ContainerId::from_bytes([1; 32]);
        store.draft(&id, Some(&store.resolve("x").unwrap())).unwrap();
        let mount = store.mount(&id, Mount { id_maps: None }).unwrap();
        assert!(rustix::fs::statat(&mount, "a", rustix::fs::AtFlags::empty()).is_ok());
        assert!(in_private_mounts(|| store.overlay(&id)?.old()).is_ok());
    }
}
