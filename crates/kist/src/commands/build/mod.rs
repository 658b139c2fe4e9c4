//! `kist build`, and what belongs to it: `builder prune`, `builder du`, and what of `buildx` makes sense without builders to choose from.

mod cache;
mod call;
mod context;
mod display;
mod flags;
mod history;
mod interrupt;
mod outcome;
mod outputs;
mod request;
mod secrets;
mod shape;
mod solve;

pub(crate) use cache::{BUILDER_DU, BUILDER_PRUNE, pruned};
pub(crate) use history::{HISTORY_INSPECT, HISTORY_LOGS, HISTORY_LS, HISTORY_RM};

use crate::cli::{Cli, say};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag};

/// `kist build`.
pub(crate) static BUILD: Verb = Verb {
    name: "build",
    aliases: &["image build", "builder build", "buildx build", "buildx b"],
    usage: "[OPTIONS] PATH | URL | -",
    about: "Build an image from a Dockerfile",
    words: Words::Exactly(1),
    flags: &[flags::FLAGS, flags::CLASSIC],
    run: solve::run,
};

/// `kist buildx ls`.
pub(crate) static BUILDX_LS: Verb = Verb {
    name: "buildx ls",
    aliases: &[],
    usage: "",
    about: "List builder instances",
    words: Words::None,
    flags: &[&[flag("format", Takes::One("string"), ""), flag("no-trunc", Takes::Switch, "")]],
    run: |_: &Cli, _: &Args| -> Result<u8, Report> {
        say("NAME/NODE     DRIVER/ENDPOINT   STATUS    BUILDKIT   PLATFORMS\ndefault*      kist");
        say(&format!(" \\_ default    \\_ default       running   {VERSION}      {}", machine()));
        Ok(0)
    },
};

/// `kist buildx inspect`.
pub(crate) static BUILDX_INSPECT: Verb = Verb {
    name: "buildx inspect",
    aliases: &[],
    usage: "[NAME]",
    about: "Inspect current builder instance",
    words: Words::AtMost(1),
    flags: &[&[flag("bootstrap", Takes::Switch, "Ensure builder has booted before inspecting")]],
    run: |_: &Cli, args: &Args| -> Result<u8, Report> {
        if let Some(name) = args.words().first().filter(|name| *name != "default") {
            return Err(Report::plain(format!(
                "ERROR: no builder {name:?} found: there is one, and it is called default"
            )));
        }
        say("Name:   default\nDriver: kist\n\nNodes:\nName:             default\nEndpoint:         default");
        say(&format!("Status:           running\nBuildKit version: {VERSION}\nPlatforms:        {}", machine()));
        Ok(0)
    },
};

/// `kist buildx version`.
pub(crate) static BUILDX_VERSION: Verb = Verb {
    name: "buildx version",
    aliases: &[],
    usage: "",
    about: "Show buildx version information",
    words: Words::None,
    flags: &[],
    run: |_: &Cli, _: &Args| -> Result<u8, Report> {
        say(&super::version::line());
        Ok(0)
    },
};

/// What of BuildKit's language and words is understood.
const VERSION: &str = "kist";

fn machine() -> String {
    spec::platform::Platform::host().to_string()
}
