//! Bundler: `Gemfile.lock`.

use super::super::package::Package;

pub(super) fn lock(text: &str) -> Vec<Package> {
    let mut found = Vec::new();
    let mut is_gems = false;
    for line in text.lines() {
        // A section begins at the margin; only those of GEM come from a registry.
        if !line.starts_with(' ') {
            is_gems = line.trim_end() == "GEM";
            continue;
        }
        // What a gem needs is indented further.
        let Some(gem) = line.strip_prefix("    ").filter(|gem| is_gems && !gem.starts_with(' ')) else { continue };
        let Some((name, version)) = gem.split_once(" (") else { continue };
        let Some(version) = version.trim_end().strip_suffix(')') else { continue };
        found.extend(Package::new("gem", None, name, version));
    }
    found
}
