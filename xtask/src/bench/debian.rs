//! The image that is pulled: seven layers of Debian's packages, as uneven as those of real images, 25,000 entries. It is made once on a
//! machine, in gzip and in zstd, and kept as an OCI layout:
//!
//! ```text
//! /var/tmp/kist-bench-image-<format>/
//!   oci-layout  index.json           two manifests, named gzip and zstd
//!   blobs/sha256/<digest>            what differs from its name is refused when it is uploaded
//! ```

use super::utf8;
use crate::run::{output, succeed};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Raised when another image is to be made.
const FORMAT: u32 = 1;

const LAYERS: [&[&str]; 7] = [
    &[
        "apt",
        "base-files",
        "bash",
        "coreutils",
        "dpkg",
        "findutils",
        "grep",
        "gzip",
        "libapt-pkg6.0",
        "libc-bin",
        "libc6",
        "libgnutls30",
        "libssl3",
        "libstdc++6",
        "libsystemd0",
        "login",
        "passwd",
        "perl-base",
        "sed",
        "tar",
        "util-linux",
    ],
    &["ca-certificates", "openssl", "tzdata"],
    &["binutils-x86-64-linux-gnu", "cpp-12", "g++-12", "gcc-12", "libc6-dev", "libgcc-12-dev", "libstdc++-12-dev"],
    &["golang-1.19-go", "libllvm14"],
    &["git", "libperl5.36", "perl-modules-5.36", "vim-runtime"],
    &[
        "libpython3.11-minimal",
        "libpython3.11-stdlib",
        "python-babel-localedata",
        "python3-django",
        "python3-numpy",
        "python3-scipy",
        "python3-sympy",
        "python3.11-minimal",
    ],
    &["fonts-dejavu-core", "libicu72", "locales", "perl-doc"],
];

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Codec {
    Gzip,
    Zstd,
}

impl Codec {
    pub(super) fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
        }
    }

    fn compress(self, tar: &Path, to: &Path) -> Result<()> {
        let program = match self {
            Codec::Gzip => "gzip -6 -n -c",
            Codec::Zstd => "zstd -3 -q -c",
        };
        succeed(Command::new("sh").args(["-c", &format!("{program} \"$0\" > \"$1\"")]).args([tar, to]))
    }

    /// The fastest program of Debian that writes the content of a blob to its standard output.
    pub(super) fn decompress(self) -> &'static str {
        match self {
            Codec::Gzip => "libdeflate-gunzip -c",
            Codec::Zstd => "zstd -d -q -c",
        }
    }
}

pub(super) struct Image {
    /// As skopeo names it.
    pub(super) source: String,
    /// Its blobs, the biggest first.
    pub(super) layers: Vec<PathBuf>,
    /// The digest of its config.
    pub(super) id: String,
    pub(super) description: String,
}

/// The image in one codec; makes it if this machine has none yet.
pub(super) fn image(codec: Codec) -> Result<Image> {
    let layout = PathBuf::from(format!("/var/tmp/kist-bench-image-{FORMAT}"));
    if !layout.exists() {
        let making = layout.with_extension("part");
        let _ = fs::remove_dir_all(&making);
        make(&making).context("making the image")?;
        fs::rename(making, &layout)?;
    }
    let blob = |of: &Value| layout.join("blobs").join(text(&of["digest"]).replace(':', "/"));
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let named = |manifest: &&Value| manifest["annotations"][NAME] == codec.name();
    let manifest = list(&index["manifests"]).iter().find(named).context("not in the index")?;
    let manifest: Value = serde_json::from_slice(&fs::read(blob(manifest))?)?;
    let mut layers: Vec<_> = list(&manifest["layers"]).iter().collect();
    layers.sort_by_key(|layer| std::cmp::Reverse(layer["size"].as_u64()));
    let megabytes = layers.iter().filter_map(|layer| layer["size"].as_u64()).sum::<u64>() / 1_000_000;
    Ok(Image {
        source: format!("oci:{}:{}", layout.display(), codec.name()),
        layers: layers.into_iter().map(blob).collect(),
        id: text(&manifest["config"]["digest"]).to_owned(),
        description: format!("{megabytes} MB {}, {}", codec.name(), text(&manifest["annotations"][CONTENT])),
    })
}

const NAME: &str = "org.opencontainers.image.ref.name";
const CONTENT: &str = "org.opencontainers.image.description";

fn make(layout: &Path) -> Result<()> {
    fs::create_dir_all(layout.join("blobs/sha256"))?;
    succeed(Command::new("apt-get").args(["update", "-qq"]))?;
    let (mut diff_ids, mut gzip, mut zstd) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut entries) = (0, 0);
    for packages in LAYERS {
        let tar = layer_of(packages, &layout.join("making"))?;
        diff_ids.push(digest(&tar)?);
        bytes += fs::metadata(&tar)?.len();
        entries += output(Command::new("tar").arg("-tf").arg(&tar))?.lines().count();
        for (codec, layers) in [(Codec::Gzip, &mut gzip), (Codec::Zstd, &mut zstd)] {
            let compressed = tar.with_extension(codec.name());
            codec.compress(&tar, &compressed)?;
            let kind = format!("application/vnd.oci.image.layer.v1.tar+{}", codec.name());
            layers.push(keep(layout, &compressed, &kind)?);
        }
        fs::remove_dir_all(layout.join("making"))?;
    }
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture, "os": "linux", "created": "2026-01-01T00:00:00Z",
        "config": { "Env": ["PATH=/usr/bin:/bin"], "Cmd": ["true"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = keep_json(layout, &config, "application/vnd.oci.image.config.v1+json")?;
    let content = format!("{} MB raw, {entries} entries, {} layers", bytes / 1_000_000, LAYERS.len());
    let mut manifests = Vec::new();
    for (codec, layers) in [(Codec::Gzip, gzip), (Codec::Zstd, zstd)] {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers,
            "annotations": { CONTENT: content },
        });
        let mut manifest = keep_json(layout, &manifest, kind)?;
        manifest["annotations"] = json!({ NAME: codec.name() });
        manifests.push(manifest);
    }
    fs::write(layout.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": manifests }).to_string())?;
    Ok(())
}

/// Puts a Debian with a C compiler into the new directory `tree`, and packages to install there; both are made once a machine.
pub(super) fn unpack_base(tree: &Path) -> Result<()> {
    let tar = PathBuf::from(format!("/var/tmp/kist-bench-base-{FORMAT}.tar"));
    if !tar.exists() {
        let making = tar.with_extension("part");
        let _ = fs::remove_dir_all(&making);
        let bootstrap = ["--variant=minbase", "--include=gcc,libc6-dev", "bookworm"];
        succeed(Command::new("debootstrap").args(bootstrap).arg(&making))?;
        let packages = making.join("packages");
        fs::create_dir(&packages)?;
        let download = ["-qq", "-o", "APT::Sandbox::User=root", "download"];
        succeed(Command::new("apt-get").current_dir(&packages).args(download).args(TO_INSTALL))?;
        let sweep =
            ["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "--exclude=./dev/*"];
        let unfinished = tar.with_extension("tar.part");
        succeed(Command::new("tar").args(sweep).args(["-C", utf8(&making), "-cf", utf8(&unfinished), "."]))?;
        fs::rename(unfinished, &tar)?;
        fs::remove_dir_all(making)?;
    }
    fs::create_dir(tree)?;
    succeed(Command::new("tar").args(["-C", utf8(tree), "-xf", utf8(&tar)]))
}

/// Many small files, scripts that run, and a few big files.
const TO_INSTALL: [&str; 5] = ["fonts-dejavu-core", "libicu72", "locales", "perl-modules-5.36", "tzdata"];

/// Unpacks the packages and returns the archive of the tree: the same packages make the same bytes.
fn layer_of(packages: &[&str], dir: &Path) -> Result<PathBuf> {
    let (packed, tree, tar) = (dir.join("packed"), dir.join("tree"), dir.join("layer.tar"));
    fs::create_dir_all(&packed)?;
    fs::create_dir_all(&tree)?;
    // apt's own user may not write into our directory.
    let download = ["-qq", "-o", "APT::Sandbox::User=root", "download"];
    succeed(Command::new("apt-get").current_dir(&packed).args(download).args(packages))?;
    let mut packed: Vec<_> = fs::read_dir(&packed)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    packed.sort();
    for package in packed {
        output(Command::new("dpkg-deb").arg("-x").args([&package, &tree]))?;
    }
    let same = ["--sort=name", "--numeric-owner", "--mtime=@1767225600", "--clamp-mtime"];
    succeed(Command::new("tar").args(same).args(["-C", utf8(&tree), "-cf", utf8(&tar), "."]))?;
    Ok(tar)
}

fn keep_json(layout: &Path, document: &Value, kind: &str) -> Result<Value> {
    let path = layout.join("document.json");
    fs::write(&path, document.to_string())?;
    keep(layout, &path, kind)
}

/// Moves the file to where its digest says, and describes it.
fn keep(layout: &Path, file: &Path, kind: &str) -> Result<Value> {
    let digest = digest(file)?;
    let size = fs::metadata(file)?.len();
    fs::rename(file, layout.join("blobs").join(digest.replace(':', "/")))?;
    Ok(json!({ "mediaType": kind, "digest": digest, "size": size }))
}

fn digest(file: &Path) -> Result<String> {
    let sum = output(Command::new("sha256sum").arg(file))?;
    Ok(format!("sha256:{}", sum.split(' ').next().unwrap_or_default()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
