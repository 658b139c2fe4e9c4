//! What is said about an image of this store: predicates, kept as blobs beside it, and the form in which it leaves. How predicates are
//! stated depends on the manifest, so that is done when the image is saved or sent. The image does not know of them.

use std::collections::BTreeSet;
use std::fs;

use disk::{Durability, Record, read_at, write_at};
use serde::{Deserialize, Serialize};
use spec::attestation::Predicate;
use spec::digest::{Digest, ImageId};
use spec::form::Form;
use spec::image::Descriptor;

use crate::store::{Store, StoreError, list, unlink};

/// `images/attested/<image id>.json`: what is said about an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttestedRecord {
    pub(crate) predicates: Vec<PredicateRecord>,
    #[serde(default, skip_serializing_if = "is_usual")]
    pub(crate) form: Form,
}

fn is_usual(form: &Form) -> bool {
    *form == Form::default()
}

/// What is said about an image, and how it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Provenance and the like.
    pub predicates: Vec<Predicate>,
    /// Of its documents and layers.
    pub form: Form,
}

/// One predicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PredicateRecord {
    pub(crate) kind: String,
    pub(crate) blob: Descriptor,
}

impl Record for AttestedRecord {
    const FILE: &'static str = "<image id>.json";
    const FORMAT: u32 = 1;
}

impl Store {
    /// Keeps what is said about an image, instead of what was said before; nothing: it is forgotten.
    ///
    /// # Errors
    /// [`StoreError::Gone`] when there is no such image.
    pub fn attest(&self, id: &ImageId, said: &Said) -> Result<(), StoreError> {
        let before = self.attested_record(id)?;
        let after = self.keep_said(id, said)?;
        // What was said before is nobody's now.
        if before.is_some_and(|before| before != after) { self.collect_soon() } else { Ok(()) }
    }

    fn keep_said(&self, id: &ImageId, said: &Said) -> Result<AttestedRecord, StoreError> {
        let _shared = self.share()?;
        if *said == Said::default() {
            let _held = self.lock_images()?;
            unlink(&self.attested_file(id))?;
            return Ok(AttestedRecord { predicates: Vec::new(), form: Form::default() });
        }
        let mut records = Vec::new();
        for Predicate { kind, body } in &said.predicates {
            let blob = Descriptor::of("application/json", body);
            self.put_blob(&blob, body)?;
            records.push(PredicateRecord { kind: kind.clone(), blob });
        }
        let dir = self.attested_dir();
        fs::create_dir_all(&dir).map_err(StoreError::io("making", &dir))?;
        let _held = self.lock_images()?;
        if self.record(id)?.is_none() {
            return Err(StoreError::Gone(id.clone()));
        }
        let record = AttestedRecord { predicates: records, form: said.form.clone() };
        write_at(&self.attested_file(id), &record, Durability::Durable)?;
        Ok(record)
    }

    /// What is said about an image.
    ///
    /// # Errors
    /// [`StoreError`]; what is damaged is told, as nobody would miss it later.
    pub fn attested(&self, id: &ImageId) -> Result<Said, StoreError> {
        let _shared = self.share()?;
        let Some(record) = self.attested_record(id)? else { return Ok(Said::default()) };
        let mut predicates = Vec::new();
        for PredicateRecord { kind, blob } in record.predicates {
            let path = self.blob(&blob.digest.0);
            let body = fs::read(&path).map_err(StoreError::io("reading", &path))?;
            if Digest::sha256(&body) != blob.digest.0 {
                return Err(StoreError::Damaged(format!("the attestation {kind} of image {id}: build it again")));
            }
            predicates.push(Predicate { kind, body });
        }
        Ok(Said { predicates, form: record.form })
    }

    pub(crate) fn attested_record(&self, id: &ImageId) -> Result<Option<AttestedRecord>, StoreError> {
        Ok(read_at(&self.attested_file(id))?)
    }

    /// Forgets what is said about images that are not here, with the images' lock held.
    pub(crate) fn forget_attested(&self, kept: &BTreeSet<ImageId>) -> Result<(), StoreError> {
        let dir = self.attested_dir();
        if !dir.is_dir() {
            return Ok(());
        }
        for file in list(&dir)? {
            // What a crash left of a write goes as well.
            let is_kept = file.strip_suffix(".json").is_some_and(|hex| kept.iter().any(|id| id.0.hex() == hex));
            if !is_kept {
                unlink(&dir.join(file))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use spec::digest::DiffId;
    use spec::form::{Packed, Packing, Types};
    use testkit::{ImageBuilder, Root};

    use super::*;
    use crate::{LoadEvent, Remove, Several};

    fn predicate(body: &str) -> Predicate {
        Predicate { kind: "https://spdx.dev/Document".into(), body: body.as_bytes().to_vec() }
    }

    fn said(bodies: &[&str]) -> Said {
        Said { predicates: bodies.iter().map(|body| predicate(body)).collect(), form: Form::default() }
    }

    fn blobs(store: &Store) -> usize {
        list(&store.blobs_dir()).unwrap().len()
    }

    #[test]
    fn what_is_said_lives_as_long_as_the_image() {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let image = ImageBuilder::new().name("x").file("a", 0o644, "a");
        store.load(image.docker_archive().as_slice(), &mut |_: LoadEvent| {}).unwrap();
        let id = store.resolve("x").unwrap().id;
        assert_eq!(store.attested(&id).unwrap(), Said::default());
        let before = blobs(&store);
        store.attest(&id, &said(&["{}", "[1]"])).unwrap();
        store.collect().unwrap();
        assert_eq!(store.attested(&id).unwrap(), said(&["{}", "[1]"]));
        // The newest word counts.
        store.attest(&id, &said(&["[2]"])).unwrap();
        store.collect().unwrap();
        assert_eq!((store.attested(&id).unwrap().predicates.len(), blobs(&store)), (1, before + 1));
        let remove = Remove { several: Several::Refuse, may_go: &mut |_| Ok(()) };
        store.remove("x", remove).unwrap();
        store.collect().unwrap();
        assert_eq!((list(&store.attested_dir()).unwrap().len(), blobs(&store)), (0, 0));
        assert!(matches!(store.attest(&id, &said(&["{}"])), Err(StoreError::Gone(_))));
    }

    #[test]
    fn an_archive_has_it_and_can_be_loaded() {
        let root = Root::new();
        let store = Store::open(&root.join("one")).unwrap();
        let image = ImageBuilder::new().name("x").file("a", 0o644, "a");
        store.load(image.docker_archive().as_slice(), &mut |_: LoadEvent| {}).unwrap();
        let id = store.resolve("x").unwrap().id;
        let mut plain = Vec::new();
        store.save(&["x"], &mut plain).unwrap();
        store.attest(&id, &said(&[r#"{"in":"it"}"#])).unwrap();
        let (mut archive, mut again) = (Vec::new(), Vec::new());
        store.save(&["x"], &mut archive).unwrap();
        store.save(&["x"], &mut again).unwrap();
        assert_eq!(archive, again);
        assert_ne!(archive, plain);
        assert!(String::from_utf8_lossy(&archive).contains(r#""predicate":{"in":"it"}"#));
        let other = Store::open(&root.join("two")).unwrap();
        other.load(archive.as_slice(), &mut |_: LoadEvent| {}).unwrap();
        assert_eq!(other.resolve("x").unwrap().id, id);
    }

    #[test]
    fn damage_is_told() {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let image = ImageBuilder::new().name("x").file("a", 0o644, "a");
        store.load(image.docker_archive().as_slice(), &mut |_: LoadEvent| {}).unwrap();
        let id = store.resolve("x").unwrap().id;
        store.attest(&id, &said(&["{}"])).unwrap();
        root.write(&format!("blobs/sha256/{}", Digest::sha256(b"{}").hex()), "x");
        assert!(matches!(store.attested(&id), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn golden_form() {
        let text = r#"{"annotations":[{"place":"manifest","key":"a","value":"b"}],"types":"docker","packing":{"zstd":9},"packed":"all","rewritten":{"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a":7}}"#;
        let mut form =
            Form { types: Types::Docker, packing: Some(Packing::Zstd(9)), packed: Packed::All, ..Form::default() };
        form.annotations.add("a=b").unwrap();
        form.rewritten.insert(DiffId(Digest::sha256(b"{}")), 7);
        assert_eq!(serde_json::to_string(&form).unwrap(), text);
        assert_eq!(serde_json::from_str::<Form>(text).unwrap(), form);
    }

    #[test]
    fn golden_record() {
        let record = AttestedRecord {
            predicates: vec![PredicateRecord { kind: "k".into(), blob: Descriptor::of("application/json", b"{}") }],
            form: Form::default(),
        };
        let text = r#"{"predicates":[{"kind":"k","blob":{"mediaType":"application/json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}]}"#;
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
        assert_eq!(serde_json::from_str::<AttestedRecord>(text).unwrap(), record);
    }
}
