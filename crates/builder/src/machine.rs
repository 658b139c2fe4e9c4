//! What a build needs of the engine: images, processes, things from elsewhere. The engine implements it; `solve` asks.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use spec::digest::{Digest, ImageId};
use spec::id::ContainerId;
use spec::image::ImageConfig;
use spec::platform::Platform;
use store::Image;

use crate::exchange::Foreign;
use crate::progress::Progress;

/// The engine, as the builder sees it. Asked from several threads at once.
pub trait Machine: Sync {
    /// An image that a stage begins with or files come from. The store keeps it as long as the build lives only if it is named or in a
    /// draft: the caller drafts at once.
    ///
    /// # Errors
    /// It is nowhere; the registry's.
    fn image(&self, wanted: &WantedImage, on: &(dyn Fn(Progress) + Sync)) -> Result<Image, MachineError>;

    /// Which image a name means, without its files: a build whose results are all known needs no more of it.
    ///
    /// # Errors
    /// As [`Machine::image`].
    fn describe(&self, wanted: &WantedImage, on: &(dyn Fn(Progress) + Sync)) -> Result<Described, MachineError> {
        let image = self.image(wanted, on)?;
        let digest = image.manifest.map(|manifest| manifest.digest.0);
        Ok(Described { digest, id: image.id, config: image.config })
    }

    /// Whether nobody wants the build any more: it ends as soon as it can.
    fn is_interrupted(&self) -> bool {
        false
    }

    /// The build caches that `name` means for this platform, with their layers where they are: in a registry, or in an image that is here.
    ///
    /// # Errors
    /// The registry's; it is something else.
    fn cache(&self, name: &str, platform: &Platform) -> Result<Vec<Foreign>, MachineError> {
        let _ = (name, platform);
        Ok(Vec::new())
    }

    /// The identifier that the next draft for a command should have, if the machine has something ready for it.
    fn draft_for_command(&self) -> Option<ContainerId> {
        None
    }

    /// Runs a command on the draft `id`, which exists and is nobody's mount: a container of this identifier is made on it, runs, and
    /// has ended when this returns, while the draft stays with what was written. It is killed when the calling process dies, and when
    /// `cancelled` says so.
    ///
    /// # Errors
    /// It could not be started. That it failed is an [`Ended`].
    fn run(
        &self,
        id: &ContainerId,
        run: Run,
        out: &mut (dyn FnMut(Stream, &[u8]) + Send),
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Ended, MachineError>;

    /// Downloads what `url` (http, https) names into `into`; none: it is what the server said `known` of, and nothing came.
    ///
    /// # Errors
    /// The server's and the network's.
    fn fetch(
        &self,
        url: &str,
        known: &Validators,
        into: &mut File,
        on: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Option<Fetched>, MachineError>;

    /// Checks a git repository out into the empty directory `into`.
    ///
    /// # Errors
    /// git is not installed, or what it says.
    fn git(&self, wanted: &Git, into: &std::path::Path, on: &(dyn Fn(&[u8]) + Sync)) -> Result<Commit, MachineError>;
}

/// Why the machine could not.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct MachineError {
    /// One line, as the user shall read it.
    pub message: String,
    /// Its reason.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// An image somebody named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedImage {
    /// As written, expanded.
    pub name: String,
    /// For which machine.
    pub platform: Platform,
    /// Whether a registry is asked even if it is here.
    pub pull: crate::Pull,
}

/// An image without its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Of the index or manifest that its name means, where it has one: steps show it.
    pub digest: Option<Digest>,
    /// Its own name: what came from no registry has no other.
    pub id: ImageId,
    /// Its config.
    pub config: ImageConfig,
}

impl Described {
    /// What the image is known by: in the registry it came from, else its ID.
    #[must_use]
    pub fn origin(&self) -> Digest {
        self.digest.clone().unwrap_or_else(|| self.id.0.clone())
    }
}

/// A command and all it runs with. What the image's config says is in it already.
#[derive(Debug)]
pub struct Run {
    /// The words.
    pub args: Vec<String>,
    /// `NAME=value`; what only a build knows (proxy arguments) is in it too.
    pub env: Vec<String>,
    /// Absolute.
    pub working_dir: String,
    /// `USER`; empty: root.
    pub user: String,
    /// In the order in which they are mounted.
    pub mounts: Vec<RunMount>,
    /// What all commands of this build share, with this one's `--network`.
    pub defaults: crate::RunDefaults,
    /// `--security=insecure`.
    pub privileged: bool,
    /// The platform the image is of: another one's commands need an emulator.
    pub platform: Platform,
    /// Whether more commands are likely to follow.
    pub more: bool,
}

/// A mount of a command.
#[derive(Debug)]
pub struct RunMount {
    /// Absolute, inside.
    pub target: String,
    /// Whether it may be written.
    pub read_only: bool,
    /// What is mounted.
    pub what: Mounted,
}

/// What is mounted.
#[derive(Debug)]
pub enum Mounted {
    /// A directory or file of the host, known by this path, which the builder owns: a cache, a part of the context.
    Host(PathBuf),
    /// A detached mount: other stages' files, a part of an image, `sys::mount` made it.
    Tree(OwnedFd),
    /// Memory, of so many bytes at most.
    Tmpfs(Option<u64>),
    /// A file in memory that never reaches a disk: bytes, mode, owner.
    Secret(Vec<u8>, u32, (u32, u32)),
    /// An agent's socket on the host, shown with this mode and owner.
    Agent(PathBuf, u32, (u32, u32)),
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// 1.
    Stdout,
    /// 2.
    Stderr,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this code; a signal is 128 and its number.
    Exited(u8),
    /// The kernel killed it for want of memory.
    OutOfMemory,
    /// `cancelled` said so.
    Cancelled,
}

/// What a server said of the file it sent: sent back, it may say that this is still the one (RFC 9110, 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Last-Modified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// What the server calls the file, when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// `Last-Modified`, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_s: Option<i64>,
    /// For asking again.
    pub validators: Validators,
}

/// What was checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its digest.
    pub id: String,
    /// When it was committed, seconds since 1970, if it says so.
    pub committed_s: Option<i64>,
}

/// A repository and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Git {
    /// Where it is.
    pub remote: String,
    /// Branch, tag, commit or ref; none: the remote's HEAD.
    pub reference: Option<String>,
    /// Whether `.git` stays.
    pub keep_git_dir: bool,
    /// Whether submodules come along.
    pub submodules: bool,
}
