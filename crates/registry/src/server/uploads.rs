//! Requests that bring blobs.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use spec::digest::{Algorithm, BlobDigest};

use super::answer::{Asked, Registry, block};
use super::body::Body;
use super::incoming;
use super::names::{Repository, UploadId};
use super::range;
use super::reply::{self, Answer, Code, DIGEST, Refusal};
use super::storage::{StorageError, Upload};

impl Registry {
    /// `POST`: a blob that another repository has, one that comes with the request, or one that comes later.
    pub(super) async fn begin_upload(&self, asked: &Asked, name: Repository, body: &mut Incoming) -> Answer {
        if let Some(digest) = asked.query.digest("mount")? {
            // What is no name has no blobs.
            let from = asked.query.one("from").map(str::parse::<Repository>);
            if !matches!(from, Some(Err(_))) && self.mount(&name, &digest, from.and_then(Result::ok)).await? {
                return Ok(created(&name, &digest));
            }
        }
        let digest = asked.query.digest("digest")?;
        let algorithm = match (&digest, asked.query.one("digest-algorithm")) {
            (Some(digest), _) => digest.0.algorithm(),
            (None, None | Some("sha256")) => Algorithm::Sha256,
            (None, Some("sha512")) => Algorithm::Sha512,
            (None, Some(other)) => {
                let message = format!("unsupported digest algorithm: {other:?}");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, message));
            }
        };
        let at = name.clone();
        let upload = self.block(move |storage| storage.begin(&at, algorithm)).await?;
        match digest {
            None => Ok(under_way(StatusCode::ACCEPTED, &name, &*upload)),
            Some(digest) => close(&name, digest, incoming::append(body, upload).await?).await,
        }
    }

    async fn mount(&self, name: &Repository, digest: &BlobDigest, from: Option<Repository>) -> Result<bool, Refusal> {
        let (at, wanted) = (name.clone(), digest.clone());
        match self.block(move |storage| storage.mount(&at, &wanted, from.as_ref())).await {
            Ok(()) => Ok(true),
            Err(StorageError::BlobUnknown(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn upload_status(&self, name: Repository, id: UploadId) -> Answer {
        let upload = self.open(&name, &id).await?;
        Ok(under_way(StatusCode::NO_CONTENT, &name, &*upload))
    }

    /// `PATCH`: a chunk, or bytes as they come.
    pub(super) async fn continue_upload(
        &self,
        asked: &Asked,
        name: Repository,
        id: UploadId,
        body: &mut Incoming,
    ) -> Answer {
        let upload = self.open(&name, &id).await?;
        in_order(asked, &name, &*upload)?;
        let upload = incoming::append(body, upload).await?;
        Ok(under_way(StatusCode::ACCEPTED, &name, &*upload))
    }

    /// `PUT`: the last chunk, if any, and what all of it is.
    pub(super) async fn finish_upload(
        &self,
        asked: &Asked,
        name: Repository,
        id: UploadId,
        body: &mut Incoming,
    ) -> Answer {
        let Some(digest) = asked.query.digest("digest")? else {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, "the digest is missing"));
        };
        let upload = self.open(&name, &id).await?;
        in_order(asked, &name, &*upload)?;
        close(&name, digest, incoming::append(body, upload).await?).await
    }

    pub(super) async fn cancel_upload(&self, name: Repository, id: UploadId) -> Answer {
        let upload = self.open(&name, &id).await?;
        block(move || upload.cancel()).await?;
        Ok(reply::empty(StatusCode::NO_CONTENT, &[]))
    }

    /// A client that lost its connection comes back before the request on it has ended: that one is waited for.
    async fn open(&self, name: &Repository, id: &UploadId) -> Result<Box<dyn Upload>, Refusal> {
        const TRIES: usize = 50;
        const PAUSE: Duration = Duration::from_millis(20);
        for _ in 1..TRIES {
            match self.try_open(name, id).await {
                Err(StorageError::UploadBusy(_)) => tokio::time::sleep(PAUSE).await,
                other => return Ok(other?),
            }
        }
        Ok(self.try_open(name, id).await?)
    }

    async fn try_open(&self, name: &Repository, id: &UploadId) -> Result<Box<dyn Upload>, StorageError> {
        let (name, id) = (name.clone(), id.clone());
        self.block(move |storage| storage.upload(&name, &id)).await
    }
}

async fn close(name: &Repository, digest: BlobDigest, upload: Box<dyn Upload>) -> Answer {
    let want = digest.clone();
    block(move || upload.finish(&want)).await?;
    Ok(created(name, &digest))
}

/// A chunk begins where the last one ended, and is as long as it says. Without a range the bytes go to the end.
fn in_order(asked: &Asked, name: &Repository, upload: &dyn Upload) -> Result<(), Refusal> {
    let Some(header) = asked.header("content-range") else { return Ok(()) };
    let Some((first, last)) = range::chunk(header) else {
        let message = format!("invalid Content-Range: {header:?}");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::BlobUploadInvalid, message));
    };
    if first != upload.offset() {
        let message = format!("the next byte is {}", upload.offset());
        return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid, message)
            .with("location", location(name, upload))
            .with("range", so_far(upload))
            .with("docker-upload-uuid", upload.id().as_str()));
    }
    let length = asked.header("content-length").and_then(|text| text.parse::<u64>().ok());
    // The last byte is not before the first; all 2^64 of them will not come.
    if length.is_some_and(|length| length != (last - first).saturating_add(1)) {
        let message = "Content-Length does not match Content-Range";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::SizeInvalid, message));
    }
    Ok(())
}

fn under_way(status: StatusCode, name: &Repository, upload: &dyn Upload) -> Response<Body> {
    let headers = [
        ("location", &*location(name, upload)),
        ("range", &so_far(upload)),
        ("docker-upload-uuid", upload.id().as_str()),
    ];
    reply::empty(status, &headers)
}

fn created(name: &Repository, digest: &BlobDigest) -> Response<Body> {
    let location = format!("/v2/{name}/blobs/{digest}");
    reply::empty(StatusCode::CREATED, &[("location", &location), (DIGEST, &digest.to_string())])
}

/// Relative, so that it holds behind whatever is in front.
fn location(name: &Repository, upload: &dyn Upload) -> String {
    format!("/v2/{name}/blobs/uploads/{}", upload.id())
}

/// The specification has no word for nothing; `0-0` is everybody's.
fn so_far(upload: &dyn Upload) -> String {
    format!("0-{}", upload.offset().saturating_sub(1))
}
