//! `kist rmi`.

use engine::Error;
use engine::image::remove::{Force, remove};
use spec::platform::Platform;
use store::Removed;

use super::images::require_one;
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
        flag(
            "platform",
            Takes::List("strings"),
            "Remove only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let force = if args.on("force") { Force::Yes } else { Force::No };
    let host = cli.host()?;
    let mut code = 0;
    let platforms = args.parsed_list(&RMI, "platform", str::parse::<Platform>)?;
    for name in args.words() {
        let fits = platforms.iter().try_for_each(|platform| require_one(&host, name, platform));
        match fits.and_then(|()| remove(&host, name, force)) {
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
