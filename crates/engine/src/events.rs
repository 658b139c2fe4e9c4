//! What the verbs tell of what they did: lines of `events.log`. What happens to a container's processes is told by its monitor.
//!
//! A verb tells when it is done, and before it answers. That an event could not be written is no error of anything.

use std::collections::BTreeMap;

use spec::container::Config;
use spec::digest::ImageId;
use spec::event::{ContainerAct, Event, ImageAct, Kind, NetworkAct, Subject};
use spec::network::Network;
use spec::reference::Reference;

use crate::container::find;
use crate::host::Host;

impl Host {
    /// Writes an event down.
    pub fn note(&self, event: &Event) {
        // It tells, and decides nothing.
        let _ = disk::events::record(&self.home, event);
    }

    /// The same for a container that is there.
    pub(crate) fn note_container(&self, config: &Config, act: ContainerAct<'_>) {
        let name = find::name_from(self, &config.id, &config.name).unwrap_or_default();
        self.note_named(config, &name, act);
    }

    /// The same for one whose name is known, or was.
    pub(crate) fn note_named(&self, config: &Config, name: &str, act: ContainerAct<'_>) {
        let subject = Subject { id: &config.id, image: &config.image_name, name, labels: &config.labels };
        self.note(&Event::container(disk::now(), subject, act));
    }

    /// The same for an image; what it is called is its ID, as Docker has it, unless it got this name.
    pub(crate) fn note_image(&self, id: &ImageId, tagged: Option<&Reference>, act: ImageAct) {
        let name = tagged.map_or_else(|| id.to_string(), Reference::familiar);
        // One that is gone has no labels any more.
        let labels = self.labels(id);
        self.note(&Event::image(disk::now(), &id.to_string(), &name, &labels, act));
    }

    /// The labels of an image.
    pub(crate) fn labels(&self, id: &ImageId) -> BTreeMap<String, String> {
        self.store.image(id).map(|image| image.config.config.labels).unwrap_or_default()
    }

    /// An image went to a registry or came from one, under this name.
    pub(crate) fn note_travel(&self, reference: &Reference, act: ImageAct) {
        let (id, name) = (reference.familiar(), reference.familiar_name());
        let labels = self.store.resolve(&reference.to_string()).map(|image| image.config.config.labels);
        self.note(&Event::image(disk::now(), &id, &name, &labels.unwrap_or_default(), act));
    }

    /// The same for a network.
    pub(crate) fn note_network(&self, network: &Network, act: NetworkAct<'_>) {
        self.note(&Event::network(disk::now(), network.id.as_str(), &network.name, network.driver.as_str(), act));
    }

    /// What nobody used was removed.
    pub(crate) fn note_prune(&self, kind: Kind, reclaimed_bytes: u64) {
        self.note(&Event::pruned(disk::now(), kind, reclaimed_bytes));
    }
}
