//! The subnets of a new network: what was asked for, checked as Docker checks it, and what was not, chosen. Pure, but for random bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use network::{NetworkError, pool};
use spec::address::{AddressError, Subnet};
use spec::network::Pool;

use crate::error::Error;

/// An address with a length, as typed: a subnet where nothing is behind the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// As typed.
    pub address: IpAddr,
    /// The length.
    pub bits: u8,
}

impl Prefix {
    /// What it is a part of.
    #[must_use]
    pub fn subnet(self) -> Subnet {
        Subnet::new(self.address, self.bits).expect("the length was checked when it was read")
    }

    fn is_whole(self) -> bool {
        self.subnet().address() == self.address
    }
}

impl FromStr for Prefix {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Prefix, AddressError> {
        let subnet: Subnet = text.parse()?;
        let address = text.split('/').next().and_then(|address| address.parse().ok());
        Ok(Prefix { address: address.unwrap_or_else(|| subnet.address()), bits: subnet.bits() })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// `--subnet` with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPool {
    /// `--subnet`.
    pub subnet: Prefix,
    /// `--ip-range`.
    pub range: Option<Prefix>,
    /// `--gateway`.
    pub gateway: Option<IpAddr>,
    /// `--aux-address`.
    pub aux: BTreeMap<String, IpAddr>,
}

/// What is wrong with them, all of it, in Docker's words (moby `ValidateIPAM`).
pub(super) fn check(wanted: &[WantedPool], ipv6: bool) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for pool in wanted.iter().filter(|pool| ipv6 || pool.subnet.address.is_ipv4()) {
        let subnet = pool.subnet;
        if !subnet.is_whole() {
            wrong.push(format!("invalid subnet {subnet}: it should be {}", subnet.subnet()));
        }
        check_range(pool, &mut wrong);
        let mut inside = |what: &str, address: IpAddr| {
            if let Err(why) = check_inside(subnet, address) {
                wrong.push(format!("invalid {what}: {why}"));
            }
        };
        if let Some(gateway) = pool.gateway {
            inside(&format!("gateway {gateway}"), gateway);
        }
        for (name, address) in &pool.aux {
            inside(&format!("auxiliary address {name}"), *address);
        }
    }
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::Invalid(format!("invalid network config:\n{one}"))),
        several => Err(Error::Invalid(format!("invalid network config:\n* {}", several.join("\n* ")))),
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn check_range(pool: &WantedPool, wrong: &mut Vec<String>) {
    let (subnet, Some(range)) = (pool.subnet, pool.range) else { return };
    if range.address.is_ipv4() != subnet.address.is_ipv4() {
        wrong.push(format!("invalid ip-range {range}: parent subnet is an {} block", family(subnet.address)));
        return;
    }
    if range.bits < subnet.bits {
        wrong.push(format!("invalid ip-range {range}: CIDR block is bigger than its parent subnet {subnet}"));
    }
    if !range.is_whole() {
        wrong.push(format!("invalid ip-range {range}: it should be {}", range.subnet()));
    }
    if !subnet.subnet().overlaps(range.subnet()) {
        wrong.push(format!("invalid ip-range {range}: parent subnet {subnet} doesn't contain ip-range"));
    }
}

fn check_inside(subnet: Prefix, address: IpAddr) -> Result<(), String> {
    if address.is_ipv4() != subnet.address.is_ipv4() {
        return Err(format!("parent subnet is an {} block", family(subnet.address)));
    }
    if !subnet.subnet().contains(address) {
        return Err(format!("parent subnet {subnet} doesn't contain this address"));
    }
    Ok(())
}

/// Whether the host has an address in the pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gateway {
    /// One is chosen unless it was asked for.
    Needed,
    /// Only one that was asked for.
    IfAsked,
}

/// A pool of the user's.
pub(super) fn given(wanted: &WantedPool, gateway: Gateway) -> Result<Pool, Error> {
    let subnet = wanted.subnet.subnet();
    check_kind(subnet)?;
    let taken = |address: IpAddr| is_reserved(subnet, address);
    if let Some(address) = wanted.gateway.filter(|address| taken(*address)) {
        return Err(Error::Invalid(format!("failed to allocate gateway ({address}): Address already in use")));
    }
    let gateway = match (wanted.gateway, gateway) {
        (Some(address), _) => Some(address),
        (None, Gateway::IfAsked) => None,
        (None, Gateway::Needed) => Some(first_free(subnet, &wanted.aux)?),
    };
    for (name, address) in &wanted.aux {
        let twice = wanted.aux.iter().any(|(other, same)| other < name && same == address);
        if Some(*address) == gateway || taken(*address) || twice {
            return Err(Error::Invalid(format!(
                "failed to allocate secondary ip address ({name}:{address}): Address already in use"
            )));
        }
    }
    let range = wanted.range.map(Prefix::subnet);
    Ok(Pool { subnet, range, gateway, aux: wanted.aux.clone(), given: true })
}

/// A pool of the engine's choice.
pub(super) fn chosen(subnet: Subnet, gateway: Gateway) -> Result<Pool, Error> {
    let aux = BTreeMap::new();
    let gateway = match gateway {
        Gateway::Needed => Some(first_free(subnet, &aux)?),
        Gateway::IfAsked => None,
    };
    Ok(Pool { subnet, range: None, gateway, aux, given: false })
}

/// The network's own address and the one for all: nobody's.
fn is_reserved(subnet: Subnet, address: IpAddr) -> bool {
    let small = if address.is_ipv4() { subnet.bits() >= 31 } else { subnet.bits() >= 127 };
    !small && (address == subnet.address() || (address.is_ipv4() && address == subnet.last()))
}

fn first_free(subnet: Subnet, aux: &BTreeMap<String, IpAddr>) -> Result<IpAddr, Error> {
    let is_free = |address: &IpAddr| !aux.values().any(|other| other == address) && !is_reserved(subnet, *address);
    // Of so many addresses as there are others, and one more, one is free where there is one.
    let most = u128::try_from(aux.len()).unwrap_or(u128::MAX).saturating_add(1);
    let room = if subnet.address().is_ipv4() { subnet.bits() < 32 } else { subnet.bits() < 128 };
    let found = (1..=most).filter_map(|n| subnet.nth(n)).find(is_free).filter(|_| room);
    found.ok_or_else(|| {
        Error::Invalid(format!(
            "failed to allocate gateway (): no available {} addresses on this network's address pools: {subnet}",
            family(subnet.address())
        ))
    })
}

/// Subnets that no network can have.
fn check_kind(subnet: Subnet) -> Result<(), Error> {
    let address = subnet.address();
    let invalid = |text: String| Err(Error::Invalid(text));
    if address.is_multicast() {
        return invalid(format!("multicast subnet '{subnet}' is not allowed"));
    }
    match address {
        IpAddr::V4(_) if subnet.bits() == 0 => invalid("ipv4 pool is empty".into()),
        IpAddr::V6(_) if subnet.bits() == 0 => invalid("ipv6 pool is empty".into()),
        IpAddr::V4(_) if address.is_loopback() => invalid(format!("loopback subnet '{subnet}' is not allowed")),
        IpAddr::V4(_) => Ok(()),
        IpAddr::V6(_) => {
            let link_local: Subnet = "fe80::/64".parse().expect("a subnet");
            if subnet != link_local && subnet.overlaps(link_local) {
                return invalid(format!("'{subnet}' clashes with the Link-Local prefix 'fe80::/64'"));
            }
            Ok(())
        }
    }
}

/// The first free subnet of the pools; without IPv6 pools, one made up.
pub(super) fn choose(pools: &[pool::Default], taken: &[Subnet], ipv6: bool) -> Result<Subnet, Error> {
    let of_family: Vec<pool::Default> =
        pools.iter().filter(|pool| pool.base.address().is_ipv6() == ipv6).copied().collect();
    if ipv6 && of_family.is_empty() {
        let mut random = [0; 5];
        crate::container::random(&mut random)?;
        return Ok(pool::unique_local(random));
    }
    pool::choose(&of_family, taken).ok_or_else(|| NetworkError::NoSubnet.into())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `subnet [range=…] [gateway=…] [name=address]…`
    fn wanted(text: &str) -> WantedPool {
        let mut words = text.split_whitespace();
        let mut pool = WantedPool {
            subnet: words.next().unwrap().parse().unwrap(),
            range: None,
            gateway: None,
            aux: BTreeMap::new(),
        };
        for word in words {
            match word.split_once('=').unwrap() {
                ("range", value) => pool.range = Some(value.parse().unwrap()),
                ("gateway", value) => pool.gateway = Some(value.parse().unwrap()),
                (name, value) => drop(pool.aux.insert(name.into(), value.parse().unwrap())),
            }
        }
        pool
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn what_is_asked_for_fits_together() {
        let said = |text: &str, expected: Expect| {
            let wanted = wanted(text);
            let done = super::check(std::slice::from_ref(&wanted), true).and_then(|()| given(&wanted, Gateway::Needed));
            expected.assert_eq(&done.map_or_else(
                |e| format!("! {e}"),
                |pool| format!("{:?} {:?} {:?} {:?}", pool.subnet, pool.range, pool.gateway, pool.aux),
            ));
        };
        said("10.1.0.0/24", expect!["10.1.0.0/24 None Some(10.1.0.1) {}"]);
        said(
            "10.1.0.0/24 a=10.1.0.1 b=10.1.0.2",
            expect![[r#"10.1.0.0/24 None Some(10.1.0.3) {"a": 10.1.0.1, "b": 10.1.0.2}"#]],
        );
        said(
            "10.1.0.0/24 range=10.1.0.128/25 gateway=10.1.0.254",
            expect!["10.1.0.0/24 Some(10.1.0.128/25) Some(10.1.0.254) {}"],
        );
        said("fd00::/64", expect!["fd00::/64 None Some(fd00::1) {}"]);
        said("10.1.0.0/30", expect!["10.1.0.0/30 None Some(10.1.0.1) {}"]);
        said("10.1.0.0/31", expect!["10.1.0.0/31 None Some(10.1.0.1) {}"]);
        said(
            "10.1.0.0/32",
            expect![
                "! failed to allocate gateway (): no available IPv4 addresses on this network's address pools: 10.1.0.0/32"
            ],
        );
        said(
            "10.1.0.5/24",
            expect![[r#"
            ! invalid network config:
            invalid subnet 10.1.0.5/24: it should be 10.1.0.0/24"#]],
        );
        said(
            "10.1.0.0/24 range=10.1.0.3/25",
            expect![[r#"
            ! invalid network config:
            invalid ip-range 10.1.0.3/25: it should be 10.1.0.0/25"#]],
        );
        said(
            "10.1.0.0/24 range=10.0.0.0/8",
            expect![[r#"
            ! invalid network config:
            invalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet 10.1.0.0/24"#]],
        );
        said(
            "10.1.0.0/24 range=10.2.0.0/25",
            expect![[r#"
            ! invalid network config:
            invalid ip-range 10.2.0.0/25: parent subnet 10.1.0.0/24 doesn't contain ip-range"#]],
        );
        said(
            "10.1.0.0/24 range=fd00::/64",
            expect![[r#"
            ! invalid network config:
            invalid ip-range fd00::/64: parent subnet is an IPv4 block"#]],
        );
        said(
            "10.1.0.0/24 gateway=10.2.0.1",
            expect![[r#"
            ! invalid network config:
            invalid gateway 10.2.0.1: parent subnet 10.1.0.0/24 doesn't contain this address"#]],
        );
        said(
            "10.1.0.0/24 gateway=fd00::1",
            expect![[r#"
            ! invalid network config:
            invalid gateway fd00::1: parent subnet is an IPv4 block"#]],
        );
        said(
            "10.1.0.0/24 gateway=10.1.0.0",
            expect!["! failed to allocate gateway (10.1.0.0): Address already in use"],
        );
        said(
            "10.1.0.0/24 gateway=10.1.0.255",
            expect!["! failed to allocate gateway (10.1.0.255): Address already in use"],
        );
        said(
            "10.1.0.0/24 a=10.2.0.1",
            expect![[r#"
            ! invalid network config:
            invalid auxiliary address a: parent subnet 10.1.0.0/24 doesn't contain this address"#]],
        );
        said(
            "10.1.0.0/24 gateway=10.1.0.9 a=10.1.0.9",
            expect!["! failed to allocate secondary ip address (a:10.1.0.9): Address already in use"],
        );
        said(
            "10.1.0.7/24 gateway=10.2.0.1 a=10.3.0.1",
            expect![[r#"
            ! invalid network config:
            * invalid subnet 10.1.0.7/24: it should be 10.1.0.0/24
            * invalid gateway 10.2.0.1: parent subnet 10.1.0.7/24 doesn't contain this address
            * invalid auxiliary address a: parent subnet 10.1.0.7/24 doesn't contain this address"#]],
        );
        said("224.0.0.0/8", expect!["! multicast subnet '224.0.0.0/8' is not allowed"]);
        said("127.0.0.0/8", expect!["! loopback subnet '127.0.0.0/8' is not allowed"]);
        said("0.0.0.0/0", expect!["! ipv4 pool is empty"]);
        said("fe80::/80", expect!["! 'fe80::/80' clashes with the Link-Local prefix 'fe80::/64'"]);
        said("fe80::/64", expect!["fe80::/64 None Some(fe80::1) {}"]);
        said("ff02::/64", expect!["! multicast subnet 'ff02::/64' is not allowed"]);
    }
}
