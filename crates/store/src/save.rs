//! `docker save`: images become an archive that docker, podman and skopeo read: an OCI layout and `manifest.json` in one tar. The same
//! images give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

use serde::Serialize;
use spec::annotation::Place;
use spec::attestation::{self, DamagedPredicate, Predicate};
use spec::digest::{Algorithm, BlobDigest, ChainId, Digest};
use spec::form::{Form, Packing};
use spec::image::{Descriptor, Index, media};
use spec::reference::Reference;

use crate::attested::Said;
use crate::image::{Image, ResolveError};
use crate::ingest::Hashed;
use crate::layer::LayerError;
use crate::layout::{self, Directory, Files};
use crate::pack::PackError;
use crate::store::{Store, StoreError};
use crate::tar::Writer;

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
    /// A layer that was to be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is to be saved under these names: an image, or one for each of several platforms.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Each with what is said about it.
    pub images: Vec<(Image, Vec<Predicate>)>,
    /// What they are called in the archive.
    pub names: Vec<Reference>,
    /// How they leave.
    pub form: Form,
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
            let Said { predicates, form } = self.attested(&image.id)?;
            images.push(Saved { images: vec![(image, predicates)], names, form });
        }
        self.save_these(&images, out)
    }

    /// The same of these, whether or not they are images of this store; their layers must be here and kept. Images of several platforms
    /// are one index, which `manifest.json` has no words for.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save_these(&self, images: &[Saved], out: impl Write) -> Result<(), SaveError> {
        // Until the last byte is written nobody shall collect what is being read.
        let _held = self.share()?;
        let tar = Writer::new(BufWriter::with_capacity(1 << 20, out));
        let mut archive = Archive { files: tar, written: BTreeSet::new(), items: Vec::new() };
        let entries = self.save_all(&mut archive, images)?;
        let index = Index {
            schema_version: 2,
            media_type: Some(media::INDEX.to_owned()),
            manifests: entries,
            annotations: BTreeMap::new(),
        };
        archive.file("index.json", &json(&index))?;
        if images.iter().all(|saved| saved.images.len() == 1) {
            let items = json(&archive.items);
            archive.file("manifest.json", &items)?;
        }
        archive.file(layout::MARK, layout::VERSION)?;
        archive.files.finish().map_err(SaveError::Write)?;
        Ok(())
    }

    /// The same, as an OCI layout in a directory, which is made if need be. A layout that is there gets these images in addition; another
    /// one of the same name gives way.
    ///
    /// # Errors
    /// [`SaveError`]; the names of a layout that is there mean what they meant.
    pub fn save_layout(&self, images: &[Saved], dir: &Path) -> Result<(), SaveError> {
        let _held = self.share()?;
        let files = Directory::open(dir).map_err(SaveError::Write)?;
        let mut archive = Archive { files, written: BTreeSet::new(), items: Vec::new() };
        let entries = self.save_all(&mut archive, images)?;
        archive.files.extend(&entries).map_err(SaveError::Write)
    }

    /// All but the index, whose lines are answered.
    fn save_all<F: Files>(&self, archive: &mut Archive<F>, images: &[Saved]) -> Result<Vec<Descriptor>, SaveError> {
        for dir in ["blobs", "blobs/sha256"] {
            archive.files.dir(dir).map_err(SaveError::Write)?;
        }
        let mut index = Vec::new();
        for saved in images {
            let top = self.save_one(archive, saved)?;
            index.extend(entries(&top, &saved.names));
        }
        Ok(index)
    }

    /// Answers what the names point to: the image's manifest; or an index of manifests, and of what is said about them.
    fn save_one<F: Files>(&self, archive: &mut Archive<F>, saved: &Saved) -> Result<Descriptor, SaveError> {
        let (mut manifests, mut said) = (Vec::new(), Vec::new());
        for (image, predicates) in &saved.images {
            let platform = image.config.platform();
            let layers = self.save_layers(archive, image, &saved.form)?;
            archive.items.push(item(image, &saved.names, &layers));
            archive.blob(&image.id.0, &image.config_bytes)?;
            let layers = image.config.rootfs.diff_ids.iter().zip(&layers);
            let (manifest, bytes) = saved.form.manifest(&platform, &image.config_bytes, layers);
            archive.blob(&manifest.digest.0, &bytes)?;
            if !predicates.is_empty() {
                let about = attestation::attest(&manifest, &platform, &saved.names, predicates)?;
                for (descriptor, bytes) in about.blobs.iter().chain([&about.manifest]) {
                    archive.blob(&descriptor.digest.0, bytes)?;
                }
                said.push(about.manifest.0);
            }
            manifests.push((manifest, platform));
        }
        if let ([(manifest, platform)], []) = (manifests.as_slice(), said.as_slice()) {
            let annotations = saved.form.annotations.on(Place::ManifestDescriptor, platform);
            return Ok(Descriptor { annotations, ..manifest.clone() });
        }
        let (index, bytes) = attestation::index(&manifests, &said, &saved.form);
        archive.blob(&index.digest.0, &bytes)?;
        Ok(index)
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

    /// Its layers, packed if they are asked for so.
    fn save_layers<F: Files>(
        &self,
        archive: &mut Archive<F>,
        image: &Image,
        form: &Form,
    ) -> Result<Vec<Descriptor>, SaveError> {
        let mut layers = Vec::new();
        for chain in &image.chains {
            layers.push(match form.packing {
                None | Some(Packing::Uncompressed) => self.save_layer(archive, chain)?,
                Some(packing) => {
                    // Its name says what it has become.
                    let mut packed = self.spool()?;
                    let blob = self.pack(chain, packing, &mut packed)?;
                    packed.rewind().map_err(SaveError::Write)?;
                    let path = member(&blob.digest.0);
                    if archive.written.insert(blob.digest.0.clone()) && !archive.files.has(&path, blob.size) {
                        archive.append(&path, blob.size, &mut packed)?;
                    }
                    blob
                }
            });
        }
        Ok(layers)
    }

    /// A layer as it is, not compressed.
    fn save_layer<F: Files>(&self, archive: &mut Archive<F>, chain: &ChainId) -> Result<Descriptor, SaveError> {
        let record = self.layer(chain)?;
        let digest = record.diff_id.0;
        let path = member(&digest);
        if archive.written.insert(digest.clone()) && !archive.files.has(&path, record.tar_bytes) {
            let failed = |e| SaveError::Layer(digest.clone(), e);
            let tar = self.driver().assemble(&self.snapshot(chain)).map_err(failed)?;
            let mut tar = Hashed::new(tar, Some(digest.algorithm()));
            archive.append(&path, record.tar_bytes, &mut tar)?;
            // Whatever is longer than it was is not what it was.
            io::copy(&mut tar, &mut io::sink()).map_err(SaveError::Write)?;
            let got = tar.finish();
            if got != digest {
                archive.files.forget(&path);
                return Err(SaveError::Corrupt { want: digest, got });
            }
        }
        Ok(Descriptor { size: record.tar_bytes, digest: BlobDigest(digest), ..Descriptor::of(media::LAYER, b"") })
    }
}

/// The lines of the index: one a name, in containerd's and in the specification's words.
fn entries(top: &Descriptor, names: &[Reference]) -> Vec<Descriptor> {
    if names.is_empty() {
        return vec![top.clone()];
    }
    let entry = |name: &Reference| {
        let mut entry = top.clone();
        let tag = name.tag().unwrap_or_default().to_owned();
        entry.annotations.insert(layout::NAME.to_owned(), name.to_string());
        entry.annotations.insert(layout::TAG.to_owned(), tag);
        entry
    };
    names.iter().map(entry).collect()
}

/// What `manifest.json` says of an image.
fn item(image: &Image, names: &[Reference], layers: &[Descriptor]) -> Item {
    let tags: Vec<_> = names.iter().map(Reference::familiar).collect();
    Item {
        config: member(&image.id.0),
        repo_tags: (!tags.is_empty()).then_some(tags),
        layers: layers.iter().map(|layer| member(&layer.digest.0)).collect(),
    }
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
struct Archive<F> {
    files: F,
    written: BTreeSet<Digest>,
    items: Vec<Item>,
}

impl<F: Files> Archive<F> {
    fn blob(&mut self, digest: &Digest, bytes: &[u8]) -> Result<(), SaveError> {
        if self.written.insert(digest.clone()) { self.file(&member(digest), bytes) } else { Ok(()) }
    }

    fn file(&mut self, path: &str, mut bytes: &[u8]) -> Result<(), SaveError> {
        self.append(path, bytes.len() as u64, &mut bytes)
    }

    fn append(&mut self, path: &str, size: u64, body: &mut dyn Read) -> Result<(), SaveError> {
        self.files.file(path, size, body).map_err(SaveError::Write)
    }
}
