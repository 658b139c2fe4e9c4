//! `kist stop` and `kist restart`.

use engine::Host;
use engine::container::{find, stop};
use spec::id::ContainerId;

use super::each::each;
use crate::cli::Cli;
use crate::report::Report;
use crate::verb::{Args, Flag, Takes, Verb, Words, flag, short};

/// `kist stop`.
pub(crate) static STOP: Verb = Verb {
    name: "stop",
    aliases: &["container stop"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Stop one or more running containers",
    words: Words::AtLeast(1),
    flags: &[FLAGS],
    run: |cli, args| run(cli, &STOP, args, stop::stop),
};

/// `kist restart`.
pub(crate) static RESTART: Verb = Verb {
    name: "restart",
    aliases: &["container restart"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Restart one or more containers",
    words: Words::AtLeast(1),
    flags: &[FLAGS],
    run: |cli, args| run(cli, &RESTART, args, stop::restart),
};

const FLAGS: &[Flag] = &[
    short('s', "signal", Takes::One("string"), "Signal to send to the container"),
    short('t', "timeout", Takes::One("int"), "Seconds to wait before killing the container"),
    flag("time", Takes::One("int"), ""),
];

fn run(
    cli: &Cli,
    verb: &Verb,
    args: &Args,
    act: fn(&Host, &ContainerId, &stop::Stop) -> Result<(), engine::Error>,
) -> Result<u8, Report> {
    let long = if args.given("time") { "time" } else { "timeout" };
    let seconds =
        |text: &str| text.parse::<i64>().map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
    let how =
        stop::Stop { signal: args.text("signal").map(str::to_owned), timeout_s: args.parsed(verb, long, seconds)? };
    let host = cli.host()?;
    each(args.words(), |name| Ok(act(&host, &find(&host, name)?, &how)?))
}
