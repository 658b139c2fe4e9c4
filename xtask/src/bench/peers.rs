//! The contenders: installed by name, started privately, stopped by number.

use super::crun::Bundle;
use super::daemon::Daemon;
use super::{ensure_root, image, memory, utf8};
use crate::run::{self, output, release_program};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [(&str, &str); 15] = [
    ("docker.io", "/usr/sbin/dockerd"),
    ("docker.io", "/usr/bin/docker"),
    ("containerd", "/usr/bin/containerd"),
    ("runc", "/usr/sbin/runc"),
    ("crun", "/usr/bin/crun"),
    ("podman", "/usr/bin/podman"),
    ("buildah", "/usr/bin/buildah"),
    ("busybox-static", "/bin/busybox"),
    ("docker-registry", "/usr/bin/docker-registry"),
    ("skopeo", "/usr/bin/skopeo"),
    ("time", "/usr/bin/time"),
    ("openssl", "/usr/bin/openssl"),
    ("libdeflate-tools", "/usr/bin/libdeflate-gunzip"),
    ("zstd", "/usr/bin/zstd"),
    ("debootstrap", "/usr/sbin/debootstrap"),
];

/// Installs what is missing.
pub(super) fn install() -> Result<()> {
    ensure_root()?;
    run::install(&PACKAGES)
}

/// An engine with Docker's command line.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    pub(super) name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    /// What the process that stays with a container is called (15 bytes are kept).
    pub(super) monitor: &'static str,
    /// A path that the process carries in command line, environment or descriptors: other engines may run on this machine.
    pub(super) mark: PathBuf,
}

impl Engine {
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).args(args).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs to the end and returns the output without the last newline.
    pub(super) fn ok(&self, args: &[&str]) -> Result<String> {
        Ok(output(&mut self.command(args))?.trim_end().to_owned())
    }

    pub(super) fn remove_all(&self) -> Result<()> {
        let listed = self.ok(&["ps", "-aq"])?;
        // A command line has its limits too.
        let ids: Vec<_> = listed.split_whitespace().collect();
        ids.chunks(100).try_for_each(|ids| self.ok(&[&["rm", "-f"], ids].concat()).map(drop))
    }
}

/// All contenders, with the image loaded.
pub(super) struct Peers {
    pub(super) engines: Vec<Engine>,
    pub(super) bundle: Bundle,
    /// Docker's.
    pub(super) daemon: Daemon,
    pub(super) dir: PathBuf,
}

impl Peers {
    pub(super) fn start(dir: &Path) -> Result<Peers> {
        let image = image::make(dir, &[])?;
        let (daemon, docker) = dockerd(dir, &NO_NETWORKS)?;
        let engines = vec![kist(dir), docker, podman(dir)?];
        let mut peers = Peers { engines, bundle: Bundle::default(), daemon, dir: dir.to_owned() };
        let ready = peers.load(&image, dir);
        if ready.is_err() {
            peers.stop()?;
        }
        ready.map(|()| peers)
    }

    fn load(&mut self, image: &image::Image, dir: &Path) -> Result<()> {
        for engine in &self.engines {
            engine.ok(&["load", "-i", utf8(&image.archive)]).with_context(|| engine.name)?;
        }
        let docker = self.engine("docker");
        self.bundle = Bundle::like_docker(docker, &memory(dir).join("docker"), &image.tree, &dir.join("crun"))?;
        Ok(())
    }

    pub(super) fn engine(&self, name: &str) -> &Engine {
        self.engines.iter().find(|engine| engine.name == name).expect("the engines are named in this file")
    }

    /// Removes every container; the daemon ends with us, and its containerd with it.
    pub(super) fn stop(&mut self) -> Result<()> {
        let bundle = self.bundle.remove();
        let removed: Vec<_> = self.engines.iter().map(Engine::remove_all).collect();
        bundle.and(removed.into_iter().collect())
    }
}

pub(super) fn kist(dir: &Path) -> Engine {
    let root = dir.join("kist");
    let run = memory(dir).join("kist");
    let args = ["--root", utf8(&root), "--run-root", utf8(&run)].map(str::to_owned).to_vec();
    Engine { name: "kist", program: release_program(), args, env: Vec::new(), monitor: "kist-monitor", mark: root }
}

/// Where only `none` and `host` are measured nothing of the machine's is touched.
const NO_NETWORKS: [&str; 5] =
    ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none"];

/// A daemon in the network namespace of the calling thread, and the client that asks it.
pub(super) fn dockerd(dir: &Path, flags: &[&str]) -> Result<(Daemon, Engine)> {
    let root = dir.join("docker");
    fs::create_dir(&root)?;
    let socket = root.join("docker.sock");
    let mut command = Command::new("/usr/sbin/dockerd");
    command.arg("--data-root").arg(root.join("data")).arg("--exec-root").arg(memory(dir).join("docker"));
    command.arg("--pidfile").arg(root.join("pid")).arg("-H").arg(format!("unix://{}", utf8(&socket)));
    command.args(flags).args(["--storage-driver", "overlay2", "--config-file"]).arg(root.join("daemon.json"));
    fs::write(root.join("daemon.json"), "{}")?;
    let daemon = Daemon::start(&mut command, &root.join("log"), || UnixStream::connect(&socket).is_ok())?;
    let engine = Engine {
        name: "docker",
        program: "/usr/bin/docker".into(),
        args: vec!["-H".to_owned(), format!("unix://{}", utf8(&socket))],
        env: vec![("DOCKER_CONFIG", utf8(&root).to_owned())],
        monitor: "containerd-shim",
        mark: memory(dir).join("docker"),
    };
    Ok((daemon, engine))
}

/// Podman raises limits and asks systemd for cgroups by default; neither is to be had on every machine. The runtime is its default.
/// With `rm -f` it would wait ten seconds for a program that does not listen; Docker and kist kill at once.
const CONTAINERS_CONF: &str = "[containers]
default_ulimits = [\"nofile=1024:2048\", \"nproc=1024:1024\"]
[engine]
cgroup_manager = \"cgroupfs\"
events_logger = \"file\"
runtime = \"crun\"
stop_timeout = 0
";

pub(super) fn podman(dir: &Path) -> Result<Engine> {
    let root = dir.join("podman");
    fs::create_dir(&root)?;
    let conf = root.join("containers.conf");
    let networks = format!("[network]\nnetwork_config_dir = \"{}\"\n", utf8(&root.join("networks")));
    fs::write(&conf, CONTAINERS_CONF.to_owned() + &networks)?;
    let (storage, run) = (root.join("root"), memory(dir).join("podman"));
    let args = ["--root", utf8(&storage), "--runroot", utf8(&run), "--storage-driver", "overlay"];
    let env = vec![("CONTAINERS_CONF", utf8(&conf).to_owned())];
    let args = args.map(str::to_owned).to_vec();
    Ok(Engine { name: "podman", program: "/usr/bin/podman".into(), args, env, monitor: "conmon", mark: root })
}
