//! Where networks lie, and the lock that all share who use them.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use disk::{Home, Lock};
use spec::id::NetworkId;

use crate::error::NetworkError;

/// All networks' records: a directory each.
#[must_use]
pub fn records(home: &Home) -> PathBuf {
    home.root().join("networks")
}

/// `<name> -> <id>`.
#[must_use]
pub fn network_names(home: &Home) -> PathBuf {
    home.root().join("network-names")
}

/// Everything of networks that a boot takes away.
#[must_use]
pub fn running(home: &Home) -> PathBuf {
    home.run().join("networks")
}

/// `<address> -> <container>`.
#[must_use]
pub fn leases(home: &Home, network: &NetworkId) -> PathBuf {
    running(home).join(network.as_str()).join("leases")
}

/// `<name>/<container> -> "<address> <address>"`.
#[must_use]
pub fn names(home: &Home, network: &NetworkId) -> PathBuf {
    running(home).join(network.as_str()).join("names")
}

/// There once somebody made the table.
pub(crate) fn table_mark(home: &Home) -> PathBuf {
    running(home).join("table")
}

/// There where the host passes packets of a family on because kist asked it to.
pub(crate) fn closed_mark(home: &Home, is_four: bool) -> PathBuf {
    running(home).join(if is_four { "closed4" } else { "closed6" })
}

pub(crate) fn is_closed(home: &Home, is_four: bool) -> Result<bool, NetworkError> {
    is_there(&closed_mark(home, is_four))
}

/// For joining, publishing and leaving.
///
/// # Errors
/// Of the file system.
pub fn share(home: &Home) -> Result<Lock, NetworkError> {
    lock(home, Lock::shared)
}

/// For making and removing networks, and for restoring rules: nobody joins or leaves meanwhile.
///
/// # Errors
/// Of the file system.
pub fn alone(home: &Home) -> Result<Lock, NetworkError> {
    lock(home, Lock::exclusive)
}

/// Whether anybody took the lock since the machine started.
pub(crate) fn is_used(home: &Home) -> Result<bool, NetworkError> {
    is_there(&lock_file(home))
}

fn lock_file(home: &Home) -> PathBuf {
    running(home).join("lock")
}

fn lock(home: &Home, take: fn(&Path) -> io::Result<Lock>) -> Result<Lock, NetworkError> {
    let path = lock_file(home);
    let taken = match take(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            make(&running(home))?;
            take(&path)
        }
        other => other,
    };
    taken.map_err(failed("locking", &path))
}

/// Makes a directory with those above it.
pub(crate) fn make(dir: &Path) -> Result<(), NetworkError> {
    DirBuilder::new().recursive(true).mode(0o711).create(dir).map_err(failed("making", dir))
}

pub(crate) fn is_there(path: &Path) -> Result<bool, NetworkError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(failed("looking at", path)(e)),
    }
}

pub(crate) fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> NetworkError {
    move |error| NetworkError::Io(format!("{doing} {}", path.display()), error)
}

/// Eight digits that are another path's hardly ever (FNV-1a).
pub(crate) fn hash(path: &Path) -> u32 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
