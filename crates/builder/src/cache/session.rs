//! That a build goes on: a directory with a lock that dies with its process. Drafts and temporary files bear the build's name.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use disk::{Home, Lock, faults, remove_tree};
use spec::id::ContainerId;
use store::Store;

use super::mounts::Emptied;
use super::{CacheError, make_dir, names};

/// A build that goes on. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Session {
    name: String,
    /// `<run-root>/builds/<name>`.
    dir: PathBuf,
    /// `<root>/build-cache/tmp/<name>`, made when something is laid down.
    tmp: PathBuf,
    next: AtomicU64,
    /// What it has begun anew.
    pub(crate) emptied: Emptied,
    _held: Lock,
}

impl Session {
    /// Begins one, and takes away what dead ones left.
    ///
    /// # Errors
    /// Of the file system.
    pub fn open(home: &Home, store: &Store) -> Result<Session, CacheError> {
        sweep(home, store)?;
        let name = random()?;
        let dir = builds(home).join(&name);
        let held = loop {
            make_dir(&dir)?;
            faults::act("begin build").map_err(CacheError::io("making", &dir))?;
            match Lock::exclusive(&dir.join("lock")) {
                // A sweep that came between takes the directory for a dead build's.
                Ok(lock) if is_at(&lock, &dir.join("lock")) => break lock,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(CacheError::io("locking", &dir)(e)),
            }
        };
        let tmp = temporary(store).join(&name);
        Ok(Session { name, dir, tmp, next: AtomicU64::new(0), emptied: Emptied::default(), _held: held })
    }

    /// What drafts of it bear.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An identifier for a draft.
    pub(crate) fn draft_id(&self) -> Result<ContainerId, CacheError> {
        let mut bytes = [0; 32];
        let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
        filled.map_err(|e| CacheError::io("reading random bytes for", &self.dir)(e.into()))?;
        Ok(ContainerId::from_bytes(bytes))
    }

    /// An empty directory that goes with the build.
    ///
    /// # Errors
    /// Of the file system.
    pub fn temporary(&self) -> Result<PathBuf, CacheError> {
        let dir = self.tmp.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        make_dir(&dir)?;
        Ok(dir)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What stays is taken away by the next who opens the builder.
        let _ = remove_tree(&self.tmp);
        let _ = remove_tree(&self.dir);
    }
}

fn builds(home: &Home) -> PathBuf {
    home.run().join("builds")
}

pub(super) fn temporary(store: &Store) -> PathBuf {
    store.build_cache_dir().join("tmp")
}

pub(super) fn random() -> Result<String, CacheError> {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    filled.map_err(|e| CacheError::io("reading", Path::new("/dev/urandom"))(e.into()))?;
    Ok(spec::digest::hex(&bytes))
}

/// Whether the lock's file is the one that is there now.
pub(super) fn is_at(lock: &Lock, path: &Path) -> bool {
    let held = rustix::fs::fstat(lock.as_fd()).map(|stat| (stat.st_dev, stat.st_ino));
    let there = fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()));
    matches!((held, there), (Ok(held), Ok(there)) if held == there)
}

/// Takes away what dead builds left: their drafts, their temporary files, their locks.
///
/// # Errors
/// Of the file system.
pub fn sweep(home: &Home, store: &Store) -> Result<(), CacheError> {
    let mut alive = BTreeSet::new();
    let mut dead = Vec::new();
    for name in names(&builds(home))? {
        if name == super::turn::STEPS {
            continue;
        }
        let dir = builds(home).join(&name);
        let lock = dir.join("lock");
        match Lock::try_exclusive(&lock) {
            Ok(Some(held)) => dead.push((name, held)),
            Ok(None) => drop(alive.insert(name)),
            // It ended meanwhile.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(e) => return Err(CacheError::io("locking", &lock)(e)),
        }
    }
    // A build may have begun since they were listed. Those of `dead` are held here.
    let is_dead =
        |name: &String| !alive.contains(name) && (dead.iter().any(|(other, _)| other == name) || !lives(home, name));
    for (id, build) in store.build_drafts()? {
        if is_dead(&build) {
            store.remove_draft(&id)?;
        }
    }
    for name in names(&temporary(store))? {
        if is_dead(&name) {
            let dir = temporary(store).join(name);
            remove_tree(&dir).map_err(CacheError::io("removing", &dir))?;
        }
    }
    for (name, held) in dead {
        let dir = builds(home).join(name);
        match remove_tree(&dir) {
            // A build that was just about to take its lock makes another one there.
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            removed => removed.map_err(CacheError::io("removing", &dir))?,
        }
        drop(held);
    }
    Ok(())
}

/// Whether a build began since all were listed.
fn lives(home: &Home, build: &str) -> bool {
    matches!(Lock::try_shared(&builds(home).join(build).join("lock")), Ok(None))
}

/// Whether there may be something for [`sweep`]: one look at a directory that is nearly always empty. What a loss of power left is found by
/// the next build.
#[must_use]
pub fn may_have_died(home: &Home) -> bool {
    let is_held_by_nobody = |lock: &Path| match Lock::try_shared(lock) {
        Ok(held) => held.is_some(),
        // It died before it had one, or begins at this moment and will see that it was taken for dead.
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    };
    fs::read_dir(builds(home)).is_ok_and(|entries| {
        entries
            .filter_map(Result::ok)
            .any(|entry| entry.file_name() != super::turn::STEPS && is_held_by_nobody(&entry.path().join("lock")))
    })
}
