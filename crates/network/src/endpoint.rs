//! A container's places on networks: taken, plugged in, given back.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::BorrowedFd;

use disk::Home;
use serde::{Deserialize, Serialize};
use spec::id::{ContainerId, EndpointId};
use spec::network::{Attachment, Driver, Egress, Endpoint, Network, Pool, Published};

use crate::error::NetworkError;
use crate::link::Policy;
use crate::place::failed;
use crate::{lease, link, record, rules};

/// What a container holds of the host: written down by its monitor (a line of `claims.log`) before it is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// Leases, names, link, and elements of its policy.
    Endpoint {
        /// Whose.
        container: ContainerId,
        /// What.
        endpoint: Endpoint,
    },
    /// Elements for published ports; the reservations themselves end with their process.
    Published {
        /// Whose.
        container: ContainerId,
        /// Where they lead.
        endpoints: Vec<Endpoint>,
        /// Which.
        ports: Vec<Published>,
    },
}

/// Writes down what is about to be taken.
pub type Write<'a> = &'a mut dyn FnMut(&Taken) -> io::Result<()>;

/// A place to take.
pub struct Join<'a> {
    /// On which network.
    pub network: &'a Network,
    /// As asked.
    pub attachment: &'a Attachment,
    /// By whom.
    pub container: &'a ContainerId,
    /// Number of the interface: 0 is `eth0`.
    pub interface: u32,
    /// Names it is to be found by, best first: name, aliases, short identifier, host name. Not used on `bridge`, which has none.
    pub names: Vec<String>,
}

/// Takes addresses and names. Hold [`crate::place::share`] from here until the endpoint stands in the status.
///
/// # Errors
/// [`NetworkError::AddressTaken`], [`NetworkError::NotOfNetwork`], [`NetworkError::Exhausted`].
pub fn join(home: &Home, join: &Join<'_>, write: Write<'_>) -> Result<Endpoint, NetworkError> {
    let mut endpoint = begin(join)?;
    let mut note = |endpoint: &Endpoint| {
        let taken = Taken::Endpoint { container: join.container.clone(), endpoint: endpoint.clone() };
        write(&taken).map_err(failed("writing down what is taken in", home.run()))
    };
    let wanted = [join.attachment.ipv4.map(IpAddr::from), join.attachment.ipv6.map(IpAddr::from)];
    for (index, wanted) in wanted.into_iter().enumerate() {
        let pool = join.network.pools.iter().find(|pool| pool.subnet.address().is_ipv4() == (index == 0));
        let Some(pool) = pool else {
            match wanted {
                Some(address) => return Err(NetworkError::NotOfNetwork(address)),
                None => continue,
            }
        };
        let before = endpoint.clone();
        match wanted {
            Some(address) => {
                check(pool, address)?;
                address_of(&mut endpoint, join, pool, address);
                note(&endpoint)?;
                lease::take(home, &join.network.id, address, join.container)?;
            }
            None => {
                let address = lease::first_free(home, join.network, pool, join.container, |address| {
                    let mut tried = before.clone();
                    address_of(&mut tried, join, pool, address);
                    note(&tried)
                })?;
                address_of(&mut endpoint, join, pool, address);
            }
        }
    }
    for name in &endpoint.names {
        lease::add_name(home, &endpoint, name, join.container)?;
    }
    Ok(endpoint)
}

/// An endpoint without addresses.
fn begin(join: &Join<'_>) -> Result<Endpoint, NetworkError> {
    let id = EndpointId::from_bytes(record::random()?);
    let mut names = Vec::new();
    for name in &join.names {
        let malformed = || NetworkError::Invalid(format!("invalid name on a network: {name:?}"));
        let name = lease::file_name(name).ok_or_else(malformed)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let has_peer = matches!(join.network.driver, Driver::Bridge(_));
    Ok(Endpoint {
        peer: has_peer.then(|| format!("veth{}", &id.as_str()[..7])),
        id,
        network: join.network.id.clone(),
        interface: format!("eth{}", join.interface),
        mac: join.attachment.mac.unwrap_or(link::mac_of(Ipv4Addr::UNSPECIFIED.into())),
        ipv4: None,
        ipv6: None,
        gateway4: None,
        gateway6: None,
        names,
    })
}

fn check(pool: &Pool, address: IpAddr) -> Result<(), NetworkError> {
    if !pool.subnet.contains(address) {
        return Err(NetworkError::NotOfNetwork(address));
    }
    if lease::is_usable(pool, address) { Ok(()) } else { Err(NetworkError::AddressTaken(address, None)) }
}

fn address_of(endpoint: &mut Endpoint, join: &Join<'_>, pool: &Pool, address: IpAddr) {
    let bits = pool.subnet.bits();
    let gateway = pool.gateway.filter(|_| !join.network.internal);
    if join.attachment.mac.is_none() && (address.is_ipv4() || endpoint.ipv4.is_none()) {
        endpoint.mac = link::mac_of(address);
    }
    match address {
        IpAddr::V4(v4) => {
            endpoint.ipv4 = Some((v4, bits));
            endpoint.gateway4 = gateway.and_then(|gateway| match gateway {
                IpAddr::V4(v4) => Some(v4),
                IpAddr::V6(_) => None,
            });
        }
        IpAddr::V6(v6) => {
            endpoint.ipv6 = Some((v6, bits));
            endpoint.gateway6 = gateway.and_then(|gateway| match gateway {
                IpAddr::V6(v6) => Some(v6),
                IpAddr::V4(_) => None,
            });
        }
    }
}

/// What a namespace is given beside addresses.
#[derive(Clone, Copy, Debug)]
pub struct Routes {
    /// Whether this endpoint has the default route of a family: IPv4, IPv6.
    pub default: [bool; 2],
}

/// Makes the links: the network's device where it is missing, the container's device in its namespace with addresses, routes, up; and
/// the elements of its policy. What is left of it after a failure goes with the namespace. `egress` is the container's own
/// policy, beside the network's.
///
/// # Errors
/// Of the kernel; [`NetworkError::TableGone`], before anything is made.
pub fn plug(
    home: &Home,
    network: &Network,
    endpoint: &Endpoint,
    routes: &Routes,
    egress: Option<&Egress>,
    namespace: BorrowedFd<'_>,
) -> Result<(), NetworkError> {
    let mut policy = Policy::None;
    if matches!(network.driver, Driver::Bridge(_)) {
        if !rules::is_made(home)? {
            return Err(NetworkError::TableGone);
        }
        if let Some(allowed) = network.allowed(egress) {
            rules::add_policy(home, endpoint, &allowed)?;
            policy = Policy::Some;
        }
    }
    link::plug(home, network, endpoint, routes, policy, namespace)
}

/// Takes the link out of a living namespace (`disconnect`): 12 ms. At the end of a container nobody need do it.
///
/// # Errors
/// Of the kernel.
pub fn unplug(endpoint: &Endpoint, namespace: BorrowedFd<'_>) -> Result<(), NetworkError> {
    link::unplug(endpoint, namespace)
}

/// Moves the default routes of a living namespace to other endpoints, after one came or went.
///
/// # Errors
/// Of the kernel.
pub fn reroute(endpoints: &[(&Endpoint, Routes)], namespace: BorrowedFd<'_>) -> Result<(), NetworkError> {
    link::reroute(endpoints, namespace)
}

/// Makes ports reachable: one batch. They lead to the first of `endpoints` with an address of their family.
///
/// # Errors
/// Of the kernel; [`NetworkError::TableGone`].
pub fn publish(
    home: &Home,
    container: &ContainerId,
    endpoints: &[Endpoint],
    ports: &[Published],
    write: Write<'_>,
) -> Result<(), NetworkError> {
    if ports.is_empty() {
        return Ok(());
    }
    let taken = Taken::Published { container: container.clone(), endpoints: endpoints.to_vec(), ports: ports.to_vec() };
    write(&taken).map_err(failed("writing down what is taken in", home.run()))?;
    rules::publish(home, endpoints, ports)
}

/// Has the endpoint found by other names. Hold [`crate::place::share`] until it stands in the status.
///
/// # Errors
/// Of the files.
pub fn rename(
    home: &Home,
    container: &ContainerId,
    endpoint: &Endpoint,
    names: Vec<String>,
    write: Write<'_>,
) -> Result<Endpoint, NetworkError> {
    let renamed = Endpoint { names, ..endpoint.clone() };
    let taken = Taken::Endpoint { container: container.clone(), endpoint: renamed.clone() };
    write(&taken).map_err(failed("writing down what is taken in", home.run()))?;
    for name in renamed.names.iter().filter(|name| !endpoint.names.contains(name)) {
        lease::add_name(home, endpoint, name, container)?;
    }
    for name in endpoint.names.iter().filter(|name| !renamed.names.contains(name)) {
        lease::remove_name(home, &endpoint.network, name, container)?;
    }
    Ok(renamed)
}

/// Gives back what was taken. Giving back what is not there is no error; what another has by now stays his.
///
/// # Errors
/// Of the files, of the kernel.
pub fn give_back(home: &Home, taken: &Taken) -> Result<(), NetworkError> {
    match taken {
        Taken::Published { container: _, endpoints, ports } => rules::unpublish(home, endpoints, ports),
        Taken::Endpoint { container, endpoint } => {
            // The address goes last: until then, what is under it in the table is this container's.
            let mut is_ours = true;
            for address in endpoint.addresses() {
                is_ours &= lease::is_held(home, &endpoint.network, address, container)?;
            }
            if is_ours {
                rules::remove_policy(home, endpoint)?;
            }
            for name in &endpoint.names {
                lease::remove_name(home, &endpoint.network, name, container)?;
            }
            for address in endpoint.addresses() {
                lease::give_back(home, &endpoint.network, address, container)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_bytes_of_claims_are_these() {
        let endpoint = Endpoint {
            id: EndpointId::from_bytes([1; 32]),
            network: spec::id::NetworkId::from_bytes([2; 32]),
            interface: "eth0".into(),
            peer: Some("veth0101010".into()),
            mac: link::mac_of("172.30.0.2".parse().unwrap()),
            ipv4: Some(("172.30.0.2".parse().unwrap(), 16)),
            ipv6: None,
            gateway4: Some("172.30.0.1".parse().unwrap()),
            gateway6: None,
            names: vec!["web".into()],
        };
        let container = ContainerId::from_bytes([3; 32]);
        let port = Published { port: "80/tcp".parse().unwrap(), host_ip: "0.0.0.0".parse().unwrap(), host_port: 8080 };
        let taken = Taken::Endpoint { container: container.clone(), endpoint };
        expect![[r#"{"endpoint":{"container":"0303030303030303030303030303030303030303030303030303030303030303","endpoint":{"id":"0101010101010101010101010101010101010101010101010101010101010101","network":"0202020202020202020202020202020202020202020202020202020202020202","interface":"eth0","peer":"veth0101010","mac":"02:42:ac:1e:00:02","ipv4":["172.30.0.2",16],"ipv6":null,"gateway4":"172.30.0.1","gateway6":null,"names":["web"]}}}"#]].assert_eq(&serde_json::to_string(&taken).unwrap());
        let taken = Taken::Published { container, endpoints: Vec::new(), ports: vec![port] };
        expect![[r#"{"published":{"container":"0303030303030303030303030303030303030303030303030303030303030303","endpoints":[],"ports":[{"port":"80/tcp","host_ip":"0.0.0.0","host_port":8080}]}}"#]].assert_eq(&serde_json::to_string(&taken).unwrap());
    }
}
