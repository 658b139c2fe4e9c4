//! What is read: manifests, blobs, whether they are there.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use hyper::{Method, StatusCode};
use serde_json::Value;
use spec::digest::{BlobDigest, Digest, Hasher};
use spec::image::{Descriptor, media};
use spec::reference::Reference;
use tokio::time::sleep;

use super::Client;
use super::ask::{Ask, To};
use super::body::{Payload, next, whole};
use super::error::ClientError;
use super::origin::{Endpoint, Role, mirrors};
use super::wire::Answer;

/// The distribution specification has clients and registries take manifests of 4 MiB at least.
const DOCUMENT_MAX_BYTES: usize = 8 << 20;
/// Documents that break off before one is given up; that there is an answer at all has patience of its own.
const BREAKS: u32 = 3;
const MANIFESTS: [&str; 4] = [media::MANIFEST, media::INDEX, media::DOCKER_MANIFEST, media::DOCKER_INDEX];
const CONTENT_DIGEST: &str = "docker-content-digest";

/// What a registry says it has under a name, without sending it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub media_type: String,
    /// Its address, on the registry's word.
    pub digest: Digest,
    /// Its length.
    pub size_bytes: u64,
}

/// A manifest or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What and how long it is, and its digest, which was computed over the bytes.
    pub descriptor: Descriptor,
    /// As they came.
    pub bytes: Vec<u8>,
}

/// A part of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub from: u64,
    /// The one after the last, if that is not the blob's end.
    pub to: Option<u64>,
}

impl Span {
    /// All of it.
    pub const WHOLE: Span = Span { from: 0, to: None };

    fn header(self) -> Option<String> {
        match self.to {
            None if self.from == 0 => None,
            None => Some(format!("bytes={}-", self.from)),
            Some(to) => Some(format!("bytes={}-{}", self.from, to.saturating_sub(1))),
        }
    }
}

/// A blob on its way.
pub struct BlobBody {
    /// Where in the blob the first byte belongs: what was asked for, or 0 from a registry that does not know ranges.
    pub from: u64,
    /// The whole blob's length, if it was said.
    pub total_bytes: Option<u64>,
    body: Incoming,
    stall: Duration,
    host: String,
    client: Client,
    endpoint: Endpoint,
}

impl BlobBody {
    /// The next bytes, or none after the last. A body that is shorter than was announced is a [`ClientError::Transport`].
    ///
    /// # Errors
    /// When the line breaks or stalls. A mirror that does this is not asked again.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        let bytes = next(&mut self.body, &self.host, self.stall).await;
        if bytes.is_err() {
            self.distrust();
        }
        bytes
    }

    /// To be called when the bytes turn out to be wrong: if a mirror sent them, others are asked from now on.
    pub fn distrust(&self) {
        self.client.0.known.avoid(&self.endpoint);
    }
}

impl Client {
    /// What is under this name.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn head(&self, reference: &Reference) -> Result<Head, ClientError> {
        let answered = self.read(reference, |endpoint| Box::pin(self.head_at(endpoint, reference))).await;
        match answered {
            Ok(Some(head)) => return Ok(head),
            // Not every registry knows HEAD, or says with it what we want to know.
            Ok(None) => {}
            Err(ClientError::Refused { status, .. }) if matches!(status.as_u16(), 400 | 405 | 501) => {}
            Err(error) => return Err(error),
        }
        let Document { descriptor, .. } = self.manifest(reference).await?;
        Ok(Head { media_type: descriptor.media_type, digest: descriptor.digest.0, size_bytes: descriptor.size })
    }

    async fn head_at(&self, endpoint: Endpoint, reference: &Reference) -> Result<Option<Head>, ClientError> {
        let answer = self.ask(&endpoint, manifest(Method::HEAD, reference)).await?;
        let media_type = answer.header(CONTENT_TYPE).map(essence).filter(|found| MANIFESTS.contains(found));
        let digest = answer.header(CONTENT_DIGEST).and_then(|digest| digest.parse().ok());
        let (Some(media_type), Some(digest), Some(size_bytes)) = (media_type, digest, length(&answer)) else {
            return Ok(None);
        };
        match reference.digest() {
            Some(want) if *want != digest => {
                Err(ClientError::Corrupt { host: answer.host(), want: want.clone(), got: digest })
            }
            Some(_) | None => Ok(Some(Head { media_type: media_type.into(), digest, size_bytes })),
        }
    }

    /// The manifest or index under this name; by its digest if it has one.
    ///
    /// # Errors
    /// See [`ClientError`]; `Corrupt` if the bytes do not have the digest they are said to have.
    pub async fn manifest(&self, reference: &Reference) -> Result<Document, ClientError> {
        self.read(reference, |endpoint| Box::pin(self.manifest_at(endpoint, reference))).await
    }

    async fn manifest_at(&self, endpoint: Endpoint, reference: &Reference) -> Result<Document, ClientError> {
        let Whole { host, media_type, said, bytes } =
            self.whole(&endpoint, &|| manifest(Method::GET, reference)).await?;
        let mut digest = checked(&host, &bytes, said.unwrap_or_else(|| Digest::sha256(&bytes)))?;
        if let Some(want) = reference.digest() {
            digest = checked(&host, &bytes, want.clone())?;
        }
        let (media_type, size) = (manifest_type(media_type, &bytes), bytes.len() as u64);
        let descriptor =
            Descriptor { media_type, digest: BlobDigest(digest), size, platform: None, annotations: BTreeMap::new() };
        Ok(Document { descriptor, bytes })
    }

    /// A small blob, whole and checked.
    ///
    /// # Errors
    /// See [`ClientError`]; `Corrupt` if the bytes do not have the descriptor's digest.
    pub async fn document(&self, reference: &Reference, descriptor: &Descriptor) -> Result<Vec<u8>, ClientError> {
        self.read(reference, |endpoint| Box::pin(self.document_at(endpoint, reference, descriptor))).await
    }

    async fn document_at(
        &self,
        endpoint: Endpoint,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<Vec<u8>, ClientError> {
        let ask = || blob(Method::GET, reference, &descriptor.digest, Span::WHOLE);
        let Whole { host, bytes, .. } = self.whole(&endpoint, &ask).await?;
        if bytes.len() as u64 != descriptor.size {
            let why = format!("{} has {} bytes and not {}", descriptor.digest, bytes.len(), descriptor.size);
            return Err(ClientError::broken(host, why));
        }
        checked(&host, &bytes, descriptor.digest.0.clone())?;
        Ok(bytes)
    }

    /// A blob, or a part of it, while it comes. Its digest is the caller's to check.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn blob(&self, reference: &Reference, digest: &BlobDigest, span: Span) -> Result<BlobBody, ClientError> {
        self.read(reference, |endpoint| Box::pin(self.blob_at(endpoint, reference, digest, span))).await
    }

    async fn blob_at(
        &self,
        endpoint: Endpoint,
        reference: &Reference,
        digest: &BlobDigest,
        span: Span,
    ) -> Result<BlobBody, ClientError> {
        let answer = self.ask(&endpoint, blob(Method::GET, reference, digest, span)).await?;
        let (from, total_bytes) = if answer.status == StatusCode::PARTIAL_CONTENT {
            let range = answer.header(CONTENT_RANGE).and_then(content_range).filter(|(from, _)| *from == span.from);
            let other = || ClientError::broken(answer.host(), "it sends another part of a blob than was asked for");
            range.ok_or_else(other)?
        } else {
            (0, length(&answer))
        };
        let (host, stall, client) = (answer.host(), self.0.wire.stall(), self.clone());
        Ok(BlobBody { from, total_bytes, body: answer.body, stall, host, client, endpoint })
    }

    /// The length of a blob that the registry has; before a push, so mirrors are not asked.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn blob_size(&self, reference: &Reference, digest: &BlobDigest) -> Result<Option<u64>, ClientError> {
        let endpoint = Endpoint::registry(reference.registry())?;
        let ask = Ask { scopes: pushing(reference), ..blob(Method::HEAD, reference, digest, Span::WHOLE) };
        match self.ask(&endpoint, ask).await {
            Ok(answer) => Ok(Some(length(&answer).unwrap_or_default())),
            Err(ClientError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks mirrors in turn, and at last the registry, whose error is the one that counts.
    async fn read<'a, T>(
        &self,
        reference: &Reference,
        from: impl Fn(Endpoint) -> Reading<'a, T>,
    ) -> Result<T, ClientError> {
        for mirror in mirrors(&self.0.settings, reference.registry())? {
            if self.0.known.avoids(&mirror) {
                continue;
            }
            match from(mirror.clone()).await {
                Ok(read) => return Ok(read),
                // Somebody has to mend these; silence would hide them.
                Err(error @ ClientError::Settings(_)) => return Err(error),
                Err(ClientError::NotFound { .. } | ClientError::Denied { .. }) => {}
                Err(_) => self.0.known.avoid(&mirror),
            }
        }
        from(Endpoint::registry(reference.registry())?).await
    }

    /// Asks for a document. One that breaks off is asked for again, where there is nobody else to ask.
    async fn whole(&self, endpoint: &Endpoint, ask: &(dyn Fn() -> Ask<'static> + Sync)) -> Result<Whole, ClientError> {
        let mut breaks = 0;
        loop {
            let answer = self.ask(endpoint, ask()).await?;
            let media_type = answer.header(CONTENT_TYPE).map(essence).unwrap_or_default().to_owned();
            let said = answer.header(CONTENT_DIGEST).and_then(|digest| digest.parse().ok());
            let host = answer.host();
            match whole(answer.body, &host, self.0.wire.stall(), DOCUMENT_MAX_BYTES).await {
                Ok(bytes) if bytes.len() > DOCUMENT_MAX_BYTES => {
                    let why = format!("a document of more than {DOCUMENT_MAX_BYTES} bytes");
                    return Err(ClientError::broken(host, why));
                }
                Ok(bytes) => return Ok(Whole { host, media_type, said, bytes }),
                Err(_) if breaks < BREAKS && endpoint.role == Role::Registry => breaks += 1,
                Err(error) => return Err(error),
            }
            sleep(self.pause(breaks)).await;
        }
    }

    /// From now on the registry itself is asked; answers whether mirrors were asked before.
    #[must_use]
    pub fn avoid_mirrors(&self, registry: &str) -> bool {
        let mirrors = mirrors(&self.0.settings, registry).unwrap_or_default();
        let trusted: Vec<_> = mirrors.iter().filter(|mirror| !self.0.known.avoids(mirror)).collect();
        trusted.iter().for_each(|mirror| self.0.known.avoid(mirror));
        !trusted.is_empty()
    }
}

/// A document and what was said about it.
struct Whole {
    host: String,
    media_type: String,
    said: Option<Digest>,
    bytes: Vec<u8>,
}

/// An answer to come from one endpoint. Boxed, because the compiler cannot yet say of an `AsyncFn` that what it returns is `Send`.
type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, ClientError>> + Send + 'a>>;

fn manifest(method: Method, reference: &Reference) -> Ask<'static> {
    let name = reference.digest().map(ToString::to_string).or_else(|| reference.tag().map(Into::into));
    Ask {
        method,
        to: To::Path(format!("{}/manifests/{}", reference.path(), name.unwrap_or_default()), Vec::new()),
        headers: vec![(ACCEPT, MANIFESTS.join(", "))],
        payload: Payload::Nothing,
        scopes: pulling(reference),
        what: format!("manifest {reference}"),
    }
}

fn blob(method: Method, reference: &Reference, digest: &BlobDigest, span: Span) -> Ask<'static> {
    Ask {
        method,
        to: To::Path(format!("{}/blobs/{digest}", reference.path()), Vec::new()),
        headers: span.header().map(|range| (RANGE, range)).into_iter().collect(),
        payload: Payload::Nothing,
        scopes: pulling(reference),
        what: format!("blob {digest} of {}", reference.path()),
    }
}

pub(super) fn pulling(reference: &Reference) -> Vec<String> {
    vec![format!("repository:{}:pull", reference.path())]
}

pub(super) fn pushing(reference: &Reference) -> Vec<String> {
    vec![format!("repository:{}:pull,push", reference.path())]
}

/// A media type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn length(answer: &Answer) -> Option<u64> {
    answer.header(CONTENT_LENGTH)?.parse().ok()
}

/// First byte and whole length of `bytes 5-9/20`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some((from.trim().parse().ok()?, total.trim().parse().ok()))
}

fn checked(host: &str, bytes: &[u8], want: Digest) -> Result<Digest, ClientError> {
    let mut hasher = Hasher::new(want.algorithm());
    hasher.update(bytes);
    let got = hasher.finish();
    if got == want { Ok(got) } else { Err(ClientError::Corrupt { host: host.into(), want, got }) }
}

/// What a manifest is: as its header says, or by itself where a registry, or a file server that plays one, sends it as any JSON.
fn manifest_type(header: String, bytes: &[u8]) -> String {
    if MANIFESTS.contains(&header.as_str()) {
        return header;
    }
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return header };
    match document["mediaType"].as_str() {
        Some(own) => own.into(),
        None if document["manifests"].is_array() => media::INDEX.into(),
        None if document["layers"].is_array() => media::MANIFEST.into(),
        None => header,
    }
}
