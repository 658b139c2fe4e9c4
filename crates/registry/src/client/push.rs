//! What is written: blobs in uploads that can be taken up again, and manifests.

use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, LOCATION, RANGE};
use hyper::{Method, StatusCode, Uri};
use spec::digest::{BlobDigest, Digest};
use spec::reference::Reference;

use super::Client;
use super::ask::{Ask, To};
use super::body::{Outgoing, Payload};
use super::error::ClientError;
use super::origin::{Endpoint, append_query, resolve};
use super::read::pushing;
use super::wire::Answer;

/// How an upload begins.
#[derive(Debug)]
pub enum Begun {
    /// It need not: the registry took the blob from another of its repositories.
    Mounted,
    /// The registry waits for bytes.
    Upload(Upload),
}

/// A blob that is growing in a registry.
#[derive(Clone)]
pub struct Upload {
    /// Where the next request goes. Not to be shown: it may hold the right to write there.
    location: Uri,
    /// The shortest chunk that the registry takes, except for the last (`OCI-Chunk-Min-Length`).
    pub chunk_min_bytes: Option<u64>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("host", &self.location.host()).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins to upload a blob into a repository, or has it mounted from another repository of the same registry.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn begin_upload(
        &self,
        reference: &Reference,
        mount: Option<(&BlobDigest, &str)>,
    ) -> Result<Begun, ClientError> {
        let Some((digest, from)) = mount else { return self.begin(reference, Vec::new(), pushing(reference)).await };
        let digest = digest.to_string();
        let mut scopes = pushing(reference);
        scopes.push(format!("repository:{from}:pull"));
        match self.begin(reference, vec![("mount", &digest), ("from", from)], scopes).await {
            // Where reading the other repository is not ours, some token servers refuse the whole request.
            Err(ClientError::Denied { .. }) => self.begin(reference, Vec::new(), pushing(reference)).await,
            begun => begun,
        }
    }

    async fn begin(
        &self,
        reference: &Reference,
        query: Vec<(&str, &str)>,
        scopes: Vec<String>,
    ) -> Result<Begun, ClientError> {
        let to = To::Path(format!("{}/blobs/uploads/", reference.path()), query);
        let ask = Ask { scopes, ..write(Method::POST, reference, to, Payload::Nothing) };
        let answer = self.ask(&Endpoint::registry(reference.registry())?, ask).await?;
        if answer.status == StatusCode::CREATED {
            return Ok(Begun::Mounted);
        }
        let chunk_min_bytes = answer.header("oci-chunk-min-length").and_then(|length| length.parse().ok());
        let location =
            location(&answer).ok_or_else(|| ClientError::broken(answer.host(), "an upload without a place"))?;
        Ok(Begun::Upload(Upload { location, chunk_min_bytes }))
    }

    /// Adds bytes that belong at `offset`, which is the end of what the registry has. Where their number is not known yet they go without a
    /// length, as Docker sends them; some registries take no more than one request of another kind.
    ///
    /// # Errors
    /// See [`ClientError`]. After one that is transient, [`Client::upload_offset`] says where to go on; `Refused` with 416 means that
    /// the registry's end is another.
    pub async fn upload_chunk(
        &self,
        reference: &Reference,
        upload: &mut Upload,
        offset: u64,
        length: Option<u64>,
        body: Outgoing,
    ) -> Result<(), ClientError> {
        let mut headers = vec![(CONTENT_TYPE, "application/octet-stream".to_owned())];
        if let Some(length) = length {
            let Some(last) = (offset + length).checked_sub(1).filter(|_| length > 0) else { return Ok(()) };
            headers.push((CONTENT_RANGE, format!("{offset}-{last}")));
        }
        let to = To::Location(upload.location.clone());
        let ask = Ask { headers, ..write(Method::PATCH, reference, to, Payload::Once(length, Some(body))) };
        let answer = self.ask(&Endpoint::registry(reference.registry())?, ask).await?;
        upload.location = location(&answer).unwrap_or_else(|| upload.location.clone());
        match (stored(&answer), length) {
            (Some(end), Some(length)) if end != offset + length => {
                Err(ClientError::transport(answer.host(), format!("it kept {end} of {} bytes", offset + length)))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// How many bytes the registry has of an upload.
    ///
    /// # Errors
    /// See [`ClientError`]; `NotFound` if the registry has forgotten the upload, as Docker's does after a chunk that broke off. Then it
    /// begins anew.
    pub async fn upload_offset(&self, reference: &Reference, upload: &mut Upload) -> Result<u64, ClientError> {
        let to = To::Location(upload.location.clone());
        let ask = write(Method::GET, reference, to, Payload::Nothing);
        let answer = self.ask(&Endpoint::registry(reference.registry())?, ask).await?;
        upload.location = location(&answer).unwrap_or_else(|| upload.location.clone());
        // Docker's registry says `0-0` for one byte and for none. None is by far the likelier; if it was one, the next chunk gets a 416.
        Ok(stored(&answer).filter(|end| *end > 1).unwrap_or(0))
    }

    /// Ends an upload: the registry compares the digest and keeps the blob.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn finish_upload(
        &self,
        reference: &Reference,
        upload: Upload,
        digest: &BlobDigest,
    ) -> Result<(), ClientError> {
        let mut uri = upload.location.to_string();
        append_query(&mut uri, [("digest", digest.to_string().as_str())].into_iter());
        let uri = uri.parse().map_err(|_| ClientError::broken(reference.registry(), "an upload at no address"))?;
        let ask = write(Method::PUT, reference, To::Location(uri), Payload::Nothing);
        match self.ask(&Endpoint::registry(reference.registry())?, ask).await {
            Ok(_) => Ok(()),
            // The answer to a first attempt may have been lost, and the second finds the upload ended.
            Err(error @ ClientError::NotFound { .. }) => match self.blob_size(reference, digest).await? {
                Some(_) => Ok(()),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Stores a manifest or index under the reference's tag, or under its digest if it has no tag. All it names must be there.
    ///
    /// # Errors
    /// See [`ClientError`]; `Corrupt` if the registry stored something else.
    pub async fn put_manifest(
        &self,
        reference: &Reference,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Digest, ClientError> {
        let digest = Digest::sha256(&bytes);
        let name = reference.tag().map(Into::into).or_else(|| reference.digest().map(ToString::to_string));
        let path = format!("{}/manifests/{}", reference.path(), name.unwrap_or_else(|| digest.to_string()));
        let headers = vec![(CONTENT_TYPE, media_type.to_owned())];
        let payload = Payload::Bytes(bytes.into());
        let what = format!("manifest {reference}");
        let ask = Ask { headers, what, ..write(Method::PUT, reference, To::Path(path, Vec::new()), payload) };
        let answer = self.ask(&Endpoint::registry(reference.registry())?, ask).await?;
        let stored = answer.header("docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok());
        match stored.filter(|stored| stored.algorithm() == digest.algorithm() && *stored != digest) {
            Some(got) => Err(ClientError::Corrupt { host: answer.host(), want: digest, got }),
            None => Ok(digest),
        }
    }
}

fn write<'a>(method: Method, reference: &Reference, to: To<'a>, payload: Payload) -> Ask<'a> {
    let headers: Vec<(HeaderName, String)> = Vec::new();
    let what = format!("upload to {}", reference.path());
    Ask { method, to, headers, payload, scopes: pushing(reference), what }
}

fn location(answer: &Answer) -> Option<Uri> {
    answer.header(LOCATION).and_then(|location| resolve(&answer.uri, location))
}

/// The end of what is stored, from `Range: 0-9`, which some write as `bytes=0-9`.
fn stored(answer: &Answer) -> Option<u64> {
    let range = answer.header(RANGE)?;
    let (_, last) = range.trim_start_matches("bytes=").split_once('-')?;
    last.trim().parse::<u64>().ok()?.checked_add(1)
}
