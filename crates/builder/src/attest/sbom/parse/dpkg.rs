//! Debian and its children: `var/lib/dpkg/status`.

use super::super::package::Package;
use super::Os;
use super::stanza::stanzas;

pub(super) fn packages(text: &str, os: Option<&Os>) -> Vec<Package> {
    let mut found = Vec::new();
    for stanza in stanzas(text) {
        // A package may be known and not be there. Images without dpkg have no status.
        if stanza.value("Status").is_some_and(|status| !status.ends_with(" installed")) {
            continue;
        }
        let (Some(name), Some(version)) = (stanza.value("Package"), stanza.value("Version")) else { continue };
        let vendor = os.map_or("debian", |os| os.id.as_str());
        let Some(mut package) = Package::new("deb", Some(vendor), name, version) else { continue };
        package = package.with("arch", stanza.value("Architecture").unwrap_or_default());
        if let Some(source) = stanza.value("Source") {
            package = package.with("upstream", &source.replace(" (", "@").replace(')', ""));
        }
        if let Some(os) = os {
            package = package.with("distro", &os.distribution());
        }
        found.push(package.supplied(stanza.value("Maintainer").unwrap_or_default()));
    }
    found
}
