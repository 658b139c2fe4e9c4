//! What comes from elsewhere: downloads, repositories, images.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use spec::digest::{Algorithm, ChainId, Digest};
use spec::time::Time;

use super::load::{Contexts, subtree};
use super::report::Shown;
use super::solver::{Layers, Made, Solver, StepError, machine_failed};
use crate::attest::provenance::{Material, without_credentials};
use crate::cache::{Coming, Kept};
use crate::context::{Tree, newest_s};
use crate::copy::hash_download;
use crate::plan::graph::{Checkout, Http, StepId, What};
use crate::{Fetched, Validators, WantedImage};

/// A file that was downloaded.
pub(crate) struct Download {
    pub(crate) file: File,
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) modified_s: Option<i64>,
}

/// What says when something was made.
pub(crate) enum Dated {
    Never,
    /// The commit, or the server.
    At(i64),
    /// The newest file in it, if it is an archive.
    Newest(File),
}

impl Dated {
    /// A download: the server's word goes first.
    pub(crate) fn of(file: File, modified_s: Option<i64>) -> Dated {
        modified_s.map_or(Dated::Newest(file), Dated::At)
    }

    pub(crate) fn time(&self) -> Option<Time> {
        let seconds = match self {
            Dated::Never => None,
            Dated::At(seconds) => Some(*seconds),
            Dated::Newest(file) => newest_s(file),
        };
        seconds?.checked_mul(1_000_000_000).map(Time::from_ns)
    }
}

impl Contexts<'_> {
    /// A file that is here, and is the one that the Dockerfile says.
    fn at_hand(&self, http: &Http) -> Result<Option<Download>, StepError> {
        let Some(wanted) = checksum(http)? else { return Ok(None) };
        let kept = Kept::find(self.store, &http.url)?.filter(|kept| kept.record.digest == wanted);
        kept.map(|kept| self.of_kept(http, kept)).transpose()
    }

    /// What is here already needs to be asked for only whether it is still the same. Answers, too, whether something is kept that was not.
    fn download(&self, http: &Http, shown: &Shown<'_>) -> Result<(Download, bool), StepError> {
        let wanted = checksum(http)?;
        // Where another file is wanted, it does not matter whether this one is still the same.
        let kept = if wanted.is_none() { Kept::find(self.store, &http.url)? } else { None };
        // One that came with another kind of checksum is not known by what it would be called without.
        let kept = kept.filter(|kept| kept.record.digest.algorithm() == Algorithm::Sha256);
        let known = kept.as_ref().map(|kept| kept.record.fetched.validators.clone()).unwrap_or_default();
        let began = disk::now();
        let mut coming = Coming::begin(self.session)?;
        let part = format!("downloading {}", without_credentials(&http.url));
        let on = |done, total| shown.part(&part, done, total, began);
        let fetched = self.machine.fetch(&http.url, &known, &mut coming.file, &on);
        let Some(fetched) = fetched.map_err(|error| machine_failed(&error))? else {
            let Some(kept) = kept else {
                return Err(StepError::new("a server says that a file is still what nobody has"));
            };
            return Ok((self.of_kept(http, kept)?, false));
        };
        shown.part_done(&part, coming.file.metadata()?.len(), began);
        let digest = hash_download(&coming.file, wanted.as_ref())?;
        // What nobody can ask for again would only take room.
        let is_kept = wanted.is_some() || fetched.validators != Validators::default();
        if is_kept {
            coming.keep(self.session, self.store, &http.url, &digest, &fetched)?;
        }
        Ok((self.downloaded(http, coming.file, digest, fetched), is_kept))
    }

    fn of_kept(&self, http: &Http, mut kept: Kept) -> Result<Download, StepError> {
        kept.used()?;
        Ok(self.downloaded(http, kept.file, kept.record.digest, kept.record.fetched))
    }

    fn downloaded(&self, http: &Http, file: File, digest: Digest, fetched: Fetched) -> Download {
        self.note(Material::of_file(&http.url, &digest));
        let named_by_server = fetched.file_name.filter(|name| http.file_name == "__unnamed__" && is_plain(name));
        let name = named_by_server.unwrap_or_else(|| http.file_name.clone());
        Download { file, name, digest, modified_s: fetched.modified_s }
    }

    pub(crate) fn check_out(&self, checkout: &Checkout, shown: &Shown<'_>) -> Result<(Tree, Dated), StepError> {
        let into = self.session.temporary()?;
        let commit = self.machine.git(&checkout.wanted(), &into, &|bytes| shown.log(2, bytes));
        let commit = commit.map_err(|error| machine_failed(&error))?;
        checkout.is_of(&commit.id).map_err(StepError::new)?;
        self.note(Material::of_commit(&checkout.address(), &commit.id));
        let tree = subtree(&into, checkout.subdir.as_deref(), &self.store.build_cache_dir())?;
        Ok((tree, commit.committed_s.map_or(Dated::Never, Dated::At)))
    }

    /// When something was made; none: it does not say so.
    pub(crate) fn time_of(&self, what: &What) -> Result<Option<Time>, StepError> {
        let resolving =
            |source: &str| format!("[internal] resolve SOURCE_DATE_EPOCH source {}", without_credentials(source));
        match what {
            What::Context(name) => Ok(self.open(name)?.dated.time()),
            What::Http(http) => self.report.during(&resolving(&http.url), |shown| {
                let download =
                    self.at_hand(http)?.map_or_else(|| self.download(http, shown).map(|(file, _)| file), Ok)?;
                Ok(Dated::of(download.file, download.modified_s).time())
            }),
            What::Git(checkout) => self.report.during(&resolving(&checkout.remote), |shown| {
                self.check_out(checkout, shown).map(|(_, dated)| dated.time())
            }),
            What::Image(_) | What::Run(_) | What::Copy(_) | What::Directory(_) => Ok(None),
        }
    }
}

fn checksum(http: &Http) -> Result<Option<Digest>, StepError> {
    Ok(http.checksum.as_ref().map(|text| text.parse()).transpose()?)
}

impl Solver<'_> {
    pub(crate) fn fetch(&self, http: &Http, shown: &Shown<'_>) -> Result<Made, StepError> {
        if let Some(download) = self.contexts.at_hand(http)? {
            shown.cached();
            return Ok(Made::Download(Arc::new(download)));
        }
        shown.begin();
        let (download, is_kept) = self.contexts.download(http, shown)?;
        self.made_any.fetch_or(is_kept, Ordering::Relaxed);
        shown.done();
        Ok(Made::Download(Arc::new(download)))
    }

    pub(crate) fn clone_repository(&self, checkout: &Checkout, shown: &Shown<'_>) -> Result<Made, StepError> {
        shown.begin();
        let (tree, _) = self.contexts.check_out(checkout, shown)?;
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
