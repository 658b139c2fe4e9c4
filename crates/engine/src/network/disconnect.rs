//! `network disconnect`: one network less.

use network::{NetworkError, record};
use spec::container::NetworkMode;
use spec::event::NetworkAct;
use spec::id::ContainerId;
use spec::network::{Driver, Network};

use super::connect::{Followed, change, hold};
use crate::container::find;
use crate::error::Error;
use crate::host::Host;

/// What is done where the network is gone already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfGone {
    /// It is an error.
    Refuse,
    /// The container is rid of it (`-f`).
    Forget,
}

const FROM_HOST: &str = "cannot disconnect container from host network - container was created in host network mode";

/// Takes a container off a network.
///
/// # Errors
/// It is not there; the monitor could not, and then nothing has changed.
pub fn disconnect(host: &Host, id: &ContainerId, word: &str, if_gone: IfGone) -> Result<(), Error> {
    let network: Option<Network> = match record::find(&host.home, &host.settings.pools(), word) {
        Ok(network) => Some(network),
        Err(NetworkError::Unknown(_)) if if_gone == IfGone::Forget => None,
        Err(error) => return Err(error.into()),
    };
    let _held = hold(host, id)?;
    let record = find::record(host, id)?;
    let at_home = &record.config.host.network;
    match (at_home, network.as_ref().map(|network| &network.driver)) {
        (NetworkMode::Host, Some(Driver::Host)) => return Err(Error::Invalid(FROM_HOST.into())),
        (NetworkMode::None, Some(Driver::Null)) => {
            return Err(Error::NotYet("taking a container off the network none".into()));
        }
        (NetworkMode::Host | NetworkMode::None | NetworkMode::Container(_) | NetworkMode::Networks(_), _) => {}
    }
    let mut settings = record.settings.clone();
    settings.networks.retain(|one| match &network {
        Some(network) => one.network != network.id,
        // A network that was removed is known by its identifier, and by its name to those it was the first of.
        None => !one.network.as_str().starts_with(word),
    });
    if settings.networks.len() == record.settings.networks.len() {
        let name = network.map_or_else(|| word.to_owned(), |network| network.name.clone());
        let lives = monitor::status::of(&host.home, id)?.status.life().is_some();
        let the = if lives { "" } else { "the " };
        return Err(Error::Denied(format!("container {id} is not connected to {the}network {name}")));
    }
    let followed = change(host, id, &record.settings, &settings)?;
    if let (Followed::Yes, Some(network)) = (followed, network) {
        host.note_network(&network, NetworkAct::Disconnect(id));
    }
    Ok(())
}
