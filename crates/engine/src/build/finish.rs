//! What was built becomes images with names.

use builder::{Built, Variant};
use spec::digest::ImageId;
use spec::event::ImageAct;
use spec::platform::Platform;
use store::Said;

use super::output::Label;
use crate::error::Error;
use crate::host::Host;

/// The images of a build.
#[derive(Clone, Debug)]
pub struct Finished {
    /// For each platform one, in the order they were asked for.
    pub images: Vec<(Platform, ImageId)>,
    /// The one that has the names: this machine's, or the first.
    pub named: ImageId,
}

/// Puts all variants into the store, with what is said about each and how they leave; those names mean the one for this machine from now
/// on, or the first: a name means one image here.
///
/// # Errors
/// Of the store; nothing was built.
pub fn finish(host: &Host, built: &Built, label: &Label<'_>) -> Result<Finished, Error> {
    let names = label.names;
    let main = main_variant(built)?;
    let mut images = Vec::new();
    for (place, variant) in built.variants.iter().enumerate() {
        let own = if place == main { names.to_vec() } else { Vec::new() };
        let id = host.store.add_image(variant.config.clone(), own)?;
        // Nothing, too: what was said of the same image before came of another build.
        let predicates = label.said.get(place).cloned().unwrap_or_default();
        host.store.attest(&id, &Said { predicates, form: label.form.clone() })?;
        host.note_image(&id, None, ImageAct::Create);
        images.push((variant.platform.clone(), id));
    }
    let named = images[main].1.clone();
    names.iter().for_each(|name| host.note_image(&named, Some(name), ImageAct::Tag));
    Ok(Finished { images, named })
}

fn main_variant(built: &Built) -> Result<usize, Error> {
    let machine = Platform::host();
    let is_machines = |variant: &Variant| machine.runs(&variant.platform);
    match built.variants.as_slice() {
        [] => Err(Error::Invalid("the build has no result".into())),
        variants => Ok(variants.iter().position(is_machines).unwrap_or(0)),
    }
}
