//! A private directory for one test, gone when the test is over whatever was done in it.

use rustix::fs::{IFlags, Mode, OFlags};
use rustix::mount::UnmountFlags;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory `/var/tmp/kist-test-<pid>-<n>` of mode 0755. Dropping it detaches what is mounted below, clears immutable flags and
/// removes it. The name is also the mark by which [`crate::Snapshot`] knows what belongs to this test.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
}

impl Root {
    /// Makes a new, empty one. On a disk, not a tmpfs: layers need extended attributes and overlay an upper that has them.
    pub fn new() -> Root {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/var/tmp/kist-test-{}-{n}", std::process::id()));
        // The number of a process comes back after a while: what its former holder left is nobody's.
        remove_tree(&path).unwrap();
        fs::create_dir(&path).unwrap();
        Root { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path below it.
    pub fn join(&self, below: impl AsRef<Path>) -> PathBuf {
        self.path.join(below)
    }

    /// Writes a file below it, with the directories that lead there, and returns its path.
    pub fn write(&self, below: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// The mark of everything that belongs to this test.
    pub fn marker(&self) -> crate::Marker {
        crate::Marker::new(&self.path)
    }
}

impl Default for Root {
    fn default() -> Root {
        Root::new()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        detach_mounts(&self.path);
        if let Err(error) = remove_tree(&self.path) {
            eprintln!("left behind: {}: {error}", self.path.display());
        }
    }
}

/// Detaches whatever is mounted at or below the path, newest first.
pub(crate) fn detach_mounts(below: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    let mut points: Vec<PathBuf> = points.filter(|point| point.starts_with(below)).collect();
    points.reverse();
    for point in points {
        let _ = rustix::mount::unmount(&point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
    }
}

/// mountinfo writes blanks and backslashes as three octal digits.
fn unescape(text: &str) -> PathBuf {
    PathBuf::from(text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\"))
}

/// Removes a tree, or nothing. Where the kernel refuses for an immutable or append-only flag, clears the flags and tries again.
fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            clear_flags(path);
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn clear_flags(path: &Path) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    if !meta.is_dir() && !meta.is_file() {
        return;
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    if let Ok(file) = rustix::fs::open(path, flags, Mode::empty())
        && let Ok(set) = rustix::fs::ioctl_getflags(&file)
        && set.intersects(IFlags::IMMUTABLE | IFlags::APPEND)
    {
        let _ = rustix::fs::ioctl_setflags(&file, set - (IFlags::IMMUTABLE | IFlags::APPEND));
    }
    if meta.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            clear_flags(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Root;
    use rustix::fs::IFlags;

    #[test]
    fn an_immutable_file_does_not_stay() {
        let root = Root::new();
        let file = root.write("a/b", "x");
        let open = std::fs::File::open(&file).unwrap();
        if let Err(error) = rustix::fs::ioctl_setflags(&open, IFlags::IMMUTABLE) {
            crate::skip!("no immutable flag here: {error}");
        }
        let path = root.path().to_owned();
        drop(root);
        assert!(!path.exists());
    }

    #[test]
    fn a_mount_below_does_not_stay() {
        let root = Root::new();
        std::fs::create_dir(root.join("m")).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        if let Err(error) = rustix::mount::mount("none", root.join("m"), "tmpfs", flags, None) {
            crate::skip!("no right to mount: {error}");
        }
        root.write("m/file", "x");
        let path = root.path().to_owned();
        drop(root);
        assert!(!path.exists());
    }
}
