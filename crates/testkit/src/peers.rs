//! Docker and Podman for the tests of what they and we say to each other: each in directories of its own, ended with its value.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Root;

/// How long a daemon may take to come up on a busy machine that never ran it.
const PATIENCE: Duration = Duration::from_secs(180);

/// A daemon that has no network and changes nothing of the machine's.
pub struct Docker {
    daemon: Child,
    root: Root,
}

impl Docker {
    /// Starts it with more flags, or says why that is not possible here.
    ///
    /// # Errors
    /// It is not installed, or ended.
    pub fn start(flags: &[&str]) -> Result<Docker, String> {
        if !Path::new("/usr/sbin/dockerd").exists() {
            return Err("dockerd is not installed".into());
        }
        let root = Root::new();
        root.write("daemon.json", "{}");
        let log = fs::File::create(root.join("log")).unwrap();
        let mut command = Command::new("/usr/sbin/dockerd");
        for (flag, name) in
            [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid"), ("--config-file", "daemon.json")]
        {
            command.arg(flag).arg(root.join(name));
        }
        command.arg("--host").arg(format!("unix://{}", root.join("sock").display()));
        command.args([
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--bridge=none",
            // Otherwise a control group `docker` would be left.
            "--cgroup-parent=/",
        ]);
        command.args(flags).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut docker = Docker { daemon: command.spawn().unwrap(), root };
        let began = Instant::now();
        while UnixStream::connect(docker.root.join("sock")).is_err() {
            let ended = docker.daemon.try_wait().unwrap();
            if ended.is_some() || began.elapsed() > PATIENCE {
                let log = fs::read_to_string(docker.root.join("log")).unwrap();
                return Err(format!("dockerd does not start here: {}", log.lines().last().unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(docker)
    }

    /// What a command says that must succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        said(self.command().args(args))
    }

    /// Runs a command, whatever comes of it.
    pub fn attempt(&self, args: &[&str]) {
        self.command().args(args).stdin(Stdio::null()).output().unwrap();
    }

    /// What a command says on both outputs, and its exit code.
    pub fn run(&self, args: &[&str]) -> (String, i32) {
        let output = self.command().args(args).stdin(Stdio::null()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&text).into_owned(), crate::kist::code(output.status))
    }

    /// Writes what a command that must succeed has on its standard output to a file.
    #[track_caller]
    pub fn to_file(&self, args: &[&str], path: &Path) {
        let mut command = self.command();
        let status = command.args(args).stdin(Stdio::null()).stdout(fs::File::create(path).unwrap()).status().unwrap();
        assert!(status.success(), "{command:?}");
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.root.join("sock").display()));
        command.env("DOCKER_CONFIG", self.root.join("config"));
        command
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // Its own end takes its containerd along.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.daemon),
            rustix::process::Signal::TERM,
        );
        let _ = self.daemon.wait();
    }
}

/// Podman without anything of the user's and the machine's.
pub struct Podman {
    root: Root,
}

/// What it raises by default may not be raised everywhere, and its locks lie in memory that all Podmans of a machine share.
const CONTAINERS_CONF: &str = "[containers]
default_ulimits = [\"nofile=1024:2048\", \"nproc=1024:1024\"]
[engine]
cgroup_manager = \"cgroupfs\"
events_logger = \"none\"
lock_type = \"file\"
runtime = \"runc\"
";

impl Podman {
    /// Makes its directories, or says why there can be none here.
    ///
    /// # Errors
    /// It is not installed.
    pub fn new() -> Result<Podman, String> {
        if !Path::new("/usr/bin/podman").exists() {
            return Err("podman is not installed".into());
        }
        let root = Root::new();
        root.write("containers.conf", CONTAINERS_CONF);
        root.write("registries.conf", "");
        Ok(Podman { root })
    }

    /// Its directory, where it finds `registries.conf`.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// What a command says that must succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let mut command = Command::new("podman");
        for (flag, name) in [("--root", "storage"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(flag).arg(self.root.join(name));
        }
        command.env("CONTAINERS_CONF", self.root.join("containers.conf"));
        command.env("CONTAINERS_REGISTRIES_CONF", self.root.join("registries.conf"));
        command.env("HOME", self.root.path()).env("XDG_RUNTIME_DIR", self.root.path());
        said(command.args(["--storage-driver", "vfs"]).args(args))
    }

    /// Runs an image to its end, without a network.
    #[track_caller]
    pub fn run(&self, image: &str) -> String {
        let group = self.root.path().file_name().unwrap().to_str().unwrap();
        let said = self.ok(&["run", "--rm", "--network", "none", "--cgroup-parent", &format!("/{group}"), image]);
        // It leaves the parent, one in each hierarchy, and its monitor's.
        for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path()) {
            for hierarchy in [&hierarchy, hierarchy.parent().unwrap()] {
                let _ = fs::remove_dir(hierarchy.join(group).join("conmon"));
                let _ = fs::remove_dir(hierarchy.join(group));
            }
        }
        said
    }
}

#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {stdout}{stderr}");
    stdout.trim_end().to_owned()
}
