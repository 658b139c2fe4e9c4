//! `docker network inspect`, API 1.51 (moby 28.5 `api/types/network`), and a row of `network ls` (docker/cli `network/formatter.go`).

use std::collections::BTreeMap;

use engine::network::list::{Member, View};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use spec::network::{Driver, Egress, Network, Pool};

use super::container_row::{Reader, Width, labels_text};
use super::from_container::timestamp;
use super::go::{List, Map};
use crate::template::{Column, Row};
use crate::units::short_id;

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct NetworkInspect {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Created")]
    created: String,
    #[serde(rename = "Scope")]
    scope: String,
    #[serde(rename = "Driver")]
    driver: String,
    #[serde(rename = "EnableIPv4")]
    enable_ipv4: bool,
    #[serde(rename = "EnableIPv6")]
    enable_ipv6: bool,
    #[serde(rename = "IPAM")]
    ipam: Ipam,
    #[serde(rename = "Internal")]
    internal: bool,
    #[serde(rename = "Attachable")]
    attachable: bool,
    #[serde(rename = "Ingress")]
    ingress: bool,
    #[serde(rename = "ConfigFrom")]
    config_from: ConfigReference,
    #[serde(rename = "ConfigOnly")]
    config_only: bool,
    /// By identifier; never null.
    #[serde(rename = "Containers")]
    containers: BTreeMap<String, EndpointResource>,
    #[serde(rename = "Options")]
    options: Map<String>,
    #[serde(rename = "Labels")]
    labels: Map<String>,
    /// kist's own.
    #[serde(rename = "Egress", skip_serializing_if = "Option::is_none")]
    egress: Option<Policy>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Ipam {
    #[serde(rename = "Driver")]
    driver: String,
    #[serde(rename = "Options")]
    options: Map<String>,
    #[serde(rename = "Config")]
    config: List<IpamConfig>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct IpamConfig {
    #[serde(rename = "Subnet", skip_serializing_if = "String::is_empty")]
    subnet: String,
    #[serde(rename = "IPRange", skip_serializing_if = "String::is_empty")]
    ip_range: String,
    #[serde(rename = "Gateway", skip_serializing_if = "String::is_empty")]
    gateway: String,
    #[serde(rename = "AuxiliaryAddresses", skip_serializing_if = "Map::is_empty")]
    auxiliary_addresses: Map<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct ConfigReference {
    #[serde(rename = "Network")]
    network: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct EndpointResource {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "EndpointID")]
    endpoint_id: String,
    #[serde(rename = "MacAddress")]
    mac_address: String,
    #[serde(rename = "IPv4Address")]
    ipv4_address: String,
    #[serde(rename = "IPv6Address")]
    ipv6_address: String,
}

/// Who may be spoken to outside; Docker has no such thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Policy {
    /// Addresses and names; empty: nobody.
    #[serde(rename = "Allow")]
    allow: Vec<String>,
}

impl Policy {
    /// In the words of `--egress allow=`.
    pub(crate) fn of(egress: &Egress) -> Policy {
        let subnets = egress.subnets.iter().map(ToString::to_string);
        Policy { allow: subnets.chain(egress.names.iter().cloned()).collect() }
    }
}

/// From the engine's words to Docker's.
pub(crate) fn inspect(view: &View) -> NetworkInspect {
    let network = &view.network;
    let config: Vec<IpamConfig> = network.pools.iter().map(pool).collect();
    let predefined = is_predefined(network);
    NetworkInspect {
        name: network.name.clone(),
        id: network.id.to_string(),
        created: network.created.to_string(),
        scope: "local".into(),
        driver: network.driver.as_str().into(),
        enable_ipv4: network.ipv4,
        enable_ipv6: network.ipv6,
        ipam: Ipam {
            driver: "default".into(),
            options: Map((!predefined).then(BTreeMap::new)),
            config: List((!config.is_empty()).then_some(config)),
        },
        internal: network.internal,
        attachable: network.attachable,
        ingress: false,
        config_from: ConfigReference { network: String::new() },
        config_only: false,
        containers: view.members.iter().map(member).collect(),
        options: Map(Some(options(network))),
        labels: Map(Some(network.labels.clone())),
        egress: network.egress.as_ref().map(Policy::of),
    }
}

fn pool(pool: &Pool) -> IpamConfig {
    let text = |value: Option<String>| value.unwrap_or_default();
    IpamConfig {
        subnet: pool.subnet.to_string(),
        ip_range: text(pool.range.map(|range| range.to_string())),
        gateway: text(pool.gateway.map(|address| address.to_string())),
        auxiliary_addresses: Map(Some(pool.aux.iter().map(|(name, ip)| (name.clone(), ip.to_string())).collect())),
    }
}

fn member(member: &Member) -> (String, EndpointResource) {
    let has = member.endpoint.as_ref();
    let text = |value: Option<String>| value.unwrap_or_default();
    let resource = EndpointResource {
        name: member.name.clone(),
        endpoint_id: text(has.map(|has| has.id.to_string())),
        mac_address: text(has.map(|has| has.mac.to_string())),
        ipv4_address: text(has.and_then(|has| has.ipv4).map(|(address, bits)| format!("{address}/{bits}"))),
        ipv6_address: text(has.and_then(|has| has.ipv6).map(|(address, bits)| format!("{address}/{bits}"))),
    };
    (member.container.to_string(), resource)
}

/// As typed; of the default network, which nobody typed, what scripts read of it.
fn options(network: &Network) -> BTreeMap<String, String> {
    let Driver::Bridge(bridge) = &network.driver else { return network.options.clone() };
    if network.name != "bridge" {
        return network.options.clone();
    }
    [
        ("bridge.default_bridge", "true".to_owned()),
        ("bridge.enable_icc", bridge.icc.to_string()),
        ("bridge.enable_ip_masquerade", bridge.masquerade.to_string()),
        ("bridge.host_binding_ipv4", bridge.host_binding.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string())),
        ("bridge.name", bridge.device.clone()),
        ("driver.mtu", bridge.mtu.unwrap_or(1500).to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (format!("com.docker.network.{name}"), value))
    .collect()
}

/// `bridge`, `host` and `none`.
pub(crate) fn is_predefined(network: &Network) -> bool {
    matches!(network.name.as_str(), "bridge" | "host" | "none")
}

/// `docker network ls`.
pub(crate) const TABLE: &str = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";

/// `docker network ls --format raw`.
pub(crate) const RAW: &str = "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n";

/// The header.
pub(crate) const COLUMNS: &[Column] = &[
    ("CreatedAt", "CREATED AT"),
    ("Driver", "DRIVER"),
    ("ID", "NETWORK ID"),
    ("IPv4", "IPV4"),
    ("IPv6", "IPV6"),
    ("Internal", "INTERNAL"),
    ("Labels", "LABELS"),
    ("Name", "NAME"),
    ("Scope", "SCOPE"),
];

const NAMES: &[&str] = &["CreatedAt", "Driver", "ID", "IPv4", "IPv6", "Internal", "Labels", "Name", "Scope"];

/// One network.
#[derive(Debug, Clone)]
pub(crate) struct NetworkRow<'a> {
    /// Who reads.
    pub(crate) reader: &'a Reader,
    /// Which.
    pub(crate) network: Network,
}

/// As Go prints a time it was told in JSON: with its fraction.
fn created_at(created: Timestamp, reader: &Reader) -> String {
    created.to_zoned_datetime(reader.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.f %z %Z").to_string()
}

impl Row for NetworkRow<'_> {
    fn type_name(&self) -> &'static str {
        "*network.networkContext"
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn field(&self, name: &str) -> Option<Value> {
        let network = &self.network;
        Some(Value::from(match name {
            "CreatedAt" => created_at(timestamp(network.created), self.reader),
            "Driver" => network.driver.as_str().to_owned(),
            "ID" if self.reader.width == Width::Short => short_id(network.id.as_str()).to_owned(),
            "ID" => network.id.to_string(),
            "IPv4" => network.ipv4.to_string(),
            "IPv6" => network.ipv6.to_string(),
            "Internal" => network.internal.to_string(),
            "Labels" => labels_text(&network.labels),
            "Name" => network.name.clone(),
            "Scope" => "local".to_owned(),
            _ => return None,
        }))
    }

    fn call(&self, name: &str, argument: &str) -> Option<String> {
        (name == "Label").then(|| self.network.labels.get(argument).cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::template::Template;

    const NETWORK: &str = r#"{
        "id": "0ef19c99aae8a06c3bd2c3e29a0395591f5bbd07bd5bd5a14d59725d202ede76", "name": "net",
        "created": "2026-11-24T01:46:34.081169978Z",
        "driver": {"bridge": {"device": "br-0ef19c99aae8", "mtu": null, "icc": true, "masquerade": true,
                   "gateway_mode": ["nat", "nat"], "host_binding": null}},
        "internal": false, "attachable": true, "ipv4": true, "ipv6": true,
        "pools": [{"subnet": "10.1.0.0/24", "range": "10.1.0.128/25", "gateway": "10.1.0.1", "aux": {"printer": "10.1.0.9"}},
                  {"subnet": "fd00::/64", "range": null, "gateway": "fd00::1", "aux": {}}],
        "options": {"a": "b"}, "labels": {"x": "y"}, "egress": {"subnets": ["10.0.0.0/8"], "names": ["*.example.org"]}
    }"#;

    fn view(network: &str) -> View {
        let network: Network = serde_json::from_str(network).unwrap();
        let endpoint = serde_json::from_value(serde_json::json!({
            "id": "ab".repeat(32), "network": network.id, "interface": "eth0", "peer": "veth1",
            "mac": "02:42:0a:01:00:02", "ipv4": ["10.1.0.2", 24], "ipv6": ["fd00::2", 64], "gateway4": "10.1.0.1",
            "gateway6": "fd00::1", "names": []
        }));
        let member = |name: &str, byte: u8, endpoint| Member {
            container: spec::id::ContainerId::from_bytes([byte; 32]),
            name: name.into(),
            endpoint,
        };
        View { network, members: vec![member("web", 1, Some(endpoint.unwrap())), member("odd", 2, None)] }
    }

    #[test]
    fn inspect_has_dockers_shape() {
        expect![[r#"
            {
                "Name": "net",
                "Id": "0ef19c99aae8a06c3bd2c3e29a0395591f5bbd07bd5bd5a14d59725d202ede76",
                "Created": "2026-11-24T01:46:34.081169978Z",
                "Scope": "local",
                "Driver": "bridge",
                "EnableIPv4": true,
                "EnableIPv6": true,
                "IPAM": {
                    "Driver": "default",
                    "Options": {},
                    "Config": [
                        {
                            "Subnet": "10.1.0.0/24",
                            "IPRange": "10.1.0.128/25",
                            "Gateway": "10.1.0.1",
                            "AuxiliaryAddresses": {
                                "printer": "10.1.0.9"
                            }
                        },
                        {
                            "Subnet": "fd00::/64",
                            "Gateway": "fd00::1"
                        }
                    ]
                },
                "Internal": false,
                "Attachable": true,
                "Ingress": false,
                "ConfigFrom": {
                    "Network": ""
                },
                "ConfigOnly": false,
                "Containers": {
                    "0101010101010101010101010101010101010101010101010101010101010101": {
                        "Name": "web",
                        "EndpointID": "abababababababababababababababababababababababababababababababab",
                        "MacAddress": "02:42:0a:01:00:02",
                        "IPv4Address": "10.1.0.2/24",
                        "IPv6Address": "fd00::2/64"
                    },
                    "0202020202020202020202020202020202020202020202020202020202020202": {
                        "Name": "odd",
                        "EndpointID": "",
                        "MacAddress": "",
                        "IPv4Address": "",
                        "IPv6Address": ""
                    }
                },
                "Options": {
                    "a": "b"
                },
                "Labels": {
                    "x": "y"
                },
                "Egress": {
                    "Allow": [
                        "10.0.0.0/8",
                        "*.example.org"
                    ]
                }
            }"#]]
        .assert_eq(&crate::wire::json::pretty(&inspect(&view(NETWORK))).unwrap());
    }

    #[test]
    fn the_default_network_says_what_scripts_read() {
        let text = NETWORK.replace("\"name\": \"net\"", "\"name\": \"bridge\"");
        let options = Template::parse("{{json .Options}} {{json .IPAM.Options}}").unwrap();
        expect![[r#"{"com.docker.network.bridge.default_bridge":"true","com.docker.network.bridge.enable_icc":"true","com.docker.network.bridge.enable_ip_masquerade":"true","com.docker.network.bridge.host_binding_ipv4":"0.0.0.0","com.docker.network.bridge.name":"br-0ef19c99aae8","com.docker.network.driver.mtu":"1500"} null"#]].assert_eq(&options.render_typed(&inspect(&view(&text))).unwrap());
    }

    #[test]
    fn a_row_has_dockers_fields() {
        let reader = Reader { now: Timestamp::UNIX_EPOCH, zone: jiff::tz::TimeZone::UTC, width: Width::Short };
        let row = NetworkRow { reader: &reader, network: view(NETWORK).network };
        let all: String = NAMES.iter().map(|name| format!("{name}={} ", row.field(name).unwrap())).collect();
        expect![[r#"CreatedAt="2026-11-24 01:46:34.081169978 +0000 UTC" Driver="bridge" ID="0ef19c99aae8" IPv4="true" IPv6="true" Internal="false" Labels="x=y" Name="net" Scope="local""#]].assert_eq(all.trim_end());
        assert_eq!(row.call("Label", "x").as_deref(), Some("y"));
    }
}
