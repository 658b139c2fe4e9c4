//! `kist update`.

use engine::container::find;
use engine::container::update::{Update, update};

use super::each::each;
use crate::cli::Cli;
use crate::flags::container::changeable_resources;
use crate::flags::values;
use crate::report::Report;
use crate::verb::{Args, Flag, Takes, Verb, Words, flag, short};

/// `kist update`.
pub(crate) static UPDATE: Verb = Verb {
    name: "update",
    aliases: &["container update"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Update configuration of one or more containers",
    words: Words::AtLeast(1),
    flags: &[FLAGS],
    run,
};

const FLAGS: &[Flag] = &[
    flag(
        "blkio-weight",
        Takes::One("uint16"),
        "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)",
    ),
    flag("cpu-period", Takes::One("int"), "Limit CPU CFS (Completely Fair Scheduler) period"),
    flag("cpu-quota", Takes::One("int"), "Limit CPU CFS (Completely Fair Scheduler) quota"),
    flag("cpu-rt-period", Takes::One("int"), "Limit the CPU real-time period in microseconds"),
    flag("cpu-rt-runtime", Takes::One("int"), "Limit the CPU real-time runtime in microseconds"),
    short('c', "cpu-shares", Takes::One("int"), "CPU shares (relative weight)"),
    flag("cpus", Takes::One("decimal"), "Number of CPUs"),
    flag("cpuset-cpus", Takes::One("string"), "CPUs in which to allow execution (0-3, 0,1)"),
    flag("cpuset-mems", Takes::One("string"), "MEMs in which to allow execution (0-3, 0,1)"),
    short('m', "memory", Takes::One("bytes"), "Memory limit"),
    flag("memory-reservation", Takes::One("bytes"), "Memory soft limit"),
    flag("memory-swap", Takes::One("bytes"), "Swap limit equal to memory plus swap: -1 to enable unlimited swap"),
    flag("pids-limit", Takes::One("int"), "Tune container pids limit (set -1 for unlimited)"),
    flag("restart", Takes::One("string"), "Restart policy to apply when a container exits"),
];

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    if !FLAGS.iter().any(|flag| args.given(flag.long)) {
        return Err(Report::plain("you must provide one or more flags when using this command"));
    }
    let change = Update {
        resources: changeable_resources(&UPDATE, args)?,
        restart: args.parsed(&UPDATE, "restart", values::restart)?,
    };
    let host = cli.host()?;
    each(args.words(), |name| Ok(update(&host, &find(&host, name)?, change.clone())?))
}
