//! `kist network create`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use engine::network::create::{Create, create};
use engine::network::ipam::{Prefix, WantedPool};
use spec::address::Subnet;

use super::strings;
use crate::cli::{Cli, say};
use crate::flags::network::{EGRESS, egress};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist network create`.
pub(crate) static NETWORK_CREATE: Verb = Verb {
    name: "network create",
    aliases: &[],
    usage: "[OPTIONS] NETWORK",
    about: "Create a network",
    words: Words::Exactly(1),
    flags: &[&[
        flag("attachable", Takes::Switch, "Enable manual container attachment"),
        flag("aux-address", Takes::List("map"), "Auxiliary IPv4 or IPv6 addresses used by Network driver"),
        flag("config-from", Takes::One("string"), ""),
        flag("config-only", Takes::Switch, ""),
        short('d', "driver", Takes::One("string"), "Driver to manage the Network (default \"bridge\")"),
        flag("egress", Takes::List("policy"), EGRESS),
        flag("gateway", Takes::List("strings"), "IPv4 or IPv6 Gateway for the master subnet"),
        flag("ingress", Takes::Switch, ""),
        flag("internal", Takes::Switch, "Restrict external access to the network"),
        flag("ip-range", Takes::List("strings"), "Allocate container ip from a sub-range"),
        flag("ipam-driver", Takes::One("string"), "IP Address Management Driver (default \"default\")"),
        flag("ipam-opt", Takes::List("map"), ""),
        flag("ipv4", Takes::SwitchOn, "Enable or disable IPv4 address assignment"),
        flag("ipv6", Takes::Switch, "Enable or disable IPv6 address assignment"),
        flag("label", Takes::List("list"), "Set metadata on a network"),
        short('o', "opt", Takes::List("map"), "Set driver specific options"),
        flag("scope", Takes::One("string"), "Control the network's scope"),
        flag("subnet", Takes::List("strings"), "Subnet in CIDR format that represents a network segment"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let pools = pools(args).map_err(Report::plain)?;
    let labels = labels(args)?;
    let egress = egress(&args.list("egress")).map_err(|(text, why)| NETWORK_CREATE.bad_value("egress", text, &why))?;
    check_swarm(args)?;
    let switch = |long: &str| args.given(long).then(|| args.on(long));
    let request = Create {
        name: args.words().first().cloned().unwrap_or_default(),
        driver: args.text("driver").unwrap_or_default().to_owned(),
        internal: args.on("internal"),
        attachable: args.on("attachable"),
        ipv4: switch("ipv4"),
        ipv6: switch("ipv6"),
        pools: pools.iter().map(WrittenPool::read).collect::<Result<_, _>>()?,
        options: map(&args.list("opt")),
        labels,
        egress,
    };
    let network = create(&cli.host()?, &request)?;
    say(network.id.as_str());
    Ok(0)
}

/// What belongs to a swarm, and what only Docker can.
fn check_swarm(args: &Args) -> Result<(), Report> {
    let refuse = |why: &str| Err(Report::plain(format!("Error response from daemon: {why}")));
    for flag in ["config-from", "config-only", "ipam-opt"] {
        if args.given(flag) {
            return Err(Report::plain(format!("--{flag} is not there yet in kist")));
        }
    }
    if args.on("ingress") {
        return refuse("Ingress network can only be global scope network");
    }
    match args.text("scope") {
        None | Some("local") => {}
        Some("swarm") => return refuse("cannot create a swarm scoped network when swarm is not active"),
        Some(other) => return refuse(&format!("invalid scope: {other}")),
    }
    match args.text("ipam-driver") {
        None | Some("default") => Ok(()),
        Some(other) => refuse(&format!("could not find plugin {other} in v1 plugin registry: plugin not found")),
    }
}

fn map(pairs: &[&str]) -> BTreeMap<String, String> {
    let pair = |text: &&str| {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        (key.to_owned(), value.to_owned())
    };
    pairs.iter().map(pair).collect()
}

fn labels(args: &Args) -> Result<BTreeMap<String, String>, Report> {
    let labels = args.list("label");
    for label in &labels {
        let name = label.split('=').next().unwrap_or(label);
        if name.is_empty() {
            return Err(NETWORK_CREATE.bad_value("label", label, &format!("invalid label '{label}': empty name")));
        }
        if name.contains([' ', '\t']) {
            let why = format!("label '{name}' contains whitespaces");
            return Err(NETWORK_CREATE.bad_value("label", label, &why));
        }
    }
    Ok(map(&labels))
}

/// A subnet and what belongs to it, as typed.
#[derive(Debug, PartialEq, Eq)]
struct WrittenPool {
    subnet: String,
    range: Option<String>,
    gateway: Option<String>,
    aux: BTreeMap<String, String>,
}

/// Puts ranges, gateways and auxiliary addresses to the subnets they lie in (docker/cli `createIPAMConfig`).
fn pools(args: &Args) -> Result<Vec<WrittenPool>, String> {
    let lists = ["subnet", "ip-range", "gateway"].map(|long| strings(&args.list(long)));
    let [subnets, ranges, gateways] = &lists;
    sort(subnets, ranges, gateways, &map(&args.list("aux-address")))
}

fn sort(
    subnets: &[&str],
    ranges: &[&str],
    gateways: &[&str],
    aux: &BTreeMap<String, String>,
) -> Result<Vec<WrittenPool>, String> {
    if subnets.len() < ranges.len() || subnets.len() < gateways.len() {
        return Err("every ip-range or gateway must have a corresponding subnet".into());
    }
    let mut pools: Vec<WrittenPool> = Vec::new();
    for subnet in subnets {
        for other in &pools {
            if matches(subnet, &other.subnet)? || matches(&other.subnet, subnet)? {
                return Err("multiple overlapping subnet configuration is not supported".into());
            }
        }
        let subnet = (*subnet).to_owned();
        pools.push(WrittenPool { subnet, range: None, gateway: None, aux: BTreeMap::new() });
    }
    for range in ranges {
        read_range(range)?;
        let pool = of(&mut pools, range)?.ok_or_else(|| format!("no matching subnet for range {range}"))?;
        if let Some(other) = &pool.range {
            return Err(format!(
                "cannot configure multiple ranges ({range}, {other}) on the same subnet ({})",
                pool.subnet
            ));
        }
        pool.range = Some((*range).to_owned());
    }
    for gateway in gateways {
        let pool = of(&mut pools, gateway)?.ok_or_else(|| format!("no matching subnet for gateway {gateway}"))?;
        if let Some(other) = &pool.gateway {
            return Err(format!(
                "cannot configure multiple gateways ({gateway}, {other}) for the same subnet ({})",
                pool.subnet
            ));
        }
        pool.gateway = Some((*gateway).to_owned());
    }
    for (name, address) in aux {
        let pool = of(&mut pools, address)?.ok_or_else(|| format!("no matching subnet for aux-address {address}"))?;
        pool.aux.insert(name.clone(), address.clone());
    }
    Ok(pools)
}

fn of<'a>(pools: &'a mut [WrittenPool], what: &str) -> Result<Option<&'a mut WrittenPool>, String> {
    for pool in pools {
        if matches(&pool.subnet, what)? {
            return Ok(Some(pool));
        }
    }
    Ok(None)
}

fn read_range(text: &str) -> Result<Prefix, String> {
    text.parse().map_err(|_| format!("invalid CIDR address: {text}"))
}

/// Whether an address, or the first of a range, lies in a subnet.
fn matches(subnet: &str, what: &str) -> Result<bool, String> {
    let subnet: Subnet = subnet.parse().map_err(|_| format!("invalid subnet: invalid CIDR address: {subnet}"))?;
    let address = if what.contains('/') { Some(read_range(what)?.address) } else { what.parse::<IpAddr>().ok() };
    Ok(address.is_some_and(|address| subnet.contains(address)))
}

impl WrittenPool {
    /// What does not look like an address here was not seen before: Docker's daemon says it.
    fn read(&self) -> Result<WantedPool, Report> {
        let refuse = |why: String| Report::from(engine::Error::Invalid(format!("invalid network config:\n{why}")));
        let subnet = &self.subnet;
        let address = |what: &str, text: &String| {
            text.parse::<IpAddr>().map_err(|_| refuse(format!("invalid {what}: invalid address")))
        };
        Ok(WantedPool {
            subnet: subnet
                .parse()
                .map_err(|_| refuse(format!("invalid subnet {subnet}: invalid CIDR block notation")))?,
            range: self.range.as_deref().map(read_range).transpose().map_err(Report::plain)?,
            gateway: self.gateway.as_ref().map(|text| address(&format!("gateway {text}"), text)).transpose()?,
            aux: self
                .aux
                .iter()
                .map(|(name, text)| Ok((name.clone(), address(&format!("auxiliary address {name}"), text)?)))
                .collect::<Result<_, Report>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn what_belongs_together_is_found_by_its_address() {
        let check = |subnets: &[&str], ranges: &[&str], gateways: &[&str], aux: &[&str], expected: Expect| {
            let said = match sort(subnets, ranges, gateways, &map(aux)) {
                Err(why) => format!("! {why}"),
                Ok(pools) => pools
                    .iter()
                    .map(|WrittenPool { subnet, range, gateway, aux }| {
                        format!("{subnet} {range:?} {gateway:?} {aux:?}\n")
                    })
                    .collect(),
            };
            expected.assert_eq(&said);
        };
        let two = &["10.0.0.0/24", "fd00::/64"];
        check(&[], &[], &[], &[], expect![[""]]);
        check(
            two,
            &["fd00::/80"],
            &["10.0.0.1", "fd00::1"],
            &["a=10.0.0.9", "b=fd00::9"],
            expect![[r#"
            10.0.0.0/24 None Some("10.0.0.1") {"a": "10.0.0.9"}
            fd00::/64 Some("fd00::/80") Some("fd00::1") {"b": "fd00::9"}
        "#]],
        );
        check(
            &["x"],
            &[],
            &[],
            &[],
            expect![[r#"
            x None None {}
        "#]],
        );
        check(&["x", "10.0.0.0/24"], &[], &[], &[], expect!["! invalid subnet: invalid CIDR address: x"]);
        check(&[], &[], &["1.2.3.4"], &[], expect!["! every ip-range or gateway must have a corresponding subnet"]);
        check(two, &[], &["10.1.0.1"], &[], expect!["! no matching subnet for gateway 10.1.0.1"]);
        check(two, &[], &["x"], &[], expect!["! no matching subnet for gateway x"]);
        check(two, &["10.0.1.0/25"], &[], &[], expect!["! no matching subnet for range 10.0.1.0/25"]);
        check(two, &["x"], &[], &[], expect!["! invalid CIDR address: x"]);
        check(
            &["10.0.0.0/24", "10.0.0.0/16"],
            &[],
            &[],
            &[],
            expect!["! multiple overlapping subnet configuration is not supported"],
        );
        check(
            two,
            &[],
            &["10.0.0.1", "10.0.0.2"],
            &[],
            expect!["! cannot configure multiple gateways (10.0.0.2, 10.0.0.1) for the same subnet (10.0.0.0/24)"],
        );
        check(
            two,
            &["10.0.0.0/25", "10.0.0.128/25"],
            &[],
            &[],
            expect!["! cannot configure multiple ranges (10.0.0.128/25, 10.0.0.0/25) on the same subnet (10.0.0.0/24)"],
        );
        check(two, &[], &[], &["x"], expect!["! no matching subnet for aux-address "]);
        check(two, &[], &[], &["a=10.9.0.9"], expect!["! no matching subnet for aux-address 10.9.0.9"]);
    }
}
