//! What the machine's owner says about the engine: `engine.json`.
//!
//! ```text
//! {"default-address-pools": [{"base": "10.200.0.0/16", "size": 24}],   where networks without --subnet get theirs
//!  "firewall": "respect-input",                                        or "open", the default
//!  "ip": "127.0.0.1",                                                  where -p publishes unless it says it
//!  "dns": ["10.0.0.53"], "dns-search": ["lan"], "dns-opts": ["ndots:1"],
//!  "build-cache-limit": "20GB"}                                        what builds may keep; without it a tenth of the disk, 20 GB at most
//! ```

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use network::pool;
use network::rules::Firewall;
use serde::Deserialize;
use spec::address::Subnet;
use spec::network::Defaults;

/// The file's name.
const FILE: &str = "engine.json";

/// What is so unless a command says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where the subnets of networks come from; none: Docker's pools.
    pub pools: Option<Vec<pool::Default>>,
    /// What containers' networks are like where nobody said it.
    pub networks: Defaults,
    /// How much the build cache may take; none: a tenth of the file system, and 20 GB at most.
    pub build_cache_limit_bytes: Option<u64>,
}

/// Why the file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("reading {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// It is not JSON of this form.
    #[error("{}", .0.display())]
    Form(PathBuf, #[source] serde_json::Error),
    /// One value makes no sense.
    #[error("{}: {key}: {value:?} is no {wanted}", .file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// What is there.
        value: String,
        /// What could be there.
        wanted: &'static str,
    },
}

/// The file as it is written; values are read apart, so that an error names file and key.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Written {
    default_address_pools: Vec<WrittenPool>,
    firewall: Option<String>,
    ip: Option<String>,
    dns: Vec<String>,
    dns_search: Vec<String>,
    dns_opts: Vec<String>,
    build_cache_limit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPool {
    base: String,
    size: u8,
}

impl Settings {
    /// Reads the file in `dir`, which need not be there.
    ///
    /// # Errors
    /// It cannot be read, or does not say anything that could be followed.
    pub fn open(dir: &Path) -> Result<Settings, SettingsError> {
        let file = dir.join(FILE);
        match std::fs::read(&file) {
            Ok(text) => Settings::parse(&text, file),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Settings::default())
            }
            Err(e) => Err(SettingsError::Read(file, e)),
        }
    }

    fn parse(text: &[u8], file: PathBuf) -> Result<Settings, SettingsError> {
        let written: Written = match serde_json::from_slice(text) {
            Ok(written) => written,
            Err(e) => return Err(SettingsError::Form(file, e)),
        };
        let wrong = |key, value: &str, wanted| SettingsError::Value {
            file: file.clone(),
            key,
            value: value.to_owned(),
            wanted,
        };
        let address = |key, text: &String| text.parse::<IpAddr>().map_err(|_| wrong(key, text, "address"));
        for server in &written.dns {
            address("dns", server)?;
        }
        Ok(Settings {
            pools: match written.default_address_pools.as_slice() {
                [] => None,
                pools => Some(pools.iter().map(|pool| pool.read(&wrong)).collect::<Result<_, _>>()?),
            },
            networks: Defaults {
                respect_input: match written.firewall.as_deref() {
                    None | Some("open") => false,
                    Some("respect-input") => true,
                    Some(other) => return Err(wrong("firewall", other, "way of the firewall: open or respect-input")),
                },
                publish_ip: written.ip.as_ref().map(|text| address("ip", text)).transpose()?,
                dns: written.dns,
                dns_search: written.dns_search,
                dns_options: written.dns_opts,
            },
            build_cache_limit_bytes: match written.build_cache_limit {
                None => None,
                Some(text) => Some(size(&text).ok_or_else(|| wrong("build-cache-limit", &text, "size (20GB)"))?),
            },
        })
    }

    /// Where the subnets of networks come from.
    #[must_use]
    pub fn pools(&self) -> Vec<pool::Default> {
        self.pools.clone().unwrap_or_else(pool::docker)
    }

    /// How the table of rules is made.
    #[must_use]
    pub fn firewall(&self) -> Firewall {
        if self.networks.respect_input { Firewall::RespectInput } else { Firewall::Open }
    }
}

/// `500MB`, `20 GB`, `1000000`: units of a thousand.
fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

impl WrittenPool {
    fn read(
        &self,
        wrong: &dyn Fn(&'static str, &str, &'static str) -> SettingsError,
    ) -> Result<pool::Default, SettingsError> {
        const KEY: &str = "default-address-pools";
        let base: Subnet =
            self.base.parse().map_err(|_| wrong(KEY, &self.base, "range of addresses (10.200.0.0/16)"))?;
        // An address for the bridge and one for a container is the least a network is good for.
        let most = if base.address().is_ipv4() { 30 } else { 126 };
        if self.size < base.bits() || self.size > most {
            let size = self.size.to_string();
            return Err(wrong(KEY, &size, "size of a subnet within its base, with room for a container"));
        }
        Ok(pool::Default { base, bits: self.size })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use expect_test::{Expect, expect};

    use super::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse(text.as_bytes(), "/etc/kist/engine.json".into())
    }

    #[test]
    fn a_machine_without_the_file_has_dockers_ways() {
        assert_eq!(Settings::open(Path::new("/nonexistent")).unwrap(), Settings::default());
        assert_eq!(parse("{}").unwrap(), Settings::default());
    }

    #[test]
    fn all_there_is_to_say() {
        let said = parse(
            r#"{"default-address-pools": [{"base": "10.200.0.0/16", "size": 24}, {"base": "fd00::/48", "size": 64}],
                "firewall": "respect-input", "ip": "127.0.0.1",
                "dns": ["10.0.0.53", "fd00::53"], "dns-search": ["lan"], "dns-opts": ["ndots:1"],
                "build-cache-limit": "1 GB"}"#,
        );
        expect![[r#"
            Settings {
                pools: Some(
                    [
                        Default {
                            base: 10.200.0.0/16,
                            bits: 24,
                        },
                        Default {
                            base: fd00::/48,
                            bits: 64,
                        },
                    ],
                ),
                networks: Defaults {
                    publish_ip: Some(
                        127.0.0.1,
                    ),
                    dns: [
                        "10.0.0.53",
                        "fd00::53",
                    ],
                    dns_search: [
                        "lan",
                    ],
                    dns_options: [
                        "ndots:1",
                    ],
                    respect_input: true,
                },
                build_cache_limit_bytes: Some(
                    1000000000,
                ),
            }
        "#]]
        .assert_debug_eq(&said.unwrap());
    }

    #[test]
    fn what_makes_no_sense_is_named_with_file_and_key() {
        let check = |text: &str, expected: Expect| {
            let error = parse(text).unwrap_err();
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            expected.assert_eq(&format!("{error}{cause}"));
        };
        check(
            r#"{"firewal": "open"}"#,
            expect![
                "/etc/kist/engine.json: unknown field `firewal`, expected one of `default-address-pools`, `firewall`, `ip`, `dns`, `dns-search`, `dns-opts`, `build-cache-limit` at line 1 column 10"
            ],
        );
        check(
            r#"{"firewall": "closed"}"#,
            expect![[r#"/etc/kist/engine.json: firewall: "closed" is no way of the firewall: open or respect-input"#]],
        );
        check(r#"{"ip": "localhost"}"#, expect![[r#"/etc/kist/engine.json: ip: "localhost" is no address"#]]);
        check(r#"{"dns": ["10.0.0.1", "one"]}"#, expect![[r#"/etc/kist/engine.json: dns: "one" is no address"#]]);
        check(
            r#"{"default-address-pools": [{"base": "10.0.0.0", "size": 24}]}"#,
            expect![[
                r#"/etc/kist/engine.json: default-address-pools: "10.0.0.0" is no range of addresses (10.200.0.0/16)"#
            ]],
        );
        check(
            r#"{"default-address-pools": [{"base": "10.0.0.0/16", "size": 8}]}"#,
            expect![[
                r#"/etc/kist/engine.json: default-address-pools: "8" is no size of a subnet within its base, with room for a container"#
            ]],
        );
        check(
            r#"{"default-address-pools": [{"base": "10.0.0.0/16", "size": 31}]}"#,
            expect![[
                r#"/etc/kist/engine.json: default-address-pools: "31" is no size of a subnet within its base, with room for a container"#
            ]],
        );
        check(
            r#"{"default-address-pools": [{"base": "10.0.0.0/16"}]}"#,
            expect!["/etc/kist/engine.json: missing field `size` at line 1 column 50"],
        );
        check("[", expect!["/etc/kist/engine.json: EOF while parsing a list at line 1 column 1"]);
    }
}
