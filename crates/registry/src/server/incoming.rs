//! Bodies that come in: bounded in memory, and from a client that keeps sending.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};

use super::answer::block;
use super::reply::{Code, Refusal};
use super::storage::Upload;

/// How long a client may send nothing in the middle of a body.
pub(super) const STALL: Duration = Duration::from_secs(60);

/// What is gathered before it is written: a system call and a change of thread should not count. A slow client holds so much at most,
/// and as much again while it is written.
const PIECE: usize = 256 << 10;

/// What is read of a body that nobody wants, so that its sender hears why.
const DRAIN: usize = 1 << 20;

/// The next bytes; none at the end.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        let frame = tokio::time::timeout(STALL, body.frame()).await;
        match frame.map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::SizeInvalid, "the body stopped"))? {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers are nothing to us.
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(error)) => {
                return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::SizeInvalid, error.to_string()));
            }
        }
    }
}

/// All of a small body.
pub(super) async fn whole(body: &mut Incoming, limit: usize) -> Result<Vec<u8>, Refusal> {
    let too_large = || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, "the manifest is too large");
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(more) = next(body).await? {
        if bytes.len() + more.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

/// Appends a body to an upload: one piece arrives while the last one is hashed and written. What had come is written also when the
/// rest does not come, and the upload can be gone on with from there.
pub(super) async fn append(body: &mut Incoming, upload: Box<dyn Upload>) -> Result<Box<dyn Upload>, Refusal> {
    let mut writing = tokio::spawn(async { Ok(upload) });
    loop {
        let (piece, end) = gather(body).await;
        let mut upload = writing.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        let write = block(move || piece.iter().try_for_each(|bytes| upload.append(bytes)).map(|()| upload));
        match end {
            End::More => writing = tokio::spawn(write),
            End::Whole => return Ok(write.await?),
            End::Cut(refusal) => return write.await.map_err(Refusal::from).and(Err(refusal)),
        }
    }
}

enum End {
    More,
    Whole,
    Cut(Refusal),
}

async fn gather(body: &mut Incoming) -> (Vec<Bytes>, End) {
    let mut piece = Vec::new();
    let mut size = 0;
    while size < PIECE {
        match next(body).await {
            Ok(Some(bytes)) => {
                size += bytes.len();
                piece.push(bytes);
            }
            Ok(None) => return (piece, End::Whole),
            Err(refusal) => return (piece, End::Cut(refusal)),
        }
    }
    (piece, End::More)
}

/// Reads on for a moment.
pub(super) async fn drain(body: &mut Incoming) {
    if body.is_end_stream() {
        return;
    }
    let read = async {
        let mut left = DRAIN;
        while let Ok(Some(bytes)) = next(body).await {
            match left.checked_sub(bytes.len()) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // Too slow: the connection ends.
    let _ = tokio::time::timeout(Duration::from_secs(1), read).await;
}
