//! `kist system check` and `kist system start`.

use engine::container::find;
use engine::system::{check, start};
use store::Depth;

use crate::cli::{Cli, note, say};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag};

/// `kist system check`.
pub(crate) static SYSTEM_CHECK: Verb = Verb {
    name: "system check",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Compare everything that is stored with what it should be, and name each damage with its remedy",
    words: Words::None,
    flags: &[&[flag("quick", Takes::Switch, "Read the records only, not the files of each layer")]],
    run: run_check,
};

/// `kist system start`.
pub(crate) static SYSTEM_START: Verb = Verb {
    name: "system start",
    aliases: &[],
    usage: "",
    about: "Start the containers whose restart policy asks for it, as after a boot",
    words: Words::None,
    flags: &[],
    run: run_start,
};

fn run_check(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let depth = if args.on("quick") { Depth::Records } else { Depth::Layers };
    let damages = check::check(&cli.host()?, depth)?;
    for damage in &damages {
        say(&format!("{}\n  {}", damage.what, damage.remedy));
    }
    match damages.len() {
        0 => {
            say("everything is as it should be");
            Ok(0)
        }
        1 => Err(Report::plain("1 damage")),
        several => Err(Report::plain(format!("{several} damages"))),
    }
}

fn run_start(cli: &Cli, _: &Args) -> Result<u8, Report> {
    let host = cli.host()?;
    let mut code = 0;
    for (id, started) in start::start(&host)? {
        let name = find::name(&host, &id)?;
        match started {
            Ok(()) => say(&name),
            Err(error) => {
                note(&format!("{name}: {}", Report::from(error).text));
                code = 1;
            }
        }
    }
    Ok(code)
}
