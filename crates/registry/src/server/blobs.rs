//! Requests for blobs.

use hyper::{Response, StatusCode};
use spec::digest::BlobDigest;

use super::answer::{Asked, Registry};
use super::body::Body;
use super::manifests::{accepted, etag};
use super::names::Repository;
use super::range::Wanted;
use super::reply::{self, Answer, Code, DIGEST, Refusal};
use super::storage::{Blob, StorageError};

impl Registry {
    pub(super) async fn pull_blob(&self, asked: &Asked, name: Repository, digest: BlobDigest) -> Answer {
        let (at, wanted) = (name.clone(), digest.clone());
        let blob = match self.block(move |storage| storage.blob(&at, &wanted)).await {
            Err(StorageError::BlobUnknown(unknown)) => return self.pass_on(asked, &name, &digest, unknown).await,
            other => other?,
        };
        if asked.has(&digest) {
            return Ok(reply::empty(StatusCode::NOT_MODIFIED, &headers(&digest.to_string(), &etag(&digest))));
        }
        // A range of something else would be put together with what the client has.
        let same = asked.header("if-range").is_none_or(|condition| condition == etag(&digest));
        match Wanted::of(asked.header("range").filter(|_| same), blob.size) {
            Wanted::Whole => Ok(send(asked, &digest, blob)),
            Wanted::Part { first, last } => {
                let content_range = format!("bytes {first}-{last}/{}", blob.size);
                let mut response = send_part(asked, &digest, blob, first, last - first + 1);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                reply::add(&mut response, &[("content-range", &content_range)]);
                Ok(response)
            }
            Wanted::Outside => {
                let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::SizeInvalid, "no such range");
                Err(refusal.with("content-range", format!("bytes */{}", blob.size)))
            }
        }
    }

    /// What is not here may be behind. Ranges are not looked at: the whole of it is kept.
    async fn pass_on(&self, asked: &Asked, name: &Repository, digest: &BlobDigest, unknown: BlobDigest) -> Answer {
        let Some(fetched) = self.fetch_blob(name, digest).await? else {
            return Err(StorageError::BlobUnknown(unknown).into());
        };
        let size = fetched.size;
        let body =
            if asked.is_head() { Body::empty() } else { Body::arriving(self.keep_blob(name, digest, fetched).await?) };
        Ok(with_length(body, digest, size))
    }

    pub(super) async fn delete_blob(&self, name: Repository, digest: BlobDigest) -> Answer {
        self.block(move |storage| storage.delete_blob(&name, &digest)).await?;
        self.garbage.notify_one();
        Ok(accepted())
    }
}

fn send(asked: &Asked, digest: &BlobDigest, blob: Blob) -> Response<Body> {
    let size = blob.size;
    send_part(asked, digest, blob, 0, size)
}

fn send_part(asked: &Asked, digest: &BlobDigest, blob: Blob, offset: u64, length: u64) -> Response<Body> {
    let body = if asked.is_head() { Body::empty() } else { Body::blob(blob, offset, length) };
    with_length(body, digest, length)
}

fn with_length(body: Body, digest: &BlobDigest, length: u64) -> Response<Body> {
    let mut response = Response::new(body);
    reply::add(&mut response, &headers(&digest.to_string(), &etag(digest)));
    reply::add(
        &mut response,
        &[
            ("content-type", "application/octet-stream"),
            ("content-length", &length.to_string()),
            ("accept-ranges", "bytes"),
            // Bytes known by their digest never change.
            ("cache-control", "max-age=31536000"),
        ],
    );
    response
}

fn headers<'a>(digest: &'a str, etag: &'a str) -> [(&'static str, &'a str); 2] {
    [(DIGEST, digest), ("etag", etag)]
}
