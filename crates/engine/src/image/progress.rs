//! How far each layer is on its way: what `pull`, `push` and `load` tell while they work.

use std::fmt;
use std::sync::Mutex;

/// One layer has come so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerEvent {
    /// 12 hex digits: of the blob that comes, of the DiffID that goes.
    pub layer: String,
    /// Where it is.
    pub state: LayerState,
}

/// Where a layer is on its way. As text, Docker's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerState {
    /// It is needed.
    PullingFsLayer,
    /// Others go first.
    Waiting,
    /// So many bytes have come.
    Downloading {
        /// So many.
        done: u64,
        /// Of so many; zero when nobody knows.
        total: u64,
    },
    /// All have come, and are hashed.
    VerifyingChecksum,
    /// They are the right ones.
    DownloadComplete,
    /// So many of them are unpacked.
    Extracting {
        /// So many.
        done: u64,
        /// Of so many; zero when nobody knows.
        total: u64,
    },
    /// It is in the store.
    PullComplete,
    /// It was in the store.
    AlreadyExists,
    /// It will be sent, if need be.
    Preparing,
    /// So many bytes are sent.
    Pushing {
        /// So many.
        done: u64,
        /// Of so many; zero when nobody knows.
        total: u64,
    },
    /// The registry has it now.
    Pushed,
    /// The registry had it.
    LayerExists,
    /// The registry had it in another repository.
    MountedFrom(String),
    /// The line broke.
    Retrying {
        /// Until the next attempt.
        in_seconds: u64,
    },
    /// So much of it is read from an archive.
    Loading {
        /// So many.
        done: u64,
        /// Of so many; zero when nobody knows.
        total: u64,
    },
    /// It is in the store, from an archive.
    LoadComplete,
}

/// Whoever draws: called from several threads, one at a time.
pub(super) type Draw<'a> = Mutex<&'a mut (dyn FnMut(LayerEvent) + Send)>;

impl LayerState {
    /// How many bytes are done, of how many, where that can be told.
    #[must_use]
    pub fn amount(&self) -> Option<(u64, u64)> {
        match self {
            LayerState::Downloading { done, total }
            | LayerState::Extracting { done, total }
            | LayerState::Pushing { done, total }
            | LayerState::Loading { done, total } => Some((*done, *total)),
            LayerState::PullingFsLayer
            | LayerState::Waiting
            | LayerState::VerifyingChecksum
            | LayerState::DownloadComplete
            | LayerState::PullComplete
            | LayerState::AlreadyExists
            | LayerState::Preparing
            | LayerState::Pushed
            | LayerState::LayerExists
            | LayerState::MountedFrom(_)
            | LayerState::Retrying { .. }
            | LayerState::LoadComplete => None,
        }
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_last(&self) -> bool {
        match self {
            LayerState::PullComplete
            | LayerState::AlreadyExists
            | LayerState::Pushed
            | LayerState::LayerExists
            | LayerState::MountedFrom(_)
            | LayerState::LoadComplete => true,
            LayerState::PullingFsLayer
            | LayerState::Waiting
            | LayerState::Downloading { .. }
            | LayerState::VerifyingChecksum
            | LayerState::DownloadComplete
            | LayerState::Extracting { .. }
            | LayerState::Preparing
            | LayerState::Pushing { .. }
            | LayerState::Retrying { .. }
            | LayerState::Loading { .. } => false,
        }
    }
}

impl fmt::Display for LayerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LayerState::PullingFsLayer => "Pulling fs layer",
            LayerState::Waiting => "Waiting",
            LayerState::Downloading { .. } => "Downloading",
            LayerState::VerifyingChecksum => "Verifying Checksum",
            LayerState::DownloadComplete => "Download complete",
            LayerState::Extracting { .. } => "Extracting",
            LayerState::PullComplete => "Pull complete",
            LayerState::AlreadyExists => "Already exists",
            LayerState::Preparing => "Preparing",
            LayerState::Pushing { .. } => "Pushing",
            LayerState::Pushed => "Pushed",
            LayerState::LayerExists => "Layer already exists",
            LayerState::MountedFrom(repository) => return write!(f, "Mounted from {repository}"),
            LayerState::Retrying { in_seconds: 1 } => "Retrying in 1 second",
            LayerState::Retrying { in_seconds } => return write!(f, "Retrying in {in_seconds} seconds"),
            LayerState::Loading { .. } => "Loading layer",
            LayerState::LoadComplete => "Load complete",
        })
    }
}
