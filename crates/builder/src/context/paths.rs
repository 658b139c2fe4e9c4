//! Paths below a root, which they do not leave: walked one part at a time, links read here and taken from the root.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlinkat};
use rustix::io::Errno;

/// As many symbolic links as containerd's `fs.RootPath` follows.
const LINKS: usize = 255;

/// The parts of a path that is taken from a root: `..` does not lead above it.
pub(crate) fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for part in path.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part.to_vec()),
        }
    }
    parts
}

/// The path without a slash before it; empty: the root.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    parts(path).join(&b'/')
}

pub(crate) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    match (dir, name) {
        ([], name) => name.to_vec(),
        (dir, []) => dir.to_vec(),
        (dir, name) => [dir, b"/", name].concat(),
    }
}

/// Parent and last part.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// As a person writes it.
pub(crate) fn show(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}

/// Opens a path that is real: where a link turned up meanwhile it is refused.
pub(crate) fn open(root: BorrowedFd<'_>, real: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let path: &[u8] = if real.is_empty() { b"." } else { real };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    loop {
        // EAGAIN: something was renamed during the walk.
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Where a path leads when all links on it are followed, as far as there is something; what is missing stays as it is written.
pub(crate) fn real(root: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut ahead: VecDeque<Vec<u8>> = raw_parts(path);
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        if part == b".." {
            done.pop();
            continue;
        }
        done.push(part);
        let here = done.join(&b'/');
        let found = match open(root, &here, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            Err(errno) => return Err(errno),
        };
        if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::Symlink {
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP);
        }
        let target = readlinkat(found.as_fd(), "", Vec::new())?.into_bytes();
        done.pop();
        if target.starts_with(b"/") {
            done.clear();
        }
        for part in raw_parts(&target).into_iter().rev() {
            ahead.push_front(part);
        }
    }
    Ok(done.join(&b'/'))
}

fn raw_parts(path: &[u8]) -> VecDeque<Vec<u8>> {
    path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_nowhere_else() {
        let root = testkit::Root::new();
        root.write("dir/sub/file", "x");
        for (link, target) in [
            ("up", "../../../../dir"),
            ("absolute", "/dir/sub"),
            ("dir/back", ".."),
            ("missing", "no/where"),
            ("loop", "loop"),
            ("dir/sub/far", "/up/sub/file"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let dir = std::fs::File::open(root.path()).unwrap();
        for (path, expected) in [
            ("/", Ok("")),
            ("dir/./sub/", Ok("dir/sub")),
            ("up/sub/file", Ok("dir/sub/file")),
            ("absolute/file", Ok("dir/sub/file")),
            ("dir/back/back", Ok("back")),
            ("absolute/far", Ok("dir/sub/file")),
            ("../../etc", Ok("etc")),
            ("missing/../x", Ok("no/x")),
            ("loop/x", Err(Errno::LOOP)),
            ("dir/sub/file/below", Ok("dir/sub/file/below")),
        ] {
            let found = real(dir.as_fd(), path.as_bytes()).map(|path| String::from_utf8(path).unwrap());
            assert_eq!(found, expected.map(str::to_owned), "{path}");
        }
    }
}
