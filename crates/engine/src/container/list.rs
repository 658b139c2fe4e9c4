//! What there is: containers with their names and states.

use std::collections::BTreeMap;

use disk::links;
use monitor::status::{self, Phase, State};
use spec::container::NamespaceMode;
use spec::id::ContainerId;

use super::find::{self, Record};
use crate::error::Error;
use crate::host::Host;

/// A container as `ps` and `inspect` see it.
#[derive(Clone, Debug)]
pub struct View {
    /// What was asked for.
    pub record: Record,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: State,
}

impl View {
    /// The networks it is on in truth: until there is a bridge, one that asked for it has a loopback device and nothing else.
    #[must_use]
    pub fn networks(&self) -> Vec<&'static str> {
        match self.record.config.host.network {
            NamespaceMode::Host => vec!["host"],
            NamespaceMode::Private | NamespaceMode::Default => vec!["none"],
            NamespaceMode::Container(_) => Vec::new(),
        }
    }
}

/// All containers, newest first. One that goes away meanwhile is left out.
///
/// # Errors
/// Of the files.
pub fn list(host: &Host) -> Result<Vec<View>, Error> {
    views(host, |_| true)
}

/// Those that run, are paused, or wait to be restarted: they alone have a run directory, so the others' records are not read.
///
/// # Errors
/// Of the files.
pub fn running(host: &Host) -> Result<Vec<View>, Error> {
    let mut views = views(host, |id| host.home.sandbox(id).is_dir())?;
    views.retain(|view| match view.state.status.phase() {
        Phase::Running | Phase::Paused | Phase::Restarting => true,
        Phase::Created | Phase::Exited | Phase::Removing => false,
    });
    Ok(views)
}

fn views(host: &Host, wanted: impl Fn(&ContainerId) -> bool) -> Result<Vec<View>, Error> {
    let names = links::all(&host.home.names()).map_err(Error::io("reading the containers' names"))?;
    let names: BTreeMap<String, String> = names.into_iter().map(|(name, holder)| (holder, name)).collect();
    let mut views = Vec::new();
    for id in find::all(host)?.into_iter().filter(wanted) {
        let name = names.get(id.as_str()).cloned().unwrap_or_default();
        match view_named(host, &id, name) {
            Ok(view) => views.push(view),
            Err(Error::NotFound(_)) => {}
            Err(other) => return Err(other),
        }
    }
    views.sort_by_key(|view| std::cmp::Reverse(view.record.config.created));
    Ok(views)
}

/// One container.
///
/// # Errors
/// It is gone; of the files.
pub fn view(host: &Host, id: &ContainerId) -> Result<View, Error> {
    view_named(host, id, find::name(host, id)?)
}

fn view_named(host: &Host, id: &ContainerId, name: String) -> Result<View, Error> {
    Ok(View { record: find::record(host, id)?, name, state: status::of(&host.home, id)? })
}
