//! `kist commit`.

use engine::container::commit::{Commit, Processes, commit};
use engine::container::find;
use spec::reference::Reference;

use crate::cli::{Cli, say};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist commit`.
pub(crate) static COMMIT: Verb = Verb {
    name: "commit",
    aliases: &["container commit"],
    usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    about: "Create a new image from a container's changes",
    words: Words::Between(1, 2),
    flags: &[&[
        short('a', "author", Takes::One("string"), "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"),
        short('c', "change", Takes::List("list"), "Apply Dockerfile instruction to the created image"),
        short('m', "message", Takes::One("string"), "Commit message"),
        flag("no-pause", Takes::Switch, "Disable pausing container during commit"),
        short('p', "pause", Takes::SwitchOn, "Pause container during commit"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    if args.given("pause") && args.given("no-pause") {
        return Err(Report::plain("conflicting options: --no-pause and --pause cannot be used together"));
    }
    let typed = args.words().get(1).filter(|name| !name.is_empty());
    let reference =
        typed.map(|name| name.parse::<Reference>().map_err(|e| Report::plain(e.to_string()))).transpose()?;
    if reference.as_ref().is_some_and(|reference| reference.digest().is_some()) {
        return Err(Report::plain("refusing to create a tag with a digest reference"));
    }
    let goes_on = args.on("no-pause") || !args.on("pause");
    let request = Commit {
        reference,
        changes: args.list("change").into_iter().map(str::to_owned).collect(),
        message: args.text("message").unwrap_or_default().to_owned(),
        author: args.text("author").unwrap_or_default().to_owned(),
        processes: if goes_on { Processes::GoOn } else { Processes::Pause },
    };
    let host = cli.host()?;
    let id = commit(&host, &find(&host, &args.words()[0])?, request)?;
    say(&id.to_string());
    Ok(0)
}
