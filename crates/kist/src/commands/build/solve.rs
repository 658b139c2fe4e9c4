//! The verb itself: what is asked, the build, what becomes of it, and what is said about it.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use builder::attest::provenance::without_credentials;
use builder::progress::{Progress, Warning};
use engine::Host;
use engine::build::history::{self, Past};
use engine::build::{Errands, Tools};
use serde_json::{Map, Value, json};

use super::call::{self, Call};
use super::context::{self, Inputs, Typed};
use super::display::trace::now;
use super::display::{Display, Drawn, Look, Mode, of_warning};
use super::flags::WITHOUT_EFFECT;
use super::outcome::{self, Delivery, Orders, Outcome, Undelivered};
use super::secrets::{self, Agents};
use super::{interrupt, outputs, request};
use crate::cli::{Cli, note, say};
use crate::report::{Report, chain};
use crate::terminal;
use crate::verb::Args;

/// `kist build`.
pub(super) fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    for (flag, why) in WITHOUT_EFFECT.iter().filter(|(flag, _)| args.given(flag)) {
        note(&format!("WARNING: --{flag} has no effect: {why}"));
    }
    let look = look(cli, args)?;
    let orders = Orders {
        outputs: outputs::outputs(cli, args)?,
        attest: outputs::attests(args)?,
        cache_to: args
            .list("cache-to")
            .into_iter()
            .map(|text| outputs::cache_to(cli, text))
            .collect::<Result<_, _>>()?,
    };
    let id_file = args.text("iidfile").map(|path| cli.working_dir().join(path));
    if let Some(path) = &id_file {
        forget(path)?;
    }
    let typed = Typed { context: args.words().first().map_or("", String::as_str), file: args.text("file") };
    let call = Call::of(args)?;
    let host = cli.host()?;
    let inputs = context::inputs(cli, &host, &typed)?;
    if let Some(call) = call {
        return ask(cli, args, &host, &inputs, (call, look));
    }
    // What comes by standard input is there: from here on there is something to end.
    let interrupted = interrupt::watch().map_err(|e| Report::plain(format!("ERROR: watching for signals: {e}")))?;
    let (ended, drawn) = build(cli, args, (&host, &interrupted), &inputs, &orders, look)?;
    let shows = matches!(look.mode, Mode::Tty | Mode::Plain);
    if shows {
        warn(args, &drawn.warnings, look);
    }
    let outcome = ended?;
    if drawn.made_any
        && let Err(error) = engine::build::cache::trim(&host)
    {
        note(&format!("WARNING: the build cache could not be kept within its bound: {}", chain(&error)));
    }
    let id = outcome.image.as_ref().map(ToString::to_string).unwrap_or_default();
    if args.on("quiet") {
        say(&id);
    }
    if let Some(path) = &id_file {
        write(path, id.as_bytes())?;
    }
    if let Some(path) = args.text("metadata-file") {
        let text = metadata(&outcome, &drawn);
        write(&cli.working_dir().join(path), text.as_bytes())?;
    }
    Ok(0)
}

fn look(cli: &Cli, args: &Args) -> Result<Look, Report> {
    let typed = args.text("progress").map(str::to_owned).or_else(|| cli.variable("BUILDKIT_PROGRESS"));
    let mode = Mode::parse(typed.as_deref().unwrap_or("auto")).map_err(|why| Report::plain(format!("ERROR: {why}")))?;
    let lines = cli.variable("BUILDKIT_TTY_LOG_LINES").and_then(|text| text.parse().ok()).filter(|n| *n > 0);
    Ok(Look {
        mode: if args.on("quiet") { Mode::Quiet } else { mode },
        colors: cli.variable("NO_COLOR").is_none_or(|text| text.is_empty()),
        log_lines: lines.unwrap_or(6),
    })
}

/// `--call`.
fn ask(cli: &Cli, args: &Args, host: &Host, inputs: &Inputs, (call, look): (Call, Look)) -> Result<u8, Report> {
    let request = request::request(cli, args, inputs, &Agents::default())?;
    let (registries, environment) = (cli.registries(), cli.environment());
    let interrupted = &AtomicBool::new(false);
    let tools =
        Tools { host, registries: &registries, git_env: &environment, interrupted, errands: Errands::default() };
    let display = Display::start(look);
    let sender = display.sender();
    let answered = call::answer(call, host, &tools, &request, &move |event| drop(sender.send(event)));
    display.finish();
    let answer = answered?;
    say(&answer.text);
    answer.ends
}

/// What came of it, and what was shown.
type Ended = (Result<Outcome, Report>, Drawn);

fn build(
    cli: &Cli,
    args: &Args,
    (host, interrupted): (&Host, &AtomicBool),
    inputs: &Inputs,
    orders: &Orders,
    look: Look,
) -> Result<Ended, Report> {
    let agents = secrets::agents(cli, host, args)?;
    let request = request::request(cli, args, inputs, &agents)?;
    let registries = cli.registries();
    let mut environment = cli.environment();
    // Repositories that are reached by ssh, too.
    if let Some(socket) = agents.sockets.get("default") {
        environment.retain(|(name, _)| name != "SSH_AUTH_SOCK");
        environment.push(("SSH_AUTH_SOCK".into(), socket.display().to_string()));
    }
    let tools =
        Tools { host, registries: &registries, git_env: &environment, interrupted, errands: Errands::default() };
    let (started, id) = (now(), random_id());
    let display = Display::start(look);
    let sender = display.sender();
    // Whoever draws may be gone only if it fell over; the build goes on.
    let on = move |event: Progress| drop(sender.send(event));
    let built = builder::build(&host.home, &host.store, &tools, &request, &on).map_err(|error| failed(&error));
    let ended = built.and_then(|built| {
        let delivery = Delivery { request: &request, built, started, id: &id };
        outcome::deliver(cli, host, delivery, orders, &on)
            .map_err(|Undelivered(text)| Report::plain(format!("ERROR: failed to build: failed to solve: {text}")))
    });
    drop(on);
    let drawn = display.finish();
    remember(cli, host, args, (id, started), &ended, &drawn);
    Ok((ended, drawn))
}

/// BuildKit's lines: where in the Dockerfile, then what.
pub(super) fn failed(error: &builder::BuildError) -> Report {
    if let builder::BuildError::Cancelled = error {
        return interrupt::report();
    }
    let excerpt = error.excerpt();
    let end = if excerpt.is_empty() || excerpt.ends_with('\n') { "" } else { "\n" };
    Report::plain(format!("{excerpt}{end}ERROR: failed to build: failed to solve: {}", chain(error)))
}

/// A record of the build; that it could not be kept is no reason to fail.
fn remember(
    cli: &Cli,
    host: &Host,
    args: &Args,
    (id, started): (String, spec::time::Time),
    ended: &Result<Outcome, Report>,
    drawn: &Drawn,
) {
    let context = without_credentials(args.words().first().map_or("", String::as_str));
    // A directory is called what it is called, also where it was typed as `.`.
    let path = fs::canonicalize(cli.working_dir().join(&context)).unwrap_or_else(|_| PathBuf::from(&context));
    let last = path.file_name().map_or_else(|| context.clone(), |name| name.to_string_lossy().into_owned());
    let past = Past {
        id,
        name: args.text("target").map_or(last.clone(), |target| format!("{last} ({target})")),
        context,
        tags: args.list("tag").into_iter().map(str::to_owned).collect(),
        started,
        completed: now(),
        steps: drawn.steps,
        error: ended.as_ref().err().map(|report| report.text.lines().last().unwrap_or_default().to_owned()),
        log: drawn.log.clone(),
    };
    if let Err(error) = history::put(host, &past) {
        note(&format!("WARNING: this build is not in the history: {}", chain(&error)));
    }
}

/// 25 letters and digits, as BuildKit's.
fn random_id() -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::new();
    while text.len() < 25 {
        let mut random = RandomState::new().build_hasher().finish();
        for _ in 0..8 {
            let at = usize::try_from(random % 36).unwrap_or_default();
            text.push(char::from(LETTERS[at]));
            random /= 36;
        }
    }
    text.truncate(25);
    text
}

/// At the end, as buildx prints them.
fn warn(args: &Args, warnings: &[Warning], look: Look) {
    if warnings.is_empty() {
        return;
    }
    let count = match warnings.len() {
        1 => "1 warning found".to_owned(),
        n => format!("{n} warnings found"),
    };
    let hint = if args.on("debug") { "" } else { " (use --debug to expand)" };
    let head = format!("{count}{hint}:");
    let (yellow, reset) =
        if look.colors && terminal::stderr_is_terminal() { ("\x1b[33m", "\x1b[0m") } else { ("", "") };
    note(&format!("\n {yellow}{head}{reset}"));
    for warning in warnings {
        note(&format!(" - {}", warning.short));
        if args.on("debug") {
            note(&format!("{}\nMore info: {}", warning.description, warning.url));
            note(&excerpt(&warning.source.0, &warning.source.1, &warning.lines));
        }
    }
}

/// The lines of a Dockerfile that something is about, with those around them (BuildKit `errdefs.Source.Print`).
pub(super) fn excerpt(name: &str, text: &[u8], ranges: &[(u32, u32)]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.split('\n').collect();
    let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let first = ranges.iter().map(|(from, _)| *from).min().unwrap_or_default();
    let last = ranges.iter().map(|(from, to)| *to.max(from)).max().unwrap_or_default().min(count);
    if first == 0 || first > count {
        return String::new();
    }
    // Two lines around one, one around several.
    let around = if first == last { 2 } else { 1 };
    let (from, to) = (first.saturating_sub(around).max(1), last.saturating_add(around).min(count));
    let mut shown = format!("{name}:{first}\n--------------------\n");
    for (number, line) in (1_u32..).zip(&lines).filter(|(number, _)| (from..=to).contains(number)) {
        let is_meant = ranges.iter().any(|(from, to)| (*from..=*to.max(from)).contains(&number));
        let mark = if is_meant { ">>>" } else { "   " };
        shown.push_str(&format!(" {number:3} | {mark} {line}\n"));
    }
    shown.push_str("--------------------");
    shown
}

fn metadata(outcome: &Outcome, drawn: &Drawn) -> String {
    let mut all = Map::new();
    all.insert("buildx.build.ref".into(), json!(format!("default/default/{}", outcome.id)));
    if !drawn.warnings.is_empty() {
        let warnings: Vec<Value> = drawn.warnings.iter().map(of_warning).collect();
        all.insert("buildx.build.warnings".into(), json!(warnings));
    }
    if let Some(image) = &outcome.image {
        all.insert("containerimage.config.digest".into(), json!(image.to_string()));
        let digest = outcome.manifest.as_ref().map_or_else(|| image.to_string(), ToString::to_string);
        all.insert("containerimage.digest".into(), json!(digest));
    }
    if !outcome.names.is_empty() {
        let names: Vec<String> = outcome.names.iter().map(ToString::to_string).collect();
        all.insert("image.name".into(), json!(names.join(",")));
    }
    format!("{:#}", Value::Object(all))
}

/// One of an earlier build must not be taken for this one's.
fn forget(path: &Path) -> Result<(), Report> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Report::plain(format!("ERROR: removing image ID file: {}: {e}", path.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Report> {
    let written = fs::File::create(path).and_then(|mut file| std::io::Write::write_all(&mut file, bytes));
    written.map_err(|e| Report::plain(format!("ERROR: failed to write {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn an_excerpt_shows_the_lines_and_what_is_around_them() {
        let text = b"FROM a\nRUN one\nRUN two \\\n  three\nRUN four\nRUN five\nRUN six\n";
        expect![[r#"
            Dockerfile:3
            --------------------
               2 |     RUN one
               3 | >>> RUN two \
               4 | >>>   three
               5 |     RUN four
            --------------------"#]]
        .assert_eq(&excerpt("Dockerfile", text, &[(3, 4)]));
        assert_eq!(excerpt("Dockerfile", b"", &[]), "");
    }
}
