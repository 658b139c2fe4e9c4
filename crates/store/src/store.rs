//! Where the store's files are, and the two locks. See `docs/formats/store.md`.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use disk::{DiskError, Lock, faults};
use spec::digest::{ChainId, DiffId, Digest, ImageId};
use spec::id::ContainerId;
use spec::reference::Reference;

use crate::skeleton;

/// Why the store's files could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("{act} {path}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A record is damaged, or newer than this program.
    #[error(transparent)]
    Record(#[from] DiskError),
    /// What a record names is missing or is not what it was.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The image went away while it was being used.
    #[error("No such image: {0}")]
    Gone(ImageId),
    /// A layer went away while it was being used.
    #[error("layer {0} was removed meanwhile: build again")]
    LayerGone(ChainId),
    /// There is no such writable layer.
    #[error("container {0} has no writable layer")]
    NoDraft(ContainerId),
}

impl StoreError {
    pub(crate) fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { act, path, source }
    }
}

/// The images and writable layers below one root. Holds nothing but the path: any number of processes use one store at once.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store below `root`, an absolute path, and makes what is missing.
    ///
    /// # Errors
    /// Of the file system.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        let store = Store { root: root.to_owned() };
        // What is made last tells that all is there: one look in the usual case.
        let skeleton = store.skeleton();
        if !skeleton::is_whole(&skeleton) {
            for dir in [store.blobs_dir(), store.snapshots_dir(), store.drafts_dir(), store.names_dir()] {
                // Below, files belong to whomever the image says, set-user-id programs among them: nobody else walks in.
                DirBuilder::new().recursive(true).mode(0o711).create(&dir).map_err(StoreError::io("making", &dir))?;
            }
            skeleton::make(&skeleton).map_err(StoreError::io("making", &skeleton))?;
        }
        Ok(store)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn blobs_dir(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    /// Configs and manifests under other digests than SHA-256 are refused when they come.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs_dir().join(digest.hex())
    }

    /// The layer below all images.
    pub(crate) fn skeleton(&self) -> PathBuf {
        self.root.join("skeleton")
    }

    pub(crate) fn snapshots_dir(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    pub(crate) fn snapshot(&self, chain: &ChainId) -> PathBuf {
        self.snapshots_dir().join(chain.0.hex())
    }

    pub(crate) fn drafts_dir(&self) -> PathBuf {
        self.root.join("drafts")
    }

    pub(crate) fn draft_dir(&self, id: &ContainerId) -> PathBuf {
        self.drafts_dir().join(id.as_str())
    }

    pub(crate) fn images_dir(&self) -> PathBuf {
        self.root.join("images")
    }

    pub(crate) fn image_file(&self, id: &ImageId) -> PathBuf {
        self.images_dir().join(format!("{}.json", id.0.hex()))
    }

    pub(crate) fn origins_dir(&self) -> PathBuf {
        self.root.join("origins")
    }

    pub(crate) fn origins_file(&self, layer: &DiffId) -> PathBuf {
        self.origins_dir().join(format!("{}.json", layer.0.hex()))
    }

    pub(crate) fn attested_dir(&self) -> PathBuf {
        self.root.join("images/attested")
    }

    pub(crate) fn attested_file(&self, id: &ImageId) -> PathBuf {
        self.attested_dir().join(format!("{}.json", id.0.hex()))
    }

    /// Where blobs are while they come: `docs/formats/partial.md`.
    #[must_use]
    pub fn partial_dir(&self) -> PathBuf {
        self.root.join("partial")
    }

    pub(crate) fn names_dir(&self) -> PathBuf {
        self.root.join("images/names")
    }

    pub(crate) fn name_file(&self, reference: &Reference) -> PathBuf {
        self.names_dir().join(name_file(reference))
    }

    pub(crate) fn garbage_mark(&self) -> PathBuf {
        self.root.join("garbage")
    }

    /// While the lock is held, nothing is collected.
    ///
    /// # Errors
    /// Of the lock's file.
    pub fn share(&self) -> Result<Lock, StoreError> {
        let path = self.root.join("store.lock");
        Lock::shared(&path).map_err(StoreError::io("locking", &path))
    }

    /// Keeps everybody out; none when somebody is in.
    pub(crate) fn try_alone(&self) -> Result<Option<Lock>, StoreError> {
        let path = self.root.join("store.lock");
        Lock::try_exclusive(&path).map_err(StoreError::io("locking", &path))
    }

    /// For as long as records or names change. Taken after the other lock.
    pub(crate) fn lock_images(&self) -> Result<Lock, StoreError> {
        let path = self.images_dir().join(".lock");
        Lock::exclusive(&path).map_err(StoreError::io("locking", &path))
    }

    /// A file of the store's file system that has no name and goes when it is closed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn spool(&self) -> Result<File, StoreError> {
        Ingest::new(self)?.unnamed("spool")
    }

    /// A path in `drafts/` that nobody else has; the collector knows what begins so.
    pub(crate) fn passing(&self, kind: Passing) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let word = match kind {
            Passing::Ingest => INGEST,
            Passing::Removed => REMOVED,
        };
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        self.drafts_dir().join(format!("{word}{}-{n}", std::process::id()))
    }
}

pub(crate) const INGEST: &str = ".ingest-";
pub(crate) const REMOVED: &str = ".removed-";

/// What does not stay.
#[derive(Clone, Copy)]
pub(crate) enum Passing {
    Ingest,
    Removed,
}

/// A directory that is deleted with its value unless it was renamed away first.
#[derive(Debug)]
pub(crate) struct Ingest {
    path: PathBuf,
}

impl Ingest {
    pub(crate) fn new(store: &Store) -> Result<Ingest, StoreError> {
        let act = StoreError::io;
        loop {
            let path = store.passing(Passing::Ingest);
            faults::act("make ingest").map_err(act("making", &path))?;
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Ingest { path }),
                // A dead process had our number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(act("making", &path)(e)),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it that has no name any more and goes when it is closed.
    pub(crate) fn unnamed(&self, name: &str) -> Result<File, StoreError> {
        let path = self.path.join(name);
        let open = File::options().read(true).write(true).create_new(true).open(&path);
        let file = open.map_err(StoreError::io("making", &path))?;
        unlink(&path)?;
        Ok(file)
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        // What cannot be deleted now is garbage that the collector knows.
        let _ = disk::remove_tree(&self.path);
    }
}

pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io("syncing", dir))
}

/// Removes a file; what is gone is no error. Whether it was there.
pub(crate) fn unlink(path: &Path) -> Result<bool, StoreError> {
    match faults::act("unlink").and_then(|()| fs::remove_file(path)) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(StoreError::io("removing", path)(e)),
    }
}

/// The names in a directory.
pub(crate) fn list(dir: &Path) -> Result<Vec<String>, StoreError> {
    let failed = || StoreError::io("listing", dir);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed())? {
        names.push(entry.map_err(failed())?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn name_file(reference: &Reference) -> String {
    const LONGEST: usize = 200;
    let canonical = reference.to_string();
    let escaped = canonical.replace('/', "+");
    if escaped.len() <= LONGEST {
        return format!("{escaped}.json");
    }
    format!("{}~{}.json", &escaped[..LONGEST / 2], Digest::sha256(canonical.as_bytes()).hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_files_that_can_be() {
        let check = |text: &str| name_file(&text.parse().unwrap());
        assert_eq!(check("nginx"), "docker.io+library+nginx:latest.json");
        assert_eq!(check("localhost:5000/a/b:v1"), "localhost:5000+a+b:v1.json");
        let long = format!("{}:{}", "a/".repeat(110) + "b", "t".repeat(128));
        assert!(check(&long).len() < 200);
        assert_ne!(check(&long), check(&format!("{long}x").replace("tx", "u")));
    }
}
