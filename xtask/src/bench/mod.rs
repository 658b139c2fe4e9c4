//! kist against its peers from Debian's packages, in one run: samples are interleaved, each waits for an idle run queue, and what counts
//! is the ratio, because absolute times do not carry over to another machine. Prints Markdown for `docs/benchmarks.md`.
//!
//! The peers get private roots below one directory in `/var/tmp`, or where `KIST_BENCH_DIR` says, and private daemons on unix sockets and
//! on loopback, stopped by their process numbers; nothing of them stays but the packages and the image that is pulled.

mod build;
mod crun;
mod daemon;
mod debian;
mod host;
mod image;
mod machine;
mod net;
mod peers;
mod pull;
mod rates;
mod sample;
mod scenes;

use anyhow::{Context, Result, bail, ensure};
use peers::Peers;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    samples: usize,
    containers_listed: usize,
    at_once: usize,
    churn_seconds: u64,
    pulls: usize,
    /// Of each rate, and for how long.
    rates: usize,
    rate_seconds: f64,
    ports: u16,
    on_one_network: usize,
}

const FULL: Effort = Effort {
    samples: 50,
    containers_listed: 1000,
    at_once: 50,
    churn_seconds: 20,
    pulls: 5,
    rates: 10,
    rate_seconds: 2.0,
    ports: 1000,
    on_one_network: 200,
};
const QUICK: Effort = Effort {
    samples: 10,
    containers_listed: 50,
    at_once: 10,
    churn_seconds: 3,
    pulls: 2,
    rates: 3,
    rate_seconds: 0.5,
    ports: 50,
    on_one_network: 10,
};

/// Those of one set of engines, and `net`, for which each engine has a host of its own.
const SCENES: [&str; 10] = ["run", "exec", "memory", "ps", "storm", "churn", "pull", "pull-zstd", "build", NET];
const NET: &str = "net";

pub(crate) fn bench(args: &[&str]) -> Result<()> {
    let effort = if args.contains(&"--quick") { QUICK } else { FULL };
    let mut wanted: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--quick").collect();
    if wanted.is_empty() || wanted.contains(&"all") {
        wanted = SCENES.to_vec();
    }
    if let Some(unknown) = wanted.iter().find(|scene| !SCENES.contains(scene)) {
        bail!("unknown: bench {unknown}; there are {}", SCENES.join(", "));
    }
    peers::install()?;
    crate::court::release()?;
    if Path::new(HYBRID).exists() {
        return without_hybrid(args);
    }
    let (net, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|scene| *scene == NET);
    if !others.is_empty() {
        play(&others, effort)?;
    }
    if !net.is_empty() {
        net::net(&Dir::new()?.0, effort).context("bench net")?;
    }
    Ok(())
}

fn play(scenes: &[&str], effort: Effort) -> Result<()> {
    let dir = Dir::new()?;
    let mut peers = Peers::start(&dir.0).context("starting the peers")?;
    let engines: Vec<_> = peers.engines.iter().collect();
    let measured = machine::describe(&engines, &dir.0).and_then(|machine| {
        println!("{machine}");
        scenes.iter().try_for_each(|scene| scenes::play(scene, &peers, effort))
    });
    let stopped = peers.stop();
    measured.and(stopped)
}

const HYBRID: &str = "/sys/fs/cgroup/unified/cgroup.procs";

/// crun 1.8 refuses a machine with cgroup v1 and v2 side by side. So all contenders run in one mount namespace without the second,
/// which has no controllers there; and what a daemon mounts ends with the namespace.
fn without_hybrid(args: &[&str]) -> Result<()> {
    let script = "umount -l /sys/fs/cgroup/unified && exec \"$0\" bench \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(std::env::current_exe()?).args(args);
    crate::run::succeed(&mut command)
}

/// A directory of our own on a disk: overlay does not lie on overlay, nor on every tmpfs. `KIST_BENCH_DIR` says on which, as ext4 without
/// a journal is slow to make files where many were removed in the last minutes.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Result<Dir> {
        let on = std::env::var_os("KIST_BENCH_DIR").map_or_else(|| "/var/tmp".into(), PathBuf::from);
        let path = on.join(format!("kist-bench-{}", std::process::id()));
        for path in [&path, &memory(&path)] {
            fs::create_dir(path).with_context(|| path.display().to_string())?;
        }
        Ok(Dir(path))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // Never into what is mounted: a daemon that left mounts is a finding, and deleting through them would be another.
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let below: Vec<_> = mounts.lines().filter(|line| line.contains(&*self.0.to_string_lossy())).collect();
        if below.is_empty() {
            let _ = fs::remove_dir_all(&self.0);
            let _ = fs::remove_dir_all(memory(&self.0));
        } else {
            eprintln!("left behind, because these are mounted:\n{}", below.join("\n"));
        }
    }
}

/// Its counterpart in memory, where all engines keep what a reboot may take: they would keep it in /run.
fn memory(dir: &Path) -> PathBuf {
    Path::new("/dev/shm").join(dir.file_name().expect("it has a name"))
}

/// The root user's rights are what all peers need.
fn ensure_root() -> Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    ensure!(status.lines().any(|line| line.starts_with("Uid:\t0\t")), "bench runs as root");
    Ok(())
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("our own paths are text")
}
