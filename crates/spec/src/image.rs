//! Image documents: config, manifest, index (OCI image specification 1.1, and Docker schema 2, which says the same in other media
//! types). These are views for reading: the bytes a digest names are kept beside them and never made from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::{BlobDigest, DiffId, Digest};
use crate::platform::Platform;

/// Media types that are met.
pub mod media {
    /// OCI manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI config.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// OCI layer, not compressed.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// OCI layer, gzip.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// OCI layer, zstd.
    pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// Docker manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker index.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker config.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker layer, not compressed.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
    /// Docker layer, gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// Docker layer, zstd: containerd's word.
    pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

    /// What OCI calls a layer of this type.
    #[must_use]
    pub fn oci_layer(media_type: &str) -> &str {
        match media_type {
            DOCKER_LAYER_GZIP => LAYER_GZIP,
            DOCKER_LAYER => LAYER,
            DOCKER_LAYER_ZSTD => LAYER_ZSTD,
            other => other,
        }
    }

    /// What Docker calls a layer of this type.
    #[must_use]
    pub fn docker_layer(media_type: &str) -> &str {
        match media_type {
            LAYER_GZIP => DOCKER_LAYER_GZIP,
            LAYER => DOCKER_LAYER,
            LAYER_ZSTD => DOCKER_LAYER_ZSTD,
            other => other,
        }
    }
}

/// A pointer to a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// Its content address.
    pub digest: BlobDigest,
    /// Its length in bytes.
    pub size: u64,
    /// In an index: for which machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Free words; `org.opencontainers.image.ref.name` names an image in a layout's index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

/// One image: a config and its layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    pub schema_version: u32,
    /// Optional in OCI, always there in Docker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What an artifact says it is; an image has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config's blob.
    pub config: Descriptor,
    /// The layers' blobs, lowest first.
    pub layers: Vec<Descriptor>,
    /// Free words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

/// Several images under one name, mostly one a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    pub schema_version: u32,
    /// Optional in OCI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The images or further indexes.
    pub manifests: Vec<Descriptor>,
    /// Free words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Of an image whose config is `config_bytes`.
    #[must_use]
    pub fn of_image(config_bytes: &[u8], layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: 2,
            media_type: Some(media::MANIFEST.to_owned()),
            artifact_type: None,
            config: Descriptor::of(media::CONFIG, config_bytes),
            layers,
            annotations: BTreeMap::new(),
        }
    }

    /// As it is stored and sent. For manifests made here: those that came are kept as they came.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers in structs and lists are always JSON")
    }
}

impl Descriptor {
    /// Points to these bytes.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        let digest = BlobDigest(Digest::sha256(bytes));
        let (media_type, size) = (media_type.to_owned(), bytes.len() as u64);
        Descriptor { media_type, digest, size, platform: None, annotations: BTreeMap::new() }
    }

    /// BuildKit's provenance and the like ride along in indexes, as manifests for no platform.
    #[must_use]
    pub fn is_attestation(&self) -> bool {
        self.annotations.contains_key("vnd.docker.reference.type")
            || self.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
    }
}

impl Index {
    /// The images in it.
    pub fn images(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter().filter(|descriptor| !descriptor.is_attestation())
    }

    /// The image for a machine of this platform: the very one before one of its architecture, and that before its 32-bit sister's.
    #[must_use]
    pub fn for_platform(&self, platform: &Platform) -> Option<&Descriptor> {
        let of = |d: &&Descriptor, fits: &dyn Fn(&Platform) -> bool| d.platform.as_ref().is_none_or(fits);
        let same = |p: &Platform| platform.runs(p) && p.architecture == platform.architecture;
        let very = |p: &Platform| same(p) && p.variant == platform.variant;
        let find = |fits: &dyn Fn(&Platform) -> bool| self.images().find(|d| of(d, fits));
        find(&very).or_else(|| find(&same)).or_else(|| find(&|p| platform.runs(p)))
    }

    /// The platforms it has images for, for a message.
    #[must_use]
    pub fn platforms(&self) -> String {
        self.images().filter_map(|d| d.platform.as_ref()).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// An image's config: how to run it and what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// RFC 3339, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Go's word for the processor.
    #[serde(default)]
    pub architecture: String,
    /// The processor's variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// Defaults of a container.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: RunConfig,
    /// The layers by what they hold.
    #[serde(default)]
    pub rootfs: RootFs,
    /// How it was made, oldest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub history: Vec<History>,
    /// Docker's free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Which steps made its layers, for other builds (`--cache-to type=inline`). Written and never read here, so that what is made of an
    /// image does not inherit it: `builder::exchange::inline`.
    #[serde(rename = "kist.build-cache.v1", skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub build_cache: Option<serde_json::Value>,
}

impl ImageConfig {
    /// The machine it is for.
    #[must_use]
    pub fn platform(&self) -> Platform {
        Platform { os: self.os.clone(), architecture: self.architecture.clone(), variant: self.variant.clone() }
    }
}

/// The layers of an image, lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digests of the uncompressed layers.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<DiffId>,
}

impl Default for RootFs {
    fn default() -> RootFs {
        RootFs { kind: "layers".into(), diff_ids: Vec::new() }
    }
}

/// One step of an image's making.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the step made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// The defaults an image gives its containers. Docker's Go names; `null` and absence mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunConfig {
    /// `user[:group]`, names or numbers.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `80/tcp` and the like; the values are always empty.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// `NAME=value`.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The fixed part of the command.
    #[serde(deserialize_with = "word_or_words", skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The part a user replaces.
    #[serde(deserialize_with = "word_or_words", skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Paths that want a volume.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Empty>,
    /// Where the command starts.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Free words.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What `stop` sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Seconds `stop` waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// How to tell that it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// The shell of shell-form commands.
    #[serde(deserialize_with = "word_or_words", skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// Instructions for images built on this one.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
}

/// Go's `struct{}`: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// A health check; times in nanoseconds, 0 meaning the default, as in Docker's JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// Empty: inherited. `NONE`; `CMD`, args…; `CMD-SHELL`, command.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Between checks, ns (30 s).
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// Of one check, ns (30 s).
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// Failures that do not count at the start, ns (0).
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Between checks during the start, ns (5 s).
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy (3).
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Old images and clients write a bare string where a list belongs (moby `strslice`).
fn word_or_words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Words(Vec<String>),
        Word(String),
    }
    Ok(Option::<Either>::deserialize(from)?.map(|either| match either {
        Either::Words(words) => words,
        Either::Word(word) => vec![word],
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_config_of_docker_is_read() {
        let text = r#"{"architecture":"amd64","os":"linux","created":"2024-01-01T00:00:00Z","rootfs":{"type":"layers","diff_ids":null},
            "config":{"Env":null,"Cmd":"sh","Entrypoint":null,"Volumes":{"/data":{}},"Labels":null,"Healthcheck":{"Test":["CMD","x"]}},
            "history":[{"created_by":"x","empty_layer":true}],"container_config":{"anything":1}}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.config.cmd, Some(vec!["sh".to_owned()]));
        assert_eq!(config.config.entrypoint, None);
        assert!(config.config.volumes.contains_key("/data"));
        assert!(config.history[0].empty_layer);
    }

    const CONFIG: &str = r#"{"architecture":"arm64","variant":"v8","os":"linux","created":"2024-01-01T00:00:00Z","rootfs":{"type":"layers",
        "diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},"history":[{"created_by":"x","empty_layer":true}],
        "config":{"User":"0","Env":["A=1"],"Cmd":["sh"],"Volumes":{"/d":{}},"ExposedPorts":{"80/tcp":{}},"Labels":{"a":"b"},
        "Healthcheck":{"Test":["CMD","x"],"Interval":1}}}"#;
    const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"c","size":1,
        "digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"layers":[{"mediaType":"l","size":2,
        "digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}],"annotations":{"a":"b"}}"#;

    #[test]
    fn an_index_gives_the_image_that_fits_best() {
        let entry = |platform: &str, digit: char| {
            let (arch, variant) = platform.split_once('/').unwrap_or((platform, ""));
            let digest = digit.to_string().repeat(64);
            let variant = if variant.is_empty() { String::new() } else { format!(r#","variant":"{variant}""#) };
            format!(
                r#"{{"mediaType":"m","digest":"sha256:{digest}","size":1,"platform":{{"os":"linux","architecture":"{arch}"{variant}}}}}"#
            )
        };
        let check = |entries: &[&str], wanted: &str, chosen: Option<usize>| {
            let listed: Vec<_> = entries.iter().zip('0'..).map(|(platform, digit)| entry(platform, digit)).collect();
            let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, listed.join(","));
            let index: Index = serde_json::from_str(&text).unwrap();
            let found = index.for_platform(&wanted.parse().unwrap()).map(|d| d.digest.0.hex()[..1].parse().unwrap());
            assert_eq!(found, chosen, "{wanted} of {entries:?}");
        };
        check(&["386", "arm64", "amd64"], "linux/amd64", Some(2));
        check(&["386", "arm64"], "linux/amd64", Some(0));
        check(&["arm/v6", "arm/v7"], "linux/arm/v7", Some(1));
        check(&["arm/v5", "arm/v6"], "linux/arm/v6", Some(1));
        check(&["s390x"], "linux/amd64", None);
    }

    fn read_all(bytes: &[u8]) {
        let _ = serde_json::from_slice::<ImageConfig>(bytes).map(|config| config.platform());
        let _ = serde_json::from_slice::<Manifest>(bytes);
        let _ = serde_json::from_slice::<Index>(bytes);
    }

    #[test]
    fn the_documents_to_be_damaged_are_whole() {
        assert!(serde_json::from_str::<ImageConfig>(CONFIG).is_ok());
        assert!(serde_json::from_str::<Manifest>(MANIFEST).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_document_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read_all(&bytes);
        }

        #[test]
        fn a_damaged_document_is_read_or_refused(
            config: bool,
            cuts in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:0-9a-z-]{0,3}"), 1..5),
        ) {
            let mut text = if config { CONFIG } else { MANIFEST }.to_owned();
            for (at, word) in cuts {
                let at = at.index(text.len());
                text.replace_range(at..=at, &word);
            }
            read_all(text.as_bytes());
        }
    }
}
