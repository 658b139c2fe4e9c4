//! Blobs on their way from the registry behind: each is fetched once, however many clients want it meanwhile.
//!
//! One task appends what arrives to an upload. Each client reads the upload's file after it, from where and as fast as it likes: a slow
//! one holds up nobody, and one that leaves stops nothing.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use spec::digest::BlobDigest;
use tokio::sync::{OnceCell, mpsc, watch};

use super::answer::block;
use super::body::PIECE;
use super::log::{Say, chain};
use super::names::Repository;
use super::storage::{More, StorageError, Upload};
use super::upstream::{Chunks, Fetched};

/// A blob of a repository: who may read one of them need not know of the same bytes in another.
pub(super) type Key = (Repository, BlobDigest);

/// What is being fetched.
#[derive(Clone, Default)]
pub(super) struct Fetching(Arc<Mutex<HashMap<Key, Arc<OnceCell<Coming>>>>>);

impl Fetching {
    /// The place of a blob; whoever fills it fetches, others wait for that.
    pub(super) fn place(&self, key: &Key) -> Arc<OnceCell<Coming>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().clone()
    }

    pub(super) fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A blob that grows.
#[derive(Clone)]
pub(super) struct Coming {
    file: Arc<File>,
    /// When all of it is there.
    pub(super) size: u64,
    /// How many bytes are there. Nobody sends any more: it ends there.
    there: watch::Receiver<u64>,
}

impl Coming {
    /// Begins to fetch, until it is there or fails.
    pub(super) fn begin(
        (fetching, key): (Fetching, Key),
        upload: Box<dyn Upload>,
        fetched: Fetched,
        say: Say,
    ) -> Result<Coming, StorageError> {
        let (sender, there) = watch::channel(0);
        let sender = Arc::new(sender);
        let coming = Coming { file: Arc::new(upload.reader()?), size: fetched.size, there };
        tokio::spawn(async move {
            // Also if this panics: the next one who wants it begins anew.
            let held = Held { fetching, key };
            let digest = &held.key.1;
            if let Err(error) = keep(upload, digest, fetched, &sender).await {
                say(&format!("fetching blob {digest}: {}", chain(&*error)));
            }
        });
        Ok(coming)
    }

    /// So many bytes from an offset on, as they come.
    pub(super) fn read(&self, offset: u64, length: u64) -> Arriving {
        let (sender, pieces) = mpsc::channel(1);
        let (file, mut there, end) = (self.file.clone(), self.there.clone(), offset + length);
        tokio::spawn(async move {
            let mut at = offset;
            while at < end {
                let came = there.wait_for(|came| *came > at).await.map(|came| *came);
                let piece = match came {
                    Ok(came) => piece(file.clone(), at, end.min(came) - at).await,
                    Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
                };
                at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                let failed = piece.is_err();
                if sender.send(piece).await.is_err() || failed {
                    return;
                }
            }
        });
        Arriving { pieces, left: length }
    }
}

/// What a client reads of it.
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

struct Held {
    fetching: Fetching,
    key: Key,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.fetching.forget(&self.key);
    }
}

/// Appends what comes: one piece arrives while the last one is hashed and written.
async fn keep(
    upload: Box<dyn Upload>,
    digest: &BlobDigest,
    mut fetched: Fetched,
    there: &Arc<watch::Sender<u64>>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut writing = tokio::spawn(async { Ok(upload) });
    loop {
        let (piece, end) = gather(&mut *fetched.chunks).await;
        let mut upload = writing.await??;
        let there = there.clone();
        let write = block(move || match piece.iter().try_for_each(|bytes| upload.append(bytes)) {
            Ok(()) => {
                there.send_replace(upload.offset());
                Ok(upload)
            }
            // Of a full disk it gives back what it took.
            Err(error) => upload.cancel().and(Err(error)),
        });
        match end {
            Ok(More::Yes) => writing = tokio::spawn(write),
            Ok(More::No) => {
                let (upload, want) = (write.await?, digest.clone());
                return Ok(block(move || upload.finish(&want)).await?);
            }
            Err(error) => {
                let upload = write.await?;
                block(move || upload.cancel()).await?;
                return Err(error.into());
            }
        }
    }
}

/// Enough that a system call and a change of thread do not count, but no more than comes in a moment: somebody waits for it.
async fn gather(chunks: &mut dyn Chunks) -> (Vec<Bytes>, io::Result<More>) {
    const MOMENT: Duration = Duration::from_millis(100);
    let (mut piece, mut size, began) = (Vec::new(), 0, Instant::now());
    while size < PIECE && began.elapsed() < MOMENT {
        match chunks.chunk().await {
            Ok(Some(bytes)) => {
                size += bytes.len();
                piece.push(bytes);
            }
            Ok(None) => return (piece, Ok(More::No)),
            Err(error) => return (piece, Err(error)),
        }
    }
    (piece, Ok(More::Yes))
}

/// At least one byte and at most `left`.
async fn piece(file: Arc<File>, at: u64, left: u64) -> io::Result<Bytes> {
    let read = move || {
        let mut piece = Vec::with_capacity(usize::try_from(left).map_or(PIECE, |left| left.min(PIECE)));
        match rustix::io::pread(&*file, spare_capacity(&mut piece), at)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(piece.into()),
        }
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}
