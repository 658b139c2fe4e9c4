//! `kist kill`.

use engine::container::{find, kill};

use super::each::each;
use crate::verb::{Takes, Verb, Words, short};

/// `kist kill`.
pub(crate) static KILL: Verb = Verb {
    name: "kill",
    aliases: &["container kill"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Kill one or more running containers",
    words: Words::AtLeast(1),
    flags: &[&[short('s', "signal", Takes::One("string"), "Signal to send to the container")]],
    run: |cli, args| {
        let host = cli.host()?;
        let signal = args.text("signal").unwrap_or("SIGKILL");
        each(args.words(), |name| Ok(kill::kill(&host, &find(&host, name)?, signal)?))
    },
};
