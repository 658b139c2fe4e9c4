//! Results of builds, exchanged with other machines: `--cache-to` and `--cache-from`. `docs/formats/build-cache-exchange.md` is the format.
//!
//! - [`document`] says which step made which layer; pure.
//! - [`directory`] is a cache in a directory of the host: an OCI image layout.
//! - [`inline`] is a cache in an image's own config.
//! - [`mod@export`] takes what is known here; [`import`] knows what came from elsewhere.
//!
//! What a cache holds is compared with digests before it becomes a layer. *That* a step makes this layer is what whoever wrote the cache
//! says: use caches of those whose images you would use.

pub mod directory;
pub mod document;
pub mod export;
pub mod import;
pub mod inline;
#[cfg(test)]
mod tests;

pub use document::{Cache, DocumentError, Layer};
pub use export::{ExportError, Sink, Step, Wrote, export};
pub use import::{Blobs, Foreign, Imported};
