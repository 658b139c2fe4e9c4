//! /sys/fs/cgroup of a container: its own part of the control group trees, as its cgroup namespace shows it.
//!
//! On v2 one mount. On v1 (and the hybrid) a tmpfs with a directory for each hierarchy, and a symlink for each controller that
//! shares one.

use std::os::fd::AsFd;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use spec::mount::{Mount, MountAttributes};
use sys::mount::{Attributes, Reach};

use super::mounts::filesystem;
use super::target::{Kind, Root};
use super::{attach, attach_onto, attributes};
use crate::failure::{Doing, InitFailure};

/// Mounts it. Without a cgroup namespace of the container's own, what is mounted shows the whole trees, read-only as asked.
pub(super) fn make(root: Root<'_>, mount: &Mount) -> Result<(), InitFailure> {
    let target = root.make(&mount.target, Kind::Directory)?;
    let doing = || "mounting /sys/fs/cgroup";
    let hierarchies = own_hierarchies()?;
    if hierarchies.is_empty() {
        let made = filesystem("cgroup2", "cgroup", &[], mount.attributes)?;
        return attach_onto(made.as_fd(), target.as_fd()).doing(doing);
    }
    let writable = MountAttributes { readonly: false, ..mount.attributes };
    let tree = filesystem("tmpfs", "tmpfs", &[("mode", Some("755"))], writable)?;
    attach_onto(tree.as_fd(), target.as_fd()).doing(doing)?;
    for controllers in &hierarchies {
        let options: Vec<(&str, Option<&str>)> = match controllers.strip_prefix("name=") {
            Some(name) => vec![("none", None), ("name", Some(name))],
            None => controllers.split(',').map(|controller| (controller, None)).collect(),
        };
        let name = controllers.strip_prefix("name=").unwrap_or(controllers);
        let made = filesystem("cgroup", "cgroup", &options, mount.attributes)?;
        mkdirat(&tree, name, Mode::from_raw_mode(0o755)).doing(doing)?;
        attach(made.as_fd(), &tree, name.as_ref()).doing(doing)?;
        for controller in name.split(',').filter(|controller| *controller != name) {
            match symlinkat(name, &tree, controller) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno).doing(doing),
            }
        }
    }
    if mount.attributes.readonly {
        attributes(
            tree.as_fd(),
            Attributes::set(Attributes::READONLY),
            Reach::This,
            "making /sys/fs/cgroup read-only",
        )?;
    }
    Ok(())
}

/// The v1 hierarchies this process is in, as /proc names them: `cpu,cpuacct`, `name=systemd`. None on pure v2.
fn own_hierarchies() -> Result<Vec<String>, InitFailure> {
    let file = openat(CWD, "/proc/self/cgroup", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .doing(|| "open /proc/self/cgroup")?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::fs::File::from(file), &mut text).doing(|| "read /proc/self/cgroup")?;
    Ok(text
        .lines()
        .filter_map(|line| line.split(':').nth(1))
        .filter(|names| !names.is_empty())
        .map(str::to_owned)
        .collect())
}
