//! The networks' records.
//!
//! ```text
//! <root>/networks/<id>/network.json      written once
//! <root>/network-names/<name> -> <id>    exclusive
//! ```
//!
//! A network is there when both are: the name comes last and goes first. What a crash left of one, whoever holds the lock alone takes
//! away before he makes or removes another.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use disk::{Durability, Home, links, remove_tree};
use spec::id::{ContainerId, NetworkId};
use spec::network::{Bridge, Driver, GatewayMode, Network, Pool};

use crate::error::NetworkError;
use crate::place::{self, failed};
use crate::{lease, link, pool, rules};

/// Names that nobody may give or take away.
pub const PREDEFINED: [&str; 3] = ["bridge", "host", "none"];

/// `network.json`.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Stored(Network);

impl disk::Record for Stored {
    const FILE: &'static str = "network.json";
    const FORMAT: u32 = 1;
}

/// All networks, by name. Makes the predefined ones where they are missing, `bridge` with a subnet of `pools`.
///
/// # Errors
/// Of the files; [`NetworkError::NoSubnet`] when `bridge` had to be made.
pub fn all(home: &Home, pools: &[pool::Default]) -> Result<Vec<Network>, NetworkError> {
    let networks = here(home)?;
    let is_missing = |name: &&str| networks.iter().all(|network| network.name != *name);
    if PREDEFINED.iter().any(is_missing) {
        predefine(home, pools)?;
        return here(home);
    }
    Ok(networks)
}

/// All networks that are there, by name.
pub(crate) fn here(home: &Home) -> Result<Vec<Network>, NetworkError> {
    let mut networks = Vec::new();
    for (name, id) in names(home)? {
        let Ok(id) = id.parse::<NetworkId>() else { continue };
        networks.extend(read(home, &id)?.filter(|network| network.name == name));
    }
    Ok(networks)
}

fn names(home: &Home) -> Result<BTreeMap<String, String>, NetworkError> {
    let dir = place::network_names(home);
    match links::all(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        other => other.map_err(failed("listing", &dir)),
    }
}

/// By identifier; none: it was removed.
///
/// # Errors
/// Of the files.
pub fn by_id(home: &Home, id: &NetworkId) -> Result<Option<Network>, NetworkError> {
    let Some(network) = read(home, id)? else { return Ok(None) };
    Ok((holder(home, &network.name)?.as_deref() == Some(id.as_str())).then_some(network))
}

/// The same, also while it is being removed: for giving back what is of it.
pub(crate) fn read(home: &Home, id: &NetworkId) -> Result<Option<Network>, NetworkError> {
    Ok(disk::read::<Stored>(&place::records(home).join(id.as_str()))?.map(|stored| stored.0))
}

fn holder(home: &Home, name: &str) -> Result<Option<String>, NetworkError> {
    let dir = place::network_names(home);
    links::holder(&dir, name).map_err(failed("looking for a name in", &dir))
}

/// As users name them: identifier, name, or the unique beginning of an identifier. `bridge`, `host`, `none` are made where
/// missing, as by [`all`].
///
/// # Errors
/// [`NetworkError::Unknown`], [`NetworkError::Ambiguous`], of the files.
pub fn find(home: &Home, pools: &[pool::Default], word: &str) -> Result<Network, NetworkError> {
    if let Ok(id) = word.parse::<NetworkId>()
        && let Some(network) = by_id(home, &id)?
    {
        return Ok(network);
    }
    if let Some(network) = by_name(home, word)? {
        return Ok(network);
    }
    if PREDEFINED.contains(&word) {
        predefine(home, pools)?;
        // It is the bridge, and no subnet was left for it.
        return by_name(home, word)?.ok_or(NetworkError::NoSubnet);
    }
    let begins = |network: &Network| !word.is_empty() && network.id.as_str().starts_with(word);
    let mut found: Vec<Network> = here(home)?.into_iter().filter(begins).collect();
    match found.len() {
        0 => Err(NetworkError::Unknown(word.into())),
        1 => Ok(found.remove(0)),
        several => Err(NetworkError::Ambiguous(word.into(), several)),
    }
}

fn by_name(home: &Home, name: &str) -> Result<Option<Network>, NetworkError> {
    if name.is_empty() || name.contains(['/', '\0']) || name.len() > 255 {
        return Ok(None);
    }
    let Some(id) = holder(home, name)?.and_then(|id| id.parse::<NetworkId>().ok()) else { return Ok(None) };
    Ok(read(home, &id)?.filter(|network| network.name == name))
}

/// Writes a new network down, with its name, and makes its device so that what the kernel refuses is heard now. Pools without a subnet
/// were filled in before ([`crate::pool`]).
///
/// # Errors
/// [`NetworkError::NameTaken`], [`NetworkError::Overlaps`], of the kernel; then nothing was made.
pub fn create(home: &Home, network: &Network) -> Result<(), NetworkError> {
    let _alone = place::alone(home)?;
    sweep(home)?;
    check(home, network)?;
    write(home, network)?;
    let made = link::prepare(home, network).and_then(|()| rules::add_network(home, network));
    match made.and_then(|()| claim(home, network)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // The first error is the one to tell; what stays is swept.
            let _ = clear(home, network);
            Err(error)
        }
    }
}

fn check(home: &Home, network: &Network) -> Result<(), NetworkError> {
    if lease::file_name(&network.name).is_none() {
        return Err(NetworkError::Invalid(format!("invalid network name: {}", network.name)));
    }
    for other in here(home)? {
        if other.name == network.name {
            return Err(NetworkError::NameTaken(network.name.clone()));
        }
        let meets = |pool: &Pool| other.pools.iter().any(|theirs| theirs.subnet.overlaps(pool.subnet));
        if network.pools.iter().any(meets) {
            return Err(NetworkError::Overlaps);
        }
        match (device(&network.driver), device(&other.driver)) {
            (Some(name), Some(theirs)) if name == theirs => {
                return Err(NetworkError::Invalid(format!(
                    "network {} is already using the device {name}",
                    other.name
                )));
            }
            (Some(_) | None, _) => {}
        }
    }
    Ok(())
}

/// The host's device that a network has for itself.
fn device(driver: &Driver) -> Option<&str> {
    match driver {
        Driver::Bridge(bridge) => Some(&bridge.device),
        Driver::Macvlan { parent, .. } | Driver::Ipvlan { parent, .. } => parent.as_deref(),
        Driver::Host | Driver::Null => None,
    }
}

fn write(home: &Home, network: &Network) -> Result<(), NetworkError> {
    let dir = place::records(home).join(network.id.as_str());
    place::make(&dir)?;
    Ok(disk::write(&dir, &Stored(network.clone()), Durability::Durable)?)
}

/// From now on it is there.
fn claim(home: &Home, network: &Network) -> Result<(), NetworkError> {
    let dir = place::network_names(home);
    place::make(&dir)?;
    let taking = failed("taking a name in", &dir);
    if links::claim(&dir, &network.name, network.id.as_str()).map_err(&taking)?.is_some() {
        return Err(NetworkError::NameTaken(network.name.clone()));
    }
    sync(&place::records(home))?;
    sync(&dir)
}

fn sync(dir: &Path) -> Result<(), NetworkError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("syncing", dir))
}

/// Takes a network away: device, elements, record, name.
///
/// # Errors
/// [`NetworkError::InUse`] while somebody has a lease of it.
pub fn remove(home: &Home, network: &Network) -> Result<(), NetworkError> {
    let _alone = place::alone(home)?;
    if !members(home, &network.id)?.is_empty() {
        return Err(NetworkError::InUse { network: network.name.clone(), endpoints: String::new() });
    }
    if by_id(home, &network.id)?.is_none() {
        return Err(NetworkError::Unknown(network.name.clone()));
    }
    let dir = place::network_names(home);
    links::release(&dir, &network.name).map_err(failed("releasing a name in", &dir))?;
    sync(&dir)?;
    clear(home, network)?;
    sweep(home)
}

/// Takes the device of a network away that nobody is on. Its record stays, and the next container makes the device again.
///
/// # Errors
/// Of the kernel, of the files.
pub fn rest(home: &Home, network: &Network) -> Result<(), NetworkError> {
    let _alone = place::alone(home)?;
    if members(home, &network.id)?.is_empty() { link::discard(network) } else { Ok(()) }
}

/// All of a network that nobody finds any more.
fn clear(home: &Home, network: &Network) -> Result<(), NetworkError> {
    rules::remove_network(home, network)?;
    link::discard(network)?;
    let of_run = place::running(home).join(network.id.as_str());
    remove_tree(&of_run).map_err(failed("removing", &of_run))?;
    let dir = place::records(home).join(network.id.as_str());
    remove_tree(&dir).map_err(failed("removing", &dir))
}

/// Finishes what processes that died left half made or half removed. The lock is held alone.
fn sweep(home: &Home) -> Result<(), NetworkError> {
    let names = names(home)?;
    let dir = place::records(home);
    let entries = match fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed("listing", &dir))?,
    };
    let mut known = Vec::new();
    for id in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<NetworkId>().ok()) {
        match read(home, &id)? {
            Some(network) if names.get(&network.name).is_some_and(|holder| *holder == id.as_str()) => known.push(id),
            Some(network) => clear(home, &network)?,
            None => {
                let dir = dir.join(id.as_str());
                remove_tree(&dir).map_err(failed("removing", &dir))?;
            }
        }
    }
    let dir = place::network_names(home);
    for (name, _) in names.iter().filter(|(_, holder)| known.iter().all(|id| id.as_str() != holder.as_str())) {
        links::release(&dir, name).map_err(failed("releasing a name in", &dir))?;
    }
    Ok(())
}

/// Who is on a network now.
///
/// # Errors
/// Of the files.
pub fn members(home: &Home, id: &NetworkId) -> Result<Vec<ContainerId>, NetworkError> {
    lease::members(home, id)
}

/// Makes those of `bridge`, `host`, `none` that are missing. Their devices come with the first container.
fn predefine(home: &Home, pools: &[pool::Default]) -> Result<(), NetworkError> {
    let _alone = place::alone(home)?;
    sweep(home)?;
    for name in PREDEFINED {
        if by_name(home, name)?.is_some() {
            continue;
        }
        let network = match name {
            "bridge" => match default_bridge(home, pools) {
                // Who wants that very network is told; others have nothing to do with it.
                Err(NetworkError::NoSubnet) => continue,
                other => other?,
            },
            "host" => bare(name, Driver::Host)?,
            _ => bare(name, Driver::Null)?,
        };
        write(home, &network)?;
        claim(home, &network)?;
    }
    Ok(())
}

fn bare(name: &str, driver: Driver) -> Result<Network, NetworkError> {
    Ok(Network {
        id: NetworkId::from_bytes(random()?),
        name: name.into(),
        created: disk::now(),
        driver,
        internal: false,
        attachable: false,
        ipv4: true,
        ipv6: false,
        pools: Vec::new(),
        options: BTreeMap::new(),
        labels: BTreeMap::new(),
        egress: None,
    })
}

pub(crate) fn random() -> Result<[u8; 32], NetworkError> {
    let mut bytes = [0; 32];
    // No more than 256 bytes come whole (getrandom(2)).
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| NetworkError::Kernel("asking for random numbers".into(), e.into()))?;
    Ok(bytes)
}

fn default_bridge(home: &Home, pools: &[pool::Default]) -> Result<Network, NetworkError> {
    let four: Vec<_> = pools.iter().filter(|pool| pool.base.address().is_ipv4()).copied().collect();
    let subnet = pool::choose(&four, &pool::taken(home)?).ok_or(NetworkError::NoSubnet)?;
    let mut device = String::new();
    for n in 0.. {
        device = format!("kist{n}");
        if !link::is_there(&device)? {
            break;
        }
    }
    const OPTIONS: [(&str, &str); 5] = [
        ("com.docker.network.bridge.default_bridge", "true"),
        ("com.docker.network.bridge.enable_icc", "true"),
        ("com.docker.network.bridge.enable_ip_masquerade", "true"),
        ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
        ("com.docker.network.driver.mtu", "1500"),
    ];
    let mut options: BTreeMap<String, String> = OPTIONS.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    options.insert("com.docker.network.bridge.name".into(), device.clone());
    let bridge = Bridge {
        device,
        mtu: None,
        icc: true,
        masquerade: true,
        gateway_mode: [GatewayMode::Nat; 2],
        host_binding: None,
    };
    let pool = Pool { subnet, range: None, gateway: subnet.nth(1), aux: BTreeMap::new(), given: false };
    Ok(Network { pools: vec![pool], options, ..bare("bridge", Driver::Bridge(bridge))? })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_bytes_of_a_record_are_these() {
        let root = testkit::Root::new();
        let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
        let subnet: spec::address::Subnet = "172.30.0.0/16".parse().unwrap();
        let bridge = Bridge {
            device: "br-a".into(),
            mtu: Some(1400),
            icc: true,
            masquerade: true,
            gateway_mode: [GatewayMode::Nat, GatewayMode::NatUnprotected],
            host_binding: None,
        };
        let pool = Pool { subnet, range: None, gateway: subnet.nth(1), aux: BTreeMap::new(), given: true };
        let network = Network {
            id: NetworkId::from_bytes([7; 32]),
            created: spec::time::Time::from_ns(5),
            pools: vec![pool],
            ..bare("n", Driver::Bridge(bridge)).unwrap()
        };
        write(&home, &network).unwrap();
        assert_eq!(by_id(&home, &network.id).unwrap(), None, "its name is not claimed");
        claim(&home, &network).unwrap();
        assert_eq!(by_id(&home, &network.id).unwrap(), Some(network.clone()));
        let file = place::records(&home).join(network.id.as_str()).join("network.json");
        expect![[r#"{"format":1,"record":{"id":"0707070707070707070707070707070707070707070707070707070707070707","name":"n","created":"1970-01-01T00:00:00.000000005Z","driver":{"bridge":{"device":"br-a","mtu":1400,"icc":true,"masquerade":true,"gateway_mode":["nat","nat-unprotected"],"host_binding":null}},"internal":false,"attachable":false,"ipv4":true,"ipv6":false,"pools":[{"subnet":"172.30.0.0/16","range":null,"gateway":"172.30.0.1","aux":{},"given":true}],"options":{},"labels":{},"egress":null}}"#]].assert_eq(&fs::read_to_string(file).unwrap());
    }
}
