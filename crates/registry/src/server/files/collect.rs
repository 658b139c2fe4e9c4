//! Garbage: blobs that no manifest names, uploads that nobody goes on with, and what dead processes left.
//!
//! Most of the work is done beside clients that push: which blobs are old and which are named is found out without the lock. Then the
//! lock is taken alone, manifests that came meanwhile are looked at too, ages are asked again, and garbage is renamed away; nobody can
//! have heard that a blob is there and find it gone, because who asks for it makes it young. It is deleted after the lock is let go.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use disk::{Lock, faults};
use rustix::fs::{CWD, RenameFlags};
use spec::digest::{Algorithm, BlobDigest, Digest};

use super::{Files, Place, found, list, unlink};
use crate::server::document::Document;
use crate::server::names::{UploadId, Which};
use crate::server::storage::StorageError;

/// How long an upload waits for its client.
const UPLOAD_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What manifests name; each is read once.
#[derive(Default)]
struct Named {
    manifests: BTreeSet<(PathBuf, BlobDigest)>,
    blobs: BTreeSet<BlobDigest>,
}

impl Files {
    pub(super) fn collect_garbage(&self) -> Result<u64, StorageError> {
        let mut named = Named::default();
        self.name(&mut named)?;
        let old = self.old_blobs(&named)?;

        let alone = self.alone()?;
        self.name(&mut named)?;
        self.set_aside(&old, &named)?;
        self.drop_uploads()?;
        self.drop_empty()?;
        drop(alone);
        self.sweep()
    }

    /// Adds what manifests name that were not looked at yet. One that cannot be read stops it all: what it names is not known.
    fn name(&self, named: &mut Named) -> Result<(), StorageError> {
        for repository in self.all()? {
            let place = self.place(&repository);
            for digest in self.manifests_of(&place)? {
                if !named.manifests.insert((place.0.clone(), digest.clone())) {
                    continue;
                }
                let manifest = match self.read_manifest(&repository, &Which::Digest(digest.clone())) {
                    // Deleted meanwhile; or its bytes are gone, and then it names nothing.
                    Err(StorageError::ManifestUnknown(_)) => continue,
                    other => other?,
                };
                let document = Document::read(&manifest.media_type, &manifest.bytes)?;
                named.blobs.extend(document.blobs().chain(document.members()).cloned());
                named.blobs.insert(digest);
            }
        }
        Ok(())
    }

    fn old_blobs(&self, named: &Named) -> Result<Vec<BlobDigest>, StorageError> {
        let mut old = Vec::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for hex in list(&self.root.join("blobs").join(algorithm.name()))? {
                let Ok(digest) = format!("{}:{hex}", algorithm.name()).parse::<Digest>().map(BlobDigest) else {
                    continue;
                };
                if !named.blobs.contains(&digest) && is_older(&self.blob_file(&digest), self.grace)? {
                    old.push(digest);
                }
            }
        }
        Ok(old)
    }

    /// Needs the storage alone. The markers go first: a marker without a blob is no blob.
    fn set_aside(&self, old: &[BlobDigest], named: &Named) -> Result<(), StorageError> {
        let repositories = self.all()?;
        for digest in old {
            let path = self.blob_file(digest);
            if named.blobs.contains(digest) || !is_older(&path, self.grace)? {
                continue;
            }
            for repository in &repositories {
                unlink(&self.place(repository).blob(digest))?;
            }
            self.aside(&path)?;
        }
        Ok(())
    }

    fn aside(&self, path: &Path) -> Result<(), StorageError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let aside = self.aside_dir();
        let renamed = loop {
            let away = aside.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
            // A dead process may have had our number.
            match faults::act("set aside").and_then(|()| rename_new(path, &away)) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => break other,
            }
        };
        found(renamed, "removing", path).map(drop)
    }

    fn drop_uploads(&self) -> Result<(), StorageError> {
        for repository in self.all()? {
            let dir = self.place(&repository).uploads();
            for name in list(&dir)? {
                let path = dir.join(&name);
                // A request that appends to it right now holds it.
                let held = if is_older(&path, UPLOAD_AGE)? {
                    Lock::try_exclusive(&path).map_err(StorageError::io("locking", &path))?
                } else {
                    None
                };
                if held.is_some() {
                    unlink(&path)?;
                    if let (Ok(id), Ok(mut hashed)) = (name.parse::<UploadId>(), self.hashed.lock()) {
                        hashed.remove(&id);
                    }
                }
            }
        }
        Ok(())
    }

    /// Repositories in which nothing is left, and lists of referrers that have become empty. Needs the storage alone.
    fn drop_empty(&self) -> Result<(), StorageError> {
        for repository in self.all()? {
            let place = self.place(&repository);
            for subject in list(&place.referrers())? {
                remove_empty(&place.referrers().join(subject))?;
            }
            let full = [place.blobs(), place.manifests(), place.tags(), place.uploads(), place.referrers()];
            let mut left = 0;
            for dir in &full {
                left += list(dir)?.len();
            }
            if left == 0 {
                self.aside(&place.0)?;
            }
        }
        Ok(())
    }

    /// Deletes what was set aside, by whomever, and temporaries of writers that died.
    fn sweep(&self) -> Result<u64, StorageError> {
        let mut freed = 0;
        for name in list(&self.aside_dir())? {
            let path = self.aside_dir().join(name);
            let Some(metadata) = found(fs::symlink_metadata(&path), "looking at", &path)? else { continue };
            freed += metadata.blocks() * 512;
            let removed = if metadata.is_dir() { disk::remove_tree(&path) } else { fs::remove_file(&path) };
            found(removed, "removing", &path)?;
        }
        let blobs =
            [Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| self.root.join("blobs").join(algorithm.name()));
        let mut dirs = blobs.to_vec();
        for repository in self.all()? {
            let Place(place) = self.place(&repository);
            dirs.extend(["blobs", "manifests", "tags"].map(|dir| place.join(dir)));
        }
        for dir in dirs {
            self.sweep_temporaries(&dir)?;
        }
        Ok(freed)
    }

    /// `disk::replace` writes `.<name>.<pid>.<n>` first and is done with it in no time.
    fn sweep_temporaries(&self, dir: &Path) -> Result<(), StorageError> {
        let Some(entries) = found(fs::read_dir(dir), "listing", dir)? else { return Ok(()) };
        for entry in entries {
            let entry = entry.map_err(StorageError::io("listing", dir))?;
            let temporary = entry.file_name().as_encoded_bytes().starts_with(b".");
            if temporary && is_older(&entry.path(), self.grace.max(Duration::from_secs(60)))? {
                unlink(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// What is not there is not old.
fn is_older(path: &Path, age: Duration) -> Result<bool, StorageError> {
    let modified = found(fs::symlink_metadata(path).and_then(|metadata| metadata.modified()), "looking at", path)?;
    // A file of the future is new.
    Ok(modified.is_some_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed > age)))
}

fn remove_empty(dir: &Path) -> Result<(), StorageError> {
    match found(fs::remove_dir(dir), "removing", dir) {
        Err(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other.map(drop),
    }
}

fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}
