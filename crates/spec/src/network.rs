//! Networks, what a container asks of them, and what it has there.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::address::{Mac, Port, Subnet};
use crate::id::{EndpointId, NetworkId};
use crate::time::Time;

/// `network.json`: written once, when the network is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Which.
    pub id: NetworkId,
    /// Unique.
    pub name: String,
    /// When it was made.
    pub created: Time,
    /// What carries it.
    pub driver: Driver,
    /// `--internal`: no way out, and none in but from the host.
    pub internal: bool,
    /// `--attachable`; no effect, kept for inspect.
    pub attachable: bool,
    /// Whether its containers get IPv4 addresses.
    pub ipv4: bool,
    /// `--ipv6`.
    pub ipv6: bool,
    /// At most one for each family is used for leases.
    pub pools: Vec<Pool>,
    /// `-o`, as typed; what they mean is in `driver` and `bridge`.
    pub options: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--egress`: none, everything.
    pub egress: Option<Egress>,
}

impl Network {
    /// The pool of a family.
    #[must_use]
    pub fn pool(&self, like: IpAddr) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.subnet.address().is_ipv4() == like.is_ipv4())
    }

    /// Where a container with a policy of its own may go by this network: what both allow. None: anywhere.
    #[must_use]
    pub fn allowed(&self, own: Option<&Egress>) -> Option<Vec<Subnet>> {
        match (own, &self.egress) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(one.subnets.clone()),
            (Some(own), Some(all)) => {
                let common = |a: Subnet, b: Subnet| a.overlaps(b).then(|| if a.bits() >= b.bits() { a } else { b });
                let pairs = own.subnets.iter().flat_map(|a| all.subnets.iter().map(move |b| (*a, *b)));
                Some(pairs.filter_map(|(a, b)| common(a, b)).collect())
            }
        }
    }
}

/// What carries a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// A bridge of the host's.
    Bridge(Bridge),
    /// Devices on top of one of the host's, each with a hardware address of its own.
    Macvlan {
        /// The host's device, `name` or `name.vlan`. None: the containers reach each other only.
        parent: Option<String>,
        /// `bridge`, `private`, `vepa`, `passthru`.
        mode: String,
    },
    /// Devices on top of one of the host's, all with its hardware address.
    Ipvlan {
        /// As of `Macvlan`.
        parent: Option<String>,
        /// `l2`, `l3`, `l3s`.
        mode: String,
        /// `bridge`, `private`, `vepa`.
        flag: String,
    },
    /// The network called `host`.
    Host,
    /// The network called `none`.
    Null,
}

impl Driver {
    /// As `--driver` has it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Driver::Bridge(_) => "bridge",
            Driver::Macvlan { .. } => "macvlan",
            Driver::Ipvlan { .. } => "ipvlan",
            Driver::Host => "host",
            Driver::Null => "null",
        }
    }
}

/// A bridge network's options, named as Docker's `com.docker.network.…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// `bridge.name`: at most 15 bytes.
    pub device: String,
    /// `driver.mtu`; none: the kernel's.
    pub mtu: Option<u32>,
    /// `bridge.enable_icc`: whether its containers reach each other.
    pub icc: bool,
    /// `bridge.enable_ip_masquerade`: whether they leave with the host's address.
    pub masquerade: bool,
    /// `bridge.gateway_mode_ipv4` and `…_ipv6`.
    pub gateway_mode: [GatewayMode; 2],
    /// `bridge.host_binding_ipv4`: where ports are published unless `-p` says it.
    pub host_binding: Option<IpAddr>,
}

/// How a bridge's containers are reached from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayMode {
    /// By published ports, translated.
    #[default]
    Nat,
    /// The same, and by their own addresses.
    NatUnprotected,
    /// By published ports at their own addresses; nothing is translated.
    Routed,
    /// Not at all, and not even by the host: the bridge has no address.
    Isolated,
}

/// A range of addresses that a network gives out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// All of it.
    pub subnet: Subnet,
    /// The part that is given out unasked.
    pub range: Option<Subnet>,
    /// The host's address, or the router's. None: the network has no way out by this family.
    pub gateway: Option<IpAddr>,
    /// `--aux-address`: never given out.
    pub aux: BTreeMap<String, IpAddr>,
    /// `--subnet`, and not chosen by the engine: here alone a container may ask for an address.
    #[serde(default)]
    pub given: bool,
}

/// Who may be spoken to outside of a container's networks. Nothing listed: nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// Addresses.
    pub subnets: Vec<Subnet>,
    /// Names, lower case; `*.example.com` is all below.
    pub names: Vec<String>,
}

/// A network that a container is on: an entry of `settings.json`, in the order of its interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Which.
    pub network: NetworkId,
    /// `--ip`.
    pub ipv4: Option<Ipv4Addr>,
    /// `--ip6`.
    pub ipv6: Option<Ipv6Addr>,
    /// `--mac-address`.
    pub mac: Option<Mac>,
    /// `--network-alias`, beside the container's own names.
    pub aliases: Vec<String>,
    /// `--link`: `container[:alias]`, the container as an identifier.
    pub links: Vec<String>,
    /// `driver-opt=`.
    pub driver_options: BTreeMap<String, String>,
    /// `gw-priority=`: the highest has the default route; of equals the first by name, as Docker has it.
    pub gateway_priority: i32,
}

/// `-p`: one port of the container, and where it is to be found on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The container's.
    pub port: Port,
    /// None: all of the host's.
    pub host_ip: Option<IpAddr>,
    /// First and last of those that will do; none: whichever is free.
    pub host_ports: Option<(u16, u16)>,
}

/// A port that is published now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Published {
    /// The container's.
    pub port: Port,
    /// `0.0.0.0` and `::` are all of their family.
    pub host_ip: IpAddr,
    /// The host's.
    pub host_port: u16,
}

/// A container's place on a network, as long as its monitor lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Which.
    pub id: EndpointId,
    /// Of which network.
    pub network: NetworkId,
    /// Its device in the container: `eth0`.
    pub interface: String,
    /// The other end on the host; none: the device has none.
    pub peer: Option<String>,
    /// Its hardware address.
    pub mac: Mac,
    /// With the subnet's prefix.
    pub ipv4: Option<(Ipv4Addr, u8)>,
    /// With the subnet's prefix.
    pub ipv6: Option<(Ipv6Addr, u8)>,
    /// The gateways of its network.
    pub gateway4: Option<Ipv4Addr>,
    /// The gateways of its network.
    pub gateway6: Option<Ipv6Addr>,
    /// The names it is found by, lower case; the first is what its address is translated to. Empty on networks without names.
    pub names: Vec<String>,
}

impl Endpoint {
    /// Its addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.ipv4.map(|(a, _)| IpAddr::from(a)).into_iter().chain(self.ipv6.map(|(a, _)| IpAddr::from(a)))
    }
}

/// What the machine's owner says of all containers' networks (`engine.json`); the engine hands it to every monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Defaults {
    /// Where ports are published unless `-p` or their network says it; none: on all addresses.
    pub publish_ip: Option<IpAddr>,
    /// For containers without `--dns`.
    pub dns: Vec<String>,
    /// For containers without `--dns-search`.
    pub dns_search: Vec<String>,
    /// For containers without `--dns-option`.
    pub dns_options: Vec<String>,
    /// What the host's own rules for its input drop, published ports drop too.
    pub respect_input: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: Option<&[&str]>, of_network: Option<&[&str]>, allowed: Option<&[&str]>) {
        let subnets = |texts: &[&str]| -> Vec<Subnet> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let egress = |texts: &[&str]| Egress { subnets: subnets(texts), names: Vec::new() };
        let network = Network {
            id: NetworkId::from_bytes([1; 32]),
            name: "n".into(),
            created: Time::from_ns(0),
            driver: Driver::Null,
            internal: false,
            attachable: false,
            ipv4: true,
            ipv6: false,
            pools: Vec::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            egress: of_network.map(egress),
        };
        assert_eq!(network.allowed(own.map(egress).as_ref()), allowed.map(subnets));
    }

    #[test]
    fn what_one_policy_forbids_is_forbidden() {
        check(None, None, None);
        check(Some(&["10.0.0.0/8"]), None, Some(&["10.0.0.0/8"]));
        check(None, Some(&[]), Some(&[]));
        check(Some(&["10.0.0.0/8", "192.0.2.0/24"]), Some(&["10.1.0.0/16", "fd00::/8"]), Some(&["10.1.0.0/16"]));
        check(Some(&["10.1.2.3/32"]), Some(&["0.0.0.0/0"]), Some(&["10.1.2.3/32"]));
        check(Some(&["10.0.0.0/8"]), Some(&["192.0.2.0/24"]), Some(&[]));
    }
}
