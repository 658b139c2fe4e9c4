//! How an image leaves: the words on its documents, whose types they are of, and how its layers are packed. BuildKit's attributes of outputs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::annotation::{Annotations, Place};
use crate::digest::DiffId;
use crate::image::{Descriptor, Manifest, media};
use crate::platform::Platform;

/// What BuildKit says on a layer whose files are not later than this (`util/converter`).
const REWRITTEN: &str = "buildkit/rewritten-timestamp";

/// The form of an image, or of those of several platforms that go together. Where nobody asks for another it is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    /// Free words on its documents.
    #[serde(skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
    /// Whose types its documents are of.
    pub types: Types,
    /// How its layers are packed; none: as it is usual where they go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packing: Option<Packing>,
    /// Which layers are packed so.
    pub packed: Packed,
    /// Layers of which it is said that no file is later than this, in seconds since 1970.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rewritten: BTreeMap<DiffId, i64>,
}

/// Whose media types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Types {
    /// The OCI's.
    #[default]
    Oci,
    /// Docker's, for old registries.
    Docker,
}

/// How layers travel, with the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packing {
    /// As tars.
    Uncompressed,
    /// 0 to 9.
    Gzip(u8),
    /// 1 to 22.
    Zstd(u8),
}

/// Which layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packed {
    /// Those that are not there in another packing.
    #[default]
    Missing,
    /// All.
    All,
}

/// What is asked for is no packing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackingError {
    /// It is BuildKit's, and not ours.
    #[error("compression={0} is not there in kist: there are uncompressed, gzip and zstd")]
    NotHere(String),
    /// It is nobody's.
    #[error("unsupported compression type {0}")]
    Unknown(String),
    /// The level.
    #[error("invalid compression-level {0:?}: {1}")]
    Level(String, &'static str),
}

impl Packing {
    /// What registries are sent if nobody asks for something else; its level is that of Docker's own layers.
    pub const USUAL: Packing = Packing::Gzip(6);

    /// Takes BuildKit's words; a level alone is one of gzip.
    ///
    /// # Errors
    /// [`PackingError`].
    pub fn parse(name: Option<&str>, level: Option<&str>) -> Result<Option<Packing>, PackingError> {
        let number = |most: u8, usual: u8, range: &'static str| match level {
            None => Ok(usual),
            Some(text) => {
                let number = text.parse().ok().filter(|number| *number <= most);
                number.ok_or_else(|| PackingError::Level(text.to_owned(), range))
            }
        };
        match (name, level) {
            (None, None) => Ok(None),
            (Some("uncompressed"), None) => Ok(Some(Packing::Uncompressed)),
            (Some("uncompressed"), Some(level)) => {
                Err(PackingError::Level(level.to_owned(), "what is not compressed has no level"))
            }
            (Some("gzip") | None, _) => number(9, 6, "gzip has 0 to 9").map(Packing::Gzip).map(Some),
            // 0 is zstd's word for its usual one.
            (Some("zstd"), _) => {
                number(22, 3, "zstd has 0 to 22").map(|n| Some(Packing::Zstd(if n == 0 { 3 } else { n })))
            }
            (Some(name @ ("estargz" | "nydus")), _) => Err(PackingError::NotHere(name.to_owned())),
            (Some(name), _) => Err(PackingError::Unknown(name.to_owned())),
        }
    }

    /// What the OCI calls a layer that is packed so.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Packing::Uncompressed => media::LAYER,
            Packing::Gzip(_) => media::LAYER_GZIP,
            Packing::Zstd(_) => media::LAYER_ZSTD,
        }
    }
}

impl Types {
    /// What an index is called.
    #[must_use]
    pub fn index(self) -> &'static str {
        match self {
            Types::Oci => media::INDEX,
            Types::Docker => media::DOCKER_INDEX,
        }
    }
}

impl Form {
    /// Whether a blob that is there already will do for a layer.
    #[must_use]
    pub fn takes(&self, media_type: &str) -> bool {
        let wanted = self.packing.unwrap_or(Packing::USUAL).media_type();
        self.packed == Packed::Missing || media::oci_layer(media_type) == wanted
    }

    /// The manifest of an image of this form, and what points to it. Each layer comes by what it is and as the blob it has become.
    pub fn manifest<'a>(
        &self,
        platform: &Platform,
        config_bytes: &[u8],
        layers: impl Iterator<Item = (&'a DiffId, &'a Descriptor)>,
    ) -> (Descriptor, Vec<u8>) {
        let layers = layers.map(|(diff_id, blob)| self.layer(diff_id, blob)).collect();
        let mut manifest = Manifest::of_image(config_bytes, layers);
        manifest.annotations = self.annotations.on(Place::Manifest, platform);
        let media_type = match self.types {
            Types::Oci => media::MANIFEST,
            Types::Docker => {
                media::DOCKER_CONFIG.clone_into(&mut manifest.config.media_type);
                media::DOCKER_MANIFEST
            }
        };
        manifest.media_type = Some(media_type.to_owned());
        let bytes = manifest.to_bytes();
        (Descriptor::of(media_type, &bytes), bytes)
    }

    fn layer(&self, diff_id: &DiffId, blob: &Descriptor) -> Descriptor {
        let (digest, size) = (blob.digest.clone(), blob.size);
        let plain = |media_type: &str| Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
        };
        match self.types {
            // Docker's layers have no annotations.
            Types::Docker => plain(media::docker_layer(&blob.media_type)),
            Types::Oci => {
                let mut layer = plain(media::oci_layer(&blob.media_type));
                let said = self.rewritten.get(diff_id).map(|epoch_s| (REWRITTEN.to_owned(), epoch_s.to_string()));
                layer.annotations.extend(said);
                layer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::digest::Digest;

    #[test]
    fn packings_are_buildkits() {
        let check = |name: &str, level: &str, is: &str| {
            let some = |text: &'static str| (!text.is_empty()).then_some(text);
            let (name, level) = (String::leak(name.to_owned()), String::leak(level.to_owned()));
            let parsed = Packing::parse(some(name), some(level));
            assert_eq!(parsed.map_or_else(|e| e.to_string(), |packing| format!("{packing:?}")), is);
        };
        check("", "", "None");
        check("", "9", "Some(Gzip(9))");
        check("gzip", "", "Some(Gzip(6))");
        check("gzip", "0", "Some(Gzip(0))");
        check("zstd", "0", "Some(Zstd(3))");
        check("zstd", "22", "Some(Zstd(22))");
        check("uncompressed", "", "Some(Uncompressed)");
        check("gzip", "10", r#"invalid compression-level "10": gzip has 0 to 9"#);
        check("zstd", "-1", r#"invalid compression-level "-1": zstd has 0 to 22"#);
        check("uncompressed", "1", r#"invalid compression-level "1": what is not compressed has no level"#);
        check("estargz", "", "compression=estargz is not there in kist: there are uncompressed, gzip and zstd");
        check("lz4", "", "unsupported compression type lz4");
    }

    #[test]
    fn a_manifest_says_what_the_form_says() {
        let (layer, diff_id) = (Descriptor::of(media::LAYER_GZIP, b"y"), DiffId(Digest::sha256(b"x")));
        let check = |form: &Form, is: Expect| {
            let platform = "linux/amd64".parse().unwrap();
            let (descriptor, bytes) = form.manifest(&platform, b"{}", [(&diff_id, &layer)].into_iter());
            let text = String::from_utf8(bytes).unwrap();
            is.assert_eq(&format!("{}\n{text}", descriptor.media_type));
        };
        let mut form = Form { rewritten: [(diff_id.clone(), 7)].into(), ..Form::default() };
        form.annotations.add("a=b").unwrap();
        check(
            &form,
            expect![[r#"
            application/vnd.oci.image.manifest.v1+json
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa","size":1,"annotations":{"buildkit/rewritten-timestamp":"7"}}],"annotations":{"a":"b"}}"#]],
        );
        form.types = Types::Docker;
        check(
            &form,
            expect![[r#"
            application/vnd.docker.distribution.manifest.v2+json
            {"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","digest":"sha256:a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa","size":1}],"annotations":{"a":"b"}}"#]],
        );
    }

    #[test]
    fn what_is_there_will_do_unless_all_is_packed_anew() {
        let zstd = Form { packing: Some(Packing::Zstd(3)), ..Form::default() };
        assert!(zstd.takes(media::LAYER_GZIP));
        let all = Form { packed: Packed::All, ..zstd };
        assert!(all.takes(media::LAYER_ZSTD) && !all.takes(media::DOCKER_LAYER_GZIP));
        let usual = Form { packing: None, ..all };
        assert!(usual.takes(media::DOCKER_LAYER_GZIP) && !usual.takes(media::LAYER));
    }

    #[test]
    fn golden_form() {
        let mut form = Form { packing: Some(Packing::Zstd(9)), packed: Packed::All, ..Form::default() };
        form.annotations.add("manifest[linux/arm64]:a=b").unwrap();
        form.rewritten.insert(DiffId(Digest::sha256(b"x")), 7);
        let text = serde_json::to_string(&form).unwrap();
        expect![[r#"{"annotations":[{"place":"manifest","platform":{"os":"linux","architecture":"arm64"},"key":"a","value":"b"}],"types":"oci","packing":{"zstd":9},"packed":"all","rewritten":{"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881":7}}"#]].assert_eq(&text);
        assert_eq!(serde_json::from_str::<Form>(&text).unwrap(), form);
        assert_eq!(serde_json::from_str::<Form>("{}").unwrap(), Form::default());
    }
}
