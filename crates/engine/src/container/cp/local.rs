//! The host's end of a copy, as Docker's client sees it. Paths are the user's own: they are walked as any program walks them. What is
//! unpacked there comes from a container and is walked as hostile.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use store::layer::{self, Extract, LayerError, Owners, Packed};

use super::CopyError;
use super::inside::refusal;
use super::paths::{self, End, Kind, Plan};

/// As many symbolic links as Docker follows at the end of a destination.
const LINKS: usize = 10;

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The absolute form of what was typed, with its end.
pub(super) fn absolute(working_dir: &Path, typed: &str) -> Vec<u8> {
    let absolute = match typed.starts_with('/') {
        true => paths::clean(typed.as_bytes()),
        false => paths::join(working_dir.as_os_str().as_bytes(), typed.as_bytes()),
    };
    paths::keep_end(absolute, typed.as_bytes())
}

fn said(act: &str, at: &[u8], error: &io::Error) -> CopyError {
    CopyError::Local(format!("{act} {}: {}", String::from_utf8_lossy(at), words(error)))
}

/// Go's words for the kernel's errors.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn kind(found: &Metadata) -> Kind {
    if found.is_dir() { Kind::Directory } else { Kind::Other }
}

/// Follows all links on a path (Go's `filepath.EvalSymlinks`).
fn follow(typed: &[u8]) -> Result<Vec<u8>, CopyError> {
    let error = match fs::canonicalize(path(typed)) {
        Ok(real) => return Ok(real.into_os_string().as_bytes().to_vec()),
        Err(error) => error,
    };
    if error.kind() == io::ErrorKind::NotADirectory {
        return Err(CopyError::Local("not a directory".into()));
    }
    // The first part that is missing, which is what Go names.
    let cleaned = paths::clean(typed);
    let mut ends = (1..=cleaned.len()).filter(|&at| at == cleaned.len() || cleaned[at] == b'/');
    let missing = ends.find(|&at| fs::symlink_metadata(path(&cleaned[..at])).is_err());
    Err(said("lstat", missing.map_or(&cleaned, |at| &cleaned[..at]), &error))
}

/// What is copied (`CopyInfoSourcePath`).
pub(super) fn source(typed: &[u8], links: super::Links) -> Result<End, CopyError> {
    let (resolved, typed_name) = match links {
        super::Links::Follow => paths::named_as_typed(typed, follow(typed)?),
        super::Links::Keep => {
            let (dir, name) = paths::split_at_slash(typed);
            let resolved = [&follow(dir)?[..], b"/", name].concat();
            let (before, after) = (paths::base(typed), paths::base(&resolved));
            let typed_name = (typed.ends_with(b"/") && before != after).then_some(before);
            (resolved, typed_name)
        }
    };
    let found = fs::symlink_metadata(path(&resolved)).map_err(|e| said("lstat", &resolved, &e))?;
    Ok(End { path: resolved, kind: kind(&found), typed_name })
}

/// Writes an archive of a source (`TarResource`).
pub(super) fn archive(source: &End, out: impl Write) -> Result<(), LayerError> {
    let (dir, name) = paths::split(&source.path);
    let as_name = source.typed_name.as_deref().unwrap_or(&name);
    let failed =
        |e| LayerError::Io { act: "opening", entry: String::from_utf8_lossy(&source.path).into_owned(), source: e };
    let packed = if source.kind == Kind::Directory {
        let dir = File::open(path(&source.path)).map_err(failed)?;
        let as_name: &[u8] = if as_name == b"/" { b"" } else { as_name };
        layer::pack(Packed::Directory(dir.as_fd(), as_name), &|owner| owner, out)
    } else {
        let dir = File::open(path(&dir)).map_err(failed)?;
        layer::pack(Packed::Named { dir: dir.as_fd(), name: &name, as_name }, &|owner| owner, out)
    };
    packed.map(drop)
}

/// What may not be written to (docker/cli `ValidateOutputPath`).
pub(super) fn check_output(at: &[u8]) -> Result<(), CopyError> {
    let dir = paths::clean(paths::split_at_slash(&paths::clean(at)).0);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if fs::metadata(path(&dir)).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return Err(CopyError::Local(format!("invalid output path: directory {:?} does not exist", shown(&dir))));
    }
    match fs::metadata(path(at)) {
        Ok(found) if found.file_type().is_char_device() || found.file_type().is_block_device() => {
            Err(CopyError::Local(format!(
                "invalid output path: {:?} must be a directory or a regular file: got a device",
                shown(at)
            )))
        }
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(said("stat", at, &e)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Where it is copied to (`CopyInfoDestinationPath`): links at its end are followed, to what does not exist yet as well.
pub(super) fn destination(typed: &[u8]) -> Result<End, CopyError> {
    let mut at = typed.to_vec();
    for _ in 0..=LINKS + 1 {
        match fs::symlink_metadata(path(&at)) {
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(path(&at)).map_err(|e| said("readlink", &at, &e))?;
                let target = target.as_os_str().as_bytes();
                at = if target.starts_with(b"/") { target.to_vec() } else { paths::join(&paths::split(&at).0, target) };
            }
            Ok(found) => return Ok(End { kind: kind(&found), path: at, typed_name: None }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let parent = paths::split(&at).0;
                let found = fs::metadata(path(&parent)).map_err(|e| said("stat", &parent, &e))?;
                if !found.is_dir() {
                    return Err(CopyError::Local("not a directory".into()));
                }
                return Ok(End { kind: Kind::Missing, path: at, typed_name: None });
            }
            Err(e) => return Err(said("lstat", &at, &e)),
        }
    }
    Err(CopyError::Local(format!("too many symlinks in {}", String::from_utf8_lossy(typed))))
}

/// Unpacks a container's archive.
pub(super) fn extract(plan: &Plan, whose: super::Owned, tar: impl Read) -> Result<(), CopyError> {
    let dir = File::open(path(&plan.dir)).map_err(|e| said("open", &plan.dir, &e))?;
    let owners = match whose {
        super::Owned::ByArchive => Owners::Archive(&Some),
        super::Owned::ByUser => Owners::Process,
    };
    let how = Extract { rename: &|name| plan.rename.apply(name), owners };
    match layer::extract(tar, dir.as_fd(), &how) {
        Ok(_) => Ok(()),
        Err(error) => Err(CopyError::Local(crate::container::cp::chain(&refusal(error, &paths::clean(&plan.dir))))),
    }
}
