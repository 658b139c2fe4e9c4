//! Blobs that grow: a file in its repository, locked for as long as one request appends to it.
//!
//! Nothing is synced before the end: after a loss of power the file may lack what was acknowledged, or hold something else. The first the
//! client learns when it asks how far it came, the second by the digest, which is then made from the file.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use disk::faults;
use spec::digest::{Algorithm, BlobDigest, Hasher};

use super::{Files, make_dir, sync_dir, unlink};
use crate::server::names::{Repository, UploadId};
use crate::server::storage::{StorageError, Upload};

/// How many digests are kept between requests. Other uploads are read again at their end.
const HASHED_MAX: usize = 4096;

/// The digest of an upload's first bytes.
#[derive(Clone)]
pub(super) struct Hashed {
    hasher: Hasher,
    algorithm: Algorithm,
    bytes: u64,
}

impl std::fmt::Debug for Hashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} bytes", self.algorithm.name(), self.bytes)
    }
}

impl Hashed {
    fn new(algorithm: Algorithm) -> Hashed {
        Hashed { hasher: Hasher::new(algorithm), algorithm, bytes: 0 }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

/// An upload that this request alone has.
struct Growing {
    files: Files,
    repository: Repository,
    id: UploadId,
    path: PathBuf,
    file: File,
    offset: u64,
    hashed: Hashed,
}

impl Files {
    pub(super) fn begin_upload(
        &self,
        repository: &Repository,
        algorithm: Algorithm,
    ) -> Result<impl Upload + use<>, StorageError> {
        let _shared = self.share()?;
        let dir = self.place(repository).uploads();
        make_dir(&dir)?;
        let id = UploadId::random().map_err(StorageError::io("naming an upload in", &dir))?;
        let path = dir.join(id.as_str());
        let made = faults::act("make upload")
            .and_then(|()| File::options().read(true).append(true).create_new(true).open(&path))
            .and_then(|file| file.lock().map(|()| file));
        let file = made.map_err(StorageError::io("making", &path))?;
        let hashed = Hashed::new(algorithm);
        Ok(Growing { files: self.clone(), repository: repository.clone(), id, path, file, offset: 0, hashed })
    }

    pub(super) fn open_upload(
        &self,
        repository: &Repository,
        id: &UploadId,
    ) -> Result<impl Upload + use<>, StorageError> {
        let path = self.place(repository).uploads().join(id.as_str());
        let failed = || StorageError::io("opening", &path);
        let unknown = || StorageError::UploadUnknown(id.clone());
        let opened = super::found(File::options().read(true).append(true).open(&path), "opening", &path)?;
        let file = opened.ok_or_else(unknown)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StorageError::UploadBusy(id.clone())),
            Err(TryLockError::Error(e)) => return Err(failed()(e)),
        }
        // Who held the lock before may have finished or cancelled it.
        if super::found(fs::symlink_metadata(&path), "looking at", &path)?.is_none() {
            return Err(unknown());
        }
        let offset = file.metadata().map_err(failed())?.len();
        let kept = self.hashed.lock().ok().and_then(|mut kept| kept.remove(id));
        let hashed = kept.unwrap_or_else(|| Hashed::new(Algorithm::Sha256));
        Ok(Growing { files: self.clone(), repository: repository.clone(), id: id.clone(), path, file, offset, hashed })
    }
}

impl Growing {
    /// The digest of the whole file: nearly always known by now.
    fn digest(&mut self, algorithm: Algorithm) -> Result<BlobDigest, StorageError> {
        if self.hashed.algorithm != algorithm || self.hashed.bytes != self.offset {
            let mut hashed = Hashed::new(algorithm);
            let mut piece = vec![0; 1 << 20];
            self.file.rewind().map_err(StorageError::io("reading", &self.path))?;
            loop {
                match self.file.read(&mut piece).map_err(StorageError::io("reading", &self.path))? {
                    0 => break,
                    n => hashed.update(&piece[..n]),
                }
            }
            self.hashed = hashed;
        }
        Ok(BlobDigest(self.hashed.hasher.clone().finish()))
    }

    /// Renames the file to where blobs are; the marker comes last.
    fn publish(&self, digest: &BlobDigest) -> Result<(), StorageError> {
        let path = self.files.blob_file(digest);
        faults::act("sync upload")
            .and_then(|()| self.file.sync_all())
            .map_err(StorageError::io("syncing", &self.path))?;
        let _shared = self.files.share()?;
        if self.files.open_blob(digest)?.is_some() {
            unlink(&self.path)?;
        } else {
            faults::act("publish blob")
                .and_then(|()| fs::rename(&self.path, &path))
                .map_err(StorageError::io("publishing", &path))?;
            sync_dir(&self.files.root.join("blobs").join(digest.0.algorithm().name()))?;
        }
        self.files.mark(&self.repository, digest)
    }
}

impl Upload for Growing {
    fn id(&self) -> &UploadId {
        &self.id
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn reader(&self) -> Result<File, StorageError> {
        self.file.try_clone().map_err(StorageError::io("opening", &self.path))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all(bytes).map_err(StorageError::io("writing", &self.path))?;
        if self.hashed.bytes == self.offset {
            self.hashed.update(bytes);
        }
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn finish(mut self: Box<Self>, want: &BlobDigest) -> Result<(), StorageError> {
        let got = self.digest(want.0.algorithm())?;
        if got != *want {
            self.cancel()?;
            return Err(StorageError::Mismatch { want: want.clone(), got });
        }
        self.publish(want)
    }

    fn cancel(self: Box<Self>) -> Result<(), StorageError> {
        unlink(&self.path).map(drop)
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // Before the lock goes with the file: whoever comes next wants it. An upload that is over has no next request.
        let waits = fs::symlink_metadata(&self.path).is_ok();
        if let Ok(mut kept) = self.files.hashed.lock()
            && waits
            && kept.len() < HASHED_MAX
        {
            kept.insert(self.id.clone(), self.hashed.clone());
        }
    }
}
