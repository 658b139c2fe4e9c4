//! What the server needs of whoever keeps images: one trait, so that the engine can lay its own images over [`super::Files`].
//!
//! All of it blocks, and is called in threads that may. Every method looks at the storage as it is then: nothing is held between two
//! requests but uploads.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use spec::digest::{Algorithm, BlobDigest};

use super::document::{Descriptor, DocumentError};
use super::names::{Repository, Tag, UploadId, Which};

/// Images by repository.
pub trait Storage: Send + Sync + 'static {
    /// Repositories that have manifests, in the order of their bytes.
    ///
    /// # Errors
    /// [`StorageError`].
    fn repositories(&self, page: &Page) -> Result<Listed, StorageError>;

    /// The tags of a repository, in the order of their bytes.
    ///
    /// # Errors
    /// [`StorageError`].
    fn tags(&self, repository: &Repository, page: &Page) -> Result<Listed, StorageError>;

    /// A manifest, byte for byte.
    ///
    /// # Errors
    /// [`StorageError`].
    fn manifest(&self, repository: &Repository, which: &Which) -> Result<Manifest, StorageError>;

    /// Keeps a manifest and lets the tags mean it; answers its subject, which need not be there.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_manifest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        tags: &[Tag],
        demand: Demand,
    ) -> Result<Option<BlobDigest>, StorageError>;

    /// Removes a tag, or a manifest and all tags that mean it.
    ///
    /// # Errors
    /// [`StorageError`].
    fn delete_manifest(&self, repository: &Repository, which: &Which) -> Result<(), StorageError>;

    /// The manifests that say that `subject` is their subject, in the order of their digests, from `after` on and no more than
    /// one answer can hold.
    ///
    /// # Errors
    /// [`StorageError`]; a repository or subject that is not known has none.
    fn referrers(
        &self,
        repository: &Repository,
        subject: &BlobDigest,
        after: Option<&BlobDigest>,
    ) -> Result<Referrers, StorageError>;

    /// A blob. Who asks may count on it for a while: it is not collected at once.
    ///
    /// # Errors
    /// [`StorageError`].
    fn blob(&self, repository: &Repository, digest: &BlobDigest) -> Result<Blob, StorageError>;

    /// Takes a blob from a repository.
    ///
    /// # Errors
    /// [`StorageError`].
    fn delete_blob(&self, repository: &Repository, digest: &BlobDigest) -> Result<(), StorageError>;

    /// Gives a repository a blob that `from` has, or any repository where none is named.
    ///
    /// # Errors
    /// [`StorageError::BlobUnknown`] where it has to be uploaded after all.
    fn mount(
        &self,
        repository: &Repository,
        digest: &BlobDigest,
        from: Option<&Repository>,
    ) -> Result<(), StorageError>;

    /// Begins an upload, of a blob that will probably be named by this algorithm.
    ///
    /// # Errors
    /// [`StorageError`].
    fn begin(&self, repository: &Repository, algorithm: Algorithm) -> Result<Box<dyn Upload>, StorageError>;

    /// Goes on with an upload, alone.
    ///
    /// # Errors
    /// [`StorageError::UploadUnknown`], [`StorageError::UploadBusy`].
    fn upload(&self, repository: &Repository, id: &UploadId) -> Result<Box<dyn Upload>, StorageError>;

    /// Removes what nothing refers to any more and what was left lying; answers the bytes that became free.
    ///
    /// # Errors
    /// [`StorageError`].
    fn collect(&self) -> Result<u64, StorageError>;
}

/// A blob that grows. Dropped, it waits for the next request.
pub trait Upload: Send {
    /// Its name in later requests.
    fn id(&self) -> &UploadId;

    /// How many bytes are there.
    fn offset(&self) -> u64;

    /// Its bytes, to be read by offset while more are added; they stay readable whatever becomes of it.
    ///
    /// # Errors
    /// [`StorageError`].
    fn reader(&self) -> Result<File, StorageError>;

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`StorageError`].
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError>;

    /// Makes it the blob of this digest.
    ///
    /// # Errors
    /// [`StorageError::Mismatch`], and then the upload is gone.
    fn finish(self: Box<Self>, want: &BlobDigest) -> Result<(), StorageError>;

    /// Throws it away.
    ///
    /// # Errors
    /// [`StorageError`].
    fn cancel(self: Box<Self>) -> Result<(), StorageError>;
}

/// A manifest as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// As it was pushed.
    pub media_type: String,
    /// Of the bytes.
    pub digest: BlobDigest,
    /// Verbatim.
    pub bytes: Vec<u8>,
}

/// What must be there before a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// All that it refers to.
    Complete,
    /// Nothing: the rest is fetched when somebody asks for it.
    Nothing,
}

/// A blob that can be sent.
pub struct Blob {
    /// All of it.
    pub size: u64,
    /// Where its bytes come from.
    pub content: Content,
}

/// Where the bytes of a blob come from.
pub enum Content {
    /// They lie in a file.
    File(File),
    /// They are made while they are read, from the offset on that is given.
    Made(Box<dyn FnOnce(u64) -> io::Result<Box<dyn Read + Send>> + Send>),
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only what comes behind this name, which need not be there.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl Page {
    /// The part of all names, which are sorted here.
    #[must_use]
    pub fn of(&self, mut names: Vec<String>) -> Listed {
        names.retain(|name| self.after.as_ref().is_none_or(|after| name > after));
        names.sort_unstable();
        names.dedup();
        let more = names.len() > self.limit;
        names.truncate(self.limit);
        Listed { names, more: if more { More::Yes } else { More::No } }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Sorted.
    pub names: Vec<String>,
    /// Whether others come behind.
    pub more: More,
}

/// Manifests that have one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrers {
    /// In the order of their digests.
    pub found: Vec<Descriptor>,
    /// Whether others come behind.
    pub more: More,
}

/// Whether a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// It does.
    Yes,
    /// It ends here.
    No,
}

/// Why a storage cannot answer; what a client does differently has its own variant.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// 404.
    #[error("repository name not known to registry: {0}")]
    NameUnknown(Repository),
    /// 404.
    #[error("manifest unknown to registry: {0}")]
    ManifestUnknown(Which),
    /// 404.
    #[error("blob unknown to registry: {0}")]
    BlobUnknown(BlobDigest),
    /// 404.
    #[error("blob upload unknown to registry: {0}")]
    UploadUnknown(UploadId),
    /// 409: another request is appending to it.
    #[error("another request uses blob upload {0}")]
    UploadBusy(UploadId),
    /// 400.
    #[error("provided digest {want} did not match uploaded content: {got}")]
    Mismatch {
        /// What the client said.
        want: BlobDigest,
        /// What its bytes are.
        got: BlobDigest,
    },
    /// 400.
    #[error("manifest invalid: {0}")]
    ManifestInvalid(#[from] DocumentError),
    /// 400: what a manifest refers to has to be pushed before it.
    #[error("manifest references manifests or blobs unknown to registry")]
    BlobsMissing(Vec<BlobDigest>),
    /// 405.
    #[error("the operation is unsupported: {0}")]
    Unsupported(&'static str),
    /// 500, and for the log: a client cannot do anything about it.
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
    /// 500: what is stored cannot be read.
    #[error("the registry's storage is damaged: {0}")]
    Damaged(String),
}

impl StorageError {
    /// For `map_err`.
    pub fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StorageError {
        let path = path.to_owned();
        move |source| StorageError::Io { act, path, source }
    }
}

impl From<disk::DiskError> for StorageError {
    fn from(error: disk::DiskError) -> StorageError {
        match error {
            disk::DiskError::Io(path, source) => StorageError::Io { act: "using", path, source },
            disk::DiskError::Unwritten(path, source) => StorageError::Io { act: "writing", path, source },
            damaged @ (disk::DiskError::Damaged(..) | disk::DiskError::Newer { .. }) => {
                StorageError::Damaged(damaged.to_string())
            }
        }
    }
}
