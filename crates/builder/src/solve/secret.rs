//! Secrets: read when a command wants them, kept in memory, written nowhere.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use super::solver::StepError;
use crate::Secret;

/// BuildKit's (`secretsprovider`).
const MAX_BYTES: usize = 500 << 10;

/// The value of a secret; none for one that nobody gave and nobody needs.
pub(crate) fn read(given: &BTreeMap<String, Secret>, id: &str, required: bool) -> Result<Option<Vec<u8>>, StepError> {
    let value = match given.get(id) {
        None => None,
        Some(Secret::Env(name)) => std::env::var_os(name).map(|value| OsStr::as_bytes(&value).to_vec()),
        Some(Secret::File(path)) => {
            let failed = |e: io::Error| StepError::new(format!("secret {id}: cannot read {}: {e}", path.display()));
            let mut value = Vec::new();
            File::open(path)
                .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut value))
                .map_err(failed)?;
            Some(value)
        }
    };
    match value {
        Some(value) if value.len() > MAX_BYTES => Err(StepError::new(format!("invalid secret size {}", value.len()))),
        None if required => Err(StepError::new(format!("secret {id}: not found"))),
        value => Ok(value),
    }
}
