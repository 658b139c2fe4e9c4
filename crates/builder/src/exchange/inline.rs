//! A cache in an image's config: which of the image's own layers which step made. Whoever does not know the field passes over it, and the
//! layers come with the image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::digest::{DiffId, Digest};
use spec::image::Descriptor;

use super::document::{Absent, Cache, DocumentError, Layer, absent_of, read_absent};

/// The field of the config.
pub const FIELD: &str = "kist.build-cache.v1";

#[derive(Serialize, Deserialize)]
struct Inline {
    records: Vec<Record>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    absent: Vec<Absent>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    key: Digest,
    /// The place of its layer in the image, from 0.
    layer: Option<usize>,
}

/// What the field says of the steps that made these layers. Of others it says what they are called.
#[must_use]
pub fn value(steps: &BTreeMap<Digest, Option<DiffId>>, diff_ids: &[DiffId]) -> serde_json::Value {
    let (mut records, mut absent) = (Vec::new(), BTreeMap::new());
    for (key, layer) in steps {
        match layer.as_ref().map(|layer| (layer, diff_ids.iter().position(|other| other == layer))) {
            Some((layer, None)) => drop(absent.insert(key.clone(), layer.clone())),
            Some((_, Some(place))) => records.push(Record { key: key.clone(), layer: Some(place) }),
            None => records.push(Record { key: key.clone(), layer: None }),
        }
    }
    serde_json::to_value(Inline { records, absent: absent_of(&absent) })
        .expect("texts and numbers in structs and lists are always JSON")
}

/// The cache in an image's config, whose layers are `blobs`. None: it has none.
///
/// # Errors
/// [`DocumentError`].
pub fn read(config: &[u8], blobs: &[Descriptor]) -> Result<Option<Cache>, DocumentError> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default, rename = "kist.build-cache.v1")]
        cache: Option<Inline>,
        #[serde(default)]
        rootfs: spec::image::RootFs,
    }
    let Config { cache, rootfs } = serde_json::from_slice(config)?;
    let Some(Inline { records, absent }) = cache else { return Ok(None) };
    if rootfs.diff_ids.len() != blobs.len() {
        return Err(DocumentError::Contradiction("the image's manifest has other layers than its config"));
    }
    let missing = || DocumentError::Contradiction("a step made a layer that is not in it");
    let layer = |place: usize| match (rootfs.diff_ids.get(place), blobs.get(place)) {
        (Some(diff_id), Some(blob)) => Ok(Layer { diff_id: diff_id.clone(), blob: blob.clone() }),
        (_, _) => Err(missing()),
    };
    let records: Result<Vec<_>, DocumentError> =
        records.into_iter().map(|Record { key, layer: place }| Ok((key, place.map(layer).transpose()?))).collect();
    Ok(Some(Cache::of(records?).without(read_absent(absent)?)))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;
    use spec::image::media;

    use super::*;

    fn diff(text: &str) -> DiffId {
        DiffId(Digest::sha256(text.as_bytes()))
    }

    #[test]
    fn golden_field() {
        let steps = BTreeMap::from([
            (Digest::sha256(b"a"), Some(diff("2"))),
            (Digest::sha256(b"b"), None),
            (Digest::sha256(b"c"), Some(diff("of another stage"))),
        ]);
        let value = value(&steps, &[diff("1"), diff("2")]);
        expect![[r#"{"absent":[{"diffId":"sha256:6d3c27127564aeffe49f7806f7bb02ac8eb434ef4c1d8ac93c6606b13df5dce0","key":"sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6"}],"records":[{"key":"sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d","layer":null},{"key":"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","layer":1}]}"#]].assert_eq(&value.to_string());
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}","{}"]}},"{FIELD}":{value}}}"#,
            diff("1"),
            diff("2")
        );
        let blobs = [Descriptor::of(media::LAYER_GZIP, b"1"), Descriptor::of(media::LAYER_GZIP, b"2")];
        let cache = read(config.as_bytes(), &blobs).unwrap().unwrap();
        let made = cache.step(&Digest::sha256(b"a")).unwrap().unwrap();
        assert_eq!((&made.diff_id, &made.blob), (&diff("2"), &blobs[1]));
        assert_eq!(cache.step(&Digest::sha256(b"b")), Some(None));
        assert_eq!(cache.step(&Digest::sha256(b"c")), None);
        assert_eq!(cache.absent(&Digest::sha256(b"c")), Some(&diff("of another stage")));
        // Others read the image as if nothing were there.
        let others: spec::image::ImageConfig = serde_json::from_str(&config).unwrap();
        assert_eq!(others.rootfs.diff_ids.len(), 2);
        assert!(read(config.as_bytes(), &blobs[..1]).is_err());
        assert!(read(b"{}", &[]).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_config_is_read_or_refused(place in 0usize..9, text in r#"\{"kist.build-cache.v1":\{"records":\[.{0,30}\]\}\}|.{0,40}"#) {
            let _ = read(text.as_bytes(), &[]);
            let key = Digest::sha256(b"");
            let text = format!(r#"{{"kist.build-cache.v1":{{"records":[{{"key":"{key}","layer":{place}}}]}}}}"#);
            prop_assert!(read(text.as_bytes(), &[]).is_err());
        }
    }
}
