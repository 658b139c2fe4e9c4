//! The machine, and what is on it.

use super::peers::Engine;
use crate::run::output;
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The head of the page: without it the numbers mean nothing.
pub(super) fn describe(engines: &[&Engine], dir: &Path) -> Result<String> {
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let cpus = std::thread::available_parallelism()?;
    let memory = read("/proc/meminfo");
    let memory = memory.lines().next().unwrap_or_default().split_whitespace().nth(1).unwrap_or_default().to_owned();
    let kernel = read("/proc/sys/kernel/osrelease");
    let file_system = output(Command::new("stat").args(["-f", "-c", "%T"]).arg(dir))?;
    let cgroups = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        "v2"
    } else {
        "v1 (a v2 hierarchy without controllers is hidden from all)"
    };
    let mut text = format!(
        "Machine: {cpus} CPUs ({model}), {memory} kB memory, kernel {}, {}, cgroup {cgroups}.\n\nContenders:",
        kernel.trim_end(),
        file_system.trim_end(),
    );
    for engine in engines {
        text += &format!(" {};", engine.ok(&["--version"])?.lines().next().unwrap_or_default());
    }
    for program in ["crun", "runc", "containerd", "skopeo", "docker-registry"] {
        text += &format!(" {};", output(Command::new(program).arg("--version"))?.lines().next().unwrap_or_default());
    }
    Ok(text)
}

/// Proportional memory in kB of every process that stays with this engine's containers, and how many they are.
pub(super) fn monitors(engine: &Engine) -> (u64, usize) {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let proc = entry.path();
        if read(proc.join("comm")).trim_end() == engine.monitor && carries(&proc, &engine.mark) {
            let rollup = read(proc.join("smaps_rollup"));
            let pss: Option<u64> =
                rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse().ok());
            found.extend(pss);
        }
    }
    (found.iter().sum(), found.len())
}

fn carries(proc: &Path, mark: &Path) -> bool {
    let mark = mark.to_string_lossy();
    let text = read(proc.join("cmdline")) + &read(proc.join("environ"));
    let fds = fs::read_dir(proc.join("fd")).into_iter().flatten().flatten();
    let mut targets = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
    text.contains(&*mark) || targets.any(|target| target.to_string_lossy().contains(&*mark))
}

/// How much there is of what an engine could leave behind, on the whole machine: measure it when nothing else runs.
pub(super) fn holdings(root: &Path) -> Vec<(&'static str, u64)> {
    let lines = |path: &str| read(path).lines().count() as u64;
    let first = |path: &str| read(path).split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    // One that has exited and waits for its parent has no command line any more, like the kernel's own threads.
    let processes = processes.filter(|entry| !read(entry.path().join("cmdline")).is_empty());
    let available = read("/proc/meminfo");
    let available =
        available.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse().ok());
    vec![
        ("mounts", lines("/proc/self/mountinfo")),
        ("cgroups", directories(Path::new("/sys/fs/cgroup"))),
        ("processes", processes.count() as u64),
        ("open files", first("/proc/sys/fs/file-nr")),
        ("files of kist", files(root)),
        ("memory available, kB", available.unwrap_or(0)),
    ]
}

fn directories(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| 1 + directories(&entry.path()))
        .sum()
}

fn files(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| 1 + if entry.file_type().is_ok_and(|kind| kind.is_dir()) { files(&entry.path()) } else { 0 })
        .sum()
}

pub(super) fn read(path: impl AsRef<Path>) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
