//! What is done with volumes, one verb a file; and what a container's volumes need when it is created and started.

pub mod create;
mod fill;
pub mod list;
mod provide;
pub mod prune;
pub mod remove;
pub mod source;

pub(crate) use provide::{finish, provide};
pub use source::Source;

use spec::volume::VolumeName;

use crate::error::Error;

/// A name for a volume that nobody named.
///
/// # Errors
/// No random numbers.
pub fn new_name() -> Result<VolumeName, Error> {
    let mut bytes = [0; 32];
    crate::container::random(&mut bytes)?;
    Ok(VolumeName::from_bytes(bytes))
}

/// A name that a user typed, or a refusal in Docker's words.
///
/// # Errors
/// [`Error::Invalid`].
pub fn parse_name(typed: &str) -> Result<VolumeName, Error> {
    typed.parse().map_err(|error| Error::Invalid(format!("create {typed}: {error}")))
}
