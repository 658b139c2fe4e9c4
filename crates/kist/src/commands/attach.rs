//! `kist attach`.

use engine::container::{attach, find, list};
use monitor::protocol::{Attach, DetachKeys, Framing, Replay, Target};
use spec::container::Streams;

use super::run::finish;
use crate::cli::Cli;
use crate::report::Report;
use crate::terminal::{self, Session};
use crate::verb::{Args, Takes, Verb, Words, flag};

/// `kist attach`.
pub(crate) static ATTACH: Verb = Verb {
    name: "attach",
    aliases: &["container attach"],
    usage: "[OPTIONS] CONTAINER",
    about: "Attach local standard input, output, and error streams to a running container",
    words: Words::Exactly(1),
    flags: &[&[
        flag("detach-keys", Takes::One("string"), "Override the key sequence for detaching a container"),
        flag("no-stdin", Takes::Switch, "Do not attach STDIN"),
        flag("sig-proxy", Takes::SwitchOn, "Proxy all received signals to the process"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let host = cli.host()?;
    let id = find(&host, &args.words()[0])?;
    let config = list::view(&host, &id)?.config;
    let input = config.open_stdin && !args.on("no-stdin");
    if config.tty && input && !terminal::stdin_is_terminal() {
        return Err(Report::plain("the input device is not a TTY"));
    }
    let io = |e: std::io::Error| Report::plain(format!("attaching to the container: {e}"));
    let signals = terminal::watch_signals(args.on("sig-proxy"), config.tty).map_err(io)?;
    let (ours, its) = terminal::stream_pair().map_err(io)?;
    let wanted = Attach {
        streams: Streams { stdin: input, stdout: true, stderr: true },
        framing: if config.tty { Framing::Raw } else { Framing::Mux },
        replay: Replay::Nothing,
        detach_keys: args.parsed(&ATTACH, "detach-keys", str::parse::<DetachKeys>)?.unwrap_or_default(),
    };
    let client = attach::attach(&host, &id, wanted, its, terminal::size().filter(|_| config.tty))?;
    let session = Session {
        client: &client,
        stream: ours,
        target: Target::Init,
        terminal: config.tty,
        input,
        signals: Some(signals),
    };
    finish(session.run().map_err(io)?)
}
