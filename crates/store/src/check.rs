//! `fsck` of the store: names every damage and its remedy, and changes nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use disk::DiskError;
use spec::digest::{ChainId, Digest, ImageId};
use spec::image::{Descriptor, ImageConfig};
use spec::reference::Reference;

use crate::collect::{is_passing, is_temporary};
use crate::ingest::Hashed;
use crate::layer::{self, Expected};
use crate::record::{DraftRecord, ImageRecord, LayerRecord, NameRecord};
use crate::step::State;
use crate::store::{REMOVED, Store, StoreError, list};

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Records, documents, and that every layer is there.
    Records,
    /// And that every layer still gives the tar it came as and is what that left: reads everything.
    Layers,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A record that cannot be read.
    Record(PathBuf, String),
    /// A record that a newer kist wrote.
    Newer(PathBuf),
    /// A config or manifest that is gone.
    BlobMissing(ImageId, Digest),
    /// A config or manifest with other bytes than its name says.
    BlobChanged(ImageId, Digest),
    /// A layer of an image that is gone.
    LayerMissing(ImageId, ChainId),
    /// A layer whose record belongs to another.
    LayerMistaken(ChainId),
    /// A layer that no longer gives its tar.
    LayerChanged(ChainId, String),
    /// A file of a layer that is not as the layer's tar left it: its path in the layer, and the difference.
    LayerFile(ChainId, String, String),
    /// A name of an image that is not here.
    NameDangling(Reference, ImageId),
    /// A container whose image's layer is gone.
    DraftBroken(String, ChainId),
    /// Left by a process that died, or by a removal that could not finish; takes space and hurts nobody.
    Garbage(PathBuf),
}

impl Damage {
    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        let again = |id: &ImageId| format!("load or pull the image again, or remove it: kist rmi -f {}", id.short());
        match self {
            Damage::Record(path, _) => {
                format!("remove the file, then load or pull its image again: {}", path.display())
            }
            Damage::Newer(_) => "use the newer kist that wrote it".to_owned(),
            Damage::BlobMissing(id, _) | Damage::BlobChanged(id, _) | Damage::LayerMissing(id, _) => again(id),
            Damage::LayerMistaken(chain) | Damage::LayerChanged(chain, _) | Damage::LayerFile(chain, _, _) => format!(
                "remove the images and containers that use layer {}, then load or pull them again",
                &chain.0.hex()[..12]
            ),
            Damage::NameDangling(name, _) => {
                format!("load or pull it again, or remove the name: kist rmi {}", name.familiar())
            }
            Damage::DraftBroken(id, _) => {
                format!("load or pull the container's image again, or kist rm {}", &id[..id.len().min(12)])
            }
            Damage::Garbage(_) => "kist system prune".to_owned(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Record(path, why) => write!(f, "{} cannot be read: {why}", path.display()),
            Damage::Newer(path) => write!(f, "{} was written by a newer kist", path.display()),
            Damage::BlobMissing(id, digest) => write!(f, "image {}: {digest} is missing", id.short()),
            Damage::BlobChanged(id, digest) => write!(f, "image {}: {digest} has changed", id.short()),
            Damage::LayerMissing(id, chain) => write!(f, "image {}: layer {chain} is missing", id.short()),
            Damage::LayerMistaken(chain) => write!(f, "layer {chain} holds another layer"),
            Damage::LayerChanged(chain, why) => write!(f, "layer {chain} has changed: {why}"),
            Damage::LayerFile(chain, path, what) => write!(f, "layer {chain}: {path}: {what}"),
            Damage::NameDangling(name, id) => {
                write!(f, "{} names image {}, which is not here", name.familiar(), id.short())
            }
            Damage::DraftBroken(id, chain) => write!(f, "container {id}: layer {chain} is missing"),
            Damage::Garbage(path) => write!(f, "{} belongs to nobody", path.display()),
        }
    }
}

impl Store {
    /// Looks at everything. What is being added or removed meanwhile is not taken for damage.
    ///
    /// # Errors
    /// Of the file system; damage is no error.
    pub fn check(&self, depth: Depth) -> Result<Vec<Damage>, StoreError> {
        let mut found = Found::default();
        self.check_garbage(&mut found)?;
        let _held = self.share()?;
        self.check_images(&mut found)?;
        self.check_names(&mut found)?;
        self.check_drafts(&mut found)?;
        self.check_steps(&mut found)?;
        for hex in list(&self.snapshots_dir())? {
            self.check_layer(&hex, depth, &mut found)?;
        }
        Ok(found.damages)
    }

    fn check_images(&self, found: &mut Found) -> Result<(), StoreError> {
        for id in self.ids()? {
            let path = self.image_file(&id);
            let Some(record) = found.read::<ImageRecord>(&path) else { continue };
            let config = self.check_blob(&id, &record.config, found)?;
            if record.config.digest.0 != id.0 {
                found.damages.push(Damage::Record(path.clone(), "it is another image's".to_owned()));
            }
            if let Some(manifest) = &record.manifest {
                self.check_blob(&id, manifest, found)?;
            }
            let Some(config) = config else { continue };
            match serde_json::from_slice::<ImageConfig>(&config) {
                Ok(config) => {
                    for chain in ChainId::of(&config.rootfs.diff_ids) {
                        if is_gone(&self.snapshot(&chain))? {
                            found.damages.push(Damage::LayerMissing(id.clone(), chain));
                        }
                    }
                }
                Err(e) => found.damages.push(Damage::Record(self.blob(&id.0), e.to_string())),
            }
        }
        Ok(())
    }

    fn check_blob(&self, id: &ImageId, at: &Descriptor, found: &mut Found) -> Result<Option<Vec<u8>>, StoreError> {
        let digest = at.digest.0.clone();
        let path = self.blob(&digest);
        match fs::read(&path) {
            Ok(bytes) if Digest::sha256(&bytes) == digest => return Ok(Some(bytes)),
            Ok(_) => found.damages.push(Damage::BlobChanged(id.clone(), digest)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                found.damages.push(Damage::BlobMissing(id.clone(), digest))
            }
            Err(e) => return Err(StoreError::io("reading", &path)(e)),
        }
        Ok(None)
    }

    fn check_names(&self, found: &mut Found) -> Result<(), StoreError> {
        for file in list(&self.names_dir())?.into_iter().filter(|file| !is_temporary(file)) {
            let path = self.names_dir().join(file);
            let Some(name) = found.read::<NameRecord>(&path) else { continue };
            if path != self.name_file(&name.reference) {
                found.damages.push(Damage::Record(path, "it is another name's".to_owned()));
            } else if is_gone(&self.image_file(&name.image))? {
                found.damages.push(Damage::NameDangling(name.reference, name.image));
            }
        }
        Ok(())
    }

    fn check_drafts(&self, found: &mut Found) -> Result<(), StoreError> {
        for name in list(&self.drafts_dir())?.into_iter().filter(|name| !is_passing(name)) {
            let Some(draft) = found.read::<DraftRecord>(&self.drafts_dir().join(&name).join("draft.json")) else {
                continue;
            };
            for chain in draft.layers {
                if is_gone(&self.snapshot(&chain))? {
                    found.damages.push(Damage::DraftBroken(name.clone(), chain));
                }
            }
        }
        Ok(())
    }

    /// Those that say nothing are no loss.
    fn check_steps(&self, found: &mut Found) -> Result<(), StoreError> {
        let stale = self.step_files()?.into_iter().filter(|file| matches!(file.state, State::Useless));
        found.damages.extend(stale.map(|file| Damage::Garbage(file.path)));
        Ok(())
    }

    fn check_layer(&self, hex: &str, depth: Depth, found: &mut Found) -> Result<(), StoreError> {
        let dir = self.snapshots_dir().join(hex);
        let Some(record) = found.read::<LayerRecord>(&dir.join("layer.json")) else {
            let is_garbage = found.damages.contains(&Damage::Garbage(dir.clone()));
            if !is_garbage && is_gone(&dir.join("layer.json"))? {
                found.damages.push(Damage::Record(dir.join("layer.json"), "it is missing".to_owned()));
            }
            return Ok(());
        };
        let chain = ChainId::extend(record.parent.as_ref(), &record.diff_id);
        if chain.0.hex() != hex {
            found.damages.push(Damage::LayerMistaken(chain));
        } else if depth == Depth::Layers {
            match self.verify(&dir, &record) {
                Ok(expected) => {
                    for (path, what) in layer::compare(expected, &self.driver().lower(&dir), record.xattrs_left_out)? {
                        found.damages.push(Damage::LayerFile(chain.clone(), path, what));
                    }
                }
                Err(why) => found.damages.push(Damage::LayerChanged(chain, why)),
            }
        }
        Ok(())
    }

    /// Assembles the layer's tar and hashes it, which proves what files hold; the rest is to be compared with what this returns.
    pub(crate) fn verify(&self, snapshot: &Path, record: &LayerRecord) -> Result<Expected, String> {
        let want = &record.diff_id;
        let failed = |e: &dyn std::error::Error| e.source().map_or_else(|| e.to_string(), |why| format!("{e}: {why}"));
        let tar = self.driver().assemble(snapshot).map_err(|e| failed(&e))?;
        let mut tar = Hashed::new(tar, Some(want.0.algorithm()));
        let expected = layer::expect(&mut tar).map_err(|e| failed(&e))?;
        match tar.finish() == want.0 {
            true if record.built.is_some() => expected.map(Expected::untimed).map_err(|e| e.to_string()),
            true => expected.map_err(|e| e.to_string()),
            false => Err("its content has another digest".to_owned()),
        }
    }

    /// A container that is being removed is in limbo until its layer is gone, or is gone by now.
    fn is_being_removed(&self, name: &str) -> Result<bool, StoreError> {
        let Some(id) = name.strip_prefix(REMOVED) else { return Ok(false) };
        Ok(!is_gone(&self.root().join("limbo").join(id))? || is_gone(&self.drafts_dir().join(name))?)
    }

    /// Only while nobody adds: what is passing then belongs to nobody.
    fn check_garbage(&self, found: &mut Found) -> Result<(), StoreError> {
        let Some(_held) = self.try_alone()? else { return Ok(()) };
        let _records = self.lock_images()?;
        for name in list(&self.drafts_dir())? {
            let dir = self.drafts_dir().join(&name);
            if self.is_being_removed(&name)? {
                continue;
            }
            if is_passing(&name) || is_gone(&dir.join("draft.json"))? {
                found.damages.push(Damage::Garbage(dir));
            }
        }
        for dir in [self.images_dir(), self.names_dir(), self.blobs_dir()] {
            let temporary = list(&dir)?.into_iter().filter(|name| is_temporary(name));
            found.damages.extend(temporary.map(|name| Damage::Garbage(dir.join(name))));
        }
        // Where something cannot be read it is not known what it needs.
        let Ok(reached) = self.reached() else { return Ok(()) };
        let kinds: [(PathBuf, &BTreeSet<String>); 2] =
            [(self.snapshots_dir(), &reached.snapshots), (self.blobs_dir(), &reached.blobs)];
        for (dir, needed) in kinds {
            let names = list(&dir)?.into_iter().filter(|name| !is_temporary(name) && !needed.contains(name));
            found.damages.extend(names.map(|name| Damage::Garbage(dir.join(name))));
        }
        Ok(())
    }
}

#[derive(Default)]
struct Found {
    damages: Vec<Damage>,
}

impl Found {
    /// The record, or the damage that it is; nothing when it went away meanwhile.
    fn read<R: disk::Record>(&mut self, path: &Path) -> Option<R> {
        match disk::read_at(path) {
            Ok(record) => record,
            Err(DiskError::Newer { path, .. }) => {
                self.damages.push(Damage::Newer(path));
                None
            }
            Err(DiskError::Damaged(path, why)) => {
                self.damages.push(Damage::Record(path, why.to_string()));
                None
            }
            Err(DiskError::Io(path, why) | DiskError::Unwritten(path, why)) => {
                self.damages.push(Damage::Record(path, why.to_string()));
                None
            }
        }
    }
}

fn is_gone(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(StoreError::io("reading", path)(e)),
    }
}
