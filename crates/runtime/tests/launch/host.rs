//! A bundle to change, a root file system to run it on, and what comes out.

use std::fs;
use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use runtime::cgroup::Cgroup;
use runtime::{Exec, Joined, Launch, LaunchError, Launched, Stdio, exec, launch};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use spec::bundle::{Bundle, CgroupDriver, CgroupPlacement, Namespace, Namespaces, Process, Seccomp};
use spec::capability::DOCKER_DEFAULT;
use spec::mount::{Mount, MountAttributes, MountKind, Owners, Propagation};
use testkit::Root;

/// A private directory with busybox in it, and a bundle as Docker would make it, but for control groups.
pub(crate) struct Host {
    pub(crate) root: Root,
    pub(crate) bundle: Bundle,
}

/// What a container did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) output: String,
    pub(crate) code: i32,
}

impl Host {
    pub(crate) fn new(args: &[&str]) -> Host {
        let root = Root::new();
        for dir in [
            "lower/bin",
            "lower/etc",
            "lower/tmp",
            "lower/root",
            "lower/home/app",
            "upper",
            "work",
            "staging",
            "outside",
        ] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("lower/bin/busybox")).unwrap();
        for applet in [
            "sh", "cat", "ls", "id", "grep", "echo", "true", "false", "sleep", "mount", "touch", "mkdir", "stat",
            "tty", "stty", "hostname", "kill", "mknod", "readlink", "env", "pwd", "ps", "head", "chmod", "wc", "tr",
            "dd", "ln", "ip", "trap", "ulimit", "umount", "cut",
        ] {
            symlink("busybox", root.join("lower/bin").join(applet)).unwrap();
        }
        root.write("lower/etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n");
        root.write("lower/etc/group", "root:x:0:\napp:x:1000:\nstaff:x:50:app\nextra:x:2000:app\n");
        fs::set_permissions(root.join("lower/tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        Host { bundle: bundle(args), root }
    }

    /// The same with a shell script for a command.
    pub(crate) fn sh(script: &str) -> Host {
        Host::new(&["sh", "-c", script])
    }

    /// Changes the bundle.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Bundle)) -> Host {
        change(&mut self.bundle);
        self
    }

    /// Changes the image.
    pub(crate) fn image(self, change: impl FnOnce(&Path)) -> Host {
        change(&self.root.join("lower"));
        self
    }

    pub(crate) fn rootfs(&self) -> OwnedFd {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        for (key, dir) in [("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work")] {
            fsconfig_set_string(&context, key, self.root.join(dir)).unwrap();
        }
        fsconfig_create(&context).unwrap();
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap()
    }

    pub(crate) fn launch(&self, stdio: Stdio) -> Result<Launched, LaunchError> {
        self.launch_joined(stdio, Joined::default())
    }

    pub(crate) fn launch_joined(&self, stdio: Stdio, joined: Joined) -> Result<Launched, LaunchError> {
        let staging = self.root.join("staging");
        let launching = Launch {
            bundle: &self.bundle,
            rootfs: self.rootfs(),
            mounts: Default::default(),
            joined,
            stdio,
            cgroup: None,
            staging: &staging,
        };
        launch(launching, &mut |_| Ok(()))
    }

    /// Runs it to its end: standard output and error together.
    pub(crate) fn run(&self) -> Result<Done, LaunchError> {
        self.run_in(None)
    }

    /// The same in control groups.
    pub(crate) fn run_in(&self, cgroup: Option<&Cgroup>) -> Result<Done, LaunchError> {
        let (stdio, reader) = pipes();
        let (bundle, staging) = (&self.bundle, self.root.join("staging"));
        let request = Launch {
            bundle,
            rootfs: self.rootfs(),
            mounts: Default::default(),
            joined: Joined::default(),
            stdio,
            cgroup,
            staging: &staging,
        };
        launch(request, &mut |_| Ok(())).map(|launched| finish(&launched, reader))
    }

    /// Its output, where nothing else matters.
    pub(crate) fn output(&self) -> String {
        self.run().unwrap().output
    }

    /// The error and its exit code.
    pub(crate) fn refused(&self) -> String {
        let error = self.run().unwrap_err();
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        let root = self.root.path().display().to_string();
        format!(
            "{} {}",
            error.exit_code(),
            text.replace("unable to start container process: ", "").replace(&root, "ROOT")
        )
    }

    /// Starts it, runs `script` beside it by exec, and ends it.
    pub(crate) fn exec(&self, script: &str, change: impl FnOnce(&mut Process)) -> Result<Done, LaunchError> {
        let (stdio, reader) = pipes();
        let first = self.launch(stdio)?;
        let mut process = Process { args: ["sh", "-c", script].map(Into::into).into(), ..self.bundle.process.clone() };
        change(&mut process);
        let (stdio, exec_reader) = pipes();
        let request = Exec {
            process: &process,
            target: first.pidfd.as_fd(),
            namespaces: &self.bundle.namespaces,
            seccomp: &self.bundle.seccomp,
            stdio,
            cgroup: None,
        };
        let done = exec(request).map(|second| finish(&second, exec_reader));
        rustix::process::pidfd_send_signal(&first.pidfd, rustix::process::Signal::KILL).unwrap();
        finish(&first, reader);
        done
    }
}

/// Pipes for a process, with one reader for both of its outputs. Nothing comes in.
pub(crate) fn pipes() -> (Stdio, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let null = fs::File::open("/dev/null").unwrap();
    (Stdio::Pipes([null.into(), writer.try_clone().unwrap().into(), writer.into()]), reader)
}

/// Waits for the end of output and of the process.
pub(crate) fn finish(launched: &Launched, mut reader: PipeReader) -> Done {
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    Done { output, code: wait(launched) }
}

/// Waits for the process: its exit code, or 128 + n.
pub(crate) fn wait(launched: &Launched) -> i32 {
    let status = waitid(WaitId::PidFd(launched.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal)).unwrap()
}

/// A bundle as the engine makes it for `docker run --network none`.
pub(crate) fn bundle(args: &[&str]) -> Bundle {
    Bundle {
        id: "ab".repeat(32).parse().unwrap(),
        process: Process {
            args: args.iter().map(ToString::to_string).collect(),
            env: vec!["PATH=/usr/sbin:/usr/bin:/sbin:/bin".into()],
            cwd: "/".into(),
            user: String::new(),
            group_add: vec![],
            terminal: false,
            capabilities: DOCKER_DEFAULT,
            no_new_privileges: false,
            apparmor: None,
            rlimits: vec![],
            oom_score_adj: Some(0),
        },
        hostname: Some("boxed".into()),
        domainname: None,
        namespaces: Namespaces {
            pid: Namespace::Private,
            network: Namespace::Private,
            ipc: Namespace::Private,
            uts: Namespace::Private,
            cgroup: Namespace::Private,
            user: Namespace::Host,
            id_maps: None,
            time: None,
        },
        readonly_rootfs: false,
        rootfs_propagation: Propagation::Rprivate,
        mounts: mounts(),
        devices: vec![],
        masked_paths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/none"]
            .map(PathBuf::from)
            .into(),
        readonly_paths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
            .map(PathBuf::from)
            .into(),
        sysctls: [].into(),
        cgroup: CgroupPlacement { parent: None, driver: CgroupDriver::None },
        resources: spec::resources::Resources::default(),
        seccomp: Seccomp::Default,
        init: false,
        networks: spec::network::Defaults::default(),
    }
}

fn mounts() -> Vec<Mount> {
    let locked = MountAttributes { nosuid: true, noexec: true, nodev: true, ..MountAttributes::default() };
    let readonly = MountAttributes { readonly: true, ..locked };
    let dev = MountAttributes { nosuid: true, strictatime: true, ..MountAttributes::default() };
    let pts = MountAttributes { nosuid: true, noexec: true, ..MountAttributes::default() };
    vec![
        filesystem("/proc", "proc", &[], locked),
        filesystem("/dev", "tmpfs", &[("mode", "755"), ("size", "65536k")], dev),
        filesystem(
            "/dev/pts",
            "devpts",
            &[("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")],
            pts,
        ),
        filesystem("/sys", "sysfs", &[], readonly),
        Mount { target: "/sys/fs/cgroup".into(), kind: MountKind::Cgroup, attributes: readonly, propagation: None },
        filesystem("/dev/shm", "tmpfs", &[("mode", "1777"), ("size", "67108864")], locked),
        filesystem("/dev/mqueue", "mqueue", &[], locked),
    ]
}

pub(crate) fn filesystem(target: &str, fstype: &str, options: &[(&str, &str)], attributes: MountAttributes) -> Mount {
    let options =
        options.iter().map(|(key, value)| ((*key).to_owned(), (!value.is_empty()).then(|| (*value).to_owned())));
    let kind = MountKind::Filesystem {
        fstype: fstype.into(),
        source: fstype.into(),
        options: options.collect(),
        volume: None,
    };
    Mount { target: target.into(), kind, attributes, propagation: None }
}

pub(crate) fn bind(source: impl Into<PathBuf>, target: &str) -> Mount {
    Mount {
        target: target.into(),
        kind: MountKind::Bind { source: source.into(), recursive: true, beneath: None, owners: Owners::Real },
        attributes: MountAttributes::default(),
        propagation: Some(Propagation::Rprivate),
    }
}
