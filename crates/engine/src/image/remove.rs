//! `rmi`: a name is taken away; the image goes with its last one.

use std::collections::BTreeMap;

use spec::digest::ImageId;
use spec::event::{Event, ImageAct};
use spec::reference::Reference;
use store::{RemoveError, Removed, Several};

use super::list::Users;
use crate::error::Error;
use crate::host::Host;

/// What happens to an image that is in use or has several names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It is left alone.
    No,
    /// It is removed unless a container runs from it.
    Yes,
}

/// Removes a name, or an image by its ID.
///
/// # Errors
/// There is no such image; [`Error::Conflict`] in Docker's words when it is in use.
pub fn remove(host: &Host, typed: &str, force: Force) -> Result<Vec<Removed>, Error> {
    let several = match force {
        Force::No => Several::Refuse,
        Force::Yes => Several::Untag,
    };
    let mut may_go = |id: &ImageId| match refusal(host, id, typed, force) {
        Ok(None) => Ok(()),
        Ok(Some(text)) => Err(text),
        Err(error) => Err(format!(
            "conflict: unable to delete {} (cannot be forced) - who uses it is not known: {error}",
            id.short()
        )),
    };
    let image = host.store.resolve(typed).ok();
    let removed = host.store.remove(typed, store::Remove { several, may_go: &mut may_go }).map_err(refused)?;
    if let Some(image) = image {
        let name = typed.parse::<Reference>().ok().filter(|name| removed.contains(&Removed::Untagged(name.clone())));
        let named = if name.is_some() { Named::ByName } else { Named::ById };
        tell(host, &image.id, &image.config.config.labels, &removed, named);
    }
    Ok(removed)
}

/// How the image that was removed was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By one of its names: a digest that goes with its last tag is not told.
    ByName,
    /// By its ID.
    ById,
}

/// Tells what became of an image's names, and of the image.
pub(super) fn tell(host: &Host, id: &ImageId, labels: &BTreeMap<String, String>, removed: &[Removed], named: Named) {
    let mut first = true;
    for what in removed {
        let (act, labels) = match what {
            Removed::Untagged(name) if first || named == Named::ById || name.digest().is_none() => {
                (ImageAct::Untag, labels.clone())
            }
            Removed::Deleted(digest) if *digest == id.0 => (ImageAct::Delete, BTreeMap::new()),
            Removed::Untagged(_) | Removed::Deleted(_) => continue,
        };
        first = false;
        host.note(&Event::image(disk::now(), &id.to_string(), &id.to_string(), &labels, act));
    }
}

/// What the store says, in the engine's words.
pub(super) fn refused(error: RemoveError) -> Error {
    match error {
        RemoveError::Resolve(error) => error.into(),
        RemoveError::InUse(text) => Error::Conflict(text),
        RemoveError::Several(_) => Error::Conflict(error.to_string()),
        RemoveError::Store(error) => error.into(),
    }
}

/// Why an image that would lose its last name has to stay. By name, any container holds it; by ID, Docker tells running from stopped.
fn refusal(host: &Host, id: &ImageId, typed: &str, force: Force) -> Result<Option<String>, Error> {
    let users = Users::of(host, id)?;
    let name = typed.parse::<Reference>().ok().filter(|typed| !is_id(host, id, typed)).map(|name| name.familiar());
    let shown = name.clone().unwrap_or_else(|| id.short().to_owned());
    let conflict = |force: &str, why: String| Some(format!("conflict: unable to delete {shown} ({force}) - {why}"));
    Ok(match (force, name, users.running, users.stopped) {
        (_, _, None, None) | (Force::Yes, _, None, Some(_)) => None,
        (Force::No, Some(_), Some(container), _) | (Force::No, Some(_), None, Some(container)) => conflict(
            "must be forced",
            format!("container {} is using its referenced image {}", container.short(), id.short()),
        ),
        (Force::Yes, _, Some(container), _) | (Force::No, None, Some(container), _) => {
            conflict("cannot be forced", format!("image is being used by running container {}", container.short()))
        }
        (Force::No, None, None, Some(container)) => {
            conflict("must be forced", format!("image is being used by stopped container {}", container.short()))
        }
    })
}

/// Whether what was typed is no name of the image, and so the beginning of its ID.
fn is_id(host: &Host, id: &ImageId, typed: &Reference) -> bool {
    typed.digest().is_none() && !host.store.names(id).is_ok_and(|names| names.tags.contains(typed))
}
