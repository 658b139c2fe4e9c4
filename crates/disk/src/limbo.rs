//! Containers that are half made or half removed.
//!
//! A container comes to be by one rename, `limbo/<id>` to `containers/<id>`, and ceases by the rename back. Whoever works on a
//! directory in limbo holds a lock on it that dies with the process; a directory nobody holds was left by a crash, and what belongs
//! to it (name, writable layer, anonymous volumes) is taken away by [`Home::sweep`]. So the sweep looks at a directory that is nearly always empty.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use spec::id::ContainerId;

use crate::home::Home;
use crate::replace::{Durability, remove_tree};
use crate::volume::EndedVolume;
use crate::{faults, links};

/// A container that is being made. Dropped without [`Making::commit`], it leaves nothing but what the sweep finds.
#[derive(Debug)]
pub struct Making<'a> {
    home: &'a Home,
    id: ContainerId,
    dir: PathBuf,
    _held: File,
}

impl Making<'_> {
    /// Where its records go.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// From now on it is a container.
    ///
    /// # Errors
    /// Of the file system.
    pub fn commit(self, durability: Durability) -> io::Result<()> {
        faults::act("commit container")?;
        fs::rename(&self.dir, self.home.container(&self.id))?;
        match durability {
            Durability::Durable => File::open(self.home.containers())?.sync_all(),
            Durability::Volatile => Ok(()),
        }
    }
}

/// A container that nobody finds any more. Dropped without [`Ending::clear`], its remains are left to the sweep.
#[derive(Debug)]
pub struct Ending {
    dir: PathBuf,
    _held: File,
}

impl Ending {
    /// Its files, where they lie now.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes its files, the last trace of it: what else belonged to it must be given back before.
    ///
    /// # Errors
    /// Of the file system.
    pub fn clear(self) -> io::Result<()> {
        remove_tree(&self.dir)
    }
}

impl Home {
    /// Begins a container.
    ///
    /// # Errors
    /// Of the file system.
    pub fn begin(&self, id: &ContainerId) -> io::Result<Making<'_>> {
        faults::act("begin container")?;
        let dir = self.limbo().join(id.as_str());
        loop {
            DirBuilder::new().mode(0o710).create(&dir)?;
            let held = File::open(&dir).and_then(|held| held.lock().map(|()| held));
            // A sweep that came between mkdir and lock took the directory for a dead process's: make it again.
            match held {
                Ok(held) if dir.is_dir() => return Ok(Making { home: self, id: id.clone(), dir, _held: held }),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Ends a container: when this returns nobody finds it any more and its name is free. Its layer and its files remain.
    ///
    /// # Errors
    /// Of the file system; `NotFound` when somebody else ended it.
    pub fn end(&self, id: &ContainerId) -> io::Result<Ending> {
        faults::act("end container")?;
        let held = File::open(self.container(id))?;
        held.lock()?;
        let dir = self.limbo().join(id.as_str());
        fs::rename(self.container(id), &dir)?;
        self.free_name(id, &dir)?;
        Ok(Ending { dir, _held: held })
    }

    /// Finishes what processes that died left in limbo.
    ///
    /// # Errors
    /// Of the file system or of `release`.
    pub fn sweep<E: From<io::Error>>(&self, mut release: impl FnMut(&ContainerId) -> Result<(), E>) -> Result<(), E> {
        self.sweep_volumes()?;
        for entry in fs::read_dir(self.limbo())? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<ContainerId>().ok()) else {
                continue;
            };
            let held = match File::open(entry.path()) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            match held.try_lock() {
                // Its maker may have let go because it is a container by now: what is held must still lie in limbo.
                Ok(()) if is_at(&held, &entry.path())? => {
                    self.free_name(&id, &entry.path())?;
                    release(&id)?;
                    self.end_volumes_of(&entry.path())?.into_iter().try_for_each(EndedVolume::clear)?;
                    Ending { dir: entry.path(), _held: held }.clear()?;
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// The name's link moves in with what is about to be removed: taking a file away costs a disk more than moving it.
    fn free_name(&self, id: &ContainerId, dir: &Path) -> io::Result<()> {
        for (name, holder) in links::all(&self.names())? {
            if holder == id.as_str() {
                links::discard(&self.names(), &name, dir)?;
            }
        }
        Ok(())
    }

    fn limbo(&self) -> PathBuf {
        self.root().join("limbo")
    }
}

pub(crate) fn is_at(held: &File, dir: &Path) -> io::Result<bool> {
    match fs::metadata(dir) {
        Ok(there) => held.metadata().map(|held| (held.dev(), held.ino()) == (there.dev(), there.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_sweep_takes_nothing_from_a_container_that_comes_to_be_meanwhile() {
        let root = std::env::temp_dir().join(format!("kist-disk-{}-meanwhile", std::process::id()));
        let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
        let (home, done) = (&home, &AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        let released = |id: &ContainerId| Err(io::Error::other(format!("{id} was taken")));
                        home.sweep(released).unwrap();
                    }
                });
            }
            for n in 0..3000_u32 {
                let mut bytes = [0; 32];
                bytes[..4].copy_from_slice(&n.to_ne_bytes());
                let id = ContainerId::from_bytes(bytes);
                // Locked at once, so that no sweep sees a directory that nobody holds yet.
                let dir = home.limbo().join(id.as_str());
                let spare = home.root().join("spare");
                fs::create_dir(&spare).unwrap();
                let held = File::open(&spare).unwrap();
                held.lock().unwrap();
                fs::rename(&spare, &dir).unwrap();
                Making { home, id: id.clone(), dir, _held: held }.commit(Durability::Volatile).unwrap();
                fs::remove_dir(home.container(&id)).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        fs::remove_dir_all(&root).unwrap();
    }
}
