//! The image all peers run: one layer with Debian's static busybox and a link for each applet, as a docker archive.

use super::utf8;
use crate::run::{output, succeed};
use anyhow::{Context, Result};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) struct Image {
    pub(super) archive: PathBuf,
    /// The same tree unpacked, for a runtime that knows no images.
    pub(super) tree: PathBuf,
}

/// With these programs beside busybox.
pub(super) fn make(dir: &Path, programs: &[(&Path, &str)]) -> Result<Image> {
    let tree = dir.join("tree");
    for below in ["bin", "dev", "etc", "proc", "sys", "tmp", "root"] {
        fs::create_dir_all(tree.join(below))?;
    }
    fs::copy("/bin/busybox", tree.join("bin/busybox")).context("Debian's package busybox-static")?;
    for applet in ["sh", "true", "sleep"] {
        symlink("busybox", tree.join("bin").join(applet))?;
    }
    for (program, name) in programs {
        fs::copy(program, tree.join("bin").join(name)).with_context(|| program.display().to_string())?;
    }
    fs::write(tree.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    let archive = pack(&tree, "bench:latest", "PATH=/bin", &dir.join("save"))?;
    Ok(Image { archive, tree })
}

/// A tree as a docker archive in the new directory `save`.
pub(super) fn pack(tree: &Path, name: &str, env: &str, save: &Path) -> Result<PathBuf> {
    fs::create_dir(save)?;
    succeed(Command::new("tar").args(["-C", utf8(tree), "-cf", utf8(&save.join("layer.tar")), "."]))?;
    let sum = output(Command::new("sha256sum").arg(save.join("layer.tar")))?;
    let diff_id = format!("sha256:{}", sum.split(' ').next().unwrap_or_default());
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture, "os": "linux", "created": "2026-01-01T00:00:00Z",
        "config": { "Env": [env], "Cmd": ["sh"] },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        "history": [{ "created": "2026-01-01T00:00:00Z", "created_by": "xtask bench" }],
    });
    fs::write(save.join("config.json"), config.to_string())?;
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
    fs::write(save.join("manifest.json"), manifest.to_string())?;
    let archive = save.join("image.tar");
    let files = ["config.json", "layer.tar", "manifest.json"];
    succeed(Command::new("tar").args(["-C", utf8(save), "-cf", utf8(&archive)]).args(files))?;
    Ok(archive)
}
