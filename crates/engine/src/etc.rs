//! /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: made at every start, bound over the image's own.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use disk::{Durability, replace};
use spec::container::{Config, NamespaceMode};

use crate::error::Error;

/// Writes the files into the container's directory and answers which goes where. One that the user mounts is left out by the bundle,
/// since a later mount at the same place replaces it. Not into the run directory: the container may write to them without end, and
/// would fill the machine's /run.
///
/// # Errors
/// Of the file system.
pub(crate) fn write(config: &Config, dir: &Path) -> Result<Vec<(PathBuf, PathBuf)>, Error> {
    let shares_network = config.host.network == NamespaceMode::Host;
    let host_file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let files = [
        ("hosts", hosts(config, if shares_network { host_file("/etc/hosts") } else { String::new() })),
        ("hostname", format!("{}\n", config.hostname)),
        ("resolv.conf", resolv_conf(config, &host_file("/etc/resolv.conf"))),
    ];
    files
        .into_iter()
        .map(|(name, text)| {
            let source = dir.join(name);
            replace(&source, text.as_bytes(), Durability::Volatile)
                .and_then(|()| std::fs::set_permissions(&source, std::os::unix::fs::PermissionsExt::from_mode(0o644)))
                .map_err(Error::io(format!("writing {}", source.display())))?;
            Ok((Path::new("/etc").join(name), source))
        })
        .collect()
}

fn hosts(config: &Config, of_host: String) -> String {
    let mut text = if of_host.is_empty() {
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n".into()
    } else {
        of_host
    };
    for extra in &config.host.extra_hosts {
        if let Some((name, address)) = extra.split_once([':', '=']) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}\t{name}", address.trim_start_matches('[').trim_end_matches(']'));
        }
    }
    text
}

/// The host's resolvers unless the user names others. A container with a network of its own cannot reach a resolver on the host's
/// loopback, so those are left out (moby `resolvconf`).
fn resolv_conf(config: &Config, of_host: &str) -> String {
    let host = &config.host;
    let own_network = host.network != NamespaceMode::Host;
    let field = |key: &str| -> Vec<String> {
        let lines = of_host.lines().filter_map(|line| line.trim().strip_prefix(key));
        lines.filter(|rest| rest.starts_with([' ', '\t'])).flat_map(str::split_whitespace).map(str::to_owned).collect()
    };
    let reachable = |address: &String| !own_network || !address.parse().is_ok_and(is_loopback);
    let choose = |own: &[String], from_host: Vec<String>| if own.is_empty() { from_host } else { own.to_vec() };
    let servers = choose(&host.dns, field("nameserver").into_iter().filter(reachable).collect());
    let search = choose(&host.dns_search, field("search"));
    let options = choose(&host.dns_options, field("options"));
    let mut text = String::new();
    for server in servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    for (key, words) in [("search", search), ("options", options)] {
        if !words.is_empty() && words != ["."] {
            let _ = writeln!(text, "{key} {}", words.join(" "));
        }
    }
    text
}

fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback() || address == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}
