//! What follows from a container's record, its settings and its networks: gateways, names, lines for its files, ports. Reads, and takes nothing.

use std::net::IpAddr;

use disk::{Home, read};
use network::endpoint::Routes;
use network::record;
use network::resolver::Known;
use spec::address::Port;
use spec::container::Config;
use spec::id::{ContainerId, NetworkId};
use spec::network::{Attachment, Defaults, Driver, Egress, Endpoint, GatewayMode, Network, Publish};

use super::JoinError;
use crate::etc::{self, Asks, Line};
use crate::status;

/// The network without names.
const BRIDGE: &str = "bridge";

/// Everything known of the networks of a container, in the order of its attachments.
pub(super) struct Places {
    pub(super) networks: Vec<Network>,
    pub(super) attachments: Vec<Attachment>,
}
impl Places {
    pub(super) fn read(home: &Home, attachments: &[Attachment]) -> Result<Places, JoinError> {
        let network = |attachment: &Attachment| {
            record::by_id(home, &attachment.network)?.ok_or_else(|| JoinError::Gone(attachment.network.clone()))
        };
        let networks = attachments.iter().map(network).collect::<Result<_, _>>()?;
        Ok(Places { networks, attachments: attachments.to_vec() })
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (&Network, &Attachment)> {
        self.networks.iter().zip(&self.attachments)
    }

    pub(super) fn network(&self, id: &NetworkId) -> Option<&Network> {
        self.networks.iter().find(|network| network.id == *id)
    }

    /// Who has the default route: IPv4, IPv6. The highest priority, of equals the first by name (moby `epHeap`).
    pub(super) fn gateways(&self, endpoints: &[Endpoint]) -> [Option<Endpoint>; 2] {
        let mut order: Vec<_> = self.each().filter(|(network, _)| !network.internal).collect();
        order.sort_by_key(|(network, attachment)| (std::cmp::Reverse(attachment.gateway_priority), &network.name));
        [0, 1].map(|family| {
            let has_gateway = |endpoint: &&Endpoint| match family {
                0 => endpoint.ipv4.is_some() && endpoint.gateway4.is_some(),
                _ => endpoint.ipv6.is_some() && endpoint.gateway6.is_some(),
            };
            order
                .iter()
                .filter(|(network, _)| leads_out(network, family))
                .find_map(|(network, _)| {
                    endpoints.iter().filter(has_gateway).find(|endpoint| endpoint.network == network.id)
                })
                .cloned()
        })
    }

    pub(super) fn known(&self) -> Vec<Known> {
        let known = |(network, attachment): (&Network, &Attachment)| Known {
            id: network.id.clone(),
            name: network.name.clone(),
            links: attachment
                .links
                .iter()
                .filter_map(|link| {
                    let (id, alias) = link.split_once(':')?;
                    Some((alias.to_owned(), id.parse().ok()?))
                })
                .collect(),
        };
        self.each().filter(|(network, _)| network.name != BRIDGE).map(known).collect()
    }

    pub(super) fn policies<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = &'a Egress> {
        config.host.egress.iter().chain(self.networks.iter().filter_map(|network| network.egress.as_ref()))
    }
}

pub(super) fn leads_out(network: &Network, family: usize) -> bool {
    match &network.driver {
        Driver::Bridge(bridge) => bridge.gateway_mode[family] != GatewayMode::Isolated,
        Driver::Macvlan { .. } | Driver::Ipvlan { .. } => true,
        Driver::Host | Driver::Null => false,
    }
}

pub(super) fn routes(gateways: &[Option<Endpoint>; 2], endpoint: &Endpoint) -> Routes {
    Routes { default: gateways.each_ref().map(|gateway| gateway.as_ref().is_some_and(|one| one.id == endpoint.id)) }
}

/// Where published ports lead.
pub(super) fn targets(gateways: &[Option<Endpoint>; 2]) -> Vec<Endpoint> {
    let mut targets: Vec<Endpoint> = gateways.iter().flatten().cloned().collect();
    targets.dedup();
    targets
}

/// Names are asked of the resolver where there are any, where a policy watches over them, and where nobody else could be asked.
pub(super) fn asks(config: &Config, places: &Places, defaults: &Defaults, of_host: &str) -> Asks {
    let has_names = places.networks.iter().any(|network| network.name != BRIDGE);
    if has_names || places.policies(config).next().is_some() || !etc::has_servers(config, defaults, of_host) {
        Asks::Resolver
    } else {
        Asks::Servers
    }
}

/// The host as its containers see it: the gateways of their first bridge.
pub(super) fn host_gateways(places: &Places, endpoints: &[Endpoint]) -> Vec<IpAddr> {
    let is_bridge = |endpoint: &&Endpoint| {
        places.network(&endpoint.network).is_some_and(|network| matches!(network.driver, Driver::Bridge(_)))
    };
    let first = endpoints.iter().find(is_bridge);
    let addresses = first.map(|endpoint| {
        endpoint.gateway4.map(IpAddr::from).into_iter().chain(endpoint.gateway6.map(IpAddr::from)).collect()
    });
    addresses.unwrap_or_default()
}

/// What a container is found by, best first (moby `buildEndpointDNSNames`).
pub(super) fn names(
    home: &Home,
    config: &Config,
    network: &Network,
    attachment: &Attachment,
) -> Result<Vec<String>, JoinError> {
    if network.name == BRIDGE {
        return Ok(Vec::new());
    }
    let name = name_of(home, &config.id, &config.name)?;
    let own = [config.id.short(), config.hostname.as_str()];
    let all = std::iter::once(name.as_str()).chain(attachment.aliases.iter().map(String::as_str)).chain(own);
    let mut names: Vec<String> = Vec::new();
    // What no question could ask for is no name.
    for name in all.filter_map(network::lease::file_name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The name of a container; empty while it is being removed. `guess`: what it was called last.
pub(super) fn name_of(home: &Home, id: &ContainerId, guess: &str) -> Result<String, JoinError> {
    let name = disk::links::name_of(&home.names(), id.as_str(), guess);
    Ok(name.map_err(|e| JoinError::Io("reading the containers' names", e))?.unwrap_or_default())
}

/// The name that an address of a container is translated to.
pub(super) fn first_name(home: &Home, id: &ContainerId, address: IpAddr) -> Option<String> {
    let state = status::of(home, id).ok()?;
    let endpoint = state.endpoints.into_iter().find(|endpoint| endpoint.addresses().any(|own| own == address))?;
    endpoint.names.into_iter().next()
}

/// Lines for `--link` on the default bridge (moby `setupLinkedContainers`): alias, host name, and the name if it is another.
pub(super) fn links(home: &Home, config: &Config, places: &Places) -> Result<Vec<Line>, JoinError> {
    let mut lines = Vec::new();
    let on_bridge = places.each().filter(|(network, _)| network.name == BRIDGE);
    for (network, link) in
        on_bridge.flat_map(|(network, attachment)| attachment.links.iter().map(move |l| (network, l)))
    {
        let (id, alias) = link.split_once(':').unwrap_or((link, ""));
        let Ok(id) = id.parse::<ContainerId>() else { continue };
        let name = name_of(home, &id, "")?;
        let alias = if alias.is_empty() { name.as_str() } else { alias };
        let state = status::of(home, &id)?;
        let endpoint = state.endpoints.iter().find(|endpoint| endpoint.network == network.id);
        let (Some(endpoint), Some(linked)) = (endpoint, read::<Config>(&home.container(&id))?) else {
            let own = name_of(home, &config.id, &config.name)?;
            return Err(JoinError::Link(format!("/{name}"), format!("/{own}/{alias}")));
        };
        let mut names = format!("{alias} {}", linked.hostname);
        if alias != name {
            names = format!("{names} {name}");
        }
        lines.extend(endpoint.addresses().map(|address| Line { address: address.to_string(), names: names.clone() }));
    }
    Ok(lines)
}

/// The lowest number that no interface has.
pub(super) fn first_free(endpoints: &[Endpoint]) -> u32 {
    let is_free = |n: &u32| endpoints.iter().all(|endpoint| endpoint.interface != format!("eth{n}"));
    (0..).find(is_free).unwrap_or_default()
}

/// `-p`, and with `-P` every exposed port that has none.
pub(super) fn wanted_ports(config: &Config) -> Vec<Publish> {
    let mut wanted = config.host.publish.clone();
    if config.host.publish_all {
        for port in config.exposed_ports.iter().flat_map(|text| exposed(text)) {
            if !config.host.publish.iter().any(|publish| publish.port == port) {
                wanted.push(Publish { port, host_ip: None, host_ports: None });
            }
        }
    }
    wanted
}

/// `80`, `80/tcp`, `8000-8010/udp`.
pub(super) fn exposed(text: &str) -> Vec<Port> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (Ok(first), Ok(last), Ok(protocol)) = (first.parse::<u16>(), last.parse::<u16>(), protocol.parse()) else {
        return Vec::new();
    };
    (first..=last).map(|number| Port { number, protocol }).collect()
}
