//! The seam between the store and the form a layer has on disk. There is one form now, a directory for each layer; a file for each
//! layer (EROFS) is another implementation and nothing else.

use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::layer::{self, Applied, LayerError, Limits, Options, Recording, Whiteouts};
use crate::store::Store;

/// A layer's tar, assembled while it is read. Errors are [`LayerError`] within [`io::Error`].
pub trait LayerTar: Read + Send {
    /// Passes over bytes more cheaply than by reading them.
    ///
    /// # Errors
    /// As for reading.
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

impl LayerTar for layer::Assembly<File, File> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        layer::Assembly::skip(self, bytes).map_err(io::Error::other)
    }
}

/// One form of layers. All paths are snapshot directories, which also hold `layer.json`.
pub(crate) trait Driver: Debug + Sync {
    /// Fills the new directory `snapshot` from a tar, which is read to its end.
    fn unpack(&self, tar: &mut dyn Read, snapshot: &Path) -> Result<Applied, LayerError>;
    /// The tar again, byte for byte.
    fn assemble(&self, snapshot: &Path) -> Result<Box<dyn LayerTar>, LayerError>;
    /// What overlayfs gets as a lower directory.
    fn lower(&self, snapshot: &Path) -> PathBuf;
}

impl Store {
    pub(crate) fn driver(&self) -> &'static dyn Driver {
        &Directories
    }
}

/// `fs/` and `recipe`.
#[derive(Debug)]
struct Directories;

/// Far above what images hold, and below what fills a disk with inodes before anyone looks.
const LIMITS: Limits = Limits { entries: 4_000_000, bytes: 1 << 40 };

impl Driver for Directories {
    fn unpack(&self, tar: &mut dyn Read, snapshot: &Path) -> Result<Applied, LayerError> {
        let root = self.lower(snapshot);
        let failed = |act| move |e: io::Error| LayerError::Io { act, entry: "the layer's directory".into(), source: e };
        DirBuilder::new().mode(0o755).create(&root).map_err(failed("making"))?;
        // Whatever the umask: a layer that says nothing about its root directory has the usual one.
        fs::set_permissions(&root, Permissions::from_mode(0o755)).map_err(failed("making"))?;
        let recipe = File::create_new(snapshot.join("recipe")).map_err(failed("making"))?;
        let mut recipe = BufWriter::new(recipe);
        let dir = File::open(&root).map_err(failed("opening"))?;
        let options = Options { whiteouts: Whiteouts::Trusted, limits: LIMITS, recording: Recording::To(&mut recipe) };
        let applied = layer::apply(tar, dir.as_fd(), options)?;
        recipe.flush().map_err(failed("writing"))?;
        Ok(applied)
    }

    fn assemble(&self, snapshot: &Path) -> Result<Box<dyn LayerTar>, LayerError> {
        let failed = |e: io::Error| LayerError::Io { act: "opening", entry: "the layer's recipe".into(), source: e };
        let recipe = File::open(snapshot.join("recipe")).map_err(failed)?;
        let dir = File::open(self.lower(snapshot)).map_err(failed)?;
        Ok(Box::new(layer::assemble(dir, recipe)?))
    }

    fn lower(&self, snapshot: &Path) -> PathBuf {
        snapshot.join("fs")
    }
}
