//! `kist exec`.

use engine::container::exec::{self, Exec};
use engine::container::find;
use monitor::protocol::{DetachKeys, Target, Tell};
use spec::container::Streams;

use crate::cli::Cli;
use crate::flags::values;
use crate::report::{Code, Report, explain};
use crate::terminal::{self, Ended, Session};
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist exec`.
pub(crate) static EXEC: Verb = Verb {
    name: "exec",
    aliases: &["container exec"],
    usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
    about: "Execute a command in a running container",
    words: Words::Command(2),
    flags: &[&[
        short('d', "detach", Takes::Switch, "Detached mode: run command in the background"),
        flag("detach-keys", Takes::One("string"), "Override the key sequence for detaching a container"),
        short('e', "env", Takes::List("list"), "Set environment variables"),
        flag("env-file", Takes::List("list"), "Read in a file of environment variables"),
        short('i', "interactive", Takes::Switch, "Keep STDIN open even if not attached"),
        flag("privileged", Takes::Switch, "Give extended privileges to the command"),
        short('t', "tty", Takes::Switch, "Allocate a pseudo-TTY"),
        short('u', "user", Takes::One("string"), "Username or UID (format: \"<name|uid>[:<group|gid>]\")"),
        short('w', "workdir", Takes::One("string"), "Working directory inside the container"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let [container, command @ ..] = args.words() else { return Err(Report::plain("no container")) };
    let host = cli.host()?;
    let id = find(&host, container)?;
    let (tty, detach, interactive) = (args.on("tty"), args.on("detach"), args.on("interactive"));
    if tty && interactive && !detach && !terminal::stdin_is_terminal() {
        return Err(Report::plain("the input device is not a TTY"));
    }
    let here = |name: &str| cli.variable(name);
    let mut env = Vec::new();
    for path in args.list("env-file") {
        env.extend(values::file_lines(path, here).map_err(Report::plain)?);
    }
    env.extend(args.parsed_list(&EXEC, "env", |text| values::env(text, here))?);
    let attached = !detach;
    let (ours, its) = terminal::stream_pair().map_err(|e| Report::plain(format!("making a socket pair: {e}")))?;
    let signals = attached.then(|| terminal::watch_signals(false, tty)).transpose();
    let running = exec::exec(
        &host,
        &id,
        Exec {
            args: command.to_vec(),
            env,
            user: args.text("user").map(str::to_owned),
            working_dir: args.text("workdir").map(str::to_owned),
            tty,
            privileged: args.on("privileged"),
            streams: Streams { stdin: attached && interactive, stdout: attached, stderr: attached },
            stream: attached.then_some(its),
            console: if tty { terminal::size() } else { None },
            detach_keys: args.parsed(&EXEC, "detach-keys", str::parse::<DetachKeys>)?.unwrap_or_default(),
        },
    );
    let running = running.map_err(|error| {
        if let engine::Error::Exec { exit_code, .. } = &error {
            return Report { text: explain(&error), code: Code::Exactly(u8::try_from(*exit_code).unwrap_or(126)) };
        }
        error.into()
    })?;
    if detach {
        return Ok(0);
    }
    let session = Session {
        client: &running.client,
        stream: ours,
        target: Target::Exec(running.id.clone()),
        terminal: tty,
        input: interactive,
        signals: signals.map_err(|e| Report::plain(format!("watching signals: {e}")))?,
    };
    match session.run().map_err(|e| Report::plain(format!("attaching to the process: {e}")))? {
        Ended::Told(Tell::ExecExited { code, .. }) => Ok(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
        other @ (Ended::Told(_) | Ended::Detached | Ended::Lost) => super::run::finish(other),
    }
}
