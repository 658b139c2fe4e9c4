//! What networks there are, and who is on them now.

use network::record;
use spec::container::NetworkMode;
use spec::id::ContainerId;
use spec::network::{Driver, Endpoint, Network};

use crate::container::{View as Container, list as containers};
use crate::error::Error;
use crate::host::Host;

/// A network as `ls` and `inspect` see it.
#[derive(Clone, Debug)]
pub struct View {
    /// What it is.
    pub network: Network,
    /// Who is on it.
    pub members: Vec<Member>,
}

/// A container that is on a network now.
#[derive(Clone, Debug)]
pub struct Member {
    /// Which.
    pub container: ContainerId,
    /// Its name.
    pub name: String,
    /// What it has there; none: the network gives nothing.
    pub endpoint: Option<Endpoint>,
}

/// All networks, by name.
///
/// # Errors
/// Of the files.
pub fn list(host: &Host) -> Result<Vec<View>, Error> {
    let running = containers::running(host)?;
    let view = |network: Network| View { members: members(&network, &running), network };
    Ok(record::all(&host.home, &host.settings.pools())?.into_iter().map(view).collect())
}

/// One network, by name, identifier, or the beginning of one.
///
/// # Errors
/// None such, or several; of the files.
pub fn view(host: &Host, word: &str) -> Result<View, Error> {
    let network = record::find(&host.home, &host.settings.pools(), word)?;
    Ok(View { members: members(&network, &containers::running(host)?), network })
}

fn members(network: &Network, running: &[Container]) -> Vec<Member> {
    running.iter().filter_map(|container| member(network, container)).collect()
}

fn member(network: &Network, container: &Container) -> Option<Member> {
    let endpoint = container.state.endpoints.iter().find(|endpoint| endpoint.network == network.id).cloned();
    let is_on = match (&network.driver, &container.config.host.network) {
        (Driver::Host, NetworkMode::Host) | (Driver::Null, NetworkMode::None) => true,
        (
            Driver::Bridge(_) | Driver::Macvlan { .. } | Driver::Ipvlan { .. } | Driver::Host | Driver::Null,
            NetworkMode::Host | NetworkMode::None | NetworkMode::Container(_) | NetworkMode::Networks(_),
        ) => endpoint.is_some(),
    };
    is_on.then(|| Member { container: container.config.id.clone(), name: container.name.clone(), endpoint })
}
