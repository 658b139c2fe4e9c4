//! What the machine's owner says about registries: `registries.json`.
//!
//! ```text
//! {"mirrors": {"docker.io": ["https://mirror.example"], "*": ["http://cache.lan:5000/hub"]},     asked first, in this order; `*`: any
//!  "insecure": ["registry.lan:5000", "10.0.0.0/8"]}                                              unproven TLS, or none
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The file's name.
const FILE: &str = "registries.json";

/// How registries are reached; without a file, all directly and by TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registries {
    /// Registry, or `*` for any, to the base URLs that are asked before it.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// `host`, `host:port` or a network.
    pub insecure: Vec<String>,
}

/// Why the file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RegistriesError {
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
        /// The key, with those above it.
        key: String,
        /// What is there.
        value: String,
        /// What could be there.
        wanted: &'static str,
    },
}

impl Registries {
    /// Reads the file in `dir`, which need not be there.
    ///
    /// # Errors
    /// It cannot be read, or does not say anything that could be followed.
    pub fn open(dir: &Path) -> Result<Registries, RegistriesError> {
        let file = dir.join(FILE);
        match std::fs::read(&file) {
            Ok(text) => Registries::parse(&text, file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Registries::default()),
            Err(e) => Err(RegistriesError::Read(file, e)),
        }
    }

    fn parse(text: &[u8], file: PathBuf) -> Result<Registries, RegistriesError> {
        let registries: Registries = match serde_json::from_slice(text) {
            Ok(registries) => registries,
            Err(e) => return Err(RegistriesError::Form(file, e)),
        };
        let wrong = |key: String, value: &str, wanted| {
            Err(RegistriesError::Value { file: file.clone(), key, value: value.to_owned(), wanted })
        };
        for (registry, urls) in &registries.mirrors {
            if registry != "*" && !is_host(registry) {
                return wrong("mirrors".to_owned(), registry, "registry (host[:port], or * for any)");
            }
            if let Some(url) = urls.iter().find(|url| !is_base_url(url)) {
                return wrong(format!("mirrors.{registry}"), url, "URL with http:// or https:// and a host");
            }
        }
        match registries.insecure.iter().find(|host| !is_host(host) && !is_network(host)) {
            Some(host) => wrong("insecure".to_owned(), host, "host[:port] or network (10.0.0.0/8)"),
            None => Ok(registries),
        }
    }
}

/// Where it leads is found out by asking; this catches what was meant as something else, a URL above all.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
}

fn is_network(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, bits)| {
        let length = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        let address = address.parse().map(length);
        matches!((address, bits.parse::<u8>()), (Ok(length), Ok(bits)) if bits <= length)
    })
}

fn is_base_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| is_host(rest.split('/').next().unwrap_or(rest)) && !rest.contains(['?', '#']))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match Registries::parse(text.as_bytes(), FILE.into()) {
            Ok(registries) => format!("{registries:?}"),
            Err(error) => error.source().map_or(error.to_string(), |source| format!("{error}: {source}")),
        });
    }

    #[test]
    fn the_file_says_who_is_asked_and_how() {
        check(
            r#"{"mirrors":{"docker.io":["https://m.example/hub"],"*":["http://[::1]:5000"]},"insecure":["a:5000","10.0.0.0/8","fd00::/8"]}"#,
            expect![[
                r#"Registries { mirrors: {"*": ["http://[::1]:5000"], "docker.io": ["https://m.example/hub"]}, insecure: ["a:5000", "10.0.0.0/8", "fd00::/8"] }"#
            ]],
        );
        check("{}", expect!["Registries { mirrors: {}, insecure: [] }"]);
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        check(
            r#"{"mirors":{}}"#,
            expect!["registries.json: unknown field `mirors`, expected `mirrors` or `insecure` at line 1 column 9"],
        );
        check(
            r#"{"insecure":"a"}"#,
            expect![[r#"registries.json: invalid type: string "a", expected a sequence at line 1 column 15"#]],
        );
        check("", expect!["registries.json: EOF while parsing a value at line 1 column 0"]);
        check(
            r#"{"mirrors":{"docker.io":["m.example"]}}"#,
            expect![[
                r#"registries.json: mirrors.docker.io: "m.example" is no URL with http:// or https:// and a host"#
            ]],
        );
        check(
            r#"{"mirrors":{"https://docker.io":[]}}"#,
            expect![[r#"registries.json: mirrors: "https://docker.io" is no registry (host[:port], or * for any)"#]],
        );
        check(
            r#"{"insecure":["http://a"]}"#,
            expect![[r#"registries.json: insecure: "http://a" is no host[:port] or network (10.0.0.0/8)"#]],
        );
        check(
            r#"{"insecure":["10.0.0.0/33"]}"#,
            expect![[r#"registries.json: insecure: "10.0.0.0/33" is no host[:port] or network (10.0.0.0/8)"#]],
        );
    }
}
