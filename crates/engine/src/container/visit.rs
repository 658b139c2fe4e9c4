//! Reaching a container's monitor: the one that lives, or a new one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use monitor::protocol::{Ask, FailureKind, Tell};
use monitor::{Ahead, Berth, Client, ClientError, Spawned, Whose};
use spec::bundle::Bundle;
use spec::container::{Config, HostConfig, NamespaceMode, NetworkMode};
use spec::digest::{ChainId, ImageId};
use spec::id::ContainerId;
use spec::mount::{MissingSource, UserMountKind};
use spec::network::Attachment;

use super::{Record, find};
use crate::bundle::{Facts, Sources};
use crate::error::Error;
use crate::host::Host;
use crate::{bundle, facts, volume};

/// The monitor of a container that runs, or none.
pub(crate) fn living(host: &Host, id: &ContainerId) -> Result<Option<Client>, Error> {
    Client::connect(&host.home, id).map_err(Error::other("reaching the container's monitor"))
}

/// A container's monitor.
pub(super) enum Reached {
    /// It was there. It may be leaving.
    Living(Client),
    /// It was spawned for us.
    Spawned(Client),
}

impl Reached {
    pub(super) fn client(self) -> Client {
        match self {
            Reached::Living(client) | Reached::Spawned(client) => client,
        }
    }
}

/// Whether an error says that the monitor ended before it answered.
pub(crate) fn went_away(error: &Error) -> bool {
    matches!(error, Error::Other(_, cause) if matches!(cause.downcast_ref(), Some(ClientError::Gone)))
}

/// The monitor of a container, spawned where there is none.
pub(super) fn monitor_of(host: &Host, id: &ContainerId) -> Result<Reached, Error> {
    loop {
        match Berth::take(&host.home, id) {
            Ok(berth) => {
                let record = find::record(host, id)?;
                let spawned = berth.spawn(&host.home, id, Whose::Container, ahead(&record.config.host));
                let spawned = spawned.map_err(Error::other(SPAWNING))?;
                return brief(host, &record, spawned).map(Reached::Spawned);
            }
            Err(ClientError::Living) => {
                // None: it was just going, and its place is free now.
                if let Some(client) = living(host, id)? {
                    return Ok(Reached::Living(client));
                }
            }
            Err(other) => return Err(Error::other(BERTHING)(other)),
        }
    }
}

/// A monitor for a container that is about to be made.
pub(super) fn early(host: &Host, id: &ContainerId, options: &HostConfig) -> Result<Spawned, Error> {
    let berth = Berth::take(&host.home, id).map_err(Error::other(BERTHING))?;
    berth.spawn(&host.home, id, Whose::Container, ahead(options)).map_err(Error::other(SPAWNING))
}

pub(crate) fn ahead(options: &HostConfig) -> Ahead {
    match options.network {
        NetworkMode::None | NetworkMode::Networks(_) => Ahead::Network,
        NetworkMode::Host | NetworkMode::Container(_) => Ahead::Nothing,
    }
}

/// Gives a new monitor all that it will read.
pub(super) fn brief(host: &Host, record: &Record, spawned: Spawned) -> Result<Client, Error> {
    let bundle = bundle_of(host, record)?;
    spawned.brief(&bundle).map_err(Error::other(SPAWNING))
}

const BERTHING: &str = "preparing the container's run directory";
const SPAWNING: &str = "starting the container's monitor";

fn bundle_of(host: &Host, record: &Record) -> Result<Bundle, Error> {
    make_sources(&record.config)?;
    check_joined(host, &record.config)?;
    let etc = monitor::etc::files(&host.home, &record.config);
    let facts = Facts { sources: sources(host, &record.config)?, ..facts::gather(&record.config, etc)? };
    let bundle = bundle::new(&record.config, &record.settings, &facts)?;
    Ok(Bundle { networks: host.settings.networks.clone(), ..bundle })
}

/// What the volumes and images are mounted from.
pub(super) fn sources(host: &Host, config: &Config) -> Result<Sources, Error> {
    Ok(Sources { volumes: volume::finish(host, config)?, layers: layers(host, config)? })
}

/// The layers of the images that are mounted.
fn layers(host: &Host, config: &Config) -> Result<BTreeMap<ImageId, Vec<ChainId>>, Error> {
    if config.images_used().nth(1).is_none() {
        return Ok(BTreeMap::new());
    }
    Ok(host.store.kept_layers(&config.id)?)
}

/// `-v` makes the directories it names.
pub(super) fn make_sources(config: &Config) -> Result<(), Error> {
    for mount in &config.host.mounts {
        let UserMountKind::Bind { source, missing, .. } = &mount.kind else { continue };
        match (fs::symlink_metadata(source), missing) {
            (Err(e), MissingSource::Create) if e.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(source).map_err(Error::io(format!(
                    "error while creating mount source path '{}': mkdir",
                    source.display()
                )))?;
            }
            (Err(_), MissingSource::Fail) => return Err(Error::missing_source(source)),
            (Ok(_), _) | (Err(_), MissingSource::Create) => {}
        }
    }
    Ok(())
}

/// Whose namespaces are joined must run.
fn check_joined(host: &Host, config: &Config) -> Result<(), Error> {
    let options = &config.host;
    let joined = |mode: &NamespaceMode| match mode {
        NamespaceMode::Container(other) => Some(other.clone()),
        NamespaceMode::Host | NamespaceMode::Private | NamespaceMode::Default => None,
    };
    let network = match &options.network {
        NetworkMode::Container(other) => Some(other.clone()),
        NetworkMode::Host | NetworkMode::None | NetworkMode::Networks(_) => None,
    };
    for (what, other) in [("network", network), ("PID", joined(&options.pid)), ("IPC", joined(&options.ipc))] {
        if let Some(other) = &other
            && monitor::status::of(&host.home, other)?.status.life().is_none()
        {
            return Err(Error::Conflict(format!("cannot join {what} namespace of a non running container: {other}")));
        }
    }
    Ok(())
}

/// Says something, with a descriptor if one belongs to it.
pub(crate) fn ask(client: &Client, ask: &Ask, stream: Option<&OwnedFd>) -> Result<(), Error> {
    let fds: Vec<BorrowedFd<'_>> = stream.iter().map(|fd| fd.as_fd()).collect();
    client.ask(ask, &fds).map_err(Error::other("asking the container's monitor"))
}

/// Asks and hears one answer; what the monitor refuses or fails at becomes an error.
pub(super) fn call(client: &Client, id: &ContainerId, what: &Ask) -> Result<Tell, Error> {
    ask(client, what, None)?;
    hear(client, id)
}

/// Makes a container that runs be on these networks and no others.
pub(crate) fn follow(client: &Client, id: &ContainerId, networks: &[Attachment]) -> Result<(), Error> {
    call(client, id, &Ask::Networks(networks.to_vec())).map(drop)
}

/// One answer.
pub(crate) fn hear(client: &Client, id: &ContainerId) -> Result<Tell, Error> {
    answer(id, client.tell().map_err(Error::other("listening to the container's monitor"))?)
}

/// What a monitor's refusals are for a caller.
///
/// # Errors
/// Whatever is not good news.
pub(crate) fn answer(id: &ContainerId, tell: Tell) -> Result<Tell, Error> {
    match tell {
        Tell::Failed(failure) if failure.kind == FailureKind::Network => Err(Error::Networking(failure.message)),
        Tell::Failed(failure) => Err(Error::Start { message: failure.message, exit_code: failure.exit_code }),
        Tell::Refused(refused) => Err(Error::Conflict(refused.sentence(id.as_str()))),
        Tell::Misunderstood(why) => Err(Error::Conflict(why)),
        good @ (Tell::Started { .. }
        | Tell::Attached
        | Tell::Detached
        | Tell::ExecStarted { .. }
        | Tell::ExecExited { .. }
        | Tell::Exited(_)
        | Tell::Done) => Ok(good),
    }
}
