//! Blobs go into a registry while they are still being made: a file grows at one end and is sent from the other. What a broken connection
//! lost is sent again from the file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use spec::digest::{BlobDigest, Digest};
use spec::reference::Reference;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::client::{Begun, BoxError, Client, ClientError, Outgoing, Upload};

/// A blob whose length is known goes by that, as all registries like it; one that takes longer than this to make goes while it is made.
const CHUNK: u64 = 16 << 20;
/// Breaks in a row until an upload is given up.
const BREAKS: u32 = 5;
const PIECE: usize = 256 << 10;

/// Why a blob was not uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The registry, or the line to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It was not made to its end.
    #[error("{0}")]
    NotMade(String),
}

/// A blob in the making: one end for who makes it, one for who sends it.
pub fn growing(file: File) -> (Making, Growing) {
    let file = Arc::new(file);
    let (tell, made) = watch::channel(Made { bytes: 0, end: None });
    (Making { file: Arc::clone(&file), tell }, Growing { file, made, sent: Arc::default() })
}

#[derive(Clone, Debug)]
struct Made {
    bytes: u64,
    end: Option<BlobDigest>,
}

/// Writes the blob. Fails when nobody sends it any more.
#[derive(Debug)]
pub struct Making {
    file: Arc<File>,
    tell: watch::Sender<Made>,
}

impl Making {
    /// It is whole, and this is its digest.
    pub fn end(self, digest: BlobDigest) {
        self.tell.send_modify(|made| made.end = Some(digest));
    }
}

impl Write for Making {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.tell.is_closed() {
            return Err(io::Error::other("its upload ended"));
        }
        let at = self.tell.borrow().bytes;
        self.file.write_all_at(bytes, at)?;
        self.tell.send_modify(|made| made.bytes = at + bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The blob as it is sent.
#[derive(Debug)]
pub struct Growing {
    file: Arc<File>,
    made: watch::Receiver<Made>,
    sent: Arc<AtomicU64>,
}

impl Growing {
    /// How much was sent, counted while it goes.
    #[must_use]
    pub fn sent_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    /// What there is, when that is worth a request after `offset` or is all.
    async fn wait(&mut self, offset: u64) -> Result<Made, UploadError> {
        let enough = |made: &Made| made.end.is_some() || made.bytes >= offset + CHUNK;
        let made = self.made.wait_for(enough).await;
        made.map(|made| made.clone())
            .map_err(|_| UploadError::NotMade("the layer was not packed to its end".to_owned()))
    }

    /// All from `from` on, while it is made.
    fn body(&self, from: u64) -> Outgoing {
        self.sent.store(from, Relaxed);
        let (give, take) = mpsc::channel(2);
        tokio::spawn(feed(Arc::clone(&self.file), self.made.clone(), from, Arc::clone(&self.sent), give));
        Pieces(take).boxed_unsync()
    }
}

/// Reads what was written a moment ago, so it does not wait for a disk.
async fn feed(
    file: Arc<File>,
    mut made: watch::Receiver<Made>,
    mut at: u64,
    sent: Arc<AtomicU64>,
    give: mpsc::Sender<io::Result<Bytes>>,
) {
    loop {
        let more = made.wait_for(|made| made.bytes > at || made.end.is_some()).await.map(|made| made.bytes);
        let piece = match more {
            Ok(bytes) if bytes == at => return,
            Ok(bytes) => {
                let mut piece = vec![0; usize::try_from(bytes - at).map_or(PIECE, |left| left.min(PIECE))];
                file.read_exact_at(&mut piece, at).map(|()| Bytes::from(piece))
            }
            Err(_) => Err(io::Error::other("it was not made to its end")),
        };
        at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        let failed = piece.is_err();
        // A request that ended takes no more.
        if give.send(piece).await.is_err() || failed {
            return;
        }
        sent.store(at, Relaxed);
    }
}

/// Sends a blob into a repository that does not have it.
///
/// # Errors
/// [`UploadError`], when going on where the registry stopped did not help.
pub async fn upload(client: &Client, repository: &Reference, mut blob: Growing) -> Result<(), UploadError> {
    if let Some(digest) = blob.wait(0).await?.end
        && client.blob_size(repository, &digest).await?.is_some()
    {
        return Ok(());
    }
    let mut upload = begin(client, repository).await?;
    let (mut offset, mut breaks) = (0, 0);
    loop {
        let made = blob.wait(offset).await?;
        let done = match &made.end {
            Some(digest) if offset == made.bytes => {
                match client.finish_upload(repository, upload.clone(), digest).await {
                    Ok(()) => return Ok(()),
                    Err(error) => Err(error),
                }
            }
            end => {
                let length = end.is_some().then(|| made.bytes - offset);
                client.upload_chunk(repository, &mut upload, offset, length, blob.body(offset)).await
            }
        };
        match done {
            Ok(()) => (offset, breaks) = (blob.made.borrow().bytes, 0),
            Err(error) if breaks < BREAKS && may_go_on(&error) => {
                breaks += 1;
                sleep(client.pause(breaks)).await;
                offset = match client.upload_offset(repository, &mut upload).await {
                    Ok(offset) => offset.min(blob.made.borrow().bytes),
                    // It forgot the upload, or does not say how far it is (405): all over again.
                    Err(ClientError::NotFound { .. } | ClientError::Refused { .. }) => {
                        upload = begin(client, repository).await?;
                        0
                    }
                    Err(error) => return Err(error.into()),
                };
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends a small blob, unless the registry has it.
///
/// # Errors
/// [`UploadError`].
pub async fn upload_bytes(
    client: &Client,
    repository: &Reference,
    digest: &Digest,
    bytes: &[u8],
) -> Result<(), UploadError> {
    let digest = BlobDigest(digest.clone());
    if client.blob_size(repository, &digest).await?.is_some() {
        return Ok(());
    }
    let mut breaks = 0;
    loop {
        let body = Full::new(Bytes::copy_from_slice(bytes)).map_err(|never| match never {}).boxed_unsync();
        let sent = async {
            let mut upload = begin(client, repository).await?;
            client.upload_chunk(repository, &mut upload, 0, Some(bytes.len() as u64), body).await?;
            client.finish_upload(repository, upload, &digest).await
        };
        match sent.await {
            Err(error) if breaks < BREAKS && may_go_on(&error) => breaks += 1,
            done => return Ok(done?),
        }
        sleep(client.pause(breaks)).await;
    }
}

/// A broken line, an end that is elsewhere (416), an upload that is not known any more.
fn may_go_on(error: &ClientError) -> bool {
    let elsewhere = matches!(error, ClientError::Refused { status, .. } if status.as_u16() == 416);
    error.is_transient() || elsewhere || matches!(error, ClientError::NotFound { .. })
}

async fn begin(client: &Client, repository: &Reference) -> Result<Upload, ClientError> {
    match client.begin_upload(repository, None).await? {
        Begun::Upload(upload) => Ok(upload),
        Begun::Mounted => Err(ClientError::Broken {
            host: repository.registry().to_owned(),
            why: "it mounts a blob that nobody named".to_owned(),
        }),
    }
}

/// A request's body as it comes from [`feed`].
struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data).map_err(BoxError::from)))
    }
}
