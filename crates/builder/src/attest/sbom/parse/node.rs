//! npm: `node_modules/*/package.json`, `package-lock.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::package::Package;

#[derive(Deserialize)]
struct Module {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    license: Option<License>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum License {
    Text(String),
    Old { r#type: String },
    Other(serde::de::IgnoredAny),
}

impl License {
    fn text(&self) -> &str {
        match self {
            License::Text(text) | License::Old { r#type: text } => text,
            License::Other(_) => "",
        }
    }
}

/// A package's own description.
pub(super) fn package(text: &str) -> Option<Package> {
    let module: Module = serde_json::from_str(text).ok()?;
    let package = Package::in_namespace("npm", &module.name, &module.version)?;
    Some(match &module.license {
        Some(license) => package.licensed(license.text()),
        None => package,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Lock {
    /// From version 2 on, by place.
    packages: BTreeMap<String, Entry>,
    /// Of version 1, by name, within each other.
    dependencies: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    name: Option<String>,
    version: Option<String>,
    license: Option<License>,
    /// A directory of the project itself.
    link: bool,
    dependencies: Below,
}

/// Packages within a package in version 1; words in later ones.
#[derive(Deserialize)]
#[serde(untagged)]
enum Below {
    Packages(BTreeMap<String, Entry>),
    Other(serde::de::IgnoredAny),
}

impl Default for Below {
    fn default() -> Below {
        Below::Packages(BTreeMap::new())
    }
}

/// What a project has installed.
pub(super) fn lock(text: &str) -> Vec<Package> {
    let Ok(lock) = serde_json::from_str::<Lock>(text) else { return Vec::new() };
    let mut found = Vec::new();
    for (place, entry) in &lock.packages {
        // The project itself has no place, and its parts none among the modules.
        let Some((_, name)) = place.rsplit_once("node_modules/") else { continue };
        if !entry.link {
            found.extend(packaged(entry.name.as_deref().unwrap_or(name), entry));
        }
    }
    if lock.packages.is_empty() {
        nested(&lock.dependencies, &mut found);
    }
    found
}

/// As deep as JSON may be, which the reader bounds.
fn nested(entries: &BTreeMap<String, Entry>, found: &mut Vec<Package>) {
    for (name, entry) in entries {
        found.extend(packaged(name, entry));
        if let Below::Packages(below) = &entry.dependencies {
            nested(below, found);
        }
    }
}

fn packaged(name: &str, entry: &Entry) -> Option<Package> {
    // Of what did not come from a registry the version is an address.
    let version = entry.version.as_deref().filter(|version| !version.contains([':', '/'])).unwrap_or_default();
    let package = Package::in_namespace("npm", name, version)?;
    Some(match &entry.license {
        Some(license) => package.licensed(license.text()),
        None => package,
    })
}
