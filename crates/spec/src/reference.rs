//! Image references as people write them: `nginx`, `localhost:5000/a/b:tag@sha256:…`.
//!
//! Grammar: the distribution project's reference package. Familiar names are Docker's: no registry means `docker.io`, and there no
//! namespace means `library`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

const DEFAULT_REGISTRY: &str = "docker.io";
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// Why a text is not a reference. The texts are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// The path holds upper-case letters.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// Longer than 255 characters.
    #[error("repository name must not be more than 255 characters")]
    TooLong,
    /// 64 hex digits, which Docker keeps for image IDs.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    LooksLikeAnId(String),
}

/// A repository with a tag, a digest, or both; never neither: no tag and no digest means `latest`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry's host and port: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository within the registry: `library/nginx`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and path: `docker.io/library/nginx`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// The tag, if one was written or nothing was.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was written.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The repository as Docker prints it: `nginx`, `localhost:5000/a`.
    #[must_use]
    pub fn familiar_name(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return format!("{}/{}", self.registry, self.path);
        }
        match self.path.strip_prefix("library/") {
            Some(short) if !short.contains('/') => short.into(),
            Some(_) | None => self.path.clone(),
        }
    }

    /// The whole reference as Docker prints it: `nginx:latest`.
    #[must_use]
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_name())
    }

    /// The same repository under another tag, without a digest.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Reference {
        Reference { tag: Some(tag.into()), digest: None, ..self.clone() }
    }

    /// The same repository by digest alone.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { tag: None, digest: Some(digest), ..self.clone() }
    }

    fn with_suffix(&self, mut name: String) -> String {
        if let Some(tag) = &self.tag {
            name.push(':');
            name.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            name.push('@');
            name.push_str(&digest.to_string());
        }
        name
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        if is_hex_id(text) {
            return Err(ReferenceError::LooksLikeAnId(text.into()));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| ReferenceError::Format)?)),
            None => (text, None),
        };
        // A colon after the last slash starts a tag; before it, it belongs to the registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            Some(_) | None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Format);
        }
        let (registry, path) = split_registry(name);
        if path.bytes().any(|b| b.is_ascii_uppercase()) && is_path(&path.to_ascii_lowercase()) {
            return Err(ReferenceError::Uppercase(name.into()));
        }
        if !is_path(&path) || !is_registry(registry) {
            return Err(ReferenceError::Format);
        }
        if registry.len() + 1 + path.len() > NAME_MAX {
            return Err(ReferenceError::TooLong);
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, None) => Some("latest".to_owned()),
            (None, Some(_)) => None,
        };
        Ok(Reference { registry: registry.into(), path, tag, digest })
    }
}

fn split_registry(name: &str) -> (&str, String) {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        Some(_) | None => (DEFAULT_REGISTRY, name),
    };
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    if registry == DEFAULT_REGISTRY && !path.contains('/') {
        (registry, format!("library/{path}"))
    } else {
        (registry, path.into())
    }
}

fn is_hex_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_tag(tag: &str) -> bool {
    let mut bytes = tag.bytes();
    tag.len() <= TAG_MAX
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, joined by slashes.
fn is_path(path: &str) -> bool {
    path.split('/').all(|component| {
        let mut rest = component;
        loop {
            let word = rest.bytes().take_while(|b| b.is_ascii_digit() || b.is_ascii_lowercase()).count();
            if word == 0 {
                return false;
            }
            rest = &rest[word..];
            if rest.is_empty() {
                return true;
            }
            let separator = match rest.as_bytes() {
                [b'.', ..] => 1,
                [b'_', b'_', ..] => 2,
                [b'_', ..] => 1,
                [b'-', ..] => rest.bytes().take_while(|b| *b == b'-').count(),
                _ => return false,
            };
            rest = &rest[separator..];
        }
    })
}

/// A DNS name, an IPv4 address or a bracketed IPv6 address, with an optional port.
fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if !address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
                return false;
            }
            match rest.strip_prefix(':') {
                Some(port) => ("ipv6", Some(port)),
                None if rest.is_empty() => ("ipv6", None),
                None => return false,
            }
        }
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(label) && port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Reference, ReferenceError> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

/// The canonical form: `docker.io/library/nginx:latest`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_suffix(format!("{}/{}", self.registry, self.path)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, canonical: &str, familiar: &str) {
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.to_string(), canonical);
        assert_eq!(reference.familiar(), familiar);
        assert_eq!(canonical.parse::<Reference>().unwrap(), reference);
    }

    #[test]
    fn familiar_names_are_dockers() {
        check("nginx", "docker.io/library/nginx:latest", "nginx:latest");
        check("a/b:1", "docker.io/a/b:1", "a/b:1");
        check("index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest");
        check("localhost/x", "localhost/x:latest", "localhost/x:latest");
        check("localhost:5000/x/y:v1", "localhost:5000/x/y:v1", "localhost:5000/x/y:v1");
        check("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest");
        check("ghcr.io/a__b/c--d.e_f", "ghcr.io/a__b/c--d.e_f:latest", "ghcr.io/a__b/c--d.e_f:latest");
        let digest = format!("sha256:{}", "0".repeat(64));
        check(&format!("nginx@{digest}"), &format!("docker.io/library/nginx@{digest}"), &format!("nginx@{digest}"));
    }

    #[test]
    fn refusals_are_named() {
        let refused = |text: &str| text.parse::<Reference>().unwrap_err().to_string();
        assert_eq!(refused("Nginx"), "invalid reference format: repository name (Nginx) must be lowercase");
        for bad in ["", ":", "a:", "a b", "/a", "a/", "a//b", "a..b", "-a", "a:b:c", "x@sha256:1", "a_:b", "http://x"] {
            assert_eq!(refused(bad), "invalid reference format", "{bad}");
        }
        assert!(refused(&"a".repeat(300)).contains("255"));
        assert!(refused(&"a".repeat(64)).contains("64-byte hexadecimal"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_prints_what_it_read(text in "[ -~]{0,80}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
            }
        }
    }
}
