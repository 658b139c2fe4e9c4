//! `registry serve --proxy`: the registry behind ours, asked by the same client that pulls.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use registry::client::{self, BlobBody, Client, ClientError, Document, Patience, Span};
use registry::server::{Answered, Chunks, Fetched, Manifest, Repository, Upstream, UpstreamError, Which, chain};
use spec::digest::BlobDigest;
use spec::reference::Reference;

use crate::error::Error;
use crate::registry::{Settings, client_settings};

/// Another registry, by name.
pub struct Behind {
    client: Client,
    registry: String,
}

impl Behind {
    /// `docker.io`, `registry.example:5000`, `https://…`; opens nothing yet.
    ///
    /// # Errors
    /// It is no registry's name; the settings for registries.
    pub fn new(settings: &Settings, typed: &str) -> Result<Behind, Error> {
        let registry = typed.trim_start_matches("https://").trim_end_matches('/');
        let named = format!("{registry}/x").parse::<Reference>().is_ok_and(|parsed| parsed.registry() == registry);
        if !named {
            return Err(Error::Invalid(format!(
                "{typed:?} is not the name of a registry: write host[:port]; one without TLS is named under \"insecure\" in registries.json"
            )));
        }
        let usual = client_settings(settings)?;
        let client = Client::new(client::Settings {
            // This machine's mirror may be this very server.
            mirrors: BTreeMap::new(),
            // A client waits, and often what is here will do for it.
            patience: Patience { pauses: vec![Duration::from_millis(300)], ..usual.patience },
            ..usual
        });
        Ok(Behind { client, registry: registry.to_owned() })
    }

    /// Its name, safe as a file's.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    fn manifest_reference(&self, repository: &Repository, which: &Which) -> Result<Reference, UpstreamError> {
        match which {
            Which::Tag(tag) => self.reference(repository, &format!(":{tag}")),
            Which::Digest(digest) => self.reference(repository, &format!("@{digest}")),
        }
    }

    fn reference(&self, repository: &Repository, suffix: &str) -> Result<Reference, UpstreamError> {
        let text = format!("{}/{repository}{suffix}", self.registry);
        text.parse().map_err(|e| UpstreamError::Failed(format!("{text}: {e}")))
    }
}

impl Upstream for Behind {
    fn digest<'a>(&'a self, repository: &'a Repository, which: &'a Which) -> Answered<'a, BlobDigest> {
        Box::pin(async move {
            let found = self.client.head(&self.manifest_reference(repository, which)?).await;
            answered(found.map(|head| BlobDigest(head.digest)))
        })
    }

    fn manifest<'a>(&'a self, repository: &'a Repository, which: &'a Which) -> Answered<'a, Manifest> {
        Box::pin(async move {
            let found = self.client.manifest(&self.manifest_reference(repository, which)?).await;
            let manifest = |Document { descriptor, bytes }| Manifest {
                media_type: descriptor.media_type,
                digest: descriptor.digest,
                bytes,
            };
            answered(found.map(manifest))
        })
    }

    fn blob_size<'a>(&'a self, repository: &'a Repository, digest: &'a BlobDigest) -> Answered<'a, u64> {
        Box::pin(async move {
            // The client's question for a blob's size wants the right to push.
            let first = Span { from: 0, to: Some(1) };
            let found = self.client.blob(&self.reference(repository, "")?, digest, first).await;
            answered(found)?.map(|body| length(&body, digest)).transpose()
        })
    }

    fn blob<'a>(&'a self, repository: &'a Repository, digest: &'a BlobDigest) -> Answered<'a, Fetched> {
        Box::pin(async move {
            let found = self.client.blob(&self.reference(repository, "")?, digest, Span::WHOLE).await;
            let Some(body) = answered(found)? else { return Ok(None) };
            Ok(Some(Fetched { size: length(&body, digest)?, chunks: Box::new(Arriving(body)) }))
        })
    }
}

fn answered<T>(answer: Result<T, ClientError>) -> Result<Option<T>, UpstreamError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::NotFound { .. }) => Ok(None),
        Err(error @ ClientError::Denied { .. }) => Err(UpstreamError::Denied(chain(&error))),
        Err(error) => Err(UpstreamError::Failed(chain(&error))),
    }
}

fn length(body: &BlobBody, digest: &BlobDigest) -> Result<u64, UpstreamError> {
    body.total_bytes.ok_or_else(|| UpstreamError::Failed(format!("{digest} comes without its length")))
}

struct Arriving(BlobBody);

impl Chunks for Arriving {
    fn chunk(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Option<Bytes>>> + Send + '_>> {
        Box::pin(async { self.0.chunk().await.map_err(io::Error::other) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use registry::client::ProxySettings;
    use registry::credentials::{ConfigFile, Surroundings};

    use super::*;

    #[test]
    fn a_registry_is_named_by_its_host() {
        let nowhere = Surroundings { path: String::new(), auth_config: None };
        let settings = Settings {
            config_dir: "/nonexistent".into(),
            credentials: Arc::new(ConfigFile::open("/nonexistent".as_ref(), nowhere)),
            proxy: ProxySettings::default(),
        };
        for (typed, registry) in [
            ("docker.io", Some("docker.io")),
            ("https://ghcr.io/", Some("ghcr.io")),
            ("localhost:5000", Some("localhost:5000")),
            ("http://localhost:5000", None),
            ("docker.io/library", None),
            ("", None),
        ] {
            let behind = Behind::new(&settings, typed).ok();
            assert_eq!(behind.as_ref().map(Behind::registry), registry, "{typed}");
        }
    }
}
