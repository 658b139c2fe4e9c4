//! The words of a request's path, parsed once: after that a name is safe to use as a file's.

use std::fmt;
use std::str::FromStr;

use rustix::rand::{GetRandomFlags, getrandom};
use spec::digest::{BlobDigest, Digest, DigestError};
use spec::reference::Reference;

/// A repository: `library/nginx`. At most 245 bytes of `[a-z0-9._/-]`, no part of which is empty or begins with a dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(String);

impl Repository {
    /// As in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Repository, NameError> {
        // The grammar of references is the specification's; a tag or digest behind the name would not be part of the path.
        let parsed = format!("localhost/{text}").parse::<Reference>();
        let whole = parsed.is_ok_and(|reference| reference.path() == text);
        if whole { Ok(Repository(text.into())) } else { Err(NameError::Repository(text.into())) }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag: at most 128 bytes of `[a-zA-Z0-9._-]`, the first of them no dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// As in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Tag, NameError> {
        let parsed = format!("localhost/x:{text}").parse::<Reference>();
        let whole = parsed.is_ok_and(|reference| reference.tag() == Some(text));
        if whole { Ok(Tag(text.into())) } else { Err(NameError::Tag(text.into())) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a manifest is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By a name that moves.
    Tag(Tag),
    /// By what it is.
    Digest(BlobDigest),
}

impl FromStr for Which {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Which, NameError> {
        // No tag has a colon, every digest does.
        if text.contains(':') { digest(text).map(Which::Digest) } else { text.parse().map(Which::Tag) }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Tag(tag) => tag.fmt(f),
            Which::Digest(digest) => digest.fmt(f),
        }
    }
}

/// An upload that is under way: a UUID (RFC 9562, version 4), which the specification asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(String);

impl UploadId {
    /// One that nobody can guess.
    ///
    /// # Errors
    /// Of getrandom(2).
    pub fn random() -> std::io::Result<UploadId> {
        let mut bytes = [0; 16];
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = spec::digest::hex(&bytes);
        Ok(UploadId([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")))
    }

    /// As in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UploadId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<UploadId, NameError> {
        let lengths = text.split('-').map(str::len);
        let hex = text.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let is_one = hex && lengths.eq([8, 4, 4, 4, 12]);
        if is_one { Ok(UploadId(text.into())) } else { Err(NameError::Upload) }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a word of a request is not what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a repository's name.
    #[error("invalid repository name: {0:?}")]
    Repository(String),
    /// Not a tag.
    #[error("invalid tag: {0:?}")]
    Tag(String),
    /// Not a digest, or of an algorithm that is not known.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// Nothing that this server gave out.
    #[error("no such upload")]
    Upload,
}

/// The digest in a path or a query.
pub(super) fn digest(text: &str) -> Result<BlobDigest, NameError> {
    Ok(BlobDigest(text.parse::<Digest>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "library/nginx", "a/b/c.d__e--f_0"] {
            assert_eq!(good.parse::<Repository>().unwrap().as_str(), good);
        }
        let long = "a".repeat(246);
        for bad in ["", "/", "a/", "/a", "a//b", "..", "a/../b", ".a", "A", "a:b", "a@b", "a b", "a%2f", "a\0", &long] {
            assert!(bad.parse::<Repository>().is_err(), "{bad:?}");
        }
        for good in ["latest", "_", "1.0-A_b"] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".a", "a/b", "a:b", "-a", "a@b", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn uploads_have_uuids() {
        let id = UploadId::random().unwrap();
        assert_eq!(id.as_str().parse::<UploadId>().unwrap(), id);
        assert_eq!(id.as_str().as_bytes()[14], b'4');
        for bad in ["", "x", "../../../../etc/passwd", "00000000-0000-0000-0000-00000000000/"] {
            assert!(bad.parse::<UploadId>().is_err(), "{bad}");
        }
    }
}
