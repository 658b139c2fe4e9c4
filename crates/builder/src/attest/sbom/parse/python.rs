//! Python: what installers write beside packages, pinned requirements, and locks.

use super::super::package::Package;
use super::toml;

/// `METADATA`, `PKG-INFO`: the head of a letter.
pub(super) fn metadata(text: &str) -> Option<Package> {
    let head = text.lines().take_while(|line| !line.trim().is_empty());
    let (mut name, mut version, mut license) = ("", "", "");
    for line in head {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key {
            "Name" if name.is_empty() => name = value,
            "Version" if version.is_empty() => version = value,
            "License-Expression" => license = value,
            "License" if license.is_empty() => license = value,
            _ => {}
        }
    }
    Some(package(name, version)?.licensed(license))
}

/// `name==1.2 ; python_version > "3"`. What is not pinned says nothing about what is installed.
pub(super) fn requirements(text: &str) -> Vec<Package> {
    let pinned = |line: &str| {
        let line = line.split(['#', ';', '\\']).next().unwrap_or_default();
        let (name, version) = line.split_once("==")?;
        let name = name.split('[').next().unwrap_or_default();
        let version = version.trim_start_matches('=').split_whitespace().next()?;
        (!version.contains(['*', ','])).then(|| package(name, version)).flatten()
    };
    text.lines().filter_map(pinned).collect()
}

/// `poetry.lock`, `uv.lock`.
pub(super) fn lock(text: &str) -> Vec<Package> {
    // What lies in the project itself.
    let is_own = |source: &str| source.contains("editable =") || source.contains("virtual =");
    let others = toml::packages(text).filter(|found| !is_own(found.source));
    others.filter_map(|found| package(found.name, found.version)).collect()
}

/// Case and underscores do not count in names.
fn package(name: &str, version: &str) -> Option<Package> {
    let name = name.trim();
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        return None;
    }
    Package::new("pypi", None, &name.to_ascii_lowercase().replace('_', "-"), version)
}
