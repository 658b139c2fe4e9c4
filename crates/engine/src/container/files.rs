//! A container's files, for the verbs that read and write them from outside: `cp` and `export`.
//!
//! This is the one place that says what lies where: the root is the writable layer on the image's, and the user's binds are mounted in
//! it ([`crate::bundle::file_mounts`]). What the kernel shows a running container (/proc, /sys, /dev, memory) is no file of it, as with
//! Docker. Everything is reached from the root's descriptor by openat2(2), which takes the root for `/` whatever links say, and no
//! program or library of the container is ever run.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use monitor::status::{Life, Status};
use monitor::{Berth, ClientError};
use runtime::{Access, View, root_of};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, readlinkat};
use rustix::io::Errno;
use spec::bundle::{IdMap, IdMaps};
use spec::container::{Config, NamespaceMode};
use spec::mount::{Mount, MountKind};
use store::{Floor, MountImage};

use super::{Record, visit};
use crate::bundle;
use crate::error::Error;
use crate::facts;
use crate::host::Host;

/// As many symbolic links as Docker follows in a name.
const LINKS: usize = 255;

/// The files of one container, as it sees them.
pub(super) struct Files {
    view: View,
    ids: Option<IdMaps>,
    _kept: Kept,
}

/// The root alone, without what is mounted in it.
pub(super) struct Bare {
    root: OwnedFd,
    ids: Option<IdMaps>,
    kept: Kept,
}

/// Nobody starts a stopped container meanwhile: two mounts of one writable layer would not know of each other.
struct Kept(Option<Berth>);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(berth) = self.0.take() {
            // What stays of it is the next command's.
            let _ = berth.leave();
        }
    }
}

impl Files {
    /// Opens the files of a container, running or not.
    ///
    /// # Errors
    /// The source of a mount is missing; the kernel refuses.
    pub(super) fn open(host: &Host, record: &Record) -> Result<Files, Error> {
        // A start meanwhile puts new files in the place of those for /etc, and the kernel mounts none that lost its name.
        const TRIES: usize = 3;
        let attempts = (1..TRIES).map(|_| Files::open_once(host, record)).find(Result::is_ok);
        attempts.unwrap_or_else(|| Files::open_once(host, record))
    }

    fn open_once(host: &Host, record: &Record) -> Result<Files, Error> {
        let config = &record.config;
        let is_running = monitor::status::of(&host.home, &config.id)?.status.life().is_some();
        if !is_running {
            visit::make_sources(config)?;
        }
        let dir = host.home.container(&config.id);
        let etc = monitor::etc::files(&host.home, config);
        // Made when it starts.
        let etc = etc.into_iter().filter(|(_, source)| source.symlink_metadata().is_ok()).collect();
        let mounts = bundle::file_mounts(config, &visit::sources(host, config)?, etc)?;
        let Bare { root, ids, kept } = Bare::open(host, record)?;
        let images = images(host, &mounts, ids.as_ref())?;
        let access = if config.host.readonly_rootfs { Access::Readonly } else { Access::AsItIs };
        let view =
            View::new(root, &mounts, images, &dir, access).map_err(Error::other("mounting the container's files"))?;
        Ok(Files { view, ids, _kept: kept })
    }

    /// Its root directory.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.view.root()
    }

    /// How its owners are called outside, where they are others.
    pub(super) fn ids(&self) -> Option<&IdMaps> {
        self.ids.as_ref()
    }

    /// What a path means, the last link on it not followed.
    pub(super) fn look(&self, path: &[u8]) -> Result<Stat, Errno> {
        fstat(self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW)?)
    }

    /// Opens what a path means.
    pub(super) fn open_at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        open_in(self.root(), path, flags)
    }

    /// Where a path leads when all links on it are followed, as far as there is something.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let parts = |path: &[u8]| -> Vec<Vec<u8>> {
            path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
        };
        let mut ahead = VecDeque::from(parts(path));
        let mut done: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        while let Some(part) = ahead.pop_front() {
            if part == b".." {
                done.pop();
                continue;
            }
            let here = absolute(done.iter().chain([&part]));
            let target =
                self.open_at(&here, OFlags::PATH | OFlags::NOFOLLOW).and_then(|fd| readlinkat(fd, "", Vec::new()));
            let Ok(target) = target else {
                done.push(part);
                continue;
            };
            links += 1;
            if links > LINKS {
                return Err(Errno::LOOP);
            }
            if target.as_bytes().starts_with(b"/") {
                done.clear();
            }
            for part in parts(target.as_bytes()).into_iter().rev() {
                ahead.push_front(part);
            }
        }
        Ok(absolute(done.iter()))
    }
}

/// The images among the mounts, by their place.
fn images(host: &Host, mounts: &[Mount], ids: Option<&IdMaps>) -> Result<BTreeMap<usize, OwnedFd>, Error> {
    let mut made = BTreeMap::new();
    for (place, mount) in mounts.iter().enumerate() {
        if let MountKind::Image { layers, beneath } = &mount.kind {
            let request = MountImage { id_maps: ids, floor: Floor::Bare, beneath: beneath.as_deref() };
            let image = host.store.mount_image(layers, request);
            made.insert(place, image.map_err(Error::other("mounting the container's images"))?);
        }
    }
    Ok(made)
}

fn absolute<'a>(parts: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let joined = parts.map(Vec::as_slice).collect::<Vec<_>>().join(&b'/');
    [b"/", &joined[..]].concat()
}

/// Opens a path below a root, which it does not leave.
fn open_in(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        // EAGAIN: something was renamed during the walk, which the kernel could not then prove to have stayed inside.
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Whether it is a directory.
pub(super) fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

impl Bare {
    /// Opens the root of a container: a running one's own mount, a stopped one's layers.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn open(host: &Host, record: &Record) -> Result<Bare, Error> {
        let id = &record.config.id;
        // A monitor that comes or goes is there for a moment without a process; one whose container waits for a client or for its next
        // start stays, and has nothing mounted.
        let patience = Instant::now() + Duration::from_secs(1);
        loop {
            let status = monitor::status::of(&host.home, id)?.status;
            match status {
                Status::Running(life) | Status::Paused(life) => {
                    if let Some(bare) = living(life)? {
                        return Ok(bare);
                    }
                }
                Status::Restarting { .. } => return at_rest(host, &record.config, Kept(None)),
                Status::Created | Status::Exited(_) | Status::Removing => match Berth::take(&host.home, id) {
                    Ok(berth) => return at_rest(host, &record.config, Kept(Some(berth))),
                    // Where nobody answers, another command has the files: it will be through.
                    Err(ClientError::Living) if Instant::now() > patience && visit::living(host, id)?.is_some() => {
                        return at_rest(host, &record.config, Kept(None));
                    }
                    Err(ClientError::Living) => {}
                    Err(other) => return Err(Error::other("taking the container's run directory")(other)),
                },
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its root directory.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// How its owners are called outside, where they are others.
    pub(super) fn ids(&self) -> Option<&IdMaps> {
        self.ids.as_ref()
    }
}

/// None: its process is gone by now.
fn living(life: Life) -> Result<Option<Bare>, Error> {
    let (Some(namespace), Some(uids), Some(gids)) = (life.open("ns/mnt"), life.open("uid_map"), life.open("gid_map"))
    else {
        return Ok(None);
    };
    let maps = |file| id_maps(file).map_err(Error::io("reading the container's id maps"));
    let (uids, gids) = (maps(uids)?, maps(gids)?);
    let is_machines = |maps: &[IdMap]| maps == [IdMap { container: 0, host: 0, size: u32::MAX }];
    let ids = (!is_machines(&uids) || !is_machines(&gids)).then_some(IdMaps { uids, gids });
    let root = root_of(namespace.as_fd()).map_err(Error::io("entering the container's mount namespace"))?;
    Ok(Some(Bare { root, ids, kept: Kept(None) }))
}

fn id_maps(mut file: File) -> std::io::Result<Vec<IdMap>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        Some(IdMap { container: numbers.next()?.ok()?, host: numbers.next()?.ok()?, size: numbers.next()?.ok()? })
    };
    Ok(text.lines().filter_map(line).collect())
}

fn at_rest(host: &Host, config: &Config, kept: Kept) -> Result<Bare, Error> {
    let ids = (config.host.userns == NamespaceMode::Private).then(facts::subordinate_ids);
    let mounted = host.store.mount(&config.id, store::Mount { id_maps: ids.as_ref() });
    let root = mounted.map_err(Error::other("mounting the container's layers"))?;
    Ok(Bare { root, ids, kept })
}
