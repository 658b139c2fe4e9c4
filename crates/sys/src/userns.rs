//! A user namespace that nobody lives in: it exists to say how owners are shown (idmapped mounts).

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::Pid;

use crate::idle::Idle;

/// Makes one with the given contents of `uid_map` and `gid_map` (user_namespaces(7)).
///
/// # Errors
/// Of clone(2) and of the maps.
pub fn with_maps(uids: &str, gids: &str) -> io::Result<OwnedFd> {
    // Killed and reaped when this returns; until then the number is its own.
    let holder = Idle::spawn_in(libc::CLONE_NEWUSER)?;
    map(holder.pid(), uids, gids)
}

fn map(pid: Pid, uids: &str, gids: &str) -> io::Result<OwnedFd> {
    let dir = format!("/proc/{}", pid.as_raw_nonzero());
    let write = |file: &str, text: &str| {
        let mut file = File::options().write(true).open(format!("{dir}/{file}"))?;
        io::Write::write_all(&mut file, text.as_bytes())
    };
    write("uid_map", uids)?;
    write("gid_map", gids)?;
    Ok(fs::File::open(format!("{dir}/ns/user"))?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_without_people() {
        let ns = with_maps("0 100000 65536", "0 200000 65536").unwrap();
        assert!(rustix::fs::fstat(&ns).is_ok());
        assert!(with_maps("nonsense", "0 0 1").is_err());
    }
}
