//! The flags of `create` and `run` that are about networks: ports, networks, links, policies (docker/go-connections nat/nat.go,
//! docker/cli opts/network.go and command/container/opts.go).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use engine::Host;
use engine::container::find::find;
use engine::network::attach::{Link, Wanted};
use spec::address::{Mac, Port, Protocol, Subnet};
use spec::container::NetworkMode;
use spec::network::{Egress, Publish};

use super::mount::fields;
use crate::report::Report;
use crate::verb::{Args, Flag, Takes, Verb, flag, short};

/// What both verbs take.
pub(crate) const FLAGS: &[Flag] = &[
    flag("add-host", Takes::List("list"), "Add a custom host-to-IP mapping (host:ip)"),
    flag("dns", Takes::List("list"), "Set custom DNS servers"),
    flag("dns-opt", Takes::List("list"), ""),
    flag("dns-option", Takes::List("list"), "Set DNS options"),
    flag("dns-search", Takes::List("list"), "Set custom DNS search domains"),
    flag("domainname", Takes::One("string"), "Container NIS domain name"),
    flag("egress", Takes::List("policy"), EGRESS),
    flag("expose", Takes::List("list"), "Expose a port or a range of ports"),
    short('h', "hostname", Takes::One("string"), "Container host name"),
    flag("ip", Takes::One("string"), "IPv4 address (e.g., 172.30.100.104)"),
    flag("ip6", Takes::One("string"), "IPv6 address (e.g., 2001:db8::33)"),
    flag("link", Takes::List("list"), "Add link to another container"),
    flag("link-local-ip", Takes::List("list"), "Container IPv4/IPv6 link-local addresses"),
    flag("mac-address", Takes::One("string"), "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
    flag("net", Takes::List("network"), ""),
    flag("net-alias", Takes::List("list"), ""),
    flag("network", Takes::List("network"), "Connect a container to a network"),
    flag("network-alias", Takes::List("list"), "Add network-scoped alias for the container"),
    short('p', "publish", Takes::List("list"), "Publish a container's port(s) to the host"),
    short('P', "publish-all", Takes::Switch, "Publish all exposed ports to random ports"),
];

/// The help of `--egress`, for networks as well.
pub(crate) const EGRESS: &str = "Who may be spoken to outside: \"none\", or \"allow=\" and addresses, ranges and names (*.example.com), parted by commas";

/// What the flags ask for.
pub(crate) struct Networking {
    /// Where the container is at home.
    pub(crate) mode: NetworkMode,
    /// The networks it is to be on.
    pub(crate) wanted: Vec<Wanted>,
    /// `-p`.
    pub(crate) publish: Vec<Publish>,
    /// `--expose`, and what `-p` names.
    pub(crate) exposed: Vec<String>,
    /// `--egress`.
    pub(crate) egress: Option<Egress>,
}

/// All flags about networks.
pub(crate) fn networking(host: &Host, verb: &Verb, args: &Args) -> Result<Networking, Report> {
    if args.given("link-local-ip") {
        return Err(Report::plain("--link-local-ip is not there yet in kist"));
    }
    let mut publish = Vec::new();
    for text in args.list("publish") {
        publish.extend(self::publish(text).map_err(Report::plain)?);
    }
    let mut exposed: Vec<Port> = publish.iter().map(|one| one.port).collect();
    for text in args.list("expose") {
        exposed.extend(expose(text).map_err(Report::plain)?);
    }
    exposed.sort_unstable();
    exposed.dedup();
    let asked = [args.parsed_list(verb, "net", attachment)?, args.parsed_list(verb, "network", attachment)?].concat();
    let (mode, wanted) = networks(host, verb, args, asked)?;
    Ok(Networking {
        mode,
        wanted,
        publish,
        exposed: exposed.iter().map(Port::to_string).collect(),
        egress: egress(&args.list("egress")).map_err(|(text, why)| verb.bad_value("egress", text, &why))?,
    })
}

/// One `--network`, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attachment {
    name: String,
    aliases: Vec<String>,
    ipv4: String,
    ipv6: String,
    mac: String,
    driver_options: BTreeMap<String, String>,
    gateway_priority: i32,
}

/// `--network name`, or `name=…,alias=…,ip=…`.
pub(crate) fn attachment(text: &str) -> Result<Attachment, String> {
    let mut one = Attachment::default();
    if !is_long(text) {
        text.clone_into(&mut one.name);
        return Ok(one);
    }
    for field in fields(text) {
        let lower = field.to_lowercase();
        let (key, value) =
            lower.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or(format!("invalid field {field}"))?;
        let value = value.trim();
        match key.trim() {
            "name" => value.clone_into(&mut one.name),
            "alias" => one.aliases.push(value.to_owned()),
            "ip" => value.clone_into(&mut one.ipv4),
            "ip6" => value.clone_into(&mut one.ipv6),
            "mac-address" => value.clone_into(&mut one.mac),
            "driver-opt" => {
                let (key, value) = driver_option(value).ok_or("invalid key value pair format in driver options")?;
                one.driver_options.insert(key, value);
            }
            "gw-priority" => {
                let malformed = || format!("invalid gw-priority ({value}): invalid syntax");
                one.gateway_priority = value.parse().map_err(|_| malformed())?;
            }
            "link-local-ip" => return Err("link-local-ip is not there yet in kist".into()),
            other => return Err(format!("invalid field key {other}")),
        }
    }
    if one.name.is_empty() { Err("network name/id is not specified".into()) } else { Ok(one) }
}

/// Docker's pattern, found anywhere: `\w+=\w+`.
fn is_long(text: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.match_indices('=').any(|(at, _)| text[..at].ends_with(is_word) && text[at + 1..].starts_with(is_word))
}

/// `key=value`.
pub(crate) fn driver_option(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let key = key.trim();
    (!key.is_empty()).then(|| (key.to_owned(), value.trim().to_owned()))
}

/// Whether a network is not one of the predefined, nor a way to have none of one's own.
fn is_user_defined(name: &str) -> bool {
    !matches!(name, "default" | "bridge" | "host" | "none") && !name.starts_with("container:")
}

/// The networks, the older flags that speak of the first of them, and what contradicts itself.
fn networks(
    host: &Host,
    verb: &Verb,
    args: &Args,
    mut asked: Vec<Attachment>,
) -> Result<(NetworkMode, Vec<Wanted>), Report> {
    let conflict = |what: &str| Err(Report::plain(format!("conflicting options: {what}")));
    if asked.is_empty() {
        asked.push(Attachment { name: "default".into(), ..Attachment::default() });
    }
    let links = args.parsed_list(verb, "link", link)?;
    let of_first = older_flags(args, &mut asked[0])?;
    let user_defined = asked.iter().filter(|one| is_user_defined(&one.name)).count();
    let mut wanted = Vec::new();
    for (n, one) in asked.iter().enumerate() {
        if one.name.trim().is_empty() {
            return Err(Report::plain("no name set for network"));
        }
        if !is_user_defined(&one.name) && !one.aliases.is_empty() {
            return Err(Report::plain("network-scoped aliases are only supported for user-defined networks"));
        }
        if asked[..n].iter().any(|other| other.name == one.name) {
            return Err(Report::plain(format!("network {:?} is specified multiple times", one.name)));
        }
        wanted.push(one.read(if n == 0 { &links } else { &[] })?);
    }
    if user_defined > 0 && user_defined < asked.len() {
        return conflict("cannot attach both user-defined and non-user-defined network-modes");
    }
    let mode = match asked[0].name.as_str() {
        "none" => NetworkMode::None,
        "host" => NetworkMode::Host,
        "default" | "bridge" => NetworkMode::Networks("bridge".into()),
        other => match other.strip_prefix("container:") {
            Some("") => {
                return Err(engine::Error::Invalid(
                    "invalid network mode: invalid container format container:<name|id>".into(),
                )
                .into());
            }
            Some(name) => NetworkMode::Container(find(host, name)?),
            None => NetworkMode::Networks(other.into()),
        },
    };
    let mac_without_use = of_first.mac && !matches!(mode, NetworkMode::Networks(_));
    if mac_without_use {
        return Err(engine::Error::Invalid("conflicting options: mac-address and the network mode".into()).into());
    }
    Ok((mode, wanted))
}

struct OfFirst {
    mac: bool,
}

/// `--ip` and its kin, which concern the first network.
fn older_flags(args: &Args, first: &mut Attachment) -> Result<OfFirst, Report> {
    let conflict = |what: &str| Report::plain(format!("conflicting options: cannot specify both {what}"));
    let aliases = [args.list("network-alias"), args.list("net-alias")].concat();
    if !aliases.is_empty() {
        if !first.aliases.is_empty() {
            return Err(conflict("--network-alias and per-network alias"));
        }
        first.aliases = aliases.into_iter().map(str::to_owned).collect();
    }
    for (flag, field, what) in [
        ("ip", &mut first.ipv4, "--ip and per-network IPv4 address"),
        ("ip6", &mut first.ipv6, "--ip6 and per-network IPv6 address"),
        ("mac-address", &mut first.mac, "--mac-address and per-network MAC address"),
    ] {
        if let Some(value) = args.text(flag) {
            if !field.is_empty() {
                return Err(conflict(what));
            }
            value.clone_into(field);
        }
    }
    Ok(OfFirst { mac: !first.mac.is_empty() })
}

impl Attachment {
    fn read(&self, links: &[Link]) -> Result<Wanted, Report> {
        let invalid = |what: String| {
            Report::from(engine::Error::Invalid(format!(
                "invalid config for network {}: invalid endpoint settings:\n{what}",
                self.name
            )))
        };
        let mac = self.mac.trim();
        let mac = (!mac.is_empty())
            .then(|| mac.parse::<Mac>().map_err(|_| Report::plain(format!("{mac} is not a valid mac address"))));
        Ok(Wanted {
            network: if self.name == "default" { "bridge".into() } else { self.name.clone() },
            ipv4: ipv4(&self.ipv4).map_err(invalid)?,
            ipv6: ipv6(&self.ipv6).map_err(invalid)?,
            mac: mac.transpose()?,
            aliases: self.aliases.clone(),
            links: links.to_vec(),
            driver_options: self.driver_options.clone(),
            gateway_priority: self.gateway_priority,
        })
    }
}

/// An address asked for; none where nothing was.
pub(crate) fn ipv4(text: &str) -> Result<Option<Ipv4Addr>, String> {
    let read = |text: &str| text.parse().ok().filter(|address: &Ipv4Addr| !address.is_unspecified());
    let read = |text: &str| read(text).ok_or_else(|| format!("invalid IPv4 address: {text}"));
    (!text.is_empty()).then(|| read(text)).transpose()
}

/// The same of the other family.
pub(crate) fn ipv6(text: &str) -> Result<Option<Ipv6Addr>, String> {
    let read = |text: &str| {
        text.parse().ok().filter(|address: &Ipv6Addr| !address.is_unspecified() && address.to_ipv4_mapped().is_none())
    };
    let read = |text: &str| read(text).ok_or_else(|| format!("invalid IPv6 address: {text}"));
    (!text.is_empty()).then(|| read(text)).transpose()
}

/// `--link container[:alias]`.
pub(crate) fn link(text: &str) -> Result<Link, String> {
    if text.is_empty() {
        return Err("empty string specified for links".into());
    }
    let (container, alias) = text.split_once(':').unwrap_or((text, text));
    if alias.contains(':') {
        return Err(format!("bad format for links: {text}"));
    }
    // `/db:/web/data` is how inspect shows it: the alias is the last part.
    let (container, alias) = match container.strip_prefix('/') {
        Some(name) => (name, alias.rsplit('/').next().unwrap_or(alias)),
        None => (container, alias),
    };
    Ok(Link { container: container.into(), alias: alias.into() })
}

/// `-p [[ip:][hostport]:]containerport[/protocol]`, with ranges; or `published=…,target=…,protocol=…`.
pub(crate) fn publish(text: &str) -> Result<Vec<Publish>, String> {
    let standard;
    let text = if text.contains('=') {
        standard = from_long(text)?;
        &standard
    } else {
        text
    };
    let (host, container) = text.rsplit_once(':').unwrap_or(("", text));
    let (ip, host_port) = host.rsplit_once(':').unwrap_or(("", host));
    let (ports, protocol) = container.split_once('/').unwrap_or((container, ""));
    if ports.is_empty() {
        return Err(format!("no port specified: {text}<empty>"));
    }
    let protocol = protocol_of(protocol)?;
    let host_ip = host_ip(ip)?;
    let (first, last) =
        range(ports).ok().filter(|(first, _)| *first > 0).ok_or_else(|| format!("invalid containerPort: {ports}"))?;
    let on_host = (!host_port.is_empty())
        .then(|| range(host_port).map_err(|_| format!("invalid hostPort: {host_port}")))
        .transpose()?;
    if let Some((first_of_host, last_of_host)) = on_host
        && last - first != last_of_host - first_of_host
        && first != last
    {
        return Err(format!("invalid ranges specified for container and host Ports: {ports} and {host_port}"));
    }
    let host_ports = |port: u16| match on_host? {
        // "Any", as a user may write it as well.
        (0, 0) => None,
        (first_of_host, last_of_host) if first == last => Some((first_of_host, last_of_host)),
        (first_of_host, _) => Some((first_of_host + (port - first), first_of_host + (port - first))),
    };
    let one = |number| Publish { port: Port { number, protocol }, host_ip, host_ports: host_ports(number) };
    Ok((first..=last).map(one).collect())
}

fn from_long(text: &str) -> Result<String, String> {
    let (mut published, mut target, mut protocol) = ("", "", "tcp");
    for field in text.split(',') {
        let pair = field.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) =
            pair.ok_or_else(|| format!("invalid publish opts format (should be name=value but got '{field}')"))?;
        match key {
            "published" => published = value,
            "target" => target = value,
            "protocol" => protocol = value,
            // As with Docker, which knows `mode` from services, other names are no matter.
            _ => {}
        }
    }
    Ok(format!("{published}:{target}/{protocol}"))
}

fn protocol_of(text: &str) -> Result<Protocol, String> {
    let text = if text.is_empty() { "tcp" } else { text };
    text.parse().map_err(|_| format!("invalid proto: {}", text.to_lowercase()))
}

fn host_ip(text: &str) -> Result<Option<IpAddr>, String> {
    let bare = match text.strip_prefix('[') {
        None => text,
        Some(rest) => rest
            .strip_suffix(']')
            .ok_or_else(|| format!("invalid IP address {text}: address {text}:: missing ']' in address"))?,
    };
    if bare.is_empty() {
        return Ok(None);
    }
    bare.parse().map(Some).map_err(|_| format!("invalid IP address: {bare}"))
}

/// `80`, `80-90`; the error is Go's.
fn range(text: &str) -> Result<(u16, u16), String> {
    let number = |text: &str| {
        text.parse::<u16>().ok().filter(|_| !text.starts_with('+')).ok_or_else(|| {
            let too_large = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let why = if too_large { "value out of range" } else { "invalid syntax" };
            format!("strconv.ParseUint: parsing {text:?}: {why}")
        })
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if last < first { Err(format!("invalid range specified for port: {text}")) } else { Ok((first, last)) }
}

/// `--expose port[-port][/protocol]`.
pub(crate) fn expose(text: &str) -> Result<Vec<Port>, String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, ""));
    let (first, last) =
        if ports.is_empty() { Err("empty string specified for ports".to_owned()) } else { range(ports) }
            .map_err(|why| format!("invalid range format for --expose: {text}, error: {why}"))?;
    let protocol = protocol_of(protocol)?;
    Ok((first..=last).map(|number| Port { number, protocol }).collect())
}

/// All `--egress` of a container or a network: what each allows is allowed. The error names the value.
pub(crate) fn egress<'a>(texts: &[&'a str]) -> Result<Option<Egress>, (&'a str, String)> {
    if texts.is_empty() {
        return Ok(None);
    }
    let mut policy = Egress::default();
    for text in texts {
        if *text == "none" {
            continue;
        }
        let Some(list) = text.strip_prefix("allow=") else {
            return Err((text, "must be \"none\" or \"allow=\" and a list of addresses, ranges and names".into()));
        };
        for word in list.split(',') {
            allow(&mut policy, word.trim()).map_err(|why| (*text, why))?;
        }
    }
    let allows = !policy.subnets.is_empty() || !policy.names.is_empty();
    match texts.iter().find(|text| **text == "none") {
        Some(text) if allows => Err((text, "another --egress allows something".into())),
        Some(_) | None => Ok(Some(policy)),
    }
}

fn allow(policy: &mut Egress, word: &str) -> Result<(), String> {
    if let Ok(address) = word.parse::<IpAddr>() {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        policy.subnets.extend(Subnet::new(address, bits));
    } else if word.contains('/') {
        policy.subnets.push(word.parse().map_err(|e: spec::address::AddressError| e.to_string())?);
    } else {
        policy.names.push(name(word)?);
    }
    Ok(())
}

/// A domain name, or all below one.
fn name(word: &str) -> Result<String, String> {
    let lower = word.strip_suffix('.').unwrap_or(word).to_ascii_lowercase();
    let labels = lower.strip_prefix("*.").unwrap_or(&lower);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // Four numbers are an address that is none, and not a name.
    let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    let malformed =
        lower.len() > 253 || !labels.split('.').all(is_label) || labels.split('.').next_back().is_some_and(is_number);
    if malformed {
        return Err(format!("{word:?} is no address, no range of addresses and no name (*. may stand before one)"));
    }
    Ok(lower)
}

#[cfg(test)]
mod tests;
