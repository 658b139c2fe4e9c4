//! The mounts of a bundle that the monitor makes, because they are the store's, or shared with other containers.
//!
//! A volume that is memory is one for all containers that run with it, and gone with the last of them, as Docker's is. Nobody keeps it
//! but their mount namespaces: whoever starts takes it from a container that runs, and holds the volume's lock from the look at the
//! others until it can be seen to run itself, so that two that start at once do not get one each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};

use disk::{Home, read};
use spec::bundle::Bundle;
use spec::id::ContainerId;
use spec::mount::{Mount, MountAttributes, MountKind};
use spec::volume::VolumeName;
use store::{Floor, MountImage, Store};

use crate::prepare::StartError;
use crate::protocol::Given;
use crate::status;

/// Mounts by their place in the bundle, and what keeps others from starting with the same memory: dropped once the container runs.
pub(crate) struct Made {
    pub(crate) mounts: BTreeMap<usize, OwnedFd>,
    pub(crate) _locks: Vec<File>,
}

/// Makes those that the runtime does not make, but for those that are `given`.
pub(crate) fn make(
    home: &Home,
    store: &Store,
    bundle: &Bundle,
    given: Vec<(Given, OwnedFd)>,
) -> Result<Made, StartError> {
    let locks = lock_memory(home, bundle)?;
    let id_maps = bundle.namespaces.id_maps.as_ref();
    let given = given.into_iter().filter_map(|(what, tree)| match what {
        Given::Root => None,
        Given::Mount(place) => Some((place, tree)),
    });
    let mut mounts: BTreeMap<usize, OwnedFd> = given.collect();
    for (place, mount) in bundle.mounts.iter().enumerate() {
        if mounts.contains_key(&place) {
            continue;
        }
        match &mount.kind {
            MountKind::Image { layers, beneath } => {
                let request = MountImage { id_maps, floor: Floor::Bare, beneath: beneath.as_deref() };
                mounts.insert(place, store.mount_image(layers, request).map_err(StartError::Image)?);
            }
            MountKind::Filesystem { volume: Some(name), .. } => {
                let others = if is_memory(mount) { memory_of_others(home, bundle, name)? } else { None };
                mounts.insert(place, others.map_or_else(|| filesystem(mount, name), Ok)?);
            }
            MountKind::Filesystem { volume: None, .. }
            | MountKind::Bind { .. }
            | MountKind::Cgroup
            | MountKind::SharedMemory => {}
        }
    }
    Ok(Made { mounts, _locks: locks })
}

fn is_memory(mount: &Mount) -> bool {
    matches!(&mount.kind, MountKind::Filesystem { fstype, .. } if fstype == "tmpfs")
}

/// In the order of their names, so that two who want the same do not wait for each other.
fn lock_memory(home: &Home, bundle: &Bundle) -> Result<Vec<File>, StartError> {
    let names: BTreeSet<&VolumeName> = bundle
        .mounts
        .iter()
        .filter(|mount| is_memory(mount))
        .filter_map(|mount| match &mount.kind {
            MountKind::Filesystem { volume, .. } => volume.as_ref(),
            MountKind::Bind { .. } | MountKind::Image { .. } | MountKind::Cgroup | MountKind::SharedMemory => None,
        })
        .collect();
    let lock = |name: &VolumeName| -> std::io::Result<Option<File>> {
        home.hold_volume(name)?.map(|hold| hold.alone()).transpose()
    };
    let locks: std::io::Result<Vec<_>> = names.into_iter().map(lock).collect();
    Ok(locks.map_err(|e| StartError::Io("locking a volume", e))?.into_iter().flatten().collect())
}

/// The memory that a volume is in another container that runs.
fn memory_of_others(home: &Home, bundle: &Bundle, wanted: &VolumeName) -> Result<Option<OwnedFd>, StartError> {
    let failed = |e| StartError::Io("looking for others with the same volume", e);
    for entry in fs::read_dir(home.run()).map_err(failed)?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<ContainerId>().ok()) else { continue };
        // What cannot be read is of one that is ending.
        let Ok(Some(theirs)) = read::<Bundle>(&home.sandbox(&id)) else { continue };
        // Its owners are shown through the maps of who mounted it first, and a mapped mount is not mapped again.
        let maps = |bundle: &Bundle| (bundle.namespaces.user.clone(), bundle.namespaces.id_maps.clone());
        if maps(&theirs) != maps(bundle) {
            continue;
        }
        let Some(mount) = theirs.mounts.iter().find(|mount| match &mount.kind {
            MountKind::Filesystem { volume, .. } => volume.as_ref() == Some(wanted),
            MountKind::Bind { .. } | MountKind::Image { .. } | MountKind::Cgroup | MountKind::SharedMemory => false,
        }) else {
            continue;
        };
        let Some(life) = status::of(home, &id)?.status.life().filter(|_| id != bundle.id) else { continue };
        let Ok(mounts) = File::open(format!("/proc/{}/ns/mnt", life.pid)) else { continue };
        // The number may be another process's by now: ask after opening.
        if status::start_time(life.pid) != Some(life.start_time) {
            continue;
        }
        if let Some(memory) = runtime::memory_at(mounts.as_fd(), &mount.target).map_err(failed)? {
            return Ok(Some(memory));
        }
    }
    Ok(None)
}

fn filesystem(mount: &Mount, name: &VolumeName) -> Result<OwnedFd, StartError> {
    let MountKind::Filesystem { fstype, source, options, .. } = &mount.kind else {
        return Err(StartError::Missing("a file system to mount"));
    };
    let options: Vec<(&str, Option<&str>)> =
        options.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    // Its attributes are set when it has its place: this may be shared with containers that want others.
    runtime::filesystem(fstype, source, &options, MountAttributes::default())
        .map_err(|failure| StartError::Volume(name.clone(), failure.to_string()))
}
