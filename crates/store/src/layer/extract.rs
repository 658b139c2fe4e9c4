//! An archive goes into a tree that is there already and that somebody may live in: `cp`.
//!
//! What holds for layers holds here ([`super::unpack`]): every name is walked from the directory's descriptor, one
//! component at a time, so whatever the tree's owner puts in the way leads nowhere else.

use std::io::Read;
use std::os::fd::BorrowedFd;

use super::LayerError;
use super::apply::{Applied, Limits, Options, Recording, Whiteouts};
use super::diff::Owner;
use super::unpack::{self, Clash, Manners, Unpack};
use crate::tar::{Kind, Reader};

/// How an archive is unpacked.
pub struct Extract<'a> {
    /// What a name of the archive is to be called here.
    pub rename: &'a dyn Fn(&[u8]) -> Vec<u8>,
    /// Whose things become.
    pub owners: Owners<'a>,
}

impl std::fmt::Debug for Extract<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extract").finish_non_exhaustive()
    }
}

/// Whose things become.
pub enum Owners<'a> {
    /// Those of this process; what is there already keeps its owner.
    Process,
    /// What the archive's owners are called here; none: nobody here.
    Archive(&'a dyn Fn(Owner) -> Option<Owner>),
}

/// Unpacks a plain archive below `dir` and reads it to its end. A directory merges with one that is there and gives it
/// its attributes; anything else replaces what has its name, but a directory and something else do not give way to each
/// other. Names are taken from `dir`, absolute ones too; those that lead out of it are refused.
///
/// # Errors
/// [`LayerError`]; what was unpacked until then stays.
pub fn extract<R: Read>(tar: R, dir: BorrowedFd<'_>, how: &Extract<'_>) -> Result<Applied, LayerError> {
    let mut reader = Reader::new(tar);
    let limits = Limits { entries: u64::MAX, bytes: u64::MAX };
    let mut unpack = Unpack::new(dir, Options { whiteouts: Whiteouts::Literal, limits, recording: Recording::Off })?;
    let owners = match how.owners {
        Owners::Process => unpack::Owners::Maker,
        Owners::Archive(map) => {
            let nobody = || LayerError::refused(b"/", "the container's user namespace has no root");
            unpack.make_parents_of(map((0, 0)).ok_or_else(nobody)?);
            unpack::Owners::Entry
        }
    };
    unpack.manners = Manners { clash: Clash::Refuse, owners };
    while let Some(mut entry) = reader.next()? {
        entry.path = inside(&(how.rename)(&entry.path), &entry.path)?;
        if let Kind::HardLink { target } = &mut entry.kind {
            *target = inside(&(how.rename)(target), target)?;
        }
        // The directory itself stays as it is.
        if entry.path.is_empty() {
            continue;
        }
        if let Owners::Archive(map) = how.owners {
            let owner = (entry.uid, entry.gid);
            let nobody = || LayerError::refused(&entry.path, format!("owner {}:{} is not mapped", owner.0, owner.1));
            (entry.uid, entry.gid) = map(owner).ok_or_else(nobody)?;
        }
        unpack.entry(&entry, &mut reader)?;
    }
    unpack.rest(reader)?;
    unpack.finish()
}

/// Unpacks a plain archive over what is in `dir`, as `ADD` does it: directories merge, anything else gives way. `owners` says whose things
/// become.
///
/// # Errors
/// [`LayerError`]; what was unpacked until then stays.
pub fn overlay<R: Read>(tar: R, dir: BorrowedFd<'_>, owners: &dyn Fn(Owner) -> Owner) -> Result<Applied, LayerError> {
    let mut reader = Reader::new(tar);
    let limits = Limits { entries: u64::MAX, bytes: u64::MAX };
    let mut unpack = Unpack::new(dir, Options { whiteouts: Whiteouts::Literal, limits, recording: Recording::Off })?;
    unpack.make_parents_of(owners((0, 0)));
    unpack.manners = Manners { clash: Clash::Replace, owners: unpack::Owners::Entry };
    while let Some(mut entry) = reader.next()? {
        entry.path = inside(&entry.path, &entry.path)?;
        if let Kind::HardLink { target } = &mut entry.kind {
            *target = inside(target, target)?;
        }
        (entry.uid, entry.gid) = owners((entry.uid, entry.gid));
        unpack.entry(&entry, &mut reader)?;
    }
    unpack.rest(reader)?;
    unpack.finish()
}

/// A name without `.` and `..`, and without a slash before it; empty: the directory itself.
fn inside(name: &[u8], typed: &[u8]) -> Result<Vec<u8>, LayerError> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop().ok_or_else(|| LayerError::refused(typed, "it leads out of the destination"))?),
            part => parts.push(part),
        }
    }
    Ok(parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_the_destination_and_stay_in_it() {
        let check = |name: &str| inside(name.as_bytes(), b"").map(|clean| String::from_utf8(clean).unwrap()).ok();
        for (name, clean) in [
            ("a/b", Some("a/b")),
            ("/etc/x", Some("etc/x")),
            ("./a//./b/", Some("a/b")),
            ("a/../b", Some("b")),
            ("./", Some("")),
            ("/", Some("")),
            ("..", None),
            ("../x", None),
            ("/../x", None),
            ("a/../../x", None),
        ] {
            assert_eq!(check(name).as_deref(), clean, "{name}");
        }
    }

    fn unpack(root: &testkit::Root, layer: testkit::Layer, owners: Owners<'_>) -> Result<Applied, LayerError> {
        let dir = std::fs::File::open(root.path()).unwrap();
        extract(
            layer.tar().as_slice(),
            std::os::fd::AsFd::as_fd(&dir),
            &Extract { rename: &|name| name.to_vec(), owners },
        )
    }

    #[test]
    fn what_is_there_is_merged_with_and_keeps_its_owner_where_asked() {
        use std::os::unix::fs::MetadataExt;
        let root = testkit::Root::new();
        root.write("dir/kept", "kept");
        std::os::unix::fs::chown(root.join("dir"), Some(5), Some(6)).unwrap();
        let layer =
            || testkit::Layer::new().dir("dir/", 0o700).file("dir/new", 0o600, "new").file("made/x", 0o644, "x");
        unpack(&root, layer(), Owners::Process).unwrap();
        let of = |name: &str| std::fs::metadata(root.join(name)).unwrap();
        assert_eq!((of("dir").uid(), of("dir").gid(), of("dir").mode() & 0o7777), (5, 6, 0o700));
        assert_eq!(std::fs::read_to_string(root.join("dir/kept")).unwrap(), "kept");
        let shift = |(uid, gid): Owner| (uid < 1000).then_some((uid + 100_000, gid + 200_000));
        std::fs::remove_dir_all(root.join("made")).unwrap();
        unpack(&root, layer(), Owners::Archive(&shift)).unwrap();
        for name in ["dir", "dir/new", "made", "made/x"] {
            assert_eq!((of(name).uid(), of(name).gid()), (100_000, 200_000), "{name}");
        }
        let stranger = testkit::Layer::new().entry("x", "", &[], |header| header.set_uid(1000));
        assert!(unpack(&root, stranger, Owners::Archive(&shift)).unwrap_err().to_string().contains("is not mapped"));
    }

    #[test]
    fn a_directory_and_something_else_do_not_give_way_to_each_other() {
        let root = testkit::Root::new();
        root.write("dir/x", "x");
        root.write("file", "x");
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        let refused = |layer| unpack(&root, layer, Owners::Process).unwrap_err().to_string();
        let layer = testkit::Layer::new;
        assert_eq!(refused(layer().file("dir", 0o644, "")), "cannot overwrite directory \"dir\" with non-directory");
        assert_eq!(refused(layer().symlink("dir", "x")), "cannot overwrite directory \"dir\" with non-directory");
        assert_eq!(refused(layer().dir("file/", 0o755)), "cannot overwrite non-directory \"file\" with directory");
        assert_eq!(refused(layer().dir("link/", 0o755)), "cannot overwrite non-directory \"link\" with directory");
        assert_eq!(std::fs::read_to_string(root.join("dir/x")).unwrap(), "x");
    }
}
