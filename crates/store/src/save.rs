//! `docker save`: images become an archive that docker, podman and skopeo read: an OCI layout and `manifest.json` in one tar. The same
//! images give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Read, Write};

use serde::Serialize;
use spec::attestation::{self, DamagedPredicate, Predicate};
use spec::digest::{Algorithm, BlobDigest, Digest};
use spec::image::{Descriptor, Index, Manifest, media};
use spec::platform::Platform;
use spec::reference::Reference;

use crate::image::{Image, ResolveError};
use crate::ingest::Hashed;
use crate::layer::LayerError;
use crate::store::{Store, StoreError};
use crate::tar::{Entry, Kind, Time, Writer};

/// Why images were not saved; what was written until then is no archive.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Which images?
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The output.
    #[error("writing the archive")]
    Write(#[source] io::Error),
    /// A layer of the store is not what it was.
    #[error("layer {0} is damaged: load or pull its image again")]
    Layer(Digest, #[source] LayerError),
    /// A layer of the store is not what it was.
    #[error("layer {want} is damaged: it is {got} now; load or pull its image again")]
    Corrupt {
        /// What it should be.
        want: Digest,
        /// What it is.
        got: Digest,
    },
    /// What is said about an image.
    #[error(transparent)]
    Attestation(#[from] DamagedPredicate),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An image to be saved.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Which one.
    pub image: Image,
    /// What it is called in the archive.
    pub names: Vec<Reference>,
    /// What is said about it.
    pub predicates: Vec<Predicate>,
}

/// What names point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointed {
    /// Each image by its own.
    Each,
    /// All by the names of the first: one image for several platforms, in an index.
    Together,
}

/// An item of `manifest.json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Store {
    /// Writes these images out, each under the name it is asked for; a repository without a tag means all its tags.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save(&self, names: &[&str], out: impl Write) -> Result<(), SaveError> {
        let mut images = Vec::new();
        for (image, names) in self.asked(names)? {
            let predicates = self.attested(&image.id)?;
            images.push(Saved { image, names, predicates });
        }
        self.save_these(&images, Pointed::Each, out)
    }

    /// The same of these, whether or not they are images of this store; their layers must be here and kept.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save_these(&self, images: &[Saved], pointed: Pointed, out: impl Write) -> Result<(), SaveError> {
        // Until the last byte is written nobody shall collect what is being read.
        let _held = self.share()?;
        let mut archive =
            Archive { tar: Writer::new(BufWriter::with_capacity(1 << 20, out)), written: BTreeSet::new() };
        for dir in ["blobs", "blobs/sha256"] {
            archive.dir(dir)?;
        }
        let (mut parts, mut items) = (Vec::new(), Vec::new());
        for Saved { image, names, predicates } in images {
            let manifest = self.save_image(&mut archive, image)?;
            let said = archive.said(&manifest, image, names, predicates)?;
            parts.push(((manifest, image.config.platform()), said, names));
            let layers = image.config.rootfs.diff_ids.iter().map(|layer| member(&layer.0)).collect();
            let tags: Vec<_> = names.iter().map(Reference::familiar).collect();
            let repo_tags = (!tags.is_empty()).then_some(tags);
            items.push(Item { config: member(&image.id.0), repo_tags, layers });
        }
        let mut index = Vec::new();
        let group = if pointed == Pointed::Together { parts.len() } else { 1 };
        for group in parts.chunks(group.max(1)) {
            let images: Vec<_> = group.iter().map(|(image, ..)| image.clone()).collect();
            let said: Vec<_> = group.iter().filter_map(|(_, said, _)| said.clone()).collect();
            let names = group.first().map_or(&[][..], |(.., names)| names.as_slice());
            index.extend(entries(&archive.point(&images, &said)?, names));
        }
        let index = Index {
            schema_version: 2,
            media_type: Some(media::INDEX.to_owned()),
            manifests: index,
            annotations: BTreeMap::new(),
        };
        archive.file("index.json", &json(&index))?;
        archive.file("manifest.json", &json(&items))?;
        archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        archive.tar.finish().map_err(SaveError::Write)?;
        Ok(())
    }

    /// The images in the order they were asked for, each once, with all the names they were asked by.
    fn asked(&self, names: &[&str]) -> Result<Vec<(Image, Vec<Reference>)>, SaveError> {
        let mut images: Vec<(Image, Vec<Reference>)> = Vec::new();
        let mut add = |image: Image, name: Option<Reference>| match images.iter_mut().find(|(i, _)| i.id == image.id) {
            Some((_, names)) => names.extend(name.filter(|name| !names.contains(name))),
            None => images.push((image, name.into_iter().collect())),
        };
        for name in names {
            let reference = name.parse::<Reference>().ok();
            if let Some(reference) = reference.as_ref().filter(|_| is_repository(name)) {
                let same = |tag: &&Reference| tag.familiar_name() == reference.familiar_name();
                let mut found = false;
                for (id, names) in self.all_names()? {
                    for tag in names.tags.iter().filter(same) {
                        add(self.image(&id)?, Some(tag.clone()));
                        found = true;
                    }
                }
                if found {
                    continue;
                }
            }
            let image = self.resolve(name)?;
            let by_name = match &reference {
                Some(reference) => reference.digest().is_none() && self.named(reference)?.as_ref() == Some(&image.id),
                None => false,
            };
            add(image, reference.filter(|_| by_name));
        }
        Ok(images)
    }

    /// Its layers, config and a manifest that names them as they are now, not compressed.
    fn save_image<W: Write>(&self, archive: &mut Archive<W>, image: &Image) -> Result<Descriptor, SaveError> {
        let mut layers = Vec::new();
        for chain in &image.chains {
            let record = self.layer(chain)?;
            let digest = record.diff_id.0;
            if archive.written.insert(digest.clone()) {
                let failed = |e| SaveError::Layer(digest.clone(), e);
                let mut tar = Hashed::new(
                    self.driver().assemble(&self.snapshot(chain)).map_err(failed)?,
                    Some(digest.algorithm()),
                );
                archive.append(&member(&digest), record.tar_bytes, &mut tar)?;
                // Whatever is longer than it was is not what it was.
                io::copy(&mut tar, &mut io::sink()).map_err(SaveError::Write)?;
                let got = tar.finish();
                if got != digest {
                    return Err(SaveError::Corrupt { want: digest, got });
                }
            }
            layers.push(Descriptor {
                size: record.tar_bytes,
                digest: BlobDigest(digest),
                ..Descriptor::of(media::LAYER, b"")
            });
        }
        archive.blob(&image.id.0, &image.config_bytes)?;
        let bytes = Manifest::of_image(&image.config_bytes, layers).to_bytes();
        let manifest = Descriptor::of(media::MANIFEST, &bytes);
        archive.blob(&manifest.digest.0, &bytes)?;
        Ok(manifest)
    }
}

/// The lines of the index: one a name, in containerd's and in the specification's words.
fn entries(manifest: &Descriptor, names: &[Reference]) -> Vec<Descriptor> {
    if names.is_empty() {
        return vec![manifest.clone()];
    }
    let entry = |name: &Reference| {
        let tag = name.tag().unwrap_or_default().to_owned();
        let annotations = [
            ("io.containerd.image.name".to_owned(), name.to_string()),
            ("org.opencontainers.image.ref.name".to_owned(), tag),
        ];
        Descriptor { annotations: annotations.into(), ..manifest.clone() }
    };
    names.iter().map(entry).collect()
}

/// Neither a tag nor a digest was typed.
fn is_repository(name: &str) -> bool {
    !name.contains('@') && !name.rsplit('/').next().unwrap_or_default().contains(':')
}

fn member(digest: &Digest) -> String {
    let algorithm = match digest.algorithm() {
        Algorithm::Sha256 => "sha256",
        Algorithm::Sha512 => "sha512",
    };
    format!("blobs/{algorithm}/{}", digest.hex())
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("texts and numbers in structs and lists are always JSON")
}

/// The archive being written.
struct Archive<W: Write> {
    tar: Writer<BufWriter<W>>,
    written: BTreeSet<Digest>,
}

impl<W: Write> Archive<W> {
    fn dir(&mut self, path: &str) -> Result<(), SaveError> {
        self.tar.append(&entry(path, Kind::Dir, 0o755), &mut io::empty()).map_err(SaveError::Write)
    }

    fn blob(&mut self, digest: &Digest, bytes: &[u8]) -> Result<(), SaveError> {
        if self.written.insert(digest.clone()) { self.file(&member(digest), bytes) } else { Ok(()) }
    }

    /// What is said about an image, beside it. Answers its manifest, if anything is said.
    fn said(
        &mut self,
        manifest: &Descriptor,
        image: &Image,
        names: &[Reference],
        predicates: &[Predicate],
    ) -> Result<Option<Descriptor>, SaveError> {
        if predicates.is_empty() {
            return Ok(None);
        }
        let said = attestation::attest(manifest, &image.config.platform(), names, predicates)?;
        for (descriptor, bytes) in said.blobs.iter().chain([&said.manifest]) {
            self.blob(&descriptor.digest.0, bytes)?;
        }
        Ok(Some(said.manifest.0))
    }

    /// What a name points to: a manifest, or an index of all there is.
    fn point(&mut self, images: &[(Descriptor, Platform)], said: &[Descriptor]) -> Result<Descriptor, SaveError> {
        if let ([(manifest, _)], []) = (images, said) {
            return Ok(manifest.clone());
        }
        let (index, bytes) = attestation::index(images, said);
        self.blob(&index.digest.0, &bytes)?;
        Ok(index)
    }

    fn file(&mut self, path: &str, mut bytes: &[u8]) -> Result<(), SaveError> {
        self.append(path, bytes.len() as u64, &mut bytes)
    }

    fn append(&mut self, path: &str, size: u64, body: &mut dyn Read) -> Result<(), SaveError> {
        self.tar.append(&entry(path, Kind::File { size, sparse: None }, 0o644), body).map_err(SaveError::Write)
    }
}

fn entry(path: &str, kind: Kind, mode: u32) -> Entry {
    let path = path.as_bytes().to_vec();
    Entry { path, kind, mode, uid: 0, gid: 0, mtime: Time::default(), xattrs: BTreeMap::new() }
}
