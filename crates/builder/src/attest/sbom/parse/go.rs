//! Go: `go.sum`, and what the linker writes into every program (`debug/buildinfo`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::super::package::Package;

/// No program of Go is shorter.
pub(crate) const LEAST_BYTES: u64 = 64 << 10;
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// What it is preceded by before its texts.
const HEAD_BYTES: usize = 32;
/// As far as Go itself looks for it in a segment.
const SEARCHED_BYTES: usize = 64 << 10;
/// Of the whole text; the largest programs have 30 KB.
const TEXT_BYTES: usize = 4 << 20;
/// Of tables of sections and segments.
const TABLE_BYTES: usize = 1 << 20;

/// The modules that a project has checked, `h1:` of their files.
pub(super) fn sums(text: &str) -> Vec<Package> {
    let module = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?);
        // Only its list of modules was read.
        (!version.ends_with("/go.mod")).then(|| Package::in_namespace("golang", name, version)).flatten()
    };
    text.lines().filter_map(module).collect()
}

/// What a program was made of; nothing if it is not one of Go.
pub(crate) fn program(file: &File, size: u64) -> io::Result<Vec<Package>> {
    let Some((version, modules)) = build_info(file, size)? else { return Ok(Vec::new()) };
    let mut found: Vec<Package> = version
        .strip_prefix("go")
        .and_then(|version| Package::new("golang", None, "stdlib", version.split_whitespace().next()?))
        .into_iter()
        .collect();
    for line in modules.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        match *words.as_slice() {
            ["mod" | "dep", name, version, ..] => {
                let version = if version == "(devel)" { "" } else { version };
                found.extend(Package::in_namespace("golang", name, version));
            }
            // Instead of the one before.
            ["=>", name, version, ..] => {
                found.pop();
                found.extend(Package::in_namespace("golang", name, version));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Go's version and the lines about modules.
fn build_info(file: &File, size: u64) -> io::Result<Option<(String, String)>> {
    let Some((elf, tables)) = Elf::read(file, size)? else { return Ok(None) };
    let Some((place, searched)) = elf.place(file, size, &tables)? else { return Ok(None) };
    let data = at(file, place, searched, size)?;
    let Some(start) = (0..data.len()).step_by(16).find(|start| data[*start..].starts_with(MAGIC)) else {
        return Ok(None);
    };
    let text = at(file, place.saturating_add(start as u64), TEXT_BYTES, size)?;
    // Before Go 1.18 there are pointers instead.
    if text.get(15).is_none_or(|flags| flags & 2 == 0) {
        return Ok(None);
    }
    let Some((version, rest)) = text.get(HEAD_BYTES..).and_then(string) else { return Ok(None) };
    let Some((modules, _)) = string(rest) else { return Ok(None) };
    // Sixteen bytes at each end tell other tools where it is.
    let modules = modules.get(16..modules.len().saturating_sub(16)).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Some((text(version), text(modules))))
}

/// A length (`binary.Uvarint`) and so many bytes.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length: u64 = 0;
    for (number, byte) in bytes.iter().enumerate().take(5) {
        length |= u64::from(byte & 0x7f) << (7 * number);
        if byte & 0x80 == 0 {
            let length = usize::try_from(length).ok()?;
            let rest = &bytes[number + 1..];
            return (length <= rest.len()).then(|| rest.split_at(length));
        }
    }
    None
}

/// How an ELF file is written.
struct Elf {
    is_64: bool,
    is_big: bool,
}

/// Where its tables are: offset, bytes an entry, entries.
struct Tables {
    segments: (u64, usize, usize),
    sections: (u64, usize, usize),
    names: usize,
}

impl Elf {
    fn read(file: &File, size: u64) -> io::Result<Option<(Elf, Tables)>> {
        let head = at(file, 0, 64, size)?;
        if head.len() < 64 || !head.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        let elf = Elf { is_64: head[4] == 2, is_big: head[5] == 2 };
        let half = |at: usize| usize::try_from(elf.number(&head, at, 2)).unwrap_or(0);
        let tables = if elf.is_64 {
            Tables {
                segments: (elf.number(&head, 32, 8), half(54), half(56)),
                sections: (elf.number(&head, 40, 8), half(58), half(60)),
                names: half(62),
            }
        } else {
            Tables {
                segments: (elf.number(&head, 28, 4), half(42), half(44)),
                sections: (elf.number(&head, 32, 4), half(46), half(48)),
                names: half(50),
            }
        };
        Ok(Some((elf, tables)))
    }

    /// Where to look, and how far.
    fn place(&self, file: &File, size: u64, tables: &Tables) -> io::Result<Option<(u64, usize)>> {
        let least = if self.is_64 { 64 } else { 40 };
        let sections = table(file, size, tables.sections, least)?;
        let offset =
            |section: &[u8]| if self.is_64 { self.number(section, 24, 8) } else { self.number(section, 16, 4) };
        if let Some(names) = sections.get(tables.names) {
            let names = at(file, offset(names), TABLE_BYTES, size)?;
            let is_it = |section: &&Vec<u8>| {
                let start = usize::try_from(self.number(section, 0, 4)).unwrap_or(usize::MAX);
                names.get(start..).is_some_and(|name| name.starts_with(b".go.buildinfo\0"))
            };
            if let Some(section) = sections.iter().find(is_it) {
                return Ok(Some((offset(section), SEARCHED_BYTES)));
            }
        }
        // Without sections: the first segment that is written to and not run.
        let least = if self.is_64 { 56 } else { 32 };
        for segment in table(file, size, tables.segments, least)? {
            let flags = if self.is_64 { self.number(&segment, 4, 4) } else { self.number(&segment, 24, 4) };
            if self.number(&segment, 0, 4) == 1 && flags & 3 == 2 {
                let offset = if self.is_64 { self.number(&segment, 8, 8) } else { self.number(&segment, 4, 4) };
                return Ok(Some((offset, SEARCHED_BYTES)));
            }
        }
        Ok(None)
    }

    /// A number of so many bytes; 0 where there is none.
    fn number(&self, bytes: &[u8], at: usize, length: usize) -> u64 {
        let bytes = bytes.get(at..at + length).unwrap_or_default();
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.is_big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }
}

/// The entries of a table; none if it is unbelievable.
fn table(file: &File, size: u64, (place, each, count): (u64, usize, usize), least: usize) -> io::Result<Vec<Vec<u8>>> {
    if each < least || each.saturating_mul(count) > TABLE_BYTES {
        return Ok(Vec::new());
    }
    Ok(at(file, place, each * count, size)?.chunks_exact(each).map(<[u8]>::to_vec).collect())
}

/// Up to so many bytes from a place on.
fn at(file: &File, place: u64, most: usize, size: u64) -> io::Result<Vec<u8>> {
    let there = usize::try_from(size.saturating_sub(place)).unwrap_or(usize::MAX).min(most);
    let mut bytes = vec![0; there];
    let mut done = 0;
    while done < there {
        match file.read_at(&mut bytes[done..], place.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}
