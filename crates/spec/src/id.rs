//! Identifiers of containers, networks and endpoints: 64 hex digits, of which people type any unique beginning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid ID: {0:?}")]
pub struct IdError(String);

macro_rules! id {
    ($name:ident, $about:literal) => {
        #[doc = $about]
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// From 32 random bytes. An identifier whose first twelve digits are all decimal is not handed out by callers, because a
            /// host name made of it would look like a number (moby `stringid.GenerateRandomID`).
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> $name {
                $name(crate::digest::hex(&bytes))
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

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<$name, IdError> {
                if text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
                    Ok($name(text.into()))
                } else {
                    Err(IdError(text.into()))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<$name, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(ContainerId, "A container's identifier; safe to use as a file name.");
id!(NetworkId, "A network's identifier; safe to use as a file name.");
id!(EndpointId, "The identifier of a container's place on a network.");
