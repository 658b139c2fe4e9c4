//! `builder prune`, `builder du`: what builds have left for the next ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use disk::remove_tree;
use rustix::fs::statvfs;
use spec::digest::Digest;
use spec::event::Kind;
use spec::time::Time;

use crate::error::Error;
use crate::host::Host;

/// Something of the build cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// What it is known by.
    pub id: String,
    /// What it is.
    pub what: What,
    /// As the user saw it: `[2/3] RUN make`, or what a cache mount is for.
    pub description: String,
    /// On the disk.
    pub disk_bytes: u64,
    /// When it was made, if that is known.
    pub created: Option<Time>,
    /// When it was last wanted.
    pub last_used: Time,
    /// An image has it, too: forgetting it frees nothing.
    pub is_shared: bool,
}

/// What of the build cache something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The result of a step.
    Step(Digest),
    /// A `cache` mount.
    Mount(PathBuf),
}

/// What is to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// So much may stay whatever else is said: `--reserved-space`.
    pub reserved_bytes: u64,
    /// More than this goes: `--max-used-space`.
    pub max_used_bytes: Option<u64>,
    /// So much is to be free on the file system: `--min-free-space`.
    pub min_free_bytes: Option<u64>,
}

/// What went.
#[derive(Clone, Debug, Default)]
pub struct Pruned {
    /// In the order in which it went.
    pub removed: Vec<Cached>,
    /// On the disk.
    pub freed_bytes: u64,
}

/// All of it, the least recently used first.
///
/// # Errors
/// Of the store.
pub fn list(host: &Host) -> Result<Vec<Cached>, Error> {
    let steps = host.store.usage()?.steps.into_iter().map(|usage| Cached {
        id: usage.step.key.hex()[..25].to_owned(),
        description: usage.step.record.name.clone(),
        disk_bytes: usage.disk_bytes,
        created: Some(usage.step.record.created),
        last_used: usage.step.last_used,
        is_shared: usage.is_in_use,
        what: What::Step(usage.step.key),
    });
    let mut all: Vec<Cached> = steps.collect();
    all.extend(mounts(host)?);
    all.sort_by(|a, b| (a.last_used, &a.id).cmp(&(b.last_used, &b.id)));
    Ok(all)
}

/// Where the builder keeps them.
fn mounts_dir(host: &Host) -> PathBuf {
    host.store.build_cache_dir().join("mounts")
}

fn mounts(host: &Host) -> Result<Vec<Cached>, Error> {
    let dir = mounts_dir(host);
    let failed = || Error::io(format!("reading {}", dir.display()));
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed())?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed())?;
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        all.push(Cached {
            description: format!("cached mount {name}"),
            id: name,
            disk_bytes: store::extent(&path).map_or(0, |extent| extent.disk_bytes),
            created: None,
            last_used: changed(&path),
            is_shared: false,
            what: What::Mount(path),
        });
    }
    Ok(all)
}

fn changed(path: &Path) -> Time {
    let since =
        fs::metadata(path).and_then(|meta| meta.modified()).ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Time::from_ns(since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or_default())
}

/// Takes away what is wanted gone, the least recently used first, until `keep` is met. What a build that runs needs, its drafts keep.
///
/// # Errors
/// Of the store.
pub fn prune(host: &Host, keep: Keep, wants: &dyn Fn(&Cached) -> bool) -> Result<Pruned, Error> {
    let all = list(host)?;
    let mut left: u64 = all.iter().map(|one| one.disk_bytes).sum();
    let is_limited = keep.reserved_bytes > 0 || keep.max_used_bytes.is_some() || keep.min_free_bytes.is_some();
    let mut pruned = Pruned::default();
    for one in all.into_iter().filter(|one| wants(one)) {
        if is_limited && is_enough(host, keep, left, pruned.freed_bytes)? {
            break;
        }
        let gone = match &one.what {
            What::Step(key) => host.store.remove_step(key).map(|()| true)?,
            What::Mount(dir) => remove_mount(dir).map_err(Error::io(format!("removing {}", dir.display())))?,
        };
        if !gone {
            continue;
        }
        left = left.saturating_sub(one.disk_bytes);
        if let What::Mount(_) = one.what {
            pruned.freed_bytes += one.disk_bytes;
        }
        pruned.removed.push(one);
    }
    pruned.freed_bytes += host.store.collect()?.disk_bytes;
    if !pruned.removed.is_empty() {
        host.note_prune(Kind::Builder, pruned.freed_bytes);
    }
    Ok(pruned)
}

/// BuildKit's rule (`calculateKeepBytes`): what is reserved stays; above the maximum, and while too little is free, it goes.
fn is_enough(host: &Host, keep: Keep, left: u64, freed: u64) -> Result<bool, Error> {
    if left <= keep.reserved_bytes {
        return Ok(true);
    }
    let too_much = match (keep.max_used_bytes, keep.min_free_bytes) {
        (None, None) => true,
        (max, min_free) => {
            let is_above = max.is_some_and(|max| left > max);
            let is_tight = match min_free {
                Some(min) => free_bytes(host)?.saturating_add(freed) < min,
                None => false,
            };
            is_above || is_tight
        }
    };
    Ok(!too_much)
}

fn free_bytes(host: &Host) -> Result<u64, Error> {
    let stat = statvfs(host.home.root());
    let stat = stat.map_err(|e| Error::Io("asking how much of the disk is free".into(), e.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// One that a command has mounted now is held by its builder, and stays. Whether it went.
fn remove_mount(dir: &Path) -> io::Result<bool> {
    let held = match fs::File::open(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    match held.try_lock() {
        Ok(()) => remove_tree(dir).map(|()| true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(e)) => Err(e),
    }
}
