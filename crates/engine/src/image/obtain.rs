//! The image a container is made from: in the store, in the binary, or in a registry.

use spec::platform::Platform;
use spec::reference::Reference;
use store::{Image, ResolveError};

use super::bundled;
use super::list;
use super::progress::LayerEvent;
use super::pull::{self, PullEvent, Pulled, pull};
use crate::error::Error;
use crate::host::Host;
use crate::registry::Session;

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
    /// It comes from a registry, which has it, or from the binary: `latest: Pulling from library/hello-world`.
    Pulling(Reference),
    /// Something new about a layer.
    Layer(LayerEvent),
    /// It came, or was the newest already.
    Pulled(Reference, Pulled),
    /// The copy in the binary was taken.
    Bundled(String),
}

/// Which image, and from where.
#[derive(Clone, Debug)]
pub struct Obtain<'a> {
    /// As the user wrote it.
    pub name: &'a str,
    /// `--pull`.
    pub pull: Pull,
    /// `--platform`; this machine's when none is named.
    pub platform: Option<Platform>,
}

/// Finds the image, or gets it. Only who pulls connects.
///
/// # Errors
/// Not found; of another platform than this machine runs; the store's; the registry's.
pub fn obtain(
    host: &Host,
    wanted: &Obtain<'_>,
    connect: &dyn Fn() -> Result<Session, Error>,
    on: &mut (dyn FnMut(Step) + Send),
) -> Result<Image, Error> {
    let Obtain { name, pull, platform } = wanted;
    let fits = |has: &Platform| platform.as_ref().is_none_or(|wanted| wanted.runs(has));
    let found = match host.store.resolve(name) {
        Ok(image) => match pull {
            Pull::Always => None,
            // Another platform's is not the one that is meant.
            Pull::Missing => Some(image).filter(|image| fits(&image.config.platform())),
            Pull::Never => Some(image),
        },
        Err(ResolveError::NotFound(_)) => None,
        Err(other) => return Err(other.into()),
    };
    let image = match found {
        Some(image) => image,
        None => fetch(host, wanted, connect, on)?,
    };
    let machine = Platform::host();
    list::require(&image, name, platform.as_ref().unwrap_or(&machine))?;
    Ok(image)
}

fn fetch(
    host: &Host,
    wanted: &Obtain<'_>,
    connect: &dyn Fn() -> Result<Session, Error>,
    on: &mut (dyn FnMut(Step) + Send),
) -> Result<Image, Error> {
    let reference: Reference =
        wanted.name.parse().map_err(|e: spec::reference::ReferenceError| Error::Invalid(e.to_string()))?;
    let familiar = reference.familiar();
    match wanted.pull {
        Pull::Never => return Err(Error::NotFound(format!("No such image: {familiar}"))),
        Pull::Missing => on(Step::NotFound(familiar.clone())),
        Pull::Always => {}
    }
    let bundled =
        (reference.to_string() == bundled::NAME && wanted.pull == Pull::Missing).then(bundled::archive).flatten();
    if let Some(archive) = bundled {
        on(Step::Pulling(reference));
        host.store.load(archive.as_slice(), &mut |_| {})?;
        on(Step::Bundled(familiar.clone()));
        return Ok(host.store.resolve(&familiar)?);
    }
    let request = pull::Pull { reference, platform: wanted.platform.clone() };
    let pulled = pull(host, &connect()?, &request, &mut |event| {
        on(match event {
            PullEvent::Found => Step::Pulling(request.reference.clone()),
            PullEvent::Layer(event) => Step::Layer(event),
        })
    })?;
    let image = host.store.image(&pulled.image)?;
    on(Step::Pulled(request.reference, pulled));
    Ok(image)
}
