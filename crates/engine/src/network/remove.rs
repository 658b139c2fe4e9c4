//! `network rm`: device, record and name go, unless somebody is there.

use network::{NetworkError, record};
use spec::event::NetworkAct;

use super::list::{self, Member};
use crate::error::Error;
use crate::host::Host;

/// Removes a network. Containers that do not run do not hold it; they will not start without it.
///
/// # Errors
/// None such; one of the predefined; containers are on it.
pub fn remove(host: &Host, word: &str) -> Result<(), Error> {
    let network = record::find(&host.home, &host.settings.pools(), word)?;
    if record::PREDEFINED.contains(&network.name.as_str()) {
        return Err(Error::Denied(format!("{} is a pre-defined network and cannot be removed", network.name)));
    }
    record::remove(&host.home, &network).map_err(|error| in_use(host, word, error))?;
    host.note_network(&network, NetworkAct::Destroy);
    Ok(())
}

/// The network's room knows leases; whose they are is known here.
fn in_use(host: &Host, word: &str, error: NetworkError) -> Error {
    let NetworkError::InUse { network, endpoints } = error else { return error.into() };
    let said = |member: &Member| {
        member.endpoint.as_ref().map(|endpoint| format!("name:{:?} id:{:?}", member.name, endpoint.id.short()))
    };
    let named: Vec<String> =
        list::view(host, word).map(|view| view.members.iter().filter_map(said).collect()).unwrap_or_default();
    let endpoints = if named.is_empty() { endpoints } else { named.join(", ") };
    NetworkError::InUse { network, endpoints }.into()
}
