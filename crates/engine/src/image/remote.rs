//! `image inspect --remote`: what a registry says of an image, which does not come.

use spec::platform::Platform;
use spec::reference::Reference;
use store::{Image, Incoming, Names};

use super::pull::{Pull, choose};
use crate::error::Error;
use crate::registry::Session;

/// An image of a registry and what it is called there. Only its documents come, and nothing is kept.
///
/// # Errors
/// The registry's, in Docker's words; documents that are not what they were named.
pub fn view(session: &Session, request: &Pull) -> Result<(Image, Names), Error> {
    let Pull { reference, platform } = request;
    let refused = |e| Error::from_pull(reference, e);
    let top = session.run(session.client().manifest(reference)).map_err(refused)?;
    let names = names(reference, reference.with_digest(top.descriptor.digest.0.clone()));
    let machine = Platform::host();
    let manifest = choose(session, reference, top, platform.as_ref().unwrap_or(&machine))?;
    let read = store::read_manifest(&manifest.descriptor, &manifest.bytes)?;
    let config_bytes = session.run(session.client().document(reference, &read.config)).map_err(refused)?;
    let image = store::describe(
        Incoming {
            names: names.iter().cloned().collect(),
            manifest: manifest.descriptor,
            manifest_bytes: manifest.bytes,
            config_bytes,
        },
        platform.as_ref(),
    )?;
    Ok((image, names))
}

fn names(asked: &Reference, by_digest: Reference) -> Names {
    let tags = if asked.digest().is_none() { vec![asked.clone()] } else { Vec::new() };
    Names { tags, digests: vec![by_digest] }
}
