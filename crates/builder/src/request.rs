//! What is asked of a build, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use spec::digest::{ChainId, DiffId, Digest};
use spec::image::ImageConfig;
use spec::platform::Platform;
use spec::time::Time;

use crate::attest::provenance::Material;

/// All that is asked of one build; complete, without defaults.
#[derive(Debug)]
pub struct Request {
    /// Where `COPY` takes files from.
    pub context: BuildContext,
    /// Where the instructions are.
    pub dockerfile: Dockerfile,
    /// `--build-context`.
    pub named_contexts: BTreeMap<String, BuildContext>,
    /// `--target`; none: the last stage.
    pub target: Option<String>,
    /// `--build-arg`; the value of a name alone was looked up by the caller, and that of `SOURCE_DATE_EPOCH` unasked.
    pub build_args: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--platform`; empty: this machine's.
    pub platforms: Vec<Platform>,
    /// `--no-cache`, `--no-cache-filter`.
    pub no_cache: NoCache,
    /// `--pull`.
    pub pull: Pull,
    /// What all `RUN`s share.
    pub run: RunDefaults,
    /// `--secret`, by id.
    pub secrets: BTreeMap<String, Secret>,
    /// `--ssh`: id to the agent's socket.
    pub ssh: BTreeMap<String, PathBuf>,
    /// `--cache-from`.
    pub cache_from: Vec<CacheFrom>,
    /// `--allow`: `network.host`, `security.insecure`.
    pub allow: BTreeSet<String>,
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildContext {
    /// Nothing: a Dockerfile alone from standard input.
    Empty,
    /// A directory of the host, read in place.
    Directory(PathBuf),
    /// A tar, packed or not, that the caller has put into this file.
    Tar(PathBuf),
    /// `https://…` of a tar or of a Dockerfile, or a git address with `#ref:subdir`.
    Url(String),
    /// `docker-image://name`.
    Image(String),
    /// `oci-layout://dir:tag[@digest]`, as [`crate::Machine::image`] understands it: an image of a layout on this machine.
    Layout(String),
    /// `target:name`, as written.
    Other(String),
}

/// Where the Dockerfile is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dockerfile {
    /// In the context, by this name (`-f`, or `Dockerfile`).
    InContext(PathBuf),
    /// A file of the host beside the context.
    Host(PathBuf),
    /// Its text (`-f -`).
    Text(Vec<u8>),
}

/// What must be done anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCache {
    /// What is not known.
    Nothing,
    /// All.
    All,
    /// These stages.
    Stages(BTreeSet<String>),
}

/// When a registry is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// When the image is not here.
    Missing,
    /// Always.
    Always,
}

/// What `RUN`s share. Words are those of `docker build`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunDefaults {
    /// `default`, `none`, `host`.
    pub network: String,
    /// `--add-host`, `name:address`.
    pub hosts: Vec<String>,
    /// `--shm-size`, bytes.
    pub shm_size_bytes: Option<u64>,
    /// `--ulimit`, as written.
    pub ulimits: Vec<String>,
    /// `--cgroup-parent`.
    pub cgroup_parent: Option<String>,
    /// `--memory` and its like are not BuildKit's: the classic builder's words are taken and said to have no effect.
    pub hostname: Option<String>,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In a file.
    File(PathBuf),
    /// In a variable of the caller.
    Env(String),
}

/// Where results of other builds are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheFrom {
    /// A directory that `--cache-to type=local` wrote.
    Local(PathBuf),
    /// An image or a cache manifest in a registry, or an image here.
    Registry(String),
}

/// Where results go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheTo {
    /// Into a directory; `max`: intermediate stages too.
    Local(PathBuf, Max),
    /// Into a registry under a name of its own.
    Registry(String, Max),
    /// Into the image's config.
    Inline,
}

/// How much of a build is exported as cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Max {
    /// The layers of the result.
    Min,
    /// Those of all stages.
    Max,
}

/// What a build made; for each platform one.
#[derive(Clone, Debug)]
pub struct Built {
    /// In the order they were asked for.
    pub variants: Vec<Variant>,
    /// What the Dockerfile is called, and its text.
    pub dockerfile: (String, Vec<u8>),
}

/// The result for one platform. Its layers are in the store and kept by the build cache.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Which machine.
    pub platform: Platform,
    /// The image's config, layers and history and all.
    pub config: ImageConfig,
    /// Its layers, lowest first.
    pub chains: Vec<ChainId>,
    /// So many of them are the base image's.
    pub base_layers: usize,
    /// `SOURCE_DATE_EPOCH`, if it was said: no file of the other layers is later.
    pub epoch: Option<Time>,
    /// What it was made of: base images, downloads and repositories with their digests, for the provenance.
    pub materials: Vec<Material>,
    /// What each of its steps was, each after those it needs: for provenance and cache export.
    pub steps: Vec<DoneStep>,
    /// The step whose files are the result's; none: it has no files.
    pub result: Option<Digest>,
}

/// A secret or an agent that a command mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Its id.
    pub id: String,
    /// The command runs without it too.
    pub is_optional: bool,
}

/// A step that was done, or whose result was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneStep {
    /// What it is shown by.
    pub digest: Digest,
    /// `[build 2/5] RUN make`.
    pub name: String,
    /// Digests of those it needs.
    pub inputs: Vec<Digest>,
    /// What its result is known by in the cache; nothing for what has none, as images and contexts.
    pub keys: Vec<Digest>,
    /// All its files: its layers, lowest first.
    pub chains: Vec<ChainId>,
    /// The layer it wrote, as a cache of elsewhere says, which is not here.
    pub absent: Option<DiffId>,
    /// Secrets that its command mounts, whether they were given or not.
    pub secrets: Vec<Mention>,
    /// Agents that its command mounts.
    pub agents: Vec<Mention>,
    /// Lines of the Dockerfile that say so, both ends included.
    pub lines: Option<(u32, u32)>,
    /// A command that could reach a network.
    pub has_network: bool,
}
