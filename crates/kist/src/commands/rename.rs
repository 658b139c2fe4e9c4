//! `kist rename`.

use engine::container::{find, rename};

use crate::verb::{Verb, Words};

/// `kist rename`.
pub(crate) static RENAME: Verb = Verb {
    name: "rename",
    aliases: &["container rename"],
    usage: "CONTAINER NEW_NAME",
    about: "Rename a container",
    words: Words::Exactly(2),
    flags: &[],
    run: |cli, args| {
        let host = cli.host()?;
        rename::rename(&host, &find(&host, &args.words()[0])?, &args.words()[1])?;
        Ok(0)
    },
};
