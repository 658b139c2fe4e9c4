//! A command of a Dockerfile: an errand on a draft, owned by a monitor like any container, seen by nobody.
//!
//! ```text
//! monitor spawned, or there already -> draft mounted, mount points noted -> records, bundle -> "start", with the mounts -> output, end
//!     -> mount points taken away again; the draft stays
//! ```

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use builder::{Ended, Run, RunDefaults, Stream};
use disk::{Durability, remove_tree, write};
use monitor::framing::{self, Demux};
use monitor::protocol::{Ask, Attach, DetachKeys, FailureKind, Framing, Given, Intent, Replay, Tell, Until};
use monitor::{Berth, Client, ClientError, Spawned, Whose};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};
use spec::bundle::{Bundle, Rlimit};
use spec::container::{
    Config, HostConfig, LogConfig, LogDriver, NamespaceMode, NetworkMode, RestartPolicy, Security, Settings, Streams,
};
use spec::digest::{Digest, ImageId};
use spec::id::ContainerId;
use spec::network::Attachment;
use spec::resources::Resources;

use super::Tools;
use super::mounts::{self, Made};
use super::stubs::Stubs;
use crate::bundle::{self, Facts};
use crate::container::visit;
use crate::error::Error;
use crate::facts;
use crate::host::Host;
use crate::network::attach::{self, Wanted};

/// What BuildKit calls the machine that commands see.
const HOSTNAME: &str = "buildkitsandbox";
/// Docker's `--shm-size`.
const SHM_BYTES: u64 = 64 << 20;
const SIGKILL: i32 = 9;
/// How often it is asked whether anybody still wants it.
const GLANCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Runs a command on the draft `id`. What it writes stays in the draft, and nothing else of it anywhere.
///
/// # Errors
/// It could not be started for a reason that is not the command's own.
pub(super) fn run(
    tools: &Tools<'_>,
    id: &ContainerId,
    run: Run,
    out: &mut (dyn FnMut(Stream, &[u8]) + Send),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Ended, Error> {
    let (host, more) = (tools.host, run.more);
    let (mode, networks) = network(host, &run.defaults)?;
    let config = config(id, &run, mode)?;
    let ahead = visit::ahead(&config.host);
    let spawned = match tools.errands.take(id) {
        Some(spawned) => spawned,
        // It gets up while the rest is made.
        None => berth(host, id)?.spawn(&host.home, id, Whose::Errand, ahead).map_err(Error::other(SPAWNING))?,
    };
    let rootfs = host.store.mount(id, store::Mount { id_maps: None });
    let rootfs = rootfs.map_err(Error::other("mounting the step's files"))?;
    let made = mounts::make(host, run.mounts)?;
    let mut resources = Resources::default();
    resources.fill_defaults();
    let settings = Settings { restart: RestartPolicy::No, resources, networks };
    let Placed { bundle, given } = place(host, &config, &settings, (run.env, made.mounts))?;
    let stubs = Stubs::look(rootfs.as_fd(), bundle.mounts.iter().map(|mount| mount.target.as_path()));
    let records = host.home.errand(id);
    let ended = begin(host, spawned, (&config, &settings), &bundle, (&rootfs, given)).and_then(|(client, stream)| {
        let prepared = if more { tools.errands.prepare(host, ahead) } else { Ok(()) };
        let ended = follow(&client, &stream, out, cancelled);
        tools.errands.leave(client);
        prepared.and(ended)
    });
    stubs.remove(rootfs.as_fd());
    remove_tree(&records).map_err(Error::io("removing the command's records"))?;
    ended
}

/// The monitor of the command before, on the same draft, may be on its way out.
fn berth(host: &Host, id: &ContainerId) -> Result<Berth, Error> {
    let patience = Instant::now() + Duration::from_secs(2);
    loop {
        match Berth::take(&host.home, id) {
            Err(ClientError::Living) if Instant::now() < patience => std::thread::sleep(Duration::from_millis(1)),
            other => return other.map_err(Error::other("preparing the command's run directory")),
        }
    }
}

/// Where its processes are on networks. Others than Docker's three are containers' to join.
fn network(host: &Host, defaults: &RunDefaults) -> Result<(NetworkMode, Vec<Attachment>), Error> {
    const BRIDGE: &str = "bridge";
    let mode = match defaults.network.as_str() {
        "" | "default" | "sandbox" => NetworkMode::Networks(BRIDGE.into()),
        "none" => NetworkMode::None,
        "host" => NetworkMode::Host,
        other => {
            return Err(Error::Invalid(format!(
                "network mode {other:?} not supported by a build: there are \"default\", \"none\" and \"host\""
            )));
        }
    };
    attach::resolve(host, mode, &[Wanted::plain(BRIDGE)])
}

/// As `run` would write it of a container, without a name, an image or a log.
fn config(id: &ContainerId, run: &Run, network: NetworkMode) -> Result<Config, Error> {
    let defaults = &run.defaults;
    let ulimits: Vec<Rlimit> = defaults.ulimits.iter().map(|text| ulimit(text)).collect::<Result<_, _>>()?;
    let host = HostConfig {
        mounts: Vec::new(),
        volumes_from: Vec::new(),
        volume_driver: String::new(),
        network,
        publish: Vec::new(),
        publish_all: false,
        egress: None,
        pid: NamespaceMode::Private,
        ipc: NamespaceMode::Private,
        uts: NamespaceMode::Private,
        cgroupns: NamespaceMode::Private,
        userns: NamespaceMode::Host,
        time: None,
        privileged: run.privileged,
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        security: Security::default(),
        devices: Vec::new(),
        device_rules: Vec::new(),
        sysctls: BTreeMap::new(),
        readonly_rootfs: false,
        init: false,
        shm_size_bytes: defaults.shm_size_bytes.unwrap_or(SHM_BYTES),
        ulimits,
        oom_score_adj: 0,
        group_add: Vec::new(),
        extra_hosts: defaults.hosts.clone(),
        dns: Vec::new(),
        dns_search: Vec::new(),
        dns_options: Vec::new(),
        log: LogConfig { driver: LogDriver::None, max_size_bytes: 0, max_files: 1 },
        auto_remove: false,
        cgroup_parent: defaults.cgroup_parent.clone(),
        cidfile: None,
        annotations: BTreeMap::new(),
    };
    Ok(Config {
        id: id.clone(),
        name: String::new(),
        created: disk::now(),
        // Of a draft nobody asks what it began as.
        image: ImageId(Digest::sha256(b"")),
        image_name: String::new(),
        platform: run.platform.clone(),
        entrypoint: None,
        cmd: Some(run.args.clone()),
        env: Vec::new(),
        working_dir: run.working_dir.clone(),
        user: run.user.clone(),
        tty: false,
        open_stdin: false,
        stdin_once: false,
        attach: Streams { stdin: false, stdout: true, stderr: true },
        hostname: defaults.hostname.clone().unwrap_or_else(|| HOSTNAME.into()),
        domainname: String::new(),
        labels: BTreeMap::new(),
        exposed_ports: Vec::new(),
        volumes: Vec::new(),
        stop_signal: None,
        stop_timeout_s: None,
        healthcheck: None,
        host,
    })
}

/// `name=soft[:hard]`, as the command line has checked it.
fn ulimit(text: &str) -> Result<Rlimit, Error> {
    let wrong = || Error::Invalid(format!("invalid ulimit argument: {text}"));
    let number = |text: &str| match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        _ => text.parse::<u64>().map_err(|_| wrong()),
    };
    let (name, limits) = text.split_once('=').ok_or_else(wrong)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    Ok(Rlimit { name: name.into(), soft: number(soft)?, hard: number(hard)? })
}

/// What the monitor is told, and the mounts that it is handed.
struct Placed {
    bundle: Bundle,
    given: Vec<(Given, OwnedFd)>,
}

/// The command's own mounts go before the usual ones at the same place, and parents before children.
fn place(
    host: &Host,
    config: &Config,
    settings: &Settings,
    (env, own): (Vec<String>, Vec<Made>),
) -> Result<Placed, Error> {
    let etc = monitor::etc::files_in(&host.home.errand(&config.id));
    let facts: Facts = facts::gather(config, etc)?;
    let mut bundle = bundle::new(config, settings, &facts)?;
    bundle.networks = host.settings.networks.clone();
    let has_path = env.iter().any(|variable| variable.starts_with("PATH="));
    bundle.process.env = env;
    if !has_path {
        bundle.process.env.push(bundle::DEFAULT_PATH.into());
    }
    let replaced = |target: &Path| {
        own.iter().any(|made| {
            made.mount.target == target || (made.mount.target == Path::new("/dev") && target.starts_with("/dev"))
        })
    };
    bundle.mounts.retain(|mount| !replaced(&mount.target));
    let mut all: Vec<Made> = bundle.mounts.drain(..).map(|mount| Made { mount, tree: None }).chain(own).collect();
    all.sort_by_key(|made| made.mount.target.components().count());
    let mut given = Vec::new();
    for (place, Made { mount, tree }) in all.into_iter().enumerate() {
        given.extend(tree.map(|tree| (Given::Mount(place), tree)));
        bundle.mounts.push(mount);
    }
    Ok(Placed { bundle, given })
}

const SPAWNING: &str = "starting the command's monitor";

/// Writes the records, and asks all questions at once.
fn begin(
    host: &Host,
    spawned: Spawned,
    (config, settings): (&Config, &Settings),
    bundle: &Bundle,
    (rootfs, given): (&OwnedFd, Vec<(Given, OwnedFd)>),
) -> Result<(Client, OwnedFd), Error> {
    let dir = host.home.errand(&config.id);
    DirBuilder::new().mode(0o710).create(&dir).map_err(Error::io("making the command's records"))?;
    write(&dir, config, Durability::Volatile)?;
    write(&dir, settings, Durability::Volatile)?;
    let client = spawned.brief(bundle).map_err(Error::other(SPAWNING))?;
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let (ours, its) = pair.map_err(|e| Error::Io("making the command's streams".into(), e.into()))?;
    let attach = Attach {
        streams: config.attach,
        framing: Framing::Mux,
        replay: Replay::Nothing,
        detach_keys: DetachKeys::default(),
    };
    visit::ask(&client, &Ask::Attach(attach), Some(&its))?;
    visit::ask(&client, &Ask::Wait(Until::NextExit), None)?;
    let mut words = vec![Given::Root];
    let mut fds: Vec<BorrowedFd<'_>> = vec![rootfs.as_fd()];
    for (what, tree) in &given {
        words.push(*what);
        fds.push(tree.as_fd());
    }
    let start = Ask::Start { console: None, given: words };
    client.ask(&start, &fds).map_err(Error::other("asking the command's monitor"))?;
    Ok((client, ours))
}

/// Passes its output on until it has ended, and nobody writes to its draft any more.
fn follow(
    client: &Client,
    stream: &OwnedFd,
    out: &mut (dyn FnMut(Stream, &[u8]) + Send),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Ended, Error> {
    let (mut demux, mut open, mut told, mut killed) = (Demux::default(), true, None, false);
    while open || told.is_none() {
        if !killed && cancelled() {
            killed = true;
            // One that has not begun yet refuses: its start is next, and then its end.
            visit::ask(client, &Ask::Signal { number: SIGKILL, intent: Intent::End }, None)?;
        }
        let when = |wanted: bool| if wanted { PollFlags::IN } else { PollFlags::empty() };
        let ready = {
            let stream = if open { stream.as_fd() } else { client.as_fd() };
            let mut fds = [
                PollFd::from_borrowed_fd(client.as_fd(), when(told.is_none())),
                PollFd::from_borrowed_fd(stream, when(open)),
            ];
            match poll(&mut fds, Some(&GLANCE)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Error::Io("waiting for the command".into(), e.into())),
            }
            [told.is_none() && !fds[0].revents().is_empty(), open && !fds[1].revents().is_empty()]
        };
        if ready[1] {
            open = pass(stream, &mut demux, out)?;
        }
        if ready[0] {
            told = hear(client, out)?;
        }
    }
    Ok(if killed { Ended::Cancelled } else { told.unwrap_or(Ended::Cancelled) })
}

/// Whether more may come.
fn pass(stream: &OwnedFd, demux: &mut Demux, out: &mut (dyn FnMut(Stream, &[u8]) + Send)) -> Result<bool, Error> {
    let mut buffer = [0_u8; 32 * 1024];
    let count = match recv(stream, &mut buffer[..], RecvFlags::empty()) {
        Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => return Ok(false),
        Ok((count, _)) => count,
        Err(rustix::io::Errno::INTR) => return Ok(true),
        Err(e) => return Err(Error::Io("reading the command's output".into(), e.into())),
    };
    let mut bytes = &buffer[..count];
    let broken = Error::other("reading the command's output");
    while let Some((from, piece)) = match demux.next(&mut bytes) {
        Ok(piece) => piece,
        Err(unknown) => return Err(broken(unknown)),
    } {
        let from = match from {
            framing::Stream::Stdout => Stream::Stdout,
            framing::Stream::Stderr => Stream::Stderr,
        };
        out(from, piece);
    }
    Ok(true)
}

/// One answer; some are its end. What could not be executed is the command's own fault, and told as runc tells it BuildKit.
fn hear(client: &Client, out: &mut (dyn FnMut(Stream, &[u8]) + Send)) -> Result<Option<Ended>, Error> {
    let tell = client.tell().map_err(|error| {
        if matches!(error, ClientError::Gone) {
            return Error::Conflict("the command's monitor was lost, and the command with it".into());
        }
        Error::other("listening to the command's monitor")(error)
    })?;
    match tell {
        Tell::Exited(exit) if exit.oom_killed => Ok(Some(Ended::OutOfMemory)),
        Tell::Exited(exit) => Ok(Some(Ended::Exited(code(exit.code)))),
        Tell::Failed(failure) if failure.kind == FailureKind::Command && matches!(failure.exit_code, 126 | 127) => {
            out(Stream::Stderr, format!("runc run failed: {}\n", failure.message).as_bytes());
            Ok(Some(Ended::Exited(code(failure.exit_code))))
        }
        Tell::Failed(failure) if failure.kind == FailureKind::Network => Err(Error::Networking(failure.message)),
        // Not `Error::Start`: there is no container whose task it would be.
        Tell::Failed(failure) => Err(Error::Invalid(failure.message)),
        // To the signal that came too early or too late.
        Tell::Refused(_) | Tell::Done | Tell::Attached | Tell::Started { .. } => Ok(None),
        other @ (Tell::Detached | Tell::ExecStarted { .. } | Tell::ExecExited { .. } | Tell::Misunderstood(_)) => {
            Err(Error::Conflict(format!("the command's monitor answered {other:?}")))
        }
    }
}

fn code(code: i32) -> u8 {
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}
