//! Paths below a container's root. The tree is an image's, and other containers may share parts of it and change them while we
//! work: so each path is walked by the kernel, once, below the root's descriptor, and what comes of it is a descriptor that is used
//! from then on (CVE-2021-30465 and its relatives).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstat, fstatfs, mkdirat, mknodat, openat2, readlinkat,
};
use rustix::io::Errno;

use crate::failure::{Doing, InitFailure, needs};

/// The root of a container's file system, reached by descriptor alone.
#[derive(Clone, Copy)]
pub(crate) struct Root<'a>(pub(crate) BorrowedFd<'a>);

/// What a missing target becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
}

impl Kind {
    /// The kind a mount of `source` needs.
    pub(crate) fn of(source: BorrowedFd<'_>) -> Result<Kind, Errno> {
        let directory = FileType::from_raw_mode(fstat(source)?.st_mode) == FileType::Directory;
        Ok(if directory { Kind::Directory } else { Kind::File })
    }
}

/// What symlinks on the way mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symlinks {
    /// Followed, within the root.
    Follow,
    /// Refused.
    Refuse,
}

impl Root<'_> {
    /// Opens what is at `path` for reference (O_PATH).
    pub(crate) fn open(self, path: &Path, symlinks: Symlinks) -> Result<OwnedFd, Errno> {
        self.open_as(path, OFlags::PATH, symlinks)
    }

    /// Opens what is at the relative `path` for reference; a link that leads out is an error (EXDEV).
    pub(crate) fn beneath(self, path: &Path) -> Result<OwnedFd, Errno> {
        self.walk(path, OFlags::PATH, ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
    }

    /// Opens what is at `path`.
    pub(crate) fn open_as(self, path: &Path, flags: OFlags, symlinks: Symlinks) -> Result<OwnedFd, Errno> {
        let mut resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        if symlinks == Symlinks::Refuse {
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        self.walk(path, flags, resolve)
    }

    fn walk(self, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
        loop {
            // EAGAIN: something was renamed during the walk, which the kernel could not then prove to have stayed inside.
            match openat2(self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
    }

    /// Opens a mount's target, making what is missing. A symlink that points at nothing has its target made, as Docker does: images
    /// have /etc/resolv.conf point below a /run that is filled at boot.
    pub(crate) fn make(self, path: &Path, kind: Kind) -> Result<OwnedFd, InitFailure> {
        match self.open(path, Symlinks::Follow) {
            Err(Errno::NOENT) => {}
            Err(errno) => {
                let otherwise = InitFailure::Step(format!("open {}", path.display()), errno.into());
                return Err(needs(
                    "openat2(2), which keeps mount targets inside the container",
                    "5.6",
                    errno.into(),
                    otherwise,
                ));
            }
            Ok(fd) => return Ok(fd),
        }
        self.make_each(path, kind).doing(|| format!("create mountpoint for {} mount", path.display()))
    }

    fn make_each(self, path: &Path, kind: Kind) -> Result<OwnedFd, Errno> {
        let mut todo: Vec<PathBuf> = parts(path);
        let mut done = PathBuf::from("/");
        let mut at = self.open(&done, Symlinks::Refuse)?;
        let mut links = 0;
        while let Some(name) = todo.pop() {
            let next = done.join(&name);
            let wanted = if todo.is_empty() { kind } else { Kind::Directory };
            match self.open(&next, Symlinks::Follow) {
                Ok(fd) => {
                    at = fd;
                    done = next;
                    continue;
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
            let made = match wanted {
                Kind::Directory => mkdirat(&at, &name, Mode::from_raw_mode(0o755)),
                Kind::File => mknodat(&at, &name, FileType::RegularFile, Mode::from_raw_mode(0o644), 0),
            };
            match made {
                Ok(()) => todo.push(name),
                // It was not there and is: another made it (then it can be opened now), or it is a symlink to nothing.
                Err(Errno::EXIST) => {
                    links += 1;
                    if links > 40 {
                        return Err(Errno::LOOP);
                    }
                    match readlinkat(&at, &name, Vec::new()) {
                        Ok(link) => {
                            let link =
                                Path::new(std::ffi::OsStr::new(link.to_str().map_err(|_| Errno::ILSEQ)?)).to_path_buf();
                            if link.is_absolute() {
                                done = PathBuf::from("/");
                                at = self.open(&done, Symlinks::Refuse)?;
                            }
                            todo.extend(parts(&link));
                        }
                        Err(Errno::INVAL) => todo.push(name),
                        Err(errno) => return Err(errno),
                    }
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(at)
    }
}

/// The components, last first. `..` is left for the kernel, which knows what it means below a symlink.
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(PathBuf::from(name)),
            Component::ParentDir => Some(PathBuf::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// Whether `fd` is in a procfs.
pub(crate) fn is_proc(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(fstatfs(fd)?.f_type == PROC_SUPER_MAGIC)
}

/// Opens /dev/null of the machine and proves it: character device 1:3, whatever the path says (CVE-2025-31133).
pub(crate) fn open_null() -> Result<OwnedFd, InitFailure> {
    let fd = rustix::fs::openat(
        rustix::fs::CWD,
        "/dev/null",
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .doing(|| "open /dev/null")?;
    let stat = fstat(fd.as_fd()).doing(|| "stat /dev/null")?;
    let is_null =
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == rustix::fs::makedev(1, 3);
    if is_null { Ok(fd) } else { Err(Errno::NODEV).doing(|| "/dev/null is not the null device") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::os::unix::fs::symlink;

    fn check(path: &str, kind: Kind, expected: Expect) {
        let dir =
            std::env::temp_dir().join(format!("kist-target-{}-{:?}", std::process::id(), std::thread::current().id()));
        std::fs::create_dir_all(dir.join("root/etc")).unwrap();
        std::fs::create_dir_all(dir.join("root/run")).unwrap();
        std::fs::File::create(dir.join("root/etc/file")).unwrap();
        symlink("../run/systemd/resolv.conf", dir.join("root/etc/dangling")).unwrap();
        symlink("/run/there", dir.join("root/etc/absolute")).unwrap();
        symlink("../../../../../outside", dir.join("root/etc/out")).unwrap();
        symlink("round", dir.join("root/etc/round")).unwrap();
        symlink("/proc/self/root", dir.join("root/etc/magic")).unwrap();
        let fd = rustix::fs::openat(rustix::fs::CWD, dir.join("root"), OFlags::PATH, Mode::empty()).unwrap();
        let shown = match Root(fd.as_fd()).make(Path::new(path), kind) {
            Ok(fd) => {
                use std::os::fd::AsRawFd;
                let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
                format!("{} {:?}", link.strip_prefix(&dir).unwrap().display(), Kind::of(fd.as_fd()).unwrap())
            }
            Err(failure) => failure.to_string(),
        };
        std::fs::remove_dir_all(&dir).unwrap();
        expected.assert_eq(&shown);
    }

    #[test]
    fn missing_targets_are_made_and_nothing_leaves_the_root() {
        check("/a/b/c", Kind::Directory, expect!["root/a/b/c Directory"]);
        check("/a/f", Kind::File, expect!["root/a/f File"]);
        check("/etc/file", Kind::File, expect!["root/etc/file File"]);
        check("/etc/dangling", Kind::File, expect!["root/run/systemd/resolv.conf File"]);
        check("/etc/absolute/x", Kind::Directory, expect!["root/run/there/x Directory"]);
        check("/etc/out/x", Kind::Directory, expect!["root/outside/x Directory"]);
        check("/../../x", Kind::Directory, expect!["root/x Directory"]);
        check("/etc/round/x", Kind::Directory, expect!["open /etc/round/x: too many levels of symbolic links"]);
        check("/etc/file/x", Kind::File, expect!["open /etc/file/x: not a directory"]);
        // Within the root /proc is an ordinary missing directory.
        check("/etc/magic/x", Kind::File, expect!["root/proc/self/root/x File"]);
    }
}
