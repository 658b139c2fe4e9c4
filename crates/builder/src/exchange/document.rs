//! Which step made which layer, as one JSON document. It may come from anybody: it is read whole, checked, and then asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::digest::{Algorithm, DiffId, Digest};
use spec::image::{Descriptor, Manifest, media};

/// What the config of a cache's manifest is.
pub const MEDIA_TYPE: &str = "application/vnd.kist.build-cache.v1+json";
/// Of a document; a build of a thousand steps has 200 KB.
pub const MOST_BYTES: u64 = 8 << 20;
const FORMAT: u32 = 1;

/// What steps made, by their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// None: the step wrote nothing.
    records: BTreeMap<Digest, Option<Layer>>,
    /// Layers that steps wrote, and that are not in the cache: enough to know what follows them.
    absent: BTreeMap<Digest, DiffId>,
}

/// A layer as the cache has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Layer {
    /// By what it holds.
    pub diff_id: DiffId,
    /// The bytes, packed or not.
    pub blob: Descriptor,
}

/// Why a document is none.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It cannot be read.
    #[error("the build cache is damaged")]
    Damaged(#[from] serde_json::Error),
    /// Somebody newer wrote it.
    #[error("the build cache has format {0}, and this kist reads {FORMAT}: update kist, or write the cache anew")]
    Format(u32),
    /// It contradicts itself.
    #[error("the build cache contradicts itself: {0}")]
    Contradiction(&'static str),
    /// It is something else.
    #[error("{0} is no build cache")]
    Other(String),
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    layers: Vec<Layer>,
    records: Vec<Record>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    absent: Vec<Absent>,
}

/// A step whose layer is not in the cache.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Absent {
    pub(super) key: Digest,
    pub(super) diff_id: DiffId,
}

#[derive(Serialize, Deserialize)]
struct Record {
    key: Digest,
    /// The place of its layer.
    layer: Option<usize>,
}

impl Cache {
    /// Of these records. For a key that is there twice the last counts.
    pub fn of(records: impl IntoIterator<Item = (Digest, Option<Layer>)>) -> Cache {
        Cache { records: records.into_iter().collect(), absent: BTreeMap::new() }
    }

    /// With these layers that are not in it.
    #[must_use]
    pub fn without(self, absent: impl IntoIterator<Item = (Digest, DiffId)>) -> Cache {
        Cache { absent: absent.into_iter().collect(), ..self }
    }

    /// What a step made. None: that is not known; none in it: it wrote nothing.
    #[must_use]
    pub fn step(&self, key: &Digest) -> Option<Option<&Layer>> {
        self.records.get(key).map(Option::as_ref)
    }

    /// What a step wrote that is not in the cache.
    #[must_use]
    pub fn absent(&self, key: &Digest) -> Option<&DiffId> {
        self.absent.get(key)
    }

    /// By what steps are known that wrote this.
    pub fn keys_of<'a>(&'a self, wrote: &'a DiffId) -> impl Iterator<Item = &'a Digest> {
        let layers = self.records.iter().filter_map(|(key, layer)| Some((key, &layer.as_ref()?.diff_id)));
        layers.chain(&self.absent).filter(move |(_, diff_id)| *diff_id == wrote).map(|(key, _)| key)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.absent.is_empty()
    }

    /// The layers, each once, in the order of their DiffIDs.
    #[must_use]
    pub fn layers(&self) -> Vec<&Layer> {
        let by_id: BTreeMap<&DiffId, &Layer> =
            self.records.values().flatten().map(|layer| (&layer.diff_id, layer)).collect();
        by_id.into_values().collect()
    }

    /// The document. The same records give the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let layers = self.layers();
        let place = |layer: &Layer| layers.binary_search_by_key(&&layer.diff_id, |other| &other.diff_id).ok();
        let record = |(key, layer): (&Digest, &Option<Layer>)| Record {
            key: key.clone(),
            layer: layer.as_ref().and_then(place),
        };
        let document = Document {
            format: FORMAT,
            records: self.records.iter().map(record).collect(),
            layers: layers.iter().map(|layer| (*layer).clone()).collect(),
            absent: absent_of(&self.absent),
        };
        serde_json::to_vec(&document).expect("texts and numbers in structs and lists are always JSON")
    }

    /// Reads a document, whose digest was compared.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn parse(bytes: &[u8]) -> Result<Cache, DocumentError> {
        #[derive(Deserialize)]
        struct Numbered {
            format: u32,
        }
        let Numbered { format } = serde_json::from_slice(bytes)?;
        if format != FORMAT {
            return Err(DocumentError::Format(format));
        }
        let Document { layers, records, absent, .. } = serde_json::from_slice(bytes)?;
        layers.iter().try_for_each(check)?;
        let mut read = BTreeMap::new();
        for Record { key, layer } in records {
            let layer = layer.map(|place| {
                layers.get(place).cloned().ok_or(DocumentError::Contradiction("a step made a layer that is not in it"))
            });
            if read.insert(key, layer.transpose()?).is_some() {
                return Err(DocumentError::Contradiction("a step is there twice"));
            }
        }
        Ok(Cache { records: read, absent: read_absent(absent)? })
    }

    /// The manifest that names the document and the layers, so that a registry keeps them.
    #[must_use]
    pub fn manifest(&self) -> (Descriptor, Vec<u8>) {
        let document = self.to_bytes();
        let blobs: BTreeMap<_, _> = self.layers().into_iter().map(|layer| (&layer.blob.digest, &layer.blob)).collect();
        let manifest = Manifest {
            config: Descriptor::of(MEDIA_TYPE, &document),
            ..Manifest::of_image(&document, blobs.into_values().cloned().collect())
        };
        let bytes = manifest.to_bytes();
        (Descriptor::of(media::MANIFEST, &bytes), bytes)
    }
}

pub(super) fn absent_of(absent: &BTreeMap<Digest, DiffId>) -> Vec<Absent> {
    absent.iter().map(|(key, diff_id)| Absent { key: key.clone(), diff_id: diff_id.clone() }).collect()
}

pub(super) fn read_absent(absent: Vec<Absent>) -> Result<BTreeMap<Digest, DiffId>, DocumentError> {
    let read = absent.into_iter().map(|Absent { key, diff_id }| {
        check_diff_id(&diff_id)?;
        Ok((key, diff_id))
    });
    read.collect()
}

/// What a layer is packed as, one of those that the store takes.
fn check(layer: &Layer) -> Result<(), DocumentError> {
    let kind = media::oci_layer(&layer.blob.media_type);
    let is_layer = matches!(kind, media::LAYER | media::LAYER_GZIP) || kind == format!("{}+zstd", media::LAYER);
    if !is_layer {
        return Err(DocumentError::Contradiction("a layer is of a type that is no layer's"));
    }
    check_diff_id(&layer.diff_id)
}

fn check_diff_id(diff_id: &DiffId) -> Result<(), DocumentError> {
    if diff_id.0.algorithm() != Algorithm::Sha256 {
        return Err(DocumentError::Contradiction("a layer is known by another digest than SHA-256"));
    }
    Ok(())
}

/// The descriptor of the document that a manifest, whose digest was compared, names.
///
/// # Errors
/// [`DocumentError::Other`]: it is an image's.
pub fn of_manifest(name: &str, bytes: &[u8]) -> Result<Descriptor, DocumentError> {
    let manifest: Manifest = serde_json::from_slice(bytes)?;
    if manifest.config.media_type != MEDIA_TYPE {
        return Err(DocumentError::Other(name.to_owned()));
    }
    if manifest.config.size > MOST_BYTES {
        return Err(DocumentError::Contradiction("its document is unbelievably long"));
    }
    Ok(manifest.config)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn layer(text: &str) -> Layer {
        Layer {
            diff_id: DiffId(Digest::sha256(text.as_bytes())),
            blob: Descriptor::of(media::LAYER_GZIP, format!("packed {text}").as_bytes()),
        }
    }

    fn key(text: &str) -> Digest {
        Digest::sha256(text.as_bytes())
    }

    #[test]
    fn golden_document() {
        let cache = Cache::of([(key("a"), Some(layer("1"))), (key("b"), None), (key("c"), Some(layer("1")))]);
        let bytes = cache.to_bytes();
        expect![[r#"{"format":1,"layers":[{"diffId":"sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b","blob":{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:7578a42f86979f83d3f15e37fc51b0b49a6267007843ab452c1ead36447be166","size":8}}],"records":[{"key":"sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6","layer":0},{"key":"sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d","layer":null},{"key":"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","layer":0}]}"#]].assert_eq(std::str::from_utf8(&bytes).unwrap());
        expect![[r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.kist.build-cache.v1+json","digest":"sha256:9856f9f92bee275465e1d6a5643aa9d66f3aaf8f1019e789c93bf83f0c1cf6d6","size":558},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:7578a42f86979f83d3f15e37fc51b0b49a6267007843ab452c1ead36447be166","size":8}]}"#]].assert_eq(std::str::from_utf8(&cache.manifest().1).unwrap());
        assert_eq!(Cache::parse(&bytes).unwrap(), cache);
        assert_eq!(cache.step(&key("a")), Some(Some(&layer("1"))));
        assert_eq!(cache.step(&key("b")), Some(None));
        assert_eq!(cache.step(&key("d")), None);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let check = |text: &str, is: &str| assert_eq!(Cache::parse(text.as_bytes()).unwrap_err().to_string(), is);
        let (a, blob) = (key("a"), serde_json::to_string(&layer("1")).unwrap());
        check(
            r#"{"format":2}"#,
            "the build cache has format 2, and this kist reads 1: update kist, or write the cache anew",
        );
        check("{", "the build cache is damaged");
        check(
            &format!(r#"{{"format":1,"layers":[],"records":[{{"key":"{a}","layer":0}}]}}"#),
            "the build cache contradicts itself: a step made a layer that is not in it",
        );
        let twice = format!(r#"{{"key":"{a}","layer":null}},{{"key":"{a}","layer":0}}"#);
        check(
            &format!(r#"{{"format":1,"layers":[{blob}],"records":[{twice}]}}"#),
            "the build cache contradicts itself: a step is there twice",
        );
        let odd = blob.replace("layer.v1.tar+gzip", "config.v1+json");
        check(
            &format!(r#"{{"format":1,"layers":[{odd}],"records":[]}}"#),
            "the build cache contradicts itself: a layer is of a type that is no layer's",
        );
        let image = Manifest::of_image(b"{}", Vec::new()).to_bytes();
        assert_eq!(of_manifest("x:1", &image).unwrap_err().to_string(), "x:1 is no build cache");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            records in proptest::collection::btree_map("[a-d]{1,2}", proptest::option::of("[a-c]"), 0..8),
            absent in proptest::collection::btree_map("[e-g]{1,2}", "[a-c]", 0..4),
        ) {
            let records = records.iter().map(|(name, text)| (key(name), text.as_deref().map(layer)));
            let absent = absent.iter().map(|(name, text)| (key(name), layer(text).diff_id));
            let cache = Cache::of(records).without(absent);
            prop_assert_eq!(Cache::parse(&cache.to_bytes()).unwrap(), cache);
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in r#"\{"format":1,"layers":\[.{0,40}\],"records":\[.{0,40}\]\}|.{0,60}"#) {
            let _ = Cache::parse(text.as_bytes());
            let _ = of_manifest("x", text.as_bytes());
        }
    }
}
