//! `builder du`: what the cache holds.

use std::collections::BTreeSet;
use std::path::PathBuf;

use spec::digest::{ChainId, Digest};
use spec::time::Time;
use store::{Store, StoreError};

use super::{CacheError, downloads, mounts};

/// BuildKit's record types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What a step made: `regular`.
    Step,
    /// `exec.cachemount`.
    CacheMount,
    /// A file that `ADD` brought: `regular`, too.
    Download,
}

impl Kind {
    /// As filters and tables name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Step | Kind::Download => "regular",
            Kind::CacheMount => "exec.cachemount",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it can be named by.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// The step's name, or what is mounted.
    pub description: String,
    /// What its removal would free, if nothing else has it.
    pub size_bytes: u64,
    /// When it was made.
    pub created: Time,
    /// When it was last wanted.
    pub last_used: Time,
    /// How often a command had it; 0 for steps, of which only the last time is known.
    pub uses: u64,
    /// A command has it now.
    pub in_use: bool,
    /// An image or a container has its layer too: the removal would free nothing.
    pub shared: bool,
}

/// All that is in the cache, the least recently used first. Steps that made one layer are one row; those that made none have no size.
///
/// # Errors
/// [`CacheError`].
pub fn du(store: &Store) -> Result<Vec<Row>, CacheError> {
    Ok(entries(store)?.into_iter().map(|entry| entry.row).collect())
}

/// A row, and how it is removed.
pub(super) struct Entry {
    pub(super) row: Row,
    pub(super) what: What,
}

pub(super) enum What {
    /// Results under these keys.
    Steps(Vec<Digest>),
    Mount(mounts::Found),
    /// In this directory.
    Download(PathBuf),
}

pub(super) fn entries(store: &Store) -> Result<Vec<Entry>, CacheError> {
    let of_images = image_layers(store)?;
    let mut entries: Vec<Entry> = Vec::new();
    // A step is written under two keys where its files are a stage's: by its layers and by its files.
    let mut by_layer: std::collections::BTreeMap<ChainId, usize> = std::collections::BTreeMap::new();
    for step in store.steps()? {
        let layer = step.record.layer;
        if let Some(at) = layer.as_ref().and_then(|layer| by_layer.get(&layer.chain)) {
            let entry = &mut entries[*at];
            entry.row.last_used = entry.row.last_used.max(step.last_used);
            if let What::Steps(keys) = &mut entry.what {
                keys.push(step.key);
            }
            continue;
        }
        let shared = layer.as_ref().is_some_and(|layer| of_images.contains(&layer.chain));
        let row = Row {
            id: step.key.hex().to_owned(),
            kind: Kind::Step,
            description: step.record.name,
            size_bytes: layer.as_ref().map_or(0, |layer| layer.size_bytes),
            created: step.record.created,
            last_used: step.last_used,
            uses: 0,
            in_use: false,
            shared,
        };
        if let Some(layer) = layer {
            by_layer.insert(layer.chain, entries.len());
        }
        entries.push(Entry { row, what: What::Steps(vec![step.key]) });
    }
    for found in mounts::all(store)? {
        let row = Row {
            id: found.dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: Kind::CacheMount,
            description: format!("cached mount {}", found.record.id),
            size_bytes: found.record.disk_bytes,
            created: found.record.created,
            last_used: found.record.last_used,
            uses: found.record.uses,
            in_use: found.held.is_none(),
            shared: false,
        };
        entries.push(Entry { row, what: What::Mount(found) });
    }
    for (dir, record) in downloads::all(store)? {
        let row = Row {
            id: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: Kind::Download,
            description: format!("download of {}", record.url),
            size_bytes: record.size_bytes,
            created: record.created,
            last_used: record.last_used,
            uses: record.uses,
            in_use: false,
            shared: false,
        };
        entries.push(Entry { row, what: What::Download(dir) });
    }
    entries.sort_by(|a, b| (a.row.last_used, &a.row.id).cmp(&(b.row.last_used, &b.row.id)));
    Ok(entries)
}

fn image_layers(store: &Store) -> Result<BTreeSet<ChainId>, StoreError> {
    Ok(store.images()?.into_iter().flat_map(|(image, _)| image.chains).collect())
}
