//! Manifests as a registry sees them: what they are and what they refer to (OCI image specification 1.1, and Docker schema 2).
//!
//! The bytes are kept as they came and only looked at here. A document that could be read as an image and as an index is refused:
//! two readers that disagree about what a digest names are an attack (CVE-2021-41190).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use spec::digest::BlobDigest;
use spec::image::media;

/// The longest manifest that is taken. The specification asks for 4 MiB at least.
pub const MANIFEST_MAX: usize = 8 << 20;

/// Why bytes are not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No JSON, or not of that shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A kind that is not known.
    #[error("media type {0:?} is not supported")]
    MediaType(String),
    /// It says itself to be of another kind than the request does.
    #[error("the document says to be {inside:?} and was sent as {outside:?}")]
    Disagrees {
        /// In the document.
        inside: String,
        /// In the header.
        outside: String,
    },
    /// Its parts do not make one kind.
    #[error("{0}")]
    Shape(&'static str),
}

/// What a manifest says.
#[derive(Debug)]
pub struct Document {
    media_type: String,
    written: Written,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    schema_version: u32,
    media_type: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    artifact_type: String,
    config: Option<Target>,
    layers: Option<Vec<Target>>,
    manifests: Option<Vec<Target>>,
    subject: Option<Target>,
    #[serde(default, deserialize_with = "null_is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    media_type: String,
    digest: BlobDigest,
    #[serde(default, deserialize_with = "null_is_empty")]
    urls: Vec<String>,
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// One entry of a list of referrers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Of the manifest.
    pub media_type: String,
    /// Of the manifest.
    pub digest: BlobDigest,
    /// Of the manifest, in bytes.
    pub size: usize,
    /// What it says it is; an image without such a word is what its config is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
    /// All of the manifest's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Document {
    /// Reads what was sent with this media type; an empty one leaves the word to the document.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn read(media_type: &str, bytes: &[u8]) -> Result<Document, DocumentError> {
        let written: Written = serde_json::from_slice(bytes)?;
        let media_type = match &written.media_type {
            Some(inside) if media_type.is_empty() || inside == media_type => inside.clone(),
            Some(inside) => {
                return Err(DocumentError::Disagrees { inside: inside.clone(), outside: media_type.into() });
            }
            None => media_type.into(),
        };
        if written.schema_version != 2 {
            return Err(DocumentError::Shape("schemaVersion is not 2"));
        }
        let image = written.config.is_some() && written.layers.is_some() && written.manifests.is_none();
        let index = written.manifests.is_some() && written.config.is_none() && written.layers.is_none();
        match media_type.as_str() {
            media::MANIFEST | media::DOCKER_MANIFEST if image => {}
            media::INDEX | media::DOCKER_INDEX if index => {}
            media::MANIFEST | media::DOCKER_MANIFEST => {
                return Err(DocumentError::Shape("an image has a config and layers and no manifests"));
            }
            media::INDEX | media::DOCKER_INDEX => {
                return Err(DocumentError::Shape("an index has manifests and neither config nor layers"));
            }
            _ => return Err(DocumentError::MediaType(media_type)),
        }
        Ok(Document { media_type, written })
    }

    /// What kind it is.
    #[must_use]
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> Option<&BlobDigest> {
        self.written.subject.as_ref().map(|subject| &subject.digest)
    }

    /// The blobs that must be there before it: not those that are fetched from elsewhere.
    pub fn blobs(&self) -> impl Iterator<Item = &BlobDigest> {
        let foreign = |target: &Target| {
            !target.urls.is_empty()
                || target.media_type.contains(".nondistributable.")
                || target.media_type.contains(".foreign.")
        };
        let layers = self.written.layers.iter().flatten().filter(move |layer| !foreign(layer));
        self.written.config.iter().chain(layers).map(|target| &target.digest)
    }

    /// The members of an index.
    pub fn members(&self) -> impl Iterator<Item = &BlobDigest> {
        self.written.manifests.iter().flatten().map(|target| &target.digest)
    }

    /// How it is listed among the referrers of its subject.
    #[must_use]
    pub fn descriptor(self, digest: BlobDigest, size: usize) -> Descriptor {
        let Written { artifact_type, config, annotations, .. } = self.written;
        let artifact_type = match config {
            Some(config) if artifact_type.is_empty() => config.media_type,
            Some(_) | None => artifact_type,
        };
        Descriptor { media_type: self.media_type, digest, size, artifact_type, annotations }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    const BLOB: &str = r#"{"mediaType":"c","size":1,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#;

    fn check(media_type: &str, text: &str, expected: Expect) {
        let said = match Document::read(media_type, text.replace("BLOB", BLOB).as_bytes()) {
            Ok(document) => format!(
                "{}: {} blobs, {} members, {:?}",
                document.media_type(),
                document.blobs().count(),
                document.members().count(),
                document.subject().map(ToString::to_string),
            ),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn a_document_is_one_kind_of_thing() {
        check(
            media::MANIFEST,
            r#"{"schemaVersion":2,"config":BLOB,"layers":[BLOB],"annotations":null}"#,
            expect!["application/vnd.oci.image.manifest.v1+json: 2 blobs, 0 members, None"],
        );
        check(
            "",
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[BLOB]}"#,
            expect!["application/vnd.oci.image.index.v1+json: 0 blobs, 1 members, None"],
        );
        check(
            media::MANIFEST,
            r#"{"schemaVersion":2,"config":BLOB,"layers":[],"manifests":[]}"#,
            expect!["an image has a config and layers and no manifests"],
        );
        check(
            media::MANIFEST,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#,
            expect![[
                r#"the document says to be "application/vnd.oci.image.index.v1+json" and was sent as "application/vnd.oci.image.manifest.v1+json""#
            ]],
        );
        check(media::INDEX, r#"{"schemaVersion":1,"manifests":[]}"#, expect!["schemaVersion is not 2"]);
        check("", r#"{"schemaVersion":2,"manifests":[]}"#, expect![[r#"media type "" is not supported"#]]);
    }

    #[test]
    fn layers_from_elsewhere_need_not_be_there() {
        check(
            media::DOCKER_MANIFEST,
            r#"{"schemaVersion":2,"config":BLOB,"layers":[
            {"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","size":1,
             "digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}"#,
            expect!["application/vnd.docker.distribution.manifest.v2+json: 1 blobs, 0 members, None"],
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_document_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Document::read(media::MANIFEST, &bytes);
        }
    }
}
