//! The mounts of a command: made here, where what they show is known, and handed to its monitor as descriptors.
//!
//! Secrets and sockets are files of one piece of memory that is mounted nowhere; each of them is a mount of its own for the command.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use builder::{Mounted, RunMount};
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, fchmod, fchown, openat};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use spec::mount::{Mount, MountAttributes, MountKind, Owners, Propagation};
use sys::mntns::in_private_mounts;

use super::agent::Agent;
use crate::error::Error;
use crate::host::Host;

/// As many descriptors as one message carries, less one for the root.
const MOST: usize = 60;

/// A mount, and what it shows where that is made already.
pub(super) struct Made {
    pub(super) mount: Mount,
    pub(super) tree: Option<OwnedFd>,
}

/// All mounts of one command.
pub(super) struct Mounts {
    pub(super) mounts: Vec<Made>,
    /// They pass on what is said to agents as long as the command runs.
    _agents: Vec<Agent>,
}

/// Makes them.
pub(super) fn make(host: &Host, wanted: Vec<RunMount>) -> Result<Mounts, Error> {
    if wanted.len() > MOST {
        return Err(Error::Invalid(format!("a command may have {MOST} mounts, not {}", wanted.len())));
    }
    let (mut mounts, mut hidden, mut agents) = (Vec::new(), Hidden::default(), Vec::new());
    for RunMount { target, read_only, what } in wanted {
        let target: PathBuf = std::path::Path::new("/").join(target).components().collect();
        let attributes = MountAttributes { readonly: read_only, ..MountAttributes::default() };
        let bind = |source: PathBuf| MountKind::Bind { source, recursive: true, beneath: None, owners: Owners::Real };
        let (kind, attributes, tree) = match what {
            Mounted::Host(source) => (bind(source), attributes, None),
            Mounted::Tree(tree) => (bind("overlay".into()), attributes, Some(tree)),
            Mounted::Tmpfs(size) => (tmpfs(size), MountAttributes { nosuid: true, nodev: true, ..attributes }, None),
            Mounted::Secret(bytes, mode, owner) => {
                hidden.secret(mounts.len(), &bytes, mode, owner)?;
                (bind("secret".into()), attributes, None)
            }
            Mounted::Agent(socket, mode, owner) => {
                agents.push(hidden.agent(mounts.len(), socket, mode, owner)?);
                (bind("ssh-agent".into()), attributes, None)
            }
        };
        let mount = Mount { target, kind, attributes, propagation: Some(Propagation::Rprivate) };
        mounts.push(Made { mount, tree });
    }
    for (place, tree) in hidden.trees(host)? {
        mounts[place].tree = Some(tree);
    }
    Ok(Mounts { mounts, _agents: agents })
}

fn tmpfs(size_bytes: Option<u64>) -> MountKind {
    let mut options = vec![("mode".to_owned(), Some("1777".to_owned()))];
    options.extend(size_bytes.map(|size| ("size".to_owned(), Some(size.to_string()))));
    MountKind::Filesystem { fstype: "tmpfs".into(), source: "tmpfs".into(), options, volume: None }
}

/// Files in memory, by the place of their mounts.
#[derive(Default)]
struct Hidden {
    memory: Option<OwnedFd>,
    files: Vec<(usize, OwnedFd)>,
}

impl Hidden {
    fn memory(&mut self) -> Result<&OwnedFd, Error> {
        if self.memory.is_none() {
            let attributes = MountAttributes { nosuid: true, nodev: true, noexec: true, ..MountAttributes::default() };
            let make = |options: &[(&str, Option<&str>)]| runtime::filesystem("tmpfs", "tmpfs", options, attributes);
            // Linux 6.4 can be told not to swap it out.
            let made = make(&[("mode", Some("0700")), ("noswap", None)]).or_else(|_| make(&[("mode", Some("0700"))]));
            self.memory = Some(made.map_err(Error::other("making memory for secrets"))?);
        }
        self.memory.as_ref().ok_or_else(|| Error::Invalid("there is no memory for secrets".into()))
    }

    fn secret(&mut self, place: usize, bytes: &[u8], mode: u32, (uid, gid): (u32, u32)) -> Result<(), Error> {
        let failed = || Error::io("writing a secret into memory");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made = openat(self.memory()?, place.to_string(), flags, Mode::RUSR);
        let mut file = File::from(made.map_err(|e| failed()(e.into()))?);
        file.write_all(bytes).map_err(failed())?;
        let owned = fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .and_then(|()| fchmod(&file, Mode::from_raw_mode(mode & 0o7777)));
        owned.map_err(|e| failed()(e.into()))?;
        self.files.push((place, file.into()));
        Ok(())
    }

    fn agent(&mut self, place: usize, socket: PathBuf, mode: u32, owner: (u32, u32)) -> Result<Agent, Error> {
        let name = place.to_string();
        let memory = self.memory()?;
        let agent = Agent::listen(memory.as_fd(), &name, socket, mode, owner)
            .map_err(Error::io("listening for a command that wants to speak to an ssh agent"))?;
        let opened = openat(memory, &name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let opened = opened.map_err(|e| Error::Io("opening the socket of an ssh agent".into(), e.into()))?;
        self.files.push((place, opened));
        Ok(agent)
    }

    /// A mount of each file alone. A part of a mount that is attached nowhere cannot be cloned before Linux 6.15.
    fn trees(self, host: &Host) -> Result<Vec<(usize, OwnedFd)>, Error> {
        let Some(memory) = self.memory else { return Ok(Vec::new()) };
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let trees = in_private_mounts(|| {
            move_mount(&memory, "", CWD, host.home.run(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
            let each = self.files.iter().map(|(place, file)| Ok((*place, open_tree(file, "", flags)?)));
            each.collect::<std::io::Result<Vec<_>>>()
        });
        trees.map_err(Error::io("mounting the secrets of a command"))
    }
}
