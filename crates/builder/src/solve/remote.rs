//! What comes from elsewhere: downloads, repositories, images.

use std::fs::File;
use std::io::Seek;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use spec::digest::{ChainId, Digest};

use super::load::subtree;
use super::report::Shown;
use super::solver::{Layers, Made, Solver, StepError, machine_failed};
use crate::WantedImage;
use crate::attest::provenance::Material;
use crate::copy::hash_download;
use crate::plan::graph::{Checkout, Http, StepId, What};

/// A file that was downloaded.
pub(crate) struct Download {
    pub(crate) file: File,
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) modified_s: Option<i64>,
}

impl Solver<'_> {
    pub(crate) fn fetch(&self, http: &Http, shown: &Shown<'_>) -> Result<Made, StepError> {
        let began = disk::now();
        shown.begin();
        let mut file = self.store.spool()?;
        let fetched = self.machine.fetch(&http.url, &mut file, &|done, total| {
            shown.part(&format!("downloading {}", http.url), done, total, began);
        });
        let fetched = fetched.map_err(|error| machine_failed(&error))?;
        file.rewind()?;
        let wanted = http.checksum.as_ref().map(|text| text.parse::<Digest>()).transpose()?;
        let digest = hash_download(&file, wanted.as_ref())?;
        self.contexts.note(Material::of_address(&http.url, &digest));
        file.rewind()?;
        let named_by_server = fetched.file_name.filter(|name| http.file_name == "__unnamed__" && is_plain(name));
        let name = named_by_server.unwrap_or_else(|| http.file_name.clone());
        shown.done();
        Ok(Made::Download(Arc::new(Download { file, name, digest, modified_s: fetched.modified_s })))
    }

    pub(crate) fn clone_repository(&self, checkout: &Checkout, shown: &Shown<'_>) -> Result<Made, StepError> {
        shown.begin();
        let into = self.session.temporary()?;
        let commit = self.machine.git(&checkout.wanted(), &into, &|bytes| shown.log(2, bytes));
        let commit = commit.map_err(|error| machine_failed(&error))?;
        checkout.is_of(&commit).map_err(StepError::new)?;
        self.contexts.note(Material::of_commit(&checkout.remote, &commit));
        let tree = subtree(&into, checkout.subdir.as_deref(), &self.store.build_cache_dir())?;
        shown.done();
        Ok(Made::Checkout(Arc::new(tree)))
    }

    /// Makes sure that layers are here before something is done with them: an image's come when they are first needed, and not at all
    /// when all results are known.
    pub(crate) fn pull(&self, layers: &Layers) -> Result<(), StepError> {
        if layers.is_absent {
            self.absent_needed.store(true, Ordering::Relaxed);
            return Err(StepError::new("a layer that a build cache only names is needed"));
        }
        let Some(id) = layers.of_image else { return Ok(()) };
        let What::Image(image) = &self.plan.steps[id.0].what else { return Ok(()) };
        let mut pulled = self.pulled[id.0].lock().unwrap_or_else(PoisonError::into_inner);
        if *pulled {
            return Ok(());
        }
        let shown = self.shown(id);
        shown.begin();
        // As it was asked for when it was described: an older one of the name may be here.
        let wanted =
            WantedImage { name: image.name.clone(), platform: image.platform.clone(), pull: self.request.pull };
        let got = self.machine.image(&wanted, &|progress| shown.relay(progress));
        let got = got.map_err(|error| {
            shown.failed(&super::report::told(&error));
            machine_failed(&error)
        })?;
        if got.chains != image.chains {
            let message = format!("{} is another image than it was a moment ago: build again", image.name);
            shown.failed(&message);
            return Err(StepError::new(message));
        }
        shown.done();
        *pulled = true;
        Ok(())
    }

    /// What is here needs not be brought: nobody collects while a build goes on.
    pub(crate) fn use_what_is_here(&self, id: StepId, chains: &[ChainId]) {
        if self.has_layers(chains) {
            let shown = self.shown(id);
            shown.begin();
            shown.done();
            *self.pulled[id.0].lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
    }

    /// Layers of one image may be here because of others.
    fn has_layers(&self, chains: &[ChainId]) -> bool {
        self.store.layer_places(chains).iter().all(|place| std::fs::symlink_metadata(place).is_ok())
    }

    /// Whether an image's layers were needed.
    pub(crate) fn was_pulled(&self, id: StepId) -> bool {
        *self.pulled[id.0].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name that is no path.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}
