//! Which networks a container is on, with their names: what `ps` and `inspect` show.

use disk::read;
use network::record;
use spec::container::{NetworkMode, Settings};
use spec::id::{ContainerId, NetworkId};
use spec::network::{Attachment, Endpoint};

use super::attach::{Link, Wanted};
use crate::container::{View, find};
use crate::error::Error;
use crate::host::Host;

/// A container on a network.
#[derive(Clone, Debug)]
pub struct Place {
    /// The network's name; its identifier where it was removed.
    pub name: String,
    /// What was asked for.
    pub attachment: Attachment,
    /// The containers it is linked to, by their names of today.
    pub links: Vec<Link>,
    /// What it has there now; none: it does not run, or the network gives nothing.
    pub endpoint: Option<Endpoint>,
}

/// Its networks, in the order of its interfaces. A container that shares another's has none of its own.
///
/// # Errors
/// Of the files.
pub fn places(host: &Host, view: &View) -> Result<Vec<Place>, Error> {
    let settings = read::<Settings>(&host.home.container(&view.config.id))?;
    let attachments = match &view.config.host.network {
        NetworkMode::Networks(_) => settings.map(|settings| settings.networks).unwrap_or_default(),
        NetworkMode::Host => vec![plain(record::find(&host.home, &host.settings.pools(), "host")?.id)],
        NetworkMode::None => vec![plain(record::find(&host.home, &host.settings.pools(), "none")?.id)],
        NetworkMode::Container(_) => Vec::new(),
    };
    let place = |attachment: Attachment| {
        let network = record::by_id(&host.home, &attachment.network)?;
        Ok(Place {
            name: network.map_or_else(|| attachment.network.to_string(), |network| network.name),
            links: attachment.links.iter().map(|link| named(host, link)).collect::<Result<_, _>>()?,
            endpoint: view.state.endpoints.iter().find(|endpoint| endpoint.network == attachment.network).cloned(),
            attachment,
        })
    };
    attachments.into_iter().map(place).collect()
}

fn plain(network: NetworkId) -> Attachment {
    let Wanted { ipv4, ipv6, mac, aliases, driver_options, gateway_priority, .. } = Wanted::plain("");
    Attachment { network, ipv4, ipv6, mac, aliases, links: Vec::new(), driver_options, gateway_priority }
}

/// `identifier:alias`, with the container's name; a container that is gone keeps its identifier.
fn named(host: &Host, link: &str) -> Result<Link, Error> {
    let (container, alias) = link.split_once(':').unwrap_or((link, link));
    let name = match container.parse::<ContainerId>() {
        Ok(id) => find::name(host, &id)?,
        Err(_) => String::new(),
    };
    Ok(Link { container: if name.is_empty() { container.into() } else { name }, alias: alias.into() })
}

/// Docker's names for a container on a network of the user's, the best first.
#[must_use]
pub fn names(view: &View, attachment: &Attachment) -> Vec<String> {
    let short = view.config.id.short();
    let mut names = Vec::new();
    let all = [view.name.as_str()].into_iter().chain(attachment.aliases.iter().map(String::as_str));
    for name in all.chain([short, view.config.hostname.as_str()]) {
        if !name.is_empty() && !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
    names
}
