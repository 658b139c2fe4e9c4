//! `kist rmi`.

use engine::Error;
use engine::image::remove::{Force, remove};
use store::Removed;

use crate::cli::{Cli, note, say};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist rmi`.
pub(crate) static RMI: Verb = Verb {
    name: "rmi",
    aliases: &["image rm", "image remove"],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Remove one or more images",
    words: Words::AtLeast(1),
    flags: &[&[
        short('f', "force", Takes::Switch, "Force removal of the image"),
        // There are no untagged parents: a build leaves none.
        flag("no-prune", Takes::Switch, "Do not delete untagged parents"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let force = if args.on("force") { Force::Yes } else { Force::No };
    let host = cli.host()?;
    let mut code = 0;
    for name in args.words() {
        match remove(&host, name, force) {
            Ok(removed) => removed.iter().for_each(|removed| say(&line(removed))),
            Err(error) => {
                // What is gone already is what was wanted, if it was wanted by force.
                if force == Force::No || !matches!(error, Error::NotFound(_)) {
                    code = 1;
                }
                note(&Report::from(error).text);
            }
        }
    }
    Ok(code)
}

fn line(removed: &Removed) -> String {
    match removed {
        Removed::Untagged(name) => format!("Untagged: {}", name.familiar()),
        Removed::Deleted(digest) => format!("Deleted: {digest}"),
    }
}
