//! What there is: containers with their names and states.

use std::collections::{BTreeMap, BTreeSet};

use disk::{links, read};
use monitor::status::{self, Phase, State};
use spec::container::Config;
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

/// So many are read faster by all processors at once than by one.
const MANY: usize = 200;

fn views(
    host: &Host,
    ids: impl IntoIterator<Item = ContainerId>,
    state: impl Fn(&ContainerId) -> Result<State, Error> + Sync,
) -> Result<Vec<View>, Error> {
    let ids: Vec<ContainerId> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let names = links::all(&host.home.names()).map_err(Error::io("reading the containers' names"))?;
    let names: BTreeMap<String, String> = names.into_iter().map(|(name, holder)| (holder, name)).collect();
    let some = |ids: &[ContainerId]| -> Result<Vec<View>, Error> {
        let mut views = Vec::with_capacity(ids.len());
        for id in ids {
            // Read first: it is what goes first when a container is removed meanwhile.
            if let Some(config) = read::<Config>(&host.home.container(id))? {
                let name = names.get(id.as_str()).cloned().unwrap_or_default();
                views.push(View { config, name, state: state(id)? });
            }
        }
        Ok(views)
    };
    let parts = if ids.len() < MANY { 1 } else { std::thread::available_parallelism().map_or(1, usize::from).min(8) };
    let mut views = if parts == 1 {
        some(&ids)?
    } else {
        std::thread::scope(|scope| {
            let some = &some;
            let readers: Vec<_> =
                ids.chunks(ids.len().div_ceil(parts)).map(|ids| scope.spawn(move || some(ids))).collect();
            let mut views = Vec::with_capacity(ids.len());
            for reader in readers {
                views.extend(
                    reader.join().map_err(|_| Error::Conflict("reading the containers' records failed".into()))??,
                );
            }
            Ok::<_, Error>(views)
        })?
    };
    views.sort_by_key(|view| std::cmp::Reverse(view.config.created));
    Ok(views)
}

/// One container.
///
/// # Errors
/// It is gone; of the files.
pub fn view(host: &Host, id: &ContainerId) -> Result<View, Error> {
    let config = read::<Config>(&host.home.container(id))?.ok_or_else(|| Error::no_container(id.as_str()))?;
    let name = find::name_from(host, id, &config.name)?;
    Ok(View { config, name, state: status::of(&host.home, id)? })
}
