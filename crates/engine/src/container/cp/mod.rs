//! `cp`: files between a container and the host.
//!
//! ```text
//! paths.rs   what goes where, pure                       docker/cli and go-archive
//! inside.rs  the container's end                         what Docker's daemon does
//! local.rs   the host's end                              what Docker's client does
//! ```
//! Between the ends goes an archive through a pipe, as it goes over Docker's socket: one thread packs, the caller's unpacks.

mod inside;
mod local;
mod paths;

use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;

use spec::event::ContainerAct;
use store::layer::{LayerError, Ratio, decompress};

use self::inside::{Inside, Whose, refusal};
use self::paths::{End, Kind, Rename};
use super::files::{Files, is_directory};
use super::find;
use crate::error::Error;
use crate::host::Host;

pub use self::paths::argument;

/// Why nothing, or not all, was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The host's end, or the request as such; what Docker's client says itself.
    #[error("{0}")]
    Local(String),
    /// The container's end; what Docker's daemon says.
    #[error(transparent)]
    Engine(#[from] Error),
}

/// What a symbolic link as source means: `-L`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// What it leads to.
    Follow,
    /// Itself.
    Keep,
}

/// Whose copies are: `-a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {
    /// The owners of what is copied.
    ByArchive,
    /// Into a container: the same, as Docker does it. Out of one: the user's.
    ByUser,
}

/// How something is copied.
pub struct Copy<'a> {
    /// The container as it was typed.
    pub container: &'a str,
    /// In it.
    pub inside: &'a str,
    /// On the host, or `-`: an archive on the standard streams.
    pub outside: &'a str,
    /// Where the user is.
    pub working_dir: &'a Path,
    /// `-L`.
    pub links: Links,
    /// `-a`.
    pub owned: Owned,
    /// Told how many bytes have passed.
    pub passed: &'a mut dyn FnMut(u64),
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The length of the archive.
    pub bytes: u64,
    /// Where it went, for the user.
    pub to: String,
}

/// Copies from a container; none: the archive went to `out`.
///
/// # Errors
/// [`CopyError`]; what was copied until then stays.
pub fn from_container(host: &Host, copy: Copy<'_>, out: impl Write) -> Result<Option<Copied>, CopyError> {
    let to = local::absolute(copy.working_dir, copy.outside);
    if copy.outside != "-" {
        local::check_output(&to)?;
    }
    let (files, record) = open(host, copy.container)?;
    let inside = Inside { files: &files, config: &record.config, name: copy.container };
    let mut path = given(copy.inside)?;
    let mut typed_name = None;
    if copy.links == Links::Follow
        && let Ok(found) = inside.look(&path)
        && let Some(target) = found.target
    {
        (path, typed_name) = paths::named_as_typed(&path, target);
    }
    let found = inside.look(&path)?;
    if copy.outside == "-" {
        return match inside.archive(&path, out) {
            Ok(()) => {
                host.note_container(&record.config, ContainerAct::ArchivePath);
                Ok(None)
            }
            Err(Stopped::Failed(error)) => Err(error),
            Err(Stopped::Unread) => {
                Err(Error::Io("writing the archive".into(), io::ErrorKind::BrokenPipe.into()).into())
            }
        };
    }
    let kind = if is_directory(&found.stat) { Kind::Directory } else { Kind::Other };
    // The names in the archive are those of the path that was followed.
    let source = End { path: path.clone(), kind, typed_name: None };
    let destination = local::destination(&to)?;
    let plan = plan_renamed(&source, typed_name, &destination)?;
    let bytes =
        transfer(|pipe| inside.archive(&path, pipe), |pipe| local::extract(&plan, copy.owned, pipe), copy.passed)?;
    host.note_container(&record.config, ContainerAct::ArchivePath);
    Ok(Some(Copied { bytes, to: String::from_utf8_lossy(&to).into_owned() }))
}

/// The plan for a source whose archive has another name than the user typed (docker/cli renames it before it plans).
fn plan_renamed(source: &End, typed_name: Option<Vec<u8>>, destination: &End) -> Result<paths::Plan, CopyError> {
    let plan = paths::plan(source, destination).map_err(nonsense)?;
    Ok(match (typed_name, plan.rename) {
        (Some(new), Rename::Keep) => {
            let old = paths::split(&source.path).1;
            paths::Plan { dir: plan.dir, rename: Rename::Base { old, new } }
        }
        // It gets the destination's name, whatever it was called before.
        (_, rename) => paths::Plan { dir: plan.dir, rename },
    })
}

/// Copies into a container; `-` is an archive from `stdin`, packed or not.
///
/// # Errors
/// [`CopyError`]; what was copied until then stays.
pub fn to_container(host: &Host, copy: Copy<'_>, stdin: impl Read + Send) -> Result<Copied, CopyError> {
    let opened = open(host, copy.container);
    // Docker's client complains about its own end first.
    let source = match copy.outside {
        "-" => None,
        outside => Some(local::source(&local::absolute(copy.working_dir, outside), copy.links)),
    };
    let (files, record) = match (opened, &source) {
        (Ok(opened), _) => opened,
        (Err(_), Some(Err(_))) => return Err(source.and_then(Result::err).expect("it is an error, as was just seen")),
        (Err(error), _) => return Err(error),
    };
    let inside = Inside { files: &files, config: &record.config, name: copy.container };
    let destination = destination(&inside, copy.inside)?;
    let to = format!("{}:{}", copy.container, String::from_utf8_lossy(&destination.path));
    let whose = match copy.owned {
        Owned::ByArchive => Whose::User,
        Owned::ByUser => Whose::Archive,
    };
    let Some(source) = source.transpose()? else {
        if destination.kind != Kind::Directory {
            let typed = copy.inside;
            return Err(CopyError::Local(format!("destination \"{}:{typed}\" must be a directory", copy.container)));
        }
        let (_, tar) = decompress(stdin, Ratio::UNBOUNDED).map_err(|error| refusal(error, b"/"))?;
        inside.extract(&destination.path, &Rename::Keep, whose, tar)?;
        host.note_container(&record.config, ContainerAct::ExtractToDir);
        return Ok(Copied { bytes: 0, to });
    };
    let plan = paths::plan(&source, &destination).map_err(nonsense)?;
    let bytes = transfer(
        |pipe| {
            let local = |error: Error| CopyError::Local(chain(&error));
            local::archive(&source, pipe).map_err(|error| Stopped::from_pack(error, local))
        },
        |pipe| inside.extract(&plan.dir, &plan.rename, whose, pipe).map_err(CopyError::from),
        copy.passed,
    )?;
    host.note_container(&record.config, ContainerAct::ExtractToDir);
    Ok(Copied { bytes, to })
}

fn open(host: &Host, container: &str) -> Result<(Files, super::Record), CopyError> {
    let record = find::record(host, &find::find(host, container)?)?;
    Ok((Files::open(host, &record)?, record))
}

fn given(path: &str) -> Result<Vec<u8>, Error> {
    match path {
        "" => Err(Error::Invalid("bad parameter: path cannot be empty".into())),
        path => Ok(path.as_bytes().to_vec()),
    }
}

fn nonsense(why: paths::Nonsense) -> CopyError {
    CopyError::Local(why.to_string())
}

/// What there is where something is copied to. What cannot be looked at is taken for missing: unpacking will say why.
fn destination(inside: &Inside<'_>, typed: &str) -> Result<End, CopyError> {
    let mut path = given(typed)?;
    let mut kind = Kind::Missing;
    let mut found = inside.look(&path).ok();
    if let Some(target) = found.as_ref().and_then(|found| found.target.clone()) {
        found = inside.look(&target).ok();
        path = target;
    }
    if let Some(found) = found {
        use rustix::fs::FileType::{BlockDevice, CharacterDevice};
        if matches!(rustix::fs::FileType::from_raw_mode(found.stat.st_mode), BlockDevice | CharacterDevice) {
            return Err(CopyError::Local(format!(
                "destination \"{}:{typed}\" must be a directory or a regular file: got a device",
                inside.name
            )));
        }
        kind = if is_directory(&found.stat) { Kind::Directory } else { Kind::Other };
    }
    Ok(End { path, kind, typed_name: None })
}

/// One thread packs into a pipe, this one unpacks from it. Answers how many bytes went through.
fn transfer(
    pack: impl FnOnce(io::PipeWriter) -> Result<(), Stopped> + Send,
    unpack: impl FnOnce(&mut Counted<'_>) -> Result<(), CopyError>,
    passed: &mut dyn FnMut(u64),
) -> Result<u64, CopyError> {
    let (reader, writer) = io::pipe().map_err(Error::io("making a pipe"))?;
    // Fewer turns; what the kernel does not grant is no loss.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20);
    thread::scope(|scope| {
        let packing = scope.spawn(move || pack(writer));
        let mut counted = Counted { pipe: reader, bytes: 0, passed };
        let unpacked = unpack(&mut counted);
        let bytes = counted.bytes;
        // Whoever still packs hears that nobody reads on.
        drop(counted);
        let packed = packing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match packed {
            // It leaves an archive cut short, which is not what to complain about.
            Err(Stopped::Failed(error)) => Err(error),
            Ok(()) | Err(Stopped::Unread) => unpacked.map(|()| bytes),
        }
    })
}

/// Why an archive was not written to its end.
enum Stopped {
    /// Nobody reads on.
    Unread,
    /// Anything else.
    Failed(CopyError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped::Failed(error.into())
    }
}

impl Stopped {
    fn from_pack(error: LayerError, or: impl FnOnce(Error) -> CopyError) -> Stopped {
        let is_unread = matches!(&error, LayerError::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe);
        if is_unread { Stopped::Unread } else { Stopped::Failed(or(refusal(error, b"/"))) }
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// The reading end, which tells what has passed.
struct Counted<'p> {
    pipe: io::PipeReader,
    bytes: u64,
    passed: &'p mut dyn FnMut(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.pipe.read(buffer)?;
        self.bytes += read as u64;
        (self.passed)(self.bytes);
        Ok(read)
    }
}
