//! Addresses and names: exclusive links in memory.
//!
//! A lease is held by the container its link names, until that container gives it back. Where the container has no run
//! directory any more, nobody will: then whoever wants the address takes it over.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::Path;

use disk::{Home, Lock, faults, links};
use spec::id::{ContainerId, NetworkId};
use spec::network::{Endpoint, Network, Pool};

use crate::error::NetworkError;
use crate::place::{self, failed};

/// Takes the first free address of a pool. `write` is told each that is tried, before.
pub(crate) fn first_free(
    home: &Home,
    network: &Network,
    pool: &Pool,
    container: &ContainerId,
    mut write: impl FnMut(IpAddr) -> Result<(), NetworkError>,
) -> Result<IpAddr, NetworkError> {
    let dir = place::leases(home, &network.id);
    place::make(&dir)?;
    for try_stale in [false, true] {
        if try_stale {
            release_stale(home, &network.id)?;
        }
        let taken = taken(&dir)?;
        for address in candidates(pool) {
            if taken.contains(&address) {
                continue;
            }
            write(address)?;
            if claim(&dir, address, container)?.is_none() {
                return Ok(address);
            }
        }
    }
    let family = if pool.subnet.address().is_ipv4() { 4 } else { 6 };
    Err(NetworkError::Exhausted { family, network: network.name.clone(), id: network.id.to_string() })
}

fn taken(dir: &Path) -> Result<HashSet<IpAddr>, NetworkError> {
    let entries = fs::read_dir(dir).map_err(failed("listing", dir))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// What a pool gives out unasked, lowest first.
fn candidates(pool: &Pool) -> impl Iterator<Item = IpAddr> {
    let range = pool.range.unwrap_or(pool.subnet);
    (0..).map_while(move |n| range.nth(n)).filter(|address| is_usable(pool, *address))
}

/// Whether a container may have it: the subnet's own address, its broadcast address, the gateway and the reserved ones are nobody's.
pub(crate) fn is_usable(pool: &Pool, address: IpAddr) -> bool {
    let subnet = pool.subnet;
    // Of two addresses or one, both are a host's (RFC 3021).
    let width = if address.is_ipv4() { 32 } else { 128 };
    let is_edge =
        subnet.bits() + 1 < width && (address == subnet.address() || address.is_ipv4() && address == subnet.last());
    subnet.contains(address)
        && !is_edge
        && pool.gateway != Some(address)
        && !pool.aux.values().any(|aux| *aux == address)
}

/// Takes one address, or says who has it.
pub(crate) fn take(
    home: &Home,
    network: &NetworkId,
    address: IpAddr,
    container: &ContainerId,
) -> Result<(), NetworkError> {
    let dir = place::leases(home, network);
    place::make(&dir)?;
    let mut holder = claim(&dir, address, container)?;
    if holder.is_some() {
        release_stale(home, network)?;
        holder = claim(&dir, address, container)?;
    }
    match holder {
        None => Ok(()),
        Some(holder) => Err(NetworkError::AddressTaken(address, holder.parse().ok())),
    }
}

fn claim(dir: &Path, address: IpAddr, container: &ContainerId) -> Result<Option<String>, NetworkError> {
    let holder =
        links::claim(dir, &address.to_string(), container.as_str()).map_err(failed("taking an address in", dir))?;
    Ok(holder.filter(|holder| holder != container.as_str()))
}

/// Frees what is held by containers without a run directory. One at a time does it: who looks again under the lock takes away no lease that
/// another has taken in the meantime.
fn release_stale(home: &Home, network: &NetworkId) -> Result<(), NetworkError> {
    let dir = place::leases(home, network);
    let path = place::running(home).join(network.as_str()).join("lock");
    let _held = Lock::exclusive(&path).map_err(failed("locking", &path))?;
    for (address, holder) in all(&dir)? {
        if !is_alive(home, &holder)? {
            links::release(&dir, &address.to_string()).map_err(failed("freeing an address in", &dir))?;
        }
    }
    Ok(())
}

fn is_alive(home: &Home, holder: &str) -> Result<bool, NetworkError> {
    match holder.parse::<ContainerId>() {
        Ok(id) => place::is_there(&home.sandbox(&id)),
        Err(_) => Ok(false),
    }
}

/// All leases of a network's directory.
fn all(dir: &Path) -> Result<Vec<(IpAddr, String)>, NetworkError> {
    let names = match links::all(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed("listing", dir))?,
    };
    Ok(names.into_iter().filter_map(|(name, holder)| Some((name.parse().ok()?, holder))).collect())
}

/// Who has a lease, once each; not those that nobody will give back.
pub(crate) fn members(home: &Home, network: &NetworkId) -> Result<Vec<ContainerId>, NetworkError> {
    let mut members = Vec::new();
    for (_, holder) in all(&place::leases(home, network))? {
        if is_alive(home, &holder)? {
            members.extend(holder.parse::<ContainerId>());
        }
    }
    members.sort();
    members.dedup();
    Ok(members)
}

/// Whether the address is the container's.
pub(crate) fn is_held(
    home: &Home,
    network: &NetworkId,
    address: IpAddr,
    by: &ContainerId,
) -> Result<bool, NetworkError> {
    let dir = place::leases(home, network);
    match links::holder(&dir, &address.to_string()) {
        Ok(holder) => Ok(holder.as_deref() == Some(by.as_str())),
        Err(e) => Err(failed("looking for a lease in", &dir)(e)),
    }
}

/// Gives an address back, if it is the container's.
pub(crate) fn give_back(
    home: &Home,
    network: &NetworkId,
    address: IpAddr,
    of: &ContainerId,
) -> Result<(), NetworkError> {
    if is_held(home, network, address, of)? {
        let dir = place::leases(home, network);
        links::release(&dir, &address.to_string()).map_err(failed("freeing an address in", &dir))?;
    }
    Ok(())
}

/// The name as a file: lower case. None: no file can have it, nor can a network know it.
#[must_use]
pub fn file_name(name: &str) -> Option<String> {
    let is_fit = !name.is_empty() && name.len() <= 253 && name != "." && name != ".." && !name.contains(['/', '\0']);
    is_fit.then(|| name.to_ascii_lowercase())
}

/// Makes a name lead to an endpoint's addresses, beside others of that name.
pub(crate) fn add_name(home: &Home, endpoint: &Endpoint, name: &str, of: &ContainerId) -> Result<(), NetworkError> {
    let addresses = endpoint.addresses().map(|address| address.to_string()).collect::<Vec<_>>().join(" ");
    let dir = place::names(home, &endpoint.network).join(name);
    let link = dir.join(of.as_str());
    let adding = failed("adding a name in", &dir);
    loop {
        faults::act("claim network name").map_err(&adding)?;
        match symlink(&addresses, &link) {
            // The directory goes with its last name, at any time.
            Err(e) if e.kind() == io::ErrorKind::NotFound => place::make(&dir)?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&link).or_else(absent).map_err(&adding)?;
            }
            other => return other.map_err(adding),
        }
    }
}

/// Takes a container's name away, and the directory when it was the last.
pub(crate) fn remove_name(home: &Home, network: &NetworkId, name: &str, of: &ContainerId) -> Result<(), NetworkError> {
    let dir = place::names(home, network).join(name);
    let removing = failed("removing a name in", &dir);
    faults::act("release network name").map_err(&removing)?;
    fs::remove_file(dir.join(of.as_str())).or_else(absent).map_err(&removing)?;
    match fs::remove_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other.or_else(absent).map_err(removing),
    }
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
