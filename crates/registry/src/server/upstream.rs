//! A registry behind this one: what is not here is fetched there and kept. Images only; lists are of what is here.
//!
//! A digest is looked up here first. A tag may have moved, so the other side is asked, and what is here serves when it cannot answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::StatusCode;
use spec::digest::BlobDigest;
use tokio::sync::mpsc;

use super::answer::Registry;
use super::names::{Repository, Tag, Which};
use super::reply::{Code, Refusal};
use super::storage::{Demand, Manifest, StorageError, Upload};

/// What [`Upstream`] answers, in time: none for what the other side does not have.
pub type Answered<'a, T> = Pin<Box<dyn Future<Output = Result<Option<T>, UpstreamError>> + Send + 'a>>;

/// Another registry that images come from.
pub trait Upstream: Send + Sync + 'static {
    /// A manifest, whose bytes are those of its digest.
    fn manifest<'a>(&'a self, repository: &'a Repository, which: &'a Which) -> Answered<'a, Manifest>;

    /// A blob, which is hashed when it has arrived.
    fn blob<'a>(&'a self, repository: &'a Repository, digest: &'a BlobDigest) -> Answered<'a, Fetched>;
}

/// Why the other side did not answer; the text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("asking the registry behind: {0}")]
pub struct UpstreamError(pub String);

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

/// A blob that a client reads while it is being kept.
pub(super) struct Arriving {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl Arriving {
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let piece = ready!(self.pieces.poll_recv(cx));
        if let Some(Ok(bytes)) = &piece {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(piece)
    }
}

impl Registry {
    /// The manifest, from here or from there.
    pub(super) async fn find_manifest(&self, repository: &Repository, which: &Which) -> Result<Manifest, Refusal> {
        let (at, wanted) = (repository.clone(), which.clone());
        let here = self.block(move |storage| storage.manifest(&at, &wanted)).await;
        let Some(upstream) = &self.upstream else { return Ok(here?) };
        match (&here, which) {
            (Ok(_), Which::Digest(_)) => return Ok(here?),
            (Ok(_) | Err(StorageError::ManifestUnknown(_)), _) => {}
            (Err(_), _) => return Ok(here?),
        }
        let there = match upstream.manifest(repository, which).await {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Ok(here?),
            Err(error) => {
                self.say(&error.to_string());
                return here.map_err(|_| bad_gateway());
            }
        };
        if here.is_ok_and(|here| here.digest == there.digest) {
            return Ok(there);
        }
        let tags: Vec<Tag> = match which {
            Which::Tag(tag) => vec![tag.clone()],
            Which::Digest(_) => Vec::new(),
        };
        let (at, kept) = (repository.clone(), there.clone());
        self.block(move |storage| storage.put_manifest(&at, &kept, &tags, Demand::Nothing)).await?;
        Ok(there)
    }

    /// A blob that is not here, while it is being fetched; none when it is nowhere.
    pub(super) async fn fetch_blob(
        &self,
        repository: &Repository,
        digest: &BlobDigest,
    ) -> Result<Option<Fetched>, Refusal> {
        let Some(upstream) = &self.upstream else { return Ok(None) };
        upstream.blob(repository, digest).await.map_err(|error| {
            self.say(&error.to_string());
            bad_gateway()
        })
    }

    /// Passes a blob on and keeps it, also when the client leaves.
    pub(super) async fn keep_blob(
        &self,
        repository: &Repository,
        digest: &BlobDigest,
        fetched: Fetched,
    ) -> Result<Arriving, Refusal> {
        let (at, algorithm) = (repository.clone(), digest.0.algorithm());
        let upload = self.block(move |storage| storage.begin(&at, algorithm)).await?;
        let (sender, pieces) = mpsc::channel(2);
        let arriving = Arriving { pieces, left: fetched.size };
        let (say, digest) = (self.say.clone(), digest.clone());
        tokio::spawn(async move {
            if let Err(error) = keep(upload, &digest, fetched.chunks, sender).await {
                say(&format!("fetching blob {digest}: {error}"));
            }
        });
        Ok(arriving)
    }
}

async fn keep(
    mut upload: Box<dyn Upload>,
    digest: &BlobDigest,
    mut chunks: Box<dyn Chunks>,
    client: mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let failed = |panic| io::Error::other(format!("{panic}"));
    loop {
        match chunks.chunk().await {
            Ok(Some(bytes)) => {
                // A client that left does not stop it: the next one finds the blob here.
                let _ = client.send(Ok(bytes.clone())).await;
                let append = move || upload.append(&bytes).map(|()| upload);
                upload = tokio::task::spawn_blocking(append).await.map_err(failed)?.map_err(io::Error::other)?;
            }
            Ok(None) => break,
            Err(error) => {
                let _ = client.send(Err(io::ErrorKind::ConnectionAborted.into())).await;
                let cancelled = tokio::task::spawn_blocking(move || upload.cancel()).await.map_err(failed)?;
                return cancelled.map_err(io::Error::other).and(Err(error));
            }
        }
    }
    let want = digest.clone();
    tokio::task::spawn_blocking(move || upload.finish(&want)).await.map_err(failed)?.map_err(io::Error::other)
}

fn bad_gateway() -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, Code::Unknown, "the registry behind this one did not answer")
}
