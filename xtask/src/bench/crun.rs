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
        let mut bundle = Bundle { state: exec_root.with_file_name("crun"), short: dir.join("short"), running: false };
        let long = dir.join("long");
        for (bundle, name, args) in
            [(&bundle.short, "short", json!(["true"])), (&long, "long", json!(["sleep", "100000"]))]
        {
            fs::create_dir_all(bundle)?;
            let document = adapt(serde_json::from_slice(&captured)?, tree, name, args);
            fs::write(bundle.join("config.json"), document.to_string())?;
        }
        succeed(
            bundle.crun(&["run", "--detach", "--bundle", utf8(&long), RUNNING]).stdout(std::process::Stdio::null()),
        )?;
        bundle.running = true;
        Ok(bundle)
    }

    fn crun(&self, args: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/crun");
        command.arg("--root").arg(&self.state).arg("--cgroup-manager=cgroupfs").args(args);
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

/// Docker's document with another command on another tree, in a cgroup of its own, without the hook that calls Docker back.
fn adapt(mut document: Value, tree: &Path, name: &str, args: Value) -> Value {
    document["process"]["args"] = args;
    document["linux"]["cgroupsPath"] = json!(format!("/kist-bench-{}-{name}", std::process::id()));
    document["root"] = json!({ "path": tree });
    if let Some(fields) = document.as_object_mut() {
        fields.remove("hooks");
    }
    document
}
