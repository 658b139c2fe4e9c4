//! What an archive leaves behind when it is applied, worked out from its headers alone.
//!
//! The same rules as in `unpack` and `ledger`, without a file system: later entries replace earlier ones, parents are made, links on the
//! way are followed inside the root, whiteouts become devices and marks. Made for archives that were applied once; of others it is
//! only certain that this ends.

use std::collections::BTreeMap;
use std::io::Read;
use std::mem;

use super::LayerError;
use super::ledger::{AUFS, OPAQUE, WHITEOUT};
use super::tree::{LINKS, components};
use crate::tar::{Device, Entry, Kind, Reader, Time};

const DELETED: Kind = Kind::Char(Device { major: 0, minor: 0 });

/// The tree that must be there.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(super) nodes: Vec<Node>,
    /// Real paths below the root, whose own is empty, and their nodes; hard links share one.
    pub(super) paths: BTreeMap<Vec<u8>, usize>,
}

/// A thing in the tree.
#[derive(Debug)]
pub(super) struct Node {
    /// As it was applied, without its path. A whiteout is a device 0/0; a hard link is the thing that it links to.
    pub(super) entry: Entry,
    pub(super) opaque: bool,
    /// How many paths it has.
    pub(super) names: u64,
    /// The root of an archive that does not speak of it has the time at which it was made.
    pub(super) is_timed: bool,
}

impl Expected {
    /// Reads all entries and no body.
    pub(super) fn of<R: Read>(reader: &mut Reader<R>) -> Result<Expected, LayerError> {
        let root = Node { is_timed: false, ..Node::new(implicit(Time::default())) };
        let mut expected = Expected { nodes: vec![root], paths: BTreeMap::from([(Vec::new(), 0)]) };
        while let Some(entry) = reader.next()? {
            expected.entry(entry)?;
        }
        Ok(expected)
    }

    /// The same where files have other times than the archive says.
    pub(crate) fn untimed(mut self) -> Expected {
        self.nodes.iter_mut().for_each(|node| node.is_timed = false);
        self
    }

    fn entry(&mut self, mut entry: Entry) -> Result<(), LayerError> {
        let path = mem::take(&mut entry.path);
        let mtime = entry.mtime;
        let parts = components(&path)?;
        let Some((&name, parents)) = parts.split_last() else {
            self.nodes[0].entry = entry;
            self.nodes[0].is_timed = true;
            return Ok(());
        };
        if parents.iter().any(|part| part.starts_with(AUFS)) || (name.starts_with(AUFS) && name != OPAQUE) {
            return Ok(());
        }
        if name == OPAQUE {
            let dir = self.enter(parents, mtime)?;
            self.hide(dir, mtime);
        } else if let Some(victim) = name.strip_prefix(WHITEOUT) {
            let path = join(&self.enter(parents, mtime)?, victim);
            self.hide(path, mtime);
        } else if let Kind::HardLink { target } = &entry.kind {
            let missing = || LayerError::refused(&path, "a hard link to what is not in this layer");
            let target_parts = components(target)?;
            let (&target_name, target_parents) = target_parts.split_last().ok_or_else(missing)?;
            let target = join(&self.enter(target_parents, mtime)?, target_name);
            let node = *self.paths.get(&target).ok_or_else(missing)?;
            let path = join(&self.enter(parents, mtime)?, name);
            self.vacate(&path);
            self.paths.insert(path, node);
            self.nodes[node].names += 1;
        } else {
            let path = join(&self.enter(parents, mtime)?, name);
            if entry.kind == Kind::Dir {
                self.directory(path, entry);
            } else if entry.kind == DELETED {
                self.hide(path, mtime);
            } else {
                self.put(path, Node::new(entry));
            }
        }
        Ok(())
    }

    fn kind(&self, path: &[u8]) -> Option<&Kind> {
        self.paths.get(path).map(|&node| &self.nodes[node].entry.kind)
    }

    /// The real path of a directory; where there is none it is made.
    fn enter(&mut self, parts: &[&[u8]], mtime: Time) -> Result<Vec<u8>, LayerError> {
        let mut here = parts.join(&b'/');
        // All paths here are real: what is found is reached without a link.
        if self.kind(&here) == Some(&Kind::Dir) {
            return Ok(here);
        }
        let mut links = 0;
        let mut ahead: Vec<Vec<u8>> = parts.iter().rev().map(|part| part.to_vec()).collect();
        here.clear();
        while let Some(name) = ahead.pop() {
            if name == b".." {
                here.truncate(here.iter().rposition(|&b| b == b'/').unwrap_or(0));
                continue;
            }
            let below = join(&here, &name);
            if let Some(Kind::Symlink { target }) = self.kind(&below) {
                links += 1;
                if links > LINKS {
                    return Err(LayerError::refused(&below, "too many symbolic links on the way"));
                }
                if target.starts_with(b"/") {
                    here.clear();
                }
                let parts = target.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".");
                ahead.extend(parts.rev().map(<[u8]>::to_vec));
                continue;
            }
            if self.kind(&below) != Some(&Kind::Dir) {
                self.directory(below.clone(), implicit(mtime));
            }
            here = below;
        }
        Ok(here)
    }

    /// A directory keeps what is in it when it comes again; in a whiteout's place it is opaque.
    fn directory(&mut self, path: Vec<u8>, entry: Entry) {
        match self.paths.get(&path) {
            Some(&node) if self.nodes[node].entry.kind == Kind::Dir => self.nodes[node].entry = entry,
            found => {
                let opaque = found.is_some_and(|&node| self.nodes[node].entry.kind == DELETED);
                self.put(path, Node { opaque, ..Node::new(entry) });
            }
        }
    }

    /// Deletes the name in lower layers: what this layer has there stays.
    fn hide(&mut self, path: Vec<u8>, mtime: Time) {
        match self.paths.get(&path) {
            None => self.put(path, Node::new(Entry { kind: DELETED, ..implicit(mtime) })),
            Some(&node) => self.nodes[node].opaque |= self.nodes[node].entry.kind == Kind::Dir,
        }
    }

    fn put(&mut self, path: Vec<u8>, node: Node) {
        self.vacate(&path);
        self.paths.insert(path, self.nodes.len());
        self.nodes.push(node);
    }

    fn vacate(&mut self, path: &[u8]) {
        let Some(node) = self.paths.remove(path) else { return };
        self.nodes[node].names -= 1;
        if self.nodes[node].entry.kind == Kind::Dir {
            let below = join(path, b"");
            let inside = self.paths.range(below.clone()..).map(|(path, _node)| path);
            let doomed: Vec<_> = inside.take_while(|path| path.starts_with(&below)).cloned().collect();
            for path in doomed {
                let node = self.paths.remove(&path);
                node.into_iter().for_each(|node| self.nodes[node].names -= 1);
            }
        }
    }
}

impl Node {
    fn new(entry: Entry) -> Node {
        Node { entry, opaque: false, names: 1, is_timed: true }
    }
}

/// A directory that the archive does not mention.
fn implicit(mtime: Time) -> Entry {
    Entry { path: Vec::new(), kind: Kind::Dir, mode: 0o755, uid: 0, gid: 0, mtime, xattrs: BTreeMap::new() }
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}
