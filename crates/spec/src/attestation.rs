//! What is said about an image beside it: in-toto statements in a manifest of their own, which an index lists after the image
//! (BuildKit's "attestation storage", with the artifact type and `subject` of OCI 1.1). The image itself is not touched.
//!
//! ```text
//! index ── manifest of the image                        platform linux/amd64
//!       └─ attestation manifest                          platform unknown/unknown, vnd.docker.reference.digest = the image's
//!             subject: the image's manifest
//!             layers:  application/vnd.in-toto+json, one a predicate
//! ```

use serde::Serialize;
use serde_json::value::RawValue;

use crate::annotation::Place;
use crate::digest::Digest;
use crate::form::Form;
use crate::image::{Descriptor, Index, media};
use crate::platform::Platform;
use crate::purl::Purl;
use crate::reference::Reference;

/// A blob with an in-toto statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// What the manifest says it is.
pub const ARTIFACT: &str = "application/vnd.docker.attestation.manifest.v1+json";
/// The config of what has none: `{}`.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Something said about an image, before it is known how the image is packed and named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// A URI: `https://slsa.dev/provenance/v1`, `https://spdx.dev/Document`.
    pub kind: String,
    /// JSON.
    pub body: Vec<u8>,
}

/// An image's attestations as they are stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestations {
    /// What the manifest points to: the empty config, then the statements.
    pub blobs: Vec<(Descriptor, Vec<u8>)>,
    /// The manifest. Its descriptor is as the index has it.
    pub manifest: (Descriptor, Vec<u8>),
}

/// The predicate is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("the attestation {kind} of the image is damaged: build the image again")]
pub struct DamagedPredicate {
    /// Which one.
    pub kind: String,
    /// Where.
    #[source]
    pub source: serde_json::Error,
}

#[derive(Serialize)]
struct Statement<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    #[serde(rename = "predicateType")]
    predicate_type: &'a str,
    subject: Vec<Subject>,
    predicate: &'a RawValue,
}

#[derive(Serialize)]
struct Subject {
    name: String,
    digest: std::collections::BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttestationManifest<'a> {
    schema_version: u32,
    media_type: &'static str,
    artifact_type: &'static str,
    config: &'a Descriptor,
    layers: Vec<&'a Descriptor>,
    subject: &'a Descriptor,
}

/// States the predicates of the image whose manifest `image` points to, under these names. The same gives the same bytes.
///
/// # Errors
/// [`DamagedPredicate`].
pub fn attest(
    image: &Descriptor,
    platform: &Platform,
    names: &[Reference],
    predicates: &[Predicate],
) -> Result<Attestations, DamagedPredicate> {
    let subjects = subjects(image, platform, names);
    let empty = b"{}".to_vec();
    let mut blobs = vec![(Descriptor::of(EMPTY, &empty), empty)];
    for predicate in predicates {
        let bytes = state(predicate, &subjects)?;
        let mut descriptor = Descriptor::of(IN_TOTO, &bytes);
        descriptor.annotations.insert("in-toto.io/predicate-type".into(), predicate.kind.clone());
        blobs.push((descriptor, bytes));
    }
    let bytes = json(&AttestationManifest {
        schema_version: 2,
        media_type: media::MANIFEST,
        artifact_type: ARTIFACT,
        config: &blobs[0].0,
        layers: blobs[1..].iter().map(|(descriptor, _)| descriptor).collect(),
        subject: &bare(image),
    });
    let mut manifest = Descriptor::of(media::MANIFEST, &bytes);
    manifest.annotations.insert("vnd.docker.reference.digest".into(), image.digest.to_string());
    manifest.annotations.insert("vnd.docker.reference.type".into(), "attestation-manifest".into());
    manifest.platform = Some(Platform { os: "unknown".into(), architecture: "unknown".into(), variant: None });
    Ok(Attestations { blobs, manifest: (manifest, bytes) })
}

/// States a predicate of what has these names and digests.
///
/// # Errors
/// [`DamagedPredicate`].
pub fn state(predicate: &Predicate, subjects: &[(String, Digest)]) -> Result<Vec<u8>, DamagedPredicate> {
    let body: &RawValue = serde_json::from_slice(&predicate.body)
        .map_err(|source| DamagedPredicate { kind: predicate.kind.clone(), source })?;
    let subject = |(name, digest): &(String, Digest)| Subject {
        name: name.clone(),
        digest: [(digest.algorithm().name(), digest.hex().to_owned())].into(),
    };
    Ok(json(&Statement {
        kind: "https://in-toto.io/Statement/v1",
        predicate_type: &predicate.kind,
        subject: subjects.iter().map(subject).collect(),
        predicate: body,
    }))
}

/// The index of images, each with its platform, and then of what is said about them, in this form.
#[must_use]
pub fn index(images: &[(Descriptor, Platform)], attestations: &[Descriptor], form: &Form) -> (Descriptor, Vec<u8>) {
    let (annotations, media_type) = (&form.annotations, form.types.index());
    let image = |(image, platform): &(Descriptor, Platform)| {
        let annotations = annotations.on(Place::ManifestDescriptor, platform);
        Descriptor { platform: Some(platform.clone()), annotations, ..image.clone() }
    };
    let any = Platform { os: String::new(), architecture: String::new(), variant: None };
    let index = Index {
        schema_version: 2,
        media_type: Some(media_type.to_owned()),
        manifests: images.iter().map(image).chain(attestations.iter().cloned()).collect(),
        annotations: annotations.on(Place::Index, &any),
    };
    let bytes = json(&index);
    (
        Descriptor { annotations: annotations.on(Place::IndexDescriptor, &any), ..Descriptor::of(media_type, &bytes) },
        bytes,
    )
}

/// What is spoken of: the manifest, by each of its names.
fn subjects(image: &Descriptor, platform: &Platform, names: &[Reference]) -> Vec<(String, Digest)> {
    let subject = |name: String| (name, image.digest.0.clone());
    if names.is_empty() {
        // in-toto wants one subject at least.
        return vec![subject("_".into())];
    }
    names.iter().map(|name| subject(Purl::of_image(name, Some(platform)).to_string())).collect()
}

/// Without what an index says about it.
fn bare(descriptor: &Descriptor) -> Descriptor {
    Descriptor { platform: None, annotations: std::collections::BTreeMap::new(), ..descriptor.clone() }
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("texts and numbers in structs and lists are always JSON")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn golden_attestations() {
        let image = Descriptor::of(media::MANIFEST, b"x");
        let platform: Platform = "linux/amd64".parse().unwrap();
        let predicate = Predicate { kind: "https://spdx.dev/Document".into(), body: br#"{"a": [1]}"#.to_vec() };
        let made = attest(&image, &platform, &["a/b:1".parse().unwrap()], &[predicate]).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        expect![[r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://spdx.dev/Document","subject":[{"name":"pkg:docker/a/b@1?platform=linux%2Famd64","digest":{"sha256":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}}],"predicate":{"a": [1]}}"#]]
            .assert_eq(&text(&made.blobs[1].1));
        expect![[r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.docker.attestation.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/vnd.in-toto+json","digest":"sha256:7c493316784fed0b0bc428f08deb48d5f378d7c792be34506381477c70cc0945","size":260,"annotations":{"in-toto.io/predicate-type":"https://spdx.dev/Document"}}],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","size":1}}"#]].assert_eq(&text(&made.manifest.1));
        expect![[r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","size":1,"platform":{"os":"linux","architecture":"amd64"}},{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:8535814a0a1b76bf9416d9482ba423ba7d5f4bc97c245c196c111a2bb4206665","size":679,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.digest":"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","vnd.docker.reference.type":"attestation-manifest"}}]}"#]].assert_eq(&text(&index(&[(image, platform)], &[made.manifest.0], &Form::default()).1));
    }

    #[test]
    fn an_image_without_a_name_is_a_subject_too() {
        let image = Descriptor::of(media::MANIFEST, b"x");
        let platform: Platform = "linux/amd64".parse().unwrap();
        let predicate = |body: &[u8]| [Predicate { kind: "k".into(), body: body.to_vec() }];
        let made = attest(&image, &platform, &[], &predicate(b"{}")).unwrap();
        assert!(String::from_utf8_lossy(&made.blobs[1].1).contains(r#""subject":[{"name":"_","#));
        assert!(attest(&image, &platform, &[], &predicate(b"{")).is_err());
        // Nobody takes it for an image.
        assert!(made.manifest.0.is_attestation());
    }
}
