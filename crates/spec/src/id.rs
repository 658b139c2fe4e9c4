//! Container identifiers: 64 hex digits, of which people type any unique beginning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid container ID: {0:?}")]
pub struct IdError(String);

/// A container's identifier; safe to use as a file name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId(String);

impl ContainerId {
    /// From 32 random bytes. An identifier whose first twelve digits are all decimal is not handed out by callers, because a host
    /// name made of it would look like a number (moby `stringid.GenerateRandomID`).
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> ContainerId {
        ContainerId(crate::digest::hex(&bytes))
    }

    /// All 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits: what tables print and the default host name.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl FromStr for ContainerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<ContainerId, IdError> {
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            Ok(ContainerId(text.into()))
        } else {
            Err(IdError(text.into()))
        }
    }
}

impl TryFrom<String> for ContainerId {
    type Error = IdError;

    fn try_from(text: String) -> Result<ContainerId, IdError> {
        text.parse()
    }
}

impl From<ContainerId> for String {
    fn from(id: ContainerId) -> String {
        id.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
