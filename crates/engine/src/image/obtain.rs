//! The image a container is made from: in the store, in the binary, or (once there are registries) pulled.

use spec::platform::Platform;
use store::{Image, ResolveError};

use super::bundled;
use crate::error::Error;
use crate::host::Host;

/// `--pull`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// Whatever the store holds.
    Always,
    /// What the store does not hold.
    Missing,
    /// Nothing.
    Never,
}

/// What happens on the way; the terminal prints it as Docker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The store does not hold it: `Unable to find image 'x:latest' locally`.
    NotFound(String),
    /// `latest: Pulling from library/hello-world`.
    Pulling {
        /// The tag.
        tag: String,
        /// The repository.
        path: String,
    },
    /// The copy in the binary was taken.
    Bundled(String),
}

/// Finds the image, or gets it.
///
/// # Errors
/// Not found; of another platform than this machine runs; the store's.
pub fn obtain(
    host: &Host,
    name: &str,
    pull: Pull,
    platform: Option<&Platform>,
    on: &mut dyn FnMut(Step),
) -> Result<Image, Error> {
    let found = match host.store.resolve(name) {
        Ok(image) if pull != Pull::Always => Some(image),
        Ok(_) | Err(ResolveError::NotFound(_)) => None,
        Err(other) => return Err(other.into()),
    };
    let image = match found {
        Some(image) => image,
        None => fetch(host, name, pull, on)?,
    };
    let machine = Platform::host();
    let (wanted, has) = (platform.unwrap_or(&machine), image.config.platform());
    if !wanted.runs(&has) {
        return Err(Error::NotFound(format!(
            "image with reference {name} was found but its platform ({has}) does not match the specified platform ({wanted})"
        )));
    }
    Ok(image)
}

fn fetch(host: &Host, name: &str, pull: Pull, on: &mut dyn FnMut(Step)) -> Result<Image, Error> {
    let reference: spec::reference::Reference =
        name.parse().map_err(|e: spec::reference::ReferenceError| Error::Invalid(e.to_string()))?;
    let familiar = reference.familiar();
    if pull == Pull::Never {
        return Err(Error::NotFound(format!("No such image: {familiar}")));
    }
    on(Step::NotFound(familiar.clone()));
    on(Step::Pulling { tag: reference.tag().unwrap_or_default().into(), path: reference.path().into() });
    let archive = (reference.to_string() == bundled::NAME && pull == Pull::Missing).then(bundled::archive).flatten();
    let Some(archive) = archive else {
        return Err(Error::NotYet(format!(
            "pull access denied for {}, repository does not exist or may require 'docker login': pulling from a registry",
            reference.familiar_name()
        )));
    };
    host.store.load(archive.as_slice(), &mut |_| {})?;
    on(Step::Bundled(familiar.clone()));
    Ok(host.store.resolve(&familiar)?)
}
