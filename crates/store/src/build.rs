//! Drafts of builds, and how they become layers without being copied.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use disk::{Durability, faults, write};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use spec::digest::{ChainId, DiffId, ImageId};
use spec::id::ContainerId;
use spec::image::ImageConfig;
use spec::reference::Reference;
use spec::time::Time;

use crate::archive::LoadError;
use crate::collect::is_passing;
use crate::layer::{self, LayerError, Recorded};
use crate::mount::{Floor, MountImage};
use crate::record::{DraftRecord, LayerRecord, Writes};
use crate::store::{Ingest, Store, StoreError, list};

/// Which times the members of a new layer's tar have. In the layer's directory files keep their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerTimes {
    /// The build's.
    pub epoch: Time,
    /// Which files get it.
    pub files: FileTimes,
}

/// Which files get the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTimes {
    /// All: they come from a context, where times mean nothing.
    AllEpoch,
    /// Those that are later.
    Clamp,
}

/// A layer that a draft became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeLayer {
    /// With all below it.
    pub chain: ChainId,
    /// Its tar.
    pub diff_id: DiffId,
    /// Of its files, unpacked.
    pub size_bytes: u64,
    /// Length of its tar.
    pub tar_bytes: u64,
}

impl Store {
    /// Gives the build `build` a writable layer above `layers`, lowest first, or above nothing. Its writes are not synced.
    ///
    /// # Errors
    /// [`StoreError::LayerGone`] when they were removed meanwhile.
    pub fn draft_on(&self, id: &ContainerId, layers: &[ChainId], build: &str) -> Result<(), StoreError> {
        let _held = self.share()?;
        self.refuse_gone(layers)?;
        let record =
            DraftRecord { build: Some(build.to_owned()), ..DraftRecord::new(layers.to_vec(), Writes::Volatile) };
        self.make_draft_or_nothing(id, record)
    }

    fn refuse_gone(&self, layers: &[ChainId]) -> Result<(), StoreError> {
        match layers.last() {
            Some(top) if fs::symlink_metadata(self.snapshot(top)).is_err() => Err(StoreError::LayerGone(top.clone())),
            Some(_) | None => Ok(()),
        }
    }

    /// All drafts of builds, with the builds. Those of a build that died are the caller's to remove.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn build_drafts(&self) -> Result<Vec<(ContainerId, String)>, StoreError> {
        let mut drafts = Vec::new();
        for name in list(&self.drafts_dir())?.into_iter().filter(|name| !is_passing(name)) {
            let Ok(id) = name.parse() else { continue };
            // One without a record, or removed meanwhile, is nobody's.
            if let Some(record) = disk::read::<DraftRecord>(&self.drafts_dir().join(&name))?
                && let Some(build) = record.build
            {
                drafts.push((id, build));
            }
        }
        Ok(drafts)
    }

    /// Makes a layer of what was written into a draft, by one rename. Nobody may have it mounted any more. The draft stays, empty, above
    /// the new layer, and keeps it until it is removed. None: nothing was written, and the draft is as it was. What was put into the upper
    /// directory ([`Store::draft_places`]) beside overlayfs counts as well: it does not depend on what is below (`COPY --link`).
    ///
    /// The layer is in its place before the disk has it (`unsynced.rs`): after a loss of power it may be gone, with all that names it.
    ///
    /// # Errors
    /// [`LoadError`]; then the draft is to be removed.
    pub fn layer_of(&self, id: &ContainerId, times: LayerTimes) -> Result<Option<MadeLayer>, LoadError> {
        let _held = self.share()?;
        let draft = self.draft_record(id)?;
        let upper = self.draft_dir(id).join("upper");
        let place = Ingest::new(self)?;
        let Some(recorded) = self.record_upper(&upper, place.path(), &draft.layers, times)? else { return Ok(None) };
        let Recorded { diff_id, entries, bytes, tar_bytes } = recorded;
        let parent = draft.layers.last().cloned();
        let chain = ChainId::extend(parent.as_ref(), &diff_id);
        let made = MadeLayer { chain: chain.clone(), diff_id: diff_id.clone(), size_bytes: bytes, tar_bytes };
        if self.has(&chain)? {
            // Files that are here already go when the draft does, for which nobody waits.
            let spare = self.draft_dir(id).join(chain.0.hex());
            fs::rename(&upper, &spare).map_err(StoreError::io("moving", &upper))?;
            self.empty_draft(id, draft, chain)?;
            return Ok(Some(made));
        }
        let built = Some(disk::now());
        let record = LayerRecord { diff_id, parent, entries, bytes, tar_bytes, xattrs_left_out: 0, built };
        write(place.path(), &record, Durability::Volatile).map_err(StoreError::from)?;
        self.note_built(disk::now())?;
        faults::act("take upper")
            .and_then(|()| fs::rename(&upper, self.driver().lower(place.path())))
            .map_err(StoreError::io("moving", &upper))?;
        self.settle(vec![(chain.clone(), place, record)], Durability::Volatile)?;
        self.empty_draft(id, draft, chain)?;
        Ok(Some(made))
    }

    /// An image of layers that are here: its config names them, and its history. They must be kept until then by drafts or steps.
    ///
    /// # Errors
    /// [`LoadError`]; then nothing stays.
    pub fn add_image(&self, config: ImageConfig, names: Vec<Reference>) -> Result<ImageId, LoadError> {
        let id = {
            let _held = self.share()?;
            self.sync_noted()?;
            self.put_image(config, names)?
        };
        self.collect_if_asked()?;
        Ok(id)
    }

    fn record_upper(
        &self,
        upper: &Path,
        place: &Path,
        layers: &[ChainId],
        times: LayerTimes,
    ) -> Result<Option<Recorded>, LoadError> {
        let path = place.join("recipe");
        let recipe = faults::act("make recipe").and_then(|()| File::create_new(&path));
        let mut recipe = BufWriter::new(recipe.map_err(StoreError::io("making", &path))?);
        let dir = File::open(upper).map_err(StoreError::io("opening", upper))?;
        let mut below = Below { store: self, layers, mount: None };
        let failed = |e| LoadError::Layer(None, e);
        let recorded =
            layer::record(dir.as_fd(), times, &mut |path| below.has_directory(path), &mut recipe).map_err(failed)?;
        recipe.flush().map_err(StoreError::io("writing", &path))?;
        Ok(recorded)
    }

    /// The draft goes on above what it became.
    fn empty_draft(&self, id: &ContainerId, draft: DraftRecord, chain: ChainId) -> Result<(), StoreError> {
        let dir = self.draft_dir(id);
        let mut layers = draft.layers;
        layers.push(chain);
        let draft = DraftRecord { layers, ..draft };
        self.make_upper(&dir, &draft)?;
        Ok(write(&dir, &draft, Durability::Volatile)?)
    }
}

/// What lies below a draft, mounted when it is first asked for.
struct Below<'a> {
    store: &'a Store,
    /// Lowest first.
    layers: &'a [ChainId],
    mount: Option<OwnedFd>,
}

impl Below<'_> {
    fn has_directory(&mut self, path: &[u8]) -> Result<bool, LayerError> {
        if self.layers.is_empty() {
            return Ok(false);
        }
        let failed = |source| LayerError::Io { act: "looking below", entry: crate::tar::show(path), source };
        let root = match &mut self.mount {
            Some(root) => root,
            none => {
                let request = MountImage { id_maps: None, floor: Floor::Bare, beneath: None };
                let root = self.store.mount_image(self.layers, request);
                none.insert(root.map_err(|error| failed(std::io::Error::other(error)))?)
            }
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Ok(_directory) => Ok(true),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
            Err(errno) => Err(failed(errno.into())),
        }
    }
}
