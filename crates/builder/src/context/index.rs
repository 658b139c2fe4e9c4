//! What is known of files: their digests, as long as they look the same. `docs/formats/build-cache.md` describes the file.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Stat, Timespec, Timestamps, UTIME_NOW, utimensat};
use spec::digest::Digest;

const MAGIC: &[u8; 8] = b"kistctx1";
/// Magic and count.
const HEAD: usize = 8 + 4;
/// All of an entry but its path and the length of it.
const FIXED: usize = 5 * 8 + 4 + 32;
/// Fits any file system that keeps fractions of seconds: the kernel's clock of files ticks every 1 to 10 ms.
const INSTANT_NS: i64 = 20_000_000;
/// And those that keep whole or even seconds.
const COARSE_INSTANT_NS: i64 = 2_000_000_000;
/// Directories of which something is remembered.
const MOST_FILES: usize = 64;
/// Entries of files that nobody asked for this time are kept, but not for ever.
const MOST_IDLE: usize = 10_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) size: u64,
    pub(crate) mtime_ns: i64,
    pub(crate) ctime_ns: i64,
    pub(crate) mode: u32,
}

impl Stamp {
    pub(crate) fn of(stat: &Stat) -> Stamp {
        let ns = |sec: i64, part: u64| sec.saturating_mul(1_000_000_000).saturating_add_unsigned(part);
        Stamp {
            dev: stat.st_dev,
            ino: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
            mode: stat.st_mode,
        }
    }

    /// Whether it could change once more and look the same to who looked at `looked_ns`. The time of the last change cannot be set, but is
    /// not kept everywhere; one to come says nothing.
    fn is_racy(&self, looked_ns: i64) -> bool {
        let is_coarse = self.ctime_ns % 1_000_000_000 == 0 && self.mtime_ns % 1_000_000_000 == 0;
        let since = looked_ns.saturating_sub(if is_coarse { COARSE_INSTANT_NS } else { INSTANT_NS });
        self.ctime_ns >= since || (since..=looked_ns).contains(&self.mtime_ns)
    }
}

/// The SHA-256 of a file, attributes included.
pub(crate) type Sum = [u8; 32];

/// What must be the same for an entry to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// All of the stamp.
    Stamp,
    /// Nothing: the tree never changes.
    Path,
}

/// The entries of one tree.
#[derive(Debug)]
pub(crate) struct Index {
    file: PathBuf,
    trust: Trust,
    old: Old,
    now: Mutex<Now>,
}

/// As it was read.
#[derive(Debug, Default)]
struct Old {
    bytes: Vec<u8>,
    /// Where entries begin, in the order of their paths.
    starts: Vec<u32>,
}

/// What became known since.
#[derive(Debug, Default)]
struct Now {
    used: Vec<bool>,
    new: BTreeMap<Vec<u8>, (Stamp, Sum)>,
}

impl Index {
    /// The index of the tree that `name` is the name of.
    pub(crate) fn open(build_cache: &Path, name: &str, trust: Trust) -> Index {
        let file = build_cache.join("contexts").join(Digest::sha256(name.as_bytes()).hex());
        let old = fs::read(&file).ok().and_then(Old::parse).unwrap_or_default();
        let now = Mutex::new(Now { used: vec![false; old.starts.len()], new: BTreeMap::new() });
        Index { file, trust, old, now }
    }

    /// Where it is written down.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The digest of a file that looks like this.
    pub(crate) fn find(&self, path: &[u8], stamp: &Stamp) -> Option<Sum> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, sum)) = now.new.get(path) {
            return (self.trust == Trust::Path || known == stamp).then_some(*sum);
        }
        let at = self.old.starts.binary_search_by(|start| self.old.path(*start).cmp(path)).ok()?;
        let (known, sum) = self.old.entry(self.old.starts[at])?;
        let holds = self.trust == Trust::Path || known == *stamp;
        if holds {
            now.used[at] = true;
        }
        holds.then_some(sum)
    }

    /// Remembers a digest, of a file that was looked at after `looked`.
    pub(crate) fn learn(&self, path: &[u8], stamp: Stamp, sum: Sum, looked: SystemTime) {
        let looked = looked.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        if self.trust == Trust::Stamp && stamp.is_racy(i64::try_from(looked).unwrap_or(i64::MAX)) {
            return;
        }
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.new.insert(path.to_vec(), (stamp, sum));
    }

    /// Writes it down if something became known.
    pub(crate) fn save(&self) -> std::io::Result<()> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.new.is_empty() {
            let time = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
            let times = Timestamps { last_access: time, last_modification: time };
            // For whoever looks which were not used for long.
            let _ = utimensat(rustix::fs::CWD, &self.file, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
            return Ok(());
        }
        let used = now.used.iter().filter(|used| **used).count() + now.new.len();
        let keeps_idle = now.used.len().saturating_sub(used) <= used + MOST_IDLE;
        let mut all: BTreeMap<&[u8], (Stamp, Sum)> = BTreeMap::new();
        for (start, used) in self.old.starts.iter().zip(&now.used) {
            if (*used || keeps_idle)
                && let Some(entry) = self.old.entry(*start)
            {
                all.insert(self.old.path(*start), entry);
            }
        }
        all.extend(now.new.iter().map(|(path, entry)| (&path[..], *entry)));
        let Some(dir) = self.file.parent() else { return Ok(()) };
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        disk::replace(&self.file, &encode(&all), disk::Durability::Volatile)?;
        sweep(dir)
    }
}

impl Old {
    fn parse(bytes: Vec<u8>) -> Option<Old> {
        let body = bytes.len().checked_sub(8)?;
        if bytes.get(..8)? != MAGIC || checksum(&bytes[..body]).to_le_bytes() != bytes[body..] {
            return None;
        }
        let count = usize::try_from(u32::from_le_bytes(bytes.get(8..HEAD)?.try_into().ok()?)).ok()?;
        // No more than there is room for.
        let mut old = Old { starts: Vec::with_capacity(count.min(body / FIXED)), bytes };
        let mut at = HEAD;
        let mut before: Option<u32> = None;
        for _ in 0..count {
            let length = usize::from(u16::from_le_bytes(old.bytes.get(at..at + 2)?.try_into().ok()?));
            let end = at + 2 + length + FIXED;
            let start = u32::try_from(at).ok()?;
            if end > body || before.is_some_and(|before| old.path(before) >= old.path(start)) {
                return None;
            }
            old.starts.push(start);
            before = Some(start);
            at = end;
        }
        (at == body).then_some(old)
    }

    /// Of an entry that was seen to be whole.
    fn path(&self, start: u32) -> &[u8] {
        let at = usize::try_from(start).unwrap_or(usize::MAX);
        let length =
            self.bytes.get(at..at + 2).map_or(0, |length| usize::from(u16::from_le_bytes([length[0], length[1]])));
        self.bytes.get(at + 2..at + 2 + length).unwrap_or_default()
    }

    fn entry(&self, start: u32) -> Option<(Stamp, Sum)> {
        let at = usize::try_from(start).ok()? + 2 + self.path(start).len();
        let fixed = self.bytes.get(at..at + FIXED)?;
        let word = |n: usize| fixed[8 * n..8 * n + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let stamp = Stamp {
            dev: word(0),
            ino: word(1),
            size: word(2),
            mtime_ns: word(3).cast_signed(),
            ctime_ns: word(4).cast_signed(),
            mode: u32::from_le_bytes(fixed[40..44].try_into().ok()?),
        };
        Some((stamp, fixed[44..].try_into().ok()?))
    }
}

fn encode(entries: &BTreeMap<&[u8], (Stamp, Sum)>) -> Vec<u8> {
    // A longer path than the kernel takes has no entry; more files than that have none either.
    let entries = || {
        let fitting = entries.iter().filter_map(|(path, entry)| Some((u16::try_from(path.len()).ok()?, path, entry)));
        fitting.take(4_000_000)
    };
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u32::try_from(entries().count()).unwrap_or_default().to_le_bytes());
    for (length, path, (stamp, sum)) in entries() {
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(path);
        let times = [stamp.mtime_ns, stamp.ctime_ns].map(i64::cast_unsigned);
        for word in [stamp.dev, stamp.ino, stamp.size].into_iter().chain(times) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&stamp.mode.to_le_bytes());
        bytes.extend_from_slice(sum);
    }
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// Against damage, not against people: FNV-1a over words instead of bytes, the last one filled up with zeros.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    })
}

/// Takes away what was not used for longest, and what dead processes left.
fn sweep(dir: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(modified) = entry.metadata().and_then(|meta| meta.modified()) else { continue };
        match entry.file_name().as_encoded_bytes().first() {
            Some(b'.') if modified.elapsed().is_ok_and(|since| since > DAY) => drop(fs::remove_file(entry.path())),
            Some(b'.') | None => {}
            Some(_) => files.push((modified, entry.path())),
        }
    }
    files.sort();
    let many = files.len().saturating_sub(MOST_FILES);
    for (_, path) in files.into_iter().take(many) {
        // Somebody else may have.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests damage files")]
mod tests {
    use std::time::Instant;

    use testkit::Root;

    use super::*;

    fn stamp(n: u64) -> Stamp {
        Stamp { dev: 1, ino: n, size: 3, mtime_ns: -4, ctime_ns: 5, mode: 0o100_644 }
    }

    #[test]
    fn golden_index() {
        let bytes = encode(&BTreeMap::from([(&b"a/b"[..], (stamp(2), [7; 32])), (&b"c"[..], (stamp(9), [8; 32]))]));
        let sevens = "07".repeat(32);
        let eights = "08".repeat(32);
        let rest = "0300000000000000fcffffffffffffff0500000000000000a4810000";
        let expected = format!(
            "6b69737463747831020000000300612f6201000000000000000200000000000000{rest}{sevens}\
             01006301000000000000000900000000000000{rest}{eights}"
        );
        assert_eq!(spec::digest::hex(&bytes[..bytes.len() - 8]), expected);
        expect_test::expect!["7b3ca895eb94586a"].assert_eq(&spec::digest::hex(&bytes[bytes.len() - 8..]));
        let old = Old::parse(bytes.clone()).unwrap();
        assert_eq!(old.starts.iter().map(|start| old.path(*start)).collect::<Vec<_>>(), [&b"a/b"[..], b"c"]);
        assert_eq!(old.entry(old.starts[1]), Some((stamp(9), [8; 32])));
        for cut in 0..bytes.len() {
            assert!(Old::parse(bytes[..cut].to_vec()).is_none());
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(Old::parse(damaged).is_none(), "{at}");
        }
    }

    #[test]
    fn what_became_known_is_known_the_next_time() {
        let root = Root::new();
        let open = |trust| Index::open(root.path(), "dir:1:2", trust);
        let index = open(Trust::Stamp);
        let later = UNIX_EPOCH + Duration::from_secs(60);
        index.learn(b"a", stamp(1), [1; 32], later);
        index.learn(b"b", stamp(2), [2; 32], later);
        assert_eq!(index.find(b"a", &stamp(1)), Some([1; 32]));
        index.save().unwrap();
        let index = open(Trust::Stamp);
        assert_eq!(index.find(b"a", &stamp(1)), Some([1; 32]));
        assert_eq!(index.find(b"a", &stamp(3)), None);
        assert_eq!(index.find(b"c", &stamp(1)), None);
        assert_eq!(open(Trust::Path).find(b"a", &stamp(3)), Some([1; 32]));
        index.learn(b"a", stamp(3), [3; 32], later);
        index.save().unwrap();
        let index = open(Trust::Stamp);
        assert_eq!((index.find(b"a", &stamp(3)), index.find(b"b", &stamp(2))), (Some([3; 32]), Some([2; 32])));
        fs::write(&index.file, "damaged").unwrap();
        assert_eq!(open(Trust::Stamp).find(b"b", &stamp(2)), None);
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_remembered() {
        let at = |mtime_ns, ctime_ns| Stamp { mtime_ns, ctime_ns, ..stamp(1) };
        let now = 1_000_000_000_500;
        assert!(at(5, now - 1).is_racy(now));
        assert!(at(now - 1, 5).is_racy(now));
        assert!(at(5, now + 1_000).is_racy(now), "the clock was set back");
        assert!(at(7_000_000_000, 999_000_000_000).is_racy(now), "a file system that keeps whole seconds");
        assert!(!at(7_000_000_001, 999_000_000_000).is_racy(now));
        assert!(!at(now * 2, 5).is_racy(now), "a time to come");
    }

    #[test]
    fn ten_thousand_entries_load_at_once() {
        let root = Root::new();
        let index = Index::open(root.path(), "x", Trust::Stamp);
        for n in 0..10_000 {
            let path = format!("node_modules/package-{}/lib/file-{n}.js", n / 100);
            index.learn(path.as_bytes(), stamp(n), [1; 32], UNIX_EPOCH + Duration::from_secs(60));
        }
        index.save().unwrap();
        let start = Instant::now();
        let index = Index::open(root.path(), "x", Trust::Stamp);
        println!("loaded in {:?}", start.elapsed());
        assert_eq!(index.old.starts.len(), 10_000);
        assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
    }

    #[test]
    fn trees_that_nobody_builds_from_any_more_are_forgotten() {
        let root = Root::new();
        for n in 0..MOST_FILES + 3 {
            let index = Index::open(root.path(), &n.to_string(), Trust::Path);
            index.learn(b"a", stamp(1), [1; 32], UNIX_EPOCH);
            index.save().unwrap();
        }
        assert_eq!(fs::read_dir(root.join("contexts")).unwrap().count(), MOST_FILES);
    }
}
