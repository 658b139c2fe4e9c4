//! `network connect`: one network more, in the settings and, where the container runs, in its namespace.

use disk::{Durability, Lock, write};
use network::record;
use spec::container::{NetworkMode, Settings};
use spec::event::NetworkAct;
use spec::id::ContainerId;
use spec::network::{Driver, Network};

use super::attach::{self, NO_NETWORK, SHARED, Wanted};
use crate::container::{Record, find, visit};
use crate::error::Error;
use crate::host::Host;

const TO_HOST: &str = "cannot connect container to host network - container must be created in host network mode";

/// Puts a container on a network.
///
/// # Errors
/// It is there already; its network mode knows no networks; what is asked for is not to be had, and then nothing has changed.
pub fn connect(host: &Host, id: &ContainerId, wanted: &Wanted) -> Result<(), Error> {
    let network = record::find(&host.home, &host.settings.pools(), &wanted.network)?;
    let _held = hold(host, id)?;
    let record = find::record(host, id)?;
    check(&record, &network)?;
    attach::check_one(&network.name, wanted)?;
    let attachment = attach::attach(host, &network, wanted)?;
    let mut settings = record.settings.clone();
    if let Some(there) = settings.networks.iter().position(|one| one.network == network.id) {
        let state = monitor::status::of(&host.home, id)?;
        let lives = state.status.life().is_some();
        if lives && state.endpoints.iter().any(|endpoint| endpoint.network == network.id) {
            let name = find::name(host, id)?;
            return Err(Error::Denied(format!("endpoint with name {name} already exists in network {}", network.name)));
        }
        if !lives {
            return Ok(());
        }
        // A command died between the settings and the monitor: finished now.
        settings.networks.remove(there);
    }
    settings.networks.push(attachment);
    if change(host, id, &record.settings, &settings)? == Followed::Yes {
        host.note_network(&network, NetworkAct::Connect(id));
    }
    Ok(())
}

/// Whether a change was one for a container that runs, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// It has changed there.
    Yes,
    /// It does not run: its next start heeds it.
    No,
}

/// The settings have one writer at a time.
pub(super) fn hold(host: &Host, id: &ContainerId) -> Result<Lock, Error> {
    let path = host.home.container(id).join("settings.lock");
    Lock::exclusive(&path).map_err(Error::io("locking the container's settings"))
}

/// Writes the settings and makes the monitor follow; what it cannot do is taken back.
pub(super) fn change(host: &Host, id: &ContainerId, from: &Settings, to: &Settings) -> Result<Followed, Error> {
    let dir = host.home.container(id);
    write(&dir, to, Durability::Durable)?;
    let Some(client) = visit::living(host, id)? else { return Ok(Followed::No) };
    match visit::follow(&client, id, &to.networks) {
        // It ended meanwhile: the next start reads the settings.
        Err(error) if visit::went_away(&error) => Ok(Followed::No),
        Err(error) => {
            write(&dir, from, Durability::Durable)?;
            Err(error)
        }
        Ok(()) => Ok(Followed::Yes),
    }
}

fn check(record: &Record, network: &Network) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::Invalid(why.into()));
    match (&record.config.host.network, &network.driver) {
        (NetworkMode::Container(_), _) => refuse(SHARED),
        (NetworkMode::None | NetworkMode::Networks(_), Driver::Host) => refuse(TO_HOST),
        (NetworkMode::Host, _) => refuse(SHARED),
        (NetworkMode::None, _) | (NetworkMode::Networks(_), Driver::Null) => refuse(NO_NETWORK),
        (NetworkMode::Networks(_), Driver::Bridge(_) | Driver::Macvlan { .. } | Driver::Ipvlan { .. }) => Ok(()),
    }
}
