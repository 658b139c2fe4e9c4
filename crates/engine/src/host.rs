//! The engine between two verbs: only where its files are.

use std::fs::{self, File};
use std::path::Path;

use disk::Home;
use store::Store;

use crate::error::Error;
use crate::settings::Settings;

/// The directories and the image store. Opening it finishes what processes that died left unfinished.
pub struct Host {
    /// Where things lie.
    pub home: Home,
    /// Images and writable layers.
    pub store: Store,
    /// What the machine's owner decided.
    pub settings: Settings,
}

impl Host {
    /// Opens both directories, making what is missing, and recovers from crashes. `config` is where `engine.json` is, if it is.
    ///
    /// # Errors
    /// What the file system says; a root of a newer format; settings that make no sense.
    pub fn open(root: &Path, run: &Path, config: &Path) -> Result<Host, Error> {
        let settings = Settings::open(config).map_err(Error::other("the engine's settings"))?;
        let host = Host { home: Home::open(root, run)?, store: Store::open(root)?, settings };
        // The run directory does not outlive the machine's run, and with it goes this mark: the first command after a boot makes it.
        let mark = run.join("booted");
        if fs::symlink_metadata(&mark).is_err() {
            // Whoever comes second waits: what it may pull meanwhile would be taken for what the machine left.
            let alone = File::open(run)?;
            alone.lock()?;
            if fs::symlink_metadata(&mark).is_err() {
                host.store.after_boot()?;
                File::create(&mark)?;
            }
        }
        monitor::recover(&host.home, &host.store).map_err(Error::other("recovering from an earlier crash"))?;
        crate::build::cache::sweep(&host)?;
        host.sweep()?;
        Ok(host)
    }

    /// Finishes what died half made or half removed.
    pub(crate) fn sweep(&self) -> Result<(), Error> {
        self.home.sweep(|id| self.store.remove_draft(id).map_err(Error::from))
    }
}
