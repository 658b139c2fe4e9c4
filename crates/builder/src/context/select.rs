//! The files that one source of `COPY` means (fsutil `ResolveWildcards`, BuildKit `contenthash`).

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::time::SystemTime;

use rustix::fs::{AtFlags, FileType, OFlags, Stat, fstat, statat};
use rustix::io::Errno;
use spec::digest::{Algorithm, Digest, Hasher};

use super::hash::{self, Attributes};
use super::index::{Stamp, Sum};
use super::walk::{self, Include, State, Walk};
use super::{FilesError, Kind, Tree, attributes, kind_of, paths};
use crate::ignore::{self, Patterns, Verdict};

/// One source of `COPY` or `ADD`, as written and expanded.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The path or pattern.
    pub source: &'a str,
    /// `--parents`.
    pub parents: Parents,
    /// `--exclude`.
    pub exclude: &'a [String],
}

/// Whether the directories above a source come along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parents {
    /// They do not.
    Drop,
    /// Those after `/./`, or all.
    Keep,
}

/// What a source means at one moment.
#[derive(Debug)]
pub struct Selection {
    picked: Vec<Picked>,
    digest: Digest,
    bytes: u64,
}

/// One thing that the source means.
#[derive(Debug)]
pub(crate) struct Picked {
    /// What it is called where it is put into a directory.
    pub(crate) name: Vec<u8>,
    /// Where it is, from the tree's root and through no link.
    pub(crate) real: Vec<u8>,
    /// It, and all below it that is copied, parents first.
    pub(crate) entries: Vec<Entry>,
}

/// Something that is copied.
#[derive(Debug)]
pub(crate) struct Entry {
    /// From what was picked, which has none.
    pub(crate) path: Vec<u8>,
    pub(crate) what: What,
    pub(crate) stamp: Stamp,
    /// User and group; root's in a context.
    pub(crate) owner: (u32, u32),
    pub(crate) links: u64,
    /// Of a directory.
    pub(crate) attributes: Attributes,
    /// False for a directory that is not wanted itself, but something in it: one that is there already keeps its owner and its time.
    pub(crate) is_taken: bool,
    /// Of a file.
    pub(crate) sum: Sum,
}

/// What something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    File,
    Dir,
    /// With its text.
    Symlink(Vec<u8>),
    /// A device or a pipe, with its number.
    Node(u64),
    /// It becomes an empty file, as with BuildKit.
    Socket,
}

impl Entry {
    pub(super) fn new(path: Vec<u8>, what: What, stat: &Stat) -> Entry {
        let (owner, links) = ((stat.st_uid, stat.st_gid), stat.st_nlink);
        let attributes = Attributes::new();
        Entry { path, what, stamp: Stamp::of(stat), owner, links, attributes, is_taken: true, sum: [0; 32] }
    }
}

impl Selection {
    /// Known by names, kinds, modes, links' targets and contents, and in stages by owners and attributes; never by times.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest.clone()
    }

    /// Whether there is nothing to copy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.picked.is_empty()
    }

    /// Of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn picked(&self) -> &[Picked] {
        &self.picked
    }
}

pub(super) fn select(tree: &Tree, wanted: &Wanted<'_>) -> Result<Selection, FilesError> {
    let looked = SystemTime::now();
    let exclude =
        Patterns::new(wanted.exclude).map_err(|e| FilesError::Refused(format!("invalid excludepatterns: {e}")))?;
    let mut picked = match wanted.parents {
        Parents::Keep => with_parents(tree, wanted.source, &exclude)?,
        Parents::Drop => {
            let mut picked = Vec::new();
            for path in matches(tree, wanted.source)? {
                match pick(tree, &path, &exclude, None)? {
                    Some(found) => picked.push(found),
                    // It is seen, and leads nowhere.
                    None if is_link(tree, &path)? => return Err(tree.not_found(&path)),
                    None => {}
                }
            }
            if picked.is_empty() && !has_wildcards(wanted.source) {
                return Err(tree.not_found(wanted.source.as_bytes()));
            }
            picked
        }
    };
    fill(tree, &mut picked, looked)?;
    let files = picked.iter().flat_map(|picked| &picked.entries).filter(|entry| entry.what == What::File);
    let bytes = files.map(|entry| entry.stamp.size).sum();
    Ok(Selection { digest: digest(tree.kind(), &picked), bytes, picked })
}

/// BuildKit's `containsWildcards`.
fn has_wildcards(source: &str) -> bool {
    let mut bytes = source.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'*' | b'?' | b'[' => return true,
            _other => {}
        }
    }
    false
}

/// The paths that a source means: itself, or what matches it. A star takes no slash, so each part has one directory to look at; links to
/// directories are not gone through.
fn matches(tree: &Tree, source: &str) -> Result<Vec<Vec<u8>>, FilesError> {
    let parts = paths::parts(source.as_bytes());
    let is_pattern = |part: &Vec<u8>| has_wildcards(&String::from_utf8_lossy(part));
    let Some(first) = parts.iter().position(is_pattern) else { return Ok(vec![parts.join(&b'/')]) };
    let prefix = parts[..first].join(&b'/');
    let real = paths::real(tree.root(), &prefix).map_err(|errno| FilesError::io("reading", &prefix, errno))?;
    let mut found = vec![real];
    for part in &parts[first..] {
        let pattern = String::from_utf8_lossy(part);
        let bad = |_| {
            FilesError::Refused(format!("failed to calculate checksum of ref {}: syntax error in pattern", tree.name))
        };
        ignore::match_path(&pattern, "").map_err(bad)?;
        let mut next = Vec::new();
        for dir in found {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            let opened = match paths::open(tree.root(), &dir, flags) {
                Err(Errno::NOTDIR | Errno::LOOP | Errno::NOENT) => continue,
                other => other.map_err(|errno| FilesError::io("reading", &dir, errno))?,
            };
            for (name, _kind) in walk::list(opened.as_fd()).map_err(|errno| FilesError::io("reading", &dir, errno))? {
                if ignore::match_path(&pattern, &String::from_utf8_lossy(&name)).map_err(bad)? {
                    next.push(paths::join(&dir, &name));
                }
            }
        }
        found = next;
    }
    Ok(found)
}

/// What is at a path, with all below it; none: nothing, or nothing that is seen.
fn pick(tree: &Tree, path: &[u8], exclude: &Patterns, include: Option<&Include>) -> Result<Option<Picked>, FilesError> {
    let failed = |errno: Errno| FilesError::io("reading", path, errno);
    let real = paths::real(tree.root(), path).map_err(failed)?;
    let Some((verdict, state)) = seen(tree, &real) else { return Ok(None) };
    let (parent, name) = paths::split(&real);
    let name: &[u8] = if name.is_empty() { b"." } else { name };
    let dir = match paths::open(tree.root(), parent, OFlags::PATH | OFlags::DIRECTORY) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        other => other.map_err(failed)?,
    };
    let stat = match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(failed)?,
    };
    let mut picked = Picked { name: paths::split(path).1.to_vec(), real: real.clone(), entries: Vec::new() };
    if kind_of(stat.st_mode) != FileType::Directory {
        let what = walk::what(dir.as_fd(), name, &stat).map_err(failed)?.filter(|_| verdict == Verdict::Keep);
        let Some(what) = what else { return Ok(None) };
        picked.entries.push(Entry::new(Vec::new(), what, &stat));
        return Ok(Some(picked));
    }
    let opened = paths::open(tree.root(), &real, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
    let mut top = Entry::new(Vec::new(), What::Dir, &fstat(&opened).map_err(failed)?);
    top.attributes = attributes(opened.as_fd(), tree.kind()).map_err(failed)?;
    let mut walk = Walk::new(tree, exclude, include);
    walk.directory(opened, &real, state)?;
    if verdict != Verdict::Keep && walk.entries.is_empty() {
        return Ok(None);
    }
    picked.entries.push(top);
    picked.entries.append(&mut walk.entries);
    Ok(Some(picked))
}

/// Whether the path itself is a link that is seen.
fn is_link(tree: &Tree, path: &[u8]) -> Result<bool, FilesError> {
    if seen(tree, path).is_none_or(|(verdict, _)| verdict != Verdict::Keep) {
        return Ok(false);
    }
    match paths::open(tree.root(), path, OFlags::PATH | OFlags::NOFOLLOW).and_then(fstat) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
        other => {
            let stat = other.map_err(|errno| FilesError::io("reading", path, errno))?;
            Ok(kind_of(stat.st_mode) == FileType::Symlink)
        }
    }
}

/// What `.dockerignore` says of a path; none: nothing there is seen.
fn seen(tree: &Tree, real: &[u8]) -> Option<(Verdict, State)> {
    let mut state = State::default();
    let mut verdict = Verdict::Keep;
    let mut here = Vec::new();
    for part in real.split(|&b| b == b'/').filter(|part| !part.is_empty()) {
        here = paths::join(&here, part);
        let (now, above) = tree.ignored.walk(&String::from_utf8_lossy(&here), &state.ignored);
        if now == Verdict::Drop {
            return None;
        }
        (verdict, state.ignored) = (now, above);
    }
    Some((verdict, state))
}

/// `--parents`: what matches, with the directories that lead to it from the pivot, or from each that the pivot matches.
fn with_parents(tree: &Tree, source: &str, exclude: &Patterns) -> Result<Vec<Picked>, FilesError> {
    let (pivot, pattern) = source.split_once("/./").unwrap_or(("/", source));
    let parts = paths::parts(pattern.as_bytes());
    let parts: Vec<String> = parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let text = parts.join("/");
    let is_literal = !has_wildcards(pivot) && !has_wildcards(pattern);
    // No pattern means everything.
    let include = (!text.is_empty()).then(|| {
        let patterns =
            Patterns::new([&text]).map_err(|e| FilesError::Refused(format!("invalid includepatterns: {e}")))?;
        let literal = parts.iter().take_while(|part| !has_wildcards(part) && !part.contains('\\')).cloned().collect();
        Ok::<_, FilesError>(Include { patterns, literal })
    });
    let include = include.transpose()?;
    let mut picked = Vec::new();
    for pivot in matches(tree, pivot)? {
        picked.extend(pick(tree, &pivot, exclude, include.as_ref())?);
    }
    let is_missing = match &picked[..] {
        [] => !has_wildcards(pivot),
        [one] => is_literal && include.is_some() && one.entries.len() == 1,
        _several => false,
    };
    if is_missing {
        return Err(tree.not_found(&paths::join(&paths::clean(pivot.as_bytes()), text.as_bytes())));
    }
    Ok(picked)
}

/// Gives files their digests.
fn fill(tree: &Tree, picked: &mut [Picked], looked: SystemTime) -> Result<(), FilesError> {
    let mut unknown = Vec::new();
    for (at, picked) in picked.iter_mut().enumerate() {
        for (nth, entry) in picked.entries.iter_mut().enumerate().filter(|(_, entry)| entry.what == What::File) {
            let path = paths::join(&picked.real, &entry.path);
            match tree.index.as_ref().and_then(|index| index.find(&path, &entry.stamp)) {
                Some(sum) => entry.sum = sum,
                None => unknown.push((at, nth, path)),
            }
        }
    }
    let files: Vec<Vec<u8>> = unknown.iter().map(|(_, _, path)| path.clone()).collect();
    let answers = hash::hash_all(tree.root(), &files, tree.kind())?;
    for ((at, nth, path), (stamp, stat, sum)) in unknown.into_iter().zip(answers) {
        let entry = &mut picked[at].entries[nth];
        // It may have changed since it was listed; this is what was read.
        (entry.stamp, entry.owner, entry.links, entry.sum) = (stamp, (stat.st_uid, stat.st_gid), stat.st_nlink, sum);
        if let Some(index) = &tree.index {
            index.learn(&path, stamp, sum, looked);
        }
    }
    for entry in picked.iter_mut().flat_map(|picked| &mut picked.entries) {
        if tree.kind() == Kind::Context {
            entry.owner = (0, 0);
        }
    }
    Ok(())
}

/// Names and lengths are written so that no two lists give the same bytes. What a directory that was picked looks like does not count:
/// only what is in it is copied.
fn digest(kind: Kind, picked: &[Picked]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut bytes = Vec::with_capacity(256);
    hasher.update(b"kist selection 1\n");
    for picked in picked {
        let mut inodes: HashMap<(u64, u64), u64> = HashMap::new();
        for (nth, entry) in (0u64..).zip(&picked.entries) {
            bytes.clear();
            let is_top = entry.path.is_empty();
            let path = if is_top { &picked.name } else { &entry.path };
            match &entry.what {
                What::Dir if is_top => {
                    hasher.update(b"D");
                    continue;
                }
                What::Dir => put(&mut bytes, b'd', path),
                What::File => put(&mut bytes, b'f', path),
                What::Symlink(_) => put(&mut bytes, b'l', path),
                What::Node(_) => put(&mut bytes, b'n', path),
                What::Socket => put(&mut bytes, b's', path),
            }
            match &entry.what {
                What::File => bytes.extend_from_slice(&entry.sum),
                What::Symlink(target) => put(&mut bytes, b'>', target),
                What::Node(number) => bytes.extend_from_slice(&number.to_le_bytes()),
                What::Dir => bytes.push(u8::from(entry.is_taken)),
                What::Socket => {}
            }
            let mode = if let What::Symlink(_) = entry.what { 0 } else { entry.stamp.mode };
            bytes.extend_from_slice(&mode.to_le_bytes());
            if kind == Kind::Stage {
                bytes.extend_from_slice(&entry.owner.0.to_le_bytes());
                bytes.extend_from_slice(&entry.owner.1.to_le_bytes());
            }
            if !entry.attributes.is_empty() {
                bytes.push(b'x');
                bytes.extend_from_slice(&hash::with_attributes([0; 32], &entry.attributes));
            }
            // Two names of one file are not two files.
            if entry.links > 1 && entry.what != What::Dir {
                let first = *inodes.entry((entry.stamp.dev, entry.stamp.ino)).or_insert(nth);
                if first != nth {
                    bytes.push(b'=');
                    bytes.extend_from_slice(&first.to_le_bytes());
                }
            }
            hasher.update(&bytes);
        }
        hasher.update(b".");
    }
    hasher.finish()
}

fn put(bytes: &mut Vec<u8>, kind: u8, text: &[u8]) {
    bytes.push(kind);
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text);
}
