//! `builder prune`: what builds have left for the next ones, taken away as far as is wanted; and the bound on it.

use builder::cache::{self, CacheError, Pruned, Row};
use rustix::fs::statvfs;
use spec::event::Kind;

use crate::error::Error;
use crate::host::Host;

pub use builder::cache::{Keep, Kind as What, Prune};

/// What may stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// So much may stay whatever else is said: `--reserved-space`.
    pub reserved_bytes: u64,
    /// More than this goes: `--max-used-space`.
    pub max_used_bytes: Option<u64>,
    /// So much is to be free on the file system: `--min-free-space`.
    pub min_free_bytes: Option<u64>,
}

/// All of the cache, the least recently used first.
///
/// # Errors
/// Of the files.
pub fn list(host: &Host) -> Result<Vec<Row>, Error> {
    cache::du(&host.store).map_err(failed)
}

/// Takes away what is wanted gone, the least recently used first, until no more than `space` says is left.
///
/// # Errors
/// Of the files.
pub fn prune(host: &Host, wanted: Prune, space: Space) -> Result<Pruned, Error> {
    let keep_bytes = match space {
        Space { reserved_bytes, max_used_bytes: None, min_free_bytes: None } => reserved_bytes,
        Space { reserved_bytes, max_used_bytes, min_free_bytes } => {
            let held: u64 = list(host)?.iter().filter(|row| !row.shared).map(|row| row.size_bytes).sum();
            let missing = match min_free_bytes {
                Some(min) => min.saturating_sub(free_bytes(host)?),
                None => 0,
            };
            let most = max_used_bytes.unwrap_or(u64::MAX).min(held.saturating_sub(missing));
            // Nothing at all may stay: which is said by a byte, as 0 says nothing.
            most.max(reserved_bytes).max(1)
        }
    };
    let pruned = cache::prune(&host.store, &Prune { keep_bytes, ..wanted }).map_err(failed)?;
    if !pruned.rows.is_empty() {
        host.note_prune(Kind::Builder, pruned.freed_bytes);
    }
    Ok(pruned)
}

/// After a build that made something: the least recently used goes until the bound is held.
///
/// # Errors
/// Of the files.
pub fn trim(host: &Host) -> Result<(), Error> {
    let limit = host.settings.build_cache_limit_bytes;
    let limit = limit.unwrap_or_else(|| cache::default_limit_bytes(host.home.root()));
    cache::trim(&host.store, limit).map_err(failed)
}

/// Takes away what builds left that died. One look where none did.
pub(crate) fn sweep(host: &Host) -> Result<(), Error> {
    if cache::may_have_died(&host.home) {
        cache::sweep(&host.home, &host.store).map_err(failed)?;
    }
    Ok(())
}

fn free_bytes(host: &Host) -> Result<u64, Error> {
    let stat = statvfs(host.home.root());
    let stat = stat.map_err(|e| Error::Io("asking how much of the disk is free".into(), e.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn failed(error: CacheError) -> Error {
    Error::other("the build cache")(error)
}
