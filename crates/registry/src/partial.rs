//! A blob on its way: a file that fills from several places at once, while readers follow behind what is there without a gap.
//!
//! ```text
//! <dir>/<algorithm>-<hex>-<size>          the bytes, each at its place; flock: exclusive while somebody fetches or reads it
//! <dir>/<algorithm>-<hex>-<size>.slots    for each range of 8 MiB, in order, how many of its bytes have come: u64, little endian
//! ```
//!
//! A slot is written after the bytes that it counts, so it holds after the death of any process. After a loss of power it may count bytes
//! that were not written: whoever reads a blob compares its digest, and one that was resumed is fetched anew.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use disk::{Lock, faults};
use spec::digest::{Algorithm, Digest, Hasher};

/// What one request fetches, and what is fetched again at most when its connection breaks at the worst moment and nothing was kept.
pub const RANGE: u64 = 8 << 20;

/// No layer is longer, whatever a manifest says: for each range there are some bytes in memory.
const LONGEST: u64 = 1 << 40;

/// Partial files that nobody asked for in this time are given up.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Bytes of a blob, held by this process alone.
#[derive(Debug)]
pub struct Partial {
    inner: Arc<Inner>,
    path: PathBuf,
    resumed_bytes: u64,
    _lock: Lock,
}

#[derive(Debug)]
struct Inner {
    file: File,
    slots: File,
    size: u64,
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug)]
struct State {
    /// For each range, how many of its first bytes are here.
    have: Vec<u64>,
    /// No more will come.
    ended: Option<String>,
}

impl Partial {
    /// Takes what there is of a blob of `size` bytes in `dir`, or begins it; none while another process has it.
    ///
    /// # Errors
    /// Of the file system; a length that no layer has.
    pub fn open(dir: &Path, digest: &Digest, size: u64) -> io::Result<Option<Partial>> {
        if size > LONGEST {
            return Err(io::Error::other(format!(
                "a layer of {size} bytes is announced, and more than {LONGEST} are not taken"
            )));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let path = path(dir, digest, size);
        loop {
            let Some(lock) = Lock::try_exclusive(&path)? else { return Ok(None) };
            if is_still(&lock, &path)? {
                return Partial::begin(path, size, lock).map(Some);
            }
        }
    }

    /// Waits until no other process has the blob.
    ///
    /// # Errors
    /// Of the file system.
    pub fn wait(dir: &Path, digest: &Digest, size: u64) -> io::Result<()> {
        match File::open(path(dir, digest, size)) {
            Ok(file) => file.lock_shared(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn begin(path: PathBuf, size: u64, lock: Lock) -> io::Result<Partial> {
        let open =
            |path: &Path| OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let (file, slots) = (open(&path)?, open(&slots_path(&path))?);
        let ranges = usize::try_from(size.div_ceil(RANGE)).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        (&slots).take(ranges as u64 * 8).read_to_end(&mut bytes)?;
        bytes.resize(ranges * 8, 0);
        let on_disk = file.metadata()?.len();
        let have = bytes.chunks_exact(8).enumerate().map(|(n, slot)| {
            let said = slot.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte));
            // No more than there can be and than the file is long.
            let start = n as u64 * RANGE;
            said.min(RANGE.min(size - start)).min(on_disk.saturating_sub(start))
        });
        let have: Vec<u64> = have.collect();
        let resumed_bytes = have.iter().sum();
        let state = Mutex::new(State { have, ended: None });
        let inner = Arc::new(Inner { file, slots, size, state, more: Condvar::new() });
        Ok(Partial { inner, path, resumed_bytes, _lock: lock })
    }

    /// How long the blob is, by whoever named it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.inner.size
    }

    /// How much was here when it was opened.
    #[must_use]
    pub fn resumed_bytes(&self) -> u64 {
        self.resumed_bytes
    }

    /// How much is here.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.inner.state().have.iter().sum()
    }

    /// Reads from the first byte on; waits for what has not come.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { inner: Arc::clone(&self.inner), at: 0, ready: 0 }
    }

    /// How many ranges there are.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.inner.state().have.len()
    }

    /// The bytes that a range lacks, from and up to; none when it is whole.
    #[must_use]
    pub fn lacks(&self, range: usize) -> Option<(u64, u64)> {
        let start = range as u64 * RANGE;
        let end = self.inner.size.min(start + RANGE);
        let from = start + self.inner.state().have.get(range).copied().unwrap_or_default();
        (from < end).then_some((from, end))
    }

    /// Takes bytes that stand at `offset`, over as many ranges as they touch. What is here already is passed over, and so is what would
    /// leave a gap in its range.
    ///
    /// # Errors
    /// Of the file system; more bytes than the blob has.
    pub fn write(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        if offset + bytes.len() as u64 > self.inner.size {
            return Err(io::Error::other(format!("more bytes come than the {} that were announced", self.inner.size)));
        }
        while !bytes.is_empty() {
            let range = usize::try_from(offset / RANGE).map_err(io::Error::other)?;
            let within = usize::try_from(RANGE - offset % RANGE).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (now, later) = bytes.split_at(within);
            self.write_range(range, offset, now)?;
            offset += within as u64;
            bytes = later;
        }
        Ok(())
    }

    fn write_range(&self, range: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = range as u64 * RANGE;
        let here = start + self.inner.state().have[range];
        let Some(skip) = here.checked_sub(offset).and_then(|skip| usize::try_from(skip).ok()) else { return Ok(()) };
        let Some(new @ [_, ..]) = bytes.get(skip..) else { return Ok(()) };
        faults::act("write partial")?;
        self.inner.file.write_all_at(new, here)?;
        let have = here + new.len() as u64 - start;
        self.inner.slots.write_all_at(&have.to_le_bytes(), range as u64 * 8)?;
        self.inner.state().have[range] = have;
        self.inner.more.notify_all();
        Ok(())
    }

    /// The digest of the bytes, once all are here.
    ///
    /// # Errors
    /// Of the file system.
    pub fn digest(&self, algorithm: Algorithm) -> io::Result<Option<Digest>> {
        if self.received_bytes() < self.size() {
            return Ok(None);
        }
        let (mut hasher, mut reader, mut piece) = (Hasher::new(algorithm), self.reader(), vec![0; 256 << 10]);
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(Some(hasher.finish())),
                read => hasher.update(&piece[..read]),
            }
        }
    }

    /// Lets readers fail with this text instead of waiting.
    pub fn end(&self, why: &str) {
        self.inner.state().ended.get_or_insert_with(|| why.to_owned());
        self.inner.more.notify_all();
    }

    /// Takes the blob's name away: it has become a layer, or was not what it should be.
    ///
    /// # Errors
    /// Of the file system.
    pub fn remove(&self) -> io::Result<()> {
        faults::act("remove partial")?;
        gone(fs::remove_file(slots_path(&self.path)))?;
        gone(fs::remove_file(&self.path))
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with it held left numbers that are true.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How far the bytes go without a gap.
    fn front(&self) -> u64 {
        let whole = self.have.iter().take_while(|have| **have == RANGE).count();
        whole as u64 * RANGE + self.have.get(whole).copied().unwrap_or_default()
    }
}

/// Reads a blob while it comes.
#[derive(Debug)]
pub struct Reader {
    inner: Arc<Inner>,
    at: u64,
    /// Bytes before this are here.
    ready: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.inner.size {
            return Ok(0);
        }
        if self.ready == self.at {
            let mut state = self.inner.state();
            loop {
                self.ready = state.front();
                match &state.ended {
                    _ if self.ready > self.at => break,
                    Some(why) => return Err(io::Error::other(why.clone())),
                    None => state = self.inner.more.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            }
        }
        let most = usize::try_from(self.ready - self.at).map_or(buffer.len(), |ready| ready.min(buffer.len()));
        let read = self.inner.file.read_at(&mut buffer[..most], self.at)?;
        if read == 0 && most > 0 {
            return Err(io::Error::other("a partial file was cut short by somebody else"));
        }
        self.at += read as u64;
        Ok(read)
    }
}

/// Removes the partial files in `dir` that nobody has and that were last written longer ago than `age`; answers how many bytes that freed.
///
/// # Errors
/// Of the file system.
pub fn sweep(dir: &Path, age: Duration) -> io::Result<u64> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut freed = 0;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == SLOTS) {
            continue;
        }
        let Ok(meta) = fs::metadata(&path) else { continue };
        let old = SystemTime::now().duration_since(meta.modified()?).is_ok_and(|since| since >= age);
        if old
            && let Some(lock) = Lock::try_exclusive(&path)?
            && is_still(&lock, &path)?
        {
            gone(fs::remove_file(slots_path(&path)))?;
            gone(fs::remove_file(&path))?;
            freed += meta.blocks() * 512;
        }
    }
    Ok(freed)
}

const SLOTS: &str = "slots";

fn path(dir: &Path, digest: &Digest, size: u64) -> PathBuf {
    dir.join(format!("{}-{}-{size}", digest.algorithm().name(), digest.hex()))
}

fn slots_path(path: &Path) -> PathBuf {
    path.with_extension(SLOTS)
}

/// Whether the locked file still has its name: its last holder may have taken it away just before.
fn is_still(lock: &Lock, path: &Path) -> io::Result<bool> {
    let locked = rustix::fs::fstat(lock)?;
    match fs::metadata(path) {
        Ok(named) => Ok(named.ino() == locked.st_ino && named.dev() == locked.st_dev),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "bytes made up, and small numbers")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest() -> Digest {
        Digest::sha256(b"some blob")
    }

    fn open(root: &testkit::Root, size: u64) -> Partial {
        Partial::open(&root.join("partial"), &digest(), size).unwrap().unwrap()
    }

    fn blob(size: u64) -> Vec<u8> {
        (0..size).map(|n| (n / 251 + n) as u8).collect()
    }

    fn lacking(partial: &Partial) -> Vec<(u64, u64)> {
        (0..partial.ranges()).filter_map(|range| partial.lacks(range)).collect()
    }

    #[test]
    fn what_came_is_there_for_the_next() {
        let root = testkit::Root::new();
        let size = RANGE + 1000;
        let bytes = blob(size);
        let first = open(&root, size);
        first.write(0, &bytes[..10]).unwrap();
        first.write(RANGE, &bytes[RANGE as usize..][..20]).unwrap();
        drop(first);
        let second = open(&root, size);
        assert_eq!((second.resumed_bytes(), lacking(&second)), (30, vec![(10, RANGE), (RANGE + 20, size)]));
        second.write(0, &bytes).unwrap();
        let mut read = Vec::new();
        second.reader().read_to_end(&mut read).unwrap();
        assert!(read == bytes);
        assert_eq!(second.digest(Algorithm::Sha256).unwrap(), Some(Digest::sha256(&bytes)));
        second.remove().unwrap();
        assert_eq!(fs::read_dir(root.join("partial")).unwrap().count(), 0);
    }

    #[test]
    fn one_process_has_it_and_others_wait() {
        let root = testkit::Root::new();
        let first = open(&root, 10);
        assert!(Partial::open(&root.join("partial"), &digest(), 10).unwrap().is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Partial::wait(&root.join("partial"), &digest(), 10));
            first.remove().unwrap();
            drop(first);
            waiting.join().unwrap().unwrap();
        });
        assert_eq!(open(&root, 10).resumed_bytes(), 0);
    }

    #[test]
    fn a_reader_waits_for_bytes_or_the_end() {
        let root = testkit::Root::new();
        let partial = open(&root, 10);
        std::thread::scope(|scope| {
            let mut reader = partial.reader();
            let read = scope.spawn(move || {
                let mut bytes = [0; 4];
                reader.read_exact(&mut bytes).map(|()| bytes).map(|bytes| (bytes, reader.read(&mut [0])))
            });
            partial.write(0, b"ab").unwrap();
            partial.write(2, b"cd").unwrap();
            partial.end("the line broke");
            let (bytes, after) = read.join().unwrap().unwrap();
            assert_eq!((&bytes, after.unwrap_err().to_string()), (b"abcd", "the line broke".to_owned()));
        });
        assert!(partial.write(8, b"too long").is_err());
    }

    #[test]
    fn the_sweep_spares_what_is_held_and_what_is_young() {
        let root = testkit::Root::new();
        let dir = root.join("partial");
        let partial = open(&root, 10);
        partial.write(0, b"ab").unwrap();
        assert_eq!(sweep(&dir, Duration::ZERO).unwrap(), 0);
        drop(partial);
        assert_eq!(sweep(&dir, KEPT).unwrap(), 0);
        assert!(sweep(&dir, Duration::ZERO).unwrap() > 0);
        assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    }

    #[test]
    fn slots_are_little_endian_numbers() {
        let root = testkit::Root::new();
        open(&root, RANGE + 5).write(RANGE, b"abc").unwrap();
        let slots = root.join("partial").join(format!("sha256-{}-{}.slots", digest().hex(), RANGE + 5));
        assert_eq!(fs::read(slots).unwrap(), [0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Pieces may come in any order and more than once; what is here without a gap is what was sent.
        #[test]
        fn pieces_in_any_order(pieces in prop::collection::vec((0u64..RANGE + 5000, 1u64..4000), 0..40)) {
            let root = testkit::Root::new();
            let size = RANGE + 6000;
            let bytes = blob(size);
            let partial = open(&root, size);
            for (from, len) in pieces {
                let end = (from + len).min(size);
                partial.write(from, &bytes[from as usize..end as usize]).unwrap();
            }
            let front = partial.inner.state().front();
            let mut read = vec![0; front as usize];
            partial.reader().read_exact(&mut read).unwrap();
            prop_assert!(read == bytes[..front as usize]);
        }
    }
}
