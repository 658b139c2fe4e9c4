//! `kist run` and `kist create`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use engine::Host;
use engine::container::create::{self, Create, Created};
use engine::container::start::{Early, Start, start_early};
use engine::image::obtain::{Obtain, Pull, Step, obtain};
use engine::image::pull::Pulled;
use monitor::protocol::{Attach, DetachKeys, Framing, Replay, Target, Tell, Until};
use spec::container::Streams;
use spec::id::ContainerId;
use spec::platform::Platform;

use super::pull;
use crate::cli::{Cli, note, say};
use crate::flags::container::{self, FLAGS};
use crate::flags::network;
use crate::progress::{Progress, To};
use crate::report::Report;
use crate::terminal::{self, Ended, Session};
use crate::verb::{Args, Flag, Takes, Verb, Words, flag, short};

/// `kist run`.
pub(crate) static RUN: Verb = Verb {
    name: "run",
    aliases: &["container run"],
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Create and run a new container from an image",
    words: Words::Command(1),
    flags: &[FLAGS, network::FLAGS, RUN_FLAGS],
    run,
};

/// `kist create`.
pub(crate) static CREATE: Verb = Verb {
    name: "create",
    aliases: &["container create"],
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Create a new container",
    words: Words::Command(1),
    flags: &[FLAGS, network::FLAGS],
    run: create_only,
};

const RUN_FLAGS: &[Flag] = &[
    short('d', "detach", Takes::Switch, "Run container in background and print container ID"),
    flag("detach-keys", Takes::One("string"), "Override the key sequence for detaching a container"),
    flag("sig-proxy", Takes::SwitchOn, "Proxy received signals to the process"),
];

fn create_only(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let host = cli.host()?;
    let request = container::request(cli, &host, &CREATE, args)?;
    let created = make(cli, &host, (&CREATE, args), request, None)?;
    say(created.id.as_str());
    Ok(0)
}

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let host = cli.open()?;
    let mut request = container::request(cli, &host, &RUN, args)?;
    let detach = args.on("detach");
    if detach && request.attach != Streams::default() {
        return Err(Report::plain("Conflicting options: -a and -d"));
    }
    if request.attach == Streams::default() && !detach {
        request.attach = Streams { stdin: request.open_stdin, stdout: true, stderr: true };
    }
    request.stdin_once = request.open_stdin && request.attach.stdin;
    let (tty, attach) = (request.tty, request.attach);
    if tty && attach.stdin && !detach && !terminal::stdin_is_terminal() {
        return Err(Report::plain("the input device is not a TTY"));
    }
    let keys = args.parsed(&RUN, "detach-keys", str::parse::<DetachKeys>)?.unwrap_or_default();
    let auto_remove = request.host.auto_remove;
    let early = Early::new(&host, &request.host)?;
    // While the monitor gets up.
    cli.look_after(&host);
    let created = make(cli, &host, (&RUN, args), request, Some(early.id()))?;
    let console = if tty { terminal::size() } else { None };
    if detach {
        let started = start_early(&host, early, &created.record, Start { console, attach: None, wait: None });
        warn(&started.inspect_err(|_| say(created.id.as_str()))?.warnings);
        say(created.id.as_str());
        return Ok(0);
    }
    let signals = terminal::watch_signals(args.on("sig-proxy"), tty)
        .map_err(|e| Report::plain(format!("watching signals: {e}")))?;
    let (ours, its) = terminal::stream_pair().map_err(|e| Report::plain(format!("making a socket pair: {e}")))?;
    let framing = if tty { Framing::Raw } else { Framing::Mux };
    let wanted = Attach { streams: attach, framing, replay: Replay::Nothing, detach_keys: keys };
    let wait = Some(if auto_remove { Until::Removed } else { Until::NextExit });
    let running = start_early(&host, early, &created.record, Start { console, attach: Some((wanted, its)), wait })?;
    warn(&running.warnings);
    let session = Session {
        client: &running.client,
        stream: ours,
        target: Target::Init,
        terminal: tty,
        input: attach.stdin,
        signals: Some(signals),
    };
    finish(session.run().map_err(|e| Report::plain(format!("attaching to the container: {e}")))?)
}

/// Tells what works otherwise than the user may think.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        note(&format!("WARNING: {warning}"));
    }
}

/// The exit code of an attached container.
pub(crate) fn finish(ended: Ended) -> Result<u8, Report> {
    match ended {
        Ended::Told(Tell::Exited(exit)) => {
            if !exit.error.is_empty() {
                note(&format!("kist: {}", exit.error));
            }
            Ok(u8::try_from(exit.code & 0xff).unwrap_or(u8::MAX))
        }
        Ended::Detached => Ok(0),
        Ended::Told(other) => Err(Report::plain(format!("the container's monitor answered {other:?}"))),
        Ended::Lost => Err(Report::plain(
            "the container's monitor was lost, and the container with it\n  the next kist command cleans up; `kist ps -a` shows what became of it",
        )),
    }
}

/// Image, request, record: what `run` and `create` have in common.
fn make(
    cli: &Cli,
    host: &Host,
    (verb, args): (&Verb, &Args),
    request: Create,
    id: Option<&ContainerId>,
) -> Result<Created, Report> {
    let pull = match args.text("pull") {
        None | Some("missing") => Pull::Missing,
        Some("always") => Pull::Always,
        Some("never") => Pull::Never,
        Some(other) => {
            return Err(verb.bad_value(
                "pull",
                other,
                &"invalid pull option: must be one of \"always\", \"missing\" or \"never\"",
            ));
        }
    };
    let platform = args.parsed(verb, "platform", str::parse::<Platform>)?;
    let quiet = args.on("quiet");
    let cidfile = request.host.cidfile.clone();
    if let Some(path) = &cidfile
        && fs::symlink_metadata(path).is_ok()
    {
        return Err(Report::plain(format!(
            "container ID file found, make sure the other container isn't running or delete {}",
            path.display()
        )));
    }
    let mut layers = Progress::new(if quiet { To::Nowhere } else { To::Stderr });
    let mut progress = |step: Step| match (step, quiet) {
        (Step::NotFound(name), _) => note(&format!("Unable to find image '{name}' locally")),
        (Step::Layer(event), _) => layers.tell(event),
        (_, true) => {}
        (Step::Pulling(reference), false) => note(&pull::first_line(&reference)),
        (Step::Pulled(reference, Pulled { digest, newer, .. }), false) => {
            layers.end();
            note(&format!("Digest: {digest}\n{}", pull::status(&pull::as_pulled(&reference).familiar(), newer)));
        }
        (Step::Bundled(name), false) => {
            note(&format!("Status: {name} was taken from the copy bundled in the kist binary; nothing was downloaded"))
        }
    };
    let wanted = Obtain { name: &request.image_name, pull, platform };
    let image = obtain(host, &wanted, &|| engine::registry::Session::open(&cli.registries()), &mut progress)?;
    let created = match id {
        Some(id) => create::create_as(host, &image, request, id.clone())?,
        None => create::create(host, &image, request)?,
    };
    warn(&created.warnings);
    if let Some(path) = cidfile {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(created.id.as_str().as_bytes()))
            .map_err(|e| Report::plain(format!("failed to create the container ID file: {}: {e}", path.display())))?;
    }
    Ok(created)
}
