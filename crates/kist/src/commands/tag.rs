//! `kist tag`.

use engine::image::tag;

use crate::verb::{Verb, Words};

/// `kist tag`.
pub(crate) static TAG: Verb = Verb {
    name: "tag",
    aliases: &["image tag"],
    usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    about: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    words: Words::Exactly(2),
    flags: &[],
    run: |cli, args| {
        tag::tag(&cli.host()?, &args.words()[0], &args.words()[1])?;
        Ok(0)
    },
};
