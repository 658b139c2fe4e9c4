//! Images and containers' writable layers on disk, without a daemon: any number of processes load, run and remove at once, and a
//! process that is killed leaves nothing that the next collection does not take away. What lies where: `docs/formats/store.md`.
//!
//! An image is kept as its config and manifest, verbatim, and one unpacked directory for each layer; the exact layer tars are
//! assembled again from the directories when somebody wants them.

mod archive;
mod attested;
mod build;
mod changes;
mod check;
mod collect;
mod copy;
mod draft;
mod driver;
mod image;
mod import;
mod ingest;
pub mod layer;
mod layout;
mod load;
mod lone;
mod mount;
mod origin;
mod pack;
mod places;
mod receive;
mod record;
mod remove;
mod save;
mod skeleton;
mod step;
mod store;
pub mod tar;
mod unsynced;
mod usage;
mod walk;

pub use archive::{LayoutImage, LoadError};
pub use attested::Said;
pub use build::{FileTimes, LayerTimes, MadeLayer};
pub use changes::{Change, ChangeKind};
pub use check::{Damage, Depth};
pub use collect::Freed;
pub use copy::{copy, dress};
pub use driver::LayerTar;
pub use image::{HistoryRow, Image, Names, ResolveError};
pub use load::{Load, LoadEvent, Loaded};
pub use lone::LoneLayer;
pub use mount::{Floor, Mount, MountError, MountImage};
pub use origin::Origin;
pub use pack::PackError;
pub use places::Places;
pub use receive::{Incoming, Layer, Open, Receiving, describe, read_manifest};
pub use remove::{Remove, RemoveError, Removed, Several};
pub use save::{SaveError, Saved};
pub use step::{Step, StepLayer, StepRecord};
pub use store::{Store, StoreError};
pub use usage::{ImageUsage, StepUsage, Usage};
pub use walk::{Extent, extent};
