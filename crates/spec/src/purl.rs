//! Package URLs: `pkg:deb/debian/bash@5.2.15-2?arch=amd64&distro=debian-12` (package-url specification). One says what a piece of
//! software is, wherever it comes from.

use std::collections::BTreeMap;
use std::fmt;

use crate::platform::Platform;
use crate::reference::Reference;

/// A package URL. Its parts are plain; they are escaped where it is written out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purl {
    /// `deb`, `npm`, `docker`.
    pub kind: &'static str,
    /// Parts before the name, with slashes between them.
    pub namespace: Option<String>,
    /// What it is called.
    pub name: String,
    /// Which one.
    pub version: Option<String>,
    /// What else tells it apart.
    pub qualifiers: BTreeMap<&'static str, String>,
}

impl Purl {
    /// The image that a reference names in a registry, for one platform (BuildKit's `RefToPURL`).
    #[must_use]
    pub fn of_image(reference: &Reference, platform: Option<&Platform>) -> Purl {
        let familiar = reference.familiar_name();
        let (namespace, name) = match familiar.rsplit_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, familiar),
        };
        let mut qualifiers = BTreeMap::new();
        qualifiers.extend(reference.digest().map(|digest| ("digest", digest.to_string())));
        qualifiers.extend(platform.map(|platform| ("platform", platform.to_string())));
        Purl { kind: "docker", namespace, name, version: reference.tag().map(str::to_owned), qualifiers }
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}", self.kind)?;
        for part in self.namespace.iter().flat_map(|namespace| namespace.split('/')).filter(|part| !part.is_empty()) {
            write!(f, "/{}", Escaped(part))?;
        }
        write!(f, "/{}", Escaped(&self.name))?;
        if let Some(version) = &self.version {
            write!(f, "@{}", Escaped(version))?;
        }
        let mut between = '?';
        for (key, value) in self.qualifiers.iter().filter(|(_, value)| !value.is_empty()) {
            write!(f, "{between}{key}={}", Escaped(value))?;
            between = '&';
        }
        Ok(())
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                    write!(f, "{}", char::from(byte))?;
                }
                other => write!(f, "%{other:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expectations are BuildKit's own.
    #[test]
    fn images_have_the_urls_of_buildkit() {
        let digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let arm = "linux/arm/v7".parse::<Platform>().unwrap();
        let check = |reference: &str, platform: Option<&Platform>, is: &str| {
            assert_eq!(Purl::of_image(&reference.parse().unwrap(), platform).to_string(), is);
        };
        check("alpine", None, "pkg:docker/alpine@latest");
        check("library/alpine:3.15", None, "pkg:docker/alpine@3.15");
        check(&format!("docker.io/library/alpine@{digest}"), None, &format!("pkg:docker/alpine?digest={digest}"));
        check("user/test:v2", None, "pkg:docker/user/test@v2");
        check("host.example:5000/a/b:v2", None, "pkg:docker/host.example:5000/a/b@v2");
        check("busybox", Some(&arm), "pkg:docker/busybox@latest?platform=linux%2Farm%2Fv7");
    }

    #[test]
    fn odd_characters_are_escaped() {
        let purl = Purl {
            kind: "npm",
            namespace: Some("@angular".into()),
            name: "a b".into(),
            version: Some("1:2+c".into()),
            qualifiers: BTreeMap::from([("empty", String::new()), ("x", "ü&=".to_owned())]),
        };
        assert_eq!(purl.to_string(), "pkg:npm/%40angular/a%20b@1:2%2Bc?x=%C3%BC%26%3D");
    }
}
