//! `kist pause` and `kist unpause`.

use engine::container::{find, pause};

use super::each::each;
use crate::verb::{Verb, Words};

/// `kist pause`.
pub(crate) static PAUSE: Verb = Verb {
    name: "pause",
    aliases: &["container pause"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Pause all processes within one or more containers",
    words: Words::AtLeast(1),
    flags: &[],
    run: |cli, args| {
        let host = cli.host()?;
        each(args.words(), |name| Ok(pause::pause(&host, &find(&host, name)?)?))
    },
};

/// `kist unpause`.
pub(crate) static UNPAUSE: Verb = Verb {
    name: "unpause",
    aliases: &["container unpause"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Unpause all processes within one or more containers",
    words: Words::AtLeast(1),
    flags: &[],
    run: |cli, args| {
        let host = cli.host()?;
        each(args.words(), |name| Ok(pause::unpause(&host, &find(&host, name)?)?))
    },
};
