//! What steps of builds made: `build-cache/steps/<key>.json` names a layer of the store and keeps it, with all below it, from being
//! collected. It is a memory: what is damaged or names a layer that is gone is no record, and is taken away when it is met.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use disk::{DiskError, Durability, Record, write_at};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use spec::digest::{ChainId, DiffId, Digest};
use spec::time::Time;

use crate::ingest::time;
use crate::record::LayerRecord;
use crate::store::{Store, StoreError, list, unlink};
use crate::walk::is_missing;

/// `build-cache/steps/<key hex>.json`: what a step made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// What it wrote; none: nothing, and its result is its input.
    pub layer: Option<StepLayer>,
    /// As the user saw it: `[build 2/5] RUN make`.
    pub name: String,
    /// When it was done.
    pub created: Time,
}

/// The layer a step made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLayer {
    /// With all below it.
    pub chain: ChainId,
    /// Its tar.
    pub diff_id: DiffId,
    /// Of its files, unpacked.
    pub size_bytes: u64,
}

impl Record for StepRecord {
    const FILE: &'static str = "<key>.json";
    const FORMAT: u32 = 1;
}

/// A step whose result is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is known by.
    pub key: Digest,
    /// What it made.
    pub record: StepRecord,
    /// When somebody last wanted it: the file's mtime.
    pub last_used: Time,
}

/// A file in `build-cache/steps`.
pub(crate) struct StepFile {
    pub(crate) path: PathBuf,
    pub(crate) state: State,
}

/// What such a file is worth.
pub(crate) enum State {
    /// Its result is here.
    Here(Step),
    /// It is damaged, or its layer is gone.
    Useless,
    /// A newer kist's.
    Newer,
    /// What `disk::replace` writes first.
    Temporary,
}

impl Store {
    /// `<root>/build-cache`.
    #[must_use]
    pub fn build_cache_dir(&self) -> PathBuf {
        self.root().join("build-cache")
    }

    fn steps_dir(&self) -> PathBuf {
        self.build_cache_dir().join("steps")
    }

    fn step_file(&self, key: &Digest) -> PathBuf {
        self.steps_dir().join(format!("{}.json", key.hex()))
    }

    /// What a step made, if it is known and its layer is here; it counts as used now. Keep the result with [`Store::draft_on`] or
    /// [`Store::share`] before it is relied on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn step(&self, key: &Digest) -> Result<Option<StepRecord>, StoreError> {
        let path = self.step_file(key);
        match self.state(key, &path)? {
            Some(State::Here(step)) => {
                let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
                let times = Timestamps { last_access: now, last_modification: now };
                match utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW) {
                    // Forgotten meanwhile.
                    Err(Errno::NOENT) => Ok(None),
                    other => other.map(|()| Some(step.record)).map_err(|e| StoreError::io("touching", &path)(e.into())),
                }
            }
            Some(State::Useless) => {
                unlink(&path)?;
                Ok(None)
            }
            Some(State::Newer | State::Temporary) | None => Ok(None),
        }
    }

    /// Writes down what a step made, which must be kept by a draft or a lock until then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_step(&self, key: &Digest, record: &StepRecord) -> Result<(), StoreError> {
        // Nobody takes the temporary file for garbage.
        let _held = self.share()?;
        let dir = self.steps_dir();
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(StoreError::io("making", &dir))?;
        // A memory: what the disk loses is made again.
        Ok(write_at(&self.step_file(key), record, Durability::Volatile)?)
    }

    /// All of them, the least recently used first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn steps(&self) -> Result<Vec<Step>, StoreError> {
        let mut steps: Vec<Step> = self.step_files()?.into_iter().filter_map(StepFile::step).collect();
        steps.sort_by(|a, b| (a.last_used, &a.key).cmp(&(b.last_used, &b.key)));
        Ok(steps)
    }

    /// Forgets a step; one that is not known is no error. Its layer goes with the next [`Store::collect`] if nothing else needs it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove_step(&self, key: &Digest) -> Result<(), StoreError> {
        unlink(&self.step_file(key)).map(|_was_there| ())
    }

    /// Forgets steps whose results need layers that are gone.
    pub(crate) fn forget_steps_on(&self, gone: &[ChainId]) -> Result<(), StoreError> {
        for step in self.steps()? {
            let mut next = step.record.layer.map(|layer| layer.chain);
            while let Some(chain) = next {
                if gone.contains(&chain) {
                    self.remove_step(&step.key)?;
                    break;
                }
                next = disk::read::<LayerRecord>(&self.snapshot(&chain)).ok().flatten().and_then(|layer| layer.parent);
            }
        }
        Ok(())
    }

    /// All that is in the steps' directory.
    pub(crate) fn step_files(&self) -> Result<Vec<StepFile>, StoreError> {
        let dir = self.steps_dir();
        let mut files = Vec::new();
        let names = match list(&dir) {
            // No build has been here.
            Err(error) if is_missing(&error) => return Ok(files),
            other => other?,
        };
        for name in names {
            let path = dir.join(&name);
            let key = name.strip_suffix(".json").and_then(|hex| format!("sha256:{hex}").parse().ok());
            let state = match key {
                Some(key) => self.state(&key, &path)?,
                None => Some(State::Temporary),
            };
            files.extend(state.map(|state| StepFile { path, state }));
        }
        Ok(files)
    }

    /// None: there is no such file.
    fn state(&self, key: &Digest, path: &Path) -> Result<Option<State>, StoreError> {
        let record: StepRecord = match disk::read_at(path) {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            Err(DiskError::Newer { .. }) => return Ok(Some(State::Newer)),
            Err(DiskError::Damaged(..)) => return Ok(Some(State::Useless)),
            Err(error @ (DiskError::Io(..) | DiskError::Unwritten(..))) => return Err(error.into()),
        };
        let is_here = |layer: &StepLayer| self.has(&layer.chain).unwrap_or(false);
        if !record.layer.as_ref().is_none_or(is_here) {
            return Ok(Some(State::Useless));
        }
        let modified = match fs::symlink_metadata(path).and_then(|meta| meta.modified()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(StoreError::io("looking at", path))?,
        };
        Ok(Some(State::Here(Step { key: key.clone(), record, last_used: time(modified) })))
    }
}

impl StepFile {
    fn step(self) -> Option<Step> {
        match self.state {
            State::Here(step) => Some(step),
            State::Useless | State::Newer | State::Temporary => None,
        }
    }
}
