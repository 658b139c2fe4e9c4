//! Messages of rtnetlink(7), and what the kernel tells in them.

use std::borrow::Cow;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use spec::address::{Mac, Subnet};

use crate::error::NetworkError;
use crate::netlink::{Batch, CREATE, EXCLUSIVE, REPLACE, Socket, attribute, number, string};

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const NEW_NEIGHBOUR: u16 = 28;

const HARDWARE_ADDRESS: u16 = 1;
const NAME: u16 = 3;
const MTU: u16 = 4;
const LOWER: u16 = 5;
const MASTER: u16 = 10;
const KIND: u16 = 18;
const BY_FAMILY: u16 = 26;
const IN_GROUP: u16 = 27;
const NAMESPACE: u16 = 28;

const UP: u32 = 1;
const TABLE_MAIN: u8 = 254;
pub(super) const TABLE_LOCAL: u8 = 255;

/// A device as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) index: u32,
    pub(crate) is_up: bool,
    pub(crate) group: u32,
    /// `bridge`, `veth`...; empty: of hardware.
    pub(crate) kind: String,
    /// What it lies on, or is the other end of, by its number there.
    pub(crate) lower: Option<u32>,
}

/// What a new device is to be.
pub(super) struct New<'a> {
    pub(super) name: &'a str,
    pub(super) mac: Option<Mac>,
    pub(super) mtu: Option<u32>,
    pub(super) group: u32,
    pub(super) master: Option<u32>,
    pub(super) lower: Option<u32>,
    pub(super) namespace: Option<BorrowedFd<'a>>,
    pub(super) is_up: bool,
}

impl New<'_> {
    fn put(&self, batch: &mut Batch) {
        batch.text(NAME, self.name);
        if let Some(mac) = self.mac {
            batch.put(HARDWARE_ADDRESS, &mac.0);
        }
        if let Some(mtu) = self.mtu {
            batch.number(MTU, mtu);
        }
        if self.group != 0 {
            batch.number(IN_GROUP, self.group);
        }
        if let Some(master) = self.master {
            batch.number(MASTER, master);
        }
        if let Some(lower) = self.lower {
            batch.number(LOWER, lower);
        }
        if let Some(namespace) = self.namespace {
            batch.number(NAMESPACE, u32::try_from(namespace.as_raw_fd()).unwrap_or(0));
        }
    }

    fn header(&self) -> [u8; 16] {
        interface(0, if self.is_up { UP } else { 0 }, if self.is_up { UP } else { 0 })
    }
}

/// struct ifinfomsg
fn interface(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&change.to_ne_bytes());
    header
}

/// A new device of a kind; `options` puts what only this kind has.
pub(super) fn make(
    batch: &mut Batch,
    new: &New<'_>,
    kind: &str,
    options: impl FnOnce(&mut Batch),
    doing: impl Into<Cow<'static, str>>,
) {
    batch.message(NEW_LINK, CREATE | EXCLUSIVE, &new.header(), doing);
    new.put(batch);
    batch.nest(KIND, |batch| {
        batch.text(1, kind);
        batch.nest(2, options);
    });
}

/// The option of a veth: its other end.
pub(super) fn other_end(batch: &mut Batch, new: &New<'_>) {
    batch.nest(1, |batch| {
        batch.raw(&new.header());
        new.put(batch);
    });
}

/// Bits of a bridge's port: `MODE`, reflecting, is 4, `ISOLATED` is 33.
pub(super) fn port_options(batch: &mut Batch, name: &str, options: &[(u16, u8)], doing: String) {
    batch.message(NEW_LINK, 0, &interface(0, 0, 0), doing);
    batch.text(NAME, name);
    batch.nest(KIND, |batch| {
        batch.text(4, "bridge");
        batch.nest(5, |batch| options.iter().for_each(|(option, value)| batch.put(*option, &[*value])));
    });
}

/// A bridge that shows its packets to the packet filter, whatever is said of all bridges.
pub(super) fn always_filtered(batch: &mut Batch, index: u32, name: &str) {
    const CALLS: [u16; 2] = [36, 37];
    batch.message(NEW_LINK, 0, &interface(index, 0, 0), format!("having the bridge {name} filtered"));
    batch.nest(KIND, |batch| {
        batch.text(1, "bridge");
        batch.nest(2, |batch| CALLS.iter().for_each(|call| batch.put(*call, &[1])));
    });
}

/// No link-local address of the kernel's making: where there is no IPv6 there shall be none, and the kernel would not use its own
/// for a second, while it looks whether another has it.
pub(super) fn without_link_local(batch: &mut Batch, index: u32) {
    const ADDRESS_MODE: u16 = 8;
    const NONE: u8 = 1;
    batch.message(NEW_LINK, 0, &interface(index, 0, 0), "switching link-local addresses off");
    batch.nest(BY_FAMILY, |batch| batch.nest(10, |batch| batch.put(ADDRESS_MODE, &[NONE])));
}

/// One of our making, in use at once.
pub(super) fn link_local(batch: &mut Batch, index: u32, mac: Mac) {
    let Mac([a, b, c, d, e, f]) = mac;
    let octets = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f];
    address(batch, index, IpAddr::from(octets), 64, "setting a link-local address".into());
}

pub(super) fn up(batch: &mut Batch, index: u32, doing: impl Into<Cow<'static, str>>) {
    batch.message(NEW_LINK, 0, &interface(index, UP, UP), doing);
}

pub(super) fn remove(batch: &mut Batch, name: &str, doing: impl Into<Cow<'static, str>>) {
    batch.message(DELETE_LINK, 0, &interface(0, 0, 0), doing);
    batch.text(NAME, name);
}

pub(super) fn ask(batch: &mut Batch, name: &str) {
    batch.question(GET_LINK, &interface(0, 0, 0), format!("looking for the device {name}"));
    batch.text(NAME, name);
}

/// A device by name.
pub(super) fn find(socket: &mut Socket, name: &str) -> Result<Option<Device>, NetworkError> {
    let mut batch = Batch::default();
    ask(&mut batch, name);
    let answer = socket.ask(batch)?.into_iter().next().unwrap_or_default();
    match answer.refusal {
        Some(refusal) if refusal.errno == Errno::NODEV => Ok(None),
        Some(refusal) => Err(refusal.into()),
        None => Ok(answer.replies.first().and_then(|reply| device(reply))),
    }
}

/// The device a reply is about.
pub(super) fn device(reply: &[u8]) -> Option<Device> {
    let told = reply.get(16..)?;
    let kind = attribute(told, KIND).and_then(|kind| attribute(kind, 1));
    Some(Device {
        index: number(reply, 4)?,
        is_up: number(reply, 8)? & UP != 0,
        group: attribute(told, IN_GROUP).and_then(|group| number(group, 0)).unwrap_or(0),
        kind: kind.map(string).unwrap_or_default(),
        lower: attribute(told, LOWER).and_then(|lower| number(lower, 0)),
    })
}

/// Whether a device passes packets on; a bridge's port has a state beside.
pub(super) fn is_running(reply: &[u8]) -> bool {
    const RUNNING: u32 = 0x40;
    const FORWARDING: &[u8] = &[3];
    let kind = reply.get(16..).and_then(|told| attribute(told, KIND));
    let state = kind.and_then(|kind| attribute(kind, 5)).and_then(|port| attribute(port, 1));
    number(reply, 8).is_some_and(|flags| flags & RUNNING != 0) && state.is_none_or(|state| state == FORWARDING)
}

/// Gives a device an address.
pub(super) fn address(batch: &mut Batch, index: u32, address: IpAddr, bits: u8, doing: String) {
    const NO_DETECTION: u32 = 2;
    let (family, octets) = octets(address);
    let mut header = [family, bits, 0, 0, 0, 0, 0, 0];
    header[4..].copy_from_slice(&index.to_ne_bytes());
    batch.message(NEW_ADDRESS, CREATE | REPLACE, &header, doing);
    batch.put(2, &octets);
    batch.put(1, &octets);
    match address {
        IpAddr::V4(_) if bits < 31 => {
            if let Some(IpAddr::V4(last)) = Subnet::new(address, bits).map(Subnet::last) {
                batch.put(4, &last.octets());
            }
        }
        IpAddr::V4(_) => {}
        IpAddr::V6(_) => batch.number(8, NO_DETECTION),
    }
}

/// struct rtmsg, of unicast unless told otherwise.
fn route(family: u8, bits: u8, table: u8, scope: u8, kind: u8) -> [u8; 12] {
    const BOOT: u8 = 3;
    [family, bits, 0, 0, table, BOOT, scope, kind, 0, 0, 0, 0]
}

/// Everything else goes by this device: by way of a router, or directly.
pub(super) fn default_route(batch: &mut Batch, index: u32, is_four: bool, gateway: Option<IpAddr>) {
    const BY_LINK: u8 = 253;
    let family = if is_four { 2 } else { 10 };
    let scope = if gateway.is_none() && is_four { BY_LINK } else { 0 };
    let header = route(family, 0, TABLE_MAIN, scope, 1);
    batch.message(NEW_ROUTE, CREATE | REPLACE, &header, "setting the container's default route");
    batch.number(4, index);
    if let Some(gateway) = gateway {
        batch.put(5, &octets(gateway).1);
    }
}

pub(super) fn no_default_route(batch: &mut Batch, is_four: bool) {
    let header = route(if is_four { 2 } else { 10 }, 0, TABLE_MAIN, 255, 0);
    batch.message(DELETE_ROUTE, 0, &header, "removing the container's default route");
}

/// Whether the kernel takes an address for its own by now: with IPv6 a worker of its sees to that.
pub(super) fn is_own(socket: &mut Socket, address: IpAddr) -> Result<bool, NetworkError> {
    const LOCAL: u8 = 2;
    let (family, octets) = octets(address);
    let mut batch = Batch::default();
    let header = [family, if family == 2 { 32 } else { 128 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    batch.question(GET_ROUTE, &header, "asking for the way to an address");
    batch.put(1, &octets);
    let answers = socket.ask(batch)?;
    Ok(answers.iter().flat_map(|answer| &answer.replies).any(|reply| reply.get(7) == Some(&LOCAL)))
}

/// An address that is the host's own also where a packet comes in by this device.
pub(super) fn local_route(batch: &mut Batch, index: u32, address: IpAddr) {
    let (family, octets) = octets(address);
    let header = route(family, if family == 2 { 32 } else { 128 }, TABLE_LOCAL, 0, 2);
    batch.message(NEW_ROUTE, CREATE, &header, "making loopback known to the bridge");
    batch.put(1, &octets);
    batch.number(4, index);
    batch.number(6, 2048);
}

/// A neighbour that need not be asked for, and the way to it.
pub(super) fn neighbour(batch: &mut Batch, index: u32, address: IpAddr, mac: Mac) {
    const PERMANENT: u16 = 0x80;
    const BY_LINK: u8 = 253;
    let (family, octets) = octets(address);
    let bits = if family == 2 { 32 } else { 128 };
    let header = route(family, bits, TABLE_MAIN, if family == 2 { BY_LINK } else { 0 }, 1);
    batch.message(NEW_ROUTE, CREATE, &header, "making the way to a neighbour");
    batch.put(1, &octets);
    batch.number(4, index);
    known(batch, index, address, mac, PERMANENT);
}

/// A neighbour's hardware address, as if it had just told it.
pub(super) fn reachable(batch: &mut Batch, index: u32, address: IpAddr, mac: Mac) {
    const REACHABLE: u16 = 2;
    known(batch, index, address, mac, REACHABLE);
}

fn known(batch: &mut Batch, index: u32, address: IpAddr, mac: Mac, state: u16) {
    let (family, octets) = octets(address);
    let mut header = [family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..10].copy_from_slice(&state.to_ne_bytes());
    batch.message(NEW_NEIGHBOUR, CREATE | REPLACE, &header, "making a neighbour known");
    batch.put(1, &octets);
    batch.put(2, &mac.0);
}

/// Behind which port of its bridge a hardware address is, so that nothing goes to a former holder's.
pub(super) fn behind(batch: &mut Batch, index: u32, mac: Mac) {
    // An entry that is not learned: only such ones may come before the port has a carrier.
    const STATIC: u16 = 0x40;
    const OF_MASTER: u8 = 4;
    const BRIDGE: u8 = 7;
    let mut header = [BRIDGE, 0, 0, 0, 0, 0, 0, 0, 0, 0, OF_MASTER, 0];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..10].copy_from_slice(&STATIC.to_ne_bytes());
    batch.message(NEW_NEIGHBOUR, CREATE | REPLACE, &header, "telling the bridge where the container is");
    batch.put(2, &mac.0);
}

/// The subnets that the host's routes and addresses are in, but for default routes.
pub(super) fn routed(socket: &mut Socket) -> Result<Vec<Subnet>, NetworkError> {
    let mut all = Vec::new();
    for family in [2, 10] {
        let mut batch = Batch::default();
        batch.list(GET_ROUTE, &[family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "listing the host's routes");
        all.extend(list(socket, batch)?.iter().filter_map(|reply| {
            // Of the main table or one of an administrator's, and to somewhere.
            let (bits, table) = (*reply.get(1)?, *reply.get(4)?);
            let target = attribute(reply.get(12..)?, 1).and_then(from_octets)?;
            Subnet::new(target, bits).filter(|_| table != TABLE_LOCAL && bits > 0)
        }));
        let mut batch = Batch::default();
        batch.list(GET_ADDRESS, &[family, 0, 0, 0, 0, 0, 0, 0], "listing the host's addresses");
        all.extend(list(socket, batch)?.iter().filter_map(|reply| {
            let told = reply.get(8..)?;
            let address = attribute(told, 2).or_else(|| attribute(told, 1)).and_then(from_octets)?;
            Subnet::new(address, *reply.get(1)?)
        }));
    }
    Ok(all)
}

fn list(socket: &mut Socket, batch: Batch) -> Result<Vec<Vec<u8>>, NetworkError> {
    let answer = socket.ask(batch)?.into_iter().next().unwrap_or_default();
    answer.refusal.map_or(Ok(answer.replies), |refusal| Err(refusal.into()))
}

fn octets(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (2, v4.octets().to_vec()),
        IpAddr::V6(v6) => (10, v6.octets().to_vec()),
    }
}

fn from_octets(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
