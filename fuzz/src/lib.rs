//! What the targets share.

use std::fs;
use std::path::PathBuf;

/// An empty directory of this process, the same at every call.
#[must_use]
pub fn empty_dir() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("kist-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).expect("a temporary directory can be made");
    dir
}
