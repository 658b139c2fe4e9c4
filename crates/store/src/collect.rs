//! Garbage: what no image record and no draft reaches, and what dead processes left.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use disk::{Lock, faults, remove_tree};
use spec::digest::ChainId;

use crate::record::{DraftRecord, LayerRecord};
use crate::step::State;
use crate::store::{INGEST, Passing, REMOVED, Store, StoreError, list};
use crate::walk::extent;

/// Loading takes longer, and a layer that only has to be settled does not.
const MOMENT: Duration = Duration::from_secs(1);

/// What a collection took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Layers nobody needed.
    pub layers: Vec<ChainId>,
    /// On the disk, all together.
    pub disk_bytes: u64,
}

/// What must stay.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// Hex names in `snapshots/`.
    pub(crate) snapshots: BTreeSet<String>,
    /// Those of them that images and drafts reach; the rest is the build cache's.
    pub(crate) uncached: BTreeSet<String>,
    /// Hex names in `blobs/sha256/`.
    pub(crate) blobs: BTreeSet<String>,
    /// Hex names in `origins/`.
    pub(crate) origins: BTreeSet<String>,
}

impl Store {
    /// Removes everything that nothing reaches. Waits a moment until nobody adds or drafts; a pull may do that for hours, and then whoever
    /// is last collects.
    ///
    /// # Errors
    /// [`StoreError`]; a damaged record stops it before anything is removed, because what it reaches is not known.
    pub fn collect(&self) -> Result<Freed, StoreError> {
        let Some(held) = self.alone_in_a_moment()? else {
            self.collect_soon()?;
            return Ok(Freed::default());
        };
        let doomed = self.set_aside()?;
        drop(held);
        sweep(&doomed)
    }

    /// The same if nobody is in the way; otherwise leaves word for whoever is.
    pub(crate) fn collect_soon(&self) -> Result<(), StoreError> {
        self.ask_to_collect()?;
        self.collect_if_asked()
    }

    /// Leaves word that there may be garbage, for whoever is next done with adding.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn ask_to_collect(&self) -> Result<(), StoreError> {
        let mark = self.garbage_mark();
        disk::replace(&mark, b"", disk::Durability::Volatile).map_err(StoreError::io("writing", &mark))
    }

    fn alone_in_a_moment(&self) -> Result<Option<Lock>, StoreError> {
        let until = Instant::now() + MOMENT;
        loop {
            match self.try_alone()? {
                None if Instant::now() < until => thread::sleep(MOMENT / 50),
                held => return Ok(held),
            }
        }
    }

    /// Collects if somebody left word and nobody else is in the store.
    pub(crate) fn collect_if_asked(&self) -> Result<(), StoreError> {
        if self.garbage_mark().metadata().is_err() {
            return Ok(());
        }
        let Some(held) = self.try_alone()? else { return Ok(()) };
        let doomed = self.set_aside()?;
        drop(held);
        sweep(&doomed).map(|_| ())
    }

    /// Renames all garbage away. Needs the store alone.
    fn set_aside(&self) -> Result<Doomed, StoreError> {
        let reached = self.reached()?;
        let mut doomed = Doomed::default();
        for hex in list(&self.snapshots_dir())? {
            if !reached.snapshots.contains(&hex) {
                doomed.layers.extend(format!("sha256:{hex}").parse().ok().map(ChainId));
                doomed.paths.extend(self.aside(&self.snapshots_dir().join(hex))?);
            }
        }
        for hex in list(&self.blobs_dir())? {
            if !reached.blobs.contains(&hex) {
                doomed.paths.extend(self.aside(&self.blobs_dir().join(hex))?);
            }
        }
        for name in list(&self.drafts_dir())? {
            let path = self.drafts_dir().join(&name);
            if is_passing(&name) {
                doomed.paths.push(path);
            } else if disk::read::<DraftRecord>(&path)?.is_none() {
                doomed.paths.extend(self.aside(&path)?);
            }
        }
        for file in self.step_files()? {
            if let State::Useless | State::Temporary = file.state {
                doomed.paths.push(file.path);
            }
        }
        let _held = self.lock_images()?;
        self.forget_origins(&|hex| reached.origins.contains(hex))?;
        self.forget_attested(&self.ids()?)?;
        for dir in [self.images_dir(), self.names_dir()] {
            doomed.paths.extend(list(&dir)?.into_iter().filter(|name| is_temporary(name)).map(|name| dir.join(name)));
        }
        crate::store::unlink(&self.garbage_mark())?;
        Ok(doomed)
    }

    fn aside(&self, path: &Path) -> Result<Option<PathBuf>, StoreError> {
        let away = self.passing(Passing::Removed);
        match faults::act("set garbage aside").and_then(|()| fs::rename(path, &away)) {
            Ok(()) => Ok(Some(away)),
            // A draft may go at any time.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::io("removing", path)(e)),
        }
    }

    /// Everything that images and drafts need.
    pub(crate) fn reached(&self) -> Result<Reached, StoreError> {
        let mut reached = Reached::default();
        let mut layers = |chains: &[ChainId]| reached.snapshots.extend(chains.iter().map(|c| c.0.hex().to_owned()));
        for id in self.ids()? {
            let Some(image) = self.find(&id)? else { continue };
            // A changed config may name other layers than those that must stay.
            if spec::digest::Digest::sha256(&image.config_bytes) != id.0 {
                return Err(StoreError::Damaged(format!("the config of image {id} has changed")));
            }
            layers(&image.chains);
            reached.origins.extend(image.config.rootfs.diff_ids.iter().map(|diff_id| diff_id.0.hex().to_owned()));
            reached.blobs.insert(id.0.hex().to_owned());
            reached.blobs.extend(image.manifest.map(|manifest| manifest.digest.0.hex().to_owned()));
            let said = self.attested_record(&id)?.map(|record| record.predicates).unwrap_or_default();
            reached.blobs.extend(said.into_iter().map(|said| said.blob.digest.0.hex().to_owned()));
        }
        for name in list(&self.drafts_dir())? {
            if is_passing(&name) {
                continue;
            }
            if let Some(draft) = disk::read::<DraftRecord>(&self.drafts_dir().join(name))? {
                let layers = draft.layers.iter().chain(draft.mounted.values().flatten());
                reached.snapshots.extend(layers.map(|chain| chain.0.hex().to_owned()));
            }
        }
        reached.uncached.clone_from(&reached.snapshots);
        for file in self.step_files()? {
            if let State::Here(step) = file.state
                && let Some(layer) = step.record.layer
            {
                self.reach_all_below(layer.chain, &mut reached.snapshots);
            }
        }
        Ok(reached)
    }

    /// A layer and those below it, until one that is known. Where one cannot be read there is nothing below that is worth keeping.
    fn reach_all_below(&self, top: ChainId, snapshots: &mut BTreeSet<String>) {
        let mut next = Some(top);
        while let Some(chain) = next
            && snapshots.insert(chain.0.hex().to_owned())
        {
            let record = disk::read::<LayerRecord>(&self.snapshot(&chain));
            next = record.ok().flatten().and_then(|record| record.parent);
        }
    }
}

#[derive(Default)]
struct Doomed {
    layers: Vec<ChainId>,
    paths: Vec<PathBuf>,
}

/// Deletes what was set aside; two collectors may meet here.
fn sweep(doomed: &Doomed) -> Result<Freed, StoreError> {
    let mut disk_bytes = 0;
    for path in &doomed.paths {
        disk_bytes += extent(path).map_or(0, |extent| extent.disk_bytes);
        let removed = match fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::IsADirectory => remove_tree(path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        removed.map_err(StoreError::io("removing", path))?;
    }
    Ok(Freed { layers: doomed.layers.clone(), disk_bytes })
}

pub(crate) fn is_passing(name: &str) -> bool {
    name.starts_with(INGEST) || name.starts_with(REMOVED)
}

/// `disk::replace` writes `.<name>.<pid>.<n>` first.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name != ".lock"
}
