//! `--attest type=provenance,mode=max`, `--provenance=…`, `--sbom=…`: as buildx reads them, the last one of a type counting.

use crate::fields::{boolean, fields};

/// What shall be said about what is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// How it was made.
    pub provenance: Option<Provenance>,
    /// What is in it.
    pub sbom: bool,
}

/// How provenance is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// `mode`.
    pub detail: Detail,
    /// `version`.
    pub version: SlsaVersion,
    /// `builder-id`; none: nobody answers for it.
    pub builder_id: Option<String>,
    /// `reproducible`: the author's word that it is.
    pub reproducible: bool,
    /// `inline-only`: in images only, and in no directory of files.
    pub inline_only: bool,
    /// `timestamps`, which BuildKit does not have.
    pub times: Times,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing of values: neither arguments nor the Dockerfile.
    Min,
    /// All but secrets.
    Max,
}

/// Which version of the SLSA predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlsaVersion {
    /// `v0.2`
    V02,
    /// `v1`
    V1,
}

/// What is told as beginning and end of the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The image's time: the same build gives the same document.
    Epoch,
    /// The clock's.
    Clock,
}

impl Default for Provenance {
    /// What `--attest type=provenance` alone means.
    fn default() -> Provenance {
        Provenance {
            detail: Detail::Max,
            version: SlsaVersion::V1,
            builder_id: None,
            reproducible: false,
            inline_only: false,
            times: Times::Epoch,
        }
    }
}

/// A flag as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag<'a> {
    /// `--attest TEXT`
    Attest(&'a str),
    /// `--provenance TEXT`
    Provenance(&'a str),
    /// `--sbom TEXT`
    Sbom(&'a str),
}

impl Asked {
    /// What flags ask for, in the order they were given.
    ///
    /// # Errors
    /// In words for the user.
    pub fn parse(flags: &[Flag<'_>]) -> Result<Asked, String> {
        let mut asked = Asked::default();
        for flag in flags {
            match *flag {
                Flag::Attest(text) => asked.take(text)?,
                Flag::Provenance("") | Flag::Sbom("") => {}
                Flag::Provenance(text) => asked.take(&canonical("provenance", text))?,
                Flag::Sbom(text) => asked.take(&canonical("sbom", text))?,
            }
        }
        Ok(asked)
    }

    fn take(&mut self, text: &str) -> Result<(), String> {
        let (mut kind, mut disabled, mut attributes) = (String::new(), false, Vec::new());
        for field in fields(text)? {
            let Some((key, value)) = field.split_once('=') else { return Err(format!("invalid value {field}")) };
            match key.trim().to_ascii_lowercase().as_str() {
                "type" => kind = value.to_owned(),
                "disabled" => disabled = boolean(value).ok_or_else(|| format!("invalid value {field}"))?,
                _ => attributes.push((key.to_owned(), value.to_owned())),
            }
        }
        match kind.as_str() {
            "" => return Err("attestation type not specified".into()),
            "provenance" if disabled => self.provenance = None,
            "provenance" => self.provenance = Some(provenance(&attributes)?),
            "sbom" if disabled => self.sbom = false,
            "sbom" => {
                sbom(&attributes)?;
                self.sbom = true;
            }
            other => return Err(format!("unknown attestation type {other:?}")),
        }
        Ok(())
    }
}

/// buildx' `CanonicalizeAttest`.
fn canonical(kind: &str, text: &str) -> String {
    match boolean(text) {
        Some(wanted) => format!("type={kind},disabled={}", !wanted),
        None => format!("type={kind},{text}"),
    }
}

fn provenance(attributes: &[(String, String)]) -> Result<Provenance, String> {
    let mut asked = Provenance::default();
    for (key, value) in attributes {
        let switch =
            || boolean(value).ok_or_else(|| format!("failed to parse {key} flag {value:?}: it is true or false"));
        match key.as_str() {
            "mode" => {
                asked.detail = match value.as_str() {
                    "min" => Detail::Min,
                    "max" | "full" => Detail::Max,
                    other => return Err(format!("invalid mode {other:?}")),
                }
            }
            "version" => {
                asked.version = match value.as_str() {
                    "v0.2" => SlsaVersion::V02,
                    "v1" => SlsaVersion::V1,
                    other => return Err(format!("invalid provenance SLSA version: {other}")),
                }
            }
            "builder-id" => asked.builder_id = Some(value.clone()),
            "reproducible" => asked.reproducible = switch()?,
            "inline-only" => asked.inline_only = switch()?,
            "timestamps" => asked.times = if switch()? { Times::Clock } else { Times::Epoch },
            // Where BuildKit writes it beside files; here it is always provenance.json.
            "filename" if value == "provenance.json" => {}
            other => {
                return Err(format!(
                    "provenance has no option {other:?}: mode, version, builder-id, reproducible, inline-only and timestamps are known"
                ));
            }
        }
    }
    Ok(asked)
}

fn sbom(attributes: &[(String, String)]) -> Result<(), String> {
    match attributes.first() {
        None => Ok(()),
        Some((key, image)) if key == "generator" => Err(format!(
            "the scanner image {image} cannot be used: kist reads the image's packages itself; leave generator out"
        )),
        Some((other, _)) => Err(format!("sbom has no option {other:?}: it is on or off")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(flags: &[Flag<'_>]) -> Asked {
        Asked::parse(flags).unwrap()
    }

    #[test]
    fn the_last_flag_of_a_type_counts() {
        assert_eq!(asked(&[]), Asked { provenance: None, sbom: false });
        let max = Provenance::default();
        let min = Provenance { detail: Detail::Min, version: SlsaVersion::V02, ..max.clone() };
        assert_eq!(asked(&[Flag::Provenance("true")]).provenance, Some(max.clone()));
        assert_eq!(asked(&[Flag::Provenance("mode=min,version=v0.2")]).provenance, Some(min.clone()));
        assert_eq!(asked(&[Flag::Attest("type=provenance"), Flag::Provenance("false")]).provenance, None);
        assert_eq!(asked(&[Flag::Provenance("0"), Flag::Attest("type=provenance,mode=max")]).provenance, Some(max));
        assert!(asked(&[Flag::Sbom("true")]).sbom);
        assert!(asked(&[Flag::Attest("type=sbom")]).sbom);
        assert!(!asked(&[Flag::Attest("type=sbom"), Flag::Attest("type=sbom,disabled=true")]).sbom);
        assert_eq!(asked(&[Flag::Sbom("")]), Asked::default());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let refused = |flag| Asked::parse(&[flag]).unwrap_err();
        assert_eq!(refused(Flag::Attest("mode=max")), "attestation type not specified");
        assert_eq!(refused(Flag::Attest("type=vuln")), "unknown attestation type \"vuln\"");
        assert_eq!(refused(Flag::Provenance("mode=mid")), "invalid mode \"mid\"");
        assert_eq!(refused(Flag::Provenance("version=v2")), "invalid provenance SLSA version: v2");
        assert_eq!(refused(Flag::Provenance("max")), "invalid value max");
        assert!(refused(Flag::Sbom("generator=docker/x")).contains("docker/x cannot be used"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(type=|,|mode=|max|sbom|provenance|disabled=|\"|true){0,8}|.{0,30}") {
            let _ = Asked::parse(&[Flag::Attest(&text), Flag::Provenance(&text), Flag::Sbom(&text)]);
        }
    }
}
