//! What the monitor tells the world about its container: lines of `events.log`, in Docker's words and order.

use disk::{Home, events, links};
use spec::container::Config;
use spec::event::{ContainerAct, Event, NetworkAct, Subject, VolumeAct};
use spec::id::ContainerId;
use spec::mount::UserMountKind;
use spec::network::Network;
use spec::volume::{LOCAL, VolumeName};
use std::collections::BTreeMap;

use crate::client::Whose;
use crate::exit::Exit;
use crate::health::Verdict;

/// What is said of the container with each event.
#[derive(Debug)]
pub(crate) struct Teller {
    /// Nobody hears of a build's.
    whose: Whose,
    image: String,
    /// As it was called last.
    name: String,
    labels: BTreeMap<String, String>,
    /// For the end of a run, which has no configuration at hand.
    volumes: Vec<VolumeName>,
}

impl Teller {
    pub(crate) fn new(whose: Whose, config: &Config) -> Teller {
        Teller {
            whose,
            image: config.image_name.clone(),
            name: config.name.clone(),
            labels: config.labels.clone(),
            volumes: config.volumes_used().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// Looks what the container is called now: it may have been renamed. One that is being removed is called what it was.
    pub(crate) fn learn_name(&mut self, home: &Home, id: &ContainerId) {
        if let Ok(Some(name)) = links::name_of(&home.names(), id.as_str(), &self.name) {
            self.name = name;
        }
    }

    /// Nothing fails because it could not be written.
    fn record(&self, home: &Home, event: &Event) {
        if self.whose == Whose::Container {
            let _ = events::record(home, event);
        }
    }

    /// Writes one down.
    pub(crate) fn tell(&self, home: &Home, id: &ContainerId, act: ContainerAct<'_>) {
        let subject = Subject { id, image: &self.image, name: &self.name, labels: &self.labels };
        self.record(home, &Event::container(disk::now(), subject, act));
    }

    /// The container got onto a network for a run, or left it after its last.
    pub(crate) fn tell_network(&self, home: &Home, network: &Network, act: NetworkAct<'_>) {
        let (id, driver) = (network.id.as_str(), network.driver.as_str());
        self.record(home, &Event::network(disk::now(), id, &network.name, driver, act));
    }

    /// A run begins that has these volumes.
    pub(crate) fn tell_mounted(&self, home: &Home, config: &Config) {
        for mount in &config.host.mounts {
            if let UserMountKind::Volume { name, .. } = &mount.kind {
                let act = VolumeAct::Mount {
                    container: &config.id,
                    destination: &mount.target.to_string_lossy(),
                    readonly: mount.readonly,
                    propagation: "",
                };
                self.record(home, &Event::volume(disk::now(), name.as_str(), LOCAL, act));
            }
        }
    }

    /// A run is over.
    pub(crate) fn tell_unmounted(&self, home: &Home, id: &ContainerId) {
        for name in &self.volumes {
            self.record(home, &Event::volume(disk::now(), name.as_str(), LOCAL, VolumeAct::Unmount(id)));
        }
    }
}

/// How a run that is over is told.
pub(crate) fn die(exit: &Exit) -> ContainerAct<'static> {
    let ran_ns = exit.started.map_or(0, |started| exit.finished.since_ns(started));
    ContainerAct::Die { exit_code: exit.code, ran_s: ran_ns.max(0) / 1_000_000_000 }
}

/// How a new verdict is told.
pub(crate) fn health(verdict: Verdict) -> ContainerAct<'static> {
    ContainerAct::HealthStatus {
        verdict: match verdict {
            Verdict::Starting => "starting",
            Verdict::Healthy => "healthy",
            Verdict::Unhealthy => "unhealthy",
        },
    }
}
