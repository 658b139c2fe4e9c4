//! `kist import`.

use std::fs::File;
use std::io::{self, Read};

use engine::image::import::{Import, import};
use spec::platform::Platform;
use spec::reference::Reference;

use crate::cli::{Cli, say};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist import`.
pub(crate) static IMPORT: Verb = Verb {
    name: "import",
    aliases: &["image import"],
    usage: "[OPTIONS] file|- [REPOSITORY[:TAG]]",
    about: "Import the contents from a tarball to create a filesystem image",
    words: Words::Between(1, 2),
    flags: &[&[
        short('c', "change", Takes::List("list"), "Apply Dockerfile instruction to the created image"),
        short('m', "message", Takes::One("string"), "Set commit message for imported image"),
        flag("platform", Takes::One("string"), "Set platform if server is multi-platform capable"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let source = &args.words()[0];
    if source.starts_with("http://") || source.starts_with("https://") {
        return Err(Report::plain(format!(
            "importing from a URL is not there yet in kist\n  fetch it first: curl -L {source} | kist import - [REPOSITORY[:TAG]]"
        )));
    }
    let refused = |e| Report::plain(format!("Error response from daemon: {e}"));
    let reference = args.words().get(1).map(|name| name.parse::<Reference>().map_err(refused)).transpose()?;
    if reference.as_ref().is_some_and(|reference| reference.digest().is_some()) {
        return Err(Report::plain("Error response from daemon: cannot import digest reference"));
    }
    let request = Import {
        reference,
        changes: args.list("change").into_iter().map(str::to_owned).collect(),
        message: args.text("message").unwrap_or("Imported from -").to_owned(),
        platform: args.parsed(&IMPORT, "platform", str::parse::<Platform>)?,
    };
    let tar: Box<dyn Read + Send> = if source == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(cli.working_dir().join(source)).map_err(|e| super::opening(source, &e))?)
    };
    let id = import(&cli.host()?, tar, request)?;
    say(&id.to_string());
    Ok(0)
}
