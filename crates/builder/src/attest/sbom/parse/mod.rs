//! What reads which list. Every reader takes any text, and answers the packages it finds: what makes no sense to it names none.

mod apk;
mod dpkg;
pub(super) mod go;
mod node;
mod os;
mod php;
mod python;
mod ruby;
mod stanza;
mod toml;

#[cfg(test)]
mod tests;

use std::path::Path;

pub(crate) use os::Os;

use super::package::Package;

/// A kind of list, known by the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Dpkg,
    Apk,
    NodePackage,
    NodeLock,
    PythonMetadata,
    PythonRequirements,
    /// `poetry.lock`, `uv.lock`.
    PythonLock,
    CargoLock,
    GoSum,
    GemLock,
    ComposerLock,
}

impl Reader {
    pub(super) const ALL: [Reader; 11] = [
        Reader::Dpkg,
        Reader::Apk,
        Reader::NodePackage,
        Reader::NodeLock,
        Reader::PythonMetadata,
        Reader::PythonRequirements,
        Reader::PythonLock,
        Reader::CargoLock,
        Reader::GoSum,
        Reader::GemLock,
        Reader::ComposerLock,
    ];

    /// What reads a file of this name.
    pub(crate) fn of(path: &Path) -> Option<Reader> {
        let name = path.file_name()?.to_str()?;
        let above = || path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let reader = match name {
            "status" if path == Path::new("var/lib/dpkg/status") => Reader::Dpkg,
            "installed" if path.ends_with("lib/apk/db/installed") && path.components().count() <= 5 => Reader::Apk,
            "package.json" if is_node_module(path) => Reader::NodePackage,
            "package-lock.json" | "npm-shrinkwrap.json" => Reader::NodeLock,
            "METADATA" if above().ends_with(".dist-info") => Reader::PythonMetadata,
            "PKG-INFO" if above().ends_with(".egg-info") => Reader::PythonMetadata,
            "requirements.txt" => Reader::PythonRequirements,
            "poetry.lock" | "uv.lock" => Reader::PythonLock,
            "Cargo.lock" => Reader::CargoLock,
            "go.sum" => Reader::GoSum,
            "Gemfile.lock" => Reader::GemLock,
            "composer.lock" => Reader::ComposerLock,
            "installed.json" if above() == "composer" => Reader::ComposerLock,
            name if path.starts_with("var/lib/dpkg/status.d") && !name.ends_with(".md5sums") => Reader::Dpkg,
            _ => return None,
        };
        Some(reader)
    }

    /// Whether it is a list of the whole system, which is looked for in its one place.
    pub(crate) fn is_systems(self) -> bool {
        matches!(self, Reader::Dpkg | Reader::Apk)
    }

    /// What a list names.
    pub(crate) fn packages(self, text: &str, os: Option<&Os>) -> Vec<Package> {
        match self {
            Reader::Dpkg => dpkg::packages(text, os),
            Reader::Apk => apk::packages(text, os),
            Reader::NodePackage => node::package(text).into_iter().collect(),
            Reader::NodeLock => node::lock(text),
            Reader::PythonMetadata => python::metadata(text).into_iter().collect(),
            Reader::PythonRequirements => python::requirements(text),
            Reader::PythonLock => python::lock(text),
            Reader::CargoLock => toml::packages(text)
                .filter_map(|found| Package::new("cargo", None, found.name, found.version))
                .collect(),
            Reader::GoSum => go::sums(text),
            Reader::GemLock => ruby::lock(text),
            Reader::ComposerLock => php::lock(text),
        }
    }
}

/// `…/node_modules/name/package.json` or `…/node_modules/@scope/name/package.json`: deeper ones are parts of packages.
fn is_node_module(path: &Path) -> bool {
    let mut above = path.components().rev().skip(2).map(|part| part.as_os_str());
    match above.next() {
        Some(dir) if dir == "node_modules" => true,
        Some(scope) => {
            scope.as_encoded_bytes().starts_with(b"@") && above.next().is_some_and(|dir| dir == "node_modules")
        }
        None => false,
    }
}
