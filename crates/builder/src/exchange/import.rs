//! What caches from elsewhere know. A layer comes when a step of this build asks for it, and not before.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use spec::digest::{ChainId, DiffId, Digest};
use spec::image::Descriptor;
use store::{LoadError, LoneLayer, StepLayer, StepRecord, Store};

use super::document::{Cache, Layer};
use crate::MachineError;

/// Where a cache's layers are.
pub trait Blobs: Send + Sync {
    /// A layer's bytes, which nobody has compared with anything.
    ///
    /// # Errors
    /// It is not there, or cannot be reached.
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send + '_>, MachineError>;
}

/// A cache from elsewhere.
pub struct Foreign {
    /// What it is called, for messages.
    pub name: String,
    /// What it knows.
    pub cache: Cache,
    /// Its layers.
    pub blobs: Box<dyn Blobs>,
}

impl std::fmt::Debug for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Foreign").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All caches that a build was told of.
pub struct Imported<'a> {
    store: &'a Store,
    caches: Vec<Foreign>,
    /// Caches of which something came that was wrong: they are asked no more.
    bad: Mutex<BTreeSet<usize>>,
    /// Whom it is told.
    warn: &'a (dyn Fn(&str) + Sync),
}

impl<'a> Imported<'a> {
    /// Asked in this order.
    pub fn new(store: &'a Store, caches: Vec<Foreign>, warn: &'a (dyn Fn(&str) + Sync)) -> Imported<'a> {
        Imported { store, caches, bad: Mutex::default(), warn }
    }

    /// What the step of this key made on the layers `below`. When it answers, the layer is here, and the step is known here.
    ///
    /// # Errors
    /// This machine's own: that a cache is wrong or out of reach is told, and the step is done as if it were not known.
    pub fn step(&self, key: &Digest, name: &str, below: Option<&ChainId>) -> Result<Option<StepRecord>, LoadError> {
        for (number, foreign) in self.caches.iter().enumerate() {
            if self.bad.lock().unwrap_or_else(PoisonError::into_inner).contains(&number) {
                continue;
            }
            let Some(layer) = foreign.cache.step(key) else { continue };
            let layer = match layer.map(|layer| self.bring(foreign, layer, below)).transpose() {
                Ok(layer) => layer,
                Err(Failed::Here(error)) => return Err(error),
                Err(Failed::There(why)) => {
                    self.bad.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
                    (self.warn)(&format!("the build cache {} is left alone from here on: {why}", foreign.name));
                    continue;
                }
            };
            let record = StepRecord { layer, name: name.to_owned(), created: disk::now() };
            self.store.put_step(key, &record)?;
            return Ok(Some(record));
        }
        Ok(None)
    }

    /// What the step of this key wrote that no cache has.
    pub fn absent(&self, key: &Digest) -> Option<&DiffId> {
        let bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        let good = self.caches.iter().enumerate().filter(|(number, _)| !bad.contains(number));
        good.map(|(_, foreign)| foreign).find_map(|foreign| foreign.cache.absent(key))
    }

    /// By what else steps are known that wrote this.
    pub fn keys_of<'b>(&'b self, wrote: &'b DiffId) -> impl Iterator<Item = &'b Digest> {
        self.caches.iter().flat_map(|foreign| foreign.cache.keys_of(wrote))
    }

    fn bring(&self, foreign: &Foreign, layer: &Layer, below: Option<&ChainId>) -> Result<StepLayer, Failed> {
        let lone = LoneLayer { below, diff_id: &layer.diff_id, blob: &layer.blob };
        if let Some(here) = self.store.lone_layer(&lone).map_err(Failed::of)? {
            return Ok(here);
        }
        let bytes = foreign.blobs.open(&layer.blob).map_err(|error| Failed::There(chain(&error)))?;
        self.store.take_layer(&lone, bytes, &mut |_| {}).map_err(Failed::of)
    }
}

enum Failed {
    Here(LoadError),
    There(String),
}

impl Failed {
    fn of(error: LoadError) -> Failed {
        if error.is_local() { Failed::Here(error) } else { Failed::There(chain(&error)) }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        text.push_str(&format!(": {reason}"));
        source = reason.source();
    }
    text
}
