//! Networks that a container is to be on: from the user's words to what its settings keep.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use network::{NetworkError, record};
use spec::address::Mac;
use spec::container::NetworkMode;
use spec::network::{Attachment, Driver, Network};

use crate::container::find;
use crate::error::Error;
use crate::host::Host;

/// A network that a container is to be on, as the user says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name or identifier.
    pub network: String,
    /// `--ip`.
    pub ipv4: Option<Ipv4Addr>,
    /// `--ip6`.
    pub ipv6: Option<Ipv6Addr>,
    /// `--mac-address`.
    pub mac: Option<Mac>,
    /// `--network-alias`.
    pub aliases: Vec<String>,
    /// `--link`.
    pub links: Vec<Link>,
    /// `driver-opt=`.
    pub driver_options: BTreeMap<String, String>,
    /// `gw-priority=`.
    pub gateway_priority: i32,
}

impl Wanted {
    /// A network, and nothing special about it.
    #[must_use]
    pub fn plain(network: &str) -> Wanted {
        Wanted {
            network: network.into(),
            ipv4: None,
            ipv6: None,
            mac: None,
            aliases: Vec::new(),
            links: Vec::new(),
            driver_options: BTreeMap::new(),
            gateway_priority: 0,
        }
    }
}

/// `--link container[:alias]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// As the user names it.
    pub container: String,
    /// What it is to be called.
    pub alias: String,
}

/// What the words alone contradict, in Docker's words.
pub(crate) fn check(mode: &NetworkMode, wanted: &[Wanted]) -> Result<(), Error> {
    for one in wanted {
        check_one(&one.network, one).map_err(|error| error.of_network(&one.network))?;
    }
    let alone = |name: &str| wanted.len() > 1 && wanted.iter().any(|one| one.network == name);
    if alone("none") {
        return Err(Error::Invalid(NO_NETWORK.into()));
    }
    if alone("host") || (matches!(mode, NetworkMode::Container(_)) && wanted.len() > 1) {
        return Err(Error::Invalid(SHARED.into()));
    }
    Ok(())
}

/// The same of one network, called so (moby `validateEndpointSettings`).
pub(crate) fn check_one(network: &str, wanted: &Wanted) -> Result<(), Error> {
    let invalid = |what: &str| Err(Error::Invalid(settings(what)));
    let own = !record::PREDEFINED.contains(&network) && !network.starts_with("container:");
    if !own && (wanted.ipv4.is_some() || wanted.ipv6.is_some()) {
        return invalid("user specified IP address is supported on user defined networks only");
    }
    if !own && !wanted.aliases.is_empty() {
        return invalid("network-scoped alias is supported only for containers in user defined networks");
    }
    Ok(())
}

pub(crate) const NO_NETWORK: &str =
    "container cannot be connected to multiple networks with one of the networks in private (none) mode";
pub(crate) const SHARED: &str =
    "container sharing network namespace with another container or host cannot be connected to any other network";

fn settings(what: &str) -> String {
    format!("invalid endpoint settings:\n{what}")
}

/// Looks the networks up. Answers how the first is called from now on, too: by its name, or by its identifier where that is what was
/// typed the beginning of.
///
/// # Errors
/// A network or a link's container that is not there; addresses that the network does not have.
pub(crate) fn resolve(
    host: &Host,
    mode: NetworkMode,
    wanted: &[Wanted],
) -> Result<(NetworkMode, Vec<Attachment>), Error> {
    let NetworkMode::Networks(_) = &mode else { return Ok((mode, Vec::new())) };
    let (mut attachments, mut first): (Vec<Attachment>, _) = (Vec::new(), None);
    for one in wanted {
        let network = record::find(&host.home, &host.settings.pools(), &one.network)?;
        // By its identifier it looked like any other.
        check_one(&network.name, one).map_err(|error| error.of_network(&network.name))?;
        if matches!(network.driver, Driver::Host | Driver::Null) {
            let name = &network.name;
            return Err(Error::Invalid(format!("the network {name} is asked for by its name: --network {name}")));
        }
        first.get_or_insert_with(|| {
            if one.network == network.name { network.name.clone() } else { network.id.to_string() }
        });
        if attachments.iter().any(|other| other.network == network.id) {
            return Err(Error::Invalid(format!("network {:?} is specified multiple times", network.name)));
        }
        attachments.push(attach(host, &network, one).map_err(|error| error.of_network(&one.network))?);
    }
    let name = first.unwrap_or_default();
    Ok((NetworkMode::Networks(name), attachments))
}

/// One network, with what is asked of it.
///
/// # Errors
/// A link's container that is not there; addresses that the network does not have.
pub(crate) fn attach(host: &Host, network: &Network, wanted: &Wanted) -> Result<Attachment, Error> {
    let asked = [wanted.ipv4.map(IpAddr::from), wanted.ipv6.map(IpAddr::from)];
    for address in asked.into_iter().flatten() {
        check_address(network, address)?;
    }
    if let (Some(mac), Driver::Ipvlan { .. }) = (wanted.mac, &network.driver) {
        return Err(Error::Invalid(format!("ipvlan interfaces do not support custom mac address assignment: {mac}")));
    }
    if let Some(alias) = wanted.aliases.iter().find(|alias| !is_name(alias)) {
        return Err(Error::Invalid(settings(&format!("invalid network-scoped alias: {alias:?}"))));
    }
    let links = wanted.links.iter().map(|link| resolve_link(host, link)).collect::<Result<_, _>>()?;
    Ok(Attachment {
        network: network.id.clone(),
        ipv4: wanted.ipv4,
        ipv6: wanted.ipv6,
        mac: wanted.mac,
        aliases: wanted.aliases.clone(),
        links,
        driver_options: wanted.driver_options.clone(),
        gateway_priority: wanted.gateway_priority,
    })
}

/// Whether something can be found by it: it becomes a file's name, too.
fn is_name(alias: &str) -> bool {
    let odd = |letter: char| letter == '/' || letter.is_whitespace() || letter.is_control();
    (1..=253).contains(&alias.len()) && !alias.contains(odd) && !matches!(alias, "." | "..")
}

fn resolve_link(host: &Host, link: &Link) -> Result<String, Error> {
    let Link { container, alias } = link;
    match find::find(host, container) {
        Ok(id) => Ok(format!("{id}:{alias}")),
        // Not that: it would be taken for a missing image.
        Err(Error::NotFound(why)) => Err(Error::Invalid(format!("could not get container for {container}: {why}"))),
        Err(other) => Err(other),
    }
}

/// Docker's rule: only where the user gave the subnet, and within it (moby `validateEndpointIPAddress`).
fn check_address(network: &Network, address: IpAddr) -> Result<(), Error> {
    let given: Vec<_> = network
        .pools
        .iter()
        .filter(|pool| pool.given && pool.subnet.address().is_ipv4() == address.is_ipv4())
        .collect();
    if given.is_empty() {
        return Err(Error::Invalid(settings(
            "user specified IP address is supported only when connecting to networks with user configured subnets",
        )));
    }
    if !given.iter().any(|pool| pool.subnet.contains(address)) {
        return Err(Error::Invalid(settings(&format!(
            "no configured subnet or ip-range contain the IP address {address}"
        ))));
    }
    Ok(())
}

impl Error {
    /// Says at create of which network a contradiction is.
    fn of_network(self, network: &str) -> Error {
        if let Error::Invalid(what) = self {
            return Error::Invalid(format!("invalid config for network {network}: {what}"));
        }
        self
    }
}

impl From<NetworkError> for Error {
    fn from(error: NetworkError) -> Error {
        let text = error.to_string();
        match error {
            NetworkError::Unknown(_) => Error::NotFound(text),
            NetworkError::NameTaken(_) | NetworkError::InUse { .. } => Error::Conflict(text),
            NetworkError::Ambiguous(..)
            | NetworkError::AddressTaken(..)
            | NetworkError::NotOfNetwork(_)
            | NetworkError::Overlaps
            | NetworkError::Invalid(_) => Error::Invalid(text),
            NetworkError::Disk(error) => Error::Disk(error),
            other @ (NetworkError::Exhausted { .. }
            | NetworkError::NoSubnet
            | NetworkError::PortAllocated(_)
            | NetworkError::PortInUse(_)
            | NetworkError::Bind(..)
            | NetworkError::TableGone
            | NetworkError::Unsupported(_)
            | NetworkError::Kernel(..)
            | NetworkError::Io(..)) => Error::Network(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use spec::id::NetworkId;
    use spec::network::{Bridge, GatewayMode, Pool};
    use spec::time::Time;

    use super::*;

    fn network(subnet: &str, given: bool) -> Network {
        Network {
            id: NetworkId::from_bytes([7; 32]),
            name: "n".into(),
            created: Time::from_ns(0),
            driver: Driver::Bridge(Bridge {
                device: "br-0".into(),
                mtu: None,
                icc: true,
                masquerade: true,
                gateway_mode: [GatewayMode::Nat; 2],
                host_binding: None,
            }),
            internal: false,
            attachable: false,
            ipv4: true,
            ipv6: false,
            pools: vec![Pool {
                subnet: subnet.parse().unwrap(),
                range: None,
                gateway: None,
                aux: BTreeMap::new(),
                given,
            }],
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            egress: None,
        }
    }

    #[test]
    fn addresses_are_asked_for_where_the_user_gave_the_subnet() {
        let check = |subnet: &str, given: bool, address: &str, expected: Expect| {
            let said = check_address(&network(subnet, given), address.parse().unwrap());
            expected.assert_eq(&said.map_or_else(|e| e.to_string(), |()| "taken".into()));
        };
        check("10.1.0.0/24", true, "10.1.0.9", expect!["taken"]);
        check(
            "10.1.0.0/24",
            true,
            "10.1.1.9",
            expect![[r#"
            invalid endpoint settings:
            no configured subnet or ip-range contain the IP address 10.1.1.9"#]],
        );
        check(
            "10.1.0.0/24",
            false,
            "10.1.0.9",
            expect![[r#"
            invalid endpoint settings:
            user specified IP address is supported only when connecting to networks with user configured subnets"#]],
        );
        check(
            "10.1.0.0/24",
            true,
            "fd00::1",
            expect![[r#"
            invalid endpoint settings:
            user specified IP address is supported only when connecting to networks with user configured subnets"#]],
        );
    }

    #[test]
    fn words_that_contradict_each_other_are_refused() {
        let check = |names: &[&str], mode: NetworkMode, change: &dyn Fn(&mut Wanted), expected: Expect| {
            let mut wanted: Vec<Wanted> = names.iter().map(|name| Wanted::plain(name)).collect();
            change(&mut wanted[0]);
            let said = super::check(&mode, &wanted);
            expected.assert_eq(&said.map_or_else(|e| e.to_string(), |()| "fine".into()));
        };
        let networks = |name: &str| NetworkMode::Networks(name.into());
        let with_ip = |one: &mut Wanted| one.ipv4 = Some(Ipv4Addr::LOCALHOST);
        let with_alias = |one: &mut Wanted| one.aliases = vec!["a".into()];
        check(&["n"], networks("n"), &with_ip, expect!["fine"]);
        check(
            &["bridge"],
            networks("bridge"),
            &with_ip,
            expect![[r#"
            invalid config for network bridge: invalid endpoint settings:
            user specified IP address is supported on user defined networks only"#]],
        );
        check(
            &["host"],
            NetworkMode::Host,
            &with_ip,
            expect![[r#"
            invalid config for network host: invalid endpoint settings:
            user specified IP address is supported on user defined networks only"#]],
        );
        check(
            &["bridge"],
            networks("bridge"),
            &with_alias,
            expect![[r#"
            invalid config for network bridge: invalid endpoint settings:
            network-scoped alias is supported only for containers in user defined networks"#]],
        );
        check(
            &["bridge", "none"],
            networks("bridge"),
            &|_| {},
            expect![
                "container cannot be connected to multiple networks with one of the networks in private (none) mode"
            ],
        );
        check(
            &["bridge", "host"],
            networks("bridge"),
            &|_| {},
            expect![
                "container sharing network namespace with another container or host cannot be connected to any other network"
            ],
        );
        check(&["a", "b"], networks("a"), &with_alias, expect!["fine"]);
    }
}
