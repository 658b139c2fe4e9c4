//! What the store writes down. Every format is described in `docs/formats/store.md`.

use disk::Record;
use serde::{Deserialize, Serialize};
use spec::digest::{ChainId, DiffId, ImageId};
use spec::image::Descriptor;
use spec::reference::Reference;
use spec::time::Time;

/// `snapshots/<chain>/layer.json`: one unpacked layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    pub(crate) diff_id: DiffId,
    pub(crate) parent: Option<ChainId>,
    /// Members of the tar.
    pub(crate) entries: u64,
    /// Bytes of its files, unpacked.
    pub(crate) bytes: u64,
    /// Length of the tar.
    pub(crate) tar_bytes: u64,
    /// Attributes of the tar that the file system did not take, and overlayfs' own.
    #[serde(default)]
    pub(crate) xattrs_left_out: u64,
}

impl Record for LayerRecord {
    const FILE: &'static str = "layer.json";
    const FORMAT: u32 = 1;
}

/// `drafts/<container>/draft.json`: what lies below a container's writable layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DraftRecord {
    /// Lowest first.
    pub(crate) layers: Vec<ChainId>,
    pub(crate) writes: Writes,
}

/// What becomes of a container's writes when the machine loses power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Writes {
    /// The kernel syncs them, and with them the whole file system they are on, when the container ends.
    Kept,
    /// They may be lost.
    Volatile,
}

impl Record for DraftRecord {
    const FILE: &'static str = "draft.json";
    const FORMAT: u32 = 1;
}

/// `images/<image id>.json`: that an image is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    pub(crate) config: Descriptor,
    pub(crate) manifest: Option<Descriptor>,
    /// Of all layers, unpacked.
    pub(crate) size_bytes: u64,
    pub(crate) loaded_at: Time,
}

impl Record for ImageRecord {
    const FILE: &'static str = "<image id>.json";
    const FORMAT: u32 = 1;
}

/// `images/names/<escaped reference>.json`: which image a name means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameRecord {
    pub(crate) reference: Reference,
    pub(crate) image: ImageId,
}

impl Record for NameRecord {
    const FILE: &'static str = "<reference>.json";
    const FORMAT: u32 = 1;
}
