//! What there is: containers with their names and states.

use std::collections::{BTreeMap, BTreeSet};

use disk::{links, read};
use monitor::status::{self, Phase, State};
use spec::container::{Config, NamespaceMode};
use spec::id::ContainerId;

use super::find;
use crate::error::Error;
use crate::host::Host;

/// A container as `ps` and `inspect` see it.
#[derive(Clone, Debug)]
pub struct View {
    /// What was asked for.
    pub config: Config,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: State,
}

impl View {
    /// The networks it is on in truth: until there is a bridge, one that asked for it has a loopback device and nothing else.
    #[must_use]
    pub fn networks(&self) -> Vec<&'static str> {
        match self.config.host.network {
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
    let before = afloat(host)?;
    let state = |id: &ContainerId| {
        Ok(if before.contains(id) { status::of(&host.home, id) } else { status::at_rest(&host.home, id) }?)
    };
    let mut views = views(host, find::all(host)?, state)?;
    // What was started since looks as if its end had not been seen.
    for id in afloat(host)?.difference(&before) {
        if let Some(view) = views.iter_mut().find(|view| view.config.id == *id) {
            view.state = status::of(&host.home, id)?;
        }
    }
    Ok(views)
}

/// Those that run, are paused, or wait to be restarted: they alone have a run directory, so nothing is read of the others.
///
/// # Errors
/// Of the files.
pub fn running(host: &Host) -> Result<Vec<View>, Error> {
    let mut views = views(host, afloat(host)?, |id| Ok(status::of(&host.home, id)?))?;
    views.retain(|view| match view.state.status.phase() {
        Phase::Running | Phase::Paused | Phase::Restarting => true,
        Phase::Created | Phase::Exited | Phase::Removing => false,
    });
    Ok(views)
}

/// Those with a run directory.
fn afloat(host: &Host) -> Result<BTreeSet<ContainerId>, Error> {
    let dir = host.home.run();
    let entries = std::fs::read_dir(dir).map_err(Error::io(format!("reading {}", dir.display())))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

fn views(
    host: &Host,
    ids: impl IntoIterator<Item = ContainerId>,
    state: impl Fn(&ContainerId) -> Result<State, Error>,
) -> Result<Vec<View>, Error> {
    let names = links::all(&host.home.names()).map_err(Error::io("reading the containers' names"))?;
    let mut names: BTreeMap<String, String> = names.into_iter().map(|(name, holder)| (holder, name)).collect();
    let mut views = Vec::new();
    for id in ids {
        // Read first: it is what goes first when a container is removed meanwhile.
        if let Some(config) = read::<Config>(&host.home.container(&id))? {
            let name = names.remove(id.as_str()).unwrap_or_default();
            views.push(View { config, name, state: state(&id)? });
        }
    }
    views.sort_by_key(|view| std::cmp::Reverse(view.config.created));
    Ok(views)
}

/// One container.
///
/// # Errors
/// It is gone; of the files.
pub fn view(host: &Host, id: &ContainerId) -> Result<View, Error> {
    let config = read::<Config>(&host.home.container(id))?.ok_or_else(|| Error::no_container(id.as_str()))?;
    Ok(View { config, name: find::name(host, id)?, state: status::of(&host.home, id)? })
}
