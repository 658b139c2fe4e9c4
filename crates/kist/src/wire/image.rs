//! `docker image inspect`, API 1.51 (moby 28.5 `api/types/image`): every field, in Docker's order.

use serde::Serialize;

use super::container::{GraphDriver, Healthcheck};
use super::go::{Empty, List, Map, is_zero};

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ImageInspect {
    /// `sha256:…`.
    #[serde(rename = "Id")]
    pub(crate) id: String,
    /// Names; never null.
    #[serde(rename = "RepoTags")]
    pub(crate) repo_tags: Vec<String>,
    /// Names with digest; never null.
    #[serde(rename = "RepoDigests")]
    pub(crate) repo_digests: Vec<String>,
    /// Of an image built the old way.
    #[serde(rename = "Parent")]
    pub(crate) parent: String,
    /// Of its last commit.
    #[serde(rename = "Comment")]
    pub(crate) comment: String,
    /// RFC 3339.
    #[serde(rename = "Created", skip_serializing_if = "String::is_empty")]
    pub(crate) created: String,
    /// What built it.
    #[serde(rename = "DockerVersion")]
    pub(crate) docker_version: String,
    /// Author.
    #[serde(rename = "Author")]
    pub(crate) author: String,
    /// `amd64`.
    #[serde(rename = "Architecture")]
    pub(crate) architecture: String,
    /// `v8`.
    #[serde(rename = "Variant", skip_serializing_if = "String::is_empty")]
    pub(crate) variant: String,
    /// `linux`.
    #[serde(rename = "Os")]
    pub(crate) os: String,
    /// Windows only.
    #[serde(rename = "OsVersion", skip_serializing_if = "String::is_empty")]
    pub(crate) os_version: String,
    /// Bytes.
    #[serde(rename = "Size")]
    pub(crate) size: i64,
    /// Before API 1.44.
    #[serde(rename = "VirtualSize", skip_serializing_if = "is_zero")]
    pub(crate) virtual_size: i64,
    /// Where its layers are.
    #[serde(rename = "GraphDriver")]
    pub(crate) graph_driver: GraphDriver,
    /// Its layers.
    #[serde(rename = "RootFS")]
    pub(crate) root_fs: RootFs,
    /// Of this host, not of the image.
    #[serde(rename = "Metadata")]
    pub(crate) metadata: Metadata,
    /// Of its manifest.
    #[serde(rename = "Descriptor", skip_serializing_if = "Option::is_none")]
    pub(crate) descriptor: Option<Descriptor>,
    /// What containers start from. Last: the server puts it back in behind the rest since API 1.50.
    #[serde(rename = "Config")]
    pub(crate) config: Option<ImageConfig>,
}

/// An image's config, without what is empty; keys sorted as Docker prints them since API 1.50.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ImageConfig {
    /// Windows only.
    #[serde(rename = "ArgsEscaped", skip_serializing_if = "is_zero")]
    pub(crate) args_escaped: bool,
    /// Command.
    #[serde(rename = "Cmd")]
    pub(crate) cmd: List<String>,
    /// Entry point.
    #[serde(rename = "Entrypoint")]
    pub(crate) entrypoint: List<String>,
    /// `KEY=value`.
    #[serde(rename = "Env")]
    pub(crate) env: List<String>,
    /// `80/tcp`.
    #[serde(rename = "ExposedPorts", skip_serializing_if = "Map::is_empty")]
    pub(crate) exposed_ports: Map<Empty>,
    /// Health check.
    #[serde(rename = "Healthcheck", skip_serializing_if = "Option::is_none")]
    pub(crate) healthcheck: Option<Healthcheck>,
    /// Labels.
    #[serde(rename = "Labels")]
    pub(crate) labels: Map<String>,
    /// ONBUILD triggers.
    #[serde(rename = "OnBuild")]
    pub(crate) on_build: List<String>,
    /// SHELL.
    #[serde(rename = "Shell", skip_serializing_if = "List::is_empty")]
    pub(crate) shell: List<String>,
    /// Signal that stops it.
    #[serde(rename = "StopSignal", skip_serializing_if = "String::is_empty")]
    pub(crate) stop_signal: String,
    /// `uid[:gid]` or names.
    #[serde(rename = "User")]
    pub(crate) user: String,
    /// Anonymous volumes.
    #[serde(rename = "Volumes")]
    pub(crate) volumes: Map<Empty>,
    /// Working directory.
    #[serde(rename = "WorkingDir")]
    pub(crate) working_dir: String,
}

/// Layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RootFs {
    /// `layers`.
    #[serde(rename = "Type", skip_serializing_if = "String::is_empty")]
    pub(crate) kind: String,
    /// Diff ids.
    #[serde(rename = "Layers", skip_serializing_if = "List::is_empty")]
    pub(crate) layers: List<String>,
}

/// What this host knows of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Metadata {
    /// RFC 3339, or the year 1.
    #[serde(rename = "LastTagTime")]
    pub(crate) last_tag_time: String,
}

/// A blob of a registry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Descriptor {
    /// Media type.
    #[serde(rename = "mediaType")]
    pub(crate) media_type: String,
    /// Digest.
    #[serde(rename = "digest")]
    pub(crate) digest: String,
    /// Bytes.
    #[serde(rename = "size")]
    pub(crate) size: i64,
    /// Other sources.
    #[serde(rename = "urls", skip_serializing_if = "List::is_empty")]
    pub(crate) urls: List<String>,
    /// Annotations.
    #[serde(rename = "annotations", skip_serializing_if = "Map::is_empty")]
    pub(crate) annotations: Map<String>,
    /// Of an image.
    #[serde(rename = "platform", skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    /// Artifact type.
    #[serde(rename = "artifactType", skip_serializing_if = "String::is_empty")]
    pub(crate) artifact_type: String,
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Platform {
    /// `amd64`.
    #[serde(rename = "architecture")]
    pub(crate) architecture: String,
    /// `linux`.
    #[serde(rename = "os")]
    pub(crate) os: String,
    /// Windows only.
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub(crate) os_version: String,
    /// Windows only.
    #[serde(rename = "os.features", skip_serializing_if = "List::is_empty")]
    pub(crate) os_features: List<String>,
    /// `v8`.
    #[serde(rename = "variant", skip_serializing_if = "String::is_empty")]
    pub(crate) variant: String,
}
