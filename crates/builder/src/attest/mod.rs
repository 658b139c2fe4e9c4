//! What is said about an image beside it: how it was made (SLSA provenance) and what is in it (SPDX). Both are predicates of in-toto
//! statements, made after the image and from it, and change none of its bytes. `docs/attestations.md` is for users.
//!
//! - [`asked`] reads `--attest`, `--provenance`, `--sbom`.
//! - [`provenance`] is a pure function of what was asked and built.
//! - [`sbom`] reads the image's files, which may be anybody's: nothing in them is believed, everything is bounded.
//!
//! The same image gives the same documents: no clock, no host, no path of it is in them.

pub mod asked;
pub mod provenance;
pub mod sbom;

pub use asked::{Asked, Detail, Flag, Provenance, SlsaVersion, Times};
