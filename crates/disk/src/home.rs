//! Where things lie.
//!
//! ```text
//! root (/var/lib/kist)   format.json  blobs/ snapshots/ drafts/ images/   the store's
//!                        containers/<id>/{config,settings,exit}.json log  one directory a container
//!                        names/<name> -> <id>                             exclusive links
//!                        limbo/<id>/                                      containers half made or half removed
//!                        volumes/<name>/{volume.json,_data/}  .limbo/     one directory a volume; and their limbo
//!                        events.log  events.log.1                         what happened
//! run (/run/kist)        <id>/{lock,status.json,bundle.json,claims.log,ask.sock}   only while a monitor lives or died badly
//! ```

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use spec::id::ContainerId;
use spec::volume::VolumeName;

use crate::record::{DiskError, Record, read, write};
use crate::replace::Durability;

/// Why the engine's directories cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A directory could not be made or entered.
    #[error("cannot use {0}")]
    Unusable(PathBuf, #[source] io::Error),
    /// format.json is damaged or newer than this program.
    #[error(transparent)]
    Format(#[from] DiskError),
}

/// `format.json`: which layout the root has. A newer layout is refused as any newer record is.
#[derive(Serialize, Deserialize)]
struct Layout {}

impl Record for Layout {
    const FILE: &'static str = "format.json";
    const FORMAT: u32 = 1;
}

/// The two directories everything lies below.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
    run: PathBuf,
    /// One descriptor for all that is told.
    pub(crate) events: Arc<Mutex<Option<File>>>,
}

impl Home {
    /// Makes what is missing and checks the root's format. Both paths must be absolute.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn open(root: &Path, run: &Path) -> Result<Home, HomeError> {
        let home = Home { root: root.into(), run: run.into(), events: Arc::default() };
        if read::<Layout>(root)?.is_none() {
            for dir in [home.root.clone(), home.containers(), home.names(), home.root.join("limbo")] {
                make(&dir)?;
            }
            write(root, &Layout {}, Durability::Durable)?;
        }
        make(run)?;
        Ok(home)
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The run directory.
    #[must_use]
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// All containers' directories.
    #[must_use]
    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// One container's directory.
    #[must_use]
    pub fn container(&self, id: &ContainerId) -> PathBuf {
        self.containers().join(id.as_str())
    }

    /// Where the records of a build's errand lie: beside the draft that it runs on, with which they go.
    #[must_use]
    pub fn errand(&self, id: &ContainerId) -> PathBuf {
        self.root.join("drafts").join(id.as_str()).join("errand")
    }

    /// The names' directory.
    #[must_use]
    pub fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    /// All volumes' directories. Made with the first volume.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// One volume's directory.
    #[must_use]
    pub fn volume(&self, name: &VolumeName) -> PathBuf {
        self.volumes().join(name.as_str())
    }

    /// Where a volume's files lie.
    #[must_use]
    pub fn volume_data(&self, name: &VolumeName) -> PathBuf {
        self.volume(name).join("_data")
    }

    /// The run directory of one container's monitor.
    #[must_use]
    pub fn sandbox(&self, id: &ContainerId) -> PathBuf {
        self.run.join(id.as_str())
    }
}

fn make(dir: &Path) -> Result<(), HomeError> {
    DirBuilder::new().recursive(true).mode(0o711).create(dir).map_err(|e| HomeError::Unusable(dir.into(), e))?;
    fs::metadata(dir).map(|_| ()).map_err(|e| HomeError::Unusable(dir.into(), e))
}
