//! Alpine: `lib/apk/db/installed`.

use super::super::package::Package;
use super::Os;
use super::stanza::stanzas;

pub(super) fn packages(text: &str, os: Option<&Os>) -> Vec<Package> {
    let mut found = Vec::new();
    for stanza in stanzas(text) {
        let (Some(name), Some(version)) = (stanza.value("P"), stanza.value("V")) else { continue };
        let vendor = os.map_or("alpine", |os| os.id.as_str());
        let Some(mut package) = Package::new("apk", Some(vendor), name, version) else { continue };
        package = package.with("arch", stanza.value("A").unwrap_or_default());
        if let Some(origin) = stanza.value("o").filter(|origin| *origin != name) {
            package = package.with("upstream", origin);
        }
        if let Some(os) = os {
            package = package.with("distro", &os.distribution());
        }
        package = package.licensed(stanza.value("L").unwrap_or_default());
        found.push(package.supplied(stanza.value("m").unwrap_or_default()));
    }
    found
}
