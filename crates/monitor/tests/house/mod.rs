//! A private home with containers made of busybox.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use disk::{Durability, Home};
use monitor::log::{Entry, Query, Reader};
use monitor::protocol::{Ask, Attach, DetachKeys, Exec, Framing, Replay, Tell};
use monitor::{Ahead, Berth, Client, ClientError, Exit};
use spec::bundle::{Bundle, CgroupDriver, CgroupPlacement, Namespace, Namespaces, Process, Seccomp};
use spec::capability::DOCKER_DEFAULT;
use spec::container::{
    Config, HostConfig, LogConfig, LogDriver, NamespaceMode, NetworkMode, RestartPolicy, Security, Settings, Streams,
};
use spec::id::ContainerId;
use spec::image::Healthcheck;
use spec::mount::{Mount, MountAttributes, MountKind, Propagation};
use spec::network::{Attachment, Publish};
use spec::resources::{DEFAULT_DEVICES, Resources};
use store::Store;
use testkit::{Root, Snapshot};

/// What a test says about a container.
#[derive(Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) args: &'a [&'a str],
    pub(crate) tty: bool,
    pub(crate) stdin: bool,
    pub(crate) auto_remove: bool,
    pub(crate) restart: RestartPolicy,
    pub(crate) health: Option<&'static str>,
}

impl<'a> Container<'a> {
    pub(crate) fn new(args: &'a [&'a str]) -> Container<'a> {
        Container { args, tty: false, stdin: false, auto_remove: false, restart: RestartPolicy::No, health: None }
    }
}

/// One that was created.
pub(crate) struct Made {
    pub(crate) id: ContainerId,
    bundle: Bundle,
}

pub(crate) struct House {
    pub(crate) home: Home,
    pub(crate) store: Store,
    root: Root,
}

impl House {
    pub(crate) fn new() -> House {
        let root = Root::new();
        let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
        let store = Store::open(home.root()).unwrap();
        House { home, store, root }
    }

    pub(crate) fn create(&self, what: Container<'_>) -> Made {
        self.create_on(what, Vec::new(), Vec::new())
    }

    /// On networks, with published ports.
    pub(crate) fn create_on(&self, what: Container<'_>, networks: Vec<Attachment>, publish: Vec<Publish>) -> Made {
        let id = new_id();
        let making = self.home.begin(&id).unwrap();
        let mut config = config(&id, what);
        if !networks.is_empty() {
            config.host.network = NetworkMode::Networks("net".into());
            config.host.publish = publish;
        }
        let settings = Settings { restart: what.restart, resources: Resources::default(), networks };
        disk::write(making.dir(), &config, Durability::Volatile).unwrap();
        disk::write(making.dir(), &settings, Durability::Volatile).unwrap();
        self.store.draft(&id, None).unwrap();
        making.commit(Durability::Volatile).unwrap();
        let upper = self.home.root().join("drafts").join(id.as_str()).join("upper");
        fill(&upper);
        Made { bundle: bundle(&id, what), id }
    }

    pub(crate) fn spawn(&self, made: &Made) -> Client {
        Berth::take(&self.home, &made.id)
            .unwrap()
            .spawn(&self.home, &made.id, monitor::Whose::Container, Ahead::Network)
            .unwrap()
            .brief(&made.bundle)
            .unwrap()
    }

    /// The monitor that lives, or a new one.
    pub(crate) fn reach(&self, made: &Made) -> Client {
        loop {
            match Berth::take(&self.home, &made.id) {
                Ok(berth) => {
                    return berth
                        .spawn(&self.home, &made.id, monitor::Whose::Container, Ahead::Nothing)
                        .unwrap()
                        .brief(&made.bundle)
                        .unwrap();
                }
                Err(ClientError::Living) => {
                    if let Some(client) = Client::connect(&self.home, &made.id).unwrap() {
                        return client;
                    }
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn call(&self, client: &Client, ask: &Ask) -> Tell {
        client.ask(ask, &[]).unwrap();
        client.tell_within(Duration::from_secs(20)).unwrap()
    }

    pub(crate) fn start(&self, client: &Client) -> i32 {
        match self.call(client, &Ask::Start { console: None, given: Vec::new() }) {
            Tell::Started { pid, .. } => pid,
            other @ (Tell::Attached
            | Tell::Detached
            | Tell::ExecStarted { .. }
            | Tell::ExecExited { .. }
            | Tell::Exited(_)
            | Tell::Done
            | Tell::Failed(_)
            | Tell::Refused(_)
            | Tell::Misunderstood(_)) => panic!("{other:?}"),
        }
    }

    pub(crate) fn wait_gone(&self, id: &ContainerId) {
        until(|| (!self.home.sandbox(id).exists()).then_some(()));
    }

    pub(crate) fn monitor_pid(&self, id: &ContainerId) -> u32 {
        let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
        let is_it = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(b"kist-monitor\0") && String::from_utf8_lossy(&line).contains(id.as_str())
        };
        pids.into_iter().find(is_it).unwrap()
    }

    pub(crate) fn kill_monitor(&self, id: &ContainerId) {
        let pid = rustix::process::Pid::from_raw(self.monitor_pid(id).try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    }

    pub(crate) fn raw_connection(&self, id: &ContainerId) -> OwnedFd {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
        let socket = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        let dir = std::fs::File::open(self.home.sandbox(id)).unwrap();
        let path = format!("/proc/self/fd/{}/ask.sock", std::os::fd::AsRawFd::as_raw_fd(&dir));
        connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        socket
    }

    pub(crate) fn log(&self, id: &ContainerId) -> Vec<Entry> {
        let mut reader = Reader::open(&self.home.container(id), Query::ALL).unwrap();
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    /// As the next command does, which opens the directories for itself.
    pub(crate) fn recover(&self) -> Vec<monitor::Recovered> {
        let home = Home::open(self.home.root(), self.home.run()).unwrap();
        monitor::recover(&home, &self.store).unwrap()
    }

    /// No process, mount, control group or run directory is left.
    pub(crate) fn assert_clean(&self) {
        Snapshot::nothing(&self.root.marker()).assert_unchanged();
        let left = std::fs::read_dir(self.home.run()).unwrap().flatten().map(|entry| entry.file_name());
        assert_eq!(left.filter(|name| name != "networks").collect::<Vec<_>>(), Vec::<std::ffi::OsString>::new());
    }
}

pub(crate) fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < end, "it did not come true");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn exited(client: &Client) -> Exit {
    loop {
        match client.tell_within(Duration::from_secs(20)).unwrap() {
            Tell::Exited(exit) => return exit,
            Tell::Started { .. } | Tell::Done | Tell::Attached => {}
            other @ (Tell::Detached
            | Tell::ExecStarted { .. }
            | Tell::ExecExited { .. }
            | Tell::Failed(_)
            | Tell::Refused(_)
            | Tell::Misunderstood(_)) => panic!("{other:?}"),
        }
    }
}

pub(crate) fn both() -> Streams {
    Streams { stdin: false, stdout: true, stderr: true }
}

pub(crate) fn stream_pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

pub(crate) fn attach(client: &Client, streams: Streams, framing: Framing, replay: Replay) -> UnixStream {
    let (ours, its) = stream_pair();
    let ask = Ask::Attach(Attach { streams, framing, replay, detach_keys: DetachKeys::default() });
    client.ask(&ask, &[its.as_fd()]).unwrap();
    assert_eq!(client.tell().unwrap(), Tell::Attached);
    ours
}

pub(crate) fn exec(id: &str, process: Process, streams: Streams) -> Ask {
    Ask::Exec(Box::new(Exec {
        id: id.parse().unwrap(),
        process,
        streams,
        framing: Framing::Raw,
        detach_keys: DetachKeys::default(),
        console: None,
    }))
}

pub(crate) fn exec_process(args: &[&str]) -> Process {
    Process {
        args: args.iter().map(|word| (*word).to_owned()).collect(),
        env: vec!["PATH=/bin".into()],
        cwd: "/".into(),
        user: String::new(),
        group_add: Vec::new(),
        terminal: false,
        capabilities: DOCKER_DEFAULT,
        no_new_privileges: false,
        apparmor: None,
        rlimits: Vec::new(),
        oom_score_adj: None,
    }
}

fn new_id() -> ContainerId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
    bytes[4..12].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    rustix::rand::getrandom(&mut bytes[12..], rustix::rand::GetRandomFlags::empty()).unwrap();
    ContainerId::from_bytes(bytes)
}

fn fill(upper: &Path) {
    for dir in ["bin", "dev", "proc", "sys", "etc"] {
        std::fs::create_dir(upper.join(dir)).unwrap();
    }
    let program = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    std::fs::copy(program, upper.join("bin/busybox")).unwrap();
    for applet in ["sh", "cat", "sleep", "seq", "true", "false", "stty", "wc", "touch", "test", "[", "echo", "printf"] {
        std::os::unix::fs::symlink("busybox", upper.join("bin").join(applet)).unwrap();
    }
}

fn bundle(id: &ContainerId, what: Container<'_>) -> Bundle {
    let filesystem = |target: &str, fstype: &str, options: &[(&str, Option<&str>)]| Mount {
        target: target.into(),
        kind: MountKind::Filesystem {
            fstype: fstype.into(),
            source: fstype.into(),
            options: options.iter().map(|(key, value)| ((*key).into(), value.map(Into::into))).collect(),
            volume: None,
        },
        attributes: MountAttributes { nosuid: true, ..MountAttributes::default() },
        propagation: None,
    };
    Bundle {
        id: id.clone(),
        process: Process { terminal: what.tty, ..exec_process(what.args) },
        hostname: Some("test".into()),
        domainname: None,
        namespaces: Namespaces {
            pid: Namespace::Private,
            network: Namespace::Private,
            ipc: Namespace::Private,
            uts: Namespace::Private,
            cgroup: Namespace::Host,
            user: Namespace::Host,
            id_maps: None,
            time: None,
        },
        readonly_rootfs: false,
        rootfs_propagation: Propagation::Rprivate,
        mounts: vec![
            filesystem("/proc", "proc", &[]),
            filesystem("/dev", "tmpfs", &[("mode", Some("755"))]),
            filesystem(
                "/dev/pts",
                "devpts",
                &[("newinstance", None), ("ptmxmode", Some("0666")), ("mode", Some("0620"))],
            ),
        ],
        devices: Vec::new(),
        masked_paths: Vec::new(),
        readonly_paths: Vec::new(),
        sysctls: BTreeMap::new(),
        cgroup: CgroupPlacement { parent: None, driver: CgroupDriver::Cgroupfs },
        resources: Resources { devices: DEFAULT_DEVICES.to_vec(), ..Resources::default() },
        seccomp: Seccomp::Default,
        init: false,
        networks: spec::network::Defaults::default(),
    }
}

fn config(id: &ContainerId, what: Container<'_>) -> Config {
    let second = 1_000_000_000;
    Config {
        id: id.clone(),
        name: String::new(),
        created: spec::time::Time::from_ns(0),
        image: serde_json::from_value(format!("sha256:{id}").into()).unwrap(),
        image_name: "none".into(),
        platform: spec::platform::Platform::host(),
        entrypoint: None,
        cmd: None,
        env: Vec::new(),
        working_dir: String::new(),
        user: String::new(),
        tty: what.tty,
        open_stdin: what.stdin,
        stdin_once: what.stdin,
        attach: Streams::default(),
        hostname: String::new(),
        domainname: String::new(),
        labels: BTreeMap::new(),
        exposed_ports: Vec::new(),
        volumes: Vec::new(),
        stop_signal: None,
        stop_timeout_s: None,
        healthcheck: what.health.map(|command| Healthcheck {
            test: vec!["CMD-SHELL".into(), command.into()],
            interval: second / 10,
            timeout: second,
            start_period: 0,
            start_interval: 0,
            retries: 1,
        }),
        host: HostConfig {
            volumes_from: Vec::new(),
            volume_driver: String::new(),
            mounts: Vec::new(),
            network: NetworkMode::None,
            publish: Vec::new(),
            publish_all: false,
            egress: None,
            pid: NamespaceMode::Private,
            ipc: NamespaceMode::Private,
            uts: NamespaceMode::Private,
            cgroupns: NamespaceMode::Host,
            userns: NamespaceMode::Host,
            time: None,
            privileged: false,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            security: Security::default(),
            devices: Vec::new(),
            device_rules: Vec::new(),
            sysctls: BTreeMap::new(),
            readonly_rootfs: false,
            init: false,
            shm_size_bytes: 0,
            ulimits: Vec::new(),
            oom_score_adj: 0,
            group_add: Vec::new(),
            extra_hosts: Vec::new(),
            dns: Vec::new(),
            dns_search: Vec::new(),
            dns_options: Vec::new(),
            log: LogConfig { driver: LogDriver::JsonFile, max_size_bytes: 0, max_files: 1 },
            auto_remove: what.auto_remove,
            cgroup_parent: None,
            cidfile: None,
            annotations: BTreeMap::new(),
        },
    }
}
