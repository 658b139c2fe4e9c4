//! Exclusive names: a symbolic link whose text says who holds the name. symlink(2) refuses an existing name, so two processes cannot
//! both win, and there is no moment at which a name is taken by nobody.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::faults;

/// Takes `name` in `dir` for `holder`; answers the holder that was there before, if any.
///
/// # Errors
/// Of the file system.
pub fn claim(dir: &Path, name: &str, holder: &str) -> io::Result<Option<String>> {
    faults::act("claim name")?;
    loop {
        match symlink(holder, dir.join(name)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| None),
        }
        // Released between the two calls: try again.
        if let Some(other) = self::holder(dir, name)? {
            return Ok(Some(other));
        }
    }
}

/// Who holds `name`.
///
/// # Errors
/// Of the file system.
pub fn holder(dir: &Path, name: &str) -> io::Result<Option<String>> {
    match fs::read_link(dir.join(name)) {
        Ok(text) => Ok(Some(text.to_string_lossy().into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The name that `holder` holds; `guess` is looked at first, and only if it is not the one, all are.
///
/// # Errors
/// Of the file system.
pub fn name_of(dir: &Path, holder: &str, guess: &str) -> io::Result<Option<String>> {
    if !guess.is_empty() && self::holder(dir, guess)?.as_deref() == Some(holder) {
        return Ok(Some(guess.to_owned()));
    }
    Ok(all(dir)?.into_iter().find(|(_, other)| other == holder).map(|(name, _)| name))
}

/// Gives `name` back; giving back what nobody holds is no error.
///
/// # Errors
/// Of the file system.
pub fn release(dir: &Path, name: &str) -> io::Result<()> {
    faults::act("release name")?;
    match fs::remove_file(dir.join(name)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives `name` back and moves its link into the directory `to`, which is about to be removed.
///
/// # Errors
/// Of the file system.
pub fn discard(dir: &Path, name: &str, to: &Path) -> io::Result<()> {
    faults::act("release name")?;
    match fs::rename(dir.join(name), to.join("name")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Moves a claim from one name to another in one step; answers the holder of the new name if there is one, and then changes nothing.
///
/// # Errors
/// Of the file system.
pub fn rename(dir: &Path, from: &str, to: &str) -> io::Result<Option<String>> {
    faults::act("rename name")?;
    match renameat_with(CWD, dir.join(from), CWD, dir.join(to), RenameFlags::NOREPLACE) {
        Ok(()) => Ok(None),
        Err(rustix::io::Errno::EXIST) => holder(dir, to),
        Err(e) => Err(e.into()),
    }
}

/// All names with their holders.
///
/// # Errors
/// Of the file system.
pub fn all(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(who) = holder(dir, &name)? {
            names.insert(name, who);
        }
    }
    Ok(names)
}
