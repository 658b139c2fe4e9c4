//! Which control groups this machine has: one read of /proc/self/mountinfo, on the start path of each container.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The v2 tree: all there is, or the `unified` directory of a hybrid machine.
    pub v2: Option<Unified>,
    /// The hierarchies of v1; empty on a v2 machine.
    pub v1: Vec<Hierarchy>,
    /// systemd is process 1.
    pub systemd: bool,
}

/// The v2 tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unified {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Below which groups may be made: the mount, or the group that was delegated to this user.
    pub base: PathBuf,
}

/// One hierarchy of v1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// As mounted together: `cpu,cpuacct`, or `name=systemd`.
    pub controllers: String,
    /// Where it is mounted.
    pub mount: PathBuf,
}

/// The leaf into which processes are moved that sit in a group which shall have children (see `v2::prepare`).
pub(super) const LEAF: &str = "kist.leaf";

/// All controllers v1 ever had; other mount options are not controllers.
const V1_CONTROLLERS: &[&str] = &[
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
    "debug",
];

impl Layout {
    /// Looks.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn probe() -> io::Result<Layout> {
        let mut layout = Layout::parse(&std::fs::read_to_string("/proc/self/mountinfo")?);
        layout.systemd = accessat(CWD, "/run/systemd/system", Access::EXISTS, AtFlags::empty()).is_ok();
        // Only the user who may not write the whole tree needs to know where he is in it.
        if let Some(v2) = layout.v2.as_mut().filter(|_| layout.v1.is_empty())
            && !writable(&v2.mount)
            && let Some(own) = own_group(&std::fs::read_to_string("/proc/self/cgroup")?)
        {
            v2.base = delegated(&v2.mount, own);
        }
        Ok(layout)
    }

    /// Whether v2 is all there is.
    pub fn is_v2(&self) -> bool {
        self.v2.is_some() && self.v1.is_empty()
    }

    /// What can be controlled here.
    #[must_use]
    pub fn controllers(&self) -> BTreeSet<String> {
        let v2 = self.v2.as_ref().filter(|_| self.v1.is_empty());
        let v2 = v2.and_then(|v2| std::fs::read_to_string(v2.base.join("cgroup.controllers")).ok()).unwrap_or_default();
        let v1 = self.v1.iter().flat_map(|hierarchy| hierarchy.controllers.split(','));
        v1.chain(v2.split_whitespace()).filter(|name| !name.contains('=')).map(str::to_owned).collect()
    }

    /// Whether swap can be limited. The v2 tree knows only below its root.
    #[must_use]
    pub fn limits_swap(&self) -> bool {
        match self.v1.iter().find(|hierarchy| hierarchy.controllers.split(',').any(|name| name == "memory")) {
            Some(memory) => memory.mount.join("memory.memsw.limit_in_bytes").symlink_metadata().is_ok(),
            None => self.controllers().contains("memory") && Path::new("/proc/swaps").symlink_metadata().is_ok(),
        }
    }

    /// The mounts of a mountinfo text. The first mount of a hierarchy counts: later ones are those of containers.
    fn parse(mountinfo: &str) -> Layout {
        let mut layout = Layout { v2: None, v1: Vec::new(), systemd: false };
        for line in mountinfo.lines() {
            let Some((head, tail)) = line.split_once(" - cgroup") else { continue };
            let Some(mount) = head.split(' ').nth(4).map(unescape) else { continue };
            let mut words = tail.split(' ');
            match words.next() {
                Some("2") if layout.v2.is_none() => layout.v2 = Some(Unified { base: mount.clone(), mount }),
                Some("") => {
                    let controllers = words.nth(1).map(controllers_of).unwrap_or_default();
                    if !controllers.is_empty() && layout.v1.iter().all(|known| known.controllers != controllers) {
                        layout.v1.push(Hierarchy { controllers, mount });
                    }
                }
                Some(_) | None => {}
            }
        }
        layout
    }
}

fn controllers_of(options: &str) -> String {
    let wanted = |option: &&str| option.starts_with("name=") || V1_CONTROLLERS.contains(option);
    options.split(',').filter(wanted).collect::<Vec<_>>().join(",")
}

/// The path of a v2 process in /proc/PID/cgroup.
fn own_group(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The group delegated to us: our own, or the one above when an earlier run has moved us into its leaf.
fn delegated(mount: &Path, own: &str) -> PathBuf {
    let own = mount.join(own.trim_start_matches('/'));
    match own.parent() {
        Some(parent) if own.ends_with(LEAF) => parent.to_owned(),
        Some(_) | None => own,
    }
}

fn writable(path: &Path) -> bool {
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// The kernel writes blanks as \040 and so on.
fn unescape(text: &str) -> PathBuf {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                out.push_str(part.get(3..).unwrap_or_default());
            }
            None => out.push_str(part),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(mountinfo: &str, expected: Expect) {
        let layout = Layout::parse(mountinfo);
        let mut out = format!("v2 {:?}\n", layout.v2.map(|v2| v2.mount));
        for hierarchy in layout.v1 {
            out += &format!("{} {}\n", hierarchy.controllers, hierarchy.mount.display());
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn hierarchies_are_found_with_their_controllers() {
        check(
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n",
            expect![[r#"
                v2 Some("/sys/fs/cgroup")
            "#]],
        );
        check(
            "22 27 0:21 / /proc rw,relatime - proc proc rw\n\
             31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
             32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct\n\
             40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
             42 31 0:39 /docker/1 /sys/fs/cgroup/a\\040b rw - cgroup cgroup rw,memory\n\
             43 31 0:39 / /elsewhere rw - cgroup cgroup rw,memory\n",
            expect![[r#"
                v2 Some("/sys/fs/cgroup/unified")
                cpu,cpuacct /sys/fs/cgroup/cpu,cpuacct
                name=systemd /sys/fs/cgroup/systemd
                memory /sys/fs/cgroup/a b
            "#]],
        );
        check(
            "",
            expect![[r"
            v2 None
        "]],
        );
    }

    #[test]
    fn the_delegated_group_is_found_from_its_leaf_too() {
        assert_eq!(own_group("1:cpu:/\n0::/user.slice/a.scope\n"), Some("/user.slice/a.scope"));
        assert_eq!(delegated(Path::new("/m"), "/a/b"), Path::new("/m/a/b"));
        assert_eq!(delegated(Path::new("/m"), "/a/b/kist.leaf"), Path::new("/m/a/b"));
        assert_eq!(delegated(Path::new("/m"), "/"), Path::new("/m/"));
    }

    #[test]
    fn a_probe_is_cheap() {
        Layout::probe().unwrap();
        let best = (0..50).map(|_| {
            let begin = std::time::Instant::now();
            Layout::probe().unwrap();
            begin.elapsed()
        });
        let best = best.min().unwrap();
        assert!(best < std::time::Duration::from_micros(400), "{best:?} even in a debug build");
    }
}
