//! `network create`: a record, a name and, at once, a device: what the kernel refuses is heard now.

use std::collections::BTreeMap;

use network::{NetworkError, pool, record};
use spec::event::NetworkAct;
use spec::id::NetworkId;
use spec::network::{Driver, Egress, GatewayMode, Network, Pool};

use super::ipam::{self, Gateway, WantedPool};
use super::options;
use crate::container;
use crate::error::Error;
use crate::host::Host;

/// All that is asked of a new network.
#[derive(Clone, Debug)]
pub struct Create {
    /// Its name.
    pub name: String,
    /// `-d`; empty: bridge.
    pub driver: String,
    /// `--internal`.
    pub internal: bool,
    /// `--attachable`.
    pub attachable: bool,
    /// `--ipv4`; none: on, unless an option says otherwise.
    pub ipv4: Option<bool>,
    /// `--ipv6`; none: off, unless an option says otherwise.
    pub ipv6: Option<bool>,
    /// `--subnet` and what belongs to each.
    pub pools: Vec<WantedPool>,
    /// `-o`.
    pub options: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--egress`.
    pub egress: Option<Egress>,
}

const ENABLE: [&str; 2] = ["com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6"];

/// How often a subnet is chosen again that another command took meanwhile.
const ATTEMPTS: usize = 20;

/// Makes a network.
///
/// # Errors
/// A name that is taken, wishes that contradict each other or the machine; then nothing was made.
pub fn create(host: &Host, request: &Create) -> Result<Network, Error> {
    options::check_name(&request.name)?;
    let mut bytes = [0; 32];
    container::random(&mut bytes)?;
    let id = NetworkId::from_bytes(bytes);
    let driver = options::driver(&request.driver, &id, &request.options, request.internal)?;
    let switch = |given: Option<bool>, name: &str| {
        given.map_or_else(|| options::switch(&request.options, name), |on| Ok(Some(on)))
    };
    let ipv4 = switch(request.ipv4, ENABLE[0])?.unwrap_or(true);
    let ipv6 = switch(request.ipv6, ENABLE[1])?.unwrap_or(false);
    ipam::check(&request.pools, ipv6)?;
    if !ipv4 && !ipv6 {
        return Err(Error::Invalid("IPv4 or IPv6 must be enabled".into()));
    }
    let mut network = Network {
        id,
        name: request.name.clone(),
        created: disk::now(),
        driver,
        internal: request.internal,
        attachable: request.attachable,
        ipv4,
        ipv6,
        pools: Vec::new(),
        options: request.options.clone(),
        labels: request.labels.clone(),
        egress: request.egress.clone(),
    };
    let others = record::all(&host.home, &host.settings.pools())?;
    if others.iter().any(|other| other.name == network.name) {
        return Err(NetworkError::NameTaken(network.name).into());
    }
    options::check_devices(&network, &others)?;
    for attempt in 1.. {
        network.pools = pools(host, request, &network)?;
        match record::create(&host.home, &network) {
            Ok(()) => break,
            // A subnet of our own choice: another command was faster.
            Err(NetworkError::Overlaps) if attempt < ATTEMPTS && network.pools.iter().any(|pool| !pool.given) => {}
            Err(error) => return Err(error.into()),
        }
    }
    host.note_network(&network, NetworkAct::Create);
    Ok(network)
}

/// One pool for each family that is on: the user's, or one of ours.
fn pools(host: &Host, request: &Create, network: &Network) -> Result<Vec<Pool>, Error> {
    let mut pools = Vec::new();
    for (family, on) in [network.ipv4, network.ipv6].into_iter().enumerate() {
        if !on {
            continue;
        }
        let ipv6 = family == 1;
        let wanted: Vec<&WantedPool> =
            request.pools.iter().filter(|pool| pool.subnet.address.is_ipv6() == ipv6).collect();
        let gateway = gateway(&network.driver, network.internal, family);
        pools.push(match wanted.as_slice() {
            [] => {
                let subnet = ipam::choose(&host.settings.pools(), &pool::taken(&host.home)?, ipv6)?;
                ipam::chosen(subnet, gateway)?
            }
            [one] => ipam::given(one, gateway)?,
            _ => return Err(several(&network.driver)),
        });
    }
    Ok(pools)
}

fn several(driver: &Driver) -> Error {
    match driver {
        Driver::Bridge(_) | Driver::Host | Driver::Null => {
            Error::Invalid("bridge driver doesn't support multiple subnets".into())
        }
        Driver::Macvlan { .. } | Driver::Ipvlan { .. } => {
            Error::NotYet("a network with several subnets of one family".into())
        }
    }
}

/// Whether the network has an address that its containers send through (moby's `GetSkipGwAlloc`).
fn gateway(driver: &Driver, internal: bool, family: usize) -> Gateway {
    let skipped = match driver {
        Driver::Bridge(bridge) => bridge.gateway_mode.get(family) == Some(&GatewayMode::Isolated),
        Driver::Macvlan { parent, .. } => internal || parent.is_none(),
        Driver::Ipvlan { parent, mode, .. } => internal || parent.is_none() || mode != "l2",
        Driver::Host | Driver::Null => true,
    };
    if skipped { Gateway::IfAsked } else { Gateway::Needed }
}
