//! The volumes of a container that is being created, and of one that is about to start.

use std::collections::BTreeMap;

use disk::{Durability, Hold, read};
use spec::container::Config;
use spec::mount::{Asked, CopyUp, MissingSource, Naming, UserMount, UserMountKind, VolumeRecipe};
use spec::volume::{Volume, VolumeName};
use store::Image;

use super::create::{self, Wanted};
use super::fill::{self, Files};
use super::source::Source;
use crate::error::Error;
use crate::host::Host;

/// Makes the volumes of a container that are not there, and fills those that are empty. What comes back keeps them until the container
/// is there to be seen, and says what the user should know.
pub(crate) fn provide(host: &Host, image: &Image, config: &Config) -> Result<(Vec<Hold>, Vec<String>), Error> {
    let mut files = Files::new(host, image);
    let (mut holds, mut notes) = (Vec::new(), Vec::new());
    for mount in &config.host.mounts {
        match &mount.kind {
            UserMountKind::Volume { .. } => holds.extend(volume(host, config, mount, &mut files)?),
            UserMountKind::Bind { .. } => notes.extend(hidden(mount, &mut files)?),
            UserMountKind::Tmpfs { .. } | UserMountKind::Image { .. } => {}
        }
    }
    Ok((holds, notes))
}

fn volume(host: &Host, config: &Config, mount: &UserMount, files: &mut Files<'_>) -> Result<Option<Hold>, Error> {
    let UserMountKind::Volume { name, naming, copy, recipe, .. } = &mount.kind else { return Ok(None) };
    if mount.asked == Asked::Target && files.has_file(&mount.target)? {
        let at = mount.target.display();
        return Err(Error::Invalid(format!("cannot mount volume over existing file, file exists {at}")));
    }
    // What goes with its container need not survive the machine.
    let durability = match (config.host.auto_remove, naming) {
        (true, Naming::Anonymous) => Durability::Volatile,
        (true, Naming::Given) | (false, _) => Durability::Durable,
    };
    let hold = make(host, config, mount, (name, *naming, recipe.as_ref()), durability)?;
    finish_filling(&hold, name)?;
    if *copy == CopyUp::Fill {
        let source = source(host, name)?.resolved()?;
        fill::fill(host, &hold, &source, files, &mount.target, durability)?;
    }
    Ok(Some(hold))
}

fn make(
    host: &Host,
    config: &Config,
    mount: &UserMount,
    (name, naming, recipe): (&VolumeName, Naming, Option<&VolumeRecipe>),
    durability: Durability,
) -> Result<Hold, Error> {
    if mount.asked == Asked::From {
        let held = host.home.hold_volume(name).map_err(Error::io(format!("opening the volume {name}")))?;
        return held.ok_or_else(|| Error::no_volume(name.as_str()));
    }
    let none = VolumeRecipe::default();
    let recipe_or = recipe.unwrap_or(&none);
    let driver = match mount.asked {
        Asked::Long => recipe_or.driver.as_str(),
        Asked::Short(_) | Asked::Target | Asked::From => config.host.volume_driver.as_str(),
    };
    let given = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone());
    let labels = given(&recipe_or.labels);
    let wanted = Wanted {
        driver,
        options: given(&recipe_or.options),
        labels: match naming {
            Naming::Given => labels,
            Naming::Anonymous => Some(create::anonymous(labels)),
        },
    };
    create::make(host, name, wanted, durability)
}

/// A directory that `-v` is about to make, where the image has files: seldom what was meant, and nobody sees why. An empty one that is
/// there already is somebody's wish.
fn hidden(mount: &UserMount, files: &mut Files<'_>) -> Result<Option<String>, Error> {
    let UserMountKind::Bind { source, missing: MissingSource::Create, .. } = &mount.kind else { return Ok(None) };
    if std::fs::symlink_metadata(source).is_ok() {
        return Ok(None);
    }
    let Some(there) = files.directory(&mount.target)? else { return Ok(None) };
    if fill::is_empty(std::os::fd::AsFd::as_fd(&there)).map_err(Error::io("reading the image"))? {
        return Ok(None);
    }
    let (source, target) = (source.display(), mount.target.display());
    Ok(Some(format!(
        "{source} was not there and is made, empty: it hides what the image has in {target}; a volume (-v NAME:{target}) begins with the image's files"
    )))
}

/// What one who died had begun.
fn finish_filling(hold: &Hold, name: &VolumeName) -> Result<(), Error> {
    if hold.is_half_filled() {
        hold.fill(&fill::dress).map_err(Error::io(format!("filling the volume {name}")))?;
    }
    Ok(())
}

/// What is mounted for a volume.
fn source(host: &Host, name: &VolumeName) -> Result<Source, Error> {
    let record = read::<Volume>(&host.home.volume(name))?.ok_or_else(|| Error::no_volume(name.as_str()))?;
    Ok(Source::of(&record, &host.home.volume_data(name)))
}

/// What is mounted for each volume of a container that is about to start; what one who died left half filled is finished first.
pub(crate) fn finish(host: &Host, config: &Config) -> Result<BTreeMap<VolumeName, Source>, Error> {
    let mut sources = BTreeMap::new();
    for (name, _) in config.volumes_used() {
        if let Some(hold) = host.home.hold_volume(name).map_err(Error::io(format!("opening the volume {name}")))? {
            finish_filling(&hold, name)?;
        }
        sources.insert(name.clone(), source(host, name)?.resolved()?);
    }
    Ok(sources)
}
