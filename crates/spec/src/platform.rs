//! Platforms in Go's words: `linux/amd64`, `linux/arm/v7` (OCI image specification, "Image Index").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system and a processor architecture.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `v7` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// The text is not `os/arch[/variant]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// It has too many parts.
    #[error("\"{0}\": unknown operating system or architecture: invalid argument")]
    Unknown(String),
    /// One of its parts is no word.
    #[error(
        "\"{part}\" is an invalid component of \"{text}\": platform specifier component must match \"^[A-Za-z0-9_.-]+$\": invalid argument"
    )]
    Part {
        /// Which one.
        part: String,
        /// All of it.
        text: String,
    },
}

impl Platform {
    /// What this machine runs.
    #[must_use]
    pub fn host() -> Platform {
        Platform { os: "linux".into(), architecture: go_architecture(std::env::consts::ARCH).into(), variant: None }
            .normalised()
    }

    /// Whether a machine of this platform can run an image of `image`'s. An image that names nothing is taken at its word; a 64-bit
    /// machine runs its 32-bit sister.
    #[must_use]
    pub fn runs(&self, image: &Platform) -> bool {
        let sister =
            matches!((self.architecture.as_str(), image.architecture.as_str()), ("amd64", "386") | ("arm64", "arm"));
        (image.os.is_empty() || image.os == self.os)
            && (image.architecture.is_empty() || image.architecture == self.architecture || sister)
    }

    fn normalised(mut self) -> Platform {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("arm64", Some("v8" | "8")) | ("amd64", Some("v1")) => self.variant = None,
            ("arm", None) => self.variant = Some("v7".into()),
            _ => {}
        }
        self
    }
}

fn go_architecture(name: &str) -> &str {
    match name {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "x86" | "i386" | "i686" => "386",
        "armhf" | "armel" => "arm",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Platform, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let word =
            |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if let Some(part) = parts.iter().find(|part| !word(part)) {
            return Err(PlatformError::Part { part: (*part).into(), text: text.into() });
        }
        let (os, architecture, variant) = match parts.as_slice() {
            ["linux"] => return Ok(Platform::host()),
            [architecture] => ("linux", *architecture, None),
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some((*variant).to_owned())),
            _ => return Err(PlatformError::Unknown(text.into())),
        };
        let architecture = go_architecture(&architecture.to_ascii_lowercase()).to_owned();
        Ok(Platform { os: os.to_ascii_lowercase(), architecture, variant }.normalised())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_of_others_are_understood() {
        let check = |text: &str, is: &str| assert_eq!(text.parse::<Platform>().unwrap().to_string(), is);
        check("linux/x86_64", "linux/amd64");
        check("arm64", "linux/arm64");
        check("linux/arm64/v8", "linux/arm64");
        check("linux/arm", "linux/arm/v7");
        let refused = "linux/".parse::<Platform>().map_err(|error| error.to_string());
        let why = r#""" is an invalid component of "linux/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument"#;
        assert_eq!(refused, Err(why.to_owned()));
        assert!("a//b".parse::<Platform>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_platform_or_refused(text in "[a-zA-Z0-9_.-]{0,8}(/[a-zA-Z0-9_.-]{0,8}){0,3}|.{0,20}") {
            if let Ok(platform) = text.parse::<Platform>() {
                prop_assert_eq!(platform.to_string().parse::<Platform>(), Ok(platform));
            }
        }
    }
}
