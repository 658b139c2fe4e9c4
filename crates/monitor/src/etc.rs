//! /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: made at every start, when its addresses are known, bound over the
//! image's own, and changed in place when a network comes or goes. The texts are moby's (`libnetwork/etchosts`, `internal/resolvconf`).
//!
//! They lie in the container's directory and not in the run directory because the container may write to them without end, and would
//! fill the machine's /run.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use disk::{Durability, Home, replace};
use network::resolver::ADDRESS;
use spec::bundle::{IdMap, IdMaps};
use spec::container::{Config, NetworkMode};
use spec::network::{Defaults, Endpoint};

const HOSTS: &str = "hosts";
const HOSTNAME: &str = "hostname";
const RESOLV_CONF: &str = "resolv.conf";
/// A container's own /etc/hosts may grow to any size; no more than this is edited.
const LONGEST_BYTES: u64 = 1024 * 1024;

const HEAD: &str = "127.0.0.1\tlocalhost\n";
const HEAD_OF_IPV6: &str = "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// What goes where in a container: place and source. One that the user mounts is left out by the bundle, since a later mount at the
/// same place replaces it. A container in another's network has the other's files.
#[must_use]
pub fn files(home: &Home, config: &Config) -> Vec<(PathBuf, PathBuf)> {
    let whose = match &config.host.network {
        NetworkMode::Container(other) => other,
        NetworkMode::Host | NetworkMode::None | NetworkMode::Networks(_) => &config.id,
    };
    files_in(&home.container(whose))
}

/// The same of one whose directory is this.
#[must_use]
pub fn files_in(dir: &Path) -> Vec<(PathBuf, PathBuf)> {
    [HOSTS, HOSTNAME, RESOLV_CONF].map(|name| (Path::new("/etc").join(name), dir.join(name))).into()
}

/// Whom a container asks for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// The servers themselves.
    Servers,
    /// The resolver, which asks them.
    Resolver,
}

/// What the texts are made of, beside the container's configuration.
pub(crate) struct Facts<'a> {
    /// Its places, in the order of their interfaces.
    pub(crate) endpoints: &'a [Endpoint],
    /// Lines for containers that it is linked to on the default bridge.
    pub(crate) links: &'a [Line],
    /// What `host-gateway` means, by family.
    pub(crate) gateways: &'a [IpAddr],
    pub(crate) asks: Asks,
    pub(crate) defaults: &'a Defaults,
}

/// A line of /etc/hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) address: String,
    /// Separated by spaces.
    pub(crate) names: String,
}

impl Line {
    fn text(&self) -> String {
        format!("{}\t{}\n", self.address, self.names)
    }
}

/// Who is root in a container, as the host counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    uid: u32,
    gid: u32,
}

impl Root {
    pub(crate) const HOST: Root = Root { uid: 0, gid: 0 };

    /// Of a user namespace with these maps.
    pub(crate) fn of(maps: Option<&IdMaps>) -> Root {
        let first = |maps: &[IdMap]| maps.iter().find(|map| map.container == 0).map_or(0, |map| map.host);
        maps.map_or(Root::HOST, |maps| Root { uid: first(&maps.uids), gid: first(&maps.gids) })
    }
}

/// What was written, so that it is known later whether the container has written something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    resolv_conf: u64,
}

/// Writes the files into the container's directory, for one whose root is `root` on the host.
pub(crate) fn write(dir: &Path, config: &Config, facts: &Facts<'_>, root: Root) -> io::Result<Written> {
    let of_host = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let resolv_conf = resolv_conf(config, facts, &of_host("/etc/resolv.conf"));
    let hosts_of_host = || of_host("/etc/hosts");
    let put = |name: &str, text: &str| {
        let path = dir.join(name);
        replace(&path, text.as_bytes(), Durability::Volatile)?;
        if root != Root::HOST {
            std::os::unix::fs::chown(&path, Some(root.uid), Some(root.gid))?;
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644))
    };
    put(HOSTS, &hosts(config, facts, hosts_of_host))?;
    put(HOSTNAME, &format!("{}\n", config.hostname))?;
    put(RESOLV_CONF, &resolv_conf)?;
    Ok(Written { resolv_conf: digest(resolv_conf.as_bytes()) })
}

/// A network came or went: its lines come or go, in the file that is bound into the container, and resolv.conf says what is true now unless the container
/// has written to it.
pub(crate) fn follow(
    dir: &Path,
    config: &Config,
    facts: &Facts<'_>,
    written: Written,
    (gone, come): (&[Line], &[Line]),
) -> io::Result<Written> {
    let hosts = dir.join(HOSTS);
    let mut text = read(&hosts)?;
    for line in gone {
        remove_line(&mut text, line.text().trim_end().as_bytes());
    }
    if !text.is_empty() && !text.ends_with(b"\n") && !come.is_empty() {
        text.push(b'\n');
    }
    text.extend(come.iter().flat_map(|line| line.text().into_bytes()));
    overwrite(&hosts, &text)?;
    let path = dir.join(RESOLV_CONF);
    if digest(&read(&path)?) != written.resolv_conf {
        return Ok(written);
    }
    let of_host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let text = resolv_conf(config, facts, &of_host);
    overwrite(&path, text.as_bytes())?;
    Ok(Written { resolv_conf: digest(text.as_bytes()) })
}

/// The lines that say who the container itself is.
pub(crate) fn own_lines(config: &Config, endpoint: &Endpoint) -> Vec<Line> {
    let full = full_name(config);
    let names = match full.split_once('.') {
        Some((short, _)) => format!("{full} {short}"),
        None => full.clone(),
    };
    endpoint.addresses().map(|address| Line { address: address.to_string(), names: names.clone() }).collect()
}

fn full_name(config: &Config) -> String {
    if config.domainname.is_empty() {
        return config.hostname.clone();
    }
    format!("{}.{}", config.hostname, config.domainname)
}

fn hosts(config: &Config, facts: &Facts<'_>, of_host: impl FnOnce() -> String) -> String {
    let host = &config.host;
    if host.network == NetworkMode::Host && host.extra_hosts.is_empty() {
        return of_host();
    }
    let mut text = HEAD.to_owned();
    let off = |device: &str| {
        host.sysctls.get(&format!("net.ipv6.conf.{device}.disable_ipv6")).is_some_and(|value| value.trim() == "1")
    };
    if !off("all") && !off("lo") {
        text.push_str(HEAD_OF_IPV6);
    }
    for extra in &host.extra_hosts {
        let Some((name, address)) = extra.split_once([':', '=']) else { continue };
        if address == "host-gateway" {
            for address in facts.gateways {
                text.push_str(&Line { address: address.to_string(), names: name.into() }.text());
            }
        } else {
            let address = address.trim_start_matches('[').trim_end_matches(']').into();
            text.push_str(&Line { address, names: name.into() }.text());
        }
    }
    let own = facts.endpoints.iter().flat_map(|endpoint| own_lines(config, endpoint));
    for line in facts.links.iter().cloned().chain(own) {
        text.push_str(&line.text());
    }
    text
}

/// Whether there is any server a container with a network of its own could ask without us: a resolver on the host's loopback device is
/// none of its (moby then takes Google's).
pub(crate) fn has_servers(config: &Config, defaults: &Defaults, of_host: &str) -> bool {
    !servers(config, defaults, of_host).is_empty()
}

fn servers(config: &Config, defaults: &Defaults, of_host: &str) -> Vec<String> {
    let own_network = config.host.network != NetworkMode::Host;
    let reachable = |address: &String| !own_network || !address.parse().is_ok_and(is_loopback);
    match choose(&config.host.dns, &defaults.dns) {
        [] => field(of_host, "nameserver").into_iter().filter(reachable).collect(),
        own => own.to_vec(),
    }
}

fn resolv_conf(config: &Config, facts: &Facts<'_>, of_host: &str) -> String {
    let (host, defaults) = (&config.host, facts.defaults);
    let wishes = [(&host.dns, &defaults.dns), (&host.dns_search, &defaults.dns_search)];
    let wishes = wishes.into_iter().chain([(&host.dns_options, &defaults.dns_options)]);
    if host.network == NetworkMode::Host && wishes.into_iter().all(|(own, all)| choose(own, all).is_empty()) {
        return of_host.into();
    }
    let servers = match facts.asks {
        Asks::Servers => servers(config, defaults, of_host),
        Asks::Resolver => vec![ADDRESS.to_string()],
    };
    let or_host = |own: &[String], key: &str| if own.is_empty() { field(of_host, key) } else { own.to_vec() };
    let search = or_host(choose(&host.dns_search, &defaults.dns_search), "search");
    let mut options = or_host(choose(&host.dns_options, &defaults.dns_options), "options");
    if facts.asks == Asks::Resolver && !options.iter().any(|option| option.starts_with("ndots:")) {
        options.push("ndots:0".into());
    }
    let mut text = String::new();
    for server in servers {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "nameserver {server}");
    }
    for (key, words) in [("search", search), ("options", options)] {
        if !words.is_empty() && words != ["."] {
            let _ = writeln!(text, "{key} {}", words.join(" "));
        }
    }
    text
}

/// What the user says of this container goes before what the machine's owner says of all.
pub(crate) fn choose<'a>(own: &'a [String], default: &'a [String]) -> &'a [String] {
    if own.is_empty() { default } else { own }
}

/// The words behind a key: of all lines for servers, of the last line for the rest, as resolvers read it.
fn field(text: &str, key: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key));
    let words = |rest: &str| -> Vec<String> { rest.split_whitespace().map(str::to_owned).collect() };
    let lines: Vec<_> = lines.filter(|rest| rest.starts_with([' ', '\t'])).map(words).collect();
    if key == "search" { lines.into_iter().next_back().unwrap_or_default() } else { lines.concat() }
}

fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback() || address == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the container has made its file too large to edit"));
    }
    Ok(bytes)
}

/// The same file, since it is bound into the container. Who reads at this moment may see half of it, as with Docker.
fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().write(true).truncate(true).custom_flags(no_follow).open(path)?.write_all(bytes)
}

fn remove_line(text: &mut Vec<u8>, line: &[u8]) {
    let kept: Vec<&[u8]> =
        text.split_inclusive(|byte| *byte == b'\n').filter(|one| one.trim_ascii_end() != line).collect();
    *text = kept.concat();
}

#[cfg(test)]
mod tests;
