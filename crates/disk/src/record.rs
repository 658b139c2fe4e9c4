//! Versioned records: `{"format":1,"record":{…}}`, one to a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::replace::{Durability, replace};

/// A document that owns a file name.
pub trait Record: Serialize + DeserializeOwned {
    /// The file's name within its directory.
    const FILE: &'static str;
    /// Raised when an older kist could misread it.
    const FORMAT: u32;
}

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file system said no.
    #[error("{0}")]
    Io(PathBuf, #[source] io::Error),
    /// It said no when the record was written.
    #[error("writing {0}")]
    Unwritten(PathBuf, #[source] io::Error),
    /// The bytes are not the record.
    #[error("{0} is damaged")]
    Damaged(PathBuf, #[source] serde_json::Error),
    /// A newer kist wrote it.
    #[error("{path} has format {found}; this kist knows formats up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest this program reads.
        known: u32,
    },
}

impl DiskError {
    /// The kernel's answer, where there is one.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            DiskError::Io(_, error) | DiskError::Unwritten(_, error) => Some(error),
            DiskError::Damaged(..) | DiskError::Newer { .. } => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<R> {
    format: u32,
    record: R,
}

/// Replaces the record in `dir`.
///
/// # Errors
/// [`DiskError::Unwritten`]; then the old record stands.
pub fn write<R: Record>(dir: &Path, record: &R, durability: Durability) -> Result<(), DiskError> {
    write_at(&dir.join(R::FILE), record, durability)
}

/// Replaces the record at `path`: for records of which a directory holds many.
///
/// # Errors
/// [`DiskError::Unwritten`]; then the old record stands.
pub fn write_at<R: Record>(path: &Path, record: &R, durability: Durability) -> Result<(), DiskError> {
    let bytes = serde_json::to_vec(&Envelope { format: R::FORMAT, record })
        .map_err(|e| DiskError::Damaged(path.to_owned(), e))?;
    replace(path, &bytes, durability).map_err(|e| DiskError::Unwritten(path.to_owned(), e))
}

/// The record in `dir`, or none where there is no such file.
///
/// # Errors
/// All of [`DiskError`].
pub fn read<R: Record>(dir: &Path) -> Result<Option<R>, DiskError> {
    read_at(&dir.join(R::FILE))
}

/// The record at `path`, or none where there is no such file.
///
/// # Errors
/// All of [`DiskError`].
pub fn read_at<R: Record>(path: &Path) -> Result<Option<R>, DiskError> {
    let path = path.to_owned();
    let bytes = match fs::read(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| DiskError::Io(path.clone(), e))?,
    };
    match serde_json::from_slice::<Envelope<R>>(&bytes) {
        Ok(envelope) if envelope.format <= R::FORMAT => Ok(Some(envelope.record)),
        Ok(envelope) => Err(DiskError::Newer { path, found: envelope.format, known: R::FORMAT }),
        // A newer format may not even parse: say that, not "damaged".
        Err(error) => match serde_json::from_slice::<Envelope<IgnoredAny>>(&bytes) {
            Ok(newer) if newer.format > R::FORMAT => {
                Err(DiskError::Newer { path, found: newer.format, known: R::FORMAT })
            }
            Ok(_) | Err(_) => Err(DiskError::Damaged(path, error)),
        },
    }
}
