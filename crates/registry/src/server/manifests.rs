//! Requests for manifests.

use hyper::body::{Body as _, Incoming};
use hyper::{Response, StatusCode};
use spec::digest::{Algorithm, BlobDigest, Hasher};

use super::answer::{Asked, Registry};
use super::body::Body;
use super::document::{Document, MANIFEST_MAX};
use super::incoming::{self, STALL};
use super::names::{Repository, Tag, Which};
use super::reply::{self, Answer, Code, DIGEST, Refusal};
use super::storage::{Demand, Manifest, StorageError};

impl Registry {
    /// What is there is sent whatever `Accept` says, as all registries do: a client that cannot read it says so in better words.
    pub(super) async fn pull_manifest(&self, asked: &Asked, name: Repository, which: Which) -> Answer {
        let manifest = self.find_manifest(&name, &which).await?;
        let digest = manifest.digest.to_string();
        if asked.has(&manifest.digest) {
            return Ok(reply::empty(StatusCode::NOT_MODIFIED, &[(DIGEST, &digest), ("etag", &etag(&manifest.digest))]));
        }
        let length = manifest.bytes.len().to_string();
        let bytes = if asked.is_head() { Vec::new() } else { manifest.bytes };
        let mut response = reply::full(StatusCode::OK, &manifest.media_type, bytes);
        reply::add(&mut response, &[("content-length", &length), (DIGEST, &digest), ("etag", &etag(&manifest.digest))]);
        Ok(response)
    }

    pub(super) async fn push_manifest(
        &self,
        asked: &Asked,
        name: Repository,
        which: Which,
        body: &mut Incoming,
    ) -> Answer {
        let bytes = self.manifest_body(body).await?;
        // Parameters say nothing about a manifest.
        let outside = asked.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let document = Document::read(outside, &bytes).map_err(StorageError::from)?;
        let media_type = document.media_type().to_owned();
        let (digest, tags) = match which {
            Which::Tag(tag) => (digest_of(Algorithm::Sha256, &bytes), vec![tag]),
            Which::Digest(want) => {
                let got = digest_of(want.0.algorithm(), &bytes);
                if got != want {
                    return Err(StorageError::Mismatch { want, got }.into());
                }
                (got, asked.query.all("tag").map(str::parse).collect::<Result<Vec<Tag>, _>>()?)
            }
        };
        let manifest = Manifest { media_type, digest, bytes };
        self.keep_manifest(name, manifest, tags).await
    }

    /// Small ones at any number, others in turns.
    async fn manifest_body(&self, body: &mut Incoming) -> Result<Vec<u8>, Refusal> {
        const SMALL: u64 = 256 << 10;
        let small = body.size_hint().upper().is_some_and(|size| size <= SMALL);
        let _turn = if small { None } else { self.large.acquire().await.ok() };
        let arrived = tokio::time::timeout(2 * STALL, incoming::whole(body, MANIFEST_MAX)).await;
        arrived.unwrap_or_else(|_| {
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::SizeInvalid, "the manifest takes too long"))
        })
    }

    async fn keep_manifest(&self, name: Repository, manifest: Manifest, tags: Vec<Tag>) -> Answer {
        let location = format!("/v2/{name}/manifests/{}", manifest.digest);
        let digest = manifest.digest.to_string();
        let named = tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", ");
        let put = move |storage: &dyn super::Storage| storage.put_manifest(&name, &manifest, &tags, Demand::Complete);
        let subject = self.block(put).await?;
        let mut response = reply::empty(
            StatusCode::CREATED,
            &[("location", &location), (DIGEST, &digest), ("etag", &quoted(&digest))],
        );
        if !named.is_empty() {
            reply::add(&mut response, &[("oci-tag", &named)]);
        }
        if let Some(subject) = subject {
            reply::add(&mut response, &[("oci-subject", &subject.to_string())]);
        }
        Ok(response)
    }

    pub(super) async fn delete_manifest(&self, name: Repository, which: Which) -> Answer {
        self.block(move |storage| storage.delete_manifest(&name, &which)).await?;
        self.garbage.notify_one();
        Ok(accepted())
    }
}

impl Asked {
    /// Whether the client has it already.
    pub(super) fn has(&self, digest: &BlobDigest) -> bool {
        let etag = etag(digest);
        let names =
            |text: &str| text.split(',').any(|one| one.trim().trim_start_matches("W/") == etag || one.trim() == "*");
        self.header("if-none-match").is_some_and(names)
    }
}

pub(super) fn etag(digest: &BlobDigest) -> String {
    quoted(&digest.to_string())
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

pub(super) fn accepted() -> Response<Body> {
    reply::empty(StatusCode::ACCEPTED, &[])
}

fn digest_of(algorithm: Algorithm, bytes: &[u8]) -> BlobDigest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    BlobDigest(hasher.finish())
}
