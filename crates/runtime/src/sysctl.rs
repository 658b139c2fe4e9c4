//! `--sysctl`: kernel settings of the container's own namespaces. One that is not namespaced would change the host.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstatfs, openat, openat2};
use spec::bundle::{Namespace, Namespaces};

use crate::failure::{Doing, InitFailure};

/// A setting that is not the container's to change. The texts are runc's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SysctlError {
    /// The same for every container.
    #[error("sysctl {0:?} is not in a separate kernel namespace")]
    NotNamespaced(String),
    /// Of the network namespace, which is the host's.
    #[error("sysctl {0:?} not allowed in host network namespace")]
    HostNetwork(String),
    /// Of the IPC namespace, which is the host's.
    #[error("sysctl {0:?} is not allowed in the hosts ipc namespace")]
    HostIpc(String),
    /// Of the UTS namespace, which is the host's.
    #[error("sysctl {0:?} is not allowed in the hosts UTS namespace")]
    HostUts(String),
    /// The bundle says it elsewhere.
    #[error("sysctl {0:?} is not allowed as it conflicts with the hostname")]
    Hostname(String),
}

/// Refuses what is not the container's own.
pub fn check(sysctls: &BTreeMap<String, String>, namespaces: &Namespaces) -> Result<(), SysctlError> {
    sysctls.keys().try_for_each(|name| check_one(name, namespaces))
}

fn check_one(name: &str, namespaces: &Namespaces) -> Result<(), SysctlError> {
    let path = file(name);
    let refused = |make: fn(String) -> SysctlError, namespace: &Namespace| match namespace {
        Namespace::Host => Err(make(name.to_owned())),
        Namespace::Private | Namespace::Container(_) | Namespace::Path(_) => Ok(()),
    };
    if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(SysctlError::NotNamespaced(name.to_owned()));
    }
    match path.as_str() {
        "kernel/msgmax"
        | "kernel/msgmnb"
        | "kernel/msgmni"
        | "kernel/sem"
        | "kernel/shmall"
        | "kernel/shmmax"
        | "kernel/shmmni"
        | "kernel/shm_rmid_forced"
        | "kernel/msg_next_id"
        | "kernel/sem_next_id"
        | "kernel/shm_next_id" => refused(SysctlError::HostIpc, &namespaces.ipc),
        "kernel/domainname" => refused(SysctlError::HostUts, &namespaces.uts),
        "kernel/hostname" => Err(SysctlError::Hostname(name.to_owned())),
        path if path.starts_with("fs/mqueue/") => refused(SysctlError::HostIpc, &namespaces.ipc),
        path if path.starts_with("net/") => refused(SysctlError::HostNetwork, &namespaces.network),
        _ => Err(SysctlError::NotNamespaced(name.to_owned())),
    }
}

/// The file below /proc/sys. As sysctl(8): the first separator decides; in `a.b` form a slash stands for a dot in a name.
fn file(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name.as_bytes()[at] == b'.' => name
            .chars()
            .map(|letter| match letter {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

/// /proc/sys of the machine, opened while it is reachable. Its files belong to the namespaces of whoever opens them.
pub(crate) struct Settings(OwnedFd);

impl Settings {
    pub(crate) fn open() -> Result<Settings, InitFailure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(CWD, "/proc/sys", flags, Mode::empty()).doing(|| "opening /proc/sys")?;
        let fs = fstatfs(&dir).doing(|| "looking at /proc/sys")?;
        if fs.f_type != PROC_SUPER_MAGIC {
            return Err(rustix::io::Errno::XDEV).doing(|| "/proc/sys is not procfs");
        }
        Ok(Settings(dir))
    }

    /// Writes all of them.
    pub(crate) fn apply(&self, sysctls: &BTreeMap<String, String>) -> Result<(), InitFailure> {
        for (name, value) in sysctls {
            let path = file(name);
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
            let file = openat2(self.0.as_fd(), &path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty(), resolve)
                .doing(|| format!("open /proc/sys/{path}"))?;
            rustix::io::write(&file, value.as_bytes()).doing(|| format!("write /proc/sys/{path}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_name(name: &str, network: Namespace, expected: Expect) {
        let namespaces = Namespaces {
            pid: Namespace::Private,
            network,
            ipc: Namespace::Private,
            uts: Namespace::Private,
            cgroup: Namespace::Private,
            user: Namespace::Host,
            id_maps: None,
            time: None,
        };
        let shown = check_one(name, &namespaces).map_or_else(|error| error.to_string(), |()| file(name));
        expected.assert_eq(&shown);
    }

    #[test]
    fn only_settings_of_own_namespaces_are_taken() {
        check_name("net.ipv4.ip_forward", Namespace::Private, expect!["net/ipv4/ip_forward"]);
        check_name("net.ipv4.conf.eth0/100.rp_filter", Namespace::Private, expect!["net/ipv4/conf/eth0.100/rp_filter"]);
        check_name("net/ipv4/conf/eth0.100/rp_filter", Namespace::Private, expect!["net/ipv4/conf/eth0.100/rp_filter"]);
        check_name("kernel.shmmax", Namespace::Host, expect!["kernel/shmmax"]);
        check_name("fs.mqueue.msg_max", Namespace::Host, expect!["fs/mqueue/msg_max"]);
        check_name(
            "net.ipv4.ip_forward",
            Namespace::Host,
            expect![[r#"sysctl "net.ipv4.ip_forward" not allowed in host network namespace"#]],
        );
        check_name(
            "kernel.panic",
            Namespace::Host,
            expect![[r#"sysctl "kernel.panic" is not in a separate kernel namespace"#]],
        );
        check_name(
            "kernel.shm*",
            Namespace::Host,
            expect![[r#"sysctl "kernel.shm*" is not in a separate kernel namespace"#]],
        );
        check_name(
            "net/../kernel/panic",
            Namespace::Private,
            expect![[r#"sysctl "net/../kernel/panic" is not in a separate kernel namespace"#]],
        );
        check_name(
            "kernel.hostname",
            Namespace::Host,
            expect![[r#"sysctl "kernel.hostname" is not allowed as it conflicts with the hostname"#]],
        );
    }
}
