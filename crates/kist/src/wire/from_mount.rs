//! From a mount as it was asked for to what `inspect` shows of it, in each of its places.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spec::mount::{
    Asked, CopyUp, MissingSource, Naming, Propagation, Submounts, UserMount, UserMountKind, VolumeRecipe,
};
use spec::volume::LOCAL;

use super::container::MountPoint;
use super::container_row::RowMount;
use super::from_container::signed;
use super::go::{List, Map};
use super::host_config::{self as wire, BindOptions, ImageOptions, TmpfsOptions, VolumeDriver, VolumeOptions};

fn propagation(propagation: Propagation) -> &'static str {
    match propagation {
        Propagation::Private => "private",
        Propagation::Rprivate => "rprivate",
        Propagation::Slave => "slave",
        Propagation::Rslave => "rslave",
        Propagation::Shared => "shared",
        Propagation::Rshared => "rshared",
    }
}

/// `-v` as typed.
pub(super) fn bind(mount: &UserMount) -> Option<String> {
    let Asked::Short(mode) = &mount.asked else { return None };
    let source = match &mount.kind {
        UserMountKind::Bind { source, .. } => source.display().to_string(),
        UserMountKind::Volume { name, .. } => name.to_string(),
        UserMountKind::Tmpfs { .. } | UserMountKind::Image { .. } => return None,
    };
    let colon = if mode.is_empty() { "" } else { ":" };
    Some(format!("{source}:{}{colon}{mode}", mount.target.display()))
}

/// `--tmpfs`; it is told from `--mount` by keeping size and mode among its words.
pub(super) fn tmpfs(mount: &UserMount) -> Option<(String, String)> {
    match &mount.kind {
        UserMountKind::Tmpfs { size_bytes: None, mode: None, options } => {
            Some((mount.target.display().to_string(), options.join(",")))
        }
        UserMountKind::Tmpfs { .. }
        | UserMountKind::Bind { .. }
        | UserMountKind::Volume { .. }
        | UserMountKind::Image { .. } => None,
    }
}

/// `--mount`.
pub(super) fn mount(mount: &UserMount) -> Option<wire::Mount> {
    match mount.asked {
        Asked::Long => {}
        Asked::Short(_) | Asked::Target | Asked::From => return None,
    }
    let bare = |kind: &str, source: String| wire::Mount {
        kind: kind.to_owned(),
        source,
        target: mount.target.display().to_string(),
        read_only: mount.readonly,
        consistency: String::new(),
        bind_options: None,
        volume_options: None,
        image_options: None,
        tmpfs_options: None,
    };
    match &mount.kind {
        UserMountKind::Bind { source, missing, propagation: how, submounts } => {
            let options = BindOptions {
                propagation: if *how == Propagation::Rprivate { String::new() } else { propagation(*how).to_owned() },
                non_recursive: *submounts == Submounts::None,
                create_mountpoint: *missing == MissingSource::Create,
                read_only_non_recursive: mount.readonly && *submounts == Submounts::RecursiveWritable,
                read_only_force_recursive: mount.readonly && *submounts == Submounts::RecursiveReadonly,
            };
            let says_something = options != PLAIN_BIND;
            Some(wire::Mount {
                bind_options: says_something.then_some(options),
                ..bare("bind", source.display().to_string())
            })
        }
        UserMountKind::Tmpfs { size_bytes: None, mode: None, .. } => None,
        UserMountKind::Tmpfs { size_bytes, mode, options } => Some(wire::Mount {
            tmpfs_options: Some(TmpfsOptions {
                size_bytes: size_bytes.map_or(0, signed),
                mode: mode.unwrap_or(0),
                options: List(Some(options.iter().map(|word| vec![word.clone()]).collect())),
            }),
            ..bare("tmpfs", String::new())
        }),
        UserMountKind::Volume { name, naming, copy, subpath, recipe } => {
            let source = match naming {
                Naming::Given => name.to_string(),
                Naming::Anonymous => String::new(),
            };
            Some(wire::Mount {
                volume_options: volume_options(*copy, subpath.as_ref(), recipe.as_ref()),
                ..bare("volume", source)
            })
        }
        UserMountKind::Image { name, subpath, .. } => Some(wire::Mount {
            // Docker does not say that what nobody can write is read-only.
            read_only: false,
            image_options: subpath.as_ref().map(|subpath| ImageOptions { subpath: subpath.display().to_string() }),
            ..bare("image", name.clone())
        }),
    }
}

fn volume_options(copy: CopyUp, subpath: Option<&PathBuf>, recipe: Option<&VolumeRecipe>) -> Option<VolumeOptions> {
    let given = |map: &BTreeMap<String, String>| Map((!map.is_empty()).then(|| map.clone()));
    let driver = recipe.filter(|recipe| !recipe.driver.is_empty() || !recipe.options.is_empty());
    let options = VolumeOptions {
        no_copy: copy == CopyUp::No,
        labels: recipe.map_or(Map(None), |recipe| given(&recipe.labels)),
        subpath: subpath.map(|subpath| subpath.display().to_string()).unwrap_or_default(),
        driver_config: driver
            .map(|recipe| VolumeDriver { name: recipe.driver.clone(), options: given(&recipe.options) }),
    };
    let says_nothing =
        !options.no_copy && options.labels.is_empty() && options.subpath.is_empty() && options.driver_config.is_none();
    (!says_nothing).then_some(options)
}

const PLAIN_BIND: BindOptions = BindOptions {
    propagation: String::new(),
    non_recursive: false,
    create_mountpoint: false,
    read_only_non_recursive: false,
    read_only_force_recursive: false,
};

/// A mount as it is; `--tmpfs` is not among them, as in Docker.
pub(super) fn mount_point(mount: &UserMount, volumes: &Path) -> Option<MountPoint> {
    let point = |kind: &str, source: String, mode: String, propagation: &str| MountPoint {
        kind: kind.to_owned(),
        name: String::new(),
        source,
        destination: mount.target.display().to_string(),
        driver: String::new(),
        mode,
        rw: !mount.readonly,
        propagation: propagation.to_owned(),
    };
    let typed = match &mount.asked {
        Asked::Short(mode) => mode.clone(),
        Asked::Long | Asked::Target | Asked::From => String::new(),
    };
    match &mount.kind {
        UserMountKind::Bind { source, propagation: how, .. } => {
            Some(point("bind", source.display().to_string(), typed, propagation(*how)))
        }
        UserMountKind::Volume { name, .. } => {
            let source = volumes.join(name.as_str()).join("_data").display().to_string();
            // Docker's daemon asks for SELinux's shared label where a volume's user asks for nothing.
            let shared = match mount.asked {
                Asked::Short(_) | Asked::Long if typed.is_empty() => "z".to_owned(),
                Asked::Short(_) | Asked::Long | Asked::Target | Asked::From => typed,
            };
            Some(MountPoint { name: name.to_string(), driver: LOCAL.to_owned(), ..point("volume", source, shared, "") })
        }
        UserMountKind::Image { name, .. } => {
            Some(MountPoint { name: name.clone(), ..point("image", String::new(), String::new(), "rprivate") })
        }
        UserMountKind::Tmpfs { size_bytes: None, mode: None, .. } => None,
        UserMountKind::Tmpfs { .. } => Some(point("tmpfs", String::new(), String::new(), "")),
    }
}

/// A mount in the list of `ps`.
pub(super) fn row_mount(mount: &UserMount) -> Option<RowMount> {
    let row = |name: String, is_local_volume| Some(RowMount { name, is_local_volume });
    match &mount.kind {
        UserMountKind::Bind { source, .. } => row(source.display().to_string(), false),
        UserMountKind::Volume { name, .. } => row(name.to_string(), true),
        UserMountKind::Image { name, .. } => row(name.clone(), false),
        UserMountKind::Tmpfs { .. } => None,
    }
}
