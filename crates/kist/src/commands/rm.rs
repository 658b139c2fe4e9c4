//! `kist rm`.

use engine::Error;
use engine::container::find;
use engine::container::remove::{IfRunning, Remove, Volumes, remove};

use super::each::{Done, each_done};
use crate::verb::{Takes, Verb, Words, short};

/// moby `rmLink`.
const LINK: &str = "Conflict, cannot remove the default link name of the container";

/// `kist rm`.
pub(crate) static RM: Verb = Verb {
    name: "rm",
    aliases: &["container rm", "container remove"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Remove one or more containers",
    words: Words::AtLeast(1),
    flags: &[&[
        short('f', "force", Takes::Switch, "Force the removal of a running container (uses SIGKILL)"),
        short('l', "link", Takes::Switch, "Remove the specified link"),
        short('v', "volumes", Takes::Switch, "Remove anonymous volumes associated with the container"),
    ]],
    run: |cli, args| {
        let host = cli.host()?;
        let force = args.on("force");
        let how = Remove {
            if_running: if force { IfRunning::Kill } else { IfRunning::Refuse },
            volumes: if args.on("volumes") { Volumes::Remove } else { Volumes::Keep },
        };
        let link = args.on("link");
        // A name that is no container's own is what Docker's old links made; there are none.
        let one = |id| if link { Err(Error::Conflict(LINK.into())) } else { remove(&host, &id, how) };
        let act = |name: &str| match find(&host, name).and_then(one) {
            // What is gone already is what was wanted.
            Err(Error::NotFound(_)) if force => Ok(Done::Silent),
            other => Ok(other.map(|()| Done::Said)?),
        };
        each_done(args.words(), act, |_| None::<String>)
    },
};
