//! The keys under which logins are kept: Docker's, and those of its past.

/// Docker Hub's key: the address of an index that has long been gone.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// The registry a key or a typed address means: `https://index.docker.io/v1/` is `docker.io`, `https://host:5000/v1/` is `host:5000`
/// (docker/cli `ConvertToHostname`).
#[must_use]
pub fn registry_of(address: &str) -> String {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or(host);
    match host {
        "" | "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        host => host.to_owned(),
    }
}

/// Docker's key for a registry.
#[must_use]
pub fn key_of(registry: &str) -> String {
    if registry == "docker.io" { HUB_KEY.to_owned() } else { registry.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_one_key_and_many_old_ones() {
        for (address, registry, key) in [
            ("docker.io", "docker.io", HUB_KEY),
            ("", "docker.io", HUB_KEY),
            (HUB_KEY, "docker.io", HUB_KEY),
            ("index.docker.io", "docker.io", HUB_KEY),
            ("localhost:5000", "localhost:5000", "localhost:5000"),
            ("https://localhost:5000/v1/", "localhost:5000", "localhost:5000"),
            ("http://ghcr.io", "ghcr.io", "ghcr.io"),
            ("ghcr.io/kist", "ghcr.io", "ghcr.io"),
            ("https://[::1]:5000/v2/", "[::1]:5000", "[::1]:5000"),
        ] {
            assert_eq!((registry_of(address).as_str(), key_of(&registry_of(address)).as_str()), (registry, key));
        }
    }
}
