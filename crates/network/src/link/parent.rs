//! Devices on top of one of the host's: macvlan and ipvlan, and the VLAN below them.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use spec::network::{Endpoint, Network};

use super::GROUP;
use super::route::{self, New};
use crate::error::NetworkError;
use crate::netlink::{Batch, Refusal, Socket};

/// The device below; `name.vlan` is made where it is missing, as is one that leads nowhere where none is named.
pub(crate) fn make(socket: &mut Socket, network: &Network, parent: Option<&str>) -> Result<u32, NetworkError> {
    let isolated = nowhere(network);
    let name = parent.unwrap_or(&isolated);
    if let Some(device) = route::find(socket, name)? {
        return Ok(device.index);
    }
    let new = New { name, mac: None, mtu: None, group: GROUP, master: None, lower: None, namespace: None, is_up: true };
    let mut batch = Batch::default();
    let doing = format!("making the device {name} of the network {}", network.name);
    if parent.is_none() {
        route::make(&mut batch, &new, "dummy", |_| {}, doing);
    } else {
        let (lower, vlan) = vlan_of(name)?;
        let lower = route::find(socket, lower)?.ok_or_else(|| {
            NetworkError::Invalid(format!("failed to find master interface {lower} on the host: name one by -o parent"))
        })?;
        let new = New { lower: Some(lower.index), ..new };
        route::make(&mut batch, &new, "vlan", |batch| batch.put(1, &vlan.to_ne_bytes()), doing);
    }
    socket.tell(batch, &[Errno::EXIST])?;
    let gone = || NetworkError::Invalid(format!("the device {name} was removed while it was made"));
    Ok(route::find(socket, name)?.ok_or_else(gone)?.index)
}

/// Takes away what [`make`] made.
pub(crate) fn remove(socket: &mut Socket, network: &Network, parent: Option<&str>) -> Result<(), NetworkError> {
    super::remove_own(socket, parent.unwrap_or(&nowhere(network)))
}

fn nowhere(network: &Network) -> String {
    format!("dm-{}", network.id.short())
}

/// `eth0.10` as its parts.
fn vlan_of(name: &str) -> Result<(&str, u16), NetworkError> {
    let parts = name.rsplit_once('.').and_then(|(lower, vlan)| Some((lower, vlan.parse().ok()?)));
    parts.filter(|(lower, vlan)| !lower.is_empty() && (1..=4094).contains(vlan)).ok_or_else(|| {
        NetworkError::Invalid(format!("invalid subinterface vlan name {name}, example formatting is eth0.10"))
    })
}

fn inner<'a>(endpoint: &'a Endpoint, lower: u32, namespace: BorrowedFd<'a>) -> New<'a> {
    New {
        name: &endpoint.interface,
        mac: None,
        mtu: None,
        group: 0,
        master: None,
        lower: Some(lower),
        namespace: Some(namespace),
        is_up: false,
    }
}

/// A device with a hardware address of its own.
pub(super) fn macvlan(
    socket: &mut Socket,
    lower: u32,
    mode: &str,
    endpoint: &Endpoint,
    namespace: BorrowedFd<'_>,
) -> Result<(), NetworkError> {
    let mode: u32 = match mode {
        "private" => 1,
        "vepa" => 2,
        "" | "bridge" => 4,
        "passthru" => 8,
        other => return Err(NetworkError::Invalid(format!("unknown macvlan mode: {other}"))),
    };
    let new = New { mac: Some(endpoint.mac), ..inner(endpoint, lower, namespace) };
    make_inner(socket, &new, "macvlan", &|batch| batch.number(1, mode))
}

/// A device with the lower one's hardware address.
pub(super) fn ipvlan(
    socket: &mut Socket,
    lower: u32,
    mode: &str,
    flag: &str,
    endpoint: &Endpoint,
    namespace: BorrowedFd<'_>,
) -> Result<(), NetworkError> {
    let mode: u16 = match mode {
        "" | "l2" => 0,
        "l3" => 1,
        "l3s" => 2,
        other => return Err(NetworkError::Invalid(format!("unknown ipvlan mode: {other}"))),
    };
    let flag: u16 = match flag {
        "" | "bridge" => 0,
        "private" => 1,
        "vepa" => 2,
        other => return Err(NetworkError::Invalid(format!("unknown ipvlan flag: {other}"))),
    };
    let options = |batch: &mut Batch| {
        batch.put(1, &mode.to_ne_bytes());
        batch.put(2, &flag.to_ne_bytes());
    };
    make_inner(socket, &inner(endpoint, lower, namespace), "ipvlan", &options)
}

fn make_inner(
    socket: &mut Socket,
    new: &New<'_>,
    kind: &str,
    options: &dyn Fn(&mut Batch),
) -> Result<(), NetworkError> {
    patiently(|| {
        let mut batch = Batch::default();
        route::make(&mut batch, new, kind, |batch| options(batch), format!("making the {kind} device {}", new.name));
        Ok(socket.ask(batch)?.into_iter().find_map(|answer| answer.refusal))
    })
}

/// Tries again for a while: a namespace that is being taken down holds its devices, and their hardware addresses, for a moment longer.
pub(super) fn patiently(mut act: impl FnMut() -> Result<Option<Refusal>, NetworkError>) -> Result<(), NetworkError> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let begun = Instant::now();
    loop {
        match act()? {
            None => return Ok(()),
            Some(refusal) if [Errno::BUSY, Errno::ADDRINUSE].contains(&refusal.errno) && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Some(refusal) => return Err(refusal.into()),
        }
    }
}
