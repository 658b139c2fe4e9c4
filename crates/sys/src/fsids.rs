//! Acting on files as somebody else, with all capabilities: setfsuid(2), which rustix lacks.

use std::io;

use rustix::thread::{capabilities, set_capabilities};

/// Runs `act` with these owners for what it makes. Concerns the calling thread alone.
///
/// # Errors
/// Those of `act`, and of not being allowed to.
pub fn as_owner<T, E: From<io::Error>>(uid: u32, gid: u32, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let before = capabilities(None).map_err(io::Error::from)?;
    let (old_uid, old_gid) = (set(libc::setfsuid, uid), set(libc::setfsgid, gid));
    // Leaving uid 0 takes the capabilities over files away (capabilities(7)): take them back.
    let result = set_capabilities(None, before).map_err(|e| E::from(e.into())).and_then(|()| {
        // The calls answer the old id and nothing else: ask whether they worked.
        if set(libc::setfsuid, uid) != uid || set(libc::setfsgid, gid) != gid {
            return Err(E::from(io::ErrorKind::PermissionDenied.into()));
        }
        act()
    });
    set(libc::setfsgid, old_gid);
    set(libc::setfsuid, old_uid);
    set_capabilities(None, before).map_err(io::Error::from)?;
    result
}

fn set(call: unsafe extern "C" fn(u32) -> i32, id: u32) -> u32 {
    // SAFETY: setfsuid(2) and setfsgid(2) take a number, give a number, and change the calling thread alone.
    unsafe { call(id) }.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::CapabilitySet;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_is_made_belongs_to_the_other() {
        let dir = std::env::temp_dir().join(format!("kist-fsids-{}", std::process::id()));
        let made = as_owner(1234, 1235, || {
            std::fs::create_dir(&dir)?;
            std::fs::metadata(&dir)
        });
        std::fs::remove_dir(&dir).unwrap();
        let made = made.unwrap();
        assert_eq!((made.uid(), made.gid()), (1234, 1235));
        assert!(capabilities(None).unwrap().effective.contains(CapabilitySet::DAC_OVERRIDE));
    }
}
