//! What is said about an image beside it: how it was made (SLSA provenance) and what is in it (SPDX). Both are predicates of in-toto
//! statements, made after the image and from it, and change none of its bytes. `docs/attestations.md` is for users.
//!
//! - [`asked`] reads `--attest`, `--provenance`, `--sbom`.
//! - [`provenance`] is a pure function of what was asked and built.
//! - [`sbom`] reads the image's files, which may be anybody's: nothing in them is believed, everything is bounded.
//!
//! The same image gives the same documents: no clock, no host, no path of it is in them.

pub mod asked;
mod files;
pub mod provenance;
pub mod sbom;

use std::io;
use std::os::fd::BorrowedFd;

use spec::digest::Digest;

pub use asked::{Asked, Detail, Flag, Provenance, SlsaVersion, Times};

/// The regular files below a root, with their digests: what is spoken of where files leave, and no image.
///
/// # Errors
/// Of reading them.
pub fn subjects(root: BorrowedFd<'_>) -> io::Result<Vec<(String, Digest)>> {
    let mut subjects = Vec::new();
    files::Files::new(root).walk(&mut |files, met| {
        if let Some((file, _)) = files.open(met.path)? {
            let digest = crate::copy::hash_download(&file, None).map_err(io::Error::other)?;
            subjects.push((met.path.display().to_string(), digest));
        }
        Ok(())
    })?;
    Ok(subjects)
}
