//! A registry behind this one: what is not here is fetched there and kept. Images only; lists are of what is here.
//!
//! A digest is looked up here first. A tag may have moved, so the other side is asked, and what is here serves when it cannot answer.

use std::future::Future;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use hyper::StatusCode;
use spec::digest::BlobDigest;

use super::answer::Registry;
use super::coming::{Coming, Key};
use super::names::{Repository, Tag, Which};
use super::reply::{Code, Refusal};
use super::storage::{Blob, Demand, Manifest, StorageError};

/// What [`Upstream`] answers, in time: none for what the other side does not have.
pub type Answered<'a, T> = Pin<Box<dyn Future<Output = Result<Option<T>, UpstreamError>> + Send + 'a>>;

/// Another registry that images come from.
pub trait Upstream: Send + Sync + 'static {
    /// The digest of a manifest, on the other side's word.
    fn digest<'a>(&'a self, repository: &'a Repository, which: &'a Which) -> Answered<'a, BlobDigest>;

    /// A manifest, whose bytes are those of its digest.
    fn manifest<'a>(&'a self, repository: &'a Repository, which: &'a Which) -> Answered<'a, Manifest>;

    /// How long a blob is.
    fn blob_size<'a>(&'a self, repository: &'a Repository, digest: &'a BlobDigest) -> Answered<'a, u64>;

    /// A blob, which is hashed when it has arrived.
    fn blob<'a>(&'a self, repository: &'a Repository, digest: &'a BlobDigest) -> Answered<'a, Fetched>;
}

/// Why the other side did not answer; the text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It does not let us see this. Docker's says so of what it does not have, too.
    #[error("refused by the registry behind: {0}")]
    Denied(String),
    /// Anything else.
    #[error("asking the registry behind: {0}")]
    Failed(String),
}

/// A blob on its way.
pub struct Fetched {
    /// In bytes.
    pub size: u64,
    /// Its bytes.
    pub chunks: Box<dyn Chunks>,
}

/// Bytes that arrive.
pub trait Chunks: Send {
    /// The next of them; none at the end.
    fn chunk(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Option<Bytes>>> + Send + '_>>;
}

/// A blob that can be sent, now or soon.
pub(super) enum Found {
    /// It is here.
    Here(Blob),
    /// It is being fetched.
    Coming(Coming),
    /// It is there, and only that was asked.
    There(u64),
}

impl Registry {
    /// The manifest, from here or from there.
    pub(super) async fn find_manifest(&self, repository: &Repository, which: &Which) -> Result<Manifest, Refusal> {
        let (at, wanted) = (repository.clone(), which.clone());
        let here = self.block(move |storage| storage.manifest(&at, &wanted)).await;
        let Some(upstream) = &self.upstream else { return Ok(here?) };
        let asked = match (&here, which) {
            (Ok(here), Which::Tag(_)) => newer(&**upstream, repository, which, here).await,
            (Err(StorageError::ManifestUnknown(_)), _) => upstream.manifest(repository, which).await,
            (Ok(_), Which::Digest(_)) | (Err(_), _) => return Ok(here?),
        };
        match asked {
            Ok(Some(there)) => {
                self.keep_manifest_of(repository, which, there.clone()).await;
                Ok(there)
            }
            Ok(None) => Ok(here?),
            Err(error) => {
                self.say(&error.to_string());
                match error {
                    UpstreamError::Denied(_) => Ok(here?),
                    UpstreamError::Failed(_) => here.map_err(|_| bad_gateway()),
                }
            }
        }
    }

    /// What cannot be kept, for want of space, can be sent all the same.
    async fn keep_manifest_of(&self, repository: &Repository, which: &Which, manifest: Manifest) {
        let tags: Vec<Tag> = match which {
            Which::Tag(tag) => vec![tag.clone()],
            Which::Digest(_) => Vec::new(),
        };
        let at = repository.clone();
        let kept = self.block(move |storage| storage.put_manifest(&at, &manifest, &tags, Demand::Nothing)).await;
        if let Err(error) = kept {
            self.say(&format!("keeping manifest {which} of {repository}: {}", Refusal::from(error).log()));
        }
    }

    /// A blob that is not here; none when it is nowhere. For what `want` says, all of it is fetched and kept.
    pub(super) async fn find_behind(
        &self,
        repository: &Repository,
        digest: &BlobDigest,
        want: Want,
    ) -> Result<Option<Found>, Refusal> {
        let Some(upstream) = &self.upstream else { return Ok(None) };
        if want == Want::Size {
            return Ok(self.heard(upstream.blob_size(repository, digest).await)?.map(Found::There));
        }
        let key = (repository.clone(), digest.clone());
        let place = self.fetching.place(&key);
        let begun = place.get_or_try_init(|| self.fetch(&**upstream, &key)).await;
        if begun.is_err() {
            self.fetching.forget(&key);
        }
        match begun {
            Ok(coming) => Ok(Some(Found::Coming(coming.clone()))),
            Err(NotComing::Here(blob)) => Ok(Some(Found::Here(blob))),
            Err(NotComing::Nowhere) => Ok(None),
            Err(NotComing::Refused(refusal)) => Err(refusal),
        }
    }

    async fn fetch(&self, upstream: &dyn Upstream, key: &Key) -> Result<Coming, NotComing> {
        let (repository, digest) = key.clone();
        let fetched = self.heard(upstream.blob(&repository, &digest).await)?.ok_or(NotComing::Nowhere)?;
        // That repository shows it. Another one may have brought the same bytes here, or this one meanwhile.
        let mounted = self.block(move |storage| {
            storage.mount(&repository, &digest, None)?;
            storage.blob(&repository, &digest)
        });
        if let Ok(blob) = mounted.await {
            return Err(NotComing::Here(blob));
        }
        let (repository, algorithm) = (key.0.clone(), key.1.0.algorithm());
        let upload = self.block(move |storage| storage.begin(&repository, algorithm)).await?;
        Ok(Coming::begin((self.fetching.clone(), key.clone()), upload, fetched, self.say.clone())?)
    }

    /// What the other side does not show us is not there.
    fn heard<T>(&self, answer: Result<Option<T>, UpstreamError>) -> Result<Option<T>, Refusal> {
        answer.or_else(|error| {
            self.say(&error.to_string());
            match error {
                UpstreamError::Denied(_) => Ok(None),
                UpstreamError::Failed(_) => Err(bad_gateway()),
            }
        })
    }
}

/// What is asked about a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// How long it is.
    Size,
    /// Some of its bytes.
    Bytes,
}

/// Why nothing is fetched.
enum NotComing {
    Here(Blob),
    Nowhere,
    Refused(Refusal),
}

impl<E: Into<Refusal>> From<E> for NotComing {
    fn from(error: E) -> NotComing {
        NotComing::Refused(error.into())
    }
}

/// The manifest that a tag means there, if it is not the one that is here. Registries count the manifests that they send, and answer
/// for nothing which one it would be.
async fn newer(
    upstream: &dyn Upstream,
    repository: &Repository,
    which: &Which,
    here: &Manifest,
) -> Result<Option<Manifest>, UpstreamError> {
    match upstream.digest(repository, which).await? {
        Some(digest) if digest != here.digest => upstream.manifest(repository, which).await,
        Some(_) | None => Ok(None),
    }
}

fn bad_gateway() -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, Code::Unknown, "the registry behind this one did not answer")
}
