//! `update`: limits and restart policy of a container that is there.

use disk::{Durability, Lock, write};
use monitor::protocol::Ask;
use spec::container::RestartPolicy;
use spec::event::ContainerAct;
use spec::id::ContainerId;
use spec::resources::{For, Resources};

use super::{find, visit};
use crate::error::Error;
use crate::facts;
use crate::host::Host;

/// What changes; what is none stays.
#[derive(Clone, Debug)]
pub struct Update {
    /// Limits.
    pub resources: Resources,
    /// `--restart`.
    pub restart: Option<RestartPolicy>,
}

/// Changes a container's settings, on disk and where it runs.
///
/// # Errors
/// Limits that cannot be; the kernel's refusal.
pub fn update(host: &Host, id: &ContainerId, change: Update) -> Result<(), Error> {
    let dir = host.home.container(id);
    let _held = Lock::exclusive(&dir.join("settings.lock")).map_err(Error::io("locking the container's settings"))?;
    let record = find::record(host, id)?;
    if change.restart.is_some_and(|policy| policy != RestartPolicy::No) && record.config.host.auto_remove {
        return Err(Error::Conflict(
            "Restart policy cannot be updated because AutoRemove is enabled for the container".into(),
        ));
    }
    let invalid = |e: spec::resources::ResourcesError| Error::Invalid(e.to_string());
    change.resources.validate(&facts::cpus(&change.resources), For::Update).map_err(invalid)?;
    let mut settings = record.settings;
    settings.resources.update(change.resources).map_err(invalid)?;
    settings.restart = change.restart.unwrap_or(settings.restart);
    write(&dir, &settings, Durability::Durable)?;
    if let Some(client) = visit::living(host, id)? {
        visit::call(&client, id, &Ask::Update(Box::new(settings)))?;
    }
    host.note_container(&record.config, ContainerAct::Update);
    Ok(())
}
