//! Volumes: names that are safe as names of directories, and what is written down of each.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// The label by which Docker and its tools know a volume that nobody named. Its value is empty.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// The one driver there is.
pub const LOCAL: &str = "local";

/// A text that names no volume, in Docker's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeNameError {
    /// One letter is none.
    #[error("volume name is too short, names should be at least two alphanumeric characters")]
    Short,
    /// It could be a path.
    #[error(
        "{0:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    )]
    Letters(String),
}

/// A volume's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, and no longer than the name of a file may be.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VolumeName(String);

impl VolumeName {
    /// 64 hex digits, for a volume that nobody named.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> VolumeName {
        VolumeName(crate::digest::hex(&bytes))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VolumeName {
    type Err = VolumeNameError;

    fn from_str(text: &str) -> Result<VolumeName, VolumeNameError> {
        if text.len() == 1 {
            return Err(VolumeNameError::Short);
        }
        let mut bytes = text.bytes();
        let good = text.len() <= 255
            && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if good { Ok(VolumeName(text.into())) } else { Err(VolumeNameError::Letters(text.into())) }
    }
}

impl TryFrom<String> for VolumeName {
    type Error = VolumeNameError;

    fn try_from(text: String) -> Result<VolumeName, VolumeNameError> {
        text.parse()
    }
}

impl From<VolumeName> for String {
    fn from(name: VolumeName) -> String {
        name.0
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `volume.json`: written once, when the volume is made. Its name is the name of its directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// When.
    pub created: Time,
    /// Free words; none where nobody gave any, which Docker shows as `null`.
    pub labels: Option<BTreeMap<String, String>>,
    /// `-o` of `volume create`: what is mounted in place of the volume's own directory; none as for the labels.
    pub options: Option<BTreeMap<String, String>>,
}

impl Volume {
    /// Whether nobody named it.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.labels.as_ref().is_some_and(|labels| labels.contains_key(ANONYMOUS))
    }

    /// Whether its files lie in its own directory.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.options.as_ref().is_none_or(BTreeMap::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_dockers() {
        for good in ["ab", "a.b", "A_-", "0x", &"a".repeat(255)] {
            assert_eq!(good.parse::<VolumeName>().map(String::from).as_deref(), Ok(good));
        }
        assert_eq!("a".parse::<VolumeName>(), Err(VolumeNameError::Short));
        for bad in ["", ".a", "-a", "..", "a/b", "/a", "a b", "äa", "a\0", &"a".repeat(256)] {
            assert_eq!(bad.parse::<VolumeName>(), Err(VolumeNameError::Letters(bad.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn a_name_is_one_step_of_a_path(text in "[a-z./_-]{0,6}|.{0,8}") {
            if let Ok(name) = text.parse::<VolumeName>() {
                let mut parts = std::path::Path::new(name.as_str()).components();
                prop_assert!(matches!(parts.next(), Some(std::path::Component::Normal(_))) && parts.next().is_none());
            }
        }
    }
}
