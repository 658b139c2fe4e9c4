//! How a volume comes to be, who keeps it from going, how it is filled, and how it goes.
//!
//! ```text
//! volumes/<name>/volume.json   its record, written once
//!                _data/        its files; this directory stays the same one, as running containers have it mounted
//!                _filled/      a whole copy on its way into _data: whoever uses the volume next finishes that. tree/ has what is in it,
//!                              look/ is a directory that looks as _data is to look
//! volumes/.limbo/<pid>-<n>/    one half made, half removed, or half copied; nobody holds it: left by a crash
//! ```
//!
//! Nothing of all this can be entered by others than its owner: what is in a volume may come from an image, with programs that are
//! set-user-id (CVE-2021-41091). The limbo is here, and not where containers have theirs, so that `volumes` may be on another disk.
//!
//! Who uses a volume is said by the containers' records alone, so that no count can be wrong. Between a look at the records and what
//! follows from it stands a lock on the volume's directory (flock; it dies with its process): shared by whoever makes a container that
//! uses it, until the container is there to be seen; exclusive by whoever removes it. Who fills it holds `volume.json` besides.
//! Neither of them is seen inside a container.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use spec::container::Config;
use spec::event::{Event, VolumeAct};
use spec::id::ContainerId;
use spec::mount::Naming;
use spec::volume::{LOCAL, Volume, VolumeName};

use crate::clock::now;
use crate::events;
use crate::faults;
use crate::home::Home;
use crate::limbo::is_at;
use crate::record::{DiskError, Record, read, write};
use crate::replace::{Durability, remove_tree, replace};

/// In a container's directory: its anonymous volumes outlive it (`rm` without `-v`).
const KEEP: &str = "keep-volumes";

/// Keeps a volume from being removed, until it is dropped.
#[derive(Debug)]
pub struct Hold {
    dir: PathBuf,
    _held: File,
}

/// Whether one waits for another who is about to use a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// One does.
    Wait,
    /// Then it is in use.
    None,
}

/// What became of a removal.
#[derive(Debug)]
pub enum EndVolume {
    /// Nobody finds it any more; its files remain.
    Ended(EndedVolume),
    /// It is not there.
    Missing,
    /// By these; by nobody who is known where one did not wait.
    InUse(Vec<ContainerId>),
}

/// A volume that nobody finds any more. Dropped without [`EndedVolume::clear`], its files are left to the sweep.
#[derive(Debug)]
pub struct EndedVolume {
    dir: PathBuf,
    _held: File,
}

impl EndedVolume {
    /// Its files, where they lie now.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("_data")
    }

    /// Removes its files.
    ///
    /// # Errors
    /// Of the file system.
    pub fn clear(self) -> io::Result<()> {
        remove_tree(&self.dir)
    }
}

impl Home {
    /// Keeps a volume, if it is there.
    ///
    /// # Errors
    /// Of the file system.
    pub fn hold_volume(&self, name: &VolumeName) -> io::Result<Option<Hold>> {
        let dir = self.volume(name);
        loop {
            let held = match File::open(&dir) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other?,
            };
            held.lock_shared()?;
            // Whoever let go of it may have removed it.
            if is_at(&held, &dir)? {
                return Ok(Some(Hold { dir, _held: held }));
            }
        }
    }

    /// Makes a volume unless there is one of this name, and keeps it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn make_volume(&self, name: &VolumeName, record: &Volume, durability: Durability) -> Result<Hold, DiskError> {
        let dir = self.volume(name);
        let failed = |e| DiskError::Io(dir.clone(), e);
        loop {
            if let Some(hold) = self.hold_volume(name).map_err(failed)? {
                return Ok(hold);
            }
            let (limbo, held) = self.begin_passing().map_err(failed)?;
            let made = (|| {
                data_dir(&limbo.join("_data")).map_err(|e| DiskError::Io(limbo.clone(), e))?;
                write(&limbo, record, durability)?;
                self.commit_volume(&limbo, &dir, durability).map_err(failed)
            })();
            match made {
                Ok(true) => {
                    self.tell_volume(name, VolumeAct::Create);
                    return Ok(Hold { dir, _held: held });
                }
                // Another was faster: then it is the one.
                Ok(false) => remove_tree(&limbo).map_err(failed)?,
                Err(error) => {
                    // The first error is the one to tell; what stays is the sweep's.
                    let _ = remove_tree(&limbo);
                    return Err(error);
                }
            }
        }
    }

    /// Nothing fails because it could not be told.
    fn tell_volume(&self, name: &VolumeName, act: VolumeAct<'_>) {
        let _ = events::record(self, &Event::volume(now(), name.as_str(), LOCAL, act));
    }

    /// Whether it is ours that has the name now.
    fn commit_volume(&self, limbo: &Path, dir: &Path, durability: Durability) -> io::Result<bool> {
        faults::act("commit volume")?;
        match renameat_with(CWD, limbo, CWD, dir, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::EXIST) => return Ok(false),
            other => other?,
        }
        if durability == Durability::Durable {
            File::open(self.volumes())?.sync_all()?;
        }
        Ok(true)
    }

    /// The volumes there are, by name.
    ///
    /// # Errors
    /// Of the file system.
    pub fn volume_names(&self) -> io::Result<Vec<VolumeName>> {
        let entries = match fs::read_dir(self.volumes()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().to_str().and_then(|name| name.parse().ok()));
        }
        names.sort();
        Ok(names)
    }

    /// The containers that use a volume.
    ///
    /// # Errors
    /// A record that cannot be read: then they are not known.
    pub fn volume_users(&self, name: &VolumeName) -> Result<Vec<ContainerId>, DiskError> {
        let dir = self.containers();
        let failed = |e| DiskError::Io(dir.clone(), e);
        let mut users = Vec::new();
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(id) = entry.file_name().to_str().and_then(|id| id.parse::<ContainerId>().ok()) else { continue };
            // One that was removed since the listing uses nothing.
            let Some(config) = read::<Config>(&entry.path())? else { continue };
            if config.volumes_used().any(|(used, _)| used == name) {
                users.push(id);
            }
        }
        users.sort();
        Ok(users)
    }

    /// Ends a volume that nobody uses: when this says so, nobody finds it any more.
    ///
    /// # Errors
    /// Of the file system; a record that cannot be read.
    pub fn end_volume(&self, name: &VolumeName, patience: Patience) -> Result<EndVolume, DiskError> {
        let dir = self.volume(name);
        let failed = |e: io::Error| DiskError::Io(dir.clone(), e);
        loop {
            let held = match File::open(&dir) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(EndVolume::Missing),
                other => other.map_err(failed)?,
            };
            match (patience, held.try_lock()) {
                (_, Ok(())) => {}
                (Patience::None, Err(TryLockError::WouldBlock)) => return Ok(EndVolume::InUse(Vec::new())),
                (Patience::Wait, Err(TryLockError::WouldBlock)) => held.lock().map_err(failed)?,
                (_, Err(TryLockError::Error(e))) => return Err(failed(e)),
            }
            if !is_at(&held, &dir).map_err(failed)? {
                continue;
            }
            let users = self.volume_users(name)?;
            if !users.is_empty() {
                return Ok(EndVolume::InUse(users));
            }
            faults::act("end volume").map_err(failed)?;
            let dir = self.move_to_limbo(&dir).map_err(failed)?;
            self.tell_volume(name, VolumeAct::Destroy);
            return Ok(EndVolume::Ended(EndedVolume { dir, _held: held }));
        }
    }

    /// The anonymous volumes of an ended container, whose files lie in `dir`: those that are to go with it, and that nobody else uses.
    ///
    /// # Errors
    /// Of the file system.
    pub fn end_volumes_of(&self, dir: &Path) -> io::Result<Vec<EndedVolume>> {
        // One whose record was never written, or cannot be read, says nothing.
        let Ok(Some(config)) = read::<Config>(dir) else { return Ok(Vec::new()) };
        let mut ended = Vec::new();
        if config.volumes_used().all(|(_, naming)| naming == Naming::Given) || dir.join(KEEP).symlink_metadata().is_ok()
        {
            return Ok(ended);
        }
        for (name, naming) in config.volumes_used() {
            match naming {
                Naming::Given => continue,
                Naming::Anonymous => {}
            }
            match self.end_volume(name, Patience::None) {
                Ok(EndVolume::Ended(volume)) => ended.push(volume),
                Ok(EndVolume::Missing | EndVolume::InUse(_)) => {}
                Err(DiskError::Io(_, e) | DiskError::Unwritten(_, e)) => return Err(e),
                // Who else uses it is not known: it stays.
                Err(DiskError::Damaged(..) | DiskError::Newer { .. }) => {}
            }
        }
        Ok(ended)
    }

    /// Says that a container's anonymous volumes outlive it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn keep_volumes(&self, id: &ContainerId) -> io::Result<()> {
        replace(&self.container(id).join(KEEP), b"", Durability::Durable)
    }

    /// Says that a container's anonymous volumes go with it, as they do if nobody says anything.
    ///
    /// # Errors
    /// Of the file system.
    pub fn give_up_volumes(&self, id: &ContainerId) -> io::Result<()> {
        match fs::remove_file(self.container(id).join(KEEP)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// A directory in limbo, held so that the sweep leaves it.
    fn begin_passing(&self) -> io::Result<(PathBuf, File)> {
        faults::act("begin volume")?;
        DirBuilder::new().mode(0o700).recursive(true).create(self.volume_limbo())?;
        loop {
            let dir = self.passing();
            match DirBuilder::new().mode(0o700).create(&dir) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            match File::open(&dir).and_then(|held| held.lock_shared().map(|()| held)) {
                // A sweep that came between mkdir and lock took the directory for a dead process's: make another.
                Ok(held) if is_at(&held, &dir)? => return Ok((dir, held)),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn move_to_limbo(&self, from: &Path) -> io::Result<PathBuf> {
        loop {
            let to = self.passing();
            match renameat_with(CWD, from, CWD, &to, RenameFlags::NOREPLACE) {
                Err(rustix::io::Errno::EXIST) => {}
                other => return other.map(|()| to).map_err(io::Error::from),
            }
        }
    }

    /// Removes what processes that died left of volumes.
    pub(crate) fn sweep_volumes(&self) -> io::Result<()> {
        let entries = match fs::read_dir(self.volume_limbo()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in entries {
            sweep(&entry?.path())?;
        }
        Ok(())
    }

    fn volume_limbo(&self) -> PathBuf {
        self.volumes().join(".limbo")
    }

    /// A name there that is likely to be free.
    fn passing(&self) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        self.volume_limbo().join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Removes a volume's directory in limbo unless somebody works on it.
fn sweep(dir: &Path) -> io::Result<()> {
    let held = match File::open(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    match held.try_lock() {
        Ok(()) if is_at(&held, dir)? => remove_tree(dir),
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Whatever the umask.
fn data_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o755))
}

/// Gives one directory the looks of another: owner, mode, attributes, times.
pub type Dress<'a> = &'a dyn Fn(&Path, &Path) -> io::Result<()>;

/// A volume that nobody else fills meanwhile.
#[derive(Debug)]
pub struct Filling<'a> {
    hold: &'a Hold,
    _alone: File,
}

/// A directory of nobody's, for a copy that takes its time. Dropped, it is left to the sweep.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    _held: File,
}

impl Scratch {
    /// Where the copy goes.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }
}

impl Hold {
    /// Where the volume's files lie.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("_data")
    }

    /// Waits until nobody fills it, and finishes what one who died had begun.
    ///
    /// # Errors
    /// Of the file system.
    pub fn fill(&self, dress: Dress<'_>) -> io::Result<Filling<'_>> {
        let filling = Filling { hold: self, _alone: self.alone()? };
        filling.finish(dress)?;
        Ok(filling)
    }

    /// Waits until nobody fills it, or starts with it if it is memory, and keeps others from that as long as the file is open.
    ///
    /// # Errors
    /// Of the file system.
    pub fn alone(&self) -> io::Result<File> {
        let alone = File::open(self.dir.join(Volume::FILE))?;
        alone.lock()?;
        Ok(alone)
    }

    /// Whether a copy is on its way into it.
    #[must_use]
    pub fn is_half_filled(&self) -> bool {
        self.dir.join(FILLED).symlink_metadata().is_ok()
    }
}

const FILLED: &str = "_filled";

impl Filling<'_> {
    /// Whether there is nothing in it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(fs::read_dir(self.hold.data())?.next().is_none())
    }

    /// A directory to copy to.
    ///
    /// # Errors
    /// Of the file system.
    pub fn scratch(&self, home: &Home) -> io::Result<Scratch> {
        let (dir, held) = home.begin_passing()?;
        let scratch = Scratch { dir, _held: held };
        DirBuilder::new().mode(0o700).create(scratch.tree())?;
        Ok(scratch)
    }

    /// The copy is whole, and looks as the volume's directory is to look: from now on the volume has it, whatever happens.
    ///
    /// # Errors
    /// Of the file system.
    pub fn commit(&self, scratch: Scratch, dress: Dress<'_>) -> io::Result<()> {
        let look = scratch.dir.join("look");
        DirBuilder::new().mode(0o700).create(&look)?;
        dress(&scratch.tree(), &look)?;
        faults::act("fill volume")?;
        fs::rename(&scratch.dir, self.hold.dir.join(FILLED))?;
        self.finish(dress)
    }

    /// Moves what was copied to where it belongs. What a running container has written there meanwhile stays.
    fn finish(&self, dress: Dress<'_>) -> io::Result<()> {
        let (filled, to) = (self.hold.dir.join(FILLED), self.hold.data());
        if !self.hold.is_half_filled() {
            return Ok(());
        }
        let entries = match fs::read_dir(filled.join("tree")) {
            // Its own removal was what was cut short.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return remove_tree(&filled),
            other => other?.collect::<Result<Vec<_>, _>>()?,
        };
        for entry in entries {
            faults::act("move into volume")?;
            match renameat_with(CWD, entry.path(), CWD, to.join(entry.file_name()), RenameFlags::NOREPLACE) {
                Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOENT) | Ok(()) => {}
                Err(e) => return Err(e.into()),
            }
        }
        // After the moves, which change the time.
        match dress(&filled.join("look"), &to) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        remove_tree(&filled)
    }
}

#[cfg(test)]
mod tests {
    use spec::time::Time;

    use super::*;

    struct Dir(PathBuf);

    impl Drop for Dir {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn home(name: &str) -> (Home, Dir) {
        let root = std::env::temp_dir().join(format!("kist-disk-{}-{name}", std::process::id()));
        (Home::open(&root.join("root"), &root.join("run")).unwrap(), Dir(root))
    }

    fn made(home: &Home, name: &VolumeName) -> Hold {
        let record = Volume { created: Time::from_ns(0), labels: None, options: None };
        home.make_volume(name, &record, Durability::Volatile).unwrap()
    }

    #[test]
    fn a_volume_that_is_held_does_not_go() {
        let (home, _dir) = home("held");
        let name: VolumeName = "data".parse().unwrap();
        let hold = made(&home, &name);
        assert!(matches!(home.end_volume(&name, Patience::None).unwrap(), EndVolume::InUse(users) if users.is_empty()));
        drop(hold);
        let EndVolume::Ended(ended) = home.end_volume(&name, Patience::None).unwrap() else { panic!("it is free") };
        assert!(home.hold_volume(&name).unwrap().is_none());
        home.sweep_volumes().unwrap();
        assert!(ended.data().is_dir(), "whoever removes it is alive");
        drop(ended);
        home.sweep_volumes().unwrap();
        assert_eq!(fs::read_dir(home.volume_limbo()).unwrap().count(), 0);
        assert!(matches!(home.end_volume(&name, Patience::None).unwrap(), EndVolume::Missing));
    }

    #[test]
    fn makers_and_removers_meet_without_harm() {
        let (home, _dir) = home("meet");
        let name: VolumeName = "data".parse().unwrap();
        std::thread::scope(|scope| {
            for n in 0..6 {
                let (home, name) = (&home, &name);
                scope.spawn(move || {
                    for _ in 0..200 {
                        if n % 2 == 0 {
                            let hold = made(home, name);
                            assert!(hold.data().is_dir(), "as long as it is held");
                        } else if let EndVolume::Ended(ended) = home.end_volume(name, Patience::Wait).unwrap() {
                            ended.clear().unwrap();
                        }
                        home.sweep_volumes().unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(home.volume_limbo()).unwrap().count(), 0);
    }

    #[test]
    fn a_copy_that_is_committed_arrives_whoever_finishes_it() {
        let (home, _dir) = home("copy");
        let hold = made(&home, &"data".parse().unwrap());
        let dress: Dress<'_> = &|from, to| fs::set_permissions(to, fs::metadata(from)?.permissions());
        let filled = hold.dir.join(FILLED);
        for dir in ["tree/a", "tree/b", "look"] {
            fs::create_dir_all(filled.join(dir)).unwrap();
        }
        fs::set_permissions(filled.join("look"), Permissions::from_mode(0o1777)).unwrap();
        // Somebody had moved one, and a container has made the other itself.
        fs::remove_dir(filled.join("tree/a")).unwrap();
        fs::create_dir_all(hold.data().join("b/own")).unwrap();
        assert!(hold.is_half_filled());
        let filling = hold.fill(dress).unwrap();
        assert!(!hold.is_half_filled() && !filling.is_empty().unwrap());
        assert!(hold.data().join("b/own").is_dir());
        assert_eq!(fs::metadata(hold.data()).unwrap().permissions().mode() & 0o7777, 0o1777);
    }
}
