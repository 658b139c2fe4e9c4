//! What networks, containers and ports are in the table: pure.

use std::net::IpAddr;

use spec::address::{Protocol, Subnet};
use spec::network::{Bridge, Driver, Endpoint, GatewayMode, Network, Published};

use super::nft::{Element, IPV4, IPV6, Key};

fn element(set: &'static str, key: Key) -> Element {
    Element { set, key: key.done(), end: None, value: None, timeout_ms: None }
}

/// One of two sets, by family.
pub(super) fn by_family(address: IpAddr, sets: [&'static str; 2]) -> &'static str {
    if address.is_ipv4() { sets[0] } else { sets[1] }
}

/// Elements that are always there: who looks whether sets were emptied looks for these. No packet matches them.
pub(super) fn sentinels() -> Vec<Element> {
    let nowhere = |set, length: usize| Element {
        value: Some(vec![0; length]),
        ..element(set, Key::default().bytes(&[0]).bytes(&[0; 2]))
    };
    vec![nowhere("any4", 8), nowhere("any6", 20), element("bridges", Key::default().device(""))]
}

/// What a network has in the table.
pub(super) fn of_network(network: &Network) -> Vec<Element> {
    let Driver::Bridge(bridge) = &network.driver else { return Vec::new() };
    let device = || Key::default().device(&bridge.device);
    let mut elements = vec![element("bridges", device())];
    if bridge.icc {
        elements.push(element("same", device().device(&bridge.device)));
    }
    if network.internal {
        elements.push(element("internal", device()));
    }
    for pool in &network.pools {
        let mut own = interval(["own4", "own6"], Key::default(), pool.subnet);
        own.key = Key::default().bytes(&own.key).device(&bridge.device).done();
        own.end = own.end.map(|end| Key::default().bytes(&end).device(&bridge.device).done());
        elements.push(own);
        elements.extend(of_gateway(network, bridge, pool.subnet.address().is_ipv4()));
    }
    elements
}

fn of_gateway(network: &Network, bridge: &Bridge, is_four: bool) -> Vec<Element> {
    let keyed = |set| {
        let family = if is_four { IPV4 } else { IPV6 };
        element(set, Key::default().bytes(&[family]).device(&bridge.device))
    };
    let leaving = (bridge.masquerade && !network.internal).then(|| keyed("leaving"));
    match bridge.gateway_mode[usize::from(!is_four)] {
        GatewayMode::Nat => leaving.into_iter().collect(),
        GatewayMode::NatUnprotected => leaving.into_iter().chain([keyed("open")]).collect(),
        GatewayMode::Routed => vec![keyed("routed")],
        GatewayMode::Isolated => Vec::new(),
    }
}

/// Of a family whose packets the host passes on since kist came.
pub(super) fn closed(is_four: bool) -> Element {
    of_family("closed", is_four)
}

/// Of a family whose bridges show their packets to the packet filter.
pub(super) fn filtered(is_four: bool) -> Element {
    of_family("filtered", is_four)
}

fn of_family(set: &'static str, is_four: bool) -> Element {
    // A key of one field is not filled up.
    Element { key: vec![if is_four { IPV4 } else { IPV6 }], ..element(set, Key::default()) }
}

fn interval(sets: [&'static str; 2], before: Key, subnet: Subnet) -> Element {
    let set = by_family(subnet.address(), sets);
    let before = before.done();
    let with = |address| Key::default().bytes(&before).address(address).done();
    Element { set, key: with(subnet.address()), end: Some(with(subnet.last())), value: None, timeout_ms: None }
}

/// What a container's policy has in the table.
pub(super) fn of_policy(endpoint: &Endpoint, allowed: &[Subnet]) -> Vec<Element> {
    let mut elements = Vec::new();
    for address in endpoint.addresses() {
        elements.push(policed(address));
        let subnets = allowed.iter().filter(|subnet| subnet.address().is_ipv4() == address.is_ipv4());
        let from = || Key::default().address(address);
        elements
            .extend(disjoint(subnets.copied()).into_iter().map(|to| interval(["allowed4", "allowed6"], from(), to)));
    }
    elements
}

/// That a container has a policy.
pub(super) fn policed(address: IpAddr) -> Element {
    element(by_family(address, ["policed4", "policed6"]), Key::default().address(address))
}

/// A set of intervals takes none that overlap: without those that lie in others.
fn disjoint(subnets: impl Iterator<Item = Subnet>) -> Vec<Subnet> {
    let mut all: Vec<Subnet> = subnets.collect();
    all.sort_by_key(|subnet| (subnet.bits(), *subnet));
    let mut kept: Vec<Subnet> = Vec::new();
    for subnet in all {
        if !kept.iter().any(|wider| wider.overlaps(subnet)) {
            kept.push(subnet);
        }
    }
    kept
}

/// That a container may speak to an address for a while, because a name of its policy has it.
pub(super) fn named(from: IpAddr, to: IpAddr, timeout_ms: u64) -> Element {
    let set = by_family(from, ["named4", "named6"]);
    Element { timeout_ms: Some(timeout_ms), ..element(set, Key::default().address(from).address(to)) }
}

/// What published ports have in the table. They lead to the first endpoint with an address of their family.
pub(super) fn of_ports(ends: &[(&Endpoint, GatewayMode, GatewayMode)], ports: &[Published]) -> Vec<Element> {
    let four = ends.iter().find_map(|(end, mode, _)| end.ipv4.map(|(address, _)| (IpAddr::from(address), *mode)));
    let six = ends.iter().find_map(|(end, _, mode)| end.ipv6.map(|(address, _)| (IpAddr::from(address), *mode)));
    let lead = |port: &Published| {
        let (address, mode) = if port.host_ip.is_ipv4() { four? } else { six? };
        Some(match mode {
            GatewayMode::Nat | GatewayMode::NatUnprotected => of_port(port, address),
            GatewayMode::Routed | GatewayMode::Isolated => {
                let key = at(Key::default().address(address), port.port.protocol, port.port.number);
                element(by_family(address, ["routed4", "routed6"]), key)
            }
        })
    };
    let mut elements: Vec<Element> = ports.iter().filter_map(lead).collect();
    elements.sort_by(|a, b| (a.set, &a.key).cmp(&(b.set, &b.key)));
    elements.dedup_by(|a, b| (a.set, &a.key) == (b.set, &b.key));
    elements
}

/// Where who was not translated is relayed to: the address that rules for IPv6 would lead to, or of a container that has none the one
/// that rules for IPv4 lead to. What is reached by its own address is not relayed to.
pub(super) fn relayed(ends: &[(&Endpoint, GatewayMode, GatewayMode)]) -> Option<IpAddr> {
    let six = ends.iter().find_map(|(end, _, mode)| end.ipv6.map(|(address, _)| (IpAddr::from(address), *mode)));
    let four = ends.iter().find_map(|(end, mode, _)| end.ipv4.map(|(address, _)| (IpAddr::from(address), *mode)));
    let (address, mode) = six.or(four)?;
    match mode {
        GatewayMode::Nat | GatewayMode::NatUnprotected => Some(address),
        GatewayMode::Routed | GatewayMode::Isolated => None,
    }
}

fn of_port(port: &Published, address: IpAddr) -> Element {
    let value = Key::default().address(address).bytes(&port.port.number.to_be_bytes()).done();
    Element { value: Some(value), ..host_port(port) }
}

/// The key of a host port, which says that it is some container's.
pub(super) fn host_port(port: &Published) -> Element {
    let (sets, key) = if port.host_ip.is_unspecified() {
        (["any4", "any6"], Key::default())
    } else {
        (["host4", "host6"], Key::default().address(port.host_ip))
    };
    element(by_family(port.host_ip, sets), at(key, port.port.protocol, port.host_port))
}

fn at(key: Key, protocol: Protocol, port: u16) -> Key {
    key.bytes(&[number(protocol)]).bytes(&port.to_be_bytes())
}

/// As IANA numbers protocols.
pub(super) fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}
