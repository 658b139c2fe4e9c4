//! What a container has on networks, in Docker's words.

use std::collections::BTreeMap;

use engine::container::View;
use engine::network::attach::Link;
use engine::network::places::{self, Place};
use spec::address::{Port, Protocol};
use spec::network::Publish;

use crate::wire::container::{Endpoint, EndpointIpam, NetworkSettings, PortBinding};
use crate::wire::container_row;
use crate::wire::go::{List, Map};

/// The default network, which has fields of its own beside the others'.
const DEFAULT: &str = "bridge";

/// Where its ports are published, and which are exposed only: while it has a place that the host leads to.
fn ports(view: &View) -> BTreeMap<Port, Vec<PortBinding>> {
    let mut ports: BTreeMap<Port, Vec<PortBinding>> = BTreeMap::new();
    if view.state.endpoints.iter().any(|endpoint| endpoint.peer.is_some()) {
        ports.extend(view.config.exposed_ports.iter().filter_map(|port| Some((port.parse().ok()?, Vec::new()))));
    }
    for published in &view.state.published {
        let binding =
            PortBinding { host_ip: published.host_ip.to_string(), host_port: published.host_port.to_string() };
        ports.entry(published.port).or_default().push(binding);
    }
    ports
}

/// The PORTS column.
pub(crate) fn row_ports(view: &View) -> Vec<container_row::Port> {
    let row = |port: &Port, published| container_row::Port {
        published,
        private: port.number,
        protocol: match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        },
    };
    let published = &view.state.published;
    let only_exposed = ports(view).into_iter().filter(|(_, bindings)| bindings.is_empty());
    only_exposed
        .map(|(port, _)| row(&port, None))
        .chain(published.iter().map(|one| row(&one.port, Some((one.host_ip, one.host_port)))))
        .collect()
}

/// `HostConfig.PortBindings`: as asked for.
pub(super) fn port_bindings(publish: &[Publish]) -> Map<List<PortBinding>> {
    let mut bindings: BTreeMap<String, List<PortBinding>> = BTreeMap::new();
    for one in publish {
        let host_port = match one.host_ports {
            None => String::new(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        };
        let host_ip = one.host_ip.map(|ip| ip.to_string()).unwrap_or_default();
        let list = bindings.entry(one.port.to_string()).or_insert_with(|| List(Some(Vec::new())));
        list.0.get_or_insert_default().push(PortBinding { host_ip, host_port });
    }
    Map(Some(bindings))
}

/// `HostConfig.Links`: those of the default network, as paths.
pub(super) fn legacy_links(view: &View, places: &[Place]) -> List<String> {
    let of_default = places.iter().filter(|place| place.name == DEFAULT);
    let links: Vec<String> = of_default
        .flat_map(|place| &place.links)
        .map(|Link { container, alias }| format!("/{container}:/{}/{alias}", view.name))
        .collect();
    List((!links.is_empty()).then_some(links))
}

/// `Config.MacAddress`: what was asked for where the container is at home.
pub(super) fn mac_address(places: &[Place]) -> String {
    places.first().and_then(|place| place.attachment.mac).map(|mac| mac.to_string()).unwrap_or_default()
}

/// `NetworkSettings`.
pub(super) fn network_settings(view: &View, places: &[Place]) -> NetworkSettings {
    let lives = view.state.status.life();
    let networks: BTreeMap<String, Endpoint> =
        places.iter().map(|place| (place.name.clone(), endpoint(view, place))).collect();
    // Older clients look for the default network's values here.
    let of_default = networks.get(DEFAULT).cloned().unwrap_or_else(nothing);
    let bindings = |list: Vec<PortBinding>| List((!list.is_empty()).then_some(list));
    NetworkSettings {
        bridge: String::new(),
        sandbox_id: lives.map(|_| view.config.id.to_string()).unwrap_or_default(),
        sandbox_key: lives.map(|life| format!("/proc/{}/ns/net", life.pid)).unwrap_or_default(),
        ports: Map(Some(ports(view).into_iter().map(|(port, list)| (port.to_string(), bindings(list))).collect())),
        hairpin_mode: false,
        link_local_ipv6_address: String::new(),
        link_local_ipv6_prefix_len: 0,
        secondary_ip_addresses: List(None),
        secondary_ipv6_addresses: List(None),
        endpoint_id: of_default.endpoint_id,
        gateway: of_default.gateway,
        global_ipv6_address: of_default.global_ipv6_address,
        global_ipv6_prefix_len: of_default.global_ipv6_prefix_len,
        ip_address: of_default.ip_address,
        ip_prefix_len: of_default.ip_prefix_len,
        ipv6_gateway: of_default.ipv6_gateway,
        mac_address: of_default.mac_address,
        networks,
    }
}

fn nothing() -> Endpoint {
    Endpoint {
        ipam_config: None,
        links: List(None),
        aliases: List(None),
        mac_address: String::new(),
        driver_opts: Map(None),
        gw_priority: 0,
        network_id: String::new(),
        endpoint_id: String::new(),
        gateway: String::new(),
        ip_address: String::new(),
        ip_prefix_len: 0,
        ipv6_gateway: String::new(),
        global_ipv6_address: String::new(),
        global_ipv6_prefix_len: 0,
        dns_names: List(None),
    }
}

fn endpoint(view: &View, place: &Place) -> Endpoint {
    let Place { name, attachment, links, endpoint } = place;
    let text = |address: Option<String>| address.unwrap_or_default();
    let list = |words: Vec<String>| List((!words.is_empty()).then_some(words));
    let asked = attachment.ipv4.is_some() || attachment.ipv6.is_some();
    let own_names = !matches!(name.as_str(), DEFAULT | "host" | "none");
    let links = links.iter().map(|Link { container, alias }| format!("{container}:{alias}"));
    let asked_for = Endpoint {
        ipam_config: asked.then(|| EndpointIpam {
            ipv4_address: text(attachment.ipv4.map(|address| address.to_string())),
            ipv6_address: text(attachment.ipv6.map(|address| address.to_string())),
            link_local_ips: List(None),
        }),
        links: if own_names { list(links.collect()) } else { List(None) },
        aliases: list(attachment.aliases.clone()),
        driver_opts: Map((!attachment.driver_options.is_empty()).then(|| attachment.driver_options.clone())),
        gw_priority: i64::from(attachment.gateway_priority),
        network_id: attachment.network.to_string(),
        dns_names: if own_names { list(places::names(view, attachment)) } else { List(None) },
        ..nothing()
    };
    let Some(has) = endpoint else { return asked_for };
    Endpoint {
        mac_address: has.mac.to_string(),
        endpoint_id: has.id.to_string(),
        gateway: text(has.gateway4.map(|address| address.to_string())),
        ip_address: text(has.ipv4.map(|(address, _)| address.to_string())),
        ip_prefix_len: has.ipv4.map_or(0, |(_, bits)| i64::from(bits)),
        ipv6_gateway: text(has.gateway6.map(|address| address.to_string())),
        global_ipv6_address: text(has.ipv6.map(|(address, _)| address.to_string())),
        global_ipv6_prefix_len: has.ipv6.map_or(0, |(_, bits)| i64::from(bits)),
        ..asked_for
    }
}
