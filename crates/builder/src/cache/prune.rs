//! `builder prune`, and the bound on what the cache takes.

use spec::time::Time;
use store::Store;

use super::du::{Entry, What, entries};
use super::{CacheError, Kind, Row};

/// What is removed.
#[derive(Clone, Debug)]
pub struct Prune {
    /// All, or what is no part of an image or container.
    pub keep: Keep,
    /// Only what was last wanted before this (`until=`).
    pub until: Option<Time>,
    /// Only what has one of these identifiers, or begins so (`id=`); empty: any.
    pub ids: Vec<String>,
    /// Only this (`type=`).
    pub kind: Option<Kind>,
    /// So much may stay (`--keep-storage`): the most recently used.
    pub keep_bytes: u64,
}

/// What stays in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What images have too: its removal frees nothing, and makes a build longer. Without `--all`.
    Shared,
    /// Nothing.
    Nothing,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Its rows.
    pub rows: Vec<Row>,
    /// Freed on the disk.
    pub freed_bytes: u64,
}

/// Removes what is asked for, the least recently used first.
///
/// # Errors
/// [`CacheError`]; what was removed until then stays removed.
pub fn prune(store: &Store, wanted: &Prune) -> Result<Pruned, CacheError> {
    let all = entries(store)?;
    let mut held_bytes: u64 = all.iter().filter(|entry| !entry.row.shared).map(|entry| entry.row.size_bytes).sum();
    let mut pruned = Pruned::default();
    for entry in all {
        let bounded = wanted.keep_bytes > 0;
        if bounded && held_bytes <= wanted.keep_bytes {
            break;
        }
        if !wanted.takes(&entry.row) {
            continue;
        }
        if let Some(row) = remove(store, entry)? {
            let freed = if row.shared { 0 } else { row.size_bytes };
            held_bytes = held_bytes.saturating_sub(freed);
            if row.kind != Kind::Step {
                pruned.freed_bytes += row.size_bytes;
            }
            pruned.rows.push(row);
        }
    }
    if !pruned.rows.is_empty() {
        pruned.freed_bytes += store.collect()?.disk_bytes;
    }
    Ok(pruned)
}

/// Removes the least recently used until all takes no more than `limit_bytes`. What images have takes nothing. For after a build that made
/// something.
///
/// # Errors
/// [`CacheError`].
pub fn trim(store: &Store, limit_bytes: u64) -> Result<(), CacheError> {
    let keep = Keep::Nothing;
    prune(store, &Prune { keep, until: None, ids: Vec::new(), kind: None, keep_bytes: limit_bytes.max(1) }).map(|_| ())
}

impl Prune {
    fn takes(&self, row: &Row) -> bool {
        let id = |id: &String| !id.is_empty() && row.id.starts_with(id.as_str());
        !row.in_use
            && (self.keep == Keep::Nothing || !row.shared)
            && self.until.is_none_or(|until| row.last_used < until)
            && (self.ids.is_empty() || self.ids.iter().any(id))
            && self.kind.is_none_or(|kind| kind.name() == row.kind.name())
    }
}

/// None: it was wanted meanwhile.
fn remove(store: &Store, entry: Entry) -> Result<Option<Row>, CacheError> {
    match entry.what {
        What::Steps(keys) => {
            for key in &keys {
                store.remove_step(key)?;
            }
        }
        What::Mount(found) => {
            // Held: nobody else can have it.
            let Some(_held) = &found.held else { return Ok(None) };
            super::mounts::remove(&found.dir)?;
        }
        What::Download(dir) => super::downloads::remove(store, &dir)?,
    }
    Ok(Some(entry.row))
}
