//! Image archives: what `docker save` writes (a tar with `manifest.json`), OCI image layouts as a tar (`index.json`), and both at once.
//!
//! An archive is a file whose members are indexed once and then read in any order, several at a time. Nothing in it is believed:
//! every byte that is kept was checked against a digest, and all digests against the image's config.

mod members;
mod plan;

pub(crate) use members::Members;
pub use plan::LayoutImage;
pub(crate) use plan::{Plan, manifest, of_manifest, plan_of, plans, require};

use std::io;

use rustix::io::Errno;
use spec::digest::{DiffId, Digest};
use spec::platform::Platform;

use crate::layer::LayerError;
use crate::store::StoreError;

/// Configs, manifests and indexes may be as long as this; containerd and Docker draw the line at the same place.
pub(crate) const DOCUMENT_LIMIT: u64 = 8 << 20;

/// Why an archive was not loaded. Nothing of it stays then.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The input failed.
    #[error("reading the archive")]
    Read(#[source] io::Error),
    /// The input is something else.
    #[error("the archive is not a tar, or a damaged one")]
    NotATar,
    /// The packing around the archive.
    #[error("unpacking the archive")]
    Packed(#[source] LayerError),
    /// A tar, but not of images.
    #[error("the archive holds no image: it has neither manifest.json nor index.json")]
    NotAnImage,
    /// It is cut short or was put together wrongly.
    #[error("the archive lacks {0}")]
    Missing(String),
    /// A document that cannot be read.
    #[error("{name} is damaged")]
    Document {
        /// Which one.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A document contradicts itself or others.
    #[error("{0}")]
    Contradiction(String),
    /// A document of unbelievable length.
    #[error("{name} is {size} bytes long; at most {DOCUMENT_LIMIT} are read")]
    TooLarge {
        /// Which one.
        name: String,
        /// How long.
        size: u64,
    },
    /// The bytes are not those that were announced.
    #[error("{name} should be {want} and is {got}")]
    Corrupt {
        /// Which ones.
        name: String,
        /// The announced digest.
        want: Digest,
        /// The digest of what came.
        got: Digest,
    },
    /// Something else than a container image.
    #[error("not a container image but an artifact of type {0}")]
    Artifact(String),
    /// An image for other machines only.
    #[error("no matching manifest for {want} in the manifest list entries: {have}")]
    NoPlatform {
        /// What was looked for.
        want: Platform,
        /// What there is.
        have: String,
    },
    /// Not for the platform that was asked for.
    #[error("requested platform ({want}) not found: image {image} is for {is}")]
    OtherPlatform {
        /// What was asked for.
        want: Platform,
        /// Its name, or its ID.
        image: String,
        /// What it is for.
        is: String,
    },
    /// A layer.
    #[error("layer {}", .0.as_ref().map_or_else(|| "of the archive".to_owned(), ToString::to_string))]
    Layer(Option<DiffId>, #[source] LayerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LoadError {
    /// Whether this machine failed, and not what was read: it has no room, or a broken disk. The same input may be taken another time.
    #[must_use]
    pub fn is_local(&self) -> bool {
        const LOCAL: [Errno; 7] =
            [Errno::NOSPC, Errno::DQUOT, Errno::IO, Errno::ROFS, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = source {
            let errno = error.downcast_ref().and_then(Errno::from_io_error);
            if errno.is_some_and(|errno| LOCAL.contains(&errno)) {
                return true;
            }
            source = error.source();
        }
        false
    }
}
