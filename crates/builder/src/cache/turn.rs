//! Whose turn it is to do a step: builds that want the same do it once. The lock's file lies in the run directory and goes with its holder;
//! who finds it free that a dead build held goes on.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;

use disk::{Home, Lock};
use spec::digest::Digest;

use super::session::is_at;
use super::{CacheError, GLANCE, make_dir};

/// Beside the builds' directories.
pub(super) const STEPS: &str = "steps";

/// The right to do a step. Dropped when its result is written down, or was not made.
#[derive(Debug)]
pub(crate) struct Turn {
    path: PathBuf,
    _held: Lock,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before the lock is given back: who waits finds that its file is no longer there, and looks for the result.
        let _ = fs::remove_file(&self.path);
    }
}

/// Waits for the turn to do the step of this key. `waits` is told once, when somebody else has it.
///
/// # Errors
/// Of the file system; [`CacheError::Cancelled`].
pub(crate) fn take(
    home: &Home,
    key: &Digest,
    waits: &mut dyn FnMut(),
    cancelled: &dyn Fn() -> bool,
) -> Result<Turn, CacheError> {
    let dir = home.run().join("builds").join(STEPS);
    let path = dir.join(key.hex());
    let mut told = false;
    loop {
        match Lock::try_exclusive(&path) {
            Ok(Some(held)) if is_at(&held, &path) => return Ok(Turn { path, _held: held }),
            // Its holder has just ended.
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                make_dir(&dir)?;
                continue;
            }
            Err(e) => return Err(CacheError::io("locking", &path)(e)),
        }
        if cancelled() {
            return Err(CacheError::Cancelled);
        }
        if !std::mem::replace(&mut told, true) {
            waits();
        }
        thread::sleep(GLANCE);
    }
}
