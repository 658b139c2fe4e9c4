//! The members of an archive, by name; or the files of a directory that holds the same.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};

use super::{DOCUMENT_LIMIT, LoadError};

/// More members than the images of a registry have blobs.
const MEMBERS_LIMIT: usize = 1_000_000;
/// Old Docker versions wrote equal layers as symbolic links; links to links are not written by anyone.
const LINKS_LIMIT: usize = 4;

/// Where each member's bytes are.
#[derive(Debug)]
pub(crate) enum Members {
    /// In a tar.
    Tar { file: File, at: HashMap<String, Member> },
    /// Below a directory.
    Directory(OwnedFd),
}

#[derive(Debug)]
pub(crate) enum Member {
    Bytes { offset: u64, len: u64 },
    Link(String),
}

impl Members {
    /// Looks at all headers and at no body. What is no file and no link does not count; of two members of a name the last does.
    pub(crate) fn index(mut file: File) -> Result<Members, LoadError> {
        file.seek(SeekFrom::Start(0)).map_err(LoadError::Read)?;
        let mut at = HashMap::new();
        let mut archive = tar::Archive::new(&file);
        for entry in archive.entries_with_seek().map_err(LoadError::Read)? {
            let entry = entry.map_err(failed)?;
            let Some(name) = clean("", &entry.path_bytes()) else { continue };
            let kind = entry.header().entry_type();
            let member = if kind.is_file() || kind.is_contiguous() {
                Member::Bytes { offset: entry.raw_file_position(), len: entry.size() }
            } else if kind.is_symlink() || kind.is_hard_link() {
                let Some(target) = entry.link_name_bytes() else { continue };
                // A hard link's target counts from the archive's root, a symbolic link's from the directory it is in.
                let dir = if kind.is_symlink() { name.rsplit_once('/').map_or("", |(dir, _)| dir) } else { "" };
                let Some(target) = clean(dir, &target) else { continue };
                Member::Link(target)
            } else {
                continue;
            };
            at.insert(name, member);
            if at.len() > MEMBERS_LIMIT {
                return Err(LoadError::Contradiction(format!("the archive has more than {MEMBERS_LIMIT} members")));
            }
        }
        Ok(Members::Tar { file, at })
    }

    /// The bytes of a member.
    pub(crate) fn open(&self, name: &str) -> Option<Section<'_>> {
        let mut name = &clean("", name.as_bytes())?;
        let (file, at) = match self {
            Members::Tar { file, at } => (file, at),
            Members::Directory(dir) => return below(dir, name),
        };
        let mut member = at.get(name)?;
        for _ in 0..LINKS_LIMIT {
            match member {
                Member::Bytes { offset, len } => {
                    return Some(Section { file: Held::Shared(file), at: *offset, end: offset.checked_add(*len)? });
                }
                Member::Link(target) => name = target,
            }
            member = at.get(name)?;
        }
        None
    }

    /// The whole of a small member.
    pub(crate) fn document(&self, name: &str) -> Result<Option<Vec<u8>>, LoadError> {
        let Some(mut section) = self.open(name) else { return Ok(None) };
        let size = section.len();
        if size > DOCUMENT_LIMIT {
            return Err(LoadError::TooLarge { name: name.to_owned(), size });
        }
        let mut bytes = Vec::new();
        section.read_to_end(&mut bytes).map_err(LoadError::Read)?;
        Ok(Some(bytes))
    }
}

/// A part of the archive's file, read without moving the file's own offset: many can be read at once.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    file: Held<'a>,
    at: u64,
    end: u64,
}

#[derive(Debug)]
enum Held<'a> {
    Shared(&'a File),
    Own(File),
}

/// A regular file below a directory, and nothing else: opening a device or a pipe would do something.
fn below(dir: &OwnedFd, name: &str) -> Option<Section<'static>> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let place = openat2(dir, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()?;
    let stat = fstat(&place).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let file = File::open(format!("/proc/self/fd/{}", place.as_raw_fd())).ok()?;
    Some(Section { file: Held::Own(file), at: 0, end: u64::try_from(stat.st_size).ok()? })
}

impl Section<'_> {
    pub(crate) fn len(&self) -> u64 {
        self.end - self.at
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.len()).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        let file = match &self.file {
            Held::Shared(file) => file,
            Held::Own(file) => file,
        };
        let n = file.read_at(&mut buffer[..most], self.at)?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short"));
        }
        self.at += n as u64;
        Ok(n)
    }
}

/// What the tar crate says about a damaged header quotes its bytes, whatever they are.
fn failed(error: io::Error) -> LoadError {
    if error.raw_os_error().is_some() { LoadError::Read(error) } else { LoadError::NotATar }
}

/// The name as others in the archive would write it; none for one that leads out of it.
fn clean(dir: &str, name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn names_stay_inside() {
        let check = |dir: &str, name: &str, is: Option<&str>| assert_eq!(clean(dir, name.as_bytes()).as_deref(), is);
        check("", "./manifest.json", Some("manifest.json"));
        check("a", "../b/layer.tar", Some("b/layer.tar"));
        check("a", "../../etc/passwd", None);
        check("", ".", None);
    }
}
