//! Devices: bridges, veth pairs, macvlan, ipvlan; addresses and routes.

mod cable;
mod parent;
mod route;

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use disk::{Durability, Home, faults};
use rustix::io::Errno;
use spec::address::{Mac, Subnet};
use spec::network::{Bridge, Driver, Endpoint, GatewayMode, Network};
use sys::netlink::Family;

use crate::endpoint::Routes;
use crate::error::NetworkError;
use crate::netlink::{Answer, Batch, Socket};
use crate::{place, rules};
use route::{Device, New};

pub(crate) use cable::Cable;
pub(crate) use parent::{make as make_parent, remove as remove_parent};

/// The group of all devices that kist makes on the host: "kist" as a number.
pub(crate) const GROUP: u32 = 0x6b69_7374;

/// How many ports a bridge can have (BR_MAX_PORTS).
const PORTS: u32 = 1023;

/// For what the kernel does in its own time, within microseconds unless the machine is busy: how often to look, and how long between.
const TRIES: u32 = 50;
const A_MOMENT: Duration = Duration::from_micros(200);

/// The subnets that the host's routes and addresses are in, but for default routes.
pub(crate) fn routed() -> Result<Vec<Subnet>, NetworkError> {
    route::routed(&mut Socket::open(Family::Route)?)
}

/// Whether the host has a device of that name.
pub(crate) fn is_there(name: &str) -> Result<bool, NetworkError> {
    Ok(route::find(&mut Socket::open(Family::Route)?, name)?.is_some())
}

/// Makes a network's device, as far as it can be made before a container needs it. What the kernel refuses is heard now.
pub(crate) fn prepare(home: &Home, network: &Network) -> Result<(), NetworkError> {
    let mut socket = Socket::open(Family::Route)?;
    match &network.driver {
        Driver::Bridge(bridge) => {
            bridge_device(&mut socket, network, bridge)?;
            // Until there are rules, it stays down.
            if rules::is_made(home)? { finish(home, &mut socket, network, bridge).map(|_| ()) } else { Ok(()) }
        }
        Driver::Macvlan { parent, .. } | Driver::Ipvlan { parent, .. } => {
            make_parent(&mut socket, network, parent.as_deref()).map(|_| ())
        }
        Driver::Host | Driver::Null => Ok(()),
    }
}

/// Takes a network's device away, if kist made it.
pub(crate) fn discard(network: &Network) -> Result<(), NetworkError> {
    let mut socket = Socket::open(Family::Route)?;
    match &network.driver {
        Driver::Bridge(bridge) => remove_own(&mut socket, &bridge.device),
        Driver::Macvlan { parent, .. } | Driver::Ipvlan { parent, .. } => {
            remove_parent(&mut socket, network, parent.as_deref())
        }
        Driver::Host | Driver::Null => Ok(()),
    }
}

fn remove_own(socket: &mut Socket, name: &str) -> Result<(), NetworkError> {
    if route::find(socket, name)?.is_none_or(|device| device.group != GROUP) {
        return Ok(());
    }
    let mut batch = Batch::default();
    route::remove(&mut batch, name, format!("removing the device {name}"));
    socket.tell(batch, &[Errno::NODEV])
}

/// The bridge of a network with its addresses, made where it is missing. One of ours that is up was finished before.
fn bridge_device(socket: &mut Socket, network: &Network, bridge: &Bridge) -> Result<Device, NetworkError> {
    let device = match known_bridge(socket, bridge)? {
        Some(device) if device.is_up && device.group == GROUP => return Ok(device),
        Some(device) => device,
        None => make_bridge(socket, network, bridge)?,
    };
    let mut batch = Batch::default();
    route::without_link_local(&mut batch, device.index);
    let [four, six] = bridge.gateway_mode;
    for pool in &network.pools {
        let Some(gateway) = pool.gateway else { continue };
        let mode = if gateway.is_ipv4() { four } else { six };
        if mode != GatewayMode::Isolated {
            let doing = format!("giving the bridge {} the address {gateway}", bridge.device);
            route::address(&mut batch, device.index, gateway, pool.subnet.bits(), doing);
        }
    }
    // A kernel without IPv6 knows no link-local addresses to switch off.
    socket.tell(batch, &[Errno::AFNOSUPPORT])?;
    Ok(device)
}

fn make_bridge(socket: &mut Socket, network: &Network, bridge: &Bridge) -> Result<Device, NetworkError> {
    let new = New {
        name: &bridge.device,
        mac: network.pools.iter().find_map(|pool| pool.gateway).map(mac_of),
        mtu: bridge.mtu,
        group: GROUP,
        master: None,
        lower: None,
        namespace: None,
        is_up: false,
    };
    let mut batch = Batch::default();
    let doing = format!("making the bridge {} of the network {}", bridge.device, network.name);
    route::make(&mut batch, &new, "bridge", |_| {}, doing);
    faults::act("make bridge").map_err(place::failed("making devices of", std::path::Path::new(&network.name)))?;
    // Another may have made it meanwhile.
    socket.tell(batch, &[Errno::EXIST])?;
    let gone = || NetworkError::Invalid(format!("the bridge {} was removed while it was made", bridge.device));
    known_bridge(socket, bridge)?.ok_or_else(gone)
}

fn known_bridge(socket: &mut Socket, bridge: &Bridge) -> Result<Option<Device>, NetworkError> {
    let Some(device) = route::find(socket, &bridge.device)? else { return Ok(None) };
    if device.kind == "bridge" {
        return Ok(Some(device));
    }
    Err(NetworkError::Invalid(format!(
        "the device {} is no bridge: remove it, or choose another name by -o com.docker.network.bridge.name",
        bridge.device
    )))
}

/// What a bridge needs to carry a container: forwarding, loopback routed, elements in the table. That it is up says that it has all.
fn finish(home: &Home, socket: &mut Socket, network: &Network, bridge: &Bridge) -> Result<Device, NetworkError> {
    let device = bridge_device(socket, network, bridge)?;
    if device.is_up && device.group == GROUP {
        return Ok(device);
    }
    rules::need_network(home, network)?;
    let mut batch = Batch::default();
    for pool in &network.pools {
        let is_four = pool.subnet.address().is_ipv4();
        if is_four {
            set(&format!("net/ipv4/conf/{}/route_localnet", bridge.device), "1")?;
        } else {
            set(&format!("net/ipv6/conf/{}/disable_ipv6", bridge.device), "0")?;
            set(&format!("net/ipv6/conf/{}/accept_ra", bridge.device), "0")?;
            if let Some(gateway) = pool.gateway {
                route::link_local(&mut batch, device.index, mac_of(gateway));
            }
            route::local_route(&mut batch, device.index, Ipv6Addr::LOCALHOST.into());
        }
        if !network.internal {
            forward(home, is_four)?;
        }
    }
    // A route needs a device that is up; addresses that were lost while it was down come back with it.
    let mut first = Batch::default();
    route::up(&mut first, device.index, format!("switching the bridge {} on", bridge.device));
    socket.tell(first, &[])?;
    socket.tell(batch, &[Errno::EXIST])?;
    Ok(device)
}

/// Makes the host pass packets on. Where it did not before, it does for kist's networks only: the table sees to it, and is told before.
fn forward(home: &Home, is_four: bool) -> Result<(), NetworkError> {
    let switch = if is_four { "net/ipv4/ip_forward" } else { "net/ipv6/conf/all/forwarding" };
    if read(switch)?.trim() != "0" {
        return Ok(());
    }
    let mark = place::closed_mark(home, is_four);
    disk::replace(&mark, b"", Durability::Volatile).map_err(place::failed("writing", &mark))?;
    rules::close(home, is_four)?;
    if !is_four {
        keep_advertisements()?;
    }
    set(switch, "1")
}

/// A host that passes packets on takes no router's advertisements unless told to twice: its own way out may be by one.
fn keep_advertisements() -> Result<(), NetworkError> {
    const DIR: &str = "/proc/sys/net/ipv6/conf";
    let listed = fs::read_dir(DIR).map_err(place::failed("listing", DIR.as_ref()))?;
    for name in listed.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let switch = format!("net/ipv6/conf/{name}/accept_ra");
        if name != "all" && read(&switch)?.trim() == "1" {
            set(&switch, "2")?;
        }
    }
    Ok(())
}

fn read(switch: &str) -> Result<String, NetworkError> {
    let path = format!("/proc/sys/{switch}");
    fs::read_to_string(&path).map_err(place::failed("reading", path.as_ref()))
}

/// Does not write what is there already: /proc/sys may be read-only where it was set up beforehand.
fn set(switch: &str, value: &str) -> Result<(), NetworkError> {
    if read(switch)?.trim() == value {
        return Ok(());
    }
    let path = format!("/proc/sys/{switch}");
    let written = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()));
    written.map_err(place::failed("writing", path.as_ref()))
}

/// Whether a container is bound to a policy, and so to its own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Some,
    None,
}

/// Gives a namespace its device on a network.
pub(crate) fn plug(
    home: &Home,
    network: &Network,
    endpoint: &Endpoint,
    routes: &Routes,
    policy: Policy,
    namespace: BorrowedFd<'_>,
) -> Result<(), NetworkError> {
    let mut socket = Socket::open(Family::Route)?;
    let port = match &network.driver {
        Driver::Bridge(bridge) => {
            let master = finish(home, &mut socket, network, bridge)?;
            let port = pair(&mut socket, bridge, master.index, endpoint, namespace)?;
            match policy {
                Policy::Some => rules::bind(home, endpoint)?,
                Policy::None => {}
            }
            Some((bridge, master.index, port))
        }
        Driver::Macvlan { parent, mode } => {
            let lower = make_parent(&mut socket, network, parent.as_deref())?;
            parent::macvlan(&mut socket, lower, mode, endpoint, namespace)?;
            None
        }
        Driver::Ipvlan { parent, mode, flag } => {
            let lower = make_parent(&mut socket, network, parent.as_deref())?;
            parent::ipvlan(&mut socket, lower, mode, flag, endpoint, namespace)?;
            None
        }
        Driver::Host | Driver::Null => return Ok(()),
    };
    furnish(endpoint, routes, port.as_ref().and_then(|(.., port)| port.lower), namespace)?;
    match port {
        Some((bridge, master, port)) => settle(&mut socket, bridge, master, port.index, endpoint),
        None => Ok(()),
    }
}

/// Tells the bridge where the container is, and sees that both pass packets on: a device has its carrier a moment after what is behind it
/// is switched on, and what is sent before is lost, which costs the sender a second.
fn settle(
    socket: &mut Socket,
    bridge: &Bridge,
    master: u32,
    port: u32,
    endpoint: &Endpoint,
) -> Result<(), NetworkError> {
    let peer = endpoint.peer.as_deref().unwrap_or_default();
    let mut batch = Batch::default();
    route::behind(&mut batch, port, endpoint.mac);
    if let Some((address, _)) = endpoint.ipv6 {
        // It hears who asks for it only when the kernel has found time to join it to its group.
        route::reachable(&mut batch, master, address.into(), endpoint.mac);
    }
    for _ in 0..TRIES {
        // Kernels since 6.8 bring a device's state up to date when it is asked for; the bridge's follows from its ports'.
        route::ask(&mut batch, peer);
        route::ask(&mut batch, &bridge.device);
        let answers = socket.ask(std::mem::take(&mut batch))?;
        if let Some(refusal) = answers.iter().find_map(|answer| answer.refusal.clone()) {
            return Err(refusal.into());
        }
        if answers.iter().filter_map(|answer| answer.replies.first()).all(|reply| route::is_running(reply)) {
            break;
        }
        std::thread::sleep(A_MOMENT);
    }
    Ok(())
}

/// Whether bridges show their packets to the packet filter: then a container that speaks to a port of its own by way of the host has its
/// packets come back on the port they came by.
pub(crate) fn is_filtered(is_four: bool) -> bool {
    let switch = if is_four { "iptables" } else { "ip6tables" };
    fs::read(format!("/proc/sys/net/bridge/bridge-nf-call-{switch}")).is_ok_and(|text| text.first() == Some(&b'1'))
}

/// A pair of devices, one end in the bridge, one in the namespace.
fn pair(
    socket: &mut Socket,
    bridge: &Bridge,
    master: u32,
    endpoint: &Endpoint,
    namespace: BorrowedFd<'_>,
) -> Result<Device, NetworkError> {
    const REFLECTING: u16 = 4;
    const ISOLATED: u16 = 33;
    let peer = endpoint.peer.as_deref().unwrap_or_default();
    let end = |name, namespace| New {
        name,
        mac: None,
        mtu: bridge.mtu,
        group: 0,
        master: None,
        lower: None,
        namespace,
        is_up: false,
    };
    let outer = New { group: GROUP, master: Some(master), is_up: true, ..end(peer, None) };
    let inner = New { mac: Some(endpoint.mac), ..end(&endpoint.interface, Some(namespace)) };
    let mut batch = Batch::default();
    let doing = format!("connecting {peer} to the bridge {}", bridge.device);
    route::make(&mut batch, &outer, "veth", |batch| route::other_end(batch, &inner), doing);
    let mut options = Vec::new();
    options.extend(is_filtered(true).then_some((REFLECTING, 1)));
    // Where the packet filter sees what goes from port to port, it can tell what goes to a published port; ports cannot.
    match (bridge.icc, is_filtered(true) && is_filtered(false)) {
        (true, _) => {}
        (false, true) => route::always_filtered(&mut batch, master, &bridge.device),
        (false, false) => options.push((ISOLATED, 1)),
    }
    if !options.is_empty() {
        route::port_options(&mut batch, peer, &options, format!("setting up the port {peer} of {}", bridge.device));
    }
    route::ask(&mut batch, peer);
    faults::act("make pair").map_err(place::failed("making the link", peer.as_ref()))?;
    let answers = socket.ask(batch)?;
    let gone = || NetworkError::Invalid(format!("the device {peer} was removed while it was made"));
    first_refusal(&answers, bridge)?.and_then(route::device).ok_or_else(gone)
}

/// The last reply, unless something was refused.
fn first_refusal<'a>(answers: &'a [Answer], bridge: &Bridge) -> Result<Option<&'a [u8]>, NetworkError> {
    match answers.iter().find_map(|answer| answer.refusal.clone()) {
        Some(refusal) if refusal.errno.raw_os_error() == libc::EXFULL => Err(NetworkError::Invalid(format!(
            "the bridge {} has all {PORTS} ports a bridge can have: connect the container to another network",
            bridge.device
        ))),
        Some(refusal) => Err(refusal.into()),
        None => Ok(answers.last().and_then(|answer| answer.replies.first()).map(Vec::as_slice)),
    }
}

/// Addresses and routes of a container's device, and on.
fn furnish(
    endpoint: &Endpoint,
    routes: &Routes,
    index: Option<u32>,
    namespace: BorrowedFd<'_>,
) -> Result<(), NetworkError> {
    let mut socket = Socket::within(namespace, Family::Route)?;
    let index = match index {
        Some(index) => index,
        None => inner(&mut socket, endpoint)?.index,
    };
    faults::act("set addresses").map_err(place::failed("setting addresses of", endpoint.interface.as_ref()))?;
    parent::patiently(|| {
        let answers = socket.ask(outfit(endpoint, routes, index))?;
        // A kernel without IPv6 knows no link-local addresses to switch off.
        let mut refusals = answers.into_iter().filter_map(|answer| answer.refusal);
        Ok(refusals.find(|refusal| refusal.errno != Errno::AFNOSUPPORT))
    })?;
    let Some((address, _)) = endpoint.ipv6 else { return Ok(()) };
    for _ in 0..TRIES {
        if route::is_own(&mut socket, address.into())? {
            break;
        }
        std::thread::sleep(A_MOMENT);
    }
    Ok(())
}

fn outfit(endpoint: &Endpoint, routes: &Routes, index: u32) -> Batch {
    let mut batch = Batch::default();
    route::without_link_local(&mut batch, index);
    route::up(&mut batch, index, format!("switching the container's device {} on", endpoint.interface));
    let four = endpoint.ipv4.map(|(address, bits)| (IpAddr::from(address), bits));
    let six = endpoint.ipv6.map(|(address, bits)| (IpAddr::from(address), bits));
    for (address, bits) in four.into_iter().chain(six) {
        let doing = format!("giving the container's device {} the address {address}", endpoint.interface);
        route::address(&mut batch, index, address, bits, doing);
    }
    if endpoint.ipv6.is_some() {
        route::link_local(&mut batch, index, endpoint.mac);
    }
    for is_four in [true, false] {
        if routes.default[usize::from(!is_four)] && has_family(endpoint, is_four) {
            route::default_route(&mut batch, index, is_four, gateway(endpoint, is_four));
        }
    }
    batch
}

fn inner(socket: &mut Socket, endpoint: &Endpoint) -> Result<Device, NetworkError> {
    let gone = || NetworkError::Invalid(format!("the container has no device {}", endpoint.interface));
    route::find(socket, &endpoint.interface)?.ok_or_else(gone)
}

fn has_family(endpoint: &Endpoint, is_four: bool) -> bool {
    if is_four { endpoint.ipv4.is_some() } else { endpoint.ipv6.is_some() }
}

fn gateway(endpoint: &Endpoint, is_four: bool) -> Option<IpAddr> {
    if is_four { endpoint.gateway4.map(IpAddr::from) } else { endpoint.gateway6.map(IpAddr::from) }
}

/// Takes a device out of a living namespace.
pub(crate) fn unplug(endpoint: &Endpoint, namespace: BorrowedFd<'_>) -> Result<(), NetworkError> {
    let mut batch = Batch::default();
    route::remove(&mut batch, &endpoint.interface, format!("removing the container's device {}", endpoint.interface));
    faults::act("remove link").map_err(place::failed("removing the link", endpoint.interface.as_ref()))?;
    Socket::within(namespace, Family::Route)?.tell(batch, &[Errno::NODEV])
}

/// Moves the default routes to the endpoints that are to have them.
pub(crate) fn reroute(endpoints: &[(&Endpoint, Routes)], namespace: BorrowedFd<'_>) -> Result<(), NetworkError> {
    let mut socket = Socket::within(namespace, Family::Route)?;
    let mut batch = Batch::default();
    for is_four in [true, false] {
        let has = |(endpoint, routes): &&(&Endpoint, Routes)| {
            routes.default[usize::from(!is_four)] && has_family(endpoint, is_four)
        };
        match endpoints.iter().find(has) {
            Some((endpoint, _)) => {
                let index = inner(&mut socket, endpoint)?.index;
                route::default_route(&mut batch, index, is_four, gateway(endpoint, is_four));
            }
            None => route::no_default_route(&mut batch, is_four),
        }
    }
    socket.tell(batch, &[Errno::SRCH, Errno::AFNOSUPPORT])
}

/// The hardware address that goes with an address, so that neighbours who remember it are right when another container has it.
pub(crate) fn mac_of(address: IpAddr) -> Mac {
    let tail = match address {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            [a, b, c, d]
        }
    };
    let [a, b, c, d] = tail;
    Mac([0x02, 0x42, a, b, c, d])
}
