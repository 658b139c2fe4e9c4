//! A [`Storage`] in a directory: `docs/formats/registry.md`.
//!
//! - A blob has its name from the moment it is whole: it is hashed, synced and then renamed. A repository has a blob where it has a
//!   marker for it, and a manifest where it has a record of it; what is written first is what the second needs.
//! - `lock` is held shared by whoever makes something be referred to, and alone by the collector while it renames garbage away. A
//!   repository's own lock is taken after it, by whoever changes manifests and tags.
//! - So a process that dies at any point leaves uploads, unused blobs and temporaries, all of which the collector knows.

mod collect;
mod manifests;
mod uploads;

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, FileTimes};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use disk::{Durability, Lock, Record, faults};
use serde::{Deserialize, Serialize};
use spec::digest::{Algorithm, BlobDigest};

use self::uploads::Hashed;
use super::names::{Repository, Tag, UploadId, Which};
use super::storage::{Blob, Content, Demand, Listed, Manifest, Page, Referrers, Storage, StorageError, Upload};

/// How long a blob that no manifest names is kept: a client uploads blobs before the manifest.
const GRACE: Duration = Duration::from_secs(3600);

/// A registry in a directory. Any number of processes may use one directory.
#[derive(Clone, Debug)]
pub struct Files {
    root: PathBuf,
    grace: Duration,
    /// Digests of uploads between two of their requests; what is not here is read again.
    hashed: Arc<Mutex<HashMap<UploadId, Hashed>>>,
}

/// `format.json`.
#[derive(Serialize, Deserialize)]
struct Layout {}

impl Record for Layout {
    const FILE: &'static str = "format.json";
    const FORMAT: u32 = 1;
}

impl Files {
    /// Opens the storage in `root` and makes what is missing.
    ///
    /// # Errors
    /// [`StorageError`], also when a newer kist wrote it.
    pub fn open(root: &Path) -> Result<Files, StorageError> {
        let files = Files { root: root.into(), grace: GRACE, hashed: Arc::default() };
        if disk::read::<Layout>(root)?.is_none() {
            let blobs =
                [Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| root.join("blobs").join(algorithm.name()));
            for dir in blobs.into_iter().chain([files.repositories_dir(), files.aside_dir()]) {
                make_dir(&dir)?;
            }
            disk::write(root, &Layout {}, Durability::Durable)?;
        }
        Ok(files)
    }

    /// The same storage where a blob that no manifest names is kept for so long.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Files {
        Files { grace, ..self }
    }

    fn blob_file(&self, digest: &BlobDigest) -> PathBuf {
        self.root.join("blobs").join(digest.0.algorithm().name()).join(digest.0.hex())
    }

    fn repositories_dir(&self) -> PathBuf {
        self.root.join("repositories")
    }

    /// What the collector renamed away.
    fn aside_dir(&self) -> PathBuf {
        self.root.join("aside")
    }

    fn place(&self, repository: &Repository) -> Place {
        // No name holds a plus sign, and the longest is short enough for a file.
        Place(self.repositories_dir().join(repository.as_str().replace('/', "+")))
    }

    /// Keeps the collector out.
    fn share(&self) -> Result<Lock, StorageError> {
        let path = self.root.join("lock");
        Lock::shared(&path).map_err(StorageError::io("locking", &path))
    }

    /// Keeps everybody out.
    fn alone(&self) -> Result<Lock, StorageError> {
        let path = self.root.join("lock");
        Lock::exclusive(&path).map_err(StorageError::io("locking", &path))
    }

    /// Opens a blob, whoever has it, and keeps it for another while. Needs the lock.
    fn open_blob(&self, digest: &BlobDigest) -> Result<Option<Blob>, StorageError> {
        let path = self.blob_file(digest);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let Some((metadata, file)) = found(opened, "opening", &path)? else { return Ok(None) };
        let age = metadata.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
        if age > self.grace / 2 {
            // A client that hears that the blob is there pushes a manifest next. Where files cannot be changed, none are collected.
            let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
        }
        Ok(Some(Blob { size: metadata.len(), content: Content::File(file) }))
    }

    /// Gives a repository a blob that is there. Needs the lock.
    fn mark(&self, repository: &Repository, digest: &BlobDigest) -> Result<(), StorageError> {
        let place = self.place(repository);
        make_dir(&place.blobs())?;
        let marker = place.blob(digest);
        // Twice is no harm, and costs two syncs.
        if fs::symlink_metadata(&marker).is_ok() {
            return Ok(());
        }
        disk::replace(&marker, b"", Durability::Durable).map_err(StorageError::io("writing", &marker))
    }

    /// Whether a repository says that it has a blob.
    fn marked(&self, repository: &Repository, digest: &BlobDigest) -> Result<bool, StorageError> {
        let marker = self.place(repository).blob(digest);
        Ok(found(fs::symlink_metadata(&marker), "looking at", &marker)?.is_some())
    }

    fn anybody_has(&self, digest: &BlobDigest) -> Result<bool, StorageError> {
        for repository in self.all()? {
            if self.marked(&repository, digest)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All repositories, also those without manifests.
    fn all(&self) -> Result<Vec<Repository>, StorageError> {
        let names = list(&self.repositories_dir())?;
        Ok(names.into_iter().filter_map(|name| name.replace('+', "/").parse().ok()).collect())
    }
}

impl Storage for Files {
    fn repositories(&self, page: &Page) -> Result<Listed, StorageError> {
        let mut names = Vec::new();
        for repository in self.all()? {
            if !list(&self.place(&repository).manifests())?.is_empty() {
                names.push(repository.as_str().to_owned());
            }
        }
        Ok(page.of(names))
    }

    fn tags(&self, repository: &Repository, page: &Page) -> Result<Listed, StorageError> {
        self.list_tags(repository, page)
    }

    fn manifest(&self, repository: &Repository, which: &Which) -> Result<Manifest, StorageError> {
        self.read_manifest(repository, which)
    }

    fn put_manifest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        tags: &[Tag],
        demand: Demand,
    ) -> Result<Option<BlobDigest>, StorageError> {
        self.write_manifest(repository, manifest, tags, demand)
    }

    fn delete_manifest(&self, repository: &Repository, which: &Which) -> Result<(), StorageError> {
        match which {
            Which::Tag(tag) => self.remove_tag(repository, tag),
            Which::Digest(digest) => self.remove_manifest(repository, digest),
        }
    }

    fn referrers(
        &self,
        repository: &Repository,
        subject: &BlobDigest,
        after: Option<&BlobDigest>,
    ) -> Result<Referrers, StorageError> {
        self.list_referrers(repository, subject, after)
    }

    fn blob(&self, repository: &Repository, digest: &BlobDigest) -> Result<Blob, StorageError> {
        let _shared = self.share()?;
        let blob = if self.marked(repository, digest)? { self.open_blob(digest)? } else { None };
        blob.ok_or_else(|| StorageError::BlobUnknown(digest.clone()))
    }

    fn delete_blob(&self, repository: &Repository, digest: &BlobDigest) -> Result<(), StorageError> {
        let _shared = self.share()?;
        if unlink(&self.place(repository).blob(digest))? {
            return sync_dir(&self.place(repository).blobs());
        }
        Err(StorageError::BlobUnknown(digest.clone()))
    }

    fn mount(
        &self,
        repository: &Repository,
        digest: &BlobDigest,
        from: Option<&Repository>,
    ) -> Result<(), StorageError> {
        let _shared = self.share()?;
        let has = match from {
            Some(from) => self.marked(from, digest)?,
            None => self.anybody_has(digest)?,
        };
        match self.open_blob(digest)? {
            Some(_) if has => self.mark(repository, digest),
            Some(_) | None => Err(StorageError::BlobUnknown(digest.clone())),
        }
    }

    fn begin(&self, repository: &Repository, algorithm: Algorithm) -> Result<Box<dyn Upload>, StorageError> {
        Ok(Box::new(self.begin_upload(repository, algorithm)?))
    }

    fn upload(&self, repository: &Repository, id: &UploadId) -> Result<Box<dyn Upload>, StorageError> {
        Ok(Box::new(self.open_upload(repository, id)?))
    }

    fn collect(&self) -> Result<u64, StorageError> {
        self.collect_garbage()
    }
}

/// Where one repository's files are.
struct Place(PathBuf);

impl Place {
    fn blobs(&self) -> PathBuf {
        self.0.join("blobs")
    }

    fn blob(&self, digest: &BlobDigest) -> PathBuf {
        self.blobs().join(digest_file(digest))
    }

    fn manifests(&self) -> PathBuf {
        self.0.join("manifests")
    }

    fn manifest(&self, digest: &BlobDigest) -> PathBuf {
        self.manifests().join(digest_file(digest))
    }

    fn tags(&self) -> PathBuf {
        self.0.join("tags")
    }

    fn tag(&self, tag: &Tag) -> PathBuf {
        self.tags().join(tag.as_str())
    }

    fn referrers(&self) -> PathBuf {
        self.0.join("referrers")
    }

    fn referrers_of(&self, subject: &BlobDigest) -> PathBuf {
        self.referrers().join(digest_file(subject))
    }

    fn uploads(&self) -> PathBuf {
        self.0.join("uploads")
    }

    /// For as long as manifests or tags change. Taken after the storage's lock.
    fn lock(&self) -> Result<Lock, StorageError> {
        let path = self.0.join(".lock");
        Lock::exclusive(&path).map_err(StorageError::io("locking", &path))
    }

    fn is_there(&self) -> bool {
        self.0.is_dir()
    }

    /// Whether a client would say that it exists: an upload alone does not make it.
    fn is_known(&self) -> Result<bool, StorageError> {
        for dir in [self.tags(), self.manifests(), self.blobs()] {
            if !list(&dir)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn digest_file(digest: &BlobDigest) -> String {
    format!("{}-{}", digest.0.algorithm().name(), digest.0.hex())
}

fn digest_of_file(name: &str) -> Option<BlobDigest> {
    name.replacen('-', ":", 1).parse().ok().map(BlobDigest)
}

/// With those above it, and so that none is lost with what is written into it.
fn make_dir(dir: &Path) -> Result<(), StorageError> {
    let made = faults::act("make directory").and_then(|()| DirBuilder::new().mode(0o700).create(dir));
    match (made, dir.parent()) {
        (Ok(()), Some(above)) => sync_dir(above),
        (Err(e), _) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        (Err(e), Some(above)) if e.kind() == io::ErrorKind::NotFound => make_dir(above).and_then(|()| make_dir(dir)),
        (made, _) => made.map_err(StorageError::io("making", dir)),
    }
}

fn sync_dir(dir: &Path) -> Result<(), StorageError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StorageError::io("syncing", dir))
}

/// None for what is not there.
fn found<T>(result: io::Result<T>, act: &'static str, path: &Path) -> Result<Option<T>, StorageError> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(StorageError::io(act, path)),
    }
}

/// Removes a file; what is gone is no error. Whether it was there.
fn unlink(path: &Path) -> Result<bool, StorageError> {
    Ok(found(faults::act("unlink").and_then(|()| fs::remove_file(path)), "removing", path)?.is_some())
}

/// The names in a directory without temporaries and locks, which begin with a dot; none where there is no directory.
fn list(dir: &Path) -> Result<Vec<String>, StorageError> {
    let Some(entries) = found(fs::read_dir(dir), "listing", dir)? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(StorageError::io("listing", dir))?.file_name();
        names.extend(name.into_string().ok().filter(|name| !name.starts_with('.')));
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests look at files as they are")]
mod tests;
