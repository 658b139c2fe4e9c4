//! A container's networks: what is taken of them before its process starts, and what changes while it runs.
//!
//! ```text
//! start:      lock -> leases and names (claims) -> ports held -> /etc files -> namespace -> links, elements, resolver -> process -> status.json -> unlock
//! end of run: the namespace goes, and its links with it; leases, names, ports and elements stay for the next run, or are given back by the burial
//! ```

mod change;
mod places;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use disk::{Home, Journal, Lock, read};
use network::endpoint::{self, Join};
use network::port::Reserved;
use network::resolver::{Bare, Forward, Resolver, Scope};
use network::rules::{self, Firewall, Live};
use network::{NetworkError, Taken, place, port, record};
use runtime::Joined;
use spec::bundle::Bundle;
use spec::container::{Config, NetworkMode};
use spec::event::NetworkAct;
use spec::id::{ContainerId, NetworkId};
use spec::network::{Attachment, Defaults, Driver, Endpoint, Network};

use crate::burial::{self, Claim};
use crate::etc::{self, Asks, Root};
use crate::owner::Owner;
use crate::status::{self, State};
use places::{
    Places, asks, first_free, first_name, host_gateways, links, name_of, names, routes, targets, wanted_ports,
};

/// Why a container cannot be on its networks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("network {0} not found")]
    Gone(NetworkId),
    #[error("driver failed programming external connectivity on endpoint {name} ({endpoint})")]
    Ports {
        name: String,
        endpoint: String,
        #[source]
        cause: NetworkError,
    },
    #[error("Cannot link to a non running container: {0} AS {1}")]
    Link(String, String),
    #[error("{0}")]
    Io(&'static str, #[source] io::Error),
    #[error("the container's records")]
    Disk(#[from] disk::DiskError),
}

impl From<io::Error> for JoinError {
    fn from(error: io::Error) -> JoinError {
        JoinError::Io("writing down what was given back", error)
    }
}

/// What a container holds between its runs, beside what stands in its status.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Its ports; dropped, they are free.
    pub(crate) ports: Option<Reserved>,
}

/// What a run has.
#[derive(Debug)]
pub(crate) struct Wired {
    /// For networks that come and go.
    namespace: OwnedFd,
    pub(crate) resolver: Option<Resolver>,
    files: etc::Written,
}

impl Owner {
    /// Takes what is to be had of its networks, and writes the files that say so. None: it is on no networks of its own.
    pub(crate) fn join(&mut self, config: &Config, bundle: &Bundle) -> Result<Option<Joining>, JoinError> {
        let (defaults, root) = (&bundle.networks, Root::of(bundle.namespaces.id_maps.as_ref()));
        match &config.host.network {
            NetworkMode::Networks(_) => self.join_networks(config, defaults, root).map(Some),
            NetworkMode::Host | NetworkMode::None => write_files(&self.dir, config, defaults, root).map(|()| None),
            NetworkMode::Container(_) => Ok(None),
        }
    }

    /// What it has from its run before, it keeps. The lock is to be held until the status says it all.
    fn join_networks(&mut self, config: &Config, defaults: &Defaults, root: Root) -> Result<Joining, JoinError> {
        let lock = place::share(&self.home)?;
        let places = Places::read(&self.home, &self.settings.networks)?;
        for (network, attachment) in places.each() {
            if self.endpoint(&network.id).is_none() {
                self.take(config, network, attachment)?;
                self.teller.tell_network(&self.home, network, NetworkAct::Connect(&self.id));
            }
        }
        if self.state.published.is_empty() {
            self.hold_ports(config, &places, defaults)?;
        }
        let of_host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let asks = asks(config, &places, defaults, &of_host);
        let links = links(&self.home, config, &places)?;
        let facts = etc::Facts {
            endpoints: &self.state.endpoints,
            links: &links,
            gateways: &host_gateways(&places, &self.state.endpoints),
            asks,
            defaults,
        };
        let files = etc::write(&self.dir, config, &facts, root).map_err(writing)?;
        Ok(Joining { lock: Some(lock), places, asks, files })
    }

    fn endpoint(&self, network: &NetworkId) -> Option<&Endpoint> {
        self.state.endpoints.iter().find(|endpoint| endpoint.network == *network)
    }

    fn take(&mut self, config: &Config, network: &Network, attachment: &Attachment) -> Result<(), JoinError> {
        let names = names(&self.home, config, network, attachment)?;
        let join =
            Join { network, attachment, container: &self.id, interface: first_free(&self.state.endpoints), names };
        let endpoint = endpoint::join(&self.home, &join, &mut write(&mut self.claims))?;
        self.state.endpoints.push(endpoint);
        Ok(())
    }

    /// Ports lead to where the default routes are (moby `programExternalConnectivity`).
    fn hold_ports(&mut self, config: &Config, places: &Places, defaults: &Defaults) -> Result<(), JoinError> {
        let wanted = wanted_ports(config);
        let gateways = places.gateways(&self.state.endpoints);
        let (false, Some(main)) = (wanted.is_empty(), gateways.iter().flatten().next()) else { return Ok(()) };
        let ours = places.network(&main.network).and_then(|network| match &network.driver {
            Driver::Bridge(bridge) => Some(bridge.host_binding),
            Driver::Macvlan { .. } | Driver::Ipvlan { .. } | Driver::Host | Driver::Null => None,
        });
        // Who has an address of the outside needs no port of ours.
        let Some(binding) = ours else { return Ok(()) };
        let host_ip = binding.or(defaults.publish_ip).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let families = gateways.each_ref().map(Option::is_some);
        let reserved = port::reserve(&self.home, &wanted, families, host_ip).map_err(|cause| JoinError::Ports {
            name: name_of(&self.home, &self.id, &config.name).unwrap_or_default(),
            endpoint: main.id.to_string(),
            cause,
        })?;
        self.state.published.clone_from(&reserved.published);
        self.held = Held { ports: Some(reserved) };
        Ok(())
    }

    /// Links for a process that will join its network namespace: the one in `joined`, or else a new one that is put there.
    pub(crate) fn wire_ahead(
        &mut self,
        config: &Config,
        defaults: &Defaults,
        joining: &mut Joining,
        joined: &mut Joined,
    ) -> Result<Wired, JoinError> {
        let making = |e| JoinError::Io("making a network namespace", e);
        let namespace = match joined.network.take() {
            Some(namespace) => namespace,
            None => runtime::new_network().map_err(making)?,
        };
        joined.network = Some(namespace.try_clone().map_err(making)?);
        self.wire(config, defaults, joining, namespace)
    }

    /// Links in a namespace that was made with the process, whose loopback device is not on yet.
    pub(crate) fn wire_made(
        &mut self,
        config: &Config,
        defaults: &Defaults,
        joining: &mut Joining,
        namespace: OwnedFd,
    ) -> Result<Wired, JoinError> {
        sys::netns::within(namespace.as_fd(), sys::loopback::up)
            .map_err(|e| JoinError::Io("switching the loopback device on", e))?;
        self.wire(config, defaults, joining, namespace)
    }

    /// Makes links and elements, and the resolver, in the namespace that the container gets.
    fn wire(
        &mut self,
        config: &Config,
        defaults: &Defaults,
        joining: &mut Joining,
        namespace: OwnedFd,
    ) -> Result<Wired, JoinError> {
        let egress = config.host.egress.as_ref();
        let gateways = joining.places.gateways(&self.state.endpoints);
        for endpoint in self.state.endpoints.clone() {
            let Some(network) = joining.places.network(&endpoint.network).cloned() else { continue };
            let routes = routes(&gateways, &endpoint);
            self.with_table(joining, defaults, |owner| {
                endpoint::plug(&owner.home, &network, &endpoint, &routes, egress, namespace.as_fd())
            })?;
        }
        let targets = targets(&gateways);
        // From the run before.
        let are_published = self.claims.held().any(is_published);
        if !self.state.published.is_empty() && !are_published {
            self.with_table(joining, defaults, |owner| owner.publish_ports(&targets))?;
        }
        let resolver = match joining.asks {
            Asks::Servers => None,
            Asks::Resolver => Some(self.open_resolver(config, defaults, &joining.places, namespace.as_fd())?),
        };
        Ok(Wired { namespace, resolver, files: joining.files })
    }

    /// Does something that needs the table, and makes the table where it is gone, as it is for the first container after a boot.
    fn with_table(
        &mut self,
        joining: &mut Joining,
        defaults: &Defaults,
        act: impl Fn(&mut Owner) -> Result<(), NetworkError>,
    ) -> Result<(), JoinError> {
        match act(self) {
            Err(NetworkError::TableGone) => {}
            other => return Ok(other?),
        }
        // What we have by now is for whoever makes the table.
        self.save()?;
        joining.lock = None;
        joining.lock = Some(whole(&self.home, defaults)?);
        Ok(act(self)?)
    }

    fn publish_ports(&mut self, targets: &[Endpoint]) -> Result<(), NetworkError> {
        let published = self.state.published.clone();
        endpoint::publish(&self.home, &self.id, targets, &published, &mut write(&mut self.claims))?;
        self.held.ports.as_mut().map_or(Ok(()), |ports| ports.relay.follow(&self.home, targets))
    }

    fn open_resolver(
        &self,
        config: &Config,
        defaults: &Defaults,
        places: &Places,
        namespace: BorrowedFd<'_>,
    ) -> Result<Resolver, JoinError> {
        let scope = self.scope(config, defaults, places);
        Resolver::open(namespace, scope).map_err(|e| JoinError::Io("listening at 127.0.0.11 in the container", e))
    }

    fn scope(&self, config: &Config, defaults: &Defaults, places: &Places) -> Scope {
        let options = etc::choose(&config.host.dns_options, &defaults.dns_options);
        let dns = etc::choose(&config.host.dns, &defaults.dns);
        let has_way_out = places.networks.iter().any(|network| !network.internal);
        Scope {
            home: self.home.clone(),
            container: self.id.clone(),
            networks: places.known(),
            endpoints: self.state.endpoints.clone(),
            policies: places.policies(config).cloned().collect(),
            forward: match dns {
                _ if !has_way_out => Forward::Nobody,
                [] => Forward::Host,
                given => Forward::To(given.iter().filter_map(|server| server.parse().ok()).collect()),
            },
            bare: if options.iter().any(|option| option.strip_prefix("ndots:").is_some_and(|dots| dots != "0")) {
                Bare::Keep
            } else {
                Bare::Forward
            },
            notes: self.dir.join(network::resolver::NOTES),
            name_of: first_name,
        }
    }

    pub(crate) fn resolver(&self) -> Option<&Resolver> {
        self.run.as_ref()?.wired.as_ref()?.resolver.as_ref()
    }

    pub(crate) fn resolver_mut(&mut self) -> Option<&mut Resolver> {
        self.run.as_mut()?.wired.as_mut()?.resolver.as_mut()
    }

    /// Gives back what it holds of networks, before anybody hears that it ended: the next container may want the same port.
    pub(crate) fn leave_networks(&mut self) {
        let has_places = self.claims.held().any(|claim| matches!(claim, Claim::Network(_)));
        if has_places && let Ok(_shared) = place::share(&self.home) {
            let home = self.home.clone();
            // What cannot be given back stays written down; the burial tries again, and tells.
            let _ = self
                .claims
                .give_back_if(|claim| matches!(claim, Claim::Network(_)), |claim| burial::release(&home, claim));
        }
        for endpoint in std::mem::take(&mut self.state.endpoints) {
            if let Ok(Some(network)) = record::by_id(&self.home, &endpoint.network) {
                self.teller.tell_network(&self.home, &network, NetworkAct::Disconnect(&self.id));
            }
        }
        self.state.published = Vec::new();
        self.held = Held::default();
    }
}

/// A container that has its places and not yet its links.
pub(crate) struct Joining {
    /// Of all networks, shared.
    lock: Option<Lock>,
    places: Places,
    asks: Asks,
    files: etc::Written,
}

/// Of a container without places: its files alone.
fn write_files(dir: &Path, config: &Config, defaults: &Defaults, root: Root) -> Result<(), JoinError> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let gateways: &[IpAddr] = if config.host.network == NetworkMode::Host { &loopback } else { &[] };
    let facts = etc::Facts { endpoints: &[], links: &[], gateways, asks: Asks::Servers, defaults };
    etc::write(dir, config, &facts, root).map(drop).map_err(writing)
}

fn writing(error: io::Error) -> JoinError {
    JoinError::Io("writing the container's /etc files", error)
}

/// The networks' lock, with the table in place: whoever finds it gone makes it again for all that live.
fn whole(home: &Home, defaults: &Defaults) -> Result<Lock, JoinError> {
    loop {
        let lock = place::share(home)?;
        if rules::are_whole(home)? {
            return Ok(lock);
        }
        drop(lock);
        let _alone = place::alone(home)?;
        // Somebody else may have been faster.
        if !rules::are_whole(home)? {
            let firewall = if defaults.respect_input { Firewall::RespectInput } else { Firewall::Open };
            rules::restore(home, firewall, &live(home)?)?;
        }
    }
}

/// The containers whose monitors live and that have something of networks: what [`rules::restore`] makes the table from.
///
/// # Errors
/// Of the files.
pub fn live(home: &Home) -> Result<Vec<Live>, disk::DiskError> {
    let io = |e| disk::DiskError::Io(home.run().into(), e);
    let mut all = Vec::new();
    for entry in std::fs::read_dir(home.run()).map_err(io)? {
        let Some(id) = entry.map_err(io)?.file_name().to_str().and_then(|name| name.parse::<ContainerId>().ok()) else {
            continue;
        };
        let State { endpoints, published, .. } = status::of(home, &id)?;
        if !endpoints.is_empty() {
            let egress = read::<Config>(&home.container(&id))?.and_then(|config| config.host.egress);
            all.push(Live { container: id, endpoints, published, egress });
        }
    }
    Ok(all)
}

fn is_published(claim: &Claim) -> bool {
    matches!(claim, Claim::Network(Taken::Published { .. }))
}

fn write(claims: &mut Journal<Claim>) -> impl FnMut(&Taken) -> io::Result<()> {
    |taken| claims.take(Claim::Network(taken.clone()))
}
