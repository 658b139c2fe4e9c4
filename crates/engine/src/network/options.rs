//! What the options of `network create -o` mean to the drivers. Names and texts are Docker's (moby libnetwork/drivers/*).

use std::collections::BTreeMap;

use network::record;
use spec::id::NetworkId;
use spec::network::{Bridge, Driver, GatewayMode, Network};

use crate::error::Error;

/// Options as typed.
pub(super) type Options = BTreeMap<String, String>;

const NAME: &str = "com.docker.network.bridge.name";
const MTU: &str = "com.docker.network.driver.mtu";
/// As Podman calls it.
const SHORT_MTU: &str = "mtu";
const ICC: &str = "com.docker.network.bridge.enable_icc";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
const GATEWAY_MODE: [&str; 2] =
    ["com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6"];
const HOST_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
/// What Docker does for these, kist does not: nobody is to think it did.
const NOT_YET: [&str; 6] = [
    "com.docker.network.bridge.inhibit_ipv4",
    "com.docker.network.bridge.default_bridge",
    "com.docker.network.bridge.trusted_host_interfaces",
    "com.docker.network.host_ipv4",
    "com.docker.network.host_ipv6",
    "com.docker.network.container_iface_prefix",
];

/// A switch among the options that is no driver's.
pub(super) fn switch(options: &Options, name: &str) -> Result<Option<bool>, Error> {
    let Some(text) = options.get(name) else { return Ok(None) };
    match boolean(text) {
        Some(value) => Ok(Some(value)),
        None => Err(Error::Invalid(format!("driver-opt {name:?} is not a valid bool"))),
    }
}

/// The driver called so, with its options; other names among them are kept and mean nothing.
pub(super) fn driver(name: &str, id: &NetworkId, options: &Options, internal: bool) -> Result<Driver, Error> {
    let text = |name: &str| options.get(name).filter(|text| !text.is_empty()).cloned();
    match name {
        "" | "bridge" => bridge(id, options, internal).map(Driver::Bridge),
        "macvlan" => Ok(Driver::Macvlan {
            parent: parent(text("parent"), name)?,
            mode: word(text("macvlan_mode"), &["bridge", "private", "vepa", "passthru"], &|mode| {
                format!("requested macvlan mode '{mode}' is not valid, 'bridge' mode is the macvlan driver default")
            })?,
        }),
        "ipvlan" => Ok(Driver::Ipvlan {
            parent: parent(text("parent"), name)?,
            mode: word(text("ipvlan_mode"), &["l2", "l3", "l3s"], &|mode| {
                format!("requested ipvlan mode '{mode}' is not valid, 'l2' mode is the ipvlan driver default")
            })?,
            flag: word(text("ipvlan_flag"), &["bridge", "private", "vepa"], &|flag| {
                format!("requested ipvlan flag '{flag}' is not valid, 'bridge' is the ipvlan driver default")
            })?,
        }),
        "host" | "null" => Err(Error::Invalid(format!("only one instance of {name:?} network is allowed"))),
        "overlay" => Err(Error::Invalid(
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.".into(),
        )),
        other => Err(Error::NotFound(format!("could not find plugin {other} in v1 plugin registry: plugin not found"))),
    }
}

fn parent(text: Option<String>, driver: &str) -> Result<Option<String>, Error> {
    if text.as_deref() == Some("lo") {
        return Err(Error::Invalid(format!("loopback interface is not a valid {driver} parent link")));
    }
    match text {
        // A device of a virtual network has the number of it behind the name: eth0.4094.
        Some(name) if !is_device(name.split('.').next().unwrap_or(&name)) || !is_device(&name) => {
            Err(Error::Invalid(format!("{name:?} is no name of a network device")))
        }
        other => Ok(other),
    }
}

/// The first of `words` unless another was asked for.
fn word(text: Option<String>, words: &[&str], refusal: &dyn Fn(&str) -> String) -> Result<String, Error> {
    match text {
        None => Ok(words[0].into()),
        Some(text) if words.contains(&text.as_str()) => Ok(text),
        Some(text) => Err(Error::Invalid(refusal(&text))),
    }
}

fn bridge(id: &NetworkId, options: &Options, internal: bool) -> Result<Bridge, Error> {
    if let Some(name) = NOT_YET.iter().find(|name| options.contains_key(**name)) {
        return Err(Error::NotYet(format!("the option {name}")));
    }
    let gateway_mode = [gateway_mode(options, GATEWAY_MODE[0])?, gateway_mode(options, GATEWAY_MODE[1])?];
    if gateway_mode.contains(&GatewayMode::Isolated) && !internal {
        return Err(Error::Invalid("gateway mode 'isolated' can only be used for an internal network".into()));
    }
    let on = |name: &str| match options.get(name) {
        None => Ok(true),
        Some(text) => boolean(text)
            .ok_or_else(|| malformed(name, text, &format!("strconv.ParseBool: parsing {text:?}: invalid syntax"))),
    };
    Ok(Bridge {
        device: device(id, options)?,
        mtu: mtu(options)?,
        icc: on(ICC)?,
        masquerade: on(MASQUERADE)?,
        gateway_mode,
        host_binding: match options.get(HOST_BINDING) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| malformed(HOST_BINDING, text, "nil ip"))?),
        },
    })
}

fn malformed(name: &str, value: &str, why: &str) -> Error {
    Error::Invalid(format!("failed to parse {name} value: {value} ({why})"))
}

fn device(id: &NetworkId, options: &Options) -> Result<String, Error> {
    match options.get(NAME).filter(|name| !name.is_empty()) {
        None => Ok(format!("br-{}", id.short())),
        Some(name) if is_device(name) => Ok(name.clone()),
        Some(name) => Err(malformed(NAME, name, "a device's name has at most 15 letters, no slash, colon or blank")),
    }
}

/// As the kernel takes it (net/core/dev.c `dev_valid_name`).
fn is_device(name: &str) -> bool {
    let odd = |letter: char| letter == '/' || letter == ':' || letter.is_whitespace() || letter.is_control();
    (1..=15).contains(&name.len()) && !matches!(name, "." | "..") && !name.contains(odd) && !name.contains('%')
}

fn mtu(options: &Options) -> Result<Option<u32>, Error> {
    for name in [MTU, SHORT_MTU] {
        let Some(text) = options.get(name) else { continue };
        let number: i64 = text
            .parse()
            .map_err(|_| malformed(name, text, &format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?;
        return match u32::try_from(number) {
            Ok(0) => Ok(None),
            Ok(number) if number <= 65535 => Ok(Some(number)),
            Ok(_) | Err(_) => Err(Error::Invalid(format!("invalid MTU number: {number}"))),
        };
    }
    Ok(None)
}

fn gateway_mode(options: &Options, name: &str) -> Result<GatewayMode, Error> {
    match options.get(name).map(String::as_str) {
        None | Some("nat") => Ok(GatewayMode::Nat),
        Some("nat-unprotected") => Ok(GatewayMode::NatUnprotected),
        Some("routed") => Ok(GatewayMode::Routed),
        Some("isolated") => Ok(GatewayMode::Isolated),
        Some(other) => Err(malformed(name, other, &format!("unknown gateway mode {other}"))),
    }
}

/// Go's strconv.ParseBool.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Devices that two networks cannot share.
pub(super) fn check_devices(new: &Network, others: &[Network]) -> Result<(), Error> {
    for other in others {
        let dummy = |prefix: &str| format!("{prefix}-{}", other.id.short());
        match (&new.driver, &other.driver) {
            (Driver::Bridge(ours), Driver::Bridge(theirs)) if ours.device == theirs.device => {
                return Err(Error::Conflict(format!(
                    "cannot create network {} ({}): conflicts with network {} ({}): networks have same bridge name",
                    new.id, ours.device, other.id, theirs.device
                )));
            }
            (
                Driver::Macvlan { parent: Some(ours), mode },
                Driver::Macvlan { parent: Some(theirs), mode: their_mode },
            ) if ours == theirs => {
                if mode == "passthru" {
                    return Err(Error::Conflict(format!(
                        "cannot use mode passthru, macvlan network {} is already using parent interface {theirs}",
                        other.id
                    )));
                }
                if their_mode == "passthru" {
                    return Err(Error::Conflict(format!(
                        "macvlan network {} is already using parent interface {theirs} in mode passthru",
                        other.id
                    )));
                }
            }
            (Driver::Ipvlan { parent: Some(ours), .. }, Driver::Ipvlan { parent: Some(theirs), .. })
                if ours == theirs =>
            {
                return Err(Error::Conflict(format!(
                    "network {} is already using parent interface {theirs}",
                    dummy("di")
                )));
            }
            (
                Driver::Bridge(_) | Driver::Macvlan { .. } | Driver::Ipvlan { .. } | Driver::Host | Driver::Null,
                Driver::Bridge(_) | Driver::Macvlan { .. } | Driver::Ipvlan { .. } | Driver::Host | Driver::Null,
            ) => {}
        }
    }
    Ok(())
}

/// Names that no network can have: those of the predefined ones, and what the command line takes for something else.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    if record::PREDEFINED.contains(&name) || name == "default" {
        // Docker's text ends so.
        return Err(Error::Denied(format!("operation is not permitted on predefined {name} network ")));
    }
    if name.trim().is_empty() {
        return Err(Error::Invalid("invalid name: name is empty".into()));
    }
    if name.starts_with("container:") || name.contains(['/', '\0']) || name.len() > 255 || matches!(name, "." | "..") {
        return Err(Error::Invalid(format!(
            "invalid name: {name:?}: it has at most 255 bytes and no slash, and does not begin with container:"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(name: &str, options: &str, expected: Expect) {
        let options: Options = options
            .split_whitespace()
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(key, value)| (key.replace("~", "com.docker.network."), value.to_owned()))
            .collect();
        let said = driver(name, &NetworkId::from_bytes([0xab; 32]), &options, options.contains_key("internal"));
        expected.assert_eq(&said.map_or_else(|e| format!("! {e}"), |driver| format!("{driver:?}")));
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn bridges() {
        check(
            "bridge",
            "",
            expect![[
                r#"Bridge(Bridge { device: "br-abababababab", mtu: None, icc: true, masquerade: true, gateway_mode: [Nat, Nat], host_binding: None })"#
            ]],
        );
        check(
            "",
            "~bridge.name=kist7 ~driver.mtu=1400 whatever=1",
            expect![[
                r#"Bridge(Bridge { device: "kist7", mtu: Some(1400), icc: true, masquerade: true, gateway_mode: [Nat, Nat], host_binding: None })"#
            ]],
        );
        check(
            "bridge",
            "~bridge.enable_icc=false ~bridge.enable_ip_masquerade=0",
            expect![[
                r#"Bridge(Bridge { device: "br-abababababab", mtu: None, icc: false, masquerade: false, gateway_mode: [Nat, Nat], host_binding: None })"#
            ]],
        );
        check(
            "bridge",
            "~bridge.gateway_mode_ipv4=routed ~bridge.gateway_mode_ipv6=nat-unprotected",
            expect![[
                r#"Bridge(Bridge { device: "br-abababababab", mtu: None, icc: true, masquerade: true, gateway_mode: [Routed, NatUnprotected], host_binding: None })"#
            ]],
        );
        check(
            "bridge",
            "~bridge.gateway_mode_ipv4=isolated internal=1",
            expect![[
                r#"Bridge(Bridge { device: "br-abababababab", mtu: None, icc: true, masquerade: true, gateway_mode: [Isolated, Nat], host_binding: None })"#
            ]],
        );
        check(
            "bridge",
            "~bridge.host_binding_ipv4=127.0.0.1 mtu=9000",
            expect![[
                r#"Bridge(Bridge { device: "br-abababababab", mtu: Some(9000), icc: true, masquerade: true, gateway_mode: [Nat, Nat], host_binding: Some(127.0.0.1) })"#
            ]],
        );
        check(
            "bridge",
            "~bridge.gateway_mode_ipv4=isolated",
            expect!["! gateway mode 'isolated' can only be used for an internal network"],
        );
        check(
            "bridge",
            "~bridge.gateway_mode_ipv4=some",
            expect![
                "! failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: some (unknown gateway mode some)"
            ],
        );
        check(
            "bridge",
            "~bridge.enable_icc=maybe",
            expect![[
                r#"! failed to parse com.docker.network.bridge.enable_icc value: maybe (strconv.ParseBool: parsing "maybe": invalid syntax)"#
            ]],
        );
        check(
            "bridge",
            "~driver.mtu=x",
            expect![[
                r#"! failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi: parsing "x": invalid syntax)"#
            ]],
        );
        check("bridge", "~driver.mtu=-1", expect!["! invalid MTU number: -1"]);
        check(
            "bridge",
            "~bridge.host_binding_ipv4=x",
            expect!["! failed to parse com.docker.network.bridge.host_binding_ipv4 value: x (nil ip)"],
        );
        check(
            "bridge",
            "~bridge.name=a-name-that-is-too-long",
            expect![
                "! failed to parse com.docker.network.bridge.name value: a-name-that-is-too-long (a device's name has at most 15 letters, no slash, colon or blank)"
            ],
        );
        check(
            "bridge",
            "~bridge.name=../x",
            expect![
                "! failed to parse com.docker.network.bridge.name value: ../x (a device's name has at most 15 letters, no slash, colon or blank)"
            ],
        );
        check(
            "bridge",
            "~bridge.inhibit_ipv4=true",
            expect!["! the option com.docker.network.bridge.inhibit_ipv4 is not there yet in kist"],
        );
    }

    #[test]
    fn other_drivers() {
        check("macvlan", "", expect![[r#"Macvlan { parent: None, mode: "bridge" }"#]]);
        check(
            "macvlan",
            "parent=eth0.10 macvlan_mode=vepa",
            expect![[r#"Macvlan { parent: Some("eth0.10"), mode: "vepa" }"#]],
        );
        check(
            "macvlan",
            "macvlan_mode=l2",
            expect!["! requested macvlan mode 'l2' is not valid, 'bridge' mode is the macvlan driver default"],
        );
        check("macvlan", "parent=lo", expect!["! loopback interface is not a valid macvlan parent link"]);
        check("macvlan", "parent=eth0/../x", expect![[r#"! "eth0/../x" is no name of a network device"#]]);
        check(
            "ipvlan",
            "parent=eth0 ipvlan_mode=l3 ipvlan_flag=private",
            expect![[r#"Ipvlan { parent: Some("eth0"), mode: "l3", flag: "private" }"#]],
        );
        check(
            "ipvlan",
            "ipvlan_mode=bridge",
            expect!["! requested ipvlan mode 'bridge' is not valid, 'l2' mode is the ipvlan driver default"],
        );
        check(
            "ipvlan",
            "ipvlan_flag=l2",
            expect!["! requested ipvlan flag 'l2' is not valid, 'bridge' is the ipvlan driver default"],
        );
        check("host", "", expect![[r#"! only one instance of "host" network is allowed"#]]);
        check("null", "", expect![[r#"! only one instance of "null" network is allowed"#]]);
        check(
            "overlay",
            "",
            expect![[
                r#"! This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again."#
            ]],
        );
        check("weave", "", expect!["! could not find plugin weave in v1 plugin registry: plugin not found"]);
    }

    #[test]
    fn names() {
        let said = |name: &str| check_name(name).map_or_else(|e| format!("! {e}\n"), |()| format!("{name}\n"));
        let all: String =
            ["net", "my net", "a.b_c-d", "bridge", "default", "", " ", "..", "a/b", "container:x"].map(said).concat();
        expect![[r#"
            net
            my net
            a.b_c-d
            ! operation is not permitted on predefined bridge network 
            ! operation is not permitted on predefined default network 
            ! invalid name: name is empty
            ! invalid name: name is empty
            ! invalid name: "..": it has at most 255 bytes and no slash, and does not begin with container:
            ! invalid name: "a/b": it has at most 255 bytes and no slash, and does not begin with container:
            ! invalid name: "container:x": it has at most 255 bytes and no slash, and does not begin with container:
        "#]]
        .assert_eq(&all);
    }
}
