//! `docker rmi`: names go, and with the last name the image and the layers nobody else needs.

use spec::digest::{Digest, ImageId};
use spec::reference::Reference;

use crate::image::{Names, ResolveError};
use crate::store::{Store, StoreError, unlink};

/// How an image is removed.
pub struct Remove<'a> {
    /// When an ID is given and the image has more than one name.
    pub several: Several,
    /// Asked before an image goes for good; the text of a refusal is the conflict (which container uses it).
    pub may_go: &'a mut dyn FnMut(&ImageId) -> Result<(), String>,
}

impl std::fmt::Debug for Remove<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remove").field("several", &self.several).finish_non_exhaustive()
    }
}

/// What happens to an image that is removed by ID and has several names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Several {
    /// It stays.
    Refuse,
    /// They all go: `--force`.
    Untag,
}

/// A line of what `docker rmi` prints, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// `Untagged: nginx:latest`
    Untagged(Reference),
    /// `Deleted: sha256:…`: the image, then its layers, the highest first.
    Deleted(Digest),
}

/// Why an image was not removed; then all is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// Which image?
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Somebody uses it.
    #[error("{0}")]
    InUse(String),
    /// It has several names.
    #[error("conflict: unable to delete {0} (must be forced) - image is referenced in multiple repositories")]
    Several(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Removes what `name` means: one name of an image, or the image when that is its last name or `name` is an ID.
    ///
    /// Layers are collected at once if nobody is adding any meanwhile, else by whoever is.
    ///
    /// # Errors
    /// [`RemoveError`].
    pub fn remove(&self, name: &str, request: Remove<'_>) -> Result<Vec<Removed>, RemoveError> {
        let held = self.lock_images()?;
        let id = self.resolve_id(name)?;
        let names = self.names(&id)?;
        let (go, stay) = match self.reference_of(name, &id)? {
            Some(reference) => split(names, &reference),
            None if request.several == Several::Refuse && !is_single(&names) => {
                return Err(RemoveError::Several(id.short().to_owned()));
            }
            None => (names.iter().cloned().collect(), Names::default()),
        };
        if stay.is_empty() {
            (request.may_go)(&id).map_err(RemoveError::InUse)?;
        }
        let mut removed = Vec::new();
        for reference in go {
            unlink(&self.name_file(&reference))?;
            removed.push(Removed::Untagged(reference));
        }
        if !stay.is_empty() {
            return Ok(removed);
        }
        removed.push(Removed::Deleted(id.0.clone()));
        // A damaged image can be removed as well; what its layers were, the collector finds out.
        let chains = self.find(&id).ok().flatten().map(|image| image.chains).unwrap_or_default();
        unlink(&self.image_file(&id))?;
        if let Ok(reached) = self.reached() {
            let freed = chains.into_iter().rev().filter(|chain| !reached.snapshots.contains(chain.0.hex()));
            removed.extend(freed.map(|chain| Removed::Deleted(chain.0)));
        }
        drop(held);
        // The image is gone whatever happens now. Damage that stops a collection is for `check` to tell.
        let _ = self.collect_soon();
        Ok(removed)
    }

    /// The name that was given, when it was a name.
    fn reference_of(&self, name: &str, id: &ImageId) -> Result<Option<Reference>, StoreError> {
        let Ok(reference) = name.parse::<Reference>() else { return Ok(None) };
        Ok((self.named(&reference)?.as_ref() == Some(id)).then_some(reference))
    }
}

/// Which names go with `reference`: a repository's digests go with its last tag.
fn split(names: Names, reference: &Reference) -> (Vec<Reference>, Names) {
    let same = |other: &Reference| other.familiar_name() == reference.familiar_name();
    let given = |other: &Reference| match reference.digest() {
        Some(digest) => same(other) && other.digest() == Some(digest),
        None => other == reference,
    };
    let last_tag = reference.digest().is_none() && !names.tags.iter().any(|tag| same(tag) && !given(tag));
    let goes = |other: &Reference| given(other) || (last_tag && other.digest().is_some() && same(other));
    let go = names.iter().filter(|name| goes(name)).cloned().collect();
    let keep = |list: Vec<Reference>| list.into_iter().filter(|name| !goes(name)).collect();
    (go, Names { tags: keep(names.tags), digests: keep(names.digests) })
}

/// One tag at most, and digests of no other repository (moby `isSingleReference`).
fn is_single(names: &Names) -> bool {
    let mut repositories: Vec<_> = names.iter().map(Reference::familiar_name).collect();
    repositories.dedup();
    names.tags.len() <= 1 && repositories.len() <= 1
}
