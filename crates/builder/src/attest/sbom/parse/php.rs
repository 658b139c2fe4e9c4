//! Composer: `composer.lock`, `vendor/composer/installed.json`.

use serde::Deserialize;

use super::super::package::Package;

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: Vec<Entry>,
    #[serde(default, rename = "packages-dev")]
    packages_dev: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    license: Vec<String>,
}

pub(super) fn lock(text: &str) -> Vec<Package> {
    let Ok(lock) = serde_json::from_str::<Lock>(text) else { return Vec::new() };
    let entries = lock.packages.iter().chain(&lock.packages_dev);
    let package = |entry: &Entry| {
        // Any of several will do.
        let license = entry.license.join(" OR ");
        Some(Package::in_namespace("composer", &entry.name, &entry.version)?.licensed(&license))
    };
    entries.filter_map(package).collect()
}
