//! Images made to measure, odd ones too: a tree written down in a few lines becomes a docker archive or an OCI layout.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

/// How layers are stored in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As tar.
    None,
    /// gzip -1.
    Gzip,
    /// zstd -1.
    Zstd,
}

/// The tar of one layer while it is written. Paths are as they shall stand in the tar: nothing is checked, so that a test can be as
/// wicked as a stranger's image.
pub struct Layer {
    tar: tar::Builder<Vec<u8>>,
}

impl Default for Layer {
    fn default() -> Layer {
        Layer::new()
    }
}

impl Layer {
    /// Without entries.
    pub fn new() -> Layer {
        Layer { tar: tar::Builder::new(Vec::new()) }
    }

    /// A file owned by root.
    pub fn file(self, path: &str, mode: u32, contents: impl AsRef<[u8]>) -> Layer {
        self.entry(path, "", contents.as_ref(), |header| header.set_mode(mode))
    }

    /// A directory owned by root.
    pub fn dir(self, path: &str, mode: u32) -> Layer {
        self.entry(path, "", &[], |header| {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(mode);
        })
    }

    /// A symbolic link.
    pub fn symlink(self, path: &str, target: &str) -> Layer {
        self.entry(path, target, &[], |header| {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
        })
    }

    /// A hard link to a path of this layer or of one below.
    pub fn hardlink(self, path: &str, target: &str) -> Layer {
        self.entry(path, target, &[], |header| header.set_entry_type(tar::EntryType::Link))
    }

    /// Hides what layers below have at this path: an empty `.wh.<name>`.
    pub fn whiteout(self, path: &str) -> Layer {
        let (dir, name) = path.rsplit_once('/').map_or(("", path), |(dir, name)| (dir, name));
        let sep = if dir.is_empty() { "" } else { "/" };
        self.file(&format!("{dir}{sep}.wh.{name}"), 0, "")
    }

    /// Hides everything below this directory that layers below have: `.wh..wh..opq`.
    pub fn opaque(self, dir: &str) -> Layer {
        self.file(&format!("{dir}/.wh..wh..opq"), 0, "")
    }

    /// Extended attributes (PAX `SCHILY.xattr.<name>`) of the entry that follows.
    pub fn xattrs(mut self, attributes: &[(&str, &[u8])]) -> Layer {
        let names: Vec<_> = attributes.iter().map(|(name, _)| format!("SCHILY.xattr.{name}")).collect();
        let pairs = names.iter().map(String::as_str).zip(attributes.iter().map(|(_, value)| *value));
        self.tar.append_pax_extensions(pairs).unwrap();
        self
    }

    /// Anything else: the header (time 0, mode 0644, root, size set) may be changed at will before it is written. Paths and targets of
    /// any bytes but NUL are written as they are, in the old header when they fit in 100 bytes, in GNU long names otherwise.
    pub fn entry(mut self, path: &str, target: &str, contents: &[u8], change: impl FnOnce(&mut tar::Header)) -> Layer {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(contents.len() as u64);
        header.set_entry_type(tar::EntryType::Regular);
        self.long_name(b'L', path);
        self.long_name(b'K', target);
        let fields = header.as_old_mut();
        fill(&mut fields.name, path);
        fill(&mut fields.linkname, target);
        change(&mut header);
        header.set_cksum();
        self.tar.append(&header, contents).unwrap();
        self
    }

    /// The tar, with its end marker.
    pub fn tar(self) -> Vec<u8> {
        self.tar.into_inner().unwrap()
    }

    fn long_name(&mut self, kind: u8, name: &str) {
        if name.len() <= 100 {
            return;
        }
        let mut header = tar::Header::new_gnu();
        fill(&mut header.as_old_mut().name, "././@LongLink");
        header.set_mode(0o644);
        header.set_size(name.len() as u64 + 1);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_cksum();
        let terminated = [name.as_bytes(), b"\0"].concat();
        self.tar.append(&header, terminated.as_slice()).unwrap();
    }
}

fn fill(field: &mut [u8; 100], text: &str) {
    let len = text.len().min(field.len());
    field[..len].copy_from_slice(&text.as_bytes()[..len]);
}

/// An image: layers, a config in Docker's words, a name, a compression. The methods change one thing and hand the image on.
#[derive(Clone)]
pub struct ImageBuilder {
    names: Vec<String>,
    layers: Vec<Vec<u8>>,
    config: Value,
    architecture: String,
    compression: Compression,
}

impl Default for ImageBuilder {
    fn default() -> ImageBuilder {
        ImageBuilder::new()
    }
}

impl ImageBuilder {
    /// An image without layers and names, with Docker's PATH, for this machine's architecture.
    pub fn new() -> ImageBuilder {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        ImageBuilder {
            names: Vec::new(),
            layers: Vec::new(),
            config: json!({ "Env": [path] }),
            architecture: architecture.to_owned(),
            compression: Compression::None,
        }
    }

    /// Adds a name with its tag: `busybox:latest`.
    pub fn name(mut self, name: &str) -> ImageBuilder {
        self.names.push(name.to_owned());
        self
    }

    /// Takes the names away: the image is known by its id alone.
    pub fn unnamed(mut self) -> ImageBuilder {
        self.names.clear();
        self
    }

    /// Adds a layer on top.
    pub fn layer(self, layer: Layer) -> ImageBuilder {
        self.layer_tar(layer.tar())
    }

    /// Adds a layer of the given bytes, a tar or not.
    pub fn layer_tar(mut self, tar: Vec<u8>) -> ImageBuilder {
        self.layers.push(tar);
        self
    }

    /// Adds a layer of one file.
    pub fn file(self, path: &str, mode: u32, contents: impl AsRef<[u8]>) -> ImageBuilder {
        self.layer(Layer::new().file(path, mode, contents))
    }

    /// Sets one field of the image's container defaults: `("Cmd", json!(["sh"]))`.
    pub fn config(mut self, field: &str, value: Value) -> ImageBuilder {
        self.config[field] = value;
        self
    }

    /// Says it is for another architecture.
    pub fn architecture(mut self, architecture: &str) -> ImageBuilder {
        architecture.clone_into(&mut self.architecture);
        self
    }

    /// How layers are stored.
    pub fn compression(mut self, compression: Compression) -> ImageBuilder {
        self.compression = compression;
        self
    }

    /// The config's bytes; their sha256 is the image's id.
    pub fn config_bytes(&self) -> Vec<u8> {
        let diff_ids: Vec<_> = self.layers.iter().map(|tar| format!("sha256:{}", sha256(tar))).collect();
        let history: Vec<_> = (self.layers.iter().enumerate())
            .map(|(n, _)| json!({ "created": CREATED, "created_by": format!("testkit layer {n}") }))
            .collect();
        let config = json!({
            "architecture": self.architecture, "os": "linux", "created": CREATED, "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": history,
        });
        serde_json::to_vec(&config).unwrap()
    }

    /// The image's id, `sha256:<64 hex>`.
    pub fn id(&self) -> String {
        format!("sha256:{}", sha256(&self.config_bytes()))
    }

    /// What `docker save` writes and `load` reads.
    pub fn docker_archive(&self) -> Vec<u8> {
        let config = self.config_bytes();
        let config_name = format!("{}.json", sha256(&config));
        let mut archive = Layer::new().file(&config_name, 0o644, &config);
        let mut layers = Vec::new();
        for (n, tar) in self.layers.iter().enumerate() {
            let name = format!("{n}/layer.tar");
            archive = archive.file(&name, 0o644, self.compression.apply(tar));
            layers.push(name);
        }
        let manifest = json!([{ "Config": config_name, "RepoTags": self.names, "Layers": layers }]);
        archive.file("manifest.json", 0o644, manifest.to_string()).tar()
    }

    /// An OCI image layout as a tar.
    pub fn oci_archive(&self) -> Vec<u8> {
        let archive = self.oci_files().into_iter();
        archive.fold(Layer::new(), |tar, (path, bytes)| tar.file(&path, 0o644, bytes)).tar()
    }

    /// Writes an OCI image layout into a directory.
    pub fn oci_layout(&self, dir: &Path) {
        for (path, bytes) in self.oci_files() {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// The OCI manifest's bytes, and the blobs it names: `(digest, bytes)`. What a registry would hold.
    pub fn oci_manifest(&self) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
        let mut blobs = Vec::new();
        let mut blob = |kind: String, bytes: Vec<u8>| {
            let digest = format!("sha256:{}", sha256(&bytes));
            let descriptor = json!({ "mediaType": kind, "digest": digest, "size": bytes.len() });
            blobs.push((digest, bytes));
            descriptor
        };
        let config = blob("application/vnd.oci.image.config.v1+json".to_owned(), self.config_bytes());
        let kind = format!("application/vnd.oci.image.layer.v1.tar{}", self.compression.suffix());
        let layers: Vec<_> = self.layers.iter().map(|tar| blob(kind.clone(), self.compression.apply(tar))).collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        (serde_json::to_vec(&manifest).unwrap(), blobs)
    }

    fn oci_files(&self) -> Vec<(String, Vec<u8>)> {
        let (manifest, blobs) = self.oci_manifest();
        let digest = sha256(&manifest);
        let descriptor = |name: Option<&String>| {
            let mut descriptor =
                json!({ "mediaType": MANIFEST, "digest": format!("sha256:{digest}"), "size": manifest.len() });
            if let Some(name) = name {
                descriptor["annotations"] =
                    json!({ "org.opencontainers.image.ref.name": name, "io.containerd.image.name": name });
            }
            descriptor
        };
        let manifests: Vec<_> = match self.names.as_slice() {
            [] => vec![descriptor(None)],
            names => names.iter().map(|name| descriptor(Some(name))).collect(),
        };
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        let mut files = vec![("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())];
        files.push(("index.json".to_owned(), index.to_string().into_bytes()));
        files.push((format!("blobs/sha256/{digest}"), manifest.clone()));
        // Equal layers are one blob.
        let blobs: std::collections::BTreeMap<_, _> = blobs.into_iter().collect();
        files.extend(blobs.into_iter().map(|(digest, bytes)| (digest.replace("sha256:", "blobs/sha256/"), bytes)));
        files
    }
}

const CREATED: &str = "2026-01-02T03:04:05.000000006Z";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Compression {
    fn apply(self, tar: &[u8]) -> Vec<u8> {
        match self {
            Compression::None => tar.to_vec(),
            Compression::Gzip => {
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(tar).unwrap();
                gzip.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(tar, 1).unwrap(),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => "+gzip",
            Compression::Zstd => "+zstd",
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Compression, ImageBuilder, Layer};
    use expect_test::expect;

    fn listing(tar: &[u8]) -> String {
        let mut archive = tar::Archive::new(tar);
        let entries = archive.entries().unwrap().map(Result::unwrap);
        entries.map(|e| format!("{:?} {}\n", e.header().entry_type(), e.path().unwrap().display())).collect()
    }

    #[test]
    fn a_docker_archive() {
        let image =
            ImageBuilder::new().architecture("amd64").name("x:1").file("a", 0o644, "a").compression(Compression::Gzip);
        expect![[r#"
            Regular d0a745b5ea6529ec4dcecfa6236fda6a2459b40de31557c76b393f21075e80ae.json
            Regular 0/layer.tar
            Regular manifest.json
        "#]]
        .assert_eq(&listing(&image.docker_archive()));
    }

    #[test]
    fn wicked_paths_stay_as_they_are() {
        let long = "l/".repeat(80);
        let layer =
            Layer::new().file("../out", 0o644, "x").symlink("/abs", "/etc").dir(&long, 0o755).whiteout("d/gone");
        expect![[r#"
            Regular ../out
            Symlink /abs
            Directory l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/
            Regular d/.wh.gone
        "#]]
        .assert_eq(&listing(&layer.tar()));
    }
}
