//! `kist start`.

use engine::container::start::{Start, is_running, start};
use engine::container::{find, list};
use monitor::protocol::{Attach, DetachKeys, Framing, Replay, Target, Until};
use spec::container::Streams;

use super::each::each_then;
use super::run::{finish, warn};
use crate::cli::Cli;
use crate::report::{Code, Report, start_code};
use crate::terminal::{self, Session};
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist start`.
pub(crate) static START: Verb = Verb {
    name: "start",
    aliases: &["container start"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Start one or more stopped containers",
    words: Words::AtLeast(1),
    flags: &[&[
        short('a', "attach", Takes::Switch, "Attach STDOUT/STDERR and forward signals"),
        flag("detach-keys", Takes::One("string"), "Override the key sequence for detaching a container"),
        short('i', "interactive", Takes::Switch, "Attach container's STDIN"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    if args.on("attach") || args.on("interactive") {
        return attached(cli, args);
    }
    let host = cli.host()?;
    let act = |name: &str| {
        let id = find(&host, name)?;
        if !is_running(&host, &id)? {
            match start(&host, &id, Start { console: None, attach: None, wait: None }) {
                Ok(running) => warn(&running.warnings),
                // Another did it since we looked.
                Err(engine::Error::Conflict(_)) if is_running(&host, &id)? => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    };
    each_then(args.words(), act, |failed| Some(format!("failed to start containers: {}", failed.join(", "))))
}

fn attached(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let [name] = args.words() else {
        return Err(Report::plain("you cannot start and attach multiple containers at once"));
    };
    let host = cli.host()?;
    let id = find(&host, name)?;
    let view = list::view(&host, &id)?;
    let config = &view.config;
    let input = args.on("interactive") && config.open_stdin;
    let io = |e: std::io::Error| Report::plain(format!("attaching to the container: {e}"));
    let signals = terminal::watch_signals(true, config.tty).map_err(io)?;
    let (ours, its) = terminal::stream_pair().map_err(io)?;
    let attach = Attach {
        streams: Streams { stdin: input, stdout: true, stderr: true },
        framing: if config.tty { Framing::Raw } else { Framing::Mux },
        replay: Replay::Nothing,
        detach_keys: args.parsed(&START, "detach-keys", str::parse::<DetachKeys>)?.unwrap_or_default(),
    };
    let console = if config.tty { terminal::size() } else { None };
    let wait = Some(if config.host.auto_remove { Until::Removed } else { Until::NextExit });
    let running = start(&host, &id, Start { console, attach: Some((attach, its)), wait }).map_err(|error| {
        let report = Report::from(error);
        Report {
            code: Code::Exactly(if start_code(&report.text) == 125 { 1 } else { start_code(&report.text) }),
            ..report
        }
    })?;
    warn(&running.warnings);
    let session = Session {
        client: &running.client,
        stream: ours,
        target: Target::Init,
        terminal: config.tty,
        input,
        signals: Some(signals),
    };
    finish(session.run().map_err(io)?)
}
