//! Directories that outlive builds: `RUN --mount=type=cache`. Each is held by a lock on its directory while a command uses it: shared, or
//! alone. Where one is taken that is to be used alone, another of the same name is found or made, and kept.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use disk::{Durability, Record, faults, remove_tree};
use serde::{Deserialize, Serialize};
use spec::digest::{ChainId, Digest};
use spec::time::Time;
use store::Store;

use super::{CacheError, GLANCE, make_dir, names};
use crate::dockerfile::mount::Sharing;
use crate::plan::graph::Bits;

/// What a command wants.
pub(crate) struct Wanted<'a> {
    /// The name.
    pub(crate) id: &'a str,
    pub(crate) sharing: Sharing,
    pub(crate) seed: Seed<'a>,
    /// Of a new one that begins with nothing.
    pub(crate) owner: Bits,
    /// None: what is in it stays. Else it is emptied, unless it is among these, which this build has emptied.
    pub(crate) emptied: Option<&'a Emptied>,
}

/// Cache mounts that a build has begun anew.
pub(crate) type Emptied = Mutex<BTreeSet<Digest>>;

/// Opens files for as long as what it is given reads them.
pub(crate) type Opener<'a> = dyn Fn(&mut Reader<'_>) -> Result<(), CacheError> + 'a;

/// Reads files of a directory.
pub(crate) type Reader<'a> = dyn FnMut(BorrowedFd<'_>) -> Result<(), CacheError> + 'a;

/// What a new one begins with.
pub(crate) enum Seed<'a> {
    /// Nothing.
    Nothing,
    /// These files: layers, where in them, and how to open them.
    Files(Option<&'a ChainId>, &'a str, &'a Opener<'a>),
}

/// `mounts/<hash>-<n>/mount.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MountRecord {
    /// As the Dockerfile names it.
    pub(crate) id: String,
    pub(crate) created: Time,
    /// When a command last had it.
    pub(crate) last_used: Time,
    /// How often.
    pub(crate) uses: u64,
    /// What was in it then, on the disk.
    pub(crate) disk_bytes: u64,
}

impl Record for MountRecord {
    const FILE: &'static str = "mount.json";
    const FORMAT: u32 = 1;
}

/// One that is held.
#[derive(Debug)]
pub(crate) struct CacheMount {
    dir: PathBuf,
    /// Its directory, locked.
    _held: File,
}

pub(super) fn mounts_dir(store: &Store) -> PathBuf {
    store.build_cache_dir().join("mounts")
}

impl CacheMount {
    /// Waits for one, makes it if it is new, and holds it.
    ///
    /// # Errors
    /// Of the file system; [`CacheError::Cancelled`].
    pub(crate) fn take(
        store: &Store,
        wanted: &Wanted<'_>,
        waits: &mut dyn FnMut(),
        cancelled: &dyn Fn() -> bool,
    ) -> Result<CacheMount, CacheError> {
        let (all, hash) = (mounts_dir(store), wanted.hash());
        let (mut number, mut told) = (0_u32, false);
        loop {
            // None of this build has it while it is not empty.
            let emptied = wanted.emptied.map(|all| all.lock().unwrap_or_else(PoisonError::into_inner));
            let emptied = emptied.filter(|all| !all.contains(&hash));
            let dir = all.join(format!("{}-{number}", hash.hex()));
            let Some(held) = open(&dir)? else {
                make(&all, &dir, wanted)?;
                continue;
            };
            let locked = match wanted.sharing {
                Sharing::Shared if emptied.is_none() => held.try_lock_shared(),
                Sharing::Shared | Sharing::Private | Sharing::Locked => held.try_lock(),
            };
            match locked {
                // A prune may have taken it away meanwhile.
                Ok(()) if is_at(&held, &dir) => match emptied {
                    None => return Ok(CacheMount { dir, _held: held }),
                    Some(mut all) => {
                        remove(&dir)?;
                        all.insert(hash.clone());
                        continue;
                    }
                },
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) if wanted.sharing == Sharing::Private => {
                    number += 1;
                    continue;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(CacheError::io("locking", &dir)(e)),
            }
            drop(emptied);
            if cancelled() {
                return Err(CacheError::Cancelled);
            }
            if !std::mem::replace(&mut told, true) {
                waits();
            }
            thread::sleep(GLANCE);
        }
    }

    /// What is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Writes down that it was used.
    pub(crate) fn used(self) -> Result<(), CacheError> {
        let Some(mut record) = disk::read::<MountRecord>(&self.dir)? else { return Ok(()) };
        record.last_used = disk::now();
        record.uses += 1;
        record.disk_bytes = store::extent(&self.path())?.disk_bytes;
        Ok(disk::write(&self.dir, &record, Durability::Volatile)?)
    }
}

impl Wanted<'_> {
    /// Two that begin with other files are two.
    fn hash(&self) -> Digest {
        let seed = match &self.seed {
            Seed::Nothing => String::new(),
            Seed::Files(chain, source, _) => {
                format!("{}\0{source}", chain.map(ToString::to_string).unwrap_or_default())
            }
        };
        Digest::sha256(format!("{}\0{seed}", self.id).as_bytes())
    }
}

fn open(dir: &Path) -> Result<Option<File>, CacheError> {
    match File::open(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(CacheError::io("opening", dir)),
    }
}

pub(super) fn is_at(held: &File, dir: &Path) -> bool {
    match (held.metadata(), fs::symlink_metadata(dir)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Takes away one that is held.
pub(super) fn remove(dir: &Path) -> Result<(), CacheError> {
    let away = dir.with_file_name(format!("{NEW}gone-{}-{}", std::process::id(), number()));
    let renamed = faults::act("remove cache mount").and_then(|()| fs::rename(dir, &away));
    renamed.map_err(CacheError::io("removing", dir))?;
    remove_tree(&away).map_err(CacheError::io("removing", &away))
}

/// What is half made.
pub(super) const NEW: &str = ".new-";

/// Makes one beside its place and renames it there; who comes second keeps the first's.
fn make(all: &Path, dir: &Path, wanted: &Wanted<'_>) -> Result<(), CacheError> {
    make_dir(all)?;
    let place = all.join(format!("{NEW}{}-{}", std::process::id(), number()));
    let made = fill(&place, wanted).and_then(|()| {
        faults::act("settle cache mount").map_err(CacheError::io("making", dir))?;
        match fs::rename(&place, dir) {
            Err(e) if matches!(e.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
            other => other.map_err(CacheError::io("making", dir)),
        }
    });
    // Gone, when it was renamed.
    let _ = remove_tree(&place);
    made
}

fn number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn fill(place: &Path, wanted: &Wanted<'_>) -> Result<(), CacheError> {
    make_dir(place)?;
    let data = place.join("data");
    make_dir(&data)?;
    let mode = wanted.owner.mode.unwrap_or(0o755);
    let (uid, gid) = (wanted.owner.uid.unwrap_or(0), wanted.owner.gid.unwrap_or(0));
    let owned = std::os::unix::fs::chown(&data, Some(uid), Some(gid));
    owned
        .and_then(|()| fs::set_permissions(&data, fs::Permissions::from_mode(mode)))
        .map_err(CacheError::io("making", &data))?;
    if let Seed::Files(_, _, open) = &wanted.seed {
        open(&mut |files| Ok(store::copy(files, &data)?))?;
    }
    let (created, last_used) = (disk::now(), disk::now());
    let record = MountRecord { id: wanted.id.to_owned(), created, last_used, uses: 0, disk_bytes: 0 };
    Ok(disk::write(place, &record, Durability::Volatile)?)
}

/// One on the disk.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) dir: PathBuf,
    pub(super) record: MountRecord,
    /// Nobody uses it, and nobody can begin to as long as this lives; none: somebody does.
    pub(super) held: Option<File>,
}

/// All there are.
pub(super) fn all(store: &Store) -> Result<Vec<Found>, CacheError> {
    let mut found = Vec::new();
    for name in names(&mounts_dir(store))? {
        let dir = mounts_dir(store).join(&name);
        // A damaged record is that of a mount of which nothing is known.
        let Ok(record) = disk::read::<MountRecord>(&dir) else { continue };
        let (Some(record), Some(held)) = (record, open(&dir)?) else { continue };
        let held = (!name.starts_with(NEW) && held.try_lock().is_ok() && is_at(&held, &dir)).then_some(held);
        found.push(Found { dir, record, held });
    }
    Ok(found)
}
