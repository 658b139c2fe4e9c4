//! Requests for blobs.

use hyper::{Response, StatusCode};
use spec::digest::BlobDigest;

use super::answer::{Asked, Registry};
use super::body::Body;
use super::manifests::{accepted, etag};
use super::names::Repository;
use super::range::Wanted;
use super::reply::{self, Answer, Code, DIGEST, Refusal};
use super::storage::StorageError;
use super::upstream::{Found, Want};

impl Registry {
    pub(super) async fn pull_blob(&self, asked: &Asked, name: Repository, digest: BlobDigest) -> Answer {
        let (at, wanted) = (name.clone(), digest.clone());
        let found = match self.block(move |storage| storage.blob(&at, &wanted)).await {
            Err(unknown @ StorageError::BlobUnknown(_)) => {
                let want = if asked.is_head() { Want::Size } else { Want::Bytes };
                self.find_behind(&name, &digest, want).await?.ok_or(unknown)?
            }
            other => Found::Here(other?),
        };
        if asked.has(&digest) {
            return Ok(reply::empty(StatusCode::NOT_MODIFIED, &headers(&digest.to_string(), &etag(&digest))));
        }
        let size = found.size();
        // A range of something else would be put together with what the client has.
        let same = asked.header("if-range").is_none_or(|condition| condition == etag(&digest));
        match Wanted::of(asked.header("range").filter(|_| same), size) {
            Wanted::Whole => Ok(send(asked, &digest, found, 0, size)),
            Wanted::Part { first, last } => {
                let content_range = format!("bytes {first}-{last}/{size}");
                let mut response = send(asked, &digest, found, first, last - first + 1);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                reply::add(&mut response, &[("content-range", &content_range)]);
                Ok(response)
            }
            Wanted::Outside => {
                let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::SizeInvalid, "no such range");
                Err(refusal.with("content-range", format!("bytes */{size}")))
            }
        }
    }

    pub(super) async fn delete_blob(&self, name: Repository, digest: BlobDigest) -> Answer {
        self.block(move |storage| storage.delete_blob(&name, &digest)).await?;
        self.garbage.notify_one();
        Ok(accepted())
    }
}

impl Found {
    fn size(&self) -> u64 {
        match self {
            Found::Here(blob) => blob.size,
            Found::Coming(coming) => coming.size,
            Found::There(size) => *size,
        }
    }

    fn body(self, offset: u64, length: u64) -> Body {
        match self {
            Found::Here(blob) => Body::blob(blob, offset, length),
            Found::Coming(coming) => Body::arriving(coming.read(offset, length)),
            Found::There(_) => Body::empty(),
        }
    }
}

fn send(asked: &Asked, digest: &BlobDigest, found: Found, offset: u64, length: u64) -> Response<Body> {
    let mut response = Response::new(if asked.is_head() { Body::empty() } else { found.body(offset, length) });
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
