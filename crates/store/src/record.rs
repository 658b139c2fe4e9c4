//! What the store writes down. Every format is described in `docs/formats/store.md`.

use std::collections::BTreeMap;

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
    /// When a build made it here: then its files have the times they were written at, not those of the tar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) built: Option<Time>,
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
    /// Layers of images that the container mounts: they stay as long as it is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) mounted: BTreeMap<ImageId, Vec<ChainId>>,
    /// The build it belongs to; none: a container's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<String>,
}

impl DraftRecord {
    pub(crate) fn new(layers: Vec<ChainId>, writes: Writes) -> DraftRecord {
        DraftRecord { layers, writes, mounted: BTreeMap::new(), build: None }
    }
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

#[cfg(test)]
mod tests {
    use spec::digest::Digest;

    use super::*;

    /// What is on somebody's disk must be read, and written again as the same.
    fn check<R: Record>(record: &str) {
        let dir = testkit::Root::new();
        let (path, text) = (dir.join("record.json"), format!(r#"{{"format":{},"record":{record}}}"#, R::FORMAT));
        dir.write("record.json", &text);
        let record: R = disk::read_at(&path).unwrap().unwrap();
        disk::write_at(&path, &record, disk::Durability::Volatile).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }

    #[test]
    fn golden_records() {
        let digest = Digest::sha256(b"");
        for parent in [format!(r#""{digest}""#), "null".to_owned()] {
            check::<LayerRecord>(&format!(
                r#"{{"diff_id":"{digest}","parent":{parent},"entries":1,"bytes":2,"tar_bytes":3,"xattrs_left_out":4}}"#
            ));
        }
        check::<LayerRecord>(&format!(
            r#"{{"diff_id":"{digest}","parent":null,"entries":1,"bytes":2,"tar_bytes":3,"xattrs_left_out":0,"built":"2026-01-02T15:04:05.123456789Z"}}"#
        ));
        check::<DraftRecord>(r#"{"layers":[],"writes":"volatile","build":"b1"}"#);
        for writes in ["kept", "volatile"] {
            check::<DraftRecord>(&format!(r#"{{"layers":["{digest}"],"writes":"{writes}"}}"#));
            check::<DraftRecord>(&format!(
                r#"{{"layers":[],"writes":"{writes}","mounted":{{"{digest}":["{digest}"]}}}}"#
            ));
        }
        let descriptor = format!(r#"{{"mediaType":"m","digest":"{digest}","size":1}}"#);
        for manifest in [&descriptor, "null"] {
            check::<ImageRecord>(&format!(
                r#"{{"config":{descriptor},"manifest":{manifest},"size_bytes":1,"loaded_at":"2026-01-02T15:04:05.123456789Z"}}"#
            ));
        }
        check::<crate::unsynced::UnsyncedRecord>(&format!(r#"{{"layers":["{digest}"]}}"#));
        check::<crate::unsynced::UnsyncedRecord>(r#"{"layers":[],"built_since":"2026-01-02T15:04:05.123456789Z"}"#);
        let layer = format!(r#"{{"chain":"{digest}","diff_id":"{digest}","size_bytes":1}}"#);
        for layer in [&layer, "null"] {
            check::<crate::StepRecord>(&format!(
                r#"{{"layer":{layer},"name":"[1/2] RUN make","created":"2026-01-02T15:04:05.123456789Z"}}"#
            ));
        }
        let blob = format!(r#"{{"blob":{descriptor},"repositories":["docker.io/library/a"]}}"#);
        check::<crate::origin::OriginsRecord>(&format!(r#"{{"blobs":[{blob}]}}"#));
        for reference in ["docker.io/library/a:1".to_owned(), format!("docker.io/library/a@{digest}")] {
            check::<NameRecord>(&format!(r#"{{"reference":"{reference}","image":"{digest}"}}"#));
        }
    }
}
