//! The fastest OCI runtime alone, with the very document Docker gives its runtime: what a container costs without an engine around it.

use super::peers::Engine;
use super::utf8;
use crate::run::{output, succeed};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A bundle for a short command, and a running container of the same document for exec.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    state: PathBuf,
    short: PathBuf,
    running: bool,
}

const RUNNING: &str = "bench-exec";

impl Bundle {
    /// Takes the document of a container that docker runs; it stays, because the document mounts files of it.
    pub(super) fn like_docker(docker: &Engine, exec_root: &Path, tree: &Path, dir: &Path) -> Result<Bundle> {
        let id = docker.ok(&["run", "-d", "--network", "none", "bench", "sleep", "100000"])?;
        let captured =
            exec_root.join("containerd/daemon/io.containerd.runtime.v2.task/moby").join(&id).join("config.json");
        let captured = fs::read(&captured).with_context(|| captured.display().to_string())?;
        let mut bundle = Bundle { state: dir.join("state"), short: dir.join("short"), running: false };
        let long = dir.join("long");
        for (bundle, args) in [(&bundle.short, json!(["true"])), (&long, json!(["sleep", "100000"]))] {
            fs::create_dir_all(bundle)?;
            let document = adapt(serde_json::from_slice(&captured)?, tree, args);
            fs::write(bundle.join("config.json"), document.to_string())?;
        }
        succeed(
            bundle.crun(&["run", "--detach", "--bundle", utf8(&long), RUNNING]).stdout(std::process::Stdio::null()),
        )?;
        bundle.running = true;
        Ok(bundle)
    }

    /// crun 1.8 refuses a machine with cgroup v1 and v2 mounted side by side; without a cgroup manager it runs, and does less.
    fn crun(&self, args: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/crun");
        command.arg("--root").arg(&self.state).arg("--cgroup-manager=disabled").args(args);
        command
    }

    pub(super) fn run(&self) -> Command {
        self.crun(&["run", "--bundle", utf8(&self.short), "bench-run"])
    }

    pub(super) fn exec(&self) -> Command {
        self.crun(&["exec", RUNNING, "true"])
    }

    pub(super) fn remove(&mut self) -> Result<()> {
        if std::mem::take(&mut self.running) {
            output(&mut self.crun(&["delete", "--force", RUNNING]))?;
        }
        Ok(())
    }
}

/// Docker's document with another command on another tree, without the hook that calls Docker back and the cgroup that is Docker's.
fn adapt(mut document: Value, tree: &Path, args: Value) -> Value {
    document["process"]["args"] = args;
    document["root"] = json!({ "path": tree });
    if let Some(fields) = document.as_object_mut() {
        fields.remove("hooks");
    }
    if let Some(linux) = document["linux"].as_object_mut() {
        linux.remove("cgroupsPath");
        linux.remove("resources");
    }
    document
}
